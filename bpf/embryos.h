/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Embryos: find, claim, free and promote (see include/embryo.h). A place is found without a lock: its tag, then its key, are
 * compared, then the record is locked and the key compared again. Only claiming a place takes the set's lock. Worst case:
 * while two CPUs see the first two segments of one connection, one of them waits for the other; a set whose holder was
 * stopped costs the segment (lock-busy).
 */
#ifndef BPF_EMBRYOS_H
#define BPF_EMBRYOS_H

#include "flow.h"

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

#define NO_WAY EMBRYO_WAYS

static __always_inline __u32 set_find(const struct embryo_set *set, __u32 tag, const struct flow_key *key)
{
	__u32 i;

	for (i = 0; i < EMBRYO_WAYS; i++)
		if (*(const volatile __u32 *)&set->tag[i] == tag && key_equal(&set->way[i].key, key))
			return i;
	return NO_WAY;
}

/* The place for a new embryo: a free one, else the oldest. */
static __always_inline __u32 set_victim(const struct embryo_set *set)
{
	__u32 i, oldest = 0;
	__u16 age, most = 0;

	for (i = 0; i < EMBRYO_WAYS; i++) {
		if (!set->tag[i])
			return i;
		age = (__u16)(set->clock - set->age[i]);
		if (age > most) {
			most = age;
			oldest = i;
		}
	}
	return oldest;
}

/* An embryo gives way to a newer one. Its record is locked. */
static __always_inline void report_eviction(struct scratch *sc, struct embryo *e)
{
	struct flow *f = &e->flow;

	embryo_complete(f);
	if (!(f->flags & MARK_ENDED)) {
		emit_end(sc, SCRATCH_PACKET, &e->key, f, END_EVICTED, sc->seg.now_ns, 0);
		if (f->state[0] == SYN_RECEIVED || f->state[1] == SYN_RECEIVED)
			bump(CNT_EVICT_SYN_RECEIVED);
		else if (f->state[0] == SYN_SENT || f->state[1] == SYN_SENT)
			bump(CNT_EVICT_SYN_SENT);
		else
			bump(CNT_EVICT_OTHER);
	}
	emit_retire(sc, SCRATCH_PACKET, &e->key, f, sc->seg.now_ns);
}

enum claim_result { CLAIM_BUSY = -1, CLAIM_EXISTS = -2 };

/*
 * Claims a place for the key in scratch and locks its record: returns the way, or enum claim_result. What lived there is
 * reported. The record's phase is LIVE and locked, its generation new, the rest still the old one's.
 */
static __always_inline int set_claim(struct scratch *sc, struct embryo_set *set, __u32 tag)
{
	struct embryo *e;
	__u64 word, next;
	__u32 i;
	int got;

	if (!word_lock(&set->lock))
		return CLAIM_BUSY;
	if (set_find(set, tag, &sc->seg.key) != NO_WAY) { /* another CPU was faster */
		word_unlock(&set->lock);
		return CLAIM_EXISTS;
	}
	i = set_victim(set) & (EMBRYO_WAYS - 1);
	e = &set->way[i];
	word = record_word(&e->flow);
	/* another generation, so that nobody takes the new record for the old one */
	next = (word & 0xffff00ffffffffffULL) + (1ULL << 48);
	next |= WORD_PHASE(PHASE_LIVE | PHASE_LOCKED | (word >> 40 & PHASE_FRESH));
	got = !(word & WORD_PHASE(PHASE_LOCKED)) &&
	      __sync_val_compare_and_swap((__u64 *)&e->flow, word, next) == word;
	if (got && word_life(word) != PHASE_FREE)
		report_eviction(sc, e);
	if (got) {
		__builtin_memcpy(&e->key, &sc->seg.key, sizeof(e->key));
		set->age[i] = (__u16)set->clock++;
		*(volatile __u32 *)&set->tag[i] = tag;
	}
	word_unlock(&set->lock);
	return got ? (int)i : CLAIM_BUSY;
}

/* Gives the place back. The record is locked by us. */
static __always_inline void embryo_free(struct embryo_set *set, __u32 i)
{
	struct flow *f = &set->way[i & (EMBRYO_WAYS - 1)].flow;

	*(volatile __u32 *)&set->tag[i & (EMBRYO_WAYS - 1)] = 0;
	f->phase = PHASE_LOCKED; /* life FREE */
	record_unlock(f);
}

/* Moves the record into the flow table. 0: it moved, the embryo is to be freed. */
static __always_inline int promote(struct scratch *sc, const struct flow *f)
{
	__builtin_memcpy(&sc->fresh, f, sizeof(sc->fresh));
	sc->fresh.phase &= ~PHASE_LOCKED;
	if (bpf_map_update_elem(&flows, &sc->seg.key, &sc->fresh, BPF_NOEXIST)) {
		bump(CNT_TABLE_FULL);
		return -1;
	}
	__sync_fetch_and_add(&promotions, 1); /* before the embryo goes: see missing() in track.bpf.c */
	bump(CNT_PROMOTED);
	return 0;
}

#endif
