/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * lsdmabuf: what its parts share.
 *
 * A snapshot is taken of the whole system (scan.c) into tables
 * (model.c), and is printed from them (print.c for people,
 * export.c for programs). Nothing is printed while processes are looked
 * at: what a name or a size means may be known only when all have been seen.
 *
 * Names come from whoever made the buffer or the process, and are raw bytes here.
 * They are made fit for a terminal, JSON or graphviz where they are printed, and
 * nowhere else.
 */
#ifndef TOOLS_DMA_BUF_LSDMABUF_H
#define TOOLS_DMA_BUF_LSDMABUF_H

/* The same type behind __u64 on all architectures, so that %llu fits. */
#define __SANE_USERSPACE_TYPES__

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdnoreturn.h>
#include <sys/types.h>
#include <linux/types.h>

#include "../bufinfo.h"

/* As the kernel has it, whose compiler.h is not for programs */
#define __printf(format_, first_)	\
	__attribute__((__format__	\
		       (__printf__, format_, first_)))
#define ARRAY_SIZE(array)	(sizeof(array) / sizeof((array)[0]))

enum exit_status {
	EXIT_OK,
	EXIT_FAILED,	/* the list is not complete, or could not be written */
	EXIT_USAGE,
	EXIT_NO_MEMORY,
};

noreturn __printf(2, 3)
void die(enum exit_status status, const char *format, ...);

/* Memory: these end the program with EXIT_NO_MEMORY, and never return NULL. */
noreturn void out_of_memory(void);
void *resize(void *memory, size_t count, size_t size);
/* Room for one more in an array that has *room; returns the array. */
void *grow(void *array, size_t count, size_t *room, size_t size);

/* Text that grows. It is terminated by a NUL that is not counted. */
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

/* A device that is attached to a buffer, possibly several times */
struct device {
	const char *name;
	const char *driver;		/* NULL if not known */
	unsigned int times;
	unsigned int node;		/* number in the graph */
};

/* Counters that kernels have or have not */
enum counter {
	COUNT_REFS,
	COUNT_ATTACHMENTS,
	COUNT_MAPPINGS,
	COUNT_PINNED,
	COUNT_VMAPS,
	COUNTERS,
};

extern const char * const counter_names[COUNTERS];

/* Who said what a buffer's name is: the higher, the better it is known */
enum name_source {
	NAME_UNKNOWN,
	NAME_MAPS,			/* newlines escaped, backslashes not */
	NAME_BUFINFO,			/* escaped by some kernels only */
	NAME_FDINFO,			/* likewise, but tells none from empty */
	NAME_LINK,			/* the bytes themselves */
};

struct buffer {
	__u64 ino;
	__u64 size;
	bool size_known;
	bool size_exact;		/* if not: it has at least that */
	bool in_bufinfo;
	bool devices_known;
	bool drivers_known;		/* those of the devices as well */
	const char *exporter;		/* NULL if not known */
	const char *name;		/* NULL if it has none, or none is known */
	enum name_source name_source;
	long long counters[COUNTERS];	/* -1 if not known */
	struct device *devices;
	size_t device_count;
	struct holder **holders;	/* by pid */
	size_t holder_count;
	int first_pid;			/* the lowest of its holders */
};

struct process {
	int pid;
	const char *comm;		/* NULL if not known */
	struct holder *holders;		/* one for each of its buffers */
	size_t holder_count;
	__u64 size;			/* of all its buffers, each counted once */
	__u64 share;			/* the same, divided among those who hold it */
	bool size_exact;		/* if not: both are at least that */
};

/* One descriptor or one map of a buffer */
struct use {
	struct buffer *buffer;
	struct process *process;
	bool is_map;
	char perms[5];			/* of a map, as are the next two lines */
	__u64 start, end, offset;
	dev_t dev;
	int fd;
};

/* All uses that one process makes of one buffer: descriptors first */
struct holder {
	struct buffer *buffer;
	struct process *process;
	struct use *uses;
	size_t fd_count, map_count;
};

struct exporter {
	const char *name;		/* NULL: those of which it is not known */
	size_t buffer_count;
	__u64 size;
	bool size_exact;
};

/* What a list may lack. Each kind is counted, and its first case told. */
enum lack {
	LACK_BUFINFO,			/* it cannot be read */
	LACK_BUFINFO_LINES,		/* it is damaged */
	LACK_PROCESS,			/* something of it cannot be read */
	LACK_HIDDEN,			/* processes that /proc does not show */
	LACK_AGREEMENT,			/* two sources contradict each other */
	LACK_HELD,			/* buffers of processes that bufinfo has not */
	LACK_SIZE,			/* of a buffer */
	LACK_SUM,			/* it takes more than 64 bits */
	LACKS,
};

struct snapshot {
	struct chunk *chunks;		/* what all pointers below point into */

	struct buffer **buffers;
	size_t buffer_count, buffer_room;
	struct buffer **slots;		/* hash by inode number */
	unsigned int slot_bits;

	struct process **processes;
	size_t process_count, process_room;

	struct use *uses;
	size_t use_count, use_room;

	/* From here on: what snapshot_finish() makes of it */
	struct holder *holders;
	struct holder **by_buffer;
	struct exporter *exporters;
	size_t exporter_count;
	__u64 size;			/* of all buffers */
	__u64 unheld_size;		/* of those that no process holds */
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
/* Note that the list is not complete; the format and what follows say where. */
__printf(3, 4)
void snapshot_lacks(struct snapshot *snap, enum lack lack, const char *format, ...);
bool snapshot_is_complete(const struct snapshot *snap);
/* Can a buffer without a holder have one that was not seen? */
bool snapshot_lacks_holders(const struct snapshot *snap);
/* These are the same whoever says them of a buffer: source says who it was. */
void snapshot_set_size(struct snapshot *snap, struct buffer *buffer, __u64 size,
		       const char *source);
void snapshot_set_exporter(struct snapshot *snap, struct buffer *buffer,
			   const char *exporter, const char *source);
void snapshot_finish(struct snapshot *snap, enum sort_key key, bool reverse);
void snapshot_free(struct snapshot *snap);

/* Where to look. NULL stands for the running system. */
struct sources {
	const char *proc;
	const char *bufinfo;
	bool no_bufinfo;
};

void snapshot_take(struct snapshot *snap, const struct sources *sources);

/* Take apart one line of bufinfo or one fdinfo: in parse.c */
struct fdinfo {
	bool has_ino, has_size, has_name;
	__u64 ino, size;
	const char *exporter;		/* NULL: this is no dma-buf */
	const char *damage;		/* NULL: it is as the kernel writes them */
	char *name;			/* as it stands there */
	long long counters[COUNTERS];
	char **attached;
	size_t attached_count, attached_room;
};

struct map {
	__u64 start, end, offset, ino;
	char perms[5];
	unsigned int major, minor;
	char *name;			/* behind "/dmabuf:" */
};

#define LINK_PREFIX	"/dmabuf:"

bool unescape(char *s);
void unescape_newlines(char *s);
bool strip_deleted(char *s);
void parse_fdinfo(char *text, const char *link_name, struct fdinfo *info);
/* Is this a line of maps, and is it one of a buffer? */
enum map_kind {
	MAP_DAMAGED,
	MAP_OTHER,
	MAP_BUFFER,
};

enum map_kind parse_map(char *line, struct map *map);
/* Returns false, with nothing done, if this is no bufinfo. */
bool parse_bufinfo(struct text *text, struct snapshot *snap);
/* Lines with a NUL byte would seem to end there. Returns false if there are none. */
bool spoil_lines_with_nul(struct text *text);
void add_devices(struct snapshot *snap, struct buffer *buffer, char **names,
		 size_t count, bool with_driver);

/* Output */
struct style {
	bool bytes;			/* sizes as numbers of bytes */
	bool totals;
	bool utf8;			/* the terminal understands it */
};

void put_lack(struct text *out, const struct snapshot *snap, enum lack lack);
void print_table(struct text *out, const struct snapshot *snap, const struct style *style);
void print_tree(struct text *out, const struct snapshot *snap, const struct style *style);
void print_total(struct text *out, const struct snapshot *snap, const struct style *style);
void print_json(struct text *out, const struct snapshot *snap);
void print_dot(struct text *out, const struct snapshot *snap, const struct style *style);

/* Names, made fit to be seen: in text.c */
unsigned int decode_utf8(const char *s, unsigned int *length);
bool is_deceptive(unsigned int c);
size_t escape_visible(struct text *out, const char *s, bool utf8);
size_t visible_bytes(const char *s, size_t n, size_t columns, bool utf8);
void put_size(struct text *out, __u64 size, const struct style *style);
void put_sum(struct text *out, __u64 size, bool exact, const struct style *style);
void put_fds(struct text *out, const struct holder *holder, size_t limit);

#endif
