// SPDX-License-Identifier: GPL-2.0-only
/*
 * dma-buf: every live buffer of the machine, found without a global lock.
 *
 * Each possible CPU has a shard: a list and a short spinlock. A buffer goes onto
 * the list of the CPU that exports it, remembers the shard, stays there until
 * its release and never moves, so exports and closes on different CPUs share
 * nothing. Walkers hold no lock at all. They go through the shards one by one
 * and take one buffer at a time, with a reference, under RCU:
 *
 *  - The object is freed an RCU grace period after it left its list, so
 *    whatever a walker meets can be looked at.
 *  - Its struct file is not protected like that (SLAB_TYPESAFE_BY_RCU: it can
 *    serve somebody else within a grace period). get_file_active() refuses a
 *    file whose last reference is gone; on one that it takes, file->f_op and
 *    file->private_data tell whether it still is this buffer's. They cannot be a
 *    leftover: dma_buf_destroy() clears private_data before the file can be
 *    recycled.
 *  - A walker that holds a reference knows that its buffer is on its list still,
 *    and can leave the RCU section, sleep, and go on from there.
 *
 * New buffers go to the head of a list, behind the back of a walker that is on
 * its way down: a walk ends even while others keep exporting. It also leaves
 * each list sorted by falling inode number, which lets a walk be resumed by
 * number, without a reference, see dma_buf_cursor_next().
 *
 * Inode numbers are handed to the shards in batches. Where they have 64 bits they
 * are unique for the machine's uptime; 32 bits wrap after four billion exports.
 */
#include <linux/cpumask.h>
#include <linux/percpu.h>

#include "dma-buf-internal.h"

/* Numbers that a shard takes at a time: the global counter is touched rarely. */
#define DMA_BUF_INO_BATCH	256

/**
 * struct dma_buf_shard - the buffers that one CPU exported
 * @lock: guards all members; process context only, held for a few instructions
 * @cpu: whose it is; does not change
 * @next_ino: number of the next buffer
 * @end_ino: first number that is not the shard's any more
 * @buffers: their dma_buf_object.shard_link, newest first, walked under RCU
 */
struct dma_buf_shard {
	spinlock_t lock; /* all members */
	int cpu;
	u64 next_ino;
	u64 end_ino;
	struct hlist_head buffers;
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
	/* Publishes: all writes to the object come before it. */
	hlist_add_head_rcu(&obj->shard_link, &shard->buffers);
	spin_unlock(&shard->lock);
}

/**
 * dma_buf_registry_del - make a buffer unfindable
 * @obj: a buffer whose file has no reference left
 *
 * Walkers may look at the object for one more RCU grace period, but get no
 * reference.
 *
 * Context: Process context. Takes and drops a shard's lock.
 */
void dma_buf_registry_del(struct dma_buf_object *obj)
{
	struct dma_buf_shard *shard = dma_buf_shard_of(obj);

	spin_lock(&shard->lock);
	hlist_del_rcu(&obj->shard_link);
	spin_unlock(&shard->lock);
}

/* A reference to a buffer that was found under RCU, unless it is dying. */
static bool dma_buf_registry_get(struct dma_buf_object *obj)
{
	struct dma_buf *dmabuf = &obj->dmabuf;
	struct file *file = get_file_active(&dmabuf->file);

	if (!file)
		return false;
	if (likely(is_dma_buf_file(file) &&
		   READ_ONCE(file->private_data) == dmabuf))
		return true;

	/* Recycled: a stranger's file, whose owner may have let go meanwhile. */
	fput(file);
	return false;
}

/* The first buffer at or behind @pos, or in a shard behind @cpu's. */
static struct dma_buf *dma_buf_registry_scan(int cpu, struct hlist_node *pos)
	__must_hold(RCU)
{
	for (;;) {
		for (; pos; pos = rcu_dereference(hlist_next_rcu(pos))) {
			struct dma_buf_object *obj;

			obj = hlist_entry(pos, typeof(*obj), shard_link);
			if (dma_buf_registry_get(obj))
				return &obj->dmabuf;
		}

		cpu = cpumask_next(cpu, cpu_possible_mask);
		if (cpu >= nr_cpu_ids)
			return NULL;
		pos = rcu_dereference(hlist_first_rcu(&per_cpu(dma_buf_shards, cpu).buffers));
	}
}

/**
 * dma_buf_registry_next - the buffer behind this one
 * @dmabuf: a buffer that the caller holds a reference to, which it keeps, or
 *	NULL to start
 *
 * Context: Any context that may drop a reference of a file. Takes no lock.
 * Return: a buffer with a reference that is the caller's, NULL at the end.
 */
struct dma_buf *dma_buf_registry_next(struct dma_buf *dmabuf)
{
	struct hlist_node *pos = NULL;
	struct dma_buf *next;
	int cpu = -1;

	rcu_read_lock();
	if (dmabuf) {
		struct dma_buf_object *obj = to_object(dmabuf);

		cpu = dma_buf_shard_of(obj)->cpu;
		/* The caller's reference keeps it listed. */
		pos = rcu_dereference(hlist_next_rcu(&obj->shard_link));
	}
	next = dma_buf_registry_scan(cpu, pos);
	rcu_read_unlock();
	return next;
}

/**
 * dma_buf_cursor_init - put a cursor before the first buffer
 * @cursor: cursor
 */
void dma_buf_cursor_init(struct dma_buf_cursor *cursor)
{
	cursor->cpu = -1;
	cursor->ino = 0;
}

/**
 * dma_buf_cursor_set - put a cursor behind a buffer
 * @cursor: cursor
 * @dmabuf: a buffer that the caller holds a reference to and may drop then
 */
void dma_buf_cursor_set(struct dma_buf_cursor *cursor, struct dma_buf *dmabuf)
{
	struct dma_buf_object *obj = to_object(dmabuf);

	cursor->cpu = dma_buf_shard_of(obj)->cpu;
	cursor->ino = obj->inode.i_ino;
}

/**
 * dma_buf_cursor_next - the buffer behind a cursor
 * @cursor: cursor; is not moved
 *
 * For walks that pause where they cannot hold a reference, as between two
 * read() calls. Costs a step for each younger buffer of the same shard.
 *
 * Context: as dma_buf_registry_next().
 * Return: a buffer with a reference that is the caller's, NULL at the end.
 */
struct dma_buf *dma_buf_cursor_next(const struct dma_buf_cursor *cursor)
{
	struct hlist_node *pos = NULL;
	struct dma_buf_object *obj;
	struct dma_buf *next;

	rcu_read_lock();
	if (cursor->cpu >= 0) {
		struct dma_buf_shard *shard = per_cpu_ptr(&dma_buf_shards,
							  cursor->cpu);

		hlist_for_each_entry_rcu(obj, &shard->buffers, shard_link) {
			/* A difference, as 32 bits may have wrapped. */
			if ((long)(obj->inode.i_ino - cursor->ino) < 0) {
				pos = &obj->shard_link;
				break;
			}
		}
	}
	next = dma_buf_registry_scan(cursor->cpu, pos);
	rcu_read_unlock();
	return next;
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
 * Context: Any context that may drop a reference of a file. Takes no lock; the
 * caller may hold reservations.
 * Return: a buffer with a reference, NULL if there is none.
 */
struct dma_buf *dma_buf_iter_begin(void)
{
	return dma_buf_registry_next(NULL);
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
	struct dma_buf *next;

	if (WARN_ON_ONCE(!dmabuf))
		return NULL;

	next = dma_buf_registry_next(dmabuf);
	dma_buf_put(dmabuf);
	return next;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_iter_next, DMA_BUF);

/**
 * dma_buf_registry_init - ready the shards of all possible CPUs
 *
 * Lists and number ranges are empty as zeroed memory is.
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
