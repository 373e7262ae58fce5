/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The sweep, the memory of a flow, and what the verifier makes of each program. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "bench/bed.h"
#include "finding.h"
#include "embryo.h"
#include "sweep.h"
#include "tcp_opts.h"
#include "tcpward.skel.h"
#include "ward/inside.h"

#define BATCH 4096

#define TABLES 3

static void fill(int fd, unsigned flows, uint64_t now)
{
	struct flow_key *keys = calloc(BATCH, sizeof(*keys));
	struct flow *values = calloc(BATCH, sizeof(*values));
	unsigned n, i;
	uint32_t count;

	for (i = 0; i < BATCH; i++) {
		values[i].state[0] = values[i].state[1] = ESTABLISHED;
		values[i].known[0] = values[i].known[1] = KNOWN_CONF;
		values[i].phase = PHASE_LIVE;
		values[i].half[0].last_ns = values[i].half[1].last_ns = now;
		values[i].win[0] = values[i].win[1] = 64240;
	}
	for (n = 0; n < flows; n += count) {
		count = flows - n < BATCH ? flows - n : BATCH;
		for (i = 0; i < count; i++) {
			uint32_t number = n + i;

			memcpy(keys[i].a_addr, &number, 4);
		}
		if (bpf_map_update_batch(fd, keys, values, &count, NULL))
			bench_die("cannot fill the table: %s", strerror(errno));
	}
	free(keys);
	free(values);
}

/* memlock of the map, as its fdinfo says it. */
static double memlock(int fd)
{
	char path[64], line[128];
	unsigned long bytes = 0;
	FILE *in;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	in = fopen(path, "r");
	while (in && fgets(line, sizeof(line), in))
		if (sscanf(line, "memlock: %lu", &bytes) == 1)
			break;
	if (in)
		fclose(in);
	return (double)bytes;
}

/* Program fd of a walk over the table: ms of CPU time. */
static double walk_ms(int fd)
{
	LIBBPF_OPTS(bpf_test_run_opts, run);
	uint64_t began = bench_cpu_ns();

	if (bpf_prog_test_run_opts(fd, &run))
		bench_die("cannot walk: %s", strerror(errno));
	return (double)(bench_cpu_ns() - began) / 1e6;
}

/* One table of its own: ms of ROUNDS sweeps, and of as many walks. Returns the bytes of memory of a flow. */
static double sweep_table(unsigned flows, unsigned capacity, struct ward **kept, double *ms, double *walk)
{
	struct ward *w = ward_new();
	struct ward_options opt;
	struct ward_gauges gauges;
	uint64_t now, began;
	int i, walker;

	ward_options_init(&opt);
	opt.flows = capacity;
	if (!w)
		bench_die("out of memory");
	w->opt = opt;
	if (load_probe() || load_programs(w))
		bench_die("%s", ward_reason());
	walker = bed_walker(w->map[MAP_FLOWS]);
	now = ward_now_ns(w);
	fill(w->map[MAP_FLOWS], flows, now);
	for (i = -1; i < ROUNDS; i++) {
		double ms_walk = walk_ms(walker);

		began = bench_cpu_ns();
		if (ward_sweep(w, now) < 0)
			bench_die("%s", ward_reason());
		if (i < 0)
			continue;
		ms[i] = (double)(bench_cpu_ns() - began) / 1e6;
		walk[i] = ms_walk;
	}
	if (ward_gauges_read(w, &gauges) || gauges.flows != flows)
		bench_die("the sweep counted %lu flows of %u", (long)gauges.flows, flows);
	close(walker);
	if (*kept)
		ward_close(*kept);
	*kept = w; /* goes when the next one is there, which would get the same memory otherwise */
	return memlock(w->map[MAP_FLOWS]) / capacity;
}

void bench_sweep(unsigned flows, unsigned capacity, const char *label, double goal_ms)
{
	double ms[ROUNDS], walk[ROUNDS], best = 0, best_walk = 0, bytes = 0;
	struct ward *kept = NULL;
	char name[64];
	int i;

	for (i = 0; i < TABLES; i++) {
		bytes = sweep_table(flows, capacity, &kept, ms, walk);
		if (!i || median(ms, ROUNDS) < best) {
			best = median(ms, ROUNDS);
			best_walk = median(walk, ROUNDS);
		}
	}
	ward_close(kept);
	bench_title("sweep, %s established flows, and the default embryo table", label);
	snprintf(name, sizeof(name), "sweep of %s flows", label);
	result_add(name, best, "ms CPU", goal_ms, false);
	snprintf(name, sizeof(name), "... of that the kernel's walk, %s flows", label);
	result_add(name, best_walk, "ms CPU", 0, false);
	snprintf(name, sizeof(name), "memory of a flow, table of %u", capacity);
	result_add(name, bytes, "bytes", 340, false);
}

/* Loads one program of the object alone, with small tables. */
static void bench_program(const char *which)
{
	struct tcpward_bpf *skel = tcpward_bpf__open();
	struct bpf_prog_info info;
	uint32_t size = sizeof(info);
	struct bpf_program *prog;
	double ms[ROUNDS];
	uint64_t began;
	char name[64];
	int i;

	tcpward_bpf__destroy(skel);
	for (i = 0; i < ROUNDS; i++) {
		struct track_opts opts;

		skel = tcpward_bpf__open();
		if (!skel)
			bench_die("cannot open the programs");
		track_opts_init(&opts);
		memcpy((void *)&skel->rodata->opts, &opts, sizeof(opts));
		bpf_object__for_each_program(prog, skel->obj)
			bpf_program__set_autoload(prog, !strcmp(bpf_program__name(prog), which));
		bpf_map__set_max_entries(skel->maps.flows, 1024);
		bpf_map__set_max_entries(skel->maps.syns, 8);
		bpf_map__set_max_entries(skel->maps.embryos, 8);
		began = bench_wall_ns();
		if (tcpward_bpf__load(skel)) {
			printf("  %s: not loaded here: %s\n", which, strerror(errno));
			tcpward_bpf__destroy(skel);
			return;
		}
		ms[i] = (double)(bench_wall_ns() - began) / 1e6;
		prog = bpf_object__find_program_by_name(skel->obj, which);
		memset(&info, 0, sizeof(info));
		if (bpf_obj_get_info_by_fd(bpf_program__fd(prog), &info, &size))
			bench_die("no information about '%s'", which);
		tcpward_bpf__destroy(skel);
	}
	snprintf(name, sizeof(name), "%s, verified instructions", which);
	result_add(name, info.verified_insns, "instructions", 200000, false);
	snprintf(name, sizeof(name), "%s, load", which);
	result_add(name, median(ms, ROUNDS), "ms", 1000, false);
}

void bench_programs(void)
{
	struct tcpward_bpf *skel = tcpward_bpf__open();
	struct bpf_program *prog;

	if (!skel)
		bench_die("cannot open the programs");
	bench_title("programs, each loaded alone");
	bpf_object__for_each_program(prog, skel->obj)
		bench_program(bpf_program__name(prog));
	tcpward_bpf__destroy(skel);
}
