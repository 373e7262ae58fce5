/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What flow_quiet() passes at a glance, flow_findings() finds nothing on: over random records that are nearly quiet. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "flow_finding.h"

#define RECORDS 3000000

static uint64_t seed = 7;

static uint64_t any(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

static void random_flow(struct flow *f, uint64_t now)
{
	int i;

	memset(f, 0, sizeof(*f));
	for (i = 0; i < 2; i++) {
		f->state[i] = (enum tcp_state)(any() % STATE_COUNT);
		f->known[i] = (uint8_t)any();
		f->win[i] = any() % 8 ? 64240 : 0;
		f->half[i].pkts = any() % 100;
		f->half[i].nxt = 1000 + any() % 3;
		f->half[i].ack = 1000 + any() % 3;
		f->half[i].last_ns = now - any() % (400 * NS_PER_S);
		f->since_ns[i] = now - any() % (400 * NS_PER_S);
		f->rtx[i] = any() % 4 ? 0 : any() % 60;
		f->fin[i] = any() % 4 ? 0 : (uint32_t)(now >> 20) - any() % 300000;
		f->contig[i] = any() % 4 ? 0 : (uint32_t)(now >> 20) - any() % 300000;
	}
	f->start_ns = f->since_ns[0] < f->since_ns[1] ? f->since_ns[0] : f->since_ns[1];
	for (i = 0; i < 2; i++) /* nothing began before the flow */
		if ((__s32)(f->fin[i] - (__u32)(f->start_ns >> 20)) < 0)
			f->fin[i] = f->contig[i] = 0;
		else if ((__s32)(f->contig[i] - (__u32)(f->start_ns >> 20)) < 0)
			f->contig[i] = 0;
	f->flags = any() % 4 ? 1ULL << any() % 64 : 0;
	f->prev = (any() & 0x3ffffffffULL) | (any() % 2 ? any() << PREV_RTX_SHIFT : 0);
	f->orig = any() & 1;
	f->fin_rtx = any() % 30;
	f->syn_rtx = any() % 8;
	f->synack_rtx = any() % 8;
	f->pend_ms = (uint32_t)(now >> 20) - any() % 80000;
	f->pend_ws = any() % 4 ? 0 : (uint8_t)any() % 18;
	f->phase = PHASE_LIVE | (any() & PHASE_WATCH);
}

static void quiet_means_nothing(void **state)
{
	const uint64_t now = 1700000000ULL * NS_PER_S;
	long quiet = 0, found = 0, i;
	struct track_opts track;
	struct detect_opts opts;
	struct flow f;

	(void)state;
	track_opts_init(&track);
	detect_opts_init(&opts);
	for (i = 0; i < RECORDS; i++) {
		random_flow(&f, now);
		if (flow_quiet(&f, &opts, &track, now)) {
			quiet++;
			if (flow_findings(&f, &opts, &track, now))
				fail_msg("states %d %d flags %#llx: quiet, but %#llx is found", f.state[0], f.state[1],
					 (unsigned long long)f.flags,
					 (unsigned long long)flow_findings(&f, &opts, &track, now));
		} else if (flow_findings(&f, &opts, &track, now)) {
			found++;
		}
	}
	print_message("%ld quiet, something found on %ld\n", quiet, found);
	assert_true(quiet > RECORDS / 20);
	assert_true(found > RECORDS / 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(quiet_means_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
