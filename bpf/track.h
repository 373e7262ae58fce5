/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Track: the segment in scratch finds its record. Established segments in order take the fast path below, inline in each
 * program and without a lock; all others go through the two functions of track.bpf.c.
 */
#ifndef BPF_TRACK_H
#define BPF_TRACK_H

#include "policy.h"
#include "present.h"
#include "record.h"

/* A flow that is in the table, but not for the fast path. 1: done; 0: the entry is going away, look again. */
int track_slow(struct flow *f);
/* A flow that is not in the table, with its hash in scratch: the usual new SYN. 0: it is not that. */
int track_syn(void);
/* ... and everything else: of an embryo, or of nothing yet. */
int track_embryo(void);

#define EST_WORD                                                                                                       \
	((__u64)ESTABLISHED | (__u64)ESTABLISHED << 8 | (__u64)KNOWN_CONF << 16 | (__u64)KNOWN_CONF << 24 |            \
	 WORD_PHASE(PHASE_LIVE))
#define EST_MASK                                                                                                       \
	(0xffffULL | (__u64)(KNOWN_CONF | KNOWN_FIN | KNOWN_HOLE) * 0x01010000ULL |                                    \
	 WORD_PHASE(PHASE_LIFE | PHASE_LOCKED | PHASE_SLOW | PHASE_RULED))

/*
 * The established fast path: both ends open and confirmed, nothing rare known of them, the next segment in order with an
 * ack of what was sent. Judge and commit in one, since no state, flag or letter can change.
 *
 * No lock. Worst cases, with two CPUs in one flow: packets and bytes are added atomically and exact, and nxt moves by
 * compare-and-swap, never back; of two segments of one side that run at once the older may store its ack and window last,
 * which the next one heals. A state cannot be lost: this path writes none.
 * word: the record's first word, as it was found. Returns 1 if it took the segment.
 */
static __always_inline int track_fast(struct flow *f, __u64 word, const struct segment *seg)
{
	struct flow_half *s = &f->half[seg->dir & 1], *d = &f->half[(seg->dir & 1) ^ 1];
	__u8 known = word >> (16 + 8 * (seg->dir & 1));
	__u8 ws = word >> (32 + 4 * (seg->dir & 1)) & 15;
	__u64 old;
	__u32 redge;

	if ((word & EST_MASK) != EST_WORD || (seg->bits & (TH_FIN | TH_SYN | TH_RST | TH_ACK)) != TH_ACK)
		return 0;
	if (!(known & (seg->len ? KNOWN_HIST_D : KNOWN_HIST_A)))
		return 0;
	if (seg->len == 1 && !f->win[(seg->dir & 1) ^ 1]) /* a window probe */
		return 0;
	if (!seg->win != !f->win[seg->dir & 1]) /* shut, or opened: the time is noted */
		return 0;
	if (seg->seq != s->nxt || (__s32)(d->redge - seg->seq) < 0)
		return 0;
	if ((__s32)(seg->ack - s->ack) < 0 || (__s32)(d->nxt - seg->ack) < 0)
		return 0;
	if ((known & KNOWN_ISN) && s->bytes >> 30)
		return 0;
	old = seg->now_ns - opts.timeout_ns[TIMEOUT_ESTABLISHED];
	if (s->last_ns < old && d->last_ns < old)
		return 0;
	if (seg->win > f->maxwin[seg->dir & 1])
		f->maxwin[seg->dir & 1] = seg->win;
	redge = seg->ack + (seg->win ? (__u32)seg->win << ws : 1);
	if ((__s32)(redge - s->redge) > 0)
		s->redge = redge;
	f->win[seg->dir & 1] = seg->win;
	if (seg->len)
		__sync_val_compare_and_swap(&s->nxt, seg->seq, seg->seq + seg->len); /* never back, should another CPU be ahead */
	s->ack = seg->ack;
	if (seg->opts & SEG_TS)
		s->tsval = seg->tsval;
	s->last_ns = seg->now_ns;
	f->prev = tcp_prev_pack(seg->ack, 1, seg->dir);
	__sync_fetch_and_add(&s->pkts, (__u64)seg->segs);
	__sync_fetch_and_add(&s->bytes, (__u64)seg->len);
	return 1;
}

/*
 * A SYN will look for a place among the embryos: the head of its set, and the place that it would get now, are fetched
 * early. What is loaded here is not used, but in the cache when it is.
 */
static __always_inline void fetch_embryos(struct scratch *sc)
{
	struct syn_set *set;
	__u32 index;

	sc->hash = key_hash(&sc->seg.key);
	index = sc->hash & embryo_mask;
	set = bpf_map_lookup_elem(&syns, &index);
	if (!set)
		return;
	*(volatile __u64 *)&set->way[ways_place(&set->syns) & (EMBRYO_WAYS - 1)];
}

/* A ladder over a capture shows every segment: then none takes the fast path. */
static __always_inline int ladder_in_replay(void)
{
	struct ward_control *ctl;

	if (!replay)
		return 0;
	ctl = control_get();
	return ctl && ctl->ladder_until_ns;
}

/* The segment in sc: the whole way. */
static __always_inline void track(struct scratch *sc, struct ward_counters *c)
{
	struct flow *f;

	sc->promotions = *(volatile __u64 *)&promotions;
	if (sc->seg.bits & TH_SYN) {
		fetch_embryos(sc);
		if (!present_maybe(sc->hash))
			goto missing;
	}
	f = bpf_map_lookup_elem(&flows, &sc->seg.key);
	if (f) {
		sc->word = record_word(f);
		if (!ladder_in_replay() && track_fast(f, sc->word, &sc->seg)) {
			c->counter[CNT_FAST]++;
			return;
		}
		if (track_slow(f))
			return;
	}
	if (!(sc->seg.bits & TH_SYN))
		sc->hash = key_hash(&sc->seg.key);
missing:
	if (!(sc->seg.bits & TH_SYN) || !track_syn())
		track_embryo();
}

/* The segment in sc was held back by the policy, for the cookies' sake, and passes after all. */
static __always_inline void track_again(struct scratch *sc)
{
	struct flow *f = bpf_map_lookup_elem(&flows, &sc->seg.key);

	sc->policy.passed = 1;
	sc->policy.verdict = VERDICT_PASS;
	sc->promotions = *(volatile __u64 *)&promotions;
	if (f) {
		sc->word = record_word(f);
		if (track_slow(f))
			return;
	}
	sc->hash = key_hash(&sc->seg.key);
	track_embryo();
}

/* Counts a segment that is followed. egress: it leaves. */
static __always_inline void count_segment(struct ward_counters *c, const struct segment *seg, int egress)
{
	if (egress) {
		c->counter[CNT_TX_SEGMENTS] += seg->segs;
		c->counter[CNT_TX_BYTES] += seg->len;
	} else {
		c->counter[CNT_RX_SEGMENTS] += seg->segs;
		c->counter[CNT_RX_BYTES] += seg->len;
	}
	if (seg->opts & SEG_ESTIMATED)
		c->counter[CNT_ESTIMATED]++;
}

/* A super-segment of which only the length is known: about so many segments. */
static __always_inline void estimate_segments(struct segment *seg, __u32 frame_len, __u32 mtu)
{
	__u32 mss = mtu > 100 ? mtu - 60 : 1400;

	if (frame_len <= mtu + 22 || seg->len <= mss)
		return;
	seg->segs = (seg->len + mss - 1) / mss;
	seg->opts |= SEG_ESTIMATED;
}

#endif
