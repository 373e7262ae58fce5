// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Filters that are wrong: what is said of them, and where; and the limits of those that are right. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "report/filter.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

static void test_errors(void **state)
{
	static const struct {
		const char *filter;
		int column;
		const char *says; /* a part of it */
	} cases[] = {
		{ "state syn-recvd", 7, "unknown state 'syn-recvd', did you mean 'syn-recv'?" },
		{ "state syn-sent estblished", 16, "did you mean 'established'?" },
		{ "state syn-sent and state fin-wait", 26, "did you mean 'fin-wait-1'?" },
		{ "state", 6, "'state' needs a value, as in 'state syn-recv'" },
		{ "state and dport = 1", 7, "'state' needs a value, not 'and'" },
		{ "state < established", 7, "'state' cannot be compared by '<'" },
		{ "state xyzzyxyzzy", 7, "unknown state 'xyzzyxyzzy'" },
		{ "established", 1, "did you mean 'state established'?" },
		{ "dprt = 443", 1, "unknown word 'dprt', did you mean 'dport'?" },
		{ "dport = :443 foo", 14, "unknown word 'foo'" },
		{ "dport", 6, "'dport' needs a value, as in 'dport = :443'" },
		{ "dport = ", 9, "'dport' needs a value" },
		{ "dport = :70000", 9, "bad port ':70000'" },
		{ "dport = -1", 9, "bad port '-1'" },
		{ "sport >= :", 10, "bad port ':'" },
		{ "dport = no-such-service", 9, "bad port 'no-such-service'" },
		{ "src www.example.org", 5, "names are not resolved" },
		{ "src 10.0.0.0/33", 5, "a prefix length is 0 to 32" },
		{ "src 10.0.0/8", 5, "bad address '10.0.0/8'" },
		{ "src [2001:db8::/32", 5, "']' is missing" },
		{ "src [2001:db8::]/129", 5, "a prefix length is 0 to 128" },
		{ "src [2001:db8::]443", 5, "only /LEN or :PORT" },
		{ "src 10.0.0.1:99999", 5, "a port is 0 to 65535" },
		{ "src */8", 5, "a prefix length needs an address" },
		{ "src > 10.0.0.1", 5, "use '=' or '!='" },
		{ "age > 30x", 7, "bad duration '30x'" },
		{ "age > 99999999999d", 7, "the duration '99999999999d' is too large" },
		{ "age > 99999999999999999999", 7, "too large" },
		{ "idle > 1.5s", 8, "bad duration '1.5s'" },
		{ "idle >", 7, "'idle' needs a value, as in 'idle > 5m'" },
		{ "bytes > 10q", 9, "bad number '10q'" },
		{ "bytes > 99999999999999999999", 9, "the number '99999999999999999999' is too large" },
		{ "bytes > 18446744073709551616", 9, "too large" },
		{ "bytes > 99999999999999999g", 9, "too large" },
		{ "vlan 4095", 6, "bad VLAN '4095': a number from 0 to 4094" },
		{ "severity >= bad", 13, "unknown severity 'bad': info, warning, critical" },
		{ "bytes > 18446744073709551615k", 9, "too large" },
		{ "flag SYN_RTXX", 6, "unknown flag 'SYN_RTXX', did you mean 'SYN_RTX'?" },
		{ "end refuse", 5, "did you mean 'refused'?" },
		{ "finding halfopen", 9, "unknown finding 'halfopen', did you mean 'half-open'?" },
		{ "severity", 9, "'severity' needs a value, as in 'severity >= warning'" },
		{ "severity >= warnin", 13, "unknown severity 'warnin', did you mean 'warning'?" },
		{ "finding > half-open", 9, "use '=' or '!='" },
		{ "dev a-name-that-is-too-long", 5, "too long" },
		{ "autobound", 1, "'autobound' is not supported" },
		{ "dport = 443 and autobound", 17, "sport >= 32768" },
		{ "fwmark = 1", 1, "not supported" },
		{ "( dport = 443", 1, "this '(' has no ')'" },
		{ "dport = 443 and ( state established", 17, "this '(' has no ')'" },
		{ "dport = 443 )", 13, "this ')' has no '('" },
		{ "()", 2, "a condition is expected, not ')'" },
		{ "dport = 443 and", 16, "the filter ends where a condition is expected" },
		{ "dport = 443 or or dport = 80", 16, "a condition is expected, not 'or'" },
		{ "and dport = 443", 1, "a condition is expected, not 'and'" },
		{ "= 443", 1, "a condition is expected, not '='" },
		{ "dport = 443 = 443", 13, "'=' is not expected here" },
		{ "!", 2, "the filter ends" },
		{ "dport = = 443", 9, "not '='" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char *copy = strdup(cases[i].filter);
		char *argv[] = { copy };
		struct filter *f = (struct filter *)argv; /* is not to be touched */
		struct filter_error error;

		if (filter_parse(1, argv, &f, &error) != -22 || f != (struct filter *)argv)
			fail_msg("'%s' was not refused", cases[i].filter);
		if (error.column != cases[i].column || !strstr(error.text, cases[i].says))
			fail_msg("'%s': %d: %s", cases[i].filter, error.column, error.text);
		free(copy);
	}
}

/* The shell may hand over one word or many; columns count in the words joined by blanks. */
static void test_words(void **state)
{
	char *good[] = { "state", "syn-recv", "and", "dport", "=", ":443" };
	char *wrong[] = { "state syn-recv", "and", "dport", "=:x y" };
	struct filter_error error;
	struct filter *f;

	(void)state;
	assert_int_equal(filter_parse(6, good, &f, &error), 0);
	filter_free(f);
	assert_int_equal(filter_parse(4, wrong, &f, &error), -22);
	assert_int_equal(error.column, 27);
	assert_int_equal(filter_parse(0, NULL, &f, &error), 0);
	filter_free(f);
	filter_free(NULL);
}

static int nested(int depth, const char *open, const char *close, int *column)
{
	size_t size = (size_t)depth * (strlen(open) + strlen(close)) + 16;
	char *text = calloc(1, size), *argv[] = { text };
	struct filter_error error = { .column = 0 };
	struct filter *f;
	int err;

	for (int i = 0; i < depth; i++)
		strcat(text, open);
	strcat(text, "dport = 1");
	for (int i = 0; i < depth; i++)
		strcat(text, close);
	err = filter_parse(1, argv, &f, &error);
	if (!err)
		filter_free(f);
	*column = error.column;
	free(text);
	return err;
}

/* Depth is limited, width is not. */
static void test_nesting(void **state)
{
	int column;

	(void)state;
	assert_int_equal(nested(64, "(", ")", &column), 0);
	assert_int_equal(nested(65, "(", ")", &column), -22);
	assert_int_equal(column, 65);
	assert_int_equal(nested(64, "!", "", &column), 0);
	assert_int_equal(nested(5000, "!", "", &column), -22);
	assert_int_equal(nested(5000, "dport = 1 and ", "", &column), 0);
	assert_int_equal(nested(5000, "dport = 1 or ", "", &column), 0);
}

/* Whatever is typed, the parser accepts it or names a column inside it (or just behind it). */
static void test_any_words(void **state)
{
	static const char *const words[] = {
		"state",
		"syn-recv",
		"exclude",
		"established",
		"dport",
		"sport",
		"src",
		"dst",
		"=",
		"!=",
		">=",
		"<",
		"(",
		")",
		"!",
		"not",
		"and",
		"or",
		"&&",
		"|",
		":443",
		"10.0.0.0/8",
		"[2001:db8::]/32:1",
		"[",
		"]",
		"/",
		":",
		"*",
		"age",
		"30s",
		"1m",
		"bytes",
		"10k",
		"flag",
		"RTX",
		"end",
		"dev",
		"vlan",
		"finding",
		"half-open",
		"severity",
		"warning",
		",",
		"99999999999999999999",
		"a-word-that-is-far-longer-than-any-word-that-has-a-meaning-in-a-filter",
		"\xc3\xa4",
		"%s%n",
	};
	struct flow flow = { .state = { ESTABLISHED, ESTABLISHED } };
	struct flow_view view = { .flow = &flow, .now_ns = 1700000000000000000ULL };
	struct flow_key key;
	const char *why;
	unsigned seed = 1;

	(void)state;
	assert_int_equal(tuple_parse("10.1.2.3:40000-192.0.2.1:443", &key, &why), 0);
	view.key = &key;
	for (int round = 0; round < 20000; round++) {
		char text[1024] = "", *argv[] = { text };
		struct filter_error error;
		struct filter *f;

		for (int n = rand_r(&seed) % 12; n >= 0; n--) {
			strcat(text, words[(unsigned)rand_r(&seed) % ARRAY_SIZE(words)]);
			strcat(text, rand_r(&seed) % 4 ? " " : "");
		}
		if (!filter_parse(1, argv, &f, &error)) {
			filter_match_flow(f, &view);
			filter_free(f);
			continue;
		}
		assert_in_range(error.column, 1, strlen(text) + 1);
		assert_in_range(strlen(error.text), 1, sizeof(error.text) - 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_nesting),
		cmocka_unit_test(test_any_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
