// SPDX-License-Identifier: GPL-2.0-only
/*
 * dmabuf-conformance: mapping a buffer into a process.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>
#include <sys/mman.h>

#include "conformance.h"

#define RW	(PROT_READ | PROT_WRITE)

/* Write the number of each page into its first and last word. */
static void stamp(char *map, size_t page, size_t size, __u32 salt)
{
	__u32 number;
	size_t at;

	for (at = 0; at < size; at += page) {
		number = salt + at / page;
		memcpy(map + at, &number, sizeof(number));
		memcpy(map + at + page - sizeof(number), &number, sizeof(number));
	}
}

/* Returns how many pages do not have their stamp. */
static unsigned int stamps_wrong(const char *map, size_t page, size_t size, __u32 salt)
{
	unsigned int wrong = 0;
	__u32 number;
	size_t at;

	for (at = 0; at < size; at += page) {
		number = salt + at / page;
		wrong += memcmp(map + at, &number, sizeof(number)) ||
			 memcmp(map + at + page - sizeof(number), &number, sizeof(number));
	}
	return wrong;
}

CONFORM(mmap, whole, NEED_WRITE,
	"A whole buffer can be mapped shared. Each page of the mapping is a separate\n"
	"page, which holds what was written to it.")
{
	char *map = map_whole(t, t->fd, t->size, RW);

	stamp(map, t->page, t->size, 1000);
	expect(!stamps_wrong(map, t->page, t->size, 1000), "%u pages hold something else",
	       stamps_wrong(map, t->page, t->size, 1000));
}

CONFORM(mmap, two_maps, NEED_WRITE,
	"All mappings of a buffer show the same memory, immediately and in both\n"
	"directions.")
{
	char *one = map_whole(t, t->fd, t->size, RW);
	char *two = map_whole(t, dup(t->fd), t->size, RW);

	stamp(one, t->page, t->size, 2000);
	expect(!stamps_wrong(two, t->page, t->size, 2000), "the second mapping shows other data");
	stamp(two, t->page, t->size, 3000);
	expect(!stamps_wrong(one, t->page, t->size, 3000), "the first mapping shows other data");
}

CONFORM(mmap, offset, NEED_WRITE,
	"A mapping may start at any page of the buffer, and shows the buffer from\n"
	"that page on.")
{
	char *whole = map_whole(t, t->fd, t->size, RW);
	size_t at;
	char *map;

	if (t->size < 2 * t->page)
		skip("the buffer has one page only");
	stamp(whole, t->page, t->size, 4000);
	for (at = t->page; at < t->size; at += t->page) {
		map = map_try(t->fd, t->size - at, PROT_READ, MAP_SHARED, at);
		require(map, "no mapping from byte %zu on: %s", at, errno_name(errno));
		expect(!stamps_wrong(map, t->page, t->size - at, 4000 + at / t->page),
		       "the mapping from byte %zu on shows another part", at);
		munmap(map, t->size - at);
		if (has_failed())
			return;
	}
}

CONFORM(mmap, part, NEED_WRITE,
	"A mapping may end before the buffer does.")
{
	char *whole = map_whole(t, t->fd, t->size, RW);
	char *map = map_try(t->fd, t->page, PROT_READ, MAP_SHARED, 0);

	require(map, "no mapping of the first page: %s", errno_name(errno));
	stamp(whole, t->page, t->size, 5000);
	expect(!stamps_wrong(map, t->page, t->page, 5000), "it shows another page");
}

CONFORM(mmap, odd_length, NEED_MMAP,
	"The length is rounded up to whole pages, as mmap() does for every file: a\n"
	"length of one byte less than the buffer maps all of it, and one byte more\n"
	"is a page too many.")
{
	expect(map_try(t->fd, t->size - 1, PROT_READ, MAP_SHARED, 0),
	       "one byte less cannot be mapped: %s", errno_name(errno));
	expect(!map_try(t->fd, t->size + 1, PROT_READ, MAP_SHARED, 0),
	       "one byte more can be mapped");
}

CONFORM(mmap, beyond_end, NEED_MMAP,
	"A mapping that would reach past the end of the buffer is refused with EINVAL\n"
	"by mmap(), wherever it starts, and not only when memory past the end is\n"
	"accessed.")
{
	const struct {
		size_t len;
		off_t offset;
	} beyond[] = {
		{ t->size + t->page, 0 },
		{ 2 * t->size, 0 },
		{ 2 * t->page, t->size - t->page },
		{ t->page, t->size },
		{ t->page, t->size + t->page },
		{ t->size, t->page },
		{ t->page, (off_t)1 << 40 },
	};
	unsigned int i;
	void *map;

	for (i = 0; i < ARRAY_SIZE(beyond); i++) {
		map = map_try(t->fd, beyond[i].len, PROT_READ, MAP_SHARED, beyond[i].offset);
		expect_errno(map ? 0 : -1, EINVAL, "%zu bytes from %lld on, of %zu",
			     beyond[i].len, (long long)beyond[i].offset, t->size);
	}
}

CONFORM(mmap, wrapping_offset, NEED_MMAP,
	"With the largest offsets that mmap() takes, the sum of offset and length\n"
	"overflows: in bytes on 64 bits, in page numbers on 32. The small sum must\n"
	"not pass the check: EINVAL or EOVERFLOW, either from the core or from the\n"
	"kernel before it calls the core.")
{
	/* On 64 bits mmap() passes bytes to the kernel, on 32 bits the number of a page. */
	const __u64 last = sizeof(long) < 8 ? UINT32_MAX : UINT64_MAX / t->page;
	const struct {
		__u64 first;
		unsigned int pages;
	} maps[] = {
		{ last, 2 }, { last, 1 }, { last - 1, 2 }, { last - 1, 3 },
		/* The limit of signed offsets, which some kernels leave to the core to check */
		{ last / 2, 1 }, { last / 2, 2 },
	};
	unsigned int i;
	void *map;

	for (i = 0; i < ARRAY_SIZE(maps); i++) {
		map = map_try(t->fd, maps[i].pages * t->page, PROT_READ, MAP_SHARED,
			      (off_t)(maps[i].first * t->page));
		expect(!map, "%u pages from page %#llx on can be mapped", maps[i].pages,
		       (unsigned long long)maps[i].first);
		expect(map || errno == EINVAL || errno == EOVERFLOW,
		       "%u pages from page %#llx on: fails with %s", maps[i].pages,
		       (unsigned long long)maps[i].first, errno_name(errno));
	}
}

CONFORM(mmap, odd_offset, NEED_MMAP,
	"An offset that is not a multiple of the page size is refused with EINVAL.")
{
	expect_errno(map_try(t->fd, t->page, PROT_READ, MAP_SHARED, 1) ? 0 : -1, EINVAL,
		     "offset 1");
	expect_errno(map_try(t->fd, t->page, PROT_READ, MAP_SHARED, t->page / 2) ? 0 : -1, EINVAL,
		     "offset of half a page");
}

CONFORM(mmap, private, NEED_WRITE,
	"A buffer exists to be shared. An exporter may refuse MAP_PRIVATE; if it does\n"
	"not, writes to such a mapping stay private.")
{
	char *shared = map_whole(t, t->fd, t->size, RW);
	char *private;

	stamp(shared, t->page, t->size, 6000);
	private = map_try(t->fd, t->size, RW, MAP_PRIVATE, 0);
	if (!private)
		return;
	expect(!stamps_wrong(private, t->page, t->size, 6000),
	       "a private mapping does not show the buffer");
	memset(private, 0x5a, t->size);
	expect(!stamps_wrong(shared, t->page, t->size, 6000),
	       "what is written to a private mapping gets into the buffer");
}

static void on_fault(int signal)
{
	(void)signal;
	_exit(0);
}

/* Exits with success only if the write is not executed. */
static void write_there(void *data)
{
	char *there = data;

	signal(SIGSEGV, on_fault);
	signal(SIGBUS, on_fault);
	*there = 1;
	stop("the write comes to pass");
}

CONFORM(mmap, read_only_map, NEED_MMAP,
	"A mapping without PROT_WRITE cannot be written to: the process gets a signal.")
{
	void *map = map_whole(t, t->fd, t->size, PROT_READ);
	int killed = in_process(write_there, map);

	expect(!killed, "the process is killed by signal %d", killed);
}

CONFORM(mmap, read_only_fd, NEED_ACCMODE | NEED_MMAP,
	"Through a read-only descriptor a buffer can be mapped for reading, but not\n"
	"for writing: EACCES. A process can thus share a buffer that the receiver\n"
	"cannot change.")
{
	size_t size = t->size;
	int fd = buffer_try(t, &size, O_RDONLY | O_CLOEXEC);

	require(fd >= 0, "no read-only descriptor: %s", errno_name(-fd));
	expect(map_try(fd, size, PROT_READ, MAP_SHARED, 0), "it cannot be mapped for reading: %s",
	       errno_name(errno));
	expect_errno(map_try(fd, size, RW, MAP_SHARED, 0) ? 0 : -1, EACCES,
		     "a mapping for writing");
	expect_errno(map_try(fd, size, PROT_WRITE, MAP_SHARED, 0) ? 0 : -1, EACCES,
		     "a mapping for writing only");
}

CONFORM(mmap, mprotect, NEED_ACCMODE | NEED_MMAP,
	"mprotect() cannot make a mapping of a read-only descriptor writable: EACCES.")
{
	size_t size = t->size;
	int fd = buffer_try(t, &size, O_RDONLY | O_CLOEXEC);
	void *map;

	require(fd >= 0, "no read-only descriptor: %s", errno_name(-fd));
	map = map_whole(t, fd, size, PROT_READ);
	expect_errno(mprotect(map, size, RW), EACCES, "mprotect() for writing");

	/* mprotect() to what the descriptor allows still works. */
	map = map_whole(t, t->fd, t->size, PROT_READ);
	expect_errno(mprotect(map, t->size, RW), 0, "mprotect() where writing is allowed");
}

CONFORM(mmap, after_close, NEED_ALLOC | NEED_WRITE,
	"A mapping outlives the descriptor that it was made with: it holds the memory\n"
	"until it is unmapped.")
{
	size_t size = t->size, other_size;
	int fd = buffer_new(t, &size), i;
	char *map = map_whole(t, fd, size, RW);

	stamp(map, t->page, size, 7000);
	close(fd);
	/* If close() had freed the memory, these buffers would get it. */
	for (i = 0; i < 8; i++) {
		char *other;

		other_size = t->size;
		fd = buffer_new(t, &other_size);
		other = map_whole(t, fd, other_size, RW);
		memset(other, 0xff, other_size);
		munmap(other, other_size);
		close(fd);
	}
	expect(!stamps_wrong(map, t->page, size, 7000), "%u pages were given to somebody else",
	       stamps_wrong(map, t->page, size, 7000));
	stamp(map, t->page, size, 7100);
	expect(!stamps_wrong(map, t->page, size, 7100), "it cannot be written any more");
}

struct shared {
	struct test *t;
	char *map;
	int fd;
};

static void write_in_child(void *data)
{
	struct shared *shared = data;
	struct test *t = shared->t;
	char *map = shared->map ?: map_whole(t, shared->fd, t->size, RW);

	expect(!stamps_wrong(map, t->page, t->size, 8000), "another process sees other data");
	stamp(map, t->page, t->size, 8100);
}

CONFORM(mmap, fork, NEED_WRITE,
	"A child inherits the mappings over fork(), and they stay shared: parent and\n"
	"child see what the other one writes.")
{
	char *map = map_whole(t, t->fd, t->size, RW);
	struct shared shared = { .t = t, .map = map };
	int killed;

	stamp(map, t->page, t->size, 8000);
	killed = in_process(write_in_child, &shared);
	expect(!killed, "the child is killed by signal %d", killed);
	expect(!stamps_wrong(map, t->page, t->size, 8100), "what the child wrote is not seen");
}

CONFORM(mmap, other_process, NEED_WRITE,
	"A process that receives a descriptor and maps the buffer sees what the\n"
	"sender writes, and the sender sees what the receiver writes.")
{
	char *map = map_whole(t, t->fd, t->size, RW);
	struct shared shared = { .t = t, .fd = pass_fd(t->fd) };
	int killed;

	stamp(map, t->page, t->size, 8000);
	killed = in_process(write_in_child, &shared);
	expect(!killed, "the other process is killed by signal %d", killed);
	expect(!stamps_wrong(map, t->page, t->size, 8100), "what it wrote is not seen");
}

CONFORM_OLDER(mmap, mremap_grow, NEED_MMAP,
	      "mremap() cannot grow a mapping past the end of the buffer: the bounds that\n"
	      "mmap() has checked stay. (If the exporter maps another file instead, the\n"
	      "bounds of that file count.)",
	      "Known: the core of Linux 6.12 as released leaves this to the exporter.")
{
	char *map = map_whole(t, t->fd, t->size, PROT_READ);
	void *grown;

	need_own_map(t->fd, map);
	grown = mremap(map, t->size, t->size + t->page, MREMAP_MAYMOVE);
	expect(grown == MAP_FAILED, "a mapping of all of it can be grown by a page");
	if (grown != MAP_FAILED)
		return;
	map = map_try(t->fd, t->page, PROT_READ, MAP_SHARED, t->size - t->page);
	require(map, "the last page cannot be mapped: %s", errno_name(errno));
	grown = mremap(map, t->page, 2 * t->page, MREMAP_MAYMOVE);
	expect(grown == MAP_FAILED, "a mapping of the last page can be grown by a page");
}

CONFORM(mmap, mremap_move, NEED_WRITE,
	"mremap() can move a mapping in the address space, and the mapping shows the\n"
	"same memory there.")
{
	char *map = map_whole(t, t->fd, t->size, RW);
	char *place, *moved;

	place = mmap(NULL, t->size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	require(place != MAP_FAILED, "no room in the address space");
	stamp(map, t->page, t->size, 9000);
	moved = mremap(map, t->size, t->size, MREMAP_MAYMOVE | MREMAP_FIXED, place);
	require(moved == place, "it cannot be moved: %s", errno_name(errno));
	expect(!stamps_wrong(moved, t->page, t->size, 9000), "it shows other memory");
	stamp(moved, t->page, t->size, 9100);
	map = map_whole(t, t->fd, t->size, PROT_READ);
	expect(!stamps_wrong(map, t->page, t->size, 9100), "what is written there is lost");
}

CONFORM(mmap, mremap_shrink, NEED_WRITE,
	"mremap() can shrink a mapping, and the rest of the mapping does not change.")
{
	char *map = map_whole(t, t->fd, t->size, RW);

	if (t->size < 2 * t->page)
		skip("the buffer has one page only");
	stamp(map, t->page, t->size, 10000);
	require(mremap(map, t->size, t->page, 0) == map, "it cannot be shrunk: %s",
		errno_name(errno));
	expect(!stamps_wrong(map, t->page, t->page, 10000), "the first page has changed");
}

CONFORM(mmap, split, NEED_WRITE,
	"A mapping that has been split, as by mprotect() of a page in its middle,\n"
	"still shows the right pages, even those that were not accessed before.")
{
	char *whole = map_whole(t, t->fd, t->size, RW);
	char *map = map_whole(t, t->fd, t->size, RW);

	if (t->size < 3 * t->page)
		skip("the buffer has less than three pages");
	stamp(whole, t->page, t->size, 12000);
	require(!mprotect(map + t->page, t->page, PROT_READ), "mprotect() fails: %s",
		errno_name(errno));
	expect(!stamps_wrong(map, t->page, t->size, 12000), "%u pages show something else",
	       stamps_wrong(map, t->page, t->size, 12000));
}

CONFORM(mmap, unmap_part, NEED_WRITE,
	"A page can be unmapped from the middle of a mapping. The rest of the mapping\n"
	"stays, and so does the page in the buffer.")
{
	char *map = map_whole(t, t->fd, t->size, RW);

	if (t->size < 3 * t->page)
		skip("the buffer has less than three pages");
	stamp(map, t->page, t->size, 11000);
	require(!munmap(map + t->page, t->page), "munmap() fails: %s", errno_name(errno));
	expect(!stamps_wrong(map, t->page, t->page, 11000), "the page before it has changed");
	expect(!stamps_wrong(map + 2 * t->page, t->page, t->size - 2 * t->page, 11002),
	       "the pages after it have changed");
	map = map_whole(t, t->fd, t->size, PROT_READ);
	expect(!stamps_wrong(map, t->page, t->size, 11000), "the buffer has changed");
}
