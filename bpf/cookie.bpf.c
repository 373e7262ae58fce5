// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * SYN cookies at XDP: a SYN becomes its SYN-ACK in place and goes back; an ACK of no connection must bring a good cookie.
 *
 * A SYN asks for its socket first: an answer without memory to a connection that the stack knows (TIME-WAIT, or any other)
 * would end it, a listener of Multipath TCP cannot take such an answer, and where nobody listens (a container's port behind
 * DNAT, or nothing) there is nobody to take it. All of these pass, and are counted.
 *
 * The socket costs more than all the rest. So it is not asked for where both are known without it: that the stack has no such
 * connection, since the tracker sees all of them and has none (stack_knows_not), and that somebody listened in this very tick
 * of the clock. What is not known, or was not listening, is asked for each time.
 *
 * Does badly: a client whose first ACK is lost, and who then waits for the server to speak, waits in vain: the SYN-ACK is never sent
 * again. A tag that the NIC takes off before XDP is missing from the answer. MSS below 536 (IPv6: 1220) is taken for that.
 */
#include "sets.h"
#include "record.h"
/* after maps.h */
#include <bpf/bpf_core_read.h>

#include "classify.h"
#include "cookie_frame.h"
#include "forgotten.h"

#define SOCK_RCVBUF_LOCK 2

enum cookie_ask { ASK_NOTHING, ASK_MAKE, ASK_CHECK };
enum cookie_socket { SOCKET_NONE, SOCKET_LISTENER, SOCKET_MPTCP, SOCKET_OTHER };

/* ---- the socket ---- */

/* A listener that fixed its receive buffer has a window scale of its own. */
static __always_inline int buffer_is_fixed(struct tcp_sock *tp)
{
	struct sock *sk = (struct sock *)tp;

	return BPF_CORE_READ_BITFIELD(sk, sk_userlocks) & SOCK_RCVBUF_LOCK;
}

/* Of the TCP header in w, 20 to 60; 0: it says less. */
static __always_inline __u32 copied_length(struct cookie_work *w)
{
	__u32 len = *(volatile __u8 *)&w->tcp[12] >> 4 << 2;

	asm volatile("" : "+r"(len)); /* or clang 19 compares the byte, and the verifier does not see what that means for len */
	if (len < 20)
		return 0;
	asm volatile("" : "+r"(len));
	return len > 60 ? 0 : len;
}

/* Asks the kernel for its cookie, or about one. Its answer goes to w. */
static __always_inline void ask_kernel(struct cookie_work *w, struct bpf_sock *sk, struct tcp_sock *tp)
{
	__u32 len = copied_length(w), ip_len = w->v6 ? 40 : 20;
	__s64 made;

	if (!len)
		return;
	if (w->ask == ASK_CHECK) {
		w->answer = bpf_tcp_check_syncookie(sk, w->ip, ip_len, (struct tcphdr *)w->tcp, len);
		return;
	}
	if (buffer_is_fixed(tp))
		w->has &= ~COOKIE_HAS_WS;
	made = bpf_tcp_gen_syncookie(sk, w->ip, ip_len, (struct tcphdr *)w->tcp, len);
	w->answer = made < 0 ? (__s32)made : 0;
	w->isn = (__u32)made;
}

/* Who has the connection of the segment in scratch: enum cookie_socket. */
__weak __noinline int cookie_socket(struct xdp_md *ctx)
{
	struct scratch *sc = scratch_get(SCRATCH_PACKET);
	struct cookie_work *w = cookie_work_get();
	struct bpf_sock_tuple tuple = {};
	struct cookie_tuple t;
	struct tcp_sock *tp;
	struct bpf_sock *sk;
	int is = SOCKET_OTHER;

	if (!sc || !w)
		return SOCKET_OTHER;
	cookie_tuple_of(&sc->seg, 0, &t);
	cookie_socket_tuple(&t, &tuple);
	if (t.v6)
		sk = bpf_skc_lookup_tcp(ctx, &tuple, sizeof(tuple.ipv6), BPF_F_CURRENT_NETNS, 0);
	else
		sk = bpf_skc_lookup_tcp(ctx, &tuple, sizeof(tuple.ipv4), BPF_F_CURRENT_NETNS, 0);
	if (!sk)
		return SOCKET_NONE;
	if (sk->state == SOCKET_TCP_LISTEN) {
		tp = bpf_skc_to_tcp_sock(sk);
		if (tp) {
			is = bpf_core_field_exists(tp->is_mptcp) && tp->is_mptcp ? SOCKET_MPTCP : SOCKET_LISTENER;
			if (is == SOCKET_LISTENER && w->ask != ASK_NOTHING)
				ask_kernel(w, sk, tp);
		}
	}
	bpf_sk_release(sk);
	return is;
}

/* ---- what is known without the socket ---- */
static __always_inline struct cookie_listener *listener_place(struct cookie_work *w, const struct cookie_tuple *t)
{
	return &w->listener[((const __u32 *)t->daddr)[3] + t->dport & (COOKIE_LISTENERS - 1)];
}

/* Did somebody listen there in this tick of the clock? */
static __always_inline int listens(const struct scratch *sc, struct cookie_work *w)
{
	const struct cookie_listener *l;
	const __u64 *addr;
	struct cookie_tuple t;

	cookie_tuple_of(&sc->seg, 0, &t);
	addr = (const __u64 *)t.daddr;
	l = listener_place(w, &t);
	return l->now_ns == sc->seg.now_ns && l->port == t.dport && l->iface == sc->seg.iface && l->addr[0] == addr[0] &&
	       l->addr[1] == addr[1];
}

static __always_inline void note_listener(const struct scratch *sc, struct cookie_work *w)
{
	struct cookie_listener *l;
	struct cookie_tuple t;

	cookie_tuple_of(&sc->seg, 0, &t);
	l = listener_place(w, &t);
	l->addr[0] = ((const __u64 *)t.daddr)[0];
	l->addr[1] = ((const __u64 *)t.daddr)[1];
	l->port = t.dport;
	l->iface = sc->seg.iface;
	l->now_ns = sc->seg.now_ns;
}

/* The tracker has no record of the SYN's connection, and would have one if the stack had. */
static __always_inline int stack_knows_not(const struct scratch *sc, const struct cookie_conf *conf)
{
	return sc->policy.fresh && conf->knows_from_ns && conf->knows_from_ns <= sc->seg.now_ns &&
	       !forgotten_maybe(sc->hash, sc->seg.now_ns);
}

/* Who has the connection of the SYN: enum cookie_socket. */
static __always_inline int cookie_owner(struct xdp_md *ctx, struct scratch *sc, struct cookie_work *w,
					const struct cookie_conf *conf)
{
	int is;

	if (conf->flavour == COOKIE_OWN && listens(sc, w) && stack_knows_not(sc, conf))
		return SOCKET_LISTENER;
	is = cookie_socket(ctx);
	if (is == SOCKET_LISTENER)
		note_listener(sc, w);
	return is;
}

/* ---- the SYN ---- */

static __always_inline void note_unprotected(__u16 port)
{
	struct port_bits *bits;
	__u64 bit = 1ULL << (port & 63);
	__u32 zero = 0;

	bits = bpf_map_lookup_elem(&cookie_unprotected, &zero);
	if (bits && !(bits->word[port >> 6] & bit))
		__sync_fetch_and_or(&bits->word[port >> 6], bit);
}

/* One reply of the rate. A CPU takes COOKIE_BATCH at once: the word is shared. */
static __always_inline int take_token(struct cookie_work *w, const struct policy_rate *rate, __u64 now)
{
	__u64 spent, from, span;
	__u32 batch;

	if (!rate->interval_ns)
		return 1;
	if (w->tokens) {
		w->tokens--;
		return 1;
	}
	batch = rate->burst < COOKIE_BATCH ? rate->burst : COOKIE_BATCH;
	span = rate->interval_ns * rate->burst;
	spent = *(volatile __u64 *)&cookie_spent;
	from = spent + span < now ? now - span : spent;
	if (!batch || from + batch * rate->interval_ns > now ||
	    __sync_val_compare_and_swap(&cookie_spent, spent, from + batch * rate->interval_ns) != spent)
		return 0;
	w->tokens = batch - 1;
	return 1;
}

/* The headers, copied for the kernel's functions. 0: not possible. */
static __always_inline int copy_headers(struct xdp_md *ctx, struct cookie_work *w)
{
	__u32 l3 = w->l3, l4 = w->l4, len;

	if (bpf_xdp_load_bytes(ctx, l3, w->ip, w->v6 ? 40 : 20) || bpf_xdp_load_bytes(ctx, l4, w->tcp, 20))
		return 0;
	len = copied_length(w);
	return len && !bpf_xdp_load_bytes(ctx, l4, w->tcp, len);
}

/* What both ends want, and where the headers are. 0: not a SYN that could be answered. */
__weak __noinline int cookie_look(struct xdp_md *ctx)
{
	struct scratch *sc = scratch_get(SCRATCH_PACKET);
	struct cookie_work *w = cookie_work_get();
	struct cookie_conf *conf = cookie_conf_get();
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct cookie_tuple t;
	__u8 has, *tcp;
	__u32 l4;

	if (!sc || !w || !conf)
		return 0;
	cookie_tuple_of(&sc->seg, 0, &t);
	w->v6 = t.v6;
	w->ask = ASK_NOTHING;
	w->answer = 0;
	if (!find_headers(sc, w, data, end))
		return 0;
	l4 = *(volatile __u32 *)&w->l4;
	if (l4 > L4_MAX)
		return 0;
	tcp = data + l4;
	asm volatile("" : "+r"(tcp)); /* or the check is made of another sum than the access */
	if ((void *)(tcp + 20) > end)
		return 0;
	has = (sc->seg.opts & SEG_TS ? COOKIE_HAS_TS : 0) | (sc->seg.opts & SEG_WS ? COOKIE_HAS_WS : 0) |
	      (sc->seg.opts & SEG_SACK_OK ? COOKIE_HAS_SACK : 0) |
	      ((tcp[13] & 0xc0) == 0xc0 ? COOKIE_HAS_ECN : 0);
	w->has = has & conf->features;
	w->options.mss = sc->seg.opts & SEG_MSS ? sc->seg.mss : 0;
	w->options.ws = sc->seg.ws > WS_UNKNOWN ? WS_UNKNOWN : sc->seg.ws;
	return 1;
}

static __always_inline __u16 own_mss(const struct scratch *sc, const struct cookie_work *w)
{
	__u32 mtu = ifaces[sc->seg.iface & (WARD_IFACES - 1)].mtu, head = w->v6 ? 60 : 40;

	if (mtu > 65535)
		mtu = 65535;
	return mtu > head + 536 ? mtu - head : 536;
}

static __always_inline int own_cookie(struct scratch *sc, struct cookie_work *w)
{
	struct cookie_keys *keys = cookie_keys_get();
	struct cookie_tuple t;

	if (!keys)
		return 0;
	cookie_tuple_of(&sc->seg, sc->seg.seq, &t);
	w->options.has = w->has;
	w->isn = cookie_make(keys, &t, &w->options, sc->seg.now_ns);
	w->stamp = cookie_clock(keys, sc->seg.now_ns);
	return 1;
}

/* Options go into the kernel's time stamp, or nowhere: only where it adds no offset of its own is there one (features). */
static __always_inline void kernel_stamp(struct cookie_work *w)
{
	if (!(w->has & COOKIE_HAS_TS)) {
		w->has = 0;
		return;
	}
	w->options.has = w->has;
	w->stamp = cookie_kernel_stamp((__u32)(bpf_ktime_get_ns() / 1000000), &w->options);
}

__weak __noinline int cookie_finish(void)
{
	struct scratch *sc = scratch_get(SCRATCH_PACKET);
	struct cookie_work *w = cookie_work_get();
	struct cookie_conf *conf = cookie_conf_get();

	if (!sc || !w || !conf)
		return 0;
	if (conf->flavour == COOKIE_KERNEL)
		kernel_stamp(w);
	else if (!own_cookie(sc, w))
		return 0;
	cookie_reply_options(&w->reply, w->has, own_mss(sc, w), conf->wscale, w->stamp, sc->seg.tsval);
	return 1;
}

int cookie_syn(struct xdp_md *ctx)
{
	struct scratch *sc = scratch_get(SCRATCH_PACKET);
	struct cookie_work *w = cookie_work_get();
	struct cookie_conf *conf = cookie_conf_get();
	struct policy_config *cfg;
	int is, verdict;

	if (!sc || !w || !conf || conf->flavour == COOKIE_AUTO || !cookie_look(ctx))
		return COOKIE_PASS;
	if (conf->flavour == COOKIE_KERNEL) {
		if (!copy_headers(ctx, w))
			return COOKIE_PASS;
		w->ask = ASK_MAKE;
	}
	is = cookie_owner(ctx, sc, w, conf);
	if (is != SOCKET_LISTENER) {
		bump(is == SOCKET_NONE ? CNT_COOKIE_UNPROTECTED : is == SOCKET_MPTCP ? CNT_COOKIE_MPTCP : CNT_COOKIE_KNOWN);
		if (is == SOCKET_NONE)
			note_unprotected(sc->seg.dir ? sc->seg.key.a_port : sc->seg.key.b_port);
		return COOKIE_PASS;
	}
	if (w->answer < 0) /* the kernel sees no need for cookies */
		return COOKIE_PASS;
	cfg = config_get(sc->policy.slot);
	if (cfg && !take_token(w, &cfg->cookie_rate, sc->seg.now_ns)) {
		bump(CNT_COOKIE_RATE);
		return COOKIE_DROP_RATE;
	}
	if (!cookie_finish())
		return COOKIE_PASS;
	verdict = cookie_write(ctx);
	if (verdict != COOKIE_ANSWERED)
		return verdict;
	bump(CNT_COOKIE_SENT);
	if (cookie_ns != sc->seg.now_ns)
		cookie_ns = sc->seg.now_ns;
	return verdict;
}

/* ---- the ACK ---- */

/* The tracker knows a flow of these ports that the segment may belong to: 2 if it is the next one of an open connection. */
__weak __noinline int cookie_known(void)
{
	struct scratch *sc = scratch_get(SCRATCH_PACKET);
	struct syn_set *set;
	struct flow *f;
	__u32 index;
	__u64 hash;

	if (!sc)
		return 0;
	f = bpf_map_lookup_elem(&flows, &sc->seg.key);
	if (f && word_life(record_word(f)) == PHASE_LIVE)
		return f->state[0] == ESTABLISHED && f->state[1] == ESTABLISHED &&
		       f->half[sc->seg.dir & 1].nxt == sc->seg.seq ? 2 : 1;
	hash = key_hash(&sc->seg.key);
	index = hash & embryo_mask;
	set = bpf_map_lookup_elem(&syns, &index);
	return set && ways_may_hold(&set->records, hash_tag(hash));
}

/* The echoed time stamp; the segment has one. */
static __always_inline __u32 echoed(struct scratch *sc, void *data, void *end, __u32 l4)
{
	__u32 *word = data + l4 + 20, at;

	asm volatile("" : "+r"(word));
	if ((void *)(word + 3) <= end && word[0] == bpf_htonl(0x0101080a))
		return bpf_ntohl(word[2]);
	at = sc->echo_at & 31;
	return (__u32)sc->opt[at] << 24 | (__u32)sc->opt[at + 1] << 16 | (__u32)sc->opt[at + 2] << 8 | sc->opt[at + 3];
}

/* The kernel's cookie: its listener is asked, too. enum cookie_socket; w->answer 0: good. */
__weak __noinline int kernel_ack(struct xdp_md *ctx)
{
	struct scratch *sc = scratch_get(SCRATCH_PACKET);
	struct cookie_work *w = cookie_work_get();
	struct cookie_conf *conf = cookie_conf_get();
	void *data, *end;
	__u32 l4;
	int is;

	if (!sc || !w || !conf || !cookie_look(ctx) || !copy_headers(ctx, w))
		return SOCKET_OTHER;
	w->ask = ASK_CHECK;
	w->answer = -1;
	is = cookie_socket(ctx);
	if (is != SOCKET_LISTENER || w->answer)
		return is;
	w->options.ws = COOKIE_WS_NONE;
	w->options.mss = 0;
	data = (void *)(long)ctx->data;
	end = (void *)(long)ctx->data_end;
	l4 = *(volatile __u32 *)&w->l4;
	if (sc->seg.opts & SEG_TS && conf->features & COOKIE_HAS_TS && l4 <= L4_MAX)
		cookie_kernel_options(echoed(sc, data, end, l4), &w->options);
	return is;
}

/* Notes for the tracker what the SYNs said. */
static __always_inline void note_handshake(struct scratch *sc, const struct cookie_work *w, const struct cookie_conf *conf)
{
	sc->seg.opts |= SEG_COOKIE;
	sc->seg.mss = w->options.mss;
	sc->seg.ws = w->options.ws;
	sc->seg.peer_ws = w->options.ws == COOKIE_WS_NONE ? COOKIE_WS_NONE : conf->wscale;
	sc->seg.peer_win = conf->window;
	bump(CNT_COOKIE_OK);
}

__weak __noinline int own_ack(void)
{
	struct scratch *sc = scratch_get(SCRATCH_PACKET);
	struct cookie_work *w = cookie_work_get();
	struct cookie_keys *keys = cookie_keys_get();
	struct cookie_tuple t;

	if (!sc || !w || !keys)
		return 0;
	cookie_tuple_of(&sc->seg, sc->seg.seq - 1, &t);
	return cookie_check(keys, &t, sc->seg.ack - 1, sc->seg.now_ns, &w->options);
}

int cookie_ack(struct xdp_md *ctx)
{
	struct scratch *sc = scratch_get(SCRATCH_PACKET);
	struct cookie_work *w = cookie_work_get();
	struct cookie_conf *conf = cookie_conf_get();
	int known, is;

	if (!sc || !w || !conf || conf->flavour == COOKIE_AUTO)
		return COOKIE_PASS;
	known = cookie_known();
	if (known == 2)
		return COOKIE_PASS;
	if (conf->flavour == COOKIE_KERNEL) {
		if (known && sc->seg.len) /* cannot be the first */
			return COOKIE_PASS;
		is = kernel_ack(ctx);
		if (is == SOCKET_LISTENER && !w->answer) {
			note_handshake(sc, w, conf);
			return COOKIE_PASS;
		}
	} else {
		if (own_ack()) {
			note_handshake(sc, w, conf);
			return COOKIE_PASS;
		}
		if (known)
			return COOKIE_PASS;
		w->ask = ASK_NOTHING;
		is = cookie_socket(ctx);
	}
	if (known || is != SOCKET_LISTENER)
		return COOKIE_PASS;
	bump(CNT_COOKIE_BAD);
	return COOKIE_DROP_BAD;
}

char LICENSE[] SEC("license") __weak = "Dual BSD/GPL";
