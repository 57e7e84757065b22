// SPDX-License-Identifier: GPL-2.0-only
/*
 * lsdmabuf: what the kernel prints of buffers, taken apart.
 *
 * A buffer's name is up to whoever has a descriptor of it. Kernels before this
 * core's print it as it is: then a name with a newline looks like lines of the
 * kernel's own. So a key counts where it stands first, nothing behind a name that
 * is not whole is believed, and a list of devices is the last one before its
 * count.
 */
#include <limits.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lsdmabuf.h"

const char * const counter_names[COUNTERS] = {
	[COUNT_REFS]		= "count",
	[COUNT_ATTACHMENTS]	= "attachments",
	[COUNT_MAPPINGS]	= "mappings",
	[COUNT_PINNED]		= "pinned",
	[COUNT_VMAPS]		= "vmaps",
};

/* All of s must be the number; strtoull() would take signs and blanks as well. */
bool parse_number(const char *s, int base, __u64 *number)
{
	const char *digits = base == 16 ? "0123456789abcdefABCDEF" : "0123456789";
	char *end;

	if (!*s || s[strspn(s, digits)])
		return false;
	errno = 0;
	*number = strtoull(s, &end, base);
	return !errno;
}

static bool parse_signed(const char *s, long long *number)
{
	__u64 value;

	if (!parse_number(s + (*s == '-'), 10, &value) || value > LLONG_MAX)
		return false;
	*number = *s == '-' ? -(long long)value : (long long)value;
	return true;
}

static int octal(const char *s)
{
	if (s[0] < '0' || s[0] > '3' || s[1] < '0' || s[1] > '7' ||
	    s[2] < '0' || s[2] > '7')
		return -1;
	return (s[0] - '0') << 6 | (s[1] - '0') << 3 | (s[2] - '0');
}

/*
 * Kernels that escape names escape backslashes, too. So one that does not begin
 * an escape, or any control character, means that nothing was escaped, and s is
 * left as it is. Returns true if s may have been escaped.
 */
bool unescape(char *s)
{
	char *to = s;

	for (const char *p = s; *p; p++) {
		if ((unsigned char)*p < ' ')
			return false;
		if (*p == '\\') {
			if (octal(p + 1) <= 0)
				return false;
			p += 3;
		}
	}

	for (const char *p = s; *p; p++) {
		if (*p == '\\') {
			*to++ = octal(p + 1);
			p += 3;
		} else {
			*to++ = *p;
		}
	}
	*to = '\0';
	return true;
}

/* In maps, just this one character is escaped. */
void unescape_newlines(char *s)
{
	char *to = s;

	while (*s) {
		if (!strncmp(s, "\\012", 4)) {
			*to++ = '\n';
			s += 4;
		} else {
			*to++ = *s++;
		}
	}
	*to = '\0';
}

/* Take off what the kernel may put behind the name of a file without a link. */
bool strip_deleted(char *s)
{
	static const char suffix[] = " (deleted)";
	size_t n = strlen(s), k = sizeof(suffix) - 1;

	if (n < k || strcmp(s + n - k, suffix))
		return false;
	s[n - k] = '\0';
	return true;
}

/* The value of "KEY:\tVALUE" if the line is one of that key */
static char *value_of(char *line, const char *key)
{
	size_t n = strlen(key);

	if (strncmp(line, key, n) || line[n] != ':' || line[n + 1] != '\t')
		return NULL;
	return line + n + 2;
}

/* Is this the name that the link shows, perhaps up to a newline in it? */
static bool is_whole_name(const char *name, const char *link_name)
{
	const char *newline = strchr(link_name, '\n');

	/*
	 * A kernel that escapes has written \012. One that does not has ended the
	 * line there, and what follows is the rest of the name.
	 */
	return !newline || strlen(name) > (size_t)(newline - link_name);
}

static void parse_counter(char *line, struct fdinfo *info)
{
	for (int i = 0; i < COUNTERS; i++) {
		char *value = value_of(line, counter_names[i]);

		if (value && info->counters[i] < 0)
			parse_signed(value, &info->counters[i]);
	}
}

bool spoil_lines_with_nul(struct text *text)
{
	char *p = text->data, *end = text->data + text->used, *nul;
	bool found = false;

	while ((nul = memchr(p, '\0', end - p))) {
		char *from = nul, *newline = memchr(nul, '\n', end - nul);

		/* What is left cannot be taken for any line of the kernel's. */
		while (from > p && from[-1] != '\n')
			from--;
		p = newline ?: end;
		memset(from, '\x01', p - from);
		found = true;
	}
	return found;
}

/* The value must be a number: if it is none, it has been damaged. */
static bool parse_key(const char *value, const char *damage, __u64 *number,
		      struct fdinfo *info)
{
	if (parse_number(value, 10, number))
		return true;
	if (!info->damage)
		info->damage = damage;
	return false;
}

/*
 * Take apart an fdinfo. link_name is the name that the descriptor's link shows,
 * "" if it shows none. What info points to afterwards is in text, except for
 * attached, which is used again for the next one.
 */
void parse_fdinfo(char *text, const char *link_name, struct fdinfo *info)
{
	char **attached = info->attached;
	size_t room = info->attached_room, n = strlen(text);
	char *line, *value;

	*info = (struct fdinfo) { .attached = attached, .attached_room = room };
	for (int i = 0; i < COUNTERS; i++)
		info->counters[i] = -1;
	/* Every kernel has the position first. */
	if (!value_of(text, "pos"))
		info->damage = "is no fdinfo";
	else if (text[n - 1] != '\n')
		info->damage = "is cut short";

	while ((line = strsep(&text, "\n"))) {
		value = value_of(line, "ino");
		if (value && !info->has_ino)
			info->has_ino = parse_key(value, "has a wrong 'ino'", &info->ino,
						  info);
		value = value_of(line, "size");
		if (value && !info->has_size)
			info->has_size = parse_key(value, "has a wrong 'size'",
						   &info->size, info);
		value = value_of(line, "exp_name");
		if (value && !info->exporter)
			info->exporter = value;
		value = value_of(line, "attached");
		if (value) {
			info->attached = grow(info->attached, info->attached_count,
					      &info->attached_room, sizeof(char *));
			info->attached[info->attached_count++] = value;
		}
		value = value_of(line, "name");
		if (value && !info->has_name) {
			info->has_name = true;
			info->name = value;
			if (!is_whole_name(value, link_name))
				return;
		}
		parse_counter(line, info);
	}
}

/*
 * A line of maps, "START-END PERMS OFFSET MAJOR:MINOR INODE  PATH", if it is one
 * of a buffer. The path is looked at only where it has to stand: the name of an
 * anonymous map or of another file may contain anything.
 */
enum map_kind parse_map(char *line, struct map *map)
{
	char *field[5], *end, *minor;
	__u64 major_number, minor_number;

	for (int i = 0; i < 5; i++) {
		field[i] = strsep(&line, " ");
		/* Without a name, a line may end with the inode number. */
		if (!line && i < 4)
			return MAP_DAMAGED;
	}
	end = strchr(field[0], '-');
	minor = strchr(field[3], ':');
	if (!end || !minor || strlen(field[1]) != 4)
		return MAP_DAMAGED;
	*end++ = '\0';
	*minor++ = '\0';
	memcpy(map->perms, field[1], 5);

	if (!parse_number(field[0], 16, &map->start) ||
	    !parse_number(end, 16, &map->end) ||
	    !parse_number(field[2], 16, &map->offset) ||
	    !parse_number(field[3], 16, &major_number) ||
	    !parse_number(minor, 16, &minor_number) ||
	    !parse_number(field[4], 10, &map->ino) || map->end <= map->start ||
	    major_number > UINT_MAX || minor_number > UINT_MAX)
		return MAP_DAMAGED;
	map->major = major_number;
	map->minor = minor_number;

	if (line)
		line += strspn(line, " ");
	if (!line || strncmp(line, LINK_PREFIX, strlen(LINK_PREFIX)))
		return MAP_OTHER;
	map->name = line + strlen(LINK_PREFIX);
	return MAP_BUFFER;
}

static int compare_devices(const void *a, const void *b)
{
	const struct device *one = a, *two = b;
	int result = strcmp(one->name, two->name);

	if (!result && one->driver && two->driver)
		result = strcmp(one->driver, two->driver);
	return result;
}

/*
 * Set the devices of a buffer. A device may attach more than once; sorting puts
 * the same ones together. with_driver: the names are "DRIVER DEVICE", as fdinfo
 * has them, else the device alone.
 */
void add_devices(struct snapshot *snap, struct buffer *buffer, char **names,
		 size_t count, bool with_driver)
{
	struct device *devices;
	size_t n = 0;

	/* bufinfo has the devices alone: fdinfo's list takes its place. */
	if (buffer->drivers_known || (buffer->devices_known && !with_driver))
		return;
	buffer->devices_known = true;
	buffer->drivers_known = with_driver;
	buffer->device_count = 0;
	if (!count)
		return;

	devices = snapshot_alloc(snap, count * sizeof(*devices));
	for (size_t i = 0; i < count; i++) {
		char *name = names[i], *driver = NULL;

		/* A blank within a name is not escaped: split before unescaping. */
		if (with_driver && strchr(name, ' '))
			driver = strsep(&name, " ");
		if (driver) {
			unescape(driver);
			devices[i].driver = snapshot_string(snap, driver);
		}
		unescape(name);
		devices[i].name = snapshot_string(snap, name);
		devices[i].times = 1;
	}
	qsort(devices, count, sizeof(*devices), compare_devices);
	for (size_t i = 1; i < count; i++) {
		if (compare_devices(&devices[n], &devices[i]))
			devices[++n] = devices[i];
		else
			devices[n].times++;
	}
	buffer->devices = devices;
	buffer->device_count = n + 1;
}

/*
 * A buffer's line of bufinfo: size, flags, mode, count, exporter, inode number
 * and name, with tabs in between. Each number has eight digits or more, so that
 * no name, which has NAME_MAX_BYTES at most, is long enough to forge such a line.
 */
struct buffer_line {
	struct buffer *buffer;
	__u64 size;
	size_t name_bytes;
	bool twice;			/* there was one of this buffer before */
};

static bool parse_buffer_line(char *line, struct snapshot *snap, struct buffer_line *parsed)
{
	enum { EXPORTER = 4, DIGITS = 8 };
	char *field[6];
	__u64 size, flags, mode, ino;
	struct buffer *buffer;
	long long count;

	for (int i = 0; i < 6; i++) {
		field[i] = strsep(&line, "\t");
		if (!line || (i != EXPORTER && strlen(field[i]) < DIGITS))
			return false;
	}
	if (!parse_number(field[0], 10, &size) || !parse_number(field[1], 16, &flags) ||
	    !parse_number(field[2], 16, &mode) || !parse_signed(field[3], &count) ||
	    !parse_number(field[5], 10, &ino))
		return false;

	buffer = snapshot_buffer(snap, ino);
	*parsed = (struct buffer_line) {
		.buffer = buffer,
		.size = size,
		.name_bytes = strlen(line),
		.twice = buffer->in_bufinfo,
	};
	buffer->in_bufinfo = true;
	snapshot_set_size(snap, buffer, size, "bufinfo");
	snapshot_set_exporter(snap, buffer, field[EXPORTER], "bufinfo");
	if (buffer->counters[COUNT_REFS] < 0)
		buffer->counters[COUNT_REFS] = count;

	/* A name of just these characters is not told from none. */
	if (buffer->name_source < NAME_BUFINFO) {
		buffer->name_source = NAME_BUFINFO;
		buffer->name = NULL;
		if (strcmp(line, "<none>")) {
			unescape(line);
			buffer->name = snapshot_string(snap, line);
		}
	}
	return true;
}

static bool is_device_count(const char *line, size_t *count)
{
	char digits[21];
	size_t n;
	__u64 number;

	if (strncmp(line, "Total ", 6))
		return false;
	line += 6;
	n = strspn(line, "0123456789");
	if (n >= sizeof(digits) || strcmp(line + n, " devices attached"))
		return false;
	memcpy(digits, line, n);
	digits[n] = '\0';
	if (!parse_number(digits, 10, &number))
		return false;
	*count = number;
	return true;
}

/* "Total N objects, M bytes", the last line */
static bool parse_totals(const char *line, __u64 *objects, __u64 *bytes)
{
	char digits[2][21];
	int n = 0;

	if (sscanf(line, "Total %20[0-9] objects, %20[0-9] bytes%n", digits[0], digits[1],
		   &n) != 2 || !n || line[n])
		return false;
	return parse_number(digits[0], 10, objects) && parse_number(digits[1], 10, bytes);
}

/* The names of the columns, padded with blanks in some kernels and columns */
static bool is_heading(char *line)
{
	static const char * const columns[] = {
		"size", "flags", "mode", "count", "exp_name", "ino", "name",
	};
	char *field;
	size_t n = 0;

	while ((field = strsep(&line, "\t"))) {
		size_t length = strcspn(field, " ");

		if (n == ARRAY_SIZE(columns) || length != strlen(columns[n]) ||
		    memcmp(field, columns[n], length) ||
		    field[length + strspn(field + length, " ")])
			return false;
		n++;
	}
	/* Some kernels print names, and do not say so here. */
	return n >= ARRAY_SIZE(columns) - 1;
}

/* A buffer's name has at most so many bytes. */
#define NAME_MAX_BYTES	31

struct bufinfo {
	struct snapshot *snap;
	size_t line_number;
	/* The buffer whose lines these are, until its devices have been counted */
	struct buffer *buffer;
	/* How much of its name may still come, if that has newlines */
	size_t name_left;
	bool in_devices;
	char **devices;
	size_t device_count, device_room;
	/* What there was, and what the totals say */
	__u64 objects, bytes, largest;
	bool has_totals;
	__u64 total_objects, total_bytes;
};

static void damaged(struct bufinfo *info, const char *how)
{
	snapshot_lacks(info->snap, LACK_BUFINFO_LINES, "line %zu %s", info->line_number,
		       how);
}

/* Is this a further line of a name that is not escaped? */
static bool is_rest_of_name(struct bufinfo *info, size_t length)
{
	/* With the newline before it */
	if (!info->buffer || length >= info->name_left)
		return false;
	info->name_left -= length + 1;
	return true;
}

static void end_devices(struct bufinfo *info, size_t total)
{
	struct buffer *buffer = info->buffer;

	if (total == info->device_count)
		add_devices(info->snap, buffer, info->devices, total, false);
	else
		damaged(info, "counts other devices than there are");
	if (buffer->counters[COUNT_ATTACHMENTS] < 0)
		buffer->counters[COUNT_ATTACHMENTS] = total;
	info->buffer = NULL;
	info->in_devices = false;
}

/* A buffer's own line. Returns false if it is something else. */
static bool begin_buffer(struct bufinfo *info, char *line)
{
	struct buffer_line parsed;

	if (!parse_buffer_line(line, info->snap, &parsed))
		return false;
	if (info->buffer)
		damaged(info, "comes before the devices of the buffer above it");
	if (parsed.twice)
		damaged(info, "is of a buffer that was there before");
	info->buffer = parsed.buffer;
	info->in_devices = false;
	info->device_count = 0;
	info->name_left = parsed.name_bytes < NAME_MAX_BYTES ?
			  NAME_MAX_BYTES - parsed.name_bytes : 0;
	info->objects++;
	info->bytes += parsed.size;
	if (parsed.size > info->largest)
		info->largest = parsed.size;
	return true;
}

static void parse_bufinfo_line(struct bufinfo *info, char *line)
{
	size_t total, length = strlen(line);

	if (info->has_totals) {
		if (length)
			damaged(info, "comes after the totals");
	} else if (info->buffer && !strcmp(line, "\tAttached Devices:")) {
		/* If there was one before, a name has forged it. */
		info->in_devices = true;
		info->device_count = 0;
	} else if (info->in_devices && line[0] == '\t') {
		info->devices = grow(info->devices, info->device_count,
				     &info->device_room, sizeof(*info->devices));
		info->devices[info->device_count++] = line + 1;
	} else if (info->in_devices && is_device_count(line, &total)) {
		end_devices(info, total);
	} else if (info->buffer && line[0] == '\t') {
		/* A fence, or what later kernels have to say */
		return;
	} else if (!info->buffer && parse_totals(line, &info->total_objects,
						 &info->total_bytes)) {
		info->has_totals = true;
	} else if (begin_buffer(info, line) || is_rest_of_name(info, length)) {
		return;
	} else if (info->buffer || length) {
		damaged(info, "is not understood");
	}
}

/*
 * Take apart bufinfo: new buffers, and what is not known yet of those known. Each
 * line has its place, and the last one says how many there are: so what is missing
 * shows.
 */
bool parse_bufinfo(struct text *text, struct snapshot *snap)
{
	struct bufinfo info = { .snap = snap };
	bool whole = text->used && text->data[text->used - 1] == '\n';
	bool has_nul = spoil_lines_with_nul(text);
	char *p = text->data, *line;

	do {
		line = strsep(&p, "\n");
		info.line_number++;
	} while (line && !*line);
	if (!line || strcmp(line, "Dma-buf Objects:"))
		return false;
	line = strsep(&p, "\n");
	info.line_number++;
	if (!line || !is_heading(line))
		return false;

	while ((line = strsep(&p, "\n"))) {
		info.line_number++;
		/* After the last newline there is nothing. */
		if (p || *line)
			parse_bufinfo_line(&info, line);
	}

	/* Where a size has 32 bits, the sum has, too. */
	if (info.largest <= UINT32_MAX && info.total_bytes <= UINT32_MAX)
		info.bytes &= UINT32_MAX;
	if (has_nul)
		snapshot_lacks(snap, LACK_BUFINFO_LINES, "it has a NUL byte");
	else if (info.buffer || !info.has_totals || !whole)
		damaged(&info, "is the last one: the end is missing");
	else if (info.objects != info.total_objects)
		snapshot_lacks(snap, LACK_BUFINFO_LINES,
			       "%llu of %llu buffers are there", info.objects,
			       info.total_objects);
	else if (info.bytes != info.total_bytes)
		snapshot_lacks(snap, LACK_BUFINFO_LINES,
			       "buffers have %llu bytes, and %llu in the totals",
			       info.bytes, info.total_bytes);
	free(info.devices);
	return true;
}
