// SPDX-License-Identifier: GPL-2.0-only
/*
 * dma-buf: poll() on the implicit fences.
 *
 * POLLIN asks whether the CPU may read, that is whether every fence of usage
 * WRITE and stronger is done; POLLOUT whether it may write: READ and stronger.
 * BOOKKEEP fences count for neither.
 *
 * An idle buffer is answered by a look at its fences, without their reservation
 * or any lock of ours (but to queue a poller, once). Only if some are pending, and
 * somebody waits, are callbacks armed, one on each, and the last of them to run
 * wakes the pollers: when the direction is ready, not for each fence on the way.
 * Then each poller looks again, and arms again if work was added meanwhile. Nothing
 * here holds a reference to the buffer: a fence that never signals does not keep it
 * alive.
 *
 * Ready means: whatever was pending when the look began is done. A fence that comes
 * during the look may be missed, as dma_resv_add_fence() puts it where one that had
 * signaled was, and the look may have passed that place. So a reservation in which
 * each fence comes before the last one signals can be called ready, though it was
 * idle at no instant. dma_resv_wait_timeout(), by which all others wait, promises no
 * more, and who needs to know of work that is queued meanwhile has to be told so by
 * whoever queues it: it could just as well come right after the answer.
 *
 * Wake-ups carry no key. A key says which events are ready, and io_uring and aio
 * take its word for it without another look. Here it would only be a hint: there
 * may be newer fences, or the poller may wait for the other direction. All
 * pollers are woken, as one that asked to be woken exclusively may be such.
 *
 * Who runs concurrently
 * ---------------------
 * Pollers of the same buffer, on any CPU: obj->lock serialises what they do to a
 * struct dma_buf_poll. It is held while callbacks are added and removed, so the
 * order is obj->lock, fence->lock, poll_wait.lock.
 *
 * The callbacks, dma_buf_poll_fire(), in any context, under fence->lock: they
 * must not take obj->lock, nor touch other fences, which may share the lock that
 * is held. Each takes poll_wait.lock, counts down, wakes if it was the last, drops
 * its reference to the fence, clears entry->fence, and does not touch the object
 * after it let poll_wait.lock go. Not every driver holds a reference to the fence
 * that it signals (sw_sync does not), and release hooks take the lock that is
 * held: the last reference is left to be dropped by whoever disarms.
 *
 * The release, dma_buf_poll_shutdown(): no poller is left then. Most hold the
 * file, and epoll has been told that it goes. Callbacks may be running.
 *
 * A callback is removed only where poll_wait.lock showed that it was still to
 * run, and with a reference to the fence that was taken there: before that it
 * has not dropped its own. dma_fence_remove_callback() then either prevents the
 * callback, or waits for fence->lock, that is until it is through with the
 * object. The lock of a fence that has signaled may be gone together with the
 * driver that owned it. A fence that signals right between the two looks is
 * covered by RCU as far as its driver honours that: locks inside the fence, or
 * in a module, are; one that the driver frees at once while references to the
 * fence remain is not, nor is it for anybody else who waits on that fence.
 *
 * No wake-up is lost
 * ------------------
 * A poller queues itself on poll_wait, then looks. Let it go to sleep because it
 * relies on what is armed, by itself or by another. After it had queued itself,
 * it saw poll->pending above 0; see dma_buf_poll_awaited(), dma_buf_poll_set() and
 * dma_buf_poll_relies(). The last callback takes poll->pending to 0 and wakes in
 * one go under poll_wait.lock. If the poller's turn at that lock came first, it is
 * found queued. If the callback's did, the poller sees 0, does not rely on it and
 * arms anew. A poller that is queued from an earlier look already is woken in any
 * case. So it is where poll->pending goes back to 0 because no callback could be
 * added any more, which dma_buf_poll_relies() may have seen above 0.
 *
 * No poller starves another
 * -------------------------
 * What is armed suits a poller if every fence in it is still pending in the
 * reservation: the direction cannot become ready before those are done, and
 * after that all pollers look again. If a fence was taken out of the reservation
 * before it signaled (replaced, superseded) it may never do so. Then the poller
 * that notices arms what is pending now instead. That may hold fences which are
 * newer than what the other pollers wait for, so they are woken to look again.
 *
 * The poller that did this is woken itself. It then finds what it armed, and
 * goes quiet: it takes a change of the reservation to have another round.
 */
#include <linux/cleanup.h>
#include <linux/dma-buf.h>
#include <linux/dma-fence.h>
#include <linux/dma-resv.h>
#include <linux/poll.h>
#include <linux/slab.h>

#include <trace/events/dma_buf.h>

#include "dma-buf-internal.h"

#define DMA_BUF_POLL_IN_EVENTS	(EPOLLIN | EPOLLRDNORM)
#define DMA_BUF_POLL_OUT_EVENTS	(EPOLLOUT | EPOLLWRNORM)

static enum dma_resv_usage dma_buf_poll_usage(enum dma_buf_poll_dir dir)
{
	return dma_resv_usage_rw(dir == DMA_BUF_POLL_OUT);
}

/* Runs under the fence's lock, see the top of the file. */
static void dma_buf_poll_fire(struct dma_fence *fence, struct dma_fence_cb *cb)
{
	struct dma_buf_poll_entry *entry = container_of(cb, typeof(*entry), cb);
	struct dma_buf_poll *poll = entry->poll;
	struct dma_buf_object *obj = poll->obj;
	unsigned long flags;

	spin_lock_irqsave(&obj->poll_wait.lock, flags);
	if (atomic_dec_and_test(&poll->pending)) {
		trace_dma_buf_poll_wake(&obj->dmabuf,
					poll == &obj->poll[DMA_BUF_POLL_OUT]);
		wake_up_all_locked(&obj->poll_wait);
	}
	/* A dma_fence_put() that never releases. */
	if (refcount_dec_not_one(&entry->fence->refcount.refcount))
		WRITE_ONCE(entry->fence, NULL);
	else
		entry->fired = true;
	/* Pairs with dma_buf_poll_disarm(). The object may be gone after this. */
	spin_unlock_irqrestore(&obj->poll_wait.lock, flags);
}

/* The fence that a callback is still to run on, with a reference, or NULL. */
static struct dma_fence *dma_buf_poll_armed(struct dma_buf_object *obj,
					    struct dma_buf_poll_entry *entry)
{
	unsigned long flags;
	struct dma_fence *fence;

	/* Pairs with dma_buf_poll_fire(): either it has not begun or is through. */
	spin_lock_irqsave(&obj->poll_wait.lock, flags);
	fence = entry->fired ? NULL : entry->fence;
	if (fence)
		dma_fence_get(fence);
	spin_unlock_irqrestore(&obj->poll_wait.lock, flags);
	return fence;
}

/*
 * Take the callbacks off. Returns true if that prevented one from running, in
 * which case nobody wakes those who rely on it. Whatever is returned, none
 * touches the entries any more.
 */
static bool dma_buf_poll_disarm(struct dma_buf_object *obj,
				enum dma_buf_poll_dir dir)
{
	struct dma_buf_poll *poll = &obj->poll[dir];
	bool removed = false;
	unsigned int i;

	for (i = 0; i < poll->count; i++) {
		struct dma_buf_poll_entry *entry = &poll->entries[i];
		struct dma_fence *fence, *held;

		scoped_guard(rcu) {
			fence = dma_buf_poll_armed(obj, entry);
			if (fence && dma_fence_remove_callback(fence, &entry->cb))
				removed = true;
		}
		dma_fence_put(fence);

		/*
		 * What the callback would have dropped, or has left. Not while
		 * dma_buf_poll_relies() can still take another for it.
		 */
		held = entry->fence;
		WRITE_ONCE(entry->fence, NULL);
		dma_fence_put(held);
	}
	poll->count = 0;
	return removed;
}

/* The next entry whose fence is yet to signal. */
static unsigned int dma_buf_poll_skip_done(struct dma_buf_poll *poll,
					   unsigned int i)
	__must_hold(RCU)
{
	for (; i < poll->count; i++) {
		struct dma_fence *fence = READ_ONCE(poll->entries[i].fence);

		/* The bit alone: dma_fence_is_signaled() may run callbacks. */
		if (fence && !test_bit(DMA_FENCE_FLAG_SIGNALED_BIT,
				       &fence->flags))
			break;
	}
	return i;
}

/*
 * Is the wake-up of what is armed still to come, and must all that it waits for
 * be done before the direction can be ready? The caller is queued on poll_wait.
 */
static bool dma_buf_poll_awaited(struct dma_buf_object *obj,
				 enum dma_buf_poll_dir dir)
{
	struct dma_buf_poll *poll = &obj->poll[dir];
	struct dma_resv_iter cursor;
	struct dma_fence *fence;
	unsigned int i = 0;

	lockdep_assert_held(&obj->lock);

	/* Pairs with dma_buf_poll_fire(), by way of poll_wait.lock. */
	if (!poll->count || !atomic_read(&poll->pending))
		return false;

	/*
	 * The entries are in the order of the reservation. Newer fences between
	 * theirs do no harm. If the order has changed one may seem to be gone;
	 * to arm anew is right then as well.
	 */
	rcu_read_lock();
	dma_resv_iter_begin(&cursor, obj->dmabuf.resv, dma_buf_poll_usage(dir));
	dma_resv_for_each_fence_unlocked(&cursor, fence) {
		if (dma_resv_iter_is_restarted(&cursor))
			i = 0;
		i = dma_buf_poll_skip_done(poll, i);
		if (i == poll->count)
			break;
		if (READ_ONCE(poll->entries[i].fence) == fence)
			i++;
	}
	dma_resv_iter_end(&cursor);
	i = dma_buf_poll_skip_done(poll, i);
	rcu_read_unlock();

	return i == poll->count;
}

/* Put a callback on a fence, whose reference this consumes. */
static void dma_buf_poll_add(struct dma_buf_poll *poll,
			     struct dma_buf_poll_entry *entry,
			     struct dma_fence *fence)
{
	int ret;

	/* First, as the callback may run before its adding returns. */
	entry->poll = poll;
	WRITE_ONCE(entry->fence, fence);
	entry->fired = false;
	ret = dma_fence_add_callback(fence, &entry->cb, dma_buf_poll_fire);
	if (ret) {
		WRITE_ONCE(entry->fence, NULL);
		dma_fence_put(fence);
		atomic_dec(&poll->pending);
	}
}

/*
 * Arm entries, unless what is armed already suits. Returns the entries that are
 * not needed, or not any more. Sets @armed if a wake-up is to come, @replaced if
 * pollers relied on one that is not.
 */
static struct dma_buf_poll_entry *
dma_buf_poll_set(struct dma_buf_object *obj, enum dma_buf_poll_dir dir,
		 struct dma_buf_poll_entry *entries, struct dma_fence **fences,
		 unsigned int count, bool *armed, bool *replaced)
{
	struct dma_buf_poll *poll = &obj->poll[dir];
	struct dma_buf_poll_entry *old = poll->entries;
	unsigned int i;

	lockdep_assert_held(&obj->lock);

	/* Another poller may have been faster. */
	if (dma_buf_poll_awaited(obj, dir)) {
		for (i = 0; i < count; i++)
			dma_fence_put(fences[i]);
		*armed = true;
		*replaced = false;
		return entries;
	}

	*replaced = dma_buf_poll_disarm(obj, dir);
	poll->entries = entries;
	poll->count = count;
	atomic_set(&poll->pending, count);
	/* Before the first of them can be done. */
	trace_dma_buf_poll_arm(&obj->dmabuf, dir == DMA_BUF_POLL_OUT, count);
	for (i = 0; i < count; i++)
		dma_buf_poll_add(poll, &entries[i], fences[i]);

	*armed = atomic_read(&poll->pending);
	/*
	 * A fence that was done before its callback was on never calls it, and
	 * somebody may have relied on that: dma_buf_poll_relies().
	 */
	if (!*armed)
		*replaced = true;
	return old;
}

/*
 * The fences of @dir that are pending now, referenced. Without memory only the
 * first of them: whom its callback wakes will ask for the next.
 */
static unsigned int dma_buf_poll_gather(struct dma_buf_object *obj,
					enum dma_buf_poll_dir dir,
					struct dma_fence **first,
					struct dma_fence ***fences)
{
	enum dma_resv_usage usage = dma_buf_poll_usage(dir);
	struct dma_resv *resv = obj->dmabuf.resv;
	struct dma_resv_iter cursor;
	unsigned int count;

	if (!dma_resv_get_fences(resv, usage, &count, fences))
		return count;

	*fences = NULL;
	dma_resv_iter_begin(&cursor, resv, usage);
	*first = dma_resv_iter_first_unlocked(&cursor);
	if (*first)
		dma_fence_get(*first);
	dma_resv_iter_end(&cursor);
	return !!*first;
}

/* Arm what is pending now. Returns false if there is nothing. */
static bool dma_buf_poll_arm_pending(struct dma_buf_object *obj,
				     enum dma_buf_poll_dir dir, bool *armed)
{
	struct dma_buf_poll *poll = &obj->poll[dir];
	struct dma_buf_poll_entry *entries = &poll->single;
	struct dma_fence *first = NULL, **fences = NULL;
	unsigned int count;
	bool replaced;

	count = dma_buf_poll_gather(obj, dir, &first, &fences);
	if (!count) {
		kfree(fences);
		return false;
	}

	if (count > 1) {
		entries = kmalloc_array(count, sizeof(*entries),
					GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
		if (!entries) {
			entries = &poll->single;
			while (count > 1)
				dma_fence_put(fences[--count]);
		}
	}

	scoped_guard(spinlock, &obj->lock)
		entries = dma_buf_poll_set(obj, dir, entries, fences ?: &first,
					   count, armed, &replaced);

	if (entries != &poll->single)
		kfree(entries);
	kfree(fences);
	if (replaced)
		wake_up_all(&obj->poll_wait);
	return true;
}

/*
 * Make what pollers wait for, when the first of them has to: most buffers never
 * need it. poll() has no way to say that there is no memory for so little.
 */
static void dma_buf_poll_prepare(struct dma_buf_object *obj)
{
	struct dma_buf_poll *poll;
	int dir;

	/* Who sees it sees it filled in. */
	if (smp_load_acquire(&obj->poll))
		return;

	poll = kcalloc(DMA_BUF_POLL_DIRS, sizeof(*poll),
		       GFP_KERNEL_ACCOUNT | __GFP_NOFAIL);
	for (dir = 0; dir < DMA_BUF_POLL_DIRS; dir++) {
		poll[dir].obj = obj;
		poll[dir].entries = &poll[dir].single;
	}

	/* Another poller may have been faster. */
	scoped_guard(spinlock, &obj->lock) {
		if (!obj->poll) {
			/* Pairs with the acquire above. */
			smp_store_release(&obj->poll, poll);
			poll = NULL;
		}
	}
	kfree(poll);
}

/*
 * See to it that poll_wait is woken when what is pending is done. Returns false
 * if nothing is pending any more.
 */
static noinline bool dma_buf_poll_arm(struct dma_buf_object *obj,
				      enum dma_buf_poll_dir dir)
{
	bool armed;

	dma_buf_poll_prepare(obj);
	do {
		scoped_guard(spinlock, &obj->lock)
			armed = dma_buf_poll_awaited(obj, dir);
		if (!armed && !dma_buf_poll_arm_pending(obj, dir, &armed))
			return false;
	} while (!armed);

	return true;
}

/*
 * Is a wake-up to come when this one fence is done, and nothing else needed for it?
 * The usual case of who looks again, without the lock: @fence, which the caller has
 * just seen pending in the reservation, is the only one that is armed, or is just
 * about to be. A caller that wants to wait is queued. So he is woken by whatever
 * becomes of what is seen here: the callback runs, or dma_buf_poll_set() takes it
 * off, or finds that it came too late to put it on.
 */
static bool dma_buf_poll_relies(struct dma_buf_object *obj,
				enum dma_buf_poll_dir dir,
				struct dma_fence *fence)
{
	/* Pairs with dma_buf_poll_prepare(). */
	struct dma_buf_poll *poll = smp_load_acquire(&obj->poll);

	return poll && READ_ONCE(poll[dir].single.fence) == fence &&
	       atomic_read(&poll[dir].pending);
}

/*
 * Is nothing pending, in a reservation that has a list of fences? If something is,
 * those who wait will be told when that changes.
 *
 * A fence may be done and never say so before it is asked to signal, and who polls
 * again and again without waiting asks in no other way. To ask the first that is
 * pending will do: the next one's turn comes when it is done.
 */
static noinline bool dma_buf_poll_look(struct dma_buf_object *obj,
				       enum dma_buf_poll_dir dir)
{
	struct dma_resv_iter cursor;
	struct dma_fence *fence;
	bool armed;

	dma_resv_iter_begin(&cursor, obj->dmabuf.resv, dma_buf_poll_usage(dir));
	dma_resv_for_each_fence_unlocked(&cursor, fence) {
		if (!test_bit(DMA_FENCE_FLAG_ENABLE_SIGNAL_BIT, &fence->flags))
			dma_fence_enable_sw_signaling(fence);
		if (!test_bit(DMA_FENCE_FLAG_SIGNALED_BIT, &fence->flags))
			break;
	}
	armed = fence && dma_buf_poll_relies(obj, dir, fence);
	dma_resv_iter_end(&cursor);

	if (!fence)
		return true;

	/*
	 * A poll() that does not wait, and nobody else does. The caller sees what
	 * it has queued itself, and whoever comes now looks for himself.
	 */
	if (armed || !waitqueue_active(&obj->poll_wait))
		return false;

	return !dma_buf_poll_arm(obj, dir);
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
	struct dma_buf_object *obj = to_object(dmabuf);
	__poll_t asked = poll_requested_events(table);

	/* Before the look at the fences, whatever it shows: epoll comes just once. */
	poll_wait(file, &obj->poll_wait, table);

	/* A write waits for all that a read waits for, so OUT answers IN as well. */
	if ((asked & DMA_BUF_POLL_OUT_EVENTS) &&
	    dma_buf_poll_ready(obj, DMA_BUF_POLL_OUT))
		return asked & (DMA_BUF_POLL_OUT_EVENTS | DMA_BUF_POLL_IN_EVENTS);

	if ((asked & DMA_BUF_POLL_IN_EVENTS) &&
	    dma_buf_poll_ready(obj, DMA_BUF_POLL_IN))
		return asked & DMA_BUF_POLL_IN_EVENTS;

	return 0;
}

/**
 * dma_buf_poll_init - ready an object for pollers
 * @obj: memory of an object; dma_buf_poll_shutdown() brings it back to this
 */
void dma_buf_poll_init(struct dma_buf_object *obj)
{
	spin_lock_init(&obj->lock);
	init_waitqueue_head(&obj->poll_wait);
	obj->poll = NULL;
}

/**
 * dma_buf_poll_shutdown - take the callbacks off
 * @obj: object that has no poller left
 *
 * When it returns no callback touches the object any more.
 *
 * Context: Process context.
 */
void dma_buf_poll_shutdown(struct dma_buf_object *obj)
{
	int dir;

	if (likely(!obj->poll))
		return;

	for (dir = 0; dir < DMA_BUF_POLL_DIRS; dir++) {
		dma_buf_poll_disarm(obj, dir);
		if (obj->poll[dir].entries != &obj->poll[dir].single)
			kfree(obj->poll[dir].entries);
	}
	kfree(obj->poll);
	obj->poll = NULL;
}
