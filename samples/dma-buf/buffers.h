/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Properties of a dma-buf and of all dma-bufs in the system, and reading a
 * buffer's pixels.
 */
#ifndef SAMPLE_BUFFERS_H
#define SAMPLE_BUFFERS_H

#include <stddef.h>

struct picture {
	unsigned int width;
	unsigned int height;
	unsigned int stride;
	unsigned int fourcc;
};

/* Returns the buffer's size in bytes, or -1 after a complaint. */
long long buffer_size(int fd);

int buffer_set_name(int fd, const char *name);

/* Print one line for each buffer: its size, exporter, name and devices. */
int buffers_print_table(const int *fds, unsigned int count);

/* Returns the number of buffers in the whole system, or -1 after a complaint. */
int buffers_count(void);

/*
 * Map the buffer and compare pixels in the middle of each of the eight 100%
 * colour bars. DMA_BUF_IOCTL_SYNC brackets the read, so that the CPU's caches
 * hold what the device wrote. Returns the number of pixels, all of them right,
 * or -1 after a complaint about the first wrong pixel.
 */
int buffer_check_bars(int fd, const struct picture *pic, unsigned int tolerance);

#endif
