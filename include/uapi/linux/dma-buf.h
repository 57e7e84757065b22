/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * dma-buf: the ioctls of a shared buffer's file descriptor.
 *
 * Every number, layout and flag value below is frozen, so programs that were
 * built with an older copy of this file keep working.
 */
#ifndef _DMA_BUF_UAPI_H_
#define _DMA_BUF_UAPI_H_

#include <linux/types.h>

/**
 * struct dma_buf_sync - argument of DMA_BUF_IOCTL_SYNC
 * @flags: one or both of DMA_BUF_SYNC_READ and DMA_BUF_SYNC_WRITE, with
 *	either DMA_BUF_SYNC_START or DMA_BUF_SYNC_END
 *
 * A program must use this ioctl before and after the CPU accesses the memory
 * through a mapping. START waits for the device accesses that conflict, and
 * makes what devices wrote visible to the CPU. END makes what the CPU wrote
 * visible to devices; its READ and WRITE flags must be those of START. poll()
 * replaces neither: it does nothing to caches.
 *
 * Both can fail with EINTR or EAGAIN. In that case the access has not begun, or
 * not ended, and the program must repeat the request.
 *
 * An access is never exclusive. Programs that write to the same buffer at the
 * same time must coordinate among themselves.
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

/* Size of a buffer's name, including the terminating NUL */
#define DMA_BUF_NAME_LEN	32

/**
 * struct dma_buf_export_sync_file - argument of DMA_BUF_IOCTL_EXPORT_SYNC_FILE
 * @flags: DMA_BUF_SYNC_READ, DMA_BUF_SYNC_WRITE or both: the access that the
 *	caller is about to start
 * @fd: returned: a sync_file, always close-on-exec
 *
 * The sync_file covers what is pending now and conflicts with the named access:
 * for a read what poll(POLLIN) waits for, for a write (or both) what
 * poll(POLLOUT) waits for. If nothing is pending, the sync_file is signalled
 * already.
 */
struct dma_buf_export_sync_file {
	__u32 flags;
	__s32 fd;
};

/**
 * struct dma_buf_import_sync_file - argument of DMA_BUF_IOCTL_IMPORT_SYNC_FILE
 * @flags: DMA_BUF_SYNC_READ, DMA_BUF_SYNC_WRITE or both (which means a write):
 *	the access whose end the sync_file signals
 * @fd: a sync_file; the caller still has to close it
 *
 * Adds the fences of the sync_file to the buffer's reservation, so that users
 * of implicit synchronisation wait for these fences.
 */
struct dma_buf_import_sync_file {
	__u32 flags;
	__s32 fd;
};

#define DMA_BUF_BASE		'b'
#define DMA_BUF_IOCTL_SYNC	_IOW(DMA_BUF_BASE, 0, struct dma_buf_sync)

/*
 * DMA_BUF_SET_NAME takes a pointer to a NUL-terminated string. The size of that
 * pointer is part of the ioctl number: 32-bit programs send _A, 64-bit programs
 * send _B. A kernel accepts both numbers from both kinds of program.
 */
#define DMA_BUF_SET_NAME	_IOW(DMA_BUF_BASE, 1, const char *)
#define DMA_BUF_SET_NAME_A	_IOW(DMA_BUF_BASE, 1, __u32)
#define DMA_BUF_SET_NAME_B	_IOW(DMA_BUF_BASE, 1, __u64)

#define DMA_BUF_IOCTL_EXPORT_SYNC_FILE \
	_IOWR(DMA_BUF_BASE, 2, struct dma_buf_export_sync_file)
#define DMA_BUF_IOCTL_IMPORT_SYNC_FILE \
	_IOW(DMA_BUF_BASE, 3, struct dma_buf_import_sync_file)

#endif /* _DMA_BUF_UAPI_H_ */
