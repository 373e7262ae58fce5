// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Random policies and segments, and what matches by a plain reading of the policy. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "detect/detect.h"
#include "policy_rig.h"
#include "report/internal.h"

const char rig_ifaces[RIG_ROWS][WARD_NAME_LEN] = { "eth0", "eth1", "wan" };

uint64_t roll(struct dice *d)
{
	d->state += 0x9e3779b97f4a7c15ULL; /* splitmix64 */
	uint64_t z = d->state;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return z ^ z >> 31;
}

unsigned roll_below(struct dice *d, unsigned end)
{
	return (unsigned)(roll(d) % end);
}

bool one_in(struct dice *d, unsigned n)
{
	return roll_below(d, n) == 0;
}

/* ---- lists ---- */
static void *grown(void *items, size_t count, size_t size)
{
	void *more = count & (count - 1) ? items : reallocarray(items, count ? 2 * count : 1, size);

	if (!more)
		abort();
	return more;
}

void rig_cidr_add(struct cidr_list *l, struct cidr c)
{
	l->item = grown(l->item, l->count, sizeof(c));
	l->item[l->count++] = c;
	l->given = true;
}

void rig_range_add(struct range_list *l, uint16_t from, uint16_t to)
{
	l->item = grown(l->item, l->count, sizeof(*l->item));
	l->item[l->count++] = (struct port_range){ from, to };
	l->given = true;
}

struct cidr rig_cidr(const char *text)
{
	struct cidr c = { .prefix.len = 128 };
	char copy[64], *slash;

	snprintf(copy, sizeof(copy), "%s", text);
	slash = strchr(copy, '/');
	if (slash) {
		*slash = '\0';
		c.prefix.len = (__u32)atoi(slash + 1) + (strchr(copy, ':') ? 0 : 96);
	}
	if (addr_parse(copy, c.prefix.addr))
		abort();
	return c;
}

static void flip(uint8_t addr[16], unsigned bit)
{
	addr[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
}

/* The bits of addr from len on: zero, or by chance. */
static void rest(struct dice *d, uint8_t addr[16], unsigned len)
{
	for (unsigned bit = len; bit < 128; bit++) {
		addr[bit / 8] &= (uint8_t) ~(0x80 >> bit % 8);
		if (d && one_in(d, 2))
			flip(addr, bit);
	}
}

/* Few different beginnings, so that prefixes lie in one another. */
static void any_address(struct dice *d, uint8_t addr[16])
{
	static const char *const beginnings[] = { "10.0.0.0", "10.128.0.0", "192.0.2.10",	"255.255.255.255",
						  "0.0.0.0",  "2001:db8::", "2001:db8:1::10",	"::",
						  "fe80::1",  "::fffe:0:0", "2001:db8:0:8000::" };

	addr_parse(beginnings[roll_below(d, sizeof(beginnings) / sizeof(*beginnings))], addr);
	for (unsigned i = roll_below(d, 4); i > 0; i--) {
		bool v4 = !memcmp(addr, "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12);

		flip(addr, v4 ? 96 + roll_below(d, 32) : roll_below(d, 128));
	}
}

static struct cidr any_cidr(struct dice *d)
{
	static const unsigned lengths_v4[] = { 0, 1, 8, 24, 31, 32 },
			      lengths_v6[] = { 0, 1, 32, 48, 64, 90, 95, 127, 128 };
	struct cidr c;

	any_address(d, c.prefix.addr);
	if (!memcmp(c.prefix.addr, "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12))
		c.prefix.len = 96 + lengths_v4[roll_below(d, 6)];
	else
		c.prefix.len = lengths_v6[roll_below(d, 9)];
	rest(NULL, c.prefix.addr, c.prefix.len);
	return c;
}

static void any_cidrs(struct dice *d, struct cidr_list *l)
{
	l->given = true;
	for (unsigned i = roll_below(d, 8); i > 0; i--)
		rig_cidr_add(l, any_cidr(d));
}

static void any_ranges(struct dice *d, struct range_list *l, unsigned least, unsigned end)
{
	static const uint16_t usual[] = { 0, 22, 80, 443, 1023, 1024, 4094 };

	l->given = true;
	for (unsigned i = 1 + roll_below(d, 3); i > 0; i--) {
		unsigned from = one_in(d, 2) ? usual[roll_below(d, 7)] : roll_below(d, end);
		unsigned to = one_in(d, 2) ? from : from + roll_below(d, end - from);

		from = from < least ? least : from;
		to = to < from ? from : to;
		rig_range_add(l, (uint16_t)from, (uint16_t)(one_in(d, 10) ? end - 1 : to));
	}
}

static void any_ifaces(struct dice *d, char (**iface)[WARD_NAME_LEN], size_t *count)
{
	unsigned first = roll_below(d, RIG_ROWS);

	*count = 1 + roll_below(d, 2);
	*iface = calloc(*count, WARD_NAME_LEN);
	for (size_t i = 0; i < *count; i++)
		memcpy((*iface)[i], rig_ifaces[(first + i) % RIG_ROWS], WARD_NAME_LEN);
}

static void any_match(struct dice *d, struct policy_match *m, bool of_rule)
{
	if (one_in(d, 3))
		any_cidrs(d, &m->daddr);
	if (one_in(d, 3))
		any_ranges(d, &m->dport, of_rule ? 0 : 1, 65536);
	if (one_in(d, 6))
		any_ranges(d, &m->vlan, 1, 4095);
	if (one_in(d, 6))
		any_ifaces(d, &m->iface, &m->iface_count);
	if (!of_rule)
		return;
	if (one_in(d, 3))
		any_cidrs(d, &m->saddr);
	if (one_in(d, 4))
		any_ranges(d, &m->sport, 0, 65536);
	if (one_in(d, 4))
		m->invalid = 1 + roll_below(d, (1U << INVALID_COUNT) - 1);
	if (one_in(d, 4))
		m->flags = roll(d) | 1;
}

struct policy *rig_policy(struct dice *d)
{
	struct policy *p = calloc(1, sizeof(*p));

	if (one_in(d, 3))
		any_cidrs(d, &p->allow);
	if (one_in(d, 8))
		any_ifaces(d, &p->iface, &p->iface_count);
	p->rule_count = one_in(d, 4) ? roll_below(d, POLICY_RULES + 1) : roll_below(d, 6);
	p->rule = calloc(p->rule_count + 1, sizeof(*p->rule));
	for (size_t i = 0; i < p->rule_count; i++) {
		snprintf(p->rule[i].rule.name, POLICY_NAME_LEN, "rule-%zu", i);
		p->rule[i].rule.action = (__u8)roll_below(d, 2);
		any_match(d, &p->rule[i].match, true);
	}
	p->service_count = one_in(d, 4) ? roll_below(d, POLICY_SERVICES + 1) : roll_below(d, 4);
	p->service = calloc(p->service_count + 1, sizeof(*p->service));
	for (size_t i = 0; i < p->service_count; i++) {
		snprintf(p->service[i].service.name, POLICY_NAME_LEN, "service-%zu", i);
		any_match(d, &p->service[i].match, false);
	}
	return p;
}

/* ---- the rest of a policy ---- */
static uint64_t any_seconds(struct dice *d, unsigned most)
{
	return (1 + roll_below(d, most)) * 1000000000ULL;
}

/* As rate_parse() makes one. */
static struct policy_rate any_rate(struct dice *d)
{
	static const uint64_t periods[] = { 1, 60, 3600, 86400 }, counts[] = { 1, 3, 50, 7000, 200000, 10000000 };
	uint64_t n = one_in(d, 2) ? counts[roll_below(d, 6)] : 1 + roll_below(d, 10000000);

	return (struct policy_rate){ .interval_ns = periods[roll_below(d, 4)] * 1000000000ULL / n,
				     .burst = 1 + roll_below(d, 1000) };
}

/* What is let through at once, if no burst is given. */
static void usual_burst(struct policy_rate *r)
{
	uint64_t burst = 1000000000ULL / r->interval_ns;

	r->burst = burst < 5 ? 5 : (uint32_t)burst;
}

static void any_source_limit(struct dice *d, struct policy_limit *l)
{
	l->prefix_v4 = one_in(d, 2) ? 32 : 24;
	l->prefix_v6 = one_in(d, 2) ? 128 : 56;
	if (one_in(d, 2)) {
		l->then = THEN_BLOCK;
		l->for_ns = any_seconds(d, 30 * 86400);
	}
}

static void any_limit(struct dice *d, enum policy_limit_kind kind, struct policy_limit *l)
{
	static const uint8_t thens[] = { THEN_DROP, THEN_SYNCOOKIE, THEN_FIRST_SYN };

	l->on = 1;
	l->mode = (uint8_t)roll_below(d, 3);
	if (kind == LIMIT_HALF_OPEN_SOURCE || kind == LIMIT_NEW_SOURCE)
		any_source_limit(d, l);
	else
		l->then = thens[roll_below(d, 3)];
	if (kind == LIMIT_NEW || kind == LIMIT_NEW_SOURCE)
		l->rate = any_rate(d);
	else if (kind == LIMIT_HALF_OPEN_SOURCE || one_in(d, 3))
		l->max = 1 + roll_below(d, 1000000000);
	if (kind != LIMIT_HALF_OPEN || (l->max && one_in(d, 2)))
		return;
	l->enter_permille = (uint16_t)(2 + roll_below(d, 999));
	l->leave_permille = (uint16_t)(1 + roll_below(d, l->enter_permille - 1U));
	l->min = 1 + roll_below(d, l->max ? l->max : 1000);
}

static void any_reactions(struct dice *d, struct policy *p)
{
	p->reaction_count = roll_below(d, 4);
	p->reaction = calloc(p->reaction_count + 1, sizeof(*p->reaction));
	for (size_t i = 0; i < p->reaction_count; i++) {
		struct policy_reaction *r = &p->reaction[i];

		r->finding = (uint8_t)(i / 2 * 7 + 3);
		r->then = i % 2 ? REACT_CLOSE : REACT_BLOCK;
		r->mode = (uint8_t)roll_below(d, 3);
		r->for_ns = r->then == REACT_BLOCK ? any_seconds(d, 86400) : 0;
	}
}

static uint64_t any_threshold(struct dice *d, enum param_unit unit)
{
	return unit == UNIT_TIME ? any_seconds(d, 60) : 1 + roll_below(d, unit == UNIT_PERCENT ? 100 : 3);
}

struct policy *rig_whole_policy(struct dice *d)
{
	struct policy *p = rig_policy(d);

	free(p->iface); /* of all rules */
	p->iface = NULL;
	p->iface_count = 0;
	if (one_in(d, 3)) {
		p->iface_count = RIG_ROWS;
		p->iface = calloc(RIG_ROWS, WARD_NAME_LEN);
		memcpy(p->iface, rig_ifaces, sizeof(rig_ifaces));
	}
	p->mode = roll_below(d, 3);
	p->check = one_in(d, 2) ? CHECK_LOOSE : CHECK_STRICT;
	p->learn_ns = one_in(d, 2) ? 0 : roll(d) % 86400000 * 1000000;
	p->open_without_sweeper = one_in(d, 2);
	p->drop_unparsed = one_in(d, 2);
	p->cookie_flavour = (uint8_t)roll_below(d, 3);
	p->cookie_rate = any_rate(d);
	p->set_sysctls = one_in(d, 2);
	for (size_t i = 0; i < p->rule_count; i++) {
		struct policy_rule *r = &p->rule[i].rule;

		r->mode = (uint8_t)roll_below(d, 3);
		r->drop = DROP_MATCH;
		if (one_in(d, 3) && r->action == ACTION_DROP)
			r->above = any_rate(d);
		if (one_in(d, 3)) {
			r->sample = any_rate(d);
			usual_burst(&r->sample);
		}
	}
	for (size_t i = 0; i < p->service_count; i++) {
		unsigned which = 1 + roll_below(d, (1 << LIMIT_COUNT) - 1);

		for (unsigned k = 0; k < LIMIT_COUNT; k++)
			if (which >> k & 1)
				any_limit(d, k, &p->service[i].service.limit[k]);
	}
	any_reactions(d, p);
	for (unsigned i = 0; i < TIMEOUT_COUNT; i++)
		p->timeout_ns[i] = one_in(d, 8) ? any_seconds(d, 30 * 86400) : 0;
	for (unsigned i = 0; i < PARAM_COUNT; i++) {
		p->detect_given[i] = one_in(d, 8);
		p->detect.value[i] =
			p->detect_given[i] ? any_threshold(d, detect_params()[i].unit) : detect_params()[i].value;
	}
	return p;
}

/* ---- segments ---- */
/* An address in one of the list's prefixes, or right beside it. */
static void address_near(struct dice *d, const struct cidr_list *l, uint8_t addr[16])
{
	const struct address_prefix *p;

	if (!l || !l->count || one_in(d, 8)) {
		any_address(d, addr);
		return;
	}
	p = &l->item[roll_below(d, (unsigned)l->count)].prefix;
	memcpy(addr, p->addr, 16);
	rest(one_in(d, 2) ? d : NULL, addr, p->len);
	if (p->len && one_in(d, 4))
		flip(addr, p->len - 1);
}

static uint16_t number_near(struct dice *d, const struct range_list *l)
{
	const struct port_range *r;

	if (!l || !l->count || one_in(d, 8))
		return (uint16_t)roll(d);
	r = &l->item[roll_below(d, (unsigned)l->count)];
	return (uint16_t)((one_in(d, 2) ? r->from : r->to) + (int)roll_below(d, 3) - 1);
}

static struct segment segment_of(const uint8_t saddr[16], uint16_t sport, const uint8_t daddr[16], uint16_t dport)
{
	struct segment seg = { .bits = TH_ACK, .vlan = VLAN_UNSEEN, .segs = 1 };

	seg.dir = (__u8)flow_key_make(&seg.key, saddr, sport, daddr, dport);
	return seg;
}

struct segment rig_segment_of(const char *saddr, uint16_t sport, const char *daddr, uint16_t dport)
{
	return segment_of(rig_cidr(saddr).prefix.addr, sport, rig_cidr(daddr).prefix.addr, dport);
}

struct segment rig_segment(struct dice *d, const struct policy *p, uint32_t *invalid)
{
	const struct policy_match nothing = { 0 }, *of_rule = &nothing, *m;
	uint8_t saddr[16], daddr[16];
	uint16_t sport, dport;
	struct segment seg;

	if (p->rule_count)
		of_rule = &p->rule[roll_below(d, (unsigned)p->rule_count)].match;
	m = p->service_count && one_in(d, 3) ? &p->service[roll_below(d, (unsigned)p->service_count)].match : of_rule;
	address_near(d, one_in(d, 4) ? &p->allow : &of_rule->saddr, saddr);
	address_near(d, &m->daddr, daddr);
	sport = number_near(d, &of_rule->sport);
	dport = number_near(d, &m->dport);
	seg = segment_of(saddr, sport, daddr, dport);
	seg.bits = (__u8)roll_below(d, 64);
	if (one_in(d, 2)) {
		seg.vlan = number_near(d, &m->vlan) & 0xfff;
		if (seg.vlan == 0xfff)
			seg.vlan = VLAN_UNSEEN;
	}
	seg.iface = (__u8)roll_below(d, RIG_ROWS);
	*invalid = one_in(d, 2) ? 0 : roll_below(d, 1U << INVALID_COUNT);
	return seg;
}

/* ---- what should match ---- */
static bool is_v4(const uint8_t addr[16])
{
	return !memcmp(addr, "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12);
}

static bool cidr_has(const struct cidr *c, const uint8_t addr[16])
{
	bool v4 = c->prefix.len >= 96 && is_v4(c->prefix.addr);
	uint8_t network[16];

	if (v4 != is_v4(addr))
		return false;
	memcpy(network, addr, 16);
	rest(NULL, network, c->prefix.len);
	return !memcmp(network, c->prefix.addr, 16);
}

static bool cidrs_have(const struct cidr_list *l, const uint8_t addr[16])
{
	for (size_t i = 0; i < l->count; i++)
		if (cidr_has(&l->item[i], addr))
			return true;
	return false;
}

static bool ranges_have(const struct range_list *l, unsigned number)
{
	for (size_t i = 0; i < l->count; i++)
		if (l->item[i].from <= number && number <= l->item[i].to)
			return true;
	return false;
}

static bool named(char (*iface)[WARD_NAME_LEN], size_t count, unsigned row)
{
	for (size_t i = 0; i < count; i++)
		if (!strcmp(iface[i], rig_ifaces[row]))
			return true;
	return !count;
}

static bool matches(const struct policy *p, const struct policy_match *m, const struct segment *seg, uint32_t invalid)
{
	const uint8_t *saddr = seg->dir ? seg->key.b_addr : seg->key.a_addr;
	const uint8_t *daddr = seg->dir ? seg->key.a_addr : seg->key.b_addr;
	unsigned sport = seg->dir ? seg->key.b_port : seg->key.a_port;
	unsigned dport = seg->dir ? seg->key.a_port : seg->key.b_port;

	return named(p->iface, p->iface_count, seg->iface) && named(m->iface, m->iface_count, seg->iface) &&
	       (!m->saddr.given || cidrs_have(&m->saddr, saddr)) && (!m->daddr.given || cidrs_have(&m->daddr, daddr)) &&
	       (!m->sport.given || ranges_have(&m->sport, sport)) &&
	       (!m->dport.given || ranges_have(&m->dport, dport)) &&
	       (!m->vlan.given || (seg->vlan != VLAN_UNSEEN && ranges_have(&m->vlan, seg->vlan))) &&
	       (!m->invalid || m->invalid & invalid) && (!m->flags || m->flags >> seg->bits & 1);
}

uint64_t rig_rules(const struct policy *p, const struct segment *seg, uint32_t invalid)
{
	uint64_t rules = 0;

	for (size_t i = 0; i < p->rule_count; i++)
		rules |= (uint64_t)matches(p, &p->rule[i].match, seg, invalid) << i;
	return rules;
}

uint32_t rig_services(const struct policy *p, const struct segment *seg)
{
	uint32_t services = 0;

	for (size_t i = 0; i < p->service_count; i++)
		services |= (uint32_t)matches(p, &p->service[i].match, seg, 0) << i;
	return services;
}

bool rig_allows(const struct policy *p, const struct segment *seg)
{
	return cidrs_have(&p->allow, seg->dir ? seg->key.b_addr : seg->key.a_addr);
}

struct policy_image *rig_compile(const struct policy *p)
{
	const char *error = NULL;
	struct policy_image *m = policy_compile(p, rig_ifaces, RIG_ROWS, &error);

	if (!m)
		fail_msg("refused: %s", error);
	return m;
}
