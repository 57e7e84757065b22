/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What both sample programs need: messages, numbers, signals, waiting.
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
 * Say what failed, why and what can be done about it.
 * @err:	an errno value, or 0 if none belongs to the failure
 * @hint:	what the user can do, or NULL
 * The rest is for printf and names what failed. The value is always -1, so
 * that a caller can return it.
 */
#define complain(err, hint, ...)					\
	(complain_begin(err), fprintf(stderr, __VA_ARGS__), complain_end(hint))

/* Whole lines, so that those of two programs do not mix. */
void messages_init(void);
void complain_begin(int err);
int complain_end(const char *hint);

int parse_option(const char *text, const char *option, unsigned int min,
		 unsigned int max, unsigned int *value);

unsigned long long now_ns(void);

/* SIGINT, SIGTERM and SIGHUP arrive at the descriptor that this returns. */
int signals_open(void);
/* Forget those that came. */
void signals_clear(int fd);
/* Undo signals_open() in a child that is about to run something else. */
void signals_default(void);

enum wait_result {
	WAIT_FAILED = -1,	/* complained already */
	WAIT_TIMEOUT,
	WAIT_READY,
	WAIT_SIGNAL,
};

/* Wait until @fd has something to read; -1 as @fd waits for signals only. */
enum wait_result wait_readable(int fd, int signal_fd, unsigned int ms);

/* Run @command in a shell: 0 if it succeeded, -1 after a complaint. */
int run_command(const char *command, int signal_fd);

#endif
