// SPDX-License-Identifier: GPL-2.0-only
/*
 * lsdmabuf: memory, text that grows, and names that are safe to display.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "lsdmabuf.h"

void *resize(void *memory, size_t count, size_t size)
{
	/* An array may be empty, but realloc() to no bytes might return NULL. */
	memory = reallocarray(memory, count ?: 1, size);
	if (!memory)
		out_of_memory();
	return memory;
}

void *grow(void *array, size_t count, size_t *room, size_t size)
{
	if (count < *room)
		return array;
	*room = *room ? *room * 2 : 16;
	return resize(array, *room, size);
}

void text_add(struct text *t, const char *bytes, size_t n)
{
	if (t->room - t->used <= n) {
		t->room = (t->used + n + 1) * 2;
		t->data = resize(t->data, t->room, 1);
	}
	memcpy(t->data + t->used, bytes, n);
	t->used += n;
	t->data[t->used] = '\0';
}

void text_puts(struct text *t, const char *s)
{
	text_add(t, s, strlen(s));
}

void text_printf(struct text *t, const char *format, ...)
{
	char buffer[512];
	va_list args;
	int n;

	/* For numbers and words of this program. Names are of any length: text_add(). */
	va_start(args, format);
	n = vsnprintf(buffer, sizeof(buffer), format, args);
	va_end(args);
	if (n < 0 || n >= (int)sizeof(buffer))
		die(EXIT_FAILED, "a line of output is too long");
	text_add(t, buffer, n);
}

void text_clear(struct text *t)
{
	t->used = 0;
	if (t->data)
		t->data[0] = '\0';
}

void text_free(struct text *t)
{
	free(t->data);
	*t = (struct text) { 0 };
}

/*
 * Returns the character at the beginning of s and sets *length to the number of its
 * bytes, or to 1 and returns 0 if the beginning is not UTF-8. s must not be empty.
 *
 * This is not mbrtowc(), because JSON and graphviz are UTF-8 in every locale, and a
 * small system has no UTF-8 locale.
 */
unsigned int decode_utf8(const char *s, unsigned int *length)
{
	/* The smallest character of each length: a smaller one is encoded wrongly. */
	static const unsigned int smallest[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const unsigned char *p = (const unsigned char *)s;
	unsigned int c, n;

	*length = 1;
	if (*p < 0x80)
		return *p;
	n = *p >= 0xf8 ? 0 : *p >= 0xf0 ? 4 : *p >= 0xe0 ? 3 : *p >= 0xc0 ? 2 : 0;
	if (!n)
		return 0;
	c = *p & (0x7f >> n);
	for (unsigned int i = 1; i < n; i++) {
		/* The NUL at the end of s is not a continuation byte either. */
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3f);
	}
	if (c < smallest[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	*length = n;
	return c;
}

/*
 * Characters that control a terminal, reorder the text around them, or are invisible:
 * control characters, line separators, direction marks, the byte order mark, tags.
 */
bool is_deceptive(unsigned int c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0xad || c == 0x61c ||
	       (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
	       (c >= 0x2060 && c <= 0x206f) || c == 0xfeff ||
	       (c >= 0xfff0 && c <= 0xfffb) || (c >= 0xe0000 && c <= 0xe0fff);
}

/*
 * Add s with each byte of a deceptive character or a backslash escaped as \ooo, as the
 * kernel escapes names. Returns the number of columns that the text takes.
 */
size_t escape_visible(struct text *out, const char *s, bool utf8)
{
	unsigned int n;
	size_t columns = 0;

	for (; *s; s += n) {
		unsigned int c = decode_utf8(s, &n);
		/*
		 * An accent has width 0, as it is drawn over the letter before it. In
		 * the C locale wcwidth() knows ASCII alone; only graphs have UTF-8
		 * there, and graphs need no widths.
		 */
		int width = c < 0x80 || MB_CUR_MAX == 1 ? 1 : wcwidth(c);

		if (c && !is_deceptive(c) && c != '\\' && (c < 0x80 || utf8) &&
		    width >= 0) {
			text_add(out, s, n);
			columns += width;
			continue;
		}
		for (unsigned int i = 0; i < n; i++)
			text_printf(out, "\\%03o", (unsigned char)s[i]);
		columns += 4 * n;
	}
	return columns;
}

/* How many of the n bytes at s fit into the given number of columns */
size_t visible_bytes(const char *s, size_t n, size_t columns, bool utf8)
{
	size_t used = 0, width, i = 0;
	unsigned int length;

	while (i < n) {
		unsigned int c = decode_utf8(s + i, &length);
		int w = c < 0x80 || !utf8 ? 1 : wcwidth(c);

		width = w < 0 ? 1 : w;
		if (used + width > columns)
			break;
		used += width;
		i += length;
	}
	return i < n ? i : n;
}

void put_size(struct text *out, __u64 size, const struct style *style)
{
	static const char units[] = "BKMGTPE";
	double value = size;
	int unit = 0;

	if (style->bytes) {
		text_printf(out, "%llu", size);
		return;
	}
	/* 1023.96 would be rounded to 1024.0. */
	while (value >= 1023.95) {
		value /= 1024;
		unit++;
	}
	text_printf(out, unit ? "%.1f%c" : "%.0f%c", value, units[unit]);
}

/* A sum. "+" says that it is a lower bound. */
void put_sum(struct text *out, __u64 size, bool exact, const struct style *style)
{
	put_size(out, size, style);
	if (!exact)
		text_puts(out, "+");
}

/*
 * Descriptors as "3,5-7". After limit groups the others are only counted; a limit of 0
 * is none.
 */
void put_fds(struct text *out, const struct holder *holder, size_t limit)
{
	const struct use *uses = holder->uses;
	size_t i = 0, groups = 0;

	while (i < holder->fd_count) {
		size_t last = i;

		while (last + 1 < holder->fd_count &&
		       uses[last + 1].fd == uses[last].fd + 1)
			last++;
		if (limit && groups == limit) {
			text_printf(out, ",+%zu", holder->fd_count - i);
			return;
		}
		text_printf(out, "%s%d", groups++ ? "," : "", uses[i].fd);
		if (last > i)
			text_printf(out, "%c%d", last == i + 1 ? ',' : '-',
				    uses[last].fd);
		i = last + 1;
	}
}
