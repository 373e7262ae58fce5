// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What is found about a client and a service together. */
#include "detect_case.h"

static void begin(void)
{
}

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
	rig_clears(r, FINDING_TIME_WAIT_BUILDUP);
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
	rig_clears(r, FINDING_PORT_EXHAUSTION);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_time_wait_buildup),
		TEST(test_time_wait_buildup_max),
		TEST(test_port_exhaustion),
		TEST(test_nat_gateway),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
