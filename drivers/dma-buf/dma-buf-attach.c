// SPDX-License-Identifier: GPL-2.0-only
/*
 * dma-buf: access by devices.
 *
 * An importer attaches its device to a buffer, maps the attachment when the
 * device shall do DMA, unmaps, and detaches. What the core does for a mapping
 * depends on the kinds of importer and exporter:
 *
 *	importer	exporter that	exporter that can move its memory
 *			never moves	(has a pin hook)
 *
 *	static		map, wait	pin, map, wait
 *	dynamic		map		map; the importer follows moves, or has
 *					pinned the memory itself
 *
 * A static importer starts DMA as soon as it has a mapping, and may go on until
 * it unmaps. So the core keeps the memory in place as long as the mapping
 * exists. And it returns a mapping only when the kernel's own work on the
 * memory (moves and clears, the fences of usage KERNEL) is done. It waits after
 * the exporter's hook has returned, because that hook may start a move itself.
 *
 * Without CONFIG_DMABUF_MOVE_NOTIFY every mapping of memory that can move pins
 * that memory, so a dynamic importer has no move to follow.
 */
#include <linux/bug.h>
#include <linux/cleanup.h>
#include <linux/device.h>
#include <linux/dma-buf.h>
#include <linux/dma-resv.h>
#include <linux/export.h>
#include <linux/file.h>
#include <linux/limits.h>
#include <linux/mutex.h>
#include <linux/rculist.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include <trace/events/dma_buf.h>

#include "dma-buf-internal.h"

/**
 * struct dma_buf_attachment_object - an attachment with the core's own state
 * @attach: the part that drivers see
 * @maps: mappings that the importer has. Atomic, because some importers map
 *	without the reservation.
 * @pins: calls of dma_buf_pin() that dma_buf_unpin() has not undone yet. Does
 *	not count the pins of mappings. Guarded by dma_buf.resv; fdinfo reads
 *	the count without that reservation.
 * @abandoned: the importer detached while it had mappings, see
 *	dma_buf_abandon(); the attachment holds a reference to its device.
 *	Guarded by dma_buf.resv.
 * @abandoned_pin: an abandoned attachment pins the memory, because no importer
 *	is left that could be told of a move
 * @abandoned_file: an abandoned attachment holds this reference to
 *	dma_buf.file; NULL if the buffer's release was already pending
 */
struct dma_buf_attachment_object {
	struct dma_buf_attachment attach;
	atomic_t maps;
	unsigned int pins;
	bool abandoned;
	bool abandoned_pin;
	struct file *abandoned_file;
};

static struct dma_buf_attachment_object *
dma_buf_attach_to_object(struct dma_buf_attachment *attach)
{
	return container_of(attach, struct dma_buf_attachment_object, attach);
}

/*
 * Attach
 */

/**
 * dma_buf_dynamic_attach - attach a device to a buffer
 * @dmabuf: buffer; the importer must hold a reference until it has detached
 * @dev: device that will do DMA
 * @importer_ops: callbacks of a dynamic importer, NULL for a static importer
 * @importer_priv: data for these callbacks
 *
 * Nothing is mapped yet. An exporter that cannot serve the device may refuse.
 *
 * Context: Process context, may sleep. Takes the reservation of @dmabuf, which
 * the caller must not hold.
 * Return: an attachment, which the importer ends with dma_buf_detach(), or an
 * ERR_PTR(): -EINVAL if @dmabuf or @dev is NULL (with a warning); -ENOMEM; or
 * the exporter's error, such as -EBUSY if @dev cannot reach the memory at its
 * present place and the exporter cannot move it.
 */
struct dma_buf_attachment *
dma_buf_dynamic_attach(struct dma_buf *dmabuf, struct device *dev,
		       const struct dma_buf_attach_ops *importer_ops,
		       void *importer_priv)
{
	struct dma_buf_attachment_object *aobj __free(kfree) = NULL;
	struct dma_buf_attachment *attach;
	int ret = 0;

	if (WARN_ON_ONCE(!dmabuf || !dev))
		return ERR_PTR(-EINVAL);

	dma_buf_might_lock_resv(dmabuf);

	aobj = kmalloc(sizeof(*aobj), GFP_KERNEL);
	if (!aobj)
		return ERR_PTR(-ENOMEM);

	/* An assignment is cheaper than kzalloc() followed by stores. */
	*aobj = (struct dma_buf_attachment_object) {
		.attach = {
			.dmabuf = dmabuf,
			.dev = dev,
			.dir = DMA_NONE,
			.peer2peer = importer_ops && importer_ops->allow_peer2peer,
			.importer_ops = importer_ops,
			.importer_priv = importer_priv,
		},
	};
	attach = &aobj->attach;

	if (dmabuf->ops->attach)
		ret = dmabuf->ops->attach(dmabuf, attach);
	if (ret)
		return ERR_PTR(ret);

	guard(dma_buf_resv)(dmabuf);
	/*
	 * Readers that do not hold the reservation see the attachment fully
	 * initialised or not at all: the release of list_add_rcu() pairs with
	 * the dependency in dma_buf_next_attachment().
	 */
	list_add_rcu(&no_free_ptr(aobj)->attach.node, &dmabuf->attachments);
	trace_dma_buf_dynamic_attach(attach);
	return attach;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_dynamic_attach, DMA_BUF);

/**
 * dma_buf_attach - attach a device of a static importer to a buffer
 * @dmabuf: as for dma_buf_dynamic_attach()
 * @dev: device that will do DMA
 *
 * Context: as dma_buf_dynamic_attach().
 * Return: as dma_buf_dynamic_attach().
 */
struct dma_buf_attachment *dma_buf_attach(struct dma_buf *dmabuf,
					  struct device *dev)
{
	return dma_buf_dynamic_attach(dmabuf, dev, NULL, NULL);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_attach, DMA_BUF);

/*
 * Pin and unpin
 */

/**
 * dma_buf_pin - keep the memory of a buffer in place
 * @attach: attachment of a dynamic importer
 *
 * For importers that cannot follow a move, temporarily (scanout) or at all.
 * Pins are counted; each needs a dma_buf_unpin() before the importer detaches.
 *
 * Context: Process context, may sleep. The caller holds the buffer's
 * reservation.
 * Return: 0, also if the exporter never moves its memory; -EINVAL for a static
 * importer (with a warning), whose mappings pin the memory themselves; or the
 * exporter's error.
 */
int dma_buf_pin(struct dma_buf_attachment *attach)
{
	struct dma_buf_attachment_object *aobj;
	const struct dma_buf_ops *ops;
	int ret;

	if (WARN_ON_ONCE(!attach || !dma_buf_attachment_is_dynamic(attach)))
		return -EINVAL;

	dma_resv_assert_held(attach->dmabuf->resv);

	ops = attach->dmabuf->ops;
	ret = ops->pin ? ops->pin(attach) : 0;
	trace_dma_buf_pin(attach, ret);
	if (ret)
		return ret;

	aobj = dma_buf_attach_to_object(attach);
	WRITE_ONCE(aobj->pins, aobj->pins + 1);
	return 0;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_pin, DMA_BUF);

/**
 * dma_buf_unpin - undo a dma_buf_pin()
 * @attach: attachment of a dynamic importer
 *
 * A surplus call does not reach the exporter. Only CONFIG_DMABUF_DEBUG warns of
 * such a call, because some drivers unpin whether or not their pin succeeded.
 *
 * Context: Process context, may sleep. The caller holds the buffer's
 * reservation.
 */
void dma_buf_unpin(struct dma_buf_attachment *attach)
{
	struct dma_buf_attachment_object *aobj;
	const struct dma_buf_ops *ops;

	if (WARN_ON_ONCE(!attach || !dma_buf_attachment_is_dynamic(attach)))
		return;

	dma_resv_assert_held(attach->dmabuf->resv);

	aobj = dma_buf_attach_to_object(attach);
	if (!aobj->pins) {
		WARN_ONCE(IS_ENABLED(CONFIG_DMABUF_DEBUG),
			  "%s unpins what it has not pinned\n",
			  dev_name(attach->dev));
		return;
	}

	WRITE_ONCE(aobj->pins, aobj->pins - 1);
	trace_dma_buf_unpin(attach);
	ops = attach->dmabuf->ops;
	if (ops->unpin)
		ops->unpin(attach);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_unpin, DMA_BUF);

/*
 * Map and unmap
 */

/* True if the memory must be pinned for as long as a mapping exists. */
static bool dma_buf_mapping_needs_pin(struct dma_buf_attachment *attach)
{
	if (!dma_buf_is_dynamic(attach->dmabuf))
		return false;

	/*
	 * fdinfo reads this without the reservation. Meanwhile the importer may
	 * detach with a mapping left: dma_buf_abandon() then replaces the
	 * pointer, but never makes it NULL or non-NULL.
	 */
	return !READ_ONCE(attach->importer_ops) ||
	       !IS_ENABLED(CONFIG_DMABUF_MOVE_NOTIFY);
}

/*
 * With CONFIG_DMABUF_DEBUG, importers get a copy of the exporter's table. The
 * copy has the DMA addresses but no pages, so an importer that uses the pages
 * fails. An importer may edit its copy: the exporter gets its own table back.
 */
struct dma_buf_sgt_copy {
	struct sg_table sgt;
	struct sg_table *original;
};

static struct sg_table *dma_buf_wrap_sgt(struct sg_table *original)
{
	struct scatterlist *from, *to;
	struct dma_buf_sgt_copy *copy;
	unsigned int i;

	if (!IS_ENABLED(CONFIG_DMABUF_DEBUG))
		return original;

	copy = kzalloc(sizeof(*copy), GFP_KERNEL);
	if (!copy)
		return ERR_PTR(-ENOMEM);

	/* One entry per DMA segment: an IOMMU may have merged pages. */
	if (sg_alloc_table(&copy->sgt, original->nents, GFP_KERNEL)) {
		kfree(copy);
		return ERR_PTR(-ENOMEM);
	}

	to = copy->sgt.sgl;
	for_each_sgtable_dma_sg(original, from, i) {
		sg_set_page(to, NULL, 0, 0);
		sg_dma_address(to) = sg_dma_address(from);
		sg_dma_len(to) = sg_dma_len(from);
#ifdef CONFIG_NEED_SG_DMA_FLAGS
		to->dma_flags = from->dma_flags;
#endif
		to = sg_next(to);
	}

	copy->original = original;
	return &copy->sgt;
}

static struct sg_table *dma_buf_unwrap_sgt(struct sg_table *sgt)
{
	struct dma_buf_sgt_copy *copy;
	struct sg_table *original;

	if (!IS_ENABLED(CONFIG_DMABUF_DEBUG))
		return sgt;

	copy = container_of(sgt, struct dma_buf_sgt_copy, sgt);
	original = copy->original;
	sg_free_table(&copy->sgt);
	kfree(copy);
	return original;
}

/*
 * Static importers do not wait for fences themselves, so wait here for the
 * kernel's own work (moves, clears).
 */
static int dma_buf_wait_for_static_importer(struct dma_buf_attachment *attach,
					    u64 *wait_ns)
{
	if (dma_buf_attachment_is_dynamic(attach))
		return 0;

	return dma_buf_wait(attach->dmabuf->resv, DMA_RESV_USAGE_KERNEL, wait_ns);
}

static struct sg_table *
dma_buf_create_mapping(struct dma_buf_attachment *attach,
		       enum dma_data_direction dir, u64 *wait_ns)
{
	struct dma_buf *dmabuf = attach->dmabuf;
	bool pinned = dma_buf_mapping_needs_pin(attach);
	struct sg_table *sgt, *original;
	int ret;

	if (pinned) {
		ret = dmabuf->ops->pin(attach);
		if (ret)
			return ERR_PTR(ret);
	}

	original = dmabuf->ops->map_dma_buf(attach, dir);
	if (IS_ERR_OR_NULL(original)) {
		ret = original ? PTR_ERR(original) : -ENOMEM;
		goto err_unpin;
	}

	/*
	 * Wait after the hook, which may itself have started a move. Dynamic
	 * importers wait for the fences themselves.
	 */
	ret = dma_buf_wait_for_static_importer(attach, wait_ns);
	if (ret)
		goto err_unmap;

	sgt = dma_buf_wrap_sgt(original);
	if (IS_ERR(sgt)) {
		ret = PTR_ERR(sgt);
		goto err_unmap;
	}

	return sgt;

err_unmap:
	dmabuf->ops->unmap_dma_buf(attach, original, dir);
err_unpin:
	if (pinned)
		dmabuf->ops->unpin(attach);
	return ERR_PTR(ret);
}

/* Undo dma_buf_create_mapping(). */
static void dma_buf_destroy_mapping(struct dma_buf_attachment *attach,
				    struct sg_table *sgt,
				    enum dma_data_direction dir)
{
	struct dma_buf *dmabuf = attach->dmabuf;

	dmabuf->ops->unmap_dma_buf(attach, dma_buf_unwrap_sgt(sgt), dir);
	if (dma_buf_mapping_needs_pin(attach))
		dmabuf->ops->unpin(attach);
}

/* Return the cached mapping of an attachment; create it at the first call. */
static struct sg_table *
dma_buf_get_cached_mapping(struct dma_buf_attachment *attach,
			   enum dma_data_direction dir, u64 *wait_ns)
{
	struct sg_table *sgt;
	int ret;

	if (attach->sgt) {
		if (attach->dir != dir && attach->dir != DMA_BIDIRECTIONAL)
			return ERR_PTR(-EBUSY);
		ret = dma_buf_wait_for_static_importer(attach, wait_ns);
		return ret ? ERR_PTR(ret) : attach->sgt;
	}

	sgt = dma_buf_create_mapping(attach, dir, wait_ns);
	if (!IS_ERR(sgt)) {
		attach->sgt = sgt;
		attach->dir = dir;
	}
	return sgt;
}

/*
 * Inlined into a traced and an untraced caller, so that the untraced copy has
 * no timing code.
 */
static __always_inline struct sg_table *
dma_buf_get_mapping(struct dma_buf_attachment *attach,
		    enum dma_data_direction dir, u64 *wait_ns)
{
	if (attach->dmabuf->ops->cache_sgt_mapping)
		return dma_buf_get_cached_mapping(attach, dir, wait_ns);

	return dma_buf_create_mapping(attach, dir, wait_ns);
}

static __always_inline void
dma_buf_put_mapping(struct dma_buf_attachment *attach, struct sg_table *sgt,
		    enum dma_data_direction dir)
{
	/* A cached mapping is unmapped at detach. */
	if (attach->sgt != sgt)
		dma_buf_destroy_mapping(attach, sgt, dir);
}

static noinline struct sg_table *
dma_buf_get_mapping_traced(struct dma_buf_attachment *attach,
			   enum dma_data_direction dir)
{
	u64 wait_ns = 0, begun = ktime_get_ns();
	struct sg_table *sgt;

	sgt = dma_buf_get_mapping(attach, dir, &wait_ns);
	trace_dma_buf_map(attach, dir, sgt, ktime_get_ns() - begun, wait_ns);
	return sgt;
}

static noinline void
dma_buf_put_mapping_traced(struct dma_buf_attachment *attach,
			   struct sg_table *sgt, enum dma_data_direction dir)
{
	u64 begun = ktime_get_ns();

	dma_buf_put_mapping(attach, sgt, dir);
	trace_dma_buf_unmap(attach, dir, ktime_get_ns() - begun);
}

/**
 * dma_buf_map_attachment - map a buffer for the attached device
 * @attach: attachment
 * @dir: direction of the DMA to come
 *
 * Importers may use only the DMA addresses of the table: there may be no pages.
 * The table belongs to the exporter; return it with dma_buf_unmap_attachment().
 *
 * A static importer may start DMA at once and until it unmaps. A dynamic
 * importer must first wait for the fences of usage DMA_RESV_USAGE_KERNEL, and
 * may use the mapping until its &dma_buf_attach_ops.move_notify is called. A
 * dynamic importer without that callback must have pinned the memory of a
 * dynamic exporter.
 *
 * Context: Process context, may sleep. The caller holds the buffer's
 * reservation.
 * Return: a table, never NULL, or an ERR_PTR(): -EINVAL if @attach is NULL or
 * @dir is no direction (with a warning); -ENOMEM; -EBUSY if the exporter wants
 * mappings cached and the cached one has neither direction @dir nor
 * DMA_BIDIRECTIONAL; -ERESTARTSYS if a signal arrived while a static importer
 * waited; or the exporter's error.
 */
struct sg_table *dma_buf_map_attachment(struct dma_buf_attachment *attach,
					enum dma_data_direction dir)
{
	struct dma_buf_attachment_object *aobj;
	struct sg_table *sgt;

	might_sleep();

	if (WARN_ON_ONCE(!attach || !attach->dmabuf ||
			 !valid_dma_direction(dir)))
		return ERR_PTR(-EINVAL);

	aobj = dma_buf_attach_to_object(attach);
	dma_resv_assert_held(attach->dmabuf->resv);

	/* This importer can neither follow a move nor prevent one. */
	WARN_ONCE(IS_ENABLED(CONFIG_DMABUF_DEBUG) && !aobj->pins &&
		  dma_buf_is_dynamic(attach->dmabuf) &&
		  !dma_buf_mapping_needs_pin(attach) &&
		  !dma_buf_attach_revocable(attach),
		  "%s has no move_notify and maps without a pin\n",
		  dev_name(attach->dev));

	if (trace_dma_buf_map_enabled())
		sgt = dma_buf_get_mapping_traced(attach, dir);
	else
		sgt = dma_buf_get_mapping(attach, dir, NULL);

	if (!IS_ERR(sgt))
		atomic_inc(&aobj->maps);

	return sgt;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_map_attachment, DMA_BUF);

/**
 * dma_buf_map_attachment_unlocked - map a buffer, taking the reservation
 * @attach: attachment
 * @dir: direction of the DMA to come
 *
 * dma_buf_map_attachment() for callers that do not hold the reservation.
 *
 * Context: Process context, may sleep. Takes and drops the buffer's
 * reservation, which the caller must not hold.
 * Return: as dma_buf_map_attachment().
 */
struct sg_table *
dma_buf_map_attachment_unlocked(struct dma_buf_attachment *attach,
				enum dma_data_direction dir)
{
	if (WARN_ON_ONCE(!attach || !attach->dmabuf))
		return ERR_PTR(-EINVAL);

	guard(dma_buf_resv)(attach->dmabuf);
	return dma_buf_map_attachment(attach, dir);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_map_attachment_unlocked, DMA_BUF);

/**
 * dma_buf_unmap_attachment - end a mapping
 * @attach: attachment
 * @sgt: result of dma_buf_map_attachment() for @attach
 * @dir: the direction that was mapped
 *
 * Context: Process context, may sleep. The caller holds the buffer's
 * reservation. Warns and does nothing if an argument is NULL or the attachment
 * has no mapping.
 */
void dma_buf_unmap_attachment(struct dma_buf_attachment *attach,
			      struct sg_table *sgt,
			      enum dma_data_direction dir)
{
	struct dma_buf_attachment_object *aobj;

	might_sleep();

	if (WARN_ON_ONCE(!attach || !attach->dmabuf || !sgt))
		return;

	dma_resv_assert_held(attach->dmabuf->resv);

	aobj = dma_buf_attach_to_object(attach);
	if (WARN_ON_ONCE(atomic_dec_if_positive(&aobj->maps) < 0))
		return;

	if (trace_dma_buf_unmap_enabled())
		dma_buf_put_mapping_traced(attach, sgt, dir);
	else
		dma_buf_put_mapping(attach, sgt, dir);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_unmap_attachment, DMA_BUF);

/**
 * dma_buf_unmap_attachment_unlocked - end a mapping, taking the reservation
 * @attach: attachment
 * @sgt: what was mapped
 * @dir: the direction that was mapped
 *
 * dma_buf_unmap_attachment() for callers that do not hold the reservation.
 *
 * Context: Process context, may sleep. Takes and drops the buffer's
 * reservation, which the caller must not hold. Warns and does nothing if an
 * argument is NULL or the attachment has no mapping.
 */
void dma_buf_unmap_attachment_unlocked(struct dma_buf_attachment *attach,
				       struct sg_table *sgt,
				       enum dma_data_direction dir)
{
	if (WARN_ON_ONCE(!attach || !attach->dmabuf || !sgt))
		return;

	guard(dma_buf_resv)(attach->dmabuf);
	dma_buf_unmap_attachment(attach, sgt, dir);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_unmap_attachment_unlocked, DMA_BUF);

/*
 * Moving memory
 */

/**
 * dma_buf_attach_revocable - check whether an importer can be told of a move
 * @attach: attachment
 *
 * Context: any.
 * Return: true if the importer has a &dma_buf_attach_ops.move_notify callback.
 */
bool dma_buf_attach_revocable(struct dma_buf_attachment *attach)
{
	return attach->importer_ops && attach->importer_ops->move_notify;
}
EXPORT_SYMBOL_NS_GPL(dma_buf_attach_revocable, DMA_BUF);

/**
 * dma_buf_invalidate_mappings - tell dynamic importers that the memory moves
 * @dmabuf: buffer of a dynamic exporter; only that exporter may call this
 *
 * Afterwards the importers that have the callback start no new work on their
 * present mappings. The exporter may move the memory once the fences of the
 * reservation have signalled. To stop all access for good, the exporter must
 * then also wait until the importers have unmapped.
 *
 * Context: Process context, may sleep. The caller holds the buffer's
 * reservation.
 */
void dma_buf_invalidate_mappings(struct dma_buf *dmabuf)
{
	struct dma_buf_attachment *attach;

	dma_resv_assert_held(dmabuf->resv);

	list_for_each_entry(attach, &dmabuf->attachments, node)
		if (dma_buf_attach_revocable(attach))
			attach->importer_ops->move_notify(attach);
	trace_dma_buf_invalidate_mappings(dmabuf);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_invalidate_mappings, DMA_BUF);

/**
 * dma_buf_move_notify - older name of dma_buf_invalidate_mappings()
 * @dmabuf: buffer of a dynamic exporter; only that exporter may call this
 *
 * Context: as dma_buf_invalidate_mappings().
 */
void dma_buf_move_notify(struct dma_buf *dmabuf)
{
	dma_buf_invalidate_mappings(dmabuf);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_move_notify, DMA_BUF);

/*
 * Reading the attachments without the reservation
 */

/* How many attachments are visited under one hold of detach_lock */
#define DMA_BUF_VISIT_BATCH	32

/*
 * A visit of more attachments than DMA_BUF_VISIT_BATCH pauses after each batch,
 * to release detach_lock, and remembers here where to continue. If the
 * attachment that comes next is detached during the pause, the detach moves the
 * pointer on:
 *
 *	visit				detach
 *
 *	lock detach_lock
 *	visit a batch
 *	dma_buf_visit_at = next
 *	unlock detach_lock
 *					lock detach_lock
 *					dma_buf_visit_at == this one:
 *					  dma_buf_visit_at = its successor
 *					unlist this one
 *					unlock detach_lock
 *					kfree()
 *	lock detach_lock
 *	continue at dma_buf_visit_at
 *
 * Written under detach_lock of the visited buffer. dma_buf_visit_mutex allows a
 * single pausing visit at a time, so one pointer is sufficient: readers of
 * other buffers with that many attachments wait, but exports, closes and
 * drivers do not.
 */
static struct list_head *dma_buf_visit_at;
static DEFINE_MUTEX(dma_buf_visit_mutex);

/*
 * The caller holds detach_lock, so no attachment is removed, but list_add_rcu()
 * may add some.
 */
static struct list_head *dma_buf_next_attachment(struct list_head *node)
{
	return rcu_dereference_raw(list_next_rcu(node));
}

static bool dma_buf_has_few_attachments(struct dma_buf *dmabuf)
{
	struct list_head *head = &dmabuf->attachments, *node = head;
	int i;

	for (i = 0; i <= DMA_BUF_VISIT_BATCH; i++) {
		node = dma_buf_next_attachment(node);
		if (node == head)
			return true;
	}
	return false;
}

/*
 * Visit up to @count attachments, starting with @node. Returns the node of the
 * next attachment, or the head of the list if there is none or @visit returned
 * false.
 */
static struct list_head *
dma_buf_visit(struct dma_buf *dmabuf, struct list_head *node, int count,
	      dma_buf_visit_fn visit, void *data)
{
	struct list_head *head = &dmabuf->attachments;

	while (node != head && count--) {
		if (!visit(list_entry(node, struct dma_buf_attachment, node), data))
			return head;
		node = dma_buf_next_attachment(node);
	}
	return node;
}

/**
 * dma_buf_visit_attachments - call a function for each attachment of a buffer
 * @dmabuf: buffer
 * @visit: called under a spinlock for each attachment, until it returns false.
 *	The attachment and its device cannot go away while @visit runs.
 * @data: passed to @visit
 *
 * Does not wait for the reservation. User space decides how many attachments
 * there are, so the spinlock is released after every DMA_BUF_VISIT_BATCH of
 * them. An attachment that exists during the whole visit is visited exactly
 * once.
 *
 * Context: Process context, may sleep.
 */
void dma_buf_visit_attachments(struct dma_buf *dmabuf, dma_buf_visit_fn visit,
			       void *data)
{
	struct dma_buf_object *obj = dma_buf_to_object(dmabuf);
	struct list_head *head = &dmabuf->attachments;
	struct list_head *at;

	/* What is attached during the whole visit is seen without the lock, too. */
	if (list_empty(head))
		return;

	scoped_guard(spinlock, &obj->detach_lock) {
		if (dma_buf_has_few_attachments(dmabuf)) {
			dma_buf_visit(dmabuf, dma_buf_next_attachment(head),
				      INT_MAX, visit, data);
			return;
		}
	}

	guard(mutex)(&dma_buf_visit_mutex);
	scoped_guard(spinlock, &obj->detach_lock)
		WRITE_ONCE(dma_buf_visit_at, dma_buf_next_attachment(head));
	do {
		scoped_guard(spinlock, &obj->detach_lock) {
			at = dma_buf_visit(dmabuf, dma_buf_visit_at,
					   DMA_BUF_VISIT_BATCH, visit, data);
			WRITE_ONCE(dma_buf_visit_at, at == head ? NULL : at);
		}
		cond_resched();
	} while (at != head);
}

static bool dma_buf_count_user(struct dma_buf_attachment *attach, void *data)
{
	struct dma_buf_attachment_object *aobj = dma_buf_attach_to_object(attach);
	unsigned int maps = atomic_read(&aobj->maps);
	struct dma_buf_users *users = data;

	users->attachments++;
	users->maps += maps;
	users->pins += READ_ONCE(aobj->pins);
	if (dma_buf_mapping_needs_pin(attach))
		users->pins += maps;
	return true;
}

/**
 * dma_buf_count_users - count the attachments, mappings and pins of a buffer
 * @dmabuf: buffer
 * @users: receives the counts, which may change while they are taken
 *
 * Context: Process context, may sleep.
 */
void dma_buf_count_users(struct dma_buf *dmabuf, struct dma_buf_users *users)
{
	*users = (struct dma_buf_users) { };
	dma_buf_visit_attachments(dmabuf, dma_buf_count_user, users);
}

/*
 * Detach
 */

/* Replaces the callbacks of an importer that may be gone. */
static const struct dma_buf_attach_ops dma_buf_abandoned_ops;

/*
 * Keep what an importer that detaches with a mapping left may stop keeping
 * itself. That importer believes that it has detached, so its callbacks, their
 * data, its device and its reference to the buffer may go away. But the device
 * may still do DMA: the memory must remain, and remain in place. A dynamic
 * importer remains a dynamic one, so that unmapping does not unpin what was
 * never pinned.
 */
static void dma_buf_abandon(struct dma_buf_attachment_object *aobj)
{
	struct dma_buf_attachment *attach = &aobj->attach;
	const struct dma_buf_ops *ops = attach->dmabuf->ops;

	dev_warn_ratelimited(attach->dev,
			     "detached with live mappings, buffer of %s is kept\n",
			     attach->dmabuf->exp_name);
	if (aobj->abandoned)
		return;

	aobj->abandoned = true;
	/*
	 * The importer may have dropped its reference already. If that was the
	 * last one and the release is pending, there is no reference to take, and
	 * none is needed: the release will find this attachment and leak the
	 * buffer. If it has done so, this is a reference to the file that all
	 * leaked buffers share.
	 */
	aobj->abandoned_file = get_file_active(&attach->dmabuf->file);
	get_device(attach->dev);
	if (ops->pin && !dma_buf_mapping_needs_pin(attach))
		aobj->abandoned_pin = !ops->pin(attach);
	attach->importer_priv = NULL;
	if (attach->importer_ops)
		WRITE_ONCE(attach->importer_ops, &dma_buf_abandoned_ops);
}

/*
 * Undo what an importer has left before it is detached. Returns false if that
 * is impossible because the importer still has a mapping: when it unmaps later,
 * the exporter's hook would run on a freed attachment. Such an importer stays
 * attached until it detaches again without mappings. Forgotten pins are undone
 * here.
 */
static bool dma_buf_prepare_detach(struct dma_buf_attachment_object *aobj)
{
	struct dma_buf_attachment *attach = &aobj->attach;
	int maps = atomic_read(&aobj->maps);

	dma_resv_assert_held(attach->dmabuf->resv);

	if (WARN_ONCE(maps, "%s detaches with %d live mappings, stays attached\n",
		      dev_name(attach->dev), maps)) {
		dma_buf_abandon(aobj);
		return false;
	}

	/*
	 * Second detach of an abandoned attachment, now without mappings. Undo
	 * its pin; the caller drops its references.
	 */
	if (aobj->abandoned_pin) {
		attach->dmabuf->ops->unpin(attach);
		aobj->abandoned_pin = false;
	}

	if (WARN_ONCE(aobj->pins, "%s detaches with %u pins, unpinned\n",
		      dev_name(attach->dev), aobj->pins))
		while (aobj->pins)
			dma_buf_unpin(attach);

	if (attach->sgt) {
		dma_buf_destroy_mapping(attach, attach->sgt, attach->dir);
		attach->sgt = NULL;
	}
	return true;
}

/*
 * Free an abandoned attachment, and drop the references that dma_buf_abandon()
 * took. Out of line: the last call of a usual detach is then a jump to kfree().
 */
static noinline void dma_buf_put_abandoned(struct dma_buf_attachment_object *aobj)
{
	struct file *file = aobj->abandoned_file;

	put_device(aobj->attach.dev);
	kfree(aobj);
	if (file)
		fput(file);
}

/**
 * dma_buf_detach - detach a device from a buffer
 * @dmabuf: buffer
 * @attach: attachment of @dmabuf; freed, unless the importer has mappings left
 *
 * The importer must have unmapped and unpinned. Pins that are left are undone,
 * with a warning. An importer that detaches with a mapping left stays attached,
 * with a warning: the attachment itself then keeps the buffer, the device and
 * the place of the memory, and the importer's callbacks are no longer called.
 * Such an importer may still unmap and detach again. If it never does, the
 * buffer is never freed.
 *
 * Context: Process context, may sleep. Takes the reservation of @dmabuf, which
 * the caller must not hold. Warns and does nothing if an argument is NULL or
 * @attach belongs to another buffer.
 */
void dma_buf_detach(struct dma_buf *dmabuf, struct dma_buf_attachment *attach)
{
	struct dma_buf_attachment_object *aobj;

	if (WARN_ON_ONCE(!dmabuf || !attach || attach->dmabuf != dmabuf))
		return;

	aobj = dma_buf_attach_to_object(attach);
	scoped_guard(dma_buf_resv, dmabuf) {
		if (!dma_buf_prepare_detach(aobj))
			return;
		/*
		 * The attachment is freed after this. No visit
		 * (dma_buf_visit_attachments()) looks at it while this task
		 * holds the lock. A visit that has released the lock for a
		 * pause continues at dma_buf_visit_at, which must therefore
		 * move on to the next attachment.
		 */
		scoped_guard(spinlock, &dma_buf_to_object(dmabuf)->detach_lock) {
			if (unlikely(READ_ONCE(dma_buf_visit_at)) &&
			    READ_ONCE(dma_buf_visit_at) == &attach->node)
				WRITE_ONCE(dma_buf_visit_at, attach->node.next);
			/* Not list_del(): there is no need to poison what is freed. */
			__list_del_entry(&attach->node);
		}
		trace_dma_buf_detach(attach);
	}

	if (dmabuf->ops->detach)
		dmabuf->ops->detach(dmabuf, attach);

	if (unlikely(aobj->abandoned))
		dma_buf_put_abandoned(aobj);
	else
		kfree(aobj);
}
EXPORT_SYMBOL_NS_GPL(dma_buf_detach, DMA_BUF);
