// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Closes a socket of this host: SOCK_DESTROY of sock_diag(7), over libmnl. Its peer gets a RST, its application an error. */
#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>

#include "ward/sockets.h"

#ifndef SOCK_DESTROY
#define SOCK_DESTROY 21
#endif

static const uint8_t mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

static void put_address(__be32 out[4], const __u8 addr[16], bool v4)
{
	memset(out, 0, 16);
	memcpy(out, v4 ? addr + 12 : addr, v4 ? 4 : 16);
}

/* The end at side of the key is the local one. 0, or -ENOENT: there is no such socket here. */
static int destroy_side(struct mnl_socket *nl, const struct flow_key *key, int side)
{
	const __u8 *local = side ? key->b_addr : key->a_addr, *remote = side ? key->a_addr : key->b_addr;
	bool v4 = !memcmp(local, mapped, sizeof(mapped));
	char buf[512] = { 0 };
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct inet_diag_req_v2 *req;
	unsigned seq = 1 + (unsigned)side;
	ssize_t len;

	nlh->nlmsg_type = SOCK_DESTROY;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	nlh->nlmsg_seq = seq;
	req = mnl_nlmsg_put_extra_header(nlh, sizeof(*req));
	req->sdiag_family = v4 ? AF_INET : AF_INET6;
	req->sdiag_protocol = IPPROTO_TCP;
	req->idiag_states = ~0U;
	put_address(req->id.idiag_src, local, v4);
	put_address(req->id.idiag_dst, remote, v4);
	req->id.idiag_sport = htons(side ? key->b_port : key->a_port);
	req->id.idiag_dport = htons(side ? key->a_port : key->b_port);
	req->id.idiag_cookie[0] = req->id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
	if (mnl_socket_sendto(nl, nlh, nlh->nlmsg_len) < 0)
		return -errno;
	do
		len = mnl_socket_recvfrom(nl, buf, sizeof(buf));
	while (len < 0 && errno == EINTR);
	if (len < 0)
		return -errno;
	return mnl_cb_run(buf, (size_t)len, seq, mnl_socket_get_portid(nl), NULL, NULL) < 0 ? -errno : 0;
}

int socket_destroy(const struct flow_key *key)
{
	struct mnl_socket *nl = mnl_socket_open2(NETLINK_SOCK_DIAG, SOCK_CLOEXEC);
	int err;

	if (!nl)
		return -errno;
	err = mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) < 0 ? -errno : destroy_side(nl, key, 0);
	if (err == -ENOENT)
		err = destroy_side(nl, key, 1);
	mnl_socket_close(nl);
	return err;
}
