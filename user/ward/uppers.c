// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * uppers: the devices that stand on an instance's interfaces: VLAN devices and their like, bridges and bonds all of whose ports
 * are its own, and what stands on those. A segment that a router gets by one of them has been seen below, and must not be counted
 * again where it leaves. As they are when the programs are loaded: attach again where others have come since.
 */
#include <errno.h>
#include <stdlib.h>

#include "ward/checks.h"
#include "ward/inside.h"

struct links {
	struct link_facts *link;
	bool *seen;
	int count;
};

static bool is_seen(const struct links *all, uint32_t ifindex)
{
	for (int i = 0; i < all->count; i++)
		if (all->link[i].ifindex == ifindex)
			return all->seen[i];
	return false;
}

/* All it gets comes by devices that are seen. */
static bool is_seen_below(const struct links *all, const struct link_facts *l)
{
	bool ports = false;

	if (iface_shares_segments(l->kind))
		return !l->lower_elsewhere && is_seen(all, l->lower);
	for (int i = 0; i < all->count; i++) {
		if (all->link[i].master != l->ifindex)
			continue;
		if (!all->seen[i])
			return false;
		ports = true;
	}
	return ports;
}

static bool put(uint32_t uppers[UPPER_SETS * UPPER_WAYS], uint32_t ifindex)
{
	uint32_t *set = uppers + (ifindex % UPPER_SETS) * UPPER_WAYS;

	for (int i = 0; i < UPPER_WAYS; i++)
		if (!set[i]) {
			set[i] = ifindex;
			return true;
		}
	return false;
}

/* Those that stand on what is seen, one above the other; how many found no room. */
static int find(struct links *all, uint32_t uppers[UPPER_SETS * UPPER_WAYS])
{
	bool again = true;
	int left_out = 0;

	while (again) {
		again = false;
		for (int i = 0; i < all->count; i++) {
			if (all->seen[i] || !is_seen_below(all, &all->link[i]))
				continue;
			all->seen[i] = again = true;
			left_out += !put(uppers, all->link[i].ifindex);
		}
	}
	return left_out;
}

int uppers_find(const struct ward_iface *rows, unsigned count, uint32_t uppers[UPPER_SETS * UPPER_WAYS])
{
	struct links all = { 0 };
	int left_out;

	all.count = links_read(&all.link);
	if (all.count < 0)
		return all.count;
	all.seen = calloc((size_t)all.count + 1, sizeof(*all.seen));
	for (int i = 0; all.seen && i < all.count; i++)
		for (unsigned j = 0; j < count; j++)
			all.seen[i] |= all.link[i].ifindex == rows[j].ifindex;
	left_out = all.seen ? find(&all, uppers) : -ENOMEM;
	free(all.seen);
	free(all.link);
	return left_out;
}
