/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* ns per packet: the programs of bench.bpf.c over a table filled with established flows. */
#include <stdio.h>
#include <string.h>

#include "bench/bed.h"

#define CALM_ENOUGH 3 /* rounds */

static struct bench_case cases[] = {
	{"empty program", REPEAT, 0, false, false, false, NOTHING, -1, {0}, "bench_empty", 0, {0}, 0, {0}},
	{"empty program, in short runs", SYNS, 0, true, false, false, NOTHING, -1, {0}, "bench_empty", 0, {0}, 0, {0}},
	{"wrapper alone", REPEAT, 0, false, false, false, NOTHING, 1, {0}, "bench_rotate", 0, {0}, 0, {0}},
	{"plain parser + drop", REPEAT, 0, false, false, false, NOTHING, 1, {0}, "bench_drop", 0, {0}, 0, {0}},
	{"wrapper + bpf_ktime_get_ns", REPEAT, 0, false, false, false, NOTHING, 1, {0}, "bench_clock", 0, {0}, 0, {0}},
	{"full inline parser + drop", REPEAT, 0, false, false, false, NOTHING, 1, {0}, "bench_plain", 0, {0}, 0, {0}},
	{"own parser + drop", REPEAT, 0, false, false, false, NOTHING, 1, {0}, "bench_parse", 0, {0}, 0, {0}},
	{"own parser + lookup", REPEAT, 0, false, false, false, NOTHING, 1, {0}, "bench_lookup", 0, {0}, 0, {0}},
	{"established ACK", REPEAT, 0, false, false, false, FAST, 2, {3.8, 8.5, 16}, "bench_ack", 0, {0}, 0, {0}},
	{"established data", REPEAT, 1000, false, false, false, FAST, 2, {3.8, 8.5, 16}, "bench_data", 0, {0}, 0, {0}},
	{"new SYN, no reader", SYNS, 0, true, false, false, NEW, 2, {0}, "bench_syn", 0, {0}, 0, {0}},
	{"new SYN with event", SYNS, 0, true, true, false, NEW, 2, {8.5}, "bench_syn", 0, {0}, 0, {0}},
	{"new SYN with event, fresh source", SYNS, 0, true, true, false, NEW, 2, {0}, "bench_syn_fresh", 0, {0}, 0, {0}},
	{"SYN flood, full embryo table", REPEAT, 0, true, false, true, NEW, 2, {0}, "bench_syn", 0, {0}, 0, {0}},
	{"SYN flood, with reader", REPEAT, 0, true, true, true, NEW, 2, {0}, "bench_syn", 0, {0}, 0, {0}},
	{"SYN flood, fresh sources", REPEAT, 0, true, false, true, NEW, 2, {0}, "bench_syn_fresh", 0, {0}, 0, {0}},
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

/* The median of what was measured while the caches were ours, if that is enough; else the quieter quarter of all. */
static double settled(const struct bench_case *c, int rounds)
{
	double calm[PACKET_ROUNDS];
	int i, n = 0;

	for (i = 0; i < rounds; i++)
		if (c->calm[i])
			calm[n++] = c->ns[i];
	return n >= CALM_ENOUGH ? median(calm, n) : quiet(c->ns, rounds);
}

/* The median of all of them. */
static double middle(const struct bench_case *c, int rounds)
{
	double copy[PACKET_ROUNDS];

	memcpy(copy, c->ns, (size_t)rounds * sizeof(*copy));
	return median(copy, rounds);
}

/* Net of what the run itself costs. */
static double net(const struct bench_case *c, int rounds, double (*statistic)(const struct bench_case *c, int rounds))
{
	return statistic(c, rounds) - statistic(&cases[bed_in_short_runs(c) ? CASE_EMPTY_SHORT : CASE_EMPTY], rounds);
}

static void report(enum bench_size size, int calm)
{
	const char *label = bench_flows[size].label;
	const int rounds = bench_flows[size].beds * bench_flows[size].rounds;
	const struct bench_case *unit = find_case("own parser + drop");
	double base = net(unit, rounds, settled);
	char name[64];
	int i;

	bench_title("packets, %s flows; test_run itself costs %.1f ns, in short runs %.1f ns; the median of parser + drop is %.2f "
		    "of its settled value, of established ACKs %.2f; %d of %d measures had the caches to themselves",
		    label, settled(&cases[CASE_EMPTY], rounds), settled(&cases[CASE_EMPTY_SHORT], rounds),
		    net(unit, rounds, middle) / base,
		    net(find_case("established ACK"), rounds, middle) / net(find_case("established ACK"), rounds, settled), calm,
		    CASES * (rounds + bench_flows[size].beds));
	for (i = CASE_WRAPPER; i < CASES; i++) {
		double ns = net(&cases[i], rounds, settled);

		snprintf(name, sizeof(name), "%s, %s flows", cases[i].name, label);
		result_add(name, ns, "ns", 0, false);
		if (i <= CASE_PLAIN_DROP)
			continue;
		snprintf(name, sizeof(name), "%s, %s flows, ratio", cases[i].name, label);
		result_add(name, ns / base, "x parse+drop", cases[i].goal[size], false);
	}
	snprintf(name, sizeof(name), "fresh sources beside few, %s flows", label);
	result_add(name, net(find_case("new SYN with event, fresh source"), rounds, settled) / net(find_case("new SYN with event"), rounds, settled),
		   "x", size == BENCH_10K ? 1.2 : 0, false);
}

/* Returns how many measures were made while bench_calm(). */
static int run_bed(struct bed *b, double *const ns[], int rounds)
{
	int i, round, calm = 0;
	bool now;

	for (i = 0; i < CASES; i++)
		bed_prepare(b, &cases[i]);
	for (round = -1; round < rounds; round++) { /* the first warms up */
		for (i = 0; i < CASES; i++) {
			double took;

			if (cases[i].payload)
				bed_new_round(b);
			now = bench_wait_calm();
			if (cases[i].flood)
				bed_measure(b, &cases[i]); /* fills the table, and is fair to the caches */
			took = bed_measure(b, &cases[i]);
			now = now && bench_calm(); /* to the end */
			calm += now;
			if (cases[i].payload)
				bed_new_round(b);
			if (round < 0)
				continue;
			ns[i][round] = took;
			cases[i].calm[&ns[i][round] - cases[i].ns] = now;
		}
	}
	return calm;
}

void bench_packets(enum bench_size size)
{
	const struct bench_flows *f = &bench_flows[size];
	struct bed bed[2]; /* the next is made before the last goes: else it would get the same memory */
	double *ns[CASES];
	int i, turn, calm = 0;

	for (turn = 0; turn < f->beds; turn++) {
		bed_open(&bed[turn & 1], f->flows, f->capacity);
		if (turn)
			bed_close(&bed[(turn & 1) ^ 1]);
		for (i = 0; i < CASES; i++)
			ns[i] = cases[i].ns + turn * f->rounds;
		calm += run_bed(&bed[turn & 1], ns, f->rounds);
	}
	bed_close(&bed[(turn & 1) ^ 1]);
	report(size, calm);
}
