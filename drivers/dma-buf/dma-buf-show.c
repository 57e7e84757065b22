// SPDX-License-Identifier: GPL-2.0-only
/*
 * dma-buf: names, users, fences and devices of a buffer as text.
 *
 * Used by fdinfo, by bufinfo, and for the path of a buffer's file. Nothing here
 * takes the reservation, which drivers hold for long. What is printed may
 * therefore change while it is being printed.
 */
#include <linux/cleanup.h>
#include <linux/ctype.h>
#include <linux/device.h>
#include <linux/dma-buf.h>
#include <linux/dma-fence.h>
#include <linux/dma-resv.h>
#include <linux/rcupdate.h>
#include <linux/seq_file.h>
#include <linux/spinlock.h>
#include <linux/string.h>

#include "dma-buf-internal.h"

/**
 * dma_buf_copy_name - copy the name that user space gave a buffer
 * @dmabuf: buffer, possibly released already
 * @text: receives the name, or an empty string if no name was set
 *
 * Context: Process context.
 * Return: true if a name was set, even an empty one.
 */
bool dma_buf_copy_name(struct dma_buf *dmabuf, char text[DMA_BUF_NAME_LEN])
{
	/* Most buffers have no name. One that has a name is never without again. */
	if (!READ_ONCE(dmabuf->name)) {
		text[0] = '\0';
		return false;
	}

	/* Under the lock the name is not replaced and freed. */
	spin_lock(&dmabuf->name_lock);
	strscpy(text, dmabuf->name, DMA_BUF_NAME_LEN);
	spin_unlock(&dmabuf->name_lock);
	return true;
}

/**
 * dma_buf_show_escaped - print text that user space may have chosen
 * @m: where to print
 * @text: text; NULL is printed as "(null)", as printf() does
 *
 * Control characters and backslashes are printed in octal, so that a name can
 * neither forge a line nor control the reader's terminal. seq_escape() would
 * print the same, but it searches a list of characters for each one printed.
 *
 * Context: any, also under a spinlock.
 */
void dma_buf_show_escaped(struct seq_file *m, const char *text)
{
	const char *end;

	if (!text)
		text = "(null)";

	for (;; text = end + 1) {
		/* Copy as much as possible at once. */
		for (end = text; *end && !iscntrl(*end) && *end != '\\'; end++)
			;
		seq_write(m, text, end - text);
		if (!*end)
			return;
		seq_printf(m, "\\%03o", *end);
	}
}

static bool dma_buf_show_user(struct dma_buf_attachment *attach, void *data)
{
	struct seq_file *m = data;

	seq_puts(m, "attached:\t");
	dma_buf_show_escaped(m, dev_driver_string(attach->dev));
	seq_putc(m, ' ');
	dma_buf_show_escaped(m, dev_name(attach->dev));
	seq_putc(m, '\n');
	/* After an overflow the file is printed again, with a larger buffer. */
	return !seq_has_overflowed(m);
}

/**
 * dma_buf_show_users - print the keys of fdinfo that tell how a buffer is used
 * @m: where to print
 * @dmabuf: buffer
 *
 * See Documentation/ABI/testing/procfs-fdinfo-dmabuf for the keys.
 *
 * Context: Process context, may sleep.
 */
void dma_buf_show_users(struct seq_file *m, struct dma_buf *dmabuf)
{
	struct dma_buf_object *obj = dma_buf_to_object(dmabuf);
	struct dma_buf_users users;

	dma_buf_count_users(dmabuf, &users);
	seq_put_decimal_ull(m, "attachments:\t", users.attachments);
	seq_put_decimal_ull(m, "\nmappings:\t", users.maps);
	seq_put_decimal_ull(m, "\npinned:\t", users.pins);
	seq_put_decimal_ull(m, "\nvmaps:\t", READ_ONCE(obj->vmaps));
	seq_putc(m, '\n');
	if (users.attachments)
		dma_buf_visit_attachments(dmabuf, dma_buf_show_user, m);
}

#ifdef CONFIG_DEBUG_FS

/**
 * dma_buf_show_fences - print the pending fences of a buffer
 * @m: where to print
 * @dmabuf: buffer
 *
 * Context: Process context.
 */
void dma_buf_show_fences(struct seq_file *m, struct dma_buf *dmabuf)
{
	static const char * const usages[] = {
		[DMA_RESV_USAGE_KERNEL]		= "kernel",
		[DMA_RESV_USAGE_WRITE]		= "write",
		[DMA_RESV_USAGE_READ]		= "read",
		[DMA_RESV_USAGE_BOOKKEEP]	= "bookkeep",
	};
	size_t start = m->count;
	struct dma_resv_iter cursor;
	struct dma_fence *fence;

	dma_resv_iter_begin(&cursor, dmabuf->resv, DMA_RESV_USAGE_BOOKKEEP);
	dma_resv_for_each_fence_unlocked(&cursor, fence) {
		/* The list has changed: discard what was printed of the old one. */
		if (dma_resv_iter_is_restarted(&cursor))
			m->count = start;
		/*
		 * A driver may free the names of a signalled fence after a
		 * grace period. Our reference keeps the fence, but not its
		 * names.
		 */
		guard(rcu)();
		/*
		 * The walk has just found the fence pending. Test only the bit:
		 * dma_fence_is_signaled() may take the fence's lock, which a
		 * driver that has signalled the fence since may have freed.
		 */
		if (test_bit(DMA_FENCE_FLAG_SIGNALED_BIT, &fence->flags))
			continue;
		/*
		 * Same form as dma_fence_describe(), which does not escape:
		 * drivers name timelines after the program that submits work.
		 */
		seq_printf(m, "\t%s fence:",
			   usages[dma_resv_iter_usage(&cursor)]);
		dma_buf_show_escaped(m, fence->ops->get_driver_name(fence));
		seq_putc(m, ' ');
		dma_buf_show_escaped(m, fence->ops->get_timeline_name(fence));
		seq_printf(m, " seq %llu unsignalled\n", fence->seqno);
		/* seq_file will discard this record and print it again. */
		if (seq_has_overflowed(m))
			break;
	}
	/* The walk may have restarted and found no pending fence any more. */
	if (!fence && dma_resv_iter_is_restarted(&cursor))
		m->count = start;
	dma_resv_iter_end(&cursor);
}

/* State of dma_buf_show_devices() */
struct dma_buf_devices {
	struct seq_file *m;
	int count;
};

static bool dma_buf_show_device(struct dma_buf_attachment *attach, void *data)
{
	struct dma_buf_devices *devices = data;

	seq_putc(devices->m, '\t');
	dma_buf_show_escaped(devices->m, dev_name(attach->dev));
	seq_putc(devices->m, '\n');
	devices->count++;
	/* After an overflow seq_file discards the record and prints it again. */
	return !seq_has_overflowed(devices->m);
}

/**
 * dma_buf_show_devices - print the attached devices of a buffer
 * @m: where to print
 * @dmabuf: buffer
 *
 * Context: Process context, may sleep.
 */
void dma_buf_show_devices(struct seq_file *m, struct dma_buf *dmabuf)
{
	struct dma_buf_devices devices = { .m = m };

	seq_puts(m, "\tAttached Devices:\n");
	dma_buf_visit_attachments(dmabuf, dma_buf_show_device, &devices);
	seq_put_decimal_ull(m, "Total ", devices.count);
	seq_puts(m, " devices attached\n\n");
}

#endif /* CONFIG_DEBUG_FS */
