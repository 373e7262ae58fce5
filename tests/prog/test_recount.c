/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Recounts while packets run: two threads make handshakes to the same new services as fast as they can, a third one sweeps. No
 * recount may call drift what has merely moved while it walked, and no count may be lost between the threads: in the end every
 * service's half-open gauge is what its counters say, and nothing was corrected. The control: one count too many is.
 *
 *   test_recount [ROUNDS]
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "account.h"
#include "prog/rig.h"
#include "sweep.h"
#include "tcpward.skel.h"

#define FEEDERS 2
#define SERVICES 1500
#define ROUNDS 12
#define SWEEP_NS 1000000000ULL

static struct rig rig;
static atomic_int met[FEEDERS]; /* how many services each feeder has come to */
static atomic_bool over;
static atomic_uint sweeps;
static unsigned rounds = ROUNDS;

static void send_segment(unsigned client, unsigned service, bool from_server, struct wire_segment seg)
{
	struct wire_layout layout = {.name = "recount"};
	struct wire_end c, s;
	uint8_t frame[WIRE_MAX];
	size_t len;

	seg.win = 64240;
	wire_address(&c, false, 10 + client, (uint16_t)(20000 + service));
	wire_address(&s, false, 1, (uint16_t)(1000 + service));
	len = wire_build(frame, &layout, from_server ? &s : &c, from_server ? &c : &s, &seg);
	if (ward_feed(rig.w, frame, len, (uint32_t)len, false, rig.now_ns, 1) < 0) {
		printf("not ok programs: recount: %s\n", ward_reason());
		exit(1);
	}
}

/* A whole handshake, a half-open one that is reset, or one that stays, and a way to open the same ports again next time. */
static void one_connection(unsigned client, unsigned service, unsigned round)
{
	uint32_t c = 1000000 * (round + 1), s = c + 500000;

	send_segment(client, service, false, (struct wire_segment){.bits = TH_SYN, .seq = c});
	send_segment(client, service, true, (struct wire_segment){.bits = TH_SYN | TH_ACK, .seq = s, .ack = c + 1});
	if (round == rounds - 1 && service % 8 == 0)
		return; /* half-open to the end */
	if ((service + round) % 4 == 0) {
		send_segment(client, service, false, (struct wire_segment){.bits = TH_RST, .seq = c + 1});
		return;
	}
	send_segment(client, service, false, (struct wire_segment){.bits = TH_ACK, .seq = c + 1, .ack = s + 1});
	send_segment(client, service, false, (struct wire_segment){.bits = TH_RST | TH_ACK, .seq = c + 1, .ack = s + 1});
}

static void *feed(void *which)
{
	unsigned me = (unsigned)(uintptr_t)which;
	cpu_set_t cpu;
	int turn = 0;

	CPU_ZERO(&cpu);
	CPU_SET(me % (unsigned)sysconf(_SC_NPROCESSORS_ONLN), &cpu);
	pthread_setaffinity_np(pthread_self(), sizeof(cpu), &cpu);
	for (unsigned round = 0; round < rounds; round++)
		for (unsigned service = 0; service < SERVICES; service++) {
			atomic_store(&met[me], ++turn);
			for (int i = 0; !round && i < 100000 && atomic_load(&met[!me]) < turn; i++)
				; /* the first SYN-ACKs of a service come at once */
			one_connection(me, service, round);
		}
	return NULL;
}

static void *sweep(void *unused)
{
	(void)unused;
	while (!atomic_load(&over)) {
		if (ward_sweep(rig.w, rig.now_ns) < 0) {
			printf("not ok programs: recount: %s\n", ward_reason());
			exit(1);
		}
		atomic_fetch_add(&sweeps, 1);
	}
	return NULL;
}

static void read_service(uint32_t index, struct service *s)
{
	if (bpf_map_lookup_elem(rig.w->map[MAP_SERVICES], &index, s)) {
		printf("not ok programs: recount: cannot read service %u\n", index);
		exit(1);
	}
}

struct sums {
	unsigned services, wrong;
	uint64_t answered, half_open, gauge;
};

static struct sums add_up(void)
{
	unsigned half = rig.w->control->account_half & 1;
	struct sums sum = {0};

	for (uint32_t i = 0; i < rig.w->opt.services; i++) {
		struct service s;
		uint64_t open, gauge;

		read_service(i, &s);
		if (!s.live)
			continue;
		open = s.total[SERVICE_ANSWERED] - s.total[SERVICE_COMPLETED] - s.total[SERVICE_HALF_OPEN_LEFT];
		gauge = s.now[half][SERVICE_NOW_HALF_OPEN] + s.now[half][SERVICE_NOW_ACCEPT_QUEUE];
		sum.services++;
		sum.wrong += open != gauge;
		sum.answered += s.total[SERVICE_ANSWERED];
		sum.half_open += open;
		sum.gauge += gauge;
	}
	return sum;
}

static uint64_t corrected(void)
{
	return rig_counters(&rig).counter[CNT_CORRECTED];
}

/* A count too many for the first service: must be found by the second recount from now. */
static void control(void)
{
	int fd = bpf_map__fd(((struct tcpward_bpf *)rig.w->skel)->maps.service_counts), cpus = libbpf_num_possible_cpus();
	struct service_counts *parts = calloc((size_t)cpus, sizeof(*parts));
	uint64_t before = corrected();
	struct service s;
	uint32_t i = 0;

	for (read_service(0, &s); !s.live; read_service(i, &s))
		i++;
	if (!parts || bpf_map_lookup_elem(fd, &i, parts)) {
		rig_report(false, "recount: one count too many is found, once (control)", "cannot read its counts");
		return;
	}
	parts[0].count[SERVICE_COMPLETED]++;
	bpf_map_update_elem(fd, &i, parts, BPF_ANY);
	free(parts);
	for (int n = 0; n < 4; n++)
		rig_wait(&rig, SWEEP_NS);
	rig_report(corrected() == before + 1, "recount: one count too many is found, once (control)", "corrected by %llu",
		   (unsigned long long)(corrected() - before));
}

int main(int argc, char **argv)
{
	pthread_t feeder[FEEDERS], sweeper;
	struct rig_options opt;
	uint64_t expected, left;
	struct sums sum;

	rounds = argc > 1 ? (unsigned)atoi(argv[1]) : ROUNDS;
	rig_options_init(&opt);
	opt.ward.flows = 32768;
	opt.ward.embryos = 32768;
	opt.ward.services = 4096;
	opt.ward.sources = 256;
	rig_open(&rig, &opt);
	pthread_create(&sweeper, NULL, sweep, NULL);
	for (uintptr_t i = 0; i < FEEDERS; i++)
		pthread_create(&feeder[i], NULL, feed, (void *)i);
	for (int i = 0; i < FEEDERS; i++)
		pthread_join(feeder[i], NULL);
	atomic_store(&over, true);
	pthread_join(sweeper, NULL);
	rig_report(corrected() == 0, "recount: what moves while it walks is no drift", "%u recounts, corrected by %llu",
		   atomic_load(&sweeps), (unsigned long long)corrected());
	for (int i = 0; i < 3; i++)
		rig_wait(&rig, SWEEP_NS);
	sum = add_up();
	expected = (uint64_t)FEEDERS * SERVICES * rounds;
	left = (uint64_t)FEEDERS * ((SERVICES + 7) / 8);
	rig_report(sum.services == SERVICES && sum.answered == expected, "recount: no SYN-ACK is lost between two CPUs",
		   "%u services, %llu answered of %llu", sum.services, (unsigned long long)sum.answered,
		   (unsigned long long)expected);
	rig_report(!sum.wrong && sum.half_open == left && sum.gauge == left && !corrected(),
		   "recount: every half-open gauge is what its counters say", "%llu of %llu, by counters %llu; %u differ",
		   (unsigned long long)sum.gauge, (unsigned long long)left, (unsigned long long)sum.half_open, sum.wrong);
	control();
	rig_close(&rig);
	return rig_result();
}
