// SPDX-License-Identifier: GPL-2.0-only
/*
 * dmabuf-conformance: a buffer in /proc and debugfs, and ioctls that it must refuse.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "conformance.h"

CONFORM(info, keys, 0,
	"/proc/PID/fdinfo/FD of a buffer has the keys size, count and exp_name,\n"
	"each once, as lines of key, colon, tab and value. Further keys may follow.")
{
	static const char * const keys[] = { "size", "count", "exp_name" };
	unsigned int i;
	int lines;

	for (i = 0; i < ARRAY_SIZE(keys); i++) {
		lines = fdinfo_get(t->fd, keys[i], NULL, 0);
		expect(lines == 1, "%d lines '%s:'", lines, keys[i]);
	}
}

CONFORM(info, size, 0,
	"fdinfo's size is the buffer's, in bytes and decimal.")
{
	char value[32] = "", right[32];

	snprintf(right, sizeof(right), "%zu", t->size);
	fdinfo_get(t->fd, "size", value, sizeof(value));
	expect(!strcmp(value, right), "it is '%s', should be '%s'", value, right);
}

CONFORM(info, count, NEED_ALLOC,
	"fdinfo's count is the number of references to a buffer, without the one\n"
	"that reading it takes. Each descriptor adds one, whichever process has it.")
{
	long before = fdinfo_count_settled(t->fd, 1), count;
	int other;

	expect(before == 1, "%ld, and there is one descriptor of a new buffer", before);
	other = dup(t->fd);
	count = fdinfo_count_settled(t->fd, before + 1);
	expect(count == before + 1, "%ld with a duplicate, %ld before", count, before);
	close(other);
	count = fdinfo_count_settled(t->fd, before);
	expect(count == before, "%ld without it again, %ld before", count, before);
}

CONFORM(info, count_map, NEED_ALLOC | NEED_MMAP,
	"A mapping of the buffer's own file holds a reference, which is counted\n"
	"until it is unmapped. (The exporter may map another file instead.)")
{
	long before = fdinfo_count_settled(t->fd, 1), count;
	void *map = map_whole(t, t->fd, t->size, PROT_READ);

	need_own_map(t->fd, map);
	count = fdinfo_count_settled(t->fd, before + 1);
	expect(count > before, "%ld with a mapping, %ld before", count, before);
	munmap(map, t->size);
	count = fdinfo_count_settled(t->fd, before);
	expect(count == before, "%ld without it again, %ld before", count, before);
}

CONFORM(info, exporter, 0,
	"fdinfo's exp_name is the name of the exporter: not empty, and the same for\n"
	"each descriptor of the buffer.")
{
	char name[128] = "", other[128] = "";

	fdinfo_get(t->fd, "exp_name", name, sizeof(name));
	expect(*name, "it is empty");
	fdinfo_get(pass_fd(t->fd), "exp_name", other, sizeof(other));
	expect(!strcmp(name, other), "'%s' here, '%s' there", name, other);
}

CONFORM(info, bufinfo, NEED_ALLOC | NEED_BUFINFO,
	"debugfs's dma_buf/bufinfo has one line with the inode number of each buffer\n"
	"that exists.")
{
	size_t size = t->size;
	int lines = bufinfo_lines(buffer_ino(buffer_new(t, &size)));

	expect(lines == 1, "%d lines while it lives", lines);
}

CONFORM(ioctl, unknown, 0,
	"An ioctl that the kernel does not know is refused with ENOTTY, so that\n"
	"programs can probe for newer ones.")
{
	char room[256] = {};
	int nr;

	for (nr = 4; nr < 256; nr++) {
		expect_errno(ioctl(t->fd, _IO(DMA_BUF_BASE, nr), room), ENOTTY,
			     "number %d of type 'b'", nr);
		expect_errno(ioctl(t->fd, _IOWR(DMA_BUF_BASE, nr, __u64), room), ENOTTY,
			     "number %d of type 'b' with an argument", nr);
		if (has_failed())
			return;
	}
	expect_errno(ioctl(t->fd, TCGETS, room), ENOTTY, "TCGETS, which is a terminal's");
	expect_errno(ioctl(t->fd, _IO('d', 0), room), ENOTTY, "number 0 of DRM's type 'd'");
}

CONFORM(ioctl, other_size, 0,
	"The number of an ioctl contains the size and the direction of its argument.\n"
	"With others the number is that of an unknown ioctl: ENOTTY.")
{
	char room[256] = {};

	expect_errno(ioctl(t->fd, _IOW(DMA_BUF_BASE, 0, __u32), room), ENOTTY,
		     "SYNC with 4 bytes");
	expect_errno(ioctl(t->fd, _IOW(DMA_BUF_BASE, 0, char[16]), room), ENOTTY,
		     "SYNC with 16 bytes");
	expect_errno(ioctl(t->fd, _IOR(DMA_BUF_BASE, 0, struct dma_buf_sync), room), ENOTTY,
		     "SYNC the other way");
	expect_errno(ioctl(t->fd, _IO(DMA_BUF_BASE, 1), room), ENOTTY, "SET_NAME of nothing");
	expect_errno(ioctl(t->fd, _IOWR(DMA_BUF_BASE, 2, char[16]), room), ENOTTY,
		     "EXPORT_SYNC_FILE with 16 bytes");
	expect_errno(ioctl(t->fd, _IOR(DMA_BUF_BASE, 3, __u64), room), ENOTTY,
		     "IMPORT_SYNC_FILE the other way");
}
