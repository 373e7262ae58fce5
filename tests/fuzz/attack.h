/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * An honest connection, and somebody off its path who forges segments of either end: any bits, any ack, but no sequence number
 * that RFC 5961 and docs/tracker.md would accept. No state that is confirmed may move, nor, while both ends are open, any
 * number of the record; and the honest ends are followed as before.
 *
 * What is left out, since it is accepted by design: a forger of *both* ends who sends a SYN as the one, and answers it as the
 * other, by a SYN-ACK (N4) or a RST (R13); and who knows an initial sequence number (O9 to O11, W16).
 */
#ifndef FUZZ_ATTACK_H
#define FUZZ_ATTACK_H

#include "fuzz/edges.h"
#include "fuzz/fuzz.h"
#include "native/script.h"
#include "native/tracker.h"

struct honest {
	struct tracker t;
	__u64 now_ns;
	__u32 isn[2], nxt[2];
	__u32 acked[2]; /* by each side, of the other's */
	__u32 redge[2]; /* the other may send so far */
	__u32 widest[2]; /* window that each side offered, in bytes */
	__u16 win[2];
	__u8 ws[2];
	__u8 scaled;
	__u32 fin[2];
	bool acks[2];	/* acked and redge hold */
	bool closed[2]; /* has sent its FIN */
};

static inline struct segment honest_segment(struct honest *h, int side, uint8_t bits, __u32 len)
{
	struct segment seg = { .seq = h->nxt[side], .ack = bits & TH_ACK ? h->nxt[!side] : 0, .len = len, .win = h->win[side],
			       .bits = bits, .dir = (__u8)side, .now_ns = h->now_ns, .stamp_ns = (__u32)h->now_ns | 1,
			       .segs = 1, .vlan = VLAN_UNSEEN };

	if (bits & TH_SYN && h->scaled) {
		seg.opts = SEG_WS;
		seg.ws = h->ws[side];
	}
	return seg;
}

/* The next segment of a side, which has received all that the other has sent. */
static inline void honest_send(struct honest *h, int side, uint8_t bits, __u32 len)
{
	struct segment seg;
	__u32 window;

	if (len && seq_lt(h->redge[!side], h->nxt[side] + len)) /* it waits for a window */
		honest_send(h, !side, TH_ACK, 0);
	seg = honest_segment(h, side, bits, len);
	window = (__u32)seg.win << (bits & TH_SYN || !h->scaled ? 0 : h->ws[side]);

	tracker_segment(&h->t, &seg);
	trace(&h->t, &seg);
	if (bits & TH_FIN) {
		h->fin[side] = seg.seq + len;
		h->closed[side] = true;
	}
	h->nxt[side] += len + !!(bits & (TH_SYN | TH_FIN));
	if (bits & TH_ACK) {
		if (!h->acks[side] || seq_lt(h->redge[side], seg.ack + window))
			h->redge[side] = seg.ack + window;
		h->acked[side] = seg.ack;
		h->acks[side] = true;
	}
	if (!(bits & TH_SYN) && h->widest[side] < window)
		h->widest[side] = window;
	MUST(h->t.alive, "an honest segment left no record");
	MUST(h->t.flow.half[side].nxt == h->nxt[side], "an honest segment does not count: nxt %u, not %u",
	     h->t.flow.half[side].nxt, h->nxt[side]);
}

/* Opens it, lets both ends speak, and closes it as far as wanted: 0 open, 1 A's FIN, 2 its ACK, 3 B's FIN. */
static inline void honest_begin(struct honest *h, struct bytes *in, const struct track_opts *opts, unsigned stage)
{
	uint8_t talk = take8(in);

	*h = (struct honest){ .now_ns = 1700000000ULL * NS_PER_S };
	tracker_init(&h->t, opts);
	h->scaled = talk >> 7;
	for (int i = 0; i < 2; i++) {
		h->nxt[i] = h->isn[i] = take32(in);
		h->win[i] = take16(in) | 4096; /* more than it is ever sent at once */
		h->ws[i] = take8(in) % 15;
	}
	honest_send(h, 0, TH_SYN, 0);
	honest_send(h, 1, TH_SYN | TH_ACK, 0);
	honest_send(h, 0, TH_ACK, 0);
	for (int i = 0; i < (talk & 7); i++) {
		honest_send(h, i & 1, TH_ACK | TH_PSH, 1 + (take8(in) & 3) * 400);
		h->now_ns += 1000000;
	}
	honest_send(h, 1, TH_ACK, 0);
	honest_send(h, 0, TH_ACK, 0);
	MUST(h->t.flow.state[0] == ESTABLISHED && h->t.flow.state[1] == ESTABLISHED, "an honest connection is not open");
	MUST(h->t.flow.known[0] & h->t.flow.known[1] & KNOWN_CONF, "an honest connection is not confirmed");
	MUST(!(h->t.flow.flags & FLAGS_REPORTED), "an honest connection: flags %#llx", (unsigned long long)h->t.flow.flags);
	if (stage >= 1)
		honest_send(h, 0, TH_FIN | TH_ACK, 0);
	if (stage >= 2)
		honest_send(h, 1, TH_ACK, 0);
	if (stage >= 3)
		honest_send(h, 1, TH_FIN | TH_ACK, 0);
}

/* Its sequence number is one that the receiver should not take. */
static inline bool is_forged(const struct honest *h, const struct segment *seg)
{
	int s = seg->dir, d = !s;
	__u32 end = seg->seq + seg->len + !!(seg->bits & TH_FIN), back = h->widest[d] > 65535 ? h->widest[d] : 65535;
	const struct flow *f = &h->t.flow;

	if (seg->bits & TH_RST) { /* exact alone, RFC 5961 section 3; and R13 */
		if ((f->flags & MARK_PEND) && !!(f->flags & MARK_PEND_B) == d && seg->bits & TH_ACK &&
		    seg->ack == f->pend_isn + 1 + f->pend_len)
			return false;
		return seg->seq != h->nxt[s] && seg->seq != h->acked[d] && !(h->closed[s] && seg->seq == h->fin[s]);
	}
	if (seg->bits & TH_SYN) { /* none, RFC 5961 section 4; but N4 */
		if (seg->seq == h->isn[s])
			return false;
		return !((f->flags & MARK_PEND) && !!(f->flags & MARK_PEND_B) == d && (seg->bits & TH_ACK) &&
			 seq_lt(f->pend_isn, seg->ack) && seq_le(seg->ack, f->pend_isn + 1 + f->pend_len));
	}
	return seq_lt(h->redge[d], seg->seq) || seq_lt(end, h->nxt[s] - back);
}

static inline void must_stand(const struct flow *was, const struct flow *f, const struct segment *seg)
{
	for (int i = 0; i < 2; i++) {
		if (!(was->known[i] & KNOWN_CONF))
			continue;
		MUST(f->state[i] == was->state[i] && (f->known[i] & KNOWN_CONF),
		     "%s of %c became %s%s by a forged segment of %c: bits %#x seq %u (nxt %u) ack %u len %u", state_word(was->state[i]),
		     "AB"[i], state_word(f->state[i]), f->known[i] & KNOWN_CONF ? "" : "?", "AB"[seg->dir], seg->bits, seg->seq,
		     was->half[seg->dir].nxt, seg->ack, seg->len);
	}
	MUST(f->start_ns == was->start_ns && f->end_reason == was->end_reason, "another object by a forged segment");
	if (was->state[0] != ESTABLISHED || was->state[1] != ESTABLISHED)
		return;
	for (int i = 0; i < 2; i++) {
		MUST(f->half[i].nxt == was->half[i].nxt && f->half[i].ack == was->half[i].ack &&
			     f->half[i].redge == was->half[i].redge && f->isn[i] == was->isn[i] && f->win[i] == was->win[i],
		     "numbers of %c by a forged segment of %c, bits %#x", "AB"[i], "AB"[seg->dir], seg->bits);
		MUST(!(f->known[i] & (KNOWN_FIN | KNOWN_HOLE)), "known %#x by a forged segment", f->known[i]);
	}
}

static inline bool is_over(const struct honest *h)
{
	const struct flow *f = &h->t.flow;

	return !h->t.alive || tcp_gone(f->state[0]) || tcp_gone(f->state[1]) || (f->flags & FLAG_MIDSTREAM);
}

static inline void forge(struct honest *h, struct bytes *in)
{
	uint8_t how = take8(in), bits = take8(in), by = take8(in), ack_by = take8(in);
	int side = how & 1;
	struct segment seg = honest_segment(h, side, script_bits[bits & 15], script_len[bits >> 4 & 7]);
	struct flow was;

	h->now_ns += script_step_ns(how >> 1 & 7) % (4 * NS_PER_S);
	if (how & 0x20) /* meanwhile the connection goes on */
		honest_send(h, side ^ (how >> 7), TH_ACK, h->closed[side ^ (how >> 7)] || how & 0x40 ? 0 : 100);
	seg.seq = bits & 0x80 ? take32(in) : h->redge[!side] + script_delta(by);
	seg.ack = ack_by == 0xff ? take32(in) : h->nxt[!side] + script_delta(ack_by);
	if (!(seg.bits & TH_ACK))
		seg.ack = 0;
	seg.win = script_win[how >> 4 & 7];
	seg.now_ns = h->now_ns;
	tracker_clock(&h->t, seg.now_ns);
	/* with one end gone any SYN begins another connection (N1); and one that timed out is met anew, windows unknown */
	if (is_over(h) || !is_forged(h, &seg))
		return;
	was = h->t.flow;
	tracker_segment(&h->t, &seg);
	trace(&h->t, &seg);
	must_stand(&was, &h->t.flow, &seg);
}

static inline void attack(struct bytes *in, uint8_t head)
{
	struct track_opts opts;
	struct honest h;

	track_opts_init(&opts);
	opts.tap = head >> 1 & 1;
	opts.rfc1337 = head >> 2 & 1;
	honest_begin(&h, in, &opts, head >> 3 & 3);
	for (int i = 0; i < 200 && in->left && !is_over(&h); i++)
		forge(&h, in);
	if (is_over(&h) || h.closed[0])
		return;
	honest_send(&h, 0, TH_ACK | TH_PSH, 10);
	honest_send(&h, 1, TH_ACK | TH_PSH, 10);
	MUST(h.t.flow.state[0] == ESTABLISHED && h.t.flow.state[1] == ESTABLISHED, "the connection goes on");
}

#endif
