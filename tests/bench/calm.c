/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Are the caches ours? What 10,000 flows take stays in a cache of tens of megabytes, unless whoever shares it with this
 * machine sweeps it out between two visits. Then each visit goes to memory, takes ten times as long, and so leaves ten times
 * as long until the next: either everything stays or nothing does, and from one second to the next a table is three times as
 * slow. So before a measure a walk over so much memory is timed, and beside it one over far more than any cache holds.
 */
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#include "bench/bench.h"

#define LINE 64
#define HUGE_PAGE (2UL << 20)
#define OURS (4UL << 20)   /* what 10,000 flows and the segments to them touch */
#define MEMORY (96UL << 20) /* what no cache of today keeps between two visits at random */
#define PASSES 4

/* A ring of pointers through all lines of the memory, in an order that no prefetcher guesses. */
struct walk {
	void *at;
	size_t lines;
};

static struct walk make_walk(size_t bytes)
{
	struct walk walk = { NULL, bytes / LINE };
	uint32_t *order = calloc(walk.lines, sizeof(*order)), other, keep;
	char *memory = mmap(NULL, bytes + HUGE_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	size_t i;

	if (!order || memory == MAP_FAILED)
		bench_die("out of memory");
	memory = (char *)(((uintptr_t)memory + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1));
	madvise(memory, bytes, MADV_HUGEPAGE); /* of large pages: lines are meant, not their addresses' translation */
	for (i = 0; i < walk.lines; i++)
		order[i] = (uint32_t)i;
	for (i = walk.lines - 1; i; i--) {
		other = (uint32_t)random() % (uint32_t)(i + 1);
		keep = order[i];
		order[i] = order[other];
		order[other] = keep;
	}
	for (i = 0; i < walk.lines; i++)
		*(void **)(memory + (size_t)order[i] * LINE) = memory + (size_t)order[(i + 1) % walk.lines] * LINE;
	walk.at = memory;
	free(order);
	return walk;
}

/* ns a line, CPU time. */
static double pace(struct walk *walk, int passes)
{
	uint64_t began = bench_cpu_ns();
	size_t i, steps = walk->lines * (size_t)passes;

	for (i = 0; i < steps; i++)
		walk->at = *(void *volatile *)walk->at;
	return (double)(bench_cpu_ns() - began) / (double)steps;
}

bool bench_calm(void)
{
	static struct walk ours;
	static double memory_ns;

	if (!ours.at) {
		struct walk far = make_walk(MEMORY);

		memory_ns = pace(&far, 1);
		ours = make_walk(OURS);
	}
	pace(&ours, 2); /* brings it in, so far as it stays */
	return pace(&ours, PASSES) < memory_ns / 3;
}

bool bench_wait_calm(void)
{
	static uint64_t patience_ns, spent_ns;
	uint64_t began = bench_wall_ns();
	bool calm;

	if (!patience_ns)
		patience_ns = 1 + 1000000000ULL * (getenv("PATIENCE") ? strtoul(getenv("PATIENCE"), NULL, 10) : PATIENCE_S);
	while (spent_ns < patience_ns) {
		calm = bench_calm();
		spent_ns += bench_wall_ns() - began;
		began = bench_wall_ns();
		if (calm)
			return true;
	}
	return false;
}
