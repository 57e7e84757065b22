/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * dma-buf: what user space may ask of a shared buffer's file descriptor.
 *
 * Every number, layout and flag value below is frozen: programs that were built
 * against an older copy of this file go on working.
 */
#ifndef _DMA_BUF_UAPI_H_
#define _DMA_BUF_UAPI_H_

#include <linux/types.h>

/**
 * struct dma_buf_sync - argument of DMA_BUF_IOCTL_SYNC
 * @flags: one or both of DMA_BUF_SYNC_READ and DMA_BUF_SYNC_WRITE, with
 *	either DMA_BUF_SYNC_START or DMA_BUF_SYNC_END
 *
 * Brackets an access of the CPU through a mapping. START waits for the device
 * accesses that would conflict and makes the CPU see what devices wrote; END
 * makes devices see what the CPU wrote. The access that END names is the one
 * that START named. poll() replaces neither: it does nothing to caches.
 *
 * Either may fail with EINTR or EAGAIN. Nothing has begun, or ended, then, and
 * the request has to be repeated.
 *
 * An access is never exclusive: a buffer is shared, and programs that write to
 * it at the same time have to agree among themselves.
 */
struct dma_buf_sync {
	__u64 flags;
};

#define DMA_BUF_SYNC_READ	(1 << 0)
#define DMA_BUF_SYNC_WRITE	(2 << 0)
#define DMA_BUF_SYNC_RW		(DMA_BUF_SYNC_READ | DMA_BUF_SYNC_WRITE)
#define DMA_BUF_SYNC_START	(0 << 2)
#define DMA_BUF_SYNC_END	(1 << 2)
#define DMA_BUF_SYNC_VALID_FLAGS_MASK \
	(DMA_BUF_SYNC_RW | DMA_BUF_SYNC_END)

/* Room that a name takes, its terminating NUL included. */
#define DMA_BUF_NAME_LEN	32

/**
 * struct dma_buf_export_sync_file - argument of DMA_BUF_IOCTL_EXPORT_SYNC_FILE
 * @flags: DMA_BUF_SYNC_READ, DMA_BUF_SYNC_WRITE or both: the access that the
 *	caller is about to start
 * @fd: answer: a sync_file, always close-on-exec
 *
 * The sync_file covers what is pending now and conflicts with the named access:
 * for a read what poll(POLLIN) waits for, for a write (or both) what
 * poll(POLLOUT) waits for. If nothing is pending it is signalled already.
 */
struct dma_buf_export_sync_file {
	__u32 flags;
	__s32 fd;
};

/**
 * struct dma_buf_import_sync_file - argument of DMA_BUF_IOCTL_IMPORT_SYNC_FILE
 * @flags: DMA_BUF_SYNC_READ, DMA_BUF_SYNC_WRITE or both (which means a write):
 *	the access whose end the sync_file stands for
 * @fd: a sync_file; it stays the caller's
 *
 * Adds the fences of the sync_file to the buffer's reservation, so that users
 * who rely on implicit synchronisation wait for them.
 */
struct dma_buf_import_sync_file {
	__u32 flags;
	__s32 fd;
};

#define DMA_BUF_BASE		'b'
#define DMA_BUF_IOCTL_SYNC	_IOW(DMA_BUF_BASE, 0, struct dma_buf_sync)

/*
 * DMA_BUF_SET_NAME takes a pointer to a NUL-terminated string. Its number is
 * derived from the size of that pointer: _A is what 32-bit programs send, _B what
 * 64-bit ones do. A kernel takes both from either.
 */
#define DMA_BUF_SET_NAME	_IOW(DMA_BUF_BASE, 1, const char *)
#define DMA_BUF_SET_NAME_A	_IOW(DMA_BUF_BASE, 1, __u32)
#define DMA_BUF_SET_NAME_B	_IOW(DMA_BUF_BASE, 1, __u64)

#define DMA_BUF_IOCTL_EXPORT_SYNC_FILE \
	_IOWR(DMA_BUF_BASE, 2, struct dma_buf_export_sync_file)
#define DMA_BUF_IOCTL_IMPORT_SYNC_FILE \
	_IOW(DMA_BUF_BASE, 3, struct dma_buf_import_sync_file)

#endif /* _DMA_BUF_UAPI_H_ */
