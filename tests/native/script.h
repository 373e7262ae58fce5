/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Six bytes become a segment whose numbers lie near those that the record holds. */
#ifndef NATIVE_SCRIPT_H
#define NATIVE_SCRIPT_H

#include "native/bytes.h"
#include "native/tracker.h"

struct script {
	struct bytes *in;
	__u64 now_ns;
	__u32 tsval[2];
};

static inline void script_begin(struct script *s, struct bytes *in, __u64 now_ns)
{
	*s = (struct script){ .in = in, .now_ns = now_ns, .tsval = { 1000, 2000 } };
}

/* What is apart by a step of the clock: from nothing to hours. */
static inline __u64 script_step_ns(unsigned which)
{
	static const __u64 steps[] = { 0, 1000, 500000, 4000000, 120000000, 1100000000, 3 * NS_PER_S, 10 * NS_PER_S, 35 * NS_PER_S,
				       61 * NS_PER_S, 75 * NS_PER_S, 130 * NS_PER_S, 400 * NS_PER_S, 3700 * NS_PER_S,
				       90000 * NS_PER_S, 2500000 * NS_PER_S };

	return steps[which & 15];
}

/* A number of side `side` that somebody could name. */
static inline __u32 script_number(const struct flow *f, int side, unsigned which)
{
	switch (which & 15) {
	case 0:
	case 1:
		return f->half[side].nxt;
	case 2:
		return f->known[side] & KNOWN_HOLE ? f->contig[side] : f->half[side].nxt;
	case 3:
		return f->isn[side];
	case 4:
		return f->fin[side];
	case 5:
		return f->half[!side].ack;
	case 6:
		return f->half[!side].redge;
	case 7:
		return (__u32)f->prev;
	case 8:
		return f->pend_isn;
	case 9:
		return f->half[side].nxt - 65535;
	case 10:
		return f->half[side].nxt - 66000;
	case 11:
		return f->half[side].nxt + 0x7fffffff;
	case 12:
		return f->half[side].nxt + (1U << 30);
	case 13:
		return f->fin[!side]; /* a bad ack of a SYN-ACK */
	default:
		return 0;
	}
}

/* -8 to 7, and further: the fuzzer reaches round numbers by the first, all by the second. */
static inline __u32 script_delta(uint8_t how)
{
	__s32 small = (__s32)(how & 15) - 8;

	return how & 0x80 ? (__u32)small << (how >> 4 & 7) * 4 : (__u32)small + (__u32)(how >> 4) * 1000;
}

static const uint8_t script_bits[16] = {
	TH_SYN, TH_SYN | TH_ACK, TH_ACK, TH_ACK | TH_PSH, TH_FIN | TH_ACK, TH_RST, TH_RST | TH_ACK, TH_ACK,
	TH_ACK | TH_PSH, TH_FIN | TH_ACK, TH_SYN, TH_FIN, 0, TH_SYN | TH_FIN, TH_RST | TH_FIN | TH_ACK, TH_SYN | TH_FIN | TH_ACK,
};
static const __u32 script_len[8] = { 0, 0, 1, 10, 1448, 65535, 0, 100 };
static const __u16 script_win[8] = { 64240, 502, 0, 1, 65535, 64240, 10, 65160 };

/* The next segment; false: nothing but the clock moves. */
static inline bool script_next(struct script *s, const struct tracker *t, struct segment *seg)
{
	uint8_t what = take8(s->in), kind = take8(s->in), base = take8(s->in), by = take8(s->in), ack = take8(s->in),
		ack_by = take8(s->in);
	int dir = what & 1;

	s->now_ns += script_step_ns(what >> 1 & 15);
	if (what >> 6 == 3)
		return false;
	*seg = (struct segment){ .now_ns = s->now_ns, .stamp_ns = (__u32)s->now_ns | 1, .segs = 1, .vlan = VLAN_UNSEEN,
				 .dir = (__u8)dir };
	seg->key.b_port = 1; /* any: nobody looks */
	seg->bits = script_bits[kind & 15];
	seg->len = seg->bits & (TH_SYN | TH_RST) && !(kind & 0x80) ? 0 : script_len[kind >> 4 & 7];
	if ((seg->bits & TH_PSH) && !seg->len)
		seg->len = 10;
	seg->win = script_win[ack >> 4 & 7];
	seg->seq = script_number(&t->flow, dir, base & 15) + script_delta(by);
	if (seg->bits & TH_ACK)
		seg->ack = script_number(&t->flow, !dir, ack & 15) + script_delta(ack_by);
	if (base & 0x10 && seg->bits & TH_SYN) {
		seg->opts |= SEG_WS;
		seg->ws = base >> 5;
	}
	if (what & 0x20) {
		s->tsval[dir] += base >> 5 == 7 ? -3 : base >> 5;
		seg->opts |= SEG_TS;
		seg->tsval = s->tsval[dir];
	}
	return true;
}

#endif
