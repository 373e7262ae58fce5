/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Embryos: flows that have not finished the handshake, and mid-stream flows seen one way only. A fixed set-associative
 * array, overwrite-oldest, so that a flood can only evict other embryos. A fresh embryo, made by one plain SYN, has only
 * its key and the first 136 bytes of its record written; embryo_complete() fills in the rest.
 */
#ifndef EMBRYO_H
#define EMBRYO_H

#include "tcp_history.h"
#include "tcp_judgement.h"

#define EMBRYO_WAYS 8

struct embryo {
	struct flow_key key;
	struct flow flow;
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

/* While a record is fresh, half[!orig].bytes holds what else is known of the SYN. */
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

/*
 * Writes the hot part of a record for a plain SYN (no data), but for its first word: what tcp_judge() and tcp_commit() would
 * write (O1), the rest left to embryo_complete().
 */
static __always_inline void embryo_open(struct flow *f, const struct segment *seg)
{
	int s = seg->dir & 1, d = s ^ 1;

	f->prev = tcp_prev_pack(0, 0, s);
	f->half[s].pkts = seg->segs;
	f->half[s].bytes = 0;
	f->half[s].last_ns = seg->now_ns;
	f->half[s].nxt = seg->seq + 1;
	f->half[s].ack = 0;
	f->half[s].redge = 0;
	f->half[s].tsval = seg->opts & SEG_TS ? seg->tsval : 0;
	f->half[d].pkts = 0;
	f->half[d].bytes = embryo_pack(seg);
	f->half[d].last_ns = 0;
	f->half[d].nxt = 0;
	f->half[d].ack = 0;
	f->half[d].redge = 0;
	f->half[d].tsval = 0;
	*(__u64 *)f->win = (__u64)seg->win << (16 * s); /* maxwin: 0 */
	f->flags = seg->stamp_ns ? MARK_RTT_SYN : 0;
	f->start_ns = seg->now_ns;
	f->since_ns[0] = f->since_ns[1] = seg->now_ns;
}

/* Fills in what embryo_open() left out. Nothing happens to a record that is whole. */
static __always_inline void embryo_complete(struct flow *f)
{
	__u64 *rest = (__u64 *)((char *)f + __builtin_offsetof(struct flow, isn));
	__u64 packed;
	int i, s, d;

	if (!(f->phase & PHASE_FRESH))
		return;
	packed = (f->half[0].bytes | f->half[1].bytes); /* the SYN had no data */
	s = packed >> 56 & 1;
	d = s ^ 1;
	for (i = 0; i < (int)((sizeof(*f) - __builtin_offsetof(struct flow, isn)) / sizeof(*rest)); i++)
		rest[i] = 0;
	f->half[d].bytes = 0;
	f->isn[s] = f->half[s].nxt - 1;
	f->rtt_syn_ns = (__u32)packed;
	f->vlan = (__u16)(packed >> 32);
	f->iface = (__u8)(packed >> 48);
	f->orig = (__u8)s;
	f->wscale = (packed >> 57 & 15) << (4 * s) | WS_NONE << (4 * d);
	f->zeek = Z_SYN_SENT << (4 * s);
	history_new(f, s, 's', f->isn[s], 0);
	f->history[0] = 'S';
	f->phase = (f->phase & ~PHASE_FRESH) | PHASE_SLOW;
}

#endif
