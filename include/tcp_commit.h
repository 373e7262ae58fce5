/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Commit: writes a judgement into the record, after the verdict. The record is locked (bpf/record.h), but the established
 * fast path of another CPU may still be writing the hot half of either side: packets and bytes are therefore added
 * atomically, and what this segment did not change is not stored. Worst case: a number of the other side is older by one
 * segment; its next segment, or the ack of it, mends that.
 */
#ifndef TCP_COMMIT_H
#define TCP_COMMIT_H

#include "tcp_history.h"
#include "tcp_marks.h"

#define STAMP_MAX_NS 4000000000ULL /* a 32-bit stamp of nanoseconds must not wrap */

/* The hot numbers of side i: what this segment changed, or all of a new object. */
static __always_inline void tcp_commit_hot(struct flow *f, int i, const struct tcp_end *e, int fresh)
{
	struct flow_half *h = &f->half[i];

	if (fresh || e->nxt != e->was.nxt)
		h->nxt = e->nxt;
	if (fresh || e->ack != e->was.ack)
		h->ack = e->ack;
	if (fresh || e->redge != e->was.redge)
		h->redge = e->redge;
	if (fresh || e->tsval != e->was.tsval)
		h->tsval = e->tsval;
	if (fresh || e->win != e->was.win)
		f->win[i] = e->win;
	if (fresh || e->maxwin != e->was.maxwin)
		f->maxwin[i] = e->maxwin;
}

/* When the endpoint entered its state. What may be taken back (SYN-RECEIVED -> ESTABLISHED?) keeps the older time. */
static __always_inline void tcp_commit_since(struct flow *f, int i, const struct tcp_end *e, __u64 now_ns)
{
	__u8 was = f->state[i & 1];
	int conf = e->known & KNOWN_CONF, was_conf = f->known[i & 1] & KNOWN_CONF;

	if (e->state == TIME_WAIT) {
		if (!e->in_tw && was == TIME_WAIT)
			return;
	} else if (was == e->state) {
		if (was != ESTABLISHED || conf == was_conf)
			return;
	} else if ((was == SYN_RECEIVED && e->state == ESTABLISHED && !conf) ||
		   (was == ESTABLISHED && e->state == SYN_RECEIVED)) {
		return;
	}
	f->since_ns[i & 1] = now_ns;
}

static __always_inline void tcp_commit_end(struct flow *f, int i, struct tcp_end *e, __u64 now_ns, int fresh)
{
	__u64 badack = tcp_mark_badack(i);
	__u32 since = tcp_since(f, i);
	__u8 hist, was = f->state[i & 1];

	i &= 1;
	tcp_commit_since(f, i, e, now_ns);
	if ((e->known & KNOWN_ISN) && ((e->nxt - e->isn) >> 30 || f->half[i].bytes >> 30))
		e->known &= ~KNOWN_ISN;
	if (e->contig != e->nxt) {
		e->known |= KNOWN_HOLE;
		f->contig[i] = e->contig;
	} else {
		e->known &= ~KNOWN_HOLE;
	}
	tcp_commit_hot(f, i, e, fresh);
	f->isn[i] = e->isn;
	if (e->known & KNOWN_FIN) {
		f->fin[i] = e->fin;
		f->flags &= ~badack;
	} else if (e->has_badack) {
		f->fin[i] = e->badack;
		f->flags |= badack;
	} else {
		f->flags &= ~badack;
	}
	if (e->sent)
		f->flags |= tcp_mark_sent(i);
	else
		f->flags &= ~tcp_mark_sent(i);
	hist = f->known[i] & (KNOWN_HIST_A | KNOWN_HIST_D);
	f->state[i] = e->state;
	f->known[i] = (e->known & ~(KNOWN_HIST_A | KNOWN_HIST_D)) | hist;
	tcp_mark_since(f, i, was, since, now_ns);
}

static __always_inline void tcp_commit_pend(struct flow *f, const struct segment *seg, const struct tcp_judgement *j)
{
	int dir = seg->dir & 1;

	if (tcp_disowns(f, seg, j)) {
		f->pend_ws = PEND_DISOWNED;
		f->pend_ms = since_of(seg->now_ns);
	}
	f->flags &= ~(MARK_PEND | MARK_PEND_B);
	if (!j->pend.valid)
		return;
	f->flags |= MARK_PEND;
	if (dir == j->pend.from_sender) /* sent by side B */
		f->flags |= MARK_PEND_B;
	f->pend_isn = j->pend.isn;
	f->pend_tsval = j->pend.tsval;
	f->pend_ms = j->pend.ms;
	f->pend_win = j->pend.win;
	f->pend_len = j->pend.len;
	f->pend_ws = j->pend.ws;
}

/* Both halves of the handshake's round trip. Repeated SYNs and SYN-ACKs are ambiguous (Karn): then it is not measured. */
static __always_inline void tcp_commit_rtt(struct flow *f, const struct segment *seg, const struct tcp_judgement *j)
{
	int in_time = seg->now_ns - f->start_ns < STAMP_MAX_NS;

	int stamped = seg->stamp_ns != 0; /* else no difference can be made */

	in_time &= stamped;
	if (j->outcome == OUTCOME_NEW && !j->from_pend && j->s.state == SYN_SENT) {
		f->rtt_syn_ns = seg->stamp_ns;
		f->flags |= stamped ? MARK_RTT_SYN : 0;
		return;
	}
	if (j->syn_rtx && (f->flags & MARK_RTT_SYN)) {
		f->rtt_syn_ns = 0;
		f->flags &= ~MARK_RTT_SYN;
	}
	if (j->synack) {
		if (f->flags & MARK_RTT_SYN)
			f->rtt_syn_ns = !in_time ? 0 : seg->stamp_ns - f->rtt_syn_ns ?: 1;
		f->flags = (f->flags & ~MARK_RTT_SYN) | (stamped ? MARK_RTT_ACK : 0);
		f->rtt_ack_ns = seg->stamp_ns;
	} else if (j->outcome == OUTCOME_NEW && j->s.state == SYN_RECEIVED) {
		f->flags |= stamped ? MARK_RTT_ACK : 0;
		f->rtt_ack_ns = seg->stamp_ns;
	} else if (f->flags & MARK_RTT_ACK) {
		if (j->third)
			f->rtt_ack_ns = !in_time ? 0 : seg->stamp_ns - f->rtt_ack_ns ?: 1;
		else if (j->synack_rtx)
			f->rtt_ack_ns = 0;
		if (j->third || j->synack_rtx)
			f->flags &= ~MARK_RTT_ACK;
	}
}

static __always_inline void tcp_count8(__u8 *counter, int by)
{
	if (by && *counter < 0xff)
		(*counter)++;
}

/* Counters and history of one segment. */
static __always_inline void tcp_commit_counts(struct flow *f, const struct segment *seg, const struct tcp_judgement *j)
{
	int i = seg->dir & 1;
	char letter = history_letter(seg->bits, seg->len);

	__sync_fetch_and_add(&f->half[i].pkts, (__u64)seg->segs);
	__sync_fetch_and_add(&f->half[i].bytes, (__u64)seg->len);
	f->half[i].last_ns = seg->now_ns;
	f->rtx[i] += j->rtx;
	tcp_count8(&f->syn_rtx, j->syn_rtx);
	tcp_count8(&f->synack_rtx, j->synack_rtx);
	if (j->fin_rtx && f->fin_rtx < 0xffff)
		f->fin_rtx++;
	if (letter && history_new(f, i, letter, seg->seq, seg->len))
		history_add(f, i, letter);
	if (seg->vlan != VLAN_UNSEEN)
		f->vlan = seg->vlan;
}

/* An empty record for a new flow object. The word's phase and gen are kept: they belong to the place. */
static __always_inline void tcp_commit_clear(struct flow *f, const struct segment *seg, const struct tcp_judgement *j)
{
	__u64 *at = (__u64 *)f;
	int i;

	for (i = 1; i < (int)(sizeof(*f) / sizeof(*at)); i++)
		at[i] = 0;
	/* the first word byte by byte: the lock in it is never let go */
	f->state[0] = f->state[1] = NO_STATE;
	f->known[0] = f->known[1] = 0;
	f->wscale = 0;
	f->orig = (seg->dir ^ !j->orig_sent) & 1;
	f->iface = seg->iface;
	f->vlan = seg->vlan;
	f->start_ns = seg->now_ns;
	f->since_ns[0] = f->since_ns[1] = seg->now_ns;
}

/* A new object that began with the pending SYN: that SYN counts as its first segment. */
static __always_inline void tcp_commit_pending_syn(struct flow *f, const struct segment *seg,
						   const struct tcp_judgement *j, const struct tcp_end *from)
{
	int side = f->orig & 1;
	__u64 at = seg->now_ns - ((__u64)((__u32)(seg->now_ns >> 20) - j->pend.ms) << 20);

	f->start_ns = at;
	f->half[side].pkts = 1;
	f->half[side].bytes = j->pend.len;
	f->half[side].last_ns = at;
	history_new(f, side, 's', from->isn, 0);
	history_add(f, side, 's');
}

/* Opened by a SYN cookie: SYN and SYN-ACK did pass here, though nothing was kept of them. */
static __always_inline void tcp_commit_cookie(struct flow *f, const struct tcp_judgement *j)
{
	int side = f->orig & 1;

	f->half[side].pkts = f->half[side ^ 1].pkts = 1;
	history_new(f, side, 's', j->s.isn, 0);
	history_add(f, side, 's');
	history_new(f, side ^ 1, 'h', j->d.isn, 0);
	history_add(f, side ^ 1, 'h');
}

static __always_inline __u8 tcp_unseen_pack(const struct tcp_end *e)
{
	return (e->unseen & 7) | (e->known & KNOWN_HOLE ? e->solid << 3 & 8 : 0);
}

/* Not for the fast path: anything but two confirmed, open ends of which everything is known. */
static __always_inline int tcp_is_slow(const struct tcp_judgement *j, __u64 flags)
{
	__u8 all = KNOWN_ACK | KNOWN_REDGE;

	return j->pend.valid || j->s.unseen || j->d.unseen || (flags & MARK_SEEDED) || (j->s.known & all) != all ||
	       (j->d.known & all) != all || !j->s.zeek || !j->d.zeek; /* its next segment moves Zeek's state: INACTIVE */
}

/*
 * Writes judgement *j of segment seg into record f. outcome must not be OUTCOME_STRAY; for OUTCOME_NEW what stood in f
 * is overwritten (report its end first). The caller holds the record.
 */
static __always_inline void tcp_commit(struct flow *f, const struct segment *seg, struct tcp_judgement *j)
{
	int s = seg->dir & 1, fresh = j->outcome == OUTCOME_NEW, reset = fresh && (seg->bits & TH_RST);
	__u8 unseen, zeek;
	__u64 runs = 0;

	if (!fresh)
		runs = tcp_mark(f, seg, j);
	if (fresh) {
		tcp_commit_clear(f, seg, j);
		if (j->from_pend)
			tcp_commit_pending_syn(f, seg, j, j->orig_sent ? &j->s : &j->d);
		if (seg->opts & SEG_COOKIE)
			tcp_commit_cookie(f, j);
	}
	if (!reset) /* the RST that made way for the new object belongs to the old one (R12) */
		tcp_commit_counts(f, seg, j);
	tcp_commit_end(f, s, &j->s, seg->now_ns, fresh);
	tcp_commit_end(f, s ^ 1, &j->d, seg->now_ns, fresh);
	if (j->s.state >= ESTABLISHED && j->s.ws == WS_NONE)
		j->s.ws = 0; /* the fast path shifts by it */
	if (j->d.state >= ESTABLISHED && j->d.ws == WS_NONE)
		j->d.ws = 0;
	if (s) {
		f->wscale = (__u8)(j->d.ws & 15) | (__u8)(j->s.ws << 4);
		unseen = tcp_unseen_pack(&j->d) | tcp_unseen_pack(&j->s) << 4;
		zeek = j->d.zeek | j->s.zeek << 4;
	} else {
		f->wscale = (__u8)(j->s.ws & 15) | (__u8)(j->d.ws << 4);
		unseen = tcp_unseen_pack(&j->s) | tcp_unseen_pack(&j->d) << 4;
		zeek = j->s.zeek | j->d.zeek << 4;
	}
	f->unseen = unseen;
	f->zeek = zeek;
	tcp_commit_pend(f, seg, j);
	tcp_commit_rtt(f, seg, j);
	f->flags |= j->flags;
	if (j->s.sent)
		f->flags &= ~MARK_SEEDED;
	f->prev = tcp_prev_pack(j->prev_ack, j->has_prev_ack, s) | runs;
	if (tcp_gone(j->s.state) && tcp_gone(j->d.state)) {
		if (j->outcome == OUTCOME_UPDATE && j->ended)
			f->end_reason = (enum ward_end_reason)j->ended;
	} else { /* a late FIN may have brought it back (C12) */
		f->end_reason = END_NONE;
	}
	flow_shut_update(f, seg->now_ns);
	f->phase = (f->phase & ~PHASE_SLOW) | (tcp_is_slow(j, f->flags) ? PHASE_SLOW : 0);
}

/* R12: what the RST that ended the old object leaves in it, before it is reported and overwritten. */
static __always_inline void tcp_commit_old(struct flow *f, const struct segment *seg)
{
	int i = seg->dir & 1;
	char letter = history_letter(seg->bits, seg->len);

	__sync_fetch_and_add(&f->half[i].pkts, (__u64)seg->segs);
	f->half[i].last_ns = seg->now_ns;
	if (letter && history_new(f, i, letter, seg->seq, seg->len))
		history_add(f, i, letter);
	f->state[0] = f->state[1] = CLOSED;
	f->known[0] |= KNOWN_CONF;
	f->known[1] |= KNOWN_CONF;
}

#endif
