/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* prefix: addresses and prefixes in order, and which holds which. */
#ifndef POLICY_PREFIX_H
#define POLICY_PREFIX_H

#include <stdbool.h>

#include "enforce.h"

#define PREFIX_WHOLE 128 /* bits of an address: IPv4 ones have 96 more than they are written with */

/* One entry of a list kept by hand. */
struct list_item {
	struct address_prefix prefix;
	struct list_entry entry;
};

/* By address, then the wider one first; IPv4 is ::ffff:a.b.c.d. For qsort() of what begins with a prefix. */
int prefix_compare(const void *a, const void *b);
bool prefix_is_v4(const struct address_prefix *prefix);
/* Is every address of narrow one of wide? ::/0 holds no IPv4 address. */
bool prefix_covers(const struct address_prefix *wide, const struct address_prefix *narrow);
/* Do they have an address in common? */
bool prefix_overlaps(const struct address_prefix *a, const struct address_prefix *b);
/* "192.0.2.0/24"; a whole address bears no length. */
const char *prefix_text(const struct address_prefix *prefix, char buf[64]);
/* Clears the bits beyond len; were any set? */
bool prefix_cut(struct address_prefix *prefix);
/* The prefix of a whole address, network order. */
struct address_prefix prefix_of(const __u8 addr[16]);

#endif
