// SPDX-License-Identifier: GPL-2.0-only
/*
 * dma-buf: /sys/kernel/debug/dma_buf/bufinfo, a list of all live buffers for
 * debugging. Programs parse the list, so its columns and totals must not
 * change.
 *
 * A reader takes a reference to one buffer, prints that buffer, drops the
 * reference and goes on to the next. It takes no reservation, so it neither
 * waits for drivers nor makes them wait. Between two read() calls a cursor
 * remembers the position without a reference, so an idle reader keeps no buffer
 * alive.
 */
#include <linux/debugfs.h>
#include <linux/dma-buf.h>
#include <linux/dma-resv.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/init.h>
#include <linux/seq_file.h>

#include "dma-buf-internal.h"

/**
 * struct dma_buf_bufinfo - state of one open bufinfo
 * @cursor: stands before the buffer that is being printed or comes next
 * @objects: number of buffers printed so far; -1 after the totals
 * @bytes: sum of the sizes of these buffers
 *
 * The lock of the seq_file serialises the readers of one open file.
 */
struct dma_buf_bufinfo {
	struct dma_buf_cursor cursor;
	int objects;
	size_t bytes;
};

/* The records are the heading (SEQ_START_TOKEN), the buffers, the totals. */
static char dma_buf_bufinfo_totals;
#define DMA_BUF_TOTALS_TOKEN	((void *)&dma_buf_bufinfo_totals)

static void dma_buf_show_buffer(struct seq_file *m, struct dma_buf *dmabuf)
{
	struct file *file = dmabuf->file;
	char name[DMA_BUF_NAME_LEN];

	/* Do not count the reference that this read holds. */
	seq_printf(m, "%08zu\t%08x\t%08x\t%08ld\t%s\t%08llu\t",
		   dmabuf->size, file->f_flags, (__force unsigned int)file->f_mode,
		   (long)file_count(file) - 1, dmabuf->exp_name,
		   (u64)file_inode(file)->i_ino);
	if (dma_buf_copy_name(dmabuf, name))
		dma_buf_show_escaped(m, name);
	else
		seq_puts(m, "<none>");
	seq_putc(m, '\n');

	/* A driver that holds the reservation may be changing what follows. */
	if (dma_resv_is_locked(dmabuf->resv))
		seq_puts(m, "\treservation held\n");
	dma_buf_show_fences(m, dmabuf);
	dma_buf_show_devices(m, dmabuf);
}

static int dma_buf_bufinfo_show(struct seq_file *m, void *record)
{
	struct dma_buf_bufinfo *info = m->private;
	struct dma_buf *dmabuf = record;

	if (record == SEQ_START_TOKEN) {
		seq_puts(m, "\nDma-buf Objects:\n");
		seq_printf(m, "%-8s\t%-8s\t%-8s\t%-8s\texp_name\t%-8s\tname\n",
			   "size", "flags", "mode", "count", "ino");
		return 0;
	}

	if (record == DMA_BUF_TOTALS_TOKEN) {
		seq_printf(m, "\nTotal %d objects, %zu bytes\n",
			   info->objects, info->bytes);
		return 0;
	}

	dma_buf_show_buffer(m, dmabuf);
	return 0;
}

/*
 * seq_file calls start() again, at the position of the last next(), to repeat a
 * record that did not fit into its buffer, and with position 0 for a reader
 * that seeks back. A buffer may thus be printed more than once, while next() is
 * called once per buffer: next() moves the cursor and adds to the totals.
 */
static void *dma_buf_bufinfo_start(struct seq_file *m, loff_t *pos)
{
	struct dma_buf_bufinfo *info = m->private;

	if (!*pos) {
		dma_buf_cursor_rewind(&info->cursor);
		info->objects = 0;
		info->bytes = 0;
		return SEQ_START_TOKEN;
	}

	/* The totals have been shown. */
	if (info->objects < 0)
		return NULL;

	return dma_buf_cursor_get(&info->cursor) ?: DMA_BUF_TOTALS_TOKEN;
}

static void *dma_buf_bufinfo_next(struct seq_file *m, void *record, loff_t *pos)
{
	struct dma_buf_bufinfo *info = m->private;
	struct dma_buf *dmabuf = record;

	++*pos;
	if (record == DMA_BUF_TOTALS_TOKEN) {
		info->objects = -1;
		return NULL;
	}

	if (record == SEQ_START_TOKEN)
		return dma_buf_cursor_get(&info->cursor) ?: DMA_BUF_TOTALS_TOKEN;

	info->objects++;
	info->bytes += dmabuf->size;
	record = dma_buf_cursor_get_next(&info->cursor, dmabuf);
	dma_buf_put(dmabuf);
	return record ?: DMA_BUF_TOTALS_TOKEN;
}

static void dma_buf_bufinfo_stop(struct seq_file *m, void *record)
{
	if (record && record != SEQ_START_TOKEN &&
	    record != DMA_BUF_TOTALS_TOKEN)
		dma_buf_put(record);
}

static const struct seq_operations dma_buf_bufinfo_sops = {
	.start	= dma_buf_bufinfo_start,
	.next	= dma_buf_bufinfo_next,
	.stop	= dma_buf_bufinfo_stop,
	.show	= dma_buf_bufinfo_show,
};

static int dma_buf_bufinfo_open(struct inode *inode, struct file *file)
{
	struct dma_buf_bufinfo *info;

	info = __seq_open_private(file, &dma_buf_bufinfo_sops, sizeof(*info));
	if (!info)
		return -ENOMEM;

	dma_buf_cursor_init(&info->cursor);
	return 0;
}

static int dma_buf_bufinfo_release(struct inode *inode, struct file *file)
{
	struct seq_file *m = file->private_data;
	struct dma_buf_bufinfo *info = m->private;

	dma_buf_cursor_end(&info->cursor);
	return seq_release_private(inode, file);
}

static const struct file_operations dma_buf_bufinfo_fops = {
	.owner		= THIS_MODULE,
	.open		= dma_buf_bufinfo_open,
	.read		= seq_read,
	.llseek		= seq_lseek,
	.release	= dma_buf_bufinfo_release,
};

/*
 * Runs after dma_buf_init(), which initialises the registry that a reader
 * walks. Errors are ignored on purpose: debugfs is optional.
 */
static int __init dma_buf_debugfs_init(void)
{
	struct dentry *dir = debugfs_create_dir("dma_buf", NULL);

	debugfs_create_file("bufinfo", 0444, dir, NULL, &dma_buf_bufinfo_fops);
	return 0;
}
fs_initcall(dma_buf_debugfs_init);
