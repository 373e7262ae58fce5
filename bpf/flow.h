/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One segment, or the clock, against one locked record: time first, then judge -> policy -> commit -> emit.
 */
#ifndef BPF_FLOW_H
#define BPF_FLOW_H

#include "emit.h"
#include "forgotten.h"
#include "policy.h"
#include "tcp_commit.h"
#include "tcp_timer.h"
#include "tcp_track.h"

#define TIMERS_AT_ONCE 6 /* no record owes more than two flags, two ends of TIME-WAIT and its expiry */
#define ONE_WAY_SEGMENTS 16

enum step_result {
	STEP_DEAD, /* nothing worth keeping is left in the record */
	STEP_KEPT,
	STEP_OPEN, /* ... and it belongs into the flow table */
};

static __always_inline void count_flags(__u64 flags)
{
	struct ward_counters *c = counters_get();
	int i;

	if (!c || !flags)
		return;
	for (i = 0; i < FLAG_COUNT; i++)
		if (flags >> i & 1)
			count_one(&c->flag[i]);
}

/*
 * Applies the timer in the owner's scratch, which is due. 0: the record is over. f is locked; its key is that in the scratch.
 * A function of its own to the verifier.
 */
__weak __noinline int apply_timer(struct flow *f, __u32 owner)
{
	struct scratch *sc = scratch_get(owner);
	struct flow_key *key;
	struct tcp_timer *t;
	int side;

	if (!sc || !f)
		return 1;
	t = &sc->timer;
	key = &sc->seg.key;
	side = t->side & 1;

	if (t->kind == TIMER_FLAG) {
		f->flags |= t->flag;
		count_flags(t->flag);
		if (t->flag == FLAG_STALE_SYN)
			account_stale(key, f, t->at_ns);
		if (!event_wanted(sc, EVENT_FLAG))
			return 1;
		event_begin(sc, key, f, EVENT_FLAG, t->at_ns, 1);
		sc->ev.event.flags = t->flag;
		emit(owner, EMIT_PLAIN);
		return 1;
	}
	if (t->kind == TIMER_STATE) { /* C16 */
		int wanted = event_wanted(sc, EVENT_STATE);

		if (wanted)
			event_begin(sc, key, f, EVENT_STATE, t->at_ns, 1);
		f->state[side] = tcp_next(f->state[side], TCP_TIMEOUT_2MSL);
		count_edge(TIME_WAIT, f->state[side]);
		f->known[side] |= KNOWN_CONF;
		f->since_ns[side] = t->at_ns;
		sc->ev.event.state[side] = f->state[side];
		sc->ev.event.conf |= 1 << side;
		if (wanted)
			emit(owner, EMIT_PLAIN);
		if (tcp_gone(f->state[0]) && tcp_gone(f->state[1]) && !f->end_reason)
			emit_end(sc, owner, key, f, END_CLOSED, t->at_ns, 1);
		return 1;
	}
	forgotten_add(key, f);
	if (!f->end_reason)
		emit_end(sc, owner, key, f, END_TIMEOUT, t->at_ns, 1);
	emit_retire(sc, owner, key, f, t->at_ns);
	return 0;
}

/*
 * The steps below are functions of their own, so that the verifier sees each once. They find key and time of the segment
 * (or of the sweep's look) in the owner's scratch; f is locked.
 */

/* The next timer of f, into the owner's scratch. */
__weak __noinline int flow_timer(struct flow *f, __u32 owner)
{
	struct scratch *sc = scratch_get(owner);

	if (sc && f)
		tcp_timer_next(f, track_options(), &sc->timer);
	return 0;
}

/* All that time owes record f until now. 0: the record is over. */
__weak __noinline int flow_timers(struct flow *f, __u32 owner)
{
	struct scratch *sc = scratch_get(owner);
	int i;

	if (!sc || !f)
		return 1;
	for (i = 0; i < TIMERS_AT_ONCE; i++) {
		flow_timer(f, owner);
		if (sc->timer.at_ns > sc->seg.now_ns)
			break;
		if (!apply_timer(f, owner))
			return 0;
	}
	return 1;
}

/* f may be NULL: no record */
__weak __noinline int flow_judge(struct flow *f)
{
	struct scratch *sc = scratch_get(SCRATCH_PACKET);

	if (sc)
		tcp_judge(f, &sc->seg, track_options(), &sc->j);
	return 0;
}

__weak __noinline int flow_commit(struct flow *f)
{
	struct scratch *sc = scratch_get(SCRATCH_PACKET);

	if (sc && f)
		tcp_commit(f, &sc->seg, &sc->j);
	return 0;
}

static __always_inline void count_stray(const struct segment *seg, __u64 flags)
{
	if (flags & FLAG_BADFLAGS)
		bump(CNT_STRAY_BADFLAGS);
	else if (seg->bits & TH_RST)
		bump(CNT_STRAY_RST);
	else
		bump(CNT_STRAY_OTHER);
	account_stray(!!(flags & FLAG_BADFLAGS));
}

/* A ladder is being drawn for this flow: each of its segments is reported. */
static __always_inline void emit_segment(struct scratch *sc, const struct flow *f)
{
	struct ward_control *ctl = control_get();
	const __u64 *a, *b = (const __u64 *)&sc->seg.key;
	struct event_segment *es;
	int i;

	if (!ctl || ctl->ladder_until_ns <= sc->seg.now_ns)
		return;
	a = (const __u64 *)&ctl->ladder;
	for (i = 0; i < 5; i++)
		if (a[i] != b[i])
			return;
	event_begin(sc, &sc->seg.key, f, EVENT_SEGMENT, sc->seg.now_ns, 0);
	es = &((struct event_with_segment *)&sc->ev)->segment;
	es->seq = sc->seg.seq;
	es->ack = sc->seg.ack;
	es->len = sc->seg.len;
	es->segs = sc->seg.segs;
	es->win = sc->seg.win;
	es->bits = sc->seg.bits;
	es->dir = sc->seg.dir;
	es->isn[0] = f->isn[0];
	es->isn[1] = f->isn[1];
	emit(SCRATCH_PACKET, EMIT_SEGMENT);
}

/* Both ends are past the handshake, and it is worth a place: seen both ways, or one way often. */
static __always_inline int belongs_in_table(const struct flow *f)
{
	if (f->state[0] < ESTABLISHED || f->state[1] < ESTABLISHED)
		return 0;
	return (f->half[0].pkts && f->half[1].pkts) || f->half[0].pkts + f->half[1].pkts >= ONE_WAY_SEGMENTS;
}

/* What the segment changed: state, flag, end, in this order. old_states: two states and two conf bits, a byte each. */
__weak __noinline int flow_report(struct flow *f, int fresh, __u32 old_states, __u64 old_flags)
{
	__u8 old_a = old_states, old_b = old_states >> 8, old_conf = old_states >> 16, conf;
	struct scratch *sc = scratch_get(SCRATCH_PACKET);
	__u64 added;
	int moved;

	if (!sc || !f)
		return 0;
	conf = (f->known[0] & KNOWN_CONF) | (f->known[1] & KNOWN_CONF) << 1;
	added = f->flags & ~old_flags & FLAGS_REPORTED;
	if (belongs_in_table(f))
		sc->embryonic = 0;
	moved = fresh || f->state[0] != old_a || f->state[1] != old_b || conf != old_conf;
	if (moved && event_wanted(sc, EVENT_STATE)) {
		event_begin(sc, &sc->seg.key, f, EVENT_STATE, sc->seg.now_ns, 0);
		sc->ev.event.old_state[0] = old_a;
		sc->ev.event.old_state[1] = old_b;
		sc->ev.event.old_conf = old_conf;
		sc->ev.event.first = !!fresh;
		emit(SCRATCH_PACKET, EMIT_PLAIN);
	}
	count_flags(added);
	if (added && event_wanted(sc, EVENT_FLAG)) {
		event_begin(sc, &sc->seg.key, f, EVENT_FLAG, sc->seg.now_ns, 0);
		sc->ev.event.flags = added;
		emit(SCRATCH_PACKET, EMIT_PLAIN);
	}
	if (!fresh && sc->j.ended) {
		count_end(sc->j.ended);
		account_end(&sc->seg.key, f, sc->j.ended); /* what it left is account_step()'s */
		if (event_wanted(sc, EVENT_END)) {
			event_begin(sc, &sc->seg.key, f, EVENT_END, sc->seg.now_ns, 0);
			emit(SCRATCH_PACKET, EMIT_PLAIN);
		}
	}
	emit_segment(sc, f);
	return 0;
}

static __always_inline int tcp_over(__u8 state)
{
	return tcp_gone(state) || state == TIME_WAIT;
}

/* Policy, between judge and commit. Not 0: the segment does not count. */
static __always_inline int policy_step(struct scratch *sc, struct flow *f)
{
	__u32 what = 0;

	if (sc->j.outcome == OUTCOME_STRAY)
		what = POLICY_STRAY;
	else if (sc->j.outcome == OUTCOME_NEW && (sc->j.flags & FLAG_MIDSTREAM))
		what = POLICY_MIDSTREAM;
	else if (sc->j.outcome == OUTCOME_NEW && (sc->seg.bits & (TH_SYN | TH_ACK)) == TH_SYN)
		what = POLICY_OPENS;
	else if (f && (tcp_over(f->state[0]) || tcp_over(f->state[1])))
		what = POLICY_OVER;
	return policy_asks(sc, f, what);
}

/*
 * The segment in scratch against record f, which this program has locked. alive: f holds a flow; else it is free for a new
 * one. Returns enum step_result; the caller unlocks, buries, frees or promotes.
 */
static __always_inline int flow_step(struct scratch *sc, struct flow *f, int alive)
{
	struct tcp_judgement *j = &sc->j;
	__u32 old_states = CLOSED | CLOSED << 8 | 3 << 16, at_once = 0;
	__u64 old_flags = 0;
	int fresh;

	if (alive && !flow_timers(f, SCRATCH_PACKET))
		alive = 0;
	if (alive)
		flow_judge(f);
	else
		flow_judge((struct flow *)0);
	if (policy_step(sc, alive ? f : (struct flow *)0)) /* no state moves */
		return alive ? STEP_KEPT : STEP_DEAD;
	if (j->outcome == OUTCOME_STRAY) {
		count_stray(&sc->seg, j->flags);
		return STEP_DEAD;
	}
	fresh = j->outcome == OUTCOME_NEW;
	if (fresh) {
		bump(CNT_FLOWS_NEW);
		if (j->flags & FLAG_MIDSTREAM)
			bump(CNT_MIDSTREAM_NEW);
	}
	if (alive && fresh) {
		if (j->ended) {
			account_left(&sc->seg.key, f); /* it is closed by the next line */
			tcp_commit_old(f, &sc->seg);
		}
		if (!f->end_reason)
			emit_end(sc, SCRATCH_PACKET, &sc->seg.key, f, j->ended ? j->ended : END_REUSE, sc->seg.now_ns, 0);
		emit_retire(sc, SCRATCH_PACKET, &sc->seg.key, f, sc->seg.now_ns);
	} else if (alive) {
		old_states = f->state[0] | f->state[1] << 8 | (f->known[0] & KNOWN_CONF) << 16 |
			     (f->known[1] & KNOWN_CONF) << 17;
		old_flags = f->flags;
		if (sc->seg.now_ns - f->half[sc->seg.dir & 1].last_ns <= DUPLICATE_NS)
			at_once = STEP_AT_ONCE;
	}
	flow_commit(f);
	policy_mark(sc, f);
	flow_report(f, fresh, old_states, old_flags);
	account_step(sc, f, fresh, old_states | at_once, old_flags);
	return belongs_in_table(f) ? STEP_OPEN : STEP_KEPT;
}

#endif
