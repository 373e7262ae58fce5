// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "ward/netns.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif

/* Opens the file if it is the namespace with this inode, else -1. */
static int open_if(const char *path, uint32_t inode)
{
	struct stat st;
	int fd;

	if (stat(path, &st) || (uint32_t)st.st_ino != inode)
		return -1;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0 && (fstat(fd, &st) || (uint32_t)st.st_ino != inode)) { /* it went away meanwhile, and the name is another's */
		close(fd);
		fd = -1;
	}
	return fd;
}

static int search(const char *folder, const char *format, bool numbers, uint32_t inode)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;
	char path[300];
	int fd = -1;

	while (dir && fd < 0 && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.' || (numbers && !isdigit((unsigned char)entry->d_name[0])))
			continue;
		snprintf(path, sizeof(path), format, entry->d_name);
		fd = open_if(path, inode);
	}
	if (dir)
		closedir(dir);
	return fd;
}

uint64_t netns_cookie(void)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	socklen_t size = sizeof(uint64_t);
	uint64_t cookie = 0;

	if (fd < 0)
		return 0;
	if (getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &size))
		cookie = 0;
	close(fd);
	return cookie;
}

bool netns_here(uint32_t inode, uint64_t cookie)
{
	struct stat st;

	return !stat("/proc/thread-self/ns/net", &st) && (uint32_t)st.st_ino == inode && (!cookie || netns_cookie() == cookie);
}

/* Are we where we wanted to be? */
static int check(uint64_t cookie)
{
	if (cookie && netns_cookie() == cookie)
		return 0;
	errno = ESTALE;
	return -1;
}

static int go(int there, struct netns_visit *visit)
{
	int saved;

	visit->home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	if (visit->home < 0)
		return -1;
	if (!setns(there, CLONE_NEWNET))
		return 0;
	saved = errno;
	close(visit->home);
	visit->home = -1;
	errno = saved;
	return -1;
}

int netns_enter(uint32_t inode, uint64_t cookie, struct netns_visit *visit)
{
	int there, err, saved;

	visit->home = -1;
	if (netns_here(inode, 0))
		return check(cookie);
	there = search("/run/netns", "/run/netns/%s", false, inode);
	if (there < 0)
		there = search("/proc", "/proc/%s/ns/net", true, inode);
	if (there < 0) {
		errno = ENOENT;
		return -1;
	}
	err = go(there, visit);
	if (!err && check(cookie)) {
		netns_leave(visit);
		errno = ESTALE;
		err = -1;
	}
	saved = errno;
	close(there);
	errno = saved;
	return err;
}

void netns_leave(struct netns_visit *visit)
{
	if (visit->home < 0)
		return;
	/* the way back cannot fail for want of anything that the way there had */
	if (setns(visit->home, CLONE_NEWNET))
		_exit(1);
	close(visit->home);
	visit->home = -1;
}
