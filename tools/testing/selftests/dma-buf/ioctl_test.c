// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ioctls of a dma-buf: which arguments are taken, which are refused and
 * with what, and that a refusal changes nothing.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <linux/fs.h>

#include "fixture.h"

/* One letter more than fits: the NUL needs a place too */
#define NAME_31		"0123456789abcdefghijklmnopqrstu"
#define NAME_32		NAME_31 "v"

FIXTURE(ioctl) {
	int fd;
	size_t size;
};

FIXTURE_VARIANT(ioctl) {
	enum exporter exporter;
};

EVERY_EXPORTER(ioctl);

FIXTURE_SETUP(ioctl)
{
	self->fd = need_buffer(_metadata, variant->exporter, &self->size,
			       O_RDWR | O_CLOEXEC);
}

FIXTURE_TEARDOWN(ioctl)
{
	close(self->fd);
}

/*
 * DMA_BUF_IOCTL_SYNC
 */

/*
 * Both directions come first: udmabuf keeps the direction of the first SYNC for
 * its mapping, and DMA debugging accepts later ones only if that was both.
 */
TEST_F(ioctl, sync_every_direction)
{
	__u64 dir;

	for (dir = DMA_BUF_SYNC_RW; dir >= DMA_BUF_SYNC_READ; dir--) {
		EXPECT_EQ(0, buffer_sync(self->fd, DMA_BUF_SYNC_START | dir))
			TH_LOG("direction %d", (int)dir);
		EXPECT_EQ(0, buffer_sync(self->fd, DMA_BUF_SYNC_END | dir))
			TH_LOG("direction %d", (int)dir);
	}
}

TEST_F(ioctl, sync_without_direction)
{
	EXPECT_EQ(-EINVAL, buffer_sync(self->fd, DMA_BUF_SYNC_START));
	EXPECT_EQ(-EINVAL, buffer_sync(self->fd, DMA_BUF_SYNC_END));
}

TEST_F(ioctl, sync_unknown_bits)
{
	__u64 known;
	int bit;

	for (bit = 3; bit < 64; bit++)
		for (known = 0; known <= DMA_BUF_SYNC_VALID_FLAGS_MASK; known++)
			EXPECT_EQ(-EINVAL, buffer_sync(self->fd, known | 1ULL << bit))
				TH_LOG("flags %#llx", (long long)(known | 1ULL << bit));
	EXPECT_EQ(-EINVAL, buffer_sync(self->fd, ~0ULL));
}

TEST_F(ioctl, sync_nests)
{
	EXPECT_EQ(0, buffer_sync(self->fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ));
	EXPECT_EQ(0, buffer_sync(self->fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ));
	EXPECT_EQ(0, buffer_sync(self->fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_READ));
	EXPECT_EQ(0, buffer_sync(self->fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_READ));
}

TEST_F(ioctl, sync_bad_pointer)
{
	char *bad = bad_pages(sizeof(__u64) - 1);

	ASSERT_NE(NULL, bad);
	EXPECT_EQ(-1, ioctl(self->fd, DMA_BUF_IOCTL_SYNC, NULL));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(-1, ioctl(self->fd, DMA_BUF_IOCTL_SYNC, -1L));
	EXPECT_EQ(EFAULT, errno);
	/* Seven bytes of eight can be read */
	EXPECT_EQ(-1, ioctl(self->fd, DMA_BUF_IOCTL_SYNC, bad));
	EXPECT_EQ(EFAULT, errno);
}

/*
 * Everything that is no ioctl of a buffer
 */

TEST_F(ioctl, unknown_numbers)
{
	__u64 arg[8] = { DMA_BUF_SYNC_READ };
	int nr;

	for (nr = 4; nr < 256; nr++) {
		EXPECT_EQ(-1, ioctl(self->fd, _IO(DMA_BUF_BASE, nr), arg));
		EXPECT_EQ(ENOTTY, errno)
			TH_LOG("_IO number %d", nr);
		EXPECT_EQ(-1, ioctl(self->fd, _IOWR(DMA_BUF_BASE, nr, __u64), arg));
		EXPECT_EQ(ENOTTY, errno)
			TH_LOG("_IOWR number %d", nr);
	}
}

/* What the VFS asks any file, and what other kinds of files have */
TEST_F(ioctl, numbers_of_others)
{
	const unsigned long cmds[] = {
		FIONREAD, FIOASYNC, FS_IOC_GETFLAGS, FS_IOC_SETFLAGS, FICLONE,
		TCGETS, _IOR('>', 4, __u32),
	};
	__u64 arg[32] = { 1 };
	int i;

	for (i = 0; i < ARRAY_SIZE(cmds); i++) {
		EXPECT_EQ(-1, ioctl(self->fd, cmds[i], arg))
			TH_LOG("command %#lx", cmds[i]);
		EXPECT_NE(EFAULT, errno);
	}
	/* These are about the descriptor */
	EXPECT_EQ(0, ioctl(self->fd, FIONCLEX));
	EXPECT_EQ(0, fcntl(self->fd, F_GETFD));
	EXPECT_EQ(0, ioctl(self->fd, FIOCLEX));
	EXPECT_EQ(FD_CLOEXEC, fcntl(self->fd, F_GETFD));
}

/* Size and direction are part of the number; so is the letter. */
TEST_F(ioctl, almost_known_numbers)
{
	const unsigned long cmds[] = {
		_IOW(DMA_BUF_BASE, 0, __u32),
		_IOR(DMA_BUF_BASE, 0, struct dma_buf_sync),
		_IOWR(DMA_BUF_BASE, 0, struct dma_buf_sync),
		_IO(DMA_BUF_BASE, 0),
		_IOW(DMA_BUF_BASE, 1, __u16),
		_IOR(DMA_BUF_BASE, 1, __u64),
		_IOW(DMA_BUF_BASE, 2, struct dma_buf_export_sync_file),
		_IOWR(DMA_BUF_BASE, 2, __u32),
		_IOWR(DMA_BUF_BASE, 3, struct dma_buf_import_sync_file),
		_IOW(DMA_BUF_BASE, 3, __u32),
		_IOW('B', 0, struct dma_buf_sync),
		_IOW('c', 0, struct dma_buf_sync),
	};
	__u64 arg[8] = { DMA_BUF_SYNC_READ };
	int i;

	for (i = 0; i < ARRAY_SIZE(cmds); i++) {
		EXPECT_EQ(-1, ioctl(self->fd, cmds[i], arg));
		EXPECT_EQ(ENOTTY, errno)
			TH_LOG("command %#lx", cmds[i]);
	}
}

/*
 * DMA_BUF_SET_NAME
 */

TEST_F(ioctl, name_longest)
{
	char value[64];

	EXPECT_EQ(0, buffer_set_name(self->fd, NAME_31));
	EXPECT_EQ(1, fdinfo_get(self->fd, "name", value, sizeof(value)));
	EXPECT_STREQ(NAME_31, value);
}

TEST_F(ioctl, name_too_long)
{
	char value[64], page[4096];

	ASSERT_EQ(0, buffer_set_name(self->fd, "old"));
	EXPECT_EQ(-EINVAL, buffer_set_name(self->fd, NAME_32));
	EXPECT_EQ(-EINVAL, buffer_set_name(self->fd, NAME_32 "w"));

	memset(page, 'x', sizeof(page));
	page[sizeof(page) - 1] = '\0';
	EXPECT_EQ(-EINVAL, buffer_set_name(self->fd, page));

	EXPECT_EQ(1, fdinfo_get(self->fd, "name", value, sizeof(value)));
	EXPECT_STREQ("old", value);
}

TEST_F(ioctl, name_bad_pointer)
{
	char *cut = bad_pages(4), value[64];

	ASSERT_NE(NULL, cut);
	ASSERT_EQ(0, buffer_set_name(self->fd, "old"));
	EXPECT_EQ(-EFAULT, buffer_set_name(self->fd, NULL));
	EXPECT_EQ(-EFAULT, buffer_set_name(self->fd, (char *)-1L));
	/* No NUL before the memory ends */
	memset(cut, 'x', 4);
	EXPECT_EQ(-EFAULT, buffer_set_name(self->fd, cut));

	EXPECT_EQ(1, fdinfo_get(self->fd, "name", value, sizeof(value)));
	EXPECT_STREQ("old", value);
}

/* Nothing after the NUL is read */
TEST_F(ioctl, name_at_end_of_memory)
{
	char *cut = bad_pages(4), value[64];

	ASSERT_NE(NULL, cut);
	memcpy(cut, "abc", 4);
	EXPECT_EQ(0, buffer_set_name(self->fd, cut));
	EXPECT_EQ(1, fdinfo_get(self->fd, "name", value, sizeof(value)));
	EXPECT_STREQ("abc", value);
}

TEST_F(ioctl, name_replaced)
{
	char value[64];

	EXPECT_EQ(0, buffer_set_name(self->fd, "a rather long first name"));
	EXPECT_EQ(0, buffer_set_name(self->fd, "second"));
	EXPECT_EQ(1, fdinfo_get(self->fd, "name", value, sizeof(value)));
	EXPECT_STREQ("second", value);
}

/* An empty name is a name */
TEST_F(ioctl, name_empty)
{
	char value[64] = "unchanged";

	EXPECT_EQ(0, fdinfo_get(self->fd, "name", NULL, 0));
	EXPECT_EQ(0, buffer_set_name(self->fd, ""));
	EXPECT_EQ(1, fdinfo_get(self->fd, "name", value, sizeof(value)));
	EXPECT_STREQ("", value);
	EXPECT_EQ(0, buffer_set_name(self->fd, "not empty"));
	EXPECT_EQ(0, buffer_set_name(self->fd, ""));
	EXPECT_EQ(1, fdinfo_get(self->fd, "name", value, sizeof(value)));
	EXPECT_STREQ("", value);
}

/* The number once depended on the size of a pointer: both are taken */
TEST_F(ioctl, name_both_numbers)
{
	char value[64];

	EXPECT_EQ(0, ioctl(self->fd, DMA_BUF_SET_NAME_A, "first"));
	EXPECT_EQ(1, fdinfo_get(self->fd, "name", value, sizeof(value)));
	EXPECT_STREQ("first", value);
	EXPECT_EQ(0, ioctl(self->fd, DMA_BUF_SET_NAME_B, "second"));
	EXPECT_EQ(1, fdinfo_get(self->fd, "name", value, sizeof(value)));
	EXPECT_STREQ("second", value);

	EXPECT_EQ(-1, ioctl(self->fd, DMA_BUF_SET_NAME_A, NAME_32));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, ioctl(self->fd, DMA_BUF_SET_NAME_B, NULL));
	EXPECT_EQ(EFAULT, errno);
}

/* The buffer has the name, not the descriptor */
TEST_F(ioctl, name_shared_by_descriptors)
{
	char value[64];
	int fd = dup(self->fd);

	ASSERT_LE(0, fd);
	EXPECT_EQ(0, buffer_set_name(self->fd, "shared"));
	EXPECT_EQ(1, fdinfo_get(fd, "name", value, sizeof(value)));
	EXPECT_STREQ("shared", value);
	close(fd);
}

/* Bytes are not letters: whatever is no control character is shown as it is */
TEST_F(ioctl, name_of_any_bytes)
{
	const char *name = "caf\303\251 \377\200 %s %n \"'";
	char value[64];

	EXPECT_EQ(0, buffer_set_name(self->fd, name));
	EXPECT_EQ(1, fdinfo_get(self->fd, "name", value, sizeof(value)));
	EXPECT_STREQ(name, value);
}

/*
 * DMA_BUF_IOCTL_EXPORT_SYNC_FILE
 */

TEST_F(ioctl, export_flags)
{
	__u32 flags;
	int fence, bit;

	for (flags = DMA_BUF_SYNC_READ; flags <= DMA_BUF_SYNC_RW; flags++) {
		fence = buffer_export_sync_file(self->fd, flags);
		EXPECT_LE(0, fence)
			TH_LOG("flags %u", flags);
		close(fence);
	}

	EXPECT_EQ(-EINVAL, buffer_export_sync_file(self->fd, 0));
	for (flags = 0; flags <= DMA_BUF_SYNC_RW; flags++)
		for (bit = 2; bit < 32; bit++)
			EXPECT_EQ(-EINVAL,
				  buffer_export_sync_file(self->fd, flags | 1U << bit))
				TH_LOG("flags %#x", flags | 1U << bit);
}

TEST_F(ioctl, export_refusal_leaves_no_fd)
{
	int free_fd = lowest_free_fd();

	EXPECT_EQ(-EINVAL, buffer_export_sync_file(self->fd, 0));
	EXPECT_EQ(-EINVAL, buffer_export_sync_file(self->fd, DMA_BUF_SYNC_END));
	EXPECT_EQ(free_fd, lowest_free_fd());
}

TEST_F(ioctl, export_bad_pointer)
{
	char *cut = bad_pages(4);
	int free_fd = lowest_free_fd();

	ASSERT_NE(NULL, cut);
	EXPECT_EQ(-1, ioctl(self->fd, DMA_BUF_IOCTL_EXPORT_SYNC_FILE, NULL));
	EXPECT_EQ(EFAULT, errno);
	memcpy(cut, &(__u32){ DMA_BUF_SYNC_READ }, 4);
	EXPECT_EQ(-1, ioctl(self->fd, DMA_BUF_IOCTL_EXPORT_SYNC_FILE, cut));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(free_fd, lowest_free_fd());
}

/* The argument can be read but the answer cannot be written */
TEST_F(ioctl, export_unwritable_answer)
{
	struct dma_buf_export_sync_file *arg;
	int free_fd = lowest_free_fd();

	arg = mmap(NULL, getpagesize(), PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, arg);
	arg->flags = DMA_BUF_SYNC_RW;
	arg->fd = -7;
	ASSERT_EQ(0, mprotect(arg, getpagesize(), PROT_READ));

	EXPECT_EQ(-1, ioctl(self->fd, DMA_BUF_IOCTL_EXPORT_SYNC_FILE, arg));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(-7, arg->fd);
	EXPECT_EQ(free_fd, lowest_free_fd());
}

TEST_F(ioctl, export_close_on_exec)
{
	int fence = buffer_export_sync_file(self->fd, DMA_BUF_SYNC_READ);

	ASSERT_LE(0, fence);
	EXPECT_EQ(FD_CLOEXEC, fcntl(fence, F_GETFD));
	close(fence);
}

/*
 * DMA_BUF_IOCTL_IMPORT_SYNC_FILE
 */

TEST_F(ioctl, import_flags)
{
	__u32 flags;
	int fence, bit;

	/* The fences of an idle buffer: signalled, so they change nothing */
	fence = buffer_export_sync_file(self->fd, DMA_BUF_SYNC_RW);
	ASSERT_LE(0, fence);

	for (flags = DMA_BUF_SYNC_READ; flags <= DMA_BUF_SYNC_RW; flags++)
		EXPECT_EQ(0, buffer_import_sync_file(self->fd, flags, fence))
			TH_LOG("flags %u", flags);

	EXPECT_EQ(-EINVAL, buffer_import_sync_file(self->fd, 0, fence));
	for (flags = 0; flags <= DMA_BUF_SYNC_RW; flags++)
		for (bit = 2; bit < 32; bit++)
			EXPECT_EQ(-EINVAL,
				  buffer_import_sync_file(self->fd, flags | 1U << bit,
							  fence))
				TH_LOG("flags %#x", flags | 1U << bit);
	close(fence);
}

TEST_F(ioctl, import_bad_fd)
{
	int pipes[2];

	ASSERT_EQ(0, pipe2(pipes, O_CLOEXEC));
	EXPECT_EQ(-EINVAL, buffer_import_sync_file(self->fd, DMA_BUF_SYNC_READ, -1));
	EXPECT_EQ(-EINVAL, buffer_import_sync_file(self->fd, DMA_BUF_SYNC_READ,
						   lowest_free_fd()));
	EXPECT_EQ(-EINVAL, buffer_import_sync_file(self->fd, DMA_BUF_SYNC_READ, INT32_MIN));
	/* Descriptors, but of something else: a pipe, the buffer itself */
	EXPECT_EQ(-EINVAL, buffer_import_sync_file(self->fd, DMA_BUF_SYNC_WRITE, pipes[0]));
	EXPECT_EQ(-EINVAL, buffer_import_sync_file(self->fd, DMA_BUF_SYNC_WRITE, self->fd));
	/* Neither argument is any good */
	EXPECT_EQ(-EINVAL, buffer_import_sync_file(self->fd, 0, -1));
	EXPECT_EQ(-EINVAL, buffer_import_sync_file(self->fd, DMA_BUF_SYNC_END, self->fd));
	close(pipes[0]);
	close(pipes[1]);
}

TEST_F(ioctl, import_bad_pointer)
{
	char *cut = bad_pages(4);

	ASSERT_NE(NULL, cut);
	EXPECT_EQ(-1, ioctl(self->fd, DMA_BUF_IOCTL_IMPORT_SYNC_FILE, NULL));
	EXPECT_EQ(EFAULT, errno);
	memcpy(cut, &(__u32){ DMA_BUF_SYNC_READ }, 4);
	EXPECT_EQ(-1, ioctl(self->fd, DMA_BUF_IOCTL_IMPORT_SYNC_FILE, cut));
	EXPECT_EQ(EFAULT, errno);
}

/* No reference to the sync_file or the buffer stays with the ioctl */
TEST_F(ioctl, import_leaves_no_reference)
{
	int fence, i;

	fence = buffer_export_sync_file(self->fd, DMA_BUF_SYNC_RW);
	ASSERT_LE(0, fence);
	for (i = 0; i < 100; i++)
		ASSERT_EQ(0, buffer_import_sync_file(self->fd, DMA_BUF_SYNC_RW, fence));
	EXPECT_EQ(1, fdinfo_count(self->fd));
	close(fence);
}

/*
 * A buffer that was exported read-only. The ioctls do not look at the access
 * mode, and programs rely on that. (udmabuf has no such mode.)
 */

FIXTURE(readonly) {
	int fd;
	size_t size;
};

FIXTURE_VARIANT(readonly) {
	enum exporter exporter;
};

READONLY_EXPORTERS(readonly);

FIXTURE_SETUP(readonly)
{
	self->fd = need_buffer(_metadata, variant->exporter, &self->size,
			       O_RDONLY | O_CLOEXEC);
	ASSERT_EQ(O_RDONLY, fcntl(self->fd, F_GETFL) & O_ACCMODE);
}

FIXTURE_TEARDOWN(readonly)
{
	close(self->fd);
}

TEST_F(readonly, sync_for_writing)
{
	EXPECT_EQ(0, buffer_sync(self->fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_WRITE));
	EXPECT_EQ(0, buffer_sync(self->fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_WRITE));
	EXPECT_EQ(0, buffer_sync(self->fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW));
	EXPECT_EQ(0, buffer_sync(self->fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_RW));
}

TEST_F(readonly, name)
{
	char value[64];

	EXPECT_EQ(0, buffer_set_name(self->fd, "read-only"));
	EXPECT_EQ(1, fdinfo_get(self->fd, "name", value, sizeof(value)));
	EXPECT_STREQ("read-only", value);
}

TEST_F(readonly, sync_files)
{
	int fence = buffer_export_sync_file(self->fd, DMA_BUF_SYNC_WRITE);

	ASSERT_LE(0, fence);
	EXPECT_EQ(0, buffer_import_sync_file(self->fd, DMA_BUF_SYNC_WRITE, fence));
	close(fence);
}

/*
 * DMA_BUF_IOCTL_SYNC when there are fences to wait for
 */

FIXTURE(sync_wait) {
	int fd;
	int timeline;
	size_t size;
};

FIXTURE_VARIANT(sync_wait) {
	enum exporter exporter;
};

EVERY_EXPORTER(sync_wait);

FIXTURE_SETUP(sync_wait)
{
	self->timeline = need_timeline(_metadata);

	self->fd = need_buffer(_metadata, variant->exporter, &self->size,
			       O_RDWR | O_CLOEXEC);
}

FIXTURE_TEARDOWN(sync_wait)
{
	close(self->timeline);
	close(self->fd);
}

/* Call SYNC, and send signals until it returns. */
static int sync_interrupted(int fd, __u64 flags)
{
	int err;

	signals_begin();
	err = buffer_sync(fd, flags);
	signals_end();
	return err;
}

TEST_F(sync_wait, read_waits_for_write_fence)
{
	ASSERT_EQ(0, timeline_import(self->timeline, 1, self->fd, DMA_BUF_SYNC_WRITE));
	EXPECT_EQ(-EINTR, sync_interrupted(self->fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ));
	ASSERT_EQ(0, timeline_advance(self->timeline, 1));
	EXPECT_EQ(0, buffer_sync(self->fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ));
	EXPECT_EQ(0, buffer_sync(self->fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_READ));
}

/* A GPU may raise its clock as soon as a task waits for it */
TEST_F(sync_wait, sets_deadline)
{
	double before, after, deadline = 0;
	int fence;

	fence = timeline_fence(self->timeline, 1);
	ASSERT_LE(0, fence);
	ASSERT_EQ(0, buffer_import_sync_file(self->fd, DMA_BUF_SYNC_READ, fence));
	EXPECT_EQ(0, buffer_sync(self->fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ));
	EXPECT_EQ(0, buffer_sync(self->fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_READ));
	EXPECT_EQ(-ENOENT, timeline_deadline(self->timeline, fence, &deadline));

	before = now_ms();
	EXPECT_EQ(-EINTR, sync_interrupted(self->fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_WRITE));
	after = now_ms();
	EXPECT_EQ(0, timeline_deadline(self->timeline, fence, &deadline));
	EXPECT_LE(before, deadline);
	EXPECT_GE(after, deadline);
	close(fence);
}

static void *step_later(void *arg)
{
	sleep_ms(5 * QUIET_MS);
	timeline_advance(*(int *)arg, 1);
	return NULL;
}

/* A handler with SA_RESTART has the call go on by itself, as often as it comes */
TEST_F(sync_wait, restarts)
{
	struct sigaction sa;
	pthread_t thread;

	ASSERT_EQ(0, timeline_import(self->timeline, 1, self->fd, DMA_BUF_SYNC_WRITE));
	ASSERT_EQ(0, pthread_create(&thread, NULL, step_later, &self->timeline));
	signals_begin();
	sigaction(SIGALRM, NULL, &sa);
	sa.sa_flags |= SA_RESTART;
	sigaction(SIGALRM, &sa, NULL);
	EXPECT_EQ(0, buffer_sync(self->fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ));
	signals_end();
	pthread_join(thread, NULL);
	EXPECT_EQ(POLLIN, poll_now(self->fd, POLLIN));
	EXPECT_EQ(0, buffer_sync(self->fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_READ));
}

TEST_F(sync_wait, read_passes_read_fence)
{
	ASSERT_EQ(0, timeline_import(self->timeline, 1, self->fd, DMA_BUF_SYNC_READ));
	EXPECT_EQ(0, sync_interrupted(self->fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ));
	EXPECT_EQ(0, buffer_sync(self->fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_READ));
}

TEST_F(sync_wait, write_waits_for_read_fence)
{
	ASSERT_EQ(0, timeline_import(self->timeline, 1, self->fd, DMA_BUF_SYNC_READ));
	EXPECT_EQ(-EINTR, sync_interrupted(self->fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_WRITE));
	EXPECT_EQ(-EINTR, sync_interrupted(self->fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW));
	ASSERT_EQ(0, timeline_advance(self->timeline, 1));
	EXPECT_EQ(0, buffer_sync(self->fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW));
	EXPECT_EQ(0, buffer_sync(self->fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_RW));
}

TEST_F(sync_wait, write_waits_for_write_fence)
{
	ASSERT_EQ(0, timeline_import(self->timeline, 1, self->fd, DMA_BUF_SYNC_WRITE));
	EXPECT_EQ(-EINTR, sync_interrupted(self->fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_WRITE));
	ASSERT_EQ(0, timeline_advance(self->timeline, 1));
	EXPECT_EQ(0, buffer_sync(self->fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_WRITE));
	EXPECT_EQ(0, buffer_sync(self->fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_WRITE));
}

/* The end of an access has nothing to wait for */
TEST_F(sync_wait, end_does_not_wait)
{
	EXPECT_EQ(0, buffer_sync(self->fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW));
	ASSERT_EQ(0, timeline_import(self->timeline, 1, self->fd, DMA_BUF_SYNC_WRITE));
	EXPECT_EQ(0, sync_interrupted(self->fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_RW));
}

/*
 * An interrupted START has begun nothing. udmabuf tells: it refuses an END
 * for as long as its hook has never seen a START.
 */
TEST(sync_interrupted_not_begun)
{
	int timeline, fd;
	size_t size;

	timeline = need_timeline(_metadata);
	fd = need_buffer(_metadata, UDMABUF, &size, O_RDWR | O_CLOEXEC);

	ASSERT_EQ(-EINVAL, buffer_sync(fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_READ));
	ASSERT_EQ(0, timeline_import(timeline, 1, fd, DMA_BUF_SYNC_WRITE));
	ASSERT_EQ(-EINTR, sync_interrupted(fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ));
	EXPECT_EQ(-EINVAL, buffer_sync(fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_READ));

	ASSERT_EQ(0, timeline_advance(timeline, 1));
	EXPECT_EQ(0, buffer_sync(fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ));
	EXPECT_EQ(0, buffer_sync(fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_READ));
	close(fd);
	close(timeline);
}

TEST_HARNESS_MAIN
