/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Contention for the sets of services: the first SYN-ACK of a service comes while another CPU makes a service in the same set.
 * It waits: given up, the service would have no record, and its flow would be half-open for good in the gauge alone. Here this
 * thread is the other CPU: it holds the lock of every set, in the map, until the segment is on its way and a little longer.
 *
 * A try during which this thread was stopped itself, by whatever else the machine does, is none: nobody waits for so long.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "account.h"
#include "prog/rig.h"
#include "sweep.h"
#include "tcpward.skel.h"

#define SERVICES 256
#define SETS (SERVICES / ACCOUNT_WAYS)
#define TRIES 100
#define ENOUGH 20
#define HELD_NS 30000
#define HELD_MOST_NS 60000 /* LOCK_TRIES of bpf/record.h take longer */
#define FIRST_PORT 1000

static struct rig rig;
static struct account_set sets[SETS];
static atomic_int asked, on_its_way, answered; /* numbers of tries */

static void die(const char *what)
{
	printf("not ok programs: contend: cannot %s\n", what);
	exit(1);
}

static void stay_on(unsigned which)
{
	cpu_set_t cpu;

	CPU_ZERO(&cpu);
	CPU_SET(which, &cpu);
	if (pthread_setaffinity_np(pthread_self(), sizeof(cpu), &cpu))
		die("stay on one CPU");
}

static uint64_t clock_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000ULL + (uint64_t)t.tv_nsec;
}

static void send_segment(int service, bool from_server, struct wire_segment seg)
{
	struct wire_layout layout = {.name = "contend"};
	struct wire_end c, s;
	uint8_t frame[WIRE_MAX];
	size_t len;

	seg.win = 64240;
	wire_address(&c, false, 10, 20000);
	wire_address(&s, false, 1, (uint16_t)(FIRST_PORT + service));
	len = wire_build(frame, &layout, from_server ? &s : &c, from_server ? &c : &s, &seg);
	if (ward_feed(rig.w, frame, len, (uint32_t)len, false, rig.now_ns, 1) < 0)
		die("feed a segment");
}

/* The CPU that the SYN-ACKs come to. */
static void *answer(void *unused)
{
	(void)unused;
	stay_on(1);
	for (int n = 1; n <= TRIES; n++) {
		while (atomic_load(&asked) < n)
			;
		if (atomic_load(&asked) > TRIES)
			break;
		atomic_store(&on_its_way, n);
		send_segment(n, true, (struct wire_segment){.bits = TH_SYN | TH_ACK, .seq = 5000, .ack = 1001});
		atomic_store(&answered, n);
	}
	return NULL;
}

static void read_sets(int fd)
{
	for (uint32_t i = 0; i < SETS; i++)
		if (bpf_map_lookup_elem(fd, &i, &sets[i]))
			die("read a set of services");
}

static void write_sets(int fd, uint32_t lock)
{
	for (uint32_t i = 0; i < SETS; i++) {
		sets[i].lock = lock;
		if (bpf_map_update_elem(fd, &i, &sets[i], BPF_ANY))
			die("write a set of services");
	}
}

/* One try: false if it was held for too long. */
static bool contend(int fd, int n)
{
	uint64_t began;

	send_segment(n, false, (struct wire_segment){.bits = TH_SYN, .seq = 1000});
	read_sets(fd);
	write_sets(fd, 1);
	atomic_store(&asked, n);
	while (atomic_load(&on_its_way) < n)
		;
	began = clock_ns();
	while (clock_ns() - began < HELD_NS)
		;
	write_sets(fd, 0);
	began = clock_ns() - began;
	while (atomic_load(&answered) < n)
		;
	return began < HELD_MOST_NS;
}

/* What is counted for the service of try n; 0, too, where it has no record. */
static uint64_t counted(int n)
{
	for (uint32_t i = 0; i < rig.w->opt.services; i++) {
		struct service s;

		if (bpf_map_lookup_elem(rig.w->map[MAP_SERVICES], &i, &s))
			die("read a service");
		if (s.live && s.port == FIRST_PORT + n)
			return s.total[SERVICE_ANSWERED];
	}
	return 0;
}

int main(void)
{
	static bool good[TRIES + 1];
	unsigned tries = 0, done = 0, lost = 0;
	struct rig_options opt;
	pthread_t other;
	int fd;

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2) {
		printf("skip programs: contend: one CPU\n");
		return 0;
	}
	rig_options_init(&opt);
	opt.ward.services = SERVICES;
	rig_open(&rig, &opt);
	fd = bpf_map__fd(((struct tcpward_bpf *)rig.w->skel)->maps.service_sets);
	stay_on(0);
	pthread_create(&other, NULL, answer, NULL);
	for (int n = 1; n <= TRIES && done < ENOUGH; n++, tries++)
		done += good[n] = contend(fd, n);
	atomic_store(&asked, TRIES + 1);
	pthread_join(other, NULL);
	rig_wait(&rig, 1000000000);
	for (int n = 1; n <= TRIES; n++)
		lost += good[n] && counted(n) != 1;
	if (done >= ENOUGH / 4)
		rig_report(!lost, "contend: the first SYN-ACK of a service waits for the lock of its set", "%u of %u lost (%u tries)", lost, done,
			   tries);
	else
		printf("skip programs: contend: this machine is too busy: of %u tries %u were undisturbed\n", tries, done);
	rig_close(&rig);
	return rig_result();
}
