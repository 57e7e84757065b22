/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * Requests of the two sample devices: /dev/dmabuf-sample-exporter, which makes
 * DMA buffers, and /dev/dmabuf-sample-importer, whose device uses any of them.
 *
 * Structures have the same layout in programs of 32 and of 64 bits.
 */
#ifndef DMABUF_SAMPLE_H
#define DMABUF_SAMPLE_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define DMABUF_SAMPLE_MAGIC	0xd5

/* Largest buffer that DMABUF_SAMPLE_CREATE makes, in bytes. */
#define DMABUF_SAMPLE_MAX_SIZE	(16 << 20)

/**
 * struct dmabuf_sample_create - argument of DMABUF_SAMPLE_CREATE
 * @size: in: bytes wanted, 1 to DMABUF_SAMPLE_MAX_SIZE;
 *	  out: bytes that the buffer has, which is @size in whole pages
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
 * @bytes: out: bytes in all segments together
 * @segments: out: number of DMA segments of the mapping
 * @pad: out: 0
 */
struct dmabuf_sample_describe {
	__u64 bytes;
	__u32 segments;
	__u32 pad;
};

/*
 * Exporter. Makes a buffer of zeroed memory, which can be mapped with
 * MAP_SHARED only (otherwise mmap() gives EINVAL).
 *
 * EFAULT	the argument cannot be read or written; there is no new buffer
 * EINVAL	size is 0 or too large, or flags has other bits than O_CLOEXEC
 * EMFILE	the process has no descriptor left
 * ENFILE	the machine has no file left
 * ENOMEM	no memory left
 */
#define DMABUF_SAMPLE_CREATE \
	_IOWR(DMABUF_SAMPLE_MAGIC, 0x00, struct dmabuf_sample_create)

/*
 * Importer. All of these give EFAULT if the argument is not in the memory of
 * the program, EINTR if a signal came while the request waited, and ENOMEM.
 *
 * DMABUF_SAMPLE_ATTACH: attaches to the buffer behind a descriptor, and maps
 * it. The descriptor may be closed afterwards.
 *
 * EBADF	there is no such descriptor
 * EBUSY	this open file has a buffer already
 * EINVAL	the descriptor is not one of a DMA buffer
 *
 * DMABUF_SAMPLE_DESCRIBE, DMABUF_SAMPLE_SUM (the sum of all bytes) and
 * DMABUF_SAMPLE_DETACH:
 *
 * ENXIO	this open file has no buffer
 *
 * Errors of the buffer's exporter are handed on. DMABUF_SAMPLE_SUM gives
 * EINVAL if that has no kernel address to offer.
 */
#define DMABUF_SAMPLE_ATTACH	_IOW(DMABUF_SAMPLE_MAGIC, 0x10, __s32)
#define DMABUF_SAMPLE_DESCRIBE \
	_IOR(DMABUF_SAMPLE_MAGIC, 0x11, struct dmabuf_sample_describe)
#define DMABUF_SAMPLE_SUM	_IOR(DMABUF_SAMPLE_MAGIC, 0x12, __u64)
#define DMABUF_SAMPLE_DETACH	_IO(DMABUF_SAMPLE_MAGIC, 0x13)

/* With any other request, ioctl() of both devices gives ENOTTY. */

#endif /* DMABUF_SAMPLE_H */
