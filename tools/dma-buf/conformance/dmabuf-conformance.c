// SPDX-License-Identifier: GPL-2.0-only
/*
 * dmabuf-conformance: check that an exporter, and the core below it, keep what
 * user space may rely on. This file runs the checks and prints KTAP.
 */
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>

#include "conformance.h"

/* Exit statuses of a check's process, and two of the program itself */
enum status {
	STATUS_PASSED,
	STATUS_FAILED,
	STATUS_USAGE,
	STATUS_SKIPPED = 4,
};

/* Topics in the order in which they are run */
static const char * const topics[] = {
	"fd", "info", "ioctl", "mmap", "sync", "name", "sync_file", "poll",
	"memory", "parallel",
};

/* Patterns of names, from an option that may be given several times */
#define MAX_GLOBS	32

struct globs {
	const char *globs[MAX_GLOBS];
	unsigned int count;
};

static struct check *checks;
static struct globs wanted, xfails;
static bool verbose;
static unsigned int time_limit = 60;

/*
 * Verdicts, in the process of a check. Remarks go to the runner through a pipe. Each is
 * a single write, so that those of threads and children do not mix.
 */

static int report_fd = -1;
static bool check_failed;

static void report(char kind, const char *format, va_list args)
{
	char line[512];
	int n;

	line[0] = kind;
	n = vsnprintf(line + 1, sizeof(line) - 2, format, args);
	if (n < 0)
		return;
	n = strlen(line);
	line[n] = '\n';
	if (write(report_fd, line, n + 1) != n + 1)
		_exit(STATUS_FAILED);
}

bool has_failed(void)
{
	return __atomic_load_n(&check_failed, __ATOMIC_RELAXED);
}

void note(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	report('N', format, args);
	va_end(args);
}

void failed(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	report('F', format, args);
	va_end(args);
	__atomic_store_n(&check_failed, true, __ATOMIC_RELAXED);
}

void stop(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	report('F', format, args);
	va_end(args);
	_exit(STATUS_FAILED);
}

void skip(const char *format, ...)
{
	va_list args;

	/* A check that has failed before it skips the rest is a failure. */
	if (has_failed())
		_exit(STATUS_FAILED);
	va_start(args, format);
	report('S', format, args);
	va_end(args);
	_exit(STATUS_SKIPPED);
}

static void expect_verdict(int got, int err, const char *format, va_list args)
{
	char what[256];

	if (got == err)
		return;
	vsnprintf(what, sizeof(what), format, args);
	if (!err)
		failed("%s: fails with %s", what, errno_name(got));
	else if (!got)
		failed("%s: succeeds, should fail with %s", what, errno_name(err));
	else
		failed("%s: fails with %s, should fail with %s", what, errno_name(got),
		       errno_name(err));
}

void expect_errno(long ret, int err, const char *format, ...)
{
	int got = ret < 0 ? errno : 0;
	va_list args;

	va_start(args, format);
	expect_verdict(got, err, format, args);
	va_end(args);
}

void expect_result(long ret, int err, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	expect_verdict(ret < 0 ? -ret : 0, err, format, args);
	va_end(args);
}

/*
 * The list of checks
 */

static int topic_rank(const struct check *check)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(topics); i++)
		if (!strcmp(topics[i], check->topic))
			break;
	return i;
}

/* The language promises no order of constructors, so sort here. */
void check_register(struct check *check)
{
	struct check **link = &checks;
	int rank = topic_rank(check);

	while (*link && (topic_rank(*link) < rank ||
			 (topic_rank(*link) == rank && (*link)->line < check->line)))
		link = &(*link)->next;
	check->next = *link;
	*link = check;
}

/* Print each line of a text as a comment of KTAP. */
static void print_text(const char *text)
{
	size_t len;

	while (*text) {
		len = strcspn(text, "\n");
		printf("#   %.*s\n", (int)len, text);
		text += len + (text[len] != '\0');
	}
}

/*
 * What a check needs
 */

static const struct {
	enum need need;
	const char *reason;
} lacks[] = {
	{ NEED_ALLOC, "needs further buffers, and there is just this one" },
	{ NEED_SIZES, "needs buffers of a chosen size, which this exporter does not make" },
	{ NEED_ODD_SIZES, "needs sizes of no whole pages, which this exporter refuses" },
	{ NEED_ACCMODE, "needs read-only descriptors, which this exporter does not give" },
	{ NEED_FRESH, "the memory is not this exporter's own: the caller supplies it" },
};

static void need_of_exporter(unsigned int missing)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(lacks); i++)
		if (missing & lacks[i].need)
			skip("%s", lacks[i].reason);
}

/* The mapping is removed again: a check may count the references to its buffer. */
static void need_map(struct test *t, int prot, const char *what)
{
	void *map = map_try(t->fd, t->page, prot, MAP_SHARED, 0);

	if (map)
		munmap(map, t->page);
	else if (always_maps)
		stop("%s: %s, and this exporter's buffers can be mapped", what, errno_name(errno));
	else
		skip("%s: %s", what, errno_name(errno));
}

static void need_maps(struct test *t, unsigned int needs)
{
	/* Such a size is allowed, but the checks of mappings work on whole pages. */
	if (!t->size || t->size % t->page)
		skip("the buffer has %zu bytes, which are no whole pages of %zu", t->size,
		     t->page);
	need_map(t, PROT_READ, "this buffer cannot be mapped");
	if (needs & NEED_WRITE)
		need_map(t, PROT_READ | PROT_WRITE, "this buffer cannot be mapped for writing");
}

static void need_sync_files(struct test *t)
{
	int fd = buffer_export_sync_file(t->fd, DMA_BUF_SYNC_READ);

	if (fd >= 0)
		close(fd);
	if (fd != -ENOTTY)
		return;
	if (kernel_before(6, 0))
		skip("kernels before 6.0 have no sync_files of buffers");
	/* CONFIG_DRM selects CONFIG_SYNC_FILE. */
	if (!access("/sys/class/drm", F_OK) || !access("/sys/kernel/debug/sync", F_OK))
		stop("the kernel has sync_files, and EXPORT_SYNC_FILE fails with ENOTTY");
	skip("needs a kernel with CONFIG_SYNC_FILE");
}

static void provide(struct test *t, const struct check *check)
{
	unsigned int needs = check->needs;
	struct stat st;

	if (needs & (NEED_SIZES | NEED_ODD_SIZES | NEED_ACCMODE | NEED_FRESH))
		needs |= NEED_ALLOC;
	if (needs & NEED_WRITE)
		needs |= NEED_MMAP;
	if (needs & NEED_SW_SYNC)
		needs |= NEED_SYNC_FILE;
	need_of_exporter(needs & NEED_OF_EXPORTER &
			 ~(inherited_fd < 0 ? t->exporter->gives : 0));

	t->page = getpagesize();
	if (inherited_fd >= 0) {
		t->fd = inherited_fd;
		require(!fstat(t->fd, &st), "fstat() fails: %s", errno_name(errno));
		t->size = st.st_size;
	} else {
		t->size = BUFFER_PAGES * t->page;
		t->fd = buffer_new(t, &t->size);
	}

	if (needs & NEED_MMAP)
		need_maps(t, needs);
	if (needs & NEED_SYNC_FILE)
		need_sync_files(t);
	if (needs & NEED_SW_SYNC) {
		t->timeline = timeline_open();
		if (t->timeline < 0)
			skip("needs /sys/kernel/debug/sync/sw_sync (%s): root and CONFIG_SW_SYNC",
			     errno_name(-t->timeline));
	}
	if (needs & NEED_BUFINFO && !bufinfo_readable())
		skip("needs to read debugfs's dma_buf/bufinfo: root and CONFIG_DEBUG_FS");
}

/*
 * Running them
 */

/* What a check has sent: its remarks, and why it was skipped */
struct outcome {
	enum status status;
	char remarks[8192];
	size_t len;
	char why[512];
};

static _Noreturn void check_main(const struct check *check, const struct exporter *exporter,
				 int pipe_fd)
{
	struct rlimit no_core = {};
	struct test t = {
		.exporter = exporter,
		.fd = -1,
		.timeline = -1,
	};
	int null;

	/* A process group of its own: children can be killed with it. */
	setpgid(0, 0);
	setrlimit(RLIMIT_CORE, &no_core);
	/* Do not keep the standard output open, should this process never end. */
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null >= 0) {
		dup2(null, STDOUT_FILENO);
		close(null);
	}
	report_fd = pipe_fd;
	provide(&t, check);
	check->run(&t);
	_exit(has_failed() ? STATUS_FAILED : STATUS_PASSED);
}

static size_t remarks_room(const struct outcome *outcome)
{
	return sizeof(outcome->remarks) - 1 - outcome->len;
}

/* WNOWAIT does not reap, so the PID stays valid as that of the process group. */
static bool is_over(pid_t pid)
{
	siginfo_t info = {};

	return waitid(P_PID, pid, &info, WEXITED | WNOHANG | WNOWAIT) || info.si_pid;
}

/*
 * Read until the check's process has ended. Returns false if the time limit comes
 * first. End of file on the pipe is no sign of the end, as a child that the check left
 * behind keeps the pipe open.
 */
static bool follow(pid_t pid, int pipe_fd, struct outcome *outcome)
{
	long long end = now_ms() + time_limit * 1000LL;
	size_t room;
	ssize_t n;
	bool over;

	for (;;) {
		if (now_ms() > end)
			return false;
		over = is_over(pid);
		if (poll_once(pipe_fd, POLLIN, over ? 0 : 200) <= 0) {
			if (over)
				return true;
			continue;
		}
		room = remarks_room(outcome);
		if (!room)
			return true;
		n = read(pipe_fd, outcome->remarks + outcome->len, room);
		if (n <= 0)
			return true;
		outcome->len += n;
	}
}

static void run_check(const struct check *check, const struct exporter *exporter,
		      struct outcome *outcome)
{
	int pipe_fds[2], status = 0, i;
	bool in_time, full;
	pid_t pid;

	memset(outcome, 0, sizeof(*outcome));
	outcome->status = STATUS_FAILED;
	pid = pipe2(pipe_fds, O_CLOEXEC) ? -1 : fork();
	if (pid < 0) {
		snprintf(outcome->why, sizeof(outcome->why), "no process: %s", strerror(errno));
		return;
	}
	if (!pid) {
		close(pipe_fds[0]);
		check_main(check, exporter, pipe_fds[1]);
	}
	setpgid(pid, pid);
	close(pipe_fds[1]);
	in_time = follow(pid, pipe_fds[0], outcome);
	full = !remarks_room(outcome);
	if (!in_time || full)
		kill(-pid, SIGKILL);
	/* A process that hangs in the kernel ignores SIGKILL: do not wait for ever. */
	for (i = 0; i < 100 && !is_over(pid); i++)
		sleep_ms(50);
	/* The check may have left a child behind. */
	kill(-pid, SIGKILL);
	waitpid(pid, &status, WNOHANG);
	close(pipe_fds[0]);

	if (i == 100)
		snprintf(outcome->why, sizeof(outcome->why), "no end, and it cannot be killed");
	else if (!in_time)
		snprintf(outcome->why, sizeof(outcome->why), "no end within %u s", time_limit);
	else if (full)
		snprintf(outcome->why, sizeof(outcome->why),
			 "stopped here, after %zu bytes of remarks", outcome->len);
	else if (WIFSIGNALED(status))
		snprintf(outcome->why, sizeof(outcome->why), "killed by signal %d (%s)",
			 WTERMSIG(status), strsignal(WTERMSIG(status)));
	else
		outcome->status = WEXITSTATUS(status);
}

/* A remark of the runner itself, dropped if the check has used up all room */
PRINTF_LIKE(2, 3)
static void add_failure(struct outcome *outcome, const char *format, ...)
{
	size_t room = remarks_room(outcome);
	char line[256];
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	if (n >= 0 && strlen(line) + 2 < room)
		outcome->len += sprintf(outcome->remarks + outcome->len, "F%s\n", line);
	outcome->status = STATUS_FAILED;
}

/* Run a check, and see whether it leaves buffers behind. */
static void watch_check(const struct check *check, const struct exporter *exporter,
			struct outcome *outcome)
{
	unsigned int left, i;
	ino_t inos[4];

	watch_before();
	run_check(check, exporter, outcome);
	left = watch_after(inos, ARRAY_SIZE(inos));
	if (!left)
		return;
	add_failure(outcome, left == 1 ? "%u buffer is left behind, which no process has" :
		    "%u buffers are left behind, which no process has", left);
	for (i = 0; i < left && i < ARRAY_SIZE(inos); i++)
		add_failure(outcome, "left behind: inode number %llu",
			    (unsigned long long)inos[i]);
}

static bool fits(const struct check *check, const char *glob)
{
	char name[128];

	snprintf(name, sizeof(name), "%s.%s", check->topic, check->name);
	return !fnmatch(glob, name, 0);
}

static bool fits_any(const struct check *check, const struct globs *globs)
{
	unsigned int i;

	for (i = 0; i < globs->count; i++)
		if (fits(check, globs->globs[i]))
			return true;
	return false;
}

static bool selected(const struct check *check)
{
	return !wanted.count || fits_any(check, &wanted);
}

/* Totals of the run */
enum verdict {
	PASSED,
	FAILED,
	SKIPPED,
	XFAILED,
};

static enum verdict judge(const struct check *check, struct outcome *outcome)
{
	bool known = fits_any(check, &xfails);

	if (outcome->status == STATUS_SKIPPED)
		return SKIPPED;
	if (outcome->status != STATUS_PASSED)
		return known ? XFAILED : FAILED;
	if (!known)
		return PASSED;
	/* A pass is reported, so that --expect-failure is dropped after a repair. */
	snprintf(outcome->why, sizeof(outcome->why), "a pass, and --expect-failure names it");
	return FAILED;
}

static void print_outcome(const struct check *check, struct outcome *outcome,
			  enum verdict verdict, unsigned int number)
{
	const char *reason = "no reason given";
	char *line, *next;

	if (verdict == FAILED || verbose) {
		printf("# %s.%s\n", check->topic, check->name);
		print_text(check->rule);
	}
	for (line = outcome->remarks; *line; line = next) {
		next = line + strcspn(line, "\n");
		if (*next)
			*next++ = '\0';
		if (*line == 'S')
			reason = line + 1;
		else
			printf("# %s: %s\n", *line == 'N' ? "not seen" : "seen", line + 1);
	}
	if (*outcome->why)
		printf("# seen: %s\n", outcome->why);
	if (verdict == FAILED && check->older)
		print_text(check->older);
	printf("%sok %u %s.%s", verdict == FAILED ? "not " : "", number, check->topic,
	       check->name);
	if (verdict == SKIPPED)
		printf(" # SKIP %s", reason);
	else if (verdict == XFAILED)
		printf(" # XFAIL as --expect-failure says");
	putchar('\n');
}

static unsigned int count_selected(void)
{
	const struct check *check;
	unsigned int count = 0;

	for (check = checks; check; check = check->next)
		count += selected(check);
	return count;
}

/*
 * Flush the output. Returns false after saying that it could not be written: lost
 * results are not a success.
 */
static bool output_good(void)
{
	int err = fflush(stdout) ? errno : 0;

	if (!err && !ferror(stdout))
		return true;
	fprintf(stderr, "dmabuf-conformance: cannot write to the standard output%s%s\n",
		err ? ": " : "", err ? strerror(err) : "");
	return false;
}

/* Say once that buffers left behind can no longer be seen. */
static void tell_if_blind(void)
{
	static bool told;

	if (told || !watch_blind())
		return;
	printf("# Not watched: buffers that checks leave behind: %s\n", watch_blind());
	told = true;
}

static enum status run_all(const struct exporter *exporter, const char *argument)
{
	static struct outcome outcome;
	unsigned int counts[XFAILED + 1] = {}, number = 0;
	const struct check *check;
	enum verdict verdict;
	struct utsname name;

	printf("KTAP version 1\n");
	if (!uname(&name))
		printf("# %s %s, --%s%s%s\n", name.sysname, name.release, exporter->option,
		       argument ? " " : "", argument ? argument : "");
	printf("1..%u\n", count_selected());
	if (kernel_before(5, 3))
		printf("# Known: before Linux 5.3 buffers had no names, fdinfo or own inodes\n");
	watch_start(exporter);
	tell_if_blind();
	for (check = checks; check; check = check->next) {
		if (!selected(check))
			continue;
		/* A child must not inherit output that is not written yet, either. */
		if (!output_good())
			return STATUS_USAGE;
		watch_check(check, exporter, &outcome);
		verdict = judge(check, &outcome);
		counts[verdict]++;
		print_outcome(check, &outcome, verdict, ++number);
		tell_if_blind();
	}
	/* The buffer lives on after the run: do not leave a name of ours on it. */
	if (inherited_fd >= 0)
		buffer_set_name(inherited_fd, "");
	printf("# Totals: pass:%u fail:%u xfail:%u skip:%u\n", counts[PASSED], counts[FAILED],
	       counts[XFAILED], counts[SKIPPED]);
	return counts[FAILED] ? STATUS_FAILED : STATUS_PASSED;
}

/* Run the checks on one buffer, as if it had been inherited with --fd. */
static bool keep_one_buffer(const struct exporter *exporter)
{
	size_t size = BUFFER_PAGES * getpagesize();

	inherited_fd = exporter->alloc(&size, O_RDWR | O_CLOEXEC);
	if (inherited_fd >= 0)
		return true;
	fprintf(stderr, "dmabuf-conformance: the exporter cannot make a buffer: %s\n",
		strerror(-inherited_fd));
	return false;
}

static void list_checks(void)
{
	unsigned int number = count_selected();
	const struct check *check;

	for (check = checks; check; check = check->next) {
		if (!selected(check))
			continue;
		printf("%s.%s\n", check->topic, check->name);
		print_text(check->rule);
		if (check->older)
			print_text(check->older);
	}
	printf("%u check%s\n", number, number == 1 ? "" : "s");
}

/*
 * The command line
 */

static const char synopsis[] =
	"usage: dmabuf-conformance [OPTIONS] EXPORTER\n"
	"       dmabuf-conformance --list [--check GLOB]...\n";

static void print_help(void)
{
	char option[32];
	unsigned int i;

	printf("%s\n"
	       "Check that the buffers of an exporter, and the kernel's dma-buf core, keep what\n"
	       "user space may rely on. The output is KTAP; a failure comes with its rule.\n\n"
	       "EXPORTER is one of\n", synopsis);
	for (i = 0; i < exporter_count; i++) {
		snprintf(option, sizeof(option), "--%s %s", exporters[i].option,
			 exporters[i].argument ? exporters[i].argument : "");
		printf("  %-18s %s\n", option, exporters[i].help);
	}
	printf("\nOPTIONS are\n"
	       "  -c, --check GLOB   run only checks whose name matches, like 'mmap.*'; can be\n"
	       "                     given several times\n"
	       "  -l, --list         print the checks and their rules, and run none\n"
	       "  -x, --expect-failure GLOB\n"
	       "                     checks that must fail; if one passes, that is a failure\n"
	       "  -1, --one-buffer   use one buffer for all checks, as with --fd\n"
	       "  -t, --timeout S    time limit for each check, in seconds (default: %u)\n"
	       "  -v, --verbose      print the rule of each check, not only of those that fail\n"
	       "  -h, --help         print this\n\n"
	       "Exit status: 0 no check failed, 1 one did, 2 the command line is wrong, the\n"
	       "exporter is not available, or the output cannot be written.\n", time_limit);
}

static enum status usage(const char *what)
{
	fprintf(stderr, "dmabuf-conformance: %s\n%s    see dmabuf-conformance --help\n", what,
		synopsis);
	return STATUS_USAGE;
}

/* Add @glob to @globs. Returns false after saying why it cannot be added. */
static bool add_glob(struct globs *globs, const char *glob, const char *option)
{
	const struct check *check = checks;
	char what[256];

	while (check && !fits(check, glob))
		check = check->next;
	if (check && globs->count < MAX_GLOBS) {
		globs->globs[globs->count++] = glob;
		return true;
	}
	if (check)
		snprintf(what, sizeof(what), "--%s is given more than %u times", option,
			 MAX_GLOBS);
	else
		snprintf(what, sizeof(what), "--%s %s fits no check; --list names them", option,
			 glob);
	usage(what);
	return false;
}

/*
 * Make sure that the standard descriptors are open. Otherwise a device or a pipe would
 * get the number of one of them, and output would be written to it. Returns false if
 * there is nowhere to print to.
 */
static bool have_standard_descriptors(void)
{
	int fd;

	if (fcntl(STDOUT_FILENO, F_GETFD) < 0) {
		fprintf(stderr, "dmabuf-conformance: the standard output is closed\n");
		return false;
	}
	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd > STDERR_FILENO)
		close(fd);
	return true;
}

/*
 * A check that runs out of descriptors would blame the exporter. Returns false after
 * saying that there are too few.
 */
static bool have_descriptors(void)
{
	int fds[DESCRIPTORS], count = 0;
	struct rlimit limit;
	bool enough;

	if (!getrlimit(RLIMIT_NOFILE, &limit) && limit.rlim_cur < limit.rlim_max &&
	    limit.rlim_cur < 1024) {
		limit.rlim_cur = limit.rlim_max < 1024 ? limit.rlim_max : 1024;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
	while (count < DESCRIPTORS) {
		fds[count] = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0);
		if (fds[count] < 0)
			break;
		count++;
	}
	enough = count == DESCRIPTORS;
	if (!enough)
		fprintf(stderr, "%s: %d more descriptors are wanted, %d can be had: %s\n"
			"    RLIMIT_NOFILE is %llu: see ulimit -n\n", "dmabuf-conformance",
			DESCRIPTORS, count, strerror(errno),
			(unsigned long long)limit.rlim_cur);
	while (count--)
		close(fds[count]);
	return enough;
}

/* --probe, for run_probe(): tell whether this descriptor was inherited over exec. */
static int probe(const char *number)
{
	return fcntl(atoi(number), F_GETFD) >= 0;
}

static bool parse_seconds(const char *text, unsigned int *seconds)
{
	unsigned long value;
	char *end;

	value = strtoul(text, &end, 10);
	if (*text < '0' || *text > '9' || *end || !value || value > 3600)
		return false;
	*seconds = value;
	return true;
}

/* Values of long options from here on are indices into exporters[]. */
#define FIRST_EXPORTER	0x100
#define MAX_OPTIONS	32

static const struct option common_options[] = {
	{ "check",	required_argument,	NULL, 'c' },
	{ "list",	no_argument,		NULL, 'l' },
	{ "expect-failure", required_argument,	NULL, 'x' },
	{ "one-buffer",	no_argument,		NULL, '1' },
	{ "timeout",	required_argument,	NULL, 't' },
	{ "verbose",	no_argument,		NULL, 'v' },
	{ "help",	no_argument,		NULL, 'h' },
};

/* What the command line asks for */
struct request {
	const struct exporter *exporter;
	const char *argument;
	bool help, list, one_buffer;
	bool runs;		/* there is an option that only a run can use */
};

/* Parse the whole command line, and do nothing. Returns STATUS_PASSED if it is right. */
static enum status parse(int argc, char **argv, struct request *request)
{
	struct option options[MAX_OPTIONS] = {};
	unsigned int i;
	int c;

	memcpy(options, common_options, sizeof(common_options));
	for (i = 0; i < exporter_count; i++)
		options[ARRAY_SIZE(common_options) + i] = (struct option){
			.name = exporters[i].option,
			.has_arg = exporters[i].argument ? required_argument : no_argument,
			.val = FIRST_EXPORTER + i,
		};

	while ((c = getopt_long(argc, argv, "c:lx:1t:vh", options, NULL)) >= 0) {
		switch (c) {
		case 'c':
			if (!add_glob(&wanted, optarg, "check"))
				return STATUS_USAGE;
			break;
		case 'l':
			request->list = true;
			break;
		case 'x':
			if (!add_glob(&xfails, optarg, "expect-failure"))
				return STATUS_USAGE;
			request->runs = true;
			break;
		case '1':
			request->one_buffer = true;
			request->runs = true;
			break;
		case 't':
			if (!parse_seconds(optarg, &time_limit))
				return usage("--timeout wants 1 to 3600 seconds");
			request->runs = true;
			break;
		case 'v':
			verbose = true;
			request->runs = true;
			break;
		case 'h':
			request->help = true;
			break;
		case '?':
			return usage("the command line is wrong");
		default:
			if (request->exporter)
				return usage("one exporter at a time");
			request->exporter = &exporters[c - FIRST_EXPORTER];
			request->argument = optarg;
		}
	}
	if (optind < argc)
		return usage("arguments other than options are not allowed");
	if (request->help)
		return STATUS_PASSED;
	if (request->list && (request->exporter || request->runs))
		return usage("--list runs no checks: combine it with --check only");
	if (!request->list && !request->exporter)
		return usage("an exporter is missing");
	return STATUS_PASSED;
}

static enum status check_exporter(const struct request *request)
{
	const struct exporter *exporter = request->exporter;

	if (!have_descriptors())
		return STATUS_USAGE;
	/* If the reader of the output is gone, output_good() says so, not a signal. */
	signal(SIGPIPE, SIG_IGN);
	if (exporter->open(request->argument))
		return STATUS_USAGE;
	if (request->one_buffer && inherited_fd < 0 && !keep_one_buffer(exporter))
		return STATUS_USAGE;
	return run_all(exporter, request->argument);
}

int main(int argc, char **argv)
{
	struct request request = {};
	enum status status;

	if (argc == 3 && !strcmp(argv[1], "--probe"))
		return probe(argv[2]);
	if (!have_standard_descriptors())
		return STATUS_USAGE;

	status = parse(argc, argv, &request);
	if (status != STATUS_PASSED)
		return status;
	if (request.help)
		print_help();
	else if (request.list)
		list_checks();
	else
		status = check_exporter(&request);
	if (status == STATUS_USAGE || !output_good())
		return STATUS_USAGE;
	/* Some file systems report only at close() that no space was left. */
	if (close(STDOUT_FILENO)) {
		fprintf(stderr, "dmabuf-conformance: cannot close the standard output: %s\n",
			strerror(errno));
		return STATUS_USAGE;
	}
	return status;
}
