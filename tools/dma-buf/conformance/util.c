// SPDX-License-Identifier: GPL-2.0-only
/*
 * dmabuf-conformance: buffers, fences, processes, fdinfo and bufinfo.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <linux/sync_file.h>

#include "conformance.h"

#define SW_SYNC		"/sys/kernel/debug/sync/sw_sync"

static int result(int ret)
{
	return ret < 0 ? -errno : ret;
}

/* Names of the errors that occur here. strerrorname_np() is too new to rely on. */
const char *errno_name(int err)
{
	static const struct {
		int err;
		const char *name;
	} known[] = {
		{ 0, "success" }, { EPERM, "EPERM" }, { ENOENT, "ENOENT" },
		{ EINTR, "EINTR" }, { EIO, "EIO" }, { ENXIO, "ENXIO" },
		{ EBADF, "EBADF" }, { EAGAIN, "EAGAIN" }, { ENOMEM, "ENOMEM" },
		{ EACCES, "EACCES" }, { EFAULT, "EFAULT" }, { EBUSY, "EBUSY" },
		{ ENODEV, "ENODEV" }, { EINVAL, "EINVAL" }, { ENFILE, "ENFILE" },
		{ EMFILE, "EMFILE" }, { ENOTTY, "ENOTTY" }, { ESPIPE, "ESPIPE" },
		{ EOVERFLOW, "EOVERFLOW" }, { EOPNOTSUPP, "EOPNOTSUPP" },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(known); i++)
		if (known[i].err == err)
			return known[i].name;
	return strerror(err);
}

/*
 * Buffers
 */

int buffer_try(struct test *t, size_t *size, int flags)
{
	return t->exporter->alloc(size, flags);
}

/* Another buffer like that of the check: *size bytes if the exporter takes a size */
int buffer_new(struct test *t, size_t *size)
{
	int fd = buffer_try(t, size, O_RDWR | O_CLOEXEC);

	require(fd >= 0, "the exporter cannot make a buffer: %s", errno_name(-fd));
	return fd;
}

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

ino_t buffer_ino(int fd)
{
	struct stat st;

	require(!fstat(fd, &st), "fstat() of a buffer fails: %s", errno_name(errno));
	return st.st_ino;
}

/* Returns NULL, with errno set, if the buffer cannot be mapped. */
void *map_try(int fd, size_t len, int prot, int flags, off_t offset)
{
	void *map = mmap(NULL, len, prot, flags, fd, offset);

	return map == MAP_FAILED ? NULL : map;
}

void *map_whole(struct test *t, int fd, size_t size, int prot)
{
	void *map = map_try(fd, size, prot, MAP_SHARED, 0);

	(void)t;
	require(map, "a buffer of %zu bytes cannot be mapped: %s", size, errno_name(errno));
	return map;
}

/*
 * Fences that signal on request. They are for tests only, so no uapi header has their
 * ioctls; drivers/dma-buf/sw_sync.c describes them.
 */

struct sw_sync_create {
	__u32 value;
	char name[32];
	__s32 fence;
};

#define SW_SYNC_CREATE	_IOWR('W', 0, struct sw_sync_create)
#define SW_SYNC_ADVANCE	_IOW('W', 1, __u32)

int timeline_open(void)
{
	return result(open(SW_SYNC, O_RDWR | O_CLOEXEC));
}

int timeline_fence(int timeline, __u32 seqno)
{
	struct sw_sync_create arg = { .value = seqno, .name = "conformance" };

	require(!ioctl(timeline, SW_SYNC_CREATE, &arg),
		"sw_sync cannot make a fence: %s", errno_name(errno));
	return arg.fence;
}

int timeline_advance(int timeline, __u32 steps)
{
	return result(ioctl(timeline, SW_SYNC_ADVANCE, &steps));
}

/* Add a fence to the buffer. The caller owns the sync_file that is returned. */
int timeline_import(struct test *t, __u32 seqno, int fd, __u32 flags)
{
	int fence = timeline_fence(t->timeline, seqno);
	int err = buffer_import_sync_file(fd, flags, fence);

	require(!err, "a sync_file cannot be imported: %s", errno_name(-err));
	return fence;
}

struct later {
	int timeline;
	__u32 steps;
	unsigned int ms;
};

static void *later_main(void *data)
{
	struct later *later = data;

	sleep_ms(later->ms);
	timeline_advance(later->timeline, later->steps);
	free(later);
	return NULL;
}

void timeline_advance_later(int timeline, __u32 steps, unsigned int ms)
{
	struct later *later = malloc(sizeof(*later));
	pthread_t thread;

	require(later, "out of memory");
	*later = (struct later){ .timeline = timeline, .steps = steps, .ms = ms };
	require(!pthread_create(&thread, NULL, later_main, later), "no thread can be made");
	pthread_detach(thread);
}

int sync_file_merge(int a, int b)
{
	struct sync_merge_data arg = { .name = "merged", .fd2 = b };

	require(!ioctl(a, SYNC_IOC_MERGE, &arg), "sync_files cannot be merged: %s",
		errno_name(errno));
	return arg.fence;
}

/* 1: signalled; 0: pending; negative: an error, of the fence or of the call */
int sync_file_status(int sync_file)
{
	struct sync_file_info info = {};

	if (ioctl(sync_file, SYNC_IOC_FILE_INFO, &info))
		return -errno;
	return info.status;
}

/*
 * Waiting
 */

int poll_once(int fd, short events, int timeout_ms)
{
	struct pollfd pfd = { .fd = fd, .events = events };
	int ret = poll(&pfd, 1, timeout_ms);

	if (ret < 0)
		return -errno;
	return ret ? pfd.revents : 0;
}

static void wake_up(int signal)
{
	(void)signal;
}

/* The signal repeats: one that arrives before the system call has no effect. */
void limit_begin(unsigned int ms)
{
	struct sigaction action = { .sa_handler = wake_up };
	struct itimerval timer = {
		.it_value = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 },
		.it_interval = { .tv_usec = 100000 },
	};

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
}

void limit_end(void)
{
	struct itimerval off = {};

	setitimer(ITIMER_REAL, &off, NULL);
}

void sleep_ms(unsigned int ms)
{
	struct timespec left = {
		.tv_sec = ms / 1000,
		.tv_nsec = ms % 1000 * 1000000L,
	};

	while (nanosleep(&left, &left) && errno == EINTR)
		;
}

long long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

/*
 * /proc and debugfs
 */

/* Returns how many lines have the key, and copies the value of the last one. */
int fdinfo_get(int fd, const char *key, char *value, size_t len)
{
	size_t key_len = strlen(key);
	char path[64], line[1024];
	int found = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	f = fopen(path, "re");
	if (!f)
		skip("%s: %s", path, errno_name(errno));
	while (fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		if (strncmp(line, key, key_len) || strncmp(line + key_len, ":\t", 2))
			continue;
		found++;
		if (value)
			snprintf(value, len, "%s", line + key_len + 2);
	}
	fclose(f);
	return found;
}

static long fdinfo_count(int fd)
{
	char value[32], *end;
	long count;

	require(fdinfo_get(fd, "count", value, sizeof(value)) == 1,
		"there is not just one line 'count:'");
	count = strtol(value, &end, 10);
	require(end != value && !*end, "the count is no number: '%s'", value);
	return count;
}

/* Returns the count, after waiting up to a second for it to become right. */
long fdinfo_count_settled(int fd, long right)
{
	long count = fdinfo_count(fd);
	int i;

	for (i = 0; i < SETTLE_TRIES && count != right; i++) {
		sleep_ms(SETTLE_MS);
		count = fdinfo_count(fd);
	}
	return count;
}

int fd_link(int fd, char *text, size_t len)
{
	char path[64];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	n = readlink(path, text, len - 1);
	if (n < 0)
		return -errno;
	text[n] = '\0';
	return 0;
}

/* How many descriptors this process has open */
static int fd_total(void)
{
	struct dirent *entry;
	int total = 0;
	DIR *dir;

	dir = opendir("/proc/self/fd");
	if (!dir)
		skip("/proc/self/fd: %s", errno_name(errno));
	while ((entry = readdir(dir)))
		total += entry->d_name[0] != '.';
	closedir(dir);
	return total;
}

int lowest_free_fd(void)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	require(fd >= 0, "/dev/null cannot be opened: %s", errno_name(errno));
	close(fd);
	return fd;
}

struct fd_state fd_state(void)
{
	return (struct fd_state){ .total = fd_total(), .lowest = lowest_free_fd() };
}

/* A number that was reserved and never used is not listed, but is not free either. */
void expect_no_fd_left(struct fd_state before)
{
	struct fd_state now = fd_state();

	expect(now.total == before.total, "%d descriptors are left behind",
	       now.total - before.total);
	expect(now.lowest == before.lowest, "the lowest free descriptor was %d, is %d",
	       before.lowest, now.lowest);
}

bool bufinfo_readable(void)
{
	int fd = open(BUFINFO_PATH, O_RDONLY | O_CLOEXEC);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

const char *bufinfo_read(void (*each)(const struct bufinfo_reader *reader,
				      enum bufinfo_kind kind, void *data), void *data)
{
	struct bufinfo_reader reader = {};
	const char *why = NULL;
	enum bufinfo_kind kind;
	char *line = NULL;
	size_t room = 0;
	ssize_t n;
	FILE *f;

	f = fopen(BUFINFO_PATH, "re");
	if (!f)
		return errno_name(errno);
	while (!why && (n = getline(&line, &room, f)) > 0) {
		if (line[n - 1] == '\n')
			line[--n] = '\0';
		else
			why = "its last line is cut short";
		if (strlen(line) != (size_t)n)
			why = "a NUL byte is in it";
		if (why)
			break;
		kind = bufinfo_take(&reader, line);
		if (kind == BUFINFO_NO_HEADING)
			why = "its heading is missing or damaged";
		else if (reader.damage)
			why = "a line of it is not understood, or in the wrong place";
		else if (kind == BUFINFO_BUFFER || kind == BUFINFO_DEVICE_COUNT)
			each(&reader, kind, data);
	}
	if (!why && ferror(f))
		why = errno_name(errno);
	else if (!why && !bufinfo_end(&reader))
		why = "its end is missing";
	else if (!why && (reader.objects != reader.total_objects ||
			  reader.bytes != reader.total_bytes))
		why = "its totals are not those of the buffers in it";
	free(line);
	fclose(f);
	return why;
}

struct tally {
	ino_t ino;
	int lines;
};

static void count_line(const struct bufinfo_reader *reader, enum bufinfo_kind kind,
		       void *data)
{
	struct tally *tally = data;

	tally->lines += kind == BUFINFO_BUFFER && reader->buffer.ino == tally->ino;
}

/* How many lines bufinfo has for the buffer with this inode number */
int bufinfo_lines(ino_t ino)
{
	struct tally tally = { .ino = ino };
	const char *why = bufinfo_read(count_line, &tally);

	require(!why, "%s: %s", BUFINFO_PATH, why);
	return tally.lines;
}

/* Likewise for a closed buffer: none, if they disappear within a second */
int bufinfo_lines_left(ino_t ino)
{
	int lines = bufinfo_lines(ino), i;

	for (i = 0; i < SETTLE_TRIES && lines; i++) {
		sleep_ms(SETTLE_MS);
		lines = bufinfo_lines(ino);
	}
	return lines;
}

/*
 * True if the mapping is one of the buffer's own file. The exporter may have put another
 * file into vma->vm_file: then the rules and references of that file count.
 */
static bool map_is_own(int fd, const void *map)
{
	static const char maps[] = "/proc/self/maps";
	unsigned long long start, end, ino;
	bool found = false, own = false;
	char *line = NULL;
	size_t room = 0;
	int path;
	FILE *f;

	f = fopen(maps, "re");
	if (!f)
		skip("%s: %s", maps, errno_name(errno));
	while (!found && getline(&line, &room, f) > 0) {
		/* addresses, permissions, offset, device, inode number, path */
		if (sscanf(line, "%llx-%llx %*s %*x %*x:%*x %llu %n", &start, &end, &ino,
			   &path) != 3)
			continue;
		found = start <= (uintptr_t)map && (uintptr_t)map < end;
		own = ino == buffer_ino(fd) && !strncmp(line + path, "/dmabuf:", 8);
	}
	free(line);
	fclose(f);
	require(found, "%s does not list a mapping that was made", maps);
	return own;
}

void need_own_map(int fd, const void *map)
{
	if (!map_is_own(fd, map))
		skip("this exporter puts another file than the buffer's into a mapping");
}

bool kernel_before(unsigned int major, unsigned int minor)
{
	unsigned int ours[2] = {};
	struct utsname name;

	if (uname(&name) || sscanf(name.release, "%u.%u", &ours[0], &ours[1]) != 2)
		return false;
	return ours[0] < major || (ours[0] == major && ours[1] < minor);
}

/*
 * Other processes and memory
 */

/*
 * Run a function in a child process. A failure there is a failure of the check. Returns
 * the signal that killed the child, 0 if none did.
 */
int in_process(void (*function)(void *data), void *data)
{
	int status;
	pid_t pid;

	pid = fork();
	require(pid >= 0, "fork() fails: %s", errno_name(errno));
	if (!pid) {
		function(data);
		_exit(has_failed());
	}
	while (waitpid(pid, &status, 0) != pid)
		require(errno == EINTR, "waitpid() fails: %s", errno_name(errno));
	if (WIFSIGNALED(status))
		return WTERMSIG(status);
	if (WEXITSTATUS(status))
		stop("... which was seen in another process");
	return 0;
}

union fd_message {
	struct cmsghdr header;
	char space[CMSG_SPACE(sizeof(int))];
};

int send_fd(int sock, int fd)
{
	char byte = 0;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	union fd_message control = {};
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control.space),
	};
	struct cmsghdr *header = CMSG_FIRSTHDR(&msg);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(header), &fd, sizeof(int));
	return sendmsg(sock, &msg, 0) == 1 ? 0 : -errno;
}

int receive_fd(int sock)
{
	char byte;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	union fd_message control = {};
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control.space),
	};
	struct cmsghdr *header;
	int fd;

	if (recvmsg(sock, &msg, MSG_CMSG_CLOEXEC) != 1)
		return -errno;
	header = CMSG_FIRSTHDR(&msg);
	if (!header || header->cmsg_type != SCM_RIGHTS)
		return -EBADF;
	memcpy(&fd, CMSG_DATA(header), sizeof(int));
	return fd;
}

/* Send a descriptor through a socket, and return the one that is received. */
int pass_fd(int fd)
{
	int pair[2], err, other;

	require(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair),
		"no sockets: %s", errno_name(errno));
	err = send_fd(pair[0], fd);
	require(!err, "a buffer cannot be sent over a socket: %s", errno_name(-err));
	other = receive_fd(pair[1]);
	require(other >= 0, "a buffer cannot be received: %s", errno_name(-other));
	close(pair[0]);
	close(pair[1]);
	return other;
}

/*
 * Execute this program again with --probe, to see whether the descriptor is inherited.
 * Returns 1 if it is, 0 if not, or a negative value if that cannot be told.
 */
int run_probe(int fd)
{
	char number[16];
	int status;
	pid_t pid;

	snprintf(number, sizeof(number), "%d", fd);
	pid = fork();
	if (!pid) {
		execl("/proc/self/exe", "dmabuf-conformance", "--probe", number, NULL);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status) > 1 ? -1 : WEXITSTATUS(status);
}

/* Memory that can be read for so many bytes, and no further */
void *edge_of_memory(size_t readable)
{
	size_t page = getpagesize();
	char *map;

	map = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	require(map != MAP_FAILED && !mprotect(map + page, page, PROT_NONE),
		"no memory can be mapped: %s", errno_name(errno));
	return map + page - readable;
}
