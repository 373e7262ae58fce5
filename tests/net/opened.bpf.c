// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Both ends of the connections that flood.c begins: answers SYNs by SYN-ACKs, SYN-ACKs and data by ACKs, and
 * drops all else. It notes what each connection's later segments acknowledge.
 */
#include "vmlinux.h"
/* after vmlinux.h */
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "acks.bpf.h"

#define ETH_P_IP 0x0800
#define TCP_WORDS 5

/* Without options: those of a SYN-ACK are cut off. */
struct segment {
	struct ethhdr eth;
	struct iphdr ip;
	struct tcphdr tcp;
} __attribute__((packed));

const volatile __u32 source_base; /* host order */
const volatile __u32 source_bits;
const volatile __u32 tuples;
const volatile __u16 first_port;

__u32 open; /* connections whose SYN-ACK came */

static __always_inline __u32 sum_words(const void *from, int words)
{
	const __u16 *word = from;
	__u32 sum = 0;

	for (int i = 0; i < words; i++)
		sum += word[i];
	return sum;
}

static __always_inline void note(const struct segment *s)
{
	__u32 n = bpf_ntohl(s->ip.daddr) - source_base + ((__u32)(bpf_ntohs(s->tcp.dest) - first_port) << source_bits);
	__u64 *ack = bpf_map_lookup_elem(&acks, &n);

	if (!ack)
		return;
	if (!*ack)
		__sync_fetch_and_add(&open, 1);
	*ack = bpf_ntohl(s->tcp.seq) + 1;
}

/* The sums are made anew: those of a segment from a local stack may be partial. */
static __always_inline void turn_round(struct segment *s, __u32 seq, __u32 ack, __u8 syn)
{
	__u32 address = s->ip.saddr;
	__u16 port = s->tcp.source;
	__u8 mac[6];

	__builtin_memcpy(mac, s->eth.h_source, 6);
	__builtin_memcpy(s->eth.h_source, s->eth.h_dest, 6);
	__builtin_memcpy(s->eth.h_dest, mac, 6);
	s->ip.saddr = s->ip.daddr;
	s->ip.daddr = address;
	s->ip.tot_len = bpf_htons(sizeof(s->ip) + sizeof(s->tcp));
	s->ip.ttl = 64;
	s->ip.check = 0;
	s->ip.check = fold(sum_words(&s->ip, sizeof(s->ip) / 2));
	s->tcp.source = s->tcp.dest;
	s->tcp.dest = port;
	s->tcp.seq = seq;
	s->tcp.ack_seq = ack;
	((__u8 *)&s->tcp)[12] = TCP_WORDS << 4;
	((__u8 *)&s->tcp)[13] = syn ? 0x12 : 0x10;
	s->tcp.window = bpf_htons(64240);
	s->tcp.urg_ptr = 0;
	s->tcp.check = 0;
	s->tcp.check = fold(sum_words(&s->tcp, sizeof(s->tcp) / 2) + sum_words(&s->ip.saddr, 4) + bpf_htons(IPPROTO_TCP) +
			    bpf_htons(sizeof(s->tcp)));
}

SEC("xdp")
int opened(struct xdp_md *ctx)
{
	struct segment *s = (void *)(long)ctx->data;
	int longer = (int)(ctx->data_end - ctx->data) - (int)sizeof(*s), len;

	if ((void *)(s + 1) > (void *)(long)ctx->data_end)
		return XDP_DROP;
	if (s->eth.h_proto != bpf_htons(ETH_P_IP))
		return XDP_PASS; /* ARP */
	if (s->ip.protocol != IPPROTO_TCP || s->ip.ihl != 5 || s->tcp.rst)
		return XDP_DROP;
	len = bpf_ntohs(s->ip.tot_len) - 20 - s->tcp.doff * 4;
	if (!s->tcp.syn && len <= 0)
		return XDP_DROP;
	if (s->tcp.syn && s->tcp.ack)
		note(s);
	if (s->tcp.ack) /* the answer to a SYN that comes again is the same */
		turn_round(s, s->tcp.ack_seq, bpf_htonl(bpf_ntohl(s->tcp.seq) + s->tcp.syn + len), 0);
	else
		turn_round(s, s->tcp.seq * 2246822519U, bpf_htonl(bpf_ntohl(s->tcp.seq) + 1), 1);
	if (longer > 0 && bpf_xdp_adjust_tail(ctx, -longer))
		return XDP_DROP;
	return XDP_TX;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
