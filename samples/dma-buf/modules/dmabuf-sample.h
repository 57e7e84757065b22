/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * Requests of the two sample devices. /dev/dmabuf-sample-exporter makes DMA
 * buffers. /dev/dmabuf-sample-importer attaches to DMA buffers of any exporter.
 *
 * The structures have the same layout in 32-bit and 64-bit programs.
 */
#ifndef DMABUF_SAMPLE_H
#define DMABUF_SAMPLE_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define DMABUF_SAMPLE_MAGIC	0xd5

/* Size of the largest buffer that DMABUF_SAMPLE_CREATE makes, in bytes */
#define DMABUF_SAMPLE_MAX_SIZE	(16 << 20)

/**
 * struct dmabuf_sample_create - argument of DMABUF_SAMPLE_CREATE
 * @size: in: size in bytes, 1 to DMABUF_SAMPLE_MAX_SIZE;
 *	  out: the buffer's size, which is @size rounded up to whole pages
 * @flags: in: O_CLOEXEC or 0
 * @fd: out: descriptor of the new buffer
 */
struct dmabuf_sample_create {
	__u64 size;
	__u32 flags;
	__s32 fd;
};

/**
 * struct dmabuf_sample_describe - argument of DMABUF_SAMPLE_DESCRIBE
 * @bytes: out: sum of the lengths of all segments
 * @segments: out: number of DMA segments of the mapping
 * @pad: out: 0
 */
struct dmabuf_sample_describe {
	__u64 bytes;
	__u32 segments;
	__u32 pad;
};

/*
 * Exporter. DMABUF_SAMPLE_CREATE makes a buffer of zeroed memory. Map it with
 * MAP_SHARED: mmap() rejects a private mapping with EINVAL.
 *
 * EFAULT	the argument cannot be read or written; no buffer was made
 * EINVAL	size is 0 or too large, or flags has other bits than O_CLOEXEC
 * EMFILE	the process has reached its limit of descriptors
 * ENFILE	the system has reached its limit of open files
 * ENOMEM	there is not enough memory
 */
#define DMABUF_SAMPLE_CREATE \
	_IOWR(DMABUF_SAMPLE_MAGIC, 0x00, struct dmabuf_sample_create)

/*
 * Importer. All its requests can fail with
 *
 * EFAULT	the argument cannot be read or written
 * EINTR	a signal arrived while the request waited
 * ENOMEM	there is not enough memory
 *
 * DMABUF_SAMPLE_ATTACH attaches to the buffer of a descriptor and maps the
 * buffer. You may close the descriptor afterwards.
 *
 * EBADF	there is no such descriptor
 * EBUSY	this open file has a buffer already
 * EINVAL	the descriptor is not that of a DMA buffer
 *
 * DMABUF_SAMPLE_DESCRIBE, DMABUF_SAMPLE_SUM (the sum of all bytes) and
 * DMABUF_SAMPLE_DETACH:
 *
 * ENXIO	this open file has no buffer
 *
 * Errors of the buffer's exporter are passed on. DMABUF_SAMPLE_SUM fails with
 * EINVAL if the exporter offers no kernel mapping.
 */
#define DMABUF_SAMPLE_ATTACH	_IOW(DMABUF_SAMPLE_MAGIC, 0x10, __s32)
#define DMABUF_SAMPLE_DESCRIBE \
	_IOR(DMABUF_SAMPLE_MAGIC, 0x11, struct dmabuf_sample_describe)
#define DMABUF_SAMPLE_SUM	_IOR(DMABUF_SAMPLE_MAGIC, 0x12, __u64)
#define DMABUF_SAMPLE_DETACH	_IO(DMABUF_SAMPLE_MAGIC, 0x13)

/* Both devices reject any other request with ENOTTY. */

#endif /* DMABUF_SAMPLE_H */
