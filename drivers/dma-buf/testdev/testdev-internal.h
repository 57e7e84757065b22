/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * dma-buf: types and functions shared by the parts of the test device.
 *
 * The device uses the public headers only, so that it can be built as a module
 * for any core.
 *
 * Lock order, outermost first; user memory is not touched under any of them:
 *
 *	mmap_lock
 *	  dma_buf.resv				(importers, and hooks that need it)
 *	    testdev_exporter.memory_lock	(allocation, store, page faults)
 *	      testdev_exporter.lock
 *	testdev_session.objects.xa_lock		(a leaf)
 */
#ifndef _DMA_BUF_TEST_DEVICE_INTERNAL_H
#define _DMA_BUF_TEST_DEVICE_INTERNAL_H

#include <linux/dma-buf.h>
#include <linux/dma-fence.h>
#include <linux/dma-resv.h>
#include <linux/refcount.h>
#include <linux/types.h>
#include <linux/xarray.h>

#include "dma-buf-testdev.h"

struct testdev_object;
struct vm_area_struct;

/* Longest delay that a test can ask for, so that no test can block others for ever */
#define TESTDEV_DELAY_MAX_MS	10000U

/**
 * struct testdev_session - an open file
 * @objects: &struct testdev_object by number
 * @mmap: buffer that mmap() of the file maps, or NULL; guarded by the xa_lock
 *	of @objects
 * @resv: reservation shared by buffers of this session, or NULL; guarded by the
 *	same lock
 */
struct testdev_session {
	struct xarray objects;
	struct dma_buf *mmap;
	struct testdev_shared_resv *resv;
};

/**
 * struct testdev_shared_resv - a reservation of several buffers
 * @resv: the reservation
 * @refs: references: the session's, and one for each buffer
 */
struct testdev_shared_resv {
	struct dma_resv resv;
	refcount_t refs;
};

/**
 * struct testdev_type - a kind of object
 * @free: called when the last reference has been dropped
 */
struct testdev_type {
	void (*free)(struct testdev_object *object);
};

/**
 * struct testdev_object - an object that a session has given a number
 * @type: type of the object
 * @session: session that the object belongs to. Only compared, never followed:
 *	exporters and importers can outlive it
 * @id: its number in @session
 * @refs: references: the session's, one for each ioctl under way, and that of
 *	an exporter's buffer
 */
struct testdev_object {
	const struct testdev_type *type;
	const struct testdev_session *session;
	u32 id;
	refcount_t refs;
};

extern const struct testdev_type testdev_exporter_type;
extern const struct testdev_type testdev_leak_type;
extern const struct testdev_type testdev_importer_type;
extern const struct testdev_type testdev_vmap_type;
extern const struct testdev_type testdev_fence_type;
extern const struct testdev_type testdev_hold_type;

/**
 * struct testdev_call - an ioctl under way
 * @session: session of the caller
 * @id: number reserved for @made, or 0
 * @made: object that gets @id if the ioctl succeeds
 * @file: file that gets @fd if the ioctl succeeds
 * @fd: descriptor reserved for @file, or -1
 * @arg: the argument, in and out
 */
struct testdev_call {
	struct testdev_session *session;
	u32 id;
	struct testdev_object *made;
	struct file *file;
	int fd;
	union {
		struct dma_buf_test_create create;
		struct dma_buf_test_set_op set_op;
		struct dma_buf_test_log log;
		struct dma_buf_test_exporter_info exporter_info;
		struct dma_buf_test_migrate migrate;
		struct dma_buf_test_hold hold;
		struct dma_buf_test_fence fence;
		struct dma_buf_test_signal signal;
		struct dma_buf_test_attach attach;
		struct dma_buf_test_map map;
		struct dma_buf_test_id id;
		struct dma_buf_test_rw rw;
		struct dma_buf_test_importer_info importer_info;
		struct dma_buf_test_vmap vmap;
		struct dma_buf_test_mmap mmap;
	} arg;
};

/* Sessions and objects */
int testdev_object_make(struct testdev_call *call, struct testdev_object *object,
			const struct testdev_type *type);
struct testdev_object *testdev_object_get(struct testdev_session *session, u32 id,
					  const struct testdev_type *type);
void testdev_object_put(struct testdev_object *object);
struct testdev_shared_resv *testdev_session_resv(struct testdev_session *session);
void testdev_shared_resv_put(struct testdev_shared_resv *shared);
struct device *testdev_device(void);

/* Fences that the device creates */
struct dma_fence *testdev_fence_alloc(void);
bool testdev_fence_end(struct dma_fence *fence, int error);
int testdev_fence(struct testdev_call *call);
int testdev_signal(struct testdev_call *call);
int testdev_hold(struct testdev_call *call);

/* Exporter */
int testdev_create(struct testdev_call *call);
int testdev_set_op(struct testdev_call *call);
int testdev_log(struct testdev_call *call);
int testdev_exporter_info(struct testdev_call *call);
int testdev_migrate(struct testdev_call *call);

/* Importer */
u32 testdev_importer_id(struct dma_buf_attachment *attach,
			const struct testdev_session *session);
int testdev_attach(struct testdev_call *call);
int testdev_map(struct testdev_call *call);
int testdev_unmap(struct testdev_call *call);
int testdev_pin(struct testdev_call *call);
int testdev_unpin(struct testdev_call *call);
int testdev_importer_info(struct testdev_call *call);
int testdev_vmap(struct testdev_call *call);
int testdev_rw(struct testdev_call *call);

#endif /* _DMA_BUF_TEST_DEVICE_INTERNAL_H */
