// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which operations wait for which fences, and for a reservation that is held
 * for long. sw_sync and IMPORT_SYNC_FILE add only fences of readers and
 * writers; the test device adds those of the other usages.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>

#include "fixture.h"
#include "testdev.h"

#define START(dir)	(DMA_BUF_SYNC_START | DMA_BUF_SYNC_##dir)
#define END(dir)	(DMA_BUF_SYNC_END | DMA_BUF_SYNC_##dir)

#define EVENTS		(POLLIN | POLLOUT)

/* What goes on takes a moment, whatever a busy machine makes of that */
#define HELD_MS		10000

/*
 * One fence of each usage
 */

FIXTURE(usage) {
	int testdev;
	int fd;
	size_t size;
	ino_t ino;
	int fence;
};

FIXTURE_VARIANT(usage) {
	__u32 usage;
	bool holds_readers;
	bool holds_writers;
};

FIXTURE_VARIANT_ADD(usage, kernel) {
	.usage = DMA_BUF_TEST_KERNEL,
	.holds_readers = true,
	.holds_writers = true,
};

FIXTURE_VARIANT_ADD(usage, write) {
	.usage = DMA_BUF_TEST_WRITE,
	.holds_readers = true,
	.holds_writers = true,
};

FIXTURE_VARIANT_ADD(usage, read) {
	.usage = DMA_BUF_TEST_READ,
	.holds_writers = true,
};

FIXTURE_VARIANT_ADD(usage, bookkeep) {
	.usage = DMA_BUF_TEST_BOOKKEEP,
};

FIXTURE_SETUP(usage)
{
	self->testdev = need_testdev(_metadata);
	self->fd = need_buffer(_metadata, TESTDEV, &self->size, O_RDWR | O_CLOEXEC);
	self->ino = buffer_ino(self->fd);
	self->fence = testdev_fence(self->testdev, self->fd, variant->usage, 0);
	ASSERT_LT(0, self->fence);
}

FIXTURE_TEARDOWN(usage)
{
	close(self->fd);
	close(self->testdev);
}

static short ready(bool holds_readers, bool holds_writers)
{
	return (holds_readers ? 0 : POLLIN) | (holds_writers ? 0 : POLLOUT);
}

TEST_F(usage, poll)
{
	EXPECT_EQ(ready(variant->holds_readers, variant->holds_writers),
		  poll_now(self->fd, EVENTS));
	ASSERT_EQ(0, testdev_signal(self->testdev, self->fence, 0));
	EXPECT_EQ(EVENTS, poll_now(self->fd, EVENTS));
}

TEST_F(usage, poll_wakes)
{
	struct poller in, out;

	ASSERT_EQ(0, poller_start(&in, self->fd, POLLIN));
	ASSERT_EQ(0, poller_start(&out, self->fd, POLLOUT));
	EXPECT_EQ(variant->holds_readers, !poller_done(&in));
	EXPECT_EQ(variant->holds_writers, !poller_done(&out));
	ASSERT_EQ(0, testdev_signal(self->testdev, self->fence, 0));
	EXPECT_EQ(POLLIN, poller_join(&in));
	EXPECT_EQ(POLLOUT, poller_join(&out));
}

/* A worker signals */
TEST_F(usage, poll_wakes_by_itself)
{
	ASSERT_EQ(0, testdev_signal(self->testdev, self->fence, 0));
	ASSERT_LT(0, testdev_fence(self->testdev, self->fd, variant->usage, DELAY_MS));
	/* It may be over by now: what it does not hold up is ready in any case */
	EXPECT_EQ(0, ready(variant->holds_readers, variant->holds_writers) &
		     ~poll_now(self->fd, EVENTS));
	EXPECT_EQ(POLLIN, poll_for(self->fd, POLLIN, WAKE_MS));
	EXPECT_EQ(POLLOUT, poll_for(self->fd, POLLOUT, WAKE_MS));
}

TEST_F(usage, export_sync_file)
{
	const __u32 dirs[] = { DMA_BUF_SYNC_READ, DMA_BUF_SYNC_WRITE, DMA_BUF_SYNC_RW };
	int fences[3], i;
	bool held[3];

	held[0] = variant->holds_readers;
	held[1] = variant->holds_writers;
	held[2] = variant->holds_writers;
	for (i = 0; i < 3; i++) {
		fences[i] = buffer_export_sync_file(self->fd, dirs[i]);
		ASSERT_LE(0, fences[i]);
		EXPECT_EQ(!held[i], sync_file_status(fences[i], NULL));
	}
	ASSERT_EQ(0, testdev_signal(self->testdev, self->fence, 0));
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(1, sync_file_status(fences[i], NULL));
		close(fences[i]);
	}
}

TEST_F(usage, sync)
{
	const struct {
		__u64 flags;
		bool held;
	} calls[] = {
		{ START(READ), variant->holds_readers },
		{ START(WRITE), variant->holds_writers },
		{ START(RW), variant->holds_writers },
		{ END(READ), false },
		{ END(WRITE), false },
		{ END(RW), false },
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(calls); i++) {
		signals_begin();
		EXPECT_EQ(calls[i].held ? -EINTR : 0, buffer_sync(self->fd, calls[i].flags))
			TH_LOG("flags %llu", (long long)calls[i].flags);
		signals_end();
	}
	ASSERT_EQ(0, testdev_signal(self->testdev, self->fence, 0));
	for (i = 0; i < 3; i++)
		EXPECT_EQ(0, buffer_sync(self->fd, calls[i].flags));
}

/* Killed, the process does not stay for the fence */
TEST_F(usage, sync_killed)
{
	int status, ms;
	pid_t pid;

	if (!variant->holds_writers)
		SKIP(return, "nobody waits for such a fence");
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		_exit(!!buffer_sync(self->fd, START(WRITE)));
	sleep_ms(QUIET_MS);
	kill(pid, SIGKILL);
	for (ms = 0; ms < WAKE_MS && !waitpid(pid, &status, WNOHANG); ms += 5)
		sleep_ms(5);
	ASSERT_GT(WAKE_MS, ms);
	EXPECT_TRUE(WIFSIGNALED(status));
	EXPECT_EQ(1, fdinfo_count(self->fd));
}

/* An error is an end, and the next one can see it in the sync_file */
TEST_F(usage, error)
{
	int fence = buffer_export_sync_file(self->fd, DMA_BUF_SYNC_WRITE);

	ASSERT_LE(0, fence);
	ASSERT_EQ(0, testdev_signal(self->testdev, self->fence, -EIO));
	EXPECT_EQ(variant->holds_writers ? -EIO : 1, sync_file_status(fence, NULL));
	EXPECT_EQ(EVENTS, poll_now(self->fd, EVENTS));
	EXPECT_EQ(0, buffer_sync(self->fd, START(RW)));
	EXPECT_EQ(0, buffer_sync(self->fd, END(RW)));
	close(fence);
}

/* Whatever is pending on it, the last close() is the end */
TEST_F(usage, close)
{
	need_bufinfo(_metadata);
	poll_now(self->fd, EVENTS);
	close(self->fd);
	self->fd = -1;
	EXPECT_EQ(0, bufinfo_lines(self->ino));
	EXPECT_EQ(0, testdev_signal(self->testdev, self->fence, 0));
}

/* Others in the same line wait for what was there before, in one sync_file */
TEST_F(usage, all_in_one_sync_file)
{
	unsigned int fences;
	int out, second;

	second = testdev_fence(self->testdev, self->fd, DMA_BUF_TEST_READ, 0);
	ASSERT_LT(0, second);
	out = buffer_export_sync_file(self->fd, DMA_BUF_SYNC_WRITE);
	ASSERT_LE(0, out);
	EXPECT_EQ(0, sync_file_status(out, &fences));
	EXPECT_EQ(1 + variant->holds_writers, fences);
	ASSERT_EQ(0, testdev_signal(self->testdev, second, 0));
	EXPECT_EQ(!variant->holds_writers, sync_file_status(out, NULL));
	ASSERT_EQ(0, testdev_signal(self->testdev, self->fence, 0));
	EXPECT_EQ(1, sync_file_status(out, NULL));
	close(out);
}

/*
 * Fences of the usages KERNEL and BOOKKEEP are in no sync_file, but bufinfo
 * lists all fences: it shows why a task waits.
 */
TEST_F(usage, bufinfo)
{
	need_bufinfo(_metadata);
	EXPECT_EQ(1, bufinfo_fences(self->ino, NULL, 0));
	ASSERT_LT(0, testdev_fence(self->testdev, self->fd, variant->usage, 0));
	EXPECT_EQ(2, bufinfo_fences(self->ino, NULL, 0));
}

/*
 * A reservation that buffers share
 */

FIXTURE(shared) {
	int testdev;
	int fds[3];		/* the last one has a reservation of its own */
	__u32 ids[3];
};

FIXTURE_SETUP(shared)
{
	int i;

	self->testdev = need_testdev(_metadata);
	for (i = 0; i < 3; i++) {
		self->fds[i] = testdev_create(self->testdev,
					      i < 2 ? DMA_BUF_TEST_SHARED_RESV : 0,
					      TEST_PAGES * getpagesize(), &self->ids[i]);
		ASSERT_LE(0, self->fds[i]);
	}
}

FIXTURE_TEARDOWN(shared)
{
	int i;

	for (i = 0; i < 3; i++)
		close(self->fds[i]);
	close(self->testdev);
}

TEST_F(shared, fence_is_everybodys)
{
	int fence = testdev_fence(self->testdev, self->fds[0], DMA_BUF_TEST_WRITE, 0);
	struct poller poller;

	ASSERT_LT(0, fence);
	EXPECT_EQ(0, poll_now(self->fds[0], EVENTS));
	EXPECT_EQ(0, poll_now(self->fds[1], EVENTS));
	EXPECT_EQ(EVENTS, poll_now(self->fds[2], EVENTS));
	ASSERT_EQ(0, poller_start(&poller, self->fds[1], POLLIN));
	ASSERT_EQ(0, testdev_signal(self->testdev, fence, 0));
	EXPECT_EQ(POLLIN, poller_join(&poller));
}

/* One buffer goes while another is waited for, with the fences of both */
TEST_F(shared, one_goes)
{
	int fence = testdev_fence(self->testdev, self->fds[0], DMA_BUF_TEST_WRITE, 0);
	struct poller poller;

	ASSERT_LT(0, fence);
	EXPECT_EQ(0, poll_now(self->fds[0], EVENTS));
	ASSERT_EQ(0, poller_start(&poller, self->fds[1], POLLIN));
	close(self->fds[0]);
	self->fds[0] = -1;
	EXPECT_EQ(1, testdev_exporter(self->testdev, self->ids[0]).released);
	EXPECT_FALSE(poller_done(&poller));
	ASSERT_EQ(0, testdev_signal(self->testdev, fence, 0));
	EXPECT_EQ(POLLIN, poller_join(&poller));
}

/* Only the buffers hold the shared reservation: it is freed with the last of them */
TEST_F(shared, outlives_session)
{
	ASSERT_LT(0, testdev_fence(self->testdev, self->fds[0], DMA_BUF_TEST_WRITE, 0));
	close(self->testdev);
	/* Its fences signal with the session */
	EXPECT_EQ(EVENTS, poll_now(self->fds[0], EVENTS));
	close(self->fds[0]);
	self->fds[0] = -1;
	EXPECT_EQ(EVENTS, poll_now(self->fds[1], EVENTS));
	EXPECT_EQ(0, buffer_sync(self->fds[1], START(RW)));
	EXPECT_EQ(0, buffer_sync(self->fds[1], END(RW)));
	self->testdev = -1;
}

/*
 * Defects of the stock core: operations that sleep on the reservation. While it
 * is held, operations that do not need it must not wait; those that need it
 * must continue after its release.
 */

struct state {
	int testdev;		/* of the caller, not of the holder */
	int fd;
	__u32 id;
	size_t size;
	ino_t ino;
	int hold;
	int holder;
	int importer;
	int vmap;
	int fence;		/* a sync_file */
};

FIXTURE(held) {
	struct state s;
};

FIXTURE_VARIANT(held) {
	__u32 kind;
};

FIXTURE_VARIANT_ADD(held, own) {
	.kind = 0,
};

FIXTURE_VARIANT_ADD(held, shared) {
	.kind = DMA_BUF_TEST_SHARED_RESV,
};

FIXTURE_SETUP(held)
{
	struct state *s = &self->s;

	s->holder = need_testdev(_metadata);
	s->testdev = need_testdev(_metadata);
	s->size = TEST_PAGES * getpagesize();
	s->fd = testdev_create(s->testdev, variant->kind, s->size, &s->id);
	ASSERT_LE(0, s->fd);
	s->ino = buffer_ino(s->fd);
	s->importer = testdev_attach(s->testdev, s->fd, 0);
	ASSERT_LT(0, s->importer);
	s->vmap = testdev_vmap(s->testdev, s->fd);
	ASSERT_LT(0, s->vmap);
	s->fence = buffer_export_sync_file(s->fd, DMA_BUF_SYNC_RW);
	ASSERT_LE(0, s->fence);
}

FIXTURE_TEARDOWN(held)
{
	/* First what others may wait for */
	close(self->s.holder);
	close(self->s.fd);
	close(self->s.testdev);
}

static void hold(struct __test_metadata *_metadata, struct state *s)
{
	s->hold = testdev_hold(s->holder, s->fd);
	ASSERT_LT(0, s->hold);
}

/*
 * Calls what() in a process of its own. Returns how long that took, -1 if it went
 * wrong, or the process as a negative number if it is not over after limit_ms.
 */
static int call_for(struct state *s, int (*what)(struct state *s), int limit_ms)
{
	double begin = now_ms();
	int status;
	pid_t pid;

	pid = fork();
	if (!pid)
		_exit(!!what(s));
	while (!waitpid(pid, &status, WNOHANG)) {
		if (now_ms() - begin > limit_ms)
			return -(int)pid;
		sleep_ms(1);
	}
	return WIFEXITED(status) && !WEXITSTATUS(status) ? now_ms() - begin : -1;
}

/* Goes on while the reservation is held, which it is for longer than this */
static void goes_on(struct __test_metadata *_metadata, struct state *s,
		    int (*what)(struct state *s))
{
	hold(_metadata, s);
	EXPECT_LE(0, call_for(s, what, HELD_MS));
	EXPECT_EQ(0, testdev_free(s->holder, s->hold));
}

/* Waits while it is held, and no longer */
static void has_to_wait(struct __test_metadata *_metadata, struct state *s,
			int (*what)(struct state *s))
{
	int pid, status, ms;

	hold(_metadata, s);
	pid = call_for(s, what, QUIET_MS + DELAY_MS);
	ASSERT_GT(-1, pid)
		TH_LOG("it did not wait");
	/* Not only late: asleep */
	for (ms = 0; ms < WAKE_MS && !task_sleeps(-pid); ms += 5)
		sleep_ms(5);
	ASSERT_GT(WAKE_MS, ms)
		TH_LOG("it does not sleep");
	ASSERT_EQ(0, testdev_free(s->holder, s->hold));
	for (ms = 0; ms < WAKE_MS && !waitpid(-pid, &status, WNOHANG); ms += 5)
		sleep_ms(5);
	ASSERT_GT(WAKE_MS, ms)
		TH_LOG("it still waits");
	EXPECT_EQ(0, status);
}

static int call_poll(struct state *s)
{
	return poll_now(s->fd, EVENTS) != EVENTS;
}

TEST_F(held, poll_goes_on)
{
	goes_on(_metadata, &self->s, call_poll);
}

static int call_poll_pending(struct state *s)
{
	return poll_now(s->fd, EVENTS);
}

/*
 * Defect of the stock core: a poll() that must not wait sleeps on a held
 * reservation
 */
TEST_F(held, poll_pending_goes_on)
{
	ASSERT_LT(0, testdev_fence(self->s.testdev, self->s.fd, DMA_BUF_TEST_WRITE, 0));
	goes_on(_metadata, &self->s, call_poll_pending);
}

static int call_epoll(struct state *s)
{
	struct epoll_event ev = { .events = EPOLLIN };
	int ep = epoll_create1(EPOLL_CLOEXEC);

	return epoll_ctl(ep, EPOLL_CTL_ADD, s->fd, &ev) ||
	       epoll_wait(ep, &ev, 1, 0) != 1 ||
	       epoll_ctl(ep, EPOLL_CTL_DEL, s->fd, NULL);
}

TEST_F(held, epoll_goes_on)
{
	goes_on(_metadata, &self->s, call_epoll);
}

/* A wake-up needs no reservation either */
TEST_F(held, poll_wakes)
{
	struct state *s = &self->s;
	struct poller poller;
	int fence;

	fence = testdev_fence(s->testdev, s->fd, DMA_BUF_TEST_WRITE, 0);
	ASSERT_LT(0, fence);
	ASSERT_EQ(0, poller_start(&poller, s->fd, POLLIN));
	hold(_metadata, s);
	ASSERT_EQ(0, testdev_signal(s->testdev, fence, 0));
	EXPECT_EQ(POLLIN, poller_join(&poller));
	ASSERT_EQ(0, testdev_free(s->holder, s->hold));
}

static int call_fdinfo(struct state *s)
{
	return fdinfo_get(s->fd, "size", NULL, 0) != 1 ||
	       fdinfo_get(s->fd, "exp_name", NULL, 0) != 1;
}

TEST_F(held, fdinfo_goes_on)
{
	goes_on(_metadata, &self->s, call_fdinfo);
}

static int call_bufinfo(struct state *s)
{
	return bufinfo_lines(s->ino) != 1 || bufinfo_devices(s->ino) != 1;
}

/*
 * Defect of the stock core: one stuck job blocks bufinfo, and with it every
 * export and close
 */
TEST_F(held, bufinfo_goes_on)
{
	need_bufinfo(_metadata);
	goes_on(_metadata, &self->s, call_bufinfo);
}

static int call_name(struct state *s)
{
	return buffer_set_name(s->fd, "named while held") ||
	       fdinfo_get(s->fd, "name", NULL, 0) != 1;
}

TEST_F(held, name_goes_on)
{
	goes_on(_metadata, &self->s, call_name);
}

static int call_lseek(struct state *s)
{
	return lseek(s->fd, 0, SEEK_END) != s->size;
}

TEST_F(held, lseek_goes_on)
{
	goes_on(_metadata, &self->s, call_lseek);
}

static int call_mmap(struct state *s)
{
	char *map = mmap(NULL, s->size, PROT_READ | PROT_WRITE, MAP_SHARED, s->fd, 0);

	if (map == MAP_FAILED)
		return 1;
	map[0] = 1;
	return munmap(map, s->size);
}

TEST_F(held, mmap_goes_on)
{
	goes_on(_metadata, &self->s, call_mmap);
}

/* Nothing is pending: the look at the fences takes no lock */
static int call_sync(struct state *s)
{
	return buffer_sync(s->fd, START(RW)) || buffer_sync(s->fd, END(RW));
}

TEST_F(held, sync_goes_on)
{
	goes_on(_metadata, &self->s, call_sync);
}

static int call_export(struct state *s)
{
	return buffer_export_sync_file(s->fd, DMA_BUF_SYNC_RW) < 0;
}

TEST_F(held, export_sync_file_goes_on)
{
	goes_on(_metadata, &self->s, call_export);
}

static int call_dup_and_close(struct state *s)
{
	int fd = dup(s->fd);

	return fd < 0 || close(fd);
}

TEST_F(held, close_goes_on)
{
	goes_on(_metadata, &self->s, call_dup_and_close);
}

static int call_other_buffers(struct state *s)
{
	__u32 id;
	int fd = testdev_create(s->testdev, 0, s->size, &id);

	return fd < 0 || call_bufinfo(s) || close(fd) ||
	       testdev_exporter(s->testdev, id).released != 1;
}

TEST_F(held, others_go_on)
{
	need_bufinfo(_metadata);
	goes_on(_metadata, &self->s, call_other_buffers);
}

static int call_import(struct state *s)
{
	return buffer_import_sync_file(s->fd, DMA_BUF_SYNC_READ, s->fence);
}

/*
 * (A signalled fence would add nothing, but the core does not check for that
 * first)
 */
TEST_F(held, import_sync_file_waits)
{
	has_to_wait(_metadata, &self->s, call_import);
}

static int call_map(struct state *s)
{
	return testdev_map(s->testdev, s->importer, DIR_TO_DEVICE);
}

TEST_F(held, map_waits)
{
	has_to_wait(_metadata, &self->s, call_map);
	EXPECT_EQ(1, testdev_importer(self->s.testdev, self->s.importer).mapped);
}

static int call_attach(struct state *s)
{
	return testdev_attach(s->testdev, s->fd, 0) < 0;
}

TEST_F(held, attach_waits)
{
	has_to_wait(_metadata, &self->s, call_attach);
	EXPECT_EQ(2, testdev_exporter(self->s.testdev, self->s.id).attached);
}

static int call_detach(struct state *s)
{
	return testdev_free(s->testdev, s->importer);
}

TEST_F(held, detach_waits)
{
	has_to_wait(_metadata, &self->s, call_detach);
	EXPECT_EQ(0, testdev_exporter(self->s.testdev, self->s.id).attached);
}

static int call_vmap(struct state *s)
{
	return testdev_vmap(s->testdev, s->fd) < 0;
}

TEST_F(held, vmap_waits)
{
	has_to_wait(_metadata, &self->s, call_vmap);
}

static int call_vunmap(struct state *s)
{
	return testdev_free(s->testdev, s->vmap);
}

TEST_F(held, vunmap_waits)
{
	has_to_wait(_metadata, &self->s, call_vunmap);
	EXPECT_EQ(0, testdev_exporter(self->s.testdev, self->s.id).vmapped);
}

static int call_hold(struct state *s)
{
	return testdev_hold(s->testdev, s->fd) < 0;
}

/* The reservation has one holder at a time, and a wait for it can be interrupted */
TEST_F(held, hold_waits)
{
	has_to_wait(_metadata, &self->s, call_hold);
}

TEST_F(held, hold_interrupted)
{
	struct state *s = &self->s;

	hold(_metadata, s);
	signals_begin();
	EXPECT_EQ(-EINTR, testdev_hold(s->testdev, s->fd));
	EXPECT_EQ(-EINTR, testdev_map(s->testdev, s->importer, DIR_TO_DEVICE));
	signals_end();
	ASSERT_EQ(0, testdev_free(s->holder, s->hold));
	EXPECT_EQ(0, testdev_map(s->testdev, s->importer, DIR_TO_DEVICE));
}

TEST_HARNESS_MAIN
