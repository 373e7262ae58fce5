/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* ns per packet: the programs of bench.bpf.c over a table filled with established flows. */
#include <stdio.h>
#include <string.h>

#include "bench/bed.h"

static struct bench_case cases[] = {
	{ "empty program", .repeat = REPEAT, .verdict = -1, .prog = "bench_empty" },
	{ "empty program, in short runs", .repeat = SYNS, .syn = true, .verdict = -1, .prog = "bench_empty" },
	{ "wrapper alone", .repeat = REPEAT, .verdict = 1, .prog = "bench_rotate" },
	{ "plain parser + drop", .repeat = REPEAT, .verdict = 1, .prog = "bench_drop" },
	{ "wrapper + bpf_ktime_get_ns", .repeat = REPEAT, .verdict = 1, .prog = "bench_clock" },
	{ "full inline parser + drop", .repeat = REPEAT, .verdict = 1, .prog = "bench_plain" },
	{ "own parser + drop", .repeat = REPEAT, .verdict = 1, .prog = "bench_parse" },
	{ "own parser + lookup", .repeat = REPEAT, .verdict = 1, .prog = "bench_lookup" },
	{ "established ACK", .repeat = REPEAT, .effect = FAST, .verdict = 2, .goal = { 3.8, 8.5, 16 }, .prog = "bench_ack" },
	{ "established data", .repeat = REPEAT, .payload = 1000, .effect = FAST, .verdict = 2, .goal = { 3.8, 8.5, 16 },
	  .prog = "bench_data" },
	{ "new SYN, no reader", .repeat = SYNS, .syn = true, .effect = NEW, .verdict = 2, .prog = "bench_syn" },
	{ "new SYN with event", .repeat = SYNS, .syn = true, .reader = true, .effect = NEW, .verdict = 2, .goal = { 8.5 },
	  .prog = "bench_syn" },
	{ "new SYN with event, fresh source", .repeat = SYNS, .syn = true, .reader = true, .effect = NEW, .verdict = 2,
	  .prog = "bench_syn_fresh" },
	{ "SYN flood, full embryo table", .repeat = REPEAT, .syn = true, .flood = true, .effect = NEW, .verdict = 2,
	  .prog = "bench_syn" },
	{ "SYN flood, with reader", .repeat = REPEAT, .syn = true, .reader = true, .flood = true, .effect = NEW, .verdict = 2,
	  .prog = "bench_syn" },
	{ "SYN flood, fresh sources", .repeat = REPEAT, .syn = true, .flood = true, .effect = NEW, .verdict = 2, .prog = "bench_syn_fresh" },
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

/* The median of all rounds, calm or not. */
static double middle(const struct bench_case *c)
{
	double copy[PACKET_ROUNDS];

	memcpy(copy, c->ns, (size_t)c->rounds * sizeof(*copy));
	return median(copy, c->rounds);
}

/* Net of what the run itself costs. */
static double net(const struct bench_case *c, double (*statistic)(const struct bench_case *c))
{
	return statistic(c) - statistic(&cases[bed_in_short_runs(c) ? CASE_EMPTY_SHORT : CASE_EMPTY]);
}

static void report(enum bench_size size)
{
	const char *label = bench_flows[size].label;
	const struct bench_case *unit = find_case("own parser + drop"), *ack = find_case("established ACK");
	double base = net(unit, bed_settled);
	char name[64];
	int i, calm = 0;

	for (i = 0; i < CASES; i++)
		calm += cases[i].calm_rounds == CALM_ROUNDS;
	bench_title("packets, %s flows; test_run itself costs %.1f ns, in short runs %.1f ns; the median of parser + drop is %.2f "
		    "of its settled value, of established ACKs %.2f; %d of %d cases had the caches to themselves",
		    label, bed_settled(&cases[CASE_EMPTY]), bed_settled(&cases[CASE_EMPTY_SHORT]), net(unit, middle) / base,
		    net(ack, middle) / net(ack, bed_settled), calm, CASES);
	for (i = CASE_WRAPPER; i < CASES; i++) {
		double ns = net(&cases[i], bed_settled);

		snprintf(name, sizeof(name), "%s, %s flows", cases[i].name, label);
		result_add(name, ns, "ns", 0, false);
		if (i <= CASE_PLAIN_DROP)
			continue;
		snprintf(name, sizeof(name), "%s, %s flows, ratio", cases[i].name, label);
		result_add(name, ns / base, "x parse+drop", cases[i].goal[size], false);
	}
	snprintf(name, sizeof(name), "fresh sources beside few, %s flows", label);
	result_add(name, net(find_case("new SYN with event, fresh source"), bed_settled) / net(find_case("new SYN with event"), bed_settled),
		   "x", size == BENCH_10K ? 1.2 : 0, false);
}

/* how: bed_round(), or bed_calm_round(). */
static void each_case(struct bed *b, void (*how)(struct bed *b, struct bench_case *c))
{
	for (int i = 0; i < CASES; i++) {
		if (cases[i].payload)
			bed_new_round(b);
		how(b, &cases[i]);
		if (cases[i].payload)
			bed_new_round(b);
	}
}

static void forget(void)
{
	for (int i = 0; i < CASES; i++)
		cases[i].rounds = cases[i].calm_rounds = 0;
}

void bench_packets(enum bench_size size)
{
	const struct bench_flows *f = &bench_flows[size];
	struct bed bed[2]; /* the next is made before the last goes: else it would get the same memory */
	int i, turn, round;

	forget();
	for (turn = 0; turn < f->beds; turn++) {
		bed_open(&bed[turn & 1], f->flows, f->capacity);
		if (turn)
			bed_close(&bed[(turn & 1) ^ 1]);
		for (i = 0; i < CASES; i++)
			bed_prepare(&bed[turn & 1], &cases[i]);
		for (round = 0; round < f->rounds; round++)
			each_case(&bed[turn & 1], bed_round);
	}
	for (round = 0; size == BENCH_10K && round < CALM_ROUNDS; round++) /* more flows do not stay in a cache */
		each_case(&bed[(turn & 1) ^ 1], bed_calm_round);
	bed_close(&bed[(turn & 1) ^ 1]);
	report(size);
}
