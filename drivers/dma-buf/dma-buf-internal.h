/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * dma-buf: the private object, and the calls between the core's own files.
 *
 * Lock order, outermost first:
 *
 *	dma_resv (ww-mutex, exporter's or embedded); dma_buf_visit_mutex
 *	  dma_buf_object.detach_lock
 *	    dma_fence.lock (dma_buf_poll_fence_signalled() runs under it)
 *	      dma_buf_object.poll_wait.lock (wakes, so what epoll and others take)
 *	dma_buf_shard.lock, dma_buf.name_lock (nothing is taken under these)
 *
 * What an exporter or importer may hold when it calls the core stands with each
 * exported function.
 */
#ifndef _DMA_BUF_INTERNAL_H
#define _DMA_BUF_INTERNAL_H

#include <linux/build_bug.h>
#include <linux/cleanup.h>
#include <linux/container_of.h>
#include <linux/dma-buf.h>
#include <linux/dma-fence.h>
#include <linux/dma-resv.h>
#include <linux/fs.h>
#include <linux/iosys-map.h>
#include <linux/kconfig.h>
#include <linux/ktime.h>
#include <linux/poll.h>
#include <linux/rculist.h>
#include <linux/sched.h>
#include <linux/spinlock.h>
#include <linux/wait.h>

#include <uapi/linux/dma-buf.h>

struct dma_buf_poll_watch;
struct seq_file;

/**
 * struct dma_buf_name - a name that user space set
 * @text: NUL-terminated; what dma_buf.name points to
 * @rcu: delays freeing, as BPF programs read the text without a lock
 */
struct dma_buf_name {
	char text[DMA_BUF_NAME_LEN];
	struct rcu_head rcu;
};

/**
 * struct dma_buf_object - all that a buffer is
 * @shard_link: link in the registry shard that inode.i_private points to, guarded
 *	by its lock; @dmabuf must follow, see struct dma_buf_cursor
 * @dmabuf: the part that drivers see
 * @vmaps: users of @vmap, guarded by dma_buf.resv; fdinfo looks without it
 * @vmap: kernel address, valid while @vmaps is not 0, guarded by dma_buf.resv
 * @detach_lock: whoever holds it keeps every attachment of the buffer attached:
 *	a detach takes it, inside the reservation, to remove its attachment. Guards
 *	the removal from dma_buf.attachments against readers that must not wait for
 *	the reservation (dma_buf_visit_attachments()), and @watches. These two need
 *	the same lock: poll() takes locks of fences under it, which an importer's
 *	driver may free once its detach has returned. With a lock for each, every
 *	detach would take both. Never taken in a fence callback.
 * @poll_wait: pollers
 * @watches: what they wait for, see dma-buf-poll.c; NULL if none had to wait yet
 * @embedded_resv: dma_buf.resv points here if the exporter brought none
 * @inode: carries all this, see dma-buf-object.c
 */
struct dma_buf_object {
	struct hlist_node shard_link;
	struct dma_buf dmabuf;

	unsigned int vmaps;
	spinlock_t detach_lock; /* @watches, and removal from dma_buf.attachments */
	struct iosys_map vmap;

	wait_queue_head_t poll_wait;
	struct dma_buf_poll_watch *watches;

	struct dma_resv embedded_resv;
	struct inode inode;
};

static inline struct dma_buf_object *dma_buf_to_object(struct dma_buf *dmabuf)
{
	return container_of(dmabuf, struct dma_buf_object, dmabuf);
}

static inline struct dma_buf_object *dma_buf_inode_to_object(struct inode *inode)
{
	return container_of(inode, struct dma_buf_object, inode);
}

/* The number that identifies a buffer, also one whose file is gone. */
static inline u64 dma_buf_ino(struct dma_buf *dmabuf)
{
	return dma_buf_to_object(dmabuf)->inode.i_ino;
}

/**
 * dma_buf_never_fenced - is there not even a list of fences in a reservation?
 * @resv: reservation
 *
 * So it is with most buffers that only the CPU fills. There is no list of fences
 * then, and no list means no fence: the same that a walk begins with, without the
 * rest of the walk. It says as much as any look without the reservation: of a fence
 * that is being added at the same time, nothing.
 *
 * Context: any.
 * Return: true if nobody has to be waited for.
 */
static inline bool dma_buf_never_fenced(struct dma_resv *resv)
{
	return !rcu_access_pointer(resv->fences);
}

/*
 * For functions that take the reservation, now or only sometimes: a caller that
 * holds it is told so by lockdep every time, not just when it deadlocks.
 */
static inline void dma_buf_might_lock_resv(struct dma_buf *dmabuf)
{
	might_lock(&dmabuf->resv->lock.base);
}

/**
 * dma_buf_wait - wait for fences
 * @resv: reservation
 * @usage: for which fences
 * @wait_ns: how long it took is added here, in nanoseconds, unless it is NULL
 *
 * Context: Process context, may sleep.
 * Return: 0 or -ERESTARTSYS.
 */
static inline int dma_buf_wait(struct dma_resv *resv, enum dma_resv_usage usage,
			       u64 *wait_ns)
{
	u64 begun;
	long ret;

	if (dma_buf_never_fenced(resv))
		return 0;

	begun = wait_ns ? ktime_get_ns() : 0;
	ret = dma_resv_wait_timeout(resv, usage, true, MAX_SCHEDULE_TIMEOUT);
	if (wait_ns)
		*wait_ns += ktime_get_ns() - begun;

	return ret < 0 ? ret : 0;
}

/* The reservation, for a scope. */
DEFINE_GUARD(dma_buf_resv, struct dma_buf *, dma_resv_lock(_T->resv, NULL),
	     dma_resv_unlock(_T->resv))

/* dma-buf-object.c */
int dma_buf_fs_init(const struct file_operations *fops);
struct dma_buf_object *
dma_buf_object_create(const struct dma_buf_export_info *info);
void dma_buf_object_destroy(struct dma_buf_object *obj);

/* dma-buf-file.c */
extern const struct file_operations dma_buf_fops;

/* dma-buf-show.c */
bool dma_buf_copy_name(struct dma_buf *dmabuf, char text[DMA_BUF_NAME_LEN]);
void dma_buf_show_escaped(struct seq_file *m, const char *text);
void dma_buf_show_users(struct seq_file *m, struct dma_buf *dmabuf);
void dma_buf_show_fences(struct seq_file *m, struct dma_buf *dmabuf);
void dma_buf_show_devices(struct seq_file *m, struct dma_buf *dmabuf);

/* dma-buf-attach.c */
/* Called for each attachment until it returns false */
typedef bool (*dma_buf_visit_fn)(struct dma_buf_attachment *attach, void *data);
void dma_buf_visit_attachments(struct dma_buf *dmabuf, dma_buf_visit_fn visit,
			       void *data);

/**
 * struct dma_buf_users - what devices have of a buffer
 * @attachments: attachments
 * @maps: their mappings
 * @pins: their pins, and the mappings that hold the memory in place
 */
struct dma_buf_users {
	unsigned int attachments;
	unsigned int maps;
	unsigned int pins;
};

void dma_buf_count_users(struct dma_buf *dmabuf, struct dma_buf_users *users);

/* dma-buf-registry.c */
void dma_buf_registry_init(void);
void dma_buf_registry_add(struct dma_buf_object *obj);
void dma_buf_registry_del(struct dma_buf_object *obj);

/**
 * struct dma_buf_cursor - a place in the registry that needs no reference
 * @shard: the shard that lists the cursor, NULL if it is unparked; the owner's
 * @node: link in the shard, before the buffer that comes next; guarded by the
 *	shard's lock
 * @size: 0, by which walkers tell a cursor from a buffer; does not change
 */
struct dma_buf_cursor {
	struct dma_buf_shard *shard;
	struct hlist_node node;
	size_t size;
};

void dma_buf_cursor_init(struct dma_buf_cursor *cursor);
void dma_buf_cursor_end(struct dma_buf_cursor *cursor);
void dma_buf_cursor_rewind(struct dma_buf_cursor *cursor);
struct dma_buf *dma_buf_cursor_get(struct dma_buf_cursor *cursor);
struct dma_buf *dma_buf_cursor_get_next(struct dma_buf_cursor *cursor,
					struct dma_buf *dmabuf);

/* dma-buf-poll.c */
__poll_t dma_buf_poll(struct file *file, poll_table *table);
void dma_buf_poll_init(struct dma_buf_object *obj);
void dma_buf_poll_shutdown(struct dma_buf_object *obj);
#if IS_ENABLED(CONFIG_DMABUF_CORE_KUNIT_TEST)
bool dma_buf_poll_will_wake_reader(struct dma_buf *dmabuf,
				   struct dma_fence *fence);
#endif

/* dma-buf-cpu.c */
int dma_buf_check_mmap(struct dma_buf *dmabuf, struct vm_area_struct *vma,
		       unsigned long pgoff);
int dma_buf_do_mmap(struct dma_buf *dmabuf, struct vm_area_struct *vma);

/* dma-buf-sync-file.c */
#ifdef CONFIG_SYNC_FILE
long dma_buf_export_sync_file(struct dma_buf *dmabuf,
			      struct dma_buf_export_sync_file __user *uarg);
long
dma_buf_import_sync_file(struct dma_buf *dmabuf,
			 const struct dma_buf_import_sync_file __user *uarg);
#else
static inline long
dma_buf_export_sync_file(struct dma_buf *dmabuf,
			 struct dma_buf_export_sync_file __user *uarg)
{
	return -ENOTTY;
}

static inline long
dma_buf_import_sync_file(struct dma_buf *dmabuf,
			 const struct dma_buf_import_sync_file __user *uarg)
{
	return -ENOTTY;
}
#endif

#endif /* _DMA_BUF_INTERNAL_H */
