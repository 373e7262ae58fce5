/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * bench [packets|policy|sweep|tables|replay]... [few|10k]: measures, prints a table and writes build/bench.json.
 * few: nothing with a million flows; 10k: of packets and policy, nothing with more.
 *
 * Method: one CPU; the base lines and the cases by turns; thread CPU time, not wall clock; each repetition of
 * BPF_PROG_TEST_RUN meets another flow; verdicts and counters are checked, since what fails early looks fast. Of packets, 32
 * rounds (9 with a million flows) of some milliseconds each, over several tables. In a virtual machine medians of one build
 * differ by half within a minute, since the last cache is shared with whoever else the host serves. So, where the table could
 * stay in a cache, each case then waits for moments when the caches are ours (calm.c; all together for PATIENCE seconds), and the
 * rounds that had them to their end count, if there are seven of a case. Of those, or of all rounds, it is the value that a
 * quarter is below, for others only make a run slower. The median of all stands beside it. Of what takes milliseconds by itself, medians of 7 rounds; of
 * the sweep, of three tables, the quietest. Nanoseconds are net of an empty program's repetition. "parse + drop", the unit of the
 * ratios, is tcpward's own parser (tags, both families, options, the key) with a drop behind it, net as well. A slow parser would
 * flatter such a ratio: so two lesser parsers stand beside it in nanoseconds.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <sched.h>
#include <time.h>
#include <unistd.h>

#include "bench/bench.h"

#define JSON_FILE "build/bench.json"
#define FEW "few"
#define LEAST "10k"
#define RESULTS_MAX 280

const struct bench_flows bench_flows[BENCH_SIZES] = {
	[BENCH_10K] = { 10000, 262144, "10 k", 4, 8 },
	[BENCH_100K] = { 100000, 262144, "100 k", 4, 6 },
	[BENCH_1M] = { 1000000, 1 << 21, "1 M", 3, 3 },
};

static struct result results[RESULTS_MAX];
static int result_count;

static bool met(const struct result *r)
{
	return !r->goal || (r->at_least ? r->value >= r->goal : r->value <= r->goal);
}

void result_add(const char *name, double value, const char *unit, double goal, bool at_least)
{
	struct result *r = &results[result_count];

	if (result_count + 1 < RESULTS_MAX)
		result_count++;
	snprintf(r->name, sizeof(r->name), "%s", name);
	snprintf(r->unit, sizeof(r->unit), "%s", unit);
	r->value = value;
	r->goal = goal;
	r->at_least = at_least;
	printf("  %-44s %12.*f %-14s", name, value < 1000 ? 2 : 0, value, unit);
	if (goal)
		printf(" %s %g: %s", at_least ? "at least" : "at most", goal, met(r) ? "met" : "MISSED");
	putchar('\n');
	fflush(stdout);
}

void bench_title(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	putchar('\n');
}

void bench_die(const char *fmt, ...)
{
	va_list args;

	fflush(stdout);
	fputs("bench: ", stderr);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
	exit(1);
}

uint64_t bench_cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

uint64_t bench_wall_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

double median(double *values, int n)
{
	qsort(values, n, sizeof(*values), ascending);
	return n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

double quiet(const double *values, int n)
{
	double sorted[PACKET_ROUNDS];

	if (n < 1 || n > PACKET_ROUNDS)
		bench_die("%d values, of at most %d", n, PACKET_ROUNDS);
	memcpy(sorted, values, n * sizeof(*values));
	qsort(sorted, n, sizeof(*sorted), ascending);
	return sorted[n / 4];
}

static void write_json(void)
{
	FILE *out = fopen(JSON_FILE, "w");
	struct utsname u;
	int i;

	if (!out)
		bench_die("cannot write '%s'", JSON_FILE);
	uname(&u);
	fprintf(out, "{\n  \"kernel\": \"%s\",\n  \"machine\": \"%s\",\n  \"version\": \"%s\",\n  \"results\": [\n", u.release,
		u.machine, TCPWARD_VERSION);
	for (i = 0; i < result_count; i++) {
		const struct result *r = &results[i];

		fprintf(out, "    {\"name\": \"%s\", \"value\": %.3f, \"unit\": \"%s\"", r->name, r->value, r->unit);
		if (r->goal)
			fprintf(out, ", \"goal\": %g, \"goal_is\": \"%s\", \"met\": %s", r->goal,
				r->at_least ? "at least" : "at most", met(r) ? "true" : "false");
		fprintf(out, "}%s\n", i + 1 < result_count ? "," : "");
	}
	fputs("  ]\n}\n", out);
	if (fclose(out))
		bench_die("cannot write '%s'", JSON_FILE);
}

static bool named(int argc, char **argv, const char *word)
{
	int i;

	for (i = 1; i < argc; i++)
		if (!strcmp(argv[i], word))
			return true;
	return false;
}

static bool wanted(int argc, char **argv, const char *part)
{
	return named(argc, argv, part) || argc == 1 + named(argc, argv, FEW) + named(argc, argv, LEAST);
}

int main(int argc, char **argv)
{
	bool least = named(argc, argv, LEAST), few = least || named(argc, argv, FEW);
	int i, missed = 0, goals = 0;
	cpu_set_t one;

	if (geteuid())
		bench_die("needs root");
	CPU_ZERO(&one);
	CPU_SET(sysconf(_SC_NPROCESSORS_ONLN) - 1, &one);
	if (wanted(argc, argv, "replay")) /* first: it is not pinned */
		bench_replay();
	sched_setaffinity(0, sizeof(one), &one);
	if (wanted(argc, argv, "packets")) {
		bench_packets(BENCH_10K);
		if (!least)
			bench_packets(BENCH_100K);
		if (!few)
			bench_packets(BENCH_1M);
	}
	if (wanted(argc, argv, "policy")) {
		bench_policy(BENCH_10K);
		if (!few)
			bench_policy(BENCH_1M);
	}
	if (wanted(argc, argv, "sweep")) {
		bench_sweep(262144, 262144, "262,144", 40);
		if (!few)
			bench_sweep(1000000, 1 << 20, "1 M", 150);
		bench_mixed(180000, 262144, 90, "180 k", 40); /* 69 % of the default table: then nothing goes early */
	}
	if (wanted(argc, argv, "tables")) {
		bench_mixed(180000, 262144, 60, "180 k", 0);
		bench_mixed(700000, 1 << 20, 90, "700 k", 0);
		bench_programs();
	}
	for (i = 0; i < result_count; i++) {
		goals += results[i].goal != 0;
		missed += !met(&results[i]);
	}
	write_json();
	printf("%d of %d goals met; %s\n", goals - missed, goals, JSON_FILE);
	return 0;
}
