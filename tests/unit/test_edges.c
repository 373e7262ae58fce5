// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The edges that are counted against the table that is followed: each step of it has an edge, each edge a step. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tcp_seq.h"
/* after tcp_seq.h */
#include "tcp_fsm.h"

static const struct edge {
	enum tcp_state from, to;
	enum ward_edge_kind kind;
} edges[] = {
#define X(from, to, kind, text) { from, to, EDGE_KIND_##kind },
	WARD_EDGES(X)
#undef X
};
#define EDGES (sizeof(edges) / sizeof(edges[0]))

static void test_steps_have_edges(void **state)
{
	(void)state;
	for (unsigned from = 0; from < STATE_COUNT; from++) {
		for (unsigned event = 0; event < TCP_EVENT_COUNT; event++) {
			unsigned to = tcp_fsm[from][event];

			if (!to || to == from)
				continue;
			if (tcp_edge((__u8)from, (__u8)to) >= EDGE_OTHER)
				fail_msg("no edge from state %u to %u, event %u", from, to, event);
		}
	}
}

/* By an event of the table; or to CLOSED, which a time-out does, or back to LISTEN and from CLOSED to it (not in the table). */
static void test_edges_have_steps(void **state)
{
	(void)state;
	assert_int_equal(EDGES, EDGE_OTHER);
	for (unsigned i = 0; i < EDGES; i++) {
		const struct edge *e = &edges[i];
		int found = e->to == CLOSED || e->to == LISTEN || (e->from == TIME_WAIT && e->to == CLOSING);

		assert_int_equal(tcp_edge(e->from, e->to), i);
		for (unsigned event = 0; event < TCP_EVENT_COUNT; event++)
			found |= tcp_fsm[e->from][event] == e->to;
		/* one segment, two events: a FIN that acknowledges a FIN; Figure 5 draws that edge too */
		found |= e->from == FIN_WAIT_1 && e->to == TIME_WAIT;
		if (!found)
			fail_msg("no step from state %u to %u", e->from, e->to);
	}
}

static void test_no_edge(void **state)
{
	(void)state;
	assert_int_equal(tcp_edge(ESTABLISHED, ESTABLISHED), EDGE_COUNT);
	assert_int_equal(tcp_edge(NO_STATE, CLOSED), EDGE_COUNT);
	assert_int_equal(tcp_edge(NO_STATE, SYN_SENT), EDGE_CLOSED_SYN_SENT);
	assert_int_equal(tcp_edge(LAST_ACK, NO_STATE), EDGE_LAST_ACK_CLOSED);
	assert_int_equal(tcp_edge(ESTABLISHED, LAST_ACK), EDGE_OTHER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_steps_have_edges),
		cmocka_unit_test(test_edges_have_steps),
		cmocka_unit_test(test_no_edge),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
