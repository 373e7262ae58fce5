// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * crowd: many TCP connections by ordinary sockets. The client decides how each one goes and tells the server in its first
 * bytes, so that one port serves all kinds.
 *
 *   crowd serve PORT                          until SIGTERM
 *   crowd load ADDR PORT N ABREAST KINDS [FROM COUNT]
 *                                             N connections, the kinds in turn; prints "done N failed F", and holds those
 *                                             that stay open until SIGTERM; from COUNT addresses from FROM on, in turn
 *   crowd hold ADDR PORT N                    N idle connections; each SIGUSR1 sends 1000 bytes there and back on all
 *
 * Kinds, one letter each: see the table.
 */
#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define REQUEST 300
#define ECHO 1000
#define ABORTED_AFTER 20000
#define PATIENCE_S 8
#define TOGETHER_NS 60000000 /* both ends close so long after the request was made */

enum closing {
	CLIENT_CLOSES,
	SERVER_CLOSES,
	HALF_CLOSE,
	CLIENT_RESETS,
	CLIENT_ABORTS,
	SERVER_RESETS,
	TOGETHER,
	LEAK,
	STAY,
	AT_ONCE,
	REFUSED,
	ECHOES
};

struct kind {
	char letter;
	enum closing closing;
	uint32_t answer; /* bytes from the server */
};

static const struct kind kinds[] = {
	{ 'n', CLIENT_CLOSES, 5000 },	/* the client closes first */
	{ 's', SERVER_CLOSES, 5000 },	/* the server does */
	{ 'h', HALF_CLOSE, 20000 },	/* the client closes its half before the answer */
	{ 'r', CLIENT_RESETS, 2000 },	/* SO_LINGER 0 */
	{ 'a', CLIENT_ABORTS, 400000 },	/* closes with most of the answer unread */
	{ 'R', SERVER_RESETS, 0 },	/* with the request unanswered */
	{ 'c', TOGETHER, 100 },		/* both close at the same moment, nearly */
	{ 'l', LEAK, 100 },		/* the server never closes */
	{ 'i', STAY, 100 },		/* both stay */
	{ 'b', CLIENT_CLOSES, 400000 }, /* a big answer */
	{ 't', AT_ONCE, 0 },		/* opened and closed without a byte */
	{ 'x', REFUSED, 0 },		/* at the next port, where nobody listens */
};

/* What the client sends first, REQUEST bytes with what follows. */
struct ask {
	uint32_t closing;
	uint32_t answer;
	uint64_t close_at_ns;
};

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ULL + t.tv_nsec;
}

static void sleep_until(uint64_t at_ns)
{
	struct timespec t = { .tv_sec = at_ns / 1000000000, .tv_nsec = at_ns % 1000000000 };

	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
}

static void give_up_after(int fd, int seconds)
{
	struct timeval patience = { .tv_sec = seconds };

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
}

static int send_bytes(int fd, const void *first, size_t first_len, size_t len)
{
	char buf[16384] = { 0 };

	memcpy(buf, first, first_len);
	while (len) {
		ssize_t sent = send(fd, buf, len < sizeof(buf) ? len : sizeof(buf), MSG_NOSIGNAL);

		if (sent <= 0)
			return -1;
		len -= sent;
	}
	return 0;
}

static size_t read_bytes(int fd, void *first, size_t first_len, size_t len)
{
	size_t got = 0;
	char buf[16384];

	while (got < len) {
		ssize_t n = recv(fd, buf, len - got < sizeof(buf) ? len - got : sizeof(buf), 0);

		if (n <= 0)
			break;
		if (got < first_len)
			memcpy((char *)first + got, buf, (size_t)n < first_len - got ? (size_t)n : first_len - got);
		got += n;
	}
	return got;
}

static void close_by_reset(int fd)
{
	struct linger hard = { .l_onoff = 1 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	close(fd);
}

static void start_thread(void *(*fn)(void *), void *arg)
{
	pthread_attr_t attr;
	pthread_t thread;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 128 * 1024);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	if (pthread_create(&thread, &attr, fn, arg)) {
		fprintf(stderr, "crowd: too many threads\n");
		exit(1);
	}
	pthread_attr_destroy(&attr);
}

/* ---- server ---- */

static void *answer(void *arg)
{
	int fd = (int)(intptr_t)arg;
	struct ask ask = { 0 };

	if (read_bytes(fd, &ask, sizeof(ask), REQUEST) < REQUEST)
		goto out;
	if (ask.closing == SERVER_RESETS) {
		close_by_reset(fd);
		return NULL;
	}
	if (ask.closing == HALF_CLOSE)
		read_bytes(fd, NULL, 0, SIZE_MAX);
	send_bytes(fd, NULL, 0, ask.answer);
	switch (ask.closing) {
	case CLIENT_CLOSES:
	case CLIENT_RESETS:
	case CLIENT_ABORTS:
		read_bytes(fd, NULL, 0, SIZE_MAX);
		break;
	case TOGETHER:
		sleep_until(ask.close_at_ns);
		break;
	case LEAK:
	case STAY:
		return NULL; /* the descriptor stays open */
	case ECHOES:
		while (read_bytes(fd, NULL, 0, ECHO) == ECHO)
			send_bytes(fd, NULL, 0, ECHO);
		break;
	}
out:
	close(fd);
	return NULL;
}

static int serve(int port)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	int fd = socket(AF_INET6, SOCK_STREAM, 0), on = 1, conn;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (fd < 0 || bind(fd, (struct sockaddr *)&any, sizeof(any)) || listen(fd, 4096)) {
		perror("crowd: listen");
		return 1;
	}
	puts("ready");
	fflush(stdout);
	for (;;) {
		conn = accept(fd, NULL, NULL);
		if (conn >= 0)
			start_thread(answer, (void *)(intptr_t)conn);
	}
}

/* ---- client ---- */

static struct sockaddr_storage server, closed_port, first_client;
static socklen_t server_len;
static int clients;
static const char *wanted;
static int next_one, total, failed, finished;

static void set_server(const char *address, const char *port)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST }, *to;

	if (getaddrinfo(address, port, &hints, &to)) {
		fprintf(stderr, "crowd: bad address '%s'\n", address);
		exit(2);
	}
	memcpy(&server, to->ai_addr, to->ai_addrlen);
	server_len = to->ai_addrlen;
	closed_port = server;
	((struct sockaddr_in *)&closed_port)->sin_port = htons(atoi(port) + 1); /* sin6_port is at the same place */
	freeaddrinfo(to);
}

static const struct kind *find_kind(char letter)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		if (kinds[i].letter == letter)
			return &kinds[i];
	fprintf(stderr, "crowd: no kind '%c'\n", letter);
	exit(2);
}

/* The n-th connection's own address; its port is chosen when it connects, so that each address has all of them. */
static void bind_client(int fd, int n)
{
	struct sockaddr_storage from = first_client;
	uint8_t *last = server.ss_family == AF_INET ? (uint8_t *)&((struct sockaddr_in *)&from)->sin_addr + 3 :
						      (uint8_t *)&((struct sockaddr_in6 *)&from)->sin6_addr + 15;
	int on = 1;

	if (!clients)
		return;
	*last = (uint8_t)(*last + n % clients);
	setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&from, server_len)) {
		perror("crowd: bind");
		exit(1);
	}
}

/* 0: it went as planned */
static int converse(const struct kind *kind, int n)
{
	int fd = socket(server.ss_family, SOCK_STREAM, 0), refused = kind->closing == REFUSED;
	struct ask ask = { kind->closing, kind->answer, now_ns() + TOGETHER_NS };
	size_t got;

	give_up_after(fd, PATIENCE_S);
	bind_client(fd, n);
	if (connect(fd, (struct sockaddr *)(refused ? &closed_port : &server), server_len)) {
		close(fd);
		return !refused;
	}
	if (kind->closing == AT_ONCE)
		return close(fd);
	send_bytes(fd, &ask, sizeof(ask), REQUEST);
	if (kind->closing == HALF_CLOSE)
		shutdown(fd, SHUT_WR);
	if (kind->closing == CLIENT_ABORTS) {
		got = read_bytes(fd, NULL, 0, ABORTED_AFTER);
		close(fd);
		return got != ABORTED_AFTER;
	}
	got = read_bytes(fd, NULL, 0, kind->answer);
	switch (kind->closing) {
	case SERVER_CLOSES:
	case SERVER_RESETS:
	case HALF_CLOSE:
		read_bytes(fd, NULL, 0, SIZE_MAX);
		break;
	case TOGETHER:
		sleep_until(ask.close_at_ns);
		break;
	case CLIENT_RESETS:
		close_by_reset(fd);
		return got != kind->answer;
	case STAY:
		return got != kind->answer;
	default:
		break;
	}
	close(fd);
	return got != kind->answer;
}

static void *work(void *arg)
{
	size_t letters = strlen(wanted);

	(void)arg;
	for (;;) {
		int n = __sync_fetch_and_add(&next_one, 1);

		if (n >= total)
			break;
		if (converse(find_kind(wanted[n % letters]), n))
			__sync_fetch_and_add(&failed, 1);
	}
	__sync_fetch_and_add(&finished, 1);
	return NULL;
}

static int load(const char *address, const char *port, int count, int abreast, const char *letters)
{
	const struct timespec nap = { .tv_nsec = 10000000 };

	set_server(address, port);
	wanted = letters;
	total = count;
	for (int i = 0; i < abreast; i++)
		start_thread(work, NULL);
	while (__sync_fetch_and_add(&finished, 0) < abreast)
		nanosleep(&nap, NULL);
	printf("done %d failed %d\n", count, failed);
	fflush(stdout);
	pause();
	return 0;
}

static int hold(const char *address, const char *port, int count)
{
	struct ask ask = { .closing = ECHOES };
	int *fds = calloc(count, sizeof(int));
	sigset_t wake;
	int sig, bad = 0;

	sigemptyset(&wake);
	sigaddset(&wake, SIGUSR1);
	sigprocmask(SIG_BLOCK, &wake, NULL);
	set_server(address, port);
	for (int i = 0; i < count; i++) {
		fds[i] = socket(server.ss_family, SOCK_STREAM, 0);
		give_up_after(fds[i], PATIENCE_S);
		if (connect(fds[i], (struct sockaddr *)&server, server_len)) {
			perror("crowd: connect");
			return 1;
		}
		send_bytes(fds[i], &ask, sizeof(ask), REQUEST);
	}
	puts("ready");
	fflush(stdout);
	while (!sigwait(&wake, &sig)) {
		for (int i = 0; i < count; i++) {
			send_bytes(fds[i], NULL, 0, ECHO);
			bad += read_bytes(fds[i], NULL, 0, ECHO) != ECHO;
		}
		printf("echoed, %d failed\n", bad);
		fflush(stdout);
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct rlimit files;

	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	if (argc == 3 && !strcmp(argv[1], "serve"))
		return serve(atoi(argv[2]));
	if (argc == 9 && !strcmp(argv[1], "load")) {
		set_server(argv[7], "0");
		first_client = server;
		clients = atoi(argv[8]);
	}
	if ((argc == 7 || argc == 9) && !strcmp(argv[1], "load"))
		return load(argv[2], argv[3], atoi(argv[4]), atoi(argv[5]), argv[6]);
	if (argc == 5 && !strcmp(argv[1], "hold"))
		return hold(argv[2], argv[3], atoi(argv[4]));
	fprintf(stderr, "usage: crowd serve PORT | load ADDR PORT N ABREAST KINDS [FROM COUNT] | hold ADDR PORT N\n");
	return 2;
}
