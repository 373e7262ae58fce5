// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * keeper: the small process that `attach` leaves behind. It sweeps once a second and holds the instance's lock.
 *
 * It ends on SIGTERM (detach), and by itself when the pins are gone. Its death leaves the instance working: expiry is
 * also checked on the packet path; only timed findings and gauges stop, which `status` says.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "ward/cookie.h"

#define SLICES_PER_SECOND 64
#define STRANGE_TRIES 15 /* a new keeper signs the lock before it is in the record */

static volatile sig_atomic_t ended;

static void on_end(int sig)
{
	(void)sig;
	ended = 1;
}

bool link_alive(int fd)
{
	struct bpf_link_info info;
	__u32 len = sizeof(info);

	memset(&info, 0, sizeof(info));
	if (bpf_obj_get_info_by_fd(fd, &info, &len))
		return false;
	return info.xdp.ifindex != 0; /* tcx.ifindex stands at the same place; 0: its device is gone */
}

/* False once the instance was detached, or every interface that hangs on a link has gone. Filters of clsact vanish
 * unseen: then only the pins speak. */
static bool worth_keeping(const struct ward *w)
{
	int row, dir, links = 0, alive = 0;

	if (!pins_exist(w->name))
		return false;
	for (row = 0; row < WARD_IFACES; row++)
		for (dir = 0; dir < 2; dir++)
			if (w->link[row][dir] >= 0) {
				links++;
				alive += link_alive(w->link[row][dir]);
			}
	return !links || alive;
}

/* A process keeps its network namespace alive; the namespace of a container must not wait for us. */
static void leave_netns(const struct ward *w)
{
	unsigned i;
	int fd;

	for (i = 0; i < w->plan.iface_count; i++)
		if (!w->plan.iface[i].tcx && (w->plan.iface[i].hooks & HOOK_EGRESS))
			return; /* clsact filters can only be removed from within */
	fd = open("/proc/1/ns/net", O_RDONLY | O_CLOEXEC);
	if ((fd < 0 || setns(fd, CLONE_NEWNET)) && unshare(CLONE_NEWNET)) /* the host's, or an empty one */
		errno = 0;						  /* not permitted either: stay */
	if (fd >= 0)
		close(fd);
}

/* It has no other mouth. */
static void tell(const char *line, void *ctx)
{
	const struct ward *w = ctx;

	syslog(LOG_DAEMON | LOG_WARNING, "instance '%s': %s", w->name, line);
}

/* Until a second after *next, which moves on. What was missed while this process stood still (a stopped container) is not made
 * up for: one sweep sees all that became due. */
static void wait_second(struct timespec *next)
{
	struct timespec now;

	next->tv_sec++;
	clock_gettime(CLOCK_MONOTONIC, &now);
	if (now.tv_sec > next->tv_sec)
		*next = now;
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, next, NULL) == EINTR && !ended)
		;
}

static void keep(struct ward *w)
{
	struct timespec next;
	int slice;

	clock_gettime(CLOCK_MONOTONIC, &next);
	while (!ended && worth_keeping(w)) {
		for (slice = 0; slice < SLICES_PER_SECOND && ward_sweep(w, ward_now_ns(w)) > 0; slice++)
			;
		wait_second(&next);
	}
	lists_save(w);
	if (ended)
		return; /* detach removes the pins, or the host goes down and they go with it */
	cookie_settings_undo(w->map[MAP_COOKIE_CONF], w->info);
	pins_remove(w->name);
	lock_drop(w->lock_fd, w->name);
}

static _Noreturn void keeper_main(struct ward *w)
{
	struct sigaction end = { .sa_handler = on_end }, ignore = { .sa_handler = SIG_IGN };
	int fds[MAP_COUNT + PROG_COUNT + WARD_IFACES * 2 + 1], n = 0, i;
	sigset_t none;

	sigaction(SIGTERM, &end, NULL);
	sigaction(SIGINT, &end, NULL);
	sigaction(SIGHUP, &ignore, NULL);
	sigaction(SIGPIPE, &ignore, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	prctl(PR_SET_NAME, "tcpward-keeper");
	for (i = 0; i < MAP_COUNT; i++)
		fds[n++] = w->map[i];
	for (i = 0; i < PROG_COUNT; i++)
		fds[n++] = w->prog[i];
	for (i = 0; i < WARD_IFACES * 2; i++)
		fds[n++] = w->link[i / 2][i % 2];
	fds[n++] = w->lock_fd;
	lock_sign(w->lock_fd);
	w->info->keeper_pid = getpid();
	process_seclude(fds, n); /* this closes the pipe that keeper_start() waits on */
	leave_netns(w);
	ward_caps_keep(w, CAPS_KEEPER);
	ward_on_notice(w, tell, w);
	keep(w);
	_exit(0);
}

int keeper_start(struct ward *w)
{
	int status = 0, ready[2];
	char word;
	pid_t pid;

	if (pipe2(ready, O_CLOEXEC))
		return ward_fail(-errno, "", "cannot make a pipe: %s", strerror(errno));
	pid = fork();
	if (!pid) {
		pid = fork(); /* its parent shall be init, not a command that may wait for its children */
		if (pid < 0)
			_exit(errno);
		if (!pid)
			keeper_main(w);
		_exit(0);
	}
	close(ready[1]);
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	while (read(ready[0], &word, 1) < 0 && errno == EINTR)
		;
	close(ready[0]);
	if (pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	return ward_fail(-EAGAIN, "", "cannot start the keeper process");
}

static int cannot_end(const char *name, int pid, int err)
{
	return ward_fail(err ? err : -EBUSY,
			 err == -EPERM ? "look whether it is one, and end it yourself: 'ls -ld /run/tcpward' shows whose word that is" : "",
			 "cannot end the keeper of instance '%s', pid %d: %s", name, pid,
			 err ? strerror(-err) : "it holds the lock all the same");
}

/* The lock alone does not say so: it may be somebody's who found the instance dead and cleans up (reap.c), or begins anew. */
static bool is_keeper(const struct ward_instance *info, int pid)
{
	return pid > 0 && (uint32_t)pid == *(const volatile uint32_t *)&info->keeper_pid;
}

int keeper_may_end(const char *name, const struct ward_instance *info)
{
	int pid = 0, err = lock_held(name, &pid) && is_keeper(info, pid) ? lock_end_holder(pid, 0) : 0;

	return err ? cannot_end(name, pid, err) : 0;
}

int keeper_end(const char *name, const struct ward_instance *info)
{
	const struct timespec nap = { .tv_nsec = 20 * 1000000L };
	int pid = 0, tries, strange = 0, err = 0;

	for (tries = 0; tries < 150; tries++) {
		if (!lock_held(name, &pid))
			return 0;
		err = 0;
		if (is_keeper(info, pid))
			err = lock_end_holder(pid, tries == 100 ? SIGKILL : SIGTERM);
		else if (lock_names_ours(pid) && ++strange > STRANGE_TRIES)
			return pid;
		if (err == -EPERM)
			break;
		nanosleep(&nap, NULL);
	}
	return cannot_end(name, pid, err);
}
