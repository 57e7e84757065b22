/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * dma-buf: ioctls of /dev/dma_buf_bench, for the benchmark's program.
 *
 * This is no stable interface: the program of the same tree is its only user.
 */
#ifndef _DMA_BUF_BENCH_H
#define _DMA_BUF_BENCH_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define DMA_BUF_BENCH_DEVICE	"/dev/dma_buf_bench"
#define DMA_BUF_BENCH_BASE	'B'

/* Operations that DMA_BUF_BENCH_RUN repeats */
enum dma_buf_bench_op {
	DMA_BUF_BENCH_EXPORT_PUT,	/* export, last put */
	DMA_BUF_BENCH_ANON_FILE_PUT,	/* an anonymous file with its own inode */
	DMA_BUF_BENCH_GET_PUT,		/* descriptor to buffer and back */
	DMA_BUF_BENCH_ATTACH_DETACH,
	DMA_BUF_BENCH_MAP_UNMAP,
	DMA_BUF_BENCH_IMPORT_CYCLE,	/* attach, map, unmap, detach */
	DMA_BUF_BENCH_VMAP_VUNMAP,
	DMA_BUF_BENCH_CPU_ACCESS,	/* begin, end */
	DMA_BUF_BENCH_OPS,
};

/**
 * struct dma_buf_bench_run - repeat an operation within the kernel
 * @op: enum dma_buf_bench_op
 * @rounds: number of repetitions, at least 1
 * @cycles: result, duration in units of get_cycles()
 */
struct dma_buf_bench_run {
	__u32 op;
	__u32 rounds;
	__u64 cycles;
};

/**
 * struct dma_buf_bench_hold - hold a number of unused buffers
 * @count: number of new buffers for this file to hold. Buffers that it held
 *	before are released first
 * @reserved: 0
 * @slab_bytes: result, growth of the slab caches in bytes
 */
struct dma_buf_bench_hold {
	__u32 count;
	__u32 reserved;
	__s64 slab_bytes;
};

/**
 * struct dma_buf_bench_occupy - hold a buffer's reservation
 * @fd: descriptor of the buffer
 * @ms: time to hold the reservation in milliseconds, at most 60000. A signal ends
 *	the wait
 */
struct dma_buf_bench_occupy {
	__s32 fd;
	__u32 ms;
};

/* Does nothing, to measure the cost of an ioctl */
#define DMA_BUF_BENCH_NOP	_IO(DMA_BUF_BENCH_BASE, 0)
/* Returns the descriptor of a new buffer of one page. */
#define DMA_BUF_BENCH_EXPORT	_IO(DMA_BUF_BENCH_BASE, 1)
#define DMA_BUF_BENCH_RUN	_IOWR(DMA_BUF_BENCH_BASE, 2, struct dma_buf_bench_run)
#define DMA_BUF_BENCH_HOLD	_IOWR(DMA_BUF_BENCH_BASE, 3, struct dma_buf_bench_hold)
/* Returns after the reservation has been released. */
#define DMA_BUF_BENCH_OCCUPY	_IOW(DMA_BUF_BENCH_BASE, 4, struct dma_buf_bench_occupy)

#endif
