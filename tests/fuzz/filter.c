// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Filters (user/report/filter.h): any text is parsed. What is refused is refused with a line and a column that is in the text.
 * What is taken is put to a set of flows, events and findings, and obeys what "not", "and", "or" and "( )" mean:
 *
 * - the words one by one are the words at once
 * - "not (F)" matches the flows that F does not (unless F asks for what flows do not have), and no event or finding that F does
 * - what an event or a finding does not say matches neither a condition nor its opposite
 * - "(F) and (F)" and "(F) or (F)" are F; "(F) or not (F)" is every flow, "(F) and not (F)" none, of events and findings too
 *
 * Each of this can fail: tests/fuzz/selftest plants mistakes that it must find.
 */
#include <errno.h>
#include <string.h>

#include "finding.h"
#include "fuzz/fuzz.h"
#include "report/filter.h"

#define NOW_NS 1700000000000000000ULL
#define SUBJECTS 48
#define TEXT_MAX 2000

/* ---- what it is put to ---- */
static struct subject {
	struct flow_key key;
	struct flow flow;
	struct flow_view view;
	struct event event;
	struct finding finding;
} subjects[SUBJECTS];

static uint64_t dice = 20261121;

static uint32_t any(uint32_t n)
{
	dice ^= dice << 13;
	dice ^= dice >> 7;
	dice ^= dice << 17;
	return (uint32_t)(dice >> 32) % n;
}

static void address(__u8 addr[16])
{
	static const __u8 nets[][4] = { { 10, 0, 0, 1 }, { 192, 0, 2, 1 }, { 203, 0, 113, 9 } };

	memset(addr, 0, 16);
	if (any(3)) {
		addr[10] = addr[11] = 0xff;
		memcpy(addr + 12, nets[any(3)], 4);
		addr[15] = (__u8)any(256);
	} else {
		memcpy(addr, "\x20\x01\x0d\xb8", 4);
		addr[15] = (__u8)any(4);
	}
}

static __u16 port(void)
{
	static const __u16 ports[] = { 22, 80, 443, 40000, 65535, 0 };

	return ports[any(6)];
}

static void make(struct subject *s, unsigned i)
{
	static const char *const ifaces[] = { "eth0", "eth1", "lo", NULL };
	struct flow *f = &s->flow;

	address(s->key.a_addr);
	address(s->key.b_addr);
	s->key.a_port = port();
	s->key.b_port = port();
	for (int e = 0; e < 2; e++) {
		f->state[e] = (enum tcp_state)(i < STATE_COUNT ? i : any(STATE_COUNT));
		f->half[e].pkts = any(100);
		f->half[e].bytes = (uint64_t)any(1000) * any(100000);
		f->half[e].last_ns = NOW_NS - (uint64_t)any(5000) * 1000000000ULL;
		f->rtx[e] = any(4);
	}
	f->start_ns = NOW_NS - (uint64_t)any(5000) * 1000000000ULL;
	f->orig = (__u8)any(2);
	f->flags = any(3) ? 1ULL << any(64) : 0;
	f->vlan = any(2) ? (__u16)any(16) : VLAN_UNSEEN;
	f->end_reason = (enum ward_end_reason)any(END_COUNT);
	s->view = (struct flow_view){ .key = &s->key, .flow = f, .iface = ifaces[any(4)], .now_ns = NOW_NS,
				      .findings = any(2) ? 1ULL << any(FINDING_COUNT) : 0 };
	s->event = (struct event){ .key = s->key, .ts_ns = NOW_NS, .type = (enum ward_event_type)any(EVENT_COUNT),
				   .flags = f->flags, .reason = f->end_reason, .orig = f->orig, .vlan = f->vlan,
				   .first = (__u8)any(2), .state = { f->state[0], f->state[1] },
				   .old_state = { ESTABLISHED, SYN_SENT } };
	s->finding = (struct finding){ .id = i + 1, .kind = (__u8)any(FINDING_COUNT), .severity = (__u8)any(3),
				       .subject = (__u8)any(4), .prefix_len = 24, .key = s->key,
				       .raised_ns = NOW_NS - (uint64_t)any(5000) * 1000000000ULL, .orig = f->orig };
}

/* ---- answers ---- */
/* One bit for each subject. Flows of which both ends are gone are not hidden. */
struct answers {
	uint64_t flows, events, findings;
};

static struct filter *take(const char *text)
{
	char *copy = strdup(text), *argv[] = { copy };
	struct filter_error error;
	struct filter *f;

	MUST(!filter_parse(1, argv, &f, &error), "'%s': %d: %s", text, error.column, error.text);
	free(copy);
	return f;
}

static struct answers ask_and_free(struct filter *f)
{
	struct answers a = { 0 };

	filter_show_closed(f);
	for (unsigned i = 0; i < SUBJECTS; i++) {
		a.flows |= (uint64_t)filter_match_flow(f, &subjects[i].view) << i;
		a.events |= (uint64_t)filter_match_event(f, &subjects[i].event, subjects[i].view.iface, NULL) << i;
		a.findings |= (uint64_t)filter_match_finding(f, &subjects[i].finding, NOW_NS) << i;
	}
	filter_free(f);
	return a;
}

static struct answers ask(const char *format, const char *text)
{
	char whole[3 * TEXT_MAX + 40];

	snprintf(whole, sizeof(whole), format, text, text);
	return ask_and_free(take(whole));
}

static bool same(struct answers a, struct answers b)
{
	return a.flows == b.flows && a.events == b.events && a.findings == b.findings;
}

/* of_events: it asks for something that flows do not have, so some are neither. */
static void check_logic(const char *text, struct answers yes, bool of_events)
{
	const uint64_t all = (1ULL << SUBJECTS) - 1;
	struct answers no = ask("not (%s)", text);

	MUST(same(yes, ask("(%s)", text)), "( ) of '%s'", text);
	MUST(no.flows == (~yes.flows & all) || of_events, "not of '%s'", text);
	MUST(!(no.flows & yes.flows) && !(no.events & yes.events) && !(no.findings & yes.findings), "not of '%s', and it", text);
	MUST(same(yes, ask("not not (%s)", text)), "not not of '%s'", text);
	MUST(same(yes, ask("(%s) and (%s)", text)), "and of '%s'", text);
	MUST(same(yes, ask("(%s) (%s)", text)), "juxtaposition of '%s'", text);
	MUST(same(yes, ask("(%s) or (%s)", text)), "or of '%s'", text);
	MUST(ask("(%s) or not (%s)", text).flows == all || of_events, "all of '%s'", text);
	no = ask("(%s) and not (%s)", text);
	MUST(!no.flows && !no.events && !no.findings, "none of '%s'", text);
}

/* What an event, or a finding, does not say is neither so nor not so. */
static void check_unknown(void)
{
	static const char *const of_events[] = { "age > 1", "idle > 1", "bytes >= 0", "pkts > 0", "rtx < 9", "finding half-open",
						 "severity >= info" };
	static const char *const of_findings[] = { "state established", "flag RTX", "idle > 1", "bytes >= 0", "dev eth0", "vlan 1",
						   "end reset" };

	static const char *const of_flows[] = { "type end", "rule x" };

	for (unsigned i = 0; i < sizeof(of_flows) / sizeof(*of_flows); i++)
		MUST(!ask("%s", of_flows[i]).flows && !ask("not %s", of_flows[i]).flows, "'%s' of flows", of_flows[i]);
	for (unsigned i = 0; i < sizeof(of_events) / sizeof(*of_events); i++)
		MUST(!ask("%s", of_events[i]).events && !ask("not %s", of_events[i]).events, "'%s' of events", of_events[i]);
	for (unsigned i = 0; i < sizeof(of_findings) / sizeof(*of_findings); i++)
		MUST(!ask("%s", of_findings[i]).findings && !ask("not %s", of_findings[i]).findings, "'%s' of findings",
		     of_findings[i]);
}

/* As the shell hands it over, cut at blanks. */
static int parse_words(const char *text, struct filter **f, struct filter_error *error)
{
	char *copy = strdup(text), *argv[TEXT_MAX], *save = NULL;
	int argc = 0, err;

	for (char *word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save))
		argv[argc++] = word;
	err = filter_parse(argc, argv, f, error);
	free(copy);
	return err;
}

/* It says nothing: a filter alone, but not within ( ). */
static bool is_empty(const char *text)
{
	return !text[strspn(text, " ,\t\r\n\v\f")];
}

/* With a few more around it, it would be nested more deeply than a filter may be (64). */
static bool is_deep(const char *text)
{
	unsigned count = 0;

	for (const char *at = text; *at; at++)
		count += *at == '(' || *at == '!' || !strncasecmp(at, "not", 3);
	return count > 60;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct filter_error error = { .column = -1 }, by_words = error;
	char text[TEXT_MAX + 1], *argv[] = { text };
	struct filter *f = NULL, *words = NULL;
	struct answers yes;
	bool of_events;
	int err;

	if (!subjects[0].finding.id) {
		for (unsigned i = 0; i < SUBJECTS; i++)
			make(&subjects[i], i);
		check_unknown();
	}
	size = size > TEXT_MAX ? TEXT_MAX : size;
	for (size_t i = 0; i < size; i++)
		text[i] = data[i] ? (char)data[i] : ' ';
	text[size] = '\0';
	err = filter_parse(1, argv, &f, &error);
	MUST(err == 0 || err == -EINVAL, "error %d", err);
	MUST(!err == !parse_words(text, &words, &by_words), "'%s', by words", text);
	if (err) {
		MUST(!f && !words, "refused, and a filter all the same");
		MUST(error.column >= 1 && error.column <= (int)size + 1, "column %d of %zu", error.column, size);
		MUST(*error.text && !strchr(error.text, '\n'), "told '%s'", error.text);
		return 0;
	}
	of_events = filter_of_events(f) != NULL;
	yes = ask_and_free(f);
	MUST(same(yes, ask_and_free(words)), "'%s', by words", text);
	if (!is_empty(text) && !is_deep(text) && size < TEXT_MAX)
		check_logic(text, yes, of_events);
	return 0;
}
