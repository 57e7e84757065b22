// SPDX-License-Identifier: GPL-2.0-only
/*
 * dma-buf: KUnit tests of the life of a buffer: export, descriptors, references.
 *
 * A test that provokes a warning announces it in the kernel log, before and
 * after the code that does: whoever evaluates the log can tell expected
 * warnings from others, and notices when one is missing.
 */
#include <linux/anon_inodes.h>
#include <linux/delay.h>
#include <linux/dma-resv.h>
#include <linux/fdtable.h>
#include <linux/limits.h>
#include <linux/module.h>
#include <linux/path.h>
#include <linux/slab.h>

#include "util.h"

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
	mock_expect_ops(mock, HOOK_RELEASE);
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
	mock_expect_ops(mock, HOOK_RELEASE);
}

static void test_expect_einval(struct kunit *test,
			       const struct dma_buf_export_info *info)
{
	struct dma_buf *dmabuf = dma_buf_export(info);

	KUNIT_EXPECT_TRUE(test, IS_ERR(dmabuf));
	KUNIT_EXPECT_EQ(test, PTR_ERR(dmabuf), -EINVAL);
	/*
	 * If the core accepts the export in spite of that, let it call the
	 * release hook.
	 */
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

	/* Without a warning: drivers pass on sizes that user space asks for. */
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
	/* The VFS adds O_LARGEFILE on some architectures. */
	KUNIT_EXPECT_EQ(test, dmabuf->file->f_flags & ~O_LARGEFILE,
			(unsigned int)(O_RDWR | O_NONBLOCK));
	mock_put(mock, dmabuf);
}

#ifdef CONFIG_MODULE_UNLOAD
/* A struct module without a module, to count references to it */
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

	/* A refused export must not hold a reference to the module. */
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
	/* The reservation is the exporter's: the core must not have changed it. */
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
	/* amdgpu and xe do this, to recognise their own buffers by the pointer. */
	dmabuf->ops = &full->ops;
	KUNIT_EXPECT_TRUE(test, dma_buf_is_dynamic(dmabuf));

	attach = test_attach(test, dmabuf, NULL);
	sgt = test_dma_map(test, attach, DMA_TO_DEVICE);
	dma_buf_unmap_attachment_unlocked(attach, sgt, DMA_TO_DEVICE);
	dma_buf_detach(dmabuf, attach);
	KUNIT_EXPECT_PTR_EQ(test, dmabuf->ops,
			    (const struct dma_buf_ops *)&full->ops);
	mock_put(mock, dmabuf);
	mock_expect_ops(mock, HOOK_ATTACH, HOOK_PIN, HOOK_MAP, HOOK_UNMAP,
			HOOK_UNPIN, HOOK_DETACH, HOOK_RELEASE);
}

/* DRM replaces f_mapping, so that all its files share one address space. */
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
	/* The mock's release hook checks the size in the buffer's own inode. */
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
	/* The descriptor has taken over a reference. */
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

/* No descriptor is free: the reference stays the caller's. */
static void test_fd_limit(struct kunit *test)
{
	struct rlimit *limit = &current->signal->rlim[RLIMIT_NOFILE];
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_PLAIN);
	struct dma_buf *dmabuf = mock_export(mock);
	unsigned long before = limit->rlim_cur;
	int fd;

	/* The limit of this thread alone, which is a process of its own */
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

/*
 * xe takes and drops references while it holds the reservation that its release
 * hook takes.
 */
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

static struct kunit_case dma_buf_life_test_cases[] = {
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
	{}
};

static struct kunit_suite dma_buf_life_test_suite = {
	.name = "dma_buf_life",
	.init = test_init,
	.test_cases = dma_buf_life_test_cases,
};

kunit_test_suite(dma_buf_life_test_suite);

MODULE_DESCRIPTION("KUnit tests of the dma-buf core");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS(DMA_BUF);
MODULE_IMPORT_NS(EXPORTED_FOR_KUNIT_TESTING);
