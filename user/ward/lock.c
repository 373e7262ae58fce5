// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * lock: /run/tcpward/NAME.lock says that a process (run, or the keeper of attach) has the instance, and which.
 *
 * flock() goes with its holder, however that ends. A guardian shares the lock with its run: a new run cannot begin
 * before the guardian of the last one has cleaned up.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "ward/inside.h"

#define LOCK_DIR "/run/tcpward"
#define LOCK_POLL_MS 20
#define LOCK_GRACE_MS 1000

static void lock_path(char *path, size_t size, const char *name)
{
	snprintf(path, size, LOCK_DIR "/%s.lock", name);
}

static int read_pid(int fd)
{
	char text[16] = "";

	return pread(fd, text, sizeof(text) - 1, 0) > 0 ? atoi(text) : 0;
}

static void write_pid(int fd, int pid)
{
	if (ftruncate(fd, 0) || dprintf(fd, "%d\n", pid) < 0)
		return; /* the lock holds all the same; only the pid is missing from messages */
	lseek(fd, 0, SEEK_SET);
}

/* The file may have been removed by its last holder between our open and our lock. */
static bool still_there(int fd, const char *path)
{
	struct stat a, b;

	return !fstat(fd, &a) && !stat(path, &b) && a.st_ino == b.st_ino && a.st_dev == b.st_dev;
}

/*
 * The folder may be another user's (docs/threat-model.md), and root may come by: no link of either kind is followed, for the pid is
 * written into the file, and no FIFO is waited for. Returns the descriptor, or a negative errno, -ELOOP for these.
 */
static int lock_open(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
	struct stat st;

	if (fd < 0)
		return -errno;
	if (!fstat(fd, &st) && S_ISREG(st.st_mode) && st.st_nlink <= 1)
		return fd;
	close(fd);
	return -ELOOP;
}

/* Whoever takes it is named in it: signer, 0: nobody. */
static int lock_try(const char *path, int signer, int *pid)
{
	int err, fd = lock_open(path, O_RDWR | O_CREAT);

	if (fd < 0)
		return fd;
	if (!flock(fd, LOCK_EX | LOCK_NB)) {
		if (still_there(fd, path)) {
			write_pid(fd, signer);
			return fd;
		}
		close(fd);
		return -ESTALE;
	}
	err = -errno;
	if (pid)
		*pid = read_pid(fd);
	close(fd);
	return err;
}

/* A lock that nobody signed, or somebody who is gone: another command asks who holds it (lock_held()), or cleans up, for a moment. */
bool lock_names_living(int pid)
{
	return pid > 0 && (!kill(pid, 0) || errno == EPERM);
}

#define TO_BEGIN (-1)

/* keeper: TO_BEGIN, signs it, and waits for whoever has it; else does not, and waits only for that process, or for one that did not. */
static int take(const char *name, int wait_ms, int keeper, int *pid)
{
	const struct timespec nap = { .tv_nsec = LOCK_POLL_MS * 1000000L };
	int fd, holder = 0, grace_ms = LOCK_GRACE_MS;
	char path[64];

	if (mkdir(LOCK_DIR, 0700) && errno != EEXIST)
		return ward_fail(-errno, errno == EACCES ? REMEDY_ROOT : "", "cannot make '%s': %s", LOCK_DIR,
				 strerror(errno));
	lock_path(path, sizeof(path), name);
	for (;;) {
		holder = 0;
		fd = lock_try(path, keeper == TO_BEGIN ? getpid() : 0, &holder);
		if (fd == -ESTALE)
			continue;
		if (fd != -EWOULDBLOCK)
			break;
		if (wait_ms <= 0 && (grace_ms <= 0 || lock_names_living(holder)))
			break;
		if (keeper != TO_BEGIN && holder != keeper && lock_names_living(holder))
			break;
		nanosleep(&nap, NULL);
		wait_ms -= LOCK_POLL_MS;
		grace_ms -= LOCK_POLL_MS;
	}
	if (pid)
		*pid = holder;
	if (fd == -ELOOP)
		ward_fail(fd, "somebody put that there: remove it", "cannot lock '%s': it is a link, or no plain file", path);
	else if (fd < 0 && fd != -EWOULDBLOCK)
		ward_fail(fd, fd == -EACCES ? REMEDY_ROOT : "", "cannot lock '%s': %s", path, strerror(-fd));
	return fd;
}

int lock_take(const char *name, int wait_ms, int *pid)
{
	return take(name, wait_ms, TO_BEGIN, pid);
}

int lock_take_to_clean(const char *name, int keeper)
{
	return take(name, LOCK_WAIT_MS, keeper, NULL);
}

void lock_sign(int fd)
{
	write_pid(fd, getpid());
}

void lock_drop(int fd, const char *name)
{
	char path[64];

	if (fd < 0)
		return;
	lock_path(path, sizeof(path), name);
	if (still_there(fd, path))
		unlink(path);
	close(fd);
}

bool lock_held(const char *name, int *pid)
{
	bool held = false;
	char path[64];
	int fd;

	lock_path(path, sizeof(path), name);
	fd = lock_open(path, O_RDONLY);
	if (fd < 0)
		return false;
	if (flock(fd, LOCK_SH | LOCK_NB) && errno == EWOULDBLOCK) {
		held = true;
		if (pid)
			*pid = read_pid(fd);
	}
	close(fd);
	return held;
}

bool lock_known(const char *name)
{
	char path[64];

	lock_path(path, sizeof(path), name);
	return !access(path, F_OK);
}

/* ---- who holds it ---- */
/* Is it one of ours, keeper or attach? The lock may be that of a process in another container, whose number is a stranger's here. */
static bool is_ours(int pid)
{
	char path[32], comm[32] = "";
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	f = fopen(path, "re");
	if (!f)
		return true; /* gone, or there is no /proc */
	if (!fgets(comm, sizeof(comm), f))
		*comm = '\0';
	fclose(f);
	return !*comm || !strncmp(comm, "tcpward", 7);
}

/* The real user of a process, -1 if that cannot be read. */
static long user_of(int pid)
{
	char path[32], line[128];
	long uid = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f) && sscanf(line, "Uid: %ld", &uid) != 1)
		;
	if (f)
		fclose(f);
	return uid;
}

bool lock_names_ours(int pid)
{
	return lock_names_living(pid) && is_ours(pid);
}

int lock_end_holder(int pid, int sig)
{
	struct stat dir;
	int err = 0, fd;

	if (pid <= 1 || pid == getpid())
		return 0;
	fd = (int)syscall(SYS_pidfd_open, pid, 0); /* first, so that what is looked at is what gets the signal */
	if (fd < 0)
		return errno == ESRCH ? 0 : -errno;
	if (stat(LOCK_DIR, &dir))
		err = -errno;
	else if (dir.st_uid && dir.st_uid != geteuid() && user_of(pid) != (long)dir.st_uid)
		err = -EPERM;
	else if (!is_ours(pid))
		err = -EPERM;
	else if (syscall(SYS_pidfd_send_signal, fd, sig, NULL, 0) && errno != ESRCH)
		err = -errno;
	close(fd);
	return err;
}
