/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What can be asked of a dma-buf through its descriptor, and what the kernel
 * tells about all of them.
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

/* Size of the buffer in bytes, or -1 after a complaint. */
long long buffer_size(int fd);

int buffer_set_name(int fd, const char *name);

/* Print one line for each buffer: who made it, who uses it. */
int buffers_print_table(const int *fds, unsigned int count);

/* How many buffers live in the whole system, or -1 after a complaint. */
int buffers_count(void);

/*
 * Map the buffer, bracket the read for cache maintenance, compare the middle
 * of each of the eight 100% colour bars. Returns how many pixels were right,
 * or -1 after complaining about the first wrong one.
 */
int buffer_check_bars(int fd, const struct picture *pic, unsigned int tolerance);

#endif
