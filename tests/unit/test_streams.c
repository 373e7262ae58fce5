// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Reports: events and the ladder. */
#include "enforce.h"
#include "policy/drop.h"
#include "unit/caught.h"

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

static void names_of_test(const struct event *ev, struct drop_names *out, void *ctx)
{
	(void)ctx;
	snprintf(out->rule, sizeof(out->rule), "subject %u", ev->subject);
	if (ev->subject == SUBJECT_BLOCK_LIST) {
		strcpy(out->entry, "198.51.100.0/24");
		strcpy(out->listed_by, "web/new-per-source");
	} else if (ev->subject >= POLICY_RULES) {
		strcpy(out->limit, "400");
	}
}

/* One event through a report that names subjects. */
static void drop_printed(struct event ev, bool json, struct output *out)
{
	struct report *r;

	output_begin(out, json);
	r = report_events_begin(&out->style);
	report_drops(r, names_of_test, NULL);
	report_event(r, &ev, "eth0");
	report_end(r);
	output_text(out);
}

static void test_drop(void **state)
{
	static const char *const members[] = { EVENT_HEAD("drop", "7", "\"eth0\""), "reason=\"half-open\"", "dry_run=true",
					       "value=412", "rule=\"subject 64\"", "limit=\"400\"", "entry=null",
					       "listed_by=null" };
	static const struct {
		enum ward_drop drop;
		unsigned subject;
		bool dry_run;
		const char *text;
	} lines[] = {
		{ DROP_HALF_OPEN, SUBJECT_LIMIT(0, LIMIT_HALF_OPEN), true, "would drop: half-open (412) by subject 64 (limit 400)" },
		{ DROP_HALF_OPEN_SOURCE, SUBJECT_LIMIT(0, LIMIT_HALF_OPEN_SOURCE), false,
		  "dropped: half-open-per-source (412) by subject 65 (limit 400)" },
		{ DROP_FIRST_SYN, SUBJECT_LIMIT(0, LIMIT_HALF_OPEN), false, "dropped: first-syn (412) by subject 64 (limit 400)" },
		{ DROP_SYNCOOKIE, SUBJECT_LIMIT(1, LIMIT_HALF_OPEN), false, "answered by syncookie (412) by subject 68 (limit 400)" },
		{ DROP_COOKIE_RATE, SUBJECT_LIMIT(0, LIMIT_HALF_OPEN), false,
		  "dropped: cookie-rate (412) by subject 64 (limit 400)" },
		/* of these there is no number: what stands there is another segment's */
		{ DROP_COOKIE_BAD, SUBJECT_LIMIT(0, LIMIT_HALF_OPEN), false, "dropped: cookie-bad by subject 64 (limit 400)" },
		{ DROP_NEW, SUBJECT_LIMIT(0, LIMIT_NEW), false, "dropped: new by subject 66 (limit 400)" },
		{ DROP_NEW_SOURCE, SUBJECT_LIMIT(0, LIMIT_NEW_SOURCE), false, "dropped: new-per-source by subject 67 (limit 400)" },
		{ DROP_FIRST_SYN, SUBJECT_LIMIT(0, LIMIT_NEW), false, "dropped: first-syn by subject 66 (limit 400)" },
		{ DROP_BLOCK_LIST, SUBJECT_BLOCK_LIST, false,
		  "dropped: block-list by subject 192 (198.51.100.0/24, by web/new-per-source)" },
		{ DROP_OUT_OF_WINDOW, SUBJECT_RULE(3), false, "dropped: out-of-window by subject 3" },
		{ DROP_UNPARSED, SUBJECT_NOBODY, false, "dropped: unparsed by subject 193 (limit 400)" },
	};
	static const char *const head = "22:13:20.123456 #7 eth0 198.51.100.7:40000 > 192.0.2.1:443    ";
	struct event ev = sample_event(EVENT_DROP);
	struct json_object *o;
	char expected[256];
	struct output out;

	(void)state;
	ev.flags = 412;
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		ev.drop = lines[i].drop;
		ev.subject = (__u8)lines[i].subject;
		ev.first = lines[i].dry_run;
		if (!i) {
			drop_printed(ev, true, &out);
			o = parsed(out.text);
			assert_members(o, members, ARRAY_SIZE(members));
			json_object_put(o);
			output_end(&out);
		}
		drop_printed(ev, false, &out);
		snprintf(expected, sizeof(expected), "%s%s\n", head, lines[i].text);
		assert_string_equal(out.text, expected);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_event_json),
		cmocka_unit_test(test_drop),
		cmocka_unit_test(test_event_text),
		cmocka_unit_test(test_lost),
		cmocka_unit_test(test_ladder),
		cmocka_unit_test(test_ladder_tick),
		cmocka_unit_test(test_ladder_json),
		cmocka_unit_test(test_ladder_midstream),
	};

	return cmocka_run_group_tests(tests, utc, NULL);
}
