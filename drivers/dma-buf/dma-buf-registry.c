// SPDX-License-Identifier: GPL-2.0-only
/*
 * dma-buf: every live buffer of the machine, found without a global lock.
 *
 * Each possible CPU has a shard: a list and a short spinlock. A buffer goes onto
 * the list of the CPU that exports it, remembers the shard, stays there until
 * its release and never moves. Exports on different CPUs share only the counter
 * from which each shard refills its numbers, and a close contends only with the
 * CPU that exported the buffer.
 *
 * A walker has a cursor, which is an entry of the list itself: it stands before
 * the buffer that it will return next. The walker goes through the shards one by
 * one, takes one buffer at a time, with a reference, and never holds a shard's lock
 * across two buffers that it returns:
 *
 *  - A buffer found on a list under its lock has not got past
 *    dma_buf_registry_del() in its release, so the object and its struct file are
 *    still valid. Its last reference may be gone: get_file_active() says so, and
 *    the walker skips the buffer.
 *  - A parked cursor needs no reference, so it can wait for a reader's next read()
 *    as long as it takes. A release need not know of cursors: it takes its buffer
 *    off the list, and the cursor stands before the next entry.
 *
 * User space decides how many buffers die at once (a process that exits may leave
 * any number) and how many cursors are parked (each open bufinfo has one). A walker
 * steps over both, and releases the lock after DMA_BUF_LOOK_BATCH entries.
 *
 * New buffers are added at the head of a list, which a walker has passed already: a
 * walk ends even while others keep exporting, and a buffer that lives through all
 * of the walk is seen once.
 *
 * Inode numbers are handed to the shards in batches. Where they have 64 bits they
 * are unique for the machine's uptime; 32 bits wrap after four billion exports.
 */
#include <linux/build_bug.h>
#include <linux/cleanup.h>
#include <linux/cpumask.h>
#include <linux/list.h>
#include <linux/percpu.h>
#include <linux/sched.h>

#include "dma-buf-internal.h"

/* Numbers that a shard takes at a time: the global counter is touched rarely. */
#define DMA_BUF_INO_BATCH	256
/* How many dying buffers and cursors a walker skips before it drops the lock */
#define DMA_BUF_LOOK_BATCH	32

/**
 * struct dma_buf_shard - the buffers that one CPU exported
 * @lock: guards all members but @cpu; process context only, held for no more than
 *	DMA_BUF_LOOK_BATCH entries
 * @cpu: whose it is; does not change
 * @next_ino: number of the next buffer
 * @end_ino: first number that is not the shard's any more
 * @entries: dma_buf_object.shard_link of its buffers, newest first, and among them
 *	dma_buf_cursor.node of the parked cursors
 */
struct dma_buf_shard {
	spinlock_t lock; /* all but @cpu */
	int cpu;
	u64 next_ino;
	u64 end_ino;
	struct hlist_head entries;
};

static DEFINE_PER_CPU_ALIGNED(struct dma_buf_shard, dma_buf_shards);

/*
 * Entries of both kinds have a size after their link, so that one can be told from
 * the other without a member of its own in each buffer: a cursor's is 0, which
 * dma_buf_export() accepts from nobody.
 */
static_assert(offsetof(struct dma_buf_object, dmabuf.size) -
	      offsetof(struct dma_buf_object, shard_link) ==
	      offsetof(struct dma_buf_cursor, size) -
	      offsetof(struct dma_buf_cursor, node));

/* The one that lists a buffer; set once, before that */
static struct dma_buf_shard *dma_buf_shard_of(struct dma_buf_object *obj)
{
	return obj->inode.i_private;
}

/* Last number given to a shard; 1 is the root inode's. */
static atomic64_t dma_buf_last_ino = ATOMIC64_INIT(1);

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
		shard->cpu = cpu;
	}
}

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
	hlist_add_head(&obj->shard_link, &shard->entries);
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

	spin_lock(&shard->lock);
	hlist_del(&obj->shard_link);
	spin_unlock(&shard->lock);
}

/**
 * dma_buf_cursor_init - make an unparked cursor
 * @cursor: cursor; call dma_buf_cursor_end() before its memory is freed
 */
void dma_buf_cursor_init(struct dma_buf_cursor *cursor)
{
	cursor->shard = NULL;
	cursor->size = 0;
}

/**
 * dma_buf_cursor_end - take a cursor out of its shard
 * @cursor: cursor; unparked afterwards, as after dma_buf_cursor_init()
 *
 * Context: Process context. Takes and drops a shard's lock.
 */
void dma_buf_cursor_end(struct dma_buf_cursor *cursor)
{
	if (!cursor->shard)
		return;

	scoped_guard(spinlock, &cursor->shard->lock)
		hlist_del(&cursor->node);
	cursor->shard = NULL;
}

/* Put a cursor before the first buffer of the shards after @cpu's. */
static void dma_buf_cursor_enter_shard(struct dma_buf_cursor *cursor, int cpu)
{
	struct dma_buf_shard *shard;

	dma_buf_cursor_end(cursor);
	for (cpu = cpumask_next(cpu, cpu_possible_mask); cpu < nr_cpu_ids;
	     cpu = cpumask_next(cpu, cpu_possible_mask)) {
		shard = per_cpu_ptr(&dma_buf_shards, cpu);
		/* Skip empty shards without bouncing the cache line of their lock. */
		if (hlist_empty(&shard->entries))
			continue;

		cursor->shard = shard;
		scoped_guard(spinlock, &shard->lock)
			hlist_add_head(&cursor->node, &shard->entries);
		break;
	}
}

/**
 * dma_buf_cursor_rewind - put a cursor before the first of all buffers
 * @cursor: cursor, wherever it is
 *
 * Context: Process context. Takes and drops shards' locks.
 */
void dma_buf_cursor_rewind(struct dma_buf_cursor *cursor)
{
	dma_buf_cursor_enter_shard(cursor, -1);
}

/*
 * The first live buffer after @cursor, whose shard's lock is held, if it is among
 * the next few entries. The cursor steps over what comes before it.
 */
static struct dma_buf *dma_buf_cursor_scan(struct dma_buf_cursor *cursor)
	__must_hold(&cursor->shard->lock)
{
	struct hlist_node *node, *passed = NULL;
	struct dma_buf *found = NULL;
	int i = 0;

	for (node = cursor->node.next; node && i < DMA_BUF_LOOK_BATCH; i++) {
		struct dma_buf_object *obj =
			hlist_entry(node, typeof(*obj), shard_link);

		/* Without a size it is a cursor, and nothing else of @obj is there. */
		if (obj->dmabuf.size && get_file_active(&obj->dmabuf.file)) {
			found = &obj->dmabuf;
			break;
		}
		passed = node;
		node = node->next;
	}

	if (passed) {
		hlist_del(&cursor->node);
		hlist_add_behind(&cursor->node, passed);
	}
	return found;
}

/**
 * dma_buf_cursor_get - the buffer at a cursor
 * @cursor: cursor; stays before what is returned
 *
 * Context: Process context, may sleep. Takes and drops shards' locks.
 * Return: a buffer with a reference that is the caller's, NULL at the end.
 */
struct dma_buf *dma_buf_cursor_get(struct dma_buf_cursor *cursor)
{
	struct dma_buf_shard *shard;

	while ((shard = cursor->shard)) {
		struct dma_buf *dmabuf;
		bool more;

		scoped_guard(spinlock, &shard->lock) {
			dmabuf = dma_buf_cursor_scan(cursor);
			more = cursor->node.next;
		}
		if (dmabuf)
			return dmabuf;
		if (!more)
			dma_buf_cursor_enter_shard(cursor, shard->cpu);
		cond_resched();
	}
	return NULL;
}

/**
 * dma_buf_cursor_get_next - the buffer after this one
 * @cursor: cursor, wherever it is; is put after @dmabuf, before what is returned
 * @dmabuf: a buffer that the caller holds a reference to, which it keeps
 *
 * Context: Process context. Takes and drops shards' locks.
 * Return: a buffer with a reference that is the caller's, NULL at the end.
 */
struct dma_buf *dma_buf_cursor_get_next(struct dma_buf_cursor *cursor,
					struct dma_buf *dmabuf)
{
	struct dma_buf_object *obj = dma_buf_to_object(dmabuf);
	struct dma_buf_shard *shard = dma_buf_shard_of(obj);
	struct dma_buf *next;

	if (cursor->shard != shard)
		dma_buf_cursor_end(cursor);

	scoped_guard(spinlock, &shard->lock) {
		if (cursor->shard)
			hlist_del(&cursor->node);
		cursor->shard = shard;
		/* The caller's reference keeps the buffer listed. */
		hlist_add_behind(&cursor->node, &obj->shard_link);
		next = dma_buf_cursor_scan(cursor);
	}
	return next ?: dma_buf_cursor_get(cursor);
}
