// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sample importer. It maps any DMA buffer for its device, and reads the buffer
 * by the CPU.
 *
 * The device does not exist and does no DMA. The importer is a static one: while
 * it has a mapping, the memory does not move.
 */
#include <linux/dma-buf.h>
#include <linux/dma-mapping.h>
#include <linux/fs.h>
#include <linux/iosys-map.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/platform_device.h>
#include <linux/scatterlist.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "dmabuf-sample.h"

/* An open file has at most one buffer. Without one, all three pointers are NULL. */
struct sample_file {
	struct mutex lock;	/* guards the pointers; taken before a reservation */
	struct dma_buf *dmabuf;
	struct dma_buf_attachment *attach;
	struct sg_table *sgt;
};

static struct platform_device *sample_pdev;

/* [attach] */
static int sample_attach(struct sample_file *sf, int fd)
{
	struct dma_buf_attachment *attach;
	struct dma_buf *dmabuf;

	/* An attachment holds no reference, so keep this one until sample_detach(). */
	dmabuf = dma_buf_get(fd);
	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);

	attach = dma_buf_attach(dmabuf, &sample_pdev->dev);
	if (IS_ERR(attach)) {
		dma_buf_put(dmabuf);
		return PTR_ERR(attach);
	}

	sf->dmabuf = dmabuf;
	sf->attach = attach;
	return 0;
}

/* [attach end] */

/* [map] */
static int sample_map(struct sample_file *sf)
{
	struct sg_table *sgt;

	sgt = dma_buf_map_attachment_unlocked(sf->attach, DMA_BIDIRECTIONAL);
	if (IS_ERR(sgt))
		return PTR_ERR(sgt);

	sf->sgt = sgt;
	return 0;
}

/* A driver programs its device with these addresses and lengths. */
static void sample_describe(struct sample_file *sf, struct dmabuf_sample_describe *desc)
{
	struct scatterlist *sg;
	int i;

	for_each_sgtable_dma_sg(sf->sgt, sg, i) {
		dev_dbg(&sample_pdev->dev, "%pad: %u bytes\n",
			&sg_dma_address(sg), sg_dma_len(sg));
		desc->bytes += sg_dma_len(sg);
		desc->segments++;
	}
}

/* [map end] */

/* [detach] */
static void sample_detach(struct sample_file *sf)
{
	/*
	 * There is no mapping if sample_map() failed. A real driver must stop
	 * its device before it unmaps.
	 */
	if (sf->sgt)
		dma_buf_unmap_attachment_unlocked(sf->attach, sf->sgt,
						  DMA_BIDIRECTIONAL);
	dma_buf_detach(sf->dmabuf, sf->attach);
	dma_buf_put(sf->dmabuf);

	sf->sgt = NULL;
	sf->attach = NULL;
	sf->dmabuf = NULL;
}

/* [detach end] */

/* The caller has begun a CPU access. @map is a kernel mapping of the buffer. */
static int sample_sum_bytes(const struct iosys_map *map, size_t size, u64 *sum)
{
	size_t offset, len, i;
	int ret = 0;
	u8 *bounce;

	/* The buffer may be I/O memory, which a plain pointer must not access. */
	bounce = kmalloc(PAGE_SIZE, GFP_KERNEL);
	if (!bounce)
		return -ENOMEM;

	for (offset = 0; offset < size; offset += len) {
		len = min_t(size_t, size - offset, PAGE_SIZE);
		iosys_map_memcpy_from(bounce, map, offset, len);
		for (i = 0; i < len; i++)
			*sum += bounce[i];

		/* Buffers of other exporters may have any size, so stay killable. */
		if (fatal_signal_pending(current)) {
			ret = -EINTR;
			break;
		}
		cond_resched();
	}

	kfree(bounce);
	return ret;
}

/* [cpu] */
static int sample_sum(struct sample_file *sf, u64 *sum)
{
	struct iosys_map map;
	int ret, err;

	ret = dma_buf_vmap_unlocked(sf->dmabuf, &map);
	if (ret)
		return ret;

	/* Waits for devices that write. If it fails, do not end the access. */
	ret = dma_buf_begin_cpu_access(sf->dmabuf, DMA_FROM_DEVICE);
	if (ret)
		goto out_vunmap;

	ret = sample_sum_bytes(&map, sf->dmabuf->size, sum);

	err = dma_buf_end_cpu_access(sf->dmabuf, DMA_FROM_DEVICE);
	if (!ret)
		ret = err;
out_vunmap:
	dma_buf_vunmap_unlocked(sf->dmabuf, &map);
	return ret;
}

/* [cpu end] */

static int sample_connect(struct sample_file *sf, int fd)
{
	int ret;

	if (sf->dmabuf)
		return -EBUSY;

	ret = sample_attach(sf, fd);
	if (ret)
		return ret;

	ret = sample_map(sf);
	if (ret)
		sample_detach(sf);
	return ret;
}

static long sample_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct dmabuf_sample_describe desc = { };
	struct sample_file *sf = file->private_data;
	void __user *uarg = (void __user *)arg;
	u64 sum = 0;
	s32 fd = -1;
	int ret;

	if (cmd == DMABUF_SAMPLE_ATTACH && copy_from_user(&fd, uarg, sizeof(fd)))
		return -EFAULT;

	/* Held for the whole request, so that no other thread detaches meanwhile. */
	if (mutex_lock_interruptible(&sf->lock))
		return -ERESTARTSYS;

	ret = sf->dmabuf ? 0 : -ENXIO;
	switch (cmd) {
	case DMABUF_SAMPLE_ATTACH:
		ret = sample_connect(sf, fd);
		break;
	case DMABUF_SAMPLE_DESCRIBE:
		if (!ret)
			sample_describe(sf, &desc);
		break;
	case DMABUF_SAMPLE_SUM:
		if (!ret)
			ret = sample_sum(sf, &sum);
		break;
	case DMABUF_SAMPLE_DETACH:
		if (!ret)
			sample_detach(sf);
		break;
	default:
		ret = -ENOTTY;
	}
	mutex_unlock(&sf->lock);

	if (ret)
		return ret;
	if (cmd == DMABUF_SAMPLE_DESCRIBE && copy_to_user(uarg, &desc, sizeof(desc)))
		return -EFAULT;
	if (cmd == DMABUF_SAMPLE_SUM && copy_to_user(uarg, &sum, sizeof(sum)))
		return -EFAULT;
	return 0;
}

static int sample_open(struct inode *inode, struct file *file)
{
	struct sample_file *sf;

	sf = kzalloc(sizeof(*sf), GFP_KERNEL);
	if (!sf)
		return -ENOMEM;

	mutex_init(&sf->lock);
	file->private_data = sf;
	return 0;
}

/* This is the last user of the file, so the lock is not needed. */
static int sample_release(struct inode *inode, struct file *file)
{
	struct sample_file *sf = file->private_data;

	if (sf->dmabuf)
		sample_detach(sf);
	mutex_destroy(&sf->lock);
	kfree(sf);
	return 0;
}

static const struct file_operations sample_fops = {
	.owner = THIS_MODULE,
	.open = sample_open,
	.release = sample_release,
	.unlocked_ioctl = sample_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};

static struct miscdevice sample_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "dmabuf-sample-importer",
	.fops = &sample_fops,
};

static int __init sample_init(void)
{
	const struct platform_device_info info = {
		.name = "dmabuf-sample-importer",
		.id = PLATFORM_DEVID_NONE,
		.dma_mask = DMA_BIT_MASK(64),
	};
	int ret;

	sample_pdev = platform_device_register_full(&info);
	if (IS_ERR(sample_pdev))
		return PTR_ERR(sample_pdev);
	/* This device can take segments of any length. */
	dma_set_max_seg_size(&sample_pdev->dev, UINT_MAX);

	ret = misc_register(&sample_misc);
	if (ret)
		platform_device_unregister(sample_pdev);
	return ret;
}
module_init(sample_init);

/* An open file holds a reference to the module, so nothing is attached now. */
static void __exit sample_exit(void)
{
	misc_deregister(&sample_misc);
	platform_device_unregister(sample_pdev);
}
module_exit(sample_exit);

MODULE_DESCRIPTION("Sample of an importer of DMA buffers");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS(DMA_BUF);
