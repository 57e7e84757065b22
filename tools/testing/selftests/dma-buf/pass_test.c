// SPDX-License-Identifier: GPL-2.0-only
/*
 * How descriptors of a dma-buf travel: dup, fork, exec, sockets, pidfds, rings.
 * On each way it stays one buffer, each stop is a reference, and the buffer is
 * gone with the last of them.
 */
#include <fcntl.h>
#include <semaphore.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <linux/close_range.h>
#include <linux/io_uring.h>
#include <linux/kcmp.h>

#include "fixture.h"

/*
 * This program again, run by the tests of exec: it then tells by its exit
 * status whether a descriptor came through and is of use, before main().
 */
#define EXEC_PROBE	"DMA_BUF_TEST_PROBE_FD"
#define EXEC_GONE	"DMA_BUF_TEST_GONE_INO"	/* or whether a buffer is gone */
#define PROBE_WORKS	0
#define PROBE_CLOSED	10
#define PROBE_BROKEN	11

/* What the tests leave in the memory and the probe looks for, and its answer */
#define MEMORY_MARK	0x37
#define PROBE_MARK	0x73

static int probe(int fd)
{
	char *map;
	off_t size;

	if (fcntl(fd, F_GETFD) < 0)
		return PROBE_CLOSED;

	size = lseek(fd, 0, SEEK_END);
	if (size <= 0 || buffer_sync(fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW))
		return PROBE_BROKEN;
	map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED || map[0] != MEMORY_MARK)
		return PROBE_BROKEN;
	map[0] = PROBE_MARK;
	if (buffer_sync(fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_RW))
		return PROBE_BROKEN;
	return PROBE_WORKS;
}

static void __attribute__((constructor)) exec_probe(void)
{
	const char *fd = getenv(EXEC_PROBE), *ino = getenv(EXEC_GONE);

	if (ino)
		_exit(bufinfo_lines(strtoull(ino, NULL, 10)) ? PROBE_BROKEN :
							       PROBE_CLOSED);
	if (fd)
		_exit(probe(atoi(fd)));
}

/* Becomes the probe of a descriptor. */
static void exec_to_probe(int fd)
{
	char number[16];

	snprintf(number, sizeof(number), "%d", fd);
	setenv(EXEC_PROBE, number, 1);
	execl("/proc/self/exe", "probe", NULL);
	_exit(127);
}

static int exit_status(pid_t pid)
{
	int status;

	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

static int exec_and_probe(int fd)
{
	pid_t pid = fork();

	if (!pid)
		exec_to_probe(fd);
	return exit_status(pid);
}

/* 0 if the two are one open file */
static int compare_files(int a, int b)
{
	return syscall(SYS_kcmp, getpid(), getpid(), KCMP_FILE, a, b);
}

FIXTURE(pass) {
	int fd;
	size_t size;
	ino_t ino;
};

FIXTURE_VARIANT(pass) {
	enum exporter exporter;
};

EVERY_EXPORTER(pass);

FIXTURE_SETUP(pass)
{
	self->fd = need_buffer(_metadata, variant->exporter, &self->size,
			       O_RDWR | O_CLOEXEC);
	self->ino = buffer_ino(self->fd);
	ASSERT_NE(0, self->ino);
}

FIXTURE_TEARDOWN(pass)
{
	close(self->fd);
}

/*
 * Within a process
 */

TEST_F(pass, dup_is_the_same_buffer)
{
	int fd = dup(self->fd);

	ASSERT_LE(0, fd);
	EXPECT_EQ(self->ino, buffer_ino(fd));
	EXPECT_EQ(0, compare_files(self->fd, fd));
	close(self->fd);
	self->fd = fd;
	EXPECT_EQ(self->size, lseek(self->fd, 0, SEEK_END));
	EXPECT_EQ(0, buffer_set_name(self->fd, "still there"));
	EXPECT_EQ(1, fdinfo_count(self->fd));
}

/* The flag belongs to the descriptor: each way to make one sets it anew */
TEST_F(pass, dup_flags)
{
	int fds[4], i;

	fds[0] = dup(self->fd);
	fds[1] = fcntl(self->fd, F_DUPFD, 100);
	fds[2] = fcntl(self->fd, F_DUPFD_CLOEXEC, 100);
	fds[3] = dup3(self->fd, 200, O_CLOEXEC);
	for (i = 0; i < ARRAY_SIZE(fds); i++) {
		ASSERT_LE(0, fds[i]);
		EXPECT_EQ(i < 2 ? 0 : FD_CLOEXEC, fcntl(fds[i], F_GETFD))
			TH_LOG("way %d", i);
		EXPECT_EQ(0, compare_files(self->fd, fds[i]));
	}
	EXPECT_EQ(100, fds[1]);
	EXPECT_EQ(200, fds[3]);
	EXPECT_EQ(1 + ARRAY_SIZE(fds), fdinfo_count(self->fd));
	for (i = 0; i < ARRAY_SIZE(fds); i++)
		close(fds[i]);
	EXPECT_EQ(FD_CLOEXEC, fcntl(self->fd, F_GETFD));
	EXPECT_EQ(1, fdinfo_count(self->fd));
}

/* A descriptor that is overwritten is one that is closed */
TEST_F(pass, dup2_over_the_last)
{
	need_bufinfo(_metadata);

	ASSERT_EQ(self->fd, dup2(STDERR_FILENO, self->fd));
	EXPECT_EQ(0, bufinfo_lines(self->ino));
	/* Onto itself it changes nothing */
	ASSERT_EQ(self->fd, dup2(self->fd, self->fd));
}

TEST_F(pass, closed_in_a_range)
{
	int fd;

	need_bufinfo(_metadata);

	fd = fcntl(self->fd, F_DUPFD, 300);
	ASSERT_EQ(300, fd);
	close(self->fd);
	self->fd = -1;
	ASSERT_EQ(0, syscall(SYS_close_range, 300, 400, CLOSE_RANGE_CLOEXEC));
	EXPECT_EQ(FD_CLOEXEC, fcntl(fd, F_GETFD));
	EXPECT_EQ(1, bufinfo_lines(self->ino));
	ASSERT_EQ(0, syscall(SYS_close_range, 300, 400, 0));
	EXPECT_EQ(0, bufinfo_lines(self->ino));
}

TEST_F(pass, another_buffer_is_another_file)
{
	size_t size = self->size;
	int other = exporter_alloc(variant->exporter, &size, O_RDWR);

	ASSERT_LE(0, other);
	EXPECT_LT(0, compare_files(self->fd, other));
	EXPECT_EQ(1, fdinfo_count(self->fd));
	EXPECT_EQ(1, fdinfo_count(other));
	close(other);
}

/*
 * exec
 */

static char *map_with_mark(struct __test_metadata *_metadata, int fd, size_t size)
{
	char *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	ASSERT_NE(MAP_FAILED, map);
	map[0] = MEMORY_MARK;
	return map;
}

TEST_F(pass, close_on_exec_if_asked)
{
	size_t size = self->size;
	char *map;
	int fd;

	EXPECT_EQ(FD_CLOEXEC, fcntl(self->fd, F_GETFD));
	EXPECT_EQ(PROBE_CLOSED, exec_and_probe(self->fd));

	/* The program that comes has the buffer and its memory */
	fd = exporter_alloc(variant->exporter, &size, O_RDWR);
	ASSERT_LE(0, fd);
	EXPECT_EQ(0, fcntl(fd, F_GETFD));
	map = map_with_mark(_metadata, fd, size);
	EXPECT_EQ(PROBE_WORKS, exec_and_probe(fd));
	EXPECT_EQ(PROBE_MARK, map[0]);
	munmap(map, size);
	EXPECT_EQ(1, fdinfo_count(fd));
	close(fd);
}

TEST_F(pass, close_on_exec_changed)
{
	char *map;

	ASSERT_EQ(0, fcntl(self->fd, F_SETFD, 0));
	map = map_with_mark(_metadata, self->fd, self->size);
	EXPECT_EQ(PROBE_WORKS, exec_and_probe(self->fd));
	EXPECT_EQ(PROBE_MARK, map[0]);
	ASSERT_EQ(0, fcntl(self->fd, F_SETFD, FD_CLOEXEC));
	EXPECT_EQ(PROBE_CLOSED, exec_and_probe(self->fd));
	munmap(map, self->size);
}

/*
 * An execve() closes like a close(), and takes the maps away. The new program looks,
 * as an exit does the same.
 */
TEST_F(pass, exec_ends_references)
{
	char number[24];
	pid_t pid;

	need_bufinfo(_metadata);

	pid = fork();
	if (!pid) {
		size_t size = self->size;
		int fd = exporter_alloc(variant->exporter, &size,
					O_RDWR | O_CLOEXEC);

		snprintf(number, sizeof(number), "%llu", (unsigned long long)buffer_ino(fd));
		setenv(EXEC_GONE, number, 1);
		if (mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED ||
		    bufinfo_lines(buffer_ino(fd)) != 1)
			_exit(127);
		exec_to_probe(fd);
	}
	EXPECT_EQ(PROBE_CLOSED, exit_status(pid));
}

/*
 * fork
 */

TEST_F(pass, fork_inherits)
{
	char value[64];
	pid_t pid;

	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		_exit(buffer_ino(self->fd) != self->ino ||
		      fdinfo_count(self->fd) != 2 ||
		      buffer_set_name(self->fd, "by the child"));
	EXPECT_EQ(0, exit_status(pid));
	EXPECT_EQ(1, fdinfo_get(self->fd, "name", value, sizeof(value)));
	EXPECT_STREQ("by the child", value);
	EXPECT_EQ(1, fdinfo_count(self->fd));
}

/* A child has its own descriptor, which outlives the parent's */
TEST_F(pass, child_keeps_what_parent_closes)
{
	int pipes[2];
	pid_t pid;
	char byte;

	need_bufinfo(_metadata);

	ASSERT_EQ(0, pipe2(pipes, O_CLOEXEC));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		close(pipes[1]);
		/* Till the parent has closed its own */
		if (read(pipes[0], &byte, 1) != 1)
			_exit(1);
		_exit(buffer_ino(self->fd) != self->ino ||
		      fdinfo_count(self->fd) != 1 ||
		      buffer_sync(self->fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW) ||
		      buffer_sync(self->fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_RW));
	}
	close(pipes[0]);
	close(self->fd);
	self->fd = -1;
	EXPECT_EQ(1, bufinfo_lines(self->ino));
	ASSERT_EQ(1, write(pipes[1], "g", 1));
	EXPECT_EQ(0, exit_status(pid));
	EXPECT_EQ(0, bufinfo_lines(self->ino));
	close(pipes[1]);
}

/*
 * Threads share their descriptors until one unshares the table. The two threads
 * take turns, as a thread that looks at the buffer holds a reference meanwhile,
 * which the other would count.
 */
struct unsharing {
	int fd;
	sem_t unshared, closed;
	const char *problem;
};

static void *unshare_main(void *arg)
{
	struct unsharing *u = arg;
	ino_t ino = buffer_ino(u->fd);

	if (unshare(CLONE_FILES))
		u->problem = "unshare";
	sem_post(&u->unshared);
	sem_wait(&u->closed);
	if (!u->problem && (buffer_ino(u->fd) != ino || bufinfo_lines(ino) != 1))
		u->problem = "lost";
	return NULL;
}

TEST_F(pass, thread_with_a_table_of_its_own)
{
	struct unsharing u = { .fd = self->fd };
	pthread_t thread;

	need_bufinfo(_metadata);

	sem_init(&u.unshared, 0, 0);
	sem_init(&u.closed, 0, 0);
	ASSERT_EQ(0, pthread_create(&thread, NULL, unshare_main, &u));
	sem_wait(&u.unshared);
	EXPECT_EQ(2, fdinfo_count(self->fd));
	close(self->fd);
	sem_post(&u.closed);
	pthread_join(thread, NULL);
	EXPECT_EQ(-1, fcntl(self->fd, F_GETFD));
	self->fd = -1;
	EXPECT_EQ(NULL, u.problem)
		TH_LOG("%s", u.problem);
	/* The thread's table goes a moment after the join */
	EXPECT_EQ(0, bufinfo_lines_settle(self->ino, 0));
}

/*
 * Sockets
 */

#define MOST_FDS	4

static int send_fds(int sock, const int *fds, int n)
{
	char byte = 'f', control[CMSG_SPACE(MOST_FDS * sizeof(int))] = {};
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = CMSG_SPACE(n * sizeof(int)),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(n * sizeof(int));
	memcpy(CMSG_DATA(cmsg), fds, n * sizeof(int));
	return sendmsg(sock, &msg, 0) == 1 ? 0 : -errno;
}

/* Returns the number of descriptors received, or a negative errno */
static int receive_fds(int sock, int *fds, int flags)
{
	char byte, control[CMSG_SPACE(MOST_FDS * sizeof(int))] = {};
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg;
	int n;

	if (recvmsg(sock, &msg, flags) != 1)
		return -errno;
	cmsg = CMSG_FIRSTHDR(&msg);
	if (!cmsg || cmsg->cmsg_type != SCM_RIGHTS)
		return -ENOMSG;
	n = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	memcpy(fds, CMSG_DATA(cmsg), n * sizeof(int));
	return n;
}

static int send_fd(int sock, int fd)
{
	return send_fds(sock, &fd, 1);
}

static int receive_fd(int sock)
{
	int fds[MOST_FDS], n = receive_fds(sock, fds, MSG_CMSG_CLOEXEC);

	return n == 1 ? fds[0] : n < 0 ? n : -EBADMSG;
}

/* Is it the buffer, and can it be used? For a process that was sent it */
static bool works(int fd, ino_t ino, size_t size)
{
	return fd >= 0 && buffer_ino(fd) == ino &&
	       lseek(fd, 0, SEEK_END) == (off_t)size &&
	       !buffer_sync(fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW) &&
	       !buffer_sync(fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_RW);
}

TEST_F(pass, passed_through_a_socket)
{
	int socks[2];
	pid_t pid;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, socks));

	/* The child has no descriptor of the buffer but the one it is sent */
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		close(self->fd);
		close(socks[0]);
		_exit(!works(receive_fd(socks[1]), self->ino, self->size));
	}
	EXPECT_EQ(0, send_fd(socks[0], self->fd));
	EXPECT_EQ(0, exit_status(pid));
	EXPECT_EQ(1, fdinfo_count(self->fd));
	close(socks[0]);
	close(socks[1]);
}

/* The receiver says whether it wants close-on-exec, whatever the sender had */
TEST_F(pass, receiver_chooses_the_flag)
{
	int socks[2], fds[MOST_FDS];

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, socks));
	ASSERT_EQ(0, send_fd(socks[0], self->fd));
	ASSERT_EQ(1, receive_fds(socks[1], fds, 0));
	EXPECT_EQ(0, fcntl(fds[0], F_GETFD));
	close(fds[0]);

	ASSERT_EQ(0, fcntl(self->fd, F_SETFD, 0));
	ASSERT_EQ(0, send_fd(socks[0], self->fd));
	ASSERT_EQ(1, receive_fds(socks[1], fds, MSG_CMSG_CLOEXEC));
	EXPECT_EQ(FD_CLOEXEC, fcntl(fds[0], F_GETFD));
	EXPECT_EQ(0, compare_files(self->fd, fds[0]));
	close(fds[0]);
	EXPECT_EQ(1, fdinfo_count(self->fd));
	close(socks[0]);
	close(socks[1]);
}

/* Two buffers, one of them twice, and a sync_file: a frame, as it were */
TEST_F(pass, several_in_one_message)
{
	int socks[2], fds[MOST_FDS], out[MOST_FDS], other, fence, i;
	size_t size = self->size;

	other = exporter_alloc(variant->exporter, &size, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, other);
	fence = buffer_export_sync_file(self->fd, DMA_BUF_SYNC_READ);
	ASSERT_LE(0, fence);
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, socks));

	out[0] = self->fd;
	out[1] = other;
	out[2] = fence;
	out[3] = self->fd;
	ASSERT_EQ(0, send_fds(socks[0], out, 4));
	/* What waits in the socket counts, twice */
	EXPECT_EQ(3, fdinfo_count(self->fd));
	EXPECT_EQ(2, fdinfo_count(other));

	ASSERT_EQ(4, receive_fds(socks[1], fds, MSG_CMSG_CLOEXEC));
	for (i = 0; i < 4; i++)
		EXPECT_EQ(0, compare_files(out[i], fds[i]));
	EXPECT_EQ(0, buffer_import_sync_file(fds[1], DMA_BUF_SYNC_WRITE, fds[2]));
	for (i = 0; i < 4; i++)
		close(fds[i]);
	EXPECT_EQ(1, fdinfo_count(self->fd));
	EXPECT_EQ(1, fdinfo_count(other));
	close(fence);
	close(other);
	close(socks[0]);
	close(socks[1]);
}

/* Each look at a message that stays there makes descriptors anew */
TEST_F(pass, peeked_at)
{
	int socks[2], peeked[MOST_FDS], fd;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, socks));
	ASSERT_EQ(0, send_fd(socks[0], self->fd));
	close(self->fd);
	ASSERT_EQ(1, receive_fds(socks[1], peeked, MSG_PEEK));
	EXPECT_EQ(2, fdinfo_count(peeked[0]));
	close(peeked[0]);
	fd = receive_fd(socks[1]);
	ASSERT_LE(0, fd);
	self->fd = fd;
	EXPECT_EQ(self->ino, buffer_ino(fd));
	EXPECT_EQ(1, fdinfo_count(fd));
	close(socks[0]);
	close(socks[1]);
}

/* From hand to hand: each process has it only for a while */
TEST_F(pass, passed_on)
{
	int hops[4][2], i, fd;
	pid_t pids[3];

	for (i = 0; i < 4; i++)
		ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, hops[i]));
	for (i = 0; i < 3; i++) {
		pids[i] = fork();
		ASSERT_LE(0, pids[i]);
		if (!pids[i]) {
			close(self->fd);
			fd = receive_fd(hops[i][1]);
			if (!works(fd, self->ino, self->size))
				_exit(1);
			_exit(!!send_fd(hops[i + 1][0], fd));
		}
	}
	ASSERT_EQ(0, send_fd(hops[0][0], self->fd));
	close(self->fd);
	self->fd = receive_fd(hops[3][1]);
	for (i = 0; i < 3; i++)
		EXPECT_EQ(0, exit_status(pids[i]));
	EXPECT_TRUE(works(self->fd, self->ino, self->size));
	EXPECT_EQ(1, fdinfo_count(self->fd));
}

/* A buffer whose only reference is a message that has not been received yet */
TEST_F(pass, lives_in_a_socket)
{
	int socks[2], fd;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, socks));
	EXPECT_EQ(0, send_fd(socks[0], self->fd));
	close(self->fd);
	if (bufinfo_readable())
		EXPECT_EQ(1, bufinfo_lines(self->ino));

	fd = receive_fd(socks[1]);
	ASSERT_LE(0, fd);
	self->fd = fd;
	EXPECT_EQ(self->ino, buffer_ino(fd));
	EXPECT_EQ(1, fdinfo_count(fd));
	close(socks[0]);
	close(socks[1]);
}

/* ... and a message that never will be received */
TEST_F(pass, dies_in_a_socket)
{
	int socks[2];

	need_bufinfo(_metadata);

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, socks));
	EXPECT_EQ(0, send_fd(socks[0], self->fd));
	close(self->fd);
	self->fd = -1;
	close(socks[0]);
	EXPECT_EQ(1, bufinfo_lines(self->ino));
	close(socks[1]);
	/* The socket may be torn down after its close() has returned */
	EXPECT_EQ(0, bufinfo_lines_settle(self->ino, 0));
}

/*
 * In sockets that nothing holds but themselves: the collector of unix sockets
 * looks for such when one of them is closed, and lets the buffer go in a worker.
 */
TEST_F(pass, dies_in_a_cycle)
{
	int socks[2], fds[2];

	need_bufinfo(_metadata);

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, socks));
	fds[0] = socks[1];
	fds[1] = self->fd;
	ASSERT_EQ(0, send_fds(socks[0], fds, 2));
	fds[0] = socks[0];
	ASSERT_EQ(0, send_fds(socks[1], fds, 2));
	close(self->fd);
	self->fd = -1;
	EXPECT_EQ(1, bufinfo_lines(self->ino));
	close(socks[0]);
	close(socks[1]);
	EXPECT_EQ(1, bufinfo_lines(self->ino));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, socks));
	close(socks[0]);
	close(socks[1]);
	EXPECT_EQ(0, bufinfo_lines_settle(self->ino, 0));
}

/*
 * Another process's descriptors
 */

TEST_F(pass, taken_by_pidfd)
{
	int pipes[2], pidfd, fd;
	pid_t pid;
	char byte;

	ASSERT_EQ(0, pipe2(pipes, O_CLOEXEC));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		/* Keeps the buffer until the parent says good-bye */
		close(pipes[1]);
		_exit(read(pipes[0], &byte, 1) != 0);
	}
	close(pipes[0]);

	pidfd = syscall(SYS_pidfd_open, pid, 0);
	ASSERT_LE(0, pidfd);
	fd = syscall(SYS_pidfd_getfd, pidfd, self->fd, 0);
	ASSERT_LE(0, fd);
	EXPECT_EQ(self->ino, buffer_ino(fd));
	EXPECT_EQ(0, compare_files(self->fd, fd));
	EXPECT_EQ(3, fdinfo_count(fd));
	EXPECT_EQ(FD_CLOEXEC, fcntl(fd, F_GETFD));
	EXPECT_TRUE(works(fd, self->ino, self->size));

	close(pipes[1]);
	EXPECT_EQ(0, exit_status(pid));
	EXPECT_EQ(2, fdinfo_count(fd));
	/* No descriptor is left through which fdinfo could be read */
	EXPECT_EQ(-1, syscall(SYS_pidfd_getfd, pidfd, self->fd, 0));
	EXPECT_EQ(ESRCH, errno);
	close(fd);
	close(pidfd);
}

/* The process that had it alone is gone: what was taken keeps the buffer */
TEST_F(pass, pidfd_outlives_the_process)
{
	int pidfd, fd, numbers[2], go[2], number = -1;
	char byte = 0;
	pid_t pid;

	need_bufinfo(_metadata);

	ASSERT_EQ(0, pipe2(numbers, O_CLOEXEC));
	ASSERT_EQ(0, pipe2(go, O_CLOEXEC));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		size_t size = self->size;

		close(go[1]);
		number = exporter_alloc(variant->exporter, &size, O_RDWR | O_CLOEXEC);
		if (number < 0 || write(numbers[1], &number, sizeof(number)) !=
		    sizeof(number))
			_exit(1);
		_exit(read(go[0], &byte, 1) != 0);
	}
	close(go[0]);
	ASSERT_EQ(sizeof(number), read(numbers[0], &number, sizeof(number)));
	pidfd = syscall(SYS_pidfd_open, pid, 0);
	ASSERT_LE(0, pidfd);
	fd = syscall(SYS_pidfd_getfd, pidfd, number, 0);
	ASSERT_LE(0, fd);
	close(go[1]);
	EXPECT_EQ(0, exit_status(pid));

	close(self->fd);
	self->fd = fd;
	self->ino = buffer_ino(fd);
	EXPECT_EQ(1, bufinfo_lines(self->ino));
	EXPECT_EQ(1, fdinfo_count(fd));
	EXPECT_TRUE(works(fd, self->ino, self->size));
	close(self->fd);
	self->fd = -1;
	EXPECT_EQ(0, bufinfo_lines(self->ino));
	close(pidfd);
}

/*
 * io_uring: a table of files that is no descriptor table
 */

TEST_F(pass, registered_with_a_ring)
{
	struct io_uring_params params = {};
	int ring;

	need_bufinfo(_metadata);

	ring = syscall(SYS_io_uring_setup, 1, &params);
	if (ring < 0 && (errno == EPERM || access("/proc/sys/kernel/io_uring_disabled", F_OK)))
		SKIP_TEST("io_uring is not there, or not for us");
	ASSERT_LE(0, ring);
	ASSERT_EQ(0, syscall(SYS_io_uring_register, ring, IORING_REGISTER_FILES,
			     &self->fd, 1));
	EXPECT_EQ(2, fdinfo_count(self->fd));
	close(self->fd);
	self->fd = -1;
	EXPECT_EQ(1, bufinfo_lines(self->ino));
	close(ring);
	EXPECT_EQ(0, bufinfo_lines_settle(self->ino, 0));
}

TEST_HARNESS_MAIN
