// SPDX-License-Identifier: GPL-2.0-only
/*
 * What an importer gets from the core, and what the core asks of the exporter for
 * it: attachments, mappings, pins, moves. Both are the test device; at the end it
 * imports what the other exporters make.
 */
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include "fixture.h"
#include "testdev.h"

#define DYNAMIC		DMA_BUF_TEST_IMPORTER_DYNAMIC

static void *map_rw(int fd, size_t len, off_t offset)
{
	return mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, offset);
}

/*
 * Each kind of importer with each kind of exporter
 */

FIXTURE(pair) {
	int testdev;
	int fd;
	__u32 id;
	size_t size;
	int importer;
};

FIXTURE_VARIANT(pair) {
	__u32 kind;
	__u32 flags;
	bool pins;		/* a mapping pins */
	bool waits;		/* a mapping waits for the kernel's fences */
};

FIXTURE_VARIANT_ADD(pair, static_static) {
	.waits = true,
};

FIXTURE_VARIANT_ADD(pair, dynamic_exporter) {
	.kind = DMA_BUF_TEST_DYNAMIC,
	.pins = true,
	.waits = true,
};

FIXTURE_VARIANT_ADD(pair, dynamic_importer) {
	.flags = DYNAMIC,
};

FIXTURE_VARIANT_ADD(pair, dynamic_dynamic) {
	.kind = DMA_BUF_TEST_DYNAMIC,
	.flags = DYNAMIC,
};

FIXTURE_SETUP(pair)
{
	self->testdev = need_testdev(_metadata);
	self->size = TEST_PAGES * getpagesize();
	self->fd = testdev_create(self->testdev, variant->kind, self->size, &self->id);
	ASSERT_LE(0, self->fd);
	self->importer = testdev_attach(self->testdev, self->fd, variant->flags);
	ASSERT_LT(0, self->importer);
	ASSERT_STREQ("attach", testdev_log(self->testdev, self->id));
}

FIXTURE_TEARDOWN(pair)
{
	close(self->fd);
	close(self->testdev);
}

TEST_F(pair, order_of_hooks)
{
	ASSERT_EQ(0, testdev_map(self->testdev, self->importer, DIR_BOTH));
	EXPECT_STREQ(variant->pins ? "pin map:both" : "map:both",
		     testdev_log(self->testdev, self->id));
	ASSERT_EQ(0, testdev_unmap(self->testdev, self->importer));
	EXPECT_STREQ(variant->pins ? "unmap:both unpin" : "unmap:both",
		     testdev_log(self->testdev, self->id));
	ASSERT_EQ(0, testdev_free(self->testdev, self->importer));
	EXPECT_STREQ("detach", testdev_log(self->testdev, self->id));
	EXPECT_EQ(1, fdinfo_count(self->fd));
}

TEST_F(pair, directions)
{
	ASSERT_EQ(0, testdev_map(self->testdev, self->importer, DIR_TO_DEVICE));
	ASSERT_EQ(0, testdev_map(self->testdev, self->importer, DIR_FROM_DEVICE));
	ASSERT_EQ(0, testdev_map(self->testdev, self->importer, DIR_BOTH));
	EXPECT_STREQ(variant->pins ? "pin map:to pin map:from pin map:both" :
		     "map:to map:from map:both", testdev_log(self->testdev, self->id));
	EXPECT_EQ(3, testdev_exporter(self->testdev, self->id).mapped);
	EXPECT_EQ(variant->pins ? 3 : 0, testdev_exporter(self->testdev, self->id).pinned);
	ASSERT_EQ(0, testdev_free(self->testdev, self->importer));
	EXPECT_EQ(0, testdev_exporter(self->testdev, self->id).mapped);
	EXPECT_EQ(0, testdev_exporter(self->testdev, self->id).pinned);
}

static long fdinfo_number(int fd, const char *key)
{
	char value[64];

	return fdinfo_get(fd, key, value, sizeof(value)) == 1 ? atol(value) : -1;
}

TEST_F(pair, fdinfo_of_users)
{
	char value[256];
	int other;

	EXPECT_EQ(1, fdinfo_number(self->fd, "attachments"));
	EXPECT_EQ(0, fdinfo_number(self->fd, "mappings"));
	EXPECT_EQ(0, fdinfo_number(self->fd, "pinned"));
	EXPECT_EQ(0, fdinfo_number(self->fd, "vmaps"));
	/* A driver or a bus, and the device */
	ASSERT_EQ(1, fdinfo_get(self->fd, "attached", value, sizeof(value)));
	EXPECT_NE(NULL, strchr(value, ' '));

	ASSERT_EQ(0, testdev_map(self->testdev, self->importer, DIR_TO_DEVICE));
	ASSERT_EQ(0, testdev_map(self->testdev, self->importer, DIR_BOTH));
	other = testdev_attach(self->testdev, self->fd, variant->flags);
	ASSERT_LT(0, other);
	ASSERT_EQ(0, testdev_map(self->testdev, other, DIR_BOTH));
	EXPECT_EQ(2, fdinfo_number(self->fd, "attachments"));
	EXPECT_EQ(2, fdinfo_get(self->fd, "attached", NULL, 0));
	EXPECT_EQ(3, fdinfo_number(self->fd, "mappings"));
	EXPECT_EQ(variant->pins ? 3 : 0, fdinfo_number(self->fd, "pinned"));
	if (variant->flags & DYNAMIC) {
		ASSERT_EQ(0, testdev_pin(self->testdev, other));
		EXPECT_EQ(1, fdinfo_number(self->fd, "pinned"));
		ASSERT_EQ(0, testdev_unpin(self->testdev, other));
	}

	ASSERT_EQ(0, testdev_free(self->testdev, other));
	EXPECT_EQ(1, fdinfo_number(self->fd, "attachments"));
	EXPECT_EQ(2, fdinfo_number(self->fd, "mappings"));
	ASSERT_EQ(0, testdev_free(self->testdev, self->importer));
	EXPECT_EQ(0, fdinfo_number(self->fd, "attachments"));
	EXPECT_EQ(0, fdinfo_number(self->fd, "mappings"));
	EXPECT_EQ(0, fdinfo_number(self->fd, "pinned"));
	EXPECT_EQ(0, fdinfo_get(self->fd, "attached", NULL, 0));
}

/* A failure of whatever step undoes those before, and the next try works */
TEST_F(pair, map_fails)
{
	const int errors[] = { ENOMEM, EIO, EBUSY, EINVAL, ENODEV, EINTR };
	char expected[64];
	int i;

	for (i = 0; i < ARRAY_SIZE(errors); i++) {
		ASSERT_EQ(0, testdev_fail(self->testdev, self->id, HOOK_MAP,
					  -errors[i]));
		EXPECT_EQ(-errors[i], testdev_map(self->testdev, self->importer, DIR_BOTH));
		snprintf(expected, sizeof(expected), variant->pins ?
			 "pin map:both=-%d unpin" : "map:both=-%d", errors[i]);
		EXPECT_STREQ(expected, testdev_log(self->testdev, self->id));
	}
	ASSERT_EQ(0, testdev_fail(self->testdev, self->id, HOOK_MAP, 0));
	EXPECT_EQ(0, testdev_map(self->testdev, self->importer, DIR_BOTH));
	EXPECT_EQ(1, testdev_importer(self->testdev, self->importer).mapped);
}

TEST_F(pair, map_returns_null)
{
	ASSERT_EQ(0, testdev_delay(self->testdev, self->id, HOOK_MAP, 0,
				   DMA_BUF_TEST_NULL));
	EXPECT_EQ(-ENOMEM, testdev_map(self->testdev, self->importer, DIR_TO_DEVICE));
	EXPECT_STREQ(variant->pins ? "pin map:to unpin" : "map:to",
		     testdev_log(self->testdev, self->id));
	EXPECT_EQ(0, testdev_exporter(self->testdev, self->id).mapped);
	EXPECT_EQ(0, testdev_exporter(self->testdev, self->id).pinned);
}

TEST_F(pair, map_interrupted_in_hook)
{
	ASSERT_EQ(0, testdev_delay(self->testdev, self->id, HOOK_MAP,
				   WAKE_MS, 0));
	signals_begin();
	EXPECT_EQ(-EINTR, testdev_map(self->testdev, self->importer, DIR_BOTH));
	signals_end();
	EXPECT_STREQ(variant->pins ? "pin map:both=-512 unpin" : "map:both=-512",
		     testdev_log(self->testdev, self->id));
}

/*
 * A static importer looks at no fences: it gets its table when what the kernel does
 * to the memory is done, whether it is older than the mapping or was begun by it.
 */
TEST_F(pair, kernel_fence)
{
	const char *undone = "map:both unmap:both";

	if (variant->pins)
		undone = "pin map:both unmap:both unpin";

	ASSERT_LT(0, testdev_fence(self->testdev, self->fd, DMA_BUF_TEST_KERNEL, 0));
	signals_begin();
	EXPECT_EQ(variant->waits ? -EINTR : 0,
		  testdev_map(self->testdev, self->importer, DIR_BOTH));
	signals_end();
	EXPECT_STREQ(variant->waits ? undone : "map:both",
		     testdev_log(self->testdev, self->id));
	EXPECT_EQ(!variant->waits, testdev_exporter(self->testdev, self->id).mapped);
	EXPECT_EQ(0, testdev_exporter(self->testdev, self->id).pinned);
}

TEST_F(pair, kernel_fence_signals)
{
	int fence = testdev_fence(self->testdev, self->fd, DMA_BUF_TEST_KERNEL,
				  variant->waits ? DELAY_MS : 10000);

	ASSERT_LT(0, fence);
	ASSERT_EQ(0, testdev_map(self->testdev, self->importer, DIR_BOTH));
	EXPECT_EQ(variant->waits ? -EALREADY : 0,
		  testdev_signal(self->testdev, fence, 0));
	EXPECT_EQ(1, testdev_exporter(self->testdev, self->id).mapped);
}

TEST_F(pair, kernel_fence_of_hook)
{
	char byte = 'x';
	int vmap;

	vmap = testdev_vmap(self->testdev, self->fd);
	ASSERT_LT(0, vmap);
	ASSERT_EQ(0, testdev_write(self->testdev, vmap, 0, "m", 1));
	ASSERT_EQ(0, testdev_free(self->testdev, vmap));

	ASSERT_EQ(0, testdev_delay(self->testdev, self->id, HOOK_MAP,
				   variant->waits ? DELAY_MS : 10000,
				   DMA_BUF_TEST_ASYNC));
	ASSERT_EQ(0, testdev_map(self->testdev, self->importer, DIR_TO_DEVICE));
	ASSERT_EQ(0, testdev_read(self->testdev, self->importer, 0, &byte, 1));
	/* A reader that does not wait sees the poison of the unfinished move */
	EXPECT_EQ(variant->waits ? 'm' : DMA_BUF_TEST_POISON, byte);
}

TEST_F(pair, other_fences)
{
	__u32 usage;

	for (usage = DMA_BUF_TEST_WRITE; usage <= DMA_BUF_TEST_BOOKKEEP; usage++)
		ASSERT_LT(0, testdev_fence(self->testdev, self->fd, usage, 0));
	signals_begin();
	EXPECT_EQ(0, testdev_map(self->testdev, self->importer, DIR_BOTH));
	signals_end();
}

/* Through a mapping the device has the same memory as the CPU */
TEST_F(pair, one_memory)
{
	char *map = map_rw(self->fd, self->size, 0), text[8] = "";

	ASSERT_NE(MAP_FAILED, map);
	ASSERT_EQ(0, testdev_map(self->testdev, self->importer, DIR_BOTH));
	memcpy(map + self->size - 8, "by cpu.", 8);
	ASSERT_EQ(0, testdev_read(self->testdev, self->importer, self->size - 8, text, 8));
	EXPECT_STREQ("by cpu.", text);
	/* Over the end of a page */
	ASSERT_EQ(0, testdev_write(self->testdev, self->importer, getpagesize() - 4,
				   "by dev.", 8));
	EXPECT_STREQ("by dev.", map + getpagesize() - 4);
	munmap(map, self->size);
}

/* An importer holds a reference, which may be the last one to the buffer */
TEST_F(pair, holds_the_buffer)
{
	EXPECT_EQ(2, fdinfo_count(self->fd));
	ASSERT_EQ(0, testdev_map(self->testdev, self->importer, DIR_BOTH));
	close(self->fd);
	self->fd = -1;
	EXPECT_EQ(0, testdev_exporter(self->testdev, self->id).released);
	EXPECT_EQ(0, testdev_write(self->testdev, self->importer, 0, "x", 1));
	testdev_log(self->testdev, self->id);
	ASSERT_EQ(0, testdev_free(self->testdev, self->importer));
	EXPECT_STREQ(variant->pins ? "unmap:both unpin detach release" :
		     "unmap:both detach release", testdev_log(self->testdev, self->id));
}

TEST_F(pair, shows_in_bufinfo)
{
	ino_t ino = buffer_ino(self->fd);
	int second;

	need_bufinfo(_metadata);
	EXPECT_EQ(1, bufinfo_devices(ino));
	second = testdev_attach(self->testdev, self->fd, variant->flags);
	ASSERT_LT(0, second);
	EXPECT_EQ(2, bufinfo_devices(ino));
	EXPECT_EQ(2, testdev_exporter(self->testdev, self->id).attached);
	ASSERT_EQ(0, testdev_free(self->testdev, self->importer));
	EXPECT_EQ(1, bufinfo_devices(ino));
	ASSERT_EQ(0, testdev_free(self->testdev, second));
	EXPECT_EQ(0, bufinfo_devices(ino));
}

/* A refusal is the importer's to know, and leaves nothing */
TEST_F(pair, attach_refused)
{
	const int errors[] = { EBUSY, ENODEV, EINVAL, EPERM, ENOMEM };
	char expected[32];
	int i;

	for (i = 0; i < ARRAY_SIZE(errors); i++) {
		ASSERT_EQ(0, testdev_fail(self->testdev, self->id, HOOK_ATTACH,
					  -errors[i]));
		EXPECT_EQ(-errors[i],
			  testdev_attach(self->testdev, self->fd, variant->flags));
		snprintf(expected, sizeof(expected), "attach=-%d", errors[i]);
		EXPECT_STREQ(expected, testdev_log(self->testdev, self->id));
	}
	EXPECT_EQ(1, testdev_exporter(self->testdev, self->id).attached);
	EXPECT_EQ(2, fdinfo_count(self->fd));
	if (bufinfo_readable())
		EXPECT_EQ(1, bufinfo_devices(buffer_ino(self->fd)));
	ASSERT_EQ(0, testdev_fail(self->testdev, self->id, HOOK_ATTACH, 0));
	EXPECT_LT(0, testdev_attach(self->testdev, self->fd, variant->flags));
}

/*
 * An importer that dies without cleaning up is detached before the buffer is
 * released
 */
TEST_F(pair, death_of_the_importer)
{
	int status;
	pid_t pid;

	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		int own = testdev_open(), importer;

		importer = testdev_attach(own, self->fd, variant->flags);
		_exit(importer < 0 || testdev_map(own, importer, DIR_TO_DEVICE));
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_STREQ(variant->pins ? "attach pin map:to unmap:to unpin detach" :
		     "attach map:to unmap:to detach", testdev_log(self->testdev, self->id));
	EXPECT_EQ(2, fdinfo_count(self->fd));
}

/*
 * Pins
 */

TEST_F(pair, explicit_pin)
{
	const bool counts = variant->kind & DMA_BUF_TEST_DYNAMIC;
	int i;

	if (!(variant->flags & DYNAMIC)) {
		EXPECT_EQ(-EINVAL, testdev_pin(self->testdev, self->importer));
		EXPECT_EQ(-EINVAL, testdev_unpin(self->testdev, self->importer));
		return;
	}
	for (i = 1; i <= 3; i++) {
		ASSERT_EQ(0, testdev_pin(self->testdev, self->importer));
		EXPECT_EQ(counts ? i : 0, testdev_exporter(self->testdev, self->id).pinned);
	}
	EXPECT_STREQ(counts ? "pin pin pin" : "", testdev_log(self->testdev, self->id));
	while (i-- > 1)
		ASSERT_EQ(0, testdev_unpin(self->testdev, self->importer));
	EXPECT_STREQ(counts ? "unpin unpin unpin" : "",
		     testdev_log(self->testdev, self->id));
}

/*
 * A dynamic exporter
 */

FIXTURE(dynamic) {
	int testdev;
	int fd;
	__u32 id;
	size_t size;
	char *map;
};

FIXTURE_SETUP(dynamic)
{
	self->testdev = need_testdev(_metadata);
	self->size = TEST_PAGES * getpagesize();
	self->fd = testdev_create(self->testdev, DMA_BUF_TEST_DYNAMIC, self->size,
				  &self->id);
	ASSERT_LE(0, self->fd);
	self->map = map_rw(self->fd, self->size, 0);
	ASSERT_NE(MAP_FAILED, self->map);
	testdev_log(self->testdev, self->id);
}

FIXTURE_TEARDOWN(dynamic)
{
	munmap(self->map, self->size);
	close(self->fd);
	close(self->testdev);
}

static __u32 store(int testdev, __u32 id)
{
	return testdev_exporter(testdev, id).store;
}

/* A pin that is refused: nothing is mapped for a static importer */
TEST_F(dynamic, pin_fails)
{
	int importer = testdev_attach(self->testdev, self->fd, 0);
	int dynamic = testdev_attach(self->testdev, self->fd, DYNAMIC);

	ASSERT_LT(0, importer);
	ASSERT_LT(0, dynamic);
	testdev_log(self->testdev, self->id);
	ASSERT_EQ(0, testdev_fail(self->testdev, self->id, HOOK_PIN, -ENOSPC));
	EXPECT_EQ(-ENOSPC, testdev_map(self->testdev, importer, DIR_BOTH));
	EXPECT_STREQ("pin=-28", testdev_log(self->testdev, self->id));
	EXPECT_EQ(-ENOSPC, testdev_pin(self->testdev, dynamic));
	EXPECT_STREQ("pin=-28", testdev_log(self->testdev, self->id));
	/* What was not pinned is not unpinned when the importer goes */
	ASSERT_EQ(0, testdev_free(self->testdev, dynamic));
	EXPECT_STREQ("detach", testdev_log(self->testdev, self->id));
	/* One that does not need the pin is not in the way of */
	dynamic = testdev_attach(self->testdev, self->fd, DYNAMIC);
	ASSERT_LT(0, dynamic);
	EXPECT_EQ(0, testdev_map(self->testdev, dynamic, DIR_BOTH));
}

/* The buffer moves with its content, and every dynamic importer is notified */
TEST_F(dynamic, moves)
{
	int listens = testdev_attach(self->testdev, self->fd, DYNAMIC);
	int deaf = testdev_attach(self->testdev, self->fd,
				  DYNAMIC | DMA_BUF_TEST_IMPORTER_DEAF);
	int other = testdev_attach(self->testdev, self->fd, 0);
	__u32 before = store(self->testdev, self->id);

	ASSERT_LT(0, listens);
	ASSERT_LT(0, deaf);
	ASSERT_LT(0, other);
	memset(self->map, 0x42, self->size);
	ASSERT_EQ(0, testdev_migrate(self->testdev, self->id, 0));
	EXPECT_NE(before, store(self->testdev, self->id));
	EXPECT_EQ(1, testdev_importer(self->testdev, listens).notified);
	EXPECT_EQ(0, testdev_importer(self->testdev, deaf).notified);
	EXPECT_EQ(0, testdev_importer(self->testdev, other).notified);
	/* The CPU's map follows without being asked */
	EXPECT_EQ(0x42, self->map[0]);
	EXPECT_EQ(0x42, self->map[self->size - 1]);
	ASSERT_EQ(0, testdev_migrate(self->testdev, self->id, 0));
	EXPECT_EQ(before, store(self->testdev, self->id));
	EXPECT_EQ(2, testdev_importer(self->testdev, listens).notified);
	/* The exporter is not asked anything about it */
	EXPECT_STREQ("attach attach attach", testdev_log(self->testdev, self->id));
}

/* A mapping that was made before is of no use after; a new one is */
TEST_F(dynamic, mapping_goes_stale)
{
	int importer = testdev_attach(self->testdev, self->fd, DYNAMIC);
	char byte;

	ASSERT_LT(0, importer);
	self->map[0] = 'a';
	ASSERT_EQ(0, testdev_map(self->testdev, importer, DIR_BOTH));
	ASSERT_EQ(0, testdev_read(self->testdev, importer, 0, &byte, 1));
	EXPECT_EQ('a', byte);
	ASSERT_EQ(0, testdev_migrate(self->testdev, self->id, 0));
	EXPECT_EQ(-ESTALE, testdev_read(self->testdev, importer, 0, &byte, 1));
	ASSERT_EQ(0, testdev_unmap(self->testdev, importer));
	ASSERT_EQ(0, testdev_map(self->testdev, importer, DIR_BOTH));
	ASSERT_EQ(0, testdev_read(self->testdev, importer, 0, &byte, 1));
	EXPECT_EQ('a', byte);
	self->map[0] = 'b';
	ASSERT_EQ(0, testdev_read(self->testdev, importer, 0, &byte, 1));
	EXPECT_EQ('b', byte);
}

/* The callback may unmap what it has, with the reservation held as it is */
TEST_F(dynamic, callback_lets_go)
{
	int importer = testdev_attach(self->testdev, self->fd,
				      DYNAMIC | DMA_BUF_TEST_IMPORTER_LETS_GO);

	ASSERT_LT(0, importer);
	ASSERT_EQ(0, buffer_sync(self->fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_WRITE));
	self->map[0] = 1;
	ASSERT_EQ(0, testdev_map(self->testdev, importer, DIR_BOTH));
	ASSERT_EQ(0, testdev_map(self->testdev, importer, DIR_TO_DEVICE));
	testdev_log(self->testdev, self->id);
	ASSERT_EQ(0, testdev_migrate(self->testdev, self->id, 0));
	EXPECT_STREQ("unmap:to unmap:both", testdev_log(self->testdev, self->id));
	EXPECT_EQ(1, testdev_importer(self->testdev, importer).notified);
	EXPECT_EQ(0, testdev_importer(self->testdev, importer).mapped);
	EXPECT_EQ(-ENOENT, testdev_read(self->testdev, importer, 0, &(char){ 0 }, 1));
	EXPECT_EQ(0, testdev_exporter(self->testdev, self->id).mapped);
}

/* What keeps it where it is: a pin, or a static importer's mapping */
TEST_F(dynamic, pinned)
{
	int dynamic = testdev_attach(self->testdev, self->fd, DYNAMIC);
	int importer = testdev_attach(self->testdev, self->fd, 0);
	__u32 before = store(self->testdev, self->id);

	ASSERT_LT(0, dynamic);
	ASSERT_LT(0, importer);
	self->map[0] = 1;
	ASSERT_EQ(0, testdev_pin(self->testdev, dynamic));
	EXPECT_EQ(-EBUSY, testdev_migrate(self->testdev, self->id, 0));
	ASSERT_EQ(0, testdev_map(self->testdev, importer, DIR_BOTH));
	ASSERT_EQ(0, testdev_unpin(self->testdev, dynamic));
	EXPECT_EQ(-EBUSY, testdev_migrate(self->testdev, self->id, 0));
	EXPECT_EQ(before, store(self->testdev, self->id));
	EXPECT_EQ(0, testdev_importer(self->testdev, dynamic).notified);
	ASSERT_EQ(0, testdev_unmap(self->testdev, importer));
	EXPECT_EQ(0, testdev_migrate(self->testdev, self->id, 0));
	EXPECT_NE(before, store(self->testdev, self->id));
}

/* A move that takes time: static importers wait for its end, the CPU does */
TEST_F(dynamic, slow_move)
{
	int importer = testdev_attach(self->testdev, self->fd, 0);
	int dynamic = testdev_attach(self->testdev, self->fd, DYNAMIC);
	char byte;

	ASSERT_LT(0, importer);
	ASSERT_LT(0, dynamic);
	self->map[0] = 's';
	ASSERT_EQ(0, testdev_migrate(self->testdev, self->id, 3000));
	EXPECT_EQ(0, poll_now(self->fd, POLLIN | POLLOUT));
	ASSERT_EQ(0, testdev_map(self->testdev, dynamic, DIR_TO_DEVICE));
	ASSERT_EQ(0, testdev_read(self->testdev, dynamic, 0, &byte, 1));
	EXPECT_EQ(DMA_BUF_TEST_POISON, byte);
	ASSERT_EQ(0, testdev_map(self->testdev, importer, DIR_TO_DEVICE));
	ASSERT_EQ(0, testdev_read(self->testdev, importer, 0, &byte, 1));
	EXPECT_EQ('s', byte);
	EXPECT_EQ(POLLIN | POLLOUT, poll_now(self->fd, POLLIN | POLLOUT));
}

TEST_F(dynamic, slow_move_and_sync)
{
	self->map[0] = 's';
	ASSERT_EQ(0, testdev_migrate(self->testdev, self->id, 3000));
	EXPECT_EQ(DMA_BUF_TEST_POISON, self->map[0]);
	ASSERT_EQ(0, buffer_sync(self->fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ));
	EXPECT_EQ('s', self->map[0]);
	ASSERT_EQ(0, buffer_sync(self->fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_READ));
}

/* The exporter, not the core, knows what its memory can do */
TEST_F(dynamic, peer_to_peer_is_taken_back)
{
	int importer = testdev_attach(self->testdev, self->fd, DYNAMIC |
				      DMA_BUF_TEST_IMPORTER_PEER2PEER);

	ASSERT_LT(0, importer);
	EXPECT_EQ(0, testdev_importer(self->testdev, importer).peer2peer);
}

/* An importer without a callback pins before it maps, and the memory stays */
TEST_F(dynamic, deaf_importer)
{
	int importer = testdev_attach(self->testdev, self->fd,
				      DYNAMIC | DMA_BUF_TEST_IMPORTER_DEAF);

	ASSERT_LT(0, importer);
	self->map[0] = 1;
	ASSERT_EQ(0, testdev_pin(self->testdev, importer));
	ASSERT_EQ(0, testdev_map(self->testdev, importer, DIR_BOTH));
	EXPECT_EQ(-EBUSY, testdev_migrate(self->testdev, self->id, 0));
	EXPECT_STREQ("attach pin map:both", testdev_log(self->testdev, self->id));
	ASSERT_EQ(0, testdev_unmap(self->testdev, importer));
	ASSERT_EQ(0, testdev_unpin(self->testdev, importer));
	EXPECT_EQ(0, testdev_migrate(self->testdev, self->id, 0));
}

/*
 * Defect of the stock core: an unpin too many reaches the exporter, and undoes
 * another importer's pin. Kernels with debug checks warn of it, which the test
 * announces in the log.
 */
TEST_F(dynamic, unpin_too_many)
{
	int guilty = testdev_attach(self->testdev, self->fd, DYNAMIC);
	int innocent = testdev_attach(self->testdev, self->fd, DYNAMIC);
	bool warns;

	ASSERT_LT(0, guilty);
	ASSERT_LT(0, innocent);
	ASSERT_EQ(0, testdev_pin(self->testdev, innocent));
	testdev_log(self->testdev, self->id);
	warns = expect_warning("unpins what it has not pinned");
	EXPECT_EQ(0, testdev_unpin(self->testdev, guilty));
	if (warns)
		expect_warning_end();
	EXPECT_STREQ("", testdev_log(self->testdev, self->id));
	EXPECT_EQ(1, testdev_exporter(self->testdev, self->id).pinned);
}

/*
 * An exporter that has its mappings kept
 */

FIXTURE(cached) {
	int testdev;
	int fd;
	__u32 id;
	int importer;
};

FIXTURE_VARIANT(cached) {
	__u32 flags;
};

FIXTURE_VARIANT_ADD(cached, static_importer) {
	.flags = 0,
};

FIXTURE_VARIANT_ADD(cached, dynamic_importer) {
	.flags = DYNAMIC,
};

FIXTURE_SETUP(cached)
{
	self->testdev = need_testdev(_metadata);
	self->fd = testdev_create(self->testdev, DMA_BUF_TEST_CACHED,
				  TEST_PAGES * getpagesize(), &self->id);
	ASSERT_LE(0, self->fd);
	self->importer = testdev_attach(self->testdev, self->fd, variant->flags);
	ASSERT_LT(0, self->importer);
	testdev_log(self->testdev, self->id);
}

FIXTURE_TEARDOWN(cached)
{
	close(self->fd);
	close(self->testdev);
}

TEST_F(cached, mapped_once)
{
	int i;

	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, testdev_map(self->testdev, self->importer, DIR_BOTH));
	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, testdev_unmap(self->testdev, self->importer));
	ASSERT_EQ(0, testdev_map(self->testdev, self->importer, DIR_BOTH));
	ASSERT_EQ(0, testdev_unmap(self->testdev, self->importer));
	EXPECT_STREQ("map:both", testdev_log(self->testdev, self->id));
	EXPECT_EQ(1, testdev_exporter(self->testdev, self->id).mapped);
	ASSERT_EQ(0, testdev_free(self->testdev, self->importer));
	EXPECT_STREQ("unmap:both detach", testdev_log(self->testdev, self->id));
}

/* Both ways includes each way, and no way another */
TEST_F(cached, directions)
{
	int second;

	ASSERT_EQ(0, testdev_map(self->testdev, self->importer, DIR_BOTH));
	EXPECT_EQ(0, testdev_map(self->testdev, self->importer, DIR_TO_DEVICE));
	EXPECT_EQ(0, testdev_map(self->testdev, self->importer, DIR_FROM_DEVICE));
	EXPECT_STREQ("map:both", testdev_log(self->testdev, self->id));

	second = testdev_attach(self->testdev, self->fd, variant->flags);
	ASSERT_LT(0, second);
	ASSERT_EQ(0, testdev_map(self->testdev, second, DIR_TO_DEVICE));
	EXPECT_EQ(-EBUSY, testdev_map(self->testdev, second, DIR_FROM_DEVICE));
	EXPECT_EQ(-EBUSY, testdev_map(self->testdev, second, DIR_BOTH));
	EXPECT_EQ(0, testdev_map(self->testdev, second, DIR_TO_DEVICE));
	/* It is kept, so unmapping does not change that */
	ASSERT_EQ(0, testdev_unmap(self->testdev, second));
	ASSERT_EQ(0, testdev_unmap(self->testdev, second));
	EXPECT_EQ(-EBUSY, testdev_map(self->testdev, second, DIR_FROM_DEVICE));
	EXPECT_STREQ("attach map:to", testdev_log(self->testdev, self->id));
	ASSERT_EQ(0, testdev_free(self->testdev, second));
	EXPECT_STREQ("unmap:to detach", testdev_log(self->testdev, self->id));
}

TEST_F(cached, failure_is_not_kept)
{
	ASSERT_EQ(0, testdev_fail(self->testdev, self->id, HOOK_MAP, -EIO));
	EXPECT_EQ(-EIO, testdev_map(self->testdev, self->importer, DIR_TO_DEVICE));
	ASSERT_EQ(0, testdev_fail(self->testdev, self->id, HOOK_MAP, 0));
	EXPECT_EQ(0, testdev_map(self->testdev, self->importer, DIR_FROM_DEVICE));
	EXPECT_STREQ("map:to=-5 map:from", testdev_log(self->testdev, self->id));
}

/* Kept or not, a static importer waits each time */
TEST_F(cached, waits_each_time)
{
	int fence;

	ASSERT_EQ(0, testdev_map(self->testdev, self->importer, DIR_BOTH));
	fence = testdev_fence(self->testdev, self->fd, DMA_BUF_TEST_KERNEL, 0);
	ASSERT_LT(0, fence);
	signals_begin();
	EXPECT_EQ(variant->flags ? 0 : -EINTR,
		  testdev_map(self->testdev, self->importer, DIR_BOTH));
	signals_end();
	ASSERT_EQ(0, testdev_signal(self->testdev, fence, 0));
	EXPECT_EQ(0, testdev_map(self->testdev, self->importer, DIR_BOTH));
	EXPECT_STREQ("map:both", testdev_log(self->testdev, self->id));
}

/*
 * The test device as an importer of other exporters' buffers, and as a driver
 * whose mmap() maps the imported buffer
 */

FIXTURE(others) {
	int testdev;
	int fd;
	size_t size;
	ino_t ino;
};

FIXTURE_VARIANT(others) {
	enum exporter exporter;
};

EVERY_EXPORTER(others);

FIXTURE_SETUP(others)
{
	self->testdev = need_testdev(_metadata);
	self->fd = need_buffer(_metadata, variant->exporter, &self->size,
			       O_RDWR | O_CLOEXEC);
	self->ino = buffer_ino(self->fd);
}

FIXTURE_TEARDOWN(others)
{
	close(self->fd);
	close(self->testdev);
}

TEST_F(others, attach_and_map)
{
	const __u32 dirs[] = { DIR_BOTH, DIR_TO_DEVICE, DIR_FROM_DEVICE };
	struct dma_buf_test_map map = { .size = sizeof(map) };
	int importer, i;

	for (i = 0; i < ARRAY_SIZE(dirs); i++) {
		importer = testdev_attach(self->testdev, self->fd, 0);
		ASSERT_LT(0, importer);
		map.id = importer;
		map.dir = dirs[i];
		ASSERT_EQ(0, testdev_ioctl(self->testdev, DMA_BUF_TEST_MAP, &map));
		EXPECT_LT(0, map.nents);
		/* udmabuf's table has pages, videobuf2's too: the whole buffer */
		EXPECT_LE(self->size - getpagesize() + 1, map.length);
		EXPECT_EQ(1, bufinfo_readable() ? bufinfo_devices(self->ino) : 1);
		ASSERT_EQ(0, testdev_free(self->testdev, importer));
	}
	EXPECT_EQ(1, fdinfo_count(self->fd));
}

TEST_F(others, dynamic_importer)
{
	int importer = testdev_attach(self->testdev, self->fd, DYNAMIC);

	ASSERT_LT(0, importer);
	ASSERT_EQ(0, testdev_pin(self->testdev, importer));
	ASSERT_EQ(0, testdev_map(self->testdev, importer, DIR_BOTH));
	ASSERT_EQ(0, testdev_unmap(self->testdev, importer));
	ASSERT_EQ(0, testdev_unpin(self->testdev, importer));
	ASSERT_EQ(0, testdev_free(self->testdev, importer));
	EXPECT_EQ(1, fdinfo_count(self->fd));
}

TEST_F(others, device_and_cpu_agree)
{
	int importer = testdev_attach(self->testdev, self->fd, 0);
	char *map = map_rw(self->fd, self->size, 0), text[8] = "";

	ASSERT_LT(0, importer);
	ASSERT_NE(MAP_FAILED, map);
	ASSERT_EQ(0, buffer_sync(self->fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW));
	memcpy(map + getpagesize() - 4, "by cpu.", 8);
	ASSERT_EQ(0, buffer_sync(self->fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_RW));
	ASSERT_EQ(0, testdev_map(self->testdev, importer, DIR_BOTH));
	ASSERT_EQ(0, testdev_read(self->testdev, importer, getpagesize() - 4, text, 8));
	EXPECT_STREQ("by cpu.", text);
	ASSERT_EQ(0, testdev_write(self->testdev, importer, 5, "by dev.", 8));
	ASSERT_EQ(0, testdev_unmap(self->testdev, importer));
	ASSERT_EQ(0, buffer_sync(self->fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ));
	EXPECT_STREQ("by dev.", map + 5);
	ASSERT_EQ(0, buffer_sync(self->fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_READ));
	munmap(map, self->size);
}

/* A map of the importer's file is one of the buffer: named, counted, bounded so */
TEST_F(others, mmap_of_the_importer)
{
	char line[512], *map, *own;
	bool named = false;
	FILE *f;

	EXPECT_EQ(MAP_FAILED, map_rw(self->testdev, self->size, 0));
	EXPECT_EQ(ENODEV, errno);
	ASSERT_EQ(0, buffer_set_name(self->fd, "by-importer"));
	ASSERT_EQ(0, testdev_choose_mmap(self->testdev, self->fd));
	EXPECT_EQ(2, fdinfo_count(self->fd));

	map = map_rw(self->testdev, self->size, 0);
	own = map_rw(self->fd, self->size, 0);
	ASSERT_NE(MAP_FAILED, map);
	ASSERT_NE(MAP_FAILED, own);
	EXPECT_EQ(4, fdinfo_count(self->fd));
	map[0] = 0x31;
	EXPECT_EQ(0x31, own[0]);
	munmap(own, self->size);

	f = fopen("/proc/self/maps", "re");
	ASSERT_NE(NULL, f);
	while (fgets(line, sizeof(line), f))
		if (strstr(line, "/dmabuf:by-importer"))
			named = true;
	fclose(f);
	EXPECT_TRUE(named);

	EXPECT_EQ(MAP_FAILED, mremap(map, self->size, 2 * self->size, MREMAP_MAYMOVE));
	/* It does not need the importer any more */
	close(self->testdev);
	self->testdev = -1;
	close(self->fd);
	EXPECT_EQ(0x31, map[0]);
	if (bufinfo_readable())
		EXPECT_EQ(1, bufinfo_lines(self->ino));
	munmap(map, self->size);
	if (bufinfo_readable())
		EXPECT_EQ(0, bufinfo_lines(self->ino));
	self->fd = -1;
}

TEST_F(others, mmap_of_the_importer_bounds)
{
	const size_t page = getpagesize();

	ASSERT_EQ(0, testdev_choose_mmap(self->testdev, self->fd));
	EXPECT_EQ(MAP_FAILED, map_rw(self->testdev, self->size + page, 0));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(MAP_FAILED, map_rw(self->testdev, page, self->size));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(MAP_FAILED, map_rw(self->testdev, 2 * page, self->size - page));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(2, fdinfo_count(self->fd));
	ASSERT_EQ(0, testdev_choose_mmap(self->testdev, -1));
	EXPECT_EQ(1, fdinfo_count(self->fd));
	EXPECT_EQ(MAP_FAILED, map_rw(self->testdev, page, 0));
	EXPECT_EQ(ENODEV, errno);
}

TEST_HARNESS_MAIN
