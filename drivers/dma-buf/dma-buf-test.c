// SPDX-License-Identifier: GPL-2.0-only
/*
 * dma-buf: KUnit tests of every function that the core exports.
 *
 * Where a test provokes a warning it says so in the kernel log, around the code
 * that does: a harness can tell it from one that nobody asked for, and notice if
 * it is missing. The warnings come once per boot.
 */
#include <kunit/device.h>
#include <kunit/test.h>
#include <linux/anon_inodes.h>
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/dma-buf.h>
#include <linux/dma-resv.h>
#include <linux/fdtable.h>
#include <linux/kthread.h>
#include <linux/limits.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/module.h>
#include <linux/path.h>
#include <linux/slab.h>

#include "dma-buf-mock.h"

/* Warnings that match @regex are to come until expect_end(). */
static void expect_warning(const char *regex)
{
	pr_info("dmabuf-test: expect: %s\n", regex);
}

static void expect_end(void)
{
	pr_info("dmabuf-test: expect-end\n");
}

static struct device *test_device(struct kunit *test)
{
	static atomic_t number;
	struct device *dev;
	char *name;

	/* A test may want several, and names are the bus's. */
	name = kunit_kzalloc(test, 24, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, name);
	snprintf(name, 24, "importer%d", atomic_inc_return(&number));
	dev = kunit_device_register(test, name);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dev);
	return dev;
}

static struct dma_buf_attachment *test_attach(struct kunit *test,
					      struct dma_buf *dmabuf,
					      const struct dma_buf_attach_ops *ops)
{
	struct dma_buf_attachment *attach;

	attach = dma_buf_dynamic_attach(dmabuf, test_device(test), ops, test);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, attach);
	return attach;
}

static void test_move_notify(struct dma_buf_attachment *attach)
{
	struct kunit *test = attach->importer_priv;

	dma_resv_assert_held(attach->dmabuf->resv);
	/* Counts by the test's private pointer. */
	if (test->priv)
		++*(unsigned int *)test->priv;
}

static const struct dma_buf_attach_ops test_dynamic = {
	.allow_peer2peer = true,
	.move_notify = test_move_notify,
};

static const struct dma_buf_attach_ops test_deaf = {
	.allow_peer2peer = false,
};

/* Export */

static void test_export(struct kunit *test)
{
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_PLAIN);
	struct dma_buf *dmabuf = mock_export(mock);
	struct inode *inode = file_inode(dmabuf->file);

	KUNIT_EXPECT_EQ(test, dmabuf->size, mock->size);
	KUNIT_EXPECT_PTR_EQ(test, dmabuf->ops,
			    (const struct dma_buf_ops *)&mock->ops);
	KUNIT_EXPECT_PTR_EQ(test, dmabuf->priv, (void *)mock);
	KUNIT_EXPECT_STREQ(test, dmabuf->exp_name, KBUILD_MODNAME);
	KUNIT_EXPECT_NULL(test, dmabuf->name);
	KUNIT_EXPECT_PTR_EQ(test, dmabuf->owner, THIS_MODULE);
	KUNIT_EXPECT_TRUE(test, list_empty(&dmabuf->attachments));
	KUNIT_EXPECT_NOT_NULL(test, dmabuf->resv);
	KUNIT_EXPECT_PTR_EQ(test, dmabuf->file->private_data, (void *)dmabuf);
	KUNIT_EXPECT_EQ(test, file_count(dmabuf->file), 1);
	KUNIT_EXPECT_TRUE(test, dmabuf->file->f_mode & FMODE_LSEEK);
	KUNIT_EXPECT_EQ(test, inode->i_size, (loff_t)mock->size);
	KUNIT_EXPECT_GE(test, inode->i_ino, 2UL);
	KUNIT_EXPECT_EQ(test, inode->i_sb->s_magic, 0x444d4142UL);
	mock_expect_ops(mock);
	mock_put(mock, dmabuf);
	mock_expect_ops(mock, MOCK_RELEASE);
}

static void test_export_bare(struct kunit *test)
{
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_BARE);
	struct dma_buf *dmabuf = mock_export(mock);
	struct dma_buf_attachment *attach = test_attach(test, dmabuf, NULL);

	KUNIT_EXPECT_EQ(test, 0, dma_buf_begin_cpu_access(dmabuf, DMA_BIDIRECTIONAL));
	KUNIT_EXPECT_EQ(test, 0, dma_buf_end_cpu_access(dmabuf, DMA_BIDIRECTIONAL));
	dma_buf_detach(dmabuf, attach);
	mock_put(mock, dmabuf);
	mock_expect_ops(mock, MOCK_RELEASE);
}

static void test_expect_einval(struct kunit *test,
			       const struct dma_buf_export_info *info)
{
	struct dma_buf *dmabuf = dma_buf_export(info);

	KUNIT_EXPECT_TRUE(test, IS_ERR(dmabuf));
	KUNIT_EXPECT_EQ(test, PTR_ERR(dmabuf), -EINVAL);
}

static void test_export_needs_arguments(struct kunit *test)
{
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_PLAIN);
	DEFINE_DMA_BUF_EXPORT_INFO(good);
	struct dma_buf_export_info info;

	good.ops = &mock->ops;
	good.size = PAGE_SIZE;
	good.priv = mock;

	expect_warning("WARNING: .* dma_buf_(check_)?export");
	test_expect_einval(test, NULL);
	info = good;
	info.priv = NULL;
	test_expect_einval(test, &info);
	info = good;
	info.ops = NULL;
	test_expect_einval(test, &info);
	info = good;
	info.exp_name = NULL;
	test_expect_einval(test, &info);
	expect_end();
	KUNIT_EXPECT_FALSE(test, mock_is_released(mock));
}

static void test_export_needs_hooks(struct kunit *test)
{
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_PLAIN);
	DEFINE_DMA_BUF_EXPORT_INFO(info);
	struct dma_buf_ops ops;

	info.ops = &ops;
	info.size = PAGE_SIZE;
	info.priv = mock;

	expect_warning("WARNING: .* dma_buf_(check_)?export");
	ops = mock->ops;
	ops.map_dma_buf = NULL;
	test_expect_einval(test, &info);
	ops = mock->ops;
	ops.unmap_dma_buf = NULL;
	test_expect_einval(test, &info);
	ops = mock->ops;
	ops.release = NULL;
	test_expect_einval(test, &info);
	expect_end();
}

static void test_export_pin_rules(struct kunit *test)
{
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_DYNAMIC);
	DEFINE_DMA_BUF_EXPORT_INFO(info);
	struct dma_buf_ops ops;

	info.ops = &ops;
	info.size = PAGE_SIZE;
	info.priv = mock;

	expect_warning("WARNING: .* dma_buf_(check_)?export");
	ops = mock->ops;
	ops.pin = NULL;
	test_expect_einval(test, &info);
	ops = mock->ops;
	ops.unpin = NULL;
	test_expect_einval(test, &info);
	ops = mock->ops;
	ops.cache_sgt_mapping = true;
	test_expect_einval(test, &info);
	expect_end();
}

struct size_param {
	const char *name;
	size_t size;
	bool good;
};

static const struct size_param size_params[] = {
	{ "zero", 0, false },
	{ "one byte", 1, true },
	{ "page and a byte", PAGE_SIZE + 1, true },
	{ "largest", LLONG_MAX > SIZE_MAX ? SIZE_MAX : LLONG_MAX, true },
#if BITS_PER_LONG == 64
	{ "largest and a byte", (size_t)LLONG_MAX + 1, false },
	{ "all bits", SIZE_MAX, false },
#endif
};

KUNIT_ARRAY_PARAM_DESC(size, size_params, name);

static void test_export_size(struct kunit *test)
{
	const struct size_param *param = test->param_value;
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_PLAIN);
	DEFINE_DMA_BUF_EXPORT_INFO(info);
	struct dma_buf *dmabuf;

	info.ops = &mock->ops;
	info.priv = mock;
	mock->size = param->size;
	info.size = param->size;

	/* Silently: drivers hand on what users ask for. */
	if (!param->good) {
		test_expect_einval(test, &info);
		KUNIT_EXPECT_FALSE(test, mock_is_released(mock));
		return;
	}
	dmabuf = dma_buf_export(&info);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dmabuf);
	KUNIT_EXPECT_EQ(test, vfs_llseek(dmabuf->file, 0, SEEK_END),
			(loff_t)param->size);
	mock_put(mock, dmabuf);
}

static void test_export_flags(struct kunit *test)
{
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_PLAIN);
	DEFINE_DMA_BUF_EXPORT_INFO(info);
	struct dma_buf *dmabuf;

	info.ops = &mock->ops;
	info.size = PAGE_SIZE;
	info.priv = mock;
	info.flags = O_RDWR | O_NONBLOCK | O_CLOEXEC | O_APPEND | O_DIRECT |
		     O_CREAT;
	dmabuf = dma_buf_export(&info);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dmabuf);
	/* The VFS adds O_LARGEFILE on some machines. */
	KUNIT_EXPECT_EQ(test, dmabuf->file->f_flags & ~O_LARGEFILE,
			(unsigned int)(O_RDWR | O_NONBLOCK));
	mock_put(mock, dmabuf);
}

static void test_export_owner(struct kunit *test)
{
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_PLAIN);
	struct dma_buf *dmabuf;
	int before, tries;

	if (!IS_MODULE(CONFIG_DMABUF_CORE_KUNIT_TEST))
		kunit_skip(test, "built in, so there is no module to count");

	before = module_refcount(THIS_MODULE);
	dmabuf = mock_export(mock);
	KUNIT_EXPECT_EQ(test, module_refcount(THIS_MODULE), before + 1);
	mock_put(mock, dmabuf);
	/* Dropped after the release hook, which is what was waited for. */
	for (tries = 0; tries < 1000; tries++) {
		if (module_refcount(THIS_MODULE) == before)
			break;
		msleep(20);
	}
	KUNIT_EXPECT_EQ(test, module_refcount(THIS_MODULE), before);
}

static void test_export_resv(struct kunit *test)
{
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_PLAIN);
	struct dma_fence *fence = mock_fence_create(test);
	struct dma_buf *dmabuf;
	struct dma_resv *resv;

	resv = kunit_kzalloc(test, sizeof(*resv), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, resv);
	dma_resv_init(resv);
	dmabuf = mock_export_resv(mock, resv);
	KUNIT_EXPECT_PTR_EQ(test, dmabuf->resv, resv);
	mock_add_fence(dmabuf, fence, DMA_RESV_USAGE_WRITE);
	mock_put(mock, dmabuf);
	/* It is the exporter's, and as it was. */
	KUNIT_EXPECT_FALSE(test, dma_resv_test_signaled(resv,
							DMA_RESV_USAGE_WRITE));
	mock_fence_signal(fence);
	dma_resv_fini(resv);
}

static void test_export_ino(struct kunit *test)
{
	enum { COUNT = 600 };	/* more than a shard takes at a time */
	u64 *seen = kunit_kcalloc(test, COUNT, sizeof(*seen), GFP_KERNEL);
	int i, j;

	KUNIT_ASSERT_NOT_NULL(test, seen);
	for (i = 0; i < COUNT; i++) {
		struct mock_exporter *mock = mock_exporter_create(test, MOCK_BARE);
		struct dma_buf *dmabuf = mock_export(mock);

		seen[i] = file_inode(dmabuf->file)->i_ino;
		for (j = 0; j < i; j++)
			KUNIT_EXPECT_NE(test, seen[i], seen[j]);
		mock_put(mock, dmabuf);
	}
}

static void test_export_ops_replaced(struct kunit *test)
{
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_BARE);
	struct mock_exporter *full = mock_exporter_create(test, MOCK_DYNAMIC);
	struct dma_buf *dmabuf = mock_export(mock);
	struct dma_buf_attachment *attach;
	struct sg_table *sgt;

	KUNIT_EXPECT_FALSE(test, dma_buf_is_dynamic(dmabuf));
	/* As amdgpu and xe do. The pointer tells the exporter's buffers apart. */
	dmabuf->ops = &full->ops;
	KUNIT_EXPECT_TRUE(test, dma_buf_is_dynamic(dmabuf));

	attach = test_attach(test, dmabuf, NULL);
	sgt = dma_buf_map_attachment_unlocked(attach, DMA_TO_DEVICE);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, sgt);
	dma_buf_unmap_attachment_unlocked(attach, sgt, DMA_TO_DEVICE);
	dma_buf_detach(dmabuf, attach);
	KUNIT_EXPECT_PTR_EQ(test, dmabuf->ops,
			    (const struct dma_buf_ops *)&full->ops);
	mock_put(mock, dmabuf);
	mock_expect_ops(mock, MOCK_ATTACH, MOCK_PIN, MOCK_MAP, MOCK_UNMAP,
			MOCK_UNPIN, MOCK_DETACH, MOCK_RELEASE);
}

/* Descriptors and references */

static void test_fd_null(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, dma_buf_fd(NULL, 0), -EINVAL);
}

static bool test_close_on_exec(int fd)
{
	bool set;

	rcu_read_lock();
	set = close_on_exec(fd, current->files);
	rcu_read_unlock();
	return set;
}

static void test_fd_flags(struct kunit *test)
{
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_PLAIN);
	struct dma_buf *dmabuf = mock_export(mock);
	int fd, cloexec;

	get_dma_buf(dmabuf);
	fd = dma_buf_fd(dmabuf, O_RDWR | O_NONBLOCK);
	KUNIT_ASSERT_GE(test, fd, 0);
	KUNIT_EXPECT_FALSE(test, test_close_on_exec(fd));
	/* Taken over by the descriptor. */
	KUNIT_EXPECT_EQ(test, file_count(dmabuf->file), 2);

	get_dma_buf(dmabuf);
	cloexec = dma_buf_fd(dmabuf, O_CLOEXEC);
	KUNIT_ASSERT_GE(test, cloexec, 0);
	KUNIT_EXPECT_NE(test, fd, cloexec);
	KUNIT_EXPECT_TRUE(test, test_close_on_exec(cloexec));
	KUNIT_EXPECT_EQ(test, file_count(dmabuf->file), 3);

	dma_buf_put(dmabuf);
	KUNIT_EXPECT_EQ(test, 0, close_fd(fd));
	KUNIT_EXPECT_FALSE(test, mock_is_released(mock));
	KUNIT_EXPECT_EQ(test, 0, close_fd(cloexec));
	mock_wait_released(mock);
}

static void test_fd_install(struct kunit *test)
{
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_PLAIN);
	struct dma_buf *dmabuf = mock_export(mock);
	int fd = get_unused_fd_flags(O_CLOEXEC);

	KUNIT_ASSERT_GE(test, fd, 0);
	KUNIT_EXPECT_EQ(test, PTR_ERR(dma_buf_get(fd)), -EBADF);
	dma_buf_fd_install(dmabuf, fd);
	KUNIT_EXPECT_PTR_EQ(test, dma_buf_get(fd), dmabuf);
	dma_buf_put(dmabuf);
	KUNIT_EXPECT_EQ(test, 0, close_fd(fd));
	mock_wait_released(mock);
}

static void test_get_bad_fd(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, PTR_ERR(dma_buf_get(-1)), -EBADF);
	KUNIT_EXPECT_EQ(test, PTR_ERR(dma_buf_get(INT_MAX)), -EBADF);
}

static const struct file_operations test_other_fops = { };

static void test_get_other_file(struct kunit *test)
{
	int fd = anon_inode_getfd("other", &test_other_fops, test, O_RDWR);

	KUNIT_ASSERT_GE(test, fd, 0);
	KUNIT_EXPECT_EQ(test, PTR_ERR(dma_buf_get(fd)), -EINVAL);
	KUNIT_EXPECT_EQ(test, 0, close_fd(fd));
}

static void test_get_reference(struct kunit *test)
{
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_PLAIN);
	struct dma_buf *dmabuf = mock_export(mock);
	int fd = dma_buf_fd(dmabuf, O_CLOEXEC);
	struct dma_buf *got;

	KUNIT_ASSERT_GE(test, fd, 0);
	got = dma_buf_get(fd);
	KUNIT_ASSERT_PTR_EQ(test, got, dmabuf);
	KUNIT_EXPECT_EQ(test, file_count(got->file), 2);
	KUNIT_EXPECT_EQ(test, 0, close_fd(fd));
	KUNIT_EXPECT_FALSE(test, mock_is_released(mock));
	mock_put(mock, got);
}

static void test_put_null(struct kunit *test)
{
	expect_warning("WARNING: .* dma_buf_put");
	dma_buf_put(NULL);
	expect_end();
}

/* xe gets and puts under the reservation that its release takes. */
static void test_put_under_resv(struct kunit *test)
{
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_PLAIN);
	struct dma_resv *resv = kunit_kzalloc(test, sizeof(*resv), GFP_KERNEL);
	struct dma_buf *dmabuf;
	int fd;

	KUNIT_ASSERT_NOT_NULL(test, resv);
	dma_resv_init(resv);
	mock->release_lock = resv;

	dma_resv_lock(resv, NULL);
	dmabuf = mock_export_resv(mock, resv);
	get_dma_buf(dmabuf);
	fd = dma_buf_fd(dmabuf, O_CLOEXEC);
	KUNIT_EXPECT_GE(test, fd, 0);
	KUNIT_EXPECT_PTR_EQ(test, dma_buf_get(fd), dmabuf);
	dma_buf_put(dmabuf);
	KUNIT_EXPECT_EQ(test, 0, close_fd(fd));
	/* The last. Were it not deferred, this would be a deadlock. */
	dma_buf_put(dmabuf);
	KUNIT_EXPECT_FALSE(test, completion_done(&mock->released));
	dma_resv_unlock(resv);

	mock_wait_released(mock);
	dma_resv_fini(resv);
}

static void test_dentry_outlives_buffer(struct kunit *test)
{
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_PLAIN);
	struct dma_buf *dmabuf = mock_export(mock);
	struct path path = dmabuf->file->f_path;
	char *buffer, *name;

	buffer = kunit_kzalloc(test, 64, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, buffer);

	/* As an O_PATH descriptor does. */
	path_get(&path);
	name = d_path(&path, buffer, 64);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, name);
	KUNIT_EXPECT_STREQ(test, name, "/dmabuf:");

	/* Checks in the release hook that the file still is the buffer's. */
	mock_put(mock, dmabuf);

	name = d_path(&path, buffer, 64);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, name);
	KUNIT_EXPECT_STREQ(test, name, "/dmabuf:");
	KUNIT_EXPECT_EQ(test, d_inode(path.dentry)->i_size, (loff_t)mock->size);
	path_put(&path);
}

static void test_release_forgotten_attachment(struct kunit *test)
{
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_PLAIN);
	struct dma_buf *dmabuf = mock_export(mock);
	struct dma_buf_attachment *attach = test_attach(test, dmabuf, NULL);
	struct inode *inode = file_inode(dmabuf->file);

	expect_warning("released while in use, kept for good");
	dma_buf_put(dmabuf);
	KUNIT_EXPECT_FALSE(test, mock_is_released(mock));
	expect_end();

	/* All of it is still there for whom it forgot. */
	dma_buf_detach(dmabuf, attach);
	mock_expect_ops(mock, MOCK_ATTACH, MOCK_DETACH);

	/* Kept for good: undo that by hand, so that the test leaks nothing. */
	iput(inode);
	module_put(THIS_MODULE);
}

/* Attachments */

static void test_attach_static(struct kunit *test)
{
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_PLAIN);
	struct dma_buf *dmabuf = mock_export(mock);
	struct device *dev = test_device(test);
	struct dma_buf_attachment *attach = dma_buf_attach(dmabuf, dev);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, attach);
	KUNIT_EXPECT_PTR_EQ(test, attach->dmabuf, dmabuf);
	KUNIT_EXPECT_PTR_EQ(test, attach->dev, dev);
	KUNIT_EXPECT_NULL(test, attach->importer_ops);
	KUNIT_EXPECT_NULL(test, attach->importer_priv);
	KUNIT_EXPECT_FALSE(test, attach->peer2peer);
	KUNIT_EXPECT_FALSE(test, dma_buf_attachment_is_dynamic(attach));
	KUNIT_EXPECT_FALSE(test, dma_buf_attach_revocable(attach));

	/* The hook saw all of it before anybody else could. */
	KUNIT_EXPECT_FALSE(test, mock->listed);
	KUNIT_EXPECT_PTR_EQ(test, mock->attach_seen.dmabuf, dmabuf);
	KUNIT_EXPECT_PTR_EQ(test, mock->attach_seen.dev, dev);
	KUNIT_EXPECT_PTR_EQ(test, list_first_entry(&dmabuf->attachments,
						   struct dma_buf_attachment,
						   node), attach);

	mock->listed = true;
	dma_buf_detach(dmabuf, attach);
	KUNIT_EXPECT_FALSE(test, mock->listed);
	KUNIT_EXPECT_TRUE(test, list_empty(&dmabuf->attachments));
	mock_expect_ops(mock, MOCK_ATTACH, MOCK_DETACH);
	mock_put(mock, dmabuf);
}

static void test_attach_dynamic(struct kunit *test)
{
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_PLAIN);
	struct dma_buf *dmabuf = mock_export(mock);
	struct dma_buf_attachment *attach;

	attach = test_attach(test, dmabuf, &test_dynamic);
	KUNIT_EXPECT_PTR_EQ(test, attach->importer_ops, &test_dynamic);
	KUNIT_EXPECT_PTR_EQ(test, attach->importer_priv, (void *)test);
	KUNIT_EXPECT_PTR_EQ(test, mock->attach_seen.importer_ops,
			    &test_dynamic);
	KUNIT_EXPECT_PTR_EQ(test, mock->attach_seen.importer_priv,
			    (void *)test);
	KUNIT_EXPECT_TRUE(test, mock->attach_seen.peer2peer);
	KUNIT_EXPECT_TRUE(test, attach->peer2peer);
	KUNIT_EXPECT_TRUE(test, dma_buf_attachment_is_dynamic(attach));
	KUNIT_EXPECT_TRUE(test, dma_buf_attach_revocable(attach));
	dma_buf_detach(dmabuf, attach);
	mock_put(mock, dmabuf);
}

static void test_attach_without_callback(struct kunit *test)
{
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_DYNAMIC);
	struct dma_buf *dmabuf = mock_export(mock);
	struct dma_buf_attachment *attach;
	struct sg_table *sgt;

	attach = test_attach(test, dmabuf, &test_deaf);
	KUNIT_EXPECT_TRUE(test, dma_buf_attachment_is_dynamic(attach));
	KUNIT_EXPECT_FALSE(test, dma_buf_attach_revocable(attach));
	KUNIT_EXPECT_FALSE(test, attach->peer2peer);

	dma_resv_lock(dmabuf->resv, NULL);
	dma_buf_move_notify(dmabuf);
	/* It cannot be told, so it pins. Then all is well. */
	KUNIT_EXPECT_EQ(test, 0, dma_buf_pin(attach));
	sgt = dma_buf_map_attachment(attach, DMA_BIDIRECTIONAL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, sgt);
	dma_buf_unmap_attachment(attach, sgt, DMA_BIDIRECTIONAL);
	dma_buf_unpin(attach);

	if (IS_ENABLED(CONFIG_DMABUF_DEBUG))
		expect_warning("maps without a pin");
	sgt = dma_buf_map_attachment(attach, DMA_BIDIRECTIONAL);
	if (IS_ENABLED(CONFIG_DMABUF_DEBUG))
		expect_end();
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, sgt);
	dma_buf_unmap_attachment(attach, sgt, DMA_BIDIRECTIONAL);
	dma_resv_unlock(dmabuf->resv);

	dma_buf_detach(dmabuf, attach);
	mock_put(mock, dmabuf);
}

static void test_attach_peer2peer_cleared(struct kunit *test)
{
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_PLAIN);
	struct dma_buf *dmabuf = mock_export(mock);
	struct dma_buf_attachment *attach;

	mock->clear_peer2peer = true;
	attach = test_attach(test, dmabuf, &test_dynamic);
	KUNIT_EXPECT_FALSE(test, attach->peer2peer);
	dma_buf_detach(dmabuf, attach);
	mock_put(mock, dmabuf);
}

static void test_attach_refused(struct kunit *test)
{
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_PLAIN);
	struct dma_buf *dmabuf = mock_export(mock);
	struct dma_buf_attachment *attach;

	mock->error[MOCK_ATTACH] = -EOPNOTSUPP;
	attach = dma_buf_attach(dmabuf, test_device(test));
	KUNIT_EXPECT_EQ(test, PTR_ERR(attach), -EOPNOTSUPP);
	KUNIT_EXPECT_TRUE(test, list_empty(&dmabuf->attachments));
	mock_expect_ops(mock, MOCK_ATTACH);
	mock_put(mock, dmabuf);
}

static void test_attach_null(struct kunit *test)
{
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_PLAIN);
	struct dma_buf *dmabuf = mock_export(mock);
	struct device *dev = test_device(test);

	expect_warning("WARNING: .* dma_buf_dynamic_attach");
	KUNIT_EXPECT_EQ(test, PTR_ERR(dma_buf_attach(NULL, dev)), -EINVAL);
	KUNIT_EXPECT_EQ(test, PTR_ERR(dma_buf_attach(dmabuf, NULL)), -EINVAL);
	expect_end();
	mock_put(mock, dmabuf);
	mock_expect_ops(mock, MOCK_RELEASE);
}

static void test_detach_wrong(struct kunit *test)
{
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_PLAIN);
	struct mock_exporter *other = mock_exporter_create(test, MOCK_PLAIN);
	struct dma_buf *dmabuf = mock_export(mock);
	struct dma_buf *stranger = mock_export(other);
	struct dma_buf_attachment *attach = test_attach(test, dmabuf, NULL);

	mock->log_len = 0;
	expect_warning("WARNING: .* dma_buf_detach");
	dma_buf_detach(dmabuf, NULL);
	dma_buf_detach(NULL, attach);
	dma_buf_detach(stranger, attach);
	expect_end();
	mock_expect_ops(mock);
	mock_expect_ops(other);

	dma_buf_detach(dmabuf, attach);
	mock_put(mock, dmabuf);
	mock_put(other, stranger);
}

/* Mappings */

struct map_param {
	const char *name;
	unsigned int exporter;
	const struct dma_buf_attach_ops *importer;
};

static const struct map_param map_params[] = {
	{ "static exporter, static importer", MOCK_PLAIN, NULL },
	{ "static exporter, dynamic importer", MOCK_PLAIN, &test_dynamic },
	{ "dynamic exporter, static importer", MOCK_DYNAMIC, NULL },
	{ "dynamic exporter, dynamic importer", MOCK_DYNAMIC, &test_dynamic },
	{ "cached, static importer", MOCK_CACHED, NULL },
	{ "cached, dynamic importer", MOCK_CACHED, &test_dynamic },
};

KUNIT_ARRAY_PARAM_DESC(map, map_params, name);

static bool test_map_pins(const struct map_param *param)
{
	return param->exporter == MOCK_DYNAMIC &&
	       !(param->importer && IS_ENABLED(CONFIG_DMABUF_MOVE_NOTIFY));
}

static void test_map(struct kunit *test)
{
	const struct map_param *param = test->param_value;
	struct mock_exporter *mock = mock_exporter_create(test, param->exporter);
	struct dma_buf *dmabuf = mock_export(mock);
	struct dma_buf_attachment *attach;
	struct sg_table *sgt;

	attach = test_attach(test, dmabuf, param->importer);
	/* Nothing is mapped before it is asked for. */
	mock_expect_ops(mock, MOCK_ATTACH);

	dma_resv_lock(dmabuf->resv, NULL);
	sgt = dma_buf_map_attachment(attach, DMA_BIDIRECTIONAL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, sgt);
	KUNIT_EXPECT_EQ(test, sgt->nents, 1U);
	KUNIT_EXPECT_EQ(test, (u64)sg_dma_address(sgt->sgl),
			(u64)page_to_phys(mock->page));
	KUNIT_EXPECT_EQ(test, (size_t)sg_dma_len(sgt->sgl), PAGE_SIZE);
	if (IS_ENABLED(CONFIG_DMABUF_DEBUG))
		KUNIT_EXPECT_NULL(test, sg_page(sgt->sgl));
	if (test_map_pins(param))
		mock_expect_ops(mock, MOCK_PIN, MOCK_MAP);
	else
		mock_expect_ops(mock, MOCK_MAP);

	/* What the importer does to a debug copy is its own affair. */
	if (IS_ENABLED(CONFIG_DMABUF_DEBUG) && param->exporter != MOCK_CACHED)
		sg_dma_address(sgt->sgl) = 0;
	dma_buf_unmap_attachment(attach, sgt, DMA_BIDIRECTIONAL);
	if (param->exporter == MOCK_CACHED)
		mock_expect_ops(mock);
	else if (test_map_pins(param))
		mock_expect_ops(mock, MOCK_UNMAP, MOCK_UNPIN);
	else
		mock_expect_ops(mock, MOCK_UNMAP);
	dma_resv_unlock(dmabuf->resv);

	dma_buf_detach(dmabuf, attach);
	if (param->exporter == MOCK_CACHED)
		mock_expect_ops(mock, MOCK_UNMAP, MOCK_DETACH);
	else
		mock_expect_ops(mock, MOCK_DETACH);
	mock_put(mock, dmabuf);
}

static void test_map_unlocked(struct kunit *test)
{
	const struct map_param *param = test->param_value;
	struct mock_exporter *mock = mock_exporter_create(test, param->exporter);
	struct dma_buf *dmabuf = mock_export(mock);
	struct dma_buf_attachment *attach;
	struct sg_table *first, *second;

	attach = test_attach(test, dmabuf, param->importer);
	first = dma_buf_map_attachment_unlocked(attach, DMA_FROM_DEVICE);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, first);
	second = dma_buf_map_attachment_unlocked(attach, DMA_FROM_DEVICE);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, second);
	if (param->exporter == MOCK_CACHED)
		KUNIT_EXPECT_PTR_EQ(test, first, second);
	else
		KUNIT_EXPECT_PTR_NE(test, first, second);
	dma_buf_unmap_attachment_unlocked(attach, first, DMA_FROM_DEVICE);
	dma_buf_unmap_attachment_unlocked(attach, second, DMA_FROM_DEVICE);
	dma_buf_detach(dmabuf, attach);

	KUNIT_EXPECT_EQ(test, mock_count(mock, MOCK_MAP),
			mock_count(mock, MOCK_UNMAP));
	KUNIT_EXPECT_EQ(test, mock_count(mock, MOCK_PIN),
			mock_count(mock, MOCK_UNPIN));
	KUNIT_EXPECT_EQ(test, mock_count(mock, MOCK_MAP),
			param->exporter == MOCK_CACHED ? 1U : 2U);
	KUNIT_EXPECT_EQ(test, mock_count(mock, MOCK_PIN),
			test_map_pins(param) ? 2U : 0U);
	mock_put(mock, dmabuf);
}

static void test_map_failure(struct kunit *test)
{
	const struct map_param *param = test->param_value;
	struct mock_exporter *mock = mock_exporter_create(test, param->exporter);
	struct dma_buf *dmabuf = mock_export(mock);
	struct dma_buf_attachment *attach;
	struct sg_table *sgt;

	attach = test_attach(test, dmabuf, param->importer);
	mock->log_len = 0;

	mock->error[MOCK_MAP] = -EINTR;
	sgt = dma_buf_map_attachment_unlocked(attach, DMA_TO_DEVICE);
	KUNIT_EXPECT_EQ(test, PTR_ERR(sgt), -EINTR);
	if (test_map_pins(param))
		mock_expect_ops(mock, MOCK_PIN, MOCK_MAP, MOCK_UNPIN);
	else
		mock_expect_ops(mock, MOCK_MAP);

	mock->error[MOCK_MAP] = 0;
	mock->map_null = true;
	sgt = dma_buf_map_attachment_unlocked(attach, DMA_TO_DEVICE);
	KUNIT_EXPECT_EQ(test, PTR_ERR(sgt), -ENOMEM);
	mock->map_null = false;
	mock->log_len = 0;

	mock->error[MOCK_PIN] = -ENOSPC;
	sgt = dma_buf_map_attachment_unlocked(attach, DMA_TO_DEVICE);
	if (test_map_pins(param)) {
		KUNIT_EXPECT_EQ(test, PTR_ERR(sgt), -ENOSPC);
		mock_expect_ops(mock, MOCK_PIN);
		mock->error[MOCK_PIN] = 0;
		sgt = dma_buf_map_attachment_unlocked(attach, DMA_TO_DEVICE);
	}

	/* The failures have left nothing behind that disturbs a success. */
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, sgt);
	dma_buf_unmap_attachment_unlocked(attach, sgt, DMA_TO_DEVICE);
	dma_buf_detach(dmabuf, attach);
	mock_put(mock, dmabuf);
}

struct fence_param {
	const char *name;
	enum dma_resv_usage usage;
};

static const struct fence_param fence_params[] = {
	{ "kernel", DMA_RESV_USAGE_KERNEL },
	{ "write", DMA_RESV_USAGE_WRITE },
	{ "read", DMA_RESV_USAGE_READ },
	{ "bookkeep", DMA_RESV_USAGE_BOOKKEEP },
};

KUNIT_ARRAY_PARAM_DESC(fence, fence_params, name);

/* A static importer waits for what the kernel does, a dynamic one never. */
static void test_map_waits(struct kunit *test)
{
	const struct fence_param *param = test->param_value;
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_DYNAMIC);
	struct dma_buf *dmabuf = mock_export(mock);
	struct dma_fence *fence = mock_fence_create(test);
	struct dma_buf_attachment *fixed, *dynamic;
	struct sg_table *sgt;

	fixed = test_attach(test, dmabuf, NULL);
	dynamic = test_attach(test, dmabuf, &test_dynamic);
	mock_add_fence(dmabuf, fence, param->usage);
	mock->log_len = 0;

	mock_signal_begin();
	sgt = dma_buf_map_attachment_unlocked(dynamic, DMA_TO_DEVICE);
	KUNIT_EXPECT_NOT_ERR_OR_NULL(test, sgt);
	if (!IS_ERR(sgt))
		dma_buf_unmap_attachment_unlocked(dynamic, sgt, DMA_TO_DEVICE);
	mock->log_len = 0;

	sgt = dma_buf_map_attachment_unlocked(fixed, DMA_TO_DEVICE);
	mock_signal_end();
	if (param->usage == DMA_RESV_USAGE_KERNEL) {
		KUNIT_EXPECT_EQ(test, PTR_ERR(sgt), -ERESTARTSYS);
		mock_expect_ops(mock, MOCK_PIN, MOCK_MAP, MOCK_UNMAP,
				MOCK_UNPIN);
	} else {
		KUNIT_EXPECT_NOT_ERR_OR_NULL(test, sgt);
		if (!IS_ERR(sgt))
			dma_buf_unmap_attachment_unlocked(fixed, sgt,
							  DMA_TO_DEVICE);
	}

	dma_buf_detach(dmabuf, fixed);
	dma_buf_detach(dmabuf, dynamic);
	mock_put(mock, dmabuf);
}

/* Kept mappings are no exception. */
static void test_map_cached_waits(struct kunit *test)
{
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_CACHED);
	struct dma_buf *dmabuf = mock_export(mock);
	struct dma_buf_attachment *attach = test_attach(test, dmabuf, NULL);
	struct dma_fence *fence = mock_fence_create(test);
	struct sg_table *sgt, *again;

	sgt = dma_buf_map_attachment_unlocked(attach, DMA_TO_DEVICE);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, sgt);
	dma_buf_unmap_attachment_unlocked(attach, sgt, DMA_TO_DEVICE);

	mock_add_fence(dmabuf, fence, DMA_RESV_USAGE_KERNEL);
	mock_signal_begin();
	again = dma_buf_map_attachment_unlocked(attach, DMA_TO_DEVICE);
	mock_signal_end();
	KUNIT_EXPECT_EQ(test, PTR_ERR(again), -ERESTARTSYS);

	mock_fence_signal_later(fence, 20);
	again = dma_buf_map_attachment_unlocked(attach, DMA_TO_DEVICE);
	KUNIT_EXPECT_PTR_EQ(test, again, sgt);
	KUNIT_EXPECT_TRUE(test, dma_fence_is_signaled(fence));
	dma_buf_unmap_attachment_unlocked(attach, sgt, DMA_TO_DEVICE);
	dma_buf_detach(dmabuf, attach);
	mock_expect_ops(mock, MOCK_ATTACH, MOCK_MAP, MOCK_UNMAP, MOCK_DETACH);
	mock_put(mock, dmabuf);
}

/* The map hook itself may be what starts the move. */
static void test_map_waits_for_hook(struct kunit *test)
{
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_PLAIN);
	struct dma_buf *dmabuf = mock_export(mock);
	struct dma_buf_attachment *attach = test_attach(test, dmabuf, NULL);
	struct dma_fence *fence = mock_fence_create(test);
	struct sg_table *sgt;

	mock->fence = fence;
	mock_fence_signal_later(fence, 50);
	sgt = dma_buf_map_attachment_unlocked(attach, DMA_FROM_DEVICE);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, sgt);
	KUNIT_EXPECT_NULL(test, mock->fence);
	KUNIT_EXPECT_TRUE(test, dma_fence_is_signaled(fence));
	dma_buf_unmap_attachment_unlocked(attach, sgt, DMA_FROM_DEVICE);
	dma_buf_detach(dmabuf, attach);
	mock_put(mock, dmabuf);
}

static void test_map_cached_direction(struct kunit *test)
{
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_CACHED);
	struct dma_buf *dmabuf = mock_export(mock);
	struct dma_buf_attachment *attach = test_attach(test, dmabuf, NULL);
	struct sg_table *sgt, *other;

	sgt = dma_buf_map_attachment_unlocked(attach, DMA_TO_DEVICE);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, sgt);
	other = dma_buf_map_attachment_unlocked(attach, DMA_FROM_DEVICE);
	KUNIT_EXPECT_EQ(test, PTR_ERR(other), -EBUSY);
	other = dma_buf_map_attachment_unlocked(attach, DMA_BIDIRECTIONAL);
	KUNIT_EXPECT_EQ(test, PTR_ERR(other), -EBUSY);
	dma_buf_unmap_attachment_unlocked(attach, sgt, DMA_TO_DEVICE);
	/* Kept all the same. */
	other = dma_buf_map_attachment_unlocked(attach, DMA_FROM_DEVICE);
	KUNIT_EXPECT_EQ(test, PTR_ERR(other), -EBUSY);
	dma_buf_detach(dmabuf, attach);

	/* Both ways serves each. */
	attach = test_attach(test, dmabuf, NULL);
	sgt = dma_buf_map_attachment_unlocked(attach, DMA_BIDIRECTIONAL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, sgt);
	other = dma_buf_map_attachment_unlocked(attach, DMA_FROM_DEVICE);
	KUNIT_EXPECT_PTR_EQ(test, other, sgt);
	dma_buf_unmap_attachment_unlocked(attach, other, DMA_FROM_DEVICE);
	dma_buf_unmap_attachment_unlocked(attach, sgt, DMA_BIDIRECTIONAL);
	dma_buf_detach(dmabuf, attach);
	mock_put(mock, dmabuf);
}

static void test_map_wrong(struct kunit *test)
{
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_PLAIN);
	struct dma_buf *dmabuf = mock_export(mock);
	struct dma_buf_attachment *attach = test_attach(test, dmabuf, NULL);
	struct sg_table *sgt;

	mock->log_len = 0;
	expect_warning("WARNING: .* dma_buf_map_attachment");
	sgt = dma_buf_map_attachment_unlocked(attach, DMA_NONE);
	KUNIT_EXPECT_EQ(test, PTR_ERR(sgt), -EINVAL);
	sgt = dma_buf_map_attachment(NULL, DMA_TO_DEVICE);
	KUNIT_EXPECT_EQ(test, PTR_ERR(sgt), -EINVAL);
	expect_end();

	expect_warning("WARNING: .* dma_buf_map_attachment_unlocked");
	sgt = dma_buf_map_attachment_unlocked(NULL, DMA_TO_DEVICE);
	KUNIT_EXPECT_EQ(test, PTR_ERR(sgt), -EINVAL);
	expect_end();
	mock_expect_ops(mock);
	dma_buf_detach(dmabuf, attach);
	mock_put(mock, dmabuf);
}

static void test_unmap_wrong(struct kunit *test)
{
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_PLAIN);
	struct dma_buf *dmabuf = mock_export(mock);
	struct dma_buf_attachment *attach = test_attach(test, dmabuf, NULL);
	struct sg_table bogus = { };

	mock->log_len = 0;
	expect_warning("WARNING: .* dma_buf_unmap_attachment_unlocked");
	dma_buf_unmap_attachment_unlocked(NULL, &bogus, DMA_TO_DEVICE);
	dma_buf_unmap_attachment_unlocked(attach, NULL, DMA_TO_DEVICE);
	expect_end();

	expect_warning("WARNING: .* dma_buf_unmap_attachment");
	dma_buf_unmap_attachment(NULL, &bogus, DMA_TO_DEVICE);
	expect_end();

	/* One too many: the exporter does not hear of it. */
	expect_warning("WARNING: .* dma_buf_unmap_attachment");
	dma_buf_unmap_attachment_unlocked(attach, &bogus, DMA_TO_DEVICE);
	expect_end();
	mock_expect_ops(mock);
	dma_buf_detach(dmabuf, attach);
	mock_put(mock, dmabuf);
}

static void test_detach_mapped(struct kunit *test)
{
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_DYNAMIC);
	struct dma_buf *dmabuf = mock_export(mock);
	struct dma_buf_attachment *attach = test_attach(test, dmabuf, NULL);
	struct dma_buf_attachment *dynamic;
	struct sg_table *sgt, *moving;
	unsigned int told = 0;

	test->priv = &told;
	dynamic = test_attach(test, dmabuf, &test_dynamic);
	sgt = dma_buf_map_attachment_unlocked(attach, DMA_TO_DEVICE);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, sgt);
	moving = dma_buf_map_attachment_unlocked(dynamic, DMA_TO_DEVICE);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, moving);
	mock->log_len = 0;

	expect_warning("detaches with 1 live mappings");
	dma_buf_detach(dmabuf, attach);
	dma_buf_detach(dmabuf, dynamic);
	/* It cannot follow a move any more. */
	if (IS_ENABLED(CONFIG_DMABUF_MOVE_NOTIFY))
		mock_expect_ops(mock, MOCK_PIN);
	dma_buf_detach(dmabuf, dynamic);
	expect_end();
	mock_expect_ops(mock);
	KUNIT_EXPECT_FALSE(test, list_empty(&dmabuf->attachments));

	/* It thinks that it has gone, so it must not be called. */
	dma_resv_lock(dmabuf->resv, NULL);
	dma_buf_move_notify(dmabuf);
	dma_resv_unlock(dmabuf->resv);
	KUNIT_EXPECT_EQ(test, told, 0U);
	KUNIT_EXPECT_TRUE(test, dma_buf_attachment_is_dynamic(dynamic));

	/* They are still attached, so they can put things right. */
	dma_buf_unmap_attachment_unlocked(attach, sgt, DMA_TO_DEVICE);
	dma_buf_detach(dmabuf, attach);
	mock_expect_ops(mock, MOCK_UNMAP, MOCK_UNPIN, MOCK_DETACH);
	/* The other one's memory: kept where it is, with nobody else's help. */
	dma_buf_put(dmabuf);
	KUNIT_EXPECT_FALSE(test, mock_is_released(mock));
	dma_buf_unmap_attachment_unlocked(dynamic, moving, DMA_TO_DEVICE);
	dma_buf_detach(dmabuf, dynamic);
	mock_wait_released(mock);
	mock_expect_ops(mock, MOCK_UNMAP, MOCK_UNPIN, MOCK_DETACH,
			MOCK_RELEASE);
}

static void test_detach_pinned(struct kunit *test)
{
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_DYNAMIC);
	struct dma_buf *dmabuf = mock_export(mock);
	struct dma_buf_attachment *attach;

	attach = test_attach(test, dmabuf, &test_dynamic);
	dma_resv_lock(dmabuf->resv, NULL);
	KUNIT_EXPECT_EQ(test, 0, dma_buf_pin(attach));
	KUNIT_EXPECT_EQ(test, 0, dma_buf_pin(attach));
	dma_resv_unlock(dmabuf->resv);
	mock->log_len = 0;

	expect_warning("detaches with 2 pins");
	dma_buf_detach(dmabuf, attach);
	expect_end();
	mock_expect_ops(mock, MOCK_UNPIN, MOCK_UNPIN, MOCK_DETACH);
	KUNIT_EXPECT_TRUE(test, list_empty(&dmabuf->attachments));
	mock_put(mock, dmabuf);
}

/* Pins and moves */

static void test_pin(struct kunit *test)
{
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_DYNAMIC);
	struct dma_buf *dmabuf = mock_export(mock);
	struct dma_buf_attachment *attach;

	attach = test_attach(test, dmabuf, &test_dynamic);
	mock->log_len = 0;
	dma_resv_lock(dmabuf->resv, NULL);

	KUNIT_EXPECT_EQ(test, 0, dma_buf_pin(attach));
	KUNIT_EXPECT_EQ(test, 0, dma_buf_pin(attach));
	mock_expect_ops(mock, MOCK_PIN, MOCK_PIN);
	dma_buf_unpin(attach);
	dma_buf_unpin(attach);
	mock_expect_ops(mock, MOCK_UNPIN, MOCK_UNPIN);

	/* amdgpu ignores a failed pin, then unpins. */
	mock->error[MOCK_PIN] = -ENOMEM;
	KUNIT_EXPECT_EQ(test, -ENOMEM, dma_buf_pin(attach));
	mock_expect_ops(mock, MOCK_PIN);
	if (IS_ENABLED(CONFIG_DMABUF_DEBUG))
		expect_warning("unpins what it has not pinned");
	dma_buf_unpin(attach);
	if (IS_ENABLED(CONFIG_DMABUF_DEBUG))
		expect_end();
	mock_expect_ops(mock);

	dma_resv_unlock(dmabuf->resv);
	dma_buf_detach(dmabuf, attach);
	mock_put(mock, dmabuf);
}

static void test_pin_not_dynamic_exporter(struct kunit *test)
{
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_PLAIN);
	struct dma_buf *dmabuf = mock_export(mock);
	struct dma_buf_attachment *attach;

	attach = test_attach(test, dmabuf, &test_dynamic);
	mock->log_len = 0;
	dma_resv_lock(dmabuf->resv, NULL);
	KUNIT_EXPECT_EQ(test, 0, dma_buf_pin(attach));
	dma_buf_unpin(attach);
	dma_resv_unlock(dmabuf->resv);
	mock_expect_ops(mock);
	dma_buf_detach(dmabuf, attach);
	mock_put(mock, dmabuf);
}

static void test_pin_static_importer(struct kunit *test)
{
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_DYNAMIC);
	struct dma_buf *dmabuf = mock_export(mock);
	struct dma_buf_attachment *attach = test_attach(test, dmabuf, NULL);

	mock->log_len = 0;
	dma_resv_lock(dmabuf->resv, NULL);
	expect_warning("WARNING: .* dma_buf_pin");
	KUNIT_EXPECT_EQ(test, -EINVAL, dma_buf_pin(attach));
	expect_end();
	expect_warning("WARNING: .* dma_buf_unpin");
	dma_buf_unpin(attach);
	expect_end();
	dma_resv_unlock(dmabuf->resv);
	mock_expect_ops(mock);
	dma_buf_detach(dmabuf, attach);
	mock_put(mock, dmabuf);
}

static void test_move_notify_reaches(struct kunit *test)
{
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_DYNAMIC);
	struct dma_buf *dmabuf = mock_export(mock);
	struct dma_buf_attachment *attach[4];
	unsigned int told = 0;
	int i;

	test->priv = &told;
	attach[0] = test_attach(test, dmabuf, NULL);
	attach[1] = test_attach(test, dmabuf, &test_dynamic);
	attach[2] = test_attach(test, dmabuf, &test_deaf);
	attach[3] = test_attach(test, dmabuf, &test_dynamic);

	dma_resv_lock(dmabuf->resv, NULL);
	dma_buf_move_notify(dmabuf);
	KUNIT_EXPECT_EQ(test, told, 2U);
	dma_buf_invalidate_mappings(dmabuf);
	KUNIT_EXPECT_EQ(test, told, 4U);
	dma_resv_unlock(dmabuf->resv);

	for (i = 0; i < 4; i++)
		dma_buf_detach(dmabuf, attach[i]);
	mock_put(mock, dmabuf);
}

static void test_unmapping_notify(struct dma_buf_attachment *attach)
{
	struct sg_table **sgt = attach->importer_priv;

	dma_buf_unmap_attachment(attach, *sgt, DMA_TO_DEVICE);
	*sgt = NULL;
	dma_buf_unpin(attach);
}

static void test_move_notify_unmaps(struct kunit *test)
{
	static const struct dma_buf_attach_ops importer = {
		/* The name that it has in mainline. */
		.invalidate_mappings = test_unmapping_notify,
	};
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_DYNAMIC);
	struct dma_buf *dmabuf = mock_export(mock);
	struct dma_buf_attachment *attach;
	struct sg_table *sgt;

	attach = dma_buf_dynamic_attach(dmabuf, test_device(test), &importer,
					&sgt);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, attach);
	dma_resv_lock(dmabuf->resv, NULL);
	KUNIT_EXPECT_EQ(test, 0, dma_buf_pin(attach));
	sgt = dma_buf_map_attachment(attach, DMA_TO_DEVICE);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, sgt);
	dma_buf_move_notify(dmabuf);
	KUNIT_EXPECT_NULL(test, sgt);
	dma_resv_unlock(dmabuf->resv);

	KUNIT_EXPECT_EQ(test, mock_count(mock, MOCK_MAP), mock_count(mock, MOCK_UNMAP));
	KUNIT_EXPECT_EQ(test, mock_count(mock, MOCK_PIN), mock_count(mock, MOCK_UNPIN));
	dma_buf_detach(dmabuf, attach);
	mock_put(mock, dmabuf);
}

/* CPU access */

struct access_param {
	const char *name;
	enum dma_data_direction dir;
	enum dma_resv_usage usage;
	bool waits;
};

static const struct access_param access_params[] = {
	{ "read, kernel fence", DMA_FROM_DEVICE, DMA_RESV_USAGE_KERNEL, true },
	{ "read, write fence", DMA_FROM_DEVICE, DMA_RESV_USAGE_WRITE, true },
	{ "read, read fence", DMA_FROM_DEVICE, DMA_RESV_USAGE_READ, false },
	{ "read, bookkeep fence", DMA_FROM_DEVICE, DMA_RESV_USAGE_BOOKKEEP, false },
	{ "write, kernel fence", DMA_TO_DEVICE, DMA_RESV_USAGE_KERNEL, true },
	{ "write, write fence", DMA_TO_DEVICE, DMA_RESV_USAGE_WRITE, true },
	{ "write, read fence", DMA_TO_DEVICE, DMA_RESV_USAGE_READ, true },
	{ "write, bookkeep fence", DMA_TO_DEVICE, DMA_RESV_USAGE_BOOKKEEP, false },
	{ "both, kernel fence", DMA_BIDIRECTIONAL, DMA_RESV_USAGE_KERNEL, true },
	{ "both, write fence", DMA_BIDIRECTIONAL, DMA_RESV_USAGE_WRITE, true },
	{ "both, read fence", DMA_BIDIRECTIONAL, DMA_RESV_USAGE_READ, true },
	{ "both, bookkeep fence", DMA_BIDIRECTIONAL, DMA_RESV_USAGE_BOOKKEEP, false },
};

KUNIT_ARRAY_PARAM_DESC(access, access_params, name);

static void test_begin_waits(struct kunit *test)
{
	const struct access_param *param = test->param_value;
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_PLAIN);
	struct dma_buf *dmabuf = mock_export(mock);
	struct dma_fence *fence = mock_fence_create(test);
	int ret;

	mock_add_fence(dmabuf, fence, param->usage);
	mock_signal_begin();
	ret = dma_buf_begin_cpu_access(dmabuf, param->dir);
	mock_signal_end();

	if (!param->waits) {
		KUNIT_EXPECT_EQ(test, ret, 0);
		mock_expect_ops(mock, MOCK_BEGIN);
		KUNIT_EXPECT_EQ(test, 0, dma_buf_end_cpu_access(dmabuf, param->dir));
		mock_expect_ops(mock, MOCK_END);
		mock_put(mock, dmabuf);
		return;
	}

	/* Interrupted: nothing has begun. */
	KUNIT_EXPECT_EQ(test, ret, -ERESTARTSYS);
	mock_expect_ops(mock);

	/* The exporter makes the caches right after the DMA, not before. */
	mock->watch = fence;
	mock_fence_signal_later(fence, 20);
	KUNIT_EXPECT_EQ(test, 0, dma_buf_begin_cpu_access(dmabuf, param->dir));
	KUNIT_EXPECT_TRUE(test, mock->watch_signaled);
	KUNIT_EXPECT_EQ(test, 0, dma_buf_end_cpu_access(dmabuf, param->dir));
	mock_expect_ops(mock, MOCK_BEGIN, MOCK_END);
	mock_put(mock, dmabuf);
}

/* amdgpu and xe start a move in the hook. */
static void test_begin_waits_for_hook(struct kunit *test)
{
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_PLAIN);
	struct dma_buf *dmabuf = mock_export(mock);
	struct dma_fence *fence = mock_fence_create(test);
	int ret;

	mock->fence = fence;
	mock_signal_begin();
	ret = dma_buf_begin_cpu_access(dmabuf, DMA_FROM_DEVICE);
	mock_signal_end();
	KUNIT_EXPECT_EQ(test, ret, -ERESTARTSYS);
	mock_expect_ops(mock, MOCK_BEGIN, MOCK_END);
	mock_fence_signal(fence);

	fence = mock_fence_create(test);
	mock->fence = fence;
	mock_fence_signal_later(fence, 20);
	KUNIT_EXPECT_EQ(test, 0, dma_buf_begin_cpu_access(dmabuf, DMA_FROM_DEVICE));
	KUNIT_EXPECT_TRUE(test, dma_fence_is_signaled(fence));
	KUNIT_EXPECT_EQ(test, 0, dma_buf_end_cpu_access(dmabuf, DMA_FROM_DEVICE));
	mock_expect_ops(mock, MOCK_BEGIN, MOCK_END);
	mock_put(mock, dmabuf);
}

static void test_access_errors(struct kunit *test)
{
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_PLAIN);
	struct dma_buf *dmabuf = mock_export(mock);

	mock->error[MOCK_BEGIN] = -EIO;
	KUNIT_EXPECT_EQ(test, -EIO, dma_buf_begin_cpu_access(dmabuf, DMA_TO_DEVICE));
	mock_expect_ops(mock, MOCK_BEGIN);
	mock->error[MOCK_END] = -ENXIO;
	KUNIT_EXPECT_EQ(test, -ENXIO, dma_buf_end_cpu_access(dmabuf, DMA_TO_DEVICE));
	mock_expect_ops(mock, MOCK_END);
	mock_put(mock, dmabuf);
}

static void test_access_null(struct kunit *test)
{
	expect_warning("WARNING: .* dma_buf_begin_cpu_access");
	KUNIT_EXPECT_EQ(test, -EINVAL, dma_buf_begin_cpu_access(NULL, DMA_TO_DEVICE));
	expect_end();
	expect_warning("WARNING: .* dma_buf_end_cpu_access");
	KUNIT_EXPECT_EQ(test, -EINVAL, dma_buf_end_cpu_access(NULL, DMA_TO_DEVICE));
	expect_end();
}

/* Kernel maps */

static void test_vmap(struct kunit *test)
{
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_PLAIN);
	struct dma_buf *dmabuf = mock_export(mock);
	struct iosys_map first, second;

	dma_resv_lock(dmabuf->resv, NULL);
	KUNIT_EXPECT_EQ(test, 0, dma_buf_vmap(dmabuf, &first));
	dma_resv_unlock(dmabuf->resv);
	KUNIT_EXPECT_PTR_EQ(test, first.vaddr, page_address(mock->page));
	KUNIT_EXPECT_EQ(test, 0, dma_buf_vmap_unlocked(dmabuf, &second));
	KUNIT_EXPECT_TRUE(test, iosys_map_is_equal(&first, &second));
	mock_expect_ops(mock, MOCK_VMAP);

	dma_buf_vunmap_unlocked(dmabuf, &second);
	mock_expect_ops(mock);
	dma_resv_lock(dmabuf->resv, NULL);
	dma_buf_vunmap(dmabuf, &first);
	dma_resv_unlock(dmabuf->resv);
	mock_expect_ops(mock, MOCK_VUNMAP);

	/* And again from the start. */
	KUNIT_EXPECT_EQ(test, 0, dma_buf_vmap_unlocked(dmabuf, &first));
	dma_buf_vunmap_unlocked(dmabuf, &first);
	mock_expect_ops(mock, MOCK_VMAP, MOCK_VUNMAP);
	mock_put(mock, dmabuf);
}

static void test_vmap_failure(struct kunit *test)
{
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_PLAIN);
	struct mock_exporter *bare = mock_exporter_create(test, MOCK_BARE);
	struct dma_buf *dmabuf = mock_export(mock);
	struct dma_buf *without = mock_export(bare);
	struct iosys_map map = IOSYS_MAP_INIT_VADDR(test);

	KUNIT_EXPECT_EQ(test, -EINVAL, dma_buf_vmap_unlocked(without, &map));
	KUNIT_EXPECT_TRUE(test, iosys_map_is_null(&map));

	/* Without a warning: this happens on a machine that is short of memory. */
	iosys_map_set_vaddr(&map, test);
	mock->error[MOCK_VMAP] = -ENOMEM;
	KUNIT_EXPECT_EQ(test, -ENOMEM, dma_buf_vmap_unlocked(dmabuf, &map));
	KUNIT_EXPECT_TRUE(test, iosys_map_is_null(&map));
	mock_expect_ops(mock, MOCK_VMAP);

	mock->error[MOCK_VMAP] = 0;
	KUNIT_EXPECT_EQ(test, 0, dma_buf_vmap_unlocked(dmabuf, &map));
	dma_buf_vunmap_unlocked(dmabuf, &map);
	mock_expect_ops(mock, MOCK_VMAP, MOCK_VUNMAP);
	mock_put(mock, dmabuf);
	mock_put(bare, without);
}

static void test_vunmap_wrong(struct kunit *test)
{
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_PLAIN);
	struct dma_buf *dmabuf = mock_export(mock);
	struct iosys_map map, wrong = IOSYS_MAP_INIT_VADDR(test);

	KUNIT_EXPECT_EQ(test, 0, dma_buf_vmap_unlocked(dmabuf, &map));
	expect_warning("WARNING: .* dma_buf_vunmap");
	dma_buf_vunmap_unlocked(dmabuf, &wrong);
	expect_end();
	mock_expect_ops(mock, MOCK_VMAP);
	dma_buf_vunmap_unlocked(dmabuf, &map);
	/* One too many. */
	dma_buf_vunmap_unlocked(dmabuf, &map);
	mock_expect_ops(mock, MOCK_VUNMAP);
	mock_put(mock, dmabuf);
}

static void test_vmap_null(struct kunit *test)
{
	struct iosys_map map = IOSYS_MAP_INIT_VADDR(test);

	expect_warning("WARNING: .* dma_buf_vmap_unlocked");
	KUNIT_EXPECT_EQ(test, -EINVAL, dma_buf_vmap_unlocked(NULL, &map));
	expect_end();
	KUNIT_EXPECT_TRUE(test, iosys_map_is_null(&map));
	iosys_map_set_vaddr(&map, test);
	expect_warning("WARNING: .* dma_buf_vmap");
	KUNIT_EXPECT_EQ(test, -EINVAL, dma_buf_vmap(NULL, &map));
	expect_end();
	KUNIT_EXPECT_TRUE(test, iosys_map_is_null(&map));
	expect_warning("WARNING: .* dma_buf_vunmap_unlocked");
	dma_buf_vunmap_unlocked(NULL, &map);
	expect_end();
	expect_warning("WARNING: .* dma_buf_vunmap");
	dma_buf_vunmap(NULL, &map);
	expect_end();
}

static void test_release_forgotten_vmap(struct kunit *test)
{
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_PLAIN);
	struct dma_buf *dmabuf = mock_export(mock);
	struct inode *inode = file_inode(dmabuf->file);
	struct iosys_map map;

	KUNIT_EXPECT_EQ(test, 0, dma_buf_vmap_unlocked(dmabuf, &map));
	/* The warning came with the forgotten attachment, once per boot. */
	dma_buf_put(dmabuf);
	KUNIT_EXPECT_FALSE(test, mock_is_released(mock));
	dma_buf_vunmap_unlocked(dmabuf, &map);
	mock_expect_ops(mock, MOCK_VMAP, MOCK_VUNMAP);
	iput(inode);
	module_put(THIS_MODULE);
}

/* Maps of processes */

struct mmap_param {
	const char *name;
	size_t size;
	unsigned int pages;
	unsigned long pgoff;
	int ret;
};

static const struct mmap_param mmap_params[] = {
	{ "all of it", 4 * PAGE_SIZE, 4, 0, 0 },
	{ "its end", 4 * PAGE_SIZE, 1, 3, 0 },
	{ "one page too many", 4 * PAGE_SIZE, 5, 0, -EINVAL },
	{ "beyond its end", 4 * PAGE_SIZE, 1, 4, -EINVAL },
	{ "across its end", 4 * PAGE_SIZE, 2, 3, -EINVAL },
	{ "part of a page", 4 * PAGE_SIZE - 1, 4, 0, -EINVAL },
	{ "whole pages", 4 * PAGE_SIZE - 1, 3, 0, 0 },
	{ "less than a page", 1, 1, 0, -EINVAL },
	{ "wrapping", 4 * PAGE_SIZE, 2, ULONG_MAX, -EOVERFLOW },
	{ "not quite wrapping", 4 * PAGE_SIZE, 1, ULONG_MAX - 1, -EINVAL },
};

KUNIT_ARRAY_PARAM_DESC(mmap, mmap_params, name);

/* An importer whose own mmap shows the buffer at a place of its choice. */
struct test_importer {
	struct dma_buf *dmabuf;
	unsigned long pgoff;
	int ret;
};

static int test_importer_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct test_importer *importer = file->private_data;

	importer->ret = dma_buf_mmap(importer->dmabuf, vma, importer->pgoff);
	return importer->ret;
}

static const struct file_operations test_importer_fops = {
	.mmap = test_importer_mmap,
};

static void test_fput(void *file)
{
	fput(file);
}

static struct file *test_importer_file(struct kunit *test,
				       struct test_importer *importer)
{
	struct file *file;

	file = anon_inode_getfile("importer", &test_importer_fops, importer,
				  O_RDWR);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, file);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, test_fput, file));
	return file;
}

static unsigned long test_map_file(struct kunit *test, struct file *file,
				   unsigned int pages)
{
	return kunit_vm_mmap(test, file, 0, pages * PAGE_SIZE,
			     PROT_READ | PROT_WRITE, MAP_SHARED, 0);
}

static void test_mmap_bounds(struct kunit *test)
{
	const struct mmap_param *param = test->param_value;
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_PLAIN);
	struct test_importer importer = { .pgoff = param->pgoff, .ret = 1 };
	struct dma_buf *dmabuf;
	struct file *file;
	unsigned long addr;

	mock->size = param->size;
	dmabuf = mock_export(mock);
	importer.dmabuf = dmabuf;
	file = test_importer_file(test, &importer);

	addr = test_map_file(test, file, param->pages);
	KUNIT_EXPECT_EQ(test, importer.ret, param->ret);
	if (param->ret) {
		mock_expect_ops(mock);
		mock_put(mock, dmabuf);
		return;
	}

	KUNIT_ASSERT_FALSE(test, IS_ERR_VALUE(addr));
	mock_expect_ops(mock, MOCK_MMAP);
	/* The map keeps the buffer. */
	KUNIT_EXPECT_EQ(test, file_count(dmabuf->file), 2);
	dma_buf_put(dmabuf);
	KUNIT_EXPECT_FALSE(test, mock_is_released(mock));
	KUNIT_EXPECT_EQ(test, 0, vm_munmap(addr, param->pages * PAGE_SIZE));
	mock_wait_released(mock);
}

static void test_mmap_dontexpand(struct kunit *test)
{
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_PLAIN);
	struct dma_buf *dmabuf = mock_export(mock);
	struct vm_area_struct *vma;
	unsigned long addr;

	addr = test_map_file(test, dmabuf->file, 1);
	KUNIT_ASSERT_FALSE(test, IS_ERR_VALUE(addr));
	mmap_read_lock(current->mm);
	vma = find_vma(current->mm, addr);
	KUNIT_EXPECT_NOT_NULL(test, vma);
	if (vma) {
		KUNIT_EXPECT_PTR_EQ(test, vma->vm_file, dmabuf->file);
		KUNIT_EXPECT_TRUE(test, vma->vm_flags & VM_DONTEXPAND);
	}
	mmap_read_unlock(current->mm);
	KUNIT_EXPECT_EQ(test, 0, vm_munmap(addr, PAGE_SIZE));
	mock_put(mock, dmabuf);
}

/* i915 puts another file behind the map: its flags are then its own. */
static void test_mmap_file_swapped(struct kunit *test)
{
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_PLAIN);
	struct test_importer importer = { };
	struct dma_buf *dmabuf = mock_export(mock);
	struct vm_area_struct *vma;
	unsigned long addr;

	mock->mmap_file = test_importer_file(test, &importer);
	addr = test_map_file(test, dmabuf->file, 1);
	KUNIT_ASSERT_FALSE(test, IS_ERR_VALUE(addr));
	mmap_read_lock(current->mm);
	vma = find_vma(current->mm, addr);
	KUNIT_EXPECT_NOT_NULL(test, vma);
	if (vma) {
		KUNIT_EXPECT_PTR_EQ(test, vma->vm_file, mock->mmap_file);
		KUNIT_EXPECT_FALSE(test, vma->vm_flags & VM_DONTEXPAND);
	}
	mmap_read_unlock(current->mm);
	KUNIT_EXPECT_EQ(test, 0, vm_munmap(addr, PAGE_SIZE));
	mock_put(mock, dmabuf);
}

static void test_mmap_no_hook(struct kunit *test)
{
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_BARE);
	struct dma_buf *dmabuf = mock_export(mock);
	struct test_importer importer = { .dmabuf = dmabuf, .ret = 1 };
	struct file *file = test_importer_file(test, &importer);

	KUNIT_EXPECT_TRUE(test, IS_ERR_VALUE(test_map_file(test, file, 1)));
	KUNIT_EXPECT_EQ(test, importer.ret, -EINVAL);
	KUNIT_EXPECT_TRUE(test, IS_ERR_VALUE(test_map_file(test, dmabuf->file, 1)));
	mock_put(mock, dmabuf);
}

static void test_mmap_hook_fails(struct kunit *test)
{
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_PLAIN);
	struct dma_buf *dmabuf = mock_export(mock);
	struct test_importer importer = { .dmabuf = dmabuf, .ret = 1 };
	struct file *file = test_importer_file(test, &importer);

	mock->error[MOCK_MMAP] = -EACCES;
	KUNIT_EXPECT_TRUE(test, IS_ERR_VALUE(test_map_file(test, file, 1)));
	KUNIT_EXPECT_EQ(test, importer.ret, -EACCES);
	flush_delayed_fput();
	KUNIT_EXPECT_EQ(test, file_count(dmabuf->file), 1);
	KUNIT_EXPECT_EQ(test, file_count(file), 1);
	mock_put(mock, dmabuf);
}

static void test_mmap_null(struct kunit *test)
{
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_PLAIN);
	struct dma_buf *dmabuf = mock_export(mock);

	expect_warning("WARNING: .* dma_buf_mmap");
	KUNIT_EXPECT_EQ(test, -EINVAL, dma_buf_mmap(NULL, NULL, 0));
	KUNIT_EXPECT_EQ(test, -EINVAL, dma_buf_mmap(dmabuf, NULL, 0));
	expect_end();
	mock_put(mock, dmabuf);
}

/* Poll */

#define EV_IN	(EPOLLIN | EPOLLRDNORM)
#define EV_OUT	(EPOLLOUT | EPOLLWRNORM)

#define expect_poll(test, poller, dmabuf, events)			\
	KUNIT_EXPECT_EQ(test, (__force u32)mock_poll(poller, dmabuf),	\
			(__force u32)(events))

static void test_poll_idle(struct kunit *test)
{
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_PLAIN);
	struct dma_buf *dmabuf = mock_export(mock);
	struct mock_poller *poller = mock_poller_create(test, EV_IN | EV_OUT);
	int i;

	for (i = 0; i < 10; i++)
		expect_poll(test, poller, dmabuf, EV_IN | EV_OUT);
	/* Nobody was woken, itself included. */
	KUNIT_EXPECT_EQ(test, atomic_read(&poller->wakeups), 0);
	/* Even if ready it has to queue: epoll does that just once. */
	KUNIT_EXPECT_NOT_NULL(test, poller->head);
	mock_poller_leave(poller);
	mock_put(mock, dmabuf);
}

struct poll_param {
	const char *name;
	enum dma_resv_usage usage;
	__poll_t asked;
	__poll_t ready;
};

static const struct poll_param poll_params[] = {
	{ "kernel fence, in", DMA_RESV_USAGE_KERNEL, EPOLLIN, 0 },
	{ "kernel fence, out", DMA_RESV_USAGE_KERNEL, EPOLLOUT, 0 },
	{ "write fence, in", DMA_RESV_USAGE_WRITE, EPOLLIN, 0 },
	{ "write fence, out", DMA_RESV_USAGE_WRITE, EPOLLOUT, 0 },
	{ "write fence, both", DMA_RESV_USAGE_WRITE, EPOLLIN | EPOLLOUT, 0 },
	{ "write fence, rdnorm", DMA_RESV_USAGE_WRITE, EPOLLRDNORM, 0 },
	{ "write fence, wrnorm", DMA_RESV_USAGE_WRITE, EPOLLWRNORM, 0 },
	{ "read fence, in", DMA_RESV_USAGE_READ, EPOLLIN, EPOLLIN },
	{ "read fence, out", DMA_RESV_USAGE_READ, EPOLLOUT, 0 },
	{ "read fence, both", DMA_RESV_USAGE_READ, EPOLLIN | EPOLLOUT, EPOLLIN },
	{ "read fence, rdnorm", DMA_RESV_USAGE_READ, EPOLLRDNORM, EPOLLRDNORM },
	{ "bookkeep fence, in", DMA_RESV_USAGE_BOOKKEEP, EPOLLIN, EPOLLIN },
	{ "bookkeep fence, out", DMA_RESV_USAGE_BOOKKEEP, EPOLLOUT, EPOLLOUT },
	{ "write fence, other events", DMA_RESV_USAGE_WRITE, EPOLLPRI, 0 },
};

KUNIT_ARRAY_PARAM_DESC(poll, poll_params, name);

static void test_poll_fence(struct kunit *test)
{
	const struct poll_param *param = test->param_value;
	const __poll_t ours = EV_IN | EV_OUT;
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_PLAIN);
	struct dma_buf *dmabuf = mock_export(mock);
	struct mock_poller *poller = mock_poller_create(test, param->asked);
	struct dma_fence *fence = mock_fence_create(test);
	bool waits = param->asked & ours & ~param->ready;
	int wakeups;

	mock_add_fence(dmabuf, fence, param->usage);
	expect_poll(test, poller, dmabuf, param->ready);
	/* Looking again arms no second callback. */
	expect_poll(test, poller, dmabuf, param->ready);
	KUNIT_EXPECT_EQ(test, atomic_read(&poller->wakeups), 0);

	mock_fence_signal(fence);
	wakeups = atomic_read(&poller->wakeups);
	if (waits) {
		KUNIT_EXPECT_GE(test, wakeups, 1);
		KUNIT_EXPECT_LE(test, wakeups, 2);
	} else {
		KUNIT_EXPECT_EQ(test, wakeups, 0);
	}
	expect_poll(test, poller, dmabuf, param->asked & ours);
	KUNIT_EXPECT_EQ(test, atomic_read(&poller->wakeups), wakeups);
	mock_poller_leave(poller);
	mock_put(mock, dmabuf);
}

static void test_poll_signaled(struct kunit *test)
{
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_PLAIN);
	struct dma_buf *dmabuf = mock_export(mock);
	struct mock_poller *poller = mock_poller_create(test, EPOLLIN);
	struct dma_fence *fence = mock_fence_create(test);

	mock_add_fence(dmabuf, fence, DMA_RESV_USAGE_WRITE);
	mock_fence_signal(fence);
	expect_poll(test, poller, dmabuf, EPOLLIN);
	KUNIT_EXPECT_EQ(test, atomic_read(&poller->wakeups), 0);
	mock_poller_leave(poller);
	mock_put(mock, dmabuf);
}

/* Woken when the direction is ready, not for each fence on the way. */
static void test_poll_many_fences(struct kunit *test)
{
	enum { COUNT = 8 };
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_PLAIN);
	struct dma_buf *dmabuf = mock_export(mock);
	struct mock_poller *poller = mock_poller_create(test, EPOLLIN);
	struct dma_fence *fence[COUNT];
	int i;

	for (i = 0; i < COUNT; i++) {
		fence[i] = mock_fence_create(test);
		mock_add_fence(dmabuf, fence[i], DMA_RESV_USAGE_WRITE);
	}
	expect_poll(test, poller, dmabuf, 0);
	/* In an order of their own. */
	for (i = 0; i < COUNT; i++) {
		KUNIT_EXPECT_EQ(test, atomic_read(&poller->wakeups), 0);
		mock_fence_signal(fence[(i * 3) % COUNT]);
	}
	KUNIT_EXPECT_EQ(test, atomic_read(&poller->wakeups), 1);
	expect_poll(test, poller, dmabuf, EPOLLIN);
	mock_poller_leave(poller);
	mock_put(mock, dmabuf);
}

/* Work that was added meanwhile is waited for after the next look. */
static void test_poll_later_fence(struct kunit *test)
{
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_PLAIN);
	struct dma_buf *dmabuf = mock_export(mock);
	struct mock_poller *first = mock_poller_create(test, EPOLLIN);
	struct mock_poller *second = mock_poller_create(test, EPOLLIN);
	struct dma_fence *a = mock_fence_create(test);
	struct dma_fence *b = mock_fence_create(test);

	mock_add_fence(dmabuf, a, DMA_RESV_USAGE_WRITE);
	expect_poll(test, first, dmabuf, 0);
	mock_add_fence(dmabuf, b, DMA_RESV_USAGE_WRITE);
	expect_poll(test, second, dmabuf, 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&first->wakeups), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&second->wakeups), 0);

	/* What the first one was promised. But b is pending, so nothing is ready. */
	mock_fence_signal(a);
	KUNIT_EXPECT_EQ(test, (__force u32)first->claimed, 0U);
	KUNIT_EXPECT_EQ(test, (__force u32)second->claimed, 0U);
	KUNIT_EXPECT_EQ(test, atomic_read(&first->wakeups), 1);
	KUNIT_EXPECT_EQ(test, atomic_read(&second->wakeups), 1);
	expect_poll(test, first, dmabuf, 0);
	expect_poll(test, second, dmabuf, 0);
	mock_fence_signal(b);
	KUNIT_EXPECT_EQ(test, atomic_read(&first->wakeups), 2);
	KUNIT_EXPECT_EQ(test, atomic_read(&second->wakeups), 2);
	expect_poll(test, second, dmabuf, EPOLLIN);
	mock_poller_leave(first);
	mock_poller_leave(second);
	mock_put(mock, dmabuf);
}

/*
 * A fence that leaves the reservation unsignaled must not hold up those who poll
 * later, nor these the one who polled before.
 */
static void test_poll_replaced_fence(struct kunit *test)
{
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_PLAIN);
	struct dma_buf *dmabuf = mock_export(mock);
	struct mock_poller *first = mock_poller_create(test, EPOLLIN);
	struct mock_poller *second = mock_poller_create(test, EPOLLIN);
	struct dma_fence *stuck = mock_fence_create(test);
	struct dma_fence *next = mock_fence_create(test);

	mock_add_fence(dmabuf, stuck, DMA_RESV_USAGE_WRITE);
	expect_poll(test, first, dmabuf, 0);

	dma_resv_lock(dmabuf->resv, NULL);
	dma_resv_replace_fences(dmabuf->resv, stuck->context, next,
				DMA_RESV_USAGE_WRITE);
	dma_resv_unlock(dmabuf->resv);
	expect_poll(test, second, dmabuf, 0);
	/* What the first relied on was taken away: it is told to look again. */
	KUNIT_EXPECT_EQ(test, atomic_read(&first->wakeups), 1);
	KUNIT_EXPECT_EQ(test, (__force u32)first->claimed, 0U);
	expect_poll(test, first, dmabuf, 0);
	expect_poll(test, second, dmabuf, 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&first->wakeups), 1);

	mock_fence_signal(next);
	KUNIT_EXPECT_EQ(test, atomic_read(&first->wakeups), 2);
	expect_poll(test, first, dmabuf, EPOLLIN);
	expect_poll(test, second, dmabuf, EPOLLIN);
	mock_poller_leave(first);
	mock_poller_leave(second);
	mock_put(mock, dmabuf);
}

/* The same with a fence among others, and one that supersedes its elder. */
static void test_poll_superseded_fence(struct kunit *test)
{
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_PLAIN);
	struct dma_buf *dmabuf = mock_export(mock);
	struct mock_poller *poller = mock_poller_create(test, EPOLLOUT);
	struct dma_fence *other = mock_fence_create(test);
	struct dma_fence *elder = mock_fence_create(test);
	struct dma_fence *next = mock_fence_next(elder);

	mock_add_fence(dmabuf, elder, DMA_RESV_USAGE_READ);
	mock_add_fence(dmabuf, other, DMA_RESV_USAGE_READ);
	expect_poll(test, poller, dmabuf, 0);
	mock_add_fence(dmabuf, next, DMA_RESV_USAGE_READ);
	expect_poll(test, poller, dmabuf, 0);
	mock_fence_signal(other);
	expect_poll(test, poller, dmabuf, 0);
	atomic_set(&poller->wakeups, 0);
	mock_fence_signal(next);
	KUNIT_EXPECT_EQ(test, atomic_read(&poller->wakeups), 1);
	expect_poll(test, poller, dmabuf, EPOLLOUT);
	mock_poller_leave(poller);
	mock_put(mock, dmabuf);
}

/* A fence that never signals does not keep a closed buffer. */
static void test_poll_armed_release(struct kunit *test)
{
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_PLAIN);
	struct dma_buf *dmabuf = mock_export(mock);
	struct mock_poller *poller = mock_poller_create(test, EV_IN | EV_OUT);
	struct dma_fence *fence = mock_fence_create(test);
	struct dma_fence *other = mock_fence_create(test);

	mock_add_fence(dmabuf, fence, DMA_RESV_USAGE_WRITE);
	mock_add_fence(dmabuf, other, DMA_RESV_USAGE_READ);
	expect_poll(test, poller, dmabuf, 0);
	mock_poller_leave(poller);
	mock_put(mock, dmabuf);

	/* Whose buffer is gone. */
	mock_fence_signal(fence);
	mock_fence_signal(other);
	KUNIT_EXPECT_EQ(test, atomic_read(&poller->wakeups), 0);
	KUNIT_EXPECT_EQ(test, kref_read(&fence->refcount), 1U);
	KUNIT_EXPECT_EQ(test, kref_read(&other->refcount), 1U);
}

/* A fence whose signaler holds no reference, when the others are gone already. */
static void test_poll_last_reference(struct kunit *test)
{
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_PLAIN);
	struct dma_buf *dmabuf = mock_export(mock);
	struct mock_poller *poller = mock_poller_create(test, EV_IN);
	struct dma_fence *fence = mock_fence_create_loose(test);
	struct dma_fence *stub = dma_fence_get_stub();

	mock_add_fence(dmabuf, fence, DMA_RESV_USAGE_WRITE);
	expect_poll(test, poller, dmabuf, 0);
	dma_resv_lock(dmabuf->resv, NULL);
	dma_resv_replace_fences(dmabuf->resv, fence->context, stub,
				DMA_RESV_USAGE_WRITE);
	dma_resv_unlock(dmabuf->resv);
	dma_fence_put(stub);

	/* Its release hook frees the lock that it is signaled under. */
	mock_fence_signal_unheld(fence);
	KUNIT_EXPECT_EQ(test, atomic_read(&poller->wakeups), 1);
	expect_poll(test, poller, dmabuf, EV_IN);
	mock_poller_leave(poller);
	mock_put(mock, dmabuf);
	mock_fence_loose_wait(test);
}

/* The last reference goes while the fence signals on another CPU. */
static void test_poll_release_race(struct kunit *test)
{
	enum { ROUNDS = 300 };
	int i;

	for (i = 0; i < ROUNDS; i++) {
		struct mock_exporter *mock = mock_exporter_create(test, MOCK_BARE);
		struct mock_poller *poller = mock_poller_create(test, EV_IN);
		struct dma_fence *fence = mock_fence_create_loose(test);
		struct dma_fence *other = mock_fence_create_loose(test);
		struct dma_buf *dmabuf = mock_export(mock);

		mock_add_fence(dmabuf, fence, DMA_RESV_USAGE_WRITE);
		if (i & 1)
			mock_add_fence(dmabuf, other, DMA_RESV_USAGE_WRITE);
		mock_poll(poller, dmabuf);
		mock_poller_leave(poller);
		mock_fence_signal_later(fence, 0);
		mock_fence_signal_later(other, 0);
		if (i & 2)
			udelay(i % 50);
		dma_buf_put(dmabuf);
		flush_delayed_fput();
		mock_wait_released(mock);
	}
	mock_fence_loose_wait(test);
}

/* Pollers and signals from all sides: each poller gets to the end. */
struct test_race {
	struct dma_buf *dmabuf;
	struct mock_poller *poller;
	struct completion done;
	bool stop;
};

static int test_poll_thread(void *data)
{
	struct test_race *race = data;

	while (!READ_ONCE(race->stop)) {
		mock_poll(race->poller, race->dmabuf);
		cond_resched();
	}
	complete(&race->done);
	return 0;
}

static void test_poll_race(struct kunit *test)
{
	enum { ROUNDS = 300 };
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_PLAIN);
	struct mock_poller *poller = mock_poller_create(test, EV_IN | EV_OUT);
	struct test_race race = { };
	struct task_struct *task;
	int i, tries, lost = 0;

	init_completion(&race.done);
	race.dmabuf = mock_export(mock);
	race.poller = mock_poller_create(test, EV_IN | EV_OUT);
	task = kthread_run(test_poll_thread, &race, "dma-buf-poll");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, task);

	for (i = 0; i < ROUNDS && !lost; i++) {
		struct dma_fence *fence = mock_fence_create(test);

		mock_add_fence(race.dmabuf, fence, i & 1 ?
			       DMA_RESV_USAGE_WRITE : DMA_RESV_USAGE_READ);
		mock_fence_signal_later(fence, 0);
		atomic_set(&poller->wakeups, 0);
		if (mock_poll(poller, race.dmabuf) & EPOLLOUT)
			continue;
		/* Not ready, so the wake-up is still to come. */
		for (tries = 0; tries < 1000; tries++) {
			if (atomic_read(&poller->wakeups))
				break;
			usleep_range(100, 10000);
		}
		lost += tries == 1000;
	}
	KUNIT_EXPECT_EQ(test, lost, 0);

	WRITE_ONCE(race.stop, true);
	wait_for_completion(&race.done);
	mock_poller_leave(race.poller);
	mock_poller_leave(poller);
	mock_put(mock, race.dmabuf);
}

/* The registry */

static void test_iter(struct kunit *test)
{
	enum { COUNT = 40 };
	struct mock_exporter *mock[COUNT];
	struct dma_buf *dmabuf[COUNT], *found;
	unsigned int seen[COUNT] = { };
	int i;

	for (i = 0; i < COUNT; i++) {
		mock[i] = mock_exporter_create(test, MOCK_BARE);
		dmabuf[i] = mock_export(mock[i]);
	}
	/* One that is gone, and must not be found. */
	mock_put(mock[COUNT / 2], dmabuf[COUNT / 2]);

	for (found = dma_buf_iter_begin(); found;
	     found = dma_buf_iter_next(found)) {
		KUNIT_EXPECT_GE(test, file_count(found->file), 1);
		for (i = 0; i < COUNT; i++)
			seen[i] += found == dmabuf[i] && i != COUNT / 2;
	}
	for (i = 0; i < COUNT; i++) {
		KUNIT_EXPECT_EQ(test, seen[i], i == COUNT / 2 ? 0U : 1U);
		if (i == COUNT / 2)
			continue;
		KUNIT_EXPECT_EQ(test, file_count(dmabuf[i]->file), 1);
		mock_put(mock[i], dmabuf[i]);
	}
}

static void test_iter_stopped(struct kunit *test)
{
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_BARE);
	struct dma_buf *dmabuf = mock_export(mock);
	struct dma_buf *found = dma_buf_iter_begin();

	KUNIT_ASSERT_NOT_NULL(test, found);
	dma_buf_put(found);
	mock_put(mock, dmabuf);
}

static void test_iter_null(struct kunit *test)
{
	expect_warning("WARNING: .* dma_buf_iter_next");
	KUNIT_EXPECT_NULL(test, dma_buf_iter_next(NULL));
	expect_end();
}

/* A step holds on to its buffer even if everybody else lets go. */
static void test_iter_holds(struct kunit *test)
{
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_BARE);
	struct dma_buf *dmabuf = mock_export(mock);
	struct dma_buf *found;

	for (found = dma_buf_iter_begin(); found && found != dmabuf;)
		found = dma_buf_iter_next(found);
	KUNIT_ASSERT_PTR_EQ(test, found, dmabuf);
	dma_buf_put(dmabuf);
	KUNIT_EXPECT_FALSE(test, mock_is_released(mock));
	while (found)
		found = dma_buf_iter_next(found);
	mock_wait_released(mock);
}

struct test_churn {
	struct kunit *test;
	struct completion done;
	bool stop;
};

static int test_churn_thread(void *data)
{
	struct test_churn *churn = data;

	while (!READ_ONCE(churn->stop)) {
		DEFINE_DMA_BUF_EXPORT_INFO(info);
		struct mock_exporter *mock;
		struct dma_buf *dmabuf;

		mock = kzalloc(sizeof(*mock), GFP_KERNEL);
		if (!mock)
			break;
		mock->test = churn->test;
		mock->size = PAGE_SIZE;
		init_completion(&mock->released);
		mock->ops = ((struct mock_exporter *)churn->test->priv)->ops;
		info.ops = &mock->ops;
		info.size = PAGE_SIZE;
		info.priv = mock;
		dmabuf = dma_buf_export(&info);
		if (!IS_ERR(dmabuf)) {
			dma_buf_put(dmabuf);
			flush_delayed_fput();
			/* Not the test's thread, so this must not fail the test. */
			if (!wait_for_completion_timeout(&mock->released,
							 10 * HZ))
				break;
		}
		kfree(mock);
		cond_resched();
	}
	complete(&churn->done);
	return 0;
}

static void test_iter_concurrent(struct kunit *test)
{
	enum { COUNT = 30, ROUNDS = 100 };
	struct mock_exporter *mock[COUNT];
	struct dma_buf *dmabuf[COUNT], *found;
	struct test_churn churn = { .test = test };
	struct task_struct *task;
	int i, round;

	test->priv = mock_exporter_create(test, MOCK_BARE);
	init_completion(&churn.done);
	for (i = 0; i < COUNT; i++) {
		mock[i] = mock_exporter_create(test, MOCK_BARE);
		dmabuf[i] = mock_export(mock[i]);
	}
	task = kthread_run(test_churn_thread, &churn, "dma-buf-churn");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, task);

	for (round = 0; round < ROUNDS; round++) {
		unsigned int seen[COUNT] = { };

		for (found = dma_buf_iter_begin(); found;
		     found = dma_buf_iter_next(found)) {
			for (i = 0; i < COUNT; i++)
				seen[i] += found == dmabuf[i];
			cond_resched();
		}
		for (i = 0; i < COUNT; i++)
			KUNIT_EXPECT_EQ(test, seen[i], 1U);
	}

	WRITE_ONCE(churn.stop, true);
	wait_for_completion(&churn.done);
	for (i = 0; i < COUNT; i++)
		mock_put(mock[i], dmabuf[i]);
}

static struct kunit_case dma_buf_test_cases[] = {
	KUNIT_CASE(test_export),
	KUNIT_CASE(test_export_bare),
	KUNIT_CASE(test_export_needs_arguments),
	KUNIT_CASE(test_export_needs_hooks),
	KUNIT_CASE(test_export_pin_rules),
	KUNIT_CASE_PARAM(test_export_size, size_gen_params),
	KUNIT_CASE(test_export_flags),
	KUNIT_CASE(test_export_owner),
	KUNIT_CASE(test_export_resv),
	KUNIT_CASE(test_export_ino),
	KUNIT_CASE(test_export_ops_replaced),
	KUNIT_CASE(test_fd_null),
	KUNIT_CASE(test_fd_flags),
	KUNIT_CASE(test_fd_install),
	KUNIT_CASE(test_get_bad_fd),
	KUNIT_CASE(test_get_other_file),
	KUNIT_CASE(test_get_reference),
	KUNIT_CASE(test_put_null),
	KUNIT_CASE(test_put_under_resv),
	KUNIT_CASE(test_dentry_outlives_buffer),
	KUNIT_CASE(test_release_forgotten_attachment),
	KUNIT_CASE(test_attach_static),
	KUNIT_CASE(test_attach_dynamic),
	KUNIT_CASE(test_attach_without_callback),
	KUNIT_CASE(test_attach_peer2peer_cleared),
	KUNIT_CASE(test_attach_refused),
	KUNIT_CASE(test_attach_null),
	KUNIT_CASE(test_detach_wrong),
	KUNIT_CASE_PARAM(test_map, map_gen_params),
	KUNIT_CASE_PARAM(test_map_unlocked, map_gen_params),
	KUNIT_CASE_PARAM(test_map_failure, map_gen_params),
	KUNIT_CASE_PARAM(test_map_waits, fence_gen_params),
	KUNIT_CASE(test_map_cached_waits),
	KUNIT_CASE(test_map_waits_for_hook),
	KUNIT_CASE(test_map_cached_direction),
	KUNIT_CASE(test_map_wrong),
	KUNIT_CASE(test_unmap_wrong),
	KUNIT_CASE(test_detach_mapped),
	KUNIT_CASE(test_detach_pinned),
	KUNIT_CASE(test_pin),
	KUNIT_CASE(test_pin_not_dynamic_exporter),
	KUNIT_CASE(test_pin_static_importer),
	KUNIT_CASE(test_move_notify_reaches),
	KUNIT_CASE(test_move_notify_unmaps),
	KUNIT_CASE_PARAM(test_begin_waits, access_gen_params),
	KUNIT_CASE(test_begin_waits_for_hook),
	KUNIT_CASE(test_access_errors),
	KUNIT_CASE(test_access_null),
	KUNIT_CASE(test_vmap),
	KUNIT_CASE(test_vmap_failure),
	KUNIT_CASE(test_vunmap_wrong),
	KUNIT_CASE(test_vmap_null),
	KUNIT_CASE(test_release_forgotten_vmap),
	KUNIT_CASE_PARAM(test_mmap_bounds, mmap_gen_params),
	KUNIT_CASE(test_mmap_dontexpand),
	KUNIT_CASE(test_mmap_file_swapped),
	KUNIT_CASE(test_mmap_no_hook),
	KUNIT_CASE(test_mmap_hook_fails),
	KUNIT_CASE(test_mmap_null),
	KUNIT_CASE(test_poll_idle),
	KUNIT_CASE_PARAM(test_poll_fence, poll_gen_params),
	KUNIT_CASE(test_poll_signaled),
	KUNIT_CASE(test_poll_many_fences),
	KUNIT_CASE(test_poll_later_fence),
	KUNIT_CASE(test_poll_replaced_fence),
	KUNIT_CASE(test_poll_superseded_fence),
	KUNIT_CASE(test_poll_armed_release),
	KUNIT_CASE(test_poll_last_reference),
	KUNIT_CASE(test_poll_release_race),
	KUNIT_CASE_SLOW(test_poll_race),
	KUNIT_CASE(test_iter),
	KUNIT_CASE(test_iter_stopped),
	KUNIT_CASE(test_iter_null),
	KUNIT_CASE(test_iter_holds),
	KUNIT_CASE_SLOW(test_iter_concurrent),
	{}
};

static struct kunit_suite dma_buf_test_suite = {
	.name = "dma-buf",
	.test_cases = dma_buf_test_cases,
};

kunit_test_suite(dma_buf_test_suite);

MODULE_DESCRIPTION("KUnit tests of the dma-buf core");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS(DMA_BUF);
