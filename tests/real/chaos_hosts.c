// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* chaos: the applications of both hosts, by ordinary sockets that never block. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "real/chaos.h"

#define FIRST_LISTENER 9000
#define LISTENERS 5
#define FIRST_CLIENT 20000
#define CLIENT_PORTS 600 /* few: 4-tuples are used again */
#define NOBODY_LISTENS 9500

enum listening { ORDINARY, LAZY, SMALL_WINDOW, LATE, COMES_AND_GOES };

static const struct options *opt;
static int listener[HOSTS][2][LISTENERS];
static int inside = -1; /* the host whose namespace we are in */

static void go_to(unsigned host)
{
	if (inside != (int)host)
		enter(opt->netns[host]);
	inside = (int)host;
}

static socklen_t address(struct sockaddr_storage *out, bool v6, unsigned host, uint16_t port)
{
	struct sockaddr_in6 *six = (void *)out;
	struct sockaddr_in *four = (void *)out;

	memset(out, 0, sizeof(*out));
	if (!v6) {
		four->sin_family = AF_INET;
		four->sin_port = htons(port);
		inet_pton(AF_INET, host ? "192.0.2.2" : "192.0.2.1", &four->sin_addr);
		return sizeof(*four);
	}
	six->sin6_family = AF_INET6;
	six->sin6_port = htons(port);
	inet_pton(AF_INET6, host ? "2001:db8::2" : "2001:db8::1", &six->sin6_addr);
	return sizeof(*six);
}

static void set(int fd, int level, int name, int value)
{
	setsockopt(fd, level, name, &value, sizeof(value));
}

static int new_socket(bool v6)
{
	int fd = socket(v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		die("cannot make", "a socket");
	set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	if (v6)
		set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
	return fd;
}

/* ---- listeners ---- */
static void listen_there(unsigned host, bool v6, unsigned kind)
{
	struct sockaddr_storage at;
	socklen_t len = address(&at, v6, host, (uint16_t)(FIRST_LISTENER + kind));
	int fd;

	go_to(host);
	fd = new_socket(v6);
	if (kind == SMALL_WINDOW)
		set(fd, SOL_SOCKET, SO_RCVBUF, 2304);
	if (kind == LATE)
		set(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, 1);
	if (bind(fd, (struct sockaddr *)&at, len) || listen(fd, kind == LAZY ? 2 : 64)) {
		close(fd); /* an old connection of this port may be in the way: the next time then */
		fd = -1;
	}
	listener[host][v6][kind] = fd;
}

void hosts_open(const struct options *options)
{
	opt = options;
	inside = -1;
	for (unsigned i = 0; i < HOSTS * 2 * LISTENERS; i++)
		listen_there(i % 2, i / 2 % 2, i / 4);
}

static void take_connection(unsigned host, bool v6, int fd)
{
	struct sockaddr_storage peer;
	socklen_t len = sizeof(peer);
	uint16_t local, remote;
	struct conn *c;

	if (getpeername(fd, (struct sockaddr *)&peer, &len)) {
		close(fd); /* reset in the queue */
		return;
	}
	remote = ntohs(((struct sockaddr_in *)&peer)->sin_port); /* sin6_port is at the same place */
	len = sizeof(peer);
	getsockname(fd, (struct sockaddr *)&peer, &len);
	local = ntohs(((struct sockaddr_in *)&peer)->sin_port);
	c = conn_of(v6, host ? remote : local, host ? local : remote);
	if (!c) {
		close(fd);
		return;
	}
	if (c->fd[host] >= 0)
		close(c->fd[host]);
	c->fd[host] = fd;
	c->wr_shut[host] = false;
	c->stirred[host] = true;
	conn_note(c, 'c', host, "accept");
}

static void accept_some(void)
{
	unsigned host = chance(HOSTS), kind = chance(LISTENERS);
	bool v6 = percent(50);
	int fd, room = kind == LAZY ? percent(10) : 8;

	for (; room > 0 && listener[host][v6][kind] >= 0; room--) {
		fd = accept4(listener[host][v6][kind], NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0)
			return;
		take_connection(host, v6, fd);
	}
}

static void come_or_go(void)
{
	unsigned host = chance(HOSTS);
	bool v6 = percent(50);
	int *fd = &listener[host][v6][COMES_AND_GOES];

	if (!percent(10))
		return;
	if (*fd < 0) {
		listen_there(host, v6, COMES_AND_GOES);
		return;
	}
	close(*fd);
	*fd = -1;
}

/* ---- calls ---- */
/* Is there data that has not been sent? Then the FIN of a close waits behind it, in the socket. */
static void note_unsent(struct conn *c, unsigned host)
{
	int bytes = 0;

	c->unsent[host] |= !ioctl(c->fd[host], SIOCOUTQNSD, &bytes) && bytes;
}

static void hang_up(struct conn *c, unsigned host, bool hard)
{
	struct linger linger = { .l_onoff = 1 };

	if (hard)
		setsockopt(c->fd[host], SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	conn_note(c, 'c', host, hard ? "abort" : "close");
	c->stirred[host] = true;
	c->aborted[host] |= hard;
	note_unsent(c, host);
	close(c->fd[host]);
	c->fd[host] = -1;
}

static void set_options(int fd)
{
	if (percent(20))
		set(fd, SOL_SOCKET, SO_RCVBUF, 2304);
	if (percent(50))
		set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	if (percent(15)) {
		set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
		set(fd, IPPROTO_TCP, TCP_KEEPIDLE, 1);
		set(fd, IPPROTO_TCP, TCP_KEEPINTVL, 1);
		set(fd, IPPROTO_TCP, TCP_KEEPCNT, 2);
	}
}

static void dial(unsigned host, bool v6, uint16_t from, uint16_t to)
{
	struct conn *c = conn_of(v6, host ? to : from, host ? from : to);
	struct sockaddr_storage at;
	socklen_t len;
	int fd;

	if (!c || c->fd[host] >= 0)
		return;
	go_to(host);
	fd = new_socket(v6);
	set_options(fd);
	len = address(&at, v6, host, from);
	if (bind(fd, (struct sockaddr *)&at, len)) {
		close(fd);
		return;
	}
	len = address(&at, v6, !host, to);
	c->deaf[0] = c->deaf[1] = false;
	if (percent(5))
		c->deaf[percent(50)] = true;
	c->client = (uint8_t)host;
	conn_note(c, 'c', host, "connect");
	c->stirred[host] = true;
	if (connect(fd, (struct sockaddr *)&at, len) && errno != EINPROGRESS) {
		conn_note(c, 'c', host, "connect failed")->len = (uint32_t)errno;
		close(fd);
		return;
	}
	c->fd[host] = fd;
	c->wr_shut[host] = false;
}

static void dial_some(void)
{
	uint16_t from = (uint16_t)(FIRST_CLIENT + chance(CLIENT_PORTS));
	uint16_t to = (uint16_t)(percent(3) ? NOBODY_LISTENS : FIRST_LISTENER + chance(LISTENERS));

	dial(chance(HOSTS), percent(50), from, to);
}

/* The port of a connection that is there already, or of one that was: by bind. */
static void dial_again(struct conn *c)
{
	if (c->port[!c->client] < FIRST_CLIENT)
		dial(c->client, c->v6, c->port[c->client], c->port[!c->client]);
}

/* Both ends open at once (RFC 9293 figure 8): neither SYN is answered by a listener. */
static void dial_both(void)
{
	uint16_t a = (uint16_t)(FIRST_CLIENT + 10000 + chance(500)), b = (uint16_t)(FIRST_CLIENT + 10000 + chance(500));
	bool v6 = percent(50);

	dial(0, v6, a, b);
	dial(1, v6, b, a);
}

static void say(struct conn *c, unsigned host, size_t len)
{
	static const char zeros[65536];
	ssize_t sent = send(c->fd[host], zeros, len, MSG_NOSIGNAL | (percent(3) ? MSG_OOB : 0));

	conn_note(c, 'c', host, sent < 0 ? "send failed" : "send")->len = (uint32_t)(sent < 0 ? errno : sent);
	c->stirred[host] = true;
}

static void hear(struct conn *c, unsigned host, size_t most)
{
	static char buf[65536];
	ssize_t got = recv(c->fd[host], buf, most, 0);

	conn_note(c, 'c', host, got < 0 ? "receive failed" : "receive")->len = (uint32_t)(got < 0 ? errno : got);
	c->stirred[host] = true;
}

static void shut(struct conn *c, unsigned host, int how)
{
	conn_note(c, 'c', host, how == SHUT_WR ? "shutdown(WR)" : "shutdown(RD)");
	c->stirred[host] = true;
	note_unsent(c, host);
	shutdown(c->fd[host], how);
	c->wr_shut[host] |= how == SHUT_WR;
}

static void disconnect(struct conn *c, unsigned host)
{
	struct sockaddr none = { .sa_family = AF_UNSPEC };

	conn_note(c, 'c', host, "disconnect");
	c->stirred[host] = true;
	c->aborted[host] = true;
	connect(c->fd[host], &none, sizeof(none));
	close(c->fd[host]);
	c->fd[host] = -1;
}

static void act_on(struct conn *c, unsigned host, unsigned what)
{
	if (what < 30)
		say(c, host, 1 + chance(2000));
	else if (what < 38)
		say(c, host, 65536);
	else if (what < 58)
		hear(c, host, 65536);
	else if (what < 64)
		hear(c, host, 1 + chance(500));
	else if (what < 76)
		shut(c, host, SHUT_WR);
	else if (what < 77)
		shut(c, host, SHUT_RD);
	else if (what < 92)
		hang_up(c, host, false);
	else if (what < 97)
		hang_up(c, host, true);
	else if (what < 98)
		disconnect(c, host);
	else
		c->deaf[host] = !c->deaf[host];
}

void hosts_act(void)
{
	struct conn *c = conn_some();
	unsigned what = chance(100), host = chance(HOSTS);

	if (!c || what < 10) {
		dial_some();
	} else if (what < 11) {
		dial_both();
	} else if (what < 16) {
		dial_again(c);
	} else if (what < 28) {
		accept_some();
	} else if (what < 29) {
		come_or_go();
	} else if (what < 44 && opt->hostile) {
		wire_invent(c);
	} else if (what < 46 && opt->hostile) {
		wire_repeat(c);
	} else {
		if (c->fd[host] < 0)
			host = !host;
		if (c->fd[host] >= 0)
			act_on(c, host, chance(100));
	}
}

struct conn *hosts_plant(void)
{
	for (unsigned i = conn_count; i-- > 0;) {
		struct conn *c = &conns[i];
		struct tcp_info info = { 0 };
		socklen_t len = sizeof(info);

		/* not one for which a difference would be known: of what was accepted the listener may have lost the ACK */
		if (c->fd[0] < 0 || c->fd[1] < 0 || c->client != 0 || c->forged || c->no_room[0] || c->held[0])
			continue;
		if (getsockopt(c->fd[0], IPPROTO_TCP, TCP_INFO, &info, &len) || info.tcpi_state != TCP_ESTABLISHED)
			continue;
		conn_note(c, 'c', 0, "taken away");
		c->stirred[0] = true;
		set(c->fd[0], IPPROTO_TCP, TCP_REPAIR, 1); /* closed so, it says nothing */
		close(c->fd[0]);
		c->fd[0] = -1;
		return c;
	}
	return NULL;
}
