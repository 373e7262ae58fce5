/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* internal: what the files of report/ share among themselves. Commands include report.h and filter.h only. */
#ifndef REPORT_INTERNAL_H
#define REPORT_INTERNAL_H

#include <json-c/json.h>

#include "policy/drop.h"
#include "report/report.h"

#define VERSION_OF_OBJECTS 1 /* member "v" */

/* ---- style.c ---- */
enum colour { COLOUR_NONE, COLOUR_DIM, COLOUR_GOOD, COLOUR_BUSY, COLOUR_BAD, COLOUR_STRONG };

/* The escape sequences around a coloured text; "" where the style has no colour. */
const char *colour_on(const struct report_style *style, enum colour colour);
const char *colour_off(const struct report_style *style, enum colour colour);
/* The colour of two ends together: open, on the way, or gone. */
enum colour state_colour(enum tcp_state orig, enum tcp_state resp);

/* ---- names.c, tuple.c ---- */
/* LISTEN and CLOSED are never in doubt; the rest when a segment of its own proves it. */
bool state_confirmed(enum tcp_state state, bool conf);
/* "ESTABLISHED:CLOSE-WAIT?" of the originator and the responder; buf of 40 bytes. */
const char *pair_text(const enum tcp_state state[2], const bool conf[2], int orig, char buf[40]);
/* "SYN_RTX,RTX", "-" for none; stops before limit characters and says "+2" of those that did not fit. */
const char *flags_text(uint64_t flags, char *buf, size_t size, size_t limit);
/* "stale-syn,half-open": FINDING_BIT() */
const char *findings_text(uint64_t mask, char *buf, size_t size);
/* endpoint_text(), the port by its name in /etc/services where the style asks for that. */
const char *endpoint_styled(const struct report_style *style, const __u8 addr[16], __u16 port, char buf[80]);
/* Reads an IPv4 or IPv6 address without brackets into 16 bytes. 0 or -EINVAL. */
int addr_parse(const char *text, __u8 addr[16]);
/* Reads the digits of a port, nothing before or after them. 0 or -EINVAL. */
int port_parse(const char *text, __u16 *port);
bool addr_is_v4(const __u8 addr[16]);

static inline const __u8 *key_addr(const struct flow_key *key, int side)
{
	return side ? key->b_addr : key->a_addr;
}

static inline __u16 key_port(const struct flow_key *key, int side)
{
	return side ? key->b_port : key->a_port;
}

/* ---- json.c: members are added in the order of the calls; names must outlive the object ---- */
void json_add(struct json_object *o, const char *name, struct json_object *value);
struct json_object *json_text(const char *text); /* null for NULL */
struct json_object *json_number(uint64_t n);
struct json_object *json_flags(uint64_t flags); /* array of names */
struct json_object *json_findings(uint64_t mask); /* FINDING_BIT(): array of names */
struct json_object *json_vlan(__u16 vlan);	/* null where none was seen */
struct json_object *json_addr(const __u8 addr[16]);
/* "saddr sport daddr dport", side orig first */
void json_add_tuple(struct json_object *o, const struct flow_key *key, int orig);
/* "orig_state resp_state", and the two "confirmed", each name behind a prefix */
struct pair_names {
	const char *orig_state, *resp_state, *orig_confirmed, *resp_confirmed;
};
extern const struct pair_names pair_now, pair_old;
void json_add_pair(struct json_object *o, const struct pair_names *names, const enum tcp_state state[2],
		   const bool conf[2], int orig);
/* Prints o without a line end and frees it. */
void json_print(const struct report_style *style, struct json_object *o);
/* Prints o as one line of a stream, flushes, frees. */
void json_print_line(const struct report_style *style, struct json_object *o);
/* A report of JSON: the begin of its array, if it is a list; the next object of either. report_end() ends it. */
struct report;
void report_list_open(struct report *r);
void report_object(struct report *r, struct json_object *o);

/* ---- table.c: columns that get as wide as what stands in them ---- */
struct table_column {
	const char *header;
	int width;  /* at least, and what a stream begins with */
	bool right; /* aligned */
};

struct table;
/* Rows of a list are held back (the first few hundred) until their widths are known; those of a stream are not.
 * columns must outlive the table. NULL without memory. */
struct table *table_new(const struct report_style *style, const struct table_column *columns, int count, bool stream);
/* On a terminal the last column is broken into lines, under one another. Before the first cell. */
void table_wrap(struct table *t);
/* One cell after the other; the row is over with its last column. */
void table_cell(struct table *t, const char *text, enum colour colour);
void table_free(struct table *t); /* prints what is held back */

/* ---- findings.c ---- */
struct finding;
struct json_object *finding_json(const struct finding *f);
enum colour severity_colour(unsigned severity);

/* ---- events.c, segment.c ---- */
struct json_object *event_json(const struct event *ev, const char *iface, const struct drop_names *names);
/* "old -> new", "flag X", "end refused": what the event says, without time and tuple */
const char *event_text(const struct event *ev, char *buf, size_t size);
/* Prints the time with which each line of events begins. */
void event_time(struct report *r, uint64_t ns);
void event_pair(const struct event *ev, enum tcp_state state[2], bool conf[2]);
void event_old_pair(const struct event *ev, enum tcp_state state[2], bool conf[2]);
enum colour event_colour(const struct event *ev);

struct report {
	struct report_style style;
	bool stream;
	uint64_t count;
	struct table *table; /* text of flows */
	uint64_t day_ns; /* events: when the first one was; those of another day carry their date */
	void (*drop_names)(const struct event *ev, struct drop_names *out, void *ctx); /* report_drops() */
	void *drop_names_ctx;
};

#endif
