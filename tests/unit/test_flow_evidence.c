// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The numbers of a flow on which something is found: since when, how often. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "flow_evidence.h"

#define NOW (1700000000 * NS_PER_S)
#define AGO(s) (NOW - (s) * NS_PER_S)

static struct flow_hit of(const struct flow *f, __u64 found)
{
	struct flow_hit hit;

	memset(&hit, 0xee, sizeof(hit));
	flow_evidence(&hit, f, found, NOW);
	return hit;
}

static void check(const struct flow *f, __u64 found, __u64 age_s, __u32 count)
{
	struct flow_hit hit = of(f, found);

	assert_int_equal(hit.count, count);
	if (!age_s)
		assert_int_equal(hit.since_ns, 0);
	else /* marks are kept in units of 2^20 ns */
		assert_in_range(hit.since_ns, AGO(age_s) - NS_PER_S / 500, AGO(age_s) + NS_PER_S / 500);
}

static void test_opening(void **state)
{
	struct flow f = { .state = { LISTEN, SYN_SENT }, .orig = 1, .syn_rtx = 4, .synack_rtx = 5, .start_ns = AGO(30) };

	(void)state;
	f.since_ns[0] = AGO(3);
	f.since_ns[1] = AGO(12);
	check(&f, FINDING_BIT(STALE_SYN), 12, 4);
	f.state[0] = SYN_RECEIVED;
	check(&f, FINDING_BIT(HALF_OPEN), 3, 5);
	f.prev = 3ULL << PREV_SYNACKS_SHIFT;
	check(&f, FINDING_BIT(ACCEPT_QUEUE_FULL), 30, 3);
}

static void test_dead_peer(void **state)
{
	struct flow f = { .state = { ESTABLISHED, ESTABLISHED }, .rtx = { 9, 9 } };

	(void)state;
	f.half[0].last_ns = AGO(1);
	f.half[1].last_ns = AGO(45);
	f.prev = 6ULL << PREV_RTX_SHIFT | 2ULL << PREV_PROBES_SHIFT; /* A sent last */
	check(&f, FINDING_BIT(DEAD_PEER), 45, 6);
	f.prev = 1ULL << 33 | 2ULL << PREV_RTX_SHIFT | 3ULL << PREV_PROBES_SHIFT; /* B did */
	check(&f, FINDING_BIT(DEAD_PEER), 1, 3);
	/* with its retransmissions: the silence is what matters */
	assert_int_equal(of(&f, FINDING_BIT(DEAD_PEER) | FINDING_BIT(RETRANSMISSION)).count, 3);
	f.state[0] = f.state[1] = CLOSED;
	check(&f, FINDING_BIT(DEAD_PEER), 0, 0);
}

static void test_time_wait(void **state)
{
	struct flow f = { .state = { TIME_WAIT, CLOSED }, .fin_rtx = 9 };

	(void)state;
	f.flags = 2ULL << MARK_RSTS_SHIFT | 6ULL << MARK_RESTARTS_SHIFT;
	f.known[0] = KNOWN_FIN;
	tcp_since_set(&f, 0, since_of(AGO(130)));
	check(&f, FINDING_BIT(TIME_WAIT_ASSASSINATION), 0, 2);
	check(&f, FINDING_BIT(RST_INJECTION), 0, 2);
	check(&f, FINDING_BIT(FIN_STORM), 0, 9);
	check(&f, FINDING_BIT(TIME_WAIT_PINNING), 130, 6);
	f.known[0] |= KNOWN_HOLE; /* forgotten */
	check(&f, FINDING_BIT(TIME_WAIT_PINNING), 0, 6);
	f.known[0] = KNOWN_FIN;
	f.state[1] = TIME_WAIT; /* both: since the first of them */
	f.known[1] = KNOWN_FIN;
	tcp_since_set(&f, 1, since_of(AGO(140)));
	check(&f, FINDING_BIT(TIME_WAIT_PINNING), 140, 6);
}

static void test_idle(void **state)
{
	struct flow f = { .state = { CLOSE_WAIT, FIN_WAIT_2 } };

	(void)state;
	f.half[0].last_ns = AGO(75);
	f.half[1].last_ns = AGO(61);
	f.since_ns[0] = f.since_ns[1] = AGO(500);
	assert_int_equal(of(&f, FINDING_BIT(CLOSE_WAIT_LEAK)).since_ns, AGO(61));
	assert_int_equal(of(&f, FINDING_BIT(FIN_WAIT_2_HANG)).since_ns, AGO(61));
	assert_int_equal(of(&f, FINDING_BIT(CLOSE_WAIT_LEAK) | FINDING_BIT(FIN_WAIT_2_HANG)).since_ns, AGO(61));
}

static void test_shut(void **state)
{
	struct flow f = { .state = { ESTABLISHED, ESTABLISHED }, .win = { 0, 500 }, .orig = 1 };

	(void)state;
	f.known[0] = f.known[1] = KNOWN_ACK;
	tcp_since_set(&f, 0, since_of(AGO(65)));
	assert_in_range(of(&f, FINDING_BIT(ZERO_WINDOW)).since_ns, AGO(65) - NS_PER_S / 500, AGO(65) + NS_PER_S / 500);
	f.win[1] = 0;
	tcp_since_set(&f, 1, since_of(AGO(80)));
	assert_in_range(of(&f, FINDING_BIT(ZERO_WINDOW)).since_ns, AGO(80) - NS_PER_S / 500, AGO(80) + NS_PER_S / 500);
}

static void test_sent_again(void **state)
{
	struct flow f = { .state = { ESTABLISHED, ESTABLISHED }, .rtx = { 25, 30 } };

	(void)state;
	f.half[0].pkts = 250;
	f.half[1].pkts = 1000;
	check(&f, FINDING_BIT(RETRANSMISSION), 0, 30);
	assert_int_equal(of(&f, FINDING_BIT(RETRANSMISSION)).share, 10);
	f.half[1].pkts = 20; /* more were sent again than were seen: a table that was full */
	assert_int_equal(of(&f, FINDING_BIT(RETRANSMISSION)).share, 100);
	f.half[0].pkts = f.half[1].pkts = 0;
	assert_int_equal(of(&f, FINDING_BIT(RETRANSMISSION)).share, 0);
	check(&f, FINDING_BIT(SYN_INJECTION), 0, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_opening), cmocka_unit_test(test_dead_peer), cmocka_unit_test(test_time_wait),
		cmocka_unit_test(test_idle),	cmocka_unit_test(test_shut),	  cmocka_unit_test(test_sent_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
