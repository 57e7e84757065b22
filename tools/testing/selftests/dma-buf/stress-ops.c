// SPDX-License-Identifier: GPL-2.0-only
/*
 * Stress: the operations on descriptors.
 *
 * A target is either a slot of the pool, which other workers may close or
 * replace at any moment, so that -EBADF is a valid answer at any step, or a
 * buffer of the worker's own, for which every answer is known.
 *
 * Left out on purpose, because of defects of the base:
 *  - vgem's fences (DRM_IOCTL_VGEM_FENCE_ATTACH): their release hook waits for
 *    the timer whose handler may drop the last reference, and one that is never
 *    signalled blocks for 10 seconds.
 *  - sw_sync fences whose last reference is dropped while they signal, see struct
 *    timeline.
 *  - the first SYNC of a udmabuf by two threads at once: its begin_cpu_access
 *    hook makes a table without a lock, and leaks one of two. make_buffer()
 *    does the first SYNC before other threads know the buffer.
 *  - mappings of one direction, if DMA_API_DEBUG is on: a SYNC of the other
 *    direction makes the heaps sync them in that one.
 *  - lengths that a heap cannot have: the system heap takes all free memory
 *    before it fails.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <linux/dma-heap.h>
#include <linux/sync_file.h>
#include <linux/udmabuf.h>

#include "../kselftest.h"
#include "util.h"
#include "stress.h"

#define POLL_ALL	(POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM)

unsigned int have;

int result(long ret)
{
	return ret < 0 ? -errno : (int)ret;
}

/* What is there to be used */
void probe(void)
{
	int fd;

	if (!access("/dev/dma_heap/system", R_OK))
		have |= HAVE_HEAP;
	if (!access("/dev/udmabuf", R_OK | W_OK))
		have |= HAVE_UDMABUF;
	if (!access("/dev/dma_buf_test", R_OK | W_OK))
		have |= HAVE_TESTDEV;
	if (bufinfo_readable())
		have |= HAVE_BUFINFO;
	if (!access("/sys/kernel/debug/dma-api", F_OK))
		have |= HAVE_DMA_DEBUG;

	fd = timeline_open();
	if (fd >= 0) {
		have |= HAVE_SW_SYNC;
		close(fd);
	}
	fd = drm_open("vgem");
	if (fd >= 0) {
		have |= HAVE_VGEM;
		close(fd);
	}
	fd = drm_open("vkms");
	if (fd >= 0) {
		have |= HAVE_VKMS;
		close(fd);
	}
	/* Exists, and is not forbidden: then it complains of the pointer */
	if (syscall(__NR_io_uring_setup, 1, NULL) < 0 && errno == EFAULT)
		have |= HAVE_URING;
}

static bool have_sw_sync(void)
{
	return have & HAVE_SW_SYNC;
}

static bool have_uring(void)
{
	return have & HAVE_URING;
}

static bool have_bufinfo(void)
{
	return have & HAVE_BUFINFO;
}

static bool have_heap(void)
{
	return have & HAVE_HEAP;
}

static bool have_udmabuf(void)
{
	return have & HAVE_UDMABUF;
}

/*
 * Buffers
 */

/* Must a SYNC be repeated? */
static bool again(int err)
{
	return err == -EINTR || err == -EAGAIN;
}

static int vgem_buffer(struct worker *w, int flags, size_t *size)
{
	__u32 handle;
	int fd;

	fd = vgem_create(w->drm[0], size, &handle);
	if (fd)
		return fd;
	fd = vgem_export(w->drm[0], handle, flags);
	vgem_free(w->drm[0], handle);
	return fd;
}

/*
 * A new buffer of an exporter that is there. which: the low bits choose it, the
 * highest asks for one that has every hook and can be read and written.
 */
int make_buffer(struct worker *w, __u32 which, __u32 random, size_t *size)
{
	static const int modes[] = { O_RDWR, O_RDWR, O_RDWR, O_RDONLY };
	bool plain = which >> 31;
	int flags, fd, i, n = (which & 0xff) % __builtin_popcount(have & 0x17);

	*size = (1 + random % 4) * getpagesize();
	/* Now and then one that takes several entries of a table */
	if (!plain && !(random >> 8 & 0x3f))
		*size *= 16;
	flags = plain ? O_RDWR : modes[random >> 16 & 3];
	if (plain || random >> 20 & 1)
		flags |= O_CLOEXEC;

	for (i = HAVE_HEAP; ; i <<= 1)
		if (have & i & 0x17 && !n--)
			break;
	switch (i) {
	case HAVE_HEAP:
		return exporter_alloc(SYSTEM_HEAP, size, flags);
	case HAVE_UDMABUF:
		fd = exporter_alloc(UDMABUF, size, flags);
		/* See the top of the file; both ways, so that any may follow */
		if (fd >= 0) {
			while (again(buffer_sync(fd, DMA_BUF_SYNC_RW)))
				;
			buffer_sync(fd, DMA_BUF_SYNC_RW | DMA_BUF_SYNC_END);
		}
		return fd;
	case HAVE_VGEM:
		return vgem_buffer(w, flags, size);
	default:
		return testdev_buffer(&w->testdev, random, plain, size);
	}
}

/* Consumes fd */
void slot_put(int fd, int to, bool cloexec)
{
	dup3(fd, to, cloexec ? O_CLOEXEC : 0);
	close(fd);
}

static int op_create(struct worker *w, const struct draw *d)
{
	size_t size;
	int fd;

	fd = ALLOW(w, "create", make_buffer(w, d->arg & ~(1U << 31), d->extra, &size));
	if (fd < 0)
		return fd;
	slot_put(fd, slot(d->slot), d->other & 1);
	return 0;
}

static int op_heap_bad(struct worker *w, const struct draw *d)
{
	struct dma_heap_allocation_data data = {
		.len = getpagesize(),
		.fd_flags = O_RDWR | O_CLOEXEC,
	};
	int fd, ret;

	fd = open("/dev/dma_heap/system", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return ALLOW(w, "open heap", -errno);
	switch (d->arg % 3) {
	case 0:
		data.len = 0;
		break;
	case 1:
		data.fd_flags |= O_APPEND;
		break;
	case 2:
		data.heap_flags = 1 + d->extra % 255;
		break;
	}
	ret = result(ioctl(fd, DMA_HEAP_IOCTL_ALLOC, &data));
	close(fd);
	if (ret != -EINVAL)
		fail(w, "heap with bad argument %u: %d", d->arg % 3, ret);
	return ret;
}

static int op_udmabuf_bad(struct worker *w, const struct draw *d)
{
	struct udmabuf_create arg = { .size = getpagesize() };
	int dev, ret, want = -EINVAL;

	dev = open("/dev/udmabuf", O_RDWR | O_CLOEXEC);
	if (dev < 0)
		return ALLOW(w, "open udmabuf", -errno);
	arg.memfd = memfd_create("stress", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (ftruncate(arg.memfd, getpagesize()))
		fail(w, "ftruncate: %m");
	switch (d->arg % 4) {
	case 0:			/* not sealed */
		break;
	case 1:
		fcntl(arg.memfd, F_ADD_SEALS, F_SEAL_SHRINK);
		arg.offset = 1 + d->extra % 4095;
		break;
	case 2:
		fcntl(arg.memfd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_WRITE);
		break;
	case 3:
		close(arg.memfd);
		arg.memfd = POOL_END;
		want = -EBADFD;
		break;
	}
	ret = result(ioctl(dev, UDMABUF_CREATE, &arg));
	if (arg.memfd != POOL_END)
		close(arg.memfd);
	close(dev);
	if (ret != want)
		fail(w, "udmabuf with bad argument %u: %d", d->arg % 4, ret);
	return ret;
}

static void own_close(struct worker *w, struct own *own)
{
	if (own->map)
		munmap(own->map, own->size);
	if (own->fd >= 0 && close(own->fd))
		fail(w, "close of an own buffer: %m");
	free(own->shadow);
	*own = (struct own) { .fd = -1 };
}

static int own_open(struct worker *w, struct own *own, const struct draw *d)
{
	int err;

	own->fd = make_buffer(w, d->arg | 1U << 31, d->extra, &own->size);
	if (own->fd < 0)
		return ALLOW(w, "create", own->fd);
	own->map = mmap(NULL, own->size, PROT_READ | PROT_WRITE, MAP_SHARED,
			own->fd, 0);
	if (own->map == MAP_FAILED) {
		own->map = NULL;
		return ALLOW(w, "mmap of an own buffer", -errno);
	}

	/* The content of new memory is undefined */
	own->shadow = malloc(own->size);
	if (!own->shadow)
		return ALLOW(w, "malloc", -ENOMEM);
	while (again(err = buffer_sync(own->fd, DMA_BUF_SYNC_RW)))
		;
	memset(own->shadow, d->slot, own->size);
	memset(own->map, d->slot, own->size);
	return ALLOW(w, "SYNC", err ?:
		     buffer_sync(own->fd, DMA_BUF_SYNC_RW | DMA_BUF_SYNC_END));
}

static int op_renew(struct worker *w, const struct draw *d)
{
	struct own *own = &w->own[d->other % OWN];

	own_close(w, own);
	return own_open(w, own, d);
}

/* Write some, look at some: both must be as in the shadow. */
static int op_data(struct worker *w, const struct draw *d)
{
	struct own *own = &w->own[d->other % OWN];
	size_t words = own->size / sizeof(__u32), run = 64, at, i;
	int err;

	if (!own->shadow)
		return -ENOENT;
	err = buffer_sync(own->fd, DMA_BUF_SYNC_RW);
	if (err)
		return ALLOW(w, "SYNC", err, EINTR);
	at = d->arg % (words - run);
	for (i = 0; i < run; i++)
		own->shadow[at + i] = d->extra + i * 0x9e3779b1;
	memcpy(own->map + at, own->shadow + at, run * sizeof(__u32));
	at = d->slot % (words - run);
	for (i = 0; i < run; i++) {
		if (own->map[at + i] == own->shadow[at + i])
			continue;
		fail(w, "an own buffer has %#x at %zu of %zu, written was %#x",
		     own->map[at + i], (at + i) * sizeof(__u32), own->size,
		     own->shadow[at + i]);
		break;
	}
	err = buffer_sync(own->fd, DMA_BUF_SYNC_RW | DMA_BUF_SYNC_END);
	return ALLOW(w, "SYNC END", err, EINTR);
}

/*
 * Targets
 */

static struct own *own_target(struct worker *w, const struct draw *d)
{
	return d->slot >> 30 ? NULL : &w->own[d->slot % OWN];
}

static int target(struct worker *w, const struct draw *d)
{
	struct own *own = own_target(w, d);

	return own ? own->fd : slot(d->slot);
}

/*
 * EBADF and the error that the test device was told to return, if the target is
 * the pool's. 0 is where allow() takes a list to end: these stand last in it.
 */
static int gone(struct worker *w, const struct draw *d)
{
	return own_target(w, d) ? 0 : EBADF;
}

static int told(struct worker *w, const struct draw *d)
{
	return own_target(w, d) ? 0 : TESTDEV_ERROR;
}

/*
 * Descriptors
 */

static int op_close(struct worker *w, const struct draw *d)
{
	return ALLOW(w, "close", result(close(slot(d->slot))), EBADF);
}

static int op_dup(struct worker *w, const struct draw *d)
{
	int fd;

	fd = ALLOW(w, "F_DUPFD", result(fcntl(slot(d->slot), d->arg & 1 ?
					      F_DUPFD_CLOEXEC : F_DUPFD, 0)), EBADF);
	if (fd < 0)
		return fd;
	if (d->arg & 2)
		slot_put(fd, slot(d->other), d->arg & 4);
	else
		close(fd);
	return 0;
}

static int op_dup2(struct worker *w, const struct draw *d)
{
	int from = slot(d->slot), to = slot(d->other), ret;

	if (d->arg & 1)
		ret = ALLOW(w, "dup2", result(dup2(from, to)), EBADF);
	else if (from == to)
		ret = ALLOW(w, "dup3", result(dup3(from, to, O_CLOEXEC)), EINVAL);
	else
		ret = ALLOW(w, "dup3", result(dup3(from, to, O_CLOEXEC)), EBADF);
	return ret < 0 ? ret : 0;
}

static int op_fcntl(struct worker *w, const struct draw *d)
{
	int fd = target(w, d), ret;

	switch (d->arg % 4) {
	case 0:
		ret = fcntl(fd, F_SETFD, d->extra & FD_CLOEXEC);
		break;
	case 1:
		ret = fcntl(fd, F_SETFL, d->extra & 1 ? O_NONBLOCK : 0);
		break;
	case 2:
		ret = fcntl(fd, F_GETFL);
		break;
	default:
		ret = fcntl(fd, F_GETFD);
		break;
	}
	return ALLOW(w, "fcntl", result(ret), gone(w, d)) < 0 ? -EBADF : 0;
}

static int op_send(struct worker *w, const struct draw *d)
{
	int fds[3] = { slot(d->slot), slot(d->other), slot(d->arg) };
	int n = 1 + d->extra % 3, ret;
	char space[CMSG_SPACE(sizeof(fds))] = {}, byte = 0;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = space,
		.msg_controllen = CMSG_SPACE(n * sizeof(*fds)),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(n * sizeof(*fds));
	memcpy(CMSG_DATA(cmsg), fds, n * sizeof(*fds));
	ret = sendmsg(channels[d->extra >> 4 & (CHANNELS - 1)][d->extra >> 8 & 1],
		      &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
	ret = ALLOW(w, "sendmsg", result(ret), EBADF, EAGAIN, ETOOMANYREFS);
	return ret < 0 ? ret : 0;
}

static int op_receive(struct worker *w, const struct draw *d)
{
	/* With room for fewer than may come: the kernel drops the others */
	int n = 1 + d->extra % 3, ret, i, fds[3];
	char space[CMSG_SPACE(sizeof(fds))], byte;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = space,
		.msg_controllen = CMSG_LEN(n * sizeof(*fds)),
	};
	struct cmsghdr *cmsg;

	ret = recvmsg(channels[d->extra >> 4 & (CHANNELS - 1)][d->extra >> 8 & 1],
		      &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	ret = ALLOW(w, "recvmsg", result(ret), EAGAIN);
	if (ret < 0)
		return ret;
	cmsg = CMSG_FIRSTHDR(&msg);
	if (!cmsg)
		return 0;
	n = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(*fds);
	memcpy(fds, CMSG_DATA(cmsg), n * sizeof(*fds));
	for (i = 0; i < n; i++)
		slot_put(fds[i], slot(d->slot + i), d->extra & 0x1000);
	return 0;
}

static int op_pidfd(struct worker *w, const struct draw *d)
{
	int fd = syscall(__NR_pidfd_getfd, w->pidfd, slot(d->slot), 0);

	/* The other process may be done already, or about to be */
	fd = ALLOW(w, "pidfd_getfd", result(fd), EBADF, ESRCH);
	if (fd < 0)
		return fd;
	slot_put(fd, slot(d->other), d->arg & 1);
	return 0;
}

/* A second open of a buffer must fail; one with O_PATH outlives the buffer. */
static int op_reopen(struct worker *w, const struct draw *d)
{
	int *path = &w->paths[d->other % PATHS], fd = target(w, d);
	bool plain = d->arg & 1;
	char name[32];

	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	fd = result(open(name, plain ? O_RDWR | O_CLOEXEC : O_PATH | O_CLOEXEC));
	if (plain && fd >= 0) {
		fail(w, "a buffer could be opened anew");
		close(fd);
	}
	if (plain && fd == -ENXIO)
		return fd;
	fd = ALLOW(w, "open of a descriptor", fd, own_target(w, d) ? 0 : ENOENT);
	if (fd < 0)
		return fd;
	if (*path >= 0)
		close(*path);
	*path = fd;
	fd = result(ioctl(fd, DMA_BUF_IOCTL_SYNC, w->bad));
	if (fd != -EBADF)
		fail(w, "ioctl on an O_PATH descriptor: %d", fd);
	return 0;
}

static int op_path(struct worker *w, const struct draw *d)
{
	char name[32], text[64];
	int ret;

	/* Also of what has been released already */
	snprintf(name, sizeof(name), "/proc/self/fd/%d", d->arg & 1 &&
		 w->paths[d->other % PATHS] >= 0 ? w->paths[d->other % PATHS] :
		 target(w, d));
	ret = readlink(name, text, sizeof(text) - 1);
	ret = ALLOW(w, "readlink", result(ret), own_target(w, d) ? 0 : ENOENT);
	if (ret < 0)
		return ret;
	text[ret] = '\0';
	if (strncmp(text, "/dmabuf:", 8))
		fail(w, "the path of a buffer is '%s'", text);
	return 0;
}

/*
 * Other processes
 */

/*
 * In a child of a threaded process: system calls and nothing else. Returns the
 * number of the step that went wrong.
 */
static int child_limit(struct worker *w, const struct draw *d)
{
	struct dma_buf_export_sync_file arg = { .flags = DMA_BUF_SYNC_WRITE };
	int fd = w->own[d->other % OWN].fd, lowest;
	struct rlimit limit;

	lowest = dup(fd);
	if (lowest < 0 || close(lowest))
		return 1;

	/* A descriptor that cannot be returned must not leak */
	if (!ioctl(fd, DMA_BUF_IOCTL_EXPORT_SYNC_FILE, w->readonly) || errno != EFAULT)
		return 2;
	if (dup(fd) != lowest || close(lowest))
		return 3;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return 4;
	limit.rlim_cur = lowest;
	if (setrlimit(RLIMIT_NOFILE, &limit))
		return 5;
	if (dup(fd) >= 0 || errno != EMFILE)
		return 6;
	if (!ioctl(fd, DMA_BUF_IOCTL_EXPORT_SYNC_FILE, &arg) || errno != EMFILE)
		return 7;
	if (lseek(fd, 0, SEEK_END) != (off_t)w->own[d->other % OWN].size)
		return 8;
	return 0;
}

static int child_work(struct worker *w, const struct draw *d)
{
	int i, fd;

	for (i = 0; i < SLOTS; i++) {
		fd = SLOT_BASE + i;
		if (lseek(fd, 0, SEEK_END) <= 0 && errno != EBADF)
			return 1;
		if (d->arg & 1 && close(fd) && errno != EBADF)
			return 2;
	}
	for (i = 0; i < OWN; i++)
		if (w->own[i].fd >= 0 &&
		    memcmp(w->own[i].map, w->own[i].shadow, 64))
			return 3;
	return 0;
}

/* What a program does that stress executes: look at what it was left. */
int held(int argc, char **argv)
{
	int i;

	for (i = 0; i < SLOTS; i++) {
		if (lseek(SLOT_BASE + i, 0, SEEK_END) > 0)
			continue;
		if (errno != EBADF)
			return 1;
	}
	/* An own buffer is close-on-exec */
	return fcntl(atoi(argv[2]), F_GETFD) == -1 && errno == EBADF ? 0 : 2;
}

static int op_fork(struct worker *w, const struct draw *d)
{
	struct own *own = &w->own[d->other % OWN];
	char number[12];
	char *const argv[] = { "stress", "--held", number, NULL };
	char *const env[] = { NULL };
	int status;
	pid_t pid;

	/* Made before the fork, and above what a limit or a child's dup reach */
	snprintf(number, sizeof(number), "%d", own->fd);
	if (d->extra % 4 == 3)
		fcntl(own->fd, F_SETFD, FD_CLOEXEC);
	pid = fork();
	/* It copies all that a process is: what else may fail there is not known */
	if (pid < 0)
		return ALLOW(w, "fork", -errno, ENOMEM, EAGAIN);
	if (!pid) {
		switch (d->extra % 4) {
		case 3:
			execve("/proc/self/exe", argv, env);
			_exit(100);
		case 2:
			_exit(child_limit(w, d));
		default:
			_exit(child_work(w, d));
		}
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		fail(w, "a child of kind %u ended with status %#x", d->extra % 4, status);
	return 0;
}

/*
 * Maps
 */

static int op_mmap(struct worker *w, const struct draw *d)
{
	struct map *map = &w->maps[d->other % MAPS];
	size_t page = getpagesize(), len = page * (1 + d->arg % 4);
	bool writable = d->arg & 0x100, private = !(d->arg >> 12 & 0x1f);
	off_t offset = d->arg >> 20 & 1 ? page : 0;
	char *addr;
	int fd = target(w, d);

	addr = mmap(NULL, len, PROT_READ | (writable ? PROT_WRITE : 0),
		    private ? MAP_PRIVATE : MAP_SHARED, fd, offset);
	if (addr == MAP_FAILED) {
		struct own *own = own_target(w, d);

		/* Nothing is wrong with this one */
		if (own && !private && offset + len <= own->size)
			return ALLOW(w, "mmap of an own buffer", -errno);
		/* Past the end, read-only, an exporter that does not map */
		return ALLOW(w, "mmap", -errno, EINVAL, own ? 0 : EACCES, gone(w, d),
			     told(w, d));
	}
	if (own_target(w, d) && offset + len > own_target(w, d)->size)
		fail(w, "a mapping of %zu at %zu of a buffer of %zu bytes", len,
		     (size_t)offset, own_target(w, d)->size);
	if (map->addr)
		munmap(map->addr, map->len);
	/* An own buffer's bytes are counted on: they are written by op_data() */
	*map = (struct map) {
		.addr = addr,
		.len = len,
		.writable = writable && !own_target(w, d),
	};
	return 0;
}

static int op_mmap_bad(struct worker *w, const struct draw *d)
{
	struct own *own = &w->own[d->other % OWN];
	size_t page = getpagesize();
	off_t offset = d->arg & 1 ? (off_t)own->size : -(off_t)page;
	int want = d->arg & 1 ? EINVAL : EOVERFLOW;
	void *addr;

	addr = mmap(NULL, page * (1 + d->extra % 3), PROT_READ, MAP_SHARED,
		    own->fd, offset);
	if (addr != MAP_FAILED) {
		fail(w, "a mapping past the end of a buffer");
		munmap(addr, page * (1 + d->extra % 3));
		return 0;
	}
	if (errno != want)
		fail(w, "mmap behind the end of a buffer: %m");
	return -errno;
}

static int op_touch(struct worker *w, const struct draw *d)
{
	struct map *map = &w->maps[d->other % MAPS];
	sigjmp_buf jump;
	char *p, byte;

	if (!map->addr)
		return -ENOENT;
	/*
	 * The exporter decides what lies past the buffer's end; see the handler
	 * in stress.c
	 */
	p = map->addr + d->arg % map->len;
	if (sigsetjmp(jump, 1)) {
		w->fault = NULL;
		return -EFAULT;
	}
	w->fault = &jump;
	/* Accesses that the compiler neither leaves out nor moves */
	if (map->writable && d->extra & 1)
		__atomic_store_n(p, (char)(d->extra >> 8), __ATOMIC_SEQ_CST);
	else
		__atomic_load(p, &byte, __ATOMIC_SEQ_CST);
	w->fault = NULL;
	return 0;
}

static int op_munmap(struct worker *w, const struct draw *d)
{
	struct map *map = &w->maps[d->other % MAPS];
	size_t page = getpagesize();

	if (!map->addr)
		return -ENOENT;
	/* Half of the time only the end of it */
	if (d->arg & 1 && map->len > page) {
		map->len -= page;
		return ALLOW(w, "munmap", result(munmap(map->addr + map->len, page)));
	}
	if (munmap(map->addr, map->len))
		fail(w, "munmap: %m");
	map->addr = NULL;
	return 0;
}

static int op_mremap(struct worker *w, const struct draw *d)
{
	struct map *map = &w->maps[d->other % MAPS];
	size_t page = getpagesize();
	char *addr, *to;

	if (!map->addr)
		return -ENOENT;
	switch (d->arg % 3) {
	case 0:
		/* Past what was mapped there may be no buffer any more */
		addr = mremap(map->addr, map->len, map->len + page, MREMAP_MAYMOVE);
		if (addr != MAP_FAILED)
			fail(w, "a mapping grew");
		else if (errno != EFAULT)
			fail(w, "mremap to more: %m");
		return -EFAULT;
	case 1:
		to = mmap(NULL, map->len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (to == MAP_FAILED)
			return ALLOW(w, "mmap", -errno);
		addr = mremap(map->addr, map->len, map->len,
			      MREMAP_MAYMOVE | MREMAP_FIXED, to);
		if (addr == MAP_FAILED)
			return ALLOW(w, "mremap", -errno);
		map->addr = addr;
		return 0;
	default:
		if (map->len == page)
			return 0;
		addr = mremap(map->addr, map->len, map->len - page, 0);
		if (addr == MAP_FAILED)
			return ALLOW(w, "mremap to less", -errno);
		map->len -= page;
		return 0;
	}
}

static int op_madvise(struct worker *w, const struct draw *d)
{
	static const int advice[] = { MADV_DONTNEED, MADV_WILLNEED, MADV_DONTFORK, MADV_DOFORK };
	struct map *map = &w->maps[d->other % MAPS];
	int ret;

	if (!map->addr)
		return -ENOENT;
	if (d->arg & 4) {
		ret = mprotect(map->addr, map->len, PROT_READ | (map->writable ? PROT_WRITE : 0));
		return ALLOW(w, "mprotect", result(ret));
	}
	ret = madvise(map->addr, map->len, advice[d->arg & 3]);
	/* Maps of device memory take some advice and no other */
	return ALLOW(w, "madvise", result(ret), EINVAL, EBADF);
}

/*
 * Calls on a buffer
 */

static int op_sync(struct worker *w, const struct draw *d)
{
	__u64 flags = 1 + d->arg % 3;
	int fd = target(w, d), err;

	/* An END goes with each START, be it of another buffer by now */
	err = buffer_sync(fd, flags);
	if (err)
		return ALLOW(w, "SYNC", err, EINTR, gone(w, d), told(w, d));
	err = buffer_sync(fd, flags | DMA_BUF_SYNC_END);
	return ALLOW(w, "SYNC END", err, EINTR, gone(w, d), told(w, d));
}

/* What an ioctl is given that cannot be right; returns what it must say. */
static int op_ioctl_bad(struct worker *w, const struct draw *d)
{
	struct dma_buf_export_sync_file exp = { .flags = 0, .fd = -1 };
	struct dma_buf_import_sync_file imp = { .flags = 1, .fd = -1 };
	__u64 flags = DMA_BUF_SYNC_RW | (__u64)(1 + d->extra % 0xffff) << (3 + d->extra % 32);
	int fd = target(w, d), want = EINVAL, ret;
	char name[DMA_BUF_NAME_LEN + 1];

	switch (d->arg % 14) {
	case 0:
		ret = buffer_sync(fd, flags);
		break;
	case 1:
		ret = buffer_sync(fd, d->extra & 1 ? DMA_BUF_SYNC_END : 0);
		break;
	case 2:
		want = EFAULT;
		ret = result(ioctl(fd, DMA_BUF_IOCTL_SYNC, w->bad));
		break;
	case 3:
		want = EFAULT;
		ret = result(ioctl(fd, DMA_BUF_SET_NAME_A, w->bad));
		break;
	case 4:
		memset(name, 'n', sizeof(name));
		name[DMA_BUF_NAME_LEN] = '\0';
		ret = buffer_set_name(fd, name);
		break;
	case 5:
		ret = result(ioctl(fd, DMA_BUF_IOCTL_EXPORT_SYNC_FILE, &exp));
		break;
	case 6:
		exp.flags = 4 << d->extra % 30;
		ret = result(ioctl(fd, DMA_BUF_IOCTL_EXPORT_SYNC_FILE, &exp));
		break;
	case 7:
		want = EFAULT;
		ret = result(ioctl(fd, DMA_BUF_IOCTL_EXPORT_SYNC_FILE, w->bad));
		break;
	case 8:
		want = EFAULT;
		ret = result(ioctl(fd, DMA_BUF_IOCTL_EXPORT_SYNC_FILE, w->readonly));
		break;
	case 9:
		ret = result(ioctl(fd, DMA_BUF_IOCTL_IMPORT_SYNC_FILE, &imp));
		break;
	case 10:
		want = EFAULT;
		ret = result(ioctl(fd, DMA_BUF_IOCTL_IMPORT_SYNC_FILE, w->bad));
		break;
	case 11:
		/* No sync_file, but a descriptor */
		imp.fd = w->own[0].fd;
		ret = result(ioctl(fd, DMA_BUF_IOCTL_IMPORT_SYNC_FILE, &imp));
		break;
	case 12:
		want = ENOTTY;
		ret = result(ioctl(fd, _IO(DMA_BUF_BASE, 4 + d->extra % 200), &imp));
		break;
	default:
		want = ENOTTY;
		ret = result(ioctl(fd, _IOW(DMA_BUF_BASE, 0, __u32), &imp));
		break;
	}
	if (ret != -want && (own_target(w, d) || ret != -EBADF))
		fail(w, "bad ioctl %u: %d instead of %d", d->arg % 14, ret, -want);
	return ret;
}

static int op_set_name(struct worker *w, const struct draw *d)
{
	struct own *own = own_target(w, d);
	char name[DMA_BUF_NAME_LEN] = {};
	int i, err, len = d->arg % DMA_BUF_NAME_LEN;

	/* Everything that a string can hold, line ends included */
	for (i = 0; i < len; i++)
		name[i] = 1 + (d->extra >> i % 24 & 0x7f) % 126;
	err = result(ioctl(target(w, d), d->arg >> 8 & 1 ? DMA_BUF_SET_NAME_A :
			   DMA_BUF_SET_NAME_B, name));
	if (own && !err) {
		memcpy(own->name, name, sizeof(name));
		own->named = true;
	}
	return ALLOW(w, "SET_NAME", err, gone(w, d));
}

static int op_export_sync(struct worker *w, const struct draw *d)
{
	int fd = buffer_export_sync_file(target(w, d), 1 + d->arg % 3);

	fd = ALLOW(w, "EXPORT_SYNC_FILE", fd, gone(w, d));
	if (fd < 0)
		return fd;
	slot_put(fd, SYNC(d->other), d->arg & 8);
	return 0;
}

static int op_import_sync(struct worker *w, const struct draw *d)
{
	int err = buffer_import_sync_file(target(w, d), 1 + d->arg % 3, SYNC(d->other));

	/* -EINVAL: there is none in that slot */
	return ALLOW(w, "IMPORT_SYNC_FILE", err, EINVAL, gone(w, d));
}

static int op_seek(struct worker *w, const struct draw *d)
{
	static const int whences[] = {
		SEEK_END, SEEK_END, SEEK_SET, SEEK_CUR, SEEK_SET, SEEK_END, SEEK_DATA, 17,
	};
	struct own *own = own_target(w, d);
	unsigned int which = d->arg % ARRAY_SIZE(whences);
	off_t offset = which >= 4 ? 1 + d->extra % 100000 : 0, ret;

	ret = lseek(target(w, d), offset, whences[which]);
	if (ret < 0) {
		ALLOW(w, "lseek", -errno, which < 3 ? gone(w, d) : EINVAL,
		      which < 3 ? 0 : gone(w, d));
		return -errno;
	}
	if (which >= 3 || (which == 2 && ret) || (which < 2 && !ret) ||
	    (which < 2 && own && ret != (off_t)own->size))
		fail(w, "lseek %u says %lld", which, (long long)ret);
	return 0;
}

static int op_stat(struct worker *w, const struct draw *d)
{
	struct own *own = own_target(w, d);
	struct stat st;
	char byte;
	int ret;

	if (d->arg & 1) {
		ret = d->arg & 2 ? read(target(w, d), &byte, 1) :
				   write(target(w, d), &byte, 1);
		ret = result(ret);
		if (ret >= 0)
			fail(w, "read or write of a buffer: %d", ret);
		return ALLOW(w, "read or write", ret, EINVAL, own ? 0 : EBADF);
	}
	if (fstat(target(w, d), &st))
		return ALLOW(w, "fstat", -errno, gone(w, d));
	if (!st.st_ino || (own && st.st_size != (off_t)own->size))
		fail(w, "fstat: inode %llu, size %lld", (unsigned long long)st.st_ino,
		     (long long)st.st_size);
	return 0;
}

static int op_fdinfo(struct worker *w, const struct draw *d)
{
	struct own *own = own_target(w, d);
	char path[40], text[512], *p;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", target(w, d));
	fd = ALLOW(w, "open of fdinfo", result(open(path, O_RDONLY | O_CLOEXEC)),
		   own ? 0 : ENOENT);
	if (fd < 0)
		return fd;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	/* It may be closed by now, and is opened at the first read */
	if (n < 0)
		return ALLOW(w, "read of fdinfo", -errno, own ? 0 : ENOENT);
	text[n] = '\0';
	p = strstr(text, "\nsize:\t");
	if (!p || !strstr(text, "\ncount:\t") || !strstr(text, "\nexp_name:\t"))
		fail(w, "fdinfo of a buffer: '%s'", text);
	else if (own && strtoull(p + 7, NULL, 10) != own->size)
		fail(w, "fdinfo says another size than %zu: '%s'", own->size, text);
	else if (own && own->named != !!strstr(text, "\nname:\t"))
		fail(w, "fdinfo has a name, or has none: '%s'", text);
	return 0;
}

static int op_bufinfo(struct worker *w, const struct draw *d)
{
	char text[4096 + 1], end[32] = {};
	size_t want = 1 + d->arg % 4096, got = 0;
	int fd, steps = d->extra & 3 ? 1 << 20 : d->extra >> 2 & 7;
	ssize_t n = 0;

	/* Not small throughout: each read finds its place anew */
	if (want < 256)
		steps = steps > 7 ? 7 : steps;
	fd = ALLOW(w, "open of bufinfo", result(open(BUFINFO, O_RDONLY | O_CLOEXEC)));
	if (fd < 0)
		return fd;
	while (steps--) {
		n = read(fd, text, want);
		if (n <= 0)
			break;
		text[n] = '\0';
		if (!got && n > 17 && strncmp(text, "\nDma-buf Objects:", 17))
			fail(w, "bufinfo begins with '%.32s'", text);
		got += n;
		snprintf(end, sizeof(end), "%s", text + (n > 31 ? n - 31 : 0));
	}
	if (n < 0)
		ALLOW(w, "read of bufinfo", -errno);
	/* The text of a read that fits in whole shows how it ends */
	if (!n && steps > 0 && strlen(end) > 8 && strcmp(end + strlen(end) - 7, " bytes\n"))
		fail(w, "bufinfo ends with '%s'", end);
	close(fd);
	return 0;
}

/*
 * Polling
 */

static short poll_events(__u32 random)
{
	static const short events[] = {
		POLLIN, POLLOUT, POLLIN | POLLOUT, POLLRDNORM, POLLWRNORM,
		POLL_ALL, POLLPRI, POLLPRI | POLLOUT,
	};

	return events[random % ARRAY_SIZE(events)];
}

static int op_poll(struct worker *w, const struct draw *d)
{
	struct pollfd pfds[4];
	int i, ret, n = 1 + d->arg % 4;

	for (i = 0; i < n; i++) {
		pfds[i].fd = i ? slot(d->slot + i * d->other) : target(w, d);
		pfds[i].events = poll_events(d->arg >> (4 + i * 3));
	}
	ret = poll(pfds, n, d->extra % 64 ? 0 : 1);
	ret = ALLOW(w, "poll", result(ret), EINTR);
	if (ret < 0)
		return ret;
	for (i = 0; i < n; i++) {
		if (pfds[i].revents & POLLNVAL && (i || !own_target(w, d)))
			continue;
		if (pfds[i].revents & ~pfds[i].events)
			fail(w, "poll for %#x says %#x", pfds[i].events, pfds[i].revents);
	}
	return 0;
}

static int op_epoll_ctl(struct worker *w, const struct draw *d)
{
	static const __u32 modes[] = { 0, EPOLLET, EPOLLONESHOT, EPOLLET | EPOLLONESHOT };
	struct epoll_event event = {
		.events = poll_events(d->arg) | modes[d->arg >> 4 & 3],
	};
	int op = d->arg >> 8 & 3 ?: EPOLL_CTL_ADD;

	/* Exclusive waiters take no one-shot, and cannot be changed */
	if (!(d->arg >> 12 & 7))
		event.events = (event.events & ~EPOLLONESHOT) | EPOLLEXCLUSIVE;
	return ALLOW(w, "epoll_ctl",
		     result(epoll_ctl(EPOLL(d->other), op, target(w, d), &event)),
		     EBADF, EEXIST, ENOENT, EINVAL);
}

static int op_epoll_wait(struct worker *w, const struct draw *d)
{
	struct epoll_event events[8];
	int i, n;

	n = epoll_wait(EPOLL(d->other), events, 1 + d->arg % 8, d->extra % 64 ? 0 : 1);
	n = ALLOW(w, "epoll_wait", result(n), EINTR);
	for (i = 0; i < n; i++)
		if (!events[i].events || events[i].events & ~(__u32)POLL_ALL)
			fail(w, "epoll_wait says %#x", events[i].events);
	return n < 0 ? n : 0;
}

/* With all that is registered in it, and while others wait */
static int op_epoll_new(struct worker *w, const struct draw *d)
{
	int fd = ALLOW(w, "epoll_create", result(epoll_create1(EPOLL_CLOEXEC)));

	if (fd < 0)
		return fd;
	slot_put(fd, EPOLL(d->other), true);
	return 0;
}

static int uring_begin(struct worker *w)
{
	struct uring *r = &w->uring;
	int err = uring_open(r, URING_ENTRIES);

	if (err)
		return ALLOW(w, "io_uring_setup", err);
	/* Children do not use the ring, and their mappings would keep it alive */
	madvise(r->map, r->size, MADV_DONTFORK);
	madvise(r->sqes, r->sqes_size, MADV_DONTFORK);
	return 0;
}

static void uring_reap(struct worker *w)
{
	struct io_uring_cqe cqe;

	while (uring_take(&w->uring, &cqe)) {
		int res = cqe.res;

		if (res >= 0 ? res & ~POLL_ALL : res != -ECANCELED && res != -EBADF &&
		    res != -ENOENT && res != -EALREADY && res != -EINVAL)
			fail(w, "a poll of io_uring says %d", res);
	}
}

static int op_uring(struct worker *w, const struct draw *d)
{
	struct io_uring_sqe sqe = {
		.opcode = IORING_OP_POLL_ADD,
		.fd = target(w, d),
		.poll32_events = poll_events(d->arg),
		.len = d->arg >> 4 & 7 ? 0 : IORING_POLL_ADD_MULTI,
		.user_data = d->other % 32,
	};

	/*
	 * From time to time close the ring, with requests pending, and open
	 * another
	 */
	if (!(d->extra & 0xff)) {
		uring_close(&w->uring);
		return uring_begin(w);
	}
	if (d->extra & 1) {
		sqe = (struct io_uring_sqe) {
			.opcode = IORING_OP_POLL_REMOVE,
			.fd = -1,
			.addr = d->other % 32,
			.user_data = 100,
		};
	}
	ALLOW(w, "io_uring_enter",
	      uring_submit(&w->uring, &sqe, IORING_ENTER_GETEVENTS), EINTR, EBUSY);
	uring_reap(w);
	return 0;
}

/*
 * Fences
 */

/* Signal the oldest fences. Every user that may want a reference has one by then. */
void stress_advance(struct timeline *t, unsigned int steps)
{
	if (steps > t->made - t->done)
		steps = t->made - t->done;
	if (!steps)
		return;
	timeline_advance(t->fd, steps);
	while (steps--)
		close(t->refs[t->done++ % FENCES]);
}

void timeline_end(struct timeline *t)
{
	if (t->fd < 0)
		return;
	stress_advance(t, FENCES);
	close(t->fd);
	t->fd = -1;
}

static int op_fence(struct worker *w, const struct draw *d)
{
	struct timeline *t = &w->timeline;
	int fd, err = 0;

	pthread_mutex_lock(&t->lock);
	if (t->made - t->done == FENCES)
		stress_advance(t, 1);
	fd = ALLOW(w, "sw_sync fence", timeline_fence(t->fd, t->made + 1));
	if (fd >= 0)
		t->refs[t->made++ % FENCES] = fd;
	if (fd >= 0 && d->arg & 1)
		err = ALLOW(w, "IMPORT_SYNC_FILE",
			    buffer_import_sync_file(target(w, d), 1 + d->arg % 3, fd),
			    gone(w, d));
	/* Under the lock, or it may be closed and another be dup'ed */
	if (fd >= 0 && d->arg & 2)
		dup3(fd, SYNC(d->other), O_CLOEXEC);
	pthread_mutex_unlock(&t->lock);
	return fd < 0 ? fd : err;
}

static int op_advance(struct worker *w, const struct draw *d)
{
	pthread_mutex_lock(&w->timeline.lock);
	stress_advance(&w->timeline, 1 + d->arg % 4);
	pthread_mutex_unlock(&w->timeline.lock);
	return 0;
}

static int op_merge(struct worker *w, const struct draw *d)
{
	int fd = sync_file_merge(SYNC(d->slot), SYNC(d->other));

	/* -ENOENT: the second is none */
	fd = ALLOW(w, "merge", fd, EBADF, ENOENT);
	if (fd < 0)
		return fd;
	slot_put(fd, SYNC(d->arg), true);
	return 0;
}

static int op_sync_file(struct worker *w, const struct draw *d)
{
	unsigned int fences;
	int ret;

	switch (d->arg & 3) {
	case 0:
		return ALLOW(w, "close", result(close(SYNC(d->other))), EBADF);
	case 1:
		ret = poll_now(SYNC(d->other), POLLIN);
		if (ret < 0 || ret & ~(POLLIN | POLLERR | POLLNVAL))
			fail(w, "poll of a sync_file says %d", ret);
		return 0;
	case 2:
		/* Anything but a sync_file has no such ioctl */
		ret = sync_file_status(target(w, d), NULL);
		if (ret != -ENOTTY && (own_target(w, d) || ret != -EBADF))
			fail(w, "a buffer answers to SYNC_IOC_FILE_INFO: %d", ret);
		return ret;
	default:
		/* The status may be the error of a fence of the test device */
		ret = sync_file_status(SYNC(d->other), &fences);
		return ALLOW(w, "SYNC_IOC_FILE_INFO", ret, EBADF, TESTDEV_ERROR, ECANCELED);
	}
}

/*
 * The table. The weights make most of the operations quick ones. What changes
 * the process's maps has to interrupt every processor that runs a thread of it,
 * and a fork costs as much as a hundred of the others.
 */
const struct op ops[] = {
	{ "create", 100, op_create },
	{ "heap-bad", 10, op_heap_bad, have_heap },
	{ "udmabuf-bad", 10, op_udmabuf_bad, have_udmabuf },
	{ "renew", 3, op_renew },
	{ "data", 60, op_data },
	{ "close", 80, op_close },
	{ "dup", 60, op_dup },
	{ "dup2", 60, op_dup2 },
	{ "fcntl", 40, op_fcntl },
	{ "send", 40, op_send },
	{ "receive", 50, op_receive },
	{ "pidfd", 20, op_pidfd },
	{ "reopen", 30, op_reopen },
	{ "path", 20, op_path },
	{ "fork", 1, op_fork },
	{ "mmap", 20, op_mmap },
	{ "mmap-bad", 8, op_mmap_bad },
	{ "touch", 60, op_touch },
	{ "munmap", 10, op_munmap },
	{ "mremap", 6, op_mremap },
	{ "madvise", 8, op_madvise },
	{ "sync", 80, op_sync },
	{ "ioctl-bad", 80, op_ioctl_bad },
	{ "set-name", 60, op_set_name },
	{ "export-sync", 60, op_export_sync },
	{ "import-sync", 60, op_import_sync },
	{ "seek", 50, op_seek },
	{ "stat", 30, op_stat },
	{ "fdinfo", 20, op_fdinfo },
	{ "bufinfo", 1, op_bufinfo, have_bufinfo },
	{ "poll", 120, op_poll },
	{ "epoll-ctl", 80, op_epoll_ctl },
	{ "epoll-wait", 60, op_epoll_wait },
	{ "epoll-new", 2, op_epoll_new },
	{ "uring", 60, op_uring, have_uring },
	{ "fence", 60, op_fence, have_sw_sync },
	{ "advance", 30, op_advance, have_sw_sync },
	{ "merge", 30, op_merge },
	{ "sync-file", 40, op_sync_file },
	{ "prime-import", 40, op_prime_import, have_drm },
	{ "prime-export", 30, op_prime_export, have_drm },
	{ "gem-close", 40, op_gem_close, have_drm },
	{ "testdev-session", 1, op_testdev_session, have_testdev },
	{ "testdev-attach", 40, op_testdev_attach, have_testdev },
	{ "testdev-map", 40, op_testdev_map, have_testdev },
	{ "testdev-unmap", 30, op_testdev_unmap, have_testdev },
	{ "testdev-pin", 20, op_testdev_pin, have_testdev },
	{ "testdev-unpin", 20, op_testdev_unpin, have_testdev },
	{ "testdev-rw", 40, op_testdev_rw, have_testdev },
	{ "testdev-vmap", 20, op_testdev_vmap, have_testdev },
	{ "testdev-free", 30, op_testdev_free, have_testdev },
	{ "testdev-migrate", 20, op_testdev_migrate, have_testdev },
	{ "testdev-set-op", 10, op_testdev_set_op, have_testdev },
	{ "testdev-hold", 2, op_testdev_hold, have_testdev },
	{ "testdev-fence", 15, op_testdev_fence, have_testdev },
	{ "testdev-signal", 20, op_testdev_signal, have_testdev },
	{ "testdev-mmap", 4, op_testdev_mmap, have_testdev },
	{ "testdev-info", 20, op_testdev_info, have_testdev },
	{ "testdev-bad", 40, op_testdev_bad, have_testdev },
};

const unsigned int op_count = ARRAY_SIZE(ops);

/* The counts have room for all */
static_assert(ARRAY_SIZE(ops) <= MAX_OPS);

/*
 * A worker's belongings
 */

void worker_open(struct worker *w)
{
	struct draw d = { .extra = w->random };
	size_t page = getpagesize();
	unsigned int i;

	for (i = 0; i < PATHS; i++)
		w->paths[i] = -1;
	w->bad = mmap(NULL, page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	/* Its first word has the flags of an export, so that it goes all the way */
	w->readonly = mmap(NULL, page, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	*(__u32 *)w->readonly = DMA_BUF_SYNC_READ;
	mprotect(w->readonly, page, PROT_READ);

	w->pidfd = syscall(__NR_pidfd_open,
			   process_pid((w->process + 1) % process_count()), 0);
	w->timeline.fd = have & HAVE_SW_SYNC ? timeline_open() : -1;
	w->uring.fd = -1;
	if (have & HAVE_URING)
		uring_begin(w);
	devices_open(w);
	for (i = 0; i < OWN; i++) {
		d.arg = i;
		own_open(w, &w->own[i], &d);
	}
}

/* Close all but the timeline, whose fences other workers may still use */
void worker_close(struct worker *w)
{
	unsigned int i;

	for (i = 0; i < OWN; i++)
		own_close(w, &w->own[i]);
	for (i = 0; i < MAPS; i++)
		if (w->maps[i].addr)
			munmap(w->maps[i].addr, w->maps[i].len);
	for (i = 0; i < PATHS; i++)
		if (w->paths[i] >= 0)
			close(w->paths[i]);
	if (w->pidfd >= 0)
		close(w->pidfd);
	uring_close(&w->uring);
	devices_close(w);
}
