/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Flows that the tracker has forgotten, though the stack may still know them: one bit for a hash value. A SYN of no record
 * whose bit is clear, and that nothing evicted lately can have been, is of no connection of the stack either: SYN cookies
 * need not ask it (cookie.bpf.c).
 *
 * Records that time out set a bit, which stays: an application may leave a socket in CLOSE-WAIT for ever. (Half-open ones set
 * none: the stack gives those up sooner.) What loses its place to others, of which a flood makes too many, is remembered by
 * the time alone. When in the end every bit is set, every SYN asks the stack.
 */
#ifndef BPF_FORGOTTEN_H
#define BPF_FORGOTTEN_H

#include "sets.h"

#define FORGOTTEN_WORDS 16384
#define FORGOTTEN_NS (1ULL << 37) /* 137 s: the stack gives up what a nearly full table drops early in 120 s */

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, FORGOTTEN_WORDS);
	__type(key, __u32);
	__type(value, __u64);
} forgotten WARD_MAP;

static __always_inline __u64 *forgotten_word(__u64 hash)
{
	__u32 index = hash >> 26 & (FORGOTTEN_WORDS - 1);

	return bpf_map_lookup_elem(&forgotten, &index);
}

/* Record f, whose time is over, is about to go. */
static __always_inline void forgotten_add(const struct flow_key *key, const struct flow *f)
{
	__u8 a = f->state[0], b = f->state[1];
	__u64 hash, bit, *word;

	if ((tcp_gone(a) && tcp_gone(b)) || a == SYN_SENT || b == SYN_SENT || a == SYN_RECEIVED || b == SYN_RECEIVED)
		return;
	hash = key_hash(key);
	bit = 1ULL << (hash >> 20 & 63);
	word = forgotten_word(hash);
	if (word && !(*(volatile __u64 *)word & bit))
		__sync_fetch_and_or(word, bit);
}

/* 1: the stack may know a flow of this hash, of which there is no record. */
static __always_inline int forgotten_maybe(__u64 hash, __u64 now)
{
	struct ward_control *ctl = control_get();
	__u64 *word;

	if (!ctl || ctl->fill_permille >= 950 || evicted_ns + FORGOTTEN_NS > now || early_ns + FORGOTTEN_NS > now)
		return 1;
	word = forgotten_word(hash);
	return !word || *(volatile __u64 *)word >> (hash >> 20 & 63) & 1;
}

#endif
