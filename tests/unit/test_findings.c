// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Findings as users see them: the object of the contract, the event, the table; and the filter over them. */
#include "unit/caught.h"

#include "report/filter.h"
#include "report/findings.h"

#define A_SECOND_LATER (START + SECOND)

/* One of each kind of subject. */
static struct finding sample(enum finding_subject subject)
{
	struct flow_key flow = key_of("203.0.113.9:4000-192.0.2.10:443"), service = key_of("192.0.2.10:443-0.0.0.0:0");
	struct finding f = {
		.id = 12,
		.kind = FINDING_HALF_OPEN,
		.severity = SEVERITY_WARNING,
		.subject = (__u8)subject,
		.raised_ns = START,
		.updated_ns = A_SECOND_LATER,
		.evidence = { 412, 3 },
		.limit = { 128, 30 },
		.peak = 500,
		.samples = 1,
		.orig = 1, /* 192.0.2.10 is side A */
	};

	f.sample[0] = flow;
	f.sample_orig[0] = 1;
	if (subject == SUBJECT_FLOW)
		f.key = flow;
	else if (subject == SUBJECT_SERVICE) {
		memcpy(f.key.a_addr, service.b_addr, 16);
		f.key.a_port = 443;
	} else {
		memcpy(f.key.a_addr, flow.b_addr, 16);
	}
	if (subject == SUBJECT_PREFIX) {
		f.key.a_addr[15] = 0;
		f.prefix_len = 24;
	}
	return f;
}

static void towards_service(struct finding *f)
{
	struct finding service = sample(SUBJECT_SERVICE);

	memcpy(f->key.b_addr, service.key.a_addr, 16);
	f->key.b_port = 443;
}

static struct json_object *as_json(const struct finding *f)
{
	struct json_object *o;
	struct output out;
	struct report *r;

	output_begin(&out, true);
	r = report_findings_begin(&out.style, true);
	report_finding(r, f, START + 9 * SECOND);
	report_end(r);
	o = parsed(output_text(&out));
	output_end(&out);
	return o;
}

/* The members that the contract names, in its order; "evidence" and "text" are what user/detect says. */
static void test_object(void **state)
{
	static const char *const names[] = {
		"v",	      "id",	    "finding",	"severity", "subject", "raised_ns",
		"updated_ns", "cleared_ns", "evidence", "peak",	    "at_least", "flows",   "text",
	};
	struct finding f = sample(SUBJECT_SOURCE);
	struct json_object *o = as_json(&f);
	size_t i = 0;

	(void)state;
	json_object_object_foreach(o, name, value)
	{
		(void)value;
		assert_true(i < ARRAY_SIZE(names));
		assert_string_equal(name, names[i++]);
	}
	assert_int_equal(i, ARRAY_SIZE(names));
	assert_member(o, "v", "1");
	assert_member(o, "id", "12");
	assert_member(o, "finding", "\"half-open\"");
	assert_member(o, "severity", "\"warning\"");
	assert_member(o, "raised_ns", "1700000000000000000");
	assert_member(o, "updated_ns", "1700000001000000000");
	assert_member(o, "cleared_ns", "null");
	assert_member(o, "peak", "500");
	assert_member(o, "flows", "[\"203.0.113.9:4000 > 192.0.2.10:443\"]");
	json_object_put(o);

	f.cleared_ns = START + 2 * SECOND;
	f.samples = 0;
	o = as_json(&f);
	assert_member(o, "cleared_ns", "1700000002000000000");
	assert_member(o, "flows", "[]");
	json_object_put(o);
}

static void test_subjects(void **state)
{
	static const char *const expected[] = {
		[SUBJECT_FLOW] = "{\"flow\":\"203.0.113.9:4000 > 192.0.2.10:443\"}",
		[SUBJECT_SOURCE] = "{\"source\":\"203.0.113.9\"}",
		[SUBJECT_PREFIX] = "{\"prefix\":\"203.0.113.0/24\"}",
		[SUBJECT_SERVICE] = "{\"service\":\"192.0.2.10:443\"}",
	};
	struct json_object *o, *subject;
	struct finding f;

	(void)state;
	for (int s = 0; s < SUBJECT_COUNT; s++) {
		f = sample((enum finding_subject)s);
		o = as_json(&f);
		assert_true(json_object_object_get_ex(o, "subject", &subject));
		assert_string_equal(json_object_to_json_string_ext(subject, JSON_C_TO_STRING_NOSLASHESCAPE), expected[s]);
		json_object_put(o);
	}
	f = sample(SUBJECT_SOURCE);
	towards_service(&f);
	o = as_json(&f);
	assert_member(o, "subject", "{\"source\":\"203.0.113.9\",\"to\":\"192.0.2.10:443\"}");
	json_object_put(o);
}

/* Each number of the kind's table is there, and beside it its threshold where it has one, also one of no row (the first). */
static void test_evidence(void **state)
{
	(void)state;
	for (unsigned kind = 0; kind < FINDING_COUNT; kind++) {
		struct finding f = sample(SUBJECT_SOURCE);
		const struct evidence_row *rows;
		unsigned count = finding_evidence(kind, &rows), members = 0;
		bool limited;
		struct json_object *o, *evidence;

		f.kind = (__u8)kind;
		for (unsigned i = 0; i < FINDING_EVIDENCE; i++) {
			f.evidence[i] = 1000 + i;
			f.limit[i] = i && rows[i].param == PARAM_NONE ? 0 : 2000 + i;
		}
		o = as_json(&f);
		assert_in_range(count, 1, FINDING_EVIDENCE);
		assert_true(json_object_object_get_ex(o, "evidence", &evidence));
		for (unsigned i = 0; i < count; i++) {
			char limit[80], value[24];

			snprintf(value, sizeof(value), "%u", 1000 + i);
			assert_member(evidence, rows[i].name, value);
			members++;
			snprintf(limit, sizeof(limit), "%s_limit", rows[i].name);
			limited = !i || rows[i].param != PARAM_NONE;
			assert_int_equal(json_object_object_get_ex(evidence, limit, NULL), limited);
			if (!limited)
				continue;
			snprintf(value, sizeof(value), "%u", 2000 + i);
			assert_member(evidence, limit, value);
			members++;
		}
		assert_int_equal(json_object_object_length(evidence), members);
		json_object_put(o);
	}
}

static void test_events(void **state)
{
	static const struct {
		enum detect_news news;
		const char *name, *raised, *ts_ns, *line;
	} cases[] = {
		{ DETECT_RAISED, "\"raised\"", "true", "1700000000000000000",
		  "22:13:20.000000 finding raised: warning half-open, id 12: " },
		{ DETECT_UPDATED, "\"widened\"", "true", "1700000001000000000",
		  "22:13:21.000000 finding widened: warning half-open, id 12: " },
		{ DETECT_CLEARED, "\"cleared\"", "false", "1700000002000000000",
		  "22:13:22.000000 finding cleared: warning half-open, id 12: " },
	};
	struct finding f = sample(SUBJECT_SERVICE);

	(void)state;
	f.cleared_ns = START + 2 * SECOND;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct json_object *o;
		struct output out;
		struct report *r;

		output_begin(&out, true);
		r = report_events_begin(&out.style);
		report_finding_event(r, &f, cases[i].news);
		/* flushed: there before the end */
		assert_ptr_equal(strchr(out.text, '\n'), out.text + out.size - 1);
		report_end(r);
		o = parsed(output_text(&out));
		assert_member(o, "type", "\"finding\"");
		assert_member(o, "ts_ns", cases[i].ts_ns);
		assert_member(o, "pkt", "null");
		assert_member(o, "finding", "\"half-open\"");
		assert_member(o, "severity", "\"warning\"");
		assert_member(o, "raised", cases[i].raised);
		assert_member(o, "news", cases[i].name);
		assert_member(o, "subject", "{\"service\":\"192.0.2.10:443\"}");
		assert_member(o, "id", "12");
		json_object_put(o);
		output_end(&out);

		output_begin(&out, false);
		r = report_events_begin(&out.style);
		report_finding_event(r, &f, cases[i].news);
		report_end(r);
		assert_memory_equal(output_text(&out), cases[i].line, strlen(cases[i].line));
		output_end(&out);
	}
}

static void test_order(void **state)
{
	/* id, severity, raised after START in s, cleared */
	static const struct {
		int id, severity, raised, cleared;
	} rows[] = {
		{ 1, SEVERITY_CRITICAL, 1, 1 }, { 2, SEVERITY_INFO, 9, 0 },	{ 3, SEVERITY_CRITICAL, 2, 0 },
		{ 4, SEVERITY_WARNING, 5, 0 },	{ 5, SEVERITY_CRITICAL, 3, 0 }, { 6, SEVERITY_WARNING, 5, 0 },
	};
	static const unsigned expected[] = { 5, 3, 6, 4, 2, 1 };
	struct finding list[ARRAY_SIZE(rows)];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		list[i] = sample(SUBJECT_SOURCE);
		list[i].id = (__u32)rows[i].id;
		list[i].severity = (__u8)rows[i].severity;
		list[i].raised_ns = START + (uint64_t)rows[i].raised * SECOND;
		list[i].cleared_ns = rows[i].cleared ? START + 20 * SECOND : 0;
	}
	qsort(list, ARRAY_SIZE(rows), sizeof(*list), finding_order);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(list[i].id, expected[i]);
}

/* On a terminal no line is wider than it, the text comes to its end, and the columns before it stand once. */
static void test_table(void **state)
{
	static const int widths[] = { 0, 40, 100, 132, 400 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(widths); i++) {
		struct finding f = sample(SUBJECT_SOURCE);
		struct output out;
		struct report *r;
		char *copy, *line, *save = NULL, text[320], joined[1024] = "";
		const char *last;
		int lines = 0;

		output_begin(&out, false);
		out.style.width = widths[i];
		r = report_findings_begin(&out.style, false);
		report_finding(r, &f, START + 9 * SECOND);
		report_end(r);
		copy = strdup(output_text(&out));
		for (line = strtok_r(copy, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
			if (lines++ == 0) {
				assert_non_null(strstr(line, "ID SEVERITY"));
				assert_non_null(strstr(line, " TEXT"));
				continue;
			}
			if (widths[i] >= 100)
				assert_true((int)strlen(line) <= widths[i]);
			line += strspn(line, " ");
			strcat(joined, line);
			strcat(joined, " ");
		}
		assert_non_null(strstr(joined, "12 warning"));
		assert_non_null(strstr(joined, "22:13:20"));
		finding_text(&f, text);
		last = strrchr(text, ' ') ? strrchr(text, ' ') : text;
		assert_non_null(strstr(joined, last));
		assert_null(strstr(strstr(joined, "half-open") + 1, "22:13:20 stands 22:13:20"));
		if (!widths[i])
			assert_int_equal(lines, 2);
		free(copy);
		output_end(&out);
	}
}

/* As it follows findings: names, times and texts stand below one another, whatever they are; yesterday's has its date. */
static void test_followed(void **state)
{
	static const unsigned kinds[] = { FINDING_HALF_OPEN, FINDING_TIME_WAIT_ASSASSINATION, FINDING_SYN_FLOOD };
	struct output out;
	struct report *r;
	char *copy, *line, *save = NULL;
	int lines = 0;
	long since = 0, subject = 0;

	(void)state;
	output_begin(&out, false);
	r = report_findings_begin(&out.style, true);
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		struct finding f = sample(i == 1 ? SUBJECT_FLOW : SUBJECT_SOURCE);

		f.kind = (__u8)kinds[i];
		f.cleared_ns = i ? START + 86400 * SECOND : 0;
		report_finding_news(r, &f, i ? DETECT_CLEARED : DETECT_RAISED);
	}
	report_end(r);
	copy = strdup(output_text(&out));
	for (line = strtok_r(copy, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		if (!lines++) {
			since = strstr(line, "SINCE") - line;
			subject = strstr(line, "SUBJECT") - line;
			continue;
		}
		if (lines == 2)
			assert_memory_equal(line + since, "22:13:20 ", 9);
		else
			assert_memory_equal(line + since, "2023-11-14 22:13 ", 17);
		assert_memory_equal(line + subject, "203.0.113.9", 11);
	}
	assert_int_equal(lines, 4);
	free(copy);
	output_end(&out);
}

/* ---- filters ---- */
static void test_filter_of_flows(void **state)
{
	static const char *const words[][2] = {
		{ "state close-wait", "state" },
		{ "finding half-open or not ( flag RTX )", "flag" },
		{ "idle > 3s", "idle" },
		{ "dev eth0", "dev" },
		{ "end reset", "end" },
		{ "src 1.2.3.4 vlan 3", "vlan" },
		{ "exclude closed", "state" },
		{ "", NULL },
		{ "finding half-open src 1.2.3.4 dport = :80 severity > info age > 3s", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		char *argv[] = { (char *)words[i][0] };
		struct filter_error error;
		struct filter *f;

		assert_int_equal(filter_parse(1, argv, &f, &error), 0);
		if (words[i][1])
			assert_string_equal(filter_of_flows(f), words[i][1]);
		else
			assert_null(filter_of_flows(f));
		filter_free(f);
	}
}

static const char *matching(const char *filter, const struct finding *list, const char *const *names, int count, char *out)
{
	char *argv[] = { (char *)filter };
	struct filter_error error;
	struct filter *f;

	*out = '\0';
	if (filter_parse(1, argv, &f, &error))
		fail_msg("'%s': %s", filter, error.text);
	for (int i = 0; i < count; i++)
		if (filter_match_finding(f, &list[i], START + 60 * SECOND))
			sprintf(out + strlen(out), "%s%s", *out ? " " : "", names[i]);
	filter_free(f);
	return out;
}

static void test_filter(void **state)
{
	static const char *const names[] = { "flow", "source", "prefix", "service", "pair", "six" };
	static const struct {
		const char *filter, *expected;
	} cases[] = {
		{ "", "flow source prefix service pair six" },
		{ "finding half-open", "flow source prefix pair six" },
		{ "finding = syn-flood", "service" },
		{ "finding != syn-flood", "flow source prefix pair six" },
		{ "severity >= warning", "flow source service pair" },
		{ "severity critical", "service" },
		{ "severity < warning", "prefix six" },
		{ "severity != info", "flow source service pair" },
		{ "src 203.0.113.9", "flow source prefix pair" },
		{ "src 203.0.113.77", "prefix" },
		{ "src 203.0.113.0/24", "flow source prefix pair" },
		{ "src 203.0.0.0/16", "flow source prefix pair" },
		{ "src 198.51.100.0/24", "" },
		{ "src != 203.0.113.9", "six" },
		{ "src 2001:db8:1:2::99", "six" },
		{ "src 2001:db8::/32", "six" },
		{ "src 2001:db8:1:3::1", "" },
		{ "src 203.0.113.9:4000", "flow" },
		{ "sport = 4000", "flow" },
		{ "dst 192.0.2.10", "flow service pair" },
		{ "dst 192.0.2.10:443", "flow service pair" },
		{ "dport = :443", "flow service pair" },
		{ "dport = :80", "" },
		{ "dport != :80", "flow service pair" },
		{ "not dport = :443", "" },
		{ "age > 30s", "flow source prefix service pair" },
		{ "age < 30s", "six" },
		{ "state established", "" },
		{ "not state established", "" },
		{ "bytes > 0", "" },
		{ "state established or severity critical", "service" },
		{ "finding half-open and dst 192.0.2.10", "flow pair" },
	};
	struct finding list[] = {
		sample(SUBJECT_FLOW), sample(SUBJECT_SOURCE), sample(SUBJECT_PREFIX), sample(SUBJECT_SERVICE),
		sample(SUBJECT_SOURCE), sample(SUBJECT_SOURCE),
	};
	struct flow_key six = key_of("[2001:db8:1:2::]:1-[2001:db8:1:2::]:2");
	char out[200];

	(void)state;
	list[2].severity = SEVERITY_INFO;
	list[3].kind = FINDING_SYN_FLOOD;
	list[3].severity = SEVERITY_CRITICAL;
	towards_service(&list[4]);
	memcpy(list[5].key.a_addr, six.a_addr, 16);
	list[5].severity = SEVERITY_INFO;
	list[5].raised_ns = START + 50 * SECOND;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		matching(cases[i].filter, list, names, ARRAY_SIZE(list), out);
		if (strcmp(out, cases[i].expected))
			fail_msg("'%s' matches '%s', not '%s'", cases[i].filter, out, cases[i].expected);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_object), cmocka_unit_test(test_subjects), cmocka_unit_test(test_evidence),
		cmocka_unit_test(test_events), cmocka_unit_test(test_order),	cmocka_unit_test(test_table),
		cmocka_unit_test(test_followed), cmocka_unit_test(test_filter_of_flows),
		cmocka_unit_test(test_filter),
	};

	return cmocka_run_group_tests(tests, utc, NULL);
}
