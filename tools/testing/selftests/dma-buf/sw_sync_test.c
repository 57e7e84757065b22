// SPDX-License-Identifier: GPL-2.0-only
/*
 * Software fences that lose their last reference while their timeline advances.
 * The timeline lists its fences without a reference, so that a fence whose
 * release has begun is still listed: the timeline must not take a reference to
 * such a fence.
 */
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "fixture.h"

/* So many that the timeline is busy with them for longer than a close takes */
#define FENCES		1500
#define ROUNDS		20
#define MOST_MS		3000

/* A thread that signals all the fences of a round by one step */
struct advance {
	pthread_t thread;
	pthread_barrier_t begin, end;
	int timeline;
	unsigned int closed;
	unsigned int when;	/* number of them that are closed before the step */
	bool over;
	int err;
};

static void use_processor(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static void *advance_main(void *arg)
{
	struct advance *advance = arg;

	use_processor(1);
	for (;;) {
		pthread_barrier_wait(&advance->begin);
		if (advance->over)
			return NULL;
		while (__atomic_load_n(&advance->closed, __ATOMIC_RELAXED) < advance->when)
			;
		advance->err = timeline_advance(advance->timeline, FENCES);
		pthread_barrier_wait(&advance->end);
	}
}

FIXTURE(dying) {
	struct advance advance;
	int kmsg;
	int fds[FENCES];
};

FIXTURE_VARIANT(dying) {
	bool in_buffer;
};

/* The last reference is the sync_file's ... */
FIXTURE_VARIANT_ADD(dying, sync_file) { .in_buffer = false };
/* ... or the buffer's */
FIXTURE_VARIANT_ADD(dying, buffer) { .in_buffer = true };

FIXTURE_SETUP(dying)
{
	struct rlimit limit = { .rlim_cur = FENCES + 50, .rlim_max = FENCES + 50 };

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		SKIP_TEST("needs two processors");
	if (setrlimit(RLIMIT_NOFILE, &limit))
		SKIP_TEST("needs %d descriptors: %s", FENCES, strerror(errno));
	self->advance.timeline = need_timeline(_metadata);
	self->kmsg = watch_warnings();
	if (self->kmsg < 0)
		SKIP_TEST("the kernel's log: %s", strerror(-self->kmsg));
}

FIXTURE_TEARDOWN(dying)
{
	close(self->advance.timeline);
}

static int make_fence(struct __test_metadata *_metadata, int timeline,
		      __u32 seqno, bool in_buffer)
{
	size_t size = getpagesize();
	int fd;

	if (!in_buffer)
		return timeline_fence(timeline, seqno);
	fd = exporter_alloc(SYSTEM_HEAP, &size, O_RDWR | O_CLOEXEC);
	need_exporter(_metadata, SYSTEM_HEAP, fd);
	EXPECT_EQ(0, timeline_import(timeline, seqno, fd, DMA_BUF_SYNC_WRITE));
	return fd;
}

/*
 * The timeline walks its fences in the order of their numbers, with its lock
 * held, and they are closed in the opposite order. A walk that begins in the
 * middle of this stops the next release at the lock, and meets its fence.
 */
TEST_F_TIMEOUT(dying, left_alone_by_inc, 120)
{
	struct advance *advance = &self->advance;
	double begun = now_ms();
	unsigned int round;
	__u32 seqno = 0;
	int i;

	use_processor(0);
	ASSERT_EQ(0, pthread_barrier_init(&advance->begin, NULL, 2));
	ASSERT_EQ(0, pthread_barrier_init(&advance->end, NULL, 2));
	ASSERT_EQ(0, pthread_create(&advance->thread, NULL, advance_main, advance));
	for (round = 0; round < ROUNDS && now_ms() < begun + MOST_MS; round++) {
		for (i = 0; i < FENCES; i++) {
			self->fds[i] = make_fence(_metadata, advance->timeline,
						  ++seqno, variant->in_buffer);
			ASSERT_LE(0, self->fds[i]);
		}
		advance->closed = 0;
		advance->when = FENCES * (round % 5 + 1) / 10;
		pthread_barrier_wait(&advance->begin);
		while (i--) {
			close(self->fds[i]);
			__atomic_add_fetch(&advance->closed, 1, __ATOMIC_RELAXED);
		}
		pthread_barrier_wait(&advance->end);
		EXPECT_EQ(0, advance->err);
	}
	advance->over = true;
	pthread_barrier_wait(&advance->begin);
	pthread_join(advance->thread, NULL);
	EXPECT_EQ(0, count_messages(self->kmsg, "refcount_t: "))
		TH_LOG("%u rounds", round);
}

TEST_HARNESS_MAIN
