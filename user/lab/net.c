// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Two namespaces and the veth pair between them, by rtnetlink(7). */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sched.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "lab/lab.h"

#define CLIENT_DEVICE "lab1"

static const unsigned char server_mac[6] = { 0x02, 0, 0x5e, 0, 0x02, 0x01 }; /* locally administered */
static const unsigned char client_mac[6] = { 0x02, 0, 0x5e, 0, 0x02, 0x02 };

/* One request of rtnetlink under construction. */
struct request {
	char buf[1024];
	struct nlmsghdr *nlh;
};

static void *request_begin(struct request *req, uint16_t type, uint16_t flags, size_t header)
{
	memset(req, 0, sizeof(*req));
	req->nlh = mnl_nlmsg_put_header(req->buf);
	req->nlh->nlmsg_type = type;
	req->nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
	return mnl_nlmsg_put_extra_header(req->nlh, header);
}

/* Sends it in the namespace this process is in and waits for the kernel's answer. */
static int request_run(struct request *req)
{
	struct mnl_socket *nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	char answer[8192];
	ssize_t len;
	int err = 0;

	if (!nl)
		return -errno;
	if (mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) < 0 ||
	    mnl_socket_sendto(nl, req->nlh, req->nlh->nlmsg_len) < 0 ||
	    (len = mnl_socket_recvfrom(nl, answer, sizeof(answer))) < 0 ||
	    mnl_cb_run(answer, len, 0, mnl_socket_get_portid(nl), NULL, NULL) < 0)
		err = -errno;
	mnl_socket_close(nl);
	return err;
}

static int make_veth(int peer_ns)
{
	struct request req;
	struct nlattr *info, *data, *peer;

	request_begin(&req, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, sizeof(struct ifinfomsg));
	mnl_attr_put_strz(req.nlh, IFLA_IFNAME, LAB_DEVICE);
	mnl_attr_put(req.nlh, IFLA_ADDRESS, sizeof(server_mac), server_mac);
	info = mnl_attr_nest_start(req.nlh, IFLA_LINKINFO);
	mnl_attr_put_strz(req.nlh, IFLA_INFO_KIND, "veth");
	data = mnl_attr_nest_start(req.nlh, IFLA_INFO_DATA);
	peer = mnl_attr_nest_start(req.nlh, VETH_INFO_PEER);
	mnl_nlmsg_put_extra_header(req.nlh, sizeof(struct ifinfomsg));
	mnl_attr_put_strz(req.nlh, IFLA_IFNAME, CLIENT_DEVICE);
	mnl_attr_put(req.nlh, IFLA_ADDRESS, sizeof(client_mac), client_mac);
	mnl_attr_put_u32(req.nlh, IFLA_NET_NS_FD, peer_ns);
	mnl_attr_nest_end(req.nlh, peer);
	mnl_attr_nest_end(req.nlh, data);
	mnl_attr_nest_end(req.nlh, info);
	return request_run(&req);
}

static int link_up(const char *name)
{
	struct request req;
	struct ifinfomsg *link = request_begin(&req, RTM_NEWLINK, 0, sizeof(*link));

	link->ifi_index = if_nametoindex(name);
	link->ifi_flags = link->ifi_change = IFF_UP;
	return request_run(&req);
}

static int add_address(const char *device, int family, const char *address, unsigned prefix_bits)
{
	struct request req;
	struct ifaddrmsg *addr = request_begin(&req, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, sizeof(*addr));
	size_t len = family == AF_INET ? 4 : 16;
	unsigned char raw[16];

	inet_pton(family, address, raw);
	addr->ifa_family = family;
	addr->ifa_prefixlen = prefix_bits;
	addr->ifa_flags = IFA_F_NODAD; /* usable at once */
	addr->ifa_index = if_nametoindex(device);
	mnl_attr_put(req.nlh, IFA_LOCAL, len, raw);
	mnl_attr_put(req.nlh, IFA_ADDRESS, len, raw);
	return request_run(&req);
}

/* Frames for the address that nobody has go to the server's end, whose stack does not forward and says nothing. */
static int add_nobody(void)
{
	struct request req;
	struct ndmsg *neigh = request_begin(&req, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, sizeof(*neigh));
	unsigned char raw[4];

	inet_pton(AF_INET, LAB_NOBODY4, raw);
	neigh->ndm_family = AF_INET;
	neigh->ndm_ifindex = if_nametoindex(CLIENT_DEVICE);
	neigh->ndm_state = NUD_PERMANENT;
	mnl_attr_put(req.nlh, NDA_DST, sizeof(raw), raw);
	mnl_attr_put(req.nlh, NDA_LLADDR, sizeof(server_mac), server_mac);
	return request_run(&req);
}

static int set_up_end(const char *device, const char *address4, const char *address6)
{
	int err = link_up("lo");

	if (!err)
		err = add_address(device, AF_INET, address4, 24);
	if (!err)
		err = add_address(device, AF_INET6, address6, 64);
	if (err == -EOPNOTSUPP || err == -EAFNOSUPPORT || err == -EACCES)
		err = 0; /* a kernel without IPv6: the rest still works */
	return err ? err : link_up(device);
}

static int set_up_client(void)
{
	int err = set_up_end(CLIENT_DEVICE, LAB_CLIENT4, LAB_CLIENT6);

	return err ? err : add_nobody();
}

static int open_own_ns(void)
{
	int fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* This process's first namespace becomes the client's, its second one the server's, where it stays. */
static int make_namespaces(struct lab *lab)
{
	lab->home_ns = open_own_ns();
	if (lab->home_ns < 0)
		return lab->home_ns;
	if (unshare(CLONE_NEWNET))
		return -errno;
	lab->client_ns = open_own_ns();
	if (lab->client_ns < 0)
		return lab->client_ns;
	return unshare(CLONE_NEWNET) ? -errno : 0;
}

static int in_client_ns(struct lab *lab, int (*fn)(void))
{
	int server_ns = open_own_ns();
	int err;

	if (server_ns < 0)
		return server_ns;
	err = setns(lab->client_ns, CLONE_NEWNET) ? -errno : fn();
	if (setns(server_ns, CLONE_NEWNET))
		err = -errno;
	close(server_ns);
	return err;
}

int lab_net_open(struct lab *lab, const char **what)
{
	int err;

	*lab = (struct lab){ .client_ns = -1, .home_ns = -1, .orders = -1 };
	*what = "make network namespaces";
	err = make_namespaces(lab);
	if (!err) {
		*what = "make a veth pair";
		err = make_veth(lab->client_ns);
	}
	if (!err) {
		*what = "set up '" LAB_DEVICE "'";
		err = set_up_end(LAB_DEVICE, LAB_SERVER4, LAB_SERVER6);
	}
	if (!err) {
		*what = "set up '" CLIENT_DEVICE "'";
		err = in_client_ns(lab, set_up_client);
	}
	if (err)
		lab_net_close(lab);
	return err;
}

void lab_net_close(struct lab *lab)
{
	if (lab->home_ns >= 0) {
		/* the server's namespace has no other holder: leaving it removes it */
		if (setns(lab->home_ns, CLONE_NEWNET) == 0)
			close(lab->home_ns);
		lab->home_ns = -1;
	}
	if (lab->client_ns >= 0)
		close(lab->client_ns);
	lab->client_ns = -1;
}
