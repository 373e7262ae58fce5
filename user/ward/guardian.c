// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * guardian: a child of `run` that cleans up what outlives a killed process: pins, the filters of clsact, the program in libxdp's dispatcher, and
 * settings of the stack that were made for SYN cookies.
 *
 * It waits for the end of a pipe whose other end only its parent holds, in case a copy of that end leaked also for
 * another parent. It shares the parent's lock, so that the next run begins after it is done. What it does badly: when
 * it is killed along with its parent, the next run or attach takes over (instance.c: reap).
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ward/cookie.h"

#define DISMISSED 'd'

static int by_number(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

static void close_between(unsigned first, unsigned last)
{
	unsigned fd;

	if (first > last)
		return;
#ifdef SYS_close_range
	if (!syscall(SYS_close_range, first, last, 0))
		return;
#endif
	for (fd = first; fd <= last && fd < 65536; fd++)
		close(fd);
}

void process_seclude(const int *keep, int count)
{
	int sorted[MAP_COUNT + PROG_COUNT + WARD_IFACES * 2 + 8], i, null, n = 0;
	unsigned next = 3;

	setsid();
	if (chdir("/"))
		n = 0; /* it stays where it is: harmless */
	null = open("/dev/null", O_RDWR);
	for (i = 0; i < 3 && null >= 0; i++)
		dup2(null, i);
	for (i = 0; i < count; i++)
		if (keep[i] > 2)
			sorted[n++] = keep[i];
	qsort(sorted, n, sizeof(sorted[0]), by_number);
	for (i = 0; i < n; i++) {
		close_between(next, (unsigned)sorted[i] - 1);
		next = sorted[i] + 1;
	}
	close_between(next, ~0U);
}

/* true: the parent is gone; false: it has cleaned up itself */
static bool parent_died(int pipe_end, pid_t parent)
{
	struct pollfd wait = { .fd = pipe_end, .events = POLLIN };
	char word;

	for (;;) {
		if (poll(&wait, 1, 1000) > 0)
			return read(pipe_end, &word, 1) != 1 || word != DISMISSED;
		if (getppid() != parent)
			return true;
	}
}

static void clean_up(struct ward *w)
{
	struct ward_iface row;
	unsigned i;

	for (i = 0; i < w->plan.iface_count; i++) {
		row = w->plan.iface[i];
		row.flags = w->info->iface[i].flags; /* shared memory: what the parent did since the fork */
		detach_others(&row, &w->ids);
	}
	cookie_settings_undo(w->map[MAP_COOKIE_CONF], w->info);
	lists_save(w);
	pins_remove(w->name);
}

static _Noreturn void guard(struct ward *w, int pipe_end, pid_t parent)
{
	static const int ignored[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE, SIGUSR1, SIGUSR2, SIGTSTP, SIGALRM };
	const int keep[] = { pipe_end, w->lock_fd, w->map[MAP_ALLOW_ADDRS], w->map[MAP_ALLOW_PREFIXES], w->map[MAP_BLOCK_ADDRS],
			     w->map[MAP_BLOCK_PREFIXES], w->map[MAP_COOKIE_CONF] };
	sigset_t none;
	size_t i;

	for (i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		signal(ignored[i], SIG_IGN);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	prctl(PR_SET_NAME, "tcpward-guard");
	process_seclude(keep, sizeof(keep) / sizeof(keep[0]));
	ward_caps_keep(w, CAPS_GUARDIAN);
	if (parent_died(pipe_end, parent)) {
		clean_up(w);
		lock_drop(w->lock_fd, w->name);
	}
	_exit(0);
}

int guardian_start(struct ward *w)
{
	pid_t parent = getpid();
	int ends[2];

	if (pipe2(ends, O_CLOEXEC))
		return ward_fail(-errno, "", "cannot make a pipe: %s", strerror(errno));
	w->guardian = fork();
	if (w->guardian < 0) {
		int err = -errno;

		close(ends[0]);
		close(ends[1]);
		return ward_fail(err, "", "cannot start the guardian process: %s", strerror(-err));
	}
	if (!w->guardian) {
		close(ends[1]);
		guard(w, ends[0], parent);
	}
	close(ends[0]);
	w->guardian_pipe = ends[1];
	return 0;
}

void guardian_dismiss(struct ward *w)
{
	const char word = DISMISSED;
	struct sigaction ignore = { .sa_handler = SIG_IGN }, old;

	if (w->guardian <= 0)
		return;
	sigaction(SIGPIPE, &ignore, &old); /* a guardian that was killed must not take us along */
	if (write(w->guardian_pipe, &word, 1) < 0)
		kill(w->guardian, SIGKILL);
	sigaction(SIGPIPE, &old, NULL);
	close(w->guardian_pipe);
	while (waitpid(w->guardian, NULL, 0) < 0 && errno == EINTR)
		;
	w->guardian = 0;
	w->guardian_pipe = -1;
}
