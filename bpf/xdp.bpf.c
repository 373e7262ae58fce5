// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Ingress by XDP, native or generic. Always passes. In native mode a frame is one wire segment (unless the NIC merges:
 * LRO); generic XDP sees super-segments, whose number of segments is estimated. Replay runs this program too.
 */
#include "cookie.h"
#include "parse.h"
#include "track.h"
#include "verdict.h"

/* All of these return PARSED, a reason, or NOT_PLAIN. */
__weak __noinline int parse_xdp_tcp(struct xdp_md *ctx)
{
	struct scratch *sc = scratch_get(SCRATCH_PACKET);

	return sc ? parse_tcp(sc, (void *)(long)ctx->data, (void *)(long)ctx->data_end) : REASON_NO_ROOM;
}

__weak __noinline int parse_xdp_network(struct xdp_md *ctx)
{
	struct scratch *sc = scratch_get(SCRATCH_PACKET);
	struct ward_control *ctl = control_get();
	__u32 frame_len, l3;

	if (!sc || !ctl)
		return REASON_NO_ROOM;
	l3 = ifaces[sc->seg.iface & (WARD_IFACES - 1)].flags & IFACE_XDP_L3;
	frame_len = bpf_xdp_get_buff_len(ctx);
	if (replay) {
		frame_len = ctl->replay_wire_len;
		l3 = ctl->replay_flags & IFACE_L3;
	}
	return parse_network(sc, (void *)(long)ctx->data, (void *)(long)ctx->data_end, frame_len, !!l3, VLAN_UNSEEN);
}

__weak __noinline int parse_xdp(struct xdp_md *ctx)
{
	struct scratch *sc = scratch_get(SCRATCH_PACKET);
	struct ward_control *ctl;

	if (!sc)
		return REASON_NO_ROOM;
	sc->seg.segs = 1;
	sc->seg.now_ns = now_ns();
	if (replay) {
		sc->seg.iface = 0;
		ctl = control_get();
		if (!ctl || ctl->replay_flags & IFACE_L3)
			return NOT_PLAIN;
	} else {
		sc->seg.iface = iface_row_xdp(ctx->ingress_ifindex);
		if (ifaces[sc->seg.iface & (WARD_IFACES - 1)].flags & IFACE_XDP_L3)
			return NOT_PLAIN;
	}
	return parse_plain(sc, (void *)(long)ctx->data, (void *)(long)ctx->data_end, VLAN_UNSEEN);
}

/* The frame into the scratch. Each step is a function of its own: inlined with the rest the verifier would give up. */
static __always_inline int parse(struct xdp_md *ctx)
{
	int reason = parse_xdp(ctx);

	if (reason != NOT_PLAIN)
		return reason;
	reason = parse_xdp_network(ctx);
	return reason == PARSED ? parse_xdp_tcp(ctx) : reason;
}

/*
 * The policy wants a SYN answered by a cookie, or an ACK to bring one back. In replay nothing is answered: it is counted as
 * what would be.
 */
static __always_inline int challenge(struct xdp_md *ctx, struct scratch *sc)
{
	__u32 subject = sc->policy.subject;
	int verdict = COOKIE_PASS;

	if (!replay)
		verdict = sc->policy.verdict == VERDICT_COOKIE ? cookie_syn(ctx) : cookie_ack(ctx);
	else if (sc->policy.verdict == VERDICT_COOKIE)
		verdict_give(subject, DROP_SYNCOOKIE, MODE_DRY_RUN);
	if (verdict != COOKIE_PASS && verdict_give(subject,
						   verdict == COOKIE_ANSWERED  ? DROP_SYNCOOKIE :
						   verdict == COOKIE_DROP_RATE ? DROP_COOKIE_RATE :
										 DROP_COOKIE_BAD,
						   MODE_ENFORCE))
		return verdict == COOKIE_ANSWERED ? XDP_TX : XDP_DROP;
	if (verdict == COOKIE_ANSWERED) /* the frame is its answer already */
		return XDP_TX;
	track_again(sc); /* also a bad cookie, in a dry run */
	return sc->policy.verdict == VERDICT_DROP ? XDP_DROP : XDP_PASS;
}

/* A frame that is not followed. A function of its own: less stack. */
__weak __noinline int unparsed(struct xdp_md *ctx, int reason)
{
	if (reason == REASON_TRUNCATED && !replay && bpf_xdp_get_buff_len(ctx) > ctx->data_end - ctx->data)
		reason = REASON_NOT_LINEAR;
	return policy_unparsed(reason, 1) ? XDP_DROP : XDP_PASS;
}

SEC("xdp.frags")
int ward_xdp(struct xdp_md *ctx)
{
	int reason = parse(ctx);
	struct scratch *sc = scratch_get(SCRATCH_PACKET);
	struct ward_counters *c = counters_get();
	__u32 row;

	if (!sc || !c)
		return XDP_PASS;
	if (reason != PARSED)
		return unparsed(ctx, reason);
	row = sc->seg.iface & (WARD_IFACES - 1);
	if (ifaces[row].flags & IFACE_GENERIC)
		estimate_segments(&sc->seg, bpf_xdp_get_buff_len(ctx), ifaces[row].mtu);
	if (policy_first(sc))
		return XDP_DROP;
	count_segment(c, &sc->seg, 0);
	track(sc, c);
	if (sc->policy.verdict == VERDICT_PASS)
		return XDP_PASS;
	return sc->policy.verdict == VERDICT_DROP ? XDP_DROP : challenge(ctx, sc);
}

char LICENSE[] SEC("license") __weak = "Dual BSD/GPL";
