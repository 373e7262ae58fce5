// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Egress by tc, and ingress where XDP is not wanted. Always returns TC_ACT_UNSPEC (-1): on a tcx link TC_ACT_OK would end
 * the chain, and whoever stands behind us would be bypassed in silence.
 *
 * Egress sees GSO super-segments before the NIC cuts them: lengths come from the skb, segments from gso_segs. What leaves
 * here may still be lost in the qdisc or the NIC.
 */
#include "parse.h"
#include "track.h"

#define TC_ACT_UNSPEC (-1)
#define TC_ACT_SHOT 2
#define HEADERS_MAX 192

__weak __noinline int parse_skb_tcp(struct __sk_buff *skb)
{
	struct scratch *sc = scratch_get(SCRATCH_PACKET);

	return sc ? parse_tcp(sc, (void *)(long)skb->data, (void *)(long)skb->data_end) : REASON_NO_ROOM;
}

__weak __noinline int parse_skb_network(struct __sk_buff *skb)
{
	struct scratch *sc = scratch_get(SCRATCH_PACKET);

	if (!sc)
		return REASON_NO_ROOM;
	return parse_network(sc, (void *)(long)skb->data, (void *)(long)skb->data_end, skb->len,
			     !!(ifaces[sc->seg.iface & (WARD_IFACES - 1)].flags & IFACE_L3), sc->seg.vlan);
}

__weak __noinline int parse_skb_plain(struct __sk_buff *skb)
{
	struct scratch *sc = scratch_get(SCRATCH_PACKET);
	__u16 vlan;

	if (!sc)
		return REASON_NO_ROOM;
	vlan = skb->vlan_present ? skb->vlan_tci & 0x0fff : VLAN_UNSEEN;
	sc->seg.vlan = vlan;
	sc->seg.iface = iface_row(skb->ifindex);
	sc->seg.segs = skb->gso_segs ?: 1;
	sc->seg.now_ns = now_ns();
	if (ifaces[sc->seg.iface & (WARD_IFACES - 1)].flags & IFACE_L3)
		return NOT_PLAIN;
	return parse_plain(sc, (void *)(long)skb->data, (void *)(long)skb->data_end, vlan);
}

static __always_inline int parse_skb(struct __sk_buff *skb)
{
	int reason = parse_skb_plain(skb);

	if (reason != NOT_PLAIN)
		return reason;
	reason = parse_skb_network(skb);
	return reason == PARSED ? parse_skb_tcp(skb) : reason;
}

static __always_inline int ward_skb(struct __sk_buff *skb, int egress)
{
	int reason = parse_skb(skb);
	struct scratch *sc;
	struct ward_counters *c;

	if (reason == REASON_TRUNCATED && skb->data_end - skb->data < skb->len) { /* headers beyond the linear part */
		bpf_skb_pull_data(skb, skb->len < HEADERS_MAX ? skb->len : HEADERS_MAX);
		reason = parse_skb(skb);
	}
	sc = scratch_get(SCRATCH_PACKET);
	c = counters_get();
	if (!sc || !c)
		return TC_ACT_UNSPEC;
	if (reason != PARSED) {
		if (reason >= 0 && reason < REASON_COUNT)
			c->reason[reason]++;
		return TC_ACT_UNSPEC;
	}
	if (egress)
		sc->policy.on = sc->policy.verdict = 0;
	else if (policy_first(sc))
		return TC_ACT_SHOT;
	count_segment(c, &sc->seg, egress);
	track(sc, c);
	return sc->policy.verdict == VERDICT_DROP ? TC_ACT_SHOT : TC_ACT_UNSPEC;
}

SEC("tc")
int ward_tc_ingress(struct __sk_buff *skb)
{
	return ward_skb(skb, 0);
}

SEC("tc")
int ward_tc_egress(struct __sk_buff *skb)
{
	/* it came in by one of our interfaces and was counted there */
	if (skb->ingress_ifindex && iface_row(skb->ingress_ifindex) != 0xff) {
		bump_reason(REASON_FORWARDED);
		return TC_ACT_UNSPEC;
	}
	return ward_skb(skb, 1);
}

char LICENSE[] SEC("license") __weak = "Dual BSD/GPL";
