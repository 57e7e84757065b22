/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The mock device: an exporter and importers whose every move a test can see
 * and choose. See drivers/dma-buf/testdev/dma-buf-testdev.h for what it does.
 *
 * Functions return a descriptor, a number, or 0; on failure a negative errno.
 */
#ifndef SELFTESTS_DMA_BUF_MOCK_H
#define SELFTESTS_DMA_BUF_MOCK_H

#include <errno.h>
#include <sys/ioctl.h>

#include "../../../../drivers/dma-buf/testdev/dma-buf-testdev.h"
#include "util.h"

/* enum dma_data_direction, as the hooks see it */
#define DIR_BOTH	0
#define DIR_TO_DEVICE	1
#define DIR_FROM_DEVICE	2

/* Long enough to see that somebody waits for it */
#define DELAY_MS	100

/* Any argument of the device; its first member is the size */
#define mock_ioctl(mock, nr, arg) \
	(ioctl(mock, nr, arg) < 0 ? -errno : 0)

/* As an exporter */
int mock_create(int mock, __u32 kind, __u64 length, __u32 *id);
int mock_fail(int mock, __u32 id, __u32 op, int error);
int mock_delay(int mock, __u32 id, __u32 op, __u32 delay_ms, __u32 flags);
int mock_migrate(int mock, __u32 id, __u32 delay_ms);
struct dma_buf_test_exporter_info mock_exporter(int mock, __u32 id);
const char *mock_log(int mock, __u32 id);

/* As somebody who uses the reservation */
int mock_hold(int mock, int fd);
int mock_fence(int mock, int fd, __u32 usage, __u32 delay_ms);
int mock_signal(int mock, __u32 id, int error);

/* As an importer */
int mock_attach(int mock, int fd, __u32 flags);
int mock_map(int mock, __u32 id, __u32 dir);
int mock_unmap(int mock, __u32 id);
int mock_pin(int mock, __u32 id);
int mock_unpin(int mock, __u32 id);
int mock_read(int mock, __u32 id, __u64 offset, void *data, size_t len);
int mock_write(int mock, __u32 id, __u64 offset, const void *data, size_t len);
struct dma_buf_test_importer_info mock_importer(int mock, __u32 id);
int mock_vmap(int mock, int fd);
int mock_choose_mmap(int mock, int fd);
int mock_free(int mock, __u32 id);

#endif
