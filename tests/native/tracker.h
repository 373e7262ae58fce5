/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One connection, tracked natively: what flow_step() of bpf/flow.h does to one record, without maps, policy, locks and
 * events. It knows no fast path; that of the programs must come to the same.
 */
#ifndef NATIVE_TRACKER_H
#define NATIVE_TRACKER_H

#include <stdbool.h>

#include "tcp_judgement.h"
#include "tcp_opts.h"
#include "tcpward.h"

struct tracker {
	struct track_opts opts;
	struct flow flow; /* while alive; else what is left of the last */
	bool alive;
	struct tcp_judgement j; /* of the last segment */
	unsigned timers;	/* applied by the last look at the clock */
	/* What becomes of an object: NULL, or told of it before it goes. */
	void (*over)(const struct tracker *t, void *ctx);
	void *ctx;
};

void tracker_init(struct tracker *t, const struct track_opts *opts);
/* All that time owes the record until now_ns. */
void tracker_clock(struct tracker *t, __u64 now_ns);
/* One segment, at its own time. Returns enum tcp_outcome; the judgement is in t->j. */
enum tcp_outcome tracker_segment(struct tracker *t, const struct segment *seg);
/* Between: the first half judges, the second writes the judgement into the record. */
void tracker_judge(struct tracker *t, const struct segment *seg);
enum tcp_outcome tracker_commit(struct tracker *t, const struct segment *seg);

#endif
