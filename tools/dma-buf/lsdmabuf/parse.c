// SPDX-License-Identifier: GPL-2.0-only
/*
 * lsdmabuf: parse what the kernel prints about buffers.
 *
 * Any process with a descriptor of a buffer can name it. Other kernels than this
 * core's print the name unescaped, so a newline in a name begins what looks like
 * another line of the kernel's. Therefore the first line with a key of fdinfo is
 * believed, nothing after an incomplete name is, and bufinfo.c takes each line of
 * bufinfo only in its place.
 */
#include <limits.h>
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

static int octal(const char *s)
{
	if (s[0] < '0' || s[0] > '3' || s[1] < '0' || s[1] > '7' ||
	    s[2] < '0' || s[2] > '7')
		return -1;
	return (s[0] - '0') << 6 | (s[1] - '0') << 3 | (s[2] - '0');
}

/*
 * Kernels that escape names escape backslashes as well as control characters. If s
 * has a control character, or a backslash that begins no escape, then s comes from a
 * kernel that does not escape, and is left unchanged. Returns true if s may have been
 * escaped.
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

/* In /proc/PID/maps the newline is the only character that is escaped. */
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

/* Remove the suffix that the kernel may add to the name of a file without links. */
bool strip_deleted(char *s)
{
	static const char suffix[] = " (deleted)";
	size_t n = strlen(s), k = sizeof(suffix) - 1;

	if (n < k || strcmp(s + n - k, suffix))
		return false;
	s[n - k] = '\0';
	return true;
}

/* The value of a line "KEY:\tVALUE", NULL if the line has another key */
static char *value_of(char *line, const char *key)
{
	size_t n = strlen(key);

	if (strncmp(line, key, n) || line[n] != ':' || line[n + 1] != '\t')
		return NULL;
	return line + n + 2;
}

/* True if the value in fdinfo is all of the name that the link shows */
static bool is_whole_name(const char *name, const char *link_name)
{
	const char *newline = strchr(link_name, '\n');

	/*
	 * A kernel that escapes has written the newline as \012, so the name in fdinfo
	 * is longer than the part before it. In a kernel that does not, the line ends at
	 * the newline, and the next lines are the rest of the name.
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

		/* Overwrite all of the line: no line of the kernel's has this byte. */
		while (from > p && from[-1] != '\n')
			from--;
		p = newline ?: end;
		memset(from, '\x01', p - from);
		found = true;
	}
	return found;
}

/* Kernels print a number here. Anything else means that the file is damaged. */
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
 * Parse an fdinfo. link_name is the name that the descriptor's link shows, "" if the
 * link shows none. The strings of info point into text. The array info->attached is
 * kept and reused for the next fdinfo.
 */
void parse_fdinfo(char *text, const char *link_name, struct fdinfo *info)
{
	char **attached = info->attached;
	size_t room = info->attached_room, n = strlen(text);
	char *line, *value;

	*info = (struct fdinfo) { .attached = attached, .attached_room = room };
	for (int i = 0; i < COUNTERS; i++)
		info->counters[i] = -1;
	/* In every kernel the position is the first line. */
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
 * Parse a line of maps, "START-END PERMS OFFSET MAJOR:MINOR INODE  PATH". "/dmabuf:"
 * counts only at the beginning of the path: the names of anonymous mappings and of
 * other files may contain it.
 */
enum map_kind parse_map(char *line, struct map *map)
{
	char *field[5], *end, *minor;
	__u64 major_number, minor_number;

	for (int i = 0; i < 5; i++) {
		field[i] = strsep(&line, " ");
		/* The line of a mapping without a name may end with the inode number. */
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
 * Set the devices of a buffer. A device may attach more than once: equal names are
 * sorted next to each other and become one device with a count. with_driver: the
 * names are "DRIVER DEVICE", as in fdinfo. Otherwise they are the device alone.
 */
void add_devices(struct snapshot *snap, struct buffer *buffer, char **names,
		 size_t count, bool with_driver)
{
	struct device *devices;
	size_t n = 0;

	/* fdinfo names drivers and bufinfo does not: fdinfo's list replaces bufinfo's. */
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

struct bufinfo {
	struct snapshot *snap;
	struct bufinfo_reader reader;
	/* The last buffer, to which the following lines belong */
	struct buffer *buffer;
	char **devices;
	size_t device_count, device_room;
};

static void damaged(struct bufinfo *info, const char *how)
{
	snapshot_lacks(info->snap, LACK_BUFINFO_LINES, "line %zu %s", info->reader.line,
		       how);
}

static void begin_buffer(struct bufinfo *info)
{
	struct bufinfo_buffer *line = &info->reader.buffer;
	struct snapshot *snap = info->snap;
	struct buffer *buffer = snapshot_buffer(snap, line->ino);

	if (buffer->in_bufinfo)
		damaged(info, "is of a buffer that was there before");
	buffer->in_bufinfo = true;
	info->buffer = buffer;
	info->device_count = 0;
	snapshot_set_size(snap, buffer, line->size, "bufinfo");
	snapshot_set_exporter(snap, buffer, line->exporter, "bufinfo");
	if (buffer->counters[COUNT_REFS] < 0)
		buffer->counters[COUNT_REFS] = line->count;

	/* A buffer named "<none>" looks the same as one without a name. */
	if (buffer->name_source < NAME_BUFINFO) {
		buffer->name_source = NAME_BUFINFO;
		buffer->name = NULL;
		if (strcmp(line->name, "<none>")) {
			unescape(line->name);
			buffer->name = snapshot_string(snap, line->name);
		}
	}
}

static void end_buffer(struct bufinfo *info)
{
	struct buffer *buffer = info->buffer;

	if (info->reader.devices == info->device_count)
		add_devices(info->snap, buffer, info->devices, info->device_count, false);
	else
		damaged(info, "counts other devices than there are");
	if (buffer->counters[COUNT_ATTACHMENTS] < 0)
		buffer->counters[COUNT_ATTACHMENTS] = info->reader.devices;
}

/* Returns false if the text is not a bufinfo. */
static bool parse_bufinfo_line(struct bufinfo *info, char *line)
{
	enum bufinfo_kind kind = bufinfo_take(&info->reader, line);

	if (info->reader.damage)
		damaged(info, info->reader.damage);
	switch (kind) {
	case BUFINFO_NO_HEADING:
		return false;
	case BUFINFO_BUFFER:
		begin_buffer(info);
		break;
	case BUFINFO_DEVICES:
		info->device_count = 0;
		break;
	case BUFINFO_DEVICE:
		info->devices = grow(info->devices, info->device_count,
				     &info->device_room, sizeof(*info->devices));
		info->devices[info->device_count++] = line + 1;
		break;
	case BUFINFO_DEVICE_COUNT:
		end_buffer(info);
		break;
	case BUFINFO_TOTALS:
	case BUFINFO_OTHER:
		break;
	}
	return true;
}

/*
 * Parse bufinfo: add buffers, and complete those that are known already. Each line
 * has its place, and the last line says how many buffers there are and how large they
 * are together, so a missing or damaged line is noticed.
 */
bool parse_bufinfo(struct text *text, struct snapshot *snap)
{
	struct bufinfo info = { .snap = snap };
	const struct bufinfo_reader *reader = &info.reader;
	bool whole = text->used && text->data[text->used - 1] == '\n';
	bool has_nul = spoil_lines_with_nul(text), is_bufinfo = true;
	char *p = text->data, *line;

	while (is_bufinfo && (line = strsep(&p, "\n"))) {
		/* The empty string after the last newline is not a line. */
		if (p || *line)
			is_bufinfo = parse_bufinfo_line(&info, line);
	}
	free(info.devices);
	/* Without a heading no line of a buffer was accepted: nothing was added. */
	if (!is_bufinfo || reader->place <= BUFINFO_EXPECTS_COLUMNS)
		return false;

	whole = bufinfo_end(&info.reader) && whole;
	if (has_nul)
		snapshot_lacks(snap, LACK_BUFINFO_LINES, "it has a NUL byte");
	else if (!whole)
		damaged(&info, "is the last one: the end is missing");
	else if (reader->objects != reader->total_objects)
		snapshot_lacks(snap, LACK_BUFINFO_LINES,
			       "%llu of %llu buffers are there", reader->objects,
			       reader->total_objects);
	else if (reader->bytes != reader->total_bytes)
		snapshot_lacks(snap, LACK_BUFINFO_LINES,
			       "buffers have %llu bytes, and %llu in the totals",
			       reader->bytes, reader->total_bytes);
	return true;
}
