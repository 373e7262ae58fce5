// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Reports: the JSON contract of a flow, lists, the table, colour. */
#include "unit/caught.h"

#include "finding.h"

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

/* What is found on a flow: names in JSON, behind the flags in text, nothing where there is nothing. */
static void test_flow_findings(void **state)
{
	struct flow_key key = key_of(V4_TUPLE);
	struct flow flow = sample_flow();
	struct flow_view view = {
		.key = &key, .flow = &flow, .findings = FINDING_BIT(HALF_OPEN) | FINDING_BIT(SYN_DATA)
	};
	struct json_object *o;
	struct output out;
	struct report *r;

	(void)state;
	output_begin(&out, true);
	r = report_flows_begin(&out.style, true);
	report_flow(r, &view);
	report_end(r);
	o = parsed(output_text(&out));
	assert_member(o, "findings", "[\"half-open\",\"syn-data\"]");
	json_object_put(o);
	output_end(&out);

	output_begin(&out, false);
	r = report_flows_begin(&out.style, true);
	report_flow(r, &view);
	flow.flags = FLAGS_REPORTED; /* as many as there are, and all findings */
	view.findings = (1ULL << FINDING_COUNT) - 1;
	report_flow(r, &view);
	report_end(r);
	assert_non_null(strstr(output_text(&out), " SYN_RTX,CW_LEAK [half-open,syn-data]\n"));
	assert_non_null(strstr(out.text, "COOKIE [stale-syn,"));
	assert_non_null(strstr(out.text, ",syn-data]\n"));
	output_end(&out);
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
	for (const char *at = output_text(&out); (at = strstr(at, "COOKIE\n")); at++)
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_flow_json),
		cmocka_unit_test(test_flow_json_corners),
		cmocka_unit_test(test_flow_findings),
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_table_alignment),
		cmocka_unit_test(test_table_long),
		cmocka_unit_test(test_colour),
	};

	return cmocka_run_group_tests(tests, utc, NULL);
}
