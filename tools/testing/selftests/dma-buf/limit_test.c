// SPDX-License-Identifier: GPL-2.0-only
/*
 * Each call that makes a descriptor, with no descriptor or no file left. The
 * call must fail with the errno for that, leak no buffer, memory, reference or
 * descriptor, and succeed once there is room.
 */
#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "fixture.h"

#define FILE_MAX	"/proc/sys/fs/file-max"

/* Descriptors from the lowest free one on cannot be had, but for room many. */
static struct rlimit limit_begin(struct __test_metadata *_metadata, int room)
{
	struct rlimit old, limit;

	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &old));
	limit = old;
	limit.rlim_cur = lowest_free_fd() + room;
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
	return old;
}

static void limit_end(struct __test_metadata *_metadata, struct rlimit old)
{
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &old));
}

static long buffers(struct __test_metadata *_metadata)
{
	long long bytes;
	long count;

	ASSERT_EQ(0, bufinfo_total(&count, &bytes));
	return count;
}

/*
 * Making buffers
 */

FIXTURE(make) {
	struct source source;
	long buffers;
	int free_fd;
};

FIXTURE_VARIANT(make) {
	enum exporter exporter;
};

EVERY_EXPORTER(make);

FIXTURE_SETUP(make)
{
	int err;

	need_bufinfo(_metadata);
	err = source_open(&self->source, variant->exporter,
			  TEST_PAGES * getpagesize());
	need_exporter(_metadata, variant->exporter, err);
	self->buffers = buffers(_metadata);
	self->free_fd = lowest_free_fd();
}

FIXTURE_TEARDOWN(make)
{
	source_close(&self->source);
}

static void works_again(struct __test_metadata *_metadata, struct source *source,
			long before, int free_fd)
{
	int fd;

	/* A buffer that failed to get a descriptor may go once it is tried again */
	EXPECT_EQ(free_fd, lowest_free_fd());
	fd = source_export(source, O_RDWR | O_CLOEXEC);
	EXPECT_EQ(free_fd, fd);
	EXPECT_EQ(before + 1, buffers(_metadata));
	EXPECT_LT(0, fdinfo_count(fd));
	EXPECT_EQ(source->size, lseek(fd, 0, SEEK_END));
	close(fd);
}

TEST_F(make, no_descriptor)
{
	struct rlimit old;
	int i;

	old = limit_begin(_metadata, 0);
	/* Once is luck; and what leaks a little shows after many */
	for (i = 0; i < 20; i++) {
		EXPECT_EQ(-EMFILE, source_export(&self->source, O_RDWR));
		EXPECT_EQ(-EMFILE, source_export(&self->source, O_RDWR | O_CLOEXEC));
	}
	limit_end(_metadata, old);

	/* What a driver keeps for itself is not more than one buffer */
	EXPECT_GE(self->buffers + (variant->exporter == VGEM), buffers(_metadata));
	works_again(_metadata, &self->source, self->buffers, self->free_fd);
	source_close(&self->source);
	EXPECT_EQ(self->buffers, buffers(_metadata));
	self->source = (struct source) { .dev = -1, .memfd = -1 };
}

/* The last one there is will do */
TEST_F(make, one_descriptor)
{
	struct rlimit old;
	int fd;

	old = limit_begin(_metadata, 1);
	fd = source_export(&self->source, O_RDWR | O_CLOEXEC);
	EXPECT_EQ(self->free_fd, fd);
	EXPECT_EQ(-EMFILE, source_export(&self->source, O_RDWR | O_CLOEXEC));
	limit_end(_metadata, old);
	EXPECT_EQ(self->buffers + 1, buffers(_metadata));
	close(fd);
	works_again(_metadata, &self->source, self->buffers, self->free_fd);
}

/*
 * The system-wide limit of open files does not apply to root. The device is
 * open already; the child that asks for a buffer runs as user nobody.
 */
static int export_as_nobody(struct source *source)
{
	int status, err;
	pid_t pid;

	pid = fork();
	if (!pid) {
		if (setresgid(65534, 65534, 65534) || setresuid(65534, 65534, 65534))
			_exit(255);
		err = source_export(source, O_RDWR | O_CLOEXEC);
		_exit(err < 0 ? -err : 0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

static int write_file_max(const char *text)
{
	int fd = open(FILE_MAX, O_WRONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = write(fd, text, strlen(text));
	close(fd);
	return n < 0 ? -errno : 0;
}

TEST_F(make, no_file)
{
	char old[32] = "";
	int fd, status;

	fd = open(FILE_MAX, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		SKIP_TEST("%s: %s", FILE_MAX, strerror(errno));
	ASSERT_LT(0, read(fd, old, sizeof(old) - 1));
	close(fd);

	/*
	 * 0, as the kernel's quick count of files may be off by dozens. Nothing
	 * that could end the test comes before the limit is back.
	 */
	status = write_file_max("0") ? 254 : export_as_nobody(&self->source);
	ASSERT_EQ(0, write_file_max(old));

	/* videobuf2 has one errno for whatever went wrong */
	EXPECT_EQ(variant->exporter == VIVID ? EINVAL : ENFILE, status);
	EXPECT_EQ(self->buffers, buffers(_metadata));
	EXPECT_EQ(0, export_as_nobody(&self->source));
	works_again(_metadata, &self->source, self->buffers, self->free_fd);
}

/* udmabuf lets user space see that the pages of the failed buffer are free */
TEST(pages_are_let_go)
{
	struct source source;
	struct rlimit old;
	int err;

	err = source_open(&source, UDMABUF, TEST_PAGES * getpagesize());
	need_exporter(_metadata, UDMABUF, err);
	old = limit_begin(_metadata, 0);
	EXPECT_EQ(-EMFILE, source_export(&source, O_CLOEXEC));
	limit_end(_metadata, old);
	EXPECT_EQ(0, udmabuf_memory_pinned(source.memfd));
	source_close(&source);
}

/*
 * A handle is not used up by an export that failed, nor does it get a second
 * buffer by one that does not.
 */
TEST(prime_handle_to_fd)
{
	struct source source;
	struct rlimit old;
	int err, first, second;

	err = source_open(&source, VGEM, TEST_PAGES * getpagesize());
	need_exporter(_metadata, VGEM, err);
	first = source_export(&source, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, first);
	old = limit_begin(_metadata, 0);
	EXPECT_EQ(-EMFILE, source_export(&source, O_RDWR));
	limit_end(_metadata, old);
	second = source_export(&source, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, second);
	EXPECT_EQ(buffer_ino(first), buffer_ino(second));
	close(first);
	close(second);
	source_close(&source);
}

/*
 * Descriptors of a buffer that is there
 */

FIXTURE(more) {
	int fd;
	size_t size;
	int free_fd;
};

FIXTURE_VARIANT(more) {
	enum exporter exporter;
};

EVERY_EXPORTER(more);

FIXTURE_SETUP(more)
{
	self->fd = need_buffer(_metadata, variant->exporter, &self->size,
			       O_RDWR | O_CLOEXEC);
	self->free_fd = lowest_free_fd();
}

FIXTURE_TEARDOWN(more)
{
	close(self->fd);
}

TEST_F(more, duplicates)
{
	struct rlimit old = limit_begin(_metadata, 0);

	EXPECT_EQ(-1, dup(self->fd));
	EXPECT_EQ(EMFILE, errno);
	EXPECT_EQ(-1, fcntl(self->fd, F_DUPFD, 0));
	EXPECT_EQ(EMFILE, errno);
	EXPECT_EQ(-1, fcntl(self->fd, F_DUPFD_CLOEXEC, 0));
	EXPECT_EQ(EMFILE, errno);
	/* A number that one may not have is a bad one */
	EXPECT_EQ(-1, dup2(self->fd, self->free_fd));
	EXPECT_EQ(EBADF, errno);
	EXPECT_EQ(-1, dup3(self->fd, self->free_fd, O_CLOEXEC));
	EXPECT_EQ(EBADF, errno);
	limit_end(_metadata, old);
	EXPECT_EQ(1, fdinfo_count(self->fd));
	EXPECT_EQ(self->free_fd, lowest_free_fd());
}

TEST_F(more, sync_file)
{
	struct rlimit old = limit_begin(_metadata, 0);
	__u32 dir;
	int fence;

	for (dir = DMA_BUF_SYNC_READ; dir <= DMA_BUF_SYNC_RW; dir++)
		EXPECT_EQ(-EMFILE, buffer_export_sync_file(self->fd, dir));
	/* Flags are looked at first */
	EXPECT_EQ(-EINVAL, buffer_export_sync_file(self->fd, 0));
	limit_end(_metadata, old);
	EXPECT_EQ(1, fdinfo_count(self->fd));
	EXPECT_EQ(self->free_fd, lowest_free_fd());
	fence = buffer_export_sync_file(self->fd, DMA_BUF_SYNC_RW);
	EXPECT_EQ(self->free_fd, fence);
	close(fence);
}

/* With fences that are pending: they are not held by what was not made */
TEST_F(more, sync_file_of_pending_fences)
{
	int timeline = need_timeline(_metadata);
	struct rlimit old;

	ASSERT_EQ(0, timeline_import(timeline, 1, self->fd, DMA_BUF_SYNC_WRITE));
	old = limit_begin(_metadata, 0);
	EXPECT_EQ(-EMFILE, buffer_export_sync_file(self->fd, DMA_BUF_SYNC_WRITE));
	limit_end(_metadata, old);
	EXPECT_EQ(0, poll_now(self->fd, POLLIN | POLLOUT));
	ASSERT_EQ(0, timeline_advance(timeline, 1));
	EXPECT_EQ(POLLIN | POLLOUT, poll_now(self->fd, POLLIN | POLLOUT));
	close(timeline);
}

static int send_twice(int sock, int fd)
{
	char byte = 'f', control[CMSG_SPACE(2 * sizeof(int))] = {};
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
	const int fds[] = { fd, fd };

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(fds));
	memcpy(CMSG_DATA(cmsg), fds, sizeof(fds));
	return sendmsg(sock, &msg, 0) == 1 ? 0 : -errno;
}

/* Returns the message's flags; *n becomes the number of descriptors received. */
static int receive_some(int sock, int *fds, int *n)
{
	char byte, control[CMSG_SPACE(2 * sizeof(int))] = {};
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg;

	*n = 0;
	if (recvmsg(sock, &msg, MSG_CMSG_CLOEXEC) != 1)
		return -errno;
	cmsg = CMSG_FIRSTHDR(&msg);
	if (cmsg && cmsg->cmsg_type == SCM_RIGHTS) {
		*n = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		memcpy(fds, CMSG_DATA(cmsg), *n * sizeof(int));
	}
	return msg.msg_flags & MSG_CTRUNC;
}

/*
 * A message is read even if not all that it holds can be had: the reader is
 * told, and what did not fit is closed.
 */
TEST_F(more, received)
{
	int socks[2], fds[2], n, room;
	struct rlimit old;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, socks));
	for (room = 0; room <= 2; room++) {
		ASSERT_EQ(0, send_twice(socks[0], self->fd));
		EXPECT_EQ(3, fdinfo_count(self->fd));
		old = limit_begin(_metadata, room);
		EXPECT_EQ(room < 2 ? MSG_CTRUNC : 0, receive_some(socks[1], fds, &n))
			TH_LOG("room for %d", room);
		limit_end(_metadata, old);
		EXPECT_EQ(room, n);
		EXPECT_EQ(1 + room, fdinfo_count(self->fd));
		while (n--)
			close(fds[n]);
		EXPECT_EQ(1, fdinfo_count(self->fd));
	}
	close(socks[0]);
	close(socks[1]);
}

/* ... and if that was the last reference, the buffer is gone */
TEST_F(more, received_nowhere)
{
	int socks[2], fds[2], n;
	ino_t ino = buffer_ino(self->fd);
	struct rlimit old;

	need_bufinfo(_metadata);

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, socks));
	ASSERT_EQ(0, send_twice(socks[0], self->fd));
	close(self->fd);
	EXPECT_EQ(1, bufinfo_lines(ino));
	/* The lowest free number is the one that the buffer had */
	old = limit_begin(_metadata, 0);
	EXPECT_EQ(MSG_CTRUNC, receive_some(socks[1], fds, &n));
	limit_end(_metadata, old);
	EXPECT_EQ(0, n);
	EXPECT_EQ(0, bufinfo_lines(ino));
	self->fd = -1;
	close(socks[0]);
	close(socks[1]);
}

TEST_F(more, pidfd_getfd)
{
	int pidfd = syscall(SYS_pidfd_open, getpid(), 0);
	struct rlimit old;

	ASSERT_LE(0, pidfd);
	old = limit_begin(_metadata, 0);
	EXPECT_EQ(-1, syscall(SYS_pidfd_getfd, pidfd, self->fd, 0));
	EXPECT_EQ(EMFILE, errno);
	limit_end(_metadata, old);
	EXPECT_EQ(1, fdinfo_count(self->fd));
	close(pidfd);
}

/* All else needs no descriptor */
TEST_F(more, what_goes_on)
{
	struct rlimit old = limit_begin(_metadata, 0);
	void *map;

	EXPECT_EQ(0, buffer_sync(self->fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW));
	EXPECT_EQ(0, buffer_sync(self->fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_RW));
	EXPECT_EQ(0, buffer_set_name(self->fd, "no room"));
	EXPECT_EQ(self->size, lseek(self->fd, 0, SEEK_END));
	EXPECT_EQ(POLLIN | POLLOUT, poll_now(self->fd, POLLIN | POLLOUT));
	map = mmap(NULL, self->size, PROT_READ, MAP_SHARED, self->fd, 0);
	EXPECT_NE(MAP_FAILED, map);
	munmap(map, self->size);
	limit_end(_metadata, old);
	EXPECT_EQ(1, fdinfo_count(self->fd));
}

TEST_HARNESS_MAIN
