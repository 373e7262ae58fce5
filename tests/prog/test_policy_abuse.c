/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What must not be held against those who did nothing wrong: ordinary clients, after many connections, and after an apply. */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "prog/enforce_rig.h"

#define C "10.0.0.1"
#define S "10.9.9.9"

/* Where the segments of the responder are not seen, says_by() is left out and the client says what it would. */
static int connection(struct rig *rig, struct talk *t, bool seen_both_ways)
{
	int lost = says(rig, t, CLIENT, TH_SYN, 0);

	if (lost)
		return 1;
	if (seen_both_ways)
		says_by(rig, HOOK_TC_OUT, t, SERVER, TH_SYN | TH_ACK, 0);
	else
		t->ack[CLIENT] = ++t->seq[SERVER];
	lost |= says(rig, t, CLIENT, TH_ACK, 0);
	lost |= says(rig, t, CLIENT, TH_PSH | TH_ACK, 100);
	if (seen_both_ways)
		says_by(rig, HOOK_TC_OUT, t, SERVER, TH_PSH | TH_ACK, 1000);
	lost |= says(rig, t, CLIENT, TH_FIN | TH_ACK, 0);
	return lost;
}

static void test_many(struct rig *rig, bool seen_both_ways)
{
	int i, lost = 0;

	case_begin(seen_both_ways ? "abuse: 10,000 ordinary connections of one client are no half-open ones" :
				    "abuse: ... where the service's answers are not seen");
	rig->now_ns += 12345678901ULL;
	enforce(rig, "services:\n"
		     "  - {name: web, match: {dport: 80}, half-open: {max: 500, then: drop}, half-open-per-source: {max: 64, for: 10m}}\n");
	for (i = 0; i < 10000; i++) {
		struct talk t = talk_of(C, (uint16_t)(1024 + i), S, 80);

		lost += connection(rig, &t, seen_both_ways);
		rig->now_ns += 4 * MS;
	}
	same(lost, 0);
	same(drops_of(rig).dropped[DROP_HALF_OPEN_SOURCE], 0);
	same(drops_of(rig).dropped[DROP_HALF_OPEN], 0);
	enforce_nothing(rig);
	case_end();
}

#define AT_ONCE 40000 /* connections of each CPU */
#define DISTURBED_MOST 5

struct side {
	struct rig rig; /* a copy: the clock stands */
	pthread_t thread;
	int cpu, lost;
};

static void *connect_many(void *arg)
{
	struct side *s = arg;
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(s->cpu, &set);
	pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
	for (int i = 0; i < AT_ONCE; i++) {
		struct talk t = talk_of(C, (uint16_t)(1024 + i), s->cpu ? "10.9.9.8" : S, 80);

		s->lost += says(&s->rig, &t, CLIENT, TH_SYN, 0);
		says_by(&s->rig, HOOK_TC_OUT, &t, SERVER, TH_RST | TH_ACK, 0);
	}
	return NULL;
}

/* What both sides lost. busy: segments that were not applied, since a lock was held for 20,000 attempts. */
static int connect_on_both(struct rig *rig, uint64_t *busy)
{
	struct side side[2] = { { .rig = *rig, .cpu = 0 }, { .rig = *rig, .cpu = 1 } };

	*busy = rig_counters(rig).reason[REASON_LOCK_BUSY];
	for (int i = 0; i < 2; i++)
		pthread_create(&side[i].thread, NULL, connect_many, &side[i]);
	for (int i = 0; i < 2; i++)
		pthread_join(side[i].thread, NULL);
	*busy = rig_counters(rig).reason[REASON_LOCK_BUSY] - *busy;
	return side[0].lost + side[1].lost;
}

/*
 * What one CPU takes away while another adds must not get lost: it would be half-open for a minute. Where the hypervisor stops
 * a CPU that holds a lock, the other one's RSTs are not applied, so those do stay half-open: then it is tried again, later.
 */
static void test_two_cpus(struct rig *rig)
{
	static const char what[] = "abuse: a busy client's half-open ones are counted down on two CPUs at once";
	int tries = 0, lost;
	uint64_t busy;

	case_begin(what);
	enforce(rig, "services:\n  - {name: web, match: {dport: 80}, half-open-per-source: {max: 4}}\n");
	do {
		rig_wait(rig, 300 * SECOND);
		lost = connect_on_both(rig, &busy);
	} while (busy && lost && ++tries < DISTURBED_MOST);
	enforce_nothing(rig);
	if (busy && lost) {
		printf("skip programs: %s: CPUs were stopped while they held a lock, %d times of %d\n", what, tries, tries);
		return;
	}
	same(lost, 0);
	case_end();
}

static int begun(struct rig *rig, int first, int n)
{
	int i, pass = 0;

	for (i = 0; i < n; i++)
		pass += !syn_dropped(rig, C, (uint16_t)(first + i), S, 80);
	return pass;
}

/* What was used up of a slow rate takes longer to come back than the new policy's whole burst. */
static void test_relaxed(struct rig *rig)
{
	case_begin("abuse: a policy that allows more does so at once");
	enforce(rig, "services:\n  - {name: web, match: {dport: 80}, new-per-source: {rate: 1/m, burst: 100}, new: {rate: 1/m, burst: 150, then: drop}}\n"
		     "rules:\n  - {name: some, match: {dport: 81}, action: drop, above: 1/h, burst: 20}\n");
	same(begun(rig, 1000, 200), 100);
	for (int i = 0; i < 30; i++)
		syn_dropped(rig, C, (uint16_t)(2000 + i), S, 81);
	enforce(rig, "services:\n  - {name: web, match: {dport: 80}, new-per-source: {rate: 50/s, burst: 200}, new: {rate: 1000/s, then: drop}}\n"
		     "rules:\n  - {name: other, match: {dport: 81}, action: drop, above: 100/s}\n");
	rig->now_ns += 10 * SECOND;
	same(begun(rig, 3000, 100), 100);
	same(syn_dropped(rig, C, 1, S, 81), 0);
	enforce_nothing(rig);
	case_end();
}

/* So many intervals are more than 64 bits of nanoseconds: 584 years. */
static void test_deep(struct rig *rig)
{
	case_begin("abuse: a burst that no number can hold is still a burst");
	enforce(rig, "services:\n  - {name: web, match: {dport: 80}, new-per-source: {rate: 1/d, burst: 213505}}\n");
	same(begun(rig, 1000, 50), 50);
	enforce_nothing(rig);
	case_end();
}

/* A finding's block ends by its time; who was blocked by hand before, for ever, stays so. */
static void test_finding_by_hand(struct rig *rig)
{
	struct list_item item = { .prefix.len = 128, .entry = { .by = LISTED_BY_FINDING } };
	struct wire_end c = end_of(C, 1);

	case_begin("abuse: a finding does not shorten what stands on the block list by hand");
	enforce(rig, "rules:\n  - {name: none, match: {saddr: 198.51.100.1}, action: drop}\n");
	list(rig, WARD_BLOCK, C, 0);
	memcpy(item.prefix.addr, c.addr, 16);
	item.entry.until_ns = rig->now_ns + 10 * SECOND;
	same(ward_list_add(rig->w, WARD_BLOCK, &item), 0);
	rig->now_ns += 11 * SECOND;
	same(syn_dropped(rig, C, 1, S, 80), 1);
	enforce_nothing(rig);
	case_end();
}

/* SSH_CONNECTION knows no VLAN. */
static void test_exempt_in_vlan(struct rig *rig)
{
	struct talk t = talk_of(C, 50022, S, 22);
	struct ward_session session = { .count = 1 };
	struct ward_apply how = { .file = "test", .text = "", .session = &session };

	case_begin("abuse: the session that applies a policy is exempt in whichever VLAN it is");
	t.tag = 1;
	same(opens(rig, &t), 0);
	wire_key(&session.flow[0], &t.client, &t.server);
	enforce_with(rig, "rules:\n  - {name: all, match: {any: true}, action: drop}\n", &how);
	same(says(rig, &t, CLIENT, TH_PSH | TH_ACK, 10), 0);
	t.client.port = 50023;
	same(says(rig, &t, CLIENT, TH_PSH | TH_ACK, 10), 1);
	enforce_nothing(rig);
	case_end();
}

int main(void)
{
	struct rig_options opt;
	struct rig rig;

	rig_options_init(&opt);
	rig_open(&rig, &opt);
	test_relaxed(&rig);
	test_many(&rig, true);
	test_two_cpus(&rig);
	test_finding_by_hand(&rig);
	test_deep(&rig);
	rig_close(&rig);

	rig_options_init(&opt);
	opt.ward.hooks_ingress_only = true;
	rig_open(&rig, &opt);
	test_many(&rig, false);
	rig_close(&rig);

	rig_options_init(&opt);
	opt.ward.key_vlan = true;
	rig_open(&rig, &opt);
	test_exempt_in_vlan(&rig);
	rig_close(&rig);
	return rig_result();
}
