// SPDX-License-Identifier: GPL-2.0-only
/*
 * dma-buf: /sys/kernel/debug/dma_buf/bufinfo, every live buffer for people who
 * debug. Programs parse it: columns and totals keep their form.
 *
 * One buffer at a time is taken, shown and let go. No reservation is taken, so
 * nothing is waited for and nobody has to wait. Between two read() calls only
 * the place is remembered, no reference, so an idle reader keeps no buffer alive.
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
 * @cursor: before the buffer that is shown, or is to be shown next
 * @objects: buffers shown so far
 * @bytes: their sizes
 *
 * seq_file's lock serialises its readers.
 */
struct dma_buf_bufinfo {
	struct dma_buf_cursor cursor;
	int objects;
	size_t bytes;
};

/* Records: the head (SEQ_START_TOKEN), buffers, the totals. */
static char dma_buf_bufinfo_totals;
#define DMA_BUF_TOTALS_TOKEN	((void *)&dma_buf_bufinfo_totals)

static void dma_buf_show_buffer(struct seq_file *m, struct dma_buf *dmabuf)
{
	struct file *file = dmabuf->file;
	char name[DMA_BUF_NAME_LEN];

	/* The reference of this walk is none of a user's. */
	seq_printf(m, "%08zu\t%08x\t%08x\t%08ld\t%s\t%08llu\t",
		   dmabuf->size, file->f_flags, (__force unsigned int)file->f_mode,
		   (long)file_count(file) - 1, dmabuf->exp_name,
		   (u64)file_inode(file)->i_ino);
	if (dma_buf_copy_name(dmabuf, name))
		dma_buf_show_escaped(m, name);
	else
		seq_puts(m, "<none>");
	seq_putc(m, '\n');

	/* Whoever holds it may be about to change what follows. */
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
 * seq_file shows a record again that did not fit, and starts over for a reader
 * who seeks. Each goes through start() at the place of the last next(), so the
 * cursor is moved and the totals are counted there.
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

	/* Behind the totals. */
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
 * Runs after dma_buf_init(), which initialises the registry that a reader walks.
 * Errors are ignored on purpose: debugfs is optional.
 */
static int __init dma_buf_debugfs_init(void)
{
	struct dentry *dir = debugfs_create_dir("dma_buf", NULL);

	debugfs_create_file("bufinfo", 0444, dir, NULL, &dma_buf_bufinfo_fops);
	return 0;
}
fs_initcall(dma_buf_debugfs_init);
