/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * dma-buf: trace events.
 *
 * Every event has the buffer's exporter, its size in bytes, and its inode
 * number, which fdinfo, bufinfo and /proc/PID/maps show as well. Times are in
 * nanoseconds.
 *
 * dma_buf_ino(), of the core's private header, reads the inode number. The file
 * is of no use for that: late calls of an importer are traced when the buffer's
 * file may already be gone.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM dma_buf

#if !defined(_TRACE_DMA_BUF_H) || defined(TRACE_HEADER_MULTI_READ)
#define _TRACE_DMA_BUF_H

#include <linux/dma-buf.h>
#include <linux/dma-direction.h>
#include <linux/fs.h>
#include <linux/tracepoint.h>

#include <uapi/linux/dma-buf.h>

TRACE_DEFINE_ENUM(DMA_BIDIRECTIONAL);
TRACE_DEFINE_ENUM(DMA_TO_DEVICE);
TRACE_DEFINE_ENUM(DMA_FROM_DEVICE);
TRACE_DEFINE_ENUM(DMA_NONE);

#define show_dma_buf_dir(dir)					\
	__print_symbolic(dir,					\
			 { DMA_BIDIRECTIONAL, "both" },		\
			 { DMA_TO_DEVICE, "to_device" },	\
			 { DMA_FROM_DEVICE, "from_device" },	\
			 { DMA_NONE, "none" })

/* The fields that all events begin with. Parsers depend on their names. */
#define DMA_BUF_TRACE_FIELDS(buf)				\
	__string(exp_name, (buf)->exp_name)			\
	__field(size_t, size)					\
	__field(u64, ino)

#define DMA_BUF_TRACE_ASSIGN(buf)				\
	__assign_str(exp_name);					\
	__entry->size = (buf)->size;				\
	__entry->ino = dma_buf_ino(buf)

#define DMA_BUF_TRACE_FORMAT	"exp_name=%s size=%zu ino=%llu"
#define DMA_BUF_TRACE_PRINT	__get_str(exp_name), __entry->size, __entry->ino

/* The further fields of events about an attachment */
#define DMA_BUF_TRACE_ATTACH_FIELDS(attachment)			\
	__field(struct dma_buf_attachment *, attach)		\
	__field(bool, is_dynamic)				\
	__string(dev_name, dev_name((attachment)->dev))

#define DMA_BUF_TRACE_ATTACH_ASSIGN(attachment)			\
	__entry->attach = (attachment);				\
	__entry->is_dynamic =					\
		dma_buf_attachment_is_dynamic(attachment);	\
	__assign_str(dev_name)

#define DMA_BUF_TRACE_ATTACH_FORMAT	" attach=%p is_dynamic=%d dev_name=%s"
#define DMA_BUF_TRACE_ATTACH_PRINT				\
	__entry->attach, __entry->is_dynamic, __get_str(dev_name)

DECLARE_EVENT_CLASS(dma_buf,

	TP_PROTO(struct dma_buf *dmabuf),

	TP_ARGS(dmabuf),

	TP_STRUCT__entry(
		DMA_BUF_TRACE_FIELDS(dmabuf)
	),

	TP_fast_assign(
		DMA_BUF_TRACE_ASSIGN(dmabuf);
	),

	TP_printk(DMA_BUF_TRACE_FORMAT, DMA_BUF_TRACE_PRINT)
);

/* A buffer was exported. */
DEFINE_EVENT(dma_buf, dma_buf_export,

	TP_PROTO(struct dma_buf *dmabuf),

	TP_ARGS(dmabuf)
);

/* The last reference is gone, and the exporter's release hook comes next. */
DEFINE_EVENT(dma_buf, dma_buf_release,

	TP_PROTO(struct dma_buf *dmabuf),

	TP_ARGS(dmabuf)
);

/* A driver drops a reference, possibly the last one. */
DEFINE_EVENT(dma_buf, dma_buf_put,

	TP_PROTO(struct dma_buf *dmabuf),

	TP_ARGS(dmabuf)
);

/* A mapping of an importer's file was turned into one of the buffer. */
DEFINE_EVENT(dma_buf, dma_buf_mmap,

	TP_PROTO(struct dma_buf *dmabuf),

	TP_ARGS(dmabuf)
);

/* A process mapped the buffer's own file. */
DEFINE_EVENT(dma_buf, dma_buf_mmap_internal,

	TP_PROTO(struct dma_buf *dmabuf),

	TP_ARGS(dmabuf)
);

/* Dynamic importers were told that the memory moves. */
DEFINE_EVENT(dma_buf, dma_buf_invalidate_mappings,

	TP_PROTO(struct dma_buf *dmabuf),

	TP_ARGS(dmabuf)
);

DECLARE_EVENT_CLASS(dma_buf_fd,

	TP_PROTO(struct dma_buf *dmabuf, int fd),

	TP_ARGS(dmabuf, fd),

	TP_STRUCT__entry(
		DMA_BUF_TRACE_FIELDS(dmabuf)
		__field(int, fd)
	),

	TP_fast_assign(
		DMA_BUF_TRACE_ASSIGN(dmabuf);
		__entry->fd = fd;
	),

	TP_printk(DMA_BUF_TRACE_FORMAT " fd=%d", DMA_BUF_TRACE_PRINT, __entry->fd)
);

/* A process gets a new descriptor of the buffer. */
DEFINE_EVENT(dma_buf_fd, dma_buf_fd,

	TP_PROTO(struct dma_buf *dmabuf, int fd),

	TP_ARGS(dmabuf, fd)
);

/* A driver got the buffer of a descriptor. */
DEFINE_EVENT(dma_buf_fd, dma_buf_get,

	TP_PROTO(struct dma_buf *dmabuf, int fd),

	TP_ARGS(dmabuf, fd)
);

DECLARE_EVENT_CLASS(dma_buf_attach,

	TP_PROTO(struct dma_buf_attachment *attachment),

	TP_ARGS(attachment),

	TP_STRUCT__entry(
		DMA_BUF_TRACE_FIELDS(attachment->dmabuf)
		DMA_BUF_TRACE_ATTACH_FIELDS(attachment)
	),

	TP_fast_assign(
		DMA_BUF_TRACE_ASSIGN(attachment->dmabuf);
		DMA_BUF_TRACE_ATTACH_ASSIGN(attachment);
	),

	TP_printk(DMA_BUF_TRACE_FORMAT DMA_BUF_TRACE_ATTACH_FORMAT,
		  DMA_BUF_TRACE_PRINT, DMA_BUF_TRACE_ATTACH_PRINT)
);

DEFINE_EVENT(dma_buf_attach, dma_buf_dynamic_attach,

	TP_PROTO(struct dma_buf_attachment *attachment),

	TP_ARGS(attachment)
);

DEFINE_EVENT(dma_buf_attach, dma_buf_detach,

	TP_PROTO(struct dma_buf_attachment *attachment),

	TP_ARGS(attachment)
);

DEFINE_EVENT(dma_buf_attach, dma_buf_unpin,

	TP_PROTO(struct dma_buf_attachment *attachment),

	TP_ARGS(attachment)
);

TRACE_EVENT(dma_buf_pin,

	TP_PROTO(struct dma_buf_attachment *attachment, int err),

	TP_ARGS(attachment, err),

	TP_STRUCT__entry(
		DMA_BUF_TRACE_FIELDS(attachment->dmabuf)
		DMA_BUF_TRACE_ATTACH_FIELDS(attachment)
		__field(int, err)
	),

	TP_fast_assign(
		DMA_BUF_TRACE_ASSIGN(attachment->dmabuf);
		DMA_BUF_TRACE_ATTACH_ASSIGN(attachment);
		__entry->err = err;
	),

	TP_printk(DMA_BUF_TRACE_FORMAT DMA_BUF_TRACE_ATTACH_FORMAT " err=%d",
		  DMA_BUF_TRACE_PRINT, DMA_BUF_TRACE_ATTACH_PRINT, __entry->err)
);

/* @ns is the total time; @wait_ns of that went into waiting for fences. */
TRACE_EVENT(dma_buf_map,

	TP_PROTO(struct dma_buf_attachment *attachment,
		 enum dma_data_direction dir, struct sg_table *sgt, u64 ns,
		 u64 wait_ns),

	TP_ARGS(attachment, dir, sgt, ns, wait_ns),

	TP_STRUCT__entry(
		DMA_BUF_TRACE_FIELDS(attachment->dmabuf)
		DMA_BUF_TRACE_ATTACH_FIELDS(attachment)
		__field(int, dir)
		__field(int, err)
		__field(unsigned int, nents)
		__field(u64, ns)
		__field(u64, wait_ns)
	),

	TP_fast_assign(
		DMA_BUF_TRACE_ASSIGN(attachment->dmabuf);
		DMA_BUF_TRACE_ATTACH_ASSIGN(attachment);
		__entry->dir = dir;
		__entry->err = PTR_ERR_OR_ZERO(sgt);
		__entry->nents = IS_ERR(sgt) ? 0 : sgt->nents;
		__entry->ns = ns;
		__entry->wait_ns = wait_ns;
	),

	TP_printk(DMA_BUF_TRACE_FORMAT DMA_BUF_TRACE_ATTACH_FORMAT
		  " dir=%s err=%d nents=%u ns=%llu wait_ns=%llu",
		  DMA_BUF_TRACE_PRINT, DMA_BUF_TRACE_ATTACH_PRINT,
		  show_dma_buf_dir(__entry->dir), __entry->err, __entry->nents,
		  __entry->ns, __entry->wait_ns)
);

TRACE_EVENT(dma_buf_unmap,

	TP_PROTO(struct dma_buf_attachment *attachment,
		 enum dma_data_direction dir, u64 ns),

	TP_ARGS(attachment, dir, ns),

	TP_STRUCT__entry(
		DMA_BUF_TRACE_FIELDS(attachment->dmabuf)
		DMA_BUF_TRACE_ATTACH_FIELDS(attachment)
		__field(int, dir)
		__field(u64, ns)
	),

	TP_fast_assign(
		DMA_BUF_TRACE_ASSIGN(attachment->dmabuf);
		DMA_BUF_TRACE_ATTACH_ASSIGN(attachment);
		__entry->dir = dir;
		__entry->ns = ns;
	),

	TP_printk(DMA_BUF_TRACE_FORMAT DMA_BUF_TRACE_ATTACH_FORMAT
		  " dir=%s ns=%llu",
		  DMA_BUF_TRACE_PRINT, DMA_BUF_TRACE_ATTACH_PRINT,
		  show_dma_buf_dir(__entry->dir), __entry->ns)
);

/* @ns is the total time; @wait_ns of that went into waiting for fences. */
TRACE_EVENT(dma_buf_begin_cpu_access,

	TP_PROTO(struct dma_buf *dmabuf, enum dma_data_direction dir, int err,
		 u64 ns, u64 wait_ns),

	TP_ARGS(dmabuf, dir, err, ns, wait_ns),

	TP_STRUCT__entry(
		DMA_BUF_TRACE_FIELDS(dmabuf)
		__field(int, dir)
		__field(int, err)
		__field(u64, ns)
		__field(u64, wait_ns)
	),

	TP_fast_assign(
		DMA_BUF_TRACE_ASSIGN(dmabuf);
		__entry->dir = dir;
		__entry->err = err;
		__entry->ns = ns;
		__entry->wait_ns = wait_ns;
	),

	TP_printk(DMA_BUF_TRACE_FORMAT " dir=%s err=%d ns=%llu wait_ns=%llu",
		  DMA_BUF_TRACE_PRINT, show_dma_buf_dir(__entry->dir),
		  __entry->err, __entry->ns, __entry->wait_ns)
);

TRACE_EVENT(dma_buf_end_cpu_access,

	TP_PROTO(struct dma_buf *dmabuf, enum dma_data_direction dir, int err,
		 u64 ns),

	TP_ARGS(dmabuf, dir, err, ns),

	TP_STRUCT__entry(
		DMA_BUF_TRACE_FIELDS(dmabuf)
		__field(int, dir)
		__field(int, err)
		__field(u64, ns)
	),

	TP_fast_assign(
		DMA_BUF_TRACE_ASSIGN(dmabuf);
		__entry->dir = dir;
		__entry->err = err;
		__entry->ns = ns;
	),

	TP_printk(DMA_BUF_TRACE_FORMAT " dir=%s err=%d ns=%llu",
		  DMA_BUF_TRACE_PRINT, show_dma_buf_dir(__entry->dir),
		  __entry->err, __entry->ns)
);

/* Pollers will be woken when this many fences have signalled. */
TRACE_EVENT(dma_buf_poll_arm,

	TP_PROTO(struct dma_buf *dmabuf, bool write, unsigned int fences),

	TP_ARGS(dmabuf, write, fences),

	TP_STRUCT__entry(
		DMA_BUF_TRACE_FIELDS(dmabuf)
		__field(bool, write)
		__field(unsigned int, fences)
	),

	TP_fast_assign(
		DMA_BUF_TRACE_ASSIGN(dmabuf);
		__entry->write = write;
		__entry->fences = fences;
	),

	TP_printk(DMA_BUF_TRACE_FORMAT " write=%d fences=%u",
		  DMA_BUF_TRACE_PRINT, __entry->write, __entry->fences)
);

/* Pollers are woken, because all of these fences have signalled. */
TRACE_EVENT(dma_buf_poll_wake,

	TP_PROTO(struct dma_buf *dmabuf, bool write),

	TP_ARGS(dmabuf, write),

	TP_STRUCT__entry(
		DMA_BUF_TRACE_FIELDS(dmabuf)
		__field(bool, write)
	),

	TP_fast_assign(
		DMA_BUF_TRACE_ASSIGN(dmabuf);
		__entry->write = write;
	),

	TP_printk(DMA_BUF_TRACE_FORMAT " write=%d",
		  DMA_BUF_TRACE_PRINT, __entry->write)
);

DECLARE_EVENT_CLASS(dma_buf_sync_file,

	TP_PROTO(struct dma_buf *dmabuf, u32 flags, int fd),

	TP_ARGS(dmabuf, flags, fd),

	TP_STRUCT__entry(
		DMA_BUF_TRACE_FIELDS(dmabuf)
		__field(u32, flags)
		__field(int, fd)
	),

	TP_fast_assign(
		DMA_BUF_TRACE_ASSIGN(dmabuf);
		__entry->flags = flags;
		__entry->fd = fd;
	),

	TP_printk(DMA_BUF_TRACE_FORMAT " flags=%s fd=%d", DMA_BUF_TRACE_PRINT,
		  __print_flags(__entry->flags, "|",
				{ DMA_BUF_SYNC_READ, "read" },
				{ DMA_BUF_SYNC_WRITE, "write" }),
		  __entry->fd)
);

/* The buffer's fences were exported as a sync_file; @fd is its descriptor. */
DEFINE_EVENT(dma_buf_sync_file, dma_buf_export_sync_file,

	TP_PROTO(struct dma_buf *dmabuf, u32 flags, int fd),

	TP_ARGS(dmabuf, flags, fd)
);

/* The fences of a sync_file were added to the buffer. */
DEFINE_EVENT(dma_buf_sync_file, dma_buf_import_sync_file,

	TP_PROTO(struct dma_buf *dmabuf, u32 flags, int fd),

	TP_ARGS(dmabuf, flags, fd)
);

#endif /* _TRACE_DMA_BUF_H */

/* This part must be outside protection */
#include <trace/define_trace.h>
