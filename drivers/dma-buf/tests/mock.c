// SPDX-License-Identifier: GPL-2.0-only
/*
 * dma-buf: mock exporter, fences and pollers for KUnit tests.
 */
#include <kunit/test-bug.h>
#include <kunit/test.h>
#include <linux/delay.h>
#include <linux/dma-resv.h>
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "mock.h"

/* Exporter */

static struct mock_exporter *mock_of(struct dma_buf_attachment *attach)
{
	return attach->dmabuf->priv;
}

static int mock_log(struct mock_exporter *mock, enum dma_buf_hook hook)
{
	if (mock->log_len < MOCK_LOG_LEN)
		mock->log[mock->log_len++] = hook;
	return mock->error[hook];
}

static bool mock_is_listed(struct dma_buf *dmabuf,
			   struct dma_buf_attachment *attach)
{
	struct dma_buf_attachment *other;
	bool listed = false;

	dma_resv_lock(dmabuf->resv, NULL);
	list_for_each_entry(other, &dmabuf->attachments, node)
		listed |= other == attach;
	dma_resv_unlock(dmabuf->resv);
	return listed;
}

static int mock_attach(struct dma_buf *dmabuf, struct dma_buf_attachment *attach)
{
	struct mock_exporter *mock = dmabuf->priv;

	mock->attach_seen = *attach;
	mock->listed = mock_is_listed(dmabuf, attach);
	if (mock->clear_peer2peer)
		attach->peer2peer = false;
	return mock_log(mock, HOOK_ATTACH);
}

static void mock_detach(struct dma_buf *dmabuf,
			struct dma_buf_attachment *attach)
{
	struct mock_exporter *mock = dmabuf->priv;

	mock->listed = mock_is_listed(dmabuf, attach);
	mock_log(mock, HOOK_DETACH);
}

static int mock_pin(struct dma_buf_attachment *attach)
{
	dma_resv_assert_held(attach->dmabuf->resv);
	return mock_log(mock_of(attach), HOOK_PIN);
}

static void mock_unpin(struct dma_buf_attachment *attach)
{
	dma_resv_assert_held(attach->dmabuf->resv);
	mock_log(mock_of(attach), HOOK_UNPIN);
}

/*
 * Leave a fence of usage KERNEL, like a hook that has started a move of the
 * memory.
 */
static void mock_leave_fence(struct mock_exporter *mock, struct dma_resv *resv)
{
	if (!mock->fence)
		return;

	if (!dma_resv_reserve_fences(resv, 1))
		dma_resv_add_fence(resv, mock->fence, DMA_RESV_USAGE_KERNEL);
	mock->fence = NULL;
}

static struct sg_table *mock_map(struct dma_buf_attachment *attach,
				 enum dma_data_direction dir)
{
	struct mock_exporter *mock = mock_of(attach);
	struct scatterlist *sg;
	struct sg_table *sgt;
	unsigned int i;
	int ret;

	dma_resv_assert_held(attach->dmabuf->resv);

	mock->dir = dir;
	mock->attachments = list_count_nodes(&attach->dmabuf->attachments);
	ret = mock_log(mock, HOOK_MAP);
	if (ret)
		return ERR_PTR(ret);
	if (mock->map_null)
		return NULL;

	sgt = kzalloc(sizeof(*sgt), GFP_KERNEL);
	if (!sgt || sg_alloc_table(sgt, MOCK_SEGMENTS, GFP_KERNEL)) {
		kfree(sgt);
		return ERR_PTR(-ENOMEM);
	}
	for_each_sgtable_sg(sgt, sg, i) {
		sg_set_page(sg, mock->page, MOCK_SEGMENT_LEN,
			    i * MOCK_SEGMENT_LEN);
		/*
		 * No device does DMA with it, so the address need not be a
		 * mapped one.
		 */
		sg_dma_address(sg) = page_to_phys(mock->page) + sg->offset;
		sg_dma_len(sg) = MOCK_SEGMENT_LEN;
	}

	mock_leave_fence(mock, attach->dmabuf->resv);
	mock->tables++;
	return sgt;
}

static void mock_unmap(struct dma_buf_attachment *attach, struct sg_table *sgt,
		       enum dma_data_direction dir)
{
	struct mock_exporter *mock = mock_of(attach);

	dma_resv_assert_held(attach->dmabuf->resv);
	mock->last_sgt = sgt;
	mock->dir = dir;
	mock->tables--;
	/* The unmap hook must get the exporter's own table, with its page. */
	KUNIT_EXPECT_PTR_EQ(mock->test, sg_page(sgt->sgl), mock->page);
	sg_free_table(sgt);
	kfree(sgt);
	mock_log(mock, HOOK_UNMAP);
}

static void mock_release(struct dma_buf *dmabuf)
{
	struct mock_exporter *mock = dmabuf->priv;

	if (mock->release_lock) {
		dma_resv_lock(mock->release_lock, NULL);
		dma_resv_unlock(mock->release_lock);
	}
	mock->release_file_ok = !file_count(dmabuf->file) &&
				dmabuf->file->private_data == dmabuf &&
				file_inode(dmabuf->file)->i_size == mock->size &&
				list_empty(&dmabuf->attachments);
	mock_log(mock, HOOK_RELEASE);
	if (mock->on_release)
		mock->on_release(dmabuf);
	complete(&mock->released);
}

static int mock_begin(struct dma_buf *dmabuf, enum dma_data_direction dir)
{
	struct mock_exporter *mock = dmabuf->priv;

	mock->dir = dir;
	if (mock->watch)
		mock->watch_signaled = dma_fence_is_signaled(mock->watch);
	dma_resv_lock(dmabuf->resv, NULL);
	mock_leave_fence(mock, dmabuf->resv);
	dma_resv_unlock(dmabuf->resv);
	return mock_log(mock, HOOK_BEGIN);
}

static int mock_end(struct dma_buf *dmabuf, enum dma_data_direction dir)
{
	struct mock_exporter *mock = dmabuf->priv;

	mock->dir = dir;
	return mock_log(mock, HOOK_END);
}

static int mock_mmap(struct dma_buf *dmabuf, struct vm_area_struct *vma)
{
	struct mock_exporter *mock = dmabuf->priv;
	int ret = mock_log(mock, HOOK_MMAP);

	if (!ret && mock->mmap_file)
		vma_set_file(vma, mock->mmap_file);
	return ret;
}

static int mock_vmap(struct dma_buf *dmabuf, struct iosys_map *map)
{
	struct mock_exporter *mock = dmabuf->priv;

	dma_resv_assert_held(dmabuf->resv);
	iosys_map_set_vaddr(map, page_address(mock->page));
	return mock_log(mock, HOOK_VMAP);
}

static void mock_vunmap(struct dma_buf *dmabuf, struct iosys_map *map)
{
	struct mock_exporter *mock = dmabuf->priv;

	dma_resv_assert_held(dmabuf->resv);
	KUNIT_EXPECT_PTR_EQ(mock->test, map->vaddr, page_address(mock->page));
	mock_log(mock, HOOK_VUNMAP);
}

static void mock_exporter_destroy(void *arg)
{
	struct mock_exporter *mock = arg;

	__free_page(mock->page);
	kfree(mock);
}

/**
 * mock_exporter_create - create an exporter for one buffer
 * @test: test
 * @kind: MOCK_PLAIN, or MOCK_DYNAMIC, MOCK_CACHED, MOCK_BARE in combination
 *
 * Return: an exporter, freed when the test ends; the test fails if there is
 * none.
 */
struct mock_exporter *mock_exporter_create(struct kunit *test,
					   unsigned int kind)
{
	struct mock_exporter *mock = kzalloc(sizeof(*mock), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, mock);
	mock->page = alloc_page(GFP_KERNEL | __GFP_ZERO);
	if (!mock->page)
		kfree(mock);
	KUNIT_ASSERT_NOT_NULL(test, mock->page);
	KUNIT_ASSERT_EQ(test, 0,
			kunit_add_action_or_reset(test, mock_exporter_destroy,
						  mock));

	mock->test = test;
	mock->size = PAGE_SIZE;
	init_completion(&mock->released);

	mock->ops.map_dma_buf = mock_map;
	mock->ops.unmap_dma_buf = mock_unmap;
	mock->ops.release = mock_release;
	mock->ops.cache_sgt_mapping = kind & MOCK_CACHED;
	if (kind & MOCK_DYNAMIC) {
		mock->ops.pin = mock_pin;
		mock->ops.unpin = mock_unpin;
	}
	if (!(kind & MOCK_BARE)) {
		mock->ops.attach = mock_attach;
		mock->ops.detach = mock_detach;
		mock->ops.begin_cpu_access = mock_begin;
		mock->ops.end_cpu_access = mock_end;
		mock->ops.mmap = mock_mmap;
		mock->ops.vmap = mock_vmap;
		mock->ops.vunmap = mock_vunmap;
	}
	return mock;
}

/**
 * mock_export_resv - export a buffer that uses the exporter's reservation
 * @mock: exporter
 * @resv: reservation, or NULL
 *
 * Return: a buffer; the test fails if there is none.
 */
struct dma_buf *mock_export_resv(struct mock_exporter *mock,
				 struct dma_resv *resv)
{
	DEFINE_DMA_BUF_EXPORT_INFO(info);
	struct dma_buf *dmabuf;

	info.ops = &mock->ops;
	info.size = mock->size;
	info.flags = O_RDWR;
	info.priv = mock;
	info.resv = resv;
	dmabuf = dma_buf_export(&info);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(mock->test, dmabuf);
	return dmabuf;
}

/**
 * mock_export - export a buffer
 * @mock: exporter
 *
 * Return: a buffer; the test fails if there is none.
 */
struct dma_buf *mock_export(struct mock_exporter *mock)
{
	return mock_export_resv(mock, NULL);
}

/**
 * mock_wait_released - wait until the release hook was called
 * @mock: exporter; the test fails if it takes more than ten seconds
 */
void mock_wait_released(struct mock_exporter *mock)
{
	/* A core that does not release would take this long in each test. */
	static unsigned long timeout = 10 * HZ;

	if (!wait_for_completion_timeout(&mock->released, READ_ONCE(timeout))) {
		WRITE_ONCE(timeout, HZ / 4);
		KUNIT_FAIL_AND_ABORT(mock->test, "the buffer was not released");
	}
	KUNIT_EXPECT_TRUE(mock->test, mock->release_file_ok);
	KUNIT_EXPECT_EQ(mock->test, 1U, mock_count(mock, HOOK_RELEASE));
}

/**
 * mock_put - drop the last reference and wait for the release
 * @mock: exporter
 * @dmabuf: its buffer
 */
void mock_put(struct mock_exporter *mock, struct dma_buf *dmabuf)
{
	dma_buf_put(dmabuf);
	mock_wait_released(mock);
}

/**
 * mock_is_released - check whether the release hook was called
 * @mock: exporter
 *
 * Runs deferred releases that no worker has picked up yet. A release that a
 * worker is just running may be missed, so that a wrong one is seen a test
 * later.
 *
 * Return: true if it was.
 */
bool mock_is_released(struct mock_exporter *mock)
{
	flush_delayed_fput();
	return completion_done(&mock->released);
}

/**
 * mock_count - count the calls of a hook
 * @mock: exporter
 * @hook: hook
 *
 * Return: number of calls since the last mock_expect_ops().
 */
unsigned int mock_count(struct mock_exporter *mock, enum dma_buf_hook hook)
{
	unsigned int i, count = 0;

	for (i = 0; i < mock->log_len; i++)
		count += mock->log[i] == hook;
	return count;
}

/**
 * mock_check_log - compare the log with what is expected, and empty it
 * @mock: exporter
 * @ops: expected
 * @count: number of entries in @ops
 * @line: of the test
 */
void mock_check_log(struct mock_exporter *mock, const u8 *ops,
		    unsigned int count, int line)
{
	unsigned int i;

	KUNIT_EXPECT_EQ_MSG(mock->test, mock->log_len, count, "line %d", line);
	for (i = 0; i < min(count, mock->log_len); i++)
		KUNIT_EXPECT_EQ_MSG(mock->test, mock->log[i], ops[i],
				    "line %d, call %u", line, i);
	mock->log_len = 0;
}

/* Fences */

/*
 * A fence with the awkward traits of sw_sync's: its release hook takes
 * fence->lock, so that the last reference must not be dropped in a fence
 * callback, and frees the lock at once.
 */
struct mock_fence {
	struct dma_fence base;
	spinlock_t *lock; /* of @base */
	struct delayed_work work;
	bool loose;
	unsigned int deadlines;
	ktime_t deadline;
};

/* Loose fences that have not been released yet. */
static atomic_t mock_fences_loose;

static const char *mock_fence_name(struct dma_fence *fence)
{
	return "mock";
}

static void mock_fence_release(struct dma_fence *fence)
{
	struct mock_fence *mock = container_of(fence, struct mock_fence, base);
	bool loose = mock->loose;
	unsigned long flags;

	spin_lock_irqsave(mock->lock, flags);
	spin_unlock_irqrestore(mock->lock, flags);
	kfree(mock->lock);
	dma_fence_free(fence);
	if (loose)
		atomic_dec(&mock_fences_loose);
}

static void mock_fence_set_deadline(struct dma_fence *fence, ktime_t deadline)
{
	struct mock_fence *mock = container_of(fence, struct mock_fence, base);

	mock->deadlines++;
	mock->deadline = deadline;
}

static const struct dma_fence_ops mock_fence_ops = {
	.get_driver_name	= mock_fence_name,
	.get_timeline_name	= mock_fence_name,
	.release		= mock_fence_release,
	.set_deadline		= mock_fence_set_deadline,
};

static void mock_fence_work(struct work_struct *work)
{
	struct mock_fence *mock = container_of(to_delayed_work(work),
					       struct mock_fence, work);

	dma_fence_signal(&mock->base);
	if (mock->loose)
		dma_fence_put(&mock->base);
}

/*
 * Signal a fence that a test has left pending, so that buffers and pollers drop
 * their references.
 */
static void mock_fence_destroy(void *arg)
{
	struct mock_fence *mock = arg;

	cancel_delayed_work_sync(&mock->work);
	dma_fence_signal(&mock->base);
	dma_fence_put(&mock->base);
}

static struct mock_fence *mock_fence_alloc(struct kunit *test, u64 context,
					   u64 seqno)
{
	struct mock_fence *mock = kzalloc(sizeof(*mock), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, mock);
	mock->lock = kmalloc(sizeof(*mock->lock), GFP_KERNEL);
	if (!mock->lock)
		kfree(mock);
	KUNIT_ASSERT_NOT_NULL(test, mock->lock);
	spin_lock_init(mock->lock);
	INIT_DELAYED_WORK(&mock->work, mock_fence_work);
	dma_fence_init(&mock->base, &mock_fence_ops, mock->lock, context,
		       seqno);
	return mock;
}

static struct dma_fence *mock_fence_init(struct kunit *test, u64 context,
					 u64 seqno)
{
	struct mock_fence *mock = mock_fence_alloc(test, context, seqno);

	KUNIT_ASSERT_EQ(test, 0,
			kunit_add_action_or_reset(test, mock_fence_destroy,
						  mock));
	return &mock->base;
}

/**
 * mock_fence_create - create a fence of a new timeline
 * @test: test
 *
 * Return: a fence; its reference is dropped when the test ends.
 */
struct dma_fence *mock_fence_create(struct kunit *test)
{
	return mock_fence_init(test, dma_fence_context_alloc(1), 1);
}

/**
 * mock_fence_next - create the next fence of a timeline
 * @fence: one from mock_fence_create()
 *
 * Return: as mock_fence_create().
 */
struct dma_fence *mock_fence_next(struct dma_fence *fence)
{
	return mock_fence_init(kunit_get_current_test(), fence->context,
			       fence->seqno + 1);
}

/**
 * mock_fence_create_loose - create a fence that only its timeline holds
 * @test: test
 *
 * Return: a fence with a single reference, which mock_fence_signal_later() drops
 * after the fence has signalled, and mock_fence_signal_unheld() before.
 */
struct dma_fence *mock_fence_create_loose(struct kunit *test)
{
	struct mock_fence *mock;

	mock = mock_fence_alloc(test, dma_fence_context_alloc(1), 1);
	mock->loose = true;
	atomic_inc(&mock_fences_loose);
	return &mock->base;
}

/**
 * mock_fence_loose_wait - wait until every loose fence has been released
 * @test: test; fails if it takes more than ten seconds
 */
void mock_fence_loose_wait(struct kunit *test)
{
	int tries;

	for (tries = 0; tries < 500 && atomic_read(&mock_fences_loose); tries++)
		msleep(20);
	KUNIT_EXPECT_EQ(test, atomic_read(&mock_fences_loose), 0);
}

/**
 * mock_fence_wait_refs - wait until a fence's refcount has dropped
 * @fence: from mock_fence_create(); the test fails if it takes more than ten
 *	seconds
 * @refs: number of references to wait for, the test's own included
 *
 * A buffer drops its fences after the release hook, which is what a test waits
 * for. A sync_file drops its fence when its file is released, and
 * flush_delayed_fput() does not wait for a release that a worker is already
 * running.
 */
void mock_fence_wait_refs(struct dma_fence *fence, unsigned int refs)
{
	int tries;

	for (tries = 0; tries < 500 && kref_read(&fence->refcount) > refs; tries++) {
		flush_delayed_fput();
		msleep(20);
	}
	KUNIT_EXPECT_EQ(kunit_get_current_test(), kref_read(&fence->refcount), refs);
}

/**
 * mock_fence_deadlines - count the deadlines that a fence was given
 * @fence: from mock_fence_create()
 * @last: becomes the last one if there was any; may be NULL
 *
 * Only the test's own thread may set deadlines while this runs.
 *
 * Return: the number of deadlines that were set.
 */
unsigned int mock_fence_deadlines(struct dma_fence *fence, ktime_t *last)
{
	struct mock_fence *mock = container_of(fence, struct mock_fence, base);

	if (last && mock->deadlines)
		*last = mock->deadline;
	return mock->deadlines;
}

/**
 * mock_fence_signal - signal a fence now
 * @fence: from mock_fence_create()
 */
void mock_fence_signal(struct dma_fence *fence)
{
	dma_fence_signal(fence);
}

/**
 * mock_fence_signal_unheld - signal a fence without holding a reference
 * @fence: from mock_fence_create_loose(); its reference is dropped before it
 *	signals, as sw_sync and vmwgfx do, so that a waiter must hold another
 */
void mock_fence_signal_unheld(struct dma_fence *fence)
{
	struct mock_fence *mock = container_of(fence, struct mock_fence, base);
	spinlock_t *lock = mock->lock;
	unsigned long flags;

	dma_fence_put(fence);
	spin_lock_irqsave(lock, flags);
	dma_fence_signal_locked(fence);
	spin_unlock_irqrestore(lock, flags);
}

/**
 * mock_fence_signal_later - signal a fence from a worker
 * @fence: from mock_fence_create()
 * @msecs: delay in milliseconds
 */
void mock_fence_signal_later(struct dma_fence *fence, unsigned int msecs)
{
	struct mock_fence *mock = container_of(fence, struct mock_fence, base);

	schedule_delayed_work(&mock->work, msecs_to_jiffies(msecs));
}

/**
 * mock_fence_signal_sooner - shorten a fence's delay
 * @fence: one that mock_fence_signal_later() was called for
 * @msecs: delay in milliseconds
 */
void mock_fence_signal_sooner(struct dma_fence *fence, unsigned int msecs)
{
	struct mock_fence *mock = container_of(fence, struct mock_fence, base);

	mod_delayed_work(system_wq, &mock->work, msecs_to_jiffies(msecs));
}

/**
 * mock_add_fence - add a fence to a buffer's reservation
 * @dmabuf: buffer
 * @fence: fence
 * @usage: usage to add it with
 */
void mock_add_fence(struct dma_buf *dmabuf, struct dma_fence *fence,
		    enum dma_resv_usage usage)
{
	int ret;

	dma_resv_lock(dmabuf->resv, NULL);
	ret = dma_resv_reserve_fences(dmabuf->resv, 1);
	if (!ret)
		dma_resv_add_fence(dmabuf->resv, fence, usage);
	dma_resv_unlock(dmabuf->resv);
	KUNIT_ASSERT_EQ(kunit_get_current_test(), 0, ret);
}

/* Pollers */

static int mock_poller_wake(wait_queue_entry_t *wait, unsigned int mode,
			    int sync, void *key)
{
	struct mock_poller *poller = container_of(wait, struct mock_poller,
						  wait);

	if (!key || (key_to_poll(key) & poller->events))
		atomic_inc(&poller->wakeups);
	poller->claimed |= key_to_poll(key);
	return 0;
}

static void mock_poller_queue(struct file *file, wait_queue_head_t *head,
			      poll_table *table)
{
	struct mock_poller *poller = container_of(table, struct mock_poller,
						  table);

	if (poller->head)
		return;

	poller->head = head;
	add_wait_queue(head, &poller->wait);
}

static void mock_poller_destroy(void *arg)
{
	mock_poller_leave(arg);
	kfree(arg);
}

/**
 * mock_poller_create - create a poller
 * @test: test
 * @events: events that the poller asks for
 *
 * Return: a poller, freed when the test ends.
 */
struct mock_poller *mock_poller_create(struct kunit *test, __poll_t events)
{
	struct mock_poller *poller = kzalloc(sizeof(*poller), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, poller);
	init_waitqueue_func_entry(&poller->wait, mock_poller_wake);
	init_poll_funcptr(&poller->table, mock_poller_queue);
	poller->table._key = events;
	poller->events = events;
	KUNIT_ASSERT_EQ(test, 0,
			kunit_add_action_or_reset(test, mock_poller_destroy,
						  poller));
	return poller;
}

/**
 * mock_poll - poll a buffer
 * @poller: poller; stays queued until mock_poller_leave(), which must come
 *	before the last reference to the buffer is dropped
 * @dmabuf: buffer
 *
 * Return: events that are ready.
 */
__poll_t mock_poll(struct mock_poller *poller, struct dma_buf *dmabuf)
{
	return vfs_poll(dmabuf->file, &poller->table);
}

/**
 * mock_poller_leave - take a poller off its wait queue
 * @poller: poller
 */
void mock_poller_leave(struct mock_poller *poller)
{
	if (poller->head)
		remove_wait_queue(poller->head, &poller->wait);
	poller->head = NULL;
}

/* Signals */

/**
 * mock_signal_begin - make interruptible waits of this thread end at once
 */
void mock_signal_begin(void)
{
	allow_signal(SIGUSR1);
	send_sig(SIGUSR1, current, 1);
}

/**
 * mock_signal_end - undo mock_signal_begin()
 */
void mock_signal_end(void)
{
	flush_signals(current);
	disallow_signal(SIGUSR1);
}
