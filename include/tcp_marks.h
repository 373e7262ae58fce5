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

/* ---- a window that is shut (RFC 9293 section 3.8.6) ---- */
/* Side i is open and has advertised a window of 0 last. */
static __always_inline int flow_shut(const struct flow *f, int i)
{
	__u8 state = f->state[i & 1];

	return state >= ESTABLISHED && state != TIME_WAIT && (f->known[i & 1] & KNOWN_ACK) && !f->win[i & 1];
}

/*
 * The fast path has shut or opened a window, and nobody has noticed: call flow_shut_update(). Without a lock; reads no more
 * than the fast path does, unless a window is or was shut.
 */
static __always_inline int flow_shut_changed(const struct flow *f)
{
	int i;

	if (f->win[0] && f->win[1] && !(f->phase & PHASE_WATCH))
		return 0;
	for (i = 0; i < 2; i++)
		if (f->state[i] != TIME_WAIT && flow_shut(f, i) != !!tcp_since(f, i))
			return 1;
	return 0;
}

/* Notes since when each window is shut, and sees to it that the sweep goes on looking. f is locked. Returns 1: one is shut. */
static __always_inline __u64 flow_shut_update(struct flow *f, __u64 now_ns)
{
	__u64 shut = 0, last;
	int i;

	for (i = 0; i < 2; i++) {
		if (f->state[i] == TIME_WAIT)
			continue;
		if (!flow_shut(f, i)) {
			tcp_since_set(f, i, 0);
			continue;
		}
		shut = 1;
		last = f->half[i].last_ns; /* that segment said so, whenever it is noticed */
		if (!tcp_since(f, i))
			tcp_since_set(f, i, since_of((__s64)(now_ns - last) < 0 ? now_ns : last));
	}
	if (shut)
		f->phase |= PHASE_WATCH;
	return shut;
}

#endif
