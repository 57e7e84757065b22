/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the fixtures of the dma-buf selftests share: variants by exporter, and
 * functions that get what a test needs. If it is missing they skip the test,
 * from a fixture's setup as well as from the test itself.
 */
#ifndef SELFTESTS_DMA_BUF_FIXTURE_H
#define SELFTESTS_DMA_BUF_FIXTURE_H

#include <string.h>

#include "../kselftest_harness.h"
#include "util.h"

/*
 * Lists of variants, for fixtures whose variants have an enum exporter as their
 * first member. Each ends in a declaration, so that a semicolon can follow.
 */

/* Exporters that can make read-only descriptors: udmabuf cannot */
#define READONLY_EXPORTERS(type)					\
	FIXTURE_VARIANT_ADD(type, system_heap) { SYSTEM_HEAP };		\
	FIXTURE_VARIANT_ADD(type, vgem) { VGEM };			\
	FIXTURE_VARIANT_ADD(type, vivid) { VIVID };			\
	FIXTURE_VARIANT_ADD(type, testdev) { TESTDEV };			\
	struct _fixture_variant_##type

#define EVERY_EXPORTER(type)						\
	READONLY_EXPORTERS(type);					\
	FIXTURE_VARIANT_ADD(type, udmabuf) { UDMABUF };			\
	struct _fixture_variant_##type

/*
 * Skip from a function that a test calls. The kselftest harness takes the
 * result from the exit status of the test's process, whose exit also closes
 * what a setup has opened.
 */
#define SKIP_TEST(fmt, ...)	SKIP(_exit(KSFT_SKIP), fmt, ##__VA_ARGS__)

static inline void need_exporter(struct __test_metadata *_metadata,
				 enum exporter exporter, int fd)
{
	if (exporter_missing(fd))
		SKIP_TEST("%s: %s", exporter_node(exporter), strerror(-fd));
	ASSERT_LE(0, fd);
}

/* A buffer of at least TEST_PAGES; *size becomes what it has */
static inline int need_buffer(struct __test_metadata *_metadata,
			      enum exporter exporter, size_t *size, int flags)
{
	int fd;

	*size = TEST_PAGES * getpagesize();
	fd = exporter_alloc(exporter, size, flags);
	need_exporter(_metadata, exporter, fd);
	return fd;
}

static inline int need_timeline(struct __test_metadata *_metadata)
{
	int timeline = timeline_open();

	if (exporter_missing(timeline))
		SKIP_TEST("%s: %s", SW_SYNC, strerror(-timeline));
	ASSERT_LE(0, timeline);
	return timeline;
}

static inline int need_vgem(struct __test_metadata *_metadata)
{
	int drm = vgem_open();

	need_exporter(_metadata, VGEM, drm);
	return drm;
}

static inline int need_testdev(struct __test_metadata *_metadata)
{
	int testdev = testdev_open();

	need_exporter(_metadata, TESTDEV, testdev);
	return testdev;
}

static inline void need_bufinfo(struct __test_metadata *_metadata)
{
	if (!bufinfo_readable())
		SKIP_TEST("%s: needs debugfs and root", BUFINFO);
}

#endif
