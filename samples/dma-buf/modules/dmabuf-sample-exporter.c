// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sample exporter of system memory, which it allocates page by page.
 *
 * The memory never moves, so the exporter needs no hooks to pin it. The memory
 * is allocated with the buffer, and freed when the buffer is released after its
 * last user.
 */
#include <linux/dma-buf.h>
#include <linux/dma-mapping.h>
#include <linux/dma-resv.h>
#include <linux/fcntl.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/highmem.h>
#include <linux/iosys-map.h>
#include <linux/list.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>

#include "dmabuf-sample.h"

/* A buffer's memory, in dma_buf.priv */
struct sample_buffer {
	/* The buffer's reservation guards these two. */
	struct list_head mappings;
	void *vaddr;
	unsigned int n_pages;
	struct page *pages[] __counted_by(n_pages);
};

/* One mapping for one device. Each has a table of its own. */
struct sample_mapping {
	struct list_head node;
	struct sg_table sgt;
	struct device *dev;
	enum dma_data_direction dir;
};

static size_t sample_size(const struct sample_buffer *buf)
{
	return (size_t)buf->n_pages << PAGE_SHIFT;
}

static void sample_free(struct sample_buffer *buf)
{
	unsigned int i;

	/* If an allocation failed, only the pages before it are present. */
	for (i = 0; i < buf->n_pages && buf->pages[i]; i++)
		__free_page(buf->pages[i]);
	kvfree(buf);
}

static struct sample_buffer *sample_alloc(size_t size)
{
	/* User space decides how many buffers exist: account them to its memcg. */
	const gfp_t gfp = GFP_HIGHUSER | __GFP_ZERO | __GFP_ACCOUNT;
	unsigned int n_pages = DIV_ROUND_UP(size, PAGE_SIZE);
	struct sample_buffer *buf;
	unsigned int i;

	buf = kvzalloc(struct_size(buf, pages, n_pages), GFP_KERNEL_ACCOUNT);
	if (!buf)
		return NULL;

	INIT_LIST_HEAD(&buf->mappings);
	buf->n_pages = n_pages;
	for (i = 0; i < n_pages; i++) {
		buf->pages[i] = alloc_page(gfp);
		if (!buf->pages[i]) {
			sample_free(buf);
			return NULL;
		}
	}
	return buf;
}

static struct sg_table *sample_map(struct dma_buf_attachment *attach,
				   enum dma_data_direction dir)
{
	struct sample_buffer *buf = attach->dmabuf->priv;
	struct sample_mapping *m;
	size_t max_segment;
	int ret;

	m = kzalloc(sizeof(*m), GFP_KERNEL);
	if (!m)
		return ERR_PTR(-ENOMEM);

	/* Merge contiguous pages into segments no longer than the device allows. */
	max_segment = min_t(size_t, dma_get_max_seg_size(attach->dev),
			    dma_max_mapping_size(attach->dev));
	ret = sg_alloc_table_from_pages_segment(&m->sgt, buf->pages, buf->n_pages,
						0, sample_size(buf), max_segment,
						GFP_KERNEL);
	if (ret)
		goto err_free;

	ret = dma_map_sgtable(attach->dev, &m->sgt, dir, 0);
	if (ret)
		goto err_table;

	m->dev = attach->dev;
	m->dir = dir;
	/*
	 * Importers must hold the reservation when they map and unmap, so it
	 * guards the list here and in sample_unmap(). An exporter that cannot
	 * rely on all its importers needs a lock of its own.
	 */
	list_add(&m->node, &buf->mappings);
	return &m->sgt;

err_table:
	sg_free_table(&m->sgt);
err_free:
	kfree(m);
	return ERR_PTR(ret);
}

static void sample_unmap(struct dma_buf_attachment *attach, struct sg_table *sgt,
			 enum dma_data_direction dir)
{
	struct sample_mapping *m = container_of(sgt, struct sample_mapping, sgt);

	list_del(&m->node);
	dma_unmap_sgtable(m->dev, &m->sgt, m->dir, 0);
	sg_free_table(&m->sgt);
	kfree(m);
}

/* [caches] */
/*
 * Synchronise caches and bounce buffers for every direction of an access. Even
 * before an access that only writes, the CPU must see what devices wrote: if the
 * CPU writes a part of the buffer, the end of the access passes the whole buffer
 * to the devices.
 *
 * If several devices with bounce buffers write between two accesses, their data
 * cannot be merged. Each device has a copy of the whole buffer, and the copy
 * that is synchronised last overwrites the others.
 *
 * dma_sync_sgtable_*() takes the direction of the mapping, not the direction of
 * the access.
 */
static int sample_begin_cpu_access(struct dma_buf *dmabuf,
				   enum dma_data_direction dir)
{
	struct sample_buffer *buf = dmabuf->priv;
	struct sample_mapping *m;

	/*
	 * The core does not hold the reservation here. Without it, a mapping
	 * could be freed while it is synchronised.
	 */
	if (dma_resv_lock_interruptible(dmabuf->resv, NULL))
		return -ERESTARTSYS;

	list_for_each_entry(m, &buf->mappings, node)
		dma_sync_sgtable_for_cpu(m->dev, &m->sgt, m->dir);
	/* The kernel mapping is an alias, which some caches do not keep coherent. */
	if (buf->vaddr)
		invalidate_kernel_vmap_range(buf->vaddr, sample_size(buf));

	dma_resv_unlock(dmabuf->resv);
	return 0;
}

static int sample_end_cpu_access(struct dma_buf *dmabuf, enum dma_data_direction dir)
{
	struct sample_buffer *buf = dmabuf->priv;
	struct sample_mapping *m;

	/* Not interruptible: devices must see what the CPU wrote in any case. */
	dma_resv_lock(dmabuf->resv, NULL);

	if (buf->vaddr)
		flush_kernel_vmap_range(buf->vaddr, sample_size(buf));
	list_for_each_entry(m, &buf->mappings, node)
		dma_sync_sgtable_for_device(m->dev, &m->sgt, m->dir);

	dma_resv_unlock(dmabuf->resv);
	return 0;
}

/* [caches end] */

static int sample_mmap(struct dma_buf *dmabuf, struct vm_area_struct *vma)
{
	struct sample_buffer *buf = dmabuf->priv;

	/* Reject a private mapping: devices would not see its changes. */
	if (!(vma->vm_flags & VM_MAYSHARE))
		return -EINVAL;

	/* All pages are present, so map them now instead of in a fault handler. */
	return vm_map_pages(vma, buf->pages, buf->n_pages);
}

static int sample_vmap(struct dma_buf *dmabuf, struct iosys_map *map)
{
	struct sample_buffer *buf = dmabuf->priv;

	/* The core counts the users, and calls this hook for the first one only. */
	buf->vaddr = vmap(buf->pages, buf->n_pages, VM_MAP, PAGE_KERNEL);
	if (!buf->vaddr)
		return -ENOMEM;

	iosys_map_set_vaddr(map, buf->vaddr);
	return 0;
}

static void sample_vunmap(struct dma_buf *dmabuf, struct iosys_map *map)
{
	struct sample_buffer *buf = dmabuf->priv;

	vunmap(buf->vaddr);
	buf->vaddr = NULL;
}

static void sample_release(struct dma_buf *dmabuf)
{
	sample_free(dmabuf->priv);
}

static const struct dma_buf_ops sample_ops = {
	.map_dma_buf = sample_map,
	.unmap_dma_buf = sample_unmap,
	.begin_cpu_access = sample_begin_cpu_access,
	.end_cpu_access = sample_end_cpu_access,
	.mmap = sample_mmap,
	.vmap = sample_vmap,
	.vunmap = sample_vunmap,
	.release = sample_release,
};

/* [export] */
static struct dma_buf *sample_export(size_t size)
{
	DEFINE_DMA_BUF_EXPORT_INFO(info);
	struct sample_buffer *buf;
	struct dma_buf *dmabuf;

	buf = sample_alloc(size);
	if (!buf)
		return ERR_PTR(-ENOMEM);

	info.ops = &sample_ops;
	info.size = sample_size(buf);
	info.flags = O_RDWR;	/* otherwise no program can map it for writing */
	info.priv = buf;

	dmabuf = dma_buf_export(&info);
	if (IS_ERR(dmabuf))
		sample_free(buf);	/* after success, the release hook frees it */
	return dmabuf;
}

/* [export end] */

/* [fd] */
static long sample_create(struct dmabuf_sample_create __user *uarg)
{
	struct dmabuf_sample_create arg;
	struct dma_buf *dmabuf;
	int fd;

	if (copy_from_user(&arg, uarg, sizeof(arg)))
		return -EFAULT;
	if (!arg.size || arg.size > DMABUF_SAMPLE_MAX_SIZE || arg.flags & ~O_CLOEXEC)
		return -EINVAL;

	fd = get_unused_fd_flags(arg.flags);
	if (fd < 0)
		return fd;

	dmabuf = sample_export(arg.size);
	if (IS_ERR(dmabuf)) {
		put_unused_fd(fd);
		return PTR_ERR(dmabuf);
	}

	arg.size = dmabuf->size;
	arg.fd = fd;
	if (copy_to_user(uarg, &arg, sizeof(arg))) {
		/* No program has seen the buffer. The release hook frees the memory. */
		dma_buf_put(dmabuf);
		put_unused_fd(fd);
		return -EFAULT;
	}

	/* Last, as this cannot be undone: other threads can use the buffer now. */
	dma_buf_fd_install(dmabuf, fd);
	return 0;
}

/* [fd end] */

static long sample_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	switch (cmd) {
	case DMABUF_SAMPLE_CREATE:
		return sample_create((void __user *)arg);
	default:
		return -ENOTTY;
	}
}

static const struct file_operations sample_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = sample_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};

static struct miscdevice sample_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "dmabuf-sample-exporter",
	.fops = &sample_fops,
};

/* Each buffer holds a reference to the module, so no buffer exists at unload. */
module_misc_device(sample_misc);

/* [module] */
MODULE_DESCRIPTION("Sample of an exporter of DMA buffers");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS(DMA_BUF);
