/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the parts of the benchmark share: results, clocks, statistics. */
#ifndef TESTS_BENCH_H
#define TESTS_BENCH_H

#include <stdbool.h>
#include <stdint.h>

#define ROUNDS 7         /* of what takes milliseconds: medians */
#define PATIENCE_S 120   /* see bench_wait_calm() */
#define PACKET_ROUNDS 32 /* at most, of ns per packet, each of some milliseconds: the quieter quarter */

/* goal: the most, or the least for a rate (at_least); 0: none. The name is unique: it is the key in build/bench.json. */
struct result {
	char name[64];
	char unit[24];
	double value, goal;
	bool at_least;
};

void result_add(const char *name, double value, const char *unit, double goal, bool at_least);
/* A line of text between the results. */
void bench_title(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void bench_die(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));
/* CPU time of this thread, user and system. */
uint64_t bench_cpu_ns(void);
uint64_t bench_wall_ns(void);
double median(double *values, int n);
/* The value that a quarter of them are below: what else a machine does, or its neighbours, only ever adds. */
double quiet(const double *values, int n);

/* calm.c: the machine's neighbours leave the caches to us: the walk over some megabytes is not the walk to memory. */
bool bench_calm(void);
/* Waits for that; all calls together look and wait for PATIENCE seconds (environment). Returns whether it is so now. */
bool bench_wait_calm(void);

/* How many flows are live, in a table of which capacity: enum bench_size selects the goals. */
enum bench_size { BENCH_10K, BENCH_100K, BENCH_1M, BENCH_SIZES };

/* beds: so many tables, one after the other, each with so many rounds: which memory a table gets is chance. */
struct bench_flows {
	unsigned flows, capacity;
	const char *label;
	int beds, rounds;
};

extern const struct bench_flows bench_flows[BENCH_SIZES];

/* packets.c: ns per packet and ratios */
void bench_packets(enum bench_size size);
/* policy.c: the same of lists, rules, limits and cookies */
void bench_policy(enum bench_size size);
/* tables.c */
void bench_sweep(unsigned flows, unsigned capacity, const char *label, double goal_ms);
/* mixed.c: the sweep with detectors over flows of all states, and what it delays */
void bench_mixed(unsigned flows, unsigned capacity, unsigned open, const char *label, double goal_ms);
void bench_programs(void);
/* replay.c */
void bench_replay(void);

#endif
