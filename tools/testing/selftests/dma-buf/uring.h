/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An io_uring by system calls alone, for tests that must not depend on a library.
 *
 * One thread at a time may use a ring. Functions return a negative errno on
 * failure, like the kernel's own.
 */
#ifndef SELFTESTS_DMA_BUF_URING_H
#define SELFTESTS_DMA_BUF_URING_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/io_uring.h>

struct uring {
	int fd;			/* -1: closed */
	size_t size, sqes_size;
	void *map;
	unsigned int *sq_tail, *sq_array, sq_mask;
	unsigned int *cq_head, *cq_tail, cq_mask;
	struct io_uring_sqe *sqes;
	struct io_uring_cqe *cqes;
};

int uring_open(struct uring *ring, unsigned int entries);
void uring_close(struct uring *ring);
int uring_submit(struct uring *ring, const struct io_uring_sqe *sqe, unsigned int flags);
bool uring_take(struct uring *ring, struct io_uring_cqe *cqe);

#endif
