/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * dma-buf: memory shared between devices, drivers and processes.
 *
 * This is what exporters and importers may touch. The core's own state lives in
 * drivers/dma-buf/dma-buf-internal.h.
 */
#ifndef __DMA_BUF_H__
#define __DMA_BUF_H__

#include <linux/dma-fence.h>
#include <linux/dma-mapping.h>
#include <linux/err.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/iosys-map.h>
#include <linux/list.h>
#include <linux/scatterlist.h>
#include <linux/wait.h>

struct device;
struct dma_buf;
struct dma_buf_attachment;
struct dma_resv;
struct module;
struct vm_area_struct;

/**
 * struct dma_buf_ops - what an exporter supplies
 *
 * "Resv held" below means that the caller, the core, holds the buffer's
 * reservation (&dma_buf.resv); "not held" that the hook may take it itself.
 * All hooks may sleep.
 */
struct dma_buf_ops {
	/**
	 * @cache_sgt_mapping: the first mapping of an attachment is kept and
	 * handed out again until the attachment goes. Cannot be had together
	 * with @pin and @unpin.
	 */
	bool cache_sgt_mapping;

	/**
	 * @release: required, no lock held. The last reference is gone; free
	 * what &dma_buf.priv stands for. May still look at the buffer's file,
	 * reservation and (empty) attachment list.
	 */
	void (*release)(struct dma_buf *dmabuf);

	/**
	 * @attach: optional, resv not held. A device wants to use the buffer.
	 * Every member of the attachment is set, but it is not yet listed. May
	 * refuse (the error goes to the importer): with -EBUSY if the memory has
	 * its place already, this device cannot reach it there, and it cannot
	 * be moved. An exporter of device memory must clear
	 * &dma_buf_attachment.peer2peer if it cannot serve peer DMA; for system
	 * memory it means nothing.
	 */
	int (*attach)(struct dma_buf *dmabuf, struct dma_buf_attachment *attach);

	/**
	 * @detach: optional, resv not held. The counterpart of @attach, called
	 * after the attachment left the list and before it is freed.
	 */
	void (*detach)(struct dma_buf *dmabuf, struct dma_buf_attachment *attach);

	/**
	 * @map_dma_buf: required, resv held. Returns a table that is mapped for
	 * &dma_buf_attachment.dev and describes whole pages. The first call is
	 * the time to allocate or place the memory: all attachments known so
	 * far are on &dma_buf.attachments. The memory must be cleared of old
	 * data before anybody else can see it; a fence of usage
	 * DMA_RESV_USAGE_KERNEL may stand for a clear that is still going on.
	 * NULL counts as -ENOMEM; -EINTR and -ERESTARTSYS are fine if a signal
	 * cut a wait short.
	 */
	struct sg_table *(*map_dma_buf)(struct dma_buf_attachment *attach,
					enum dma_data_direction dir);

	/** @unmap_dma_buf: required, resv held; undoes one @map_dma_buf. */
	void (*unmap_dma_buf)(struct dma_buf_attachment *attach,
			      struct sg_table *sgt,
			      enum dma_data_direction dir);

	/**
	 * @pin: resv held; needs @unpin. The memory may not move until @unpin
	 * is called as often, and is cleared of old data as @map_dma_buf says.
	 * Having it makes the exporter a dynamic one.
	 */
	int (*pin)(struct dma_buf_attachment *attach);

	/** @unpin: resv held; undoes one @pin. */
	void (*unpin)(struct dma_buf_attachment *attach);

	/**
	 * @mmap: optional, resv not held. Map the buffer, or fill it in at
	 * fault time; the core checked that the range lies within the buffer.
	 */
	int (*mmap)(struct dma_buf *dmabuf, struct vm_area_struct *vma);

	/**
	 * @begin_cpu_access: optional, resv not held. The device accesses that
	 * conflict are over; make the CPU see what devices wrote.
	 */
	int (*begin_cpu_access)(struct dma_buf *dmabuf,
				enum dma_data_direction dir);

	/**
	 * @end_cpu_access: optional, resv not held. Make devices see what the
	 * CPU wrote.
	 */
	int (*end_cpu_access)(struct dma_buf *dmabuf,
			      enum dma_data_direction dir);

	/**
	 * @vmap: optional, resv held. Give the kernel address of the whole
	 * buffer. The core counts its users and calls this for the first only.
	 */
	int (*vmap)(struct dma_buf *dmabuf, struct iosys_map *map);

	/** @vunmap: optional, resv held; called when @vmap's last user left. */
	void (*vunmap)(struct dma_buf *dmabuf, struct iosys_map *map);
};

/**
 * struct dma_buf - a shared buffer
 *
 * A buffer is a file: it lives as long as somebody holds a reference to @file,
 * and the number of that file's inode identifies it. An attachment holds no
 * reference, unless its importer detached with a mapping left.
 */
struct dma_buf {
	/** @size: bytes; does not change. */
	size_t size;

	/**
	 * @file: the file that this buffer is; never NULL, never cleared. If the
	 * buffer is kept for good because an importer forgot an attachment or a
	 * kernel address, this becomes a file that is no dma-buf and never goes
	 * away, so that references may still be taken and dropped.
	 */
	struct file *file;

	/** @attachments: list of &dma_buf_attachment.node, guarded by @resv. */
	struct list_head attachments;

	/**
	 * @ops: the exporter's hooks. An exporter may put a table of its own
	 * here right after dma_buf_export(), so read it at each use.
	 */
	const struct dma_buf_ops *ops;

	/** @exp_name: name of the exporter, for debugging. */
	const char *exp_name;

	/**
	 * @name: name that user space gave the buffer, or NULL. Guarded by
	 * @name_lock; a string that was replaced is freed after a grace period,
	 * so that RCU readers may look at it without the lock.
	 */
	const char *name;

	/** @name_lock: guards @name. Innermost. */
	spinlock_t name_lock;

	/** @owner: module of the exporter, referenced until release. */
	struct module *owner;

	/** @priv: the exporter's. */
	void *priv;

	/**
	 * @resv: guards the attachments, mappings and pins and carries the
	 * fences. The exporter's, or one that the core keeps.
	 *
	 * Every driver obeys the rules of &enum dma_resv_usage on adding fences
	 * and on waiting for them. Two kinds of driver have more to obey.
	 *
	 * Drivers that take part in implicit synchronisation: each access that
	 * the user-space API counts as a read gets a fence of usage
	 * DMA_RESV_USAGE_READ, each one that it counts as a write a fence of
	 * usage DMA_RESV_USAGE_WRITE. Which is which depends on the API and on
	 * the window system. A write fence is always correct; it only
	 * synchronises more than necessary. A new access depends on the fences
	 * of usage dma_resv_usage_rw(). Drivers whose user-space API is
	 * synchronous and does not pipeline work across drivers, such as V4L2,
	 * add no fences.
	 *
	 * Dynamic importers: their devices must not reach the memory before all
	 * fences of usage DMA_RESV_USAGE_KERNEL have signalled, and write fences
	 * must be obeyed as well. Every access that the importer cannot stop at
	 * once in &dma_buf_attach_ops.move_notify needs a fence in the
	 * reservation: before the exporter moves the memory, it waits for
	 * nothing else.
	 */
	struct dma_resv *resv;
};

/**
 * struct dma_buf_attach_ops - what a dynamic importer supplies
 */
struct dma_buf_attach_ops {
	/**
	 * @allow_peer2peer: the importer can deal with memory of another device
	 * that has no struct page.
	 */
	bool allow_peer2peer;

	union {
		/**
		 * @move_notify: resv held. The exporter is about to move the
		 * memory: mappings made so far must not be used for new work,
		 * and have to be made anew before the next use. What runs
		 * already is covered by its fences. May unmap and unpin its own
		 * attachment, may not detach it.
		 *
		 * Optional: without this callback, an importer must pin the
		 * memory of a dynamic exporter before it maps.
		 */
		void (*move_notify)(struct dma_buf_attachment *attach);

		/** @invalidate_mappings: another name of @move_notify. */
		void (*invalidate_mappings)(struct dma_buf_attachment *attach);
	};
};

/**
 * struct dma_buf_attachment - a device's use of a buffer
 *
 * Made by dma_buf_attach() or dma_buf_dynamic_attach() only: the core keeps more
 * behind it than is seen here.
 */
struct dma_buf_attachment {
	/** @dmabuf: the buffer; the importer holds a reference to it. */
	struct dma_buf *dmabuf;

	/** @dev: the device that does DMA. */
	struct device *dev;

	/**
	 * @importer_ops: a dynamic importer's callbacks, NULL for a static
	 * importer. Of an importer that detached with a mapping left, the core
	 * replaces them by a table without callbacks.
	 */
	const struct dma_buf_attach_ops *importer_ops;

	/** @importer_priv: the importer's. */
	void *importer_priv;

	/** @node: link in &dma_buf.attachments, guarded by &dma_buf.resv. */
	struct list_head node;

	/** @sgt: the kept mapping if the exporter wants mappings cached. */
	struct sg_table *sgt;

	/** @dir: direction of @sgt. */
	enum dma_data_direction dir;

	/**
	 * @peer2peer: the importer can deal with memory without struct page;
	 * the exporter's attach hook clears it where it cannot serve that.
	 */
	bool peer2peer;

	/** @priv: the exporter's. */
	void *priv;
};

/**
 * struct dma_buf_export_info - arguments of dma_buf_export()
 * @exp_name: name of the exporter; must live as long as @owner
 * @owner: module that has the code behind @ops
 * @ops: the exporter's hooks
 * @size: bytes, 1 to LLONG_MAX
 * @flags: O_RDONLY, O_WRONLY or O_RDWR, and O_NONBLOCK, for the file
 * @resv: reservation of the exporter's, which lives until its release hook is
 *	called, or NULL to have the core keep one
 * @priv: the exporter's, required
 */
struct dma_buf_export_info {
	const char *exp_name;
	struct module *owner;
	const struct dma_buf_ops *ops;
	size_t size;
	int flags;
	struct dma_resv *resv;
	void *priv;
};

/**
 * DEFINE_DMA_BUF_EXPORT_INFO - declare arguments of dma_buf_export()
 * @name: name of the variable
 *
 * Exporter name and owner are those of the module that is being compiled.
 */
#define DEFINE_DMA_BUF_EXPORT_INFO(name)		\
	struct dma_buf_export_info name = {		\
		.exp_name = KBUILD_MODNAME,		\
		.owner = THIS_MODULE,			\
	}

/**
 * get_dma_buf - take one more reference
 * @dmabuf: a buffer that the caller holds a reference to
 *
 * Context: any.
 */
static inline void get_dma_buf(struct dma_buf *dmabuf)
{
	get_file(dmabuf->file);
}

/**
 * dma_buf_is_dynamic - does the exporter move its memory?
 * @dmabuf: a buffer
 *
 * Context: any.
 * Return: true if it has a &dma_buf_ops.pin hook.
 */
static inline bool dma_buf_is_dynamic(struct dma_buf *dmabuf)
{
	return dmabuf->ops->pin;
}

/**
 * dma_buf_attachment_is_dynamic - does the importer have callbacks?
 * @attach: an attachment
 *
 * That is not to say that it can follow a move, for which it needs
 * &dma_buf_attach_ops.move_notify: see dma_buf_attach_revocable().
 *
 * Context: any.
 * Return: true if it was made with &struct dma_buf_attach_ops.
 */
static inline bool
dma_buf_attachment_is_dynamic(struct dma_buf_attachment *attach)
{
	return attach->importer_ops;
}

/* Life of a buffer */
struct dma_buf *dma_buf_export(const struct dma_buf_export_info *info);
void dma_buf_put(struct dma_buf *dmabuf);
struct dma_buf *dma_buf_get(int fd);
int dma_buf_fd(struct dma_buf *dmabuf, int flags);
void dma_buf_fd_install(struct dma_buf *dmabuf, int fd);

/* All live buffers */
struct dma_buf *dma_buf_iter_begin(void);
struct dma_buf *dma_buf_iter_next(struct dma_buf *dmabuf);

/* Access by devices */
struct dma_buf_attachment *
dma_buf_dynamic_attach(struct dma_buf *dmabuf, struct device *dev,
		       const struct dma_buf_attach_ops *importer_ops,
		       void *importer_priv);
struct dma_buf_attachment *dma_buf_attach(struct dma_buf *dmabuf,
					  struct device *dev);
void dma_buf_detach(struct dma_buf *dmabuf, struct dma_buf_attachment *attach);

struct sg_table *dma_buf_map_attachment(struct dma_buf_attachment *attach,
					enum dma_data_direction dir);
struct sg_table *
dma_buf_map_attachment_unlocked(struct dma_buf_attachment *attach,
				enum dma_data_direction dir);
void dma_buf_unmap_attachment(struct dma_buf_attachment *attach,
			      struct sg_table *sgt,
			      enum dma_data_direction dir);
void dma_buf_unmap_attachment_unlocked(struct dma_buf_attachment *attach,
				       struct sg_table *sgt,
				       enum dma_data_direction dir);

/* Memory that moves */
bool dma_buf_attach_revocable(struct dma_buf_attachment *attach);
void dma_buf_invalidate_mappings(struct dma_buf *dmabuf);
void dma_buf_move_notify(struct dma_buf *dmabuf);
int dma_buf_pin(struct dma_buf_attachment *attach);
void dma_buf_unpin(struct dma_buf_attachment *attach);

/* Access by the CPU */
int dma_buf_vmap(struct dma_buf *dmabuf, struct iosys_map *map);
int dma_buf_vmap_unlocked(struct dma_buf *dmabuf, struct iosys_map *map);
void dma_buf_vunmap(struct dma_buf *dmabuf, struct iosys_map *map);
void dma_buf_vunmap_unlocked(struct dma_buf *dmabuf, struct iosys_map *map);
int dma_buf_mmap(struct dma_buf *dmabuf, struct vm_area_struct *vma,
		 unsigned long pgoff);
int dma_buf_begin_cpu_access(struct dma_buf *dmabuf,
			     enum dma_data_direction dir);
int dma_buf_end_cpu_access(struct dma_buf *dmabuf,
			   enum dma_data_direction dir);

#endif /* __DMA_BUF_H__ */
