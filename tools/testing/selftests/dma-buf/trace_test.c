// SPDX-License-Identifier: GPL-2.0-only
/*
 * Trace events: each is there when its operation is done, with the buffer, the
 * device, the descriptor, the error and the times that belong to it.
 */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "fixture.h"
#include "testdev.h"

#define TRACEFS		"/sys/kernel/tracing"
#define TEXT_MAX	(256 * 1024)
#define DYNAMIC		DMA_BUF_TEST_IMPORTER_DYNAMIC

/* An instance of the kernel's tracer, the test's own */
struct tracer {
	char dir[64];
	char text[TEXT_MAX];	/* what it recorded, see recorded() */
};

static int tracer_write(struct tracer *tracer, const char *file, const char *text)
{
	char path[160];
	int fd, ret = 0;

	snprintf(path, sizeof(path), "%s/%s", tracer->dir, file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		ret = -errno;
	close(fd);
	return ret;
}

/* Events on or off, from here on */
static int tracer_switch(struct tracer *tracer, bool on)
{
	return tracer_write(tracer, "events/dma_buf/enable", on ? "1" : "0");
}

/* Reads what was recorded so far. */
static void recorded(struct tracer *tracer)
{
	char path[160];
	size_t len = 0;
	ssize_t got;
	int fd;

	snprintf(path, sizeof(path), "%s/trace", tracer->dir);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	while (fd >= 0 && len < TEXT_MAX - 1 &&
	       (got = read(fd, tracer->text + len, TEXT_MAX - 1 - len)) > 0)
		len += got;
	tracer->text[len] = '\0';
	close(fd);
}

/*
 * Count the events of a name for a buffer. *line becomes the last of them, from
 * its fields on; up to its end if NULL is all that is known of it.
 */
static int events(struct tracer *tracer, const char *event, ino_t ino, char *line,
		  size_t size)
{
	char name[64], number[32];
	int count = 0;
	char *p, *end;

	snprintf(name, sizeof(name), " %s: ", event);
	snprintf(number, sizeof(number), " ino=%llu", (unsigned long long)ino);
	*line = '\0';
	for (p = tracer->text; (p = strstr(p, name)); p = end) {
		char *at = strstr(p, number);
		size_t len;

		end = p + strcspn(p, "\n");
		if (!at || at > end || (at[strlen(number)] != ' ' &&
					at[strlen(number)] != '\n'))
			continue;
		count++;
		p += strlen(name);
		len = end - p < size - 1 ? end - p : size - 1;
		memcpy(line, p, len);
		line[len] = '\0';
	}
	return count;
}

/* A field of a line, "" if it has no such field */
static const char *field(const char *line, const char *key)
{
	static char value[128];
	char name[64];
	const char *p;

	snprintf(name, sizeof(name), " %s=", key);
	p = strstr(line, name);
	if (!strncmp(line, name + 1, strlen(name) - 1))
		p = line - 1;
	value[0] = '\0';
	if (p)
		sscanf(p + strlen(name), "%127s", value);
	return value;
}

static long long number(const char *line, const char *key)
{
	const char *value = field(line, key);
	char *end;
	long long n = strtoll(value, &end, 0);

	return *value && !*end ? n : -1;
}

FIXTURE(trace) {
	struct tracer *tracer;
	int testdev;
	int fd;
	__u32 id;
	size_t size;
	ino_t ino;
	char line[512];
};

FIXTURE_SETUP(trace)
{
	struct stat st;

	if (stat(TRACEFS "/events/dma_buf", &st))
		SKIP_TEST(TRACEFS "/events/dma_buf: %s", strerror(errno));
	self->testdev = need_testdev(_metadata);
	self->size = TEST_PAGES * getpagesize();
	self->tracer = calloc(1, sizeof(*self->tracer));
	ASSERT_NE(NULL, self->tracer);
	snprintf(self->tracer->dir, sizeof(self->tracer->dir),
		 TRACEFS "/instances/dma_buf_%d", getpid());
	ASSERT_EQ(0, mkdir(self->tracer->dir, 0700));
	ASSERT_EQ(0, tracer_switch(self->tracer, true));
}

FIXTURE_TEARDOWN(trace)
{
	tracer_switch(self->tracer, false);
	close(self->testdev);
	EXPECT_EQ(0, rmdir(self->tracer->dir));
	free(self->tracer);
}

static void make(struct __test_metadata *_metadata, FIXTURE_DATA(trace) *self,
		 __u32 kind)
{
	self->fd = testdev_create(self->testdev, kind, self->size, &self->id);
	ASSERT_LE(0, self->fd);
	self->ino = buffer_ino(self->fd);
	ASSERT_NE(0, self->ino);
}

/* The events of a name that the buffer has; self->line becomes the last one. */
#define EVENTS(name) \
	events(self->tracer, name, self->ino, self->line, sizeof(self->line))
#define FIELD(key)	field(self->line, key)
#define NUMBER(key)	number(self->line, key)

#define MS		1000000LL	/* nanoseconds */

/*
 * Signals a fence once this thread sleeps in the kernel, so that a call that
 * has to wait for the fence does wait, no matter how slow the machine is.
 */
struct signaler {
	pthread_t thread;
	pid_t waiter;
	int testdev;
	int fence;
	bool slept;
};

static void *signal_when_waiter_sleeps(void *arg)
{
	struct signaler *signaler = arg;
	int ms;

	for (ms = 0; ms < WAKE_MS && !signaler->slept; ms++) {
		sleep_ms(1);
		signaler->slept = task_sleeps(signaler->waiter);
	}
	testdev_signal(signaler->testdev, signaler->fence, 0);
	return NULL;
}

static void signaler_start(struct __test_metadata *_metadata, struct signaler *signaler,
			   int testdev, int fence)
{
	*signaler = (struct signaler) {
		.waiter = gettid(),
		.testdev = testdev,
		.fence = fence,
	};
	ASSERT_EQ(0, pthread_create(&signaler->thread, NULL, signal_when_waiter_sleeps,
				    signaler));
}

/* Whether the wait was seen */
static bool signaler_join(struct signaler *signaler)
{
	pthread_join(signaler->thread, NULL);
	return signaler->slept;
}

TEST_F(trace, life)
{
	int i;

	/* Each buffer has its own. Few exporters have a use for dma_buf_fd(). */
	for (i = 0; i < 3; i++) {
		self->fd = need_buffer(_metadata, UDMABUF, &self->size, O_RDWR);
		self->ino = buffer_ino(self->fd);
		recorded(self->tracer);
		ASSERT_EQ(1, EVENTS("dma_buf_export"));
		EXPECT_EQ(self->size, NUMBER("size"));
		EXPECT_EQ(self->ino, NUMBER("ino"));
		EXPECT_STREQ(exporter_exp_name(UDMABUF), FIELD("exp_name"));
		ASSERT_EQ(1, EVENTS("dma_buf_fd"));
		EXPECT_EQ(self->fd, NUMBER("fd"));
		EXPECT_EQ(0, EVENTS("dma_buf_release"));

		/* The last fput() is done with when close() is back. */
		close(self->fd);
		recorded(self->tracer);
		ASSERT_EQ(1, EVENTS("dma_buf_release"));
		EXPECT_EQ(self->size, NUMBER("size"));
	}
}

TEST_F(trace, importer)
{
	char device[128];
	int importer, gets, puts;

	make(_metadata, self, 0);
	importer = testdev_attach(self->testdev, self->fd, 0);
	ASSERT_LT(0, importer);
	recorded(self->tracer);
	gets = EVENTS("dma_buf_get");
	ASSERT_LE(1, gets);
	EXPECT_EQ(self->fd, NUMBER("fd"));
	ASSERT_EQ(1, EVENTS("dma_buf_dynamic_attach"));
	EXPECT_EQ(0, NUMBER("is_dynamic"));
	EXPECT_NE('\0', *FIELD("attach"));
	snprintf(device, sizeof(device), "%s", FIELD("dev_name"));
	EXPECT_NE('\0', *device);

	ASSERT_EQ(0, testdev_free(self->testdev, importer));
	recorded(self->tracer);
	ASSERT_EQ(1, EVENTS("dma_buf_detach"));
	EXPECT_STREQ(device, FIELD("dev_name"));
	puts = EVENTS("dma_buf_put");
	EXPECT_LE(1, puts);
	EXPECT_EQ(0, EVENTS("dma_buf_release"));
	close(self->fd);
}

TEST_F(trace, map)
{
	int importer;

	make(_metadata, self, 0);
	importer = testdev_attach(self->testdev, self->fd, 0);
	ASSERT_LT(0, importer);
	ASSERT_EQ(0,
		  testdev_delay(self->testdev, self->id, HOOK_MAP, DELAY_MS, 0));
	ASSERT_EQ(0, testdev_map(self->testdev, importer, DIR_TO_DEVICE));
	recorded(self->tracer);
	ASSERT_EQ(1, EVENTS("dma_buf_map"));
	EXPECT_STREQ("to_device", FIELD("dir"));
	EXPECT_EQ(0, NUMBER("err"));
	EXPECT_LE(1, NUMBER("nents"));
	/* All the time that the hook took is counted, and none of it as a wait. */
	EXPECT_LE(DELAY_MS * MS, NUMBER("ns") - NUMBER("wait_ns"));
	EXPECT_LE(0, NUMBER("wait_ns"));

	ASSERT_EQ(0, testdev_unmap(self->testdev, importer));
	recorded(self->tracer);
	ASSERT_EQ(1, EVENTS("dma_buf_unmap"));
	EXPECT_STREQ("to_device", FIELD("dir"));
	EXPECT_LE(0, NUMBER("ns"));
	close(self->fd);
}

TEST_F(trace, map_waits)
{
	struct signaler signaler;
	int importer, fence;

	make(_metadata, self, 0);
	importer = testdev_attach(self->testdev, self->fd, 0);
	ASSERT_LT(0, importer);
	fence = testdev_fence(self->testdev, self->fd, DMA_BUF_TEST_KERNEL, 0);
	ASSERT_LT(0, fence);
	signaler_start(_metadata, &signaler, self->testdev, fence);
	ASSERT_EQ(0, testdev_map(self->testdev, importer, DIR_BOTH));
	ASSERT_TRUE(signaler_join(&signaler));
	recorded(self->tracer);
	ASSERT_EQ(1, EVENTS("dma_buf_map"));
	EXPECT_STREQ("both", FIELD("dir"));
	EXPECT_LT(0, NUMBER("wait_ns"));
	EXPECT_GE(number(self->line, "ns"), NUMBER("wait_ns"));
	close(self->fd);
}

TEST_F(trace, map_fails)
{
	int importer;

	make(_metadata, self, 0);
	importer = testdev_attach(self->testdev, self->fd, 0);
	ASSERT_LT(0, importer);
	ASSERT_EQ(0, testdev_fail(self->testdev, self->id, HOOK_MAP, -EIO));
	EXPECT_EQ(-EIO, testdev_map(self->testdev, importer, DIR_FROM_DEVICE));
	recorded(self->tracer);
	ASSERT_EQ(1, EVENTS("dma_buf_map"));
	EXPECT_STREQ("from_device", FIELD("dir"));
	EXPECT_STREQ("-5", FIELD("err"));
	EXPECT_EQ(0, NUMBER("nents"));
	close(self->fd);
}

TEST_F(trace, pin_and_move)
{
	int importer;

	make(_metadata, self, DMA_BUF_TEST_DYNAMIC);
	importer = testdev_attach(self->testdev, self->fd, DYNAMIC);
	ASSERT_LT(0, importer);
	recorded(self->tracer);
	ASSERT_EQ(1, EVENTS("dma_buf_dynamic_attach"));
	EXPECT_EQ(1, NUMBER("is_dynamic"));

	ASSERT_EQ(0, testdev_migrate(self->testdev, self->id, 0));
	ASSERT_EQ(0, testdev_pin(self->testdev, importer));
	ASSERT_EQ(0, testdev_unpin(self->testdev, importer));
	ASSERT_EQ(0, testdev_fail(self->testdev, self->id, HOOK_PIN, -EIO));
	EXPECT_EQ(-EIO, testdev_pin(self->testdev, importer));
	recorded(self->tracer);
	EXPECT_EQ(1, EVENTS("dma_buf_invalidate_mappings"));
	ASSERT_EQ(2, EVENTS("dma_buf_pin"));
	EXPECT_STREQ("-5", FIELD("err"));
	EXPECT_EQ(1, EVENTS("dma_buf_unpin"));
	close(self->fd);
}

TEST_F(trace, cpu_access)
{
	struct signaler signaler;
	int fence;

	make(_metadata, self, 0);
	fence = testdev_fence(self->testdev, self->fd, DMA_BUF_TEST_WRITE, 0);
	ASSERT_LT(0, fence);
	signaler_start(_metadata, &signaler, self->testdev, fence);
	ASSERT_EQ(0, buffer_sync(self->fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ));
	ASSERT_TRUE(signaler_join(&signaler));
	ASSERT_EQ(0, buffer_sync(self->fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_READ));
	recorded(self->tracer);
	ASSERT_EQ(1, EVENTS("dma_buf_begin_cpu_access"));
	EXPECT_STREQ("from_device", FIELD("dir"));
	EXPECT_EQ(0, NUMBER("err"));
	EXPECT_LT(0, NUMBER("wait_ns"));
	EXPECT_GE(number(self->line, "ns"), NUMBER("wait_ns"));
	ASSERT_EQ(1, EVENTS("dma_buf_end_cpu_access"));
	EXPECT_STREQ("from_device", FIELD("dir"));
	EXPECT_EQ(0, NUMBER("err"));

	ASSERT_EQ(0, testdev_fail(self->testdev, self->id, HOOK_BEGIN, -EIO));
	EXPECT_EQ(-EIO, buffer_sync(self->fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW));
	recorded(self->tracer);
	ASSERT_EQ(2, EVENTS("dma_buf_begin_cpu_access"));
	EXPECT_STREQ("both", FIELD("dir"));
	EXPECT_STREQ("-5", FIELD("err"));
	close(self->fd);
}

/* What is traced does the same as what is not, with hooks and without. */
TEST_F(trace, other_exporters)
{
	int importer;

	make(_metadata, self, DMA_BUF_TEST_CACHED);
	importer = testdev_attach(self->testdev, self->fd, 0);
	ASSERT_LT(0, importer);
	ASSERT_EQ(0, testdev_map(self->testdev, importer, DIR_BOTH));
	ASSERT_EQ(0, testdev_unmap(self->testdev, importer));
	ASSERT_EQ(0, testdev_map(self->testdev, importer, DIR_BOTH));
	ASSERT_EQ(0, testdev_unmap(self->testdev, importer));
	EXPECT_STREQ("attach map:both", testdev_log(self->testdev, self->id));
	recorded(self->tracer);
	EXPECT_EQ(2, EVENTS("dma_buf_map"));
	EXPECT_EQ(2, EVENTS("dma_buf_unmap"));
	close(self->fd);

	make(_metadata, self, DMA_BUF_TEST_BARE);
	ASSERT_EQ(0, buffer_sync(self->fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW));
	ASSERT_EQ(0, buffer_sync(self->fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_RW));
	EXPECT_EQ(-EINVAL, testdev_attach(self->testdev, self->testdev, 0));
	EXPECT_EQ(-EBADF, testdev_attach(self->testdev, -1, 0));
	recorded(self->tracer);
	ASSERT_EQ(1, EVENTS("dma_buf_begin_cpu_access"));
	EXPECT_EQ(0, NUMBER("err"));
	EXPECT_EQ(1, EVENTS("dma_buf_end_cpu_access"));
	EXPECT_EQ(0, EVENTS("dma_buf_get"));
	close(self->fd);
}

TEST_F(trace, mmap)
{
	void *p;

	make(_metadata, self, 0);
	p = mmap(NULL, self->size, PROT_READ, MAP_SHARED, self->fd, 0);
	ASSERT_NE(MAP_FAILED, p);
	EXPECT_EQ(MAP_FAILED, mmap(NULL, 2 * self->size, PROT_READ, MAP_SHARED,
				   self->fd, 0));
	recorded(self->tracer);
	EXPECT_EQ(1, EVENTS("dma_buf_mmap_internal"));
	EXPECT_EQ(0, EVENTS("dma_buf_mmap"));
	munmap(p, self->size);

	/* The importer's file, which shows the buffer */
	ASSERT_EQ(0, testdev_choose_mmap(self->testdev, self->fd));
	p = mmap(NULL, self->size, PROT_READ, MAP_SHARED, self->testdev, 0);
	ASSERT_NE(MAP_FAILED, p);
	recorded(self->tracer);
	EXPECT_EQ(1, EVENTS("dma_buf_mmap"));
	munmap(p, self->size);
	close(self->fd);
}

TEST_F(trace, poll)
{
	struct poller poller;
	int fence;

	make(_metadata, self, 0);
	fence = testdev_fence(self->testdev, self->fd, DMA_BUF_TEST_READ, 0);
	ASSERT_LT(0, fence);
	EXPECT_EQ(POLLIN, poll_now(self->fd, POLLIN));
	recorded(self->tracer);
	EXPECT_EQ(0, EVENTS("dma_buf_poll_arm"));

	ASSERT_EQ(0, poller_start(&poller, self->fd, POLLOUT));
	recorded(self->tracer);
	ASSERT_EQ(1, EVENTS("dma_buf_poll_arm"));
	EXPECT_EQ(1, NUMBER("write"));
	EXPECT_EQ(1, NUMBER("fences"));
	EXPECT_EQ(0, EVENTS("dma_buf_poll_wake"));
	ASSERT_EQ(0, testdev_signal(self->testdev, fence, 0));
	EXPECT_EQ(POLLOUT, poller_join(&poller));
	recorded(self->tracer);
	ASSERT_EQ(1, EVENTS("dma_buf_poll_wake"));
	EXPECT_EQ(1, NUMBER("write"));
	close(self->fd);
}

TEST_F(trace, sync_file)
{
	int sync_file;

	make(_metadata, self, 0);
	sync_file = buffer_export_sync_file(self->fd, DMA_BUF_SYNC_READ);
	ASSERT_LE(0, sync_file);
	ASSERT_EQ(0, buffer_import_sync_file(self->fd, DMA_BUF_SYNC_RW, sync_file));
	EXPECT_EQ(-EINVAL, buffer_import_sync_file(self->fd, DMA_BUF_SYNC_RW, self->fd));
	recorded(self->tracer);
	ASSERT_EQ(1, EVENTS("dma_buf_export_sync_file"));
	EXPECT_STREQ("read", FIELD("flags"));
	EXPECT_EQ(sync_file, NUMBER("fd"));
	ASSERT_EQ(1, EVENTS("dma_buf_import_sync_file"));
	EXPECT_STREQ("read|write", FIELD("flags"));
	EXPECT_EQ(sync_file, NUMBER("fd"));
	close(sync_file);
	close(self->fd);
}

TEST_F(trace, off)
{
	ASSERT_EQ(0, tracer_switch(self->tracer, false));
	make(_metadata, self, 0);
	ASSERT_EQ(0, buffer_sync(self->fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ));
	close(self->fd);
	recorded(self->tracer);
	EXPECT_EQ(0, EVENTS("dma_buf_export"));
	EXPECT_EQ(0, EVENTS("dma_buf_begin_cpu_access"));
	EXPECT_EQ(0, EVENTS("dma_buf_release"));
}

TEST_HARNESS_MAIN
