/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Drift: a million random segments through the programs, with sweeps and jumps of the clock in between, into tables that are
 * far too small: opened, answered, reset, closed, sent again, evicted, ports used again while the old record waits for its
 * deletion. Now and then every gauge, of the instance, of each service and of each source, is compared with a recount made
 * record by record (drift.c); and the half-open ones with what the counters say went in and out. Then the controls: a flow that
 * vanished and a count too many must be found.
 *
 *   test_drift [SEGMENTS [SEED]]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "account.h"
#include "prog/drift.h"
#include "prog/rig.h"
#include "sweep.h"
#include "tcp_fsm.h"
#include "tcpward.skel.h"

#define SEGMENTS 1000000
#define SEED 20260101
#define COMPARE_EVERY 50000
#define CLIENTS 48 /* every fourth by IPv6 */
#define CLIENT_PORTS 12
#define SERVICES 12 /* two ports at each address */
#define TUPLES (CLIENTS * CLIENT_PORTS * SERVICES)
#define AT_WORK 700 /* tuples that get segments at one time; the others rest, and are used again later */
#define SWEEP_NS 1000000000ULL

/* ---- random numbers of our own: the same on every machine ---- */
static uint64_t state;

static uint32_t any(uint32_t n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)(state >> 32) % n;
}

/* ---- segments ---- */
struct conversation {
	uint32_t next[2]; /* sequence number: of the client, of the server */
	uint8_t step;
};

static struct conversation conversations[TUPLES];

/* How a connection goes on, if nothing happens. */
static const struct {
	uint8_t from_server, bits;
} steps[] = {
	{0, TH_SYN}, {1, TH_SYN | TH_ACK}, {0, TH_ACK}, {0, TH_ACK | TH_PSH}, {1, TH_ACK}, {0, TH_FIN | TH_ACK},
	{1, TH_ACK}, {1, TH_FIN | TH_ACK}, {0, TH_ACK},
};
#define STEPS (sizeof(steps) / sizeof(*steps))

/* What happens. */
enum happening {
	NEW_SYN,
	SYN_AGAIN,
	SYN_ACK_AGAIN,
	FIN,
	RESET,
	INEXACT_RESET,
	REFUSAL,
	BAD_FLAGS,
	BAD_ACK,
	DATA,
	OLD_ACK,
	BOTH_OPEN, /* the server opens too: simultaneous open where the client's SYN waits, a pending SYN else */
	NEW_LIFE,  /* the server has forgotten all, opens anew, and resets what the client still has: RFC 9293, figure 9 */
	HAPPENINGS
};

/* per thousand segments; the rest are steps */
static const uint16_t weights[HAPPENINGS] = {
	[NEW_SYN] = 110, [SYN_AGAIN] = 60, [SYN_ACK_AGAIN] = 40, [FIN] = 30,	 [RESET] = 25, [INEXACT_RESET] = 20,
	[REFUSAL] = 15,	 [BAD_FLAGS] = 10, [BAD_ACK] = 20,	 [DATA] = 30,	 [OLD_ACK] = 15,
	[BOTH_OPEN] = 15, [NEW_LIFE] = 10,
};

static void ends_of(int tuple, struct wire_end *client, struct wire_end *server, bool *v6)
{
	uint32_t service = (uint32_t)tuple % SERVICES, port = (uint32_t)tuple / SERVICES % CLIENT_PORTS,
		 host = (uint32_t)tuple / SERVICES / CLIENT_PORTS;

	*v6 = host % 4 == 0;
	wire_address(client, *v6, 100 + host, (uint16_t)(40000 + port));
	wire_address(server, *v6, 1 + service / 2, (uint16_t)(80 + service % 2));
}

static void send(struct rig *rig, int tuple, int from_server, struct wire_segment seg)
{
	struct wire_layout layout = {.name = "drift"};
	struct wire_end client, server;
	uint8_t frame[WIRE_MAX];
	size_t len;

	ends_of(tuple, &client, &server, &layout.v6);
	seg.win = (uint16_t)(any(40) ? 64240 : 0);
	len = wire_build(frame, &layout, from_server ? &server : &client, from_server ? &client : &server, &seg);
	rig_send(rig, from_server ? HOOK_TC_OUT : HOOK_XDP, frame, len, (uint32_t)len, false, 0);
}

/* The next segment of side, which the other one has caught up with. */
static void send_next(struct rig *rig, int tuple, int side, uint8_t bits)
{
	struct conversation *c = &conversations[tuple];
	struct wire_segment seg = {.bits = bits};

	if (bits & TH_SYN)
		c->next[side] = any(UINT32_MAX);
	seg.seq = c->next[side];
	seg.ack = bits & TH_ACK ? c->next[!side] : 0;
	seg.len = bits & TH_PSH ? 1 + any(1000) : 0;
	c->next[side] += seg.len + !!(bits & (TH_SYN | TH_FIN));
	send(rig, tuple, side, seg);
}

static void happen(struct rig *rig, int tuple, enum happening what)
{
	struct conversation *c = &conversations[tuple];
	int side = (int)any(2);

	switch (what) {
	case NEW_SYN:
		c->step = 1;
		send_next(rig, tuple, 0, TH_SYN);
		break;
	case SYN_AGAIN:
		send(rig, tuple, 0, (struct wire_segment){.bits = TH_SYN, .seq = c->next[0] - 1});
		break;
	case SYN_ACK_AGAIN:
		send(rig, tuple, 1, (struct wire_segment){.bits = TH_SYN | TH_ACK, .seq = c->next[1] - 1, .ack = c->next[0]});
		break;
	case FIN:
		send_next(rig, tuple, side, TH_FIN | TH_ACK);
		break;
	case RESET:
		send(rig, tuple, side, (struct wire_segment){.bits = TH_RST, .seq = c->next[side]});
		break;
	case INEXACT_RESET:
		send(rig, tuple, side, (struct wire_segment){.bits = TH_RST, .seq = c->next[side] + 1 + any(100000)});
		break;
	case REFUSAL:
		send(rig, tuple, 1, (struct wire_segment){.bits = TH_RST | TH_ACK, .ack = c->next[0]});
		break;
	case BAD_FLAGS:
		send(rig, tuple, side, (struct wire_segment){.bits = any(2) ? TH_SYN | TH_FIN : 0, .seq = c->next[side]});
		break;
	case BAD_ACK:
		send(rig, tuple, 0, (struct wire_segment){.bits = TH_ACK, .seq = c->next[0], .ack = any(UINT32_MAX)});
		break;
	case BOTH_OPEN:
		send_next(rig, tuple, 1, TH_SYN);
		break;
	case NEW_LIFE:
		send(rig, tuple, 1, (struct wire_segment){.bits = TH_SYN, .seq = any(UINT32_MAX)});
		send(rig, tuple, 1, (struct wire_segment){.bits = TH_RST, .seq = c->next[1]});
		break;
	case DATA:
		send_next(rig, tuple, side, TH_ACK | TH_PSH);
		break;
	default:
		send(rig, tuple, side, (struct wire_segment){.bits = TH_ACK, .seq = c->next[side] - 1, .ack = c->next[!side]});
	}
}

static void one_segment(struct rig *rig, int tuple)
{
	struct conversation *c = &conversations[tuple];
	uint32_t luck = any(1000), i;

	for (i = 0; i < HAPPENINGS; i++) {
		if (luck < weights[i]) {
			happen(rig, tuple, i);
			return;
		}
		luck -= weights[i];
	}
	i = c->step++ % STEPS;
	send_next(rig, tuple, steps[i].from_server, steps[i].bits);
}

/* ---- the comparison ---- */
struct outcome {
	int compared, wrong;
	bool quiet;
	int services, sources;
	uint64_t half_open;
};

static void compare(struct outcome *o, const char *what, const char *name, uint64_t is, uint64_t recounted)
{
	o->compared++;
	if (is == recounted)
		return;
	if (!o->quiet && o->wrong < 20)
		printf("# %s, %s: %llu, recounted %llu\n", what, name, (unsigned long long)is, (unsigned long long)recounted);
	o->wrong++;
}

static void compare_all(struct rig *rig, struct outcome *o)
{
	static const char *const states[] = {
#define X(id, name, text) #id,
		WARD_STATES(X)
#undef X
	};
	struct ward_gauges g, mine = drift_gauges();
	int i;

	if (ward_gauges_read(rig->w, &g)) {
		printf("not ok programs: drift: %s\n", ward_reason());
		exit(1);
	}
	compare(o, "instance", "flows", g.flows, mine.flows);
	compare(o, "instance", "embryos", g.embryos, mine.embryos);
	compare(o, "instance", "tombstones", g.tombstones, mine.tombstones);
	for (i = 0; i < STATE_COUNT; i++) {
		compare(o, "endpoints in", states[i], g.state[i], mine.state[i]);
		compare(o, "confirmed in", states[i], g.confirmed[i], mine.confirmed[i]);
	}
}

static void compare_service(struct outcome *o, const struct service *s, unsigned half)
{
	static const struct {
		enum service_gauge gauge;
		const char *name;
	} rows[] = {
		{SERVICE_NOW_UNANSWERED, "unanswered"}, {SERVICE_NOW_HALF_OPEN_OLD, "half-open-old"},
		{SERVICE_NOW_OPEN, "open"},		{SERVICE_NOW_CLOSING, "closing"},
		{SERVICE_NOW_LAST_ACK, "last-ack"},	{SERVICE_NOW_TIME_WAIT, "time-wait"},
		{SERVICE_NOW_HALF_OPEN, "half-open"},	{SERVICE_NOW_ACCEPT_QUEUE, "accept-queue"},
	};
	uint64_t mine[SERVICE_GAUGES], half_open, either;
	char what[32];
	size_t i;

	snprintf(what, sizeof(what), "service %d:%d", s->addr[15], s->port);
	drift_service(s, mine);
	either = drift_either(s);
	if (s->now[half][SERVICE_NOW_OPEN] - mine[SERVICE_NOW_OPEN] + either <= 2 * either)
		mine[SERVICE_NOW_OPEN] = s->now[half][SERVICE_NOW_OPEN];
	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		compare(o, what, rows[i].name, s->now[half][rows[i].gauge], mine[rows[i].gauge]);
	half_open = mine[SERVICE_NOW_HALF_OPEN] + mine[SERVICE_NOW_ACCEPT_QUEUE];
	compare(o, what, "half-open by the counters",
		s->total[SERVICE_ANSWERED] - s->total[SERVICE_COMPLETED] - s->total[SERVICE_HALF_OPEN_LEFT], half_open);
	compare(o, what, "corrected", s->corrected, 0);
	o->services++;
	o->half_open += half_open;
}

static void compare_source(struct outcome *o, const struct source *s, unsigned half)
{
	static const enum source_gauge rows[] = {SOURCE_NOW_UNANSWERED, SOURCE_NOW_STALE, SOURCE_NOW_HALF_OPEN,
						 SOURCE_NOW_TIME_WAIT};
	static const char *const names[] = {
#define X(id, name, text) name,
		WARD_SOURCE_GAUGES(X)
#undef X
	};
	uint64_t mine[SOURCE_GAUGES];
	char what[32];
	size_t i;

	snprintf(what, sizeof(what), "source %d/%d", s->addr[15], s->prefix_len);
	drift_source(s, mine);
	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		compare(o, what, names[rows[i]], s->now[half][rows[i]], mine[rows[i]]);
	o->sources++;
}

/* Compares what the last sweep counted; since then nothing happened. skip: leave this record out. */
static struct outcome compare_everything(struct rig *rig, bool quiet, int skip)
{
	struct outcome o = {.quiet = quiet};
	unsigned half = rig->w->control->account_half & 1;
	struct source source;
	int i;

	drift_read(rig, skip);
	compare_all(rig, &o);
	for (i = 0; i < DRIFT_SERVICES; i++)
		if (drift_services[i].live)
			compare_service(&o, &drift_services[i], half);
	for (i = 0; i < (int)rig->w->opt.sources; i++) {
		drift_read_map(rig, MAP_SOURCES, (uint32_t)i, &source);
		if (source.live)
			compare_source(&o, &source, half);
	}
	return o;
}

/* ---- what must have happened, or the test is none ---- */
static void report_coverage(struct rig *rig)
{
	static const struct {
		enum ward_counter counter;
		const char *name;
	} rows[] = {
		{CNT_FLOWS_NEW, "begun"},	  {CNT_MIDSTREAM_NEW, "met mid-stream"}, {CNT_PROMOTED, "promoted"},
		{CNT_END_CLOSED, "closed"},	  {CNT_END_RESET, "reset"},		 {CNT_END_REFUSED, "refused"},
		{CNT_END_TIMEOUT, "timed out"},	  {CNT_END_REUSE, "reused"},		 {CNT_EVICT_SYN_SENT, "evicted in SYN-SENT"},
		{CNT_TABLE_FULL, "table full"},	  {CNT_EVICT_SYN_RECEIVED, "evicted in SYN-RECEIVED"},
		{CNT_EARLY_EXPIRY, "early expiry"},
	};
	struct ward_counters c = rig_counters(rig);
	size_t i, n = sizeof(rows) / sizeof(*rows), seldom = 0;

	printf("# drift:");
	for (i = 0; i < n; i++) {
		printf("%s %s %llu", i ? "," : "", rows[i].name, (unsigned long long)c.counter[rows[i].counter]);
		seldom += c.counter[rows[i].counter] < 100;
	}
	puts("");
	rig_report(!seldom, "drift: all that moves a gauge happened", "%zu of %zu kinds of it 100 times and more", n - seldom, n);
}

/* ---- the run ---- */
static void let_time_pass(struct rig *rig)
{
	uint32_t luck = any(100);

	rig_wait(rig, luck < 92 ? SWEEP_NS : luck < 97 ? 11 * SWEEP_NS : 65 * SWEEP_NS);
}

static struct outcome run(struct rig *rig, int segments)
{
	struct outcome sum = {0}, o;
	int i, base = 0;

	for (i = 1; i <= segments; i++) {
		if (i % 200 == 0) /* those at work change slowly */
			base = (base + (int)any(10)) % TUPLES;
		rig->now_ns += any(2000000);
		one_segment(rig, (base + (int)any(AT_WORK)) % TUPLES);
		if (any(700) == 0)
			let_time_pass(rig);
		if (i % COMPARE_EVERY)
			continue;
		rig_wait(rig, SWEEP_NS); /* twice: each sweep glances at one half of the open flows */
		rig_wait(rig, SWEEP_NS);
		o = compare_everything(rig, sum.wrong > 0, -1);
		sum.compared += o.compared;
		sum.wrong += o.wrong;
		sum.services += o.services;
		sum.sources += o.sources;
		sum.half_open += o.half_open;
	}
	return sum;
}

/* A count too many for one service: the comparison finds it, and the sweep corrects and counts it. */
static void control_counter(struct rig *rig)
{
	int cpus = libbpf_num_possible_cpus();
	struct service_counts *parts = calloc((size_t)cpus, sizeof(*parts));
	int fd = bpf_map__fd(((struct tcpward_bpf *)rig->w->skel)->maps.service_counts);
	uint64_t corrected = rig_counters(rig).counter[CNT_CORRECTED];
	struct service service;
	struct outcome o;
	uint32_t i;

	for (i = 0; i < rig->w->opt.services; i++) {
		drift_read_map(rig, MAP_SERVICES, i, &service);
		if (service.live)
			break;
	}
	if (i == rig->w->opt.services || bpf_map_lookup_elem(fd, &i, parts)) {
		rig_report(false, "drift: a count too many is found (control)", "no service");
		return;
	}
	parts[0].count[SERVICE_ANSWERED]++;
	bpf_map_update_elem(fd, &i, parts, BPF_ANY);
	free(parts);
	rig_wait(rig, SWEEP_NS);
	rig_wait(rig, SWEEP_NS); /* what one recount finds the next one must find too */
	o = compare_everything(rig, true, -1);
	corrected = rig_counters(rig).counter[CNT_CORRECTED] - corrected;
	rig_report(o.wrong == 2 && corrected == 1, "drift: a count too many is found, and corrected (control)",
		   "%d differences, %llu corrected", o.wrong, (unsigned long long)corrected);
}

int main(int argc, char **argv)
{
	int segments = argc > 1 ? atoi(argv[1]) : SEGMENTS;
	struct rig_options opt;
	struct outcome o;
	struct rig rig;

	state = argc > 2 ? strtoull(argv[2], NULL, 10) : SEED;
	rig_options_init(&opt);
	opt.ward.flows = 1024;
	opt.ward.embryos = 256;
	opt.ward.services = DRIFT_SERVICES;
	opt.ward.sources = 256;
	opt.ward.msl_s = 5;
	rig_open(&rig, &opt);
	o = run(&rig, segments);
	rig_report(!o.wrong && o.half_open && o.services && o.sources, "drift: every gauge is what a recount finds",
		   "%d segments, seed %llu: %d comparisons, of %d services, %d sources, %llu half-open flows; %d differ", segments,
		   (unsigned long long)(argc > 2 ? strtoull(argv[2], NULL, 10) : SEED), o.compared, o.services, o.sources,
		   (unsigned long long)o.half_open, o.wrong);
	rig_report(!rig.wrong_verdicts, "drift: every segment passed", "%d did not", rig.wrong_verdicts);
	report_coverage(&rig);
	o = compare_everything(&rig, true, 0);
	rig_report(o.wrong >= 3, "drift: one flow that is not there is found (control)", "%d differences", o.wrong);
	control_counter(&rig);
	rig_close(&rig);
	return rig_result();
}
