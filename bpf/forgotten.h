/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Flows that the tracker has forgotten, though the stack may still know them: bits for a hash value. A SYN of no record whose
 * bits are clear is of no connection of the stack either: SYN cookies need not ask it (cookie.bpf.c).
 *
 * Records that time out set a bit, which stays: an application may leave a socket in CLOSE-WAIT for ever. (Half-open ones set
 * none: the stack gives those up sooner.) Handshakes that lose their place to others, of which a flood makes many before
 * cookies stop it, set one in the present of two generations; the sweep empties the older one, when all that it holds is at
 * least 68 s old: the stack gives up a handshake after 63 s. Notes of those are taken only while cookies are answered; what
 * was lost when nobody took notes is remembered by the time alone. When in the end every bit is set, every SYN asks the stack.
 */
#ifndef BPF_FORGOTTEN_H
#define BPF_FORGOTTEN_H

#include "cookie.h"
#include "sets.h"

#define FORGOTTEN_WORDS 16384
#define FORGOTTEN_NS (1ULL << 37) /* 137 s: the stack gives up what a nearly full table drops early in 120 s */
#define GENERATION_SHIFT 37

/* Side by side: one cache line is asked. */
struct forgotten_words {
	__u64 timed_out;
	__u64 evicted[2]; /* by generation */
	__u64 pad;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, FORGOTTEN_WORDS);
	__type(key, __u32);
	__type(value, struct forgotten_words);
} forgotten WARD_MAP;

static __always_inline struct forgotten_words *forgotten_words(__u64 hash)
{
	__u32 index = hash >> 26 & (FORGOTTEN_WORDS - 1);

	return bpf_map_lookup_elem(&forgotten, &index);
}

static __always_inline void forgotten_set(__u64 *word, __u64 hash)
{
	__u64 bit = 1ULL << (hash >> 20 & 63);

	if (!(*(volatile __u64 *)word & bit))
		__sync_fetch_and_or(word, bit);
}

static __always_inline int in_handshake(__u8 a, __u8 b)
{
	return a == SYN_SENT || b == SYN_SENT || a == SYN_RECEIVED || b == SYN_RECEIVED;
}

/* Record f, whose time is over, is about to go. */
static __always_inline void forgotten_add(const struct flow_key *key, const struct flow *f)
{
	__u8 a = f->state[0], b = f->state[1];
	struct forgotten_words *words;
	__u64 hash;

	if ((tcp_gone(a) && tcp_gone(b)) || in_handshake(a, b))
		return;
	hash = key_hash(key);
	words = forgotten_words(hash);
	if (words)
		forgotten_set(&words->timed_out, hash);
}

/* A handshake gives way to another one: is a note of it to be taken? */
static __always_inline int forgotten_notes(__u64 now)
{
	struct cookie_conf *conf = cookie_conf_get();

	if (conf && conf->knows_from_ns)
		return 1;
	if (unnoted_ns != now)
		unnoted_ns = now;
	return 0;
}

static __always_inline void forgotten_handshake(const struct flow_key *key, __u64 now)
{
	__u64 hash = key_hash(key);
	struct forgotten_words *words = forgotten_words(hash);

	if (words)
		forgotten_set(&words->evicted[now >> GENERATION_SHIFT & 1], hash);
}

/* Record f gives way to another one. */
static __always_inline void forgotten_evicted(const struct flow_key *key, const struct flow *f, __u64 now)
{
	if (!in_handshake(f->state[0], f->state[1]))
		forgotten_add(key, f);
	else if (forgotten_notes(now))
		forgotten_handshake(key, now);
}

/* 1: the stack may know a flow of this hash, of which there is no record. */
static __always_inline int forgotten_maybe(__u64 hash, __u64 now)
{
	struct ward_control *ctl = control_get();
	struct forgotten_words *words;

	if (!ctl || ctl->fill_permille >= 950 || unnoted_ns + FORGOTTEN_NS > now || early_ns + FORGOTTEN_NS > now)
		return 1;
	words = forgotten_words(hash);
	return !words || (*(volatile __u64 *)&words->timed_out | *(volatile __u64 *)&words->evicted[0] |
			  *(volatile __u64 *)&words->evicted[1]) >> (hash >> 20 & 63) & 1;
}

/* ---- the sweep's part ---- */
static long forgotten_clear(__u32 i, __u32 *half)
{
	struct forgotten_words *words = bpf_map_lookup_elem(&forgotten, &i);

	if (words)
		*(volatile __u64 *)&words->evicted[*half & 1] = 0;
	return 0;
}

/* In the second half of a generation the one before is emptied, once. */
static __always_inline void forgotten_sweep(__u64 now)
{
	__u64 generation = now >> GENERATION_SHIFT;
	__u32 half = (generation + 1) & 1;

	if (!(now >> (GENERATION_SHIFT - 1) & 1) || forgotten_generation == generation)
		return;
	forgotten_generation = generation;
	bpf_loop(FORGOTTEN_WORDS, forgotten_clear, &half, 0);
}

#endif
