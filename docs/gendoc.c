/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * gendoc FORMAT FILE: copies FILE to the standard output and puts the tables of the headers in the place of
 * lines like "@flags@". FORMAT is scdoc or markdown. So that a page cannot say anything else than the code.
 */
#include "gendoc.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "cmd/metrics.h"
#include "enforce.h"
#include "tcp_opts.h"
#include "tcp_seq.h"
/* after tcp_seq.h */
#include "tcp_fsm.h"
#include "verify/verify.h"

struct row {
	const char *name, *detail, *meaning; /* detail NULL: a table of two columns */
};

#define X(id, name, text) { name, NULL, text },
static const struct row end_reasons[] = { WARD_END_REASONS(X) };
static const struct row reasons[] = { WARD_REASONS(X) };
static const struct row counters[] = { WARD_COUNTERS(X) };
static const struct row events[] = { WARD_EVENT_TYPES(X) };
static const struct row verify_classes[] = { VERIFY_CLASSES(X) };
static struct row blindness[] = { WARD_BLINDNESS(X) };
static const struct row service_counters[] = { WARD_SERVICE_COUNTERS(X) };
static const struct row service_gauges[] = { WARD_SERVICE_GAUGES(X) };
static const struct row source_counters[] = { WARD_SOURCE_COUNTERS(X) };
static const struct row source_gauges[] = { WARD_SOURCE_GAUGES(X) };
static const struct row edge_kinds[] = { WARD_EDGE_KINDS(X) };
static const struct row invalid[] = { WARD_INVALID(X) };
static const struct row thens[] = { WARD_THENS(X) };
static const struct row drops[] = { WARD_DROPS(X) };
#undef X
#define LOWER_INFO "info"
#define LOWER_WARNING "warning"
#define LOWER_CRITICAL "critical"
#define X(id, name, severity, detector, title) { name, LOWER_##severity, title },
static const struct row findings[] = { WARD_FINDINGS(X) };
#undef X
#define COUNTER "counter"
#define GAUGE "gauge"
#define X(id, name, type, labels, help) { "tcpward_" name, sizeof(labels) > 1 ? type " by " labels : type, help },
static const struct row metrics[] = { WARD_METRICS(X) };
#undef X
#define X(id, name, text) { #id, name, text },
static const struct row states[] = { WARD_STATES(X) };
#undef X
#define X(id, text) { #id, NULL, text },
static const struct row flags[] = { WARD_FLAGS(X) };
static const struct row fsm_events[] = { TCP_EVENTS(X) };
#undef X
#define X(id, name, seconds, text) { name, #seconds " s", text },
static const struct row timeouts[] = { WARD_TIMEOUTS(X) };
#undef X

struct table {
	const char *name;
	const char *head[3];
	const struct row *rows;
	size_t count;
};

#define ROWS(rows) rows, sizeof(rows) / sizeof(rows[0])
static const struct table tables[] = {
	{ "states", { "In bpftool", "Name", "The endpoint" }, ROWS(states) },
	{ "flags", { "Flag", NULL, "Meaning" }, ROWS(flags) },
	{ "end-reasons", { "Reason", NULL, "Meaning" }, ROWS(end_reasons) },
	{ "reasons", { "Reason", NULL, "Meaning" }, ROWS(reasons) },
	{ "counters", { "Counter", NULL, "Meaning" }, ROWS(counters) },
	{ "event-types", { "Type", NULL, "When" }, ROWS(events) },
	{ "timeouts", { "Time-out", "Default", "Meaning" }, ROWS(timeouts) },
	{ "fsm-events", { "Event", NULL, "What happened at the endpoint" }, ROWS(fsm_events) },
	{ "verify-classes", { "Class", NULL, "Meaning" }, ROWS(verify_classes) },
	{ "findings", { "Finding", "Usually", "What it is" }, ROWS(findings) },
	{ "blindness", { "Reason", NULL, "Meaning" }, ROWS(blindness) },
	{ "service-counters", { "Counter", NULL, "Meaning" }, ROWS(service_counters) },
	{ "service-gauges", { "Gauge", NULL, "Meaning" }, ROWS(service_gauges) },
	{ "source-counters", { "Counter", NULL, "Meaning" }, ROWS(source_counters) },
	{ "source-gauges", { "Gauge", NULL, "Meaning" }, ROWS(source_gauges) },
	{ "edge-kinds", { "Kind", NULL, "Meaning" }, ROWS(edge_kinds) },
	{ "policy-invalid", { "Reason", NULL, "The segment" }, ROWS(invalid) },
	{ "policy-thens", { "then", NULL, "What it does" }, ROWS(thens) },
	{ "policy-drops", { "Reason", NULL, "Meaning" }, ROWS(drops) },
	{ "metrics", { "Metric", "Type, labels", "Meaning" }, ROWS(metrics) },
};

/* In scdoc _ and * are marks, and leading dots of a cell continue the row above. */
void put_scdoc(const char *text)
{
	for (; *text; text++) {
		if (strchr("_*\\", *text))
			putchar('\\');
		putchar(*text);
	}
}

void put_markdown(const char *text)
{
	for (; *text; text++) {
		if (*text == '|')
			putchar('\\');
		putchar(*text);
	}
}

/* Names as long as those of metrics leave no room for other columns. */
#define NAME_OF_TABLE 30

static bool has_long_names(const struct table *t)
{
	for (const struct row *row = t->rows; row < t->rows + t->count; row++)
		if (strlen(row->name) > NAME_OF_TABLE)
			return true;
	return false;
}

static void list_scdoc(const struct table *t)
{
	for (const struct row *row = t->rows; row < t->rows + t->count; row++) {
		putchar('*');
		put_scdoc(row->name);
		putchar('*');
		if (row->detail) {
			printf(", ");
			put_scdoc(row->detail);
		}
		printf("\n\t");
		put_scdoc(row->meaning);
		puts("\n");
	}
}

static void table_scdoc(const struct table *t)
{
	printf("|[ *%s*\n", t->head[0]);
	if (t->head[1])
		printf(":[ *%s*\n", t->head[1]);
	printf(":< *%s*\n", t->head[2]);
	for (const struct row *row = t->rows; row < t->rows + t->count; row++) {
		printf("|[ ");
		put_scdoc(row->name);
		if (row->detail) {
			printf("\n:[ ");
			put_scdoc(row->detail);
		}
		printf("\n:< ");
		put_scdoc(row->meaning);
		putchar('\n');
	}
}

static void table_markdown(const struct table *t)
{
	printf("| %s |", t->head[0]);
	if (t->head[1])
		printf(" %s |", t->head[1]);
	printf(" %s |\n|---|---|%s\n", t->head[2], t->head[1] ? "---|" : "");
	for (const struct row *row = t->rows; row < t->rows + t->count; row++) {
		printf("| `%s` | ", row->name);
		if (row->detail)
			printf("%s | ", row->detail);
		put_markdown(row->meaning);
		puts(" |");
	}
}

/* ---- Figure 5: states against events, in two halves so that a page can hold them ---- */
static const struct fsm_part {
	const char *name;
	enum tcp_event first, end;
} fsm_parts[] = {
	{ "figure-5", TCP_SND_SYN, TCP_AGAIN_SYN },
	{ "figure-5-more", TCP_AGAIN_SYN, TCP_EVENT_COUNT },
};

/* The row of tcp_fsm[] has an edge in these columns. */
static bool fsm_has_edges(unsigned state, const struct fsm_part *part)
{
	for (unsigned event = part->first; event < part->end; event++)
		if (tcp_fsm[state][event])
			return true;
	return false;
}

static void fsm_markdown(const struct fsm_part *part)
{
	printf("| State |");
	for (unsigned event = part->first; event < part->end; event++)
		printf(" `%s` |", fsm_events[event].name);
	printf("\n|---|");
	for (unsigned event = part->first; event < part->end; event++)
		printf("---|");
	putchar('\n');
	for (unsigned state = 0; state < STATE_COUNT; state++) {
		if (!fsm_has_edges(state, part))
			continue;
		printf("| %s |", state == NO_STATE ? "(no record)" : states[state].detail);
		for (unsigned event = part->first; event < part->end; event++)
			printf(" %s |", tcp_fsm[state][event] ? states[tcp_fsm[state][event]].detail : "");
		putchar('\n');
	}
}

/* The name between the marks of a line that is only "@name@"; 0: another line. */
static size_t mark_length(const char *line)
{
	size_t len = strcspn(line, "\n");

	return len < 3 || line[0] != '@' || line[len - 1] != '@' ? 0 : len - 2;
}

static bool is_mark(const char *line, const char *name)
{
	return strlen(name) == mark_length(line) && !strncmp(name, line + 1, strlen(name));
}

static const struct fsm_part *fsm_part_of(const char *line)
{
	for (size_t i = 0; i < sizeof(fsm_parts) / sizeof(fsm_parts[0]); i++)
		if (is_mark(line, fsm_parts[i].name))
			return &fsm_parts[i];
	return NULL;
}

static const struct table *table_of(const char *line)
{
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		if (is_mark(line, tables[i].name))
			return &tables[i];
	return NULL;
}

/* "... Not raised meanwhile: half-open, syn-flood" */
static const char *blind_meaning(unsigned bit, char buf[400])
{
	unsigned long long kinds = detector_suppresses(1U << bit);
	int used = snprintf(buf, 400, "%s. Not raised meanwhile: ", blindness[bit].meaning);
	bool begun = false;

	for (unsigned kind = 0; kind < FINDING_COUNT && used < 400; kind++) {
		if (!(kinds >> kind & 1))
			continue;
		used += snprintf(buf + used, 400 - (size_t)used, "%s%s", begun ? ", " : "", finding_name(kind));
		begun = true;
	}
	return buf;
}

int main(int argc, char **argv)
{
	static char meanings[BLIND_COUNT][400];
	bool scdoc = argc == 3 && !strcmp(argv[1], "scdoc");
	char line[4096];
	FILE *in;

	if (!scdoc && !(argc == 3 && !strcmp(argv[1], "markdown"))) {
		fputs("usage: gendoc scdoc|markdown FILE\n", stderr);
		return 2;
	}
	for (unsigned bit = 0; bit < BLIND_COUNT; bit++)
		blindness[bit].meaning = blind_meaning(bit, meanings[bit]);
	in = fopen(argv[2], "r");
	if (!in) {
		perror(argv[2]);
		return 1;
	}
	while (fgets(line, sizeof(line), in)) {
		const struct table *table = table_of(line);
		const struct fsm_part *part = fsm_part_of(line);

		if (is_mark(line, "each-finding")) {
			put_each_finding(scdoc);
			continue;
		}
		if (is_mark(line, "policy-schema")) {
			put_policy_schema(scdoc);
			continue;
		}
		if (is_mark(line, "cache-lines") && !scdoc) {
			put_cache_lines();
			continue;
		}
		if (mark_length(line) && !table && (!part || scdoc)) {
			fprintf(stderr, "gendoc: %s: no such table: %s", argv[2], line);
			return 1;
		}
		if (part)
			fsm_markdown(part);
		else if (!table)
			fputs(line, stdout);
		else if (scdoc)
			(has_long_names(table) ? list_scdoc : table_scdoc)(table);
		else
			table_markdown(table);
	}
	fclose(in);
	return ferror(stdout) || fflush(stdout);
}
