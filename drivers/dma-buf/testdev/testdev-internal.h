/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * dma-buf: what the parts of the mock device share.
 *
 * All of it stands on the public headers alone, so that it can be built as a
 * module for any core.
 *
 * Lock order, outermost first; user memory is not touched under any of them:
 *
 *	mmap_lock
 *	  dma_buf.resv				(importers, and hooks that need it)
 *	    tdev_exporter.memory_lock		(allocation, store, page faults)
 *	      tdev_exporter.lock
 *	tdev_session.objects.xa_lock		(a leaf)
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

struct tdev_object;
struct vm_area_struct;

/* Longest delay that a test can ask for, so that none can block anything for good */
#define TDEV_DELAY_MAX_MS	10000U

/**
 * struct tdev_session - an open file
 * @objects: &struct tdev_object by number
 * @mmap: buffer that mmap() of the file reaches, or NULL; guarded by the xa_lock of
 *	@objects
 * @resv: reservation of the buffers that share one; guarded by the same
 */
struct tdev_session {
	struct xarray objects;
	struct dma_buf *mmap;
	struct tdev_shared_resv *resv;
};

/**
 * struct tdev_shared_resv - a reservation of several buffers
 * @resv: the reservation
 * @refs: the session's, and one for each buffer
 */
struct tdev_shared_resv {
	struct dma_resv resv;
	refcount_t refs;
};

/**
 * struct tdev_type - a kind of object
 * @free: the last reference is gone
 */
struct tdev_type {
	void (*free)(struct tdev_object *object);
};

/**
 * struct tdev_object - whatever a session gives a number
 * @type: what it is
 * @session: that it belongs to. Only to be compared: an exporter and an importer
 *	can outlive it
 * @id: its number there
 * @refs: the session's, that of each ioctl under way, and an exporter's buffer's
 */
struct tdev_object {
	const struct tdev_type *type;
	const struct tdev_session *session;
	u32 id;
	refcount_t refs;
};

extern const struct tdev_type tdev_exporter_type;
extern const struct tdev_type tdev_leak_type;
extern const struct tdev_type tdev_importer_type;
extern const struct tdev_type tdev_vmap_type;
extern const struct tdev_type tdev_fence_type;
extern const struct tdev_type tdev_hold_type;

/**
 * struct tdev_call - an ioctl under way
 * @session: whose
 * @id: number kept for @made, or 0
 * @made: object that comes into being if all goes well
 * @file: file that the caller gets a descriptor of if all goes well
 * @fd: descriptor kept for @file
 * @arg: the argument, in and out
 */
struct tdev_call {
	struct tdev_session *session;
	u32 id;
	struct tdev_object *made;
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
int tdev_object_make(struct tdev_call *call, struct tdev_object *object,
		     const struct tdev_type *type);
struct tdev_object *tdev_object_get(struct tdev_session *session, u32 id,
				    const struct tdev_type *type);
void tdev_object_put(struct tdev_object *object);
struct tdev_shared_resv *tdev_session_resv(struct tdev_session *session);
void tdev_shared_resv_put(struct tdev_shared_resv *shared);
struct device *tdev_device(void);

/* Fences of the device's own making */
struct dma_fence *tdev_fence_alloc(void);
bool tdev_fence_end(struct dma_fence *fence, int error);
int tdev_fence(struct tdev_call *call);
int tdev_signal(struct tdev_call *call);
int tdev_hold(struct tdev_call *call);

/* Exporter */
int tdev_create(struct tdev_call *call);
int tdev_set_op(struct tdev_call *call);
int tdev_log(struct tdev_call *call);
int tdev_exporter_info(struct tdev_call *call);
int tdev_migrate(struct tdev_call *call);

/* Importer */
u32 tdev_importer_id(struct dma_buf_attachment *attach,
		     const struct tdev_session *session);
int tdev_attach(struct tdev_call *call);
int tdev_map(struct tdev_call *call);
int tdev_unmap(struct tdev_call *call);
int tdev_pin(struct tdev_call *call);
int tdev_unpin(struct tdev_call *call);
int tdev_importer_info(struct tdev_call *call);
int tdev_vmap(struct tdev_call *call);
int tdev_rw(struct tdev_call *call);

#endif /* _DMA_BUF_TEST_DEVICE_INTERNAL_H */
