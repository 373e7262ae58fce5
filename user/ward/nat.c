// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* nat: chains of type nat, by nftables' netlink family; legacy iptables says in /proc which tables it has. */
#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "ward/nat.h"

struct chain {
	char table[32], name[32];
	bool nat;
};

struct search {
	char *what;
	size_t size;
	bool found;
};

static int take_attr(const struct nlattr *attr, void *data)
{
	struct chain *c = data;

	switch (mnl_attr_get_type(attr)) {
	case NFTA_CHAIN_TABLE:
		snprintf(c->table, sizeof(c->table), "%s", mnl_attr_get_str(attr));
		break;
	case NFTA_CHAIN_NAME:
		snprintf(c->name, sizeof(c->name), "%s", mnl_attr_get_str(attr));
		break;
	case NFTA_CHAIN_TYPE:
		c->nat = !strcmp(mnl_attr_get_str(attr), "nat");
		break;
	}
	return MNL_CB_OK;
}

static int take_chain(const struct nlmsghdr *nlh, void *data)
{
	struct search *s = data;
	struct chain c = { .nat = false };

	mnl_attr_parse(nlh, sizeof(struct nfgenmsg), take_attr, &c);
	if (!s->found && c.nat)
		snprintf(s->what, s->size, "chain '%s' of table '%s'", c.name, c.table);
	s->found |= c.nat;
	return MNL_CB_OK;
}

static void search_nftables(struct search *s)
{
	struct mnl_socket *nl = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
	char buf[32768] = { 0 };
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct nfgenmsg *nfg;
	ssize_t len;
	int more = 1;

	if (!nl)
		return;
	nlh->nlmsg_type = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETCHAIN;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	nfg = mnl_nlmsg_put_extra_header(nlh, sizeof(*nfg));
	nfg->nfgen_family = AF_UNSPEC; /* all */
	nfg->version = NFNETLINK_V0;
	if (mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) < 0 || mnl_socket_sendto(nl, nlh, nlh->nlmsg_len) < 0)
		more = -1;
	while (more > 0 && (len = mnl_socket_recvfrom(nl, buf, sizeof(buf))) > 0)
		more = mnl_cb_run(buf, (size_t)len, 0, 0, take_chain, s);
	mnl_socket_close(nl);
}

static void search_legacy(const char *path, struct search *s)
{
	FILE *f = fopen(path, "re");
	char name[40];

	while (f && !s->found && fscanf(f, "%39s", name) == 1)
		s->found = !strcmp(name, "nat");
	if (f)
		fclose(f);
	if (s->found)
		snprintf(s->what, s->size, "table 'nat' of iptables");
}

bool nat_chain(char *what, size_t size)
{
	struct search s = { .what = what, .size = size };

	search_nftables(&s);
	if (!s.found)
		search_legacy("/proc/net/ip_tables_names", &s);
	if (!s.found)
		search_legacy("/proc/net/ip6_tables_names", &s);
	return s.found;
}
