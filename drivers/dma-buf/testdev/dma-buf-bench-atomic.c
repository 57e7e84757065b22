// SPDX-License-Identifier: GPL-2.0-only
/*
 * dma-buf: measure how long preemption is off, and which function disabled it.
 *
 * A section is the time from disabling preemption to enabling it again. The
 * kernel must have the trace events preempt_disable and preempt_enable
 * (CONFIG_PREEMPT_TRACER). It also needs frame pointers: preempt_disable finds
 * the caller of a locking function with them. Both events occur for the outermost
 * section only, so a nested section counts as part of the outermost one.
 * Spinlocks that disable interrupts disable preemption too, so their sections
 * are included. The time of timer interrupts, device interrupts and softirqs
 * within a section is subtracted, except for the cost of entering and leaving
 * them.
 *
 * The module also makes any number of fences and attachments for a program. It
 * uses nothing of the core but the public header, so it can measure any core with
 * that header. dma-buf-bench-atomic.h describes the requests of programs.
 */
#include <linux/bits.h>
#include <linux/cleanup.h>
#include <linux/compiler.h>
#include <linux/dma-buf.h>
#include <linux/dma-fence.h>
#include <linux/dma-resv.h>
#include <linux/hash.h>
#include <linux/interrupt.h>
#include <linux/kallsyms.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/percpu.h>
#include <linux/preempt.h>
#include <linux/refcount.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/timex.h>
#include <linux/tracepoint.h>
#include <linux/uaccess.h>

#include "dma-buf-bench-atomic.h"

/* More than any run needs, but a mistake must not use up all memory. */
#define ATOMIC_COUNT_MAX	1000000
/* Fences that DMA_BUF_ATOMIC_REPLACE may take out of the reservation */
#define ATOMIC_REPLACED_MAX	64
/* Places in the kernel that may open sections; a power of two */
#define ATOMIC_OPENER_BITS	11
#define ATOMIC_OPENERS		BIT(ATOMIC_OPENER_BITS)
/* Number of nested lock operations that calibrate the cost of one */
#define ATOMIC_NESTED		1000

/* Watching sections */

struct atomic_opener {
	unsigned long ip;
	u64 longest;
	u64 sections;
};

/**
 * struct atomic_watch - sections seen on one processor
 * @on: sections are watched. Like all members, written by this processor only
 * @open: a section is open
 * @opener: address after the call that opened the section
 * @began: start of the section, in units of get_cycles()
 * @interrupts: number of interrupts and softirqs being handled in the section
 * @interrupted: start of the first of these
 * @skip: duration of the completed interrupts and softirqs of the section
 * @lost: sections whose opener found no place in @openers
 * @openers: hash table of the functions that opened sections
 */
struct atomic_watch {
	bool on;
	bool open;
	unsigned long opener;
	u64 began;
	unsigned int interrupts;
	u64 interrupted;
	u64 skip;
	u64 lost;
	struct atomic_opener openers[ATOMIC_OPENERS];
};

/*
 * One is enough: atomic_init() requires a machine with one processor, as only
 * there a virtual machine's clock can count instructions.
 */
static struct atomic_watch *atomic_watch;
static DEFINE_MUTEX(atomic_watch_lock); /* one program at a time */

static struct atomic_opener *atomic_opener_find(struct atomic_watch *watch,
						unsigned long ip)
{
	unsigned int i, slot = hash_long(ip, ATOMIC_OPENER_BITS);

	for (i = 0; i < ATOMIC_OPENERS; i++) {
		struct atomic_opener *opener = &watch->openers[slot];

		if (!opener->ip)
			opener->ip = ip;
		if (opener->ip == ip)
			return opener;
		slot = (slot + 1) % ATOMIC_OPENERS;
	}
	return NULL;
}

/* Preemption has been disabled. */
static void atomic_section_open(void *data, unsigned long ip,
				unsigned long parent_ip)
{
	struct atomic_watch *watch = data;

	if (!watch->on)
		return;
	watch->opener = parent_ip;
	watch->interrupts = 0;
	watch->skip = 0;
	/* Start the clock last, so that this function's own work does not count. */
	watch->began = get_cycles();
	/*
	 * Set open only after began: an interrupt before began is not part of
	 * the measured time and must not be subtracted.
	 */
	barrier();
	watch->open = true;
}

/* Preemption is about to be enabled. */
static void atomic_section_close(void *data, unsigned long ip,
				 unsigned long parent_ip)
{
	struct atomic_watch *watch = data;
	struct atomic_opener *opener;
	u64 took, skip;

	/* A section that was open before the watch began has no start time. */
	if (!watch->open)
		return;
	/*
	 * Read skip before the clock. An interrupt between the two then counts
	 * as part of the section, which errs on the safe side. In the other
	 * order it would be subtracted without having been measured.
	 */
	skip = READ_ONCE(watch->skip);
	took = get_cycles() - watch->began - skip;
	watch->open = false;
	opener = atomic_opener_find(watch, watch->opener);
	if (!opener) {
		watch->lost++;
		return;
	}
	opener->longest = max(opener->longest, took);
	opener->sections++;
}

static void atomic_interrupt_begin(struct atomic_watch *watch)
{
	if (watch->open && !watch->interrupts++)
		watch->interrupted = get_cycles();
}

static void atomic_interrupt_end(struct atomic_watch *watch)
{
	if (watch->open && watch->interrupts && !--watch->interrupts)
		watch->skip += get_cycles() - watch->interrupted;
}

static void atomic_timer_entry(void *data, int vector)
{
	atomic_interrupt_begin(data);
}

static void atomic_timer_exit(void *data, int vector)
{
	atomic_interrupt_end(data);
}

static void atomic_softirq_entry(void *data, unsigned int vector)
{
	atomic_interrupt_begin(data);
}

static void atomic_softirq_exit(void *data, unsigned int vector)
{
	atomic_interrupt_end(data);
}

static void atomic_irq_entry(void *data, int irq, struct irqaction *action)
{
	atomic_interrupt_begin(data);
}

static void atomic_irq_exit(void *data, int irq, struct irqaction *action, int ret)
{
	atomic_interrupt_end(data);
}

static struct atomic_probe {
	const char *name;
	void *probe;
	struct tracepoint *tp;
} atomic_probes[] = {
	{ "preempt_disable", atomic_section_open },
	{ "preempt_enable", atomic_section_close },
	{ "local_timer_entry", atomic_timer_entry },
	{ "local_timer_exit", atomic_timer_exit },
	{ "softirq_entry", atomic_softirq_entry },
	{ "softirq_exit", atomic_softirq_exit },
	{ "irq_handler_entry", atomic_irq_entry },
	{ "irq_handler_exit", atomic_irq_exit },
};

static void atomic_probe_find(struct tracepoint *tp, void *data)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(atomic_probes); i++)
		if (!strcmp(tp->name, atomic_probes[i].name))
			atomic_probes[i].tp = tp;
}

static void atomic_probes_remove(int count)
{
	while (count--)
		tracepoint_probe_unregister(atomic_probes[count].tp,
					    atomic_probes[count].probe,
					    atomic_watch);
	tracepoint_synchronize_unregister();
}

static int atomic_probes_add(void)
{
	int i, ret;

	for_each_kernel_tracepoint(atomic_probe_find, NULL);
	for (i = 0; i < ARRAY_SIZE(atomic_probes); i++) {
		ret = -EOPNOTSUPP;
		if (!atomic_probes[i].tp)
			pr_err("dma-buf-bench-atomic: no trace event %s in this kernel\n",
			       atomic_probes[i].name);
		else
			ret = tracepoint_probe_register(atomic_probes[i].tp,
							atomic_probes[i].probe,
							atomic_watch);
		if (ret) {
			atomic_probes_remove(i);
			return ret;
		}
	}
	return 0;
}

static void atomic_watch_begin(void)
{
	struct atomic_watch *watch = atomic_watch;

	WRITE_ONCE(watch->on, false);
	WRITE_ONCE(watch->open, false);
	watch->lost = 0;
	memset(watch->openers, 0, sizeof(watch->openers));
	WRITE_ONCE(watch->on, true);
}

static void atomic_watch_end(void)
{
	WRITE_ONCE(atomic_watch->on, false);
	WRITE_ONCE(atomic_watch->open, false);
}

/* Returns the longest section of this function, with @nested locks taken in it. */
static noinline u64 atomic_calibrate(unsigned int nested)
{
	DEFINE_SPINLOCK(lock);
	unsigned long flags;
	u64 longest = 0;
	int i;

	atomic_watch_begin();
	preempt_disable();
	while (nested--) {
		spin_lock_irqsave(&lock, flags);
		spin_unlock_irqrestore(&lock, flags);
	}
	preempt_enable();
	atomic_watch_end();

	for (i = 0; i < ATOMIC_OPENERS; i++) {
		struct atomic_opener *opener = &atomic_watch->openers[i];
		char name[KSYM_SYMBOL_LEN];

		if (!opener->ip)
			continue;
		sprint_symbol_no_offset(name, opener->ip);
		if (str_has_prefix(name, __func__))
			longest = max(longest, opener->longest);
	}
	return longest;
}

static long atomic_ioctl_watch(void)
{
	guard(mutex)(&atomic_watch_lock);
	atomic_watch_begin();
	return 0;
}

static long atomic_ioctl_report(struct dma_buf_atomic_report __user *uarg)
{
	struct dma_buf_atomic_opener __user *openers;
	struct dma_buf_atomic_report report;
	int i;

	guard(mutex)(&atomic_watch_lock);
	atomic_watch_end();
	if (copy_from_user(&report, uarg, sizeof(report)))
		return -EFAULT;

	openers = u64_to_user_ptr(report.openers);
	report.count = 0;
	report.lost = atomic_watch->lost;
	for (i = 0; i < ATOMIC_OPENERS; i++) {
		struct atomic_opener *opener = &atomic_watch->openers[i];
		struct dma_buf_atomic_opener out = {
			.longest = opener->longest,
			.sections = opener->sections,
		};
		char name[KSYM_SYMBOL_LEN];

		if (!opener->ip)
			continue;
		if (report.count == report.room)
			return -ENOSPC;
		/*
		 * ip is the address after the call. If the call is the last
		 * instruction of its function, ip is in the next function.
		 */
		sprint_symbol_no_offset(name, opener->ip - 1);
		strscpy(out.name, name, sizeof(out.name));
		if (copy_to_user(&openers[report.count++], &out, sizeof(out)))
			return -EFAULT;
	}

	report.empty = atomic_calibrate(0);
	report.nested = (atomic_calibrate(ATOMIC_NESTED) - report.empty) / ATOMIC_NESTED;
	return copy_to_user(uarg, &report, sizeof(report)) ? -EFAULT : 0;
}

/* Fences */

struct atomic_fence {
	struct dma_fence base;
	spinlock_t lock; /* the lock of base */
};

static const char *atomic_fence_name(struct dma_fence *fence)
{
	return "dma_buf_bench";
}

static const struct dma_fence_ops atomic_fence_ops = {
	.get_driver_name = atomic_fence_name,
	.get_timeline_name = atomic_fence_name,
};

static struct dma_fence *atomic_fence_make(u64 context, u64 seqno)
{
	struct atomic_fence *fence = kzalloc(sizeof(*fence), GFP_KERNEL);

	if (!fence)
		return NULL;
	spin_lock_init(&fence->lock);
	dma_fence_init(&fence->base, &atomic_fence_ops, &fence->lock, context, seqno);
	return &fence->base;
}

/* The reservation of a session's buffers, which may outlive the session */
struct atomic_resv {
	struct dma_resv resv;
	refcount_t refs; /* one of the session and one of each buffer */
};

static void atomic_resv_put(struct atomic_resv *shared)
{
	if (!refcount_dec_and_test(&shared->refs))
		return;
	dma_resv_fini(&shared->resv);
	kfree(shared);
}

/* Sessions: one for each open file of the device */

struct atomic_session {
	struct mutex lock; /* guards all members */
	struct atomic_resv *shared;
	struct dma_fence **fences;
	unsigned int fence_count;
	struct dma_fence *replaced[ATOMIC_REPLACED_MAX];
	unsigned int replaced_count;
	struct dma_buf *attached;
	struct dma_buf_attachment **attachments;
	unsigned int attach_first;
	unsigned int attach_end;
};

static struct miscdevice atomic_misc;

/* Exporter. Its buffers cannot be mapped. */

static struct sg_table *atomic_map(struct dma_buf_attachment *attach,
				   enum dma_data_direction dir)
{
	return ERR_PTR(-EOPNOTSUPP);
}

static void atomic_unmap(struct dma_buf_attachment *attach,
			 struct sg_table *table, enum dma_data_direction dir)
{
}

static void atomic_release_buffer(struct dma_buf *dmabuf)
{
	atomic_resv_put(dmabuf->priv);
}

static const struct dma_buf_ops atomic_ops = {
	.map_dma_buf = atomic_map,
	.unmap_dma_buf = atomic_unmap,
	.release = atomic_release_buffer,
};

static long atomic_ioctl_export(struct atomic_session *session)
{
	DEFINE_DMA_BUF_EXPORT_INFO(info);
	struct dma_buf *dmabuf;
	int fd;

	info.ops = &atomic_ops;
	info.size = PAGE_SIZE;
	info.flags = O_RDWR | O_CLOEXEC;
	info.resv = &session->shared->resv;
	info.priv = session->shared;
	refcount_inc(&session->shared->refs);
	dmabuf = dma_buf_export(&info);
	if (IS_ERR(dmabuf)) {
		atomic_resv_put(session->shared);
		return PTR_ERR(dmabuf);
	}

	fd = dma_buf_fd(dmabuf, O_CLOEXEC);
	if (fd < 0)
		dma_buf_put(dmabuf);
	return fd;
}

static long atomic_ioctl_fences(struct atomic_session *session, unsigned long count)
{
	struct dma_resv *resv = &session->shared->resv;
	int ret;

	if (!count || count > ATOMIC_COUNT_MAX)
		return -EINVAL;
	if (session->fences)
		return -EBUSY;
	session->fences = kvcalloc(count, sizeof(*session->fences), GFP_KERNEL);
	if (!session->fences)
		return -ENOMEM;

	dma_resv_lock(resv, NULL);
	ret = dma_resv_reserve_fences(resv, count);
	while (!ret && session->fence_count < count) {
		struct dma_fence *fence;

		fence = atomic_fence_make(dma_fence_context_alloc(1), 1);
		if (!fence) {
			ret = -ENOMEM;
			break;
		}
		dma_resv_add_fence(resv, fence, DMA_RESV_USAGE_READ);
		session->fences[session->fence_count++] = fence;
	}
	dma_resv_unlock(resv);
	return ret;
}

static long atomic_ioctl_replace(struct atomic_session *session)
{
	struct dma_resv *resv = &session->shared->resv;
	struct dma_fence *fence, *old;
	int ret;

	if (!session->fence_count || session->replaced_count == ATOMIC_REPLACED_MAX)
		return -EINVAL;
	old = session->fences[0];
	fence = atomic_fence_make(old->context, old->seqno + 1);
	if (!fence)
		return -ENOMEM;

	dma_resv_lock(resv, NULL);
	ret = dma_resv_reserve_fences(resv, 1);
	if (!ret)
		dma_resv_add_fence(resv, fence, DMA_RESV_USAGE_READ);
	dma_resv_unlock(resv);
	if (ret) {
		dma_fence_put(fence);
		return ret;
	}

	/* Do not signal the old fence, so that its callbacks stay armed. */
	session->replaced[session->replaced_count++] = old;
	session->fences[0] = fence;
	return 0;
}

static void atomic_fence_end(struct dma_fence *fence)
{
	dma_fence_signal(fence);
	dma_fence_put(fence);
}

static long atomic_ioctl_signal(struct atomic_session *session, unsigned long count)
{
	if (count > session->fence_count)
		return -EINVAL;
	while (count--)
		atomic_fence_end(session->fences[--session->fence_count]);
	return 0;
}

static long atomic_ioctl_attach(struct atomic_session *session,
				struct dma_buf_atomic_attach __user *uarg)
{
	struct dma_buf_atomic_attach arg;
	struct dma_buf_attachment *attach;
	struct dma_buf *dmabuf;
	void *larger;

	if (copy_from_user(&arg, uarg, sizeof(arg)))
		return -EFAULT;
	if (!arg.count || arg.count > ATOMIC_COUNT_MAX - session->attach_end)
		return -EINVAL;

	dmabuf = dma_buf_get(arg.fd);
	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);
	if (session->attached) {
		dma_buf_put(dmabuf);
		if (dmabuf != session->attached)
			return -EBUSY;
	} else {
		session->attached = dmabuf;
	}

	larger = kvcalloc(session->attach_end + arg.count,
			  sizeof(*session->attachments), GFP_KERNEL);
	if (!larger)
		return -ENOMEM;
	if (session->attachments)
		memcpy(larger, session->attachments,
		       session->attach_end * sizeof(*session->attachments));
	kvfree(session->attachments);
	session->attachments = larger;

	while (arg.count--) {
		attach = dma_buf_attach(session->attached, atomic_misc.this_device);
		if (IS_ERR(attach))
			return PTR_ERR(attach);
		session->attachments[session->attach_end++] = attach;
	}
	return 0;
}

static long atomic_ioctl_detach(struct atomic_session *session, unsigned long count)
{
	if (count > session->attach_end - session->attach_first)
		return -EINVAL;
	while (count--)
		dma_buf_detach(session->attached,
			       session->attachments[session->attach_first++]);
	return 0;
}

static long atomic_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct atomic_session *session = file->private_data;
	void __user *uarg = (void __user *)arg;

	guard(mutex)(&session->lock);
	switch (cmd) {
	case DMA_BUF_ATOMIC_WATCH:
		return atomic_ioctl_watch();
	case DMA_BUF_ATOMIC_REPORT:
		return atomic_ioctl_report(uarg);
	case DMA_BUF_ATOMIC_EXPORT:
		return atomic_ioctl_export(session);
	case DMA_BUF_ATOMIC_FENCES:
		return atomic_ioctl_fences(session, arg);
	case DMA_BUF_ATOMIC_REPLACE:
		return atomic_ioctl_replace(session);
	case DMA_BUF_ATOMIC_SIGNAL:
		return atomic_ioctl_signal(session, arg);
	case DMA_BUF_ATOMIC_ATTACH:
		return atomic_ioctl_attach(session, uarg);
	case DMA_BUF_ATOMIC_DETACH:
		return atomic_ioctl_detach(session, arg);
	default:
		return -ENOTTY;
	}
}

static int atomic_open(struct inode *inode, struct file *file)
{
	struct atomic_session *session = kzalloc(sizeof(*session), GFP_KERNEL);

	if (!session)
		return -ENOMEM;
	session->shared = kzalloc(sizeof(*session->shared), GFP_KERNEL);
	if (!session->shared) {
		kfree(session);
		return -ENOMEM;
	}
	dma_resv_init(&session->shared->resv);
	refcount_set(&session->shared->refs, 1);
	mutex_init(&session->lock);
	file->private_data = session;
	return 0;
}

static int atomic_release(struct inode *inode, struct file *file)
{
	struct atomic_session *session = file->private_data;

	atomic_ioctl_detach(session, session->attach_end - session->attach_first);
	kvfree(session->attachments);
	if (session->attached)
		dma_buf_put(session->attached);

	atomic_ioctl_signal(session, session->fence_count);
	kvfree(session->fences);
	while (session->replaced_count)
		atomic_fence_end(session->replaced[--session->replaced_count]);

	atomic_resv_put(session->shared);
	mutex_destroy(&session->lock);
	kfree(session);
	return 0;
}

static const struct file_operations atomic_fops = {
	.owner = THIS_MODULE,
	.open = atomic_open,
	.release = atomic_release,
	.unlocked_ioctl = atomic_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};

static struct miscdevice atomic_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "dma_buf_bench_atomic",
	.fops = &atomic_fops,
	/* For root only: the device uses as much time and memory as asked. */
	.mode = 0600,
};

/*
 * The module cannot be unloaded: the code of its fences is here, and any driver
 * may hold a reference to such a fence for any time.
 */
static int __init atomic_init(void)
{
	int ret;

	if (num_possible_cpus() > 1) {
		pr_err("dma-buf-bench-atomic: this machine has more than one processor\n");
		return -EOPNOTSUPP;
	}
	atomic_watch = kvzalloc(sizeof(*atomic_watch), GFP_KERNEL);
	if (!atomic_watch)
		return -ENOMEM;
	ret = atomic_probes_add();
	if (ret)
		goto free;
	ret = misc_register(&atomic_misc);
	if (ret)
		goto remove;
	return 0;

remove:
	atomic_probes_remove(ARRAY_SIZE(atomic_probes));
free:
	kvfree(atomic_watch);
	return ret;
}
module_init(atomic_init);

MODULE_DESCRIPTION("How long the dma-buf core keeps preemption off");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS(DMA_BUF);
