/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* explain: one finding, or one kind of finding: why, on what evidence, what to do, where it is written, what looks alike. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/news.h"
#include "cmd/sheet.h"
#include "cmd/util.h"
#include "report/findings.h"

static const struct kind_row {
	const char *title, *detector;
	enum finding_severity severity;
} kinds[] = {
#define X(id, name, severity, detector, title) { title, detector, SEVERITY_##severity },
	WARD_FINDINGS(X)
#undef X
};

/* ---- of one finding ---- */
static void show_subject(struct sheet *s, const struct finding *f)
{
	char text[140], to[60];
	struct finding bare = *f;

	if (f->subject != SUBJECT_FLOW) {
		memset(bare.key.b_addr, 0, sizeof(bare.key.b_addr));
		bare.key.b_port = 0;
	}
	sheet_object(s, "subject", NULL);
	sheet_text(s, subject_name(f->subject), "subject", finding_subject_text(&bare, text), subject_name(f->subject));
	if (f->subject != SUBJECT_FLOW && f->key.b_port)
		sheet_text(s, "to", "to", endpoint_text(f->key.b_addr, f->key.b_port, to), NULL);
	sheet_close(s);
}

/* Durations as people read them; param_text() is for what can be typed. */
static const char *evidence_text(enum param_unit unit, uint64_t value, char buf[32])
{
	if (unit != UNIT_TIME)
		return param_text(unit, value, buf);
	return duration_text(value, buf);
}

static void show_evidence(struct sheet *s, const struct finding *f)
{
	const struct evidence_row *rows;
	unsigned count = finding_evidence(f->kind, &rows);

	sheet_object(s, "evidence", "evidence");
	for (unsigned i = 0; i < count && i < FINDING_EVIDENCE; i++) {
		char limit[64], value[32], allowed[32], note[96] = "";
		bool has_limit = rows[i].param != PARAM_NONE;

		if (has_limit)
			snprintf(note, sizeof(note), "limit %s (%s.%s)", param_text(rows[i].unit, f->limit[i], allowed),
				 finding_name(detect_params()[rows[i].param].finding), detect_params()[rows[i].param].name);
		sheet_quantity(s, rows[i].name, f->evidence[i], evidence_text(rows[i].unit, f->evidence[i], value), note);
		snprintf(limit, sizeof(limit), "%s_limit", rows[i].name);
		if (has_limit)
			sheet_number(s, limit, "", f->limit[i], NULL);
	}
	sheet_close(s);
}

static void show_times(struct sheet *s, const struct finding *f, uint64_t now_ns)
{
	const struct {
		const char *name, *label;
		uint64_t ns;
	} times[] = {
		{ "raised_ns", "raised", f->raised_ns },
		{ "updated_ns", "changed last", f->updated_ns },
		{ "cleared_ns", "cleared", f->cleared_ns },
	};

	for (size_t i = 0; i < sizeof(times) / sizeof(*times); i++) {
		char date[16], at[40], when[56], ago[24], note[40] = "it stands";

		if (times[i].ns)
			snprintf(note, sizeof(note), "%s ago",
				 duration_text(now_ns > times[i].ns ? now_ns - times[i].ns : 0, ago));
		snprintf(when, sizeof(when), "%s%s", date_text(times[i].ns, now_ns, date), time_text(times[i].ns, at));
		sheet_time(s, times[i].name, times[i].label, times[i].ns, when, note);
	}
}

static void show_samples(struct sheet *s, const struct finding *f)
{
	char text[128];

	sheet_list(s, "flows");
	for (unsigned i = 0; i < f->samples && i < FINDING_SAMPLES; i++)
		sheet_text(s, NULL, i ? " " : "flows, for example", finding_sample_text(f, i, text), NULL);
	sheet_close(s);
}

static void show_finding(struct sheet *s, const struct finding *f, uint64_t now_ns)
{
	char text[320];

	sheet_number(s, "id", NULL, f->id, NULL);
	sheet_text(s, "finding", NULL, finding_name(f->kind), kinds[f->kind].title);
	sheet_text(s, "severity", NULL, severity_name(f->severity), NULL);
	sheet_paragraph(s, "text", "found", finding_text(f, text));
	show_subject(s, f);
	show_times(s, f, now_ns);
	show_evidence(s, f);
	sheet_number(s, "peak", "at its worst", f->peak, NULL);
	sheet_bool(s, "at_least", f->at_least ? "at least" : "", f->at_least, "not all of its flows were listed");
	show_samples(s, f);
}

/* ---- of its kind ---- */
static void show_params(struct sheet *s, unsigned kind, const struct detect_opts *opts)
{
	const struct param_row *params = detect_params();

	sheet_object(s, "parameters", "parameters, for --detect");
	for (unsigned i = 0; i < PARAM_COUNT; i++) {
		char name[64], value[32], usual[32], note[160];
		bool changed = opts->value[i] != params[i].value;

		if (params[i].finding != kind)
			continue;
		snprintf(name, sizeof(name), "%s.%s", finding_name(kind), params[i].name);
		snprintf(note, sizeof(note), changed ? "%s (default: %s)" : "%s", params[i].text,
			 param_text(params[i].unit, params[i].value, usual));
		sheet_quantity(s, name, opts->value[i], param_text(params[i].unit, opts->value[i], value), note);
	}
	sheet_close(s);
}

static void show_kind(struct sheet *s, unsigned kind, const struct detect_opts *opts)
{
	sheet_text(s, "detector", "", kinds[kind].detector, NULL);
	sheet_text(s, "title", "", kinds[kind].title, NULL);
	sheet_paragraph(s, "meaning", "why it matters", finding_meaning(kind));
	sheet_paragraph(s, "advice", "what to do", finding_advice(kind));
	sheet_paragraph(s, "lookalikes", "what looks alike", finding_lookalikes(kind));
	sheet_paragraph(s, "reference", "where it is written", finding_reference(kind));
	show_params(s, kind, opts);
}

static int explain_kind(const struct report_style *style, unsigned kind)
{
	struct sheet *s = sheet_begin(style, false);
	struct detect_opts opts;

	if (!s)
		return cmd_error(EXIT_FAILED, NULL, "explain: out of memory");
	detect_opts_init(&opts);
	sheet_number(s, "v", "", 1, NULL);
	sheet_text(s, "finding", NULL, finding_name(kind), kinds[kind].title);
	sheet_text(s, "severity", "severity, usually", severity_name(kinds[kind].severity), NULL);
	show_kind(s, kind, &opts);
	sheet_end(s);
	return EXIT_OK;
}

static int explain_one(const struct report_style *style, struct ward *w, const struct finding *f)
{
	struct sheet *s = sheet_begin(style, false);

	if (!s)
		return cmd_error(EXIT_FAILED, NULL, "explain: out of memory");
	sheet_number(s, "v", "", 1, NULL);
	show_finding(s, f, ward_now_ns(w));
	show_kind(s, f->kind, ward_detect_opts(w));
	sheet_end(s);
	return EXIT_OK;
}

static int explain_id(const struct cmd_line *line, const struct report_style *style, uint32_t id)
{
	struct finding *found = calloc(FINDING_ROOM, sizeof(*found));
	const struct cmd_line any = { 0 };
	struct ward *w = NULL;
	int code = found ? cmd_open(line, &w) : cmd_error(EXIT_FAILED, NULL, "explain: out of memory"), count = 0, i = 0;

	if (!code && (count = findings_copy(w, &any, NULL, true, found)) < 0)
		code = cmd_fail(count);
	while (i < count && found[i].id != id)
		i++;
	if (!code && i == count)
		code = cmd_error(EXIT_FAILED, "tcpward findings --all lists those that are known",
				 "no finding '%u' in instance '%s'", id, ward_name(w));
	else if (!code)
		code = explain_one(style, w, &found[i]);
	free(found);
	if (w)
		ward_close(w);
	return code;
}

static int unknown(const char *word)
{
	const char *meant = filter_finding_meant(word);

	if (meant)
		return cmd_error(EXIT_USAGE, NULL, "explain: unknown finding '%s', did you mean '%s'?", word, meant);
	return cmd_error(EXIT_USAGE, "tcpward findings lists those that stand; man tcpward-findings lists all kinds",
			 "explain: '%s' is neither the number nor the name of a finding", word);
}

int cmd_explain(int argc, char **argv)
{
	struct report_style style;
	struct cmd_line line;
	uint64_t id;

	cmd_parse(&line, OPT_OUTPUT | OPT_NAME, NULL, NULL, NULL, "ID|NAME",
		  "Explain a finding by its number, as 'tcpward findings' shows it; or a kind of finding by its name, which "
		  "needs no instance.",
		  argc, argv);
	if (line.argc != 1)
		return cmd_error(EXIT_USAGE, "tcpward explain ID, or tcpward explain half-open",
				 "explain: name one finding");
	cmd_style(&line, &style);
	if (!parse_number(line.argv[0], 1, UINT32_MAX, &id))
		return explain_id(&line, &style, (uint32_t)id);
	if (finding_parse(line.argv[0]) >= 0)
		return explain_kind(&style, (unsigned)finding_parse(line.argv[0]));
	return unknown(line.argv[0]);
}
