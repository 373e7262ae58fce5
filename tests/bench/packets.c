/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* ns per packet: the programs of bench.bpf.c over a table filled with established flows. */
#include <stdio.h>
#include <string.h>

#include "bench/bed.h"

static struct bench_case cases[] = {
	{"empty program", REPEAT, 0, false, false, false, NOTHING, -1, 0, "bench_empty", 0, {0}, 0},
	{"empty program, in short runs", SYNS, 0, true, false, false, NOTHING, -1, 0, "bench_empty", 0, {0}, 0},
	{"wrapper alone", REPEAT, 0, false, false, false, NOTHING, 1, 0, "bench_rotate", 0, {0}, 0},
	{"plain parser + drop", REPEAT, 0, false, false, false, NOTHING, 1, 0, "bench_drop", 0, {0}, 0},
	{"wrapper + bpf_ktime_get_ns", REPEAT, 0, false, false, false, NOTHING, 1, 0, "bench_clock", 0, {0}, 0},
	{"full inline parser + drop", REPEAT, 0, false, false, false, NOTHING, 1, 0, "bench_plain", 0, {0}, 0},
	{"own parser + drop", REPEAT, 0, false, false, false, NOTHING, 1, 0, "bench_parse", 0, {0}, 0},
	{"own parser + lookup", REPEAT, 0, false, false, false, NOTHING, 1, 0, "bench_lookup", 0, {0}, 0},
	{"established ACK", REPEAT, 0, false, false, false, FAST, 2, 4.5, "bench_ack", 0, {0}, 0},
	{"established data", REPEAT, 1000, false, false, false, FAST, 2, 4.5, "bench_data", 0, {0}, 0},
	{"new SYN, no reader", SYNS, 0, true, false, false, NEW, 2, 0, "bench_syn", 0, {0}, 0},
	{"new SYN with event", SYNS, 0, true, true, false, NEW, 2, 11, "bench_syn", 0, {0}, 0},
	{"new SYN with event, fresh source", SYNS, 0, true, true, false, NEW, 2, 0, "bench_syn_fresh", 0, {0}, 0},
	{"SYN flood, full embryo table", REPEAT, 0, true, false, true, NEW, 2, 0, "bench_syn", 0, {0}, 0},
	{"SYN flood, with reader", REPEAT, 0, true, true, true, NEW, 2, 0, "bench_syn", 0, {0}, 0},
	{"SYN flood, fresh sources", REPEAT, 0, true, false, true, NEW, 2, 0, "bench_syn_fresh", 0, {0}, 0},
};
#define CASES (int)(sizeof(cases) / sizeof(*cases))
enum { CASE_EMPTY, CASE_EMPTY_SHORT, CASE_WRAPPER, CASE_PLAIN_DROP };

static struct bench_case *find_case(const char *name)
{
	int i;

	for (i = 0; i < CASES && strcmp(cases[i].name, name); i++)
		;
	if (i == CASES)
		bench_die("no case '%s'", name);
	return &cases[i];
}

void bench_packets(unsigned flows, unsigned capacity, const char *label, bool gated)
{
	double floor, short_floor, base;
	struct bed b;
	int i, round;
	char name[64];

	bed_open(&b, flows, capacity);
	for (i = 0; i < CASES; i++)
		bed_prepare(&b, &cases[i]);
	for (round = -1; round < ROUNDS; round++) { /* the first warms up */
		for (i = 0; i < CASES; i++) {
			double ns;

			if (cases[i].payload)
				bed_new_round(&b);
			if (cases[i].flood)
				bed_measure(&b, &cases[i]); /* fills the table, and is fair to the caches */
			ns = bed_measure(&b, &cases[i]);
			if (cases[i].payload)
				bed_new_round(&b);
			if (round >= 0)
				cases[i].ns[round] = ns;
		}
	}
	floor = median(cases[CASE_EMPTY].ns, ROUNDS);
	short_floor = median(cases[CASE_EMPTY_SHORT].ns, ROUNDS);
	base = median(find_case("own parser + drop")->ns, ROUNDS) - floor;
	bench_title("packets, %s flows in a table of %u; test_run itself costs %.1f ns, in short runs %.1f ns", label, capacity,
		    floor, short_floor);
	for (i = CASE_WRAPPER; i < CASES; i++) {
		double ns = median(cases[i].ns, ROUNDS) - (bed_in_short_runs(&cases[i]) ? short_floor : floor);

		snprintf(name, sizeof(name), "%s, %s flows", cases[i].name, label);
		result_add(name, ns, "ns", 0, false);
		if (i <= CASE_PLAIN_DROP)
			continue;
		snprintf(name, sizeof(name), "%s, %s flows, ratio", cases[i].name, label);
		result_add(name, ns / base, "x parse+drop", gated ? cases[i].goal : 0, false);
	}
	snprintf(name, sizeof(name), "fresh sources beside few, %s flows", label);
	result_add(name, (find_case("new SYN with event, fresh source")->ns[ROUNDS / 2] - short_floor) /
				 (find_case("new SYN with event")->ns[ROUNDS / 2] - short_floor),
		   "x", gated ? 1.2 : 0, false); /* median() has sorted them */
	bed_close(&b);
}
