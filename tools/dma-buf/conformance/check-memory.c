// SPDX-License-Identifier: GPL-2.0-only
/*
 * dmabuf-conformance: the contents of a buffer, and concurrent users.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/mman.h>

#include "conformance.h"

#define RW	(PROT_READ | PROT_WRITE)

/* Neither zero nor likely to be in memory by chance */
#define SECRET	0x7365637265743031ULL

static size_t count_words(const __u64 *map, size_t size, __u64 word)
{
	size_t i, found = 0;

	for (i = 0; i < size / sizeof(*map); i++)
		found += map[i] == word;
	return found;
}

CONFORM(memory, zeroed, NEED_FRESH | NEED_MMAP,
	"The memory of a new buffer is all zero. Before, it belonged to the kernel or\n"
	"to another user, whose data must not leak.")
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
	"Data that was written to a buffer is gone when the buffer is: no later\n"
	"buffer of any process shows it.")
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
	"The contents stay while the buffer lives, even if no process maps it.")
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

/* Work for several threads, each of which has a number */
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
		expect(buffer_set_name(fd, "short-lived") == 0, "a name cannot be set");
		close(fd);
	}
	return NULL;
}

CONFORM(parallel, alloc, NEED_ALLOC,
	"Threads that make and close buffers at the same time do not disturb each\n"
	"other: each buffer has its own number, and no descriptor is left behind.")
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
			expect(!buffer_set_name(fd, long_names[i % ARRAY_SIZE(long_names)]),
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
	"A name that is read while other threads set it is the old one or the new\n"
	"one, never a mixture.")
{
	struct crew crew = { .t = t };

	expect(!buffer_set_name(t->fd, long_names[0]), "a name cannot be set");
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
	"Several threads can map, poll and access a buffer at the same time, each\n"
	"with a descriptor that it opens and closes. In the end there are as many\n"
	"references as before.")
{
	struct crew crew = { .t = t };
	long before = fdinfo_count_settled(t->fd, 1), after;

	run_crew(&crew, use_and_drop);
	after = fdinfo_count_settled(t->fd, before);
	expect(after == before, "%ld references, %ld before", after, before);
}

/*
 * First accesses at the same time
 *
 * Memory that a hook leaks when calls race shows only in the total memory use of the
 * kernel, to which the whole system contributes. Therefore two kinds of batches take
 * turns. They differ only in that the accesses of one kind begin at the same time, and
 * those of the other one after the other. A leak makes most batches of the first kind
 * grow by more than their neighbours of the second, and the difference keeps adding up.
 * What the rest of the system does affects both kinds alike.
 */
#define FIRST_THREADS	8
#define FIRST_PAGES	256	/* large enough that a leaked table of them shows */
#define FIRST_ROUNDS	12	/* buffers in a batch */
#define FIRST_PAIRS	10	/* of batches; up to FIRST_PAIRS_MAX if in doubt */
#define FIRST_PAIRS_MAX	32
#define FIRST_LEAK	64	/* KiB in all */
#define FIRST_TIME_MS	40000

struct first {
	struct test *t;
	pthread_barrier_t begin, end;
	pthread_mutex_t in_turn;
	cpu_set_t cpus;
	unsigned int cpu_count;
	unsigned int ready;		/* of the threads with a processor of their own */
	int fd;
	bool serial, over;
};

struct first_thread {
	pthread_t thread;
	struct first *first;
	unsigned int number;
};

/* Spread the threads over the processors: the first ones get one each. */
static void pin_first(struct first_thread *me)
{
	unsigned int left = me->number % me->first->cpu_count;
	cpu_set_t one;
	int cpu = 0;

	while (!CPU_ISSET(cpu, &me->first->cpus) || left--)
		cpu++;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	pthread_setaffinity_np(pthread_self(), sizeof(one), &one);
}

/*
 * Threads that sleep wake up one by one. Those with a processor of their own then wait
 * for each other by spinning, so that they start within a moment. The others must not
 * take a processor from them, and do not spin.
 */
static void meet_first(struct first_thread *me)
{
	unsigned int at_once = me->first->cpu_count, *ready = &me->first->ready;

	if (at_once > FIRST_THREADS)
		at_once = FIRST_THREADS;
	if (me->number < at_once)
		__atomic_add_fetch(ready, 1, __ATOMIC_SEQ_CST);
	while (__atomic_load_n(ready, __ATOMIC_SEQ_CST) < at_once)
		if (me->number >= at_once)
			usleep(100);
}

static void *access_first(void *data)
{
	const __u64 access = DMA_BUF_SYNC_READ | DMA_BUF_SYNC_WRITE;
	struct first_thread *me = data;
	struct first *first = me->first;

	pin_first(me);
	for (;;) {
		pthread_barrier_wait(&first->begin);
		if (first->over)
			return NULL;
		meet_first(me);
		if (first->serial)
			pthread_mutex_lock(&first->in_turn);
		expect_result(buffer_sync(first->fd, DMA_BUF_SYNC_START | access), 0, "START");
		if (first->serial)
			pthread_mutex_unlock(&first->in_turn);
		expect_result(buffer_sync(first->fd, DMA_BUF_SYNC_END | access), 0, "END");
		pthread_barrier_wait(&first->end);
	}
}

/* By how many KiB the kernel's memory has grown in a batch */
static long long first_batch(struct first *first, bool serial)
{
	long long before = kernel_memory();
	size_t size;
	int i;

	for (i = 0; i < FIRST_ROUNDS; i++) {
		size = FIRST_PAGES * first->t->page;
		first->fd = buffer_new(first->t, &size);
		first->serial = serial;
		first->ready = 0;
		pthread_barrier_wait(&first->begin);
		pthread_barrier_wait(&first->end);
		close(first->fd);
		if (has_failed())
			break;
	}
	return kernel_memory() - before;
}

static void judge_first(struct first *first)
{
	long long end = now_ms() + FIRST_TIME_MS, parallel = 0, serial = 0, noise = 0, p, s;
	int pairs = 0, worse = 0;
	bool leaks = false;

	/* Warm up: whatever is allocated once and kept exists after this. */
	first_batch(first, false);
	first_batch(first, true);
	while (!leaks && pairs < FIRST_PAIRS_MAX && now_ms() < end && !has_failed()) {
		p = first_batch(first, false);
		s = first_batch(first, true);
		parallel += p;
		serial += s;
		noise += llabs(s);
		worse += p > s;
		pairs++;
		if (pairs >= FIRST_PAIRS && parallel - serial < FIRST_LEAK / 2)
			return;
		leaks = pairs >= FIRST_PAIRS && worse * 2 >= pairs &&
			parallel - serial >= FIRST_LEAK && parallel - serial >= 2 * noise;
	}
	if (pairs < FIRST_PAIRS && !has_failed())
		skip("this is too slow here to tell: %d of %d pairs of batches in %d s", pairs,
		     FIRST_PAIRS, FIRST_TIME_MS / 1000);
	expect(!leaks, "%lld KiB are left of %d buffers whose first accesses coincide, else %lld",
	       parallel, pairs * FIRST_ROUNDS, serial);
	if (!leaks && !has_failed())
		note("a clear result: %lld KiB are left of %d buffers, %lld without overlap",
		     parallel, pairs * FIRST_ROUNDS, serial);
}

CONFORM(parallel, first_sync, NEED_ALLOC,
	"The first accesses to a buffer may begin at the same time. The exporter\n"
	"allocates what the first one needs once, and loses nothing that a racing\n"
	"access has allocated. Each lost table is memory that can never be freed.")
{
	struct first_thread threads[FIRST_THREADS];
	struct first first = { .t = t };
	unsigned int i;

	if (!kernel_memory_exact())
		skip("needs exact counts of memory (/proc/sys/vm/stat_refresh): root");
	require(!sched_getaffinity(0, sizeof(first.cpus), &first.cpus),
		"sched_getaffinity() fails: %s", errno_name(errno));
	first.cpu_count = CPU_COUNT(&first.cpus);
	if (first.cpu_count < 2)
		note("accesses that overlap without a sleep, as there is just one processor");
	pthread_barrier_init(&first.begin, NULL, FIRST_THREADS + 1);
	pthread_barrier_init(&first.end, NULL, FIRST_THREADS + 1);
	pthread_mutex_init(&first.in_turn, NULL);
	for (i = 0; i < FIRST_THREADS; i++) {
		threads[i].first = &first;
		threads[i].number = i;
		require(!pthread_create(&threads[i].thread, NULL, access_first, &threads[i]),
			"no thread can be made");
	}
	judge_first(&first);
	first.over = true;
	pthread_barrier_wait(&first.begin);
	for (i = 0; i < FIRST_THREADS; i++)
		pthread_join(threads[i].thread, NULL);
}
