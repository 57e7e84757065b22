// SPDX-License-Identifier: GPL-2.0-only
/*
 * lsdmabuf: look at all processes, and at bufinfo.
 *
 * A process may end, and a descriptor be closed, between any two system calls
 * here: what is not there any more is passed over without a word. A process's
 * directory is opened once and everything of it is found from there, so that
 * what is said of one process is never that of another that got its number.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "lsdmabuf.h"

/* Of /proc/PID/stat: a thread of the kernel, which has neither files nor maps */
#define PF_KTHREAD	0x00200000

struct scan {
	struct snapshot *snap;
	int proc;
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
	int pid;
	int dir, fds, fdinfos;
	struct process *process;	/* NULL until a buffer is found */
	bool gone, unread;
};

static void close_fd(int fd)
{
	/* Nothing was written: an error could not matter. */
	if (fd >= 0)
		close(fd);
}

/*
 * What an error in a process's directory means. Only what would go wrong with
 * each further process as well ends the program.
 */
static void note_error(struct visit *visit)
{
	switch (errno) {
	case ENOENT:
	case ESRCH:
		break;
	case ENOMEM:
		out_of_memory();
	case EMFILE:
	case ENFILE:
		die(EXIT_FAILED, "cannot look at process %d: %s", visit->pid,
		    strerror(errno));
	default:
		visit->unread = true;
	}
}

/* Read all of a file; returns false with errno. */
static bool read_all(int dir, const char *name, struct text *text)
{
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	char buffer[4096];
	ssize_t n;
	int err;

	text_clear(text);
	if (fd < 0)
		return false;
	do {
		n = read(fd, buffer, sizeof(buffer));
		if (n > 0)
			text_add(text, buffer, n);
	} while (n > 0 || (n < 0 && errno == EINTR));
	err = errno;
	close(fd);
	errno = err;
	return !n;
}

/* The process, with its name, at its first buffer; NULL if it is gone */
static struct process *get_process(struct scan *scan, struct visit *visit)
{
	char comm[64];
	ssize_t n;
	int fd;

	if (visit->process || visit->gone)
		return visit->process;

	fd = openat(visit->dir, "comm", O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, comm, sizeof(comm) - 1);
	if (n < 0) {
		note_error(visit);
		visit->gone = true;
		close_fd(fd);
		return NULL;
	}
	close(fd);
	/* A name may end with a newline, too: the last one is the kernel's. */
	if (n && comm[n - 1] == '\n')
		n--;
	comm[n] = '\0';
	visit->process = snapshot_process(scan->snap, visit->pid, comm);
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
 * Each descriptor's fdinfo says the same of the buffer, so the first one does.
 * link_name is NULL if the link shows no name.
 */
static void fill_buffer(struct scan *scan, struct buffer *buffer, char *link_name)
{
	struct snapshot *snap = scan->snap;
	struct fdinfo *info = &scan->info;
	size_t n = 0;

	if (buffer->name_source == NAME_LINK && buffer->exporter)
		return;

	if (!buffer->exporter)
		buffer->exporter = snapshot_string(snap, info->exporter);
	if (!buffer->size_exact && info->has_size) {
		buffer->size = info->size;
		buffer->size_known = true;
		buffer->size_exact = true;
	}
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

/* The device number is that of the file behind the link, if there is one. */
static void learn_device(struct scan *scan, const struct visit *visit, const char *name)
{
	struct stat st;

	/* In a saved tree, the link leads nowhere, or to some other file. */
	if (!fstatat(visit->fds, name, &st, 0) && st.st_ino == scan->info.ino) {
		scan->dev = st.st_dev;
		scan->dev_known = true;
	}
}

static void look_at_fd(struct scan *scan, struct visit *visit, const char *name)
{
	struct fdinfo *info = &scan->info;
	char link[PATH_MAX], *link_name = NULL;
	struct buffer *buffer;
	struct stat st;
	struct use *use;
	ssize_t n;
	__u64 fd;

	if (!parse_number(name, 10, &fd) || fd > INT_MAX)
		return;

	n = readlinkat(visit->fds, name, link, sizeof(link) - 1);
	if (n < 0 && errno != EINVAL) {
		note_error(visit);
		return;
	}
	/* A saved tree may have a file here instead of a link: ask fdinfo then. */
	link[n < 0 ? 0 : n] = '\0';
	if (!may_be_buffer(link))
		return;
	if (link[0] == '/')
		link_name = link + strlen(LINK_PREFIX);

	if (visit->fdinfos < 0)
		visit->fdinfos = openat(visit->dir, "fdinfo",
					O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (visit->fdinfos < 0 || !read_all(visit->fdinfos, name, &scan->text)) {
		note_error(visit);
		return;
	}
	parse_fdinfo(scan->text.data, link_name ?: "", info);
	if (!info->exporter)
		return;
	if (!info->has_ino) {
		/* Kernels before 5.14 do not say; the file behind the link does. */
		if (fstatat(visit->fds, name, &st, 0)) {
			note_error(visit);
			return;
		}
		info->ino = st.st_ino;
	}
	if (!scan->dev_known)
		learn_device(scan, visit, name);

	if (!get_process(scan, visit))
		return;
	buffer = snapshot_buffer(scan->snap, info->ino);
	fill_buffer(scan, buffer, link_name);
	use = snapshot_use(scan->snap, buffer, visit->process);
	use->fd = fd;
}

static void look_at_map(struct scan *scan, struct visit *visit, char *line)
{
	struct buffer *buffer;
	struct map map;
	struct use *use;

	if (!parse_map(line, &map))
		return;
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
 * only where the name of a buffer shows.
 */
static void look_at_maps(struct scan *scan, struct visit *visit)
{
	char *p, *hit;

	if (!read_all(visit->dir, "maps", &scan->text)) {
		note_error(visit);
		return;
	}
	p = scan->text.data;
	while ((hit = strstr(p, LINK_PREFIX)) && !visit->gone) {
		char *end = strchrnul(hit, '\n');

		while (hit > p && hit[-1] != '\n')
			hit--;
		p = *end ? end + 1 : end;
		*end = '\0';
		look_at_map(scan, visit, hit);
	}
}

static void look_at_fds(struct scan *scan, struct visit *visit)
{
	struct dirent *entry;
	DIR *dir;

	visit->fds = openat(visit->dir, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (visit->fds < 0) {
		note_error(visit);
		return;
	}
	dir = fdopendir(visit->fds);
	if (!dir) {
		note_error(visit);
		close(visit->fds);
		return;
	}
	while (errno = 0, (entry = readdir(dir)) && !visit->gone)
		look_at_fd(scan, visit, entry->d_name);
	if (errno && !visit->gone)
		note_error(visit);
	closedir(dir);
}

/*
 * A thread of the kernel, or what is left of a process that has ended, has
 * nothing to look at: not to be allowed to is no loss. /proc/PID/stat is for
 * everybody: "PID (COMM) STATE" and five numbers before the flags.
 */
static bool has_nothing(struct scan *scan, const struct visit *visit)
{
	unsigned int flags;
	char state, *p;

	if (!read_all(visit->dir, "stat", &scan->text))
		return errno == ESRCH;
	p = strrchr(scan->text.data, ')');
	if (!p || sscanf(p + 1, " %c %*d %*d %*d %*d %*d %u", &state, &flags) != 2)
		return false;
	return (flags & PF_KTHREAD) || state == 'Z' || state == 'X';
}

static void look_at_process(struct scan *scan, const char *name, int pid)
{
	struct visit visit = { .pid = pid, .fds = -1, .fdinfos = -1 };

	visit.dir = openat(scan->proc, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (visit.dir < 0) {
		note_error(&visit);
	} else {
		look_at_fds(scan, &visit);
		/* Who may not see the descriptors may not see the maps either. */
		if (!visit.gone && !visit.unread)
			look_at_maps(scan, &visit);
	}
	if (visit.unread && (visit.dir < 0 || !has_nothing(scan, &visit)))
		scan->snap->unread++;
	close_fd(visit.fdinfos);
	close_fd(visit.dir);
}

static void look_at_processes(struct scan *scan, const char *path)
{
	struct dirent *entry;
	DIR *dir = opendir(path);

	if (!dir)
		die(EXIT_FAILED, "cannot open %s: %s", path, strerror(errno));
	scan->proc = dirfd(dir);
	while (errno = 0, (entry = readdir(dir))) {
		__u64 pid;

		if (entry->d_name[0] != '0' && parse_number(entry->d_name, 10, &pid) &&
		    pid <= INT_MAX)
			look_at_process(scan, entry->d_name, pid);
	}
	if (errno)
		die(EXIT_FAILED, "cannot read %s: %s", path, strerror(errno));
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

static bool any_unheld(const struct snapshot *snap)
{
	for (size_t i = 0; i < snap->buffer_count; i++)
		if (is_unheld(snap->buffers[i]))
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

/*
 * A buffer that is closed while processes are looked at was in bufinfo, and
 * nobody had it: it must not be called one that no process holds. So what looks
 * like that must be in bufinfo afterwards as well.
 */
static void forget_closed_buffers(struct scan *scan)
{
	struct snapshot *snap = scan->snap;
	size_t count = snap->buffer_count;

	if (!any_unheld(snap) || !read_all(AT_FDCWD, BUFINFO_PATH, &scan->text))
		return;
	for (size_t i = 0; i < snap->buffer_count; i++)
		snap->buffers[i]->in_bufinfo = false;
	parse_bufinfo(scan->text.data, snap);
	/* Of those that are new, nobody has been asked whether he holds them. */
	for (size_t i = count; i < snap->buffer_count; i++)
		snap->buffers[i]->in_bufinfo = false;
	snapshot_drop(snap, is_unheld_and_gone);
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

	if (with_bufinfo) {
		snap->bufinfo_read = read_all(AT_FDCWD, bufinfo, &scan.text);
		if (snap->bufinfo_read)
			parse_bufinfo(scan.text.data, snap);
		else if (errno == ENOMEM)
			out_of_memory();
		else if (sources->bufinfo)
			die(EXIT_FAILED, "cannot read %s: %s", bufinfo, strerror(errno));
		else
			snap->bufinfo_error = errno;
	}

	look_at_processes(&scan, sources->proc ?: "/proc");
	if (scan.dev_known)
		forget_other_files(&scan);
	if (snap->bufinfo_read && !sources->bufinfo)
		forget_closed_buffers(&scan);

	text_free(&scan.text);
	free(scan.info.attached);
}
