/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * report: what users see. One walk over the columns of a record, two renderers (text and JSON).
 * It knows nothing of libbpf; names and addresses come from the records of include/tcpward.h.
 */
#ifndef REPORT_H
#define REPORT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "tcpward.h"

/* How to print: decided once, by report_style_init(), from options, isatty and NO_COLOR. */
struct report_style {
	bool json;
	bool pretty;
	bool no_header;
	bool colour;
	bool resolve_ports; /* off: -n is the default */
	int width;	    /* of the terminal; 0: not one */
	FILE *out;
};

void report_style_init(struct report_style *style, FILE *out);

/* ---- names ---- */
const char *state_name(enum tcp_state state);	       /* "SYN-SENT" */
const char *end_reason_name(enum ward_end_reason why); /* "refused" */
const char *event_type_name(enum ward_event_type type);
const char *drop_name(unsigned reason); /* enum ward_drop: "half-open" */
const char *flag_name(unsigned bit); /* "SYN_RTX" */
/* "ESTABLISHED", "ESTABLISHED?" when not confirmed */
const char *state_text(enum tcp_state state, bool confirmed, char buf[20]);
/* Zeek's conn_state of a flow: "SF", "S1", ..., as in its conn.log */
const char *conn_state_name(const struct flow *flow);
/* IPv4 without the ::ffff: prefix. buf of INET6_ADDRSTRLEN (46) bytes. */
const char *addr_text(const __u8 addr[16], char buf[46]);
/* "192.0.2.1:443", "[2001:db8::1]:443" */
const char *endpoint_text(const __u8 addr[16], __u16 port, char buf[60]);
/* Duration as people read it: "1.2ms", "35s", "4m10s", "2h03m" */
const char *duration_text(uint64_t ns, char buf[24]);
/* Bytes or counts with a unit: "1.4M" */
const char *quantity_text(uint64_t n, char buf[16]);
/* Time of day, local, with microseconds */
const char *time_text(uint64_t epoch_ns, char buf[40]);
/* What stands before it: "2026-11-21 "; "" of a time on the same local day as today_ns */
const char *date_text(uint64_t epoch_ns, uint64_t today_ns, char buf[16]);

/* ---- a flow as the reader wants it: originator first ---- */
struct flow_view {
	const struct flow_key *key;
	const struct flow *flow;
	const char *iface; /* NULL: unknown */
	uint64_t now_ns;
	bool embryo;
	uint64_t findings; /* FINDING_BIT(): what is found on it */
};

static inline int flow_orig(const struct flow *f)
{
	return f->orig & 1;
}

/* Parses "SADDR:SPORT-DADDR:DPORT" (also "SADDR:SPORT DADDR:DPORT", "[v6]:port", and "," or ">" or "->" between them),
 * any order of the ends, into a canonical key. Returns 0 or -EINVAL with *error set to one line. */
int tuple_parse(const char *text, struct flow_key *key, const char **error);
/* Canonical order: lower address:port is side A. Returns 0 when the first end became side A, 1 when it became B. */
int flow_key_make(struct flow_key *key, const __u8 saddr[16], __u16 sport, const __u8 daddr[16], __u16 dport);

/* ---- lists and streams of records ---- */
/* A list is one JSON array, or a table with a header; a stream is one object or line per record, flushed. */
struct report;
struct report *report_flows_begin(const struct report_style *style, bool stream);
void report_flow(struct report *r, const struct flow_view *view);
void report_end(struct report *r); /* closes the array, flushes, frees */

/* Events: text or one JSON object per line, always a stream. iface NULL: null. pkt 0: null. */
struct report *report_events_begin(const struct report_style *style);
void report_event(struct report *r, const struct event *ev, const char *iface);
/* Explains drops: fn fills in what the numbers of an event stand for; it finds all of them empty. */
struct drop_names; /* user/policy/drop.h */
void report_drops(struct report *r, void (*fn)(const struct event *ev, struct drop_names *out, void *ctx), void *ctx);
/* {"type":"lost","count":n,"why":"..."} */
void report_lost(struct report *r, uint64_t count, const char *why, uint64_t ts_ns);

/* ---- the ladder: two lifelines, one flow ---- */
struct ladder;
struct ladder *ladder_begin(const struct report_style *style, const struct flow_key *key);
/* Live time stamps are those of a tick: what is less apart is shown as "<4ms". 0, the default: exact. */
void ladder_tick(struct ladder *l, uint64_t tick_ns);
/* ev: EVENT_SEGMENT with its struct event_segment (state[], conf after the segment). */
void ladder_segment(struct ladder *l, const struct event_with_segment *seg);
/* a timer's state change, or the end */
void ladder_event(struct ladder *l, const struct event *ev);
void ladder_end(struct ladder *l);

#endif
