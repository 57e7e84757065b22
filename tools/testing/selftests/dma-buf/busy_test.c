// SPDX-License-Identifier: GPL-2.0-only
/*
 * What must go on while somebody holds a buffer's reservation for long.
 *
 * The first map of a vgem buffer allocates its pages with the reservation
 * held, and a large buffer has many of them: that is the somebody. While the
 * map lasts, what is under test is done again and again. Who has to wait for
 * the reservation needs for one round as long as the map does; it is enough
 * here to have never needed half of that.
 */
#include <fcntl.h>
#include <poll.h>
#include <time.h>

#include "fixture.h"

#define LARGE		(32UL << 20)

/* A host that is busy itself can delay anybody: so there are several tries. */
#define TRIES		5

/* In memory shared with the process that maps */
struct holder {
	double seconds;
	bool failed;
	bool begun;
	bool done;
};

struct state {
	int drm;
	int fd;
	int timeline;
	size_t size;
	ino_t ino;
	struct holder *holder;
};

FIXTURE(busy) {
	struct state state;
};

FIXTURE_SETUP(busy)
{
	struct state *s = &self->state;

	s->fd = -1;
	s->timeline = need_timeline(_metadata);
	s->drm = need_vgem(_metadata);
	s->holder = mmap(NULL, sizeof(*s->holder), PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, s->holder);
}

FIXTURE_TEARDOWN(busy)
{
	struct state *s = &self->state;

	close(s->timeline);
	close(s->fd);
	close(s->drm);
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

/*
 * Maps the buffer. Another process does, since a thread would keep its sisters
 * from the address space as well, which is not what is to be measured.
 */
static pid_t holder_start(struct state *s)
{
	struct holder *h = s->holder;
	double begin;
	pid_t pid;

	*h = (struct holder) {};
	pid = fork();
	if (pid)
		return pid;

	__atomic_store_n(&h->begun, true, __ATOMIC_RELEASE);
	begin = now();
	h->failed = mmap(NULL, s->size, PROT_READ, MAP_SHARED,
			 s->fd, 0) == MAP_FAILED;
	h->seconds = now() - begin;
	__atomic_store_n(&h->done, true, __ATOMIC_RELEASE);
	_exit(0);
}

/* A buffer that nobody has mapped yet, in place of the last one */
static int new_buffer(struct state *s)
{
	__u32 handle;
	int err;

	if (s->fd >= 0)
		close(s->fd);
	s->size = LARGE;
	err = vgem_create(s->drm, &s->size, &handle);
	if (err)
		return err;
	s->fd = vgem_export(s->drm, handle, O_RDWR | O_CLOEXEC);
	vgem_free(s->drm, handle);
	if (s->fd < 0)
		return s->fd;
	s->ino = buf_ino(s->fd);
	return 0;
}

/*
 * Calls what() for as long as the reservation is held. Returns 1 if no call
 * took half as long as that, 0 if one did, negative if something went wrong.
 */
static int measure(struct state *s, int (*what)(struct state *s))
{
	struct holder *h = s->holder;
	double begin, took, longest = 0;
	int err = 0;
	pid_t pid;

	pid = holder_start(s);
	if (pid < 0)
		return -errno;
	while (!__atomic_load_n(&h->begun, __ATOMIC_ACQUIRE))
		;
	do {
		begin = now();
		err = what(s);
		took = now() - begin;
		if (took > longest)
			longest = took;
	} while (!err && !__atomic_load_n(&h->done, __ATOMIC_ACQUIRE));

	if (waitpid(pid, NULL, 0) != pid || h->failed)
		return -ENOMEM;
	printf("# held for %.1f ms, longest call %.1f ms\n",
	       h->seconds * 1e3, longest * 1e3);
	return err ?: longest < h->seconds / 2;
}

static int poll_idle(struct state *s)
{
	return poll_now(s->fd, POLLIN | POLLOUT) == (POLLIN | POLLOUT) ? 0 : -EIO;
}

TEST_F(busy, poll_idle)
{
	struct state *s = &self->state;
	int i, ret = 0;

	for (i = 0; i < TRIES && !ret; i++) {
		ASSERT_EQ(0, new_buffer(s));
		ret = measure(s, poll_idle);
	}
	EXPECT_EQ(1, ret);
}

static int poll_pending(struct state *s)
{
	return poll_now(s->fd, POLLIN | POLLOUT) == 0 ? 0 : -EIO;
}

TEST_F(busy, poll_pending)
{
	struct state *s = &self->state;
	int i, ret = 0;

	for (i = 0; i < TRIES && !ret; i++) {
		ASSERT_EQ(0, new_buffer(s));
		ASSERT_EQ(0, timeline_import(s->timeline, 1, s->fd,
					     DMA_BUF_SYNC_WRITE));
		ret = measure(s, poll_pending);
	}
	EXPECT_EQ(1, ret);
}

/* A buffer that is busy has its line in bufinfo like any other */
static int read_bufinfo(struct state *s)
{
	return bufinfo_lines(s->ino) == 1 ? 0 : -EIO;
}

TEST_F(busy, bufinfo)
{
	struct state *s = &self->state;
	int i, ret = 0;

	need_bufinfo(_metadata);

	for (i = 0; i < TRIES && !ret; i++) {
		ASSERT_EQ(0, new_buffer(s));
		ret = measure(s, read_bufinfo);
	}
	EXPECT_EQ(1, ret);
}

static int export_and_close(struct state *s)
{
	size_t size = getpagesize();
	int fd = exporter_alloc(SYSTEM_HEAP, &size, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

static void *reader_main(void *arg)
{
	struct state *s = arg;

	while (!__atomic_load_n(&s->holder->done, __ATOMIC_ACQUIRE))
		bufinfo_lines(s->ino);
	return NULL;
}

/* Other buffers come and go, even if a third one looks at bufinfo meanwhile */
TEST_F(busy, export_beside_bufinfo)
{
	struct state *s = &self->state;
	pthread_t reader;
	int i, ret = 0;

	need_bufinfo(_metadata);
	ret = export_and_close(s);
	if (exporter_missing(ret))
		SKIP_TEST("%s: %s", exporter_node(SYSTEM_HEAP), strerror(-ret));

	for (i = 0; i < TRIES && !ret; i++) {
		ASSERT_EQ(0, new_buffer(s));
		s->holder->done = false;
		ASSERT_EQ(0, pthread_create(&reader, NULL, reader_main, s));
		ret = measure(s, export_and_close);
		pthread_join(reader, NULL);
	}
	EXPECT_EQ(1, ret);
}

static int look_at_file(struct state *s)
{
	if (fdinfo_get(s->fd, "size", NULL, 0) != 1 ||
	    lseek(s->fd, 0, SEEK_END) != s->size)
		return -EIO;
	return buf_set_name(s->fd, "busy");
}

TEST_F(busy, fdinfo_size_and_name)
{
	struct state *s = &self->state;
	int i, ret = 0;

	for (i = 0; i < TRIES && !ret; i++) {
		ASSERT_EQ(0, new_buffer(s));
		ret = measure(s, look_at_file);
	}
	EXPECT_EQ(1, ret);
}

TEST_HARNESS_MAIN
