/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * dma-buf: ioctls of /dev/dma_buf_bench_atomic, for the program bench-atomic.
 *
 * This is no stable interface: the program of the same tree is its only user.
 */
#ifndef _DMA_BUF_BENCH_ATOMIC_H
#define _DMA_BUF_BENCH_ATOMIC_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define DMA_BUF_ATOMIC_DEVICE	"/dev/dma_buf_bench_atomic"
#define DMA_BUF_ATOMIC_BASE	'A'

/**
 * struct dma_buf_atomic_opener - sections that one function opened
 * @name: function that disabled preemption or called a locking function
 * @longest: the longest section, in units of get_cycles(), without interrupts
 * @sections: number of sections
 */
struct dma_buf_atomic_opener {
	char name[64];
	__u64 longest;
	__u64 sections;
};

/**
 * struct dma_buf_atomic_report - sections seen since DMA_BUF_ATOMIC_WATCH
 * @openers: pointer to an array of struct dma_buf_atomic_opener. A function that
 *	opens sections at several places has an entry for each of them
 * @room: number of entries for which @openers has room
 * @count: result, number of entries written. Fails with -ENOSPC if @room is less
 * @lost: result, sections of functions that did not fit into the watch's table
 * @empty: result, measured length of an empty section
 * @nested: result, time to take and release a lock within a section
 */
struct dma_buf_atomic_report {
	__u64 openers;
	__u32 room;
	__u32 count;
	__u64 lost;
	__u64 empty;
	__u64 nested;
};

/**
 * struct dma_buf_atomic_attach - attach a device to a buffer
 * @fd: descriptor of the buffer. An open file can attach to one buffer only
 * @count: number of attachments to make
 */
struct dma_buf_atomic_attach {
	__s32 fd;
	__u32 count;
};

/*
 * Returns the descriptor of a new buffer. All buffers of an open file of the
 * device share one reservation.
 */
#define DMA_BUF_ATOMIC_EXPORT	_IO(DMA_BUF_ATOMIC_BASE, 0)
/* Adds that many fences of usage READ, of different contexts, to the reservation. */
#define DMA_BUF_ATOMIC_FENCES	_IO(DMA_BUF_ATOMIC_BASE, 1)
/* Replaces the first fence in the reservation by a newer one of its context. */
#define DMA_BUF_ATOMIC_REPLACE	_IO(DMA_BUF_ATOMIC_BASE, 2)
/* Signals that many of the fences, the newest first. */
#define DMA_BUF_ATOMIC_SIGNAL	_IO(DMA_BUF_ATOMIC_BASE, 3)
#define DMA_BUF_ATOMIC_ATTACH	_IOW(DMA_BUF_ATOMIC_BASE, 4, struct dma_buf_atomic_attach)
/* Detaches that many of the attachments, the oldest first. */
#define DMA_BUF_ATOMIC_DETACH	_IO(DMA_BUF_ATOMIC_BASE, 5)
/* Clears the table of sections and starts watching. */
#define DMA_BUF_ATOMIC_WATCH	_IO(DMA_BUF_ATOMIC_BASE, 6)
/* Stops watching and reports the sections. */
#define DMA_BUF_ATOMIC_REPORT	_IOWR(DMA_BUF_ATOMIC_BASE, 7, struct dma_buf_atomic_report)

#endif
