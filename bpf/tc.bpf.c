// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Egress by tc, and ingress where XDP is not wanted. Always returns TC_ACT_UNSPEC (-1): on a tcx link TC_ACT_OK would end
 * the chain, and whoever stands behind us would be bypassed in silence.
 *
 * Egress sees GSO super-segments before the NIC cuts them: lengths come from the skb, segments from gso_segs. What leaves
 * here may still be lost in the qdisc or the NIC.
 */
#include "parse_skb.h"
#include "track.h"

#define TC_ACT_SHOT 2

static __always_inline int ward_skb(struct __sk_buff *skb, int egress)
{
	int reason = parse_skb(skb);
	struct scratch *sc;
	struct ward_counters *c;

	sc = scratch_get(SCRATCH_PACKET);
	c = counters_get();
	if (!sc || !c)
		return TC_ACT_UNSPEC;
	if (reason != PARSED)
		return policy_unparsed(reason, !egress) ? TC_ACT_SHOT : TC_ACT_UNSPEC;
	if (egress)
		sc->policy.on = sc->policy.verdict = 0;
	else if (policy_first(sc))
		return TC_ACT_SHOT;
	count_segment(c, &sc->seg, egress);
	track(sc, c);
	if (sc->policy.verdict > VERDICT_DROP) /* no cookie can be sent from here: the stack sees it, and so does the tracker */
		track_again(sc);
	return sc->policy.verdict == VERDICT_DROP ? TC_ACT_SHOT : TC_ACT_UNSPEC;
}

SEC("tc")
int ward_tc_ingress(struct __sk_buff *skb)
{
	return ward_skb(skb, 0);
}

/* By one of our interfaces, or by a device that stands on one: a VLAN device, a bridge. */
static __always_inline bool came_in_here(__u32 ifindex)
{
	const volatile __u32 *set = &uppers[(ifindex & (UPPER_SETS - 1)) * UPPER_WAYS];

	_Static_assert(UPPER_WAYS == 4, "the ways are compared one by one");
	return iface_row(ifindex) != 0xff || set[0] == ifindex || set[1] == ifindex || set[2] == ifindex || set[3] == ifindex;
}

SEC("tc")
int ward_tc_egress(struct __sk_buff *skb)
{
	/* it was counted where it came in */
	if (skb->ingress_ifindex && came_in_here(skb->ingress_ifindex)) {
		bump_reason(REASON_FORWARDED);
		return TC_ACT_UNSPEC;
	}
	return ward_skb(skb, 1);
}

char LICENSE[] SEC("license") __weak = "Dual BSD/GPL";
