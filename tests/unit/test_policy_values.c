// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The words of a policy: addresses, durations, rates. Each is read as it is meant, or refused with the reason. */
#include <arpa/inet.h>
#include <errno.h>

#include "policy_text.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define SECOND 1000000000ULL

static void addresses(void **state)
{
	static const struct {
		const char *text, *again;
		unsigned len;
	} cases[] = {
		{ "192.0.2.1", "192.0.2.1", 128 },
		{ "192.0.2.1/32", "192.0.2.1", 128 },
		{ "192.0.2.0/24", "192.0.2.0/24", 120 },
		{ "10.0.0.0/8", "10.0.0.0/8", 104 },
		{ "128.0.0.0/1", "128.0.0.0/1", 97 },
		{ "0.0.0.0/0", "0.0.0.0/0", 96 },
		{ "255.255.255.255", "255.255.255.255", 128 },
		{ "2001:db8::1", "2001:db8::1", 128 },
		{ "2001:DB8:0:0::/48", "2001:db8::/48", 48 },
		{ "2001:db8::/127", "2001:db8::/127", 127 },
		{ "8000::/1", "8000::/1", 1 },
		{ "::/0", "::/0", 0 },
		{ "::", "::", 128 },
		{ "::ffff:0:0:0/96", "::ffff:0:0:0/96", 96 }, /* not IPv4: one word further left */
		{ "64:ff9b::192.0.2.1", "64:ff9b::c000:201", 128 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *error = NULL;
		struct cidr c;
		char text[64];

		if (cidr_parse(cases[i].text, &c, &error))
			fail_msg("%s", error);
		assert_int_equal(c.prefix.len, cases[i].len);
		assert_string_equal(cidr_text(&c, text), cases[i].again);
	}
}

/* IPv4 stands where the packet path looks for it. */
static void ipv4_is_mapped(void **state)
{
	static const uint8_t wanted[16] = { [10] = 0xff, 0xff, 192, 0, 2, 0 };
	const char *error;
	struct cidr c;

	(void)state;
	assert_int_equal(cidr_parse("192.0.2.0/25", &c, &error), 0);
	assert_int_equal(c.prefix.len, 121);
	assert_memory_equal(c.prefix.addr, wanted, 16);
}

/* At every length: the bits beyond it are refused, and the network is named that was probably meant. */
static void host_bits(void **state)
{
	(void)state;
	for (unsigned len = 0; len < 32; len++) {
		char text[80], meant[64], named[96];
		struct in_addr network = { htonl(len ? 0xffffffffU << (32 - len) : 0) };
		const char *error;
		struct cidr c;

		snprintf(text, sizeof(text), "255.255.255.255/%u", len);
		assert_int_equal(cidr_parse(text, &c, &error), -EINVAL);
		snprintf(named, sizeof(named), "was the network %s/%u meant",
			 inet_ntop(AF_INET, &network, meant, sizeof(meant)), len);
		assert_non_null(strstr(error, named));
		snprintf(text, sizeof(text), "%s/%u", meant, len);
		assert_int_equal(cidr_parse(text, &c, &error), 0);
	}
}

static void durations(void **state)
{
	static const struct {
		const char *text;
		uint64_t ns;
	} cases[] = {
		{ "0", 0 },
		{ "0s", 0 },
		{ "1us", 1000 },
		{ "250ms", SECOND / 4 },
		{ "10s", 10 * SECOND },
		{ "5m", 300 * SECOND },
		{ "5min", 300 * SECOND },
		{ "1h30m", 5400 * SECOND },
		{ "1s500ms", SECOND + SECOND / 2 },
		{ "7d", 7 * 86400 * SECOND },
		{ "1d1h1m1s1ms1us", (86400 + 3600 + 61) * SECOND + 1001000 },
		{ "90_000s", 90000 * SECOND },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *error = NULL;
		uint64_t ns = 1;

		if (duration_parse(cases[i].text, &ns, &error))
			fail_msg("%s", error);
		assert_int_equal(ns, cases[i].ns);
	}
}

static void rates(void **state)
{
	static const struct {
		const char *text;
		uint64_t interval_ns;
	} cases[] = {
		{ "1/s", SECOND },	   { "50/s", SECOND / 50 },  { "3/s", 333333333 },
		{ "10/m", 6 * SECOND },	   { "10/min", 6 * SECOND }, { "1000/h", 3600 * SECOND / 1000 },
		{ "1/d", 86400 * SECOND }, { "200k/s", 5000 },	     { "10M/s", 100 },
		{ "500_000/s", 2000 },	   { "600M/m", 100 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct policy_rate rate = { 0 };
		const char *error = NULL;

		if (rate_parse(cases[i].text, &rate, &error))
			fail_msg("%s", error);
		assert_int_equal(rate.interval_ns, cases[i].interval_ns);
		assert_int_equal(rate.burst, 1);
	}
}

static int parse_duration(const char *text, const char **error)
{
	uint64_t ns = 7;
	int err = duration_parse(text, &ns, error);

	assert_true(!err || ns == 7); /* out-parameters change only on success */
	return err;
}

static int parse_rate(const char *text, const char **error)
{
	struct policy_rate rate = { .interval_ns = 7 };
	int err = rate_parse(text, &rate, error);

	assert_true(!err || rate.interval_ns == 7);
	return err;
}

static int parse_address(const char *text, const char **error)
{
	struct cidr c = { .prefix.len = 7 };
	int err = cidr_parse(text, &c, error);

	assert_true(!err || c.prefix.len == 7);
	return err;
}

static void what_is_refused(void **state)
{
	static const struct {
		int (*parse)(const char *text, const char **error);
		const char *text, *error;
	} cases[] = {
		{ parse_duration, "10", "a duration needs a unit, '10': 10s, 10m" },
		{ parse_duration, "", "not a duration, ''" },
		{ parse_duration, "s", "not a duration, 's'" },
		{ parse_duration, "10 s", "unknown unit ' s' of a duration, '10 s'" },
		{ parse_duration, "1h1h", "units out of order, '1h1h'" },
		{ parse_duration, "1_s", "unknown unit '_s'" },
		{ parse_duration, "9223372036854775807s", "out of range" },
		{ parse_duration, "106751d24h", "out of range, '106751d24h': a duration of more than 292 years" },
		{ parse_rate, "50", "a rate needs its unit, '50': 50/s, 50/m" },
		{ parse_rate, "/s", "not a rate, '/s'" },
		{ parse_rate, "5/", "unknown unit '/' of a rate" },
		{ parse_rate, "5/s ", "unknown unit '/s ' of a rate" },
		{ parse_rate, "5.5/s", "unknown unit '.5/s' of a rate, '5.5/s'" },
		{ parse_rate, "0/d", "a rate of nothing, '0/d'" },
		{ parse_rate, "10000001/s", "out of range, '10000001/s': a rate is 1/d to 10M/s" },
		{ parse_rate, "99999999999999999999/s", "not a rate" },
		{ parse_address, "192.0.2.1 ", "not an address, '192.0.2.1 '" },
		{ parse_address, "192.0.2.1/-1", "not a prefix length, '192.0.2.1/-1'" },
		{ parse_address, "192.0.2.0/24/8", "not a prefix length" },
		{ parse_address, "0:0:0:0:0:ffff:c000:201", "write it as IPv4: 192.0.2.1" },
		{ parse_address, "::ffff:10.0.0.0/104", "an IPv4 prefix dressed as IPv6, '::ffff:10.0.0.0/104': write it as IPv4: 10.0.0.0/8" },
		{ parse_address, "::ffff:10.1.2.3/104", "write it as IPv4: 10.0.0.0/8" },
		{ parse_address, "::ffff:192.0.2.1/128", "write it as IPv4: 192.0.2.1" },
		{ parse_address, "::ffff:10.0.0.0/90", "bits beyond the prefix length are set" },
		{ parse_address, "[2001:db8::1]", "not an address, '[2001:db8::1]'" },
		{ parse_address, "2001:db8::1::", "not an address" },
		{ parse_address, "192.0.2.1\x1b[31m", "not an address, '192.0.2.1 [31m'" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *error = NULL;

		assert_int_equal(cases[i].parse(cases[i].text, &error), -EINVAL);
		if (!strstr(error, cases[i].error))
			fail_msg("'%s': %s", cases[i].text, error);
		assert_null(strchr(error, '\n'));
	}
}

/* A word may be as long as a line; what is told of it is not, and is cut between characters. */
static void long_words_are_cut(void **state)
{
	char text[2000];
	const char *error = NULL;

	(void)state;
	for (unsigned shift = 0; shift < 3; shift++) {
		memset(text, 'x', shift);
		for (size_t at = shift; at + 3 < sizeof(text); at += 3)
			memcpy(text + at, "\xe2\x82\xac", 4);
		assert_int_equal(parse_duration(text, &error), -EINVAL);
		assert_true(strlen(error) < 200);
		assert_non_null(strstr(error, "\xe2\x82\xac...'"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses),
		cmocka_unit_test(ipv4_is_mapped),
		cmocka_unit_test(host_bits),
		cmocka_unit_test(durations),
		cmocka_unit_test(rates),
		cmocka_unit_test(what_is_refused),
		cmocka_unit_test(long_words_are_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
