// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Closes a socket of this host: SOCK_DESTROY of sock_diag(7), over libmnl. Its peer gets a RST, its application an error.
 *
 * The kernel looks a socket up as it does for a segment: where the connection is gone it finds the listener, and would close
 * that. So the socket is asked for first, and closed by its cookie, which no other one will ever have.
 */
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

#define KERNEL_LISTEN 10 /* include/net/tcp_states.h */

static const uint8_t mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

static void put_address(__be32 out[4], const __u8 addr[16], bool v4)
{
	memset(out, 0, 16);
	memcpy(out, v4 ? addr + 12 : addr, v4 ? 4 : 16);
}

static bool is_v4(const struct flow_key *key)
{
	return !memcmp(key->a_addr, mapped, sizeof(mapped));
}

/* The connection whose end at side of the key is the local one; cookie: of its socket, or INET_DIAG_NOCOOKIE twice. */
static void put_id(struct inet_diag_sockid *id, const struct flow_key *key, int side, const __u32 cookie[2])
{
	put_address(id->idiag_src, side ? key->b_addr : key->a_addr, is_v4(key));
	put_address(id->idiag_dst, side ? key->a_addr : key->b_addr, is_v4(key));
	id->idiag_sport = htons(side ? key->b_port : key->a_port);
	id->idiag_dport = htons(side ? key->a_port : key->b_port);
	id->idiag_cookie[0] = cookie[0];
	id->idiag_cookie[1] = cookie[1];
}

/* One request about one socket. fn: for the answer, NULL if none is awaited but its acknowledgement. 0 or negative errno. */
static int ask(struct mnl_socket *nl, uint16_t type, const struct flow_key *key, int side, const __u32 cookie[2],
	       mnl_cb_t fn, void *ctx)
{
	char buf[4096] = { 0 };
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct inet_diag_req_v2 *req;
	unsigned seq = 1 + (unsigned)side + type;
	ssize_t len;
	int more;

	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	nlh->nlmsg_seq = seq;
	req = mnl_nlmsg_put_extra_header(nlh, sizeof(*req));
	req->sdiag_family = is_v4(key) ? AF_INET : AF_INET6;
	req->sdiag_protocol = IPPROTO_TCP;
	req->idiag_states = ~0U;
	put_id(&req->id, key, side, cookie);
	if (mnl_socket_sendto(nl, nlh, nlh->nlmsg_len) < 0)
		return -errno;
	do {
		do
			len = mnl_socket_recvfrom(nl, buf, sizeof(buf));
		while (len < 0 && errno == EINTR);
		more = len < 0 ? -1 : mnl_cb_run(buf, (size_t)len, seq, mnl_socket_get_portid(nl), fn, ctx);
	} while (more > 0);
	return more < 0 ? -errno : 0;
}

struct found {
	__u32 cookie[2];
	bool is; /* it is the connection, and not its listener */
};

static int take_answer(const struct nlmsghdr *nlh, void *ctx)
{
	const struct inet_diag_msg *msg = mnl_nlmsg_get_payload(nlh);
	struct found *found = ctx;

	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*msg))
		return MNL_CB_OK;
	found->is = msg->idiag_state != KERNEL_LISTEN && msg->id.idiag_dport;
	memcpy(found->cookie, msg->id.idiag_cookie, sizeof(found->cookie));
	return MNL_CB_OK;
}

/* The end at side of the key is the local one. 0, or -ENOENT: there is no such socket here. */
static int destroy_side(struct mnl_socket *nl, const struct flow_key *key, int side)
{
	static const __u32 any[2] = { INET_DIAG_NOCOOKIE, INET_DIAG_NOCOOKIE };
	struct found found = { .is = false };
	int err = ask(nl, SOCK_DIAG_BY_FAMILY, key, side, any, take_answer, &found);

	if (!err)
		err = found.is ? ask(nl, SOCK_DESTROY, key, side, found.cookie, NULL, NULL) : -ENOENT;
	return err == -ESTALE ? -ENOENT : err; /* it went meanwhile, and the listener was found, or another connection */
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
