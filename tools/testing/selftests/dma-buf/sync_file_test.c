// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fences into and out of a dma-buf as sync_files: which ones come out for
 * which direction, what an imported one holds up, and that merged ones count
 * as all that is in them.
 */
#include <fcntl.h>
#include <poll.h>

#include "fixture.h"

#define READ	DMA_BUF_SYNC_READ
#define WRITE	DMA_BUF_SYNC_WRITE
#define RW	DMA_BUF_SYNC_RW

FIXTURE(sync_file) {
	int fd;
	int timeline;
	int other;
	size_t size;
};

FIXTURE_VARIANT(sync_file) {
	enum exporter exporter;
};

EVERY_EXPORTER(sync_file);

FIXTURE_SETUP(sync_file)
{
	self->timeline = need_timeline(_metadata);
	self->other = timeline_open();
	ASSERT_LE(0, self->other);

	self->fd = need_buffer(_metadata, variant->exporter, &self->size,
			       O_RDWR | O_CLOEXEC);
}

FIXTURE_TEARDOWN(sync_file)
{
	close(self->timeline);
	close(self->other);
	close(self->fd);
}

/*
 * Out of the buffer
 */

TEST_F(sync_file, export_idle)
{
	__u32 dir;
	int fence;

	for (dir = READ; dir <= RW; dir++) {
		fence = buffer_export_sync_file(self->fd, dir);
		ASSERT_LE(0, fence);
		EXPECT_EQ(1, sync_file_status(fence, NULL));
		EXPECT_EQ(POLLIN, poll_now(fence, POLLIN));
		close(fence);
	}
}

TEST_F(sync_file, export_for_reading)
{
	int before, after;

	ASSERT_EQ(0, timeline_import(self->other, 1, self->fd, READ));
	before = buffer_export_sync_file(self->fd, READ);
	ASSERT_LE(0, before);
	EXPECT_EQ(1, sync_file_status(before, NULL));

	ASSERT_EQ(0, timeline_import(self->timeline, 1, self->fd, WRITE));
	after = buffer_export_sync_file(self->fd, READ);
	ASSERT_LE(0, after);
	EXPECT_EQ(0, sync_file_status(after, NULL));
	/* The reader is still at it, which is none of another's business */
	ASSERT_EQ(0, timeline_advance(self->timeline, 1));
	EXPECT_EQ(1, sync_file_status(after, NULL));
	close(before);
	close(after);
}

TEST_F(sync_file, export_for_writing)
{
	int fence;

	ASSERT_EQ(0, timeline_import(self->timeline, 1, self->fd, WRITE));
	ASSERT_EQ(0, timeline_import(self->other, 1, self->fd, READ));
	fence = buffer_export_sync_file(self->fd, WRITE);
	ASSERT_LE(0, fence);
	EXPECT_EQ(0, sync_file_status(fence, NULL));
	ASSERT_EQ(0, timeline_advance(self->timeline, 1));
	EXPECT_EQ(0, sync_file_status(fence, NULL));
	ASSERT_EQ(0, timeline_advance(self->other, 1));
	EXPECT_EQ(1, sync_file_status(fence, NULL));
	close(fence);
}

TEST_F(sync_file, export_both_means_writing)
{
	int fence;

	ASSERT_EQ(0, timeline_import(self->timeline, 1, self->fd, READ));
	fence = buffer_export_sync_file(self->fd, RW);
	ASSERT_LE(0, fence);
	EXPECT_EQ(0, sync_file_status(fence, NULL));
	ASSERT_EQ(0, timeline_advance(self->timeline, 1));
	EXPECT_EQ(1, sync_file_status(fence, NULL));
	close(fence);
}

/* It has the fences of the moment; what comes later is not in it */
TEST_F(sync_file, export_is_a_snapshot)
{
	int fence, idle;

	idle = buffer_export_sync_file(self->fd, RW);
	ASSERT_LE(0, idle);
	ASSERT_EQ(0, timeline_import(self->timeline, 1, self->fd, WRITE));
	fence = buffer_export_sync_file(self->fd, RW);
	ASSERT_LE(0, fence);
	ASSERT_EQ(0, timeline_import(self->other, 1, self->fd, WRITE));

	EXPECT_EQ(1, sync_file_status(idle, NULL));
	EXPECT_EQ(0, sync_file_status(fence, NULL));
	ASSERT_EQ(0, timeline_advance(self->timeline, 1));
	EXPECT_EQ(1, sync_file_status(fence, NULL));
	EXPECT_EQ(0, poll_now(self->fd, POLLIN));
	close(fence);
	close(idle);
}

TEST_F(sync_file, export_counts_fences)
{
	int timelines[5], fence, i;
	unsigned int fences;

	for (i = 0; i < ARRAY_SIZE(timelines); i++) {
		timelines[i] = timeline_open();
		ASSERT_LE(0, timelines[i]);
		ASSERT_EQ(0,
			  timeline_import(timelines[i], 1, self->fd, i < 3 ? WRITE : READ));
	}
	fence = buffer_export_sync_file(self->fd, READ);
	ASSERT_LE(0, fence);
	EXPECT_EQ(0, sync_file_status(fence, &fences));
	EXPECT_EQ(3, fences);
	close(fence);
	fence = buffer_export_sync_file(self->fd, WRITE);
	ASSERT_LE(0, fence);
	EXPECT_EQ(0, sync_file_status(fence, &fences));
	EXPECT_EQ(5, fences);

	for (i = 0; i < ARRAY_SIZE(timelines); i++) {
		EXPECT_EQ(0, sync_file_status(fence, NULL));
		ASSERT_EQ(0, timeline_advance(timelines[i], 1));
	}
	EXPECT_EQ(1, sync_file_status(fence, NULL));
	close(fence);
	for (i = 0; i < ARRAY_SIZE(timelines); i++)
		close(timelines[i]);
}

TEST_F(sync_file, export_wakes)
{
	struct poller poller;
	int fence;

	ASSERT_EQ(0, timeline_import(self->timeline, 1, self->fd, WRITE));
	ASSERT_EQ(0, timeline_import(self->other, 1, self->fd, READ));
	fence = buffer_export_sync_file(self->fd, WRITE);
	ASSERT_LE(0, fence);
	ASSERT_EQ(0, poller_start(&poller, fence, POLLIN));
	ASSERT_EQ(0, timeline_advance(self->other, 1));
	sleep_ms(QUIET_MS);
	EXPECT_FALSE(poller_done(&poller));
	ASSERT_EQ(0, timeline_advance(self->timeline, 1));
	EXPECT_EQ(POLLIN, poller_join(&poller));
	close(fence);
}

TEST_F(sync_file, export_outlives_buffer)
{
	ino_t ino = buffer_ino(self->fd);
	int fence;

	need_bufinfo(_metadata);

	ASSERT_EQ(0, timeline_import(self->timeline, 1, self->fd, WRITE));
	fence = buffer_export_sync_file(self->fd, RW);
	ASSERT_LE(0, fence);
	close(self->fd);
	self->fd = -1;
	EXPECT_EQ(0, bufinfo_lines(ino));
	EXPECT_EQ(0, sync_file_status(fence, NULL));
	ASSERT_EQ(0, timeline_advance(self->timeline, 1));
	EXPECT_EQ(1, sync_file_status(fence, NULL));
	close(fence);
}

TEST_F(sync_file, export_shows_error)
{
	int timeline = timeline_open(), fence;

	ASSERT_LE(0, timeline);
	ASSERT_EQ(0, timeline_import(timeline, 1, self->fd, WRITE));
	fence = buffer_export_sync_file(self->fd, READ);
	ASSERT_LE(0, fence);
	/* sw_sync fails the fences of a timeline that is closed under them */
	close(timeline);
	EXPECT_EQ(-ENOENT, sync_file_status(fence, NULL));
	EXPECT_EQ(POLLIN, poll_now(fence, POLLIN));
	close(fence);
}

/*
 * Into the buffer
 */

TEST_F(sync_file, import_for_reading)
{
	ASSERT_EQ(0, timeline_import(self->timeline, 1, self->fd, READ));
	EXPECT_EQ(POLLIN, poll_now(self->fd, POLLIN | POLLOUT));
	ASSERT_EQ(0, timeline_advance(self->timeline, 1));
	EXPECT_EQ(POLLIN | POLLOUT, poll_now(self->fd, POLLIN | POLLOUT));
}

TEST_F(sync_file, import_for_writing)
{
	ASSERT_EQ(0, timeline_import(self->timeline, 1, self->fd, WRITE));
	EXPECT_EQ(0, poll_now(self->fd, POLLIN | POLLOUT));
	ASSERT_EQ(0, timeline_advance(self->timeline, 1));
	EXPECT_EQ(POLLIN | POLLOUT, poll_now(self->fd, POLLIN | POLLOUT));
}

TEST_F(sync_file, import_both_means_writing)
{
	ASSERT_EQ(0, timeline_import(self->timeline, 1, self->fd, RW));
	EXPECT_EQ(0, poll_now(self->fd, POLLIN | POLLOUT));
	ASSERT_EQ(0, timeline_advance(self->timeline, 1));
	EXPECT_EQ(POLLIN | POLLOUT, poll_now(self->fd, POLLIN | POLLOUT));
}

/* As reader first, then as writer: the stronger use counts */
TEST_F(sync_file, import_twice)
{
	int fence = timeline_fence(self->timeline, 1);

	ASSERT_LE(0, fence);
	ASSERT_EQ(0, buffer_import_sync_file(self->fd, READ, fence));
	EXPECT_EQ(POLLIN, poll_now(self->fd, POLLIN | POLLOUT));
	ASSERT_EQ(0, buffer_import_sync_file(self->fd, WRITE, fence));
	EXPECT_EQ(0, poll_now(self->fd, POLLIN | POLLOUT));
	ASSERT_EQ(0, timeline_advance(self->timeline, 1));
	EXPECT_EQ(POLLIN | POLLOUT, poll_now(self->fd, POLLIN | POLLOUT));
	close(fence);
}

/* The sync_file may go, its fence stays */
TEST_F(sync_file, import_survives_sync_file)
{
	int fence = timeline_fence(self->timeline, 1);

	ASSERT_LE(0, fence);
	ASSERT_EQ(0, buffer_import_sync_file(self->fd, WRITE, fence));
	close(fence);
	EXPECT_EQ(0, poll_now(self->fd, POLLIN));
	ASSERT_EQ(0, timeline_advance(self->timeline, 1));
	EXPECT_EQ(POLLIN, poll_now(self->fd, POLLIN));
}

TEST_F(sync_file, import_many)
{
	int timelines[40], i;

	for (i = 0; i < ARRAY_SIZE(timelines); i++) {
		timelines[i] = timeline_open();
		ASSERT_LE(0, timelines[i]);
		ASSERT_EQ(0, timeline_import(timelines[i], 1, self->fd, WRITE));
	}
	for (i = 0; i < ARRAY_SIZE(timelines); i++) {
		EXPECT_EQ(0, poll_now(self->fd, POLLIN));
		ASSERT_EQ(0, timeline_advance(timelines[i], 1));
		close(timelines[i]);
	}
	EXPECT_EQ(POLLIN, poll_now(self->fd, POLLIN));
}

/* Fences that hold up one buffer are made to hold up another */
TEST_F(sync_file, from_buffer_to_buffer)
{
	size_t size = self->size;
	int second, fence;

	second = exporter_alloc(variant->exporter, &size, O_RDWR);
	ASSERT_LE(0, second);
	ASSERT_EQ(0, timeline_import(self->timeline, 1, self->fd, WRITE));
	ASSERT_EQ(0, timeline_import(self->other, 1, self->fd, READ));
	fence = buffer_export_sync_file(self->fd, WRITE);
	ASSERT_LE(0, fence);
	ASSERT_EQ(0, buffer_import_sync_file(second, READ, fence));
	close(fence);

	EXPECT_EQ(POLLIN, poll_now(second, POLLIN | POLLOUT));
	ASSERT_EQ(0, timeline_advance(self->timeline, 1));
	EXPECT_EQ(POLLIN, poll_now(second, POLLIN | POLLOUT));
	ASSERT_EQ(0, timeline_advance(self->other, 1));
	EXPECT_EQ(POLLIN | POLLOUT, poll_now(second, POLLIN | POLLOUT));
	close(second);
}

/* Its own fences given back to it: nothing new to wait for */
TEST_F(sync_file, back_into_same_buffer)
{
	int fence, again;
	unsigned int fences;

	ASSERT_EQ(0, timeline_import(self->timeline, 1, self->fd, WRITE));
	ASSERT_EQ(0, timeline_import(self->other, 1, self->fd, WRITE));
	fence = buffer_export_sync_file(self->fd, RW);
	ASSERT_LE(0, fence);
	ASSERT_EQ(0, buffer_import_sync_file(self->fd, WRITE, fence));
	again = buffer_export_sync_file(self->fd, RW);
	ASSERT_LE(0, again);
	EXPECT_EQ(0, sync_file_status(again, &fences));
	EXPECT_EQ(2, fences);
	ASSERT_EQ(0, timeline_advance(self->timeline, 1));
	ASSERT_EQ(0, timeline_advance(self->other, 1));
	EXPECT_EQ(1, sync_file_status(again, NULL));
	EXPECT_EQ(POLLIN | POLLOUT, poll_now(self->fd, POLLIN | POLLOUT));
	close(fence);
	close(again);
}

/* Handed from buffer to buffer, each time unwrapped and packed again */
TEST_F(sync_file, through_a_chain_of_buffers)
{
	size_t size = self->size;
	unsigned int fences;
	int fds[5], fence, i;

	ASSERT_EQ(0, timeline_import(self->timeline, 1, self->fd, WRITE));
	ASSERT_EQ(0, timeline_import(self->other, 1, self->fd, WRITE));
	fence = buffer_export_sync_file(self->fd, READ);
	ASSERT_LE(0, fence);
	for (i = 0; i < ARRAY_SIZE(fds); i++) {
		fds[i] = exporter_alloc(variant->exporter, &size, O_RDWR | O_CLOEXEC);
		ASSERT_LE(0, fds[i]);
		ASSERT_EQ(0, buffer_import_sync_file(fds[i], WRITE, fence));
		close(fence);
		fence = buffer_export_sync_file(fds[i], RW);
		ASSERT_LE(0, fence);
		EXPECT_EQ(0, sync_file_status(fence, &fences));
		EXPECT_EQ(2, fences);
	}
	ASSERT_EQ(0, timeline_advance(self->timeline, 1));
	EXPECT_EQ(0, poll_now(fds[4], POLLIN));
	EXPECT_EQ(0, sync_file_status(fence, NULL));
	ASSERT_EQ(0, timeline_advance(self->other, 1));
	EXPECT_EQ(1, sync_file_status(fence, NULL));
	close(fence);
	for (i = 0; i < ARRAY_SIZE(fds); i++) {
		EXPECT_EQ(POLLIN | POLLOUT, poll_now(fds[i], POLLIN | POLLOUT));
		close(fds[i]);
	}
}

/* What two buffers wait for holds up a third: a frame made of two others */
TEST_F(sync_file, merged_of_two_buffers)
{
	size_t size = self->size;
	int second, third, a, b, both;

	second = exporter_alloc(variant->exporter, &size, O_RDWR | O_CLOEXEC);
	third = exporter_alloc(variant->exporter, &size, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, second);
	ASSERT_LE(0, third);
	ASSERT_EQ(0, timeline_import(self->timeline, 1, self->fd, WRITE));
	ASSERT_EQ(0, timeline_import(self->other, 1, second, WRITE));
	a = buffer_export_sync_file(self->fd, READ);
	b = buffer_export_sync_file(second, READ);
	ASSERT_LE(0, a);
	ASSERT_LE(0, b);
	both = sync_file_merge(a, b);
	ASSERT_LE(0, both);
	ASSERT_EQ(0, buffer_import_sync_file(third, WRITE, both));
	close(a);
	close(b);
	close(both);

	EXPECT_EQ(0, poll_now(third, POLLIN | POLLOUT));
	ASSERT_EQ(0, timeline_advance(self->other, 1));
	EXPECT_EQ(POLLIN, poll_now(second, POLLIN));
	EXPECT_EQ(0, poll_now(third, POLLIN | POLLOUT));
	ASSERT_EQ(0, timeline_advance(self->timeline, 1));
	EXPECT_EQ(POLLIN | POLLOUT, poll_now(third, POLLIN | POLLOUT));
	close(second);
	close(third);
}

/* One sync_file for any number of buffers */
TEST_F(sync_file, into_many_buffers)
{
	size_t size = self->size;
	int fds[8], fence, i;

	fence = timeline_fence(self->timeline, 1);
	ASSERT_LE(0, fence);
	for (i = 0; i < ARRAY_SIZE(fds); i++) {
		fds[i] = exporter_alloc(variant->exporter, &size, O_RDWR | O_CLOEXEC);
		ASSERT_LE(0, fds[i]);
		ASSERT_EQ(0, buffer_import_sync_file(fds[i], i % 2 ? READ : WRITE, fence));
		EXPECT_EQ(i % 2 ? POLLIN : 0, poll_now(fds[i], POLLIN | POLLOUT));
	}
	ASSERT_EQ(0, timeline_advance(self->timeline, 1));
	for (i = 0; i < ARRAY_SIZE(fds); i++) {
		EXPECT_EQ(POLLIN | POLLOUT, poll_now(fds[i], POLLIN | POLLOUT));
		close(fds[i]);
	}
	close(fence);
}

/*
 * Merged sync_files: containers of fences
 */

FIXTURE(merged) {
	int fd;
	int timelines[3];
	int fence;
	size_t size;
};

FIXTURE_VARIANT(merged) {
	__u32 dir;
	short held;
};

FIXTURE_VARIANT_ADD(merged, read) {
	.dir = READ,
	.held = POLLOUT,
};

FIXTURE_VARIANT_ADD(merged, write) {
	.dir = WRITE,
	.held = POLLIN | POLLOUT,
};

FIXTURE_VARIANT_ADD(merged, both) {
	.dir = RW,
	.held = POLLIN | POLLOUT,
};

FIXTURE_SETUP(merged)
{
	int fences[3], two, i;

	for (i = 0; i < 3; i++) {
		self->timelines[i] = need_timeline(_metadata);
		fences[i] = timeline_fence(self->timelines[i], 1);
		ASSERT_LE(0, fences[i]);
	}
	two = sync_file_merge(fences[0], fences[1]);
	ASSERT_LE(0, two);
	self->fence = sync_file_merge(two, fences[2]);
	ASSERT_LE(0, self->fence);
	close(two);
	for (i = 0; i < 3; i++)
		close(fences[i]);

	self->fd = need_buffer(_metadata, SYSTEM_HEAP, &self->size,
			       O_RDWR | O_CLOEXEC);
}

FIXTURE_TEARDOWN(merged)
{
	int i;

	for (i = 0; i < 3; i++)
		close(self->timelines[i]);
	close(self->fence);
	close(self->fd);
}

TEST_F(merged, every_fence_inside_counts)
{
	const short free = (POLLIN | POLLOUT) & ~variant->held;
	int i;

	ASSERT_EQ(0, buffer_import_sync_file(self->fd, variant->dir, self->fence));
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(free, poll_now(self->fd, POLLIN | POLLOUT));
		ASSERT_EQ(0, timeline_advance(self->timelines[i], 1));
	}
	EXPECT_EQ(POLLIN | POLLOUT, poll_now(self->fd, POLLIN | POLLOUT));
}

/* Last one first */
TEST_F(merged, order_does_not_matter)
{
	const short free = (POLLIN | POLLOUT) & ~variant->held;
	int i;

	ASSERT_EQ(0, buffer_import_sync_file(self->fd, variant->dir, self->fence));
	for (i = 2; i >= 0; i--) {
		EXPECT_EQ(free, poll_now(self->fd, POLLIN | POLLOUT));
		ASSERT_EQ(0, timeline_advance(self->timelines[i], 1));
	}
	EXPECT_EQ(POLLIN | POLLOUT, poll_now(self->fd, POLLIN | POLLOUT));
}

/* Containers in containers, with members in common, count each of them once */
TEST_F(merged, of_merged)
{
	unsigned int fences;
	int extra, again, out;

	extra = timeline_fence(self->timelines[0], 2);
	ASSERT_LE(0, extra);
	again = sync_file_merge(self->fence, extra);
	ASSERT_LE(0, again);
	close(extra);
	extra = sync_file_merge(again, self->fence);
	ASSERT_LE(0, extra);
	ASSERT_EQ(0, buffer_import_sync_file(self->fd, variant->dir, extra));
	out = buffer_export_sync_file(self->fd, RW);
	ASSERT_LE(0, out);
	EXPECT_EQ(0, sync_file_status(out, &fences));
	EXPECT_EQ(3, fences);

	/* Of the first timeline, the later fence */
	ASSERT_EQ(0, timeline_advance(self->timelines[0], 1));
	ASSERT_EQ(0, timeline_advance(self->timelines[1], 1));
	ASSERT_EQ(0, timeline_advance(self->timelines[2], 1));
	EXPECT_EQ(0, poll_now(self->fd, POLLOUT));
	ASSERT_EQ(0, timeline_advance(self->timelines[0], 1));
	EXPECT_EQ(POLLOUT, poll_now(self->fd, POLLOUT));
	EXPECT_EQ(1, sync_file_status(out, NULL));
	close(out);
	close(again);
	close(extra);
}

/* They are unwrapped: a later fence of one timeline takes its place only */
TEST_F(merged, members_are_replaced_singly)
{
	unsigned int fences;
	int out;

	ASSERT_EQ(0, buffer_import_sync_file(self->fd, variant->dir, self->fence));
	ASSERT_EQ(0, timeline_import(self->timelines[1], 2, self->fd, variant->dir));
	out = buffer_export_sync_file(self->fd, RW);
	ASSERT_LE(0, out);
	EXPECT_EQ(0, sync_file_status(out, &fences));
	EXPECT_EQ(3, fences);

	ASSERT_EQ(0, timeline_advance(self->timelines[0], 1));
	ASSERT_EQ(0, timeline_advance(self->timelines[1], 1));
	ASSERT_EQ(0, timeline_advance(self->timelines[2], 1));
	EXPECT_EQ(0, sync_file_status(out, NULL));
	EXPECT_EQ(0, poll_now(self->fd, POLLOUT));
	ASSERT_EQ(0, timeline_advance(self->timelines[1], 1));
	EXPECT_EQ(1, sync_file_status(out, NULL));
	EXPECT_EQ(POLLOUT, poll_now(self->fd, POLLOUT));
	close(out);
}

TEST_F(merged, partly_signaled)
{
	const short free = (POLLIN | POLLOUT) & ~variant->held;

	ASSERT_EQ(0, timeline_advance(self->timelines[0], 1));
	ASSERT_EQ(0, timeline_advance(self->timelines[2], 1));
	ASSERT_EQ(0, buffer_import_sync_file(self->fd, variant->dir, self->fence));
	EXPECT_EQ(free, poll_now(self->fd, POLLIN | POLLOUT));
	ASSERT_EQ(0, timeline_advance(self->timelines[1], 1));
	EXPECT_EQ(POLLIN | POLLOUT, poll_now(self->fd, POLLIN | POLLOUT));
}

TEST_F(merged, wakes_when_all_are_done)
{
	struct poller poller;
	int i;

	ASSERT_EQ(0, buffer_import_sync_file(self->fd, variant->dir, self->fence));
	ASSERT_EQ(0, poller_start(&poller, self->fd, POLLOUT));
	for (i = 0; i < 3; i++) {
		EXPECT_FALSE(poller_done(&poller));
		ASSERT_EQ(0, timeline_advance(self->timelines[i], 1));
		sleep_ms(2);
	}
	EXPECT_EQ(POLLOUT, poller_join(&poller));
}

TEST_HARNESS_MAIN
