/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The sweep with all that it does: flows of mixed states, unanswered SYNs in every place, services and sources with records;
 * and how late a softirq comes on the CPU that sweeps, which is the delay of a packet.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "bench/bench.h"
#include "bench/turn.h"
#include "embryo.h"
#include "finding.h"
#include "sweep.h"
#include "tcp_opts.h"
#include "ward/inside.h"
/* after the headers above: its types are theirs */
#include "bench.skel.h"

#define BATCH 4096
#define SERVICES 1000
#define SOURCES 4000
#define SYNS 60000 /* into 32,768 places */
#define FRAME 54

/* ---- what goes through the programs ---- */
static void put_frame(uint8_t frame[FRAME], uint32_t saddr, uint16_t sport, uint32_t daddr, uint16_t dport, uint8_t bits,
		      uint32_t seq, uint32_t ack)
{
	static const uint8_t head[] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, 0x45, 0, 0, 40, 0, 0, 0x40, 0, 64, 6};
	uint8_t *tcp = frame + 34;
	uint32_t word;

	memset(frame, 0, FRAME);
	memcpy(frame, head, sizeof(head));
	word = htonl(saddr);
	memcpy(frame + 26, &word, 4);
	word = htonl(daddr);
	memcpy(frame + 30, &word, 4);
	tcp[0] = (uint8_t)(sport >> 8);
	tcp[1] = (uint8_t)sport;
	tcp[2] = (uint8_t)(dport >> 8);
	tcp[3] = (uint8_t)dport;
	word = htonl(seq);
	memcpy(tcp + 4, &word, 4);
	word = htonl(ack);
	memcpy(tcp + 8, &word, 4);
	tcp[12] = 0x50;
	tcp[13] = bits;
	tcp[14] = 0xfa;
}

static void feed(struct ward *w, uint32_t saddr, uint16_t sport, uint32_t daddr, uint16_t dport, uint8_t bits, uint32_t seq,
		 uint32_t ack)
{
	uint8_t frame[FRAME];

	put_frame(frame, saddr, sport, daddr, dport, bits, seq, ack);
	if (ward_feed(w, frame, FRAME, FRAME, false, ward_now_ns(w), 1) < 0)
		bench_die("%s", ward_reason());
}

/* Handshakes half done: a record for each service, and for each source. Then SYNs that nothing answers. */
static void feed_accounts(struct ward *w)
{
	uint32_t i;

	for (i = 0; i < SOURCES; i++) {
		uint32_t client = 0x0b000000 + i, server = 0x0a800000 + i % SERVICES;

		feed(w, client, 5000, server, 443, TH_SYN, 1000, 0);
		feed(w, server, 443, client, 5000, TH_SYN | TH_ACK, 9000, 1001);
	}
	for (i = 0; i < SYNS; i++)
		feed(w, 0x0c000000 + i, 6000, 0x0a800000 + i % SERVICES, 443, TH_SYN, 1000, 0);
}

/* ---- what stands in the table ---- */
/* So many percent open and busy; of the others half in TIME-WAIT, the rest on its way there or hanging. Each with one of the services. */
static void mixed_flow(struct flow_key *key, struct flow *f, uint32_t number, unsigned open, uint64_t now)
{
	static const uint8_t states[][2] = {
		{ESTABLISHED, ESTABLISHED}, {TIME_WAIT, CLOSED}, {CLOSED, TIME_WAIT}, {FIN_WAIT_2, CLOSE_WAIT},
		{TIME_WAIT, LAST_ACK},
	};
	uint32_t server = htonl(0x0a800000 + number % SERVICES), client = htonl(0x0d000000 + number / 50000);
	int i, row = number / 7 % 100 < open ? 0 : 1 + number % 4;

	memset(key, 0, sizeof(*key));
	memset(f, 0, sizeof(*f));
	key->a_addr[10] = key->a_addr[11] = key->b_addr[10] = key->b_addr[11] = 0xff;
	memcpy(key->a_addr + 12, &server, 4);
	memcpy(key->b_addr + 12, &client, 4);
	key->a_port = 443;
	key->b_port = (uint16_t)(1024 + number % 50000);
	for (i = 0; i < 2; i++) {
		f->state[i] = states[row][i];
		f->known[i] = KNOWN_CONF;
		f->half[i].pkts = 10;
		f->half[i].last_ns = f->since_ns[i] = now;
		f->win[i] = 64240;
	}
	f->orig = 1;
	f->start_ns = now;
	f->phase = PHASE_LIVE;
	f->vlan = VLAN_UNSEEN;
}

/* Returns how many of them are open. */
static unsigned fill(struct ward *w, unsigned flows, unsigned open)
{
	struct flow_key *keys = calloc(BATCH, sizeof(*keys));
	struct flow *values = calloc(BATCH, sizeof(*values));
	unsigned n, i, are_open = 0;
	uint32_t count;

	for (n = 0; n < flows; n += count) {
		count = flows - n < BATCH ? flows - n : BATCH;
		for (i = 0; i < count; i++) {
			mixed_flow(&keys[i], &values[i], n + i, open, ward_now_ns(w));
			are_open += values[i].state[0] == ESTABLISHED;
		}
		if (bpf_map_update_batch(w->map[MAP_FLOWS], keys, values, &count, NULL))
			bench_die("cannot fill the table: %s", strerror(errno));
	}
	free(keys);
	free(values);
	return are_open;
}

struct counted {
	unsigned services, open;
};

static int count_service(const struct service *s, unsigned half, void *ctx)
{
	struct counted *c = ctx;

	c->services++;
	c->open += s->now[half][SERVICE_NOW_OPEN];
	return 0;
}

static int count_source(const struct source *s, unsigned half, void *ctx)
{
	(void)half;
	*(unsigned *)ctx += s->prefix_len == 32;
	return 0;
}

/* ---- the delay ---- */
static struct bench_bpf *timer_bed(void)
{
	struct bench_bpf *skel = bench_bpf__open();
	struct bpf_program *prog;

	if (!skel)
		bench_die("cannot open the programs: %s", strerror(errno));
	bpf_object__for_each_program(prog, skel->obj)
		bpf_program__set_autoload(prog, !strcmp(bpf_program__name(prog), "bench_tick"));
	if (bench_bpf__load(skel))
		bench_die("cannot load the timer: %s", strerror(errno));
	return skel;
}

/*
 * Runs the sweep (or the same time of nothing) with a timer of 200 us in softirq on this CPU; the latest that it came, in ms:
 * the median of 7 times 0.3 s, since a hypervisor too makes it late now and then.
 */
static double latest_tick(struct ward *w, bool sweep)
{
	struct bench_bpf *skel = timer_bed();
	double ms[ROUNDS];
	uint64_t until;
	int i;

	if (bpf_prog_test_run_opts(bpf_program__fd(skel->progs.bench_tick), NULL))
		bench_die("cannot start the timer: %s", strerror(errno));
	for (i = 0; i < ROUNDS; i++) {
		skel->bss->tick.latest_ns = skel->bss->tick.count = 0;
		until = bench_wall_ns() + 300000000;
		while (bench_wall_ns() < until)
			if (sweep && ward_sweep(w, ward_now_ns(w)) < 0)
				bench_die("%s", ward_reason());
		if (skel->bss->tick.count < 300)
			bench_die("the timer came %lu times in 0.3 s", (long)skel->bss->tick.count);
		ms[i] = (double)skel->bss->tick.latest_ns / 1e6;
	}
	bench_bpf__destroy(skel);
	return median(ms, ROUNDS);
}

void bench_mixed(unsigned flows, unsigned capacity, unsigned open, const char *label, double goal_ms)
{
	unsigned sources = 0, are_open;
	struct counted counted = { 0, 0 };
	struct ward *w = ward_new();
	struct ward_gauges gauges;
	double ms[ROUNDS];
	uint64_t began;
	char name[64];
	int i;

	if (!w)
		bench_die("out of memory");
	ward_options_init(&w->opt);
	w->opt.flows = capacity;
	if (load_probe() || load_programs(w))
		bench_die("%s", ward_reason());
	feed_accounts(w);
	are_open = fill(w, flows, open);
	for (i = -2; i < ROUNDS; i++) {
		began = bench_cpu_ns();
		if (ward_sweep(w, ward_now_ns(w)) < 0)
			bench_die("%s", ward_reason());
		if (i >= 0)
			ms[i] = (double)(bench_cpu_ns() - began) / 1e6;
	}
	ward_services_each(w, count_service, &counted);
	ward_sources_each(w, count_source, &sources);
	if (ward_gauges_read(w, &gauges) || gauges.flows != flows || counted.services != SERVICES ||
	    counted.open != are_open || sources < SOURCES / 2)
		bench_die("%lu flows, %u of %u open ones counted, %u services, %u sources: not what was fed",
			  (long)gauges.flows, counted.open, are_open, counted.services, sources);
	bench_title("sweep, %s flows, %u %% of them open, %u services, %u sources, %lu embryos; detectors and all", label, open,
		    counted.services, sources, (long)gauges.embryos);
	snprintf(name, sizeof(name), "sweep and detectors, %s flows, %u %% open", label, open);
	result_add(name, median(ms, ROUNDS), "ms CPU", goal_ms, false);
	snprintf(name, sizeof(name), "softirq's delay without a sweep, %s, %u %%", label, open);
	result_add(name, latest_tick(w, false), "ms", 0, false);
	snprintf(name, sizeof(name), "softirq's delay while it sweeps, %s, %u %%", label, open);
	result_add(name, latest_tick(w, true), "ms", 5, false);
	ward_close(w);
}
