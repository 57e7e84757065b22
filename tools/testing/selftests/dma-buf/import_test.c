// SPDX-License-Identifier: GPL-2.0-only
/*
 * Buffers in the hands of an importing driver: which descriptors it takes, that
 * it shows as attached, and that it is a reference for as long as it is one.
 *
 * The importer is vgem; the buffers are other drivers'.
 */
#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <drm/drm.h>
#include <drm/vgem_drm.h>

#include "fixture.h"

FIXTURE(import) {
	int drm;
	int fd;
	size_t size;
	ino_t ino;
};

FIXTURE_VARIANT(import) {
	enum exporter exporter;
};

FIXTURE_VARIANT_ADD(import, system_heap) {
	.exporter = SYSTEM_HEAP,
};

/* Keeps the first mapping of an attachment till it is detached */
FIXTURE_VARIANT_ADD(import, udmabuf) {
	.exporter = UDMABUF,
};

FIXTURE_VARIANT_ADD(import, vivid) {
	.exporter = VIVID,
};

FIXTURE_VARIANT_ADD(import, testdev) {
	.exporter = TESTDEV,
};

FIXTURE_SETUP(import)
{
	self->drm = need_vgem(_metadata);

	self->fd = need_buffer(_metadata, variant->exporter, &self->size,
			       O_RDWR | O_CLOEXEC);
	self->ino = buffer_ino(self->fd);
}

FIXTURE_TEARDOWN(import)
{
	close(self->drm);
	close(self->fd);
}

/* Returns a handle, of which none is 0, or a negative errno */
static int vgem_import(int drm, int fd)
{
	struct drm_prime_handle prime = { .fd = fd };

	if (ioctl(drm, DRM_IOCTL_PRIME_FD_TO_HANDLE, &prime))
		return -errno;
	return prime.handle;
}

/*
 * What an importer can make of a descriptor
 */

TEST_F(import, not_a_descriptor)
{
	EXPECT_EQ(-EBADF, vgem_import(self->drm, -1));
	EXPECT_EQ(-EBADF, vgem_import(self->drm, lowest_free_fd()));
}

TEST_F(import, not_a_buffer)
{
	int pipes[2], fence;

	ASSERT_EQ(0, pipe2(pipes, O_CLOEXEC));
	EXPECT_EQ(-EINVAL, vgem_import(self->drm, pipes[0]));
	EXPECT_EQ(-EINVAL, vgem_import(self->drm, self->drm));
	fence = buffer_export_sync_file(self->fd, DMA_BUF_SYNC_RW);
	ASSERT_LE(0, fence);
	EXPECT_EQ(-EINVAL, vgem_import(self->drm, fence));
	close(fence);
	close(pipes[0]);
	close(pipes[1]);
}

/* An O_PATH descriptor stands for no open file */
TEST_F(import, only_a_path)
{
	char path[48];
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", self->fd);
	fd = open(path, O_PATH | O_CLOEXEC);
	ASSERT_LE(0, fd);
	EXPECT_EQ(-EBADF, vgem_import(self->drm, fd));
	close(fd);
	EXPECT_EQ(1, fdinfo_count(self->fd));
}

/*
 * References
 */

TEST_F(import, counts_as_reference)
{
	int handle = vgem_import(self->drm, self->fd);

	ASSERT_LT(0, handle);
	EXPECT_LT(1, fdinfo_count(self->fd));
	vgem_free(self->drm, handle);
	EXPECT_EQ(1, fdinfo_count(self->fd));
}

TEST_F(import, outlives_descriptor)
{
	int handle = vgem_import(self->drm, self->fd);

	need_bufinfo(_metadata);

	ASSERT_LT(0, handle);
	close(self->fd);
	self->fd = -1;
	EXPECT_EQ(1, bufinfo_lines(self->ino));
	vgem_free(self->drm, handle);
	EXPECT_EQ(0, bufinfo_lines(self->ino));
}

/* A driver that is closed without having been told to release the buffer */
TEST_F(import, ends_with_the_importer)
{
	need_bufinfo(_metadata);

	ASSERT_LT(0, vgem_import(self->drm, self->fd));
	close(self->fd);
	self->fd = -1;
	EXPECT_EQ(1, bufinfo_lines(self->ino));
	close(self->drm);
	self->drm = -1;
	EXPECT_EQ(0, bufinfo_lines(self->ino));
}

TEST_F(import, again_and_again)
{
	int handle, i;

	for (i = 0; i < 50; i++) {
		handle = vgem_import(self->drm, self->fd);
		ASSERT_LT(0, handle);
		vgem_free(self->drm, handle);
	}
	EXPECT_EQ(1, fdinfo_count(self->fd));
	if (bufinfo_readable())
		EXPECT_EQ(0, bufinfo_devices(self->ino));
}

/* Held by an importer, a buffer can be handed out once more: the same one */
TEST_F(import, comes_back_the_same)
{
	int handle = vgem_import(self->drm, self->fd), fd;
	char *a, *b;

	ASSERT_LT(0, handle);
	a = mmap(NULL, self->size, PROT_READ | PROT_WRITE, MAP_SHARED, self->fd, 0);
	ASSERT_NE(MAP_FAILED, a);
	a[0] = 0x42;
	close(self->fd);

	fd = vgem_export(self->drm, handle, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, fd);
	self->fd = fd;
	EXPECT_EQ(self->ino, buffer_ino(fd));
	b = mmap(NULL, self->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, b);
	EXPECT_EQ(0x42, b[0]);
	munmap(a, self->size);
	munmap(b, self->size);
}

/* No descriptor for it: the importer's reference is not lost over that */
TEST_F(import, cannot_come_back_without_room)
{
	int handle = vgem_import(self->drm, self->fd);
	struct rlimit old, none;
	long count;

	ASSERT_LT(0, handle);
	count = fdinfo_count(self->fd);
	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &old));
	none = old;
	none.rlim_cur = lowest_free_fd();
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &none));
	EXPECT_EQ(-EMFILE, vgem_export(self->drm, handle, O_RDWR));
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &old));
	EXPECT_EQ(count, fdinfo_count(self->fd));
	vgem_free(self->drm, handle);
	EXPECT_EQ(1, fdinfo_count(self->fd));
}

/*
 * Attachments
 */

TEST_F(import, shows_as_attached)
{
	int handle;

	need_bufinfo(_metadata);

	EXPECT_EQ(0, bufinfo_devices(self->ino));
	handle = vgem_import(self->drm, self->fd);
	ASSERT_LT(0, handle);
	EXPECT_EQ(1, bufinfo_devices(self->ino));
	/* It has the buffer already */
	EXPECT_EQ(handle, vgem_import(self->drm, self->fd));
	EXPECT_EQ(1, bufinfo_devices(self->ino));
	vgem_free(self->drm, handle);
	EXPECT_EQ(0, bufinfo_devices(self->ino));
}

/*
 * Fences: the importer's are the buffer's
 */

TEST_F(import, importer_adds_fence)
{
	int handle = vgem_import(self->drm, self->fd);
	struct drm_vgem_fence_attach attach = {
		.handle = handle,
		.flags = VGEM_FENCE_WRITE,
	};
	struct drm_vgem_fence_signal signal = {};
	struct poller poller;

	ASSERT_LT(0, handle);
	EXPECT_EQ(POLLIN | POLLOUT, poll_now(self->fd, POLLIN | POLLOUT));
	ASSERT_EQ(0, ioctl(self->drm, DRM_IOCTL_VGEM_FENCE_ATTACH, &attach));
	EXPECT_EQ(0, poll_now(self->fd, POLLIN | POLLOUT));
	ASSERT_EQ(0, poller_start(&poller, self->fd, POLLIN));
	signal.fence = attach.out_fence;
	ASSERT_EQ(0, ioctl(self->drm, DRM_IOCTL_VGEM_FENCE_SIGNAL, &signal));
	EXPECT_EQ(POLLIN, poller_join(&poller));
}

/* The importer's release does not wait for pollers */
TEST_F(import, dropped_under_poll)
{
	int handle = vgem_import(self->drm, self->fd);
	struct drm_vgem_fence_attach attach = { .handle = handle };

	need_bufinfo(_metadata);

	ASSERT_LT(0, handle);
	ASSERT_EQ(0, ioctl(self->drm, DRM_IOCTL_VGEM_FENCE_ATTACH, &attach));
	EXPECT_EQ(POLLIN, poll_now(self->fd, POLLIN | POLLOUT));
	close(self->fd);
	self->fd = -1;
	vgem_free(self->drm, handle);
	EXPECT_EQ(0, bufinfo_lines(self->ino));
}

/*
 * Several clients of the importer, each with an attachment of its own. With
 * udmabuf alone: the kernel's DMA debugging takes it for a mistake if the same
 * memory is mapped twice, unless the exporter does without cache maintenance.
 */

FIXTURE(clients) {
	int drm[2];
	int fd;
	ino_t ino;
};

FIXTURE_SETUP(clients)
{
	size_t size;
	int i;

	for (i = 0; i < 2; i++)
		self->drm[i] = need_vgem(_metadata);
	self->fd = need_buffer(_metadata, UDMABUF, &size, O_RDWR | O_CLOEXEC);
	self->ino = buffer_ino(self->fd);
}

FIXTURE_TEARDOWN(clients)
{
	close(self->drm[0]);
	close(self->drm[1]);
	close(self->fd);
}

TEST_F(clients, attached_each)
{
	int handles[2], i;

	need_bufinfo(_metadata);

	for (i = 0; i < 2; i++) {
		handles[i] = vgem_import(self->drm[i], self->fd);
		ASSERT_LT(0, handles[i]);
		EXPECT_EQ(i + 1, bufinfo_devices(self->ino));
	}
	vgem_free(self->drm[0], handles[0]);
	EXPECT_EQ(1, bufinfo_devices(self->ino));
	close(self->drm[1]);
	self->drm[1] = -1;
	EXPECT_EQ(0, bufinfo_devices(self->ino));
	EXPECT_EQ(1, fdinfo_count(self->fd));
}

TEST_F(clients, at_once)
{
	int i, status, failed = 0;
	pid_t pids[4];

	for (i = 0; i < ARRAY_SIZE(pids); i++) {
		pids[i] = fork();
		ASSERT_LE(0, pids[i]);
		if (!pids[i]) {
			int drm = vgem_open(), handle, n;

			for (n = 0; n < 25; n++) {
				handle = vgem_import(drm, self->fd);
				if (handle < 0)
					_exit(1);
				vgem_free(drm, handle);
			}
			_exit(0);
		}
	}
	for (i = 0; i < ARRAY_SIZE(pids); i++) {
		ASSERT_EQ(pids[i], waitpid(pids[i], &status, 0));
		failed += !!status;
	}
	EXPECT_EQ(0, failed);
	EXPECT_EQ(1, fdinfo_count(self->fd));
	if (bufinfo_readable())
		EXPECT_EQ(0, bufinfo_devices(self->ino));
}

TEST_HARNESS_MAIN
