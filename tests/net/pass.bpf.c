// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* XDP that passes all: what XDP_TX on one end of a veth needs on the other. */
#include "vmlinux.h"
/* after vmlinux.h */
#include <bpf/bpf_helpers.h>

SEC("xdp.frags")
int pass(struct xdp_md *ctx)
{
	(void)ctx;
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
