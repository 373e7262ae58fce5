// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The packet programs under a wrapper that writes another flow's addresses, port and sequence number into the packet on each
 * repetition of BPF_PROG_TEST_RUN, and then runs the very same code as ward_xdp. Base lines: nothing at all, the wrapper
 * alone, and the wrapper with a plain parser that drops.
 */
#define LICENSE license_of_policy
#include "policy.bpf.c"
#undef LICENSE
#define LICENSE license_of_track
#include "track.bpf.c"
#undef LICENSE
#define LICENSE license_of_cookie
#include "cookie.bpf.c"
#undef LICENSE
#define LICENSE license_of_mark
#include "mark.bpf.c"
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
struct tick tick;
__u64 verdict[5];
__u64 syn_words[SYN_WORDS]; /* the SYN from its third byte on */
__u16 syn_head;

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

/* A SYN of an address of the list. */
static __always_inline struct frame *rotate_listed(struct xdp_md *ctx)
{
	struct frame *f = next_frame(ctx);

	if (!f)
		return f;
	turn.listed_at += turn.listed_stride;
	if (turn.listed_at >= turn.listed)
		turn.listed_at -= turn.listed;
	f->ip.saddr = bpf_htonl(LISTED_FIRST + (turn.listed_at << turn.listed_shift));
	f->tcp.source = bpf_htons(1024 + (turn.listed_at & 0x7fff));
	return f;
}

/*
 * The whole SYN again: what was answered stands there as its SYN-ACK. In words that the parser's loads fall into: one that
 * lay across two stores would have to wait for both.
 */
static __always_inline struct frame *rewrite_syn(struct xdp_md *ctx)
{
	void *to = (void *)(long)ctx->data;
	int i;

	if (to + SYN_BYTES > (void *)(long)ctx->data_end)
		return (struct frame *)0;
	*(__u16 *)to = syn_head;
	for (i = 0; i < SYN_WORDS; i++)
		*(__u64 *)(to + 2 + 8 * i) = syn_words[i];
	return rotate_syn(ctx);
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

/*
 * For comparison with our parser: one of the usual kind, all inline, on the stack. Tags, IPv4 with options or IPv6, TCP with
 * its time stamp, lengths checked, the key in its order.
 */
struct plain {
	struct flow_key key;
	__u32 seq, ack, len, tsval;
	__u16 win;
	__u8 bits, dir;
};

static __always_inline int plain_tcp(struct plain *p, struct tcphdr *tcp, void *end, __u32 len)
{
	__u32 hlen, *word = (__u32 *)(tcp + 1);

	if ((void *)(tcp + 1) > end)
		return 0;
	hlen = tcp->doff * 4;
	if (hlen < sizeof(*tcp) || hlen > len)
		return 0;
	p->bits = ((__u8 *)tcp)[13] & 0x3f;
	p->seq = bpf_ntohl(tcp->seq);
	p->ack = bpf_ntohl(tcp->ack_seq);
	p->win = bpf_ntohs(tcp->window);
	p->len = len - hlen;
	p->tsval = 0;
	if (hlen == 32 && (void *)(word + 3) <= end && word[0] == bpf_htonl(TCPOPT_TS_ALONE))
		p->tsval = bpf_ntohl(word[1]);
	return 1;
}

static __always_inline void plain_key(struct plain *p, const __u8 *saddr, const __u8 *daddr, __u16 sport, __u16 dport)
{
	p->dir = !end_below(saddr, sport, daddr, dport);
	copy16(p->key.a_addr, p->dir ? daddr : saddr);
	copy16(p->key.b_addr, p->dir ? saddr : daddr);
	p->key.a_port = p->dir ? dport : sport;
	p->key.b_port = p->dir ? sport : dport;
	p->key.vlan = 0;
}

static __always_inline int plain_parse(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end, *at;
	struct cursor c = {.at = data, .end = end};
	__u64 saddr[2], daddr[2];
	__u16 vlan = VLAN_UNSEEN, proto;
	struct tcphdr *tcp;
	struct plain p;
	__u32 len;
	int reason;

	proto = parse_ethernet(&c, &vlan, &reason);
	at = c.at;
	if (proto == ETH_P_IP) {
		struct iphdr *ip = at;

		if ((void *)(ip + 1) > end || ip->version != 4 || ip->ihl < 5 || ip->protocol != IPPROTO_TCP ||
		    (ip->frag_off & bpf_htons(IP_OFFSET | IP_MF)))
			return XDP_PASS;
		tcp = at + ip->ihl * 4;
		len = bpf_ntohs(ip->tot_len) - ip->ihl * 4;
		map_v4((__u8 *)saddr, ip->saddr);
		map_v4((__u8 *)daddr, ip->daddr);
	} else if (proto == ETH_P_IPV6) {
		struct ipv6hdr *ip = at;

		if ((void *)(ip + 1) > end || ip->nexthdr != IPPROTO_TCP)
			return XDP_PASS;
		tcp = at + sizeof(*ip);
		len = bpf_ntohs(ip->payload_len);
		__builtin_memcpy(saddr, &ip->saddr, 16);
		__builtin_memcpy(daddr, &ip->daddr, 16);
	} else {
		return XDP_PASS;
	}
	if (len > end - data || !plain_tcp(&p, tcp, end, len))
		return XDP_PASS;
	plain_key(&p, (__u8 *)saddr, (__u8 *)daddr, bpf_ntohs(tcp->source), bpf_ntohs(tcp->dest));
	asm volatile("" : : "r"(&p) : "memory"); /* all of it is wanted */
	return XDP_DROP;
}

/* The least that can be called a parser: Ethernet, IPv4, TCP with bounds checks, and a look at the 4-tuple and the control bits. */
static __always_inline int least_parse(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;
	struct tcphdr *tcp;
	struct iphdr *ip;
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
	return tell(rotate(ctx, 0) ? least_parse(ctx) : XDP_ABORTED);
}

SEC("xdp")
int bench_plain(struct xdp_md *ctx)
{
	return tell(rotate(ctx, 0) ? plain_parse(ctx) : XDP_ABORTED);
}

/* What a clock of nanoseconds costs: the handshake's round trip is measured by it. */
SEC("xdp")
int bench_clock(struct xdp_md *ctx)
{
	struct frame *f = rotate(ctx, 0);

	if (!f)
		return tell(XDP_ABORTED);
	turn.stamp = bpf_ktime_get_ns();
	return tell(XDP_DROP);
}

/* Our own parser, which also copes with tags, IPv6, options, and makes the key. */
SEC("xdp")
int bench_parse(struct xdp_md *ctx)
{
	if (!rotate(ctx, 0) || parse(ctx) != PARSED)
		return tell(XDP_ABORTED);
	return tell(XDP_DROP);
}

/* ... and the lookup of the flow. */
SEC("xdp")
int bench_lookup(struct xdp_md *ctx)
{
	struct scratch *sc = scratch_get(SCRATCH_PACKET);

	if (!sc || !rotate(ctx, 0) || parse(ctx) != PARSED)
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

/* Each from an address that was never seen. */
SEC("xdp")
int bench_syn_fresh(struct xdp_md *ctx)
{
	struct frame *f = rotate_syn(ctx);

	if (!f)
		return tell(XDP_ABORTED);
	f->ip.saddr = bpf_htonl(0x0b000000 + (turn.syn & 0xffffff));
	return tell(ward_xdp(ctx));
}

SEC("xdp")
int bench_syn(struct xdp_md *ctx)
{
	return tell(rotate_syn(ctx) ? ward_xdp(ctx) : XDP_ABORTED);
}

SEC("xdp")
int bench_listed(struct xdp_md *ctx)
{
	return tell(rotate_listed(ctx) ? ward_xdp(ctx) : XDP_ABORTED);
}

/* Data beyond a gap, which stays: the slow path, each time. */
SEC("xdp")
int bench_gap(struct xdp_md *ctx)
{
	struct frame *f = rotate(ctx, 0);

	if (!f)
		return tell(XDP_ABORTED);
	f->tcp.seq = bpf_htonl(1001 + 3 * DATA_BYTES);
	return tell(ward_xdp(ctx));
}

/* An ACK of no flow. */
SEC("xdp")
int bench_stray(struct xdp_md *ctx)
{
	return tell(rotate_syn(ctx) ? ward_xdp(ctx) : XDP_ABORTED);
}

SEC("xdp")
int bench_parse_syn(struct xdp_md *ctx)
{
	return tell(rotate_syn(ctx) && parse(ctx) == PARSED ? XDP_DROP : XDP_ABORTED);
}

SEC("xdp")
int bench_rewrite(struct xdp_md *ctx)
{
	return tell(rewrite_syn(ctx) && parse(ctx) == PARSED ? XDP_DROP : XDP_ABORTED);
}

/* Parse, and make the SYN-ACK of the SYN. fresh: the tracker has just found no flow, so that the stack need not be asked. */
static __always_inline int reply(struct xdp_md *ctx, int fresh)
{
	struct scratch *sc = scratch_get(SCRATCH_PACKET);

	if (!sc || !rewrite_syn(ctx) || parse(ctx) != PARSED)
		return tell(XDP_ABORTED);
	sc->policy.fresh = fresh;
	if (fresh)
		sc->hash = key_hash(&sc->seg.key);
	return tell(cookie_syn(ctx) == COOKIE_ANSWERED ? XDP_TX : XDP_ABORTED);
}

SEC("xdp")
int bench_cookie(struct xdp_md *ctx)
{
	return reply(ctx, 1);
}

/* ... where the socket is searched for each SYN: the tracker sees one direction only, or the kernel's cookies. */
SEC("xdp")
int bench_cookie_asked(struct xdp_md *ctx)
{
	return reply(ctx, 0);
}

/* The whole path: with the tracker's look, and the policy's, before it. */
SEC("xdp")
int bench_answer(struct xdp_md *ctx)
{
	return tell(rewrite_syn(ctx) ? ward_xdp(ctx) : XDP_ABORTED);
}

/* What of a cookie's reply is the search for the socket. */
SEC("xdp")
int bench_socket(struct xdp_md *ctx)
{
	struct cookie_work *w = cookie_work_get();

	if (!w || !rotate_syn(ctx) || parse(ctx) != PARSED)
		return tell(XDP_ABORTED);
	w->ask = ASK_NOTHING;
	return tell(cookie_socket(ctx) == SOCKET_LISTENER ? XDP_DROP : XDP_ABORTED);
}

static long clear_set(void *map, __u32 *index, struct syn_set *set, void *unused)
{
	(void)map, (void)index, (void)unused;
	__builtin_memset(set->syns.tag, 0, sizeof(set->syns.tag));
	return 0;
}

/* Forgets all SYNs; says what time it is on the programs' clock. */
SEC("syscall")
int bench_reset(__u64 *now)
{
	bpf_for_each_map_elem(&syns, clear_set, (void *)0, 0);
	*now = now_ns();
	return 0;
}

static long mark_present(void *map, struct flow_key *key, struct flow *f, void *unused)
{
	(void)map, (void)f, (void)unused;
	present_add(key_hash(key));
	return 0;
}

/* What the programs would have done when these flows came into the table; and their service has a record. */
SEC("syscall")
int bench_present(struct flow_key *key)
{
	struct scratch *sc = scratch_get(SCRATCH_SWEEP);

	if (!sc)
		return 1;
	__builtin_memcpy(&sc->seg.key, key, sizeof(*key));
	service_make(&sc->seg.key, 1, now_ns());
	bpf_for_each_map_elem(&flows, mark_present, (void *)0, 0);
	return 0;
}

static long walk_nothing(void *map, struct flow_key *key, struct flow *f, void *unused)
{
	(void)map, (void)key, (void)f, (void)unused;
	return 0;
}

SEC("syscall")
int bench_walk(void *unused)
{
	bpf_for_each_map_elem(&flows, walk_nothing, (void *)0, 0);
	(void)unused;
	return 0;
}

#define TICK_NS 200000

struct ticker {
	struct bpf_timer timer;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct ticker);
} tickers SEC(".maps");

/* In softirq, as packets come: how late? */
static int on_tick(void *map, __u32 *index, struct ticker *t)
{
	__u64 now = bpf_ktime_get_ns();

	(void)map, (void)index;
	if (now - tick.due_ns > tick.latest_ns)
		tick.latest_ns = now - tick.due_ns;
	tick.count++;
	tick.due_ns = now + TICK_NS;
	bpf_timer_start(&t->timer, TICK_NS, 0);
	return 0;
}

SEC("syscall")
int bench_tick(void *unused)
{
	__u32 zero = 0;
	struct ticker *t = bpf_map_lookup_elem(&tickers, &zero);

	(void)unused;
	if (!t)
		return 1;
	bpf_timer_init(&t->timer, &tickers, 1 /* CLOCK_MONOTONIC */);
	bpf_timer_set_callback(&t->timer, on_tick);
	tick.due_ns = bpf_ktime_get_ns() + TICK_NS;
	return bpf_timer_start(&t->timer, TICK_NS, 0) ? 1 : 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
