/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* notified PATH: listens in systemd's place (NOTIFY_SOCKET=PATH) and prints what comes: a line for each assignment, with the
 * sender's pid before it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int listen_at(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int on = 1, fd = socket(AF_UNIX, SOCK_DGRAM, 0);

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) ||
	    bind(fd, (struct sockaddr *)&addr, sizeof(addr))) {
		perror(path);
		exit(1);
	}
	return fd;
}

static int sender(struct msghdr *msg)
{
	struct cmsghdr *c;

	for (c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c))
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_CREDENTIALS)
			return ((struct ucred *)CMSG_DATA(c))->pid;
	return 0;
}

int main(int argc, char **argv)
{
	char text[4096], control[256], *line, *rest;
	int fd;

	if (argc != 2)
		return 2;
	fd = listen_at(argv[1]);
	puts("ready");
	fflush(stdout);
	for (;;) {
		struct iovec io = { text, sizeof(text) - 1 };
		struct msghdr msg = { .msg_iov = &io, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control) };
		ssize_t got = recvmsg(fd, &msg, 0);

		if (got < 0)
			return 1;
		text[got] = '\0';
		for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
			printf("%d %s\n", sender(&msg), line);
		fflush(stdout);
	}
}
