// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "report/policy.h"

#include <stdlib.h>
#include <string.h>

#include "detect/detect.h"
#include "report/internal.h"

static const char *const then_names[] = {
#define X(id, name, text) name,
	WARD_THENS(X)
#undef X
};
static const char *const limit_names[] = {
#define X(id, name, text) name,
	WARD_LIMITS(X)
#undef X
};

const char *policy_mode_name(unsigned mode)
{
	static const char *const names[] = {
		[MODE_MONITOR] = "monitor",
		[MODE_DRY_RUN] = "dry-run",
		[MODE_ENFORCE] = "enforce",
	};

	return mode <= MODE_ENFORCE ? names[mode] : "?";
}

const char *policy_flow_text(const struct flow_key *key, int local, char buf[128])
{
	char from[60], to[60];

	snprintf(buf, 128, "%s > %s", endpoint_text(key_addr(key, !local), key_port(key, !local), from),
		 endpoint_text(key_addr(key, local), key_port(key, local), to));
	return buf;
}

bool policy_has_half_open(const struct policy_config *c)
{
	for (unsigned i = 0; i < c->service_count && i < POLICY_SERVICES; i++)
		if (c->service[i].limit[LIMIT_HALF_OPEN].on || c->service[i].limit[LIMIT_HALF_OPEN_SOURCE].on)
			return true;
	return false;
}

/* ---- one walk: the rules, the limits, the reactions, the block list ---- */
struct row {
	char name[2 * POLICY_NAME_LEN + 4];
	const char *kind; /* "rule", "limit", "finding", "list" */
	const char *mode; /* in which it acts: the weaker of its own and the policy's */
	const char *does;
	const struct policy_count *count;
};

struct walk {
	struct report *report;  /* text */
	struct json_object *list;
};

static const char *weaker(unsigned own, unsigned whole)
{
	return policy_mode_name(own < whole ? own : whole);
}

static void row_text(struct report *r, const struct row *row)
{
	const uint64_t counts[] = { row->count->hits, row->count->dropped, row->count->would };

	if (!r || !r->table)
		return;
	table_cell(r->table, row->name, COLOUR_NONE);
	table_cell(r->table, row->kind, COLOUR_NONE);
	table_cell(r->table, row->mode, COLOUR_NONE);
	table_cell(r->table, row->does, COLOUR_NONE);
	for (int i = 0; i < 3; i++) {
		char text[24];

		snprintf(text, sizeof(text), "%llu", (unsigned long long)counts[i]);
		table_cell(r->table, text, i == 1 && counts[i] ? COLOUR_BAD : COLOUR_NONE);
	}
}

static struct json_object *row_json(const struct row *row)
{
	struct json_object *o = json_object_new_object();

	json_add(o, "name", json_text(row->name));
	json_add(o, "kind", json_text(row->kind));
	json_add(o, "mode", json_text(row->mode));
	json_add(o, "does", json_text(row->does));
	json_add(o, "hits", json_number(row->count->hits));
	json_add(o, "dropped", json_number(row->count->dropped));
	json_add(o, "would_drop", json_number(row->count->would));
	return o;
}

static void show(const struct walk *walk, const struct row *row)
{
	if (walk->list)
		json_object_array_add(walk->list, row_json(row));
	else
		row_text(walk->report, row);
}

static void walk_rules(const struct walk *walk, const struct policy_view *v)
{
	for (unsigned i = 0; i < v->config->rule_count && i < POLICY_RULES; i++) {
		const struct policy_rule *rule = &v->config->rule[i];
		struct row row = {
			.kind = "rule",
			.mode = weaker(rule->mode, v->config->mode),
			.does = rule->action == ACTION_DROP ? "drop" : "pass",
			.count = &v->count[SUBJECT_RULE(i)],
		};

		snprintf(row.name, sizeof(row.name), "%.*s", POLICY_NAME_LEN, rule->name);
		show(walk, &row);
	}
}

static void walk_limits(const struct walk *walk, const struct policy_view *v)
{
	for (unsigned i = 0; i < v->config->service_count && i < POLICY_SERVICES; i++)
		for (unsigned kind = 0; kind < LIMIT_COUNT; kind++) {
			const struct policy_limit *limit = &v->config->service[i].limit[kind];
			struct row row = {
				.kind = "limit",
				.mode = weaker(limit->mode, v->config->mode),
				.does = limit->then < THEN_COUNT ? then_names[limit->then] : "?",
				.count = &v->count[SUBJECT_LIMIT(i, kind)],
			};

			if (!limit->on)
				continue;
			snprintf(row.name, sizeof(row.name), "%.*s/%s", POLICY_NAME_LEN, v->config->service[i].name,
				 limit_names[kind]);
			show(walk, &row);
		}
}

static void show_reaction(const struct walk *walk, const struct policy_view *v, unsigned finding, const char *does,
			  const struct policy_react *react)
{
	struct policy_count count = { .hits = react->done + react->would, .dropped = react->done, .would = react->would };
	struct row row = { .kind = "finding", .mode = weaker(react->mode, v->config->mode), .does = does, .count = &count };

	if (!react->on)
		return;
	snprintf(row.name, sizeof(row.name), "%s", finding_name(finding));
	show(walk, &row);
}

static void walk_reactions(const struct walk *walk, const struct policy_view *v)
{
	for (unsigned i = 0; i < FINDING_COUNT; i++) {
		show_reaction(walk, v, i, "block", &v->config->block[i]);
		show_reaction(walk, v, i, "close", &v->config->close[i]);
	}
}

static void walk_all(const struct walk *walk, const struct policy_view *v)
{
	struct row list = { .name = "block list", .kind = "list", .does = "drop" };

	list.mode = v->config ? policy_mode_name(v->config->mode) : policy_mode_name(MODE_ENFORCE);
	list.count = &v->count[SUBJECT_BLOCK_LIST];
	if (v->config) {
		walk_limits(walk, v);
		walk_reactions(walk, v);
		walk_rules(walk, v);
	}
	show(walk, &list);
}

/* ---- text ---- */
static const struct table_column columns[] = {
	{ "NAME", 20, false }, { "KIND", 5, false },   { "MODE", 7, false }, { "DOES", 9, false },
	{ "HITS", 8, true },   { "DROPPED", 8, true }, { "WOULD-DROP", 10, true },
};
#define COLUMNS ((int)(sizeof(columns) / sizeof(columns[0])))

static uint64_t left(uint64_t until_ns, uint64_t now_ns)
{
	return until_ns > now_ns ? until_ns - now_ns : 0;
}

/* An exempt connection is kept without saying which end is ours: its lower port is taken for that. */
static const char *exempt_text(const struct flow_key *key, char buf[128])
{
	return policy_flow_text(key, key->b_port < key->a_port, buf);
}

static void head_text(const struct policy_view *v, FILE *out)
{
	const struct policy_config *c = v->config;
	char span[24], flow[128];

	if (!c) {
		fprintf(out, "no policy in instance '%s'%s\n", v->instance, v->has_before ? "; 'tcpward policy rollback' brings the last one back" : "");
		return;
	}
	fprintf(out, "policy '%s': %s, in force for %s\n", c->file, policy_mode_name(c->mode),
		duration_text(v->now_ns - c->applied_ns, span));
	if (v->rollback_ns)
		fprintf(out, "takes itself back in %llu s, unless: tcpward policy confirm\n",
			(unsigned long long)(left(v->rollback_ns, v->now_ns) + 999999999) / 1000000000);
	if (c->learn_until_ns > v->now_ns)
		fprintf(out, "learning for another %s: drops nothing yet\n", duration_text(left(c->learn_until_ns, v->now_ns), span));
	if (v->unanswered && policy_has_half_open(c))
		fprintf(out, "half-open limits are not enforced: " POLICY_UNANSWERED "\n");
	for (unsigned i = 0; i < c->exempt_count && i < POLICY_EXEMPT; i++)
		fprintf(out, "exempt until confirmed: %s\n", exempt_text(&c->exempt[i], flow));
}

static void show_text(const struct report_style *style, const struct policy_view *v)
{
	struct report *r = calloc(1, sizeof(*r));
	const struct walk walk = { .report = r };

	if (!r)
		return;
	head_text(v, style->out);
	fprintf(style->out, "lists beside it: %d allowed, %d blocked\n", v->allowed, v->blocked);
	r->style = *style;
	r->table = table_new(style, columns, COLUMNS, false);
	walk_all(&walk, v);
	report_end(r);
}

/* ---- JSON ---- */
static struct json_object *exempt_json(const struct policy_config *c)
{
	struct json_object *list = json_object_new_array();
	char flow[128];

	for (unsigned i = 0; i < c->exempt_count && i < POLICY_EXEMPT; i++)
		json_object_array_add(list, json_text(exempt_text(&c->exempt[i], flow)));
	return list;
}

static void show_json(const struct report_style *style, const struct policy_view *v)
{
	static const char *const checks[] = { [CHECK_OFF] = "off", [CHECK_LOOSE] = "loose", [CHECK_STRICT] = "strict" };
	struct walk walk = { .list = json_object_new_array() };
	struct json_object *o = json_object_new_object();
	const struct policy_config *c = v->config;

	json_add(o, "v", json_number(VERSION_OF_OBJECTS));
	json_add(o, "instance", json_text(v->instance));
	json_add(o, "loaded", json_object_new_boolean(c != NULL));
	json_add(o, "file", json_text(c ? c->file : NULL));
	json_add(o, "mode", json_text(c ? policy_mode_name(c->mode) : NULL));
	json_add(o, "state_check", json_text(c && c->check <= CHECK_STRICT ? checks[c->check] : NULL));
	json_add(o, "applied_ns", c ? json_number(c->applied_ns) : NULL);
	json_add(o, "learn_left_ns", c ? json_number(left(c->learn_until_ns, v->now_ns)) : NULL);
	json_add(o, "rollback_ns", v->rollback_ns ? json_number(v->rollback_ns) : NULL);
	json_add(o, "rollback_left_ns", v->rollback_ns ? json_number(left(v->rollback_ns, v->now_ns)) : NULL);
	json_add(o, "can_rollback", json_object_new_boolean(v->has_before));
	json_add(o, "half_open_enforced", c && policy_has_half_open(c) ? json_object_new_boolean(!v->unanswered) : NULL);
	json_add(o, "exempt", c ? exempt_json(c) : json_object_new_array());
	json_add(o, "allowed", json_number((uint64_t)v->allowed));
	json_add(o, "blocked", json_number((uint64_t)v->blocked));
	walk_all(&walk, v);
	json_add(o, "subjects", walk.list);
	json_add(o, "text", json_text(v->text));
	json_print(style, o);
	fputc('\n', style->out);
}

/* ---- over captures ---- */
static uint64_t would(const struct policy_view *v)
{
	uint64_t sum = 0;

	for (int i = 0; i < POLICY_SUBJECTS; i++)
		sum += v->count[i].would;
	return sum;
}

static void sample_names(const struct event *ev, struct drop_names *out, void *ctx)
{
	const struct policy_sample **at = ctx;

	(void)ev;
	*out = (*at)->names;
}

static void samples_text(const struct report_style *style, const struct policy_trial *trial)
{
	struct report *r = report_events_begin(style);
	const struct policy_sample *at;

	report_drops(r, sample_names, &at);
	for (unsigned i = 0; i < trial->sample_count; i++) {
		at = &trial->sample[i];
		report_event(r, &at->event, NULL);
	}
	report_end(r);
}

static void trial_text(const struct report_style *style, const struct policy_view *v, const struct policy_trial *trial)
{
	struct report *r = calloc(1, sizeof(*r));
	const struct walk walk = { .report = r };

	if (!r)
		return;
	fprintf(style->out, "policy '%s' would have dropped %llu of %llu packets\n", v->config->file, (unsigned long long)would(v),
		(unsigned long long)trial->judged);
	r->style = *style;
	r->table = table_new(style, columns, COLUMNS, false);
	walk_limits(&walk, v);
	walk_rules(&walk, v);
	report_end(r);
	if (trial->sample_count)
		fputs("the first of each:\n", style->out);
	samples_text(style, trial);
}

static void trial_json(const struct report_style *style, const struct policy_view *v, const struct policy_trial *trial)
{
	struct walk walk = { .list = json_object_new_array() };
	struct json_object *o = json_object_new_object(), *samples = json_object_new_array();

	walk_limits(&walk, v);
	walk_rules(&walk, v);
	for (unsigned i = 0; i < trial->sample_count; i++)
		json_object_array_add(samples, event_json(&trial->sample[i].event, NULL, &trial->sample[i].names));
	json_add(o, "v", json_number(VERSION_OF_OBJECTS));
	json_add(o, "file", json_text(v->config->file));
	json_add(o, "packets", json_number(trial->packets));
	json_add(o, "judged", json_number(trial->judged));
	json_add(o, "would_drop", json_number(would(v)));
	json_add(o, "subjects", walk.list);
	json_add(o, "samples", samples);
	json_print(style, o);
	fputc('\n', style->out);
}

void report_policy_trial(const struct report_style *style, const struct policy_view *v, const struct policy_trial *trial)
{
	if (style->json)
		trial_json(style, v, trial);
	else
		trial_text(style, v, trial);
	fflush(style->out);
}

void report_policy(const struct report_style *style, const struct policy_view *v)
{
	if (style->json)
		show_json(style, v);
	else
		show_text(style, v);
	fflush(style->out);
}
