// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * raw: TCP segments that no stack would send, IPv4, by a raw socket: it works in the network namespaces of tests alone.
 *
 *   raw send FROM PORT TO PORT FLAGS [NAME=N...]
 *   raw inject DEV FROM PORT TO PORT FLAGS [NAME=N...]
 *
 * FLAGS: letters of S A F R P U, or "-" for none. Of count= segments (1), gap= ms apart (0), the n-th goes from address
 * FROM + n % addresses (1) and port PORT + n % ports (1) to port + n % dports (1); seq= and ack= (0), len= bytes (0); the
 * first after wait= ms (0).
 *
 * inject waits on device DEV for a segment of that connection, either direction, says so, and then sends in FROM's name: seq
 * counts from FROM's next sequence number, ack from its next acknowledgment; the n-th segment has seq + n * step.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <glob.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEST_NAMESPACES "/run/netns/tw-*"
#define COUNT_MAX 100000
#define PATIENCE_S 10

struct plan {
	uint32_t from, to; /* host order */
	uint16_t sport, dport;
	uint8_t flags;
	uint32_t seq, ack, step, len;
	uint32_t count, gap, wait, addresses, ports, dports;
};

struct packet {
	struct iphdr ip;
	struct tcphdr tcp;
	uint8_t data[1400];
};

static void die(const char *what, const char *value)
{
	fprintf(stderr, "raw: %s '%s': %s\n", what, value, errno ? strerror(errno) : "not understood");
	exit(1);
}

static void check_namespace(void)
{
	struct stat self, test;
	glob_t found;

	if (!stat("/proc/self/ns/net", &self) && !glob(TEST_NAMESPACES, 0, NULL, &found))
		for (size_t i = 0; i < found.gl_pathc; i++)
			if (!stat(found.gl_pathv[i], &test) && test.st_ino == self.st_ino && test.st_dev == self.st_dev)
				return;
	fprintf(stderr, "raw: not in a network namespace of tests/net\n");
	exit(1);
}

/* ---- words ---- */
static uint32_t address(const char *text)
{
	struct in_addr in;

	errno = 0;
	if (inet_pton(AF_INET, text, &in) != 1)
		die("bad address", text);
	return ntohl(in.s_addr);
}

static uint8_t flags_of(const char *text)
{
	static const char letters[] = "FSRPAU";
	uint8_t flags = 0;
	const char *at;

	errno = 0;
	for (; *text && *text != '-'; text++) {
		at = strchr(letters, *text);
		if (!at)
			die("bad flag", text);
		flags |= (uint8_t)(1 << (at - letters));
	}
	return flags;
}

static void option(struct plan *p, const char *word)
{
	const struct {
		const char *name;
		uint32_t *value;
	} options[] = {
		{ "seq", &p->seq },	  { "ack", &p->ack },		  { "step", &p->step },	  { "len", &p->len },
		{ "count", &p->count },	  { "gap", &p->gap },		  { "ports", &p->ports }, { "dports", &p->dports },
		{ "addresses", &p->addresses }, { "wait", &p->wait },
	};

	for (size_t i = 0; i < sizeof(options) / sizeof(*options); i++) {
		size_t n = strlen(options[i].name);

		if (!strncmp(word, options[i].name, n) && word[n] == '=') {
			*options[i].value = (uint32_t)strtol(word + n + 1, NULL, 0);
			return;
		}
	}
	errno = 0;
	die("bad word", word);
}

static struct plan plan_of(char **argv)
{
	struct plan p = { .count = 1, .addresses = 1, .ports = 1, .dports = 1 };

	p.from = address(argv[0]);
	p.sport = (uint16_t)atoi(argv[1]);
	p.to = address(argv[2]);
	p.dport = (uint16_t)atoi(argv[3]);
	p.flags = flags_of(argv[4]);
	for (argv += 5; *argv; argv++)
		option(&p, *argv);
	if (p.count > COUNT_MAX || p.len > sizeof(((struct packet *)0)->data) || !p.addresses || !p.ports || !p.dports) {
		fprintf(stderr, "raw: count, len, addresses or ports out of range\n");
		exit(2);
	}
	return p;
}

/* ---- segments ---- */
static uint32_t sum16(const void *bytes, size_t len)
{
	const uint8_t *at = bytes;
	uint32_t sum = 0;

	for (; len > 1; len -= 2, at += 2)
		sum += (uint32_t)(at[0] << 8 | at[1]);
	return len ? sum + (uint32_t)(at[0] << 8) : sum;
}

static uint16_t checksum(const struct packet *pkt, uint32_t tcp_len)
{
	uint32_t sum = sum16(&pkt->ip.saddr, 8) + IPPROTO_TCP + tcp_len + sum16(&pkt->tcp, tcp_len);

	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons((uint16_t)~sum);
}

static void send_one(int fd, const struct plan *p, uint32_t n)
{
	struct packet pkt = { 0 };
	uint32_t tcp_len = sizeof(pkt.tcp) + p->len;
	struct sockaddr_in to = { .sin_family = AF_INET };

	pkt.ip.version = 4;
	pkt.ip.ihl = 5;
	pkt.ip.ttl = 64;
	pkt.ip.protocol = IPPROTO_TCP;
	pkt.ip.saddr = htonl(p->from + n % p->addresses);
	pkt.ip.daddr = to.sin_addr.s_addr = htonl(p->to);
	pkt.tcp.source = htons((uint16_t)(p->sport + n % p->ports));
	pkt.tcp.dest = htons((uint16_t)(p->dport + n % p->dports));
	pkt.tcp.seq = htonl(p->seq + n * p->step);
	pkt.tcp.ack_seq = htonl(p->flags & 0x10 ? p->ack : 0);
	pkt.tcp.doff = 5;
	((uint8_t *)&pkt.tcp)[13] = p->flags;
	pkt.tcp.window = htons(64240);
	pkt.tcp.check = checksum(&pkt, tcp_len);
	if (sendto(fd, &pkt, sizeof(pkt.ip) + tcp_len, 0, (struct sockaddr *)&to, sizeof(to)) < 0)
		die("cannot send", "a segment");
}

static int send_all(const struct plan *p)
{
	int fd = socket(AF_INET, SOCK_RAW, IPPROTO_RAW);

	if (fd < 0)
		die("cannot make", "a raw socket");
	usleep(p->wait * 1000);
	for (uint32_t n = 0; n < p->count; n++) {
		send_one(fd, p, n);
		if (p->gap)
			usleep(p->gap * 1000);
	}
	printf("done %u\n", p->count);
	return 0;
}

/* ---- inject ---- */
/* Learns where the connection stands from one frame of it. */
static bool learn(struct plan *p, const struct packet *pkt, ssize_t len)
{
	const struct tcphdr *tcp = (const void *)((const uint8_t *)&pkt->ip + pkt->ip.ihl * 4);
	bool ours = ntohl(pkt->ip.saddr) == p->from && ntohl(pkt->ip.daddr) == p->to;
	bool theirs = ntohl(pkt->ip.saddr) == p->to && ntohl(pkt->ip.daddr) == p->from;
	uint32_t end;

	if (len < 40 || pkt->ip.version != 4 || pkt->ip.protocol != IPPROTO_TCP || !tcp->ack || !(ours || theirs))
		return false;
	if (ours && (ntohs(tcp->source) != p->sport || ntohs(tcp->dest) != p->dport))
		return false;
	if (theirs && (ntohs(tcp->source) != p->dport || ntohs(tcp->dest) != p->sport))
		return false;
	end = ntohl(tcp->seq) + ntohs(pkt->ip.tot_len) - pkt->ip.ihl * 4 - tcp->doff * 4 + tcp->syn + tcp->fin;
	if (ours) {
		p->seq += end;
		p->ack += ntohl(tcp->ack_seq);
	} else {
		p->seq += ntohl(tcp->ack_seq);
		p->ack += end;
	}
	return true;
}

static int inject(const char *dev, struct plan *p)
{
	int fd = socket(AF_PACKET, SOCK_DGRAM, htons(ETH_P_ALL));
	struct sockaddr_ll on = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL),
				  .sll_ifindex = (int)if_nametoindex(dev) };
	struct packet pkt;

	if (fd < 0 || !on.sll_ifindex || bind(fd, (struct sockaddr *)&on, sizeof(on)))
		die("cannot listen on", dev);
	puts("ready");
	fflush(stdout);
	alarm(PATIENCE_S);
	while (!learn(p, &pkt, recv(fd, &pkt, sizeof(pkt), 0)))
		;
	return send_all(p);
}

int main(int argc, char **argv)
{
	struct plan p;

	if (argc >= 7 && !strcmp(argv[1], "send")) {
		check_namespace();
		p = plan_of(argv + 2);
		return send_all(&p);
	}
	if (argc >= 8 && !strcmp(argv[1], "inject")) {
		check_namespace();
		p = plan_of(argv + 3);
		return inject(argv[2], &p);
	}
	fprintf(stderr, "usage: raw send FROM PORT TO PORT FLAGS [NAME=N...] | inject DEV FROM PORT TO PORT FLAGS [NAME=N...]\n");
	return 2;
}
