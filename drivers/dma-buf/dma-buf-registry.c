// SPDX-License-Identifier: GPL-2.0-only
/*
 * dma-buf: the registry of all live buffers, without a global lock.
 *
 * Each possible CPU has a shard: a list and a spinlock that is held for a short
 * time only. An export puts the buffer onto the list of its CPU. The buffer
 * remembers the shard and stays on that list until its release. Exports on
 * different CPUs share only the counter from which each shard refills its
 * numbers, and a close contends only with the CPU that exported the buffer.
 *
 * A walker has a cursor, which is itself an entry of the list: the cursor
 * stands before the buffer that the walker returns next. The walker visits the
 * shards one by one and returns one buffer at a time, with a reference. It
 * never holds the lock of a shard between two buffers that it returns:
 *
 *  - A buffer that is found on a list under the list's lock has not yet been
 *    removed by its release (dma_buf_registry_del()), so the object and its
 *    struct file are still valid. The last reference may be gone already. In
 *    that case get_file_active() fails, and the walker skips the buffer.
 *  - A parked cursor needs no reference, so it can wait for a reader's next
 *    read() for any time. A release does not need to know of cursors: it
 *    removes its buffer from the list, after which the cursor stands before the
 *    next entry.
 *
 * User space decides how many buffers die at once (an exiting process may leave
 * any number) and how many cursors are parked (one for each open bufinfo). A
 * walker skips both kinds of entry, and releases the lock after every
 * DMA_BUF_LOOK_BATCH entries.
 *
 * A new buffer is added at the head of a list, which the walker of that list
 * has already passed. So a walk ends even while other tasks keep exporting, and
 * a buffer that lives through the whole walk is seen exactly once.
 *
 * Shards get inode numbers in batches. Where inode numbers have 64 bits, they
 * are unique for the machine's uptime; 32 bits wrap after four billion exports.
 */
#include <linux/build_bug.h>
#include <linux/cleanup.h>
#include <linux/cpumask.h>
#include <linux/list.h>
#include <linux/percpu.h>
#include <linux/sched.h>

#include "dma-buf-internal.h"

/* How many numbers a shard takes from the global counter at a time */
#define DMA_BUF_INO_BATCH	256
/* How many dying buffers and cursors a walker skips before it drops the lock */
#define DMA_BUF_LOOK_BATCH	32

/**
 * struct dma_buf_shard - the live buffers that one CPU has exported
 * @lock: guards all members but @cpu. Taken in process context only, and held
 *	for at most DMA_BUF_LOOK_BATCH entries.
 * @cpu: the CPU of this shard; does not change
 * @next_ino: inode number for the next buffer
 * @end_ino: end of the shard's range of numbers; equal to @next_ino if the
 *	range is used up
 * @entries: dma_buf_object.shard_link of the buffers, newest first, and between
 *	them dma_buf_cursor.node of the parked cursors
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
 * Buffers and cursors have a size at the same distance from their link. Only
 * the size of a cursor is 0: dma_buf_export() accepts no such buffer. So a
 * walker can tell one from the other, and buffers need no additional member for
 * that.
 */
static_assert(offsetof(struct dma_buf_object, dmabuf.size) -
	      offsetof(struct dma_buf_object, shard_link) ==
	      offsetof(struct dma_buf_cursor, size) -
	      offsetof(struct dma_buf_cursor, node));

/* The shard that lists a buffer. Set once, before the buffer is listed. */
static struct dma_buf_shard *dma_buf_shard_of(struct dma_buf_object *obj)
{
	return obj->inode.i_private;
}

/* Last number given to a shard. The root inode has number 1. */
static atomic64_t dma_buf_last_ino = ATOMIC64_INIT(1);

/**
 * dma_buf_registry_init - initialise the shards of all possible CPUs
 *
 * Zeroed memory is a valid empty range of inode numbers, so the ranges need no
 * initialisation.
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
 * dma_buf_registry_add - give a buffer its number and list it
 * @obj: buffer that is complete but for its inode number
 *
 * Context: Process context. Takes and drops the lock of a shard.
 */
void dma_buf_registry_add(struct dma_buf_object *obj)
{
	/*
	 * Any shard will do: if the task migrates now, only locality is lost.
	 */
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
 * dma_buf_registry_del - remove a buffer from the registry
 * @obj: buffer whose file has no reference left
 *
 * Context: Process context. Takes and drops the lock of a shard.
 */
void dma_buf_registry_del(struct dma_buf_object *obj)
{
	struct dma_buf_shard *shard = dma_buf_shard_of(obj);

	spin_lock(&shard->lock);
	hlist_del(&obj->shard_link);
	spin_unlock(&shard->lock);
}

/**
 * dma_buf_cursor_init - initialise an unparked cursor
 * @cursor: cursor; call dma_buf_cursor_end() before its memory is freed
 */
void dma_buf_cursor_init(struct dma_buf_cursor *cursor)
{
	cursor->shard = NULL;
	cursor->size = 0;
}

/**
 * dma_buf_cursor_end - remove a cursor from its shard
 * @cursor: cursor; unparked afterwards, as after dma_buf_cursor_init()
 *
 * Context: Process context. Takes and drops the lock of a shard.
 */
void dma_buf_cursor_end(struct dma_buf_cursor *cursor)
{
	if (!cursor->shard)
		return;

	scoped_guard(spinlock, &cursor->shard->lock)
		hlist_del(&cursor->node);
	cursor->shard = NULL;
}

/* Put a cursor before the first entry of the next shard after that of @cpu. */
static void dma_buf_cursor_enter_shard(struct dma_buf_cursor *cursor, int cpu)
{
	struct dma_buf_shard *shard;

	dma_buf_cursor_end(cursor);
	for (cpu = cpumask_next(cpu, cpu_possible_mask); cpu < nr_cpu_ids;
	     cpu = cpumask_next(cpu, cpu_possible_mask)) {
		shard = per_cpu_ptr(&dma_buf_shards, cpu);
		/* Skip an empty shard without taking its lock. */
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
 * @cursor: cursor, parked anywhere or unparked
 *
 * Context: Process context. Takes and drops the locks of shards.
 */
void dma_buf_cursor_rewind(struct dma_buf_cursor *cursor)
{
	dma_buf_cursor_enter_shard(cursor, -1);
}

/*
 * Look for a live buffer among the next DMA_BUF_LOOK_BATCH entries after
 * @cursor. Moves the cursor past the entries that were skipped. Returns the
 * buffer with a reference, or NULL if there was none. The caller holds the lock
 * of the cursor's shard.
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

		/*
		 * A cursor has a size of 0 at the place where a buffer has its
		 * own size, see the static_assert() above. Nothing else of a
		 * cursor may be read as a buffer.
		 */
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
 * dma_buf_cursor_get - get the first live buffer at or after a cursor
 * @cursor: cursor; afterwards stands before the buffer that is returned
 *
 * Context: Process context, may sleep. Takes and drops the locks of shards.
 * Return: a buffer with a reference, which the caller owns, or NULL if no
 * buffer is left.
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
 * dma_buf_cursor_get_next - get the next live buffer after a given one
 * @cursor: cursor, parked anywhere or unparked; afterwards stands before the
 *	buffer that is returned
 * @dmabuf: buffer to continue after; the caller holds a reference and keeps it
 *
 * Context: Process context, may sleep. Takes and drops the locks of shards.
 * Return: a buffer with a reference, which the caller owns, or NULL if no
 * buffer is left.
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
		/* The caller's reference keeps @dmabuf listed. */
		hlist_add_behind(&cursor->node, &obj->shard_link);
		next = dma_buf_cursor_scan(cursor);
	}
	return next ?: dma_buf_cursor_get(cursor);
}
