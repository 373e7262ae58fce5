// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * compile: a policy becomes what the packet path reads. Each condition of a segment (its addresses, ports, VLAN, interface,
 * control bits, what is invalid in it) is looked up once and gives a word with one bit for each rule that it fulfils; the
 * AND of these words are the rules that match. So the packet path's cost does not grow with the number of rules.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "policy/compile.h"

#define VLAN_NONE 4095 /* struct policy_ports: no tag was seen */

/* Sets *error, which is valid until the next call in this thread. Returns -1. */
__attribute__((format(printf, 2, 3))) static int refuse(const char **error, const char *format, ...)
{
	static _Thread_local char text[256];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	*error = text;
	return -1;
}

static int no_memory(const char **error)
{
	return refuse(error, "out of memory");
}

static uint64_t all_rules(const struct policy *p)
{
	return p->rule_count >= 64 ? ~0ULL : (1ULL << p->rule_count) - 1;
}

static uint32_t all_services(const struct policy *p)
{
	return p->service_count >= 32 ? ~0U : (1U << p->service_count) - 1;
}

/* ---- addresses ---- */
static int compile_saddr(const struct policy *p, struct policy_image *m, const char **error)
{
	struct address_list list = { 0 };
	struct policy_class any = { .rules = all_rules(p) };
	int failed = addresses_add(&list, &p->allow, (struct policy_class){ .flags = CLASS_ALLOW });

	for (size_t i = 0; i < p->rule_count && !failed; i++) {
		const struct cidr_list *l = &p->rule[i].match.saddr;

		if (!l->given)
			continue;
		any.rules &= ~(1ULL << i);
		failed = addresses_add(&list, l, (struct policy_class){ .rules = 1ULL << i });
	}
	if (!failed)
		failed = addresses_resolve(&list, any, &m->saddr_exact, &m->saddr_prefix);
	free(list.item);
	if (failed)
		return no_memory(error);
	addresses_near(&m->saddr_exact, &any, &m->ports.saddr);
	addresses_near(&m->saddr_prefix, &any, &m->ports.saddr);
	m->config.saddr_any = any;
	m->config.saddr_exact = m->saddr_exact.count > 0;
	m->config.saddr_prefix = m->saddr_prefix.count > 0;
	return 0;
}

static int compile_daddr(const struct policy *p, struct policy_image *m, const char **error)
{
	struct address_list list = { 0 };
	struct policy_class any = { .rules = all_rules(p), .services = all_services(p) };
	int failed = 0;

	for (size_t i = 0; i < p->rule_count && !failed; i++) {
		const struct cidr_list *l = &p->rule[i].match.daddr;

		if (!l->given)
			continue;
		any.rules &= ~(1ULL << i);
		failed = addresses_add(&list, l, (struct policy_class){ .rules = 1ULL << i });
	}
	for (size_t i = 0; i < p->service_count && !failed; i++) {
		const struct cidr_list *l = &p->service[i].match.daddr;

		if (!l->given)
			continue;
		any.services &= ~(1U << i);
		failed = addresses_add(&list, l, (struct policy_class){ .services = 1U << i });
	}
	if (!failed)
		failed = addresses_resolve(&list, any, &m->daddr_exact, &m->daddr_prefix);
	free(list.item);
	if (failed)
		return no_memory(error);
	addresses_near(&m->daddr_exact, &any, &m->ports.daddr);
	addresses_near(&m->daddr_prefix, &any, &m->ports.daddr);
	m->config.daddr_any = any;
	m->config.daddr_exact = m->daddr_exact.count > 0;
	m->config.daddr_prefix = m->daddr_prefix.count > 0;
	return 0;
}

/* ---- ports and VLANs ---- */
struct dimension {
	const char *name;
	size_t list; /* where its struct range_list stands in struct policy_match */
	bool of_services;
	struct port_classes out;
};

static const struct range_list *list_of(const struct policy_match *match, const struct dimension *d)
{
	return (const struct range_list *)((const char *)match + d->list);
}

static int compile_dimension(const struct policy *p, struct dimension *d, const char **error)
{
	struct port_condition condition[POLICY_RULES + POLICY_SERVICES];
	unsigned count = 0;
	int classes;

	d->out.any_rules = all_rules(p);
	d->out.any_services = d->of_services ? all_services(p) : 0;
	for (size_t i = 0; i < p->rule_count; i++) {
		const struct range_list *l = list_of(&p->rule[i].match, d);

		if (!l->given)
			continue;
		d->out.any_rules &= ~(1ULL << i);
		condition[count++] = (struct port_condition){ .ranges = l, .rules = 1ULL << i };
	}
	for (size_t i = 0; i < p->service_count && d->of_services; i++) {
		const struct range_list *l = list_of(&p->service[i].match, d);

		if (!l->given)
			continue;
		d->out.any_services &= ~(1U << i);
		condition[count++] = (struct port_condition){ .ranges = l, .services = 1U << i };
	}
	classes = port_classes_make(condition, count, &d->out);
	if (classes < 0)
		return no_memory(error);
	if (classes > POLICY_PORT_CLASSES)
		return refuse(
			error,
			"the '%s' conditions of all rules%s cut the numbers into %d classes "
			"and there is room for %d: make ranges of neighbours, or give several rules the same list",
			d->name, d->of_services ? " and services" : "", classes, POLICY_PORT_CLASSES);
	return 0;
}

static int compile_ports(const struct policy *p, struct policy_image *m, const char **error)
{
	struct policy_config *c = &m->config;
	struct dimension dimensions[] = {
		{ "sport",
		  offsetof(struct policy_match, sport),
		  false,
		  { .class = m->ports.sport, .size = 65536, .end = 65536, .rules = c->sport_rules } },
		{ "dport",
		  offsetof(struct policy_match, dport),
		  true,
		  { .class = m->ports.dport,
		    .size = 65536,
		    .end = 65536,
		    .rules = c->dport_rules,
		    .services = c->dport_services } },
		{ "vlan",
		  offsetof(struct policy_match, vlan),
		  true,
		  { .class = m->ports.vlan,
		    .size = 4096,
		    .end = VLAN_NONE,
		    .rules = c->vlan_rules,
		    .services = c->vlan_services } },
	};

	for (size_t i = 0; i < sizeof(dimensions) / sizeof(*dimensions); i++)
		if (compile_dimension(p, &dimensions[i], error))
			return -1;
	return 0;
}

/* ---- interfaces: one word for each row of the instance's table ---- */
struct rows {
	const char (*name)[WARD_NAME_LEN]; /* NULL: there is no instance */
	unsigned count;
};

/* The rows that are named, as bits. -1 with *error where one is not the instance's. */
static int rows_named(const struct rows *rows, const char (*name)[WARD_NAME_LEN], size_t count, uint32_t *bits,
		      const char *whose, const char **error)
{
	*bits = rows->name && count ? 0 : ~0U;
	for (size_t i = 0; i < count && rows->name; i++) {
		unsigned row = 0;

		while (row < rows->count && strncmp(rows->name[row], name[i], WARD_NAME_LEN))
			row++;
		if (row == rows->count)
			return refuse(error,
				      "%s names interface '%.*s', which is not this instance's: "
				      "see 'tcpward status', or attach to it too",
				      whose, WARD_NAME_LEN, name[i]);
		*bits |= 1U << row;
	}
	return 0;
}

static int compile_ifaces(const struct policy *p, struct policy_image *m, const struct rows *rows, const char **error)
{
	char whose[POLICY_NAME_LEN + 16];
	uint32_t on, here;

	if (rows_named(rows, (const char(*)[WARD_NAME_LEN])p->iface, p->iface_count, &on, "'interfaces'", error))
		return -1;
	for (size_t i = 0; i < p->rule_count; i++) {
		const struct policy_match *match = &p->rule[i].match;

		snprintf(whose, sizeof(whose), "rule '%.*s'", POLICY_NAME_LEN, p->rule[i].rule.name);
		if (rows_named(rows, (const char(*)[WARD_NAME_LEN])match->iface, match->iface_count, &here, whose,
			       error))
			return -1;
		for (unsigned row = 0; row < WARD_IFACES; row++)
			m->config.iface[row] |= (uint64_t)((on & here) >> row & 1) << i;
	}
	for (size_t i = 0; i < p->service_count; i++) {
		const struct policy_match *match = &p->service[i].match;

		snprintf(whose, sizeof(whose), "service '%.*s'", POLICY_NAME_LEN, p->service[i].service.name);
		if (rows_named(rows, (const char(*)[WARD_NAME_LEN])match->iface, match->iface_count, &here, whose,
			       error))
			return -1;
		for (unsigned row = 0; row < WARD_IFACES; row++)
			m->config.iface_services[row] |= ((on & here) >> row & 1) << i;
	}
	return 0;
}

/* ---- control bits, and what is invalid ---- */
/* Could it drop a segment of an open connection, with nothing wrong in it? Those with ACK, and without SYN, FIN and RST. */
static bool is_static(const struct policy_file_rule *r)
{
	uint64_t plain = 1ULL << TH_ACK | 1ULL << (TH_ACK | TH_PSH) | 1ULL << (TH_ACK | TH_URG) |
			 1ULL << (TH_ACK | TH_PSH | TH_URG);

	return r->rule.action == ACTION_DROP && !r->match.invalid && (!r->match.flags || r->match.flags & plain);
}

static void compile_rules(const struct policy *p, struct policy_config *c)
{
	c->rule_count = (uint8_t)p->rule_count;
	for (size_t i = 0; i < p->rule_count; i++) {
		const struct policy_file_rule *r = &p->rule[i];
		uint64_t bit = 1ULL << i;

		c->rule[i] = r->rule;
		if (r->rule.action == ACTION_DROP)
			c->rule[i].drop = DROP_MATCH;
		for (unsigned bits = 0; bits < 64; bits++)
			if (!r->match.flags || r->match.flags >> bits & 1)
				c->flags[bits] |= bit;
		if (!r->match.invalid)
			c->invalid_any |= bit;
		for (unsigned kind = 0; kind < INVALID_COUNT; kind++)
			if (r->match.invalid >> kind & 1)
				c->invalid[kind] |= bit;
		c->static_rules |= is_static(r);
	}
}

static void compile_reactions(struct policy_config *c, const struct policy *p)
{
	for (size_t i = 0; i < p->reaction_count; i++) {
		const struct policy_reaction *from = &p->reaction[i];
		bool block = from->then == REACT_BLOCK;
		struct policy_react *to = &(block ? c->block : c->close)[from->finding & (POLICY_REACTIONS - 1)];

		to->on = 1;
		to->mode = from->mode;
		to->for_ns = from->for_ns;
		*(block ? &c->has_block : &c->has_close) = 1;
	}
}

_Static_assert(FINDING_COUNT <= POLICY_REACTIONS, "a place for each kind of finding");

/* ---- services ---- */
static const char *const limit_names[] = {
#define X(id, name, text) name,
	WARD_LIMITS(X)
#undef X
};

/*
 * What a limit puts on the block list is found there by two looks a family: the whole address, and the one other length
 * that all limits share. len: with 96 more for IPv4.
 */
static int block_len_add(struct policy_image *m, unsigned family, unsigned len, const char *service, const char *limit,
			 const char **error)
{
	unsigned less = family ? 0 : 96, before = m->block_len[family];

	if (len <= less || len > 128)
		return refuse(error, "service '%.*s': %s blocks /%d of %s: give a length from 1 to %u", POLICY_NAME_LEN,
			      service, limit, (int)len - (int)less, family ? "IPv6" : "IPv4", 128 - less);
	if (len == 128)
		return 0;
	if (before && before != len)
		return refuse(error,
			      "service '%.*s': %s blocks /%u of %s, another limit /%u: "
			      "besides whole addresses, all that block need one length",
			      POLICY_NAME_LEN, service, limit, len - less, family ? "IPv6" : "IPv4", before - less);
	m->block_len[family] = (uint8_t)len;
	return 0;
}

static int compile_services(const struct policy *p, struct policy_image *m, const char **error)
{
	struct policy_config *c = &m->config;

	c->service_count = (uint8_t)p->service_count;
	for (size_t i = 0; i < p->service_count; i++) {
		const struct policy_service *s = &p->service[i].service;

		c->service[i] = *s;
		c->has_source_half_open |= s->limit[LIMIT_HALF_OPEN_SOURCE].on != 0;
		for (unsigned k = 0; k < LIMIT_COUNT; k++) {
			const struct policy_limit *l = &s->limit[k];

			if (!l->on)
				continue;
			c->has_cookies |= l->then == THEN_SYNCOOKIE;
			if (!l->for_ns)
				continue;
			if (block_len_add(m, 0, l->prefix_v4 + 96U, s->name, limit_names[k], error) ||
			    block_len_add(m, 1, l->prefix_v6, s->name, limit_names[k], error))
				return -1;
		}
	}
	return 0;
}

/* ---- the whole ---- */
static int fits(const struct policy *p, const char **error)
{
	if (p->rule_count > POLICY_RULES)
		return refuse(error, "%zu rules, at most %d: join rules by lists", p->rule_count, POLICY_RULES);
	if (p->service_count > POLICY_SERVICES)
		return refuse(error, "%zu services, at most %d: join services by lists", p->service_count,
			      POLICY_SERVICES);
	return 0;
}

/* The packet path counts in 64 bits of nanoseconds: nobody lives to see a bucket of 146 years fill up. */
static void cap_burst(struct policy_rate *rate)
{
	const uint64_t most = rate->interval_ns ? (1ULL << 62) / rate->interval_ns : UINT32_MAX;

	if (rate->burst > most)
		rate->burst = (uint32_t)most;
}

static void cap_bursts(struct policy_config *c)
{
	unsigned i, limit;

	cap_burst(&c->cookie_rate);
	for (i = 0; i < POLICY_RULES; i++)
		cap_burst(&c->rule[i].above);
	for (i = 0; i < POLICY_SERVICES; i++)
		for (limit = 0; limit < LIMIT_COUNT; limit++)
			cap_burst(&c->service[i].limit[limit].rate);
}

struct policy_image *policy_compile(const struct policy *p, const char (*ifaces)[WARD_NAME_LEN], unsigned iface_count,
				    const char **error)
{
	const struct rows rows = { ifaces, iface_count < WARD_IFACES ? iface_count : WARD_IFACES };
	struct policy_image *m;

	if (fits(p, error))
		return NULL;
	m = calloc(1, sizeof(*m));
	if (!m) {
		no_memory(error);
		return NULL;
	}
	m->config.mode = (uint8_t)p->mode;
	m->config.check = (uint8_t)p->check;
	m->config.open_without_sweeper = p->open_without_sweeper;
	m->config.drop_unparsed = p->drop_unparsed;
	m->config.cookie_flavour = p->cookie_flavour;
	m->config.cookie_rate = p->cookie_rate;
	m->config.has_allow = p->allow.count > 0;
	compile_reactions(&m->config, p);
	compile_rules(p, &m->config);
	if (compile_services(p, m, error) || compile_ifaces(p, m, &rows, error) || compile_ports(p, m, error) ||
	    compile_saddr(p, m, error) || compile_daddr(p, m, error)) {
		policy_image_free(m);
		return NULL;
	}
	cap_bursts(&m->config);
	return m;
}

void policy_image_free(struct policy_image *image)
{
	if (!image)
		return;
	free(image->saddr_exact.item);
	free(image->saddr_prefix.item);
	free(image->daddr_exact.item);
	free(image->daddr_prefix.item);
	free(image);
}
