// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What this namespace's kernel and tcpward each know of its endpoints, side by side. */
#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report/report.h"
#include "verify/verify.h"
#include "ward/netns.h"

#define NS_PER_S 1000000000ULL

struct locals {
	__u8 (*addr)[16];
	unsigned count;
	uint32_t watched[WARD_IFACES]; /* ifindex of this namespace's interfaces in the instance */
	unsigned watched_count;
};

/* ---- addresses and routes ---- */
static bool address_of(const struct sockaddr *sa, __u8 out[16])
{
	if (sa && sa->sa_family == AF_INET6) {
		memcpy(out, &((const struct sockaddr_in6 *)sa)->sin6_addr, 16);
		return true;
	}
	if (!sa || sa->sa_family != AF_INET)
		return false;
	memset(out, 0, 10);
	memset(out + 10, 0xff, 2);
	memcpy(out + 12, &((const struct sockaddr_in *)sa)->sin_addr, 4);
	return true;
}

static void find_watched(struct locals *l, const struct ward_instance *info)
{
	for (unsigned i = 0; i < info->iface_count && i < WARD_IFACES; i++)
		if (info->iface[i].hooks && netns_here(info->iface[i].netns, info->netns_cookie))
			l->watched[l->watched_count++] = info->iface[i].ifindex;
}

static int read_addresses(struct locals *l)
{
	struct ifaddrs *all, *a;
	unsigned room = 0;

	if (getifaddrs(&all))
		return -errno;
	for (a = all; a; a = a->ifa_next)
		room++;
	l->addr = calloc(room + 1, sizeof(*l->addr));
	for (a = all; a && l->addr; a = a->ifa_next)
		if (address_of(a->ifa_addr, l->addr[l->count]))
			l->count++;
	freeifaddrs(all);
	return l->addr ? 0 : -ENOMEM;
}

int locals_open(struct ward *w, struct locals **out)
{
	struct locals *l = calloc(1, sizeof(*l));
	int err = l ? read_addresses(l) : -ENOMEM;

	if (err) {
		free(l);
		return ward_fail(err, "", "cannot read this namespace's addresses: %s", strerror(-err));
	}
	find_watched(l, ward_info(w));
	if (!l->watched_count) {
		locals_close(l);
		return ward_fail(-ENOENT, "nsenter --net=/run/netns/NAME tcpward verify",
				 "cannot verify instance '%s': none of its interfaces is in this network namespace",
				 ward_name(w));
	}
	*out = l;
	return 0;
}

void locals_close(struct locals *l)
{
	if (l)
		free(l->addr);
	free(l);
}

static bool is_loopback4(const __u8 addr[16])
{
	static const __u8 mapped[12] = { [10] = 0xff, [11] = 0xff };

	return !memcmp(addr, mapped, 12) && addr[12] == 127; /* the whole of 127/8 is local */
}

bool locals_has(const struct locals *l, const __u8 addr[16])
{
	for (unsigned i = 0; i < l->count; i++)
		if (!memcmp(l->addr[i], addr, 16))
			return true;
	return is_loopback4(addr);
}

static int take_oif(const struct nlattr *attr, void *data)
{
	if (mnl_attr_get_type(attr) == RTA_OIF)
		*(uint32_t *)data = mnl_attr_get_u32(attr);
	return MNL_CB_OK;
}

static int take_route(const struct nlmsghdr *nlh, void *data)
{
	mnl_attr_parse(nlh, sizeof(struct rtmsg), take_oif, data);
	return MNL_CB_OK;
}

static void put_route_request(struct nlmsghdr *nlh, const __u8 laddr[16], const __u8 raddr[16], uint32_t ifindex)
{
	static const __u8 mapped[12] = { [10] = 0xff, [11] = 0xff };
	bool v4 = !memcmp(raddr, mapped, 12);
	struct rtmsg *rt;

	nlh->nlmsg_type = RTM_GETROUTE;
	nlh->nlmsg_flags = NLM_F_REQUEST;
	rt = mnl_nlmsg_put_extra_header(nlh, sizeof(*rt));
	rt->rtm_family = v4 ? AF_INET : AF_INET6;
	rt->rtm_src_len = rt->rtm_dst_len = v4 ? 32 : 128;
	mnl_attr_put(nlh, RTA_SRC, v4 ? 4 : 16, v4 ? laddr + 12 : laddr);
	mnl_attr_put(nlh, RTA_DST, v4 ? 4 : 16, v4 ? raddr + 12 : raddr);
	if (ifindex)
		mnl_attr_put_u32(nlh, RTA_OIF, ifindex);
}

/* The interface that segments of this socket leave by; 0: no route. */
static uint32_t route_oif(const __u8 laddr[16], const __u8 raddr[16], uint32_t ifindex)
{
	struct mnl_socket *nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	char buf[8192] = { 0 };
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	uint32_t oif = 0;
	ssize_t len;

	if (!nl)
		return 0;
	put_route_request(nlh, laddr, raddr, ifindex);
	if (mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) >= 0 && mnl_socket_sendto(nl, nlh, nlh->nlmsg_len) >= 0 &&
	    (len = mnl_socket_recvfrom(nl, buf, sizeof(buf))) > 0)
		mnl_cb_run(buf, len, 0, 0, take_route, &oif);
	mnl_socket_close(nl);
	return oif;
}

bool locals_watched(const struct locals *l, const __u8 laddr[16], const __u8 raddr[16], uint32_t ifindex)
{
	uint32_t oif = route_oif(laddr, raddr, ifindex);

	for (unsigned i = 0; i < l->watched_count; i++)
		if (l->watched[i] == oif)
			return true;
	return false;
}

/* ---- one look at both tables ---- */
struct look {
	struct endpoints *e;
	const struct locals *l;
	unsigned foreign;
};

static int by_key(const void *a, const void *b)
{
	const struct endpoint *x = a, *y = b;
	int order = memcmp(&x->key, &y->key, sizeof(x->key));

	return order ? order : (int)x->side - (int)y->side;
}

static struct endpoint *add_endpoint(struct endpoints *e, const struct flow_key *key, uint8_t side)
{
	struct endpoint *new;

	if (e->count == e->room) {
		unsigned room = e->room ? e->room * 2 : 1024;
		struct endpoint *list = realloc(e->list, room * sizeof(*list));

		if (!list)
			return NULL;
		e->list = list;
		e->room = room;
	}
	new = &e->list[e->count++];
	memset(new, 0, sizeof(*new));
	new->key = *key;
	new->key.vlan = 0;
	new->side = side;
	return new;
}

static int take_socket(const struct socket_info *sock, void *ctx)
{
	struct look *look = ctx;
	struct endpoint *e;

	if (sock->state == LISTEN)
		return 0;
	e = add_endpoint(look->e, &sock->key, sock->local_side);
	if (!e)
		return -ENOMEM;
	e->has_socket = true;
	e->kernel = sock->state;
	e->ifindex = sock->ifindex;
	e->expires_ms = sock->expires_ms;
	e->wqueue = sock->wqueue;
	look->e->sockets++;
	return 0;
}

static int take_end(struct look *look, const struct flow_key *key, const struct flow *flow, bool embryo, unsigned side)
{
	struct endpoint *e = add_endpoint(look->e, key, side);
	uint64_t other_ns = flow->half[!side].last_ns;

	if (!e)
		return -ENOMEM;
	e->tracked = true;
	e->embryo = embryo;
	e->ours = flow->state[side];
	e->flags = flow->flags & FLAGS_REPORTED;
	e->confirmed = flow->known[side] & KNOWN_CONF;
	e->pending = (flow->flags & MARK_PEND) && !!(flow->flags & MARK_PEND_B) == side;
	e->originator = (flow->orig & 1) == side;
	e->since_ns = flow->since_ns[side];
	e->sent_ns = flow->half[side].last_ns;
	e->last_ns = e->sent_ns > other_ns ? e->sent_ns : other_ns;
	return 0;
}

static int take_flow(const struct flow_key *key, const struct flow *flow, bool embryo, void *ctx)
{
	struct look *look = ctx;
	bool a = locals_has(look->l, key->a_addr), b = locals_has(look->l, key->b_addr);
	int err = a ? take_end(look, key, flow, embryo, 0) : 0;

	if (!err && b)
		err = take_end(look, key, flow, embryo, 1);
	if (a || b)
		look->e->flows++;
	else
		look->foreign++;
	return err;
}

/*
 * Two entries of one endpoint: a socket and a flow, or (a record that moved between the tables under the walk, or an
 * old one waiting for its deletion) two flows, of which the one seen last counts.
 */
static void merge(struct endpoint *into, const struct endpoint *from)
{
	bool from_counts = from->tracked && (!into->tracked || from->last_ns > into->last_ns);
	const struct endpoint *socket = into->has_socket ? into : from;
	struct endpoint both = from_counts ? *from : *into;

	both.has_socket = into->has_socket || from->has_socket;
	both.kernel = socket->kernel;
	both.ifindex = socket->ifindex;
	both.expires_ms = socket->expires_ms;
	both.wqueue = socket->wqueue;
	*into = both;
}

static void merge_twins(struct endpoints *e)
{
	unsigned kept = 0;

	qsort(e->list, e->count, sizeof(*e->list), by_key);
	for (unsigned i = 0; i < e->count; i++) {
		if (kept && !by_key(&e->list[kept - 1], &e->list[i]))
			merge(&e->list[kept - 1], &e->list[i]);
		else
			e->list[kept++] = e->list[i];
	}
	e->count = kept;
}

/* 2MSL that is over is over, though nobody has looked at the record since. */
static void end_time_waits(struct endpoints *e, uint64_t msl2_ns)
{
	for (unsigned i = 0; i < e->count; i++)
		if (e->list[i].tracked && e->list[i].ours == TIME_WAIT && e->list[i].since_ns + msl2_ns <= e->now_ns)
			e->list[i].ours = CLOSED;
}

int endpoints_collect(struct ward *w, const struct locals *l, struct endpoints *out, unsigned *foreign)
{
	struct endpoints e = { 0 };
	struct look look = { .e = &e, .l = l };
	int err = sockets_each(take_socket, &look);

	if (err)
		ward_fail(err, "", "cannot read the kernel's sockets: %s", strerror(-err));
	else
		err = ward_flows_each(w, take_flow, &look);
	if (err) {
		free(e.list);
		return err;
	}
	if (e.count)
		merge_twins(&e);
	e.now_ns = ward_now_ns(w);
	end_time_waits(&e, ward_info(w)->msl2_s * NS_PER_S);
	*out = e;
	*foreign = look.foreign;
	return 0;
}

void endpoints_free(struct endpoints *e)
{
	free(e->list);
	memset(e, 0, sizeof(*e));
}

const struct endpoint *endpoints_find(const struct endpoints *e, const struct flow_key *key, uint8_t side)
{
	struct endpoint wanted = { .key = *key, .side = side };

	return e->count ? bsearch(&wanted, e->list, e->count, sizeof(*e->list), by_key) : NULL;
}
