// SPDX-License-Identifier: GPL-2.0-only
/*
 * dma-buf: poll() on the implicit fences.
 *
 * POLLIN asks whether the CPU may read, that is whether every fence of usage
 * WRITE and stronger is done; POLLOUT whether it may write: READ and stronger.
 * BOOKKEEP fences count for neither.
 *
 * An idle buffer is answered by a look at its fences, without their reservation
 * and without any lock of the core (except to queue a poller, once). Callbacks
 * are armed only if fences are pending and a poller waits: one on each of the
 * first DMA_BUF_POLL_BATCH pending fences. The last callback to run wakes the
 * pollers, so they are woken when the direction is ready, and not for each fence
 * on the way. Then each poller looks again, and arms again if more is pending:
 * work that was added meanwhile, or what exceeded the batch. Nothing here holds a
 * reference to the buffer: a fence that never signals does not keep it alive.
 *
 * Ready means that everything pending when the look began is done. A fence added
 * during the look may be missed: dma_resv_add_fence() may reuse the slot of a
 * signalled fence that the walk has already passed. A reservation in which each
 * fence is added before the previous one signals can therefore be reported ready
 * although it was never idle. dma_resv_wait_timeout() promises no more. Whoever
 * must know about work queued later has to be told by whoever queues it; it could
 * equally have been queued right after the answer.
 *
 * Wake-ups carry no key. A key says which events are ready, and io_uring and aio
 * rely on it without another look. Here a key would only be a hint: there may be
 * newer fences, or the poller may wait for the other direction. All pollers are
 * woken, because a poller that asked to be woken exclusively may wait for the
 * other direction, too.
 *
 * Work under a lock has a bound
 * -----------------------------
 * User space decides how many fences a reservation has: every GEM handle, sync
 * file or timeline can bring one. The reservation is therefore walked without a
 * lock of ours, dma_buf_poll_gather(), and only what was gathered, at most
 * DMA_BUF_POLL_BATCH fences, is compared, armed and disarmed under obj->detach_lock.
 * References are dropped after the lock: the release of a container of fences
 * drops as many more as its maker put in.
 *
 * What runs concurrently
 * ----------------------
 * Pollers of the same buffer, on any CPU: obj->detach_lock serialises what they do to a
 * struct dma_buf_poll_watch. It is held while callbacks are added and removed, so the
 * order is obj->detach_lock, fence->lock, poll_wait.lock.
 *
 * The callbacks, dma_buf_poll_fence_signalled(), in any context, under fence->lock: they
 * must not take obj->detach_lock, nor touch other fences, which may share the lock that
 * is held. Each takes poll_wait.lock, counts down, wakes if it was the last, drops
 * its reference to the fence, clears entry->fence, and does not touch the object
 * after it has released poll_wait.lock. Not every driver holds a reference to the
 * fence that it signals (sw_sync does not), and release hooks take the lock that
 * is held: the last reference is left to be dropped by dma_buf_poll_disarm().
 *
 * The release, dma_buf_poll_shutdown(): no poller is left then. Most hold the
 * file, and epoll has been told that the file goes away. Callbacks may be running.
 *
 * When a fence's lock may be taken
 * --------------------------------
 * The memory and the lock of a fence must stay valid for a grace period after the
 * last reference is dropped, see struct dma_fence. A driver that keeps the lock in
 * memory which it frees as soon as the fence has signalled and its importer has
 * detached breaks that rule, for the base's own waits as well. The core does not
 * make that worse. It takes a fence's lock only inside a section of obj->detach_lock in
 * which it has seen that the fence has not signalled, and a detach must take
 * obj->detach_lock, to take its attachment off the list, before the driver can go on:
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
 *	gets it, sees SIGNALED
 *	spin_unlock(fence->lock)
 *					dma_buf_detach()
 *					  spin_lock(obj->detach_lock): spins
 *	spin_unlock(obj->detach_lock)
 *					  gets it, list_del()
 *					  spin_unlock(obj->detach_lock)
 *					kfree(memory of fence->lock)
 *
 * Without obj->detach_lock the driver could do all of that between the look and the
 * lock. For an armed callback "not signalled" is what the core itself knows:
 * under poll_wait.lock the callback has not run yet, and it runs before the
 * signalling section of fence->lock ends. A section of obj->detach_lock is a read-side
 * section of RCU as well, so it also covers a lock that is freed after a grace
 * period, in a module that is unloaded say.
 *
 * No wake-up is lost
 * ------------------
 * A poller queues itself on poll_wait before it looks. Suppose it then sleeps,
 * relying on callbacks that it or another poller has armed: after queueing it has
 * read watch->pending above 0 (dma_buf_poll_armed_suffices(), dma_buf_poll_arm_batch() and
 * dma_buf_poll_will_wake()). The last callback drops watch->pending to 0 and wakes,
 * both under one hold of poll_wait.lock.
 *
 *	poller is first			callback is first
 *
 *	add_wait_queue(poll_wait)	spin_lock(poll_wait.lock)
 *	read pending: 1			pending = 0, wake: finds nobody
 *	sleep				spin_unlock(poll_wait.lock)
 *	    spin_lock(poll_wait.lock)	    add_wait_queue(poll_wait)
 *	    pending = 0, wake: finds	    read pending: 0
 *	    the poller			    arm anew, or report ready
 *
 * The wait queue is changed under poll_wait.lock, so there is no third order. A
 * poller still queued from an earlier look is always woken, also when
 * watch->pending returns to 0 because no callback could be added, and when
 * callbacks are removed that were yet to run.
 *
 * No poller starves another
 * -------------------------
 * What is armed suits a poller if the reservation still holds each of these fences,
 * pending: the direction cannot become ready before they are done, and after that
 * all pollers look again. A fence that was taken out of the reservation before it
 * signalled (replaced, superseded) may never signal. The poller that notices arms
 * what is pending now instead. That may include fences which are newer than what
 * the other pollers wait for, so they are woken to look again.
 *
 * The poller that re-armed is woken too, finds its own callbacks in place, and
 * sleeps. Another round needs another change of the reservation, so this cannot
 * loop. The same goes for more pending fences than a batch holds: new fences in
 * front of the armed ones can push these out of the batch, once each.
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
 * How many callbacks are armed at a time, and so how long obj->detach_lock is held. More
 * contexts than this rarely work on one buffer; where they do, pollers are woken
 * once for every so many fences.
 */
#define DMA_BUF_POLL_BATCH	32

/* The two questions of poll(); an index into dma_buf_object.watches */
enum dma_buf_poll_dir {
	DMA_BUF_POLL_IN,	/* may the CPU read? */
	DMA_BUF_POLL_OUT,	/* may the CPU write? */
	DMA_BUF_POLL_DIRS
};

/**
 * struct dma_buf_poll_entry - a callback on one fence
 * @cb: the callback
 * @fence: set from before @cb is added until @cb has run or is off again, with a
 *	reference; longer if that turns out to be the last one, see @fired. Set
 *	under dma_buf_object.detach_lock; looked at and cleared by @cb under
 *	dma_buf_object.poll_wait.lock.
 * @watch: what the callback counts down
 * @fired: @cb has run, and left the last reference to @fence to whoever disarms;
 *	guarded by dma_buf_object.poll_wait.lock
 */
struct dma_buf_poll_entry {
	struct dma_fence_cb cb;
	struct dma_fence *fence;
	struct dma_buf_poll_watch *watch;
	bool fired;
};

/**
 * struct dma_buf_poll_watch - the fences that the pollers of one direction wait for
 * @obj: the buffer
 * @entries: @count of them; @single, or allocated; guarded by
 *	dma_buf_object.detach_lock
 * @single: serves the usual case, and all when there is no memory
 * @count: guarded by dma_buf_object.detach_lock
 * @pending: callbacks that have not run; the one that takes it to 0 wakes the
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
 * @count: how many fences were gathered, at most DMA_BUF_POLL_BATCH
 * @fences: these, in the order of the reservation; their references become the
 *	callbacks', those that are left are dropped after the lock
 * @dropped: references that callbacks held which were armed before
 * @entries: for the callbacks; after dma_buf_poll_arm_batch() those that are not needed
 *	(any more): an allocation, or &dma_buf_poll_watch.single
 * @armed: result, a wake-up will come
 * @replaced: result, pollers relied on a wake-up that will not come
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
 * dma_buf_poll_init - ready an object for pollers
 * @obj: memory of an object; dma_buf_poll_shutdown() brings it back to this
 */
void dma_buf_poll_init(struct dma_buf_object *obj)
{
	spin_lock_init(&obj->detach_lock);
	init_waitqueue_head(&obj->poll_wait);
	obj->watches = NULL;
}

/*
 * Look which fences are pending
 */

/* Drop references that were held for, or by, callbacks. */
static void dma_buf_poll_put_fences(struct dma_fence **fences, unsigned int count)
{
	while (count--) {
		dma_fence_put(fences[count]);
		fences[count] = NULL;
	}
}

/*
 * Collect the first pending fences, with references. Walks the reservation
 * without holding it: a list that changes meanwhile has the walk start over.
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
	/* The walk may have started over and found nothing pending any more. */
	if (!fence && dma_resv_iter_is_restarted(&cursor)) {
		dma_buf_poll_put_fences(batch->fences, batch->count);
		batch->count = 0;
	}
	dma_resv_iter_end(&cursor);
}

/*
 * Arm and disarm callbacks
 */

/* Runs under the fence's lock, see the top of the file. */
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
	/* Pairs with dma_buf_poll_disarm(). The object may be gone after this. */
	spin_unlock_irqrestore(&obj->poll_wait.lock, flags);
}

/* The fence that a callback has yet to run on, with a reference, or NULL. */
static struct dma_fence *
dma_buf_poll_get_armed_fence(struct dma_buf_object *obj,
			     struct dma_buf_poll_entry *entry)
{
	unsigned long flags;
	struct dma_fence *fence;

	/* Pairs with dma_buf_poll_fence_signalled(): either it has not begun or is through. */
	spin_lock_irqsave(&obj->poll_wait.lock, flags);
	fence = entry->fired ? NULL : entry->fence;
	if (fence)
		dma_fence_get(fence);
	spin_unlock_irqrestore(&obj->poll_wait.lock, flags);
	return fence;
}

/*
 * Remove the callbacks. The references that they held are left in @dropped, for
 * the caller to drop without the lock. Returns true if that prevented a callback
 * from running, in which case nobody wakes the pollers that rely on it. Whatever
 * is returned, no callback touches the entries any more.
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
		 * The callback's reference is still here if it did not run, or
		 * if it was the last one when it did. Clear entry->fence before
		 * that reference is dropped: otherwise dma_buf_poll_will_wake()
		 * could match a new fence at the same address.
		 */
		held = entry->fence;
		WRITE_ONCE(entry->fence, NULL);
		if (held && fence)
			dma_fence_put(fence); /* never the last: there is @held */
		dropped[i] = held ?: fence;
	}
	watch->count = 0;
	return removed;
}

/*
 * True if what is armed will wake the caller, which is queued on poll_wait, no later
 * than the direction becomes ready: some callback has yet to run, and the fences of
 * all callbacks that have yet to run are among those that the caller has just found
 * pending.
 */
static bool dma_buf_poll_armed_suffices(struct dma_buf_object *obj,
					enum dma_buf_poll_dir dir,
					const struct dma_buf_poll_batch *batch)
{
	struct dma_buf_poll_watch *watch = &obj->watches[dir];
	unsigned int i, at = 0;
	unsigned long flags;
	bool suits;

	lockdep_assert_held(&obj->detach_lock);

	/* Pairs with dma_buf_poll_fence_signalled(): the count and the fences are of one moment. */
	spin_lock_irqsave(&obj->poll_wait.lock, flags);
	suits = atomic_read(&watch->pending);
	/*
	 * Both are in the order of the reservation, and there may be newer fences
	 * in between. If the order has changed, a fence may look missing;
	 * re-arming is correct then too.
	 */
	for (i = 0; suits && i < watch->count; i++) {
		struct dma_buf_poll_entry *entry = &watch->entries[i];

		if (entry->fired || !entry->fence)
			continue;
		while (at < batch->count && batch->fences[at] != entry->fence)
			at++;
		suits = at < batch->count;
	}
	spin_unlock_irqrestore(&obj->poll_wait.lock, flags);
	return suits;
}

/* Put a callback on a fence. On success the caller's reference is the callback's. */
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
 * Arm the fences of @batch, unless what is armed already suits. Leaves in @batch
 * the entries and references that are not needed (any more).
 */
static void dma_buf_poll_arm_batch(struct dma_buf_object *obj,
				   enum dma_buf_poll_dir dir,
				   struct dma_buf_poll_batch *batch)
{
	struct dma_buf_poll_watch *watch = &obj->watches[dir];
	unsigned int i;

	lockdep_assert_held(&obj->detach_lock);

	/* Another poller may have armed meanwhile. */
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
	 * If every fence signalled before its callback was added, no callback
	 * will run. Pollers that relied on one (dma_buf_poll_will_wake()) must be
	 * woken by the caller.
	 */
	if (!batch->armed)
		batch->replaced = true;
}

/*
 * Make the entries for a batch. Without memory only its first fence is armed: the
 * pollers that its callback wakes will ask for the next.
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
 * Make what pollers wait for, when the first of them has to wait: most buffers
 * never need it. poll() has no way to say that there is no memory for so little.
 */
static void dma_buf_poll_alloc_watches(struct dma_buf_object *obj)
{
	struct dma_buf_poll_watch *watches;
	int dir;

	/* Pairs with the release below: a visible pointer is fully initialised. */
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
			/* Pairs with the acquire above. */
			smp_store_release(&obj->watches, watches);
			watches = NULL;
		}
	}
	kfree(watches);
}

/*
 * Make sure that poll_wait is woken when what is pending, or a batch of it, is
 * done. Returns false if nothing is pending any more.
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
 * fast path for repeated polls: @fence, just seen pending in the reservation, is
 * the only fence armed or about to be armed. A caller that will sleep is queued
 * already and is woken whatever happens next: the callback runs, or
 * dma_buf_poll_arm_batch() removes it or finds that it was added too late.
 */
static bool dma_buf_poll_will_wake(struct dma_buf_object *obj,
				   enum dma_buf_poll_dir dir,
				   struct dma_fence *fence)
{
	/* Pairs with dma_buf_poll_alloc_watches(). */
	struct dma_buf_poll_watch *watches = smp_load_acquire(&obj->watches);

	return watches && READ_ONCE(watches[dir].single.fence) == fence &&
	       atomic_read(&watches[dir].pending);
}

#if IS_ENABLED(CONFIG_DMABUF_CORE_KUNIT_TEST)
/**
 * dma_buf_poll_will_wake_reader - dma_buf_poll_will_wake() for a KUnit test
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
 * Ask a fence to signal, once. Returns false if it has signalled, or does so when
 * asked. The lock keeps a driver from freeing the lock of the fence between the
 * test and its use, see the top of the file.
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
 * Go on with a look that has found @fence pending, and nothing that will wake the
 * caller. Returns true if nothing turns out to be pending after all. Otherwise the
 * pollers, if there are any, will be told when that changes.
 *
 * A fence may be done and never say so before it is asked to signal, and a program
 * that polls again and again without waiting asks in no other way. To ask the first
 * that is pending will do: the next one's turn comes when the first is done.
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
	 * Nobody is queued. A caller that will sleep has queued itself before this
	 * test, and later pollers look for themselves, so there is nothing to arm.
	 */
	if (!waitqueue_active(&obj->poll_wait))
		return false;

	return !dma_buf_poll_arm(obj, dir);
}

/*
 * Look at the fences of a reservation that has a list of them. Returns true if
 * nothing is pending.
 */
static noinline bool dma_buf_poll_look(struct dma_buf_object *obj,
				       enum dma_buf_poll_dir dir)
{
	struct dma_resv_iter cursor;
	struct dma_fence *fence;

	dma_resv_iter_begin(&cursor, obj->dmabuf.resv, dma_buf_poll_usage(dir));
	fence = dma_resv_iter_first_unlocked(&cursor);
	if (fence && !dma_buf_poll_will_wake(obj, dir, fence))
		return dma_buf_poll_look_slow(obj, dir, &cursor, fence);

	dma_resv_iter_end(&cursor);
	return !fence;
}

static bool dma_buf_poll_ready(struct dma_buf_object *obj,
			       enum dma_buf_poll_dir dir)
{
	return dma_buf_never_fenced(obj->dmabuf.resv) || dma_buf_poll_look(obj, dir);
}

/**
 * dma_buf_poll - poll hook of a buffer's file
 * @file: file
 * @table: where to queue, and which events are asked for
 *
 * Context: Process context, may sleep to get memory, but not for the reservation.
 * Return: those of the events that are ready.
 */
__poll_t dma_buf_poll(struct file *file, poll_table *table)
{
	struct dma_buf *dmabuf = file->private_data;
	struct dma_buf_object *obj = dma_buf_to_object(dmabuf);
	__poll_t asked = poll_requested_events(table);

	/*
	 * Queue before looking at the fences, even if the answer is ready: epoll
	 * calls poll_wait() only the first time.
	 */
	poll_wait(file, &obj->poll_wait, table);

	/*
	 * Writes wait for a superset of what reads wait for: if OUT is ready, so is
	 * IN.
	 */
	if ((asked & DMA_BUF_POLL_OUT_EVENTS) &&
	    dma_buf_poll_ready(obj, DMA_BUF_POLL_OUT))
		return asked & (DMA_BUF_POLL_OUT_EVENTS | DMA_BUF_POLL_IN_EVENTS);

	if ((asked & DMA_BUF_POLL_IN_EVENTS) &&
	    dma_buf_poll_ready(obj, DMA_BUF_POLL_IN))
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
 * dma_buf_poll_shutdown - remove the callbacks
 * @obj: object that has no poller left
 *
 * When it returns no callback touches the object any more.
 *
 * Context: Process context.
 */
void dma_buf_poll_shutdown(struct dma_buf_object *obj)
{
	if (unlikely(obj->watches))
		dma_buf_poll_free_watches(obj);
}
