/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Emit: tagged records into the ring buffer of each reader. Without a reader no record is made. Records come without
 * wake-up (one costs 220 ns): readers look at regular intervals. What does not fit, or is more than the type's limit, is
 * counted.
 *
 * A flood must not silence the ordinary flows. Whatever the kind of segment that it is made of, its flows do not get into
 * the flow table: so the events of embryos have limits of their own, and at most half of each ring.
 */
#ifndef BPF_EMIT_H
#define BPF_EMIT_H

#include "account_flow.h"

enum emit_kind { EMIT_PLAIN, EMIT_FLOW, EMIT_SEGMENT };

/* More of this type in this second than its limit, of embryos or of other flows: counted as lost. */
static __always_inline int emit_limited(struct scratch *sc, enum ward_event_type type)
{
	__u32 limit = event_limit[type];
	__u64 second = sc->seg.now_ns >> 30; /* close enough to one */

	if (!limit)
		return 0;
	if (sc->limit_second != second) {
		sc->limit_second = second;
		__builtin_memset(sc->limit_count, 0, sizeof(sc->limit_count));
	}
	if (sc->limit_count[sc->embryonic & 1][type]++ < limit)
		return 0;
	bump_shared(CNT_LOST_RATE);
	return 1;
}

#define RING_LOOK 31 /* no multiple of it is a number of readers */

/*
 * An embryo's event finds the ring of that slot half full: that half is for other flows. In replay all are wanted. The rings
 * are asked now and then only, since that costs as much as a record, and each time while it is so.
 */
static __always_inline int ring_reserved(struct scratch *sc, void *ring, __u32 slot)
{
	__u32 bit = 1U << (slot & (WARD_READERS - 1));

	if (replay || !(sc->embryonic & 1))
		return 0;
	if (++sc->ring_turn < RING_LOOK && !(sc->ring_half & bit))
		return 0;
	if (sc->ring_turn >= RING_LOOK)
		sc->ring_turn = 0;
	if (bpf_ringbuf_query(ring, BPF_RB_AVAIL_DATA) > bpf_ringbuf_query(ring, BPF_RB_RING_SIZE) / 2)
		sc->ring_half |= bit;
	else
		sc->ring_half &= ~bit;
	return !!(sc->ring_half & bit);
}

/* Sends the event in the owner's scratch to all readers. kind: enum emit_kind. */
__weak __noinline int emit(__u32 owner, __u32 kind)
{
	struct ward_control *ctl = control_get();
	struct scratch *sc = scratch_get(owner);
	__u64 now;
	__u32 slot, i;
	void *ring;
	long err;

	if (!sc || !ctl)
		return 0;
	now = sc->seg.now_ns;
	for (i = 0; i < WARD_READERS; i++) {
		if (ctl->reader_until_ns[i] <= now)
			continue;
		slot = i;
		ring = bpf_map_lookup_elem(&events, &slot);
		if (!ring)
			continue;
		sc->emitted++;
		if (ring_reserved(sc, ring, i)) {
			bump_shared(CNT_LOST_RING);
			continue;
		}
		if (kind == EMIT_FLOW)
			err = bpf_ringbuf_output(ring, &sc->ev, sizeof(sc->ev), BPF_RB_NO_WAKEUP);
		else if (kind == EMIT_SEGMENT)
			err = bpf_ringbuf_output(ring, &sc->ev, sizeof(struct event_with_segment), BPF_RB_NO_WAKEUP);
		else
			err = bpf_ringbuf_output(ring, &sc->ev, sizeof(sc->ev.event), BPF_RB_NO_WAKEUP);
		bump_shared(err ? CNT_LOST_RING : CNT_EVENTS);
	}
	return 0;
}

/* Somebody listens, and it is not too much of this type: an event is worth making. */
static __always_inline int event_wanted(struct scratch *sc, enum ward_event_type type)
{
	struct ward_control *ctl = control_get();

	return ctl && ctl->listen_until_ns > sc->seg.now_ns && !emit_limited(sc, type);
}

/* In replay, the number of the capture's packet. */
static __always_inline __u64 packet_number(void)
{
	struct ward_control *ctl;

	if (!replay)
		return 0;
	ctl = control_get();
	return ctl ? ctl->replay_pkt : 0;
}

/* Fills the event of a record as it is now. timer: ts is a deadline, not a segment's time. */
static __always_inline void event_begin(struct scratch *sc, const struct flow_key *key, const struct flow *f,
					enum ward_event_type type, __u64 ts, int timer)
{
	struct event *ev = &sc->ev.event;

	__builtin_memcpy(&ev->key, key, sizeof(ev->key));
	ev->ts_ns = ts;
	ev->pkt = timer ? 0 : packet_number();
	ev->start_ns = f->start_ns;
	ev->flags = f->flags & FLAGS_REPORTED;
	ev->type = type;
	ev->timer = !!timer;
	ev->first = 0;
	ev->state[0] = ev->old_state[0] = f->state[0];
	ev->state[1] = ev->old_state[1] = f->state[1];
	ev->conf = (f->known[0] & KNOWN_CONF) | (f->known[1] & KNOWN_CONF) << 1;
	ev->old_conf = ev->conf;
	ev->drop = ev->subject = 0;
	ev->reason = f->end_reason;
	ev->orig = f->orig;
	ev->iface = f->iface;
	ev->vlan = f->vlan;
}

/* The first event of a flow that begins with the SYN in scratch, made in the rings themselves; inline, as account_syn(). */
static __always_inline int emit_opened(struct scratch *sc)
{
	struct ward_control *ctl = control_get();
	struct event *ev;
	__u32 slot, i;
	void *ring;
	__u8 side;

	if (!ctl)
		return 0;
	side = sc->seg.dir & 1;
	for (i = 0; i < WARD_READERS; i++) {
		if (ctl->reader_until_ns[i] <= sc->seg.now_ns)
			continue;
		slot = i;
		ring = bpf_map_lookup_elem(&events, &slot);
		if (!ring)
			continue;
		ev = ring_reserved(sc, ring, i) ? (struct event *)0 : bpf_ringbuf_reserve(ring, sizeof(*ev), 0);
		if (!ev) {
			bump(CNT_LOST_RING);
			continue;
		}
		__builtin_memcpy(&ev->key, &sc->seg.key, sizeof(ev->key));
		ev->ts_ns = ev->start_ns = sc->seg.now_ns;
		ev->pkt = packet_number();
		ev->flags = 0;
		*(__u64 *)&ev->type = EVENT_STATE | END_NONE << 8 | (__u64)side << 16 | (__u64)sc->seg.iface << 24 |
				      (__u64)sc->seg.vlan << 32 | 1ULL << 56 /* first */;
		*(__u64 *)&ev->state = (side ? LISTEN | SYN_SENT << 8 : SYN_SENT | LISTEN << 8) |
				       (__u64)(CLOSED | CLOSED << 8) << 16 | 0x0303ULL << 32 /* conf, old_conf */;
		bpf_ringbuf_submit(ev, BPF_RB_NO_WAKEUP);
		bump(CNT_EVENTS);
	}
	return 0;
}

static __always_inline void count_end(enum ward_end_reason why)
{
	switch (why) {
	case END_CLOSED:
		bump_shared(CNT_END_CLOSED);
		break;
	case END_RESET:
		bump_shared(CNT_END_RESET);
		break;
	case END_REFUSED:
		bump_shared(CNT_END_REFUSED);
		break;
	case END_TIMEOUT:
		bump_shared(CNT_END_TIMEOUT);
		break;
	case END_REUSE:
		bump_shared(CNT_END_REUSE);
		break;
	case END_EVICTED:
		bump_shared(CNT_END_EVICTED);
		break;
	default:
		break;
	}
}

/* The flow object ended; reported once. */
static __always_inline void emit_end(struct scratch *sc, __u32 owner, const struct flow_key *key, struct flow *f,
				     enum ward_end_reason why, __u64 ts, int timer)
{
	f->end_reason = why;
	count_end(why);
	account_end((struct flow_key *)key, f, why);
	if (!event_wanted(sc, EVENT_END))
		return;
	event_begin(sc, key, f, EVENT_END, ts, timer);
	emit(owner, EMIT_PLAIN);
}

/* Replay keeps every flow object: the whole record goes out before it is overwritten or freed. */
static __always_inline void emit_retire(struct scratch *sc, __u32 owner, const struct flow_key *key, const struct flow *f,
					__u64 ts)
{
	if (!replay)
		return;
	event_begin(sc, key, f, EVENT_RETIRE, ts, 0);
	__builtin_memcpy(&sc->ev.flow, f, sizeof(*f));
	emit(owner, EMIT_FLOW);
}

#endif
