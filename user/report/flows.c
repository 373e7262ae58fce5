// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * flows: one table of columns. Each row is a member of the JSON object, in the order of the contract; the rows with a
 * header are columns of the text too (some show their neighbours in the same cell: port, VLAN, the other end).
 */
#include <stdlib.h>
#include <string.h>

#include "report/internal.h"

#define CELL 1024

struct flow_column {
	const char *name;
	struct json_object *(*json)(const struct flow_view *v, int end); /* end: 0 originator, 1 responder */
	int end;
	enum colour (*text)(const struct report_style *s, const struct flow_view *v, char *buf); /* buf of CELL bytes */
	int place; /* of the column in the text, from 1 */
	struct table_column column;
};

static int side_of(const struct flow_view *v, int end)
{
	return flow_orig(v->flow) ^ end;
}

static uint64_t last_ns(const struct flow *f)
{
	uint64_t a = f->half[0].last_ns, b = f->half[1].last_ns;
	uint64_t last = a > b ? a : b;

	return last > f->start_ns ? last : f->start_ns;
}

static uint64_t ns_between(uint64_t from, uint64_t to)
{
	return to > from ? to - from : 0;
}

static void confirmed_of(const struct flow *f, bool conf[2])
{
	for (int i = 0; i < 2; i++)
		conf[i] = f->known[i] & KNOWN_CONF;
}

/* ---- JSON ---- */
static struct json_object *get_version(const struct flow_view *v, int end)
{
	(void)v, (void)end;
	return json_number(VERSION_OF_OBJECTS);
}

static struct json_object *get_addr(const struct flow_view *v, int end)
{
	return json_addr(key_addr(v->key, side_of(v, end)));
}

static struct json_object *get_port(const struct flow_view *v, int end)
{
	return json_number(key_port(v->key, side_of(v, end)));
}

static struct json_object *get_iface(const struct flow_view *v, int end)
{
	(void)end;
	return json_text(v->iface);
}

static struct json_object *get_vlan(const struct flow_view *v, int end)
{
	(void)end;
	return json_vlan(v->flow->vlan);
}

static struct json_object *get_state(const struct flow_view *v, int end)
{
	return json_text(state_name(v->flow->state[side_of(v, end)]));
}

static struct json_object *get_confirmed(const struct flow_view *v, int end)
{
	int side = side_of(v, end);

	return json_object_new_boolean(state_confirmed(v->flow->state[side], v->flow->known[side] & KNOWN_CONF));
}

static struct json_object *get_pkts(const struct flow_view *v, int end)
{
	return json_number(v->flow->half[side_of(v, end)].pkts);
}

static struct json_object *get_bytes(const struct flow_view *v, int end)
{
	return json_number(v->flow->half[side_of(v, end)].bytes);
}

static struct json_object *get_rtx(const struct flow_view *v, int end)
{
	return json_number(v->flow->rtx[side_of(v, end)]);
}

static struct json_object *get_syn_rtx(const struct flow_view *v, int end)
{
	(void)end;
	return json_number(v->flow->syn_rtx);
}

static struct json_object *get_synack_rtx(const struct flow_view *v, int end)
{
	(void)end;
	return json_number(v->flow->synack_rtx);
}

static struct json_object *get_fin_rtx(const struct flow_view *v, int end)
{
	(void)end;
	return json_number(v->flow->fin_rtx);
}

/* While its MARK stands, the field is a time stamp and not yet a difference. */
static uint64_t rtt_ns(const struct flow *f, int end)
{
	if (end)
		return f->flags & MARK_RTT_ACK ? 0 : f->rtt_ack_ns;
	return f->flags & MARK_RTT_SYN ? 0 : f->rtt_syn_ns;
}

static struct json_object *get_rtt(const struct flow_view *v, int end)
{
	uint64_t ns = rtt_ns(v->flow, end);

	return ns ? json_number(ns) : NULL;
}

static struct json_object *get_history(const struct flow_view *v, int end)
{
	(void)end;
	return json_object_new_string_len(v->flow->history, (int)strnlen(v->flow->history, HISTORY_LEN));
}

static struct json_object *get_conn_state(const struct flow_view *v, int end)
{
	(void)end;
	return json_text(conn_state_name(v->flow));
}

static struct json_object *get_flags(const struct flow_view *v, int end)
{
	(void)end;
	return json_flags(v->flow->flags & FLAGS_REPORTED);
}

static struct json_object *get_findings(const struct flow_view *v, int end)
{
	(void)end;
	return json_findings(v->findings);
}

static struct json_object *get_start(const struct flow_view *v, int end)
{
	(void)end;
	return json_number(v->flow->start_ns);
}

static struct json_object *get_last(const struct flow_view *v, int end)
{
	(void)end;
	return json_number(last_ns(v->flow));
}

static struct json_object *get_duration(const struct flow_view *v, int end)
{
	(void)end;
	return json_number(ns_between(v->flow->start_ns, last_ns(v->flow)));
}

static struct json_object *get_end_reason(const struct flow_view *v, int end)
{
	(void)end;
	return v->flow->end_reason == END_NONE ? NULL : json_text(end_reason_name(v->flow->end_reason));
}

/* ---- text ---- */
static enum colour show_end(const struct report_style *s, const struct flow_view *v, int end, char *buf)
{
	int side = side_of(v, end);

	endpoint_styled(s, key_addr(v->key, side), key_port(v->key, side), buf);
	return COLOUR_NONE;
}

static enum colour show_originator(const struct report_style *s, const struct flow_view *v, char *buf)
{
	return show_end(s, v, 0, buf);
}

static enum colour show_responder(const struct report_style *s, const struct flow_view *v, char *buf)
{
	return show_end(s, v, 1, buf);
}

/* "eth0", "eth0.100" in a VLAN */
static enum colour show_iface(const struct report_style *s, const struct flow_view *v, char *buf)
{
	const char *name = v->iface ? v->iface : "-";

	(void)s;
	if (v->flow->vlan == VLAN_UNSEEN)
		snprintf(buf, CELL, "%s", name);
	else
		snprintf(buf, CELL, "%s.%u", name, v->flow->vlan);
	return COLOUR_NONE;
}

static enum colour show_states(const struct report_style *s, const struct flow_view *v, char *buf)
{
	const enum tcp_state *state = v->flow->state;
	bool conf[2];

	(void)s;
	confirmed_of(v->flow, conf);
	pair_text(state, conf, flow_orig(v->flow), buf);
	return state_colour(state[0], state[1]);
}

static void show_both(uint64_t orig, uint64_t resp, char *buf)
{
	char first[16], second[16];

	snprintf(buf, CELL, "%s/%s", quantity_text(orig, first), quantity_text(resp, second));
}

static enum colour show_pkts(const struct report_style *s, const struct flow_view *v, char *buf)
{
	int o = flow_orig(v->flow);

	(void)s;
	show_both(v->flow->half[o].pkts, v->flow->half[!o].pkts, buf);
	return COLOUR_NONE;
}

static enum colour show_bytes(const struct report_style *s, const struct flow_view *v, char *buf)
{
	int o = flow_orig(v->flow);

	(void)s;
	show_both(v->flow->half[o].bytes, v->flow->half[!o].bytes, buf);
	return COLOUR_NONE;
}

/* everything that was sent again: data of both ends, SYN, SYN-ACK, FIN */
static enum colour show_rtx(const struct report_style *s, const struct flow_view *v, char *buf)
{
	const struct flow *f = v->flow;
	uint64_t all = (uint64_t)f->rtx[0] + f->rtx[1] + f->syn_rtx + f->synack_rtx + f->fin_rtx;

	(void)s;
	quantity_text(all, buf);
	return all ? COLOUR_BUSY : COLOUR_NONE;
}

/* both halves together; ">" while only the first one is measured */
static enum colour show_rtt(const struct report_style *s, const struct flow_view *v, char *buf)
{
	uint64_t syn = rtt_ns(v->flow, 0), ack = rtt_ns(v->flow, 1);
	char text[24];

	(void)s;
	if (!syn)
		strcpy(buf, "-");
	else
		snprintf(buf, CELL, "%s%s", ack ? "" : ">", duration_text(syn + ack, text));
	return COLOUR_NONE;
}

/* since its first segment; of an ended flow: how long it lived */
static enum colour show_age(const struct report_style *s, const struct flow_view *v, char *buf)
{
	uint64_t until = v->flow->end_reason == END_NONE ? v->now_ns : last_ns(v->flow);

	(void)s;
	duration_text(ns_between(v->flow->start_ns, until), buf);
	return COLOUR_NONE;
}

static enum colour show_idle(const struct report_style *s, const struct flow_view *v, char *buf)
{
	(void)s;
	duration_text(ns_between(last_ns(v->flow), v->now_ns), buf);
	return COLOUR_NONE;
}

static enum colour show_history(const struct report_style *s, const struct flow_view *v, char *buf)
{
	int len = (int)strnlen(v->flow->history, HISTORY_LEN);

	(void)s;
	snprintf(buf, CELL, "%.*s", len ? len : 1, len ? v->flow->history : "-");
	return COLOUR_NONE;
}

static enum colour show_end_reason(const struct report_style *s, const struct flow_view *v, char *buf)
{
	bool alive = v->flow->end_reason == END_NONE;

	(void)s;
	snprintf(buf, CELL, "%s", alive ? "-" : end_reason_name(v->flow->end_reason));
	return alive ? COLOUR_NONE : COLOUR_DIM;
}

/* on a terminal the first few, elsewhere all of them; what is found on the flow behind them: "RTX [retransmission]" */
static enum colour show_flags(const struct report_style *s, const struct flow_view *v, char *buf)
{
	char names[CELL / 2];
	size_t used;

	flags_text(v->flow->flags & FLAGS_REPORTED, buf, CELL / 2, s->width ? 20 : CELL);
	if (!v->findings)
		return COLOUR_BUSY;
	used = strlen(buf);
	snprintf(buf + used, CELL - used, " [%s]", findings_text(v->findings, names, sizeof(names)));
	return COLOUR_BAD;
}

/* ---- the table ---- */
static const struct flow_column flow_columns[] = {
	{ "v", get_version, 0, NULL, 0, { 0 } },
	{ "saddr", get_addr, 0, show_originator, 1, { "ORIGINATOR", 21, false } },
	{ "sport", get_port, 0, NULL, 0, { 0 } },
	{ "daddr", get_addr, 1, show_responder, 2, { "RESPONDER", 21, false } },
	{ "dport", get_port, 1, NULL, 0, { 0 } },
	{ "iface", get_iface, 0, show_iface, 3, { "IFACE", 4, false } },
	{ "vlan", get_vlan, 0, NULL, 0, { 0 } },
	{ "orig_state", get_state, 0, show_states, 4, { "STATE", 24, false } },
	{ "resp_state", get_state, 1, NULL, 0, { 0 } },
	{ "orig_confirmed", get_confirmed, 0, NULL, 0, { 0 } },
	{ "resp_confirmed", get_confirmed, 1, NULL, 0, { 0 } },
	{ "orig_pkts", get_pkts, 0, show_pkts, 5, { "PKTS", 5, true } },
	{ "resp_pkts", get_pkts, 1, NULL, 0, { 0 } },
	{ "orig_bytes", get_bytes, 0, show_bytes, 6, { "BYTES", 9, true } },
	{ "resp_bytes", get_bytes, 1, NULL, 0, { 0 } },
	{ "orig_rtx", get_rtx, 0, show_rtx, 7, { "RTX", 3, true } },
	{ "resp_rtx", get_rtx, 1, NULL, 0, { 0 } },
	{ "syn_rtx", get_syn_rtx, 0, NULL, 0, { 0 } },
	{ "synack_rtx", get_synack_rtx, 0, NULL, 0, { 0 } },
	{ "fin_rtx", get_fin_rtx, 0, NULL, 0, { 0 } },
	{ "rtt_syn_ns", get_rtt, 0, show_rtt, 8, { "RTT", 5, true } },
	{ "rtt_ack_ns", get_rtt, 1, NULL, 0, { 0 } },
	{ "history", get_history, 0, show_history, 11, { "HISTORY", 8, false } },
	{ "conn_state", get_conn_state, 0, NULL, 0, { 0 } },
	{ "flags", get_flags, 0, show_flags, 13, { "FLAGS", 0, false } },
	{ "findings", get_findings, 0, NULL, 0, { 0 } },
	{ "start_ns", get_start, 0, show_age, 9, { "AGE", 5, true } },
	{ "last_ns", get_last, 0, show_idle, 10, { "IDLE", 5, true } },
	{ "duration_ns", get_duration, 0, NULL, 0, { 0 } },
	{ "end_reason", get_end_reason, 0, show_end_reason, 12, { "END", 7, false } },
};
#define COLUMN_COUNT (sizeof(flow_columns) / sizeof(flow_columns[0]))
#define TEXT_COLUMNS 13

/* The columns that the text has, by their place. */
static const struct flow_column *text_column(int place)
{
	for (size_t i = 0; i < COLUMN_COUNT; i++)
		if (flow_columns[i].place == place)
			return &flow_columns[i];
	abort();
}

static struct table *flow_table(const struct report_style *style, bool stream)
{
	static struct table_column columns[TEXT_COLUMNS];

	for (int i = 0; i < TEXT_COLUMNS; i++)
		columns[i] = text_column(i + 1)->column;
	return table_new(style, columns, TEXT_COLUMNS, stream);
}

static void flow_text(struct report *r, const struct flow_view *view)
{
	char buf[CELL];

	for (int i = 0; r->table && i < TEXT_COLUMNS; i++) {
		enum colour colour = text_column(i + 1)->text(&r->style, view, buf);

		table_cell(r->table, buf, colour);
	}
	if (r->stream)
		fflush(r->style.out);
}

static struct json_object *flow_json(const struct flow_view *view)
{
	struct json_object *o = json_object_new_object();

	for (size_t i = 0; i < COLUMN_COUNT; i++)
		json_add(o, flow_columns[i].name, flow_columns[i].json(view, flow_columns[i].end));
	return o;
}

/* Begins a list (one JSON array, or a table) or a stream (an object or a line per flow, flushed). The style is copied.
 * NULL without memory; the other functions take that. */
struct report *report_flows_begin(const struct report_style *style, bool stream)
{
	struct report *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->style = *style;
	r->stream = stream;
	if (style->json)
		report_list_open(r);
	else
		r->table = flow_table(style, stream);
	return r;
}

/* Prints one flow; what view points to may change afterwards. */
void report_flow(struct report *r, const struct flow_view *view)
{
	if (!r)
		return;
	if (r->style.json) {
		report_object(r, flow_json(view));
		return;
	}
	flow_text(r, view);
	r->count++;
}

/* Ends a list or stream of flows or events: closes the array, prints rows that were held back, flushes, frees. */
void report_end(struct report *r)
{
	if (!r)
		return;
	table_free(r->table);
	if (r->style.json && !r->stream)
		fputs(r->count ? "\n]\n" : "]\n", r->style.out);
	fflush(r->style.out);
	free(r);
}
