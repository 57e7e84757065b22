// SPDX-License-Identifier: GPL-2.0-only
/*
 * poll() on a dma-buf: ready for reading when all that writes to the buffer is
 * done, ready for writing when all that uses it is.
 *
 * The fences are sw_sync's: they signal when the test says so.
 */
#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <drm/drm.h>
#include <drm/vgem_drm.h>

#include "fixture.h"

#define READ	DMA_BUF_SYNC_READ
#define WRITE	DMA_BUF_SYNC_WRITE

#define FENCES	8

FIXTURE(poll) {
	int fd;
	int timeline;
	size_t size;
	ino_t ino;
};

FIXTURE_VARIANT(poll) {
	enum exporter exporter;
};

EVERY_EXPORTER(poll);

FIXTURE_SETUP(poll)
{
	self->timeline = need_timeline(_metadata);

	self->fd = need_buffer(_metadata, variant->exporter, &self->size,
			       O_RDWR | O_CLOEXEC);
	self->ino = buffer_ino(self->fd);
}

FIXTURE_TEARDOWN(poll)
{
	/* In this order: a stuck fence would keep a broken core's buffer */
	close(self->timeline);
	close(self->fd);
}

static int epoll_with(int fd, __u32 events)
{
	struct epoll_event ev = { .events = events };
	int ep = epoll_create1(EPOLL_CLOEXEC);

	if (ep < 0)
		return -errno;
	if (epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev))
		return -errno;
	return ep;
}

/* The events of the one descriptor that is watched, 0 if none came */
static int epoll_events(int ep, int timeout_ms)
{
	struct epoll_event ev;
	int n = epoll_wait(ep, &ev, 1, timeout_ms);

	if (n < 0)
		return -errno;
	return n ? (int)ev.events : 0;
}

/* timelines[i] gets one fence on the buffer, pending till its first step. */
static int import_many(int *timelines, int n, int buf, __u32 flags)
{
	int i, err;

	for (i = 0; i < n; i++) {
		timelines[i] = timeline_open();
		if (timelines[i] < 0)
			return timelines[i];
		err = timeline_import(timelines[i], 1, buf, flags);
		if (err)
			return err;
	}
	return 0;
}

static void close_many(int *fds, int n)
{
	while (n--)
		close(fds[n]);
}

/*
 * Nothing pending
 */

TEST_F(poll, idle_is_ready)
{
	EXPECT_EQ(POLLIN, poll_now(self->fd, POLLIN));
	EXPECT_EQ(POLLOUT, poll_now(self->fd, POLLOUT));
	EXPECT_EQ(POLLIN | POLLOUT, poll_now(self->fd, POLLIN | POLLOUT));
}

TEST_F(poll, idle_nothing_asked)
{
	EXPECT_EQ(0, poll_now(self->fd, 0));
	EXPECT_EQ(0, poll_now(self->fd, POLLPRI | POLLRDHUP));
}

TEST_F(poll, idle_synonyms)
{
	EXPECT_EQ(POLLRDNORM, poll_now(self->fd, POLLRDNORM));
	EXPECT_EQ(POLLWRNORM, poll_now(self->fd, POLLWRNORM));
	EXPECT_EQ(POLLIN | POLLRDNORM, poll_now(self->fd, POLLIN | POLLRDNORM));
	EXPECT_EQ(POLLOUT | POLLWRNORM, poll_now(self->fd, POLLOUT | POLLWRNORM));
}

TEST_F(poll, idle_select)
{
	struct timeval none = {};
	fd_set in, out, pri;

	FD_ZERO(&in);
	FD_ZERO(&out);
	FD_ZERO(&pri);
	FD_SET(self->fd, &in);
	FD_SET(self->fd, &out);
	FD_SET(self->fd, &pri);
	EXPECT_EQ(2, select(self->fd + 1, &in, &out, &pri, &none));
	EXPECT_TRUE(FD_ISSET(self->fd, &in));
	EXPECT_TRUE(FD_ISSET(self->fd, &out));
	EXPECT_FALSE(FD_ISSET(self->fd, &pri));
}

TEST_F(poll, idle_level)
{
	int ep = epoll_with(self->fd, EPOLLIN | EPOLLOUT), i;

	ASSERT_LE(0, ep);
	for (i = 0; i < 3; i++)
		EXPECT_EQ(EPOLLIN | EPOLLOUT, epoll_events(ep, WAKE_MS));
	close(ep);
}

/* Looking at an idle buffer is no event: one edge, and then silence */
TEST_F(poll, idle_edge_goes_quiet)
{
	int ep = epoll_with(self->fd, EPOLLIN | EPOLLOUT | EPOLLET);

	ASSERT_LE(0, ep);
	EXPECT_EQ(EPOLLIN | EPOLLOUT, epoll_events(ep, WAKE_MS));
	EXPECT_EQ(0, epoll_events(ep, QUIET_MS));
	EXPECT_EQ(0, epoll_events(ep, QUIET_MS));
	close(ep);
}

/* Nor is a look by another poller */
TEST_F(poll, idle_edge_ignores_other_pollers)
{
	int ep = epoll_with(self->fd, EPOLLIN | EPOLLET), i;

	ASSERT_LE(0, ep);
	EXPECT_EQ(EPOLLIN, epoll_events(ep, WAKE_MS));
	for (i = 0; i < 3; i++)
		EXPECT_EQ(POLLIN | POLLOUT, poll_now(self->fd, POLLIN | POLLOUT));
	EXPECT_EQ(0, epoll_events(ep, QUIET_MS));
	close(ep);
}

TEST_F(poll, idle_oneshot)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLONESHOT };
	int ep = epoll_with(self->fd, EPOLLIN | EPOLLONESHOT);

	ASSERT_LE(0, ep);
	EXPECT_EQ(EPOLLIN, epoll_events(ep, WAKE_MS));
	EXPECT_EQ(0, epoll_events(ep, QUIET_MS));
	ASSERT_EQ(0, epoll_ctl(ep, EPOLL_CTL_MOD, self->fd, &ev));
	EXPECT_EQ(EPOLLIN, epoll_events(ep, WAKE_MS));
	close(ep);
}

/*
 * What each kind of fence holds up
 */

TEST_F(poll, write_fence_holds_both)
{
	ASSERT_EQ(0, timeline_import(self->timeline, 1, self->fd, WRITE));
	EXPECT_EQ(0, poll_now(self->fd, POLLIN));
	EXPECT_EQ(0, poll_now(self->fd, POLLOUT));
	EXPECT_EQ(0, poll_now(self->fd, POLLIN | POLLOUT));
	ASSERT_EQ(0, timeline_advance(self->timeline, 1));
	EXPECT_EQ(POLLIN | POLLOUT, poll_now(self->fd, POLLIN | POLLOUT));
}

TEST_F(poll, read_fence_holds_writers)
{
	ASSERT_EQ(0, timeline_import(self->timeline, 1, self->fd, READ));
	EXPECT_EQ(POLLIN, poll_now(self->fd, POLLIN));
	EXPECT_EQ(0, poll_now(self->fd, POLLOUT));
	EXPECT_EQ(POLLIN, poll_now(self->fd, POLLIN | POLLOUT));
	ASSERT_EQ(0, timeline_advance(self->timeline, 1));
	EXPECT_EQ(POLLIN | POLLOUT, poll_now(self->fd, POLLIN | POLLOUT));
}

TEST_F(poll, read_and_write_fence)
{
	int reader = timeline_open();

	ASSERT_LE(0, reader);
	ASSERT_EQ(0, timeline_import(self->timeline, 1, self->fd, WRITE));
	ASSERT_EQ(0, timeline_import(reader, 1, self->fd, READ));
	EXPECT_EQ(0, poll_now(self->fd, POLLIN | POLLOUT));
	ASSERT_EQ(0, timeline_advance(self->timeline, 1));
	EXPECT_EQ(POLLIN, poll_now(self->fd, POLLIN | POLLOUT));
	ASSERT_EQ(0, timeline_advance(reader, 1));
	EXPECT_EQ(POLLIN | POLLOUT, poll_now(self->fd, POLLIN | POLLOUT));
	close(reader);
}

TEST_F(poll, synonyms_while_pending)
{
	ASSERT_EQ(0, timeline_import(self->timeline, 1, self->fd, READ));
	EXPECT_EQ(POLLRDNORM, poll_now(self->fd, POLLRDNORM));
	EXPECT_EQ(0, poll_now(self->fd, POLLWRNORM));
	ASSERT_EQ(0, timeline_import(self->timeline, 2, self->fd, WRITE));
	EXPECT_EQ(0, poll_now(self->fd, POLLRDNORM | POLLWRNORM));
	ASSERT_EQ(0, timeline_advance(self->timeline, 2));
	EXPECT_EQ(POLLRDNORM | POLLWRNORM, poll_now(self->fd, POLLRDNORM | POLLWRNORM));
}

TEST_F(poll, signaled_fence_holds_nothing)
{
	int fence = timeline_fence(self->timeline, 1);

	ASSERT_LE(0, fence);
	ASSERT_EQ(0, timeline_advance(self->timeline, 1));
	ASSERT_EQ(0, buffer_import_sync_file(self->fd, WRITE, fence));
	EXPECT_EQ(POLLIN | POLLOUT, poll_now(self->fd, POLLIN | POLLOUT));
	close(fence);
}

/* Of a timeline the last fence counts */
TEST_F(poll, later_fence_of_a_timeline)
{
	ASSERT_EQ(0, timeline_import(self->timeline, 1, self->fd, WRITE));
	ASSERT_EQ(0, timeline_import(self->timeline, 2, self->fd, WRITE));
	ASSERT_EQ(0, timeline_advance(self->timeline, 1));
	EXPECT_EQ(0, poll_now(self->fd, POLLIN));
	ASSERT_EQ(0, timeline_advance(self->timeline, 1));
	EXPECT_EQ(POLLIN, poll_now(self->fd, POLLIN));
}

/* A fence that failed is done as well */
TEST_F(poll, fence_with_error)
{
	int timeline = timeline_open();

	ASSERT_LE(0, timeline);
	ASSERT_EQ(0, timeline_import(timeline, 1, self->fd, WRITE));
	EXPECT_EQ(0, poll_now(self->fd, POLLIN));
	close(timeline);
	EXPECT_EQ(POLLIN, poll_now(self->fd, POLLIN));
}

TEST_F(poll, every_fence_counts)
{
	int timelines[FENCES], i;

	ASSERT_EQ(0, import_many(timelines, FENCES, self->fd, WRITE));
	/* Last one first: being at the head of a list must not matter */
	for (i = FENCES - 1; i >= 0; i--) {
		EXPECT_EQ(0, poll_now(self->fd, POLLIN | POLLOUT));
		ASSERT_EQ(0, timeline_advance(timelines[i], 1));
	}
	EXPECT_EQ(POLLIN | POLLOUT, poll_now(self->fd, POLLIN | POLLOUT));
	close_many(timelines, FENCES);
}

TEST_F(poll, times_out)
{
	ASSERT_EQ(0, timeline_import(self->timeline, 1, self->fd, WRITE));
	EXPECT_EQ(0, poll_for(self->fd, POLLIN, QUIET_MS));
	EXPECT_EQ(0, poll_for(self->fd, POLLIN | POLLOUT, QUIET_MS));
}

/* Two buffers have nothing to do with each other */
TEST_F(poll, other_buffer_unaffected)
{
	size_t size = self->size;
	int other = exporter_alloc(variant->exporter, &size, O_RDWR);

	ASSERT_LE(0, other);
	ASSERT_EQ(0, timeline_import(self->timeline, 1, self->fd, WRITE));
	EXPECT_EQ(0, poll_now(self->fd, POLLIN));
	EXPECT_EQ(POLLIN | POLLOUT, poll_now(other, POLLIN | POLLOUT));
	close(other);
}

/*
 * Wake-ups
 */

TEST_F(poll, wakes_reader)
{
	struct poller poller;

	ASSERT_EQ(0, timeline_import(self->timeline, 1, self->fd, WRITE));
	ASSERT_EQ(0, poller_start(&poller, self->fd, POLLIN));
	EXPECT_FALSE(poller_done(&poller));
	ASSERT_EQ(0, timeline_advance(self->timeline, 1));
	EXPECT_EQ(POLLIN, poller_join(&poller));
}

TEST_F(poll, wakes_writer)
{
	struct poller poller;

	ASSERT_EQ(0, timeline_import(self->timeline, 1, self->fd, READ));
	ASSERT_EQ(0, poller_start(&poller, self->fd, POLLOUT));
	EXPECT_FALSE(poller_done(&poller));
	ASSERT_EQ(0, timeline_advance(self->timeline, 1));
	EXPECT_EQ(POLLOUT, poller_join(&poller));
}

TEST_F(poll, wakes_on_synonyms)
{
	struct poller in, out;

	ASSERT_EQ(0, timeline_import(self->timeline, 1, self->fd, WRITE));
	ASSERT_EQ(0, poller_start(&in, self->fd, POLLRDNORM));
	ASSERT_EQ(0, poller_start(&out, self->fd, POLLWRNORM));
	EXPECT_FALSE(poller_done(&in));
	EXPECT_FALSE(poller_done(&out));
	ASSERT_EQ(0, timeline_advance(self->timeline, 1));
	EXPECT_EQ(POLLRDNORM, poller_join(&in));
	EXPECT_EQ(POLLWRNORM, poller_join(&out));
}

/* A poller that waits for either direction is woken by the first that is ready */
TEST_F(poll, wakes_on_first_direction)
{
	struct poller poller;
	int reader = timeline_open();

	ASSERT_LE(0, reader);
	ASSERT_EQ(0, timeline_import(self->timeline, 1, self->fd, WRITE));
	ASSERT_EQ(0, timeline_import(reader, 1, self->fd, READ));
	ASSERT_EQ(0, poller_start(&poller, self->fd, POLLIN | POLLOUT));
	ASSERT_EQ(0, timeline_advance(self->timeline, 1));
	EXPECT_EQ(POLLIN, poller_join(&poller));
	close(reader);
}

TEST_F(poll, wakes_all_pollers)
{
	struct poller pollers[8];
	int i;

	ASSERT_EQ(0, timeline_import(self->timeline, 1, self->fd, WRITE));
	for (i = 0; i < ARRAY_SIZE(pollers); i++)
		ASSERT_EQ(0, poller_start(&pollers[i], self->fd, i % 2 ? POLLIN : POLLOUT));
	for (i = 0; i < ARRAY_SIZE(pollers); i++)
		EXPECT_FALSE(poller_done(&pollers[i]));
	ASSERT_EQ(0, timeline_advance(self->timeline, 1));
	for (i = 0; i < ARRAY_SIZE(pollers); i++)
		EXPECT_EQ(i % 2 ? POLLIN : POLLOUT, poller_join(&pollers[i]));
}

TEST_F(poll, wakes_pollers_of_every_descriptor)
{
	struct poller first, second;
	int fd = dup(self->fd);

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, timeline_import(self->timeline, 1, self->fd, WRITE));
	ASSERT_EQ(0, poller_start(&first, self->fd, POLLIN));
	ASSERT_EQ(0, poller_start(&second, fd, POLLIN));
	ASSERT_EQ(0, timeline_advance(self->timeline, 1));
	EXPECT_EQ(POLLIN, poller_join(&first));
	EXPECT_EQ(POLLIN, poller_join(&second));
	close(fd);
}

TEST_F(poll, wakes_level)
{
	int ep;

	ASSERT_EQ(0, timeline_import(self->timeline, 1, self->fd, WRITE));
	ep = epoll_with(self->fd, EPOLLIN);
	ASSERT_LE(0, ep);
	EXPECT_EQ(0, epoll_events(ep, QUIET_MS));
	ASSERT_EQ(0, timeline_advance(self->timeline, 1));
	EXPECT_EQ(EPOLLIN, epoll_events(ep, WAKE_MS));
	EXPECT_EQ(EPOLLIN, epoll_events(ep, WAKE_MS));

	/* Busy again: a level is what it is at the time of the question */
	ASSERT_EQ(0, timeline_import(self->timeline, 2, self->fd, WRITE));
	EXPECT_EQ(0, epoll_events(ep, QUIET_MS));
	ASSERT_EQ(0, timeline_advance(self->timeline, 1));
	EXPECT_EQ(EPOLLIN, epoll_events(ep, WAKE_MS));
	close(ep);
}

TEST_F(poll, wakes_edge_once)
{
	int timelines[FENCES], ep, i;

	ASSERT_EQ(0, import_many(timelines, FENCES, self->fd, WRITE));
	ep = epoll_with(self->fd, EPOLLIN | EPOLLET);
	ASSERT_LE(0, ep);
	for (i = 0; i < FENCES; i++) {
		EXPECT_EQ(0, epoll_events(ep, 2));
		ASSERT_EQ(0, timeline_advance(timelines[i], 1));
	}
	EXPECT_EQ(EPOLLIN, epoll_events(ep, WAKE_MS));
	EXPECT_EQ(0, epoll_events(ep, QUIET_MS));
	close(ep);
	close_many(timelines, FENCES);
}

TEST_F(poll, wakes_edge_again_after_look)
{
	int ep, round;

	ep = epoll_with(self->fd, EPOLLIN | EPOLLET);
	ASSERT_LE(0, ep);
	EXPECT_EQ(EPOLLIN, epoll_events(ep, WAKE_MS));
	for (round = 1; round <= 3; round++) {
		struct epoll_event ev = { .events = EPOLLIN | EPOLLET };

		ASSERT_EQ(0, timeline_import(self->timeline, round, self->fd, WRITE));
		ASSERT_EQ(0, epoll_ctl(ep, EPOLL_CTL_MOD, self->fd, &ev));
		EXPECT_EQ(0, epoll_events(ep, QUIET_MS));
		ASSERT_EQ(0, timeline_advance(self->timeline, 1));
		EXPECT_EQ(EPOLLIN, epoll_events(ep, WAKE_MS));
	}
	close(ep);
}

/* An epoll in an epoll gets the wake-up handed on */
TEST_F(poll, wakes_nested)
{
	int inner, outer;

	ASSERT_EQ(0, timeline_import(self->timeline, 1, self->fd, WRITE));
	inner = epoll_with(self->fd, EPOLLIN);
	ASSERT_LE(0, inner);
	outer = epoll_with(inner, EPOLLIN);
	ASSERT_LE(0, outer);
	EXPECT_EQ(0, epoll_events(outer, QUIET_MS));
	ASSERT_EQ(0, timeline_advance(self->timeline, 1));
	EXPECT_EQ(EPOLLIN, epoll_events(outer, WAKE_MS));
	EXPECT_EQ(EPOLLIN, epoll_events(inner, WAKE_MS));
	close(outer);
	close(inner);
}

TEST_F(poll, wakes_select)
{
	struct timeval tv = { .tv_usec = QUIET_MS * 1000 };
	fd_set in;

	ASSERT_EQ(0, timeline_import(self->timeline, 1, self->fd, WRITE));
	FD_ZERO(&in);
	FD_SET(self->fd, &in);
	EXPECT_EQ(0, select(self->fd + 1, &in, NULL, NULL, &tv));
	ASSERT_EQ(0, timeline_advance(self->timeline, 1));
	tv.tv_sec = WAKE_MS / 1000;
	FD_SET(self->fd, &in);
	EXPECT_EQ(1, select(self->fd + 1, &in, NULL, NULL, &tv));
}

/*
 * A sleeper is woken when its direction is ready, and not by each of a few fences
 * on the way there.
 */
TEST_F(poll, sleeps_till_ready)
{
	int timelines[FENCES], i;
	struct poller poller;
	long before, after;

	ASSERT_EQ(0, import_many(timelines, FENCES, self->fd, WRITE));
	ASSERT_EQ(0, poller_start(&poller, self->fd, POLLIN));
	before = poller_switches(&poller);
	ASSERT_LE(0, before);
	for (i = 0; i < FENCES - 1; i++) {
		ASSERT_EQ(0, timeline_advance(timelines[i], 1));
		sleep_ms(5);
	}
	after = poller_switches(&poller);
	EXPECT_FALSE(poller_done(&poller));
	EXPECT_GE(1, after - before);
	ASSERT_EQ(0, timeline_advance(timelines[i], 1));
	EXPECT_EQ(POLLIN, poller_join(&poller));
	close_many(timelines, FENCES);
}

/* Each direction has its own edge */
TEST_F(poll, wakes_edge_of_each_direction)
{
	int reader = timeline_open(), ep;

	ASSERT_LE(0, reader);
	ASSERT_EQ(0, timeline_import(self->timeline, 1, self->fd, WRITE));
	ASSERT_EQ(0, timeline_import(reader, 1, self->fd, READ));
	ep = epoll_with(self->fd, EPOLLIN | EPOLLOUT | EPOLLET);
	ASSERT_LE(0, ep);
	EXPECT_EQ(0, epoll_events(ep, QUIET_MS));
	ASSERT_EQ(0, timeline_advance(self->timeline, 1));
	EXPECT_EQ(EPOLLIN, epoll_events(ep, WAKE_MS));
	EXPECT_EQ(0, epoll_events(ep, QUIET_MS));
	ASSERT_EQ(0, timeline_advance(reader, 1));
	EXPECT_EQ(EPOLLIN | EPOLLOUT, epoll_events(ep, WAKE_MS));
	EXPECT_EQ(0, epoll_events(ep, QUIET_MS));
	close(ep);
	close(reader);
}

/* Each watcher is told, whatever it asked for and however it is told */
TEST_F(poll, wakes_every_epoll)
{
	const __u32 events[] = {
		EPOLLIN, EPOLLIN | EPOLLET, EPOLLRDNORM, EPOLLOUT | EPOLLET,
		EPOLLIN | EPOLLONESHOT,
	};
	int eps[ARRAY_SIZE(events)], i;

	ASSERT_EQ(0, timeline_import(self->timeline, 1, self->fd, WRITE));
	for (i = 0; i < ARRAY_SIZE(events); i++) {
		eps[i] = epoll_with(self->fd, events[i]);
		ASSERT_LE(0, eps[i]);
		EXPECT_EQ(0, epoll_events(eps[i], 0));
	}
	ASSERT_EQ(0, timeline_advance(self->timeline, 1));
	for (i = 0; i < ARRAY_SIZE(events); i++)
		EXPECT_EQ(events[i] & ~(EPOLLET | EPOLLONESHOT), epoll_events(eps[i], WAKE_MS))
			TH_LOG("epoll %d", i);
	for (i = 1; i < ARRAY_SIZE(events); i++)
		EXPECT_EQ(i == 2 ? EPOLLRDNORM : 0, epoll_events(eps[i], 2))
			TH_LOG("epoll %d", i);
	close_many(eps, ARRAY_SIZE(events));
}

/* Those that ask to be woken one at a time: a direction that is ready wakes one */
TEST_F(poll, wakes_exclusive)
{
	int eps[2], woken;

	ASSERT_EQ(0, timeline_import(self->timeline, 1, self->fd, WRITE));
	eps[0] = epoll_with(self->fd, EPOLLIN | EPOLLEXCLUSIVE);
	eps[1] = epoll_with(self->fd, EPOLLIN | EPOLLEXCLUSIVE);
	ASSERT_LE(0, eps[0]);
	ASSERT_LE(0, eps[1]);
	ASSERT_EQ(0, timeline_advance(self->timeline, 1));
	woken = epoll_events(eps[0], WAKE_MS / 100) | epoll_events(eps[1], WAKE_MS / 100);
	EXPECT_EQ(EPOLLIN, woken);
	close_many(eps, 2);
}

/* Taken out while it was pending, it is not heard of; put in again, it is */
TEST_F(poll, removed_from_epoll)
{
	struct epoll_event ev = { .events = EPOLLIN };
	int ep;

	ASSERT_EQ(0, timeline_import(self->timeline, 1, self->fd, WRITE));
	ep = epoll_with(self->fd, EPOLLIN);
	ASSERT_LE(0, ep);
	ASSERT_EQ(0, epoll_ctl(ep, EPOLL_CTL_DEL, self->fd, NULL));
	ASSERT_EQ(0, timeline_advance(self->timeline, 1));
	EXPECT_EQ(0, epoll_events(ep, QUIET_MS));
	ASSERT_EQ(0, timeline_import(self->timeline, 2, self->fd, WRITE));
	ASSERT_EQ(0, epoll_ctl(ep, EPOLL_CTL_ADD, self->fd, &ev));
	EXPECT_EQ(0, epoll_events(ep, QUIET_MS));
	ASSERT_EQ(0, timeline_advance(self->timeline, 1));
	EXPECT_EQ(EPOLLIN, epoll_events(ep, WAKE_MS));
	close(ep);
}

/* An epoll watches the file: a descriptor less does not end that */
TEST_F(poll, epoll_follows_the_file)
{
	int fd = dup(self->fd), ep;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, timeline_import(self->timeline, 1, self->fd, WRITE));
	ep = epoll_with(self->fd, EPOLLIN);
	ASSERT_LE(0, ep);
	close(self->fd);
	self->fd = fd;
	EXPECT_EQ(0, epoll_events(ep, QUIET_MS));
	ASSERT_EQ(0, timeline_advance(self->timeline, 1));
	EXPECT_EQ(EPOLLIN, epoll_events(ep, WAKE_MS));
	close(ep);
}

/* One call may look at several buffers, and at one of them twice */
TEST_F(poll, several_in_one_call)
{
	size_t size = self->size;
	struct pollfd pfds[3];
	int other;

	other = exporter_alloc(variant->exporter, &size, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, other);
	pfds[0] = (struct pollfd) { .fd = self->fd, .events = POLLIN };
	pfds[1] = (struct pollfd) { .fd = self->fd, .events = POLLOUT };
	pfds[2] = (struct pollfd) { .fd = other, .events = POLLIN };
	ASSERT_EQ(0, timeline_import(self->timeline, 1, self->fd, READ));
	ASSERT_EQ(0, timeline_import(self->timeline, 2, other, WRITE));
	EXPECT_EQ(1, poll(pfds, 3, QUIET_MS));
	EXPECT_EQ(POLLIN, pfds[0].revents);
	ASSERT_EQ(0, timeline_advance(self->timeline, 1));
	EXPECT_EQ(2, poll(pfds, 3, WAKE_MS));
	EXPECT_EQ(POLLOUT, pfds[1].revents);
	EXPECT_EQ(0, pfds[2].revents);
	ASSERT_EQ(0, timeline_advance(self->timeline, 1));
	EXPECT_EQ(3, poll(pfds, 3, WAKE_MS));
	close(other);
}

TEST_F(poll, interrupted)
{
	ASSERT_EQ(0, timeline_import(self->timeline, 1, self->fd, WRITE));
	signals_begin();
	EXPECT_EQ(-EINTR, poll_for(self->fd, POLLIN, WAKE_MS));
	signals_end();
	EXPECT_EQ(1, fdinfo_count(self->fd));
	ASSERT_EQ(0, timeline_advance(self->timeline, 1));
	EXPECT_EQ(POLLIN, poll_now(self->fd, POLLIN));
}

/* No wake-up gets lost between the look and the sleep */
TEST_F(poll, signal_races_with_poll)
{
	struct poller poller;
	int round, spin;

	for (round = 1; round <= 60; round++) {
		ASSERT_EQ(0, timeline_import(self->timeline, round, self->fd, WRITE));
		poller = (struct poller) { .tid = 0 };
		/* Sleeping or not yet: sometimes one, sometimes the other */
		if (round % 2) {
			ASSERT_EQ(0, poller_start(&poller, self->fd, POLLIN | POLLOUT));
			ASSERT_EQ(0, timeline_advance(self->timeline, 1));
			EXPECT_EQ(0, ~poller_join(&poller) & POLLIN);
		} else {
			pid_t pid = fork();

			ASSERT_LE(0, pid);
			if (!pid) {
				for (spin = 0; spin < round * 100; spin++)
					__asm__ volatile("" ::: "memory");
				_exit(timeline_advance(self->timeline, 1));
			}
			EXPECT_EQ(POLLIN | POLLOUT,
				  poll_for(self->fd, POLLIN, WAKE_MS) |
				  poll_for(self->fd, POLLOUT, WAKE_MS));
			ASSERT_EQ(pid, waitpid(pid, NULL, 0));
		}
	}
}

/*
 * A fence to which only the armed poll holds a reference is signalled by its
 * timeline, which holds none. sw_sync's release hook takes the lock that is
 * held while the fence signals, so a core that drops the last reference in its
 * callback deadlocks here.
 */
TEST_F(poll, superseded_fence_of_closed_timeline)
{
	int timeline = timeline_open();

	ASSERT_LE(0, timeline);
	ASSERT_EQ(0, timeline_import(timeline, 1, self->fd, WRITE));
	EXPECT_EQ(0, poll_briefly(self->fd, POLLIN));
	ASSERT_EQ(0, timeline_import(timeline, 2, self->fd, WRITE));
	close(timeline);
	EXPECT_EQ(POLLIN | POLLOUT, poll_now(self->fd, POLLIN | POLLOUT));
}

/*
 * Several pollers that wait for different events
 */

TEST_F(poll, look_while_another_sleeps)
{
	struct poller poller;
	int reader = timeline_open();

	ASSERT_LE(0, reader);
	ASSERT_EQ(0, timeline_import(reader, 1, self->fd, READ));
	ASSERT_EQ(0, poller_start(&poller, self->fd, POLLOUT));
	EXPECT_EQ(POLLIN, poll_now(self->fd, POLLIN | POLLOUT));
	ASSERT_EQ(0, timeline_import(self->timeline, 1, self->fd, WRITE));
	EXPECT_EQ(0, poll_now(self->fd, POLLIN | POLLOUT));
	ASSERT_EQ(0, timeline_advance(self->timeline, 1));
	EXPECT_EQ(POLLIN, poll_now(self->fd, POLLIN | POLLOUT));
	EXPECT_FALSE(poller_done(&poller));
	ASSERT_EQ(0, timeline_advance(reader, 1));
	EXPECT_EQ(POLLOUT, poller_join(&poller));
	close(reader);
}

/* A writer that waits for ever keeps no reader from its wake-up */
TEST_F(poll, stuck_writer_starves_no_reader)
{
	struct poller reader, writer;
	int stuck = timeline_open();

	ASSERT_LE(0, stuck);
	ASSERT_EQ(0, timeline_import(stuck, 1, self->fd, READ));
	ASSERT_EQ(0, timeline_import(self->timeline, 1, self->fd, WRITE));
	ASSERT_EQ(0, poller_start(&writer, self->fd, POLLOUT));
	ASSERT_EQ(0, poller_start(&reader, self->fd, POLLIN));
	ASSERT_EQ(0, timeline_advance(self->timeline, 1));
	EXPECT_EQ(POLLIN, poller_join(&reader));
	EXPECT_FALSE(poller_done(&writer));
	ASSERT_EQ(0, timeline_advance(stuck, 1));
	EXPECT_EQ(POLLOUT, poller_join(&writer));
	close(stuck);
}

/*
 * One poller waits for one fence; a second fence is added, and another poller
 * comes. Both are ready when both fences are done, whichever is first.
 */
static void late_poller(struct __test_metadata *_metadata, int fd, int first,
			int second, bool in_order)
{
	struct poller early, late;

	ASSERT_EQ(0, timeline_import(first, 1, fd, WRITE));
	ASSERT_EQ(0, poller_start(&early, fd, POLLIN));
	ASSERT_EQ(0, timeline_import(second, 1, fd, WRITE));
	ASSERT_EQ(0, poller_start(&late, fd, POLLIN));

	ASSERT_EQ(0, timeline_advance(in_order ? first : second, 1));
	sleep_ms(QUIET_MS);
	EXPECT_FALSE(poller_done(&early));
	EXPECT_FALSE(poller_done(&late));
	ASSERT_EQ(0, timeline_advance(in_order ? second : first, 1));
	EXPECT_EQ(POLLIN, poller_join(&early));
	EXPECT_EQ(POLLIN, poller_join(&late));
}

TEST_F(poll, late_poller_in_order)
{
	int second = timeline_open();

	ASSERT_LE(0, second);
	late_poller(_metadata, self->fd, self->timeline, second, true);
	close(second);
}

TEST_F(poll, late_poller_out_of_order)
{
	int second = timeline_open();

	ASSERT_LE(0, second);
	late_poller(_metadata, self->fd, self->timeline, second, false);
	close(second);
}

/*
 * Fences are added faster than they signal, so that one is always pending; the
 * poller must be woken when the flow stops. A fence that is added while the
 * kernel looks may be missed, see dma-buf-poll.c: that happens occasionally on
 * a slow machine, but every time if the poller does not wait.
 */
TEST_F(poll, woken_after_a_flow_of_fences)
{
	int timelines[FENCES], i, early = 0;
	struct poller poller;

	for (i = 0; i < FENCES; i++) {
		timelines[i] = timeline_open();
		ASSERT_LE(0, timelines[i]);
	}
	ASSERT_EQ(0, timeline_import(timelines[0], 1, self->fd, WRITE));
	ASSERT_EQ(0, poller_start(&poller, self->fd, POLLIN));
	for (i = 1; i < FENCES; i++) {
		ASSERT_EQ(0, timeline_import(timelines[i], 1, self->fd, WRITE));
		ASSERT_EQ(0, timeline_advance(timelines[i - 1], 1));
		sleep_ms(QUIET_MS);
		if (!poller_done(&poller))
			continue;
		early++;
		ASSERT_EQ(POLLIN, poller_join(&poller));
		ASSERT_EQ(0, poller_start(&poller, self->fd, POLLIN));
	}
	EXPECT_GT(FENCES / 2, early);
	ASSERT_EQ(0, timeline_advance(timelines[FENCES - 1], 1));
	EXPECT_EQ(POLLIN, poller_join(&poller));
	close_many(timelines, FENCES);
}

/* A poller that timed out leaves no state that misleads the next one */
TEST_F(poll, poller_after_one_gave_up)
{
	int second = timeline_open();
	struct poller poller;

	ASSERT_LE(0, second);
	ASSERT_EQ(0, timeline_import(self->timeline, 1, self->fd, WRITE));
	EXPECT_EQ(0, poll_for(self->fd, POLLIN | POLLOUT, QUIET_MS));
	ASSERT_EQ(0, timeline_import(second, 1, self->fd, WRITE));
	EXPECT_EQ(0, poll_for(self->fd, POLLIN | POLLOUT, QUIET_MS));
	ASSERT_EQ(0, poller_start(&poller, self->fd, POLLIN));
	ASSERT_EQ(0, timeline_advance(second, 1));
	ASSERT_EQ(0, timeline_advance(self->timeline, 1));
	EXPECT_EQ(POLLIN, poller_join(&poller));
	close(second);
}

/* A pending poll is no reference */
TEST_F(poll, pending_poll_holds_nothing)
{
	ASSERT_EQ(0, timeline_import(self->timeline, 1, self->fd, WRITE));
	EXPECT_EQ(1, fdinfo_count(self->fd));
	EXPECT_EQ(0, poll_briefly(self->fd, POLLIN | POLLOUT));
	EXPECT_EQ(1, fdinfo_count(self->fd));
}

/*
 * Fences that never signal, and buffers that are closed. A core that lets its
 * callbacks hold the file keeps all of this for ever.
 */

TEST_F(poll, closed_after_poll)
{
	need_bufinfo(_metadata);

	ASSERT_EQ(0, timeline_import(self->timeline, 1, self->fd, WRITE));
	EXPECT_EQ(0, poll_briefly(self->fd, POLLIN | POLLOUT));
	EXPECT_EQ(1, bufinfo_lines(self->ino));
	close(self->fd);
	self->fd = -1;
	EXPECT_EQ(0, bufinfo_lines(self->ino));
}

TEST_F(poll, closed_under_epoll)
{
	int ep;

	need_bufinfo(_metadata);

	ASSERT_EQ(0, timeline_import(self->timeline, 1, self->fd, READ));
	ep = epoll_with(self->fd, EPOLLOUT);
	ASSERT_LE(0, ep);
	EXPECT_EQ(0, epoll_events(ep, QUIET_MS));
	close(self->fd);
	self->fd = -1;
	EXPECT_EQ(0, bufinfo_lines(self->ino));
	/* Gone from the epoll as well */
	ASSERT_EQ(0, timeline_advance(self->timeline, 1));
	EXPECT_EQ(0, epoll_events(ep, QUIET_MS));
	close(ep);
}

TEST_F(poll, closed_by_death)
{
	int status;
	pid_t pid;

	need_bufinfo(_metadata);

	ASSERT_EQ(0, timeline_import(self->timeline, 1, self->fd, WRITE));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		_exit(poll_briefly(self->fd, POLLIN | POLLOUT));
	close(self->fd);
	self->fd = -1;
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(0, bufinfo_lines(self->ino));
}

/*
 * A sleeper holds the file for as long as it sleeps. Woken, it looks for its
 * descriptor again, which is no longer there.
 */
TEST_F(poll, closed_under_sleeper)
{
	struct poller poller;

	need_bufinfo(_metadata);

	ASSERT_EQ(0, timeline_import(self->timeline, 1, self->fd, WRITE));
	ASSERT_EQ(0, poller_start(&poller, self->fd, POLLIN));
	close(self->fd);
	self->fd = -1;
	EXPECT_EQ(1, bufinfo_lines(self->ino));
	ASSERT_EQ(0, timeline_advance(self->timeline, 1));
	EXPECT_EQ(POLLNVAL, poller_join(&poller));
	EXPECT_EQ(0, bufinfo_lines(self->ino));
}

/* A fence that signals after the buffer is gone finds nothing to do */
TEST_F(poll, fence_outlives_buffer)
{
	int fence = timeline_fence(self->timeline, 1), i;
	size_t size = self->size;

	ASSERT_LE(0, fence);
	for (i = 0; i < 20; i++) {
		int fd = exporter_alloc(variant->exporter, &size, O_RDWR);

		ASSERT_LE(0, fd);
		ASSERT_EQ(0, buffer_import_sync_file(fd, i % 2 ? READ : WRITE, fence));
		EXPECT_EQ(0, poll_briefly(fd, POLLIN | POLLOUT) & POLLOUT);
		close(fd);
	}
	EXPECT_EQ(0, sync_file_status(fence, NULL));
	ASSERT_EQ(0, timeline_advance(self->timeline, 1));
	EXPECT_EQ(1, sync_file_status(fence, NULL));
	close(fence);
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

/*
 * ... and neither does one that signals while it goes. The sync_file is kept
 * all along: sw_sync itself cannot signal a fence in the moment when its last
 * reference is dropped.
 */
TEST_F(poll, fence_races_with_close)
{
	size_t size = self->size;
	int round, fence, fd;

	for (round = 1; round <= 50; round++) {
		struct signaller s = { .timeline = self->timeline };
		pthread_t thread;

		fd = exporter_alloc(variant->exporter, &size, O_RDWR);
		ASSERT_LE(0, fd);
		fence = timeline_fence(self->timeline, round);
		ASSERT_LE(0, fence);
		ASSERT_EQ(0, buffer_import_sync_file(fd, WRITE, fence));
		EXPECT_EQ(0, poll_briefly(fd, POLLIN | POLLOUT));
		ASSERT_EQ(0, pthread_create(&thread, NULL, signaller_main, &s));
		__atomic_store_n(&s.go, true, __ATOMIC_RELEASE);
		close(fd);
		pthread_join(thread, NULL);
		close(fence);
	}
}

/*
 * The sync_file of a direction signals when poll() would say ready
 */

TEST_F(poll, agrees_with_sync_file)
{
	const __u32 dirs[] = { READ, WRITE, READ | WRITE };
	const short events[] = { POLLIN, POLLOUT, POLLOUT };
	int fences[3], step, i, reader = timeline_open();

	ASSERT_LE(0, reader);
	ASSERT_EQ(0, timeline_import(self->timeline, 1, self->fd, WRITE));
	ASSERT_EQ(0, timeline_import(reader, 1, self->fd, READ));
	for (i = 0; i < 3; i++) {
		fences[i] = buffer_export_sync_file(self->fd, dirs[i]);
		ASSERT_LE(0, fences[i]);
	}

	for (step = 0; step < 3; step++) {
		for (i = 0; i < 3; i++) {
			EXPECT_EQ(!!poll_now(self->fd, events[i]),
				  !!poll_now(fences[i], POLLIN))
				TH_LOG("step %d, direction %u", step, dirs[i]);
		}
		timeline_advance(step ? reader : self->timeline, 1);
	}
	EXPECT_EQ(POLLIN, poll_now(fences[2], POLLIN));
	close_many(fences, 3);
	close(reader);
}

/*
 * When memory is returned although a fence is stuck: udmabuf shows it.
 */
TEST(stuck_fence_keeps_no_memory)
{
	size_t size = TEST_PAGES * getpagesize();
	int timeline, memfd, fd;

	timeline = need_timeline(_metadata);
	fd = udmabuf_alloc(&memfd, size, O_CLOEXEC);
	need_exporter(_metadata, UDMABUF, fd);

	ASSERT_EQ(0, timeline_import(timeline, 1, fd, WRITE));
	EXPECT_EQ(0, poll_briefly(fd, POLLIN | POLLOUT));
	close(fd);
	EXPECT_EQ(0, udmabuf_memory_pinned(memfd));
	close(timeline);
	close(memfd);
}

/*
 * Fences that a driver adds to its own reservation
 */

FIXTURE(driver_fence) {
	int drm;
	int fd;
	__u32 handle;
};

FIXTURE_SETUP(driver_fence)
{
	size_t size = TEST_PAGES * getpagesize();

	self->drm = need_vgem(_metadata);
	ASSERT_EQ(0, vgem_create(self->drm, &size, &self->handle));
	self->fd = vgem_export(self->drm, self->handle, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(driver_fence)
{
	close(self->fd);
	close(self->drm);
}

/* Returns the fence's number, to signal it with */
static int vgem_attach_fence(int drm, __u32 handle, __u32 flags)
{
	struct drm_vgem_fence_attach arg = { .handle = handle, .flags = flags };

	if (ioctl(drm, DRM_IOCTL_VGEM_FENCE_ATTACH, &arg))
		return -errno;
	return arg.out_fence;
}

static int vgem_signal_fence(int drm, __u32 fence)
{
	struct drm_vgem_fence_signal arg = { .fence = fence };

	return ioctl(drm, DRM_IOCTL_VGEM_FENCE_SIGNAL, &arg) ? -errno : 0;
}

TEST_F(driver_fence, write)
{
	struct poller poller;
	int fence;

	fence = vgem_attach_fence(self->drm, self->handle, VGEM_FENCE_WRITE);
	ASSERT_LE(0, fence);
	EXPECT_EQ(0, poll_now(self->fd, POLLIN | POLLOUT));
	ASSERT_EQ(0, poller_start(&poller, self->fd, POLLIN));
	ASSERT_EQ(0, vgem_signal_fence(self->drm, fence));
	EXPECT_EQ(POLLIN, poller_join(&poller));
	EXPECT_EQ(POLLIN | POLLOUT, poll_now(self->fd, POLLIN | POLLOUT));
}

TEST_F(driver_fence, read)
{
	struct poller poller;
	int fence;

	fence = vgem_attach_fence(self->drm, self->handle, 0);
	ASSERT_LE(0, fence);
	EXPECT_EQ(POLLIN, poll_now(self->fd, POLLIN | POLLOUT));
	ASSERT_EQ(0, poller_start(&poller, self->fd, POLLOUT));
	ASSERT_EQ(0, vgem_signal_fence(self->drm, fence));
	EXPECT_EQ(POLLOUT, poller_join(&poller));
}

/* A fence that came through the buffer stands in the driver's way, too */
TEST_F(driver_fence, imported_conflicts)
{
	int timeline = need_timeline(_metadata);

	ASSERT_EQ(0, timeline_import(timeline, 1, self->fd, WRITE));
	EXPECT_EQ(-EBUSY, vgem_attach_fence(self->drm, self->handle, VGEM_FENCE_WRITE));
	ASSERT_EQ(0, timeline_advance(timeline, 1));
	EXPECT_LE(0, vgem_attach_fence(self->drm, self->handle, VGEM_FENCE_WRITE));
	close(timeline);
}

TEST_HARNESS_MAIN
