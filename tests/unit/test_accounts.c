// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Services and sources as users see them: names, windows, the ratio, the order. */
#include "unit/caught.h"

#include "report/accounts.h"

static void set_addr(__u8 out[16], const char *text)
{
	char tuple[80];
	struct flow_key key;

	snprintf(tuple, sizeof(tuple), strchr(text, ':') ? "[%s]:1-[%s]:1" : "%s:1-%s:1", text, text);
	key = key_of(tuple);
	memcpy(out, key.a_addr, 16);
}

/* 40 before the windows; 10 in the last whole window of 10 s, 25 in the present one. */
static struct service sample_service(void)
{
	struct service s = { .port = 443, .live = 1, .first_ns = START, .active_ns = START + SECOND, .corrected = 3 };

	set_addr(s.addr, "192.0.2.10");
	s.total[SERVICE_NEW] = 75;
	s.window[SERVICE_NEW] = (struct account_window){ .last10 = 10, .begin10 = 50, .last60 = 60, .begin60 = 40 };
	s.total[SERVICE_ANSWERED] = 20;
	s.total[SERVICE_COMPLETED] = 5;
	s.now[1][SERVICE_NOW_HALF_OPEN] = 15;
	s.now[0][SERVICE_NOW_HALF_OPEN] = 999; /* the half that is being counted */
	return s;
}

static struct source sample_source(const char *addr, unsigned prefix_len)
{
	struct source s = { .prefix_len = (__u8)prefix_len, .live = 1, .first_ns = START };

	set_addr(s.addr, addr);
	s.count[SOURCE_NEW] = 30;
	s.count[SOURCE_FAILED] = 12;
	s.now[0][SOURCE_NOW_STALE] = 4;
	return s;
}

static struct json_object *member(struct json_object *o, const char *name)
{
	struct json_object *value;

	assert_true(json_object_object_get_ex(o, name, &value));
	return value;
}

static void test_service(void **state)
{
	struct service s = sample_service();
	struct json_object *o;
	struct output out;
	struct report *r;

	(void)state;
	output_begin(&out, true);
	r = report_services_begin(&out.style, true);
	report_service(r, &s, 1);
	report_end(r);
	o = parsed(output_text(&out));
	assert_member(o, "service", "\"192.0.2.10:443\"");
	assert_member(o, "addr", "\"192.0.2.10\"");
	assert_member(o, "port", "443");
	assert_member(o, "vlan", "null");
	assert_member(o, "completion_percent", "25");
	assert_member(o, "corrected", "3");
	assert_member(member(o, "last_10s"), "new", "25");
	assert_member(member(o, "last_60s"), "new", "60");
	assert_member(member(o, "total"), "new", "75");
	assert_member(member(o, "now"), "half-open", "15");
	assert_int_equal(json_object_object_length(member(o, "total")), SERVICE_COUNTERS);
	assert_int_equal(json_object_object_length(member(o, "now")), SERVICE_GAUGES);
	json_object_put(o);
	output_end(&out);

	output_begin(&out, false);
	r = report_services_begin(&out.style, false);
	report_service(r, &s, 1);
	report_end(r);
	assert_string_equal(output_text(&out),
			    "SERVICE        NEW/10s ANSWERED COMPLETED  % REFUSED HALF-OPEN UNANSWERED OPEN CLOSING "
			    "TIME-WAIT RESET RTX\n"
			    "192.0.2.10:443      25       20         5 25       0        15          0    0       0 "
			    "        0     0   0\n");
	output_end(&out);
}

/* Of handshakes none of which was answered there is no ratio; more completed than began is all of them. */
static void test_percent(void **state)
{
	static const struct {
		unsigned answered, completed;
		const char *percent;
	} cases[] = { { 0, 0, "null" }, { 0, 3, "null" }, { 3, 0, "0" }, { 3, 1, "33" }, { 3, 3, "100" }, { 3, 4, "100" } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct service s = sample_service();
		struct json_object *o;
		struct output out;
		struct report *r;

		s.total[SERVICE_ANSWERED] = cases[i].answered;
		s.total[SERVICE_COMPLETED] = cases[i].completed;
		output_begin(&out, true);
		r = report_services_begin(&out.style, true);
		report_service(r, &s, 0);
		report_end(r);
		o = parsed(output_text(&out));
		assert_member(o, "completion_percent", cases[i].percent);
		json_object_put(o);
		output_end(&out);
	}
}

static void test_sources(void **state)
{
	static const struct {
		const char *addr;
		unsigned prefix_len;
		const char *name;
		bool prefix;
	} cases[] = {
		{ "203.0.113.9", 32, "\"203.0.113.9\"", false },
		{ "203.0.113.0", 24, "\"203.0.113.0/24\"", true },
		{ "2001:db8:1:2::", 64, "\"2001:db8:1:2::/64\"", false },
		{ "2001:db8:1::", 48, "\"2001:db8:1::/48\"", true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct source s = sample_source(cases[i].addr, cases[i].prefix_len);
		struct json_object *o;
		struct output out;
		struct report *r;

		assert_int_equal(source_is_prefix(&s), cases[i].prefix);
		output_begin(&out, true);
		r = report_sources_begin(&out.style, true);
		report_source(r, &s, 0);
		report_end(r);
		o = parsed(output_text(&out));
		assert_member(o, "source", cases[i].name);
		assert_member(o, "prefix", cases[i].prefix ? "true" : "false");
		assert_member(member(o, "last_10s"), "failed", "12");
		assert_member(member(o, "now"), "stale", "4");
		assert_int_equal(json_object_object_length(member(o, "total")), SOURCE_COUNTERS);
		json_object_put(o);
		output_end(&out);
	}
}

/* What of a prefix is counted by a sample is marked; what is exact, and 0, is not. */
static void test_sources_text(void **state)
{
	struct source one = sample_source("203.0.113.9", 32), all = sample_source("203.0.113.0", 24);
	struct output out;
	struct report *r;

	(void)state;
	one.count[SOURCE_COMPLETED] = all.count[SOURCE_COMPLETED] = 15;
	output_begin(&out, false);
	r = report_sources_begin(&out.style, false);
	report_source(r, &all, 0);
	report_source(r, &one, 0);
	report_end(r);
	assert_string_equal(output_text(&out),
			    "SOURCE         NEW/10s TOTAL COMPLETED   % REFUSED STALE HALF-OPEN TIME-WAIT RESET FAILED\n"
			    "203.0.113.0/24     ~30   ~30        15 ~50       0     4         0         0     0     12\n"
			    "203.0.113.9         30    30        15  50       0     4         0         0     0     12\n");
	output_end(&out);
}

static void test_activity(void **state)
{
	struct service busy = sample_service(), full = sample_service(), idle = sample_service();
	struct source quiet = sample_source("203.0.113.9", 32), loud = quiet;

	(void)state;
	busy.total[SERVICE_NEW] += 1000;
	full.now[1][SERVICE_NOW_OPEN] = 500;
	assert_true(service_activity(&busy, 1) > service_activity(&full, 1));
	assert_true(service_activity(&full, 1) > service_activity(&idle, 1));
	loud.count[SOURCE_BAD_FLAGS] = 50; /* it begins no connection, and is busy all the same */
	assert_true(source_activity(&loud, 0) > source_activity(&quiet, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_service),
		cmocka_unit_test(test_percent),
		cmocka_unit_test(test_sources),
		cmocka_unit_test(test_sources_text),
		cmocka_unit_test(test_activity),
	};

	return cmocka_run_group_tests(tests, utc, NULL);
}
