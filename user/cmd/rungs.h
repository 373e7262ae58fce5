/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* rungs: the events of one flow as they are drawn: the end that a segment brings comes below that segment. */
#ifndef CMD_RUNGS_H
#define CMD_RUNGS_H

#include "report/report.h"

struct rungs {
	struct ladder *ladder;
	struct event end; /* waits for its segment: the programs report it first */
	bool held;
};

/* Draws ev, an event of the ladder's flow: segments, ends, and what timers change. */
void rungs_add(struct rungs *r, const struct event *ev, size_t size);
/* Draws what still waits; after each batch of events. */
void rungs_flush(struct rungs *r);

#endif
