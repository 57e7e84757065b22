// SPDX-License-Identifier: GPL-2.0-only
/*
 * dma-buf: KUnit tests that crash or hang the stock core of 6.12.
 *
 * The comment above each test says what happens there ("There: ..."). After a
 * run of this suite on a core that has those defects, the machine must be
 * rebooted.
 */
#include <linux/completion.h>
#include <linux/dcache.h>
#include <linux/delay.h>
#include <linux/dma-resv.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/path.h>
#include <linux/slab.h>

#include "../dma-buf-internal.h"
#include "util.h"

/*
 * Wait until the core has leaked a buffer on purpose, whose last reference was
 * dropped while it was in use. Returns the buffer's inode, which the core
 * keeps: a test that has cleaned up after the importer drops the inode and the
 * module's reference with test_free_kept(), so that the test itself leaks
 * nothing.
 */
static struct inode *test_wait_kept(struct kunit *test,
				    struct mock_exporter *mock, struct path *path)
{
	struct inode *inode = d_inode(path->dentry);
	bool kept;
	int tries;

	for (tries = 0; tries < 500 && !mock_is_released(mock); tries++) {
		if (atomic_read_acquire(&inode->i_count) > 1)
			break;
		msleep(20);
	}
	/* Pairs with ihold() in dma_buf_keep(): dmabuf->file is the new one, too. */
	kept = atomic_read_acquire(&inode->i_count) > 1;
	path_put(path);
	KUNIT_ASSERT_FALSE(test, mock_is_released(mock));
	KUNIT_ASSERT_TRUE(test, kept);
	return inode;
}

static struct inode *test_put_kept(struct kunit *test,
				   struct mock_exporter *mock,
				   struct dma_buf *dmabuf)
{
	struct path path = dmabuf->file->f_path;
	struct inode *inode;

	/* The release runs in a worker and may free the inode: hold the path. */
	path_get(&path);
	expect_warning("released while in use, kept for good");
	dma_buf_put(dmabuf);
	inode = test_wait_kept(test, mock, &path);
	expect_end();
	return inode;
}

/* Free a buffer that the core has leaked on purpose, see test_put_kept(). */
static void test_free_kept(struct inode *inode)
{
	iput(inode);
	module_put(THIS_MODULE);
}

/**
 * struct test_import - a buffer and an importer that has mapped it
 * @mock: exporter
 * @dmabuf: its buffer
 * @attach: the importer's attachment
 * @sgt: the importer's mapping, to the device
 */
struct test_import {
	struct mock_exporter *mock;
	struct dma_buf *dmabuf;
	struct dma_buf_attachment *attach;
	struct sg_table *sgt;
};

static struct test_import test_import(struct kunit *test, unsigned int kind,
				      const struct dma_buf_attach_ops *ops)
{
	struct test_import in;

	in.mock = mock_exporter_create(test, kind);
	in.dmabuf = mock_export(in.mock);
	in.attach = test_attach(test, in.dmabuf, ops);
	in.sgt = test_dma_map(test, in.attach, DMA_TO_DEVICE);
	return in;
}

/* There: the memory is freed under the attachment, which is used after that. */
static void test_release_forgotten_attachment(struct kunit *test)
{
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_PLAIN);
	struct dma_buf *dmabuf = mock_export(mock);
	struct dma_buf_attachment *attach = test_attach(test, dmabuf, NULL);
	struct inode *inode = test_put_kept(test, mock, dmabuf);

	/* Buffer and attachment are still there, so the importer can detach. */
	dma_buf_detach(dmabuf, attach);
	mock_expect_ops(mock, HOOK_ATTACH, HOOK_DETACH);

	test_free_kept(inode);
}

/*
 * An importer drops its reference before it detaches, and detaches before it
 * unmaps. By then the struct file of the buffer may have been reused. There:
 * the importer drops and takes references of that other file, which then is
 * never closed.
 */
static void test_release_forgotten_file(struct kunit *test)
{
	struct test_import in = test_import(test, MOCK_PLAIN, NULL);
	struct dma_buf *dmabuf = in.dmabuf;
	const struct file_operations *fops = dmabuf->file->f_op;
	struct file *gone = dmabuf->file;
	struct inode *inode;
	long count;

	inode = test_put_kept(test, in.mock, dmabuf);

	/* dmabuf->file now points to a file that stays for good and is no dma-buf. */
	KUNIT_ASSERT_PTR_NE(test, dmabuf->file, gone);
	KUNIT_EXPECT_PTR_NE(test, dmabuf->file->f_op, fops);
	KUNIT_EXPECT_PTR_NE(test, file_inode(dmabuf->file), inode);
	count = file_count(dmabuf->file);
	KUNIT_EXPECT_GT(test, count, 1L);
	get_dma_buf(dmabuf);
	dma_buf_put(dmabuf);
	KUNIT_EXPECT_EQ(test, file_count(dmabuf->file), count);

	expect_warning("detaches with 1 live mappings");
	dma_buf_detach(dmabuf, in.attach);
	expect_end();
	KUNIT_EXPECT_FALSE(test, list_empty(&dmabuf->attachments));
	dma_buf_unmap_attachment_unlocked(in.attach, in.sgt, DMA_TO_DEVICE);
	dma_buf_detach(dmabuf, in.attach);
	KUNIT_EXPECT_TRUE(test, list_empty(&dmabuf->attachments));
	KUNIT_EXPECT_EQ(test, file_count(dmabuf->file), count);
	mock_expect_ops(in.mock, HOOK_ATTACH, HOOK_MAP, HOOK_UNMAP, HOOK_DETACH);

	/* Other holders may still drop references to the buffer. */
	dma_buf_put(dmabuf);
	dma_buf_put(dmabuf);
	dma_buf_put(dmabuf);
	KUNIT_EXPECT_EQ(test, file_count(dmabuf->file), count - 3);
	KUNIT_EXPECT_GT(test, file_count(dmabuf->file), 1000L);
	get_dma_buf(dmabuf);
	get_dma_buf(dmabuf);
	test_free_kept(inode);
}

/*
 * Detach with a mapping left, after the last reference was dropped. Returns whether
 * the release had still to run when the detach was over.
 */
static bool test_detach_dying(struct kunit *test)
{
	struct test_import in = test_import(test, MOCK_PLAIN, NULL);
	struct dma_buf *dmabuf = in.dmabuf;
	struct path path = dmabuf->file->f_path;
	struct file *gone = dmabuf->file;
	struct inode *inode;
	bool pending;
	long count;

	path_get(&path);

	/* A worker runs the release, a jiffy later at the earliest. */
	dma_buf_put(dmabuf);
	dma_buf_detach(dmabuf, in.attach);
	pending = READ_ONCE(dmabuf->file) == gone;
	inode = test_wait_kept(test, in.mock, &path);
	KUNIT_ASSERT_PTR_NE(test, dmabuf->file, gone);

	count = file_count(dmabuf->file);
	dma_buf_unmap_attachment_unlocked(in.attach, in.sgt, DMA_TO_DEVICE);
	dma_buf_detach(dmabuf, in.attach);
	KUNIT_EXPECT_TRUE(test, list_empty(&dmabuf->attachments));
	KUNIT_EXPECT_LE(test, file_count(dmabuf->file), count);
	mock_expect_ops(in.mock, HOOK_ATTACH, HOOK_MAP, HOOK_UNMAP, HOOK_DETACH);
	dma_buf_put(dmabuf);
	test_free_kept(inode);
	return pending;
}

/*
 * The same, but the importer detaches after the last reference was dropped and
 * before the release has run. There: a reference is taken at a refcount of 0. The
 * release may be faster than the detach, which first prints its warning: that is
 * slow the first time, when the warning comes with a backtrace.
 */
static void test_detach_while_dying(struct kunit *test)
{
	bool pending = false;
	int tries;

	/* Both warnings come once per boot, so in the first try. */
	expect_warning("released while in use, kept for good|detaches with 1 live mappings");
	for (tries = 0; tries < 50 && !pending; tries++)
		pending = test_detach_dying(test);
	expect_end();
	if (!pending)
		kunit_skip(test, "each release was faster than the detach");
}

/* There: the exporter's unmap hook gets an invalid table, and a NULL pointer. */
static void test_unmap_wrong(struct kunit *test)
{
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_PLAIN);
	struct dma_buf *dmabuf = mock_export(mock);
	struct dma_buf_attachment *attach = test_attach(test, dmabuf, NULL);
	struct sg_table bogus = { };

	mock->log_len = 0;
	expect_warning("WARNING: .* dma_buf_unmap_attachment_unlocked");
	dma_buf_unmap_attachment_unlocked(NULL, &bogus, DMA_TO_DEVICE);
	dma_buf_unmap_attachment_unlocked(attach, NULL, DMA_TO_DEVICE);
	expect_end();

	expect_warning("WARNING: .* dma_buf_unmap_attachment");
	dma_buf_unmap_attachment(NULL, &bogus, DMA_TO_DEVICE);
	expect_end();

	/* One unmap too many: the exporter's hook is not called. */
	expect_warning("WARNING: .* dma_buf_unmap_attachment");
	dma_buf_unmap_attachment_unlocked(attach, &bogus, DMA_TO_DEVICE);
	expect_end();
	mock_expect_ops(mock);
	dma_buf_detach(dmabuf, attach);
	mock_put(mock, dmabuf);
}

/* There: a warning, after which the NULL pointer is dereferenced. */
static void test_pin_null(struct kunit *test)
{
	expect_warning("WARNING: .* dma_buf_pin");
	KUNIT_EXPECT_EQ(test, -EINVAL, dma_buf_pin(NULL));
	expect_end();
	expect_warning("WARNING: .* dma_buf_unpin");
	dma_buf_unpin(NULL);
	expect_end();
}

/* There: the attachment is freed, and used by the unmap that follows. */
static void test_detach_mapped(struct kunit *test)
{
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_DYNAMIC);
	struct dma_buf *dmabuf = mock_export(mock);
	struct dma_buf_attachment *attach = test_attach(test, dmabuf, NULL);
	struct dma_buf_attachment *dynamic;
	struct sg_table *sgt, *moving;
	unsigned int told = 0, held;
	struct device *dev;

	test->priv = &told;
	dynamic = test_attach(test, dmabuf, &test_dynamic);
	dev = dynamic->dev;
	held = kref_read(&dev->kobj.kref);
	sgt = test_dma_map(test, attach, DMA_TO_DEVICE);
	moving = test_dma_map(test, dynamic, DMA_TO_DEVICE);
	mock->log_len = 0;

	expect_warning("detaches with 1 live mappings");
	dma_buf_detach(dmabuf, attach);
	dma_buf_detach(dmabuf, dynamic);
	/* The importer cannot follow a move any more, so the core pins. */
	if (IS_ENABLED(CONFIG_DMABUF_MOVE_NOTIFY))
		mock_expect_ops(mock, HOOK_PIN);
	dma_buf_detach(dmabuf, dynamic);
	expect_end();
	mock_expect_ops(mock);
	KUNIT_EXPECT_FALSE(test, list_empty(&dmabuf->attachments));
	KUNIT_EXPECT_EQ(test, kref_read(&dev->kobj.kref), held + 1);

	/* The importer takes itself for detached: its callback must not run. */
	dma_resv_lock(dmabuf->resv, NULL);
	dma_buf_move_notify(dmabuf);
	dma_resv_unlock(dmabuf->resv);
	KUNIT_EXPECT_EQ(test, told, 0U);
	KUNIT_EXPECT_TRUE(test, dma_buf_attachment_is_dynamic(dynamic));

	/* Both importers are still attached, so they can unmap and detach again. */
	dma_buf_unmap_attachment_unlocked(attach, sgt, DMA_TO_DEVICE);
	dma_buf_detach(dmabuf, attach);
	mock_expect_ops(mock, HOOK_UNMAP, HOOK_UNPIN, HOOK_DETACH);
	/* The dynamic importer's mapping now depends on the core's own pin. */
	dma_buf_put(dmabuf);
	KUNIT_EXPECT_FALSE(test, mock_is_released(mock));
	dma_buf_unmap_attachment_unlocked(dynamic, moving, DMA_TO_DEVICE);
	dma_buf_detach(dmabuf, dynamic);
	mock_wait_released(mock);
	mock_expect_ops(mock, HOOK_UNMAP, HOOK_UNPIN, HOOK_DETACH,
			HOOK_RELEASE);
	/* The core has dropped its reference to the importer's device. */
	KUNIT_EXPECT_EQ(test, kref_read(&dev->kobj.kref), held);
}

/* There: a warning, after which the NULL pointer is dereferenced. */
static void test_access_null(struct kunit *test)
{
	expect_warning("WARNING: .* dma_buf_begin_cpu_access");
	KUNIT_EXPECT_EQ(test, -EINVAL, dma_buf_begin_cpu_access(NULL, DMA_TO_DEVICE));
	expect_end();
	expect_warning("WARNING: .* dma_buf_end_cpu_access");
	KUNIT_EXPECT_EQ(test, -EINVAL, dma_buf_end_cpu_access(NULL, DMA_TO_DEVICE));
	expect_end();
}

/*
 * There: as above. This exporter's memory never moves, so the core need not pin
 * it.
 */
static void test_detach_mapped_fixed(struct kunit *test)
{
	struct test_import in = test_import(test, MOCK_PLAIN, &test_dynamic);
	struct dma_buf *dmabuf = in.dmabuf;

	expect_warning("detaches with 1 live mappings");
	dma_buf_detach(dmabuf, in.attach);
	expect_end();
	mock_expect_ops(in.mock, HOOK_ATTACH, HOOK_MAP);

	dma_buf_put(dmabuf);
	KUNIT_EXPECT_FALSE(test, mock_is_released(in.mock));
	dma_buf_unmap_attachment_unlocked(in.attach, in.sgt, DMA_TO_DEVICE);
	dma_buf_detach(dmabuf, in.attach);
	mock_wait_released(in.mock);
	mock_expect_ops(in.mock, HOOK_UNMAP, HOOK_DETACH, HOOK_RELEASE);
}

/* There: a BUG(). */
static void test_vunmap_wrong(struct kunit *test)
{
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_PLAIN);
	struct dma_buf *dmabuf = mock_export(mock);
	struct iosys_map map, wrong = IOSYS_MAP_INIT_VADDR(test);

	KUNIT_EXPECT_EQ(test, 0, dma_buf_vmap_unlocked(dmabuf, &map));
	expect_warning("WARNING: .* dma_buf_vunmap");
	dma_buf_vunmap_unlocked(dmabuf, &wrong);
	expect_end();
	mock_expect_ops(mock, HOOK_VMAP);
	dma_buf_vunmap_unlocked(dmabuf, &map);
	mock_expect_ops(mock, HOOK_VUNMAP);
	/* One vunmap too many. The core warns once, which it did above. */
	dma_buf_vunmap_unlocked(dmabuf, &map);
	mock_expect_ops(mock);
	mock_put(mock, dmabuf);
}

/* There: a BUG(). */
static void test_release_forgotten_vmap(struct kunit *test)
{
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_PLAIN);
	struct dma_buf *dmabuf = mock_export(mock);
	struct iosys_map map;
	struct inode *inode;

	KUNIT_EXPECT_EQ(test, 0, dma_buf_vmap_unlocked(dmabuf, &map));
	inode = test_put_kept(test, mock, dmabuf);
	dma_buf_vunmap_unlocked(dmabuf, &map);
	mock_expect_ops(mock, HOOK_VMAP, HOOK_VUNMAP);
	test_free_kept(inode);
}

/* There: the wait queue is freed with a poller queued on it. */
static void test_release_forgotten_poller(struct kunit *test)
{
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_PLAIN);
	struct mock_poller *poller = mock_poller_create(test, EV_IN);
	struct dma_buf *dmabuf = mock_export(mock);
	struct inode *inode;

	expect_poll(test, poller, dmabuf, EV_IN);
	inode = test_put_kept(test, mock, dmabuf);
	mock_poller_leave(poller);
	mock_expect_ops(mock);
	test_free_kept(inode);
}

/*
 * There: poll() waits for the reservation. So does reading bufinfo, while
 * holding a lock that every export and close needs. In these tests the
 * reservation is held.
 */
static void test_busy_reservation(struct kunit *test)
{
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_PLAIN);
	struct dma_buf *dmabuf = mock_export(mock);
	struct mock_poller *poller = mock_poller_create(test, EV_IN | EV_OUT);
	struct dma_fence *fence = mock_fence_create(test);

	dma_resv_lock(dmabuf->resv, NULL);
	expect_poll(test, poller, dmabuf, EV_IN | EV_OUT);
	KUNIT_EXPECT_EQ(test, 0, dma_resv_reserve_fences(dmabuf->resv, 1));
	dma_resv_add_fence(dmabuf->resv, fence, DMA_RESV_USAGE_WRITE);
	expect_poll(test, poller, dmabuf, 0);
	mock_fence_signal(fence);
	KUNIT_EXPECT_GE(test, atomic_read(&poller->wakeups), 1);
	expect_poll(test, poller, dmabuf, EV_IN | EV_OUT);
	dma_resv_unlock(dmabuf->resv);
	mock_poller_leave(poller);
	mock_put(mock, dmabuf);
}

struct test_holder {
	struct dma_buf *dmabuf;
	struct completion held;
	struct completion stop;
};

static int test_holder_thread(void *data)
{
	struct test_holder *holder = data;

	dma_resv_lock(holder->dmabuf->resv, NULL);
	complete(&holder->held);
	wait_for_completion_timeout(&holder->stop, 60 * HZ);
	dma_resv_unlock(holder->dmabuf->resv);
	/* Do not return into the module, which may be unloaded by then. */
	kthread_complete_and_exit(&holder->held, 0);
}

/* There: as above. */
static void test_busy_bufinfo(struct kunit *test)
{
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_PLAIN);
	struct test_holder holder = { };
	struct dma_buf *dmabuf;
	struct task_struct *task;
	char ino[32];
	const char *text;

	test_debugfs_need(test, "dma_buf/bufinfo");
	dmabuf = mock_export(mock);
	holder.dmabuf = dmabuf;
	init_completion(&holder.held);
	init_completion(&holder.stop);
	task = kthread_run(test_holder_thread, &holder, "dma-buf-holder");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, task);
	wait_for_completion(&holder.held);

	text = test_debugfs_read(test, "dma_buf/bufinfo", 64 * 1024, PAGE_SIZE);
	snprintf(ino, sizeof(ino), "\t%08lu\t", file_inode(dmabuf->file)->i_ino);
	KUNIT_EXPECT_NOT_NULL(test, strstr(text, ino));
	if (strstr(text, ino))
		KUNIT_EXPECT_NOT_NULL(test, strstr(strstr(text, ino),
						   "\treservation held\n"));
	/* bufinfo was shown without waiting for the reservation. */
	KUNIT_EXPECT_TRUE(test, dma_resv_is_locked(dmabuf->resv));

	complete(&holder.stop);
	wait_for_completion(&holder.held);
	text = test_debugfs_read(test, "dma_buf/bufinfo", 64 * 1024, PAGE_SIZE);
	KUNIT_EXPECT_NULL(test, strstr(text, "reservation held"));
	mock_put(mock, dmabuf);
}

/*
 * A fence that never signals does not keep a closed buffer alive. There: it
 * does, and the buffer is released after its exporter is gone.
 */
static void test_poll_armed_release(struct kunit *test)
{
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_PLAIN);
	struct dma_buf *dmabuf = mock_export(mock);
	struct mock_poller *poller = mock_poller_create(test, EV_IN | EV_OUT);
	struct dma_fence *fence = mock_fence_create(test);
	struct dma_fence *other = mock_fence_create(test);

	mock_add_fence(dmabuf, fence, DMA_RESV_USAGE_WRITE);
	mock_add_fence(dmabuf, other, DMA_RESV_USAGE_READ);
	expect_poll(test, poller, dmabuf, 0);
	mock_poller_leave(poller);
	mock_put(mock, dmabuf);

	/* Signal fences whose buffer has been released. */
	mock_fence_signal(fence);
	mock_fence_signal(other);
	mock_fence_wait_refs(fence, 1);
	mock_fence_wait_refs(other, 1);
}

/*
 * A fence is signalled by a driver that holds no reference, after every other
 * reference but poll's was dropped. There: the callback drops the last
 * reference while fence->lock is held, which the fence's release hook takes.
 */
static void test_poll_last_reference(struct kunit *test)
{
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_PLAIN);
	struct dma_buf *dmabuf = mock_export(mock);
	struct mock_poller *poller = mock_poller_create(test, EV_IN);
	struct dma_fence *fence = mock_fence_create_loose(test);
	struct dma_fence *stub = dma_fence_get_stub();

	mock_add_fence(dmabuf, fence, DMA_RESV_USAGE_WRITE);
	expect_poll(test, poller, dmabuf, 0);
	dma_resv_lock(dmabuf->resv, NULL);
	dma_resv_replace_fences(dmabuf->resv, fence->context, stub,
				DMA_RESV_USAGE_WRITE);
	dma_resv_unlock(dmabuf->resv);
	dma_fence_put(stub);

	/* The fence's release hook frees the lock that is held while it signals. */
	mock_fence_signal_unheld(fence);
	KUNIT_EXPECT_EQ(test, atomic_read(&poller->wakeups), 1);
	expect_poll(test, poller, dmabuf, EV_IN);
	mock_poller_leave(poller);
	mock_put(mock, dmabuf);
	mock_fence_loose_wait(test);
}

/*
 * The last reference to the buffer is dropped while the fence signals on
 * another CPU. There: as above.
 */
static void test_poll_release_race(struct kunit *test)
{
	enum { ROUNDS = 300 };
	int i;

	for (i = 0; i < ROUNDS; i++) {
		struct mock_exporter *mock = mock_exporter_create(test, MOCK_BARE);
		struct mock_poller *poller = mock_poller_create(test, EV_IN);
		struct dma_fence *fence = mock_fence_create_loose(test);
		struct dma_fence *other = mock_fence_create_loose(test);
		struct dma_buf *dmabuf = mock_export(mock);

		mock_add_fence(dmabuf, fence, DMA_RESV_USAGE_WRITE);
		if (i & 1)
			mock_add_fence(dmabuf, other, DMA_RESV_USAGE_WRITE);
		mock_poll(poller, dmabuf);
		mock_poller_leave(poller);
		mock_fence_signal_later(fence, 0);
		mock_fence_signal_later(other, 0);
		if (i & 2)
			udelay(i % 50);
		dma_buf_put(dmabuf);
		flush_delayed_fput();
		mock_wait_released(mock);
	}
	mock_fence_loose_wait(test);
}

struct test_adder {
	struct dma_buf *dmabuf;
	struct mock_poller *poller;
	struct completion begun;
	struct completion done;
	bool go;
};

static int test_adder_thread(void *data)
{
	struct test_adder *adder = data;

	complete(&adder->begun);
	/* Pairs with the store of test_poll_never_added(). */
	while (!smp_load_acquire(&adder->go))
		cpu_relax();
	mock_poll(adder->poller, adder->dmabuf);
	/* Do not return into the module, which may be unloaded by then. */
	kthread_complete_and_exit(&adder->done, 0);
}

/*
 * One poller is about to add its callback to a fence that signals before the
 * poller gets there. A second poller has seen that the first one was arming,
 * and must not sleep for ever. There: poll() takes a sleeping lock, which hangs
 * here.
 */
static void test_poll_never_added(struct kunit *test)
{
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_PLAIN);
	struct mock_poller *poller = mock_poller_create(test, EV_IN);
	struct dma_fence *fence = mock_fence_create(test);
	struct test_adder adder = { };
	struct task_struct *task;
	unsigned long flags, tries;
	__poll_t seen = EV_IN;
	bool adding = false;
	unsigned int cpu;

	if (num_online_cpus() < 2)
		kunit_skip(test, "takes two processors");

	adder.dmabuf = mock_export(mock);
	adder.poller = mock_poller_create(test, EV_IN);
	init_completion(&adder.begun);
	init_completion(&adder.done);
	mock_add_fence(adder.dmabuf, fence, DMA_RESV_USAGE_WRITE);
	/* So that only the adding of a callback asks for the fence's lock */
	dma_fence_enable_sw_signaling(fence);
	/*
	 * Bind the two threads to different CPUs, so that they run at the same
	 * time.
	 */
	cpu = cpumask_first(cpu_online_mask);
	set_cpus_allowed_ptr(current, cpumask_of(cpu));
	task = kthread_create(test_adder_thread, &adder, "dma-buf-adder");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, task);
	kthread_bind(task, cpumask_next(cpu, cpu_online_mask));
	wake_up_process(task);
	wait_for_completion(&adder.begun);

	spin_lock_irqsave(fence->lock, flags);
	/* With the lock held; pairs with the load of test_adder_thread(). */
	smp_store_release(&adder.go, true);
	/* The other processor may be slow. */
	for (tries = 0; tries < 1000000 && !adding; tries++) {
		adding = dma_buf_poll_will_wake_reader(adder.dmabuf, fence);
		udelay(1);
	}
	if (adding)
		seen = mock_poll(poller, adder.dmabuf);
	dma_fence_signal_locked(fence);
	spin_unlock_irqrestore(fence->lock, flags);

	wait_for_completion(&adder.done);
	set_cpus_allowed_ptr(current, cpu_possible_mask);
	KUNIT_EXPECT_TRUE(test, adding);
	/* Not ready yet, so it has to be woken. */
	KUNIT_EXPECT_EQ(test, (__force int)seen, 0);
	KUNIT_EXPECT_GE(test, atomic_read(&poller->wakeups), 1);
	expect_poll(test, poller, adder.dmabuf, EV_IN);
	mock_poller_leave(adder.poller);
	mock_poller_leave(poller);
	mock_put(mock, adder.dmabuf);
}

/*
 * A fence of a driver that breaks the rule of struct dma_fence: its memory is freed
 * at once, and its lock as soon as it has signalled and its importer has detached.
 */
struct test_rash_fence {
	struct dma_fence base; /* first, as it is freed by kfree() */
	spinlock_t *lock; /* of @base, in memory of its own */
	struct dma_buf *dmabuf;
	struct dma_buf_attachment *attach;
	bool go;
	bool gone; /* signalled, detached, @lock freed */
	struct completion done;
};

static const char *test_rash_name(struct dma_fence *fence)
{
	return "rash";
}

/* The driver lets the fence go while it is asked, and before the answer. */
static bool test_rash_signaled(struct dma_fence *fence)
{
	struct test_rash_fence *rash = container_of(fence, typeof(*rash), base);
	unsigned int tries;

	/* Pairs with the load of test_rash_driver(). */
	smp_store_release(&rash->go, true);
	/* Pairs with the store of test_rash_driver(). */
	for (tries = 0; tries < 5000000 && !smp_load_acquire(&rash->gone); tries++)
		udelay(1);
	return false;
}

static void test_rash_release(struct dma_fence *fence)
{
	kfree(fence);
}

static const struct dma_fence_ops test_rash_ops = {
	.get_driver_name	= test_rash_name,
	.get_timeline_name	= test_rash_name,
	.signaled		= test_rash_signaled,
	.release		= test_rash_release,
};

static int test_rash_driver(void *data)
{
	struct test_rash_fence *rash = data;

	/* Pairs with the store of test_rash_signaled(). */
	while (!smp_load_acquire(&rash->go))
		cpu_relax();
	dma_fence_signal(&rash->base);
	dma_buf_detach(rash->dmabuf, rash->attach);
	kfree(rash->lock);
	/* Pairs with the load of test_rash_signaled(). */
	smp_store_release(&rash->gone, true);
	/* Do not return into the module, which may be unloaded by then. */
	kthread_complete_and_exit(&rash->done, 0);
}

static struct test_rash_fence *test_rash_create(struct kunit *test,
						struct dma_buf *dmabuf)
{
	struct test_rash_fence *rash = kzalloc(sizeof(*rash), GFP_KERNEL);
	struct task_struct *task;
	unsigned int cpu;

	KUNIT_ASSERT_NOT_NULL(test, rash);
	rash->lock = kmalloc(sizeof(*rash->lock), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, rash->lock);
	spin_lock_init(rash->lock);
	rash->dmabuf = dmabuf;
	rash->attach = test_attach(test, dmabuf, NULL);
	init_completion(&rash->done);
	dma_fence_init(&rash->base, &test_rash_ops, rash->lock,
		       dma_fence_context_alloc(1), 1);
	mock_add_fence(dmabuf, &rash->base, DMA_RESV_USAGE_WRITE);

	/*
	 * Bind the two threads to different CPUs, so that they run at the same
	 * time.
	 */
	cpu = cpumask_first(cpu_online_mask);
	set_cpus_allowed_ptr(current, cpumask_of(cpu));
	task = kthread_create(test_rash_driver, rash, "dma-buf-rash");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, task);
	kthread_bind(task, cpumask_next(cpu, cpu_online_mask));
	wake_up_process(task);
	return rash;
}

static void test_rash_end(struct kunit *test, struct test_rash_fence *rash)
{
	bool asked = READ_ONCE(rash->go);

	/*
	 * Let the driver's thread end in any case; pairs with the load in
	 * test_rash_driver().
	 */
	smp_store_release(&rash->go, true);
	wait_for_completion(&rash->done);
	set_cpus_allowed_ptr(current, cpu_possible_mask);
	KUNIT_EXPECT_TRUE(test, asked);
	dma_fence_put(&rash->base);
}

/*
 * The driver signals its fence and frees the fence's lock just after poll() has
 * seen the fence pending: poll() must not take that lock any more. There:
 * poll() holds the reservation, which the driver needs to detach.
 */
static void test_poll_freed_lock(struct kunit *test)
{
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_BARE);
	struct mock_poller *poller = mock_poller_create(test, EV_IN);
	struct test_rash_fence *rash;
	struct dma_buf *dmabuf;

	if (num_online_cpus() < 2)
		kunit_skip(test, "takes two processors");

	dmabuf = mock_export(mock);
	rash = test_rash_create(test, dmabuf);
	expect_poll(test, poller, dmabuf, EV_IN);
	test_rash_end(test, rash);
	mock_poller_leave(poller);
	mock_put(mock, dmabuf);
}

/* A fence whose driver checks which locks its caller holds in enable_signaling() */
struct test_heard_fence {
	struct dma_fence base;
	spinlock_t lock; /* of @base */
	struct dma_buf_object *obj;
	unsigned int asked, asked_unlocked;
};

static bool test_heard_enable(struct dma_fence *fence)
{
	struct test_heard_fence *heard = container_of(fence, typeof(*heard), base);

	heard->asked++;
	/* The lock cannot be taken if the caller holds it. */
	if (spin_trylock(&heard->obj->detach_lock)) {
		heard->asked_unlocked++;
		spin_unlock(&heard->obj->detach_lock);
	}
	return true;
}

static const struct dma_fence_ops test_heard_ops = {
	.get_driver_name	= test_rash_name,
	.get_timeline_name	= test_rash_name,
	.enable_signaling	= test_heard_enable,
};

/*
 * poll() takes fence->lock only while it holds the lock that a detach needs:
 * when it asks the first fence to signal, and when it arms the others. There:
 * poll() holds the reservation instead, and that lock does not exist.
 */
static void test_poll_locks_out_detach(struct kunit *test)
{
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_BARE);
	struct mock_poller *poller = mock_poller_create(test, EV_IN);
	struct dma_buf *dmabuf = mock_export(mock);
	struct test_heard_fence *heard[2];
	int i;

	if (!IS_ENABLED(CONFIG_SMP))
		kunit_skip(test, "there are no locks to look at");

	for (i = 0; i < ARRAY_SIZE(heard); i++) {
		heard[i] = kzalloc(sizeof(*heard[i]), GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, heard[i]);
		spin_lock_init(&heard[i]->lock);
		heard[i]->obj = dma_buf_to_object(dmabuf);
		dma_fence_init(&heard[i]->base, &test_heard_ops, &heard[i]->lock,
			       dma_fence_context_alloc(1), 1);
		mock_add_fence(dmabuf, &heard[i]->base, DMA_RESV_USAGE_WRITE);
	}

	expect_poll(test, poller, dmabuf, 0);
	for (i = 0; i < ARRAY_SIZE(heard); i++) {
		KUNIT_EXPECT_EQ(test, heard[i]->asked, 1U);
		KUNIT_EXPECT_EQ(test, heard[i]->asked_unlocked, 0U);
		dma_fence_signal(&heard[i]->base);
		dma_fence_put(&heard[i]->base);
	}
	KUNIT_EXPECT_EQ(test, atomic_read(&poller->wakeups), 1);
	expect_poll(test, poller, dmabuf, EV_IN);
	mock_poller_leave(poller);
	mock_put(mock, dmabuf);
}

/*
 * A walk over the fences, under RCU and without a reference to the buffer, is
 * between two steps when the buffer is released. It must end.
 *
 * There: the buffer's memory is freed. And on a base whose dma-resv.c is not
 * fixed each further step returns the first fence again.
 */
static void test_release_ends_walk(struct kunit *test)
{
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_BARE);
	struct dma_buf *dmabuf = mock_export(mock);
	struct path path = dmabuf->file->f_path;
	struct dma_fence *fence = mock_fence_create(test);
	struct dma_resv *resv = dmabuf->resv;
	struct dma_resv_iter cursor;
	int tries;

	/* In place of RCU, which does not let the test sleep */
	path_get(&path);
	mock_add_fence(dmabuf, fence, DMA_RESV_USAGE_WRITE);
	dma_resv_iter_begin(&cursor, resv, DMA_RESV_USAGE_WRITE);
	KUNIT_EXPECT_PTR_EQ(test, dma_resv_iter_first_unlocked(&cursor), fence);

	dma_buf_put(dmabuf);
	for (tries = 0; tries < 500 && d_count(path.dentry) > 1; tries++) {
		flush_delayed_fput();
		msleep(20);
	}
	KUNIT_EXPECT_TRUE(test, mock_is_released(mock));
	KUNIT_EXPECT_NULL(test, dma_resv_iter_next_unlocked(&cursor));
	KUNIT_EXPECT_NULL(test, dma_resv_iter_next_unlocked(&cursor));
	dma_resv_iter_end(&cursor);
	path_put(&path);
}

static struct kunit_case dma_buf_fatal_test_cases[] = {
	KUNIT_CASE(test_release_forgotten_attachment),
	KUNIT_CASE(test_release_forgotten_file),
	KUNIT_CASE(test_detach_while_dying),
	KUNIT_CASE(test_unmap_wrong),
	KUNIT_CASE(test_pin_null),
	KUNIT_CASE(test_detach_mapped),
	KUNIT_CASE(test_detach_mapped_fixed),
	KUNIT_CASE(test_access_null),
	KUNIT_CASE(test_vunmap_wrong),
	KUNIT_CASE(test_release_forgotten_vmap),
	KUNIT_CASE(test_release_forgotten_poller),
	KUNIT_CASE(test_busy_reservation),
	KUNIT_CASE(test_busy_bufinfo),
	KUNIT_CASE(test_poll_armed_release),
	KUNIT_CASE(test_poll_last_reference),
	KUNIT_CASE(test_poll_release_race),
	KUNIT_CASE(test_poll_never_added),
	KUNIT_CASE(test_poll_freed_lock),
	KUNIT_CASE(test_poll_locks_out_detach),
	KUNIT_CASE(test_release_ends_walk),
	{}
};

static struct kunit_suite dma_buf_fatal_test_suite = {
	.name = "dma_buf_fatal",
	.init = test_init,
	.test_cases = dma_buf_fatal_test_cases,
};

kunit_test_suite(dma_buf_fatal_test_suite);
