// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The kernel's own TCP sockets of this network namespace, by sock_diag(7) over libmnl. */
#include "ward/sockets.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <string.h>

#include "report/report.h"

/* The kernel's numbering (include/net/tcp_states.h), which no UAPI header gives without its name clashes. */
static const enum tcp_state state_of_kernel[] = {
	[1] = ESTABLISHED, [2] = SYN_SENT,   [3] = SYN_RECEIVED, [4] = FIN_WAIT_1,
	[5] = FIN_WAIT_2,  [6] = TIME_WAIT,  [7] = CLOSED,       [8] = CLOSE_WAIT,
	[9] = LAST_ACK,    [10] = LISTEN,    [11] = CLOSING,     [12] = SYN_RECEIVED /* request socket */
};
#define KERNEL_STATES (sizeof(state_of_kernel) / sizeof(state_of_kernel[0]))
/* 1 to 12: bit 13 (6.8+) would add bound sockets that were never connected. */
#define ALL_STATES (((1U << KERNEL_STATES) - 1) & ~1U)

struct dump {
	socket_fn fn;
	void *ctx;
	int result; /* first non-zero answer of fn */
};

/* Addresses come as 4 or 16 bytes in network order. */
static void widen_address(__u8 out[16], const __be32 *in, uint8_t family)
{
	if (family == AF_INET6) {
		memcpy(out, in, 16);
		return;
	}
	memset(out, 0, 10);
	memset(out + 10, 0xff, 2);
	memcpy(out + 12, in, 4);
}

static int take_info(const struct nlattr *attr, void *data)
{
	struct tcp_info *info = data;
	size_t len = mnl_attr_get_payload_len(attr);

	if (mnl_attr_get_type(attr) != INET_DIAG_INFO)
		return MNL_CB_OK;
	memcpy(info, mnl_attr_get_payload(attr), len < sizeof(*info) ? len : sizeof(*info));
	return MNL_CB_STOP;
}

/* Milliseconds since data last moved. LISTEN and minisockets have no such times. */
static uint32_t idle_of(const struct nlmsghdr *nlh)
{
	struct tcp_info info = { .tcpi_last_data_sent = UINT32_MAX, .tcpi_last_data_recv = UINT32_MAX };

	mnl_attr_parse(nlh, sizeof(struct inet_diag_msg), take_info, &info);
	return info.tcpi_last_data_sent < info.tcpi_last_data_recv ? info.tcpi_last_data_sent :
								       info.tcpi_last_data_recv;
}

static void fill_socket(struct socket_info *sock, const struct nlmsghdr *nlh, const struct inet_diag_msg *msg)
{
	memset(sock, 0, sizeof(*sock));
	widen_address(sock->laddr, msg->id.idiag_src, msg->idiag_family);
	widen_address(sock->raddr, msg->id.idiag_dst, msg->idiag_family);
	sock->lport = ntohs(msg->id.idiag_sport);
	sock->rport = ntohs(msg->id.idiag_dport);
	sock->state = state_of_kernel[msg->idiag_state];
	sock->ifindex = msg->id.idiag_if;
	sock->inode = msg->idiag_inode;
	sock->rqueue = msg->idiag_rqueue;
	sock->wqueue = msg->idiag_wqueue;
	sock->timer = msg->idiag_timer;
	sock->retrans = msg->idiag_retrans;
	sock->expires_ms = msg->idiag_expires;
	sock->idle_ms = sock->state == LISTEN ? UINT32_MAX : idle_of(nlh);
	if (sock->state != LISTEN)
		sock->local_side = flow_key_make(&sock->key, sock->laddr, sock->lport, sock->raddr, sock->rport);
}

static int take_message(const struct nlmsghdr *nlh, void *data)
{
	const struct inet_diag_msg *msg = mnl_nlmsg_get_payload(nlh);
	struct dump *dump = data;
	struct socket_info sock;

	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*msg))
		return MNL_CB_OK;
	if (msg->idiag_state == 0 || msg->idiag_state >= KERNEL_STATES)
		return MNL_CB_OK;
	fill_socket(&sock, nlh, msg);
	dump->result = dump->fn(&sock, dump->ctx);
	return dump->result ? MNL_CB_STOP : MNL_CB_OK;
}

static int send_request(struct mnl_socket *nl, uint8_t family, unsigned seq)
{
	char buf[256] = { 0 };
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct inet_diag_req_v2 *req;

	nlh->nlmsg_type = SOCK_DIAG_BY_FAMILY;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	nlh->nlmsg_seq = seq;
	req = mnl_nlmsg_put_extra_header(nlh, sizeof(*req));
	req->sdiag_family = family;
	req->sdiag_protocol = IPPROTO_TCP;
	req->idiag_ext = 1 << (INET_DIAG_INFO - 1);
	req->idiag_states = ALL_STATES;
	return mnl_socket_sendto(nl, nlh, nlh->nlmsg_len) < 0 ? -errno : 0;
}

static int dump_family(uint8_t family, struct dump *dump)
{
	struct mnl_socket *nl = mnl_socket_open2(NETLINK_SOCK_DIAG, SOCK_CLOEXEC);
	static char buf[32768]; /* the kernel fills up to 32 KiB a message */
	unsigned seq = family;
	int err, more = 1;

	if (!nl)
		return -errno;
	err = mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) < 0 ? -errno : send_request(nl, family, seq);
	while (!err && more > 0) {
		ssize_t len = mnl_socket_recvfrom(nl, buf, sizeof(buf));

		if (len < 0 && errno == EINTR)
			continue;
		more = len < 0 ? -1 : mnl_cb_run(buf, len, seq, mnl_socket_get_portid(nl), take_message, dump);
		err = more < 0 ? -errno : 0;
	}
	mnl_socket_close(nl);
	return err;
}

int sockets_each(socket_fn fn, void *ctx)
{
	struct dump dump = { .fn = fn, .ctx = ctx };
	int err = dump_family(AF_INET, &dump);

	if (!err && !dump.result)
		err = dump_family(AF_INET6, &dump);
	/* without IPv6 in the kernel there is no handler for it */
	return err && err != -ENOENT ? err : dump.result;
}
