/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Embryos: claim, free and promote places (see include/embryo.h). A record's place is found without a lock: its tag, then its
 * key, are compared, then the record is locked and the key compared again. Claiming a place, and all use of a SYN at rest,
 * takes the set's lock. Worst case: while two CPUs see the first two segments of one connection, one of them waits for the
 * other; a set whose holder was stopped costs the segment (no-room), and so does one that the sweep holds on this CPU.
 */
#ifndef BPF_EMBRYOS_H
#define BPF_EMBRYOS_H

#include "flow.h"
#include "present.h"

/* A SYN at rest gives way to a newer one: all that a flood can evict. The set is locked. */
__weak __noinline int report_evicted_syn(struct syn *s)
{
	struct scratch *sc = scratch_get(SCRATCH_PACKET);
	int wanted;

	if (!sc || !s)
		return 0;
	bump(CNT_EVICT_SYN_SENT);
	bump(CNT_END_EVICTED);
	if (evicted_ns != sc->seg.now_ns)
		evicted_ns = sc->seg.now_ns;
	if (forgotten_notes(sc->seg.now_ns)) {
		syn_key(s, &sc->gone);
		forgotten_handshake(&sc->gone, sc->seg.now_ns);
	}
	wanted = event_wanted(sc, EVENT_END); /* asked once: it counts against the limit */
	if (!replay && !wanted)
		return 0;
	syn_key(s, &sc->gone);
	syn_expand(s, &sc->fresh);
	sc->fresh.end_reason = END_EVICTED;
	if (wanted) {
		event_begin(sc, &sc->gone, &sc->fresh, EVENT_END, sc->seg.now_ns, 0);
		emit(SCRATCH_PACKET, EMIT_PLAIN);
	}
	emit_retire(sc, SCRATCH_PACKET, &sc->gone, &sc->fresh, sc->seg.now_ns);
	return 0;
}

/* A record gives way to another one. It is locked. A function of its own: less stack. */
__weak __noinline int report_eviction(struct embryo *e)
{
	struct scratch *sc = scratch_get(SCRATCH_PACKET);
	struct flow *f;

	if (!sc || !e)
		return 0;
	f = &e->flow;
	forgotten_evicted(&e->key, f, sc->seg.now_ns);
	if (!f->end_reason) {
		emit_end(sc, SCRATCH_PACKET, &e->key, f, END_EVICTED, sc->seg.now_ns, 0);
		if (evicted_ns != sc->seg.now_ns)
			evicted_ns = sc->seg.now_ns;
		if (f->state[0] == SYN_RECEIVED || f->state[1] == SYN_RECEIVED)
			bump(CNT_EVICT_SYN_RECEIVED);
		else if (f->state[0] == SYN_SENT || f->state[1] == SYN_SENT)
			bump(CNT_EVICT_SYN_SENT);
		else
			bump(CNT_EVICT_OTHER);
	}
	emit_retire(sc, SCRATCH_PACKET, &e->key, f, sc->seg.now_ns);
	return 0;
}

/* Keeps the SYN in scratch, which is of no flow. The set is locked, and is not any more when this returns. */
static __always_inline void open_syn(struct scratch *sc, struct syn_set *set, __u16 tag)
{
	__u32 i = ways_place(&set->syns) & (EMBRYO_WAYS - 1);
	struct syn *s = &set->way[i];
	struct ward_counters *c;

	if (set->syns.tag[i])
		report_evicted_syn(s);
	syn_open(s, &sc->seg);
	set->syns.tag[i] = tag;
	ways_claimed(&set->syns, i);
	word_unlock(&set->lock);
	c = counters_get();
	if (c) {
		c->counter[CNT_FLOWS_NEW]++;
		c->edge[CLOSED][SYN_SENT]++;
		c->edge[CLOSED][LISTEN]++;
	}
	account_syn(sc);
	if (event_wanted(sc, EVENT_STATE))
		emit_opened(sc);
}

/*
 * Claims a place for a record with the key in scratch, and locks the record: returns its way, or -1 if the place's holder is
 * at work on it. What lived there is reported. The record's phase is LIVE and locked, its generation new, the rest still
 * the old one's. The set is locked.
 */
static __always_inline int claim_record(struct scratch *sc, struct syn_set *set, struct embryo_set *records, __u16 tag)
{
	__u32 i = ways_place(&set->records) & (EMBRYO_WAYS - 1);
	struct embryo *e = &records->way[i];
	__u64 word = record_word(&e->flow), next;

	if (word & WORD_PHASE(PHASE_LOCKED))
		return -1;
	/* another generation, so that nobody takes the new record for the old one */
	next = ((word & 0xffff00ffffffffffULL) + (1ULL << 48)) | WORD_PHASE(PHASE_LIVE | PHASE_LOCKED);
	if (__sync_val_compare_and_swap((__u64 *)&e->flow, word, next) != word)
		return -1;
	if (word_life(word) != PHASE_FREE)
		report_eviction(e);
	__builtin_memcpy(&e->key, &sc->seg.key, sizeof(e->key));
	ways_claimed(&set->records, i);
	*(volatile __u16 *)&set->records.tag[i] = tag;
	return (int)i;
}

/* Gives the place back. The record is locked by us; a free place needs no lock of the set. */
static __always_inline void record_free(struct syn_set *set, struct embryo_set *records, __u32 i)
{
	struct flow *f = &records->way[i & (EMBRYO_WAYS - 1)].flow;

	*(volatile __u16 *)&set->records.tag[i & (EMBRYO_WAYS - 1)] = 0;
	f->phase = PHASE_LOCKED; /* life FREE */
	record_unlock(f);
}

/* Moves the record into the flow table. 0: it moved, its place is to be freed. */
static __always_inline int promote(struct scratch *sc, const struct flow *f)
{
	struct policy_live *live;
	__u64 was;
	long err;

	__builtin_memcpy(&sc->fresh, f, sizeof(sc->fresh));
	sc->fresh.phase &= ~PHASE_LOCKED;
	live = policy_live_get();
	if (live && policy_has_static(live)) /* its next segment asks */
		sc->fresh.phase |= PHASE_RULED;
	err = bpf_map_update_elem(&flows, &sc->seg.key, &sc->fresh, BPF_NOEXIST);
	if (err) {
		if (err != -17 /* EEXIST: the former record of this 4-tuple is about to be deleted */)
			bump(CNT_TABLE_FULL);
		return -1;
	}
	present_add(sc->hash);
	was = __sync_fetch_and_add(&promotions, 1); /* before the place goes: see enter() */
	asm volatile("" : : "r"(was)); /* used: else it is the form without fetch, which orders nothing on arm64 */
	bump(CNT_PROMOTED);
	return 0;
}

#endif
