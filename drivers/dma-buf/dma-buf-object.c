// SPDX-License-Identifier: GPL-2.0-only
/*
 * dma-buf: the object that a buffer is, from its creation to its last byte.
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
#include <linux/bug.h>
#include <linux/dcache.h>
#include <linux/dma-buf.h>
#include <linux/dma-resv.h>
#include <linux/err.h>
#include <linux/fcntl.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/init.h>
#include <linux/list.h>
#include <linux/magic.h>
#include <linux/module.h>
#include <linux/mount.h>
#include <linux/pseudo_fs.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/wait.h>

#include <trace/events/dma_buf.h>

#include "dma-buf-internal.h"

static struct kmem_cache *dma_buf_cache __ro_after_init;

/* An ERR_PTR() if the machine came up without it; exports fail then. */
static struct vfsmount *dma_buf_mnt __ro_after_init;

/* What the file of each buffer does; dma-buf-file.c has them. */
static const struct file_operations *dma_buf_object_fops __ro_after_init;

/*
 * What dmabuf->file of a leaked buffer points to; never freed, no dma-buf. Importers
 * may drop more references than they have: it begins with that many to spare, and
 * each leaked buffer adds one.
 */
#define DMA_BUF_KEPT_SPARE	65536
static struct file *dma_buf_kept_file __ro_after_init;
static const struct file_operations dma_buf_kept_fops = { };

/* Memory of an object */

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

/* Creation and release */

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

	obj = dma_buf_inode_to_object(inode);
	dma_buf_object_init(obj, info);

	file = alloc_file_pseudo(inode, dma_buf_mnt, "dmabuf",
				 info->flags & (O_ACCMODE | O_NONBLOCK),
				 dma_buf_object_fops);
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

/*
 * Leak a buffer on purpose. Its struct file is about to be freed, and serves
 * somebody else soon, but the importer that forgot the buffer may still look at
 * dmabuf->file, take a reference or drop one. So the pointer leads to a file that is
 * never freed and is no dma-buf from now on. The reference taken here serves an
 * importer that still has one of the buffer's to drop.
 */
static void dma_buf_keep(struct dma_buf_object *obj)
{
	WRITE_ONCE(obj->dmabuf.file, get_file(dma_buf_kept_file));
	/* Fully ordered: the pointer is visible before the raised count. */
	ihold(&obj->inode);
}

/**
 * dma_buf_object_destroy - end a buffer whose last reference is gone
 * @obj: the buffer
 *
 * If an importer has left an attachment or a kernel mapping behind, freeing the
 * buffer would be a use-after-free. Nothing is freed in that case: object and
 * exporter module are leaked on purpose, and the release hook is not called.
 *
 * Context: Process context, no locks held: the exporter's release hook may take
 * reservations, mutexes and rwsems.
 */
void dma_buf_object_destroy(struct dma_buf_object *obj)
{
	struct dma_buf *dmabuf = &obj->dmabuf;
	struct module *owner = dmabuf->owner;
	bool waiters;

	trace_dma_buf_release(dmabuf);
	dma_buf_registry_del(obj);
	dma_buf_poll_shutdown(obj);

	/* No user is left who could queue itself, so a lockless look will do. */
	waiters = waitqueue_active(&obj->poll_wait);
	if (WARN_ONCE(waiters || obj->vmaps || !list_empty(&dmabuf->attachments),
		      "buffer %llu of %s released while in use, kept for good\n",
		      dma_buf_ino(dmabuf), dmabuf->exp_name)) {
		dma_buf_keep(obj);
	} else {
		dmabuf->ops->release(dmabuf);
		if (dmabuf->resv == &obj->embedded_resv) {
			dma_resv_fini(dmabuf->resv);
			/* A walk under RCU that starts over must find an end. */
			RCU_INIT_POINTER(dmabuf->resv->fences, NULL);
		}
		module_put(owner);
	}

	/*
	 * The next buffer in this memory must find it as it is left here. Whoever has
	 * the last reference to the dentry frees it, which may be somebody else, and
	 * dput() is relaxed where it drops one that is not the last. Pairs with the
	 * dependency from there to freeing.
	 */
	smp_wmb();
}

/* File system */

static void dma_buf_destroy_inode(struct inode *inode)
{
	struct dma_buf_object *obj = dma_buf_inode_to_object(inode);

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
	struct dma_buf_object *obj = dma_buf_inode_to_object(d_inode(dentry));
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

/**
 * dma_buf_fs_init - make the file system that buffers are allocated from
 * @fops: operations of the files that dma_buf_object_create() makes
 *
 * Return: 0; -ENOMEM, or why the file system cannot be mounted. No buffer can be
 * made after an error.
 */
int __init dma_buf_fs_init(const struct file_operations *fops)
{
	int ret;

	dma_buf_object_fops = fops;

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
