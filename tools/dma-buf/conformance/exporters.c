// SPDX-License-Identifier: GPL-2.0-only
/*
 * dmabuf-conformance: where buffers come from.
 *
 * No library is used, so that the program can be linked statically and put
 * into any initramfs.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <linux/dma-heap.h>
#include <linux/magic.h>
#include <linux/udmabuf.h>
#include <linux/videodev2.h>

/* DRM's headers come with libdrm in some distributions, with the kernel in others. */
#ifdef HAVE_DRM
#include <drm/drm.h>
#elif defined(HAVE_LIBDRM)
#include <libdrm/drm.h>
#endif

#include "conformance.h"
#include "../../../drivers/dma-buf/testdev/dma-buf-testdev.h"

#ifndef DMA_BUF_MAGIC
#define DMA_BUF_MAGIC	0x444d4142
#endif

int inherited_fd = -1;
bool always_maps;

/* State of the exporter: a run has only one. */
static int device = -1;
static const char *device_path;
static enum v4l2_buf_type v4l2_type;
static __u32 testdev_faults;

static int result(int ret)
{
	return ret < 0 ? -errno : ret;
}

static size_t whole_pages(size_t size)
{
	size_t page = getpagesize();

	return (size + page - 1) / page * page;
}

/* Say why the exporter is not available. @err is an errno, or 0 if there is none. */
PRINTF_LIKE(3, 4)
static int complain(int err, const char *hint, const char *format, ...)
{
	va_list args;

	fprintf(stderr, "dmabuf-conformance: ");
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	if (err)
		fprintf(stderr, ": %s", strerror(err));
	fprintf(stderr, "\n");
	if (hint)
		fprintf(stderr, "    %s\n", hint);
	return err ? -err : -EINVAL;
}

/* Check the type before open(), which could block on a FIFO, or succeed on a file. */
static int open_device(const char *path, int mode, const char *hint)
{
	struct stat st;

	device_path = path;
	if (!stat(path, &st) && !S_ISCHR(st.st_mode))
		return complain(0, hint, "%s is no character device", path);
	device = open(path, mode | O_CLOEXEC);
	if (device >= 0)
		return 0;
	return complain(errno, errno == EACCES || errno == EPERM ?
			"your user may not; see the device's group, or be root" : hint,
			"cannot open %s", path);
}

/* The device exists, but cannot do what every check needs. */
static int unfit(int err, const char *why, const char *hint)
{
	return complain(err, hint, "%s %s", device_path, why);
}

static bool is_buffer(int fd, unsigned long *magic)
{
	struct statfs fs;

	*magic = fstatfs(fd, &fs) ? 0 : fs.f_type;
	return *magic == DMA_BUF_MAGIC;
}

/*
 * Make one buffer, to see that the exporter can. @what is the request, for the message.
 */
static int try_device(int (*alloc)(size_t *size, int flags), const char *what,
		      const char *hint)
{
	size_t size = getpagesize();
	unsigned long magic;
	bool good;
	int fd;

	fd = alloc(&size, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return complain(-fd, hint, "%s cannot give a buffer (%s)", device_path, what);
	good = is_buffer(fd, &magic);
	close(fd);
	if (!good)
		return complain(0, hint, "what %s gives is no dma-buf: its file system is %#lx",
				device_path, magic);
	return 0;
}

/*
 * DMA-BUF heaps
 */

static int heap_alloc(size_t *size, int flags)
{
	struct dma_heap_allocation_data data = {
		.len = *size,
		.fd_flags = flags,
	};

	if (ioctl(device, DMA_HEAP_IOCTL_ALLOC, &data))
		return -errno;
	*size = whole_pages(*size);
	return data.fd;
}

static int heap_open(const char *name)
{
	static const char hint[] =
		"see ls /dev/dma_heap; the kernel needs CONFIG_DMABUF_HEAPS";
	char *path;
	int err;

	if (!*name || strchr(name, '/') || !strcmp(name, ".") || !strcmp(name, ".."))
		return complain(0, "see ls /dev/dma_heap",
				"--heap wants a heap's name, not a path");
	/* Never freed: the exporter needs the path until the end. */
	if (asprintf(&path, "/dev/dma_heap/%s", name) < 0)
		return complain(ENOMEM, NULL, "no memory");
	/* The memory of other heaps may not be accessible to the CPU. */
	always_maps = !strcmp(name, "system");
	err = open_device(path, O_RDONLY, hint);
	return err ? err : try_device(heap_alloc, "DMA_HEAP_IOCTL_ALLOC", hint);
}

/*
 * udmabuf: the memory is that of a memfd, to which the buffer holds a reference
 */

static int udmabuf_alloc(size_t *size, int flags)
{
	struct udmabuf_create create = {
		.flags = flags & O_CLOEXEC ? UDMABUF_FLAGS_CLOEXEC : 0,
		.size = *size,
	};
	int memfd, fd;

	memfd = memfd_create("dmabuf-conformance", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (memfd < 0)
		return -errno;

	create.memfd = memfd;
	if (ftruncate(memfd, *size) || fcntl(memfd, F_ADD_SEALS, F_SEAL_SHRINK))
		fd = -errno;
	else
		fd = result(ioctl(device, UDMABUF_CREATE, &create));
	close(memfd);
	return fd;
}

static int udmabuf_open(const char *unused)
{
	static const char hint[] = "the kernel needs CONFIG_UDMABUF, and maybe: modprobe udmabuf";
	int err;

	(void)unused;
	always_maps = true;
	err = open_device("/dev/udmabuf", O_RDWR, hint);
	return err ? err : try_device(udmabuf_alloc, "UDMABUF_CREATE", hint);
}

/*
 * DRM: dumb buffers, exported with PRIME
 */

#if defined(HAVE_DRM) || defined(HAVE_LIBDRM)
/* Lines of 32-bit pixels, each of which fills a page of 4 KiB */
static int drm_alloc(size_t *size, int flags)
{
	struct drm_mode_create_dumb dumb = {
		.width = 1024,
		.height = (*size + 4095) / 4096,
		.bpp = 32,
	};
	struct drm_prime_handle prime = {};
	struct drm_gem_close gem = {};
	int err;

	if (ioctl(device, DRM_IOCTL_MODE_CREATE_DUMB, &dumb))
		return -errno;

	prime.handle = dumb.handle;
	if (flags & O_CLOEXEC)
		prime.flags |= DRM_CLOEXEC;
	if ((flags & O_ACCMODE) == O_RDWR)
		prime.flags |= DRM_RDWR;
	err = result(ioctl(device, DRM_IOCTL_PRIME_HANDLE_TO_FD, &prime));

	/* Close the handle, so that only the descriptor holds the buffer. */
	gem.handle = dumb.handle;
	ioctl(device, DRM_IOCTL_GEM_CLOSE, &gem);
	*size = dumb.size;
	return err ? err : prime.fd;
}

static int drm_open(const char *path)
{
	struct drm_get_cap prime = { .capability = DRM_CAP_PRIME };
	int err;

	err = open_device(path, O_RDWR, "see ls /dev/dri; a card, not a render node");
	if (err)
		return err;
	if (ioctl(device, DRM_IOCTL_GET_CAP, &prime))
		return unfit(errno, "is not a DRM device", "see ls /dev/dri");
	if (!(prime.value & DRM_PRIME_CAP_EXPORT))
		return unfit(0, "exports no buffers (PRIME)", NULL);

	/* Drivers without a screen do not report whether they can: try. */
	return try_device(drm_alloc, "CREATE_DUMB and PRIME_HANDLE_TO_FD",
			  "name a card that drives a screen, or vgem's");
}
#else
static int drm_open(const char *path)
{
	(void)path;
	return complain(0, "install libdrm-dev, or build with KHDR_INCLUDES, and build it again",
			"this program was built where DRM's headers are missing");
}

static int drm_alloc(size_t *size, int flags)
{
	(void)size;
	(void)flags;
	return -ENODEV;
}
#endif

/*
 * V4L2: MMAP buffers, exported with EXPBUF
 *
 * A queue belongs to one open file, and ends when that is closed. Buffers that were
 * exported from the queue live on, so each buffer is made with a file of its own.
 */

static pthread_mutex_t v4l2_queue = PTHREAD_MUTEX_INITIALIZER;

/* Export the only buffer of a new queue. */
static int v4l2_export(int dev, size_t *size, int flags)
{
	struct v4l2_plane planes[VIDEO_MAX_PLANES] = {};
	struct v4l2_requestbuffers request = {
		.count = 1,
		.type = v4l2_type,
		.memory = V4L2_MEMORY_MMAP,
	};
	struct v4l2_buffer buffer = {
		.type = v4l2_type,
		.memory = V4L2_MEMORY_MMAP,
	};
	struct v4l2_exportbuffer export = {
		.type = v4l2_type,
		.flags = flags & (O_CLOEXEC | O_ACCMODE),
	};

	if (V4L2_TYPE_IS_MULTIPLANAR(v4l2_type)) {
		buffer.m.planes = planes;
		buffer.length = VIDEO_MAX_PLANES;
	}
	if (ioctl(dev, VIDIOC_REQBUFS, &request) ||
	    ioctl(dev, VIDIOC_QUERYBUF, &buffer) ||
	    ioctl(dev, VIDIOC_EXPBUF, &export))
		return -errno;

	*size = whole_pages(V4L2_TYPE_IS_MULTIPLANAR(v4l2_type) ?
			    planes[0].length : buffer.length);
	return export.fd;
}

static int v4l2_alloc(size_t *size, int flags)
{
	int dev, fd;

	pthread_mutex_lock(&v4l2_queue);
	dev = open(device_path, O_RDWR | O_CLOEXEC);
	if (dev < 0) {
		fd = -errno;
	} else {
		fd = v4l2_export(dev, size, flags);
		close(dev);
	}
	pthread_mutex_unlock(&v4l2_queue);
	return fd;
}

static int v4l2_open(const char *path)
{
	struct v4l2_capability cap = {};
	__u32 caps;
	int err;

	err = open_device(path, O_RDWR, "see ls /dev/video*");
	if (err)
		return err;
	/* V4L2's MMAP memory can always be mapped. */
	always_maps = true;
	if (ioctl(device, VIDIOC_QUERYCAP, &cap))
		return unfit(errno, "is not a V4L2 device", "see ls /dev/video*");
	close(device);
	device = -1;

	caps = cap.capabilities & V4L2_CAP_DEVICE_CAPS ? cap.device_caps : cap.capabilities;
	if (!(caps & V4L2_CAP_STREAMING))
		return unfit(0, "has no streaming I/O, so no buffers to export", NULL);
	if (caps & V4L2_CAP_VIDEO_CAPTURE)
		v4l2_type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
	else if (caps & (V4L2_CAP_VIDEO_CAPTURE_MPLANE | V4L2_CAP_VIDEO_M2M_MPLANE))
		v4l2_type = V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE;
	else if (caps & (V4L2_CAP_VIDEO_OUTPUT | V4L2_CAP_VIDEO_M2M))
		v4l2_type = V4L2_BUF_TYPE_VIDEO_OUTPUT;
	else if (caps & V4L2_CAP_VIDEO_OUTPUT_MPLANE)
		v4l2_type = V4L2_BUF_TYPE_VIDEO_OUTPUT_MPLANE;
	else
		return unfit(0, "is not a video device",
			     "name one that captures or puts out video");

	return try_device(v4l2_alloc, "REQBUFS and EXPBUF with MMAP",
			  "if the device is busy, end the program that streams from it");
}

/*
 * The test device of the tree, with faults that a check must find
 */

static const struct {
	const char *name;
	__u32 faults;
} testdev_modes[] = {
	{ "good", 0 },
	{ "leaks-if-full", DMA_BUF_TEST_LEAKS_IF_FULL },
	{ "leaks-buffers", DMA_BUF_TEST_LEAKS_BUFFERS },
	{ "leaks-tables", DMA_BUF_TEST_LEAKS_TABLES },
};

static int testdev_alloc(size_t *size, int flags)
{
	struct dma_buf_test_create create = {
		.size = sizeof(create),
		.length = *size,
		.fd_flags = flags & (O_CLOEXEC | O_ACCMODE),
		.faults = testdev_faults,
	};
	struct dma_buf_test_id id = { .size = sizeof(id) };

	if (ioctl(device, DMA_BUF_TEST_CREATE, &create))
		return -errno;
	/* The device keeps a record of each buffer, and its memory, until this. */
	id.id = create.id;
	ioctl(device, DMA_BUF_TEST_FREE, &id);
	return create.fd;
}

static int testdev_open(const char *mode)
{
	static const char hint[] = "the kernel needs CONFIG_DMABUF_TEST";
	unsigned int i = 0;
	int err;

	while (i < ARRAY_SIZE(testdev_modes) && strcmp(testdev_modes[i].name, mode))
		i++;
	if (i == ARRAY_SIZE(testdev_modes))
		return complain(0, "good, leaks-if-full, leaks-buffers, leaks-tables",
				"--testdev knows no mode '%s', just these:", mode);
	testdev_faults = testdev_modes[i].faults;
	always_maps = true;
	err = open_device(DMA_BUF_TEST_DEVICE, O_RDWR, hint);
	return err ? err : try_device(testdev_alloc, "DMA_BUF_TEST_CREATE", hint);
}

/*
 * A descriptor that the program has inherited
 */

static int fd_open(const char *text)
{
	unsigned long magic;
	char *end;
	long fd;

	errno = 0;
	fd = strtol(text, &end, 10);
	if (*text < '0' || *text > '9' || *end || errno || fd > 0x7fffffff)
		return complain(0, NULL, "--fd wants the number of a descriptor");
	if (fd == STDOUT_FILENO || fd == STDERR_FILENO)
		return complain(0, NULL, "--fd wants another descriptor than the output's");
	if (fcntl(fd, F_GETFD) < 0)
		return complain(errno, "have the program's starter leave it open over exec",
				"descriptor %ld is not open", fd);
	if (!is_buffer(fd, &magic))
		return complain(0, NULL,
				"descriptor %ld is no dma-buf: its file system is %#lx, not %#x",
				fd, magic, DMA_BUF_MAGIC);
	inherited_fd = fd;
	return 0;
}

const struct exporter exporters[] = {
	{
		.option = "heap",
		.argument = "NAME",
		.help = "buffers of /dev/dma_heap/NAME",
		.gives = NEED_ALLOC | NEED_SIZES | NEED_ODD_SIZES | NEED_ACCMODE | NEED_FRESH,
		.open = heap_open,
		.alloc = heap_alloc,
	}, {
		.option = "udmabuf",
		.help = "buffers that /dev/udmabuf makes of a memfd",
		.gives = NEED_ALLOC | NEED_SIZES,
		.open = udmabuf_open,
		.alloc = udmabuf_alloc,
	}, {
		.option = "drm",
		.argument = "DEVICE",
		.help = "dumb buffers of a DRM card (/dev/dri/cardN)",
		.gives = NEED_ALLOC | NEED_SIZES | NEED_ODD_SIZES | NEED_ACCMODE | NEED_FRESH,
		.open = drm_open,
		.alloc = drm_alloc,
	}, {
		.option = "v4l2",
		.argument = "DEVICE",
		.help = "buffers of a video device (/dev/videoN), in its present format",
		.gives = NEED_ALLOC | NEED_ACCMODE | NEED_FRESH,
		.open = v4l2_open,
		.alloc = v4l2_alloc,
	}, {
		.option = "fd",
		.argument = "N",
		.help = "the buffer that the starter left open as descriptor N; it is written to",
		.open = fd_open,
	}, {
		.option = "testdev",
		.argument = "MODE",
		.help = "buffers of the kernel's test device, to test the checks themselves",
		.gives = NEED_ALLOC | NEED_SIZES | NEED_ACCMODE | NEED_FRESH,
		.open = testdev_open,
		.alloc = testdev_alloc,
	},
};

const unsigned int exporter_count = ARRAY_SIZE(exporters);
