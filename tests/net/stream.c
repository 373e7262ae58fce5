// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * stream: one connection on which both ends send at once, pinned to a CPU each, and the kernel's own account of it.
 *
 *   stream listen PORT BYTES CPU [MSS]
 *   stream connect ADDR PORT BYTES CPU [MSS]
 *
 * Each end sends BYTES (0: only receives) in writes of one MSS (without MSS: of 64 KiB) and receives until the peer has
 * sent all of its own. When all is acknowledged it prints "done" and struct tcp_info's counts; the connection stays until
 * SIGTERM.
 */
#include <arpa/inet.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

struct end {
	int fd, cpu, mss;
	uint64_t bytes, expected, received;
};

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void *sender(void *arg)
{
	static char zeros[65536];
	struct end *e = arg;
	uint64_t left = e->bytes;
	size_t part = e->mss ? (size_t)e->mss - 12 : sizeof(zeros); /* 12: time stamps */

	pin(e->cpu);
	while (left) {
		ssize_t sent = send(e->fd, zeros, left < part ? left : part, MSG_NOSIGNAL);

		if (sent <= 0)
			die("stream: send");
		left -= sent;
	}
	return NULL;
}

static void *receiver(void *arg)
{
	struct end *e = arg;
	char buf[65536];

	pin(e->cpu);
	while (e->received < e->expected) {
		ssize_t got = recv(e->fd, buf, sizeof(buf), 0);

		if (got <= 0)
			die("stream: recv");
		e->received += got;
	}
	return NULL;
}

/* All that was sent is acknowledged, and nothing has been on its way for 150 ms. */
static void settle(int fd)
{
	int left = 1, still = 0;
	struct tcp_info info;
	socklen_t len = sizeof(info);
	uint32_t seen = 0;

	for (int i = 0; i < 200 && still < 3; i++) {
		usleep(50000);
		ioctl(fd, SIOCOUTQ, &left);
		getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len);
		still = !left && info.tcpi_segs_in == seen ? still + 1 : 0;
		seen = info.tcpi_segs_in;
	}
}

static void account(const struct end *e)
{
	struct tcp_info info = { 0 };
	socklen_t len = sizeof(info);

	if (getsockopt(e->fd, IPPROTO_TCP, TCP_INFO, &info, &len))
		die("stream: TCP_INFO");
	printf("done segs_out %u segs_in %u bytes_sent %llu bytes_retrans %llu received %llu\n", info.tcpi_segs_out,
	       info.tcpi_segs_in, (unsigned long long)info.tcpi_bytes_sent, (unsigned long long)info.tcpi_bytes_retrans,
	       (unsigned long long)e->received);
	fflush(stdout);
}

static void set(int fd, int level, int option, int value)
{
	setsockopt(fd, level, option, &value, sizeof(value));
}

/* Before the handshake: the MSS is told in it. */
static int new_socket(int mss)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (mss)
		set(fd, IPPROTO_TCP, TCP_MAXSEG, mss);
	return fd;
}

static int accept_one(int port, int mss)
{
	struct sockaddr_in any = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = new_socket(mss), conn;

	set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	if (bind(fd, (struct sockaddr *)&any, sizeof(any)) || listen(fd, 1))
		die("stream: listen");
	puts("ready");
	fflush(stdout);
	conn = accept(fd, NULL, NULL);
	if (conn < 0)
		die("stream: accept");
	close(fd);
	return conn;
}

static int connect_to(const char *address, int port, int mss)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = new_socket(mss);

	inet_pton(AF_INET, address, &to.sin_addr);
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)))
		die("stream: connect");
	return fd;
}

int main(int argc, char **argv)
{
	int listens = argc > 1 && !strcmp(argv[1], "listen"), first = listens ? 3 : 4;
	pthread_t send_thread, receive_thread;
	struct end e = { 0 };

	if (argc < first + 2) {
		fprintf(stderr, "usage: stream listen PORT BYTES CPU [MSS] | connect ADDR PORT BYTES CPU [MSS]\n");
		return 2;
	}
	e.bytes = strtoull(argv[first], NULL, 10);
	e.cpu = atoi(argv[first + 1]);
	e.mss = argc > first + 2 ? atoi(argv[first + 2]) : 0;
	pin(e.cpu);
	e.fd = listens ? accept_one(atoi(argv[2]), e.mss) : connect_to(argv[2], atoi(argv[3]), e.mss);
	set(e.fd, IPPROTO_TCP, TCP_NODELAY, 1);
	/* first, each tells how much it will send */
	if (send(e.fd, &e.bytes, sizeof(e.bytes), MSG_NOSIGNAL) != sizeof(e.bytes) ||
	    recv(e.fd, &e.expected, sizeof(e.expected), MSG_WAITALL) != sizeof(e.expected))
		die("stream: greeting");
	if (pthread_create(&send_thread, NULL, sender, &e) || pthread_create(&receive_thread, NULL, receiver, &e))
		die("stream: thread");
	pthread_join(send_thread, NULL);
	pthread_join(receive_thread, NULL);
	settle(e.fd);
	account(&e);
	pause();
	return 0;
}
