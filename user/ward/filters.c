// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* filters: which tc filters hang on the clsact qdisc of an interface (rtnetlink by libmnl). */
#include <libmnl/libmnl.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "ward/filters.h"
#include "ward/inside.h"

#define OUR_PREFIX "ward_"

static int take_filter_attr(const struct nlattr *attr, void *data)
{
	if (mnl_attr_get_type(attr) == TCA_BPF_NAME && !strncmp(mnl_attr_get_str(attr), OUR_PREFIX, sizeof(OUR_PREFIX) - 1))
		*(bool *)data = true;
	return MNL_CB_OK;
}

static int take_filter_options(const struct nlattr *attr, void *data)
{
	if (mnl_attr_get_type(attr) == TCA_OPTIONS)
		mnl_attr_parse_nested(attr, take_filter_attr, data);
	return MNL_CB_OK;
}

static int take_filter(const struct nlmsghdr *nlh, void *data)
{
	const struct tcmsg *tc = mnl_nlmsg_get_payload(nlh);
	struct filters *out = data;
	bool ours = false;

	if (!tc->tcm_handle) /* the head of a chain of filters */
		return MNL_CB_OK;
	mnl_attr_parse(nlh, sizeof(*tc), take_filter_options, &ours);
	if (ours)
		out->ours = true;
	else if (TC_H_MAJ(tc->tcm_info) >> 16 <= WARD_TC_PRIORITY)
		out->before++;
	else
		out->behind++;
	return MNL_CB_OK;
}

void filters_read(unsigned ifindex, uint32_t hook, struct filters *out)
{
	struct mnl_socket *nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	char buf[32768];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct tcmsg *tc = mnl_nlmsg_put_extra_header(nlh, sizeof(*tc));
	int more = 1;
	ssize_t len;

	memset(out, 0, sizeof(*out));
	if (!nl)
		return;
	nlh->nlmsg_type = RTM_GETTFILTER;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	tc->tcm_ifindex = (int)ifindex;
	tc->tcm_parent = TC_H_MAKE(TC_H_CLSACT, hook);
	if (mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) < 0 || mnl_socket_sendto(nl, nlh, nlh->nlmsg_len) < 0)
		more = -1;
	while (more > 0 && (len = mnl_socket_recvfrom(nl, buf, sizeof(buf))) > 0)
		more = mnl_cb_run(buf, len, 0, 0, take_filter, out);
	mnl_socket_close(nl);
}

int filters_foreign(unsigned ifindex, uint32_t hook)
{
	struct filters there;

	filters_read(ifindex, hook, &there);
	return there.before + there.behind;
}
