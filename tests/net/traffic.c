// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * traffic: TCP connections of mixed behaviour between two namespaces, by ordinary sockets.
 *
 *   traffic serve              listens on ports 9000 to 9005, one behaviour each, until SIGTERM
 *   traffic load ADDR N SEED   makes N connections, 24 at a time, then prints "done COUNT" and holds the ones that stay
 *                              open until SIGTERM
 *   traffic stuck PORT         listens with an accept queue of three and never accepts
 *   traffic hold ADDR PORT     one connection, held; ends by RST (SO_LINGER 0)
 *
 * Behaviours, by port: the server closes after the client (9000), first (9001), after a half-close (9002), by RST
 * (9003), never (9004); 9005 stays open at both ends.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define FIRST_PORT 9000
#define ABREAST 24
#define PATIENCE_S 10

enum behaviour { CLIENT_FIRST, SERVER_FIRST, HALF_CLOSED, SERVER_RESETS, SERVER_LEAKS, STAYS_OPEN, BEHAVIOURS };

static void child_of(pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
}

static void linger_zero(int fd)
{
	struct linger hard = { .l_onoff = 1 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
}

static void send_bytes(int fd, size_t len)
{
	static const char zeros[4096];

	while (len) {
		size_t part = len < sizeof(zeros) ? len : sizeof(zeros);
		ssize_t sent = send(fd, zeros, part, MSG_NOSIGNAL);

		if (sent <= 0)
			return;
		len -= sent;
	}
}

static size_t read_bytes(int fd, size_t len)
{
	char buf[4096];
	size_t got = 0;

	while (got < len) {
		ssize_t n = recv(fd, buf, len - got < sizeof(buf) ? len - got : sizeof(buf), 0);

		if (n <= 0)
			break;
		got += n;
	}
	return got;
}

#define REQUEST 300
#define ANSWER 5000

/* ---- server ---- */
static void serve(int fd, enum behaviour how)
{
	read_bytes(fd, REQUEST);
	switch (how) {
	case HALF_CLOSED:
		read_bytes(fd, SIZE_MAX);
		send_bytes(fd, 4 * ANSWER);
		return;
	case SERVER_RESETS:
		linger_zero(fd);
		return;
	default:
		break;
	}
	send_bytes(fd, ANSWER);
	if (how == CLIENT_FIRST)
		read_bytes(fd, SIZE_MAX);
	if (how == SERVER_LEAKS || how == STAYS_OPEN)
		pause();
}

static int listener(uint16_t port, int backlog)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	int fd = socket(AF_INET6, SOCK_STREAM, 0);
	int on = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (fd < 0 || bind(fd, (struct sockaddr *)&any, sizeof(any)) || listen(fd, backlog)) {
		perror("traffic: listen");
		exit(1);
	}
	return fd;
}

static void accept_for_ever(int fd, enum behaviour how)
{
	pid_t self = getpid();

	for (;;) {
		int conn = accept(fd, NULL, NULL);

		if (conn >= 0 && fork() == 0) {
			child_of(self);
			close(fd);
			serve(conn, how);
			_exit(0);
		}
		if (conn >= 0)
			close(conn);
	}
}

static int run_servers(void)
{
	pid_t self = getpid();

	for (int how = 0; how < BEHAVIOURS; how++) {
		int fd = listener(FIRST_PORT + how, 512);

		if (fork() == 0) {
			child_of(self);
			signal(SIGCHLD, SIG_IGN);
			accept_for_ever(fd, how);
		}
		close(fd);
	}
	puts("ready");
	fflush(stdout);
	pause();
	return 0;
}

/* ---- client ---- */
static int done_fd = -1;

/* A client tells its parent by one byte that all is done but the holding; one that fails or waits too long does too. */
static void finish(int signal)
{
	(void)signal;
	if (done_fd >= 0 && write(done_fd, "d", 1) != 1)
		_exit(1);
	_exit(0);
}

static int dial(const char *address, int port)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST }, *to;
	char text[8];
	int fd;

	snprintf(text, sizeof(text), "%d", port);
	if (getaddrinfo(address, text, &hints, &to)) {
		fprintf(stderr, "traffic: bad address '%s'\n", address);
		exit(2);
	}
	fd = socket(to->ai_family, SOCK_STREAM, 0);
	if (connect(fd, to->ai_addr, to->ai_addrlen))
		finish(0);
	freeaddrinfo(to);
	return fd;
}

static void converse(const char *address, enum behaviour how)
{
	int fd;

	signal(SIGALRM, finish);
	alarm(PATIENCE_S);
	fd = dial(address, FIRST_PORT + how);
	send_bytes(fd, REQUEST);
	if (how == HALF_CLOSED)
		shutdown(fd, SHUT_WR);
	read_bytes(fd, how == HALF_CLOSED || how == SERVER_FIRST || how == SERVER_RESETS ? SIZE_MAX : ANSWER);
	if (how != STAYS_OPEN)
		finish(0);
	alarm(0);
	if (write(done_fd, "h", 1) == 1)
		pause();
}

static enum behaviour choose(void)
{
	int n = rand() % 100;

	return n < 40 ? CLIENT_FIRST : n < 60 ? SERVER_FIRST : n < 75 ? HALF_CLOSED : n < 85 ? SERVER_RESETS :
	       n < 92 ? SERVER_LEAKS : STAYS_OPEN;
}

static int run_clients(const char *address, int count, unsigned seed)
{
	pid_t self = getpid();
	int ends[2], running = 0, done = 0;
	char word;

	srand(seed);
	signal(SIGCHLD, SIG_IGN);
	if (pipe(ends))
		return 1;
	for (int started = 0; done < count;) {
		if (started < count && running < ABREAST) {
			enum behaviour how = choose();

			if (fork() == 0) {
				child_of(self);
				close(ends[0]);
				done_fd = ends[1];
				converse(address, how);
				_exit(0);
			}
			started++;
			running++;
			continue;
		}
		if (read(ends[0], &word, 1) != 1)
			break;
		running--;
		done++;
	}
	printf("done %d\n", done);
	fflush(stdout);
	pause();
	return 0;
}

static int run_stuck(int port)
{
	listener(port, 2); /* the kernel takes one more than that */
	puts("ready");
	fflush(stdout);
	pause();
	return 0;
}

static int run_hold(const char *address, int port)
{
	int fd = dial(address, port);

	linger_zero(fd);
	puts("ready");
	fflush(stdout);
	pause();
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "serve"))
		return run_servers();
	if (argc == 5 && !strcmp(argv[1], "load"))
		return run_clients(argv[2], atoi(argv[3]), atoi(argv[4]));
	if (argc == 3 && !strcmp(argv[1], "stuck"))
		return run_stuck(atoi(argv[2]));
	if (argc == 4 && !strcmp(argv[1], "hold"))
		return run_hold(argv[2], atoi(argv[3]));
	fprintf(stderr, "usage: traffic serve | load ADDR N SEED | stuck PORT | hold ADDR PORT\n");
	return 2;
}
