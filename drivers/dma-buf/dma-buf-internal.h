/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * dma-buf: the private object, and the calls between the core's own files.
 *
 * The files, each above those that it calls
 * -----------------------------------------
 *
 *	dma-buf-debugfs.c	bufinfo, a list of all buffers for debugging
 *	dma-buf-bpf.c		a list of all buffers for BPF programs
 *	dma-buf.c		export, descriptors, references, the public
 *				walk, initialisation
 *	dma-buf-file.c		operations of a buffer's file, ioctls
 *	dma-buf-object.c	creation and destruction of the object, its
 *				memory, the pseudo file system
 *	dma-buf-show.c		names, users, fences and devices as text
 *	dma-buf-attach.c	access by devices: attach, pin, map, move,
 *				detach
 *	dma-buf-cpu.c		access by the CPU: begin and end, mmap, vmap
 *	dma-buf-poll.c		poll() on fences
 *	dma-buf-sync-file.c	fences to a sync_file and back
 *	dma-buf-registry.c	all live buffers, cursors to walk them
 *	dma-buf-trace.c		trace events, which nearly every file fires
 *
 * Calls go downwards only, so there is no loop. Data counts as well as code: a
 * file that needs something of a file above it is given a pointer.
 *
 *	dma-buf-debugfs.c	-> dma-buf.c, show, registry
 *	dma-buf-bpf.c		-> dma-buf.c, registry
 *	dma-buf.c		-> file (dma_buf_fops), object, registry
 *	dma-buf-file.c		-> object, show, cpu, poll, sync-file
 *	dma-buf-object.c	-> show, poll, registry
 *	dma-buf-show.c		-> attach
 *
 * dma_buf_fs_init() hands the file operations from dma-buf.c down to
 * dma-buf-object.c, which makes the files that have them.
 *
 * Lock order, outermost first
 * ---------------------------
 *
 *	dma_resv (ww-mutex, exporter's or embedded); dma_buf_visit_mutex
 *	  dma_buf_object.detach_lock
 *	    dma_fence.lock (held around dma_buf_poll_fence_signalled())
 *	      dma_buf_object.poll_wait.lock (held around wake-ups, so around the
 *	      locks of epoll and of other pollers)
 *	dma_buf_shard.lock, dma_buf.name_lock (no lock is taken under these)
 *
 * The kernel-doc of each exported function says which locks an exporter or an
 * importer may hold when it calls that function.
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
 * struct dma_buf_name - a name that user space gave a buffer
 * @text: NUL-terminated; dma_buf.name points here
 * @rcu: delays freeing, because BPF programs read the text without a lock
 */
struct dma_buf_name {
	char text[DMA_BUF_NAME_LEN];
	struct rcu_head rcu;
};

/**
 * struct dma_buf_object - a buffer with the state that only the core sees
 * @shard_link: link in the registry shard that inode.i_private points to,
 *	guarded by the shard's lock; @dmabuf must follow, see struct
 *	dma_buf_cursor
 * @dmabuf: the part that drivers see
 * @vmaps: users of @vmap, guarded by dma_buf.resv; fdinfo reads the count
 *	without that reservation
 * @vmap: kernel address, valid while @vmaps is not 0, guarded by dma_buf.resv
 * @detach_lock: its holder keeps every attachment of the buffer attached,
 *	because a detach takes this lock, inside the reservation, to unlist its
 *	attachment. Guards two things:
 *	 - the list of attachments against removal, for readers that must not
 *	   wait for the reservation (dma_buf_visit_attachments());
 *	 - @watches, which poll() arms and disarms.
 *	Both need the same lock: poll() takes locks of fences while it holds
 *	this one, and an importer's driver may free those as soon as its detach
 *	returns. With a lock for each, every detach would have to take both. A
 *	fence callback must not take this lock.
 * @poll_wait: pollers
 * @watches: the callbacks that will wake the pollers, see dma-buf-poll.c; NULL
 *	until a poller has to wait for the first time
 * @embedded_resv: dma_buf.resv points here if the exporter supplied none
 * @inode: the VFS allocates and frees the object as this inode, see
 *	dma-buf-object.c
 */
struct dma_buf_object {
	struct hlist_node shard_link;
	struct dma_buf dmabuf;

	unsigned int vmaps;
	spinlock_t detach_lock; /* @watches, removal of attachments */
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

/* The number that identifies a buffer, even a buffer whose file is gone. */
static inline u64 dma_buf_ino(struct dma_buf *dmabuf)
{
	return dma_buf_to_object(dmabuf)->inode.i_ino;
}

/**
 * dma_buf_never_fenced - check whether a reservation has no fence list at all
 * @resv: reservation
 *
 * True for most buffers that only the CPU fills. No list means no fences; a
 * full walk starts with the same test. Like any look without the reservation,
 * this one says nothing about a fence that is being added at the same time.
 *
 * Context: any.
 * Return: true if there is no fence to wait for.
 */
static inline bool dma_buf_never_fenced(struct dma_resv *resv)
{
	return !rcu_access_pointer(resv->fences);
}

/*
 * Called by functions that take the reservation, even if they do so only
 * sometimes: lockdep then reports a caller that holds the reservation already
 * on every call, not only when the caller deadlocks.
 */
static inline void dma_buf_might_lock_resv(struct dma_buf *dmabuf)
{
	might_lock(&dmabuf->resv->lock.base);
}

/**
 * dma_buf_wait - wait for the fences of a reservation
 * @resv: reservation
 * @usage: weakest usage to wait for; stronger ones are waited for, too
 * @wait_ns: the time that the wait took is added here, in nanoseconds; may be
 *	NULL
 *
 * Context: Process context, may sleep.
 * Return: 0; -ERESTARTSYS if a signal ended the wait.
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

/* guard(dma_buf_resv)(dmabuf) holds the reservation until the scope ends. */
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
/* Called for each attachment, until a call returns false */
typedef bool (*dma_buf_visit_fn)(struct dma_buf_attachment *attach, void *data);
void dma_buf_visit_attachments(struct dma_buf *dmabuf, dma_buf_visit_fn visit,
			       void *data);

/**
 * struct dma_buf_users - how many devices use a buffer, and how
 * @attachments: number of attachments
 * @maps: mappings of all attachments
 * @pins: pins of all attachments; a mapping that pins the memory counts as well
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
 * struct dma_buf_cursor - a position in the registry that holds no reference
 * @shard: the shard that lists the cursor, NULL for an unparked cursor; only
 *	the cursor's owner reads or writes this member
 * @node: link in the shard, directly before the buffer that comes next; guarded
 *	by the shard's lock
 * @size: always 0, which tells walkers that the entry is a cursor and not a
 *	buffer
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
