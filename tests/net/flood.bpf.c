// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* One segment after another, of ever other sources and ports, out of one device: run over live frames by flood.c. */
#include "vmlinux.h"
/* after vmlinux.h */
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "acks.bpf.h"

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

const volatile __u32 tuples; /* begin again after so many 4-tuples; 0: never */
const volatile __u32 seq_offset; /* of such connections: from the SYN's to these segments' */
const volatile __u32 acks_len; /* of the map below; 0: segments of no connection */

__u8 whole[54]; /* the frame: the receiver may have written into the page that comes back */
__u64 sent;  /* frames made */
__u64 limit; /* and no more */
__u32 next; /* the 4-tuple's number */

/* The sum of what it wrote, in the frame's order. */
static __always_inline __u32 number(struct flood_frame *f, __u32 n)
{
	__u32 seq = n * 2654435761U;
	__u64 *ack;

	if (!acks_len) {
		f->tcp.seq = seq;
		f->tcp.ack_seq = f->tcp.ack ? ~seq : 0;
	} else {
		ack = bpf_map_lookup_elem(&acks, &n);
		f->tcp.seq = bpf_htonl(bpf_ntohl(seq) + seq_offset);
		f->tcp.ack_seq = ack ? bpf_htonl((__u32)*ack) : 0;
	}
	return (f->tcp.seq & 0xffff) + (f->tcp.seq >> 16) + (f->tcp.ack_seq & 0xffff) + (f->tcp.ack_seq >> 16);
}

SEC("xdp")
int flood(struct xdp_md *ctx)
{
	struct flood_frame *f = (void *)(long)ctx->data;
	__u32 n = next, source, addresses;
	__u16 port;

	if ((void *)(f + 1) > (void *)(long)ctx->data_end || sent >= limit)
		return XDP_DROP;
	sent++;
	next = n + 1 == tuples ? 0 : n + 1;
	__builtin_memcpy(f, whole, sizeof(*f));
	source = bpf_htonl(source_base + (n * source_stride & source_mask));
	port = bpf_htons(first_port + (__u16)(n >> source_bits)); /* another one each time round: always a new 4-tuple */
	addresses = (source & 0xffff) + (source >> 16);
	f->ip.saddr = source;
	f->ip.check = fold(ip_sum + addresses);
	f->tcp.source = port;
	f->tcp.check = fold(tcp_sum + addresses + port + number(f, n));
	return bpf_redirect(out_ifindex, 0);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
