// SPDX-License-Identifier: GPL-2.0-only
/*
 * What can be asked of a dma-buf through its descriptor, and what the kernel
 * tells about all of them.
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <linux/dma-buf.h>

#include "buffers.h"
#include "common.h"

#define BUFINFO	"/sys/kernel/debug/dma_buf/bufinfo"

#define BUFINFO_HINT \
	"run as root, with debugfs mounted (mount -t debugfs none /sys/kernel/debug) and CONFIG_DEBUG_FS"

struct facts {
	unsigned long long inode;
	unsigned long long size;
	long count;
	char exporter[64];
	char name[DMA_BUF_NAME_LEN];
	char devices[128];
};

long long buffer_size(int fd)
{
	off_t size = lseek(fd, 0, SEEK_END);

	if (size < 0)
		return complain(errno, NULL, "cannot tell the size of a buffer");
	lseek(fd, 0, SEEK_SET);
	return size;
}

int buffer_set_name(int fd, const char *name)
{
	if (ioctl(fd, DMA_BUF_SET_NAME, name))
		return complain(errno, "the camera has to send dma-bufs",
				"cannot name a buffer '%s'", name);
	return 0;
}

/* Copy the value of "key:\tvalue\n". */
static void take_value(char *line, char *to, size_t size)
{
	char *value = strchr(line, '\t');

	if (!value)
		return;
	value++;
	value[strcspn(value, "\n")] = '\0';
	snprintf(to, size, "%s", value);
}

static int read_fdinfo(int fd, struct facts *facts)
{
	char path[64], text[64], *line = NULL;
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

	while (getline(&line, &len, file) > 0) {
		if (!strncmp(line, "size:", 5)) {
			take_value(line, text, sizeof(text));
			facts->size = strtoull(text, NULL, 10);
		} else if (!strncmp(line, "count:", 6)) {
			take_value(line, text, sizeof(text));
			facts->count = strtol(text, NULL, 10);
		} else if (!strncmp(line, "exp_name:", 9)) {
			take_value(line, facts->exporter, sizeof(facts->exporter));
		} else if (!strncmp(line, "name:", 5)) {
			take_value(line, facts->name, sizeof(facts->name));
		}
	}
	free(line);
	fclose(file);

	if (!facts->exporter[0])
		return complain(0, "the camera has to send dma-bufs",
				"%s does not describe a dma-buf", path);
	return 0;
}

static void add_device(struct facts *facts, const char *device)
{
	size_t used = strlen(facts->devices);

	snprintf(facts->devices + used, sizeof(facts->devices) - used, "%s%s",
		 used ? ", " : "", device);
}

/*
 * Find the attached devices. A buffer's block begins with a line of tab
 * separated columns, the sixth is the inode; its device lines stand between
 * "Attached Devices:" and "Total", each after a tab.
 */
static void read_bufinfo(struct facts *facts, unsigned int count)
{
	struct facts *current = NULL;
	bool in_devices = false;
	unsigned long long inode;
	char *line = NULL;
	unsigned int i;
	size_t len = 0;
	FILE *file;

	file = fopen(BUFINFO, "re");
	if (!file) {
		complain(errno, BUFINFO_HINT,
			 "the table cannot name the attached devices, cannot open " BUFINFO);
		for (i = 0; i < count; i++)
			add_device(&facts[i], "?");
		return;
	}

	while (getline(&line, &len, file) > 0) {
		line[strcspn(line, "\n")] = '\0';
		if (sscanf(line, "%*u\t%*x\t%*x\t%*d\t%*[^\t]\t%llu\t",
			   &inode) == 1) {
			in_devices = false;
			current = NULL;
			for (i = 0; i < count; i++) {
				if (facts[i].inode == inode)
					current = &facts[i];
			}
		} else if (!strncmp(line, "Total ", 6)) {
			in_devices = false;
		} else if (strstr(line, "Attached Devices:")) {
			in_devices = true;
		} else if (in_devices && current && line[0] == '\t' && line[1]) {
			add_device(current, line + 1);
		}
	}
	free(line);
	fclose(file);
}

int buffers_print_table(const int *fds, unsigned int count)
{
	struct facts *facts = calloc(count, sizeof(*facts));
	int ret = -1;
	unsigned int i;

	if (!facts)
		return complain(ENOMEM, NULL, "cannot make the table of buffers");

	for (i = 0; i < count; i++) {
		if (read_fdinfo(fds[i], &facts[i]))
			goto out;
	}
	read_bufinfo(facts, count);

	printf("%6s  %8s  %10s  %10s  %-20s  %-12s  %s\n", "buffer", "inode",
	       "size", "references", "exporter", "name", "attached devices");
	for (i = 0; i < count; i++)
		printf("%6u  %8llu  %10llu  %10ld  %-20s  %-12s  %s\n", i,
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
	char *line = NULL;
	int objects = -1, found;
	size_t len = 0;
	FILE *file;

	file = fopen(BUFINFO, "re");
	if (!file)
		return complain(errno, BUFINFO_HINT, "cannot open " BUFINFO);

	/* The last line that fits counts: nothing follows the real one. */
	while (getline(&line, &len, file) > 0) {
		if (sscanf(line, "Total %d objects", &found) == 1)
			objects = found;
	}
	free(line);
	fclose(file);

	if (objects < 0)
		return complain(0, NULL, BUFINFO " has no line 'Total N objects'");
	return objects;
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
		return complain(errno, "choose a camera whose driver lets its buffers be mapped",
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
