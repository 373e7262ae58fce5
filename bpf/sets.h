/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Sets of embryos: the key as five words, its hash, and the search of a set. */
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
static __always_inline __u32 hash_tag(__u64 hash)
{
	return (__u32)(hash >> 32) | 1;
}

static __always_inline int key_equal(const struct flow_key *a, const struct flow_key *b)
{
	const __u64 *x = (const __u64 *)a, *y = (const __u64 *)b;

	return !((x[0] ^ y[0]) | (x[1] ^ y[1]) | (x[2] ^ y[2]) | (x[3] ^ y[3]) | (x[4] ^ y[4]));
}

#define NO_WAY EMBRYO_WAYS

/*
 * Looks in the set for the key in scratch and, on the same way, for a place for it: a free one, else the oldest. Returns the
 * way of the key (or NO_WAY), and the place << 8. A function of its own to the verifier.
 */
__weak __noinline int set_scan(struct embryo_set *set, __u32 tag)
{
	struct scratch *sc = scratch_get(SCRATCH_PACKET);
	__u32 i, t, age, most = 0, place = 0;

	if (!sc || !set)
		return NO_WAY;
	for (i = 0; i < EMBRYO_WAYS; i++) {
		t = *(const volatile __u32 *)&set->tag[i];
		if (t == tag && key_equal(&set->way[i].key, &sc->seg.key))
			return i;
		age = t ? (__u16)(set->clock - set->age[i]) : 0x10000;
		if (age > most) {
			most = age;
			place = i;
		}
	}
	return NO_WAY | place << 8;
}

/*
 * The lines of a record that will be written are fetched together and early: else each locked instruction on the way would
 * wait for one after the other.
 */
static __always_inline void fetch_record(const struct embryo *e)
{
	*(const volatile __u64 *)&e->key;
	*(const volatile __u64 *)&e->flow.half[0].last_ns;
}

#endif
