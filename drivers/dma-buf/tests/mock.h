/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * dma-buf: mock exporter, fences and pollers for KUnit tests.
 *
 * They use the public headers only, so that the tests can be built against any
 * core.
 */
#ifndef _DMA_BUF_MOCK_H
#define _DMA_BUF_MOCK_H

#include <linux/completion.h>
#include <linux/dma-buf.h>
#include <linux/dma-fence.h>
#include <linux/ktime.h>
#include <linux/poll.h>
#include <linux/types.h>

#include "../testdev/dma-buf-hooks.h"

struct kunit;

/* Kinds of exporter; may be combined */
#define MOCK_PLAIN	0
#define MOCK_DYNAMIC	BIT(0)	/* has pin and unpin */
#define MOCK_CACHED	BIT(1)	/* sets cache_sgt_mapping */
#define MOCK_BARE	BIT(2)	/* has the required hooks only */

#define MOCK_LOG_LEN	32

/* The table that the map hook returns */
#define MOCK_SEGMENTS		2U
#define MOCK_SEGMENT_LEN	(PAGE_SIZE / MOCK_SEGMENTS)

/**
 * struct mock_exporter - one buffer's exporter
 * @test: the test that it serves
 * @ops: the buffer's own table of hooks
 * @page: the memory
 * @size: size of the buffer that it exports
 * @log: which hooks were called, in order
 * @log_len: number of entries in @log
 * @error: error for a hook to return, by enum dma_buf_hook
 * @map_null: have the map hook return NULL
 * @clear_peer2peer: have the attach hook clear the flag
 * @fence: added to the reservation, usage KERNEL, by the map or the
 *	begin_cpu_access hook
 * @watch: fence whose state the begin_cpu_access hook records
 * @watch_signaled: that state
 * @attach_seen: copy of the attachment that the attach hook got
 * @listed: whether the attach or detach hook found the attachment listed
 * @attachments: number of attachments that the map hook found listed
 * @tables: number of tables that were mapped and not yet unmapped
 * @dir: direction that the last hook with one was given
 * @last_sgt: table that the unmap hook was given last
 * @mmap_file: file that the mmap hook makes the vm_file, or NULL
 * @release_lock: reservation that the release hook takes
 * @on_release: called at the end of the release hook, or NULL
 * @release_file_ok: the file was still the buffer's when it was released
 * @released: completed by the release hook
 */
struct mock_exporter {
	struct kunit *test;
	struct dma_buf_ops ops;
	struct page *page;
	size_t size;
	u8 log[MOCK_LOG_LEN];
	unsigned int log_len;
	int error[HOOKS];
	bool map_null;
	bool clear_peer2peer;
	struct dma_fence *fence;
	struct dma_fence *watch;
	bool watch_signaled;
	struct dma_buf_attachment attach_seen;
	bool listed;
	unsigned int attachments;
	unsigned int tables;
	enum dma_data_direction dir;
	struct sg_table *last_sgt;
	struct file *mmap_file;
	struct dma_resv *release_lock;
	void (*on_release)(struct dma_buf *dmabuf);
	bool release_file_ok;
	struct completion released;
};

struct mock_exporter *mock_exporter_create(struct kunit *test,
					   unsigned int kind);
struct dma_buf *mock_export(struct mock_exporter *mock);
struct dma_buf *mock_export_resv(struct mock_exporter *mock,
				 struct dma_resv *resv);
void mock_put(struct mock_exporter *mock, struct dma_buf *dmabuf);
void mock_wait_released(struct mock_exporter *mock);
bool mock_is_released(struct mock_exporter *mock);
unsigned int mock_count(struct mock_exporter *mock, enum dma_buf_hook hook);
void mock_check_log(struct mock_exporter *mock, const u8 *ops,
		    unsigned int count, int line);

/* Expect that just these hooks were called since the last such check. */
#define mock_expect_ops(mock, ...)					\
do {									\
	static const u8 __ops[] = { __VA_ARGS__ };			\
	mock_check_log(mock, __ops, ARRAY_SIZE(__ops), __LINE__);	\
} while (0)

struct dma_fence *mock_fence_create(struct kunit *test);
struct dma_fence *mock_fence_create_loose(struct kunit *test);
void mock_fence_loose_wait(struct kunit *test);
void mock_fence_signal_unheld(struct dma_fence *fence);
struct dma_fence *mock_fence_next(struct dma_fence *fence);
unsigned int mock_fence_deadlines(struct dma_fence *fence, ktime_t *last);
void mock_fence_signal(struct dma_fence *fence);
/* Delay, in milliseconds, of a fence that only a broken core waits for */
#define MOCK_NEVER_MS	60000

void mock_fence_wait_refs(struct dma_fence *fence, unsigned int refs);
void mock_fence_signal_later(struct dma_fence *fence, unsigned int msecs);
void mock_fence_signal_sooner(struct dma_fence *fence, unsigned int msecs);
void mock_add_fence(struct dma_buf *dmabuf, struct dma_fence *fence,
		    enum dma_resv_usage usage);

/**
 * struct mock_poller - a poller that counts its wake-ups
 * @table: for vfs_poll()
 * @wait: its entry in the wait queue
 * @head: that wait queue
 * @events: that the poller asks for
 * @wakeups: number of wake-ups since the poller was created
 * @claimed: events that wake-ups claimed to be ready; io_uring and aio rely on
 *	them
 */
struct mock_poller {
	poll_table table;
	wait_queue_entry_t wait;
	wait_queue_head_t *head;
	__poll_t events;
	atomic_t wakeups;
	__poll_t claimed;
};

struct mock_poller *mock_poller_create(struct kunit *test, __poll_t events);
__poll_t mock_poll(struct mock_poller *poller, struct dma_buf *dmabuf);
void mock_poller_leave(struct mock_poller *poller);

/* A pending signal on the test's thread, which ends interruptible waits */
void mock_signal_begin(void);
void mock_signal_end(void);

#endif /* _DMA_BUF_MOCK_H */
