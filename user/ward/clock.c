// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * clock: the instance's time is jiffies * tick + an offset that was taken once, when its maps were made.
 *
 * User space cannot read jiffies, so a small program does, and the distance to CLOCK_MONOTONIC_COARSE, which moves with
 * them, is kept. It is taken again now and then: where ticks were lost the two drift apart.
 */
#include <errno.h>
#include <string.h>
#include <time.h>

#include <bpf/bpf.h>

#include "sweep.h"
#include "ward/inside.h"

#define MEASURE_EVERY_NS (60ULL * 1000000000)

static uint64_t read_clock(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

uint64_t clock_tick_ns(void)
{
	struct timespec res = { 0 };

	clock_getres(CLOCK_MONOTONIC_COARSE, &res);
	return res.tv_nsec ? (uint64_t)res.tv_nsec : 4000000;
}

/* jiffies and the coarse clock of one and the same tick */
static int read_pair(const struct ward *w, uint64_t *jiffies, uint64_t *coarse)
{
	struct clock_args args = { 0 };
	LIBBPF_OPTS(bpf_test_run_opts, run, .ctx_in = &args, .ctx_size_in = sizeof(args)); /* and it comes back there */
	int tries;

	for (tries = 0; tries < 5; tries++) {
		*coarse = read_clock(CLOCK_MONOTONIC_COARSE);
		if (bpf_prog_test_run_opts(w->prog[PROG_CLOCK], &run))
			return -errno;
		*jiffies = args.jiffies;
		if (read_clock(CLOCK_MONOTONIC_COARSE) == *coarse)
			break;
	}
	return 0;
}

/* make_offset: the maps are new, the offset to the epoch is taken from the host's clock. */
int clock_measure(struct ward *w, bool make_offset)
{
	uint64_t jiffies = 0, coarse = 0;
	int err = read_pair(w, &jiffies, &coarse);

	if (err)
		return ward_fail(err == -EPERM ? err : -EOPNOTSUPP, err == -EPERM ? REMEDY_ROOT : "",
				 "cannot read the kernel's clock through '%s': %s", ward_prog_names[PROG_CLOCK],
				 strerror(-err));
	if (make_offset) {
		w->plan.created_ns = read_clock(CLOCK_REALTIME_COARSE);
		w->plan.epoch_offset_ns = w->plan.created_ns - jiffies * w->plan.tick_ns;
	}
	w->clock_offset = jiffies * w->plan.tick_ns + w->plan.epoch_offset_ns - coarse;
	w->clock_measured = coarse;
	return 0;
}

uint64_t ward_now_ns(const struct ward *w)
{
	struct ward *self = (struct ward *)w; /* the measure is a cache */
	uint64_t coarse;

	if (w->opt.replay && w->control)
		return w->control->replay_now_ns;
	coarse = read_clock(CLOCK_MONOTONIC_COARSE);
	if (w->prog[PROG_CLOCK] < 0)
		return read_clock(CLOCK_REALTIME_COARSE); /* nothing is loaded yet */
	if (coarse - w->clock_measured > MEASURE_EVERY_NS && clock_measure(self, false))
		self->clock_measured = coarse; /* not permitted: the old one must do */
	return coarse + w->clock_offset;
}

int64_t ward_clock_off_ns(const struct ward *w)
{
	return (int64_t)(read_clock(CLOCK_REALTIME_COARSE) - ward_now_ns(w));
}
