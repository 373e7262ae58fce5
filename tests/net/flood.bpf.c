// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* One SYN after another, each of another source and port, out of one device: run over live frames by flood.c. */
#include "vmlinux.h"
/* after vmlinux.h */
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

/* Ethernet, IPv4, TCP, as flood.c wrote them; checksums with the fields below zero. */
struct flood_frame {
	struct ethhdr eth;
	struct iphdr ip;
	struct tcphdr tcp;
} __attribute__((packed));

const volatile __u32 out_ifindex;
const volatile __u32 source_base; /* host order */
const volatile __u32 source_mask;
const volatile __u32 source_stride;
const volatile __u32 source_bits;
const volatile __u16 first_port;
const volatile __u16 ip_sum, tcp_sum; /* of the rest, not inverted, in the frame's order */

__u8 whole[54]; /* the frame: the receiver may have written into the page that comes back */
__u64 sent;  /* frames made */
__u64 limit; /* and no more */

static __always_inline __u16 fold(__u32 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (__u16)~sum;
}

SEC("xdp")
int flood(struct xdp_md *ctx)
{
	struct flood_frame *f = (void *)(long)ctx->data;
	__u64 n = sent;
	__u32 source, seq, addresses;
	__u16 port;

	if ((void *)(f + 1) > (void *)(long)ctx->data_end || n >= limit)
		return XDP_DROP;
	sent = n + 1;
	__builtin_memcpy(f, whole, sizeof(*f));
	source = bpf_htonl(source_base + ((__u32)n * source_stride & source_mask));
	port = bpf_htons(first_port + (__u16)(n >> source_bits)); /* another one each time round: always a new 4-tuple */
	seq = (__u32)n * 2654435761U;
	addresses = (source & 0xffff) + (source >> 16);
	f->ip.saddr = source;
	f->ip.check = fold(ip_sum + addresses);
	f->tcp.source = port;
	f->tcp.seq = seq;
	f->tcp.check = fold(tcp_sum + addresses + port + (seq & 0xffff) + (seq >> 16));
	return bpf_redirect(out_ifindex, 0);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
