// SPDX-License-Identifier: GPL-2.0-only
/*
 * dma-buf: access by the CPU: begin and end, mappings of processes and of the
 * kernel.
 */
#include <linux/bug.h>
#include <linux/cleanup.h>
#include <linux/dma-buf.h>
#include <linux/dma-resv.h>
#include <linux/export.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/overflow.h>

#include <trace/events/dma_buf.h>

#include "dma-buf-internal.h"

/*
 * Set a deadline first: it tells the drivers of all pending fences that the CPU
 * is already waiting, so that a GPU may raise its clock. Then wait for the
 * fences.
 */
static noinline int dma_buf_wait_hurried(struct dma_resv *resv,
					 enum dma_resv_usage usage, u64 *wait_ns)
{
	if (dma_resv_test_signaled(resv, usage))
		return 0;

	dma_resv_set_deadline(resv, usage, ktime_get());
	return dma_buf_wait(resv, usage, wait_ns);
}

/* dma_buf_wait() with a deadline, for an access from the CPU */
static __always_inline int dma_buf_wait_cpu(struct dma_resv *resv,
					    enum dma_resv_usage usage,
					    u64 *wait_ns)
{
	if (dma_buf_never_fenced(resv))
		return 0;

	return dma_buf_wait_hurried(resv, usage, wait_ns);
}

/*
 * Inlined into a traced and an untraced caller, so that the untraced copy has
 * no timing code.
 */
static __always_inline int dma_buf_begin_access(struct dma_buf *dmabuf,
						enum dma_data_direction dir,
						u64 *wait_ns)
{
	bool write = dir == DMA_BIDIRECTIONAL || dir == DMA_TO_DEVICE;
	int ret;

	ret = dma_buf_wait_cpu(dmabuf->resv, dma_resv_usage_rw(write), wait_ns);
	if (ret)
		return ret;

	if (!dmabuf->ops->begin_cpu_access)
		return 0;

	ret = dmabuf->ops->begin_cpu_access(dmabuf, dir);
	if (ret)
		return ret;

	ret = dma_buf_wait_cpu(dmabuf->resv, DMA_RESV_USAGE_KERNEL, wait_ns);
	/*
	 * Callers do not end an access whose begin failed: undo the hook here.
	 */
	if (ret)
		dma_buf_end_cpu_access(dmabuf, dir);

	return ret;
}

static noinline int dma_buf_begin_access_traced(struct dma_buf *dmabuf,
						enum dma_data_direction dir)
{
	u64 wait_ns = 0, begun = ktime_get_ns();
	int ret;

	ret = dma_buf_begin_access(dmabuf, dir, &wait_ns);
	trace_dma_buf_begin_cpu_access(dmabuf, dir, ret, ktime_get_ns() - begun,
				       wait_ns);
	return ret;
}

/**
 * dma_buf_begin_cpu_access - begin an access from the CPU
 * @dmabuf: buffer
 * @dir: DMA_FROM_DEVICE to read, DMA_TO_DEVICE to write, DMA_BIDIRECTIONAL for
 *	both
 *
 * Waits for the fences that conflict with the access, and calls the exporter's
 * hook only then: cache lines made coherent while the device still writes would
 * become stale again. The hook may itself start a move of the memory; a second
 * wait covers that. All fences waited for get the deadline now, see
 * dma_fence_set_deadline().
 *
 * On success the caller must call dma_buf_end_cpu_access() afterwards, on
 * failure it must not.
 *
 * Context: Process context, may sleep. Lets the exporter take the reservation,
 * which the caller must not hold.
 * Return: 0; -EINVAL if @dmabuf is NULL (with a warning); -ERESTARTSYS if a
 * signal ended a wait; or the exporter's error.
 */
int dma_buf_begin_cpu_access(struct dma_buf *dmabuf,
			     enum dma_data_direction dir)
{
	if (WARN_ON_ONCE(!dmabuf))
		return -EINVAL;

	dma_buf_might_lock_resv(dmabuf);

	if (trace_dma_buf_begin_cpu_access_enabled())
		return dma_buf_begin_access_traced(dmabuf, dir);

	return dma_buf_begin_access(dmabuf, dir, NULL);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_begin_cpu_access, DMA_BUF);

static int dma_buf_end_access(struct dma_buf *dmabuf, enum dma_data_direction dir)
{
	if (!dmabuf->ops->end_cpu_access)
		return 0;

	return dmabuf->ops->end_cpu_access(dmabuf, dir);
}

static noinline int dma_buf_end_access_traced(struct dma_buf *dmabuf,
					      enum dma_data_direction dir)
{
	u64 begun = ktime_get_ns();
	int ret;

	ret = dma_buf_end_access(dmabuf, dir);
	trace_dma_buf_end_cpu_access(dmabuf, dir, ret, ktime_get_ns() - begun);
	return ret;
}

/**
 * dma_buf_end_cpu_access - end an access from the CPU
 * @dmabuf: buffer
 * @dir: the direction that dma_buf_begin_cpu_access() was called with
 *
 * Context: Process context, may sleep. Lets the exporter take the reservation,
 * which the caller must not hold.
 * Return: 0; -EINVAL if @dmabuf is NULL (with a warning); or the exporter's
 * error.
 */
int dma_buf_end_cpu_access(struct dma_buf *dmabuf,
			   enum dma_data_direction dir)
{
	if (WARN_ON_ONCE(!dmabuf))
		return -EINVAL;

	dma_buf_might_lock_resv(dmabuf);

	if (trace_dma_buf_end_cpu_access_enabled())
		return dma_buf_end_access_traced(dmabuf, dir);

	return dma_buf_end_access(dmabuf, dir);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_end_cpu_access, DMA_BUF);

/**
 * dma_buf_check_mmap - check that a mapping lies within the buffer
 * @dmabuf: buffer
 * @vma: mapping
 * @pgoff: first page of the buffer that is mapped
 *
 * Return: 0; -EINVAL if the mapping reaches past the buffer, or the exporter
 * has no mmap hook; -EOVERFLOW if the end of the mapping overflows.
 */
int dma_buf_check_mmap(struct dma_buf *dmabuf, struct vm_area_struct *vma,
		       unsigned long pgoff)
{
	unsigned long end;

	if (!dmabuf->ops->mmap)
		return -EINVAL;

	if (check_add_overflow(pgoff, vma_pages(vma), &end))
		return -EOVERFLOW;

	/*
	 * Whole pages only: past the buffer's end the last page may hold data
	 * that is not shared.
	 */
	return end > dmabuf->size >> PAGE_SHIFT ? -EINVAL : 0;
}

/**
 * dma_buf_do_mmap - let the exporter map the buffer
 * @dmabuf: buffer
 * @vma: mapping of the buffer's file, checked by dma_buf_check_mmap()
 *
 * Return: 0 or the exporter's error.
 */
int dma_buf_do_mmap(struct dma_buf *dmabuf, struct vm_area_struct *vma)
{
	int ret = dmabuf->ops->mmap(dmabuf, vma);

	/*
	 * mremap() grows a mapping without any bounds check. If the exporter
	 * has installed another vm_file, growing is that file's business.
	 */
	if (!ret && vma->vm_file == dmabuf->file)
		vm_flags_set(vma, VM_DONTEXPAND);

	return ret;
}

/**
 * dma_buf_mmap - turn a mapping of an importer's file into one of the buffer
 * @dmabuf: buffer
 * @vma: the mapping that is being set up
 * @pgoff: first page of the buffer to map
 *
 * For importers whose own mmap() maps a buffer. The buffer's file becomes the
 * file of the mapping, which therefore holds a reference to the buffer as well.
 *
 * Context: Process context, may sleep. The caller holds the mmap lock for
 * writing, and must not hold the buffer's reservation.
 * Return: 0; -EINVAL if an argument is NULL (with a warning), the exporter has
 * no mmap hook, or the mapping would reach past the buffer's last whole page;
 * -EOVERFLOW if the end of the mapping overflows; or the exporter's error.
 */
int dma_buf_mmap(struct dma_buf *dmabuf, struct vm_area_struct *vma,
		 unsigned long pgoff)
{
	int ret;

	if (WARN_ON_ONCE(!dmabuf || !vma))
		return -EINVAL;

	dma_buf_might_lock_resv(dmabuf);

	ret = dma_buf_check_mmap(dmabuf, vma, pgoff);
	if (ret)
		return ret;

	vma->vm_pgoff = pgoff;
	vma_set_file(vma, dmabuf->file);
	ret = dma_buf_do_mmap(dmabuf, vma);
	if (!ret)
		trace_dma_buf_mmap(dmabuf);
	return ret;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_mmap, DMA_BUF);

/**
 * dma_buf_vmap - map a whole buffer into the kernel
 * @dmabuf: buffer
 * @map: receives the kernel address; cleared on failure
 *
 * The core counts the users of this mapping: all of them get the same address,
 * and each of them must call dma_buf_vunmap().
 *
 * Context: Process context, may sleep. The caller holds the buffer's
 * reservation.
 * Return: 0; -EINVAL if @dmabuf is NULL (with a warning) or its exporter has no
 * vmap hook; or the exporter's error.
 */
int dma_buf_vmap(struct dma_buf *dmabuf, struct iosys_map *map)
{
	struct dma_buf_object *obj;
	int ret = -EINVAL;

	iosys_map_clear(map);
	if (WARN_ON_ONCE(!dmabuf))
		return -EINVAL;

	dma_resv_assert_held(dmabuf->resv);

	obj = dma_buf_to_object(dmabuf);
	if (!obj->vmaps) {
		iosys_map_clear(&obj->vmap);
		if (dmabuf->ops->vmap)
			ret = dmabuf->ops->vmap(dmabuf, &obj->vmap);
		if (ret)
			return ret;
	}

	WRITE_ONCE(obj->vmaps, obj->vmaps + 1);
	*map = obj->vmap;
	return 0;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_vmap, DMA_BUF);

/**
 * dma_buf_vmap_unlocked - map into the kernel, taking the reservation
 * @dmabuf: buffer
 * @map: receives the kernel address; cleared on failure
 *
 * dma_buf_vmap() for callers that do not hold the reservation.
 *
 * Context: Process context, may sleep. Takes and drops the buffer's
 * reservation, which the caller must not hold.
 * Return: as dma_buf_vmap().
 */
int dma_buf_vmap_unlocked(struct dma_buf *dmabuf, struct iosys_map *map)
{
	if (WARN_ON_ONCE(!dmabuf)) {
		iosys_map_clear(map);
		return -EINVAL;
	}

	guard(dma_buf_resv)(dmabuf);
	return dma_buf_vmap(dmabuf, map);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_vmap_unlocked, DMA_BUF);

/**
 * dma_buf_vunmap - end the use of a kernel mapping
 * @dmabuf: buffer
 * @map: the address that dma_buf_vmap() returned
 *
 * Context: Process context, may sleep. The caller holds the buffer's
 * reservation. Warns and does nothing if @dmabuf is NULL or @map is not the
 * address of the buffer's kernel mapping.
 */
void dma_buf_vunmap(struct dma_buf *dmabuf, struct iosys_map *map)
{
	struct dma_buf_object *obj;

	if (WARN_ON_ONCE(!dmabuf))
		return;

	dma_resv_assert_held(dmabuf->resv);

	obj = dma_buf_to_object(dmabuf);
	if (WARN_ON_ONCE(!obj->vmaps || !iosys_map_is_equal(&obj->vmap, map)))
		return;

	WRITE_ONCE(obj->vmaps, obj->vmaps - 1);
	if (!obj->vmaps && dmabuf->ops->vunmap)
		dmabuf->ops->vunmap(dmabuf, &obj->vmap);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_vunmap, DMA_BUF);

/**
 * dma_buf_vunmap_unlocked - end the use, taking the reservation
 * @dmabuf: buffer
 * @map: the address that dma_buf_vmap() returned
 *
 * dma_buf_vunmap() for callers that do not hold the reservation.
 *
 * Context: Process context, may sleep. Takes and drops the buffer's
 * reservation, which the caller must not hold. Warns as dma_buf_vunmap() does.
 */
void dma_buf_vunmap_unlocked(struct dma_buf *dmabuf, struct iosys_map *map)
{
	if (WARN_ON_ONCE(!dmabuf))
		return;

	guard(dma_buf_resv)(dmabuf);
	dma_buf_vunmap(dmabuf, map);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_vunmap_unlocked, DMA_BUF);
