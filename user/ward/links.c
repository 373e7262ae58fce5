// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* links: the interfaces of this network namespace, as rtnetlink(7) tells. Not by sysfs: /sys shows the namespace that mounted it. */
#include <errno.h>
#include <net/if.h> /* before linux/if.h, which knows how to stand back */

#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "ward/checks.h"

#define READ_AGAIN 20

struct reading {
	struct link_facts *link;
	int count;
};

static int take_kind(const struct nlattr *attr, void *data)
{
	struct link_facts *l = data;

	if (mnl_attr_get_type(attr) == IFLA_INFO_KIND)
		snprintf(l->kind, sizeof(l->kind), "%s", mnl_attr_get_str(attr));
	return MNL_CB_OK;
}

static int take_attr(const struct nlattr *attr, void *data)
{
	struct link_facts *l = data;

	switch (mnl_attr_get_type(attr)) {
	case IFLA_MTU:
		l->mtu = mnl_attr_get_u32(attr);
		break;
	case IFLA_MASTER:
		l->master = mnl_attr_get_u32(attr);
		break;
	case IFLA_LINK:
		l->lower = mnl_attr_get_u32(attr);
		break;
	case IFLA_LINK_NETNSID:
		l->lower_elsewhere = true;
		l->lower_nsid = (int)mnl_attr_get_u32(attr);
		break;
	case IFLA_LINKINFO:
		return mnl_attr_parse_nested(attr, take_kind, l);
	}
	return MNL_CB_OK;
}

static int take_link(const struct nlmsghdr *nlh, void *data)
{
	const struct ifinfomsg *info = mnl_nlmsg_get_payload(nlh);
	struct reading *all = data;
	struct link_facts *bigger = realloc(all->link, (size_t)(all->count + 1) * sizeof(*bigger)), *l;

	if (!bigger)
		return MNL_CB_ERROR;
	all->link = bigger;
	l = &bigger[all->count++];
	*l = (struct link_facts){ .ifindex = (unsigned)info->ifi_index, .flags = info->ifi_flags, .type = info->ifi_type };
	return mnl_attr_parse(nlh, sizeof(*info), take_attr, l);
}

static int dump(struct mnl_socket *nl, struct reading *all)
{
	char buf[32768]; /* a NIC with many VFs fills more than a page */
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	ssize_t len;
	int more = 1;

	nlh->nlmsg_type = RTM_GETLINK;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	mnl_nlmsg_put_extra_header(nlh, sizeof(struct ifinfomsg));
	if (mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) < 0 || mnl_socket_sendto(nl, nlh, nlh->nlmsg_len) < 0)
		return -errno;
	while (more > 0) {
		len = mnl_socket_recvfrom(nl, buf, sizeof(buf));
		more = len < 0 ? -1 : mnl_cb_run(buf, (size_t)len, 0, 0, take_link, all);
	}
	return more < 0 ? -errno : 0;
}

static int read_once(struct link_facts **out)
{
	struct mnl_socket *nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	struct reading all = { 0 };
	int err;

	if (!nl)
		return -errno;
	err = dump(nl, &all);
	mnl_socket_close(nl);
	if (err) {
		free(all.link);
		return err;
	}
	*out = all.link;
	return all.count;
}

int links_read(struct link_facts **out)
{
	int count = read_once(out);

	for (int again = 0; count == -EINTR && again < READ_AGAIN; again++) /* interfaces came or went meanwhile */
		count = read_once(out);
	return count;
}

int link_read(const char *ifname, struct link_facts *out)
{
	struct link_facts *all, found = { .ifindex = if_nametoindex(ifname) };
	unsigned ports = 0, vlans = 0;
	int count = found.ifindex ? links_read(&all) : -ENODEV;

	if (count < 0)
		return count;
	for (int i = 0; i < count; i++) {
		ports += all[i].master == found.ifindex;
		vlans += all[i].lower == found.ifindex && !all[i].lower_elsewhere && !strcmp(all[i].kind, "vlan");
	}
	for (int i = 0; i < count; i++)
		if (all[i].ifindex == found.ifindex) {
			*out = all[i];
			out->ports = ports;
			out->vlans = vlans;
			free(all);
			return 0;
		}
	free(all);
	return -ENODEV;
}
