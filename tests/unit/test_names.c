// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Reports: names, numbers and times as text; tuples and keys. */
#include "unit/caught.h"

/* ---- numbers and times ---- */
static void test_durations(void **state)
{
	static const struct {
		uint64_t ns;
		const char *text;
	} cases[] = {
		{ 0, "0s" },
		{ 1, "1ns" },
		{ 999, "999ns" },
		{ 1000, "1us" },
		{ 12345, "12us" },
		{ 1234567, "1.2ms" },
		{ 35999999, "35ms" },
		{ 999999999, "999ms" },
		{ SECOND, "1s" },
		{ 1500000000, "1.5s" },
		{ 35 * SECOND, "35s" },
		{ 60 * SECOND - 1, "59s" }, /* cut, not rounded: never "60s" */
		{ 60 * SECOND, "1m00s" },
		{ 250 * SECOND, "4m10s" },
		{ 7380 * SECOND, "2h03m" },
		{ 86400 * SECOND * 3 + 4 * 3600 * SECOND, "3d04h" },
		{ UINT64_MAX, "213503d23h" },
	};
	char buf[24];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_string_equal(duration_text(cases[i].ns, buf), cases[i].text);
}

static void test_quantities(void **state)
{
	static const struct {
		uint64_t n;
		const char *text;
	} cases[] = {
		{ 0, "0" },
		{ 7, "7" },
		{ 999, "999" },
		{ 1000, "1k" },
		{ 1449, "1.4k" },
		{ 14000, "14k" },
		{ 999999, "999k" },
		{ 1400000, "1.4M" },
		{ 2000000000, "2G" },
		{ 5500000000000ULL, "5.5T" },
		{ 7000000000000000ULL, "7P" },
		{ UINT64_MAX, "18E" },
	};
	char buf[16];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_string_equal(quantity_text(cases[i].n, buf), cases[i].text);
}

static void test_times(void **state)
{
	char buf[40];

	(void)state;
	assert_string_equal(time_text(START + 123456789, buf), "22:13:20.123456");
	assert_string_equal(time_text(0, buf), "00:00:00.000000");
	assert_int_equal(strlen(time_text(UINT64_MAX, buf)), 15);
	/* 22:13:20 UTC: 6400 s are left of that day */
	assert_string_equal(date_text(START, START + 6399 * 1000000000ULL, buf), "");
	assert_string_equal(date_text(START, START + 6400 * 1000000000ULL, buf), "2023-11-14 ");
	assert_string_equal(date_text(START, START + 365 * 86400 * 1000000000ULL, buf), "2023-11-14 ");
}

/* ---- names ---- */
static void test_names(void **state)
{
	char buf[20];

	(void)state;
	assert_string_equal(state_name(SYN_RECEIVED), "SYN-RECEIVED");
	assert_string_equal(state_name(NO_STATE), "CLOSED");
	assert_string_equal(state_name((enum tcp_state)200), "?");
	assert_string_equal(state_text(ESTABLISHED, false, buf), "ESTABLISHED?");
	assert_string_equal(state_text(SYN_RECEIVED, false, buf), "SYN-RECEIVED?");
	assert_string_equal(state_text(ESTABLISHED, true, buf), "ESTABLISHED");
	assert_string_equal(state_text(LISTEN, false, buf), "LISTEN");
	assert_string_equal(state_text(CLOSED, false, buf), "CLOSED");
	assert_string_equal(end_reason_name(END_REFUSED), "refused");
	assert_string_equal(event_type_name(EVENT_STATE), "state");
	assert_string_equal(flag_name(FLAG_BIT_CW_LEAK), "CW_LEAK");
	assert_string_equal(flag_name(FLAG_COUNT), "?");
}

/* Zeek's conn_state. */
static void test_conn_state(void **state)
{
	static const struct {
		enum zeek_state orig, resp;
		const char *history;
		uint64_t bytes;
		const char *expected;
	} cases[] = {
		{ Z_SYN_SENT, Z_INACTIVE, "S", 0, "S0" },
		{ Z_SYN_SENT, Z_RESET, "Sr", 0, "REJ" },
		{ Z_SYN_ACK_SENT, Z_RESET, "Hr", 0, "REJ" },
		{ Z_RESET, Z_RESET, "SRr", 0, "REJ" },
		{ Z_RESET, Z_RESET, "ShADRr", 9, "RSTR" },
		{ Z_INACTIVE, Z_RESET, "^hr", 0, "RSTRH" },
		{ Z_PARTIAL, Z_RESET, "Ar", 0, "RSTRH" },
		{ Z_ESTABLISHED, Z_RESET, "ShAr", 0, "RSTR" },
		{ Z_RESET, Z_INACTIVE, "SR", 0, "RSTOS0" },
		{ Z_RESET, Z_INACTIVE, "^SR", 0, "RSTOS0" },
		{ Z_RESET, Z_PARTIAL, "SaR", 0, "RSTOS0" },
		{ Z_RESET, Z_INACTIVE, "SAR", 0, "OTH" },
		{ Z_RESET, Z_INACTIVE, "R", 0, "OTH" },
		{ Z_RESET, Z_INACTIVE, "", 0, "OTH" },
		{ Z_RESET, Z_ESTABLISHED, "ShR", 0, "RSTO" },
		{ Z_CLOSED, Z_CLOSED, "ShAFaf", 0, "SF" },
		{ Z_CLOSED, Z_INACTIVE, "SF", 0, "SH" },
		{ Z_CLOSED, Z_PARTIAL, "SF", 0, "SH" },
		{ Z_CLOSED, Z_ESTABLISHED, "ShAF", 0, "S2" },
		{ Z_INACTIVE, Z_CLOSED, "^hf", 0, "SHR" },
		{ Z_ESTABLISHED, Z_CLOSED, "ShAf", 0, "S3" },
		{ Z_ESTABLISHED, Z_ESTABLISHED, "ShA", 0, "S1" },
		{ Z_PARTIAL, Z_PARTIAL, "Aa", 0, "OTH" },
		{ Z_SYN_SENT, Z_PARTIAL, "Sa", 0, "OTH" },
		{ Z_RESET, Z_INACTIVE, "SSSSSSSSSSSSSSSS", 0, "OTH" }, /* full, and not terminated */
	};

	(void)state;
	for (size_t i = 0; i < 2 * ARRAY_SIZE(cases); i++) {
		const size_t c = i / 2;
		struct flow f = { .orig = i & 1 };

		f.zeek = (__u8)(f.orig ? cases[c].resp | cases[c].orig << 4 : cases[c].orig | cases[c].resp << 4);
		f.half[1].bytes = cases[c].bytes;
		memcpy(f.history, cases[c].history, strlen(cases[c].history));
		if (strcmp(conn_state_name(&f), cases[c].expected))
			fail_msg("%s: %s, not %s", cases[c].history, conn_state_name(&f), cases[c].expected);
	}
}

/* ---- tuples ---- */
static void test_tuples(void **state)
{
	static const struct {
		const char *text, *a, *b; /* side A and B */
	} cases[] = {
		{ "192.0.2.1:40000-198.51.100.7:443", "192.0.2.1:40000", "198.51.100.7:443" },
		{ "198.51.100.7:443-192.0.2.1:40000", "192.0.2.1:40000", "198.51.100.7:443" },
		{ "192.0.2.1:40000 198.51.100.7:443", "192.0.2.1:40000", "198.51.100.7:443" },
		{ "192.0.2.1:40000,198.51.100.7:443", "192.0.2.1:40000", "198.51.100.7:443" },
		{ " 192.0.2.1:40000 > 198.51.100.7:443 ", "192.0.2.1:40000", "198.51.100.7:443" },
		{ "192.0.2.1:40000->198.51.100.7:443", "192.0.2.1:40000", "198.51.100.7:443" },
		{ "127.0.0.1:9-127.0.0.1:8", "127.0.0.1:8", "127.0.0.1:9" },
		{ "127.0.0.1:255-127.0.0.1:256", "127.0.0.1:255", "127.0.0.1:256" },
		{ "[2001:db8::1]:443-[2001:db8::]:65535", "[2001:db8::]:65535", "[2001:db8::1]:443" },
		{ "[::ffff:192.0.2.1]:1-192.0.2.2:2", "192.0.2.1:1", "192.0.2.2:2" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct flow_key key;
		const char *error;
		char buf[60];

		if (tuple_parse(cases[i].text, &key, &error))
			fail_msg("'%s': %s", cases[i].text, error);
		assert_string_equal(endpoint_text(key.a_addr, key.a_port, buf), cases[i].a);
		assert_string_equal(endpoint_text(key.b_addr, key.b_port, buf), cases[i].b);
		assert_int_equal(key.vlan, 0);
	}
}

static void test_tuples_refused(void **state)
{
	static const struct {
		const char *text, *says;
	} cases[] = {
		{ "", "two endpoints" },
		{ "192.0.2.1:40000", "two endpoints" },
		{ "192.0.2.1:40000-", "two endpoints" },
		{ "192.0.2.1-192.0.2.2:2", "needs a port" },
		{ "192.0.2.1:1-192.0.2.2", "needs a port" },
		{ "192.0.2.1:65536-192.0.2.2:2", "0 to 65535" },
		{ "192.0.2.1:-192.0.2.2:2", "0 to 65535" },
		{ "192.0.2.1:http-192.0.2.2:2", "0 to 65535" },
		{ "example.org:1-192.0.2.2:2", "names are not resolved" },
		{ "2001:db8::1:443-[2001:db8::2]:1", "in brackets" },
		{ "[2001:db8::1:443 [2001:db8::2]:1", "']' is missing" },
		{ "[2001:db8::1] [2001:db8::2]:1", "after ']'" },
		{ "[2001:db8::1]:1 192.0.2.2:2", "one end is IPv4" },
		{ "192.0.2.1:1 192.0.2.2:2 192.0.2.3:3", "two endpoints" },
	};
	struct flow_key unused;
	const char *wrong;
	char longest[300];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct flow_key key;
		const char *error = NULL;

		assert_int_equal(tuple_parse(cases[i].text, &key, &error), -22);
		if (!strstr(error, cases[i].says))
			fail_msg("'%s': %s", cases[i].text, error);
	}
	memset(longest, '1', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	assert_int_equal(tuple_parse(longest, &unused, &wrong), -22);
}

static void test_key(void **state)
{
	const __u8 low[16] = { 1 }, high[16] = { 2 };
	struct flow_key one, other;

	(void)state;
	assert_int_equal(flow_key_make(&one, low, 9, high, 1), 0);
	assert_int_equal(flow_key_make(&other, high, 1, low, 9), 1);
	assert_memory_equal(&one, &other, sizeof(one));
	assert_int_equal(one.a_port, 9);
	assert_int_equal(flow_key_make(&one, low, 5, low, 5), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_durations),
		cmocka_unit_test(test_quantities),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_conn_state),
		cmocka_unit_test(test_tuples),
		cmocka_unit_test(test_tuples_refused),
		cmocka_unit_test(test_key),
	};

	return cmocka_run_group_tests(tests, utc, NULL);
}
