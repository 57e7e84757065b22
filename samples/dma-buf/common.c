// SPDX-License-Identifier: GPL-2.0-only
/*
 * Helpers of both programs: messages, numbers, signals, waiting.
 */
#define _GNU_SOURCE
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common.h"

static int complaint_errno;

void messages_init(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	setvbuf(stderr, NULL, _IOLBF, 0);
}

void complain_begin(int err)
{
	complaint_errno = err;
	fflush(stdout);
	fprintf(stderr, "%s: ", program_invocation_short_name);
}

int complain_end(const char *hint)
{
	if (complaint_errno)
		fprintf(stderr, ": %s", strerror(complaint_errno));
	fputc('\n', stderr);
	if (hint)
		fprintf(stderr, "  what to do: %s\n", hint);
	return -1;
}

int parse_option(const char *text, const char *option, unsigned int min,
		 unsigned int max, unsigned int *value)
{
	unsigned long number;
	char *end;

	errno = 0;
	number = strtoul(text, &end, 10);
	if (errno || end == text || *end || *text == '-' ||
	    number < min || number > max)
		return complain(0, "see --help",
				"%s needs a number from %u to %u, not '%s'",
				option, min, max, text);
	*value = number;
	return 0;
}

unsigned long long now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
}

int signals_open(void)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	if (sigprocmask(SIG_BLOCK, &set, NULL))
		return complain(errno, NULL, "cannot block signals");

	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return complain(errno, "the kernel needs CONFIG_SIGNALFD",
				"cannot open a signal descriptor");
	return fd;
}

void signals_clear(int fd)
{
	struct signalfd_siginfo info;

	while (read(fd, &info, sizeof(info)) > 0)
		;
}

void signals_default(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigprocmask(SIG_SETMASK, &set, NULL);
}

enum wait_result wait_readable(int fd, int signal_fd, unsigned int ms)
{
	struct pollfd fds[] = {
		{ .fd = signal_fd, .events = POLLIN },
		{ .fd = fd, .events = POLLIN },
	};
	int ret;

	do {
		ret = poll(fds, ARRAY_SIZE(fds), ms);
	} while (ret < 0 && errno == EINTR);

	if (ret < 0)
		return complain(errno, NULL, "poll failed");
	if (!ret)
		return WAIT_TIMEOUT;
	if (fds[0].revents)
		return WAIT_SIGNAL;
	return WAIT_READY;
}

int run_command(const char *command, int signal_fd)
{
	const char *hint = "run the command by hand to see why it fails";
	int status, pidfd;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid < 0)
		return complain(errno, NULL, "cannot start '%s'", command);
	if (!pid) {
		signals_default();
		execl("/bin/sh", "sh", "-c", command, NULL);
		_exit(127);
	}

	/*
	 * A signal to this program ends the command too. On a kernel without
	 * pidfds, the signal has to wait until the command ends by itself.
	 */
	pidfd = syscall(SYS_pidfd_open, pid, 0);
	if (pidfd >= 0) {
		if (wait_readable(pidfd, signal_fd, -1) == WAIT_SIGNAL)
			kill(pid, SIGTERM);
		close(pidfd);
	}

	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR)
			return complain(errno, NULL, "cannot wait for '%s'",
					command);
	}
	if (WIFSIGNALED(status))
		return complain(0, hint, "'%s' was ended by signal %d",
				command, WTERMSIG(status));
	if (WEXITSTATUS(status))
		return complain(0, hint, "'%s' failed with status %d",
				command, WEXITSTATUS(status));
	return 0;
}
