// SPDX-License-Identifier: GPL-2.0-only
/*
 * One screen of a DRM device that shows imported buffers.
 *
 * All calls of libdrm are in this file.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xf86drm.h>
#include <xf86drmMode.h>

#include "common.h"
#include "kms.h"

#define MAX_CARDS	64

struct kms {
	int fd;
	char path[64];
	char driver[32];
	unsigned int connector;
	unsigned int crtc;
	drmModeModeInfo mode;
	bool is_on;
	bool flip_done;
};

static bool driver_fits(struct kms *kms, const char *driver)
{
	drmVersionPtr version = drmGetVersion(kms->fd);

	if (!version)
		return false;
	snprintf(kms->driver, sizeof(kms->driver), "%.*s", version->name_len,
		 version->name);
	drmFreeVersion(version);

	/* Newer kernels call the driver of QEMU's cirrus card cirrus-qemu. */
	return !driver || !strcmp(kms->driver, driver) ||
	       (!strcmp(driver, "cirrus") && !strcmp(kms->driver, "cirrus-qemu"));
}

static int open_device(struct kms *kms, const char *device)
{
	const char *hint = "name a DRM device like /dev/dri/card0, as root or in group video";

	snprintf(kms->path, sizeof(kms->path), "%s", device);
	kms->fd = open(device, O_RDWR | O_CLOEXEC);
	if (kms->fd < 0)
		return complain(errno, hint, "cannot open %s", device);
	if (!driver_fits(kms, NULL))
		return complain(errno, hint, "%s is not a DRM device", device);
	return 0;
}

static int open_driver(struct kms *kms, const char *driver)
{
	const char *hint = "load the driver, or choose with --driver or --device";
	unsigned int i, seen = 0;
	int err = 0;

	for (i = 0; i < MAX_CARDS; i++) {
		snprintf(kms->path, sizeof(kms->path), "/dev/dri/card%u", i);
		kms->fd = open(kms->path, O_RDWR | O_CLOEXEC);
		if (kms->fd < 0) {
			if (errno != ENOENT)
				err = errno;
			continue;
		}
		if (driver_fits(kms, driver))
			return 0;
		seen++;
		close(kms->fd);
		kms->fd = -1;
	}
	return complain(err, hint,
			"none of the %u DRM devices that could be opened has the driver '%s'",
			seen, driver);
}

struct kms *kms_open(const char *device, const char *driver)
{
	struct drm_get_cap cap = { .capability = DRM_CAP_PRIME };
	struct kms *kms = calloc(1, sizeof(*kms));

	if (!kms) {
		complain(ENOMEM, NULL, "cannot open a DRM device");
		return NULL;
	}
	kms->fd = -1;

	if (device ? open_device(kms, device) : open_driver(kms, driver))
		goto fail;

	if (!drmIsMaster(kms->fd) && drmSetMaster(kms->fd)) {
		complain(errno, "end the display server that has them, or become root",
			 "cannot take over the screens of %s", kms->path);
		goto fail;
	}
	if (drmIoctl(kms->fd, DRM_IOCTL_GET_CAP, &cap) ||
	    !(cap.value & DRM_PRIME_CAP_IMPORT)) {
		complain(0, "choose another device with --driver or --device",
			 "%s (%s) cannot import buffers", kms->path, kms->driver);
		goto fail;
	}
	return kms;

fail:
	kms_close(kms);
	return NULL;
}

void kms_close(struct kms *kms)
{
	if (!kms)
		return;
	if (kms->is_on)
		drmModeSetCrtc(kms->fd, kms->crtc, 0, 0, 0, NULL, 0, NULL);
	if (kms->fd >= 0) {
		drmDropMaster(kms->fd);
		close(kms->fd);
	}
	free(kms);
}

/* Choose the mode of the picture's size, else the largest that it covers. */
static bool choose_mode(struct kms *kms, const drmModeConnector *connector,
			const struct picture *pic)
{
	const drmModeModeInfo *best = NULL, *mode;
	int i;

	for (i = 0; i < connector->count_modes; i++) {
		mode = &connector->modes[i];
		if (mode->hdisplay > pic->width || mode->vdisplay > pic->height ||
		    mode->flags & DRM_MODE_FLAG_INTERLACE)
			continue;
		if (!best || (unsigned int)mode->hdisplay * mode->vdisplay >
			     (unsigned int)best->hdisplay * best->vdisplay)
			best = mode;
	}
	if (!best)
		return false;
	kms->mode = *best;
	return true;
}

static bool choose_crtc(struct kms *kms, const drmModeRes *res,
			const drmModeConnector *connector)
{
	drmModeEncoder *encoder;
	unsigned int possible;
	int i, j;

	for (i = 0; i < connector->count_encoders; i++) {
		encoder = drmModeGetEncoder(kms->fd, connector->encoders[i]);
		if (!encoder)
			continue;
		possible = encoder->possible_crtcs;
		drmModeFreeEncoder(encoder);
		for (j = 0; j < res->count_crtcs; j++) {
			if (possible & (1U << j)) {
				kms->crtc = res->crtcs[j];
				return true;
			}
		}
	}
	return false;
}

static bool try_connector(struct kms *kms, const drmModeRes *res,
			  unsigned int id, const struct picture *pic)
{
	drmModeConnector *connector = drmModeGetConnector(kms->fd, id);
	const char *type;
	bool fits;

	if (!connector)
		return false;
	fits = connector->connection == DRM_MODE_CONNECTED &&
	       choose_mode(kms, connector, pic) &&
	       choose_crtc(kms, res, connector);
	if (fits) {
		kms->connector = id;
		type = drmModeGetConnectorTypeName(connector->connector_type);
		printf("screen: %s (%s), connector %s-%u, mode %s@%u\n",
		       kms->path, kms->driver, type ? type : "unknown",
		       connector->connector_type_id, kms->mode.name,
		       kms->mode.vrefresh);
	}
	drmModeFreeConnector(connector);
	return fits;
}

int kms_choose_screen(struct kms *kms, const struct picture *pic)
{
	drmModeRes *res = drmModeGetResources(kms->fd);
	int i;

	if (!res)
		return complain(errno, "choose another device with --driver or --device",
				"%s (%s) drives no screen", kms->path, kms->driver);
	for (i = 0; i < res->count_connectors; i++) {
		if (try_connector(kms, res, res->connectors[i], pic)) {
			drmModeFreeResources(res);
			return 0;
		}
	}
	drmModeFreeResources(res);
	return complain(0, "connect a screen, or give the camera another --width and --height",
			"no screen of %s (%s) has a mode for %ux%u",
			kms->path, kms->driver, pic->width, pic->height);
}

int kms_import(struct kms *kms, int fd, const struct picture *pic,
	       struct kms_frame *frame)
{
	const char *hint =
		"choose another device: this one cannot reach the memory or show the format";
	__u32 handles[4] = { 0 }, offsets[4] = { 0 };
	__u32 pitches[4] = { pic->stride };

	if (drmPrimeFDToHandle(kms->fd, fd, &frame->handle))
		return complain(errno, hint, "%s (%s) cannot import a buffer",
				kms->path, kms->driver);

	handles[0] = frame->handle;
	if (drmModeAddFB2(kms->fd, pic->width, pic->height, pic->fourcc,
			  handles, pitches, offsets, &frame->fb, 0))
		return complain(errno, hint,
				"%s (%s) cannot make a frame buffer of %ux%u, stride %u, format %.4s",
				kms->path, kms->driver, pic->width, pic->height,
				pic->stride, (const char *)&pic->fourcc);
	return 0;
}

void kms_forget(struct kms *kms, struct kms_frame *frame)
{
	if (frame->fb)
		drmModeRmFB(kms->fd, frame->fb);
	if (frame->handle)
		drmCloseBufferHandle(kms->fd, frame->handle);
	memset(frame, 0, sizeof(*frame));
}

int kms_show(struct kms *kms, const struct kms_frame *frame)
{
	if (drmModeSetCrtc(kms->fd, kms->crtc, frame->fb, 0, 0,
			   &kms->connector, 1, &kms->mode))
		return complain(errno, "see the kernel's log, or choose another device",
				"cannot set the mode %s on %s", kms->mode.name,
				kms->path);
	kms->is_on = true;
	return 0;
}

int kms_flip(struct kms *kms, const struct kms_frame *frame)
{
	kms->flip_done = false;
	if (drmModePageFlip(kms->fd, kms->crtc, frame->fb,
			    DRM_MODE_PAGE_FLIP_EVENT, kms))
		return complain(errno, "see the kernel's log, or choose another device",
				"cannot flip to the next frame on %s", kms->path);
	return 0;
}

int kms_fd(const struct kms *kms)
{
	return kms->fd;
}

static void on_flip(int fd, unsigned int sequence, unsigned int sec,
		    unsigned int usec, void *data)
{
	struct kms *kms = data;

	(void)fd;
	(void)sequence;
	(void)sec;
	(void)usec;
	kms->flip_done = true;
}

int kms_flip_done(struct kms *kms)
{
	drmEventContext context = {
		.version = 2,
		.page_flip_handler = on_flip,
	};

	if (drmHandleEvent(kms->fd, &context))
		return complain(errno, NULL, "cannot read events of %s", kms->path);
	return kms->flip_done;
}
