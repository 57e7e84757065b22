/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * dma-buf: memory shared between devices, drivers and processes.
 *
 * The interface for exporters and importers. The core's private state is in
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
 * struct dma_buf_ops - the hooks of an exporter
 *
 * "Resv held" below means that the core holds the buffer's reservation
 * (&dma_buf.resv) when it calls the hook, "resv not held" that the hook may
 * take that reservation itself. All hooks may sleep.
 */
struct dma_buf_ops {
	/**
	 * @cache_sgt_mapping: the core keeps the first mapping of an attachment
	 * and returns it again until the importer detaches. Excludes @pin and
	 * @unpin.
	 */
	bool cache_sgt_mapping;

	/**
	 * @release: required, no lock held. The last reference to the buffer is
	 * gone: free the memory and &dma_buf.priv. The hook may still use the
	 * buffer's file, reservation and (empty) attachment list.
	 */
	void (*release)(struct dma_buf *dmabuf);

	/**
	 * @attach: optional, resv not held. A device is being attached to the
	 * buffer. Every member of the attachment is set, but the attachment is
	 * not yet on &dma_buf.attachments. The exporter may refuse; its error
	 * goes to the importer. It returns -EBUSY if the device cannot reach
	 * the memory at its present place and the memory cannot be moved. An
	 * exporter of device memory must clear &dma_buf_attachment.peer2peer if
	 * it cannot serve peer DMA; exporters of system memory ignore that
	 * member.
	 */
	int (*attach)(struct dma_buf *dmabuf, struct dma_buf_attachment *attach);

	/**
	 * @detach: optional, resv not held. The counterpart of @attach, called
	 * after the attachment was removed from &dma_buf.attachments and before
	 * it is freed.
	 */
	void (*detach)(struct dma_buf *dmabuf, struct dma_buf_attachment *attach);

	/**
	 * @map_dma_buf: required, resv held. Returns a table that is mapped for
	 * &dma_buf_attachment.dev and describes whole pages. The exporter
	 * should allocate or place the memory in the first call, when
	 * &dma_buf.attachments lists the devices that will use the memory. Old
	 * data must be cleared before any other user can see the memory. If the
	 * clear is still running, a fence of usage DMA_RESV_USAGE_KERNEL must
	 * stand for it. NULL counts as -ENOMEM; the hook may return -EINTR or
	 * -ERESTARTSYS if a signal interrupted a wait.
	 */
	struct sg_table *(*map_dma_buf)(struct dma_buf_attachment *attach,
					enum dma_data_direction dir);

	/** @unmap_dma_buf: required, resv held; undoes one @map_dma_buf. */
	void (*unmap_dma_buf)(struct dma_buf_attachment *attach,
			      struct sg_table *sgt,
			      enum dma_data_direction dir);

	/**
	 * @pin: optional, resv held; requires @unpin. The memory must not move
	 * until @unpin has been called as often as @pin. Old data must be
	 * cleared as for @map_dma_buf. An exporter with this hook is a dynamic
	 * exporter.
	 */
	int (*pin)(struct dma_buf_attachment *attach);

	/** @unpin: optional, resv held; undoes one @pin. */
	void (*unpin)(struct dma_buf_attachment *attach);

	/**
	 * @mmap: optional, resv not held. Map the buffer now, or install a
	 * fault handler that does. The core has checked that the range lies
	 * within the buffer.
	 */
	int (*mmap)(struct dma_buf *dmabuf, struct vm_area_struct *vma);

	/**
	 * @begin_cpu_access: optional, resv not held. The conflicting device
	 * accesses are over: make what devices wrote visible to the CPU.
	 */
	int (*begin_cpu_access)(struct dma_buf *dmabuf,
				enum dma_data_direction dir);

	/**
	 * @end_cpu_access: optional, resv not held. Make what the CPU wrote
	 * visible to devices.
	 */
	int (*end_cpu_access)(struct dma_buf *dmabuf,
			      enum dma_data_direction dir);

	/**
	 * @vmap: optional, resv held. Return the kernel address of the whole
	 * buffer. The core counts the users of that address and calls the hook
	 * for the first user only.
	 */
	int (*vmap)(struct dma_buf *dmabuf, struct iosys_map *map);

	/** @vunmap: optional, resv held; called for the last user of @vmap. */
	void (*vunmap)(struct dma_buf *dmabuf, struct iosys_map *map);
};

/**
 * struct dma_buf - a shared buffer
 *
 * A buffer is a file: the buffer lives as long as there is a reference to
 * @file, and the number of that file's inode identifies the buffer. An
 * attachment holds no reference, unless its importer has detached with a
 * mapping left.
 */
struct dma_buf {
	/** @size: size in bytes; does not change. */
	size_t size;

	/**
	 * @file: the file of this buffer; never NULL, never cleared. If the
	 * buffer is leaked on purpose, because an importer has left an
	 * attachment or a kernel mapping behind, the pointer changes to a file
	 * that is no dma-buf and is never freed, so that references may still
	 * be taken and dropped.
	 */
	struct file *file;

	/** @attachments: list of &dma_buf_attachment.node, guarded by @resv. */
	struct list_head attachments;

	/**
	 * @ops: the exporter's hooks. An exporter may replace the pointer right
	 * after dma_buf_export(), so read it at each use.
	 */
	const struct dma_buf_ops *ops;

	/** @exp_name: name of the exporter, for debugging. */
	const char *exp_name;

	/**
	 * @name: name that user space gave the buffer, or NULL. Guarded by
	 * @name_lock. A name that was replaced is freed after a grace period,
	 * so RCU readers may read a name without the lock.
	 */
	const char *name;

	/** @name_lock: guards @name. No other lock is taken under this one. */
	spinlock_t name_lock;

	/** @owner: module of the exporter; the buffer holds a reference. */
	struct module *owner;

	/** @priv: private data of the exporter. */
	void *priv;

	/**
	 * @resv: guards the attachments, mappings and pins, and carries the
	 * fences. Supplied by the exporter or embedded in the private object.
	 *
	 * All drivers follow the rules of &enum dma_resv_usage for adding
	 * fences and for waiting. Two kinds of driver have further rules.
	 *
	 * Drivers that take part in implicit synchronisation: each access that
	 * the user-space API counts as a read gets a fence of usage
	 * DMA_RESV_USAGE_READ, each one that it counts as a write a fence of
	 * usage DMA_RESV_USAGE_WRITE. Which is which depends on the API and on
	 * the window system. A write fence is always correct, but may
	 * synchronise more than necessary. A new access depends on the fences
	 * of usage dma_resv_usage_rw(). Drivers whose user-space API is
	 * synchronous and does not pipeline work across drivers, such as V4L2,
	 * add no fences.
	 *
	 * Dynamic importers: their devices must not reach the memory before all
	 * fences of usage DMA_RESV_USAGE_KERNEL have signalled, and write
	 * fences must be obeyed as well. Every access that the importer cannot
	 * stop at once in &dma_buf_attach_ops.move_notify needs a fence in the
	 * reservation: the exporter waits for nothing else before it moves the
	 * memory.
	 */
	struct dma_resv *resv;
};

/**
 * struct dma_buf_attach_ops - the callbacks of a dynamic importer
 */
struct dma_buf_attach_ops {
	/**
	 * @allow_peer2peer: the importer can use memory of another device,
	 * which has no struct page.
	 */
	bool allow_peer2peer;

	union {
		/**
		 * @move_notify: optional, resv held. The exporter is about to
		 * move the memory: the importer must not use its present
		 * mappings for new work, and must map again before the next
		 * use. Fences cover the work that is already running. The
		 * callback may unmap and unpin its own attachment, but must not
		 * detach.
		 *
		 * An importer without this callback must pin the memory of a
		 * dynamic exporter before it maps.
		 */
		void (*move_notify)(struct dma_buf_attachment *attach);

		/** @invalidate_mappings: another name of @move_notify. */
		void (*invalidate_mappings)(struct dma_buf_attachment *attach);
	};
};

/**
 * struct dma_buf_attachment - a device's use of a buffer
 *
 * Only dma_buf_attach() and dma_buf_dynamic_attach() create attachments: this
 * struct is embedded in one that also has the core's private state.
 */
struct dma_buf_attachment {
	/** @dmabuf: the buffer; the importer holds a reference to it. */
	struct dma_buf *dmabuf;

	/** @dev: the device that does DMA. */
	struct device *dev;

	/**
	 * @importer_ops: callbacks of a dynamic importer, NULL for a static
	 * importer. If an importer detaches with a mapping left, the core
	 * replaces the table by one without callbacks.
	 */
	const struct dma_buf_attach_ops *importer_ops;

	/** @importer_priv: private data of the importer. */
	void *importer_priv;

	/** @node: link in &dma_buf.attachments, guarded by &dma_buf.resv. */
	struct list_head node;

	/** @sgt: the cached mapping, see &dma_buf_ops.cache_sgt_mapping. */
	struct sg_table *sgt;

	/** @dir: direction of @sgt. */
	enum dma_data_direction dir;

	/**
	 * @peer2peer: the importer can use memory without struct page. The
	 * exporter's attach hook clears this if it cannot serve peer DMA.
	 */
	bool peer2peer;

	/** @priv: private data of the exporter. */
	void *priv;
};

/**
 * struct dma_buf_export_info - arguments of dma_buf_export()
 * @exp_name: name of the exporter; must live as long as @owner
 * @owner: module that contains the functions of @ops
 * @ops: the exporter's hooks
 * @size: size in bytes, from 1 to LLONG_MAX
 * @flags: for the file: O_RDONLY, O_WRONLY or O_RDWR, and O_NONBLOCK
 * @resv: a reservation of the exporter, which must live until the release hook
 *	is called, or NULL for one that is embedded in the buffer
 * @priv: private data of the exporter, required
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
 * Sets the exporter's name and the owner to the module that is being compiled.
 */
#define DEFINE_DMA_BUF_EXPORT_INFO(name)		\
	struct dma_buf_export_info name = {		\
		.exp_name = KBUILD_MODNAME,		\
		.owner = THIS_MODULE,			\
	}

/**
 * get_dma_buf - take a further reference to a buffer
 * @dmabuf: a buffer that the caller already holds a reference to
 *
 * Context: any.
 */
static inline void get_dma_buf(struct dma_buf *dmabuf)
{
	get_file(dmabuf->file);
}

/**
 * dma_buf_is_dynamic - check whether an exporter is a dynamic one
 * @dmabuf: a buffer
 *
 * A dynamic exporter may move its memory while the memory is not pinned.
 *
 * Context: any.
 * Return: true if the exporter has a &dma_buf_ops.pin hook.
 */
static inline bool dma_buf_is_dynamic(struct dma_buf *dmabuf)
{
	return dmabuf->ops->pin;
}

/**
 * dma_buf_attachment_is_dynamic - check whether an importer is a dynamic one
 * @attach: an attachment
 *
 * An importer is dynamic if it has passed a &struct dma_buf_attach_ops to
 * dma_buf_dynamic_attach(), even one that has no callback. So a dynamic
 * importer need not be able to follow a move, see dma_buf_attach_revocable()
 * for that.
 *
 * Context: any.
 * Return: true if &dma_buf_attachment.importer_ops is not NULL.
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

/* Moving memory */
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
