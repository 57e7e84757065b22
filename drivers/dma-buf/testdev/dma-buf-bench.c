// SPDX-License-Identifier: GPL-2.0-only
/*
 * dma-buf: the part of the benchmark that runs in the kernel.
 *
 * The hooks of its exporter do next to nothing, and its importer does nothing
 * but call the core, so the benchmark measures the core. The module uses nothing
 * of the core but the public header, so it can measure any core with that
 * header. dma-buf-bench.h describes the requests of programs.
 */
#include <linux/anon_inodes.h>
#include <linux/cleanup.h>
#include <linux/delay.h>
#include <linux/dma-buf.h>
#include <linux/dma-resv.h>
#include <linux/fdtable.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/iosys-map.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/rcupdate.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>
#include <linux/timex.h>
#include <linux/uaccess.h>
#include <linux/vmstat.h>

#include "dma-buf-bench.h"

/* More buffers than fit into the memory of a machine that runs this */
#define BENCH_HOLD_MAX	1000000
/* Longer than any run holds a reservation */
#define BENCH_OCCUPY_MS_MAX	60000

struct bench {
	struct mutex lock;	/* guards the held buffers */
	struct dma_buf **held;
	unsigned int count;
};

/* The exporter. This one page is the memory of all its buffers. */
static struct page *bench_page;
static struct sg_table bench_table;
static struct miscdevice bench_misc;

static struct sg_table *bench_map(struct dma_buf_attachment *attach,
				  enum dma_data_direction dir)
{
	return &bench_table;
}

static void bench_unmap(struct dma_buf_attachment *attach,
			struct sg_table *table, enum dma_data_direction dir)
{
}

static int bench_vmap(struct dma_buf *dmabuf, struct iosys_map *map)
{
	iosys_map_set_vaddr(map, page_address(bench_page));
	return 0;
}

static void bench_release_buffer(struct dma_buf *dmabuf)
{
}

static const struct dma_buf_ops bench_ops = {
	.map_dma_buf = bench_map,
	.unmap_dma_buf = bench_unmap,
	.vmap = bench_vmap,
	.release = bench_release_buffer,
};

static struct dma_buf *bench_export(void)
{
	DEFINE_DMA_BUF_EXPORT_INFO(info);

	info.ops = &bench_ops;
	info.size = PAGE_SIZE;
	info.flags = O_RDWR | O_CLOEXEC;
	info.priv = &bench_misc;
	return dma_buf_export(&info);
}

static const struct file_operations bench_anon_fops = {
	.owner = THIS_MODULE,
};

/*
 * Repeat a statement until it sets ret, or for all rounds. Each operation has
 * its own loop, because a call through a pointer would add to the measured time.
 * In a batch of thousands, an occasional wait for a processor hardly matters.
 */
#define bench_rounds(run, ret, ...)					\
	do {								\
		struct dma_buf_bench_run *r = (run);			\
		unsigned int left = r->rounds;				\
		u64 began = get_cycles();				\
									\
		do {							\
			__VA_ARGS__;					\
		} while (!(ret) && --left);				\
		r->cycles = get_cycles() - began;			\
	} while (0)

static int bench_export_put(struct dma_buf_bench_run *run)
{
	struct dma_buf *dmabuf;
	int ret = 0;

	/*
	 * Release the file at once: fput() would defer that to the end of the
	 * ioctl.
	 */
	bench_rounds(run, ret, ({
		dmabuf = bench_export();
		ret = PTR_ERR_OR_ZERO(dmabuf);
		if (!ret)
			__fput_sync(dmabuf->file);
	}));
	return ret;
}

static int bench_anon_file_put(struct dma_buf_bench_run *run)
{
	struct file *file;
	int ret = 0;

	bench_rounds(run, ret, ({
		file = anon_inode_create_getfile("[dma_buf_bench]", &bench_anon_fops,
						 NULL, O_RDWR, NULL);
		ret = PTR_ERR_OR_ZERO(file);
		if (!ret)
			__fput_sync(file);
	}));
	return ret;
}

static int bench_get_put(struct dma_buf_bench_run *run, struct dma_buf *dmabuf)
{
	int fd, ret = 0;

	/* dma_buf_fd() passes a reference to the descriptor. */
	get_dma_buf(dmabuf);
	fd = dma_buf_fd(dmabuf, O_CLOEXEC);
	if (fd < 0) {
		dma_buf_put(dmabuf);
		return fd;
	}
	bench_rounds(run, ret, ({
		dmabuf = dma_buf_get(fd);
		ret = PTR_ERR_OR_ZERO(dmabuf);
		if (!ret)
			dma_buf_put(dmabuf);
	}));
	close_fd(fd);
	return ret;
}

static int bench_attach_detach(struct dma_buf_bench_run *run,
			       struct dma_buf *dmabuf)
{
	struct dma_buf_attachment *attach;
	int ret = 0;

	bench_rounds(run, ret, ({
		attach = dma_buf_attach(dmabuf, bench_misc.this_device);
		ret = PTR_ERR_OR_ZERO(attach);
		if (!ret)
			dma_buf_detach(dmabuf, attach);
	}));
	return ret;
}

/* Inlined, so that a call of this function does not add to the measured time. */
static __always_inline int bench_map_once(struct dma_buf_attachment *attach)
{
	struct sg_table *table;

	table = dma_buf_map_attachment_unlocked(attach, DMA_BIDIRECTIONAL);
	if (IS_ERR(table))
		return PTR_ERR(table);
	dma_buf_unmap_attachment_unlocked(attach, table, DMA_BIDIRECTIONAL);
	return 0;
}

static int bench_map_unmap(struct dma_buf_bench_run *run, struct dma_buf *dmabuf)
{
	struct dma_buf_attachment *attach;
	int ret = 0;

	attach = dma_buf_attach(dmabuf, bench_misc.this_device);
	if (IS_ERR(attach))
		return PTR_ERR(attach);
	bench_rounds(run, ret, ret = bench_map_once(attach));
	dma_buf_detach(dmabuf, attach);
	return ret;
}

static int bench_import_cycle(struct dma_buf_bench_run *run,
			      struct dma_buf *dmabuf)
{
	struct dma_buf_attachment *attach;
	int ret = 0;

	bench_rounds(run, ret, ({
		attach = dma_buf_attach(dmabuf, bench_misc.this_device);
		ret = PTR_ERR_OR_ZERO(attach);
		if (ret)
			break;
		ret = bench_map_once(attach);
		dma_buf_detach(dmabuf, attach);
	}));
	return ret;
}

static int bench_vmap_vunmap(struct dma_buf_bench_run *run,
			     struct dma_buf *dmabuf)
{
	struct iosys_map map;
	int ret = 0;

	bench_rounds(run, ret, ({
		ret = dma_buf_vmap_unlocked(dmabuf, &map);
		if (!ret)
			dma_buf_vunmap_unlocked(dmabuf, &map);
	}));
	return ret;
}

static int bench_cpu_access(struct dma_buf_bench_run *run,
			    struct dma_buf *dmabuf)
{
	int ret = 0;

	bench_rounds(run, ret, ({
		ret = dma_buf_begin_cpu_access(dmabuf, DMA_BIDIRECTIONAL);
		if (!ret)
			ret = dma_buf_end_cpu_access(dmabuf, DMA_BIDIRECTIONAL);
	}));
	return ret;
}

static int (* const bench_ops_of_one_buffer[DMA_BUF_BENCH_OPS])
		(struct dma_buf_bench_run *run, struct dma_buf *dmabuf) = {
	[DMA_BUF_BENCH_GET_PUT]		= bench_get_put,
	[DMA_BUF_BENCH_ATTACH_DETACH]	= bench_attach_detach,
	[DMA_BUF_BENCH_MAP_UNMAP]	= bench_map_unmap,
	[DMA_BUF_BENCH_IMPORT_CYCLE]	= bench_import_cycle,
	[DMA_BUF_BENCH_VMAP_VUNMAP]	= bench_vmap_vunmap,
	[DMA_BUF_BENCH_CPU_ACCESS]	= bench_cpu_access,
};

static long bench_ioctl_run(void __user *arg)
{
	struct dma_buf_bench_run run;
	struct dma_buf *dmabuf;
	int ret;

	if (copy_from_user(&run, arg, sizeof(run)))
		return -EFAULT;
	if (!run.rounds || run.op >= DMA_BUF_BENCH_OPS)
		return -EINVAL;

	switch (run.op) {
	case DMA_BUF_BENCH_EXPORT_PUT:
		ret = bench_export_put(&run);
		break;
	case DMA_BUF_BENCH_ANON_FILE_PUT:
		ret = bench_anon_file_put(&run);
		break;
	default:
		dmabuf = bench_export();
		if (IS_ERR(dmabuf))
			return PTR_ERR(dmabuf);
		ret = bench_ops_of_one_buffer[run.op](&run, dmabuf);
		dma_buf_put(dmabuf);
	}
	if (ret)
		return ret;
	return copy_to_user(arg, &run, sizeof(run)) ? -EFAULT : 0;
}

static long bench_ioctl_export(void)
{
	struct dma_buf *dmabuf = bench_export();
	int fd;

	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);
	fd = dma_buf_fd(dmabuf, O_CLOEXEC);
	if (fd < 0)
		dma_buf_put(dmabuf);
	return fd;
}

/* Returns the size of the slabs after all pending RCU callbacks have freed memory. */
static s64 bench_slab_bytes(void)
{
	rcu_barrier();
	return (s64)(global_node_page_state_pages(NR_SLAB_RECLAIMABLE_B) +
		     global_node_page_state_pages(NR_SLAB_UNRECLAIMABLE_B)) *
	       PAGE_SIZE;
}

static void bench_drop(struct bench *bench)
{
	while (bench->count)
		__fput_sync(bench->held[--bench->count]->file);
	kvfree(bench->held);
	bench->held = NULL;
}

static long bench_ioctl_hold(struct bench *bench, void __user *arg)
{
	struct dma_buf_bench_hold hold;
	struct dma_buf *dmabuf;

	if (copy_from_user(&hold, arg, sizeof(hold)))
		return -EFAULT;
	if (hold.count > BENCH_HOLD_MAX || hold.reserved)
		return -EINVAL;

	guard(mutex)(&bench->lock);
	bench_drop(bench);
	if (hold.count) {
		bench->held = kvcalloc(hold.count, sizeof(*bench->held), GFP_KERNEL);
		if (!bench->held)
			return -ENOMEM;
	}
	hold.slab_bytes = -bench_slab_bytes();
	while (bench->count < hold.count) {
		dmabuf = bench_export();
		if (IS_ERR(dmabuf)) {
			bench_drop(bench);
			return PTR_ERR(dmabuf);
		}
		bench->held[bench->count++] = dmabuf;
		cond_resched();
	}
	hold.slab_bytes += bench_slab_bytes();
	return copy_to_user(arg, &hold, sizeof(hold)) ? -EFAULT : 0;
}

static long bench_ioctl_occupy(void __user *arg)
{
	struct dma_buf_bench_occupy occupy;
	struct dma_buf *dmabuf;

	if (copy_from_user(&occupy, arg, sizeof(occupy)))
		return -EFAULT;
	if (occupy.ms > BENCH_OCCUPY_MS_MAX)
		return -EINVAL;

	dmabuf = dma_buf_get(occupy.fd);
	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);
	dma_resv_lock(dmabuf->resv, NULL);
	msleep_interruptible(occupy.ms);
	dma_resv_unlock(dmabuf->resv);
	dma_buf_put(dmabuf);
	return 0;
}

static long bench_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	void __user *uarg = (void __user *)arg;

	switch (cmd) {
	case DMA_BUF_BENCH_NOP:
		return 0;
	case DMA_BUF_BENCH_EXPORT:
		return bench_ioctl_export();
	case DMA_BUF_BENCH_RUN:
		return bench_ioctl_run(uarg);
	case DMA_BUF_BENCH_HOLD:
		return bench_ioctl_hold(file->private_data, uarg);
	case DMA_BUF_BENCH_OCCUPY:
		return bench_ioctl_occupy(uarg);
	default:
		return -ENOTTY;
	}
}

static int bench_open(struct inode *inode, struct file *file)
{
	struct bench *bench = kzalloc(sizeof(*bench), GFP_KERNEL);

	if (!bench)
		return -ENOMEM;
	mutex_init(&bench->lock);
	file->private_data = bench;
	return 0;
}

static int bench_release(struct inode *inode, struct file *file)
{
	struct bench *bench = file->private_data;

	bench_drop(bench);
	mutex_destroy(&bench->lock);
	kfree(bench);
	return 0;
}

static const struct file_operations bench_fops = {
	.owner = THIS_MODULE,
	.open = bench_open,
	.release = bench_release,
	.unlocked_ioctl = bench_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};

static struct miscdevice bench_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "dma_buf_bench",
	.fops = &bench_fops,
	/* For root only: the device uses as much time and memory as asked. */
	.mode = 0600,
};

static int __init bench_init(void)
{
	int ret;

	bench_page = alloc_page(GFP_KERNEL | __GFP_ZERO);
	if (!bench_page)
		return -ENOMEM;
	ret = sg_alloc_table(&bench_table, 1, GFP_KERNEL);
	if (ret)
		goto free_page;
	sg_set_page(bench_table.sgl, bench_page, PAGE_SIZE, 0);
	ret = misc_register(&bench_misc);
	if (ret)
		goto free_table;
	return 0;

free_table:
	sg_free_table(&bench_table);
free_page:
	__free_page(bench_page);
	return ret;
}
module_init(bench_init);

static void __exit bench_exit(void)
{
	misc_deregister(&bench_misc);
	sg_free_table(&bench_table);
	__free_page(bench_page);
}
module_exit(bench_exit);

MODULE_DESCRIPTION("Benchmark of the dma-buf core");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS(DMA_BUF);
