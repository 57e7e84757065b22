// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mappings of a dma-buf: their bounds, that all of them show the same memory,
 * and that a mapping holds a reference just as a descriptor does.
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "fixture.h"

FIXTURE(map) {
	int fd;
	size_t size;
	size_t page;
};

FIXTURE_VARIANT(map) {
	enum exporter exporter;
};

EVERY_EXPORTER(map);

FIXTURE_SETUP(map)
{
	self->page = getpagesize();
	self->fd = need_buffer(_metadata, variant->exporter, &self->size,
			       O_RDWR | O_CLOEXEC);
	ASSERT_LE(TEST_PAGES * self->page, self->size);
}

FIXTURE_TEARDOWN(map)
{
	close(self->fd);
}

static void *map_rw(int fd, size_t len, off_t offset)
{
	return mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, offset);
}

/* Whether the kernel can read the byte: asks without the risk of a signal. */
static bool readable(const void *p)
{
	int pipes[2];
	bool ok;

	if (pipe2(pipes, O_CLOEXEC))
		return false;
	ok = write(pipes[1], p, 1) == 1;
	close(pipes[0]);
	close(pipes[1]);
	return ok;
}

/*
 * Bounds
 */

TEST_F(map, whole_buffer)
{
	char *map = map_rw(self->fd, self->size, 0);

	ASSERT_NE(MAP_FAILED, map);
	memset(map, 0x5a, self->size);
	EXPECT_EQ(0x5a, map[0]);
	EXPECT_EQ(0x5a, map[self->size - 1]);
	EXPECT_EQ(0, munmap(map, self->size));
}

TEST_F(map, parts)
{
	/* A frame has many pages: the first few and the last will do */
	const size_t pages = self->size / self->page;
	size_t i, offset;
	char *map;

	for (i = 0; i < pages; i++) {
		if (i >= 8 && i < pages - 1)
			continue;
		offset = i * self->page;
		map = map_rw(self->fd, self->page, offset);
		ASSERT_NE(MAP_FAILED, map);
		munmap(map, self->page);
		map = map_rw(self->fd, self->size - offset, offset);
		ASSERT_NE(MAP_FAILED, map);
		munmap(map, self->size - offset);
	}
}

TEST_F(map, length_past_end)
{
	EXPECT_EQ(MAP_FAILED, map_rw(self->fd, self->size + self->page, 0));
	EXPECT_EQ(EINVAL, errno);
	/* The length counts in whole pages: one byte more is one page more */
	EXPECT_EQ(MAP_FAILED, map_rw(self->fd, self->size + 1, 0));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(MAP_FAILED, map_rw(self->fd, 64 * self->size, 0));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(1, fdinfo_count(self->fd));
}

TEST_F(map, length_in_whole_pages)
{
	char *map = map_rw(self->fd, self->size - self->page + 1, 0);

	ASSERT_NE(MAP_FAILED, map);
	map[self->size - 1] = 1;	/* of the last page, and so mapped */
	munmap(map, self->size);
}

TEST_F(map, offset_past_end)
{
	EXPECT_EQ(MAP_FAILED, map_rw(self->fd, self->page, self->size));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(MAP_FAILED, map_rw(self->fd, 2 * self->page, self->size - self->page));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(MAP_FAILED, map_rw(self->fd, self->size, self->page));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(MAP_FAILED, map_rw(self->fd, self->page, self->size + 64 * self->page));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(1, fdinfo_count(self->fd));
}

/*
 * Offset plus length reach round the end of what an unsigned long counts in
 * pages. Only mmap2() of a 32-bit kernel gets that far: with 64 bits the offset
 * in bytes ends first, which generic code sees, and to a 64-bit kernel a 32-bit
 * program's offset is just one past the end.
 */
TEST_F(map, offset_wraps)
{
#ifdef SYS_mmap2
	EXPECT_EQ(-1, syscall(SYS_mmap2, NULL, 2 * self->page, PROT_READ,
			      MAP_SHARED, self->fd, ~0UL));
	EXPECT_TRUE(errno == EOVERFLOW || errno == EINVAL)
		TH_LOG("%s", strerror(errno));
#else
	EXPECT_EQ(-1, syscall(SYS_mmap, NULL, 2 * self->page, PROT_READ,
			      MAP_SHARED, self->fd, ~0UL - self->page + 1));
	EXPECT_EQ(EOVERFLOW, errno);
#endif
	EXPECT_EQ(1, fdinfo_count(self->fd));
}

/* Very far out, but not round the end */
TEST_F(map, offset_far)
{
#ifdef SYS_mmap2
	EXPECT_EQ(-1, syscall(SYS_mmap2, NULL, self->page, PROT_READ,
			      MAP_SHARED, self->fd, 0x80000UL));
#else
	EXPECT_EQ(-1, syscall(SYS_mmap, NULL, self->page, PROT_READ,
			      MAP_SHARED, self->fd, 1UL << 62));
#endif
	EXPECT_EQ(EINVAL, errno);
}

TEST_F(map, refused_by_generic_code)
{
	EXPECT_EQ(MAP_FAILED, map_rw(self->fd, 0, 0));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(MAP_FAILED, map_rw(self->fd, self->page, 1));
	EXPECT_EQ(EINVAL, errno);
}

/*
 * mremap()
 */

TEST_F(map, cannot_grow_past_end)
{
	char *map = map_rw(self->fd, self->size, 0);

	ASSERT_NE(MAP_FAILED, map);
	EXPECT_EQ(MAP_FAILED, mremap(map, self->size, self->size + self->page,
				     MREMAP_MAYMOVE));
	EXPECT_EQ(MAP_FAILED, mremap(map, self->size, 4 * self->size, MREMAP_MAYMOVE));
	/* An old length of 0 asks for a second map, here a longer one */
	EXPECT_EQ(MAP_FAILED, mremap(map, 0, self->size + self->page, MREMAP_MAYMOVE));
	EXPECT_EQ(2, fdinfo_count(self->fd));
	munmap(map, self->size);
}

TEST_F(map, part_cannot_grow_past_end)
{
	char *map = map_rw(self->fd, self->page, self->size - self->page);

	ASSERT_NE(MAP_FAILED, map);
	EXPECT_EQ(MAP_FAILED, mremap(map, self->page, 2 * self->page, MREMAP_MAYMOVE));
	munmap(map, self->page);
}

/* The old call that moved pages within a mapping; the kernel now emulates it by mmap() */
TEST_F(map, remap_file_pages_past_end)
{
	char *map = map_rw(self->fd, self->size, 0);

	ASSERT_NE(MAP_FAILED, map);
	EXPECT_EQ(-1, syscall(SYS_remap_file_pages, map, self->size, 0, 1, 0));
	EXPECT_EQ(EINVAL, errno);
	munmap(map, self->size);
	EXPECT_EQ(1, fdinfo_count(self->fd));
}

/* What is thrown out of page tables is still the buffer's */
TEST_F(map, content_outlives_page_tables)
{
	char *map = map_rw(self->fd, self->size, 0);

	ASSERT_NE(MAP_FAILED, map);
	map[0] = 0x21;
	ASSERT_EQ(0, munmap(map, self->size));
	map = mmap(NULL, self->size, PROT_READ, MAP_SHARED | MAP_POPULATE, self->fd, 0);
	ASSERT_NE(MAP_FAILED, map);
	EXPECT_EQ(0x21, map[0]);
	munmap(map, self->size);
}

TEST_F(map, protection_changes)
{
	char *map = map_rw(self->fd, self->size, 0);

	ASSERT_NE(MAP_FAILED, map);
	map[0] = 0x44;
	ASSERT_EQ(0, mprotect(map, self->page, PROT_NONE));
	EXPECT_FALSE(readable(map));
	EXPECT_TRUE(readable(map + self->page));
	EXPECT_EQ(3, fdinfo_count(self->fd));
	ASSERT_EQ(0, mprotect(map, self->page, PROT_READ | PROT_WRITE));
	EXPECT_EQ(0x44, map[0]);
	munmap(map, self->size);
	EXPECT_EQ(1, fdinfo_count(self->fd));
}

TEST_F(map, can_shrink)
{
	char *map = map_rw(self->fd, self->size, 0);

	ASSERT_NE(MAP_FAILED, map);
	map[0] = 7;
	EXPECT_EQ(map, mremap(map, self->size, self->page, 0));
	EXPECT_EQ(7, map[0]);
	EXPECT_TRUE(readable(map));
	EXPECT_FALSE(readable(map + self->page));
	munmap(map, self->page);
	EXPECT_EQ(1, fdinfo_count(self->fd));
}

TEST_F(map, can_move)
{
	char *map = map_rw(self->fd, self->size, 0), *place, *moved;

	ASSERT_NE(MAP_FAILED, map);
	map[0] = 1;
	map[self->size - 1] = 2;
	place = mmap(NULL, self->size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, place);
	moved = mremap(map, self->size, self->size, MREMAP_MAYMOVE | MREMAP_FIXED, place);
	ASSERT_EQ(place, moved);
	EXPECT_EQ(1, moved[0]);
	EXPECT_EQ(2, moved[self->size - 1]);
	EXPECT_FALSE(readable(map));
	EXPECT_EQ(2, fdinfo_count(self->fd));
	munmap(moved, self->size);
}

TEST_F(map, hole_in_the_middle)
{
	char *map = map_rw(self->fd, self->size, 0);

	ASSERT_NE(MAP_FAILED, map);
	map[0] = 1;
	map[self->size - 1] = 2;
	EXPECT_EQ(0, munmap(map + self->page, self->page));
	EXPECT_EQ(1, map[0]);
	EXPECT_EQ(2, map[self->size - 1]);
	EXPECT_EQ(3, fdinfo_count(self->fd));
	munmap(map, self->size);
	EXPECT_EQ(1, fdinfo_count(self->fd));
}

/*
 * One memory
 */

TEST_F(map, two_maps_agree)
{
	char *a = map_rw(self->fd, self->size, 0);
	char *b = map_rw(self->fd, self->size, 0);
	size_t i;

	ASSERT_NE(MAP_FAILED, a);
	ASSERT_NE(MAP_FAILED, b);
	ASSERT_NE(a, b);
	ASSERT_EQ(0, buffer_sync(self->fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW));
	for (i = 0; i < self->size; i++)
		a[i] = i * 7 + i / self->page;
	EXPECT_EQ(0, memcmp(a, b, self->size));
	memset(b, 0x33, self->page);
	EXPECT_EQ(0, memcmp(a, b, self->size));
	EXPECT_EQ(0x33, a[self->page - 1]);
	ASSERT_EQ(0, buffer_sync(self->fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_RW));
	munmap(a, self->size);
	munmap(b, self->size);
}

TEST_F(map, two_descriptors_agree)
{
	int fd = dup(self->fd);
	char *a, *b;

	ASSERT_LE(0, fd);
	a = map_rw(self->fd, self->size, 0);
	b = map_rw(fd, self->size, 0);
	ASSERT_NE(MAP_FAILED, a);
	ASSERT_NE(MAP_FAILED, b);
	a[self->page] = 0x11;
	EXPECT_EQ(0x11, b[self->page]);
	b[self->page] = 0x22;
	EXPECT_EQ(0x22, a[self->page]);
	munmap(a, self->size);
	munmap(b, self->size);
	close(fd);
}

TEST_F(map, two_processes_agree)
{
	char *map = map_rw(self->fd, self->size, 0);
	int status;
	pid_t pid;

	ASSERT_NE(MAP_FAILED, map);
	map[0] = 1;
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		char *own = map_rw(self->fd, self->size, 0);

		if (own == MAP_FAILED || own[0] != 1)
			_exit(1);
		own[0] = 2;		/* through a mapping of its own, */
		map[self->page] = 3;	/* through the inherited one */
		_exit(0);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(2, map[0]);
	EXPECT_EQ(3, map[self->page]);
	munmap(map, self->size);
}

TEST_F(map, new_memory_is_zero)
{
	char *map = map_rw(self->fd, self->size, 0);
	size_t i;

	ASSERT_NE(MAP_FAILED, map);
	for (i = 0; i < self->size; i++)
		if (map[i])
			break;
	EXPECT_EQ(self->size, i);
	munmap(map, self->size);
}

/*
 * Lifetime
 */

TEST_F(map, outlives_descriptor)
{
	ino_t ino = buffer_ino(self->fd);
	char *map;

	need_bufinfo(_metadata);

	map = map_rw(self->fd, self->size, 0);
	ASSERT_NE(MAP_FAILED, map);
	map[0] = 1;
	close(self->fd);
	self->fd = -1;

	EXPECT_EQ(1, bufinfo_lines(ino));
	EXPECT_EQ(1, map[0]);
	/* Pages that were not touched before are still to be had */
	map[self->size - 1] = 2;
	EXPECT_EQ(2, map[self->size - 1]);
	munmap(map, self->size);
	EXPECT_EQ(0, bufinfo_lines(ino));
}

TEST_F(map, last_part_holds_buffer)
{
	ino_t ino = buffer_ino(self->fd);
	char *map;

	need_bufinfo(_metadata);

	map = map_rw(self->fd, self->size, 0);
	ASSERT_NE(MAP_FAILED, map);
	close(self->fd);
	self->fd = -1;
	ASSERT_EQ(0, munmap(map + self->page, self->size - self->page));
	EXPECT_EQ(1, bufinfo_lines(ino));
	EXPECT_TRUE(readable(map));
	munmap(map, self->page);
	EXPECT_EQ(0, bufinfo_lines(ino));
}

TEST_F(map, dies_with_process)
{
	ino_t ino = buffer_ino(self->fd);
	int status;
	pid_t pid;

	need_bufinfo(_metadata);

	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		char *map = map_rw(self->fd, self->size, 0);

		close(self->fd);
		if (map == MAP_FAILED)
			_exit(1);
		map[0] = 1;
		raise(SIGKILL);
	}
	close(self->fd);
	self->fd = -1;
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	EXPECT_EQ(0, bufinfo_lines(ino));
}

/*
 * An offset that lands on the right page. The other exporters always map
 * from their buffer's start, as far as their drivers go.
 */

FIXTURE(offset) {
	int fd;
	size_t size;
	size_t page;
};

FIXTURE_VARIANT(offset) {
	enum exporter exporter;
};

FIXTURE_VARIANT_ADD(offset, system_heap) {
	.exporter = SYSTEM_HEAP,
};

FIXTURE_VARIANT_ADD(offset, udmabuf) {
	.exporter = UDMABUF,
};

FIXTURE_VARIANT_ADD(offset, testdev) {
	.exporter = TESTDEV,
};

FIXTURE_SETUP(offset)
{
	self->page = getpagesize();
	self->fd = need_buffer(_metadata, variant->exporter, &self->size,
			       O_RDWR | O_CLOEXEC);
}

FIXTURE_TEARDOWN(offset)
{
	close(self->fd);
}

TEST_F(offset, reaches_its_page)
{
	char *all = map_rw(self->fd, self->size, 0), *part;
	size_t i;

	ASSERT_NE(MAP_FAILED, all);
	for (i = 0; i < TEST_PAGES; i++)
		all[i * self->page] = 10 + i;
	for (i = 0; i < TEST_PAGES; i++) {
		part = map_rw(self->fd, self->page, i * self->page);
		ASSERT_NE(MAP_FAILED, part);
		EXPECT_EQ(10 + i, part[0]);
		part[1] = 20 + i;
		EXPECT_EQ(20 + i, all[i * self->page + 1]);
		munmap(part, self->page);
	}
	munmap(all, self->size);
}

/*
 * The descriptor's access mode, which mappings respect. (udmabuf has only one
 * mode.)
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
}

FIXTURE_TEARDOWN(readonly)
{
	close(self->fd);
}

TEST_F(readonly, no_writable_map)
{
	EXPECT_EQ(MAP_FAILED, map_rw(self->fd, self->size, 0));
	EXPECT_EQ(EACCES, errno);
}

TEST_F(readonly, map_cannot_become_writable)
{
	char *map = mmap(NULL, self->size, PROT_READ, MAP_SHARED, self->fd, 0);

	ASSERT_NE(MAP_FAILED, map);
	EXPECT_EQ(0, map[0]);
	EXPECT_EQ(-1, mprotect(map, self->size, PROT_READ | PROT_WRITE));
	EXPECT_EQ(EACCES, errno);
	munmap(map, self->size);
}

FIXTURE(writeonly) {
	int fd;
	size_t size;
};

FIXTURE_VARIANT(writeonly) {
	enum exporter exporter;
};

FIXTURE_VARIANT_ADD(writeonly, system_heap) {
	.exporter = SYSTEM_HEAP,
};

FIXTURE_VARIANT_ADD(writeonly, testdev) {
	.exporter = TESTDEV,
};

FIXTURE_SETUP(writeonly)
{
	self->fd = need_buffer(_metadata, variant->exporter, &self->size,
			       O_WRONLY | O_CLOEXEC);
}

FIXTURE_TEARDOWN(writeonly)
{
	close(self->fd);
}

/* There is no memory that can be written and not read: so it is not to be had */
TEST_F(writeonly, no_map)
{
	EXPECT_EQ(MAP_FAILED, map_rw(self->fd, self->size, 0));
	EXPECT_EQ(EACCES, errno);
	EXPECT_EQ(MAP_FAILED, mmap(NULL, self->size, PROT_WRITE, MAP_SHARED, self->fd, 0));
	EXPECT_EQ(EACCES, errno);
	/* All else is as with any other */
	EXPECT_EQ(self->size, lseek(self->fd, 0, SEEK_END));
	EXPECT_EQ(0, buffer_sync(self->fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ));
	EXPECT_EQ(0, buffer_sync(self->fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_READ));
}

TEST_HARNESS_MAIN
