// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * mirror: a switch's mirror port. Copies every IPv4 frame that passes one interface, either way, out of another, with VLAN
 * tags put in.
 *
 *   mirror FROM TO [VLAN [INNER]]      one tag: 802.1Q; two: 802.1ad outside, 802.1Q inside
 */
#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define ADDRESSES 12 /* bytes of an Ethernet header before its type */

static int open_packet(const char *device, int protocol)
{
	struct sockaddr_ll at = { .sll_family = AF_PACKET,
				  .sll_protocol = htons(protocol),
				  .sll_ifindex = if_nametoindex(device) };
	int fd = socket(AF_PACKET, SOCK_RAW, 0);

	if (fd < 0 || !at.sll_ifindex || bind(fd, (struct sockaddr *)&at, sizeof(at))) {
		fprintf(stderr, "mirror: cannot open '%s'\n", device);
		exit(1);
	}
	return fd;
}

static size_t put_tag(uint8_t *at, uint16_t type, const char *vlan)
{
	uint16_t words[2] = { htons(type), htons(atoi(vlan)) };

	memcpy(at, words, sizeof(words));
	return sizeof(words);
}

int main(int argc, char **argv)
{
	uint8_t frame[65536], tagged[65536 + 8];
	int in, out, room = 64 << 20;

	if (argc < 3 || argc > 5) {
		fprintf(stderr, "usage: mirror FROM TO [VLAN [INNER]]\n");
		return 2;
	}
	in = open_packet(argv[1], ETH_P_ALL);
	out = open_packet(argv[2], 0);
	setsockopt(in, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
	puts("ready");
	fflush(stdout);
	for (;;) {
		ssize_t n = recv(in, frame, sizeof(frame), 0);
		size_t at = ADDRESSES;

		if (n < ETH_HLEN || frame[ADDRESSES] != 0x08 || frame[ADDRESSES + 1] != 0x00)
			continue;
		memcpy(tagged, frame, ADDRESSES);
		if (argc == 5)
			at += put_tag(tagged + at, ETH_P_8021AD, argv[3]);
		if (argc >= 4)
			at += put_tag(tagged + at, ETH_P_8021Q, argv[argc - 1]);
		memcpy(tagged + at, frame + ADDRESSES, n - ADDRESSES);
		if (send(out, tagged, at + n - ADDRESSES, 0) < 0)
			perror("mirror: send");
	}
}
