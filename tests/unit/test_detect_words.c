// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Names, words and thresholds: every kind has all of them; what is refused, and how. */
#include "detect_rig.h"

#include <errno.h>
#include <stdio.h>

/* ---- names ---- */
static void test_names(void **state)
{
	(void)state;
	for (unsigned kind = 0; kind < FINDING_COUNT; kind++)
		assert_int_equal(finding_parse(finding_name(kind)), kind);
	assert_string_equal(finding_name(FINDING_STALE_SYN), "stale-syn");
	assert_string_equal(finding_name(FINDING_SYN_DATA), "syn-data");
	assert_string_equal(finding_name(FINDING_COUNT), "");
	assert_int_equal(finding_parse("stale-sin"), -1);
	assert_int_equal(finding_parse(""), -1);
	assert_string_equal(severity_name(SEVERITY_CRITICAL), "critical");
	assert_string_equal(severity_name(SEVERITY_COUNT), "");
	assert_string_equal(subject_name(SUBJECT_PREFIX), "prefix");
	assert_string_equal(subject_name(SUBJECT_COUNT), "");
}

static void sentence(const char *text, unsigned kind, const char *what)
{
	size_t len = strlen(text);

	if (len < 15 || strchr(text, '\n') || strchr(text, '\t') || strstr(text, "  ") || text[len - 1] == ' ')
		fail_msg("%s of %s: '%s'", what, finding_name(kind), text);
}

static void test_words(void **state)
{
	(void)state;
	for (unsigned kind = 0; kind < FINDING_COUNT; kind++) {
		sentence(finding_meaning(kind), kind, "meaning");
		sentence(finding_advice(kind), kind, "advice");
		sentence(finding_lookalikes(kind), kind, "lookalikes");
		sentence(finding_reference(kind), kind, "reference");
		assert_non_null(strstr(finding_reference(kind), "RFC "));
	}
	assert_string_equal(finding_meaning(FINDING_COUNT), "");
	assert_string_equal(finding_advice(FINDING_COUNT), "");
	assert_string_equal(finding_reference(FINDING_COUNT), "");
	assert_string_equal(finding_lookalikes(FINDING_COUNT), "");
}

/* Each threshold that the words name exists: "half-open.after". Each that exists is named. */
static void test_words_name_thresholds(void **state)
{
	char name[64];

	(void)state;
	for (unsigned i = 0; i < PARAM_COUNT; i++) {
		const struct param_row *row = &detect_params()[i];

		snprintf(name, sizeof(name), "%s.%s", finding_name(row->finding), row->name);
		if (!strstr(finding_meaning(row->finding), name) && !strstr(finding_lookalikes(row->finding), name))
			fail_msg("the words of %s do not name %s", finding_name(row->finding), name);
	}
}

static void test_evidence_rows(void **state)
{
	const struct evidence_row *rows;
	bool used[PARAM_COUNT] = { false };

	(void)state;
	for (unsigned kind = 0; kind < FINDING_COUNT; kind++) {
		unsigned count = finding_evidence(kind, &rows);

		assert_in_range(count, 1, FINDING_EVIDENCE);
		for (unsigned i = 0; i < count; i++) {
			const struct param_row *param = &detect_params()[rows[i].param];

			if (rows[i].param == PARAM_NONE)
				continue;
			used[rows[i].param] = true;
			/* a threshold of the same finding, in the same unit */
			assert_int_equal(param->finding, kind);
			assert_int_equal(param->unit, rows[i].unit);
		}
	}
	assert_int_equal(finding_evidence(FINDING_COUNT, &rows), 0);
	assert_null(rows);
	/* not beside a number: a time to wait first, another way to the same number, or the same number of probes */
	used[PARAM_OUT_OF_STATE_FLOOD_GRACE] = used[PARAM_DEAD_PEER_PROBES] = true;
	for (unsigned i = 0; i < PARAM_COUNT; i++)
		if (!used[i])
			fail_msg("%s.%s stands beside no number", finding_name(detect_params()[i].finding),
				 detect_params()[i].name);
}

/* Every kind says something of every subject, even with nothing but zeroes or the largest numbers. */
static void test_text_is_bounded(void **state)
{
	char text[320];

	(void)state;
	for (unsigned kind = 0; kind <= FINDING_COUNT; kind++)
		for (unsigned subject = 0; subject < SUBJECT_COUNT; subject++) {
			struct finding f = { .id = 1, .kind = (uint8_t)kind, .subject = (uint8_t)subject };

			finding_text(&f, text);
			assert_int_equal(strlen(text) == 0, kind == FINDING_COUNT);
			memset(&f.key, 0xee, sizeof(f.key));
			memset(f.evidence, 0xff, sizeof(f.evidence));
			memset(f.limit, 0xff, sizeof(f.limit));
			memset(f.sample, 0xee, sizeof(f.sample));
			f.samples = FINDING_SAMPLES;
			f.at_least = 1;
			finding_text(&f, text);
			assert_true(strlen(text) < sizeof(text));
		}
}

/* ---- thresholds ---- */
static void test_defaults(void **state)
{
	struct detect_opts o;

	(void)state;
	detect_opts_init(&o);
	for (unsigned i = 0; i < PARAM_COUNT; i++)
		assert_int_equal(o.value[i], detect_params()[i].value);
	assert_int_equal(o.value[PARAM_STALE_SYN_AFTER], 10 * SECOND);
	assert_int_equal(o.value[PARAM_HALF_OPEN_MAX], 128);
}

static void test_param_text(void **state)
{
	static const struct {
		enum param_unit unit;
		uint64_t value;
		const char *text;
	} cases[] = {
		{ UNIT_TIME, 10 * SECOND, "10 s" },	 { UNIT_TIME, SECOND * 3 / 2, "1500 ms" },
		{ UNIT_TIME, 60 * SECOND, "60 s" },	 { UNIT_TIME, 120 * SECOND, "120 s" },
		{ UNIT_TIME, 300 * SECOND, "5 min" },	 { UNIT_TIME, 301 * SECOND, "301 s" },
		{ UNIT_TIME, 3600 * SECOND, "1 h" },	 { UNIT_TIME, 24 * 3600 * SECOND, "24 h" },
		{ UNIT_TIME, 0, "0 s" },		 { UNIT_PERCENT, 30, "30 %" },
		{ UNIT_COUNT, 128, "128" },
	};
	char buf[32];

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++)
		assert_string_equal(param_text(cases[i].unit, cases[i].value, buf), cases[i].text);
}

static void test_set(void **state)
{
	static const struct {
		const char *text;
		enum detect_param param;
		uint64_t value;
	} cases[] = {
		{ "stale-syn.after=5s", PARAM_STALE_SYN_AFTER, 5 * SECOND },
		{ "stale-syn.after=1500ms", PARAM_STALE_SYN_AFTER, 1500000000 },
		{ "fin-wait-2-hang.after=2m", PARAM_FIN_WAIT_2_HANG_AFTER, 120 * SECOND },
		{ "stale-syn.after=1min", PARAM_STALE_SYN_AFTER, 60 * SECOND },
		{ "half-open.after=60s", PARAM_HALF_OPEN_AFTER, 60 * SECOND },
		{ "close-wait-leak.after=2min", PARAM_CLOSE_WAIT_LEAK_AFTER, 120 * SECOND },
		{ "fin-wait-2-hang.after=24h", PARAM_FIN_WAIT_2_HANG_AFTER, 86400 * SECOND },
		{ "stale-syn.after=1s", PARAM_STALE_SYN_AFTER, SECOND },
		{ "stale-syn.after=5 s", PARAM_STALE_SYN_AFTER, 5 * SECOND },
		{ "stale-syn.after=5S", PARAM_STALE_SYN_AFTER, 5 * SECOND },
		{ "half-open.max=1", PARAM_HALF_OPEN_MAX, 1 },
		{ "half-open.max=20k", PARAM_HALF_OPEN_MAX, 20000 },
		{ "half-open.max=2M", PARAM_HALF_OPEN_MAX, 2000000 },
		{ "half-open.max=1000000000", PARAM_HALF_OPEN_MAX, 1000000000 },
		{ "half-open.completion=40%", PARAM_HALF_OPEN_COMPLETION, 40 },
		{ "half-open.completion=1", PARAM_HALF_OPEN_COMPLETION, 1 },
		{ "half-open.completion=100 %", PARAM_HALF_OPEN_COMPLETION, 100 },
		{ "time-wait-pinning.restarts=6", PARAM_TIME_WAIT_PINNING_RESTARTS, 6 },
		{ "rst-injection.resets=3", PARAM_RST_INJECTION_RESETS, 3 },
		{ "out-of-state-flood.grace=30s", PARAM_OUT_OF_STATE_FLOOD_GRACE, 30 * SECOND },
	};
	struct detect_opts o, before;
	const char *error;

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		detect_opts_init(&o);
		before = o;
		if (detect_opts_set(&o, cases[i].text, &error))
			fail_msg("'%s' refused: %s", cases[i].text, error);
		assert_int_equal(o.value[cases[i].param], cases[i].value);
		o.value[cases[i].param] = before.value[cases[i].param];
		assert_memory_equal(&o, &before, sizeof(o)); /* and nothing else */
	}
}

static void test_refused(void **state)
{
	static const struct {
		const char *text, *error;
	} cases[] = {
		{ "stale-sin.after=5s", "unknown finding 'stale-sin', did you mean 'stale-syn'?" },
		{ "STALE-SYN.after=5s", "unknown finding 'STALE-SYN', did you mean 'stale-syn'?" },
		{ "half-opn.max=5", "unknown finding 'half-opn', did you mean 'half-open'?" },
		{ "weather.max=5",
		  "unknown finding 'weather'; tcpward-findings(7) lists them with their thresholds" },
		{ "stale-syn.aftr=5s", "'stale-syn' has no threshold 'aftr', did you mean 'after'?" },
		{ "stale-syn.maximum=5", "'stale-syn' has no threshold 'maximum'; it has: after, many" },
		{ "stale-syn.=5", "'stale-syn' has no threshold ''; it has: after, many" },
		{ "syn-injection.max=5", "'syn-injection' has no thresholds" },
		{ "stale-syn.after", "'stale-syn.after' is not a threshold; write FINDING.NAME=VALUE, as in "
				     "stale-syn.after=10s" },
		{ "stale-syn=5s", "'stale-syn=5s' is not a threshold; write FINDING.NAME=VALUE, as in stale-syn.after=10s" },
		{ "", "'' is not a threshold; write FINDING.NAME=VALUE, as in stale-syn.after=10s" },
		{ "stale-syn.after=5", "'stale-syn.after=5': a time needs a unit: 5s, 5m or 5h" },
		{ "stale-syn.after=", "'stale-syn.after=': '' is not a number; a time is written 500ms, 10s, 5m or 1h" },
		{ "stale-syn.after=soon",
		  "'stale-syn.after=soon': 'soon' is not a number; a time is written 500ms, 10s, 5m or 1h" },
		{ "stale-syn.after=-5s",
		  "'stale-syn.after=-5s': '-5s' is not a number; a time is written 500ms, 10s, 5m or 1h" },
		{ "stale-syn.after=5d", "'stale-syn.after=5d': unknown unit 'd'; a time is written 500ms, 10s, 5m or 1h" },
		{ "stale-syn.after=5%", "'stale-syn.after=5%': unknown unit '%'; a time is written 500ms, 10s, 5m or 1h" },
		{ "stale-syn.after=999ms", "'stale-syn.after=999ms': a time must be 1s to 24h" },
		{ "stale-syn.after=25h", "'stale-syn.after=25h': a time must be 1s to 24h" },
		{ "stale-syn.after=99999999999999999999h",
		  "'stale-syn.after=99999999999999999999h': a time must be 1s to 24h" },
		{ "stale-syn.after=61s", "'stale-syn.after=61s': at most 60s: an unfinished handshake is not kept for much longer, "
					 "so none would be found; write stale-syn.after=60s or less" },
		{ "half-open.after=5m", "'half-open.after=5m': at most 60s: an unfinished handshake is not kept for much longer, so "
					"none would be found; write half-open.after=60s or less" },
		{ "stale-syn.many=0", "'stale-syn.many=0': the count must be 1 to 1000000000" },
		{ "stale-syn.many=1001m", "'stale-syn.many=1001m': the count must be 1 to 1000000000" },
		{ "stale-syn.many=5s", "'stale-syn.many=5s': unknown unit 's'; a count is written 100, 5k or 1m" },
		{ "stale-syn.many=1.5k", "'stale-syn.many=1.5k': unknown unit '.5k'; a count is written 100, 5k or 1m" },
		{ "half-open.completion=0", "'half-open.completion=0': a share must be 1% to 100%" },
		{ "half-open.completion=101%", "'half-open.completion=101%': a share must be 1% to 100%" },
		{ "half-open.completion=5k",
		  "'half-open.completion=5k': unknown unit 'k'; a share is written 30% or 30" },
		{ "time-wait-pinning.restarts=7", "'time-wait-pinning.restarts=7': the count must be 1 to 6" },
		{ "rst-injection.resets=4", "'rst-injection.resets=4': the count must be 1 to 3" },
	};
	struct detect_opts o, before;
	const char *error;

	(void)state;
	detect_opts_init(&o);
	before = o;
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		error = NULL;
		if (detect_opts_set(&o, cases[i].text, &error) != -EINVAL)
			fail_msg("'%s' was accepted", cases[i].text);
		assert_string_equal(error, cases[i].error);
		assert_memory_equal(&o, &before, sizeof(o));
	}
}

static void test_too_long(void **state)
{
	struct detect_opts o;
	const char *error;
	char text[2000];

	(void)state;
	detect_opts_init(&o);
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = 0;
	assert_int_equal(detect_opts_set(&o, text, &error), -EINVAL);
	assert_true(strlen(error) < 120);
	memcpy(text + 100, ".y=5", 5);
	assert_int_equal(detect_opts_set(&o, text, &error), -EINVAL);
	assert_non_null(strstr(error, "unknown finding"));
}

/* A threshold that is set is the one that counts, and stands beside the number. */
static void test_used(void **state)
{
	struct rig *r = rig_new();
	const char *error;

	(void)state;
	assert_int_equal(detect_opts_set(&r->opts, "syn-data.max=7", &error), 0);
	rig_restart(r);
	source_at(r, "203.0.113.9", 32)->count[SOURCE_SYN_DATA] = 6;
	pass(r, 1);
	none(r, FINDING_SYN_DATA);
	source_at(r, "203.0.113.9", 32)->count[SOURCE_SYN_DATA] = 7;
	pass(r, 1);
	assert_evidence(found(r, FINDING_SYN_DATA), "syns_10s", 7, 7);
	assert_text(found(r, FINDING_SYN_DATA), "203.0.113.9 sent 7 SYNs with data that was not accepted in 10 s, limit 7; no "
						"handshake of it completed: the address may be forged");
	rig_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),	   cmocka_unit_test(test_words),
		cmocka_unit_test(test_words_name_thresholds), cmocka_unit_test(test_evidence_rows),
		cmocka_unit_test(test_text_is_bounded), cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_param_text), cmocka_unit_test(test_set),
		cmocka_unit_test(test_refused),	   cmocka_unit_test(test_too_long),
		cmocka_unit_test(test_used),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
