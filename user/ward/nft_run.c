// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* nft_run: the rule set of this network namespace, as nft(8) prints it. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "ward/cookie.h"

#define OUTPUT_MAX (16UL << 20)
#define WAIT_MS 3000

extern char **environ;

static const char *nft_path(void)
{
	static const char *const paths[] = { "/usr/sbin/nft", "/sbin/nft", "/usr/local/sbin/nft" };
	size_t i;

	for (i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		if (!access(paths[i], X_OK))
			return paths[i];
	return NULL;
}

static pid_t spawn(const char *path, int out)
{
	char *argv[] = { "nft", "-j", "list", "ruleset", NULL };
	posix_spawn_file_actions_t actions;
	pid_t pid = -1;

	if (posix_spawn_file_actions_init(&actions))
		return -1;
	posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
	posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", 1, 0);
	if (posix_spawn(&pid, path, &actions, NULL, argv, environ))
		pid = -1;
	posix_spawn_file_actions_destroy(&actions);
	return pid;
}

static long now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* All that comes until the end, terminated; NULL: too much, or it takes too long. */
static char *read_all(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	long end = now_ms() + WAIT_MS;
	size_t used = 0, room = 65536;
	char *text = malloc(room);

	while (text) {
		long left = end - now_ms();
		ssize_t n = -1;
		char *more;

		if (left > 0 && poll(&p, 1, (int)left) > 0)
			n = read(fd, text + used, room - used - 1);
		if (!n)
			break;
		if (n > 0)
			used += (size_t)n;
		more = n > 0 && room - used < 4096 && room < OUTPUT_MAX ? realloc(text, 2 * room) : NULL;
		if (more) {
			text = more;
			room *= 2;
		} else if (n < 0 || room - used < 2) {
			free(text);
			return NULL;
		}
	}
	if (text)
		text[used] = '\0';
	return text;
}

char *nft_ruleset(void)
{
	const char *path = nft_path();
	int fds[2], status = -1;
	char *text;
	pid_t pid;

	if (!path || pipe2(fds, O_CLOEXEC))
		return NULL;
	pid = spawn(path, fds[1]);
	close(fds[1]);
	text = pid > 0 ? read_all(fds[0]) : NULL;
	close(fds[0]);
	if (pid <= 0)
		return NULL;
	if (!text)
		kill(pid, SIGKILL);
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status) || WEXITSTATUS(status)) {
		free(text);
		return NULL;
	}
	return text;
}
