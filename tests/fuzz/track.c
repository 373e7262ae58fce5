// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The tracker (include/tcp_*.h) over any sequence of segments and steps of the clock. The input is a script: a head (options,
 * initial sequence numbers), then six bytes a segment, whose numbers are chosen relative to what the record holds, so that
 * they come near all borders. After every segment and every timer:
 *
 * - states move along the edges of tcp_fsm.h, or by a jump that docs/tracker.md has a row for (jumps[] below)
 * - packets and bytes of the sender grow by the segment, all else that counts never falls; nxt, ack and redge only go forward
 *   (but for a SYN or SYN-ACK that begins an end anew, and SYN data that was not taken)
 * - judging writes nothing; garbage in the judgement before does not matter
 * - with sides A and B exchanged the record is the same with its sides exchanged
 * - with other initial sequence numbers it is the same but for those numbers (no comparison but in serial arithmetic)
 * - a record that nobody looks at until the next segment is the same as one whose timers are applied as they come
 * - the fast path of the programs does what the slow one does
 * - a plain SYN that was kept in one cache line becomes the record that judge and commit make of it
 *
 * With the head's first bit it begins with an honest connection, and what follows comes from somebody who can forge addresses
 * but does not see the segments: see attack.h.
 *
 * Each of this can fail: tests/fuzz/selftest plants mistakes that it must find.
 */
#include <string.h>

#include "embryo.h"
#include "fuzz/attack.h"
#include "fuzz/edges.h"
#include "fuzz/fuzz.h"
#include "native/native.h"
#include "native/record.h"
#include "native/script.h"
#include "native/tracker.h"
#include "tcp_timer.h"

#define START_NS (1700000000ULL * NS_PER_S)
#define STEPS_MAX 400

/* The same connection, told in five ways. */
struct quintet {
	struct tracker t;      /* as it is */
	struct tracker mirror; /* A is B */
	struct tracker moved;  /* by[], added to each side's sequence numbers */
	struct tracker late;   /* the clock is looked at by segments only */
	__u32 by[2];
};

static void begin(struct quintet *q, const struct track_opts *opts)
{
	tracker_init(&q->t, opts);
	tracker_init(&q->mirror, opts);
	tracker_init(&q->moved, opts);
	tracker_init(&q->late, opts);
}

static void record_same(const struct flow *a, const struct flow *b, const char *what)
{
	char text[120];

	if (record_differs(a, b, text))
		MUST(!"the same", "%s: %s", what, text);
}

static void same_but_exchanged(const struct quintet *q)
{
	struct flow f = q->mirror.flow;

	MUST(q->t.alive == q->mirror.alive, "exchanged, one of them lives");
	if (!q->t.alive)
		return;
	record_exchange(&f);
	record_same(&q->t.flow, &f, "exchanged");
}

static void same_but_moved(const struct quintet *q)
{
	struct flow f = q->moved.flow, want = q->t.flow;
	__u32 none[2] = { 0, 0 }, back[2] = { -q->by[0], -q->by[1] };

	MUST(q->t.alive == q->moved.alive, "moved, one of them lives");
	if (!q->t.alive)
		return;
	record_shift(&f, back);
	record_shift(&want, none);
	record_same(&want, &f, "moved");
}

/* ---- one segment ---- */
/* A plain SYN of no flow waits in one cache line. */
static void check_embryo(const struct tracker *t, const struct segment *seg)
{
	struct flow f = { .phase = PHASE_LIVE };
	struct syn s;

	if ((seg->bits & (TH_SYN | TH_ACK | TH_RST | TH_FIN)) != TH_SYN || seg->len)
		return;
	syn_open(&s, seg);
	MUST(syn_has_key(&s, &seg->key), "the key of a SYN at rest");
	MUST((syn_word(&s) & 0xffffffffffULL) == (*(const __u64 *)&t->flow & 0xffffffffffULL), "states of a SYN at rest");
	syn_expand(&s, &f);
	record_same(&t->flow, &f, "a SYN at rest");
}

/* The programs would take it by the fast path: what the slow one has made of it must be the same. */
static void check_fast(const struct flow *before, const struct tracker *t, const struct segment *seg)
{
	struct flow fast = *before, slow = t->flow;

	if (!native_fast(&fast, seg, &t->opts))
		return;
	MUST(t->j.outcome == OUTCOME_UPDATE && !t->j.ended, "the fast path took what is no update");
	record_forget(&fast, seg->now_ns);
	record_of_fast(&fast);
	record_of_fast(&slow);
	record_same(&slow, &fast, "the fast path");
}

static void check_judge_is_pure(struct tracker *t, const struct segment *seg)
{
	struct tracker other = *t;
	struct flow before;

	tracker_clock(t, seg->now_ns);
	before = t->flow;
	memset(&t->j, 0xa5, sizeof(t->j));
	tracker_judge(t, seg);
	MUST(!memcmp(&before, &t->flow, sizeof(before)), "the judge has written");
	memset(&other.j, 0x5a, sizeof(other.j));
	tracker_segment(&other, seg);
	tracker_commit(t, seg);
	MUST(other.alive == t->alive, "another judgement by what was in memory");
	record_same(&t->flow, &other.flow, "by what was in memory");
}

static void one_segment(struct quintet *q, struct segment seg)
{
	struct segment again = seg;
	struct flow before;
	bool lived;

	tracker_clock(&q->t, seg.now_ns);
	MUST(q->t.timers <= 6, "%u timers at once: TIMERS_AT_ONCE of bpf/flow.h", q->t.timers);
	before = q->t.flow;
	lived = q->t.alive;
	check_judge_is_pure(&q->t, &seg);
	trace(&q->t, &seg);
	check_moves(lived ? &before : NULL, &q->t, &seg);
	if (lived)
		check_fast(&before, &q->t, &seg);
	else if (q->t.alive)
		check_embryo(&q->t, &seg);

	tracker_segment(&q->late, &seg);
	MUST(q->late.alive == q->t.alive, "looked at late, one of them lives");
	if (q->t.alive)
		record_same(&q->t.flow, &q->late.flow, "looked at late");
	again.dir ^= 1;
	tracker_segment(&q->mirror, &again);
	same_but_exchanged(q);
	again = seg;
	again.seq += q->by[seg.dir];
	if (seg.bits & TH_ACK)
		again.ack += q->by[!seg.dir];
	tracker_segment(&q->moved, &again);
	same_but_moved(q);
}

static void one_look(struct quintet *q, __u64 now_ns)
{
	struct flow before = q->t.flow;
	bool lived = q->t.alive;

	tracker_clock(&q->t, now_ns);
	tracker_clock(&q->mirror, now_ns);
	tracker_clock(&q->moved, now_ns);
	if (lived && q->t.alive)
		check_timers(&before, &q->t.flow);
	same_but_exchanged(q);
	same_but_moved(q);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes in = { data, size };
	uint8_t head = take8(&in);
	struct track_opts opts;
	struct script script;
	struct quintet q;
	int i;

	track_opts_init(&opts);
	if (head & 1) {
		attack(&in, head);
		return 0;
	}
	opts.tap = head >> 1 & 1;
	opts.rfc1337 = head >> 2 & 1;
	opts.loose = !(head >> 3 & 1);
	if (head >> 4 & 1)
		opts.msl2_ns = 240 * NS_PER_S;
	q.by[0] = take32(&in);
	q.by[1] = take32(&in);
	begin(&q, &opts);
	script_begin(&script, &in, START_NS);
	for (i = 0; in.left && i < STEPS_MAX; i++) {
		struct segment seg;

		if (script_next(&script, &q.t, &seg))
			one_segment(&q, seg);
		else
			one_look(&q, script.now_ns);
	}
	return 0;
}
