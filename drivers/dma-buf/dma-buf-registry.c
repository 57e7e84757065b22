// SPDX-License-Identifier: GPL-2.0-only
/*
 * dma-buf: every live buffer of the machine, found without a global lock.
 *
 * Each possible CPU has a shard: a list and a short spinlock. A buffer goes onto
 * the list of the CPU that exports it, remembers the shard, stays there until
 * its release and never moves: exports on different CPUs share nothing but the
 * numbers that each fetches once in a while, and a close shares with the exports of
 * the one CPU that its buffer is from.
 *
 * A walker has a cursor. It goes through the shards one by one, takes one buffer at
 * a time, with a reference, and holds a shard's lock for a few instructions only,
 * never across two buffers that it returns:
 *
 *  - What is found on a list under its lock has not got past
 *    dma_buf_registry_del() in its release, so the object and its struct file are
 *    its own still. Its last reference may be gone: get_file_active() says so, and
 *    the walker passes on. A process that exits with very many buffers leaves as
 *    many of these at once, so the lock is let go after every few of them.
 *  - Between two looks a cursor is parked in its shard, and the release of the very
 *    buffer that it points to moves it to the next. It needs no reference, so it
 *    can wait for a reader's next read() as long as it takes.
 *
 * New buffers go to the head of a list, behind the back of a walker that is on
 * its way down: a walk ends even while others keep exporting, and what lives
 * through all of it is seen once.
 *
 * Inode numbers are handed to the shards in batches. Where they have 64 bits they
 * are unique for the machine's uptime; 32 bits wrap after four billion exports.
 */
#include <linux/cleanup.h>
#include <linux/cpumask.h>
#include <linux/list.h>
#include <linux/percpu.h>

#include "dma-buf-internal.h"

/* Numbers that a shard takes at a time: the global counter is touched rarely. */
#define DMA_BUF_INO_BATCH	256
/* Dying buffers that a walker passes by before it lets others have the lock */
#define DMA_BUF_LOOK_BATCH	32

/**
 * struct dma_buf_shard - the buffers that one CPU exported
 * @lock: guards all members but @cpu, and dma_buf_cursor.pos of @cursors; process
 *	context only, held for a few instructions
 * @cpu: whose it is; does not change
 * @next_ino: number of the next buffer
 * @end_ino: first number that is not the shard's any more
 * @buffers: their dma_buf_object.shard_link, newest first
 * @cursors: their dma_buf_cursor.parked
 */
struct dma_buf_shard {
	spinlock_t lock; /* all but @cpu */
	int cpu;
	u64 next_ino;
	u64 end_ino;
	struct hlist_head buffers;
	struct list_head cursors;
};

static DEFINE_PER_CPU_ALIGNED(struct dma_buf_shard, dma_buf_shards);

/* The one that lists a buffer; set once, before that */
static struct dma_buf_shard *dma_buf_shard_of(struct dma_buf_object *obj)
{
	return obj->inode.i_private;
}

/* Last number given to a shard; 1 is the root inode's. */
static atomic64_t dma_buf_last_ino = ATOMIC64_INIT(1);

/**
 * dma_buf_registry_add - number a buffer and make it findable
 * @obj: complete but for its inode number
 *
 * Context: Process context. Takes and drops a shard's lock.
 */
void dma_buf_registry_add(struct dma_buf_object *obj)
{
	/* Any shard is right, so a migration after this only costs locality. */
	struct dma_buf_shard *shard = raw_cpu_ptr(&dma_buf_shards);

	obj->inode.i_private = shard;
	spin_lock(&shard->lock);
	if (unlikely(shard->next_ino == shard->end_ino)) {
		shard->end_ino = atomic64_add_return(DMA_BUF_INO_BATCH,
						     &dma_buf_last_ino) + 1;
		shard->next_ino = shard->end_ino - DMA_BUF_INO_BATCH;
	}
	obj->inode.i_ino = shard->next_ino++;
	hlist_add_head(&obj->shard_link, &shard->buffers);
	spin_unlock(&shard->lock);
}

/**
 * dma_buf_registry_del - make a buffer unfindable
 * @obj: a buffer whose file has no reference left
 *
 * Context: Process context. Takes and drops a shard's lock.
 */
void dma_buf_registry_del(struct dma_buf_object *obj)
{
	struct dma_buf_shard *shard = dma_buf_shard_of(obj);
	struct dma_buf_cursor *cursor;

	spin_lock(&shard->lock);
	list_for_each_entry(cursor, &shard->cursors, parked)
		if (cursor->pos == &obj->shard_link)
			cursor->pos = obj->shard_link.next;
	hlist_del(&obj->shard_link);
	spin_unlock(&shard->lock);
}

/*
 * The first live buffer at or behind @cursor, whose shard's lock is held, if it is
 * among the next few.
 */
static struct dma_buf *dma_buf_cursor_look(struct dma_buf_cursor *cursor)
	__must_hold(&cursor->shard->lock)
{
	struct dma_buf_object *obj;
	int i;

	for (i = 0; cursor->pos && i < DMA_BUF_LOOK_BATCH; i++) {
		obj = hlist_entry(cursor->pos, typeof(*obj), shard_link);
		if (get_file_active(&obj->dmabuf.file))
			return &obj->dmabuf;
		cursor->pos = cursor->pos->next;
	}
	return NULL;
}

static void dma_buf_cursor_park(struct dma_buf_cursor *cursor,
				struct dma_buf_shard *shard,
				struct hlist_node *pos)
	__must_hold(&shard->lock)
{
	cursor->shard = shard;
	cursor->pos = pos;
	list_add(&cursor->parked, &shard->cursors);
}

/**
 * dma_buf_cursor_init - make a cursor that is nowhere
 * @cursor: cursor; dma_buf_cursor_end() before its memory goes
 */
void dma_buf_cursor_init(struct dma_buf_cursor *cursor)
{
	cursor->shard = NULL;
}

/**
 * dma_buf_cursor_end - take a cursor out of its shard
 * @cursor: cursor; is nowhere then, as after dma_buf_cursor_init()
 *
 * Context: Process context. Takes and drops a shard's lock.
 */
void dma_buf_cursor_end(struct dma_buf_cursor *cursor)
{
	if (!cursor->shard)
		return;

	scoped_guard(spinlock, &cursor->shard->lock)
		list_del(&cursor->parked);
	cursor->shard = NULL;
}

/* Put a cursor before the first buffer of the shards behind @cpu's. */
static void dma_buf_cursor_enter(struct dma_buf_cursor *cursor, int cpu)
{
	struct dma_buf_shard *shard;

	dma_buf_cursor_end(cursor);
	for (cpu = cpumask_next(cpu, cpu_possible_mask); cpu < nr_cpu_ids;
	     cpu = cpumask_next(cpu, cpu_possible_mask)) {
		shard = per_cpu_ptr(&dma_buf_shards, cpu);
		/* Nothing is written that other CPUs work with, for nothing. */
		if (hlist_empty(&shard->buffers))
			continue;

		scoped_guard(spinlock, &shard->lock)
			dma_buf_cursor_park(cursor, shard, shard->buffers.first);
		break;
	}
}

/**
 * dma_buf_cursor_first - put a cursor before the first of all buffers
 * @cursor: cursor, wherever it is
 *
 * Context: Process context. Takes and drops shards' locks.
 */
void dma_buf_cursor_first(struct dma_buf_cursor *cursor)
{
	dma_buf_cursor_enter(cursor, -1);
}

/**
 * dma_buf_cursor_get - the buffer at a cursor
 * @cursor: cursor; stays before what is returned
 *
 * Context: Process context. Takes and drops shards' locks.
 * Return: a buffer with a reference that is the caller's, NULL at the end.
 */
struct dma_buf *dma_buf_cursor_get(struct dma_buf_cursor *cursor)
{
	struct dma_buf_shard *shard;

	while ((shard = cursor->shard)) {
		struct dma_buf *dmabuf;
		bool more;

		scoped_guard(spinlock, &shard->lock) {
			dmabuf = dma_buf_cursor_look(cursor);
			more = cursor->pos;
		}
		if (dmabuf)
			return dmabuf;
		if (!more)
			dma_buf_cursor_enter(cursor, shard->cpu);
	}
	return NULL;
}

/**
 * dma_buf_cursor_pass - the buffer behind this one
 * @cursor: cursor, wherever it is; is put behind @dmabuf, before what is returned
 * @dmabuf: a buffer that the caller holds a reference to, which it keeps
 *
 * Context: Process context. Takes and drops shards' locks.
 * Return: a buffer with a reference that is the caller's, NULL at the end.
 */
struct dma_buf *dma_buf_cursor_pass(struct dma_buf_cursor *cursor,
				    struct dma_buf *dmabuf)
{
	struct dma_buf_object *obj = to_object(dmabuf);
	struct dma_buf_shard *shard = dma_buf_shard_of(obj);
	struct dma_buf *next;

	if (cursor->shard != shard)
		dma_buf_cursor_end(cursor);

	scoped_guard(spinlock, &shard->lock) {
		/* The caller's reference keeps it listed. */
		if (cursor->shard)
			cursor->pos = obj->shard_link.next;
		else
			dma_buf_cursor_park(cursor, shard, obj->shard_link.next);
		next = dma_buf_cursor_look(cursor);
	}
	return next ?: dma_buf_cursor_get(cursor);
}

/**
 * dma_buf_iter_begin - start a walk over every live buffer
 *
 * Go on with dma_buf_iter_next(). A buffer that lives through the whole walk is
 * seen exactly once; one that is exported or released meanwhile may be seen or
 * not. To end a walk early, dma_buf_put() the buffer at hand.
 *
 * The walker may sleep between two steps. It must not call the exporter's hooks
 * of a buffer that it found: the exporter may be about to replace their table.
 *
 * Context: Process context. Takes no lock that drivers see, and does not sleep; the
 * caller may hold reservations.
 * Return: a buffer with a reference, NULL if there is none.
 */
struct dma_buf *dma_buf_iter_begin(void)
{
	struct dma_buf_cursor cursor;
	struct dma_buf *first;

	dma_buf_cursor_init(&cursor);
	dma_buf_cursor_first(&cursor);
	first = dma_buf_cursor_get(&cursor);
	dma_buf_cursor_end(&cursor);
	return first;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_iter_begin, DMA_BUF);

/**
 * dma_buf_iter_next - one step of a walk over every live buffer
 * @dmabuf: what the last step returned; its reference is dropped
 *
 * Context: as dma_buf_iter_begin().
 * Return: a buffer with a reference, NULL at the end.
 */
struct dma_buf *dma_buf_iter_next(struct dma_buf *dmabuf)
{
	struct dma_buf_cursor cursor;
	struct dma_buf *next;

	if (WARN_ON_ONCE(!dmabuf))
		return NULL;

	dma_buf_cursor_init(&cursor);
	next = dma_buf_cursor_pass(&cursor, dmabuf);
	dma_buf_cursor_end(&cursor);
	dma_buf_put(dmabuf);
	return next;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_iter_next, DMA_BUF);

/**
 * dma_buf_registry_init - ready the shards of all possible CPUs
 *
 * Number ranges are empty as zeroed memory is.
 */
void __init dma_buf_registry_init(void)
{
	int cpu;

	for_each_possible_cpu(cpu) {
		struct dma_buf_shard *shard = per_cpu_ptr(&dma_buf_shards, cpu);

		spin_lock_init(&shard->lock);
		INIT_LIST_HEAD(&shard->cursors);
		shard->cpu = cpu;
	}
}
