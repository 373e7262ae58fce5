/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What reports print, caught in memory; a sample flow; JSON held against what is expected. For the tests of user/report/. */
#ifndef UNIT_CAUGHT_H
#define UNIT_CAUGHT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>
#include <json-c/json.h>

#include "report/report.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define SECOND 1000000000ULL
#define START 1700000000000000000ULL /* 2023-11-14 22:13:20 UTC */

#define UNIT_HELPER static __attribute__((unused))

struct output {
	struct report_style style;
	char *text;
	size_t size;
};

UNIT_HELPER void output_begin(struct output *o, bool json)
{
	memset(o, 0, sizeof(*o));
	o->style.out = open_memstream(&o->text, &o->size);
	o->style.json = json;
	assert_non_null(o->style.out);
}

UNIT_HELPER const char *output_text(struct output *o)
{
	fflush(o->style.out);
	return o->text;
}

UNIT_HELPER void output_end(struct output *o)
{
	fclose(o->style.out);
	free(o->text);
}

UNIT_HELPER struct flow_key key_of(const char *tuple)
{
	struct flow_key key;
	const char *error;

	assert_int_equal(tuple_parse(tuple, &key, &error), 0);
	return key;
}

/* B, the responder by address, opened it: the originator comes first whatever its side is. */
UNIT_HELPER struct flow sample_flow(void)
{
	struct flow f = {
		.orig = 1,
		.state = { SYN_RECEIVED, ESTABLISHED },
		.known = { KNOWN_CONF, 0 },
		.rtx = { 2, 3 },
		.syn_rtx = 4,
		.synack_rtx = 5,
		.fin_rtx = 6,
		.rtt_syn_ns = 1200000,
		.rtt_ack_ns = 77,
		.flags = FLAG_SYN_RTX | FLAG_CW_LEAK | MARK_PEND | MARK_RTT_ACK,
		.history = "ShADadFf",
		.zeek = Z_ESTABLISHED | Z_ESTABLISHED << 4,
		.vlan = VLAN_UNSEEN,
		.start_ns = START,
	};

	f.half[0] = (struct flow_half){ .pkts = 10, .bytes = 1000, .last_ns = START + 2 * SECOND };
	f.half[1] = (struct flow_half){ .pkts = 20, .bytes = 6000000000ULL, .last_ns = START + 3 * SECOND };
	return f;
}

#define V4_TUPLE "192.0.2.1:443-198.51.100.7:40000"

UNIT_HELPER struct json_object *parsed(const char *text)
{
	struct json_object *o = json_tokener_parse(text);

	if (!o)
		fail_msg("not JSON: %s", text);
	return o;
}

/* The members of o are exactly these, in this order: "name=value" with value as JSON. */
UNIT_HELPER void assert_members(struct json_object *o, const char *const *expected, size_t count)
{
	size_t i = 0;

	json_object_object_foreach(o, name, value)
	{
		char member[200];

		snprintf(member, sizeof(member), "%s=%s", name,
			 json_object_to_json_string_ext(value, JSON_C_TO_STRING_NOSLASHESCAPE));
		assert_true(i < count);
		assert_string_equal(member, expected[i]);
		i++;
	}
	assert_int_equal(i, count);
}

UNIT_HELPER void assert_member(struct json_object *o, const char *name, const char *value)
{
	struct json_object *member;

	assert_true(json_object_object_get_ex(o, name, &member));
	assert_string_equal(json_object_to_json_string_ext(member, JSON_C_TO_STRING_NOSLASHESCAPE), value);
}

/* Group set-up: times are printed as UTC. */
UNIT_HELPER int utc(void **state)
{
	(void)state;
	setenv("TZ", "UTC", 1);
	tzset();
	return 0;
}

#endif
