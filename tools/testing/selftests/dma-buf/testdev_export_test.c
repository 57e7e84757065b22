// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the core asks of an exporter, and makes of its answers: the calls of the
 * test device's hooks, in order, for everything that user space can do.
 */
#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "fixture.h"
#include "testdev.h"

#define START(dir)	(DMA_BUF_SYNC_START | DMA_BUF_SYNC_##dir)
#define END(dir)	(DMA_BUF_SYNC_END | DMA_BUF_SYNC_##dir)

FIXTURE(exporter) {
	int testdev;
	int fd;
	__u32 id;
	size_t size;
	size_t page;
};

FIXTURE_VARIANT(exporter) {
	__u32 kind;
};

FIXTURE_VARIANT_ADD(exporter, plain) {
	.kind = 0,
};

FIXTURE_VARIANT_ADD(exporter, dynamic) {
	.kind = DMA_BUF_TEST_DYNAMIC,
};

FIXTURE_VARIANT_ADD(exporter, noncoherent) {
	.kind = DMA_BUF_TEST_NONCOHERENT,
};

FIXTURE_SETUP(exporter)
{
	self->testdev = need_testdev(_metadata);
	self->page = getpagesize();
	self->size = TEST_PAGES * self->page;
	self->fd = testdev_create(self->testdev, variant->kind, self->size, &self->id);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(exporter)
{
	close(self->fd);
	close(self->testdev);
}

static void *map_rw(int fd, size_t len, off_t offset)
{
	return mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, offset);
}

/*
 * SYNC
 */

TEST_F(exporter, sync_directions)
{
	ASSERT_EQ(0, buffer_sync(self->fd, START(READ)));
	ASSERT_EQ(0, buffer_sync(self->fd, END(READ)));
	EXPECT_STREQ("begin:from end:from", testdev_log(self->testdev, self->id));
	ASSERT_EQ(0, buffer_sync(self->fd, START(WRITE)));
	ASSERT_EQ(0, buffer_sync(self->fd, END(WRITE)));
	EXPECT_STREQ("begin:to end:to", testdev_log(self->testdev, self->id));
	ASSERT_EQ(0, buffer_sync(self->fd, START(RW)));
	ASSERT_EQ(0, buffer_sync(self->fd, END(RW)));
	EXPECT_STREQ("begin:both end:both", testdev_log(self->testdev, self->id));
}

/*
 * The core does not pair begin and end: an end without a begin reaches the
 * exporter
 */
TEST_F(exporter, sync_as_it_comes)
{
	EXPECT_EQ(0, buffer_sync(self->fd, END(READ)));
	EXPECT_EQ(0, buffer_sync(self->fd, START(READ)));
	EXPECT_EQ(0, buffer_sync(self->fd, START(WRITE)));
	EXPECT_EQ(0, buffer_sync(self->fd, END(RW)));
	EXPECT_STREQ("end:from begin:from begin:to end:both",
		     testdev_log(self->testdev, self->id));
}

TEST_F(exporter, sync_refused_by_core)
{
	EXPECT_EQ(-EINVAL, buffer_sync(self->fd, DMA_BUF_SYNC_START));
	EXPECT_EQ(-EINVAL, buffer_sync(self->fd, START(READ) | 8));
	EXPECT_EQ(-1, ioctl(self->fd, DMA_BUF_IOCTL_SYNC, NULL));
	EXPECT_STREQ("", testdev_log(self->testdev, self->id));
}

TEST_F(exporter, sync_errors)
{
	const int errors[] = { EIO, ENOMEM, EINVAL, EAGAIN, EBUSY, ENXIO, EINTR };
	char expected[64];
	int i;

	for (i = 0; i < ARRAY_SIZE(errors); i++) {
		ASSERT_EQ(0, testdev_fail(self->testdev, self->id,
					  HOOK_BEGIN, -errors[i]));
		EXPECT_EQ(-errors[i], buffer_sync(self->fd, START(READ)));
		/* What did not begin is not ended */
		snprintf(expected, sizeof(expected), "begin:from=-%d", errors[i]);
		EXPECT_STREQ(expected, testdev_log(self->testdev, self->id));
	}
	ASSERT_EQ(0, testdev_fail(self->testdev, self->id, HOOK_BEGIN, 0));
	for (i = 0; i < ARRAY_SIZE(errors); i++) {
		ASSERT_EQ(0, buffer_sync(self->fd, START(WRITE)));
		ASSERT_EQ(0, testdev_fail(self->testdev, self->id,
					  HOOK_END, -errors[i]));
		EXPECT_EQ(-errors[i], buffer_sync(self->fd, END(WRITE)));
		snprintf(expected, sizeof(expected), "begin:to end:to=-%d", errors[i]);
		EXPECT_STREQ(expected, testdev_log(self->testdev, self->id));
	}
	EXPECT_EQ(1, fdinfo_count(self->fd));
}

/* A hook that sleeps and gets a signal says so, and that is what is returned */
TEST_F(exporter, sync_interrupted_in_hook)
{
	ASSERT_EQ(0, testdev_delay(self->testdev, self->id, HOOK_BEGIN,
				   WAKE_MS, 0));
	signals_begin();
	EXPECT_EQ(-EINTR, buffer_sync(self->fd, START(READ)));
	signals_end();
	EXPECT_STREQ("begin:from=-512", testdev_log(self->testdev, self->id));
}

/*
 * Defect of the stock core: the hook runs before the wait for the fences.
 * Caches that are made right while the device still writes are wrong again when
 * it is done.
 */
struct sync_thread {
	int fd;
	__u64 flags;
	int result;
	bool done;
};

static void *sync_main(void *arg)
{
	struct sync_thread *t = arg;

	t->result = buffer_sync(t->fd, t->flags);
	__atomic_store_n(&t->done, true, __ATOMIC_RELEASE);
	return NULL;
}

TEST_F(exporter, sync_waits_before_hook)
{
	struct sync_thread t = { .fd = self->fd, .flags = START(READ) };
	pthread_t thread;
	int fence;

	fence = testdev_fence(self->testdev, self->fd, DMA_BUF_TEST_WRITE, 0);
	ASSERT_LT(0, fence);
	ASSERT_EQ(0, pthread_create(&thread, NULL, sync_main, &t));
	sleep_ms(QUIET_MS);
	EXPECT_FALSE(__atomic_load_n(&t.done, __ATOMIC_ACQUIRE));
	EXPECT_STREQ("", testdev_log(self->testdev, self->id));
	ASSERT_EQ(0, testdev_signal(self->testdev, fence, 0));
	pthread_join(thread, NULL);
	EXPECT_EQ(0, t.result);
	EXPECT_STREQ("begin:from", testdev_log(self->testdev, self->id));
	EXPECT_EQ(0, buffer_sync(self->fd, END(READ)));
}

/*
 * Defect of the stock core: an access that is interrupted in the wait is not
 * undone
 */
TEST_F(exporter, sync_interrupted_before_hook)
{
	ASSERT_LT(0, testdev_fence(self->testdev, self->fd, DMA_BUF_TEST_WRITE, 0));
	signals_begin();
	EXPECT_EQ(-EINTR, buffer_sync(self->fd, START(RW)));
	signals_end();
	EXPECT_STREQ("", testdev_log(self->testdev, self->id));
}

/* A hook that starts a move has the core wait for its end */
TEST_F(exporter, sync_waits_for_what_hook_starts)
{
	char *map = map_rw(self->fd, self->size, 0);

	ASSERT_NE(MAP_FAILED, map);
	memset(map, 0x11, self->size);
	ASSERT_EQ(0, buffer_sync(self->fd, END(WRITE)));
	ASSERT_EQ(0, testdev_delay(self->testdev, self->id, HOOK_BEGIN,
				   DELAY_MS, DMA_BUF_TEST_ASYNC));
	ASSERT_EQ(0, buffer_sync(self->fd, START(READ)));
	/* Till then it is DMA_BUF_TEST_POISON */
	EXPECT_EQ(0x11, map[0]);
	EXPECT_EQ(0x11, map[self->size - 1]);
	EXPECT_EQ(0, buffer_sync(self->fd, END(READ)));
	EXPECT_STREQ("mmap end:to begin:from end:from",
		     testdev_log(self->testdev, self->id));
	munmap(map, self->size);
}

/* ... and if the wait for that is interrupted, what was begun is ended */
TEST_F(exporter, sync_interrupted_after_hook)
{
	char *map = map_rw(self->fd, self->size, 0);

	ASSERT_NE(MAP_FAILED, map);
	map[0] = 1;
	ASSERT_EQ(0, testdev_delay(self->testdev, self->id, HOOK_BEGIN,
				   10000, DMA_BUF_TEST_ASYNC));
	signals_begin();
	EXPECT_EQ(-EINTR, buffer_sync(self->fd, START(READ)));
	signals_end();
	EXPECT_STREQ("mmap begin:from end:from", testdev_log(self->testdev, self->id));
	munmap(map, self->size);
}

/*
 * mmap
 */

TEST_F(exporter, mmap_reaches_hook)
{
	char *map = map_rw(self->fd, self->size, 0);

	ASSERT_NE(MAP_FAILED, map);
	EXPECT_STREQ("mmap", testdev_log(self->testdev, self->id));
	map[0] = 1;
	EXPECT_EQ(0, munmap(map, self->size));
	EXPECT_STREQ("", testdev_log(self->testdev, self->id));
}

/* What is out of bounds never gets there */
TEST_F(exporter, mmap_checked_first)
{
	EXPECT_EQ(MAP_FAILED, map_rw(self->fd, self->size + self->page, 0));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(MAP_FAILED, map_rw(self->fd, self->page, self->size));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_STREQ("", testdev_log(self->testdev, self->id));
}

TEST_F(exporter, mmap_errors)
{
	const int errors[] = { ENOMEM, EPERM, EBUSY, ENODEV, EAGAIN };
	char *map;
	int i;

	for (i = 0; i < ARRAY_SIZE(errors); i++) {
		ASSERT_EQ(0, testdev_fail(self->testdev, self->id,
					  HOOK_MMAP, -errors[i]));
		EXPECT_EQ(MAP_FAILED, map_rw(self->fd, self->size, 0));
		EXPECT_EQ(errors[i], errno);
		EXPECT_EQ(1, fdinfo_count(self->fd));
	}
	ASSERT_EQ(0, testdev_fail(self->testdev, self->id, HOOK_MMAP, 0));
	map = map_rw(self->fd, self->size, 0);
	EXPECT_NE(MAP_FAILED, map);
	munmap(map, self->size);
}

/*
 * Defect of the stock core: a mapping can grow past the buffer's end if the
 * exporter, like this one, has not set VM_DONTEXPAND
 */
TEST_F(exporter, mmap_cannot_grow)
{
	char *map = map_rw(self->fd, self->page, 0);

	ASSERT_NE(MAP_FAILED, map);
	EXPECT_EQ(MAP_FAILED, mremap(map, self->page, 2 * self->size, MREMAP_MAYMOVE));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(MAP_FAILED, mremap(map, 0, 2 * self->size, MREMAP_MAYMOVE));
	EXPECT_EQ(2, fdinfo_count(self->fd));
	munmap(map, self->page);
}

/*
 * vmap
 */

TEST_F(exporter, vmap_is_counted)
{
	int vmaps[3], i;

	for (i = 0; i < 3; i++) {
		vmaps[i] = testdev_vmap(self->testdev, self->fd);
		ASSERT_LT(0, vmaps[i]);
		EXPECT_EQ(1, testdev_exporter(self->testdev, self->id).vmapped);
		EXPECT_EQ(2 + i, fdinfo_count(self->fd));
	}
	EXPECT_STREQ("vmap", testdev_log(self->testdev, self->id));
	for (i = 0; i < 3; i++) {
		EXPECT_STREQ("", testdev_log(self->testdev, self->id));
		ASSERT_EQ(0, testdev_free(self->testdev, vmaps[i]));
	}
	EXPECT_STREQ("vunmap", testdev_log(self->testdev, self->id));
	EXPECT_EQ(1, fdinfo_count(self->fd));

	/* From the start again */
	vmaps[0] = testdev_vmap(self->testdev, self->fd);
	ASSERT_LT(0, vmaps[0]);
	EXPECT_STREQ("vmap", testdev_log(self->testdev, self->id));
}

/*
 * Defect of the stock core: a plain failure of vmap, which the caller handles,
 * warns
 */
TEST_F(exporter, vmap_errors)
{
	const int errors[] = { ENOMEM, EIO, EPERM };
	int i, vmap, kmsg = watch_warnings();

	for (i = 0; i < ARRAY_SIZE(errors); i++) {
		ASSERT_EQ(0, testdev_fail(self->testdev, self->id,
					  HOOK_VMAP, -errors[i]));
		EXPECT_EQ(-errors[i], testdev_vmap(self->testdev, self->fd));
	}
	if (kmsg >= 0)
		EXPECT_EQ(0, count_warnings(kmsg));
	EXPECT_EQ(0, testdev_exporter(self->testdev, self->id).vmapped);
	EXPECT_EQ(1, fdinfo_count(self->fd));
	testdev_log(self->testdev, self->id);

	ASSERT_EQ(0, testdev_fail(self->testdev, self->id, HOOK_VMAP, 0));
	vmap = testdev_vmap(self->testdev, self->fd);
	ASSERT_LT(0, vmap);
	ASSERT_EQ(0, testdev_free(self->testdev, vmap));
	EXPECT_STREQ("vmap vunmap", testdev_log(self->testdev, self->id));
}

TEST_F(exporter, vmap_shows_the_memory)
{
	char *map = map_rw(self->fd, self->size, 0), text[8] = "";
	int vmap = testdev_vmap(self->testdev, self->fd);

	ASSERT_NE(MAP_FAILED, map);
	ASSERT_LT(0, vmap);
	memcpy(map + self->page + 5, "by mmap", 8);
	ASSERT_EQ(0, testdev_read(self->testdev, vmap, self->page + 5, text, 8));
	EXPECT_STREQ("by mmap", text);
	ASSERT_EQ(0, testdev_write(self->testdev, vmap, self->size - 8, "by vmap", 8));
	EXPECT_STREQ("by vmap", map + self->size - 8);
	munmap(map, self->size);
}

/*
 * Release: once, as soon as the last reference is gone, with the file still whole
 */

static void expect_alive(struct __test_metadata *_metadata, int testdev, __u32 id)
{
	EXPECT_EQ(0, testdev_exporter(testdev, id).released);
}

/* Not a moment later: the call that dropped the last reference has returned */
static void expect_released(struct __test_metadata *_metadata, int testdev, __u32 id)
{
	struct dma_buf_test_exporter_info info = testdev_exporter(testdev, id);

	EXPECT_EQ(1, info.released);
	EXPECT_EQ(1, info.file_ok);
	EXPECT_EQ(0, info.attached);
	EXPECT_EQ(0, info.mapped);
	EXPECT_EQ(0, info.pinned);
	EXPECT_EQ(0, info.vmapped);
}

TEST_F(exporter, released_at_last_close)
{
	int fd = dup(self->fd);

	ASSERT_LE(0, fd);
	close(self->fd);
	expect_alive(_metadata, self->testdev, self->id);
	close(fd);
	expect_released(_metadata, self->testdev, self->id);
	EXPECT_STREQ("release", testdev_log(self->testdev, self->id));
	self->fd = -1;
}

TEST_F(exporter, released_at_last_munmap)
{
	char *map = map_rw(self->fd, self->size, 0);

	ASSERT_NE(MAP_FAILED, map);
	close(self->fd);
	self->fd = -1;
	expect_alive(_metadata, self->testdev, self->id);
	munmap(map, self->size);
	expect_released(_metadata, self->testdev, self->id);
}

TEST_F(exporter, released_after_vmap)
{
	int vmap = testdev_vmap(self->testdev, self->fd);

	ASSERT_LT(0, vmap);
	close(self->fd);
	self->fd = -1;
	expect_alive(_metadata, self->testdev, self->id);
	ASSERT_EQ(0, testdev_free(self->testdev, vmap));
	expect_released(_metadata, self->testdev, self->id);
	EXPECT_STREQ("vmap vunmap release", testdev_log(self->testdev, self->id));
}

TEST_F(exporter, released_after_detach)
{
	int importer = testdev_attach(self->testdev, self->fd, 0);

	ASSERT_LT(0, importer);
	ASSERT_EQ(0, testdev_map(self->testdev, importer, DIR_BOTH));
	close(self->fd);
	self->fd = -1;
	expect_alive(_metadata, self->testdev, self->id);
	ASSERT_EQ(0, testdev_free(self->testdev, importer));
	expect_released(_metadata, self->testdev, self->id);
}

TEST_F(exporter, released_after_hold)
{
	int hold = testdev_hold(self->testdev, self->fd);

	ASSERT_LT(0, hold);
	close(self->fd);
	self->fd = -1;
	expect_alive(_metadata, self->testdev, self->id);
	ASSERT_EQ(0, testdev_free(self->testdev, hold));
	expect_released(_metadata, self->testdev, self->id);
}

/*
 * Defect of the stock core: a fence that never signals keeps a buffer that was
 * polled alive
 */
TEST_F(exporter, released_under_pending_poll)
{
	__u32 usage;
	int ep;

	for (usage = DMA_BUF_TEST_KERNEL; usage <= DMA_BUF_TEST_BOOKKEEP; usage++)
		ASSERT_LT(0, testdev_fence(self->testdev, self->fd, usage, 0));
	ep = epoll_create1(EPOLL_CLOEXEC);
	ASSERT_LE(0, ep);
	ASSERT_EQ(0, epoll_ctl(ep, EPOLL_CTL_ADD, self->fd,
			       &(struct epoll_event) { .events = EPOLLIN | EPOLLOUT }));
	EXPECT_EQ(0, poll_now(self->fd, POLLIN | POLLOUT));
	close(self->fd);
	self->fd = -1;
	expect_released(_metadata, self->testdev, self->id);
	close(ep);
}

/*
 * Defect of the stock core: the release hook runs when the dentry is freed. An
 * open path keeps the dentry longer than the file, whose memory may be another
 * file by then
 */
TEST_F(exporter, released_despite_path_descriptor)
{
	char path[48];
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", self->fd);
	fd = open(path, O_PATH | O_CLOEXEC);
	ASSERT_LE(0, fd);
	close(self->fd);
	self->fd = -1;
	expect_released(_metadata, self->testdev, self->id);
	close(fd);
	expect_released(_metadata, self->testdev, self->id);
}

/* The close() that was the last waits for a slow exporter */
TEST_F(exporter, released_slowly)
{
	ASSERT_EQ(0, testdev_delay(self->testdev, self->id, HOOK_RELEASE,
				   DELAY_MS, 0));
	close(self->fd);
	self->fd = -1;
	expect_released(_metadata, self->testdev, self->id);
}

/* The task that exported it may have exited by then */
TEST_F(exporter, outlives_its_session)
{
	char *map = map_rw(self->fd, self->size, 0);

	ASSERT_NE(MAP_FAILED, map);
	close(self->testdev);
	self->testdev = -1;
	EXPECT_EQ(0, buffer_sync(self->fd, START(RW)));
	map[0] = 1;
	EXPECT_EQ(0, buffer_sync(self->fd, END(RW)));
	EXPECT_EQ(1, map[0]);
	EXPECT_EQ(2, fdinfo_count(self->fd));
	munmap(map, self->size);
}

/*
 * What asks nothing of the exporter
 */
TEST_F(exporter, hooks_left_alone)
{
	struct stat st;
	int fence, fd;

	EXPECT_EQ(POLLIN | POLLOUT, poll_now(self->fd, POLLIN | POLLOUT));
	fence = buffer_export_sync_file(self->fd, DMA_BUF_SYNC_RW);
	ASSERT_LE(0, fence);
	EXPECT_EQ(0, buffer_import_sync_file(self->fd, DMA_BUF_SYNC_RW, fence));
	close(fence);
	EXPECT_EQ(0, buffer_set_name(self->fd, "name"));
	EXPECT_EQ(1, fdinfo_count(self->fd));
	EXPECT_EQ(self->size, lseek(self->fd, 0, SEEK_END));
	EXPECT_EQ(0, fstat(self->fd, &st));
	fd = dup(self->fd);
	close(fd);
	if (bufinfo_readable())
		EXPECT_EQ(1, bufinfo_lines(st.st_ino));
	EXPECT_STREQ("", testdev_log(self->testdev, self->id));
}

/*
 * An exporter that has only what it must
 */

FIXTURE(bare) {
	int testdev;
	int fd;
	__u32 id;
	size_t size;
};

FIXTURE_SETUP(bare)
{
	self->testdev = need_testdev(_metadata);
	self->size = TEST_PAGES * getpagesize();
	self->fd = testdev_create(self->testdev, DMA_BUF_TEST_BARE, self->size, &self->id);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(bare)
{
	close(self->fd);
	close(self->testdev);
}

TEST_F(bare, sync)
{
	EXPECT_EQ(0, buffer_sync(self->fd, START(RW)));
	EXPECT_EQ(0, buffer_sync(self->fd, END(RW)));
	/* The access waits nevertheless */
	ASSERT_LT(0, testdev_fence(self->testdev, self->fd, DMA_BUF_TEST_WRITE, 0));
	signals_begin();
	EXPECT_EQ(-EINTR, buffer_sync(self->fd, START(READ)));
	signals_end();
	EXPECT_STREQ("", testdev_log(self->testdev, self->id));
}

TEST_F(bare, no_mmap)
{
	EXPECT_EQ(MAP_FAILED, map_rw(self->fd, self->size, 0));
	EXPECT_EQ(EINVAL, errno);
	ASSERT_EQ(0, testdev_choose_mmap(self->testdev, self->fd));
	EXPECT_EQ(MAP_FAILED, map_rw(self->testdev, self->size, 0));
	EXPECT_EQ(EINVAL, errno);
	/* The session's, which it has chosen */
	EXPECT_EQ(2, fdinfo_count(self->fd));
}

TEST_F(bare, no_vmap)
{
	EXPECT_EQ(-EINVAL, testdev_vmap(self->testdev, self->fd));
	EXPECT_EQ(1, fdinfo_count(self->fd));
}

TEST_F(bare, importers)
{
	const __u32 flags[] = { 0, DMA_BUF_TEST_IMPORTER_DYNAMIC };
	int importer, i;

	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		importer = testdev_attach(self->testdev, self->fd, flags[i]);
		ASSERT_LT(0, importer);
		ASSERT_EQ(0, testdev_map(self->testdev, importer, DIR_BOTH));
		if (flags[i]) {
			EXPECT_EQ(0, testdev_pin(self->testdev, importer));
			EXPECT_EQ(0, testdev_unpin(self->testdev, importer));
		}
		ASSERT_EQ(0, testdev_free(self->testdev, importer));
		EXPECT_STREQ("map:both unmap:both", testdev_log(self->testdev, self->id));
	}
	close(self->fd);
	self->fd = -1;
	EXPECT_STREQ("release", testdev_log(self->testdev, self->id));
}

/*
 * Memory that the CPU sees only between START and END
 */

FIXTURE(noncoherent) {
	int testdev;
	int fd;
	__u32 id;
	size_t size;
	int importer;
	char *map;
};

FIXTURE_SETUP(noncoherent)
{
	self->testdev = need_testdev(_metadata);
	self->size = TEST_PAGES * getpagesize();
	self->fd = testdev_create(self->testdev, DMA_BUF_TEST_NONCOHERENT, self->size,
				  &self->id);
	ASSERT_LE(0, self->fd);
	self->importer = testdev_attach(self->testdev, self->fd, 0);
	ASSERT_LT(0, self->importer);
	ASSERT_EQ(0, testdev_map(self->testdev, self->importer, DIR_BOTH));
	self->map = map_rw(self->fd, self->size, 0);
	ASSERT_NE(MAP_FAILED, self->map);
}

FIXTURE_TEARDOWN(noncoherent)
{
	munmap(self->map, self->size);
	close(self->fd);
	close(self->testdev);
}

/* What the device writes, and what it reads */
static int device_writes(int testdev, int importer, char byte)
{
	return testdev_write(testdev, importer, 0, &byte, 1);
}

static int device_sees(int testdev, int importer)
{
	char byte = -1;
	int err = testdev_read(testdev, importer, 0, &byte, 1);

	return err ? err : byte;
}

TEST_F(noncoherent, reader)
{
	ASSERT_EQ(0, device_writes(self->testdev, self->importer, 'd'));
	EXPECT_EQ(0, self->map[0]);
	ASSERT_EQ(0, buffer_sync(self->fd, START(READ)));
	EXPECT_EQ('d', self->map[0]);
	ASSERT_EQ(0, device_writes(self->testdev, self->importer, 'e'));
	EXPECT_EQ('d', self->map[0]);
	ASSERT_EQ(0, buffer_sync(self->fd, END(READ)));
	EXPECT_EQ('d', self->map[0]);
	ASSERT_EQ(0, buffer_sync(self->fd, START(RW)));
	EXPECT_EQ('e', self->map[0]);
}

TEST_F(noncoherent, writer)
{
	ASSERT_EQ(0, buffer_sync(self->fd, START(WRITE)));
	self->map[0] = 'c';
	EXPECT_EQ(0, device_sees(self->testdev, self->importer));
	ASSERT_EQ(0, buffer_sync(self->fd, END(WRITE)));
	EXPECT_EQ('c', device_sees(self->testdev, self->importer));

	/* An access that was begun for reading copies nothing back */
	ASSERT_EQ(0, buffer_sync(self->fd, START(READ)));
	self->map[0] = 'x';
	ASSERT_EQ(0, buffer_sync(self->fd, END(READ)));
	EXPECT_EQ('c', device_sees(self->testdev, self->importer));
	ASSERT_EQ(0, buffer_sync(self->fd, START(RW)));
	EXPECT_EQ('c', self->map[0]);
	self->map[0] = 'y';
	ASSERT_EQ(0, buffer_sync(self->fd, END(RW)));
	EXPECT_EQ('y', device_sees(self->testdev, self->importer));
}

/*
 * Defect of the stock core: stale data for a reader that follows all rules. The
 * device writes until its fence signals; the reader begins to wait before that.
 */
TEST_F(noncoherent, reader_waits_for_device)
{
	struct sync_thread t = { .fd = self->fd, .flags = START(READ) };
	pthread_t thread;
	int fence;

	fence = testdev_fence(self->testdev, self->fd, DMA_BUF_TEST_WRITE, 0);
	ASSERT_LT(0, fence);
	ASSERT_EQ(0, pthread_create(&thread, NULL, sync_main, &t));
	sleep_ms(QUIET_MS);
	ASSERT_EQ(0, device_writes(self->testdev, self->importer, 'n'));
	ASSERT_EQ(0, testdev_signal(self->testdev, fence, 0));
	pthread_join(thread, NULL);
	ASSERT_EQ(0, t.result);
	EXPECT_EQ('n', self->map[0]);
	EXPECT_EQ(0, buffer_sync(self->fd, END(READ)));
}

/* The kernel's own map is of the same kind */
TEST_F(noncoherent, vmap)
{
	int vmap = testdev_vmap(self->testdev, self->fd);
	char byte = -1;

	ASSERT_LT(0, vmap);
	ASSERT_EQ(0, device_writes(self->testdev, self->importer, 'd'));
	ASSERT_EQ(0, testdev_read(self->testdev, vmap, 0, &byte, 1));
	EXPECT_EQ(0, byte);
	ASSERT_EQ(0, buffer_sync(self->fd, START(READ)));
	ASSERT_EQ(0, testdev_read(self->testdev, vmap, 0, &byte, 1));
	EXPECT_EQ('d', byte);
	ASSERT_EQ(0, buffer_sync(self->fd, END(READ)));
}

/*
 * Lengths
 */

FIXTURE(length) {
	int testdev;
	size_t page;
};

FIXTURE_SETUP(length)
{
	self->testdev = need_testdev(_metadata);
	self->page = getpagesize();
}

FIXTURE_TEARDOWN(length)
{
	close(self->testdev);
}

/*
 * Defect of the stock core: sizes of 0 and above the largest file size are
 * accepted
 */
TEST_F(length, refused)
{
	int free_fd = lowest_free_fd();
	const __u64 lengths[] = { 0, 1ULL << 63, ~0ULL, ~0ULL - 4095 };
	__u32 id;
	int i;

	for (i = 0; i < ARRAY_SIZE(lengths); i++)
		EXPECT_EQ(-EINVAL, testdev_create(self->testdev, DMA_BUF_TEST_LAZY,
						  lengths[i], &id))
			TH_LOG("length %#llx", (long long)lengths[i]);
	EXPECT_EQ(-EINVAL, testdev_create(self->testdev, 0, 0, &id));
	EXPECT_EQ(-ENOMEM, testdev_create(self->testdev, 0, 1ULL << 63, &id));
	EXPECT_EQ(free_fd, lowest_free_fd());
}

/* Larger than any machine's memory: all that needs none works */
TEST_F(length, huge)
{
	const __u64 lengths[] = { 1ULL << 32, 1ULL << 40, INT64_MAX };
	char value[64];
	struct stat st;
	int i, fd;
	__u32 id;

	for (i = 0; i < ARRAY_SIZE(lengths); i++) {
		fd = testdev_create(self->testdev, DMA_BUF_TEST_LAZY, lengths[i], &id);
		ASSERT_LE(0, fd);
		EXPECT_EQ(lengths[i], lseek(fd, 0, SEEK_END));
		ASSERT_EQ(0, fstat(fd, &st));
		EXPECT_EQ(lengths[i], st.st_size);
		EXPECT_EQ(1, fdinfo_get(fd, "size", value, sizeof(value)));
		EXPECT_EQ(lengths[i], strtoull(value, NULL, 10));
		EXPECT_EQ(0, buffer_sync(fd, START(RW)));
		EXPECT_EQ(0, buffer_sync(fd, END(RW)));
		EXPECT_EQ(POLLIN | POLLOUT, poll_now(fd, POLLIN | POLLOUT));
		if (bufinfo_readable())
			EXPECT_EQ(1, bufinfo_lines(st.st_ino));
		EXPECT_EQ(0, testdev_exporter(self->testdev, id).has_memory);
		close(fd);
		EXPECT_EQ(1, testdev_exporter(self->testdev, id).released);
	}
}

/* Offsets beyond what 32 bits hold are within such a buffer, or not */
TEST_F(length, huge_offsets)
{
	const off_t end = 1LL << 40;
	__u32 id;
	int fd;

	fd = testdev_create(self->testdev, DMA_BUF_TEST_LAZY, end, &id);
	ASSERT_LE(0, fd);
	EXPECT_NE(MAP_FAILED, map_rw(fd, self->page, end - self->page));
	EXPECT_NE(MAP_FAILED, map_rw(fd, 4 * self->page, end - 4 * self->page));
	EXPECT_EQ(MAP_FAILED, map_rw(fd, 2 * self->page, end - self->page));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(MAP_FAILED, map_rw(fd, self->page, end));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_STREQ("mmap mmap", testdev_log(self->testdev, id));
	close(fd);
}

/* Without memory the caller gets an error, and the buffer stays usable */
TEST_F(length, huge_memory)
{
	int fd, importer;
	__u32 id;

	fd = testdev_create(self->testdev, DMA_BUF_TEST_LAZY, 1ULL << 31, &id);
	ASSERT_LE(0, fd);
	importer = testdev_attach(self->testdev, fd, 0);
	ASSERT_LT(0, importer);
	EXPECT_EQ(-ENOMEM, testdev_map(self->testdev, importer, DIR_BOTH));
	EXPECT_EQ(-ENOMEM, testdev_vmap(self->testdev, fd));
	EXPECT_STREQ("attach map:both=-12 vmap=-12", testdev_log(self->testdev, id));
	EXPECT_EQ(2, fdinfo_count(fd));
	ASSERT_EQ(0, testdev_free(self->testdev, importer));
	close(fd);
	EXPECT_EQ(1, testdev_exporter(self->testdev, id).released);
}

/* The rest of the last page is not shared through any mapping */
TEST_F(length, odd)
{
	char *map;
	__u32 id;
	int fd;

	fd = testdev_create(self->testdev, 0, 2 * self->page + 1, &id);
	ASSERT_LE(0, fd);
	EXPECT_EQ(2 * self->page + 1, lseek(fd, 0, SEEK_END));
	EXPECT_EQ(MAP_FAILED, map_rw(fd, 2 * self->page + 1, 0));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(MAP_FAILED, map_rw(fd, 1, 2 * self->page));
	EXPECT_EQ(EINVAL, errno);
	map = map_rw(fd, 2 * self->page, 0);
	EXPECT_NE(MAP_FAILED, map);
	munmap(map, 2 * self->page);
	close(fd);

	/* Less than a page: nothing to be mapped, though it is memory */
	fd = testdev_create(self->testdev, 0, 100, &id);
	ASSERT_LE(0, fd);
	EXPECT_EQ(100, lseek(fd, 0, SEEK_END));
	EXPECT_EQ(MAP_FAILED, map_rw(fd, 1, 0));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_LT(0, testdev_vmap(self->testdev, fd));
	close(fd);
}

/*
 * Memory that is allocated on first use
 */

FIXTURE(lazy) {
	int testdev;
	int fd;
	__u32 id;
	size_t size;
};

FIXTURE_SETUP(lazy)
{
	self->testdev = need_testdev(_metadata);
	self->size = TEST_PAGES * getpagesize();
	self->fd = testdev_create(self->testdev, DMA_BUF_TEST_LAZY, self->size, &self->id);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(lazy)
{
	close(self->fd);
	close(self->testdev);
}

TEST_F(lazy, not_for_the_core)
{
	int importer;

	poll_now(self->fd, POLLIN | POLLOUT);
	lseek(self->fd, 0, SEEK_END);
	fdinfo_count(self->fd);
	bufinfo_lines(buffer_ino(self->fd));
	EXPECT_EQ(0, buffer_sync(self->fd, START(RW)));
	EXPECT_EQ(0, buffer_sync(self->fd, END(RW)));
	importer = testdev_attach(self->testdev, self->fd, 0);
	ASSERT_LT(0, importer);
	ASSERT_EQ(0, testdev_free(self->testdev, importer));
	EXPECT_EQ(0, testdev_exporter(self->testdev, self->id).has_memory);
}

/* Attached is not mapped: the first map chooses the place, from all importers */
TEST_F(lazy, at_first_map)
{
	int importers[2], i;

	for (i = 0; i < 2; i++) {
		importers[i] = testdev_attach(self->testdev, self->fd, 0);
		ASSERT_LT(0, importers[i]);
		EXPECT_EQ(0, testdev_exporter(self->testdev, self->id).has_memory);
	}
	ASSERT_EQ(0, testdev_map(self->testdev, importers[1], DIR_TO_DEVICE));
	EXPECT_EQ(1, testdev_exporter(self->testdev, self->id).has_memory);
	EXPECT_STREQ("attach attach map:to", testdev_log(self->testdev, self->id));
}

TEST_F(lazy, at_first_touch)
{
	char *map = map_rw(self->fd, self->size, 0);

	ASSERT_NE(MAP_FAILED, map);
	EXPECT_EQ(0, map[0]);
	EXPECT_EQ(1, testdev_exporter(self->testdev, self->id).has_memory);
	munmap(map, self->size);
}

TEST_F(lazy, at_first_vmap)
{
	ASSERT_LT(0, testdev_vmap(self->testdev, self->fd));
	EXPECT_EQ(1, testdev_exporter(self->testdev, self->id).has_memory);
}

TEST_HARNESS_MAIN
