// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sample of an exporter: makes DMA buffers of system memory, page by page.
 *
 * The memory never moves, so there are no hooks to pin it. It is allocated when
 * the buffer is made and freed when the last user of the buffer is gone.
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

/* What dma_buf.priv stands for. */
struct sample_buffer {
	/* These two are guarded by the buffer's reservation. */
	struct list_head mappings;
	void *vaddr;
	unsigned int n_pages;
	struct page *pages[] __counted_by(n_pages);
};

/* One mapping for one device. The table comes with it, and is nobody else's. */
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

	/* There may be fewer pages than planned if one could not be had. */
	for (i = 0; i < buf->n_pages && buf->pages[i]; i++)
		__free_page(buf->pages[i]);
	kvfree(buf);
}

static struct sample_buffer *sample_alloc(size_t size)
{
	/* Who asks for buffers pays for them: their cgroup is charged. */
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

	/* Neighbouring pages become one segment, up to what the device takes. */
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
	 * The reservation is held, here and in sample_unmap(): importers have to.
	 * An exporter that cannot be sure of all of them needs a lock of its own.
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
 * Caches, and bounce buffers where there are any, are dealt with whatever the
 * direction of the access is. For an access that only writes, too, the CPU has
 * to see what devices wrote: it may write a part of the buffer, and the rest
 * goes back to the devices together with that.
 *
 * What several devices with bounce buffers write between two accesses cannot be put
 * together: each has a copy of the whole buffer, and the last one synced stays.
 *
 * The direction of dma_sync_sgtable_*() is the one which the device was mapped
 * with, and not the one of the access.
 */
static int sample_begin_cpu_access(struct dma_buf *dmabuf,
				   enum dma_data_direction dir)
{
	struct sample_buffer *buf = dmabuf->priv;
	struct sample_mapping *m;

	/* Not held by the core; mappings must not go while they are synced. */
	if (dma_resv_lock_interruptible(dmabuf->resv, NULL))
		return -ERESTARTSYS;

	list_for_each_entry(m, &buf->mappings, node)
		dma_sync_sgtable_for_cpu(m->dev, &m->sgt, m->dir);
	/* The kernel's address is an alias, which some caches have to be told. */
	if (buf->vaddr)
		invalidate_kernel_vmap_range(buf->vaddr, sample_size(buf));

	dma_resv_unlock(dmabuf->resv);
	return 0;
}

static int sample_end_cpu_access(struct dma_buf *dmabuf, enum dma_data_direction dir)
{
	struct sample_buffer *buf = dmabuf->priv;
	struct sample_mapping *m;

	/* Not interruptible: what the CPU wrote has to get out in any case. */
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

	/* What is written to a private map would be seen by no device. */
	if (!(vma->vm_flags & VM_MAYSHARE))
		return -EINVAL;

	/* All pages are there, so there is no need to wait for faults. */
	return vm_map_pages(vma, buf->pages, buf->n_pages);
}

static int sample_vmap(struct dma_buf *dmabuf, struct iosys_map *map)
{
	struct sample_buffer *buf = dmabuf->priv;

	/* For the first user only: the core counts them. */
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
	info.flags = O_RDWR;	/* without it, no program could write to a map */
	info.priv = buf;

	dmabuf = dma_buf_export(&info);
	if (IS_ERR(dmabuf))
		sample_free(buf);	/* still ours; from now on, it is not */
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
		/* Nobody has seen the buffer. The release hook frees the memory. */
		dma_buf_put(dmabuf);
		put_unused_fd(fd);
		return -EFAULT;
	}

	/* Last, as it cannot be undone: now other threads can use the buffer. */
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

/* Each buffer holds a reference to the module, so none is left at unload. */
module_misc_device(sample_misc);

/* [module] */
MODULE_DESCRIPTION("Sample of an exporter of DMA buffers");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS(DMA_BUF);
