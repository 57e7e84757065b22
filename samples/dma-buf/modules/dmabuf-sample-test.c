// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of the two sample modules from user space. Both modules must be loaded.
 * Prints KTAP. The exit status is 1 if a test fails.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/dma-buf.h>

#include "dmabuf-sample.h"

#define EXPORTER "/dev/dmabuf-sample-exporter"
#define IMPORTER "/dev/dmabuf-sample-importer"
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* Fails the test if the condition is false. Each test has its own process. */
#define EXPECT(cond)							\
	do {								\
		errno = 0;						\
		if (!(cond))						\
			fail(__LINE__, #cond);				\
	} while (0)

/* Fails the test unless the expression fails with this errno. */
#define EXPECT_ERRNO(expr, err)	EXPECT((long)(expr) == -1 && errno == (err))

static int exporter = -1;
static int idle;	/* the exporter module's refcount without any buffer */
static long page;

static void fail(int line, const char *what)
{
	printf("# line %d: %s (errno %d, %s)\n", line, what, errno, strerror(errno));
	fflush(stdout);
	_exit(1);
}

/* Returns the new buffer's descriptor, and its size after rounding up in @real. */
static int create(__u64 size, __u32 flags, __u64 *real)
{
	struct dmabuf_sample_create arg = { .size = size, .flags = flags, .fd = -1 };

	if (ioctl(exporter, DMABUF_SAMPLE_CREATE, &arg))
		return -1;
	if (real)
		*real = arg.size;
	return arg.fd;
}

static int attach(int importer, int fd)
{
	__s32 arg = fd;

	return ioctl(importer, DMABUF_SAMPLE_ATTACH, &arg);
}

/* [sync] */
static int buffer_sync(int fd, __u64 flags)
{
	struct dma_buf_sync sync = { .flags = flags };
	int ret;

	do {
		ret = ioctl(fd, DMA_BUF_IOCTL_SYNC, &sync);
	} while (ret && (errno == EINTR || errno == EAGAIN));
	return ret;
}

/* [sync end] */

/* Writes a pattern within a CPU access, and returns the sum of its bytes. */
static void fill(int fd, unsigned char *map, size_t size, unsigned int seed, __u64 *sum)
{
	size_t i;

	EXPECT(buffer_sync(fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_WRITE) == 0);
	*sum = 0;
	for (i = 0; i < size; i++) {
		map[i] = i * 7 + (i >> 8) + seed;
		*sum += (unsigned char)(i * 7 + (i >> 8) + seed);
	}
	EXPECT(buffer_sync(fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_WRITE) == 0);
}

/* Returns the exporter module's refcount, which includes each buffer, or -1. */
static int users(void)
{
	FILE *f = fopen("/sys/module/dmabuf_sample_exporter/refcnt", "r");
	int n = -1;

	if (f) {
		if (fscanf(f, "%d", &n) != 1)
			n = -1;
		fclose(f);
	}
	return n;
}

/* Buffers are released some time after their last close: wait up to 2 s. */
static void all_released(void)
{
	int i;

	for (i = 0; i < 200 && users() != idle; i++)
		usleep(10000);
	EXPECT(users() == idle);
}

/* Returns the number that the next new descriptor will have. */
static int next_fd(void)
{
	int fd = dup(exporter);

	close(fd);
	return fd;
}

static void test_size(void)
{
	static const __u64 sizes[] = { 1, 4096, 4097, 1000000, DMABUF_SAMPLE_MAX_SIZE };
	__u64 real, whole;
	size_t i;
	int fd;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		whole = (sizes[i] + page - 1) / page * page;
		EXPECT((fd = create(sizes[i], 0, &real)) >= 0);
		EXPECT(real == whole);
		EXPECT(lseek(fd, 0, SEEK_END) == (off_t)whole);
		EXPECT(lseek(fd, 0, SEEK_SET) == 0);
		EXPECT_ERRNO(lseek(fd, 1, SEEK_SET), EINVAL);
		EXPECT(close(fd) == 0);
	}
}

static void test_cloexec(void)
{
	int fd;

	EXPECT((fd = create(page, 0, NULL)) >= 0);
	EXPECT(fcntl(fd, F_GETFD) == 0);
	EXPECT(close(fd) == 0);
	EXPECT((fd = create(page, O_CLOEXEC, NULL)) >= 0);
	EXPECT(fcntl(fd, F_GETFD) == FD_CLOEXEC);
	EXPECT(close(fd) == 0);
}

static void test_identity(void)
{
	struct stat a, b, c;
	int fd, fd2, fd3;

	EXPECT((fd = create(page, 0, NULL)) >= 0);
	EXPECT((fd2 = dup(fd)) >= 0);
	EXPECT((fd3 = create(page, 0, NULL)) >= 0);
	EXPECT(fstat(fd, &a) == 0 && fstat(fd2, &b) == 0 && fstat(fd3, &c) == 0);
	EXPECT(a.st_ino == b.st_ino);
	EXPECT(a.st_ino != c.st_ino);
	EXPECT(close(fd) == 0 && close(fd2) == 0 && close(fd3) == 0);
}

static void test_create_errors(void)
{
	struct dmabuf_sample_create *ro;
	int fd = next_fd();

	EXPECT_ERRNO(create(0, 0, NULL), EINVAL);
	EXPECT_ERRNO(create(DMABUF_SAMPLE_MAX_SIZE + 1, 0, NULL), EINVAL);
	EXPECT_ERRNO(create(~0ULL, 0, NULL), EINVAL);
	EXPECT_ERRNO(create(page, O_CLOEXEC | 1, NULL), EINVAL);
	EXPECT_ERRNO(create(page, O_NONBLOCK, NULL), EINVAL);
	EXPECT_ERRNO(ioctl(exporter, DMABUF_SAMPLE_CREATE, NULL), EFAULT);
	EXPECT_ERRNO(ioctl(exporter, DMABUF_SAMPLE_SUM, NULL), ENOTTY);

	/* A read-only argument: the buffer is made, but cannot be returned. */
	ro = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	EXPECT(ro != MAP_FAILED);
	ro->size = DMABUF_SAMPLE_MAX_SIZE;
	EXPECT(mprotect(ro, page, PROT_READ) == 0);
	EXPECT_ERRNO(ioctl(exporter, DMABUF_SAMPLE_CREATE, ro), EFAULT);
	EXPECT(munmap(ro, page) == 0);

	/* The failed requests leave no descriptor and no buffer behind. */
	EXPECT(next_fd() == fd);
	EXPECT_ERRNO(fcntl(fd, F_GETFD), EBADF);
	all_released();
}

static void test_zeroed(void)
{
	__u64 size, sum = 1;
	int fd, imp;

	EXPECT((fd = create(300000, O_CLOEXEC, &size)) >= 0);
	EXPECT((imp = open(IMPORTER, O_RDWR)) >= 0);
	EXPECT(attach(imp, fd) == 0);
	EXPECT(ioctl(imp, DMABUF_SAMPLE_SUM, &sum) == 0);
	EXPECT(sum == 0);
	EXPECT(close(imp) == 0 && close(fd) == 0);
}

static void test_map(void)
{
	unsigned char *map, *part;
	__u64 size, sum;
	int fd;

	EXPECT((fd = create(5 * page, O_CLOEXEC, &size)) >= 0);
	map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	EXPECT(map != MAP_FAILED);
	fill(fd, map, size, 3, &sum);

	/* A mapping of two pages in the middle shows the same bytes. */
	part = mmap(NULL, 2 * page, PROT_READ, MAP_SHARED, fd, 3 * page);
	EXPECT(part != MAP_FAILED);
	EXPECT(buffer_sync(fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ) == 0);
	EXPECT(memcmp(part, map + 3 * page, 2 * page) == 0);
	EXPECT(part[5] == (unsigned char)((3 * page + 5) * 7 + ((3 * page + 5) >> 8) + 3));
	EXPECT(buffer_sync(fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_READ) == 0);
	EXPECT(munmap(part, 2 * page) == 0);

	/* A mapping past the end, a private one, or growing one is rejected. */
	EXPECT_ERRNO(mmap(NULL, size + page, PROT_READ, MAP_SHARED, fd, 0), EINVAL);
	EXPECT_ERRNO(mmap(NULL, 2 * page, PROT_READ, MAP_SHARED, fd, 4 * page), EINVAL);
	EXPECT_ERRNO(mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0), EINVAL);
	EXPECT(mremap(map, size, size + page, MREMAP_MAYMOVE) == MAP_FAILED);
	EXPECT(munmap(map, size) == 0 && close(fd) == 0);
}

static void test_describe_and_sum(void)
{
	struct dmabuf_sample_describe desc;
	__u64 size, sum, got;
	unsigned char *map;
	int fd, imp;

	EXPECT((fd = create(1234567, O_CLOEXEC, &size)) >= 0);
	map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	EXPECT(map != MAP_FAILED);
	fill(fd, map, size, 1, &sum);

	EXPECT((imp = open(IMPORTER, O_RDWR)) >= 0);
	EXPECT(attach(imp, fd) == 0);
	memset(&desc, 0xff, sizeof(desc));
	EXPECT(ioctl(imp, DMABUF_SAMPLE_DESCRIBE, &desc) == 0);
	printf("# %llu bytes in %u segments\n", (unsigned long long)desc.bytes, desc.segments);
	EXPECT(desc.bytes == size);
	EXPECT(desc.segments >= 1 && desc.segments <= size / page);
	EXPECT(desc.pad == 0);
	EXPECT(ioctl(imp, DMABUF_SAMPLE_SUM, &got) == 0);
	EXPECT(got == sum);

	/* Change the bytes while the importer has a mapping. */
	fill(fd, map, size, 2, &sum);
	EXPECT(ioctl(imp, DMABUF_SAMPLE_SUM, &got) == 0);
	EXPECT(got == sum);

	EXPECT(ioctl(imp, DMABUF_SAMPLE_DETACH) == 0);
	EXPECT(attach(imp, fd) == 0);
	EXPECT(ioctl(imp, DMABUF_SAMPLE_SUM, &got) == 0);
	EXPECT(got == sum);
	EXPECT(ioctl(imp, DMABUF_SAMPLE_DETACH) == 0);
	EXPECT(close(imp) == 0 && munmap(map, size) == 0 && close(fd) == 0);
}

static void test_importer_errors(void)
{
	struct dmabuf_sample_describe desc;
	int fd, fd2, imp;
	__u64 sum;

	EXPECT((fd = create(page, O_CLOEXEC, NULL)) >= 0);
	EXPECT((fd2 = create(page, O_CLOEXEC, NULL)) >= 0);
	EXPECT((imp = open(IMPORTER, O_RDWR)) >= 0);

	EXPECT_ERRNO(ioctl(imp, DMABUF_SAMPLE_DESCRIBE, &desc), ENXIO);
	EXPECT_ERRNO(ioctl(imp, DMABUF_SAMPLE_SUM, &sum), ENXIO);
	EXPECT_ERRNO(ioctl(imp, DMABUF_SAMPLE_DETACH), ENXIO);
	EXPECT_ERRNO(ioctl(imp, DMABUF_SAMPLE_CREATE, &desc), ENOTTY);
	EXPECT_ERRNO(ioctl(imp, DMABUF_SAMPLE_ATTACH, NULL), EFAULT);
	EXPECT_ERRNO(attach(imp, -1), EBADF);
	EXPECT_ERRNO(attach(imp, next_fd()), EBADF);
	EXPECT_ERRNO(attach(imp, imp), EINVAL);
	EXPECT_ERRNO(attach(imp, exporter), EINVAL);

	/* The failed requests leave nothing behind, so attaching works. */
	EXPECT(attach(imp, fd) == 0);
	EXPECT_ERRNO(attach(imp, fd), EBUSY);
	EXPECT_ERRNO(attach(imp, fd2), EBUSY);
	EXPECT_ERRNO(attach(imp, -1), EBUSY);
	EXPECT_ERRNO(ioctl(imp, DMABUF_SAMPLE_DESCRIBE, NULL), EFAULT);
	EXPECT_ERRNO(ioctl(imp, DMABUF_SAMPLE_SUM, NULL), EFAULT);
	EXPECT(ioctl(imp, DMABUF_SAMPLE_DETACH) == 0);
	EXPECT_ERRNO(ioctl(imp, DMABUF_SAMPLE_DETACH), ENXIO);
	EXPECT(attach(imp, fd2) == 0);
	EXPECT(close(imp) == 0 && close(fd) == 0 && close(fd2) == 0);
}

/* Close a descriptor, a mapping and two importers in the given order. */
static void close_in_order(const int order[4])
{
	__u64 size, sum, got;
	unsigned char *map;
	int fd, imp[2], i, j;

	EXPECT((fd = create(3 * page, O_CLOEXEC, &size)) >= 0);
	map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	EXPECT(map != MAP_FAILED);
	fill(fd, map, size, 9, &sum);
	for (i = 0; i < 2; i++) {
		EXPECT((imp[i] = open(IMPORTER, O_RDWR)) >= 0);
		EXPECT(attach(imp[i], fd) == 0);
	}

	for (i = 0; i < 4; i++) {
		switch (order[i]) {
		case 0:
			EXPECT(close(fd) == 0);
			break;
		case 1:
			EXPECT(munmap(map, size) == 0);
			map = NULL;
			break;
		default:
			EXPECT(close(imp[order[i] - 2]) == 0);
			imp[order[i] - 2] = -1;
		}

		/* The remaining importers work as before. */
		for (j = 0; j < 2; j++) {
			if (imp[j] < 0)
				continue;
			EXPECT(ioctl(imp[j], DMABUF_SAMPLE_SUM, &got) == 0);
			EXPECT(got == sum);
		}
		/*
		 * The descriptor may be closed, so this read cannot be bracketed.
		 * That is safe, as nothing has written since fill().
		 */
		if (map)
			EXPECT(map[0] == 9 && map[1] == 16);
	}
}

static void test_close_orders(void)
{
	int order[4], n, i, j;

	for (n = 0; n < 256; n++) {
		for (i = 0; i < 4; i++)
			order[i] = n >> (2 * i) & 3;
		/* Skip all but the 24 permutations of the four. */
		for (i = 0; i < 4; i++)
			for (j = 0; j < i; j++)
				if (order[i] == order[j])
					goto next;
		close_in_order(order);
next:;
	}
	all_released();
}

/*
 * Several processes run this with the same open file. One of them may attach or
 * detach between two requests of another, which then fails with EBUSY or ENXIO.
 */
static void hammer(int imp, int fd, __u64 size, __u64 sum)
{
	struct dmabuf_sample_describe desc;
	__u64 got;
	int i;

	for (i = 0; i < 500; i++) {
		EXPECT(attach(imp, fd) == 0 || errno == EBUSY);
		got = sum;
		EXPECT(ioctl(imp, DMABUF_SAMPLE_SUM, &got) == 0 || errno == ENXIO);
		EXPECT(got == sum);
		desc.bytes = size;
		EXPECT(ioctl(imp, DMABUF_SAMPLE_DESCRIBE, &desc) == 0 || errno == ENXIO);
		EXPECT(desc.bytes == size);
		EXPECT(ioctl(imp, DMABUF_SAMPLE_DETACH) == 0 || errno == ENXIO);
	}
}

static void test_shared_open_file(void)
{
	int fd, imp, i, status, bad = 0;
	__u64 size, sum;
	unsigned char *map;
	pid_t pid[4];

	EXPECT((fd = create(4 * page, O_CLOEXEC, &size)) >= 0);
	map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	EXPECT(map != MAP_FAILED);
	fill(fd, map, size, 5, &sum);
	EXPECT((imp = open(IMPORTER, O_RDWR)) >= 0);

	fflush(stdout);
	for (i = 0; i < 4; i++) {
		EXPECT((pid[i] = fork()) >= 0);
		if (!pid[i]) {
			alarm(60);
			hammer(imp, fd, size, sum);
			_exit(0);
		}
	}
	for (i = 0; i < 4; i++)
		if (waitpid(pid[i], &status, 0) != pid[i] || status)
			bad++;
	EXPECT(bad == 0);
	EXPECT(close(imp) == 0 && munmap(map, size) == 0 && close(fd) == 0);
	all_released();
}

/* Exiting releases the descriptors, mappings and attachments of a process. */
static void test_exit(void)
{
	int fd, imp, status;
	pid_t pid;

	fflush(stdout);
	EXPECT((pid = fork()) >= 0);
	if (!pid) {
		fd = create(page, 0, NULL);
		imp = open(IMPORTER, O_RDWR);
		if (mmap(NULL, page, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED)
			_exit(1);
		_exit(attach(imp, fd) ? 1 : 0);
	}
	EXPECT(waitpid(pid, &status, 0) == pid);
	EXPECT(status == 0);
	all_released();
}

static const struct {
	const char *name;
	void (*run)(void);
} tests[] = {
	{ "size", test_size },
	{ "cloexec", test_cloexec },
	{ "identity", test_identity },
	{ "create_errors", test_create_errors },
	{ "zeroed", test_zeroed },
	{ "map", test_map },
	{ "describe_and_sum", test_describe_and_sum },
	{ "importer_errors", test_importer_errors },
	{ "close_orders", test_close_orders },
	{ "shared_open_file", test_shared_open_file },
	{ "exit", test_exit },
};

/* Run a test in its own process, so that a failed one leaves nothing behind. */
static int run(void (*check)(void))
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid) {
		/* After a deadlock, end the test and go on with the next one. */
		alarm(60);
		check();
		fflush(stdout);
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -1;
	if (WIFSIGNALED(status))
		printf("# ended by signal %d\n", WTERMSIG(status));
	return status;
}

int main(void)
{
	int failed = 0, ret;
	size_t i;

	page = sysconf(_SC_PAGESIZE);
	printf("KTAP version 1\n");
	exporter = open(EXPORTER, O_RDWR | O_CLOEXEC);
	if (exporter < 0) {
		printf("Bail out! %s: %s\n", EXPORTER, strerror(errno));
		return 1;
	}

	printf("1..%zu\n", ARRAY_SIZE(tests));
	idle = users();
	if (idle < 0)
		printf("# the module has no refcnt: the release of buffers is not checked\n");
	for (i = 0; i < ARRAY_SIZE(tests); i++) {
		ret = run(tests[i].run);
		failed += !!ret;
		printf("%s %zu %s\n", ret ? "not ok" : "ok", i + 1, tests[i].name);
		fflush(stdout);
	}
	return failed ? 1 : 0;
}
