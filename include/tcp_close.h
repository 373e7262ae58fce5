/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Segments with ACK: is it acceptable, and what does it move? Rows O13 to O23, C1 to C17, N5, V4, V5. */
#ifndef TCP_CLOSE_H
#define TCP_CLOSE_H

#include "tcp_open.h"

static __always_inline __u32 tcp_lookback(const struct tcp_end *e, __u32 least)
{
	__u32 wnd = tcp_window(e->maxwin, e->ws);

	return wnd > least ? wnd : least;
}

/* The sender stands where it should not send with ACK: rows O16 to O18, and OOS. 0: nothing more to do. */
TCP_STAGE int tcp_judge_unopened(struct tcp_judgement *j, const struct segment *seg)
{
	const struct tcp_accepted *a;
	struct tcp_end *s, *d;

	if (!j || !seg)
		return 0;
	a = &j->a;
	s = &j->s;
	d = &j->d;
	if (s->state == LISTEN) {
		int known = d->state == SYN_SENT;

		if (!a->len && !a->fin && tcp_syn_acked(d, seg->ack))
			return 0;
		s->isn = seg->seq - 1;
		s->nxt = s->contig = seg->seq;
		s->known |= KNOWN_ISN;
		d->known &= ~(KNOWN_ACK | KNOWN_REDGE); /* it was of older numbers */
		j->pend.ws = d->ws;
		s->ws = d->ws == WS_NONE ? 0 : WS_UNKNOWN;
		if (d->ws == WS_NONE)
			d->ws = 0;
		tcp_move(s, TCP_MET_OPEN, 1);
		if (known && !tcp_syn_acked(d, seg->ack)) { /* O18: Figure 9, it still holds an older connection */
			s->ack = seg->ack;
			s->win = seg->win;
			s->known |= KNOWN_ACK;
			j->prev_ack = seg->ack;
			j->has_prev_ack = 1;
			j->pend.isn = d->isn;
			j->pend.len = (__u16)(d->nxt - d->isn - 1);
			j->pend.win = d->win;
			j->pend.tsval = d->tsval;
			j->pend.ms = (__u32)(seg->now_ns >> 20);
			j->pend.valid = 1;
			j->pend.from_sender = 0;
			j->flags |= FLAG_SYN_IN_CONN;
			return 0;
		}
		tcp_move(d, TCP_MET_OPEN, 0); /* O17 */
		if (d->state != ESTABLISHED)
			d->state = ESTABLISHED, d->known &= ~KNOWN_CONF;
		j->flags |= FLAG_ASYM;
	}
	if (s->state == SYN_SENT) {
		/* O16: only this direction is seen; not so far from the SYN that anybody could have sent it */
		if (tcp_gone(d->state) && !d->sent && seg->seq - s->isn - 1 <= 0xffff) {
			d->isn = seg->ack - 1;
			d->nxt = d->contig = seg->ack;
			d->known |= KNOWN_ISN;
			s->known &= ~(KNOWN_ACK | KNOWN_REDGE);
			d->ws = s->ws == WS_NONE ? 0 : WS_UNKNOWN;
			if (s->ws == WS_NONE)
				s->ws = 0;
			tcp_move(s, TCP_MET_OPEN, 1);
			tcp_move(d, TCP_MET_OPEN, 0);
			j->flags |= FLAG_ASYM;
		} else if (!tcp_conf(s) || (d->state == SYN_RECEIVED && tcp_syn_acked(d, seg->ack))) {
			/* its SYN, sent again (O4), crossed the SYN-ACK that it has received after all */
			tcp_move(s, TCP_MET_OPEN, 1);
		}
	}
	if ((s->state <= CLOSED || s->state == SYN_SENT) &&
	    !(a->fin && (s->known & KNOWN_FIN) && a->end - 1 == s->fin)) {
		j->flags |= FLAG_OOS;
		if (d->state == TIME_WAIT)
			d->in_tw = 1; /* C14: Linux restarts 2MSL for anything with ACK */
		return 0;
	}
	return 1;
}

/* Between what the receiver allowed and what it may still have to acknowledge. */
static __always_inline int tcp_in_window(const struct tcp_judgement *j, const struct segment *seg)
{
	const struct tcp_end *s = &j->s, *d = &j->d;

	return !((d->known & KNOWN_REDGE) && seq_lt(d->redge, seg->seq)) &&
	       !seq_lt(j->a.end, s->nxt - tcp_lookback(d, 65535));
}

/* How far a number is ahead of another; 0: not at all. Of two such distances the longer one is known also near 2^31. */
static __always_inline __u32 tcp_ahead(__u32 from, __u32 to)
{
	return seq_lt(from, to) ? to - from : 0;
}

/* Is the ack believable? RFC 9293 section 3.10.7.4 fifth, RFC 5961 section 5. 0: the segment ends here. */
TCP_STAGE int tcp_ack_ok(struct tcp_judgement *j, const struct segment *seg)
{
	struct tcp_accepted *a;
	struct tcp_end *s, *d;

	if (!j || !seg)
		return 0;
	a = &j->a;
	s = &j->s;
	d = &j->d;
	if (seq_lt(d->nxt, seg->ack)) {
		int lossy = j->tap || ((j->was | j->flags) & (FLAG_MIDSTREAM | FLAG_ASYM));

		if (!lossy && (d->state == SYN_RECEIVED || s->unseen < 2)) {
			if (s->unseen < 7)
				s->unseen++;
			j->flags |= d->state == SYN_RECEIVED ? FLAG_BAD_ACK : FLAG_ACK_UNSEEN;
			return 0;
		}
		/* only of a segment that is in the window itself, and as far as its sender had opened its own: else a few
		 * blind segments could set the tracker off for good */
		if (!tcp_in_window(j, seg) || ((s->known & KNOWN_REDGE) && tcp_ahead(d->nxt, s->redge + 1) < seg->ack - d->nxt)) {
			j->flags |= FLAG_ACK_UNSEEN;
			return 0;
		}
		if (!lossy)
			j->flags |= FLAG_ACK_UNSEEN;
		d->nxt = seg->ack;
		d->solid = 1; /* what was not seen was received all the same */
	}
	if (seq_lt(seg->ack, d->nxt - tcp_lookback(s, 66000)) ||
	    ((d->known & KNOWN_ISN) && !seq_lt(d->isn, seg->ack))) {
		j->flags |= FLAG_OLD_ACK;
		/* Linux takes in-order data by header prediction before it looks at the ack; not so an embryo (O14) */
		if (!a->len || a->fin || seg->seq != s->contig || d->state == SYN_RECEIVED)
			return 0;
		a->keep_contig = 1;
	}
	return 1;
}

/* Repetitions and probes: flags and counters only. Returns the flag, 0 for something new. */
static __always_inline __u64 tcp_repeated(struct tcp_judgement *j, const struct segment *seg,
					  const struct tcp_accepted *a)
{
	const struct tcp_end *s = &j->s, *d = &j->d;
	int zero_window = (d->known & KNOWN_ACK) && !d->win;

	if (a->len <= 1 && !(seg->bits & TH_FIN) && seg->seq == s->nxt - 1 && (d->known & KNOWN_ACK) && d->ack == s->nxt)
		return zero_window ? FLAG_ZWP : FLAG_KEEPALIVE;
	if (a->len == 1 && zero_window && seg->seq == s->nxt)
		return FLAG_ZWP;
	if (a->len && seq_le(a->end, s->nxt)) {
		j->rtx = 1;
		return FLAG_RTX;
	}
	return 0;
}

/* A FIN where one may not be, or where one was. 0: the FIN does not count. RFC 9293 section 3.10.7.4 eighth. */
static __always_inline int tcp_fin_ok(struct tcp_judgement *j, const struct segment *seg, struct tcp_accepted *a)
{
	struct tcp_end *s = &j->s;

	if (!(s->known & KNOWN_FIN)) {
		if (!seq_le(a->end, s->contig) || (j->reordered && a->end == s->contig)) /* mirrored after its ACK */
			return 1;
	} else if (a->end - 1 == s->fin) {
		return 1;
	} else if (s->contig != s->fin + 1 && seq_le(seg->seq, s->contig) && seq_lt(s->contig, a->end)) {
		return 1; /* in order, while the other one waits behind a hole */
	}
	j->flags |= FLAG_OLD_SEQ;
	return 0;
}

/* Is the sequence number acceptable? Linux tcp_sequence(); RFC 9293 section 3.10.7.4 first. 0: the segment ends here. */
TCP_STAGE int tcp_seq_ok(struct tcp_judgement *j, const struct segment *seg)
{
	struct tcp_accepted *a;
	struct tcp_end *s, *d;
	__u64 again;
	__u32 end;
	int old;

	if (!j || !seg)
		return 0;
	a = &j->a;
	s = &j->s;
	d = &j->d;
	end = a->end;
	if (!tcp_in_window(j, seg)) {
		j->flags |= FLAG_OOW;
		return 0;
	}
	if ((s->known & KNOWN_FIN) && seq_lt(s->fin + 1, end)) { /* C15 */
		j->flags |= FLAG_DATA_AFTER_FIN;
		a->beyond_fin = 1;
		a->len = 0;
		a->fin = 0;
		return 1;
	}
	if (a->fin && !tcp_fin_ok(j, seg, a)) {
		a->fin = 0;
		a->end--;
	}
	again = tcp_repeated(j, seg, a);
	j->flags |= again;
	old = (d->known & KNOWN_ACK) && seq_lt(end, d->ack);
	if (d->state == SYN_RECEIVED && (d->known & KNOWN_ACK) && seg->seq != d->ack && seq_le(a->end, d->ack))
		old = 1;
	if (!old)
		return 1;
	if (!again)
		j->flags |= FLAG_OLD_SEQ;
	if (s->state == ESTABLISHED)
		s->known |= KNOWN_CONF;
	if (j->pend.from_sender)
		j->pend.valid = 0;
	if (d->state == TIME_WAIT)
		d->in_tw = 1;
	if (again & (FLAG_KEEPALIVE | FLAG_ZWP)) { /* who has lost the connection answers by a RST of this ack */
		j->prev_ack = seg->ack;
		j->has_prev_ack = !a->keep_contig;
	}
	return 0;
}

/* The sender's FIN, first or again: rows C1, C4 to C6, C10 to C13. covers: its ack covers the receiver's FIN. */
static __always_inline void tcp_judge_fin(struct tcp_judgement *j, int covers)
{
	struct tcp_accepted *a = &j->a;
	struct tcp_end *s = &j->s;
	__u32 fin = a->end - 1;

	if ((s->known & KNOWN_FIN) && s->fin == fin) {
		j->flags |= FLAG_FIN_RTX;
		j->fin_rtx = 1;
		if (s->state == TIME_WAIT && (j->was & FLAG_SIMUL_CLOSE)) { /* C13 */
			s->state = CLOSING;
			s->known |= KNOWN_CONF;
		} else {
			tcp_move(s, TCP_AGAIN_FIN, s->state != CLOSING || tcp_conf(s)); /* C10 to C13 */
		}
		return;
	}
	a->first_fin = !(s->known & KNOWN_FIN);
	s->fin = fin; /* or another one, in order, while the first waits behind a hole: no state moves */
	if (!a->first_fin)
		return;
	s->known |= KNOWN_FIN;
	s->has_badack = 0;
	if (s->state == CLOSE_WAIT && !covers && !tcp_conf(s) && j->d.state == FIN_WAIT_1) { /* C6, Figure 13 */
		s->state = CLOSING;
		j->flags |= FLAG_SIMUL_CLOSE;
		return;
	}
	tcp_move(s, TCP_SND_FIN, 1);
}

/* TX: what sending it proves of the sender. */
static __always_inline void tcp_apply_tx(struct tcp_judgement *j, int covers)
{
	const struct tcp_accepted *a = &j->a;
	struct tcp_end *s = &j->s, *d = &j->d;

	if (s->state == ESTABLISHED)
		s->known |= KNOWN_CONF;
	if (s->state == CLOSE_WAIT && a->len && seq_lt(s->nxt, a->end)) /* C9 */
		j->flags |= FLAG_HALF_CLOSE;
	if (s->state == SYN_RECEIVED && a->len && !a->fin && !((j->was | j->flags) & FLAG_TFO)) { /* O20: its ACK was missed */
		tcp_move(s, TCP_MET_OPEN, 1);
		if (d->state == SYN_SENT && !tcp_conf(d))
			tcp_move(d, TCP_MET_OPEN, 0);
	}
	if (a->fin)
		tcp_judge_fin(j, covers);
	if (covers && (s->state == CLOSE_WAIT || s->state == CLOSING || s->state == TIME_WAIT))
		s->known |= KNOWN_CONF;
}

/* The numbers of both ends after the segment. */
static __always_inline void tcp_apply_numbers(struct tcp_judgement *j, const struct segment *seg)
{
	const struct tcp_accepted *a = &j->a;
	struct tcp_end *s = &j->s, *d = &j->d;
	__u32 redge;

	if (!a->beyond_fin) {
		if (seq_lt(s->nxt, a->end) || (a->end == s->nxt && a->end != seg->seq))
			s->solid = a->end != seg->seq;
		s->nxt = seq_max(s->nxt, a->end);
		if (!a->keep_contig && seq_le(seg->seq, s->contig) && seq_lt(s->contig, a->end))
			s->contig = a->end;
	}
	if ((s->known & KNOWN_FIN) && s->contig == s->fin)
		s->contig++;
	s->ack = s->known & KNOWN_ACK ? seq_max(s->ack, seg->ack) : seg->ack;
	s->win = seg->win;
	if (seg->win > s->maxwin)
		s->maxwin = seg->win;
	redge = seg->ack + (seg->win ? tcp_window(seg->win, s->ws) : 1);
	s->redge = s->known & KNOWN_REDGE ? seq_max(s->redge, redge) : redge;
	s->known |= KNOWN_ACK | KNOWN_REDGE;
	if (seg->opts & SEG_TS)
		s->tsval = seg->tsval;
	d->contig = seq_max(d->contig, seg->ack);
	if ((d->known & KNOWN_FIN) && d->contig == d->fin)
		d->contig++;
}

/* RX: the receiver as if the segment arrives. */
static __always_inline void tcp_apply_rx(struct tcp_judgement *j, const struct segment *seg, int covers, int filled)
{
	const struct tcp_accepted *a = &j->a;
	struct tcp_end *s = &j->s, *d = &j->d;

	if (d->state == SYN_RECEIVED && seq_lt(d->isn, seg->ack)) { /* O13 */
		tcp_move(d, TCP_RCV_ACK_OF_SYN, 0);
		j->third = 1;
	}
	if (d->state == SYN_SENT && !tcp_conf(d) && (a->len || a->fin))
		tcp_move(d, TCP_MET_OPEN, 0);
	if (covers && (d->state == FIN_WAIT_1 || d->state == CLOSING || d->state == LAST_ACK)) /* C3 C7 C8 */
		tcp_move(d, TCP_RCV_ACK_OF_FIN, 0);
	if ((s->known & KNOWN_FIN) && s->contig == s->fin + 1 &&
	    (d->state == ESTABLISHED || d->state == FIN_WAIT_1 || d->state == FIN_WAIT_2)) /* C1 C6 C4 C5 */
		tcp_move(d, TCP_RCV_FIN, 0);
	if (filled && (s->state == ESTABLISHED || s->state == FIN_WAIT_2 || (s->state == FIN_WAIT_1 && !a->first_fin)))
		tcp_move(s, TCP_RCV_FIN, covers); /* C2: the receiver's FIN was behind a hole, which this ack filled */
	if (covers && !filled && !a->fin && (s->state == FIN_WAIT_1 || s->state == CLOSING) && (s->known & KNOWN_FIN) &&
	    (d->known & KNOWN_ACK) && seq_lt(s->fin, d->ack)) {
		/* C13 took TIME-WAIT back, since the FIN came again; but it had only crossed the receiver's FIN, which has
		 * arrived, and with it the ack of our own */
		tcp_move(s, TCP_RCV_FIN, 1);
		tcp_move(s, TCP_RCV_ACK_OF_FIN, 1);
	}
	if (d->state == TIME_WAIT)
		d->in_tw = 1; /* C14 */
}

/* An acceptable segment: order of application as in RFC 9293 section 3.10.7.4. */
TCP_STAGE int tcp_accept(struct tcp_judgement *j, const struct segment *seg)
{
	const struct tcp_accepted *a;
	struct tcp_end *s, *d;
	int covers, delivered;

	if (!j || !seg)
		return 0;
	a = &j->a;
	s = &j->s;
	d = &j->d;
	covers = (d->known & KNOWN_FIN) && seq_lt(d->fin, seg->ack);
	delivered = (d->known & KNOWN_FIN) && d->contig == d->fin + 1;
	if (j->pend.from_sender)
		j->pend.valid = 0; /* N5: its SYN was a duplicate, or spoofed */
	if (!a->keep_contig) { /* an old ack is in no RST that answers: its receiver takes the data */
		j->prev_ack = seg->ack;
		j->has_prev_ack = 1;
	}
	s->sent = 1;
	s->unseen = 0;
	tcp_apply_tx(j, covers);
	tcp_apply_numbers(j, seg);
	tcp_apply_rx(j, seg, covers, !delivered && (d->known & KNOWN_FIN) && d->contig == d->fin + 1);
	return 0;
}

#endif
