// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * requests: what a real client gets: whole requests, from connect() to the last byte of the answer.
 *
 *   requests serve PORT PARKING        answers at PORT; connections to PARKING stay in the accept queue; until SIGTERM
 *   requests ask ADDR PORT COUNT SECONDS
 *                                      so many, evenly over so many seconds; prints "ms TIME" for each that was answered within
 *                                      LIMIT_MS, and "done N of COUNT"
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define COUNT_MAX 4096
#define LIMIT_MS 2000.0
#define QUESTION 100
#define ANSWER 1000
#define BACKLOG 4096
#define PARKED_MAX (1 << 22)

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void die(const char *what)
{
	fprintf(stderr, "requests: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* ---- server ---- */

static int listen_at(int port, int backlog)
{
	struct sockaddr_in any = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (fd < 0 || bind(fd, (struct sockaddr *)&any, sizeof(any)) || listen(fd, backlog))
		die("cannot listen");
	return fd;
}

static void answer(int fd)
{
	char bytes[ANSWER] = { 0 };

	if (recv(fd, bytes, sizeof(bytes), 0) > 0)
		send(fd, bytes, sizeof(bytes), MSG_NOSIGNAL);
	close(fd);
}

static void take(int epoll, int service)
{
	struct epoll_event event = { .events = EPOLLIN };

	while ((event.data.fd = accept4(service, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0)
		epoll_ctl(epoll, EPOLL_CTL_ADD, event.data.fd, &event);
}

static void serve(int port, int parking)
{
	int service = listen_at(port, BACKLOG), epoll = epoll_create1(0), i, n;
	struct epoll_event event = { .events = EPOLLIN, .data.fd = service }, events[64];

	listen_at(parking, PARKED_MAX);
	if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, service, &event))
		die("cannot wait");
	puts("ready");
	fflush(stdout);
	for (;;) {
		n = epoll_wait(epoll, events, 64, -1);
		for (i = 0; i < n; i++) {
			if (events[i].data.fd == service)
				take(epoll, service);
			else
				answer(events[i].data.fd);
		}
	}
}

/* ---- client ---- */

struct request {
	int fd; /* -1: over, or not begun */
	int asked;
	int got;
	double began_ms;
};

static void begin(struct request *r, const struct sockaddr_in *to)
{
	r->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	r->began_ms = now_ms();
	if (r->fd < 0 || (connect(r->fd, (const struct sockaddr *)to, sizeof(*to)) && errno != EINPROGRESS))
		die("cannot begin");
}

/* 1: answered, 0: goes on, -1: failed */
static int proceed(struct request *r)
{
	char bytes[ANSWER] = { 0 };
	ssize_t n;

	if (!r->asked) {
		r->asked = 1;
		return send(r->fd, bytes, QUESTION, MSG_NOSIGNAL) == QUESTION ? 0 : -1;
	}
	n = recv(r->fd, bytes, sizeof(bytes), 0);
	if (n <= 0)
		return -1;
	r->got += (int)n;
	return r->got >= ANSWER;
}

/* Takes what has come, and gives up what takes too long. Returns how many were answered. */
static int look(struct request *requests, int begun)
{
	static struct pollfd polls[COUNT_MAX];
	int i, answered = 0, how;

	for (i = 0; i < begun; i++)
		polls[i] = (struct pollfd){ requests[i].fd, requests[i].asked ? POLLIN : POLLOUT, 0 };
	poll(polls, (nfds_t)begun, 1);
	for (i = 0; i < begun; i++) {
		struct request *r = &requests[i];
		double took = now_ms() - r->began_ms;

		if (r->fd < 0)
			continue;
		how = took >= LIMIT_MS ? -1 : polls[i].revents ? proceed(r) : 0;
		if (how > 0) {
			printf("ms %.3f\n", took);
			answered++;
		}
		if (how) {
			close(r->fd);
			r->fd = -1;
		}
	}
	return answered;
}

static int ask(const struct sockaddr_in *to, int count, double seconds)
{
	static struct request requests[COUNT_MAX];
	int begun = 0, answered = 0, first = 0;
	double start = now_ms();

	while (first < count) {
		while (begun < count && now_ms() >= start + seconds * 1e3 * begun / count)
			begin(&requests[begun++], to);
		answered += look(requests + first, begun - first);
		while (first < begun && requests[first].fd < 0)
			first++;
	}
	printf("done %d of %d\n", answered, count);
	return 0;
}

int main(int argc, char **argv)
{
	struct sockaddr_in to = { .sin_family = AF_INET };

	if (argc == 4 && !strcmp(argv[1], "serve"))
		serve(atoi(argv[2]), atoi(argv[3]));
	if (argc == 6 && !strcmp(argv[1], "ask") && inet_pton(AF_INET, argv[2], &to.sin_addr) == 1 && atoi(argv[4]) > 0 &&
	    atoi(argv[4]) <= COUNT_MAX) {
		to.sin_port = htons((uint16_t)atoi(argv[3]));
		return ask(&to, atoi(argv[4]), atof(argv[5]));
	}
	fprintf(stderr, "usage: requests serve PORT PARKING | ask ADDR PORT COUNT SECONDS\n");
	return 2;
}
