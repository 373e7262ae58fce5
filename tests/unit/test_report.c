// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Reports: names and numbers as text, tuples, the JSON contract, tables, events, the ladder. */
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

/* ---- what is printed, caught in memory ---- */
struct output {
	struct report_style style;
	char *text;
	size_t size;
};

static void output_begin(struct output *o, bool json)
{
	memset(o, 0, sizeof(*o));
	o->style.out = open_memstream(&o->text, &o->size);
	o->style.json = json;
	assert_non_null(o->style.out);
}

static const char *output_text(struct output *o)
{
	fflush(o->style.out);
	return o->text;
}

static void output_end(struct output *o)
{
	fclose(o->style.out);
	free(o->text);
}

static struct flow_key key_of(const char *tuple)
{
	struct flow_key key;
	const char *error;

	assert_int_equal(tuple_parse(tuple, &key, &error), 0);
	return key;
}

/* B, the responder by address, opened it: the originator comes first whatever its side is. */
static struct flow sample_flow(void)
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

static struct json_object *parsed(const char *text)
{
	struct json_object *o = json_tokener_parse(text);

	if (!o)
		fail_msg("not JSON: %s", text);
	return o;
}

/* The members of o are exactly these, in this order: "name=value" with value as JSON. */
static void assert_members(struct json_object *o, const char *const *expected, size_t count)
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

static void test_flow_json(void **state)
{
	static const char *const expected[] = {
		"v=1",
		"saddr=\"198.51.100.7\"",
		"sport=40000",
		"daddr=\"192.0.2.1\"",
		"dport=443",
		"iface=\"eth0\"",
		"vlan=null",
		"orig_state=\"ESTABLISHED\"",
		"resp_state=\"SYN-RECEIVED\"",
		"orig_confirmed=false",
		"resp_confirmed=true",
		"orig_pkts=20",
		"resp_pkts=10",
		"orig_bytes=6000000000",
		"resp_bytes=1000",
		"orig_rtx=3",
		"resp_rtx=2",
		"syn_rtx=4",
		"synack_rtx=5",
		"fin_rtx=6",
		"rtt_syn_ns=1200000",
		"rtt_ack_ns=null",
		"history=\"ShADadFf\"",
		"conn_state=\"S1\"",
		"flags=[\"SYN_RTX\",\"CW_LEAK\"]",
		"findings=[]",
		"start_ns=1700000000000000000",
		"last_ns=1700000003000000000",
		"duration_ns=3000000000",
		"end_reason=null",
	};
	struct flow_key key = key_of(V4_TUPLE);
	struct flow flow = sample_flow();
	struct flow_view view = { .key = &key, .flow = &flow, .iface = "eth0", .now_ns = START + 9 * SECOND };
	struct output out;
	struct report *r;
	struct json_object *list;

	(void)state;
	output_begin(&out, true);
	r = report_flows_begin(&out.style, false);
	report_flow(r, &view);
	report_end(r);
	list = parsed(output_text(&out));
	assert_int_equal(json_object_array_length(list), 1);
	assert_members(json_object_array_get_idx(list, 0), expected, ARRAY_SIZE(expected));
	json_object_put(list);
	output_end(&out);
}

static struct json_object *one_flow(const struct flow *flow, const char *tuple)
{
	struct flow_key key = key_of(tuple);
	struct flow_view view = { .key = &key, .flow = flow };
	struct json_object *o;
	struct output out;
	struct report *r;

	output_begin(&out, true);
	r = report_flows_begin(&out.style, true);
	report_flow(r, &view);
	/* a stream: one line that is there before the end */
	assert_ptr_equal(strchr(out.text, '\n'), out.text + out.size - 1);
	report_end(r);
	o = parsed(output_text(&out));
	output_end(&out);
	return o;
}

static void assert_member(struct json_object *o, const char *name, const char *value)
{
	struct json_object *member;

	assert_true(json_object_object_get_ex(o, name, &member));
	assert_string_equal(json_object_to_json_string_ext(member, JSON_C_TO_STRING_NOSLASHESCAPE), value);
}

/* The corners: nulls, what is certain without proof, a full history, an ended flow, VLAN, IPv6. */
static void test_flow_json_corners(void **state)
{
	struct flow flow = { .state = { SYN_SENT, LISTEN }, .vlan = 100, .start_ns = START, .end_reason = END_TIMEOUT };
	struct json_object *o;

	(void)state;
	memcpy(flow.history, "ShADadFfRrShADad", HISTORY_LEN);
	o = one_flow(&flow, "[2001:db8::1]:40000-[2001:db8::2]:443");
	assert_member(o, "saddr", "\"2001:db8::1\"");
	assert_member(o, "iface", "null");
	assert_member(o, "vlan", "100");
	assert_member(o, "orig_confirmed", "false");
	assert_member(o, "resp_confirmed", "true"); /* LISTEN */
	assert_member(o, "rtt_syn_ns", "null");
	assert_member(o, "history", "\"ShADadFfRrShADad\"");
	assert_member(o, "flags", "[]");
	assert_member(o, "last_ns", "1700000000000000000"); /* never before the start */
	assert_member(o, "duration_ns", "0");
	assert_member(o, "end_reason", "\"timeout\"");
	json_object_put(o);

	flow = (struct flow){ .state = { NO_STATE, CLOSED }, .flags = MARK_RTT_SYN, .rtt_syn_ns = 5 };
	flow.half[0].bytes = UINT64_MAX;
	o = one_flow(&flow, V4_TUPLE);
	assert_member(o, "orig_state", "\"CLOSED\"");
	assert_member(o, "orig_confirmed", "true");
	assert_member(o, "resp_confirmed", "true");
	assert_member(o, "rtt_syn_ns", "null"); /* still a time stamp */
	assert_member(o, "orig_bytes", "18446744073709551615");
	json_object_put(o);
}

static void test_lists(void **state)
{
	static const int counts[] = { 0, 1, 2, 1000 };
	struct flow_key key = key_of(V4_TUPLE);
	struct flow flow = sample_flow();
	struct flow_view view = { .key = &key, .flow = &flow };

	(void)state;
	for (size_t i = 0; i < 2 * ARRAY_SIZE(counts); i++) {
		struct output out;
		struct report *r;
		struct json_object *list;

		output_begin(&out, true);
		out.style.pretty = i & 1;
		r = report_flows_begin(&out.style, false);
		for (int n = 0; n < counts[i / 2]; n++)
			report_flow(r, &view);
		report_end(r);
		list = parsed(output_text(&out));
		assert_int_equal(json_object_get_type(list), json_type_array);
		assert_int_equal(json_object_array_length(list), counts[i / 2]);
		json_object_put(list);
		output_end(&out);
	}
}

/* ---- the table ---- */
static void print_flows(struct output *out, const char *const *tuples, int count, bool stream, bool no_header)
{
	struct report *r;

	output_begin(out, false);
	out->style.no_header = no_header;
	r = report_flows_begin(&out->style, stream);
	for (int i = 0; i < count; i++) {
		struct flow_key key = key_of(tuples[i]);
		struct flow flow = sample_flow();
		struct flow_view view = { .key = &key, .flow = &flow, .iface = "eth0", .now_ns = START + 253 * SECOND };

		flow.orig = 0;
		report_flow(r, &view);
	}
	report_end(r);
}

/* Every row has the same number of words as the header, and in a list each begins in its column. */
static void assert_aligned(char *text, bool aligned)
{
	char *lines[8], *save = NULL;
	int count = 0, header_at;

	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		lines[count++] = line;
	header_at = (int)(strstr(lines[0], "STATE") - lines[0]);
	for (int i = 0; i < count; i++) {
		char *words = strdup(lines[i]), *at = NULL;
		int n = 0;

		for (char *word = strtok_r(words, " ", &at); word; word = strtok_r(NULL, " ", &at))
			n++;
		assert_int_equal(n, 13);
		free(words);
		if (aligned && i)
			assert_int_equal(strstr(lines[i], "SYN-RECEIVED:ESTABLISHED?") - lines[i], header_at);
	}
}

static const char *const mixed_tuples[] = {
	"192.0.2.1:443-198.51.100.7:40000",
	"[2001:db8:1111:2222:3333:4444:5555:6666]:40000-[2001:db8:1111:2222:3333:4444:5555:7777]:443",
	"10.0.0.1:1-10.0.0.2:2",
};

static void test_table(void **state)
{
	struct output out;

	(void)state;
	print_flows(&out, mixed_tuples, 1, false, false);
	assert_string_equal(output_text(&out), "ORIGINATOR    RESPONDER          IFACE STATE                      PKTS "
					       "BYTES RTX    RTT   AGE  IDLE HISTORY  END FLAGS\n"
					       "192.0.2.1:443 198.51.100.7:40000 eth0  SYN-RECEIVED:ESTABLISHED? 10/20 "
					       "1k/6G  20 >1.2ms 4m13s 4m10s ShADadFf -   SYN_RTX,CW_LEAK\n");
	output_end(&out);
}

static void test_table_alignment(void **state)
{
	struct output out;

	(void)state;
	print_flows(&out, mixed_tuples, 3, false, false);
	output_text(&out);
	assert_aligned(out.text, true);
	output_end(&out);

	print_flows(&out, mixed_tuples, 3, true, false); /* a stream cannot know, but loses nothing */
	output_text(&out);
	assert_aligned(out.text, false);
	output_end(&out);

	print_flows(&out, mixed_tuples, 0, false, false);
	assert_non_null(strstr(output_text(&out), "ORIGINATOR")); /* an empty list still says what it is */
	output_end(&out);

	print_flows(&out, mixed_tuples, 3, false, true);
	assert_null(strstr(output_text(&out), "ORIGINATOR"));
	output_end(&out);
}

/* More rows than are held back, wider ones behind them, all flags: no text is lost. */
static void test_table_long(void **state)
{
	struct flow_key narrow = key_of(mixed_tuples[2]), wide = key_of(mixed_tuples[1]);
	struct flow flow = sample_flow();
	struct output out;
	struct report *r;
	int lines = 0;

	(void)state;
	flow.flags = FLAGS_REPORTED;
	output_begin(&out, false);
	r = report_flows_begin(&out.style, false);
	for (int i = 0; i < 600; i++) {
		struct flow_view view = { .key = i < 500 ? &narrow : &wide, .flow = &flow };

		report_flow(r, &view);
	}
	report_end(r);
	for (const char *at = output_text(&out); (at = strstr(at, "CW_LEAK\n")); at++)
		lines++;
	assert_int_equal(lines, 600);
	output_end(&out);
}

static void test_colour(void **state)
{
	struct flow_key key = key_of(V4_TUPLE);
	struct flow flow = sample_flow();
	struct flow_view view = { .key = &key, .flow = &flow };
	struct output out;

	(void)state;
	for (int colour = 0; colour < 2; colour++) {
		struct report *r;

		output_begin(&out, false);
		out.style.colour = colour;
		r = report_flows_begin(&out.style, false);
		report_flow(r, &view);
		report_end(r);
		assert_int_equal(!!strchr(output_text(&out), '\033'), colour);
		output_end(&out);
	}
	output_begin(&out, false);
	report_style_init(&out.style, out.style.out); /* not a terminal */
	assert_false(out.style.colour);
	assert_int_equal(out.style.width, 0);
	output_end(&out);
}

/* ---- events ---- */
static struct event sample_event(enum ward_event_type type)
{
	struct event ev = {
		.key = key_of(V4_TUPLE),
		.ts_ns = START + 123456789,
		.pkt = 7,
		.type = type,
		.reason = END_REFUSED,
		.orig = 1,
		.vlan = VLAN_UNSEEN,
		.flags = FLAG_RTX | MARK_PEND,
		.state = { SYN_RECEIVED, ESTABLISHED },
		.old_state = { LISTEN, SYN_SENT },
		.conf = 1,
		.old_conf = 2,
	};

	return ev;
}

/* The line that one event becomes. */
static void event_printed(struct event ev, bool json, const char *iface, struct output *out)
{
	struct report *r;

	output_begin(out, json);
	r = report_events_begin(&out->style);
	report_event(r, &ev, iface);
	report_end(r);
	output_text(out);
}

#define EVENT_HEAD(type, pkt, iface)                                                                                   \
	"v=1", "type=\"" type "\"", "ts_ns=1700000000123456789", "pkt=" pkt, "iface=" iface, "vlan=null",              \
		"saddr=\"198.51.100.7\"", "sport=40000", "daddr=\"192.0.2.1\"", "dport=443"

static void test_event_json(void **state)
{
	static const char *const changed[] = {
		EVENT_HEAD("state", "7", "\"eth0\""),
		"orig_state=\"ESTABLISHED\"",
		"resp_state=\"SYN-RECEIVED\"",
		"orig_confirmed=false",
		"resp_confirmed=true",
		"old_orig_state=\"SYN-SENT\"",
		"old_resp_state=\"LISTEN\"",
		"old_orig_confirmed=true",
		"old_resp_confirmed=true",
	};
	static const char *const first[] = {
		EVENT_HEAD("state", "7", "\"eth0\""),
		"orig_state=\"ESTABLISHED\"",
		"resp_state=\"SYN-RECEIVED\"",
		"orig_confirmed=false",
		"resp_confirmed=true",
		"old_orig_state=\"CLOSED\"",
		"old_resp_state=\"CLOSED\"",
		"old_orig_confirmed=true",
		"old_resp_confirmed=true",
	};
	static const char *const flagged[] = { EVENT_HEAD("flag", "7", "\"eth0\""), "flags=[\"RTX\"]" };
	static const char *const ended[] = { EVENT_HEAD("end", "null", "null"), "reason=\"refused\"" };
	static const struct {
		enum ward_event_type type;
		bool first, timer;
		const char *iface;
		const char *const *expected;
		size_t count;
	} cases[] = {
		{ EVENT_STATE, false, false, "eth0", changed, ARRAY_SIZE(changed) },
		{ EVENT_STATE, true, false, "eth0", first, ARRAY_SIZE(first) },
		{ EVENT_FLAG, false, false, "eth0", flagged, ARRAY_SIZE(flagged) },
		{ EVENT_END, false, true, NULL, ended, ARRAY_SIZE(ended) },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct event ev = sample_event(cases[i].type);
		struct json_object *o;
		struct output out;

		ev.first = cases[i].first;
		ev.timer = cases[i].timer;
		event_printed(ev, true, cases[i].iface, &out);
		assert_ptr_equal(strchr(out.text, '\n'), out.text + out.size - 1);
		o = parsed(out.text);
		assert_members(o, cases[i].expected, cases[i].count);
		json_object_put(o);
		output_end(&out);
	}
}

static void test_event_text(void **state)
{
	static const struct {
		enum ward_event_type type;
		bool timer;
		const char *expected;
	} cases[] = {
		{ EVENT_STATE, false,
		  "22:13:20.123456 #7 eth0 198.51.100.7:40000 > 192.0.2.1:443    "
		  "SYN-SENT:LISTEN -> ESTABLISHED?:SYN-RECEIVED\n" },
		{ EVENT_FLAG, false, "22:13:20.123456 #7 eth0 198.51.100.7:40000 > 192.0.2.1:443    flag RTX\n" },
		{ EVENT_END, true, "22:13:20.123456 eth0 198.51.100.7:40000 > 192.0.2.1:443    end refused (timer)\n" },
		{ EVENT_SEGMENT, false, "" },
		{ EVENT_RETIRE, false, "" },
		{ (enum ward_event_type)99, false, "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct event ev = sample_event(cases[i].type);
		struct output out;

		ev.timer = cases[i].timer;
		event_printed(ev, false, "eth0", &out);
		assert_string_equal(out.text, cases[i].expected);
		output_end(&out);
	}
}

static void test_lost(void **state)
{
	static const char *const expected[] = {
		"v=1", "type=\"lost\"", "ts_ns=1700000000000000000", "pkt=null", "count=12", "why=\"ring full\"",
	};
	struct json_object *o;
	struct output out;
	struct report *r;

	(void)state;
	for (int json = 0; json < 2; json++) {
		output_begin(&out, json);
		r = report_events_begin(&out.style);
		report_lost(r, 12, "ring full", START);
		report_end(r);
		if (json) {
			o = parsed(output_text(&out));
			assert_members(o, expected, ARRAY_SIZE(expected));
			json_object_put(o);
		} else {
			assert_string_equal(output_text(&out), "22:13:20.000000 lost 12 events: ring full\n");
		}
		output_end(&out);
	}
}

/* ---- the ladder ---- */
/* A side B (198.51.100.7) opens; A answers; B sends data; a RST ends it. */
static void climb(struct ladder *l, bool isn_known)
{
	static const struct step {
		uint64_t after_ns;
		struct event_segment seg;
		enum tcp_state state[2];
		__u8 conf;
	} steps[] = {
		{ 0, { .seq = 0xffffffff, .bits = TH_SYN, .dir = 1, .win = 64240 }, { LISTEN, SYN_SENT }, 2 },
		{ 1200000,
		  { .seq = 5000, .ack = 0, .bits = TH_SYN | TH_ACK, .win = 65160 },
		  { SYN_RECEIVED, ESTABLISHED },
		  1 },
		{ 1230000,
		  { .seq = 0, .ack = 5001, .len = 1448, .bits = TH_PSH | TH_ACK, .dir = 1, .win = 502 },
		  { ESTABLISHED, ESTABLISHED },
		  2 },
		{ 70 * SECOND, { .seq = 5001, .bits = TH_RST }, { CLOSED, CLOSED }, 3 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		struct event_with_segment es = { .event = sample_event(EVENT_SEGMENT), .segment = steps[i].seg };

		es.event.ts_ns = START + steps[i].after_ns;
		memcpy(es.event.state, steps[i].state, sizeof(steps[i].state));
		es.event.conf = steps[i].conf;
		es.segment.isn[1] = isn_known ? 0xffffffff : 0;
		es.segment.isn[0] = isn_known && i ? 5000 : 0;
		ladder_segment(l, &es);
	}
}

static void test_ladder(void **state)
{
	static const char expected[] =
		"                       198.51.100.7:40000                                            192.0.2.1:443\n"
		"       0      SYN-SENT |------------------- SYN seq 0 win 64240 ------------------->| LISTEN\n"
		"  +1.2ms  ESTABLISHED? |<------------- SYN-ACK seq 0 ack 1 win 65160 ---------------| SYN-RECEIVED\n"
		"   +30us   ESTABLISHED |----------- PSH-ACK seq 1 ack 1 len 1448 win 502 ---------->| ESTABLISHED?\n"
		"  +1m09s        CLOSED |<-------------------- RST seq 1 win 0 ----------------------| CLOSED\n"
		"     +0s        CLOSED |======================= end refused ========================| CLOSED\n";
	struct flow_key key = key_of(V4_TUPLE);
	struct output out;

	(void)state;
	for (int known = 0; known < 2; known++) {
		struct event end = sample_event(EVENT_END);
		struct event change = sample_event(EVENT_STATE);
		struct ladder *l;

		end.ts_ns = START + 70 * SECOND;
		end.state[0] = end.state[1] = CLOSED;
		output_begin(&out, false);
		l = ladder_begin(&out.style, &key);
		climb(l, known);
		ladder_event(l, &change); /* its segment shows it */
		ladder_event(l, &end);
		ladder_end(l);
		assert_string_equal(output_text(&out), expected);
		output_end(&out);
	}
}

/* Live: within one tick the time between two segments is not known. */
static void test_ladder_tick(void **state)
{
	struct output out;
	struct event first = sample_event(EVENT_END), second;
	struct ladder *l;

	(void)state;
	second = first;
	output_begin(&out, false);
	l = ladder_begin(&out.style, &first.key);
	ladder_tick(l, 4000000);
	ladder_event(l, &first);
	ladder_event(l, &second);
	second.ts_ns += 8000000;
	ladder_event(l, &second);
	ladder_end(l);
	assert_non_null(strstr(output_text(&out), "    <4ms "));
	assert_non_null(strstr(output_text(&out), "    +8ms "));
	output_end(&out);
}

static void test_ladder_json(void **state)
{
	static const char *const third[] = {
		"v=1",
		"type=\"segment\"",
		"ts_ns=1700000000001230000",
		"pkt=7",
		"saddr=\"198.51.100.7\"",
		"sport=40000",
		"daddr=\"192.0.2.1\"",
		"dport=443",
		"from=\"orig\"",
		"flags=[\"PSH\",\"ACK\"]",
		"seq=1",
		"ack=1",
		"len=1448",
		"win=502",
		"orig_state=\"ESTABLISHED\"",
		"resp_state=\"ESTABLISHED\"",
		"orig_confirmed=true",
		"resp_confirmed=false",
	};
	struct flow_key key = key_of(V4_TUPLE);
	struct event end = sample_event(EVENT_END);
	char *save = NULL, *line;
	struct json_object *o;
	struct output out;
	struct ladder *l;
	int count = 0;

	(void)state;
	output_begin(&out, true);
	l = ladder_begin(&out.style, &key);
	climb(l, true);
	ladder_event(l, &end);
	ladder_end(l);
	output_text(&out);
	for (line = strtok_r(out.text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		o = parsed(line);
		if (++count == 3)
			assert_members(o, third, ARRAY_SIZE(third));
		if (count == 4)
			assert_member(o, "ack", "null"); /* no ACK bit */
		json_object_put(o);
	}
	assert_int_equal(count, 5);
	output_end(&out);
}

/* First seen in the middle: the first numbers count as 1. */
static void test_ladder_midstream(void **state)
{
	struct event_with_segment es = { .event = sample_event(EVENT_SEGMENT) };
	struct flow_key key = key_of(V4_TUPLE);
	struct output out;
	struct ladder *l;

	(void)state;
	es.segment = (struct event_segment){ .seq = 3000000000U, .ack = 7, .bits = TH_ACK, .dir = 0 };
	output_begin(&out, false);
	l = ladder_begin(&out.style, &key);
	ladder_segment(l, &es);
	es.segment = (struct event_segment){ .seq = 17, .ack = 3000000100U, .bits = TH_ACK, .dir = 1 };
	ladder_segment(l, &es);
	ladder_end(l);
	assert_non_null(strstr(output_text(&out), "<"));
	assert_non_null(strstr(out.text, " ACK seq 1 ack 1 "));
	assert_non_null(strstr(out.text, " ACK seq 11 ack 101 "));
	output_end(&out);
}

/* ---- objects ---- */
static const struct report_row rows[] = {
	{ .name = "flows", .kind = ROW_U64, .number = 1234, .note = "in the table" },
	{ .name = "ingress", .label = "hook", .kind = ROW_TEXT, .text = "tc" },
	{ .name = "keeper", .kind = ROW_BOOL, .number = 1 },
	{ .name = "policy", .kind = ROW_NULL },
};

static void test_object(void **state)
{
	static const char *const expected[] = {
		"v=1", "object=\"eth0\"", "flows=1234", "ingress=\"tc\"", "keeper=true", "policy=null",
	};
	struct json_object *o;
	struct output out;

	(void)state;
	output_begin(&out, false);
	report_object(&out.style, "eth0", rows, ARRAY_SIZE(rows));
	assert_string_equal(output_text(&out), "eth0\n"
					       "  flows   1234  in the table\n"
					       "  hook    tc\n"
					       "  keeper  yes\n"
					       "  policy  -\n");
	output_end(&out);
	output_begin(&out, true);
	report_object(&out.style, "eth0", rows, ARRAY_SIZE(rows));
	o = parsed(output_text(&out));
	assert_members(o, expected, ARRAY_SIZE(expected));
	json_object_put(o);
	output_end(&out);
}

static int utc(void **state)
{
	(void)state;
	setenv("TZ", "UTC", 1);
	tzset();
	return 0;
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
		cmocka_unit_test(test_flow_json),
		cmocka_unit_test(test_flow_json_corners),
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_table_alignment),
		cmocka_unit_test(test_table_long),
		cmocka_unit_test(test_colour),
		cmocka_unit_test(test_event_json),
		cmocka_unit_test(test_event_text),
		cmocka_unit_test(test_lost),
		cmocka_unit_test(test_ladder),
		cmocka_unit_test(test_ladder_tick),
		cmocka_unit_test(test_ladder_json),
		cmocka_unit_test(test_ladder_midstream),
		cmocka_unit_test(test_object),
	};

	return cmocka_run_group_tests(tests, utc, NULL);
}
