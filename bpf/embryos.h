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
#include "sets.h"

/*
 * An embryo gives way to a newer one. Its record is locked. A fresh one, all that a flood evicts, is reported from its hot
 * part alone.
 */
static __always_inline void report_eviction(struct scratch *sc, struct embryo *e)
{
	struct flow *f = &e->flow;

	if ((f->phase & PHASE_FRESH) && !replay) {
		bump(CNT_END_EVICTED);
		bump(CNT_EVICT_SYN_SENT);
		if (!event_wanted(sc, EVENT_END))
			return;
		event_begin_fresh(sc, &e->key, f, EVENT_END);
		sc->ev.event.reason = END_EVICTED;
		emit(SCRATCH_PACKET, EMIT_PLAIN);
		return;
	}
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
	__u32 i, scan;
	int got;

	if (!word_lock(&set->lock))
		return CLAIM_BUSY;
	scan = set_scan(set, tag);
	if ((scan & 0xff) != NO_WAY) {
		word_unlock(&set->lock);
		return CLAIM_EXISTS;
	}
	i = scan >> 8 & (EMBRYO_WAYS - 1);
	e = &set->way[i];
	fetch_record(e);
	word = record_word(&e->flow);
	/* another generation, so that nobody takes the new record for the old one */
	next = (word & 0xffff00ffffffffffULL) + (1ULL << 48);
	next |= WORD_PHASE(PHASE_LIVE | PHASE_LOCKED | (word >> 40 & PHASE_FRESH));
	got = !(word & WORD_PHASE(PHASE_LOCKED)) &&
	      __sync_val_compare_and_swap((__u64 *)&e->flow, word, next) == word;
	if (got && word_life(word) != PHASE_FREE)
		report_eviction(sc, e);
	if (got) {
		sc->word = next;
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
	__u64 was;
	long err;

	__builtin_memcpy(&sc->fresh, f, sizeof(sc->fresh));
	sc->fresh.phase &= ~PHASE_LOCKED;
	err = bpf_map_update_elem(&flows, &sc->seg.key, &sc->fresh, BPF_NOEXIST);
	if (err) {
		if (err != -17 /* EEXIST: the former record of this 4-tuple is about to be deleted */)
			bump(CNT_TABLE_FULL);
		return -1;
	}
	was = __sync_fetch_and_add(&promotions, 1); /* before the embryo goes: see track_missing() */
	asm volatile("" : : "r"(was)); /* used: else it is the form without fetch, which orders nothing on arm64 */
	bump(CNT_PROMOTED);
	return 0;
}

#endif
