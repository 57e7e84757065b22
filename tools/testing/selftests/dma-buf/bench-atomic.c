// SPDX-License-Identifier: GPL-2.0-only
/*
 * Measure how long the dma-buf core keeps preemption off while there are many of
 * the things that user space can make without limit: fences and attachments of a
 * buffer, readers that stopped half way through bufinfo, and buffers.
 *
 *   bench-atomic SYMBOLS [COUNT...]
 *
 * Measures with COUNT of each, by default with 1, 1000 and 50000. SYMBOLS is a
 * file with the names of the core's functions, one on each line.
 *
 * Needs root, the module dma-buf-bench-atomic and a machine with one processor.
 * Prints two kinds of lines, with tabs between the fields:
 *
 *   "atomic", load, operation, COUNT, length of the longest section that a
 *   function of the core opened, number of sections that the core opened, the
 *   function that opened the longest one ("-" if there was no section)
 *
 *   "calibration", measured length of an empty section, which has been subtracted
 *   from the longest ones, time to take and release a lock within a section
 *
 * Lengths are in units of the processor's clock: in instructions if the machine's
 * clock counts instructions.
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
#include <unistd.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/resource.h>

#include "../../../../drivers/dma-buf/testdev/dma-buf-bench-atomic.h"
#include "util.h"

#define OPENERS_MAX	2048
/* Descriptors that a run opens besides COUNT */
#define MORE_FILES	64

static int session = -1;	/* /dev/dma_buf_bench_atomic, opened anew for each run */
static int *files;		/* the COUNT descriptors of a run */
static unsigned int file_count;

static char **symbols;
static size_t symbol_count;

static void fail(const char *what)
{
	fprintf(stderr, "bench-atomic: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int check(int ret, const char *what)
{
	if (ret < 0)
		fail(what);
	return ret;
}

/* Stop if a condition is false without which the figures would be wrong. */
static void expect(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "bench-atomic: this should be true: %s\n", what);
	exit(1);
}

/*
 * Functions of the core
 */

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char **)a, *(char **)b);
}

static void read_symbols(const char *path)
{
	FILE *f = fopen(path, "re");
	char line[256];

	if (!f)
		fail(path);
	while (fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		symbols = realloc(symbols, (symbol_count + 1) * sizeof(*symbols));
		if (!symbols)
			abort();
		symbols[symbol_count] = strdup(line);
		if (!symbols[symbol_count++])
			abort();
	}
	fclose(f);
	qsort(symbols, symbol_count, sizeof(*symbols), by_name);
	expect(symbol_count, "the core has functions");
}

static bool is_core(const char *name)
{
	return bsearch(&name, symbols, symbol_count, sizeof(*symbols), by_name);
}

/*
 * What is measured
 */

struct run {
	const char *load;
	unsigned int count;
	int buf;
	int epoll;
	int other;		/* another buffer, or another reader */
};

typedef void (*operation)(struct run *run);

static void measure(struct run *run, const char *name, operation op)
{
	static struct dma_buf_atomic_opener openers[OPENERS_MAX];
	struct dma_buf_atomic_report report = {
		.openers = (unsigned long)openers,
		.room = OPENERS_MAX,
	};
	static bool calibrated;
	unsigned long long longest = 0, sections = 0;
	const char *opener = "-";
	unsigned int i;

	check(ioctl(session, DMA_BUF_ATOMIC_WATCH), "watch");
	op(run);
	check(ioctl(session, DMA_BUF_ATOMIC_REPORT, &report), "report");
	expect(!report.lost, "the table has room for all functions");
	/* Even if @op opened no section, the report has calibrated with one. */
	expect(report.empty, "sections are seen");

	for (i = 0; i < report.count; i++) {
		unsigned long long took = openers[i].longest;

		if (!is_core(openers[i].name))
			continue;
		took = took > report.empty ? took - report.empty : 0;
		sections += openers[i].sections;
		if (took >= longest) {
			longest = took;
			opener = openers[i].name;
		}
	}
	if (!calibrated)
		printf("calibration\t%llu\t%llu\n", (unsigned long long)report.empty,
		       (unsigned long long)report.nested);
	calibrated = true;
	printf("atomic\t%s\t%s\t%u\t%llu\t%llu\t%s\n", run->load, name, run->count,
	       longest, sections, opener);
	fflush(stdout);
}

static void export(struct run *run)
{
	run->other = check(ioctl(session, DMA_BUF_ATOMIC_EXPORT), "export");
}

static void close_buffer(struct run *run)
{
	check(close(run->buf), "close");
}

static void close_other(struct run *run)
{
	check(close(run->other), "close");
}

static void read_all(const char *path)
{
	static char text[1 << 16];
	int fd = check(open(path, O_RDONLY | O_CLOEXEC), path);
	ssize_t len;

	while ((len = read(fd, text, sizeof(text))) > 0)
		;
	check(len, path);
	close(fd);
}

static void read_fdinfo(struct run *run)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", run->buf);
	read_all(path);
}

static void read_bufinfo(struct run *run)
{
	read_all(BUFINFO);
}

/* Many fences */

static void epoll_add(struct run *run)
{
	struct epoll_event event = { .events = EPOLLOUT };

	check(epoll_ctl(run->epoll, EPOLL_CTL_ADD, run->buf, &event), "epoll_ctl");
}

static void poll_buffer(struct run *run)
{
	struct pollfd pfd = { .fd = run->buf, .events = POLLOUT };

	check(poll(&pfd, 1, 0), "poll");
	expect(!pfd.revents, "a buffer with pending fences is not ready");
}

static void export_sync_file(struct run *run)
{
	check(close(check(buffer_export_sync_file(run->buf, DMA_BUF_SYNC_RW), "sync_file")),
	      "close");
}

static void signal_one(struct run *run)
{
	check(ioctl(session, DMA_BUF_ATOMIC_SIGNAL, 1UL), "signal");
}

static void signal_rest(struct run *run)
{
	check(ioctl(session, DMA_BUF_ATOMIC_SIGNAL, (unsigned long)run->count - 1),
	      "signal");
}

static bool epoll_ready(struct run *run)
{
	struct epoll_event event;

	return check(epoll_wait(run->epoll, &event, 1, 0), "epoll_wait");
}

static void arm(struct run *run)
{
	run->buf = check(ioctl(session, DMA_BUF_ATOMIC_EXPORT), "export");
	run->epoll = check(epoll_create1(EPOLL_CLOEXEC), "epoll_create1");
}

static void with_fences(struct run *run)
{
	check(ioctl(session, DMA_BUF_ATOMIC_FENCES, (unsigned long)run->count), "fences");

	measure(run, "export", export);
	measure(run, "close", close_other);

	arm(run);
	measure(run, "poll_first", epoll_add);
	measure(run, "poll_again", poll_buffer);
	check(ioctl(session, DMA_BUF_ATOMIC_REPLACE), "replace");
	measure(run, "poll_replaced", poll_buffer);
	measure(run, "fdinfo", read_fdinfo);
	measure(run, "bufinfo", read_bufinfo);
	measure(run, "sync_file", export_sync_file);
	expect(!epoll_ready(run), "no poller is woken while fences are pending");
	measure(run, "close_polled", close_buffer);
	close(run->epoll);

	arm(run);
	epoll_add(run);
	measure(run, "signal_first", signal_one);
	expect(epoll_ready(run) == (run->count == 1),
	       "only the last fence wakes the poller");
	if (run->count > 1)
		measure(run, "signal_rest", signal_rest);
	expect(epoll_ready(run), "the last fence wakes the poller");
	close(run->epoll);
	close(run->buf);
}

/* Many attachments */

static void attach(struct run *run, unsigned int count)
{
	struct dma_buf_atomic_attach arg = { .fd = run->buf, .count = count };

	check(ioctl(session, DMA_BUF_ATOMIC_ATTACH, &arg), "attach");
}

static void attach_one(struct run *run)
{
	attach(run, 1);
}

static void detach_one(struct run *run)
{
	check(ioctl(session, DMA_BUF_ATOMIC_DETACH, 1UL), "detach");
}

static void detach_rest(struct run *run)
{
	check(ioctl(session, DMA_BUF_ATOMIC_DETACH, (unsigned long)run->count), "detach");
}

static void with_attachments(struct run *run)
{
	run->buf = check(ioctl(session, DMA_BUF_ATOMIC_EXPORT), "export");
	attach(run, run->count);
	measure(run, "attach", attach_one);
	measure(run, "fdinfo", read_fdinfo);
	measure(run, "bufinfo", read_bufinfo);
	measure(run, "detach", detach_one);
	measure(run, "detach_rest", detach_rest);
	close(run->buf);
}

/* Many readers that have not read bufinfo to its end */

static int open_cursor(void)
{
	int fd = check(open(BUFINFO, O_RDONLY | O_CLOEXEC), BUFINFO);
	char c;

	expect(read(fd, &c, 1) == 1, "bufinfo is not empty");
	return fd;
}

static void cursor_open(struct run *run)
{
	run->other = open_cursor();
}

static void cursor_read(struct run *run)
{
	char text[4096];
	ssize_t len;

	while ((len = read(run->other, text, sizeof(text))) > 0)
		;
	check(len, BUFINFO);
}

static void with_cursors(struct run *run)
{
	int beside, at;

	/* bufinfo lists the newest buffer first, so all readers stop at @at. */
	beside = check(ioctl(session, DMA_BUF_ATOMIC_EXPORT), "export");
	at = check(ioctl(session, DMA_BUF_ATOMIC_EXPORT), "export");
	while (file_count < run->count)
		files[file_count++] = open_cursor();

	measure(run, "reader_first", cursor_open);
	measure(run, "reader_rest", cursor_read);
	measure(run, "reader_close", close_other);
	measure(run, "bufinfo", read_bufinfo);
	measure(run, "export", export);
	measure(run, "close", close_other);
	run->other = beside;
	measure(run, "close_beside", close_other);
	run->other = at;
	measure(run, "close_at", close_other);
}

/* Many buffers */

static void with_buffers(struct run *run)
{
	while (file_count < run->count)
		files[file_count++] = check(ioctl(session, DMA_BUF_ATOMIC_EXPORT), "export");

	measure(run, "export", export);
	measure(run, "bufinfo", read_bufinfo);
	measure(run, "close", close_other);
}

static const struct load {
	const char *name;
	void (*run)(struct run *run);
} loads[] = {
	{ "fences", with_fences },
	{ "attachments", with_attachments },
	{ "cursors", with_cursors },
	{ "buffers", with_buffers },
};

static void allow_files(unsigned int count)
{
	struct rlimit limit = { count + MORE_FILES, count + MORE_FILES };

	check(setrlimit(RLIMIT_NOFILE, &limit), "setrlimit");
	files = calloc(count, sizeof(*files));
	if (!files)
		abort();
}

int main(int argc, char **argv)
{
	unsigned int counts[16] = { 1, 1000, 50000 }, most = 0;
	int i, n = 3;

	if (argc < 2 || argc - 2 > (int)(sizeof(counts) / sizeof(*counts)) ||
	    argv[1][0] == '-') {
		fprintf(stderr, "usage: bench-atomic SYMBOLS [COUNT...]\n");
		return 2;
	}
	if (argc > 2)
		n = argc - 2;
	for (i = 0; i < n; i++) {
		char *end = "";

		if (argc > 2)
			counts[i] = strtoul(argv[2 + i], &end, 10);
		if (*end || !counts[i] || counts[i] > 1000000) {
			fprintf(stderr, "bench-atomic: '%s' is not a count from 1 to 1000000\n",
				argv[2 + i]);
			return 2;
		}
		most = counts[i] > most ? counts[i] : most;
	}
	read_symbols(argv[1]);
	allow_files(most);

	for (i = 0; i < n; i++) {
		const struct load *load;

		for (load = loads; load < loads + sizeof(loads) / sizeof(*loads); load++) {
			struct run run = { .load = load->name, .count = counts[i] };
			double began = now_ms();

			session = check(open(DMA_BUF_ATOMIC_DEVICE, O_RDWR | O_CLOEXEC),
					DMA_BUF_ATOMIC_DEVICE);
			load->run(&run);
			while (file_count)
				close(files[--file_count]);
			close(session);
			fprintf(stderr, "%u %s: %.0f million instructions\n", counts[i],
				load->name, now_ms() - began);
		}
	}
	return 0;
}
