// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* findings: the object of the contract, the table, and the event. */
#include "report/findings.h"

#include <stdlib.h>
#include <string.h>

#include "report/internal.h"

#define NS_PER_S 1000000000ULL

const char *finding_news_name(enum detect_news news)
{
	static const char *const names[] = {
		[DETECT_RAISED] = "raised",
		[DETECT_UPDATED] = "widened",
		[DETECT_CLEARED] = "cleared",
	};

	return news <= DETECT_CLEARED ? names[news] : "?";
}

int finding_order(const void *a, const void *b)
{
	const struct finding *x = a, *y = b;

	if (!x->cleared_ns != !y->cleared_ns)
		return x->cleared_ns ? 1 : -1;
	if (x->severity != y->severity)
		return x->severity > y->severity ? -1 : 1;
	if (x->raised_ns != y->raised_ns)
		return x->raised_ns > y->raised_ns ? -1 : 1;
	return x->id > y->id ? -1 : x->id < y->id;
}

/* ---- JSON ---- */
static const char *flow_text(const struct flow_key *key, int orig, char buf[128])
{
	char from[60], to[60];

	snprintf(buf, 128, "%s > %s", endpoint_text(key_addr(key, orig), key_port(key, orig), from),
		 endpoint_text(key_addr(key, !orig), key_port(key, !orig), to));
	return buf;
}

const char *finding_sample_text(const struct finding *f, unsigned i, char buf[128])
{
	return flow_text(&f->sample[i], f->sample_orig[i] & 1, buf);
}

/* {"source":"203.0.113.9","to":"192.0.2.10:443"}: "to" where it is about one service of many. */
static struct json_object *subject_json(const struct finding *f)
{
	struct json_object *o = json_object_new_object();
	struct finding bare = *f;
	char text[140], to[60];

	if (f->subject == SUBJECT_FLOW) {
		json_add(o, "flow", json_text(flow_text(&f->key, f->orig & 1, text)));
		return o;
	}
	memset(bare.key.b_addr, 0, sizeof(bare.key.b_addr));
	bare.key.b_port = 0;
	json_add(o, subject_name(f->subject), json_text(finding_subject_text(&bare, text)));
	if (f->key.b_port)
		json_add(o, "to", json_text(endpoint_text(f->key.b_addr, f->key.b_port, to)));
	return o;
}

static struct json_object *evidence_json(const struct finding *f)
{
	struct json_object *o = json_object_new_object();
	const struct evidence_row *rows;
	unsigned count = finding_evidence(f->kind, &rows);

	for (unsigned i = 0; i < count && i < FINDING_EVIDENCE; i++) {
		char limit[64];

		json_add(o, rows[i].name, json_number(f->evidence[i]));
		if (rows[i].param == PARAM_NONE && !f->limit[i]) /* a limit that is derived from one has no row of its own */
			continue;
		snprintf(limit, sizeof(limit), "%s_limit", rows[i].name);
		json_object_object_add(o, limit, json_number(f->limit[i]));
	}
	return o;
}

static struct json_object *samples_json(const struct finding *f)
{
	struct json_object *list = json_object_new_array();
	char text[128];

	for (unsigned i = 0; i < f->samples && i < FINDING_SAMPLES; i++)
		json_object_array_add(list, json_text(finding_sample_text(f, i, text)));
	return list;
}

static struct json_object *text_json(const struct finding *f)
{
	char text[320];

	return json_text(finding_text(f, text));
}

struct json_object *finding_json(const struct finding *f)
{
	struct json_object *o = json_object_new_object();

	json_add(o, "v", json_number(VERSION_OF_OBJECTS));
	json_add(o, "id", json_number(f->id));
	json_add(o, "finding", json_text(finding_name(f->kind)));
	json_add(o, "severity", json_text(severity_name(f->severity)));
	json_add(o, "subject", subject_json(f));
	json_add(o, "raised_ns", json_number(f->raised_ns));
	json_add(o, "updated_ns", json_number(f->updated_ns));
	json_add(o, "cleared_ns", f->cleared_ns ? json_number(f->cleared_ns) : NULL);
	json_add(o, "evidence", evidence_json(f));
	json_add(o, "peak", json_number(f->peak));
	json_add(o, "at_least", json_object_new_boolean(f->at_least));
	json_add(o, "flows", samples_json(f));
	json_add(o, "text", text_json(f));
	return o;
}

/* ---- text ---- */
enum colour severity_colour(unsigned severity)
{
	static const enum colour colours[] = {
		[SEVERITY_INFO] = COLOUR_NONE,
		[SEVERITY_WARNING] = COLOUR_BUSY,
		[SEVERITY_CRITICAL] = COLOUR_BAD,
	};

	return severity < SEVERITY_COUNT ? colours[severity] : COLOUR_NONE;
}

/* "13:04:05"; of another day with its date */
static void since_text(uint64_t ns, uint64_t now_ns, char *buf, size_t size)
{
	char date[16], at[40];

	date_text(ns, now_ns, date);
	time_text(ns, at);
	snprintf(buf, size, "%s%.*s", date, *date ? 5 : 8, at);
}

static void state_of(const struct finding *f, uint64_t now_ns, char *buf, size_t size)
{
	char at[64];

	if (!f->cleared_ns) {
		snprintf(buf, size, "stands");
		return;
	}
	since_text(f->cleared_ns, now_ns, at, sizeof(at));
	snprintf(buf, size, "until %s", at);
}

static const struct table_column columns[] = {
	{ "ID", 4, true },
	{ "SEVERITY", 8, false },
	{ "FINDING", 17, false },
	{ "SUBJECT", 21, false },
	{ "SINCE", 8, false },
	{ "STATE", 16, false },
	{ "TEXT", 0, false },
};
#define COLUMNS ((int)(sizeof(columns) / sizeof(columns[0])))

/* Nothing is known of what comes: the longest name, a time with its date; and behind all of these what has no longest. */
static const struct table_column stream_columns[] = {
	{ "ID", 4, true },
	{ "SEVERITY", 8, false },
	{ "FINDING", 24, false },
	{ "SINCE", 16, false },
	{ "STATE", 16, false },
	{ "SUBJECT", 21, false },
	{ "TEXT", 0, false },
};
_Static_assert(sizeof(stream_columns) == sizeof(columns), "the same in another order");

static void finding_row(struct report *r, const struct finding *f, uint64_t now_ns, const char *state)
{
	enum colour colour = f->cleared_ns ? COLOUR_DIM : severity_colour(f->severity);
	char id[16], subject[140], text[320], since[64];

	if (!r->table)
		return;
	snprintf(id, sizeof(id), "%u", f->id);
	since_text(f->raised_ns, now_ns, since, sizeof(since));
	finding_subject_text(f, subject);
	table_cell(r->table, id, COLOUR_NONE);
	table_cell(r->table, severity_name(f->severity), colour);
	table_cell(r->table, finding_name(f->kind), colour);
	if (!r->stream)
		table_cell(r->table, subject, COLOUR_NONE);
	table_cell(r->table, since, COLOUR_NONE);
	table_cell(r->table, state, COLOUR_NONE);
	if (r->stream)
		table_cell(r->table, subject, COLOUR_NONE);
	table_cell(r->table, finding_text(f, text), COLOUR_NONE);
	if (r->stream)
		fflush(r->style.out);
}

/* ---- lists and streams ---- */
struct report *report_findings_begin(const struct report_style *style, bool stream)
{
	struct report *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->style = *style;
	r->stream = stream;
	if (style->json) {
		report_list_open(r);
		return r;
	}
	r->table = table_new(style, stream ? stream_columns : columns, COLUMNS, stream);
	if (r->table)
		table_wrap(r->table);
	return r;
}

void report_finding(struct report *r, const struct finding *f, uint64_t now_ns)
{
	char state[80];

	if (!r)
		return;
	if (r->style.json) {
		report_object(r, finding_json(f));
		return;
	}
	state_of(f, now_ns, state, sizeof(state));
	finding_row(r, f, now_ns, state);
	r->count++;
}

/* When the news is of. */
static uint64_t news_ns(const struct finding *f, enum detect_news news)
{
	if (news == DETECT_CLEARED)
		return f->cleared_ns;
	return news == DETECT_RAISED ? f->raised_ns : f->updated_ns;
}

void report_finding_news(struct report *r, const struct finding *f, enum detect_news news)
{
	char at[64], what[80];

	if (!r)
		return;
	if (r->style.json) {
		struct json_object *o = finding_json(f);

		json_add(o, "news", json_text(finding_news_name(news)));
		report_object(r, o);
		return;
	}
	since_text(news_ns(f, news), news_ns(f, news), at, sizeof(at));
	snprintf(what, sizeof(what), news == DETECT_RAISED ? "%s" : "%s %s", finding_news_name(news), at);
	finding_row(r, f, news_ns(f, news), what);
	r->count++;
}

/* ---- events ---- */
static struct json_object *event_of(const struct finding *f, enum detect_news news)
{
	struct json_object *o = json_object_new_object();

	json_add(o, "v", json_number(VERSION_OF_OBJECTS));
	json_add(o, "type", json_text("finding"));
	json_add(o, "ts_ns", json_number(news_ns(f, news)));
	json_add(o, "pkt", NULL);
	json_add(o, "finding", json_text(finding_name(f->kind)));
	json_add(o, "severity", json_text(severity_name(f->severity)));
	json_add(o, "raised", json_object_new_boolean(news != DETECT_CLEARED));
	json_add(o, "evidence", evidence_json(f));
	json_add(o, "subject", subject_json(f));
	json_add(o, "id", json_number(f->id));
	json_add(o, "news", json_text(finding_news_name(news)));
	json_add(o, "flows", samples_json(f));
	json_add(o, "text", text_json(f));
	return o;
}

/* "13:04:05.000012 finding raised: warning half-open, id 12: 203.0.113.9 holds ..." */
void report_finding_event(struct report *r, const struct finding *f, enum detect_news news)
{
	enum colour colour = news == DETECT_CLEARED ? COLOUR_DIM : severity_colour(f->severity);
	char text[320];

	if (!r)
		return;
	r->count++;
	if (r->style.json) {
		json_print_line(&r->style, event_of(f, news));
		return;
	}
	event_time(r, news_ns(f, news));
	fprintf(r->style.out, "%sfinding %s: %s %s, id %u: %s%s\n", colour_on(&r->style, colour), finding_news_name(news),
		severity_name(f->severity), finding_name(f->kind), f->id, finding_text(f, text),
		colour_off(&r->style, colour));
	fflush(r->style.out);
}
