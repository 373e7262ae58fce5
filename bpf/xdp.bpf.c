// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Ingress by XDP, native or generic. Always passes. In native mode a frame is one wire segment (unless the NIC merges:
 * LRO); generic XDP sees super-segments, whose number of segments is estimated. Replay runs this program too.
 */
#include "parse.h"
#include "track.h"

/* Both return PARSED or enum ward_reason. */
__weak __noinline int parse_xdp_tcp(struct xdp_md *ctx)
{
	struct scratch *sc = scratch_get(SCRATCH_PACKET);

	return sc ? parse_tcp(sc, (void *)(long)ctx->data, (void *)(long)ctx->data_end) : REASON_NO_ROOM;
}

__weak __noinline int parse_xdp_network(struct xdp_md *ctx)
{
	struct scratch *sc = scratch_get(SCRATCH_PACKET);
	struct ward_control *ctl;
	__u32 frame_len, l3;

	if (!sc)
		return REASON_NO_ROOM;
	sc->seg.iface = iface_row(ctx->ingress_ifindex);
	sc->seg.segs = 1;
	sc->seg.stamp_ns = 0;
	sc->seg.now_ns = now_ns();
	l3 = ifaces[sc->seg.iface & (WARD_IFACES - 1)].flags & IFACE_XDP_L3;
	if (replay) {
		ctl = control_get();
		if (!ctl)
			return REASON_NO_ROOM;
		frame_len = ctl->replay_wire_len;
		l3 = ctl->replay_flags & IFACE_L3;
		sc->seg.iface = 0;
		sc->seg.stamp_ns = (__u32)sc->seg.now_ns | 1;
	} else {
		frame_len = bpf_xdp_get_buff_len(ctx);
	}
	return parse_network(sc, (void *)(long)ctx->data, (void *)(long)ctx->data_end, frame_len, !!l3, VLAN_UNSEEN);
}

SEC("xdp.frags")
int ward_xdp(struct xdp_md *ctx)
{
	int reason = parse_xdp_network(ctx);
	struct scratch *sc = scratch_get(SCRATCH_PACKET);
	struct ward_counters *c = counters_get();
	__u32 row;

	if (!sc || !c)
		return XDP_PASS;
	if (reason == PARSED)
		reason = parse_xdp_tcp(ctx);
	if (reason != PARSED) {
		if (reason >= 0 && reason < REASON_COUNT)
			c->reason[reason]++;
		return XDP_PASS;
	}
	row = sc->seg.iface & (WARD_IFACES - 1);
	if (ifaces[row].flags & IFACE_GENERIC)
		estimate_segments(&sc->seg, bpf_xdp_get_buff_len(ctx), ifaces[row].mtu);
	count_segment(c, &sc->seg, 0);
	track(sc, c);
	return XDP_PASS;
}

char LICENSE[] SEC("license") __weak = "Dual BSD/GPL";
