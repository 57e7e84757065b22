// SPDX-License-Identifier: GPL-2.0-only
/*
 * dmabuf-conformance: DMA_BUF_SET_NAME, and where the name is seen.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <sys/ioctl.h>

#include "conformance.h"

/* The name as fdinfo prints it, NULL if there is no such line */
static const char *shown(int fd)
{
	static char name[256];

	*name = '\0';
	return fdinfo_get(fd, "name", name, sizeof(name)) ? name : NULL;
}

static void expect_shown(int fd, const char *right)
{
	const char *name = shown(fd);

	expect(name && !strcmp(name, right), "fdinfo has the name '%s', should be '%s'",
	       name ?: "(none)", right);
}

CONFORM(name, unnamed, NEED_ALLOC,
	"A new buffer has no name, and its fdinfo has no line for a name.")
{
	expect(!shown(t->fd), "there is the name '%s'", shown(t->fd));
}

CONFORM(name, set, 0,
	"SET_NAME gives the buffer a name, which fdinfo shows under the key name,\n"
	"once.")
{
	char name[64];

	expect_result(buffer_set_name(t->fd, "frame 1"), 0, "SET_NAME");
	expect_shown(t->fd, "frame 1");
	expect(fdinfo_get(t->fd, "name", name, sizeof(name)) == 1, "not just one line");
}

CONFORM(name, path, 0,
	"/proc/PID/fd shows the buffer as /dmabuf:NAME, and so does /proc/PID/maps if\n"
	"the mapping is one of the buffer's own file.")
{
	char link[256] = "";

	expect_result(buffer_set_name(t->fd, "in-the-path"), 0, "SET_NAME");
	require(!fd_link(t->fd, link, sizeof(link)), "/proc/self/fd cannot be read");
	expect(!strcmp(link, "/dmabuf:in-the-path"), "the path is '%s'", link);
}

CONFORM(name, replace, 0,
	"A name can be replaced at any time, by a longer or a shorter one.")
{
	expect_result(buffer_set_name(t->fd, "first"), 0, "the first name");
	expect_result(buffer_set_name(t->fd, "the second name"), 0, "the second name");
	expect_shown(t->fd, "the second name");
	expect_result(buffer_set_name(t->fd, "3"), 0, "the third name");
	expect_shown(t->fd, "3");
}

CONFORM(name, empty, 0,
	"The empty name is a name: it replaces an older one, and fdinfo shows it.")
{
	expect_result(buffer_set_name(t->fd, "before"), 0, "a name");
	expect_result(buffer_set_name(t->fd, ""), 0, "the empty name");
	expect_shown(t->fd, "");
}

CONFORM(name, longest, 0,
	"A name has at most 31 bytes (DMA_BUF_NAME_LEN with its terminating NUL).")
{
	static const char name[] = "0123456789abcdefghijklmnopqrstu";

	expect(sizeof(name) == DMA_BUF_NAME_LEN, "this check is wrong");
	expect_result(buffer_set_name(t->fd, name), 0, "31 characters");
	expect_shown(t->fd, name);
}

CONFORM(name, too_long, 0,
	"A longer name is refused with EINVAL, not truncated, and the old one stays.")
{
	expect_result(buffer_set_name(t->fd, "old"), 0, "a name");
	expect_result(buffer_set_name(t->fd, "0123456789abcdefghijklmnopqrstuv"), EINVAL,
		      "32 characters");
	expect_result(buffer_set_name(t->fd, "0123456789abcdefghijklmnopqrstuvwxyz and more"),
		      EINVAL, "many characters");
	expect_shown(t->fd, "old");
}

CONFORM(name, bad_pointer, 0,
	"A name that cannot be read is refused with EFAULT, and the old one stays. A\n"
	"name that ends right before memory that cannot be read is accepted.")
{
	char *edge = edge_of_memory(8);

	expect_result(buffer_set_name(t->fd, "old"), 0, "a name");
	expect_errno(ioctl(t->fd, DMA_BUF_SET_NAME, NULL), EFAULT, "NULL");
	memcpy(edge, "no end! ", 8);
	expect_result(buffer_set_name(t->fd, edge), EFAULT, "a name whose end cannot be read");
	expect_shown(t->fd, "old");
	memcpy(edge, "the end", 8);
	expect_result(buffer_set_name(t->fd, edge), 0, "a name at the end of memory");
	expect_shown(t->fd, "the end");
}

CONFORM(name, both_numbers, 0,
	"SET_NAME has two numbers, DMA_BUF_SET_NAME_A and _B, with the pointer sizes\n"
	"of 32-bit and 64-bit programs. A kernel accepts both from both.")
{
	expect_errno(ioctl(t->fd, DMA_BUF_SET_NAME_A, "by a"), 0, "SET_NAME_A");
	expect_shown(t->fd, "by a");
	expect_errno(ioctl(t->fd, DMA_BUF_SET_NAME_B, "by b"), 0, "SET_NAME_B");
	expect_shown(t->fd, "by b");
}

CONFORM(name, shared, 0,
	"The name belongs to the buffer, not to a descriptor: it can be set through\n"
	"any descriptor, and is seen through all of them.")
{
	int other = pass_fd(t->fd);

	expect_result(buffer_set_name(other, "from afar"), 0, "SET_NAME");
	expect_shown(t->fd, "from afar");
}

CONFORM(name, own, NEED_ALLOC,
	"Naming a buffer does not name any other buffer.")
{
	size_t size = t->size;
	int other = buffer_new(t, &size);

	expect_result(buffer_set_name(t->fd, "mine"), 0, "SET_NAME");
	expect(!shown(other), "another buffer has the name '%s'", shown(other));
	expect_result(buffer_set_name(other, "its own"), 0, "SET_NAME");
	expect_shown(t->fd, "mine");
}

CONFORM(name, read_only_fd, NEED_ACCMODE,
	"A name can be set through a read-only descriptor.")
{
	size_t size = t->size;
	int fd = buffer_try(t, &size, O_RDONLY | O_CLOEXEC);

	require(fd >= 0, "no read-only descriptor: %s", errno_name(-fd));
	expect_result(buffer_set_name(fd, "named"), 0, "SET_NAME");
	expect_shown(fd, "named");
}

CONFORM_OLDER(name, no_forging, 0,
	      "A name cannot forge keys of fdinfo: newlines and other control characters\n"
	      "in it are printed escaped. A program that can name a buffer must not be\n"
	      "able to fake its size.",
	      "Known: the core of Linux 6.12 as released prints names as they are.")
{
	char size[64];
	int lines;

	expect_result(buffer_set_name(t->fd, "a\nsize:\t1\nexp_name:\tx"), 0, "SET_NAME");
	lines = fdinfo_get(t->fd, "size", size, sizeof(size));
	expect(lines == 1, "there are %d lines 'size:', the last says %s", lines, size);
	lines = fdinfo_get(t->fd, "exp_name", NULL, 0);
	expect(lines == 1, "there are %d lines 'exp_name:'", lines);
	/* Do not leave such a name on the buffer of --fd. */
	buffer_set_name(t->fd, "");
}
