/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The link between camera and display: messages on a SOCK_SEQPACKET socket.
 *
 *	camera					display
 *	LINK_BUFFERS, with the descriptors ->
 *						<- LINK_READY
 *	LINK_FRAME, buffer is full ->
 *						<- LINK_RELEASE, may be refilled
 *	...
 *						<- LINK_STOP
 *	LINK_BYE ->
 *
 * A buffer belongs to the camera until LINK_FRAME and to the display from
 * then until LINK_RELEASE; neither side touches it while the other has it.
 */
#ifndef SAMPLE_LINK_H
#define SAMPLE_LINK_H

#include <linux/types.h>

#define LINK_MAGIC		0x6b6c6264	/* "dblk" */
#define LINK_VERSION		1
#define LINK_MAX_BUFFERS	8
#define LINK_DEFAULT_PATH	"/tmp/dmabuf-display.sock"

enum link_type {
	LINK_BUFFERS = 1,
	LINK_READY,
	LINK_FRAME,
	LINK_RELEASE,
	LINK_STOP,
	LINK_BYE,
};

/* All buffers have one layout; the descriptors come in the order of the index. */
struct link_buffers {
	__u32 count;
	__u32 width;
	__u32 height;
	__u32 stride;
	__u32 fourcc;		/* V4L2's and DRM's code are the same here */
	__u32 reserved;
};

struct link_frame {
	__u32 index;
	__u32 serial;		/* counts what is sent, without a gap */
	__u32 sequence;		/* the capture device's count, may have gaps */
	__u32 reserved;
};

struct link_release {
	__u32 index;
	__u32 serial;
};

struct link_bye {
	__u32 frames;		/* how many LINK_FRAMEs were sent */
	__u32 reserved;
};

struct link_msg {
	__u32 magic;
	__u16 version;
	__u16 type;
	union {
		struct link_buffers buffers;
		struct link_frame frame;
		struct link_release release;
		struct link_bye bye;
	};
};

int link_listen(const char *path);
int link_accept(int listener);
int link_connect(const char *path, int signal_fd, unsigned int wait_s);

int link_send(int sock, enum link_type type, struct link_msg *msg,
	      const int *fds, unsigned int nr_fds);
/*
 * Receive one message: 1, or 0 if the other side is gone, or -1 after a
 * complaint. @fds takes up to LINK_MAX_BUFFERS descriptors; if NULL, none
 * may come.
 */
int link_recv(int sock, struct link_msg *msg, int *fds, unsigned int *nr_fds);

#endif
