// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* XDP that passes all under the name that libxdp gives its dispatcher. */
#include "vmlinux.h"
/* after vmlinux.h */
#include <bpf/bpf_helpers.h>

SEC("xdp")
int xdp_dispatcher(struct xdp_md *ctx)
{
	(void)ctx;
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
