/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Limits of services and sources: exact where they are counted, bounded where they forget. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "prog/enforce_rig.h"

#define C "10.0.0.1"
#define S "10.9.9.9"
#define WINDOW (1ULL << 35)

/* Time from SYN to SYN. Half-open ones of a service are summed once a tick, or every 16 SYNs: paced, each SYN meets the sum. */
static uint64_t pace_ns;

/* So many SYNs of one source to port 80: how many pass. */
static int burst(struct rig *rig, const char *from, const char *to, uint16_t sport, int n)
{
	int i, pass = 0;

	for (i = 0; i < n; i++)
		pass += !syn_dropped(rig, from, (uint16_t)(sport + i), to, 80);
	return pass;
}

/* SYNs of so many sources. */
static int flood(struct rig *rig, unsigned first, int n, uint16_t dport)
{
	struct wire_segment syn = {.bits = TH_SYN, .seq = 1000, .win = 64240};
	struct wire_end from, to = end_of(S, dport);
	int i, pass = 0;

	for (i = 0; i < n; i++) {
		wire_address(&from, false, 0x100000 + first + (unsigned)i, 1024);
		rig->now_ns += pace_ns;
		pass += !dropped(rig, &from, &to, &syn);
	}
	return pass;
}

static const uint64_t any_start = 12345678901ULL; /* no limit depends on round numbers */

static void start(struct rig *rig, const char *yaml)
{
	rig->now_ns += any_start;
	enforce(rig, yaml);
}

/* A handshake as a server's host sees it. */
static int begin(struct rig *rig, struct talk *t)
{
	rig->now_ns += pace_ns;
	return says(rig, t, CLIENT, TH_SYN, 0);
}

static void complete(struct rig *rig, struct talk *t)
{
	says_by(rig, HOOK_TC_OUT, t, SERVER, TH_SYN | TH_ACK, 0);
	says(rig, t, CLIENT, TH_ACK, 0);
}

/* ---- rates ---- */
static void test_rate(struct rig *rig)
{
	uint64_t begun;
	int i, pass, least, most;

	case_begin("limits: new-per-source: burst and rate, never more, never less");
	start(rig, "services:\n  - {name: web, match: {dport: 80}, new-per-source: {rate: 10/s, burst: 20}}\n");
	pass = burst(rig, C, S, 1000, 100);
	same(pass, 20);
	same(count_of(rig, SUBJECT_LIMIT(0, LIMIT_NEW_SOURCE)).dropped, 80);
	same(drops_of(rig).dropped[DROP_NEW_SOURCE], 80);
	begun = rig->now_ns;
	for (i = 0; i < 400; i++) { /* more is asked for than there is, all the time */
		rig->now_ns += 20 * MS + (uint64_t)(i * 7919 % 13) * MS;
		pass += burst(rig, C, S, (uint16_t)(2000 + 3 * i), 3);
		least = (int)((rig->now_ns - begun) / (100 * MS)) + 20 - 1;
		most = (int)((rig->now_ns - begun + 4 * MS) / (100 * MS)) + 20;
		check(pass >= least && pass <= most);
	}
	same(burst(rig, "10.0.0.2", S, 1000, 30), 20); /* each source has its own */
	same(syn_dropped(rig, C, 9, S, 81), 0);	       /* not of the service */
	enforce_nothing(rig);

	start(rig, "services:\n  - {name: web, match: {dport: 80}, new-per-source: {rate: 10/s, burst: 20, prefix: {v4: 24, v6: 64}}}\n");
	same(burst(rig, C, S, 1000, 15) + burst(rig, "10.0.0.255", S, 1000, 15), 20);
	same(burst(rig, "10.0.1.0", S, 1000, 30), 20);
	same(burst(rig, "2001:db8::1", "2001:db8:9::1", 1000, 15) + burst(rig, "2001:db8::ffff:1", "2001:db8:9::1", 1000, 15), 20);
	same(burst(rig, "2001:db8:0:1::1", "2001:db8:9::1", 1000, 30), 20);
	enforce_nothing(rig);
	case_end();
}

static void test_modes(struct rig *rig)
{
	case_begin("limits: a limit in dry run counts what it would drop; in monitor nothing");
	start(rig, "services:\n"
		   "  - {name: a, match: {dport: 80}, new-per-source: {rate: 1/m, burst: 5, mode: dry-run, for: 10s}}\n"
		   "  - {name: b, match: {dport: 81}, mode: monitor, new: {rate: 1/m, burst: 1, then: drop}}\n");
	same(burst(rig, C, S, 1000, 8), 8);
	same(count_of(rig, SUBJECT_LIMIT(0, LIMIT_NEW_SOURCE)).would, 3);
	same(count_of(rig, SUBJECT_LIMIT(0, LIMIT_NEW_SOURCE)).dropped, 0);
	same(ward_list_count(rig->w, WARD_BLOCK), 0);
	same(flood(rig, 0, 5, 81), 5);
	same(count_of(rig, SUBJECT_LIMIT(1, LIMIT_NEW)).hits, 0);
	enforce_nothing(rig);
	case_end();
}

static void test_block(struct rig *rig)
{
	case_begin("limits: with 'for' the source is blocked, all of it, for so long, and again");
	start(rig, "services:\n  - {name: web, match: {dport: 80}, new-per-source: {rate: 100/s, burst: 5, for: 10s, prefix: {v4: 24}}}\n");
	same(burst(rig, C, S, 1000, 5), 5);
	same(syn_dropped(rig, C, 1, S, 81), 0);
	same(ward_list_count(rig->w, WARD_BLOCK), 0);
	same(burst(rig, C, S, 2000, 3), 0);
	same(drops_of(rig).dropped[DROP_NEW_SOURCE], 1);
	same(drops_of(rig).dropped[DROP_BLOCK_LIST], 2);
	same(ward_list_count(rig->w, WARD_BLOCK), 1);
	same(syn_dropped(rig, C, 2, S, 81), 1);
	same(syn_dropped(rig, "10.0.0.200", 3, S, 81), 1);
	same(syn_dropped(rig, "10.0.1.1", 3, S, 81), 0);
	rig->now_ns += 10 * SECOND - 1;
	same(syn_dropped(rig, C, 4, S, 81), 1);
	rig->now_ns += 1;
	same(syn_dropped(rig, C, 5, S, 81), 0);
	same(burst(rig, C, S, 3000, 8), 5); /* before any sweep */
	same(syn_dropped(rig, C, 6, S, 81), 1);
	rig_wait(rig, 11 * SECOND);
	same(ward_list_count(rig->w, WARD_BLOCK), 0);
	same(syn_dropped(rig, C, 7, S, 81), 0);
	enforce_nothing(rig);
	case_end();
}

static void test_block_full(struct rig *rig)
{
	struct list_item *all = calloc(WARD_LIST_MAX, sizeof(*all));
	struct list_change change = {0};
	struct wire_end listed;
	uint64_t before = counter_of(rig, CNT_LIST_FULL);

	case_begin("limits: with 'for' and a full block list the limit drops, and that it is full is counted");
	start(rig, "services:\n  - {name: web, match: {dport: 80}, new-per-source: {rate: 1/m, burst: 5, for: 10s}}\n");
	for (unsigned i = 0; i < WARD_LIST_MAX; i++) {
		wire_address(&listed, false, 0x200000 + i, 0);
		memcpy(all[i].prefix.addr, listed.addr, sizeof(listed.addr));
		all[i].prefix.len = 128;
	}
	check(!ward_list_replace(rig->w, WARD_BLOCK, all, WARD_LIST_MAX, &change));
	free(all);
	same(burst(rig, C, S, 1000, 8), 5);
	same(counter_of(rig, CNT_LIST_FULL) - before, 3);
	same(drops_of(rig).dropped[DROP_NEW_SOURCE], 3);
	same(ward_list_count(rig->w, WARD_BLOCK), WARD_LIST_MAX);
	ward_list_flush(rig->w, WARD_BLOCK);
	same(burst(rig, C, S, 2000, 3), 0);
	same(counter_of(rig, CNT_LIST_FULL) - before, 3);
	same(ward_list_count(rig->w, WARD_BLOCK), 1);
	enforce_nothing(rig);
	case_end();
}

static void test_new(struct rig *rig)
{
	case_begin("limits: new: connections of one address and port, whoever begins them");
	start(rig, "services:\n  - {name: web, match: {dport: 80-81}, new: {rate: 10/s, burst: 7, then: drop}}\n");
	same(flood(rig, 0, 20, 80), 7);
	same(flood(rig, 100, 20, 81), 7);
	same(drops_of(rig).dropped[DROP_NEW], 26);
	rig->now_ns += SECOND / 2;
	same(flood(rig, 200, 20, 80), 5);
	enforce_nothing(rig);
	case_end();
}

/* ---- half-open ones of a source ---- */
static void test_source_half_open(struct rig *rig)
{
	struct talk t[8];
	int i;

	case_begin("limits: half-open-per-source counts down when handshakes end, and forgets");
	start(rig, "services:\n  - {name: web, match: {dport: 80}, half-open-per-source: {max: 3}}\n");
	for (i = 0; i < 8; i++)
		t[i] = talk_of(C, (uint16_t)(1000 + i), S, 80);
	same(begin(rig, &t[0]) + begin(rig, &t[1]) + begin(rig, &t[2]), 0);
	same(begin(rig, &t[3]), 1);
	same(burst(rig, C, S, 5000, 10), 0); /* what is dropped does not count */
	complete(rig, &t[0]);
	same(begin(rig, &t[3]), 0);
	same(begin(rig, &t[4]), 1);
	says_by(rig, HOOK_TC_OUT, &t[1], SERVER, TH_RST | TH_ACK, 0); /* refused */
	same(begin(rig, &t[4]), 0);
	same(begin(rig, &t[5]), 1);
	says_by(rig, HOOK_TC_OUT, &t[2], SERVER, TH_SYN | TH_ACK, 0);
	says(rig, &t[2], CLIENT, TH_RST, 0); /* reset by its client */
	same(begin(rig, &t[5]), 0);
	same(begin(rig, &t[6]), 1);
	same(syn_dropped(rig, "10.0.0.2", 1, S, 80), 0);
	rig->now_ns += 2 * WINDOW;
	same(burst(rig, C, S, 6000, 10), 3);
	same(drops_of(rig).dropped[DROP_HALF_OPEN_SOURCE], 21);
	enforce_nothing(rig);
	case_end();
}

static void test_source_windows(struct rig *rig)
{
	struct talk t[6];
	int i;

	case_begin("limits: what began in the window before is taken from that one");
	start(rig, "services:\n  - {name: web, match: {dport: 80}, half-open-per-source: {max: 4}}\n");
	rig->now_ns += WINDOW - (rig->now_ns & (WINDOW - 1)) - SECOND; /* one second before the next */
	for (i = 0; i < 6; i++)
		t[i] = talk_of(C, (uint16_t)(1000 + i), S, 80);
	same(begin(rig, &t[0]) + begin(rig, &t[1]), 0);
	rig->now_ns += 2 * SECOND;
	same(begin(rig, &t[2]) + begin(rig, &t[3]), 0);
	same(begin(rig, &t[4]), 1); /* two and two */
	complete(rig, &t[0]);
	complete(rig, &t[1]);
	same(begin(rig, &t[4]) + begin(rig, &t[5]), 0);
	rig->now_ns += WINDOW; /* those four are of the window before now */
	same(burst(rig, C, S, 7000, 5), 0);
	enforce_nothing(rig);
	case_end();
}

/* ---- half-open ones of a service ---- */
static void settle(struct rig *rig, struct talk *t, int from, int to)
{
	int i;

	rig->now_ns += 5 * MS;
	for (i = from; i < to; i++)
		complete(rig, &t[i]);
}

static void test_half_open_max(struct rig *rig)
{
	struct talk t[20], more = talk_of("10.0.0.3", 1, S, 80);
	int i, pass = 0;

	case_begin("limits: half-open max: acts from max on, leaves below half of it");
	start(rig, "allow: [10.0.0.2]\nservices:\n  - {name: web, match: {dport: 80}, half-open: {max: 10, then: drop}}\n"
		   "rules:\n  - {name: not-these, match: {saddr: 10.0.0.66}, action: drop}\n");
	for (i = 0; i < 20; i++) { /* an allowed client ends as many as it begins */
		struct talk a = talk_of("10.0.0.2", (uint16_t)(1000 + i), S, 80);

		same(begin(rig, &a), 0);
		complete(rig, &a);
	}
	same(burst(rig, "10.0.0.66", S, 1000, 50), 0); /* and what a rule drops begins nothing */
	for (i = 0; i < 20; i++) {
		t[i] = talk_of(C, (uint16_t)(1000 + i), S, 80);
		pass += !begin(rig, &t[i]);
	}
	same(pass, 10);
	same(drops_of(rig).dropped[DROP_HALF_OPEN], 10);
	same(syn_dropped(rig, C, 1, S, 81), 0);
	same(burst(rig, "10.0.0.2", S, 3000, 1), 1); /* allowed: and counts */
	settle(rig, t, 0, 6);			     /* 5 are left */
	same(begin(rig, &more), 1);
	settle(rig, t, 6, 7); /* 4 */
	same(begin(rig, &more), 0);
	enforce_nothing(rig);
	case_end();
}

static void test_half_open_share(struct rig *rig)
{
	struct talk open[10], t[20], more = talk_of("10.0.0.3", 1, S, 80);
	int i, pass = 0;

	case_begin("limits: half-open share: enters, stays, leaves by thresholds of its own");
	start(rig, "services:\n  - {name: web, match: {dport: 80}, half-open: {enter: 50%, leave: 25%, min: 4, then: drop}}\n");
	for (i = 0; i < 10; i++) {
		open[i] = talk_of("10.0.0.2", (uint16_t)(1000 + i), S, 80);
		same(opens(rig, &open[i]), 0);
	}
	for (i = 0; i < 8; i++) /* each of its halves counts every other time */
		rig_wait(rig, SECOND);
	for (i = 0; i < 20; i++) {
		t[i] = talk_of(C, (uint16_t)(1000 + i), S, 80);
		pass += !begin(rig, &t[i]);
	}
	same(pass, 10);
	settle(rig, t, 0, 6); /* 4 of 14: 28 % */
	same(begin(rig, &more), 1);
	settle(rig, t, 6, 7); /* 3 of 13 */
	same(begin(rig, &more), 0);
	enforce_nothing(rig);
	start(rig, "services:\n  - {name: web, match: {dport: 80}, half-open: {enter: 50%, min: 4, then: drop}}\n");
	same(flood(rig, 5000, 20, 80), 4); /* without any open one min alone decides */
	enforce_nothing(rig);
	case_end();
}

static void test_half_open_windows(struct rig *rig)
{
	case_begin("limits: half-open ones count over two windows, and are forgotten after them");
	start(rig, "services:\n  - {name: web, match: {dport: 80}, half-open: {max: 20, then: drop}}\n");
	rig->now_ns += WINDOW - (rig->now_ns & (WINDOW - 1)) - SECOND;
	same(flood(rig, 0, 12, 80), 12);
	rig->now_ns += 2 * SECOND;
	same(flood(rig, 100, 12, 80), 8);
	rig->now_ns += WINDOW; /* 8 are left: below half */
	same(flood(rig, 200, 20, 80), 12);
	rig->now_ns += 2 * WINDOW;
	same(flood(rig, 300, 40, 80), 20);
	enforce_nothing(rig);
	case_end();
}

static void test_half_open_at_once(struct rig *rig)
{
	int pass;

	case_begin("limits: half-open: of one tick at most 16 more than it says");
	start(rig, "services:\n  - {name: web, match: {dport: 80}, half-open: {max: 100, then: drop}}\n");
	pass = flood(rig, 0, 5000, 80);
	check(pass >= 100 && pass < 100 + 16);
	enforce_nothing(rig);
	case_end();
}

/* ---- drop-first-syn ---- */
static int first(struct rig *rig, uint16_t sport, uint32_t isn)
{
	struct wire_segment syn = {.bits = TH_SYN, .seq = isn, .win = 64240};
	struct wire_end c = end_of(C, sport), s = end_of(S, 80);

	return dropped(rig, &c, &s, &syn);
}

static void test_first_syn(struct rig *rig)
{
	int i;

	case_begin("limits: drop-first-syn: the repetition passes, if it comes when a sender's would");
	start(rig, "services:\n  - {name: web, match: {dport: 80}, new: {rate: 1/m, burst: 1, then: drop-first-syn},\n"
		   "     half-open-per-source: {max: 5}}\n");
	same(first(rig, 1, 1), 0); /* within the limit */
	same(first(rig, 2, 7), 1);
	rig->now_ns += 10 * MS;
	same(first(rig, 2, 7), 1);
	rig->now_ns += 990 * MS;
	same(first(rig, 2, 8), 1);
	same(first(rig, 3, 7), 1);
	same(first(rig, 2, 7), 0);
	same(drops_of(rig).dropped[DROP_FIRST_SYN], 4);
	for (i = 0; i < 50; i++) /* those that are dropped do not count for the source */
		same(first(rig, (uint16_t)(100 + i), 9), 1);
	same(drops_of(rig).dropped[DROP_FIRST_SYN], 54);
	rig->now_ns += SECOND;
	same(first(rig, 100, 9) + first(rig, 101, 9) + first(rig, 102, 9), 0);
	same(first(rig, 103, 9), 1);
	same(drops_of(rig).dropped[DROP_HALF_OPEN_SOURCE], 1);
	rig->now_ns += 30 * SECOND;
	same(first(rig, 140, 9), 1); /* too late */
	enforce_nothing(rig);
	case_end();
}

/* ---- memory ---- */
#define SPOOFED (1 << 18)

static void test_spoofed(struct rig *rig)
{
	case_begin("limits: a flood of 2^18 sources does not let a busy one off");
	start(rig, "services:\n  - {name: web, match: {dport: 80}, half-open-per-source: {max: 64}}\n"
		   "  - {name: rate, match: {dport: 90}, new-per-source: {rate: 1/m, burst: 50}}\n");
	rig->now_ns += WINDOW - (rig->now_ns & (WINDOW - 1)) - SECOND;
	same(burst(rig, C, S, 1000, 100), 64);
	rig->now_ns += 2 * SECOND; /* in the next window it has not sent yet */
	same(flood(rig, 0, SPOOFED, 80), SPOOFED);
	same(burst(rig, C, S, 2000, 100), 0);
	enforce_nothing(rig);
	start(rig, "services:\n  - {name: rate, match: {dport: 80}, new-per-source: {rate: 1/m, burst: 50}}\n");
	same(burst(rig, C, S, 1000, 100), 50);
	same(flood(rig, 0, SPOOFED, 80), SPOOFED);
	same(burst(rig, C, S, 2000, 100), 0);
	enforce_nothing(rig);
	case_end();
}

/* ---- which service ---- */
static void test_match(struct rig *rig)
{
	struct talk t = talk_of(C, 1, S, 80);

	case_begin("limits: a service is its address, port, VLAN and interface");
	start(rig, "services:\n"
		   "  - {name: vlan, match: {vlan: 42}, new-per-source: {rate: 1/m, burst: 1}}\n"
		   "  - {name: iface, match: {iface: other}, new-per-source: {rate: 1/m, burst: 1}}\n"
		   "  - {name: addr, match: {daddr: [10.9.9.0/24, \"2001:db8::/32\"]}, new-per-source: {rate: 1/m, burst: 2}}\n");
	same(burst(rig, C, S, 1000, 5), 2);
	same(count_of(rig, SUBJECT_LIMIT(2, LIMIT_NEW_SOURCE)).dropped, 3);
	same(burst(rig, C, "10.9.10.0", 1000, 5), 5);
	same(burst(rig, "2001:db8:1::1", "2001:db8::9", 1000, 5), 2);
	same(burst(rig, "2001:db8:1::1", "2001:db9::9", 1000, 5), 5);
	t.tag = 1;
	same(says(rig, &t, CLIENT, TH_SYN, 0), 0);
	t.client.port = 2;
	t.seq[CLIENT] = 1000;
	same(says(rig, &t, CLIENT, TH_SYN, 0), 1);
	same(count_of(rig, SUBJECT_LIMIT(0, LIMIT_NEW_SOURCE)).dropped, 1);
	same(count_of(rig, SUBJECT_LIMIT(1, LIMIT_NEW_SOURCE)).hits, 0);
	enforce_nothing(rig);
	case_end();
}

int main(void)
{
	struct rig_options opt;
	struct rig rig;

	rig_options_init(&opt);
	rig_open(&rig, &opt);
	test_rate(&rig);
	test_modes(&rig);
	test_block(&rig);
	test_block_full(&rig);
	test_new(&rig);
	test_source_half_open(&rig);
	test_source_windows(&rig);
	pace_ns = 4 * MS;
	test_half_open_max(&rig);
	test_half_open_share(&rig);
	test_half_open_windows(&rig);
	pace_ns = 0;
	test_half_open_at_once(&rig);
	test_first_syn(&rig);
	test_spoofed(&rig);
	test_match(&rig);
	rig_close(&rig);
	return rig_result();
}
