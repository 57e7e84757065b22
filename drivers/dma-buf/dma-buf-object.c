// SPDX-License-Identifier: GPL-2.0-only
/*
 * dma-buf: the object of a buffer, from its creation until its memory is freed.
 *
 * A buffer needs an inode of its own in any case: for the size that user space
 * sees, for the number that identifies the buffer, for the address space that
 * drivers zap their mappings from. The inode is therefore a member of the
 * buffer's private object, and the pseudo file system's slab cache allocates
 * both at once.
 *
 * The memory can serve the next buffer as soon as the VFS is done with the
 * inode, not a grace period later: the VFS asks for such a delay only where an
 * inode can have had a path name, and the registry's walkers do not need it.
 * But the memory remains memory of a buffer for a grace period
 * (SLAB_TYPESAFE_BY_RCU). Lockless readers that are still looking at the old
 * buffer, say at the fences of its embedded reservation, depend on that.
 *
 * dma_buf_alloc_inode() also serves inodes that never become buffers: the root
 * inode, an inode whose initialisation fails, an inode that gets no file. They
 * all end in dma_buf_destroy_inode(), which therefore relies on nothing but
 * what dma_buf_init_once() has set.
 *
 * The inode has no i_fop, so reopening it through /proc/PID/fd fails: a second
 * file would not be the buffer.
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

/* An ERR_PTR() if dma_buf_fs_init() failed; exports fail in that case. */
static struct vfsmount *dma_buf_mnt __ro_after_init;

/* The operations of every buffer's file, see dma_buf_fs_init(). */
static const struct file_operations *dma_buf_object_fops __ro_after_init;

/*
 * dmabuf->file of every leaked buffer points to this file, which is no dma-buf
 * and is never freed. Importers of a leaked buffer may drop more references
 * than they hold. The file therefore starts with DMA_BUF_KEPT_SPARE references,
 * and each leaked buffer adds one.
 */
#define DMA_BUF_KEPT_SPARE	65536
static struct file *dma_buf_kept_file __ro_after_init;
static const struct file_operations dma_buf_kept_fops = { };

/*
 * Memory
 */

/*
 * The state of an unused object. The slab cache runs this constructor once and
 * then uses the memory again and again, so whatever changes one of these
 * members must restore it before the object is freed:
 *
 *	member			restored by
 *
 *	dmabuf.attachments	dma_buf_detach(), of every attachment
 *	dmabuf.name		dma_buf_destroy_inode()
 *	vmaps			dma_buf_vunmap(), by every user
 *	poll_wait		pollers that leave
 *	watches			dma_buf_poll_shutdown()
 *	locks			whoever takes them
 *	inode			the VFS
 *
 * dma_buf_object_destroy() leaks a buffer with an attachment, a kernel mapping
 * or a poller left, so the memory of such a buffer is never used again. It also
 * clears the fences of the embedded reservation, for lockless walkers. The
 * registry, dma_buf_object_init() and dma_resv_init() set all other members of
 * a new buffer.
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

/*
 * Creation and destruction
 */

/*
 * Called before the file exists, so that a lookup through the inode finds these
 * members set.
 */
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
 * dma_buf_object_create - create a buffer and its file
 * @info: arguments of the export, already checked; the caller holds a reference
 *	to the exporter's module
 *
 * Context: Process context, may sleep.
 * Return: an object whose file has one reference, which the caller owns, or an
 * ERR_PTR(): -ENOMEM, -ENFILE, or the error that kept the file system from
 * being mounted. The object still lacks an inode number and a place in the
 * registry.
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
		/* Without a file there is no release: free the memory. */
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
 * Leak a buffer on purpose. Its struct file is about to be freed and reused,
 * but the importer that forgot the buffer may still read dmabuf->file, take a
 * reference or drop one. From now on the pointer leads to a file that is never
 * freed and is no dma-buf. The reference to that file, taken here, replaces one
 * that the importer may still hold to the buffer's file and drop later.
 */
static void dma_buf_keep(struct dma_buf_object *obj)
{
	WRITE_ONCE(obj->dmabuf.file, get_file(dma_buf_kept_file));
	/*
	 * Nobody drops this reference, so the object stays in memory for the
	 * importer that still uses it. ihold() is fully ordered: the KUnit
	 * suite, which waits for the reference with an acquire of i_count, then
	 * also finds the new dmabuf.file.
	 */
	ihold(&obj->inode);
}

/**
 * dma_buf_object_destroy - release a buffer whose last reference is gone
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

	/*
	 * poll() needs a reference to the file, and the last one is gone: no new
	 * poller can queue itself, so a lockless test is sufficient.
	 */
	waiters = waitqueue_active(&obj->poll_wait);
	if (WARN_ONCE(waiters || obj->vmaps || !list_empty(&dmabuf->attachments),
		      "buffer %llu of %s released while in use, kept for good\n",
		      dma_buf_ino(dmabuf), dmabuf->exp_name)) {
		dma_buf_keep(obj);
	} else {
		dmabuf->ops->release(dmabuf);
		if (dmabuf->resv == &obj->embedded_resv) {
			dma_resv_fini(dmabuf->resv);
			/*
			 * dma_resv_fini() has dropped the fences and the list
			 * of them, but left the pointer to that list. Memory of
			 * this cache may be read under RCU without a reference
			 * to the buffer. A walk over the fences that starts or
			 * restarts from here on must find no list, and end:
			 * with the old list it would look for ever for a fence
			 * that is still alive.
			 */
			RCU_INIT_POINTER(dmabuf->resv->fences, NULL);
		}
		module_put(owner);
	}

	/*
	 * The slab reuses this memory without running the constructor again, so
	 * what was restored above (see dma_buf_init_once()) must be visible
	 * before the memory is freed. The dentry frees it, and somebody else may
	 * hold the dentry (O_PATH, a lookup in /proc): then the last dput() runs
	 * on another CPU, after the dput() that follows this function here, which
	 * does not order these stores before its own, as an smp_store_release()
	 * would. Pairs with the control dependency in that last dput(): it frees
	 * only if it has read the count that our dput() left, or a later one.
	 */
	smp_wmb();
}

/*
 * File system
 */

static void dma_buf_destroy_inode(struct inode *inode)
{
	struct dma_buf_object *obj = dma_buf_inode_to_object(inode);

	/*
	 * The release must not free the name: the path of a released buffer can
	 * still be read for as long as its dentry exists.
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
	/* The page cache of the inode is always empty: nothing to truncate. */
	.evict_inode	= clear_inode,
	.destroy_inode	= dma_buf_destroy_inode,
	.statfs		= simple_statfs,
};

/*
 * The path contains the name unescaped. The files of /proc that list paths
 * escape a newline themselves, and readlink() does not escape the path of any
 * file.
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

	/* Debuggers must not take this file for a buffer: those start at 2. */
	inode->i_ino = 1;
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
 * dma_buf_fs_init - mount the file system that buffers are allocated from
 * @fops: operations of the files that dma_buf_object_create() creates
 *
 * Return: 0; -ENOMEM, or the error of the mount. After an error every export
 * fails.
 */
int __init dma_buf_fs_init(const struct file_operations *fops)
{
	int ret;

	dma_buf_object_fops = fops;

	/*
	 * User space decides how many buffers exist: account them to its memcg.
	 */
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
