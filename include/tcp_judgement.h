/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the judge works on: both endpoints of a flow as seen from one segment (sender and receiver), read from the record
 * but not part of it, and what is to be written if the segment passes. See tcp_track.h (judge) and tcp_commit.h.
 */
#ifndef TCP_JUDGEMENT_H
#define TCP_JUDGEMENT_H

#include "tcp_fsm.h"
#include "tcp_opts.h"
#include "tcp_seq.h"

#define WS_NONE 15 /* a SYN without window scale option; only while the handshake goes on */

/* What the fast path of another CPU may move while a segment is judged: commit stores only what the judgement changed. */
struct tcp_hot {
	__u32 nxt, ack, redge, tsval;
	__u16 win, maxwin;
};

/* One endpoint, in its own sequence space. */
struct tcp_end {
	__u32 isn, nxt, contig, fin, ack, redge, tsval;
	__u32 badack;  /* the unacceptable ack of its SYN-ACK (O7), if has_badack */
	__u16 win, maxwin;
	__u8 state;
	__u8 known; /* KNOWN_* */
	__u8 ws;
	__u8 unseen; /* up to 7 */
	__u8 solid;  /* nxt is the end of data or of a FIN: what lies behind a hole was received (RST, W28) */
	__u8 sent; /* has sent an accepted segment with ACK after the handshake (O16) */
	__u8 has_badack;
	__u8 zeek;
	__u8 in_tw; /* 2MSL starts (again) with this segment */
	struct tcp_hot was; /* as read from the record */
};

/* A pending SYN. */
struct tcp_pend {
	__u32 isn, tsval, ms;
	__u16 win, len;
	__u8 ws; /* WS_NONE: no option */
	__u8 valid;
	__u8 from_sender; /* the sender of the segment under judgement sent it */
	__u8 pad;
};

/* What is left of a segment with ACK after the checks: its data or its FIN may not count. */
struct tcp_accepted {
	__u32 len;
	__u32 end;	  /* sequence number after data and FIN */
	__u8 fin;
	__u8 beyond_fin;  /* only the ack counts (C15) */
	__u8 keep_contig; /* data with an ack too old to be believed: nxt moves, contig does not */
	__u8 first_fin;
};

enum tcp_outcome {
	OUTCOME_STRAY,  /* belongs to no flow and makes none: only flags says why */
	OUTCOME_UPDATE, /* the record goes on */
	OUTCOME_NEW,    /* a new flow object: the record starts afresh */
};

struct tcp_judgement {
	struct tcp_end s, d; /* sender and receiver, after the segment */
	struct tcp_pend pend;
	struct tcp_accepted a;
	__u64 was;   /* flow.flags before the segment */
	__u64 flags; /* FLAG_* to add (to nothing, if OUTCOME_NEW) */
	__u32 last_ack; /* ack of the segment directly before, if the receiver sent it and it was accepted ... */
	__u32 prev_ack;
	__u8 has_last_ack; /* ... and whether */
	__u8 has_prev_ack;
	__u8 outcome; /* enum tcp_outcome */
	__u8 ended;   /* enum ward_end_reason: how this object ended by this segment */
	__u8 reuse;   /* an object that had not ended yet is replaced */
	__u8 orig_sent; /* OUTCOME_NEW: 1 = the sender is the originator */
	__u8 from_pend; /* OUTCOME_NEW: begun by the pending SYN, not by this segment */
	__u8 rtx, syn_rtx, synack_rtx, fin_rtx; /* to count */
	__u8 synack; /* an acceptable SYN-ACK, new: the first half of the handshake is measured */
	__u8 third;  /* completes the handshake: the second half is measured */
	__u8 from_orig; /* the originator sent the segment */
	__u8 tap, rfc1337, loose; /* struct track_opts */
	__u8 reordered; /* a mirror may have swapped it with the other side's segment just before */
};

/*
 * The judge is a chain of stages that share *j and nothing else. Natively they are inlined; for BPF each is a function of
 * its own, which the verifier sees once and without what the others know: inlined as one, they are too much for it.
 */
#ifdef __bpf__
#define TCP_STAGE __attribute__((weak, noinline))
#else
#define TCP_STAGE static inline
#endif

/* flow.prev: ack of the segment before, if it was accepted, and who sent it. */
static __always_inline __u64 tcp_prev_pack(__u32 ack, int has, int dir)
{
	return (__u64)ack | (__u64)(has & 1) << 32 | (__u64)(dir & 1) << 33;
}

static __always_inline __u8 tcp_wscale(const struct flow *f, int i)
{
	return i & 1 ? f->wscale >> 4 : f->wscale & 0x0f;
}

/* Bytes that a window field stands for; windows of SYNs are never scaled and must not come here (RFC 7323). */
static __always_inline __u32 tcp_window(__u16 win, __u8 ws)
{
	return (__u32)win << (ws > WS_UNKNOWN ? 0 : ws);
}

static __always_inline __u64 tcp_mark_badack(int i)
{
	return i & 1 ? MARK_BADACK_B : MARK_BADACK_A;
}

static __always_inline __u64 tcp_mark_sent(int i)
{
	return i & 1 ? MARK_SENT_B : MARK_SENT_A;
}

/* Reads endpoint i of the record. contig is nxt unless there is a hole. */
static __always_inline void tcp_end_load(const struct flow *f, int i, struct tcp_end *e)
{
	i &= 1;
	e->isn = f->isn[i];
	e->nxt = e->was.nxt = f->half[i].nxt;
	e->known = f->known[i];
	e->contig = e->known & KNOWN_HOLE ? f->contig[i] : e->nxt;
	e->fin = f->fin[i];
	e->badack = f->fin[i];
	e->has_badack = !!(f->flags & tcp_mark_badack(i));
	e->ack = e->was.ack = f->half[i].ack;
	e->redge = e->was.redge = f->half[i].redge;
	e->tsval = e->was.tsval = f->half[i].tsval;
	e->win = e->was.win = f->win[i];
	e->maxwin = e->was.maxwin = f->maxwin[i];
	e->state = f->state[i];
	e->ws = tcp_wscale(f, i);
	e->unseen = (f->unseen >> (4 * i)) & 7;
	e->solid = (f->unseen >> (4 * i)) >> 3 & 1;
	e->zeek = (f->zeek >> (4 * i)) & 0x0f;
	e->sent = !!(f->flags & tcp_mark_sent(i));
	e->in_tw = 0;
}

/* An endpoint of which nothing is known. */
static __always_inline void tcp_end_clear(struct tcp_end *e, __u8 state)
{
	e->isn = e->nxt = e->contig = e->fin = e->ack = e->redge = e->tsval = e->badack = 0;
	e->win = e->maxwin = 0;
	e->state = state;
	e->known = tcp_gone(state) ? KNOWN_CONF : 0;
	e->ws = WS_NONE;
	e->unseen = e->solid = e->sent = e->has_badack = e->in_tw = 0;
	e->zeek = Z_INACTIVE;
}

/* Reads the pending SYN; one older than 10 s counts as absent. */
static __always_inline void tcp_pend_load(const struct flow *f, const struct segment *seg, const struct track_opts *o,
					  struct tcp_pend *p)
{
	__u32 age_ms = (__u32)(seg->now_ns >> 20) - f->pend_ms;

	p->isn = f->pend_isn;
	p->tsval = f->pend_tsval;
	p->ms = f->pend_ms;
	p->win = f->pend_win;
	p->len = f->pend_len;
	p->ws = f->pend_ws;
	p->from_sender = !!(f->flags & MARK_PEND_B) == (seg->dir & 1);
	p->valid = (f->flags & MARK_PEND) && age_ms <= (__u32)(o->timeout_ns[TIMEOUT_PEND] >> 20);
	p->pad = 0;
}

#endif
