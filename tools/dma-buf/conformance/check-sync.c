// SPDX-License-Identifier: GPL-2.0-only
/*
 * dmabuf-conformance: DMA_BUF_IOCTL_SYNC, which begins and ends CPU access.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "conformance.h"

#define START	DMA_BUF_SYNC_START
#define END	DMA_BUF_SYNC_END
#define READ	DMA_BUF_SYNC_READ
#define WRITE	DMA_BUF_SYNC_WRITE

static void bracket(struct test *t, __u64 access, const char *what)
{
	expect_result(buffer_sync(t->fd, START | access), 0, "START to %s", what);
	expect_result(buffer_sync(t->fd, END | access), 0, "END to %s", what);
}

CONFORM(sync, read, 0,
	"SYNC with START and READ begins a read access, and with END and READ it ends\n"
	"one. On an idle buffer both succeed.")
{
	bracket(t, READ, "read");
}

CONFORM(sync, write, 0,
	"SYNC with START and WRITE begins a write access, and with END and WRITE it\n"
	"ends one.")
{
	bracket(t, WRITE, "write");
}

CONFORM(sync, read_write, 0,
	"READ and WRITE together are one access that does both.")
{
	bracket(t, DMA_BUF_SYNC_RW, "read and write");
}

CONFORM(sync, no_access, 0,
	"SYNC with neither READ nor WRITE is refused with EINVAL.")
{
	expect_result(buffer_sync(t->fd, START), EINVAL, "START of no access");
	expect_result(buffer_sync(t->fd, END), EINVAL, "END of no access");
}

CONFORM(sync, unknown_flags, 0,
	"SYNC refuses every unknown flag, up to bit 63, with EINVAL, so that flags can\n"
	"be added later.")
{
	int bit;

	for (bit = 3; bit < 64; bit++) {
		expect_result(buffer_sync(t->fd, READ | 1ULL << bit), EINVAL, "bit %d", bit);
		if (has_failed())
			return;
	}
	expect_result(buffer_sync(t->fd, ~0ULL), EINVAL, "all bits");
}

CONFORM(sync, bad_pointer, 0,
	"An argument that cannot be read is refused with EFAULT, even if only its\n"
	"last byte cannot be read.")
{
	expect_errno(ioctl(t->fd, DMA_BUF_IOCTL_SYNC, NULL), EFAULT, "NULL");
	expect_errno(ioctl(t->fd, DMA_BUF_IOCTL_SYNC, edge_of_memory(0)), EFAULT,
		     "memory that cannot be read");
	expect_errno(ioctl(t->fd, DMA_BUF_IOCTL_SYNC, edge_of_memory(7)), EFAULT,
		     "an argument with one byte that cannot be read");
}

CONFORM(sync, nesting, 0,
	"Accesses may overlap: a second one can begin before the first has ended, as\n"
	"the two may be of programs that do not know of each other.")
{
	expect_result(buffer_sync(t->fd, START | READ), 0, "START to read");
	expect_result(buffer_sync(t->fd, START | READ), 0, "START to read once more");
	expect_result(buffer_sync(t->fd, START | WRITE), 0, "START to write within it");
	expect_result(buffer_sync(t->fd, END | WRITE), 0, "END to write");
	expect_result(buffer_sync(t->fd, END | READ), 0, "END to read");
	expect_result(buffer_sync(t->fd, END | READ), 0, "the other END to read");
}

CONFORM(sync, read_only_fd, NEED_ACCMODE,
	"SYNC does not check the access mode of the descriptor: many exporters hand\n"
	"out read-only descriptors, with which programs bracket write accesses.")
{
	size_t size = t->size;
	int fd = buffer_try(t, &size, O_RDONLY | O_CLOEXEC);

	require(fd >= 0, "no read-only descriptor: %s", errno_name(-fd));
	expect_result(buffer_sync(fd, START | WRITE), 0, "START to write");
	expect_result(buffer_sync(fd, END | WRITE), 0, "END to write");
}

static void read_in_child(void *data)
{
	struct test *t = data;
	unsigned char *map = map_whole(t, t->fd, t->size, PROT_READ);
	size_t i, wrong = 0;

	expect_result(buffer_sync(t->fd, START | READ), 0, "START to read");
	for (i = 0; i < t->size; i++)
		wrong += map[i] != (unsigned char)(i * 7 + 3);
	expect(!wrong, "%zu bytes of %zu are wrong in the other process", wrong, t->size);
	expect_result(buffer_sync(t->fd, END | READ), 0, "END to read");
}

CONFORM(sync, data, NEED_WRITE,
	"Data that is written between START and END of a write access is seen by\n"
	"another process between START and END of a read access.")
{
	unsigned char *map = map_whole(t, t->fd, t->size, PROT_READ | PROT_WRITE);
	int killed;
	size_t i;

	expect_result(buffer_sync(t->fd, START | WRITE), 0, "START to write");
	for (i = 0; i < t->size; i++)
		map[i] = i * 7 + 3;
	expect_result(buffer_sync(t->fd, END | WRITE), 0, "END to write");
	killed = in_process(read_in_child, t);
	expect(!killed, "the other process is killed by signal %d", killed);
}

CONFORM(sync, waits_for_writer, NEED_SW_SYNC,
	"START waits until the device's writes to the buffer are done, both for a\n"
	"read access and for a write access.")
{
	static const __u64 access[] = { READ, WRITE, DMA_BUF_SYNC_RW };
	unsigned int i;
	int fence;

	for (i = 0; i < ARRAY_SIZE(access); i++) {
		fence = timeline_import(t, i + 1, t->fd, WRITE);
		timeline_advance_later(t->timeline, 1, 100);
		expect_result(buffer_sync(t->fd, START | access[i]), 0, "START with flags %d",
			      (int)access[i]);
		expect(sync_file_status(fence) == 1, "START with flags %d does not wait",
		       (int)access[i]);
		/* The next round begins after the fence of this one has signalled. */
		poll_once(fence, 1, 5000);
		buffer_sync(t->fd, END | access[i]);
	}
}

CONFORM(sync, waits_for_reader, NEED_SW_SYNC,
	"While a device reads, START of a write access waits, and START of a read\n"
	"access does not: readers do not disturb each other.")
{
	int fence = timeline_import(t, 1, t->fd, READ);

	limit_begin(3000);
	expect_result(buffer_sync(t->fd, START | READ), 0,
		      "START to read while a device reads (EINTR: it waited for long)");
	limit_end();
	expect(!sync_file_status(fence), "the fence signals by itself");
	timeline_advance_later(t->timeline, 1, 100);
	expect_result(buffer_sync(t->fd, START | WRITE), 0, "START to write");
	expect(sync_file_status(fence) == 1, "START to write does not wait");
}

CONFORM(sync, interrupted, NEED_SW_SYNC,
	"A signal ends the wait of START with EINTR, so that a hanging device does not\n"
	"hang the program, too.")
{
	int fence = timeline_import(t, 1, t->fd, WRITE);

	limit_begin(100);
	expect_result(buffer_sync(t->fd, START | READ), EINTR, "START with a signal");
	limit_end();
	expect(!sync_file_status(fence), "the fence signals by itself");
	timeline_advance(t->timeline, 1);
	expect_result(buffer_sync(t->fd, START | READ), 0, "START after the fence");
	expect_result(buffer_sync(t->fd, END | READ), 0, "END");
}
