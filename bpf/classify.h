/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Classify: which rules and services a segment belongs to, by one look into a table for each dimension, however many rules
 * there are. What it works on, and what it finds, is in scratch.
 */
#ifndef BPF_CLASSIFY_H
#define BPF_CLASSIFY_H

#include "policy.h"

static __always_inline struct policy_config *config_get(__u32 slot_and_one)
{
	__u32 slot = (slot_and_one - 1) & 1;

	return bpf_map_lookup_elem(&policy_config, &slot);
}

/* May the tables of this direction hold it? */
static __always_inline int near_has(const struct policy_near *near, const __u64 addr[2])
{
	__u32 bit = policy_near_bit(addr[0], addr[1]);

	return near->word[masked(bit >> 6, POLICY_NEAR_WORDS - 1)] >> (bit & 63) & 1;
}

/* The class of an address in the two tables of its direction. NULL: it is in neither. */
static __always_inline struct policy_class *class_find(void *exact, void *prefixes, __u32 slot, const __u64 addr[2], int in_exact,
						       int in_prefixes)
{
	struct address_prefix key = {.len = 128};
	struct policy_class *c = (struct policy_class *)0;
	void *table;

	__builtin_memcpy(key.addr, addr, 16);
	if (in_exact) {
		table = bpf_map_lookup_elem(exact, &slot);
		if (table)
			c = bpf_map_lookup_elem(table, key.addr);
	}
	if (!c && in_prefixes) {
		table = bpf_map_lookup_elem(prefixes, &slot);
		if (table)
			c = bpf_map_lookup_elem(table, &key);
	}
	return c;
}

/* The parts of the classification, all inline in each of the functions below: a call costs more than a look. */
static __always_inline void class_source(struct scratch *sc, const struct policy_config *cfg, const struct policy_ports *ports,
					 __u32 slot)
{
	const struct policy_class *c = (const struct policy_class *)0;

	if (near_has(&ports->saddr, segment_saddr(&sc->seg)))
		c = class_find(&policy_saddr, &policy_sprefix, slot, segment_saddr(&sc->seg), cfg->saddr_exact, cfg->saddr_prefix);
	if (!c)
		c = &cfg->saddr_any;
	sc->policy.rules = c->rules;
	sc->policy.allowed = c->flags & CLASS_ALLOW;
}

static __always_inline void class_target(struct scratch *sc, const struct policy_config *cfg, const struct policy_ports *ports,
					 __u32 slot)
{
	const struct policy_class *c = (const struct policy_class *)0;

	if (near_has(&ports->daddr, segment_daddr(&sc->seg)))
		c = class_find(&policy_daddr, &policy_dprefix, slot, segment_daddr(&sc->seg), cfg->daddr_exact, cfg->daddr_prefix);
	if (!c)
		c = &cfg->daddr_any;
	sc->policy.rules &= c->rules;
	sc->policy.services = c->services;
}

static __always_inline void class_ports(struct scratch *sc, const struct policy_config *cfg, const struct policy_ports *ports)
{
	__u32 sport = sc->seg.dir & 1 ? sc->seg.key.b_port : sc->seg.key.a_port;
	__u32 dport = sc->seg.dir & 1 ? sc->seg.key.a_port : sc->seg.key.b_port;

	sc->policy.rules &= cfg->sport_rules[ports->sport[sport & 0xffff]];
	sc->policy.rules &= cfg->dport_rules[ports->dport[dport & 0xffff]];
	sc->policy.services &= cfg->dport_services[ports->dport[dport & 0xffff]];
}

static __always_inline void class_tuple(struct scratch *sc, const struct policy_config *cfg, const struct policy_ports *ports,
					__u32 slot)
{
	class_source(sc, cfg, ports, slot);
	class_target(sc, cfg, ports, slot);
	class_ports(sc, cfg, ports);
}

/* The sender's part alone: policy.rules and policy.allowed. */
__weak __noinline int classify_source(void)
{
	struct scratch *sc = scratch_get(SCRATCH_PACKET);
	struct policy_config *cfg;
	struct policy_ports *ports;
	__u32 slot;

	if (!sc)
		return 0;
	slot = (sc->policy.slot - 1) & 1;
	cfg = config_get(sc->policy.slot);
	ports = bpf_map_lookup_elem(&policy_ports, &slot);
	if (cfg && ports)
		class_source(sc, cfg, ports, slot);
	return 0;
}

/* Addresses and ports: what is the same for all segments of one direction of a flow. */
__weak __noinline int classify_tuple(void)
{
	struct scratch *sc = scratch_get(SCRATCH_PACKET);
	struct policy_config *cfg;
	struct policy_ports *ports;
	__u32 slot;

	if (!sc)
		return 0;
	slot = (sc->policy.slot - 1) & 1;
	cfg = config_get(sc->policy.slot);
	ports = bpf_map_lookup_elem(&policy_ports, &slot);
	if (!cfg || !ports)
		return 0;
	class_tuple(sc, cfg, ports, slot);
	return 0;
}

/* ... and what the segment in scratch has besides, but for what is invalid: policy.rules and policy.services. */
__weak __noinline int classify(void)
{
	struct scratch *sc = scratch_get(SCRATCH_PACKET);
	struct policy_config *cfg;
	struct policy_ports *ports;
	__u32 slot;

	if (!sc)
		return 0;
	slot = (sc->policy.slot - 1) & 1;
	cfg = config_get(sc->policy.slot);
	ports = bpf_map_lookup_elem(&policy_ports, &slot);
	if (!cfg || !ports)
		return 0;
	class_tuple(sc, cfg, ports, slot);
	/* VLAN_UNSEEN becomes 4095, which no frame carries */
	sc->policy.rules &= cfg->vlan_rules[ports->vlan[sc->seg.vlan & 0xfff]];
	sc->policy.rules &= cfg->flags[POLICY_BITS(sc->seg.bits)];
	sc->policy.rules &= cfg->iface[sc->seg.iface & (WARD_IFACES - 1)];
	sc->policy.services &= cfg->vlan_services[ports->vlan[sc->seg.vlan & 0xfff]];
	sc->policy.services &= cfg->iface_services[sc->seg.iface & (WARD_IFACES - 1)];
	return 0;
}

#endif
