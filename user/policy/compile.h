/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the files that make a policy's image share. */
#ifndef USER_POLICY_COMPILE_H
#define USER_POLICY_COMPILE_H

#include "policy/policy.h"

/* ---- addresses: compile_addr.c ---- */
struct address_list {
	struct policy_address *item;
	size_t count, room;
};

/* Adds one entry for each of the list's prefixes, of which class holds. 0, or -ENOMEM. */
int addresses_add(struct address_list *to, const struct cidr_list *from, struct policy_class class);
/*
 * Makes the two tables of all that was added: one entry a prefix, with what holds for it in all, by itself and by the
 * prefixes that cover it. any: what holds for every address. The list is used up. 0, or -ENOMEM.
 */
int addresses_resolve(struct address_list *from, struct policy_class any, struct policy_table *exact,
		      struct policy_table *prefix);

/*
 * The other way round: one table of both, in the order of prefix_compare(), each entry with what it adds to those around it; so
 * of a list, what lies in no other prefix of it. To be freed. 0, or -ENOMEM.
 */
int addresses_own(const struct policy_table *exact, const struct policy_table *prefix, const struct policy_class *any,
		  struct policy_table *out);

/* Notes where the entries of a table stand that say more than any, which holds for every address. */
void addresses_near(const struct policy_table *table, const struct policy_class *any, struct policy_near *near);

/* ---- ports and VLANs: compile_ports.c ---- */
/* A condition on a number: of which rules, and of which services. */
struct port_condition {
	const struct range_list *ranges;
	uint64_t rules;
	uint32_t services;
};

struct port_classes {
	uint8_t *class; /* out: of each of the size numbers */
	unsigned size;
	unsigned end;	    /* numbers from here on fulfil no condition */
	uint64_t any_rules; /* hold for each number */
	uint32_t any_services;
	__u64 *rules;    /* out: by class */
	__u32 *services; /* out: by class; may be NULL */
};

/* Cuts the numbers into classes that fulfil the same conditions. Returns how many it takes (if more than
 * POLICY_PORT_CLASSES, nothing is written), or -ENOMEM. */
int port_classes_make(const struct port_condition *conditions, unsigned count, struct port_classes *out);

#endif
