/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* RST: rows R1 to R13. A RST is valid only by its sequence number (RFC 5961 section 3, RFC 9293 section 3.5.3). */
#ifndef TCP_RESET_H
#define TCP_RESET_H

#include "tcp_open.h"

/* Both ends gone. Figure 5 sends a passive SYN-RECEIVED back to LISTEN; the caller does that. */
static __always_inline void tcp_reset_both(struct tcp_judgement *j)
{
	tcp_move(&j->s, TCP_RST, 1);
	tcp_move(&j->d, TCP_RST, 1);
	j->s.state = CLOSED;
	j->d.state = CLOSED;
}

/*
 * Made from the ack of the segment before, which the receiver sent. Not where that ack was an old one: its sender expects more by
 * now, so that whoever sent it in its name would have chosen the number.
 */
static __always_inline int tcp_rst_answers(const struct tcp_judgement *j, const struct segment *seg)
{
	const struct tcp_end *d = &j->d;

	return j->has_last_ack && seg->seq == j->last_ack && !((d->known & KNOWN_ACK) && seq_lt(seg->seq, d->ack));
}

/* The receiver would take this RST at its word. */
static __always_inline int tcp_rst_exact(const struct tcp_judgement *j, const struct segment *seg)
{
	const struct tcp_end *s = &j->s, *d = &j->d;
	/* a mirror loses copies, one direction alone is never acknowledged: there the hole need not be the receiver's */
	int blind = (j->tap || (j->was & FLAG_ASYM)) && s->nxt != s->contig + 1;

	if (seg->seq == s->contig || tcp_rst_answers(j, seg))
		return 1;
	/* behind a hole; Linux: the right edge of what it has of SACK. A bare ACK puts nothing there. */
	if (d->state >= ESTABLISHED && seg->seq == s->nxt && (s->solid || blind))
		return 1;
	if (d->state == SYN_RECEIVED && s->state == SYN_SENT && d->has_badack && seg->seq == d->badack) /* R5 */
		return 1;
	/* Linux, tcp_reset_check(): also one below, at the FIN */
	return (d->state == CLOSE_WAIT || d->state == CLOSING || d->state == LAST_ACK) && (s->known & KNOWN_FIN) &&
	       seg->seq == s->fin;
}

/* R8, R9: not exact. In the window it earns a challenge ACK, outside nothing. */
static __always_inline void tcp_rst_inexact(struct tcp_judgement *j, const struct segment *seg)
{
	const struct tcp_end *d = &j->d;
	__u8 both = KNOWN_ACK | KNOWN_REDGE;

	if ((d->known & both) == both && seq_le(d->ack, seg->seq) && seq_lt(seg->seq, d->redge))
		j->flags |= FLAG_RST_INWIN;
	else
		j->flags |= FLAG_RST_OOW;
}

/* R4 to R6: an exact RST to an endpoint in SYN-RECEIVED */
static __always_inline void tcp_rst_embryo(struct tcp_judgement *j, const struct segment *seg)
{
	struct tcp_end *s = &j->s, *d = &j->d;
	int historical = s->state == ESTABLISHED && !tcp_conf(s);

	if (j->was & FLAG_SIMUL_OPEN) { /* R6: opened actively, so CLOSED */
		tcp_reset_both(j);
		j->flags |= historical ? FLAG_HIST_SYN : FLAG_RESET;
		return;
	}
	d->state = LISTEN;
	d->known |= KNOWN_CONF;
	if (s->state == SYN_SENT && d->has_badack && seg->seq == d->badack) { /* R5: Figure 8, the SYN still stands */
		j->flags |= FLAG_HIST_SYN;
		return;
	}
	s->state = CLOSED; /* R4 */
	s->known |= KNOWN_CONF;
	j->flags |= historical ? FLAG_HIST_SYN : FLAG_RESET;
}

/* R7, R10 to R12: an exact RST on a connection */
static __always_inline void tcp_rst_connection(struct tcp_judgement *j, const struct segment *seg)
{
	struct tcp_end *s = &j->s, *d = &j->d;
	int tw = d->state == TIME_WAIT;

	if (tw && j->rfc1337) { /* R11 */
		j->flags |= FLAG_TW_RST;
		return;
	}
	if (j->pend.valid && j->pend.from_sender) { /* R12: Figure 9, the old connection made way for the SYN */
		tcp_open_by_pend(j, s, d);
		j->ended = END_RESET;
		j->flags |= tw ? FLAG_TW_ASSASSIN : FLAG_RESET | FLAG_HALFOPEN_DISC;
		return;
	}
	tcp_reset_both(j);
	if (tw) { /* R10 */
		j->flags |= FLAG_TW_ASSASSIN;
		return;
	}
	j->flags |= FLAG_RESET;
	if (!(seg->bits & TH_ACK) && tcp_rst_answers(j, seg))
		j->flags |= FLAG_NO_TCB;
}

/* A RST on a flow that has a record. RFC 9293 sections 3.5.2, 3.5.3, 3.10.7. */
TCP_STAGE int tcp_judge_rst(struct tcp_judgement *j, const struct segment *seg)
{
	struct tcp_end *s, *d;
	int ack;

	if (!j || !seg)
		return 0;
	s = &j->s;
	d = &j->d;
	ack = seg->bits & TH_ACK;
	if (ack && j->pend.valid && !j->pend.from_sender && seg->ack == j->pend.isn + 1 + j->pend.len) { /* R13 */
		s->state = s->state == SYN_RECEIVED ? LISTEN : CLOSED;
		d->state = CLOSED;
		s->known |= KNOWN_CONF;
		d->known |= KNOWN_CONF;
		j->pend.valid = 0;
		j->flags |= FLAG_REFUSED;
		return 0;
	}
	if (d->state == SYN_SENT) {
		if (ack && tcp_syn_acked(d, seg->ack)) { /* R1 */
			tcp_reset_both(j);
			j->flags |= FLAG_REFUSED;
		} else { /* R2 */
			j->flags |= FLAG_RST_OOW;
		}
		return 0;
	}
	if (tcp_gone(d->state)) { /* R3 */
		if (!tcp_gone(s->state) && seg->seq == s->nxt) {
			s->state = CLOSED;
			s->known |= KNOWN_CONF;
			j->flags |= FLAG_RESET;
		} else {
			j->flags |= FLAG_OOS;
		}
		return 0;
	}
	if (!tcp_rst_exact(j, seg))
		tcp_rst_inexact(j, seg);
	else if (d->state == SYN_RECEIVED)
		tcp_rst_embryo(j, seg);
	else
		tcp_rst_connection(j, seg);
	return 0;
}

#endif
