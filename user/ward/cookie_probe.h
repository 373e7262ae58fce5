/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * cookie_probe: segments that come in by an interface as if a neighbour had sent them, and what becomes of them behind the host's own
 * rules. The neighbour's address is one of the interface's network that nobody is asked about.
 */
#ifndef WARD_COOKIE_PROBE_H
#define WARD_COOKIE_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ward_iface;

#define PROBE_TARGETS 128

/* A port of this host. */
struct probe_target {
	uint8_t addr[16]; /* IPv4: the first 4 bytes */
	uint16_t port;	  /* host order */
	bool arrived;	  /* a segment to it came past the input rules, as it was sent */
	bool elsewhere;	  /* ... came to another port, or went on to another host: NAT */
};

struct probe {
	const struct ward_iface *iface;
	int family;
	uint8_t local[16], remote[16];
	uint16_t lport;	 /* of our own listener */
	uint16_t rport;	 /* of the segment to target 0; to target n: n more */
	uint32_t isn;	 /* the neighbour's */
	int listener, raw, tap, prog;
};

size_t probe_address_size(const struct probe *p);
/* Opens what a probe in this family (AF_*) takes. 1; 0: the interface is down, or has no address in a network with neighbours;
 * or a negative errno. */
int probe_open(struct probe *p, const struct ward_iface *iface, int family);
void probe_close(struct probe *p);
/* Other ports of the neighbour from now on: connection tracking has not seen them. */
void probe_again(struct probe *p);
/* One segment with these control bits to target n. 0 or -errno. */
int probe_send(const struct probe *p, const struct probe_target *target, unsigned n, uint8_t bits, uint32_t seq, uint32_t ack);
/* Waits until all targets have arrived or gone elsewhere, for a third of a second at most, and notes which have. */
void probe_look(const struct probe *p, struct probe_target *target, unsigned count);
/* Our own listener has a connection; it is forgotten without a segment. */
bool probe_accepted(const struct probe *p);
/* The kernel's SYN cookie for the neighbour's SYN to target 0, as its listener would answer it. 0; or a negative errno, -ENOENT:
 * it makes none yet (net.ipv4.tcp_syncookies is 1). */
int probe_kernel_cookie(const struct probe *p, const struct probe_target *target, uint32_t *cookie);

#endif
