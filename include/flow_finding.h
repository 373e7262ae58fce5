/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What one flow shows by itself: the kinds of finding that need no count of others. Pure; the sweep asks once a second, of
 * every flow that is not merely open and busy. Names: D1, T61 ... are those of include/finding.h.
 */
#ifndef FLOW_FINDING_H
#define FLOW_FINDING_H

#include "finding.h"
#include "tcp_marks.h"
#include "tcp_timer.h"

#define FINDING_LATELY_NS (10 * NS_PER_S)    /* "is going on" */
#define NOBODY_WAITS_NS (300 * NS_PER_S)     /* who waits for an answer repeats himself: Linux at least every 120 s */
#define SYNACK_TIMEOUT_NS (3 * NS_PER_S / 2) /* a second for the first repetition (RFC 6298), with some room; doubles */

/*
 * The verifier follows each path with the value that the findings have on it, and whoever then asks "any?" makes it keep them
 * apart: all combinations. So it is made to forget the value; any other number will do for that.
 */
#ifdef __bpf__
#define FORGET(value, number) asm volatile("%0 ^= %1; %0 ^= %1" : "+r"(value) : "r"(number))
#else
#define FORGET(value, number) (void)(number)
#endif

static __always_inline int elapsed(__u64 since, __u64 now_ns, __u64 after_ns)
{
	return (__s64)(now_ns - since) >= (__s64)after_ns;
}

static __always_inline __u64 at_most(__u64 value, __u64 max)
{
	return value < max ? value : max;
}

static __always_inline int flow_gone(const struct flow *f)
{
	return tcp_gone(f->state[0]) && tcp_gone(f->state[1]);
}

/*
 * Answered, not completed: what the half-open gauges count, and the counters that must agree with them (answered, completed,
 * half-open-left). Of a simultaneous open (RFC 9293, figure 8) each end waits for the other one's ACK, so the flow is half-open
 * until both have it. a, b: the states of both ends.
 */
static __always_inline int states_half_open(__u8 a, __u8 b)
{
	return (a == SYN_RECEIVED || b == SYN_RECEIVED) && a != TIME_WAIT && b != TIME_WAIT;
}

/* ... and somebody asked for it: a SYN-ACK without a SYN is anybody's. */
static __always_inline int flow_half_open(const struct flow *f)
{
	return !(f->flags & FLAG_MIDSTREAM) && states_half_open(f->state[0], f->state[1]);
}

/* Past the handshake, and before TIME-WAIT: it holds something open. */
static __always_inline int holds_open(__u8 state)
{
	return state >= ESTABLISHED && state != TIME_WAIT;
}

/*
 * T61: the originator's ACK was seen, but the responder sends its SYN-ACK again and again. After each the originator
 * acknowledges once more, and the responder is presumed open until its next one, which comes after twice the time; if it
 * does not, the responder has accepted.
 */
static __always_inline int finds_accept_queue(const struct flow *f, const struct detect_opts *o, __u64 now_ns)
{
	int orig = f->orig & 1, resp = orig ^ 1;
	__u32 again = prev_field(f->prev, PREV_SYNACKS_SHIFT, PREV_SYNACKS_MAX);
	__u32 doubled = f->synack_rtx < 6 ? f->synack_rtx : 6;

	if (!holds_open(f->state[orig]) || !(f->known[orig] & KNOWN_CONF))
		return 0;
	if (!again || again < at_most(o->value[PARAM_ACCEPT_QUEUE_FULL_REPEATS], PREV_SYNACKS_MAX))
		return 0;
	if (f->state[resp] == SYN_RECEIVED)
		return 1;
	return f->state[resp] == ESTABLISHED && !(f->known[resp] & KNOWN_CONF) &&
	       !elapsed(f->half[resp].last_ns, now_ns, SYNACK_TIMEOUT_NS << doubled);
}

/* D1, D2a and T61: handshakes that stay half done */
static __always_inline __u64 findings_opening(const struct flow *f, const struct detect_opts *o, __u64 now_ns)
{
	int i;

	if (finds_accept_queue(f, o, now_ns))
		return FINDING_BIT(ACCEPT_QUEUE_FULL);
	for (i = 0; i < 2; i++) {
		if (f->state[i] == SYN_SENT && f->state[!i] == LISTEN &&
		    elapsed(f->since_ns[i], now_ns, o->value[PARAM_STALE_SYN_AFTER]))
			return FINDING_BIT(STALE_SYN);
		if (f->flags & FLAG_MIDSTREAM) /* no SYN: backscatter, or one way */
			continue;
		if (f->state[i] == SYN_RECEIVED && f->synack_rtx >= at_most(o->value[PARAM_HALF_OPEN_REPEATS], 0xff) &&
		    elapsed(f->since_ns[i], now_ns, o->value[PARAM_HALF_OPEN_AFTER]))
			return FINDING_BIT(HALF_OPEN);
	}
	return 0;
}

/*
 * D2b, RFC 9293 section 3.5.1: the sender of the last segment repeats itself and hears nothing; or the other end has turned
 * out to know nothing of the connection, which stays to be seen as long as a tombstone.
 */
static __always_inline int finds_dead_peer(const struct flow *f, const struct detect_opts *o, const struct track_opts *t,
					   __u64 now_ns)
{
	int x = (f->prev >> 33) & 1, peer = x ^ 1;
	const struct flow_half *mine = &f->half[x], *theirs = &f->half[peer];
	__u32 rtx = prev_field(f->prev, PREV_RTX_SHIFT, PREV_RTX_MAX);
	__u32 probes = prev_field(f->prev, PREV_PROBES_SHIFT, PREV_PROBES_MAX);

	if (flow_gone(f))
		return !!(f->flags & MARK_SILENT);
	if ((f->flags & FLAG_HALFOPEN_DISC) &&
	    !elapsed(f->start_ns, now_ns, t->timeout_ns[TIMEOUT_PEND] + t->timeout_ns[TIMEOUT_GONE]))
		return 1;
	if (!holds_open(f->state[0]) || !holds_open(f->state[1]))
		return 0;
	if (!theirs->pkts || !elapsed(theirs->last_ns, now_ns, o->value[PARAM_DEAD_PEER_SILENCE]))
		return 0; /* never heard: it may be that only this direction passes here */
	if (elapsed(mine->last_ns, now_ns, NOBODY_WAITS_NS))
		return 0; /* it has given up too */
	if (rtx && rtx >= at_most(o->value[PARAM_DEAD_PEER_REPEATS], PREV_RTX_MAX) && seq_lt(theirs->ack, mine->nxt))
		return 1;
	return probes && probes >= at_most(o->value[PARAM_DEAD_PEER_PROBES], PREV_PROBES_MAX);
}

/* D3c and D12: RSTs that do not belong */
static __always_inline __u64 findings_resets(const struct flow *f, const struct detect_opts *o, __u64 now_ns)
{
	__u32 count = (f->flags & MARK_RSTS) >> MARK_RSTS_SHIFT;
	int tw = flow_in(f, TIME_WAIT, TIME_WAIT), gone = flow_gone(f);
	__u64 found = 0, limit;

	if ((f->flags & MARK_ASSASSIN) && (tw || gone))
		found |= FINDING_BIT(TIME_WAIT_ASSASSINATION);
	if ((f->flags & MARK_WENT_ON) && gone)
		found |= FINDING_BIT(RST_INJECTION);
	if (!count || since_ns(f->pend_ms, now_ns) >= INJECTION_KEPT_NS)
		return found;
	if (f->flags & MARK_RSTS_TW) {
		limit = o->value[PARAM_TIME_WAIT_ASSASSINATION_RESETS];
		if (count >= at_most(limit, 3) && (tw || gone))
			found |= FINDING_BIT(TIME_WAIT_ASSASSINATION);
	} else if (count >= at_most(o->value[PARAM_RST_INJECTION_RESETS], 3)) {
		found |= FINDING_BIT(RST_INJECTION);
	}
	return found;
}

/* D13: a SYN into the connection, which its sender then went on with (N5) */
static __always_inline int finds_syn_injection(const struct flow *f, __u64 now_ns)
{
	return !(f->flags & MARK_PEND) && f->pend_ws == PEND_DISOWNED && since_ns(f->pend_ms, now_ns) < INJECTION_KEPT_NS;
}

/* D3d: so many, and on average so many in 10 s from the first repetition to the last */
static __always_inline int finds_fin_storm(const struct flow *f, const struct detect_opts *o, __u64 now_ns)
{
	__u64 fins = at_most(o->value[PARAM_FIN_STORM_FINS], 0xffff), last = flow_last_ns(f), took;
	__u32 first = prev_field(f->prev, PREV_FIN_SHIFT, PREV_FIN_MAX);

	if (!first || f->fin_rtx < fins || elapsed(last, now_ns, FINDING_LATELY_NS))
		return 0;
	took = (__u64)(((__u32)(last >> FIN_UNIT_SHIFT) - first) & PREV_FIN_MAX) << FIN_UNIT_SHIFT;
	return took * fins <= f->fin_rtx * FINDING_LATELY_NS;
}

/* D3e */
static __always_inline int finds_pinning(const struct flow *f, const struct detect_opts *o, const struct track_opts *t,
					 __u64 now_ns)
{
	__u32 restarts = (f->flags & MARK_RESTARTS) >> MARK_RESTARTS_SHIFT, since;
	int i;

	for (i = 0; i < 2; i++) {
		if (f->state[i] != TIME_WAIT)
			continue;
		since = tcp_since(f, i);
		if (restarts > at_most(o->value[PARAM_TIME_WAIT_PINNING_RESTARTS], 6) ||
		    (since && since_ns(since, now_ns) > 4 * t->msl2_ns))
			return 1;
	}
	return 0;
}

/* D4, D5: an application that does not close; idle, so not while data flows the other way */
static __always_inline __u64 findings_half_closed(const struct flow *f, const struct detect_opts *o, __u64 now_ns)
{
	__u64 found = 0, idle_from = flow_last_ns(f);
	int i;

	for (i = 0; i < 2; i++) {
		if (f->state[i] == CLOSE_WAIT && (f->known[i] & KNOWN_CONF) &&
		    elapsed(idle_from, now_ns, o->value[PARAM_CLOSE_WAIT_LEAK_AFTER]))
			found |= FINDING_BIT(CLOSE_WAIT_LEAK);
		if (f->state[i] == FIN_WAIT_2 && elapsed(idle_from, now_ns, o->value[PARAM_FIN_WAIT_2_HANG_AFTER]))
			found |= FINDING_BIT(FIN_WAIT_2_HANG);
	}
	return found;
}

/* D11 and D14: what one end does to the other, or the path to both */
static __always_inline __u64 findings_transfer(const struct flow *f, const struct detect_opts *o, __u64 now_ns)
{
	__u64 found = 0, least = o->value[PARAM_RETRANSMISSION_MIN] ?: 1;
	__u32 since;
	int i;

	for (i = 0; i < 2; i++) {
		since = flow_shut(f, i) ? tcp_since(f, i) : 0;
		if (since && since_ns(since, now_ns) >= o->value[PARAM_ZERO_WINDOW_AFTER] &&
		    !elapsed(flow_last_ns(f), now_ns, NOBODY_WAITS_NS))
			found |= FINDING_BIT(ZERO_WINDOW);
		if (f->rtx[i] >= least && f->rtx[i] * 100ULL > o->value[PARAM_RETRANSMISSION_SHARE] * f->half[i].pkts &&
		    !elapsed(f->half[i].last_ns, now_ns, FINDING_LATELY_NS))
			found |= FINDING_BIT(RETRANSMISSION);
	}
	return found;
}

/* States in which nothing is found without a mark. */
#define QUIET_STATES                                                                                                   \
	(1U << NO_STATE | 1U << CLOSED | 1U << LISTEN | 1U << ESTABLISHED | 1U << FIN_WAIT_1 | 1U << CLOSING |         \
	 1U << LAST_ACK | 1U << TIME_WAIT)
#define TELLING_FLAGS                                                                                                  \
	(MARK_RSTS | MARK_RSTS_TW | MARK_RESTARTS | MARK_ASSASSIN | MARK_WENT_ON | MARK_SILENT | FLAG_HALFOPEN_DISC |  \
	 FLAG_SYN_IN_CONN)

/* 1: flow_findings() would find nothing. What can be told at a glance, of most flows. */
static __always_inline int flow_quiet(const struct flow *f, const struct detect_opts *o, const struct track_opts *t, __u64 now_ns)
{
	__u64 least = o->value[PARAM_RETRANSMISSION_MIN] ?: 1;

	if ((1U << f->state[0] | 1U << f->state[1]) & ~QUIET_STATES)
		return 0;
	if (flow_in(f, TIME_WAIT, TIME_WAIT) && elapsed(f->start_ns, now_ns, 4 * t->msl2_ns))
		return 0;
	return !(f->prev >> PREV_RTX_SHIFT) && !(f->flags & TELLING_FLAGS) && f->win[0] && f->win[1] && f->rtx[0] < least &&
	       f->rtx[1] < least;
}

/* What is found on this flow alone, as FINDING_BIT()s; f need not be locked. now_ns: since the epoch. */
static __always_inline __u64 flow_findings(const struct flow *f, const struct detect_opts *o, const struct track_opts *t,
					   __u64 now_ns)
{
	__u64 found = findings_opening(f, o, now_ns);

	FORGET(found, now_ns);
	if (finds_dead_peer(f, o, t, now_ns))
		found |= FINDING_BIT(DEAD_PEER);
	FORGET(found, now_ns);
	found |= findings_resets(f, o, now_ns);
	FORGET(found, now_ns);
	if (finds_syn_injection(f, now_ns))
		found |= FINDING_BIT(SYN_INJECTION);
	FORGET(found, now_ns);
	if (finds_fin_storm(f, o, now_ns))
		found |= FINDING_BIT(FIN_STORM);
	FORGET(found, now_ns);
	if (finds_pinning(f, o, t, now_ns))
		found |= FINDING_BIT(TIME_WAIT_PINNING);
	FORGET(found, now_ns);
	found |= findings_half_closed(f, o, now_ns);
	FORGET(found, now_ns);
	found |= findings_transfer(f, o, now_ns);
	FORGET(found, now_ns);
	return found;
}

#endif
