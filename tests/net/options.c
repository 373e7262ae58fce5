/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * options: many short connections, and what each end made of the handshake.
 *
 *   options serve PORT [mptcp] [rcvbuf BYTES] [first]
 *                                               accepts, prints a line a connection, echoes until the peer closes; "first":
 *                                               echoes once and closes first, so that TIME-WAIT is here
 *   options connect ADDR PORT COUNT [port N] [mss N] [rcvbuf BYTES] [bytes N] [first] [hold]
 *                                               COUNT connections, one after another; a line each, then "done GOOD"
 *
 * A line: "options mss=1460 snd=7 rcv=7 sack=1 ts=1 ecn=0 port=N" by TCP_INFO. With "port N" all connections leave by this
 * one; "bytes": so many are sent and must come back unchanged.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROTO_MPTCP 262
#define WAIT_MS 1500

static int port_own, mss, rcvbuf, bytes;
static bool mptcp, hold, first;

static void die(const char *what)
{
	printf("failed: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void read_words(int argc, char **argv, int at)
{
	for (; at < argc; at++) {
		int *to = !strcmp(argv[at], "port") ? &port_own : !strcmp(argv[at], "mss") ? &mss :
			  !strcmp(argv[at], "rcvbuf") ? &rcvbuf : !strcmp(argv[at], "bytes") ? &bytes : NULL;

		if (!strcmp(argv[at], "mptcp"))
			mptcp = true;
		else if (!strcmp(argv[at], "hold"))
			hold = true;
		else if (!strcmp(argv[at], "first"))
			first = true;
		else if (to && at + 1 < argc)
			*to = atoi(argv[++at]);
	}
}

static void set(int fd, int level, int name, int value)
{
	if (setsockopt(fd, level, name, &value, sizeof(value)))
		die("setsockopt");
}

static int open_socket(int family)
{
	int fd = socket(family, SOCK_STREAM, mptcp ? PROTO_MPTCP : IPPROTO_TCP);

	if (fd < 0)
		die("socket");
	set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	if (mss)
		set(fd, IPPROTO_TCP, TCP_MAXSEG, mss);
	if (rcvbuf)
		set(fd, SOL_SOCKET, SO_RCVBUF, rcvbuf);
	return fd;
}

static void tell(int fd, int port)
{
	struct tcp_info info;
	socklen_t len = sizeof(info);

	memset(&info, 0, sizeof(info));
	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len))
		die("TCP_INFO");
	printf("options mss=%u snd=%u rcv=%u ws=%d sack=%d ts=%d ecn=%d port=%d\n", info.tcpi_snd_mss, info.tcpi_snd_wscale,
	       info.tcpi_rcv_wscale, !!(info.tcpi_options & TCPI_OPT_WSCALE), !!(info.tcpi_options & TCPI_OPT_SACK),
	       !!(info.tcpi_options & TCPI_OPT_TIMESTAMPS), !!(info.tcpi_options & TCPI_OPT_ECN), port);
	fflush(stdout);
}

static void echo(int fd)
{
	char buf[65536];
	ssize_t n;

	while ((n = recv(fd, buf, sizeof(buf), 0)) > 0)
		for (ssize_t done = 0, m; done < n; done += m) {
			m = send(fd, buf + done, n - done, MSG_NOSIGNAL);
			if (m <= 0 || (first && done + m == n))
				return;
		}
}

static int serve(int port)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6, .sin6_port = htons(port) }, from;
	int fd = open_socket(AF_INET6), one;
	socklen_t len;

	if (bind(fd, (struct sockaddr *)&any, sizeof(any)) || listen(fd, 512))
		die("listen");
	puts("ready");
	fflush(stdout);
	for (;;) {
		len = sizeof(from);
		one = accept(fd, (struct sockaddr *)&from, &len);
		if (one < 0)
			continue;
		if (!fork()) {
			close(fd);
			tell(one, ntohs(from.sin6_port));
			echo(one);
			_exit(0);
		}
		close(one);
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
	}
}

static socklen_t address(struct sockaddr_storage *to, const char *text, int port)
{
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)to;
	struct sockaddr_in *four = (struct sockaddr_in *)to;

	memset(to, 0, sizeof(*to));
	if (strchr(text, ':')) {
		six->sin6_family = AF_INET6;
		six->sin6_port = htons(port);
		inet_pton(AF_INET6, text, &six->sin6_addr);
		return sizeof(*six);
	}
	four->sin_family = AF_INET;
	four->sin_port = htons(port);
	inet_pton(AF_INET, text, &four->sin_addr);
	return sizeof(*four);
}

static void bind_own(int fd, int family)
{
	struct sockaddr_storage any;
	socklen_t len = address(&any, family == AF_INET6 ? "::" : "0.0.0.0", port_own);

	if (port_own && bind(fd, (struct sockaddr *)&any, len))
		die("bind");
}

static bool connects(int fd, const struct sockaddr_storage *to, socklen_t len)
{
	struct timeval limit = { WAIT_MS / 1000, WAIT_MS % 1000 * 1000 };

	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	return !connect(fd, (const struct sockaddr *)to, len);
}

/* What is sent comes back. The pattern has no short period. */
static bool data_intact(int fd, unsigned round)
{
	static unsigned char out[1 << 20], in[1 << 20];
	int sent = 0, got = 0, size = bytes > (int)sizeof(out) ? (int)sizeof(out) : bytes;

	for (int i = 0; i < size; i++)
		out[i] = (unsigned char)((i * 2654435761U + round) >> 13);
	while (got < size) {
		struct pollfd p = { .fd = fd, .events = POLLIN | (sent < size ? POLLOUT : 0) };
		ssize_t n;

		if (poll(&p, 1, WAIT_MS) <= 0)
			return false;
		if (p.revents & POLLOUT) {
			n = send(fd, out + sent, size - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
			sent += n > 0 ? n : 0;
		}
		if (p.revents & (POLLIN | POLLHUP)) {
			n = recv(fd, in + got, size - got, MSG_DONTWAIT);
			if (n == 0 || (n < 0 && errno != EAGAIN))
				return false;
			got += n > 0 ? n : 0;
		}
	}
	return !memcmp(in, out, size);
}

static bool once(const struct sockaddr_storage *to, socklen_t len, unsigned round)
{
	int fd = open_socket(to->ss_family);
	bool good;
	char byte;

	bind_own(fd, to->ss_family);
	good = connects(fd, to, len);
	if (!good)
		printf("# connect: %s\n", strerror(errno));
	if (good && !data_intact(fd, round)) {
		printf("# data: %s\n", strerror(errno));
		good = false;
	}
	if (good)
		tell(fd, 0);
	if (hold)
		pause();
	if (good) { /* the server closes after us, so that its end is not in TIME-WAIT, unless ours is reused */
		if (!first)
			shutdown(fd, SHUT_WR);
		good = recv(fd, &byte, 1, 0) == 0;
	}
	close(fd);
	return good;
}

int main(int argc, char **argv)
{
	struct sockaddr_storage to;
	socklen_t len;
	int good = 0, i;

	if (argc >= 3 && !strcmp(argv[1], "serve")) {
		read_words(argc, argv, 3);
		return serve(atoi(argv[2]));
	}
	if (argc < 5)
		return 2;
	read_words(argc, argv, 5);
	len = address(&to, argv[2], atoi(argv[3]));
	for (i = 0; i < atoi(argv[4]); i++)
		good += once(&to, len, i);
	printf("done %d\n", good);
	return 0;
}
