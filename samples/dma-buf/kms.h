/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One screen of a DRM device, driven with buffers that somebody else made.
 */
#ifndef SAMPLE_KMS_H
#define SAMPLE_KMS_H

#include "buffers.h"

struct kms;

/* An imported buffer, ready to be shown. */
struct kms_frame {
	unsigned int handle;
	unsigned int fb;
};

/* Open @device, or the first one whose driver is @driver, and take it over. */
struct kms *kms_open(const char *device, const char *driver);
/* Find a connected screen and a mode for @pic. */
int kms_choose_screen(struct kms *kms, const struct picture *pic);
/* Switch the screen off if it was on, and let go of the device. */
void kms_close(struct kms *kms);

int kms_import(struct kms *kms, int fd, const struct picture *pic,
	       struct kms_frame *frame);
void kms_forget(struct kms *kms, struct kms_frame *frame);

/* Set the mode with the first frame. */
int kms_show(struct kms *kms, const struct kms_frame *frame);
/* Ask for the next frame; kms_flip_done() says when it is on the screen. */
int kms_flip(struct kms *kms, const struct kms_frame *frame);

/* Poll this for reading while a flip is under way. */
int kms_fd(const struct kms *kms);
/* Read what came: 1 if the flip is done, 0 if not yet, -1 after a complaint. */
int kms_flip_done(struct kms *kms);

#endif
