// SPDX-License-Identifier: GPL-2.0-only
/*
 * Stress: devices that import buffers.
 *
 * DRM's (vgem, and vkms that imports what vgem exports as something foreign)
 * and the test device, through which all of the core can be reached that only
 * drivers call. Each worker has its own open files of them; the buffers are the
 * pool's.
 *
 * What would make the core warn of a driver's mistake is not done: a pin that
 * was not made is not undone, and an importer without a callback maps nothing
 * that it has not pinned.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <drm/drm.h>

#include "../../../../drivers/dma-buf/testdev/dma-buf-testdev.h"
#include "../kselftest.h"
#include "util.h"
#include "stress.h"

bool have_drm(void)
{
	return have & (HAVE_VGEM | HAVE_VKMS);
}

bool have_testdev(void)
{
	return have & HAVE_TESTDEV;
}

/*
 * DRM
 */

int drm_open(const char *driver)
{
	char path[32], name[16];
	int i, fd;

	for (i = 0; i < 16; i++) {
		struct drm_version version = {
			.name = name,
			.name_len = sizeof(name) - 1,
		};

		snprintf(path, sizeof(path), "/dev/dri/card%d", i);
		fd = open(path, O_RDWR | O_CLOEXEC);
		if (fd < 0)
			continue;
		memset(name, 0, sizeof(name));
		if (!ioctl(fd, DRM_IOCTL_VERSION, &version) && !strcmp(name, driver))
			return fd;
		close(fd);
	}
	return -ENODEV;
}

/* Which of the two, if there are two */
static int drm_choose(struct worker *w, const struct draw *d)
{
	int i = d->other >> 16 & 1;

	return w->drm[i] >= 0 ? i : !i;
}

int op_prime_import(struct worker *w, const struct draw *d)
{
	int i = drm_choose(w, d), err;
	struct drm_prime_handle arg = { .fd = slot(d->slot) };
	__u32 *place = &w->handles[i][d->arg % HANDLES];

	err = result(ioctl(w->drm[i], DRM_IOCTL_PRIME_FD_TO_HANDLE, &arg));
	if (err)
		return ALLOW(w, "PRIME_FD_TO_HANDLE", err, EBADF, EINTR, EBUSY,
			     TESTDEV_ERROR);
	/* It is the same one if the buffer is imported already */
	if (*place && *place != arg.handle)
		vgem_free(w->drm[i], *place);
	*place = arg.handle;
	return 0;
}

int op_prime_export(struct worker *w, const struct draw *d)
{
	int i = drm_choose(w, d), fd;
	__u32 handle = w->handles[i][d->arg % HANDLES];

	if (!handle)
		return -ENOENT;
	/* -ENOENT: another place had the same handle, and it was closed there */
	fd = ALLOW(w, "PRIME_HANDLE_TO_FD",
		   vgem_export(w->drm[i], handle, d->extra & 1 ? O_RDWR : O_CLOEXEC),
		   ENOENT);
	if (fd < 0)
		return fd;
	slot_put(fd, slot(d->slot), d->extra & 2);
	return 0;
}

int op_gem_close(struct worker *w, const struct draw *d)
{
	int i = drm_choose(w, d);
	__u32 *place = &w->handles[i][d->arg % HANDLES];
	struct drm_gem_close arg = { .handle = *place };

	if (!*place)
		return -ENOENT;
	*place = 0;
	return ALLOW(w, "GEM_CLOSE", result(ioctl(w->drm[i], DRM_IOCTL_GEM_CLOSE, &arg)),
		     EINVAL);
}

/*
 * The test device
 */

static int testdev_free(struct testdev *m, struct testdev_object *o)
{
	struct dma_buf_test_id arg = { .size = sizeof(arg), .id = o->id };

	o->id = 0;
	o->pins = 0;
	return result(ioctl(m->fd, DMA_BUF_TEST_FREE, &arg));
}

static struct testdev_object *choose(struct testdev_object *objects, __u32 random)
{
	return &objects[random % TESTDEV_OBJECTS];
}

/* A later object replaces the one in its place */
static void testdev_keep(struct testdev *m, struct testdev_object *o, __u32 id, __u32 flags)
{
	if (o->id)
		testdev_free(m, o);
	*o = (struct testdev_object) { .id = id, .flags = flags };
}

int testdev_buffer(struct testdev *m, __u32 random, bool plain, size_t *size)
{
	struct dma_buf_test_create arg = {
		.size = sizeof(arg),
		.kind = random >> 24 & (DMA_BUF_TEST_KINDS),
		.length = *size,
		.fd_flags = O_RDWR | (random >> 20 & 1 || plain ? O_CLOEXEC : 0),
	};
	int err;

	if (arg.kind & DMA_BUF_TEST_DYNAMIC)
		arg.kind &= ~DMA_BUF_TEST_CACHED;
	/* Either a buffer with memory that the CPU can access, or one of odd size */
	if (plain)
		arg.kind &= DMA_BUF_TEST_DYNAMIC | DMA_BUF_TEST_CACHED | DMA_BUF_TEST_LAZY;
	else if (!(random >> 4 & 0xf))
		arg.length -= random >> 8 & 0xfff;
	err = result(ioctl(m->fd, DMA_BUF_TEST_CREATE, &arg));
	/* It may be that these two do not go together */
	if (err == -EINVAL && arg.kind & DMA_BUF_TEST_BARE) {
		arg.kind = DMA_BUF_TEST_BARE;
		err = result(ioctl(m->fd, DMA_BUF_TEST_CREATE, &arg));
	}
	if (err)
		return err;
	if (plain) {
		/* Without its number, the exporter's hooks cannot be told to fail */
		struct testdev_object o = { .id = arg.id };

		testdev_free(m, &o);
	} else {
		testdev_keep(m, choose(m->exporters, random >> 12), arg.id, arg.kind);
	}
	return arg.fd;
}

static void session_open(struct testdev *m)
{
	memset(m, 0, sizeof(*m));
	m->fd = have & HAVE_TESTDEV ? open(DMA_BUF_TEST_DEVICE, O_RDWR | O_CLOEXEC) : -1;
}

/* Ends a session with all that it has, all at once */
int op_testdev_session(struct worker *w, const struct draw *d)
{
	close(w->testdev.fd);
	session_open(&w->testdev);
	return ALLOW(w, "open of the test device", result(w->testdev.fd));
}

int op_testdev_attach(struct worker *w, const struct draw *d)
{
	struct dma_buf_test_attach arg = {
		.size = sizeof(arg),
		.fd = slot(d->slot),
		.flags = d->arg & DMA_BUF_TEST_IMPORTER_FLAGS,
	};
	int err;

	/*
	 * The other flags require this one; a deaf importer has no callback to
	 * let go in
	 */
	if (arg.flags)
		arg.flags |= DMA_BUF_TEST_IMPORTER_DYNAMIC;
	if (arg.flags & DMA_BUF_TEST_IMPORTER_DEAF)
		arg.flags &= ~DMA_BUF_TEST_IMPORTER_LETS_GO;
	err = result(ioctl(w->testdev.fd, DMA_BUF_TEST_ATTACH, &arg));
	if (!err)
		testdev_keep(&w->testdev, choose(w->testdev.importers, d->other), arg.id,
			     arg.flags);
	return ALLOW(w, "ATTACH", err, EBADF, EINTR, TESTDEV_ERROR);
}

int op_testdev_map(struct worker *w, const struct draw *d)
{
	struct testdev_object *o = choose(w->testdev.importers, d->other);
	struct dma_buf_test_map arg = {
		.size = sizeof(arg),
		.id = o->id,
		/* See the top of stress-ops.c */
		.dir = have & HAVE_DMA_DEBUG ? 0 : d->arg % 3,
	};

	if (!o->id || (o->flags & DMA_BUF_TEST_IMPORTER_DEAF && !o->pins))
		return -ENOENT;
	/* -EBUSY: kept in another direction */
	return ALLOW(w, "MAP", result(ioctl(w->testdev.fd, DMA_BUF_TEST_MAP, &arg)),
		     EINTR, ENOSPC, EBUSY, TESTDEV_ERROR);
}

int op_testdev_unmap(struct worker *w, const struct draw *d)
{
	struct testdev_object *o = choose(w->testdev.importers, d->other);
	struct dma_buf_test_id arg = { .size = sizeof(arg), .id = o->id };

	if (!o->id)
		return -ENOENT;
	return ALLOW(w, "UNMAP", result(ioctl(w->testdev.fd, DMA_BUF_TEST_UNMAP, &arg)),
		     ENOENT, EINTR);
}

int op_testdev_pin(struct worker *w, const struct draw *d)
{
	struct testdev_object *o = choose(w->testdev.importers, d->other);
	struct dma_buf_test_id arg = { .size = sizeof(arg), .id = o->id };
	int err;

	if (!o->id)
		return -ENOENT;
	err = result(ioctl(w->testdev.fd, DMA_BUF_TEST_PIN, &arg));
	if (!(o->flags & DMA_BUF_TEST_IMPORTER_DYNAMIC)) {
		/* The device wants the reservation before it looks */
		if (!err)
			fail(w, "PIN of a static importer");
		return ALLOW(w, "PIN of a static importer", err, EINVAL, EINTR);
	}
	if (!err)
		o->pins++;
	return ALLOW(w, "PIN", err, EINTR, TESTDEV_ERROR);
}

int op_testdev_unpin(struct worker *w, const struct draw *d)
{
	struct testdev_object *o = choose(w->testdev.importers, d->other);
	struct dma_buf_test_id arg = { .size = sizeof(arg), .id = o->id };
	int err;

	/* The callback of an importer that lets go may have unpinned at any time */
	if (!o->pins || o->flags & DMA_BUF_TEST_IMPORTER_LETS_GO)
		return -ENOENT;
	err = result(ioctl(w->testdev.fd, DMA_BUF_TEST_UNPIN, &arg));
	if (!err)
		o->pins--;
	return ALLOW(w, "UNPIN", err, EINTR);
}

int op_testdev_rw(struct worker *w, const struct draw *d)
{
	struct testdev_object *o = choose(d->arg & 1 ? w->testdev.importers :
					  w->testdev.vmaps, d->other);
	char data[256] = {};
	struct dma_buf_test_rw arg = {
		.size = sizeof(arg),
		.id = o->id,
		.offset = d->extra % 20000,
		.length = 1 + (d->extra >> 16) % sizeof(data),
		.data = (uintptr_t)data,
		.flags = d->arg & 2 ? DMA_BUF_TEST_RW_WRITE : 0,
	};

	if (!o->id)
		return -ENOENT;
	return ALLOW(w, "RW", result(ioctl(w->testdev.fd, DMA_BUF_TEST_RW, &arg)),
		     ENOENT, ERANGE, EACCES, ESTALE, EOPNOTSUPP, EINTR);
}

int op_testdev_vmap(struct worker *w, const struct draw *d)
{
	struct dma_buf_test_vmap arg = { .size = sizeof(arg), .fd = slot(d->slot) };
	int err;

	err = result(ioctl(w->testdev.fd, DMA_BUF_TEST_VMAP, &arg));
	if (!err)
		testdev_keep(&w->testdev, choose(w->testdev.vmaps, d->other), arg.id, 0);
	/* -EINVAL: an exporter without that hook */
	return ALLOW(w, "VMAP", err, EBADF, EINVAL, EINTR, TESTDEV_ERROR);
}

int op_testdev_free(struct worker *w, const struct draw *d)
{
	struct testdev *m = &w->testdev;
	struct testdev_object *const kinds[] = {
		m->importers, m->importers, m->vmaps, m->fences, m->exporters,
	};
	struct testdev_object *o = choose(kinds[d->arg % ARRAY_SIZE(kinds)], d->other);

	if (!o->id)
		return -ENOENT;
	return ALLOW(w, "FREE", testdev_free(m, o));
}

int op_testdev_migrate(struct worker *w, const struct draw *d)
{
	struct testdev_object *o = choose(w->testdev.exporters, d->other);
	struct dma_buf_test_migrate arg = {
		.size = sizeof(arg),
		.id = o->id,
		.delay_ms = !(d->arg % 16),
	};

	if (!o->id)
		return -ENOENT;
	/*
	 * The exporter may be pinned, not dynamic, without memory, or its
	 * buffer released
	 */
	return ALLOW(w, "MIGRATE", result(ioctl(w->testdev.fd, DMA_BUF_TEST_MIGRATE, &arg)),
		     EBUSY, EINVAL, ENODEV, EINTR);
}

int op_testdev_set_op(struct worker *w, const struct draw *d)
{
	struct testdev_object *o = choose(w->testdev.exporters, d->other);
	struct dma_buf_test_set_op arg = {
		.size = sizeof(arg),
		.id = o->id,
		.op = 1 + d->arg % (HOOKS - 1),
		.skip = d->extra % 4,
		.count = 1 + (d->extra >> 4) % 3,
		/* Rarely: most hooks sleep with a lock that many others want */
		.delay_ms = !(d->extra >> 8 & 15),
	};
	bool async;

	if (!o->id)
		return -ENOENT;
	switch (arg.op) {
	case HOOK_DETACH:
	case HOOK_UNPIN:
	case HOOK_UNMAP:
	case HOOK_VUNMAP:
	case HOOK_RELEASE:
		/* These cannot fail, and take nothing but time */
		break;
	default:
		async = arg.op == HOOK_MAP || arg.op == HOOK_BEGIN;
		if (async && arg.delay_ms && d->extra >> 12 & 1)
			arg.flags = DMA_BUF_TEST_ASYNC;
		else if (d->extra >> 13 & 1)
			arg.error = -TESTDEV_ERROR;
	}
	/* Taken for a hook that this kind of exporter does not have, as well */
	return ALLOW(w, "SET_OP", result(ioctl(w->testdev.fd, DMA_BUF_TEST_SET_OP, &arg)));
}

/* Hold the reservation for a while, during which this worker wants nothing */
int op_testdev_hold(struct worker *w, const struct draw *d)
{
	struct dma_buf_test_hold arg = { .size = sizeof(arg), .fd = slot(d->slot) };
	struct testdev_object o = {};
	int err;

	err = result(ioctl(w->testdev.fd, DMA_BUF_TEST_HOLD, &arg));
	if (err)
		return ALLOW(w, "HOLD", err, EBADF, EINTR);
	if (!(d->arg & 7))
		sleep_ms(1);
	o.id = arg.id;
	return ALLOW(w, "FREE of a hold", testdev_free(&w->testdev, &o));
}

/*
 * All of these fences signal by themselves: a worker that waits for one cannot
 * signal it
 */
int op_testdev_fence(struct worker *w, const struct draw *d)
{
	struct dma_buf_test_fence arg = {
		.size = sizeof(arg),
		.fd = slot(d->slot),
		.usage = DMA_BUF_TEST_WRITE + d->arg % 3,
		.delay_ms = 1 + (d->arg >> 4) % 5,
	};
	int err;

	/* Waited for with the reservation held, so shorter and fewer */
	if (!(d->arg >> 8 & 15)) {
		arg.usage = DMA_BUF_TEST_KERNEL;
		arg.delay_ms = 1;
	}
	/*
	 * No operation waits for this one: its delay leaves time to signal it
	 * before
	 */
	if (arg.usage == DMA_BUF_TEST_BOOKKEEP)
		arg.delay_ms = 300;

	err = result(ioctl(w->testdev.fd, DMA_BUF_TEST_FENCE, &arg));
	if (!err)
		testdev_keep(&w->testdev, choose(w->testdev.fences, d->other), arg.id, 0);
	return ALLOW(w, "FENCE", err, EBADF, EINTR);
}

int op_testdev_signal(struct worker *w, const struct draw *d)
{
	struct testdev_object *o = choose(w->testdev.fences, d->other);
	struct dma_buf_test_signal arg = {
		.size = sizeof(arg),
		.id = o->id,
		.error = d->arg & 3 ? 0 : -TESTDEV_ERROR,
	};

	if (!o->id)
		return -ENOENT;
	return ALLOW(w, "SIGNAL", result(ioctl(w->testdev.fd, DMA_BUF_TEST_SIGNAL, &arg)),
		     EALREADY);
}

int op_testdev_mmap(struct worker *w, const struct draw *d)
{
	struct dma_buf_test_mmap arg = {
		.size = sizeof(arg),
		.fd = d->arg & 7 ? slot(d->slot) : -1,
	};
	struct map *map = &w->maps[d->other % MAPS];
	size_t len = getpagesize() * (1 + d->arg % 3);
	char *addr;
	int err;

	err = result(ioctl(w->testdev.fd, DMA_BUF_TEST_MMAP, &arg));
	if (err)
		return ALLOW(w, "MMAP", err, EBADF);
	addr = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, w->testdev.fd, 0);
	if (addr == MAP_FAILED)
		return ALLOW(w, "mmap of the test device", -errno, EINVAL,
			     arg.fd < 0 ? ENODEV : TESTDEV_ERROR);
	if (map->addr)
		munmap(map->addr, map->len);
	*map = (struct map) { .addr = addr, .len = len, .writable = true };
	return 0;
}

int op_testdev_info(struct worker *w, const struct draw *d)
{
	struct testdev_object *o = choose(d->arg & 1 ? w->testdev.importers :
					  w->testdev.exporters, d->other);
	struct dma_buf_test_importer_info importer = { .size = sizeof(importer), .id = o->id };
	struct dma_buf_test_exporter_info exporter = { .size = sizeof(exporter), .id = o->id };
	struct dma_buf_test_call calls[16];
	struct dma_buf_test_log log = {
		.size = sizeof(log),
		.id = o->id,
		.flags = DMA_BUF_TEST_CLEAR,
		.count = d->extra % ARRAY_SIZE(calls),
		.calls = (uintptr_t)calls,
	};
	int err;

	if (!o->id)
		return -ENOENT;
	if (d->arg & 1) {
		err = result(ioctl(w->testdev.fd, DMA_BUF_TEST_IMPORTER_INFO, &importer));
		if (!err && importer.mapped > DMA_BUF_TEST_MAPPINGS)
			fail(w, "an importer with %u mappings", importer.mapped);
		/* An importer whose callback unpins may have fewer pins left */
		if (!err && !(o->flags & DMA_BUF_TEST_IMPORTER_LETS_GO) &&
		    importer.pinned != o->pins)
			fail(w, "%u pins instead of %u", importer.pinned, o->pins);
		return ALLOW(w, "IMPORTER_INFO", err, EINTR);
	}
	if (d->arg & 2)
		return ALLOW(w, "LOG", result(ioctl(w->testdev.fd, DMA_BUF_TEST_LOG, &log)),
			     EINTR);
	err = result(ioctl(w->testdev.fd, DMA_BUF_TEST_EXPORTER_INFO, &exporter));
	if (!err && (exporter.released > 1 || (exporter.released && !exporter.file_ok)))
		fail(w, "an exporter was released %u times, file %sin order",
		     exporter.released, exporter.file_ok ? "" : "not ");
	if (!err && exporter.released && (exporter.attached || exporter.mapped ||
					  exporter.pinned || exporter.vmapped))
		fail(w, "released with %u attachments, %u mappings, %u pins, %u vmaps",
		     exporter.attached, exporter.mapped, exporter.pinned, exporter.vmapped);
	return ALLOW(w, "EXPORTER_INFO", err, EINTR);
}

int op_testdev_bad(struct worker *w, const struct draw *d)
{
	struct dma_buf_test_create create = {
		.size = sizeof(create),
		.length = getpagesize(),
		.fd_flags = O_RDWR | O_CLOEXEC,
	};
	struct dma_buf_test_attach attach = { .size = sizeof(attach), .fd = -1 };
	struct dma_buf_test_id id = { .size = sizeof(id), .id = ~0U - d->extra % 1000 };
	int ret, want = EINVAL, fd = w->testdev.fd;

	switch (d->arg % 9) {
	case 0:
		create.kind = (DMA_BUF_TEST_KINDS + 1) << d->extra % 20;
		ret = ioctl(fd, DMA_BUF_TEST_CREATE, &create);
		break;
	case 1:
		create.length = d->extra & 1 ? 0 : 1ULL << 63;
		create.kind = DMA_BUF_TEST_LAZY;
		ret = ioctl(fd, DMA_BUF_TEST_CREATE, &create);
		break;
	case 2:
		want = ENOMEM;
		create.length = DMA_BUF_TEST_MEMORY_MAX + 1ULL + d->extra;
		ret = ioctl(fd, DMA_BUF_TEST_CREATE, &create);
		break;
	case 3:
		want = EFAULT;
		ret = ioctl(fd, _IO(DMA_BUF_TEST_BASE, d->extra % 18), w->bad);
		break;
	case 4:
		want = EBADF;
		ret = ioctl(fd, DMA_BUF_TEST_ATTACH, &attach);
		break;
	case 5:
		attach.fd = w->testdev.fd;
		ret = ioctl(fd, DMA_BUF_TEST_ATTACH, &attach);
		break;
	case 6:
		want = ENOENT;
		ret = ioctl(fd, DMA_BUF_TEST_FREE, &id);
		break;
	case 7:
		want = ENOENT;
		ret = ioctl(fd, DMA_BUF_TEST_UNMAP, &id);
		break;
	default:
		want = ENOTTY;
		ret = ioctl(fd, _IO(DMA_BUF_TEST_BASE, 100 + d->extra % 100), &id);
		break;
	}
	ret = result(ret);
	if (ret != -want)
		fail(w, "bad call %u of the test device: %d instead of %d", d->arg % 9,
		     ret, -want);
	return ret;
}

/*
 * A worker's open files
 */

void devices_open(struct worker *w)
{
	w->drm[0] = have & HAVE_VGEM ? drm_open("vgem") : -1;
	w->drm[1] = have & HAVE_VKMS ? drm_open("vkms") : -1;
	session_open(&w->testdev);
}

void devices_close(struct worker *w)
{
	int i;

	for (i = 0; i < 2; i++)
		if (w->drm[i] >= 0)
			close(w->drm[i]);
	if (w->testdev.fd >= 0)
		close(w->testdev.fd);
}
