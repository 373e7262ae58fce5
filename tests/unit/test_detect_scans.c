// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What is found about sources that try many targets. */
#include "detect_case.h"

static struct source *s;

static void begin(void)
{
	s = source_at(r, "203.0.113.9", 32);
}

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
	rig_clears(r, FINDING_PORT_SCAN);
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
	anew();
	fill(&s->targets, 40);
	fill(&s->ports, 2);
	s->count[SOURCE_FAILED] = s->count[SOURCE_STALE] = s->count[SOURCE_SYN_RTX] = 50;
	pass(r, 1);
	assert_int_equal(found(r, FINDING_PORT_SCAN)->severity, SEVERITY_WARNING);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_port_scan),
		TEST(test_scan_shapes),
		TEST(test_many_targets_that_answer),
		TEST(test_dead_service_is_no_scan),
		TEST(test_answered_and_reset),
		TEST(test_broken_ipv6),
		TEST(test_one_way_scan),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
