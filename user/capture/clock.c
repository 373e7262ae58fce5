/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "capture/capture.h"

/* One stray old packet must not push all later ones into the future: does ts fit the offset before the last step? */
static bool fits_before(const struct capture_clock *clock, uint64_t ts_ns)
{
	uint64_t then = ts_ns + clock->before_ns, now = ts_ns + clock->offset_ns;

	return clock->offset_ns != clock->before_ns && then + CAPTURE_REORDER_NS >= clock->now_ns && then < now;
}

uint64_t capture_clock_tick(struct capture_clock *clock, uint64_t ts_ns)
{
	uint64_t t;

	if (fits_before(clock, ts_ns))
		clock->offset_ns = clock->before_ns;
	t = ts_ns + clock->offset_ns;
	if (!clock->started || t >= clock->now_ns) {
		clock->started = true;
		return clock->now_ns = t;
	}
	if (clock->now_ns - t <= CAPTURE_REORDER_NS) {
		clock->reordered++;
		return clock->now_ns;
	}
	clock->before_ns = clock->offset_ns;
	clock->offset_ns += clock->now_ns - t;
	clock->rebased++;
	return clock->now_ns;
}
