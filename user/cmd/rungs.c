/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "cmd/rungs.h"

void rungs_flush(struct rungs *r)
{
	if (r->held)
		ladder_event(r->ladder, &r->end);
	r->held = false;
}

void rungs_add(struct rungs *r, const struct event *ev, size_t size)
{
	if (ev->type == EVENT_SEGMENT && size >= sizeof(struct event_with_segment)) {
		if (r->held && (r->end.ts_ns != ev->ts_ns || r->end.pkt != ev->pkt))
			rungs_flush(r);
		ladder_segment(r->ladder, (const struct event_with_segment *)ev);
		rungs_flush(r);
	} else if (ev->type == EVENT_END && !ev->timer && ev->reason != END_REUSE) {
		rungs_flush(r);
		r->end = *ev;
		r->held = true;
	} else if (ev->type == EVENT_END || ev->timer) {
		rungs_flush(r);
		ladder_event(r->ladder, ev);
	}
}
