// SPDX-License-Identifier: GPL-2.0-only
/*
 * Cost of operations on buffers.
 *
 *   bench [ROW...]
 *
 * Measures the time of one operation for each ROW, by default for all rows. The
 * result is the median of several batches in nanoseconds. In a virtual machine
 * whose clock counts one nanosecond for each instruction, the result is the
 * number of instructions.
 *
 *   bench -r N ROW
 *
 * Runs N operations without a warm-up and without a measurement, for a profiler.
 *
 * Needs the module dma-buf-bench, the system heap and sw_sync. Prints one line
 * for each row, with tabs between the fields: "row", name, unit, median, minimum,
 * maximum.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <linux/dma-heap.h>

#include "../../../../drivers/dma-buf/testdev/dma-buf-bench.h"
#include "util.h"

/* The first batches fill the allocator's caches and do not count. */
#define WARM_UP		2
#define BATCHES		9

#define ACCESS_START	(DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW)
#define ACCESS_END	(DMA_BUF_SYNC_END | DMA_BUF_SYNC_RW)

static int bench = -1;		/* /dev/dma_buf_bench */
static int heap = -1;		/* /dev/dma_heap/system */

/*
 * Run a batch, which is a number of rounds of a row. Returns the time of the
 * rounds without their preparation, or a negative errno.
 */
typedef long long (*batch_fn)(unsigned int rounds, unsigned int arg);

struct row {
	const char *name;
	const char *unit;
	batch_fn batch;
	unsigned int rounds;
	unsigned int arg;
};

/* Time in nanoseconds, or in instructions if the machine's clock counts these */
static unsigned long long now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC_RAW, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

/* Each row has its own loop: a call through a pointer would add to the time. */
#define REPEAT(rounds, ok)						\
	({								\
		unsigned long long began = now_ns();			\
		unsigned int left = (rounds);				\
									\
		while (left && (ok))					\
			left--;						\
		left ? (errno ? -errno : -EIO) : (long long)(now_ns() - began); \
	})

/*
 * References: the cost of comparable operations on other files of the same kernel
 */

static long long null_syscall(unsigned int rounds, unsigned int arg)
{
	return REPEAT(rounds, syscall(SYS_getppid) >= 0);
}

static long long ioctl_nop(unsigned int rounds, unsigned int arg)
{
	return REPEAT(rounds, !ioctl(bench, DMA_BUF_BENCH_NOP));
}

static long long eventfd_close(unsigned int rounds, unsigned int arg)
{
	return REPEAT(rounds, !close(eventfd(0, EFD_CLOEXEC)));
}

static long long poll_memfd(unsigned int rounds, unsigned int arg)
{
	struct pollfd pfd = { .events = arg };
	long long took;

	pfd.fd = memfd_create("bench", MFD_CLOEXEC);
	took = REPEAT(rounds, poll(&pfd, 1, 0) == 1);
	close(pfd.fd);
	return took;
}

/*
 * In the kernel
 */

static long long in_kernel(unsigned int rounds, unsigned int arg)
{
	struct dma_buf_bench_run run = { .op = arg, .rounds = rounds };

	if (ioctl(bench, DMA_BUF_BENCH_RUN, &run))
		return -errno;
	return run.cycles;
}

static long long bytes_per_buffer(unsigned int rounds, unsigned int arg)
{
	struct dma_buf_bench_hold hold = { .count = rounds }, none = {};

	if (ioctl(bench, DMA_BUF_BENCH_HOLD, &hold) ||
	    ioctl(bench, DMA_BUF_BENCH_HOLD, &none))
		return -errno;
	return hold.slab_bytes;
}

/*
 * Descriptors
 */

static int make(void)
{
	return ioctl(bench, DMA_BUF_BENCH_EXPORT);
}

static int allocate(void)
{
	struct dma_heap_allocation_data data = {
		.len = getpagesize(),
		.fd_flags = O_RDWR | O_CLOEXEC,
	};

	return ioctl(heap, DMA_HEAP_IOCTL_ALLOC, &data) ? -1 : (int)data.fd;
}

static long long export_fd_close(unsigned int rounds, unsigned int arg)
{
	return REPEAT(rounds, !close(make()));
}

static long long heap_alloc_close(unsigned int rounds, unsigned int arg)
{
	return REPEAT(rounds, !close(allocate()));
}

static long long llseek_end(unsigned int rounds, unsigned int arg)
{
	int fd = make();
	long long took = REPEAT(rounds, lseek(fd, 0, SEEK_END) > 0);

	close(fd);
	return took;
}

static long long set_name(unsigned int rounds, unsigned int arg)
{
	int fd = make();
	long long took = REPEAT(rounds, !ioctl(fd, DMA_BUF_SET_NAME_B, "a name"));

	close(fd);
	return took;
}

static long long mmap_munmap(unsigned int rounds, unsigned int arg)
{
	size_t size = getpagesize();
	int fd = allocate();
	long long took = REPEAT(rounds, !munmap(mmap(NULL, size, PROT_READ,
						     MAP_SHARED, fd, 0), size));

	close(fd);
	return took;
}

/*
 * Polling
 */

enum { IDLE, SIGNALED, ARMED };

/* A row's argument: the events in the upper half, the fence in the lower half. */
#define POLL_ROW(events, fence)	((events) << 16 | (fence))

static long long poll_buffer(unsigned int rounds, unsigned int arg)
{
	struct pollfd pfd = { .events = arg >> 16 };
	int fence = arg & 0xffff, timeline = -1, waiter = -1, err = 0, ready;
	struct epoll_event event = { .events = pfd.events };
	long long took = -EIO;

	pfd.fd = make();
	if (pfd.fd < 0)
		return -errno;
	if (fence != IDLE) {
		timeline = timeline_open();
		err = timeline < 0 ? timeline :
		      timeline_import(timeline, 1, pfd.fd, DMA_BUF_SYNC_WRITE);
		if (!err && fence == SIGNALED)
			err = timeline_advance(timeline, 1);
	}
	/*
	 * The core arms callbacks only while a poller is queued. An epoll stays
	 * queued, so every poll() of the rounds finds the callback armed.
	 */
	if (fence == ARMED && !err) {
		waiter = epoll_create1(EPOLL_CLOEXEC);
		err = epoll_ctl(waiter, EPOLL_CTL_ADD, pfd.fd, &event) ? -errno : 0;
	}

	ready = fence != ARMED;
	if (err)
		took = err;
	else if (poll(&pfd, 1, 0) == ready)
		took = REPEAT(rounds, poll(&pfd, 1, 0) == ready);
	/* A fence must signal before its last reference is dropped. */
	if (fence == ARMED && !err)
		timeline_advance(timeline, 1);
	if (waiter >= 0)
		close(waiter);
	close(pfd.fd);
	if (timeline >= 0)
		close(timeline);
	return took;
}

/*
 * Access by the CPU, and fences
 */

static long long sync_pair(unsigned int rounds, unsigned int arg)
{
	struct dma_buf_sync start = { .flags = ACCESS_START };
	struct dma_buf_sync end = { .flags = ACCESS_END };
	int fd = allocate();
	long long took = REPEAT(rounds, !ioctl(fd, DMA_BUF_IOCTL_SYNC, &start) &&
					!ioctl(fd, DMA_BUF_IOCTL_SYNC, &end));

	close(fd);
	return took;
}

static long long export_sync_file(unsigned int rounds, unsigned int arg)
{
	int fd = make();
	long long took = REPEAT(rounds, !close(buffer_export_sync_file(fd,
							DMA_BUF_SYNC_RW)));

	close(fd);
	return took;
}

static long long import_sync_file(unsigned int rounds, unsigned int arg)
{
	int fd = make(), fence = buffer_export_sync_file(fd, DMA_BUF_SYNC_RW);
	long long took = REPEAT(rounds, !buffer_import_sync_file(fd,
							DMA_BUF_SYNC_WRITE, fence));

	close(fence);
	close(fd);
	return took;
}

/*
 * The kernel's lists of buffers
 */

static char text[1 << 16];

static long long read_fdinfo(unsigned int rounds, unsigned int arg)
{
	char path[64];
	int fd = allocate(), info;
	long long took;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	info = open(path, O_RDONLY | O_CLOEXEC);
	took = REPEAT(rounds, pread(info, text, sizeof(text), 0) > 0);
	close(info);
	close(fd);
	return took;
}

/* Reads bufinfo once. Each buffer in the list counts as a round. */
static long long read_bufinfo(unsigned int rounds, unsigned int arg)
{
	struct dma_buf_bench_hold hold = { .count = rounds }, none = {};
	unsigned long long took;
	long lines = 0;
	ssize_t len, i;
	int fd;

	if (ioctl(bench, DMA_BUF_BENCH_HOLD, &hold))
		return -errno;
	fd = open(BUFINFO, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;

	took = now_ns();
	while (read(fd, text, sizeof(text)) > 0)
		;
	took = now_ns() - took;

	/* Read bufinfo again, to check that all buffers were in the list. */
	lseek(fd, 0, SEEK_SET);
	while ((len = read(fd, text, sizeof(text))) > 0)
		for (i = 0; i < len; i++)
			lines += text[i] == '\n';
	close(fd);
	if (ioctl(bench, DMA_BUF_BENCH_HOLD, &none))
		return -errno;
	return lines >= rounds ? (long long)took : -ENODATA;
}

static const struct row rows[] = {
	{ "null_syscall", "instructions", null_syscall, 20000 },
	{ "ioctl_nop", "instructions", ioctl_nop, 20000 },
	{ "eventfd_close", "instructions", eventfd_close, 5000 },
	{ "poll_memfd", "instructions", poll_memfd, 20000, POLLIN },
	{ "anon_file_put", "instructions", in_kernel, 5000, DMA_BUF_BENCH_ANON_FILE_PUT },
	{ "export_put", "instructions", in_kernel, 5000, DMA_BUF_BENCH_EXPORT_PUT },
	{ "export_fd_close", "instructions", export_fd_close, 5000 },
	{ "heap_alloc_close", "instructions", heap_alloc_close, 5000 },
	{ "get_put", "instructions", in_kernel, 20000, DMA_BUF_BENCH_GET_PUT },
	{ "attach_detach", "instructions", in_kernel, 20000, DMA_BUF_BENCH_ATTACH_DETACH },
	{ "map_unmap", "instructions", in_kernel, 20000, DMA_BUF_BENCH_MAP_UNMAP },
	{ "import_cycle", "instructions", in_kernel, 20000, DMA_BUF_BENCH_IMPORT_CYCLE },
	{ "vmap_vunmap", "instructions", in_kernel, 20000, DMA_BUF_BENCH_VMAP_VUNMAP },
	{ "cpu_access", "instructions", in_kernel, 20000, DMA_BUF_BENCH_CPU_ACCESS },
	{ "poll_idle_in", "instructions", poll_buffer, 20000, POLL_ROW(POLLIN, IDLE) },
	{ "poll_idle_inout", "instructions", poll_buffer, 20000,
	  POLL_ROW(POLLIN | POLLOUT, IDLE) },
	{ "poll_signaled", "instructions", poll_buffer, 20000, POLL_ROW(POLLIN, SIGNALED) },
	{ "poll_armed", "instructions", poll_buffer, 20000, POLL_ROW(POLLIN, ARMED) },
	{ "sync_pair", "instructions", sync_pair, 20000 },
	{ "export_sync_file", "instructions", export_sync_file, 5000 },
	{ "import_sync_file", "instructions", import_sync_file, 20000 },
	{ "llseek_end", "instructions", llseek_end, 20000 },
	{ "set_name", "instructions", set_name, 50000 },
	{ "mmap_munmap", "instructions", mmap_munmap, 5000 },
	{ "fdinfo", "instructions", read_fdinfo, 5000 },
	{ "bufinfo_per_buffer", "instructions", read_bufinfo, 5000 },
	{ "bytes_per_buffer", "bytes", bytes_per_buffer, 10000 },
};

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static int measure(const struct row *row)
{
	double each[BATCHES];
	int i;

	for (i = -WARM_UP; i < BATCHES; i++) {
		long long took;

		errno = 0;
		took = row->batch(row->rounds, row->arg);
		if (took < 0) {
			fprintf(stderr, "bench: %s: %s\n", row->name, strerror(-took));
			return -1;
		}
		if (i >= 0)
			each[i] = (double)took / row->rounds;
	}
	qsort(each, BATCHES, sizeof(*each), ascending);
	printf("row\t%s\t%s\t%.1f\t%.1f\t%.1f\n", row->name, row->unit,
	       each[BATCHES / 2], each[0], each[BATCHES - 1]);
	fflush(stdout);
	return 0;
}

static bool wanted(const struct row *row, char **names)
{
	if (!*names)
		return true;
	for (; *names; names++)
		if (!strcmp(*names, row->name))
			return true;
	return false;
}

static int open_device(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);

	if (fd < 0) {
		fprintf(stderr, "bench: %s: %s\n", path, strerror(errno));
		exit(2);
	}
	return fd;
}

static int run(const struct row *row, unsigned int rounds)
{
	long long took;

	errno = 0;
	took = row->batch(rounds, row->arg);
	if (took < 0)
		fprintf(stderr, "bench: %s: %s\n", row->name, strerror(-took));
	return took < 0 ? -1 : 0;
}

int main(int argc, char **argv)
{
	int i, failed = 0, measured = 0, rounds = 0;

	argv++;
	if (*argv && !strcmp(*argv, "-r")) {
		rounds = argc > 2 ? atoi(argv[1]) : 0;
		if (rounds <= 0 || argc != 4) {
			fprintf(stderr, "usage: bench [ROW...]\n       bench -r N ROW\n");
			return 2;
		}
		argv += 2;
	}
	bench = open_device(DMA_BUF_BENCH_DEVICE);
	heap = open_device("/dev/dma_heap/system");

	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		if (!wanted(&rows[i], argv))
			continue;
		measured++;
		failed += (rounds ? run(&rows[i], rounds) : measure(&rows[i])) < 0;
	}
	if (!measured) {
		fprintf(stderr, "bench: no row of that name; the rows are:\n");
		for (i = 0; i < sizeof(rows) / sizeof(*rows); i++)
			fprintf(stderr, "  %s\n", rows[i].name);
		return 2;
	}
	return failed ? 1 : 0;
}
