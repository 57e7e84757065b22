// SPDX-License-Identifier: GPL-2.0-only
/*
 * lsdmabuf: JSON and graphs, for programs. The output does not depend on the locale,
 * as it may be read on another machine.
 *
 * Names are escaped here, in put_json_string() and put_dot_text().
 */
#include <stdlib.h>
#include <string.h>

#include "lsdmabuf.h"

static bool is_utf8(const char *s)
{
	unsigned int n;

	for (; *s; s += n)
		if (!decode_utf8(s, &n))
			return false;
	return true;
}

/*
 * Strings in JSON are Unicode. Each byte that is not UTF-8 becomes a replacement
 * character here, and put_json_name() adds the bytes themselves.
 */
static void put_json_string(struct text *out, const char *s)
{
	unsigned int n;

	text_puts(out, "\"");
	for (; *s; s += n) {
		unsigned int c = decode_utf8(s, &n);

		if (!c)
			text_puts(out, "\\ufffd");
		else if (c == '"' || c == '\\')
			text_printf(out, "\\%c", c);
		/*
		 * JSON allows most of these unescaped, but it is also read on
		 * terminals. A character of more than 16 bits takes two escapes.
		 */
		else if (is_deceptive(c) && c > 0xffff)
			text_printf(out, "\\u%04x\\u%04x", 0xd7c0 + (c >> 10),
				    0xdc00 + (c & 0x3ff));
		else if (is_deceptive(c))
			text_printf(out, "\\u%04x", c);
		else
			text_add(out, s, n);
	}
	text_puts(out, "\"");
}

/* "KEY": the string, or null. If it is not UTF-8, "KEY_hex" has its bytes. */
static void put_json_name(struct text *out, const char *key, const char *s)
{
	text_printf(out, "\"%s\": ", key);
	if (!s) {
		text_puts(out, "null");
		return;
	}
	put_json_string(out, s);
	if (is_utf8(s))
		return;
	text_printf(out, ", \"%s_hex\": \"", key);
	for (; *s; s++)
		text_printf(out, "%02x", (unsigned char)*s);
	text_puts(out, "\"");
}

static const char *json_bool(bool value)
{
	return value ? "true" : "false";
}

/* Addresses are strings: a reader that keeps numbers as doubles would round them. */
static void put_json_map(struct text *out, const struct use *use)
{
	text_printf(out,
		    "{\"start\": \"%llx\", \"end\": \"%llx\", \"offset\": %llu, \"perms\": ",
		    use->start, use->end, use->offset);
	put_json_string(out, use->perms);
	text_puts(out, "}");
}

static void put_json_holder(struct text *out, const struct holder *holder)
{
	text_printf(out, "{\"pid\": %d, ", holder->process->pid);
	put_json_name(out, "comm", holder->process->comm);
	text_puts(out, ", \"fds\": [");
	for (size_t i = 0; i < holder->fd_count; i++)
		text_printf(out, "%s%d", i ? ", " : "", holder->uses[i].fd);
	text_puts(out, "], \"maps\": [");
	for (size_t i = 0; i < holder->map_count; i++) {
		text_puts(out, i ? ", " : "");
		put_json_map(out, &holder->uses[holder->fd_count + i]);
	}
	text_puts(out, "]}");
}

static void put_json_devices(struct text *out, const struct buffer *buffer)
{
	/* null, because an empty list would say that there are no devices. */
	if (!buffer->devices_known) {
		text_puts(out, "null");
		return;
	}
	text_puts(out, "[");
	for (size_t i = 0; i < buffer->device_count; i++) {
		text_puts(out, i ? ", {" : "{");
		put_json_name(out, "device", buffer->devices[i].name);
		text_puts(out, ", ");
		put_json_name(out, "driver", buffer->devices[i].driver);
		text_printf(out, ", \"times\": %u}", buffer->devices[i].times);
	}
	text_puts(out, "]");
}

static void put_json_buffer(struct text *out, const struct buffer *buffer)
{
	text_printf(out, "{\"ino\": %llu, \"size\": ", buffer->ino);
	if (buffer->size_known)
		text_printf(out, "%llu", buffer->size);
	else
		text_puts(out, "null");
	text_printf(out, ", \"size_exact\": %s, ", json_bool(buffer->size_exact));
	put_json_name(out, "exporter", buffer->exporter);
	text_puts(out, ", ");
	put_json_name(out, "name", buffer->name);
	for (int i = 0; i < COUNTERS; i++) {
		text_printf(out, ", \"%s\": ", counter_names[i]);
		if (buffer->counters[i] < 0)
			text_puts(out, "null");
		else
			text_printf(out, "%lld", buffer->counters[i]);
	}
	text_puts(out, ", \"devices\": ");
	put_json_devices(out, buffer);
	text_puts(out, ",\n   \"holders\": [");
	for (size_t i = 0; i < buffer->holder_count; i++) {
		text_puts(out, i ? ",\n    " : "\n    ");
		put_json_holder(out, buffer->holders[i]);
	}
	text_puts(out, "]}");
}

/* A sentence for each kind of lack, none if the list is complete */
static void put_json_lacks(struct text *out, const struct snapshot *snap)
{
	struct text words = { 0 };
	const char *separator = "";

	text_puts(out, " \"incomplete\": [");
	for (int i = 0; i < LACKS; i++) {
		if (!snap->lacks[i])
			continue;
		text_clear(&words);
		put_lack(&words, snap, i);
		text_puts(out, separator);
		text_puts(out, "\n  ");
		put_json_string(out, words.data);
		separator = ",";
	}
	text_puts(out, "]");
	text_free(&words);
}

/*
 * Each buffer, holder, process and exporter has a line of its own, so that grep and
 * diff work on the output.
 */
void print_json(struct text *out, const struct snapshot *snap)
{
	text_puts(out, "{\"buffers\": [");
	for (size_t i = 0; i < snap->buffer_count; i++) {
		text_puts(out, i ? ",\n  " : "\n  ");
		put_json_buffer(out, snap->buffers[i]);
	}
	text_puts(out, "],\n \"processes\": [");
	for (size_t i = 0; i < snap->process_count; i++) {
		const struct process *process = snap->processes[i];

		text_printf(out, "%s\n  {\"pid\": %d, ", i ? "," : "", process->pid);
		put_json_name(out, "comm", process->comm);
		text_printf(out, ", \"buffers\": %zu, \"size\": %llu, \"share\": %llu, ",
			    process->holder_count, process->size, process->share);
		text_printf(out, "\"size_exact\": %s}", json_bool(process->size_exact));
	}
	text_puts(out, "],\n \"exporters\": [");
	for (size_t i = 0; i < snap->exporter_count; i++) {
		const struct exporter *exporter = &snap->exporters[i];

		text_puts(out, i ? ",\n  {" : "\n  {");
		put_json_name(out, "exporter", exporter->name);
		text_printf(out, ", \"buffers\": %zu, \"size\": %llu, \"size_exact\": %s}",
			    exporter->buffer_count, exporter->size,
			    json_bool(exporter->size_exact));
	}
	text_printf(out, "],\n \"total\": {\"buffers\": %zu, \"size\": %llu, ",
		    snap->buffer_count, snap->size);
	text_printf(out, "\"size_exact\": %s, \"processes\": %zu, ",
		    json_bool(snap->size_exact), snap->process_count);
	text_printf(out, "\"unheld_buffers\": %zu, \"unheld_size\": %llu, ",
		    snap->unheld_count, snap->unheld_size);
	text_printf(out, "\"unheld_size_exact\": %s},\n", json_bool(snap->unheld_exact));
	/* A reader of the JSON alone must see whether the list is complete. */
	text_printf(out, " \"unread_processes\": %zu, \"bufinfo_read\": %s,\n",
		    snap->lacks[LACK_PROCESS], json_bool(snap->bufinfo_read));
	put_json_lacks(out, snap);
	text_puts(out, "}\n");
}

/*
 * Within quotes, graphviz interprets backslashes and HTML entities. escape_visible()
 * goes first, so that no control character is left.
 */
static void put_dot_text(struct text *out, const char *s)
{
	struct text visible = { 0 };

	text_puts(&visible, "");
	escape_visible(&visible, s, true);
	for (const char *p = visible.data; *p; p++) {
		if (*p == '"' || *p == '\\')
			text_printf(out, "\\%c", *p);
		else if (*p == '&')
			text_puts(out, "&amp;");
		else
			text_add(out, p, 1);
	}
	text_free(&visible);
}

/*
 * The driver is not compared: fdinfo names it and bufinfo does not, and both may
 * list the same device for different buffers.
 */
static int compare_nodes(const void *a, const void *b)
{
	const struct device *one = *(struct device **)a, *two = *(struct device **)b;

	return strcmp(one->name, two->name);
}

/* One node for each device, however many buffers it is attached to */
static void put_device_nodes(struct text *out, const struct snapshot *snap)
{
	struct device **devices = NULL;
	size_t count = 0, room = 0;
	unsigned int node = 0;

	for (size_t i = 0; i < snap->buffer_count; i++) {
		struct buffer *buffer = snap->buffers[i];

		for (size_t k = 0; k < buffer->device_count; k++) {
			devices = grow(devices, count, &room, sizeof(*devices));
			devices[count++] = &buffer->devices[k];
		}
	}
	if (count)
		qsort(devices, count, sizeof(*devices), compare_nodes);
	for (size_t i = 0; i < count; i++) {
		if (i && !compare_nodes(&devices[i - 1], &devices[i])) {
			devices[i]->node = node;
			continue;
		}
		devices[i]->node = ++node;
		text_printf(out, "\td%u [shape=component, label=\"", node);
		put_dot_text(out, devices[i]->name);
		if (devices[i]->driver) {
			text_puts(out, "\\n");
			put_dot_text(out, devices[i]->driver);
		}
		text_puts(out, "\"];\n");
	}
	free(devices);
}

static void put_dot_buffer(struct text *out, const struct buffer *buffer,
			   const struct style *style)
{
	text_printf(out, "\tb%llu [shape=box, label=\"%llu", buffer->ino, buffer->ino);
	if (buffer->name) {
		text_puts(out, " ");
		put_dot_text(out, buffer->name);
	}
	text_puts(out, "\\n");
	put_dot_text(out, buffer->exporter ?: "?");
	text_puts(out, " ");
	if (buffer->size_known)
		put_size(out, buffer->size, style);
	text_puts(out, buffer->size_exact ? "\"];\n" : "+\"];\n");

	for (size_t i = 0; i < buffer->holder_count; i++) {
		const struct holder *holder = buffer->holders[i];

		text_printf(out, "\tp%d -> b%llu [label=\"", holder->process->pid,
			    buffer->ino);
		if (holder->fd_count) {
			text_puts(out, "fd ");
			put_fds(out, holder, 4);
		}
		if (holder->map_count)
			text_printf(out, "%s%zu map%s", holder->fd_count ? "\\n" : "",
				    holder->map_count,
				    holder->map_count == 1 ? "" : "s");
		text_puts(out, "\"];\n");
	}
	for (size_t i = 0; i < buffer->device_count; i++) {
		const struct device *device = &buffer->devices[i];

		text_printf(out, "\tb%llu -> d%u [dir=none", buffer->ino, device->node);
		/* One edge with a count keeps the graph narrow. */
		if (device->times > 1)
			text_printf(out, ", label=\"%u times\"", device->times);
		text_puts(out, "];\n");
	}
}

/*
 * The graph leads from processes on the left by buffers to devices on the right. Nodes
 * are identified by numbers. Names, which programs choose, are only labels.
 */
void print_dot(struct text *out, const struct snapshot *snap, const struct style *style)
{
	text_puts(out, "digraph dmabuf {\n\trankdir=LR;\n\tcharset=\"UTF-8\";\n");
	/* Whoever sees the picture has not seen standard error. */
	if (!snapshot_is_complete(snap))
		text_puts(out, "\tlabel=\"incomplete\";\n");
	for (size_t i = 0; i < snap->process_count; i++) {
		const struct process *process = snap->processes[i];

		text_printf(out, "\tp%d [shape=ellipse, label=\"", process->pid);
		put_dot_text(out, process->comm ?: "?");
		text_printf(out, "\\n%d\"];\n", process->pid);
	}
	put_device_nodes(out, snap);
	for (size_t i = 0; i < snap->buffer_count; i++)
		put_dot_buffer(out, snap->buffers[i], style);
	text_puts(out, "}\n");
}
