// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * cookie_knows: does the tracker know all connections that the stack knows? Then a SYN that belongs to none of its own is answered
 * with a cookie, and the stack is not asked for a socket; a SYN-ACK to a connection that only the stack knows would end it.
 *
 * Looked at when something is attached, detached or applied, and once a second by whoever sweeps. What is lost so is not gained
 * again before the next attach: what came by another interface meanwhile is not in the table. What it does badly: for up to a
 * second a new address is not known of; and a sweeper in another network namespace (the keeper of a container's interface), or
 * none, does not look at all: status says so.
 */
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <bpf/bpf.h>

#include "tcp_opts.h"
#include "ward/cookie.h"
#include "ward/nat.h"
#include "ward/netns.h"

#define HANDSHAKE_NS 70000000000ULL
#define LOOK_NS 900000000ULL /* each second, though that of whoever sweeps is now and then some milliseconds short */
#define NAT_LOOKS 10 /* chains of NAT are looked for each so many */

/* Is it one of the instance's? A name of IPv4's may be a label: "eth0:1" is eth0. */
static bool watched(const struct ward_instance *info, const char *name, size_t len)
{
	for (unsigned i = 0; i < info->iface_count; i++)
		if (info->iface[i].hooks && !strncmp(name, info->iface[i].name, len) && !info->iface[i].name[len])
			return true;
	return false;
}

/* An address of this namespace that an unwatched interface has: connections of the same service may come by it. Its name; "": none. */
static void other_way(const struct ward *w, char name[IF_NAMESIZE])
{
	struct ifaddrs *all, *a;
	size_t len;

	name[0] = '\0';
	if (getifaddrs(&all)) {
		snprintf(name, IF_NAMESIZE, "?");
		return;
	}
	for (a = all; a && !name[0]; a = a->ifa_next) {
		if (!a->ifa_addr || !(a->ifa_flags & IFF_UP) || a->ifa_flags & IFF_LOOPBACK)
			continue;
		if (a->ifa_addr->sa_family != AF_INET && (a->ifa_addr->sa_family != AF_INET6 ||
		    IN6_IS_ADDR_LINKLOCAL(&((struct sockaddr_in6 *)a->ifa_addr)->sin6_addr)))
			continue;
		len = strcspn(a->ifa_name, ":");
		if (!watched(w->info, a->ifa_name, len))
			snprintf(name, IF_NAMESIZE, "%.*s", (int)len, a->ifa_name);
	}
	freeifaddrs(all);
}

static bool is_here(const struct ward *w)
{
	return netns_here(w->info->iface[0].netns, w->info->netns_cookie);
}

/* It keeps flows at least as long as the stack does, and follows all of them. Else why not, a few words. */
static bool follows_all(const struct ward *w, char why[80])
{
	const struct ward_instance *info = w->info;
	struct track_opts usual;
	char name[IF_NAMESIZE];
	unsigned i;

	snprintf(why, 80, "not all is followed from the start");
	track_opts_init(&usual);
	for (i = 0; i <= TIMEOUT_ESTABLISHED; i++)
		if (info->timeout_ns[i] < usual.timeout_ns[i])
			return false;
	for (i = 0; i < info->iface_count; i++)
		if (info->iface[i].hooks != (HOOK_INGRESS | HOOK_EGRESS) || !netns_here(info->iface[i].netns, info->netns_cookie))
			return false;
	if (!info->seeded || info->tap || info->no_pickup || info->key_vlan)
		return false;
	snprintf(why, 80, "net.ipv4.tcp_synack_retries is above 5, or tcp_rfc1337 is set");
	if (cookie_setting("tcp_synack_retries") > 5 || (!info->rfc1337 && cookie_setting("tcp_rfc1337") > 0))
		return false;
	other_way(w, name);
	snprintf(why, 80, "connections may come by '%s', too", name);
	return !name[0];
}

void cookie_knowledge(struct ward *w)
{
	struct cookie_conf *conf;
	char why[80];

	if (w->opt.replay || w->map[MAP_COOKIE_CONF] < 0)
		return;
	conf = map_memory(w->map[MAP_COOKIE_CONF], sizeof(*conf));
	if (!conf)
		return;
	if (!follows_all(w, why)) /* for good, as in forget_all() */
		w->info->seeded = 0;
	/* handshakes under way at the start were no sockets yet that could be read: the stack gives those up after 63 s */
	conf->knows_from_ns = conf->flavour == COOKIE_OWN && w->info->seeded ? w->info->created_ns + HANDSHAKE_NS : 0;
	munmap(conf, sizeof(*conf));
}

/* What is seen less from now on is not in the table: nothing is known for certain until it is made anew. */
static void forget_all(struct ward *w, struct cookie_conf *conf, const char *why)
{
	bool knew = conf->knows_from_ns;

	w->info->seeded = 0;
	conf->knows_from_ns = 0;
	if (knew)
		ward_notice(w, "SYN cookies: from now on the stack is asked for each SYN whether it has the connection: %s", why);
}

static void look_for_nat(struct ward *w, const struct cookie_conf *conf)
{
	char why[160];
	bool was = w->cookie_nat;

	w->cookie_nat = conf->flavour == COOKIE_OWN && nat_chain(why, sizeof(why));
	if (w->cookie_nat && !was)
		ward_notice(w, "SYN cookies of our own: the stack loses them beside NAT (%s): apply the policy again, then the kernel's are used", why);
}

void cookie_look(struct ward *w, uint64_t now_ns)
{
	struct cookie_conf *conf;
	char why[80];

	if (w->opt.replay || now_ns < w->cookie_looked_ns + LOOK_NS || !is_here(w))
		return;
	w->cookie_looked_ns = now_ns;
	conf = map_memory(w->map[MAP_COOKIE_CONF], sizeof(*conf));
	if (!conf)
		return;
	if (w->info->seeded && !follows_all(w, why))
		forget_all(w, conf, why);
	if (w->cookie_looks++ % NAT_LOOKS == 0)
		look_for_nat(w, conf);
	munmap(conf, sizeof(*conf));
}

bool ward_cookies_unasked(struct ward *w, bool *watched)
{
	struct cookie_conf conf;
	uint32_t zero = 0;
	char path[40];
	struct stat ns;
	int pid = 0;

	if (bpf_map_lookup_elem(w->map[MAP_COOKIE_CONF], &zero, &conf))
		return false;
	*watched = false;
	if (ward_keeper_alive(w, &pid)) {
		snprintf(path, sizeof(path), "/proc/%d/ns/net", pid);
		*watched = !stat(path, &ns) && (uint32_t)ns.st_ino == w->info->iface[0].netns;
	}
	return conf.flavour == COOKIE_OWN && conf.knows_from_ns;
}

bool ward_cookies_beside_nat(struct ward *w, char *chain, size_t size)
{
	return ward_cookies(w) == COOKIE_OWN && is_here(w) && nat_chain(chain, size);
}
