// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A network namespace that is gone, and another one that has the number of its inode now: who wants to close a socket in the
 * first does not enter the second. The kernel gives the lowest free number, so that this happens soon.
 */
#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "ward/netns.h"

#define ROUNDS 40

struct space {
	pid_t pid; /* who lives there */
	uint32_t inode;
	uint64_t cookie;
};

static uint32_t inode_here(void)
{
	struct stat st;

	assert_int_equal(stat("/proc/thread-self/ns/net", &st), 0);
	return (uint32_t)st.st_ino;
}

/* A process in a network namespace of its own, which has told its numbers. */
static void make(struct space *s)
{
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	s->pid = fork();
	assert_true(s->pid >= 0);
	if (!s->pid) {
		struct space mine = { 0 };

		if (!unshare(CLONE_NEWNET)) {
			struct stat st;

			mine.cookie = netns_cookie();
			mine.inode = stat("/proc/self/ns/net", &st) ? 0 : (uint32_t)st.st_ino;
		}
		if (write(ends[1], &mine, sizeof(mine)) != sizeof(mine))
			_exit(1);
		for (;;)
			pause();
	}
	close(ends[1]);
	{
		struct space told;

		assert_int_equal(read(ends[0], &told, sizeof(told)), sizeof(told));
		s->inode = told.inode;
		s->cookie = told.cookie;
	}
	close(ends[0]);
}

static void end(const struct space *s)
{
	kill(s->pid, SIGKILL);
	waitpid(s->pid, NULL, 0);
}

static void test_enter(void **state)
{
	uint32_t home = inode_here();
	struct netns_visit visit;
	struct space s;

	(void)state;
	make(&s);
	assert_int_not_equal(s.inode, 0);
	assert_int_not_equal(s.cookie, 0);
	assert_int_not_equal(s.cookie, netns_cookie());
	assert_int_equal(netns_enter(s.inode, s.cookie, &visit), 0);
	assert_int_equal(inode_here(), s.inode);
	netns_leave(&visit);
	assert_int_equal(inode_here(), home);
	assert_int_equal(netns_enter(home, netns_cookie(), &visit), 0); /* our own: no way at all */
	netns_leave(&visit);
	end(&s);
}

/* One that comes with the number of one that went: others on this host take numbers, too, and the kernel takes a namespace away
 * later than its last process. -1: none came; else the number of the one that went. */
static int reuse(struct space was[ROUNDS], struct space *is)
{
	for (int round = 0; round < ROUNDS; round++) {
		make(is);
		for (int i = 0; i < round; i++)
			if (was[i].inode == is->inode)
				return i;
		end(is);
		was[round] = *is;
		usleep(200000);
	}
	return -1;
}

static void test_another(void **state)
{
	static struct space was[ROUNDS];
	uint32_t home = inode_here();
	struct netns_visit visit;
	struct space is;
	int i = reuse(was, &is);

	(void)state;
	assert_int_equal(netns_enter(home, was[0].cookie, &visit), -1); /* our own, with another's cookie */
	assert_int_equal(errno, ESTALE);
	if (i < 0) {
		puts("no namespace got a number again");
		skip();
	}
	assert_int_not_equal(is.cookie, was[i].cookie);
	assert_int_equal(netns_enter(was[i].inode, was[i].cookie, &visit), -1);
	assert_int_equal(errno, ESTALE);
	assert_int_equal(inode_here(), home);
	assert_int_equal(netns_enter(was[i].inode, 0, &visit), -1); /* which one was meant is not known */
	assert_int_equal(errno, ESTALE);
	assert_int_equal(inode_here(), home);
	assert_int_equal(netns_enter(is.inode, is.cookie, &visit), 0);
	assert_true(netns_here(is.inode, is.cookie));
	assert_true(netns_here(was[i].inode, 0)); /* the number alone cannot tell */
	assert_false(netns_here(was[i].inode, was[i].cookie));
	netns_leave(&visit);
	assert_false(netns_here(is.inode, is.cookie));
	end(&is);
}

static void test_gone(void **state)
{
	struct netns_visit visit;

	(void)state;
	assert_int_equal(netns_enter(1, 1, &visit), -1);
	assert_int_equal(errno, ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_enter),
		cmocka_unit_test(test_another),
		cmocka_unit_test(test_gone),
	};

	if (geteuid()) {
		puts("needs root");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
