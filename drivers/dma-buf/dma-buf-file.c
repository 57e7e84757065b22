// SPDX-License-Identifier: GPL-2.0-only
/*
 * dma-buf: the file that a buffer is.
 *
 * A buffer needs an inode of its own in any case: for the size that user space
 * sees, for the number that identifies the buffer, for the address space that
 * drivers zap their maps from. So the buffer's private object is allocated
 * around the inode, from a slab cache of a pseudo file system. One allocation
 * serves both.
 *
 * The memory is free for the next buffer as soon as the inode is done with, not a
 * grace period later: the VFS asks for that delay only where an inode can have had
 * a path name, and the registry's walkers need none. But it stays a buffer's
 * memory for a grace period (SLAB_TYPESAFE_BY_RCU), for those who go on under RCU
 * with what they had of a buffer, such as the fences of its embedded reservation.
 *
 * The VFS allocates through dma_buf_alloc_inode() also what never becomes a
 * buffer: the root inode, an inode whose initialisation fails, an inode that
 * gets no file. They all end in dma_buf_destroy_inode(), which therefore relies on
 * nothing but what dma_buf_init_once() set.
 *
 * The inode has no i_fop: opening it anew through /proc/PID/fd fails, as a
 * second file would not be the buffer.
 */
#include <linux/compat.h>
#include <linux/ctype.h>
#include <linux/dcache.h>
#include <linux/dma-buf.h>
#include <linux/export.h>
#include <linux/fcntl.h>
#include <linux/init.h>
#include <linux/magic.h>
#include <linux/mount.h>
#include <linux/pseudo_fs.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include <trace/events/dma_buf.h>

#include "dma-buf-internal.h"

/* The interface is frozen; whoever changes it shall learn so from the compiler. */
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

static struct kmem_cache *dma_buf_cache __ro_after_init;

/* An ERR_PTR() if the machine came up without it; exports fail then. */
static struct vfsmount *dma_buf_mnt __ro_after_init;

/*
 * What dmabuf->file of a leaked buffer points to; never freed, no dma-buf. Importers
 * may drop more references than they have: it begins with that many to spare, and
 * each leaked buffer adds one.
 */
#define DMA_BUF_KEPT_SPARE	65536
struct file *dma_buf_kept_file __ro_after_init;
static const struct file_operations dma_buf_kept_fops = { };

/* The buffer's name */

/**
 * dma_buf_copy_name - copy the name that user space gave a buffer
 * @dmabuf: buffer, possibly released already
 * @text: becomes the name, the empty string if there is none
 *
 * Return: true if a name was set, even an empty one.
 */
bool dma_buf_copy_name(struct dma_buf *dmabuf, char text[DMA_BUF_NAME_LEN])
{
	bool named;

	spin_lock(&dmabuf->name_lock);
	named = dmabuf->name;
	strscpy(text, named ? dmabuf->name : "", DMA_BUF_NAME_LEN);
	spin_unlock(&dmabuf->name_lock);
	return named;
}

/**
 * dma_buf_show_name - print a name that user space may have chosen
 * @m: where to
 * @text: name; NULL is printed as printf does
 *
 * Control characters and backslashes are printed in octal, so that a name can
 * neither forge a line nor control the reader's terminal. seq_escape() would do
 * the same, but looks for each character in a list of them.
 *
 * Context: any, also under a spinlock.
 */
void dma_buf_show_name(struct seq_file *m, const char *text)
{
	char c;

	if (!text)
		text = "(null)";

	while ((c = *text++)) {
		if (iscntrl(c) || c == '\\')
			seq_printf(m, "\\%03o", c);
		else
			seq_putc(m, c);
	}
}

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
	/* Pairs with readers under RCU: the text comes before the pointer. */
	smp_store_release(&dmabuf->name, name->text);
	spin_unlock(&dmabuf->name_lock);

	if (old)
		kfree_rcu(container_of(old, struct dma_buf_name, text[0]), rcu);

	return 0;
}

/* File operations */

static int dma_buf_file_release(struct inode *inode, struct file *file)
{
	dma_buf_destroy(to_object(file->private_data));
	return 0;
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

static void dma_buf_show_fdinfo(struct seq_file *m, struct file *file)
{
	struct dma_buf *dmabuf = file->private_data;
	char name[DMA_BUF_NAME_LEN];

	/* Not by seq_printf(), as monitors read this for each buffer each second. */
	seq_put_decimal_ull(m, "size:\t", dmabuf->size);
	/* The reader's own reference is none of a user's. */
	seq_put_decimal_ll(m, "\ncount:\t", (long)file_count(file) - 1);
	seq_puts(m, "\nexp_name:\t");
	seq_puts(m, dmabuf->exp_name);
	seq_putc(m, '\n');
	if (dma_buf_copy_name(dmabuf, name)) {
		seq_puts(m, "name:\t");
		dma_buf_show_name(m, name);
		seq_putc(m, '\n');
	}
	dma_buf_show_users(m, dmabuf);
}

/* There is no position to move: this is how user space learns the size. */
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

static long dma_buf_sync(struct dma_buf *dmabuf,
			 const struct dma_buf_sync __user *arg)
{
	enum dma_data_direction dir;
	struct dma_buf_sync sync;

	if (copy_from_user(&sync, arg, sizeof(sync)))
		return -EFAULT;
	if (sync.flags & ~(u64)DMA_BUF_SYNC_VALID_FLAGS_MASK)
		return -EINVAL;

	/* What the CPU reads came from a device, what it writes goes to one. */
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
 * does for these. The file's access mode is not asked for: exporters hand out
 * read-only descriptors, and programs use all of this on them.
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

/* Whose files are buffers, see is_dma_buf_file(). */
const struct file_operations dma_buf_fops = {
	.unlocked_ioctl	= dma_buf_ioctl,
	.compat_ioctl	= compat_ptr_ioctl,
	.poll		= dma_buf_poll,
	.mmap		= dma_buf_file_mmap,
	.llseek		= dma_buf_llseek,
	.show_fdinfo	= dma_buf_show_fdinfo,
	.release	= dma_buf_file_release,
};

/* File system */

/*
 * What every buffer begins with and is left with when it is freed; most memory is
 * used again and again. dma_buf_object_init() and dma_resv_init() do the rest.
 */
static void dma_buf_init_once(void *mem)
{
	struct dma_buf_object *obj = mem;

	INIT_LIST_HEAD(&obj->dmabuf.attachments);
	spin_lock_init(&obj->dmabuf.name_lock);
	obj->dmabuf.name = NULL;
	obj->vmaps = 0;
	dma_buf_poll_init(obj);
	inode_init_once(&obj->inode);
}

static struct inode *dma_buf_alloc_inode(struct super_block *sb)
{
	struct dma_buf_object *obj;

	obj = alloc_inode_sb(sb, dma_buf_cache, GFP_KERNEL);
	return obj ? &obj->inode : NULL;
}

static void dma_buf_destroy_inode(struct inode *inode)
{
	struct dma_buf_object *obj = inode_object(inode);

	/*
	 * The name lives this long because the path of a released buffer can be
	 * asked for as long as there is a dentry.
	 */
	if (obj->dmabuf.name) {
		kfree(container_of(obj->dmabuf.name, struct dma_buf_name,
				   text[0]));
		obj->dmabuf.name = NULL;
	}
	kmem_cache_free(dma_buf_cache, obj);
}

static const struct super_operations dma_buf_super_ops = {
	.alloc_inode	= dma_buf_alloc_inode,
	/* No page is ever in the inode's own cache: there is none to truncate. */
	.evict_inode	= clear_inode,
	.destroy_inode	= dma_buf_destroy_inode,
	.statfs		= simple_statfs,
};

/*
 * The name stands in the path as it was set. Files that list paths escape what would
 * end a line; readlink() gives any file's path as it is.
 */
static char *dma_buf_dname(struct dentry *dentry, char *buffer, int buflen)
{
	struct dma_buf_object *obj = inode_object(d_inode(dentry));
	char name[DMA_BUF_NAME_LEN];

	dma_buf_copy_name(&obj->dmabuf, name);
	return dynamic_dname(buffer, buflen, "/%pd:%s", dentry, name);
}

static const struct dentry_operations dma_buf_dentry_ops = {
	.d_dname	= dma_buf_dname,
};

static int dma_buf_fs_init_context(struct fs_context *fc)
{
	struct pseudo_fs_context *ctx = init_pseudo(fc, DMA_BUF_MAGIC);

	if (ctx) {
		ctx->dops = &dma_buf_dentry_ops;
		ctx->ops = &dma_buf_super_ops;
	}
	return ctx ? 0 : -ENOMEM;
}

static struct file_system_type dma_buf_fs_type = {
	.name			= "dmabuf",
	.init_fs_context	= dma_buf_fs_init_context,
	.kill_sb		= kill_anon_super,
};

/* Before the file is made: a lookup through its inode finds all of this. */
static void dma_buf_object_init(struct dma_buf_object *obj,
				const struct dma_buf_export_info *info)
{
	struct dma_buf *dmabuf = &obj->dmabuf;

	dmabuf->size = info->size;
	dmabuf->ops = info->ops;
	dmabuf->exp_name = info->exp_name;
	dmabuf->owner = info->owner;
	dmabuf->priv = info->priv;
	dmabuf->resv = info->resv ?: &obj->embedded_resv;

	obj->inode.i_size = info->size;
	inode_set_bytes(&obj->inode, info->size);
}

/**
 * dma_buf_object_create - make a buffer and its file
 * @info: checked by the caller, who holds a reference to the owner
 *
 * Context: Process context, may sleep.
 * Return: an object that is complete but for its number and its place in the
 * registry, with one reference to its file, which is the caller's; or an
 * ERR_PTR(): -ENOMEM, -ENFILE, or why there is no file system.
 */
struct dma_buf_object *
dma_buf_object_create(const struct dma_buf_export_info *info)
{
	struct dma_buf_object *obj;
	struct inode *inode;
	struct file *file;

	if (IS_ERR(dma_buf_mnt))
		return ERR_CAST(dma_buf_mnt);

	inode = alloc_anon_inode(dma_buf_mnt->mnt_sb);
	if (IS_ERR(inode))
		return ERR_CAST(inode);

	obj = inode_object(inode);
	dma_buf_object_init(obj, info);

	file = alloc_file_pseudo(inode, dma_buf_mnt, "dmabuf",
				 info->flags & (O_ACCMODE | O_NONBLOCK),
				 &dma_buf_fops);
	if (IS_ERR(file)) {
		/* No file, so no release: this only gives the memory back. */
		iput(inode);
		return ERR_CAST(file);
	}

	if (!info->resv)
		dma_resv_init(&obj->embedded_resv);

	file->private_data = &obj->dmabuf;
	obj->dmabuf.file = file;
	return obj;
}

static int __init dma_buf_make_kept_file(void)
{
	struct inode *inode = alloc_anon_inode(dma_buf_mnt->mnt_sb);
	struct file *file;
	int i;

	if (IS_ERR(inode))
		return PTR_ERR(inode);

	inode->i_ino = 1; /* no buffer's */
	file = alloc_file_pseudo(inode, dma_buf_mnt, "released", O_RDONLY,
				 &dma_buf_kept_fops);
	if (IS_ERR(file)) {
		iput(inode);
		return PTR_ERR(file);
	}

	for (i = 0; i < DMA_BUF_KEPT_SPARE; i++)
		get_file(file);
	dma_buf_kept_file = file;
	return 0;
}

static int __init dma_buf_init(void)
{
	int ret;

	dma_buf_registry_init();

	/* Buffers are made at the wish of user space: charge their makers. */
	dma_buf_cache = kmem_cache_create("dma_buf",
					  sizeof(struct dma_buf_object), 0,
					  SLAB_ACCOUNT | SLAB_TYPESAFE_BY_RCU,
					  dma_buf_init_once);
	if (!dma_buf_cache) {
		dma_buf_mnt = ERR_PTR(-ENOMEM);
		return -ENOMEM;
	}

	dma_buf_mnt = kern_mount(&dma_buf_fs_type);
	if (IS_ERR(dma_buf_mnt))
		return PTR_ERR(dma_buf_mnt);

	ret = dma_buf_make_kept_file();
	if (ret) {
		kern_unmount(dma_buf_mnt);
		dma_buf_mnt = ERR_PTR(ret);
		return ret;
	}

	return 0;
}
subsys_initcall(dma_buf_init);
