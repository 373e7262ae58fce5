// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* doctor: which SYN cookies can be had here, and what they would miss. */
#include <stdbool.h>
#include <stdio.h>

#include "ward/checks.h"
#include "ward/cookie.h"
#include "ward/nat.h"

static long read_number(const char *path)
{
	FILE *f = fopen(path, "re");
	long value = -1;

	if (f && fscanf(f, "%ld", &value) != 1)
		value = -1;
	if (f)
		fclose(f);
	return value;
}

void doctor_cookies(struct check_list *list)
{
	long cookies = cookie_setting("tcp_syncookies"), stamps = cookie_setting("tcp_timestamps");

	if (cookies < 0)
		check_add(list, "syn-cookies", HEALTH_WARN, "use a kernel built with CONFIG_SYN_COOKIES=y",
			  "no net.ipv4.tcp_syncookies: the stack takes no SYN cookies");
	else if (cookies == 0)
		check_add(list, "syn-cookies", HEALTH_WARN, "sysctl -w net.ipv4.tcp_syncookies=1",
			  "net.ipv4.tcp_syncookies is 0: the stack takes no SYN cookies");
	else if (cookie_has_kfunc())
		check_add(list, "syn-cookies", HEALTH_OK, NULL,
			  "of our own: the stack takes them (bpf_sk_assign_tcp_reqsk), with all their options");
	else if (cookies < 2)
		check_add(list, "syn-cookies", HEALTH_WARN, "sysctl -w net.ipv4.tcp_syncookies=2 net.ipv4.tcp_timestamps=2",
			  "the kernel's (6.9 would take our own), made only once a listener's queue has overflowed");
	else if (stamps != 2)
		check_add(list, "syn-cookies", HEALTH_WARN, "sysctl -w net.ipv4.tcp_timestamps=2",
			  "the kernel's (6.9 would take our own); window scale and SACK are lost, for tcp_timestamps is %ld", stamps);
	else
		check_add(list, "syn-cookies", HEALTH_OK, NULL, "the kernel's (6.9 would take our own), with all their options");
}

void doctor_cookies_link(const char *ifname, const struct link_facts *link, struct check_list *list)
{
	char mend[120], text[160];

	if (cookie_wants_generic(ifname, text, sizeof(text))) {
		snprintf(mend, sizeof(mend), "tcpward attach %s --ingress xdp-generic%s", ifname,
			 link->vlans ? ", or take no tags off: ethtool -K IFACE rxvlan off" : "");
		check_add(list, "cookie-answer", HEALTH_WARN, mend, "'%s': SYN cookies: %s", ifname, text);
	}
	if (cookie_has_kfunc() && nat_chain(text, sizeof(text))) {
		bool ready = cookie_setting("tcp_syncookies") == 2 && cookie_setting("tcp_timestamps") == 2;

		check_add(list, "cookie-nat", ready ? HEALTH_OK : HEALTH_WARN,
			  ready ? NULL : "sysctl -w net.ipv4.tcp_syncookies=2 net.ipv4.tcp_timestamps=2, or set-sysctls: true in the policy",
			  "beside NAT (%s) the stack loses SYN cookies of our own: flavour auto takes the kernel's", text);
	}
	if (read_number("/proc/sys/net/ipv4/ip_forward") > 0)
		check_add(list, "cookie-forward", HEALTH_OK, NULL,
			  "forwards: what goes on to other hosts and containers, by route or DNAT, gets no SYN cookies: no local listener "
			  "could take one; drop-first-syn and per-source limits protect it");
	if (read_number("/proc/sys/net/netfilter/nf_conntrack_tcp_loose") == 0)
		check_add(list, "cookie-conntrack", HEALTH_WARN, "sysctl -w net.netfilter.nf_conntrack_tcp_loose=1",
			  "nf_conntrack_tcp_loose is 0: rules on 'ct state' drop connections that a SYN cookie opened");
}
