/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Opening: SYN, SYN-ACK, and segments that belong to no known handshake. Rows O1 to O23, N1 to N4. */
#ifndef TCP_OPEN_H
#define TCP_OPEN_H

#include "tcp_history.h"
#include "tcp_judgement.h"

/* Moves an endpoint along the table; confirmed says whether it proved the state itself. */
static __always_inline void tcp_move(struct tcp_end *e, enum tcp_event event, int confirmed)
{
	__u8 next = tcp_next(e->state, event);

	if (next == TIME_WAIT && e->state != TIME_WAIT)
		e->in_tw = 1;
	e->state = next;
	if (confirmed || tcp_gone(next))
		e->known |= KNOWN_CONF;
	else
		e->known &= ~KNOWN_CONF;
}

static __always_inline int tcp_conf(const struct tcp_end *e)
{
	return e->known & KNOWN_CONF;
}

/* An ack acknowledges this endpoint's SYN, and nothing that it has not sent. */
static __always_inline int tcp_syn_acked(const struct tcp_end *e, __u32 ack)
{
	return seq_lt(e->isn, ack) && seq_le(ack, e->nxt);
}

/* The right edge that a window field of a SYN or SYN-ACK allows: never scaled (RFC 7323 section 2.2). */
static __always_inline __u32 tcp_syn_redge(__u32 ack, __u16 win)
{
	return ack + (win ? win : 1);
}

/* A SYN or SYN-ACK initialises its sender. */
static __always_inline void tcp_end_init(struct tcp_end *e, const struct segment *seg)
{
	e->isn = seg->seq;
	e->nxt = e->contig = seg->seq + seg->len + 1;
	e->known = (e->known & (KNOWN_CONF | KNOWN_HIST_A | KNOWN_HIST_D)) | KNOWN_ISN;
	e->win = seg->win;
	e->maxwin = 0;
	e->ws = seg->opts & SEG_WS ? (seg->ws > WS_UNKNOWN ? WS_UNKNOWN : seg->ws) : WS_NONE;
	e->tsval = seg->opts & SEG_TS ? seg->tsval : 0;
	e->unseen = e->solid = e->sent = e->has_badack = 0;
}

/* An end's numbers begin anew: what the other one had acknowledged and allowed were older ones. */
static __always_inline void tcp_end_anew(struct tcp_end *e, struct tcp_end *other, const struct segment *seg)
{
	tcp_end_init(e, seg);
	other->known &= ~(KNOWN_ACK | KNOWN_REDGE);
}

/* O1, N1: a new flow object begins with this SYN; its sender is the originator. */
static __always_inline void tcp_open_by_syn(struct tcp_judgement *j, const struct segment *seg, __u64 flags)
{
	tcp_end_clear(&j->s, NO_STATE);
	tcp_end_clear(&j->d, LISTEN);
	tcp_end_init(&j->s, seg);
	tcp_move(&j->s, TCP_SND_SYN, 1);
	j->outcome = OUTCOME_NEW;
	j->orig_sent = 1;
	j->pend.valid = 0;
	j->flags |= flags | (seg->len ? FLAG_SYN_DATA : 0);
	zeek_step(seg->bits, seg->len, 1, &j->s.zeek, &j->d.zeek);
}

/* O15: the SYN was missed, its answer is seen. The receiver is the originator. */
static __always_inline void tcp_open_by_synack(struct tcp_judgement *j, const struct segment *seg)
{
	tcp_end_init(&j->s, seg);
	tcp_move(&j->s, TCP_SND_SYNACK, 1);
	j->s.ack = seg->ack;
	j->s.redge = tcp_syn_redge(seg->ack, seg->win);
	j->s.known |= KNOWN_ACK | KNOWN_REDGE;
	/* a SYN-ACK may only scale if the SYN did; how far is not known */
	j->d.ws = j->s.ws == WS_NONE ? 0 : WS_UNKNOWN;
	if (j->s.ws == WS_NONE)
		j->s.ws = 0;
	j->d.state = SYN_SENT;
	j->d.known = KNOWN_ISN;
	j->d.isn = seg->ack - 1;
	j->d.nxt = j->d.contig = seg->ack;
	j->prev_ack = seg->ack;
	j->has_prev_ack = 1;
	j->outcome = OUTCOME_NEW;
	j->flags |= FLAG_MIDSTREAM;
	zeek_step(seg->bits, seg->len, 0, &j->s.zeek, &j->d.zeek);
}

/* O22: first seen while it was open. Window scales are unknown, so the largest is assumed. */
static __always_inline void tcp_open_midstream(struct tcp_judgement *j, const struct segment *seg)
{
	int fin = !!(seg->bits & TH_FIN);

	j->s.isn = seg->seq - 1;
	j->s.nxt = j->s.contig = seg->seq + seg->len + fin;
	j->s.ack = seg->ack;
	j->s.ws = j->d.ws = WS_UNKNOWN;
	j->s.win = seg->win;
	j->s.maxwin = seg->win;
	j->s.redge = seg->ack + (seg->win ? tcp_window(seg->win, WS_UNKNOWN) : 1);
	j->s.known = KNOWN_ISN | KNOWN_ACK | KNOWN_REDGE;
	j->s.tsval = seg->opts & SEG_TS ? seg->tsval : 0;
	j->s.sent = 1;
	j->d.isn = seg->ack - 1;
	j->d.nxt = j->d.contig = seg->ack;
	j->d.known = KNOWN_ISN;
	tcp_move(&j->s, TCP_MET_OPEN, 1);
	tcp_move(&j->d, TCP_MET_OPEN, 0);
	if (fin) {
		j->s.fin = j->s.nxt - 1;
		j->s.known |= KNOWN_FIN;
		tcp_move(&j->s, TCP_SND_FIN, 1);
		tcp_move(&j->d, TCP_RCV_FIN, 0);
	}
	j->prev_ack = seg->ack;
	j->has_prev_ack = 1;
	j->outcome = OUTCOME_NEW;
	j->orig_sent = 1;
	j->flags |= FLAG_MIDSTREAM;
	zeek_step(seg->bits, seg->len, 1, &j->s.zeek, &j->d.zeek);
}

/*
 * The first segment of a connection that was taken from the kernel's socket table: the states are known, the numbers are
 * learnt now as in O22. An endpoint that has sent a FIN stands one beyond it.
 */
static __always_inline void tcp_meet_seeded(struct tcp_judgement *j, const struct segment *seg)
{
	if ((seg->bits & (TH_SYN | TH_RST)) || !(seg->bits & TH_ACK))
		return; /* a RST cannot be checked, so it is not believed (R9) */
	j->s.isn = seg->seq - 1;
	j->s.nxt = j->s.contig = seg->seq;
	j->d.isn = seg->ack - 1;
	j->d.nxt = j->d.contig = seg->ack;
	j->s.ws = j->d.ws = WS_UNKNOWN;
	j->s.known |= KNOWN_ISN;
	j->d.known |= KNOWN_ISN;
	if (j->s.state == FIN_WAIT_2 || j->s.state == TIME_WAIT) {
		j->s.fin = j->s.nxt - 1;
		j->s.known |= KNOWN_FIN;
	}
	if (j->d.state == FIN_WAIT_2 || j->d.state == TIME_WAIT) {
		j->d.fin = j->d.nxt - 1;
		j->d.known |= KNOWN_FIN;
	}
}

/* The present object is over, a new one takes its place. */
static __always_inline void tcp_replace(struct tcp_judgement *j)
{
	j->reuse = !(tcp_gone(j->s.state) && tcp_gone(j->d.state));
	j->outcome = OUTCOME_NEW;
}

/*
 * O24: the ACK of a SYN-ACK that was sent in the receiver's place, with a SYN cookie. Both ends stand as they would after the
 * SYN-ACK; the segment is then judged like any other. An object that there was is replaced.
 */
static __always_inline void tcp_open_by_cookie(struct tcp_judgement *j, const struct segment *seg)
{
	__u8 tw = j->d.state == TIME_WAIT;
	int scaled = seg->ws != WS_NONE && seg->peer_ws != WS_NONE;

	if (j->outcome == OUTCOME_UPDATE) {
		tcp_replace(j);
		j->flags |= tw ? FLAG_TW_REUSE : FLAG_REUSE;
	}
	j->outcome = OUTCOME_NEW;
	j->orig_sent = 1;
	j->from_orig = 1;
	j->was = 0;
	j->has_last_ack = 0;
	j->pend.valid = 0;
	j->flags |= FLAG_COOKIE;
	tcp_end_clear(&j->s, SYN_SENT);
	tcp_end_clear(&j->d, SYN_RECEIVED);
	j->s.isn = seg->seq - 1;
	j->s.nxt = j->s.contig = seg->seq;
	j->s.ws = scaled ? (seg->ws > WS_UNKNOWN ? WS_UNKNOWN : seg->ws) : 0;
	j->s.known = KNOWN_CONF | KNOWN_ISN;
	j->d.isn = seg->ack - 1;
	j->d.nxt = j->d.contig = seg->ack;
	j->d.ack = seg->seq;
	j->d.redge = tcp_syn_redge(seg->seq, seg->peer_win);
	j->d.win = seg->peer_win;
	j->d.ws = scaled ? seg->peer_ws : 0;
	j->d.known = KNOWN_CONF | KNOWN_ISN | KNOWN_ACK | KNOWN_REDGE;
	tcp_move(&j->s, TCP_RCV_SYNACK, 0);
	j->s.zeek = j->d.zeek = Z_ESTABLISHED;
}

/* N4, R12: a new object begun by the pending SYN; *from sent that SYN, *to is the other end. */
static __always_inline void tcp_open_by_pend(struct tcp_judgement *j, struct tcp_end *from, struct tcp_end *to)
{
	struct segment syn = {.seq = j->pend.isn, .len = j->pend.len, .win = j->pend.win, .bits = TH_SYN};

	tcp_replace(j);
	if (j->pend.ws != WS_NONE) {
		syn.opts |= SEG_WS;
		syn.ws = j->pend.ws;
	}
	if (j->pend.tsval) {
		syn.opts |= SEG_TS;
		syn.tsval = j->pend.tsval;
	}
	tcp_end_clear(from, NO_STATE);
	tcp_end_clear(to, LISTEN);
	tcp_end_init(from, &syn);
	tcp_move(from, TCP_SND_SYN, 1);
	j->orig_sent = j->pend.from_sender;
	j->from_pend = 1;
	j->pend.valid = 0;
	zeek_step(TH_SYN, syn.len, 1, &from->zeek, &to->zeek);
}

/* A SYN on a flow that has a record: rows O2 to O5, N1 to N3 */
TCP_STAGE int tcp_judge_syn(struct tcp_judgement *j, const struct segment *seg)
{
	struct tcp_end *s, *d;
	int ts, paws;

	if (!j || !seg)
		return 0;
	s = &j->s;
	d = &j->d;
	if (j->reordered && seg->seq == s->isn && d->state == SYN_RECEIVED) { /* its answer was mirrored first */
		if (s->state == SYN_SENT && !tcp_conf(s)) {
			s->ws = seg->opts & SEG_WS && d->ws ? (seg->ws > WS_UNKNOWN ? WS_UNKNOWN : seg->ws) : 0;
			tcp_move(s, TCP_RCV_SYNACK, 0);
		}
		return 0;
	}
	if (seg->seq == s->isn && (s->state == SYN_SENT || s->state == SYN_RECEIVED)) { /* O2 */
		j->flags |= FLAG_SYN_RTX;
		j->syn_rtx = 1;
		return 0;
	}
	if (seg->seq == s->isn && s->state == ESTABLISHED && !tcp_conf(s) && d->state == SYN_RECEIVED) { /* O4 */
		tcp_move(s, TCP_AGAIN_SYN, 1);
		j->flags |= FLAG_SYN_RTX;
		j->syn_rtx = 1;
		return 0;
	}
	if (tcp_gone(s->state) && d->state == SYN_SENT) { /* O5, RFC 9293 Figure 7 */
		tcp_end_anew(s, d, seg);
		tcp_move(s, TCP_RCV_SYN, 0);
		tcp_move(d, TCP_RCV_SYN, 0);
		if (s->ws == WS_NONE || d->ws == WS_NONE)
			s->ws = d->ws = 0;
		j->flags |= FLAG_SIMUL_OPEN;
		return 0;
	}
	if (tcp_gone(d->state)) {
		if (s->state == SYN_SENT) { /* O3: the same object, numbers anew */
			tcp_end_anew(s, d, seg);
			j->flags |= FLAG_NEW_ISN;
			return 0;
		}
		ts = s->state == TIME_WAIT; /* N1 */
		tcp_replace(j);
		tcp_open_by_syn(j, seg, ts ? FLAG_TW_REUSE : FLAG_REUSE);
		return 0;
	}
	/* N2, N3: it moves nothing by itself; a spoofed SYN must not reset the tracker (RFC 5961 section 4) */
	if (d->state == TIME_WAIT) {
		ts = (seg->opts & SEG_TS) && s->tsval;
		paws = ts && seq_lt(seg->tsval, s->tsval);
		if (!paws && (seq_lt(s->nxt, seg->seq) || (ts && seq_lt(s->tsval, seg->tsval))))
			j->flags |= FLAG_TW_SYN_OK; /* RFC 9293 section 3.6.1 MAY-2, RFC 6191 */
		else
			j->flags |= FLAG_TW_SYN_OLD;
	} else {
		j->flags |= FLAG_SYN_IN_CONN;
	}
	j->pend.isn = seg->seq;
	j->pend.len = seg->len;
	j->pend.win = seg->win;
	j->pend.ws = seg->opts & SEG_WS ? (seg->ws > WS_UNKNOWN ? WS_UNKNOWN : seg->ws) : WS_NONE;
	j->pend.tsval = seg->opts & SEG_TS ? seg->tsval : 0;
	j->pend.ms = (__u32)(seg->now_ns >> 20);
	j->pend.valid = 1;
	j->pend.from_sender = 1;
	return 0;
}

/* O6: the answer to the receiver's SYN; the receiver is open if the answer arrives. */
static __always_inline void tcp_synack_ok(struct tcp_judgement *j, const struct segment *seg)
{
	struct tcp_end *s = &j->s, *d = &j->d;
	int both;

	if (s->state == SYN_RECEIVED && s->isn == seg->seq) {
		j->flags |= FLAG_SYNACK_RTX;
		j->synack_rtx = 1;
		s->ack = seg->ack; /* which may have taken less of the SYN's data */
		s->has_badack = 0;
	} else {
		tcp_end_anew(s, d, seg);
		tcp_move(s, TCP_SND_SYNACK, 1);
		s->state = SYN_RECEIVED; /* from anywhere: an old incarnation, an answer to a repeated SYN */
		s->known |= KNOWN_CONF;
		s->ack = seg->ack;
		both = s->ws != WS_NONE && d->ws != WS_NONE;
		if (!both)
			s->ws = d->ws = 0;
		j->synack = 1;
	}
	s->redge = s->known & KNOWN_REDGE ? seq_max(s->redge, tcp_syn_redge(seg->ack, seg->win))
					  : tcp_syn_redge(seg->ack, seg->win);
	s->known |= KNOWN_ACK | KNOWN_REDGE;
	d->redge = seg->seq + 1 + d->win;
	d->known |= KNOWN_REDGE;
	if (seq_lt(d->isn + 1, seg->ack))
		j->flags |= FLAG_TFO;
	if (seq_lt(seg->ack, d->nxt)) /* the SYN's data was not taken: it will come again */
		d->nxt = d->contig = seg->ack;
	tcp_move(d, TCP_RCV_SYNACK, 0);
}

/* O8: the SYN-ACK of a simultaneous open, RFC 9293 Figure 7 */
static __always_inline void tcp_synack_simultaneous(struct tcp_judgement *j, const struct segment *seg)
{
	struct tcp_end *s = &j->s, *d = &j->d;

	if (!tcp_syn_acked(d, seg->ack)) { /* as in O7: no number of the connection */
		j->has_prev_ack = 0;
		return;
	}
	s->ack = s->known & KNOWN_ACK ? seq_max(s->ack, seg->ack) : seg->ack;
	s->redge = s->known & KNOWN_REDGE ? seq_max(s->redge, tcp_syn_redge(seg->ack, seg->win))
					  : tcp_syn_redge(seg->ack, seg->win);
	s->known |= KNOWN_ACK | KNOWN_REDGE;
	if (s->state == SYN_SENT) /* its SYN, sent again, had looked as if it had not received the other one */
		s->state = SYN_RECEIVED;
	if (s->state == SYN_RECEIVED)
		s->known |= KNOWN_CONF;
	if (d->state == SYN_RECEIVED)
		tcp_move(d, TCP_RCV_ACK_OF_SYN, 0);
}

/* A SYN-ACK on a flow that has a record: rows N4, O6 to O12 */
TCP_STAGE int tcp_judge_synack(struct tcp_judgement *j, const struct segment *seg)
{
	struct tcp_end *s, *d;
	int tw;

	if (!j || !seg)
		return 0;
	s = &j->s;
	d = &j->d;
	if (j->pend.valid && !j->pend.from_sender && seq_lt(j->pend.isn, seg->ack) &&
	    seq_le(seg->ack, j->pend.isn + 1 + j->pend.len)) { /* N4: the pending SYN was accepted */
		tw = s->state == TIME_WAIT;
		tcp_open_by_pend(j, d, s);
		j->flags |= tw ? FLAG_TW_REUSE : FLAG_REUSE;
		zeek_step(seg->bits, seg->len, 0, &s->zeek, &d->zeek);
		j->from_orig = 0;
	}
	j->prev_ack = seg->ack;
	j->has_prev_ack = 1;
	if (d->state == SYN_SENT && tcp_conf(d)) {
		if (tcp_syn_acked(d, seg->ack)) {
			tcp_synack_ok(j, seg);
			return 0;
		}
		if (tcp_gone(s->state)) { /* O7: the receiver will answer with a RST, RFC 9293 Figure 8 */
			tcp_end_anew(s, d, seg);
			tcp_move(s, TCP_SND_SYNACK, 1);
		}
		s->badack = seg->ack; /* it is no ack of the receiver's numbers: beside them it would be anything */
		s->has_badack = 1;
		j->flags |= FLAG_BAD_SYNACK;
		return 0;
	}
	/* the originator's ACK was of nothing (O16): both directions are seen, and it had not heard of this SYN-ACK */
	if ((j->was & FLAG_ASYM) && !j->from_orig && s->state == ESTABLISHED && !tcp_conf(s) && !s->sent &&
	    seg->seq != s->isn && d->state == ESTABLISHED && tcp_syn_acked(d, seg->ack)) {
		d->state = SYN_SENT;
		tcp_synack_ok(j, seg);
		return 0;
	}
	if (seg->seq == s->isn && (j->was & FLAG_SIMUL_OPEN) && s->state >= SYN_SENT && s->state <= ESTABLISHED &&
	    (d->state == SYN_RECEIVED || d->state == ESTABLISHED)) {
		tcp_synack_simultaneous(j, seg);
		return 0;
	}
	if (seg->seq == s->isn && !j->from_orig && (s->state == SYN_RECEIVED || s->state == ESTABLISHED)) { /* O9 to O11 */
		if (j->reordered) /* mirrored after the ACK of it */
			return 0;
		j->has_prev_ack = tcp_syn_acked(d, seg->ack);
		if (s->state == ESTABLISHED && !tcp_conf(s))
			tcp_move(s, TCP_AGAIN_SYNACK, 1); /* O10 */
		j->flags |= FLAG_SYNACK_RTX;
		j->synack_rtx = 1;
		return 0;
	}
	j->has_prev_ack = 0; /* O12 */
	j->flags |= FLAG_OOS;
	return 0;
}

#endif
