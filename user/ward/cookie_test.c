// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * cookie_test: would a connection opened by a SYN cookie get through this host's firewall? The stack, and conntrack with it,
 * never sees its SYN: rules that drop what is new and no SYN, or nf_conntrack_tcp_loose=0, drop the ACK that completes it.
 *
 * One such ACK comes in by the interface, as a live frame of BPF_PROG_TEST_RUN: from an address of the interface's network that
 * nobody is asked about, to a listener of our own. What passed the input rules a raw socket sees; with a cookie of our own the
 * listener must have the connection, which is closed without a word (TCP_REPAIR). If the ACK is lost, a SYN shows whether the
 * firewall lets anything come in to such a port at all: else nothing is known, and that is said. And the ports of the services
 * are tried, for which there may be rules of their own.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <linux/bpf.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "policy/nft.h"
#include "ward/cookie.h"

#define WAIT_MS 300
#define TRIES 4
#define FRAME_MAX (14 + 40 + 20)

struct handshake {
	const struct ward_iface *iface;
	int family;
	uint8_t local[16], remote[16]; /* IPv4: the first 4 bytes */
	uint16_t lport, rport;
	uint32_t isn; /* the client's */
	int listener, raw, prog;
};

/* ---- addresses ---- */
static size_t address_size(int family)
{
	return family == AF_INET ? 4 : 16;
}

static const uint8_t *address_of(const struct sockaddr *sa)
{
	return sa->sa_family == AF_INET ? (const uint8_t *)&((const struct sockaddr_in *)sa)->sin_addr :
					  (const uint8_t *)&((const struct sockaddr_in6 *)sa)->sin6_addr;
}

/* A neighbour that is hardly there: the last address but one or two of the interface's network. */
static void choose_remote(struct handshake *h, const uint8_t *mask)
{
	size_t size = address_size(h->family), i;

	for (i = 0; i < size; i++)
		h->remote[i] = (h->local[i] & mask[i]) | (uint8_t)~mask[i];
	h->remote[size - 1] -= 1;
	if (!memcmp(h->remote, h->local, size))
		h->remote[size - 1] -= 1;
}

static bool usable(const struct ifaddrs *a, int family, const char *ifname)
{
	if (!a->ifa_addr || !a->ifa_netmask || a->ifa_addr->sa_family != family || strcmp(a->ifa_name, ifname))
		return false;
	if (!(a->ifa_flags & IFF_UP) || !(a->ifa_flags & IFF_RUNNING))
		return false;
	return family == AF_INET || !IN6_IS_ADDR_LINKLOCAL(&((struct sockaddr_in6 *)a->ifa_addr)->sin6_addr);
}

/* 0: the interface has no address to test with, or is down. */
static int choose_addresses(struct handshake *h)
{
	static const int families[] = { AF_INET, AF_INET6 };
	struct ifaddrs *all, *a;
	int i, found = 0;

	if (getifaddrs(&all))
		return 0;
	for (i = 0; i < 2 && !found; i++)
		for (a = all; a && !found; a = a->ifa_next) {
			const uint8_t *mask;
			size_t size;

			if (!usable(a, families[i], h->iface->name))
				continue;
			h->family = families[i];
			size = address_size(h->family);
			memcpy(h->local, address_of(a->ifa_addr), size);
			mask = address_of(a->ifa_netmask);
			found = mask[size - 1] <= 0xfc; /* three neighbours at least */
			if (found)
				choose_remote(h, mask);
		}
	freeifaddrs(all);
	return found;
}

/* ---- sockets ---- */
static socklen_t fill_sockaddr(const struct handshake *h, struct sockaddr_storage *to, const uint8_t *addr)
{
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)to;
	struct sockaddr_in *four = (struct sockaddr_in *)to;

	memset(to, 0, sizeof(*to));
	to->ss_family = (sa_family_t)h->family;
	if (h->family == AF_INET) {
		memcpy(&four->sin_addr, addr, 4);
		return sizeof(*four);
	}
	memcpy(&six->sin6_addr, addr, 16);
	return sizeof(*six);
}

static int open_sockets(struct handshake *h)
{
	const struct bpf_insn pass[] = { { .code = BPF_ALU64 | BPF_MOV | BPF_K, .imm = XDP_PASS }, { .code = BPF_JMP | BPF_EXIT } };
	struct sockaddr_storage at;
	socklen_t len = fill_sockaddr(h, &at, h->local);

	h->listener = socket(h->family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	h->raw = socket(h->family, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP);
	h->prog = bpf_prog_load(BPF_PROG_TYPE_XDP, "ward_inject", "Dual BSD/GPL", pass, 2, NULL);
	if (h->listener < 0 || h->raw < 0 || h->prog < 0 || bind(h->listener, (struct sockaddr *)&at, len) ||
	    listen(h->listener, 1) || getsockname(h->listener, (struct sockaddr *)&at, &len))
		return -errno;
	h->lport = ntohs(((struct sockaddr_in *)&at)->sin_port); /* at the same place for IPv6 */
	len = fill_sockaddr(h, &at, h->remote);
	return connect(h->raw, (struct sockaddr *)&at, len) ? -errno : 0;
}

static void close_sockets(struct handshake *h)
{
	if (h->listener >= 0)
		close(h->listener);
	if (h->raw >= 0)
		close(h->raw);
	if (h->prog >= 0)
		close(h->prog);
}

/* ---- the frame ---- */
static uint32_t sum16(const uint8_t *at, size_t len)
{
	uint32_t sum = 0;

	for (; len >= 2; len -= 2, at += 2)
		sum += (uint32_t)at[0] << 8 | at[1];
	return sum;
}

static void put16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static void put32(uint8_t *at, uint32_t value)
{
	put16(at, value >> 16);
	put16(at + 2, value);
}

static void put_sum(uint8_t *at, uint32_t sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	put16(at, ~sum);
}

static size_t put_ip(const struct handshake *h, uint8_t *ip)
{
	size_t size = address_size(h->family);

	if (h->family == AF_INET) {
		ip[0] = 0x45;
		put16(ip + 2, 40);
		put16(ip + 6, 0x4000);
		ip[8] = 64;
		ip[9] = IPPROTO_TCP;
		memcpy(ip + 12, h->remote, size);
		memcpy(ip + 16, h->local, size);
		put_sum(ip + 10, sum16(ip, 20));
		return 20;
	}
	ip[0] = 0x60;
	put16(ip + 4, 20);
	ip[6] = IPPROTO_TCP;
	ip[7] = 64;
	memcpy(ip + 8, h->remote, size);
	memcpy(ip + 24, h->local, size);
	return 40;
}

static int inject(const struct handshake *h, uint8_t bits, uint32_t seq, uint32_t ack)
{
	uint8_t frame[FRAME_MAX] = { 0 }, *tcp;
	size_t ip_len, size = address_size(h->family);
	struct xdp_md ctx = { .ingress_ifindex = h->iface->ifindex };
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = frame, .ctx_in = &ctx, .ctx_size_in = sizeof(ctx), .repeat = 1,
		    .flags = BPF_F_TEST_XDP_LIVE_FRAMES, .batch_size = 1);
	struct ifreq req = { 0 };

	snprintf(req.ifr_name, sizeof(req.ifr_name), "%s", h->iface->name);
	if (!ioctl(h->listener, SIOCGIFHWADDR, &req))
		memcpy(frame, req.ifr_hwaddr.sa_data, 6);
	frame[6] = 2;
	put16(frame + 12, h->family == AF_INET ? 0x0800 : 0x86dd);
	ip_len = put_ip(h, frame + 14);
	tcp = frame + 14 + ip_len;
	put16(tcp, h->rport);
	put16(tcp + 2, h->lport);
	put32(tcp + 4, seq);
	put32(tcp + 8, ack);
	tcp[12] = 5 << 4;
	tcp[13] = bits;
	put16(tcp + 14, 1000);
	put_sum(tcp + 16, sum16(tcp, 20) + sum16(h->local, size) + sum16(h->remote, size) + IPPROTO_TCP + 20);
	run.data_size_in = ctx.data_end = (uint32_t)(14 + ip_len + 20);
	return bpf_prog_test_run_opts(h->prog, &run) ? -errno : 0;
}

/* ---- what became of it ---- */
/* A segment to our port came past the input rules. */
static bool arrived(const struct handshake *h)
{
	struct pollfd p = { .fd = h->raw, .events = POLLIN };
	uint8_t buf[256], *tcp;
	ssize_t len;

	while (poll(&p, 1, WAIT_MS) > 0) {
		len = recv(h->raw, buf, sizeof(buf), 0);
		tcp = buf + (h->family == AF_INET ? (buf[0] & 15) * 4 : 0);
		if (len >= 20 && tcp[2] == h->lport >> 8 && tcp[3] == (h->lport & 255))
			return true;
	}
	return false;
}

/* The listener has a connection; it is forgotten without a segment. */
static bool accepted(const struct handshake *h)
{
	struct pollfd p = { .fd = h->listener, .events = POLLIN };
	int fd, on = 1;

	if (poll(&p, 1, WAIT_MS) <= 0)
		return false;
	fd = accept(h->listener, NULL, NULL);
	if (fd < 0)
		return false;
	setsockopt(fd, IPPROTO_TCP, TCP_REPAIR, &on, sizeof(on));
	close(fd);
	return true;
}

static uint32_t own_cookie(struct ward *w, const struct handshake *h)
{
	static const struct cookie_options plain = { .mss = 1460, .ws = COOKIE_WS_NONE };
	uint8_t remote[16] = { [10] = 0xff, [11] = 0xff }, local[16] = { [10] = 0xff, [11] = 0xff };
	struct cookie_tuple t = { remote, local, htons(h->rport), htons(h->lport), h->isn, h->family == AF_INET6 };
	size_t size = address_size(h->family);
	struct cookie_keys keys;
	uint32_t zero = 0, cookie = 0;

	memcpy(remote + 16 - size, h->remote, size);
	memcpy(local + 16 - size, h->local, size);
	if (!bpf_map_lookup_elem(w->map[MAP_COOKIE_KEYS], &zero, &keys))
		cookie = cookie_make(&keys, &t, &plain, ward_now_ns(w));
	explicit_bzero(&keys, sizeof(keys));
	return cookie;
}

/* ---- the verdict ---- */
#define ACCEPT "tcp flags & (syn|rst|ack) == ack tcp dport PORTS accept (tcpward drops those without a good cookie)"

#define DROPS_THE_ACK                                                                                                  \
	"SYN cookies would not work on '%s': a firewall rule drops the ACK of a handshake whose SYN the stack has not seen"

/* Which rule is it? Names it, and the one that mends it. false: none is found that looks so. */
static bool name_rule(const struct handshake *h, char who[240], char mend[360])
{
	char *ruleset = nft_ruleset(), at[32];
	struct nft_place p;
	bool found = ruleset && nft_find_dropper(ruleset, h->family == AF_INET6, &p);

	free(ruleset);
	if (!found)
		return false;
	snprintf(at, sizeof(at), p.handle ? "rule with handle %lld" : "its policy is drop", (long long)p.handle);
	snprintf(who, 240, "most likely in table %s %s, chain %s: %s", p.family, p.table, p.chain, at);
	snprintf(at, sizeof(at), p.handle ? " handle %lld" : "", (long long)p.handle);
	snprintf(mend, 360, "let them pass before it: nft %s rule %s %s %s%s " ACCEPT, p.handle ? "insert" : "add", p.family, p.table,
		 p.chain, at);
	return true;
}

static int killed(const struct handshake *h)
{
	char who[240], mend[360];
	FILE *f = fopen("/proc/sys/net/netfilter/nf_conntrack_tcp_loose", "re");
	int loose = 1;

	if (f && fscanf(f, "%d", &loose) != 1)
		loose = 1;
	if (f)
		fclose(f);
	if (!loose)
		return ward_fail(-EACCES, "sysctl -w net.netfilter.nf_conntrack_tcp_loose=1",
				 "SYN cookies would not work on '%s': nf_conntrack_tcp_loose is 0, so a rule drops the ACK of a "
				 "handshake whose SYN the stack has not seen", h->iface->name);
	if (name_rule(h, who, mend))
		return ward_fail(-EACCES, mend, DROPS_THE_ACK " (%s)", h->iface->name, who);
	return ward_fail(-EACCES,
			 "let them pass before the rule that drops what is 'ct state new' or 'invalid' and no SYN: nft insert "
			 "rule inet filter input " ACCEPT, DROPS_THE_ACK, h->iface->name);
}

/* One ACK that brings a cookie back. 1: the stack got it, and for our own flavour took it; 0: not; or -errno, told. */
static int try_cookie(struct ward *w, struct handshake *h, enum cookie_flavour flavour)
{
	int err = inject(h, TH_ACK, h->isn + 1, own_cookie(w, h) + 1);

	if (err == -EPERM || err == -EACCES)
		return ward_fail(err, REMEDY_ROOT, "cannot test SYN cookies on '%s': %s", h->iface->name, strerror(-err));
	if (err)
		return err;
	if (!arrived(h))
		return 0;
	if (flavour != COOKIE_OWN || accepted(h))
		return 1;
	return ward_fail(-EIO, "use flavour: kernel", "SYN cookies of our own do not work on '%s': the stack did not take one",
			 h->iface->name);
}

/*
 * The rule that mends it may be for the ports of the services alone. There nothing may be opened, for it would be an application's:
 * an ACK that bears no cookie is let in, or not, by the same rules.
 */
static bool passes_there(struct handshake *h, const struct ward_cookie_options *opt)
{
	uint16_t own = h->lport;
	bool in = opt->ports > 0;
	unsigned i;
	int tries;

	for (i = 0; i < opt->ports && in; i++) {
		h->lport = opt->port[i];
		for (tries = 0, in = false; tries < TRIES && !in; tries++, h->rport++)
			in = !inject(h, TH_ACK, h->isn + 1, h->isn) && arrived(h);
	}
	h->lport = own;
	return in;
}

static int judge(struct ward *w, struct handshake *h, enum cookie_flavour flavour, const struct ward_cookie_options *opt)
{
	int err = 0, tries;

	/* a host under a flood loses a frame now and then: no rule is blamed for one */
	for (tries = 0; tries < TRIES && !err; tries++, h->rport++)
		err = try_cookie(w, h, flavour);
	if (err > 0 || err == -EPERM || err == -EACCES || err == -EIO)
		return err > 0 ? 0 : err;
	if (err) {
		note(w, "%s: whether the firewall lets connections by SYN cookies pass could not be tested: %s", h->iface->name,
		     strerror(-err));
		return 0;
	}
	err = inject(h, TH_SYN, h->isn, 0);
	if (!err && arrived(h))
		return passes_there(h, opt) ? 0 : killed(h);
	note(w, "%s: whether the firewall lets connections by SYN cookies pass could not be tested: it lets nothing in to port %u, "
		"which was tried; rules that drop what is 'ct state new' and no SYN would stop them", h->iface->name, h->lport);
	return 0;
}

int cookie_self_test(struct ward *w, const struct ward_iface *iface, enum cookie_flavour flavour,
		     const struct ward_cookie_options *opt)
{
	struct handshake h = { .iface = iface, .listener = -1, .raw = -1, .prog = -1 };
	uint16_t random[3] = { 0 };
	int err;

	if (!choose_addresses(&h)) {
		note(w, "%s: SYN cookies are not tested: it is down, or has no address in a network with neighbours", iface->name);
		return 0;
	}
	if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
		return ward_fail(-errno, "", "no random numbers: %s", strerror(errno));
	h.rport = (uint16_t)(20000 + random[0] % 10000);
	h.isn = random[1] | (uint32_t)random[2] << 16;
	err = open_sockets(&h);
	if (err)
		ward_fail(err, err == -EPERM ? REMEDY_ROOT : "", "cannot test SYN cookies on '%s': %s", iface->name, strerror(-err));
	else
		err = judge(w, &h, flavour, opt);
	close_sockets(&h);
	return err;
}
