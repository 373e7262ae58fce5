/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What happened to a flow, for the accounts of its service (the responder's address and port) and its source (the
 * originator's address; for segments that fit nothing, their sender's).
 */
#ifndef BPF_ACCOUNT_FLOW_H
#define BPF_ACCOUNT_FLOW_H

#include "accounts.h"
#include "flow_finding.h"
#include "policy.h"

#define SVC(name) (1U << SERVICE_##name)
#define SRC(name) (1U << SOURCE_##name)

/* Nobody sends a SYN again within one tick of the packet path's clock: the network, or the mirror, has doubled it (D14). */
#define DUPLICATE_NS (4 * 1000000ULL)
#define STEP_AT_ONCE (1U << 31) /* with old_states: the segment before of the same end is not older than that */

static __always_inline int data_not_taken(const struct flow *f)
{
	return (f->flags & FLAG_SYN_DATA) && !(f->flags & FLAG_TFO);
}

static __always_inline void count_edge(__u32 from, __u32 to)
{
	struct ward_counters *c = counters_get();
	__u64 at = from * STATE_COUNT + to;

	asm volatile("" : "+r"(at)); /* or the compiler checks another copy than it uses */
	if (c && at < STATE_COUNT * STATE_COUNT)
		count_one(&(&c->edge[0][0])[at]);
}

/* A half-open flow object is over without having moved: its record goes, or is another one's from now on. */
__weak __noinline int account_left(struct flow_key *key, struct flow *f)
{
	if (key && f && flow_half_open(f))
		service_note(key, (f->orig & 1) ^ 1, SVC(HALF_OPEN_LEFT));
	return 0;
}

/* The flow object ended: by a segment, a timer, or for want of room. Its key may not be that of a segment. */
__weak __noinline int account_end(struct flow_key *key, struct flow *f, __u32 why)
{
	__u32 svc = 0, orig;

	if (!key || !f)
		return 0;
	orig = f->orig & 1;
	if (f->phase & PHASE_CLOSED) /* all has been said: a RST into TIME-WAIT aborts nothing */
		return 0;
	if (why == END_CLOSED)
		svc = SVC(CLOSED);
	else if (why == END_RESET && (f->flags & FLAG_MIDSTREAM) && (f->flags & FLAG_NO_TCB))
		return 0; /* a stray ACK, and the answer that nobody knows of a connection */
	else if (why == END_RESET)
		svc = SVC(RESET);
	else if (why == END_TIMEOUT)
		svc = SVC(TIMED_OUT);
	else if (why == END_EVICTED)
		svc = SVC(EVICTED);
	if (flow_half_open(f))
		svc |= SVC(HALF_OPEN_LEFT);
	if (svc)
		service_note(key, orig ^ 1, svc);
	return 0;
}

/* Nobody answered the SYN for so long. */
static __always_inline void account_stale(struct flow_key *key, const struct flow *f, __u64 now)
{
	source_note(key, f->orig & 1, SRC(STALE) | SRC(FAILED) | (data_not_taken(f) ? SRC(SYN_DATA) : 0), now, 0);
}

/*
 * How the handshake went on: masks of counters of its service. answered - completed - half-open-left is the half-open gauge, so
 * these are made of the same condition. was, is: the responder's end.
 */
static __always_inline __u32 handshake_moved(__u32 was_half_open, __u32 is_half_open, __u8 was, __u8 is)
{
	if (is_half_open != was_half_open) {
		if (is_half_open)
			return SVC(ANSWERED); /* again after ESTABLISHED?, where the application does not accept (T61) */
		return is >= ESTABLISHED ? SVC(COMPLETED) : SVC(HALF_OPEN_LEFT);
	}
	if (was == LISTEN && is >= ESTABLISHED) /* its SYN-ACK was not seen */
		return SVC(ANSWERED) | SVC(COMPLETED);
	return 0;
}

/* What the sender did: it counts against its address, whichever end it is. */
static __always_inline __u32 sender_did(const struct scratch *sc, const struct flow *f, int fresh)
{
	__u32 did = 0, other = (sc->seg.dir & 1) ^ 1;
	__u64 flags = sc->j.flags;

	if (flags & FLAG_BADFLAGS)
		did |= SRC(BAD_FLAGS) | SRC(FAILED);
	if ((flags & FLAG_OOS) || (fresh && (flags & FLAG_MIDSTREAM) && !sc->seg.len && !(sc->seg.bits & TH_SYN)))
		did |= SRC(OUT_OF_STATE);
	/* presumed TIME-WAIT is no more than a FIN without an answer: its receiver may be gone */
	if (sc->j.fin_rtx && f->state[other] == TIME_WAIT && (f->known[other] & KNOWN_CONF))
		did |= SRC(FIN_RTX);
	return did;
}

/*
 * Both ends have closed as soon as one is in TIME-WAIT and the other in it too or CLOSED. That TIME-WAIT ends a minute later
 * is nothing that a service did: closes would be compared with resets of another minute.
 */
static __always_inline void tally_close(struct scratch *sc, struct flow *f, int fresh)
{
	__u8 a = f->state[0], b = f->state[1];

	if (fresh)
		f->phase &= ~PHASE_CLOSED;
	if ((f->phase & PHASE_CLOSED) || !flow_in(f, TIME_WAIT, TIME_WAIT))
		return;
	if ((a != TIME_WAIT && a != CLOSED) || (b != TIME_WAIT && b != CLOSED))
		return;
	f->phase |= PHASE_CLOSED;
	sc->svc |= SVC(CLOSED);
}

/*
 * The masks are made in scratch, piece by piece: in registers the verifier would follow each combination of bits.
 */
static __always_inline void tally_moves(struct scratch *sc, struct flow *f, int fresh, __u32 old_states)
{
	__u32 orig = f->orig & 1, was, is = f->state[orig ^ 1];

	was = old_states >> (8 * (orig ^ 1)) & 0xff;
	/* not of a SYN-ACK that nobody asked for; and O16: who has not said a word has answered nothing */
	if (!(f->flags & FLAG_MIDSTREAM) && (was != LISTEN || f->half[orig ^ 1].pkts))
		sc->svc |= handshake_moved(states_half_open(old_states, old_states >> 8), flow_half_open(f), was, is);
	if (was != is)
		count_edge(was, is);
	was = old_states >> (8 * orig) & 0xff;
	if (was != f->state[orig])
		count_edge(was, f->state[orig]);
	if (fresh && (sc->seg.opts & SEG_COOKIE)) { /* all that its SYN would have counted for */
		sc->svc |= SVC(NEW) | SVC(ANSWERED) | SVC(COMPLETED);
		sc->src |= SRC(NEW);
	}
	if (fresh && f->state[orig] == SYN_SENT) {
		sc->svc |= SVC(NEW);
		sc->src |= SRC(NEW);
	}
	if (sc->svc & SVC(COMPLETED))
		sc->src |= SRC(COMPLETED) | (f->win[orig] || !(f->known[orig] & KNOWN_ACK) ? 0 : SRC(SHUT));
	tally_close(sc, f, fresh);
	if ((sc->svc & SVC(ANSWERED)) && data_not_taken(f))
		sc->src |= SRC(SYN_DATA);
}

static __always_inline void tally_flags(struct scratch *sc, const struct flow *f, __u64 old_flags, __u32 at_once)
{
	__u64 added = f->flags & ~old_flags;

	if (sc->j.syn_rtx && !at_once) {
		sc->svc |= SVC(SYN_RTX);
		sc->src |= SRC(SYN_RTX);
	}
	if (sc->j.synack_rtx && !at_once)
		sc->svc |= SVC(SYNACK_RTX);
	if (sc->j.rtx)
		sc->svc |= SVC(RTX);
	if (added & FLAG_REFUSED) {
		sc->svc |= SVC(REFUSED);
		sc->src |= SRC(REFUSED) | SRC(FAILED);
	}
	if (added & FLAG_RESET)
		sc->src |= SRC(RESET);
	if (added & FLAG_HIST_SYN)
		sc->src |= SRC(FAILED);
	if (added & FLAG_ASYM)
		sc->src |= SRC(ONE_WAY);
	if (sc->j.flags & (FLAG_TW_REUSE | FLAG_TW_SYN_OLD))
		sc->src |= SRC(TIME_WAIT_REUSE);
}

/*
 * The handshake is over, or was given up: nothing that a limit counts is half-open. Where no answers are seen, the originator's
 * ACK must do; a forger may send it too, but else every client would be half-open for good.
 */
static __always_inline int is_settled(const struct scratch *sc, const struct flow *f, __u32 old_states)
{
	__u32 responder = (f->orig & 1) ^ 1, was = old_states >> (8 * responder) & 0xff;

	if (sc->svc & (SVC(COMPLETED) | SVC(REFUSED) | SVC(HALF_OPEN_LEFT)))
		return 1;
	return ingress_only && !(f->flags & FLAG_MIDSTREAM) && was == LISTEN && f->state[responder] >= ESTABLISHED;
}

/*
 * The segment in scratch was committed to f: what is to be counted goes into scratch. Arguments as for flow_report(), but for
 * STEP_AT_ONCE. The three parts of account_step() are functions of their own, called one after the other: frames are few.
 */
__weak __noinline int account_tally(struct flow *f, int fresh, __u32 old_states, __u64 old_flags)
{
	struct scratch *sc = scratch_get(SCRATCH_PACKET);

	if (!sc || !f)
		return 0;
	*(volatile __u32 *)&sc->svc = 0;
	*(volatile __u32 *)&sc->src = 0;
	tally_moves(sc, f, fresh, old_states);
	tally_flags(sc, f, old_flags, old_states & STEP_AT_ONCE);
	sc->did = sender_did(sc, f, fresh);
	if (sc->did & SRC(OUT_OF_STATE))
		sc->svc |= SVC(OUT_OF_STATE);
	return 0;
}

/* ... and is counted. */
__weak __noinline int account_note(struct flow *f, int fresh, __u32 old_states)
{
	struct scratch *sc = scratch_get(SCRATCH_PACKET);
	__u32 orig, side;

	if (!sc || !f)
		return 0;
	orig = f->orig & 1;
	side = sc->seg.dir & 1;
	if (sc->svc)
		service_note(&sc->seg.key, orig ^ 1, sc->svc);
	if (is_settled(sc, f, old_states))
		policy_settled(&sc->seg.key, orig, f->start_ns);
	if (side == orig)
		sc->src |= sc->did;
	if (sc->src)
		source_note(&sc->seg.key, orig, sc->src, sc->seg.now_ns, 0);
	if (side != orig && sc->did)
		source_note(&sc->seg.key, side, sc->did, sc->seg.now_ns, 0);
	if (fresh && (sc->seg.bits & (TH_SYN | TH_ACK)) == (TH_SYN | TH_ACK)) /* its receiver did not ask, as far as is known */
		source_note(&sc->seg.key, side ^ 1, SRC(UNASKED), sc->seg.now_ns, 0);
	return 0;
}

static __always_inline void account_step(struct scratch *sc, struct flow *f, int fresh, __u32 old_states, __u64 old_flags)
{
	account_tally(f, fresh, old_states, old_flags);
	if (sc->svc & SVC(ANSWERED))
		service_make(&sc->seg.key, (f->orig & 1) ^ 1, sc->seg.now_ns);
	account_note(f, fresh, old_states);
}

/* The segment in scratch belongs to no flow, and makes none. */
__weak __noinline int account_stray(int bad_flags)
{
	struct scratch *sc = scratch_get(SCRATCH_PACKET);
	__u32 side;

	if (!sc)
		return 0;
	side = sc->seg.dir & 1;
	service_note(&sc->seg.key, side ^ 1, SVC(OUT_OF_STATE));
	source_note(&sc->seg.key, side, bad_flags ? SRC(BAD_FLAGS) | SRC(FAILED) : SRC(OUT_OF_STATE), sc->seg.now_ns, 0);
	return 0;
}

#endif
