// SPDX-License-Identifier: GPL-2.0-only
/*
 * dma-buf: fences of the test device, and reservations that it holds.
 */
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "testdev-internal.h"

/**
 * struct testdev_fence - a fence on a timeline of its own
 * @base: the fence
 * @lock: its lock
 */
struct testdev_fence {
	struct dma_fence base;
	spinlock_t lock; /* of base */
};

static const char *testdev_fence_driver(struct dma_fence *fence)
{
	return "dma_buf_test";
}

static const char *testdev_fence_timeline(struct dma_fence *fence)
{
	return "test";
}

static const struct dma_fence_ops testdev_fence_ops = {
	.get_driver_name = testdev_fence_driver,
	.get_timeline_name = testdev_fence_timeline,
};

/**
 * testdev_fence_alloc - create a fence
 *
 * The caller must make sure that the fence signals.
 *
 * Return: a fence with a reference for the caller, or NULL without memory.
 */
struct dma_fence *testdev_fence_alloc(void)
{
	struct testdev_fence *fence;

	fence = kzalloc(sizeof(*fence), GFP_KERNEL);
	if (!fence)
		return NULL;
	spin_lock_init(&fence->lock);
	dma_fence_init(&fence->base, &testdev_fence_ops, &fence->lock,
		       dma_fence_context_alloc(1), 1);
	return &fence->base;
}

/**
 * testdev_fence_end - signal a fence once
 * @fence: fence from testdev_fence_alloc()
 * @error: negative errno, or 0
 *
 * Return: false if the fence had signalled before, which is then left as it
 * was.
 */
bool testdev_fence_end(struct dma_fence *fence, int error)
{
	unsigned long flags;
	bool pending;

	/*
	 * The error must be set before the fence signals, under one hold of the
	 * lock.
	 */
	spin_lock_irqsave(fence->lock, flags);
	pending = !dma_fence_is_signaled_locked(fence);
	if (pending) {
		if (error)
			dma_fence_set_error(fence, error);
		dma_fence_signal_locked(fence);
	}
	spin_unlock_irqrestore(fence->lock, flags);
	return pending;
}

/* A fence with a number */

/**
 * struct testdev_fence_object - a fence that a test has added
 * @object: base
 * @fence: the fence
 * @work: signals the fence after a delay, if one was given
 */
struct testdev_fence_object {
	struct testdev_object object;
	struct dma_fence *fence;
	struct delayed_work work;
};

static struct testdev_fence_object *to_fence(struct testdev_object *object)
{
	return container_of(object, struct testdev_fence_object, object);
}

static void testdev_fence_work(struct work_struct *work)
{
	struct testdev_fence_object *obj =
		container_of(work, struct testdev_fence_object, work.work);

	testdev_fence_end(obj->fence, 0);
}

static void testdev_fence_free(struct testdev_object *object)
{
	struct testdev_fence_object *obj = to_fence(object);

	cancel_delayed_work_sync(&obj->work);
	testdev_fence_end(obj->fence, 0);
	dma_fence_put(obj->fence);
	kfree(obj);
}

const struct testdev_type testdev_fence_type = { .free = testdev_fence_free };

static int testdev_fence_add(struct dma_buf *dmabuf, struct dma_fence *fence,
			     enum dma_resv_usage usage)
{
	int ret;

	ret = dma_resv_lock_interruptible(dmabuf->resv, NULL);
	if (ret)
		return ret;

	ret = dma_resv_reserve_fences(dmabuf->resv, 1);
	if (!ret)
		dma_resv_add_fence(dmabuf->resv, fence, usage);
	dma_resv_unlock(dmabuf->resv);
	return ret;
}

/**
 * testdev_fence - DMA_BUF_TEST_FENCE
 * @call: the ioctl
 *
 * Return: 0 or a negative errno.
 */
int testdev_fence(struct testdev_call *call)
{
	static const enum dma_resv_usage usages[] = {
		[DMA_BUF_TEST_KERNEL] = DMA_RESV_USAGE_KERNEL,
		[DMA_BUF_TEST_WRITE] = DMA_RESV_USAGE_WRITE,
		[DMA_BUF_TEST_READ] = DMA_RESV_USAGE_READ,
		[DMA_BUF_TEST_BOOKKEEP] = DMA_RESV_USAGE_BOOKKEEP,
	};
	struct dma_buf_test_fence *arg = &call->arg.fence;
	struct testdev_fence_object *obj;
	struct dma_buf *dmabuf;
	int ret;

	if (arg->usage >= ARRAY_SIZE(usages) || arg->delay_ms > TESTDEV_DELAY_MAX_MS)
		return -EINVAL;

	dmabuf = dma_buf_get(arg->fd);
	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);

	ret = -ENOMEM;
	obj = kzalloc(sizeof(*obj), GFP_KERNEL);
	if (!obj)
		goto out;
	INIT_DELAYED_WORK(&obj->work, testdev_fence_work);

	obj->fence = testdev_fence_alloc();
	if (!obj->fence) {
		kfree(obj);
		goto out;
	}

	ret = testdev_object_make(call, &obj->object, &testdev_fence_type);
	if (ret) {
		testdev_fence_free(&obj->object);
		goto out;
	}

	/* From here on dispatch frees the object if the ioctl fails. */
	ret = testdev_fence_add(dmabuf, obj->fence, usages[arg->usage]);
	if (!ret && arg->delay_ms)
		schedule_delayed_work(&obj->work, msecs_to_jiffies(arg->delay_ms));
	arg->id = call->id;
out:
	dma_buf_put(dmabuf);
	return ret;
}

/**
 * testdev_signal - DMA_BUF_TEST_SIGNAL
 * @call: the ioctl
 *
 * Return: 0 or a negative errno.
 */
int testdev_signal(struct testdev_call *call)
{
	struct dma_buf_test_signal *arg = &call->arg.signal;
	struct testdev_object *object;
	bool pending;

	if (arg->error > 0 || arg->error < -MAX_ERRNO)
		return -EINVAL;

	object = testdev_object_get(call->session, arg->id, &testdev_fence_type);
	if (!object)
		return -ENOENT;

	pending = testdev_fence_end(to_fence(object)->fence, arg->error);
	testdev_object_put(object);
	return pending ? 0 : -EALREADY;
}

/* Held reservations */

/**
 * struct testdev_hold - a reservation held by a thread
 * @object: base
 * @dmabuf: the buffer, with a reference
 * @thread: kernel thread that holds the reservation. The caller's thread
 *	cannot, as it returns to user space, where no lock may be held
 * @held: completed when @thread holds the reservation
 */
struct testdev_hold {
	struct testdev_object object;
	struct dma_buf *dmabuf;
	struct task_struct *thread;
	struct completion held;
};

static int testdev_hold_thread(void *data)
{
	struct testdev_hold *hold = data;
	struct dma_resv *resv = hold->dmabuf->resv;
	unsigned long end;

	/*
	 * Try in a loop instead of waiting for the lock, so that the thread can
	 * be stopped while another task holds the reservation.
	 */
	while (!dma_resv_trylock(resv)) {
		if (kthread_should_stop())
			return 0;
		usleep_range(500, 1000);
	}
	end = jiffies + msecs_to_jiffies(DMA_BUF_TEST_HOLD_MAX_MS);
	complete(&hold->held);

	/*
	 * The time limit: a forgotten hold breaks a test, but does not hang the
	 * machine.
	 */
	while (!kthread_should_stop() && time_before(jiffies, end)) {
		set_current_state(TASK_IDLE);
		if (!kthread_should_stop())
			schedule_timeout(HZ / 10);
		__set_current_state(TASK_RUNNING);
	}
	dma_resv_unlock(resv);

	/* Stay until kthread_stop() is called, which needs the thread to exist. */
	while (!kthread_should_stop()) {
		set_current_state(TASK_IDLE);
		if (!kthread_should_stop())
			schedule();
		__set_current_state(TASK_RUNNING);
	}
	return 0;
}

static void testdev_hold_free(struct testdev_object *object)
{
	struct testdev_hold *hold = container_of(object, struct testdev_hold, object);

	kthread_stop(hold->thread);
	dma_buf_put(hold->dmabuf);
	kfree(hold);
}

const struct testdev_type testdev_hold_type = { .free = testdev_hold_free };

/**
 * testdev_hold - DMA_BUF_TEST_HOLD
 * @call: the ioctl
 *
 * Return: 0 or a negative errno.
 */
int testdev_hold(struct testdev_call *call)
{
	struct dma_buf_test_hold *arg = &call->arg.hold;
	struct testdev_hold *hold;
	int ret;

	hold = kzalloc(sizeof(*hold), GFP_KERNEL);
	if (!hold)
		return -ENOMEM;
	init_completion(&hold->held);

	hold->dmabuf = dma_buf_get(arg->fd);
	if (IS_ERR(hold->dmabuf)) {
		ret = PTR_ERR(hold->dmabuf);
		goto free;
	}

	hold->thread = kthread_run(testdev_hold_thread, hold, "dma_buf_test_hold");
	if (IS_ERR(hold->thread)) {
		ret = PTR_ERR(hold->thread);
		goto put;
	}

	ret = testdev_object_make(call, &hold->object, &testdev_hold_type);
	if (ret) {
		testdev_hold_free(&hold->object);
		return ret;
	}

	arg->id = call->id;
	return wait_for_completion_interruptible(&hold->held);

put:
	dma_buf_put(hold->dmabuf);
free:
	kfree(hold);
	return ret;
}
