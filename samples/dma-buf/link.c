// SPDX-License-Identifier: GPL-2.0-only
/*
 * The link between camera and display: messages on a SOCK_SEQPACKET socket.
 */
#define _GNU_SOURCE
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common.h"
#include "link.h"

#define CONNECT_INTERVAL_MS	100

static int link_socket(const char *path, struct sockaddr_un *addr)
{
	int fd;

	memset(addr, 0, sizeof(*addr));
	addr->sun_family = AF_UNIX;
	if (strlen(path) >= sizeof(addr->sun_path))
		return complain(0, "choose a shorter one with --socket",
				"the socket's path is longer than %zu characters",
				sizeof(addr->sun_path) - 1);
	memcpy(addr->sun_path, path, strlen(path));

	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return complain(errno, "the kernel needs CONFIG_UNIX",
				"cannot open a Unix socket");
	return fd;
}

/*
 * The buffers give access to the camera's picture and to the screen. Share them
 * with programs of the same user or of root only.
 */
static int check_peer(int sock)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	if (getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &cred, &len))
		return complain(errno, NULL,
				"cannot find the user at the other end of the socket");
	if (cred.uid && cred.uid != geteuid())
		return complain(0, "run both programs as the same user",
				"the other end of the socket belongs to user %u",
				cred.uid);
	return 0;
}

static int bind_private(int fd, const struct sockaddr_un *addr)
{
	mode_t old = umask(077);
	int ret = bind(fd, (const struct sockaddr *)addr, sizeof(*addr));

	umask(old);
	return ret;
}

/*
 * Returns true if the path is a socket without a listener, which a dead display
 * left behind. Only such a socket may be replaced.
 */
static bool is_stale(const struct sockaddr_un *addr)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	bool stale = false;

	if (fd < 0)
		return false;
	if (connect(fd, (const struct sockaddr *)addr, sizeof(*addr)))
		stale = errno == ECONNREFUSED;
	close(fd);
	return stale;
}

int link_listen(const char *path)
{
	const char *hint = "end the other display, or give both sides another --socket";
	struct sockaddr_un addr;
	int fd, ret;

	fd = link_socket(path, &addr);
	if (fd < 0)
		return -1;

	ret = bind_private(fd, &addr);
	if (ret && errno == EADDRINUSE && is_stale(&addr)) {
		unlink(path);
		ret = bind_private(fd, &addr);
	}
	if (ret) {
		complain(errno, hint, "cannot listen at %s", path);
		goto fail;
	}
	if (listen(fd, 1)) {
		complain(errno, hint, "cannot listen at %s", path);
		unlink(path);
		goto fail;
	}
	return fd;

fail:
	close(fd);
	return -1;
}

int link_accept(int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0)
		return complain(errno, NULL, "cannot accept the camera");
	if (check_peer(fd)) {
		close(fd);
		return -1;
	}
	return fd;
}

int link_connect(const char *path, int signal_fd, unsigned int wait_s)
{
	unsigned long long end = now_ns() + wait_s * NSEC_PER_SEC;
	struct sockaddr_un addr;
	int fd;

	fd = link_socket(path, &addr);
	if (fd < 0)
		return -1;

	while (connect(fd, (struct sockaddr *)&addr, sizeof(addr))) {
		if ((errno != ENOENT && errno != ECONNREFUSED) ||
		    now_ns() >= end) {
			complain(errno, "start dmabuf-display first, with the same --socket",
				 "no display listens at %s", path);
			goto fail;
		}
		switch (wait_readable(-1, signal_fd, CONNECT_INTERVAL_MS)) {
		case WAIT_TIMEOUT:
			break;
		case WAIT_SIGNAL:
			complain(0, NULL, "interrupted while waiting for a display");
			goto fail;
		default:
			goto fail;
		}
	}
	if (check_peer(fd))
		goto fail;
	return fd;

fail:
	close(fd);
	return -1;
}

int link_send(int sock, enum link_type type, struct link_msg *msg,
	      const int *fds, unsigned int nr_fds)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(LINK_MAX_BUFFERS * sizeof(int))];
	} control = { 0 };
	struct iovec iov = { .iov_base = msg, .iov_len = sizeof(*msg) };
	struct msghdr hdr = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *cmsg;
	ssize_t ret;

	msg->magic = LINK_MAGIC;
	msg->version = LINK_VERSION;
	msg->type = type;

	if (nr_fds) {
		hdr.msg_control = control.bytes;
		hdr.msg_controllen = CMSG_SPACE(nr_fds * sizeof(int));
		cmsg = CMSG_FIRSTHDR(&hdr);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(nr_fds * sizeof(int));
		memcpy(CMSG_DATA(cmsg), fds, nr_fds * sizeof(int));
	}

	do {
		ret = sendmsg(sock, &hdr, MSG_NOSIGNAL);
	} while (ret < 0 && errno == EINTR);

	if (ret < 0)
		return complain(errno, "look at the other program's last message",
				"cannot send to the other side");
	return 0;
}

/*
 * Move the descriptors of @hdr to @fds and return their number. Those that do
 * not fit are closed, or all of them if @fds is NULL.
 */
static unsigned int take_fds(struct msghdr *hdr, int *fds)
{
	unsigned int nr = 0, i, count;
	struct cmsghdr *cmsg;
	int fd;

	for (cmsg = CMSG_FIRSTHDR(hdr); cmsg; cmsg = CMSG_NXTHDR(hdr, cmsg)) {
		if (cmsg->cmsg_level != SOL_SOCKET ||
		    cmsg->cmsg_type != SCM_RIGHTS)
			continue;
		count = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (i = 0; i < count; i++) {
			memcpy(&fd, CMSG_DATA(cmsg) + i * sizeof(int), sizeof(fd));
			if (fds && nr < LINK_MAX_BUFFERS)
				fds[nr++] = fd;
			else
				close(fd);
		}
	}
	return nr;
}

int link_recv(int sock, struct link_msg *msg, int *fds, unsigned int *nr_fds)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(LINK_MAX_BUFFERS * sizeof(int))];
	} control;
	struct iovec iov = { .iov_base = msg, .iov_len = sizeof(*msg) };
	struct msghdr hdr = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	const char *hint = "use both programs from the same build";
	unsigned int nr;
	ssize_t ret;

	do {
		ret = recvmsg(sock, &hdr, MSG_CMSG_CLOEXEC);
	} while (ret < 0 && errno == EINTR);

	if (ret < 0 && errno == ECONNRESET)
		return 0;
	if (ret < 0)
		return complain(errno, NULL, "cannot receive from the other side");

	nr = take_fds(&hdr, fds);
	if (nr_fds)
		*nr_fds = nr;
	if (!ret)
		return 0;

	if (ret != sizeof(*msg) || msg->magic != LINK_MAGIC)
		complain(0, hint, "a message of %zd bytes is not of this protocol",
			 ret);
	else if (msg->version != LINK_VERSION)
		complain(0, hint, "the other side speaks version %u, this one %u",
			 msg->version, LINK_VERSION);
	else if (hdr.msg_flags & (MSG_TRUNC | MSG_CTRUNC))
		complain(0, "raise the limit of open files (ulimit -n)",
			 "some descriptors of the other side were not received");
	else
		return 1;

	while (nr)
		close(fds[--nr]);
	return -1;
}
