// SPDX-License-Identifier: GPL-2.0-only
/*
 * dma-buf: poll() on the implicit fences.
 *
 * POLLIN asks whether the CPU may read: have all fences of usage WRITE and
 * stronger signalled? POLLOUT asks whether the CPU may write: have all fences
 * of usage READ and stronger signalled? Fences of usage BOOKKEEP count for
 * neither. These are the two directions below.
 *
 * The answer for an idle buffer takes one look at its fences, without the
 * reservation and without any lock of the core (except to queue a poller,
 * once). Callbacks are armed only if fences are pending and a poller waits: one
 * callback on each of the first DMA_BUF_POLL_BATCH pending fences. The last
 * callback to run wakes the pollers, so they are woken when the direction
 * becomes ready, and not for each fence before that. Each poller then looks
 * again, and arms new callbacks if more is pending: work that was added
 * meanwhile, or fences beyond the batch. Callbacks hold no reference to the
 * buffer: a fence that never signals does not keep the buffer alive.
 *
 * Ready means that everything pending when the look began is done. A fence
 * added during the look may be missed: dma_resv_add_fence() may reuse the slot
 * of a signalled fence that the walk has already passed. A reservation in which
 * each fence is added before the previous one signals can therefore be reported
 * ready although it was never idle. dma_resv_wait_timeout() promises no more.
 * Whoever must know about work queued later has to be told by whoever queues
 * it; it could equally have been queued right after the answer.
 *
 * Wake-ups carry no key. A key says which events are ready, and io_uring and
 * aio rely on a key without looking again. The core cannot promise that: newer
 * fences may be pending, or the poller may wait for the other direction. All
 * pollers are woken, even exclusive ones, because the one that would be woken
 * first may wait for the other direction.
 *
 * Work under a lock has a bound
 * -----------------------------
 * User space decides how many fences a reservation has: every GEM handle, sync
 * file or timeline can add one. dma_buf_poll_gather() therefore walks the
 * reservation without a lock of the core. Only the fences that it has gathered,
 * at most DMA_BUF_POLL_BATCH, are compared, armed and disarmed under
 * obj->detach_lock. References to fences are dropped after that lock is
 * released: the release of a fence container drops as many further references
 * as its creator put in.
 *
 * What runs concurrently
 * ----------------------
 * Pollers of the same buffer, on any CPU. obj->detach_lock serialises their
 * changes to a struct dma_buf_poll_watch. It is held while callbacks are added
 * and removed, so the lock order is obj->detach_lock, fence->lock,
 * poll_wait.lock.
 *
 * The callbacks, dma_buf_poll_fence_signalled(). They run in any context, under
 * fence->lock, so they must not take obj->detach_lock, nor touch other fences,
 * which may share the lock that is held. A callback takes poll_wait.lock,
 * counts down, wakes the pollers if it was the last, drops its reference to the
 * fence and clears entry->fence. It does not touch the object after it has
 * released poll_wait.lock. A callback must not drop the last reference to a
 * fence: release hooks of fences take the lock that is held, and not every
 * driver holds a reference to the fence that it signals (sw_sync does not). It
 * leaves the last reference to dma_buf_poll_disarm().
 *
 * The release, dma_buf_poll_shutdown(). No poller is left by then: pollers hold
 * the file, and epoll, which does not, has been told that the file goes away.
 * Callbacks may still be running.
 *
 * When a fence's lock may be taken
 * --------------------------------
 * The memory and the lock of a fence must stay valid for a grace period after
 * the last reference is dropped, see struct dma_fence. Some drivers break that
 * rule: their fences' lock is in memory that they free as soon as the fence has
 * signalled and their importer has detached. The waits of dma-resv.c break on
 * such a driver, too. So do its walks, if the fence has a hook that says that
 * it is done. The core does not make that worse. Its own code takes a fence's
 * lock only inside a section of obj->detach_lock in which it has seen that the
 * fence has not signalled, and a detach must take obj->detach_lock before the
 * driver can free anything:
 *
 *	poller				driver
 *
 *	spin_lock(obj->detach_lock)
 *	look: not signalled
 *					dma_fence_signal()
 *					  spin_lock(fence->lock)
 *	spin_lock(fence->lock): spins
 *					  set SIGNALED
 *					  spin_unlock(fence->lock)
 *	gets the lock, sees SIGNALED
 *	spin_unlock(fence->lock)
 *					dma_buf_detach()
 *					  spin_lock(obj->detach_lock): spins
 *	spin_unlock(obj->detach_lock)
 *					  gets the lock, unlists the attachment
 *					  spin_unlock(obj->detach_lock)
 *					kfree(memory of fence->lock)
 *
 * Without obj->detach_lock the driver could do all of that between the poller's
 * look and its spin_lock(fence->lock). For an armed callback the core itself
 * knows that the fence has not signalled: poll_wait.lock is held and the
 * callback has not run, and it runs before the signalling section of
 * fence->lock ends. A section of obj->detach_lock is also a read-side section
 * of RCU, so it protects a lock that is freed after a grace period as well, for
 * example in a module that is unloaded.
 *
 * No wake-up is lost
 * ------------------
 * A poller queues itself on poll_wait before it looks. Suppose it then sleeps,
 * relying on callbacks that it or another poller has armed: after queueing it
 * has read watch->pending above 0 (dma_buf_poll_armed_suffices(),
 * dma_buf_poll_arm_batch(), dma_buf_poll_will_wake()). The last callback drops
 * watch->pending to 0 and wakes, both under one hold of poll_wait.lock.
 *
 * The poller queues itself first, so the wake-up finds it:
 *
 *	poller				last callback
 *
 *	add_wait_queue(poll_wait)
 *	read watch->pending: 1
 *	sleep
 *					spin_lock(poll_wait.lock)
 *					watch->pending = 0
 *					wake: finds the poller
 *					spin_unlock(poll_wait.lock)
 *
 * Or the callback comes first, so the poller reads 0 and does not rely on it:
 *
 *	poller				last callback
 *
 *					spin_lock(poll_wait.lock)
 *					watch->pending = 0
 *					wake: finds no poller
 *					spin_unlock(poll_wait.lock)
 *	add_wait_queue(poll_wait)
 *	read watch->pending: 0
 *	arm new callbacks, or report ready
 *
 * add_wait_queue() takes poll_wait.lock, too, so there is no third order: its
 * spin_lock() pairs with the callback's spin_unlock(). A poller still queued
 * from an earlier look is always woken, also when watch->pending returns to 0
 * because the last callback could not be added, and when callbacks that have
 * not run are removed.
 *
 * No poller starves another
 * -------------------------
 * A poller may rely on what is armed if the reservation still holds each of
 * these fences and they are pending: the direction cannot become ready before
 * they have signalled, and after that all pollers look again. A fence that was
 * taken out of the reservation before it signalled (replaced, superseded) may
 * never signal. The poller that notices arms callbacks on the fences that are
 * pending now instead. Some of these may be newer than the fences that the
 * other pollers wait for, so all pollers are woken to look again.
 *
 * The poller that re-armed is woken too, finds its own callbacks in place, and
 * sleeps. Another round needs another change of the reservation, so this cannot
 * loop. The same holds if more fences are pending than a batch has room for: a
 * new fence that comes before the armed ones in the reservation can push an
 * armed fence out of the batch, but each new fence can do so only once.
 */
#include <kunit/visibility.h>
#include <linux/atomic.h>
#include <linux/cleanup.h>
#include <linux/dma-buf.h>
#include <linux/dma-fence.h>
#include <linux/dma-resv.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/wait.h>

#include <trace/events/dma_buf.h>

#include "dma-buf-internal.h"

/*
 * How many callbacks are armed at a time, which bounds the hold of
 * obj->detach_lock. A buffer that more contexts than this work on at once is
 * rare; the pollers of such a buffer are woken once per batch.
 */
#define DMA_BUF_POLL_BATCH	32

/* The directions of poll(), an index into dma_buf_object.watches */
enum dma_buf_poll_dir {
	DMA_BUF_POLL_IN,	/* may the CPU read? */
	DMA_BUF_POLL_OUT,	/* may the CPU write? */
	DMA_BUF_POLL_DIRS
};

/**
 * struct dma_buf_poll_entry - a callback on one fence
 * @cb: the callback
 * @fence: the fence, with a reference. Set under dma_buf_object.detach_lock
 *	before @cb is added. Read and cleared under
 *	dma_buf_object.poll_wait.lock by the callback, which leaves it set if
 *	@fired; otherwise cleared when @cb is removed.
 * @watch: the watch that the callback counts down
 * @fired: the callback has run and has left the last reference to @fence to
 *	dma_buf_poll_disarm(); guarded by dma_buf_object.poll_wait.lock
 */
struct dma_buf_poll_entry {
	struct dma_fence_cb cb;
	struct dma_fence *fence;
	struct dma_buf_poll_watch *watch;
	bool fired;
};

/**
 * struct dma_buf_poll_watch - the armed callbacks of one direction
 * @obj: the buffer
 * @entries: array of @count entries, allocated, or &dma_buf_poll_watch.single;
 *	guarded by dma_buf_object.detach_lock
 * @single: the entry for a single fence, which is the usual case, and for the
 *	first fence if there is no memory for more
 * @count: number of entries, guarded by dma_buf_object.detach_lock
 * @pending: callbacks that have not run; the one that drops this to 0 wakes the
 *	pollers
 */
struct dma_buf_poll_watch {
	struct dma_buf_object *obj;
	struct dma_buf_poll_entry *entries;
	struct dma_buf_poll_entry single;
	unsigned int count;
	atomic_t pending;
};

#define DMA_BUF_POLL_IN_EVENTS	(EPOLLIN | EPOLLRDNORM)
#define DMA_BUF_POLL_OUT_EVENTS	(EPOLLOUT | EPOLLWRNORM)

/**
 * struct dma_buf_poll_batch - one attempt of a poller to arm callbacks
 * @count: number of gathered fences, at most DMA_BUF_POLL_BATCH
 * @fences: the gathered fences in the order of the reservation, with
 *	references. An armed callback takes over the reference of its fence; the
 *	other references are dropped after the lock is released.
 * @dropped: references of removed callbacks, dropped after the lock is released
 * @entries: entries for the new callbacks, allocated, or
 *	&dma_buf_poll_watch.single; after dma_buf_poll_arm_batch() the entries
 *	that are not in use (any more)
 * @armed: result: a wake-up will follow
 * @replaced: result: pollers may rely on a wake-up that will not happen
 */
struct dma_buf_poll_batch {
	unsigned int count;
	struct dma_fence *fences[DMA_BUF_POLL_BATCH];
	struct dma_fence *dropped[DMA_BUF_POLL_BATCH];
	struct dma_buf_poll_entry *entries;
	bool armed;
	bool replaced;
};

static enum dma_resv_usage dma_buf_poll_usage(enum dma_buf_poll_dir dir)
{
	return dma_resv_usage_rw(dir == DMA_BUF_POLL_OUT);
}

/**
 * dma_buf_poll_init - initialise the part of an object that poll() uses
 * @obj: new memory of an object; dma_buf_poll_shutdown() restores this state
 */
void dma_buf_poll_init(struct dma_buf_object *obj)
{
	spin_lock_init(&obj->detach_lock);
	init_waitqueue_head(&obj->poll_wait);
	obj->watches = NULL;
}

/*
 * Gather pending fences
 */

/* Drop references that were taken for callbacks, or that callbacks held. */
static void dma_buf_poll_put_fences(struct dma_fence **fences, unsigned int count)
{
	while (count--) {
		dma_fence_put(fences[count]);
		fences[count] = NULL;
	}
}

/*
 * Gather the first pending fences in @batch, with references. Walks the
 * reservation without holding it, so the walk restarts if the list of fences
 * changes.
 */
static void dma_buf_poll_gather(struct dma_buf_object *obj,
				enum dma_buf_poll_dir dir,
				struct dma_buf_poll_batch *batch)
{
	struct dma_resv_iter cursor;
	struct dma_fence *fence;

	batch->count = 0;
	dma_resv_iter_begin(&cursor, obj->dmabuf.resv, dma_buf_poll_usage(dir));
	dma_resv_for_each_fence_unlocked(&cursor, fence) {
		if (dma_resv_iter_is_restarted(&cursor)) {
			dma_buf_poll_put_fences(batch->fences, batch->count);
			batch->count = 0;
		}
		batch->fences[batch->count++] = dma_fence_get(fence);
		if (batch->count == DMA_BUF_POLL_BATCH)
			break;
	}
	/* The walk may have restarted and found no pending fence any more. */
	if (!fence && dma_resv_iter_is_restarted(&cursor)) {
		dma_buf_poll_put_fences(batch->fences, batch->count);
		batch->count = 0;
	}
	dma_resv_iter_end(&cursor);
}

/*
 * Arm and disarm callbacks
 */

/* The fence callback. Runs under fence->lock, see the top of the file. */
static void dma_buf_poll_fence_signalled(struct dma_fence *fence,
					 struct dma_fence_cb *cb)
{
	struct dma_buf_poll_entry *entry = container_of(cb, typeof(*entry), cb);
	struct dma_buf_poll_watch *watch = entry->watch;
	struct dma_buf_object *obj = watch->obj;
	unsigned long flags;

	spin_lock_irqsave(&obj->poll_wait.lock, flags);
	if (atomic_dec_and_test(&watch->pending)) {
		trace_dma_buf_poll_wake(&obj->dmabuf,
					watch == &obj->watches[DMA_BUF_POLL_OUT]);
		wake_up_all_locked(&obj->poll_wait);
	}
	/*
	 * Drop the reference unless it is the last: a fence's release hook may
	 * take fence->lock, which is held here.
	 */
	if (refcount_dec_not_one(&entry->fence->refcount.refcount))
		WRITE_ONCE(entry->fence, NULL);
	else
		entry->fired = true;
	/*
	 * Pairs with spin_lock() in dma_buf_poll_get_armed_fence(): a release
	 * that finds this callback done may free the object right after this.
	 */
	spin_unlock_irqrestore(&obj->poll_wait.lock, flags);
}

/*
 * Return the fence of a callback that has not run, with a reference, or NULL if
 * the callback has run.
 */
static struct dma_fence *
dma_buf_poll_get_armed_fence(struct dma_buf_object *obj,
			     struct dma_buf_poll_entry *entry)
{
	unsigned long flags;
	struct dma_fence *fence;

	/*
	 * Pairs with spin_unlock() in dma_buf_poll_fence_signalled(): the
	 * callback either has yet to take this lock, or has released it and no
	 * longer touches the object.
	 */
	spin_lock_irqsave(&obj->poll_wait.lock, flags);
	fence = entry->fired ? NULL : entry->fence;
	if (fence)
		dma_fence_get(fence);
	spin_unlock_irqrestore(&obj->poll_wait.lock, flags);
	return fence;
}

/*
 * Remove the callbacks of a direction. Moves the references that they held to
 * @dropped; the caller drops these after it has released the lock. Returns true
 * if a callback was removed before it ran: pollers that rely on that callback
 * are then not woken, unless the caller wakes them. In any case no callback
 * touches the entries afterwards.
 */
static bool dma_buf_poll_disarm(struct dma_buf_object *obj,
				enum dma_buf_poll_dir dir,
				struct dma_fence *dropped[DMA_BUF_POLL_BATCH])
{
	struct dma_buf_poll_watch *watch = &obj->watches[dir];
	bool removed = false;
	unsigned int i;

	lockdep_assert_held(&obj->detach_lock);

	for (i = 0; i < watch->count; i++) {
		struct dma_buf_poll_entry *entry = &watch->entries[i];
		struct dma_fence *fence, *held;

		fence = dma_buf_poll_get_armed_fence(obj, entry);
		if (fence && dma_fence_remove_callback(fence, &entry->cb))
			removed = true;

		/*
		 * entry->fence still has the callback's reference if the callback
		 * did not run, or if it ran and that reference was the last one
		 * to the fence, which a callback must not drop. Clear the pointer
		 * before the reference is dropped: otherwise
		 * dma_buf_poll_will_wake() could match a new fence at the same
		 * address.
		 */
		held = entry->fence;
		WRITE_ONCE(entry->fence, NULL);
		/*
		 * @fence and @held are two references to one fence. Drop the
		 * former here: it is not the last, so no release hook runs under
		 * the lock.
		 */
		if (held && fence)
			dma_fence_put(fence);
		dropped[i] = held ?: fence;
	}
	watch->count = 0;
	return removed;
}

/*
 * True if the armed callbacks are sure to wake the caller, which is queued on
 * poll_wait, before or when the direction becomes ready. That is so if at least
 * one callback has not run, and if the fences of all callbacks that have not
 * run are in @batch, so the caller has just found them pending.
 */
static bool dma_buf_poll_armed_suffices(struct dma_buf_object *obj,
					enum dma_buf_poll_dir dir,
					const struct dma_buf_poll_batch *batch)
{
	struct dma_buf_poll_watch *watch = &obj->watches[dir];
	unsigned int i, at = 0;
	unsigned long flags;
	bool suffices;

	lockdep_assert_held(&obj->detach_lock);

	/*
	 * Pairs with spin_unlock() in dma_buf_poll_fence_signalled(): no
	 * callback changes watch->pending or entry->fence while both are
	 * compared.
	 */
	spin_lock_irqsave(&obj->poll_wait.lock, flags);
	suffices = atomic_read(&watch->pending);
	/*
	 * Entries and batch are both in the order of the reservation, and the
	 * batch may have newer fences in between. If the order has changed, a
	 * fence may look missing; re-arming is correct then too.
	 */
	for (i = 0; suffices && i < watch->count; i++) {
		struct dma_buf_poll_entry *entry = &watch->entries[i];

		if (entry->fired || !entry->fence)
			continue;
		while (at < batch->count && batch->fences[at] != entry->fence)
			at++;
		suffices = at < batch->count;
	}
	spin_unlock_irqrestore(&obj->poll_wait.lock, flags);
	return suffices;
}

/*
 * Add a callback to a fence. On success the callback takes over the caller's
 * reference. Returns false if the fence has signalled.
 */
static bool dma_buf_poll_arm_fence(struct dma_buf_poll_watch *watch,
				   struct dma_buf_poll_entry *entry,
				   struct dma_fence *fence)
{
	/*
	 * Set up before adding: the callback may run before
	 * dma_fence_add_callback() returns.
	 */
	entry->watch = watch;
	WRITE_ONCE(entry->fence, fence);
	entry->fired = false;
	if (!dma_fence_add_callback(fence, &entry->cb, dma_buf_poll_fence_signalled))
		return true;

	/* The fence has signalled. */
	WRITE_ONCE(entry->fence, NULL);
	atomic_dec(&watch->pending);
	return false;
}

/*
 * Replace the armed callbacks by new ones on the fences of @batch, unless the
 * armed ones suffice. Leaves in @batch the results, and the entries and
 * references that are not in use (any more).
 */
static void dma_buf_poll_arm_batch(struct dma_buf_object *obj,
				   enum dma_buf_poll_dir dir,
				   struct dma_buf_poll_batch *batch)
{
	struct dma_buf_poll_watch *watch = &obj->watches[dir];
	unsigned int i;

	lockdep_assert_held(&obj->detach_lock);

	/*
	 * Another poller may have armed while this one allocated entries
	 * without the lock.
	 */
	if (dma_buf_poll_armed_suffices(obj, dir, batch)) {
		batch->armed = true;
		return;
	}

	batch->replaced = dma_buf_poll_disarm(obj, dir, batch->dropped);
	swap(watch->entries, batch->entries);
	watch->count = batch->count;
	atomic_set(&watch->pending, batch->count);
	/* Trace before arming, so that the event precedes its wake-up. */
	trace_dma_buf_poll_arm(&obj->dmabuf, dir == DMA_BUF_POLL_OUT,
			       batch->count);
	for (i = 0; i < batch->count; i++)
		if (dma_buf_poll_arm_fence(watch, &watch->entries[i], batch->fences[i]))
			batch->fences[i] = NULL;

	batch->armed = atomic_read(&watch->pending);
	/*
	 * If the last one to count down was dma_buf_poll_arm_fence(), because a
	 * fence had signalled already, no callback has woken the pollers. But
	 * entry->fence and watch->pending were set in between, so that another
	 * poller may have relied on a callback (dma_buf_poll_will_wake()) and
	 * sleep: the caller must wake it.
	 */
	if (!batch->armed)
		batch->replaced = true;
}

/*
 * Allocate the entries for a batch. If there is no memory, the batch shrinks to
 * its first fence: the pollers that this fence wakes will look again and arm
 * the next.
 */
static void dma_buf_poll_alloc_entries(struct dma_buf_poll_watch *watch,
				       struct dma_buf_poll_batch *batch)
{
	batch->entries = NULL;
	if (batch->count > 1)
		batch->entries = kmalloc_array(batch->count,
					       sizeof(*batch->entries),
					       GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
	if (batch->entries)
		return;

	batch->entries = &watch->single;
	dma_buf_poll_put_fences(&batch->fences[1], batch->count - 1);
	batch->count = 1;
}

/*
 * Allocate the watches when the first poller has to wait: most buffers never
 * need them. The allocation must not fail, because poll() cannot report an
 * error.
 */
static void dma_buf_poll_alloc_watches(struct dma_buf_object *obj)
{
	struct dma_buf_poll_watch *watches;
	int dir;

	/*
	 * Pairs with smp_store_release() below: the array of a visible pointer
	 * is fully initialised.
	 */
	if (smp_load_acquire(&obj->watches))
		return;

	watches = kcalloc(DMA_BUF_POLL_DIRS, sizeof(*watches),
			  GFP_KERNEL_ACCOUNT | __GFP_NOFAIL);
	for (dir = 0; dir < DMA_BUF_POLL_DIRS; dir++) {
		watches[dir].obj = obj;
		watches[dir].entries = &watches[dir].single;
	}

	/* Another poller may have installed its array first. */
	scoped_guard(spinlock, &obj->detach_lock) {
		if (!obj->watches) {
			/*
			 * Pairs with smp_load_acquire() above and in
			 * dma_buf_poll_will_wake().
			 */
			smp_store_release(&obj->watches, watches);
			watches = NULL;
		}
	}
	kfree(watches);
}

/*
 * Make sure that pollers are woken when all pending fences, or the first batch
 * of them, have signalled. Returns false if no fence is pending any more.
 */
static noinline bool dma_buf_poll_arm(struct dma_buf_object *obj,
				      enum dma_buf_poll_dir dir)
{
	struct dma_buf_poll_batch batch = { };
	struct dma_buf_poll_watch *watch;

	dma_buf_poll_alloc_watches(obj);
	watch = &obj->watches[dir];
	do {
		batch.replaced = false;
		dma_buf_poll_gather(obj, dir, &batch);
		if (!batch.count)
			return false;

		scoped_guard(spinlock, &obj->detach_lock)
			batch.armed = dma_buf_poll_armed_suffices(obj, dir, &batch);

		if (!batch.armed) {
			dma_buf_poll_alloc_entries(watch, &batch);
			scoped_guard(spinlock, &obj->detach_lock)
				dma_buf_poll_arm_batch(obj, dir, &batch);
			if (batch.entries != &watch->single)
				kfree(batch.entries);
		}

		dma_buf_poll_put_fences(batch.fences, batch.count);
		dma_buf_poll_put_fences(batch.dropped, DMA_BUF_POLL_BATCH);
		if (batch.replaced)
			wake_up_all(&obj->poll_wait);
	} while (!batch.armed);

	return true;
}

/*
 * poll()
 */

/*
 * True if completion of @fence alone is guaranteed to wake the caller. Lockless
 * fast path for repeated polls: @fence, just seen pending in the reservation,
 * is the only fence armed or about to be armed. A caller that will sleep is
 * queued already and is woken whatever happens next: the callback runs, or
 * dma_buf_poll_arm_batch() removes it or finds that it was added too late.
 */
static bool dma_buf_poll_will_wake(struct dma_buf_object *obj,
				   enum dma_buf_poll_dir dir,
				   struct dma_fence *fence)
{
	/* Pairs with smp_store_release() in dma_buf_poll_alloc_watches(). */
	struct dma_buf_poll_watch *watches = smp_load_acquire(&obj->watches);

	return watches && READ_ONCE(watches[dir].single.fence) == fence &&
	       atomic_read(&watches[dir].pending);
}

#if IS_ENABLED(CONFIG_DMABUF_CORE_KUNIT_TEST)
/**
 * dma_buf_poll_will_wake_reader - dma_buf_poll_will_wake() for KUnit tests
 * @dmabuf: buffer
 * @fence: fence
 *
 * Context: any.
 * Return: true if a poller that asks for POLLIN would rely on @fence.
 */
bool dma_buf_poll_will_wake_reader(struct dma_buf *dmabuf,
				   struct dma_fence *fence)
{
	return dma_buf_poll_will_wake(dma_buf_to_object(dmabuf),
				      DMA_BUF_POLL_IN, fence);
}
EXPORT_SYMBOL_IF_KUNIT(dma_buf_poll_will_wake_reader);
#endif

/*
 * Ask the driver of a fence, once, to signal that fence. Returns false if the
 * fence has signalled, before the request or because of it. obj->detach_lock
 * keeps the driver from freeing fence->lock between the test and its use, see
 * the top of the file.
 */
static bool dma_buf_poll_enable_signaling(struct dma_buf_object *obj,
					  struct dma_fence *fence)
{
	if (!test_bit(DMA_FENCE_FLAG_ENABLE_SIGNAL_BIT, &fence->flags)) {
		scoped_guard(spinlock, &obj->detach_lock) {
			if (!test_bit(DMA_FENCE_FLAG_SIGNALED_BIT, &fence->flags))
				dma_fence_enable_sw_signaling(fence);
		}
	}
	return !test_bit(DMA_FENCE_FLAG_SIGNALED_BIT, &fence->flags);
}

/*
 * Slow path of dma_buf_poll_look(), which has found @fence pending and no
 * callback to rely on. Returns true if no fence turns out to be pending after
 * all. Otherwise the queued pollers, if there are any, will be woken when that
 * becomes true.
 *
 * A driver may not notice that its work is done until it is asked to signal the
 * fence, and a program that polls repeatedly without waiting asks in no other
 * way. To ask for the first pending fence is sufficient: once that fence has
 * signalled, a later poll() asks for the next one.
 */
static noinline bool dma_buf_poll_look_slow(struct dma_buf_object *obj,
					    enum dma_buf_poll_dir dir,
					    struct dma_resv_iter *cursor,
					    struct dma_fence *fence)
{
	while (fence && !dma_buf_poll_enable_signaling(obj, fence))
		fence = dma_resv_iter_next_unlocked(cursor);
	dma_resv_iter_end(cursor);

	if (!fence)
		return true;

	/*
	 * If no poller is queued, there is nobody to arm a callback for: a
	 * caller that will sleep has queued itself before this test, and later
	 * pollers look for themselves.
	 */
	if (!waitqueue_active(&obj->poll_wait))
		return false;

	return !dma_buf_poll_arm(obj, dir);
}

/*
 * Look at the fences of a reservation that has a fence list. Returns true if no
 * fence is pending.
 */
static noinline bool dma_buf_poll_look(struct dma_buf *dmabuf,
				       enum dma_buf_poll_dir dir)
{
	struct dma_buf_object *obj = dma_buf_to_object(dmabuf);
	struct dma_resv_iter cursor;
	struct dma_fence *fence;

	dma_resv_iter_begin(&cursor, dmabuf->resv, dma_buf_poll_usage(dir));
	fence = dma_resv_iter_first_unlocked(&cursor);
	if (fence && !dma_buf_poll_will_wake(obj, dir, fence))
		return dma_buf_poll_look_slow(obj, dir, &cursor, fence);

	dma_resv_iter_end(&cursor);
	return !fence;
}

static bool dma_buf_poll_ready(struct dma_buf *dmabuf, enum dma_buf_poll_dir dir)
{
	return dma_buf_never_fenced(dmabuf->resv) || dma_buf_poll_look(dmabuf, dir);
}

/**
 * dma_buf_poll - poll() of a buffer's file
 * @file: file
 * @table: where the poller queues itself, and the events that it asks for
 *
 * Context: Process context, may sleep to allocate memory, but never waits for
 * the reservation.
 * Return: the events asked for that are ready.
 */
__poll_t dma_buf_poll(struct file *file, poll_table *table)
{
	struct dma_buf *dmabuf = file->private_data;
	__poll_t asked = poll_requested_events(table);

	/*
	 * Queue before looking at the fences, even if the answer is ready:
	 * epoll queues a poller only at its first call.
	 */
	poll_wait(file, &dma_buf_to_object(dmabuf)->poll_wait, table);

	/*
	 * Writes wait for a superset of what reads wait for: if OUT is ready,
	 * so is IN.
	 */
	if ((asked & DMA_BUF_POLL_OUT_EVENTS) &&
	    dma_buf_poll_ready(dmabuf, DMA_BUF_POLL_OUT))
		return asked & (DMA_BUF_POLL_OUT_EVENTS | DMA_BUF_POLL_IN_EVENTS);

	if ((asked & DMA_BUF_POLL_IN_EVENTS) &&
	    dma_buf_poll_ready(dmabuf, DMA_BUF_POLL_IN))
		return asked & DMA_BUF_POLL_IN_EVENTS;

	return 0;
}

/*
 * Release
 */

static noinline void dma_buf_poll_free_watches(struct dma_buf_object *obj)
{
	struct dma_fence *dropped[DMA_BUF_POLL_BATCH] = { };
	int dir;

	for (dir = 0; dir < DMA_BUF_POLL_DIRS; dir++) {
		scoped_guard(spinlock, &obj->detach_lock)
			dma_buf_poll_disarm(obj, dir, dropped);
		dma_buf_poll_put_fences(dropped, DMA_BUF_POLL_BATCH);
		if (obj->watches[dir].entries != &obj->watches[dir].single)
			kfree(obj->watches[dir].entries);
	}
	kfree(obj->watches);
	obj->watches = NULL;
}

/**
 * dma_buf_poll_shutdown - remove the callbacks of a buffer
 * @obj: object that has no poller left
 *
 * Afterwards no callback touches the object any more.
 *
 * Context: Process context.
 */
void dma_buf_poll_shutdown(struct dma_buf_object *obj)
{
	if (unlikely(obj->watches))
		dma_buf_poll_free_watches(obj);
}
