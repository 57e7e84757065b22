// SPDX-License-Identifier: GPL-2.0-only
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "testdev.h"

int testdev_create(int testdev, __u32 kind, __u64 length, __u32 *id)
{
	struct dma_buf_test_create arg = {
		.size = sizeof(arg),
		.kind = kind,
		.length = length,
		.fd_flags = O_RDWR | O_CLOEXEC,
	};
	int err = testdev_ioctl(testdev, DMA_BUF_TEST_CREATE, &arg);

	if (err)
		return err;
	*id = arg.id;
	return arg.fd;
}

static int set_op(int testdev, struct dma_buf_test_set_op arg)
{
	arg.size = sizeof(arg);
	return testdev_ioctl(testdev, DMA_BUF_TEST_SET_OP, &arg);
}

/* Make a hook return an error from now on; 0: make it work again. */
int testdev_fail(int testdev, __u32 id, __u32 op, int error)
{
	return set_op(testdev, (struct dma_buf_test_set_op) {
		.id = id, .op = op, .error = error,
	});
}

int testdev_delay(int testdev, __u32 id, __u32 op, __u32 delay_ms, __u32 flags)
{
	return set_op(testdev, (struct dma_buf_test_set_op) {
		.id = id, .op = op, .delay_ms = delay_ms, .flags = flags,
	});
}

int testdev_migrate(int testdev, __u32 id, __u32 delay_ms)
{
	struct dma_buf_test_migrate arg = {
		.size = sizeof(arg),
		.id = id,
		.delay_ms = delay_ms,
	};

	return testdev_ioctl(testdev, DMA_BUF_TEST_MIGRATE, &arg);
}

/* Returns a structure with all bits set if the ioctl fails, which no test expects */
struct dma_buf_test_exporter_info testdev_exporter(int testdev, __u32 id)
{
	struct dma_buf_test_exporter_info arg = { .size = sizeof(arg), .id = id };

	if (ioctl(testdev, DMA_BUF_TEST_EXPORTER_INFO, &arg))
		memset(&arg, 0xff, sizeof(arg));
	return arg;
}

struct dma_buf_test_importer_info testdev_importer(int testdev, __u32 id)
{
	struct dma_buf_test_importer_info arg = { .size = sizeof(arg), .id = id };

	if (ioctl(testdev, DMA_BUF_TEST_IMPORTER_INFO, &arg))
		memset(&arg, 0xff, sizeof(arg));
	return arg;
}

static void describe(const struct dma_buf_test_call *call, char *text, size_t len)
{
	static const char * const ops[HOOKS] = {
		[HOOK_ATTACH] = "attach",
		[HOOK_DETACH] = "detach",
		[HOOK_PIN] = "pin",
		[HOOK_UNPIN] = "unpin",
		[HOOK_MAP] = "map",
		[HOOK_UNMAP] = "unmap",
		[HOOK_BEGIN] = "begin",
		[HOOK_END] = "end",
		[HOOK_MMAP] = "mmap",
		[HOOK_VMAP] = "vmap",
		[HOOK_VUNMAP] = "vunmap",
		[HOOK_RELEASE] = "release",
	};
	static const char * const dirs[] = { ":both", ":to", ":from" };
	const char *op = "?", *dir = "";
	char result[16] = "";

	if (call->op < HOOKS && ops[call->op])
		op = ops[call->op];
	switch (call->op) {
	case HOOK_MAP:
	case HOOK_UNMAP:
	case HOOK_BEGIN:
	case HOOK_END:
		dir = call->dir <= DIR_FROM_DEVICE ? dirs[call->dir] : ":?";
		break;
	}
	if (call->result)
		snprintf(result, sizeof(result), "=%d", call->result);
	snprintf(text, len, "%s%s%s", op, dir, result);
}

/*
 * Returns the hooks that were called since the last such call, as words
 * separated by blanks: "attach map:both unmap:both detach", "begin:from=-5".
 */
const char *testdev_log(int testdev, __u32 id)
{
	static char text[DMA_BUF_TEST_LOG_LEN * 24];
	struct dma_buf_test_call calls[DMA_BUF_TEST_LOG_LEN];
	struct dma_buf_test_log arg = {
		.size = sizeof(arg),
		.id = id,
		.flags = DMA_BUF_TEST_CLEAR,
		.count = DMA_BUF_TEST_LOG_LEN,
		.calls = (uintptr_t)calls,
	};
	char word[24];
	__u32 i;

	if (ioctl(testdev, DMA_BUF_TEST_LOG, &arg))
		return strerror(errno);
	text[0] = '\0';
	for (i = 0; i < arg.count; i++) {
		describe(&calls[i], word, sizeof(word));
		if (i)
			strcat(text, " ");
		strcat(text, word);
	}
	if (arg.lost)
		strcat(text, " ...");
	return text;
}

int testdev_hold(int testdev, int fd)
{
	struct dma_buf_test_hold arg = { .size = sizeof(arg), .fd = fd };
	int err = testdev_ioctl(testdev, DMA_BUF_TEST_HOLD, &arg);

	return err ? err : (int)arg.id;
}

int testdev_fence(int testdev, int fd, __u32 usage, __u32 delay_ms)
{
	struct dma_buf_test_fence arg = {
		.size = sizeof(arg),
		.fd = fd,
		.usage = usage,
		.delay_ms = delay_ms,
	};
	int err = testdev_ioctl(testdev, DMA_BUF_TEST_FENCE, &arg);

	return err ? err : (int)arg.id;
}

int testdev_signal(int testdev, __u32 id, int error)
{
	struct dma_buf_test_signal arg = {
		.size = sizeof(arg),
		.id = id,
		.error = error,
	};

	return testdev_ioctl(testdev, DMA_BUF_TEST_SIGNAL, &arg);
}

int testdev_attach(int testdev, int fd, __u32 flags)
{
	struct dma_buf_test_attach arg = {
		.size = sizeof(arg),
		.fd = fd,
		.flags = flags,
	};
	int err = testdev_ioctl(testdev, DMA_BUF_TEST_ATTACH, &arg);

	return err ? err : (int)arg.id;
}

int testdev_map(int testdev, __u32 id, __u32 dir)
{
	struct dma_buf_test_map arg = { .size = sizeof(arg), .id = id, .dir = dir };

	return testdev_ioctl(testdev, DMA_BUF_TEST_MAP, &arg);
}

static int with_id(int testdev, unsigned long nr, __u32 id)
{
	struct dma_buf_test_id arg = { .size = sizeof(arg), .id = id };

	return testdev_ioctl(testdev, nr, &arg);
}

int testdev_unmap(int testdev, __u32 id)
{
	return with_id(testdev, DMA_BUF_TEST_UNMAP, id);
}

int testdev_pin(int testdev, __u32 id)
{
	return with_id(testdev, DMA_BUF_TEST_PIN, id);
}

int testdev_unpin(int testdev, __u32 id)
{
	return with_id(testdev, DMA_BUF_TEST_UNPIN, id);
}

int testdev_free(int testdev, __u32 id)
{
	return with_id(testdev, DMA_BUF_TEST_FREE, id);
}

static int rw(int testdev, struct dma_buf_test_rw arg)
{
	arg.size = sizeof(arg);
	return testdev_ioctl(testdev, DMA_BUF_TEST_RW, &arg);
}

int testdev_read(int testdev, __u32 id, __u64 offset, void *data, size_t len)
{
	return rw(testdev, (struct dma_buf_test_rw) {
		.id = id, .offset = offset, .length = len, .data = (uintptr_t)data,
	});
}

int testdev_write(int testdev, __u32 id, __u64 offset, const void *data, size_t len)
{
	return rw(testdev, (struct dma_buf_test_rw) {
		.id = id, .offset = offset, .length = len, .data = (uintptr_t)data,
		.flags = DMA_BUF_TEST_RW_WRITE,
	});
}

int testdev_vmap(int testdev, int fd)
{
	struct dma_buf_test_vmap arg = { .size = sizeof(arg), .fd = fd };
	int err = testdev_ioctl(testdev, DMA_BUF_TEST_VMAP, &arg);

	return err ? err : (int)arg.id;
}

int testdev_choose_mmap(int testdev, int fd)
{
	struct dma_buf_test_mmap arg = { .size = sizeof(arg), .fd = fd };

	return testdev_ioctl(testdev, DMA_BUF_TEST_MMAP, &arg);
}
