// SPDX-License-Identifier: GPL-2.0-only
/*
 * dma-buf: KUnit tests of the paths that only a lack of memory takes.
 *
 * Each operation is repeated with its first, second, ... allocation failing,
 * until no allocation is left to fail. Each time it must either return -ENOMEM
 * and have undone what it did, or succeed (on a kernel with checkers, some
 * allocations are theirs). Needs CONFIG_FAILSLAB.
 */
#include <linux/delay.h>
#include <linux/dma-resv.h>
#include <linux/fdtable.h>
#include <linux/fs.h>
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/sync_file.h>
#include <linux/uaccess.h>
#include <uapi/linux/dma-buf.h>

#include "util.h"

#if IS_ENABLED(CONFIG_FAILSLAB) && IS_ENABLED(CONFIG_FAULT_INJECTION_DEBUG_FS) && \
	defined(CONFIG_MODULE_UNLOAD)

/* More allocations than any operation makes */
#define TEST_MOST	64

static void test_spare_sleepers(void *test)
{
	test_debugfs_write(test, "failslab/ignore-gfp-wait", "Y");
}

/* Make allocations that may sleep fail as well, and do not log each failure. */
static int test_memory_init(struct kunit *test)
{
	test_init(test);
	if (!test_debugfs_write(test, "failslab/verbose", "0") ||
	    !test_debugfs_write(test, "failslab/ignore-gfp-wait", "N"))
		kunit_skip(test, "failslab cannot be set");
	/* Copies from and to user space can be made to fail as well. */
	test_debugfs_write(test, "fail_usercopy/verbose", "0");
	return kunit_add_action_or_reset(test, test_spare_sleepers, test);
}

/* The allocation of that number will fail. */
static void test_starve(unsigned int nth)
{
	WRITE_ONCE(current->fail_nth, nth);
}

/* Did it come to that? In any case it is over. */
static bool test_starved(void)
{
	bool starved = !READ_ONCE(current->fail_nth);

	WRITE_ONCE(current->fail_nth, 0);
	return starved;
}

/* What an ioctl may say then. Where they can, copies of its argument fail, too. */
static bool test_starved_error(long ret)
{
	return ret == -ENOMEM ||
	       (IS_ENABLED(CONFIG_FAULT_INJECTION_USERCOPY) && ret == -EFAULT);
}

/* How many inodes there are, by what the kernel tells administrators. */
static long test_inodes(struct kunit *test)
{
	struct file *file = filp_open("/proc/sys/fs/inode-nr", O_RDONLY, 0);
	char text[32] = { };
	loff_t pos = 0;
	long inodes, unused;

	if (IS_ERR(file))
		return -1;
	kernel_read(file, text, sizeof(text) - 1, &pos);
	fput(file);
	return sscanf(text, "%ld %ld", &inodes, &unused) == 2 ? inodes : -1;
}

static long test_ioctl(struct dma_buf *dmabuf, unsigned int cmd,
		       void __user *arg)
{
	return dmabuf->file->f_op->unlocked_ioctl(dmabuf->file, cmd,
						  (unsigned long)arg);
}

static void test_memory_export(struct kunit *test)
{
	enum { ROUNDS = 20 };
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_PLAIN);
	struct module *owner = kunit_kzalloc(test, sizeof(*owner), GFP_KERNEL);
	DEFINE_DMA_BUF_EXPORT_INFO(info);
	unsigned int nth, failed = 0;
	struct dma_buf *dmabuf;
	int round, tries;
	bool starved;
	long before;

	KUNIT_ASSERT_NOT_NULL(test, owner);
	owner->state = MODULE_STATE_LIVE;
	atomic_set(&owner->refcnt, 1);
	info.owner = owner;
	info.ops = &mock->ops;
	info.size = mock->size;
	info.priv = mock;

	before = test_inodes(test);
	for (round = 0; round < ROUNDS; round++) {
		for (nth = 1; nth < TEST_MOST; nth++) {
			test_starve(nth);
			dmabuf = dma_buf_export(&info);
			starved = test_starved();
			/* What failed has left priv with the exporter. */
			KUNIT_EXPECT_FALSE(test, mock_is_released(mock));
			if (IS_ERR(dmabuf)) {
				KUNIT_EXPECT_EQ(test, PTR_ERR(dmabuf), -ENOMEM);
				KUNIT_EXPECT_EQ(test, atomic_read(&owner->refcnt), 1);
				failed++;
				continue;
			}
			mock_put(mock, dmabuf);
			/* The module goes after the release hook. */
			for (tries = 0; tries < 500; tries++) {
				if (atomic_read(&owner->refcnt) == 1)
					break;
				msleep(20);
			}
			KUNIT_ASSERT_EQ(test, atomic_read(&owner->refcnt), 1);
			reinit_completion(&mock->released);
			mock->log_len = 0;
			if (!starved)
				break;
		}
		KUNIT_EXPECT_LT(test, nth, (unsigned int)TEST_MOST);
	}
	/* An inode, a dentry and a file, but a checker's may come between. */
	KUNIT_EXPECT_GE(test, failed, 2U * ROUNDS);
	if (before >= 0)
		KUNIT_EXPECT_LT(test, test_inodes(test) - before, (long)ROUNDS);
}

static void test_memory_attach(struct kunit *test)
{
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_PLAIN);
	struct dma_buf *dmabuf = mock_export(mock);
	struct device *dev = test_device(test);
	struct dma_buf_attachment *attach;
	unsigned int nth, failed = 0;
	bool starved = true;

	for (nth = 1; nth < TEST_MOST && starved; nth++) {
		mock->log_len = 0;
		test_starve(nth);
		attach = dma_buf_attach(dmabuf, dev);
		starved = test_starved();
		if (IS_ERR(attach)) {
			KUNIT_EXPECT_EQ(test, PTR_ERR(attach), -ENOMEM);
			mock_expect_ops(mock);
			failed++;
		} else {
			dma_buf_detach(dmabuf, attach);
			mock_expect_ops(mock, HOOK_ATTACH, HOOK_DETACH);
		}
		KUNIT_EXPECT_TRUE(test, list_empty(&dmabuf->attachments));
	}
	KUNIT_EXPECT_FALSE(test, starved);
	KUNIT_EXPECT_GE(test, failed, 1U);
	mock_put(mock, dmabuf);
}

/* With a pin to undo, and with DMABUF_DEBUG a mapping. */
static void test_memory_map(struct kunit *test)
{
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_DYNAMIC);
	struct dma_buf *dmabuf = mock_export(mock);
	struct dma_buf_attachment *attach = test_attach(test, dmabuf, NULL);
	unsigned int nth, failed = 0;
	bool starved = true;
	struct sg_table *sgt;

	for (nth = 1; nth < TEST_MOST && starved; nth++) {
		mock->log_len = 0;
		test_starve(nth);
		sgt = dma_buf_map_attachment_unlocked(attach, DMA_TO_DEVICE);
		starved = test_starved();
		if (IS_ERR(sgt)) {
			KUNIT_EXPECT_EQ(test, PTR_ERR(sgt), -ENOMEM);
			failed++;
		} else {
			KUNIT_EXPECT_EQ(test, mock->tables, 1U);
			dma_buf_unmap_attachment_unlocked(attach, sgt,
							  DMA_TO_DEVICE);
		}
		KUNIT_EXPECT_EQ(test, mock->tables, 0U);
		KUNIT_EXPECT_EQ(test, mock_count(mock, HOOK_PIN), 1U);
		KUNIT_EXPECT_EQ(test, mock_count(mock, HOOK_UNPIN), 1U);
	}
	KUNIT_EXPECT_FALSE(test, starved);
	/* Two are the exporter's own. */
	KUNIT_EXPECT_GE(test, failed, IS_ENABLED(CONFIG_DMABUF_DEBUG) ? 4U : 2U);
	dma_buf_detach(dmabuf, attach);
	mock->log_len = 0;
	mock_put(mock, dmabuf);
}

static void test_memory_name(struct kunit *test)
{
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_PLAIN);
	struct dma_buf *dmabuf = mock_export(mock);
	char __user *uarg = test_user_memory(test, 8);
	unsigned int nth, failed = 0;
	bool starved = true;
	long ret;

	KUNIT_ASSERT_EQ(test, 0UL, copy_to_user(uarg, "name", 5));
	for (nth = 1; nth < TEST_MOST && starved; nth++) {
		test_starve(nth);
		ret = test_ioctl(dmabuf, DMA_BUF_SET_NAME_B, uarg);
		starved = test_starved();
		if (!ret)
			continue;
		KUNIT_EXPECT_TRUE(test, test_starved_error(ret));
		if (++failed == nth)
			KUNIT_EXPECT_NULL(test, dmabuf->name);
	}
	KUNIT_EXPECT_FALSE(test, starved);
	KUNIT_EXPECT_GE(test, failed, 1U);
	KUNIT_EXPECT_STREQ(test, dmabuf->name, "name");
	mock_put(mock, dmabuf);
}

static void test_memory_sync_file(struct kunit *test)
{
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_PLAIN);
	struct dma_buf *dmabuf;
	struct dma_buf_export_sync_file arg = { .flags = DMA_BUF_SYNC_WRITE };
	void __user *uarg = test_user_memory(test, sizeof(arg));
	struct dma_fence *fence[2];
	unsigned int nth, held, failed = 0;
	bool starved = true;
	int before, i;
	long ret;

	if (!IS_ENABLED(CONFIG_SYNC_FILE))
		kunit_skip(test, "a kernel without sync files");

	dmabuf = mock_export(mock);
	/* Two, so that there must be a container. */
	for (i = 0; i < 2; i++) {
		fence[i] = mock_fence_create(test);
		mock_add_fence(dmabuf, fence[i], DMA_RESV_USAGE_READ);
	}
	held = kref_read(&fence[0]->refcount);
	before = test_lowest_fd(test);
	KUNIT_ASSERT_EQ(test, 0UL, copy_to_user(uarg, &arg, sizeof(arg)));
	for (nth = 1; nth < TEST_MOST && starved; nth++) {
		test_starve(nth);
		ret = test_ioctl(dmabuf, DMA_BUF_IOCTL_EXPORT_SYNC_FILE, uarg);
		starved = test_starved();
		if (ret) {
			KUNIT_EXPECT_TRUE(test, test_starved_error(ret));
			KUNIT_EXPECT_EQ(test, test_lowest_fd(test), before);
			mock_fence_wait_refs(fence[0], held);
			failed++;
			continue;
		}
		KUNIT_ASSERT_EQ(test, 0UL, copy_from_user(&arg, uarg, sizeof(arg)));
		if (starved)
			KUNIT_EXPECT_EQ(test, 0, close_fd(arg.fd));
	}
	KUNIT_EXPECT_GE(test, failed, 2U);
	KUNIT_ASSERT_FALSE(test, starved);

	/* And the way back. */
	starved = true;
	for (nth = 1; nth < TEST_MOST && starved; nth++) {
		test_starve(nth);
		ret = test_ioctl(dmabuf, DMA_BUF_IOCTL_IMPORT_SYNC_FILE, uarg);
		starved = test_starved();
		if (ret)
			KUNIT_EXPECT_TRUE(test, test_starved_error(ret));
	}
	KUNIT_EXPECT_FALSE(test, starved);
	KUNIT_EXPECT_EQ(test, ret, 0);
	KUNIT_EXPECT_EQ(test, 0, close_fd(arg.fd));
	mock_put(mock, dmabuf);
}

/* A poller that cannot be served well is served somehow. */
static void test_memory_poll(struct kunit *test)
{
	enum { COUNT = 3 };
	bool starved = true;
	unsigned int nth;

	for (nth = 1; nth < TEST_MOST && starved; nth++) {
		struct mock_exporter *mock = mock_exporter_create(test, MOCK_BARE);
		struct mock_poller *poller = mock_poller_create(test, EPOLLOUT);
		struct dma_buf *dmabuf = mock_export(mock);
		struct dma_fence *fence[COUNT];
		__poll_t events;
		int i;

		for (i = 0; i < COUNT; i++) {
			fence[i] = mock_fence_create(test);
			mock_add_fence(dmabuf, fence[i], DMA_RESV_USAGE_READ);
		}
		test_starve(nth);
		events = mock_poll(poller, dmabuf);
		starved = test_starved();
		KUNIT_EXPECT_EQ(test, (__force u32)events, 0U);
		for (i = 0; i < COUNT; i++)
			mock_fence_signal(fence[i]);
		/* At the first at least, and then it looks again. */
		KUNIT_EXPECT_GE(test, atomic_read(&poller->wakeups), 1);
		expect_poll(test, poller, dmabuf, EPOLLOUT);
		mock_poller_leave(poller);
		mock_put(mock, dmabuf);
		for (i = 0; i < COUNT; i++)
			mock_fence_wait_refs(fence[i], 1);
	}
	KUNIT_EXPECT_GT(test, nth, 2U);
	KUNIT_EXPECT_FALSE(test, starved);
}

static struct kunit_case dma_buf_memory_test_cases[] = {
	KUNIT_CASE(test_memory_export),
	KUNIT_CASE(test_memory_attach),
	KUNIT_CASE(test_memory_map),
	KUNIT_CASE(test_memory_name),
	KUNIT_CASE(test_memory_sync_file),
	KUNIT_CASE(test_memory_poll),
	{}
};

static struct kunit_suite dma_buf_memory_test_suite = {
	.name = "dma_buf_memory",
	.init = test_memory_init,
	.test_cases = dma_buf_memory_test_cases,
};

kunit_test_suite(dma_buf_memory_test_suite);

#endif
