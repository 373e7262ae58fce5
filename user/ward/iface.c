// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * iface: what must be known of a network interface before attaching to it. By netlink, not sysfs: /sys shows the
 * namespace that mounted it, which need not be ours.
 */
#include <errno.h>
#include <net/if.h> /* before linux/if.h, which knows how to stand back */

#include <libmnl/libmnl.h>
#include <linux/if_arp.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>

#include "ward/checks.h"
#include "ward/inside.h"

struct iface_facts {
	uint32_t ifindex, mtu;
	uint32_t master; /* bridge, bond or team that it is a port of; 0: none */
	uint32_t parent; /* of a VLAN, macvlan or ipvlan; 0: none */
	uint16_t arphrd;
	bool parent_elsewhere;
	char kind[24];
};

uint32_t iface_netns(void)
{
	struct stat st;

	return stat("/proc/self/ns/net", &st) ? 0 : (uint32_t)st.st_ino;
}

static int read_kind(const struct nlattr *attr, void *data)
{
	struct iface_facts *facts = data;

	if (mnl_attr_get_type(attr) == IFLA_INFO_KIND)
		snprintf(facts->kind, sizeof(facts->kind), "%s", mnl_attr_get_str(attr));
	return MNL_CB_OK;
}

static int read_attr(const struct nlattr *attr, void *data)
{
	struct iface_facts *facts = data;

	switch (mnl_attr_get_type(attr)) {
	case IFLA_MTU:
		facts->mtu = mnl_attr_get_u32(attr);
		break;
	case IFLA_MASTER:
		facts->master = mnl_attr_get_u32(attr);
		break;
	case IFLA_LINK:
		facts->parent = mnl_attr_get_u32(attr);
		break;
	case IFLA_LINK_NETNSID:
		facts->parent_elsewhere = true;
		break;
	case IFLA_LINKINFO:
		return mnl_attr_parse_nested(attr, read_kind, data);
	}
	return MNL_CB_OK;
}

static int read_link(const struct nlmsghdr *msg, void *data)
{
	const struct ifinfomsg *info = mnl_nlmsg_get_payload(msg);
	struct iface_facts *facts = data;

	facts->arphrd = info->ifi_type;
	return mnl_attr_parse(msg, sizeof(*info), read_attr, data);
}

/* IFLA_LINK also means a veth's peer or a tunnel's carrier: neither shows the same segments. */
bool iface_shares_segments(const char *kind)
{
	static const char *const kinds[] = { "vlan", "macvlan", "macvtap", "ipvlan", "ipvtap", "dsa" };
	size_t i;

	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (!strcmp(kind, kinds[i]))
			return true;
	return false;
}

static int ask(struct mnl_socket *nl, struct iface_facts *facts)
{
	char buf[32768]; /* a NIC with many VFs fills more than a page */
	struct nlmsghdr *msg = mnl_nlmsg_put_header(buf);
	struct ifinfomsg *info;
	unsigned seq = time(NULL);
	ssize_t len;

	msg->nlmsg_type = RTM_GETLINK;
	msg->nlmsg_flags = NLM_F_REQUEST;
	msg->nlmsg_seq = seq;
	info = mnl_nlmsg_put_extra_header(msg, sizeof(*info));
	info->ifi_index = (int)facts->ifindex;
	if (mnl_socket_sendto(nl, msg, msg->nlmsg_len) < 0)
		return -errno;
	len = mnl_socket_recvfrom(nl, buf, sizeof(buf));
	if (len < 0)
		return -errno;
	return mnl_cb_run(buf, len, seq, mnl_socket_get_portid(nl), read_link, facts) < 0 ? -errno : 0;
}

static int read_facts(const char *name, struct iface_facts *facts)
{
	struct mnl_socket *nl;
	int err;

	memset(facts, 0, sizeof(*facts));
	facts->ifindex = if_nametoindex(name);
	if (!facts->ifindex)
		return -ENODEV;
	nl = mnl_socket_open(NETLINK_ROUTE);
	if (!nl)
		return -errno;
	err = mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) < 0 ? -errno : ask(nl, facts);
	mnl_socket_close(nl);
	if (facts->parent_elsewhere || !iface_shares_segments(facts->kind))
		facts->parent = 0;
	return err;
}

/* Devices whose frames begin with the IP header: tun, PPP, tunnels. */
static bool is_l3(uint16_t arphrd)
{
	switch (arphrd) {
	case ARPHRD_ETHER:
	case ARPHRD_LOOPBACK:
		return false;
	case ARPHRD_NONE:
	case ARPHRD_RAWIP:
	case ARPHRD_PPP:
	case ARPHRD_TUNNEL:
	case ARPHRD_TUNNEL6:
	case ARPHRD_SIT:
	case ARPHRD_IPGRE:
	case ARPHRD_IP6GRE:
		return true;
	}
	return false;
}

static int refuse_pair(const char *a, const struct iface_facts *fa, const char *b, const struct iface_facts *fb)
{
	if (fa->ifindex == fb->ifindex)
		return ward_fail(-EINVAL, "", "cannot attach to '%s' twice", a);
	if (fa->master == fb->ifindex)
		return ward_fail(-EINVAL, "name one of them",
				 "cannot attach to '%s' and '%s': '%s' is a port of '%s', so each segment would be "
				 "counted twice",
				 a, b, a, b);
	if (fa->parent == fb->ifindex)
		return ward_fail(
			-EINVAL, "name one of them",
			"cannot attach to '%s' and '%s': '%s' is a %s on '%s', so each segment would be counted twice",
			a, b, a, !strcmp(fa->kind, "vlan") ? "VLAN" : fa->kind, b);
	return 0;
}

/* A bond, or hardware with a port (Hyper-V: the virtual function that is beside a NIC). */
static bool hands_xdp_down(const char *name)
{
	struct link_facts link;

	return !link_read(name, &link) && (!strcmp(link.kind, "bond") || (!link.kind[0] && link.ports));
}

unsigned iface_ports_row(const struct ward_iface *rows, unsigned count)
{
	unsigned i;

	for (i = 0; i < count; i++)
		if (count == 1 || rows[i].flags & IFACE_PORTS)
			return i;
	return 0xff;
}

static int fill_row(struct ward_iface *row, const char *name, struct iface_facts *facts)
{
	int err = strlen(name) < WARD_NAME_LEN ? read_facts(name, facts) : -ENODEV;

	if (err == -ENODEV)
		return ward_fail(err, "'ip link' lists the interfaces of this network namespace",
				 "cannot attach to '%s': no such device", name);
	if (err)
		return ward_fail(err, "", "cannot ask about interface '%s': %s", name, strerror(-err));
	memset(row, 0, sizeof(*row));
	strcpy(row->name, name);
	row->ifindex = facts->ifindex;
	row->mtu = facts->mtu;
	row->netns = iface_netns();
	row->ingress = INGRESS_NONE;
	if (is_l3(facts->arphrd))
		row->flags = IFACE_L3 | IFACE_XDP_L3;
	if (link_offload_on(name, "rx-lro"))
		row->flags |= IFACE_MERGED;
	if (hands_xdp_down(name))
		row->flags |= IFACE_PORTS;
	return 0;
}

int iface_plan(struct ward_iface *rows, const char *const *names, int count)
{
	struct iface_facts facts[WARD_IFACES];
	int i, j, err;

	if (count < 1 || count > WARD_IFACES)
		return ward_fail(-EINVAL, "", "cannot attach to %d interfaces: 1 to %d", count, WARD_IFACES);
	for (i = 0; i < count; i++) {
		err = fill_row(&rows[i], names[i], &facts[i]);
		if (err)
			return err;
	}
	for (i = 0; i < count; i++)
		for (j = 0; j < count; j++) {
			err = i == j ? 0 : refuse_pair(names[i], &facts[i], names[j], &facts[j]);
			if (err)
				return err;
		}
	return 0;
}
