// SPDX-License-Identifier: GPL-2.0-only
/*
 * Show the frames that a camera process lends, directly from its dma-bufs.
 *
 * The display imports each buffer once and makes a frame buffer of it. After
 * that it shows a frame by flipping to its buffer, so no pixel is copied. A
 * buffer is on the screen until the flip to the next one is done. Only then
 * does it go back to the camera.
 */
#define _GNU_SOURCE
#include <getopt.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "buffers.h"
#include "common.h"
#include "kms.h"
#include "link.h"

#define NONE			(-1)
#define PROGRESS_FRAMES		50
#define MAX_SIZE		8192
#define RELEASE_WAIT_NS		(2 * NSEC_PER_SEC)
#define RELEASE_POLL_MS		50

enum mode {
	MODE_SHOW,
	MODE_CHECK_EMPTY,
	MODE_COUNT,
};

enum owner {
	OWNER_CAMERA,
	OWNER_QUEUE,		/* full, waits for its flip */
	OWNER_SCREEN,		/* shown, or its flip is under way */
};

struct buffer {
	int fd;
	struct kms_frame frame;
	enum owner owner;
	unsigned int serial;	/* of the frame in the buffer */
	unsigned int shown;
};

struct display {
	enum mode mode;
	unsigned int expected;	/* buffers that --check-empty allows for */
	const char *device;
	const char *driver;
	const char *socket_path;
	const char *pause_cmd;
	unsigned int frames;
	unsigned int check_frame;
	unsigned int tolerance;
	unsigned int max_skipped;
	unsigned int camera_wait_s;
	unsigned int frame_wait_s;

	int signals;
	int listener;
	int sock;
	struct kms *kms;

	struct picture pic;
	unsigned int nr_buffers;
	struct buffer buffers[LINK_MAX_BUFFERS];

	/* Full buffers, the oldest frame first */
	unsigned int queue[LINK_MAX_BUFFERS];
	unsigned int nr_queued;
	int flipping;		/* buffer whose flip is under way, or NONE */
	int on_screen;		/* buffer that is shown, or NONE */

	unsigned int received;
	unsigned int last_sequence;
	unsigned int skipped;
	unsigned int shown;
	int pixels;
	unsigned long long first_ns;
	unsigned long long last_ns;
};

static int wait_for_camera(struct display *dpy)
{
	dpy->listener = link_listen(dpy->socket_path);
	if (dpy->listener < 0)
		return -1;
	printf("waiting for a camera at %s\n", dpy->socket_path);

	switch (wait_readable(dpy->listener, dpy->signals,
			      dpy->camera_wait_s * 1000)) {
	case WAIT_READY:
		dpy->sock = link_accept(dpy->listener);
		return dpy->sock < 0 ? -1 : 0;
	case WAIT_TIMEOUT:
		return complain(0, "start dmabuf-camera with the same --socket",
				"no camera connected within %u s", dpy->camera_wait_s);
	case WAIT_SIGNAL:
		return complain(0, NULL, "interrupted while waiting for a camera");
	default:
		return -1;
	}
}

static int check_layout(const struct display *dpy, unsigned int nr_fds)
{
	const struct picture *pic = &dpy->pic;
	const char *hint = "use both programs from the same build";
	unsigned int i;
	long long size;

	if (dpy->nr_buffers < 2 || dpy->nr_buffers > LINK_MAX_BUFFERS ||
	    dpy->nr_buffers != nr_fds)
		return complain(0, hint, "the camera announced %u buffers and sent %u descriptors",
				dpy->nr_buffers, nr_fds);
	if (!pic->width || pic->width > MAX_SIZE ||
	    !pic->height || pic->height > MAX_SIZE ||
	    pic->stride < pic->width * 4 || pic->stride > MAX_SIZE * 4)
		return complain(0, hint, "pictures of %ux%u with a stride of %u are not possible",
				pic->width, pic->height, pic->stride);

	for (i = 0; i < dpy->nr_buffers; i++) {
		size = buffer_size(dpy->buffers[i].fd);
		if (size < 0)
			return -1;
		if (size < (long long)pic->stride * pic->height)
			return complain(0, hint,
					"buffer %u has %lld bytes, too few for %ux%u with a stride of %u",
					i, size, pic->width, pic->height,
					pic->stride);
	}
	return 0;
}

/* The first message brings the descriptors. */
static int receive_buffers(struct display *dpy)
{
	int fds[LINK_MAX_BUFFERS];
	struct link_msg msg;
	unsigned int nr, i;
	char name[16];
	int ret;

	switch (wait_readable(dpy->sock, dpy->signals, dpy->frame_wait_s * 1000)) {
	case WAIT_READY:
		break;
	case WAIT_SIGNAL:
		return complain(0, NULL, "interrupted before the first frame");
	case WAIT_TIMEOUT:
		return complain(0, "look at the camera's last message",
				"the camera sends no buffers");
	default:
		return -1;
	}
	ret = link_recv(dpy->sock, &msg, fds, &nr);
	if (ret < 0)
		return -1;
	if (!ret)
		return complain(0, "look at the camera's last message",
				"the camera went away without sending buffers");

	/* Store the descriptors before any check, so that clean_up() closes them. */
	for (i = 0; i < nr; i++)
		dpy->buffers[i].fd = fds[i];

	if (msg.type != LINK_BUFFERS)
		return complain(0, "use both programs from the same build",
				"the first message has type %u", msg.type);
	dpy->nr_buffers = msg.buffers.count;
	dpy->pic.width = msg.buffers.width;
	dpy->pic.height = msg.buffers.height;
	dpy->pic.stride = msg.buffers.stride;
	dpy->pic.fourcc = msg.buffers.fourcc;
	if (check_layout(dpy, nr))
		return -1;

	for (i = 0; i < dpy->nr_buffers; i++) {
		snprintf(name, sizeof(name), "camera-%u", i);
		if (buffer_set_name(dpy->buffers[i].fd, name))
			return -1;
	}
	printf("received %u buffers of %ux%u, stride %u, format %.4s\n",
	       dpy->nr_buffers, dpy->pic.width, dpy->pic.height,
	       dpy->pic.stride, (const char *)&dpy->pic.fourcc);
	return 0;
}

static int import_buffers(struct display *dpy)
{
	struct link_msg msg = { 0 };
	unsigned int i;

	if (kms_choose_screen(dpy->kms, &dpy->pic))
		return -1;
	for (i = 0; i < dpy->nr_buffers; i++) {
		if (kms_import(dpy->kms, dpy->buffers[i].fd, &dpy->pic,
			       &dpy->buffers[i].frame))
			return -1;
	}
	return link_send(dpy->sock, LINK_READY, &msg, NULL, 0);
}

static int print_table(const struct display *dpy)
{
	int fds[LINK_MAX_BUFFERS];
	unsigned int i;

	for (i = 0; i < dpy->nr_buffers; i++)
		fds[i] = dpy->buffers[i].fd;
	return buffers_print_table(fds, dpy->nr_buffers);
}

/*
 * Queue a frame for the screen. It must be the successor of the last frame, and
 * in a buffer that the camera has.
 */
static int take_frame(struct display *dpy, const struct link_frame *frame)
{
	struct buffer *buffer;
	__s32 step;

	if (frame->serial != dpy->received)
		return complain(0, NULL, "frame %u arrived instead of %u: lost or out of order",
				frame->serial, dpy->received);
	if (frame->index >= dpy->nr_buffers)
		return complain(0, NULL, "frame %u is in buffer %u, which does not exist",
				frame->serial, frame->index);
	buffer = &dpy->buffers[frame->index];
	if (buffer->owner != OWNER_CAMERA)
		return complain(0, NULL,
				"frame %u arrived in buffer %u, which still holds frame %u: torn",
				frame->serial, frame->index, buffer->serial);

	/*
	 * The device also counts frames that it drops because no buffer is free
	 * or because it is late, so a gap is no error. vivid repeats a number
	 * when it catches up. A lower number means that an older frame arrived
	 * after a newer one.
	 */
	if (dpy->received) {
		step = frame->sequence - dpy->last_sequence;
		if (step < 0)
			return complain(0, NULL,
					"frame %u has the device's number %u after %u: out of order",
					frame->serial, frame->sequence,
					dpy->last_sequence);
		if (step > 1)
			dpy->skipped += step - 1;
	}
	if (dpy->skipped > dpy->max_skipped)
		return complain(0, "use a lower --rate or more --buffers for the camera",
				"the device skipped %u frames, %u are allowed",
				dpy->skipped, dpy->max_skipped);

	dpy->last_sequence = frame->sequence;
	dpy->received++;
	buffer->serial = frame->serial;
	buffer->owner = OWNER_QUEUE;
	dpy->queue[dpy->nr_queued++] = frame->index;
	return 0;
}

static int release_buffer(struct display *dpy, unsigned int index)
{
	struct link_msg msg = {
		.release = {
			.index = index,
			.serial = dpy->buffers[index].serial,
		},
	};

	dpy->buffers[index].owner = OWNER_CAMERA;
	return link_send(dpy->sock, LINK_RELEASE, &msg, NULL, 0);
}

/* Buffer @index has replaced the buffer that was on the screen before. */
static int frame_shown(struct display *dpy, unsigned int index)
{
	struct buffer *buffer = &dpy->buffers[index];
	int before = dpy->on_screen;

	dpy->on_screen = index;
	dpy->last_ns = now_ns();
	if (!dpy->shown)
		dpy->first_ns = dpy->last_ns;
	dpy->shown++;
	buffer->shown++;

	/*
	 * The camera starts to stream after it has closed its own descriptors,
	 * so the table no longer counts these.
	 */
	if (dpy->shown == 1 && print_table(dpy))
		return -1;

	if (dpy->shown == dpy->check_frame) {
		dpy->pixels = buffer_check_bars(buffer->fd, &dpy->pic,
						dpy->tolerance);
		if (dpy->pixels < 0)
			return complain(0, NULL, "frame %u in buffer %u is wrong",
					dpy->shown, index);
		printf("frame %u: %d pixels in the middle of the bars are right\n",
		       dpy->shown, dpy->pixels);
	}
	if (dpy->shown % PROGRESS_FRAMES == 0)
		printf("frame %u\n", dpy->shown);

	return before == NONE ? 0 : release_buffer(dpy, before);
}

/* Flip to the next full buffer, unless another flip is under way. */
static int show_next(struct display *dpy)
{
	unsigned int index;

	if (dpy->flipping != NONE || !dpy->nr_queued ||
	    (dpy->frames && dpy->shown == dpy->frames))
		return 0;

	index = dpy->queue[0];
	dpy->nr_queued--;
	memmove(dpy->queue, dpy->queue + 1, dpy->nr_queued * sizeof(dpy->queue[0]));
	dpy->buffers[index].owner = OWNER_SCREEN;

	if (dpy->on_screen == NONE) {
		if (kms_show(dpy->kms, &dpy->buffers[index].frame))
			return -1;
		return frame_shown(dpy, index);
	}
	dpy->flipping = index;
	return kms_flip(dpy->kms, &dpy->buffers[index].frame);
}

static int finish_flip(struct display *dpy)
{
	unsigned int index = dpy->flipping;
	int ret = kms_flip_done(dpy->kms);

	if (ret <= 0)
		return ret;
	dpy->flipping = NONE;
	return frame_shown(dpy, index);
}

/* Returns 1 after the camera's last message, 0 after a frame, -1 after a complaint. */
static int hear_camera(struct display *dpy)
{
	struct link_msg msg;
	int ret;

	ret = link_recv(dpy->sock, &msg, NULL, NULL);
	if (ret < 0)
		return -1;
	if (!ret)
		return complain(0, "look at the camera's last message",
				"the camera went away after %u frames",
				dpy->received);

	switch (msg.type) {
	case LINK_FRAME:
		return take_frame(dpy, &msg.frame);
	case LINK_BYE:
		if (msg.bye.frames != dpy->received)
			return complain(0, NULL,
					"the camera sent %u frames, %u arrived",
					msg.bye.frames, dpy->received);
		return 1;
	default:
		return complain(0, NULL, "a message of type %u is not expected here",
				msg.type);
	}
}

static bool is_finished(const struct display *dpy)
{
	return dpy->frames && dpy->shown >= dpy->frames && dpy->flipping == NONE;
}

/* Show all frames or, with --frames 0, show frames until a signal arrives. */
static int show_frames(struct display *dpy)
{
	struct pollfd fds[] = {
		{ .fd = dpy->signals, .events = POLLIN },
		{ .fd = dpy->sock, .events = POLLIN },
		{ .fd = kms_fd(dpy->kms), .events = POLLIN },
	};
	const char *hint = "see the kernel's log, or allow more time with --timeout";
	int ret;

	while (!is_finished(dpy)) {
		ret = poll(fds, ARRAY_SIZE(fds), dpy->frame_wait_s * 1000);
		if (ret < 0 && errno == EINTR)
			continue;
		if (ret < 0)
			return complain(errno, NULL, "poll failed");
		if (!ret)
			return complain(0, hint,
					"nothing happened for %u s, after frame %u: waiting for %s",
					dpy->frame_wait_s, dpy->shown,
					dpy->flipping == NONE ? "the camera" :
								"the screen");
		if (fds[0].revents) {
			if (!dpy->frames) {
				signals_clear(dpy->signals);
				return 0;
			}
			return complain(0, NULL, "interrupted after frame %u of %u",
					dpy->shown, dpy->frames);
		}
		if (fds[2].revents && finish_flip(dpy))
			return -1;
		if (fds[1].revents) {
			ret = hear_camera(dpy);
			if (ret > 0)
				return complain(0, "look at the camera's last message",
						"the camera stopped after frame %u",
						dpy->shown);
			if (ret)
				return ret;
		}
		if (show_next(dpy))
			return -1;
	}
	return 0;
}

/*
 * Stop the camera and count the frames that it sent before it received
 * LINK_STOP. LINK_BYE has the number of all frames, which must match.
 */
static int stop_camera(struct display *dpy)
{
	struct link_msg msg = { 0 };
	int ret;

	if (link_send(dpy->sock, LINK_STOP, &msg, NULL, 0))
		return -1;
	do {
		switch (wait_readable(dpy->sock, dpy->signals,
				      dpy->frame_wait_s * 1000)) {
		case WAIT_READY:
			ret = hear_camera(dpy);
			break;
		case WAIT_TIMEOUT:
			return complain(0, "look at the camera's last message",
					"the camera does not stop");
		case WAIT_SIGNAL:
			return complain(0, NULL, "interrupted after the last frame");
		default:
			return -1;
		}
	} while (!ret);
	return ret < 0 ? ret : 0;
}

/* Complain about a buffer that was shown less than twice: it was lost. */
static int check_all_used(const struct display *dpy)
{
	unsigned int i;

	if (dpy->shown < 10 * dpy->nr_buffers)
		return 0;
	for (i = 0; i < dpy->nr_buffers; i++) {
		if (dpy->buffers[i].shown < 2)
			return complain(0, NULL, "buffer %u was shown %u times in %u frames: lost",
					i, dpy->buffers[i].shown, dpy->shown);
	}
	return 0;
}

static int show(struct display *dpy)
{
	double seconds;

	dpy->signals = signals_open();
	if (dpy->signals < 0)
		return -1;
	dpy->kms = kms_open(dpy->device, dpy->driver);
	if (!dpy->kms || wait_for_camera(dpy) || receive_buffers(dpy) ||
	    import_buffers(dpy) || show_frames(dpy))
		return -1;

	/*
	 * The camera frees its buffers now. Until clean_up(), the references of
	 * this process alone keep them alive.
	 */
	if (stop_camera(dpy) || check_all_used(dpy))
		return -1;
	if (dpy->pause_cmd && run_command(dpy->pause_cmd, dpy->signals))
		return -1;

	seconds = (double)(dpy->last_ns - dpy->first_ns) / NSEC_PER_SEC;
	printf("result: frames=%u seconds=%.2f rate=%.1f skipped=%u pixels=%d buffers=%u\n",
	       dpy->shown, seconds,
	       seconds > 0 ? (dpy->shown - 1) / seconds : 0.0, dpy->skipped,
	       dpy->pixels, dpy->nr_buffers);
	return 0;
}

static void clean_up(struct display *dpy)
{
	unsigned int i;

	if (dpy->kms) {
		for (i = 0; i < LINK_MAX_BUFFERS; i++)
			kms_forget(dpy->kms, &dpy->buffers[i].frame);
		kms_close(dpy->kms);
	}
	for (i = 0; i < LINK_MAX_BUFFERS; i++) {
		if (dpy->buffers[i].fd >= 0)
			close(dpy->buffers[i].fd);
	}
	if (dpy->sock >= 0)
		close(dpy->sock);
	if (dpy->listener >= 0) {
		close(dpy->listener);
		unlink(dpy->socket_path);
	}
	if (dpy->signals >= 0)
		close(dpy->signals);
}

/*
 * The kernel may release a buffer some time after its last close, so count
 * again until the number is right or RELEASE_WAIT_NS have passed.
 */
static int check_empty(const struct display *dpy)
{
	unsigned long long end = now_ns() + RELEASE_WAIT_NS;
	int count;

	for (;;) {
		count = buffers_count();
		if (count < 0)
			return -1;
		if ((unsigned int)count == dpy->expected)
			break;
		if (now_ns() >= end)
			return complain(0, "look for them in bufinfo and under /proc/*/fdinfo",
					"the system has %d buffers instead of %u", count,
					dpy->expected);
		poll(NULL, 0, RELEASE_POLL_MS);
	}
	printf("the system has %d buffers, as expected\n", count);
	return 0;
}

static int print_count(void)
{
	int count = buffers_count();

	if (count < 0)
		return -1;
	printf("%d\n", count);
	return 0;
}

static void usage(const char *name)
{
	printf("Usage: %s [OPTION]...\n"
	       "Show the frames of a dmabuf-camera directly from its dma-bufs.\n"
	       "\n"
	       "  -d, --device PATH      DRM device (default: the first one of the driver)\n"
	       "  -D, --driver NAME      driver to look for (default: cirrus)\n"
	       "  -n, --frames N         frames to show (default: 300); 0: until interrupted\n"
	       "  -c, --check-frame N    frame whose pixels are checked (default: 100, or the\n"
	       "                         last one if there are fewer); 0: none\n"
	       "  -T, --tolerance N      allowed difference of a colour, 0 to 255 (default: 4)\n"
	       "  -k, --max-skipped N    fail if the capture device skips more frames\n"
	       "  -p, --pause-cmd CMD    run CMD while the last frame is on the screen; fail if\n"
	       "                         CMD fails\n"
	       "  -s, --socket PATH      where to listen (default: %s)\n"
	       "  -w, --wait N           seconds to wait for the camera (default: 30)\n"
	       "  -t, --timeout N        seconds to wait for a frame (default: 10)\n"
	       "  -h, --help             show this\n"
	       "\n"
	       "Instead of showing anything (both need root and debugfs):\n"
	       "      --count-buffers    print the number of dma-bufs in the system\n"
	       "      --check-empty[=N]  fail unless there are exactly N (default: 0); wait up\n"
	       "                         to 2 s for the release of closed ones\n"
	       "\n"
	       "Exit status: 0, or 1 after a failure.\n",
	       name, LINK_DEFAULT_PATH);
}

static int parse_options(struct display *dpy, int argc, char **argv)
{
	static const struct option options[] = {
		{ "device",		required_argument,	NULL, 'd' },
		{ "driver",		required_argument,	NULL, 'D' },
		{ "frames",		required_argument,	NULL, 'n' },
		{ "check-frame",	required_argument,	NULL, 'c' },
		{ "tolerance",		required_argument,	NULL, 'T' },
		{ "max-skipped",	required_argument,	NULL, 'k' },
		{ "pause-cmd",		required_argument,	NULL, 'p' },
		{ "socket",		required_argument,	NULL, 's' },
		{ "wait",		required_argument,	NULL, 'w' },
		{ "timeout",		required_argument,	NULL, 't' },
		{ "check-empty",	optional_argument,	NULL, 'E' },
		{ "count-buffers",	no_argument,		NULL, 'C' },
		{ "help",		no_argument,		NULL, 'h' },
		{ NULL }
	};
	int c, ret = 0;

	while (!ret) {
		c = getopt_long(argc, argv, "d:D:n:c:T:k:p:s:w:t:h", options, NULL);
		if (c < 0)
			break;
		switch (c) {
		case 'd':
			dpy->device = optarg;
			break;
		case 'D':
			dpy->driver = optarg;
			break;
		case 'n':
			ret = parse_option(optarg, "--frames", 0, 100000000,
					   &dpy->frames);
			break;
		case 'c':
			ret = parse_option(optarg, "--check-frame", 0, 100000000,
					   &dpy->check_frame);
			break;
		case 'T':
			ret = parse_option(optarg, "--tolerance", 0, 255,
					   &dpy->tolerance);
			break;
		case 'k':
			ret = parse_option(optarg, "--max-skipped", 0, 100000000,
					   &dpy->max_skipped);
			break;
		case 'p':
			dpy->pause_cmd = optarg;
			break;
		case 's':
			dpy->socket_path = optarg;
			break;
		case 'w':
			ret = parse_option(optarg, "--wait", 1, 3600,
					   &dpy->camera_wait_s);
			break;
		case 't':
			ret = parse_option(optarg, "--timeout", 1, 3600,
					   &dpy->frame_wait_s);
			break;
		case 'E':
			dpy->mode = MODE_CHECK_EMPTY;
			if (optarg)
				ret = parse_option(optarg, "--check-empty", 0,
						   1000000, &dpy->expected);
			break;
		case 'C':
			dpy->mode = MODE_COUNT;
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
	if (dpy->frames && dpy->check_frame > dpy->frames)
		dpy->check_frame = dpy->frames;
	return ret;
}

int main(int argc, char **argv)
{
	struct display dpy = {
		.driver = "cirrus",
		.socket_path = LINK_DEFAULT_PATH,
		.frames = 300,
		.check_frame = 100,
		.tolerance = 4,
		.max_skipped = -1,
		.camera_wait_s = 30,
		.frame_wait_s = 10,
		.signals = -1,
		.listener = -1,
		.sock = -1,
		.flipping = NONE,
		.on_screen = NONE,
	};
	unsigned int i;
	int ret;

	for (i = 0; i < LINK_MAX_BUFFERS; i++)
		dpy.buffers[i].fd = -1;

	messages_init();
	if (parse_options(&dpy, argc, argv))
		return EXIT_FAILURE;

	switch (dpy.mode) {
	case MODE_CHECK_EMPTY:
		ret = check_empty(&dpy);
		break;
	case MODE_COUNT:
		ret = print_count();
		break;
	default:
		ret = show(&dpy);
		clean_up(&dpy);
		break;
	}
	return ret ? EXIT_FAILURE : EXIT_SUCCESS;
}
