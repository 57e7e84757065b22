/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One screen of a DRM device that shows imported buffers.
 */
#ifndef SAMPLE_KMS_H
#define SAMPLE_KMS_H

#include "buffers.h"

struct kms;

/* An imported buffer and its frame buffer. */
struct kms_frame {
	unsigned int handle;
	unsigned int fb;
};

/* Open @device, or the first device of @driver, and become its DRM master. */
struct kms *kms_open(const char *device, const char *driver);
/* Find a connected screen and a mode for @pic. */
int kms_choose_screen(struct kms *kms, const struct picture *pic);
/* Switch the screen off if kms_show() switched it on, and close the device. */
void kms_close(struct kms *kms);

int kms_import(struct kms *kms, int fd, const struct picture *pic,
	       struct kms_frame *frame);
void kms_forget(struct kms *kms, struct kms_frame *frame);

/* Set the mode and show the first frame. */
int kms_show(struct kms *kms, const struct kms_frame *frame);
/* Start a flip to @frame; kms_flip_done() tells when @frame is on the screen. */
int kms_flip(struct kms *kms, const struct kms_frame *frame);

/* Returns the descriptor to poll for reading while a flip is under way. */
int kms_fd(const struct kms *kms);
/* Read events. Returns 1 if the flip is done, 0 if not, -1 after a complaint. */
int kms_flip_done(struct kms *kms);

#endif
