// SPDX-License-Identifier: GPL-2.0-only
/*
 * lsdmabuf: the tables of a snapshot, and the sums that are made from them.
 *
 * During the scan buffers are found by inode number in a hash table, and each
 * descriptor and each mapping becomes one entry of a flat array. The array is sorted
 * once after the scan: all uses of one buffer by one process are then adjacent, and
 * become a holder. The cost stays n log n, however many processes share however many
 * buffers.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lsdmabuf.h"

const char * const sort_names[SORT_KEYS] = {
	[SORT_INO]	= "ino",
	[SORT_SIZE]	= "size",
	[SORT_NAME]	= "name",
	[SORT_EXPORTER]	= "exporter",
	[SORT_PID]	= "pid",
	[SORT_HOLDERS]	= "holders",
};

/*
 * Memory that lives as long as the snapshot is cut from chunks, which --watch frees
 * after each list. Nobody has to keep track of single strings.
 */
struct chunk {
	struct chunk *next;
	size_t used, size;
	char data[];
};

#define CHUNK_SIZE	(64 * 1024)

#define MIN_SLOT_BITS	10

void snapshot_init(struct snapshot *snap)
{
	memset(snap, 0, sizeof(*snap));
	snap->slot_bits = MIN_SLOT_BITS;
	snap->slots = resize(NULL, 1UL << snap->slot_bits, sizeof(*snap->slots));
	memset(snap->slots, 0, sizeof(*snap->slots) << snap->slot_bits);
}

void *snapshot_alloc(struct snapshot *snap, size_t size)
{
	struct chunk *chunk = snap->chunks;
	void *memory;

	/* The next piece may be a structure, so keep every piece aligned for one. */
	size = (size + sizeof(long long) - 1) & ~(sizeof(long long) - 1);

	if (!chunk || chunk->size - chunk->used < size) {
		size_t room = size > CHUNK_SIZE ? size : CHUNK_SIZE;

		chunk = resize(NULL, 1, sizeof(*chunk) + room);
		chunk->next = snap->chunks;
		chunk->used = 0;
		chunk->size = room;
		snap->chunks = chunk;
	}

	memory = chunk->data + chunk->used;
	chunk->used += size;
	return memset(memory, 0, size);
}

const char *snapshot_string(struct snapshot *snap, const char *s)
{
	size_t n = strlen(s) + 1;

	return memcpy(snapshot_alloc(snap, n), s, n);
}

/*
 * Inode numbers of buffers are consecutive. The multiplication spreads them over the
 * upper bits, which choose the slot.
 */
static struct buffer **find_slot(struct snapshot *snap, __u64 ino)
{
	size_t mask = (1UL << snap->slot_bits) - 1;
	size_t i = (ino * 0x9e3779b97f4a7c15ULL) >> (64 - snap->slot_bits);

	while (snap->slots[i] && snap->slots[i]->ino != ino)
		i = (i + 1) & mask;
	return &snap->slots[i];
}

static void fill_slots(struct snapshot *snap)
{
	memset(snap->slots, 0, sizeof(*snap->slots) << snap->slot_bits);
	for (size_t i = 0; i < snap->buffer_count; i++)
		*find_slot(snap, snap->buffers[i]->ino) = snap->buffers[i];
}

struct buffer *snapshot_find(struct snapshot *snap, __u64 ino)
{
	return *find_slot(snap, ino);
}

/* Find the buffer with this inode number, or add it. */
struct buffer *snapshot_buffer(struct snapshot *snap, __u64 ino)
{
	struct buffer *buffer = *find_slot(snap, ino);

	if (buffer)
		return buffer;

	buffer = snapshot_alloc(snap, sizeof(*buffer));
	buffer->ino = ino;
	for (int i = 0; i < COUNTERS; i++)
		buffer->counters[i] = -1;

	snap->buffers = grow(snap->buffers, snap->buffer_count, &snap->buffer_room,
			     sizeof(*snap->buffers));
	snap->buffers[snap->buffer_count++] = buffer;

	/* Keep half of the slots free, so that a search takes a step or two. */
	if (snap->buffer_count * 2 > 1UL << snap->slot_bits) {
		snap->slot_bits++;
		snap->slots = resize(snap->slots, 1UL << snap->slot_bits,
				     sizeof(*snap->slots));
		fill_slots(snap);
	} else {
		*find_slot(snap, ino) = buffer;
	}

	return buffer;
}

struct process *snapshot_process(struct snapshot *snap, int pid, const char *comm)
{
	struct process *process = snapshot_alloc(snap, sizeof(*process));

	process->pid = pid;
	process->comm = comm ? snapshot_string(snap, comm) : NULL;
	snap->processes = grow(snap->processes, snap->process_count,
			       &snap->process_room, sizeof(*snap->processes));
	snap->processes[snap->process_count++] = process;
	return process;
}

struct use *snapshot_use(struct snapshot *snap, struct buffer *buffer,
			 struct process *process)
{
	struct use *use;

	snap->uses = grow(snap->uses, snap->use_count, &snap->use_room,
			  sizeof(*snap->uses));
	use = &snap->uses[snap->use_count++];
	memset(use, 0, sizeof(*use));
	use->buffer = buffer;
	use->process = process;
	/* Counts uses until make_holders(): a buffer without any may be dropped. */
	buffer->holder_count++;
	return use;
}

void snapshot_drop(struct snapshot *snap, bool (*drop)(const struct buffer *buffer))
{
	size_t kept = 0;

	for (size_t i = 0; i < snap->buffer_count; i++)
		if (!drop(snap->buffers[i]))
			snap->buffers[kept++] = snap->buffers[i];
	snap->buffer_count = kept;
	fill_slots(snap);
}

void snapshot_lacks(struct snapshot *snap, enum lack lack, const char *format, ...)
{
	char first[256];
	va_list args;

	if (snap->lacks[lack]++)
		return;
	va_start(args, format);
	vsnprintf(first, sizeof(first), format, args);
	va_end(args);
	snap->first_lack[lack] = snapshot_string(snap, first);
}

bool snapshot_is_complete(const struct snapshot *snap)
{
	for (int i = 0; i < LACKS; i++)
		if (snap->lacks[i])
			return false;
	return true;
}

bool snapshot_lacks_holders(const struct snapshot *snap)
{
	return snap->lacks[LACK_PROCESS] || snap->lacks[LACK_HIDDEN] ||
	       snap->lacks[LACK_HELD] || snap->lacks[LACK_BUFINFO_LINES];
}

/* The source that comes first is believed. */
void snapshot_set_size(struct snapshot *snap, struct buffer *buffer, __u64 size,
		       const char *source)
{
	if (!buffer->size_exact) {
		buffer->size = size;
		buffer->size_known = true;
		buffer->size_exact = true;
	} else if (buffer->size != size) {
		snapshot_lacks(snap, LACK_AGREEMENT,
			       "buffer %llu has %llu bytes, and %llu in %s",
			       buffer->ino, buffer->size, size, source);
	}
}

void snapshot_set_exporter(struct snapshot *snap, struct buffer *buffer,
			   const char *exporter, const char *source)
{
	if (!buffer->exporter)
		buffer->exporter = snapshot_string(snap, exporter);
	else if (strcmp(buffer->exporter, exporter))
		snapshot_lacks(snap, LACK_AGREEMENT,
			       "buffer %llu has another exporter in %s", buffer->ino,
			       source);
}

/*
 * Add to a sum. The sizes in a saved copy may be anything: a sum that does not fit into
 * 64 bits stays at the largest number and is marked as not exact. Returns false then.
 */
static bool add(__u64 *sum, bool *exact, __u64 size, bool size_exact)
{
	bool fits = *sum + size >= *sum;

	*sum = fits ? *sum + size : ~0ULL;
	*exact = *exact && size_exact && fits;
	return fits;
}

static int compare_u64(__u64 a, __u64 b)
{
	return (a > b) - (a < b);
}

static int compare_uses(const void *a, const void *b)
{
	const struct use *one = a, *two = b;

	if (one->process->pid != two->process->pid)
		return one->process->pid < two->process->pid ? -1 : 1;
	if (one->buffer != two->buffer)
		return compare_u64(one->buffer->ino, two->buffer->ino);
	if (one->is_map != two->is_map)
		return one->is_map ? 1 : -1;
	if (one->is_map)
		return compare_u64(one->start, two->start);
	return (one->fd > two->fd) - (one->fd < two->fd);
}

/*
 * Two threads with separate tables of descriptors may have the same buffer under the
 * same number. Count it as one use, as it cannot be told from a shared table.
 */
static void drop_same_uses(struct snapshot *snap)
{
	size_t kept = 0;

	for (size_t i = 0; i < snap->use_count; i++) {
		if (kept && !snap->uses[i].is_map &&
		    !compare_uses(&snap->uses[i], &snap->uses[kept - 1]))
			continue;
		snap->uses[kept++] = snap->uses[i];
	}
	snap->use_count = kept;
}

/* Sort the uses by process and buffer, and make each group of equal ones a holder. */
static void make_holders(struct snapshot *snap)
{
	struct holder *holder = NULL, **slot;
	size_t count = 0;

	if (snap->use_count)
		qsort(snap->uses, snap->use_count, sizeof(*snap->uses), compare_uses);
	drop_same_uses(snap);

	/* At most one for each use. The array must not move: pointers into it are kept. */
	snap->holders = resize(NULL, snap->use_count, sizeof(*snap->holders));
	for (size_t i = 0; i < snap->buffer_count; i++)
		snap->buffers[i]->holder_count = 0;

	for (size_t i = 0; i < snap->use_count; i++) {
		struct use *use = &snap->uses[i];

		if (!holder || holder->process != use->process ||
		    holder->buffer != use->buffer) {
			holder = &snap->holders[count++];
			*holder = (struct holder) {
				.buffer = use->buffer,
				.process = use->process,
				.uses = use,
			};
			use->buffer->holder_count++;
			if (!use->process->holder_count++)
				use->process->holders = holder;
		}
		if (use->is_map)
			holder->map_count++;
		else
			holder->fd_count++;
	}

	/* List the holders of each buffer, too, in the order of the processes. */
	snap->by_buffer = resize(NULL, count, sizeof(*snap->by_buffer));
	slot = snap->by_buffer;
	for (size_t i = 0; i < snap->buffer_count; i++) {
		/* Sorted by PID, buffers that no process holds come last. */
		snap->buffers[i]->first_pid = INT_MAX;
		snap->buffers[i]->holders = slot;
		slot += snap->buffers[i]->holder_count;
		snap->buffers[i]->holder_count = 0;
	}
	for (size_t i = 0; i < count; i++) {
		struct buffer *buffer = snap->holders[i].buffer;

		if (!buffer->holder_count)
			buffer->first_pid = snap->holders[i].process->pid;
		buffer->holders[buffer->holder_count++] = &snap->holders[i];
	}
}

/* The uses of a process may all have been dropped as not being of buffers. */
static void drop_idle_processes(struct snapshot *snap)
{
	size_t kept = 0;

	for (size_t i = 0; i < snap->process_count; i++)
		if (snap->processes[i]->holder_count)
			snap->processes[kept++] = snap->processes[i];
	snap->process_count = kept;
}

/*
 * A buffer that n processes hold counts as 1/n of its size in the share of each, like
 * a page in PSS. Bytes that remain after the division go to the first holders, so that
 * the shares of all processes add up to the size of all held buffers.
 */
static void sum_up(struct snapshot *snap)
{
	snap->size_exact = true;
	snap->unheld_exact = true;
	for (size_t i = 0; i < snap->process_count; i++)
		snap->processes[i]->size_exact = true;

	for (size_t i = 0; i < snap->buffer_count; i++) {
		struct buffer *buffer = snap->buffers[i];
		bool exact = buffer->size_exact;
		size_t n = buffer->holder_count;

		if (!exact)
			snapshot_lacks(snap, LACK_SIZE, "buffer %llu", buffer->ino);
		if (!add(&snap->size, &snap->size_exact, buffer->size, exact))
			snapshot_lacks(snap, LACK_SUM, "of all buffers");
		if (!n) {
			snap->unheld_count++;
			add(&snap->unheld_size, &snap->unheld_exact, buffer->size, exact);
		}
		for (size_t k = 0; k < n; k++) {
			struct process *process = buffer->holders[k]->process;

			add(&process->size, &process->size_exact, buffer->size, exact);
			add(&process->share, &process->size_exact,
			    buffer->size / n + (k < buffer->size % n), exact);
		}
	}
}

/* Unknown strings come last. */
static int compare_strings(const char *a, const char *b)
{
	if (!a || !b)
		return !a - !b;
	return strcmp(a, b);
}

static int compare_exporter(const void *a, const void *b)
{
	const struct buffer *one = *(struct buffer **)a, *two = *(struct buffer **)b;

	return compare_strings(one->exporter, two->exporter);
}

static int compare_exporter_sizes(const void *a, const void *b)
{
	const struct exporter *one = a, *two = b;

	return compare_u64(two->size, one->size) ?:
	       compare_strings(one->name, two->name);
}

static void make_exporters(struct snapshot *snap)
{
	struct exporter *exporter = NULL;

	if (!snap->buffer_count)
		return;
	qsort(snap->buffers, snap->buffer_count, sizeof(*snap->buffers),
	      compare_exporter);

	snap->exporters = resize(NULL, snap->buffer_count, sizeof(*snap->exporters));
	for (size_t i = 0; i < snap->buffer_count; i++) {
		struct buffer *buffer = snap->buffers[i];

		if (!exporter || compare_strings(exporter->name, buffer->exporter)) {
			exporter = &snap->exporters[snap->exporter_count++];
			*exporter = (struct exporter) {
				.name = buffer->exporter,
				.size_exact = true,
			};
		}
		exporter->buffer_count++;
		add(&exporter->size, &exporter->size_exact, buffer->size,
		    buffer->size_exact);
	}
	qsort(snap->exporters, snap->exporter_count, sizeof(*snap->exporters),
	      compare_exporter_sizes);
}

/* qsort() passes no argument on to its callback. */
static enum sort_key sort_key;
static bool sort_reverse;

static int compare_buffers(const void *a, const void *b)
{
	const struct buffer *one = *(struct buffer **)a, *two = *(struct buffer **)b;
	int result = 0;

	switch (sort_key) {
	case SORT_SIZE:
		result = compare_u64(two->size, one->size);
		break;
	case SORT_NAME:
		result = compare_strings(one->name, two->name);
		break;
	case SORT_EXPORTER:
		result = compare_strings(one->exporter, two->exporter);
		break;
	case SORT_PID:
		result = compare_u64(one->first_pid, two->first_pid);
		break;
	case SORT_HOLDERS:
		result = compare_u64(two->holder_count, one->holder_count);
		break;
	default:
		break;
	}
	if (!result)
		result = compare_u64(one->ino, two->ino);
	return sort_reverse ? -result : result;
}

/* Processes are sorted by the same key if it applies to them, else by PID. */
static int compare_processes(const void *a, const void *b)
{
	const struct process *one = *(struct process **)a, *two = *(struct process **)b;
	int result = 0;

	switch (sort_key) {
	case SORT_SIZE:
		result = compare_u64(two->share, one->share) ?:
			 compare_u64(two->size, one->size);
		break;
	case SORT_NAME:
		result = compare_strings(one->comm, two->comm);
		break;
	case SORT_HOLDERS:
		result = compare_u64(two->holder_count, one->holder_count);
		break;
	default:
		break;
	}
	if (!result)
		result = (one->pid > two->pid) - (one->pid < two->pid);
	return sort_reverse ? -result : result;
}

static int compare_holders(const void *a, const void *b)
{
	const struct buffer *one = ((const struct holder *)a)->buffer;
	const struct buffer *two = ((const struct holder *)b)->buffer;

	return compare_buffers(&one, &two);
}

/*
 * Sort the buffers of each process like the list of all buffers. This moves holders
 * within the array that by_buffer points into: relink_holders() must follow.
 */
static void sort_holders(struct snapshot *snap)
{
	for (size_t i = 0; i < snap->process_count; i++) {
		struct process *process = snap->processes[i];

		qsort(process->holders, process->holder_count,
		      sizeof(*process->holders), compare_holders);
	}
}

static void relink_holders(struct snapshot *snap)
{
	for (size_t i = 0; i < snap->buffer_count; i++)
		snap->buffers[i]->holder_count = 0;
	for (size_t i = 0; i < snap->process_count; i++) {
		struct process *process = snap->processes[i];

		for (size_t k = 0; k < process->holder_count; k++) {
			struct holder *holder = &process->holders[k];
			struct buffer *buffer = holder->buffer;

			buffer->holders[buffer->holder_count++] = holder;
		}
	}
}

static int compare_pids(const void *a, const void *b)
{
	const struct process *one = *(struct process **)a, *two = *(struct process **)b;

	return (one->pid > two->pid) - (one->pid < two->pid);
}

void snapshot_finish(struct snapshot *snap, enum sort_key key, bool reverse)
{
	make_holders(snap);
	drop_idle_processes(snap);
	sum_up(snap);
	make_exporters(snap);

	sort_key = key;
	sort_reverse = reverse;
	sort_holders(snap);
	if (snap->process_count) {
		/* The holders of a buffer are always in the order of their PIDs. */
		qsort(snap->processes, snap->process_count, sizeof(*snap->processes),
		      compare_pids);
		relink_holders(snap);
		qsort(snap->processes, snap->process_count, sizeof(*snap->processes),
		      compare_processes);
	}
	if (snap->buffer_count)
		qsort(snap->buffers, snap->buffer_count, sizeof(*snap->buffers),
		      compare_buffers);
}

void snapshot_free(struct snapshot *snap)
{
	struct chunk *chunk = snap->chunks;

	while (chunk) {
		struct chunk *next = chunk->next;

		free(chunk);
		chunk = next;
	}
	free(snap->buffers);
	free(snap->slots);
	free(snap->processes);
	free(snap->uses);
	free(snap->holders);
	free(snap->by_buffer);
	free(snap->exporters);
}
