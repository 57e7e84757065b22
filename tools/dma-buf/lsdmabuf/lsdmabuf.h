/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * lsdmabuf: types and functions that its parts share.
 *
 *	lsdmabuf.c	options, --watch, writing
 *	    |
 *	scan.c		reads /proc and bufinfo (snapshot_take())
 *	parse.c		takes apart each line that scan.c has read
 *	    |
 *	model.c		struct snapshot: buffers, processes, who uses what, sums
 *	    |		(snapshot_finish())
 *	    |
 *	print.c		tables and the tree
 *	export.c	JSON and graphviz
 *	text.c		memory, growing text, names that are safe to display
 *
 * The whole system is scanned before anything is printed: the last process may be
 * the one whose fdinfo has the size or the name of a buffer.
 *
 * Programs choose the names of their buffers and of themselves, so a name may have
 * any byte but NUL. Kernels escape some names, and parse.c undoes that. In the model
 * a name is the bytes themselves. Only the functions that print a name escape it
 * again, each as its output needs it.
 */
#ifndef TOOLS_DMA_BUF_LSDMABUF_H
#define TOOLS_DMA_BUF_LSDMABUF_H

/* Makes __u64 an unsigned long long on all architectures, so that %llu fits. */
#define __SANE_USERSPACE_TYPES__

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdnoreturn.h>
#include <sys/types.h>
#include <linux/types.h>

#include "../bufinfo.h"

/* The kernel defines this in a header that programs cannot include. */
#define __printf(format_, first_)	\
	__attribute__((__format__	\
		       (__printf__, format_, first_)))
#define ARRAY_SIZE(array)	(sizeof(array) / sizeof((array)[0]))

enum exit_status {
	EXIT_OK,
	EXIT_FAILED,	/* the list is incomplete, or could not be written */
	EXIT_USAGE,
	EXIT_NO_MEMORY,
};

noreturn __printf(2, 3)
void die(enum exit_status status, const char *format, ...);

/* Memory. If there is none, these end the program with EXIT_NO_MEMORY. */
noreturn void out_of_memory(void);
void *resize(void *memory, size_t count, size_t size);
/* Make room for one more element in an array that has *room; returns the array. */
void *grow(void *array, size_t count, size_t *room, size_t size);

/* Text that grows. The NUL that terminates the text is not counted in used. */
struct text {
	char *data;
	size_t used, room;
};

void text_add(struct text *t, const char *bytes, size_t n);
void text_puts(struct text *t, const char *s);
__printf(2, 3)
void text_printf(struct text *t, const char *format, ...);
void text_clear(struct text *t);
void text_free(struct text *t);

/* A device that is attached to a buffer, perhaps several times */
struct device {
	const char *name;
	const char *driver;		/* NULL if not known */
	unsigned int times;
	unsigned int node;		/* number in the graph */
};

/* Counters that fdinfo may have: kernels differ in which */
enum counter {
	COUNT_REFS,
	COUNT_ATTACHMENTS,
	COUNT_MAPPINGS,
	COUNT_PINNED,
	COUNT_VMAPS,
	COUNTERS,
};

extern const char * const counter_names[COUNTERS];

/* Where the name of a buffer is from. A higher value is a better source. */
enum name_source {
	NAME_UNKNOWN,
	NAME_MAPS,			/* newlines are escaped, backslashes are not */
	NAME_BUFINFO,			/* only some kernels escape it */
	NAME_FDINFO,			/* likewise, but an empty name is not missing */
	NAME_LINK,			/* the bytes themselves */
};

struct buffer {
	__u64 ino;
	__u64 size;
	bool size_known;
	bool size_exact;		/* if false, size is a lower bound */
	bool in_bufinfo;
	bool devices_known;
	bool drivers_known;		/* the devices are known with their drivers */
	const char *exporter;		/* NULL if not known */
	const char *name;		/* NULL if there is none, or none is known */
	enum name_source name_source;
	long long counters[COUNTERS];	/* -1 if not known */
	struct device *devices;
	size_t device_count;
	struct holder **holders;	/* by pid */
	size_t holder_count;
	int first_pid;			/* the lowest PID among its holders */
};

struct process {
	int pid;
	const char *comm;		/* NULL if not known */
	struct holder *holders;		/* one for each of its buffers */
	size_t holder_count;
	__u64 size;			/* of all its buffers, each counted once */
	__u64 share;			/* likewise, but divided among the holders */
	bool size_exact;		/* if false, both are lower bounds */
};

/* One descriptor or one mapping of a buffer */
struct use {
	struct buffer *buffer;
	struct process *process;
	bool is_map;
	char perms[5];			/* of a mapping, like the next two lines */
	__u64 start, end, offset;
	dev_t dev;
	int fd;
};

/* All uses of one buffer by one process: descriptors, then mappings */
struct holder {
	struct buffer *buffer;
	struct process *process;
	struct use *uses;
	size_t fd_count, map_count;
};

struct exporter {
	const char *name;		/* NULL: buffers whose exporter is not known */
	size_t buffer_count;
	__u64 size;
	bool size_exact;
};

/*
 * Reasons why the list may be incomplete. Each kind is counted, and the first case of
 * each kind is described in words.
 */
enum lack {
	LACK_BUFINFO,			/* bufinfo cannot be read */
	LACK_BUFINFO_LINES,		/* bufinfo is damaged */
	LACK_PROCESS,			/* a process cannot be read completely */
	LACK_HIDDEN,			/* /proc does not show all processes */
	LACK_AGREEMENT,			/* two sources contradict each other */
	LACK_HELD,			/* a process holds a buffer that bufinfo lacks */
	LACK_SIZE,			/* the size of a buffer is not known */
	LACK_SUM,			/* a sum does not fit into 64 bits */
	LACKS,
};

struct snapshot {
	struct chunk *chunks;		/* memory of buffers, processes and strings */

	struct buffer **buffers;
	size_t buffer_count, buffer_room;
	struct buffer **slots;		/* hash by inode number */
	unsigned int slot_bits;

	struct process **processes;
	size_t process_count, process_room;

	struct use *uses;
	size_t use_count, use_room;

	/* Filled in by snapshot_finish(), as are the pointers to holders above */
	struct holder *holders;
	struct holder **by_buffer;
	struct exporter *exporters;
	size_t exporter_count;
	__u64 size;			/* of all buffers */
	__u64 unheld_size;		/* of buffers that no process holds */
	size_t unheld_count;
	bool size_exact, unheld_exact;

	size_t lacks[LACKS];
	const char *first_lack[LACKS];
	bool bufinfo_read;
};

enum sort_key {
	SORT_INO,
	SORT_SIZE,
	SORT_NAME,
	SORT_EXPORTER,
	SORT_PID,
	SORT_HOLDERS,
	SORT_KEYS,
};

extern const char * const sort_names[SORT_KEYS];

void snapshot_init(struct snapshot *snap);
void *snapshot_alloc(struct snapshot *snap, size_t size);
const char *snapshot_string(struct snapshot *snap, const char *s);
struct buffer *snapshot_find(struct snapshot *snap, __u64 ino);
struct buffer *snapshot_buffer(struct snapshot *snap, __u64 ino);
struct process *snapshot_process(struct snapshot *snap, int pid, const char *comm);
struct use *snapshot_use(struct snapshot *snap, struct buffer *buffer,
			 struct process *process);
void snapshot_drop(struct snapshot *snap, bool (*drop)(const struct buffer *buffer));
/* Note that the list is incomplete. The format and its arguments say where. */
__printf(3, 4)
void snapshot_lacks(struct snapshot *snap, enum lack lack, const char *format, ...);
bool snapshot_is_complete(const struct snapshot *snap);
/* True if a buffer without holders may have one that was not seen */
bool snapshot_lacks_holders(const struct snapshot *snap);
/* A buffer has one size and one exporter. A source that differs is reported. */
void snapshot_set_size(struct snapshot *snap, struct buffer *buffer, __u64 size,
		       const char *source);
void snapshot_set_exporter(struct snapshot *snap, struct buffer *buffer,
			   const char *exporter, const char *source);
void snapshot_finish(struct snapshot *snap, enum sort_key key, bool reverse);
void snapshot_free(struct snapshot *snap);

/* What to read. NULL stands for the file of the running system. */
struct sources {
	const char *proc;
	const char *bufinfo;
	bool no_bufinfo;
};

void snapshot_take(struct snapshot *snap, const struct sources *sources);

/* Parsing: parse.c */
struct fdinfo {
	bool has_ino, has_size, has_name;
	__u64 ino, size;
	const char *exporter;		/* NULL: this is no dma-buf */
	const char *damage;		/* NULL: the text is as a kernel writes it */
	char *name;			/* not unescaped yet */
	long long counters[COUNTERS];
	char **attached;
	size_t attached_count, attached_room;
};

struct map {
	__u64 start, end, offset, ino;
	char perms[5];
	unsigned int major, minor;
	char *name;			/* after "/dmabuf:" */
};

#define LINK_PREFIX	"/dmabuf:"

bool unescape(char *s);
void unescape_newlines(char *s);
bool strip_deleted(char *s);
void parse_fdinfo(char *text, const char *link_name, struct fdinfo *info);
/* What a line of /proc/PID/maps is */
enum map_kind {
	MAP_DAMAGED,
	MAP_OTHER,
	MAP_BUFFER,
};

enum map_kind parse_map(char *line, struct map *map);
/* Returns false, and has added nothing, if the text is not a bufinfo. */
bool parse_bufinfo(struct text *text, struct snapshot *snap);
/*
 * Lines with a NUL byte would seem to end there: make them lines that nothing takes for
 * one of the kernel's. Returns true if there were any.
 */
bool spoil_lines_with_nul(struct text *text);
void add_devices(struct snapshot *snap, struct buffer *buffer, char **names,
		 size_t count, bool with_driver);

/* Output */
struct style {
	bool bytes;			/* sizes as numbers of bytes */
	bool totals;
	bool utf8;			/* the terminal understands UTF-8 */
};

void put_lack(struct text *out, const struct snapshot *snap, enum lack lack);
void print_table(struct text *out, const struct snapshot *snap, const struct style *style);
void print_tree(struct text *out, const struct snapshot *snap, const struct style *style);
void print_total(struct text *out, const struct snapshot *snap, const struct style *style);
void print_json(struct text *out, const struct snapshot *snap);
void print_dot(struct text *out, const struct snapshot *snap, const struct style *style);

/* Names, escaped so that a terminal can show them: text.c */
unsigned int decode_utf8(const char *s, unsigned int *length);
bool is_deceptive(unsigned int c);
size_t escape_visible(struct text *out, const char *s, bool utf8);
size_t visible_bytes(const char *s, size_t n, size_t columns, bool utf8);
void put_size(struct text *out, __u64 size, const struct style *style);
void put_sum(struct text *out, __u64 size, bool exact, const struct style *style);
void put_fds(struct text *out, const struct holder *holder, size_t limit);

#endif
