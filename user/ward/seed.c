// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * seed: the kernel's own sockets become flows when an instance begins, so that idle connections are known at once.
 *
 * Twice: before the programs run, when nobody else writes the table, and after, for what changed in between. A seed
 * knows states but no sequence numbers: those come with the first segments.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>

#include "ward/inside.h"
#include "ward/sockets.h"

#define PORTS 65536
#define ADDRS_MAX 1024
#define KERNEL_TIME_WAIT_MS 60000U /* TCP_TIMEWAIT_LEN, a constant of Linux */
#define IDLE_UNKNOWN UINT32_MAX

struct seed {
	struct flow_key key;
	struct flow flow;
};

struct local_addr {
	uint8_t addr[16];
	uint32_t ifindex;
};

struct seeds {
	struct ward *w;
	uint64_t now;
	struct seed *list;
	size_t count, room;
	struct local_addr addr[ADDRS_MAX];
	int addr_count;
	bool with_lo, with_others;
	uint8_t listening[PORTS / 8];
};

/* What the other end must be in, given the state of ours. */
struct inference {
	enum tcp_state state;
	bool certain;
};
/* clang-format off */
static const struct inference remote_of[STATE_COUNT] = {
	[SYN_SENT]     = { LISTEN,      true },
	[SYN_RECEIVED] = { ESTABLISHED, false },
	[ESTABLISHED]  = { ESTABLISHED, false },
	[FIN_WAIT_1]   = { ESTABLISHED, false },
	[FIN_WAIT_2]   = { CLOSE_WAIT,  true }, /* it has acknowledged our FIN */
	[CLOSE_WAIT]   = { FIN_WAIT_2,  false },
	[CLOSING]      = { CLOSING,     false },
	[LAST_ACK]     = { FIN_WAIT_2,  false },
	[TIME_WAIT]    = { CLOSED,      true },
};
/* clang-format on */

/* ---- which sockets ---- */

static void read_addr(struct local_addr *out, const struct sockaddr *sa)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	if (sa->sa_family == AF_INET6) {
		memcpy(out->addr, &((const struct sockaddr_in6 *)sa)->sin6_addr, 16);
		return;
	}
	memcpy(out->addr, mapped, 12);
	memcpy(out->addr + 12, &((const struct sockaddr_in *)sa)->sin_addr, 4);
}

static void read_addrs(struct seeds *s)
{
	struct ifaddrs *list, *a;

	if (getifaddrs(&list))
		return; /* without the addresses every socket is taken in: too many do less harm than too few */
	for (a = list; a && s->addr_count < ADDRS_MAX; a = a->ifa_next) {
		if (!a->ifa_addr || (a->ifa_addr->sa_family != AF_INET && a->ifa_addr->sa_family != AF_INET6))
			continue;
		read_addr(&s->addr[s->addr_count], a->ifa_addr);
		s->addr[s->addr_count++].ifindex = if_nametoindex(a->ifa_name);
	}
	freeifaddrs(list);
}

static bool is_loopback(const uint8_t *addr)
{
	static const uint8_t lo4[13] = { [10] = 0xff, [11] = 0xff, [12] = 127 };
	static const uint8_t lo6[16] = { [15] = 1 };

	return !memcmp(addr, lo4, sizeof(lo4)) || !memcmp(addr, lo6, sizeof(lo6));
}

static const struct local_addr *find_addr(const struct seeds *s, const uint8_t *addr)
{
	int i;

	for (i = 0; i < s->addr_count; i++)
		if (!memcmp(s->addr[i].addr, addr, 16))
			return &s->addr[i];
	return NULL;
}

static int row_of(const struct seeds *s, uint32_t ifindex)
{
	unsigned i;

	for (i = 0; i < s->w->info->iface_count; i++)
		if (s->w->info->iface[i].ifindex == ifindex)
			return (int)i;
	return -1;
}

/* A port of a bridge or bond carries what the addresses of its master receive: the kernel numbers do not say which
 * (iface.c knew), so an address on no attached interface only excludes a socket if no attached one lacks addresses. */
static bool all_have_addresses(const struct seeds *s)
{
	unsigned row;
	int i;

	for (row = 0; row < s->w->info->iface_count; row++) {
		for (i = 0; i < s->addr_count; i++)
			if (s->addr[i].ifindex == s->w->info->iface[row].ifindex &&
			    !(s->addr[i].addr[0] == 0xfe && s->addr[i].addr[1] == 0x80))
				break;
		if (i == s->addr_count)
			return false;
	}
	return true;
}

/* Row of the interface that this socket's segments pass, -1: none of ours. */
static int seen_at(const struct seeds *s, const struct socket_info *sock)
{
	const struct local_addr *local = find_addr(s, sock->laddr);
	bool inside = is_loopback(sock->raddr) || is_loopback(sock->laddr) || find_addr(s, sock->raddr);
	int row;

	if (inside) /* of the interfaces only lo ever sees such segments */
		return s->with_lo ? row_of(s, if_nametoindex("lo")) : -1;
	if (!s->with_others)
		return -1;
	row = local ? row_of(s, local->ifindex) : -1;
	if (row >= 0)
		return row;
	return local && all_have_addresses(s) ? -1 : 0;
}

/* ---- sockets to seeds ---- */

static bool has_listener(const struct seeds *s, uint16_t port)
{
	return s->listening[port / 8] >> port % 8 & 1;
}

/* Nanoseconds since a segment last moved it, as far as the kernel tells; of TIME-WAIT it tells how much is left. */
static uint64_t idle_ns(const struct socket_info *sock)
{
	if (sock->state == TIME_WAIT && sock->expires_ms <= KERNEL_TIME_WAIT_MS)
		return (KERNEL_TIME_WAIT_MS - sock->expires_ms) * 1000000ULL;
	return sock->idle_ms == IDLE_UNKNOWN ? 0 : sock->idle_ms * 1000000ULL;
}

static void fill_flow(const struct seeds *s, const struct socket_info *sock, int row, struct flow *flow)
{
	int us = sock->local_side, them = !us;
	uint64_t idle = idle_ns(sock);

	memset(flow, 0, sizeof(*flow));
	flow->state[us] = sock->state;
	flow->state[them] = remote_of[sock->state].state;
	flow->known[us] = KNOWN_CONF;
	flow->known[them] = remote_of[sock->state].certain ? KNOWN_CONF : 0;
	flow->wscale = WS_UNKNOWN | WS_UNKNOWN << 4;
	flow->phase = PHASE_LIVE | PHASE_SLOW;
	flow->gen = 1;
	flow->flags = FLAG_MIDSTREAM | MARK_SEEDED;
	flow->start_ns = flow->since_ns[0] = flow->since_ns[1] = s->now - idle;
	flow->half[0].last_ns = flow->half[1].last_ns = s->now - idle;
	flow->orig = sock->state == SYN_SENT ? us : has_listener(s, sock->lport) ? them : us;
	flow->vlan = VLAN_UNSEEN;
	flow->iface = row;
}

static int add_seed(const struct socket_info *sock, void *ctx)
{
	struct seeds *s = ctx;
	struct seed *grown;
	int row;

	if (sock->state >= STATE_COUNT || remote_of[sock->state].state == NO_STATE)
		return 0;
	row = seen_at(s, sock);
	if (row < 0)
		return 0;
	if (s->count == s->room) {
		s->room = s->room ? s->room * 2 : 256;
		grown = realloc(s->list, s->room * sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		s->list = grown;
	}
	s->list[s->count].key = sock->key;
	fill_flow(s, sock, row, &s->list[s->count++].flow);
	return 0;
}

static int add_listener(const struct socket_info *sock, void *ctx)
{
	struct seeds *s = ctx;

	if (sock->state == LISTEN)
		s->listening[sock->lport / 8] |= 1 << sock->lport % 8;
	return 0;
}

static int by_key(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct flow_key));
}

/* Both ends of a connection within this host are two sockets with one key: each knows its own state. */
static void merge_twins(struct seeds *s)
{
	size_t in, out = 0;
	int side;

	if (!s->count)
		return;
	qsort(s->list, s->count, sizeof(*s->list), by_key);
	for (in = 0; in < s->count; in++) {
		struct flow *twin;

		if (!out || by_key(&s->list[out - 1], &s->list[in])) {
			s->list[out++] = s->list[in];
			continue;
		}
		twin = &s->list[out - 1].flow;
		for (side = 0; side < 2; side++)
			if (s->list[in].flow.known[side] & KNOWN_CONF && !(twin->known[side] & KNOWN_CONF)) {
				twin->state[side] = s->list[in].flow.state[side];
				twin->known[side] |= KNOWN_CONF;
			}
	}
	s->count = out;
}

static int collect(struct seeds *s, struct ward *w)
{
	unsigned i;
	int err;

	memset(s, 0, sizeof(*s));
	s->w = w;
	s->now = ward_now_ns(w);
	for (i = 0; i < w->info->iface_count; i++)
		*(strcmp(w->info->iface[i].name, "lo") ? &s->with_others : &s->with_lo) = true;
	read_addrs(s);
	err = sockets_each(add_listener, s);
	if (!err)
		err = sockets_each(add_seed, s);
	if (!err)
		merge_twins(s);
	return err;
}

/* ---- seeds to flows ---- */

static void insert_all(const struct seeds *s)
{
	uint32_t *epoch = &s->w->control->present_epoch;
	size_t i;

	__atomic_fetch_or(epoch, 1, __ATOMIC_SEQ_CST); /* the programs do not see what we insert: see bpf/present.h */
	for (i = 0; i < s->count; i++)
		if (bpf_map_update_elem(s->w->map[MAP_FLOWS], &s->list[i].key, &s->list[i].flow, BPF_NOEXIST) &&
		    errno == E2BIG)
			break; /* the table is full: the rest is met mid-stream */
	__atomic_fetch_add(epoch, 1, __ATOMIC_SEQ_CST);
}

struct stale_keys {
	const struct seeds *s;
	struct flow_key *keys;
	size_t count, room;
};

static int collect_stale(const struct flow_key *key, const struct flow *flow, bool embryo, void *ctx)
{
	struct stale_keys *stale = ctx;
	struct flow_key *grown;

	if (embryo)
		return 1; /* the flow table is through */
	if (!(flow->flags & MARK_SEEDED) || flow->half[0].pkts || flow->half[1].pkts)
		return 0;
	if (bsearch(key, stale->s->list, stale->s->count, sizeof(struct seed), by_key))
		return 0;
	if (stale->count == stale->room) {
		stale->room = stale->room ? stale->room * 2 : 64;
		grown = realloc(stale->keys, stale->room * sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		stale->keys = grown;
	}
	stale->keys[stale->count++] = *key;
	return 0;
}

/*
 * Seeds whose sockets closed before the programs ran, and that no segment has touched. The programs run by now, and
 * deletion has one phase only: a segment of such a connection that arrives in this very microsecond writes into a free
 * record, or one just made; nothing else ever deletes from user space.
 */
static int remove_stale(const struct seeds *s)
{
	struct stale_keys stale = { .s = s };
	size_t i;
	int err = ward_flows_each(s->w, collect_stale, &stale);

	for (i = 0; i < stale.count; i++)
		bpf_map_delete_elem(s->w->map[MAP_FLOWS], &stale.keys[i]);
	free(stale.keys);
	return err < 0 ? err : 0;
}

static int seed(struct ward *w, bool again)
{
	struct seeds *s;
	int err;

	if (w->opt.no_seed)
		return 0;
	s = malloc(sizeof(*s));
	if (!s)
		return ward_fail(-ENOMEM, "", "out of memory");
	err = collect(s, w);
	if (!err) {
		insert_all(s);
		err = again ? remove_stale(s) : 0;
	}
	if (err && !again) /* an instance without seeds still works: it picks the flows up when they move */
		note(w, "open connections are learned when they move: the kernel's sockets cannot be read (%s)",
		     strerror(-err));
	if (again && !err)
		w->info->seeded = 1;
	free(s->list);
	free(s);
	return 0;
}

int seed_before(struct ward *w)
{
	return seed(w, false);
}

int seed_after(struct ward *w)
{
	return seed(w, true);
}
