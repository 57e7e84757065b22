// SPDX-License-Identifier: GPL-2.0-only
/*
 * Asynchronous polls on a dma-buf: IOCB_CMD_POLL of aio, IORING_OP_POLL_ADD of
 * io_uring.
 *
 * A task that sleeps in poll(2) looks at the buffer again when it is woken.
 * These two interfaces take the events that a wake-up carries as the result,
 * and look again only if it carries none. So the events of a wake-up must be
 * true for every waiter, whatever fences have been added since and whichever
 * direction it waits for.
 *
 * The fences are sw_sync's: they signal when the test says so.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <linux/aio_abi.h>
#include <linux/time_types.h>

#include "fixture.h"
#include "uring.h"

#define READ	DMA_BUF_SYNC_READ
#define WRITE	DMA_BUF_SYNC_WRITE

#define FENCES	8

/*
 * Number of polls of a queue, counted from 0; the number after the last is for
 * cancellations
 */
#define POLLS	8
#define CANCEL	POLLS

/* The variant of the call whose timeout is a struct __kernel_timespec */
#ifdef __NR_io_pgetevents_time64
#define NR_GETEVENTS	__NR_io_pgetevents_time64
#else
#define NR_GETEVENTS	__NR_io_pgetevents
#endif

/*
 * A queue of asynchronous polls, of either kind
 */

enum interface {
	AIO,
	IO_URING,
};

struct queue {
	enum interface interface;
	bool open;
	aio_context_t aio;
	struct iocb iocbs[POLLS];
	struct uring ring;
	/* Answers that have arrived and not been waited for yet */
	struct {
		int answers;
		int result;	/* of the last answer: events or negative errno */
		bool more;	/* the poll goes on */
	} polls[POLLS + 1];
};

static struct __kernel_timespec timespec_ms(int ms)
{
	return (struct __kernel_timespec) {
		.tv_sec = ms / 1000,
		.tv_nsec = ms % 1000 * 1000000L,
	};
}

static int ring_submit(struct uring *ring, const struct io_uring_sqe *sqe)
{
	int n = uring_submit(ring, sqe, 0);

	if (n < 0)
		return n;
	return n == 1 ? 0 : -EIO;
}

static int ring_take(struct uring *ring, struct io_uring_cqe *cqe, int timeout_ms)
{
	struct __kernel_timespec ts = timespec_ms(timeout_ms);
	struct io_uring_getevents_arg arg = { .ts = (uintptr_t)&ts };

	if (syscall(__NR_io_uring_enter, ring->fd, 0, 1,
		    IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG, &arg,
		    sizeof(arg)) < 0)
		return -errno;
	return uring_take(ring, cqe) ? 0 : -EIO;
}

static int queue_open(struct queue *q, enum interface interface)
{
	int err = 0;

	*q = (struct queue) { .interface = interface };
	if (interface == IO_URING)
		err = uring_open(&q->ring, POLLS);
	else if (syscall(__NR_io_setup, POLLS, &q->aio))
		err = -errno;
	q->open = !err;
	return err;
}

/* Whether the kernel lacks the interface, or forbids its use */
static bool queue_missing(enum interface interface, int err)
{
	static const char * const sysctls[] = {
		[AIO] = "/proc/sys/fs/aio-nr",
		[IO_URING] = "/proc/sys/kernel/io_uring_disabled",
	};

	return err && (err == -EPERM || access(sysctls[interface], F_OK));
}

/* Cancel what is pending, as the end of the process does. */
static int queue_close(struct queue *q)
{
	if (!q->open)
		return 0;
	q->open = false;
	if (q->interface == IO_URING)
		uring_close(&q->ring);
	else if (syscall(__NR_io_destroy, q->aio))
		return -errno;
	return 0;
}

static int ring_poll(struct queue *q, int id, int fd, __u32 events, __u32 flags)
{
	struct io_uring_sqe sqe = {
		.opcode = IORING_OP_POLL_ADD,
		.fd = fd,
		.poll32_events = events,
		.len = flags,
		.user_data = id,
	};

#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	/* The old field of 16 bits comes first */
	sqe.poll32_events = events << 16 | events >> 16;
#endif
	return ring_submit(&q->ring, &sqe);
}

/* Poll number id of the queue */
static int queue_poll(struct queue *q, int id, int fd, short events)
{
	struct iocb *iocb = &q->iocbs[id];

	if (q->interface == IO_URING)
		return ring_poll(q, id, fd, events, 0);

	*iocb = (struct iocb) {
		.aio_lio_opcode = IOCB_CMD_POLL,
		.aio_fildes = fd,
		.aio_buf = events,
		.aio_data = id,
	};
	return syscall(__NR_io_submit, q->aio, 1, &iocb) == 1 ? 0 : -errno;
}

static int queue_take(struct queue *q, int timeout_ms)
{
	struct __kernel_timespec ts = timespec_ms(timeout_ms);
	struct io_uring_cqe cqe;
	struct io_event event;
	bool more = false;
	__u64 id;
	int res;

	if (q->interface == IO_URING) {
		res = ring_take(&q->ring, &cqe, timeout_ms);
		if (res)
			return res;
		id = cqe.user_data;
		res = cqe.res;
		more = cqe.flags & IORING_CQE_F_MORE;
	} else {
		res = syscall(NR_GETEVENTS, q->aio, 1, 1, &event, &ts, NULL);
		if (res < 0)
			return -errno;
		if (!res)
			return -ETIME;
		id = event.data;
		res = event.res;
	}

	if (id >= ARRAY_SIZE(q->polls))
		return -EIO;
	q->polls[id].answers++;
	q->polls[id].result = res;
	q->polls[id].more = more;
	return 0;
}

/* Wait for the next answer to poll number id; -ETIME if none comes */
static int queue_wait(struct queue *q, int id, int timeout_ms)
{
	int err;

	while (!q->polls[id].answers) {
		err = queue_take(q, timeout_ms);
		if (err)
			return err;
	}
	q->polls[id].answers--;
	return q->polls[id].result;
}

/* Returns 0 if the poll was pending. Its answer is yet to come. */
static int queue_cancel(struct queue *q, int id)
{
	struct io_uring_sqe sqe = {
		.opcode = IORING_OP_POLL_REMOVE,
		.fd = -1,
		.addr = id,
		.user_data = CANCEL,
	};
	struct io_event unused;
	int err;

	if (q->interface == IO_URING) {
		err = ring_submit(&q->ring, &sqe);
		return err ? err : queue_wait(q, CANCEL, WAKE_MS);
	}
	if (!syscall(__NR_io_cancel, q->aio, &q->iocbs[id], &unused))
		return -EIO;
	return errno == EINPROGRESS ? 0 : -errno;
}

/* The answer to a poll that was cancelled */
static int cancelled(struct queue *q)
{
	return q->interface == IO_URING ? -ECANCELED : 0;
}

/*
 * Queues drop their reference to a file in a worker, somewhat after the answer.
 */

static long count_settles(int fd, long expected)
{
	int ms;

	for (ms = 0; ms < WAKE_MS && fdinfo_count(fd) != expected; ms += 2)
		sleep_ms(2);
	return fdinfo_count(fd);
}

/* What a test works with */
struct bench {
	int fd;
	int timeline;
	size_t size;
	ino_t ino;
	struct queue queue;
};

static void bench_open(struct __test_metadata *_metadata, struct bench *b,
		       enum interface interface, enum exporter exporter)
{
	int err;

	b->timeline = need_timeline(_metadata);

	err = queue_open(&b->queue, interface);
	if (queue_missing(interface, err))
		SKIP_TEST("%s: %s", interface == AIO ? "aio" : "io_uring",
			  strerror(-err));
	ASSERT_EQ(0, err);

	b->fd = need_buffer(_metadata, exporter, &b->size, O_RDWR | O_CLOEXEC);
	b->ino = buffer_ino(b->fd);
}

static void bench_close(struct bench *b)
{
	/* In this order: a stuck fence would keep a broken core's buffer */
	close(b->timeline);
	queue_close(&b->queue);
	close(b->fd);
}

FIXTURE(async) {
	struct bench b;
};

FIXTURE_VARIANT(async) {
	enum interface interface;
	enum exporter exporter;
};

FIXTURE_VARIANT_ADD(async, aio_system_heap) {
	.interface = AIO,
	.exporter = SYSTEM_HEAP,
};

FIXTURE_VARIANT_ADD(async, io_uring_system_heap) {
	.interface = IO_URING,
	.exporter = SYSTEM_HEAP,
};

/* With a reservation that is the exporter's, not the buffer's own */
FIXTURE_VARIANT_ADD(async, aio_vgem) {
	.interface = AIO,
	.exporter = VGEM,
};

FIXTURE_VARIANT_ADD(async, io_uring_vgem) {
	.interface = IO_URING,
	.exporter = VGEM,
};

FIXTURE_SETUP(async)
{
	bench_open(_metadata, &self->b, variant->interface, variant->exporter);
}

FIXTURE_TEARDOWN(async)
{
	bench_close(&self->b);
}

/*
 * Nothing pending
 */

TEST_F(async, idle_is_ready)
{
	const short asked[] = {
		POLLIN, POLLOUT, POLLIN | POLLOUT, POLLRDNORM, POLLWRNORM,
		POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM,
	};
	struct queue *q = &self->b.queue;
	int i;

	for (i = 0; i < ARRAY_SIZE(asked); i++) {
		ASSERT_EQ(0, queue_poll(q, 0, self->b.fd, asked[i]));
		ASSERT_EQ(asked[i], queue_wait(q, 0, WAKE_MS));
	}
	ASSERT_EQ(-ETIME, queue_wait(q, 0, QUIET_MS));
	ASSERT_EQ(1, count_settles(self->b.fd, 1));
}

/* Other events never arrive, whichever poll is woken */
TEST_F(async, other_events)
{
	struct queue *q = &self->b.queue;

	ASSERT_EQ(0, queue_poll(q, 0, self->b.fd, POLLPRI));
	ASSERT_EQ(0, timeline_import(self->b.timeline, 1, self->b.fd, WRITE));
	ASSERT_EQ(0, queue_poll(q, 1, self->b.fd, POLLIN));
	ASSERT_EQ(0, queue_poll(q, 2, self->b.fd, POLLPRI));
	ASSERT_EQ(0, timeline_advance(self->b.timeline, 1));
	ASSERT_EQ(POLLIN, queue_wait(q, 1, WAKE_MS));
	ASSERT_EQ(-ETIME, queue_wait(q, 0, QUIET_MS));
	ASSERT_EQ(-ETIME, queue_wait(q, 2, 0));
}

/*
 * What each kind of fence holds up
 */

TEST_F(async, waits_for_fence)
{
	const struct {
		__u32 fence;
		short asked;
	} cases[] = {
		{ WRITE, POLLIN },
		{ WRITE, POLLIN | POLLOUT },
		{ WRITE, POLLRDNORM | POLLWRNORM },
		{ READ, POLLOUT },
	};
	struct queue *q = &self->b.queue;
	int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		ASSERT_EQ(0, timeline_import(self->b.timeline, i + 1, self->b.fd,
					     cases[i].fence));
		ASSERT_EQ(0, queue_poll(q, 0, self->b.fd, cases[i].asked));
		ASSERT_EQ(-ETIME, queue_wait(q, 0, QUIET_MS))
			TH_LOG("case %d", i);
		ASSERT_EQ(0, timeline_advance(self->b.timeline, 1));
		ASSERT_EQ(cases[i].asked, queue_wait(q, 0, WAKE_MS))
			TH_LOG("case %d", i);
	}
	ASSERT_EQ(1, count_settles(self->b.fd, 1));
}

TEST_F(async, read_fence_holds_writers)
{
	struct queue *q = &self->b.queue;

	ASSERT_EQ(0, timeline_import(self->b.timeline, 1, self->b.fd, READ));
	ASSERT_EQ(0, queue_poll(q, 0, self->b.fd, POLLIN));
	ASSERT_EQ(0, queue_poll(q, 1, self->b.fd, POLLOUT));
	ASSERT_EQ(0, queue_poll(q, 2, self->b.fd, POLLIN | POLLOUT));
	ASSERT_EQ(POLLIN, queue_wait(q, 0, WAKE_MS));
	ASSERT_EQ(POLLIN, queue_wait(q, 2, WAKE_MS));
	ASSERT_EQ(-ETIME, queue_wait(q, 1, QUIET_MS));
	ASSERT_EQ(0, timeline_advance(self->b.timeline, 1));
	ASSERT_EQ(POLLOUT, queue_wait(q, 1, WAKE_MS));
}

/* A fence that failed is done as well */
TEST_F(async, fence_with_error)
{
	struct queue *q = &self->b.queue;
	int timeline = timeline_open();

	ASSERT_LE(0, timeline);
	ASSERT_EQ(0, timeline_import(timeline, 1, self->b.fd, WRITE));
	ASSERT_EQ(0, queue_poll(q, 0, self->b.fd, POLLIN));
	ASSERT_EQ(-ETIME, queue_wait(q, 0, QUIET_MS));
	close(timeline);
	ASSERT_EQ(POLLIN, queue_wait(q, 0, WAKE_MS));
}

/*
 * Fences that were added since
 */

/*
 * A poll waits for one fence while another is added. The poll must wait for
 * both, whichever signals first, and whether or not another poll looked in
 * between.
 */
static void added_fence(struct __test_metadata *_metadata, struct bench *b,
			__u32 fence, short events, bool look, bool in_order)
{
	int second = timeline_open();

	ASSERT_LE(0, second);
	ASSERT_EQ(0, timeline_import(b->timeline, 1, b->fd, fence));
	ASSERT_EQ(0, queue_poll(&b->queue, 0, b->fd, events));
	ASSERT_EQ(0, timeline_import(second, 1, b->fd, fence));
	if (look) {
		EXPECT_EQ(0, poll_now(b->fd, events));
		ASSERT_EQ(-ETIME, queue_wait(&b->queue, 0, QUIET_MS));
	}

	ASSERT_EQ(0, timeline_advance(in_order ? b->timeline : second, 1));
	ASSERT_EQ(-ETIME, queue_wait(&b->queue, 0, QUIET_MS));
	EXPECT_EQ(0, poll_now(b->fd, events));
	ASSERT_EQ(0, timeline_advance(in_order ? second : b->timeline, 1));
	ASSERT_EQ(events, queue_wait(&b->queue, 0, WAKE_MS));
	close(second);
}

TEST_F(async, added_fence_holds_reader)
{
	added_fence(_metadata, &self->b, WRITE, POLLIN, false, true);
}

TEST_F(async, added_fence_holds_writer)
{
	added_fence(_metadata, &self->b, READ, POLLOUT, false, true);
}

TEST_F(async, added_fence_holds_either)
{
	added_fence(_metadata, &self->b, WRITE, POLLIN | POLLOUT, false, true);
}

TEST_F(async, added_fence_holds_reader_after_look)
{
	added_fence(_metadata, &self->b, WRITE, POLLIN, true, true);
}

TEST_F(async, added_fence_holds_writer_after_look)
{
	added_fence(_metadata, &self->b, READ, POLLOUT, true, true);
}

TEST_F(async, added_fence_out_of_order)
{
	added_fence(_metadata, &self->b, WRITE, POLLIN, true, false);
}

/* A later poll that waits for both fences does not change that */
TEST_F(async, late_poll)
{
	struct queue *q = &self->b.queue;
	int second = timeline_open();

	ASSERT_LE(0, second);
	ASSERT_EQ(0, timeline_import(self->b.timeline, 1, self->b.fd, WRITE));
	ASSERT_EQ(0, queue_poll(q, 0, self->b.fd, POLLIN));
	ASSERT_EQ(0, timeline_import(second, 1, self->b.fd, WRITE));
	ASSERT_EQ(0, queue_poll(q, 1, self->b.fd, POLLIN));
	ASSERT_EQ(0, timeline_advance(self->b.timeline, 1));
	ASSERT_EQ(-ETIME, queue_wait(q, 0, QUIET_MS));
	ASSERT_EQ(-ETIME, queue_wait(q, 1, 0));
	ASSERT_EQ(0, timeline_advance(second, 1));
	ASSERT_EQ(POLLIN, queue_wait(q, 0, WAKE_MS));
	ASSERT_EQ(POLLIN, queue_wait(q, 1, WAKE_MS));
	close(second);
}

/*
 * A later fence of the same timeline takes the place of the one that is waited
 * for. With a look, another poller notices.
 */
static void superseded(struct __test_metadata *_metadata, struct bench *b,
		       __u32 fence, short events, bool look)
{
	ASSERT_EQ(0, timeline_import(b->timeline, 1, b->fd, fence));
	ASSERT_EQ(0, queue_poll(&b->queue, 0, b->fd, events));
	ASSERT_EQ(0, timeline_import(b->timeline, 2, b->fd, fence));
	if (look) {
		EXPECT_EQ(0, poll_now(b->fd, events));
		ASSERT_EQ(-ETIME, queue_wait(&b->queue, 0, QUIET_MS));
	}
	ASSERT_EQ(0, timeline_advance(b->timeline, 1));
	ASSERT_EQ(-ETIME, queue_wait(&b->queue, 0, QUIET_MS));
	ASSERT_EQ(0, timeline_advance(b->timeline, 1));
	ASSERT_EQ(events, queue_wait(&b->queue, 0, WAKE_MS));
}

TEST_F(async, superseded_fence_of_reader)
{
	superseded(_metadata, &self->b, WRITE, POLLIN, false);
}

TEST_F(async, superseded_fence_of_reader_after_look)
{
	superseded(_metadata, &self->b, WRITE, POLLIN, true);
}

TEST_F(async, superseded_fence_of_writer_after_look)
{
	superseded(_metadata, &self->b, READ, POLLOUT, true);
}

/*
 * One fence is always pending: the poll must wait, and be woken in the end. A
 * fence that is added while the kernel looks may be missed, see dma-buf-poll.c:
 * that happens occasionally on a slow machine, but every time if the poll does
 * not wait.
 */
TEST_F(async, flow_of_fences)
{
	struct queue *q = &self->b.queue;
	int timelines[FENCES], i, got, early = 0;

	for (i = 0; i < FENCES; i++) {
		timelines[i] = timeline_open();
		ASSERT_LE(0, timelines[i]);
	}
	ASSERT_EQ(0, timeline_import(timelines[0], 1, self->b.fd, WRITE));
	ASSERT_EQ(0, queue_poll(q, 0, self->b.fd, POLLIN));
	for (i = 1; i < FENCES; i++) {
		ASSERT_EQ(0, timeline_import(timelines[i], 1, self->b.fd, WRITE));
		ASSERT_EQ(0, timeline_advance(timelines[i - 1], 1));
		got = queue_wait(q, 0, QUIET_MS);
		if (got == -ETIME)
			continue;
		early++;
		ASSERT_EQ(POLLIN, got);
		ASSERT_EQ(0, queue_poll(q, 0, self->b.fd, POLLIN));
	}
	EXPECT_GT(FENCES / 2, early);
	ASSERT_EQ(0, timeline_advance(timelines[FENCES - 1], 1));
	ASSERT_EQ(POLLIN, queue_wait(q, 0, WAKE_MS));
	for (i = 0; i < FENCES; i++)
		close(timelines[i]);
}

/*
 * Several polls that wait for different events
 */

TEST_F(async, writer_waits_on)
{
	struct queue *q = &self->b.queue;
	int reader = timeline_open();

	ASSERT_LE(0, reader);
	ASSERT_EQ(0, timeline_import(self->b.timeline, 1, self->b.fd, WRITE));
	ASSERT_EQ(0, timeline_import(reader, 1, self->b.fd, READ));
	ASSERT_EQ(0, queue_poll(q, 0, self->b.fd, POLLOUT));
	ASSERT_EQ(0, queue_poll(q, 1, self->b.fd, POLLIN));
	ASSERT_EQ(0, queue_poll(q, 2, self->b.fd, POLLIN | POLLOUT));
	EXPECT_EQ(0, poll_now(self->b.fd, POLLIN | POLLOUT));

	ASSERT_EQ(0, timeline_advance(self->b.timeline, 1));
	ASSERT_EQ(POLLIN, queue_wait(q, 1, WAKE_MS));
	ASSERT_EQ(POLLIN, queue_wait(q, 2, WAKE_MS));
	ASSERT_EQ(-ETIME, queue_wait(q, 0, QUIET_MS));
	EXPECT_EQ(POLLIN, poll_now(self->b.fd, POLLIN | POLLOUT));
	ASSERT_EQ(-ETIME, queue_wait(q, 0, QUIET_MS));

	ASSERT_EQ(0, timeline_advance(reader, 1));
	ASSERT_EQ(POLLOUT, queue_wait(q, 0, WAKE_MS));
	close(reader);
}

TEST_F(async, all_are_answered)
{
	struct queue *q = &self->b.queue;
	struct poller poller;
	int i;

	ASSERT_EQ(0, timeline_import(self->b.timeline, 1, self->b.fd, WRITE));
	for (i = 0; i < POLLS; i++)
		ASSERT_EQ(0, queue_poll(q, i, self->b.fd, i % 2 ? POLLIN : POLLOUT));
	ASSERT_EQ(0, poller_start(&poller, self->b.fd, POLLIN));
	EXPECT_FALSE(poller_done(&poller));
	ASSERT_EQ(0, timeline_advance(self->b.timeline, 1));
	for (i = 0; i < POLLS; i++)
		ASSERT_EQ(i % 2 ? POLLIN : POLLOUT, queue_wait(q, i, WAKE_MS));
	EXPECT_EQ(POLLIN, poller_join(&poller));
	ASSERT_EQ(1, count_settles(self->b.fd, 1));
}

struct signaller {
	int timeline;
	bool go;
};

static void *signaller_main(void *arg)
{
	struct signaller *s = arg;

	while (!__atomic_load_n(&s->go, __ATOMIC_ACQUIRE))
		;
	timeline_advance(s->timeline, 1);
	return NULL;
}

/* No answer gets lost between the look and the wait */
TEST_F(async, signal_races_with_poll)
{
	struct queue *q = &self->b.queue;
	int round, spin;

	for (round = 1; round <= 50; round++) {
		struct signaller s = { .timeline = self->b.timeline };
		pthread_t thread;

		ASSERT_EQ(0, timeline_import(self->b.timeline, round, self->b.fd, WRITE));
		ASSERT_EQ(0, pthread_create(&thread, NULL, signaller_main, &s));
		__atomic_store_n(&s.go, true, __ATOMIC_RELEASE);
		for (spin = 0; spin < round * 50; spin++)
			__asm__ volatile("" ::: "memory");
		ASSERT_EQ(0, queue_poll(q, 0, self->b.fd, POLLIN));
		ASSERT_EQ(POLLIN, queue_wait(q, 0, WAKE_MS))
			TH_LOG("round %d", round);
		pthread_join(thread, NULL);
	}
	ASSERT_EQ(1, count_settles(self->b.fd, 1));
}

/*
 * The end of a poll, before its fence's. A poll that is pending holds the file;
 * one that is not leaves nothing.
 */

TEST_F(async, cancelled_poll)
{
	struct queue *q = &self->b.queue;

	ASSERT_EQ(0, timeline_import(self->b.timeline, 1, self->b.fd, WRITE));
	ASSERT_EQ(0, queue_poll(q, 0, self->b.fd, POLLIN));
	ASSERT_EQ(0, queue_poll(q, 1, self->b.fd, POLLIN));
	EXPECT_EQ(3, fdinfo_count(self->b.fd));
	ASSERT_EQ(0, queue_cancel(q, 0));
	ASSERT_EQ(cancelled(q), queue_wait(q, 0, WAKE_MS));
	ASSERT_EQ(2, count_settles(self->b.fd, 2));

	/* The other one is still waited for */
	ASSERT_EQ(-ETIME, queue_wait(q, 1, QUIET_MS));
	ASSERT_EQ(0, timeline_advance(self->b.timeline, 1));
	ASSERT_EQ(POLLIN, queue_wait(q, 1, WAKE_MS));
	ASSERT_EQ(-ETIME, queue_wait(q, 0, QUIET_MS));
	ASSERT_EQ(1, count_settles(self->b.fd, 1));
}

TEST_F(async, closed_queue)
{
	struct queue *q = &self->b.queue;

	ASSERT_EQ(0, timeline_import(self->b.timeline, 1, self->b.fd, WRITE));
	ASSERT_EQ(0, queue_poll(q, 0, self->b.fd, POLLIN));
	ASSERT_EQ(0, queue_poll(q, 1, self->b.fd, POLLOUT));
	EXPECT_EQ(3, fdinfo_count(self->b.fd));
	ASSERT_EQ(0, queue_close(q));
	ASSERT_EQ(1, count_settles(self->b.fd, 1));

	/* Earlier polls do not affect later ones */
	EXPECT_EQ(0, poll_for(self->b.fd, POLLIN, QUIET_MS));
	ASSERT_EQ(0, timeline_advance(self->b.timeline, 1));
	EXPECT_EQ(POLLIN | POLLOUT, poll_now(self->b.fd, POLLIN | POLLOUT));
}

/* What is closed first is the descriptor: the queue still holds the buffer */
TEST_F(async, closed_buffer)
{
	int fence = timeline_fence(self->b.timeline, 1);
	struct queue *q = &self->b.queue;

	need_bufinfo(_metadata);

	ASSERT_LE(0, fence);
	ASSERT_EQ(0, buffer_import_sync_file(self->b.fd, WRITE, fence));
	ASSERT_EQ(0, queue_poll(q, 0, self->b.fd, POLLIN));
	close(self->b.fd);
	self->b.fd = -1;
	ASSERT_EQ(-ETIME, queue_wait(q, 0, QUIET_MS));
	EXPECT_EQ(1, bufinfo_lines(self->b.ino));
	ASSERT_EQ(0, queue_close(q));
	ASSERT_EQ(0, bufinfo_lines_settle(self->b.ino, 0));

	/* The fence finds nothing to do */
	EXPECT_EQ(0, sync_file_status(fence, NULL));
	ASSERT_EQ(0, timeline_advance(self->b.timeline, 1));
	EXPECT_EQ(1, sync_file_status(fence, NULL));
	close(fence);
}

TEST_F(async, closed_buffer_is_answered)
{
	struct queue *q = &self->b.queue;

	need_bufinfo(_metadata);

	ASSERT_EQ(0, timeline_import(self->b.timeline, 1, self->b.fd, WRITE));
	ASSERT_EQ(0, queue_poll(q, 0, self->b.fd, POLLIN));
	close(self->b.fd);
	self->b.fd = -1;
	ASSERT_EQ(-ETIME, queue_wait(q, 0, QUIET_MS));
	ASSERT_EQ(0, timeline_advance(self->b.timeline, 1));
	ASSERT_EQ(POLLIN, queue_wait(q, 0, WAKE_MS));
	ASSERT_EQ(0, bufinfo_lines_settle(self->b.ino, 0));
}

TEST_F(async, closed_by_death)
{
	int status;
	pid_t pid;

	ASSERT_EQ(0, timeline_import(self->b.timeline, 1, self->b.fd, WRITE));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		struct queue own;

		if (queue_open(&own, variant->interface) ||
		    queue_poll(&own, 0, self->b.fd, POLLIN) ||
		    queue_poll(&own, 1, self->b.fd, POLLOUT) ||
		    queue_wait(&own, 0, 0) != -ETIME)
			_exit(1);
		_exit(0);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	ASSERT_EQ(1, count_settles(self->b.fd, 1));
	EXPECT_EQ(0, poll_now(self->b.fd, POLLIN));
}

/*
 * What io_uring has beyond that
 */

FIXTURE(io_uring) {
	struct bench b;
};

FIXTURE_SETUP(io_uring)
{
	bench_open(_metadata, &self->b, IO_URING, SYSTEM_HEAP);
}

FIXTURE_TEARDOWN(io_uring)
{
	bench_close(&self->b);
}

/*
 * A poll that goes on after its first answer is edge-triggered, and an edge is
 * guaranteed for the fences that were pending at the last look.
 */
TEST_F(io_uring, multishot)
{
	struct queue *q = &self->b.queue;
	int round;

	ASSERT_EQ(0, ring_poll(q, 0, self->b.fd, POLLIN, IORING_POLL_ADD_MULTI));
	ASSERT_EQ(POLLIN, queue_wait(q, 0, WAKE_MS));
	EXPECT_TRUE(q->polls[0].more);
	ASSERT_EQ(-ETIME, queue_wait(q, 0, QUIET_MS));
	for (round = 1; round <= 3; round++) {
		ASSERT_EQ(0, timeline_import(self->b.timeline, round, self->b.fd, WRITE));
		EXPECT_EQ(0, poll_now(self->b.fd, POLLIN));
		ASSERT_EQ(-ETIME, queue_wait(q, 0, QUIET_MS));
		ASSERT_EQ(0, timeline_advance(self->b.timeline, 1));
		ASSERT_EQ(POLLIN, queue_wait(q, 0, WAKE_MS))
			TH_LOG("round %d", round);
		EXPECT_TRUE(q->polls[0].more);
		ASSERT_EQ(-ETIME, queue_wait(q, 0, QUIET_MS));
	}
	ASSERT_EQ(0, queue_cancel(q, 0));
	ASSERT_EQ(-ECANCELED, queue_wait(q, 0, WAKE_MS));
	EXPECT_FALSE(q->polls[0].more);
	ASSERT_EQ(1, count_settles(self->b.fd, 1));
}

/* ... and each time it is not answered before all is done */
TEST_F(io_uring, multishot_added_fence)
{
	struct queue *q = &self->b.queue;
	int second = timeline_open(), round;

	ASSERT_LE(0, second);
	ASSERT_EQ(0, timeline_import(self->b.timeline, 1, self->b.fd, WRITE));
	ASSERT_EQ(0, ring_poll(q, 0, self->b.fd, POLLIN, IORING_POLL_ADD_MULTI));
	for (round = 1; round <= 3; round++) {
		ASSERT_EQ(0, timeline_import(second, round, self->b.fd, WRITE));
		ASSERT_EQ(-ETIME, queue_wait(q, 0, QUIET_MS));
		ASSERT_EQ(0, timeline_advance(self->b.timeline, 1));
		ASSERT_EQ(-ETIME, queue_wait(q, 0, QUIET_MS));
		ASSERT_EQ(0, timeline_advance(second, 1));
		ASSERT_EQ(POLLIN, queue_wait(q, 0, WAKE_MS))
			TH_LOG("round %d", round);
		ASSERT_EQ(-ETIME, queue_wait(q, 0, QUIET_MS));

		ASSERT_EQ(0, timeline_import(self->b.timeline, round + 1, self->b.fd,
					     WRITE));
		EXPECT_EQ(0, poll_now(self->b.fd, POLLIN));
	}
	close(second);
}

/* An exclusive waiter that is not ready must not consume another one's wake-up */
TEST_F(io_uring, exclusive)
{
	struct queue *q = &self->b.queue;
	int reader = timeline_open();

	ASSERT_LE(0, reader);
	ASSERT_EQ(0, timeline_import(self->b.timeline, 1, self->b.fd, WRITE));
	ASSERT_EQ(0, timeline_import(reader, 1, self->b.fd, READ));
	ASSERT_EQ(0, ring_poll(q, 0, self->b.fd, POLLOUT | EPOLLEXCLUSIVE, 0));
	ASSERT_EQ(0, ring_poll(q, 1, self->b.fd, POLLIN | EPOLLEXCLUSIVE, 0));
	ASSERT_EQ(0, ring_poll(q, 2, self->b.fd, POLLOUT | EPOLLEXCLUSIVE, 0));
	ASSERT_EQ(0, ring_poll(q, 3, self->b.fd, POLLIN | EPOLLEXCLUSIVE, 0));
	ASSERT_EQ(0, timeline_advance(self->b.timeline, 1));
	ASSERT_EQ(POLLIN, queue_wait(q, 1, WAKE_MS));
	ASSERT_EQ(POLLIN, queue_wait(q, 3, WAKE_MS));
	ASSERT_EQ(-ETIME, queue_wait(q, 0, QUIET_MS));
	ASSERT_EQ(-ETIME, queue_wait(q, 2, QUIET_MS));
	ASSERT_EQ(0, timeline_advance(reader, 1));
	ASSERT_EQ(POLLOUT, queue_wait(q, 0, WAKE_MS));
	ASSERT_EQ(POLLOUT, queue_wait(q, 2, WAKE_MS));
	close(reader);
}

TEST_HARNESS_MAIN
