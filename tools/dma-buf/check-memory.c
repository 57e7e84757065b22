// SPDX-License-Identifier: GPL-2.0-only
/*
 * dmabuf-conformance: what is in a buffer's memory, and many users at once.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/mman.h>

#include "conformance.h"

#define RW	(PROT_READ | PROT_WRITE)

/* Not zero, and nothing that memory holds by chance */
#define SECRET	0x7365637265743031ULL

static size_t count_words(const __u64 *map, size_t size, __u64 word)
{
	size_t i, found = 0;

	for (i = 0; i < size / sizeof(*map); i++)
		found += map[i] == word;
	return found;
}

CONFORM(memory, zeroed, NEED_FRESH | NEED_MMAP,
	"The memory of a new buffer is all zero. It was somebody else's before, the\n"
	"kernel's or another user's, and what that left there is nobody's business.")
{
	size_t size = t->size, words;
	__u64 *map;
	int i, fd;

	for (i = 0; i < 8; i++) {
		fd = buffer_new(t, &size);
		map = map_whole(t, fd, size, PROT_READ);
		words = size / sizeof(*map) - count_words(map, size, 0);
		expect(!words, "%zu words of a new buffer are not zero", words);
	}
}

CONFORM(memory, no_stale_data, NEED_FRESH | NEED_WRITE,
	"What was written to a buffer is gone when the buffer is: a later one, of\n"
	"any process, does not show it.")
{
	int fds[16], round;
	unsigned int i;
	size_t size = t->size, words;
	__u64 *map;

	for (round = 0; round < 2; round++) {
		for (i = 0; i < ARRAY_SIZE(fds); i++) {
			size_t j;

			fds[i] = buffer_new(t, &size);
			map = map_whole(t, fds[i], size, RW);
			words = count_words(map, size, SECRET);
			expect(!words, "%zu words of an earlier buffer are there", words);
			for (j = 0; j < size / sizeof(*map); j++)
				map[j] = SECRET;
			munmap(map, size);
		}
		for (i = 0; i < ARRAY_SIZE(fds); i++)
			close(fds[i]);
	}
}

CONFORM(memory, persists, NEED_WRITE,
	"The contents stay while the buffer lives, also when nobody has it mapped.")
{
	__u64 *map = map_whole(t, t->fd, t->size, RW);
	size_t i, wrong = 0;

	for (i = 0; i < t->size / sizeof(*map); i++)
		map[i] = SECRET ^ i;
	munmap(map, t->size);
	map = map_whole(t, t->fd, t->size, PROT_READ);
	for (i = 0; i < t->size / sizeof(*map); i++)
		wrong += map[i] != (SECRET ^ i);
	expect(!wrong, "%zu words have changed", wrong);
}

CONFORM(memory, own, NEED_ALLOC | NEED_WRITE,
	"Two buffers do not share memory.")
{
	size_t size = t->size;
	int other = buffer_new(t, &size);
	__u64 *one = map_whole(t, t->fd, t->size, RW);
	__u64 *two = map_whole(t, other, size, RW);

	memset(one, 0x11, t->size);
	memset(two, 0x22, size);
	expect(count_words(one, t->size, 0x1111111111111111ULL) == t->size / sizeof(*one),
	       "what is written to one gets into the other");
}

/* Work for some threads, each of which has a number */
#define THREADS	4

struct crew {
	struct test *t;
	ino_t inos[THREADS][64];
	bool done;
};

struct worker {
	pthread_t thread;
	struct crew *crew;
	unsigned int number;
};

static void run_crew(struct crew *crew, void *(*work)(void *data))
{
	struct worker workers[THREADS];
	unsigned int i;

	for (i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){ .crew = crew, .number = i };
		require(!pthread_create(&workers[i].thread, NULL, work, &workers[i]),
			"no thread can be made");
	}
	for (i = 0; i < THREADS; i++)
		pthread_join(workers[i].thread, NULL);
}

static void *make_and_close(void *data)
{
	struct worker *worker = data;
	struct test *t = worker->crew->t;
	ino_t *inos = worker->crew->inos[worker->number];
	size_t size;
	int i, fd;

	for (i = 0; i < 64; i++) {
		size = t->size;
		fd = buffer_new(t, &size);
		inos[i] = buffer_ino(fd);
		expect(buffer_name(fd, "short-lived") == 0, "a name cannot be set");
		close(fd);
	}
	return NULL;
}

CONFORM(parallel, alloc, NEED_ALLOC,
	"Threads that make and close buffers at the same time do not get into each\n"
	"other's way: each buffer has its own number, and no descriptor is left.")
{
	static struct crew crew;
	struct fd_state before = fd_state();
	ino_t *inos = crew.inos[0];
	int i, j, same = 0;

	crew.t = t;
	run_crew(&crew, make_and_close);
	for (i = 0; i < THREADS * 64; i++)
		for (j = 0; j < i; j++)
			same += inos[i] == inos[j];
	expect(!same, "%d pairs of buffers have the same inode number", same);
	expect_no_fd_left(before);
}

static const char * const long_names[] = {
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbbbbb", "c",
};

static void *name_and_read(void *data)
{
	struct worker *worker = data;
	int fd = worker->crew->t->fd;
	unsigned int i, j;
	char name[64];

	for (i = 0; i < 300; i++) {
		if (worker->number & 1) {
			expect(!buffer_name(fd, long_names[i % ARRAY_SIZE(long_names)]),
			       "a name cannot be set");
			continue;
		}
		if (fdinfo_get(fd, "name", name, sizeof(name)) != 1) {
			stop("fdinfo has not just one line with the name");
			break;
		}
		for (j = 0; j < ARRAY_SIZE(long_names); j++)
			if (!strcmp(name, long_names[j]))
				break;
		if (j == ARRAY_SIZE(long_names))
			stop("fdinfo shows '%s', which is no name that anybody set", name);
	}
	return NULL;
}

CONFORM(parallel, name, 0,
	"A name is seen whole while others set it: the old one or the new, never a\n"
	"part of each.")
{
	struct crew crew = { .t = t };

	expect(!buffer_name(t->fd, long_names[0]), "a name cannot be set");
	run_crew(&crew, name_and_read);
}

static void *use_and_drop(void *data)
{
	struct worker *worker = data;
	struct test *t = worker->crew->t;
	unsigned int i;
	void *map;
	int fd;

	for (i = 0; i < 200; i++) {
		fd = dup(t->fd);
		require(fd >= 0, "dup() fails: %s", errno_name(errno));
		map = map_try(fd, t->page, PROT_READ, MAP_SHARED, 0);
		expect(poll_once(fd, POLLIN, 5000) == POLLIN, "poll() does not find it idle");
		expect_result(buffer_sync(fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ), 0, "START");
		close(fd);
		expect_result(buffer_sync(t->fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_READ), 0, "END");
		if (map)
			munmap(map, t->page);
		if (has_failed())
			break;
	}
	return NULL;
}

CONFORM(parallel, use, NEED_ALLOC | NEED_MMAP,
	"A buffer can be mapped, polled and accessed by several threads at a time,\n"
	"each with a descriptor that comes and goes; in the end there are as many\n"
	"references as before.")
{
	struct crew crew = { .t = t };
	long before = fdinfo_count_settled(t->fd, 1), after;

	run_crew(&crew, use_and_drop);
	after = fdinfo_count_settled(t->fd, before);
	expect(after == before, "%ld references, %ld before", after, before);
}
