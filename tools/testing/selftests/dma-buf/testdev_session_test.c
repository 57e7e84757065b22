// SPDX-License-Identifier: GPL-2.0-only
/*
 * The test device itself: invalid requests are refused, and sessions are
 * independent of each other and leak nothing.
 */
#include <fcntl.h>
#include <stddef.h>
#include <sys/ioctl.h>

#include "fixture.h"
#include "testdev.h"

/* Whatever the argument of an ioctl, it begins with its size and may end here */
#define ARG_MAX_SIZE	256

FIXTURE(device) {
	int testdev;
	int fd;
	__u32 id;
};

FIXTURE_SETUP(device)
{
	self->testdev = need_testdev(_metadata);
	self->fd = testdev_create(self->testdev, 0, TEST_PAGES * getpagesize(), &self->id);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(device)
{
	close(self->fd);
	close(self->testdev);
}

static const struct {
	unsigned int nr;
	size_t size;
	size_t reserved;	/* 0: none */
} ioctls[] = {
#define ARG(_nr, _type)		{ DMA_BUF_TEST_##_nr, sizeof(struct dma_buf_test_##_type), 0 }
#define ARG_ZERO(_nr, _type)	{ DMA_BUF_TEST_##_nr, sizeof(struct dma_buf_test_##_type), \
				  offsetof(struct dma_buf_test_##_type, reserved) }
	ARG(CREATE, create),
	ARG(SET_OP, set_op),
	ARG_ZERO(LOG, log),
	ARG(EXPORTER_INFO, exporter_info),
	ARG_ZERO(MIGRATE, migrate),
	ARG_ZERO(HOLD, hold),
	ARG_ZERO(FENCE, fence),
	ARG_ZERO(SIGNAL, signal),
	ARG(ATTACH, attach),
	ARG(MAP, map),
	ARG(UNMAP, id),
	ARG(PIN, id),
	ARG(UNPIN, id),
	ARG_ZERO(RW, rw),
	ARG(IMPORTER_INFO, importer_info),
	ARG_ZERO(VMAP, vmap),
	ARG(MMAP, mmap),
	ARG(FREE, id),
};

TEST_F(device, size_too_short)
{
	__u32 arg[ARG_MAX_SIZE / 4] = {};
	int i;

	for (i = 0; i < ARRAY_SIZE(ioctls); i++) {
		for (arg[0] = 0; arg[0] < ioctls[i].size; arg[0]++)
			EXPECT_EQ(-EINVAL, testdev_ioctl(self->testdev, ioctls[i].nr, arg))
				TH_LOG("ioctl %d, size %u", i, arg[0]);
	}
}

/* Of what the kernel does not know, zero is taken for "as ever" */
TEST_F(device, size_too_long)
{
	__u8 arg[ARG_MAX_SIZE] = {};
	__u32 *size = (__u32 *)arg;
	int i, err;

	for (i = 0; i < ARRAY_SIZE(ioctls); i++) {
		memset(arg, 0, sizeof(arg));
		*size = ioctls[i].size + 8;
		/* Not the size is what is wrong with it, if anything is */
		err = testdev_ioctl(self->testdev, ioctls[i].nr, arg);
		EXPECT_NE(-E2BIG, err)
			TH_LOG("ioctl %d", i);
		EXPECT_EQ(ioctls[i].size + 8, *size);

		memset(arg, 0, sizeof(arg));
		*size = ioctls[i].size + 8;
		arg[ioctls[i].size + 7] = 1;
		EXPECT_EQ(-E2BIG, testdev_ioctl(self->testdev, ioctls[i].nr, arg))
			TH_LOG("ioctl %d", i);
	}
	*size = ~0U;
	EXPECT_EQ(-EINVAL, testdev_ioctl(self->testdev, DMA_BUF_TEST_FREE, arg));
}

TEST_F(device, bad_pointers)
{
	char *cut;
	int i;

	for (i = 0; i < ARRAY_SIZE(ioctls); i++) {
		EXPECT_EQ(-EFAULT, testdev_ioctl(self->testdev, ioctls[i].nr, NULL));
		EXPECT_EQ(-EFAULT, testdev_ioctl(self->testdev, ioctls[i].nr, -1L));
		cut = bad_pages(4);
		ASSERT_NE(NULL, cut);
		memcpy(cut, &(__u32){ ioctls[i].size }, 4);
		EXPECT_EQ(-EFAULT, testdev_ioctl(self->testdev, ioctls[i].nr, cut))
			TH_LOG("ioctl %d", i);
	}
}

TEST_F(device, reserved_is_zero)
{
	__u32 arg[ARG_MAX_SIZE / 4];
	int i;

	for (i = 0; i < ARRAY_SIZE(ioctls); i++) {
		if (!ioctls[i].reserved)
			continue;
		memset(arg, 0, sizeof(arg));
		arg[0] = ioctls[i].size;
		arg[ioctls[i].reserved / 4] = 1;
		EXPECT_EQ(-EINVAL, testdev_ioctl(self->testdev, ioctls[i].nr, arg))
			TH_LOG("ioctl %d", i);
	}
}

TEST_F(device, unknown_numbers)
{
	struct dma_buf_test_id arg = { .size = sizeof(arg) };
	int nr;

	/* From FIONREAD on, some of this letter are every file's */
	for (nr = ARRAY_SIZE(ioctls); _IO('T', nr) < FIONREAD; nr++)
		EXPECT_EQ(-ENOTTY, testdev_ioctl(self->testdev, _IO('T', nr), &arg));
	EXPECT_EQ(-ENOTTY, testdev_ioctl(self->testdev, _IOW('T', 17, arg), &arg));
	EXPECT_EQ(-ENOTTY, testdev_ioctl(self->testdev, _IO('t', 17), &arg));
}

/* No such thing, or a thing of another kind */
TEST_F(device, wrong_ids)
{
	int importer = testdev_attach(self->testdev, self->fd, 0);
	__u32 ids[] = { 0, 12345, ~0U, 0 };
	char byte;
	int i;

	ASSERT_LT(0, importer);
	ids[3] = importer;
	for (i = 0; i < ARRAY_SIZE(ids); i++) {
		EXPECT_EQ(-ENOENT,
			  testdev_fail(self->testdev, ids[i], HOOK_MAP, 0));
		EXPECT_EQ(-ENOENT, testdev_migrate(self->testdev, ids[i], 0));
		EXPECT_EQ(-ENOENT, testdev_signal(self->testdev, ids[i], 0));
		EXPECT_EQ(~0U, testdev_exporter(self->testdev, ids[i]).attached);
	}
	ids[3] = self->id;
	for (i = 0; i < ARRAY_SIZE(ids); i++) {
		EXPECT_EQ(-ENOENT, testdev_map(self->testdev, ids[i], 0));
		EXPECT_EQ(-ENOENT, testdev_unmap(self->testdev, ids[i]));
		EXPECT_EQ(-ENOENT, testdev_pin(self->testdev, ids[i]));
		EXPECT_EQ(-ENOENT, testdev_unpin(self->testdev, ids[i]));
		EXPECT_EQ(-ENOENT, testdev_read(self->testdev, ids[i], 0, &byte, 1));
		EXPECT_EQ(~0U, testdev_importer(self->testdev, ids[i]).mapped);
	}
	for (i = 0; i < 3; i++)
		EXPECT_EQ(-ENOENT, testdev_free(self->testdev, ids[i]));
	ASSERT_EQ(0, testdev_free(self->testdev, importer));
	EXPECT_EQ(-ENOENT, testdev_free(self->testdev, importer));
}

TEST_F(device, wrong_descriptors)
{
	const int fds[] = { -1, 4095, self->testdev };
	int i, err;

	for (i = 0; i < ARRAY_SIZE(fds); i++) {
		err = i < 2 ? -EBADF : -EINVAL;
		EXPECT_EQ(err, testdev_attach(self->testdev, fds[i], 0));
		EXPECT_EQ(err, testdev_hold(self->testdev, fds[i]));
		EXPECT_EQ(err, testdev_fence(self->testdev, fds[i], DMA_BUF_TEST_READ, 0));
		EXPECT_EQ(err, testdev_vmap(self->testdev, fds[i]));
		if (fds[i] != -1)
			EXPECT_EQ(err, testdev_choose_mmap(self->testdev, fds[i]));
	}
}

TEST_F(device, create)
{
	const __u32 kinds[] = {
		DMA_BUF_TEST_KINDS + 1,
		1U << 31,
		DMA_BUF_TEST_DYNAMIC | DMA_BUF_TEST_CACHED,
		DMA_BUF_TEST_DYNAMIC | DMA_BUF_TEST_BARE,
		DMA_BUF_TEST_NONCOHERENT | DMA_BUF_TEST_BARE,
	};
	struct dma_buf_test_create arg = {
		.size = sizeof(arg),
		.length = getpagesize(),
		.fd_flags = O_NONBLOCK,
	};
	int free_fd = lowest_free_fd(), i;
	__u32 id;

	for (i = 0; i < ARRAY_SIZE(kinds); i++)
		EXPECT_EQ(-EINVAL,
			  testdev_create(self->testdev, kinds[i], getpagesize(), &id));
	EXPECT_EQ(-EINVAL, testdev_ioctl(self->testdev, DMA_BUF_TEST_CREATE, &arg));
	arg.fd_flags = 0;
	arg.faults = DMA_BUF_TEST_FAULTS + 1;
	EXPECT_EQ(-EINVAL, testdev_ioctl(self->testdev, DMA_BUF_TEST_CREATE, &arg));
	arg.kind = DMA_BUF_TEST_BARE;
	arg.faults = DMA_BUF_TEST_LEAKS_TABLES;
	EXPECT_EQ(-EINVAL, testdev_ioctl(self->testdev, DMA_BUF_TEST_CREATE, &arg));
	EXPECT_EQ(-ENOMEM,
		  testdev_create(self->testdev, 0, DMA_BUF_TEST_MEMORY_MAX + 1, &id));
	EXPECT_EQ(free_fd, lowest_free_fd());
}

/* The answer cannot be written: nothing was made */
TEST_F(device, unwritable_answer)
{
	long before, after;
	long long bytes;
	struct dma_buf_test_create *create;
	struct dma_buf_test_attach *attach;
	int free_fd = lowest_free_fd();
	void *page;

	need_bufinfo(_metadata);
	page = mmap(NULL, getpagesize(), PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, page);
	ASSERT_EQ(0, bufinfo_total(&before, &bytes));

	create = page;
	*create = (struct dma_buf_test_create) {
		.size = sizeof(*create), .length = getpagesize(),
	};
	ASSERT_EQ(0, mprotect(page, getpagesize(), PROT_READ));
	EXPECT_EQ(-EFAULT, testdev_ioctl(self->testdev, DMA_BUF_TEST_CREATE, create));
	ASSERT_EQ(0, bufinfo_total(&after, &bytes));
	EXPECT_EQ(before, after);
	EXPECT_EQ(free_fd, lowest_free_fd());

	ASSERT_EQ(0, mprotect(page, getpagesize(), PROT_READ | PROT_WRITE));
	attach = page;
	*attach = (struct dma_buf_test_attach) {
		.size = sizeof(*attach), .fd = self->fd,
	};
	ASSERT_EQ(0, mprotect(page, getpagesize(), PROT_READ));
	EXPECT_EQ(-EFAULT, testdev_ioctl(self->testdev, DMA_BUF_TEST_ATTACH, attach));
	EXPECT_STREQ("attach detach", testdev_log(self->testdev, self->id));
	EXPECT_EQ(1, fdinfo_count(self->fd));
}

TEST_F(device, set_op)
{
	struct dma_buf_test_set_op arg;
	const struct {
		__u32 op;
		__s32 error;
		__u32 delay_ms;
		__u32 flags;
	} bad[] = {
		{ 0 },
		{ HOOKS },
		{ HOOK_MAP, 1 },
		{ HOOK_MAP, -4096 },
		{ HOOK_UNMAP, -EIO },
		{ HOOK_DETACH, -EIO },
		{ HOOK_RELEASE, -EIO },
		{ HOOK_MAP, 0, 10001 },
		{ HOOK_MAP, 0, 0, 4 },
		{ HOOK_BEGIN, 0, 0, DMA_BUF_TEST_NULL },
		{ HOOK_END, 0, 0, DMA_BUF_TEST_ASYNC },
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		arg = (struct dma_buf_test_set_op) {
			.size = sizeof(arg),
			.id = self->id,
			.op = bad[i].op,
			.error = bad[i].error,
			.delay_ms = bad[i].delay_ms,
			.flags = bad[i].flags,
		};
		EXPECT_EQ(-EINVAL, testdev_ioctl(self->testdev, DMA_BUF_TEST_SET_OP, &arg))
			TH_LOG("case %d", i);
	}
}

/* Some calls as usual, then some that fail, then as usual again */
TEST_F(device, skip_and_count)
{
	struct dma_buf_test_set_op arg = {
		.size = sizeof(arg),
		.id = self->id,
		.op = HOOK_BEGIN,
		.error = -EIO,
		.skip = 2,
		.count = 3,
	};
	int i;

	ASSERT_EQ(0, testdev_ioctl(self->testdev, DMA_BUF_TEST_SET_OP, &arg));
	for (i = 0; i < 7; i++)
		EXPECT_EQ(i < 2 || i >= 5 ? 0 : -EIO,
			  buffer_sync(self->fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ))
			TH_LOG("call %d", i);
}

/* What does not fit is counted, and reading it in parts loses nothing */
TEST_F(device, log)
{
	struct dma_buf_test_call calls[DMA_BUF_TEST_LOG_LEN];
	struct dma_buf_test_log arg = {
		.size = sizeof(arg),
		.id = self->id,
		.calls = (uintptr_t)calls,
		.count = 10,
		.flags = DMA_BUF_TEST_CLEAR,
	};
	const int more = 5;
	int i;

	for (i = 0; i < DMA_BUF_TEST_LOG_LEN + more; i++)
		buffer_sync(self->fd, (i % 2 ? DMA_BUF_SYNC_END : DMA_BUF_SYNC_START) |
			    DMA_BUF_SYNC_READ);
	ASSERT_EQ(0, testdev_ioctl(self->testdev, DMA_BUF_TEST_LOG, &arg));
	EXPECT_EQ(10, arg.count);
	EXPECT_EQ(more, arg.lost);
	arg.count = DMA_BUF_TEST_LOG_LEN;
	ASSERT_EQ(0, testdev_ioctl(self->testdev, DMA_BUF_TEST_LOG, &arg));
	EXPECT_EQ(DMA_BUF_TEST_LOG_LEN - 10, arg.count);
	EXPECT_EQ(0, arg.lost);
	EXPECT_EQ(HOOK_BEGIN, calls[0].op);
	EXPECT_EQ(DIR_FROM_DEVICE, calls[0].dir);

	buffer_sync(self->fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ);
	arg.count = 1;
	arg.calls = 0;
	EXPECT_EQ(-EFAULT, testdev_ioctl(self->testdev, DMA_BUF_TEST_LOG, &arg));
	/* Not read, so not forgotten */
	EXPECT_STREQ("begin:from", testdev_log(self->testdev, self->id));
}

TEST_F(device, read_and_write)
{
	const size_t size = TEST_PAGES * getpagesize();
	int importer = testdev_attach(self->testdev, self->fd, 0);
	char bytes[8] = {};

	ASSERT_LT(0, importer);
	EXPECT_EQ(-ENOENT, testdev_read(self->testdev, importer, 0, bytes, 1));
	ASSERT_EQ(0, testdev_map(self->testdev, importer, DIR_TO_DEVICE));
	EXPECT_EQ(0, testdev_read(self->testdev, importer, size - 8, bytes, 8));
	EXPECT_EQ(-EACCES, testdev_write(self->testdev, importer, 0, bytes, 8));
	EXPECT_EQ(-ERANGE, testdev_read(self->testdev, importer, size - 7, bytes, 8));
	EXPECT_EQ(-ERANGE, testdev_read(self->testdev, importer, size, bytes, 1));
	EXPECT_EQ(-ERANGE, testdev_read(self->testdev, importer, ~0ULL, bytes, 8));
	EXPECT_EQ(-EFAULT, testdev_read(self->testdev, importer, 0, NULL, 8));
	EXPECT_EQ(-EINVAL, testdev_read(self->testdev, importer, 0, bytes, 0));
	ASSERT_EQ(0, testdev_unmap(self->testdev, importer));
	EXPECT_EQ(-ENOENT, testdev_unmap(self->testdev, importer));
	ASSERT_EQ(0, testdev_map(self->testdev, importer, DIR_FROM_DEVICE));
	EXPECT_EQ(0, testdev_write(self->testdev, importer, 0, bytes, 8));
	EXPECT_EQ(-EACCES, testdev_read(self->testdev, importer, 0, bytes, 8));
	EXPECT_EQ(-EFAULT, testdev_write(self->testdev, importer, 0, NULL, 8));
}

TEST_F(device, importers)
{
	const __u32 bad[] = {
		DMA_BUF_TEST_IMPORTER_FLAGS + 1,
		DMA_BUF_TEST_IMPORTER_DEAF,
		DMA_BUF_TEST_IMPORTER_PEER2PEER,
		DMA_BUF_TEST_IMPORTER_LETS_GO,
	};
	int importer, i;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		EXPECT_EQ(-EINVAL, testdev_attach(self->testdev, self->fd, bad[i]));
	importer = testdev_attach(self->testdev, self->fd, 0);
	ASSERT_LT(0, importer);
	for (i = 0; i < DMA_BUF_TEST_MAPPINGS; i++)
		ASSERT_EQ(0, testdev_map(self->testdev, importer, DIR_TO_DEVICE));
	EXPECT_EQ(-ENOSPC, testdev_map(self->testdev, importer, DIR_TO_DEVICE));
	EXPECT_EQ(DMA_BUF_TEST_MAPPINGS, testdev_importer(self->testdev, importer).mapped);
	ASSERT_EQ(0, testdev_free(self->testdev, importer));
	EXPECT_EQ(0, testdev_exporter(self->testdev, self->id).mapped);
}

TEST_F(device, fences)
{
	int fence;

	EXPECT_EQ(-EINVAL,
		  testdev_fence(self->testdev, self->fd, DMA_BUF_TEST_BOOKKEEP + 1, 0));
	EXPECT_EQ(-EINVAL,
		  testdev_fence(self->testdev, self->fd, DMA_BUF_TEST_READ, 10001));
	fence = testdev_fence(self->testdev, self->fd, DMA_BUF_TEST_READ, 0);
	ASSERT_LT(0, fence);
	EXPECT_EQ(-EINVAL, testdev_signal(self->testdev, fence, 5));
	EXPECT_EQ(-EINVAL, testdev_signal(self->testdev, fence, -4096));
	EXPECT_EQ(0, testdev_signal(self->testdev, fence, 0));
	EXPECT_EQ(-EALREADY, testdev_signal(self->testdev, fence, 0));
}

TEST_F(device, migrate)
{
	int fd, vmap;
	__u32 id;

	EXPECT_EQ(-EINVAL, testdev_migrate(self->testdev, self->id, 0));
	fd = testdev_create(self->testdev, DMA_BUF_TEST_DYNAMIC | DMA_BUF_TEST_LAZY,
			    getpagesize(), &id);
	ASSERT_LE(0, fd);
	EXPECT_EQ(-EINVAL, testdev_migrate(self->testdev, id, 10001));
	EXPECT_EQ(-ENODEV, testdev_migrate(self->testdev, id, 0));
	vmap = testdev_vmap(self->testdev, fd);
	ASSERT_LT(0, vmap);
	EXPECT_EQ(-EBUSY, testdev_migrate(self->testdev, id, 0));
	ASSERT_EQ(0, testdev_free(self->testdev, vmap));
	EXPECT_EQ(0, testdev_migrate(self->testdev, id, 0));
	close(fd);
	EXPECT_EQ(-ENODEV, testdev_migrate(self->testdev, id, 0));
}

/* Sessions: numbers of one mean nothing in another, importers see each other's */
TEST_F(device, sessions)
{
	int other = need_testdev(_metadata), importer;

	EXPECT_EQ(~0U, testdev_exporter(other, self->id).attached);
	EXPECT_EQ(-ENOENT, testdev_free(other, self->id));
	importer = testdev_attach(other, self->fd, 0);
	ASSERT_LT(0, importer);
	EXPECT_EQ(1, testdev_exporter(self->testdev, self->id).attached);
	ASSERT_EQ(0, testdev_map(other, importer, DIR_TO_DEVICE));
	/* A closed session releases everything */
	close(other);
	EXPECT_EQ(0, testdev_exporter(self->testdev, self->id).attached);
	EXPECT_EQ(0, testdev_exporter(self->testdev, self->id).mapped);
	EXPECT_EQ(1, fdinfo_count(self->fd));
}

/* ... whatever there is */
TEST_F(device, session_ends_with_everything)
{
	int other = need_testdev(_metadata);

	ASSERT_LT(0, testdev_attach(other, self->fd, DMA_BUF_TEST_IMPORTER_DYNAMIC));
	ASSERT_LT(0, testdev_vmap(other, self->fd));
	ASSERT_LT(0, testdev_fence(other, self->fd, DMA_BUF_TEST_WRITE, 0));
	ASSERT_LT(0, testdev_fence(other, self->fd, DMA_BUF_TEST_WRITE, 10000));
	ASSERT_EQ(0, testdev_choose_mmap(other, self->fd));
	ASSERT_LT(0, testdev_hold(other, self->fd));
	EXPECT_EQ(5, fdinfo_count(self->fd));
	close(other);
	EXPECT_EQ(1, fdinfo_count(self->fd));
	EXPECT_EQ(0, testdev_exporter(self->testdev, self->id).vmapped);
	EXPECT_EQ(0, buffer_sync(self->fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ));
	EXPECT_EQ(0, buffer_sync(self->fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_READ));
}

TEST_HARNESS_MAIN
