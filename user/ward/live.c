// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * live: what the changes of policy and lists share: the words that the packet path asks first, the lock that keeps two
 * processes from changing them at once, and the mark of what has changed.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "sweep.h"
#include "ward/inside.h"

#define LOCK_POLL_MS 10
#define MARK_TRIES 8 /* then the sweep goes on, second after second */
#define FILTER_SIZE (2 * BLOCK_FILTER_WORDS * sizeof(__u64))

int live_map(struct ward *w)
{
	w->live = map_memory(w->map[MAP_POLICY_LIVE], sizeof(*w->live));
	w->block_filter = map_memory(w->map[MAP_BLOCK_FILTER], FILTER_SIZE);
	if (w->live && w->block_filter && !block_sets_map(w))
		return 0;
	return ward_fail(-errno, errno == EPERM ? REMEDY_ROOT : "", "cannot map the memory of policy and lists: %s",
			 strerror(errno));
}

void live_init(struct ward *w)
{
	w->live->version = POLICY_LAYOUT_VERSION;
	w->live->lists_mode = MODE_ENFORCE;
	w->live->block_drops = 1;
}

void live_free(struct ward *w)
{
	if (w->live)
		munmap(w->live, sizeof(*w->live));
	if (w->block_filter)
		munmap(w->block_filter, FILTER_SIZE);
	block_sets_free(w);
	w->live = NULL;
	w->block_filter = NULL;
}

/* The lock is that of the directory of pins: it goes with the instance, and leaves nothing behind. */
static int lock_new(struct ward *w, bool shared, int wait_ms)
{
	const struct timespec nap = { .tv_nsec = LOCK_POLL_MS * 1000000L };
	char path[PIN_PATH];
	int fd;

	if (w->opt.replay)
		return LIVE_UNSHARED;
	pins_dir(path, w->name);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return ward_fail(-ENOENT, "", "instance '%s' was detached meanwhile", w->name);
	if (fd < 0)
		return ward_fail(-errno, errno == EACCES ? REMEDY_ROOT : "", "cannot open '%s': %s", path, strerror(errno));
	while (flock(fd, (shared ? LOCK_SH : LOCK_EX) | LOCK_NB)) {
		int err = -errno;

		if (err != -EWOULDBLOCK || wait_ms <= 0) {
			close(fd);
			return ward_fail(err == -EWOULDBLOCK ? -EBUSY : err, "try again",
					 "cannot lock the policy and lists of instance '%s': %s", w->name,
					 err == -EWOULDBLOCK ? "another tcpward is changing them" : strerror(-err));
		}
		nanosleep(&nap, NULL);
		wait_ms -= LOCK_POLL_MS;
	}
	return fd;
}

int live_lock(struct ward *w, bool shared, int wait_ms)
{
	return w->live_held ? LIVE_UNSHARED : lock_new(w, shared, wait_ms);
}

int ward_policy_begin(struct ward *w)
{
	int lock = live_lock(w, false, LIVE_WAIT_MS);

	if (lock < 0)
		return lock;
	w->live_held = true;
	w->live_lock = lock;
	return 0;
}

void ward_policy_end(struct ward *w)
{
	if (!w->live_held)
		return;
	w->live_held = false;
	live_unlock(w->live_lock);
}

void live_unlock(int lock)
{
	if (lock >= 0 && lock != LIVE_UNSHARED)
		close(lock);
}

/* A flow that a segment is at work on cannot be marked at that moment: try again. */
void live_mark(struct ward *w)
{
	struct mark_args args = { 0 };
	LIBBPF_OPTS(bpf_test_run_opts, run, .ctx_in = &args, .ctx_size_in = sizeof(args)); /* and it comes back there */
	__u32 revision = __atomic_load_n(&w->live->revision, __ATOMIC_ACQUIRE);
	int tries;

	for (tries = 0; tries < MARK_TRIES; tries++)
		if (!bpf_prog_test_run_opts(w->prog[PROG_MARK], &run) && !args.missed) {
			__atomic_store_n(&w->live->marked, revision, __ATOMIC_RELEASE);
			return;
		}
}

void live_revise(struct ward *w)
{
	__atomic_add_fetch(&w->live->revision, 1, __ATOMIC_RELEASE);
	live_mark(w);
}
