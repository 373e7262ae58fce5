// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What is found about services, and about the whole instance. */
#include "detect_case.h"

static struct service *s;

static void begin(void)
{
	s = service_at(r, "192.0.2.10", 443);
	s->samples = 7; /* of half-open flows: no evidence of anything else */
}

static void clears(int kind)
{
	pass(r, 9);
	assert_int_equal(found(r, kind)->samples, kind == FINDING_SYN_FLOOD ? FINDING_SAMPLES : 0);
	pass(r, 1);
	none(r, kind);
	assert_int_equal(told(r, DETECT_CLEARED, kind), 1);
}

static void now(enum service_gauge gauge, uint32_t value)
{
	s->now[0][gauge] = value;
}

/* In the present window of 10 s, and the last one. */
static void counted(enum service_counter counter, uint32_t present, uint32_t last)
{
	s->total[counter] = 1000 + present;
	s->window[counter].begin10 = 1000;
	s->window[counter].last10 = last;
}

/* ---- SYN flood ---- */
static void test_syn_flood(void **state)
{
	const struct finding *f;

	(void)state;
	now(SERVICE_NOW_HALF_OPEN, 100);
	now(SERVICE_NOW_UNANSWERED, 27);
	counted(SERVICE_NEW, 4000, 0);
	counted(SERVICE_ANSWERED, 900, 0);
	counted(SERVICE_COMPLETED, 20, 0);
	counted(SERVICE_EVICTED, 33, 0);
	pass(r, 3);
	assert_int_equal(r->stands, 0);
	now(SERVICE_NOW_UNANSWERED, 28);
	pass(r, 1);
	assert_int_equal(r->stands, 0); /* one look could be a burst */
	pass(r, 1);
	f = found(r, FINDING_SYN_FLOOD);
	assert_int_equal(f->severity, SEVERITY_CRITICAL);
	assert_subject(f, SUBJECT_SERVICE, "192.0.2.10:443");
	assert_evidence(f, "half_open", 128, 128);
	assert_evidence(f, "completion", 2, 30);
	assert_evidence(f, "answered", 100, 0);
	assert_evidence(f, "unanswered", 28, 0);
	assert_evidence(f, "syns_10s", 4000, 0);
	assert_evidence(f, "evicted_10s", 33, 0);
	assert_text(f, "192.0.2.10:443 has 128 half-open connections, limit 128; 2 % of its handshakes complete, limit 30 %; "
		       "4000 SYNs in 10 s");
	counted(SERVICE_COMPLETED, 338, 0); /* 37 %: it stands; 38 %: not */
	pass(r, 12);
	found(r, FINDING_SYN_FLOOD);
	counted(SERVICE_COMPLETED, 342, 0);
	clears(FINDING_SYN_FLOOD);
}

static void test_flood_that_completes(void **state)
{
	(void)state;
	now(SERVICE_NOW_HALF_OPEN, 5000);
	counted(SERVICE_ANSWERED, 10000, 0);
	counted(SERVICE_COMPLETED, 3000, 0);
	pass(r, 5);
	assert_int_equal(r->stands, 0);
	counted(SERVICE_COMPLETED, 2999, 0);
	pass(r, 2);
	found(r, FINDING_SYN_FLOOD);
}

/* In a young window few are counted: the last whole one tells. */
static void test_young_window(void **state)
{
	(void)state;
	now(SERVICE_NOW_HALF_OPEN, 200);
	counted(SERVICE_ANSWERED, 63, 1000);
	counted(SERVICE_COMPLETED, 0, 1000);
	pass(r, 3);
	assert_int_equal(r->stands, 0);
	counted(SERVICE_ANSWERED, 64, 1000);
	pass(r, 2);
	found(r, FINDING_SYN_FLOOD);
}

/* Nothing is answered any more. Clients of a dead service repeat their SYNs, a flood does not. */
static void test_nothing_answered(void **state)
{
	(void)state;
	now(SERVICE_NOW_UNANSWERED, 500);
	counted(SERVICE_NEW, 500, 0);
	counted(SERVICE_SYN_RTX, 250, 0);
	pass(r, 5);
	assert_int_equal(r->stands, 0);
	counted(SERVICE_SYN_RTX, 249, 0);
	pass(r, 2);
	assert_evidence(found(r, FINDING_SYN_FLOOD), "half_open", 500, 128);
	assert_evidence(found(r, FINDING_SYN_FLOOD), "completion", 0, 30);
}

/* Who waits for the application to accept answers no SYNs: those are not counted; what is answered is. */
static void test_accept_queue_is_no_flood(void **state)
{
	(void)state;
	now(SERVICE_NOW_UNANSWERED, 500);
	now(SERVICE_NOW_HALF_OPEN, 100);
	now(SERVICE_NOW_ACCEPT_QUEUE, 1);
	counted(SERVICE_NEW, 500, 0);
	counted(SERVICE_ANSWERED, 100, 0);
	pass(r, 5);
	assert_int_equal(r->stands, 0);
	now(SERVICE_NOW_HALF_OPEN, 128);
	pass(r, 2);
	found(r, FINDING_SYN_FLOOD);
}

/* A thousand clients start in the same second. */
static void test_burst_is_no_flood(void **state)
{
	(void)state;
	now(SERVICE_NOW_HALF_OPEN, 1000);
	counted(SERVICE_ANSWERED, 1000, 0);
	pass(r, 1);
	assert_int_equal(r->stands, 0);
	now(SERVICE_NOW_HALF_OPEN, 0);
	counted(SERVICE_COMPLETED, 1000, 0);
	pass(r, 5);
	assert_int_equal(r->stands, 0);
}

/* What floods the service explains its half-open flows, whoever they are of: no line for each. */
static void test_flood_explains_its_flows(void **state)
{
	(void)state;
	now(SERVICE_NOW_HALF_OPEN, 1000);
	counted(SERVICE_ANSWERED, 1000, 0);
	counted(SERVICE_SYNACK_RTX, 900, 0);
	counted(SERVICE_COMPLETED, 1, 0);
	pass(r, 2);
	hit(r, FINDING_BIT(HALF_OPEN), "198.51.100.7:4000-192.0.2.10:443", 12, 3);
	hit(r, FINDING_BIT(HALF_OPEN), "198.51.100.8:4000-192.0.2.10:443", 12, 3);
	hit(r, FINDING_BIT(STALE_SYN), "198.51.100.9:4000-192.0.2.10:443", 12, 3);
	pass(r, 2);
	found(r, FINDING_SYN_FLOOD);
	none(r, FINDING_HALF_OPEN);
	none(r, FINDING_STALE_SYN);
	hit(r, FINDING_BIT(HALF_OPEN), "198.51.100.8:4000-192.0.2.11:443", 12, 3); /* elsewhere */
	pass(r, 1);
	found(r, FINDING_HALF_OPEN);
}

/* ---- CLOSE-WAIT ---- */
static void test_close_wait_leak(void **state)
{
	const struct finding *f;

	(void)state;
	now(SERVICE_NOW_CLOSE_WAIT_OLD, 99);
	pass(r, 3);
	assert_int_equal(r->stands, 0);
	now(SERVICE_NOW_CLOSE_WAIT_OLD, 100);
	pass(r, 1);
	f = found(r, FINDING_CLOSE_WAIT_LEAK);
	assert_int_equal(f->severity, SEVERITY_INFO);
	assert_subject(f, SUBJECT_SERVICE, "192.0.2.10:443");
	assert_evidence(f, "flows", 100, 100);
	assert_evidence(f, "idle", 60 * SECOND, 60 * SECOND);
	assert_evidence(f, "grown_30s", 0, 0);
	assert_text(f, "192.0.2.10:443: 100 connections idle in CLOSE-WAIT, limit 100, the longest for 60 s, limit 60 s");
	now(SERVICE_NOW_CLOSE_WAIT_OLD, 79);
	clears(FINDING_CLOSE_WAIT_LEAK);
}

static void test_close_wait_grows(void **state)
{
	const struct finding *f;

	(void)state;
	/* looks at 1, 11, 21, 31 s: 101, 111, 121, 121 */
	for (unsigned i = 1; i <= 31; i++) {
		now(SERVICE_NOW_CLOSE_WAIT_OLD, i < 31 ? 100 + i : 121);
		pass(r, 1);
		assert_int_equal(found(r, FINDING_CLOSE_WAIT_LEAK)->severity, SEVERITY_INFO);
	}
	for (unsigned i = 1; i <= 30; i++) {
		assert_int_equal(found(r, FINDING_CLOSE_WAIT_LEAK)->severity, SEVERITY_INFO);
		now(SERVICE_NOW_CLOSE_WAIT_OLD, 130 + i);
		pass(r, 1);
	}
	f = found(r, FINDING_CLOSE_WAIT_LEAK);
	assert_int_equal(f->severity, SEVERITY_WARNING);
	assert_int_equal(told(r, DETECT_UPDATED, FINDING_CLOSE_WAIT_LEAK), 1);
	assert_evidence(f, "grown_30s", 160 - 121, 0);
	assert_text(f, "192.0.2.10:443: 160 connections idle in CLOSE-WAIT, limit 100, the longest for 60 s, limit 60 s; 39 more "
		       "in 30 s");
	/* the flows that are listed add their age, and samples */
	hit(r, FINDING_BIT(CLOSE_WAIT_LEAK), "198.51.100.7:4000-192.0.2.10:443", 200, 0);
	pass(r, 1);
	assert_evidence(f, "flows", 160, 100);
	assert_evidence(f, "idle", 200 * SECOND, 60 * SECOND);
	assert_int_equal(f->samples, 1);
	pass(r, 25); /* it grows no longer */
	assert_int_equal(f->severity, SEVERITY_INFO);
	assert_int_equal(f->evidence[0], 160);
}

/* Another service in its place has no past. */
static void test_close_wait_of_another(void **state)
{
	(void)state;
	for (unsigned i = 1; i <= 25; i++) {
		now(SERVICE_NOW_CLOSE_WAIT_OLD, 100 + i);
		pass(r, 1);
	}
	s->first_ns = r->view.now_ns;
	for (unsigned i = 26; i <= 45; i++) {
		now(SERVICE_NOW_CLOSE_WAIT_OLD, 100 + i);
		pass(r, 1);
		assert_int_equal(found(r, FINDING_CLOSE_WAIT_LEAK)->severity, SEVERITY_INFO);
	}
}

/* ---- LAST-ACK ---- */
static void last_ack(uint32_t old, uint32_t young, uint32_t open)
{
	now(SERVICE_NOW_LAST_ACK, old + young);
	now(SERVICE_NOW_LAST_ACK_OLD, old);
	now(SERVICE_NOW_TIME_WAIT, old + young);
	now(SERVICE_NOW_OPEN, open);
}

static void test_last_ack_flood(void **state)
{
	const struct finding *f;

	(void)state;
	last_ack(499, 50, 10000);
	pass(r, 15);
	assert_int_equal(r->stands, 0);
	last_ack(500, 50, 10000);
	pass(r, 10);
	assert_int_equal(r->stands, 0);
	pass(r, 1);
	f = found(r, FINDING_LAST_ACK_FLOOD);
	assert_int_equal(f->severity, SEVERITY_WARNING);
	assert_subject(f, SUBJECT_SERVICE, "192.0.2.10:443");
	assert_evidence(f, "last_ack_old", 500, 500);
	assert_evidence(f, "share", 5, 20);
	assert_evidence(f, "last_ack", 550, 0);
	assert_evidence(f, "flows", 10550, 0);
	assert_text(f, "192.0.2.10:443: 500 connections have waited in LAST-ACK for more than 10 s, limit 500; 5 % of its 10550 "
		       "flows are in LAST-ACK or CLOSING, limit 20 %");
	last_ack(399, 50, 10000);
	clears(FINDING_LAST_ACK_FLOOD);
}

static void test_last_ack_share(void **state)
{
	(void)state;
	last_ack(100, 20, 480); /* 20 % is not more than 20 % */
	pass(r, 15);
	assert_int_equal(r->stands, 0);
	last_ack(99, 20, 20);
	pass(r, 15);
	assert_int_equal(r->stands, 0);
	last_ack(100, 20, 450);
	pass(r, 11);
	found(r, FINDING_LAST_ACK_FLOOD);
}

/* Six hundred clients lose power just after they closed: no more come. */
static void test_mass_power_off(void **state)
{
	(void)state;
	last_ack(0, 600, 1000);
	pass(r, 10);
	for (unsigned i = 1; i <= 8; i++) { /* it took eight seconds until the last was off */
		last_ack(75 * i, 600 - 75 * i, 1000);
		pass(r, 1);
		assert_int_equal(r->stands, 0);
	}
	pass(r, 90);
	assert_int_equal(r->stands, 0);
	last_ack(571, 29, 1000);
	pass(r, 12);
	assert_int_equal(r->stands, 0);
	/* one in twenty is young: more keep coming */
	last_ack(570, 30, 1000);
	pass(r, 11);
	found(r, FINDING_LAST_ACK_FLOOD);
}

/* ---- out of state ---- */
static void test_out_of_state(void **state)
{
	(void)state;
	counted(SERVICE_OUT_OF_STATE, 999, 0);
	pass(r, 2);
	assert_int_equal(r->stands, 0);
	counted(SERVICE_OUT_OF_STATE, 0, 1000);
	pass(r, 1);
	assert_subject(found(r, FINDING_OUT_OF_STATE_FLOOD), SUBJECT_SERVICE, "192.0.2.10:443");
	assert_evidence(found(r, FINDING_OUT_OF_STATE_FLOOD), "segments_10s", 1000, 1000);
	assert_text(found(r, FINDING_OUT_OF_STATE_FLOOD),
		    "192.0.2.10:443 gets 1000 segments that fit no connection in 10 s, limit 1000");
	counted(SERVICE_OUT_OF_STATE, 0, 700);
	clears(FINDING_OUT_OF_STATE_FLOOD);
}

/* One source sends most of them: that is said of the source, and not again of the service. */
static void test_out_of_state_by_one(void **state)
{
	struct source *by = source_at(r, "203.0.113.9", 32);

	(void)state;
	sample(by, "203.0.113.9:4000-192.0.2.10:443");
	by->count[SOURCE_OUT_OF_STATE] = 1000;
	counted(SERVICE_OUT_OF_STATE, 2000, 0);
	pass(r, 2);
	assert_subject(found(r, FINDING_OUT_OF_STATE_FLOOD), SUBJECT_SOURCE, "203.0.113.9");
	counted(SERVICE_OUT_OF_STATE, 2001, 0);
	pass(r, 1);
	assert_int_equal(standing_of(r, FINDING_OUT_OF_STATE_FLOOD), 2);
	/* another port of that host, another host with that port: not by that source */
	service_at(r, "192.0.2.10", 80)->total[SERVICE_OUT_OF_STATE] = 1500;
	service_at(r, "192.0.2.11", 443)->total[SERVICE_OUT_OF_STATE] = 1500;
	pass(r, 1);
	assert_int_equal(standing_of(r, FINDING_OUT_OF_STATE_FLOOD), 4);
}

/* What else the source is known for says nothing of it; nor what it did, and does no more. */
static void test_out_of_state_by_others(void **state)
{
	struct source *by = source_at(r, "203.0.113.9", 32);

	(void)state;
	sample(by, "203.0.113.9:4000-192.0.2.10:443");
	by->count[SOURCE_SYN_DATA] = 5000;
	by->count[SOURCE_OUT_OF_STATE] = 1000;
	pass(r, 1);
	by->count[SOURCE_OUT_OF_STATE] = 0;
	counted(SERVICE_OUT_OF_STATE, 1500, 0);
	pass(r, 1);
	assert_int_equal(standing_of(r, FINDING_OUT_OF_STATE_FLOOD), 2);
	pass(r, 10);
	assert_subject(found(r, FINDING_OUT_OF_STATE_FLOOD), SUBJECT_SERVICE, "192.0.2.10:443");
}

static void strays(uint64_t a_second, unsigned seconds)
{
	while (seconds--) {
		r->counters.counter[CNT_STRAY_OTHER] += a_second / 2;
		r->counters.counter[CNT_MIDSTREAM_NEW] += a_second - a_second / 2;
		pass(r, 1);
	}
}

static void test_strays_everywhere(void **state)
{
	const struct finding *f;

	(void)state;
	pass(r, 1);
	strays(999, 15);
	none(r, FINDING_OUT_OF_STATE_FLOOD);
	strays(0, 10);
	strays(1000, 9);
	strays(999, 1); /* 9999 in 10 s */
	none(r, FINDING_OUT_OF_STATE_FLOOD);
	strays(0, 10);
	strays(1001, 9);
	none(r, FINDING_OUT_OF_STATE_FLOOD);
	strays(1001, 1);
	f = found(r, FINDING_OUT_OF_STATE_FLOOD);
	assert_subject(f, SUBJECT_PREFIX, "everywhere");
	assert_evidence(f, "segments_10s", 10010, 10000);
	assert_evidence(f, "strays_10s", 10010, 10000);
	assert_text(f, "10010 segments of no connection in 10 s, from everywhere, limit 10000");
	strays(0, 2); /* 8008 in the last 10 s: 80 % and more until now */
	clears(FINDING_OUT_OF_STATE_FLOOD);
}

/* More than half of them go to one service. */
static void test_strays_to_one_service(void **state)
{
	(void)state;
	pass(r, 1);
	counted(SERVICE_OUT_OF_STATE, 15001, 0);
	strays(3000, 10);
	assert_subject(found(r, FINDING_OUT_OF_STATE_FLOOD), SUBJECT_SERVICE, "192.0.2.10:443");
	assert_evidence(found(r, FINDING_OUT_OF_STATE_FLOOD), "segments_10s", 15001, 1000);
	assert_evidence(found(r, FINDING_OUT_OF_STATE_FLOOD), "strays_10s", 30000, 10000);
	assert_text(found(r, FINDING_OUT_OF_STATE_FLOOD),
		    "192.0.2.10:443 gets 15001 segments that fit no connection in 10 s, limit 1000; of no connection, from "
		    "everywhere: 30000, limit 10000");
}

/* Half of them is not most of them; and it is the service that gets most that is looked at. */
static void test_strays_to_several(void **state)
{
	(void)state;
	pass(r, 1);
	service_at(r, "192.0.2.11", 443)->total[SERVICE_OUT_OF_STATE] = 900;
	r->opts.value[PARAM_OUT_OF_STATE_FLOOD_MAX] = 100000;
	rig_restart(r);
	pass(r, 1);
	counted(SERVICE_OUT_OF_STATE, 5000, 0);
	strays(1500, 10);
	counted(SERVICE_OUT_OF_STATE, 7500, 0);
	strays(1500, 1);
	assert_subject(found(r, FINDING_OUT_OF_STATE_FLOOD), SUBJECT_PREFIX, "everywhere");
	counted(SERVICE_OUT_OF_STATE, 7501, 0);
	strays(1500, 1);
	assert_int_equal(standing_of(r, FINDING_OUT_OF_STATE_FLOOD), 2);
	strays(1500, 10);
	assert_subject(found(r, FINDING_OUT_OF_STATE_FLOOD), SUBJECT_SERVICE, "192.0.2.10:443");
	assert_evidence(found(r, FINDING_OUT_OF_STATE_FLOOD), "segments_10s", 7501, 100000);
	assert_int_equal(found(r, FINDING_OUT_OF_STATE_FLOOD)->samples, 0);
}

/* ---- ends, and SYN-ACKs again ---- */
static void test_abort_rate(void **state)
{
	const struct finding *f;

	(void)state;
	counted(SERVICE_RESET, 49, 0);
	pass(r, 1);
	assert_int_equal(r->stands, 0);
	counted(SERVICE_RESET, 51, 0);
	counted(SERVICE_CLOSED, 50, 0); /* 50 % is not more than 50 % */
	pass(r, 1);
	assert_int_equal(r->stands, 0);
	counted(SERVICE_RESET, 50, 0);
	counted(SERVICE_CLOSED, 40, 0);
	pass(r, 1);
	f = found(r, FINDING_ABORT_RATE);
	assert_int_equal(f->severity, SEVERITY_INFO);
	assert_subject(f, SUBJECT_SERVICE, "192.0.2.10:443");
	assert_evidence(f, "resets_10s", 50, 50);
	assert_evidence(f, "share", 55, 50);
	assert_evidence(f, "ends_10s", 90, 0);
	assert_text(f, "192.0.2.10:443: 50 connections reset in 10 s, limit 50; 55 % of those that ended, limit 50 %");
	counted(SERVICE_RESET, 39, 0);
	clears(FINDING_ABORT_RATE);
}

static void test_synack_retransmission(void **state)
{
	const struct finding *f;

	(void)state;
	counted(SERVICE_ANSWERED, 49, 0);
	counted(SERVICE_COMPLETED, 49, 0);
	counted(SERVICE_SYNACK_RTX, 49, 0);
	pass(r, 1);
	assert_int_equal(r->stands, 0);
	counted(SERVICE_ANSWERED, 100, 0);
	counted(SERVICE_SYNACK_RTX, 29, 0);
	pass(r, 1);
	assert_int_equal(r->stands, 0);
	counted(SERVICE_ANSWERED, 50, 0);
	counted(SERVICE_SYNACK_RTX, 14, 0);
	pass(r, 1);
	assert_int_equal(r->stands, 0);
	counted(SERVICE_SYNACK_RTX, 15, 0);
	pass(r, 1);
	f = found(r, FINDING_RETRANSMISSION);
	assert_int_equal(f->severity, SEVERITY_INFO);
	assert_evidence(f, "repeated", 15, 20);
	assert_evidence(f, "handshake_share", 30, 30);
	assert_evidence(f, "handshakes_repeated_10s", 15, 0);
	assert_evidence(f, "handshakes_10s", 50, 0);
	assert_text(f, "192.0.2.10:443: 15 of 50 SYN-ACKs sent again in 10 s, 30 %, limit 30 %");
	/* each of them more than once */
	counted(SERVICE_SYNACK_RTX, 64, 0);
	pass(r, 1);
	assert_text(f, "192.0.2.10:443: 50 SYN-ACKs sent again 64 times in 10 s, 100 %, limit 30 %");
	/* the application does not accept: that is no loss */
	now(SERVICE_NOW_ACCEPT_QUEUE, 1);
	clears(FINDING_RETRANSMISSION);
}

static void test_not_live(void **state)
{
	(void)state;
	s->live = 0;
	now(SERVICE_NOW_CLOSE_WAIT_OLD, 500);
	counted(SERVICE_OUT_OF_STATE, 5000, 0);
	counted(SERVICE_RESET, 5000, 0);
	pass(r, 3);
	assert_int_equal(r->stands, 0);
	s->live = 1;
	pass(r, 1);
	assert_int_equal(r->stands, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_syn_flood),
		TEST(test_flood_that_completes),
		TEST(test_young_window),
		TEST(test_nothing_answered),
		TEST(test_accept_queue_is_no_flood),
		TEST(test_burst_is_no_flood),
		TEST(test_flood_explains_its_flows),
		TEST(test_close_wait_leak),
		TEST(test_close_wait_grows),
		TEST(test_close_wait_of_another),
		TEST(test_last_ack_flood),
		TEST(test_last_ack_share),
		TEST(test_mass_power_off),
		TEST(test_out_of_state),
		TEST(test_out_of_state_by_one),
		TEST(test_out_of_state_by_others),
		TEST(test_strays_to_several),
		TEST(test_strays_everywhere),
		TEST(test_strays_to_one_service),
		TEST(test_abort_rate),
		TEST(test_synack_retransmission),
		TEST(test_not_live),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
