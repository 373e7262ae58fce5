/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The flow key as five words: hash and comparison. */
#ifndef BPF_KEY_H
#define BPF_KEY_H

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

static __always_inline int key_equal(const struct flow_key *a, const struct flow_key *b)
{
	const __u64 *x = (const __u64 *)a, *y = (const __u64 *)b;

	return !((x[0] ^ y[0]) | (x[1] ^ y[1]) | (x[2] ^ y[2]) | (x[3] ^ y[3]) | (x[4] ^ y[4]));
}

#endif
