/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The block list's quick part: map "block_sets" holds, for IPv4 addresses of map "block_addrs", what the packet path needs to
 * drop a segment by one cache line: the address itself, until when, and how often. "block_addrs" stays the list: for user
 * space, and for what has no place here: IPv6, prefixes of limits, what its set has no room for. An address that is missing
 * here is found there, only slower; so whoever is in doubt takes it out.
 *
 * Nothing may stand here that block_addrs does not hold, or for longer than there. There is no lock (a process that is killed
 * would keep it): an address and its time are one word, changed by compare-and-swap. What the writers owe each other:
 * - Whoever changes block_addrs comes here afterwards: block_set_put() or block_set_take().
 * - Whoever has put an address in looks at block_addrs once more. If another one stands there now than he put, or none, he
 *   takes his word out again: the other's change came between, and the other may have been here before him. Whichever of
 *   two writes is the last one here, its writer looks after it.
 * - Whoever takes an entry out of block_addrs, or gives it another time, takes it out here before as well: killed between the
 *   two, it is only slow. (A packet program is not killed.)
 * - Where two put the same address into two ways at once, one of them finds in block_addrs what the other put; and what is
 *   put or taken out goes through all ways.
 * The worst that is left is a writer killed between its two steps while another one was at the same address: the sweeper
 * compares all sets with block_addrs, 2048 at a time.
 *
 * Hits are counted here, by all CPUs in one place: a line that is in use anyway. Of every 256 the packet path carries 256
 * over to the entry in block_addrs, so an entry has its own hits and the low bits of those here. Who writes an entry anew puts
 * both into it, and begins at 0 here. A segment that has found its address while the way is given to another one counts for
 * that other one: one hit.
 */
#ifndef BLOCK_SET_H
#define BLOCK_SET_H

#include "enforce.h"

#define BLOCK_WAYS 5
#define BLOCK_SET_BITS 17 /* two entries of a full list to a set: of a hundred one finds no room */
#define BLOCK_SETS (1 << BLOCK_SET_BITS)
#define BLOCK_FOREVER 0xffffffff
#define BLOCK_CARRY 256

/* One element of map "block_sets": a cache line. Way: block_word(); no time in it: free. */
struct block_set {
	__u64 way[BLOCK_WAYS];
	__u32 hits[BLOCK_WAYS];
	__u32 pad;
};

_Static_assert(sizeof(struct block_set) == 64, "one cache line");

/* An address has a place here: one of IPv4, whole. 0.0.0.0 is what a free way looks like. high, low: as they lie in memory. */
static __always_inline int block_set_fits(__u64 high, __u64 low)
{
	return !high && (__u32)low == 0xffff0000 && low >> 32;
}

/* The set of an address whose bit in "block_filter" is block_bit_of(). */
static __always_inline __u32 block_set_index(__u32 bit)
{
	return bit >> (21 - BLOCK_SET_BITS);
}

_Static_assert(BLOCK_FILTER_WORDS * 64 == 1 << 21, "sets go by the upper bits of block_bit_of()");

/* A time as the sets hold it, in steps of 2^30 ns: of an end it is rounded down, and block_addrs knows the rest. */
static __always_inline __u32 block_time(__u64 ns)
{
	return ns >> 30 < BLOCK_FOREVER ? (__u32)(ns >> 30) : BLOCK_FOREVER - 1;
}

/* low: the second half of the address; until_ns since the epoch, 0: for ever. */
static __always_inline __u64 block_word(__u64 low, __u64 until_ns)
{
	return (low >> 32 << 32) | (until_ns ? block_time(until_ns) : BLOCK_FOREVER);
}

/* The words of a prefix's address, as they lie in memory. */
static __always_inline __u64 block_high(const struct address_prefix *p)
{
	const __u32 *word = (const __u32 *)p->addr;

	return word[0] | (__u64)word[1] << 32;
}

static __always_inline __u64 block_low(const struct address_prefix *p)
{
	const __u32 *word = (const __u32 *)p->addr;

	return word[2] | (__u64)word[3] << 32;
}

/* The way that blocks the address now; BLOCK_WAYS: none does. Without branches: which way it is, no CPU would foresee. */
static __always_inline __u32 block_set_find(const volatile struct block_set *set, __u64 low, __u32 now)
{
	__u64 none = ~0ULL;
	__u32 at = 0;
	int i;

	for (i = 0; i < BLOCK_WAYS; i++) {
		__u64 w = set->way[i];

		/* its top bit: addresses are equal, and now is before the end */
		none &= ~((((w ^ low) >> 32) - 1) & ((__u64)now - (__u32)w));
		at += none >> 63;
	}
	return at;
}

/* Puts an address in, in the place of its old word; now: block_time(). reset: its hits begin at 0. 0: the set has no room. */
static __always_inline int block_set_put(struct block_set *set, __u64 word, __u32 now, int reset)
{
	__u64 w, bare = word >> 32 << 32;
	int i, done = 0;

	for (i = 0; i < BLOCK_WAYS; i++) {
		w = *(volatile __u64 *)&set->way[i];
		if ((w ^ word) >> 32)
			continue;
		if (w != word || done)
			__sync_val_compare_and_swap(&set->way[i], w, done ? 0 : word);
		if (reset && !done)
			*(volatile __u32 *)&set->hits[i] = 0;
		done = 1;
	}
	for (i = 0; i < BLOCK_WAYS; i++) {
		w = *(volatile __u64 *)&set->way[i];
		if (done || (__u32)w > now)
			continue;
		/* claimed, without a time yet, until the hits of who was there before are gone */
		if (__sync_val_compare_and_swap(&set->way[i], w, bare) != w)
			continue;
		*(volatile __u32 *)&set->hits[i] = 0;
		__sync_val_compare_and_swap(&set->way[i], bare, word);
		done = 1;
	}
	return done;
}

/* Takes an address out, whatever its time. */
static __always_inline void block_set_take(struct block_set *set, __u64 low)
{
	__u64 w;
	int i;

	for (i = 0; i < BLOCK_WAYS; i++) {
		w = *(volatile __u64 *)&set->way[i];
		if (!((w ^ low) >> 32))
			__sync_val_compare_and_swap(&set->way[i], w, 0);
	}
}

/* Takes back what block_set_put() has put. */
static __always_inline void block_set_undo(struct block_set *set, __u64 word)
{
	int i;

	for (i = 0; i < BLOCK_WAYS; i++)
		__sync_val_compare_and_swap(&set->way[i], word, 0);
}

#endif
