// SPDX-License-Identifier: GPL-2.0-only
/*
 * Failures of allocations and of copies from and to user space. Every chain of
 * system calls on dma-bufs is repeated with its first possible failure
 * injected, then its second, and so on until a pass has none left. Failures are
 * injected by failslab, fail_page_alloc and fail_usercopy, through
 * /proc/thread-self/fail-nth.
 *
 * Each time the call must fail with a matching errno. After each pass no
 * descriptor and no buffer may be left, after each chain no object in the
 * core's slab cache and no open file, and every hook of the test device must
 * have been undone. At the end kmemleak is asked for other leaks.
 *
 * A pass may also succeed although a failure was injected: some allocations are
 * optional.
 *
 * FAIL_NTH_SITES=1 in the environment has the kernel log a stack for each failure,
 * hides that from the console, and counts the places in the code that failed.
 */
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/klog.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <drm/drm.h>

#include "fixture.h"
#include "testdev.h"

#define DEBUGFS		"/sys/kernel/debug"
#define KMEMLEAK	DEBUGFS "/kmemleak"
#define SLAB		"/sys/kernel/slab"

/* A chain that meets more has a loop in it that never ends well. */
#define MAX_NTH		1000
/* The whole of it fits in here several times, on a machine that is emulated. */
#define CHAIN_SECONDS	180
/* What is given back late: by a work item, after a grace period */
#define SETTLE_MS	10000
/* Below this the sweep has missed what it is for. */
#define LEAST_POINTS	60

#define MAX_CHAINS	128
#define MAX_SITES	4096
#define MAX_FDS		128

/* The three that can be told to fail */
static const char * const kinds[] = { "failslab", "fail_page_alloc", "fail_usercopy" };

/* A chain that has run, for the sums at the end */
struct record {
	char name[32];
	pid_t pid;
};

/* Seen by the processes of all the tests */
static struct {
	struct record chains[MAX_CHAINS];
	unsigned int count;
	unsigned int points;
	unsigned int absorbed;	/* of these: not reported to the caller */
	unsigned int kinds[ARRAY_SIZE(kinds)];
	__u64 sites[MAX_SITES];
	unsigned int sites_count;
} *all;

static bool want_sites;

/* The core's own slab cache, and that of every open file: fences have one too. */
static const char * const caches[] = { "dma_buf", "filp" };

/* errno values that fit; 0 ends the list */
static const int no_memory[] = { ENOMEM, 0 };
static const int no_copy[] = { EFAULT, 0 };
static const int memory_copy[] = { ENOMEM, EFAULT, 0 };
/* A socket has its own word for it. */
static const int sending[] = { ENOMEM, EFAULT, ENOBUFS, 0 };
/* Without memory for the message's control part, it comes truncated. */
static const int receiving[] = { ENOMEM, EFAULT, EMSGSIZE, 0 };
/* procfs takes an inode that it cannot make for one that is not there. */
static const int procfs[] = { ENOMEM, EFAULT, ENOENT, 0 };
/* videobuf2 knows only that its memory has made no buffer. */
static const int videobuf[] = { ENOMEM, EFAULT, EINVAL, 0 };

/* What is counted before and after each pass */
struct tally {
	long fds;
	long objects;
	long long bytes;
};

/* One pass of a chain, and what it has to give back */
struct pass {
	struct __test_metadata *meta;
	unsigned int nth;	/* number of the failure to inject; 0: none */
	int fail_nth;
	bool armed;
	bool fired;
	unsigned int wasted;	/* failures that hit the calls that disarm */
	const char *failed;	/* the step that did, or NULL */
	int err;		/* with this errno */
	bool leaves_fd;		/* it may have left a descriptor, see gives_fd() */
	int fds[128];
	unsigned int fd_count;
	void *map;
	size_t map_size;
	int testdev;
	bool chosen;		/* mmap() of the test device reaches a buffer */
	int ids[16];		/* of the test device, but for exporters */
	unsigned int id_count;
	__u32 exporters[4];
	unsigned int exporter_count;
};

/*
 * Files of the kernel
 */

/* All of it, however small the pieces are that the file comes in */
static int read_file(const char *path, char *text, size_t len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t done = 0;
	ssize_t n;

	if (fd < 0)
		return -errno;
	while (done < len - 1 && (n = read(fd, text + done, len - 1 - done)) > 0)
		done += n;
	text[done] = '\0';
	close(fd);
	return done;
}

/* In one write, as the files of sysfs and debugfs want it */
static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), err = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		err = -errno;
	close(fd);
	return err;
}

static long read_number(const char *path)
{
	char text[64];

	return read_file(path, text, sizeof(text)) < 0 ? -1 : strtol(text, NULL, 0);
}

static void set_fault(const char *kind, const char *attr, const char *value)
{
	char path[96];

	snprintf(path, sizeof(path), DEBUGFS "/%s/%s", kind, attr);
	/* Some have attributes that others do not */
	write_file(path, value);
}

/* Failures left of each kind: counts down with each failure. */
static void read_times(long times[ARRAY_SIZE(kinds)])
{
	char path[96];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		snprintf(path, sizeof(path), DEBUGFS "/%s/times", kinds[i]);
		times[i] = read_number(path);
	}
}

/*
 * Setting up
 */

/* A cache that is not there, or merged with others, stays as it is. */
static void set_cache(const char *cache, bool fails)
{
	char path[288];

	snprintf(path, sizeof(path), SLAB "/%s/failslab", cache);
	write_file(path, fails ? "1" : "0");
}

/*
 * All caches but those of the tools that look over our shoulder: one that runs
 * out of memory switches itself off, for all that comes later.
 */
static void choose_caches(void)
{
	static const char * const tools[] = {
		"kmemleak_object", "kmemleak_scan_area", "debug_objects_cache",
	};
	struct dirent *entry;
	unsigned int i;
	DIR *dir;

	dir = opendir(SLAB);
	if (!dir)
		return;
	while ((entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			set_cache(entry->d_name, true);
	closedir(dir);
	for (i = 0; i < ARRAY_SIZE(tools); i++)
		set_cache(tools[i], false);
	set_fault("failslab", "cache-filter", "Y");
}

/*
 * Called once, before the kselftest harness forks for the tests. The settings
 * are left in place: as the probability is 0, they affect only tasks that use
 * fail-nth.
 */
static void __attribute__((constructor)) prepare_kernel(void)
{
	const char *sites = getenv("FAIL_NTH_SITES");
	unsigned int i;

	/* One line, not a skip for each chain */
	if (access("/proc/thread-self/fail-nth", W_OK) ||
	    access(DEBUGFS "/failslab", X_OK)) {
		printf("TAP version 13\n1..0 # SKIP the kernel injects no faults, or not for us\n");
		exit(KSFT_SKIP);
	}

	want_sites = sites && sites[0] == '1';
	if (want_sites)
		klogctl(8, NULL, 1);
	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		set_fault(kinds[i], "probability", "0");
		set_fault(kinds[i], "ignore-gfp-wait", "N");
		set_fault(kinds[i], "ignore-gfp-highmem", "N");
		set_fault(kinds[i], "min-order", "0");
		set_fault(kinds[i], "times", "1000000000");
		/* The log is for what goes wrong */
		set_fault(kinds[i], "verbose", want_sites ? "2" : "0");
	}
	choose_caches();

	all = mmap(NULL, sizeof(*all), PROT_READ | PROT_WRITE,
		   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (all == MAP_FAILED) {
		perror("fail_nth_test: mmap");
		exit(KSFT_FAIL);
	}
}

/*
 * What is there
 */

/* By number and not by a look into /proc, which would take memory itself */
static void mark_fds(bool open[MAX_FDS])
{
	int fd;

	for (fd = 0; fd < MAX_FDS; fd++)
		open[fd] = fcntl(fd, F_GETFD) >= 0;
}

static struct tally take_tally(void)
{
	bool open[MAX_FDS];
	struct tally tally = {};
	int fd;

	mark_fds(open);
	for (fd = 0; fd < MAX_FDS; fd++)
		tally.fds += open[fd];
	if (bufinfo_total(&tally.objects, &tally.bytes))
		tally.objects = -1;
	return tally;
}

/* Sizes too: one buffer may have come in place of another. */
static bool same_tally(const struct tally *a, const struct tally *b)
{
	return a->fds == b->fds && a->objects == b->objects && a->bytes == b->bytes;
}

/*
 * Objects in use in a slab cache. To shrink it first takes in what the processors,
 * and KASAN's quarantine, have put aside: those are counted as used.
 */
static long slab_objects(const char *cache)
{
	static char text[256 << 10];
	char path[64], key[32];
	long active;
	char *line;

	snprintf(path, sizeof(path), SLAB "/%s/shrink", cache);
	write_file(path, "1");
	if (read_file("/proc/slabinfo", text, sizeof(text)) < 0)
		return -1;
	snprintf(key, sizeof(key), "\n%s ", cache);
	line = strstr(text, key);
	if (!line || sscanf(line + strlen(key), "%ld", &active) != 1)
		return -1;
	return active;
}

static void count_slabs(long objects[ARRAY_SIZE(caches)])
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(caches); i++)
		objects[i] = slab_objects(caches[i]);
}

/* Keeps the lower of two counts; true if one has become lower. */
static bool lower_slabs(long objects[ARRAY_SIZE(caches)])
{
	long now[ARRAY_SIZE(caches)];
	bool lower = false;
	unsigned int i;

	count_slabs(now);
	for (i = 0; i < ARRAY_SIZE(caches); i++) {
		lower |= now[i] < objects[i];
		objects[i] = now[i] < objects[i] ? now[i] : objects[i];
	}
	return lower;
}

/* What is left when nothing has been given back for a while */
static void settle_slabs(long objects[ARRAY_SIZE(caches)])
{
	int quiet;

	count_slabs(objects);
	for (quiet = 0; quiet < 4; quiet++) {
		sleep_ms(30);
		if (lower_slabs(objects))
			quiet = 0;
	}
}

/*
 * Sites
 */

/* Where the kernel stands when it fails, and no more than the way there */
static bool is_allocator(const char *frame)
{
	static const char * const names[] = {
		"dump_stack", "__dump_stack", "should_fail", "fail_dump",
		"kmem_cache_alloc", "kmalloc", "__kmalloc", "__do_kmalloc", "krealloc",
		"kvmalloc", "__kvmalloc", "kmemdup", "kstrdup", "slab_", "___slab",
		"allocate_slab", "vzalloc", "vmalloc", "__vmalloc", "alloc_pages",
		"__alloc_pages", "prepare_alloc_pages", "folio_alloc", "__folio_alloc",
		"__get_free_page", "get_zeroed_page", "copy_from_user", "copy_to_user",
		"_copy_from_user", "_copy_to_user", "strncpy_from_user", "memdup_user",
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(names); i++)
		if (!strncmp(frame, names[i], strlen(names[i])))
			return true;
	return false;
}

/* By its function and the offset there, which one hash stands for */
static void add_site(const char *frame)
{
	__u64 hash = 0xcbf29ce484222325ULL;
	unsigned int i;

	for (; *frame && !isspace(*frame); frame++)
		hash = (hash ^ (unsigned char)*frame) * 0x100000001b3ULL;
	for (i = 0; i < all->sites_count; i++)
		if (all->sites[i] == hash)
			return;
	if (all->sites_count < MAX_SITES)
		all->sites[all->sites_count++] = hash;
}

/* What was logged since the last time: one failure, if any */
static void read_sites(int kmsg)
{
	bool stack = false;
	char text[4096], *frame;
	ssize_t n;

	while ((n = read(kmsg, text, sizeof(text) - 1)) > 0 || (n < 0 && errno == EPIPE)) {
		if (n < 0)
			continue;
		text[n] = '\0';
		frame = strchr(text, ';');
		if (!frame)
			continue;
		frame++;
		if (strstr(frame, "FAULT_INJECTION: forcing a failure"))
			stack = true;
		while (*frame == ' ')
			frame++;
		/* A frame that the unwinder is not sure of */
		if (!stack || !strncmp(frame, "? ", 2) || !strstr(frame, "+0x") ||
		    is_allocator(frame))
			continue;
		add_site(frame);
		stack = false;
	}
}

/* What was logged earlier is none of this chain's. */
static int open_kmsg(void)
{
	int kmsg;

	if (!want_sites)
		return -1;
	kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (kmsg >= 0)
		lseek(kmsg, 0, SEEK_END);
	return kmsg;
}

/*
 * A pass
 */

/* From here on the chances count. */
static void arm(struct pass *p)
{
	char text[16];
	int len;

	if (!p->nth)
		return;
	len = snprintf(text, sizeof(text), "%u", p->nth);
	p->armed = pwrite(p->fail_nth, text, len, 0) == len;
}

static void disarm(struct pass *p)
{
	char text[16] = "";
	ssize_t n;

	if (!p->armed)
		return;
	p->armed = false;
	/* Both calls are chances too, so one may fail: then none was taken before. */
	n = pread(p->fail_nth, text, sizeof(text) - 1, 0);
	p->fired = n > 0 && !strcmp(text, "0\n");
	p->wasted = n < 0;
	if (pwrite(p->fail_nth, "0", 1, 0) != 1) {
		p->wasted++;
		pwrite(p->fail_nth, "0", 1, 0);
	}
}

/* A step that must do well, as it is only there to make others possible */
static long given(struct pass *p, long ret)
{
	struct __test_metadata *_metadata = p->meta;

	ASSERT_LE(0, ret)
		TH_LOG("cannot begin: %s", strerror(-ret));
	return ret;
}

/* The three that follow take note of what is there, if it is, and pass it on. */
static int keep_fd(struct pass *p, long fd)
{
	if (fd >= 0 && p->fd_count < ARRAY_SIZE(p->fds))
		p->fds[p->fd_count++] = fd;
	return fd;
}

static int keep_id(struct pass *p, long id)
{
	if (id >= 0 && p->id_count < ARRAY_SIZE(p->ids))
		p->ids[p->id_count++] = id;
	return id;
}

static int keep_map(struct pass *p, void *map, size_t size)
{
	if (map == MAP_FAILED)
		return -errno;
	p->map = map;
	p->map_size = size;
	return 0;
}

/*
 * Whether a step succeeded. If not the pass is over, and the errno must have a
 * reason.
 */
static bool check_step(struct pass *p, const char *what, long ret, const int *errors)
{
	struct __test_metadata *_metadata = p->meta;
	bool fits = false;

	if (ret >= 0)
		return true;

	for (; *errors; errors++)
		fits |= ret == -*errors;
	p->failed = what;
	p->err = -ret;
	EXPECT_TRUE(fits)
		TH_LOG("nth %u: %s failed with an errno that does not fit: %s",
		       p->nth, what, strerror(-ret));
	return false;
}

#define ok(p, call, errors)	check_step(p, #call, call, errors)

/*
 * An ioctl of the base kernel, which installs a descriptor before it copies the
 * result that has its number: dma_heap_ioctl(), drm_ioctl() with PRIME,
 * video_usercopy() with EXPBUF. After EFAULT there may be a descriptor whose
 * number is unknown.
 */
static bool check_giving(struct pass *p, const char *what, long ret, const int *errors)
{
	p->leaves_fd = ret == -EFAULT;
	return check_step(p, what, ret, errors);
}

#define gives_fd(p, call, errors)	check_giving(p, #call, call, errors)

/* What only gives back cannot fail for good: one failure is all there is. */
static void give_back(struct pass *p)
{
	if (p->map && munmap(p->map, p->map_size))
		munmap(p->map, p->map_size);
	p->map = NULL;
	if (p->chosen && testdev_choose_mmap(p->testdev, -1))
		testdev_choose_mmap(p->testdev, -1);
	while (p->id_count) {
		int id = p->ids[--p->id_count];

		if (testdev_free(p->testdev, id) == -EFAULT)
			testdev_free(p->testdev, id);
	}
	while (p->fd_count)
		close(p->fds[--p->fd_count]);
}

/* Every hook of the test device's exporters must have been undone. */
static void check_exporters(struct pass *p)
{
	struct __test_metadata *_metadata = p->meta;
	struct dma_buf_test_exporter_info info;
	unsigned int i;

	for (i = 0; i < p->exporter_count; i++) {
		info = testdev_exporter(p->testdev, p->exporters[i]);
		EXPECT_EQ(0, info.attached);
		EXPECT_EQ(0, info.mapped);
		EXPECT_EQ(0, info.pinned);
		EXPECT_EQ(0, info.vmapped);
		EXPECT_EQ(1, info.released);
		EXPECT_EQ(1, info.file_ok);
	}
}

static void close_stray(struct pass *p, const bool open[MAX_FDS])
{
	int fd;

	if (!p->leaves_fd)
		return;
	for (fd = 0; fd < MAX_FDS; fd++) {
		if (!open[fd] && fcntl(fd, F_GETFD) >= 0) {
			/* One, and no more */
			close(fd);
			return;
		}
	}
}

/*
 * Material for the chains. All of it is given back after the pass.
 */

/* For the chains that do not care how it came to be */
static int buffer(struct pass *p, enum exporter exporter)
{
	size_t size = TEST_PAGES * getpagesize();

	return keep_fd(p, given(p, exporter_alloc(exporter, &size, O_RDWR | O_CLOEXEC)));
}

/* Also its exporter is looked at after the pass: it lives on in the session. */
static int create(struct pass *p, __u32 kind, unsigned int pages)
{
	__u32 id;
	int fd = testdev_create(p->testdev, kind, (__u64)pages * getpagesize(), &id);

	if (fd >= 0 && p->exporter_count < ARRAY_SIZE(p->exporters))
		p->exporters[p->exporter_count++] = id;
	return keep_fd(p, fd);
}

static int testdev_buffer(struct pass *p, __u32 kind, unsigned int pages)
{
	return given(p, create(p, kind, pages));
}

/* Freed after the pass: that unmaps, unpins and detaches. */
static int attach(struct pass *p, int fd, __u32 flags)
{
	return keep_id(p, testdev_attach(p->testdev, fd, flags));
}

/* Freed after the pass: that signals it. */
static int fence(struct pass *p, int fd, __u32 usage, __u32 delay_ms)
{
	return keep_id(p, testdev_fence(p->testdev, fd, usage, delay_ms));
}

/* Closed after the pass: that ends what fences it has. */
static int timeline(struct pass *p)
{
	return keep_fd(p, given(p, timeline_open()));
}

/* A buffer with pending fences for writing, each of a timeline of its own */
static int busy_buffer(struct pass *p, unsigned int fences)
{
	int fd = buffer(p, SYSTEM_HEAP);

	while (fences--)
		given(p, timeline_import(timeline(p), 1, fd, DMA_BUF_SYNC_WRITE));
	return fd;
}

/*
 * The chains
 */

struct chain {
	const char *name;
	void (*run)(struct pass *p, const struct chain *chain);
	enum exporter exporter;
	__u32 kind;		/* of one of the test device's exporters */
	__u32 flags;		/* of one of its importers */
	unsigned int count;
	bool forks;		/* each pass is a process of its own */
	bool testdev;		/* it needs the test device */
	/*
	 * DMA-API's debugging takes a radix tree's node for each mapping, and
	 * switches itself off without: no failures of that cache here.
	 */
	bool maps;
};

/* Buffers come and go. */
static void run_export(struct pass *p, const struct chain *chain)
{
	struct source source;
	int fd;

	given(p, source_open(&source, chain->exporter, TEST_PAGES * getpagesize()));
	keep_fd(p, source.dev);
	if (source.memfd >= 0)
		keep_fd(p, source.memfd);

	arm(p);
	/* udmabuf's ioctl returns the descriptor and copies nothing. */
	if (chain->exporter == UDMABUF)
		ok(p, fd = keep_fd(p, source_export(&source, O_RDWR | O_CLOEXEC)),
		   memory_copy);
	else
		gives_fd(p, fd = keep_fd(p, source_export(&source, O_RDWR | O_CLOEXEC)),
			 chain->exporter == VIVID ? videobuf : memory_copy);
}

/* vgem imports the buffer: it attaches and maps. */
static void run_prime_import(struct pass *p, const struct chain *chain)
{
	int fd = buffer(p, chain->exporter), drm = keep_fd(p, given(p, vgem_open()));
	struct drm_prime_handle prime = { .fd = fd };

	arm(p);
	if (ok(p, ioctl(drm, DRM_IOCTL_PRIME_FD_TO_HANDLE, &prime) ? -errno : 0,
	       memory_copy))
		vgem_free(drm, prime.handle);
}

/* Its name is the new one or still the old one, and always one of the two. */
static void run_set_name(struct pass *p, const struct chain *chain)
{
	struct __test_metadata *_metadata = p->meta;
	int fd = buffer(p, chain->exporter);
	bool named;
	char name[64];

	given(p, buffer_set_name(fd, "first"));
	arm(p);
	named = ok(p, buffer_set_name(fd, "second"), memory_copy);
	/* Without a failure in the reading */
	disarm(p);
	EXPECT_EQ(1, fdinfo_get(fd, "name", name, sizeof(name)));
	EXPECT_STREQ(named ? "second" : "first", name);
}

/* With an exporter that does nothing, or one that maps for its own device */
static void run_sync(struct pass *p, const struct chain *chain)
{
	const __u64 rw = DMA_BUF_SYNC_RW;
	int fd = buffer(p, chain->exporter);

	arm(p);
	if (ok(p, buffer_sync(fd, DMA_BUF_SYNC_START | rw), memory_copy))
		ok(p, buffer_sync(fd, DMA_BUF_SYNC_END | rw), memory_copy);
}

/* An exporter that moves the memory in its hook, after which the core waits */
static void run_sync_moves(struct pass *p, const struct chain *chain)
{
	const __u64 rw = DMA_BUF_SYNC_RW;
	int fd = testdev_buffer(p, chain->kind, 2);

	given(p, testdev_delay(p->testdev, p->exporters[0], HOOK_BEGIN, 1,
			       DMA_BUF_TEST_ASYNC));
	arm(p);
	if (ok(p, buffer_sync(fd, DMA_BUF_SYNC_START | rw), memory_copy))
		ok(p, buffer_sync(fd, DMA_BUF_SYNC_END | rw), memory_copy);
}

/* None pending: a stub is enough. One: itself. Several: an array is made of them. */
static void run_export_sync_file(struct pass *p, const struct chain *chain)
{
	int fd = busy_buffer(p, chain->count);

	arm(p);
	ok(p, keep_fd(p, buffer_export_sync_file(fd, DMA_BUF_SYNC_RW)), memory_copy);
}

/* One fence, or one sync_file of several: each takes room in the reservation. */
static void run_import_sync_file(struct pass *p, const struct chain *chain)
{
	struct __test_metadata *_metadata = p->meta;
	int fd = buffer(p, SYSTEM_HEAP), fence, merged, i;
	bool imported;

	fence = keep_fd(p, given(p, timeline_fence(timeline(p), 1)));
	for (i = 1; i < chain->count; i++) {
		merged = sync_file_merge(fence,
					 keep_fd(p,
						 given(p, timeline_fence(timeline(p), 1))));
		fence = keep_fd(p, given(p, merged));
	}
	arm(p);
	imported = ok(p, buffer_import_sync_file(fd, DMA_BUF_SYNC_WRITE, fence),
		      memory_copy);
	disarm(p);
	/* All of it or nothing */
	EXPECT_EQ(imported ? 0 : POLLIN, poll_now(fd, POLLIN));
}

/* A sync_file goes through a buffer and comes out with what went in. */
static void run_sync_file_circle(struct pass *p, const struct chain *chain)
{
	int fd = busy_buffer(p, chain->count), out;

	arm(p);
	out = buffer_export_sync_file(fd, DMA_BUF_SYNC_WRITE);
	if (ok(p, keep_fd(p, out), memory_copy))
		ok(p, buffer_import_sync_file(fd, DMA_BUF_SYNC_READ, out), memory_copy);
}

/* What cannot be armed for all of the fences is armed for the first of them. */
static void run_poll(struct pass *p, const struct chain *chain)
{
	int fd = busy_buffer(p, chain->count);

	arm(p);
	if (ok(p, poll_briefly(fd, POLLIN), memory_copy))
		ok(p, poll_briefly(fd, POLLOUT), memory_copy);
}

/*
 * A poller that was put to sleep without an error must be woken, whatever else
 * failed.
 */
static void run_epoll(struct pass *p, const struct chain *chain)
{
	struct epoll_event event = { .events = EPOLLOUT | EPOLLET };
	struct __test_metadata *_metadata = p->meta;
	int timelines[4], fd = buffer(p, SYSTEM_HEAP), epoll, i;
	bool added;

	for (i = 0; i < chain->count; i++) {
		timelines[i] = timeline(p);
		given(p, timeline_import(timelines[i], 1, fd, DMA_BUF_SYNC_READ));
	}
	arm(p);
	epoll = epoll_create1(EPOLL_CLOEXEC);
	if (!ok(p, keep_fd(p, epoll < 0 ? -errno : epoll), memory_copy))
		return;
	added = ok(p, epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) ? -errno : 0, memory_copy);
	disarm(p);
	for (i = 0; i < chain->count; i++)
		given(p, timeline_advance(timelines[i], 1));
	EXPECT_EQ(added ? 1 : 0, epoll_wait(epoll, &event, 1, added ? WAKE_MS : 0));
}

static sigjmp_buf no_page;

/* What an exporter's fault handler makes of an error that is not about memory */
static void on_bus_error(int number)
{
	siglongjmp(no_page, 1);
}

/* A page that cannot be had for lack of memory is tried again, and comes then. */
static int touch(char *map, size_t size)
{
	size_t i;

	signal(SIGBUS, on_bus_error);
	if (sigsetjmp(no_page, 1))
		return -EIO;
	for (i = 0; i < size; i += getpagesize())
		__atomic_store_n(map + i, 1, __ATOMIC_RELAXED);
	return 0;
}

/* Pages come at once with some exporters, and when touched with others. */
static void run_mmap(struct pass *p, const struct chain *chain)
{
	size_t size = TEST_PAGES * getpagesize();
	int fd = buffer(p, chain->exporter);
	void *map;

	arm(p);
	map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (ok(p, keep_map(p, map, size), no_memory))
		ok(p, touch(map, size), no_memory);
}

/* Takes nothing, as long as the table has room */
static void run_dup(struct pass *p, const struct chain *chain)
{
	int fd = buffer(p, SYSTEM_HEAP), copy;

	arm(p);
	copy = dup(fd);
	ok(p, keep_fd(p, copy < 0 ? -errno : copy), no_memory);
}

/* A process of its own has a small table; when it is full, there must be a new one. */
static void fill_table(struct pass *p, int fd)
{
	int copy;

	do {
		copy = keep_fd(p, given(p, dup(fd)));
	} while (copy < 63);
}

/* To see that the table grows, or does not, in the chains that follow */
static void run_table_dup(struct pass *p, const struct chain *chain)
{
	int fd = buffer(p, SYSTEM_HEAP), copy;

	fill_table(p, fd);
	arm(p);
	copy = dup(fd);
	ok(p, keep_fd(p, copy < 0 ? -errno : copy), no_memory);
}

/* The buffer cannot be handed out: it must go again. */
static void run_table_create(struct pass *p, const struct chain *chain)
{
	fill_table(p, STDERR_FILENO);
	arm(p);
	ok(p, create(p, chain->kind, 1), memory_copy);
}

/* Nor can the sync_file, and the fence in it. */
static void run_table_sync_file(struct pass *p, const struct chain *chain)
{
	int fd = busy_buffer(p, 1);

	fill_table(p, STDERR_FILENO);
	arm(p);
	ok(p, keep_fd(p, buffer_export_sync_file(fd, DMA_BUF_SYNC_RW)), memory_copy);
}

union control {
	struct cmsghdr head;
	char room[CMSG_SPACE(sizeof(int))];
};

/* The message holds a reference of its own until it is received, or the socket goes. */
static int send_fd(int socket, int fd)
{
	union control control = {};
	char byte = 0;
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};

	control.head.cmsg_level = SOL_SOCKET;
	control.head.cmsg_type = SCM_RIGHTS;
	control.head.cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(&control.head), &fd, sizeof(fd));
	return sendmsg(socket, &msg, MSG_DONTWAIT) < 0 ? -errno : 0;
}

/* There is one more descriptor, or none at all: half a message counts as none. */
static int receive_fd(int socket)
{
	union control control = {};
	char byte;
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	int fd;

	if (recvmsg(socket, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) < 0)
		return -errno;
	if (msg.msg_flags & MSG_CTRUNC || !CMSG_FIRSTHDR(&msg))
		return -EMSGSIZE;
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(fd));
	return fd;
}

/* A buffer that is in no descriptor table still has a holder. */
static void run_scm_rights(struct pass *p, const struct chain *chain)
{
	int fd = buffer(p, SYSTEM_HEAP), pair[2];

	given(p, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
	keep_fd(p, pair[0]);
	keep_fd(p, pair[1]);
	arm(p);
	if (ok(p, send_fd(pair[0], fd), sending))
		ok(p, keep_fd(p, receive_fd(pair[1])), receiving);
}

/* In pieces, so that there is more than one that can fail */
static int read_through(int fd)
{
	char text[2048];
	ssize_t n;

	do {
		n = read(fd, text, sizeof(text));
	} while (n > 0);
	return n < 0 ? -errno : 0;
}

static int open_to_read(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* procfs makes a dentry and an inode for it first. */
static void run_fdinfo(struct pass *p, const struct chain *chain)
{
	int fd = buffer(p, SYSTEM_HEAP), info;
	char path[48];

	given(p, buffer_set_name(fd, "named"));
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	arm(p);
	info = open_to_read(path);
	if (ok(p, keep_fd(p, info), procfs))
		ok(p, read_through(info), memory_copy);
}

/* The name is part of the path, which is made in a page of its own. */
static void run_path(struct pass *p, const struct chain *chain)
{
	int fd = buffer(p, SYSTEM_HEAP);
	char path[48], link[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	arm(p);
	ok(p, readlink(path, link, sizeof(link)) < 0 ? -errno : 0, procfs);
}

/* Fences, a device and names are shown: more than fits in a page. */
static void run_bufinfo(struct pass *p, const struct chain *chain)
{
	int i, fd, info;

	for (i = 0; i < 12; i++) {
		fd = busy_buffer(p, 2);
		given(p, buffer_set_name(fd, "a name of thirty-one characters"));
		given(p, attach(p, fd, 0));
	}
	arm(p);
	info = open_to_read(BUFINFO);
	if (ok(p, keep_fd(p, info), memory_copy))
		ok(p, read_through(info), memory_copy);
}

/*
 * The test device
 */

/* A session */
static void run_open(struct pass *p, const struct chain *chain)
{
	int fd;

	arm(p);
	fd = open(DMA_BUF_TEST_DEVICE, O_RDWR | O_CLOEXEC);
	ok(p, keep_fd(p, fd < 0 ? -errno : fd), memory_copy);
}

/* Memory once or more often, the exporter, the buffer around it, a descriptor */
static void run_create(struct pass *p, const struct chain *chain)
{
	arm(p);
	ok(p, create(p, chain->kind, 2), memory_copy);
}

/* The second finds the reservation that the first has made. */
static void run_shared(struct pass *p, const struct chain *chain)
{
	arm(p);
	if (ok(p, create(p, DMA_BUF_TEST_SHARED_RESV, 1), memory_copy))
		ok(p, create(p, DMA_BUF_TEST_SHARED_RESV, 1), memory_copy);
}

/* The kernel's own way with what user space does not know about it */
static void run_bookkeeping(struct pass *p, const struct chain *chain)
{
	struct dma_buf_test_exporter_info exporter = { .size = sizeof(exporter) };
	struct dma_buf_test_importer_info importer = { .size = sizeof(importer) };
	struct dma_buf_test_call calls[4];
	struct dma_buf_test_log log = {
		.size = sizeof(log),
		.flags = DMA_BUF_TEST_CLEAR,
		.count = ARRAY_SIZE(calls),
		.calls = (uintptr_t)calls,
	};
	int fd = testdev_buffer(p, 0, 1);

	importer.id = given(p, attach(p, fd, 0));
	exporter.id = p->exporters[0];
	log.id = p->exporters[0];

	arm(p);
	if (ok(p, testdev_ioctl(p->testdev, DMA_BUF_TEST_LOG, &log), memory_copy) &&
	    ok(p, testdev_ioctl(p->testdev, DMA_BUF_TEST_EXPORTER_INFO, &exporter),
	       no_copy) &&
	    ok(p, testdev_ioctl(p->testdev, DMA_BUF_TEST_IMPORTER_INFO, &importer),
	       no_copy))
		ok(p, testdev_delay(p->testdev, log.id, HOOK_MAP, 0, 0),
		   no_copy);
}

/* The number is there before the attachment: the hook wants to know it. */
static void run_attach(struct pass *p, const struct chain *chain)
{
	int fd = testdev_buffer(p, chain->kind, 1);

	arm(p);
	ok(p, attach(p, fd, chain->flags), memory_copy);
}

/* A device's whole use of a buffer; again where the first mapping is kept. */
static void run_map(struct pass *p, const struct chain *chain)
{
	int fd = testdev_buffer(p, chain->kind, chain->count), id, i;
	int times = chain->kind & DMA_BUF_TEST_CACHED ? 2 : 1;

	arm(p);
	id = attach(p, fd, chain->flags);
	if (!ok(p, id, memory_copy))
		return;
	for (i = 0; i < times; i++)
		if (!ok(p, testdev_map(p->testdev, id, DIR_BOTH), memory_copy) ||
		    !ok(p, testdev_unmap(p->testdev, id), no_copy))
			return;
}

/* Pins of the importer's own, apart from those that a mapping would take */
static void run_map_pinned(struct pass *p, const struct chain *chain)
{
	int fd = testdev_buffer(p, DMA_BUF_TEST_DYNAMIC, 2), id;

	arm(p);
	id = attach(p, fd, DMA_BUF_TEST_IMPORTER_DYNAMIC);
	if (ok(p, id, memory_copy) &&
	    ok(p, testdev_pin(p->testdev, id), no_copy) &&
	    ok(p, testdev_map(p->testdev, id, DIR_FROM_DEVICE), memory_copy) &&
	    ok(p, testdev_unmap(p->testdev, id), no_copy))
		ok(p, testdev_unpin(p->testdev, id), no_copy);
}

/* The exporter moves the memory when it is mapped, and the core waits for that. */
static void run_map_moves(struct pass *p, const struct chain *chain)
{
	int fd = testdev_buffer(p, chain->kind, 2), id;

	given(p, testdev_delay(p->testdev, p->exporters[0], HOOK_MAP, 1,
			       DMA_BUF_TEST_ASYNC));
	id = given(p, attach(p, fd, chain->flags));
	arm(p);
	if (ok(p, testdev_map(p->testdev, id, DIR_BOTH), memory_copy))
		ok(p, testdev_unmap(p->testdev, id), no_copy);
}

/* Buffers of the other exporters, imported by the test device */
static void run_map_others(struct pass *p, const struct chain *chain)
{
	int fd = buffer(p, chain->exporter), id;

	arm(p);
	id = attach(p, fd, chain->flags);
	if (ok(p, id, memory_copy) &&
	    ok(p, testdev_map(p->testdev, id, DIR_TO_DEVICE), memory_copy))
		ok(p, testdev_unmap(p->testdev, id), no_copy);
}

/*
 * The buffer moves while an importer has it mapped that lets go, or one that
 * keeps its mapping.
 */
static void run_migrate(struct pass *p, const struct chain *chain)
{
	int fd = testdev_buffer(p, DMA_BUF_TEST_DYNAMIC, 2), id;

	id = given(p, attach(p, fd, DMA_BUF_TEST_IMPORTER_DYNAMIC | chain->flags));
	given(p, testdev_map(p->testdev, id, DIR_BOTH));
	arm(p);
	if (!ok(p, testdev_migrate(p->testdev, p->exporters[0], chain->count), memory_copy))
		return;
	if (!(chain->flags & DMA_BUF_TEST_IMPORTER_LETS_GO) &&
	    !ok(p, testdev_unmap(p->testdev, id), no_copy))
		return;
	ok(p, testdev_map(p->testdev, id, DIR_BOTH), memory_copy);
}

/* A thread is made, gets the reservation, and is stopped again. */
static void run_hold(struct pass *p, const struct chain *chain)
{
	int fd = testdev_buffer(p, 0, 1);

	arm(p);
	ok(p, keep_id(p, testdev_hold(p->testdev, fd)), memory_copy);
}

/* More of them than the reservation has room for at first */
static void run_fence(struct pass *p, const struct chain *chain)
{
	int fd = testdev_buffer(p, 0, 1), id, i;

	arm(p);
	for (i = 0; i < 6; i++) {
		id = fence(p, fd, i % 4, i == 5 ? 1 : 0);
		if (!ok(p, id, memory_copy))
			return;
	}
	ok(p, testdev_signal(p->testdev, p->ids[0], -EIO), no_copy);
}

/* The way to the memory that needs no device, and no mapping for one */
static void run_vmap(struct pass *p, const struct chain *chain)
{
	int fd = testdev_buffer(p, chain->kind, 2), id;
	char data[16] = "through a vmap";

	arm(p);
	id = keep_id(p, testdev_vmap(p->testdev, fd));
	if (ok(p, id, memory_copy) &&
	    ok(p, testdev_write(p->testdev, id, 1, data, sizeof(data)), memory_copy))
		ok(p, testdev_read(p->testdev, id, 1, data, sizeof(data)), memory_copy);
}

/* Across the border of two pages, as they need not be neighbours */
static void run_rw(struct pass *p, const struct chain *chain)
{
	int fd = testdev_buffer(p, 0, 2), id;
	char data[16] = "as a device does";

	id = given(p, attach(p, fd, 0));
	given(p, testdev_map(p->testdev, id, DIR_BOTH));
	arm(p);
	if (ok(p, testdev_write(p->testdev, id, getpagesize() - 8, data, sizeof(data)),
	       memory_copy))
		ok(p, testdev_read(p->testdev, id, getpagesize() - 8, data, sizeof(data)),
		   memory_copy);
}

/* An importer's mmap lands on the buffer. */
static void run_importer_mmap(struct pass *p, const struct chain *chain)
{
	size_t size = TEST_PAGES * getpagesize();
	int fd = testdev_buffer(p, chain->kind, TEST_PAGES);
	void *map;

	p->chosen = true;
	arm(p);
	if (!ok(p, testdev_choose_mmap(p->testdev, fd), no_copy))
		return;
	map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, p->testdev, 0);
	if (ok(p, keep_map(p, map, size), no_memory))
		ok(p, touch(map, size), no_memory);
}

/*
 * The sweep
 */

FIXTURE(fail_nth) {
	struct pass *p;
	int kmsg;
};

FIXTURE_VARIANT(fail_nth) {
	struct chain chain;
};

FIXTURE_VARIANT_ADD(fail_nth, heap_alloc) { {
	"heap_alloc", run_export, .exporter = SYSTEM_HEAP,
} };
FIXTURE_VARIANT_ADD(fail_nth, udmabuf_create) { {
	"udmabuf_create", run_export, .exporter = UDMABUF,
} };
FIXTURE_VARIANT_ADD(fail_nth, vgem_export) { { "vgem_export", run_export, .exporter = VGEM } };
FIXTURE_VARIANT_ADD(fail_nth, vivid_export) { { "vivid_export", run_export, .exporter = VIVID } };
FIXTURE_VARIANT_ADD(fail_nth, vgem_imports_heap) { {
	"vgem_imports_heap", run_prime_import, .exporter = SYSTEM_HEAP, .maps = true,
} };
FIXTURE_VARIANT_ADD(fail_nth, vgem_imports_udmabuf) { {
	"vgem_imports_udmabuf", run_prime_import, .exporter = UDMABUF, .maps = true,
} };
/*
 * None in which vivid imports: of the base kernel, __prepare_dmabuf() of videobuf2
 * loses its reference to the buffer when it cannot attach.
 */

FIXTURE_VARIANT_ADD(fail_nth, set_name) { { "set_name", run_set_name, .exporter = SYSTEM_HEAP } };
FIXTURE_VARIANT_ADD(fail_nth, sync_heap) { { "sync_heap", run_sync, .exporter = SYSTEM_HEAP } };
FIXTURE_VARIANT_ADD(fail_nth, sync_udmabuf) { {
	"sync_udmabuf", run_sync, .exporter = UDMABUF, .maps = true,
} };
FIXTURE_VARIANT_ADD(fail_nth, sync_moves) { {
	"sync_moves", run_sync_moves, .kind = DMA_BUF_TEST_NONCOHERENT, .testdev = true,
} };
FIXTURE_VARIANT_ADD(fail_nth, export_sync_file_idle) { {
	"export_sync_file_idle", run_export_sync_file, .count = 0,
} };
FIXTURE_VARIANT_ADD(fail_nth, export_sync_file_one) { {
	"export_sync_file_one", run_export_sync_file, .count = 1,
} };
FIXTURE_VARIANT_ADD(fail_nth, export_sync_file_many) { {
	"export_sync_file_many", run_export_sync_file, .count = 5,
} };
FIXTURE_VARIANT_ADD(fail_nth, import_sync_file_one) { {
	"import_sync_file_one", run_import_sync_file, .count = 1,
} };
FIXTURE_VARIANT_ADD(fail_nth, import_sync_file_many) { {
	"import_sync_file_many", run_import_sync_file, .count = 6,
} };
FIXTURE_VARIANT_ADD(fail_nth, sync_file_circle) { {
	"sync_file_circle", run_sync_file_circle, .count = 3,
} };
FIXTURE_VARIANT_ADD(fail_nth, poll_one) { { "poll_one", run_poll, .count = 1 } };
FIXTURE_VARIANT_ADD(fail_nth, poll_many) { { "poll_many", run_poll, .count = 5 } };
FIXTURE_VARIANT_ADD(fail_nth, epoll_one) { { "epoll_one", run_epoll, .count = 1 } };
FIXTURE_VARIANT_ADD(fail_nth, epoll_many) { { "epoll_many", run_epoll, .count = 4 } };

FIXTURE_VARIANT_ADD(fail_nth, mmap_heap) { { "mmap_heap", run_mmap, .exporter = SYSTEM_HEAP } };
FIXTURE_VARIANT_ADD(fail_nth, mmap_udmabuf) { { "mmap_udmabuf", run_mmap, .exporter = UDMABUF } };
FIXTURE_VARIANT_ADD(fail_nth, mmap_vgem) { { "mmap_vgem", run_mmap, .exporter = VGEM } };
FIXTURE_VARIANT_ADD(fail_nth, mmap_vivid) { { "mmap_vivid", run_mmap, .exporter = VIVID } };
FIXTURE_VARIANT_ADD(fail_nth, dup) { { "dup", run_dup } };
FIXTURE_VARIANT_ADD(fail_nth, table_dup) { { "table_dup", run_table_dup, .forks = true } };
FIXTURE_VARIANT_ADD(fail_nth, table_create) { {
	"table_create", run_table_create, .forks = true, .testdev = true,
} };
FIXTURE_VARIANT_ADD(fail_nth, table_sync_file) { {
	"table_sync_file", run_table_sync_file, .forks = true,
} };
FIXTURE_VARIANT_ADD(fail_nth, scm_rights) { { "scm_rights", run_scm_rights } };
FIXTURE_VARIANT_ADD(fail_nth, fdinfo) { { "fdinfo", run_fdinfo } };
FIXTURE_VARIANT_ADD(fail_nth, path) { { "path", run_path } };
FIXTURE_VARIANT_ADD(fail_nth, bufinfo) { { "bufinfo", run_bufinfo, .testdev = true } };

FIXTURE_VARIANT_ADD(fail_nth, open) { { "open", run_open, .testdev = true } };
FIXTURE_VARIANT_ADD(fail_nth, create_plain) { {
	"create_plain", run_create, .kind = 0, .testdev = true,
} };
FIXTURE_VARIANT_ADD(fail_nth, create_dynamic) { {
	"create_dynamic", run_create, .kind = DMA_BUF_TEST_DYNAMIC, .testdev = true,
} };
FIXTURE_VARIANT_ADD(fail_nth, create_cached) { {
	"create_cached", run_create, .kind = DMA_BUF_TEST_CACHED, .testdev = true,
} };
FIXTURE_VARIANT_ADD(fail_nth, create_bare) { {
	"create_bare", run_create, .kind = DMA_BUF_TEST_BARE, .testdev = true,
} };
FIXTURE_VARIANT_ADD(fail_nth, create_lazy) { {
	"create_lazy", run_create, .kind = DMA_BUF_TEST_LAZY, .testdev = true,
} };
FIXTURE_VARIANT_ADD(fail_nth, create_noncoherent) { {
	"create_noncoherent", run_create, .kind = DMA_BUF_TEST_NONCOHERENT, .testdev = true,
} };
FIXTURE_VARIANT_ADD(fail_nth, create_shared) { { "create_shared", run_shared, .testdev = true } };
FIXTURE_VARIANT_ADD(fail_nth, bookkeeping) { { "bookkeeping", run_bookkeeping, .testdev = true } };

FIXTURE_VARIANT_ADD(fail_nth, attach_static) { { "attach_static", run_attach, .testdev = true } };
FIXTURE_VARIANT_ADD(fail_nth, attach_dynamic) { {
	"attach_dynamic", run_attach, .kind = DMA_BUF_TEST_DYNAMIC,
	.flags = DMA_BUF_TEST_IMPORTER_DYNAMIC, .testdev = true,
} };
FIXTURE_VARIANT_ADD(fail_nth, map) { {
	"map", run_map, .count = 2, .maps = true, .testdev = true,
} };
/* Tables with links in them, of the exporter and of the debugging copy */
FIXTURE_VARIANT_ADD(fail_nth, map_large) { {
	"map_large", run_map, .count = 300, .maps = true, .testdev = true,
} };
FIXTURE_VARIANT_ADD(fail_nth, map_lazy) { {
	"map_lazy", run_map, .kind = DMA_BUF_TEST_LAZY, .count = 2, .maps = true,
	.testdev = true,
} };
FIXTURE_VARIANT_ADD(fail_nth, map_cached) { {
	"map_cached", run_map, .kind = DMA_BUF_TEST_CACHED, .count = 2, .maps = true,
	.testdev = true,
} };
FIXTURE_VARIANT_ADD(fail_nth, map_static_dynamic) { {
	"map_static_dynamic", run_map, .kind = DMA_BUF_TEST_DYNAMIC, .count = 2,
	.maps = true, .testdev = true,
} };
FIXTURE_VARIANT_ADD(fail_nth, map_dynamic) { {
	"map_dynamic", run_map, .kind = DMA_BUF_TEST_DYNAMIC,
	.flags = DMA_BUF_TEST_IMPORTER_DYNAMIC, .count = 2, .maps = true, .testdev = true,
} };
FIXTURE_VARIANT_ADD(fail_nth, map_pinned) { {
	"map_pinned", run_map_pinned, .maps = true, .testdev = true,
} };
FIXTURE_VARIANT_ADD(fail_nth, map_moves) { {
	"map_moves", run_map_moves, .maps = true, .testdev = true,
} };
FIXTURE_VARIANT_ADD(fail_nth, map_dynamic_moves) { {
	"map_dynamic_moves", run_map_moves, .kind = DMA_BUF_TEST_DYNAMIC,
	.flags = DMA_BUF_TEST_IMPORTER_DYNAMIC, .maps = true, .testdev = true,
} };
FIXTURE_VARIANT_ADD(fail_nth, map_heap) { {
	"map_heap", run_map_others, .exporter = SYSTEM_HEAP, .maps = true, .testdev = true,
} };
FIXTURE_VARIANT_ADD(fail_nth, map_udmabuf) { {
	"map_udmabuf", run_map_others, .exporter = UDMABUF, .maps = true, .testdev = true,
} };
FIXTURE_VARIANT_ADD(fail_nth, map_vgem) { {
	"map_vgem", run_map_others, .exporter = VGEM, .maps = true, .testdev = true,
} };
FIXTURE_VARIANT_ADD(fail_nth, map_vivid) { {
	"map_vivid", run_map_others, .exporter = VIVID, .maps = true, .testdev = true,
} };

FIXTURE_VARIANT_ADD(fail_nth, migrate) { {
	"migrate", run_migrate, .maps = true, .testdev = true,
} };
FIXTURE_VARIANT_ADD(fail_nth, migrate_takes_time) { {
	"migrate_takes_time", run_migrate, .count = 1, .maps = true, .testdev = true,
} };
FIXTURE_VARIANT_ADD(fail_nth, migrate_lets_go) { {
	"migrate_lets_go", run_migrate, .flags = DMA_BUF_TEST_IMPORTER_LETS_GO, .count = 1,
	.maps = true, .testdev = true,
} };
FIXTURE_VARIANT_ADD(fail_nth, hold) { { "hold", run_hold, .testdev = true } };
FIXTURE_VARIANT_ADD(fail_nth, fence) { { "fence", run_fence, .testdev = true } };
FIXTURE_VARIANT_ADD(fail_nth, vmap) { { "vmap", run_vmap, .testdev = true } };
FIXTURE_VARIANT_ADD(fail_nth, vmap_lazy) { {
	"vmap_lazy", run_vmap, .kind = DMA_BUF_TEST_LAZY, .testdev = true,
} };
FIXTURE_VARIANT_ADD(fail_nth, rw) { { "rw", run_rw, .maps = true, .testdev = true } };
FIXTURE_VARIANT_ADD(fail_nth, importer_mmap) { {
	"importer_mmap", run_importer_mmap, .testdev = true,
} };
FIXTURE_VARIANT_ADD(fail_nth, importer_mmap_lazy) { {
	"importer_mmap_lazy", run_importer_mmap, .kind = DMA_BUF_TEST_LAZY, .testdev = true,
} };

/* Skip a chain whose devices are missing before anything is counted. */
FIXTURE_SETUP(fail_nth)
{
	size_t size;

	need_bufinfo(_metadata);
	close(need_timeline(_metadata));
	if (variant->chain.testdev)
		close(need_testdev(_metadata));
	close(need_buffer(_metadata, variant->chain.exporter, &size, O_RDWR));
	if (variant->chain.run == run_prime_import)
		close(need_vgem(_metadata));

	/* Written by the children of a chain that forks, and read here */
	self->p = mmap(NULL, sizeof(*self->p), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_TRUE(self->p != MAP_FAILED);
	set_cache("radix_tree_node", !variant->chain.maps);
	self->kmsg = open_kmsg();
}

FIXTURE_TEARDOWN(fail_nth)
{
}

/* From an empty hand to an empty hand: what is left after it has been lost. */
static void one_pass(struct pass *p, const struct chain *chain)
{
	struct __test_metadata *_metadata = p->meta;
	bool open_before[MAX_FDS];

	p->testdev = chain->testdev ? need_testdev(_metadata) : -1;
	p->fail_nth = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, p->fail_nth);
	mark_fds(open_before);

	chain->run(p, chain);
	/* A chain that did well is undone with its chances still counting. */
	give_back(p);
	disarm(p);

	check_exporters(p);
	close_stray(p, open_before);
	close(p->fail_nth);
	if (p->testdev >= 0)
		close(p->testdev);
}

/* The same in a process of its own, which takes its descriptors along when it goes */
static void forked_pass(struct pass *p, const struct chain *chain)
{
	struct __test_metadata *_metadata = p->meta;
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		one_pass(p, chain);
		_exit(0);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
}

/* Nothing is left of a pass, some time after it at the latest. */
static void check_tally(struct pass *p, struct tally *before)
{
	struct __test_metadata *_metadata = p->meta;
	struct tally after = take_tally();
	int ms;

	for (ms = 0; ms < SETTLE_MS && !same_tally(before, &after); ms += 10) {
		sleep_ms(10);
		after = take_tally();
	}
	/* An earlier program's may have gone late. */
	EXPECT_TRUE(same_tally(before, &after) ||
		    (after.objects < before->objects && after.bytes < before->bytes &&
		     after.fds == before->fds))
		TH_LOG("nth %u, %s failed with %s: %ld more descriptors, %ld buffers, %lld bytes",
		       p->nth, p->failed ? p->failed : "nothing", strerror(p->err),
		       after.fds - before->fds, after.objects - before->objects,
		       after.bytes - before->bytes);
	*before = after;
}

/*
 * System-wide counts: other tasks may free something meanwhile, but none
 * allocates more and keeps it.
 */
static void check_slabs(struct __test_metadata *_metadata,
			const long before[ARRAY_SIZE(caches)])
{
	long after[ARRAY_SIZE(caches)];
	unsigned int i;
	int ms;

	count_slabs(after);
	for (i = 0; i < ARRAY_SIZE(caches); i++) {
		for (ms = 0; ms < SETTLE_MS && after[i] > before[i]; ms += 50) {
			sleep_ms(50);
			after[i] = slab_objects(caches[i]);
		}
		EXPECT_GE(before[i], after[i])
			TH_LOG("the slab cache %s has objects left", caches[i]);
	}
}

/* Adds the chain to the sums. */
static void keep_record(struct __test_metadata *_metadata, const char *name,
			unsigned int points, unsigned int absorbed, unsigned int wasted,
			const long before[ARRAY_SIZE(kinds)])
{
	struct record *record = &all->chains[all->count];
	unsigned int i, sum = 0, by_kind[ARRAY_SIZE(kinds)];
	long after[ARRAY_SIZE(kinds)];

	read_times(after);
	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		by_kind[i] = before[i] - after[i];
		all->kinds[i] += by_kind[i];
		sum += by_kind[i];
	}
	/* The kernel's own count of what it has failed */
	EXPECT_EQ(sum, points + wasted);

	ASSERT_GT(MAX_CHAINS, all->count);
	snprintf(record->name, sizeof(record->name), "%s", name);
	record->pid = getpid();
	all->count++;
	all->points += points;
	all->absorbed += absorbed;
	printf("# %s: %u points, %u slab, %u pages, %u user copies, %u of all absorbed\n",
	       name, points, by_kind[0], by_kind[1], by_kind[2], absorbed);
}

TEST_F_TIMEOUT(fail_nth, sweep, CHAIN_SECONDS)
{
	unsigned int nth, points = 0, absorbed = 0, wasted = 0;
	long times[ARRAY_SIZE(kinds)], slabs[ARRAY_SIZE(caches)];
	struct pass *p = self->p;
	struct tally before;

	read_times(times);
	settle_slabs(slabs);
	before = take_tally();
	/* The first pass fails nothing: what happens only once, happens in it. */
	for (nth = 0; nth < MAX_NTH; nth++) {
		*p = (struct pass) { .meta = _metadata, .nth = nth };
		if (variant->chain.forks)
			forked_pass(p, &variant->chain);
		else
			one_pass(p, &variant->chain);
		check_tally(p, &before);
		if (self->kmsg >= 0)
			read_sites(self->kmsg);

		points += p->fired;
		wasted += p->wasted;
		absorbed += p->fired && !p->failed;
		if (p->failed && !p->fired)
			EXPECT_STREQ("nothing", p->failed)
				TH_LOG("it failed with %s by itself", strerror(p->err));
		if (nth && !p->fired)
			break;
	}
	EXPECT_GT(MAX_NTH, nth);
	check_slabs(_metadata, slabs);
	keep_record(_metadata, variant->chain.name, points, absorbed, wasted, times);
}

/*
 * After the sweep
 */

FIXTURE(fail_nth_all) {
};

FIXTURE_SETUP(fail_nth_all)
{
}

FIXTURE_TEARDOWN(fail_nth_all)
{
}

/* Process IDs follow the order of the chains, children after their parents. */
static const char *chain_of(pid_t pid)
{
	unsigned int i = all->count;

	while (i--)
		if (pid >= all->chains[i].pid && pid < getpid())
			return all->chains[i].name;
	return NULL;
}

/* Memory that one of the chains allocated and that is no longer referenced */
TEST_F_TIMEOUT(fail_nth_all, nothing_is_lost, CHAIN_SECONDS)
{
	static char text[256 << 10];
	const char *chain;
	char *record, *next, *pid;

	if (access(KMEMLEAK, W_OK))
		SKIP_TEST("%s: %s", KMEMLEAK, strerror(errno));

	/* Counts only what it has seen twice, and nothing that is young. */
	sleep_ms(5500);
	ASSERT_EQ(0, write_file(KMEMLEAK, "scan"));
	sleep_ms(1000);
	ASSERT_EQ(0, write_file(KMEMLEAK, "scan"));
	ASSERT_LE(0, read_file(KMEMLEAK, text, sizeof(text)));

	for (record = strstr(text, "unreferenced object"); record; record = next) {
		next = strstr(record + 1, "unreferenced object");
		if (next)
			next[-1] = '\0';
		pid = strstr(record, ", pid ");
		chain = pid ? chain_of(atoi(pid + strlen(", pid "))) : NULL;
		/* Leaks of other code do not count here. */
		if (chain)
			EXPECT_TRUE(!chain)
				TH_LOG("chain %s has lost:\n%s", chain, record);
	}
}

TEST_F(fail_nth_all, enough_was_tried)
{
	unsigned int i;

	if (!all->count)
		SKIP_TEST("no chain was run");
	if (want_sites)
		printf("# fail_nth: %u call sites\n", all->sites_count);
	printf("# fail_nth: %u slab, %u pages, %u user copies; %u of all absorbed\n",
	       all->kinds[0], all->kinds[1], all->kinds[2], all->absorbed);
	printf("# fail_nth: %u points fired in %u chains\n", all->points, all->count);
	EXPECT_LE(LEAST_POINTS, all->points);
	for (i = 0; i < ARRAY_SIZE(kinds); i++)
		EXPECT_LT(0, all->kinds[i])
			TH_LOG("nothing came of %s: is it configured?", kinds[i]);
}

TEST_HARNESS_MAIN
