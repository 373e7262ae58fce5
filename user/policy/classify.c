// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* classify: what a policy's image says of one segment, as the packet path reads it, but slowly and in user space. */
#include <string.h>

#include "policy/policy.h"

static bool in_prefix(const struct address_prefix *p, const uint8_t addr[16])
{
	for (unsigned bit = 0; bit < p->len; bit++)
		if ((p->addr[bit / 8] ^ addr[bit / 8]) >> (7 - bit % 8) & 1)
			return false;
	return true;
}

/* The longest of the table that addr lies in, or NULL. */
static const struct policy_class *look(const struct policy_table *t, const uint8_t addr[16])
{
	const struct policy_address *best = NULL;

	for (size_t i = 0; i < t->count; i++) {
		const struct policy_address *a = &t->item[i];

		if ((!best || a->prefix.len > best->prefix.len) && in_prefix(&a->prefix, addr))
			best = a;
	}
	return best ? &best->class : NULL;
}

static struct policy_class class_of(const struct policy_table *exact, const struct policy_table *prefix, bool has_exact,
				    bool has_prefix, struct policy_class any, const struct policy_near *near,
				    const uint8_t addr[16])
{
	const struct policy_class *found;
	uint64_t word[2];
	unsigned bit;

	memcpy(word, addr, sizeof(word));
	bit = policy_near_bit(word[0], word[1]);
	if (!(near->word[bit >> 6] >> (bit & 63) & 1))
		return any;
	found = has_exact ? look(exact, addr) : NULL;
	if (!found && has_prefix)
		found = look(prefix, addr);
	return found ? *found : any;
}

static struct policy_class source_class(const struct policy_image *m, const struct segment *seg)
{
	return class_of(&m->saddr_exact, &m->saddr_prefix, m->config.saddr_exact, m->config.saddr_prefix,
			m->config.saddr_any, &m->ports.saddr, seg->dir ? seg->key.b_addr : seg->key.a_addr);
}

static struct policy_class destination_class(const struct policy_image *m, const struct segment *seg)
{
	return class_of(&m->daddr_exact, &m->daddr_prefix, m->config.daddr_exact, m->config.daddr_prefix,
			m->config.daddr_any, &m->ports.daddr, seg->dir ? seg->key.a_addr : seg->key.b_addr);
}

static unsigned vlan_class(const struct policy_image *m, const struct segment *seg)
{
	return m->ports.vlan[seg->vlan < 4095 ? seg->vlan : 4095];
}

uint64_t policy_image_rules(const struct policy_image *image, const struct segment *seg, uint32_t invalid)
{
	const struct policy_config *c = &image->config;
	uint16_t sport = seg->dir ? seg->key.b_port : seg->key.a_port;
	uint16_t dport = seg->dir ? seg->key.a_port : seg->key.b_port;
	uint64_t rules = c->invalid_any;

	for (unsigned kind = 0; kind < INVALID_COUNT; kind++)
		if (invalid >> kind & 1)
			rules |= c->invalid[kind];
	rules &= c->flags[seg->bits & 63] & c->iface[seg->iface % WARD_IFACES];
	rules &= c->sport_rules[image->ports.sport[sport]] & c->dport_rules[image->ports.dport[dport]];
	rules &= c->vlan_rules[vlan_class(image, seg)];
	return rules & source_class(image, seg).rules & destination_class(image, seg).rules;
}

uint32_t policy_image_services(const struct policy_image *image, const struct segment *seg)
{
	const struct policy_config *c = &image->config;
	uint16_t dport = seg->dir ? seg->key.a_port : seg->key.b_port;
	uint32_t services = c->dport_services[image->ports.dport[dport]] & c->vlan_services[vlan_class(image, seg)];

	return services & c->iface_services[seg->iface % WARD_IFACES] & destination_class(image, seg).services;
}

bool policy_image_allows(const struct policy_image *image, const struct segment *seg)
{
	return source_class(image, seg).flags & CLASS_ALLOW;
}

int policy_image_dropper(const struct policy_image *image, const struct segment *seg, uint32_t invalid)
{
	const struct policy_config *c = &image->config;
	uint64_t rules = policy_image_rules(image, seg, invalid);

	if (c->mode != MODE_ENFORCE || policy_image_allows(image, seg))
		return -1;
	for (unsigned i = 0; i < c->rule_count && i < POLICY_RULES; i++) {
		const struct policy_rule *r = &c->rule[i];

		if (!(rules >> i & 1) || r->mode != MODE_ENFORCE)
			continue;
		return r->action == ACTION_DROP && !r->above.interval_ns ? (int)i : -1;
	}
	return -1;
}
