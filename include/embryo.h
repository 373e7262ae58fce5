/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Embryos: flows that have not finished the handshake, and mid-stream flows seen one way only. Two fixed set-associative
 * arrays, overwrite-oldest, so that a flood can only evict other embryos. A plain SYN that nothing has answered is one cache
 * line of map "syns" (struct syn); whatever comes next makes a whole record of it in map "embryos". A key selects one set,
 * the same in both; the head of the set, in "syns", tells which places of both are taken.
 */
#ifndef EMBRYO_H
#define EMBRYO_H

#include "tcp_history.h"
#include "tcp_judgement.h"

#define EMBRYO_WAYS 8

/* One SYN without data, as judge and commit would have left it in a record. */
struct syn {
	__u8 a_addr[16]; /* the flow's key, as in struct flow_key */
	__u8 b_addr[16];
	__u16 a_port;
	__u16 b_port;
	__u16 key_vlan;
	__u16 vlan;
	__u64 at_ns; /* since the epoch */
	__u32 isn;
	__u32 tsval;
	__u32 stamp_ns; /* of a finer clock; 0: none */
	__u16 win;
	__u8 how; /* SYN_* and, in the upper nibble, the window scale */
	__u8 iface;
};

#define SYN_FROM_B 0x01 /* side B sent it */
#define SYN_STALE 0x02  /* it was told that nobody answers */

/* The places of one array in a set. */
struct embryo_ways {
	__u16 tag[EMBRYO_WAYS];  /* of the key's hash; 0: free */
	__u8 order[EMBRYO_WAYS]; /* rank (0: the newest claim) exclusive-or the way's number, so that zeroes are valid */
};

/* One element of map "syns". The head takes one cache line, each SYN another. */
struct syn_set {
	__u32 lock; /* serialises claims in both arrays, and all use of way[] */
	__u32 pad;
	struct embryo_ways syns;
	struct embryo_ways records; /* of map "embryos" */
	__u64 pad2;
	struct syn way[EMBRYO_WAYS];
};

struct embryo {
	struct flow_key key;
	struct flow flow;
	__u8 pad[48]; /* whole cache lines */
};

/* One element of map "embryos". */
struct embryo_set {
	struct embryo way[EMBRYO_WAYS];
};

_Static_assert(sizeof(struct syn) == 64, "a SYN is one cache line");
_Static_assert(__builtin_offsetof(struct syn_set, way) == 64, "searching a set touches one cache line");
_Static_assert(sizeof(struct embryo) % 64 == 0, "an embryo begins with a cache line");

/* ---- places: eight lanes at once ---- */
#define LANES16(x) ((x) * 0x0001000100010001ULL)
#define LANES8(x) ((x) * 0x0101010101010101ULL)
#define ORDER_START 0x0706050403020100ULL /* each lane its number */

/* Not 0 if a lane of 16 bits is 0; then its lowest bit is in the lowest such lane. */
static __always_inline __u64 zero_lanes16(__u64 w)
{
	return (w - LANES16(1)) & ~w & LANES16(0x8000ULL);
}

/* Some way may hold this tag. */
static __always_inline int ways_may_hold(const struct embryo_ways *w, __u16 tag)
{
	const volatile __u64 *t = (const volatile __u64 *)w->tag;

	return (zero_lanes16(t[0] ^ LANES16(tag)) | zero_lanes16(t[1] ^ LANES16(tag))) != 0;
}

static __always_inline __u32 lane16(__u64 zero)
{
	return ((zero & -zero) >> 15) * 0x0000000100020003ULL >> 48;
}

/* A free way, else the one that was claimed first. */
static __always_inline __u32 ways_place(const struct embryo_ways *w)
{
	const volatile __u64 *t = (const volatile __u64 *)w->tag;
	__u64 zero = zero_lanes16(t[0]), last;

	if (zero)
		return lane16(zero);
	zero = zero_lanes16(t[1]);
	if (zero)
		return 4 + lane16(zero);
	last = *(const __u64 *)w->order ^ ORDER_START ^ LANES8(EMBRYO_WAYS - 1ULL); /* its lane is 0 */
	last = (last - LANES8(1)) & ~last & LANES8(0x80ULL);
	return ((last & -last) >> 7) * 0x0001020304050607ULL >> 56;
}

/* Way i becomes the newest. */
static __always_inline void ways_claimed(struct embryo_ways *w, __u32 i)
{
	__u64 rank = *(__u64 *)w->order ^ ORDER_START, mine = rank >> (8 * i) & 0xff, newer;

	newer = ~(rank + LANES8(0x80ULL) - LANES8(mine)) & LANES8(0x80ULL); /* no lane carries: ranks are below 8 */
	rank = (rank + (newer >> 7)) & ~(0xffULL << (8 * i));
	*(__u64 *)w->order = rank ^ ORDER_START;
}

/* ---- a SYN at rest ---- */
/* Both states of its flow, what is known of both ends and the window scale: the first five bytes of the record. */
static __always_inline __u64 syn_word(const struct syn *s)
{
	int side = s->how & SYN_FROM_B;
	__u64 states = side ? LISTEN | SYN_SENT << 8 : SYN_SENT | LISTEN << 8;
	__u64 known = (__u64)KNOWN_CONF * 0x0101 | (__u64)KNOWN_ISN << (8 * side);
	__u64 scales = (s->how >> 4) << (4 * side) | WS_NONE << (4 * (side ^ 1));

	return states | known << 16 | scales << 32;
}

/* Word i of 5 of its key. */
static __always_inline __u64 syn_key_word(const struct syn *s, int i)
{
	__u64 w = ((const __u64 *)s)[i];

	return i == 4 ? w & 0xffffffffffffULL : w;
}

static __always_inline void syn_key(const struct syn *s, struct flow_key *key)
{
	int i;

	for (i = 0; i < 5; i++)
		((__u64 *)key)[i] = syn_key_word(s, i);
}

static __always_inline int syn_has_key(const struct syn *s, const struct flow_key *key)
{
	const __u64 *k = (const __u64 *)key;

	return !((syn_key_word(s, 0) ^ k[0]) | (syn_key_word(s, 1) ^ k[1]) | (syn_key_word(s, 2) ^ k[2]) |
		 (syn_key_word(s, 3) ^ k[3]) | (syn_key_word(s, 4) ^ k[4]));
}

/* Keeps a SYN that carries no data. */
static __always_inline void syn_open(struct syn *s, const struct segment *seg)
{
	const __u64 *k = (const __u64 *)&seg->key;
	__u8 ws = seg->opts & SEG_WS ? (seg->ws > WS_UNKNOWN ? WS_UNKNOWN : seg->ws) : WS_NONE;
	__u64 *w = (__u64 *)s;

	w[0] = k[0];
	w[1] = k[1];
	w[2] = k[2];
	w[3] = k[3];
	w[4] = k[4] | (__u64)seg->vlan << 48;
	s->at_ns = seg->now_ns;
	w[6] = seg->seq | (__u64)(seg->opts & SEG_TS ? seg->tsval : 0) << 32;
	w[7] = seg->stamp_ns | (__u64)seg->win << 32 | (__u64)((seg->dir & 1) | ws << 4) << 48 | (__u64)seg->iface << 56;
}

/*
 * Makes a whole record of it: what tcp_judge() and tcp_commit() would have written (O1). Phase and generation are the
 * caller's, but for PHASE_SLOW.
 */
static __always_inline void syn_expand(const struct syn *s, struct flow *f)
{
	__u64 *w = (__u64 *)f, mine = w[0] & 0xffffff0000000000ULL;
	int side = s->how & SYN_FROM_B, i;

	w[0] = mine | syn_word(s);
	for (i = 1; i < (int)(sizeof(*f) / sizeof(*w)); i++)
		w[i] = 0;
	f->prev = tcp_prev_pack(0, 0, side);
	f->half[side].pkts = 1;
	f->half[side].last_ns = s->at_ns;
	f->half[side].nxt = s->isn + 1;
	f->half[side].tsval = s->tsval;
	f->win[side] = s->win;
	f->start_ns = s->at_ns;
	f->since_ns[0] = f->since_ns[1] = s->at_ns;
	f->isn[side] = s->isn;
	f->rtt_syn_ns = s->stamp_ns;
	f->flags = (s->stamp_ns ? MARK_RTT_SYN : 0) | (s->how & SYN_STALE ? FLAG_STALE_SYN : 0);
	f->vlan = s->vlan;
	f->iface = s->iface;
	f->orig = (__u8)side;
	f->zeek = Z_SYN_SENT << (4 * side);
	history_new(f, side, 's', s->isn, 0);
	f->history[0] = 'S';
	f->phase |= PHASE_SLOW;
}

#endif
