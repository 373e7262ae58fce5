/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <errno.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <linux/bpf.h>

#include "prog/rig.h"

#define FOREVER_NS (3 * 86400 * 1000000000ULL)

static int failures;

static void die(const char *what)
{
	printf("not ok programs: %s: %s\n", what, ward_reason());
	exit(1);
}

void rig_options_init(struct rig_options *opt)
{
	memset(opt, 0, sizeof(*opt));
	ward_options_init(&opt->ward);
	opt->ward.replay = true;
	opt->ward.all_hooks = true;
	opt->ward.flows = 1024;
	opt->ward.embryos = 64;
	opt->ward.services = opt->ward.sources = 64;
}

void rig_open(struct rig *rig, const struct rig_options *opt)
{
	struct ward_iface *row;

	memset(rig, 0, sizeof(*rig));
	rig->now_ns = 1700000000ULL * 1000000000ULL;
	if (geteuid()) {
		printf("skip programs: needs root\n");
		exit(77);
	}
	if (load_probe())
		die("load");
	rig->w = ward_new();
	if (!rig->w)
		die("load");
	rig->w->opt = opt->ward;
	if (opt->iface_mtu) {
		row = &rig->w->plan.iface[0];
		strcpy(row->name, "lo");
		row->ifindex = if_nametoindex("lo");
		row->mtu = opt->iface_mtu;
		row->flags = (uint8_t)opt->iface_flags;
		rig->w->plan.iface_count = 1;
	}
	if (load_programs(rig->w))
		die("load");
}

void rig_close(struct rig *rig)
{
	ward_close(rig->w);
	rig->w = NULL;
}

static int run_tc(struct rig *rig, bool egress, const uint8_t *frame, size_t len, uint32_t gso_segs)
{
	struct __sk_buff ctx = {.gso_segs = gso_segs, .gso_size = gso_segs ? 1000 : 0};
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = frame, .data_size_in = len, .ctx_in = &ctx,
		    .ctx_size_in = sizeof(ctx));

	if (!gso_segs)
		run.ctx_in = NULL, run.ctx_size_in = 0;
	if (bpf_prog_test_run_opts(rig->w->prog[egress ? PROG_TC_EGRESS : PROG_TC_INGRESS], &run)) {
		printf("not ok programs: test_run of tc over %zu bytes: %s\n", len, strerror(errno));
		exit(1);
	}
	return (int)run.retval;
}

int rig_send(struct rig *rig, enum rig_hook hook, const uint8_t *frame, size_t len, uint32_t wire_len, bool l3,
	     uint32_t gso_segs)
{
	int verdict;

	rig->packets++;
	if (hook == HOOK_XDP) {
		verdict = ward_feed(rig->w, frame, len, wire_len, l3, rig->now_ns, rig->packets);
		if (verdict < 0)
			die("ward_feed");
		rig->wrong_verdicts += verdict != XDP_PASS;
		return verdict;
	}
	rig->w->control->replay_now_ns = rig->now_ns;
	rig->w->control->replay_pkt = rig->packets;
	verdict = run_tc(rig, hook == HOOK_TC_OUT, frame, len, gso_segs);
	rig->wrong_verdicts += verdict != -1;
	return verdict;
}

void rig_wait(struct rig *rig, uint64_t ns)
{
	int more;

	rig->now_ns += ns;
	while ((more = ward_sweep(rig->w, rig->now_ns)) > 0)
		;
	if (more < 0)
		die("ward_sweep");
}

void rig_empty(struct rig *rig)
{
	rig_wait(rig, FOREVER_NS); /* buries */
	rig_wait(rig, 2000000000ULL); /* deletes */
}

struct ward_counters rig_counters(struct rig *rig)
{
	struct ward_counters sum;

	if (ward_counters_read(rig->w, &sum))
		die("ward_counters_read");
	return sum;
}

void rig_report(bool good, const char *what, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	printf(good ? "ok programs: %s (" : "not ok programs: %s: ", what);
	vprintf(fmt, args);
	puts(good ? ")" : "");
	va_end(args);
	fflush(stdout);
	failures += !good;
}

int rig_result(void)
{
	return failures ? 1 : 0;
}
