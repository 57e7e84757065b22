// SPDX-License-Identifier: GPL-2.0-only
/*
 * dma-buf: from implicit to explicit synchronisation and back.
 *
 * For programs that synchronise with sync_files, such as compositors and Vulkan
 * drivers. They export the fences of a buffer's reservation that they must wait
 * for, and import the fences that other users of the buffer must wait for.
 */
#include <linux/dma-buf.h>
#include <linux/dma-fence.h>
#include <linux/dma-fence-unwrap.h>
#include <linux/dma-resv.h>
#include <linux/fcntl.h>
#include <linux/file.h>
#include <linux/sync_file.h>
#include <linux/uaccess.h>

#include <trace/events/dma_buf.h>

#include "dma-buf-internal.h"

static bool dma_buf_sync_flags_valid(u32 flags)
{
	return flags && !(flags & ~DMA_BUF_SYNC_RW);
}

/* Make a sync_file of the fences that an access would have to wait for now. */
static struct sync_file *dma_buf_to_sync_file(struct dma_buf *dmabuf,
					      bool write)
{
	struct sync_file *sync_file;
	struct dma_fence *pending;
	int ret;

	ret = dma_resv_get_singleton(dmabuf->resv, dma_resv_usage_rw(write),
				     &pending);
	if (ret)
		return ERR_PTR(ret);

	pending = pending ?: dma_fence_get_stub();
	sync_file = sync_file_create(pending);
	dma_fence_put(pending);
	return sync_file ?: ERR_PTR(-ENOMEM);
}

/**
 * dma_buf_export_sync_file - implement DMA_BUF_IOCTL_EXPORT_SYNC_FILE
 * @dmabuf: buffer
 * @uarg: &struct dma_buf_export_sync_file in user space
 *
 * Context: Process context, may sleep. Does not take the reservation.
 * Return: 0; -EINVAL for flags other than READ, WRITE or both; -EFAULT;
 * -ENOMEM; -EMFILE. No descriptor is left behind on failure.
 */
long dma_buf_export_sync_file(struct dma_buf *dmabuf,
			      struct dma_buf_export_sync_file __user *uarg)
{
	struct sync_file *sync_file;
	u32 flags;
	int fd;

	if (get_user(flags, &uarg->flags))
		return -EFAULT;
	if (!dma_buf_sync_flags_valid(flags))
		return -EINVAL;

	sync_file = dma_buf_to_sync_file(dmabuf, flags & DMA_BUF_SYNC_WRITE);
	if (IS_ERR(sync_file))
		return PTR_ERR(sync_file);

	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd >= 0 && put_user(fd, &uarg->fd)) {
		put_unused_fd(fd);
		fd = -EFAULT;
	}
	if (fd < 0) {
		fput(sync_file->file);
		return fd;
	}

	/*
	 * Trace before installing: after that another thread may use and close
	 * the descriptor.
	 */
	trace_dma_buf_export_sync_file(dmabuf, flags, fd);
	fd_install(fd, sync_file->file);
	return 0;
}

/* Unwrap containers of fences: a reservation accepts single fences only. */
static int dma_buf_add_fences(struct dma_buf *dmabuf, struct dma_fence *fence,
			      enum dma_resv_usage usage)
{
	struct dma_fence_unwrap cursor;
	struct dma_fence *single;
	unsigned int count = 0;
	int ret;

	dma_fence_unwrap_for_each(single, &cursor, fence)
		count++;
	if (!count)
		return 0;

	guard(dma_buf_resv)(dmabuf);
	ret = dma_resv_reserve_fences(dmabuf->resv, count);
	if (ret)
		return ret;

	/*
	 * A chain can only lose links meanwhile, so the reserved slots suffice.
	 */
	dma_fence_unwrap_for_each(single, &cursor, fence)
		dma_resv_add_fence(dmabuf->resv, single, usage);

	return 0;
}

/**
 * dma_buf_import_sync_file - implement DMA_BUF_IOCTL_IMPORT_SYNC_FILE
 * @dmabuf: buffer
 * @uarg: &struct dma_buf_import_sync_file in user space
 *
 * Context: Process context, may sleep. Takes and drops the reservation.
 * Return: 0; -EINVAL for flags other than READ, WRITE or both, or if the
 * descriptor is no sync_file; -EFAULT; -ENOMEM.
 */
long
dma_buf_import_sync_file(struct dma_buf *dmabuf,
			 const struct dma_buf_import_sync_file __user *uarg)
{
	enum dma_resv_usage usage = DMA_RESV_USAGE_READ;
	struct dma_buf_import_sync_file arg;
	struct dma_fence *fence;
	int ret = -EINVAL;

	if (copy_from_user(&arg, uarg, sizeof(arg)))
		return -EFAULT;
	if (!dma_buf_sync_flags_valid(arg.flags))
		return -EINVAL;

	if (arg.flags & DMA_BUF_SYNC_WRITE)
		usage = DMA_RESV_USAGE_WRITE;

	fence = sync_file_get_fence(arg.fd);
	if (fence)
		ret = dma_buf_add_fences(dmabuf, fence, usage);
	if (!ret)
		trace_dma_buf_import_sync_file(dmabuf, arg.flags, arg.fd);
	dma_fence_put(fence);
	return ret;
}
