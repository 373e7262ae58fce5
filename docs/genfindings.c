/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The sections of tcpward-findings(7): what `tcpward explain NAME` says of each kind, with its numbers and thresholds. */
#include <stdio.h>

#include "detect/detect.h"
#include "gendoc.h"

static const struct {
	enum finding_severity severity;
	const char *detector, *title;
} kinds[] = {
#define X(id, name, severity, detector, title) { SEVERITY_##severity, detector, title },
	WARD_FINDINGS(X)
#undef X
};

static void put_text(bool scdoc, const char *text)
{
	if (scdoc)
		put_scdoc(text);
	else
		put_markdown(text);
}

static void put_paragraph(bool scdoc, const char *heading, const char *text)
{
	printf(scdoc ? "*%s*++\n" : "**%s** ", heading);
	put_text(scdoc, text);
	puts("\n");
}

static void put_cell(bool scdoc, const char *mark, const char *text)
{
	printf("%s ", scdoc ? mark : "|");
	put_text(scdoc, text);
	printf(scdoc ? "\n" : " ");
}

static void put_head(bool scdoc, const char *first, const char *second, const char *third)
{
	if (scdoc)
		printf("|[ *%s*\n:[ *%s*\n:< *%s*\n", first, second, third);
	else
		printf("| %s | %s | %s |\n|---|---|---|\n", first, second, third);
}

static void put_row(bool scdoc, const char *first, const char *second, const char *third)
{
	put_cell(scdoc, "|[", first);
	put_cell(scdoc, ":[", second);
	put_cell(scdoc, ":<", third);
	if (!scdoc)
		puts("|");
}

static void put_evidence(bool scdoc, unsigned kind)
{
	static const char *const units[] = { [UNIT_COUNT] = "count", [UNIT_TIME] = "ns", [UNIT_PERCENT] = "percent" };
	const struct evidence_row *rows;
	unsigned count = finding_evidence(kind, &rows);

	put_head(scdoc, "Evidence", "Unit", "Beside it");
	for (unsigned i = 0; i < count; i++) {
		const struct param_row *p = rows[i].param == PARAM_NONE ? NULL : &detect_params()[rows[i].param];
		char limit[96] = "-";

		if (p)
			snprintf(limit, sizeof(limit), "%s_limit: %s.%s", rows[i].name, finding_name(p->finding), p->name);
		put_row(scdoc, rows[i].name, units[rows[i].unit], limit);
	}
	putchar('\n');
}

static void put_params(bool scdoc, unsigned kind)
{
	const struct param_row *p = detect_params();
	bool begun = false;

	for (unsigned i = 0; i < PARAM_COUNT; i++) {
		char name[64], value[32];

		if (p[i].finding != kind)
			continue;
		if (!begun)
			put_head(scdoc, "Threshold", "Default", "Meaning");
		begun = true;
		snprintf(name, sizeof(name), "%s.%s", finding_name(kind), p[i].name);
		put_row(scdoc, name, param_text(p[i].unit, p[i].value, value), p[i].text);
	}
	if (begun)
		putchar('\n');
}

void put_each_finding(bool scdoc)
{
	for (unsigned kind = 0; kind < FINDING_COUNT; kind++) {
		printf(scdoc ? "## %s\n\n" : "### %s\n\n", finding_name(kind));
		put_text(scdoc, kinds[kind].title);
		printf(". Usually %s; detector %s.\n\n", severity_name(kinds[kind].severity), kinds[kind].detector);
		put_paragraph(scdoc, "Why it matters", finding_meaning(kind));
		put_paragraph(scdoc, "What to do", finding_advice(kind));
		put_paragraph(scdoc, "What looks alike", finding_lookalikes(kind));
		put_paragraph(scdoc, "Where it is written", finding_reference(kind));
		put_evidence(scdoc, kind);
		put_params(scdoc, kind);
	}
}
