// SPDX-License-Identifier: GPL-2.0-only
/*
 * lsdmabuf: read all processes, and bufinfo.
 *
 * On the running system a process may end, and a descriptor be closed, between any
 * two system calls of this program. A file that has disappeared is therefore skipped
 * silently. The directory of a process is opened once and its files are opened
 * relative to it: another process that gets the same PID later is never mistaken for
 * the first.
 *
 * In a saved copy of /proc nothing disappears. A file that is missing there, or is not
 * as the kernel writes it, has been lost, and makes the list incomplete. A copy may
 * come from an untrusted source: only regular files are read, no symbolic links are
 * followed, and the size of each file is limited.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <linux/kcmp.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

#include "lsdmabuf.h"

/* Flags in /proc/PID/stat. A kernel thread, which has neither files nor mappings */
#define PF_KTHREAD	0x00200000
/* The thread is about to end */
#define PF_EXITING	0x00000004

/* The inode number of the first PID namespace, the same in all kernels since 3.8 */
#define FIRST_PID_NAMESPACE	0xeffffffcULL

/* Limits far above what any kernel writes: a page or two, a line for each mapping */
#define LIMIT_SMALL	(1024UL * 1024)
#define LIMIT_MAPS	(256 * LIMIT_SMALL)
#define LIMIT_BUFINFO	(256 * LIMIT_SMALL)

struct scan {
	struct snapshot *snap;
	int proc;
	bool live;			/* /proc is the kernel's, not a copy */
	bool has_pids;			/* /proc has the PIDs of our own namespace */
	struct text text;		/* the file that was read last */
	struct fdinfo info;
	/*
	 * The device number of the file system that buffers are in, known once a
	 * descriptor of a buffer was seen. It tells mappings of buffers from mappings
	 * of other files, as any user can name a file "/dmabuf:x".
	 */
	bool dev_known;
	dev_t dev;
};

/* State of scanning one process */
struct visit {
	int pid, tid;
	int dir;			/* of the process, or of one of its threads */
	int process_dir;
	int fds, fdinfos;
	struct process *process;	/* NULL until a buffer is found */
	bool gone, unread;
	bool denied;			/* unread because of missing privileges */
	bool has_fds, has_maps;		/* any at all, of buffers or not */
	char reason[96];		/* the first reason why it is unread */
	/* One thread for each table of descriptors that was read */
	int *tables;
	size_t table_count, table_room;
};

static void close_fd(int fd)
{
	/* Nothing was written to the file, so no error of close() matters. */
	if (fd >= 0)
		close(fd);
}

/* Note that a part of a process could not be read. Only the first note is kept. */
__printf(3, 4)
static void note_lost(struct visit *visit, const char *name, const char *format, ...)
{
	va_list args;
	size_t n;

	if (visit->unread)
		return;
	visit->unread = true;
	n = visit->tid == visit->pid ?
	    snprintf(visit->reason, sizeof(visit->reason), "%s ", name) :
	    snprintf(visit->reason, sizeof(visit->reason), "task/%d: %s ", visit->tid, name);
	if (n >= sizeof(visit->reason))
		return;
	va_start(args, format);
	vsnprintf(visit->reason + n, sizeof(visit->reason) - n, format, args);
	va_end(args);
}

/*
 * Handle an error below a process's directory. An error that would repeat with each
 * further process ends the program. why is NULL if errno is the reason.
 */
static void note_error(struct scan *scan, struct visit *visit, const char *name,
		       const char *why)
{
	switch (errno) {
	case ENOENT:
	case ESRCH:
		if (!scan->live)
			note_lost(visit, name, "is missing");
		break;
	case ENOMEM:
		out_of_memory();
	case EMFILE:
	case ENFILE:
		die(EXIT_FAILED, "cannot look at process %d: %s", visit->pid,
		    strerror(errno));
	default:
		note_lost(visit, name, "cannot be read: %s", why ?: strerror(errno));
	}
}

/*
 * Open a file for reading. A copy of /proc may contain anything: open() must not wait
 * for the other end of a FIFO, and read() must come to an end.
 */
static int open_file(int dir, const char *name, int flags, size_t limit, const char **why)
{
	int follow = flags & O_NOFOLLOW ? AT_SYMLINK_NOFOLLOW : 0, fd = -1;
	struct stat st;

	*why = NULL;
	/* Opening a device may have effects, so check before open(); check after, too. */
	if (fstatat(dir, name, &st, follow)) {
		*why = strerror(errno);
	} else if (S_ISREG(st.st_mode)) {
		fd = openat(dir, name,
			    O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | flags);
		if (fd < 0 || fstat(fd, &st))
			*why = strerror(errno);
	}
	if (*why) {
		close_fd(fd);
		return -1;
	}
	if (!S_ISREG(st.st_mode)) {
		*why = "it is not a regular file";
		errno = EINVAL;
	} else if (st.st_size > (off_t)limit) {
		*why = "it is too large";
		errno = EFBIG;
	}
	if (!*why)
		return fd;
	close_fd(fd);
	return -1;
}

/*
 * Read a whole file. Returns NULL, or the reason in words why it cannot be read; then
 * errno is set to the nearest error number.
 */
static const char *read_all(int dir, const char *name, int flags, size_t limit,
			    struct text *text)
{
	const char *why;
	char buffer[4096];
	ssize_t n;
	int fd, err;

	text_clear(text);
	fd = open_file(dir, name, flags, limit, &why);
	if (fd < 0)
		return why;
	do {
		n = read(fd, buffer, sizeof(buffer));
		if (n > 0)
			text_add(text, buffer, n);
	} while ((n > 0 && text->used <= limit) || (n < 0 && errno == EINTR));
	err = errno;
	close(fd);
	if (n > 0) {
		errno = EFBIG;
		return "it is too large";
	}
	errno = err;
	return n < 0 ? strerror(err) : NULL;
}

/* The kernel ends a name with a newline. The name may contain others. */
static bool read_comm(struct scan *scan, struct visit *visit, char *comm, size_t room)
{
	const char *why;
	int fd = open_file(visit->process_dir, "comm", O_NOFOLLOW, LIMIT_SMALL, &why);
	ssize_t n = fd < 0 ? -1 : read(fd, comm, room - 1);

	if (n < 0) {
		/* A process that is gone holds no buffers. */
		visit->gone = scan->live && (errno == ENOENT || errno == ESRCH);
		note_error(scan, visit, "comm", why);
		close_fd(fd);
		return false;
	}
	close(fd);
	comm[n] = '\0';
	if (strlen(comm) != (size_t)n || !n || comm[n - 1] != '\n' ||
	    (size_t)n == room - 1)
		note_lost(visit, "comm", "is no name");
	else
		comm[n - 1] = '\0';
	return true;
}

/* Add the process when its first buffer is found. Returns NULL if it is gone. */
static struct process *get_process(struct scan *scan, struct visit *visit)
{
	int tid = visit->tid;
	char comm[80];
	bool has_comm;

	if (visit->process || visit->gone)
		return visit->process;

	/* A process has one name, that of its main thread. */
	visit->tid = visit->pid;
	has_comm = read_comm(scan, visit, comm, sizeof(comm));
	visit->tid = tid;
	if (!visit->gone)
		visit->process = snapshot_process(scan->snap, visit->pid,
						  has_comm ? comm : NULL);
	return visit->process;
}

static void set_name(struct snapshot *snap, struct buffer *buffer, const char *name,
		     enum name_source source)
{
	if (buffer->name_source >= source)
		return;
	buffer->name_source = source;
	buffer->name = name ? snapshot_string(snap, name) : NULL;
}

/*
 * Fill in a buffer from the fdinfo of one of its descriptors. All of them say the
 * same, so the first one counts, and the others are compared in what never changes.
 * link_name is NULL if the link shows no name.
 */
static void fill_buffer(struct scan *scan, const struct visit *visit, const char *fd,
			struct buffer *buffer, char *link_name)
{
	struct snapshot *snap = scan->snap;
	struct fdinfo *info = &scan->info;
	char source[64];
	size_t n = 0;

	snprintf(source, sizeof(source), "%d/fdinfo/%s", visit->pid, fd);
	snapshot_set_exporter(snap, buffer, info->exporter, source);
	if (info->has_size)
		snapshot_set_size(snap, buffer, info->size, source);
	if (buffer->name_source == NAME_LINK)
		return;

	for (int i = 0; i < COUNTERS; i++)
		if (info->counters[i] >= 0)
			buffer->counters[i] = info->counters[i];
	if (info->attached_count || info->counters[COUNT_ATTACHMENTS] >= 0)
		add_devices(snap, buffer, info->attached, info->attached_count, true);

	if (info->has_name)
		unescape(info->name);
	if (!link_name) {
		set_name(snap, buffer, info->name, NAME_FDINFO);
		return;
	}

	/*
	 * The kernel may append " (deleted)" to a link, but a name may end like that,
	 * too: fdinfo tells which. If fdinfo has no name, an empty name in the link
	 * means that the buffer has none.
	 */
	if (info->has_name)
		n = strlen(info->name);
	if (!info->has_name || (!strncmp(link_name, info->name, n) &&
				!strcmp(link_name + n, " (deleted)")))
		strip_deleted(link_name);
	if (!*link_name && !info->has_name)
		link_name = NULL;
	set_name(snap, buffer, link_name, NAME_LINK);
}

/*
 * True if the link may be that of a buffer. Reading the fdinfo of every descriptor in
 * the system would take ten times as long, so links that are plainly something else,
 * like "/dev/null" or "socket:[1234]", are skipped.
 */
static bool may_be_buffer(const char *link)
{
	size_t n = strlen(link);

	if (link[0] == '/')
		return !strncmp(link, LINK_PREFIX, strlen(LINK_PREFIX));
	return !n || link[n - 1] != ']' || !strstr(link, ":[");
}

/* True if the link is that of a buffer, or of a file that is named like one */
static bool looks_like_buffer(const char *link)
{
	return !strncmp(link, LINK_PREFIX, strlen(LINK_PREFIX)) ||
	       !strcmp(link, "anon_inode:dmabuf");
}

/* Learn the device number of buffers from the file that the link leads to. */
static void learn_device(struct scan *scan, const struct visit *visit, const char *name)
{
	struct stat st;

	if (!fstatat(visit->fds, name, &st, 0) && st.st_ino == scan->info.ino) {
		scan->dev = st.st_dev;
		scan->dev_known = true;
	}
}

/* Kernels before 5.14 do not print the inode number: take it from the file itself. */
static bool get_ino(struct scan *scan, struct visit *visit, const char *name,
		    const char *path)
{
	struct stat st;

	if (scan->info.has_ino)
		return true;
	if (!scan->live) {
		/* In a copy the link leads nowhere, or to an unrelated file. */
		note_lost(visit, path, "has no inode number");
		return false;
	}
	if (fstatat(visit->fds, name, &st, 0)) {
		note_error(scan, visit, path, NULL);
		return false;
	}
	scan->info.ino = st.st_ino;
	return true;
}

/*
 * Read the fdinfo of a descriptor that may be a buffer's. Returns false if it is not
 * one, or if the fdinfo cannot be read.
 */
static bool read_fdinfo(struct scan *scan, struct visit *visit, const char *name,
			const char *link, const char *link_name, const char *path)
{
	struct fdinfo *info = &scan->info;
	const char *why = NULL;
	bool has_nul;

	errno = 0;
	if (visit->fdinfos < 0)
		visit->fdinfos = openat(visit->dir, "fdinfo",
					O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (visit->fdinfos >= 0)
		why = read_all(visit->fdinfos, name, O_NOFOLLOW, LIMIT_SMALL, &scan->text);
	if (visit->fdinfos < 0 || why) {
		/* In a copy every fdinfo is tried; most links are plainly not buffers. */
		if (may_be_buffer(link))
			note_error(scan, visit, path, why);
		return false;
	}
	has_nul = spoil_lines_with_nul(&scan->text);
	parse_fdinfo(scan->text.data, link_name ?: "", info);
	if (!info->exporter && !may_be_buffer(link) && !info->has_size)
		return false;
	/* A file can be named like a buffer. In a copy a link can have any text. */
	if (!info->exporter && scan->live && strcmp(link, "anon_inode:dmabuf"))
		return false;

	if (has_nul)
		note_lost(visit, path, "has a NUL byte");
	else if (info->damage)
		note_lost(visit, path, "%s", info->damage);
	else if (!info->exporter && (!*link || looks_like_buffer(link) || info->has_size))
		note_lost(visit, path, "does not tell whether this is a buffer");
	return info->exporter;
}

static void look_at_fd(struct scan *scan, struct visit *visit, const char *name)
{
	char link[PATH_MAX], path[32], *link_name = NULL;
	struct buffer *buffer;
	struct use *use;
	ssize_t n;
	__u64 fd;

	if (!parse_number(name, 10, &fd) || fd > INT_MAX)
		return;

	snprintf(path, sizeof(path), "fd/%s", name);
	n = readlinkat(visit->fds, name, link, sizeof(link) - 1);
	if (n < 0 && errno != EINVAL && (scan->live || errno != ENOENT)) {
		note_error(scan, visit, path, NULL);
		return;
	}
	/* A copy may have a regular file instead of a link: then fdinfo decides. */
	link[n < 0 ? 0 : n] = '\0';
	visit->has_fds = true;
	if (scan->live && !may_be_buffer(link))
		return;
	if (!strncmp(link, LINK_PREFIX, strlen(LINK_PREFIX)))
		link_name = link + strlen(LINK_PREFIX);

	snprintf(path, sizeof(path), "fdinfo/%s", name);
	if (!read_fdinfo(scan, visit, name, link, link_name, path) ||
	    !get_ino(scan, visit, name, path))
		return;
	if (scan->live && !scan->dev_known)
		learn_device(scan, visit, name);

	if (!get_process(scan, visit))
		return;
	buffer = snapshot_buffer(scan->snap, scan->info.ino);
	fill_buffer(scan, visit, name, buffer, link_name);
	use = snapshot_use(scan->snap, buffer, visit->process);
	use->fd = fd;
}

static void look_at_map(struct scan *scan, struct visit *visit, char *line)
{
	struct buffer *buffer;
	struct map map;
	struct use *use;

	switch (parse_map(line, &map)) {
	case MAP_DAMAGED:
		note_lost(visit, "maps", "is damaged");
		return;
	case MAP_OTHER:
		return;
	case MAP_BUFFER:
		break;
	}
	/* The file system of buffers has no block device, so its major number is 0. */
	if (map.major || !get_process(scan, visit))
		return;

	buffer = snapshot_buffer(scan->snap, map.ino);
	if (!buffer->size_exact && map.end - map.start > buffer->size) {
		buffer->size = map.end - map.start;
		buffer->size_known = true;
	}
	if (buffer->name_source == NAME_UNKNOWN) {
		unescape_newlines(map.name);
		strip_deleted(map.name);
		set_name(scan->snap, buffer, *map.name ? map.name : NULL, NAME_MAPS);
	}
	use = snapshot_use(scan->snap, buffer, visit->process);
	use->is_map = true;
	use->start = map.start;
	use->end = map.end;
	use->offset = map.offset;
	use->dev = makedev(map.major, map.minor);
	memcpy(use->perms, map.perms, sizeof(use->perms));
}

/*
 * Most processes map no buffer, and many have thousands of mappings, so only lines
 * with the name of a buffer are parsed. In a copy every line is: a damaged one may
 * have been that of a buffer.
 */
static void look_at_maps(struct scan *scan, struct visit *visit)
{
	const char *wanted = scan->live ? LINK_PREFIX : "";
	const char *why = read_all(visit->dir, "maps", O_NOFOLLOW, LIMIT_MAPS, &scan->text);
	bool all_returns = !scan->live;
	char *p, *hit;

	if (why) {
		note_error(scan, visit, "maps", why);
		/* The unread file may have had mappings. */
		visit->has_maps = true;
		return;
	}
	if (!scan->text.used)
		return;
	visit->has_maps = true;
	if (spoil_lines_with_nul(&scan->text))
		note_lost(visit, "maps", "has a NUL byte");
	else if (scan->text.data[scan->text.used - 1] != '\n')
		note_lost(visit, "maps", "is cut short");
	p = scan->text.data;
	while (*p && (hit = strstr(p, wanted)) && !visit->gone) {
		char *end = strchrnul(hit, '\n');

		while (hit > p && hit[-1] != '\n')
			hit--;
		p = *end ? end + 1 : end;
		*end = '\0';
		all_returns = all_returns && end > hit && end[-1] == '\r';
		look_at_map(scan, visit, hit);
	}
	/* One may belong to a name. If all lines have one, copying has added them. */
	if (all_returns)
		note_lost(visit, "maps", "has carriage returns");
}

/* Look at descriptors for which a copy has an fdinfo, but no link. */
static void look_at_fdinfo_alone(struct scan *scan, struct visit *visit)
{
	int fd = openat(visit->dir, "fdinfo", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	struct dirent *entry;
	struct stat st;
	DIR *dir;

	if (fd < 0) {
		/* If there was a descriptor, its missing fdinfo has been noted. */
		return;
	}
	dir = fdopendir(fd);
	if (!dir) {
		note_error(scan, visit, "fdinfo", NULL);
		close(fd);
		return;
	}
	while (errno = 0, (entry = readdir(dir)))
		if (fstatat(visit->fds, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) &&
		    errno == ENOENT)
			look_at_fd(scan, visit, entry->d_name);
	if (errno)
		note_error(scan, visit, "fdinfo", NULL);
	closedir(dir);
}

/* The descriptors of a process, or of a thread with a table of its own */
static void look_at_fds(struct scan *scan, struct visit *visit)
{
	struct dirent *entry;
	DIR *dir;

	visit->fdinfos = -1;
	visit->fds = openat(visit->dir, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (visit->fds < 0) {
		visit->denied = errno == EACCES || errno == EPERM;
		note_error(scan, visit, "fd", NULL);
		return;
	}
	dir = fdopendir(visit->fds);
	if (!dir) {
		note_error(scan, visit, "fd", NULL);
		close(visit->fds);
		return;
	}
	while (errno = 0, (entry = readdir(dir)) && !visit->gone)
		look_at_fd(scan, visit, entry->d_name);
	if (errno && !visit->gone)
		note_error(scan, visit, "fd", NULL);
	if (!scan->live)
		look_at_fdinfo_alone(scan, visit);
	close_fd(visit->fdinfos);
	closedir(dir);
}

/* True if the thread shares its descriptors with one that was read before */
static bool has_seen_table(struct scan *scan, struct visit *visit, int tid)
{
	if (!scan->has_pids)
		return false;
	/* If kcmp() fails, the thread is read: that is slower, but never wrong. */
	for (size_t i = 0; i < visit->table_count; i++)
		if (!syscall(SYS_kcmp, visit->tables[i], tid, KCMP_FILES, 0, 0))
			return true;
	visit->tables = grow(visit->tables, visit->table_count, &visit->table_room,
			     sizeof(*visit->tables));
	visit->tables[visit->table_count++] = tid;
	return false;
}

/*
 * Look at the threads of a process, for two reasons. A thread may have a table of
 * descriptors of its own (unshare(CLONE_FILES)). And the files in /proc/PID are those
 * of the main thread: if it has ended before the others, they show neither descriptors
 * nor mappings, while the other threads still have both.
 */
static void look_at_threads(struct scan *scan, struct visit *visit)
{
	int fd = openat(visit->process_dir, "task",
			O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	struct dirent *entry;
	DIR *dir;

	if (fd < 0) {
		/* In a copy task is needed only if the main thread has ended. */
		if (errno != ENOENT)
			note_error(scan, visit, "task", NULL);
		return;
	}
	dir = fdopendir(fd);
	if (!dir) {
		note_error(scan, visit, "task", NULL);
		close(fd);
		return;
	}
	while (errno = 0, (entry = readdir(dir)) && !visit->gone) {
		__u64 tid;

		/* In a copy the two sets of files of the main thread may differ: read both. */
		if (!parse_number(entry->d_name, 10, &tid) || tid > INT_MAX ||
		    (scan->live && (int)tid == visit->pid))
			continue;
		visit->tid = tid;
		visit->dir = openat(fd, entry->d_name,
				    O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		if (visit->dir < 0) {
			note_error(scan, visit, "its directory", NULL);
			continue;
		}
		if (!has_seen_table(scan, visit, tid))
			look_at_fds(scan, visit);
		/* All threads have the same maps. */
		if (!visit->has_maps && !visit->gone)
			look_at_maps(scan, visit);
		close(visit->dir);
	}
	visit->tid = visit->pid;
	if (errno && !visit->gone)
		note_error(scan, visit, "task", NULL);
	closedir(dir);
	visit->dir = visit->process_dir;
}

/* What a process may still hold if its descriptors and mappings cannot be read */
enum remains {
	REMAINS_ANY,			/* any buffers */
	REMAINS_THREADS,		/* the main thread has ended, others may hold some */
	REMAINS_NOTHING,
};

/*
 * A kernel thread, or a process that has ended and was not waited for, holds no
 * buffers: nothing is lost if it cannot be read. Every user can read /proc/PID/stat:
 * "PID (COMM) STATE", five numbers, the flags, ten numbers, and the number of threads.
 * A main thread that has ended is still counted there.
 */
static enum remains what_remains(struct scan *scan, const struct visit *visit)
{
	unsigned int flags;
	char state, *p;
	long threads;

	if (read_all(visit->process_dir, "stat", O_NOFOLLOW, LIMIT_SMALL, &scan->text))
		return scan->live && (errno == ESRCH || errno == ENOENT) ?
		       REMAINS_NOTHING : REMAINS_ANY;
	p = strrchr(scan->text.data, ')');
	if (!p || sscanf(p + 1,
			 " %c %*d %*d %*d %*d %*d %u %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %ld",
			 &state, &flags, &threads) != 3)
		return REMAINS_ANY;
	if (flags & PF_KTHREAD)
		return REMAINS_NOTHING;
	if (!(flags & PF_EXITING) && state != 'Z' && state != 'X')
		return REMAINS_ANY;
	return threads > 1 ? REMAINS_THREADS : REMAINS_NOTHING;
}

static void look_at_process(struct scan *scan, const char *name, int pid)
{
	struct visit visit = { .pid = pid, .tid = pid };
	enum remains remains = REMAINS_ANY;

	visit.dir = openat(scan->proc, name, O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	visit.process_dir = visit.dir;
	if (visit.dir < 0) {
		note_error(scan, &visit, "its directory", NULL);
	} else {
		has_seen_table(scan, &visit, pid);
		look_at_fds(scan, &visit);
		if (visit.denied)
			remains = what_remains(scan, &visit);
		/* The directory of a main thread that has ended belongs to root. */
		if (remains == REMAINS_THREADS)
			visit.unread = false;
		/* Reading maps takes the same privileges as reading fd. */
		if (!visit.gone && !visit.denied)
			look_at_maps(scan, &visit);
		if (!visit.gone && (!visit.denied || remains == REMAINS_THREADS))
			look_at_threads(scan, &visit);
		/* Only a process that has ended has no mappings at all. */
		if (!scan->live && !visit.has_maps && !visit.unread &&
		    (visit.has_fds || what_remains(scan, &visit) != REMAINS_NOTHING))
			note_lost(&visit, "maps", "is empty");
	}
	if (visit.unread && remains != REMAINS_NOTHING)
		snapshot_lacks(scan->snap, LACK_PROCESS, "%d: %s", pid, visit.reason);
	close_fd(visit.dir);
	free(visit.tables);
}

/*
 * This /proc does not show all processes if it is that of a PID namespace other than
 * the first one, or is mounted with hidepid.
 */
static void look_for_hidden(struct scan *scan, bool has_first)
{
	struct stat st;

	if (!has_first)
		snapshot_lacks(scan->snap, LACK_HIDDEN,
			       "those of others do not show in this /proc");
	else if (scan->snap->bufinfo_read && scan->has_pids &&
		 !fstatat(scan->proc, "self/ns/pid", &st, 0) &&
		 st.st_ino != FIRST_PID_NAMESPACE)
		snapshot_lacks(scan->snap, LACK_HIDDEN,
			       "this /proc shows those of one PID namespace");
}

static void look_at_processes(struct scan *scan, const char *path)
{
	DIR *dir = opendir(path ?: "/proc");
	bool has_first = false, has_any = false;
	char self[16], number[16];
	struct dirent *entry;
	struct statfs fs;
	ssize_t n;

	if (!dir)
		die(EXIT_FAILED, "cannot open %s: %s", path ?: "/proc", strerror(errno));
	scan->proc = dirfd(dir);
	if (fstatfs(scan->proc, &fs))
		die(EXIT_FAILED, "cannot look at %s: %s", path ?: "/proc", strerror(errno));
	scan->live = fs.f_type == PROC_SUPER_MAGIC;
	if (!path && !scan->live)
		die(EXIT_FAILED, "no proc file system is mounted on /proc");
	snprintf(number, sizeof(number), "%d", getpid());
	n = readlinkat(scan->proc, "self", self, sizeof(self) - 1);
	self[n < 0 ? 0 : n] = '\0';
	scan->has_pids = scan->live && !strcmp(self, number);
	if (!path && n < 0)
		snapshot_lacks(scan->snap, LACK_HIDDEN,
			       "this /proc is that of another PID namespace");

	while (errno = 0, (entry = readdir(dir))) {
		__u64 pid;

		if (entry->d_name[0] == '0' || !parse_number(entry->d_name, 10, &pid) ||
		    pid > INT_MAX)
			continue;
		has_any = true;
		has_first = has_first || pid == 1;
		look_at_process(scan, entry->d_name, pid);
	}
	if (errno)
		die(EXIT_FAILED, "cannot read %s: %s", path ?: "/proc", strerror(errno));
	if (!has_any)
		die(EXIT_FAILED, "%s has no processes: it is no /proc, nor a copy of one",
		    path ?: "/proc");
	if (scan->live)
		look_for_hidden(scan, has_first);
	closedir(dir);
}

static bool is_unheld(const struct buffer *buffer)
{
	return !buffer->holder_count;
}

static bool is_unheld_and_gone(const struct buffer *buffer)
{
	return is_unheld(buffer) && !buffer->in_bufinfo;
}

/* True if reading bufinfo again may complete or remove a buffer */
static bool any_doubtful(const struct snapshot *snap)
{
	for (size_t i = 0; i < snap->buffer_count; i++)
		if (is_unheld(snap->buffers[i]) || !snap->buffers[i]->size_exact)
			return true;
	return false;
}

/*
 * A user can mount a tmpfs and map a file "/dmabuf:x" from it. Once the device number
 * of buffers is known from a descriptor, mappings of such files can be dropped.
 */
static void forget_other_files(struct scan *scan)
{
	struct snapshot *snap = scan->snap;
	size_t kept = 0;

	for (size_t i = 0; i < snap->use_count; i++) {
		struct use *use = &snap->uses[i];

		if (use->is_map && use->dev != scan->dev)
			use->buffer->holder_count--;
		else
			snap->uses[kept++] = *use;
	}
	if (kept == snap->use_count)
		return;
	snap->use_count = kept;
	snapshot_drop(snap, is_unheld_and_gone);
}

/* must: the user named the file, so without it there is no list. */
static bool read_bufinfo(struct scan *scan, const char *path, bool must)
{
	const char *why = read_all(AT_FDCWD, path, 0, LIMIT_BUFINFO, &scan->text);

	if (why && errno == ENOMEM)
		out_of_memory();
	if (!why && parse_bufinfo(&scan->text, scan->snap))
		return true;
	if (must && why)
		die(EXIT_FAILED, "cannot read %s: %s", path, why);
	if (must)
		die(EXIT_FAILED, "%s is no bufinfo: its heading is missing or damaged",
		    path);
	snapshot_lacks(scan->snap, LACK_BUFINFO, "%s: %s", path,
		       why ?: "its heading is not known");
	return false;
}

/*
 * A buffer may be closed after bufinfo was read and before its holder is scanned. It
 * then looks like a buffer that no process holds. Read bufinfo again after the scan,
 * and drop such buffers if they are no longer in it.
 *
 * A buffer that was exported after the first reading, and was seen by its mappings
 * alone, gets its size from the second one.
 */
static void forget_closed_buffers(struct scan *scan)
{
	struct snapshot *snap = scan->snap;
	size_t count = snap->buffer_count;

	if (!any_doubtful(snap))
		return;
	for (size_t i = 0; i < snap->buffer_count; i++)
		snap->buffers[i]->in_bufinfo = false;
	if (!read_bufinfo(scan, BUFINFO_PATH, false))
		return;
	/* Buffers that appear only now: the scan did not look for their holders. */
	for (size_t i = count; i < snap->buffer_count; i++)
		snap->buffers[i]->in_bufinfo = false;
	snapshot_drop(snap, is_unheld_and_gone);
}

/*
 * A saved /proc and a saved bufinfo must match. A buffer without an exporter was seen by
 * a mapping alone, which may be of another file that is named like a buffer.
 */
static void compare_sources(struct snapshot *snap)
{
	for (size_t i = 0; i < snap->buffer_count; i++)
		if (!snap->buffers[i]->in_bufinfo && snap->buffers[i]->exporter)
			snapshot_lacks(snap, LACK_HELD, "buffer %llu",
				       snap->buffers[i]->ino);
}

void snapshot_take(struct snapshot *snap, const struct sources *sources)
{
	const char *bufinfo = sources->bufinfo ?: BUFINFO_PATH;
	/* Do not mix a saved /proc with the buffers of the running system. */
	bool with_bufinfo = !sources->no_bufinfo && (sources->bufinfo || !sources->proc);
	struct scan scan = { .snap = snap };

	snapshot_init(snap);
	/* A text that nothing was added to has no terminating NUL yet. */
	text_puts(&scan.text, "");

	if (with_bufinfo)
		snap->bufinfo_read = read_bufinfo(&scan, bufinfo, sources->bufinfo);

	look_at_processes(&scan, sources->proc);
	if (scan.dev_known)
		forget_other_files(&scan);
	if (snap->bufinfo_read && !sources->bufinfo)
		forget_closed_buffers(&scan);
	else if (snap->bufinfo_read && !scan.live)
		compare_sources(snap);

	text_free(&scan.text);
	free(scan.info.attached);
}
