/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * dma-buf: an exporter, importers, fences and a poller made for tests.
 *
 * They stand on the public header alone, so that the tests can be built against
 * any core.
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
#define MOCK_CACHED	BIT(1)	/* wants mappings kept */
#define MOCK_BARE	BIT(2)	/* has the required hooks only */

#define MOCK_LOG_LEN	32

/* The table that the map hook gives */
#define MOCK_SEGMENTS		2U
#define MOCK_SEGMENT_LEN	(PAGE_SIZE / MOCK_SEGMENTS)

/**
 * struct mock_exporter - one buffer's exporter
 * @test: the test that it serves
 * @ops: hook table of its own
 * @page: the memory
 * @size: bytes that it says it has
 * @log: hooks in the order of their calls
 * @log_len: how many
 * @error: what a hook shall return, by enum dma_buf_hook
 * @map_null: have the map hook return NULL
 * @clear_peer2peer: have the attach hook clear the flag
 * @fence: added to the reservation, usage KERNEL, by the map or the
 *	begin_cpu_access hook
 * @watch: fence whose state the begin_cpu_access hook records
 * @watch_signaled: that state
 * @attach_seen: copy of the attachment that the attach hook got
 * @listed: whether the attach or detach hook found the attachment listed
 * @attachments: how many the map hook found listed
 * @tables: those that the map hook gave and the unmap hook did not get back
 * @dir: what the last hook that gets a direction was given
 * @last_sgt: table that the unmap hook was given
 * @mmap_file: file that the mmap hook puts behind the map
 * @release_lock: reservation that the release hook takes
 * @on_release: called by the release hook, in the end
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

/* The hooks that were called since the last look were just these. */
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
/* For a fence that only a broken core waits for, in milliseconds */
#define MOCK_NEVER_MS	60000

void mock_fence_wait_refs(struct dma_fence *fence, unsigned int refs);
void mock_fence_signal_later(struct dma_fence *fence, unsigned int msecs);
void mock_fence_signal_sooner(struct dma_fence *fence, unsigned int msecs);
void mock_add_fence(struct dma_buf *dmabuf, struct dma_fence *fence,
		    enum dma_resv_usage usage);

/**
 * struct mock_poller - somebody who polls
 * @table: for vfs_poll()
 * @wait: its entry in the wait queue
 * @head: that wait queue
 * @events: that it asks for
 * @wakeups: since it was created
 * @claimed: events that a wake-up said are ready; io_uring and aio believe it
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

/* A signal is pending on the test's own thread: interruptible waits end. */
void mock_signal_begin(void);
void mock_signal_end(void);

#endif /* _DMA_BUF_MOCK_H */
