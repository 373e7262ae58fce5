// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Why the kernel and the tracker may differ: a closed list, each with the evidence it needs. */
#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "verify/verify.h"

#define NS_PER_S 1000000000ULL
/* An orphan's last FIN leaves some 50 s before the kernel gives up (tcp_orphan_retries 0 means 8 of them). */
#define ORPHAN_SILENT_NS (20 * NS_PER_S)

static const struct {
	const char *name, *text;
} class_table[] = {
#define X(id, name, text) [CLASS_##id] = { name, text },
	VERIFY_CLASSES(X)
#undef X
};
_Static_assert(sizeof(class_table) / sizeof(class_table[0]) == CLASS_COUNT, "one row a class");

const char *verify_class_name(enum verify_class class)
{
	return class < CLASS_COUNT ? class_table[class].name : "?";
}

const char *verify_class_text(enum verify_class class)
{
	return class < CLASS_COUNT ? class_table[class].text : "?";
}

/* ---- evidence ---- */
/* /proc/net/netstat: pairs of lines "TcpExt: name name ...", "TcpExt: number number ...". */
static uint64_t netstat_value(char *names, char *values, const char *wanted)
{
	char *next_name, *next_value;
	char *name = strtok_r(names, " \n", &next_name), *value = strtok_r(values, " \n", &next_value);

	while (name && value) {
		if (!strcmp(name, wanted))
			return strtoull(value, NULL, 10);
		name = strtok_r(NULL, " \n", &next_name);
		value = strtok_r(NULL, " \n", &next_value);
	}
	return 0;
}

static uint64_t netstat(const char *wanted)
{
	FILE *f = fopen("/proc/net/netstat", "re");
	char *names = NULL, *values = NULL;
	size_t names_size = 0, values_size = 0;
	uint64_t found = 0;

	while (f && getline(&names, &names_size, f) > 0 && getline(&values, &values_size, f) > 0)
		if (!strncmp(names, "TcpExt:", 7))
			found = netstat_value(names, values, wanted);
	free(names);
	free(values);
	if (f)
		fclose(f);
	return found;
}

static uint64_t sysctl_number(const char *path, uint64_t otherwise)
{
	FILE *f = fopen(path, "re");
	unsigned long long value = otherwise;

	if (f && fscanf(f, "%llu", &value) != 1)
		value = otherwise;
	if (f)
		fclose(f);
	return value;
}

static bool has_text(const char *path)
{
	FILE *f = fopen(path, "re");
	bool any = f && fgetc(f) != EOF;

	if (f)
		fclose(f);
	return any;
}

static int take_table(const struct nlmsghdr *nlh, void *data)
{
	if ((nlh->nlmsg_type & 0xff) == NFT_MSG_NEWTABLE)
		*(bool *)data = true;
	return MNL_CB_OK;
}

/* Is there any nftables table in this namespace? */
static bool has_nft_table(void)
{
	struct mnl_socket *nl = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
	char buf[8192] = { 0 };
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	bool any = false;
	ssize_t len;

	nlh->nlmsg_type = (NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_GETTABLE;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	mnl_nlmsg_put_extra_header(nlh, sizeof(struct nfgenmsg)); /* zero: all families */
	if (!nl)
		return false;
	if (mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) >= 0 && mnl_socket_sendto(nl, nlh, nlh->nlmsg_len) >= 0)
		while ((len = mnl_socket_recvfrom(nl, buf, sizeof(buf))) > 0 &&
		       mnl_cb_run(buf, len, 0, 0, take_table, &any) > 0)
			;
	mnl_socket_close(nl);
	return any;
}

void verify_evidence_read(struct verify_evidence *ev)
{
	ev->listen_drops = netstat("ListenOverflows") + netstat("ListenDrops");
	ev->cookies_sent = netstat("SyncookiesSent");
	ev->time_wait_overflow = netstat("TCPTimeWaitOverflow");
	ev->fin_timeout_ns = sysctl_number("/proc/sys/net/ipv4/tcp_fin_timeout", 60) * NS_PER_S;
	ev->firewall = has_nft_table() || has_text("/proc/net/ip_tables_names") || has_text("/proc/net/ip6_tables_names");
}

/* ---- the rules ---- */
#define IN(state) (1U << (state))

/* The states that an endpoint in the kernel's state would be in, had it received one or two segments more. */
static const unsigned ahead_of[STATE_COUNT] = {
	[SYN_SENT] = IN(SYN_RECEIVED) | IN(ESTABLISHED) | IN(CLOSE_WAIT) | IN(CLOSED),
	[SYN_RECEIVED] = IN(ESTABLISHED) | IN(CLOSE_WAIT) | IN(CLOSED) | IN(LISTEN),
	[ESTABLISHED] = IN(CLOSE_WAIT) | IN(CLOSED),
	[FIN_WAIT_1] = IN(FIN_WAIT_2) | IN(CLOSING) | IN(TIME_WAIT) | IN(CLOSED),
	[FIN_WAIT_2] = IN(TIME_WAIT) | IN(CLOSED),
	[CLOSE_WAIT] = IN(CLOSED),
	[CLOSING] = IN(TIME_WAIT) | IN(CLOSED),
	[LAST_ACK] = IN(CLOSED),
	[TIME_WAIT] = IN(CLOSED),
};

/* Seen by us, lost before the stack. What the endpoint itself has proven cannot be that. */
static bool lost_after_tap(const struct endpoint *e)
{
	if (!e->tracked) /* a RST that the stack never got: our record is gone, its socket is not */
		return true;
	return (ahead_of[e->kernel] & IN(e->ours)) && (!e->confirmed || e->ours == CLOSED || e->ours == LISTEN);
}

static bool opened_from_outside(const struct endpoint *e)
{
	return e->tracked && !e->originator && (e->ours == ESTABLISHED || e->ours == CLOSE_WAIT);
}

/*
 * A full accept queue, or TCP_DEFER_ACCEPT: the kernel takes neither the ACK nor a FIN with it, though it may answer by an ACK,
 * and goes on when its SYN-ACK is acknowledged once more.
 */
static bool handshake_held(const struct endpoint *e)
{
	if (!opened_from_outside(e))
		return false;
	return e->kernel == SYN_RECEIVED ||
	       (e->kernel == ESTABLISHED && e->ours == CLOSE_WAIT && !e->confirmed && (e->flags & (FLAG_SYNACK_RTX | FLAG_OOS)));
}

/* The socket changes its state when the application closes; its FIN goes when window and congestion allow. */
static bool fin_not_sent(const struct endpoint *e)
{
	return e->tracked && e->wqueue &&
	       ((e->kernel == FIN_WAIT_1 && (e->ours == ESTABLISHED || e->ours == SYN_RECEIVED)) ||
		(e->kernel == LAST_ACK && e->ours == CLOSE_WAIT) ||
		(e->kernel == CLOSING && e->ours == CLOSE_WAIT));
}

static enum verify_class explain_socket(const struct endpoint *e, const struct verify_evidence *ev)
{
	if (handshake_held(e))
		return CLASS_ACCEPT_QUEUE;
	if (e->kernel == SYN_SENT && e->pending)
		return CLASS_PENDING;
	if (fin_not_sent(e))
		return CLASS_UNSENT;
	if (ev->firewall && lost_after_tap(e))
		return CLASS_NETFILTER;
	return CLASS_UNEXPLAINED;
}

/* Did the kernel end a socket that nobody owned, without a word on the wire? */
static bool orphan_given_up(const struct endpoint *e, const struct verify_evidence *ev, uint64_t now_ns)
{
	switch (e->ours) {
	case SYN_SENT: /* the application closed it, or the last SYN was long ago */
	case SYN_RECEIVED: /* its listener was closed, or tcp_synack_retries were spent */
		return true;
	case FIN_WAIT_2: /* the minisocket also takes any RST in the window */
		return now_ns - e->since_ns >= ev->fin_timeout_ns || (e->flags & FLAG_RST_INWIN);
	case FIN_WAIT_1:
	case CLOSING:
	case LAST_ACK:
		return now_ns - e->sent_ns >= ORPHAN_SILENT_NS;
	default:
		return false;
	}
}

static enum verify_class explain_absent(const struct endpoint *e, const struct verify_evidence *ev, uint64_t now_ns)
{
	if (e->ours == SYN_RECEIVED && !e->originator && ev->cookies_sent)
		return CLASS_COOKIE;
	if (opened_from_outside(e) && !e->confirmed && ev->listen_drops)
		return CLASS_ACCEPT_QUEUE;
	/* the kernel gives up TIME-WAIT for the SYN, and then perhaps finds no room to answer it */
	if (e->ours == TIME_WAIT && (e->flags & FLAG_TW_SYN_OK))
		return CLASS_PENDING;
	if ((e->ours == TIME_WAIT || e->ours == FIN_WAIT_2) && ev->time_wait_overflow)
		return CLASS_TW_OVERFLOW;
	return orphan_given_up(e, ev, now_ns) ? CLASS_ORPHAN : CLASS_UNEXPLAINED;
}

enum verify_class verify_explain(const struct endpoint *e, const struct verify_evidence *ev, uint64_t now_ns)
{
	return e->has_socket ? explain_socket(e, ev) : explain_absent(e, ev, now_ns);
}
