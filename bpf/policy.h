/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Policy: between judge and commit. Ingress segments are asked about in two places. The block list's single addresses come
 * first of all, by a bit that is clear for nearly everybody, and by a set that holds the address itself. All the rest is asked when a segment takes the slow path,
 * which those of an open connection do not, unless its flow is marked (PHASE_RULED): addresses and ports alone may be
 * enough for a rule or a prefix to drop them. Every flow is marked when rules or prefixes change (mark.bpf.c); its next
 * segment finds out whether that is so, and if not the mark goes.
 */
#ifndef BPF_POLICY_H
#define BPF_POLICY_H

#include "policy_maps.h"

enum verdict {
	VERDICT_PASS,
	VERDICT_DROP,
	VERDICT_COOKIE,     /* a SYN that is to be answered by a SYN cookie */
	VERDICT_COOKIE_ACK, /* an ACK of no flow, where SYNs are being answered so: it must bring a cookie back */
};

#define POLICY_OPENS 1 /* the segment is a SYN that begins a flow */
#define POLICY_STRAY 2 /* it belongs to no flow */
#define POLICY_MIDSTREAM 4 /* it would begin one mid-way */
#define POLICY_OVER 8 /* the flow that it belongs to is over, at one end at least: it may begin another one by a cookie */

/* Asks lists, limits and rules about the segment in scratch; f: its record, locked, or NULL. what: POLICY_*. enum verdict. */
int policy_judge(struct flow *f, __u32 what);
/* Is the sender of the segment in scratch on the block list? 1: dropped. */
__noinline int policy_blocked(void);
/* ... and its address has had so many hits in its set that they go to its entry. */
__noinline int block_carry(void);
/* The segment in scratch was dropped by the block list: a sample for those who watch. */
__noinline int block_told(void);
/* Counts a frame that could not be parsed; TCP that is broken the policy may drop, if it came in. 1: dropped. */
int policy_unparsed(int reason, int ingress);
/* A handshake is over, one way or the other: it is half-open no more. key of the flow, orig: its originator's side,
 * began: when its flow did, nanoseconds since the epoch. */
int policy_settled(struct flow_key *key, __u32 orig, __u64 began);
/* 1: addresses and ports of the flow in scratch could be enough to drop a segment of it. */
int policy_rules_flow(void);

static __always_inline struct policy_live *policy_live_get(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&policy_live, &zero);
}

/* An index that the verifier believes: the compiler would leave the mask out where it knows better. */
static __always_inline __u32 masked(__u32 i, __u32 mask)
{
	asm volatile("" : "+r"(i));
	return i & mask;
}

/* The number of the lowest bit that is set; 0 if none is. By de Bruijn's sequence: the verifier would follow every branch. */
static __always_inline __u32 lowest_bit(__u64 bits)
{
	static const __u8 number[64] = {
		0, 1, 48, 2, 57, 49, 28, 3, 61, 58, 50, 42, 38, 29, 17, 4,
		62, 55, 59, 36, 53, 51, 43, 22, 45, 39, 33, 30, 24, 18, 12, 5,
		63, 47, 56, 27, 60, 41, 37, 16, 54, 35, 52, 21, 44, 32, 23, 11,
		46, 26, 40, 15, 34, 20, 31, 10, 25, 14, 19, 9, 13, 8, 7, 6,
	};

	return *(const volatile __u8 *)&number[(bits & -bits) * 0x03f79d71b4cb0a89ULL >> 58];
}

/* The address that sent the segment. */
static __always_inline const __u64 *segment_saddr(const struct segment *seg)
{
	return (const __u64 *)&seg->key + (seg->dir & 1 ? 2 : 0);
}

static __always_inline const __u64 *segment_daddr(const struct segment *seg)
{
	return (const __u64 *)&seg->key + (seg->dir & 1 ? 0 : 2);
}

static __always_inline int address_is_v4(const __u64 a[2])
{
	return !a[0] && (__u32)a[1] == 0xffff0000;
}

static __always_inline int block_filter_bit(const struct policy_live *live, __u32 bit)
{
	__u32 index = (bit >> 6) + (live->block_half & 1) * BLOCK_FILTER_WORDS;
	__u64 *word = bpf_map_lookup_elem(&block_filter, &index);

	return word && *(volatile __u64 *)word >> (bit & 63) & 1;
}

static __always_inline int block_filter_has(const struct policy_live *live, __u64 high, __u64 low, __u32 len)
{
	return block_filter_bit(live, block_bit_of(high, low, len));
}

/* An address cut to so many bits, in network order; whole words, so no loop over bytes. */
static __always_inline void address_cut(__u64 a[2], __u32 len)
{
	__u32 left = len < 64 ? 64 - len : 0, right = len < 64 ? 64 : 128 - len;

	a[0] = left >= 64 ? 0 : __builtin_bswap64(__builtin_bswap64(a[0]) >> left << left);
	a[1] = right >= 64 ? 0 : __builtin_bswap64(__builtin_bswap64(a[1]) >> right << right);
}

/* Whoever is on the block list is dropped, and there is nothing else to ask. */
static __always_inline int block_is_simple(const struct policy_live *live)
{
	return live->block_drops && !(live->lists & (LIST_ALLOW_ADDRS | LIST_ALLOW_PREFIXES));
}

/* Counts a segment that the block list drops, where that is simple; and tells of it, if somebody listens. */
static __always_inline void block_count(const struct scratch *sc)
{
	struct policy_count *count;
	struct policy_drops *drops;
	struct ward_control *ctl;
	__u32 key = SUBJECT_BLOCK_LIST; /* one for all: there is no stack to spare */

	count = bpf_map_lookup_elem(&policy_counts, &key);
	key = 0;
	drops = bpf_map_lookup_elem(&policy_drops, &key);
	ctl = bpf_map_lookup_elem(&control, &key);
	if (count) {
		count->hits++;
		count->dropped++;
	}
	if (drops)
		drops->dropped[DROP_BLOCK_LIST]++;
	if (ctl && ctl->listen_until_ns > sc->seg.now_ns)
		block_told();
}

/* The hits of the sender's address, whose bit is set, in its set. NULL: block_addrs may hold it all the same. */
static __always_inline __u32 *block_set_hits(const struct scratch *sc, const __u64 addr[2], __u32 bit)
{
	__u32 index = block_set_index(bit), way;
	struct block_set *set;

	if (!block_set_fits(addr[0], addr[1]))
		return (__u32 *)0;
	set = bpf_map_lookup_elem(&block_sets, &index);
	if (!set)
		return (__u32 *)0;
	way = block_set_find(set, addr[1], block_time(sc->seg.now_ns));
	return way < BLOCK_WAYS ? &set->hits[way] : (__u32 *)0;
}

static __always_inline void block_hit(__u32 *hits)
{
	if (__sync_fetch_and_add(hits, 1) % BLOCK_CARRY == BLOCK_CARRY - 1)
		block_carry();
}

/*
 * The first question, of an ingress segment. 1: the one in scratch is dropped. Nearly everybody is let go by a bit that is
 * clear; of the others those of IPv4 are found in a set. What is left is asked by a function of its own.
 */
static __always_inline int policy_first(struct scratch *sc)
{
	struct policy_live *live = policy_live_get();
	const __u64 *addr;
	__u32 bit, *hits;

	sc->policy.verdict = VERDICT_PASS;
	sc->policy.passed = sc->policy.decided = sc->policy.fresh = 0;
	if (!live)
		return 0;
	sc->policy.on = live->loaded | live->lists;
	if (!(live->lists & LIST_BLOCK_ADDRS))
		return 0;
	addr = segment_saddr(&sc->seg);
	bit = block_bit_of(addr[0], addr[1], 128);
	if (!block_filter_bit(live, bit))
		return live->block_len[!address_is_v4(addr)] && policy_blocked();
	hits = block_is_simple(live) ? block_set_hits(sc, addr, bit) : (__u32 *)0;
	if (!hits)
		return policy_blocked();
	block_hit(hits);
	block_count(sc);
	return 1;
}

/* Are there rules or prefixes that could drop segments of an open connection? Then each flow must be asked about once. */
static __always_inline int policy_has_static(const struct policy_live *live)
{
	__u32 slot = 0, other = 1;
	struct policy_config *a = bpf_map_lookup_elem(&policy_config, &slot);
	struct policy_config *b = bpf_map_lookup_elem(&policy_config, &other);

	if (live->lists & LIST_BLOCK_PREFIXES)
		return 1;
	if (!live->loaded || !a || !b)
		return 0;
	/* one that waits for its confirmation may give way to the one before at any time: both */
	if (live->rollback_ns && live->before)
		return a->static_rules | b->static_rules;
	return live->slot & 1 ? b->static_rules : a->static_rules;
}

/*
 * A segment of f, which is locked, passed by the slow way because f may be ruled: is it? Known from then on, until rules or
 * prefixes change.
 */
static __always_inline void policy_mark(struct scratch *sc, struct flow *f)
{
	if (!sc->policy.on || (f->phase & (PHASE_RULED | PHASE_RULED_KNOWN)) != PHASE_RULED)
		return;
	if (policy_rules_flow())
		f->phase |= PHASE_RULED_KNOWN;
	else
		f->phase &= ~PHASE_RULED;
}

/* The question behind the judge. 0: pass; else no state moves, and policy.verdict says what becomes of the segment. */
static __always_inline int policy_asks(struct scratch *sc, struct flow *f, __u32 what)
{
	if (!sc->policy.on)
		return VERDICT_PASS;
	sc->policy.verdict = policy_judge(f, what);
	return sc->policy.verdict;
}

#endif
