// SPDX-License-Identifier: GPL-2.0-only
/*
 * Threads that do two things to one buffer at the same time, again and again, for
 * each pair of things that share something in the core. What a test sees is that
 * nothing fails or is torn; the kernels with KASAN, lockdep and KCSAN see more.
 */
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "fixture.h"
#include "testdev.h"

#define RACERS		4
#define ROUNDS		200
#define MARK		0x5a

struct arena {
	int testdev;
	int fd;
	__u32 exporter;
	ino_t ino;
	unsigned int moves;	/* number of migrations */
};

struct racer;

/* One round; returns 0 or the line that saw something wrong */
typedef int (*step_fn)(struct racer *racer, int round);

struct racer {
	pthread_t thread;
	struct arena *arena;
	pthread_barrier_t *start;
	step_fn step;
	unsigned int rounds;
	int testdev;		/* own session, as each session has a lock */
	int round;
	int line;
};

static void *racer_main(void *arg)
{
	struct racer *racer = arg;

	pthread_barrier_wait(racer->start);
	for (; racer->round < racer->rounds; racer->round++) {
		racer->line = racer->step(racer, racer->round);
		if (racer->line)
			break;
	}
	return NULL;
}

/* The number of rounds can be raised, to look for rare races. */
static unsigned int rounds_wanted(void)
{
	const char *text = getenv("DMA_BUF_RACE_ROUNDS");
	unsigned int rounds = text ? strtoul(text, NULL, 10) : 0;

	return rounds ?: ROUNDS;
}

/* Every other thread does the one thing, the rest the other. */
static void race(struct __test_metadata *_metadata, struct arena *arena,
		 step_fn one, step_fn other)
{
	unsigned int rounds = rounds_wanted();
	struct racer racers[RACERS] = {};
	pthread_barrier_t start;
	int i;

	ASSERT_EQ(0, pthread_barrier_init(&start, NULL, RACERS));
	for (i = 0; i < RACERS; i++) {
		struct racer *racer = &racers[i];

		racer->arena = arena;
		racer->start = &start;
		racer->step = i % 2 ? other : one;
		racer->rounds = rounds;
		racer->testdev = testdev_open();
		ASSERT_LE(0, racer->testdev);
	}
	for (i = 0; i < RACERS; i++)
		ASSERT_EQ(0, pthread_create(&racers[i].thread, NULL, racer_main,
					    &racers[i]));
	for (i = 0; i < RACERS; i++) {
		pthread_join(racers[i].thread, NULL);
		EXPECT_EQ(0, racers[i].line)
			TH_LOG("thread %d, round %d: line %d", i,
			       racers[i].round, racers[i].line);
		close(racers[i].testdev);
	}
	pthread_barrier_destroy(&start);
}

static void arena_open(struct __test_metadata *_metadata, struct arena *arena,
		       __u32 kind)
{
	arena->testdev = need_testdev(_metadata);
	arena->fd = testdev_create(arena->testdev, kind, TEST_PAGES * getpagesize(),
				   &arena->exporter);
	ASSERT_LE(0, arena->fd);
	arena->ino = buffer_ino(arena->fd);
}

static void arena_close(struct arena *arena)
{
	close(arena->fd);
	close(arena->testdev);
}

FIXTURE(race) {
	struct arena arena;
};

FIXTURE_SETUP(race)
{
	arena_open(_metadata, &self->arena, 0);
}

FIXTURE_TEARDOWN(race)
{
	arena_close(&self->arena);
}

/* Where it matters what the exporter is like */
FIXTURE(kind) {
	struct arena arena;
};

FIXTURE_VARIANT(kind) {
	__u32 kind;
};

FIXTURE_VARIANT_ADD(kind, static) {
	.kind = 0,
};

FIXTURE_VARIANT_ADD(kind, dynamic) {
	.kind = DMA_BUF_TEST_DYNAMIC,
};

FIXTURE_VARIANT_ADD(kind, cached) {
	.kind = DMA_BUF_TEST_CACHED,
};

FIXTURE_SETUP(kind)
{
	arena_open(_metadata, &self->arena, variant->kind);
}

FIXTURE_TEARDOWN(kind)
{
	arena_close(&self->arena);
}

/* The work is always the same, and there are slow machines with fast clocks. */
#define RACE_F(fixture, name)	TEST_F_TIMEOUT(fixture, name, 300)

/*
 * Names: the nth letter of the alphabet, n times, so that no part of one and no two
 * parts of different ones can be taken for a name.
 */

static void make_name(char *name, int n)
{
	memset(name, 'a' + n, n + 1);
	name[n + 1] = '\0';
}

static bool is_name(const char *text)
{
	char name[32];

	if (text[0] < 'a' || text[0] > 'z')
		return false;
	make_name(name, text[0] - 'a');
	return !strcmp(name, text);
}

static int set_name(struct racer *racer, int round)
{
	char name[32];

	make_name(name, round % 26);
	if (buffer_set_name(racer->arena->fd, name))
		return __LINE__;
	return 0;
}

static int read_name(struct racer *racer, int round)
{
	static const char dname[] = "/dmabuf:";
	char path[64], text[64], line[512], *p;
	ssize_t len;

	if (fdinfo_get(racer->arena->fd, "name", text, sizeof(text)) != 1)
		return __LINE__;
	if (!is_name(text))
		return __LINE__;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", racer->arena->fd);
	len = readlink(path, text, sizeof(text) - 1);
	if (len <= (ssize_t)strlen(dname))
		return __LINE__;
	text[len] = '\0';
	if (strncmp(text, dname, strlen(dname)))
		return __LINE__;
	if (!is_name(text + strlen(dname)))
		return __LINE__;

	/* The name is the last of the columns */
	if (!bufinfo_readable() || round % 8)
		return 0;
	if (bufinfo_line(racer->arena->ino, line, sizeof(line)) != 1)
		return __LINE__;
	p = strrchr(line, '\t');
	if (!p)
		return __LINE__;
	p[strcspn(p, "\n")] = '\0';
	if (!is_name(p + 1))
		return __LINE__;
	return 0;
}

RACE_F(race, names)
{
	/* So that there is one from the beginning */
	ASSERT_EQ(0, buffer_set_name(self->arena.fd, "a"));
	race(_metadata, &self->arena, set_name, read_name);
}

/*
 * Attachments
 */

static int import(struct racer *racer, int round)
{
	const __u32 flags = round % 2 ? DMA_BUF_TEST_IMPORTER_DYNAMIC |
					DMA_BUF_TEST_IMPORTER_LETS_GO : 0;
	int id, err;

	id = testdev_attach(racer->testdev, racer->arena->fd, flags);
	if (id <= 0)
		return __LINE__;
	if (testdev_map(racer->testdev, id, DIR_BOTH))
		return __LINE__;
	/* The move callback may have undone the mapping meanwhile. */
	err = testdev_unmap(racer->testdev, id);
	if (err && !(flags && err == -ENOENT))
		return __LINE__;
	if (testdev_free(racer->testdev, id))
		return __LINE__;
	return 0;
}

static int list_devices(struct racer *racer, int round)
{
	int devices = bufinfo_devices(racer->arena->ino);

	/* One racer for each kind of importer */
	if (devices < 0 || devices > RACERS / 2)
		return __LINE__;
	return 0;
}

static void nothing_left(struct __test_metadata *_metadata,
			 const struct arena *arena)
{
	struct dma_buf_test_exporter_info info;

	info = testdev_exporter(arena->testdev, arena->exporter);
	EXPECT_EQ(0, info.attached);
	EXPECT_EQ(0, info.mapped);
	EXPECT_EQ(0, info.pinned);
	EXPECT_EQ(0, info.vmapped);
	if (bufinfo_readable())
		EXPECT_EQ(0, bufinfo_devices(arena->ino));
}

RACE_F(kind, imports)
{
	race(_metadata, &self->arena, import, import);
	nothing_left(_metadata, &self->arena);
}

RACE_F(kind, imports_and_bufinfo)
{
	need_bufinfo(_metadata);

	race(_metadata, &self->arena, import, list_devices);
	nothing_left(_metadata, &self->arena);
}

static int migrate(struct racer *racer, int round)
{
	struct arena *arena = racer->arena;
	int err = testdev_migrate(arena->testdev, arena->exporter, 0);

	/* The buffer may be pinned by another racer */
	if (err && err != -EBUSY)
		return __LINE__;
	if (!err)
		__atomic_add_fetch(&arena->moves, 1, __ATOMIC_RELAXED);
	return 0;
}

RACE_F(race, imports_and_moves)
{
	struct arena arena = {};

	arena_open(_metadata, &arena, DMA_BUF_TEST_DYNAMIC);
	race(_metadata, &arena, import, migrate);
	EXPECT_LT(0, arena.moves);
	nothing_left(_metadata, &arena);
	arena_close(&arena);
}

/*
 * The kernel's mapping
 */

static int vmap(struct racer *racer, int round)
{
	int id = testdev_vmap(racer->testdev, racer->arena->fd);
	char byte = 0;

	if (id <= 0)
		return __LINE__;
	if (testdev_read(racer->testdev, id, 0, &byte, 1))
		return __LINE__;
	if (byte != MARK)
		return __LINE__;
	if (testdev_free(racer->testdev, id))
		return __LINE__;
	return 0;
}

RACE_F(race, vmaps)
{
	char byte = MARK;
	int id = testdev_vmap(self->arena.testdev, self->arena.fd);

	ASSERT_LT(0, id);
	ASSERT_EQ(0, testdev_write(self->arena.testdev, id, 0, &byte, 1));
	ASSERT_EQ(0, testdev_free(self->arena.testdev, id));

	race(_metadata, &self->arena, vmap, vmap);
	nothing_left(_metadata, &self->arena);
}

/*
 * Fences
 */

static int add_fence(struct racer *racer, int round)
{
	const __u32 usage[] = {
		DMA_BUF_TEST_KERNEL, DMA_BUF_TEST_WRITE, DMA_BUF_TEST_READ,
		DMA_BUF_TEST_BOOKKEEP,
	};
	int id = testdev_fence(racer->testdev, racer->arena->fd, usage[round % 4], 0);

	if (id <= 0)
		return __LINE__;
	if (testdev_signal(racer->testdev, id, 0))
		return __LINE__;
	if (testdev_free(racer->testdev, id))
		return __LINE__;
	return 0;
}

static int look(struct racer *racer, int round)
{
	const short asked[] = { POLLIN, POLLOUT, POLLIN | POLLOUT };
	short events = asked[round % 3];
	/* The fences signal, so every wait ends sooner or later. */
	int got = poll_for(racer->arena->fd, events, round % 2 ? -1 : 0);

	if (got < 0 || got & ~events)
		return __LINE__;
	if (!got && round % 2)
		return __LINE__;
	return 0;
}

static int use_sync_files(struct racer *racer, int round)
{
	int fd = buffer_export_sync_file(racer->arena->fd, DMA_BUF_SYNC_RW);

	if (fd < 0)
		return __LINE__;
	if (buffer_import_sync_file(racer->arena->fd, round % 2 ?
				   DMA_BUF_SYNC_READ : DMA_BUF_SYNC_WRITE, fd))
		return __LINE__;
	close(fd);
	return 0;
}

static int use_by_cpu(struct racer *racer, int round)
{
	const __u64 dirs[] = { DMA_BUF_SYNC_READ, DMA_BUF_SYNC_WRITE, DMA_BUF_SYNC_RW };
	__u64 dir = dirs[round % 3];

	if (buffer_sync(racer->arena->fd, DMA_BUF_SYNC_START | dir))
		return __LINE__;
	if (buffer_sync(racer->arena->fd, DMA_BUF_SYNC_END | dir))
		return __LINE__;
	return 0;
}

RACE_F(race, fences_and_polls)
{
	const short events = POLLIN | POLLOUT;

	race(_metadata, &self->arena, add_fence, look);
	EXPECT_EQ(events, poll_for(self->arena.fd, events, WAKE_MS));
}

RACE_F(race, fences_and_sync_files)
{
	race(_metadata, &self->arena, add_fence, use_sync_files);
}

RACE_F(race, fences_and_accesses)
{
	race(_metadata, &self->arena, add_fence, use_by_cpu);
}

/*
 * The end of one buffer, and the list of all
 */

static int create_and_close(struct racer *racer, int round)
{
	__u32 id;
	int fd = testdev_create(racer->testdev, 0, getpagesize(), &id);

	if (fd < 0)
		return __LINE__;
	if (close(fd))
		return __LINE__;
	if (testdev_free(racer->testdev, id))
		return __LINE__;
	return 0;
}

static int list(struct racer *racer, int round)
{
	long long bytes;
	long objects;

	/* One that stays is listed once, whatever comes and goes around it */
	if (bufinfo_lines(racer->arena->ino) != 1)
		return __LINE__;
	if (bufinfo_total(&objects, &bytes))
		return __LINE__;
	if (objects <= 0 || bytes < TEST_PAGES * getpagesize())
		return __LINE__;
	return 0;
}

RACE_F(race, list_and_exports)
{
	long long bytes;
	long before, after;

	need_bufinfo(_metadata);

	ASSERT_EQ(0, bufinfo_total(&before, &bytes));
	race(_metadata, &self->arena, create_and_close, list);
	ASSERT_EQ(0, bufinfo_total(&after, &bytes));
	EXPECT_EQ(before, after);
}

/*
 * The last descriptor goes while the fence signals that a poll has armed. The two
 * begin as one sees the other's number, now the one somewhat later, now the other.
 */
#define MOST_SPINS	2000

struct meeting {
	pthread_t thread;
	pthread_barrier_t over;
	int testdev;
	int fence;
	unsigned int round;
	unsigned int rounds;
	unsigned int failed;
};

static void spin(unsigned int turns)
{
	while (turns--)
		__asm__ volatile("" ::: "memory");
}

static void *signal_main(void *arg)
{
	struct meeting *meeting = arg;
	unsigned int i;

	for (i = 1; i <= meeting->rounds; i++) {
		while (__atomic_load_n(&meeting->round, __ATOMIC_ACQUIRE) != i)
			sched_yield();
		spin(i % 2 ? 0 : i * 97 % MOST_SPINS);
		meeting->failed += !!testdev_signal(meeting->testdev, meeting->fence, 0);
		pthread_barrier_wait(&meeting->over);
	}
	return NULL;
}

RACE_F(kind, last_close_and_signal)
{
	struct meeting meeting = {
		.testdev = self->arena.testdev,
		.rounds = rounds_wanted(),
	};
	unsigned int i, unarmed = 0, unreleased = 0;

	ASSERT_EQ(0, pthread_barrier_init(&meeting.over, NULL, 2));
	ASSERT_EQ(0, pthread_create(&meeting.thread, NULL, signal_main, &meeting));
	for (i = 1; i <= meeting.rounds; i++) {
		struct dma_buf_test_exporter_info info;
		__u32 id = 0;
		int fd = testdev_create(meeting.testdev, variant->kind, getpagesize(), &id);

		meeting.fence = testdev_fence(meeting.testdev, fd, DMA_BUF_TEST_WRITE, 0);
		unarmed += poll_briefly(fd, POLLIN | POLLOUT) != 0;
		__atomic_store_n(&meeting.round, i, __ATOMIC_RELEASE);
		spin(i % 2 ? i * 89 % MOST_SPINS : 0);
		close(fd);
		pthread_barrier_wait(&meeting.over);
		info = testdev_exporter(meeting.testdev, id);
		unreleased += info.released != 1 || info.file_ok != 1;
		testdev_free(meeting.testdev, meeting.fence);
		testdev_free(meeting.testdev, id);
	}
	pthread_join(meeting.thread, NULL);
	EXPECT_EQ(0, meeting.failed);
	EXPECT_EQ(0, unarmed);
	EXPECT_EQ(0, unreleased);
}

TEST_HARNESS_MAIN
