// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * connects ADDR PORT COUNT SECONDS: begins so many connections, evenly over so many seconds, and closes each as soon as it is
 * open. Prints "done N of COUNT p50 MS p99 MS": how many opened within LIMIT_MS, and how long those took.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define COUNT_MAX 4096
#define LIMIT_MS 2000.0

struct attempt {
	int fd; /* -1: over, or not begun */
	double began_ms;
};

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void begin(struct attempt *a, const struct sockaddr_in *to)
{
	a->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	a->began_ms = now_ms();
	if (a->fd < 0 || (connect(a->fd, (const struct sockaddr *)to, sizeof(*to)) && errno != EINPROGRESS)) {
		perror("connects: cannot begin");
		exit(1);
	}
}

/* Takes what has opened, and gives up what takes too long. Returns how many opened; their times go to ms. */
static int look(struct attempt *attempts, int begun, double *ms)
{
	static struct pollfd polls[COUNT_MAX];
	int i, opened = 0, error;
	socklen_t size = sizeof(error);

	for (i = 0; i < begun; i++)
		polls[i] = (struct pollfd){ .fd = attempts[i].fd, .events = POLLOUT };
	poll(polls, (nfds_t)begun, 1);
	for (i = 0; i < begun; i++) {
		struct attempt *a = &attempts[i];
		double took = now_ms() - a->began_ms;

		if (a->fd < 0 || (!polls[i].revents && took < LIMIT_MS))
			continue;
		error = 0;
		getsockopt(a->fd, SOL_SOCKET, SO_ERROR, &error, &size);
		if (polls[i].revents && !error && took < LIMIT_MS)
			ms[opened++] = took;
		close(a->fd);
		a->fd = -1;
	}
	return opened;
}

int main(int argc, char **argv)
{
	static struct attempt attempts[COUNT_MAX];
	static double ms[COUNT_MAX];
	struct sockaddr_in to = { .sin_family = AF_INET };
	int count = argc == 5 ? atoi(argv[3]) : 0, begun = 0, opened = 0;
	double seconds = argc == 5 ? atof(argv[4]) : 0, start;

	if (count < 1 || count > COUNT_MAX || seconds <= 0 || inet_pton(AF_INET, argv[1], &to.sin_addr) != 1) {
		fprintf(stderr, "usage: connects ADDR PORT COUNT SECONDS\n");
		return 2;
	}
	to.sin_port = htons((uint16_t)atoi(argv[2]));
	start = now_ms();
	while (now_ms() < start + seconds * 1e3 + LIMIT_MS) {
		while (begun < count && now_ms() >= start + seconds * 1e3 * begun / count)
			begin(&attempts[begun++], &to);
		opened += look(attempts, begun, ms + opened);
	}
	qsort(ms, (size_t)opened, sizeof(*ms), by_size);
	printf("done %d of %d p50 %.2f p99 %.2f\n", opened, count, opened ? ms[opened / 2] : 0,
	       opened ? ms[opened * 99 / 100] : 0);
	return 0;
}
