// SPDX-License-Identifier: GPL-2.0-only
/*
 * dma-buf: buffers as files: the ioctls, mmap(), lseek() and fdinfo.
 */
#include <linux/build_bug.h>
#include <linux/compat.h>
#include <linux/dma-buf.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include <trace/events/dma_buf.h>

#include "dma-buf-internal.h"

/*
 * User space depends on all of this: an incompatible change must not compile.
 */
static_assert(sizeof(struct dma_buf_sync) == 8);
static_assert(sizeof(struct dma_buf_export_sync_file) == 8);
static_assert(offsetof(struct dma_buf_export_sync_file, fd) == 4);
static_assert(sizeof(struct dma_buf_import_sync_file) == 8);
static_assert(offsetof(struct dma_buf_import_sync_file, fd) == 4);
#define assert_ioctl(cmd, dir, nr, size) \
	static_assert(_IOC(dir, 'b', nr, size) == (cmd))
assert_ioctl(DMA_BUF_IOCTL_SYNC, _IOC_WRITE, 0, 8);
assert_ioctl(DMA_BUF_SET_NAME_A, _IOC_WRITE, 1, 4);
assert_ioctl(DMA_BUF_SET_NAME_B, _IOC_WRITE, 1, 8);
assert_ioctl(DMA_BUF_IOCTL_EXPORT_SYNC_FILE, _IOC_READ | _IOC_WRITE, 2, 8);
assert_ioctl(DMA_BUF_IOCTL_IMPORT_SYNC_FILE, _IOC_WRITE, 3, 8);
static_assert(DMA_BUF_SYNC_VALID_FLAGS_MASK == 7);

static long dma_buf_set_name(struct dma_buf *dmabuf, const char __user *arg)
{
	struct dma_buf_name *name;
	const char *old;
	long len;

	name = kmalloc(sizeof(*name), GFP_KERNEL_ACCOUNT);
	if (!name)
		return -ENOMEM;

	len = strncpy_from_user(name->text, arg, sizeof(name->text));
	if (len < 0 || len == sizeof(name->text)) {
		kfree(name);
		return len < 0 ? len : -EINVAL;
	}

	spin_lock(&dmabuf->name_lock);
	old = dmabuf->name;
	/*
	 * Pairs with the address dependency of RCU readers (BPF programs): a
	 * visible pointer leads to the complete text.
	 */
	smp_store_release(&dmabuf->name, name->text);
	spin_unlock(&dmabuf->name_lock);

	if (old)
		kfree_rcu(container_of(old, struct dma_buf_name, text[0]), rcu);

	return 0;
}

static long dma_buf_sync(struct dma_buf *dmabuf,
			 const struct dma_buf_sync __user *arg)
{
	enum dma_data_direction dir;
	struct dma_buf_sync sync;

	if (copy_from_user(&sync, arg, sizeof(sync)))
		return -EFAULT;
	if (sync.flags & ~(u64)DMA_BUF_SYNC_VALID_FLAGS_MASK)
		return -EINVAL;

	/* The CPU reads what devices wrote, and writes what they will read. */
	if (!(sync.flags & DMA_BUF_SYNC_RW))
		return -EINVAL;
	else if (!(sync.flags & DMA_BUF_SYNC_WRITE))
		dir = DMA_FROM_DEVICE;
	else if (!(sync.flags & DMA_BUF_SYNC_READ))
		dir = DMA_TO_DEVICE;
	else
		dir = DMA_BIDIRECTIONAL;

	if (sync.flags & DMA_BUF_SYNC_END)
		return dma_buf_end_cpu_access(dmabuf, dir);

	return dma_buf_begin_cpu_access(dmabuf, dir);
}

/*
 * All arguments have the same layout for 32-bit callers, so compat_ptr_ioctl()
 * is sufficient for these. The access mode of the file is not checked:
 * exporters hand out read-only descriptors, and programs use all ioctls on
 * them.
 */
static long dma_buf_ioctl(struct file *file, unsigned int cmd,
			  unsigned long arg)
{
	struct dma_buf *dmabuf = file->private_data;
	void __user *uarg = (void __user *)arg;

	switch (cmd) {
	case DMA_BUF_IOCTL_SYNC:
		return dma_buf_sync(dmabuf, uarg);
	case DMA_BUF_SET_NAME_A:
	case DMA_BUF_SET_NAME_B:
		return dma_buf_set_name(dmabuf, uarg);
	case DMA_BUF_IOCTL_EXPORT_SYNC_FILE:
		return dma_buf_export_sync_file(dmabuf, uarg);
	case DMA_BUF_IOCTL_IMPORT_SYNC_FILE:
		return dma_buf_import_sync_file(dmabuf, uarg);
	default:
		return -ENOTTY;
	}
}

static int dma_buf_file_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct dma_buf *dmabuf = file->private_data;
	int ret;

	ret = dma_buf_check_mmap(dmabuf, vma, vma->vm_pgoff);
	if (ret)
		return ret;

	ret = dma_buf_do_mmap(dmabuf, vma);
	if (!ret)
		trace_dma_buf_mmap_internal(dmabuf);
	return ret;
}

/* A buffer has no file position. lseek() only reports the size. */
static loff_t dma_buf_llseek(struct file *file, loff_t offset, int whence)
{
	struct dma_buf *dmabuf = file->private_data;

	if (offset)
		return -EINVAL;

	if (whence == SEEK_SET)
		return 0;
	if (whence == SEEK_END)
		return dmabuf->size;

	return -EINVAL;
}

static void dma_buf_show_fdinfo(struct seq_file *m, struct file *file)
{
	struct dma_buf *dmabuf = file->private_data;
	char name[DMA_BUF_NAME_LEN];

	/* seq_printf() is too slow: monitors read all buffers every second. */
	seq_put_decimal_ull(m, "size:\t", dmabuf->size);
	/* Do not count the reference that this read holds. */
	seq_put_decimal_ll(m, "\ncount:\t", (long)file_count(file) - 1);
	seq_puts(m, "\nexp_name:\t");
	seq_puts(m, dmabuf->exp_name);
	seq_putc(m, '\n');
	if (dma_buf_copy_name(dmabuf, name)) {
		seq_puts(m, "name:\t");
		dma_buf_show_escaped(m, name);
		seq_putc(m, '\n');
	}
	dma_buf_show_users(m, dmabuf);
}

static int dma_buf_file_release(struct inode *inode, struct file *file)
{
	dma_buf_object_destroy(dma_buf_to_object(file->private_data));
	return 0;
}

/* A file that has these operations is a buffer, see dma_buf_get(). */
const struct file_operations dma_buf_fops = {
	.unlocked_ioctl	= dma_buf_ioctl,
	.compat_ioctl	= compat_ptr_ioctl,
	.poll		= dma_buf_poll,
	.mmap		= dma_buf_file_mmap,
	.llseek		= dma_buf_llseek,
	.show_fdinfo	= dma_buf_show_fdinfo,
	.release	= dma_buf_file_release,
};
