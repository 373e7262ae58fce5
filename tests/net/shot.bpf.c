// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* tc that drops all. */
#include "vmlinux.h"
/* after vmlinux.h */
#include <bpf/bpf_helpers.h>

#define TC_ACT_SHOT 2

SEC("tc")
int shot(struct __sk_buff *skb)
{
	(void)skb;
	return TC_ACT_SHOT;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
