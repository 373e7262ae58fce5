// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* chaos: the wire. Frames pass through two packet sockets of the third namespace; what is no TCP of ours always passes. */
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "real/chaos.h"

#define FRAME_MAX 2048
#define HELD 24
#define MOST_FRAMES 20000 /* of one pump: a storm would be a mistake of ours */

enum { FIN = 1, SYN = 2, RST = 4, PSH = 8, ACK = 16, URG = 32, ECE = 64, CWR = 128 };

struct segment_at {
	bool v6;
	uint8_t *tcp, bits;
	uint16_t sport, dport, win;
	uint32_t seq, ack, len, tsval, tsecr;
	bool has_ts;
};

static int wire[HOSTS];
static uint8_t ether[HOSTS][12]; /* as TCP from this host has it; not as ARP and neighbour discovery, which go to many */
static bool ether_known[HOSTS];
static struct held {
	unsigned from;
	size_t len;
	uint8_t frame[FRAME_MAX];
} held[HELD];
static unsigned held_count;
struct wire_counts wire_counts;

static uint16_t get16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static uint32_t get32(const uint8_t *at)
{
	return (uint32_t)get16(at) << 16 | get16(at + 2);
}

static void put16(uint8_t *at, uint32_t v)
{
	at[0] = (uint8_t)(v >> 8);
	at[1] = (uint8_t)v;
}

static void put32(uint8_t *at, uint32_t v)
{
	put16(at, v >> 16);
	put16(at + 2, v);
}

/* ---- devices ---- */
/* Sums and sizes as on a real wire: this process forwards frames as they are. */
static void switch_off(const char *netns, const char *dev, uint32_t what)
{
	struct ethtool_value value = { .cmd = what };
	struct ifreq ifr = { 0 };
	int fd;

	enter(netns);
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", dev);
	ifr.ifr_data = (void *)&value;
	if (fd < 0 || ioctl(fd, SIOCETHTOOL, &ifr))
		die("cannot switch an offload off on", dev);
	close(fd);
}

static int open_wire(const char *dev)
{
	struct sockaddr_ll on = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL) };
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK, 0), yes = 1, room = 16 << 20;

	on.sll_ifindex = (int)if_nametoindex(dev);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
	if (fd < 0 || !on.sll_ifindex || setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &yes, sizeof(yes)) ||
	    bind(fd, (struct sockaddr *)&on, sizeof(on)))
		die("cannot listen on", dev);
	return fd;
}

void wire_open(const struct options *opt)
{
	static const uint32_t offloads[] = { ETHTOOL_STXCSUM, ETHTOOL_STSO, ETHTOOL_SGSO };

	for (unsigned host = 0; host < HOSTS; host++)
		for (unsigned i = 0; i < sizeof(offloads) / sizeof(*offloads); i++)
			switch_off(opt->netns[host], opt->dev[host], offloads[i]);
	enter(opt->wire_netns);
	for (unsigned host = 0; host < HOSTS; host++)
		wire[host] = open_wire(opt->wire_dev[host]);
}

static void deliver(unsigned from, const uint8_t *frame, size_t len)
{
	if (send(wire[!from], frame, len, 0) < 0 && errno != ENOBUFS && errno != EAGAIN)
		die("cannot send on", "the wire");
}

/* ---- reading ---- */
static void read_options(struct segment_at *s)
{
	const uint8_t *at = s->tcp + 20, *end = s->tcp + (s->tcp[12] >> 4) * 4;

	while (at < end && *at) {
		unsigned len = *at == 1 ? 1 : at + 1 < end ? at[1] : 0;

		if (!len || at + len > end)
			return;
		if (at[0] == 8 && len == 10) {
			s->has_ts = true;
			s->tsval = get32(at + 2);
			s->tsecr = get32(at + 6);
		}
		at += len;
	}
}

static bool read_segment(uint8_t *frame, size_t len, struct segment_at *s)
{
	uint8_t *ip = frame + 14;
	size_t payload;

	memset(s, 0, sizeof(*s));
	if (len >= 54 && get16(frame + 12) == ETH_P_IP && ip[9] == IPPROTO_TCP) {
		s->tcp = ip + (ip[0] & 15) * 4;
		payload = get16(ip + 2) - (ip[0] & 15) * 4U;
	} else if (len >= 74 && get16(frame + 12) == ETH_P_IPV6 && ip[6] == IPPROTO_TCP) {
		s->v6 = true;
		s->tcp = ip + 40;
		payload = get16(ip + 4);
	} else {
		return false;
	}
	s->sport = get16(s->tcp);
	s->dport = get16(s->tcp + 2);
	s->seq = get32(s->tcp + 4);
	s->ack = get32(s->tcp + 8);
	s->bits = s->tcp[13];
	s->win = get16(s->tcp + 14);
	s->len = (uint32_t)payload - (s->tcp[12] >> 4) * 4U;
	read_options(s);
	return true;
}

/* What end `from` has shown by this segment of its own. */
static void learn(struct conn *c, unsigned from, const struct segment_at *s)
{
	struct shown *e = &c->shown[from];
	uint32_t end = s->seq + s->len + !!(s->bits & SYN) + !!(s->bits & FIN);

	if (s->bits & ACK && !(s->bits & RST))
		c->refused[!from] = c->any_data[!from] && s->ack == c->data_seq[!from];
	c->no_room[from] |= c->refused[!from] && c->with_fin[!from];
	c->old_rst[from] = (s->bits & (RST | ACK)) == RST && (int32_t)(s->seq - c->shown[!from].ack) < 0;
	if (s->bits & RST)
		return;
	if (s->bits & SYN) {
		e->syn_tsval = s->tsval;
		c->any_data[from] = c->refused[from] = false;
		e->isn = s->seq;
		e->nxt = end;
	}
	if (!e->any || (int32_t)(end - e->nxt) > 0)
		e->nxt = end;
	e->any = true;
	if (s->bits & ACK) {
		e->ack = s->ack;
		c->unseen |= c->shown[!from].any && (int32_t)(s->ack - c->shown[!from].nxt) > 0;
	}
	e->win = s->win;
	e->has_ts = s->has_ts;
	e->tsval = s->tsval;
	e->tsecr = s->tsecr;
}

/* It gets to its receiver. */
static void arrive(struct conn *c, unsigned from, const struct segment_at *s)
{
	if ((s->bits & (SYN | ACK)) == SYN)
		c->echo[0] = c->echo[1] = false;
	c->echo[!from] |= s->bits & ACK && s->bits & (SYN | RST) && s->has_ts && s->tsecr != c->shown[!from].syn_tsval;
	c->no_room[!from] |= c->refused[from] && s->bits & (FIN | RST);
	if (!s->len)
		return;
	c->any_data[from] = true;
	c->with_fin[from] = s->bits & FIN;
	c->data_seq[from] = s->seq;
}

static void note_segment(struct conn *c, char what, unsigned from, const struct segment_at *s, const char *fate)
{
	struct line *l = conn_note(c, what, from, fate);

	l->bits = s->bits;
	l->seq = s->seq;
	l->ack = s->ack;
	l->len = s->len;
	c->stirred[0] = c->stirred[1] = true;
}

static void save(struct conn *c, unsigned from, const uint8_t *frame, size_t len)
{
	struct saved *s;

	if (len > SAVED_LEN || !percent(30))
		return;
	s = &c->saved[c->saved_count < SAVED ? c->saved_count++ : chance(SAVED)];
	s->from = (uint8_t)from;
	s->len = (uint16_t)len;
	memcpy(s->frame, frame, len);
}

/* ---- forwarding ---- */
static void hold(unsigned from, const uint8_t *frame, size_t len)
{
	struct held *h = &held[held_count++];

	h->from = from;
	h->len = len;
	memcpy(h->frame, frame, len);
}

static void forward(unsigned from, uint8_t *frame, size_t len)
{
	struct segment_at s;
	struct conn *c;
	unsigned fate = chance(100);

	c = read_segment(frame, len, &s) ? conn_of(s.v6, from ? s.dport : s.sport, from ? s.sport : s.dport) : NULL;
	if (!c) {
		deliver(from, frame, len);
		return;
	}
	memcpy(ether[from], frame, 12);
	ether_known[from] = true;
	wire_counts.frames++;
	learn(c, from, &s);
	save(c, from, frame, len);
	if (c->deaf[!from] || fate < 5) {
		note_segment(c, 'w', from, &s, "lost");
		wire_counts.dropped++;
		c->touched = true;
		return;
	}
	if (fate < 9 && held_count < HELD) {
		note_segment(c, 'w', from, &s, "held back");
		wire_counts.held++;
		c->touched = true;
		hold(from, frame, len);
		return;
	}
	note_segment(c, 'w', from, &s, "");
	arrive(c, from, &s);
	deliver(from, frame, len);
	if (fate >= 97) {
		note_segment(c, 'w', from, &s, "once more");
		wire_counts.doubled++;
		c->touched = true;
		deliver(from, frame, len);
	}
}

void wire_release(void)
{
	struct segment_at s;

	for (unsigned i = 0; i < held_count; i++) {
		struct held *h = &held[i];
		struct conn *c;

		if (!percent(20))
			continue;
		read_segment(h->frame, h->len, &s);
		c = conn_of(s.v6, h->from ? s.dport : s.sport, h->from ? s.sport : s.dport);
		note_segment(c, 'w', h->from, &s, "let go");
		arrive(c, h->from, &s);
		deliver(h->from, h->frame, h->len);
		held[i--] = held[--held_count];
	}
}

unsigned wire_pump(int quiet_ms)
{
	struct pollfd fds[HOSTS] = { { .fd = wire[0], .events = POLLIN }, { .fd = wire[1], .events = POLLIN } };
	uint8_t frame[65536];
	unsigned came = 0;

	while (came < MOST_FRAMES && poll(fds, HOSTS, quiet_ms) > 0)
		for (unsigned host = 0; host < HOSTS; host++)
			for (ssize_t len; (len = recv(wire[host], frame, sizeof(frame), 0)) > 0; came++)
				forward(host, frame, (size_t)len);
	if (came >= MOST_FRAMES)
		die("the hosts do not come to rest", "a storm of segments");
	return came;
}

/* ---- inventing ---- */
static uint32_t sum16(const uint8_t *at, size_t len)
{
	uint32_t sum = 0;

	for (; len > 1; len -= 2, at += 2)
		sum += get16(at);
	return len ? sum + (uint32_t)(at[0] << 8) : sum;
}

static uint32_t folded(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return ~sum & 0xffff;
}

static size_t put_ip(uint8_t *ip, bool v6, unsigned from, size_t tcp_len)
{
	if (v6) {
		static const uint8_t net[15] = { 0x20, 1, 0xd, 0xb8 };

		memset(ip, 0, 40);
		ip[0] = 0x60;
		put16(ip + 4, (uint32_t)tcp_len);
		ip[6] = IPPROTO_TCP;
		ip[7] = 64;
		memcpy(ip + 8, net, 15);
		memcpy(ip + 24, net, 15);
		ip[23] = from ? 2 : 1;
		ip[39] = from ? 1 : 2;
		return 40;
	}
	memset(ip, 0, 20);
	ip[0] = 0x45;
	put16(ip + 2, (uint32_t)(20 + tcp_len));
	ip[8] = 64;
	ip[9] = IPPROTO_TCP;
	put32(ip + 12, 0xc0000200 + (from ? 2 : 1));
	put32(ip + 16, 0xc0000200 + (from ? 1 : 2));
	put16(ip + 10, folded(sum16(ip, 20)));
	return 20;
}

/* Sequence numbers around what the receiver expects and what it allows, and elsewhere. */
static uint32_t some_seq(const struct conn *c, unsigned from)
{
	const struct shown *s = &c->shown[from], *d = &c->shown[!from];
	uint32_t expected = d->any && d->ack ? d->ack : s->nxt;

	switch (chance(10)) {
	case 0:
	case 1:
	case 2:
		return expected;
	case 3:
		return s->nxt;
	case 4:
		return expected + 1 + chance(1000);
	case 5:
		return expected + chance(65535);
	case 6:
		return expected - 1 - chance(3);
	case 7:
		return expected - chance(70000);
	case 8:
		return expected + 1000000 + chance(100000000);
	default:
		return chance(UINT32_MAX);
	}
}

static uint32_t some_ack(const struct conn *c, unsigned from)
{
	uint32_t nxt = c->shown[!from].nxt;

	switch (chance(10)) {
	case 0:
		return nxt + 1 + chance(3);
	case 1:
		return nxt + chance(100000);
	case 2:
		return nxt - 1 - chance(2000);
	case 3:
		return nxt - chance(200000);
	case 4:
		return chance(UINT32_MAX);
	case 5:
		return c->shown[from].ack;
	default:
		return nxt;
	}
}

static uint8_t some_bits(void)
{
	static const uint8_t bits[] = {
		RST, RST, RST | ACK, RST | ACK, SYN, SYN, SYN | ACK, SYN | ACK, ACK, ACK, PSH | ACK, PSH | ACK, PSH | ACK, FIN | ACK,
		FIN | ACK, FIN | PSH | ACK, FIN, 0, FIN | PSH | URG, SYN | FIN, SYN | FIN | ACK, SYN | RST, RST | FIN, PSH, URG,
		URG | ACK, SYN | ECE | CWR, ACK | CWR, RST | PSH, 0xff,
	};

	return bits[chance(sizeof(bits))];
}

static size_t put_tcp(uint8_t *tcp, const struct conn *c, unsigned from)
{
	const struct shown *s = &c->shown[from];
	bool ts = s->has_ts && percent(70);
	size_t head = ts ? 32 : 20, len;

	memset(tcp, 0, 20);
	put16(tcp, c->port[from]);
	put16(tcp + 2, c->port[!from]);
	tcp[13] = some_bits();
	put32(tcp + 4, some_seq(c, from));
	put32(tcp + 8, tcp[13] & ACK || percent(5) ? some_ack(c, from) : 0);
	tcp[12] = (uint8_t)(head / 4 << 4);
	put16(tcp + 14, percent(10) ? 0 : percent(20) ? chance(65536) : s->win);
	if (ts) {
		memcpy(tcp + 20, "\1\1\x8\xa", 4);
		put32(tcp + 24, s->tsval);
		put32(tcp + 28, s->tsecr);
	}
	len = tcp[13] & PSH || percent(10) ? 1 + chance(percent(50) ? 10 : 1000) : 0;
	memset(tcp + head, 'x', len);
	return head + len;
}

void wire_invent(struct conn *c)
{
	uint8_t frame[FRAME_MAX] = { 0 };
	unsigned from = chance(HOSTS);
	uint8_t *tcp = frame + 14 + (c->v6 ? 40 : 20);
	size_t tcp_len = put_tcp(tcp, c, from), ip_len = put_ip(frame + 14, c->v6, from, tcp_len);
	struct segment_at s;

	if (!ether_known[from])
		return;
	memcpy(frame, ether[from], 12);
	put16(frame + 12, c->v6 ? ETH_P_IPV6 : ETH_P_IP);
	put16(tcp + 16, folded(sum16(c->v6 ? frame + 22 : frame + 26, c->v6 ? 32 : 8) + IPPROTO_TCP + (uint32_t)tcp_len +
			       sum16(tcp, tcp_len)));
	read_segment(frame, 14 + ip_len + tcp_len, &s);
	note_segment(c, 'i', from, &s, "invented");
	wire_counts.invented++;
	c->syn_fin |= (s.bits & (SYN | FIN | RST)) == (SYN | FIN);
	c->overrun |= s.bits & FIN || (s.bits & RST && (s.len || s.bits & SYN));
	c->touched = c->forged = true;
	arrive(c, from, &s);
	deliver(from, frame, 14 + ip_len + tcp_len);
}

void wire_repeat(struct conn *c)
{
	struct segment_at s;
	struct saved *old;

	if (!c->saved_count)
		return;
	old = &c->saved[chance(c->saved_count)];
	read_segment(old->frame, old->len, &s);
	note_segment(c, 'r', old->from, &s, "an old one again");
	arrive(c, old->from, &s);
	wire_counts.again++;
	c->touched = c->forged = true;
	deliver(old->from, old->frame, old->len);
}
