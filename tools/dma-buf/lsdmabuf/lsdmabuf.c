// SPDX-License-Identifier: GPL-2.0-only
/*
 * lsdmabuf: list the dma-bufs of the system and their holders.
 *
 * This file has the options, the writing, and --watch. lsdmabuf.h has a map of the
 * other files.
 */
#include <errno.h>
#include <getopt.h>
#include <langinfo.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>
#include <sys/ioctl.h>

#include "lsdmabuf.h"

#define VERSION		"1.0"
#define PROGRAM		"lsdmabuf"

enum format {
	FORMAT_TABLE,
	FORMAT_TREE,
	FORMAT_JSON,
	FORMAT_DOT,
};

#define MIN_INTERVAL	0.1
#define MAX_INTERVAL	86400.0

static struct options {
	enum format format;
	enum sort_key sort;
	bool reverse, quiet, watch;
	double interval;
	struct sources sources;
	struct style style;
} options = {
	.interval = 2,
	.style.totals = true,
};

/*
 * --watch switches the terminal to its alternate screen, hides the cursor, and reads
 * keys at once and without an echo. Signal handlers undo that with leave_screen(), so
 * each flag is set before the change that it stands for.
 */
static struct termios saved_termios;
static bool screen_taken, keys_taken;
static bool wants_redraw;

/* A signal handler may run between any two instructions, so every access counts. */
static bool flag(const bool *f)
{
	return __atomic_load_n(f, __ATOMIC_SEQ_CST);
}

static void set_flag(bool *f, bool value)
{
	__atomic_store_n(f, value, __ATOMIC_SEQ_CST);
}

static void write_or_ignore(const char *s, size_t n)
{
	/* A terminal that can no longer be written to needs no restoring. */
	if (write(STDOUT_FILENO, s, n) < 0)
		return;
}

/* Signal handlers call this, so it must be async-signal-safe. */
static void leave_screen(void)
{
	static const char leave[] = "\033[?25h\033[?1049l";

	if (flag(&screen_taken))
		write_or_ignore(leave, sizeof(leave) - 1);
	set_flag(&screen_taken, false);
	if (flag(&keys_taken))
		tcsetattr(STDIN_FILENO, TCSANOW, &saved_termios);
	set_flag(&keys_taken, false);
}

static void enter_screen(void)
{
	static const char enter[] = "\033[?1049h\033[?25l";
	struct termios keys;

	if (isatty(STDIN_FILENO) && !tcgetattr(STDIN_FILENO, &saved_termios)) {
		keys = saved_termios;
		keys.c_lflag &= ~(ICANON | ECHO);
		keys.c_cc[VMIN] = 0;
		keys.c_cc[VTIME] = 0;
		set_flag(&keys_taken, true);
		tcsetattr(STDIN_FILENO, TCSANOW, &keys);
	}
	set_flag(&screen_taken, true);
	write_or_ignore(enter, sizeof(enter) - 1);
}

static const char usage[] =
"Usage: lsdmabuf [--tree | --json | --dot] [OPTION]...\n"
"Try 'lsdmabuf --help'.\n";

void die(enum exit_status status, const char *format, ...)
{
	va_list args;

	leave_screen();
	fprintf(stderr, "%s: ", PROGRAM);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	if (status == EXIT_USAGE)
		fputs(usage, stderr);
	exit(status);
}

void out_of_memory(void)
{
	static const char message[] = PROGRAM ": out of memory\n";

	leave_screen();
	/* Not stdio, which may allocate memory. */
	if (write(STDERR_FILENO, message, sizeof(message) - 1) < 0)
		_exit(EXIT_NO_MEMORY);
	_exit(EXIT_NO_MEMORY);
}

static void on_end(int signal)
{
	(void)signal;
	leave_screen();
	/* The snapshot may be blocked in a read, so do not wait for its end. */
	_exit(EXIT_OK);
}

static void on_stop(int signal)
{
	int err = errno;

	(void)signal;
	leave_screen();
	raise(SIGSTOP);
	/* Continued by SIGCONT. draw() takes the screen again. */
	set_flag(&wants_redraw, true);
	errno = err;
}

static void on_resize(int signal)
{
	(void)signal;
	set_flag(&wants_redraw, true);
}

/* Without SA_RESTART a signal ends poll(), so that it takes effect at once. */
static void catch_signal(int signal, void (*handler)(int), int flags)
{
	struct sigaction action = { .sa_handler = handler, .sa_flags = flags };

	sigemptyset(&action.sa_mask);
	if (sigaction(signal, &action, NULL))
		die(EXIT_FAILED, "signal %d cannot be caught: %s", signal, strerror(errno));
}

/* The whole list is in memory, so it is written in as few pieces as possible. */
static void write_out(const char *s, size_t n)
{
	while (n) {
		ssize_t written = write(STDOUT_FILENO, s, n);

		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0 && errno == EAGAIN) {
			/* Another program has made the terminal or pipe non-blocking. */
			struct pollfd room = { .fd = STDOUT_FILENO, .events = POLLOUT };

			poll(&room, 1, -1);
			continue;
		}
		if (written < 0)
			die(EXIT_FAILED, "cannot write: %s", strerror(errno));
		s += written;
		n -= written;
	}
}

/* Some file systems report only at close() that no space was left. */
static void close_out(void)
{
	if (close(STDOUT_FILENO))
		die(EXIT_FAILED, "cannot write: %s", strerror(errno));
}

/* Describe what the list lacks: a line for each kind, none if it is complete. */
static void put_missing(struct text *out, const struct snapshot *snap, const char *prefix)
{
	for (int i = 0; i < LACKS; i++) {
		if (!snap->lacks[i])
			continue;
		text_puts(out, prefix);
		text_puts(out, "incomplete: ");
		put_lack(out, snap, i);
		text_puts(out, "\n");
	}
}

static void print_list(struct text *out, const struct snapshot *snap)
{
	switch (options.format) {
	case FORMAT_TABLE:
		print_table(out, snap, &options.style);
		break;
	case FORMAT_TREE:
		print_tree(out, snap, &options.style);
		break;
	case FORMAT_JSON:
		print_json(out, snap);
		break;
	case FORMAT_DOT:
		print_dot(out, snap, &options.style);
		break;
	}
}

/* Say on standard error what is missing. --watch repeats it only when it changes. */
static void warn_of_missing(const struct snapshot *snap)
{
	static struct text before;
	struct text missing = { 0 };

	text_puts(&missing, "");
	put_missing(&missing, snap, PROGRAM ": ");
	if (missing.used && (!before.used || strcmp(before.data, missing.data)))
		fputs(missing.data, stderr);
	text_free(&before);
	before = missing;
}

static bool list_once(void)
{
	struct snapshot snap;
	bool complete;
	struct text out = { 0 };

	snapshot_take(&snap, &options.sources);
	snapshot_finish(&snap, options.sort, options.reverse);
	print_list(&out, &snap);
	write_out(out.data, out.used);
	if (!options.quiet)
		warn_of_missing(&snap);
	complete = snapshot_is_complete(&snap);
	text_free(&out);
	snapshot_free(&snap);
	return complete;
}

static void put_time(struct text *out)
{
	char date[32] = "";
	time_t now = time(NULL);
	struct tm tm;

	if (localtime_r(&now, &tm))
		strftime(date, sizeof(date), "%F %T", &tm);
	text_printf(out, "%s  ", date);
}

/* Copy as many lines as fit on the screen, and as much of each line as fits. */
static void put_cut(struct text *out, const struct text *list, size_t rows, size_t columns)
{
	const char *p = list->data, *end = list->data + list->used;
	size_t lines = 0;

	for (const char *q = p; (q = memchr(q, '\n', end - q)); q++)
		lines++;
	for (size_t i = 0; p < end && i < rows; i++) {
		const char *newline = memchr(p, '\n', end - p) ?: end;

		if (i)
			text_puts(out, "\r\n");
		if (i + 1 == rows && lines > rows) {
			text_printf(out, "... %zu more lines\033[K", lines - i);
			break;
		}
		text_add(out, p, visible_bytes(p, newline - p, columns,
					       options.style.utf8));
		text_puts(out, "\033[K");
		p = newline + 1;
	}
}

static void draw(void)
{
	struct text list = { 0 }, out = { 0 };
	struct winsize size = { 0 };
	struct style style = options.style;
	struct snapshot snap;

	snapshot_take(&snap, &options.sources);
	snapshot_finish(&snap, options.sort, options.reverse);

	/* The total comes first here, as the end of the list may be cut off. */
	put_time(&list);
	print_total(&list, &snap, &style);
	if (!options.quiet)
		put_missing(&list, &snap, "");
	text_puts(&list, "\n");
	if (options.format == FORMAT_TREE)
		style.totals = false;
	if (options.format == FORMAT_TREE)
		print_tree(&list, &snap, &style);
	else
		print_table(&list, &snap, &style);
	snapshot_free(&snap);

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) || !size.ws_row || !size.ws_col) {
		size.ws_row = 24;
		size.ws_col = 80;
	}
	/* Overwrite the old screen in a single write, so that nothing flickers. */
	text_puts(&out, "\033[H");
	put_cut(&out, &list, size.ws_row, size.ws_col);
	text_puts(&out, "\033[J");
	if (!flag(&screen_taken))
		enter_screen();
	write_out(out.data, out.used);
	text_free(&out);
	text_free(&list);
}

/* Not the time of day: if that were set back, --watch would wait for hours. */
static double seconds_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

/*
 * Wait for the next turn, a key, or a signal after which the screen must be drawn
 * again. A signal that arrives just before poll() takes effect at the next turn, which
 * does no harm. Returns false if the user wants to quit.
 */
static bool wait_for_turn(double until)
{
	struct pollfd keys = { .fd = flag(&keys_taken) ? STDIN_FILENO : -1, .events = POLLIN };
	double left;
	char key;

	while (!flag(&wants_redraw) && (left = until - seconds_now()) > 0) {
		/* Round up: a wait that ends too early would be followed by a short one. */
		int n = poll(&keys, 1, (int)(left * 1000) + 1);

		if (n < 0 && errno != EINTR)
			die(EXIT_FAILED, "cannot wait: %s", strerror(errno));
		if (n <= 0)
			continue;
		/* End when the terminal has been closed. */
		if (read(STDIN_FILENO, &key, 1) <= 0 || key == 'q')
			return false;
		if (key == ' ' || key == '\n')
			return true;
	}
	return true;
}

static void watch(void)
{
	/* Pipes, and terminals without cursor movement, get one list after another. */
	const char *term = getenv("TERM");
	bool live = isatty(STDOUT_FILENO) && term && strcmp(term, "dumb") &&
		    options.format <= FORMAT_TREE;
	struct text heading = { 0 };
	bool first = true;

	catch_signal(SIGINT, on_end, 0);
	catch_signal(SIGTERM, on_end, 0);
	catch_signal(SIGHUP, on_end, 0);
	catch_signal(SIGQUIT, on_end, 0);
	if (live) {
		catch_signal(SIGTSTP, on_stop, 0);
		catch_signal(SIGWINCH, on_resize, 0);
	}

	do {
		/* The interval is from one start to the next, and includes the listing. */
		double next = seconds_now() + options.interval;

		set_flag(&wants_redraw, false);
		if (live) {
			draw();
		} else {
			if (options.format <= FORMAT_TREE) {
				text_clear(&heading);
				text_puts(&heading, first ? "" : "\n");
				put_time(&heading);
				text_puts(&heading, "\n");
				write_out(heading.data, heading.used);
			}
			list_once();
		}
		first = false;
		if (!wait_for_turn(next))
			break;
	} while (true);
	leave_screen();
}

static const char help[] =
"Usage: lsdmabuf [OPTION]...\n"
"List the dma-bufs of the system and the processes that hold them.\n"
"\n"
"Output:\n"
"                        by default, a table of buffers with their holders, and\n"
"                        totals for each process and each exporter\n"
"  -t, --tree            processes with their buffers\n"
"  -j, --json            everything that is known, as JSON\n"
"  -d, --dot             a graph of processes, buffers and devices, for graphviz\n"
"\n"
"Options:\n"
"  -s, --sort KEY        ino (default), size, name, exporter, pid or holders\n"
"  -r, --reverse         reverse the order\n"
"  -b, --bytes           sizes in bytes\n"
"  -n, --no-totals       print only the list\n"
"  -q, --quiet           do not print on stderr what may be missing\n"
"  -w, --watch [SECONDS] repeat every SECONDS (default: 2); q quits\n"
"\n"
"Sources:\n"
"      --proc DIR        a saved copy of /proc; implies --no-bufinfo unless\n"
"                        --bufinfo is given\n"
"      --bufinfo FILE    a saved copy of " BUFINFO_PATH "\n"
"      --no-bufinfo      do not read bufinfo\n"
"\n"
"  -h, --help            print this\n"
"  -V, --version         print the version\n"
"\n"
"Exit status: 0 if the list is complete; 1 if anything may be missing from it\n"
"(stderr and JSON say what), if /proc or a given file cannot be read, or if the\n"
"output cannot be written; 2 if the command line is wrong; 3 if memory runs out.\n";

/* The same format twice is no mistake, as an alias may contain one already. */
static void set_format(enum format format)
{
	if (options.format != FORMAT_TABLE && options.format != format)
		die(EXIT_USAGE, "only one of --tree, --json and --dot is possible");
	options.format = format;
}

static void set_sort(const char *key)
{
	for (int i = 0; i < SORT_KEYS; i++) {
		if (!strcmp(key, sort_names[i])) {
			options.sort = i;
			return;
		}
	}
	die(EXIT_USAGE,
	    "cannot sort by '%s': use ino, size, name, exporter, pid or holders", key);
}

static void set_interval(const char *s)
{
	char *end;
	double seconds;

	/* strtod() also takes "inf", "0x10" and the like: allow only these characters. */
	seconds = strtod(s, &end);
	if (!*s || s[strspn(s, "0123456789.")] || *end ||
	    seconds < MIN_INTERVAL || seconds > MAX_INTERVAL)
		die(EXIT_USAGE, "'%s' is not a number of seconds from %g to %g", s,
		    MIN_INTERVAL, MAX_INTERVAL);
	options.interval = seconds;
}

static void parse_options(int argc, char **argv)
{
	enum { OPT_PROC = 256, OPT_BUFINFO, OPT_NO_BUFINFO };
	static const struct option long_options[] = {
		{ "tree", no_argument, NULL, 't' },
		{ "json", no_argument, NULL, 'j' },
		{ "dot", no_argument, NULL, 'd' },
		{ "sort", required_argument, NULL, 's' },
		{ "reverse", no_argument, NULL, 'r' },
		{ "bytes", no_argument, NULL, 'b' },
		{ "no-totals", no_argument, NULL, 'n' },
		{ "quiet", no_argument, NULL, 'q' },
		{ "watch", optional_argument, NULL, 'w' },
		{ "proc", required_argument, NULL, OPT_PROC },
		{ "bufinfo", required_argument, NULL, OPT_BUFINFO },
		{ "no-bufinfo", no_argument, NULL, OPT_NO_BUFINFO },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ 0 }
	};
	int option, info = 0;

	while ((option = getopt_long(argc, argv, "tjds:rbnqw::hV", long_options,
				     NULL)) != -1) {
		switch (option) {
		case 't':
			set_format(FORMAT_TREE);
			break;
		case 'j':
			set_format(FORMAT_JSON);
			break;
		case 'd':
			set_format(FORMAT_DOT);
			break;
		case 's':
			set_sort(optarg);
			break;
		case 'r':
			options.reverse = true;
			break;
		case 'b':
			options.style.bytes = true;
			break;
		case 'n':
			options.style.totals = false;
			break;
		case 'q':
			options.quiet = true;
			break;
		case 'w':
			options.watch = true;
			/* getopt() takes an optional argument as "-w5" only; allow "-w 5". */
			if (!optarg && optind < argc && argv[optind][0] != '-')
				optarg = argv[optind++];
			if (optarg)
				set_interval(optarg);
			break;
		case OPT_PROC:
			options.sources.proc = optarg;
			break;
		case OPT_BUFINFO:
			options.sources.bufinfo = optarg;
			break;
		case OPT_NO_BUFINFO:
			options.sources.no_bufinfo = true;
			break;
		case 'h':
		case 'V':
			/* Printed only after the whole command line was checked */
			info = info ?: option;
			break;
		default:
			/* getopt() has printed what is wrong. */
			fputs(usage, stderr);
			exit(EXIT_USAGE);
		}
	}
	if (optind < argc)
		die(EXIT_USAGE, "'%s' is not understood", argv[optind]);
	if (options.sources.bufinfo && options.sources.no_bufinfo)
		die(EXIT_USAGE, "--bufinfo and --no-bufinfo contradict each other");

	if (info == 'h')
		write_out(help, sizeof(help) - 1);
	if (info == 'V')
		write_out(PROGRAM " " VERSION "\n", strlen(PROGRAM " " VERSION "\n"));
	if (info) {
		close_out();
		exit(EXIT_OK);
	}
}

int main(int argc, char **argv)
{
	bool complete;

	/*
	 * Only LC_CTYPE: numbers are read and printed as in the C locale, whatever the
	 * user's locale is. If that is not available, names are shown as in the C locale.
	 */
	if (setlocale(LC_CTYPE, ""))
		options.style.utf8 = !strcmp(nl_langinfo(CODESET), "UTF-8");

	parse_options(argc, argv);
	if (options.watch) {
		watch();
		return EXIT_OK;
	}
	complete = list_once();
	close_out();
	return complete ? EXIT_OK : EXIT_FAILED;
}
