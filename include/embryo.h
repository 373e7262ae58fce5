/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Embryos: flows that have not finished the handshake, and mid-stream flows seen one way only. A fixed set-associative
 * array, overwrite-oldest, so that a flood can only evict other embryos. A fresh embryo, made by one plain SYN, has only its
 * key, the first word and half[0] of its record written (two cache lines), and half[0] holds what is known of the SYN;
 * embryo_complete() makes a whole record of it.
 */
#ifndef EMBRYO_H
#define EMBRYO_H

#include "tcp_history.h"
#include "tcp_judgement.h"

#define EMBRYO_WAYS 8

struct embryo {
	struct flow_key key;
	struct flow flow;
	__u8 pad[48]; /* whole cache lines */
};

/* One element of map "embryos": one cache line to search, then the records. */
struct embryo_set {
	__u32 lock;             /* serialises claims of a place in this set */
	__u32 clock;            /* claims so far */
	__u32 tag[EMBRYO_WAYS]; /* upper half of the key's hash, 0: free */
	__u16 age[EMBRYO_WAYS]; /* clock at the claim */
	__u64 pad;
	struct embryo way[EMBRYO_WAYS];
};

_Static_assert(__builtin_offsetof(struct embryo_set, way) == 64, "searching a set touches one cache line");
_Static_assert(sizeof(struct embryo) % 64 == 0, "an embryo begins with a cache line");

/* half[0].pkts of a fresh record: stamp, vlan, iface, side of the sender, window scale */
static __always_inline __u64 embryo_pack(const struct segment *seg)
{
	return (__u64)seg->stamp_ns | (__u64)seg->vlan << 32 | (__u64)seg->iface << 48 | (__u64)(seg->dir & 1) << 56 |
	       (__u64)((seg->opts & SEG_WS ? (seg->ws > WS_UNKNOWN ? WS_UNKNOWN : seg->ws) : WS_NONE) & 15) << 57;
}

/* The first word of a fresh embryo: both states, what is known, phase (PHASE_*) and generation. */
static __always_inline __u64 embryo_word(const struct segment *seg, __u8 phase, __u16 gen)
{
	__u64 states = seg->dir & 1 ? LISTEN | SYN_SENT << 8 : SYN_SENT | LISTEN << 8;
	__u64 known = (__u64)KNOWN_CONF * 0x0101 | (__u64)KNOWN_ISN << (seg->dir & 1 ? 8 : 0);

	return states | known << 16 | (__u64)phase << 40 | (__u64)gen << 48;
}

/* Writes what a fresh record holds of its SYN (which has no data), but for the first word. */
static __always_inline void embryo_open(struct flow *f, const struct segment *seg)
{
	struct flow_half *h = &f->half[0];

	h->pkts = embryo_pack(seg);
	h->bytes = seg->segs | (__u64)seg->win << 32;
	h->last_ns = seg->now_ns;
	*(__u64 *)&h->nxt = seg->seq + 1; /* and ack: 0 */
	*(__u64 *)&h->redge = (__u64)(seg->opts & SEG_TS ? seg->tsval : 0) << 32; /* redge: 0 */
}

/*
 * Makes a fresh record whole: what tcp_judge() and tcp_commit() would have written for its SYN (O1). Nothing happens to a
 * record that is whole.
 */
static __always_inline void embryo_complete(struct flow *f)
{
	struct flow_half syn = f->half[0];
	__u64 *rest = (__u64 *)f, packed = syn.pkts;
	int i, s = packed >> 56 & 1;

	if (!(f->phase & PHASE_FRESH))
		return;
	for (i = 1; i < (int)(sizeof(*f) / sizeof(*rest)); i++)
		rest[i] = 0;
	f->prev = tcp_prev_pack(0, 0, s);
	f->half[s].pkts = (__u32)syn.bytes;
	f->half[s].last_ns = syn.last_ns;
	f->half[s].nxt = syn.nxt;
	f->half[s].tsval = syn.tsval;
	f->win[s] = (__u16)(syn.bytes >> 32);
	f->start_ns = syn.last_ns;
	f->since_ns[0] = f->since_ns[1] = syn.last_ns;
	f->isn[s] = syn.nxt - 1;
	f->rtt_syn_ns = (__u32)packed;
	f->flags = f->rtt_syn_ns ? MARK_RTT_SYN : 0;
	f->vlan = (__u16)(packed >> 32);
	f->iface = (__u8)(packed >> 48);
	f->orig = (__u8)s;
	f->wscale = (packed >> 57 & 15) << (4 * s) | WS_NONE << (4 * (s ^ 1));
	f->zeek = Z_SYN_SENT << (4 * s);
	history_new(f, s, 's', f->isn[s], 0);
	f->history[0] = 'S';
	f->phase = (f->phase & ~PHASE_FRESH) | PHASE_SLOW;
}

#endif
