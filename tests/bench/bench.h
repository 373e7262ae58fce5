/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the parts of the benchmark share: results, clocks, statistics. */
#ifndef TESTS_BENCH_H
#define TESTS_BENCH_H

#include <stdbool.h>
#include <stdint.h>

#define ROUNDS 7

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

/* packets.c: ns per packet and ratios, at flows live flows in a table of capacity */
void bench_packets(unsigned flows, unsigned capacity, const char *label, bool gated);
/* policy.c: the same of lists, rules, limits and cookies */
void bench_policy(unsigned flows, unsigned capacity, const char *label, bool gated);
/* tables.c */
void bench_sweep(unsigned flows, unsigned capacity, const char *label, double goal_ms);
/* mixed.c: the sweep with detectors over flows of all states, and what it delays */
void bench_mixed(unsigned flows, unsigned capacity, unsigned open, const char *label, double goal_ms);
void bench_programs(void);
/* replay.c */
void bench_replay(void);

#endif
