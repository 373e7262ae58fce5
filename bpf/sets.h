/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Sets of embryos (include/embryo.h): the hash of a key, and the search of a set. */
#ifndef BPF_SETS_H
#define BPF_SETS_H

#include "maps.h"

/* Keyed, so that nobody outside can choose which embryos share a set. */
static __always_inline __u64 key_hash(const struct flow_key *key)
{
	const __u64 *w = (const __u64 *)key;
	__u64 h = boot_secret[0];
	int i;

	for (i = 0; i < 5; i++) {
		h = (h ^ w[i]) * 0x9e3779b97f4a7c15ULL;
		h ^= h >> 29;
		h += boot_secret[1];
	}
	h *= 0xbf58476d1ce4e5b9ULL;
	return h ^ h >> 32;
}

/* What a set keeps of the hash to find the key; never 0 */
static __always_inline __u16 hash_tag(__u64 hash)
{
	return (__u16)(hash >> 48) | 1;
}

static __always_inline int key_equal(const struct flow_key *a, const struct flow_key *b)
{
	const __u64 *x = (const __u64 *)a, *y = (const __u64 *)b;

	return !((x[0] ^ y[0]) | (x[1] ^ y[1]) | (x[2] ^ y[2]) | (x[3] ^ y[3]) | (x[4] ^ y[4]));
}

#define NO_WAY EMBRYO_WAYS

/* The way of the record with the key in scratch, or NO_WAY. Without a lock: what is found may go before it is locked. */
__weak __noinline int record_find(struct syn_set *set, struct embryo_set *records, __u16 tag)
{
	struct scratch *sc = scratch_get(SCRATCH_PACKET);
	__u32 i;

	if (!sc || !set || !records || !ways_may_hold(&set->records, tag))
		return NO_WAY;
	for (i = 0; i < EMBRYO_WAYS; i++)
		if (*(const volatile __u16 *)&set->records.tag[i] == tag && key_equal(&records->way[i].key, &sc->seg.key))
			return i;
	return NO_WAY;
}

/* The way of the SYN with the key in scratch, or NO_WAY. The set is locked. */
__weak __noinline int syn_find(struct syn_set *set, __u16 tag)
{
	struct scratch *sc = scratch_get(SCRATCH_PACKET);
	__u32 i;

	if (!sc || !set || !ways_may_hold(&set->syns, tag))
		return NO_WAY;
	for (i = 0; i < EMBRYO_WAYS; i++)
		if (set->syns.tag[i] == tag && syn_has_key(&set->way[i], &sc->seg.key))
			return i;
	return NO_WAY;
}

#endif
