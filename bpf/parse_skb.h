/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Parse, at tc: an skb into the scratch. The steps are functions of their own, as in xdp.bpf.c. */
#ifndef BPF_PARSE_SKB_H
#define BPF_PARSE_SKB_H

#include "parse.h"

#define TC_ACT_UNSPEC (-1)
#define HEADERS_MAX 192

__weak __noinline int parse_skb_tcp(struct __sk_buff *skb)
{
	struct scratch *sc = scratch_get(SCRATCH_PACKET);

	return sc ? parse_tcp(sc, (void *)(long)skb->data, (void *)(long)skb->data_end) : REASON_NO_ROOM;
}

__weak __noinline int parse_skb_network(struct __sk_buff *skb, int l3)
{
	struct scratch *sc = scratch_get(SCRATCH_PACKET);

	if (!sc)
		return REASON_NO_ROOM;
	return parse_network(sc, (void *)(long)skb->data, (void *)(long)skb->data_end, skb->len, !!l3, sc->seg.vlan);
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

static __always_inline int parse_skb_from(struct __sk_buff *skb, int l3)
{
	int reason = parse_skb_network(skb, l3);

	return reason == PARSED ? parse_skb_tcp(skb) : reason;
}

/* Flags of the row that the segment in scratch came by. */
static __always_inline __u32 parse_skb_flags(void)
{
	struct scratch *sc = scratch_get(SCRATCH_PACKET);

	return sc ? ifaces[sc->seg.iface & (WARD_IFACES - 1)].flags : 0;
}

static __always_inline int parse_skb_once(struct __sk_buff *skb)
{
	int reason = parse_skb_plain(skb);

	return reason == NOT_PLAIN ? parse_skb_from(skb, parse_skb_flags() & IFACE_L3) : reason;
}

/* Returns PARSED or a reason. */
static __always_inline int parse_skb(struct __sk_buff *skb)
{
	int reason = parse_skb_once(skb);

	if (reason == REASON_TRUNCATED && skb->data_end - skb->data < skb->len) { /* headers beyond the linear part */
		bpf_skb_pull_data(skb, skb->len < HEADERS_MAX ? skb->len : HEADERS_MAX);
		reason = parse_skb_once(skb);
	}
	return reason;
}

#endif
