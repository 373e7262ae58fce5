/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which keys the flow table may hold: two bits of one word for a hash value, of eight for each place of the table. A SYN of
 * whose bits one is clear is of no flow in the table, and saves the search (`make bench`: of the order of "own parser + lookup"
 * less "own parser + drop"); with the table half full one new SYN in 70 searches in vain. A flow sets its bits after it is in
 * the table. Bits are not cleared one by one: when many flows have gone, the sweep makes the other half of the map anew, while
 * new flows set their bits in both, and then the halves change places.
 *
 * What user space puts into the table (seed.c) sets no bits. So it makes control.present_epoch odd before and even behind,
 * and until the sweep has made the bits for that epoch, every SYN searches the table.
 */
#ifndef BPF_PRESENT_H
#define BPF_PRESENT_H

#include "sets.h"

#define PRESENT_STALE_MIN 4096 /* so many flows (of a small table a quarter), and a quarter of those that are there, have gone */

/* The word of the hash's bits in one half (0 or 1), or NULL. */
static __always_inline __u64 *present_word(__u64 hash, __u32 half)
{
	__u32 index = (hash >> 20 & present_mask) >> 6;

	if (half & 1)
		index += (present_mask >> 6) + 1;
	return bpf_map_lookup_elem(&present, &index);
}

static __always_inline __u64 present_bits(__u64 hash)
{
	return 1ULL << (hash >> 20 & 63) | 1ULL << (hash >> 58);
}

/* 0: the flow table does not hold the key of this hash. */
static __always_inline int present_maybe(__u64 hash)
{
	struct ward_control *ctl = control_get();
	__u64 *word, bits = present_bits(hash);

	if (!ctl || *(volatile __u32 *)&ctl->present_epoch != *(volatile __u32 *)&ctl->present_built)
		return 1;
	word = present_word(hash, *(volatile __u32 *)&ctl->present_half);
	return !word || (*(volatile __u64 *)word & bits) == bits;
}

static __always_inline void present_set(__u64 hash, __u32 half)
{
	__u64 *word = present_word(hash, half), bits = present_bits(hash);

	if (word && (*(volatile __u64 *)word & bits) != bits)
		__sync_fetch_and_or(word, bits);
}

/* The flow is in the table now. */
static __always_inline void present_add(__u64 hash)
{
	present_set(hash, 0);
	present_set(hash, 1);
}

/* ---- the sweep's part ---- */
static long present_clear(__u32 i, __u32 *half)
{
	__u32 index = *half & 1 ? i + (present_mask >> 6) + 1 : i;
	__u64 *word = bpf_map_lookup_elem(&present, &index);

	if (word)
		*(volatile __u64 *)word = 0;
	return 0;
}

/* Is a new half worth its while? Then the other one is emptied: returns 1 + its number. */
static __always_inline __u32 present_begin(struct ward_control *ctl, __u64 flows)
{
	__u32 half = (ctl->present_half & 1) ^ 1;
	__u32 least = flows_max / 4 < PRESENT_STALE_MIN ? flows_max / 4 : PRESENT_STALE_MIN;

	if (ctl->present_epoch == ctl->present_built && (present_gone < least || present_gone < flows / 4))
		return 0;
	bpf_loop((present_mask >> 6) + 1, present_clear, &half, 0);
	return 1 + half;
}

/* The walk over the table is done; epoch: control.present_epoch when it began. */
static __always_inline void present_end(struct ward_control *ctl, __u32 half, __u32 epoch, __u64 gone)
{
	if (epoch & 1 || *(volatile __u32 *)&ctl->present_epoch != epoch)
		return;
	__sync_lock_test_and_set(&ctl->present_half, half);
	__sync_lock_test_and_set(&ctl->present_built, epoch);
	present_gone -= gone;
}

#endif
