// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What is found on single flows: one finding for one flow, one for all of a source or service. */
#include "detect_case.h"

#include <stdio.h>

static void begin(void)
{
}

#define ONE "198.51.100.7:4000-192.0.2.10:443"
#define TWO "198.51.100.7:4001-192.0.2.10:443"
#define OTHER_SOURCE "198.51.100.8:4000-192.0.2.10:443"
#define OTHER_SERVICE "198.51.100.7:4002-192.0.2.11:25"

/* ---- each kind: one flow, then another of the same source or service ---- */
static const struct {
	int kind;
	uint64_t age_s;
	uint32_t count;
	const char *text; /* of the flow, after "198.51.100.7:4000 > 192.0.2.10:443: " */
	enum finding_subject wide;
	const char *wide_text;
} kinds[] = {
	{ FINDING_STALE_SYN, 12, 3, "nothing has answered the SYN for 12 s, limit 10 s; sent again 3 times",
	  SUBJECT_SOURCE, "198.51.100.7 has 2 SYNs to 192.0.2.10:443 that nothing answers; the oldest for 13 s, limit 10 s" },
	{ FINDING_HALF_OPEN, 15, 4,
	  "the handshake has been half done for 15 s, limit 10 s; the SYN-ACK was sent again 4 times, limit 3",
	  SUBJECT_SOURCE,
	  "198.51.100.7 holds 2 half-open connections to 192.0.2.10:443; the oldest for 16 s, limit 10 s, the SYN-ACK "
	  "sent again up to 4 times, limit 3" },
	{ FINDING_ACCEPT_QUEUE_FULL, 7, 2,
	  "the client completed the handshake, the application does not accept it; the SYN-ACK was sent again twice, "
	  "limit 2",
	  SUBJECT_SERVICE,
	  "192.0.2.10:443 does not accept 2 connections whose clients completed the handshake; the SYN-ACK was sent "
	  "again up to twice, limit 2" },
	{ FINDING_DEAD_PEER, 45, 6,
	  "one end has been silent for 45 s, limit 30 s; 6 segments or probes without an answer, limit 5", SUBJECT_SERVICE,
	  "192.0.2.10:443: one end of 2 connections is silent, the longest for 46 s, limit 30 s; 6 segments or probes "
	  "without an answer, limit 5" },
	{ FINDING_TIME_WAIT_ASSASSINATION, 0, 3, "3 RSTs against TIME-WAIT, limit of inexact ones 3", SUBJECT_SERVICE,
	  "192.0.2.10:443: 2 connections, up to 3 RSTs against TIME-WAIT, limit of inexact ones 3" },
	{ FINDING_FIN_STORM, 0, 9, "9 FINs sent again in 10 s on one flow, limit 8", SUBJECT_SERVICE,
	  "192.0.2.10:443: 9 FINs sent again in 10 s on one flow, limit 8; 2 such flows" },
	{ FINDING_TIME_WAIT_PINNING, 130, 6, "kept in TIME-WAIT for 2 min, 2MSL started again 6 times, limit 5",
	  SUBJECT_SERVICE,
	  "192.0.2.10:443: 2 connections kept in TIME-WAIT, the longest for 2 min, 2MSL started again up to 6 times, "
	  "limit 5" },
	{ FINDING_CLOSE_WAIT_LEAK, 75, 0, "idle in CLOSE-WAIT for 75 s, limit 60 s; the application does not close",
	  SUBJECT_SERVICE, "192.0.2.10:443: 2 connections idle in CLOSE-WAIT, the longest for 76 s, limit 60 s" },
	{ FINDING_FIN_WAIT_2_HANG, 61, 0, "idle in FIN-WAIT-2 for 61 s, limit 60 s; the peer does not send its FIN",
	  SUBJECT_SERVICE,
	  "192.0.2.10:443: 2 connections idle in FIN-WAIT-2, the longest for 62 s, limit 60 s; the peer does not send "
	  "its FIN" },
	{ FINDING_ZERO_WINDOW, 60, 0, "the receiver has kept its window shut for 60 s, limit 60 s", SUBJECT_SERVICE,
	  "192.0.2.10:443: 2 receivers keep their windows shut, the longest for 61 s, limit 60 s" },
	{ FINDING_RST_INJECTION, 0, 3, "3 RSTs that the peer did not send, limit 3", SUBJECT_SERVICE,
	  "192.0.2.10:443: 2 connections, up to 3 RSTs that the peer did not send, limit 3" },
	{ FINDING_SYN_INJECTION, 0, 1, "a SYN into the open connection that the peer did not send, limit 1",
	  SUBJECT_SERVICE, "192.0.2.10:443: 2 open connections got a SYN that the peer did not send, limit 1" },
	{ FINDING_RETRANSMISSION, 0, 25, "25 segments sent again, limit 20, 7 % of an end's segments, limit 5 %",
	  SUBJECT_SERVICE,
	  "192.0.2.10:443: 50 segments sent again on 2 connections, limit 20, up to 7 % of an end's segments, limit 5 %" },
};

static void test_each_kind(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(kinds); i++) {
		const int kind = kinds[i].kind;
		const struct finding *f;
		char text[400];
		uint32_t id;
		uint64_t raised_ns;

		anew();
		pass(r, 1);
		none(r, kind);
		hit(r, 1ULL << kind, ONE, kinds[i].age_s, kinds[i].count)->share = 7;
		pass(r, 1);
		f = found(r, kind);
		id = f->id;
		raised_ns = f->raised_ns;
		assert_int_equal(r->stands, 1);
		assert_subject(f, SUBJECT_FLOW, "198.51.100.7:4000 > 192.0.2.10:443");
		snprintf(text, sizeof(text), "198.51.100.7:4000 > 192.0.2.10:443: %s", kinds[i].text);
		assert_text(f, text);
		assert_int_equal(f->samples, 1);
		assert_memory_equal(&f->sample[0], &r->hits.hit[0].key, sizeof(f->key));

		/* the same finding is widened, once */
		hit(r, 1ULL << kind, TWO, kinds[i].age_s, kinds[i].count)->share = 7;
		pass(r, 1);
		f = found(r, kind);
		assert_int_equal(f->id, id);
		assert_int_equal(f->raised_ns, raised_ns);
		assert_int_equal(told(r, DETECT_UPDATED, kind), 1);
		assert_subject(f, kinds[i].wide,
			       kinds[i].wide == SUBJECT_SOURCE ? "198.51.100.7" : "192.0.2.10:443");
		assert_text(f, kinds[i].wide_text);
		assert_int_equal(f->samples, 2);
		pass(r, 1);
		assert_int_equal(r->newses, 0);

		/* and does not shrink back */
		unhit(r, 1ULL << kind);
		hit(r, 1ULL << kind, TWO, kinds[i].age_s, kinds[i].count);
		pass(r, 1);
		assert_int_equal(found(r, kind)->id, id);
		assert_int_equal(found(r, kind)->subject, kinds[i].wide);
		assert_int_equal(r->newses, 0);

		unhit(r, 1ULL << kind);
		pass(r, 9);
		assert_int_equal(found(r, kind)->id, id);
		pass(r, 1);
		none(r, kind);
		assert_int_equal(told(r, DETECT_CLEARED, kind), 1);
	}
}

/* ---- the numbers, field by field ---- */
static void test_evidence(void **state)
{
	(void)state;
	hit(r, FINDING_BIT(STALE_SYN), ONE, 12, 3);
	hit(r, FINDING_BIT(HALF_OPEN), ONE, 15, 4);
	hit(r, FINDING_BIT(ACCEPT_QUEUE_FULL), ONE, 7, 2);
	hit(r, FINDING_BIT(DEAD_PEER), ONE, 45, 6);
	hit(r, FINDING_BIT(TIME_WAIT_ASSASSINATION), ONE, 0, 3);
	hit(r, FINDING_BIT(FIN_STORM), ONE, 0, 9);
	hit(r, FINDING_BIT(FIN_STORM), TWO, 0, 8);
	hit(r, FINDING_BIT(TIME_WAIT_PINNING), ONE, 130, 6);
	hit(r, FINDING_BIT(CLOSE_WAIT_LEAK), ONE, 75, 0);
	hit(r, FINDING_BIT(FIN_WAIT_2_HANG), ONE, 61, 0);
	hit(r, FINDING_BIT(ZERO_WINDOW), ONE, 60, 0);
	hit(r, FINDING_BIT(RST_INJECTION), ONE, 0, 3);
	hit(r, FINDING_BIT(SYN_INJECTION), ONE, 0, 1);
	hit(r, FINDING_BIT(RETRANSMISSION), ONE, 0, 25)->share = 7;
	hit(r, FINDING_BIT(RETRANSMISSION), TWO, 0, 22)->share = 9;
	pass(r, 1);
	assert_int_equal(r->stands, ARRAY_SIZE(kinds));

	assert_evidence(found(r, FINDING_STALE_SYN), "unanswered", 1, 0);
	assert_evidence(found(r, FINDING_STALE_SYN), "age", 12 * SECOND, 10 * SECOND);
	assert_evidence(found(r, FINDING_STALE_SYN), "syns_repeated", 3, 0);
	assert_evidence(found(r, FINDING_HALF_OPEN), "half_open", 1, 128);
	assert_evidence(found(r, FINDING_HALF_OPEN), "age", 15 * SECOND, 10 * SECOND);
	assert_evidence(found(r, FINDING_HALF_OPEN), "synacks_repeated", 4, 3);
	assert_evidence(found(r, FINDING_HALF_OPEN), "completion", 0, 30);
	assert_evidence(found(r, FINDING_HALF_OPEN), "handshakes_60s", 0, 0);
	assert_evidence(found(r, FINDING_ACCEPT_QUEUE_FULL), "waiting", 1, 0);
	assert_evidence(found(r, FINDING_ACCEPT_QUEUE_FULL), "synacks_repeated", 2, 2);
	assert_evidence(found(r, FINDING_ACCEPT_QUEUE_FULL), "age", 7 * SECOND, 0);
	assert_evidence(found(r, FINDING_DEAD_PEER), "flows", 1, 0);
	assert_evidence(found(r, FINDING_DEAD_PEER), "silence", 45 * SECOND, 30 * SECOND);
	assert_evidence(found(r, FINDING_DEAD_PEER), "unanswered", 6, 5);
	assert_evidence(found(r, FINDING_TIME_WAIT_ASSASSINATION), "flows", 1, 0);
	assert_evidence(found(r, FINDING_TIME_WAIT_ASSASSINATION), "resets", 3, 3);
	assert_evidence(found(r, FINDING_FIN_STORM), "fins_10s", 17, 1000);
	assert_evidence(found(r, FINDING_FIN_STORM), "fins_of_one_flow", 9, 8);
	assert_evidence(found(r, FINDING_FIN_STORM), "flows", 2, 0);
	assert_evidence(found(r, FINDING_TIME_WAIT_PINNING), "flows", 1, 0);
	assert_evidence(found(r, FINDING_TIME_WAIT_PINNING), "restarts", 6, 5);
	assert_evidence(found(r, FINDING_TIME_WAIT_PINNING), "age", 130 * SECOND, 0);
	assert_evidence(found(r, FINDING_CLOSE_WAIT_LEAK), "flows", 1, 100);
	assert_evidence(found(r, FINDING_CLOSE_WAIT_LEAK), "idle", 75 * SECOND, 60 * SECOND);
	assert_evidence(found(r, FINDING_FIN_WAIT_2_HANG), "flows", 1, 0);
	assert_evidence(found(r, FINDING_FIN_WAIT_2_HANG), "idle", 61 * SECOND, 60 * SECOND);
	assert_evidence(found(r, FINDING_ZERO_WINDOW), "flows", 1, 20);
	assert_evidence(found(r, FINDING_ZERO_WINDOW), "shut", 60 * SECOND, 60 * SECOND);
	assert_evidence(found(r, FINDING_RST_INJECTION), "flows", 1, 0);
	assert_evidence(found(r, FINDING_RST_INJECTION), "resets", 3, 3);
	assert_evidence(found(r, FINDING_SYN_INJECTION), "flows", 1, 0);
	assert_evidence(found(r, FINDING_SYN_INJECTION), "syns", 1, 0);
	assert_evidence(found(r, FINDING_RETRANSMISSION), "repeated", 47, 20);
	assert_evidence(found(r, FINDING_RETRANSMISSION), "share", 9, 5);
	assert_evidence(found(r, FINDING_RETRANSMISSION), "flows", 2, 0);
	assert_int_equal(found(r, FINDING_STALE_SYN)->severity, SEVERITY_INFO);
	assert_int_equal(found(r, FINDING_HALF_OPEN)->severity, SEVERITY_WARNING);
	assert_int_equal(found(r, FINDING_CLOSE_WAIT_LEAK)->severity, SEVERITY_INFO);
}

/* ---- groups ---- */
static void test_grouped_by_source(void **state)
{
	(void)state;
	hit(r, FINDING_BIT(HALF_OPEN), ONE, 15, 4);
	hit(r, FINDING_BIT(HALF_OPEN), OTHER_SERVICE, 12, 3);
	hit(r, FINDING_BIT(HALF_OPEN), OTHER_SOURCE, 11, 3);
	pass(r, 1);
	assert_int_equal(r->stands, 2);
	assert_int_equal(standing_of(r, FINDING_HALF_OPEN), 2);
	for (unsigned i = 0; i < 2; i++) {
		const struct finding *f = &r->table[i];
		bool flow = f->subject == SUBJECT_FLOW;

		assert_text(f, flow ? "198.51.100.8:4000 > 192.0.2.10:443: the handshake has been half done for 11 s, limit "
				      "10 s; the SYN-ACK was sent again 3 times, limit 3"
				    : "198.51.100.7 holds 2 half-open connections; the oldest for 15 s, limit 10 s, the "
				      "SYN-ACK sent again up to 4 times, limit 3");
	}
}

static void test_grouped_by_service(void **state)
{
	(void)state;
	hit(r, FINDING_BIT(DEAD_PEER), ONE, 45, 6);
	hit(r, FINDING_BIT(DEAD_PEER), OTHER_SOURCE, 40, 5);
	hit(r, FINDING_BIT(DEAD_PEER), OTHER_SERVICE, 35, 5);
	pass(r, 1);
	assert_int_equal(standing_of(r, FINDING_DEAD_PEER), 2);
}

/* Of IPv6 a /64 is one source. */
static void test_grouped_by_64(void **state)
{
	(void)state;
	hit(r, FINDING_BIT(HALF_OPEN), "[2001:db8:1::1]:4000-[2001:db8:2::1]:443", 15, 4);
	hit(r, FINDING_BIT(HALF_OPEN), "[2001:db8:1::ffff]:4000-[2001:db8:2::1]:443", 15, 4);
	pass(r, 1);
	assert_subject(found(r, FINDING_HALF_OPEN), SUBJECT_SOURCE, "2001:db8:1::/64");
	assert_int_equal(found(r, FINDING_HALF_OPEN)->prefix_len, 64);
}

/* One flow after another of the same service: one finding, not one each. */
static void test_one_after_another(void **state)
{
	const struct finding *f;

	(void)state;
	hit(r, FINDING_BIT(CLOSE_WAIT_LEAK), ONE, 61, 0);
	pass(r, 1);
	unhit(r, FINDING_BIT(CLOSE_WAIT_LEAK));
	pass(r, 5);
	hit(r, FINDING_BIT(CLOSE_WAIT_LEAK), TWO, 61, 0);
	pass(r, 1);
	f = found(r, FINDING_CLOSE_WAIT_LEAK);
	assert_int_equal(f->id, 1);
	assert_subject(f, SUBJECT_SERVICE, "192.0.2.10:443");
	assert_int_equal(f->evidence[0], 1);
	assert_text(f, "192.0.2.10:443: 1 connection idle in CLOSE-WAIT, the longest for 61 s, limit 60 s");
}

static void spread(uint64_t mask, unsigned sources)
{
	char tuple[80];

	for (unsigned i = 0; i < sources; i++) {
		snprintf(tuple, sizeof(tuple), "198.51.%u.%u:4000-192.0.2.10:443", i / 250, 1 + i % 250);
		hit(r, mask, tuple, 11, 3);
	}
}

/* Many sources at one service: what is wrong is the service's, in one line. */
static void test_spread_over_sources(void **state)
{
	const struct finding *f;

	(void)state;
	spread(FINDING_BIT(STALE_SYN), 15);
	pass(r, 1);
	assert_int_equal(standing_of(r, FINDING_STALE_SYN), 15);
	unhit(r, FINDING_BIT(STALE_SYN));
	pass(r, 10);
	none(r, FINDING_STALE_SYN);
	spread(FINDING_BIT(STALE_SYN), 16);
	pass(r, 1);
	f = found(r, FINDING_STALE_SYN);
	assert_subject(f, SUBJECT_SERVICE, "192.0.2.10:443");
	assert_evidence(f, "unanswered", 16, 0);
	assert_evidence(f, "sources", 16, 0);
	assert_text(f, "192.0.2.10:443 leaves 16 SYNs of 16 sources unanswered, the oldest for 11 s, limit 10 s");
	unhit(r, FINDING_BIT(STALE_SYN));
	spread(FINDING_BIT(STALE_SYN), 13);
	pass(r, 1);
	assert_int_equal(found(r, FINDING_STALE_SYN)->id, f->id);

	spread(FINDING_BIT(HALF_OPEN), 20);
	pass(r, 1);
	assert_text(found(r, FINDING_HALF_OPEN),
		    "192.0.2.10:443 has 20 half-open connections of 20 sources; the oldest for 11 s, limit 10 s");
}

/* Not all flows of a kind are listed. */
static void test_at_least(void **state)
{
	(void)state;
	hit(r, FINDING_BIT(FIN_WAIT_2_HANG), ONE, 75, 0);
	hit(r, FINDING_BIT(FIN_WAIT_2_HANG), TWO, 75, 0);
	r->hits.total[FINDING_FIN_WAIT_2_HANG] = 700;
	pass(r, 1);
	assert_int_equal(found(r, FINDING_FIN_WAIT_2_HANG)->at_least, 1);
	assert_text(found(r, FINDING_FIN_WAIT_2_HANG),
		    "192.0.2.10:443: at least 2 connections idle in FIN-WAIT-2, the longest for 75 s, limit 60 s; the peer "
		    "does not send its FIN");
}

/* ---- what is explained by something else ---- */
static void test_explained(void **state)
{
	(void)state;
	/* data sent again to nobody, to a full queue, to a shut window: no loss */
	hit(r, FINDING_BIT(RETRANSMISSION) | FINDING_BIT(DEAD_PEER), ONE, 45, 25);
	hit(r, FINDING_BIT(RETRANSMISSION) | FINDING_BIT(ACCEPT_QUEUE_FULL), TWO, 45, 25);
	hit(r, FINDING_BIT(RETRANSMISSION) | FINDING_BIT(ZERO_WINDOW), OTHER_SOURCE, 70, 25);
	pass(r, 1);
	none(r, FINDING_RETRANSMISSION);
	assert_int_equal(r->stands, 3);
}

static void test_one_way_source(void **state)
{
	struct source *s = source_at(r, "198.51.100.7", 32);

	(void)state;
	s->count[SOURCE_NEW] = 30;
	s->count[SOURCE_ONE_WAY] = 4;
	hit(r, FINDING_BIT(STALE_SYN), ONE, 12, 3);
	hit(r, FINDING_BIT(HALF_OPEN), TWO, 12, 3);
	hit(r, FINDING_BIT(DEAD_PEER), ONE, 45, 6); /* said of the service */
	pass(r, 1);
	none(r, FINDING_STALE_SYN);
	found(r, FINDING_HALF_OPEN); /* its SYN-ACK was seen */
	found(r, FINDING_DEAD_PEER);
	s->count[SOURCE_ONE_WAY] = 3; /* a tenth is not more than a tenth */
	pass(r, 1);
	found(r, FINDING_STALE_SYN);
	found(r, FINDING_HALF_OPEN);
}

/* Probes alone were not answered: it is their limit that is named. Or the peer has forgotten the connection. */
static void test_dead_peer(void **state)
{
	(void)state;
	hit(r, FINDING_BIT(DEAD_PEER), ONE, 225, 3);
	pass(r, 1);
	assert_evidence(found(r, FINDING_DEAD_PEER), "unanswered", 3, 3);
	assert_text(found(r, FINDING_DEAD_PEER),
		    "198.51.100.7:4000 > 192.0.2.10:443: one end has been silent for 3 min, limit 30 s; 3 segments or probes "
		    "without an answer, limit 3");
	unhit(r, FINDING_BIT(DEAD_PEER));
	hit(r, FINDING_BIT(DEAD_PEER), OTHER_SERVICE, 0, 0)->since_ns = 0;
	pass(r, 11);
	assert_text(found(r, FINDING_DEAD_PEER),
		    "198.51.100.7:4002 > 192.0.2.11:25: one end turned out to know nothing of it");
}

static void test_assassin(void **state)
{
	(void)state;
	hit(r, FINDING_BIT(TIME_WAIT_ASSASSINATION), ONE, 0, 0);
	pass(r, 1);
	assert_text(found(r, FINDING_TIME_WAIT_ASSASSINATION),
		    "198.51.100.7:4000 > 192.0.2.10:443: a RST ended TIME-WAIT early");
	hit(r, FINDING_BIT(TIME_WAIT_ASSASSINATION), TWO, 0, 0);
	pass(r, 1);
	assert_text(found(r, FINDING_TIME_WAIT_ASSASSINATION), "192.0.2.10:443: RSTs ended TIME-WAIT of 2 connections early");
}

static void test_exact_rst(void **state)
{
	(void)state;
	hit(r, FINDING_BIT(RST_INJECTION), ONE, 0, 1);
	pass(r, 1);
	assert_text(found(r, FINDING_RST_INJECTION), "198.51.100.7:4000 > 192.0.2.10:443: ended by a RST that the peer did "
						     "not send: it went on after it");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_each_kind),		TEST(test_evidence),	     TEST(test_grouped_by_source),
		TEST(test_grouped_by_service),	TEST(test_grouped_by_64),    TEST(test_one_after_another),
		TEST(test_spread_over_sources), TEST(test_at_least),	     TEST(test_explained),
		TEST(test_exact_rst),		TEST(test_one_way_source),	TEST(test_dead_peer),	     TEST(test_assassin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
