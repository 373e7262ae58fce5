// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * uppers: the devices that stand on an instance's interfaces: VLAN devices and their like, bridges and bonds all of whose ports
 * are its own, and what stands on those. A segment that a router gets by one of them has been seen below, and must not be counted
 * again where it leaves. As they are when the programs are loaded: attach again where others have come since.
 */
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ward/inside.h"

struct link {
	uint32_t ifindex, master, lower;
	bool elsewhere; /* lower is a number of another namespace */
	bool stands;    /* what it sees its lower sees */
	bool seen;
};

struct links {
	struct link *link;
	unsigned count;
};

static int take_kind(const struct nlattr *attr, void *data)
{
	struct link *l = data;

	if (mnl_attr_get_type(attr) == IFLA_INFO_KIND)
		l->stands = iface_shares_segments(mnl_attr_get_str(attr));
	return MNL_CB_OK;
}

static int take_attr(const struct nlattr *attr, void *data)
{
	struct link *l = data;

	switch (mnl_attr_get_type(attr)) {
	case IFLA_MASTER:
		l->master = mnl_attr_get_u32(attr);
		break;
	case IFLA_LINK:
		l->lower = mnl_attr_get_u32(attr);
		break;
	case IFLA_LINK_NETNSID:
		l->elsewhere = true;
		break;
	case IFLA_LINKINFO:
		return mnl_attr_parse_nested(attr, take_kind, l);
	}
	return MNL_CB_OK;
}

static int take_link(const struct nlmsghdr *nlh, void *data)
{
	const struct ifinfomsg *info = mnl_nlmsg_get_payload(nlh);
	struct links *all = data;
	struct link *bigger = realloc(all->link, (all->count + 1) * sizeof(*bigger));

	if (!bigger)
		return MNL_CB_ERROR;
	all->link = bigger;
	bigger[all->count] = (struct link){ .ifindex = (uint32_t)info->ifi_index };
	return mnl_attr_parse(nlh, sizeof(*info), take_attr, &bigger[all->count++]);
}

static int read_links(struct links *all)
{
	struct mnl_socket *nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	char buf[32768];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	ssize_t len;
	int more = 1;

	if (!nl)
		return -errno;
	nlh->nlmsg_type = RTM_GETLINK;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	mnl_nlmsg_put_extra_header(nlh, sizeof(struct ifinfomsg));
	if (mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) < 0 || mnl_socket_sendto(nl, nlh, nlh->nlmsg_len) < 0)
		more = -1;
	while (more > 0) {
		len = mnl_socket_recvfrom(nl, buf, sizeof(buf));
		more = len < 0 ? -1 : mnl_cb_run(buf, (size_t)len, 0, 0, take_link, all);
	}
	mnl_socket_close(nl);
	return more < 0 ? -errno : 0;
}

static const struct link *numbered(const struct links *all, uint32_t ifindex)
{
	for (unsigned i = 0; i < all->count; i++)
		if (all->link[i].ifindex == ifindex)
			return &all->link[i];
	return NULL;
}

/* All it gets comes by devices that are seen. */
static bool is_seen_below(const struct links *all, const struct link *l)
{
	const struct link *lower = l->stands && !l->elsewhere ? numbered(all, l->lower) : NULL;
	bool ports = false;

	if (l->stands)
		return lower && lower->seen;
	for (unsigned i = 0; i < all->count; i++) {
		if (all->link[i].master != l->ifindex)
			continue;
		if (!all->link[i].seen)
			return false;
		ports = true;
	}
	return ports;
}

static bool put(uint32_t uppers[UPPER_SETS * UPPER_WAYS], uint32_t ifindex)
{
	uint32_t *set = uppers + (ifindex % UPPER_SETS) * UPPER_WAYS;

	for (int i = 0; i < UPPER_WAYS; i++)
		if (!set[i]) {
			set[i] = ifindex;
			return true;
		}
	return false;
}

int uppers_find(const struct ward_iface *rows, unsigned count, uint32_t uppers[UPPER_SETS * UPPER_WAYS])
{
	struct links all = { 0 };
	int err = read_links(&all), left_out = 0;
	bool again = !err;

	for (unsigned i = 0; i < all.count; i++)
		for (unsigned j = 0; j < count; j++)
			all.link[i].seen |= all.link[i].ifindex == rows[j].ifindex;
	while (again) {
		again = false;
		for (unsigned i = 0; i < all.count; i++) {
			if (all.link[i].seen || !is_seen_below(&all, &all.link[i]))
				continue;
			all.link[i].seen = again = true;
			left_out += !put(uppers, all.link[i].ifindex);
		}
	}
	free(all.link);
	return err ? err : left_out;
}
