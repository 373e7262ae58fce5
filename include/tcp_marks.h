/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Marks: what commit remembers of a flow for its findings (flow_finding.h) and for nothing else. struct flow has no room, so
 * they lie where nothing else is: in flags between the reported ones and the tracker's own, in prev above the ack, and in
 * fin[] or contig[] while those mean nothing.
 */
#ifndef TCP_MARKS_H
#define TCP_MARKS_H

#include "tcp_judgement.h"

/* ---- flow.prev above what tcp_prev_pack() writes; all 0 after a segment of the fast path ---- */
#define PREV_RTX_SHIFT 34 /* 5 bits: data that the last segment's sender repeated, and no segment of its peer since */
#define PREV_RTX_MAX 31
#define PREV_PROBES_SHIFT 39 /* 5 bits: its keep-alive and window probes, likewise */
#define PREV_PROBES_MAX 31
#define PREV_SYNACKS_SHIFT 44 /* 3 bits: SYN-ACKs sent again after the handshake's ACK */
#define PREV_SYNACKS_MAX 7
#define PREV_FIN_SHIFT 47 /* 17 bits: when a FIN was first sent again, in units of 2^27 ns; 0: never */
#define PREV_FIN_MAX 0x1ffff
#define FIN_UNIT_SHIFT 27

#define INJECTION_KEPT_NS (60 * NS_PER_S) /* RSTs and SYNs that do not belong are held against a flow for so long */
#define COPY_NS 1000000ULL                /* the same segment again within 1 ms: the network, or the mirror, made two of it */
#define AGAIN_NS 100000000ULL             /* who waits in vain repeats himself no faster: Linux's shortest time-out is 200 ms */
#define SYNACK_AGAIN_NS 500000000ULL      /* ... and a SYN-ACK after 1 s (RFC 6298), some sooner */
#define WENT_ON_MAX (1U << 20)            /* data so far beyond a RST is some other flow's */

#define PEND_DISOWNED 0x80 /* flow.pend_ws without MARK_PEND: the sender of that SYN went on with the connection (N5) */

static __always_inline __u32 prev_field(__u64 prev, int shift, __u32 max)
{
	return (prev >> shift) & max;
}

/* ---- since when: of an open end how long its window is shut, of one in TIME-WAIT when it came there first ---- */
#define SINCE_SHIFT 20 /* in units of 2^20 ns; 0: not known */

static __always_inline __u32 since_of(__u64 now_ns)
{
	return (__u32)(now_ns >> SINCE_SHIFT) ?: 1;
}

/* Nanoseconds from since (not 0) to now_ns; 0 should it lie ahead: clocks of two CPUs. */
static __always_inline __u64 since_ns(__u32 since, __u64 now_ns)
{
	__s32 units = (__s32)((__u32)(now_ns >> SINCE_SHIFT) - since);

	return units < 0 ? 0 : (__u64)units << SINCE_SHIFT;
}

/* It lies in fin[] while there is no FIN, else in contig[] while there is no hole; else it is forgotten. */
static __always_inline __u32 tcp_since(const struct flow *f, int i)
{
	i &= 1;
	if (!(f->known[i] & KNOWN_FIN) && !(f->flags & tcp_mark_badack(i)))
		return f->fin[i];
	return f->known[i] & KNOWN_HOLE ? 0 : f->contig[i];
}

static __always_inline void tcp_since_set(struct flow *f, int i, __u32 since)
{
	i &= 1;
	if (!(f->known[i] & KNOWN_FIN) && !(f->flags & tcp_mark_badack(i)))
		f->fin[i] = since;
	else if (!(f->known[i] & KNOWN_HOLE))
		f->contig[i] = since;
}

/* ---- a window that is shut (RFC 9293 section 3.8.6), and what else the sweep must not lose sight of ---- */
/* Side i is open and has advertised a window of 0 last. */
static __always_inline int flow_shut(const struct flow *f, int i)
{
	__u8 state = f->state[i & 1];

	return state >= ESTABLISHED && state != TIME_WAIT && (f->known[i & 1] & KNOWN_ACK) && !f->win[i & 1];
}

/*
 * Something may be found on it though it is open and busy: repetitions without an answer, of a share that is worth it (no
 * threshold is below 1 %), segments that do not belong. Shut windows are flow_shut_update()'s.
 */
static __always_inline int tcp_watch(const struct flow *f)
{
	return (f->prev >> PREV_RTX_SHIFT) || (f->flags & (MARK_RSTS | FLAG_SYN_IN_CONN)) ||
	       f->rtx[0] * 128ULL > f->half[0].pkts || f->rtx[1] * 128ULL > f->half[1].pkts;
}

static __always_inline int side_shut_changed(const struct flow *f, int i)
{
	return f->state[i] != TIME_WAIT && flow_shut(f, i) != !!tcp_since(f, i);
}

static __always_inline int side_shut(const struct flow *f, int i)
{
	return f->state[i] != TIME_WAIT && flow_shut(f, i);
}

/*
 * The fast path has shut or opened a window, or has ended what PHASE_WATCH was set for, and nobody has noticed: call
 * flow_shut_update(). Without a lock; reads no more than the fast path does, unless there is something to watch. (Without a
 * loop: Linux 6.1 refuses the one that the compiler makes of it.)
 */
static __always_inline int flow_shut_changed(const struct flow *f)
{
	if (f->win[0] && f->win[1] && !(f->phase & PHASE_WATCH))
		return 0;
	if (side_shut_changed(f, 0) || side_shut_changed(f, 1))
		return 1;
	return (f->phase & PHASE_WATCH) && !side_shut(f, 0) && !side_shut(f, 1) && !tcp_watch(f);
}

static __always_inline void side_shut_note(struct flow *f, int i, __u64 now_ns)
{
	__u64 last = f->half[i].last_ns; /* that segment said so, whenever it is noticed */

	if (f->state[i] == TIME_WAIT)
		return;
	if (!flow_shut(f, i))
		tcp_since_set(f, i, 0);
	else if (!tcp_since(f, i))
		tcp_since_set(f, i, since_of((__s64)(now_ns - last) < 0 ? now_ns : last));
}

/* Notes since when each window is shut, and whether the sweep shall go on looking. f is locked. Returns 1: one is shut. */
static __always_inline __u64 flow_shut_update(struct flow *f, __u64 now_ns)
{
	__u64 shut = side_shut(f, 0) || side_shut(f, 1);

	side_shut_note(f, 0, now_ns);
	side_shut_note(f, 1, now_ns);
	f->phase = (f->phase & ~PHASE_WATCH) | (shut || tcp_watch(f) ? PHASE_WATCH : 0);
	return shut;
}

/* ---- what commit notes of a segment, while the record is still as the segment found it ---- */
/* What was held against the flow is forgotten. */
static __always_inline void tcp_mark_forget(struct flow *f, __u64 now_ns)
{
	int held = (f->flags & MARK_RSTS) || f->pend_ws == PEND_DISOWNED;

	if (!held || (f->flags & MARK_PEND) || since_ns(f->pend_ms, now_ns) < INJECTION_KEPT_NS)
		return;
	f->flags &= ~(MARK_RSTS | MARK_RSTS_TW);
	f->pend_ws = 0;
}

/* D12, D3c: another inexact RST (R8, R9). Not to a SYN-SENT, which has no connection yet, and not where no numbers are known. */
static __always_inline void tcp_mark_inexact(struct flow *f, const struct segment *seg)
{
	__u64 count = (f->flags & MARK_RSTS) >> MARK_RSTS_SHIFT, tw;
	int s = seg->dir & 1;

	if (f->state[s ^ 1] == SYN_SENT || (f->flags & MARK_SEEDED))
		return;
	if (f->seq_rst[s] == seq_fold(seg->seq, 'r') && seg->now_ns - f->half[s].last_ns <= COPY_NS)
		return;
	tw = f->state[s ^ 1] == TIME_WAIT ? MARK_RSTS_TW : 0;
	if ((f->flags & MARK_RSTS_TW) != tw)
		count = 0;
	if (count < MARK_RSTS >> MARK_RSTS_SHIFT)
		count++;
	f->flags = (f->flags & ~(MARK_RSTS | MARK_RSTS_TW)) | count << MARK_RSTS_SHIFT | tw;
	if (!(f->flags & MARK_PEND))
		f->pend_ms = since_of(seg->now_ns);
}

/* D2b, D3c, D12: a RST */
static __always_inline void tcp_mark_rst(struct flow *f, const struct segment *seg, const struct tcp_judgement *j)
{
	int s = seg->dir & 1, open = f->state[s] == CLOSE_WAIT;

	if (j->flags & (FLAG_RST_INWIN | FLAG_RST_OOW))
		tcp_mark_inexact(f, seg);
	/* not if it makes way for a SYN of its own (R12, and R11 before one), or answers an ACK of the end in TIME-WAIT: a
	 * closed end does, to an ACK that an old segment of its own has brought forth (RFC 1337, section 2) */
	if ((j->flags & (FLAG_TW_ASSASSIN | FLAG_TW_RST)) && !(j->pend.valid && j->pend.from_sender) &&
	    !(f->state[s] == CLOSED && !(seg->bits & TH_ACK) && seg->now_ns - f->half[s ^ 1].last_ns < NS_PER_S))
		f->flags |= MARK_ASSASSIN;
	open |= f->state[s] == ESTABLISHED && (f->known[s] & KNOWN_CONF);
	if ((j->flags & FLAG_NO_TCB) && open && f->half[s].pkts && seg->now_ns - f->half[s].last_ns > NS_PER_S)
		f->flags |= MARK_SILENT;
}

/* D12: the exact RST is followed by data of its sender, beyond it. So it was not its sender's. */
static __always_inline void tcp_mark_went_on(struct flow *f, const struct segment *seg)
{
	int s = seg->dir & 1;

	if (f->end_reason != END_RESET || !(f->flags & FLAG_RESET) || !seg->len)
		return;
	if (f->seq_rst[s] == seq_fold(f->half[s].nxt, 'r') && seg->seq + seg->len - f->half[s].nxt - 1 < WENT_ON_MAX)
		f->flags |= MARK_WENT_ON;
}

/*
 * D3e: side i, in TIME-WAIT, begins 2MSL anew. A burst counts once: what falls into another second counts. A FIN that is sent
 * again for want of an ACK doubles its time-out: of those in units of 4 s no more than five are seen before Linux gives up.
 */
static __always_inline void tcp_mark_restart(struct flow *f, int i, const struct segment *seg)
{
	__u64 count = (f->flags & MARK_RESTARTS) >> MARK_RESTARTS_SHIFT;
	int unit = seg->bits & TH_FIN ? 32 : 30;

	if (seg->now_ns >> unit != f->since_ns[i & 1] >> unit && count < MARK_RESTARTS >> MARK_RESTARTS_SHIFT)
		f->flags += 1ULL << MARK_RESTARTS_SHIFT;
}

/* The runs that prev keeps. A copy of the segment before is no repetition: then j->rtx is taken back. */
static __always_inline __u64 tcp_mark_runs(const struct flow *f, const struct segment *seg, struct tcp_judgement *j)
{
	int s = seg->dir & 1, alone = ((f->prev >> 33) & 1) == (__u64)s; /* the peer has sent nothing meanwhile */
	__u64 quiet = seg->now_ns - f->half[s].last_ns;
	__u64 rtx = alone ? prev_field(f->prev, PREV_RTX_SHIFT, PREV_RTX_MAX) : 0;
	__u64 probes = alone ? prev_field(f->prev, PREV_PROBES_SHIFT, PREV_PROBES_MAX) : 0;
	__u64 synacks = prev_field(f->prev, PREV_SYNACKS_SHIFT, PREV_SYNACKS_MAX);
	__u64 fin = prev_field(f->prev, PREV_FIN_SHIFT, PREV_FIN_MAX);
	int waiting = s ^ 1; /* who has acknowledged the SYN-ACK */

	if (j->rtx && alone && !rtx && quiet <= COPY_NS && seg->seq + seg->len == f->half[s].nxt)
		j->rtx = 0;
	if (j->rtx && quiet >= AGAIN_NS && rtx < PREV_RTX_MAX)
		rtx++;
	if ((j->flags & (FLAG_KEEPALIVE | FLAG_ZWP)) && quiet >= AGAIN_NS && probes < PREV_PROBES_MAX)
		probes++;
	if (j->synack_rtx && f->state[waiting] >= ESTABLISHED && (f->known[waiting] & KNOWN_CONF) &&
	    quiet >= SYNACK_AGAIN_NS && synacks < PREV_SYNACKS_MAX)
		synacks++;
	if (j->fin_rtx && !fin)
		fin = (seg->now_ns >> FIN_UNIT_SHIFT & PREV_FIN_MAX) ?: 1;
	return rtx << PREV_RTX_SHIFT | probes << PREV_PROBES_SHIFT | synacks << PREV_SYNACKS_SHIFT | fin << PREV_FIN_SHIFT;
}

/* All of the above, of a segment that goes to an object that there is. Returns the upper bits of the new prev. */
static __always_inline __u64 tcp_mark(struct flow *f, const struct segment *seg, struct tcp_judgement *j)
{
	int s = seg->dir & 1;

	tcp_mark_forget(f, seg->now_ns);
	if (seg->bits & TH_RST)
		tcp_mark_rst(f, seg, j);
	else if (tcp_gone(f->state[0]) && tcp_gone(f->state[1]))
		tcp_mark_went_on(f, seg);
	if (j->s.in_tw && j->s.state == TIME_WAIT && f->state[s] == TIME_WAIT)
		tcp_mark_restart(f, s, seg);
	if (j->d.in_tw && j->d.state == TIME_WAIT && f->state[s ^ 1] == TIME_WAIT)
		tcp_mark_restart(f, s ^ 1, seg);
	return tcp_mark_runs(f, seg, j);
}

/* ---- ... and when it is written ---- */
/* Side i was in state was; since was tcp_since(), which lies elsewhere if a FIN or a hole came or went. */
static __always_inline void tcp_mark_since(struct flow *f, int i, __u8 was, __u32 since, __u64 now_ns)
{
	__u8 state = f->state[i & 1];

	if (state == TIME_WAIT && was != TIME_WAIT) {
		since = since_of(now_ns);
		f->flags &= ~MARK_RESTARTS;
	} else if (state != TIME_WAIT && was == TIME_WAIT) {
		since = 0;
	}
	tcp_since_set(f, i, since);
}

/* D13, N5: the sender of the pending SYN, which the record still has, goes on as if it had sent none; nor was it the one that
 * opened the connection, come twice. */
static __always_inline int tcp_disowns(const struct flow *f, const struct segment *seg, const struct tcp_judgement *j)
{
	int s = seg->dir & 1;

	if (!(f->flags & MARK_PEND) || !!(f->flags & MARK_PEND_B) != s || j->pend.valid || (seg->bits & (TH_SYN | TH_RST)))
		return 0;
	if (!j->has_prev_ack && !(j->flags & (FLAG_KEEPALIVE | FLAG_ZWP)))
		return 0;
	return f->state[s ^ 1] != TIME_WAIT && f->pend_isn != f->isn[s];
}

#endif
