// SPDX-License-Identifier: GPL-2.0-only
/*
 * Capture frames from a V4L2 device into dma-bufs and lend each full buffer to
 * a display process, which shows the frame.
 *
 * The camera sends the buffers' descriptors over a Unix socket once, at the
 * start. After that it sends only the numbers of buffers. No pixel is copied.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <linux/videodev2.h>

#include "common.h"
#include "link.h"

#define MAX_VIDEO_NODES	64
#define READY_WAIT_MS	10000

enum owner {
	OWNER_NONE,
	OWNER_DEVICE,		/* queued: the device fills the buffer */
	OWNER_DISPLAY,		/* lent: the display shows the buffer */
};

struct camera {
	const char *device;
	const char *driver;
	const char *pattern;
	const char *socket_path;
	unsigned int width;
	unsigned int height;
	unsigned int rate;
	unsigned int nr_wanted;
	unsigned int connect_wait_s;
	unsigned int frame_wait_s;

	char path[64];
	int video;
	int sock;
	int signals;
	bool streaming;

	struct v4l2_pix_format format;
	unsigned int nr_buffers;
	int fds[LINK_MAX_BUFFERS];
	enum owner owner[LINK_MAX_BUFFERS];
	unsigned int nr_queued;

	unsigned int sent;
	unsigned int spoilt;
};

static int xioctl(int fd, unsigned long request, void *arg)
{
	int ret;

	do {
		ret = ioctl(fd, request, arg);
	} while (ret && errno == EINTR);
	return ret;
}

/* Returns true for a device of @driver, or of any if NULL, that streams pictures. */
static bool is_camera(int fd, const char *driver)
{
	const __u32 wanted = V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_STREAMING;
	struct v4l2_capability cap = { 0 };
	__u32 caps;

	if (xioctl(fd, VIDIOC_QUERYCAP, &cap))
		return false;
	caps = cap.capabilities & V4L2_CAP_DEVICE_CAPS ? cap.device_caps :
							 cap.capabilities;
	if ((caps & wanted) != wanted || caps & V4L2_CAP_TOUCH)
		return false;
	return !driver || !strcmp((const char *)cap.driver, driver);
}

static int open_camera(struct camera *cam)
{
	const char *hint;
	unsigned int i;
	int err = 0;

	if (cam->device) {
		hint = "name a capture device like /dev/video0, as root or in group video";
		snprintf(cam->path, sizeof(cam->path), "%s", cam->device);
		cam->video = open(cam->path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
		if (cam->video < 0)
			return complain(errno, hint, "cannot open %s", cam->path);
		if (!is_camera(cam->video, NULL))
			return complain(0, "name another one (not a multi-planar one)",
					"%s does not stream pictures", cam->path);
		return 0;
	}

	hint = "load the driver (modprobe vivid), or choose with --driver or --device";
	for (i = 0; i < MAX_VIDEO_NODES; i++) {
		snprintf(cam->path, sizeof(cam->path), "/dev/video%u", i);
		cam->video = open(cam->path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
		if (cam->video < 0) {
			if (errno != ENOENT)
				err = errno;
			continue;
		}
		if (is_camera(cam->video, cam->driver))
			return 0;
		close(cam->video);
		cam->video = -1;
	}
	return complain(err, hint, "no capture device has the driver '%s'", cam->driver);
}

/* Set a menu control to the item called @item. */
static int set_menu(struct camera *cam, const struct v4l2_queryctrl *query,
		    const char *item)
{
	struct v4l2_control control = { .id = query->id };
	struct v4l2_querymenu menu = { .id = query->id };
	int i;

	for (i = query->minimum; i <= query->maximum; i++) {
		menu.index = i;
		if (xioctl(cam->video, VIDIOC_QUERYMENU, &menu) ||
		    strcmp((const char *)menu.name, item))
			continue;
		control.value = i;
		if (xioctl(cam->video, VIDIOC_S_CTRL, &control))
			return complain(errno, NULL, "cannot set '%s' of %s to '%s'",
					query->name, cam->path, item);
		return 0;
	}
	return complain(0, "v4l2-ctl --list-ctrls-menus lists the choices",
			"'%s' of %s has no choice '%s'", query->name, cam->path,
			item);
}

static int set_boolean(struct camera *cam, const struct v4l2_queryctrl *query,
		       bool value)
{
	struct v4l2_control control = { .id = query->id, .value = value };

	if (xioctl(cam->video, VIDIOC_S_CTRL, &control))
		return complain(errno, NULL, "cannot set '%s' of %s to %d",
				query->name, cam->path, value);
	return 0;
}

/*
 * Make a device that generates its picture show a still test pattern without
 * text and decoration. The names of the controls are vivid's. A device without
 * such controls is left as it is.
 */
static int set_pattern(struct camera *cam)
{
	const struct {
		const char *name;
		const char *item;	/* NULL for a boolean, to switch off */
	} wishes[] = {
		{ "Test Pattern",		cam->pattern },
		{ "OSD Text Mode",		"None" },
		{ "Horizontal Movement",	"No Movement" },
		{ "Vertical Movement",		"No Movement" },
		{ "Show Border",		NULL },
		{ "Show Square",		NULL },
	};
	struct v4l2_queryctrl query = { .id = V4L2_CTRL_FLAG_NEXT_CTRL };
	bool has_pattern = false;
	unsigned int i;
	int ret;

	for (; !xioctl(cam->video, VIDIOC_QUERYCTRL, &query);
	     query.id |= V4L2_CTRL_FLAG_NEXT_CTRL) {
		for (i = 0; i < ARRAY_SIZE(wishes); i++) {
			if (strcmp((const char *)query.name, wishes[i].name))
				continue;
			ret = 0;
			if (wishes[i].item && query.type == V4L2_CTRL_TYPE_MENU)
				ret = set_menu(cam, &query, wishes[i].item);
			else if (!wishes[i].item && query.type == V4L2_CTRL_TYPE_BOOLEAN)
				ret = set_boolean(cam, &query, false);
			if (ret)
				return ret;
			has_pattern |= i == 0;
		}
	}
	if (!has_pattern)
		printf("%s has no test pattern: give the display --check-frame 0\n",
		       cam->path);
	return 0;
}

static int set_format(struct camera *cam)
{
	struct v4l2_format format = {
		.type = V4L2_BUF_TYPE_VIDEO_CAPTURE,
		.fmt.pix = {
			.width = cam->width,
			.height = cam->height,
			.pixelformat = V4L2_PIX_FMT_XBGR32,
			.field = V4L2_FIELD_NONE,
		},
	};
	const struct v4l2_pix_format *pix = &format.fmt.pix;
	int input = 0;

	/* Devices without inputs reject this. They need no input to be set. */
	xioctl(cam->video, VIDIOC_S_INPUT, &input);

	if (xioctl(cam->video, VIDIOC_S_FMT, &format))
		return complain(errno, "end other programs that use the device",
				"cannot set the format of %s", cam->path);
	if (pix->pixelformat != V4L2_PIX_FMT_XBGR32)
		return complain(0, "choose another device with --driver or --device",
				"%s offers the pixel format %.4s instead of XR24",
				cam->path, (const char *)&pix->pixelformat);
	if (pix->width != cam->width || pix->height != cam->height)
		return complain(0, "choose a size of the device with --width and --height",
				"%s offers %ux%u instead of %ux%u", cam->path,
				pix->width, pix->height, cam->width, cam->height);
	cam->format = *pix;
	return 0;
}

static void set_rate(struct camera *cam)
{
	struct v4l2_streamparm parm = {
		.type = V4L2_BUF_TYPE_VIDEO_CAPTURE,
		.parm.capture.timeperframe = { 1, cam->rate },
	};
	const struct v4l2_fract *time = &parm.parm.capture.timeperframe;

	if (xioctl(cam->video, VIDIOC_S_PARM, &parm) || !time->numerator)
		printf("camera: %s, %ux%u XR24, its own frame rate\n", cam->path,
		       cam->format.width, cam->format.height);
	else
		printf("camera: %s, %ux%u XR24, %.4g frames/s\n", cam->path,
		       cam->format.width, cam->format.height,
		       (double)time->denominator / time->numerator);
}

static int export_buffers(struct camera *cam)
{
	struct v4l2_requestbuffers request = {
		.count = cam->nr_wanted,
		.type = V4L2_BUF_TYPE_VIDEO_CAPTURE,
		.memory = V4L2_MEMORY_MMAP,
	};
	unsigned int i;

	if (xioctl(cam->video, VIDIOC_REQBUFS, &request))
		return complain(errno, "end other programs that use the device",
				"cannot get %u buffers from %s", cam->nr_wanted,
				cam->path);
	if (request.count < 2 || request.count > LINK_MAX_BUFFERS)
		return complain(0, "choose another number with --buffers",
				"%s gave %u buffers", cam->path, request.count);

	for (i = 0; i < request.count; i++) {
		struct v4l2_exportbuffer export = {
			.type = V4L2_BUF_TYPE_VIDEO_CAPTURE,
			.index = i,
			.flags = O_RDWR | O_CLOEXEC,
		};

		if (xioctl(cam->video, VIDIOC_EXPBUF, &export))
			return complain(errno, "choose a device that can export its buffers",
					"cannot export buffer %u of %s", i,
					cam->path);
		cam->fds[i] = export.fd;
		cam->nr_buffers++;
	}
	return 0;
}

static void close_fds(struct camera *cam)
{
	unsigned int i;

	for (i = 0; i < cam->nr_buffers; i++) {
		if (cam->fds[i] >= 0)
			close(cam->fds[i]);
		cam->fds[i] = -1;
	}
}

/* Send the descriptors and wait until the display has imported the buffers. */
static int hand_over(struct camera *cam)
{
	struct link_msg msg = {
		.buffers = {
			.count = cam->nr_buffers,
			.width = cam->format.width,
			.height = cam->format.height,
			.stride = cam->format.bytesperline,
			.fourcc = cam->format.pixelformat,
		},
	};
	int ret;

	if (link_send(cam->sock, LINK_BUFFERS, &msg, cam->fds, cam->nr_buffers))
		return -1;

	/*
	 * The message holds references to the buffers, so the display receives
	 * descriptors of its own. Descriptors left open here would keep the
	 * buffers alive after the display has closed them.
	 */
	close_fds(cam);

	switch (wait_readable(cam->sock, cam->signals, READY_WAIT_MS)) {
	case WAIT_READY:
		break;
	case WAIT_TIMEOUT:
		return complain(0, "look at the display's last message",
				"the display does not answer");
	case WAIT_SIGNAL:
		return complain(0, NULL, "interrupted before the first frame");
	default:
		return -1;
	}
	ret = link_recv(cam->sock, &msg, NULL, NULL);
	if (ret < 0)
		return -1;
	if (!ret || msg.type != LINK_READY)
		return complain(0, "look at the display's last message",
				"the display has rejected the buffers");
	return 0;
}

static int queue_buffer(struct camera *cam, unsigned int index)
{
	struct v4l2_buffer buffer = {
		.index = index,
		.type = V4L2_BUF_TYPE_VIDEO_CAPTURE,
		.memory = V4L2_MEMORY_MMAP,
	};

	if (xioctl(cam->video, VIDIOC_QBUF, &buffer))
		return complain(errno, "see the kernel's log",
				"cannot queue buffer %u of %s", index, cam->path);
	cam->owner[index] = OWNER_DEVICE;
	cam->nr_queued++;
	return 0;
}

static int start_stream(struct camera *cam)
{
	int type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
	unsigned int i;

	for (i = 0; i < cam->nr_buffers; i++) {
		if (queue_buffer(cam, i))
			return -1;
	}
	if (xioctl(cam->video, VIDIOC_STREAMON, &type))
		return complain(errno, "see the kernel's log",
				"cannot start streaming from %s", cam->path);
	cam->streaming = true;
	return 0;
}

static void stop_stream(struct camera *cam)
{
	int type = V4L2_BUF_TYPE_VIDEO_CAPTURE;

	if (cam->streaming)
		xioctl(cam->video, VIDIOC_STREAMOFF, &type);
	cam->streaming = false;
}

static int lend_frame(struct camera *cam)
{
	struct v4l2_buffer buffer = {
		.type = V4L2_BUF_TYPE_VIDEO_CAPTURE,
		.memory = V4L2_MEMORY_MMAP,
	};
	struct link_msg msg = { 0 };

	if (xioctl(cam->video, VIDIOC_DQBUF, &buffer)) {
		if (errno == EAGAIN)
			return 0;
		return complain(errno, "see the kernel's log",
				"cannot take a frame from %s", cam->path);
	}
	if (buffer.index >= cam->nr_buffers ||
	    cam->owner[buffer.index] != OWNER_DEVICE)
		return complain(0, NULL, "%s returned buffer %u that it did not have",
				cam->path, buffer.index);
	cam->nr_queued--;

	if (buffer.flags & V4L2_BUF_FLAG_ERROR) {
		cam->spoilt++;
		return queue_buffer(cam, buffer.index);
	}

	msg.frame.index = buffer.index;
	msg.frame.serial = cam->sent;
	msg.frame.sequence = buffer.sequence;
	if (link_send(cam->sock, LINK_FRAME, &msg, NULL, 0))
		return -1;
	cam->owner[buffer.index] = OWNER_DISPLAY;
	cam->sent++;
	return 0;
}

/* Returns 1 if the display wants to stop, 0 if not, or -1 after a complaint. */
static int hear_display(struct camera *cam)
{
	struct link_msg msg;
	unsigned int index;
	int ret;

	ret = link_recv(cam->sock, &msg, NULL, NULL);
	if (ret < 0)
		return -1;
	if (!ret)
		return complain(0, "look at the display's last message",
				"the display went away after %u frames",
				cam->sent);

	switch (msg.type) {
	case LINK_STOP:
		return 1;
	case LINK_RELEASE:
		index = msg.release.index;
		if (index >= cam->nr_buffers ||
		    cam->owner[index] != OWNER_DISPLAY)
			return complain(0, NULL,
					"the display released buffer %u that it did not have",
					index);
		return queue_buffer(cam, index);
	default:
		return complain(0, NULL, "a message of type %u is not expected here",
				msg.type);
	}
}

static int stream(struct camera *cam)
{
	struct pollfd fds[] = {
		{ .fd = cam->signals, .events = POLLIN },
		{ .fd = cam->sock, .events = POLLIN },
		{ .fd = cam->video, .events = POLLIN },
	};
	const char *hint = "see the kernel's log, or allow more time with --timeout";
	int ret;

	for (;;) {
		/*
		 * If the display has all buffers, the device cannot fill any.
		 * Wait for the display alone, and for as long as it takes.
		 */
		fds[2].fd = cam->nr_queued ? cam->video : -1;
		ret = poll(fds, ARRAY_SIZE(fds),
			   cam->nr_queued ? (int)cam->frame_wait_s * 1000 : -1);
		if (ret < 0 && errno == EINTR)
			continue;
		if (ret < 0)
			return complain(errno, NULL, "poll failed");
		if (!ret)
			return complain(0, hint, "no frame arrived from %s for %u s",
					cam->path, cam->frame_wait_s);

		if (fds[0].revents)
			return complain(0, NULL, "interrupted after %u frames",
					cam->sent);
		if (fds[1].revents) {
			ret = hear_display(cam);
			if (ret)
				return ret < 0 ? ret : 0;
		}
		if (fds[2].revents & POLLERR)
			return complain(0, "see the kernel's log",
					"%s stopped streaming", cam->path);
		if (fds[2].revents) {
			ret = lend_frame(cam);
			if (ret)
				return ret;
		}
	}
}

/* Free the buffers. Those that the display still holds live on until it ends. */
static void free_buffers(struct camera *cam)
{
	struct v4l2_requestbuffers request = {
		.type = V4L2_BUF_TYPE_VIDEO_CAPTURE,
		.memory = V4L2_MEMORY_MMAP,
	};

	close_fds(cam);
	if (cam->nr_buffers)
		xioctl(cam->video, VIDIOC_REQBUFS, &request);
}

static int run(struct camera *cam)
{
	struct link_msg bye = { 0 };
	int ret;

	cam->signals = signals_open();
	if (cam->signals < 0)
		return -1;
	/*
	 * Connect first. If a later step fails, the display sees the connection
	 * close and need not wait for its timeout.
	 */
	cam->sock = link_connect(cam->socket_path, cam->signals,
				 cam->connect_wait_s);
	if (cam->sock < 0 || open_camera(cam) || set_format(cam))
		return -1;
	set_rate(cam);
	if (strcmp(cam->pattern, "none") && set_pattern(cam))
		return -1;
	if (export_buffers(cam) || hand_over(cam) || start_stream(cam))
		return -1;

	ret = stream(cam);
	stop_stream(cam);
	if (ret)
		return ret;

	bye.bye.frames = cam->sent;
	if (link_send(cam->sock, LINK_BYE, &bye, NULL, 0))
		return -1;
	printf("camera: %u frames lent, %u spoilt\n", cam->sent, cam->spoilt);
	return 0;
}

static void usage(const char *name)
{
	printf("Usage: %s [OPTION]...\n"
	       "Capture frames into dma-bufs and lend them to a running dmabuf-display.\n"
	       "\n"
	       "  -d, --device PATH    capture device (default: the first one of the driver)\n"
	       "  -D, --driver NAME    driver to look for (default: vivid)\n"
	       "  -W, --width N        width of the picture (default: 640)\n"
	       "  -H, --height N       height of the picture (default: 480)\n"
	       "  -r, --rate N         frames per second (default: 30)\n"
	       "  -b, --buffers N      number of buffers (default: 4)\n"
	       "  -p, --pattern NAME   test pattern (default: 100%% Colorbar); none: set nothing\n"
	       "  -s, --socket PATH    where the display listens (default: %s)\n"
	       "  -w, --wait N         seconds to wait for the display (default: 10)\n"
	       "  -t, --timeout N      seconds to wait for a frame (default: 10)\n"
	       "  -h, --help           show this\n"
	       "\n"
	       "It ends when the display stops it. Exit status: 0, or 1 after a failure.\n",
	       name, LINK_DEFAULT_PATH);
}

static int parse_options(struct camera *cam, int argc, char **argv)
{
	static const struct option options[] = {
		{ "device",	required_argument,	NULL, 'd' },
		{ "driver",	required_argument,	NULL, 'D' },
		{ "width",	required_argument,	NULL, 'W' },
		{ "height",	required_argument,	NULL, 'H' },
		{ "rate",	required_argument,	NULL, 'r' },
		{ "buffers",	required_argument,	NULL, 'b' },
		{ "pattern",	required_argument,	NULL, 'p' },
		{ "socket",	required_argument,	NULL, 's' },
		{ "wait",	required_argument,	NULL, 'w' },
		{ "timeout",	required_argument,	NULL, 't' },
		{ "help",	no_argument,		NULL, 'h' },
		{ NULL }
	};
	int c, ret = 0;

	while (!ret) {
		c = getopt_long(argc, argv, "d:D:W:H:r:b:p:s:w:t:h", options, NULL);
		if (c < 0)
			break;
		switch (c) {
		case 'd':
			cam->device = optarg;
			break;
		case 'D':
			cam->driver = optarg;
			break;
		case 'W':
			ret = parse_option(optarg, "--width", 16, 8192, &cam->width);
			break;
		case 'H':
			ret = parse_option(optarg, "--height", 16, 8192, &cam->height);
			break;
		case 'r':
			ret = parse_option(optarg, "--rate", 1, 1000, &cam->rate);
			break;
		case 'b':
			ret = parse_option(optarg, "--buffers", 3,
					   LINK_MAX_BUFFERS, &cam->nr_wanted);
			break;
		case 'p':
			cam->pattern = optarg;
			break;
		case 's':
			cam->socket_path = optarg;
			break;
		case 'w':
			ret = parse_option(optarg, "--wait", 0, 3600,
					   &cam->connect_wait_s);
			break;
		case 't':
			ret = parse_option(optarg, "--timeout", 1, 3600,
					   &cam->frame_wait_s);
			break;
		case 'h':
			usage(argv[0]);
			exit(EXIT_SUCCESS);
		default:
			return -1;
		}
	}
	if (!ret && optind < argc)
		ret = complain(0, "see --help", "'%s' is not an option", argv[optind]);
	return ret;
}

int main(int argc, char **argv)
{
	struct camera cam = {
		.driver = "vivid",
		.pattern = "100% Colorbar",
		.socket_path = LINK_DEFAULT_PATH,
		.width = 640,
		.height = 480,
		.rate = 30,
		.nr_wanted = 4,
		.connect_wait_s = 10,
		.frame_wait_s = 10,
		.video = -1,
		.sock = -1,
		.signals = -1,
	};
	int ret;

	messages_init();
	if (parse_options(&cam, argc, argv))
		return EXIT_FAILURE;

	ret = run(&cam);

	stop_stream(&cam);
	free_buffers(&cam);
	if (cam.sock >= 0)
		close(cam.sock);
	if (cam.video >= 0)
		close(cam.video);
	if (cam.signals >= 0)
		close(cam.signals);
	return ret ? EXIT_FAILURE : EXIT_SUCCESS;
}
