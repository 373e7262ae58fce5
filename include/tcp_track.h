/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The judge: one segment against one flow. Pure: it reads the record and writes a judgement, nothing else; a segment
 * that a policy drops therefore moves nothing. Bit for bit the same source runs in the kernel and in native tests.
 *
 * As if delivered: a segment that is accepted is applied twice, as sent by its sender (which proves something about it)
 * and as received by the other end (which is presumed: KNOWN_CONF is cleared until that end shows it).
 * Rows (O1, C4, R7, N2 ...) are those of docs/tracker.md. "S" is the sender, "D" the receiver.
 */
#ifndef TCP_TRACK_H
#define TCP_TRACK_H

#include "tcp_close.h"
#include "tcp_open.h"
#include "tcp_reset.h"

/* V1 to V3: no SYN, RST or ACK at all; or two that exclude each other. ECE, CWR, AE, PSH and URG never matter. */
static __always_inline int tcp_bad_flags(__u8 bits)
{
	__u8 b = bits & (TH_SYN | TH_FIN | TH_RST);

	return !(bits & (TH_SYN | TH_ACK | TH_RST)) || (b & (b - 1));
}

/* ACK-bearing segments: ACK, data, FIN (RFC 9293 section 3.10.7.4, after RST and SYN) */
static __always_inline void tcp_judge_ack(struct tcp_judgement *j, const struct segment *seg)
{
	j->a.len = seg->len;
	j->a.fin = seg->bits & TH_FIN;
	j->a.end = seg->seq + seg->len + !!j->a.fin;
	j->a.beyond_fin = j->a.keep_contig = j->a.first_fin = 0;
	if (tcp_judge_unopened(j, seg) && tcp_ack_ok(j, seg) && tcp_seq_ok(j, seg))
		tcp_accept(j, seg);
}

/* A segment of a flow of which there is no record. */
TCP_STAGE int tcp_judge_first(struct tcp_judgement *j, const struct segment *seg)
{
	if (!j || !seg)
		return 0;
	tcp_end_clear(&j->s, NO_STATE);
	tcp_end_clear(&j->d, NO_STATE);
	j->pend.valid = 0;
	if (tcp_bad_flags(seg->bits) || (seg->bits & TH_RST)) {
		if (seg->bits & TH_RST)
			j->flags |= FLAG_OOS;
		return 0;
	}
	if (seg->bits & TH_SYN) {
		if (seg->bits & TH_ACK)
			tcp_open_by_synack(j, seg);
		else
			tcp_open_by_syn(j, seg, 0);
	} else if (j->loose) {
		tcp_open_midstream(j, seg);
	} else {
		j->flags |= FLAG_OOS;
	}
	return 0;
}

static __always_inline void tcp_judge_begin(struct tcp_judgement *j, const struct track_opts *o)
{
	j->tap = o->tap;
	j->rfc1337 = o->rfc1337;
	j->loose = o->loose;
	j->was = 0;
	j->last_ack = 0;
	j->has_last_ack = 0;
	j->from_orig = 0;
	j->reordered = 0;
	j->flags = 0;
	j->prev_ack = 0;
	j->has_prev_ack = 0;
	j->outcome = OUTCOME_STRAY;
	j->ended = END_NONE;
	j->reuse = 0;
	j->orig_sent = 0;
	j->from_pend = 0;
	j->rtx = j->syn_rtx = j->synack_rtx = j->fin_rtx = 0;
	j->synack = j->third = 0;
}

/* How the flow ended, if this segment left both ends gone. */
static __always_inline void tcp_judge_end(struct tcp_judgement *j, int was_gone)
{
	if (j->outcome != OUTCOME_UPDATE || was_gone || !tcp_gone(j->s.state) || !tcp_gone(j->d.state))
		return;
	if (j->flags & FLAG_REFUSED)
		j->ended = END_REFUSED;
	else if (j->flags & (FLAG_RESET | FLAG_HIST_SYN | FLAG_TW_ASSASSIN))
		j->ended = END_RESET;
	else
		j->ended = END_CLOSED;
}

/* The record, as the stages see it. */
static __always_inline void tcp_judge_load(struct tcp_judgement *j, const struct flow *f, const struct segment *seg,
					   const struct track_opts *o)
{
	__u64 prev = f->prev;

	tcp_end_load(f, seg->dir, &j->s);
	tcp_end_load(f, !seg->dir, &j->d);
	tcp_pend_load(f, seg, o, &j->pend);
	j->was = f->flags;
	j->last_ack = (__u32)prev;
	j->has_last_ack = ((prev >> 32) & 1) && ((prev >> 33) & 1) != (seg->dir & 1);
	j->from_orig = (seg->dir & 1) == (f->orig & 1);
	j->reordered = o->tap && seg->now_ns - f->half[!(seg->dir & 1)].last_ns <= o->reorder_ns;
	j->outcome = OUTCOME_UPDATE;
}

/*
 * Judges segment seg of flow f (NULL: there is none) into *j. f must not be timed out: see tcp_timer.h.
 * Nothing but *j is written. RFC 9293 section 3.10.7.
 */
static __always_inline void tcp_judge(const struct flow *f, const struct segment *seg, const struct track_opts *o,
				      struct tcp_judgement *j)
{
	int was_gone, bad = tcp_bad_flags(seg->bits);

	tcp_judge_begin(j, o);
	if (bad)
		j->flags |= FLAG_BADFLAGS;
	if (!f && !(seg->opts & SEG_COOKIE)) {
		tcp_judge_first(j, seg);
		return;
	}
	if (f)
		tcp_judge_load(j, f, seg, o);
	if (seg->opts & SEG_COOKIE)
		tcp_open_by_cookie(j, seg);
	was_gone = tcp_gone(j->s.state) && tcp_gone(j->d.state);
	zeek_step(seg->bits, seg->len, j->from_orig, &j->s.zeek, &j->d.zeek);
	if (bad && !(seg->bits & TH_RST))
		return;
	if (j->was & MARK_SEEDED)
		tcp_meet_seeded(j, seg);

	if (seg->bits & TH_RST)
		tcp_judge_rst(j, seg);
	else if ((seg->bits & (TH_SYN | TH_ACK)) == TH_SYN)
		tcp_judge_syn(j, seg);
	else if (seg->bits & TH_SYN)
		tcp_judge_synack(j, seg);
	else
		tcp_judge_ack(j, seg);
	tcp_judge_end(j, was_gone);
}

#endif
