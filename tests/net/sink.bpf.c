// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* XDP that drops all: where the answers to a flood's spoofed sources go. */
#include "vmlinux.h"
/* after vmlinux.h */
#include <bpf/bpf_helpers.h>

SEC("xdp")
int sink(struct xdp_md *ctx)
{
	(void)ctx;
	return XDP_DROP;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
