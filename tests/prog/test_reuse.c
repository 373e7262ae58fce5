/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Deletion in two phases, with the window between lookup and write made wide (reuse.bpf.c). One CPU writes through
 * pointers that it holds for 60 us; the other ends those very flows and makes new ones. With the grace no record is ever
 * written by another flow's segment; deleted at once, as the control does it, they are.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "prog/rig.h"
#include "finding.h"
#include "sweep.h"
#include "tcp_opts.h"
/* after the headers above: its types are theirs */
#include "reuse.skel.h"

#define LIVE 2000	/* flows at any time */
#define TABLE 131072
#define RUN_NS 2600000000ULL
#define CONTROL_NS 400000000ULL
#define SWEEP_EVERY_NS 100000000ULL

static _Atomic uint32_t victim; /* the flow that ends next */
static _Atomic bool stop;

struct kill_args {
	uint32_t number, at_once;
	uint64_t now_ns;
};

static uint64_t clock_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

static void pin_to(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static void *write_on(void *arg)
{
	struct reuse_bpf *skel = arg;
	uint32_t frame[16] = {0};
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = frame, .data_size_in = sizeof(frame));

	pin_to(1);
	while (!stop) {
		frame[0] = victim;
		if (bpf_prog_test_run_opts(bpf_program__fd(skel->progs.reuse_write), &run))
			return (void *)1;
	}
	return NULL;
}

static void insert(int fd, uint32_t number, uint64_t now)
{
	struct flow_key key;
	struct flow f;

	memset(&key, 0, sizeof(key));
	memset(&f, 0, sizeof(f));
	memcpy(key.a_addr, &number, 4);
	f.state[0] = f.state[1] = ESTABLISHED;
	f.known[0] = f.known[1] = KNOWN_CONF;
	f.phase = PHASE_LIVE;
	f.half[0].tsval = number;
	f.half[0].last_ns = f.half[1].last_ns = now;
	f.start_ns = now;
	if (bpf_map_update_elem(fd, &key, &f, BPF_NOEXIST)) {
		printf("not ok programs: reuse: cannot insert flow %u\n", number);
		exit(1);
	}
}

static void kill_flow(struct reuse_bpf *skel, uint32_t number, bool at_once, uint64_t now)
{
	struct kill_args args = {number, at_once, now};
	LIBBPF_OPTS(bpf_test_run_opts, run, .ctx_in = &args, .ctx_size_in = sizeof(args));

	bpf_prog_test_run_opts(bpf_program__fd(skel->progs.reuse_kill), &run);
}

static void sweep(struct reuse_bpf *skel, uint64_t now)
{
	struct sweep_args args = {.now_ns = now};
	LIBBPF_OPTS(bpf_test_run_opts, run, .ctx_in = &args, .ctx_size_in = sizeof(args));

	bpf_prog_test_run_opts(bpf_program__fd(skel->progs.ward_sweep), &run);
}

/* What stands in the table at the end. */
static unsigned scan(int fd, unsigned *entries)
{
	struct flow_key key, *last = NULL;
	unsigned wrong = 0;
	struct flow f;

	*entries = 0;
	for (; !bpf_map_get_next_key(fd, last, &key); last = &key) {
		if (bpf_map_lookup_elem(fd, &key, &f))
			continue;
		(*entries)++;
		wrong += f.half[1].tsval && f.half[1].tsval != f.half[0].tsval;
	}
	return wrong;
}

static struct reuse_bpf *load(void)
{
	struct reuse_bpf *skel = reuse_bpf__open();
	struct track_opts opts;

	if (!skel)
		return NULL;
	track_opts_init(&opts);
	memcpy((void *)&skel->rodata->opts, &opts, sizeof(opts));
	bpf_map__set_max_entries(skel->maps.flows, TABLE);
	bpf_map__set_max_entries(skel->maps.syns, 8);
	bpf_map__set_max_entries(skel->maps.present, 4);
	bpf_map__set_max_entries(skel->maps.embryos, 8);
	if (!reuse_bpf__load(skel))
		return skel;
	reuse_bpf__destroy(skel);
	return NULL;
}

/* Returns records written by mistake, or -1. */
static int churn(bool at_once, uint64_t run_ns, char *text, size_t n)
{
	struct reuse_bpf *skel = load();
	uint32_t oldest = 1, next = 1;
	uint64_t began, now, swept;
	unsigned wrong, entries;
	void *failed = NULL;
	pthread_t writer;
	int fd;

	if (!skel)
		return -1;
	fd = bpf_map__fd(skel->maps.flows);
	pin_to(0);
	began = swept = clock_ns();
	while (next <= LIVE)
		insert(fd, next++, began);
	victim = oldest;
	stop = false;
	pthread_create(&writer, NULL, write_on, skel);
	while ((now = clock_ns()) - began < run_ns && next < TABLE * 0.9 + (at_once ? 1e9 : 0)) {
		usleep(20); /* so that the writer has looked the victim up */
		kill_flow(skel, oldest, at_once, clock_ns());
		insert(fd, next++, now);
		victim = ++oldest;
		if (!at_once && now - swept > SWEEP_EVERY_NS) {
			sweep(skel, now);
			swept = now;
		}
	}
	stop = true;
	pthread_join(writer, &failed);
	wrong = scan(fd, &entries) + (unsigned)skel->bss->wrong;
	snprintf(text, n, "%u of %lu flows ended written by another, %lu writes, %lu entries deleted", wrong,
		 (long)skel->bss->kills, (long)skel->bss->writes, (long)next - 1 - entries);
	if (failed || !skel->bss->writes || !skel->bss->kills || next - 1 == entries)
		wrong = (unsigned)-1;
	reuse_bpf__destroy(skel);
	return (int)wrong;
}

int main(void)
{
	char text[200] = "cannot be loaded";
	int wrong;

	if (geteuid()) {
		puts("skip programs: reuse: needs root");
		return 77;
	}
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2) {
		puts("skip programs: reuse: needs two CPUs");
		return 77;
	}
	wrong = churn(true, CONTROL_NS, text, sizeof(text));
	rig_report(wrong > 0, "control: deleted at once, entries are written by other flows' segments", "%s", text);
	wrong = churn(false, RUN_NS, text, sizeof(text));
	rig_report(!wrong, "deletion in two phases: no record is written by another flow's segment", "%s", text);
	return rig_result();
}
