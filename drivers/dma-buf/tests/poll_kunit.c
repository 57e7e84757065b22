// SPDX-License-Identifier: GPL-2.0-only
/*
 * dma-buf: KUnit tests of poll().
 */
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/dma-resv.h>
#include <linux/kthread.h>
#include <linux/slab.h>

#include "util.h"

static void test_poll_idle(struct kunit *test)
{
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_PLAIN);
	struct dma_buf *dmabuf = mock_export(mock);
	struct mock_poller *poller = mock_poller_create(test, EV_IN | EV_OUT);
	int i;

	for (i = 0; i < 10; i++)
		expect_poll(test, poller, dmabuf, EV_IN | EV_OUT);
	/* No poller was woken, not even the one that polled. */
	KUNIT_EXPECT_EQ(test, atomic_read(&poller->wakeups), 0);
	/* Even if ready it has to queue: epoll does that just once. */
	KUNIT_EXPECT_NOT_NULL(test, poller->head);
	mock_poller_leave(poller);
	mock_put(mock, dmabuf);
}

struct poll_param {
	const char *name;
	enum dma_resv_usage usage;
	__poll_t asked;
	__poll_t ready;
};

static const struct poll_param poll_params[] = {
	{ "kernel fence, in", DMA_RESV_USAGE_KERNEL, EPOLLIN, 0 },
	{ "kernel fence, out", DMA_RESV_USAGE_KERNEL, EPOLLOUT, 0 },
	{ "write fence, in", DMA_RESV_USAGE_WRITE, EPOLLIN, 0 },
	{ "write fence, out", DMA_RESV_USAGE_WRITE, EPOLLOUT, 0 },
	{ "write fence, both", DMA_RESV_USAGE_WRITE, EPOLLIN | EPOLLOUT, 0 },
	{ "write fence, rdnorm", DMA_RESV_USAGE_WRITE, EPOLLRDNORM, 0 },
	{ "write fence, wrnorm", DMA_RESV_USAGE_WRITE, EPOLLWRNORM, 0 },
	{ "read fence, in", DMA_RESV_USAGE_READ, EPOLLIN, EPOLLIN },
	{ "read fence, out", DMA_RESV_USAGE_READ, EPOLLOUT, 0 },
	{ "read fence, both", DMA_RESV_USAGE_READ, EPOLLIN | EPOLLOUT, EPOLLIN },
	{ "read fence, rdnorm", DMA_RESV_USAGE_READ, EPOLLRDNORM, EPOLLRDNORM },
	{ "bookkeep fence, in", DMA_RESV_USAGE_BOOKKEEP, EPOLLIN, EPOLLIN },
	{ "bookkeep fence, out", DMA_RESV_USAGE_BOOKKEEP, EPOLLOUT, EPOLLOUT },
	{ "write fence, other events", DMA_RESV_USAGE_WRITE, EPOLLPRI, 0 },
};

KUNIT_ARRAY_PARAM_DESC(poll, poll_params, name);

static void test_poll_fence(struct kunit *test)
{
	const struct poll_param *param = test->param_value;
	const __poll_t ours = EV_IN | EV_OUT;
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_PLAIN);
	struct dma_buf *dmabuf = mock_export(mock);
	struct mock_poller *poller = mock_poller_create(test, param->asked);
	struct dma_fence *fence = mock_fence_create(test);
	bool waits = param->asked & ours & ~param->ready;
	int wakeups;

	mock_add_fence(dmabuf, fence, param->usage);
	expect_poll(test, poller, dmabuf, param->ready);
	/* Looking again arms no second callback. */
	expect_poll(test, poller, dmabuf, param->ready);
	KUNIT_EXPECT_EQ(test, atomic_read(&poller->wakeups), 0);

	mock_fence_signal(fence);
	wakeups = atomic_read(&poller->wakeups);
	if (waits) {
		KUNIT_EXPECT_GE(test, wakeups, 1);
		KUNIT_EXPECT_LE(test, wakeups, 2);
	} else {
		KUNIT_EXPECT_EQ(test, wakeups, 0);
	}
	expect_poll(test, poller, dmabuf, param->asked & ours);
	KUNIT_EXPECT_EQ(test, atomic_read(&poller->wakeups), wakeups);
	mock_poller_leave(poller);
	mock_put(mock, dmabuf);
}

static void test_poll_signaled(struct kunit *test)
{
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_PLAIN);
	struct dma_buf *dmabuf = mock_export(mock);
	struct mock_poller *poller = mock_poller_create(test, EPOLLIN);
	struct dma_fence *fence = mock_fence_create(test);

	mock_add_fence(dmabuf, fence, DMA_RESV_USAGE_WRITE);
	mock_fence_signal(fence);
	expect_poll(test, poller, dmabuf, EPOLLIN);
	KUNIT_EXPECT_EQ(test, atomic_read(&poller->wakeups), 0);
	mock_poller_leave(poller);
	mock_put(mock, dmabuf);
}

/* Woken when the direction is ready, not for each fence on the way. */
static void test_poll_many_fences(struct kunit *test)
{
	enum { COUNT = 8 };
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_PLAIN);
	struct dma_buf *dmabuf = mock_export(mock);
	struct mock_poller *poller = mock_poller_create(test, EPOLLIN);
	struct dma_fence *fence[COUNT];
	int i;

	for (i = 0; i < COUNT; i++) {
		fence[i] = mock_fence_create(test);
		mock_add_fence(dmabuf, fence[i], DMA_RESV_USAGE_WRITE);
	}
	expect_poll(test, poller, dmabuf, 0);
	/* In an order of their own. */
	for (i = 0; i < COUNT; i++) {
		KUNIT_EXPECT_EQ(test, atomic_read(&poller->wakeups), 0);
		mock_fence_signal(fence[(i * 3) % COUNT]);
	}
	KUNIT_EXPECT_EQ(test, atomic_read(&poller->wakeups), 1);
	expect_poll(test, poller, dmabuf, EPOLLIN);
	mock_poller_leave(poller);
	mock_put(mock, dmabuf);
}

/*
 * More fences than poll() arms callbacks for at a time. Pollers are woken once
 * for each batch, and never told too early that the buffer is ready.
 */
static void test_poll_batches(struct kunit *test)
{
	enum { COUNT = 200 };
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_PLAIN);
	struct dma_buf *dmabuf = mock_export(mock);
	struct mock_poller *poller = mock_poller_create(test, EPOLLIN);
	struct dma_fence **fence;
	int i, wakeups = 0;

	fence = kunit_kcalloc(test, COUNT, sizeof(*fence), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, fence);
	for (i = 0; i < COUNT; i++) {
		fence[i] = mock_fence_create(test);
		mock_add_fence(dmabuf, fence[i], DMA_RESV_USAGE_WRITE);
	}
	expect_poll(test, poller, dmabuf, 0);
	/* A second look arms no further callbacks. */
	expect_poll(test, poller, dmabuf, 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&poller->wakeups), 0);

	for (i = 0; i < COUNT; i++) {
		mock_fence_signal(fence[i]);
		if (atomic_read(&poller->wakeups) == wakeups)
			continue;
		KUNIT_EXPECT_EQ(test, atomic_read(&poller->wakeups), ++wakeups);
		expect_poll(test, poller, dmabuf, i == COUNT - 1 ? EPOLLIN : 0);
	}
	/*
	 * The poller was woken at the end, and before that only once for each
	 * batch.
	 */
	KUNIT_EXPECT_GE(test, wakeups, 1);
	KUNIT_EXPECT_LE(test, wakeups, COUNT / 16);
	expect_poll(test, poller, dmabuf, EPOLLIN);
	mock_poller_leave(poller);
	mock_put(mock, dmabuf);
	for (i = 0; i < COUNT; i++)
		mock_fence_wait_refs(fence[i], 1);
}

/*
 * New fences take the slots of signalled ones, ahead of those that callbacks
 * were armed on, so that another poller arms the new ones instead. Each poller
 * must be woken in the end.
 */
static void test_poll_batch_displaced(struct kunit *test)
{
	enum { DONE = 60, PENDING = 60, COUNT = DONE + PENDING };
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_PLAIN);
	struct dma_buf *dmabuf = mock_export(mock);
	struct mock_poller *first = mock_poller_create(test, EPOLLIN);
	struct mock_poller *second = mock_poller_create(test, EPOLLIN);
	struct dma_fence **fence, **newer;
	int i, seen;

	fence = kunit_kcalloc(test, COUNT, sizeof(*fence), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, fence);
	newer = kunit_kcalloc(test, DONE, sizeof(*newer), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, newer);
	for (i = 0; i < COUNT; i++) {
		fence[i] = mock_fence_create(test);
		mock_add_fence(dmabuf, fence[i], DMA_RESV_USAGE_WRITE);
	}
	for (i = 0; i < DONE; i++)
		mock_fence_signal(fence[i]);
	expect_poll(test, first, dmabuf, 0);

	for (i = 0; i < DONE; i++)
		newer[i] = mock_fence_create(test);
	/*
	 * Without reserving room, which may move the pending fences to the front.
	 * There is room: a new fence takes the place of a signalled one.
	 */
	dma_resv_lock(dmabuf->resv, NULL);
	for (i = 0; i < DONE; i++)
		dma_resv_add_fence(dmabuf->resv, newer[i], DMA_RESV_USAGE_WRITE);
	dma_resv_unlock(dmabuf->resv);
	expect_poll(test, second, dmabuf, 0);
	/*
	 * The first poller is woken, as the callbacks that it relied on were
	 * removed.
	 */
	KUNIT_EXPECT_EQ(test, atomic_read(&first->wakeups), 1);
	/* Both look again, as woken pollers do; after that no more wake-ups come. */
	expect_poll(test, first, dmabuf, 0);
	expect_poll(test, second, dmabuf, 0);
	seen = atomic_read(&first->wakeups);
	KUNIT_EXPECT_LE(test, seen, 2);
	expect_poll(test, first, dmabuf, 0);
	expect_poll(test, second, dmabuf, 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&first->wakeups), seen);

	/* A poller looks again only when it is woken. */
	for (i = 0; i < PENDING + DONE; i++) {
		mock_fence_signal(i < PENDING ? fence[DONE + i] : newer[i - PENDING]);
		if (atomic_read(&first->wakeups) == seen)
			continue;
		seen = atomic_read(&first->wakeups);
		mock_poll(first, dmabuf);
		mock_poll(second, dmabuf);
	}
	KUNIT_EXPECT_LE(test, seen, COUNT / 8);
	expect_poll(test, first, dmabuf, EPOLLIN);
	expect_poll(test, second, dmabuf, EPOLLIN);
	KUNIT_EXPECT_EQ(test, atomic_read(&first->wakeups), seen);
	mock_poller_leave(first);
	mock_poller_leave(second);
	mock_put(mock, dmabuf);
}

/* A fence that is added later is waited for after the next look. */
static void test_poll_later_fence(struct kunit *test)
{
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_PLAIN);
	struct dma_buf *dmabuf = mock_export(mock);
	struct mock_poller *first = mock_poller_create(test, EPOLLIN);
	struct mock_poller *second = mock_poller_create(test, EPOLLIN);
	struct dma_fence *a = mock_fence_create(test);
	struct dma_fence *b = mock_fence_create(test);

	mock_add_fence(dmabuf, a, DMA_RESV_USAGE_WRITE);
	expect_poll(test, first, dmabuf, 0);
	mock_add_fence(dmabuf, b, DMA_RESV_USAGE_WRITE);
	expect_poll(test, second, dmabuf, 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&first->wakeups), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&second->wakeups), 0);

	/*
	 * The first poller is woken by a. As b is pending, no event may be
	 * claimed.
	 */
	mock_fence_signal(a);
	KUNIT_EXPECT_EQ(test, (__force u32)first->claimed, 0U);
	KUNIT_EXPECT_EQ(test, (__force u32)second->claimed, 0U);
	KUNIT_EXPECT_EQ(test, atomic_read(&first->wakeups), 1);
	KUNIT_EXPECT_EQ(test, atomic_read(&second->wakeups), 1);
	expect_poll(test, first, dmabuf, 0);
	expect_poll(test, second, dmabuf, 0);
	mock_fence_signal(b);
	KUNIT_EXPECT_EQ(test, atomic_read(&first->wakeups), 2);
	KUNIT_EXPECT_EQ(test, atomic_read(&second->wakeups), 2);
	expect_poll(test, second, dmabuf, EPOLLIN);
	mock_poller_leave(first);
	mock_poller_leave(second);
	mock_put(mock, dmabuf);
}

/*
 * A pending fence that is replaced in the reservation must not hold up later
 * pollers, nor may the later pollers hold up the earlier one.
 */
static void test_poll_replaced_fence(struct kunit *test)
{
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_PLAIN);
	struct dma_buf *dmabuf = mock_export(mock);
	struct mock_poller *first = mock_poller_create(test, EPOLLIN);
	struct mock_poller *second = mock_poller_create(test, EPOLLIN);
	struct dma_fence *stuck = mock_fence_create(test);
	struct dma_fence *next = mock_fence_create(test);

	mock_add_fence(dmabuf, stuck, DMA_RESV_USAGE_WRITE);
	expect_poll(test, first, dmabuf, 0);

	dma_resv_lock(dmabuf->resv, NULL);
	dma_resv_replace_fences(dmabuf->resv, stuck->context, next,
				DMA_RESV_USAGE_WRITE);
	dma_resv_unlock(dmabuf->resv);
	expect_poll(test, second, dmabuf, 0);
	/*
	 * The callback that the first poller relied on was removed: it is woken
	 * to look again.
	 */
	KUNIT_EXPECT_EQ(test, atomic_read(&first->wakeups), 1);
	KUNIT_EXPECT_EQ(test, (__force u32)first->claimed, 0U);
	expect_poll(test, first, dmabuf, 0);
	expect_poll(test, second, dmabuf, 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&first->wakeups), 1);

	mock_fence_signal(next);
	KUNIT_EXPECT_EQ(test, atomic_read(&first->wakeups), 2);
	expect_poll(test, first, dmabuf, EPOLLIN);
	expect_poll(test, second, dmabuf, EPOLLIN);
	mock_poller_leave(first);
	mock_poller_leave(second);
	mock_put(mock, dmabuf);
}

/*
 * The same with a fence among others, which a later one of its timeline
 * supersedes.
 */
static void test_poll_superseded_fence(struct kunit *test)
{
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_PLAIN);
	struct dma_buf *dmabuf = mock_export(mock);
	struct mock_poller *poller = mock_poller_create(test, EPOLLOUT);
	struct dma_fence *other = mock_fence_create(test);
	struct dma_fence *elder = mock_fence_create(test);
	struct dma_fence *next = mock_fence_next(elder);

	mock_add_fence(dmabuf, elder, DMA_RESV_USAGE_READ);
	mock_add_fence(dmabuf, other, DMA_RESV_USAGE_READ);
	expect_poll(test, poller, dmabuf, 0);
	mock_add_fence(dmabuf, next, DMA_RESV_USAGE_READ);
	expect_poll(test, poller, dmabuf, 0);
	mock_fence_signal(other);
	expect_poll(test, poller, dmabuf, 0);
	atomic_set(&poller->wakeups, 0);
	mock_fence_signal(next);
	KUNIT_EXPECT_EQ(test, atomic_read(&poller->wakeups), 1);
	expect_poll(test, poller, dmabuf, EPOLLOUT);
	mock_poller_leave(poller);
	mock_put(mock, dmabuf);
}

/*
 * Two threads poll while fences are added and signalled: none may miss its
 * wake-up.
 */
struct test_race {
	struct dma_buf *dmabuf;
	struct mock_poller *poller;
	struct completion done;
	bool stop;
};

static int test_poll_thread(void *data)
{
	struct test_race *race = data;

	while (!READ_ONCE(race->stop)) {
		mock_poll(race->poller, race->dmabuf);
		cond_resched();
	}
	/* Do not return into the module, which may be unloaded by then. */
	kthread_complete_and_exit(&race->done, 0);
}

static void test_poll_race(struct kunit *test)
{
	enum { ROUNDS = 300 };
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_PLAIN);
	struct mock_poller *poller = mock_poller_create(test, EV_IN | EV_OUT);
	struct test_race race = { };
	struct task_struct *task;
	unsigned long end;
	int i, lost = 0;

	init_completion(&race.done);
	race.dmabuf = mock_export(mock);
	race.poller = mock_poller_create(test, EV_IN | EV_OUT);
	task = kthread_run(test_poll_thread, &race, "dma-buf-poll");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, task);

	for (i = 0; i < ROUNDS && !lost; i++) {
		struct dma_fence *fence = mock_fence_create(test);

		mock_add_fence(race.dmabuf, fence, i & 1 ?
			       DMA_RESV_USAGE_WRITE : DMA_RESV_USAGE_READ);
		mock_fence_signal_later(fence, 0);
		atomic_set(&poller->wakeups, 0);
		if (mock_poll(poller, race.dmabuf) & EPOLLOUT)
			continue;
		/* Not ready, so a wake-up must follow. */
		end = jiffies + 30 * HZ;
		while (!atomic_read(&poller->wakeups) && time_before(jiffies, end))
			usleep_range(100, 1000);
		lost += !atomic_read(&poller->wakeups);
	}
	KUNIT_EXPECT_EQ(test, lost, 0);

	WRITE_ONCE(race.stop, true);
	wait_for_completion(&race.done);
	mock_poller_leave(race.poller);
	mock_poller_leave(poller);
	mock_put(mock, race.dmabuf);
}

/* A fence as drivers should make them: with the lock inside and no release hook */
struct test_plain_fence {
	struct dma_fence base; /* first, as dma_fence_free() frees it */
	spinlock_t lock; /* of @base */
};

static const char *test_plain_name(struct dma_fence *fence)
{
	return "plain";
}

static const struct dma_fence_ops test_plain_ops = {
	.get_driver_name	= test_plain_name,
	.get_timeline_name	= test_plain_name,
};

/*
 * Each fence of a timeline replaces the one before it in the reservation, which
 * drops the last reference to the older fence, while another thread polls
 * without holding the reservation. The memory and the lock of the older fence
 * must stay valid for that poller; KASAN and lockdep report it if they do not.
 */
static void test_poll_superseded_race(struct kunit *test)
{
	enum { ROUNDS = 3000 };
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_PLAIN);
	u64 context = dma_fence_context_alloc(1);
	struct test_race race = { };
	struct task_struct *task;
	int i;

	init_completion(&race.done);
	race.dmabuf = mock_export(mock);
	race.poller = mock_poller_create(test, EV_IN | EV_OUT);
	task = kthread_run(test_poll_thread, &race, "dma-buf-poll");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, task);

	for (i = 1; i <= ROUNDS; i++) {
		struct test_plain_fence *plain = kzalloc(sizeof(*plain), GFP_KERNEL);

		if (!plain)
			break;
		spin_lock_init(&plain->lock);
		dma_fence_init(&plain->base, &test_plain_ops, &plain->lock, context, i);
		mock_add_fence(race.dmabuf, &plain->base, DMA_RESV_USAGE_WRITE);
		dma_fence_signal(&plain->base);
		dma_fence_put(&plain->base);
	}

	WRITE_ONCE(race.stop, true);
	wait_for_completion(&race.done);
	KUNIT_EXPECT_GT(test, i, ROUNDS);
	expect_poll(test, race.poller, race.dmabuf, EV_IN | EV_OUT);
	mock_poller_leave(race.poller);
	mock_put(mock, race.dmabuf);
}

static const char *test_done_name(struct dma_fence *fence)
{
	return "done";
}

/* The work is done already, but the driver learns that only when asked. */
static bool test_done_enable_signaling(struct dma_fence *fence)
{
	return false;
}

static const struct dma_fence_ops test_done_ops = {
	.get_driver_name	= test_done_name,
	.get_timeline_name	= test_done_name,
	.enable_signaling	= test_done_enable_signaling,
};

static struct dma_fence *test_done_fence(struct kunit *test)
{
	static DEFINE_SPINLOCK(lock);
	struct dma_fence *fence = kzalloc(sizeof(*fence), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, fence);
	dma_fence_init(fence, &test_done_ops, &lock, dma_fence_context_alloc(1), 1);
	return fence;
}

/* A fence that signals while a callback is being added never calls it. */
static void test_poll_done_fence(struct kunit *test)
{
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_PLAIN);
	struct dma_buf *dmabuf = mock_export(mock);
	struct mock_poller *poller = mock_poller_create(test, EV_IN);
	struct dma_fence *done = test_done_fence(test);
	struct dma_fence *fence = mock_fence_create(test);
	int before;

	mock_add_fence(dmabuf, done, DMA_RESV_USAGE_WRITE);
	expect_poll(test, poller, dmabuf, EV_IN);
	KUNIT_EXPECT_TRUE(test, dma_fence_is_signaled(done));
	dma_fence_put(done);

	/*
	 * Such a fence must not keep the poller from the one that is still
	 * pending.
	 */
	done = test_done_fence(test);
	mock_add_fence(dmabuf, fence, DMA_RESV_USAGE_WRITE);
	mock_add_fence(dmabuf, done, DMA_RESV_USAGE_WRITE);
	expect_poll(test, poller, dmabuf, 0);
	dma_fence_put(done);
	before = atomic_read(&poller->wakeups);
	mock_fence_signal(fence);
	KUNIT_EXPECT_GT(test, atomic_read(&poller->wakeups), before);
	expect_poll(test, poller, dmabuf, EV_IN);
	mock_poller_leave(poller);
	mock_put(mock, dmabuf);
}

/* A program that polls in a loop without ever waiting gets its answer as well. */
static void test_poll_without_waiting(struct kunit *test)
{
	const __poll_t both = EPOLLIN | EPOLLOUT;
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_PLAIN);
	struct dma_buf *dmabuf = mock_export(mock);
	struct dma_fence *done = test_done_fence(test);
	struct dma_fence *fence = mock_fence_create(test);

	mock_add_fence(dmabuf, done, DMA_RESV_USAGE_WRITE);
	KUNIT_EXPECT_EQ(test, (__force u32)(vfs_poll(dmabuf->file, NULL) & both),
			(__force u32)both);
	dma_fence_put(done);

	done = test_done_fence(test);
	mock_add_fence(dmabuf, fence, DMA_RESV_USAGE_WRITE);
	mock_add_fence(dmabuf, done, DMA_RESV_USAGE_WRITE);
	dma_fence_put(done);
	KUNIT_EXPECT_EQ(test, (__force u32)(vfs_poll(dmabuf->file, NULL) & both), 0U);
	KUNIT_EXPECT_TRUE(test, test_bit(DMA_FENCE_FLAG_ENABLE_SIGNAL_BIT,
					 &fence->flags));
	mock_fence_signal(fence);
	KUNIT_EXPECT_EQ(test, (__force u32)(vfs_poll(dmabuf->file, NULL) & both),
			(__force u32)both);
	mock_put(mock, dmabuf);
}

static struct kunit_case dma_buf_poll_test_cases[] = {
	KUNIT_CASE(test_poll_idle),
	KUNIT_CASE_PARAM(test_poll_fence, poll_gen_params),
	KUNIT_CASE(test_poll_signaled),
	KUNIT_CASE(test_poll_many_fences),
	KUNIT_CASE(test_poll_batches),
	KUNIT_CASE(test_poll_batch_displaced),
	KUNIT_CASE(test_poll_later_fence),
	KUNIT_CASE(test_poll_replaced_fence),
	KUNIT_CASE(test_poll_superseded_fence),
	KUNIT_CASE(test_poll_done_fence),
	KUNIT_CASE(test_poll_without_waiting),
	KUNIT_CASE_SLOW(test_poll_race),
	KUNIT_CASE_SLOW(test_poll_superseded_race),
	{}
};

static struct kunit_suite dma_buf_poll_test_suite = {
	.name = "dma_buf_poll",
	.init = test_init,
	.test_cases = dma_buf_poll_test_cases,
};

kunit_test_suite(dma_buf_poll_test_suite);
