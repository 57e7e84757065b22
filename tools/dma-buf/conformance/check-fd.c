// SPDX-License-Identifier: GPL-2.0-only
/*
 * dmabuf-conformance: a buffer as a file, its identity, and passing it on.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <linux/magic.h>

#include "conformance.h"

#ifndef DMA_BUF_MAGIC
#define DMA_BUF_MAGIC	0x444d4142
#endif

CONFORM(fd, magic, 0,
	"The file of a buffer is in a file system of its own, whose magic number is\n"
	"DMA_BUF_MAGIC. By this number a program can tell a dma-buf from any other\n"
	"descriptor.")
{
	struct statfs fs;

	require(!fstatfs(t->fd, &fs), "fstatfs() fails: %s", errno_name(errno));
	expect(fs.f_type == DMA_BUF_MAGIC, "the number is %#lx, should be %#x",
	       (unsigned long)fs.f_type, DMA_BUF_MAGIC);
}

CONFORM(fd, cloexec, NEED_ALLOC,
	"An exporter lets its caller ask for close-on-exec, and sets it when it\n"
	"creates the descriptor: if it were set later, an exec() of another thread\n"
	"in between would leak the buffer.")
{
	size_t size = t->size;
	int flags = fcntl(t->fd, F_GETFD), fd;

	expect(flags >= 0 && flags & FD_CLOEXEC, "asked for, and FD_CLOEXEC is not set");
	expect(run_probe(t->fd) == 0, "asked for, and the descriptor is open after exec");

	fd = buffer_try(t, &size, O_RDWR);
	require(fd >= 0, "no buffer without O_CLOEXEC: %s", errno_name(-fd));
	flags = fcntl(fd, F_GETFD);
	expect(flags >= 0 && !(flags & FD_CLOEXEC), "not asked for, and FD_CLOEXEC is set");
	expect(run_probe(fd) == 1, "not asked for, and the descriptor is gone after exec");
}

CONFORM(fd, access_mode, NEED_ACCMODE,
	"The descriptor has the access mode that the caller asked the exporter for.\n"
	"Whoever gets a read-only descriptor cannot map the buffer for writing.")
{
	static const int modes[] = { O_RDONLY, O_RDWR };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		size_t size = t->size;
		int fd = buffer_try(t, &size, modes[i] | O_CLOEXEC);
		int flags;

		require(fd >= 0, "no buffer: %s", errno_name(-fd));
		flags = fcntl(fd, F_GETFL);
		expect((flags & O_ACCMODE) == modes[i], "asked for mode %d, it is %d",
		       modes[i], flags & O_ACCMODE);
	}
}

CONFORM(fd, status_flags, NEED_ALLOC,
	"Of the flags that an exporter passes on, only the access mode and\n"
	"O_NONBLOCK become flags of the file. O_APPEND, O_DIRECT, O_PATH and the\n"
	"like mean nothing there.")
{
	int known = O_ACCMODE | O_NONBLOCK;
	int flags = fcntl(t->fd, F_GETFL);

#ifdef __O_LARGEFILE
	known |= __O_LARGEFILE;
#endif
	require(flags >= 0, "F_GETFL fails: %s", errno_name(errno));
	expect(!(flags & ~known), "F_GETFL says %#o", flags);
}

CONFORM(fd, fstat_size, 0,
	"fstat() tells the buffer's size.")
{
	struct stat st;

	require(!fstat(t->fd, &st), "fstat() fails: %s", errno_name(errno));
	expect((size_t)st.st_size == t->size, "st_size is %lld, the buffer has %zu bytes",
	       (long long)st.st_size, t->size);
}

CONFORM(fd, size_pages, 0,
	"A buffer is never empty. Its size need not be a multiple of the page size,\n"
	"but only whole pages can be mapped: after the end of the buffer the last\n"
	"page may hold data that is not meant to be shared.")
{
	size_t whole = t->size / t->page * t->page;
	void *map;

	expect(t->size, "it has no byte");
	map = map_try(t->fd, t->page, PROT_READ, MAP_SHARED, whole);
	expect(!map, "the page from byte %zu on can be mapped, of %zu bytes", whole, t->size);
	map = map_try(t->fd, whole + t->page, PROT_READ, MAP_SHARED, 0);
	expect(!map, "%zu bytes can be mapped, of %zu", whole + t->page, t->size);
}

CONFORM(fd, size_rounded, NEED_ODD_SIZES,
	"A request for a size that is not a multiple of the page size gets a buffer\n"
	"of whole pages with at least that many bytes.")
{
	const size_t asked[] = { 1, t->page - 1, t->page + 1, 3 * t->page + 7 };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(asked); i++) {
		size_t size = asked[i];
		int fd = buffer_new(t, &size);
		long long got = lseek(fd, 0, SEEK_END);

		expect(got >= (long long)asked[i] && !(got % t->page),
		       "asked for %zu bytes, got %lld", asked[i], got);
		close(fd);
	}
}

CONFORM(fd, size_zero, NEED_SIZES,
	"There are no empty buffers: a size of 0 is refused with EINVAL.")
{
	size_t size = 0;
	int fd = buffer_try(t, &size, O_RDWR | O_CLOEXEC);

	expect_result(fd, EINVAL, "a buffer of 0 bytes");
}

CONFORM(fd, inode_unique, NEED_ALLOC,
	"The inode number is a buffer's identity: no two buffers have the same one.\n"
	"A program that gets a descriptor sees by it whether it knows the buffer\n"
	"already.")
{
	size_t size = t->size;
	ino_t inos[16];
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(inos); i++) {
		inos[i] = buffer_ino(buffer_new(t, &size));
		expect(inos[i], "an inode number is 0");
		for (j = 0; j < i; j++)
			expect(inos[i] != inos[j], "two buffers have the number %llu",
			       (unsigned long long)inos[i]);
	}
}

CONFORM(fd, inode_not_reused, NEED_ALLOC,
	"The inode number of a closed buffer is not used again until the next boot.\n"
	"Otherwise a program that remembers it would take a new buffer for the old\n"
	"one.")
{
	size_t size = t->size;
	ino_t inos[32];
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(inos); i++) {
		int fd = buffer_new(t, &size);

		inos[i] = buffer_ino(fd);
		close(fd);
		for (j = 0; j < i; j++)
			expect(inos[i] != inos[j], "the number %llu came again",
			       (unsigned long long)inos[i]);
	}
}

CONFORM(fd, inode_dup, 0,
	"Duplicates of a descriptor, by dup() or fcntl(), are the same buffer: same\n"
	"inode number, same size.")
{
	int fds[] = { dup(t->fd), fcntl(t->fd, F_DUPFD, 100), fcntl(t->fd, F_DUPFD_CLOEXEC, 0) };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(fds); i++) {
		require(fds[i] >= 0, "duplicate %u cannot be had: %s", i, errno_name(errno));
		expect(buffer_ino(fds[i]) == buffer_ino(t->fd), "duplicate %u differs", i);
		expect(lseek(fds[i], 0, SEEK_END) == (off_t)t->size,
		       "duplicate %u has another size", i);
	}
}

CONFORM(fd, scm_rights, 0,
	"A descriptor can be sent to another process over a Unix socket, and is the\n"
	"same buffer there.")
{
	int fd = pass_fd(t->fd);

	expect(buffer_ino(fd) == buffer_ino(t->fd), "another inode number arrives");
	expect(lseek(fd, 0, SEEK_END) == (off_t)t->size, "another size arrives");
	close(fd);
	expect(lseek(t->fd, 0, SEEK_END) == (off_t)t->size, "the sender's is gone with it");
}

CONFORM(fd, scm_in_flight, NEED_ALLOC | NEED_WRITE,
	"A buffer lives while a message with its descriptor is on its way through a\n"
	"socket, even if no process has a descriptor of the buffer at that moment.")
{
	size_t size = t->size;
	int pair[2], fd = buffer_new(t, &size), err;
	ino_t ino = buffer_ino(fd);
	char *map = map_whole(t, fd, size, PROT_READ | PROT_WRITE);

	require(!socketpair(AF_UNIX, SOCK_STREAM, 0, pair), "no sockets");
	map[size - 1] = 42;
	munmap(map, size);
	err = send_fd(pair[0], fd);
	require(!err, "sending fails: %s", errno_name(-err));
	close(fd);
	fd = receive_fd(pair[1]);
	require(fd >= 0, "receiving fails: %s", errno_name(-fd));
	expect(buffer_ino(fd) == ino, "another buffer arrives");
	map = map_whole(t, fd, size, PROT_READ);
	expect(map[size - 1] == 42, "its contents are lost");
}

static void see_in_child(void *data)
{
	struct test *t = data;
	struct stat st;

	require(!fstat(t->fd, &st), "the child's descriptor is bad: %s", errno_name(errno));
	expect((size_t)st.st_size == t->size, "the child sees another size");
	close(t->fd);
}

CONFORM(fd, fork, 0,
	"A child inherits the descriptor over fork(). When the child closes its\n"
	"descriptor, that of the parent still works.")
{
	int killed = in_process(see_in_child, t);

	expect(!killed, "the child is killed by signal %d", killed);
	expect(lseek(t->fd, 0, SEEK_END) == (off_t)t->size, "the parent's is gone");
}

CONFORM(fd, pidfd_getfd, 0,
	"A process that may trace another one can get descriptors of its buffers\n"
	"with pidfd_getfd(), as of any file.")
{
	int pidfd = syscall(SYS_pidfd_open, getpid(), 0);
	int fd;

	if (pidfd < 0)
		skip("pidfd_open(): %s", errno_name(errno));
	fd = syscall(SYS_pidfd_getfd, pidfd, t->fd, 0);
	if (fd < 0 && (kernel_before(5, 6) || errno == EPERM))
		skip("pidfd_getfd(): %s", errno_name(errno));
	require(fd >= 0, "pidfd_getfd() fails: %s", errno_name(errno));
	expect(buffer_ino(fd) == buffer_ino(t->fd), "it is another file");
}

CONFORM(fd, reopen, 0,
	"A buffer cannot be reopened through /proc/self/fd: the new file would not\n"
	"be the buffer, or would bypass the access mode of the descriptor that its\n"
	"owner has passed on.")
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", t->fd);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		skip("/proc is not mounted");
	expect(fd < 0, "it can");
}

CONFORM(fd, lseek_end, 0,
	"lseek(fd, 0, SEEK_END) returns the size: the way to learn it that all\n"
	"kernels know.")
{
	expect(lseek(t->fd, 0, SEEK_END) == (off_t)t->size, "it returns %lld, not %zu",
	       (long long)lseek(t->fd, 0, SEEK_END), t->size);
}

CONFORM(fd, lseek_set, 0,
	"lseek(fd, 0, SEEK_SET) returns 0, for programs that go back after\n"
	"SEEK_END.")
{
	expect(lseek(t->fd, 0, SEEK_END) == (off_t)t->size, "SEEK_END does not give the size");
	expect(!lseek(t->fd, 0, SEEK_SET), "SEEK_SET to 0 does not return 0");
}

CONFORM(fd, lseek_other, 0,
	"Every other seek is refused with EINVAL: other offsets, SEEK_CUR,\n"
	"SEEK_DATA, SEEK_HOLE. A buffer has no position that could move.")
{
	const struct {
		off_t offset;
		int whence;
		const char *what;
	} refused[] = {
		{ 1, SEEK_SET, "SEEK_SET to 1" },
		{ -1, SEEK_SET, "SEEK_SET to -1" },
		{ t->size, SEEK_SET, "SEEK_SET to the size" },
		{ 1, SEEK_END, "SEEK_END and 1" },
		{ -1, SEEK_END, "SEEK_END less 1" },
		{ 0, SEEK_CUR, "SEEK_CUR and 0" },
		{ 1, SEEK_CUR, "SEEK_CUR and 1" },
		{ 0, SEEK_DATA, "SEEK_DATA" },
		{ 0, SEEK_HOLE, "SEEK_HOLE" },
		{ 0, 1000, "an unknown way to seek" },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(refused); i++)
		expect_errno(lseek(t->fd, refused[i].offset, refused[i].whence), EINVAL,
			     "%s", refused[i].what);
}

CONFORM(fd, read_write, 0,
	"read() and write() do not work on a buffer. Only mappings and devices can\n"
	"access its contents.")
{
	char byte = 0;

	expect(read(t->fd, &byte, 1) < 0, "read() works");
	expect(write(t->fd, &byte, 1) < 0, "write() works");
	expect(pread(t->fd, &byte, 1, 0) < 0, "pread() works");
	expect(pwrite(t->fd, &byte, 1, 0) < 0, "pwrite() works");
}

CONFORM(fd, size_fixed, 0,
	"A buffer keeps its size: ftruncate() and fallocate() are refused.")
{
	expect(ftruncate(t->fd, 0) < 0, "ftruncate() to 0 works");
	expect(ftruncate(t->fd, 2 * t->size) < 0, "ftruncate() to twice the size works");
	expect(fallocate(t->fd, 0, 0, 2 * t->size) < 0, "fallocate() works");
	expect(lseek(t->fd, 0, SEEK_END) == (off_t)t->size, "the size has changed");
}

CONFORM(fd, rlimit, NEED_ALLOC,
	"If the process has no descriptor left (RLIMIT_NOFILE), the exporter fails\n"
	"with EMFILE and leaves nothing behind: neither a descriptor nor a buffer,\n"
	"which could never be closed.")
{
	struct fd_state before = fd_state();
	int fd = -EMFILE, room;
	struct rlimit limit;
	size_t size = t->size;

	/* The runner looks for a buffer left behind, as after every check. */
	if (watch_blind())
		note("whether a buffer is left behind: %s", watch_blind());

	getrlimit(RLIMIT_NOFILE, &limit);
	/* Some exporters need a descriptor or two before that of the buffer. */
	for (room = 0; room < 8 && fd < 0; room++) {
		limit.rlim_cur = before.lowest + room;
		require(!setrlimit(RLIMIT_NOFILE, &limit), "setrlimit(): %s", errno_name(errno));
		fd = buffer_try(t, &size, O_RDWR | O_CLOEXEC);
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
		expect(room || fd < 0, "there is a buffer beyond the limit");
		if (fd >= 0)
			break;
		expect_result(fd, EMFILE, "a buffer with room for %d descriptors", room);
		expect_no_fd_left(before);
	}
	expect(fd >= 0, "no buffer even with room for %d descriptors", room);
}

CONFORM(fd, no_leak, NEED_ALLOC,
	"close() ends a buffer: making and closing many of them leaves no\n"
	"descriptor, and does not run out of anything.")
{
	/* Large buffers take long on a slow machine: a hundred are enough there. */
	long long end = now_ms() + 5000;
	struct fd_state before = fd_state();
	size_t size;
	int i;

	for (i = 0; i < 100 || (i < 500 && now_ms() < end); i++) {
		size = t->size;
		close(buffer_new(t, &size));
	}
	expect_no_fd_left(before);
}

CONFORM(fd, released, NEED_ALLOC | NEED_BUFINFO,
	"The last close() of a buffer that nothing else uses releases the buffer and\n"
	"its memory: the exporter itself keeps no reference. The kernel's list of\n"
	"buffers (bufinfo) no longer has it then.")
{
	ino_t inos[16];
	unsigned int i, left = 0;
	size_t size;

	for (i = 0; i < ARRAY_SIZE(inos); i++) {
		int fd;

		size = t->size;
		fd = buffer_new(t, &size);
		inos[i] = buffer_ino(fd);
		close(fd);
	}
	/* Wait a second for the first one that is left; all others had that time, too. */
	for (i = 0; i < ARRAY_SIZE(inos); i++)
		left += !!(left ? bufinfo_lines(inos[i]) : bufinfo_lines_left(inos[i]));
	expect(!left, "%u of %zu buffers are there a second after they were closed", left,
	       ARRAY_SIZE(inos));
}

CONFORM(fd, device_closed, NEED_ALLOC | NEED_WRITE,
	"A buffer outlives the descriptor of the device that it was made with, and\n"
	"the process that made it: any descriptor of the buffer keeps it alive.")
{
	char *map = map_whole(t, t->fd, t->size, PROT_READ | PROT_WRITE);
	int fd;

	map[0] = 17;
	map[t->size - 1] = 18;
	munmap(map, t->size);
	/* Close all other descriptors of devices, the exporter's among them. */
	for (fd = 3; fd < 1024; fd++) {
		char link[128] = "";

		if (fd == t->fd || fd_link(fd, link, sizeof(link)) || strncmp(link, "/dev/", 5))
			continue;
		close(fd);
	}
	map = map_whole(t, t->fd, t->size, PROT_READ);
	expect(map[0] == 17 && map[t->size - 1] == 18, "the contents are lost");
	expect(!buffer_sync(t->fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ),
	       "an access cannot be started any more");
}
