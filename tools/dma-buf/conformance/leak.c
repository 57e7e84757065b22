// SPDX-License-Identifier: GPL-2.0-only
/*
 * dmabuf-conformance: what an exporter leaves behind, buffers and memory.
 */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/stat.h>

#include "conformance.h"

/*
 * Buffers
 *
 * bufinfo lists the buffers of the whole system, where other programs export and close
 * buffers all the time. A buffer counts as left behind by a check if
 *
 *	it was not listed before the check,
 *	it is still listed a second after the processes of the check have ended,
 *	it is of the exporter that is being checked,
 *	no process has it open or mapped, and no device is attached to it.
 */

struct listed {
	ino_t ino;
	bool attached;
};

struct listing {
	struct listed *buffers;
	size_t count;
	size_t room;
};

static char exporter_name[64];
static dev_t buffers_dev;
static struct listing known;
static const char *blind = "nothing was watched yet";

static bool listing_add(struct listing *listing, ino_t ino)
{
	struct listed *more;

	if (listing->count == listing->room) {
		listing->room = listing->room ? 2 * listing->room : 64;
		more = reallocarray(listing->buffers, listing->room, sizeof(*more));
		if (!more)
			return false;
		listing->buffers = more;
	}
	listing->buffers[listing->count++] = (struct listed){ .ino = ino };
	return true;
}

static bool listing_has(const struct listing *listing, ino_t ino)
{
	size_t i;

	for (i = 0; i < listing->count; i++)
		if (listing->buffers[i].ino == ino)
			return true;
	return false;
}

struct reading {
	struct listing *listing;
	bool ours;			/* the last buffer */
	bool no_memory;
};

static void listing_take(const struct bufinfo_reader *reader, enum bufinfo_kind kind,
			 void *data)
{
	struct reading *reading = data;
	struct listing *listing = reading->listing;

	if (kind == BUFINFO_BUFFER) {
		reading->ours = !strcmp(reader->buffer.exporter, exporter_name);
		if (reading->ours && !listing_add(listing, reader->buffer.ino)) {
			reading->ours = false;
			reading->no_memory = true;
		}
	} else if (reading->ours && reader->devices) {
		listing->buffers[listing->count - 1].attached = true;
	}
}

/* The buffers of our exporter that there are now. Returns NULL, or what is wrong. */
static const char *listing_read(struct listing *listing)
{
	struct reading reading = { .listing = listing };
	const char *why;

	listing->count = 0;
	why = bufinfo_read(listing_take, &reading);
	return why ?: reading.no_memory ? "out of memory" : NULL;
}

struct search {
	ino_t ino;
	bool found;
};

static void find_exporter(const struct bufinfo_reader *reader, enum bufinfo_kind kind,
			  void *data)
{
	struct search *search = data;

	if (kind != BUFINFO_BUFFER || reader->buffer.ino != search->ino)
		return;
	search->found = true;
	snprintf(exporter_name, sizeof(exporter_name), "%s", reader->buffer.exporter);
}

/* The name that bufinfo has for the exporter of this buffer */
static bool learn_exporter(ino_t ino)
{
	struct search search = { .ino = ino };

	return !bufinfo_read(find_exporter, &search) && search.found;
}

/*
 * path is a link like /proc/PID/fd/N. Only files that are named like buffers get a
 * stat(), which might block on others (a dead network file system).
 */
static bool link_is(const char *path, ino_t ino)
{
	char target[16] = "";
	struct stat st;

	return readlink(path, target, sizeof(target) - 1) > 0 &&
	       !strncmp(target, "/dmabuf:", 8) && !stat(path, &st) &&
	       st.st_dev == buffers_dev && st.st_ino == ino;
}

static bool is_mapped_in(const char *path, ino_t ino)
{
	unsigned long long listed;
	bool mapped = false;
	char *line = NULL;
	size_t room = 0;
	int name;
	FILE *f;

	f = fopen(path, "re");
	if (!f)
		return false;
	/* addresses, permissions, offset, device, inode number, path */
	while (!mapped && getline(&line, &room, f) > 0)
		mapped = sscanf(line, "%*s %*s %*s %*s %llu %n", &listed, &name) == 1 &&
			 listed == ino && !strncmp(line + name, "/dmabuf:", 8);
	free(line);
	fclose(f);
	return mapped;
}

static bool any_of(const char *pattern, bool (*is)(const char *path, ino_t ino), ino_t ino)
{
	bool found = false;
	glob_t paths = {};
	size_t i;

	if (!glob(pattern, GLOB_NOSORT, NULL, &paths))
		for (i = 0; i < paths.gl_pathc && !found; i++)
			found = is(paths.gl_pathv[i], ino);
	globfree(&paths);
	return found;
}

/* Look at threads: a process whose main thread has ended shows nothing itself. */
static bool is_held(ino_t ino)
{
	return any_of("/proc/[0-9]*/task/[0-9]*/fd/*", link_is, ino) ||
	       any_of("/proc/[0-9]*/task/[0-9]*/maps", is_mapped_in, ino);
}

static size_t count_new(const struct listing *now)
{
	size_t i, found = 0;

	for (i = 0; i < now->count; i++)
		found += !now->buffers[i].attached && !listing_has(&known, now->buffers[i].ino);
	return found;
}

static bool goes_away(ino_t ino)
{
	int try;

	for (try = 0; try < SETTLE_TRIES; try++) {
		if (listing_read(&known) || !listing_has(&known, ino))
			return true;
		sleep_ms(SETTLE_MS);
	}
	return false;
}

/*
 * Prepare for seeing which buffers checks leave behind. watch_blind() tells whether that
 * is possible. An exporter that keeps every buffer is not watched, because each check
 * would fail then; fd.released reports it.
 */
void watch_start(const struct exporter *exporter)
{
	size_t size = BUFFER_PAGES * getpagesize();
	struct stat st = {};
	int fd;

	if (!bufinfo_readable()) {
		blind = "needs to read debugfs's dma_buf/bufinfo: root and CONFIG_DEBUG_FS";
		return;
	}
	fd = inherited_fd >= 0 ? inherited_fd : exporter->alloc(&size, O_RDWR | O_CLOEXEC);
	if (fd < 0) {
		blind = "the exporter cannot make a buffer";
		return;
	}
	if (fstat(fd, &st) || !learn_exporter(st.st_ino))
		blind = "bufinfo does not list this exporter's buffers";
	else
		blind = NULL;
	buffers_dev = st.st_dev;
	if (fd == inherited_fd)
		return;
	close(fd);
	if (!blind && !goes_away(st.st_ino))
		blind = "this exporter leaves each buffer behind, of which fd.released tells";
}

/* NULL if buffers that are left behind can be seen, else the reason why not */
const char *watch_blind(void)
{
	return blind;
}

void watch_before(void)
{
	if (!blind && listing_read(&known))
		blind = "bufinfo cannot be read any more, or is damaged";
}

/* How many buffers were left since watch_before(); the first @room of them in @inos */
unsigned int watch_after(ino_t *inos, unsigned int room)
{
	struct listing now = {};
	unsigned int left = 0;
	size_t i;
	int try;

	for (try = 0; !blind; try++) {
		if (listing_read(&now))
			blind = "bufinfo cannot be read any more, or is damaged";
		else if (!count_new(&now) || try == SETTLE_TRIES)
			break;
		sleep_ms(SETTLE_MS);
	}
	for (i = 0; !blind && i < now.count; i++) {
		const struct listed *buffer = &now.buffers[i];

		if (buffer->attached || listing_has(&known, buffer->ino) || is_held(buffer->ino))
			continue;
		if (left < room)
			inos[left] = buffer->ino;
		left++;
	}
	free(now.buffers);
	return left;
}

/*
 * Memory
 */

/* The sum of all values that a file in /proc has for some keys */
static long long sum_of(const char *path, const char * const *keys)
{
	long long sum = 0, value;
	char line[256], key[64];
	unsigned int i;
	FILE *f;

	f = fopen(path, "re");
	if (!f)
		return 0;
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, " %63[^: ]: %lld", key, &value) != 2)
			continue;
		for (i = 0; keys[i]; i++)
			if (!strcmp(keys[i], key))
				sum += value;
	}
	fclose(f);
	return sum;
}

/* Reading this file, as root, adds up the counters that each processor has. */
#define STAT_REFRESH	"/proc/sys/vm/stat_refresh"

bool kernel_memory_exact(void)
{
	return !access(STAT_REFRESH, R_OK);
}

/*
 * How many KiB the kernel uses for itself: all memory that is neither free nor used by
 * programs, the page cache or reclaimable caches. The free pages on each processor's
 * list are subtracted, too, as meminfo does not count them as free. Other uses cannot be
 * told apart, so only the difference of two results means anything.
 */
long long kernel_memory(void)
{
	static const char * const total[] = { "MemTotal", NULL };
	static const char * const others[] = {
		"MemFree", "Buffers", "Cached", "SwapCached", "SReclaimable", "AnonPages",
		"PageTables", "KernelStack", NULL
	};
	static const char * const stocked[] = { "count", NULL };
	FILE *refresh = fopen(STAT_REFRESH, "re");

	if (refresh) {
		fgetc(refresh);
		fclose(refresh);
	}
	return sum_of("/proc/meminfo", total) - sum_of("/proc/meminfo", others) -
	       sum_of("/proc/zoneinfo", stocked) * (getpagesize() / 1024);
}
