// SPDX-License-Identifier: GPL-2.0-only
/*
 * Throughput of operations on buffers on several processors at the same time.
 *
 *   bench-scale [ROW...]
 *
 * Measures the operations per second of one, two and four threads. Each thread
 * runs on a processor of its own. Threads that export and close also have a table
 * of descriptors of their own.
 *
 *   bench-scale -l SECONDS
 *
 * Exports and closes in four threads for SECONDS, and counts how often the core
 * waited for a lock. Needs a kernel with CONFIG_LOCK_STAT.
 *
 *   bench-scale -s
 *
 * Measures how long an export and close takes while a reader of bufinfo waits at
 * a buffer whose reservation is held.
 *
 * Needs the module dma-buf-bench and the system heap. Prints lines with tabs
 * between the fields:
 *
 *   "scale", row, threads, operations per second
 *
 *   "locks", threads, operations, contentions of the core's locks, contentions of
 *   all locks
 *
 *   "stall", time that the reservation is held, longest time of an export and
 *   close meanwhile, number of exports, time that the reader took; times are in
 *   milliseconds
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <linux/dma-heap.h>

#include "../../../../drivers/dma-buf/testdev/dma-buf-bench.h"
#include "util.h"

#define MAX_THREADS	4
/* Slices of all rows alternate, so that other load on the machine affects all rows. */
#define SLICES		7
#define SLICE_MS	300
#define HOLD_MS		2000
#define LOCK_STAT	"/proc/lock_stat"

static int bench = -1;		/* /dev/dma_buf_bench */
static int heap = -1;		/* /dev/dma_heap/system */

static atomic_bool stop;
static pthread_barrier_t start;

/* One operation on a descriptor. Returns false with errno set if it failed. */
typedef bool (*operation)(int fd);

struct row {
	const char *name;
	operation op;
	int (*make)(void);	/* makes the file for op, NULL if op needs none */
	bool shared;		/* all threads use the same file */
	bool readers;		/* another thread reads bufinfo all the time */
};

struct worker {
	pthread_t thread;
	const struct row *row;
	int fd;
	int cpu;
	int err;
	unsigned long done;
};

static int allocate(void)
{
	struct dma_heap_allocation_data data = {
		.len = getpagesize(),
		.fd_flags = O_RDWR | O_CLOEXEC,
	};

	return ioctl(heap, DMA_HEAP_IOCTL_ALLOC, &data) ? -1 : (int)data.fd;
}

static int make_eventfd(void)
{
	return eventfd(1, EFD_CLOEXEC);
}

static bool export_close(int fd)
{
	return !close(allocate());
}

static bool poll_once(int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };

	return poll(&pfd, 1, 0) == 1;
}

static bool sync_once(int fd)
{
	return !buffer_sync(fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW) &&
	       !buffer_sync(fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_RW);
}

static const struct row rows[] = {
	{ "export_close", export_close },
	{ "export_close_bufinfo", export_close, .readers = true },
	{ "poll_own", poll_once, allocate },
	{ "poll_shared", poll_once, allocate, .shared = true },
	{ "poll_eventfd_own", poll_once, make_eventfd },
	{ "poll_eventfd_shared", poll_once, make_eventfd, .shared = true },
	{ "sync_own", sync_once, allocate },
	{ "sync_shared", sync_once, allocate, .shared = true },
};

#define ROWS	((int)(sizeof(rows) / sizeof(*rows)))

/* Pin the thread, so that migrations do not add to the measured time. */
static void pin_to(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set)) {
		fprintf(stderr, "bench-scale: processor %d: %s\n", cpu, strerror(errno));
		exit(2);
	}
}

static void *work(void *arg)
{
	struct worker *worker = arg;
	operation op = worker->row->op;
	unsigned long done = 0;

	pin_to(worker->cpu);
	/*
	 * Threads that export get a table of descriptors of their own, as
	 * processes have. The lock of a shared table would hide the core's.
	 */
	if (!worker->row->make && unshare(CLONE_FILES))
		abort();
	pthread_barrier_wait(&start);
	while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
		if (!op(worker->fd)) {
			worker->err = errno;
			break;
		}
		done++;
	}
	worker->done = done;
	return NULL;
}

/* Reads bufinfo again and again until the slice ends. */
static void *read_along(void *arg)
{
	static char text[1 << 16];

	pthread_barrier_wait(&start);
	while (!atomic_load(&stop)) {
		int fd = open(BUFINFO, O_RDONLY | O_CLOEXEC);

		if (fd < 0) {
			*(int *)arg = errno;
			break;
		}
		while (read(fd, text, sizeof(text)) > 0)
			;
		close(fd);
	}
	return NULL;
}

/* Returns the number of operations of all threads in a slice, or a negative errno. */
static long slice(const struct row *row, int threads, unsigned int ms, double *took)
{
	struct worker workers[MAX_THREADS] = {};
	int i, err = 0, reader_err = 0, shared = -1;
	pthread_t reader;
	double began;
	long done = 0;

	if (row->shared)
		shared = row->make();
	atomic_store(&stop, false);
	pthread_barrier_init(&start, NULL, threads + row->readers + 1);
	for (i = 0; i < threads; i++) {
		struct worker *worker = &workers[i];

		worker->row = row;
		worker->cpu = i;
		worker->fd = row->shared ? shared : row->make ? row->make() : -1;
		if (pthread_create(&worker->thread, NULL, work, worker))
			abort();
	}
	if (row->readers && pthread_create(&reader, NULL, read_along, &reader_err))
		abort();

	pthread_barrier_wait(&start);
	began = now_ms();
	sleep_ms(ms);
	atomic_store(&stop, true);
	for (i = 0; i < threads; i++) {
		pthread_join(workers[i].thread, NULL);
		done += workers[i].done;
		err = err ?: workers[i].err;
		if (!row->shared && row->make)
			close(workers[i].fd);
	}
	*took = now_ms() - began;
	if (row->readers)
		pthread_join(reader, NULL);
	if (row->shared)
		close(shared);
	pthread_barrier_destroy(&start);
	err = err ?: reader_err;
	return err ? -err : done;
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
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

static int run_rows(char **names)
{
	static double rates[ROWS][MAX_THREADS + 1][SLICES];
	int i, s, threads, cpus = sysconf(_SC_NPROCESSORS_ONLN);

	for (s = 0; s < SLICES; s++) {
		for (i = 0; i < ROWS; i++) {
			if (!wanted(&rows[i], names))
				continue;
			for (threads = 1; threads <= MAX_THREADS && threads <= cpus;
			     threads *= 2) {
				double took;
				long done = slice(&rows[i], threads, SLICE_MS, &took);

				if (done < 0) {
					fprintf(stderr, "bench-scale: %s: %s\n",
						rows[i].name, strerror(-done));
					return 1;
				}
				rates[i][threads][s] = done / took * 1000;
			}
		}
	}

	for (i = 0; i < ROWS; i++) {
		if (!wanted(&rows[i], names))
			continue;
		for (threads = 1; threads <= MAX_THREADS && threads <= cpus; threads *= 2) {
			double *each = rates[i][threads];

			qsort(each, SLICES, sizeof(*each), ascending);
			printf("scale\t%s\t%d\t%.0f\n", rows[i].name, threads,
			       each[SLICES / 2]);
		}
	}
	return 0;
}

/*
 * Read the number of contentions that the kernel counted. /proc/lock_stat has a
 * line of figures for each lock and a line of dashes. After that come the places
 * that waited for the lock, with their counts, another line of dashes, and the
 * places that held it. Only the waiters are counted here.
 */
static int read_lock_stat(long *core, long *all)
{
	char line[512], site[256], *bracket;
	FILE *f = fopen(LOCK_STAT, "re");
	bool waiters = false;

	if (!f)
		return -errno;
	*core = 0;
	*all = 0;
	while (fgets(line, sizeof(line), f)) {
		long count;

		if (strspn(line, " \t") == strcspn(line, "-") && strstr(line, "----")) {
			waiters = !waiters;
			continue;
		}
		bracket = strstr(line, "[<");
		if (!bracket) {
			waiters = false;
			continue;
		}
		if (!waiters || sscanf(bracket, "[<%*[^>]>] %255s", site) != 1)
			continue;
		while (bracket > line && bracket[-1] == ' ')
			bracket--;
		while (bracket > line && bracket[-1] != ' ')
			bracket--;
		count = strtol(bracket, NULL, 10);
		*all += count;
		if (strstr(site, "dma_buf"))
			*core += count;
	}
	fclose(f);
	return 0;
}

static int write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), err = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		err = -errno;
	close(fd);
	return err;
}

static int run_locks(unsigned int seconds)
{
	long done, core, all;
	double took;
	int err;

	err = write_text("/proc/sys/kernel/lock_stat", "1") ?: write_text(LOCK_STAT, "0");
	if (err) {
		fprintf(stderr, "bench-scale: " LOCK_STAT ": %s\n", strerror(-err));
		return 2;
	}
	done = slice(&rows[0], MAX_THREADS, seconds * 1000, &took);
	err = done < 0 ? done : read_lock_stat(&core, &all);
	if (err) {
		fprintf(stderr, "bench-scale: %s\n", strerror(-err));
		return 1;
	}
	printf("locks\t%d\t%ld\t%ld\t%ld\n", MAX_THREADS, done, core, all);
	return 0;
}

static int occupied = -1;	/* the buffer whose reservation is held */

static void *occupy(void *arg)
{
	struct dma_buf_bench_occupy occupy = { .fd = occupied, .ms = HOLD_MS };

	pthread_barrier_wait(&start);
	*(int *)arg = ioctl(bench, DMA_BUF_BENCH_OCCUPY, &occupy) ? errno : 0;
	atomic_store(&stop, true);
	return NULL;
}

static void *read_once(void *arg)
{
	static char text[1 << 16];
	double began = now_ms();
	int fd = open(BUFINFO, O_RDONLY | O_CLOEXEC);

	while (read(fd, text, sizeof(text)) > 0)
		;
	*(double *)arg = now_ms() - began;
	close(fd);
	return NULL;
}

static int run_stall(void)
{
	double longest = 0, reader_ms = 0;
	pthread_t holder, reader;
	unsigned long rounds = 0;
	int err = 0;

	occupied = allocate();
	atomic_store(&stop, false);
	pthread_barrier_init(&start, NULL, 2);
	if (occupied < 0 || pthread_create(&holder, NULL, occupy, &err))
		abort();
	pthread_barrier_wait(&start);
	/*
	 * Wait until the holder has the reservation, and after that until the
	 * reader has reached the buffer.
	 */
	sleep_ms(HOLD_MS / 20);
	if (pthread_create(&reader, NULL, read_once, &reader_ms))
		abort();
	sleep_ms(HOLD_MS / 20);

	while (!atomic_load(&stop)) {
		double began = now_ms(), took;

		if (!export_close(-1)) {
			err = errno;
			break;
		}
		took = now_ms() - began;
		longest = took > longest ? took : longest;
		rounds++;
	}
	pthread_join(holder, NULL);
	pthread_join(reader, NULL);
	close(occupied);
	if (err) {
		fprintf(stderr, "bench-scale: %s\n", strerror(err));
		return 1;
	}
	printf("stall\t%d\t%.1f\t%lu\t%.1f\n", HOLD_MS, longest, rounds, reader_ms);
	return 0;
}

static int open_device(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);

	if (fd < 0) {
		fprintf(stderr, "bench-scale: %s: %s\n", path, strerror(errno));
		exit(2);
	}
	return fd;
}

int main(int argc, char **argv)
{
	bench = open_device(DMA_BUF_BENCH_DEVICE);
	heap = open_device("/dev/dma_heap/system");

	if (argc == 3 && !strcmp(argv[1], "-l") && atoi(argv[2]) > 0)
		return run_locks(atoi(argv[2]));
	if (argc == 2 && !strcmp(argv[1], "-s"))
		return run_stall();
	if (argc > 1 && argv[1][0] == '-') {
		fprintf(stderr, "usage: bench-scale [ROW...]\n"
			"       bench-scale -l SECONDS\n       bench-scale -s\n");
		return 2;
	}
	return run_rows(argv + 1);
}
