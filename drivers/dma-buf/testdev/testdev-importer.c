// SPDX-License-Identifier: GPL-2.0-only
/*
 * dma-buf: importer of the test device.
 *
 * The buffer's reservation guards the state of an importer, as in a driver
 * whose move callback may run at any time. No device does DMA: DMA_BUF_TEST_RW
 * accesses the memory by the DMA addresses of a mapping, which comes closest.
 */
#include <linux/cleanup.h>
#include <linux/dma-direct.h>
#include <linux/highmem.h>
#include <linux/iommu.h>
#include <linux/iosys-map.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "testdev-internal.h"

#define TESTDEV_RW_MAX	0x100000

/**
 * struct testdev_mapping - one mapping
 * @sgt: the table
 * @dir: its direction
 * @stale: the buffer has moved since
 */
struct testdev_mapping {
	struct sg_table *sgt;
	enum dma_data_direction dir;
	bool stale;
};

/**
 * struct testdev_importer - one attachment
 * @object: base
 * @flags: DMA_BUF_TEST_IMPORTER_DYNAMIC and so on
 * @dmabuf: buffer, with a reference
 * @attach: the attachment
 * @mappings: its mappings, oldest first; the reservation of @dmabuf guards this
 *	member and those that follow
 * @mapped: number of mappings
 * @pinned: number of pins that the core granted
 * @notified: number of calls of the move callback
 */
struct testdev_importer {
	struct testdev_object object;
	u32 flags;
	struct dma_buf *dmabuf;
	struct dma_buf_attachment *attach;
	struct testdev_mapping mappings[DMA_BUF_TEST_MAPPINGS];
	u32 mapped;
	u32 pinned;
	u32 notified;
};

static struct testdev_importer *to_importer(struct testdev_object *object)
{
	return container_of(object, struct testdev_importer, object);
}

/**
 * testdev_importer_id - find an importer's number in a session
 * @attach: an attachment
 * @session: the session
 *
 * Return: the importer's number, or 0 if the attachment is not of this session.
 */
u32 testdev_importer_id(struct dma_buf_attachment *attach,
			const struct testdev_session *session)
{
	struct testdev_importer *importer = attach->importer_priv;

	/* The importer was freed; the attachment had been detached while mapped. */
	if (attach->dev != testdev_device() || !importer ||
	    importer->object.session != session)
		return 0;
	return importer->object.id;
}

static void testdev_unmap_newest(struct testdev_importer *importer)
{
	struct testdev_mapping *mapping = &importer->mappings[--importer->mapped];

	dma_buf_unmap_attachment(importer->attach, mapping->sgt, mapping->dir);
}

static void testdev_let_go(struct testdev_importer *importer)
{
	dma_resv_assert_held(importer->dmabuf->resv);

	while (importer->mapped)
		testdev_unmap_newest(importer);
	for (; importer->pinned; importer->pinned--)
		dma_buf_unpin(importer->attach);
}

/* Callback */

static void testdev_move_notify(struct dma_buf_attachment *attach)
{
	struct testdev_importer *importer = attach->importer_priv;
	unsigned int i;

	dma_resv_assert_held(attach->dmabuf->resv);

	importer->notified++;
	for (i = 0; i < importer->mapped; i++)
		importer->mappings[i].stale = true;
	if (importer->flags & DMA_BUF_TEST_IMPORTER_LETS_GO)
		testdev_let_go(importer);
}

static const struct dma_buf_attach_ops testdev_ops = {
	.move_notify = testdev_move_notify,
};

static const struct dma_buf_attach_ops testdev_ops_peer2peer = {
	.allow_peer2peer = true,
	.move_notify = testdev_move_notify,
};

static const struct dma_buf_attach_ops testdev_ops_deaf = {};

static const struct dma_buf_attach_ops testdev_ops_deaf_peer2peer = {
	.allow_peer2peer = true,
};

static const struct dma_buf_attach_ops *testdev_importer_ops(u32 flags)
{
	bool peer2peer = flags & DMA_BUF_TEST_IMPORTER_PEER2PEER;

	if (!(flags & DMA_BUF_TEST_IMPORTER_DYNAMIC))
		return NULL;
	if (flags & DMA_BUF_TEST_IMPORTER_DEAF)
		return peer2peer ? &testdev_ops_deaf_peer2peer : &testdev_ops_deaf;
	return peer2peer ? &testdev_ops_peer2peer : &testdev_ops;
}

/* Life */

static void testdev_importer_free(struct testdev_object *object)
{
	struct testdev_importer *importer = to_importer(object);

	if (importer->attach) {
		dma_resv_lock(importer->dmabuf->resv, NULL);
		testdev_let_go(importer);
		dma_resv_unlock(importer->dmabuf->resv);
		dma_buf_detach(importer->dmabuf, importer->attach);
	}
	dma_buf_put(importer->dmabuf);
	kfree(importer);
}

const struct testdev_type testdev_importer_type = { .free = testdev_importer_free };

/**
 * testdev_attach - DMA_BUF_TEST_ATTACH
 * @call: the ioctl
 *
 * Return: 0 or a negative errno.
 */
int testdev_attach(struct testdev_call *call)
{
	struct dma_buf_test_attach *arg = &call->arg.attach;
	struct dma_buf_attachment *attach;
	struct testdev_importer *importer;
	int ret;

	if (arg->flags & ~DMA_BUF_TEST_IMPORTER_FLAGS ||
	    (arg->flags && !(arg->flags & DMA_BUF_TEST_IMPORTER_DYNAMIC)))
		return -EINVAL;

	importer = kzalloc(sizeof(*importer), GFP_KERNEL);
	if (!importer)
		return -ENOMEM;
	importer->flags = arg->flags;

	importer->dmabuf = dma_buf_get(arg->fd);
	if (IS_ERR(importer->dmabuf)) {
		ret = PTR_ERR(importer->dmabuf);
		kfree(importer);
		return ret;
	}

	/* The exporter's attach hook wants to know the number. */
	ret = testdev_object_make(call, &importer->object, &testdev_importer_type);
	if (ret) {
		testdev_importer_free(&importer->object);
		return ret;
	}

	/*
	 * From here on dispatch frees the importer if the ioctl fails. A move
	 * callback that runs before attach is set finds nothing mapped and
	 * nothing pinned.
	 */
	attach = dma_buf_dynamic_attach(importer->dmabuf, testdev_device(),
					testdev_importer_ops(arg->flags), importer);
	if (IS_ERR(attach))
		return PTR_ERR(attach);
	importer->attach = attach;
	arg->id = call->id;
	return 0;
}

/* Ioctls of an importer */

/* On success its reservation is held, and there is a reference. */
static int testdev_importer_get(struct testdev_call *call, u32 id,
				struct testdev_importer **importer)
{
	struct testdev_object *object;
	int ret;

	object = testdev_object_get(call->session, id, &testdev_importer_type);
	if (!object)
		return -ENOENT;

	*importer = to_importer(object);
	ret = dma_resv_lock_interruptible((*importer)->dmabuf->resv, NULL);
	if (ret)
		testdev_object_put(object);
	return ret;
}

static void testdev_importer_put(struct testdev_importer *importer)
{
	dma_resv_unlock(importer->dmabuf->resv);
	testdev_object_put(&importer->object);
}

static u64 testdev_sgt_length(struct sg_table *sgt)
{
	struct scatterlist *sg;
	unsigned int i;
	u64 length = 0;

	for_each_sgtable_dma_sg(sgt, sg, i)
		length += sg_dma_len(sg);
	return length;
}

/**
 * testdev_map - DMA_BUF_TEST_MAP
 * @call: the ioctl
 *
 * Return: 0 or a negative errno.
 */
int testdev_map(struct testdev_call *call)
{
	struct dma_buf_test_map *arg = &call->arg.map;
	struct testdev_importer *importer;
	struct testdev_mapping *mapping;
	struct sg_table *sgt;
	int ret;

	ret = testdev_importer_get(call, arg->id, &importer);
	if (ret)
		return ret;

	ret = -ENOSPC;
	if (importer->mapped == DMA_BUF_TEST_MAPPINGS)
		goto out;

	sgt = dma_buf_map_attachment(importer->attach, arg->dir);
	ret = PTR_ERR_OR_ZERO(sgt);
	if (ret)
		goto out;

	mapping = &importer->mappings[importer->mapped++];
	mapping->sgt = sgt;
	mapping->dir = arg->dir;
	mapping->stale = false;
	arg->nents = sgt->nents;
	arg->length = testdev_sgt_length(sgt);
out:
	testdev_importer_put(importer);
	return ret;
}

/**
 * testdev_unmap - DMA_BUF_TEST_UNMAP
 * @call: the ioctl
 *
 * Return: 0 or a negative errno.
 */
int testdev_unmap(struct testdev_call *call)
{
	struct testdev_importer *importer;
	int ret;

	ret = testdev_importer_get(call, call->arg.id.id, &importer);
	if (ret)
		return ret;

	if (importer->mapped)
		testdev_unmap_newest(importer);
	else
		ret = -ENOENT;
	testdev_importer_put(importer);
	return ret;
}

/**
 * testdev_pin - DMA_BUF_TEST_PIN
 * @call: the ioctl
 *
 * Return: 0 or a negative errno.
 */
int testdev_pin(struct testdev_call *call)
{
	struct testdev_importer *importer;
	int ret;

	ret = testdev_importer_get(call, call->arg.id.id, &importer);
	if (ret)
		return ret;

	ret = -EINVAL;
	if (importer->flags & DMA_BUF_TEST_IMPORTER_DYNAMIC)
		ret = dma_buf_pin(importer->attach);
	if (!ret)
		importer->pinned++;
	testdev_importer_put(importer);
	return ret;
}

/**
 * testdev_unpin - DMA_BUF_TEST_UNPIN
 * @call: the ioctl
 *
 * Return: 0 or a negative errno.
 */
int testdev_unpin(struct testdev_call *call)
{
	struct testdev_importer *importer;
	int ret;

	ret = testdev_importer_get(call, call->arg.id.id, &importer);
	if (ret)
		return ret;

	if (importer->flags & DMA_BUF_TEST_IMPORTER_DYNAMIC) {
		dma_buf_unpin(importer->attach);
		if (importer->pinned)
			importer->pinned--;
	} else {
		ret = -EINVAL;
	}
	testdev_importer_put(importer);
	return ret;
}

/**
 * testdev_importer_info - DMA_BUF_TEST_IMPORTER_INFO
 * @call: the ioctl
 *
 * Return: 0 or a negative errno.
 */
int testdev_importer_info(struct testdev_call *call)
{
	struct dma_buf_test_importer_info *arg = &call->arg.importer_info;
	struct testdev_importer *importer;
	int ret;

	ret = testdev_importer_get(call, arg->id, &importer);
	if (ret)
		return ret;

	arg->notified = importer->notified;
	arg->mapped = importer->mapped;
	arg->pinned = importer->pinned;
	arg->peer2peer = importer->attach->peer2peer;
	testdev_importer_put(importer);
	return 0;
}

/* Kernel mappings */

/**
 * struct testdev_vmap - one vmap
 * @object: base
 * @dmabuf: buffer, with a reference
 * @map: address of the mapping
 */
struct testdev_vmap {
	struct testdev_object object;
	struct dma_buf *dmabuf;
	struct iosys_map map;
};

static void testdev_vmap_free(struct testdev_object *object)
{
	struct testdev_vmap *vmap = container_of(object, struct testdev_vmap, object);

	if (!iosys_map_is_null(&vmap->map))
		dma_buf_vunmap_unlocked(vmap->dmabuf, &vmap->map);
	dma_buf_put(vmap->dmabuf);
	kfree(vmap);
}

const struct testdev_type testdev_vmap_type = { .free = testdev_vmap_free };

/**
 * testdev_vmap - DMA_BUF_TEST_VMAP
 * @call: the ioctl
 *
 * Return: 0 or a negative errno.
 */
int testdev_vmap(struct testdev_call *call)
{
	struct dma_buf_test_vmap *arg = &call->arg.vmap;
	struct testdev_vmap *vmap;
	int ret;

	vmap = kzalloc(sizeof(*vmap), GFP_KERNEL);
	if (!vmap)
		return -ENOMEM;

	vmap->dmabuf = dma_buf_get(arg->fd);
	if (IS_ERR(vmap->dmabuf)) {
		ret = PTR_ERR(vmap->dmabuf);
		kfree(vmap);
		return ret;
	}

	ret = testdev_object_make(call, &vmap->object, &testdev_vmap_type);
	if (ret) {
		testdev_vmap_free(&vmap->object);
		return ret;
	}

	/* From here on dispatch frees the object if the ioctl fails. */
	arg->id = call->id;
	ret = dma_buf_vmap_unlocked(vmap->dmabuf, &vmap->map);
	if (ret)
		iosys_map_clear(&vmap->map);
	return ret;
}

/* Access to the memory, through a bounce buffer: no user memory with locks held */

static int testdev_rw_page(phys_addr_t phys, void *data, size_t length, bool write)
{
	unsigned long pfn = PHYS_PFN(phys);
	void *kaddr;

	if (!pfn_valid(pfn))
		return -EOPNOTSUPP;

	kaddr = kmap_local_page(pfn_to_page(pfn));
	if (write)
		memcpy(kaddr + offset_in_page(phys), data, length);
	else
		memcpy(data, kaddr + offset_in_page(phys), length);
	kunmap_local(kaddr);
	return 0;
}

static int testdev_rw_sgt(struct sg_table *sgt, u64 offset, void *data, size_t length,
			  bool write)
{
	struct scatterlist *sg;
	phys_addr_t phys;
	unsigned int i;
	size_t n;
	int ret;

	for_each_sgtable_dma_sg(sgt, sg, i) {
		if (offset >= sg_dma_len(sg)) {
			offset -= sg_dma_len(sg);
			continue;
		}

		/* One page at a time, up to the end of this entry */
		for (; length && offset < sg_dma_len(sg); offset += n) {
			phys = dma_to_phys(testdev_device(), sg_dma_address(sg) + offset);
			n = min3(length, (size_t)(sg_dma_len(sg) - offset),
				 (size_t)(PAGE_SIZE - offset_in_page(phys)));
			ret = testdev_rw_page(phys, data, n, write);
			if (ret)
				return ret;
			data += n;
			length -= n;
		}
		offset = 0;
	}
	return 0;
}

static int testdev_rw_importer(struct testdev_call *call, void *data, bool write)
{
	const enum dma_data_direction dir = write ? DMA_FROM_DEVICE : DMA_TO_DEVICE;
	struct dma_buf_test_rw *arg = &call->arg.rw;
	struct testdev_importer *importer;
	struct testdev_mapping *mapping;
	u64 end;
	int ret;

	ret = testdev_importer_get(call, arg->id, &importer);
	if (ret)
		return ret;

	ret = -ENOENT;
	if (!importer->mapped)
		goto out;
	mapping = &importer->mappings[importer->mapped - 1];

	if (mapping->dir != DMA_BIDIRECTIONAL && mapping->dir != dir)
		ret = -EACCES;
	else if (mapping->stale)
		ret = -ESTALE;
	else if (check_add_overflow(arg->offset, arg->length, &end) ||
		 end > testdev_sgt_length(mapping->sgt))
		ret = -ERANGE;
	else if (iommu_get_domain_for_dev(testdev_device()))
		ret = -EOPNOTSUPP;
	else
		ret = testdev_rw_sgt(mapping->sgt, arg->offset, data, arg->length,
				     write);
out:
	testdev_importer_put(importer);
	return ret;
}

static int testdev_rw_vmap(struct dma_buf_test_rw *arg, struct testdev_vmap *vmap,
			   void *data, bool write)
{
	u64 end;

	if (check_add_overflow(arg->offset, arg->length, &end) ||
	    end > vmap->dmabuf->size)
		return -ERANGE;

	if (write)
		iosys_map_memcpy_to(&vmap->map, arg->offset, data, arg->length);
	else
		iosys_map_memcpy_from(data, &vmap->map, arg->offset, arg->length);
	return 0;
}

/**
 * testdev_rw - DMA_BUF_TEST_RW
 * @call: the ioctl
 *
 * Return: 0 or a negative errno.
 */
int testdev_rw(struct testdev_call *call)
{
	void *data __free(kvfree) = NULL;
	struct dma_buf_test_rw *arg = &call->arg.rw;
	void __user *user = u64_to_user_ptr(arg->data);
	struct testdev_object *object;
	bool write;
	int ret;

	if (arg->flags & ~DMA_BUF_TEST_RW_WRITE || !arg->length ||
	    arg->length > TESTDEV_RW_MAX)
		return -EINVAL;
	write = arg->flags & DMA_BUF_TEST_RW_WRITE;

	data = kvmalloc(arg->length, GFP_KERNEL);
	if (!data)
		return -ENOMEM;
	if (write && copy_from_user(data, user, arg->length))
		return -EFAULT;

	object = testdev_object_get(call->session, arg->id, &testdev_vmap_type);
	if (object) {
		ret = testdev_rw_vmap(arg,
				      container_of(object, struct testdev_vmap, object),
				      data, write);
		testdev_object_put(object);
	} else {
		ret = testdev_rw_importer(call, data, write);
	}

	if (!ret && !write && copy_to_user(user, data, arg->length))
		ret = -EFAULT;
	return ret;
}
