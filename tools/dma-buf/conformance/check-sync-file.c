// SPDX-License-Identifier: GPL-2.0-only
/*
 * dmabuf-conformance: export and import of fences as sync_files.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "conformance.h"

#define READ	DMA_BUF_SYNC_READ
#define WRITE	DMA_BUF_SYNC_WRITE
#define RW	DMA_BUF_SYNC_RW

static const __u32 accesses[] = { READ, WRITE, RW };

/* Flags that neither ioctl accepts */
static const __u32 bad_flags[] = {
	0, 4, DMA_BUF_SYNC_END, READ | 4, RW | 8, 1U << 31, ~0U,
};

static int export(struct test *t, __u32 flags)
{
	int fd = buffer_export_sync_file(t->fd, flags);

	require(fd >= 0, "EXPORT_SYNC_FILE with flags %u fails with %s", flags, errno_name(-fd));
	return fd;
}

static void expect_status(int fd, int right, const char *what)
{
	int status = sync_file_status(fd);

	expect(status == right, "%s has the status %d, should be %d", what, status, right);
}

CONFORM(sync_file, export_idle, NEED_SYNC_FILE,
	"EXPORT_SYNC_FILE of an idle buffer returns a sync_file that is signalled\n"
	"already: having nothing to wait for is not an error.")
{
	unsigned int i;
	int fd;

	for (i = 0; i < ARRAY_SIZE(accesses); i++) {
		fd = export(t, accesses[i]);
		expect_status(fd, 1, "a sync_file of an idle buffer");
		expect(poll_once(fd, POLLIN, 0) == POLLIN, "poll() does not find it signalled");
	}
}

CONFORM(sync_file, export_flags, NEED_SYNC_FILE,
	"EXPORT_SYNC_FILE takes READ, WRITE or both. Anything else is refused with\n"
	"EINVAL, and makes no descriptor.")
{
	struct fd_state before = fd_state();
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bad_flags); i++)
		expect_result(buffer_export_sync_file(t->fd, bad_flags[i]), EINVAL, "flags %#x",
			      bad_flags[i]);
	expect_no_fd_left(before);
}

CONFORM(sync_file, export_cloexec, NEED_SYNC_FILE,
	"The sync_file is always close-on-exec.")
{
	int fd = export(t, READ);

	expect(fcntl(fd, F_GETFD) & FD_CLOEXEC, "FD_CLOEXEC is not set");
	expect(run_probe(fd) == 0, "it is open after exec");
}

CONFORM(sync_file, export_bad_pointer, NEED_SYNC_FILE,
	"If the argument cannot be read, or the result cannot be written to it, the\n"
	"error is EFAULT, and no descriptor is left behind of which the caller does\n"
	"not know.")
{
	struct dma_buf_export_sync_file *arg;
	struct fd_state before = fd_state();

	expect_errno(ioctl(t->fd, DMA_BUF_IOCTL_EXPORT_SYNC_FILE, NULL), EFAULT, "NULL");
	expect_errno(ioctl(t->fd, DMA_BUF_IOCTL_EXPORT_SYNC_FILE, edge_of_memory(0)), EFAULT,
		     "memory that cannot be read");
	arg = mmap(NULL, t->page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	require(arg != MAP_FAILED, "no memory");
	arg->flags = READ;
	mprotect(arg, t->page, PROT_READ);
	expect_errno(ioctl(t->fd, DMA_BUF_IOCTL_EXPORT_SYNC_FILE, arg), EFAULT,
		     "memory that cannot be written");
	expect_no_fd_left(before);
}

CONFORM(sync_file, export_rlimit, NEED_SYNC_FILE,
	"Without a free descriptor EXPORT_SYNC_FILE fails with EMFILE.")
{
	struct rlimit limit;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = lowest_free_fd();
	require(!setrlimit(RLIMIT_NOFILE, &limit), "setrlimit(): %s", errno_name(errno));
	expect_result(buffer_export_sync_file(t->fd, READ), EMFILE, "with no descriptor free");
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	expect_result(buffer_export_sync_file(t->fd, READ), 0, "with descriptors free again");
}

CONFORM(sync_file, import_idle, NEED_SYNC_FILE,
	"IMPORT_SYNC_FILE accepts a sync_file that is signalled already. The buffer\n"
	"stays idle, and the caller keeps the sync_file.")
{
	int fd = export(t, RW);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(accesses); i++)
		expect_result(buffer_import_sync_file(t->fd, accesses[i], fd), 0,
			      "flags %u", accesses[i]);
	expect(poll_once(t->fd, POLLIN | POLLOUT, 0) == (POLLIN | POLLOUT),
	       "the buffer is not idle any more");
	expect_status(fd, 1, "the sync_file that was imported");
}

CONFORM(sync_file, import_flags, NEED_SYNC_FILE,
	"IMPORT_SYNC_FILE takes READ, WRITE or both. Anything else is refused with\n"
	"EINVAL.")
{
	int fd = export(t, READ);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bad_flags); i++)
		expect_result(buffer_import_sync_file(t->fd, bad_flags[i], fd), EINVAL, "flags %#x",
			      bad_flags[i]);
}

CONFORM(sync_file, import_bad_fd, NEED_SYNC_FILE,
	"A descriptor that is not open, or is not that of a sync_file, is refused\n"
	"with EINVAL. The buffer itself is not a sync_file.")
{
	int pipe_fds[2];

	require(!pipe(pipe_fds), "no pipe");
	expect_result(buffer_import_sync_file(t->fd, READ, -1), EINVAL, "descriptor -1");
	expect_result(buffer_import_sync_file(t->fd, WRITE, 0x7ffffff0), EINVAL,
		      "one that is not open");
	expect_result(buffer_import_sync_file(t->fd, READ, pipe_fds[0]), EINVAL, "a pipe");
	expect_result(buffer_import_sync_file(t->fd, RW, t->fd), EINVAL, "the buffer");
}

CONFORM(sync_file, import_bad_pointer, NEED_SYNC_FILE,
	"An argument that cannot be read is refused with EFAULT.")
{
	expect_errno(ioctl(t->fd, DMA_BUF_IOCTL_IMPORT_SYNC_FILE, NULL), EFAULT, "NULL");
	expect_errno(ioctl(t->fd, DMA_BUF_IOCTL_IMPORT_SYNC_FILE, edge_of_memory(7)), EFAULT,
		     "an argument with one byte that cannot be read");
}

CONFORM(sync_file, write_fence, NEED_SW_SYNC,
	"Readers and writers wait for a fence that was imported for a write: a\n"
	"sync_file exported for either is pending until the fence signals.")
{
	int fence = timeline_import(t, 1, t->fd, WRITE);
	int reader = export(t, READ), writer = export(t, WRITE);

	expect_status(reader, 0, "the reader's sync_file");
	expect_status(writer, 0, "the writer's sync_file");
	expect(!poll_once(reader, POLLIN, 0), "poll() finds the reader's signalled");
	timeline_advance(t->timeline, 1);
	expect_status(fence, 1, "the fence that was imported");
	expect(poll_once(reader, POLLIN, 5000) == POLLIN, "the reader's does not signal");
	expect(poll_once(writer, POLLIN, 5000) == POLLIN, "the writer's does not signal");
	expect_status(reader, 1, "the reader's sync_file at the end");
}

CONFORM(sync_file, read_fence, NEED_SW_SYNC,
	"Only writers wait for a fence that was imported for a read.")
{
	int reader, writer;

	timeline_import(t, 1, t->fd, READ);
	reader = export(t, READ);
	writer = export(t, WRITE);
	expect_status(reader, 1, "the reader's sync_file");
	expect_status(writer, 0, "the writer's sync_file");
	expect_status(export(t, RW), 0, "the sync_file for both");
	timeline_advance(t->timeline, 1);
	expect(poll_once(writer, POLLIN, 5000) == POLLIN, "the writer's does not signal");
}

CONFORM(sync_file, both_means_write, NEED_SW_SYNC,
	"READ and WRITE together mean WRITE: readers wait for a fence that was\n"
	"imported with both.")
{
	timeline_import(t, 1, t->fd, RW);
	expect_status(export(t, READ), 0, "the reader's sync_file");
	timeline_advance(t->timeline, 1);
	expect_status(export(t, READ), 1, "the reader's sync_file after the fence");
}

CONFORM(sync_file, snapshot, NEED_SW_SYNC,
	"A sync_file covers the fences that were pending when it was exported. It\n"
	"does not wait for a fence that is added later.")
{
	int early;

	timeline_import(t, 1, t->fd, WRITE);
	early = export(t, READ);
	timeline_import(t, 2, t->fd, WRITE);
	timeline_advance(t->timeline, 1);
	expect_status(early, 1, "the early sync_file");
	expect_status(export(t, READ), 0, "a late sync_file");
	timeline_advance(t->timeline, 1);
	expect_status(export(t, READ), 1, "a sync_file at the end");
}

CONFORM(sync_file, several, NEED_SW_SYNC,
	"Importing a sync_file of several fences adds all of them: the buffer is idle\n"
	"when the last one has signalled.")
{
	int other = timeline_open(), merged, err;

	require(other >= 0, "no second timeline: %s", errno_name(-other));
	merged = sync_file_merge(timeline_fence(t->timeline, 1), timeline_fence(other, 1));
	err = buffer_import_sync_file(t->fd, WRITE, merged);
	require(!err, "a merged sync_file cannot be imported: %s", errno_name(-err));
	close(merged);
	expect_status(export(t, READ), 0, "a sync_file before both");
	timeline_advance(t->timeline, 1);
	expect_status(export(t, READ), 0, "a sync_file between the two");
	timeline_advance(other, 1);
	expect_status(export(t, READ), 1, "a sync_file after both");
}
