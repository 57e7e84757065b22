// SPDX-License-Identifier: GPL-2.0-only
/*
 * Properties of a dma-buf and of all dma-bufs in the system, and reading a
 * buffer's pixels.
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <linux/dma-buf.h>

#include "../../tools/dma-buf/bufinfo.h"
#include "buffers.h"
#include "common.h"

#define BUFINFO_HINT \
	"run as root, with debugfs mounted (mount -t debugfs none /sys/kernel/debug) and CONFIG_DEBUG_FS"

struct facts {
	unsigned long long inode;
	unsigned long long size;
	unsigned long long count;
	char exporter[64];
	char name[DMA_BUF_NAME_LEN];
	char devices[128];
};

long long buffer_size(int fd)
{
	off_t size = lseek(fd, 0, SEEK_END);

	if (size < 0)
		return complain(errno, NULL, "cannot find the size of a buffer");
	lseek(fd, 0, SEEK_SET);
	return size;
}

int buffer_set_name(int fd, const char *name)
{
	if (ioctl(fd, DMA_BUF_SET_NAME, name))
		return complain(errno, "the camera must send dma-bufs",
				"cannot name a buffer '%s'", name);
	return 0;
}

/* Returns the value of a line "KEY:\tVALUE", or NULL if its key is another one. */
static const char *value_of(const char *line, const char *key)
{
	size_t length = strlen(key);

	if (strncmp(line, key, length) || strncmp(line + length, ":\t", 2))
		return NULL;
	return line + length + 2;
}

/*
 * Take only the first line with each key, and stop at the name. Some kernels
 * print the newlines of a name unescaped, so lines after "name:" may be part of
 * the name that user space chose.
 */
static int read_fdinfo(int fd, struct facts *facts)
{
	bool has_size = false, has_count = false, is_damaged = false;
	char path[64], *line = NULL;
	const char *value;
	struct stat st;
	size_t len = 0;
	FILE *file;

	if (fstat(fd, &st))
		return complain(errno, NULL, "cannot stat a buffer");
	facts->inode = st.st_ino;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	file = fopen(path, "re");
	if (!file)
		return complain(errno, "mount /proc", "cannot open %s", path);

	while (!is_damaged && getline(&line, &len, file) > 0) {
		line[strcspn(line, "\n")] = '\0';
		value = value_of(line, "size");
		if (value && !has_size) {
			has_size = true;
			is_damaged = !parse_number(value, 10, &facts->size);
		}
		value = value_of(line, "count");
		if (value && !has_count) {
			has_count = true;
			is_damaged = !parse_number(value, 10, &facts->count);
		}
		value = value_of(line, "exp_name");
		if (value && !facts->exporter[0])
			snprintf(facts->exporter, sizeof(facts->exporter), "%s", value);
		value = value_of(line, "name");
		if (value) {
			snprintf(facts->name, sizeof(facts->name), "%s", value);
			break;
		}
	}
	free(line);
	fclose(file);

	if (is_damaged || !has_size || !has_count || !facts->exporter[0])
		return complain(0, "the camera must send dma-bufs",
				"%s does not describe a dma-buf", path);
	return 0;
}

static void add_device(struct facts *facts, const char *device)
{
	size_t used = strlen(facts->devices);

	snprintf(facts->devices + used, sizeof(facts->devices) - used, "%s%s",
		 used ? ", " : "", device);
}

static struct facts *facts_find(struct facts *facts, unsigned int count,
				unsigned long long inode)
{
	unsigned int i;

	for (i = 0; i < count; i++) {
		if (facts[i].inode == inode)
			return &facts[i];
	}
	return NULL;
}

/*
 * Find the devices attached to the buffers in @facts. Returns the number of
 * buffers in the whole system, or -1 after a complaint.
 */
static int read_bufinfo(struct facts *facts, unsigned int count)
{
	struct bufinfo_reader reader = { 0 };
	struct facts *current = NULL;
	enum bufinfo_kind kind;
	bool is_good = true;
	char *line = NULL;
	size_t len = 0;
	ssize_t n;
	FILE *file;

	file = fopen(BUFINFO_PATH, "re");
	if (!file)
		return complain(errno, BUFINFO_HINT, "cannot open " BUFINFO_PATH);

	while (is_good && (n = getline(&line, &len, file)) > 0) {
		if (line[n - 1] != '\n' || strlen(line) != (size_t)n) {
			is_good = false;
			break;
		}
		line[n - 1] = '\0';
		kind = bufinfo_take(&reader, line);
		is_good = kind != BUFINFO_NO_HEADING && !reader.damage;

		if (kind == BUFINFO_BUFFER)
			current = facts_find(facts, count, reader.buffer.ino);
		else if (kind == BUFINFO_DEVICES && current)
			current->devices[0] = '\0';
		else if (kind == BUFINFO_DEVICE && current)
			add_device(current, line + 1);
	}
	is_good = is_good && !ferror(file);
	free(line);
	fclose(file);

	if (!is_good || !bufinfo_end(&reader) || reader.objects != reader.total_objects ||
	    reader.bytes != reader.total_bytes)
		return complain(0, NULL, BUFINFO_PATH " is damaged in line %zu", reader.line);
	return reader.objects;
}

int buffers_print_table(const int *fds, unsigned int count)
{
	struct facts *facts = calloc(count, sizeof(*facts));
	int ret = -1;
	unsigned int i;

	if (!facts)
		return complain(ENOMEM, NULL, "cannot print the table of buffers");

	for (i = 0; i < count; i++) {
		if (read_fdinfo(fds[i], &facts[i]))
			goto out;
	}
	if (read_bufinfo(facts, count) < 0) {
		fprintf(stderr, "  the table does not name the attached devices\n");
		for (i = 0; i < count; i++)
			snprintf(facts[i].devices, sizeof(facts[i].devices), "?");
	}

	printf("%6s  %8s  %10s  %10s  %-20s  %-12s  %s\n", "buffer", "inode",
	       "size", "references", "exporter", "name", "attached devices");
	for (i = 0; i < count; i++)
		printf("%6u  %8llu  %10llu  %10llu  %-20s  %-12s  %s\n", i,
		       facts[i].inode, facts[i].size, facts[i].count,
		       facts[i].exporter,
		       facts[i].name[0] ? facts[i].name : "<none>",
		       facts[i].devices[0] ? facts[i].devices : "<none>");
	ret = 0;
out:
	free(facts);
	return ret;
}

int buffers_count(void)
{
	return read_bufinfo(NULL, 0);
}

static int buffer_sync(int fd, __u64 flags)
{
	struct dma_buf_sync sync = { .flags = flags };
	int ret;

	do {
		ret = ioctl(fd, DMA_BUF_IOCTL_SYNC, &sync);
	} while (ret && (errno == EINTR || errno == EAGAIN));

	if (ret)
		return complain(errno, NULL, "DMA_BUF_IOCTL_SYNC %s failed",
				flags & DMA_BUF_SYNC_END ? "END|READ" : "START|READ");
	return 0;
}

static bool close_to(__u32 value, __u32 wanted, unsigned int tolerance)
{
	unsigned int shift;
	int diff;

	for (shift = 0; shift < 24; shift += 8) {
		diff = (int)(value >> shift & 0xff) - (int)(wanted >> shift & 0xff);
		if ((unsigned int)abs(diff) > tolerance)
			return false;
	}
	return true;
}

static int check_bars(const void *map, const struct picture *pic,
		      unsigned int tolerance)
{
	static const struct {
		const char *colour;
		__u32 xrgb;
	} bars[] = {
		{ "white",	0xffffff },
		{ "yellow",	0xffff00 },
		{ "cyan",	0x00ffff },
		{ "green",	0x00ff00 },
		{ "magenta",	0xff00ff },
		{ "red",	0xff0000 },
		{ "blue",	0x0000ff },
		{ "black",	0x000000 },
	};
	const unsigned int rows[] = { 0, pic->height / 2, pic->height - 1 };
	const char *hint =
		"let the camera show 100% colour bars (--pattern), or give --check-frame 0";
	unsigned int i, bar, x, y;
	const __u8 *pixel;
	__u32 value;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		for (bar = 0; bar < ARRAY_SIZE(bars); bar++) {
			x = (2 * bar + 1) * pic->width / (2 * ARRAY_SIZE(bars));
			y = rows[i];
			pixel = (const __u8 *)map + (size_t)y * pic->stride + x * 4;
			/* XRGB8888 is little endian by definition: B, G, R, X */
			value = pixel[0] | pixel[1] << 8 | pixel[2] << 16;
			if (!close_to(value, bars[bar].xrgb, tolerance))
				return complain(0, hint,
						"the pixel at %u,%u is #%06x, but the %s bar there is #%06x",
						x, y, value, bars[bar].colour,
						bars[bar].xrgb);
		}
	}
	return ARRAY_SIZE(rows) * ARRAY_SIZE(bars);
}

int buffer_check_bars(int fd, const struct picture *pic, unsigned int tolerance)
{
	size_t size = (size_t)pic->stride * pic->height;
	void *map;
	int ret;

	map = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		return complain(errno, "choose a camera whose driver allows mapping its buffers",
				"cannot map a buffer of %zu bytes", size);

	ret = buffer_sync(fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ);
	if (!ret) {
		ret = check_bars(map, pic, tolerance);
		if (buffer_sync(fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_READ))
			ret = -1;
	}
	munmap(map, size);
	return ret;
}
