// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The two ways of a segment that is not for the fast path. They are functions of their own (global to the verifier: each
 * is verified once a program, whoever calls it), take what they need from per-CPU scratch, and change records only under
 * their lock.
 */
#include "embryos.h"
#include "track.h"

int track_slow(struct flow *f)
{
	struct scratch *sc = scratch_get(SCRATCH_PACKET);
	int lock;

	if (!sc || !f)
		return 1;
	sc->embryonic = 0;
	lock = record_lock(f);
	if (lock == LOCK_GONE)
		return 0;
	if (lock == LOCK_BUSY) {
		bump_reason(REASON_LOCK_BUSY);
		return 1;
	}
	if ((record_word(f) ^ sc->word) >> 48) { /* another generation: the entry was deleted and used again meanwhile */
		if (lock == LOCK_REVIVED)
			record_bury(f, sc->seg.now_ns);
		else
			record_unlock(f);
		return 0;
	}
	if (flow_step(sc, f, lock == LOCK_TAKEN) == STEP_DEAD)
		record_bury(f, sc->seg.now_ns);
	else
		record_unlock(f);
	return 1;
}

/* The segment in scratch against record i of the set, which this program has locked. A function of its own: less stack. */
__weak __noinline int step_locked(struct syn_set *set, struct embryo_set *records, __u32 i, int alive)
{
	struct scratch *sc = scratch_get(SCRATCH_PACKET);
	struct flow *f;
	int step;

	if (!sc || !set || !records)
		return 0;
	f = &records->way[i & (EMBRYO_WAYS - 1)].flow;
	if (alive && !sc->seg.stamp_ns && !(sc->seg.bits & TH_SYN)) /* the ACK of a handshake, perhaps */
		sc->seg.stamp_ns = (__u32)bpf_ktime_get_ns() | 1;
	step = flow_step(sc, f, alive);
	if (step == STEP_DEAD || (step == STEP_OPEN && !promote(sc, f)))
		record_free(set, records, i);
	else
		record_unlock(f);
	return 0;
}

/* The key in scratch was found at record i of the set. 0: it went away meanwhile. */
__weak __noinline int step_record(struct syn_set *set, struct embryo_set *records, __u32 i)
{
	struct scratch *sc = scratch_get(SCRATCH_PACKET);
	struct embryo *e;
	int lock;

	if (!sc || !set || !records)
		return 1;
	e = &records->way[i & (EMBRYO_WAYS - 1)];
	lock = record_lock(&e->flow);
	if (lock == LOCK_GONE)
		return 0;
	if (lock == LOCK_BUSY) {
		bump_reason(REASON_LOCK_BUSY);
		return 1;
	}
	if (!key_equal(&e->key, &sc->seg.key)) { /* evicted, and claimed for another flow */
		record_unlock(&e->flow);
		return 0;
	}
	step_locked(set, records, i, 1);
	return 1;
}

/* Embryos that moved to the table since the table was searched: one may be ours. */
static __always_inline int moved_meanwhile(const struct scratch *sc)
{
	/* with its bit clear it was not ours: the bit is set before the counter moves */
	return *(volatile __u64 *)&promotions != sc->promotions && present_maybe(sc->hash);
}

/* A segment that begins no flow. */
static __always_inline int is_stray(const struct segment *seg)
{
	return tcp_bad_flags(seg->bits) || (seg->bits & TH_RST) ||
	       (!(seg->bits & TH_SYN) && !opts.loose && !(seg->opts & SEG_COOKIE));
}

/* A SYN that is kept in one cache line: the usual beginning, and every flood's. */
static __always_inline int is_plain_syn(const struct segment *seg)
{
	struct ward_control *ctl;

	if ((seg->bits & (TH_SYN | TH_ACK | TH_RST | TH_FIN)) != TH_SYN || seg->len || tcp_bad_flags(seg->bits))
		return 0;
	ctl = control_get();
	/* a ladder shows each segment of its flow */
	return ctl && (ctl->ladder_until_ns <= seg->now_ns || !key_equal(&ctl->ladder, &seg->key));
}

/* open_syn() where it is rare. This and the next are functions of their own: less stack. */
__weak __noinline int enter_syn(struct syn_set *set, __u16 tag)
{
	struct scratch *sc = scratch_get(SCRATCH_PACKET);

	if (sc && set)
		open_syn(sc, set, tag);
	return 0;
}

__weak __noinline int enter_expanded(struct syn *s, struct flow *f)
{
	if (s && f)
		syn_expand(s, f);
	return 0;
}

/*
 * The segment in scratch is of a SYN at rest, or begins a flow, or is of none. The set is locked, and is not any more when
 * this returns. 0: look again, another CPU was at it.
 */
__weak __noinline int enter(struct syn_set *set, struct embryo_set *records, __u16 tag)
{
	struct scratch *sc = scratch_get(SCRATCH_PACKET);
	__u32 old;
	int i = -1;

	if (!sc || !set || !records)
		return 0;
	old = syn_find(set, tag);
	/* while the set is locked nothing enters it, and what left it for the table was counted before */
	if (old >= NO_WAY && (record_find(set, records, tag) != NO_WAY || moved_meanwhile(sc)))
		goto again;
	if (old >= NO_WAY && is_stray(&sc->seg)) {
		word_unlock(&set->lock);
		if (policy_asks(sc, (struct flow *)0, POLICY_STRAY))
			return 1;
		count_stray(&sc->seg, tcp_bad_flags(sc->seg.bits) ? FLAG_BADFLAGS : 0);
		return 1;
	}
	sc->policy.fresh = old >= NO_WAY;
	if (old >= NO_WAY && is_plain_syn(&sc->seg)) {
		if (policy_asks(sc, (struct flow *)0, POLICY_OPENS)) {
			word_unlock(&set->lock);
			return 1;
		}
		enter_syn(set, tag);
		return 1;
	}
	/* what is dropped takes no place: it would evict another flow */
	if (old >= NO_WAY && sc->policy.on) {
		flow_judge((struct flow *)0);
		if (policy_step(sc, (struct flow *)0)) {
			word_unlock(&set->lock);
			return 1;
		}
		sc->policy.on = 0; /* it has been asked */
	}
	i = claim_record(sc, set, records, tag);
	if (i < 0)
		goto again;
	if (old < NO_WAY) {
		enter_expanded(&set->way[old & (EMBRYO_WAYS - 1)], &records->way[i & (EMBRYO_WAYS - 1)].flow);
		set->syns.tag[old] = 0;
	}
	word_unlock(&set->lock);
	step_locked(set, records, i, old < NO_WAY);
	return 1;
again:
	word_unlock(&set->lock);
	return 0;
}

/* Has it moved to the table between our two looks? 1: yes, and the segment is done. */
static __always_inline int look_again(struct scratch *sc)
{
	struct flow *f;

	if (!moved_meanwhile(sc))
		return 0;
	sc->promotions = *(volatile __u64 *)&promotions;
	f = bpf_map_lookup_elem(&flows, &sc->seg.key);
	if (!f)
		return 0;
	sc->word = record_word(f);
	return track_slow(f);
}

int track_embryo(void)
{
	struct scratch *sc = scratch_get(SCRATCH_PACKET);
	struct embryo_set *records;
	struct syn_set *set;
	__u32 index, way;
	__u16 tag;
	int i;

	if (!sc)
		return 0;
	sc->embryonic = 1;
	index = sc->hash & embryo_mask;
	tag = hash_tag(sc->hash);
	records = bpf_map_lookup_elem(&embryos, &index);
	set = bpf_map_lookup_elem(&syns, &index);
	if (!set || !records)
		return 0;
	for (i = 0; i < 4; i++) {
		way = record_find(set, records, tag);
		if (way < NO_WAY) {
			if (step_record(set, records, way))
				return 1;
			continue;
		}
		if (word_lock(&set->lock) && enter(set, records, tag))
			return 1;
		if (look_again(sc))
			return 1;
	}
	bump_reason(REASON_NO_ROOM); /* in four attempts */
	return 0;
}

int track_syn(void)
{
	struct scratch *sc = scratch_get(SCRATCH_PACKET);
	struct syn_set *set;
	__u32 index;
	__u16 tag;

	if (!sc || !is_plain_syn(&sc->seg))
		return 0;
	sc->embryonic = 1;
	index = sc->hash & embryo_mask;
	tag = hash_tag(sc->hash);
	set = bpf_map_lookup_elem(&syns, &index);
	if (!set)
		return 0;
	if (sc->policy.on) { /* asked before the set is locked: it takes its time */
		if (ways_may_hold(&set->syns, tag) || ways_may_hold(&set->records, tag))
			return 0;
		sc->policy.fresh = 1;
		if (policy_asks(sc, (struct flow *)0, POLICY_OPENS))
			return 1;
		sc->policy.on = 0; /* not twice, should another CPU be at it */
	}
	if (!word_lock(&set->lock))
		return 0;
	if (ways_may_hold(&set->syns, tag) || ways_may_hold(&set->records, tag) || moved_meanwhile(sc)) {
		word_unlock(&set->lock);
		return 0;
	}
	open_syn(sc, set, tag);
	return 1;
}

char LICENSE[] SEC("license") __weak = "Dual BSD/GPL";
