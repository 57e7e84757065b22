// SPDX-License-Identifier: GPL-2.0-only
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <drm/drm.h>
#include <linux/dma-heap.h>
#include <linux/sync_file.h>
#include <linux/udmabuf.h>
#include <linux/videodev2.h>

#include "../../../../drivers/dma-buf/testdev/dma-buf-testdev.h"
#include "util.h"

static int result(int ret)
{
	return ret < 0 ? -errno : ret;
}

/* close() after a failure, without losing why it failed */
static int close_fail(int fd, int err)
{
	close(fd);
	return err;
}

/*
 * Exporters
 */

/* The buffer's pages are those of *memfd, which is the caller's to close. */
int udmabuf_alloc(int *memfd, size_t size, int flags)
{
	struct source source;
	int fd;

	fd = source_open(&source, UDMABUF, size);
	if (fd)
		return fd;
	fd = source_export(&source, flags);
	if (fd >= 0) {
		*memfd = source.memfd;
		source.memfd = -1;
	}
	source_close(&source);
	return fd;
}

/*
 * udmabuf pins the pages of its memfd till its release hook has run, and a
 * memfd with pinned pages cannot be sealed against writing: so user space can
 * see, once per memfd, whether the hook has been called.
 */
int udmabuf_memory_pinned(int memfd)
{
	if (!fcntl(memfd, F_ADD_SEALS, F_SEAL_WRITE))
		return 0;
	return errno == EBUSY ? 1 : -errno;
}

int vgem_open(void)
{
	char path[32], name[16];
	int i, fd, err = -ENODEV;

	for (i = 0; i < 16; i++) {
		struct drm_version version = {
			.name = name,
			.name_len = sizeof(name) - 1,
		};

		snprintf(path, sizeof(path), "/dev/dri/card%d", i);
		fd = open(path, O_RDWR | O_CLOEXEC);
		if (fd < 0) {
			if (errno != ENOENT)
				err = -errno;
			continue;
		}

		memset(name, 0, sizeof(name));
		if (!ioctl(fd, DRM_IOCTL_VERSION, &version) && !strcmp(name, "vgem"))
			return fd;
		close(fd);
	}
	return err;
}

int vgem_create(int drm, size_t *size, __u32 *handle)
{
	struct drm_mode_create_dumb dumb = {
		.width = 1024,		/* of 32 bits: one 4k page a line */
		.height = *size / 4096,
		.bpp = 32,
	};

	if (ioctl(drm, DRM_IOCTL_MODE_CREATE_DUMB, &dumb))
		return -errno;
	*size = dumb.size;
	*handle = dumb.handle;
	return 0;
}

int vgem_export(int drm, __u32 handle, int flags)
{
	struct drm_prime_handle prime = { .handle = handle };

	if (flags & O_CLOEXEC)
		prime.flags |= DRM_CLOEXEC;
	if ((flags & O_ACCMODE) == O_RDWR)
		prime.flags |= DRM_RDWR;

	if (ioctl(drm, DRM_IOCTL_PRIME_HANDLE_TO_FD, &prime))
		return -errno;
	return prime.fd;
}

void vgem_free(int drm, __u32 handle)
{
	struct drm_gem_close arg = { .handle = handle };

	ioctl(drm, DRM_IOCTL_GEM_CLOSE, &arg);
}

static int vivid_open(void)
{
	struct v4l2_capability cap;
	char path[32];
	int i, fd, err = -ENODEV;

	for (i = 0; i < 64; i++) {
		snprintf(path, sizeof(path), "/dev/video%d", i);
		fd = open(path, O_RDWR | O_CLOEXEC);
		if (fd < 0) {
			if (errno != ENOENT)
				err = -errno;
			continue;
		}

		if (!ioctl(fd, VIDIOC_QUERYCAP, &cap) &&
		    !strcmp((char *)cap.driver, "vivid") &&
		    cap.device_caps & V4L2_CAP_VIDEO_CAPTURE &&
		    cap.device_caps & V4L2_CAP_STREAMING)
			return fd;
		close(fd);
	}
	return err;
}

static int vivid_create(int dev, size_t *size)
{
	struct v4l2_format fmt = { .type = V4L2_BUF_TYPE_VIDEO_CAPTURE };
	struct v4l2_requestbuffers req = {
		.type = V4L2_BUF_TYPE_VIDEO_CAPTURE,
		.memory = V4L2_MEMORY_MMAP,
		.count = 1,
	};
	struct v4l2_buffer buf = {
		.type = V4L2_BUF_TYPE_VIDEO_CAPTURE,
		.memory = V4L2_MEMORY_MMAP,
	};
	size_t page = getpagesize();

	/* The smallest frame there is: still larger than the tests need */
	fmt.fmt.pix.width = 320;
	fmt.fmt.pix.height = 180;
	fmt.fmt.pix.pixelformat = V4L2_PIX_FMT_YUYV;
	if (ioctl(dev, VIDIOC_S_FMT, &fmt) ||
	    ioctl(dev, VIDIOC_REQBUFS, &req) ||
	    ioctl(dev, VIDIOC_QUERYBUF, &buf))
		return -errno;

	*size = (buf.length + page - 1) / page * page;
	return 0;
}

static int vivid_export(int dev, int flags)
{
	struct v4l2_exportbuffer exp = {
		.type = V4L2_BUF_TYPE_VIDEO_CAPTURE,
		.flags = flags & (O_CLOEXEC | O_ACCMODE),
	};

	return ioctl(dev, VIDIOC_EXPBUF, &exp) ? -errno : exp.fd;
}

static int heap_export(int heap, size_t size, int flags)
{
	struct dma_heap_allocation_data data = {
		.fd_flags = flags,
		.len = size,
	};

	return ioctl(heap, DMA_HEAP_IOCTL_ALLOC, &data) ? -errno : (int)data.fd;
}

static int udmabuf_export(int dev, int memfd, size_t size, int flags)
{
	struct udmabuf_create arg = { .memfd = memfd, .size = size };

	if (flags & O_CLOEXEC)
		arg.flags |= UDMABUF_FLAGS_CLOEXEC;

	return result(ioctl(dev, UDMABUF_CREATE, &arg));
}

int testdev_open(void)
{
	return result(open(DMA_BUF_TEST_DEVICE, O_RDWR | O_CLOEXEC));
}

static int testdev_export(int dev, size_t size, int flags)
{
	struct dma_buf_test_create arg = {
		.size = sizeof(arg),
		.length = size,
		.fd_flags = flags,
	};

	return ioctl(dev, DMA_BUF_TEST_CREATE, &arg) ? -errno : arg.fd;
}

static int sealed_memfd(size_t size)
{
	int memfd = memfd_create("udmabuf-pages", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (memfd < 0)
		return -errno;
	if (ftruncate(memfd, size) || fcntl(memfd, F_ADD_SEALS, F_SEAL_SHRINK))
		return close_fail(memfd, -errno);
	return memfd;
}

/*
 * Open what a buffer is exported from: the device, and for exporters that need
 * it, the memory.
 */
int source_open(struct source *source, enum exporter exporter, size_t size)
{
	int err = 0;

	*source = (struct source) {
		.exporter = exporter,
		.size = size,
		.memfd = -1,
	};

	switch (exporter) {
	case SYSTEM_HEAP:
		source->dev = result(open("/dev/dma_heap/system", O_RDONLY | O_CLOEXEC));
		break;
	case UDMABUF:
		source->dev = result(open("/dev/udmabuf", O_RDWR | O_CLOEXEC));
		break;
	case VGEM:
		source->dev = vgem_open();
		break;
	case VIVID:
		source->dev = vivid_open();
		break;
	case TESTDEV:
		source->dev = testdev_open();
		break;
	}
	if (source->dev < 0)
		return source->dev;

	switch (exporter) {
	case UDMABUF:
		source->memfd = sealed_memfd(size);
		err = source->memfd < 0 ? source->memfd : 0;
		break;
	case VGEM:
		err = vgem_create(source->dev, &source->size, &source->handle);
		break;
	case VIVID:
		err = vivid_create(source->dev, &source->size);
		break;
	default:
		break;
	}
	return err ? close_fail(source->dev, err) : 0;
}

/* A descriptor of a buffer. flags: O_CLOEXEC and the access mode. */
int source_export(struct source *source, int flags)
{
	switch (source->exporter) {
	case SYSTEM_HEAP:
		return heap_export(source->dev, source->size, flags);
	case UDMABUF:
		return udmabuf_export(source->dev, source->memfd, source->size, flags);
	case VGEM:
		return vgem_export(source->dev, source->handle, flags);
	case VIVID:
		return vivid_export(source->dev, flags);
	case TESTDEV:
		return testdev_export(source->dev, source->size, flags);
	}
	return -EINVAL;
}

/* Of what was exported, nothing but the descriptors refers to it any more. */
void source_close(struct source *source)
{
	if (source->memfd >= 0)
		close(source->memfd);
	close(source->dev);
}

/*
 * A new buffer of at least *size bytes, a multiple of the page size; *size
 * becomes what the exporter says that it made. Nothing but the returned
 * descriptor refers to the buffer. flags: O_CLOEXEC and the access mode.
 */
int exporter_alloc(enum exporter exporter, size_t *size, int flags)
{
	struct source source;
	int fd;

	fd = source_open(&source, exporter, *size);
	if (fd)
		return fd;
	fd = source_export(&source, flags);
	*size = source.size;
	source_close(&source);
	return fd;
}

const char *exporter_exp_name(enum exporter exporter)
{
	static const char * const names[] = {
		[SYSTEM_HEAP] = "system",
		[UDMABUF] = "udmabuf",
		[VGEM] = "drm",
		[VIVID] = "videobuf2_vmalloc",
		[TESTDEV] = "dma_buf_testdev",
	};

	return names[exporter];
}

/* For the reason of a skipped test */
const char *exporter_node(enum exporter exporter)
{
	static const char * const nodes[] = {
		[SYSTEM_HEAP] = "/dev/dma_heap/system",
		[UDMABUF] = "/dev/udmabuf",
		[VGEM] = "a /dev/dri/card* of the vgem driver",
		[VIVID] = "a capturing /dev/video* of the vivid driver",
		[TESTDEV] = DMA_BUF_TEST_DEVICE,
	};

	return nodes[exporter];
}

/* Is this the errno of a device that is not there or not ours to open? */
bool exporter_missing(int err)
{
	return err == -ENOENT || err == -ENODEV || err == -ENXIO ||
	       err == -EACCES || err == -EPERM;
}

/*
 * The ioctls of a buffer
 */

int buffer_sync(int fd, __u64 flags)
{
	struct dma_buf_sync arg = { .flags = flags };

	return result(ioctl(fd, DMA_BUF_IOCTL_SYNC, &arg));
}

int buffer_set_name(int fd, const char *name)
{
	return result(ioctl(fd, DMA_BUF_SET_NAME, name));
}

int buffer_export_sync_file(int fd, __u32 flags)
{
	struct dma_buf_export_sync_file arg = { .flags = flags, .fd = -1 };

	if (ioctl(fd, DMA_BUF_IOCTL_EXPORT_SYNC_FILE, &arg))
		return -errno;
	return arg.fd;
}

int buffer_import_sync_file(int fd, __u32 flags, int sync_file)
{
	struct dma_buf_import_sync_file arg = { .flags = flags, .fd = sync_file };

	return result(ioctl(fd, DMA_BUF_IOCTL_IMPORT_SYNC_FILE, &arg));
}

/*
 * Software fences. The interface is in no uapi header, being for tests only;
 * it is described in drivers/dma-buf/sw_sync.c.
 */

struct sw_sync_fence_arg {
	__u32 value;
	char name[32];
	__s32 fence;
};

#define SW_SYNC_CREATE_FENCE	_IOWR('W', 0, struct sw_sync_fence_arg)
#define SW_SYNC_ADVANCE		_IOW('W', 1, __u32)

struct sw_sync_deadline_arg {
	__u64 deadline_ns;
	__u32 pad;
	__s32 fence;
};

#define SW_SYNC_DEADLINE	_IOWR('W', 2, struct sw_sync_deadline_arg)

/* Closing the timeline signals what is left of its fences, with an error. */
int timeline_open(void)
{
	return result(open(SW_SYNC, O_RDWR | O_CLOEXEC));
}

/* A sync_file that signals when the timeline has made seqno steps */
int timeline_fence(int timeline, __u32 seqno)
{
	struct sw_sync_fence_arg arg = { .value = seqno, .name = "selftest" };

	if (ioctl(timeline, SW_SYNC_CREATE_FENCE, &arg))
		return -errno;
	return arg.fence;
}

int timeline_advance(int timeline, __u32 steps)
{
	return result(ioctl(timeline, SW_SYNC_ADVANCE, &steps));
}

/* The earliest deadline of a sync_file's fence, on CLOCK_MONOTONIC; -ENOENT: none */
int timeline_deadline(int timeline, int fence, double *ms)
{
	struct sw_sync_deadline_arg arg = { .fence = fence };

	if (ioctl(timeline, SW_SYNC_DEADLINE, &arg))
		return -errno;
	*ms = arg.deadline_ns / 1e6;
	return 0;
}

/* A fence that only the buffer refers to */
int timeline_import(int timeline, __u32 seqno, int buf, __u32 flags)
{
	int fence, err;

	fence = timeline_fence(timeline, seqno);
	if (fence < 0)
		return fence;
	err = buffer_import_sync_file(buf, flags, fence);
	close(fence);
	return err;
}

int sync_file_merge(int a, int b)
{
	struct sync_merge_data arg = { .name = "merged", .fd2 = b };

	if (ioctl(a, SYNC_IOC_MERGE, &arg))
		return -errno;
	return arg.fence;
}

/*
 * 0 pending, 1 signalled, negative: signalled with that error. The number of
 * fences inside goes to *fences, if that is not NULL.
 */
int sync_file_status(int sync_file, unsigned int *fences)
{
	struct sync_file_info arg = {};

	if (ioctl(sync_file, SYNC_IOC_FILE_INFO, &arg))
		return -errno;
	if (fences)
		*fences = arg.num_fences;
	return arg.status;
}

/*
 * What the kernel tells about a buffer
 */

ino_t buffer_ino(int fd)
{
	struct stat st;

	return fstat(fd, &st) ? 0 : st.st_ino;
}

/*
 * Count the lines "key:\tvalue" of fdinfo; the value of the last one goes to
 * value. Returns the count or a negative errno.
 */
int fdinfo_get(int fd, const char *key, char *value, size_t len)
{
	char path[48], *line = NULL;
	size_t keylen = strlen(key), size = 0;
	int found = 0;
	ssize_t n;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	f = fopen(path, "re");
	if (!f)
		return -errno;

	/* Whole lines, however long: the rest of one must not pass for another. */
	while ((n = getline(&line, &size, f)) > 0) {
		if (strncmp(line, key, keylen) || strncmp(line + keylen, ":\t", 2) ||
		    line[n - 1] != '\n')
			continue;
		line[n - 1] = '\0';
		found++;
		if (value)
			snprintf(value, len, "%s", line + keylen + 2);
	}
	free(line);
	fclose(f);
	return found;
}

long fdinfo_count(int fd)
{
	char value[32];

	if (fdinfo_get(fd, "count", value, sizeof(value)) != 1)
		return -1;
	return strtol(value, NULL, 10);
}

bool bufinfo_readable(void)
{
	return !access(BUFINFO, R_OK);
}

/* A reader of bufinfo, line by line, however long a line is */
struct bufinfo {
	FILE *file;
	char *line;
	size_t size;
};

static int bufinfo_open(struct bufinfo *info)
{
	memset(info, 0, sizeof(*info));
	info->file = fopen(BUFINFO, "re");
	return info->file ? 0 : -errno;
}

/* The next line; false if there is none, and then the reader has been closed. */
static bool bufinfo_next(struct bufinfo *info)
{
	if (getline(&info->line, &info->size, info->file) > 0)
		return true;
	free(info->line);
	fclose(info->file);
	return false;
}

/* Only lines of buffers begin with a digit. */
static bool bufinfo_begins(const char *line)
{
	return *line >= '0' && *line <= '9';
}

/*
 * Is this the line of the buffer? The inode number is the sixth column, and the
 * name is the last: whatever is in it, it cannot pass for a number.
 */
static bool bufinfo_is_of(const char *line, ino_t ino)
{
	char *end;
	int i;

	if (!bufinfo_begins(line))
		return false;
	for (i = 0; i < 5; i++) {
		line = strchr(line, '\t');
		if (!line)
			return false;
		line++;
	}
	return *line >= '0' && *line <= '9' &&
	       strtoull(line, &end, 10) == (unsigned long long)ino && *end == '\t';
}

/* Count the lines of bufinfo for the buffer; the last one goes to line. */
int bufinfo_line(ino_t ino, char *line, size_t len)
{
	struct bufinfo info;
	int found = 0, err;

	err = bufinfo_open(&info);
	if (err)
		return err;
	while (bufinfo_next(&info)) {
		if (!bufinfo_is_of(info.line, ino))
			continue;
		found++;
		if (line)
			snprintf(line, len, "%s", info.line);
	}
	return found;
}

int bufinfo_lines(ino_t ino)
{
	return bufinfo_line(ino, NULL, 0);
}

/*
 * The same, but wait up to WAKE_MS for the count to become the expected one: a
 * worker may drop the last reference to a buffer somewhat later.
 */
int bufinfo_lines_settle(ino_t ino, int expected)
{
	int ms;

	for (ms = 0; ms < WAKE_MS && bufinfo_lines(ino) != expected; ms += 2)
		sleep_ms(2);
	return bufinfo_lines(ino);
}

static bool bufinfo_is_fence(const char *line)
{
	static const char * const usages[] = { "kernel", "write", "read", "bookkeep" };
	char begin[24];
	size_t i;

	for (i = 0; i < sizeof(usages) / sizeof(*usages); i++) {
		snprintf(begin, sizeof(begin), "\t%s fence:", usages[i]);
		if (!strncmp(line, begin, strlen(begin)))
			return true;
	}
	return false;
}

/* Count the fences that bufinfo lists under the buffer; the last one goes to line. */
int bufinfo_fences(ino_t ino, char *line, size_t len)
{
	struct bufinfo info;
	bool ours = false;
	int found = 0, err;

	err = bufinfo_open(&info);
	if (err)
		return err;
	while (bufinfo_next(&info)) {
		/* A line without a tab before it ends what belongs to a buffer. */
		if (info.line[0] != '\t')
			ours = bufinfo_is_of(info.line, ino);
		if (!ours || !bufinfo_is_fence(info.line))
			continue;
		found++;
		if (line)
			snprintf(line, len, "%s", info.line);
	}
	return found;
}

/*
 * Count the devices that bufinfo lists under the buffer. Returns a negative
 * number if bufinfo's own count is another one.
 */
int bufinfo_devices(ino_t ino)
{
	int listed = 0, total = -1, n, end, err;
	bool ours = false, devices = false;
	struct bufinfo info;

	err = bufinfo_open(&info);
	if (err)
		return err;
	while (bufinfo_next(&info)) {
		if (info.line[0] == '\t') {
			listed += devices;
			if (ours && !strcmp(info.line, "\tAttached Devices:\n"))
				devices = true;
			continue;
		}
		end = 0;
		if (devices && sscanf(info.line, "Total %d devices attached%n", &n, &end) == 1 &&
		    end && !strcmp(info.line + end, "\n"))
			total = n;
		devices = false;
		ours = bufinfo_is_of(info.line, ino);
	}
	return listed == total ? total : -1;
}

/* The totals are the last line, and no other line looks like them. */
int bufinfo_total(long *objects, long long *bytes)
{
	struct bufinfo info;
	int found = 0, end, err;
	bool last = false;

	err = bufinfo_open(&info);
	if (err)
		return err;
	while (bufinfo_next(&info)) {
		end = 0;
		last = sscanf(info.line, "Total %ld objects, %lld bytes%n", objects, bytes,
			      &end) == 2 && end && !strcmp(info.line + end, "\n");
		found += last;
	}
	return found == 1 && last ? 0 : -ENOENT;
}

/*
 * Polling
 */

/* Returns revents, 0 at the end of the time, or a negative errno */
int poll_for(int fd, short events, int timeout_ms)
{
	struct pollfd pfd = { .fd = fd, .events = events };
	int ret = poll(&pfd, 1, timeout_ms);

	if (ret < 0)
		return -errno;
	return ret ? pfd.revents : 0;
}

int poll_now(int fd, short events)
{
	return poll_for(fd, events, 0);
}

/*
 * Poll with a short timeout, so that the core arms callbacks on pending fences
 * and keeps them armed after the poll.
 */
int poll_briefly(int fd, short events)
{
	return poll_for(fd, events, 1);
}

static void *poller_main(void *arg)
{
	struct poller *poller = arg;

	__atomic_store_n(&poller->tid, syscall(SYS_gettid), __ATOMIC_RELEASE);
	poller->result = poll_for(poller->fd, poller->events, poller->timeout_ms);
	__atomic_store_n(&poller->done, true, __ATOMIC_RELEASE);
	return NULL;
}

/* Whether a process or a thread waits in the kernel */
bool task_sleeps(pid_t tid)
{
	char path[64], text[256], *p;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return false;
	text[n] = '\0';
	/* The state follows the name, which is in parentheses */
	p = strrchr(text, ')');
	return p && p[1] && (p[2] == 'S' || p[2] == 'D');
}

/* Starts a thread that polls, and returns when it sleeps or is done. */
int poller_start(struct poller *poller, int fd, short events)
{
	int err, ms;
	pid_t tid;

	*poller = (struct poller) {
		.fd = fd,
		.events = events,
		.timeout_ms = WAKE_MS,
	};
	err = pthread_create(&poller->thread, NULL, poller_main, poller);
	if (err)
		return -err;

	for (ms = 0; ms < WAKE_MS; ms++) {
		tid = __atomic_load_n(&poller->tid, __ATOMIC_ACQUIRE);
		if (poller_done(poller) || (tid && task_sleeps(tid)))
			return 0;
		sleep_ms(1);
	}
	return -ETIMEDOUT;
}

int poller_join(struct poller *poller)
{
	pthread_join(poller->thread, NULL);
	return poller->result;
}

bool poller_done(struct poller *poller)
{
	return __atomic_load_n(&poller->done, __ATOMIC_ACQUIRE);
}

/*
 * Number of times that the thread went to sleep: each wake-up without an event
 * adds one
 */
long poller_switches(struct poller *poller)
{
	char path[64], line[128];
	long count = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/task/%d/status", poller->tid);
	f = fopen(path, "re");
	if (!f)
		return -errno;
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "voluntary_ctxt_switches: %ld", &count) == 1)
			break;
	fclose(f);
	return count;
}

/*
 * The kernel's log
 */

static bool klog(const char *text)
{
	int fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
	bool ok;

	if (fd < 0)
		return false;
	ok = write(fd, text, strlen(text)) > 0;
	close(fd);
	return ok;
}

/* What warns once may have done so in a test before. */
static bool warn_anew(void)
{
	int fd = open("/sys/kernel/debug/clear_warn_once", O_WRONLY | O_CLOEXEC);
	bool ok;

	if (fd < 0)
		return false;
	ok = write(fd, "1", 1) == 1;
	close(fd);
	return ok;
}

/* Returns what count_warnings() counts from here on */
int watch_warnings(void)
{
	int kmsg;

	if (!warn_anew())
		return -EACCES;
	kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (kmsg >= 0)
		lseek(kmsg, 0, SEEK_END);
	return result(kmsg);
}

/*
 * Count the records with both texts that the kernel has logged since, and close
 * kmsg
 */
static int count_records(int kmsg, const char *one, const char *other)
{
	int found = 0;
	char record[2048 + 1];	/* what the kernel may write, and an end */
	ssize_t n;

	for (;;) {
		/* One record each time; -EPIPE: some were overwritten */
		n = read(kmsg, record, sizeof(record) - 1);
		if (n < 0 && errno != EPIPE)
			break;
		if (n <= 0)
			continue;
		record[n] = '\0';
		if (strstr(record, one) && strstr(record, other))
			found++;
	}
	close(kmsg);
	return found;
}

int count_messages(int kmsg, const char *text)
{
	return count_records(kmsg, text, "");
}

/* Warnings of dma-buf */
int count_warnings(int kmsg)
{
	return count_records(kmsg, "WARNING: ", "dma_buf");
}

/*
 * Announce a warning of dma-buf's debug checks in the kernel log, before the
 * test provokes it. Returns whether the warning will come: user space cannot
 * see CONFIG_DMABUF_DEBUG, but it is on by default where DMA_API_DEBUG is.
 */
bool expect_warning(const char *regex)
{
	char text[128];

	if (access("/sys/kernel/debug/dma-api", F_OK) || !warn_anew())
		return false;

	snprintf(text, sizeof(text), "dmabuf-test: expect: %s", regex);
	return klog(text);
}

void expect_warning_end(void)
{
	klog("dmabuf-test: expect-end");
}

/*
 * Signals
 */

static void on_signal(int sig)
{
}

void signals_begin(void)
{
	const struct itimerval often = {
		.it_value.tv_usec = 20000,
		.it_interval.tv_usec = 20000,
	};
	struct sigaction sa = { .sa_handler = on_signal };	/* no SA_RESTART */

	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
}

void signals_end(void)
{
	const struct itimerval off = {};

	setitimer(ITIMER_REAL, &off, NULL);
}

/*
 * The rest
 */

/* The same number before and after something means that it leaked no fd. */
int lowest_free_fd(void)
{
	int fd = dup(STDERR_FILENO);

	if (fd < 0)
		return -errno;
	close(fd);
	return fd;
}

double now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1e3 + ts.tv_nsec / 1e6;
}

void sleep_ms(unsigned int ms)
{
	struct timespec ts = {
		.tv_sec = ms / 1000,
		.tv_nsec = ms % 1000 * 1000000L,
	};

	while (nanosleep(&ts, &ts) && errno == EINTR)
		;
}

/* Memory of which the kernel can read the first bytes, and none of the rest */
void *bad_pages(size_t readable)
{
	size_t page = getpagesize();
	char *p;

	p = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED || mprotect(p + page, page, PROT_NONE))
		return NULL;
	return p + page - readable;
}
