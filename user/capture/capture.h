/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * capture: packets out of pcap and pcapng files, in the form in which the XDP program takes them.
 *
 * Whatever the link type, a packet comes out as an Ethernet frame or as a bare IP packet. Cooked headers (SLL, SLL2) and
 * families that are not IP become an Ethernet header with zero addresses and the header's protocol, so that VLAN tags
 * and foreign protocols are judged by the one parser that there is.
 */
#ifndef CAPTURE_H
#define CAPTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CAPTURE_BYTES 256 /* of each packet, no more are handed out */

struct capture;

struct capture_packet {
	const uint8_t *data; /* valid until the next call */
	size_t len;	     /* bytes at data, at most CAPTURE_BYTES */
	uint32_t wire_len;   /* length of the whole packet on the wire, counted from data on */
	bool l3;	     /* data starts at the IP header, else at an Ethernet header */
	uint64_t ts_ns;	     /* the capture's time stamp, since the epoch */
};

struct capture_error {
	char text[400];	  /* "cannot read 'x.pcap': cause" */
	char remedy[200]; /* "" if there is none */
	bool truncated;	  /* the file ends inside a packet: what came before is good */
};

/* Opens path ("-": standard input). 0, or a negative errno with *error filled. */
int capture_open(const char *path, struct capture **out, struct capture_error *error);
/* The next packet: 1, 0 at the end, a negative errno with *error filled. */
int capture_next(struct capture *c, struct capture_packet *packet, struct capture_error *error);
void capture_close(struct capture *c);

/* ---- the clock of a replay: it never goes back, and never stands still for long ---- */
#define CAPTURE_REORDER_NS 1000000000ULL /* a stamp older by no more is reordering */

struct capture_clock {
	uint64_t now_ns;
	uint64_t offset_ns; /* added to the file's stamps since the last larger step back */
	uint64_t before_ns; /* the offset before that one */
	uint64_t reordered; /* packets that kept the clock */
	uint64_t rebased;   /* larger steps back */
	bool started;
};

/*
 * Moves the clock by a packet's time stamp; returns its new time. A stamp up to a second older keeps the clock; an older one
 * sets a new offset, so that the clock goes on from there; stamps that fit the former offset again return to it.
 */
uint64_t capture_clock_tick(struct capture_clock *clock, uint64_t ts_ns);

#endif
