// SPDX-License-Identifier: GPL-2.0-only
/*
 * dma-buf: exporter of the test device.
 *
 * Each buffer has two or three copies of its memory for as long as it lives, so
 * that no memory is used after it was freed, whatever a test or the core does
 * wrong:
 *
 *	stores[0], stores[1]	one of them is the memory, and devices see it. The
 *				other takes it in when the buffer moves.
 *	cpu			what the CPU sees instead where the buffer is not
 *				coherent
 *
 * A move that takes time fills the memory with DMA_BUF_TEST_POISON until the
 * move is done: a reader that does not wait for the fence sees the poison.
 */
#include <linux/cleanup.h>
#include <linux/delay.h>
#include <linux/fcntl.h>
#include <linux/file.h>
#include <linux/iosys-map.h>
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>
#include <linux/workqueue.h>

#include "testdev-internal.h"

/*
 * The hooks for CPU access look after caches here, mappings do not. DMA
 * debugging would also report memory that is mapped twice with cache
 * maintenance, and any number of importers may map a buffer.
 */
#define TESTDEV_MAP_ATTRS	DMA_ATTR_SKIP_CPU_SYNC

/**
 * struct testdev_rule - a change of what a hook does
 * @error: error to return, or 0
 * @skip: number of calls that behave as usual first
 * @count: number of calls that are changed after these; 0: all
 * @delay_ms: delay before the hook does anything
 * @flags: DMA_BUF_TEST_NULL, DMA_BUF_TEST_ASYNC
 * @seen: number of calls since the rule was set
 */
struct testdev_rule {
	int error;
	u32 skip;
	u32 count;
	u32 delay_ms;
	u32 flags;
	u32 seen;
};

/**
 * struct testdev_exporter - exporter of one buffer
 * @object: base; the buffer holds a reference until it is released
 * @ops: the buffer's own table of hooks
 * @kind: DMA_BUF_TEST_DYNAMIC and so on
 * @faults: DMA_BUF_TEST_LEAKS_IF_FULL and so on
 * @size: size of each store, in whole pages
 * @resv: reservation shared with others of the session, or NULL
 * @memory_lock: guards the allocation of the stores, @store, and @move_from to
 *	@move_fence. Stores are not freed while the exporter lives. The lock
 *	does not guard their content, which any user of the buffer may change
 * @stores: the memory, twice
 * @cpu: the CPU's copy, NULL if coherent
 * @table: table made by the first CPU access, with DMA_BUF_TEST_LEAKS_TABLES.
 *	No lock guards it, which is the fault that is imitated
 * @store: which of @stores is the memory
 * @work: ends a move that takes time; holds a reference to @object. There is one
 *	at a time, see @moving
 * @move_from: where @work copies the content from
 * @move_to: where @work copies the content to, NULL if there is no move
 * @move_cpu: whether @work then updates the CPU's copy
 * @move_fence: fence that @work signals in the end
 * @lock: guards the members that follow
 * @dmabuf: the buffer, NULL before its export and after its release
 * @moving: whether @work is under way
 * @rules: changes of hooks, by enum dma_buf_hook
 * @log: calls of hooks
 * @logged: number of calls in @log
 * @lost: number of calls that found @log full
 * @attached: number of attachments
 * @mapped: number of mappings
 * @pinned: number of pins
 * @vmapped: number of vmaps
 * @released: number of calls of the release hook
 * @file_ok: whether the release hook found the buffer's own file, closed
 */
struct testdev_exporter {
	struct testdev_object object;
	struct dma_buf_ops ops;
	u32 kind;
	u32 faults;
	size_t size;
	struct testdev_shared_resv *resv;
	struct mutex memory_lock; /* memory and store */
	void *stores[2];
	void *cpu;
	struct sg_table *table;
	unsigned int store;
	struct delayed_work work;
	void *move_from;
	void *move_to;
	bool move_cpu;
	struct dma_fence *move_fence;
	spinlock_t lock; /* what follows */
	struct dma_buf *dmabuf;
	bool moving;
	struct testdev_rule rules[HOOKS];
	struct dma_buf_test_call log[DMA_BUF_TEST_LOG_LEN];
	u32 logged;
	u32 lost;
	u32 attached;
	u32 mapped;
	u32 pinned;
	u32 vmapped;
	u32 released;
	bool file_ok;
};

static struct testdev_exporter *to_exporter(struct testdev_object *object)
{
	return container_of(object, struct testdev_exporter, object);
}

static struct testdev_exporter *exporter_of(struct dma_buf_attachment *attach)
{
	return attach->dmabuf->priv;
}

/* Rules and log */

/* Count a call of @hook and return the rule that applies to it. */
static struct testdev_rule testdev_rule_next(struct testdev_exporter *exporter,
					     enum dma_buf_hook hook)
{
	struct testdev_rule *rule = &exporter->rules[hook], now = {};

	spin_lock(&exporter->lock);
	if (rule->seen++ >= rule->skip &&
	    (!rule->count || rule->seen - rule->skip <= rule->count))
		now = *rule;
	spin_unlock(&exporter->lock);
	return now;
}

/*
 * Never sleep shorter than the rule says, by the clock that tests measure with:
 * msleep() counts jiffies, and returns early if these lag behind the clock when
 * it starts, as they do in a virtual machine on a busy host.
 */
static int testdev_rule_delay(const struct testdev_rule *rule, bool interruptible)
{
	ktime_t end = ktime_add_ms(ktime_get(), rule->delay_ms);
	s64 left;

	if (!rule->delay_ms || rule->flags & DMA_BUF_TEST_ASYNC)
		return 0;
	while ((left = ktime_us_delta(end, ktime_get())) > 0) {
		unsigned int ms = DIV_ROUND_UP_ULL(left, USEC_PER_MSEC);

		if (!interruptible)
			msleep(ms);
		else if (msleep_interruptible(ms))
			return -ERESTARTSYS;
	}
	return 0;
}

/* The whole of a hook that does nothing of its own before it fails */
static int testdev_rule_apply(struct testdev_exporter *exporter,
			      enum dma_buf_hook hook, bool interruptible,
			      struct testdev_rule *rule)
{
	*rule = testdev_rule_next(exporter, hook);
	return testdev_rule_delay(rule, interruptible) ?: rule->error;
}

/*
 * Log the call and update the counter under one hold of the lock: a reader sees
 * both or neither.
 */
static int testdev_hook_end(struct testdev_exporter *exporter, enum dma_buf_hook hook,
			    struct dma_buf_attachment *attach,
			    enum dma_data_direction dir, int result,
			    u32 *count, int change)
{
	struct dma_buf_test_call *call;

	spin_lock(&exporter->lock);
	if (count && !result)
		*count += change;

	if (exporter->logged < DMA_BUF_TEST_LOG_LEN) {
		call = &exporter->log[exporter->logged++];
		call->op = hook;
		call->result = result;
		call->dir = dir;
		call->importer = attach ?
			testdev_importer_id(attach, exporter->object.session) : 0;
	} else {
		exporter->lost++;
	}
	spin_unlock(&exporter->lock);
	return result;
}

/* Memory */

static bool testdev_has_memory(struct testdev_exporter *exporter)
{
	/*
	 * The first store is set last, and never cleared. Pairs with the
	 * release in testdev_memory_alloc(): a reader without memory_lock that
	 * sees the first store sees the other copies as well.
	 */
	return smp_load_acquire(&exporter->stores[1]);
}

static int testdev_memory_alloc(struct testdev_exporter *exporter)
{
	void *memory[3] = {};
	unsigned int i, copies;

	guard(mutex)(&exporter->memory_lock);
	if (testdev_has_memory(exporter))
		return 0;
	if (!exporter->size || exporter->size > DMA_BUF_TEST_MEMORY_MAX)
		return -ENOMEM;

	copies = exporter->kind & DMA_BUF_TEST_NONCOHERENT ? 3 : 2;
	for (i = 0; i < copies; i++) {
		/* No warning: tests make this allocation fail. */
		memory[i] = __vmalloc(exporter->size, GFP_KERNEL | __GFP_ZERO |
						      __GFP_NOWARN);
		if (!memory[i])
			goto free;
	}

	exporter->cpu = memory[2];
	exporter->stores[0] = memory[0];
	/* Pairs with the acquire in testdev_has_memory(). */
	smp_store_release(&exporter->stores[1], memory[1]);
	return 0;

free:
	while (i--)
		vfree(memory[i]);
	return -ENOMEM;
}

/* What the CPU sees; @exporter has memory and @store does not change. */
static void *testdev_cpu_memory(struct testdev_exporter *exporter)
{
	return exporter->cpu ?: exporter->stores[exporter->store];
}

static struct sg_table *testdev_sgt_alloc(struct testdev_exporter *exporter,
					  struct device *dev)
{
	unsigned int i, n = exporter->size >> PAGE_SHIFT, segment;
	struct page **pages __free(kvfree) = NULL;
	struct sg_table *sgt __free(kfree) = NULL;
	void *memory;
	int ret;

	pages = kvmalloc_array(n, sizeof(*pages), GFP_KERNEL);
	sgt = kzalloc(sizeof(*sgt), GFP_KERNEL);
	if (!pages || !sgt)
		return ERR_PTR(-ENOMEM);

	/* The reservation is held, so the memory does not move. */
	memory = exporter->stores[exporter->store];
	for (i = 0; i < n; i++)
		pages[i] = vmalloc_to_page(memory + i * PAGE_SIZE);

	segment = max_t(unsigned int, dma_get_max_seg_size(dev), PAGE_SIZE);
	ret = sg_alloc_table_from_pages_segment(sgt, pages, n, 0, exporter->size,
						rounddown(segment, PAGE_SIZE),
						GFP_KERNEL);
	return ret ? ERR_PTR(ret) : no_free_ptr(sgt);
}

/* Moves */

static void testdev_move_work(struct work_struct *work)
{
	struct testdev_exporter *exporter =
		container_of(work, struct testdev_exporter, work.work);
	struct dma_fence *fence = exporter->move_fence;

	scoped_guard(mutex, &exporter->memory_lock) {
		memcpy(exporter->move_to, exporter->move_from, exporter->size);
		if (exporter->move_cpu && exporter->cpu)
			memcpy(exporter->cpu, exporter->move_to, exporter->size);
		exporter->move_to = NULL;
		exporter->move_cpu = false;

		/* After the fence has signalled, a waiter may start the next move. */
		scoped_guard(spinlock, &exporter->lock)
			exporter->moving = false;
	}

	testdev_fence_end(fence, 0);
	dma_fence_put(fence);
	testdev_object_put(&exporter->object);
}

/* What was mapped for the CPU faults again, and finds the other store. */
static void testdev_store_switch(struct testdev_exporter *exporter,
				 struct dma_buf *dmabuf)
{
	lockdep_assert_held(&exporter->memory_lock);
	exporter->store = !exporter->store;
	unmap_mapping_range(dmabuf->file->f_mapping, 0, 0, 1);
}

/*
 * Begin a move that ends in @delay_ms: fill the memory with poison and add a
 * fence that signals at the end. With @elsewhere the memory is the other store
 * from now on, else it stays where it is.
 */
static int testdev_move_begin(struct testdev_exporter *exporter, struct dma_buf *dmabuf,
			      u32 delay_ms, bool elsewhere, bool cpu)
{
	struct dma_fence *fence;
	void *here, *there;
	int ret;

	dma_resv_assert_held(dmabuf->resv);

	ret = dma_resv_reserve_fences(dmabuf->resv, 1);
	if (ret)
		return ret;
	fence = testdev_fence_alloc();
	if (!fence)
		return -ENOMEM;

	scoped_guard(spinlock, &exporter->lock) {
		if (exporter->moving) {
			ret = -EBUSY;
			break;
		}
		exporter->moving = true;
	}
	if (ret) {
		testdev_fence_end(fence, ret);
		dma_fence_put(fence);
		return ret;
	}

	guard(mutex)(&exporter->memory_lock);
	here = exporter->stores[exporter->store];
	there = exporter->stores[!exporter->store];
	if (elsewhere) {
		testdev_store_switch(exporter, dmabuf);
		exporter->move_from = here;
		exporter->move_to = there;
	} else {
		memcpy(there, here, exporter->size);
		exporter->move_from = there;
		exporter->move_to = here;
	}
	memset(exporter->move_to, DMA_BUF_TEST_POISON, exporter->size);
	exporter->move_cpu = cpu;	/* no other caller has asked yet */
	exporter->move_fence = fence;

	dma_resv_add_fence(dmabuf->resv, fence, DMA_RESV_USAGE_KERNEL);
	refcount_inc(&exporter->object.refs);
	schedule_delayed_work(&exporter->work, msecs_to_jiffies(delay_ms));
	return 0;
}

/*
 * Leave a fence, as a hook does that starts a move. If an earlier move is under
 * way, its fence serves.
 */
static int testdev_rule_async(struct testdev_exporter *exporter, struct dma_buf *dmabuf,
			      const struct testdev_rule *rule, bool cpu)
{
	int ret;

	if (!(rule->flags & DMA_BUF_TEST_ASYNC))
		return 0;

	ret = testdev_move_begin(exporter, dmabuf, rule->delay_ms, false, cpu);
	return ret == -EBUSY ? 0 : ret;
}

/* Hooks */

static int testdev_hook_attach(struct dma_buf *dmabuf,
			       struct dma_buf_attachment *attach)
{
	struct testdev_exporter *exporter = dmabuf->priv;
	struct testdev_rule rule;
	int ret;

	ret = testdev_rule_apply(exporter, HOOK_ATTACH, false, &rule);
	/* Some refuse peer memory and some leave the flag: tests see both. */
	if (exporter->kind & DMA_BUF_TEST_DYNAMIC)
		attach->peer2peer = false;
	return testdev_hook_end(exporter, HOOK_ATTACH, attach, DMA_NONE,
				ret, &exporter->attached, 1);
}

static void testdev_hook_detach(struct dma_buf *dmabuf,
				struct dma_buf_attachment *attach)
{
	struct testdev_exporter *exporter = dmabuf->priv;
	struct testdev_rule rule;

	testdev_rule_apply(exporter, HOOK_DETACH, false, &rule);
	testdev_hook_end(exporter, HOOK_DETACH, attach, DMA_NONE, 0,
			 &exporter->attached, -1);
}

static int testdev_hook_pin(struct dma_buf_attachment *attach)
{
	struct testdev_exporter *exporter = exporter_of(attach);
	struct testdev_rule rule;
	int ret;

	dma_resv_assert_held(attach->dmabuf->resv);
	ret = testdev_rule_apply(exporter, HOOK_PIN, false, &rule);
	return testdev_hook_end(exporter, HOOK_PIN, attach, DMA_NONE, ret,
				&exporter->pinned, 1);
}

static void testdev_hook_unpin(struct dma_buf_attachment *attach)
{
	struct testdev_exporter *exporter = exporter_of(attach);
	struct testdev_rule rule;

	dma_resv_assert_held(attach->dmabuf->resv);
	testdev_rule_apply(exporter, HOOK_UNPIN, false, &rule);
	testdev_hook_end(exporter, HOOK_UNPIN, attach, DMA_NONE, 0,
			 &exporter->pinned, -1);
}

static struct sg_table *testdev_sgt_map(struct testdev_exporter *exporter,
					struct dma_buf_attachment *attach,
					enum dma_data_direction dir,
					const struct testdev_rule *rule)
{
	struct sg_table *sgt;
	int ret;

	ret = testdev_memory_alloc(exporter);
	if (ret)
		return ERR_PTR(ret);

	sgt = testdev_sgt_alloc(exporter, attach->dev);
	if (IS_ERR(sgt))
		return sgt;

	ret = dma_map_sgtable(attach->dev, sgt, dir, TESTDEV_MAP_ATTRS);
	if (ret)
		goto free;
	ret = testdev_rule_async(exporter, attach->dmabuf, rule, false);
	if (ret)
		goto unmap;
	return sgt;

unmap:
	dma_unmap_sgtable(attach->dev, sgt, dir, TESTDEV_MAP_ATTRS);
free:
	sg_free_table(sgt);
	kfree(sgt);
	return ERR_PTR(ret);
}

static struct sg_table *testdev_hook_map(struct dma_buf_attachment *attach,
					 enum dma_data_direction dir)
{
	struct testdev_exporter *exporter = exporter_of(attach);
	struct sg_table *sgt = NULL;
	struct testdev_rule rule;
	int ret;

	dma_resv_assert_held(attach->dmabuf->resv);

	ret = testdev_rule_apply(exporter, HOOK_MAP, true, &rule);
	if (ret)
		sgt = ERR_PTR(ret);
	else if (!(rule.flags & DMA_BUF_TEST_NULL))
		sgt = testdev_sgt_map(exporter, attach, dir, &rule);

	testdev_hook_end(exporter, HOOK_MAP, attach, dir,
			 PTR_ERR_OR_ZERO(sgt), sgt ? &exporter->mapped : NULL, 1);
	return sgt;
}

static void testdev_hook_unmap(struct dma_buf_attachment *attach,
			       struct sg_table *sgt, enum dma_data_direction dir)
{
	struct testdev_exporter *exporter = exporter_of(attach);
	struct testdev_rule rule;

	dma_resv_assert_held(attach->dmabuf->resv);

	testdev_rule_apply(exporter, HOOK_UNMAP, false, &rule);
	dma_unmap_sgtable(attach->dev, sgt, dir, TESTDEV_MAP_ATTRS);
	sg_free_table(sgt);
	kfree(sgt);
	testdev_hook_end(exporter, HOOK_UNMAP, attach, dir, 0,
			 &exporter->mapped, -1);
}

static int testdev_cpu_begin(struct testdev_exporter *exporter, struct dma_buf *dmabuf,
			     enum dma_data_direction dir,
			     const struct testdev_rule *rule)
{
	bool reads = dir != DMA_TO_DEVICE;
	int ret = 0;

	if (!testdev_has_memory(exporter))
		return 0;

	if (rule->flags & DMA_BUF_TEST_ASYNC) {
		ret = dma_resv_lock_interruptible(dmabuf->resv, NULL);
		if (ret)
			return ret;
		ret = testdev_rule_async(exporter, dmabuf, rule, reads);
		dma_resv_unlock(dmabuf->resv);
	}

	if (!ret && exporter->cpu && reads) {
		guard(mutex)(&exporter->memory_lock);
		memcpy(exporter->cpu, exporter->stores[exporter->store],
		       exporter->size);
		/*
		 * Memory that is being moved is copied again at the end of the
		 * move.
		 */
		if (exporter->move_to)
			exporter->move_cpu = true;
	}
	return ret;
}

/*
 * DMA_BUF_TEST_LEAKS_TABLES. As in the exporters that have this fault, the
 * table is made and never used.
 */
static int testdev_table_make(struct testdev_exporter *exporter)
{
	unsigned int i, n = exporter->size >> PAGE_SHIFT;
	struct sg_table *table __free(kfree) = NULL;
	struct scatterlist *sg;
	int ret;

	if (READ_ONCE(exporter->table) || !testdev_has_memory(exporter))
		return 0;

	table = kzalloc(sizeof(*table), GFP_KERNEL);
	if (!table)
		return -ENOMEM;
	ret = sg_alloc_table(table, n, GFP_KERNEL);
	if (ret)
		return ret;
	for_each_sgtable_sg(table, sg, i)
		sg_set_page(sg, vmalloc_to_page(exporter->stores[0] + i * PAGE_SIZE),
			    PAGE_SIZE, 0);

	/* Long enough for every access that begins meanwhile to find no table */
	usleep_range(1000, 2000);
	WRITE_ONCE(exporter->table, no_free_ptr(table));
	return 0;
}

static int testdev_hook_begin(struct dma_buf *dmabuf, enum dma_data_direction dir)
{
	struct testdev_exporter *exporter = dmabuf->priv;
	struct testdev_rule rule;
	int ret;

	ret = testdev_rule_apply(exporter, HOOK_BEGIN, true, &rule);
	if (!ret && exporter->faults & DMA_BUF_TEST_LEAKS_TABLES)
		ret = testdev_table_make(exporter);
	if (!ret)
		ret = testdev_cpu_begin(exporter, dmabuf, dir, &rule);
	return testdev_hook_end(exporter, HOOK_BEGIN, NULL, dir, ret,
				NULL, 0);
}

static int testdev_hook_end_access(struct dma_buf *dmabuf,
				   enum dma_data_direction dir)
{
	struct testdev_exporter *exporter = dmabuf->priv;
	struct testdev_rule rule;
	int ret;

	ret = testdev_rule_apply(exporter, HOOK_END, true, &rule);
	if (!ret && exporter->kind & DMA_BUF_TEST_NONCOHERENT &&
	    testdev_has_memory(exporter) && dir != DMA_FROM_DEVICE) {
		guard(mutex)(&exporter->memory_lock);
		/* During a move, to where the move will copy from */
		memcpy(exporter->move_to ? exporter->move_from :
		       exporter->stores[exporter->store], exporter->cpu,
		       exporter->size);
	}
	return testdev_hook_end(exporter, HOOK_END, NULL, dir, ret,
				NULL, 0);
}

static vm_fault_t testdev_fault(struct vm_fault *vmf)
{
	struct testdev_exporter *exporter = vmf->vma->vm_private_data;
	void *memory;

	if (vmf->pgoff >= exporter->size >> PAGE_SHIFT)
		return VM_FAULT_SIGBUS;
	if (testdev_memory_alloc(exporter))
		return VM_FAULT_OOM;

	/* Not between a move and its taking the pages away. */
	guard(mutex)(&exporter->memory_lock);
	memory = testdev_cpu_memory(exporter) + (vmf->pgoff << PAGE_SHIFT);
	return vmf_insert_page(vmf->vma, vmf->address, vmalloc_to_page(memory));
}

static const struct vm_operations_struct testdev_vm_ops = {
	.fault = testdev_fault,
};

static int testdev_hook_mmap(struct dma_buf *dmabuf, struct vm_area_struct *vma)
{
	struct testdev_exporter *exporter = dmabuf->priv;
	struct testdev_rule rule;
	int ret;

	ret = testdev_rule_apply(exporter, HOOK_MMAP, false, &rule);
	/* Mappings of read-only descriptors lose VM_SHARED. */
	if (!ret && !(vma->vm_flags & VM_MAYSHARE))
		ret = -EINVAL;
	if (!ret) {
		/*
		 * VM_DONTEXPAND is left to the core, as some exporters forget
		 * it.
		 */
		vm_flags_set(vma, VM_MIXEDMAP);
		vma->vm_ops = &testdev_vm_ops;
		vma->vm_private_data = exporter;
	}
	return testdev_hook_end(exporter, HOOK_MMAP, NULL, DMA_NONE, ret,
				NULL, 0);
}

static int testdev_hook_vmap(struct dma_buf *dmabuf, struct iosys_map *map)
{
	struct testdev_exporter *exporter = dmabuf->priv;
	struct testdev_rule rule;
	int ret;

	dma_resv_assert_held(dmabuf->resv);

	ret = testdev_rule_apply(exporter, HOOK_VMAP, false, &rule);
	if (!ret)
		ret = testdev_memory_alloc(exporter);
	if (!ret)
		iosys_map_set_vaddr(map, testdev_cpu_memory(exporter));
	return testdev_hook_end(exporter, HOOK_VMAP, NULL, DMA_NONE, ret,
				&exporter->vmapped, 1);
}

static void testdev_hook_vunmap(struct dma_buf *dmabuf, struct iosys_map *map)
{
	struct testdev_exporter *exporter = dmabuf->priv;
	struct testdev_rule rule;

	dma_resv_assert_held(dmabuf->resv);
	testdev_rule_apply(exporter, HOOK_VUNMAP, false, &rule);
	testdev_hook_end(exporter, HOOK_VUNMAP, NULL, DMA_NONE, 0,
			 &exporter->vmapped, -1);
}

static void testdev_hook_release(struct dma_buf *dmabuf)
{
	struct testdev_exporter *exporter = dmabuf->priv;
	struct file *file = dmabuf->file;
	struct testdev_rule rule;
	bool ok;

	/* A core that calls this hook too late passes a file that has been freed. */
	ok = file->private_data == dmabuf && !file_count(file);
	testdev_rule_apply(exporter, HOOK_RELEASE, false, &rule);

	scoped_guard(spinlock, &exporter->lock) {
		exporter->dmabuf = NULL;
		exporter->file_ok = ok;
	}
	testdev_hook_end(exporter, HOOK_RELEASE, NULL, DMA_NONE, 0,
			 &exporter->released, 1);
	testdev_shared_resv_put(exporter->resv);
	exporter->resv = NULL;
	testdev_object_put(&exporter->object);
}

/* Life */

static void testdev_exporter_free(struct testdev_object *object)
{
	struct testdev_exporter *exporter = to_exporter(object);

	testdev_shared_resv_put(exporter->resv);
	if (exporter->table) {
		sg_free_table(exporter->table);
		kfree(exporter->table);
	}
	vfree(exporter->stores[0]);
	vfree(exporter->stores[1]);
	vfree(exporter->cpu);
	kfree(exporter);
}

const struct testdev_type testdev_exporter_type = { .free = testdev_exporter_free };

static void testdev_exporter_set_hooks(struct testdev_exporter *exporter)
{
	struct dma_buf_ops *ops = &exporter->ops;

	ops->map_dma_buf = testdev_hook_map;
	ops->unmap_dma_buf = testdev_hook_unmap;
	ops->release = testdev_hook_release;
	ops->cache_sgt_mapping = exporter->kind & DMA_BUF_TEST_CACHED;
	if (exporter->kind & DMA_BUF_TEST_BARE)
		return;

	ops->attach = testdev_hook_attach;
	ops->detach = testdev_hook_detach;
	ops->begin_cpu_access = testdev_hook_begin;
	ops->end_cpu_access = testdev_hook_end_access;
	ops->mmap = testdev_hook_mmap;
	ops->vmap = testdev_hook_vmap;
	ops->vunmap = testdev_hook_vunmap;
	if (exporter->kind & DMA_BUF_TEST_DYNAMIC) {
		ops->pin = testdev_hook_pin;
		ops->unpin = testdev_hook_unpin;
	}
}

/* On success the buffer has the caller's reference to the exporter's object. */
static struct dma_buf *testdev_exporter_export(struct testdev_exporter *exporter,
					       size_t length, int flags)
{
	DEFINE_DMA_BUF_EXPORT_INFO(info);
	struct dma_buf *dmabuf;

	info.ops = &exporter->ops;
	info.size = length;
	info.flags = flags;
	info.priv = exporter;
	if (exporter->resv)
		info.resv = &exporter->resv->resv;

	dmabuf = dma_buf_export(&info);
	if (!IS_ERR(dmabuf)) {
		spin_lock(&exporter->lock);
		exporter->dmabuf = dmabuf;
		spin_unlock(&exporter->lock);
	}
	return dmabuf;
}

/* Faults */

/**
 * struct testdev_leak - a buffer that a fault of its exporter leaks
 * @object: base; its only reference is the session's, dropped at the session's
 *	end
 * @dmabuf: the buffer, with a reference
 */
struct testdev_leak {
	struct testdev_object object;
	struct dma_buf *dmabuf;
};

static void testdev_leak_free(struct testdev_object *object)
{
	struct testdev_leak *leak = container_of(object, struct testdev_leak, object);

	dma_buf_put(leak->dmabuf);
	kfree(leak);
}

const struct testdev_type testdev_leak_type = { .free = testdev_leak_free };

/*
 * Have the session keep a buffer until the session ends, even if the ioctl
 * fails. The session takes over the caller's reference, which is dropped on
 * failure.
 */
static int testdev_leak(struct testdev_session *session, struct dma_buf *dmabuf)
{
	struct testdev_leak *leak;
	int ret;

	leak = kzalloc(sizeof(*leak), GFP_KERNEL);
	if (!leak) {
		dma_buf_put(dmabuf);
		return -ENOMEM;
	}
	leak->object.type = &testdev_leak_type;
	leak->object.session = session;
	refcount_set(&leak->object.refs, 1);
	leak->dmabuf = dmabuf;

	ret = xa_alloc(&session->objects, &leak->object.id, &leak->object,
		       xa_limit_31b, GFP_KERNEL);
	if (ret)
		testdev_leak_free(&leak->object);
	return ret;
}

static bool testdev_kind_valid(u32 kind)
{
	/*
	 * Combinations that the core would warn about, or that need hooks which
	 * are missing
	 */
	const u32 mixes[] = {
		DMA_BUF_TEST_DYNAMIC | DMA_BUF_TEST_CACHED,
		DMA_BUF_TEST_DYNAMIC | DMA_BUF_TEST_BARE,
		DMA_BUF_TEST_NONCOHERENT | DMA_BUF_TEST_BARE,
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(mixes); i++)
		if ((kind & mixes[i]) == mixes[i])
			return false;
	return !(kind & ~DMA_BUF_TEST_KINDS);
}

static bool testdev_faults_valid(u32 faults, u32 kind)
{
	if (faults & DMA_BUF_TEST_LEAKS_TABLES && kind & DMA_BUF_TEST_BARE)
		return false;
	return !(faults & ~DMA_BUF_TEST_FAULTS);
}

/**
 * testdev_create - DMA_BUF_TEST_CREATE
 * @call: the ioctl
 *
 * Return: 0 or a negative errno.
 */
int testdev_create(struct testdev_call *call)
{
	struct dma_buf_test_create *arg = &call->arg.create;
	struct testdev_exporter *exporter;
	struct dma_buf *dmabuf;
	int ret;

	if (!testdev_kind_valid(arg->kind) ||
	    !testdev_faults_valid(arg->faults, arg->kind) ||
	    arg->fd_flags & ~(O_CLOEXEC | O_ACCMODE))
		return -EINVAL;
	if (arg->length > SIZE_MAX ||
	    (!(arg->kind & DMA_BUF_TEST_LAZY) &&
	     arg->length > DMA_BUF_TEST_MEMORY_MAX))
		return -ENOMEM;

	exporter = kzalloc(sizeof(*exporter), GFP_KERNEL);
	if (!exporter)
		return -ENOMEM;
	mutex_init(&exporter->memory_lock);
	spin_lock_init(&exporter->lock);
	INIT_DELAYED_WORK(&exporter->work, testdev_move_work);
	exporter->kind = arg->kind;
	exporter->faults = arg->faults;
	/* 0 for what wraps around, which gets no memory either. */
	exporter->size = PAGE_ALIGN(arg->length);
	testdev_exporter_set_hooks(exporter);

	ret = testdev_object_make(call, &exporter->object, &testdev_exporter_type);
	if (ret) {
		testdev_exporter_free(&exporter->object);
		return ret;
	}

	/* From here on dispatch frees the exporter when something fails. */
	if (!(arg->kind & DMA_BUF_TEST_LAZY) && arg->length) {
		ret = testdev_memory_alloc(exporter);
		if (ret)
			return ret;
	}
	if (arg->kind & DMA_BUF_TEST_SHARED_RESV) {
		exporter->resv = testdev_session_resv(call->session);
		if (!exporter->resv)
			return -ENOMEM;
	}

	call->fd = get_unused_fd_flags(arg->fd_flags & O_CLOEXEC);
	if (call->fd < 0 && !(arg->faults & DMA_BUF_TEST_LEAKS_IF_FULL))
		return call->fd;

	refcount_inc(&exporter->object.refs);
	dmabuf = testdev_exporter_export(exporter, arg->length,
					 arg->fd_flags & O_ACCMODE);
	if (IS_ERR(dmabuf)) {
		testdev_object_put(&exporter->object);
		ret = PTR_ERR(dmabuf);
		goto put_fd;
	}

	if (call->fd < 0)
		return testdev_leak(call->session, dmabuf) ?: call->fd;
	if (arg->faults & DMA_BUF_TEST_LEAKS_BUFFERS) {
		get_dma_buf(dmabuf);
		ret = testdev_leak(call->session, dmabuf);
		if (ret)
			goto put_buffer;
	}

	call->file = dmabuf->file;
	arg->fd = call->fd;
	arg->id = call->id;
	return 0;

put_buffer:
	dma_buf_put(dmabuf);
put_fd:
	if (call->fd >= 0)
		put_unused_fd(call->fd);
	call->fd = -1;
	return ret;
}

/* Other ioctls */

/**
 * testdev_set_op - DMA_BUF_TEST_SET_OP
 * @call: the ioctl
 *
 * Return: 0 or a negative errno.
 */
int testdev_set_op(struct testdev_call *call)
{
	const u32 can_fail = BIT(HOOK_ATTACH) |
			     BIT(HOOK_PIN) |
			     BIT(HOOK_MAP) |
			     BIT(HOOK_BEGIN) |
			     BIT(HOOK_END) |
			     BIT(HOOK_MMAP) |
			     BIT(HOOK_VMAP);
	const u32 can_async = BIT(HOOK_MAP) |
			      BIT(HOOK_BEGIN);
	struct dma_buf_test_set_op *arg = &call->arg.set_op;
	struct testdev_exporter *exporter;
	struct testdev_object *object;
	struct testdev_rule *rule;
	u32 op = arg->op;

	if (!op || op >= HOOKS || arg->delay_ms > TESTDEV_DELAY_MAX_MS ||
	    arg->error > 0 || arg->error < -MAX_ERRNO ||
	    arg->flags & ~(DMA_BUF_TEST_NULL | DMA_BUF_TEST_ASYNC))
		return -EINVAL;
	if ((arg->error && !(can_fail & BIT(op))) ||
	    (arg->flags & DMA_BUF_TEST_NULL && op != HOOK_MAP) ||
	    (arg->flags & DMA_BUF_TEST_ASYNC && !(can_async & BIT(op))))
		return -EINVAL;

	object = testdev_object_get(call->session, arg->id, &testdev_exporter_type);
	if (!object)
		return -ENOENT;
	exporter = to_exporter(object);

	scoped_guard(spinlock, &exporter->lock) {
		rule = &exporter->rules[op];
		rule->error = arg->error;
		rule->skip = arg->skip;
		rule->count = arg->count;
		rule->delay_ms = arg->delay_ms;
		rule->flags = arg->flags;
		rule->seen = 0;
	}
	testdev_object_put(object);
	return 0;
}

/**
 * testdev_log - DMA_BUF_TEST_LOG
 * @call: the ioctl
 *
 * Return: 0 or a negative errno.
 */
int testdev_log(struct testdev_call *call)
{
	struct dma_buf_test_call *calls __free(kfree) = NULL;
	struct dma_buf_test_log *arg = &call->arg.log;
	struct testdev_exporter *exporter;
	struct testdev_object *object;
	u32 count, lost;
	int ret = 0;

	if (arg->flags & ~DMA_BUF_TEST_CLEAR)
		return -EINVAL;

	calls = kcalloc(DMA_BUF_TEST_LOG_LEN, sizeof(*calls), GFP_KERNEL);
	if (!calls)
		return -ENOMEM;

	object = testdev_object_get(call->session, arg->id, &testdev_exporter_type);
	if (!object)
		return -ENOENT;
	exporter = to_exporter(object);

	scoped_guard(spinlock, &exporter->lock) {
		count = min(arg->count, exporter->logged);
		lost = exporter->lost;
		memcpy(calls, exporter->log, count * sizeof(*calls));
	}

	if (copy_to_user(u64_to_user_ptr(arg->calls), calls, count * sizeof(*calls)))
		ret = -EFAULT;

	/*
	 * Forget calls only after they have been copied to the caller. The
	 * count is copied later: a caller whose structure cannot be written
	 * loses it.
	 */
	if (!ret && arg->flags & DMA_BUF_TEST_CLEAR) {
		spin_lock(&exporter->lock);
		/* Another thread may have cleared the log meanwhile. */
		count = min(count, exporter->logged);
		lost = min(lost, exporter->lost);
		exporter->logged -= count;
		exporter->lost -= lost;
		memmove(exporter->log, exporter->log + count,
			exporter->logged * sizeof(*calls));
		spin_unlock(&exporter->lock);
	}
	arg->count = count;
	arg->lost = lost;
	testdev_object_put(object);
	return ret;
}

/**
 * testdev_exporter_info - DMA_BUF_TEST_EXPORTER_INFO
 * @call: the ioctl
 *
 * Return: 0 or a negative errno.
 */
int testdev_exporter_info(struct testdev_call *call)
{
	struct dma_buf_test_exporter_info *arg = &call->arg.exporter_info;
	struct testdev_exporter *exporter;
	struct testdev_object *object;

	object = testdev_object_get(call->session, arg->id, &testdev_exporter_type);
	if (!object)
		return -ENOENT;
	exporter = to_exporter(object);

	scoped_guard(mutex, &exporter->memory_lock) {
		arg->has_memory = testdev_has_memory(exporter);
		arg->store = exporter->store;
	}
	scoped_guard(spinlock, &exporter->lock) {
		arg->attached = exporter->attached;
		arg->mapped = exporter->mapped;
		arg->pinned = exporter->pinned;
		arg->vmapped = exporter->vmapped;
		arg->released = exporter->released;
		arg->file_ok = exporter->file_ok;
	}
	testdev_object_put(object);
	return 0;
}

/*
 * Returns the buffer with a reference, or NULL if it has been or is being
 * released.
 */
static struct dma_buf *testdev_exporter_buffer(struct testdev_exporter *exporter)
{
	struct dma_buf *dmabuf;

	/* The release hook takes the lock before the buffer is freed. */
	spin_lock(&exporter->lock);
	dmabuf = exporter->dmabuf;
	if (dmabuf && !get_file_active(&dmabuf->file))
		dmabuf = NULL;
	spin_unlock(&exporter->lock);
	return dmabuf;
}

static int testdev_exporter_move(struct testdev_exporter *exporter,
				 struct dma_buf *dmabuf, u32 delay_ms)
{
	unsigned int store;
	bool busy;
	long ret;

	dma_resv_assert_held(dmabuf->resv);

	if (!testdev_has_memory(exporter))
		return -ENODEV;
	scoped_guard(spinlock, &exporter->lock)
		busy = exporter->pinned || exporter->vmapped || exporter->moving;
	if (busy)
		return -EBUSY;

	dma_buf_move_notify(dmabuf);

	/* What devices still do with the old place. */
	ret = dma_resv_wait_timeout(dmabuf->resv, DMA_RESV_USAGE_BOOKKEEP, true,
				    MAX_SCHEDULE_TIMEOUT);
	if (ret < 0)
		return ret;

	if (delay_ms)
		return testdev_move_begin(exporter, dmabuf, delay_ms, true, false);

	guard(mutex)(&exporter->memory_lock);
	store = exporter->store;
	testdev_store_switch(exporter, dmabuf);
	memcpy(exporter->stores[!store], exporter->stores[store], exporter->size);
	return 0;
}

/**
 * testdev_migrate - DMA_BUF_TEST_MIGRATE
 * @call: the ioctl
 *
 * Return: 0 or a negative errno.
 */
int testdev_migrate(struct testdev_call *call)
{
	struct dma_buf_test_migrate *arg = &call->arg.migrate;
	struct testdev_exporter *exporter;
	struct testdev_object *object;
	struct dma_buf *dmabuf;
	int ret = -EINVAL;

	if (arg->delay_ms > TESTDEV_DELAY_MAX_MS)
		return -EINVAL;

	object = testdev_object_get(call->session, arg->id, &testdev_exporter_type);
	if (!object)
		return -ENOENT;
	exporter = to_exporter(object);
	if (!(exporter->kind & DMA_BUF_TEST_DYNAMIC))
		goto put_object;

	ret = -ENODEV;
	dmabuf = testdev_exporter_buffer(exporter);
	if (!dmabuf)
		goto put_object;

	ret = dma_resv_lock_interruptible(dmabuf->resv, NULL);
	if (ret)
		goto put_buffer;
	ret = testdev_exporter_move(exporter, dmabuf, arg->delay_ms);
	dma_resv_unlock(dmabuf->resv);

put_buffer:
	dma_buf_put(dmabuf);
put_object:
	testdev_object_put(object);
	return ret;
}
