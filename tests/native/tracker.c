// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "native/tracker.h"

#include <string.h>

#include "tcp_commit.h"
#include "tcp_timer.h"
#include "tcp_track.h"

void tracker_init(struct tracker *t, const struct track_opts *opts)
{
	struct track_opts own = *opts; /* it may be t's own */

	memset(t, 0, sizeof(*t));
	t->opts = own;
}

static void over(struct tracker *t)
{
	if (t->over)
		t->over(t, t->ctx);
}

void tracker_clock(struct tracker *t, __u64 now_ns)
{
	struct flow *f = &t->flow;
	struct tcp_timer due;

	t->timers = 0;
	while (t->alive) {
		tcp_timer_next(f, &t->opts, &due);
		if (due.at_ns > now_ns)
			break;
		t->timers++;
		if (due.kind == TIMER_FLAG) {
			f->flags |= due.flag;
		} else if (due.kind == TIMER_STATE) { /* C16 */
			f->state[due.side] = tcp_next(f->state[due.side], TCP_TIMEOUT_2MSL);
			f->known[due.side] |= KNOWN_CONF;
			f->since_ns[due.side] = due.at_ns;
			if (tcp_gone(f->state[0]) && tcp_gone(f->state[1]) && !f->end_reason)
				f->end_reason = END_CLOSED;
		} else {
			if (!f->end_reason)
				f->end_reason = END_TIMEOUT;
			over(t);
			t->alive = false;
		}
	}
}

void tracker_judge(struct tracker *t, const struct segment *seg)
{
	tracker_clock(t, seg->now_ns);
	tcp_judge(t->alive ? &t->flow : NULL, seg, &t->opts, &t->j);
}

enum tcp_outcome tracker_commit(struct tracker *t, const struct segment *seg)
{
	if (t->j.outcome == OUTCOME_STRAY)
		return OUTCOME_STRAY;
	if (t->j.outcome == OUTCOME_NEW && t->alive) {
		if (t->j.ended)
			tcp_commit_old(&t->flow, seg);
		if (!t->flow.end_reason)
			t->flow.end_reason = t->j.ended ? (enum ward_end_reason)t->j.ended : END_REUSE;
		over(t);
	}
	if (!t->alive)
		t->flow.phase = 0; /* another record, or the same again */
	t->flow.phase |= PHASE_LIVE;
	tcp_commit(&t->flow, seg, &t->j);
	t->alive = true;
	return t->j.outcome;
}

enum tcp_outcome tracker_segment(struct tracker *t, const struct segment *seg)
{
	tracker_judge(t, seg);
	return tracker_commit(t, seg);
}
