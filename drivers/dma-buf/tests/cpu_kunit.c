// SPDX-License-Identifier: GPL-2.0-only
/*
 * dma-buf: KUnit tests of access by the CPU.
 */
#include <linux/dma-resv.h>
#include <linux/mm.h>
#include <linux/mman.h>

#include "util.h"

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
	/* This wait is not interruptible, so the fence has to signal in the end. */
	mock_fence_signal_later(fence, MOCK_NEVER_MS);
	mock_signal_begin();
	ret = dma_buf_begin_cpu_access(dmabuf, param->dir);
	mock_signal_end();

	if (!param->waits) {
		KUNIT_EXPECT_EQ(test, ret, 0);
		mock_expect_ops(mock, HOOK_BEGIN);
		KUNIT_EXPECT_EQ(test, 0, dma_buf_end_cpu_access(dmabuf, param->dir));
		mock_expect_ops(mock, HOOK_END);
		mock_put(mock, dmabuf);
		return;
	}

	/* Interrupted: nothing has begun. */
	KUNIT_EXPECT_EQ(test, ret, -ERESTARTSYS);
	mock_expect_ops(mock);

	/* The exporter makes the caches right after the DMA, not before. */
	mock->watch = fence;
	mock_fence_signal_sooner(fence, 20);
	KUNIT_EXPECT_EQ(test, 0, dma_buf_begin_cpu_access(dmabuf, param->dir));
	KUNIT_EXPECT_TRUE(test, mock->watch_signaled);
	KUNIT_EXPECT_EQ(test, 0, dma_buf_end_cpu_access(dmabuf, param->dir));
	mock_expect_ops(mock, HOOK_BEGIN, HOOK_END);
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
	mock_fence_signal_later(fence, MOCK_NEVER_MS);
	mock_signal_begin();
	ret = dma_buf_begin_cpu_access(dmabuf, DMA_FROM_DEVICE);
	mock_signal_end();
	KUNIT_EXPECT_EQ(test, ret, -ERESTARTSYS);
	mock_expect_ops(mock, HOOK_BEGIN, HOOK_END);
	mock_fence_signal(fence);

	fence = mock_fence_create(test);
	mock->fence = fence;
	mock_fence_signal_later(fence, 20);
	KUNIT_EXPECT_EQ(test, 0, dma_buf_begin_cpu_access(dmabuf, DMA_FROM_DEVICE));
	KUNIT_EXPECT_TRUE(test, dma_fence_is_signaled(fence));
	KUNIT_EXPECT_EQ(test, 0, dma_buf_end_cpu_access(dmabuf, DMA_FROM_DEVICE));
	mock_expect_ops(mock, HOOK_BEGIN, HOOK_END);
	mock_put(mock, dmabuf);
}

/* The fences that the access waits for, and no others, get a deadline: now. */
static void test_begin_deadline(struct kunit *test)
{
	const struct access_param *param = test->param_value;
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_PLAIN);
	struct dma_buf *dmabuf = mock_export(mock);
	struct dma_fence *fence = mock_fence_create(test);
	ktime_t before, after, deadline = 0;
	int ret;

	mock_add_fence(dmabuf, fence, param->usage);
	mock_fence_signal_later(fence, MOCK_NEVER_MS);
	mock_signal_begin();
	before = ktime_get();
	ret = dma_buf_begin_cpu_access(dmabuf, param->dir);
	after = ktime_get();
	mock_signal_end();

	KUNIT_EXPECT_EQ(test, ret, param->waits ? -ERESTARTSYS : 0);
	KUNIT_EXPECT_EQ(test, mock_fence_deadlines(fence, &deadline),
			param->waits ? 1U : 0U);
	if (param->waits) {
		KUNIT_EXPECT_GE(test, deadline, before);
		KUNIT_EXPECT_LE(test, deadline, after);
	}
	mock_put(mock, dmabuf);
}

/* All of them get one before the first is waited for. */
static void test_begin_deadline_of_each(struct kunit *test)
{
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_PLAIN);
	struct dma_buf *dmabuf = mock_export(mock);
	struct dma_fence *kernel = mock_fence_create(test);
	struct dma_fence *write = mock_fence_create(test);
	struct dma_fence *done = mock_fence_create(test);
	struct dma_fence *read = mock_fence_create(test);

	mock_add_fence(dmabuf, done, DMA_RESV_USAGE_WRITE);
	mock_add_fence(dmabuf, kernel, DMA_RESV_USAGE_KERNEL);
	mock_add_fence(dmabuf, read, DMA_RESV_USAGE_READ);
	mock_add_fence(dmabuf, write, DMA_RESV_USAGE_WRITE);
	mock_fence_signal(done);
	mock_fence_signal_later(kernel, MOCK_NEVER_MS);
	mock_fence_signal_later(write, MOCK_NEVER_MS);
	mock_signal_begin();
	KUNIT_EXPECT_EQ(test, dma_buf_begin_cpu_access(dmabuf, DMA_FROM_DEVICE),
			-ERESTARTSYS);
	mock_signal_end();
	KUNIT_EXPECT_EQ(test, mock_fence_deadlines(kernel, NULL), 1U);
	KUNIT_EXPECT_EQ(test, mock_fence_deadlines(write, NULL), 1U);
	KUNIT_EXPECT_EQ(test, mock_fence_deadlines(done, NULL), 0U);
	KUNIT_EXPECT_EQ(test, mock_fence_deadlines(read, NULL), 0U);

	/* An access that waits for no fence sets no deadline. */
	mock_fence_signal(kernel);
	mock_fence_signal(write);
	KUNIT_EXPECT_EQ(test, dma_buf_begin_cpu_access(dmabuf, DMA_FROM_DEVICE), 0);
	KUNIT_EXPECT_EQ(test, dma_buf_end_cpu_access(dmabuf, DMA_FROM_DEVICE), 0);
	KUNIT_EXPECT_EQ(test, mock_fence_deadlines(kernel, NULL), 1U);
	KUNIT_EXPECT_EQ(test, mock_fence_deadlines(write, NULL), 1U);
	KUNIT_EXPECT_EQ(test, mock_fence_deadlines(read, NULL), 0U);
	mock_put(mock, dmabuf);
}

/* The move that the hook starts is waited for as well. */
static void test_begin_deadline_of_hook(struct kunit *test)
{
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_PLAIN);
	struct dma_buf *dmabuf = mock_export(mock);
	struct dma_fence *fence = mock_fence_create(test);
	struct dma_fence *read = mock_fence_create(test);
	ktime_t before, after, deadline = 0;

	mock_add_fence(dmabuf, read, DMA_RESV_USAGE_READ);
	mock->fence = fence;
	mock_fence_signal_later(fence, MOCK_NEVER_MS);
	mock_signal_begin();
	before = ktime_get();
	KUNIT_EXPECT_EQ(test, dma_buf_begin_cpu_access(dmabuf, DMA_FROM_DEVICE),
			-ERESTARTSYS);
	after = ktime_get();
	mock_signal_end();
	mock_expect_ops(mock, HOOK_BEGIN, HOOK_END);
	KUNIT_EXPECT_EQ(test, mock_fence_deadlines(fence, &deadline), 1U);
	KUNIT_EXPECT_GE(test, deadline, before);
	KUNIT_EXPECT_LE(test, deadline, after);
	KUNIT_EXPECT_EQ(test, mock_fence_deadlines(read, NULL), 0U);
	mock_put(mock, dmabuf);
}

static void test_access_errors(struct kunit *test)
{
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_PLAIN);
	struct dma_buf *dmabuf = mock_export(mock);

	mock->error[HOOK_BEGIN] = -EIO;
	KUNIT_EXPECT_EQ(test, -EIO, dma_buf_begin_cpu_access(dmabuf, DMA_TO_DEVICE));
	mock_expect_ops(mock, HOOK_BEGIN);
	mock->error[HOOK_END] = -ENXIO;
	KUNIT_EXPECT_EQ(test, -ENXIO, dma_buf_end_cpu_access(dmabuf, DMA_TO_DEVICE));
	mock_expect_ops(mock, HOOK_END);
	mock_put(mock, dmabuf);
}

/* Kernel mappings */

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
	mock_expect_ops(mock, HOOK_VMAP);

	dma_buf_vunmap_unlocked(dmabuf, &second);
	mock_expect_ops(mock);
	dma_resv_lock(dmabuf->resv, NULL);
	dma_buf_vunmap(dmabuf, &first);
	dma_resv_unlock(dmabuf->resv);
	mock_expect_ops(mock, HOOK_VUNMAP);

	/* And again from the start. */
	KUNIT_EXPECT_EQ(test, 0, dma_buf_vmap_unlocked(dmabuf, &first));
	dma_buf_vunmap_unlocked(dmabuf, &first);
	mock_expect_ops(mock, HOOK_VMAP, HOOK_VUNMAP);
	mock_put(mock, dmabuf);
}

/* Memory that has an address anyway needs no hook to take it away. */
static void test_vmap_without_vunmap(struct kunit *test)
{
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_PLAIN);
	struct dma_buf *dmabuf = mock_export(mock);
	struct iosys_map map;

	mock->ops.vunmap = NULL;
	KUNIT_EXPECT_EQ(test, 0, dma_buf_vmap_unlocked(dmabuf, &map));
	dma_buf_vunmap_unlocked(dmabuf, &map);
	KUNIT_EXPECT_EQ(test, 0, dma_buf_vmap_unlocked(dmabuf, &map));
	dma_buf_vunmap_unlocked(dmabuf, &map);
	mock_expect_ops(mock, HOOK_VMAP, HOOK_VMAP);
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
	mock->error[HOOK_VMAP] = -ENOMEM;
	KUNIT_EXPECT_EQ(test, -ENOMEM, dma_buf_vmap_unlocked(dmabuf, &map));
	KUNIT_EXPECT_TRUE(test, iosys_map_is_null(&map));
	mock_expect_ops(mock, HOOK_VMAP);

	mock->error[HOOK_VMAP] = 0;
	KUNIT_EXPECT_EQ(test, 0, dma_buf_vmap_unlocked(dmabuf, &map));
	dma_buf_vunmap_unlocked(dmabuf, &map);
	mock_expect_ops(mock, HOOK_VMAP, HOOK_VUNMAP);
	mock_put(mock, dmabuf);
	mock_put(bare, without);
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

/* Mappings of processes */

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

static void test_mmap_bounds(struct kunit *test)
{
	const struct mmap_param *param = test->param_value;
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_PLAIN);
	struct test_importer importer = { .pgoff = param->pgoff, .ret = 1 };
	struct vm_area_struct *vma;
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
	mock_expect_ops(mock, HOOK_MMAP);
	mmap_read_lock(current->mm);
	vma = find_vma(current->mm, addr);
	KUNIT_EXPECT_NOT_NULL(test, vma);
	if (vma) {
		KUNIT_EXPECT_PTR_EQ(test, vma->vm_file, dmabuf->file);
		KUNIT_EXPECT_EQ(test, vma->vm_pgoff, param->pgoff);
	}
	mmap_read_unlock(current->mm);
	/* The mapping holds a reference to the buffer. */
	KUNIT_EXPECT_EQ(test, file_count(dmabuf->file), 2);
	dma_buf_put(dmabuf);
	KUNIT_EXPECT_FALSE(test, mock_is_released(mock));
	KUNIT_EXPECT_EQ(test, 0, vm_munmap(addr, param->pages * PAGE_SIZE));
	mock_wait_released(mock);
}

/* Mappings of the buffer's own file, at an offset that the program chooses. */
static void test_mmap_file_bounds(struct kunit *test)
{
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_PLAIN);
	struct dma_buf *dmabuf;
	unsigned long addr;

	mock->size = 2 * PAGE_SIZE;
	dmabuf = mock_export(mock);
	addr = kunit_vm_mmap(test, dmabuf->file, 0, PAGE_SIZE, PROT_READ,
			     MAP_SHARED, PAGE_SIZE);
	KUNIT_EXPECT_FALSE(test, IS_ERR_VALUE(addr));
	mock_expect_ops(mock, HOOK_MMAP);
	if (!IS_ERR_VALUE(addr))
		KUNIT_EXPECT_EQ(test, 0, vm_munmap(addr, PAGE_SIZE));

	addr = kunit_vm_mmap(test, dmabuf->file, 0, PAGE_SIZE, PROT_READ,
			     MAP_SHARED, 2 * PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, (long)addr, -EINVAL);
	addr = kunit_vm_mmap(test, dmabuf->file, 0, 2 * PAGE_SIZE, PROT_READ,
			     MAP_SHARED, PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, (long)addr, -EINVAL);
	mock_expect_ops(mock);
	mock_put(mock, dmabuf);
}

/* Whether the mapping at @addr is of @file, and may grow or not. */
static void test_expect_vma(struct kunit *test, unsigned long addr,
			    struct file *file, bool may_grow)
{
	struct vm_area_struct *vma;

	mmap_read_lock(current->mm);
	vma = find_vma(current->mm, addr);
	KUNIT_EXPECT_NOT_NULL(test, vma);
	if (vma) {
		KUNIT_EXPECT_PTR_EQ(test, vma->vm_file, file);
		KUNIT_EXPECT_EQ(test, !(vma->vm_flags & VM_DONTEXPAND), may_grow);
	}
	mmap_read_unlock(current->mm);
}

static void test_mmap_dontexpand(struct kunit *test)
{
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_PLAIN);
	struct dma_buf *dmabuf = mock_export(mock);
	unsigned long addr;

	addr = test_map_file(test, dmabuf->file, 1);
	KUNIT_ASSERT_FALSE(test, IS_ERR_VALUE(addr));
	test_expect_vma(test, addr, dmabuf->file, false);
	KUNIT_EXPECT_EQ(test, 0, vm_munmap(addr, PAGE_SIZE));
	mock_put(mock, dmabuf);
}

/* i915 gives the mapping another vm_file; its flags are then i915's own affair. */
static void test_mmap_file_swapped(struct kunit *test)
{
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_PLAIN);
	struct test_importer importer = { };
	struct dma_buf *dmabuf = mock_export(mock);
	unsigned long addr;

	mock->mmap_file = test_importer_file(test, &importer);
	addr = test_map_file(test, dmabuf->file, 1);
	KUNIT_ASSERT_FALSE(test, IS_ERR_VALUE(addr));
	test_expect_vma(test, addr, mock->mmap_file, true);
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

	mock->error[HOOK_MMAP] = -EACCES;
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

static struct kunit_case dma_buf_cpu_test_cases[] = {
	KUNIT_CASE_PARAM(test_begin_waits, access_gen_params),
	KUNIT_CASE(test_begin_waits_for_hook),
	KUNIT_CASE_PARAM(test_begin_deadline, access_gen_params),
	KUNIT_CASE(test_begin_deadline_of_each),
	KUNIT_CASE(test_begin_deadline_of_hook),
	KUNIT_CASE(test_access_errors),
	KUNIT_CASE(test_vmap),
	KUNIT_CASE(test_vmap_without_vunmap),
	KUNIT_CASE(test_vmap_failure),
	KUNIT_CASE(test_vmap_null),
	KUNIT_CASE_PARAM(test_mmap_bounds, mmap_gen_params),
	KUNIT_CASE(test_mmap_file_bounds),
	KUNIT_CASE(test_mmap_dontexpand),
	KUNIT_CASE(test_mmap_file_swapped),
	KUNIT_CASE(test_mmap_no_hook),
	KUNIT_CASE(test_mmap_hook_fails),
	KUNIT_CASE(test_mmap_null),
	{}
};

static struct kunit_suite dma_buf_cpu_test_suite = {
	.name = "dma_buf_cpu",
	.init = test_init,
	.test_cases = dma_buf_cpu_test_cases,
};

kunit_test_suite(dma_buf_cpu_test_suite);
