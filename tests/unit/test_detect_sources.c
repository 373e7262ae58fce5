// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What is found about sources and prefixes. */
#include "detect_case.h"

#include <stdio.h>

static struct source *s;

static void begin(void)
{
	s = source_at(r, "203.0.113.9", 32);
}

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

		anew();
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
		rig_clears(r, plain[i].kind);
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

		anew();
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
	rig_clears(r, FINDING_STALE_SYN);
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
	rig_clears(r, FINDING_BACKSCATTER);
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
	rig_clears(r, FINDING_RETRANSMISSION);
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
		TEST(test_backscatter),
		TEST(test_asymmetric_route),
		TEST(test_syn_retransmission),
		TEST(test_one_way),
		TEST(test_not_looked_at),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
