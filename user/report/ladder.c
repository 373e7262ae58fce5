// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * ladder: one flow between two lifelines, the originator's on the left. Each segment is an arrow; beside each lifeline
 * stands the state of its end after the segment. Numbers are relative to the initial sequence numbers.
 */
#include <stdlib.h>
#include <string.h>

#include "report/internal.h"

#define TIME_WIDTH 8
#define STATE_WIDTH 13 /* "SYN-RECEIVED?" */
#define GAP_WIDTH 60   /* between the lifelines */

struct ladder {
	struct report_style style;
	struct flow_key key;
	uint64_t last_ns;
	uint64_t tick_ns;
	bool begun;
	bool have_base[2];
	__u32 base[2]; /* initial sequence number of each side, or what stands for it */
};

/* Begins a ladder of one flow; style and key are copied. NULL without memory; the other functions take that. */
struct ladder *ladder_begin(const struct report_style *style, const struct flow_key *key)
{
	struct ladder *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->style = *style;
	l->key = *key;
	return l;
}

void ladder_tick(struct ladder *l, uint64_t tick_ns)
{
	if (l)
		l->tick_ns = tick_ns;
}

/* ---- numbers ---- */
static void set_base(struct ladder *l, int side, __u32 base)
{
	l->base[side] = base;
	l->have_base[side] = true;
}

/* Takes the ISNs that the tracker knows (0: not known); where it knows none, the first number seen counts as 1. */
static void learn_bases(struct ladder *l, const struct event_segment *seg)
{
	int from = seg->dir & 1;

	for (int side = 0; side < 2; side++)
		if (seg->isn[side])
			set_base(l, side, seg->isn[side]);
	if ((seg->bits & TH_SYN) && !seg->isn[from])
		set_base(l, from, seg->seq);
	else if (!l->have_base[from])
		set_base(l, from, seg->seq - 1);
	if ((seg->bits & TH_ACK) && !l->have_base[!from])
		set_base(l, !from, seg->ack - 1);
}

static __u32 relative_seq(const struct ladder *l, const struct event_segment *seg)
{
	return seg->seq - l->base[seg->dir & 1];
}

static __u32 relative_ack(const struct ladder *l, const struct event_segment *seg)
{
	return seg->ack - l->base[!(seg->dir & 1)];
}

/* ---- control bits ---- */
static const struct bit_name {
	__u8 bit;
	const char *name;
} bit_names[] = {
	{ TH_SYN, "SYN" }, { TH_FIN, "FIN" }, { TH_RST, "RST" },
	{ TH_PSH, "PSH" }, { TH_URG, "URG" }, { TH_ACK, "ACK" },
};
#define BIT_COUNT (sizeof(bit_names) / sizeof(bit_names[0]))

/* "SYN-ACK", "PSH-ACK"; "none" */
static void bits_text(__u8 bits, char buf[32])
{
	size_t used = 0;

	strcpy(buf, "none");
	for (size_t i = 0; i < BIT_COUNT; i++)
		if (bits & bit_names[i].bit)
			used += (size_t)sprintf(buf + used, "%s%s", used ? "-" : "", bit_names[i].name);
}

static struct json_object *bits_json(__u8 bits)
{
	struct json_object *list = json_object_new_array();

	for (size_t i = 0; i < BIT_COUNT; i++)
		if (bits & bit_names[i].bit)
			json_object_array_add(list, json_text(bit_names[i].name));
	return list;
}

/* ---- JSON ---- */
static void segment_json(struct ladder *l, const struct event_with_segment *es)
{
	const struct event_segment *seg = &es->segment;
	const struct event *ev = &es->event;
	struct json_object *o = json_object_new_object();
	int orig = ev->orig & 1;
	enum tcp_state state[2];
	bool conf[2];

	event_pair(ev, state, conf);
	json_add(o, "v", json_number(VERSION_OF_OBJECTS));
	json_add(o, "type", json_text("segment"));
	json_add(o, "ts_ns", json_number(ev->ts_ns));
	json_add(o, "pkt", ev->pkt ? json_number(ev->pkt) : NULL);
	json_add_tuple(o, &ev->key, orig);
	json_add(o, "from", json_text((seg->dir & 1) == orig ? "orig" : "resp"));
	json_add(o, "flags", bits_json(seg->bits));
	json_add(o, "seq", json_number(relative_seq(l, seg)));
	json_add(o, "ack", seg->bits & TH_ACK ? json_number(relative_ack(l, seg)) : NULL);
	json_add(o, "len", json_number(seg->len));
	json_add(o, "win", json_number(seg->win));
	json_add_pair(o, &pair_now, state, conf, orig);
	json_print_line(&l->style, o);
}

/* ---- text ---- */
static void heading(struct ladder *l, int orig)
{
	char left[80], right[80];
	int indent = TIME_WIDTH + 1 + STATE_WIDTH + 1;

	l->begun = true;
	if (l->style.no_header)
		return;
	endpoint_styled(&l->style, key_addr(&l->key, orig), key_port(&l->key, orig), left);
	endpoint_styled(&l->style, key_addr(&l->key, !orig), key_port(&l->key, !orig), right);
	fprintf(l->style.out, "%*s%s%-*s %s%s\n", indent, "", colour_on(&l->style, COLOUR_STRONG), GAP_WIDTH + 1, left,
		right, colour_off(&l->style, COLOUR_STRONG));
}

/* "+30us"; "<4ms" where the clock stood between the two */
static void since_text(const struct ladder *l, uint64_t now, char text[26])
{
	uint64_t since = now > l->last_ns ? now - l->last_ns : 0;
	bool below = !since && l->tick_ns;

	*text = below ? '<' : '+';
	duration_text(below ? l->tick_ns : since, text + 1);
}

/* One rung: time since the one before, the state of each end, and between them what happened. */
static void rung(struct ladder *l, const struct event *ev, const char *between, enum colour colour)
{
	int orig = ev->orig & 1;
	char since[26] = "0", left[20], right[20];
	enum tcp_state state[2];
	bool conf[2];

	if (!l->begun)
		heading(l, orig);
	else
		since_text(l, ev->ts_ns, since);
	l->last_ns = ev->ts_ns;
	event_pair(ev, state, conf);
	fprintf(l->style.out, "%*s %*s |%s%s%s| %s\n", TIME_WIDTH, since, STATE_WIDTH,
		state_text(state[orig], conf[orig], left), colour_on(&l->style, colour), between,
		colour_off(&l->style, colour), state_text(state[!orig], conf[!orig], right));
	fflush(l->style.out);
}

/* Fills line with `fill` and lays text into its middle. */
static void centre(const char *text, char fill, char line[GAP_WIDTH + 1])
{
	char label[GAP_WIDTH - 5];
	size_t len = (size_t)snprintf(label, sizeof(label), " %s ", text);

	if (len >= sizeof(label))
		len = sizeof(label) - 1;
	memset(line, fill, GAP_WIDTH);
	line[GAP_WIDTH] = '\0';
	memcpy(line + (GAP_WIDTH - len) / 2, label, len);
}

/* "--- SYN-ACK seq 0 ack 1 win 65160 -->", the head at the receiver */
static void arrow(struct ladder *l, const struct event_segment *seg, bool rightward, char line[GAP_WIDTH + 1])
{
	char text[128], bits[32];
	size_t used;

	bits_text(seg->bits, bits);
	used = (size_t)snprintf(text, sizeof(text), "%s seq %u", bits, relative_seq(l, seg));
	if (seg->bits & TH_ACK)
		used += (size_t)snprintf(text + used, sizeof(text) - used, " ack %u", relative_ack(l, seg));
	if (seg->len)
		used += (size_t)snprintf(text + used, sizeof(text) - used, " len %u", seg->len);
	snprintf(text + used, sizeof(text) - used, " win %u", seg->win);
	centre(text, '-', line);
	line[rightward ? GAP_WIDTH - 1 : 0] = rightward ? '>' : '<';
}

static enum colour segment_colour(__u8 bits)
{
	if (bits & TH_RST)
		return COLOUR_BAD;
	if (bits & (TH_SYN | TH_FIN))
		return COLOUR_BUSY;
	return COLOUR_NONE;
}

/* Draws one segment (EVENT_SEGMENT; its states are those after it), or prints it as an object of type "segment". */
void ladder_segment(struct ladder *l, const struct event_with_segment *es)
{
	char line[GAP_WIDTH + 1];

	if (!l)
		return;
	learn_bases(l, &es->segment);
	if (l->style.json) {
		segment_json(l, es);
		return;
	}
	arrow(l, &es->segment, (es->segment.dir & 1) == (es->event.orig & 1), line);
	rung(l, &es->event, line, segment_colour(es->segment.bits));
}

static void event_rung(struct ladder *l, const struct event *ev)
{
	char line[GAP_WIDTH + 1], what[600], text[640];

	if (ev->type == EVENT_STATE)
		strcpy(what, ev->timer ? "timer" : "state");
	else
		event_text(ev, what, sizeof(what));
	snprintf(text, sizeof(text), "%s%s", what, ev->timer && ev->type != EVENT_STATE ? " (timer)" : "");
	centre(text, ev->type == EVENT_END ? '=' : ' ', line);
	rung(l, ev, line, event_colour(ev));
}

/* Draws an event between segments: a timer's, a flag, the end. A segment's own change of state is not drawn twice. */
void ladder_event(struct ladder *l, const struct event *ev)
{
	if (!l || ev->type == EVENT_SEGMENT || ev->type == EVENT_RETIRE)
		return;
	if (l->style.json)
		json_print_line(&l->style, event_json(ev, NULL, NULL));
	else if (ev->type != EVENT_STATE || ev->timer)
		event_rung(l, ev);
}

void ladder_end(struct ladder *l)
{
	if (!l)
		return;
	fflush(l->style.out);
	free(l);
}
