/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Parse: a frame into struct segment, in two steps (network, TCP), each a function of its own to the verifier. Ethernet with up to two VLAN tags, or straight IP; IPv4 with options; IPv6 with up to
 * six extension headers. Lengths come from the IP header, so Ethernet padding and cut captures do not matter; where it
 * holds 0 (GSO beyond 64 KiB) the frame's own length counts.
 *
 * Does badly: fragments are counted, not reassembled; headers beyond a frame's first buffer are counted in XDP.
 */
#ifndef BPF_PARSE_H
#define BPF_PARSE_H

#include <bpf/bpf_endian.h>

#include "maps.h"

#define ETH_P_IP 0x0800
#define ETH_P_IPV6 0x86dd
#define ETH_P_8021Q 0x8100
#define ETH_P_8021AD 0x88a8
#define NEXTHDR_HOP 0
#define NEXTHDR_ROUTING 43
#define NEXTHDR_FRAGMENT 44
#define NEXTHDR_ESP 50
#define NEXTHDR_AUTH 51
#define NEXTHDR_DEST 60
#define VLAN_DEPTH 2
#define EXT_DEPTH 6
#define OPT_STEPS 40
#define L4_MAX 2047 /* TCP begins in the first 2 KiB of the frame */
#define IP_MF 0x2000
#define IP_OFFSET 0x1fff
#define TCPOPT_TS_ALONE 0x0101080a /* NOP NOP TS(10): what nearly every segment carries */
#define TCPOPT_MSS 0x0204          /* a SYN of Linux: MSS, SACK permitted and TS, NOP and WS: 20 bytes */
#define TCPOPT_SACK_TS 0x0402080a
#define TCPOPT_NOP_WS 0x010303
#define STAMPS_PER_S 8192 /* SYNs a second and CPU whose round trip is measured; of more, one in 16 */

/* A cursor over the frame. */
struct cursor {
	void *at;
	void *end;
};

/* Reason why the frame is not followed, or PARSED. */
#define PARSED (-1)

/* The Ethernet header and its tags. Returns the EtherType (host order) or 0; vlan: outer id. */
static __always_inline __u16 parse_ethernet(struct cursor *c, __u16 *vlan, int *reason)
{
	struct ethhdr *eth = c->at;
	struct vlan_hdr *tag;
	__u16 proto;
	int i;

	*reason = REASON_TRUNCATED;
	if ((void *)(eth + 1) > c->end)
		return 0;
	c->at = eth + 1;
	proto = bpf_ntohs(eth->h_proto);
	for (i = 0; i < VLAN_DEPTH; i++) {
		if (proto != ETH_P_8021Q && proto != ETH_P_8021AD)
			break;
		tag = c->at;
		if ((void *)(tag + 1) > c->end)
			return 0;
		if (*vlan == VLAN_UNSEEN)
			*vlan = bpf_ntohs(tag->h_vlan_TCI) & 0x0fff;
		proto = bpf_ntohs(tag->h_vlan_encapsulated_proto);
		c->at = tag + 1;
	}
	*reason = proto == ETH_P_8021Q || proto == ETH_P_8021AD ? REASON_VLAN_DEEP : REASON_NOT_IP;
	return proto;
}

/* ::ffff:a.b.c.d, in whole words, as it will be read: a load across two stores has to wait for both */
static __always_inline void map_v4(__u8 to[16], __be32 addr)
{
	__u64 *w = (__u64 *)to;

	w[0] = 0;
	w[1] = (__u64)addr << 32 | bpf_htonl(0xffff);
}

/*
 * Where the next header begins, in bytes from the frame's start. It is kept in memory and read back as an unknown number, so
 * that tags and extension headers before it do not multiply what the verifier has to follow.
 */
static __always_inline void *header_at(struct scratch *sc, void *data)
{
	__u32 at = *(volatile __u32 *)&sc->l4_at;

	return at > L4_MAX ? (void *)0 : data + at;
}

/* Length 0 means "see the frame" only beyond 64 KiB (BIG TCP), or in captures that were taken before segmentation. */
static __always_inline __u32 length_or(__u32 length, __u32 left)
{
	return length ? length : replay || left > 0xffff ? left : 0;
}

/*
 * Checks an IPv4 header. left: bytes of the frame from here on; hlen, len: of the header and of what it carries.
 * Returns PARSED or a reason.
 */
static __always_inline int check_ipv4(const struct iphdr *ip, __u32 left, __u32 *hlen, __u32 *len)
{
	__u32 total = length_or(bpf_ntohs(ip->tot_len), left);
	__u16 frag = bpf_ntohs(ip->frag_off);

	*hlen = ip->ihl * 4;
	if (ip->version != 4 || *hlen < sizeof(*ip) || total < *hlen)
		return REASON_BAD_IP;
	if (ip->protocol != IPPROTO_TCP)
		return REASON_NOT_TCP;
	if (frag & IP_OFFSET)
		return REASON_FRAG_LATER;
	if (frag & IP_MF) /* a header in pieces is nobody's but a filter's enemy's: RFC 1858 */
		return total - *hlen < sizeof(struct tcphdr) ? REASON_BAD_TCP : REASON_FRAG_FIRST;
	if (total > left)
		return REASON_TRUNCATED;
	*len = total - *hlen;
	return PARSED;
}

static __always_inline void fill_key(struct segment *seg, const __u8 saddr[16], __u16 sport, const __u8 daddr[16],
				     __u16 dport);

/* TCP that is broken as it was sent, for the policy (unparsed: drop): the key holds its addresses. Returns the reason. */
__weak __noinline int note_broken(int reason)
{
	struct scratch *sc = scratch_get(SCRATCH_PACKET);

	if (!sc || (reason != REASON_BAD_TCP && reason != REASON_TRUNCATED))
		return reason;
	fill_key(&sc->seg, sc->saddr, 0, sc->daddr, 0);
	sc->broken = 1;
	return reason;
}

/* IPv4. left: bytes of the frame from here. Returns PARSED or a reason. */
static __always_inline int parse_ipv4(struct scratch *sc, void *data, void *end, __u32 left)
{
	struct iphdr *ip = header_at(sc, data);
	__u32 hlen, len;
	int reason;

	if (!ip || (void *)(ip + 1) > end)
		return REASON_TRUNCATED;
	map_v4(sc->saddr, ip->saddr);
	map_v4(sc->daddr, ip->daddr);
	reason = check_ipv4(ip, left, &hlen, &len);
	if (reason != PARSED)
		return note_broken(reason);
	sc->l4_at += hlen;
	sc->l4_len = len;
	return PARSED;
}

/* One IPv6 extension header. Returns its length, 0 if it is none that is stepped over, or a reason below 0 (-1 - reason). */
static __always_inline int extension_size(__u8 next, void *at, void *end)
{
	struct ipv6_opt_hdr *ext = at;
	struct frag_hdr *frag = at;

	switch (next) {
	case NEXTHDR_HOP:
	case NEXTHDR_ROUTING:
	case NEXTHDR_DEST:
	case NEXTHDR_AUTH:
		if ((void *)(ext + 1) > end)
			return -1 - REASON_TRUNCATED;
		return next == NEXTHDR_AUTH ? (ext->hdrlen + 2) * 4 : (ext->hdrlen + 1) * 8;
	case NEXTHDR_FRAGMENT:
		if ((void *)(frag + 1) > end)
			return -1 - REASON_TRUNCATED;
		if (frag->frag_off & bpf_htons(0xfff8))
			return -1 - REASON_FRAG_LATER;
		if (frag->frag_off & bpf_htons(1))
			return -1 - REASON_FRAG_FIRST;
		return sizeof(*frag); /* an atomic fragment: RFC 6946 */
	case NEXTHDR_ESP:
		return -1 - REASON_EXT_CHAIN;
	default:
		return 0;
	}
}

/* The extension headers before TCP. Returns PARSED or a reason. */
static __always_inline int parse_extensions(struct scratch *sc, void *data, void *end)
{
	__u8 next;
	void *at;
	int i, size;

	for (i = 0; i < EXT_DEPTH; i++) {
		next = *(volatile __u8 *)&sc->next_header;
		if (next == IPPROTO_TCP)
			return PARSED;
		at = header_at(sc, data);
		if (!at || at + 1 > end)
			return REASON_TRUNCATED;
		size = extension_size(next, at, end);
		if (size == -1 - REASON_FRAG_FIRST && *(__u8 *)at == IPPROTO_TCP &&
		    sc->l4_len < sizeof(struct frag_hdr) + sizeof(struct tcphdr))
			return note_broken(REASON_BAD_TCP);
		if (size <= 0)
			return size ? -1 - size : REASON_NOT_TCP;
		if (sc->l4_len < size)
			return REASON_BAD_IP;
		sc->l4_len -= size;
		sc->l4_at += size;
		*(volatile __u8 *)&sc->next_header = *(__u8 *)at;
	}
	return *(volatile __u8 *)&sc->next_header == IPPROTO_TCP ? PARSED : REASON_EXT_CHAIN;
}

static __always_inline int v4_mapped(const __u8 addr[16])
{
	const __u32 *w = (const __u32 *)addr;

	return !w[0] && !w[1] && w[2] == bpf_htonl(0xffff);
}

static __always_inline int parse_ipv6(struct scratch *sc, void *data, void *end, __u32 left)
{
	struct ipv6hdr *ip = header_at(sc, data);
	__u32 len;

	if (!ip || (void *)(ip + 1) > end || left < sizeof(*ip))
		return REASON_TRUNCATED;
	if (ip->version != 6)
		return REASON_BAD_IP;
	left -= sizeof(*ip);
	len = length_or(bpf_ntohs(ip->payload_len), left);
	__builtin_memcpy(sc->saddr, &ip->saddr, 16);
	__builtin_memcpy(sc->daddr, &ip->daddr, 16);
	if (len > left)
		return ip->nexthdr == IPPROTO_TCP ? note_broken(REASON_TRUNCATED) : REASON_TRUNCATED;
	/* no such address is on the wire (Linux drops it): it would be the key of an IPv4 flow */
	if (v4_mapped(sc->saddr) || v4_mapped(sc->daddr))
		return REASON_BAD_IP;
	sc->l4_at += sizeof(*ip);
	sc->l4_len = len;
	if (ip->nexthdr == IPPROTO_TCP)
		return PARSED;
	*(volatile __u8 *)&sc->next_header = ip->nexthdr;
	return parse_extensions(sc, data, end);
}

/*
 * Walks the options copied to the scratch, n bytes. The position lives in memory: so each step looks alike to the verifier,
 * for which this is a function of its own.
 */
__weak __noinline int walk_options(__u32 n)
{
	struct scratch *sc = scratch_get(SCRATCH_PACKET);
	__u8 kind, len;
	__u32 at;
	int i;

	if (!sc)
		return 0;
	sc->opt_at = 0;
	for (i = 0; i < OPT_STEPS; i++) {
		at = *(volatile __u32 *)&sc->opt_at;
		if (at >= n || at > 40)
			return 0;
		kind = sc->opt[at & 63];
		if (kind == 0)
			return 0;
		if (kind == 1) {
			*(volatile __u32 *)&sc->opt_at = at + 1;
			continue;
		}
		len = sc->opt[(at + 1) & 63];
		if (len < 2 || at + len > n)
			return 0;
		if (kind == 2 && len == 4) {
			sc->seg.mss = (__u16)sc->opt[(at + 2) & 63] << 8 | sc->opt[(at + 3) & 63];
			sc->seg.opts |= SEG_MSS;
		} else if (kind == 3 && len == 3) {
			sc->seg.ws = sc->opt[(at + 2) & 63];
			sc->seg.opts |= SEG_WS;
		} else if (kind == 4) {
			sc->seg.opts |= SEG_SACK_OK;
		} else if (kind == 8 && len == 10) {
			sc->seg.tsval = (__u32)sc->opt[(at + 2) & 63] << 24 | (__u32)sc->opt[(at + 3) & 63] << 16 |
					(__u32)sc->opt[(at + 4) & 63] << 8 | sc->opt[(at + 5) & 63];
			sc->seg.opts |= SEG_TS;
			sc->echo_at = at + 6;
		}
		*(volatile __u32 *)&sc->opt_at = at + len;
	}
	return 0;
}

/* TCP options: the usual layout at a glance, any other by a walk over a copy. tcp: the header, hlen its length. */
static __always_inline void parse_options(struct scratch *sc, struct tcphdr *tcp, __u32 hlen, void *end)
{
	__u32 *word = (__u32 *)(tcp + 1), *to = (__u32 *)sc->opt, n = hlen - sizeof(*tcp);
	int i;

	asm volatile("" : "+r"(word)); /* or clang 19 checks another sum than it reads by */
	if (n < 4 || (void *)(word + 1) > end)
		return;
	/* behind it no option matters, except in a SYN */
	if ((n == 12 || (n > 12 && !(sc->seg.bits & TH_SYN))) && (void *)(word + 3) <= end &&
	    word[0] == bpf_htonl(TCPOPT_TS_ALONE)) {
		sc->seg.tsval = bpf_ntohl(word[1]);
		sc->seg.opts |= SEG_TS;
		return;
	}
	if (n == 20 && (void *)(word + 5) <= end && bpf_ntohl(word[0]) >> 16 == TCPOPT_MSS &&
	    word[1] == bpf_htonl(TCPOPT_SACK_TS) && bpf_ntohl(word[4]) >> 8 == TCPOPT_NOP_WS) {
		sc->seg.mss = (__u16)bpf_ntohl(word[0]);
		sc->seg.tsval = bpf_ntohl(word[2]);
		sc->seg.ws = (__u8)bpf_ntohl(word[4]);
		sc->seg.opts |= SEG_MSS | SEG_SACK_OK | SEG_TS | SEG_WS;
		return;
	}
	for (i = 0; i < 10; i++) {
		if (i * 4 >= n || (void *)(word + i + 1) > end)
			break;
		to[i] = word[i];
	}
	walk_options(n < i * 4 ? n : i * 4);
}

/* Network order, as bytes: is a:ap below b:bp? */
static __always_inline int end_below(const __u8 a[16], __u16 ap, const __u8 b[16], __u16 bp)
{
	const __u64 *x = (const __u64 *)a, *y = (const __u64 *)b;
	__u64 p, q;

	p = bpf_be64_to_cpu(x[0]);
	q = bpf_be64_to_cpu(y[0]);
	if (p == q) {
		p = bpf_be64_to_cpu(x[1]);
		q = bpf_be64_to_cpu(y[1]);
	}
	return p == q ? ap < bp : p < q;
}

static __always_inline void copy16(__u8 to[16], const __u8 from[16])
{
	((__u64 *)to)[0] = ((const __u64 *)from)[0];
	((__u64 *)to)[1] = ((const __u64 *)from)[1];
}

/* The last eight bytes of the key in one store. */
static __always_inline void fill_ports(struct segment *seg, __u16 a_port, __u16 b_port)
{
	__u32 vlan = key_vlan && seg->vlan != VLAN_UNSEEN ? seg->vlan : 0;

	*(__u64 *)&seg->key.a_port = a_port | (__u64)b_port << 16 | (__u64)vlan << 32;
}

static __always_inline void fill_key(struct segment *seg, const __u8 saddr[16], __u16 sport, const __u8 daddr[16],
				     __u16 dport)
{
	struct flow_key *k = &seg->key;

	if (end_below(saddr, sport, daddr, dport)) {
		copy16(k->a_addr, saddr);
		copy16(k->b_addr, daddr);
		fill_ports(seg, sport, dport);
		seg->dir = 0;
	} else {
		copy16(k->a_addr, daddr);
		copy16(k->b_addr, saddr);
		fill_ports(seg, dport, sport);
		seg->dir = 1;
	}
}

/*
 * The network layer of frame [data, data_end) of frame_len bytes, into the scratch: addresses, where TCP begins, how long it
 * is. l3: it starts at the IP header. vlan: a tag that was taken off already, or VLAN_UNSEEN.
 * Returns PARSED or enum ward_reason.
 */
static __always_inline int parse_network(struct scratch *sc, void *data, void *data_end, __u32 frame_len, int l3,
					 __u16 vlan)
{
	struct cursor c = {.at = data, .end = data_end};
	__u32 left;
	__u16 proto;
	int reason;

	if (l3) {
		if (data + 1 > data_end)
			return REASON_TRUNCATED;
		proto = *(__u8 *)data >> 4 == 6 ? ETH_P_IPV6 : *(__u8 *)data >> 4 == 4 ? ETH_P_IP : 0;
		reason = REASON_BAD_IP;
	} else {
		proto = parse_ethernet(&c, &vlan, &reason);
	}
	sc->broken = 0;
	sc->seg.vlan = vlan;
	sc->l4_at = (__u32)(c.at - data);
	left = frame_len - (__u32)(c.at - data);
	if (proto == ETH_P_IP)
		return parse_ipv4(sc, data, data_end, left);
	if (proto == ETH_P_IPV6)
		return parse_ipv6(sc, data, data_end, left);
	return reason;
}

/*
 * A finer clock for the round trip of the handshake, taken of SYNs and SYN-ACKs; 0: not taken. It is read here, not where it
 * is used: reading it waits for all loads that are under way, and costs as much as the rest of the parser. In a flood it is
 * read for a sample.
 */
static __always_inline __u32 handshake_stamp(struct scratch *sc)
{
	__u64 second = sc->seg.now_ns >> 30; /* close enough to one */

	if (replay)
		return (__u32)sc->seg.now_ns | 1;
	if (!(sc->seg.bits & TH_SYN))
		return 0;
	if (sc->stamp_second != second) {
		sc->stamp_second = second;
		sc->stamps = 0;
	}
	if (sc->stamps++ >= STAMPS_PER_S && sc->stamps & 15)
		return 0;
	return (__u32)bpf_ktime_get_ns() | 1;
}

/* The numbers and options of a TCP header. len: of header and payload. Returns PARSED or a reason. */
static __always_inline int parse_header(struct scratch *sc, struct tcphdr *tcp, void *data_end, __u32 len)
{
	struct segment *seg = &sc->seg;
	__u32 hlen;

	if ((void *)(tcp + 1) > data_end)
		return len < sizeof(*tcp) ? REASON_BAD_TCP : REASON_TRUNCATED;
	hlen = tcp->doff * 4;
	if (hlen < sizeof(*tcp) || hlen > len)
		return REASON_BAD_TCP;
	seg->bits = ((__u8 *)tcp)[13] & 0x3f;
	seg->seq = bpf_ntohl(tcp->seq);
	seg->ack = seg->bits & TH_ACK ? bpf_ntohl(tcp->ack_seq) : 0;
	seg->win = bpf_ntohs(tcp->window);
	seg->len = len - hlen;
	seg->opts = 0;
	seg->tsval = 0;
	seg->ws = 0;
	seg->mss = 0;
	seg->stamp_ns = handshake_stamp(sc);
	parse_options(sc, tcp, hlen, data_end);
	return PARSED;
}

/* The TCP header at sc->l4_at, and with it the whole of sc->seg but time, interface and number of segments. */
static __always_inline int parse_tcp(struct scratch *sc, void *data, void *data_end)
{
	struct tcphdr *tcp = header_at(sc, data);
	int reason;

	if (!tcp)
		return REASON_EXT_CHAIN;
	reason = parse_header(sc, tcp, data_end, sc->l4_len);
	if (reason == PARSED)
		fill_key(&sc->seg, sc->saddr, bpf_ntohs(tcp->source), sc->daddr, bpf_ntohs(tcp->dest));
	return reason == REASON_BAD_TCP ? note_broken(reason) : reason;
}

/* The key of an IPv4 segment, without the detour over 16-byte addresses. */
static __always_inline void fill_key_v4(struct segment *seg, __be32 saddr, __u16 sport, __be32 daddr, __u16 dport)
{
	struct flow_key *k = &seg->key;
	__u32 s = bpf_ntohl(saddr), d = bpf_ntohl(daddr);
	int below = s == d ? sport < dport : s < d;

	map_v4(k->a_addr, below ? saddr : daddr);
	map_v4(k->b_addr, below ? daddr : saddr);
	fill_ports(seg, below ? sport : dport, below ? dport : sport);
	seg->dir = !below;
}

#define NOT_PLAIN (-2) /* look at it step by step: parse_network(), parse_tcp() */

/*
 * The usual frame, in one go: Ethernet without a tag, IPv4. What it is not sure of it leaves to the two steps.
 * Returns PARSED, a reason, or NOT_PLAIN.
 */
static __always_inline int parse_plain(struct scratch *sc, void *data, void *data_end, __u16 vlan)
{
	struct ethhdr *eth = data;
	struct iphdr *ip = (void *)(eth + 1);
	struct tcphdr *tcp;
	__u32 hlen, len;
	int reason;

	if ((void *)(ip + 1) > data_end || eth->h_proto != bpf_htons(ETH_P_IP) || !ip->tot_len)
		return NOT_PLAIN;
	reason = check_ipv4(ip, data_end - (void *)ip, &hlen, &len);
	if (reason != PARSED)
		return reason == REASON_TRUNCATED || reason == REASON_BAD_TCP ? NOT_PLAIN : reason;
	tcp = (void *)ip + hlen;
	sc->seg.vlan = vlan;
	sc->l4_at = sizeof(*eth) + hlen;
	reason = parse_header(sc, tcp, data_end, len);
	if (reason == PARSED)
		fill_key_v4(&sc->seg, ip->saddr, bpf_ntohs(tcp->source), ip->daddr, bpf_ntohs(tcp->dest));
	return reason == REASON_TRUNCATED || reason == REASON_BAD_TCP ? NOT_PLAIN : reason;
}

/* Row of the interface in the instance's table; 0xff: none of ours. */
static __always_inline __u8 iface_row(__u32 ifindex)
{
	__u32 i;

	for (i = 0; i < WARD_IFACES; i++) {
		if (i >= iface_count)
			break;
		if (ifaces[i].ifindex == ifindex)
			return i;
	}
	return 0xff;
}

/* The same for XDP, which a bond hands to its ports: to those, too, that join it later. */
static __always_inline __u8 iface_row_xdp(__u32 ifindex)
{
	__u8 row = iface_row(ifindex);

	return row == 0xff ? ports_row : row;
}

#endif
