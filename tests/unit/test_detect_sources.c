// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What is found about sources and prefixes, and about a client and a service together. */
#include "detect_rig.h"

#include <stdio.h>

static struct rig *r;
static struct source *s;

static int setup(void **state)
{
	(void)state;
	r = rig_new();
	s = source_at(r, "203.0.113.9", 32);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	rig_free(r);
	return 0;
}

/* The condition goes: it clears after ten seconds, not before. */
static void clears(int kind)
{
	pass(r, 9);
	found(r, kind);
	pass(r, 1);
	none(r, kind);
	assert_int_equal(told(r, DETECT_CLEARED, kind), 1);
}

#define FORGED "; no handshake of it completed: the address may be forged"

/* ---- numbers in a window ---- */
static const struct {
	int kind;
	enum source_counter counter;
	bool minute;
	uint32_t limit;
	const char *evidence, *text;
	bool prefix, forgeable;
} plain[] = {
	{ FINDING_TIME_WAIT_REUSE, SOURCE_TIME_WAIT_REUSE, false, 50, "reuses_10s",
	  "used 50 ports to 192.0.2.10:443 again within 2MSL in 10 s, limit 50", false, false },
	{ FINDING_FIN_STORM, SOURCE_FIN_RTX, false, 1000, "fins_10s",
	  "sent 1000 FINs to 192.0.2.10:443 again into TIME-WAIT in 10 s, limit 1000", false, false },
	{ FINDING_OUT_OF_STATE_FLOOD, SOURCE_OUT_OF_STATE, false, 1000, "segments_10s",
	  "sends 1000 segments to 192.0.2.10:443 that fit no connection in 10 s, limit 1000", true, true },
	{ FINDING_BAD_FLAGS, SOURCE_BAD_FLAGS, true, 5, "segments_60s",
	  "sent 5 segments to 192.0.2.10:443 with impossible control bits in 60 s, limit 5", false, true },
	{ FINDING_ZERO_WINDOW, SOURCE_SHUT, true, 20, "flows",
	  "opened 20 connections to 192.0.2.10:443 with its window shut in 60 s, limit 20", false, false },
	{ FINDING_SYN_DATA, SOURCE_SYN_DATA, false, 50, "syns_10s",
	  "sent 50 SYNs to 192.0.2.10:443 with data that was not accepted in 10 s, limit 50", true, true },
};

static void test_plain_numbers(void **state)
{
	char text[240];

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(plain); i++) {
		struct account_window *w;

		teardown(NULL);
		setup(NULL);
		sample(s, "203.0.113.9:4000-192.0.2.10:443");
		sample(s, "203.0.113.9:4001-192.0.2.10:443");
		w = &s->window[plain[i].counter];
		/* what was counted before the window does not count */
		s->count[plain[i].counter] = 77 + plain[i].limit - 1;
		w->begin10 = w->begin60 = 77;
		*(plain[i].minute ? &w->begin10 : &w->begin60) = 0;
		pass(r, 2);
		assert_int_equal(r->stands, 0);
		s->count[plain[i].counter]++;
		pass(r, 1);
		assert_int_equal(r->stands, 1);
		assert_subject(found(r, plain[i].kind), SUBJECT_SOURCE, "203.0.113.9");
		assert_evidence(found(r, plain[i].kind), plain[i].evidence, plain[i].limit, plain[i].limit);
		snprintf(text, sizeof(text), "203.0.113.9 %s%s", plain[i].text, plain[i].forgeable ? FORGED : "");
		assert_text(found(r, plain[i].kind), text);
		/* it shows that it is there */
		s->count[SOURCE_COMPLETED] = 1;
		pass(r, 1);
		snprintf(text, sizeof(text), "203.0.113.9 %s", plain[i].text);
		assert_text(found(r, plain[i].kind), text);
		/* the last whole window counts too */
		*(plain[i].minute ? &w->last60 : &w->last10) = plain[i].limit + 5;
		w->begin10 = w->begin60 = s->count[plain[i].counter];
		pass(r, 20);
		assert_evidence(found(r, plain[i].kind), plain[i].evidence, plain[i].limit + 5, plain[i].limit);
		w->last10 = w->last60 = 0;
		clears(plain[i].kind);
	}
}

static void assert_to(const struct finding *f, const char *addr, uint16_t port)
{
	uint8_t wanted[16] = { 0 };

	if (addr)
		addr_of(addr, wanted);
	assert_memory_equal(f->key.b_addr, wanted, 16);
	assert_int_equal(f->key.b_port, port);
}

/* Where all samples go is part of what is said, not of who it is said about. */
static void test_to_one_service(void **state)
{
	const struct finding *f;

	(void)state;
	s->count[SOURCE_SYN_DATA] = s->count[SOURCE_COMPLETED] = 50;
	pass(r, 1);
	f = found(r, FINDING_SYN_DATA);
	assert_to(f, NULL, 0);
	sample(s, "203.0.113.9:4000-192.0.2.10:443");
	sample(s, "203.0.113.9:4001-192.0.2.10:443");
	pass(r, 1);
	assert_ptr_equal(f, found(r, FINDING_SYN_DATA));
	assert_to(f, "192.0.2.10", 443);
	assert_subject(f, SUBJECT_SOURCE, "203.0.113.9");
	pass(r, 2);
	assert_ptr_equal(f, found(r, FINDING_SYN_DATA));
	sample(s, "203.0.113.9:4002-192.0.2.10:80");
	pass(r, 1);
	assert_ptr_equal(f, found(r, FINDING_SYN_DATA));
	assert_to(f, NULL, 0);
	assert_int_equal(f->id, 1);
}

/* Four targets of a scan that happen to agree are not what it aims at. */
static void test_scan_is_to_nobody(void **state)
{
	(void)state;
	sample(s, "203.0.113.9:4000-192.0.2.10:443");
	fill(&s->targets, 40);
	s->count[SOURCE_FAILED] = s->count[SOURCE_REFUSED] = 50;
	pass(r, 1);
	assert_to(found(r, FINDING_PORT_SCAN), NULL, 0);
}

/* A prefix speaks for those of its sources that do not speak for themselves. */
static void test_prefixes(void **state)
{
	char text[240];

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(plain); i++) {
		struct source *prefix;

		teardown(NULL);
		setup(NULL);
		prefix = source_at(r, "203.0.113.0", 24);
		sample(prefix, "203.0.113.9:4000-192.0.2.10:443");
		prefix->count[plain[i].counter] = plain[i].limit;
		pass(r, 1);
		assert_int_equal(r->stands, plain[i].prefix);
		if (!plain[i].prefix)
			continue;
		assert_subject(found(r, plain[i].kind), SUBJECT_PREFIX, "203.0.113.0/24");
		snprintf(text, sizeof(text), "203.0.113.0/24 %s; no handshake of it completed: the addresses may be forged",
			 plain[i].text);
		assert_text(found(r, plain[i].kind), text);
		assert_int_equal(found(r, plain[i].kind)->prefix_len, 24);
		s->count[plain[i].counter] = plain[i].limit; /* one of its own alone */
		pass(r, 11);
		assert_subject(found(r, plain[i].kind), SUBJECT_SOURCE, "203.0.113.9");
	}
}

static void test_prefix_of_another(void **state)
{
	struct source *prefix = source_at(r, "203.0.114.0", 24), *six = source_at(r, "2001:db8:1::", 48);

	(void)state;
	s->count[SOURCE_SYN_DATA] = prefix->count[SOURCE_SYN_DATA] = six->count[SOURCE_SYN_DATA] = 50;
	pass(r, 1);
	assert_int_equal(standing_of(r, FINDING_SYN_DATA), 3);
	source_at(r, "2001:db8:1:2::", 64)->count[SOURCE_SYN_DATA] = 50;
	pass(r, 11);
	assert_int_equal(standing_of(r, FINDING_SYN_DATA), 3); /* the /64, not its /48 */
	for (unsigned i = 0; i < 4; i++)
		if (!r->table[i].cleared_ns)
			assert_true(r->table[i].prefix_len != 48);
}

/* ---- stale SYNs ---- */
/* So many in 10 s. What collects in two minutes is not as much, and what nobody waits for any more is over. */
static void test_stale_many(void **state)
{
	const struct finding *f;

	(void)state;
	sample(s, "203.0.113.9:4000-192.0.2.10:443");
	sample(s, "203.0.113.9:4000-192.0.2.11:443");
	s->count[SOURCE_NEW] = 200;
	s->count[SOURCE_COMPLETED] = 10;
	s->now[0][SOURCE_NOW_STALE] = 1000;
	s->count[SOURCE_STALE] = 99;
	pass(r, 2);
	assert_int_equal(r->stands, 0);
	s->count[SOURCE_STALE] = 100;
	s->now[0][SOURCE_NOW_STALE] = 0;
	pass(r, 2);
	assert_int_equal(r->stands, 0);
	s->now[0][SOURCE_NOW_STALE] = 150;
	pass(r, 1);
	f = found(r, FINDING_STALE_SYN);
	assert_int_equal(f->severity, SEVERITY_WARNING);
	assert_subject(f, SUBJECT_SOURCE, "203.0.113.9");
	assert_evidence(f, "unanswered", 150, 0);
	assert_evidence(f, "stale_10s", 100, 100);
	assert_evidence(f, "age", 10 * SECOND, 10 * SECOND);
	assert_evidence(f, "completion", 5, 0);
	assert_evidence(f, "handshakes_60s", 200, 0);
	assert_evidence(f, "completed_60s", 10, 0);
	assert_text(f, "203.0.113.9 has 150 SYNs that nothing answers, 100 within 10 s, limit 100; the oldest for 10 s, limit "
		       "10 s");
	s->count[SOURCE_COMPLETED] = 0;
	pass(r, 1);
	assert_text(f, "203.0.113.9 has 150 SYNs that nothing answers, 100 within 10 s, limit 100; the oldest for 10 s, limit "
		       "10 s" FORGED);
	s->count[SOURCE_STALE] = 79;
	clears(FINDING_STALE_SYN);
}

/* Flows of the source and its gauge are one finding: the larger numbers, the worse severity, which falls later. */
static void test_stale_flows_and_many(void **state)
{
	const struct finding *f;

	(void)state;
	hit(r, FINDING_BIT(STALE_SYN), "203.0.113.9:4000-192.0.2.10:443", 14, 5);
	pass(r, 1);
	f = found(r, FINDING_STALE_SYN);
	assert_int_equal(f->severity, SEVERITY_INFO);
	assert_int_equal(f->subject, SUBJECT_FLOW);
	s->now[0][SOURCE_NOW_STALE] = s->count[SOURCE_STALE] = 150;
	pass(r, 1);
	assert_ptr_equal(f, found(r, FINDING_STALE_SYN));
	assert_int_equal(f->id, 1);
	assert_int_equal(f->severity, SEVERITY_WARNING);
	assert_int_equal(told(r, DETECT_UPDATED, FINDING_STALE_SYN), 1);
	assert_text(f, "203.0.113.9 has 150 SYNs to 192.0.2.10:443 that nothing answers, 150 within 10 s, limit 100; the "
		       "oldest for 15 s, limit 10 s" FORGED);
	s->window[SOURCE_STALE].begin10 = 150;
	s->now[0][SOURCE_NOW_STALE] = 1;
	pass(r, 9);
	assert_int_equal(f->severity, SEVERITY_WARNING);
	assert_int_equal(r->newses, 0);
	pass(r, 1);
	assert_int_equal(f->severity, SEVERITY_INFO);
	assert_int_equal(told(r, DETECT_UPDATED, FINDING_STALE_SYN), 1);
	assert_int_equal(f->peak, 150);
}

/* A prefix that has it, and a source of it: said of the source. */
static void test_prefix_gives_way(void **state)
{
	struct source *prefix = source_at(r, "203.0.113.0", 24);

	(void)state;
	prefix->now[0][SOURCE_NOW_STALE] = prefix->count[SOURCE_STALE] = 200;
	prefix->count[SOURCE_FAILED] = prefix->count[SOURCE_REFUSED] = 200;
	fill(&prefix->targets, 100);
	pass(r, 1);
	assert_subject(found(r, FINDING_STALE_SYN), SUBJECT_PREFIX, "203.0.113.0/24");
	assert_subject(found(r, FINDING_PORT_SCAN), SUBJECT_PREFIX, "203.0.113.0/24");
	s->now[0][SOURCE_NOW_STALE] = s->count[SOURCE_STALE] = 150;
	s->count[SOURCE_FAILED] = s->count[SOURCE_REFUSED] = 150;
	fill(&s->targets, 80);
	pass(r, 11);
	assert_subject(found(r, FINDING_STALE_SYN), SUBJECT_SOURCE, "203.0.113.9");
	assert_subject(found(r, FINDING_PORT_SCAN), SUBJECT_SOURCE, "203.0.113.9");
}

/* The FINs of a service whose clients do not answer them are no storm. */
static void test_fins_in_vain(void **state)
{
	struct service *at = service_at(r, "203.0.113.9", 443), *other = service_at(r, "203.0.113.9", 80);

	(void)state;
	s->count[SOURCE_FIN_RTX] = 1800;
	at->now[0][SERVICE_NOW_LAST_ACK] = 150;
	other->now[0][SERVICE_NOW_LAST_ACK] = 50;
	service_at(r, "203.0.113.10", 443)->now[0][SERVICE_NOW_LAST_ACK] = 500;
	pass(r, 3);
	none(r, FINDING_FIN_STORM);
	s->count[SOURCE_FIN_RTX] = 1801;
	pass(r, 1);
	found(r, FINDING_FIN_STORM);
}

/* A flow alone: how its source fares otherwise stands beside it. */
static void test_flow_of_a_known_source(void **state)
{
	(void)state;
	s->count[SOURCE_NEW] = 50;
	s->count[SOURCE_COMPLETED] = 45;
	hit(r, FINDING_BIT(HALF_OPEN), "203.0.113.9:4000-192.0.2.10:443", 12, 3);
	pass(r, 1);
	assert_evidence(found(r, FINDING_HALF_OPEN), "completion", 90, 30);
	assert_evidence(found(r, FINDING_HALF_OPEN), "handshakes_60s", 50, 0);
}

/* ---- half-open ---- */
static void flood_from_one(uint32_t half_open, uint32_t begun, uint32_t completed)
{
	struct service *at = service_at(r, "192.0.2.10", 443);
	struct flow_hit *h = hit(r, 0, "203.0.113.9:4000-192.0.2.10:443", 0, 0);

	at->now[0][SERVICE_NOW_HALF_OPEN] = half_open;
	at->sample[0] = h->key;
	at->sample_orig[0] = h->orig;
	at->samples = 1;
	s->now[0][SOURCE_NOW_HALF_OPEN] = half_open;
	s->count[SOURCE_NEW] = begun;
	s->count[SOURCE_COMPLETED] = completed;
}

static void test_half_open_max(void **state)
{
	const struct finding *f;

	(void)state;
	flood_from_one(127, 424, 12);
	pass(r, 3);
	none(r, FINDING_HALF_OPEN);
	flood_from_one(412, 424, 12);
	pass(r, 1);
	none(r, FINDING_HALF_OPEN); /* a burst of one round trip looks the same */
	pass(r, 1);
	f = found(r, FINDING_HALF_OPEN);
	assert_subject(f, SUBJECT_SOURCE, "203.0.113.9");
	assert_int_equal(f->severity, SEVERITY_WARNING);
	assert_evidence(f, "half_open", 412, 128);
	assert_evidence(f, "completion", 2, 30);
	assert_evidence(f, "handshakes_60s", 424, 0);
	flood_from_one(412, 400, 12);
	pass(r, 1);
	assert_text(f, "203.0.113.9 holds 412 half-open connections to 192.0.2.10:443, limit 128; 3 % of its handshakes "
		       "complete");
	/* hysteresis, of both numbers */
	flood_from_one(103, 400, 148);
	pass(r, 12);
	found(r, FINDING_HALF_OPEN);
	flood_from_one(103, 400, 152);
	clears(FINDING_HALF_OPEN);
}

/* Which flows the source holds is known from the services that suffer most. */
static void test_half_open_where(void **state)
{
	char addr[40];

	(void)state;
	for (unsigned i = 0; i < 50; i++) {
		snprintf(addr, sizeof(addr), "192.0.2.%u", 100 + i);
		service_at(r, addr, 443)->now[0][SERVICE_NOW_HALF_OPEN] = 50 + i;
	}
	flood_from_one(412, 400, 12);
	pass(r, 2);
	assert_int_equal(found(r, FINDING_HALF_OPEN)->samples, 1);
	assert_memory_equal(&found(r, FINDING_HALF_OPEN)->sample[0], &r->hits.hit[0].key, sizeof(struct flow_key));
	teardown(NULL);
	setup(NULL);
	sample(s, "203.0.113.9:4000-192.0.2.200:25"); /* what failed: another matter */
	s->now[0][SOURCE_NOW_HALF_OPEN] = 412;
	s->count[SOURCE_NEW] = 400;
	pass(r, 2);
	assert_int_equal(found(r, FINDING_HALF_OPEN)->samples, 0);
	assert_text(found(r, FINDING_HALF_OPEN),
		    "203.0.113.9 holds 412 half-open connections, limit 128; 0 % of its handshakes complete; no handshake of it completed: the address may be forged");
}

static void test_half_open_but_completing(void **state)
{
	(void)state;
	flood_from_one(500, 1000, 300);
	pass(r, 3);
	none(r, FINDING_HALF_OPEN);
	flood_from_one(500, 1000, 299);
	pass(r, 2);
	found(r, FINDING_HALF_OPEN);
}

/* A proxy opens 300 connections at once: half open for one round trip, and again half a minute later. */
static void test_busy_proxy(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 5; i++) {
		flood_from_one(300, 300, 0);
		pass(r, 1);
		none(r, FINDING_HALF_OPEN);
		flood_from_one(0, 300, 300);
		pass(r, 1);
		none(r, FINDING_HALF_OPEN);
	}
}

static void test_half_open_prefix(void **state)
{
	struct source *prefix = source_at(r, "203.0.113.0", 24);

	(void)state;
	prefix->now[0][SOURCE_NOW_HALF_OPEN] = 200;
	prefix->count[SOURCE_NEW] = 200;
	pass(r, 2);
	assert_subject(found(r, FINDING_HALF_OPEN), SUBJECT_PREFIX, "203.0.113.0/24");
	assert_text(found(r, FINDING_HALF_OPEN),
		    "203.0.113.0/24 holds 200 half-open connections, limit 128; 0 % of its handshakes complete; no handshake of it "
		    "completed: the addresses may be forged");
	flood_from_one(150, 150, 0);
	pass(r, 12);
	assert_subject(found(r, FINDING_HALF_OPEN), SUBJECT_SOURCE, "203.0.113.9");
}

/* ---- reflection: nothing at all completes, SYN-ACKs come again ---- */
static void test_reflection(void **state)
{
	const struct finding *f;

	(void)state;
	flood_from_one(200, 250, 0);
	s->now[0][SOURCE_NOW_HALF_OPEN_RTX] = 19;
	hit(r, FINDING_BIT(HALF_OPEN), "203.0.113.9:4000-192.0.2.10:443", 12, 3);
	pass(r, 2);
	none(r, FINDING_REFLECTION);
	found(r, FINDING_HALF_OPEN);
	s->now[0][SOURCE_NOW_HALF_OPEN_RTX] = 20;
	pass(r, 1);
	f = found(r, FINDING_REFLECTION);
	assert_subject(f, SUBJECT_SOURCE, "203.0.113.9");
	assert_evidence(f, "repeated", 20, 20);
	assert_evidence(f, "half_open", 200, 0);
	assert_evidence(f, "syns_60s", 250, 0);
	assert_text(f, "203.0.113.9 never completes 20 handshakes with 192.0.2.10:443 whose SYN-ACKs are sent again and again, "
		       "limit 20: somebody aims them at it");
	pass(r, 9); /* it is the victim: not the holder of half-open connections */
	none(r, FINDING_HALF_OPEN);
	/* it completes one: it is there, and does ask */
	s->count[SOURCE_COMPLETED] = 1;
	clears(FINDING_REFLECTION);
	found(r, FINDING_HALF_OPEN);
}

/* One that completed in the last window of 60 s, or in this one, is enough. */
static void test_reflection_none_completed(void **state)
{
	(void)state;
	s->now[0][SOURCE_NOW_HALF_OPEN_RTX] = 50;
	s->window[SOURCE_COMPLETED].last60 = 1;
	pass(r, 2);
	none(r, FINDING_REFLECTION);
	s->window[SOURCE_COMPLETED].last60 = 0;
	s->count[SOURCE_COMPLETED] = 1;
	pass(r, 2);
	none(r, FINDING_REFLECTION);
	s->window[SOURCE_COMPLETED].begin60 = 1;
	pass(r, 1);
	found(r, FINDING_REFLECTION);
}

static void test_reflection_first(void **state)
{
	(void)state;
	flood_from_one(200, 250, 0);
	s->now[0][SOURCE_NOW_HALF_OPEN_RTX] = 20;
	hit(r, FINDING_BIT(HALF_OPEN), "203.0.113.9:4000-192.0.2.10:443", 12, 3);
	pass(r, 5);
	found(r, FINDING_REFLECTION);
	assert_int_equal(r->stands, 1);
}

/* ---- backscatter ---- */
static void test_backscatter(void **state)
{
	(void)state;
	s->count[SOURCE_UNASKED] = 90;
	fill(&s->peers, 45); /* of 256 bits: 49 values */
	pass(r, 2);
	assert_int_equal(r->stands, 0);
	fill(&s->peers, 46);
	pass(r, 1);
	assert_subject(found(r, FINDING_BACKSCATTER), SUBJECT_SOURCE, "203.0.113.9");
	assert_evidence(found(r, FINDING_BACKSCATTER), "peers", 51, 50);
	assert_evidence(found(r, FINDING_BACKSCATTER), "unasked_10s", 90, 0);
	assert_text(found(r, FINDING_BACKSCATTER), "203.0.113.9 gets SYN-ACKs that it never asked for, from about 51 different ends in "
						   "10 s, limit 50: somebody sends SYNs in its name");
	s->peers_last = s->peers;
	fill(&s->peers, 0);
	pass(r, 12);
	found(r, FINDING_BACKSCATTER);
	fill(&s->peers_last, 30);
	clears(FINDING_BACKSCATTER);
}

/* T51: its SYNs take another way; the ACKs that follow pass here. */
static void test_asymmetric_route(void **state)
{
	(void)state;
	s->count[SOURCE_UNASKED] = 90;
	s->count[SOURCE_COMPLETED] = 10;
	fill(&s->peers, 80);
	pass(r, 3);
	assert_int_equal(r->stands, 0);
	s->count[SOURCE_COMPLETED] = 9;
	pass(r, 1);
	found(r, FINDING_BACKSCATTER);
}

/* ---- port scan ---- */
static void test_port_scan(void **state)
{
	const struct finding *f;

	(void)state;
	fill(&s->targets, 18); /* 18.6 */
	fill(&s->hosts, 1);
	fill(&s->ports, 18);
	s->count[SOURCE_FAILED] = s->count[SOURCE_REFUSED] = 40;
	s->count[SOURCE_COMPLETED] = 5;
	pass(r, 2);
	assert_int_equal(r->stands, 0);
	fill(&s->targets, 19); /* 19.7 */
	pass(r, 1);
	f = found(r, FINDING_PORT_SCAN);
	assert_subject(f, SUBJECT_SOURCE, "203.0.113.9");
	assert_evidence(f, "targets", 20, 20);
	assert_evidence(f, "success", 11, 20);
	assert_evidence(f, "hosts", 1, 0);
	assert_evidence(f, "ports", 19, 0);
	assert_evidence(f, "attempts_60s", 45, 0);
	assert_text(f, "203.0.113.9 tried about 20 targets (ports of one host) in vain, limit 20; 11 % of its attempts succeed, "
		       "limit 20 %");
	/* the window is over: what stood in it counts, and which hosts and ports stays known */
	s->targets_last = s->targets;
	fill(&s->targets, 0);
	fill(&s->hosts, 0);
	fill(&s->ports, 0);
	pass(r, 12);
	assert_evidence(f, "ports", 19, 0);
	fill(&s->targets_last, 15);
	clears(FINDING_PORT_SCAN);
}

static void test_scan_shapes(void **state)
{
	(void)state;
	fill(&s->targets, 100);
	fill(&s->hosts, 100);
	fill(&s->ports, 1);
	s->count[SOURCE_FAILED] = s->count[SOURCE_REFUSED] = 200;
	pass(r, 1);
	assert_text(found(r, FINDING_PORT_SCAN), "203.0.113.9 tried about 126 targets (one port of many hosts) in vain, limit 20; 0 % of "
						 "its attempts succeed, limit 20 %" FORGED);
	fill(&s->ports, 10);
	pass(r, 1);
	assert_text(found(r, FINDING_PORT_SCAN), "203.0.113.9 tried about 126 targets (10 ports, 126 hosts) in vain, limit 20; 0 % of "
						 "its attempts succeed, limit 20 %" FORGED);
	/* every bit set: the largest number that can be told */
	fill(&s->targets, 256);
	pass(r, 1);
	assert_evidence(found(r, FINDING_PORT_SCAN), "targets", 200, 20); /* no more than there were attempts */
	s->count[SOURCE_FAILED] = 5000;
	pass(r, 1);
	assert_evidence(found(r, FINDING_PORT_SCAN), "targets", 1568, 20);
}

/* Peer-to-peer and monitoring: many targets fail, but a fifth answer. */
static void test_many_targets_that_answer(void **state)
{
	(void)state;
	fill(&s->targets, 100);
	s->count[SOURCE_FAILED] = s->count[SOURCE_REFUSED] = 400;
	s->count[SOURCE_COMPLETED] = 100;
	pass(r, 2);
	assert_int_equal(r->stands, 0);
	s->count[SOURCE_COMPLETED] = 99;
	pass(r, 1);
	found(r, FINDING_PORT_SCAN);
}

/* One dead service, tried a thousand times: one target. */
static void test_dead_service_is_no_scan(void **state)
{
	(void)state;
	fill(&s->targets, 1);
	s->count[SOURCE_FAILED] = s->count[SOURCE_NEW] = 1000;
	pass(r, 3);
	assert_int_equal(r->stands, 0);
}

/* ---- SYNs sent again ---- */
static void test_syn_retransmission(void **state)
{
	(void)state;
	s->count[SOURCE_NEW] = 49;
	s->count[SOURCE_SYN_RTX] = 40;
	s->count[SOURCE_COMPLETED] = 40;
	pass(r, 1);
	assert_int_equal(r->stands, 0);
	s->count[SOURCE_NEW] = 100;
	s->count[SOURCE_SYN_RTX] = 29;
	pass(r, 1);
	assert_int_equal(r->stands, 0);
	s->count[SOURCE_SYN_RTX] = 30;
	pass(r, 1);
	assert_int_equal(found(r, FINDING_RETRANSMISSION)->severity, SEVERITY_INFO);
	assert_evidence(found(r, FINDING_RETRANSMISSION), "repeated", 30, 20);
	assert_evidence(found(r, FINDING_RETRANSMISSION), "handshake_share", 30, 30);
	assert_evidence(found(r, FINDING_RETRANSMISSION), "handshakes_repeated_10s", 30, 0);
	assert_evidence(found(r, FINDING_RETRANSMISSION), "handshakes_10s", 100, 0);
	assert_text(found(r, FINDING_RETRANSMISSION), "203.0.113.9: 30 of 100 SYNs sent again in 10 s, 30 %, limit 30 %");
	s->count[SOURCE_COMPLETED] = 0; /* nobody is there: that is no loss */
	clears(FINDING_RETRANSMISSION);
}

/* Answered and reset by the source (Happy Eyeballs, health checks): it did get what it asked for. */
static void test_answered_and_reset(void **state)
{
	(void)state;
	fill(&s->targets, 100);
	s->count[SOURCE_FAILED] = 400;
	s->count[SOURCE_REFUSED] = 9;
	s->count[SOURCE_STALE] = 5;
	s->count[SOURCE_BAD_FLAGS] = 4;
	pass(r, 2);
	assert_int_equal(r->stands, 0);
	s->count[SOURCE_STALE] = 7;
	pass(r, 1);
	assert_int_equal(found(r, FINDING_PORT_SCAN)->severity, SEVERITY_WARNING);
}

/* One port of many hosts that say nothing, and SYNs that come again: told, but it is hardly a scan. */
static void test_broken_ipv6(void **state)
{
	(void)state;
	fill(&s->targets, 40);
	fill(&s->hosts, 40);
	fill(&s->ports, 1);
	s->count[SOURCE_FAILED] = s->count[SOURCE_STALE] = 50;
	s->count[SOURCE_SYN_RTX] = 50;
	pass(r, 1);
	assert_int_equal(found(r, FINDING_PORT_SCAN)->severity, SEVERITY_INFO);
	s->count[SOURCE_SYN_RTX] = 49;
	pass(r, 1);
	assert_int_equal(found(r, FINDING_PORT_SCAN)->severity, SEVERITY_WARNING);
	teardown(NULL);
	setup(NULL);
	fill(&s->targets, 40);
	fill(&s->ports, 2);
	s->count[SOURCE_FAILED] = s->count[SOURCE_STALE] = s->count[SOURCE_SYN_RTX] = 50;
	pass(r, 1);
	assert_int_equal(found(r, FINDING_PORT_SCAN)->severity, SEVERITY_WARNING);
}

/* ---- a source of which one direction is not seen ---- */
static void test_one_way(void **state)
{
	(void)state;
	s->now[0][SOURCE_NOW_STALE] = 500;
	s->count[SOURCE_NEW] = 1000;
	s->count[SOURCE_STALE] = 500;
	s->count[SOURCE_UNASKED] = 500;
	s->count[SOURCE_SHUT] = 500;
	s->count[SOURCE_SYN_DATA] = 500;
	fill(&s->peers, 100);
	s->count[SOURCE_ONE_WAY] = 101;
	hit(r, FINDING_BIT(STALE_SYN), "203.0.113.9:4000-192.0.2.10:443", 14, 5);
	pass(r, 3);
	found(r, FINDING_SYN_DATA);
	assert_int_equal(r->stands, 1);
	s->count[SOURCE_ONE_WAY] = 100;
	pass(r, 2);
	found(r, FINDING_STALE_SYN);
	found(r, FINDING_BACKSCATTER);
	found(r, FINDING_ZERO_WINDOW);
}

/* Who has seen SYN and SYN-ACK has seen both directions, however many blind ACKs make the source look one-way. */
static void test_one_way_by_intent(void **state)
{
	(void)state;
	flood_from_one(500, 1000, 0);
	s->count[SOURCE_ONE_WAY] = 1000;
	hit(r, FINDING_BIT(HALF_OPEN), "203.0.113.9:4000-192.0.2.10:443", 12, 3);
	pass(r, 2);
	found(r, FINDING_HALF_OPEN);
	s->now[0][SOURCE_NOW_HALF_OPEN_RTX] = 500;
	pass(r, 1);
	found(r, FINDING_REFLECTION);
}

/* A scan: refusals are seen; silence may be an answer that passes elsewhere. */
static void test_one_way_scan(void **state)
{
	const struct finding *f;

	(void)state;
	s->count[SOURCE_NEW] = 1000;
	s->count[SOURCE_ONE_WAY] = 101;
	s->count[SOURCE_FAILED] = s->count[SOURCE_STALE] = 500;
	s->count[SOURCE_REFUSED] = 19;
	fill(&s->targets, 100);
	fill(&s->ports, 100);
	pass(r, 1);
	f = found(r, FINDING_PORT_SCAN);
	assert_int_equal(f->severity, SEVERITY_INFO);
	assert_evidence(f, "one_way_60s", 101, 0);
	s->count[SOURCE_REFUSED] = 20;
	pass(r, 1);
	assert_int_equal(f->severity, SEVERITY_WARNING);
	assert_evidence(f, "one_way_60s", 0, 0);
}

/* ---- a client and a service ---- */
static void test_time_wait_buildup(void **state)
{
	struct pair *p = pair_of(r, "10.0.0.1", "192.0.2.10", 443);
	const struct finding *f;

	(void)state;
	p->time_wait[0] = p->flows[0] = 7058;
	pass(r, 2);
	assert_int_equal(r->stands, 0);
	p->time_wait[0] = 7059; /* more than a quarter of 28232 */
	pass(r, 1);
	f = found(r, FINDING_TIME_WAIT_BUILDUP);
	assert_int_equal(f->severity, SEVERITY_INFO);
	assert_subject(f, SUBJECT_SOURCE, "10.0.0.1 > 192.0.2.10:443");
	assert_evidence(f, "time_wait", 7059, 8192);
	assert_evidence(f, "share", 25, 25);
	assert_text(f, "10.0.0.1 > 192.0.2.10:443: 7059 connections in TIME-WAIT, limit 8192; 25 % of the client's ports, limit "
		       "25 %; load, not an attack: usual for a busy proxy");
	p->time_wait[0] = 5000;
	clears(FINDING_TIME_WAIT_BUILDUP);
}

static void test_time_wait_buildup_max(void **state)
{
	struct pair *p = pair_of(r, "10.0.0.1", "192.0.2.10", 443);

	(void)state;
	r->opts.value[PARAM_TIME_WAIT_BUILDUP_SHARE] = 100;
	rig_restart(r);
	p->time_wait[0] = 8191;
	pass(r, 1);
	assert_int_equal(r->stands, 0);
	p->time_wait[0] = 8192;
	pass(r, 1);
	found(r, FINDING_TIME_WAIT_BUILDUP);
}

static void test_port_exhaustion(void **state)
{
	struct pair *p = pair_of(r, "10.0.0.1", "192.0.2.10", 443);
	const struct finding *f;

	(void)state;
	p->flows[0] = 22585;
	pass(r, 2);
	assert_int_equal(r->stands, 0);
	p->flows[0] = 22586;
	pass(r, 1);
	f = found(r, FINDING_PORT_EXHAUSTION);
	assert_subject(f, SUBJECT_SOURCE, "10.0.0.1 > 192.0.2.10:443");
	assert_evidence(f, "ports", 22586, 22586);
	assert_evidence(f, "share", 80, 80);
	assert_evidence(f, "range", 28232, 0);
	assert_text(f, "10.0.0.1 > 192.0.2.10:443: 22586 local ports in use, 80 % of 28232, limit 80 %");
	p->flows[0] = 18000;
	clears(FINDING_PORT_EXHAUSTION);
}

/* A NAT gateway has more ports than one host's default range: that it holds more shows that. */
static void test_nat_gateway(void **state)
{
	struct pair *p = pair_of(r, "10.0.0.1", "192.0.2.10", 443);

	(void)state;
	p->flows[0] = 40000;
	pass(r, 2);
	assert_int_equal(r->stands, 0);
	p->flows[0] = 51610;
	pass(r, 1);
	assert_text(found(r, FINDING_PORT_EXHAUSTION),
		    "10.0.0.1 > 192.0.2.10:443: 51610 local ports in use, 80 % of 64512, limit 80 %");
}

/* Places that are free hold old numbers: not looked at. The half that the sweep is writing neither. */
static void test_not_looked_at(void **state)
{
	struct pair *p = pair_of(r, "10.0.0.1", "192.0.2.10", 443);

	(void)state;
	p->live = 0;
	p->flows[0] = p->time_wait[0] = 25000;
	s->live = 0;
	s->count[SOURCE_SYN_DATA] = 500;
	s->now[0][SOURCE_NOW_STALE] = s->count[SOURCE_STALE] = 500;
	pass(r, 3);
	assert_int_equal(r->stands, 0);
	p->live = s->live = 1;
	s->count[SOURCE_SYN_DATA] = 0;
	r->view.half = 1;
	pass(r, 3);
	assert_int_equal(r->stands, 0);
	r->view.half = 0;
	pass(r, 1);
	assert_int_equal(r->stands, 3);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_plain_numbers),
		TEST(test_to_one_service),
		TEST(test_scan_is_to_nobody),
		TEST(test_prefixes),
		TEST(test_prefix_of_another),
		TEST(test_prefix_gives_way),
		TEST(test_fins_in_vain),
		TEST(test_flow_of_a_known_source),
		TEST(test_stale_many),
		TEST(test_stale_flows_and_many),
		TEST(test_half_open_max),
		TEST(test_half_open_where),
		TEST(test_half_open_but_completing),
		TEST(test_busy_proxy),
		TEST(test_half_open_prefix),
		TEST(test_reflection),
		TEST(test_reflection_none_completed),
		TEST(test_reflection_first),
		TEST(test_backscatter),
		TEST(test_asymmetric_route),
		TEST(test_port_scan),
		TEST(test_scan_shapes),
		TEST(test_many_targets_that_answer),
		TEST(test_dead_service_is_no_scan),
		TEST(test_syn_retransmission),
		TEST(test_answered_and_reset),
		TEST(test_broken_ipv6),
		TEST(test_one_way),
		TEST(test_one_way_by_intent),
		TEST(test_one_way_scan),
		TEST(test_time_wait_buildup),
		TEST(test_time_wait_buildup_max),
		TEST(test_port_exhaustion),
		TEST(test_nat_gateway),
		TEST(test_not_looked_at),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
