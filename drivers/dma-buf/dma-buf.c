// SPDX-License-Identifier: GPL-2.0-only
/*
 * dma-buf: the life of a buffer, from export to release.
 *
 * A buffer is a file (dma-buf-object.c makes it). References to the buffer are
 * references to the file, held by descriptors, maps, importers and walkers, and
 * the release runs in the last fput(): in process context, deferred past
 * whatever locks the one who dropped the reference holds, and before the struct
 * file can serve somebody else, so that exporters may still look at it. It runs
 * as task work of the task that dropped the last reference, or in a worker if
 * that was an interrupt, a kernel thread or an exiting task.
 *
 * Only the release tells anybody that the buffer is over. What outlives it (the
 * dentry, which an O_PATH descriptor or a lookup of /proc/PID/fd can hold, and
 * with it the inode that the object lies around) is just memory that has not
 * been given back yet.
 */
#include <linux/bug.h>
#include <linux/cleanup.h>
#include <linux/dma-buf.h>
#include <linux/export.h>
#include <linux/fcntl.h>
#include <linux/file.h>
#include <linux/init.h>
#include <linux/limits.h>
#include <linux/module.h>

#include <trace/events/dma_buf.h>

#include "dma-buf-internal.h"

/* Mistakes in an exporter's code warn; sizes come from user space and do not. */
static int dma_buf_check_export(const struct dma_buf_export_info *info)
{
	const struct dma_buf_ops *ops;

	if (WARN_ON_ONCE(!info || !info->priv || !info->ops || !info->exp_name))
		return -EINVAL;

	ops = info->ops;
	if (WARN_ON_ONCE(!ops->map_dma_buf || !ops->unmap_dma_buf ||
			 !ops->release))
		return -EINVAL;

	/* A kept mapping pins its memory down, which a dynamic exporter moves. */
	if (WARN_ON_ONCE(!ops->pin != !ops->unpin ||
			 (ops->cache_sgt_mapping && ops->pin)))
		return -EINVAL;

	/* llseek() and stat() report the size as a loff_t. */
	if (!info->size || info->size > LLONG_MAX)
		return -EINVAL;

	return 0;
}

/**
 * dma_buf_export - make a buffer of an exporter's memory
 * @exp_info: what to export, see &struct dma_buf_export_info; not kept
 *
 * On success &dma_buf_export_info.priv is the buffer's: the exporter's release
 * hook gets it back, also if the exporter changes its mind and calls
 * dma_buf_put(). On failure it stays with the caller.
 *
 * The buffer holds a reference to &dma_buf_export_info.owner until its release.
 *
 * Context: Process context, may sleep. Takes no lock that drivers see; the
 * caller may hold reservations.
 * Return: a buffer with one reference, which is the caller's, or an ERR_PTR():
 * -EINVAL if a required argument is missing, or one of the pin and unpin hooks, or
 * mappings are to be cached and pinned (each with a warning), or if the size is 0 or
 * above LLONG_MAX; -ENOENT if the owner is being unloaded; -ENOMEM; -ENFILE.
 */
struct dma_buf *dma_buf_export(const struct dma_buf_export_info *exp_info)
{
	struct dma_buf_object *obj;
	int ret;

	ret = dma_buf_check_export(exp_info);
	if (ret)
		return ERR_PTR(ret);

	if (!try_module_get(exp_info->owner))
		return ERR_PTR(-ENOENT);

	obj = dma_buf_object_create(exp_info);
	if (IS_ERR(obj)) {
		module_put(exp_info->owner);
		return ERR_CAST(obj);
	}

	dma_buf_registry_add(obj);
	trace_dma_buf_export(&obj->dmabuf);
	return &obj->dmabuf;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_export, DMA_BUF);

/**
 * dma_buf_fd_install - publish a buffer under a reserved descriptor
 * @dmabuf: buffer; consumes the caller's reference, as with dma_buf_fd()
 * @fd: from get_unused_fd_flags() in the same process
 *
 * The second half of handing out a descriptor, which cannot fail: reserve the
 * number, do everything that can fail, install.
 *
 * Context: Process context. The caller may hold reservations.
 */
void dma_buf_fd_install(struct dma_buf *dmabuf, int fd)
{
	/* Then it may be somebody else's to close. */
	trace_dma_buf_fd(dmabuf, fd);
	fd_install(fd, dmabuf->file);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_fd_install, DMA_BUF);

/**
 * dma_buf_fd - give the caller's process a descriptor of a buffer
 * @dmabuf: buffer
 * @flags: O_CLOEXEC or 0; other bits are ignored
 *
 * Success consumes the caller's reference: another thread may close the
 * descriptor before this returns, so the buffer must not be touched any more
 * unless another reference is held. On failure the reference stays with the
 * caller. Where something can fail after this, such as a copy_to_user(), use
 * get_unused_fd_flags() and dma_buf_fd_install() instead.
 *
 * Context: Process context, may sleep. The caller may hold reservations.
 * Return: a descriptor; -EINVAL if @dmabuf is NULL; -EMFILE if the process has
 * no descriptor left; -ENOMEM.
 */
int dma_buf_fd(struct dma_buf *dmabuf, int flags)
{
	int fd;

	if (!dmabuf)
		return -EINVAL;

	fd = get_unused_fd_flags(flags & O_CLOEXEC);
	if (fd >= 0)
		dma_buf_fd_install(dmabuf, fd);

	return fd;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_fd, DMA_BUF);

static bool is_dma_buf_file(struct file *file)
{
	return file->f_op == &dma_buf_fops;
}

static __always_inline struct dma_buf *dma_buf_lookup(int fd)
{
	struct file *file __free(fput) = fget(fd);

	if (!file)
		return ERR_PTR(-EBADF);
	if (!is_dma_buf_file(file))
		return ERR_PTR(-EINVAL);

	return no_free_ptr(file)->private_data;
}

/* Apart, as dma_buf_put_traced(). */
static noinline struct dma_buf *dma_buf_get_traced(int fd)
{
	struct dma_buf *dmabuf = dma_buf_lookup(fd);

	if (!IS_ERR(dmabuf))
		trace_dma_buf_get(dmabuf, fd);

	return dmabuf;
}

/**
 * dma_buf_get - the buffer behind a descriptor
 * @fd: descriptor of the calling process
 *
 * Context: Process context. The caller may hold reservations.
 * Return: a buffer with a reference that is the caller's, to be dropped with
 * dma_buf_put(), or an ERR_PTR(): -EBADF if there is no such descriptor, -EINVAL
 * if it is something else than a buffer.
 */
struct dma_buf *dma_buf_get(int fd)
{
	if (trace_dma_buf_get_enabled())
		return dma_buf_get_traced(fd);

	return dma_buf_lookup(fd);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_get, DMA_BUF);

/* Apart, so that nothing has to be kept for the event where it is off. */
static noinline void dma_buf_put_traced(struct dma_buf *dmabuf)
{
	trace_dma_buf_put(dmabuf);
	fput(dmabuf->file);
}

/**
 * dma_buf_put - drop a reference
 * @dmabuf: buffer; NULL warns and does nothing
 *
 * The exporter's release hook never runs in here: the last reference defers it
 * to task work of the current task, or to a worker in interrupts, kernel threads
 * and tasks that are exiting.
 *
 * Context: Any context that may call fput(). The caller may hold locks that the
 * exporter's release hook takes.
 */
void dma_buf_put(struct dma_buf *dmabuf)
{
	if (WARN_ON_ONCE(!dmabuf))
		return;

	if (trace_dma_buf_put_enabled())
		dma_buf_put_traced(dmabuf);
	else
		fput(dmabuf->file);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_put, DMA_BUF);

/**
 * dma_buf_iter_begin - start a walk over every live buffer
 *
 * Go on with dma_buf_iter_next(). A buffer that lives through the whole walk is
 * seen exactly once; one that is exported or released meanwhile may be seen or
 * not. To end a walk early, dma_buf_put() the buffer at hand.
 *
 * The walker may sleep between two steps. It must not call the exporter's hooks
 * of a buffer that it found: the exporter may be about to replace their table.
 *
 * Context: Process context, may sleep. Takes no lock that drivers see; the caller
 * may hold reservations.
 * Return: a buffer with a reference, NULL if there is none.
 */
struct dma_buf *dma_buf_iter_begin(void)
{
	struct dma_buf_cursor cursor;
	struct dma_buf *first;

	dma_buf_cursor_init(&cursor);
	dma_buf_cursor_rewind(&cursor);
	first = dma_buf_cursor_get(&cursor);
	dma_buf_cursor_end(&cursor);
	return first;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_iter_begin, DMA_BUF);

/**
 * dma_buf_iter_next - one step of a walk over every live buffer
 * @dmabuf: what the last step returned; its reference is dropped
 *
 * Context: as dma_buf_iter_begin().
 * Return: a buffer with a reference, NULL at the end.
 */
struct dma_buf *dma_buf_iter_next(struct dma_buf *dmabuf)
{
	struct dma_buf_cursor cursor;
	struct dma_buf *next;

	if (WARN_ON_ONCE(!dmabuf))
		return NULL;

	dma_buf_cursor_init(&cursor);
	next = dma_buf_cursor_get_next(&cursor, dmabuf);
	dma_buf_cursor_end(&cursor);
	dma_buf_put(dmabuf);
	return next;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_iter_next, DMA_BUF);

static int __init dma_buf_init(void)
{
	dma_buf_registry_init();
	return dma_buf_fs_init(&dma_buf_fops);
}
subsys_initcall(dma_buf_init);
