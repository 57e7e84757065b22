/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Helpers of both programs: messages, numbers, signals, waiting.
 */
#ifndef SAMPLE_COMMON_H
#define SAMPLE_COMMON_H

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <linux/types.h>

#define ARRAY_SIZE(array)	(sizeof(array) / sizeof((array)[0]))

#define NSEC_PER_SEC		1000000000ULL

/*
 * Print what failed, why it failed, and what the user can do.
 * @err:	an errno value, or 0 if the failure has none
 * @hint:	what the user can do, or NULL
 * The other arguments are printf()'s and say what failed. The value is always
 * -1, so that callers can return it.
 */
#define complain(err, hint, ...)					\
	(complain_begin(err), fprintf(stderr, __VA_ARGS__), complain_end(hint))

/* Buffer output by lines, so that lines of the two programs do not mix. */
void messages_init(void);
void complain_begin(int err);
int complain_end(const char *hint);

int parse_option(const char *text, const char *option, unsigned int min,
		 unsigned int max, unsigned int *value);

unsigned long long now_ns(void);

/* Returns a descriptor that delivers SIGINT, SIGTERM and SIGHUP. */
int signals_open(void);
/* Discard the signals that have arrived. */
void signals_clear(int fd);
/* Undo signals_open() in a child that is about to execute another program. */
void signals_default(void);

enum wait_result {
	WAIT_FAILED = -1,	/* after a complaint */
	WAIT_TIMEOUT,
	WAIT_READY,
	WAIT_SIGNAL,
};

/* Wait until @fd is readable or a signal arrives; signals only if @fd is -1. */
enum wait_result wait_readable(int fd, int signal_fd, unsigned int ms);

/* Run @command in a shell. Returns 0 if it succeeds, or -1 after a complaint. */
int run_command(const char *command, int signal_fd);

#endif
