// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Filters: which flows and events match. What is said of wrong ones: test_filter_wrong.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "enforce.h"
#include "finding.h"
#include "policy/drop.h"
#include "report/filter.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define SECOND 1000000000ULL
#define NOW (1700000000 * SECOND)

/* ---- the flows that the cases are about ---- */
struct sample {
	const char *name;
	const char *tuple; /* originator first */
	enum tcp_state orig, resp;
	uint64_t age_s, idle_s;
	uint64_t bytes, pkts;
	uint32_t rtx;
	uint64_t flags;
	enum ward_end_reason end;
	const char *iface;
	__u16 vlan;
	uint64_t findings;
	/* filled by make() */
	struct flow_key key;
	struct flow flow;
};

static struct sample samples[] = {
	{ .name = "web",
	  .tuple = "10.1.2.3:40000-192.0.2.1:443",
	  .orig = ESTABLISHED,
	  .resp = ESTABLISHED,
	  .age_s = 100,
	  .idle_s = 1,
	  .bytes = 20000,
	  .pkts = 50,
	  .iface = "eth0",
	  .vlan = VLAN_UNSEEN },
	{ .name = "syn",
	  .findings = FINDING_BIT(STALE_SYN),
	  .tuple = "203.0.113.9:1024-192.0.2.1:443",
	  .orig = SYN_SENT,
	  .resp = LISTEN,
	  .age_s = 12,
	  .idle_s = 12,
	  .pkts = 4,
	  .iface = "eth0",
	  .vlan = 7 },
	{ .name = "half",
	  .findings = FINDING_BIT(HALF_OPEN) | FINDING_BIT(RETRANSMISSION),
	  .tuple = "203.0.113.9:1025-192.0.2.1:22",
	  .orig = ESTABLISHED,
	  .resp = SYN_RECEIVED,
	  .age_s = 40,
	  .idle_s = 3,
	  .pkts = 6,
	  .rtx = 3,
	  .flags = 1ULL << FLAG_BIT_SYNACK_RTX,
	  .iface = "eth1",
	  .vlan = VLAN_UNSEEN },
	{ .name = "six",
	  .tuple = "[2001:db8::1]:5000-[2001:db8:1::2]:443",
	  .orig = CLOSE_WAIT,
	  .resp = FIN_WAIT_2,
	  .age_s = 4000,
	  .idle_s = 400,
	  .bytes = 3000000,
	  .pkts = 3000,
	  .vlan = VLAN_UNSEEN },
	{ .name = "tw",
	  .tuple = "192.0.2.200:50000-10.9.9.9:80",
	  .orig = TIME_WAIT,
	  .resp = CLOSED,
	  .age_s = 70,
	  .idle_s = 20,
	  .bytes = 500,
	  .pkts = 10,
	  .iface = "eth0",
	  .vlan = VLAN_UNSEEN },
	{ .name = "gone",
	  .tuple = "10.1.2.3:40001-192.0.2.1:8080",
	  .orig = CLOSED,
	  .resp = CLOSED,
	  .age_s = 9,
	  .idle_s = 8,
	  .pkts = 2,
	  .flags = 1ULL << FLAG_BIT_REFUSED,
	  .end = END_REFUSED,
	  .iface = "eth0",
	  .vlan = VLAN_UNSEEN },
};

static void make(struct sample *s)
{
	struct flow_key orig_first;
	const char *error, *cut = strstr(s->tuple, "-");
	char first[80];

	assert_int_equal(tuple_parse(s->tuple, &s->key, &error), 0);
	/* which side the first endpoint became: pair it with itself and compare */
	snprintf(first, sizeof(first), "%.*s %.*s", (int)(cut - s->tuple), s->tuple, (int)(cut - s->tuple), s->tuple);
	assert_int_equal(tuple_parse(first, &orig_first, &error), 0);
	s->flow.orig = memcmp(orig_first.a_addr, s->key.a_addr, 16) || orig_first.a_port != s->key.a_port;
	s->flow.state[s->flow.orig] = s->orig;
	s->flow.state[!s->flow.orig] = s->resp;
	s->flow.start_ns = NOW - s->age_s * SECOND;
	s->flow.half[0].last_ns = NOW - s->idle_s * SECOND;
	s->flow.half[0].bytes = s->bytes / 2;
	s->flow.half[1].bytes = s->bytes - s->bytes / 2;
	s->flow.half[0].pkts = s->pkts / 2;
	s->flow.half[1].pkts = s->pkts - s->pkts / 2;
	s->flow.rtx[1] = s->rtx;
	s->flow.flags = s->flags | MARK_PEND;
	s->flow.end_reason = s->end;
	s->flow.vlan = s->vlan;
}

static int setup(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(samples); i++)
		make(&samples[i]);
	return 0;
}

static struct filter *parsed(const char *text)
{
	char *copy = strdup(text);
	char *argv[] = { copy };
	struct filter_error error;
	struct filter *f = NULL;

	if (filter_parse(1, argv, &f, &error))
		fail_msg("'%s' refused: %d: %s", text, error.column, error.text);
	free(copy);
	return f;
}

/* The names of the samples that match, each with a blank before it. */
static void matches(const char *text, char names[200])
{
	struct filter *f = parsed(text);

	names[0] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
		struct flow_view view = {
			.key = &samples[i].key, .flow = &samples[i].flow, .iface = samples[i].iface, .now_ns = NOW,
			.findings = samples[i].findings,
		};

		if (filter_match_flow(f, &view)) {
			strcat(names, *names ? " " : "");
			strcat(names, samples[i].name);
		}
	}
	filter_free(f);
}

static void test_flows(void **state)
{
	static const struct {
		const char *filter, *expected;
	} cases[] = {
		{ "", "web syn half six tw" }, /* all but closed */
		{ "state syn-recv", "half" },
		{ "state SYN-RECEIVED", "half" },
		{ "state syn_received", "half" },
		{ "state established", "web half" },
		{ "state = established", "web half" },
		{ "state != established", "syn six tw" },
		{ "state established state syn-sent", "web syn half" },
		{ "state established syn-sent", "web syn half" },
		{ "state established,syn-sent", "web syn half" },
		{ "state established and state syn-recv", "half" },
		{ "exclude established", "syn six tw" },
		{ "state connected exclude time-wait", "web syn half six" },
		{ "orig-state established", "web half" },
		{ "resp-state established", "web" },
		{ "state listening", "syn" },
		{ "state listen", "syn" },
		{ "state closed", "tw gone" },
		{ "state all", "web syn half six tw gone" },
		{ "state connected", "web syn half six tw" },
		{ "state synchronized", "web half six tw" },
		{ "state bucket", "half tw" },
		{ "state big", "web syn half six" },
		{ "state fin-wait-2", "six" },
		{ "not state closed", "web syn half six" },
		{ "dport = :443", "web syn six" },
		{ "dport = 443", "web syn six" },
		{ "dport 443", "web syn six" },
		{ "dport=:443", "web syn six" },
		{ "dport==443", "web syn six" },
		{ "dport eq :443", "web syn six" },
		{ "dport != :443", "half tw" },
		{ "dport!=443", "half tw" },
		{ "dport neq 443", "half tw" },
		{ "dport < 443", "half tw" },
		{ "dport<=443", "web syn half six tw" },
		{ "sport >= :1025", "web half six tw" },
		{ "sport > :1025", "web six tw" },
		{ "sport lt 1025", "syn" },
		{ "src 10.0.0.0/8", "web" },
		{ "src = 10.1.2.3", "web" },
		{ "src != 10.1.2.3", "syn half six tw" },
		{ "dst 10.0.0.0/8", "tw" },
		{ "dst 10.9.9.9", "tw" },
		{ "src 203.0.113.0/31", "" },
		{ "src 203.0.113.8/31", "syn half" },
		{ "src 0.0.0.0/0", "web syn half tw" },
		{ "src [::]/0", "web syn half six tw" },
		{ "src [::ffff:10.0.0.0]/104", "web" },
		{ "dst [2001:db8::]/32", "six" },
		{ "dst [2001:db8::]/48", "" },
		{ "dst 2001:db8::/32", "six" },
		{ "dst [2001:db8:1::2]:443", "six" },
		{ "dst [2001:db8:1::]/48:443", "six" },
		{ "dst 192.0.2.1:443", "web syn" },
		{ "dst 192.0.2.0/24:22", "half" },
		{ "dst :443", "web syn six" },
		{ "dst *:443", "web syn six" },
		{ "age > 30s", "web half six tw" },
		{ "age>30", "web half six tw" },
		{ "age > 1m39s and age < 2m", "web" },
		{ "age >= 1h", "six" },
		{ "idle > 5m", "six" },
		{ "idle <= 1000ms", "web" },
		{ "bytes > 10k", "web six" },
		{ "bytes >= 3M", "six" },
		{ "pkts = 4", "syn" },
		{ "rtx > 0", "half" },
		{ "flag SYNACK_RTX", "half" },
		{ "flag synack-rtx", "half" },
		{ "flag != synack-rtx", "web syn six tw" },
		{ "end refused", "gone" },
		{ "end none", "web syn half six tw" },
		{ "dev eth1", "half" },
		{ "dev = eth0", "web syn tw" },
		{ "dev != eth0", "half six" },
		{ "vlan = 7", "syn" },
		{ "vlan != 7", "web half six tw" },
		{ "finding half-open", "half" },
		{ "finding = half_open", "half" },
		{ "finding stale-syn or finding retransmission", "syn half" },
		{ "finding != half-open", "web syn six tw" },
		{ "not finding half-open", "web syn six tw" },
		{ "finding zero-window", "" },
		{ "severity >= warning", "half" },
		{ "severity info", "syn half" },
		{ "severity = critical", "" },
		{ "not severity >= info", "web six tw" },
		{ "state syn-recv and dport = :443 or src 10.0.0.0/8", "web" },
		{ "state syn-sent and dport = :443 or src 10.0.0.0/8", "web syn" },
		{ "state syn-sent && dport=:443 || src 10.0.0.0/8", "web syn" },
		{ "state syn-sent & dport=:443 | src 10.0.0.0/8", "web syn" },
		{ "src 10.0.0.0/8 or state syn-sent dport 443", "web syn" },
		{ "(src 10.0.0.0/8 or state syn-sent) and dport = 22", "" },
		{ "( dport = :22 or dport = :80 )", "half tw" },
		{ "not (dport = 22 or dport = 80)", "web syn six" },
		{ "!dport = 22 ! dport = 80", "web syn six" },
		{ "not not dport = 22", "half" },
		{ "NOT dport = 22 AND NOT dport = 80", "web syn six" },
		{ "state closed or dport = :22", "half tw gone" },
	};
	char names[200];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		matches(cases[i].filter, names);
		if (strcmp(names, cases[i].expected))
			fail_msg("'%s' matches '%s', not '%s'", cases[i].filter, names, cases[i].expected);
	}
}

static struct event event_of(const struct sample *s, enum ward_event_type type)
{
	struct event ev = { .key = s->key, .type = type, .orig = s->flow.orig, .vlan = s->vlan, .flags = s->flags };

	ev.state[0] = s->flow.state[0];
	ev.state[1] = s->flow.state[1];
	ev.old_state[ev.orig] = SYN_SENT;
	ev.old_state[!ev.orig] = LISTEN;
	return ev;
}

static void test_events(void **state)
{
	static const struct {
		const char *filter;
		int sample;
		enum ward_event_type type;
		bool first, expected;
	} cases[] = {
		{ "", 0, EVENT_STATE, false, true },
		{ "", 5, EVENT_END, false, true }, /* ends are not hidden */
		{ "dport = :443", 0, EVENT_STATE, false, true },
		{ "sport = :443", 0, EVENT_STATE, false, false },
		{ "state syn-sent", 0, EVENT_STATE, false, true }, /* the old state */
		{ "state syn-sent", 0, EVENT_STATE, true, false },
		{ "state syn-sent", 0, EVENT_FLAG, false, false },
		{ "state established", 0, EVENT_STATE, false, true },
		{ "state established", 0, EVENT_FLAG, false, true },
		{ "flag SYNACK_RTX", 2, EVENT_FLAG, false, true },
		{ "end refused", 5, EVENT_END, false, true },
		{ "end reset", 5, EVENT_END, false, false },
		{ "dev eth0", 0, EVENT_STATE, false, true },
		{ "dev eth1", 0, EVENT_STATE, false, false },
		{ "vlan = 7", 1, EVENT_STATE, false, true },
		/* age and counters are not known: neither they nor their opposite match */
		{ "age > 0", 0, EVENT_STATE, false, false },
		{ "not age > 0", 0, EVENT_STATE, false, false },
		{ "age > 0 or dport = 443", 0, EVENT_STATE, false, true },
		{ "age > 0 and dport = 443", 0, EVENT_STATE, false, false },
		{ "not (age > 0 and dport = 80)", 0, EVENT_STATE, false, true },
		{ "pkts = 0", 0, EVENT_STATE, false, false },
		{ "finding half-open", 2, EVENT_FLAG, false, false }, /* that is a finding's event */
		{ "not finding half-open", 0, EVENT_STATE, false, false },
		{ "finding half-open or flag SYNACK_RTX", 2, EVENT_FLAG, false, true },
		{ "type state", 0, EVENT_STATE, false, true },
		{ "type != state", 0, EVENT_STATE, false, false },
		{ "type drop", 0, EVENT_STATE, false, false },
		{ "type end", 5, EVENT_END, false, true },
		{ "type finding or type lost", 5, EVENT_END, false, false },
		{ "reason refused", 5, EVENT_END, false, true },
		{ "reason reset", 5, EVENT_END, false, false },
		{ "reason block-list", 5, EVENT_END, false, false },
		{ "rule web", 0, EVENT_STATE, false, false },
		{ "not rule web", 0, EVENT_STATE, false, true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct event ev = event_of(&samples[cases[i].sample], cases[i].type);
		struct filter *f = parsed(cases[i].filter);

		ev.first = cases[i].first;
		if (ev.type == EVENT_END)
			ev.reason = END_REFUSED;
		if (filter_match_event(f, &ev, samples[cases[i].sample].iface, NULL) != cases[i].expected)
			fail_msg("'%s' on an event of %s", cases[i].filter, samples[cases[i].sample].name);
		filter_free(f);
	}
}

/* Drops: by type, reason, and whom they are owed to. */
static void test_drops(void **state)
{
	static const struct drop_names limit = { .rule = "web/half-open", .limit = "64" },
				       list = { .rule = "block list", .entry = "192.0.2.1", .listed_by = "web/new-per-source" },
				       rule = { .rule = "known-bad" }, nobody = { .rule = "" };
	static const struct {
		const char *filter;
		enum ward_drop drop;
		const struct drop_names *names;
		bool expected;
	} cases[] = {
		{ "type drop", DROP_MATCH, &rule, true },
		{ "type = drop and dport = 443", DROP_MATCH, &rule, true },
		{ "not type drop", DROP_MATCH, &rule, false },
		{ "reason rule", DROP_MATCH, &rule, true },
		{ "reason half-open", DROP_HALF_OPEN, &limit, true },
		{ "reason half-open", DROP_HALF_OPEN_SOURCE, &limit, false },
		{ "reason != half-open", DROP_HALF_OPEN_SOURCE, &limit, true },
		{ "reason refused", DROP_HALF_OPEN, &limit, false },
		{ "reason BLOCK_LIST", DROP_BLOCK_LIST, &list, true },
		{ "rule known-bad", DROP_MATCH, &rule, true },
		{ "rule known", DROP_MATCH, &rule, false },
		{ "rule known-bad-too", DROP_MATCH, &rule, false },
		{ "rule != known-bad", DROP_MATCH, &rule, false },
		{ "rule web/half-open", DROP_HALF_OPEN, &limit, true },
		{ "rule web", DROP_HALF_OPEN, &limit, true },
		{ "rule web/new", DROP_HALF_OPEN, &limit, false },
		{ "rule block-list", DROP_BLOCK_LIST, &list, true },
		{ "rule web/new-per-source", DROP_BLOCK_LIST, &list, true }, /* which put it there */
		{ "rule web", DROP_UNPARSED, &nobody, false },
		{ "rule web", DROP_MATCH, NULL, false },
		{ "not rule web", DROP_MATCH, NULL, false },
		{ "end refused", DROP_MATCH, &rule, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct event ev = event_of(&samples[0], EVENT_DROP);
		struct filter *f = parsed(cases[i].filter);

		ev.drop = cases[i].drop;
		if (filter_match_event(f, &ev, "eth0", cases[i].names) != cases[i].expected)
			fail_msg("'%s' on a drop", cases[i].filter);
		filter_free(f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_flows),
		cmocka_unit_test(test_events),
		cmocka_unit_test(test_drops),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
