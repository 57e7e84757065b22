/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A strict reader of the lines of /sys/kernel/debug/dma_buf/bufinfo.
 *
 * Kernels other than this core's print names as they are, so a program can put
 * what looks like a line of the kernel's own into the name of its buffer. The
 * reader therefore takes each line only in its place:
 *
 *	heading, { buffer, { anything after a tab }, devices, their number }, totals
 *
 * and a buffer's line only with all seven columns, the numbers in at least eight
 * digits. No name is long enough to forge such a line. Whatever is in no place is
 * reported as damage.
 */
#ifndef TOOLS_DMA_BUF_BUFINFO_H
#define TOOLS_DMA_BUF_BUFINFO_H

#include <stdbool.h>
#include <stddef.h>

#define BUFINFO_PATH	"/sys/kernel/debug/dma_buf/bufinfo"

/* A buffer's line. The strings point into the line, and the name is as printed. */
struct bufinfo_buffer {
	unsigned long long ino;
	unsigned long long size;
	long long count;
	char *exporter;
	char *name;
};

enum bufinfo_kind {
	BUFINFO_OTHER,			/* nothing that a program has to look at */
	BUFINFO_NO_HEADING,		/* this is no bufinfo */
	BUFINFO_BUFFER,			/* see bufinfo_reader.buffer */
	BUFINFO_DEVICES,		/* those of the buffer begin, perhaps anew */
	BUFINFO_DEVICE,			/* the line after its tab is the device's name */
	BUFINFO_DEVICE_COUNT,		/* see bufinfo_reader.devices; ends the buffer */
	BUFINFO_TOTALS,
};

/* Zeroed before the first line. Members that are not explained are internal. */
struct bufinfo_reader {
	size_t line;			/* number of the line, from 1 */
	/* What is wrong with the line, which may be understood all the same */
	const char *damage;
	struct bufinfo_buffer buffer;
	unsigned long long devices;
	/* What was listed, and what the totals say */
	unsigned long long objects, bytes;
	unsigned long long total_objects, total_bytes;

	enum {
		BUFINFO_EXPECTS_TITLE,
		BUFINFO_EXPECTS_COLUMNS,
		BUFINFO_EXPECTS_BUFFER,
		BUFINFO_IN_BUFFER,
		BUFINFO_IN_DEVICES,
		BUFINFO_AFTER_TOTALS,
	} place;
	/* How many bytes of the buffer's name may follow, if newlines are in it */
	size_t name_left;
	unsigned long long largest;
};

/* All of @s must be the number: neither sign, nor blank, nor anything after it. */
bool parse_number(const char *s, int base, unsigned long long *number);
bool parse_signed(const char *s, long long *number);

/* Take one line, without its newline; the line is cut into strings. */
enum bufinfo_kind bufinfo_take(struct bufinfo_reader *reader, char *line);

/*
 * After the last line: true if the totals were there. Only then can they be
 * compared with what was listed.
 */
bool bufinfo_end(struct bufinfo_reader *reader);

#endif
