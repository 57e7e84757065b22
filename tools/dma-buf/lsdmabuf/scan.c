// SPDX-License-Identifier: GPL-2.0-only
/*
 * lsdmabuf: look at all processes, and at bufinfo.
 *
 * A process may end, and a descriptor be closed, between any two system calls
 * here: what is not there any more is passed over without a word. A process's
 * directory is opened once and everything of it is found from there, so that
 * what is said of one process is never that of another that got its number.
 *
 * Nothing ends in a saved copy of /proc. What is missing there, or is not as the
 * kernel writes it, has been lost, and the list is not complete without it. A copy
 * may come from anywhere: only regular files are read, no links are followed, and
 * each file has a limit.
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

/* Of /proc/PID/stat: a thread of the kernel, which has neither files nor maps */
#define PF_KTHREAD	0x00200000
/* Likewise, and the thread is about to end */
#define PF_EXITING	0x00000004

/* The inode number of the first PID namespace, the same in all kernels since 3.8 */
#define FIRST_PID_NAMESPACE	0xeffffffcULL

/* Much more than any kernel writes: a page or two, and a line for each map */
#define LIMIT_SMALL	(1024UL * 1024)
#define LIMIT_MAPS	(256 * LIMIT_SMALL)
#define LIMIT_BUFINFO	(256 * LIMIT_SMALL)

struct scan {
	struct snapshot *snap;
	int proc;
	bool live;			/* a /proc of the kernel's, no copy */
	bool has_pids;			/* its process IDs are those of our namespace */
	struct text text;		/* what was read last */
	struct fdinfo info;
	/*
	 * The device number of the file system that buffers live in, once a
	 * descriptor has told: anybody can map a file called /dmabuf:x.
	 */
	bool dev_known;
	dev_t dev;
};

/* One process, while it is looked at */
struct visit {
	int pid, tid;
	int dir;			/* of the process, or of one of its threads */
	int process_dir;
	int fds, fdinfos;
	struct process *process;	/* NULL until a buffer is found */
	bool gone, unread;
	bool denied;			/* unread as this is not allowed */
	bool has_fds, has_maps;		/* any, buffers or not */
	char reason[96];		/* why it is unread: the first one */
	/* Threads that have tables of descriptors of their own */
	int *tables;
	size_t table_count, table_room;
};

static void close_fd(int fd)
{
	/* Nothing was written: an error could not matter. */
	if (fd >= 0)
		close(fd);
}

/* Something of a process is missing: the first time, keep what it is. */
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
 * What an error in a process's directory means. Only what would go wrong with
 * each further process as well ends the program. why is NULL if errno says it.
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
 * Open a file to be read. Whoever made a copy of /proc may have put anything there:
 * opening must not wait for a FIFO's other end, and reading must come to an end.
 */
static int open_file(int dir, const char *name, int flags, size_t limit, const char **why)
{
	int follow = flags & O_NOFOLLOW ? AT_SYMLINK_NOFOLLOW : 0, fd = -1;
	struct stat st;

	*why = NULL;
	/* To open a device may do something already: so look before, and after. */
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
 * Read all of a file. Returns NULL, or why that cannot be done; errno says so as
 * well, as far as it can.
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

/* A name as the kernel has it ends with a newline; it may have others. */
static bool read_comm(struct scan *scan, struct visit *visit, char *comm, size_t room)
{
	const char *why;
	int fd = open_file(visit->process_dir, "comm", O_NOFOLLOW, LIMIT_SMALL, &why);
	ssize_t n = fd < 0 ? -1 : read(fd, comm, room - 1);

	if (n < 0) {
		/* Once the process is gone, so are its buffers. */
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

/* The process, with its name, at its first buffer; NULL if it is gone */
static struct process *get_process(struct scan *scan, struct visit *visit)
{
	int tid = visit->tid;
	char comm[80];
	bool has_comm;

	if (visit->process || visit->gone)
		return visit->process;

	/* It is the same file for all threads. */
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
 * Each descriptor's fdinfo says the same of the buffer, so the first one does; only
 * what can never change is compared. link_name is NULL if the link shows no name.
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
	 * A name may end with " (deleted)", and so may a link: fdinfo tells which.
	 * Without a name in fdinfo, an empty one in the link is none.
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
 * Can this be a buffer's link? To look at the fdinfo of each descriptor of the
 * system would take ten times as long, so what is plainly something else, like
 * "/dev/null" or "socket:[1234]", is passed over.
 */
static bool may_be_buffer(const char *link)
{
	size_t n = strlen(link);

	if (link[0] == '/')
		return !strncmp(link, LINK_PREFIX, strlen(LINK_PREFIX));
	return !n || link[n - 1] != ']' || !strstr(link, ":[");
}

/* Must this be a buffer's link, unless somebody has called a file like that? */
static bool looks_like_buffer(const char *link)
{
	return !strncmp(link, LINK_PREFIX, strlen(LINK_PREFIX)) ||
	       !strcmp(link, "anon_inode:dmabuf");
}

/* The device number is that of the file that the link leads to. */
static void learn_device(struct scan *scan, const struct visit *visit, const char *name)
{
	struct stat st;

	if (!fstatat(visit->fds, name, &st, 0) && st.st_ino == scan->info.ino) {
		scan->dev = st.st_dev;
		scan->dev_known = true;
	}
}

/* Kernels before 5.14 do not print the inode number; the file itself has it. */
static bool get_ino(struct scan *scan, struct visit *visit, const char *name,
		    const char *path)
{
	struct stat st;

	if (scan->info.has_ino)
		return true;
	if (!scan->live) {
		/* The link leads nowhere here, or to some other file. */
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
 * Read the fdinfo of a descriptor that may be a buffer. Returns false if it is
 * none, or cannot be read.
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
		/* In a copy, all descriptors are asked; most are plainly none. */
		if (may_be_buffer(link))
			note_error(scan, visit, path, why);
		return false;
	}
	has_nul = spoil_lines_with_nul(&scan->text);
	parse_fdinfo(scan->text.data, link_name ?: "", info);
	if (!info->exporter && !may_be_buffer(link) && !info->has_size)
		return false;
	/* A file may be called like a buffer, and a file in a copy like anything. */
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
	/* A copy may have a file here instead of a link: ask fdinfo then. */
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
	/* Buffers have no block device behind them; tmpfs has none, either. */
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
 * Most processes map no buffer and many have thousands of maps: so lines are cut
 * only where the name of a buffer shows. In a copy, each line is looked at: one that
 * is damaged may have been a buffer's.
 */
static void look_at_maps(struct scan *scan, struct visit *visit)
{
	const char *wanted = scan->live ? LINK_PREFIX : "";
	const char *why = read_all(visit->dir, "maps", O_NOFOLLOW, LIMIT_MAPS, &scan->text);
	bool all_returns = !scan->live;
	char *p, *hit;

	if (why) {
		note_error(scan, visit, "maps", why);
		/* What was not read may have been there. */
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
	/* One may be that of a name; all of them have come with the copy. */
	if (all_returns)
		note_lost(visit, "maps", "has carriage returns");
}

/* A copy without links may have fdinfo alone. */
static void look_at_fdinfo_alone(struct scan *scan, struct visit *visit)
{
	int fd = openat(visit->dir, "fdinfo", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	struct dirent *entry;
	struct stat st;
	DIR *dir;

	if (fd < 0) {
		/* If there was a descriptor that needs it, this has been said. */
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

/* The descriptors of a process, or of a thread that has its own */
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

/* Has this thread the same descriptors as one that was looked at? */
static bool has_seen_table(struct scan *scan, struct visit *visit, int tid)
{
	if (!scan->has_pids)
		return false;
	/* What cannot be told is looked at: that is slower, and right. */
	for (size_t i = 0; i < visit->table_count; i++)
		if (!syscall(SYS_kcmp, visit->tables[i], tid, KCMP_FILES, 0, 0))
			return true;
	visit->tables = grow(visit->tables, visit->table_count, &visit->table_room,
			     sizeof(*visit->tables));
	visit->tables[visit->table_count++] = tid;
	return false;
}

/*
 * A thread may have taken a table of descriptors of its own. And the main thread,
 * which the files of the process are about, may have ended before the others: then
 * it has neither descriptors nor maps any more, and they have them all.
 */
static void look_at_threads(struct scan *scan, struct visit *visit)
{
	int fd = openat(visit->process_dir, "task",
			O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	struct dirent *entry;
	DIR *dir;

	if (fd < 0) {
		/* Whether a copy needs it is seen later. */
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

		/* In a copy, the main thread's files may be others, or in a better state. */
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

/* What a process may be of which neither descriptors nor maps are to be seen */
enum remains {
	REMAINS_ANY,			/* it may have some */
	REMAINS_THREADS,		/* the main thread has ended, and others have them */
	REMAINS_NOTHING,
};

/*
 * A thread of the kernel, or what is left of a process that has ended, has
 * nothing to look at: not to be allowed to is no loss. /proc/PID/stat is for
 * everybody: "PID (COMM) STATE", five numbers before the flags, and ten before the
 * number of threads, of which one that has ended counts until it is waited for.
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
		/* What a main thread had that has ended belongs to root. */
		if (remains == REMAINS_THREADS)
			visit.unread = false;
		/* Who may not see the descriptors may not see the maps either. */
		if (!visit.gone && !visit.denied)
			look_at_maps(scan, &visit);
		if (!visit.gone && (!visit.denied || remains == REMAINS_THREADS))
			look_at_threads(scan, &visit);
		/* Only what has ended has no maps at all. */
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
 * Other namespaces may have processes that this /proc does not show, and so may
 * ours, if it is mounted with hidepid.
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

/* Is there a buffer that a second look at bufinfo may tell more of? */
static bool any_doubtful(const struct snapshot *snap)
{
	for (size_t i = 0; i < snap->buffer_count; i++)
		if (is_unheld(snap->buffers[i]) || !snap->buffers[i]->size_exact)
			return true;
	return false;
}

/*
 * Anybody can map a file of a tmpfs of his own that is called /dmabuf:x. If one
 * descriptor was seen, the device number tells such files from buffers.
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

/* A file that was asked for must be one; else the list is made without it. */
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
 * A buffer that is closed while processes are looked at was in bufinfo, and
 * nobody had it: it must not be called one that no process holds. So what looks
 * like that must be in bufinfo afterwards as well. One that is new, of which only maps
 * were seen, may have its size there.
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
	/* Of those that are new, nobody has been asked whether he holds them. */
	for (size_t i = count; i < snap->buffer_count; i++)
		snap->buffers[i]->in_bufinfo = false;
	snapshot_drop(snap, is_unheld_and_gone);
}

/*
 * What was saved together must match. Without an exporter, a buffer may be a map of
 * some other file that is called like that.
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
	/* A saved /proc and the running system's buffers have nothing in common. */
	bool with_bufinfo = !sources->no_bufinfo && (sources->bufinfo || !sources->proc);
	struct scan scan = { .snap = snap };

	snapshot_init(snap);
	/* Without a byte in it, text has no terminating NUL either. */
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
