/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * dma-buf: helpers of the core's KUnit suites.
 *
 * Like the mocks, they use public headers only. There is a suite for each
 * subject. Tests of functions that the stock core of 6.12 lacks are in
 * mainline_kunit.c, tests that would crash or hang it in fatal_kunit.c, so that
 * the other suites run on both cores.
 */
#ifndef _DMA_BUF_TEST_H
#define _DMA_BUF_TEST_H

#include <kunit/test.h>
#include <linux/dma-buf.h>
#include <linux/poll.h>

#include "mock.h"

/* Expected warnings */
int test_init(struct kunit *test);
void expect_warning(const char *regex);
void expect_end(void);

/* Importers */
extern const struct dma_buf_attach_ops test_dynamic;
struct device *test_device(struct kunit *test);
struct dma_buf_attachment *test_attach(struct kunit *test,
				       struct dma_buf *dmabuf,
				       const struct dma_buf_attach_ops *ops);
struct sg_table *test_dma_map(struct kunit *test,
			      struct dma_buf_attachment *attach,
			      enum dma_data_direction dir);

/**
 * struct test_importer - an importer whose file's mmap() maps the buffer
 * @dmabuf: buffer
 * @pgoff: page of the buffer at which the mapping begins
 * @ret: what dma_buf_mmap() returned last
 */
struct test_importer {
	struct dma_buf *dmabuf;
	unsigned long pgoff;
	int ret;
};

struct file *test_importer_file(struct kunit *test,
				struct test_importer *importer);
unsigned long test_map_file(struct kunit *test, struct file *file,
			    unsigned int pages);

/* User space */
char __user *test_user_memory(struct kunit *test, size_t size);
bool test_close_on_exec(int fd);
int test_lowest_fd(struct kunit *test);
struct file *test_debugfs_open(const char *name, int flags);
ssize_t test_read_on(struct file *file, char __user *memory, size_t len,
		     char *text, loff_t *pos);
void test_debugfs_need(struct kunit *test, const char *name);
char *test_debugfs_read(struct kunit *test, const char *name, size_t size,
			size_t step);
bool test_debugfs_write(struct kunit *test, const char *name,
			const char *text);

/* Pollers */
#define EV_IN	(EPOLLIN | EPOLLRDNORM)
#define EV_OUT	(EPOLLOUT | EPOLLWRNORM)

#define expect_poll(test, poller, dmabuf, events)			\
	KUNIT_EXPECT_EQ(test, (__force u32)mock_poll(poller, dmabuf),	\
			(__force u32)(events))

#endif /* _DMA_BUF_TEST_H */
