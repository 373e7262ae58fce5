// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * mischief: applications that use TCP badly, by ordinary sockets.
 *
 *   mischief sink PORT                    accepts, and never reads
 *   mischief closer PORT                  accepts, and closes at once
 *   mischief stuck PORT                   never accepts: its queue holds nine
 *   mischief push ADDR PORT               sends as much as goes
 *   mischief talk ADDR PORT LPORT         sends 100 bytes five times a second
 *   mischief finish ADDR PORT             closes its half, and waits for the other one
 *   mischief connect ADDR PORT N          N connections at once, held
 *   mischief reuse ADDR PORT LPORT N      N connections one after another from one port, closed by the server first
 *   mischief scan ADDR PORT N             tries N ports
 *
 * All print "ready" when they have begun, "done" when they are through, and stay until SIGTERM.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void say(const char *what)
{
	puts(what);
	fflush(stdout);
}

static void die(const char *what)
{
	fprintf(stderr, "mischief: %s: %s\n", what, strerror(errno));
	exit(1);
}

static struct sockaddr_in address(const char *text, const char *port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port)) };

	if (inet_pton(AF_INET, text, &a.sin_addr) != 1)
		die(text);
	return a;
}

/* lport 0: any */
static int dial(const struct sockaddr_in *to, int lport)
{
	struct sockaddr_in from = { .sin_family = AF_INET, .sin_port = htons((uint16_t)lport) };
	int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (lport && bind(fd, (struct sockaddr *)&from, sizeof(from)))
		die("bind");
	if (connect(fd, (const struct sockaddr *)to, sizeof(*to))) {
		close(fd);
		return -1;
	}
	return fd;
}

enum service { SINK, CLOSER, STUCK };

static _Noreturn void serve(int port, enum service how)
{
	struct sockaddr_in any = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1, small = 4096, conn;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (how == SINK)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	if (fd < 0 || bind(fd, (struct sockaddr *)&any, sizeof(any)) || listen(fd, how == STUCK ? 8 : 64))
		die("listen");
	say("ready");
	while (how == STUCK)
		pause();
	for (;;) {
		conn = accept(fd, NULL, NULL);
		if (conn >= 0 && how == CLOSER)
			close(conn);
	}
}

static int push(const struct sockaddr_in *to)
{
	static const char zeros[65536];
	int fd = dial(to, 0);

	if (fd < 0)
		die("connect");
	say("ready");
	while (send(fd, zeros, sizeof(zeros), MSG_NOSIGNAL) > 0)
		;
	return 0;
}

static int talk(const struct sockaddr_in *to, int lport)
{
	static const char zeros[100];
	int fd = dial(to, lport);

	if (fd < 0)
		die("connect");
	say("ready");
	while (send(fd, zeros, sizeof(zeros), MSG_NOSIGNAL | MSG_DONTWAIT) > 0 || errno == EAGAIN)
		usleep(200000);
	say("done");
	pause();
	return 0;
}

static int finish(const struct sockaddr_in *to)
{
	int fd = dial(to, 0);

	if (fd < 0 || shutdown(fd, SHUT_WR))
		die("connect");
	say("ready");
	pause();
	return 0;
}

static int connect_at_once(const struct sockaddr_in *to, int count)
{
	int fd;

	for (int i = 0; i < count; i++) {
		fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		if (connect(fd, (const struct sockaddr *)to, sizeof(*to)) && errno != EINPROGRESS)
			die("connect");
	}
	say("ready");
	pause();
	return 0;
}

static int reuse(const struct sockaddr_in *to, int lport, int count)
{
	char byte;
	int fd;

	say("ready");
	for (int i = 0; i < count; i++) {
		fd = dial(to, lport);
		if (fd < 0)
			die("connect");
		while (read(fd, &byte, 1) > 0)
			;
		close(fd);
		usleep(100000);
	}
	say("done");
	pause();
	return 0;
}

static int scan(struct sockaddr_in *to, int count)
{
	int fd;

	for (int i = 0; i < count; i++) {
		fd = dial(to, 0);
		if (fd >= 0)
			close(fd);
		to->sin_port = htons((uint16_t)(ntohs(to->sin_port) + 1));
	}
	say("done");
	pause();
	return 0;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	struct sockaddr_in to;

	if (argc == 3 && !strcmp(what, "sink"))
		serve(atoi(argv[2]), SINK);
	if (argc == 3 && !strcmp(what, "closer"))
		serve(atoi(argv[2]), CLOSER);
	if (argc == 3 && !strcmp(what, "stuck"))
		serve(atoi(argv[2]), STUCK);
	if (argc >= 4)
		to = address(argv[2], argv[3]);
	if (argc == 4 && !strcmp(what, "push"))
		return push(&to);
	if (argc == 5 && !strcmp(what, "talk"))
		return talk(&to, atoi(argv[4]));
	if (argc == 4 && !strcmp(what, "finish"))
		return finish(&to);
	if (argc == 5 && !strcmp(what, "connect"))
		return connect_at_once(&to, atoi(argv[4]));
	if (argc == 6 && !strcmp(what, "reuse"))
		return reuse(&to, atoi(argv[4]), atoi(argv[5]));
	if (argc == 5 && !strcmp(what, "scan"))
		return scan(&to, atoi(argv[4]));
	fprintf(stderr, "usage: mischief sink|closer|stuck PORT | push|finish ADDR PORT | talk ADDR PORT LPORT | connect|scan ADDR PORT N"
			" | reuse ADDR PORT LPORT N\n");
	return 2;
}
