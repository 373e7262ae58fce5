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

/* The embryo is in way i of the set. 0: it went away meanwhile. */
static __always_inline int step_embryo(struct scratch *sc, struct embryo_set *set, __u32 i)
{
	struct embryo *e = &set->way[i & (EMBRYO_WAYS - 1)];
	int lock = record_lock(&e->flow), step;

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
	if (!sc->seg.stamp_ns && !(sc->seg.bits & TH_SYN)) /* the ACK of a handshake, perhaps */
		sc->seg.stamp_ns = (__u32)bpf_ktime_get_ns() | 1;
	embryo_complete(&e->flow);
	step = flow_step(sc, &e->flow, 1);
	if (step == STEP_DEAD || (step == STEP_OPEN && !promote(sc, &e->flow)))
		embryo_free(set, i);
	else
		record_unlock(&e->flow);
	return 1;
}

/* A plain SYN, the usual beginning and every flood's: the hot part of the record only, then its word, which unlocks it. */
static __always_inline void open_embryo(struct scratch *sc, struct flow *f)
{
	struct event *ev = &sc->ev.event;
	__u8 side = sc->seg.dir & 1;

	embryo_open(f, &sc->seg);
	__sync_lock_test_and_set((__u64 *)f,
				 embryo_word(&sc->seg, PHASE_LIVE | PHASE_FRESH | PHASE_SLOW, sc->word >> 48));
	bump(CNT_FLOWS_NEW);
	if (!event_wanted(sc, EVENT_STATE))
		return;
	/* from the segment: the record is not ours any more */
	__builtin_memcpy(&ev->key, &sc->seg.key, sizeof(ev->key));
	ev->ts_ns = ev->start_ns = sc->seg.now_ns;
	ev->pkt = packet_number();
	ev->flags = 0;
	ev->type = EVENT_STATE;
	ev->reason = END_NONE;
	ev->orig = side;
	ev->iface = sc->seg.iface;
	ev->vlan = sc->seg.vlan;
	ev->timer = 0;
	ev->first = 1;
	ev->state[0] = side ? LISTEN : SYN_SENT;
	ev->state[1] = side ? SYN_SENT : LISTEN;
	ev->old_state[0] = ev->old_state[1] = CLOSED;
	ev->conf = ev->old_conf = 3;
	ev->pad[0] = ev->pad[1] = 0;
	emit(SCRATCH_PACKET, EMIT_PLAIN);
}

/* Nothing is known of this flow: begin it, if the segment may. 0: look again, another CPU is at it. */
static __always_inline int begin_embryo(struct scratch *sc, struct embryo_set *set, __u32 tag)
{
	__u8 bits = sc->seg.bits & (TH_SYN | TH_ACK | TH_RST | TH_FIN);
	int plain = bits == TH_SYN && !sc->seg.len, way, step;
	struct ward_control *ctl;
	struct flow *f;

	if (tcp_bad_flags(sc->seg.bits) || (bits & TH_RST) || (!(bits & TH_SYN) && !opts.loose)) {
		count_stray(&sc->seg, tcp_bad_flags(sc->seg.bits) ? FLAG_BADFLAGS : 0);
		return 1;
	}
	way = set_claim(sc, set, tag);
	if (way < 0)
		return 0;
	f = &set->way[way & (EMBRYO_WAYS - 1)].flow;
	ctl = control_get();
	if (plain && !(ctl && ctl->ladder_until_ns > sc->seg.now_ns)) {
		open_embryo(sc, f);
		return 1;
	}
	step = flow_step(sc, f, 0);
	if (step == STEP_DEAD)
		embryo_free(set, way);
	else
		record_unlock(f);
	return 1;
}

int track_missing(void)
{
	struct scratch *sc = scratch_get(SCRATCH_PACKET);
	struct embryo_set *set;
	struct flow *f;
	__u32 index, tag, way;
	__u64 hash;
	int i;

	if (!sc)
		return 0;
	hash = sc->seg.bits & TH_SYN ? sc->hash : key_hash(&sc->seg.key);
	index = hash & embryo_mask;
	tag = hash_tag(hash);
	set = bpf_map_lookup_elem(&embryos, &index);
	if (!set)
		return 0;
	for (i = 0; i < 4; i++) {
		/* a SYN is new as a rule: it looks where it claims a place */
		way = i || sc->seg.bits != TH_SYN ? set_scan(set, tag) & 0xff : NO_WAY;
		if (way != NO_WAY) {
			if (step_embryo(sc, set, way))
				return 1;
			continue;
		}
		/* it may have moved to the table between our two looks */
		if (*(volatile __u64 *)&promotions != sc->promotions) {
			sc->promotions = *(volatile __u64 *)&promotions;
			f = bpf_map_lookup_elem(&flows, &sc->seg.key);
			if (f) {
				sc->word = record_word(f);
				if (track_slow(f))
					return 1;
			}
		}
		if (begin_embryo(sc, set, tag))
			return 1;
	}
	bump_reason(REASON_NO_ROOM); /* in four attempts */
	return 0;
}

char LICENSE[] SEC("license") __weak = "Dual BSD/GPL";
