// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * cookie_place: can XDP answer on this interface? What it sends back on a veth is lost unless the peer runs native XDP too, GRO is not
 * enough; and a tag that the device has taken off is missing from the answer. Generic XDP has neither trouble: it sends like the
 * stack, and the tag stays with the frame.
 */
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "ward/checks.h"
#include "ward/cookie.h"
#include "ward/netns.h"

/* ---- the peer of a veth ---- */
static int take_xdp(const struct nlattr *attr, void *data)
{
	if (mnl_attr_get_type(attr) == IFLA_XDP_DRV_PROG_ID)
		*(bool *)data = mnl_attr_get_u32(attr) != 0;
	return MNL_CB_OK;
}

static int take_attr(const struct nlattr *attr, void *data)
{
	return mnl_attr_get_type(attr) == IFLA_XDP ? mnl_attr_parse_nested(attr, take_xdp, data) : MNL_CB_OK;
}

static int take_link(const struct nlmsghdr *nlh, void *data)
{
	return mnl_attr_parse(nlh, sizeof(struct ifinfomsg), take_attr, data);
}

/* 1, 0, or a negative errno: it cannot be asked, for it lives in a namespace that is not ours to look into. */
static int peer_runs_xdp(const struct link_facts *link)
{
	struct mnl_socket *nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	char buf[32768] = { 0 };
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct ifinfomsg *info;
	bool runs = false;
	ssize_t len;
	int err;

	if (!nl)
		return -errno;
	nlh->nlmsg_type = RTM_GETLINK;
	nlh->nlmsg_flags = NLM_F_REQUEST;
	info = mnl_nlmsg_put_extra_header(nlh, sizeof(*info));
	info->ifi_index = (int)link->lower;
	if (link->lower_elsewhere)
		mnl_attr_put_u32(nlh, IFLA_TARGET_NETNSID, (uint32_t)link->lower_nsid);
	err = mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) < 0 || mnl_socket_sendto(nl, nlh, nlh->nlmsg_len) < 0 ? -errno : 0;
	if (!err) {
		len = mnl_socket_recvfrom(nl, buf, sizeof(buf));
		err = len < 0 || mnl_cb_run(buf, (size_t)len, 0, 0, take_link, &runs) < 0 ? -errno : 0;
	}
	mnl_socket_close(nl);
	return err ? err : runs;
}

/* ---- places ---- */
bool cookie_wants_generic(const char *ifname, char *why, size_t size)
{
	struct link_facts link;

	if (link_read(ifname, &link))
		return false;
	if (!strcmp(link.kind, "veth") && link.lower && !peer_runs_xdp(&link)) {
		snprintf(why, size, "its peer runs no XDP program, and what native XDP sends back on a veth is lost there");
		return true;
	}
	if (link.vlans && link_offload_on(ifname, "rx-vlan-hw-parse")) {
		snprintf(why, size, "VLAN tags are taken off before native XDP: an answer would go back without its tag");
		return true;
	}
	return false;
}

static int refuse(const struct ward_iface *iface, const char *mend, const char *why)
{
	return ward_fail(-EOPNOTSUPP, mend, "cannot answer SYNs with cookies on '%s': %s", iface->name, why);
}

int cookie_place(const struct ward *w, const struct ward_iface *iface)
{
	bool attached = iface->hooks & HOOK_INGRESS;
	char mend[200], why[160], off[60] = "";

	if (!netns_here(iface->netns, w->info->netns_cookie))
		return ward_fail(-EXDEV, "enter it: nsenter --net=/run/netns/NAME tcpward ...",
				 "cannot prepare SYN cookies on '%s': it lives in another network namespace", iface->name);
	if (attached)
		snprintf(off, sizeof(off), "tcpward detach %s; ", iface->name);
	snprintf(mend, sizeof(mend), "%stcpward attach %s --ingress xdp", off, iface->name);
	if (attached && iface->ingress != INGRESS_XDP && iface->ingress != INGRESS_XDP_GENERIC)
		return refuse(iface, mend, "its ingress is not XDP");
	/* not attached yet, and left to us: attach_ingress() sees to it */
	if ((attached ? iface->ingress : w->opt.ingress) != INGRESS_XDP || !cookie_wants_generic(iface->name, why, sizeof(why)))
		return 0;
	snprintf(mend, sizeof(mend), "%stcpward attach %s --ingress xdp-generic", off, iface->name);
	return refuse(iface, mend, why);
}
