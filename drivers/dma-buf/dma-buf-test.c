// SPDX-License-Identifier: GPL-2.0-only
/*
 * dma-buf: KUnit tests of the life of a buffer and of access by devices.
 *
 * Where a test provokes a warning it says so in the kernel log, around the code
 * that does: a harness can tell it from one that nobody asked for, and notice if
 * it is missing.
 */
#include <linux/anon_inodes.h>
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/dma-resv.h>
#include <linux/fdtable.h>
#include <linux/limits.h>
#include <linux/module.h>
#include <linux/path.h>
#include <linux/slab.h>

#include "dma-buf-test.h"

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
	/* A core that takes it all the same calls the exporter back. */
	if (!IS_ERR(dmabuf)) {
		dma_buf_put(dmabuf);
		flush_delayed_fput();
	}
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

#ifdef CONFIG_MODULE_UNLOAD
/* A module that is not there; its references can be counted all the same. */
static struct module *test_module(struct kunit *test, enum module_state state)
{
	struct module *module = kunit_kzalloc(test, sizeof(*module), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, module);
	module->state = state;
	atomic_set(&module->refcnt, 1);
	return module;
}

static void test_export_owner_counted(struct kunit *test)
{
	struct module *owner = test_module(test, MODULE_STATE_LIVE);
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_PLAIN);
	DEFINE_DMA_BUF_EXPORT_INFO(info);
	struct dma_buf *dmabuf;
	int tries;

	info.owner = owner;
	info.ops = &mock->ops;
	info.size = mock->size;
	info.priv = mock;
	dmabuf = dma_buf_export(&info);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dmabuf);
	KUNIT_EXPECT_PTR_EQ(test, dmabuf->owner, owner);
	KUNIT_EXPECT_EQ(test, atomic_read(&owner->refcnt), 2);
	get_dma_buf(dmabuf);
	dma_buf_put(dmabuf);
	KUNIT_EXPECT_EQ(test, atomic_read(&owner->refcnt), 2);
	mock_put(mock, dmabuf);
	for (tries = 0; tries < 500 && atomic_read(&owner->refcnt) > 1; tries++)
		msleep(20);
	KUNIT_EXPECT_EQ(test, atomic_read(&owner->refcnt), 1);

	/* What is refused has taken no reference. */
	info.size = 0;
	test_expect_einval(test, &info);
	KUNIT_EXPECT_EQ(test, atomic_read(&owner->refcnt), 1);
}

static void test_export_owner_going(struct kunit *test)
{
	struct module *owner = test_module(test, MODULE_STATE_GOING);
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_PLAIN);
	DEFINE_DMA_BUF_EXPORT_INFO(info);

	info.owner = owner;
	info.ops = &mock->ops;
	info.size = mock->size;
	info.priv = mock;
	KUNIT_EXPECT_EQ(test, PTR_ERR(dma_buf_export(&info)), -ENOENT);
	KUNIT_EXPECT_EQ(test, atomic_read(&owner->refcnt), 1);
	KUNIT_EXPECT_FALSE(test, mock_is_released(mock));
}
#endif

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

/* DRM puts another address space behind the file, to have one for all of it. */
static void test_export_mapping_redirected(struct kunit *test)
{
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_PLAIN);
	struct mock_exporter *other = mock_exporter_create(test, MOCK_PLAIN);
	struct dma_buf *dmabuf = mock_export(mock), *stranger;
	struct address_space *mapping = dmabuf->file->f_mapping;

	other->size = 2 * mock->size;
	stranger = mock_export(other);
	dmabuf->file->f_mapping = stranger->file->f_mapping;
	KUNIT_EXPECT_EQ(test, vfs_llseek(dmabuf->file, 0, SEEK_END),
			(loff_t)mock->size);
	KUNIT_EXPECT_NE(test, file_inode(dmabuf->file)->i_ino,
			file_inode(stranger->file)->i_ino);
	KUNIT_EXPECT_PTR_NE(test, mapping, dmabuf->file->f_mapping);
	/* The release hook sees its own size by the file's inode. */
	mock_put(mock, dmabuf);
	KUNIT_EXPECT_FALSE(test, mock_is_released(other));
	mock_put(other, stranger);
}

/* Descriptors and references */

static void test_fd_null(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, dma_buf_fd(NULL, 0), -EINVAL);
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

/* No descriptor to be had: the reference stays with the caller. */
static void test_fd_limit(struct kunit *test)
{
	struct rlimit *limit = &current->signal->rlim[RLIMIT_NOFILE];
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_PLAIN);
	struct dma_buf *dmabuf = mock_export(mock);
	unsigned long before = limit->rlim_cur;
	int fd;

	/* This thread's alone: it is a process of its own. */
	WRITE_ONCE(limit->rlim_cur, 0);
	fd = dma_buf_fd(dmabuf, O_CLOEXEC);
	WRITE_ONCE(limit->rlim_cur, before);
	KUNIT_EXPECT_EQ(test, fd, -EMFILE);
	KUNIT_EXPECT_EQ(test, file_count(dmabuf->file), 1);
	mock_put(mock, dmabuf);
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
	struct scatterlist *sg;
	struct sg_table *sgt;
	unsigned int i;

	attach = test_attach(test, dmabuf, param->importer);
	/* Nothing is mapped before it is asked for. */
	mock_expect_ops(mock, MOCK_ATTACH);

	dma_resv_lock(dmabuf->resv, NULL);
	sgt = dma_buf_map_attachment(attach, DMA_BIDIRECTIONAL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, sgt);
	KUNIT_EXPECT_EQ(test, sgt->nents, MOCK_SEGMENTS);
	for_each_sgtable_dma_sg(sgt, sg, i) {
		KUNIT_EXPECT_EQ(test, (u64)sg_dma_address(sg),
				(u64)page_to_phys(mock->page) + i * MOCK_SEGMENT_LEN);
		KUNIT_EXPECT_EQ(test, (size_t)sg_dma_len(sg), MOCK_SEGMENT_LEN);
		if (IS_ENABLED(CONFIG_DMABUF_DEBUG))
			KUNIT_EXPECT_NULL(test, sg_page(sg));
	}
	KUNIT_EXPECT_EQ(test, i, MOCK_SEGMENTS);
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

/* qaic does not take the reservation. Lockdep says so; it works all the same. */
static void test_map_without_lock(struct kunit *test)
{
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_PLAIN);
	struct dma_buf *dmabuf = mock_export(mock);
	struct dma_buf_attachment *attach = test_attach(test, dmabuf, NULL);
	struct sg_table *first, *second;

	if (IS_ENABLED(CONFIG_LOCKDEP)) {
		dma_buf_detach(dmabuf, attach);
		mock_put(mock, dmabuf);
		kunit_skip(test, "lockdep would not have it");
	}

	first = dma_buf_map_attachment(attach, DMA_TO_DEVICE);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, first);
	second = dma_buf_map_attachment(attach, DMA_TO_DEVICE);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, second);
	dma_buf_unmap_attachment(attach, first, DMA_TO_DEVICE);
	dma_buf_unmap_attachment(attach, second, DMA_TO_DEVICE);
	KUNIT_EXPECT_EQ(test, mock->tables, 0U);
	/* It has none left, so this warns of nothing. */
	dma_buf_detach(dmabuf, attach);
	mock_put(mock, dmabuf);
}

/* The first map is the time to place the memory: all who will use it are known. */
static void test_map_sees_attachments(struct kunit *test)
{
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_DYNAMIC);
	struct dma_buf *dmabuf = mock_export(mock);
	struct dma_buf_attachment *first, *second;
	struct sg_table *sgt;

	first = test_attach(test, dmabuf, NULL);
	second = test_attach(test, dmabuf, &test_dynamic);
	sgt = dma_buf_map_attachment_unlocked(first, DMA_FROM_DEVICE);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, sgt);
	KUNIT_EXPECT_EQ(test, mock->attachments, 2U);
	KUNIT_EXPECT_EQ(test, mock->dir, DMA_FROM_DEVICE);
	mock->dir = DMA_NONE;
	dma_buf_unmap_attachment_unlocked(first, sgt, DMA_FROM_DEVICE);
	KUNIT_EXPECT_EQ(test, mock->dir, DMA_FROM_DEVICE);

	dma_buf_detach(dmabuf, first);
	sgt = dma_buf_map_attachment_unlocked(second, DMA_TO_DEVICE);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, sgt);
	KUNIT_EXPECT_EQ(test, mock->attachments, 1U);
	dma_buf_unmap_attachment_unlocked(second, sgt, DMA_TO_DEVICE);
	dma_buf_detach(dmabuf, second);
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

	/* Who does not heed signals waits, but not for ever. */
	mock_fence_signal_later(fence, MOCK_NEVER_MS);
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
	/* The device is about to wait, not the CPU. */
	KUNIT_EXPECT_EQ(test, mock_fence_deadlines(fence, NULL), 0U);

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
	mock_fence_signal_later(fence, MOCK_NEVER_MS);
	mock_signal_begin();
	again = dma_buf_map_attachment_unlocked(attach, DMA_TO_DEVICE);
	mock_signal_end();
	KUNIT_EXPECT_EQ(test, PTR_ERR(again), -ERESTARTSYS);

	mock_fence_signal_sooner(fence, 20);
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

static struct kunit_case dma_buf_test_cases[] = {
	KUNIT_CASE(test_export),
	KUNIT_CASE(test_export_bare),
	KUNIT_CASE(test_export_needs_arguments),
	KUNIT_CASE(test_export_needs_hooks),
	KUNIT_CASE(test_export_pin_rules),
	KUNIT_CASE_PARAM(test_export_size, size_gen_params),
	KUNIT_CASE(test_export_flags),
#ifdef CONFIG_MODULE_UNLOAD
	KUNIT_CASE(test_export_owner_counted),
	KUNIT_CASE(test_export_owner_going),
#endif
	KUNIT_CASE(test_export_resv),
	KUNIT_CASE(test_export_ino),
	KUNIT_CASE(test_export_ops_replaced),
	KUNIT_CASE(test_export_mapping_redirected),
	KUNIT_CASE(test_fd_null),
	KUNIT_CASE(test_fd_flags),
	KUNIT_CASE(test_fd_limit),
	KUNIT_CASE(test_get_bad_fd),
	KUNIT_CASE(test_get_other_file),
	KUNIT_CASE(test_get_reference),
	KUNIT_CASE(test_put_null),
	KUNIT_CASE(test_put_under_resv),
	KUNIT_CASE(test_dentry_outlives_buffer),
	KUNIT_CASE(test_attach_static),
	KUNIT_CASE(test_attach_dynamic),
	KUNIT_CASE(test_attach_peer2peer_cleared),
	KUNIT_CASE(test_attach_refused),
	KUNIT_CASE(test_attach_null),
	KUNIT_CASE(test_detach_wrong),
	KUNIT_CASE_PARAM(test_map, map_gen_params),
	KUNIT_CASE_PARAM(test_map_unlocked, map_gen_params),
	KUNIT_CASE_PARAM(test_map_failure, map_gen_params),
	KUNIT_CASE(test_map_without_lock),
	KUNIT_CASE(test_map_sees_attachments),
	KUNIT_CASE_PARAM(test_map_waits, fence_gen_params),
	KUNIT_CASE(test_map_cached_waits),
	KUNIT_CASE(test_map_waits_for_hook),
	KUNIT_CASE(test_map_cached_direction),
	KUNIT_CASE(test_map_wrong),
	KUNIT_CASE(test_detach_pinned),
	KUNIT_CASE(test_pin),
	KUNIT_CASE(test_pin_not_dynamic_exporter),
	KUNIT_CASE(test_pin_static_importer),
	{}
};

static struct kunit_suite dma_buf_test_suite = {
	.name = "dma-buf",
	.init = test_init,
	.test_cases = dma_buf_test_cases,
};

kunit_test_suite(dma_buf_test_suite);

MODULE_DESCRIPTION("KUnit tests of the dma-buf core");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS(DMA_BUF);
MODULE_IMPORT_NS(EXPORTED_FOR_KUNIT_TESTING);
