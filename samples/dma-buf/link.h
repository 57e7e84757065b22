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
 * LINK_FRAME passes a buffer to the display, LINK_RELEASE back to the camera.
 * Neither side accesses a buffer that the other side has.
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

/* All buffers have the same layout. Descriptor number i is that of buffer i. */
struct link_buffers {
	__u32 count;
	__u32 width;
	__u32 height;
	__u32 stride;
	__u32 fourcc;		/* V4L2 and DRM have the same code for XR24 */
	__u32 reserved;
};

struct link_frame {
	__u32 index;
	__u32 serial;		/* number of LINK_FRAMEs before this one */
	__u32 sequence;		/* the capture device's count, may have gaps */
	__u32 reserved;
};

struct link_release {
	__u32 index;
	__u32 serial;
};

struct link_bye {
	__u32 frames;		/* number of LINK_FRAMEs sent */
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
 * Receive one message. Returns 1, or 0 if the other side has closed the socket,
 * or -1 after a complaint. @fds has room for LINK_MAX_BUFFERS descriptors; if
 * @fds is NULL, received descriptors are closed.
 */
int link_recv(int sock, struct link_msg *msg, int *fds, unsigned int *nr_fds);

#endif
