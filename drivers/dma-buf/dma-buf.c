// SPDX-License-Identifier: GPL-2.0-only
/*
 * dma-buf: the life of a buffer, from export to the last reference.
 *
 * A buffer is a file, which dma-buf-object.c creates. References to the buffer
 * are references to the file: descriptors, mappings, importers and walkers hold
 * them. The release runs in the last fput(), which has two consequences. It
 * runs in process context without any lock of the task that dropped the
 * reference: as task work of that task, or in a worker if the reference was
 * dropped by an interrupt, a kernel thread or an exiting task. And it runs
 * before the struct file can be reused, so exporters may still look at that
 * file.
 *
 * A buffer ends with its release. The dentry and the inode, in which the object
 * is embedded, may outlive it (an O_PATH descriptor or a lookup of /proc/PID/fd
 * holds them); that is memory not yet freed, nothing more.
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

/*
 * Warn of bugs in the exporter, but not of sizes, which user space may choose.
 */
static int dma_buf_check_export(const struct dma_buf_export_info *info)
{
	const struct dma_buf_ops *ops;

	if (WARN_ON_ONCE(!info || !info->priv || !info->ops || !info->exp_name))
		return -EINVAL;

	ops = info->ops;
	if (WARN_ON_ONCE(!ops->map_dma_buf || !ops->unmap_dma_buf ||
			 !ops->release))
		return -EINVAL;

	/*
	 * A pin must be undone. And a mapping that the core caches would keep
	 * the memory in place, so a dynamic exporter could never move it.
	 */
	if (WARN_ON_ONCE(!ops->pin != !ops->unpin ||
			 (ops->cache_sgt_mapping && ops->pin)))
		return -EINVAL;

	/*
	 * A size of 0 marks the readers' positions in the lists of all buffers
	 * (struct dma_buf_cursor). llseek() and stat() report the size as a
	 * loff_t.
	 */
	if (!info->size || info->size > LLONG_MAX)
		return -EINVAL;

	return 0;
}

/**
 * dma_buf_export - export a dma-buf from an exporter's memory
 * @exp_info: what to export, see &struct dma_buf_export_info; not used after
 *	the function has returned
 *
 * On success the buffer owns &dma_buf_export_info.priv: from then on only the
 * exporter's release hook may free what that points to. An exporter that fails
 * after the export calls dma_buf_put(), which leads to that hook. On failure
 * the caller still owns &dma_buf_export_info.priv.
 *
 * The buffer holds a reference to &dma_buf_export_info.owner until its release.
 *
 * Context: Process context, may sleep. Takes no lock that drivers see; the
 * caller may hold reservations.
 * Return: a buffer with one reference, which the caller owns, or an ERR_PTR():
 * -EINVAL with a warning if a required argument or hook is missing, if only one
 * of the pin and unpin hooks is there, or if an exporter with a pin hook wants
 * its mappings cached; -EINVAL if the size is 0 or above LLONG_MAX; -ENOENT if
 * the owner is being unloaded; -ENOMEM; -ENFILE.
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
 * dma_buf_fd_install - install a buffer at a reserved descriptor
 * @dmabuf: buffer; the caller's reference moves to the descriptor
 * @fd: result of get_unused_fd_flags() in the same process
 *
 * The second step of the safe way to return a descriptor: reserve the number,
 * do everything that can fail, then install. This step cannot fail.
 *
 * Context: Process context. The caller may hold reservations.
 */
void dma_buf_fd_install(struct dma_buf *dmabuf, int fd)
{
	/*
	 * Trace before installing: after that another thread may close the
	 * descriptor and release the buffer.
	 */
	trace_dma_buf_fd(dmabuf, fd);
	fd_install(fd, dmabuf->file);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_fd_install, DMA_BUF);

/**
 * dma_buf_fd - install a new descriptor for a buffer
 * @dmabuf: buffer
 * @flags: O_CLOEXEC or 0; other bits are ignored
 *
 * Success consumes the caller's reference: another thread may close the
 * descriptor before this function returns, so the caller must not touch the
 * buffer any more unless it holds another reference. On failure the caller
 * keeps its reference. A caller that does something which can fail after this
 * function, such as a copy_to_user(), uses get_unused_fd_flags() and
 * dma_buf_fd_install() instead.
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

/* Out of line, see dma_buf_put_traced(). */
static noinline struct dma_buf *dma_buf_get_traced(int fd)
{
	struct dma_buf *dmabuf = dma_buf_lookup(fd);

	if (!IS_ERR(dmabuf))
		trace_dma_buf_get(dmabuf, fd);

	return dmabuf;
}

/**
 * dma_buf_get - get the buffer of a descriptor
 * @fd: descriptor of the calling process
 *
 * Context: Process context. The caller may hold reservations.
 * Return: a buffer with a reference, which the caller owns and drops with
 * dma_buf_put(), or an ERR_PTR(): -EBADF if there is no such descriptor,
 * -EINVAL if the descriptor is not one of a dma-buf.
 */
struct dma_buf *dma_buf_get(int fd)
{
	if (trace_dma_buf_get_enabled())
		return dma_buf_get_traced(fd);

	return dma_buf_lookup(fd);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_get, DMA_BUF);

/* Out of line, so that the untraced path saves no registers for the event. */
static noinline void dma_buf_put_traced(struct dma_buf *dmabuf)
{
	trace_dma_buf_put(dmabuf);
	fput(dmabuf->file);
}

/**
 * dma_buf_put - drop a reference to a buffer
 * @dmabuf: buffer; NULL warns and does nothing
 *
 * The exporter's release hook never runs inside this function: dropping the
 * last reference defers the release to task work of the current task, or to a
 * worker in interrupts, kernel threads and exiting tasks.
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
 * dma_buf_iter_begin - start a walk over all live buffers
 *
 * Continue with dma_buf_iter_next(). A buffer that lives through the whole walk
 * is seen exactly once; a buffer that is exported or released during the walk
 * may be seen or not. To end a walk early, call dma_buf_put() on the current
 * buffer.
 *
 * The walker may sleep between two steps. It must not call the exporter's hooks
 * of a buffer that the walk returned: the exporter may be about to replace
 * &dma_buf.ops.
 *
 * Context: Process context, may sleep. Takes no lock that drivers see; the
 * caller may hold reservations.
 * Return: a buffer with a reference, or NULL if there is no buffer.
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
 * dma_buf_iter_next - continue a walk over all live buffers
 * @dmabuf: result of the previous step; its reference is dropped
 *
 * Context: as dma_buf_iter_begin().
 * Return: a buffer with a reference, or NULL at the end of the walk.
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
