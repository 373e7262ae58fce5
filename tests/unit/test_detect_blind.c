// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What cannot be seen, and what is not said meanwhile. */
#include "detect_case.h"

static void begin(void)
{
}

#define KINDS_ALL ((1ULL << FINDING_COUNT) - 1)

/* Each kind once. Those that must hold for a while are given it: 12 s. */
static void everything(void)
{
	struct service *s = service_at(r, "192.0.2.10", 443), *other = service_at(r, "192.0.2.11", 443);
	struct source *a = source_at(r, "203.0.113.9", 32), *b = source_at(r, "203.0.114.9", 32);
	struct pair *p = pair_of(r, "10.0.0.1", "192.0.2.10", 443);

	s->now[0][SERVICE_NOW_HALF_OPEN] = 1000;
	s->total[SERVICE_ANSWERED] = 1000;
	other->now[0][SERVICE_NOW_LAST_ACK_OLD] = 500;
	other->now[0][SERVICE_NOW_LAST_ACK] = 600;
	other->total[SERVICE_RESET] = 100;
	p->flows[0] = p->time_wait[0] = 23000;
	a->count[SOURCE_TIME_WAIT_REUSE] = a->count[SOURCE_OUT_OF_STATE] = a->count[SOURCE_BAD_FLAGS] = 1000;
	a->count[SOURCE_SYN_DATA] = a->count[SOURCE_UNASKED] = a->count[SOURCE_FAILED] = a->count[SOURCE_REFUSED] = 1000;
	fill(&a->peers, 100);
	fill(&a->targets, 100);
	b->now[0][SOURCE_NOW_HALF_OPEN_RTX] = 100;
	hit(r, FINDING_BIT(STALE_SYN), "198.51.100.1:4000-192.0.2.12:443", 12, 3);
	hit(r, FINDING_BIT(HALF_OPEN), "198.51.100.2:4000-192.0.2.12:443", 12, 3);
	hit(r, FINDING_BIT(ACCEPT_QUEUE_FULL), "198.51.100.3:4000-192.0.2.12:443", 12, 3);
	hit(r, FINDING_BIT(DEAD_PEER), "198.51.100.4:4000-192.0.2.12:443", 40, 5);
	hit(r, FINDING_BIT(TIME_WAIT_ASSASSINATION), "198.51.100.5:4000-192.0.2.12:443", 0, 3);
	hit(r, FINDING_BIT(FIN_STORM), "198.51.100.6:4000-192.0.2.12:443", 0, 9);
	hit(r, FINDING_BIT(TIME_WAIT_PINNING), "198.51.100.7:4000-192.0.2.12:443", 300, 6);
	hit(r, FINDING_BIT(CLOSE_WAIT_LEAK), "198.51.100.8:4000-192.0.2.12:443", 61, 0);
	hit(r, FINDING_BIT(FIN_WAIT_2_HANG), "198.51.100.9:4000-192.0.2.12:443", 61, 0);
	hit(r, FINDING_BIT(ZERO_WINDOW), "198.51.100.10:4000-192.0.2.12:443", 61, 0);
	hit(r, FINDING_BIT(RST_INJECTION), "198.51.100.11:4000-192.0.2.12:443", 0, 3);
	hit(r, FINDING_BIT(SYN_INJECTION), "198.51.100.12:4000-192.0.2.12:443", 0, 1);
	hit(r, FINDING_BIT(RETRANSMISSION), "198.51.100.13:4000-192.0.2.12:443", 0, 30);
}

static uint64_t kinds_standing(void)
{
	uint64_t mask = 0;

	for (int kind = 0; kind < FINDING_COUNT; kind++)
		mask |= (uint64_t)(standing_of(r, kind) > 0) << kind;
	return mask;
}

/* What stands twelve seconds after everything went wrong. */
static uint64_t seen_blind(void)
{
	everything();
	pass(r, 12);
	return kinds_standing();
}

static void test_seeing(void **state)
{
	(void)state;
	assert_int_equal(seen_blind(), KINDS_ALL);
	assert_int_equal(detector_blind(r->detector), 0);
}

#define ONE_WAY                                                                                                        \
	(FINDING_BIT(STALE_SYN) | FINDING_BIT(DEAD_PEER) | FINDING_BIT(BACKSCATTER) | FINDING_BIT(ZERO_WINDOW))
#define MIRROR_LOSS                                                                                                    \
	(FINDING_BIT(DEAD_PEER) | FINDING_BIT(RST_INJECTION) | FINDING_BIT(RETRANSMISSION) |                           \
	 FINDING_BIT(OUT_OF_STATE_FLOOD) | FINDING_BIT(SYN_INJECTION))
#define NO_PAST (FINDING_BIT(OUT_OF_STATE_FLOOD) | FINDING_BIT(BACKSCATTER))

/* A counter must have grown between two looks: the tables are filled after the second. */
static uint64_t seen_after(uint64_t flows_new, enum ward_flag_bit flag, uint64_t flagged)
{
	pass(r, 1);
	r->counters.counter[CNT_FLOWS_NEW] += flows_new;
	r->counters.flag[flag] += flagged;
	pass(r, 1);
	return seen_blind();
}

static void test_one_way(void **state)
{
	(void)state;
	assert_int_equal(seen_after(20, FLAG_BIT_ASYM, 11), KINDS_ALL & ~ONE_WAY);
	assert_int_equal(detector_blind(r->detector), 1 << BLIND_ONE_WAY);
	pass(r, 60); /* it was a minute ago */
	assert_int_equal(detector_blind(r->detector), 0);
	assert_int_equal(kinds_standing(), KINDS_ALL);
}

/* SYNs whose answer may pass elsewhere make no flood, nor a scan; what is half open was answered here, a refusal seen. */
static void test_one_way_unanswered(void **state)
{
	struct service *s = service_at(r, "192.0.2.10", 443);
	struct source *a = source_at(r, "203.0.113.9", 32);

	(void)state;
	pass(r, 1);
	r->counters.counter[CNT_FLOWS_NEW] += 20;
	r->counters.flag[FLAG_BIT_ASYM] += 11;
	s->now[0][SERVICE_NOW_UNANSWERED] = 1000;
	s->now[0][SERVICE_NOW_HALF_OPEN] = 127;
	s->total[SERVICE_ANSWERED] = 127;
	s->total[SERVICE_NEW] = 1127;
	a->count[SOURCE_FAILED] = 1000;
	a->count[SOURCE_STALE] = 1000;
	a->count[SOURCE_REFUSED] = 19;
	fill(&a->targets, 100);
	pass(r, 5);
	assert_int_equal(detector_blind(r->detector), 1 << BLIND_ONE_WAY);
	assert_int_equal(r->stands, 0);
	s->now[0][SERVICE_NOW_HALF_OPEN] = 128;
	a->count[SOURCE_REFUSED] = 20;
	pass(r, 2);
	assert_evidence(found(r, FINDING_SYN_FLOOD), "half_open", 128, 128);
	assert_int_equal(found(r, FINDING_PORT_SCAN)->severity, SEVERITY_WARNING);
}

/* A flood of SYNs that nothing answers hides neither that, nor that there is nothing of the kind. */
static void test_beside_a_flood(void **state)
{
	(void)state;
	pass(r, 1);
	r->counters.edge[CLOSED][LISTEN] += 3000 + 11;
	r->counters.edge[LISTEN][ESTABLISHED] += 11;
	assert_int_equal(seen_after(3000 + 20, FLAG_BIT_ASYM, 11), KINDS_ALL & ~ONE_WAY);
	assert_int_equal(detector_blind(r->detector), 1 << BLIND_ONE_WAY);
	anew();
	pass(r, 1);
	r->counters.edge[CLOSED][LISTEN] += 3000 + 20;
	r->counters.edge[LISTEN][SYN_RECEIVED] += 6;
	r->counters.edge[LISTEN][ESTABLISHED] += 10;
	r->counters.counter[CNT_END_REFUSED] += 4;
	assert_int_equal(seen_after(3000 + 20, FLAG_BIT_ASYM, 10), KINDS_ALL);
	assert_int_equal(detector_blind(r->detector), 0);
	/* what it answers now was asked before */
	anew();
	pass(r, 1);
	r->counters.edge[LISTEN][SYN_RECEIVED] += 500;
	assert_int_equal(seen_after(20, FLAG_BIT_ASYM, 10), KINDS_ALL);
}

static void test_not_one_way(void **state)
{
	(void)state;
	assert_int_equal(seen_after(20, FLAG_BIT_ASYM, 10), KINDS_ALL);
}

static void test_too_few_to_say(void **state)
{
	(void)state;
	assert_int_equal(seen_after(19, FLAG_BIT_ASYM, 19), KINDS_ALL);
}

static void test_mirror_loss(void **state)
{
	(void)state;
	assert_int_equal(seen_after(40, FLAG_BIT_ACK_UNSEEN, 3), KINDS_ALL & ~MIRROR_LOSS);
	assert_int_equal(detector_blind(r->detector), 1 << BLIND_MIRROR_LOSS);
}

static void test_little_loss(void **state)
{
	(void)state;
	assert_int_equal(seen_after(40, FLAG_BIT_ACK_UNSEEN, 2), KINDS_ALL);
}

static void test_tap(void **state)
{
	(void)state;
	r->view.tap = true;
	assert_int_equal(seen_blind(), KINDS_ALL & ~MIRROR_LOSS);
	assert_int_equal(detector_blind(r->detector), 1 << BLIND_MIRROR_LOSS);
}

static void test_merged(void **state)
{
	(void)state;
	r->view.merged = true;
	assert_int_equal(seen_blind(), KINDS_ALL & ~FINDING_BIT(RETRANSMISSION));
	assert_int_equal(detector_blind(r->detector), 1 << BLIND_MERGED);
}

static void test_grace(void **state)
{
	(void)state;
	r->view.started_ns = r->view.now_ns;
	assert_int_equal(seen_blind(), KINDS_ALL & ~NO_PAST);
	assert_int_equal(detector_blind(r->detector), 1 << BLIND_GRACE);
	pass(r, 107);
	assert_int_equal(kinds_standing(), KINDS_ALL & ~NO_PAST);
	pass(r, 1); /* 120 s */
	assert_int_equal(kinds_standing(), KINDS_ALL);
	assert_int_equal(detector_blind(r->detector), 0);
}

static void test_table_full(void **state)
{
	(void)state;
	r->counters.counter[CNT_TABLE_FULL] = 1000; /* long ago */
	pass(r, 20);
	assert_int_equal(detector_blind(r->detector), 0);
	everything();
	r->counters.counter[CNT_TABLE_FULL]++;
	pass(r, 9);
	assert_int_equal(detector_blind(r->detector), 1 << BLIND_TABLE_FULL);
	assert_int_equal(kinds_standing() & NO_PAST, 0);
	pass(r, 2);
	assert_int_equal(detector_blind(r->detector), 0);
	pass(r, 1);
	assert_int_equal(kinds_standing(), KINDS_ALL);
}

/* What stands already stays, for as long as its condition is seen to hold. */
static void test_standing_stays(void **state)
{
	(void)state;
	assert_int_equal(seen_blind(), KINDS_ALL);
	r->view.tap = true;
	r->view.merged = true;
	r->view.started_ns = r->view.now_ns;
	r->counters.counter[CNT_FLOWS_NEW] += 100;
	r->counters.flag[FLAG_BIT_ASYM] += 100;
	r->counters.counter[CNT_TABLE_FULL] += 100;
	pass(r, 30);
	assert_int_equal(kinds_standing(), KINDS_ALL);
	assert_int_equal(r->newses, 0);
	unhit(r, FINDING_BIT(DEAD_PEER));
	pass(r, 10);
	assert_int_equal(kinds_standing(), KINDS_ALL & ~FINDING_BIT(DEAD_PEER));
}

/* The first look of a process has nothing to compare with: what was counted before says nothing of now. */
static void test_first_look(void **state)
{
	(void)state;
	r->counters.counter[CNT_FLOWS_NEW] = r->counters.flag[FLAG_BIT_ASYM] = 1000;
	r->counters.counter[CNT_TABLE_FULL] = r->counters.counter[CNT_STRAY_OTHER] = 1000000;
	pass(r, 70);
	assert_int_equal(detector_blind(r->detector), 0);
	assert_int_equal(r->stands, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_seeing),	TEST(test_one_way), TEST(test_one_way_unanswered), TEST(test_not_one_way),
		TEST(test_beside_a_flood),
		TEST(test_too_few_to_say), TEST(test_mirror_loss), TEST(test_little_loss),
		TEST(test_tap),		TEST(test_merged),     TEST(test_grace),
		TEST(test_table_full),	TEST(test_standing_stays), TEST(test_first_look),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
