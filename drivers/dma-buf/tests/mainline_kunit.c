// SPDX-License-Identifier: GPL-2.0-only
/*
 * dma-buf: KUnit tests of what the core of later kernels added to the interface.
 *
 * The stock core of 6.12 lacks these functions: this file does not compile
 * there.
 */
#include <linux/completion.h>
#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/dma-resv.h>
#include <linux/fdtable.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "util.h"

static const struct dma_buf_attach_ops test_deaf = {
	.allow_peer2peer = false,
};

static void test_attach_revocable(struct kunit *test)
{
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_PLAIN);
	struct dma_buf *dmabuf = mock_export(mock);
	struct dma_buf_attachment *fixed = test_attach(test, dmabuf, NULL);
	struct dma_buf_attachment *dynamic;

	dynamic = test_attach(test, dmabuf, &test_dynamic);
	KUNIT_EXPECT_FALSE(test, dma_buf_attach_revocable(fixed));
	KUNIT_EXPECT_TRUE(test, dma_buf_attach_revocable(dynamic));
	dma_buf_detach(dmabuf, fixed);
	dma_buf_detach(dmabuf, dynamic);
	mock_put(mock, dmabuf);
}

static void test_fd_install(struct kunit *test)
{
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_PLAIN);
	struct dma_buf *dmabuf = mock_export(mock);
	int fd = get_unused_fd_flags(O_CLOEXEC);

	KUNIT_ASSERT_GE(test, fd, 0);
	KUNIT_EXPECT_EQ(test, PTR_ERR(dma_buf_get(fd)), -EBADF);
	dma_buf_fd_install(dmabuf, fd);
	KUNIT_EXPECT_PTR_EQ(test, dma_buf_get(fd), dmabuf);
	dma_buf_put(dmabuf);
	KUNIT_EXPECT_EQ(test, 0, close_fd(fd));
	mock_wait_released(mock);
}

static void test_attach_without_callback(struct kunit *test)
{
	const bool warns = IS_ENABLED(CONFIG_DMABUF_DEBUG) &&
			   IS_ENABLED(CONFIG_DMABUF_MOVE_NOTIFY);
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_DYNAMIC);
	struct dma_buf *dmabuf = mock_export(mock);
	struct dma_buf_attachment *attach;
	struct sg_table *sgt;

	attach = test_attach(test, dmabuf, &test_deaf);
	KUNIT_EXPECT_TRUE(test, dma_buf_attachment_is_dynamic(attach));
	KUNIT_EXPECT_FALSE(test, dma_buf_attach_revocable(attach));
	KUNIT_EXPECT_FALSE(test, attach->peer2peer);

	dma_resv_lock(dmabuf->resv, NULL);
	dma_buf_move_notify(dmabuf);
	/* It cannot be told, so it pins. Then all is well. */
	KUNIT_EXPECT_EQ(test, 0, dma_buf_pin(attach));
	sgt = dma_buf_map_attachment(attach, DMA_BIDIRECTIONAL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, sgt);
	dma_buf_unmap_attachment(attach, sgt, DMA_BIDIRECTIONAL);
	dma_buf_unpin(attach);

	/* The importer has no pin of its own; the mapping may pin. */
	mock->log_len = 0;
	if (warns)
		expect_warning("maps without a pin");
	sgt = dma_buf_map_attachment(attach, DMA_BIDIRECTIONAL);
	if (warns)
		expect_end();
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, sgt);
	if (IS_ENABLED(CONFIG_DMABUF_MOVE_NOTIFY))
		mock_expect_ops(mock, HOOK_MAP);
	else
		mock_expect_ops(mock, HOOK_PIN, HOOK_MAP);
	dma_buf_unmap_attachment(attach, sgt, DMA_BIDIRECTIONAL);
	dma_resv_unlock(dmabuf->resv);

	dma_buf_detach(dmabuf, attach);
	mock_put(mock, dmabuf);
}

/*
 * This exporter's memory never moves: the importer needs neither pin nor
 * callback, so the core must not warn.
 */
static void test_map_without_callback(struct kunit *test)
{
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_PLAIN);
	struct dma_buf *dmabuf = mock_export(mock);
	struct dma_buf_attachment *attach;
	struct sg_table *sgt;

	attach = test_attach(test, dmabuf, &test_deaf);
	sgt = test_dma_map(test, attach, DMA_TO_DEVICE);
	dma_buf_unmap_attachment_unlocked(attach, sgt, DMA_TO_DEVICE);
	dma_buf_detach(dmabuf, attach);
	mock_put(mock, dmabuf);
	mock_expect_ops(mock, HOOK_ATTACH, HOOK_MAP, HOOK_UNMAP, HOOK_DETACH,
			HOOK_RELEASE);
}

static void test_move_notify_reaches(struct kunit *test)
{
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_DYNAMIC);
	struct dma_buf *dmabuf = mock_export(mock);
	struct dma_buf_attachment *attach[4];
	unsigned int told = 0;
	int i;

	test->priv = &told;
	attach[0] = test_attach(test, dmabuf, NULL);
	attach[1] = test_attach(test, dmabuf, &test_dynamic);
	attach[2] = test_attach(test, dmabuf, &test_deaf);
	attach[3] = test_attach(test, dmabuf, &test_dynamic);

	dma_resv_lock(dmabuf->resv, NULL);
	dma_buf_move_notify(dmabuf);
	KUNIT_EXPECT_EQ(test, told, 2U);
	dma_buf_invalidate_mappings(dmabuf);
	KUNIT_EXPECT_EQ(test, told, 4U);
	dma_resv_unlock(dmabuf->resv);

	for (i = 0; i < 4; i++)
		dma_buf_detach(dmabuf, attach[i]);
	mock_put(mock, dmabuf);
}

static void test_unmapping_notify(struct dma_buf_attachment *attach)
{
	struct sg_table **sgt = attach->importer_priv;

	dma_buf_unmap_attachment(attach, *sgt, DMA_TO_DEVICE);
	*sgt = NULL;
	dma_buf_unpin(attach);
}

static void test_move_notify_unmaps(struct kunit *test)
{
	static const struct dma_buf_attach_ops importer = {
		/* The name that it has in mainline. */
		.invalidate_mappings = test_unmapping_notify,
	};
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_DYNAMIC);
	struct dma_buf *dmabuf = mock_export(mock);
	struct dma_buf_attachment *attach;
	struct sg_table *sgt;

	attach = dma_buf_dynamic_attach(dmabuf, test_device(test), &importer,
					&sgt);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, attach);
	dma_resv_lock(dmabuf->resv, NULL);
	KUNIT_EXPECT_EQ(test, 0, dma_buf_pin(attach));
	sgt = dma_buf_map_attachment(attach, DMA_TO_DEVICE);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, sgt);
	dma_buf_move_notify(dmabuf);
	KUNIT_EXPECT_NULL(test, sgt);
	dma_resv_unlock(dmabuf->resv);

	KUNIT_EXPECT_EQ(test, mock_count(mock, HOOK_MAP), mock_count(mock, HOOK_UNMAP));
	KUNIT_EXPECT_EQ(test, mock_count(mock, HOOK_PIN), mock_count(mock, HOOK_UNPIN));
	dma_buf_detach(dmabuf, attach);
	mock_put(mock, dmabuf);
}

static void test_iter(struct kunit *test)
{
	enum { COUNT = 40 };
	struct mock_exporter *mock[COUNT];
	struct dma_buf *dmabuf[COUNT], *found;
	unsigned int seen[COUNT] = { };
	int i;

	/* Export on every CPU, as each has its own list. */
	for (i = 0; i < COUNT; i++) {
		mock[i] = mock_exporter_create(test, MOCK_BARE);
		if (cpu_online(i % nr_cpu_ids))
			set_cpus_allowed_ptr(current, cpumask_of(i % nr_cpu_ids));
		dmabuf[i] = mock_export(mock[i]);
	}
	set_cpus_allowed_ptr(current, cpu_possible_mask);
	/* One that is gone, and must not be found. */
	mock_put(mock[COUNT / 2], dmabuf[COUNT / 2]);

	for (found = dma_buf_iter_begin(); found;
	     found = dma_buf_iter_next(found)) {
		KUNIT_EXPECT_GE(test, file_count(found->file), 1);
		for (i = 0; i < COUNT; i++)
			seen[i] += found == dmabuf[i] && i != COUNT / 2;
	}
	for (i = 0; i < COUNT; i++) {
		KUNIT_EXPECT_EQ(test, seen[i], i == COUNT / 2 ? 0U : 1U);
		if (i == COUNT / 2)
			continue;
		KUNIT_EXPECT_EQ(test, file_count(dmabuf[i]->file), 1);
		mock_put(mock[i], dmabuf[i]);
	}
}

static void test_iter_stopped(struct kunit *test)
{
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_BARE);
	struct dma_buf *dmabuf = mock_export(mock);
	struct dma_buf *found = dma_buf_iter_begin();

	KUNIT_ASSERT_NOT_NULL(test, found);
	dma_buf_put(found);
	mock_put(mock, dmabuf);
}

static void test_iter_null(struct kunit *test)
{
	expect_warning("WARNING: .* dma_buf_iter_next");
	KUNIT_EXPECT_NULL(test, dma_buf_iter_next(NULL));
	expect_end();
}

/* The walk holds a reference to its buffer while all others are dropped. */
static void test_iter_holds(struct kunit *test)
{
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_BARE);
	struct dma_buf *dmabuf = mock_export(mock);
	struct dma_buf *found;

	for (found = dma_buf_iter_begin(); found && found != dmabuf;)
		found = dma_buf_iter_next(found);
	KUNIT_ASSERT_PTR_EQ(test, found, dmabuf);
	dma_buf_put(dmabuf);
	KUNIT_EXPECT_FALSE(test, mock_is_released(mock));
	while (found)
		found = dma_buf_iter_next(found);
	mock_wait_released(mock);
}

/* Between the last put and the release, no new reference can be taken. */
static void test_iter_dying(struct kunit *test)
{
	enum { ROUNDS = 20 };
	struct dma_buf *dmabuf, *found;
	int i;

	for (i = 0; i < ROUNDS; i++) {
		struct mock_exporter *mock = mock_exporter_create(test, MOCK_BARE);

		dmabuf = mock_export(mock);
		dma_buf_put(dmabuf);
		for (found = dma_buf_iter_begin(); found;
		     found = dma_buf_iter_next(found))
			KUNIT_EXPECT_PTR_NE(test, found, dmabuf);
		mock_wait_released(mock);
	}
}

/* A walk finds its way past very many that die at the same time. */
static void test_iter_many_dying(struct kunit *test)
{
	enum { COUNT = 200 };
	struct mock_exporter **mock;
	struct dma_buf **dmabuf, *found;
	unsigned int seen = 0;
	int i;

	mock = kunit_kcalloc(test, COUNT, sizeof(*mock), GFP_KERNEL);
	dmabuf = kunit_kcalloc(test, COUNT, sizeof(*dmabuf), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, mock);
	KUNIT_ASSERT_NOT_NULL(test, dmabuf);

	/* On the list of one CPU: the one live buffer after all the dying ones */
	set_cpus_allowed_ptr(current, cpumask_of(raw_smp_processor_id()));
	for (i = 0; i < COUNT; i++) {
		mock[i] = mock_exporter_create(test, MOCK_BARE);
		dmabuf[i] = mock_export(mock[i]);
	}
	set_cpus_allowed_ptr(current, cpu_possible_mask);
	for (i = 1; i < COUNT; i++)
		dma_buf_put(dmabuf[i]);
	for (found = dma_buf_iter_begin(); found; found = dma_buf_iter_next(found))
		seen += found == dmabuf[0];
	KUNIT_EXPECT_EQ(test, seen, 1U);
	for (i = 1; i < COUNT; i++)
		mock_wait_released(mock[i]);
	mock_put(mock[0], dmabuf[0]);
}

/* A walk asks for no reservation, so it is fine to hold one. */
static void test_iter_under_resv(struct kunit *test)
{
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_BARE);
	struct dma_buf *dmabuf = mock_export(mock), *found;
	unsigned int seen = 0;

	dma_resv_lock(dmabuf->resv, NULL);
	for (found = dma_buf_iter_begin(); found; found = dma_buf_iter_next(found))
		seen += found == dmabuf;
	dma_resv_unlock(dmabuf->resv);
	KUNIT_EXPECT_EQ(test, seen, 1U);
	mock_put(mock, dmabuf);
}

struct test_order {
	struct dma_fence *fence;
	bool findable;
	bool armed;
	bool locked;
	int owner;
};

static void test_order_release(struct dma_buf *dmabuf)
{
	struct mock_exporter *mock = dmabuf->priv;
	struct test_order *order = mock->test->priv;
	struct dma_buf *found;
	unsigned long flags;

	for (found = dma_buf_iter_begin(); found; found = dma_buf_iter_next(found))
		order->findable |= found == dmabuf;
	spin_lock_irqsave(order->fence->lock, flags);
	order->armed = !list_empty(&order->fence->cb_list);
	spin_unlock_irqrestore(order->fence->lock, flags);
	/* The reservation is still one, and the fence still in it. */
	order->locked = !dma_resv_lock(dmabuf->resv, NULL);
	order->locked &= !dma_resv_test_signaled(dmabuf->resv, DMA_RESV_USAGE_WRITE);
	dma_resv_unlock(dmabuf->resv);
#ifdef CONFIG_MODULE_UNLOAD
	order->owner = atomic_read(&dmabuf->owner->refcnt);
#endif
}

/*
 * The buffer is unlisted and its callbacks are removed before the release hook
 * runs; the core frees it after.
 */
static void test_release_order(struct kunit *test)
{
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_PLAIN);
	struct mock_poller *poller = mock_poller_create(test, EV_IN);
	struct module *owner = kunit_kzalloc(test, sizeof(*owner), GFP_KERNEL);
	struct test_order order = { .fence = mock_fence_create(test) };
	DEFINE_DMA_BUF_EXPORT_INFO(info);
	struct dma_buf *dmabuf;

	KUNIT_ASSERT_NOT_NULL(test, owner);
	owner->state = MODULE_STATE_LIVE;
#ifdef CONFIG_MODULE_UNLOAD
	atomic_set(&owner->refcnt, 1);
#endif
	test->priv = &order;
	mock->on_release = test_order_release;
	info.owner = owner;
	info.ops = &mock->ops;
	info.size = mock->size;
	info.priv = mock;
	dmabuf = dma_buf_export(&info);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dmabuf);
	mock_add_fence(dmabuf, order.fence, DMA_RESV_USAGE_WRITE);
	expect_poll(test, poller, dmabuf, 0);
	KUNIT_EXPECT_FALSE(test, list_empty(&order.fence->cb_list));
	mock_poller_leave(poller);
	mock_put(mock, dmabuf);
	KUNIT_EXPECT_FALSE(test, order.findable);
	KUNIT_EXPECT_FALSE(test, order.armed);
	KUNIT_EXPECT_TRUE(test, order.locked);
	if (IS_ENABLED(CONFIG_MODULE_UNLOAD))
		KUNIT_EXPECT_EQ(test, order.owner, 2);
	/* It goes with the test, and the core has a last look at it. */
	mock_fence_wait_refs(order.fence, 1);
#ifdef CONFIG_MODULE_UNLOAD
	for (order.owner = 0; order.owner < 500; order.owner++) {
		if (atomic_read(&owner->refcnt) == 1)
			break;
		msleep(20);
	}
	KUNIT_EXPECT_EQ(test, atomic_read(&owner->refcnt), 1);
#endif
}

struct test_churn {
	struct kunit *test;
	struct completion done;
	unsigned int rounds;
	bool stop;
};

static int test_churn_thread(void *data)
{
	struct test_churn *churn = data;

	while (!READ_ONCE(churn->stop)) {
		DEFINE_DMA_BUF_EXPORT_INFO(info);
		struct mock_exporter *mock;
		struct dma_buf *dmabuf;

		mock = kzalloc(sizeof(*mock), GFP_KERNEL);
		if (!mock)
			break;
		mock->test = churn->test;
		mock->size = PAGE_SIZE;
		init_completion(&mock->released);
		mock->ops = ((struct mock_exporter *)churn->test->priv)->ops;
		info.ops = &mock->ops;
		info.size = PAGE_SIZE;
		info.priv = mock;
		dmabuf = dma_buf_export(&info);
		if (!IS_ERR(dmabuf)) {
			dma_buf_put(dmabuf);
			flush_delayed_fput();
			/* Not the test's thread, so this must not fail the test. */
			if (!wait_for_completion_timeout(&mock->released,
							 10 * HZ))
				break;
			WRITE_ONCE(churn->rounds, churn->rounds + 1);
		}
		kfree(mock);
		cond_resched();
	}
	/* Not into the module any more: it may be gone. */
	kthread_complete_and_exit(&churn->done, 0);
}

static void test_iter_concurrent(struct kunit *test)
{
	enum { COUNT = 30, ROUNDS = 100, CHURNS = 20 };
	struct mock_exporter *mock[COUNT];
	struct dma_buf *dmabuf[COUNT], *found;
	struct test_churn churn = { .test = test };
	unsigned long end = jiffies + 10 * HZ;
	struct task_struct *task;
	int i, round;

	test->priv = mock_exporter_create(test, MOCK_BARE);
	init_completion(&churn.done);
	for (i = 0; i < COUNT; i++) {
		mock[i] = mock_exporter_create(test, MOCK_BARE);
		dmabuf[i] = mock_export(mock[i]);
	}
	task = kthread_run(test_churn_thread, &churn, "dma-buf-churn");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, task);

	/* Often, and till the other one has done something meanwhile */
	for (round = 0; round < ROUNDS || (READ_ONCE(churn.rounds) < CHURNS &&
					   time_before(jiffies, end)); round++) {
		unsigned int seen[COUNT] = { };

		for (found = dma_buf_iter_begin(); found;
		     found = dma_buf_iter_next(found)) {
			for (i = 0; i < COUNT; i++)
				seen[i] += found == dmabuf[i];
			cond_resched();
		}
		for (i = 0; i < COUNT; i++)
			KUNIT_EXPECT_EQ(test, seen[i], 1U);
	}

	WRITE_ONCE(churn.stop, true);
	wait_for_completion(&churn.done);
	KUNIT_EXPECT_GE(test, churn.rounds, (unsigned int)CHURNS);
	for (i = 0; i < COUNT; i++)
		mock_put(mock[i], dmabuf[i]);
}

static struct kunit_case dma_buf_mainline_test_cases[] = {
	KUNIT_CASE(test_attach_revocable),
	KUNIT_CASE(test_fd_install),
	KUNIT_CASE(test_attach_without_callback),
	KUNIT_CASE(test_map_without_callback),
	KUNIT_CASE(test_move_notify_reaches),
	KUNIT_CASE(test_move_notify_unmaps),
	KUNIT_CASE(test_release_order),
	KUNIT_CASE(test_iter),
	KUNIT_CASE(test_iter_stopped),
	KUNIT_CASE(test_iter_null),
	KUNIT_CASE(test_iter_holds),
	KUNIT_CASE(test_iter_dying),
	KUNIT_CASE(test_iter_many_dying),
	KUNIT_CASE(test_iter_under_resv),
	KUNIT_CASE_SLOW(test_iter_concurrent),
	{}
};

static struct kunit_suite dma_buf_mainline_test_suite = {
	.name = "dma_buf_mainline",
	.init = test_init,
	.test_cases = dma_buf_mainline_test_cases,
};

kunit_test_suite(dma_buf_mainline_test_suite);
