// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * accounts: services and sources. The text's columns are a choice of what the JSON has: all counters by name, since the record
 * was made ("total") and in the last 10 s and 60 s, and all gauges ("now").
 */
#include "report/accounts.h"

#include <stdlib.h>
#include <string.h>

#include "report/internal.h"

#define CELL 80
#define COUNTERS_MAX 16

_Static_assert(SERVICE_COUNTERS <= COUNTERS_MAX && SOURCE_COUNTERS <= COUNTERS_MAX, "room for either");

/* ---- one shape for both ---- */
struct account {
	char name[64]; /* "192.0.2.10:443", "203.0.113.9", "203.0.113.0/24" */
	const __u32 *now;
	uint64_t last10[COUNTERS_MAX];
	uint64_t total; /* begun since the record was made */
	bool sampled; /* an aggregate: its first SYNs are counted by a sample, times its share */
	bool asked; /* handshakes of the last 10 s: completed ones in percent of those that could have been */
	unsigned percent;
};

enum cell { CELL_NAME, CELL_LAST10, CELL_PERCENT, CELL_NOW, CELL_TOTAL };

struct column {
	struct table_column table;
	enum cell cell;
	unsigned index; /* of the counter, or the gauge */
};

static const struct column service_columns[] = {
	{ { "SERVICE", 21, false }, CELL_NAME, 0 },
	{ { "NEW/10s", 7, true }, CELL_LAST10, SERVICE_NEW },
	{ { "ANSWERED", 8, true }, CELL_LAST10, SERVICE_ANSWERED },
	{ { "COMPLETED", 9, true }, CELL_LAST10, SERVICE_COMPLETED },
	{ { "%", 4, true }, CELL_PERCENT, 0 },
	{ { "REFUSED", 7, true }, CELL_LAST10, SERVICE_REFUSED },
	{ { "HALF-OPEN", 9, true }, CELL_NOW, SERVICE_NOW_HALF_OPEN },
	{ { "UNANSWERED", 10, true }, CELL_NOW, SERVICE_NOW_UNANSWERED },
	{ { "OPEN", 5, true }, CELL_NOW, SERVICE_NOW_OPEN },
	{ { "CLOSING", 7, true }, CELL_NOW, SERVICE_NOW_CLOSING },
	{ { "TIME-WAIT", 9, true }, CELL_NOW, SERVICE_NOW_TIME_WAIT },
	{ { "RESET", 5, true }, CELL_LAST10, SERVICE_RESET },
	{ { "RTX", 5, true }, CELL_LAST10, SERVICE_RTX },
};

static const struct column source_columns[] = {
	{ { "SOURCE", 18, false }, CELL_NAME, 0 },
	{ { "NEW/10s", 7, true }, CELL_LAST10, SOURCE_NEW },
	{ { "TOTAL", 5, true }, CELL_TOTAL, 0 },
	{ { "COMPLETED", 9, true }, CELL_LAST10, SOURCE_COMPLETED },
	{ { "%", 4, true }, CELL_PERCENT, 0 },
	{ { "REFUSED", 7, true }, CELL_LAST10, SOURCE_REFUSED },
	{ { "STALE", 5, true }, CELL_NOW, SOURCE_NOW_STALE },
	{ { "HALF-OPEN", 9, true }, CELL_NOW, SOURCE_NOW_HALF_OPEN },
	{ { "TIME-WAIT", 9, true }, CELL_NOW, SOURCE_NOW_TIME_WAIT },
	{ { "RESET", 5, true }, CELL_LAST10, SOURCE_RESET },
	{ { "FAILED", 6, true }, CELL_LAST10, SOURCE_FAILED },
};
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* A handshake that began before the window may complete in it: never more than all. */
static void set_percent(struct account *a, uint64_t completed, uint64_t of)
{
	a->asked = of > 0;
	a->percent = of && completed < of ? (unsigned)(completed * 100 / of) : 100;
}

static void from_service(struct account *a, const struct service *s, unsigned half)
{
	endpoint_text(s->addr, s->port, a->name);
	a->now = s->now[half & 1];
	for (int i = 0; i < SERVICE_COUNTERS; i++)
		a->last10[i] = window10(&s->window[i], (__u32)s->total[i]);
	set_percent(a, a->last10[SERVICE_COMPLETED], a->last10[SERVICE_ANSWERED]);
}

bool source_is_prefix(const struct source *s)
{
	return s->prefix_len < (addr_is_v4(s->addr) ? 32 : 64);
}

static void source_name(const struct source *s, char *buf, size_t size)
{
	char addr[46];

	addr_text(s->addr, addr);
	if (addr_is_v4(s->addr) && !source_is_prefix(s))
		snprintf(buf, size, "%s", addr);
	else
		snprintf(buf, size, "%s/%u", addr, s->prefix_len);
}

static void from_source(struct account *a, const struct source *s, unsigned half)
{
	source_name(s, a->name, sizeof(a->name));
	a->sampled = source_is_prefix(s);
	a->total = s->count[SOURCE_NEW];
	a->now = s->now[half & 1];
	for (int i = 0; i < SOURCE_COUNTERS; i++)
		a->last10[i] = window10(&s->window[i], s->count[i]);
	set_percent(a, a->last10[SOURCE_COMPLETED], a->last10[SOURCE_NEW]);
}

uint64_t service_activity(const struct service *s, unsigned half)
{
	const __u32 *now = s->now[half & 1];

	return (uint64_t)window10(&s->window[SERVICE_NEW], (__u32)s->total[SERVICE_NEW]) +
	       now[SERVICE_NOW_UNANSWERED] + now[SERVICE_NOW_HALF_OPEN] + now[SERVICE_NOW_OPEN] +
	       now[SERVICE_NOW_CLOSING] + now[SERVICE_NOW_TIME_WAIT];
}

uint64_t source_activity(const struct source *s, unsigned half)
{
	const __u32 *now = s->now[half & 1];
	uint64_t sum = now[SOURCE_NOW_UNANSWERED] + now[SOURCE_NOW_HALF_OPEN] + now[SOURCE_NOW_TIME_WAIT];

	for (int i = 0; i < SOURCE_COUNTERS; i++)
		sum += window10(&s->window[i], s->count[i]);
	return sum;
}

/* ---- text ---- */
static struct report *begin(const struct report_style *style, bool stream, const struct column *columns, size_t count)
{
	struct report *r = calloc(1, sizeof(*r));
	static struct table_column table[16]; /* of the one table that a command prints */

	if (!r)
		return NULL;
	r->style = *style;
	r->stream = stream && style->json;
	if (style->json) {
		report_list_open(r);
		return r;
	}
	for (size_t i = 0; i < count && i < ARRAY_SIZE(table); i++)
		table[i] = columns[i].table;
	r->table = table_new(style, table, (int)count, false);
	return r;
}

static uint64_t value_of(const struct account *a, const struct column *c)
{
	if (c->cell == CELL_TOTAL)
		return a->total;
	return c->cell == CELL_NOW ? a->now[c->index] : a->last10[c->index];
}

/* What begins is sampled, all else is exact. */
static bool rough(const struct account *a, const struct column *c)
{
	if (!a->sampled || !value_of(a, c))
		return false;
	return c->cell == CELL_TOTAL || (c->cell == CELL_LAST10 && c->index == SOURCE_NEW);
}

static void show_row(struct report *r, const struct account *a, const struct column *columns, size_t count)
{
	for (size_t i = 0; r->table && i < count; i++) {
		const struct column *c = &columns[i];
		char text[CELL], number[16];

		if (c->cell == CELL_NAME)
			snprintf(text, sizeof(text), "%s", a->name);
		else if (c->cell == CELL_PERCENT && !a->asked)
			snprintf(text, sizeof(text), "-");
		else if (c->cell == CELL_PERCENT)
			snprintf(text, sizeof(text), "%s%u", a->sampled ? "~" : "", a->percent);
		else
			snprintf(text, sizeof(text), "%s%s", rough(a, c) ? "~" : "",
				 quantity_text(value_of(a, c), number));
		table_cell(r->table, text, COLOUR_NONE);
	}
	r->count++;
}

/* ---- JSON ---- */
#define X(id, name, text) name,
static const char *const service_counter_names[] = { WARD_SERVICE_COUNTERS(X) };
static const char *const service_gauge_names[] = { WARD_SERVICE_GAUGES(X) };
static const char *const source_counter_names[] = { WARD_SOURCE_COUNTERS(X) };
static const char *const source_gauge_names[] = { WARD_SOURCE_GAUGES(X) };
#undef X

static struct json_object *gauges_json(const __u32 *now, const char *const *names, int count)
{
	struct json_object *o = json_object_new_object();

	for (int i = 0; i < count; i++)
		json_add(o, names[i], json_number(now[i]));
	return o;
}

/* Which numbers of the counters: all, of 10 s, of 60 s. */
enum span { SPAN_TOTAL, SPAN_10, SPAN_60 };

static uint64_t counter_of(uint64_t total, const struct account_window *window, enum span span)
{
	if (span == SPAN_TOTAL)
		return total;
	return span == SPAN_10 ? window10(window, (__u32)total) : window60(window, (__u32)total);
}

static struct json_object *service_counters(const struct service *s, enum span span)
{
	struct json_object *o = json_object_new_object();

	for (int i = 0; i < SERVICE_COUNTERS; i++)
		json_add(o, service_counter_names[i], json_number(counter_of(s->total[i], &s->window[i], span)));
	return o;
}

static struct json_object *source_counters(const struct source *s, enum span span)
{
	struct json_object *o = json_object_new_object();

	for (int i = 0; i < SOURCE_COUNTERS; i++)
		json_add(o, source_counter_names[i], json_number(counter_of(s->count[i], &s->window[i], span)));
	return o;
}

static struct json_object *service_json(const struct service *s, const struct account *a)
{
	struct json_object *o = json_object_new_object();

	json_add(o, "v", json_number(VERSION_OF_OBJECTS));
	json_add(o, "service", json_text(a->name));
	json_add(o, "addr", json_addr(s->addr));
	json_add(o, "port", json_number(s->port));
	json_add(o, "vlan", s->vlan ? json_number(s->vlan) : NULL);
	json_add(o, "first_ns", json_number(s->first_ns));
	json_add(o, "active_ns", json_number(s->active_ns));
	json_add(o, "completion_percent", a->asked ? json_number(a->percent) : NULL);
	json_add(o, "last_10s", service_counters(s, SPAN_10));
	json_add(o, "last_60s", service_counters(s, SPAN_60));
	json_add(o, "total", service_counters(s, SPAN_TOTAL));
	json_add(o, "now", gauges_json(a->now, service_gauge_names, SERVICE_GAUGES));
	json_add(o, "corrected", json_number(s->corrected));
	return o;
}

static struct json_object *source_json(const struct source *s, const struct account *a)
{
	struct json_object *o = json_object_new_object();

	json_add(o, "v", json_number(VERSION_OF_OBJECTS));
	json_add(o, "source", json_text(a->name));
	json_add(o, "addr", json_addr(s->addr));
	json_add(o, "prefix_len", json_number(s->prefix_len));
	json_add(o, "prefix", json_object_new_boolean(source_is_prefix(s)));
	json_add(o, "first_ns", json_number(s->first_ns));
	json_add(o, "active_ns", json_number(s->active_ns));
	json_add(o, "completion_percent", a->asked ? json_number(a->percent) : NULL);
	json_add(o, "last_10s", source_counters(s, SPAN_10));
	json_add(o, "last_60s", source_counters(s, SPAN_60));
	json_add(o, "total", source_counters(s, SPAN_TOTAL));
	json_add(o, "now", gauges_json(a->now, source_gauge_names, SOURCE_GAUGES));
	return o;
}

/* ---- lists ---- */
struct report *report_services_begin(const struct report_style *style, bool stream)
{
	return begin(style, stream, service_columns, ARRAY_SIZE(service_columns));
}

struct report *report_sources_begin(const struct report_style *style, bool stream)
{
	return begin(style, stream, source_columns, ARRAY_SIZE(source_columns));
}

void report_service(struct report *r, const struct service *s, unsigned half)
{
	struct account a = { 0 };

	if (!r)
		return;
	from_service(&a, s, half);
	if (r->style.json)
		report_object(r, service_json(s, &a));
	else
		show_row(r, &a, service_columns, ARRAY_SIZE(service_columns));
}

void report_source(struct report *r, const struct source *s, unsigned half)
{
	struct account a = { 0 };

	if (!r)
		return;
	from_source(&a, s, half);
	if (r->style.json)
		report_object(r, source_json(s, &a));
	else
		show_row(r, &a, source_columns, ARRAY_SIZE(source_columns));
}
