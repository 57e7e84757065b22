/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the dma-buf selftests share: buffers of different exporters,
 * software fences, and the views that the kernel gives of a buffer.
 *
 * Functions return a negative errno on failure, like the kernel's own.
 */
#ifndef SELFTESTS_DMA_BUF_UTIL_H
#define SELFTESTS_DMA_BUF_UTIL_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <linux/dma-buf.h>
#include <linux/types.h>

/* Size that most tests ask for; an exporter may allocate more */
#define TEST_PAGES	4

/* Long enough for a machine that is emulated and full of sanitizers */
#define WAKE_MS		10000
/* Time that a test waits for something that must not happen */
#define QUIET_MS	30

#define BUFINFO		"/sys/kernel/debug/dma_buf/bufinfo"
#define SW_SYNC		"/sys/kernel/debug/sync/sw_sync"

enum exporter {
	SYSTEM_HEAP,
	UDMABUF,
	VGEM,
	VIVID,
	TESTDEV,
};

/* A device that buffers can be had from */
struct source {
	enum exporter exporter;
	int dev;
	int memfd;		/* udmabuf: the pages */
	__u32 handle;		/* vgem: the buffer */
	size_t size;
};

/* Exporters */
int source_open(struct source *source, enum exporter exporter, size_t size);
int source_export(struct source *source, int flags);
void source_close(struct source *source);
int exporter_alloc(enum exporter exporter, size_t *size, int flags);
const char *exporter_exp_name(enum exporter exporter);
const char *exporter_node(enum exporter exporter);
bool exporter_missing(int err);
int udmabuf_alloc(int *memfd, size_t size, int flags);
int udmabuf_memory_pinned(int memfd);
int testdev_open(void);
int vgem_open(void);
int vgem_create(int drm, size_t *size, __u32 *handle);
int vgem_export(int drm, __u32 handle, int flags);
void vgem_free(int drm, __u32 handle);

/* The ioctls of a buffer */
int buffer_sync(int fd, __u64 flags);
int buffer_set_name(int fd, const char *name);
int buffer_export_sync_file(int fd, __u32 flags);
int buffer_import_sync_file(int fd, __u32 flags, int sync_file);

/* Software fences: sync_files on a timeline that the test advances */
int timeline_open(void);
int timeline_fence(int timeline, __u32 seqno);
int timeline_advance(int timeline, __u32 steps);
int timeline_deadline(int timeline, int fence, double *ms);
int timeline_import(int timeline, __u32 seqno, int buf, __u32 flags);
int sync_file_merge(int a, int b);
int sync_file_status(int sync_file, unsigned int *fences);

/* What the kernel shows about a buffer */
ino_t buffer_ino(int fd);
int fdinfo_get(int fd, const char *key, char *value, size_t len);
long fdinfo_count(int fd);
bool bufinfo_readable(void);
int bufinfo_lines(ino_t ino);
int bufinfo_lines_settle(ino_t ino, int expected);
int bufinfo_line(ino_t ino, char *line, size_t len);
int bufinfo_fences(ino_t ino, char *line, size_t len);
int bufinfo_devices(ino_t ino);
int bufinfo_total(long *objects, long long *bytes);

/* Polling, here and in another thread */
int poll_now(int fd, short events);
int poll_for(int fd, short events, int timeout_ms);
int poll_briefly(int fd, short events);

struct poller {
	pthread_t thread;
	int fd;
	short events;
	int timeout_ms;
	int result;		/* revents or negative errno */
	pid_t tid;
	bool done;
};

int poller_start(struct poller *poller, int fd, short events);
int poller_join(struct poller *poller);
bool poller_done(struct poller *poller);
long poller_switches(struct poller *poller);
bool task_sleeps(pid_t tid);

/* Warnings of the kernel: those that a test provokes, and those that must not come */
int watch_warnings(void);
int count_warnings(int kmsg);
int count_messages(int kmsg, const char *text);
bool expect_warning(const char *regex);
void expect_warning_end(void);

/* A periodic signal, which interrupts system calls that wait */
void signals_begin(void);
void signals_end(void);

/* Other helpers */
int lowest_free_fd(void);
double now_ms(void);
void sleep_ms(unsigned int ms);
void *bad_pages(size_t readable);

#endif
