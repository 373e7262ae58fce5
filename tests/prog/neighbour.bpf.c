// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Another program on the same hooks: counts the IPv4 frames that reach it. */
#include "vmlinux.h"
/* after vmlinux.h */
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define TC_ACT_UNSPEC (-1)
#define ETH_P_IP 0x0800

__u64 seen[2]; /* ingress, egress */

static __always_inline int count(struct __sk_buff *skb, int way)
{
	if (skb->protocol == bpf_htons(ETH_P_IP))
		__sync_fetch_and_add(&seen[way], 1);
	return TC_ACT_UNSPEC;
}

SEC("tc")
int neighbour_in(struct __sk_buff *skb)
{
	return count(skb, 0);
}

SEC("tc")
int neighbour_out(struct __sk_buff *skb)
{
	return count(skb, 1);
}

/* As many do: accepts, whoever stands behind. */
SEC("tc")
int ender(struct __sk_buff *skb)
{
	count(skb, 0);
	return 0;
}

/* The control: what returns TC_ACT_OK on a tcx link ends the chain. */
SEC("tc")
int stopper(struct __sk_buff *skb)
{
	(void)skb;
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
