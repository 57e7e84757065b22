// SPDX-License-Identifier: GPL-2.0-only
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <unistd.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "uring.h"

/* A ring that is closed already is left alone. */
void uring_close(struct uring *ring)
{
	if (ring->fd < 0)
		return;
	/* The kernel keeps a ring for as long as it is mapped. */
	if (ring->sqes != MAP_FAILED)
		munmap(ring->sqes, ring->sqes_size);
	if (ring->map != MAP_FAILED)
		munmap(ring->map, ring->size);
	close(ring->fd);
	ring->fd = -1;
}

int uring_open(struct uring *ring, unsigned int entries)
{
	struct io_uring_params p = {};
	size_t cq_size;
	int err;

	ring->fd = syscall(__NR_io_uring_setup, entries, &p);
	if (ring->fd < 0)
		return -errno;

	ring->size = p.sq_off.array + p.sq_entries * sizeof(*ring->sq_array);
	cq_size = p.cq_off.cqes + p.cq_entries * sizeof(*ring->cqes);
	if (ring->size < cq_size)
		ring->size = cq_size;
	ring->sqes_size = p.sq_entries * sizeof(*ring->sqes);

	/* One mapping for both rings: IORING_FEAT_SINGLE_MMAP */
	ring->map = mmap(NULL, ring->size, PROT_READ | PROT_WRITE, MAP_SHARED,
			 ring->fd, IORING_OFF_SQ_RING);
	ring->sqes = mmap(NULL, ring->sqes_size, PROT_READ | PROT_WRITE, MAP_SHARED,
			  ring->fd, IORING_OFF_SQES);
	if (ring->map == MAP_FAILED || ring->sqes == MAP_FAILED) {
		err = -errno;
		uring_close(ring);
		return err;
	}

	ring->sq_tail = ring->map + p.sq_off.tail;
	ring->sq_array = ring->map + p.sq_off.array;
	ring->sq_mask = p.sq_entries - 1;
	ring->cq_head = ring->map + p.cq_off.head;
	ring->cq_tail = ring->map + p.cq_off.tail;
	ring->cq_mask = p.cq_entries - 1;
	ring->cqes = ring->map + p.cq_off.cqes;
	return 0;
}

/*
 * Queue a request and hand one to the kernel; flags are those of io_uring_enter().
 * Returns how many the kernel took.
 */
int uring_submit(struct uring *ring, const struct io_uring_sqe *sqe, unsigned int flags)
{
	unsigned int tail = *ring->sq_tail, i = tail & ring->sq_mask;
	int n;

	ring->sqes[i] = *sqe;
	ring->sq_array[i] = i;
	__atomic_store_n(ring->sq_tail, tail + 1, __ATOMIC_RELEASE);
	n = syscall(__NR_io_uring_enter, ring->fd, 1, 0, flags, NULL, 0);
	return n < 0 ? -errno : n;
}

/* Take the oldest answer out of the ring, without waiting for one. */
bool uring_take(struct uring *ring, struct io_uring_cqe *cqe)
{
	unsigned int head = *ring->cq_head;

	if (head == __atomic_load_n(ring->cq_tail, __ATOMIC_ACQUIRE))
		return false;
	*cqe = ring->cqes[head & ring->cq_mask];
	__atomic_store_n(ring->cq_head, head + 1, __ATOMIC_RELEASE);
	return true;
}
