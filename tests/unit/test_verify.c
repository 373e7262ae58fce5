// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* verify: why a state and its socket may differ; everything else is unexplained, and must be. */
#include "unit/caught.h"
#include "verify/verify.h"

#define NOW (1000 * SECOND)

struct scene {
	const char *what;
	struct endpoint end;
	struct verify_evidence ev;
	enum verify_class class;
};

static const struct scene scenes[] = {
	{ "a handshake that its listener holds",
	  { .tracked = true, .has_socket = true, .ours = ESTABLISHED, .kernel = SYN_RECEIVED }, { 0 }, CLASS_ACCEPT_QUEUE },
	{ "... not at the end that opened it",
	  { .tracked = true, .has_socket = true, .originator = true, .ours = ESTABLISHED, .kernel = SYN_RECEIVED }, { 0 },
	  CLASS_UNEXPLAINED },
	{ "a SYN into an open connection",
	  { .tracked = true, .has_socket = true, .pending = true, .ours = ESTABLISHED, .kernel = SYN_SENT }, { 0 }, CLASS_PENDING },
	{ "... of which nothing is known",
	  { .tracked = true, .has_socket = true, .ours = ESTABLISHED, .kernel = SYN_SENT }, { 0 }, CLASS_UNEXPLAINED },
	{ "TIME-WAIT without a socket, before its time",
	  { .tracked = true, .ours = TIME_WAIT, .flags = 0, .since_ns = NOW - SECOND }, { 0 }, CLASS_UNEXPLAINED },
	{ "a FIN behind data",
	  { .tracked = true, .has_socket = true, .wqueue = 1, .ours = ESTABLISHED, .kernel = FIN_WAIT_1 }, { 0 }, CLASS_UNSENT },
	{ "... with nothing before it",
	  { .tracked = true, .has_socket = true, .ours = ESTABLISHED, .kernel = FIN_WAIT_1 }, { 0 }, CLASS_UNEXPLAINED },
	{ "too many TIME-WAIT", { .tracked = true, .ours = TIME_WAIT }, { .time_wait_overflow = 1 }, CLASS_TW_OVERFLOW },
	{ "a cookie", { .tracked = true, .ours = SYN_RECEIVED }, { .cookies_sent = 1 }, CLASS_COOKIE },
	{ "an orphan in FIN-WAIT-2",
	  { .tracked = true, .ours = FIN_WAIT_2, .since_ns = NOW - 61 * SECOND }, { .fin_timeout_ns = 60 * SECOND }, CLASS_ORPHAN },
	{ "... before its time",
	  { .tracked = true, .ours = FIN_WAIT_2, .since_ns = NOW - 59 * SECOND }, { .fin_timeout_ns = 60 * SECOND }, CLASS_UNEXPLAINED },
	{ "an open connection without a socket", { .tracked = true, .confirmed = true, .ours = ESTABLISHED }, { 0 }, CLASS_UNEXPLAINED },
	{ "a firewall that drops what we saw",
	  { .tracked = true, .has_socket = true, .ours = CLOSE_WAIT, .kernel = ESTABLISHED, .originator = true }, { .firewall = true },
	  CLASS_NETFILTER },
	{ "... but not what the end itself has proven",
	  { .tracked = true, .has_socket = true, .confirmed = true, .ours = CLOSE_WAIT, .kernel = ESTABLISHED, .originator = true },
	  { .firewall = true }, CLASS_UNEXPLAINED },
};

static void test_explain(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(scenes); i++) {
		enum verify_class class = verify_explain(&scenes[i].end, &scenes[i].ev, NOW);

		if (class != scenes[i].class)
			fail_msg("%s: %s, not %s", scenes[i].what, verify_class_name(class), verify_class_name(scenes[i].class));
	}
}

/* The kernel takes the SYN for a new connection (RFC 6191), and its TIME-WAIT is gone, answered or not. */
static void test_time_wait_given_up(void **state)
{
	struct endpoint end = { .tracked = true, .ours = TIME_WAIT, .flags = FLAG_TW_SYN_OK, .since_ns = NOW - SECOND };
	struct verify_evidence ev = { 0 };

	(void)state;
	assert_int_equal(verify_explain(&end, &ev, NOW), CLASS_PENDING);
	end.flags = FLAG_TW_SYN_OLD; /* one that is not taken ends nothing */
	assert_int_equal(verify_explain(&end, &ev, NOW), CLASS_UNEXPLAINED);
	end.flags = FLAG_TW_SYN_OK;
	end.ours = CLOSE_WAIT;
	assert_int_equal(verify_explain(&end, &ev, NOW), CLASS_UNEXPLAINED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_explain),
		cmocka_unit_test(test_time_wait_given_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
