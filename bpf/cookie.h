/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * SYN cookies: maps, and what the packet programs call. The cookie itself is include/syncookie.h.
 *
 * The policy sends each SYN that is to be answered by a cookie to cookie_syn() (VERDICT_COOKIE), and ACKs that may bring one
 * back to cookie_ack() (VERDICT_COOKIE_ACK). A SYN that is answered here is not tracked: the flow begins with the ACK. At tc
 * ingress ward_tc_cookie makes the stack's request of the ACK (own cookies; the kernel knows its own).
 */
#ifndef BPF_COOKIE_H
#define BPF_COOKIE_H

#include "maps.h"
/* after maps.h */
#include <bpf/bpf_endian.h>

#include "syncookie.h"

#define SOCKET_TCP_LISTEN 10 /* enum of the kernel's TCP states, whose names are taken */

/* What is read of the kernel's own. */
struct sock {
	unsigned char sk_userlocks : 4;
} __attribute__((preserve_access_index));

struct tcp_sock {
	bool is_mptcp;
} __attribute__((preserve_access_index));

enum cookie_verdict {
	COOKIE_PASS,     /* to the tracker, and to the stack */
	COOKIE_ANSWERED, /* XDP_TX: the frame is the SYN-ACK now */
	COOKIE_DROP_RATE,
	COOKIE_DROP_BAD,
};

#define COOKIE_LISTENERS 8

/* A socket that listened at that time. */
struct cookie_listener {
	__u64 addr[2];
	__u64 now_ns;
	__be16 port;
	__u16 iface;
	__u32 pad;
};

/* What cookie.bpf.c works on, one a CPU; but for tokens and listener filled anew for each segment. */
struct cookie_work {
	__u32 l3;     /* offset of the IP header */
	__u32 l4;     /* ... and of TCP */
	__u32 tokens; /* replies that this CPU may send before it asks again */
	__u32 isn;    /* of the SYN-ACK */
	__u32 stamp;  /* time stamp of the SYN-ACK */
	__u32 echo;   /* that the ACK brought back */
	__u8 v6;
	__u8 has;     /* COOKIE_HAS_*: what both ends want */
	__u8 ask;     /* enum cookie_ask, of the kernel's cookie */
	__u8 pad;
	__s32 answer; /* of the kernel: 0 or an error */
	struct cookie_options options;
	struct cookie_reply reply;
	__u8 ip[40];  /* the kernel's cookie: copies of the headers */
	__u8 tcp[64];
	struct cookie_listener listener[COOKIE_LISTENERS];
};

#define PORT_WORDS 1024 /* a bit for each port */

struct port_bits {
	__u64 word[PORT_WORDS];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct cookie_keys);
} cookie_keys WARD_MAP;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct cookie_conf);
} cookie_conf WARD_MAP;

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct cookie_work);
} cookie_work WARD_MAP;

/* Ports whose SYNs could not be answered, for nobody listens on them here. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct port_bits);
} cookie_unprotected WARD_MAP;

__weak __u64 cookie_spent; /* the reply rate: until when it is used up */
__weak __u64 cookie_ns;    /* a SYN was last answered: no cookie comes back COOKIE_LIFETIME_NS later */

static __always_inline struct cookie_keys *cookie_keys_get(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&cookie_keys, &zero);
}

static __always_inline struct cookie_conf *cookie_conf_get(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&cookie_conf, &zero);
}

static __always_inline struct cookie_work *cookie_work_get(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&cookie_work, &zero);
}

/* The connection of the segment in scratch, whose sender is the client; isn: the client's. */
static __always_inline void cookie_tuple_of(const struct segment *seg, __u32 isn, struct cookie_tuple *t)
{
	const struct flow_key *k = &seg->key;
	const __u32 *mapped = (const __u32 *)k->a_addr;

	t->saddr = seg->dir ? k->b_addr : k->a_addr;
	t->daddr = seg->dir ? k->a_addr : k->b_addr;
	t->sport = bpf_htons(seg->dir ? k->b_port : k->a_port);
	t->dport = bpf_htons(seg->dir ? k->a_port : k->b_port);
	t->isn = isn;
	/* no such address is on the wire: parse_ipv6() */
	t->v6 = mapped[0] || mapped[1] || mapped[2] != bpf_htonl(0xffff);
}

static __always_inline void cookie_socket_tuple(const struct cookie_tuple *t, struct bpf_sock_tuple *to)
{
	if (t->v6) {
		__builtin_memcpy(to->ipv6.saddr, t->saddr, 16);
		__builtin_memcpy(to->ipv6.daddr, t->daddr, 16);
		to->ipv6.sport = t->sport;
		to->ipv6.dport = t->dport;
	} else {
		to->ipv4.saddr = *(const __be32 *)(t->saddr + 12);
		to->ipv4.daddr = *(const __be32 *)(t->daddr + 12);
		to->ipv4.sport = t->sport;
		to->ipv4.dport = t->dport;
	}
}

/* A SYN of a service in cookie state, in scratch and in ctx. Returns enum cookie_verdict. */
int cookie_syn(struct xdp_md *ctx);
/* A segment with ACK, likewise: COOKIE_PASS or COOKIE_DROP_BAD. A good cookie is noted in the scratch for the tracker. */
int cookie_ack(struct xdp_md *ctx);

#endif
