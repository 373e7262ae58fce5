/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The numbers of a flow on which something is found (flow_finding.h): since when what is waited for, how often what is
 * repeated. Pure. A hit has room for the numbers of one kind; where a flow shows several, those of the first.
 */
#ifndef FLOW_EVIDENCE_H
#define FLOW_EVIDENCE_H

#include "account.h"
#include "flow_finding.h"

/* When a side that is marked since then was: a window shut, TIME-WAIT. 0: not known. */
static __always_inline __u64 marked_since(const struct flow *f, int i, __u64 now_ns)
{
	__u32 since = tcp_since(f, i);

	return since ? now_ns - since_ns(since, now_ns) : 0;
}

static __always_inline __u64 earlier(__u64 a, __u64 b)
{
	return !a || (b && b < a) ? b : a;
}

/* What its dead peer is known by is not silence: it has said that it knows nothing of the connection. */
static __always_inline int peer_told(const struct flow *f, __u64 now_ns)
{
	return flow_gone(f) || ((f->flags & FLAG_HALFOPEN_DISC) && !elapsed(f->start_ns, now_ns, 30 * NS_PER_S));
}

/* The first of the kinds found: when what it waits for began; 0: nothing is waited for. */
static __always_inline __u64 evidence_since(const struct flow *f, __u64 found, __u64 now_ns)
{
	int orig = f->orig & 1;

	if (found & FINDING_BIT(STALE_SYN))
		return f->since_ns[f->state[0] == SYN_SENT ? 0 : 1];
	if (found & FINDING_BIT(HALF_OPEN))
		return f->since_ns[f->state[0] == SYN_RECEIVED ? 0 : 1];
	if (found & FINDING_BIT(ACCEPT_QUEUE_FULL))
		return f->start_ns; /* the originator's state was entered again with each SYN-ACK */
	if (found & FINDING_BIT(DEAD_PEER))
		return peer_told(f, now_ns) ? 0 : f->half[((f->prev >> 33) & 1) ^ 1].last_ns;
	if (found & FINDING_BIT(TIME_WAIT_PINNING))
		return earlier(f->state[0] == TIME_WAIT ? marked_since(f, 0, now_ns) : 0,
			       f->state[1] == TIME_WAIT ? marked_since(f, 1, now_ns) : 0);
	if (found & (FINDING_BIT(CLOSE_WAIT_LEAK) | FINDING_BIT(FIN_WAIT_2_HANG)))
		return flow_last_ns(f);
	if (found & FINDING_BIT(ZERO_WINDOW))
		return earlier(flow_shut(f, orig) ? marked_since(f, orig, now_ns) : 0,
			       flow_shut(f, orig ^ 1) ? marked_since(f, orig ^ 1, now_ns) : 0);
	return 0;
}

/* The first of the kinds found: how often it was repeated. */
static __always_inline __u32 evidence_count(const struct flow *f, __u64 found, __u64 now_ns)
{
	__u32 rtx = prev_field(f->prev, PREV_RTX_SHIFT, PREV_RTX_MAX);
	__u32 probes = prev_field(f->prev, PREV_PROBES_SHIFT, PREV_PROBES_MAX);

	if (found & FINDING_BIT(STALE_SYN))
		return f->syn_rtx;
	if (found & FINDING_BIT(HALF_OPEN))
		return f->synack_rtx;
	if (found & FINDING_BIT(ACCEPT_QUEUE_FULL))
		return prev_field(f->prev, PREV_SYNACKS_SHIFT, PREV_SYNACKS_MAX);
	if (found & FINDING_BIT(DEAD_PEER))
		return peer_told(f, now_ns) ? 0 : rtx > probes ? rtx : probes;
	if (found & (FINDING_BIT(TIME_WAIT_ASSASSINATION) | FINDING_BIT(RST_INJECTION)))
		return (f->flags & MARK_RSTS) >> MARK_RSTS_SHIFT;
	if (found & FINDING_BIT(FIN_STORM))
		return f->fin_rtx;
	if (found & FINDING_BIT(TIME_WAIT_PINNING))
		return (f->flags & MARK_RESTARTS) >> MARK_RESTARTS_SHIFT;
	if (found & FINDING_BIT(SYN_INJECTION))
		return 1;
	return f->rtx[0] > f->rtx[1] ? f->rtx[0] : f->rtx[1];
}

/* The larger share of its segments that an end sent again, in percent. */
static __always_inline __u8 evidence_share(const struct flow *f)
{
	__u64 most = 0, share;
	int i;

	for (i = 0; i < 2; i++) {
		if (!f->half[i].pkts)
			continue;
		share = f->rtx[i] * 100ULL / f->half[i].pkts;
		if (share > most)
			most = share;
	}
	return most < 100 ? most : 100;
}

static __always_inline void flow_evidence(struct flow_hit *hit, const struct flow *f, __u64 found, __u64 now_ns)
{
	hit->since_ns = evidence_since(f, found, now_ns);
	hit->count = evidence_count(f, found, now_ns);
	hit->share = evidence_share(f);
}

#endif
