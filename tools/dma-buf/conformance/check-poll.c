// SPDX-License-Identifier: GPL-2.0-only
/*
 * dmabuf-conformance: waiting for a buffer's fences with poll().
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/epoll.h>
#include <sys/select.h>

#include "conformance.h"

#define READ	DMA_BUF_SYNC_READ
#define WRITE	DMA_BUF_SYNC_WRITE

/* Time limits: one for events that must come, one for events that must not */
#define LONG_MS		10000
#define QUIET_MS	50

static void expect_poll(int fd, int events, int timeout_ms, int right, const char *what)
{
	long long began = now_ms();
	int got = poll_once(fd, events, timeout_ms);

	/* poll() looks again when its time is over; that look is not a wake-up. */
	expect(!right || !timeout_ms || now_ms() - began < timeout_ms,
	       "%s: poll() is not woken, it sleeps till its time is over", what);
	if (got < 0)
		failed("%s: poll() fails with %s", what, errno_name(-got));
	else
		expect(got == right, "%s: poll() gives %#x, should be %#x", what, got, right);
}

static int epoll_with(int fd, unsigned int events)
{
	struct epoll_event event = { .events = events };
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	require(epoll >= 0, "no epoll: %s", errno_name(errno));
	require(!epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event), "epoll_ctl() fails: %s",
		errno_name(errno));
	return epoll;
}

/* Returns the events, 0 if none come */
static int epoll_once(int epoll, int timeout_ms)
{
	struct epoll_event event = {};
	int n = epoll_wait(epoll, &event, 1, timeout_ms);

	require(n >= 0, "epoll_wait() fails: %s", errno_name(errno));
	return n ? event.events : 0;
}

CONFORM(poll, idle, 0,
	"An idle buffer is ready at once for POLLIN (it can be read), for POLLOUT (it\n"
	"can be written), and for both.")
{
	expect_poll(t->fd, POLLIN, LONG_MS, POLLIN, "POLLIN");
	expect_poll(t->fd, POLLOUT, LONG_MS, POLLOUT, "POLLOUT");
	expect_poll(t->fd, POLLIN | POLLOUT, LONG_MS, POLLIN | POLLOUT, "both");
}

CONFORM_OLDER(poll, synonyms, 0,
	      "POLLRDNORM and POLLWRNORM mean what POLLIN and POLLOUT mean, as for every\n"
	      "file: some programs and libraries ask for these.",
	      "Known: the core of Linux 6.12 as released only knows POLLIN and POLLOUT.")
{
	expect_poll(t->fd, POLLRDNORM, 0, POLLRDNORM, "POLLRDNORM");
	expect_poll(t->fd, POLLWRNORM, 0, POLLWRNORM, "POLLWRNORM");
}

CONFORM(poll, no_events, 0,
	"poll() for no event returns none: a buffer never reports POLLERR or POLLHUP.")
{
	expect_poll(t->fd, 0, QUIET_MS, 0, "no events");
	expect_poll(t->fd, POLLPRI, QUIET_MS, 0, "POLLPRI");
	expect_poll(t->fd, POLLIN, 0, POLLIN, "POLLIN after that");
}

CONFORM(poll, ppoll, 0,
	"ppoll() with a timeout of 0 does not wait.")
{
	struct pollfd pfd = { .fd = t->fd, .events = POLLIN | POLLOUT };
	struct timespec now = {};

	expect(ppoll(&pfd, 1, &now, NULL) == 1, "it finds nothing");
	expect(pfd.revents == (POLLIN | POLLOUT), "it gives %#x", pfd.revents);
}

CONFORM(poll, select, 0,
	"select() works as well.")
{
	struct timeval time = { .tv_sec = LONG_MS / 1000 };
	fd_set in, out;

	if (t->fd >= FD_SETSIZE)
		skip("the descriptor's number is too large for select()");
	FD_ZERO(&in);
	FD_ZERO(&out);
	FD_SET(t->fd, &in);
	FD_SET(t->fd, &out);
	expect(select(t->fd + 1, &in, &out, NULL, &time) == 2, "it does not find both ready");
}

CONFORM(poll, epoll_level, 0,
	"epoll reports an idle buffer at every call, unless it is edge-triggered.")
{
	int epoll = epoll_with(t->fd, EPOLLIN | EPOLLOUT), i;

	for (i = 0; i < 3; i++)
		expect(epoll_once(epoll, LONG_MS) == (EPOLLIN | EPOLLOUT),
		       "it does not, the %d. time", i + 1);
}

CONFORM_OLDER(poll, epoll_edge, 0,
	      "With EPOLLET an idle buffer is reported once and not again, as nothing\n"
	      "happens to it.",
	      "Known: with the core of Linux 6.12 as released, looking at an idle buffer\n"
	      "wakes whoever looks, so an edge-triggered program spins.")
{
	int epoll = epoll_with(t->fd, EPOLLIN | EPOLLET);

	expect(epoll_once(epoll, LONG_MS) == EPOLLIN, "the first time there is no event");
	expect(!epoll_once(epoll, QUIET_MS), "there is a second event of nothing");
	expect(!epoll_once(epoll, QUIET_MS), "there is a third event of nothing");
}

CONFORM(poll, epoll_oneshot, 0,
	"With EPOLLONESHOT a buffer is reported once, and again after re-arming.")
{
	struct epoll_event event = { .events = EPOLLOUT | EPOLLONESHOT };
	int epoll = epoll_with(t->fd, EPOLLOUT | EPOLLONESHOT);

	expect(epoll_once(epoll, LONG_MS) == EPOLLOUT, "the first time there is no event");
	expect(!epoll_once(epoll, QUIET_MS), "there is a second event");
	epoll_ctl(epoll, EPOLL_CTL_MOD, t->fd, &event);
	expect(epoll_once(epoll, LONG_MS) == EPOLLOUT, "armed anew there is no event");
}

CONFORM(poll, write_fence, NEED_SW_SYNC,
	"While a device writes to it, a buffer is ready neither for POLLIN nor for\n"
	"POLLOUT. When the device is done, it is ready for both.")
{
	timeline_import(t, 1, t->fd, WRITE);
	expect_poll(t->fd, POLLIN, 0, 0, "POLLIN while a device writes");
	expect_poll(t->fd, POLLOUT, 0, 0, "POLLOUT while a device writes");
	expect_poll(t->fd, POLLIN | POLLOUT, QUIET_MS, 0, "both while a device writes");
	timeline_advance(t->timeline, 1);
	expect_poll(t->fd, POLLIN | POLLOUT, LONG_MS, POLLIN | POLLOUT, "when it is done");
}

CONFORM(poll, read_fence, NEED_SW_SYNC,
	"While a device reads from it, a buffer is ready for POLLIN, as others may\n"
	"read, too, but not for POLLOUT.")
{
	timeline_import(t, 1, t->fd, READ);
	expect_poll(t->fd, POLLIN, 0, POLLIN, "POLLIN while a device reads");
	expect_poll(t->fd, POLLOUT, 0, 0, "POLLOUT while a device reads");
	expect_poll(t->fd, POLLIN | POLLOUT, 0, POLLIN, "both while a device reads");
	timeline_advance(t->timeline, 1);
	expect_poll(t->fd, POLLOUT, LONG_MS, POLLOUT, "POLLOUT when it is done");
}

CONFORM(poll, timeout, NEED_SW_SYNC,
	"poll() with a timeout returns when the time is over, and not before, if the\n"
	"device is not done by then.")
{
	long long began = now_ms(), took;

	timeline_import(t, 1, t->fd, WRITE);
	expect_poll(t->fd, POLLIN, 200, 0, "POLLIN with 200 ms");
	took = now_ms() - began;
	expect(took >= 199, "it came back after %lld ms", took);
}

CONFORM(poll, wakes, NEED_SW_SYNC,
	"poll() sleeps until the device is done, and then wakes up: for POLLIN after\n"
	"the writes, for POLLOUT after the reads, too.")
{
	int fence = timeline_import(t, 1, t->fd, WRITE);

	timeline_advance_later(t->timeline, 1, 100);
	expect_poll(t->fd, POLLIN, LONG_MS, POLLIN, "POLLIN");
	expect(sync_file_status(fence) == 1, "POLLIN came before the fence");

	fence = timeline_import(t, 2, t->fd, READ);
	timeline_advance_later(t->timeline, 1, 100);
	expect_poll(t->fd, POLLOUT, LONG_MS, POLLOUT, "POLLOUT");
	expect(sync_file_status(fence) == 1, "POLLOUT came before the fence");
}

CONFORM(poll, several_fences, NEED_SW_SYNC,
	"poll() waits for all fences of a buffer, not only for the first one.")
{
	int other = timeline_open(), fence, err;

	require(other >= 0, "no second timeline: %s", errno_name(-other));
	fence = timeline_fence(other, 1);
	timeline_import(t, 1, t->fd, READ);
	err = buffer_import_sync_file(t->fd, READ, fence);
	require(!err, "a second fence cannot be imported: %s", errno_name(-err));
	expect_poll(t->fd, POLLOUT, 0, 0, "POLLOUT before both");
	timeline_advance(t->timeline, 1);
	expect_poll(t->fd, POLLOUT, QUIET_MS, 0, "POLLOUT between the two");
	timeline_advance_later(other, 1, 100);
	expect_poll(t->fd, POLLOUT, LONG_MS, POLLOUT, "POLLOUT after both");
}

CONFORM(poll, epoll_fence, NEED_SW_SYNC,
	"An edge-triggered epoll gets its event when the device is done.")
{
	int epoll;

	timeline_import(t, 1, t->fd, WRITE);
	epoll = epoll_with(t->fd, EPOLLIN | EPOLLET);
	expect(!epoll_once(epoll, QUIET_MS), "there is an event while the device writes");
	timeline_advance_later(t->timeline, 1, 100);
	expect(epoll_once(epoll, LONG_MS) == EPOLLIN, "there is none when it is done");
}

struct poller {
	pthread_t thread;
	int fd;
	short events;
};

static void *poller_main(void *data)
{
	struct poller *poller = data;

	expect_poll(poller->fd, poller->events, LONG_MS, poller->events, "one of the pollers");
	return NULL;
}

CONFORM(poll, many_pollers, NEED_SW_SYNC,
	"Every poller wakes up, however many there are and whichever events they wait\n"
	"for: none takes the wake-up of another one.")
{
	struct poller pollers[8];
	unsigned int i;

	timeline_import(t, 1, t->fd, WRITE);
	for (i = 0; i < ARRAY_SIZE(pollers); i++) {
		pollers[i] = (struct poller){
			.fd = i & 2 ? dup(t->fd) : t->fd,
			.events = i & 1 ? POLLIN : POLLOUT,
		};
		require(!pthread_create(&pollers[i].thread, NULL, poller_main, &pollers[i]),
			"no thread can be made");
	}
	sleep_ms(100);
	timeline_advance(t->timeline, 1);
	for (i = 0; i < ARRAY_SIZE(pollers); i++)
		pthread_join(pollers[i].thread, NULL);
}

CONFORM_OLDER(poll, close_pending, NEED_ALLOC | NEED_SW_SYNC | NEED_BUFINFO,
	      "A fence that never signals does not keep a buffer alive after its last\n"
	      "descriptor was closed, even if it was polled: its memory is freed.",
	      "Known: with the core of Linux 6.12 as released a poll that waits holds a\n"
	      "reference to the buffer until the fence signals.")
{
	size_t size = t->size;
	int fd = buffer_new(t, &size);
	ino_t ino = buffer_ino(fd);

	close(timeline_import(t, 1, fd, WRITE));
	expect_poll(fd, POLLIN | POLLOUT, QUIET_MS, 0, "while a device writes");
	expect(bufinfo_lines(ino) == 1, "bufinfo does not have the buffer");
	close(fd);
	expect(!bufinfo_lines_left(ino), "the buffer is still there, a second after it was closed");
}
