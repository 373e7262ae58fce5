// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * cookie_test: would a connection opened by a SYN cookie get through this host's own rules? The stack, and conntrack with it, never
 * sees its SYN. Rules that drop what is new and no SYN, or nf_conntrack_tcp_loose=0, drop the ACK that completes it; NAT sends it
 * to somebody who knows nothing of it; and beside NAT the stack loses cookies of our own (nf_nat_inet_port_was_mangled() looks at
 * the request before its port is filled in).
 *
 * Two things are tried. One handshake to a listener of our own, whose ACK must make a connection. And to each port that the policy
 * answers with cookies, where somebody listens, an ACK that brings none: it must come to that very port. Where an ACK is lost, a
 * SYN shows whether anything comes in there at all: else nothing is known, and that is said.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <bpf/bpf.h>

#include "policy/nft.h"
#include "report/report.h"
#include "ward/cookie.h"
#include "ward/cookie_probe.h"
#include "ward/nat.h"
#include "ward/sockets.h"

#define TRIES 4	   /* a host under a flood loses a frame now and then: no rule is blamed for one */
#define ADDRESSES 8 /* of an interface, that are tried */

/* What became of the handshake with our own listener. */
enum handshake {
	HANDSHAKE_DONE,	     /* the listener had the connection */
	HANDSHAKE_NOT_TAKEN, /* its ACK came, and made none */
	HANDSHAKE_ELSEWHERE,
	HANDSHAKE_LOST,
	HANDSHAKE_UNASKED, /* the ACK came; the kernel makes no cookies yet, so that none could be tried */
};

struct test {
	struct ward *w;
	const struct ward_cookie_options *opt;
	struct probe probe;
	enum cookie_flavour flavour;
	struct probe_target target[PROBE_TARGETS];
	unsigned count;
	uint8_t addr[ADDRESSES][16]; /* of the interface, of the probe's family */
	unsigned addrs;
};

/* ---- the ports ---- */
static void widen(const struct test *t, const uint8_t *addr, uint8_t out[16])
{
	size_t size = probe_address_size(&t->probe);

	memset(out, 0, 16);
	memset(out + 10, size == 4 ? 0xff : 0, 2);
	memcpy(out + 16 - size, addr, size);
}

static void read_addresses(struct test *t)
{
	struct ifaddrs *all, *a;

	t->addrs = 0;
	if (getifaddrs(&all))
		return;
	for (a = all; a && t->addrs < ADDRESSES; a = a->ifa_next) {
		const struct sockaddr *sa = a->ifa_addr;

		if (!sa || sa->sa_family != t->probe.family || strcmp(a->ifa_name, t->probe.iface->name))
			continue;
		if (sa->sa_family == AF_INET)
			memcpy(t->addr[t->addrs++], &((const struct sockaddr_in *)sa)->sin_addr, 4);
		else if (!IN6_IS_ADDR_LINKLOCAL(&((const struct sockaddr_in6 *)sa)->sin6_addr))
			memcpy(t->addr[t->addrs++], &((const struct sockaddr_in6 *)sa)->sin6_addr, 16);
	}
	freeifaddrs(all);
}

static void add_target(struct test *t, const uint8_t *addr, uint16_t port)
{
	size_t size = probe_address_size(&t->probe);
	struct probe_target *to = &t->target[t->count];

	for (unsigned i = 0; i < t->count; i++)
		if (t->target[i].port == port && !memcmp(t->target[i].addr, addr, size))
			return;
	if (t->count == PROBE_TARGETS)
		return;
	memset(to, 0, sizeof(*to));
	memcpy(to->addr, addr, size);
	to->port = port;
	t->count++;
}

/* "::" takes IPv4 too, unless its socket says otherwise: then nobody listens there, which does no harm. */
static bool is_any(const struct test *t, const __u8 laddr[16])
{
	static const uint8_t zero[16], mapped[16] = { [10] = 0xff, [11] = 0xff };

	return !memcmp(laddr, zero, 16) || (t->probe.family == AF_INET && !memcmp(laddr, mapped, 16));
}

static int take_listener(const struct socket_info *sock, void *ctx)
{
	struct test *t = ctx;
	uint8_t wide[16];

	if (sock->state != LISTEN || sock->lport == t->probe.lport)
		return 0;
	for (unsigned i = 0; i < t->addrs; i++) {
		widen(t, t->addr[i], wide);
		if ((is_any(t, sock->laddr) || !memcmp(wide, sock->laddr, 16)) && t->opt->protects(t->opt->ctx, wide, sock->lport))
			add_target(t, t->addr[i], sock->lport);
	}
	return 0;
}

static void find_targets(struct test *t)
{
	t->count = 0;
	if (!t->opt->protects)
		return;
	read_addresses(t);
	sockets_each(take_listener, t);
	/* nobody listens yet: for the ports of the services there may be rules of their own */
	for (unsigned i = 0, none = !t->count; none && t->addrs && i < t->opt->ports; i++)
		add_target(t, t->addr[0], t->opt->port[i]);
}

/* ---- cookies ---- */
static uint32_t own_cookie(struct ward *w, const struct probe *p)
{
	static const struct cookie_options plain = { .mss = 1460, .ws = COOKIE_WS_NONE };
	uint8_t remote[16] = { [10] = 0xff, [11] = 0xff }, local[16] = { [10] = 0xff, [11] = 0xff };
	struct cookie_tuple t = { remote, local, htons(p->rport), htons(p->lport), p->isn, p->family == AF_INET6 };
	size_t size = probe_address_size(p);
	struct cookie_keys keys;
	uint32_t zero = 0, cookie = 0;

	memcpy(remote + 16 - size, p->remote, size);
	memcpy(local + 16 - size, p->local, size);
	if (!bpf_map_lookup_elem(w->map[MAP_COOKIE_KEYS], &zero, &keys))
		cookie = cookie_make(&keys, &t, &plain, ward_now_ns(w));
	explicit_bzero(&keys, sizeof(keys));
	return cookie;
}

/* enum handshake, or -errno: it could not be tried. */
static int shake_hands(struct test *t)
{
	struct probe_target own = { .port = t->probe.lport };
	uint32_t cookie = 0;
	int err = 0, tries;

	memcpy(own.addr, t->probe.local, 16);
	for (tries = 0; tries < TRIES && !own.arrived && !own.elsewhere; tries++) {
		probe_again(&t->probe);
		if (t->flavour == COOKIE_OWN)
			cookie = own_cookie(t->w, &t->probe);
		else
			err = probe_kernel_cookie(&t->probe, &own, &cookie);
		if (err && err != -ENOENT)
			return err;
		if (probe_send(&t->probe, &own, 0, TH_ACK, t->probe.isn + 1, cookie + 1))
			return -errno;
		probe_look(&t->probe, &own, 1);
	}
	if (own.elsewhere)
		return HANDSHAKE_ELSEWHERE;
	if (!own.arrived)
		return HANDSHAKE_LOST;
	if (err == -ENOENT)
		return HANDSHAKE_UNASKED;
	return probe_accepted(&t->probe) ? HANDSHAKE_DONE : HANDSHAKE_NOT_TAKEN;
}

/* ---- verdicts ---- */
static const char *where(const struct test *t, const struct probe_target *target, char text[60])
{
	uint8_t wide[16];

	widen(t, target->addr, wide);
	return endpoint_text(wide, target->port, text);
}

#define DROPS_THE_ACK                                                                                                  \
	"SYN cookies would not work on '%s': a firewall rule drops the ACK of a handshake whose SYN the stack has not seen"
#define MEND 500
#define BEFORE_IT "let them pass before it (tcpward drops those without a good cookie): "

static int by_port(const void *a, const void *b)
{
	return *(const uint16_t *)a - *(const uint16_t *)b;
}

/* "80" or "{ 80-83, 443 }" of those that were tried, else of those that are answered for: as many as fit; the next test names the rest. */
static void ports_text(const struct test *t, char *text, size_t size)
{
	uint16_t port[PROBE_TARGETS];
	unsigned n = 0, from, to, terms = 0;
	char one[16];
	size_t used = 0;

	for (unsigned i = 0; i < t->count; i++)
		port[n++] = t->target[i].port;
	for (unsigned i = 0; !t->count && i < t->opt->ports && n < PROBE_TARGETS; i++)
		port[n++] = t->opt->port[i];
	if (!n)
		port[n++] = t->probe.lport;
	qsort(port, n, sizeof(*port), by_port);
	text[0] = '\0';
	for (from = 0; from < n; from = to + 1) {
		for (to = from; to + 1 < n && port[to + 1] <= port[to] + 1; to++)
			;
		snprintf(one, sizeof(one), port[to] == port[from] ? "%u" : "%u-%u", port[from], port[to]);
		if (used + strlen(one) + 8 > size)
			break;
		used += (size_t)snprintf(text + used, size - used, "%s%s", terms++ ? ", " : "", one);
	}
	if (terms > 1) {
		memmove(text + 2, text, used + 1);
		memcpy(text, "{ ", 2);
		strcpy(text + used + 2, " }");
	}
}

/* The command that lets cookies' ACKs pass; quoted for a shell, which would take '&', '|' and braces for its own. */
static void accept_text(const struct test *t, const char *where, char *mend, size_t size)
{
	char ports[160];

	ports_text(t, ports, sizeof(ports));
	snprintf(mend, size, BEFORE_IT "nft %s 'tcp flags & (syn|rst|ack) == ack tcp dport %s accept'", where, ports);
}

/* Which rule is it? Names it, and the one that mends it. false: none is found that looks so. */
static bool name_rule(const struct test *t, char who[240], char mend[MEND])
{
	char *ruleset = nft_ruleset(), at[32], where[200];
	struct nft_place p;
	bool found = ruleset && nft_find_dropper(ruleset, t->probe.family == AF_INET6, &p);

	free(ruleset);
	if (!found)
		return false;
	snprintf(at, sizeof(at), p.handle ? "rule with handle %lld" : "its policy is drop", (long long)p.handle);
	snprintf(who, 240, "most likely in table %s %s, chain %s: %s", p.family, p.table, p.chain, at);
	snprintf(at, sizeof(at), p.handle ? " handle %lld" : "", (long long)p.handle);
	snprintf(where, sizeof(where), "%s rule %s %s %s%s", p.handle ? "insert" : "add", p.family, p.table, p.chain, at);
	accept_text(t, where, mend, MEND);
	return true;
}

static int refuse_rule(const struct test *t)
{
	const char *ifname = t->probe.iface->name;
	FILE *f = fopen("/proc/sys/net/netfilter/nf_conntrack_tcp_loose", "re");
	char who[240], mend[MEND];
	int loose = 1;

	if (f && fscanf(f, "%d", &loose) != 1)
		loose = 1;
	if (f)
		fclose(f);
	if (!loose)
		return ward_fail(-EACCES, "sysctl -w net.netfilter.nf_conntrack_tcp_loose=1",
				 "SYN cookies would not work on '%s': nf_conntrack_tcp_loose is 0, so a rule drops the ACK of a "
				 "handshake whose SYN the stack has not seen", ifname);
	if (name_rule(t, who, mend))
		return ward_fail(-EACCES, mend, DROPS_THE_ACK " (%s)", ifname, who);
	accept_text(t, "insert rule inet filter input", mend, sizeof(mend));
	return ward_fail(-EACCES, mend, DROPS_THE_ACK ", most likely one of what is 'ct state new' or 'invalid' and no SYN", ifname);
}

static int refuse_nat(const struct test *t, const struct probe_target *target)
{
	char text[60], mend[200];

	snprintf(mend, sizeof(mend),
		 "'then: drop-first-syn' for that service, or leave port %u out of its dport; 'nft list ruleset' shows the rule",
		 target->port);
	return ward_fail(-EXDEV, mend,
			 "SYN cookies would end every connection to '%s' on '%s': a NAT rule (DNAT, redirect) sends what comes to that "
			 "port elsewhere, so the local listener that would have to take the cookie never gets it",
			 where(t, target, text), t->probe.iface->name);
}

static int refuse_flavour(const struct test *t)
{
	const char *ifname = t->probe.iface->name;
	char chain[64];

	if (t->flavour == COOKIE_KERNEL)
		return ward_fail(-EIO, "'then: drop-first-syn' in place of syncookie; 'nft list ruleset' may show what is in their way",
				 "the kernel's SYN cookies do not work on '%s': an ACK that brings a good one back comes in, and the stack "
				 "makes no connection of it", ifname);
	if (nat_chain(chain, sizeof(chain)))
		return ward_fail(-EPROTONOSUPPORT, "use syncookie: {flavour: kernel}, or flavour: auto, which falls back to it",
				 "SYN cookies of our own do not work on '%s': beside NAT (%s) this kernel's stack loses them", ifname, chain);
	return ward_fail(-EPROTONOSUPPORT, "use syncookie: {flavour: kernel}, or flavour: auto, which falls back to it",
			 "SYN cookies of our own do not work on '%s': the stack did not take one", ifname);
}

/* Sends to each that was not found yet. */
static int send_all(struct test *t, uint8_t bits)
{
	uint32_t seq = t->probe.isn + !(bits & TH_SYN);

	probe_again(&t->probe);
	for (unsigned i = 0; i < t->count; i++) {
		if (t->target[i].arrived || t->target[i].elsewhere)
			continue;
		if (probe_send(&t->probe, &t->target[i], i, bits, seq, bits & TH_ACK ? 1 : 0))
			return -errno;
	}
	probe_look(&t->probe, t->target, t->count);
	return 0;
}

static void note_untested(struct test *t, uint16_t port)
{
	note(t->w, "%s: whether the firewall lets connections by SYN cookies pass could not be tested: it lets nothing in to port %u, "
		   "which was tried; rules that drop what is 'ct state new' and no SYN would stop them", t->probe.iface->name, port);
}

/*
 * Generic XDP sees the frames of the test itself: a policy that is in force already may have dropped them, not a rule of the host.
 */
static bool judges_itself(const struct test *t)
{
	return t->probe.iface->ingress == INGRESS_XDP_GENERIC && t->probe.iface->hooks & HOOK_INGRESS && t->w->live && t->w->live->loaded;
}

/* Each port gets its ACK, or it is known why not. 0 or -errno, told. */
static int judge_targets(struct test *t)
{
	bool lost[PROBE_TARGETS] = { false };
	int tries, err = 0;
	unsigned i;

	for (tries = 0; tries < TRIES && !err; tries++)
		err = send_all(t, TH_ACK);
	for (i = 0; i < t->count; i++) {
		if (t->target[i].elsewhere)
			return refuse_nat(t, &t->target[i]);
		lost[i] = !t->target[i].arrived;
	}
	if (!err)
		err = send_all(t, TH_SYN);
	for (i = 0; i < t->count && !err; i++) {
		if (!lost[i])
			continue;
		if (t->target[i].elsewhere)
			return refuse_nat(t, &t->target[i]);
		if (t->target[i].arrived && !judges_itself(t))
			return refuse_rule(t);
		note_untested(t, t->target[i].port);
	}
	return 0;
}

/* No port is known that somebody listens on: our own listener's stands for them. */
static int judge_own_port(struct test *t)
{
	struct probe_target own = { .port = t->probe.lport };

	memcpy(own.addr, t->probe.local, 16);
	probe_again(&t->probe);
	if (!probe_send(&t->probe, &own, 0, TH_SYN, t->probe.isn, 0))
		probe_look(&t->probe, &own, 1);
	if (own.elsewhere)
		return refuse_nat(t, &own);
	if (own.arrived && !judges_itself(t))
		return refuse_rule(t);
	note_untested(t, own.port);
	return 0;
}

/* Our own listener could not be reached. Beside NAT cookies of our own are known not to work. */
static int judge_unreached(struct test *t)
{
	char chain[64];

	return t->flavour == COOKIE_OWN && nat_chain(chain, sizeof(chain)) ? refuse_flavour(t) : 0;
}

static int judge(struct test *t)
{
	int shake, err = 0;

	shake = shake_hands(t);
	if (shake == -EPERM || shake == -EACCES)
		return ward_fail(shake, remedy_privilege(true), "cannot test SYN cookies on '%s': %s", t->probe.iface->name, strerror(-shake));
	if (shake < 0) {
		note(t->w, "%s: whether the firewall lets connections by SYN cookies pass could not be tested: %s", t->probe.iface->name,
		     strerror(-shake));
		return 0;
	}
	if (shake == HANDSHAKE_NOT_TAKEN)
		return refuse_flavour(t);
	find_targets(t);
	if (shake == HANDSHAKE_LOST || shake == HANDSHAKE_ELSEWHERE)
		err = judge_unreached(t);
	if (!err && t->count) {
		err = judge_targets(t);
		if (!err && (shake == HANDSHAKE_LOST || shake == HANDSHAKE_ELSEWHERE))
			note(t->w, "%s: whether the ACK of a SYN cookie makes a connection could not be tested: the firewall lets nothing in to "
				   "port %u, which was tried; to the ports of the policy such ACKs come", t->probe.iface->name, t->probe.lport);
	} else if (!err && shake != HANDSHAKE_DONE && shake != HANDSHAKE_UNASKED)
		err = judge_own_port(t);
	if (!err && shake == HANDSHAKE_UNASKED)
		note(t->w, "%s: whether the stack takes the kernel's SYN cookies could not be tested: it makes none yet, for "
			   "net.ipv4.tcp_syncookies is 1", t->probe.iface->name);
	return err;
}

int cookie_self_test(struct ward *w, const struct ward_iface *iface, enum cookie_flavour flavour, const struct ward_cookie_options *opt)
{
	static const int families[] = { AF_INET, AF_INET6 };
	struct test t = { .w = w, .opt = opt, .flavour = flavour };
	int tested = 0, err = 0;

	for (int i = 0; i < 2 && !err; i++) {
		int open = probe_open(&t.probe, iface, families[i]);

		if (open < 0)
			return ward_fail(open, open == -EPERM ? remedy_privilege(true) : "", "cannot test SYN cookies on '%s': %s", iface->name,
					 strerror(-open));
		if (!open)
			continue;
		tested++;
		err = judge(&t);
		probe_close(&t.probe);
	}
	if (!tested)
		note(w, "%s: SYN cookies are not tested: it is down, or has no address in a network with neighbours", iface->name);
	return err;
}
