// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* iface: what must be known of a network interface before attaching to it. */
#include <errno.h>
#include <linux/if_arp.h>
#include <string.h>
#include <sys/stat.h>

#include "ward/checks.h"
#include "ward/inside.h"

static uint32_t own_netns(void)
{
	struct stat st;

	return stat("/proc/self/ns/net", &st) ? 0 : (uint32_t)st.st_ino;
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

/* Devices whose frames begin with the IP header: tun, PPP, tunnels. */
static bool is_l3(unsigned type)
{
	switch (type) {
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

static int refuse_pair(const char *a, const struct link_facts *fa, const char *b, const struct link_facts *fb)
{
	if (fa->ifindex == fb->ifindex)
		return ward_fail(-EINVAL, "", "cannot attach to '%s' twice", a);
	if (fa->master == fb->ifindex)
		return ward_fail(-EINVAL, "name one of them",
				 "cannot attach to '%s' and '%s': '%s' is a port of '%s', so each segment would be "
				 "counted twice",
				 a, b, a, b);
	if (fa->lower == fb->ifindex && !fa->lower_elsewhere && iface_shares_segments(fa->kind))
		return ward_fail(
			-EINVAL, "name one of them",
			"cannot attach to '%s' and '%s': '%s' is a %s on '%s', so each segment would be counted twice",
			a, b, a, !strcmp(fa->kind, "vlan") ? "VLAN" : fa->kind, b);
	return 0;
}

/* A bond, or hardware with a port (Hyper-V: the virtual function that is beside a NIC). */
static bool hands_xdp_down(const struct link_facts *link)
{
	return !strcmp(link->kind, "bond") || (!link->kind[0] && link->ports);
}

unsigned iface_ports_row(const struct ward_iface *rows, unsigned count)
{
	unsigned i;

	for (i = 0; i < count; i++)
		if (count == 1 || rows[i].flags & IFACE_PORTS)
			return i;
	return 0xff;
}

static int fill_row(struct ward_iface *row, const char *name, struct link_facts *facts)
{
	int err = strlen(name) < WARD_NAME_LEN ? link_read(name, facts) : -ENODEV;

	if (err == -ENODEV)
		return ward_fail(err, "'ip link' lists the interfaces of this network namespace",
				 "cannot attach to '%s': no such device", name);
	if (err)
		return ward_fail(err, "", "cannot ask about interface '%s': %s", name, strerror(-err));
	memset(row, 0, sizeof(*row));
	strcpy(row->name, name);
	row->ifindex = facts->ifindex;
	row->mtu = facts->mtu;
	row->netns = own_netns();
	row->ingress = INGRESS_NONE;
	if (is_l3(facts->type))
		row->flags = IFACE_L3 | IFACE_XDP_L3;
	if (link_offload_on(name, "rx-lro"))
		row->flags |= IFACE_MERGED;
	if (hands_xdp_down(facts))
		row->flags |= IFACE_PORTS;
	return 0;
}

int iface_plan(struct ward_iface *rows, const char *const *names, int count)
{
	struct link_facts facts[WARD_IFACES];
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
