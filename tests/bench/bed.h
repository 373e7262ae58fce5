/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the measures of ns per packet share: the loaded programs over a filled table, frames, and runs that are checked. */
#ifndef TESTS_BED_H
#define TESTS_BED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bench/bench.h"

#define REPEAT 100000
#define SYNS 8192 /* fewer than the embryo table has places, so that each finds a free one ... */
#define CHUNKS 16 /* ... and so often, each time into an emptied table */
#define CALM_ROUNDS 7
#define FRAME_LEN (14 + 20 + 32 + 1000)

/* What one run is expected to count, besides its verdicts. */
enum effect { NOTHING, FAST, NEW };

struct bench_case {
	const char *name;
	int repeat;
	int payload;
	bool syn, reader, flood;
	enum effect effect;
	int verdict;
	double goal[BENCH_SIZES]; /* ratio; 0: none */
	const char *prog;
	unsigned stray; /* so many of a run may go another way */
	/* found out */
	int fd, rounds, calm_rounds;
	double ns[PACKET_ROUNDS], calm_ns[CALM_ROUNDS];
};

struct bench_bpf;
struct ring_buffer;

struct bed {
	struct bench_bpf *skel;
	struct ring_buffer *ring;
	unsigned flows;
	int ring_fd, control_fd;
	uint64_t events, now;
};

void bed_open(struct bed *b, unsigned flows, unsigned capacity);
/* As two generations after the last eviction: the stack is not asked about each SYN because of the floods measured before. */
void bed_forget_evictions(struct bed *b);
void bed_close(struct bed *b);
/* Finds the program of a case. */
void bed_prepare(struct bed *b, struct bench_case *c);
/* One run of a case: ns per repetition, CPU time of this thread; dies of a verdict or a counter that is wrong. */
double bed_measure(struct bed *b, struct bench_case *c);
/* One round of a case: its ns join the others. Unless it is of short runs, one run before warms up. */
void bed_round(struct bed *b, struct bench_case *c);
/* Rounds until one had the caches to itself, or patience ends (bench_wait_calm()). */
void bed_calm_round(struct bed *b, struct bench_case *c);
/* What counts: the quieter quarter of CALM_ROUNDS calm rounds, if they were had; else of the others. */
double bed_settled(const struct bench_case *c);
/* All flows as in the beginning: the next sequence number, and no mark. rotate() in bench.bpf.c counts on from there. */
void bed_new_round(struct bed *b);
/* The frame of a case into FRAME_LEN bytes; returns its length. */
size_t bed_frame(uint8_t *frame, const struct bench_case *c);
/* A program (type syscall) that walks over a table of flows with a callback that does nothing: its fd, to be closed. */
int bed_walker(int flows_fd);
/* Sum over all CPUs of one of enum ward_counter. */
uint64_t bed_counter(struct bed *b, unsigned counter);
/* Cases of so few repetitions that what a run itself costs is in the result: net of an empty program run likewise. */
bool bed_in_short_runs(const struct bench_case *c);

#endif
