// SPDX-License-Identifier: GPL-2.0-only
/*
 * A strict reader of the lines of bufinfo, see bufinfo.h.
 */
#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "bufinfo.h"

#define ARRAY_SIZE(array)	(sizeof(array) / sizeof((array)[0]))

/* A buffer's name has at most so many bytes. */
#define NAME_MAX_BYTES	31

/* The kernel pads numbers of a buffer's line to this width. */
#define DIGITS		8

/* strtoull() alone would take signs and blanks as well. */
bool parse_number(const char *s, int base, unsigned long long *number)
{
	const char *digits = base == 16 ? "0123456789abcdefABCDEF" : "0123456789";

	if (!*s || s[strspn(s, digits)])
		return false;
	errno = 0;
	*number = strtoull(s, NULL, base);
	return !errno;
}

bool parse_signed(const char *s, long long *number)
{
	unsigned long long value;

	if (!parse_number(s + (*s == '-'), 10, &value) || value > LLONG_MAX)
		return false;
	*number = *s == '-' ? -(long long)value : (long long)value;
	return true;
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
	/* Some kernels print names, but leave the last column without a title. */
	return n >= ARRAY_SIZE(columns) - 1;
}

/* Size, flags, mode, count, exporter, inode number and name, separated by tabs */
static bool parse_buffer(char *line, struct bufinfo_buffer *buffer)
{
	enum { SIZE, FLAGS, MODE, COUNT, EXPORTER, INO, FIELDS };
	unsigned long long flags, mode;
	char *field[FIELDS];

	/*
	 * The line is cut only once it is known to be a buffer's: the caller has a
	 * look at any other.
	 */
	for (int i = 0; i < FIELDS; i++) {
		char *tab = strchr(line, '\t');

		if (!tab || (i != EXPORTER && tab - line < DIGITS))
			return false;
		field[i] = line;
		line = tab + 1;
	}
	for (int i = 0; i < FIELDS; i++)
		*strchr(field[i], '\t') = '\0';

	buffer->exporter = field[EXPORTER];
	buffer->name = line;
	return parse_number(field[SIZE], 10, &buffer->size) &&
	       parse_number(field[FLAGS], 16, &flags) &&
	       parse_number(field[MODE], 16, &mode) &&
	       parse_signed(field[COUNT], &buffer->count) &&
	       parse_number(field[INO], 10, &buffer->ino);
}

/*
 * A word of the kernel's, then digits. Returns what comes after them, or NULL.
 * Not sscanf(): a blank in its format stands for any number of blanks.
 */
static const char *take_number(const char *s, const char *word, unsigned long long *number)
{
	char digits[21];
	size_t n = strlen(word);

	if (!s || strncmp(s, word, n))
		return NULL;
	s += n;
	n = strspn(s, "0123456789");
	if (n >= sizeof(digits))
		return NULL;
	memcpy(digits, s, n);
	digits[n] = '\0';
	return parse_number(digits, 10, number) ? s + n : NULL;
}

static bool parse_device_count(const char *line, unsigned long long *count)
{
	const char *rest = take_number(line, "Total ", count);

	return rest && !strcmp(rest, " devices attached");
}

static bool parse_totals(const char *line, unsigned long long *objects,
			 unsigned long long *bytes)
{
	const char *rest = take_number(line, "Total ", objects);

	rest = take_number(rest, " objects, ", bytes);
	return rest && !strcmp(rest, " bytes");
}

static bool is_inside(const struct bufinfo_reader *reader)
{
	return reader->place == BUFINFO_IN_BUFFER || reader->place == BUFINFO_IN_DEVICES;
}

/* Can this be a further line of a name that was printed with its newlines? */
static bool is_rest_of_name(struct bufinfo_reader *reader, size_t length)
{
	/* The newline before the line is part of the name, too. */
	if (!is_inside(reader) || length >= reader->name_left)
		return false;
	reader->name_left -= length + 1;
	return true;
}

static void begin_buffer(struct bufinfo_reader *reader)
{
	const struct bufinfo_buffer *buffer = &reader->buffer;
	size_t bytes = strlen(buffer->name);

	if (is_inside(reader))
		reader->damage = "comes before the devices of the buffer above it";
	reader->place = BUFINFO_IN_BUFFER;
	reader->name_left = bytes < NAME_MAX_BYTES ? NAME_MAX_BYTES - bytes : 0;
	reader->objects++;
	reader->bytes += buffer->size;
	if (buffer->size > reader->largest)
		reader->largest = buffer->size;
}

static enum bufinfo_kind take_heading(struct bufinfo_reader *reader, char *line)
{
	if (reader->place == BUFINFO_EXPECTS_TITLE) {
		if (!*line)
			return BUFINFO_OTHER;
		if (strcmp(line, "Dma-buf Objects:"))
			return BUFINFO_NO_HEADING;
		reader->place = BUFINFO_EXPECTS_COLUMNS;
		return BUFINFO_OTHER;
	}
	if (!is_heading(line))
		return BUFINFO_NO_HEADING;
	reader->place = BUFINFO_EXPECTS_BUFFER;
	return BUFINFO_OTHER;
}

enum bufinfo_kind bufinfo_take(struct bufinfo_reader *reader, char *line)
{
	size_t length = strlen(line);

	reader->line++;
	reader->damage = NULL;

	if (reader->place <= BUFINFO_EXPECTS_COLUMNS)
		return take_heading(reader, line);
	if (reader->place == BUFINFO_AFTER_TOTALS) {
		if (length)
			reader->damage = "comes after the totals";
		return BUFINFO_OTHER;
	}
	if (is_inside(reader) && !strcmp(line, "\tAttached Devices:")) {
		/* The last such line counts: a name may have forged one before. */
		reader->place = BUFINFO_IN_DEVICES;
		return BUFINFO_DEVICES;
	}
	if (reader->place == BUFINFO_IN_DEVICES) {
		if (line[0] == '\t')
			return BUFINFO_DEVICE;
		if (parse_device_count(line, &reader->devices)) {
			reader->place = BUFINFO_EXPECTS_BUFFER;
			return BUFINFO_DEVICE_COUNT;
		}
	}
	/* A fence, or something that later kernels add */
	if (is_inside(reader) && line[0] == '\t')
		return BUFINFO_OTHER;
	if (!is_inside(reader) &&
	    parse_totals(line, &reader->total_objects, &reader->total_bytes)) {
		reader->place = BUFINFO_AFTER_TOTALS;
		return BUFINFO_TOTALS;
	}
	if (parse_buffer(line, &reader->buffer)) {
		begin_buffer(reader);
		return BUFINFO_BUFFER;
	}
	if (!is_rest_of_name(reader, length) && (is_inside(reader) || length))
		reader->damage = "is not understood";
	return BUFINFO_OTHER;
}

bool bufinfo_end(struct bufinfo_reader *reader)
{
	/* A kernel whose sizes have 32 bits adds them up in 32 bits. */
	if (reader->largest <= UINT32_MAX && reader->total_bytes <= UINT32_MAX)
		reader->bytes &= UINT32_MAX;
	return reader->place == BUFINFO_AFTER_TOTALS;
}
