/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * filter: ss(8)'s filter grammar over flows and events. One parser for all commands.
 *
 *   state syn-recv and dport = :443 or src 10.0.0.0/8       not ( ... )  !  and && or ||  juxtaposition is "and"
 *   state X [X ...]: either end; orig-state / resp-state: one end; exclude X: neither. X: the RFC's or ss's name, or
 *     a group of ss: all connected synchronized bucket big. "state X state Y" is either of them, as in ss
 *   src/dst [=|!=] ADDR[/LEN][:PORT]  sport/dport OP :PORT     OP: = == eq != ne >= ge <= le > gt < lt; none is =
 *     src and sport are the originator's; IPv4 prefixes match IPv4 only
 *   age/idle OP DURATION   bytes/pkts/rtx OP NUMBER[k|m|g]   (both ends together; k is 1000)
 *   type TYPE   reason REASON   rule NAME   (events; the last two: of drops, reason of ends too)
 *   flag NAME   end REASON   dev IFACE   vlan = N   finding NAME   severity OP info|warning|critical
 * Flows whose ends are both gone match only filters that say so: state closed, state all, end REASON.
 */
#ifndef FILTER_H
#define FILTER_H

#include <stdbool.h>

#include "report.h"

struct filter;

struct filter_error {
	char text[200]; /* one line: what is wrong, the word in quotes, a hint */
	int column;	/* from 1, in the words joined by single blanks */
};

/* Parses argc words joined by blanks. No words: a filter that matches all but closed flows.
 * Returns 0, or -EINVAL with *error filled. */
int filter_parse(int argc, char *const argv[], struct filter **out, struct filter_error *error);
/* From now on it matches closed flows, too, whatever it says. */
void filter_show_closed(struct filter *f);
/* Can a filter begin with this word? */
bool filter_begins(const char *word);
bool filter_match_flow(const struct filter *f, const struct flow_view *view);
/* An event matches by its type, tuple, states (new or old), flags, interface, and a drop by whom it is owed to (names: NULL:
 * unknown); age, counters, findings are unknown: neither a condition on them nor its opposite matches. */
struct drop_names;
bool filter_match_event(const struct filter *f, const struct event *ev, const char *iface, const struct drop_names *names);
/* A finding matches by kind and severity; src is its source, prefix or its flow's originator, dst the service it is about or
 * its flow's responder; age is since it was raised. All else is unknown, as with events. */
struct finding;
bool filter_match_finding(const struct filter *f, const struct finding *finding, uint64_t now_ns);
/* The word of a condition that no finding can match, as "state"; NULL: there is none. */
const char *filter_of_flows(const struct filter *f);
/* The same of one that no flow can match, as "type". */
const char *filter_of_events(const struct filter *f);
/* The name of a finding that was probably meant by word; NULL: none is near. */
const char *filter_finding_meant(const char *word);
void filter_free(struct filter *f);

#endif
