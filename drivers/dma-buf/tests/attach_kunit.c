// SPDX-License-Identifier: GPL-2.0-only
/*
 * dma-buf: KUnit tests of access by devices: attachments, mappings, pins, moves.
 */
#include <linux/completion.h>
#include <linux/dma-resv.h>
#include <linux/module.h>

#include "util.h"

/* Attachments */

static void test_attach_static(struct kunit *test)
{
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_PLAIN);
	struct dma_buf *dmabuf = mock_export(mock);
	struct device *dev = test_device(test);
	struct dma_buf_attachment *attach = dma_buf_attach(dmabuf, dev);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, attach);
	KUNIT_EXPECT_PTR_EQ(test, attach->dmabuf, dmabuf);
	KUNIT_EXPECT_PTR_EQ(test, attach->dev, dev);
	KUNIT_EXPECT_NULL(test, attach->importer_ops);
	KUNIT_EXPECT_NULL(test, attach->importer_priv);
	KUNIT_EXPECT_FALSE(test, attach->peer2peer);
	KUNIT_EXPECT_FALSE(test, dma_buf_attachment_is_dynamic(attach));

	/* The hook saw the attachment fully initialised, before it was listed. */
	KUNIT_EXPECT_FALSE(test, mock->listed);
	KUNIT_EXPECT_PTR_EQ(test, mock->attach_seen.dmabuf, dmabuf);
	KUNIT_EXPECT_PTR_EQ(test, mock->attach_seen.dev, dev);
	KUNIT_EXPECT_PTR_EQ(test, list_first_entry(&dmabuf->attachments,
						   struct dma_buf_attachment,
						   node), attach);

	mock->listed = true;
	dma_buf_detach(dmabuf, attach);
	KUNIT_EXPECT_FALSE(test, mock->listed);
	KUNIT_EXPECT_TRUE(test, list_empty(&dmabuf->attachments));
	mock_expect_ops(mock, HOOK_ATTACH, HOOK_DETACH);
	mock_put(mock, dmabuf);
}

static void test_attach_dynamic(struct kunit *test)
{
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_PLAIN);
	struct dma_buf *dmabuf = mock_export(mock);
	struct dma_buf_attachment *attach;

	attach = test_attach(test, dmabuf, &test_dynamic);
	KUNIT_EXPECT_PTR_EQ(test, attach->importer_ops, &test_dynamic);
	KUNIT_EXPECT_PTR_EQ(test, attach->importer_priv, (void *)test);
	KUNIT_EXPECT_PTR_EQ(test, mock->attach_seen.importer_ops,
			    &test_dynamic);
	KUNIT_EXPECT_PTR_EQ(test, mock->attach_seen.importer_priv,
			    (void *)test);
	KUNIT_EXPECT_TRUE(test, mock->attach_seen.peer2peer);
	KUNIT_EXPECT_TRUE(test, attach->peer2peer);
	KUNIT_EXPECT_TRUE(test, dma_buf_attachment_is_dynamic(attach));
	dma_buf_detach(dmabuf, attach);
	mock_put(mock, dmabuf);
}

static void test_attach_peer2peer_cleared(struct kunit *test)
{
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_PLAIN);
	struct dma_buf *dmabuf = mock_export(mock);
	struct dma_buf_attachment *attach;

	mock->clear_peer2peer = true;
	attach = test_attach(test, dmabuf, &test_dynamic);
	KUNIT_EXPECT_FALSE(test, attach->peer2peer);
	dma_buf_detach(dmabuf, attach);
	mock_put(mock, dmabuf);
}

static void test_attach_refused(struct kunit *test)
{
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_PLAIN);
	struct dma_buf *dmabuf = mock_export(mock);
	struct dma_buf_attachment *attach;

	mock->error[HOOK_ATTACH] = -EOPNOTSUPP;
	attach = dma_buf_attach(dmabuf, test_device(test));
	KUNIT_EXPECT_EQ(test, PTR_ERR(attach), -EOPNOTSUPP);
	KUNIT_EXPECT_TRUE(test, list_empty(&dmabuf->attachments));
	mock_expect_ops(mock, HOOK_ATTACH);
	mock_put(mock, dmabuf);
}

static void test_attach_null(struct kunit *test)
{
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_PLAIN);
	struct dma_buf *dmabuf = mock_export(mock);
	struct device *dev = test_device(test);

	expect_warning("WARNING: .* dma_buf_dynamic_attach");
	KUNIT_EXPECT_EQ(test, PTR_ERR(dma_buf_attach(NULL, dev)), -EINVAL);
	KUNIT_EXPECT_EQ(test, PTR_ERR(dma_buf_attach(dmabuf, NULL)), -EINVAL);
	expect_end();
	mock_put(mock, dmabuf);
	mock_expect_ops(mock, HOOK_RELEASE);
}

static void test_detach_wrong(struct kunit *test)
{
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_PLAIN);
	struct mock_exporter *other = mock_exporter_create(test, MOCK_PLAIN);
	struct dma_buf *dmabuf = mock_export(mock);
	struct dma_buf *stranger = mock_export(other);
	struct dma_buf_attachment *attach = test_attach(test, dmabuf, NULL);

	mock->log_len = 0;
	expect_warning("WARNING: .* dma_buf_detach");
	dma_buf_detach(dmabuf, NULL);
	dma_buf_detach(NULL, attach);
	dma_buf_detach(stranger, attach);
	expect_end();
	mock_expect_ops(mock);
	mock_expect_ops(other);

	dma_buf_detach(dmabuf, attach);
	mock_put(mock, dmabuf);
	mock_put(other, stranger);
}

/* Mappings */

struct map_param {
	const char *name;
	unsigned int exporter;
	const struct dma_buf_attach_ops *importer;
};

static const struct map_param map_params[] = {
	{ "static exporter, static importer", MOCK_PLAIN, NULL },
	{ "static exporter, dynamic importer", MOCK_PLAIN, &test_dynamic },
	{ "dynamic exporter, static importer", MOCK_DYNAMIC, NULL },
	{ "dynamic exporter, dynamic importer", MOCK_DYNAMIC, &test_dynamic },
	{ "cached, static importer", MOCK_CACHED, NULL },
	{ "cached, dynamic importer", MOCK_CACHED, &test_dynamic },
};

KUNIT_ARRAY_PARAM_DESC(map, map_params, name);

static bool test_map_pins(const struct map_param *param)
{
	return param->exporter == MOCK_DYNAMIC &&
	       !(param->importer && IS_ENABLED(CONFIG_DMABUF_MOVE_NOTIFY));
}

static void test_map(struct kunit *test)
{
	const struct map_param *param = test->param_value;
	struct mock_exporter *mock = mock_exporter_create(test, param->exporter);
	struct dma_buf *dmabuf = mock_export(mock);
	struct dma_buf_attachment *attach;
	struct scatterlist *sg;
	struct sg_table *sgt;
	unsigned int i;

	attach = test_attach(test, dmabuf, param->importer);
	/* Nothing is mapped before it is asked for. */
	mock_expect_ops(mock, HOOK_ATTACH);

	dma_resv_lock(dmabuf->resv, NULL);
	sgt = dma_buf_map_attachment(attach, DMA_BIDIRECTIONAL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, sgt);
	KUNIT_EXPECT_EQ(test, sgt->nents, MOCK_SEGMENTS);
	for_each_sgtable_dma_sg(sgt, sg, i) {
		KUNIT_EXPECT_EQ(test, (u64)sg_dma_address(sg),
				(u64)page_to_phys(mock->page) + i * MOCK_SEGMENT_LEN);
		KUNIT_EXPECT_EQ(test, (size_t)sg_dma_len(sg), MOCK_SEGMENT_LEN);
		if (IS_ENABLED(CONFIG_DMABUF_DEBUG))
			KUNIT_EXPECT_NULL(test, sg_page(sg));
	}
	KUNIT_EXPECT_EQ(test, i, MOCK_SEGMENTS);
	if (test_map_pins(param))
		mock_expect_ops(mock, HOOK_PIN, HOOK_MAP);
	else
		mock_expect_ops(mock, HOOK_MAP);

	/* What the importer does to a debug copy is its own affair. */
	if (IS_ENABLED(CONFIG_DMABUF_DEBUG) && param->exporter != MOCK_CACHED)
		sg_dma_address(sgt->sgl) = 0;
	dma_buf_unmap_attachment(attach, sgt, DMA_BIDIRECTIONAL);
	if (param->exporter == MOCK_CACHED)
		mock_expect_ops(mock);
	else if (test_map_pins(param))
		mock_expect_ops(mock, HOOK_UNMAP, HOOK_UNPIN);
	else
		mock_expect_ops(mock, HOOK_UNMAP);
	dma_resv_unlock(dmabuf->resv);

	dma_buf_detach(dmabuf, attach);
	if (param->exporter == MOCK_CACHED)
		mock_expect_ops(mock, HOOK_UNMAP, HOOK_DETACH);
	else
		mock_expect_ops(mock, HOOK_DETACH);
	mock_put(mock, dmabuf);
}

static void test_map_unlocked(struct kunit *test)
{
	const struct map_param *param = test->param_value;
	struct mock_exporter *mock = mock_exporter_create(test, param->exporter);
	struct dma_buf *dmabuf = mock_export(mock);
	struct dma_buf_attachment *attach;
	struct sg_table *first, *second;

	attach = test_attach(test, dmabuf, param->importer);
	first = test_dma_map(test, attach, DMA_FROM_DEVICE);
	second = test_dma_map(test, attach, DMA_FROM_DEVICE);
	if (param->exporter == MOCK_CACHED)
		KUNIT_EXPECT_PTR_EQ(test, first, second);
	else
		KUNIT_EXPECT_PTR_NE(test, first, second);
	dma_buf_unmap_attachment_unlocked(attach, first, DMA_FROM_DEVICE);
	dma_buf_unmap_attachment_unlocked(attach, second, DMA_FROM_DEVICE);
	dma_buf_detach(dmabuf, attach);

	KUNIT_EXPECT_EQ(test, mock_count(mock, HOOK_MAP),
			mock_count(mock, HOOK_UNMAP));
	KUNIT_EXPECT_EQ(test, mock_count(mock, HOOK_PIN),
			mock_count(mock, HOOK_UNPIN));
	KUNIT_EXPECT_EQ(test, mock_count(mock, HOOK_MAP),
			param->exporter == MOCK_CACHED ? 1U : 2U);
	KUNIT_EXPECT_EQ(test, mock_count(mock, HOOK_PIN),
			test_map_pins(param) ? 2U : 0U);
	mock_put(mock, dmabuf);
}

static void test_map_failure(struct kunit *test)
{
	const struct map_param *param = test->param_value;
	struct mock_exporter *mock = mock_exporter_create(test, param->exporter);
	struct dma_buf *dmabuf = mock_export(mock);
	struct dma_buf_attachment *attach;
	struct sg_table *sgt;

	attach = test_attach(test, dmabuf, param->importer);
	mock->log_len = 0;

	mock->error[HOOK_MAP] = -EINTR;
	sgt = dma_buf_map_attachment_unlocked(attach, DMA_TO_DEVICE);
	KUNIT_EXPECT_EQ(test, PTR_ERR(sgt), -EINTR);
	if (test_map_pins(param))
		mock_expect_ops(mock, HOOK_PIN, HOOK_MAP, HOOK_UNPIN);
	else
		mock_expect_ops(mock, HOOK_MAP);

	mock->error[HOOK_MAP] = 0;
	mock->map_null = true;
	sgt = dma_buf_map_attachment_unlocked(attach, DMA_TO_DEVICE);
	KUNIT_EXPECT_EQ(test, PTR_ERR(sgt), -ENOMEM);
	mock->map_null = false;
	mock->log_len = 0;

	mock->error[HOOK_PIN] = -ENOSPC;
	sgt = dma_buf_map_attachment_unlocked(attach, DMA_TO_DEVICE);
	if (test_map_pins(param)) {
		KUNIT_EXPECT_EQ(test, PTR_ERR(sgt), -ENOSPC);
		mock_expect_ops(mock, HOOK_PIN);
		mock->error[HOOK_PIN] = 0;
		sgt = dma_buf_map_attachment_unlocked(attach, DMA_TO_DEVICE);
	}

	/* After the failures, mapping works as if they had not been. */
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, sgt);
	dma_buf_unmap_attachment_unlocked(attach, sgt, DMA_TO_DEVICE);
	dma_buf_detach(dmabuf, attach);
	mock_put(mock, dmabuf);
}

/*
 * qaic maps without holding the reservation. Lockdep warns of that, but the
 * mapping must still work.
 */
static void test_map_without_lock(struct kunit *test)
{
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_PLAIN);
	struct dma_buf *dmabuf = mock_export(mock);
	struct dma_buf_attachment *attach = test_attach(test, dmabuf, NULL);
	struct sg_table *first, *second;

	if (IS_ENABLED(CONFIG_LOCKDEP)) {
		dma_buf_detach(dmabuf, attach);
		mock_put(mock, dmabuf);
		kunit_skip(test, "lockdep would not have it");
	}

	first = dma_buf_map_attachment(attach, DMA_TO_DEVICE);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, first);
	second = dma_buf_map_attachment(attach, DMA_TO_DEVICE);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, second);
	dma_buf_unmap_attachment(attach, first, DMA_TO_DEVICE);
	dma_buf_unmap_attachment(attach, second, DMA_TO_DEVICE);
	KUNIT_EXPECT_EQ(test, mock->tables, 0U);
	/* It has none left, so this warns of nothing. */
	dma_buf_detach(dmabuf, attach);
	mock_put(mock, dmabuf);
}

/*
 * Exporters place the memory at the first map, so the map hook must find every
 * attachment listed.
 */
static void test_map_sees_attachments(struct kunit *test)
{
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_DYNAMIC);
	struct dma_buf *dmabuf = mock_export(mock);
	struct dma_buf_attachment *first, *second;
	struct sg_table *sgt;

	first = test_attach(test, dmabuf, NULL);
	second = test_attach(test, dmabuf, &test_dynamic);
	sgt = test_dma_map(test, first, DMA_FROM_DEVICE);
	KUNIT_EXPECT_EQ(test, mock->attachments, 2U);
	KUNIT_EXPECT_EQ(test, mock->dir, DMA_FROM_DEVICE);
	mock->dir = DMA_NONE;
	dma_buf_unmap_attachment_unlocked(first, sgt, DMA_FROM_DEVICE);
	KUNIT_EXPECT_EQ(test, mock->dir, DMA_FROM_DEVICE);

	dma_buf_detach(dmabuf, first);
	sgt = test_dma_map(test, second, DMA_TO_DEVICE);
	KUNIT_EXPECT_EQ(test, mock->attachments, 1U);
	dma_buf_unmap_attachment_unlocked(second, sgt, DMA_TO_DEVICE);
	dma_buf_detach(dmabuf, second);
	mock_put(mock, dmabuf);
}

struct fence_param {
	const char *name;
	enum dma_resv_usage usage;
};

static const struct fence_param fence_params[] = {
	{ "kernel", DMA_RESV_USAGE_KERNEL },
	{ "write", DMA_RESV_USAGE_WRITE },
	{ "read", DMA_RESV_USAGE_READ },
	{ "bookkeep", DMA_RESV_USAGE_BOOKKEEP },
};

KUNIT_ARRAY_PARAM_DESC(fence, fence_params, name);

/* A static importer waits for what the kernel does, a dynamic one never. */
static void test_map_waits(struct kunit *test)
{
	const struct fence_param *param = test->param_value;
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_DYNAMIC);
	struct dma_buf *dmabuf = mock_export(mock);
	struct dma_fence *fence = mock_fence_create(test);
	struct dma_buf_attachment *fixed, *dynamic;
	struct sg_table *sgt;

	fixed = test_attach(test, dmabuf, NULL);
	dynamic = test_attach(test, dmabuf, &test_dynamic);
	mock_add_fence(dmabuf, fence, param->usage);
	mock->log_len = 0;

	/* This wait is not interruptible, so the fence has to signal in the end. */
	mock_fence_signal_later(fence, MOCK_NEVER_MS);
	mock_signal_begin();
	sgt = dma_buf_map_attachment_unlocked(dynamic, DMA_TO_DEVICE);
	KUNIT_EXPECT_NOT_ERR_OR_NULL(test, sgt);
	if (!IS_ERR(sgt))
		dma_buf_unmap_attachment_unlocked(dynamic, sgt, DMA_TO_DEVICE);
	mock->log_len = 0;

	sgt = dma_buf_map_attachment_unlocked(fixed, DMA_TO_DEVICE);
	mock_signal_end();
	if (param->usage == DMA_RESV_USAGE_KERNEL) {
		KUNIT_EXPECT_EQ(test, PTR_ERR(sgt), -ERESTARTSYS);
		mock_expect_ops(mock, HOOK_PIN, HOOK_MAP, HOOK_UNMAP,
				HOOK_UNPIN);
	} else {
		KUNIT_EXPECT_NOT_ERR_OR_NULL(test, sgt);
		if (!IS_ERR(sgt))
			dma_buf_unmap_attachment_unlocked(fixed, sgt,
							  DMA_TO_DEVICE);
	}
	/* The device is about to wait, not the CPU. */
	KUNIT_EXPECT_EQ(test, mock_fence_deadlines(fence, NULL), 0U);

	dma_buf_detach(dmabuf, fixed);
	dma_buf_detach(dmabuf, dynamic);
	mock_put(mock, dmabuf);
}

/* Kept mappings are no exception. */
static void test_map_cached_waits(struct kunit *test)
{
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_CACHED);
	struct dma_buf *dmabuf = mock_export(mock);
	struct dma_buf_attachment *attach = test_attach(test, dmabuf, NULL);
	struct dma_fence *fence = mock_fence_create(test);
	struct sg_table *sgt, *again;

	sgt = test_dma_map(test, attach, DMA_TO_DEVICE);
	dma_buf_unmap_attachment_unlocked(attach, sgt, DMA_TO_DEVICE);

	mock_add_fence(dmabuf, fence, DMA_RESV_USAGE_KERNEL);
	mock_fence_signal_later(fence, MOCK_NEVER_MS);
	mock_signal_begin();
	again = dma_buf_map_attachment_unlocked(attach, DMA_TO_DEVICE);
	mock_signal_end();
	KUNIT_EXPECT_EQ(test, PTR_ERR(again), -ERESTARTSYS);

	mock_fence_signal_sooner(fence, 20);
	again = dma_buf_map_attachment_unlocked(attach, DMA_TO_DEVICE);
	KUNIT_EXPECT_PTR_EQ(test, again, sgt);
	KUNIT_EXPECT_TRUE(test, dma_fence_is_signaled(fence));
	dma_buf_unmap_attachment_unlocked(attach, sgt, DMA_TO_DEVICE);
	dma_buf_detach(dmabuf, attach);
	mock_expect_ops(mock, HOOK_ATTACH, HOOK_MAP, HOOK_UNMAP, HOOK_DETACH);
	mock_put(mock, dmabuf);
}

/* The map hook itself may have started the move. */
static void test_map_waits_for_hook(struct kunit *test)
{
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_PLAIN);
	struct dma_buf *dmabuf = mock_export(mock);
	struct dma_buf_attachment *attach = test_attach(test, dmabuf, NULL);
	struct dma_fence *fence = mock_fence_create(test);
	struct sg_table *sgt;

	mock->fence = fence;
	mock_fence_signal_later(fence, 50);
	sgt = test_dma_map(test, attach, DMA_FROM_DEVICE);
	KUNIT_EXPECT_NULL(test, mock->fence);
	KUNIT_EXPECT_TRUE(test, dma_fence_is_signaled(fence));
	dma_buf_unmap_attachment_unlocked(attach, sgt, DMA_FROM_DEVICE);
	dma_buf_detach(dmabuf, attach);
	mock_put(mock, dmabuf);
}

static void test_map_cached_direction(struct kunit *test)
{
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_CACHED);
	struct dma_buf *dmabuf = mock_export(mock);
	struct dma_buf_attachment *attach = test_attach(test, dmabuf, NULL);
	struct sg_table *sgt, *other;

	sgt = test_dma_map(test, attach, DMA_TO_DEVICE);
	other = dma_buf_map_attachment_unlocked(attach, DMA_FROM_DEVICE);
	KUNIT_EXPECT_EQ(test, PTR_ERR(other), -EBUSY);
	other = dma_buf_map_attachment_unlocked(attach, DMA_BIDIRECTIONAL);
	KUNIT_EXPECT_EQ(test, PTR_ERR(other), -EBUSY);
	dma_buf_unmap_attachment_unlocked(attach, sgt, DMA_TO_DEVICE);
	/* The cached mapping is kept after its unmap. */
	other = dma_buf_map_attachment_unlocked(attach, DMA_FROM_DEVICE);
	KUNIT_EXPECT_EQ(test, PTR_ERR(other), -EBUSY);
	dma_buf_detach(dmabuf, attach);

	/* Both ways serves each. */
	attach = test_attach(test, dmabuf, NULL);
	sgt = test_dma_map(test, attach, DMA_BIDIRECTIONAL);
	other = dma_buf_map_attachment_unlocked(attach, DMA_FROM_DEVICE);
	KUNIT_EXPECT_PTR_EQ(test, other, sgt);
	dma_buf_unmap_attachment_unlocked(attach, other, DMA_FROM_DEVICE);
	dma_buf_unmap_attachment_unlocked(attach, sgt, DMA_BIDIRECTIONAL);
	dma_buf_detach(dmabuf, attach);
	mock_put(mock, dmabuf);
}

static void test_map_wrong(struct kunit *test)
{
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_PLAIN);
	struct dma_buf *dmabuf = mock_export(mock);
	struct dma_buf_attachment *attach = test_attach(test, dmabuf, NULL);
	struct sg_table *sgt;

	mock->log_len = 0;
	expect_warning("WARNING: .* dma_buf_map_attachment");
	sgt = dma_buf_map_attachment_unlocked(attach, DMA_NONE);
	KUNIT_EXPECT_EQ(test, PTR_ERR(sgt), -EINVAL);
	sgt = dma_buf_map_attachment(NULL, DMA_TO_DEVICE);
	KUNIT_EXPECT_EQ(test, PTR_ERR(sgt), -EINVAL);
	expect_end();

	expect_warning("WARNING: .* dma_buf_map_attachment_unlocked");
	sgt = dma_buf_map_attachment_unlocked(NULL, DMA_TO_DEVICE);
	KUNIT_EXPECT_EQ(test, PTR_ERR(sgt), -EINVAL);
	expect_end();
	mock_expect_ops(mock);
	dma_buf_detach(dmabuf, attach);
	mock_put(mock, dmabuf);
}

static void test_detach_pinned(struct kunit *test)
{
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_DYNAMIC);
	struct dma_buf *dmabuf = mock_export(mock);
	struct dma_buf_attachment *attach;

	attach = test_attach(test, dmabuf, &test_dynamic);
	dma_resv_lock(dmabuf->resv, NULL);
	KUNIT_EXPECT_EQ(test, 0, dma_buf_pin(attach));
	KUNIT_EXPECT_EQ(test, 0, dma_buf_pin(attach));
	dma_resv_unlock(dmabuf->resv);
	mock->log_len = 0;

	expect_warning("detaches with 2 pins");
	dma_buf_detach(dmabuf, attach);
	expect_end();
	mock_expect_ops(mock, HOOK_UNPIN, HOOK_UNPIN, HOOK_DETACH);
	KUNIT_EXPECT_TRUE(test, list_empty(&dmabuf->attachments));
	mock_put(mock, dmabuf);
}

/* Pins and moves */

static void test_pin(struct kunit *test)
{
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_DYNAMIC);
	struct dma_buf *dmabuf = mock_export(mock);
	struct dma_buf_attachment *attach;

	attach = test_attach(test, dmabuf, &test_dynamic);
	mock->log_len = 0;
	dma_resv_lock(dmabuf->resv, NULL);

	KUNIT_EXPECT_EQ(test, 0, dma_buf_pin(attach));
	KUNIT_EXPECT_EQ(test, 0, dma_buf_pin(attach));
	mock_expect_ops(mock, HOOK_PIN, HOOK_PIN);
	dma_buf_unpin(attach);
	dma_buf_unpin(attach);
	mock_expect_ops(mock, HOOK_UNPIN, HOOK_UNPIN);

	/* amdgpu ignores a failed pin, then unpins. */
	mock->error[HOOK_PIN] = -ENOMEM;
	KUNIT_EXPECT_EQ(test, -ENOMEM, dma_buf_pin(attach));
	mock_expect_ops(mock, HOOK_PIN);
	if (IS_ENABLED(CONFIG_DMABUF_DEBUG))
		expect_warning("unpins what it has not pinned");
	dma_buf_unpin(attach);
	if (IS_ENABLED(CONFIG_DMABUF_DEBUG))
		expect_end();
	mock_expect_ops(mock);

	dma_resv_unlock(dmabuf->resv);
	dma_buf_detach(dmabuf, attach);
	mock_put(mock, dmabuf);
}

static void test_pin_not_dynamic_exporter(struct kunit *test)
{
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_PLAIN);
	struct dma_buf *dmabuf = mock_export(mock);
	struct dma_buf_attachment *attach;

	attach = test_attach(test, dmabuf, &test_dynamic);
	mock->log_len = 0;
	dma_resv_lock(dmabuf->resv, NULL);
	KUNIT_EXPECT_EQ(test, 0, dma_buf_pin(attach));
	dma_buf_unpin(attach);
	dma_resv_unlock(dmabuf->resv);
	mock_expect_ops(mock);
	dma_buf_detach(dmabuf, attach);
	mock_put(mock, dmabuf);
}

static void test_pin_static_importer(struct kunit *test)
{
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_DYNAMIC);
	struct dma_buf *dmabuf = mock_export(mock);
	struct dma_buf_attachment *attach = test_attach(test, dmabuf, NULL);

	mock->log_len = 0;
	dma_resv_lock(dmabuf->resv, NULL);
	expect_warning("WARNING: .* dma_buf_pin");
	KUNIT_EXPECT_EQ(test, -EINVAL, dma_buf_pin(attach));
	expect_end();
	expect_warning("WARNING: .* dma_buf_unpin");
	dma_buf_unpin(attach);
	expect_end();
	dma_resv_unlock(dmabuf->resv);
	mock_expect_ops(mock);
	dma_buf_detach(dmabuf, attach);
	mock_put(mock, dmabuf);
}

static struct kunit_case dma_buf_attach_test_cases[] = {
	KUNIT_CASE(test_attach_static),
	KUNIT_CASE(test_attach_dynamic),
	KUNIT_CASE(test_attach_peer2peer_cleared),
	KUNIT_CASE(test_attach_refused),
	KUNIT_CASE(test_attach_null),
	KUNIT_CASE(test_detach_wrong),
	KUNIT_CASE_PARAM(test_map, map_gen_params),
	KUNIT_CASE_PARAM(test_map_unlocked, map_gen_params),
	KUNIT_CASE_PARAM(test_map_failure, map_gen_params),
	KUNIT_CASE(test_map_without_lock),
	KUNIT_CASE(test_map_sees_attachments),
	KUNIT_CASE_PARAM(test_map_waits, fence_gen_params),
	KUNIT_CASE(test_map_cached_waits),
	KUNIT_CASE(test_map_waits_for_hook),
	KUNIT_CASE(test_map_cached_direction),
	KUNIT_CASE(test_map_wrong),
	KUNIT_CASE(test_detach_pinned),
	KUNIT_CASE(test_pin),
	KUNIT_CASE(test_pin_not_dynamic_exporter),
	KUNIT_CASE(test_pin_static_importer),
	{}
};

static struct kunit_suite dma_buf_attach_test_suite = {
	.name = "dma_buf_attach",
	.init = test_init,
	.test_cases = dma_buf_attach_test_cases,
};

kunit_test_suite(dma_buf_attach_test_suite);
