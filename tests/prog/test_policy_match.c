/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What a rule matches: addresses at the very edge of a prefix, ports, VLAN, control bits, interface; lists likewise. */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "prog/enforce_rig.h"

#define OTHER_V4 "198.51.100.1"
#define OTHER_V6 "2001:db8:ffff::1"

/* ---- prefixes ---- */
enum where { RULE_SADDR, RULE_DADDR, POLICY_ALLOW, LIST_ALLOW, LIST_BLOCK, WHERES };

static const char *const where_names[] = {"saddr", "daddr", "allow", "the allow list", "the block list"};

/* A prefix as text, the addresses at its two ends, and their neighbours outside ("": there is none). */
struct edges {
	char prefix[64], low[64], high[64], below[64], above[64];
};

static void address_print(int family, const uint8_t addr[16], char out[64])
{
	inet_ntop(family, addr, out, 64);
}

/* Adds one (or, with borrow, takes it away). Returns false where that wraps. */
static bool step(uint8_t *addr, int bytes, int by)
{
	int i;

	for (i = bytes - 1; i >= 0; i--) {
		addr[i] = (uint8_t)(addr[i] + by);
		if (addr[i] != (by > 0 ? 0 : 0xff))
			return true;
	}
	return false;
}

static struct edges edges_of(int family, const char *base, int len)
{
	uint8_t low[16] = {0}, high[16], near[16];
	int bytes = family == AF_INET ? 4 : 16, i;
	struct edges e = {0};
	char text[64];

	inet_pton(family, base, low);
	memcpy(high, low, sizeof(high));
	for (i = len; i < 8 * bytes; i++) {
		low[i / 8] &= (uint8_t)~(0x80 >> i % 8);
		high[i / 8] |= (uint8_t)(0x80 >> i % 8);
	}
	address_print(family, low, e.low);
	address_print(family, high, e.high);
	memcpy(near, low, sizeof(near));
	if (len && step(near, bytes, -1))
		address_print(family, near, e.below);
	memcpy(near, high, sizeof(near));
	if (len && step(near, bytes, 1))
		address_print(family, near, e.above);
	address_print(family, low, text);
	snprintf(e.prefix, sizeof(e.prefix), "%.40s/%d", text, len);
	return e;
}

static void put_prefix(struct rig *rig, enum where where, const char *prefix)
{
	char yaml[300];

	if (where == RULE_SADDR || where == RULE_DADDR)
		snprintf(yaml, sizeof(yaml), "rules:\n  - {name: r, match: {%s: \"%s\"}, action: drop}\n", where_names[where], prefix);
	else if (where == POLICY_ALLOW)
		snprintf(yaml, sizeof(yaml), "allow: [\"%s\"]\nrules:\n  - {name: r, match: {any: true}, action: drop}\n", prefix);
	else if (where == LIST_ALLOW)
		snprintf(yaml, sizeof(yaml), "rules:\n  - {name: r, match: {any: true}, action: drop}\n");
	else
		snprintf(yaml, sizeof(yaml), "rules:\n  - {name: r, match: {dport: 1}, action: drop}\n");
	enforce(rig, yaml);
	if (where == LIST_ALLOW || where == LIST_BLOCK)
		list(rig, where == LIST_ALLOW ? WARD_ALLOW : WARD_BLOCK, prefix, 0);
}

/* 1 if the address is in the prefix, as the packet path sees it. */
static int holds(struct rig *rig, enum where where, const char *addr)
{
	const char *other = strchr(addr, ':') ? OTHER_V6 : OTHER_V4;
	int drop = where == RULE_DADDR ? syn_dropped(rig, other, 4000, addr, 80) : syn_dropped(rig, addr, 4000, other, 80);

	return where == POLICY_ALLOW || where == LIST_ALLOW ? !drop : drop;
}

static void try_prefix(struct rig *rig, enum where where, int family, const char *base, int len)
{
	struct edges e = edges_of(family, base, len);

	put_prefix(rig, where, e.prefix);
	check(holds(rig, where, e.low));
	check(holds(rig, where, e.high));
	if (e.below[0])
		check(!holds(rig, where, e.below));
	if (e.above[0])
		check(!holds(rig, where, e.above));
	check(!holds(rig, where, family == AF_INET ? OTHER_V6 : OTHER_V4)); /* the other family */
	enforce_nothing(rig);
}

static void test_prefixes(struct rig *rig)
{
	static const int v4[] = {0, 8, 24, 31, 32}, v6[] = {0, 8, 24, 32, 48, 64, 96, 127, 128};
	char title[80];
	unsigned i;
	int where;

	for (where = 0; where < WHERES; where++) {
		snprintf(title, sizeof(title), "policy: prefixes in %s hold what they should, to the edge", where_names[where]);
		case_begin(title);
		for (i = 0; i < sizeof(v4) / sizeof(*v4); i++)
			try_prefix(rig, where, AF_INET, "100.200.169.131", v4[i]);
		for (i = 0; i < sizeof(v6) / sizeof(*v6); i++)
			try_prefix(rig, where, AF_INET6, "2001:db8:a5a5:5a5a:8123:4567:89ab:cdef", v6[i]);
		case_end();
	}
}

/* ---- the other conditions ---- */
struct probe {
	const char *match;
	const char *from;
	uint16_t sport;
	const char *to;
	uint16_t dport;
	uint8_t bits;
	int tag;
	int hits;
};

#define V4 "10.0.0.1"
#define V4_TO "10.0.0.2"
#define V6 "2001:db8::1"
#define V6_TO "2001:db8::2"

static const struct probe probes[] = {
	{"dport: 80", V4, 4000, V4_TO, 80, TH_SYN, 0, 1},
	{"dport: 80", V4, 4000, V4_TO, 79, TH_SYN, 0, 0},
	{"dport: 80", V4, 4000, V4_TO, 81, TH_SYN, 0, 0},
	{"dport: 80", V4, 80, V4_TO, 4000, TH_SYN, 0, 0},
	{"dport: 80", V6_TO, 4000, V6, 80, TH_SYN, 0, 1},
	{"dport: [443, 8000-8010]", V6, 4000, V6_TO, 443, TH_SYN, 0, 1},
	{"dport: [443, 8000-8010]", V6, 4000, V6_TO, 8000, TH_SYN, 0, 1},
	{"dport: [443, 8000-8010]", V6, 4000, V6_TO, 8010, TH_SYN, 0, 1},
	{"dport: [443, 8000-8010]", V6, 4000, V6_TO, 7999, TH_SYN, 0, 0},
	{"dport: [443, 8000-8010]", V6, 4000, V6_TO, 8011, TH_SYN, 0, 0},
	{"dport: 0-65535", V4, 4000, V4_TO, 65535, TH_SYN, 0, 1},
	{"dport: 65535", V4, 4000, V4_TO, 65535, TH_SYN, 0, 1},
	{"dport: 65535", V4, 4000, V4_TO, 65534, TH_SYN, 0, 0},
	{"sport: 1024-2048", V4, 1024, V4_TO, 80, TH_SYN, 0, 1},
	{"sport: 1024-2048", V4, 2048, V4_TO, 80, TH_SYN, 0, 1},
	{"sport: 1024-2048", V4, 1023, V4_TO, 80, TH_SYN, 0, 0},
	{"sport: 1024-2048", V4_TO, 2049, V4, 80, TH_SYN, 0, 0},
	{"sport: 1024-2048", V4_TO, 1500, V4, 80, TH_SYN, 0, 1},
	{"sport: 7, dport: 80", V4, 7, V4_TO, 80, TH_SYN, 0, 1},
	{"sport: 7, dport: 80", V4, 7, V4_TO, 81, TH_SYN, 0, 0},
	{"sport: 7, dport: 80", V4, 8, V4_TO, 80, TH_SYN, 0, 0},
	{"vlan: 42", V4, 4000, V4_TO, 80, TH_SYN, 1, 1}, /* WIRE_VLAN */
	{"vlan: 42", V6, 4000, V6_TO, 80, TH_SYN, 1, 1},
	{"vlan: 42", V4, 4000, V4_TO, 80, TH_SYN, 0, 0},
	{"vlan: 43", V4, 4000, V4_TO, 80, TH_SYN, 1, 0},
	{"vlan: 41-43", V4, 4000, V4_TO, 80, TH_SYN, 1, 1},
	{"vlan: 1-4094", V4, 4000, V4_TO, 80, TH_SYN, 0, 0},
	{"vlan: 42", V4, 4000, V4_TO, 80, TH_SYN, 2, 1}, /* the outer one's */
	{"vlan: 43", V4, 4000, V4_TO, 80, TH_SYN, 2, 0},
	{"flags: syn", V4, 4000, V4_TO, 80, TH_SYN, 0, 1},
	{"flags: syn", V4, 4000, V4_TO, 80, TH_SYN | TH_PSH, 0, 1},
	{"flags: syn", V4, 4000, V4_TO, 80, TH_SYN | TH_ACK, 0, 0},
	{"flags: syn+ack", V4, 4000, V4_TO, 80, TH_SYN | TH_ACK, 0, 1},
	{"flags: [syn, rst]", V4, 4000, V4_TO, 80, TH_RST, 0, 1},
	{"flags: [syn, rst]", V4, 4000, V4_TO, 80, TH_ACK, 0, 0},
	{"flags: \"urg+!ack\"", V4, 4000, V4_TO, 80, TH_SYN | TH_URG, 0, 1},
	{"flags: \"urg+!ack\"", V4, 4000, V4_TO, 80, TH_ACK | TH_URG, 0, 0},
	{"flags: none", V4, 4000, V4_TO, 80, TH_PSH, 0, 1},
	{"flags: none", V4, 4000, V4_TO, 80, TH_ACK, 0, 0},
	{"iface: first", V4, 4000, V4_TO, 80, TH_SYN, 0, 1},
	{"iface: other", V4, 4000, V4_TO, 80, TH_SYN, 0, 0},
	{"iface: [other, first]", V6, 4000, V6_TO, 80, TH_SYN, 0, 1},
	{"saddr: 10.0.0.1, daddr: 10.0.0.2, dport: 80, flags: syn, iface: first", V4, 4000, V4_TO, 80, TH_SYN, 0, 1},
	{"saddr: 10.0.0.1, daddr: 10.0.0.2, dport: 80, flags: syn, iface: other", V4, 4000, V4_TO, 80, TH_SYN, 0, 0},
	{"saddr: 10.0.0.1, daddr: 10.0.0.3, dport: 80, flags: syn", V4, 4000, V4_TO, 80, TH_SYN, 0, 0},
	{"saddr: 10.0.0.2, daddr: 10.0.0.2, dport: 80, flags: syn", V4, 4000, V4_TO, 80, TH_SYN, 0, 0},
	{"any: true", V4, 4000, V4_TO, 80, TH_ACK, 0, 1},
	{"any: true", V6, 4000, V6_TO, 80, TH_RST, 1, 1},
};

/* The probe under a policy of this mode, by this hook: 1 if it was dropped. */
static int probe(struct rig *rig, const struct probe *p, const char *mode, enum rig_hook hook)
{
	struct talk t = talk_of(p->from, p->sport, p->to, p->dport);
	char yaml[400];

	snprintf(yaml, sizeof(yaml), "version: 1\nmode: %s\nrules:\n  - {name: r, match: {%s}, action: drop}\n", mode, p->match);
	enforce(rig, yaml);
	t.tag = p->tag;
	return says_by(rig, hook, &t, CLIENT, p->bits, 0);
}

static void try_probe(struct rig *rig, const struct probe *p)
{
	struct policy_count n;

	same(probe(rig, p, "enforce", HOOK_XDP), p->hits);
	n = count_of(rig, SUBJECT_RULE(0));
	same(n.hits, p->hits);
	same(n.dropped, p->hits);
	same(n.would, 0);
	same(drops_of(rig).dropped[DROP_MATCH], p->hits);
	enforce_nothing(rig);

	same(probe(rig, p, "dry-run", HOOK_XDP), 0);
	n = count_of(rig, SUBJECT_RULE(0));
	same(n.hits, p->hits);
	same(n.dropped, 0);
	same(n.would, p->hits);
	same(drops_of(rig).would[DROP_MATCH], p->hits);
	enforce_nothing(rig);

	same(probe(rig, p, "monitor", HOOK_XDP), 0);
	same(count_of(rig, SUBJECT_RULE(0)).hits, 0);
	enforce_nothing(rig);

	same(probe(rig, p, "enforce", HOOK_TC_IN), p->hits);
	enforce_nothing(rig);

	same(probe(rig, p, "enforce", HOOK_TC_OUT), 0);
	same(count_of(rig, SUBJECT_RULE(0)).hits, 0);
	enforce_nothing(rig);
}

static void test_probes(struct rig *rig)
{
	unsigned i;

	case_begin("policy: ports, VLAN, flags, interface, in every mode and hook");
	for (i = 0; i < sizeof(probes) / sizeof(*probes); i++)
		try_probe(rig, &probes[i]);
	case_end();
}

int main(void)
{
	struct rig_options opt;
	struct rig rig;

	rig_options_init(&opt);
	opt.iface_mtu = 1500; /* tc looks its interface up: row 0 */
	rig_open(&rig, &opt);
	test_prefixes(&rig);
	test_probes(&rig);
	rig_close(&rig);
	return rig_result();
}
