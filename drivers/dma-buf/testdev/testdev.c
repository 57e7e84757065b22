// SPDX-License-Identifier: GPL-2.0-only
/*
 * dma-buf: a test device, /dev/dma_buf_test. Through it, tests export buffers
 * whose hooks do what the test asks for, and import buffers of any exporter.
 *
 * This file has the sessions, the numbers of their objects and the table of
 * ioctls; the ioctls themselves are in testdev-exporter.c, testdev-importer.c
 * and testdev-fence.c. dma-buf-testdev.h describes them for tests.
 *
 * Nothing is published before the whole call has succeeded: an ioctl only
 * prepares an object or a file, and dispatch gives them their number or
 * descriptor after the result has been copied to the caller.
 */
#include <linux/cleanup.h>
#include <linux/compat.h>
#include <linux/dma-mapping.h>
#include <linux/file.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/platform_device.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "testdev-internal.h"

static struct platform_device *testdev_pdev;

/**
 * testdev_device - get the device that importers attach
 *
 * Return: a device that can address all memory.
 */
struct device *testdev_device(void)
{
	return &testdev_pdev->dev;
}

/* Objects */

/**
 * testdev_object_make - have dispatch give an object a number
 * @call: ioctl that makes it
 * @object: the object; on success its reference is the session's
 * @type: what it is
 *
 * Return: 0 or -ENOMEM; then the object is still the caller's.
 */
int testdev_object_make(struct testdev_call *call, struct testdev_object *object,
			const struct testdev_type *type)
{
	int ret;

	/* Reserve the number: a lookup reads a reserved entry as NULL. */
	ret = xa_alloc(&call->session->objects, &call->id, NULL, xa_limit_31b,
		       GFP_KERNEL);
	if (ret)
		return ret;

	object->type = type;
	object->session = call->session;
	object->id = call->id;
	refcount_set(&object->refs, 1);
	call->made = object;
	return 0;
}

/**
 * testdev_object_get - find an object by its number
 * @session: session to search
 * @id: number
 * @type: type that the object must have, NULL for any
 *
 * Return: the object with a reference for the caller, or NULL.
 */
struct testdev_object *testdev_object_get(struct testdev_session *session, u32 id,
					  const struct testdev_type *type)
{
	struct testdev_object *object;

	xa_lock(&session->objects);
	object = xa_load(&session->objects, id);
	if (object && (!type || object->type == type))
		refcount_inc(&object->refs);
	else
		object = NULL;
	xa_unlock(&session->objects);
	return object;
}

/**
 * testdev_object_put - drop a reference to an object
 * @object: the object; the last reference frees it
 */
void testdev_object_put(struct testdev_object *object)
{
	if (refcount_dec_and_test(&object->refs))
		object->type->free(object);
}

static int testdev_free(struct testdev_call *call)
{
	struct testdev_session *session = call->session;
	struct testdev_object *object;

	/*
	 * Leave an entry that is only reserved: if it were erased, another
	 * object could get the number before dispatch stores the first one.
	 */
	xa_lock(&session->objects);
	object = xa_load(&session->objects, call->arg.id.id);
	if (object)
		__xa_erase(&session->objects, call->arg.id.id);
	xa_unlock(&session->objects);
	if (!object)
		return -ENOENT;

	testdev_object_put(object);
	return 0;
}

/* Sessions */

/**
 * testdev_session_resv - get the reservation that a session's buffers share
 * @session: the session
 *
 * Return: the reservation with a reference for the caller, or NULL without
 * memory.
 */
struct testdev_shared_resv *testdev_session_resv(struct testdev_session *session)
{
	struct testdev_shared_resv *fresh, *shared;

	fresh = kzalloc(sizeof(*fresh), GFP_KERNEL);
	if (!fresh)
		return NULL;
	dma_resv_init(&fresh->resv);
	refcount_set(&fresh->refs, 1);

	xa_lock(&session->objects);
	if (!session->resv)
		session->resv = no_free_ptr(fresh);
	shared = session->resv;
	refcount_inc(&shared->refs);
	xa_unlock(&session->objects);

	/* Drop the new one if the session had a reservation already. */
	testdev_shared_resv_put(fresh);
	return shared;
}

/**
 * testdev_shared_resv_put - drop a reference to a shared reservation
 * @shared: the reservation, may be NULL
 */
void testdev_shared_resv_put(struct testdev_shared_resv *shared)
{
	if (!shared || !refcount_dec_and_test(&shared->refs))
		return;
	dma_resv_fini(&shared->resv);
	kfree(shared);
}

static int testdev_mmap_choose(struct testdev_call *call)
{
	struct testdev_session *session = call->session;
	struct dma_buf *dmabuf = NULL;

	if (call->arg.mmap.fd != -1) {
		dmabuf = dma_buf_get(call->arg.mmap.fd);
		if (IS_ERR(dmabuf))
			return PTR_ERR(dmabuf);
	}

	xa_lock(&session->objects);
	swap(session->mmap, dmabuf);
	xa_unlock(&session->objects);

	if (dmabuf)
		dma_buf_put(dmabuf);
	return 0;
}

static int testdev_session_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct testdev_session *session = file->private_data;
	struct dma_buf *dmabuf;
	int ret;

	xa_lock(&session->objects);
	dmabuf = session->mmap;
	if (dmabuf)
		get_dma_buf(dmabuf);
	xa_unlock(&session->objects);
	if (!dmabuf)
		return -ENODEV;

	ret = dma_buf_mmap(dmabuf, vma, vma->vm_pgoff);
	/* The mapping has taken a reference of its own. */
	dma_buf_put(dmabuf);
	return ret;
}

static int testdev_session_open(struct inode *inode, struct file *file)
{
	struct testdev_session *session;

	session = kzalloc(sizeof(*session), GFP_KERNEL);
	if (!session)
		return -ENOMEM;

	xa_init_flags(&session->objects, XA_FLAGS_ALLOC1);
	file->private_data = session;
	return 0;
}

static void testdev_session_free(struct testdev_session *session,
				 const struct testdev_type *type)
{
	struct testdev_object *object;
	unsigned long id;

	xa_for_each(&session->objects, id, object) {
		if (type && object->type != type)
			continue;
		xa_erase(&session->objects, id);
		testdev_object_put(object);
	}
}

static int testdev_session_release(struct inode *inode, struct file *file)
{
	struct testdev_session *session = file->private_data;

	/*
	 * First release held reservations, which importers need to detach. Then
	 * signal fences, as a task may wait for one while it holds a
	 * reservation.
	 */
	testdev_session_free(session, &testdev_hold_type);
	testdev_session_free(session, &testdev_fence_type);
	testdev_session_free(session, NULL);
	xa_destroy(&session->objects);

	if (session->mmap)
		dma_buf_put(session->mmap);
	testdev_shared_resv_put(session->resv);
	kfree(session);
	return 0;
}

/* Ioctls */

/**
 * struct testdev_ioctl - one ioctl
 * @call: function that carries it out
 * @size: size of its argument as the kernel knows it
 * @reserved: offset of the member that must be zero, or 0 for none
 * @min: size of its argument when it was introduced, or 0 if it has not grown
 *	since; members that a caller does not know read as zero
 */
struct testdev_ioctl {
	int (*call)(struct testdev_call *call);
	u32 size;
	u32 reserved;
	u32 min;
};

#define TESTDEV_ARG(_arg)	.size = sizeof(struct dma_buf_test_##_arg)
#define TESTDEV_ZERO(_arg)	.reserved = offsetof(struct dma_buf_test_##_arg, reserved)

static const struct testdev_ioctl testdev_ioctls[] = {
	[_IOC_NR(DMA_BUF_TEST_CREATE)] = {
		.call = testdev_create,
		TESTDEV_ARG(create),
	},
	[_IOC_NR(DMA_BUF_TEST_SET_OP)] = {
		.call = testdev_set_op,
		TESTDEV_ARG(set_op),
	},
	[_IOC_NR(DMA_BUF_TEST_LOG)] = {
		.call = testdev_log,
		TESTDEV_ARG(log),
		TESTDEV_ZERO(log),
	},
	[_IOC_NR(DMA_BUF_TEST_EXPORTER_INFO)] = {
		.call = testdev_exporter_info,
		TESTDEV_ARG(exporter_info),
	},
	[_IOC_NR(DMA_BUF_TEST_MIGRATE)] = {
		.call = testdev_migrate,
		TESTDEV_ARG(migrate),
		TESTDEV_ZERO(migrate),
	},
	[_IOC_NR(DMA_BUF_TEST_HOLD)] = {
		.call = testdev_hold,
		TESTDEV_ARG(hold),
		TESTDEV_ZERO(hold),
	},
	[_IOC_NR(DMA_BUF_TEST_FENCE)] = {
		.call = testdev_fence,
		TESTDEV_ARG(fence),
		TESTDEV_ZERO(fence),
	},
	[_IOC_NR(DMA_BUF_TEST_SIGNAL)] = {
		.call = testdev_signal,
		TESTDEV_ARG(signal),
		TESTDEV_ZERO(signal),
	},
	[_IOC_NR(DMA_BUF_TEST_ATTACH)] = {
		.call = testdev_attach,
		TESTDEV_ARG(attach),
	},
	[_IOC_NR(DMA_BUF_TEST_MAP)] = {
		.call = testdev_map,
		TESTDEV_ARG(map),
	},
	[_IOC_NR(DMA_BUF_TEST_UNMAP)] = {
		.call = testdev_unmap,
		TESTDEV_ARG(id),
	},
	[_IOC_NR(DMA_BUF_TEST_PIN)] = {
		.call = testdev_pin,
		TESTDEV_ARG(id),
	},
	[_IOC_NR(DMA_BUF_TEST_UNPIN)] = {
		.call = testdev_unpin,
		TESTDEV_ARG(id),
	},
	[_IOC_NR(DMA_BUF_TEST_RW)] = {
		.call = testdev_rw,
		TESTDEV_ARG(rw),
		TESTDEV_ZERO(rw),
	},
	[_IOC_NR(DMA_BUF_TEST_IMPORTER_INFO)] = {
		.call = testdev_importer_info,
		TESTDEV_ARG(importer_info),
	},
	[_IOC_NR(DMA_BUF_TEST_VMAP)] = {
		.call = testdev_vmap,
		TESTDEV_ARG(vmap),
		TESTDEV_ZERO(vmap),
	},
	[_IOC_NR(DMA_BUF_TEST_MMAP)] = {
		.call = testdev_mmap_choose,
		TESTDEV_ARG(mmap),
	},
	[_IOC_NR(DMA_BUF_TEST_FREE)] = {
		.call = testdev_free,
		TESTDEV_ARG(id),
	},
};

/* Publish what the call has prepared, or undo it if the call has failed. */
static void testdev_call_end(struct testdev_call *call, int ret)
{
	struct xarray *objects = &call->session->objects;

	if (call->fd >= 0) {
		if (ret) {
			put_unused_fd(call->fd);
			fput(call->file);
		} else {
			fd_install(call->fd, call->file);
		}
	}

	if (call->id) {
		if (ret)
			xa_erase(objects, call->id);
		else
			/* Allocates no memory, as the entry is reserved. */
			xa_store(objects, call->id, call->made, GFP_KERNEL);
	}
	if (ret && call->made)
		testdev_object_put(call->made);
}

static long testdev_session_ioctl(struct file *file, unsigned int nr,
				  unsigned long user)
{
	struct testdev_call call = { .session = file->private_data, .fd = -1 };
	void __user *uarg = (void __user *)user;
	const struct testdev_ioctl *ioctl;
	u32 size;
	int ret;

	if (nr != _IO(DMA_BUF_TEST_BASE, _IOC_NR(nr)) ||
	    _IOC_NR(nr) >= ARRAY_SIZE(testdev_ioctls))
		return -ENOTTY;
	ioctl = &testdev_ioctls[_IOC_NR(nr)];

	if (get_user(size, (u32 __user *)uarg))
		return -EFAULT;
	if (size < (ioctl->min ?: ioctl->size) || size > PAGE_SIZE)
		return -EINVAL;
	ret = copy_struct_from_user(&call.arg, ioctl->size, uarg, size);
	if (ret)
		return ret;
	if (ioctl->reserved && *(u32 *)((u8 *)&call.arg + ioctl->reserved))
		return -EINVAL;

	ret = ioctl->call(&call);
	if (!ret && copy_to_user(uarg, &call.arg, min(size, ioctl->size)))
		ret = -EFAULT;
	testdev_call_end(&call, ret);
	return ret;
}

static const struct file_operations testdev_fops = {
	.owner = THIS_MODULE,
	.open = testdev_session_open,
	.release = testdev_session_release,
	.unlocked_ioctl = testdev_session_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.mmap = testdev_session_mmap,
};

static struct miscdevice testdev_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "dma_buf_test",
	.fops = &testdev_fops,
	.mode = 0600,
};

/*
 * The module cannot be unloaded: fences whose code is here can be held by any
 * task, for any time.
 */
static int __init testdev_init(void)
{
	int ret;

	testdev_pdev = platform_device_register_simple("dma_buf_test",
						       PLATFORM_DEVID_NONE, NULL, 0);
	if (IS_ERR(testdev_pdev))
		return PTR_ERR(testdev_pdev);

	/* Accept segments of any size, which heaps hand out. */
	dma_set_max_seg_size(&testdev_pdev->dev, UINT_MAX);
	ret = dma_coerce_mask_and_coherent(&testdev_pdev->dev, DMA_BIT_MASK(64));
	if (!ret)
		ret = misc_register(&testdev_misc);
	if (ret)
		platform_device_unregister(testdev_pdev);
	return ret;
}
module_init(testdev_init);

MODULE_DESCRIPTION("Test device that exports and imports dma-bufs");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS(DMA_BUF);
