/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Frames for the programs: one TCP segment in any of the encapsulations that tcpward follows. */
#ifndef TESTS_WIRE_H
#define TESTS_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tcpward.h"

#define WIRE_MAX 4096

/* How TCP options are laid out. */
enum wire_options {
	OPTIONS_PLAIN, /* as Linux sends them: MSS SACK TS NOP WS in a SYN, NOP NOP TS else */
	OPTIONS_ODD,   /* an unknown kind first, WS before TS, padded by EOL */
};

/* What stands around TCP. */
struct wire_layout {
	const char *name;
	bool v6;
	int tags;	/* VLAN tags, the outer one's id is WIRE_VLAN */
	int ip_options; /* bytes of IPv4 options */
	bool extensions; /* IPv6: hop-by-hop, destination options, atomic fragment */
	bool l3;	/* no Ethernet header */
	int padding;	/* bytes after the packet, as Ethernet adds them */
	enum wire_options options;
};

#define WIRE_VLAN 42

/* One end: address as in struct flow_key (IPv4 mapped), port in host order. */
struct wire_end {
	uint8_t addr[16];
	uint16_t port;
};

struct wire_segment {
	uint8_t bits;
	uint32_t seq, ack, len, ts;
	uint16_t win;
	uint8_t ws;
	bool has_ts, has_ws;
	const uint8_t *raw_options; /* instead of those above */
	size_t raw_options_len;     /* multiple of 4 */
};

/* 192.0.2.N or 2001:db8::N */
void wire_address(struct wire_end *end, bool v6, uint32_t n, uint16_t port);
/* Builds the frame, at most WIRE_MAX bytes; returns its length. */
size_t wire_build(uint8_t *frame, const struct wire_layout *layout, const struct wire_end *from,
		  const struct wire_end *to, const struct wire_segment *seg);
/* The key of the flow; returns the side (0 = A) of from. */
int wire_key(struct flow_key *key, const struct wire_end *from, const struct wire_end *to);

#endif
