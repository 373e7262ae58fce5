// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The other half of our own SYN cookies, at tc ingress behind XDP: the ACK that brings a good cookie back is given the
 * request socket that the stack would have kept of its SYN (bpf_sk_assign_tcp_reqsk, Linux 6.9). In an object file and a
 * program of its own: kernels without that function must not be asked to load it.
 *
 * XDP has looked at the segment already, but nothing can be handed on that every driver would carry: so it is checked again.
 * Always returns TC_ACT_UNSPEC, as tc.bpf.c does.
 */
#include "parse_skb.h"
#include "record.h"

#include "cookie.h"

/* As the kernel's: include/net/tcp.h */
struct bpf_tcp_req_attrs {
	__u32 rcv_tsval;
	__u32 rcv_tsecr;
	__u16 mss;
	__u8 rcv_wscale;
	__u8 snd_wscale;
	__u8 ecn_ok;
	__u8 wscale_ok;
	__u8 sack_ok;
	__u8 tstamp_ok;
	__u8 usec_ts_ok;
	__u8 reserved[3];
};

extern int bpf_sk_assign_tcp_reqsk(struct __sk_buff *skb, struct sock *sk, struct bpf_tcp_req_attrs *attrs,
				   int attrs__sz) __weak __ksym;

/* An open connection's next segment: nothing to do. */
static __always_inline int goes_on(const struct scratch *sc)
{
	struct flow *f = bpf_map_lookup_elem(&flows, &sc->seg.key);

	return f && (f->known[0] & f->known[1] & KNOWN_CONF) && f->state[0] == ESTABLISHED && f->state[1] == ESTABLISHED;
}

static __always_inline __u32 echoed(struct scratch *sc, struct __sk_buff *skb)
{
	__u32 at = sc->echo_at & 31, l4 = sc->l4_at, word[3];

	if (!bpf_skb_load_bytes(skb, l4 + 20, word, sizeof(word)) && word[0] == bpf_htonl(TCPOPT_TS_ALONE))
		return bpf_ntohl(word[2]);
	return (__u32)sc->opt[at] << 24 | (__u32)sc->opt[at + 1] << 16 | (__u32)sc->opt[at + 2] << 8 | sc->opt[at + 3];
}

__weak __noinline int assign_request(struct __sk_buff *skb)
{
	struct scratch *sc = scratch_get(SCRATCH_PACKET);
	struct cookie_keys *keys = cookie_keys_get();
	struct cookie_conf *conf = cookie_conf_get();
	struct bpf_tcp_req_attrs attrs = {};
	struct bpf_sock_tuple tuple = {};
	struct cookie_options o;
	struct cookie_tuple t;
	struct bpf_sock *sk;
	struct sock *full;
	int err = 0;

	if (!sc || !keys || !conf)
		return 0;
	cookie_tuple_of(&sc->seg, sc->seg.seq - 1, &t);
	if (!cookie_check(keys, &t, sc->seg.ack - 1, sc->seg.now_ns, &o))
		return 0;
	cookie_socket_tuple(&t, &tuple);
	if (t.v6)
		sk = bpf_skc_lookup_tcp(skb, &tuple, sizeof(tuple.ipv6), BPF_F_CURRENT_NETNS, 0);
	else
		sk = bpf_skc_lookup_tcp(skb, &tuple, sizeof(tuple.ipv4), BPF_F_CURRENT_NETNS, 0);
	if (!sk)
		return 0;
	if (sk->state != SOCKET_TCP_LISTEN)
		goto out;
	full = (struct sock *)bpf_skc_to_tcp_sock(sk);
	if (!full)
		goto out;
	attrs.mss = o.mss;
	attrs.wscale_ok = !!(o.has & COOKIE_HAS_WS);
	attrs.snd_wscale = attrs.wscale_ok ? o.ws : 0;
	attrs.rcv_wscale = attrs.wscale_ok ? conf->wscale : 0;
	attrs.sack_ok = !!(o.has & COOKIE_HAS_SACK);
	attrs.ecn_ok = !!(o.has & COOKIE_HAS_ECN);
	attrs.tstamp_ok = !!(sc->seg.opts & SEG_TS);
	if (attrs.tstamp_ok) {
		attrs.rcv_tsval = sc->seg.tsval;
		attrs.rcv_tsecr = cookie_clock_now(keys, sc->seg.now_ns, echoed(sc, skb));
	}
	err = bpf_sk_assign_tcp_reqsk(skb, full, &attrs, sizeof(attrs));
out:
	bpf_sk_release(sk);
	if (err)
		bump(CNT_COOKIE_REFUSED);
	return 0;
}

/* No cookie can come back any more. */
static __always_inline int over(const struct cookie_conf *conf)
{
	__u64 now = now_ns();

	return now > cookie_ns + COOKIE_LIFETIME_NS && now > conf->test_until_ns;
}

/*
 * Where generic XDP had to copy a frame, its copy has no Ethernet header for tc (skb->mac_len is lost: seen on Linux 6.18), and
 * the self-test's frames have one on every device. So what is not a segment one way is looked at the other way.
 */
static __always_inline int parse_ack(struct __sk_buff *skb)
{
	int reason = parse_skb(skb);
	__u32 flags;

	if (reason == PARSED)
		return reason;
	flags = parse_skb_flags();
	return flags & (IFACE_GENERIC | IFACE_L3) ? parse_skb_from(skb, !(flags & IFACE_L3)) : reason;
}

SEC("tc")
int ward_tc_cookie(struct __sk_buff *skb)
{
	struct cookie_conf *conf = cookie_conf_get();
	struct scratch *sc;

	if (!conf || conf->flavour != COOKIE_OWN || over(conf) || parse_ack(skb) != PARSED)
		return TC_ACT_UNSPEC;
	sc = scratch_get(SCRATCH_PACKET);
	if (!sc || (sc->seg.bits & (TH_SYN | TH_RST | TH_ACK)) != TH_ACK || goes_on(sc))
		return TC_ACT_UNSPEC;
	assign_request(skb);
	return TC_ACT_UNSPEC;
}

char LICENSE[] SEC("license") __weak = "Dual BSD/GPL";
