// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The lab's servers and clients: ordinary processes with ordinary blocking sockets, so that what is watched is the
 * kernel's own TCP. Each dies with its parent. All waits are short, since the show lasts seconds.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lab/lab.h"

#define ANSWER_BYTES 4000
#define PATIENCE_S 30 /* nobody waits longer for anything */

static const struct {
	const char *name, *text;
} step_table[] = {
#define X(id, name, text) [STEP_##id] = { name, text },
	LAB_STEPS(X)
#undef X
};
_Static_assert(sizeof(step_table) / sizeof(step_table[0]) == STEP_COUNT, "one row a step");

const char *lab_step_name(enum lab_step step)
{
	return step < STEP_COUNT ? step_table[step].name : "?";
}

const char *lab_step_text(enum lab_step step)
{
	return step < STEP_COUNT ? step_table[step].text : "?";
}

static void pause_ms(unsigned ms)
{
	usleep(ms * 1000);
}

/* In a new child: ends when its parent does; Ctrl-C is the parent's to handle. */
static void child_of(pid_t parent)
{
	sigset_t none;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent) /* it went before the line above */
		_exit(0);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGINT, SIG_IGN);
	signal(SIGCHLD, SIG_IGN); /* no zombies */
	signal(SIGPIPE, SIG_IGN);
}

static void be_patient(int fd)
{
	struct timeval limit = { .tv_sec = PATIENCE_S };

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
}

static ssize_t say(int fd, size_t len)
{
	static const char text[ANSWER_BYTES];

	return send(fd, text, len < sizeof(text) ? len : sizeof(text), MSG_NOSIGNAL);
}

/* Reads len bytes, or to the end of the stream with SIZE_MAX. */
static size_t hear(int fd, size_t len)
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

/* ---- servers: what is done with one accepted connection ---- */
static void serve_echo(int fd)
{
	char request[512];

	while (recv(fd, request, sizeof(request), 0) > 0)
		say(fd, ANSWER_BYTES);
}

static void serve_once(int fd)
{
	char request[512];

	if (recv(fd, request, sizeof(request), 0) > 0)
		say(fd, ANSWER_BYTES);
}

static void serve_stream(int fd)
{
	hear(fd, SIZE_MAX);
	for (int i = 0; i < 4; i++) {
		pause_ms(250);
		say(fd, 1000);
	}
}

static void serve_leak(int fd)
{
	(void)fd;
	pause(); /* until the lab ends: the bug that is shown */
}

struct server {
	uint16_t port;
	void (*serve)(int fd);
};

static const struct server servers[] = {
	{ PORT_ECHO, serve_echo },
	{ PORT_ONCE, serve_once },
	{ PORT_STREAM, serve_stream },
	{ PORT_LEAK, serve_leak },
};
#define SERVERS (sizeof(servers) / sizeof(servers[0]))

static void serve_one(int listener, int fd, const struct server *server)
{
	pid_t self = getpid();

	if (fork())
		return;
	child_of(self);
	close(listener);
	be_patient(fd);
	server->serve(fd);
	_exit(0);
}

static void __attribute__((noreturn)) be_server(int listener, const struct server *server)
{
	for (;;) {
		int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

		if (fd < 0)
			continue;
		serve_one(listener, fd, server);
		close(fd);
	}
}

/* One socket for both families; IPv4 alone where the kernel has no IPv6. */
static int listen_on(uint16_t port)
{
	struct sockaddr_in6 any6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	struct sockaddr_in any4 = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct sockaddr *addr = (struct sockaddr *)&any6;
	socklen_t len = sizeof(any6);
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0) {
		fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		addr = (struct sockaddr *)&any4;
		len = sizeof(any4);
	}
	if (fd < 0)
		return -errno;
	if (bind(fd, addr, len) || listen(fd, 64)) {
		int err = -errno;

		close(fd);
		return err;
	}
	return fd;
}

/* ---- clients ---- */
static int dial6(const char *address, uint16_t port)
{
	struct sockaddr_in6 to = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

	be_patient(fd);
	inet_pton(AF_INET6, address, &to.sin6_addr);
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)))
		_exit(0);
	return fd;
}

static int dial(const char *address, uint16_t port)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	be_patient(fd);
	inet_pton(AF_INET, address, &to.sin_addr);
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)))
		_exit(0);
	return fd;
}

static void ask(int fd, int times)
{
	for (int i = 0; i < times; i++) {
		say(fd, 200);
		hear(fd, ANSWER_BYTES);
		pause_ms(100);
	}
}

static void play_black_hole(void)
{
	dial(LAB_NOBODY4, 80);
}

static void play_open_close(void)
{
	ask(dial(LAB_SERVER4, PORT_ECHO), 2);
}

static void play_open_v6(void)
{
	ask(dial6(LAB_SERVER6, PORT_ECHO), 2);
}

static void play_server_first(void)
{
	int fd = dial(LAB_SERVER4, PORT_ONCE);

	say(fd, 200);
	hear(fd, SIZE_MAX);
	pause_ms(100); /* CLOSE-WAIT for a moment */
}

static void play_refused(void)
{
	dial(LAB_SERVER4, PORT_SHUT);
}

static void play_half_close(void)
{
	int fd = dial(LAB_SERVER4, PORT_STREAM);

	say(fd, 200);
	shutdown(fd, SHUT_WR);
	hear(fd, SIZE_MAX);
}

static void play_reset(void)
{
	struct linger hard = { .l_onoff = 1, .l_linger = 0 };
	int fd = dial(LAB_SERVER4, PORT_ECHO);

	ask(fd, 1);
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
}

static void play_leak(void)
{
	say(dial(LAB_SERVER4, PORT_LEAK), 200);
	pause_ms(100);
}

static void play_burst(void)
{
	for (int i = 0; i < 2; i++)
		if (fork() == 0)
			break;
	play_open_close();
}

static void (*const plays[])(void) = {
	[STEP_BLACK_HOLE] = play_black_hole, [STEP_OPEN_CLOSE] = play_open_close,
	[STEP_SERVER_FIRST] = play_server_first, [STEP_REFUSED] = play_refused,
	[STEP_HALF_CLOSE] = play_half_close, [STEP_RESET] = play_reset,
	[STEP_LEAK] = play_leak, [STEP_OPEN_V6] = play_open_v6,
	[STEP_BURST] = play_burst,
};
_Static_assert(sizeof(plays) / sizeof(plays[0]) == STEP_COUNT, "one play a step");

/* Plays each step that is ordered in a process of its own, so that none waits for another. */
static void __attribute__((noreturn)) be_clients(int orders)
{
	pid_t self = getpid();
	unsigned char step;

	while (read(orders, &step, 1) == 1) {
		if (step >= STEP_COUNT || fork())
			continue;
		child_of(self);
		plays[step]();
		_exit(0); /* closes the socket: FIN, or RST where lingering was set to 0 */
	}
	_exit(0);
}

/* ---- the parent's side ---- */
static int start_server(struct lab *lab, const struct server *server)
{
	pid_t self = getpid();
	int listener = listen_on(server->port);
	pid_t pid;

	if (listener < 0)
		return listener;
	pid = fork();
	if (pid == 0) {
		child_of(self);
		be_server(listener, server);
	}
	close(listener);
	if (pid < 0)
		return -errno;
	lab->pid[lab->actors++] = pid;
	return 0;
}

static int start_clients(struct lab *lab)
{
	pid_t self = getpid();
	int ends[2];
	pid_t pid;

	if (pipe(ends))
		return -errno;
	pid = fork();
	if (pid == 0) {
		child_of(self);
		close(ends[1]);
		if (setns(lab->client_ns, CLONE_NEWNET))
			_exit(1);
		be_clients(ends[0]);
	}
	close(ends[0]);
	lab->orders = ends[1];
	if (pid < 0)
		return -errno;
	lab->pid[lab->actors++] = pid;
	return 0;
}

int lab_actors_start(struct lab *lab)
{
	int err = 0;

	fflush(NULL); /* what is buffered would be printed by each child */
	for (unsigned i = 0; i < SERVERS && !err; i++)
		err = start_server(lab, &servers[i]);
	if (!err)
		err = start_clients(lab);
	if (err)
		lab_actors_stop(lab);
	return err;
}

void lab_play(const struct lab *lab, enum lab_step step)
{
	unsigned char order = step;

	if (write(lab->orders, &order, 1) != 1)
		return; /* the clients' process is gone: nothing more will happen, and the show ends by its clock */
}

void lab_actors_stop(struct lab *lab)
{
	for (int i = 0; i < lab->actors; i++)
		kill(lab->pid[i], SIGKILL);
	for (int i = 0; i < lab->actors; i++)
		waitpid(lab->pid[i], NULL, 0);
	lab->actors = 0;
	if (lab->orders >= 0)
		close(lab->orders);
	lab->orders = -1;
}
