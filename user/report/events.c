// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* events: one line or one JSON object each, as they come. */
#include <stdlib.h>
#include <string.h>

#include "enforce.h"
#include "report/internal.h"

void event_pair(const struct event *ev, enum tcp_state state[2], bool conf[2])
{
	for (int i = 0; i < 2; i++) {
		state[i] = ev->state[i];
		conf[i] = ev->conf >> i & 1;
	}
}

/* Before the first event of a flow object there was none: CLOSED, and that is certain. */
void event_old_pair(const struct event *ev, enum tcp_state state[2], bool conf[2])
{
	for (int i = 0; i < 2; i++) {
		state[i] = ev->first ? CLOSED : ev->old_state[i];
		conf[i] = ev->first || (ev->old_conf >> i & 1);
	}
}

/* ---- what each type says, in JSON and in text ---- */
static void state_json(struct json_object *o, const struct event *ev)
{
	enum tcp_state state[2];
	bool conf[2];

	event_pair(ev, state, conf);
	json_add_pair(o, &pair_now, state, conf, ev->orig & 1);
	event_old_pair(ev, state, conf);
	json_add_pair(o, &pair_old, state, conf, ev->orig & 1);
}

static void state_change_text(const struct event *ev, char *buf, size_t size)
{
	char before[40], after[40];
	enum tcp_state state[2];
	bool conf[2];

	event_old_pair(ev, state, conf);
	pair_text(state, conf, ev->orig & 1, before);
	event_pair(ev, state, conf);
	pair_text(state, conf, ev->orig & 1, after);
	snprintf(buf, size, "%s -> %s", before, after);
}

static void flag_json(struct json_object *o, const struct event *ev)
{
	json_add(o, "flags", json_flags(ev->flags & FLAGS_REPORTED));
}

static void flag_change_text(const struct event *ev, char *buf, size_t size)
{
	size_t used = (size_t)snprintf(buf, size, "flag ");

	flags_text(ev->flags & FLAGS_REPORTED, buf + used, size - used, size);
}

static void end_json(struct json_object *o, const struct event *ev)
{
	json_add(o, "reason", json_text(end_reason_name(ev->reason)));
}

static void end_text(const struct event *ev, char *buf, size_t size)
{
	snprintf(buf, size, "end %s", end_reason_name(ev->reason));
}

static const char *const drop_names[] = {
#define X(id, name, text) [DROP_##id] = name,
	WARD_DROPS(X)
#undef X
};

const char *drop_name(unsigned reason)
{
	return reason < DROP_COUNT ? drop_names[reason] : "?";
}

/*
 * Whether a number of half-open connections was too much, whatever was done about it then. Of rates there is no such number: a
 * bucket was empty. And a list or a rule forbids the thing itself, as an ACK that answers no cookie is forbidden.
 */
static bool drop_has_value(const struct event *ev)
{
	unsigned limit = (ev->subject - POLICY_RULES) % LIMIT_COUNT;

	if (ev->subject < POLICY_RULES || ev->subject >= SUBJECT_BLOCK_LIST || ev->drop == DROP_COOKIE_BAD)
		return false;
	return limit == LIMIT_HALF_OPEN || limit == LIMIT_HALF_OPEN_SOURCE;
}

static void drop_json(struct json_object *o, const struct event *ev)
{
	json_add(o, "reason", json_text(drop_name(ev->drop)));
	json_add(o, "dry_run", json_object_new_boolean(ev->first));
	json_add(o, "value", drop_has_value(ev) ? json_number(ev->flags) : NULL);
}

static struct json_object *text_or_null(const char *text)
{
	return json_text(*text ? text : NULL);
}

static void drop_names_json(struct json_object *o, const struct drop_names *names)
{
	json_add(o, "rule", text_or_null(names->rule));
	json_add(o, "limit", text_or_null(names->limit));
	json_add(o, "entry", text_or_null(names->entry));
	json_add(o, "listed_by", text_or_null(names->listed_by));
}

static void drop_text(const struct event *ev, char *buf, size_t size)
{
	const char *what = ev->drop == DROP_SYNCOOKIE ? (ev->first ? "would answer by" : "answered by") :
							(ev->first ? "would drop:" : "dropped:");
	int used = snprintf(buf, size, "%s %s", what, drop_name(ev->drop));

	if (drop_has_value(ev) && used > 0 && (size_t)used < size)
		snprintf(buf + used, size - (size_t)used, " (%llu)", (unsigned long long)ev->flags);
}

static const struct event_kind {
	void (*json)(struct json_object *o, const struct event *ev);
	void (*text)(const struct event *ev, char *buf, size_t size);
} kinds[EVENT_COUNT] = {
	[EVENT_STATE] = { state_json, state_change_text },
	[EVENT_FLAG] = { flag_json, flag_change_text },
	[EVENT_END] = { end_json, end_text },
	[EVENT_DROP] = { drop_json, drop_text },
};

/* NULL for what is internal, and for what a newer program may send. */
static const struct event_kind *event_kind(const struct event *ev)
{
	return ev->type < EVENT_COUNT && kinds[ev->type].json ? &kinds[ev->type] : NULL;
}

struct json_object *event_json(const struct event *ev, const char *iface, const struct drop_names *names)
{
	struct json_object *o = json_object_new_object();
	bool packet = ev->pkt && !ev->timer;

	json_add(o, "v", json_number(VERSION_OF_OBJECTS));
	json_add(o, "type", json_text(event_type_name(ev->type)));
	json_add(o, "ts_ns", json_number(ev->ts_ns));
	json_add(o, "pkt", packet ? json_number(ev->pkt) : NULL);
	json_add(o, "iface", json_text(iface));
	json_add(o, "vlan", json_vlan(ev->vlan));
	json_add_tuple(o, &ev->key, ev->orig & 1);
	if (event_kind(ev))
		event_kind(ev)->json(o, ev);
	if (ev->type == EVENT_DROP)
		drop_names_json(o, names);
	return o;
}

const char *event_text(const struct event *ev, char *buf, size_t size)
{
	if (event_kind(ev))
		event_kind(ev)->text(ev, buf, size);
	else
		snprintf(buf, size, "%s", event_type_name(ev->type));
	return buf;
}

enum colour event_colour(const struct event *ev)
{
	if (ev->type == EVENT_STATE)
		return state_colour(ev->state[0], ev->state[1]);
	if (ev->type == EVENT_FLAG || ev->type == EVENT_DROP)
		return COLOUR_BAD;
	return COLOUR_DIM;
}

void event_time(struct report *r, uint64_t ns)
{
	char date[16], at[40];

	if (!r->day_ns)
		r->day_ns = ns;
	fprintf(r->style.out, "%s%s ", date_text(ns, r->day_ns, date), time_text(ns, at));
}

/* "13:04:05.000012 #7 eth0 192.0.2.1:40000 > 198.51.100.7:443  SYN-SENT:LISTEN -> ..." */
static void event_line(struct report *r, const struct event *ev, const char *iface, const struct drop_names *names)
{
	const struct report_style *s = &r->style;
	int orig = ev->orig & 1;
	char src[80], dst[80], what[600], tuple[164];
	enum colour colour = event_colour(ev);

	event_time(r, ev->ts_ns);
	if (ev->pkt && !ev->timer)
		fprintf(s->out, "#%llu ", (unsigned long long)ev->pkt);
	if (iface && ev->vlan != VLAN_UNSEEN)
		fprintf(s->out, "%s.%u ", iface, ev->vlan);
	else if (iface)
		fprintf(s->out, "%s ", iface);
	endpoint_styled(s, key_addr(&ev->key, orig), key_port(&ev->key, orig), src);
	endpoint_styled(s, key_addr(&ev->key, !orig), key_port(&ev->key, !orig), dst);
	snprintf(tuple, sizeof(tuple), "%s > %s", src, dst);
	fprintf(s->out, "%-36s  %s%s%s%s", tuple, colour_on(s, colour), event_text(ev, what, sizeof(what)),
		colour_off(s, colour), ev->timer ? " (timer)" : "");
	if (*names->rule)
		fprintf(s->out, " by %s", names->rule);
	if (*names->limit)
		fprintf(s->out, " (limit %s)", names->limit);
	if (*names->entry)
		fprintf(s->out, " (%s, by %s)", names->entry, names->listed_by);
	fputc('\n', s->out);
	fflush(s->out);
}

/* Begins a stream of events. The style is copied. NULL without memory; the other functions take that. */
struct report *report_events_begin(const struct report_style *style)
{
	struct report *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->style = *style;
	r->stream = true;
	return r;
}

/* Names what drops are owed to: fn fills in what is known of an event's. */
void report_drops(struct report *r, void (*fn)(const struct event *ev, struct drop_names *out, void *ctx), void *ctx)
{
	if (!r)
		return;
	r->drop_names = fn;
	r->drop_names_ctx = ctx;
}

/* Prints one event. Records between the programs and the library (segment, retire) are not for readers: ignored. */
void report_event(struct report *r, const struct event *ev, const char *iface)
{
	struct drop_names names = { .rule = "" };

	if (!r || !event_kind(ev))
		return;
	if (ev->type == EVENT_DROP && r->drop_names)
		r->drop_names(ev, &names, r->drop_names_ctx);
	r->count++;
	if (r->style.json)
		json_print_line(&r->style, event_json(ev, iface, &names));
	else
		event_line(r, ev, iface, &names);
}

static void lost_json(struct report *r, uint64_t count, const char *why, uint64_t ts_ns)
{
	struct json_object *o = json_object_new_object();

	json_add(o, "v", json_number(VERSION_OF_OBJECTS));
	json_add(o, "type", json_text("lost"));
	json_add(o, "ts_ns", json_number(ts_ns));
	json_add(o, "pkt", NULL);
	json_add(o, "count", json_number(count));
	json_add(o, "why", json_text(why));
	json_print_line(&r->style, o);
}

/* Says that `count` events did not get here. ts_ns: when that was noticed. */
void report_lost(struct report *r, uint64_t count, const char *why, uint64_t ts_ns)
{
	if (!r)
		return;
	if (r->style.json) {
		lost_json(r, count, why, ts_ns);
		return;
	}
	event_time(r, ts_ns);
	fprintf(r->style.out, "%slost %llu event%s: %s%s\n", colour_on(&r->style, COLOUR_BAD), (unsigned long long)count,
		 count == 1 ? "" : "s", why, colour_off(&r->style, COLOUR_BAD));
	fflush(r->style.out);
}
