// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Frames go in as live frames of BPF_PROG_TEST_RUN. What passed the input rules a raw socket sees; what is sent on to another
 * host a packet socket sees leaving. Both are told apart from the host's own traffic by the neighbour's address and ports.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "ward/cookie_probe.h"
#include "ward/inside.h"

#define WAIT_MS 300
#define ETHERNET 14
#define TCP_LEN 20
#define FRAME_MAX (ETHERNET + 40 + TCP_LEN)
#define ETHERTYPE_ALL 3

/* ---- addresses ---- */
size_t probe_address_size(const struct probe *p)
{
	return p->family == AF_INET ? 4 : 16;
}

static const uint8_t *address_of(const struct sockaddr *sa)
{
	return sa->sa_family == AF_INET ? (const uint8_t *)&((const struct sockaddr_in *)sa)->sin_addr :
					  (const uint8_t *)&((const struct sockaddr_in6 *)sa)->sin6_addr;
}

/* A neighbour that is hardly there: the last address but one or two of the interface's network. */
static void choose_remote(struct probe *p, const uint8_t *mask)
{
	size_t size = probe_address_size(p), i;

	for (i = 0; i < size; i++)
		p->remote[i] = (p->local[i] & mask[i]) | (uint8_t)~mask[i];
	p->remote[size - 1] -= 1;
	if (!memcmp(p->remote, p->local, size))
		p->remote[size - 1] -= 1;
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
static int choose_addresses(struct probe *p)
{
	struct ifaddrs *all, *a;
	int found = 0;

	if (getifaddrs(&all))
		return 0;
	for (a = all; a && !found; a = a->ifa_next) {
		const uint8_t *mask;

		if (!usable(a, p->family, p->iface->name))
			continue;
		memcpy(p->local, address_of(a->ifa_addr), probe_address_size(p));
		mask = address_of(a->ifa_netmask);
		found = mask[probe_address_size(p) - 1] <= 0xfc; /* three neighbours at least */
		if (found)
			choose_remote(p, mask);
	}
	freeifaddrs(all);
	return found;
}

/* ---- sockets ---- */
static socklen_t fill_sockaddr(const struct probe *p, struct sockaddr_storage *to, const uint8_t *addr)
{
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)to;
	struct sockaddr_in *four = (struct sockaddr_in *)to;

	memset(to, 0, sizeof(*to));
	to->ss_family = (sa_family_t)p->family;
	if (p->family == AF_INET) {
		memcpy(&four->sin_addr, addr, 4);
		return sizeof(*four);
	}
	memcpy(&six->sin6_addr, addr, 16);
	return sizeof(*six);
}

/* TCP from the neighbour's ports, of this family, and nothing else; from the IP header on. */
static int open_tap(struct probe *p)
{
	unsigned ip = p->family == AF_INET ? 20 : 40, version = p->family == AF_INET ? 4 : 6;
	struct sock_filter code[] = {
		{ BPF_LD | BPF_B | BPF_ABS, 0, 0, 0 },
		{ BPF_ALU | BPF_RSH | BPF_K, 0, 0, 4 },
		{ BPF_JMP | BPF_JEQ | BPF_K, 0, 6, version },
		{ BPF_LD | BPF_B | BPF_ABS, 0, 0, p->family == AF_INET ? 9 : 6 },
		{ BPF_JMP | BPF_JEQ | BPF_K, 0, 4, IPPROTO_TCP },
		{ BPF_LD | BPF_W | BPF_ABS, 0, 0, ip + 4 }, /* sequence number: the SYN's, or one more */
		{ BPF_JMP | BPF_JEQ | BPF_K, 1, 0, p->isn },
		{ BPF_JMP | BPF_JEQ | BPF_K, 0, 1, p->isn + 1 },
		{ BPF_RET | BPF_K, 0, 0, 128 },
		{ BPF_RET | BPF_K, 0, 0, 0 },
	};
	struct sock_fprog filter = { sizeof(code) / sizeof(code[0]), code };
	int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_ll all = { .sll_family = AF_PACKET, .sll_protocol = htons(ETHERTYPE_ALL) };

	if (fd < 0)
		return -1;
	/* leaving frames come as they leave: with the filter in place before the first of them */
	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)) || bind(fd, (struct sockaddr *)&all, sizeof(all))) {
		close(fd);
		return -1;
	}
	return fd;
}

static int open_sockets(struct probe *p)
{
	const struct bpf_insn pass[] = { { .code = BPF_ALU64 | BPF_MOV | BPF_K, .imm = XDP_PASS }, { .code = BPF_JMP | BPF_EXIT } };
	struct sockaddr_storage at;
	socklen_t len = fill_sockaddr(p, &at, p->local);

	p->listener = socket(p->family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	p->raw = socket(p->family, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP);
	p->tap = open_tap(p);
	p->prog = bpf_prog_load(BPF_PROG_TYPE_XDP, "ward_inject", "Dual BSD/GPL", pass, 2, NULL);
	if (p->listener < 0 || p->raw < 0 || p->tap < 0 || p->prog < 0 || bind(p->listener, (struct sockaddr *)&at, len) ||
	    listen(p->listener, 1) || getsockname(p->listener, (struct sockaddr *)&at, &len))
		return -errno;
	p->lport = ntohs(((struct sockaddr_in *)&at)->sin_port); /* at the same place for IPv6 */
	len = fill_sockaddr(p, &at, p->remote);
	return connect(p->raw, (struct sockaddr *)&at, len) ? -errno : 0;
}

void probe_again(struct probe *p)
{
	p->rport = (uint16_t)(p->rport + PROBE_TARGETS);
}

int probe_open(struct probe *p, const struct ward_iface *iface, int family)
{
	uint16_t random[3] = { 0 };
	int err;

	memset(p, 0, sizeof(*p));
	p->listener = p->raw = p->tap = p->prog = -1;
	p->iface = iface;
	p->family = family;
	if (!choose_addresses(p))
		return 0;
	if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
		return -errno;
	p->rport = (uint16_t)(20000 + random[0] % 10000);
	p->isn = random[1] | (uint32_t)random[2] << 16;
	err = open_sockets(p);
	if (!err)
		return 1;
	probe_close(p);
	return err;
}

void probe_close(struct probe *p)
{
	int *fds[] = { &p->listener, &p->raw, &p->tap, &p->prog };

	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
		if (*fds[i] >= 0)
			close(*fds[i]);
		*fds[i] = -1;
	}
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

static size_t put_ip(const struct probe *p, const uint8_t *local, uint8_t *ip)
{
	size_t size = probe_address_size(p);

	if (p->family == AF_INET) {
		ip[0] = 0x45;
		put16(ip + 2, 20 + TCP_LEN);
		put16(ip + 6, 0x4000);
		ip[8] = 64;
		ip[9] = IPPROTO_TCP;
		memcpy(ip + 12, p->remote, size);
		memcpy(ip + 16, local, size);
		put_sum(ip + 10, sum16(ip, 20));
		return 20;
	}
	ip[0] = 0x60;
	put16(ip + 4, TCP_LEN);
	ip[6] = IPPROTO_TCP;
	ip[7] = 64;
	memcpy(ip + 8, p->remote, size);
	memcpy(ip + 24, local, size);
	return 40;
}

/* Its length. */
static size_t put_frame(const struct probe *p, const struct probe_target *t, unsigned n, uint8_t bits, uint32_t seq, uint32_t ack,
			uint8_t frame[FRAME_MAX])
{
	size_t ip_len, size = probe_address_size(p);
	struct ifreq req = { 0 };
	uint8_t *tcp;

	memset(frame, 0, FRAME_MAX);
	snprintf(req.ifr_name, sizeof(req.ifr_name), "%s", p->iface->name);
	if (!ioctl(p->listener, SIOCGIFHWADDR, &req))
		memcpy(frame, req.ifr_hwaddr.sa_data, 6);
	frame[6] = 2;
	put16(frame + 12, p->family == AF_INET ? 0x0800 : 0x86dd);
	ip_len = put_ip(p, t->addr, frame + ETHERNET);
	tcp = frame + ETHERNET + ip_len;
	put16(tcp, p->rport + n);
	put16(tcp + 2, t->port);
	put32(tcp + 4, seq);
	put32(tcp + 8, ack);
	tcp[12] = 5 << 4;
	tcp[13] = bits;
	put16(tcp + 14, 1000);
	put_sum(tcp + 16, sum16(tcp, TCP_LEN) + sum16(t->addr, size) + sum16(p->remote, size) + IPPROTO_TCP + TCP_LEN);
	return ETHERNET + ip_len + TCP_LEN;
}

int probe_send(const struct probe *p, const struct probe_target *target, unsigned n, uint8_t bits, uint32_t seq, uint32_t ack)
{
	uint8_t frame[FRAME_MAX];
	struct xdp_md ctx = { .ingress_ifindex = p->iface->ifindex };
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = frame, .ctx_in = &ctx, .ctx_size_in = sizeof(ctx), .repeat = 1,
		    .flags = BPF_F_TEST_XDP_LIVE_FRAMES, .batch_size = 1);

	run.data_size_in = ctx.data_end = (uint32_t)put_frame(p, target, n, bits, seq, ack, frame);
	return bpf_prog_test_run_opts(p->prog, &run) ? -errno : 0;
}

/* ---- what became of it ---- */
/* The target that a segment with this TCP header was sent to; NULL: it is none of ours. */
static struct probe_target *target_of(const struct probe *p, struct probe_target *target, unsigned count, const uint8_t *tcp)
{
	unsigned n = (uint16_t)((tcp[0] << 8 | tcp[1]) - p->rport);

	return n < count ? &target[n] : NULL;
}

static bool same_port(const struct probe_target *t, const uint8_t *tcp)
{
	return (tcp[2] << 8 | tcp[3]) == t->port;
}

static void take_raw(const struct probe *p, struct probe_target *target, unsigned count)
{
	uint8_t buf[256], *tcp;
	struct probe_target *t;
	ssize_t len = recv(p->raw, buf, sizeof(buf), 0);
	unsigned ip = p->family == AF_INET && len > 0 ? (buf[0] & 15U) * 4 : 0; /* IPv6: without its header */

	if (len < (ssize_t)(ip + TCP_LEN))
		return;
	tcp = buf + ip;
	t = target_of(p, target, count, tcp);
	if (!t)
		return;
	if (same_port(t, tcp) && (!ip || !memcmp(buf + 16, t->addr, 4)))
		t->arrived = true;
	else
		t->elsewhere = true;
}

/* What leaves with the neighbour's address as its source was sent on. */
static void take_tap(const struct probe *p, struct probe_target *target, unsigned count)
{
	struct sockaddr_ll from = { 0 };
	socklen_t from_len = sizeof(from);
	uint8_t buf[128];
	ssize_t len = recvfrom(p->tap, buf, sizeof(buf), 0, (struct sockaddr *)&from, &from_len);
	unsigned ip = p->family == AF_INET ? 20 : 40, at = p->family == AF_INET ? 16 : 24;
	struct probe_target *t;

	if (len < (ssize_t)(ip + TCP_LEN) || from.sll_pkttype != PACKET_OUTGOING)
		return;
	t = target_of(p, target, count, buf + ip);
	if (t && (memcmp(buf + at, t->addr, probe_address_size(p)) || !same_port(t, buf + ip)))
		t->elsewhere = true;
}

static unsigned missing(const struct probe_target *target, unsigned count)
{
	unsigned n = 0;

	for (unsigned i = 0; i < count; i++)
		n += !target[i].arrived && !target[i].elsewhere;
	return n;
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

void probe_look(const struct probe *p, struct probe_target *target, unsigned count)
{
	struct pollfd fds[2] = { { .fd = p->raw, .events = POLLIN }, { .fd = p->tap, .events = POLLIN } };
	int64_t end = now_ms() + WAIT_MS, left;

	while (missing(target, count) && (left = end - now_ms()) > 0 && poll(fds, 2, (int)left) > 0) {
		if (fds[0].revents)
			take_raw(p, target, count);
		if (fds[1].revents)
			take_tap(p, target, count);
	}
}

bool probe_accepted(const struct probe *p)
{
	struct pollfd listener = { .fd = p->listener, .events = POLLIN };
	int fd, on = 1;

	if (poll(&listener, 1, WAIT_MS) <= 0)
		return false;
	fd = accept(p->listener, NULL, NULL);
	if (fd < 0)
		return false;
	setsockopt(fd, IPPROTO_TCP, TCP_REPAIR, &on, sizeof(on));
	close(fd);
	return true;
}

/* ---- the kernel's cookie ---- */
#define INSN(c, d, s, o, i) { .code = (c), .dst_reg = (d), .src_reg = (s), .off = (o), .imm = (i) }
#define MOV(d, s) INSN(BPF_ALU64 | BPF_MOV | BPF_X, d, s, 0, 0)
#define MOV_IMM(d, i) INSN(BPF_ALU64 | BPF_MOV | BPF_K, d, 0, 0, i)
#define ADD_IMM(d, i) INSN(BPF_ALU64 | BPF_ADD | BPF_K, d, 0, 0, i)
#define CALL(f) INSN(BPF_JMP | BPF_CALL, 0, 0, 0, f)

int probe_kernel_cookie(const struct probe *p, const struct probe_target *target, uint32_t *cookie)
{
	const int ip = p->family == AF_INET ? 20 : 40, at = ETHERNET, addresses = ETHERNET + (p->family == AF_INET ? 12 : 8);
	const int tuple = (int)probe_address_size(p) * 2 + 4, tcp = ETHERNET + ip;
	/* Of the frame's socket bpf_tcp_gen_syncookie(): its answer, low word first, over the TCP header's first two. */
	const struct bpf_insn ask[] = {
		INSN(BPF_LDX | BPF_MEM | BPF_W, 7, 1, offsetof(struct xdp_md, data), 0),
		INSN(BPF_LDX | BPF_MEM | BPF_W, 8, 1, offsetof(struct xdp_md, data_end), 0),
		MOV(2, 7),
		ADD_IMM(2, tcp + TCP_LEN),
		INSN(BPF_JMP | BPF_JGT | BPF_X, 2, 8, 21, 0), /* to the end */
		MOV(2, 7),
		ADD_IMM(2, addresses), /* addresses and ports follow one another, as in struct bpf_sock_tuple */
		MOV_IMM(3, tuple),
		MOV_IMM(4, -1), /* BPF_F_CURRENT_NETNS */
		MOV_IMM(5, 0),
		CALL(BPF_FUNC_skc_lookup_tcp),
		INSN(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 14, 0), /* to the end */
		MOV(9, 0),
		MOV(1, 0),
		MOV(2, 7),
		ADD_IMM(2, at),
		MOV_IMM(3, ip),
		MOV(4, 7),
		ADD_IMM(4, tcp),
		MOV_IMM(5, TCP_LEN),
		CALL(BPF_FUNC_tcp_gen_syncookie),
		INSN(BPF_STX | BPF_MEM | BPF_DW, 7, 0, (short)tcp, 0),
		MOV(1, 9),
		CALL(BPF_FUNC_sk_release),
		MOV_IMM(0, XDP_TX),
		INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
		MOV_IMM(0, XDP_DROP),
		INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
	};
	uint8_t frame[FRAME_MAX];
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = frame, .data_out = frame, .data_size_out = sizeof(frame), .repeat = 1);
	int prog = bpf_prog_load(BPF_PROG_TYPE_XDP, "ward_ask", "Dual BSD/GPL", ask, sizeof(ask) / sizeof(ask[0]), NULL), err;
	int64_t made;

	if (prog < 0)
		return -errno;
	run.data_size_in = (uint32_t)put_frame(p, target, 0, TH_SYN, p->isn, 0, frame);
	err = bpf_prog_test_run_opts(prog, &run) ? -errno : run.retval == XDP_TX ? 0 : -ESRCH;
	close(prog);
	if (err)
		return err;
	memcpy(&made, frame + tcp, sizeof(made));
	*cookie = (uint32_t)made;
	return made < 0 ? (int)made : 0;
}
