// SPDX-License-Identifier: GPL-2.0-only
/*
 * lsdmabuf: the tables and the tree, for people.
 *
 * Names are escaped here, in put_name() and put_devices(): see escape_visible().
 */
#include <stdlib.h>
#include <string.h>

#include "lsdmabuf.h"

/* How many groups of descriptors a line shows. JSON has all of them. */
#define FDS_SHOWN	8

#define MAX_COLUMNS	10

struct cell {
	size_t start, bytes, width;
};

/* All cells are kept until the end, as the widest one sets the width of a column. */
struct table {
	const char * const *titles;
	size_t columns;
	const char *right;		/* for each column: 'r' aligns right, 'l' left */
	struct text text;
	struct cell *cells;
	size_t count, room;
};

/* Returns the text to which the caller adds the content of the cell. */
static struct text *begin_cell(struct table *table)
{
	struct cell *cell;

	table->cells = grow(table->cells, table->count, &table->room, sizeof(*table->cells));
	cell = &table->cells[table->count++];
	cell->start = table->text.used;
	return &table->text;
}

/*
 * columns: the width of the cell on a terminal. 0 stands for one column a byte, which is
 * true of everything but names.
 */
static void end_cell(struct table *table, size_t columns)
{
	struct cell *cell = &table->cells[table->count - 1];

	cell->bytes = table->text.used - cell->start;
	cell->width = columns ?: cell->bytes;
}

static void put_cell(struct table *table, const char *s)
{
	text_puts(begin_cell(table), s);
	end_cell(table, 0);
}

static void put_number(struct table *table, __u64 number)
{
	text_printf(begin_cell(table), "%llu", number);
	end_cell(table, 0);
}

static void put_sum_cell(struct table *table, __u64 size, bool exact,
			 const struct style *style)
{
	put_sum(begin_cell(table), size, exact, style);
	end_cell(table, 0);
}

/*
 * Print a name, or none if there is no name. An empty name, and a name that looks like
 * none, must look different from no name.
 */
static size_t put_name(struct text *out, const char *name, const char *none, bool utf8)
{
	if (!name || !*name) {
		text_puts(out, name ? "\"\"" : none);
		return name ? 2 : strlen(none);
	}
	/* The placeholder is a single character: escape it. */
	if (!strcmp(name, none)) {
		text_printf(out, "\\%03o", name[0]);
		return 4;
	}
	return escape_visible(out, name, utf8);
}

static void put_name_cell(struct table *table, const char *name, const char *none,
			  const struct style *style)
{
	struct text *out = begin_cell(table);

	end_cell(table, put_name(out, name, none, style->utf8));
}

static void put_spaces(struct text *out, size_t n)
{
	static const char spaces[] = "                                ";

	for (; n > sizeof(spaces) - 1; n -= sizeof(spaces) - 1)
		text_add(out, spaces, sizeof(spaces) - 1);
	text_add(out, spaces, n);
}

/*
 * Titles and cells are padded to the width of their column. A line has no blanks at its
 * end, where they would wrap on a narrow terminal.
 */
static void end_table(struct text *out, struct table *table)
{
	size_t widths[MAX_COLUMNS] = { 0 };

	for (size_t i = 0; i < table->columns; i++)
		widths[i] = strlen(table->titles[i]);
	for (size_t i = 0; i < table->count; i++) {
		size_t *width = &widths[i % table->columns];

		if (table->cells[i].width > *width)
			*width = table->cells[i].width;
	}

	for (size_t i = 0; i < table->columns; i++) {
		size_t pad = widths[i] - strlen(table->titles[i]);
		bool right = table->right[i] == 'r';

		put_spaces(out, right ? pad : 0);
		text_puts(out, table->titles[i]);
		if (i + 1 == table->columns)
			text_puts(out, "\n");
		else
			put_spaces(out, (right ? 0 : pad) + 1);
	}
	for (size_t i = 0; i < table->count; i++) {
		const struct cell *cell = &table->cells[i];
		size_t column = i % table->columns;
		size_t pad = widths[column] - cell->width;
		bool right = table->right[column] == 'r';

		put_spaces(out, right ? pad : 0);
		text_add(out, table->text.data + cell->start, cell->bytes);
		/* In the line of a further holder only the last cell is empty. */
		if (column + 1 == table->columns)
			text_puts(out, "\n");
		else if (column + 2 < table->columns || cell[1].bytes)
			put_spaces(out, (right ? 0 : pad) + 1);
	}
	text_free(&table->text);
	free(table->cells);
}

static void put_buffer_size(struct text *out, const struct buffer *buffer,
			    const struct style *style)
{
	if (!buffer->size_known) {
		text_puts(out, "?");
		return;
	}
	/* A mapping that was seen alone may be one of a part of the buffer. */
	put_sum(out, buffer->size, buffer->size_exact, style);
}

/* Returns the number of columns that the text takes. */
static size_t put_devices(struct text *out, const struct buffer *buffer, bool drivers,
			  const struct style *style)
{
	size_t start = out->used, columns = 0, escaped = 0;

	if (!buffer->devices_known) {
		/* Some kernels tell how many devices are attached, but not which. */
		if (buffer->counters[COUNT_ATTACHMENTS] > 0)
			text_printf(out, "%lld", buffer->counters[COUNT_ATTACHMENTS]);
		else
			text_puts(out, buffer->counters[COUNT_ATTACHMENTS] ? "?" : "-");
		return out->used - start;
	}
	if (!buffer->device_count)
		text_puts(out, "-");
	for (size_t i = 0; i < buffer->device_count; i++) {
		const struct device *device = &buffer->devices[i];
		size_t before;

		if (i)
			text_puts(out, " ");
		before = out->used;
		columns += escape_visible(out, device->name, style->utf8);
		escaped += out->used - before;
		if (drivers && device->driver) {
			text_puts(out, "(");
			before = out->used;
			columns += escape_visible(out, device->driver, style->utf8);
			escaped += out->used - before;
			text_puts(out, ")");
		}
		if (device->times > 1)
			text_printf(out, "*%u", device->times);
	}
	return columns + (out->used - start - escaped);
}

static const char * const buffer_titles[] = {
	"INO", "SIZE", "REFS", "EXPORTER", "NAME", "PID", "COMM", "FDS", "MAPS",
	"DEVICES",
};

/* The first holder is in the line of its buffer, the others in lines below. */
static void put_holder_cells(struct table *table, const struct holder *holder,
			     const struct style *style)
{
	if (!holder) {
		for (int i = 0; i < 4; i++)
			put_cell(table, "-");
		return;
	}
	put_number(table, holder->process->pid);
	put_name_cell(table, holder->process->comm, "?", style);
	if (holder->fd_count) {
		put_fds(begin_cell(table), holder, FDS_SHOWN);
		end_cell(table, 0);
	} else {
		put_cell(table, "-");
	}
	if (holder->map_count)
		put_number(table, holder->map_count);
	else
		put_cell(table, "-");
}

static void put_buffer_rows(struct table *table, const struct buffer *buffer,
			    const struct style *style)
{
	struct text *out;

	put_number(table, buffer->ino);
	put_buffer_size(begin_cell(table), buffer, style);
	end_cell(table, 0);
	if (buffer->counters[COUNT_REFS] < 0)
		put_cell(table, "?");
	else
		put_number(table, buffer->counters[COUNT_REFS]);
	put_name_cell(table, buffer->exporter, "?", style);
	put_name_cell(table, buffer->name, "-", style);
	put_holder_cells(table, buffer->holder_count ? buffer->holders[0] : NULL, style);
	out = begin_cell(table);
	end_cell(table, put_devices(out, buffer, false, style));

	for (size_t i = 1; i < buffer->holder_count; i++) {
		for (int k = 0; k < 5; k++)
			put_cell(table, "");
		put_holder_cells(table, buffer->holders[i], style);
		put_cell(table, "");
	}
}

/* A buffer counts once in each total, however often it is used: see sum_up(). */
static void print_processes(struct text *out, const struct snapshot *snap,
			    const struct style *style)
{
	static const char * const titles[] = {
		"PID", "COMM", "BUFFERS", "SIZE", "SHARE",
	};
	struct table table = {
		.titles = titles, .columns = ARRAY_SIZE(titles), .right = "rlrrr",
	};

	for (size_t i = 0; i < snap->process_count; i++) {
		const struct process *process = snap->processes[i];

		put_number(&table, process->pid);
		put_name_cell(&table, process->comm, "?", style);
		put_number(&table, process->holder_count);
		put_sum_cell(&table, process->size, process->size_exact, style);
		put_sum_cell(&table, process->share, process->size_exact, style);
	}
	end_table(out, &table);
}

static void print_exporters(struct text *out, const struct snapshot *snap,
			    const struct style *style)
{
	static const char * const titles[] = { "EXPORTER", "BUFFERS", "SIZE" };
	struct table table = {
		.titles = titles, .columns = ARRAY_SIZE(titles), .right = "lrr",
	};

	for (size_t i = 0; i < snap->exporter_count; i++) {
		const struct exporter *exporter = &snap->exporters[i];

		put_name_cell(&table, exporter->name, "?", style);
		put_number(&table, exporter->buffer_count);
		put_sum_cell(&table, exporter->size, exporter->size_exact, style);
	}
	end_table(out, &table);
}

/* Describe one kind of lack in words. Standard error and JSON have the same words. */
void put_lack(struct text *out, const struct snapshot *snap, enum lack lack)
{
	static const struct {
		const char *one, *many;
	} words[LACKS] = {
		[LACK_BUFINFO] = { "bufinfo could not be read", NULL },
		[LACK_BUFINFO_LINES] = { "bufinfo is damaged",
					 "bufinfo is damaged in %zu places" },
		[LACK_PROCESS] = { "1 process could not be looked at completely",
				   "%zu processes could not be looked at completely" },
		[LACK_HIDDEN] = { "processes are hidden", NULL },
		[LACK_AGREEMENT] = { "sources contradict each other",
				     "sources contradict each other in %zu places" },
		[LACK_HELD] = { "1 buffer that a process holds is not in bufinfo",
				"%zu buffers that processes hold are not in bufinfo" },
		[LACK_SIZE] = { "the size of 1 buffer is not known",
				"the sizes of %zu buffers are not known" },
		[LACK_SUM] = { "sums need more than 64 bits", NULL },
	};
	size_t n = snap->lacks[lack];

	if (n == 1 || !words[lack].many)
		text_puts(out, words[lack].one);
	else
		text_printf(out, words[lack].many, n);
	text_printf(out, " (%s%s)", n > 1 ? "the first: " : "", snap->first_lack[lack]);
}

void print_total(struct text *out, const struct snapshot *snap, const struct style *style)
{
	text_printf(out, "total: %zu buffer%s, ", snap->buffer_count,
		    snap->buffer_count == 1 ? "" : "s");
	put_sum(out, snap->size, snap->size_exact, style);
	text_printf(out, ", in %zu process%s", snap->process_count,
		    snap->process_count == 1 ? "" : "es");
	if (snap->unheld_count) {
		/* A process that could not be read may hold the buffer. */
		text_printf(out, "; in none%s: %zu buffer%s, ",
			    snapshot_lacks_holders(snap) ? " that was seen" : "",
			    snap->unheld_count, snap->unheld_count == 1 ? "" : "s");
		put_sum(out, snap->unheld_size, snap->unheld_exact, style);
	}
	text_puts(out, snapshot_is_complete(snap) ? "\n" : " (incomplete)\n");
}

void print_table(struct text *out, const struct snapshot *snap, const struct style *style)
{
	struct table table = {
		.titles = buffer_titles,
		.columns = ARRAY_SIZE(buffer_titles),
		.right = "rrrllrllrl",
	};

	for (size_t i = 0; i < snap->buffer_count; i++)
		put_buffer_rows(&table, snap->buffers[i], style);
	end_table(out, &table);
	if (!style->totals)
		return;

	if (snap->process_count) {
		text_puts(out, "\n");
		print_processes(out, snap, style);
	}
	if (snap->exporter_count) {
		text_puts(out, "\n");
		print_exporters(out, snap, style);
	}
	text_puts(out, "\n");
	print_total(out, snap, style);
}

static void put_counted(struct text *out, size_t n, const char *one)
{
	text_printf(out, "%zu %s%s", n, one, n == 1 ? "" : "s");
}

/* Lines are drawn in ASCII if the locale is not UTF-8. */
static void put_branch(struct text *out, bool last, const struct style *style)
{
	if (style->utf8)
		text_puts(out, last ? "\u2514\u2500 " : "\u251c\u2500 ");
	else
		text_puts(out, last ? "`- " : "|- ");
}

/* Print a buffer below one of its holders. holder is NULL if it has none. */
static void put_leaf(struct text *out, const struct buffer *buffer,
		     const struct holder *holder, bool last, const struct style *style)
{
	put_branch(out, last, style);
	text_printf(out, "%llu ", buffer->ino);
	put_buffer_size(out, buffer, style);
	text_puts(out, " ");
	put_name(out, buffer->exporter, "?", style->utf8);
	text_puts(out, " ");
	put_name(out, buffer->name, "-", style->utf8);
	if (holder && holder->fd_count) {
		text_puts(out, "  fd ");
		put_fds(out, holder, FDS_SHOWN);
	}
	if (holder && holder->map_count) {
		text_puts(out, "  ");
		put_counted(out, holder->map_count, "map");
	}
	/* Explains why the share of the process is less than the size. */
	if (holder && buffer->holder_count > 1)
		text_printf(out, "  1/%zu", buffer->holder_count);
	/* Most buffers have no devices. Do not fill the line with that. */
	if (!buffer->devices_known || buffer->device_count) {
		text_puts(out, "  devices ");
		put_devices(out, buffer, true, style);
	}
	/* What importers do with the buffer, which may be why its memory cannot move */
	for (int i = COUNT_MAPPINGS; i < COUNTERS; i++)
		if (buffer->counters[i] > 0)
			text_printf(out, "  %s %lld", counter_names[i],
				    buffer->counters[i]);
	text_puts(out, "\n");
}

/*
 * Processes with their buffers, which answers who holds how much memory. The table is
 * sorted the other way round, by buffers.
 */
void print_tree(struct text *out, const struct snapshot *snap, const struct style *style)
{
	size_t left = snap->unheld_count;

	for (size_t i = 0; i < snap->process_count; i++) {
		const struct process *process = snap->processes[i];

		put_name(out, process->comm, "?", style->utf8);
		text_printf(out, "[%d]  ", process->pid);
		put_counted(out, process->holder_count, "buffer");
		text_puts(out, ", ");
		put_sum(out, process->size, process->size_exact, style);
		text_puts(out, ", share ");
		put_sum(out, process->share, process->size_exact, style);
		text_puts(out, "\n");
		for (size_t k = 0; k < process->holder_count; k++)
			put_leaf(out, process->holders[k].buffer, &process->holders[k],
				 k + 1 == process->holder_count, style);
	}

	if (left) {
		text_puts(out, snapshot_lacks_holders(snap) ?
			  "no process that was seen  " : "no process  ");
		put_counted(out, left, "buffer");
		text_puts(out, ", ");
		put_sum(out, snap->unheld_size, snap->unheld_exact, style);
		text_puts(out, "\n");
	}
	/* left reaches 0 at the last buffer, which gets another line drawn. */
	for (size_t i = 0; i < snap->buffer_count; i++)
		if (!snap->buffers[i]->holder_count)
			put_leaf(out, snap->buffers[i], NULL, !--left, style);

	if (style->totals) {
		if (snap->buffer_count)
			text_puts(out, "\n");
		print_total(out, snap, style);
	}
}
