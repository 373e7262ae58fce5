/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The frame of a SYN that is answered by a cookie: where its headers are, and how it becomes the SYN-ACK. */
#ifndef BPF_COOKIE_FRAME_H
#define BPF_COOKIE_FRAME_H

#include "cookie.h"

#define IP_DF 0x4000
#define TTL 64
#define PROTO_TCP 6
#define L4_MAX 2047
#define L3_MAX 22 /* Ethernet and two tags */

/* Where its headers begin. 0: it is not what the parser saw. */
static __always_inline int find_headers(struct scratch *sc, struct cookie_work *w, void *data, void *end)
{
	struct ethhdr *eth = data;
	__be16 *tag = (__be16 *)(eth + 1);
	__be16 proto;
	__u32 l3 = 0;

	if (!(ifaces[sc->seg.iface & (WARD_IFACES - 1)].flags & IFACE_XDP_L3)) {
		if ((void *)(eth + 1) > end)
			return 0;
		l3 = sizeof(*eth);
		proto = eth->h_proto;
		if (proto == bpf_htons(0x8100) || proto == bpf_htons(0x88a8)) {
			if ((void *)(tag + 2) > end)
				return 0;
			l3 += 4;
			proto = tag[1];
			if (proto == bpf_htons(0x8100) || proto == bpf_htons(0x88a8))
				l3 += 4;
		}
	}
	w->l3 = l3;
	w->l4 = sc->l4_at;
	return 1;
}

static __always_inline __u32 words_sum(const __u32 *w, int n)
{
	__u64 sum = 0;
	int i;

	for (i = 0; i < n; i++)
		sum += w[i];
	sum = (sum & 0xffffffff) + (sum >> 32);
	return (__u32)((sum & 0xffffffff) + (sum >> 32));
}

static __always_inline __u16 checksum(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (__u16)~sum;
}

/* The IP header of the answer, from what the parser kept. Returns the sum of both addresses, or -1 where there is no room. */
static __always_inline __s64 write_ipv4(void *at, void *end, const struct cookie_tuple *t, __u32 tcp_len)
{
	__u32 *w = at, first = bpf_htonl(0x45000000 | (20 + tcp_len)), third = bpf_htonl(TTL << 24 | PROTO_TCP << 16);
	__u32 daddr = *(const __u32 *)(t->daddr + 12), saddr = *(const __u32 *)(t->saddr + 12);
	__u64 addresses = (__u64)daddr + saddr;

	if (at + 20 > end)
		return -1;
	w[0] = first;
	w[1] = bpf_htonl(IP_DF);
	w[2] = third | (__u32)checksum(addresses + first + bpf_htonl(IP_DF) + third) << 16; /* its last two bytes */
	w[3] = daddr;
	w[4] = saddr;
	return (__s64)addresses;
}

static __always_inline __s64 write_ipv6(void *at, void *end, const struct cookie_tuple *t, __u32 tcp_len)
{
	__u32 *w = at;

	if (at + 40 > end)
		return -1;
	w[0] = bpf_htonl(0x60000000);
	w[1] = bpf_htonl(tcp_len << 16 | PROTO_TCP << 8 | TTL);
	__builtin_memcpy(w + 2, t->daddr, 16);
	__builtin_memcpy(w + 6, t->saddr, 16);
	return words_sum(w + 2, 8);
}

/* TCP header and options at `at`; sum: of the pseudo header. 0: no room. */
static __always_inline int write_tcp(struct cookie_work *w, const struct segment *seg, const struct cookie_tuple *t,
				     const struct cookie_conf *conf, __u64 sum, void *at, void *end)
{
	__u32 *to = at, n = *(volatile __u32 *)&w->reply.words, i, flags, ports, isn, ack, rest, word;

	if (at + 20 > end)
		return 0;
	flags = TH_SYN | TH_ACK | (w->has & COOKIE_HAS_ECN ? 0x40 : 0);
	ports = t->dport | (__u32)t->sport << 16;
	isn = bpf_htonl(w->isn);
	ack = bpf_htonl(seg->seq + 1);
	rest = bpf_htonl((5 + n) << 28 | flags << 16 | conf->window);
	to[0] = ports;
	to[1] = isn;
	to[2] = ack;
	to[3] = rest;
	sum += (__u64)ports + isn + ack + rest;
	for (i = 0; i < 5; i++) {
		if (i >= n)
			break;
		if ((void *)(to + 6 + i) > end)
			return 0;
		word = bpf_htonl(w->reply.word[i]);
		to[5 + i] = word;
		sum += word;
	}
	to[4] = checksum(sum); /* and no urgent pointer */
	return 1;
}

static __always_inline void swap_macs(struct ethhdr *eth)
{
	__u16 *m = (__u16 *)eth, a = m[0], b = m[1], c = m[2];

	m[0] = m[3];
	m[1] = m[4];
	m[2] = m[5];
	m[3] = a;
	m[4] = b;
	m[5] = c;
}

/* The frame becomes the SYN-ACK. Checksums are made from scratch: those of a veth's frames are partial. */
__weak __noinline int cookie_write(struct xdp_md *ctx)
{
	struct scratch *sc = scratch_get(SCRATCH_PACKET);
	struct cookie_work *w = cookie_work_get();
	struct cookie_conf *conf = cookie_conf_get();
	__u32 l3, n, ip_len, tcp_len;
	int grow;
	struct cookie_tuple t;
	void *data, *end;
	__s64 sum;

	if (!sc || !w || !conf)
		return COOKIE_PASS;
	l3 = *(volatile __u32 *)&w->l3;
	n = *(volatile __u32 *)&w->reply.words;
	if (l3 > L3_MAX || n > 5)
		return COOKIE_PASS;
	ip_len = w->v6 ? 40 : 20;
	tcp_len = 20 + 4 * n;
	grow = (int)(l3 + ip_len + tcp_len) - (int)bpf_xdp_get_buff_len(ctx);
	if (grow && bpf_xdp_adjust_tail(ctx, grow))
		return COOKIE_PASS;
	data = (void *)(long)ctx->data;
	end = (void *)(long)ctx->data_end;
	if (l3 && data + sizeof(struct ethhdr) <= end)
		swap_macs(data);
	cookie_tuple_of(&sc->seg, sc->seg.seq, &t);
	sum = w->v6 ? write_ipv6(data + l3, end, &t, tcp_len) : write_ipv4(data + l3, end, &t, tcp_len);
	if (sum < 0 || !write_tcp(w, &sc->seg, &t, conf, sum + bpf_htonl(PROTO_TCP << 16 | tcp_len), data + l3 + ip_len, end))
		return COOKIE_DROP_RATE; /* cannot be: it was made so long above */
	return COOKIE_ANSWERED;
}

#endif
