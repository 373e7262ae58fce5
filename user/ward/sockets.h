/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* sockets: the kernel's own TCP sockets of this network namespace, by sock_diag(7) over libmnl. */
#ifndef WARD_SOCKETS_H
#define WARD_SOCKETS_H

#include <stdint.h>

#include "tcpward.h"

struct socket_info {
	struct flow_key key; /* canonical; unused for LISTEN */
	__u8 local_side;     /* which side of the key is this host: 0 = A, 1 = B */
	__u8 laddr[16], raddr[16];
	__u16 lport, rport;
	enum tcp_state state; /* of the local end */
	uint32_t ifindex;     /* bound to, 0: any */
	uint32_t inode;       /* 0: no process owns it (orphan, TIME-WAIT, SYN-RECEIVED) */
	uint32_t rqueue, wqueue;
	uint8_t timer, retrans;
	uint32_t expires_ms;
	uint32_t idle_ms; /* since data was last received or sent, UINT32_MAX: unknown */
};

typedef int (*socket_fn)(const struct socket_info *sock, void *ctx);
/* Calls fn for every TCP socket, v4 and v6 (v4-mapped ones as v4), all states, LISTEN included. A non-zero return of fn ends
 * the walk and is returned. 0 or a negative errno. */
int sockets_each(socket_fn fn, void *ctx);
/* Closes the socket of this network namespace that is one end of this flow, whichever: its peer gets a RST. 0; -ENOENT: no end
 * is here; -EOPNOTSUPP: the kernel cannot (CONFIG_INET_DIAG_DESTROY); -EPERM. */
int socket_destroy(const struct flow_key *key);

#endif
