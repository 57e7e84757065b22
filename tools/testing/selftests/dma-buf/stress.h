/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the parts of the stress program share; stress.c describes the program.
 */
#ifndef SELFTESTS_DMA_BUF_STRESS_H
#define SELFTESTS_DMA_BUF_STRESS_H

#include <pthread.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <linux/types.h>

#include "uring.h"

#define MAX_WORKERS	64
#define MAX_PROCESSES	16
#define MAX_OPS		96
#define LOG_LEN		64	/* a power of 2 */
#define MAX_FAILURES	8
#define MAX_ERRNOS	10	/* one operation's, and a 0 */

/*
 * The pool: descriptors of fixed numbers, above all that the kernel hands out by
 * itself. Any thread may replace or close any of them at any time, so what an
 * operation finds there is a buffer, whichever it is, or nothing: never another
 * kind of file.
 */
#define SLOTS		48
#define SLOT_BASE	512
#define SYNCS		24
#define SYNC_BASE	(SLOT_BASE + SLOTS)
#define EPOLLS		2
#define EPOLL_BASE	(SYNC_BASE + SYNCS)
#define POOL_END	(EPOLL_BASE + EPOLLS)
/* Half of the operations meet at these */
#define HOT_SLOTS	4
#define SYNC(r)		(SYNC_BASE + (r) % SYNCS)
#define EPOLL(r)	(EPOLL_BASE + (r) % EPOLLS)

/* Between processes */
#define CHANNELS	2

/* Of each worker */
#define OWN		4
#define MAPS		8
#define PATHS		4
#define HANDLES		6
#define FENCES		32	/* pending ones of a timeline; a power of 2 */
#define URING_ENTRIES	8

/*
 * Error that hooks of the test device are told to fail with: no other code
 * returns it.
 */
#define TESTDEV_ERROR	EREMOTEIO

/* Random numbers of one operation, drawn before it begins */
struct draw {
	__u32 slot;
	__u32 other;
	__u32 arg;
	__u32 extra;
};

/* A buffer that only its worker knows */
struct own {
	int fd;
	size_t size;
	__u32 *map;
	__u32 *shadow;		/* what has been written */
	char name[32];
	bool named;
};

/* A map of a buffer of the pool */
struct map {
	char *addr;
	size_t len;
	bool writable;
};

/*
 * Software fences. The descriptors in refs hold a reference to each fence until
 * it has signalled: the base's sync_timeline_signal() takes a reference to a
 * fence whose last reference may just have been dropped, while the fence's
 * release hook waits for the timeline's lock. For the same reason a timeline is
 * closed last.
 */
struct timeline {
	pthread_mutex_t lock;	/* all members */
	int fd;
	unsigned int made, done;
	int refs[FENCES];
};

/* The importers, exporters and so on of a session of the test device */
#define TESTDEV_OBJECTS	6
struct testdev_object {
	__u32 id;
	__u32 flags;		/* kind or importer flags */
	unsigned int pins;
};

struct testdev {
	int fd;
	struct testdev_object exporters[TESTDEV_OBJECTS];
	struct testdev_object importers[TESTDEV_OBJECTS];
	struct testdev_object fences[TESTDEV_OBJECTS];
	struct testdev_object vmaps[TESTDEV_OBJECTS];
};

struct worker {
	unsigned int number;
	unsigned int process;
	__u64 random;
	__u64 ops;
	pthread_t thread;
	const struct op *op;	/* the one at hand */
	struct draw draw;

	struct own own[OWN];
	struct map maps[MAPS];
	int paths[PATHS];	/* O_PATH descriptors */
	int pidfd;		/* of a process that has its own pool */
	char *bad;		/* page that cannot be accessed */
	char *readonly;		/* page that cannot be written */

	struct timeline timeline;
	struct uring uring;
	int drm[2];		/* vgem and vkms, -1 if missing */
	__u32 handles[2][HANDLES];
	struct testdev testdev;

	sigjmp_buf *fault;	/* where to go if memory cannot be accessed */
};

/**
 * struct op - an operation
 * @name: for --only and the counts
 * @weight: its frequency, relative to the other operations
 * @run: carry it out. All its decisions come from the draw: neither results nor
 *	time may change what is drawn next. Returns 0 or a negative errno, both
 *	of which count as valid; wrong results are reported with fail()
 * @present: whether what it needs is there; NULL: always
 */
struct op {
	const char *name;
	unsigned int weight;
	int (*run)(struct worker *w, const struct draw *d);
	bool (*present)(void);
};

extern const struct op ops[];
extern const unsigned int op_count;

/* stress.c */
void fail(struct worker *w, const char *fmt, ...);
int allow(struct worker *w, const char *call, int result, const int *errnos);
extern int channels[CHANNELS][2];
pid_t process_pid(unsigned int process);
unsigned int process_count(void);

/* The descriptor of the pool that a random number stands for */
static inline int slot(__u32 random)
{
	return SLOT_BASE + random % (random >> 16 & 1 ? HOT_SLOTS : SLOTS);
}

/*
 * Zero or more and the errnos that are named (EINTR where a wait can be
 * interrupted) are fine, any other result is a failure. Evaluates to the result.
 */
#define ALLOW(w, call, result, ...) \
	allow(w, call, result, (const int[MAX_ERRNOS]) { __VA_ARGS__ })

/* stress-ops.c */
enum {
	HAVE_HEAP = 1,
	HAVE_UDMABUF = 2,
	HAVE_VGEM = 4,
	HAVE_VKMS = 8,
	HAVE_TESTDEV = 16,
	HAVE_SW_SYNC = 32,
	HAVE_URING = 64,
	HAVE_BUFINFO = 128,
	HAVE_DMA_DEBUG = 256,
};

extern unsigned int have;
void probe(void);
int make_buffer(struct worker *w, __u32 which, __u32 random, size_t *size);
void slot_put(int fd, int to, bool cloexec);
int result(long ret);
void worker_open(struct worker *w);
void worker_close(struct worker *w);
void stress_advance(struct timeline *t, unsigned int steps);
void timeline_end(struct timeline *t);
int held(int argc, char **argv);

/* stress-devices.c */
int drm_open(const char *driver);
int testdev_buffer(struct testdev *m, __u32 random, bool plain, size_t *size);
void devices_open(struct worker *w);
void devices_close(struct worker *w);
bool have_drm(void);
bool have_testdev(void);
int op_prime_import(struct worker *w, const struct draw *d);
int op_prime_export(struct worker *w, const struct draw *d);
int op_gem_close(struct worker *w, const struct draw *d);
int op_testdev_session(struct worker *w, const struct draw *d);
int op_testdev_attach(struct worker *w, const struct draw *d);
int op_testdev_map(struct worker *w, const struct draw *d);
int op_testdev_unmap(struct worker *w, const struct draw *d);
int op_testdev_pin(struct worker *w, const struct draw *d);
int op_testdev_unpin(struct worker *w, const struct draw *d);
int op_testdev_rw(struct worker *w, const struct draw *d);
int op_testdev_vmap(struct worker *w, const struct draw *d);
int op_testdev_free(struct worker *w, const struct draw *d);
int op_testdev_migrate(struct worker *w, const struct draw *d);
int op_testdev_set_op(struct worker *w, const struct draw *d);
int op_testdev_hold(struct worker *w, const struct draw *d);
int op_testdev_fence(struct worker *w, const struct draw *d);
int op_testdev_signal(struct worker *w, const struct draw *d);
int op_testdev_mmap(struct worker *w, const struct draw *d);
int op_testdev_info(struct worker *w, const struct draw *d);
int op_testdev_bad(struct worker *w, const struct draw *d);

#endif
