/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The test device: an exporter and importers whose behaviour a test can choose
 * and observe. See drivers/dma-buf/testdev/dma-buf-testdev.h for what it does.
 *
 * Functions return a descriptor, a number, or 0; on failure a negative errno.
 */
#ifndef SELFTESTS_DMA_BUF_TESTDEV_H
#define SELFTESTS_DMA_BUF_TESTDEV_H

#include <errno.h>
#include <sys/ioctl.h>

#include "../../../../drivers/dma-buf/testdev/dma-buf-testdev.h"
#include "util.h"

/* enum dma_data_direction, as the hooks see it */
#define DIR_BOTH	0
#define DIR_TO_DEVICE	1
#define DIR_FROM_DEVICE	2

/* Delay long enough for a test to see that a call has waited for it */
#define DELAY_MS	100

/* Any argument of the device; its first member is the size */
#define testdev_ioctl(testdev, nr, arg) \
	(ioctl(testdev, nr, arg) < 0 ? -errno : 0)

/* As an exporter */
int testdev_create(int testdev, __u32 kind, __u64 length, __u32 *id);
int testdev_fail(int testdev, __u32 id, __u32 op, int error);
int testdev_delay(int testdev, __u32 id, __u32 op, __u32 delay_ms, __u32 flags);
int testdev_migrate(int testdev, __u32 id, __u32 delay_ms);
struct dma_buf_test_exporter_info testdev_exporter(int testdev, __u32 id);
const char *testdev_log(int testdev, __u32 id);

/* As a driver that uses the reservation */
int testdev_hold(int testdev, int fd);
int testdev_fence(int testdev, int fd, __u32 usage, __u32 delay_ms);
int testdev_signal(int testdev, __u32 id, int error);

/* As an importer */
int testdev_attach(int testdev, int fd, __u32 flags);
int testdev_map(int testdev, __u32 id, __u32 dir);
int testdev_unmap(int testdev, __u32 id);
int testdev_pin(int testdev, __u32 id);
int testdev_unpin(int testdev, __u32 id);
int testdev_read(int testdev, __u32 id, __u64 offset, void *data, size_t len);
int testdev_write(int testdev, __u32 id, __u64 offset, const void *data, size_t len);
struct dma_buf_test_importer_info testdev_importer(int testdev, __u32 id);
int testdev_vmap(int testdev, int fd);
int testdev_choose_mmap(int testdev, int fd);
int testdev_free(int testdev, __u32 id);

#endif
