/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * dmabuf-conformance: types and functions that its parts share.
 *
 *	dmabuf-conformance.c	options, runs each check and judges it, KTAP
 *	exporters.c		where buffers come from
 *	check-*.c		the checks, one file for each topic
 *	util.c			buffers, fences, processes, fdinfo and bufinfo
 *	leak.c			what a check leaves behind
 *
 * Each check runs in a process of its own, with a buffer of its own if the exporter
 * can make one. A check may therefore end anywhere without cleaning up, and if it
 * crashes or hangs that is one failure, not the end of the run.
 */
#ifndef TOOLS_DMA_BUF_CONFORMANCE_H
#define TOOLS_DMA_BUF_CONFORMANCE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <linux/dma-buf.h>
#include <linux/types.h>

#include "../bufinfo.h"

#define ARRAY_SIZE(array)	(sizeof(array) / sizeof((array)[0]))

/* How many pages the buffer of a check has, if the exporter takes a size */
#define BUFFER_PAGES	4

/* How many descriptors the program and a check may have open together */
#define DESCRIPTORS	128

/*
 * A program that reads bufinfo, or walks the buffers with BPF, holds a reference to one
 * buffer for a moment. A check that would see this reference looks again for a second.
 */
#define SETTLE_TRIES	20
#define SETTLE_MS	50

/*
 * What a check needs. The exporter provides the first group, the machine and the
 * privileges of the user provide the second.
 */
enum need {
	NEED_ALLOC	= 1 << 0,	/* further buffers */
	NEED_SIZES	= 1 << 1,	/* ... of any size */
	NEED_ODD_SIZES	= 1 << 2,	/* ... even if it is not whole pages */
	NEED_ACCMODE	= 1 << 3,	/* descriptors that are read-only */
	NEED_FRESH	= 1 << 4,	/* memory that the exporter supplies */

	NEED_MMAP	= 1 << 8,	/* mmap(), and a size of whole pages */
	NEED_WRITE	= 1 << 9,	/* ... with PROT_WRITE */
	NEED_SYNC_FILE	= 1 << 10,	/* the two ioctls for sync_files */
	NEED_SW_SYNC	= 1 << 11,	/* fences that signal on request */
	NEED_BUFINFO	= 1 << 12,	/* debugfs's list of buffers */
};

#define NEED_OF_EXPORTER	0xff

/*
 * A way to get buffers. The functions return a negative errno on failure, and open()
 * has printed the reason then.
 */
struct exporter {
	const char *option;
	const char *argument;		/* NULL if the option takes none */
	const char *help;
	unsigned int gives;		/* of NEED_OF_EXPORTER */
	int (*open)(const char *argument);
	/* *size: in, the bytes requested; out, the bytes that the buffer must have */
	int (*alloc)(size_t *size, int flags);
};

extern const struct exporter exporters[];
extern const unsigned int exporter_count;

/* The descriptor of the only buffer, with --fd or --one-buffer; else -1 */
extern int inherited_fd;

/*
 * Set by open() if each buffer of the exporter can be mapped: one that cannot is a
 * failure then. In general mmap is an optional hook, and may fail for some buffers.
 */
extern bool always_maps;

struct test {
	const struct exporter *exporter;
	int fd;				/* of the buffer */
	size_t size;			/* of the buffer, according to the exporter */
	size_t page;
	int timeline;			/* with NEED_SW_SYNC */
};

struct check {
	const char *topic;
	const char *name;
	int line;
	unsigned int needs;
	const char *rule;		/* what must hold, in prose */
	const char *older;		/* which kernels are known to break the rule */
	void (*run)(struct test *t);
	struct check *next;
};

void check_register(struct check *check);

/* A check with its rule. The order in the file is the order in the list. */
#define CONFORM_OLDER(topic_, name_, needs_, rule_, older_)			\
static void topic_##_##name_(struct test *t);					\
static struct check check_##topic_##_##name_ = {				\
	.topic = #topic_,							\
	.name = #name_,								\
	.line = __LINE__,							\
	.needs = (needs_),							\
	.rule = (rule_),							\
	.older = (older_),							\
	.run = topic_##_##name_,						\
};										\
static void __attribute__((constructor)) register_##topic_##_##name_(void)	\
{										\
	check_register(&check_##topic_##_##name_);				\
}										\
static void topic_##_##name_(struct test *t)

#define CONFORM(topic_, name_, needs_, rule_) \
	CONFORM_OLDER(topic_, name_, needs_, rule_, NULL)

/* Makes the compiler check the arguments against the format. */
#define PRINTF_LIKE(format_, first_)		\
	__attribute__((__format__		\
		       (__printf__, format_, first_)))

/*
 * Verdicts. failed() returns. stop() and skip() end the process that calls them, which
 * is that of the check or one that in_process() has started. note() says what could
 * not be seen, and is not a verdict.
 */
PRINTF_LIKE(1, 2) void note(const char *format, ...);
PRINTF_LIKE(1, 2) void failed(const char *format, ...);
PRINTF_LIKE(1, 2) _Noreturn void stop(const char *format, ...);
PRINTF_LIKE(1, 2) _Noreturn void skip(const char *format, ...);
bool has_failed(void);

#define expect(condition, ...)			\
	do {					\
		if (!(condition))		\
			failed(__VA_ARGS__);	\
	} while (0)

#define require(condition, ...)			\
	do {					\
		if (!(condition))		\
			stop(__VA_ARGS__);	\
	} while (0)

/* @ret is the result of a system call: if it is negative, errno is set */
PRINTF_LIKE(3, 4) void expect_errno(long ret, int err, const char *format, ...);
/* @ret is a negative errno or a success. It must be -@err, a success if that is 0. */
PRINTF_LIKE(3, 4) void expect_result(long ret, int err, const char *format, ...);
const char *errno_name(int err);

/* Buffers; functions that return an int return a negative errno on failure */
int buffer_try(struct test *t, size_t *size, int flags);
int buffer_new(struct test *t, size_t *size);
int buffer_sync(int fd, __u64 flags);
int buffer_set_name(int fd, const char *name);
int buffer_export_sync_file(int fd, __u32 flags);
int buffer_import_sync_file(int fd, __u32 flags, int sync_file);
ino_t buffer_ino(int fd);
void *map_try(int fd, size_t len, int prot, int flags, off_t offset);
void *map_whole(struct test *t, int fd, size_t size, int prot);
/* Skip the check unless the mapping is one of the buffer's own file. */
void need_own_map(int fd, const void *map);

/* sync_files and their fences */
int timeline_open(void);
int timeline_fence(int timeline, __u32 seqno);
int timeline_advance(int timeline, __u32 steps);
int timeline_import(struct test *t, __u32 seqno, int fd, __u32 flags);
void timeline_advance_later(int timeline, __u32 steps, unsigned int ms);
int sync_file_merge(int a, int b);
int sync_file_status(int sync_file);

/* poll() without its structure: revents, 0 or a negative errno */
int poll_once(int fd, short events, int timeout_ms);
/* Between these two, a system call that sleeps for longer fails with EINTR. */
void limit_begin(unsigned int ms);
void limit_end(void);

/* Which descriptors a process has */
struct fd_state {
	int total;
	int lowest;		/* that is free */
};

/* What /proc and debugfs say */
int fdinfo_get(int fd, const char *key, char *value, size_t len);
long fdinfo_count_settled(int fd, long right);
int fd_link(int fd, char *text, size_t len);
int lowest_free_fd(void);
struct fd_state fd_state(void);
void expect_no_fd_left(struct fd_state before);
bool bufinfo_readable(void);
/*
 * Call @each for every line of a buffer (BUFINFO_BUFFER) and for the number of
 * devices that ends what belongs to the buffer (BUFINFO_DEVICE_COUNT). Returns NULL,
 * or why bufinfo cannot be read or believed; @each may have been called by then.
 */
const char *bufinfo_read(void (*each)(const struct bufinfo_reader *reader,
				      enum bufinfo_kind kind, void *data), void *data);
int bufinfo_lines(ino_t ino);
int bufinfo_lines_left(ino_t ino);
bool kernel_before(unsigned int major, unsigned int minor);

/* What is left behind */
void watch_start(const struct exporter *exporter);
const char *watch_blind(void);
void watch_before(void);
unsigned int watch_after(ino_t *inos, unsigned int room);
bool kernel_memory_exact(void);
long long kernel_memory(void);

/* Other processes and other memory */
int in_process(void (*function)(void *data), void *data);
int pass_fd(int fd);
int send_fd(int sock, int fd);
int receive_fd(int sock);
int run_probe(int fd);
void *edge_of_memory(size_t readable);
void sleep_ms(unsigned int ms);
long long now_ms(void);

#endif
