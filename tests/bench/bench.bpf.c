// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The packet programs under a wrapper that writes another flow's addresses, port and sequence number into the packet on each
 * repetition of BPF_PROG_TEST_RUN, and then runs the very same code as ward_xdp. Base lines: nothing at all, the wrapper
 * alone, and the wrapper with a plain parser that drops.
 */
#define LICENSE license_of_track
#include "track.bpf.c"
#undef LICENSE
#define LICENSE license_of_xdp
int ward_xdp(struct xdp_md *ctx) __attribute__((always_inline)); /* into each program below */
#include "xdp.bpf.c"
#undef LICENSE

#include "turn.h"

#define DATA_BYTES 1000

/* Ethernet, IPv4, TCP with a time stamp. */
struct frame {
	struct ethhdr eth;
	struct iphdr ip;
	struct tcphdr tcp;
	__u8 options[12];
} __attribute__((packed));

struct turn turn;
__u64 verdict[5];

static __always_inline struct frame *next_frame(struct xdp_md *ctx)
{
	struct frame *f = (void *)(long)ctx->data;

	return (void *)(f + 1) > (void *)(long)ctx->data_end ? (struct frame *)0 : f;
}

static __always_inline struct frame *rotate(struct xdp_md *ctx, __u32 len)
{
	struct frame *f = next_frame(ctx);

	if (!f)
		return f;
	turn.number += turn.stride;
	if (turn.number >= turn.flows)
		turn.number -= turn.flows;
	f->ip.saddr = bpf_htonl(0x0a000000 + turn.number);
	f->tcp.source = bpf_htons(1024 + (turn.number & 0x7fff));
	f->tcp.seq = bpf_htonl(1001 + turn.round * len);
	if (++turn.seen >= turn.flows) {
		turn.seen = 0;
		turn.round++;
	}
	return f;
}

static __always_inline struct frame *rotate_syn(struct xdp_md *ctx)
{
	struct frame *f = next_frame(ctx);

	if (!f)
		return f;
	turn.syn++;
	f->ip.saddr = bpf_htonl(0x0b000000 + (turn.syn >> 10));
	f->tcp.source = bpf_htons(1024 + (turn.syn & 0x3ff));
	f->tcp.seq = bpf_htonl(turn.syn * 64007);
	return f;
}

static __always_inline int tell(int v)
{
	verdict[v & 3]++;
	return v;
}

SEC("xdp")
int bench_empty(struct xdp_md *ctx)
{
	(void)ctx;
	return XDP_DROP;
}

SEC("xdp")
int bench_rotate(struct xdp_md *ctx)
{
	return tell(rotate(ctx, 0) ? XDP_DROP : XDP_ABORTED);
}

/* What a filter does at least: Ethernet, IPv4, TCP with bounds checks, the 4-tuple and the control bits. */
static __always_inline int plain_parse(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;
	struct iphdr *ip;
	struct tcphdr *tcp;
	__u32 hlen;

	if ((void *)(eth + 1) > end || eth->h_proto != bpf_htons(ETH_P_IP))
		return XDP_PASS;
	ip = (void *)(eth + 1);
	if ((void *)(ip + 1) > end || ip->version != 4 || ip->protocol != IPPROTO_TCP)
		return XDP_PASS;
	hlen = ip->ihl * 4;
	if (hlen < sizeof(*ip) || (ip->frag_off & bpf_htons(IP_OFFSET | IP_MF)))
		return XDP_PASS;
	tcp = (void *)ip + hlen;
	if ((void *)(tcp + 1) > end || tcp->doff < 5)
		return XDP_PASS;
	if (!ip->saddr || !ip->daddr || !tcp->source || !tcp->dest || (tcp->syn && tcp->fin))
		return XDP_PASS;
	return XDP_DROP;
}

SEC("xdp")
int bench_drop(struct xdp_md *ctx)
{
	return tell(rotate(ctx, 0) ? plain_parse(ctx) : XDP_ABORTED);
}

/* Our own parser, which also copes with tags, IPv6, options, and makes the key. */
SEC("xdp")
int bench_parse(struct xdp_md *ctx)
{
	if (!rotate(ctx, 0) || parse_xdp_network(ctx) != PARSED || parse_xdp_tcp(ctx) != PARSED)
		return tell(XDP_ABORTED);
	return tell(XDP_DROP);
}

/* ... and the lookup of the flow. */
SEC("xdp")
int bench_lookup(struct xdp_md *ctx)
{
	struct scratch *sc = scratch_get(SCRATCH_PACKET);

	if (!sc || !rotate(ctx, 0) || parse_xdp_network(ctx) != PARSED || parse_xdp_tcp(ctx) != PARSED)
		return tell(XDP_ABORTED);
	return tell(bpf_map_lookup_elem(&flows, &sc->seg.key) ? XDP_DROP : XDP_ABORTED);
}

SEC("xdp")
int bench_ack(struct xdp_md *ctx)
{
	return tell(rotate(ctx, 0) ? ward_xdp(ctx) : XDP_ABORTED);
}

SEC("xdp")
int bench_data(struct xdp_md *ctx)
{
	return tell(rotate(ctx, DATA_BYTES) ? ward_xdp(ctx) : XDP_ABORTED);
}

SEC("xdp")
int bench_syn(struct xdp_md *ctx)
{
	return tell(rotate_syn(ctx) ? ward_xdp(ctx) : XDP_ABORTED);
}

static long clear_set(void *map, __u32 *index, struct embryo_set *set, void *unused)
{
	int i;

	(void)map, (void)index, (void)unused;
	for (i = 0; i < EMBRYO_WAYS; i++) {
		set->tag[i] = 0;
		set->way[i].flow.phase = PHASE_FREE;
	}
	return 0;
}

/* Empties the embryo table; says what time it is on the programs' clock. */
SEC("syscall")
int bench_reset(__u64 *now)
{
	bpf_for_each_map_elem(&embryos, clear_set, (void *)0, 0);
	*now = now_ns();
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
