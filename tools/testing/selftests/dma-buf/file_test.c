// SPDX-License-Identifier: GPL-2.0-only
/*
 * A dma-buf as a file: position, identity, what procfs and debugfs say of it,
 * and when it is gone.
 */
#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <linux/magic.h>

#include "fixture.h"

FIXTURE(file) {
	int fd;
	size_t size;
	ino_t ino;
};

FIXTURE_VARIANT(file) {
	enum exporter exporter;
};

EVERY_EXPORTER(file);

FIXTURE_SETUP(file)
{
	self->fd = need_buffer(_metadata, variant->exporter, &self->size,
			       O_RDWR | O_CLOEXEC);
	self->ino = buffer_ino(self->fd);
	ASSERT_NE(0, self->ino);
}

FIXTURE_TEARDOWN(file)
{
	close(self->fd);
}

/*
 * llseek: only there to ask for the size
 */

TEST_F(file, lseek_ends)
{
	EXPECT_EQ(self->size, lseek(self->fd, 0, SEEK_END));
	EXPECT_EQ(0, lseek(self->fd, 0, SEEK_SET));
	EXPECT_EQ(self->size, lseek(self->fd, 0, SEEK_END));
}

TEST_F(file, lseek_elsewhere)
{
	const struct {
		off_t offset;
		int whence;
	} refused[] = {
		{ 1, SEEK_SET }, { -1, SEEK_SET }, { 4096, SEEK_SET },
		{ self->size, SEEK_SET },
		{ 1, SEEK_END }, { -1, SEEK_END }, { -4096, SEEK_END },
		{ 0, SEEK_CUR }, { 1, SEEK_CUR }, { -1, SEEK_CUR },
		{ 0, SEEK_DATA }, { 0, SEEK_HOLE },
		{ 0, SEEK_HOLE + 1 }, { 0, -1 }, { 0, 1000 },
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(refused); i++) {
		EXPECT_EQ(-1, lseek(self->fd, refused[i].offset, refused[i].whence))
			TH_LOG("case %d", i);
		EXPECT_EQ(EINVAL, errno);
	}
	EXPECT_EQ(self->size, lseek(self->fd, 0, SEEK_END));
}

/* Through a duplicate as well */
TEST_F(file, lseek_duplicate)
{
	int fd = dup(self->fd);

	ASSERT_LE(0, fd);
	EXPECT_EQ(self->size, lseek(fd, 0, SEEK_END));
	EXPECT_EQ(0, lseek(self->fd, 0, SEEK_SET));
	close(fd);
}

/* The old call with 32 bits, where there is one, has the same answers */
TEST_F(file, lseek_system_call)
{
	EXPECT_EQ(self->size, syscall(SYS_lseek, self->fd, 0, SEEK_END));
	EXPECT_EQ(0, syscall(SYS_lseek, self->fd, 0, SEEK_SET));
	EXPECT_EQ(-1, syscall(SYS_lseek, self->fd, 1, SEEK_SET));
	EXPECT_EQ(EINVAL, errno);
}

/*
 * Not a file with contents of its own
 */

TEST_F(file, no_read_no_write)
{
	char byte = 0;

	EXPECT_EQ(-1, read(self->fd, &byte, 1));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, write(self->fd, &byte, 1));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, pread(self->fd, &byte, 1, 0));
	EXPECT_EQ(-1, pwrite(self->fd, &byte, 1, 0));
}

TEST_F(file, no_other_file_calls)
{
	struct stat st;

	EXPECT_EQ(-1, ftruncate(self->fd, 0));
	EXPECT_EQ(-1, fallocate(self->fd, 0, 0, 4096));
	EXPECT_EQ(-1, fsync(self->fd));
	EXPECT_EQ(-1, fchdir(self->fd));
	EXPECT_EQ(-1, syscall(SYS_getdents64, self->fd, &st, sizeof(st)));
	ASSERT_EQ(0, fstat(self->fd, &st));
	EXPECT_EQ(self->size, st.st_size);
}

/* Status flags can be changed as on any file, and are every descriptor's */
TEST_F(file, status_flags)
{
	int fd = dup(self->fd);

	ASSERT_LE(0, fd);
	EXPECT_EQ(O_RDWR, fcntl(self->fd, F_GETFL) & (O_ACCMODE | O_NONBLOCK));
	EXPECT_EQ(0, fcntl(self->fd, F_SETFL, O_NONBLOCK));
	EXPECT_EQ(O_RDWR | O_NONBLOCK, fcntl(fd, F_GETFL) & (O_ACCMODE | O_NONBLOCK));
	EXPECT_EQ(0, fcntl(fd, F_SETFL, 0));
	EXPECT_EQ(O_RDWR, fcntl(self->fd, F_GETFL) & (O_ACCMODE | O_NONBLOCK));
	/* There is nothing to read without a cache */
	EXPECT_EQ(-1, fcntl(self->fd, F_SETFL, O_DIRECT));
	close(fd);
}

/*
 * Identity
 */

TEST_F(file, stat)
{
	struct stat st;

	ASSERT_EQ(0, fstat(self->fd, &st));
	EXPECT_EQ(self->size, st.st_size);
	EXPECT_EQ(self->size / 512, st.st_blocks);
	EXPECT_EQ(0, st.st_mode & S_IFMT);
}

TEST_F(file, statfs_magic)
{
	struct statfs fs;

	ASSERT_EQ(0, fstatfs(self->fd, &fs));
	EXPECT_EQ(DMA_BUF_MAGIC, fs.f_type);
}

/* Neither among buffers that live at the same time ... */
TEST_F(file, inode_numbers_differ)
{
	ino_t inos[16];
	int fds[16], i, j;
	size_t size;

	for (i = 0; i < ARRAY_SIZE(fds); i++) {
		size = self->size;
		fds[i] = exporter_alloc(variant->exporter, &size, O_RDWR);
		ASSERT_LE(0, fds[i]);
		inos[i] = buffer_ino(fds[i]);
		EXPECT_NE(0, inos[i]);
		EXPECT_NE(self->ino, inos[i]);
		for (j = 0; j < i; j++)
			EXPECT_NE(inos[j], inos[i]);
	}
	for (i = 0; i < ARRAY_SIZE(fds); i++)
		close(fds[i]);
}

/* ... nor of those that lived before is a number used twice. */
TEST_F(file, inode_numbers_not_reused)
{
	ino_t inos[64];
	int i, j, fd;
	size_t size;

	for (i = 0; i < ARRAY_SIZE(inos); i++) {
		size = self->size;
		fd = exporter_alloc(variant->exporter, &size, O_RDWR);
		ASSERT_LE(0, fd);
		inos[i] = buffer_ino(fd);
		close(fd);
		for (j = 0; j < i; j++)
			ASSERT_NE(inos[j], inos[i]);
	}
}

TEST_F(file, path_name)
{
	char link[48], path[128];
	ssize_t len;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", self->fd);
	len = readlink(link, path, sizeof(path) - 1);
	ASSERT_LT(0, len);
	path[len] = '\0';
	EXPECT_STREQ("/dmabuf:", path);

	ASSERT_EQ(0, buffer_set_name(self->fd, "camera 0"));
	len = readlink(link, path, sizeof(path) - 1);
	ASSERT_LT(0, len);
	path[len] = '\0';
	EXPECT_STREQ("/dmabuf:camera 0", path);
}

TEST_F(file, path_name_in_maps)
{
	bool found = false;
	char line[512];
	void *map;
	FILE *f;

	ASSERT_EQ(0, buffer_set_name(self->fd, "seen-in-maps"));
	map = mmap(NULL, self->size, PROT_READ, MAP_SHARED, self->fd, 0);
	ASSERT_NE(MAP_FAILED, map);

	f = fopen("/proc/self/maps", "re");
	ASSERT_NE(NULL, f);
	while (fgets(line, sizeof(line), f))
		if (strstr(line, " /dmabuf:seen-in-maps"))
			found = true;
	fclose(f);
	EXPECT_TRUE(found);
	munmap(map, self->size);
}

/*
 * fdinfo
 */

TEST_F(file, fdinfo_keys)
{
	char value[64];

	EXPECT_EQ(1, fdinfo_get(self->fd, "size", value, sizeof(value)));
	EXPECT_EQ(self->size, strtoull(value, NULL, 10));
	EXPECT_EQ(1, fdinfo_get(self->fd, "count", value, sizeof(value)));
	EXPECT_STREQ("1", value);
	EXPECT_EQ(1, fdinfo_get(self->fd, "exp_name", value, sizeof(value)));
	EXPECT_STREQ(exporter_exp_name(variant->exporter), value);
	/* The buffer has no name yet */
	EXPECT_EQ(0, fdinfo_get(self->fd, "name", value, sizeof(value)));
}

TEST_F(file, fdinfo_name)
{
	const char *name = "with spaces, and: colons";
	char value[64];

	ASSERT_EQ(0, buffer_set_name(self->fd, name));
	EXPECT_EQ(1, fdinfo_get(self->fd, "name", value, sizeof(value)));
	EXPECT_STREQ(name, value);
}

TEST_F(file, fdinfo_name_cannot_forge_keys)
{
	char before[64], after[64], value[128], *p;

	ASSERT_EQ(1, fdinfo_get(self->fd, "size", before, sizeof(before)));
	ASSERT_EQ(0, buffer_set_name(self->fd, "a\nsize:\t1\ncount:\t99\n"));
	EXPECT_EQ(1, fdinfo_get(self->fd, "size", after, sizeof(after)));
	EXPECT_STREQ(before, after);
	EXPECT_EQ(1, fdinfo_get(self->fd, "count", after, sizeof(after)));
	EXPECT_STREQ("1", after);
	EXPECT_EQ(1, fdinfo_get(self->fd, "name", value, sizeof(value)));
	EXPECT_EQ('a', value[0]);
	/* Not cut off either: the name's end shows */
	EXPECT_NE(NULL, strstr(value, "99"));

	/* Control characters do not reach the terminal of the reader */
	ASSERT_EQ(0, buffer_set_name(self->fd, "b\r\033[2Jc\td\177e\001f"));
	EXPECT_EQ(1, fdinfo_get(self->fd, "name", value, sizeof(value)));
	for (p = value; *p; p++)
		EXPECT_TRUE(*p >= ' ' && *p < 0x7f)
			TH_LOG("control character %#x", *p);
}

TEST_F(file, fdinfo_count_of_descriptors)
{
	int fds[3], i;

	EXPECT_EQ(1, fdinfo_count(self->fd));
	for (i = 0; i < ARRAY_SIZE(fds); i++) {
		fds[i] = dup(self->fd);
		ASSERT_LE(0, fds[i]);
		EXPECT_EQ(2 + i, fdinfo_count(self->fd));
		EXPECT_EQ(2 + i, fdinfo_count(fds[i]));
	}
	for (i = 0; i < ARRAY_SIZE(fds); i++)
		close(fds[i]);
	EXPECT_EQ(1, fdinfo_count(self->fd));
}

TEST_F(file, fdinfo_count_of_maps)
{
	void *map = mmap(NULL, self->size, PROT_READ, MAP_SHARED, self->fd, 0);

	ASSERT_NE(MAP_FAILED, map);
	EXPECT_EQ(2, fdinfo_count(self->fd));
	munmap(map, self->size);
	EXPECT_EQ(1, fdinfo_count(self->fd));
}

/* No use of the interface leaks a reference */
TEST_F(file, fdinfo_count_after_use)
{
	struct stat st;
	int fence;

	poll_now(self->fd, POLLIN | POLLOUT);
	buffer_sync(self->fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW);
	buffer_sync(self->fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_RW);
	buffer_set_name(self->fd, "used");
	lseek(self->fd, 0, SEEK_END);
	fstat(self->fd, &st);
	fence = buffer_export_sync_file(self->fd, DMA_BUF_SYNC_RW);
	ASSERT_LE(0, fence);
	/* A sync_file is about fences, it does not hold the buffer */
	EXPECT_EQ(1, fdinfo_count(self->fd));
	close(fence);
	if (bufinfo_readable())
		bufinfo_lines(self->ino);
	EXPECT_EQ(1, fdinfo_count(self->fd));
}

/*
 * bufinfo
 */

TEST_F(file, bufinfo_columns)
{
	char line[512], exp_name[64], name[64];
	unsigned int flags, mode;
	unsigned long long ino;
	size_t size;
	int columns;
	long count;

	need_bufinfo(_metadata);

	ASSERT_EQ(1, bufinfo_line(self->ino, line, sizeof(line)));
	columns = sscanf(line, "%zu\t%x\t%x\t%ld\t%63[^\t]\t%llu\t%63[^\n]",
			 &size, &flags, &mode, &count, exp_name, &ino, name);
	ASSERT_EQ(7, columns);
	EXPECT_EQ(self->size, size);
	EXPECT_EQ(O_RDWR, flags & O_ACCMODE);
	EXPECT_EQ(3, mode & 3);
	EXPECT_LE(1, count);
	EXPECT_STREQ(exporter_exp_name(variant->exporter), exp_name);
	EXPECT_EQ(self->ino, ino);
	EXPECT_EQ(0, strncmp(name, "<none>", 6));

	/* Columns have fixed widths, for programs that cut by column */
	EXPECT_EQ('\t', line[8]);
	EXPECT_EQ('\t', line[17]);
	EXPECT_EQ('\t', line[26]);
	EXPECT_EQ('\t', line[35]);

	ASSERT_EQ(0, buffer_set_name(self->fd, "seen"));
	ASSERT_EQ(1, bufinfo_line(self->ino, line, sizeof(line)));
	EXPECT_NE(NULL, strstr(line, "\tseen"));
}

TEST_F(file, bufinfo_name_cannot_forge_lines)
{
	char line[512];
	long long bytes;
	long objects;

	need_bufinfo(_metadata);

	ASSERT_EQ(0, buffer_set_name(self->fd, "a\n\nTotal 7 objects, 1 bytes"));
	EXPECT_EQ(1, bufinfo_line(self->ino, line, sizeof(line)));
	EXPECT_NE(NULL, strstr(line, "Total 7"));
	/* ... and nothing but the last line is a total */
	EXPECT_EQ(0, bufinfo_total(&objects, &bytes));
}

/* A software timeline is named after the program that opens it */
TEST_F(file, bufinfo_timeline_cannot_forge_lines)
{
	static const char want[] =
		"\twrite fence:sw_sync a\\012\\011\\033[2J\\0121\\177\\134 seq 1 unsignalled\n";
	long objects_before, objects;
	long long bytes;
	char line[512];
	int timeline;

	need_bufinfo(_metadata);
	ASSERT_EQ(0, bufinfo_total(&objects_before, &bytes));
	ASSERT_EQ(0, prctl(PR_SET_NAME, "a\n\t\033[2J\n1\177\\", 0, 0, 0));
	timeline = need_timeline(_metadata);

	ASSERT_EQ(0, timeline_import(timeline, 1, self->fd, DMA_BUF_SYNC_WRITE));
	EXPECT_EQ(1, bufinfo_fences(self->ino, line, sizeof(line)));
	EXPECT_STREQ(want, line);
	EXPECT_EQ(0, bufinfo_devices(self->ino));
	EXPECT_EQ(0, bufinfo_total(&objects, &bytes));
	EXPECT_EQ(objects_before, objects);
	close(timeline);
}

TEST_F(file, bufinfo_total)
{
	long before, with, after;
	long long bytes_before, bytes_with, bytes_after;
	size_t size = self->size;
	int fd;

	need_bufinfo(_metadata);

	ASSERT_EQ(0, bufinfo_total(&before, &bytes_before));
	fd = exporter_alloc(variant->exporter, &size, O_RDWR);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, bufinfo_total(&with, &bytes_with));
	close(fd);
	ASSERT_EQ(0, bufinfo_total(&after, &bytes_after));

	EXPECT_EQ(before + 1, with);
	EXPECT_EQ(bytes_before + size, bytes_with);
	EXPECT_EQ(before, after);
	EXPECT_EQ(bytes_before, bytes_after);
}

TEST_F(file, bufinfo_forgets_at_last_close)
{
	int fd;

	need_bufinfo(_metadata);

	fd = dup(self->fd);
	ASSERT_LE(0, fd);
	EXPECT_EQ(1, bufinfo_lines(self->ino));
	close(self->fd);
	EXPECT_EQ(1, bufinfo_lines(self->ino));
	close(fd);
	EXPECT_EQ(0, bufinfo_lines(self->ino));
	self->fd = -1;
}

/*
 * Read in pieces, however small, it is the same text: totals are not counted
 * twice where a line did not fit.
 */
static ssize_t read_all(int fd, char *text, size_t size, size_t piece)
{
	size_t len = 0;
	ssize_t n;

	do {
		n = read(fd, text + len, len + piece < size ? piece : size - len);
		if (n > 0)
			len += n;
	} while (n > 0);
	return n < 0 ? -errno : (ssize_t)len;
}

TEST(bufinfo_in_pieces)
{
	const size_t pieces[] = { 7, 100, 4096 };
	char whole[16384], text[16384];
	int fds[40], fd, i;
	ssize_t len;
	size_t size;

	need_bufinfo(_metadata);

	/* More than a page of it */
	for (i = 0; i < ARRAY_SIZE(fds); i++)
		fds[i] = need_buffer(_metadata, SYSTEM_HEAP, &size, O_RDWR);
	fd = open(BUFINFO, O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, fd);
	len = read_all(fd, whole, sizeof(whole), sizeof(whole));
	ASSERT_LT(4096, len);
	EXPECT_EQ('\n', whole[len - 1]);
	for (i = 0; i < ARRAY_SIZE(pieces); i++) {
		ASSERT_EQ(0, lseek(fd, 0, SEEK_SET));
		EXPECT_EQ(len, read_all(fd, text, sizeof(text), pieces[i]));
		EXPECT_EQ(0, memcmp(whole, text, len))
			TH_LOG("pieces of %zu", pieces[i]);
	}
	close(fd);
	for (i = 0; i < ARRAY_SIZE(fds); i++)
		close(fds[i]);
}

/* A reader that stops in the middle holds no reference */
TEST_F(file, bufinfo_half_read)
{
	char text[256];
	int fd;

	need_bufinfo(_metadata);

	fd = open(BUFINFO, O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, fd);
	ASSERT_LT(0, read(fd, text, sizeof(text)));
	EXPECT_EQ(1, fdinfo_count(self->fd));
	close(self->fd);
	self->fd = -1;
	EXPECT_EQ(0, bufinfo_lines(self->ino));
	while (read(fd, text, sizeof(text)) > 0)
		;
	close(fd);
}

/*
 * Other ways to a file
 */

/* procfs makes no second file of a buffer, with whatever access */
TEST_F(file, cannot_be_reopened)
{
	const int modes[] = { O_RDONLY, O_WRONLY, O_RDWR, O_RDONLY | O_NONBLOCK };
	char path[48];
	int i;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", self->fd);
	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		EXPECT_EQ(-1, open(path, modes[i] | O_CLOEXEC));
		EXPECT_TRUE(errno == ENXIO || errno == EACCES)
			TH_LOG("mode %#x: %s", modes[i], strerror(errno));
	}
	EXPECT_EQ(1, fdinfo_count(self->fd));
}

static int open_path(int fd)
{
	char path[48];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, O_PATH | O_CLOEXEC);
}

/* An O_PATH descriptor refers to the place, not to the buffer */
TEST_F(file, path_descriptor)
{
	int path = open_path(self->fd);
	void *map;

	ASSERT_LE(0, path);
	EXPECT_EQ(self->ino, buffer_ino(path));
	EXPECT_EQ(1, fdinfo_count(self->fd));
	EXPECT_EQ(-EBADF, buffer_sync(path, DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ));
	EXPECT_EQ(-EBADF, buffer_set_name(path, "no"));
	EXPECT_EQ(-1, lseek(path, 0, SEEK_END));
	EXPECT_EQ(EBADF, errno);
	EXPECT_EQ(POLLNVAL, poll_now(path, POLLIN));
	map = mmap(NULL, self->size, PROT_READ, MAP_SHARED, path, 0);
	EXPECT_EQ(MAP_FAILED, map);
	EXPECT_EQ(EBADF, errno);
	close(path);
}

/* It may outlive the buffer, and everything that it can do still works */
TEST_F(file, path_descriptor_past_last_close)
{
	char link[48], target[128] = "";
	struct statfs fs;
	struct stat st;
	int path;

	need_bufinfo(_metadata);

	ASSERT_EQ(0, buffer_set_name(self->fd, "late"));
	path = open_path(self->fd);
	ASSERT_LE(0, path);
	close(self->fd);
	self->fd = -1;

	EXPECT_EQ(0, bufinfo_lines(self->ino));
	ASSERT_EQ(0, fstat(path, &st));
	EXPECT_EQ(self->ino, st.st_ino);
	ASSERT_EQ(0, fstatfs(path, &fs));
	EXPECT_EQ(DMA_BUF_MAGIC, fs.f_type);
	snprintf(link, sizeof(link), "/proc/self/fd/%d", path);
	EXPECT_LT(0, readlink(link, target, sizeof(target) - 1));
	EXPECT_EQ(0, strncmp(target, "/dmabuf:", 8))
		TH_LOG("path '%s'", target);
	EXPECT_EQ(-1, open(link, O_RDWR));

	/* A second path descriptor of what is only a path by now */
	self->fd = open_path(path);
	ASSERT_LE(0, self->fd);
	EXPECT_EQ(self->ino, buffer_ino(self->fd));
	close(path);
	EXPECT_EQ(self->ino, buffer_ino(self->fd));
}

/*
 * When the exporter's release hook runs: udmabuf lets user space see that.
 */

FIXTURE(release) {
	int fd;
	int memfd;
	size_t size;
};

FIXTURE_SETUP(release)
{
	self->size = TEST_PAGES * getpagesize();
	self->fd = udmabuf_alloc(&self->memfd, self->size, O_CLOEXEC);
	need_exporter(_metadata, UDMABUF, self->fd);
}

FIXTURE_TEARDOWN(release)
{
	close(self->fd);
	close(self->memfd);
}

TEST_F(release, not_while_open)
{
	int fd = dup(self->fd);

	ASSERT_LE(0, fd);
	close(self->fd);
	self->fd = fd;
	EXPECT_EQ(1, udmabuf_memory_pinned(self->memfd));
}

TEST_F(release, not_while_mapped)
{
	void *map = mmap(NULL, self->size, PROT_READ, MAP_SHARED, self->fd, 0);

	ASSERT_NE(MAP_FAILED, map);
	close(self->fd);
	self->fd = -1;
	EXPECT_EQ(1, udmabuf_memory_pinned(self->memfd));
}

TEST_F(release, at_last_close)
{
	close(self->fd);
	self->fd = -1;
	EXPECT_EQ(0, udmabuf_memory_pinned(self->memfd));
}

TEST_F(release, at_last_munmap)
{
	void *map = mmap(NULL, self->size, PROT_READ, MAP_SHARED, self->fd, 0);

	ASSERT_NE(MAP_FAILED, map);
	close(self->fd);
	self->fd = -1;
	munmap(map, self->size);
	EXPECT_EQ(0, udmabuf_memory_pinned(self->memfd));
}

TEST_F(release, at_exit_of_last_process)
{
	int status;
	pid_t pid;

	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		_exit(0);
	close(self->fd);
	self->fd = -1;
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, udmabuf_memory_pinned(self->memfd));
}

/* The release belongs to the file: a dentry that lives on does not delay it */
TEST_F(release, despite_path_descriptor)
{
	int path = open_path(self->fd);

	ASSERT_LE(0, path);
	close(self->fd);
	self->fd = -1;
	EXPECT_EQ(0, udmabuf_memory_pinned(self->memfd));
	close(path);
}

TEST_HARNESS_MAIN
