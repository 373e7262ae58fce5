// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * tunnel: a wire of packets without Ethernet headers. Makes tun devices in two namespaces and copies between them.
 *
 *   tunnel NETNS DEVICE NETNS DEVICE          (paths of namespaces)
 */
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static void die(const char *what)
{
	perror(what);
	exit(77);
}

static int make_tun(const char *netns, const char *device)
{
	struct ifreq req = { .ifr_flags = IFF_TUN | IFF_NO_PI };
	int ns = open(netns, O_RDONLY | O_CLOEXEC), fd;

	if (ns < 0 || setns(ns, CLONE_NEWNET))
		die("tunnel: namespace");
	close(ns);
	fd = open("/dev/net/tun", O_RDWR);
	if (fd < 0)
		die("tunnel: /dev/net/tun");
	strncpy(req.ifr_name, device, IFNAMSIZ - 1);
	if (ioctl(fd, TUNSETIFF, &req))
		die("tunnel: TUNSETIFF");
	return fd;
}

int main(int argc, char **argv)
{
	struct pollfd ends[2] = { { .events = POLLIN }, { .events = POLLIN } };
	char packet[65536];

	if (argc != 5) {
		fprintf(stderr, "usage: tunnel NETNS DEVICE NETNS DEVICE\n");
		return 2;
	}
	for (int i = 0; i < 2; i++)
		ends[i].fd = make_tun(argv[1 + 2 * i], argv[2 + 2 * i]);
	puts("ready");
	fflush(stdout);
	while (poll(ends, 2, -1) > 0)
		for (int i = 0; i < 2; i++) {
			ssize_t n = ends[i].revents ? read(ends[i].fd, packet, sizeof(packet)) : 0;

			if (n > 0 && write(ends[!i].fd, packet, n) != n)
				continue; /* the other end is down: lost, as on a wire */
		}
	return 0;
}
