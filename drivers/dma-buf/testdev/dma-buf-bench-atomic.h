/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * dma-buf: what the program bench-atomic says to /dev/dma_buf_bench_atomic.
 *
 * No stable interface: the program of the same tree is its only user.
 */
#ifndef _DMA_BUF_BENCH_ATOMIC_H
#define _DMA_BUF_BENCH_ATOMIC_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define DMA_BUF_ATOMIC_DEVICE	"/dev/dma_buf_bench_atomic"
#define DMA_BUF_ATOMIC_BASE	'A'

/**
 * struct dma_buf_atomic_opener - the sections that one function opened
 * @name: function that switched preemption off, or called what takes a lock
 * @longest: the longest section, in units of get_cycles(), without interrupts
 * @sections: how many there were
 */
struct dma_buf_atomic_opener {
	char name[64];
	__u64 longest;
	__u64 sections;
};

/**
 * struct dma_buf_atomic_report - what was seen since DMA_BUF_ATOMIC_WATCH
 * @openers: pointer to an array of struct dma_buf_atomic_opener. A function that
 *	opens sections at several places has an entry for each of them
 * @room: entries in @openers
 * @count: result, entries written; an ioctl with too little room fails, -ENOSPC
 * @lost: result, sections of functions for which the watch had no memory
 * @empty: result, what a section reads as that has nothing in it
 * @nested: result, what it takes in a section to take and release a lock
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
 * struct dma_buf_atomic_attach - attach devices to a buffer
 * @fd: descriptor of the buffer; one for each file of the device
 * @count: attachments to make
 */
struct dma_buf_atomic_attach {
	__s32 fd;
	__u32 count;
};

/*
 * Returns the descriptor of a new buffer. All buffers of a file of the device have the
 * same reservation.
 */
#define DMA_BUF_ATOMIC_EXPORT	_IO(DMA_BUF_ATOMIC_BASE, 0)
/* Add so many fences of usage READ to that reservation, each of a context of its own. */
#define DMA_BUF_ATOMIC_FENCES	_IO(DMA_BUF_ATOMIC_BASE, 1)
/* Have a newer fence of the same context take the first one's place there. */
#define DMA_BUF_ATOMIC_REPLACE	_IO(DMA_BUF_ATOMIC_BASE, 2)
/* Signal so many of the fences, the newest first. */
#define DMA_BUF_ATOMIC_SIGNAL	_IO(DMA_BUF_ATOMIC_BASE, 3)
#define DMA_BUF_ATOMIC_ATTACH	_IOW(DMA_BUF_ATOMIC_BASE, 4, struct dma_buf_atomic_attach)
/* Detach so many of the attachments, the oldest first. */
#define DMA_BUF_ATOMIC_DETACH	_IO(DMA_BUF_ATOMIC_BASE, 5)
/* Forget what was seen, and watch sections from now on. */
#define DMA_BUF_ATOMIC_WATCH	_IO(DMA_BUF_ATOMIC_BASE, 6)
/* Watch no more, and report. */
#define DMA_BUF_ATOMIC_REPORT	_IOWR(DMA_BUF_ATOMIC_BASE, 7, struct dma_buf_atomic_report)

#endif
