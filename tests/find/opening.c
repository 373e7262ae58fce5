// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Scenes of the handshake: what happens before both ends are ESTABLISHED. */
#include "find/scenes.h"

#define HALF_OPEN_MAX 128

/* The rest of an ordinary connection. */
static void go_on(struct conn *c)
{
	conn_ack(c, CLIENT);
	conn_exchange(c, 200, 3000);
	conn_close(c, CLIENT);
}

/* Ordinary connections, one every step_ns, each from a client of its own. */
static void crowd(struct scene *s, int n, uint64_t from_ns, uint64_t step_ns, struct wire_end service)
{
	for (int i = 0; i < n; i++)
		ordinary(s, from_ns + i * step_ns, nth(at("198.51.100.100:50000"), i % 100),
			 on_port(service, service.port));
}

/* Nothing answers for 24 s: Linux before 6.5 sends SYNs at 0, 1, 3, 7 and 15 s. Then the server is back. */
void stale_syn_flow(struct scene *s)
{
	struct conn c = conn(s, SECONDS(1), at("198.51.100.7:40000"), at("192.0.2.10:443"));
	struct expected *e = expect_flow(s, "stale-syn", "info", &c);

	conn_syn(&c);
	if (!s->harmless) {
		conn_back_off(&c, CLIENT, 4, SECONDS(1));
		conn_wait(&c, SECONDS(8));
	}
	number(e, "unanswered", 1, 0);
	between(e, "age", SECONDS(21), SECONDS(23.1), SECONDS(10));
	number(e, "syns_repeated", 4, 0);
	number(e, "completion", 0, 0);
	number(e, "handshakes_60s", 1, 0);
	number(e, "sources", 0, 0);
	number(e, "completed_60s", 0, 0);
	number(e, "stale_10s", 0, 100);
	holds(e, SECONDS(1 + 10));
	ends(e, c.now_ns);
	conn_syn_ack(&c);
	go_on(&c);
}

#define STALE 150

/* 150 SYNs of one source to a service that is down, each sent once, as tools do; after 25 s it is up and answers. */
void stale_syn_source(struct scene *s)
{
	struct expected *e = expect(s, "stale-syn", "warning", "source", "203.0.113.9");
	uint64_t step = MILLISECONDS(10), first = SECONDS(1);

	for (int i = 0; i < STALE; i++) {
		struct conn c = conn(s, first + i * step, on_port(at("203.0.113.9"), 40000 + i), at("192.0.2.10:25"));

		offender(e, &c);
		conn_syn(&c);
		if (!s->harmless)
			conn_wait(&c, SECONDS(25));
		conn_syn_ack(&c);
		go_on(&c);
	}
	between(e, "unanswered", 1, STALE, 0);
	between(e, "age", SECONDS(10), SECONDS(25), SECONDS(10));
	number(e, "syns_repeated", 0, 0);
	between(e, "completion", 0, 100, 0); /* while the service is coming back */
	number(e, "handshakes_60s", STALE, 0);
	number(e, "sources", 0, 0);
	between(e, "completed_60s", 0, STALE, 0);
	number(e, "stale_10s", STALE, 100);
	peak(e, STALE, STALE);
	holds(e, first + SECONDS(10)); /* one would do; 100 make it a warning */
	ends(e, first + STALE * step + SECONDS(25));
}

/* The SYN-ACK comes again after 1, 3, 7 and 15 s; only then does the client complete. */
static void half_open_one(struct scene *s, const char *client, const char *service)
{
	struct conn c = conn(s, SECONDS(1), at(client), at(service));
	struct expected *e = expect_flow(s, "half-open", "warning", &c);

	conn_syn(&c);
	conn_syn_ack(&c);
	if (!s->harmless) {
		conn_back_off(&c, SERVER, 4, SECONDS(1));
		conn_wait(&c, SECONDS(5));
	}
	number(e, "half_open", 1, HALF_OPEN_MAX);
	between(e, "age", SECONDS(18), SECONDS(20.1), SECONDS(10));
	number(e, "synacks_repeated", 4, 3);
	number(e, "completion", 0, 30);
	number(e, "handshakes_60s", 1, 0);
	number(e, "sources", 0, 0);
	number(e, "completed_60s", 0, 0);
	holds(e, SECONDS(1 + 10));
	ends(e, c.now_ns);
	go_on(&c);
}

void half_open_flow(struct scene *s)
{
	half_open_one(s, "198.51.100.7:40000", "192.0.2.10:443");
}

void half_open_flow_v6(struct scene *s)
{
	half_open_one(s, "[2001:db8:7::1]:40000", "[2001:db8::10]:443");
}

/* One that is answered (once, with a cookie) and completes only if it is harmless; it is forgotten 70 s later. */
static void half_open(struct scene *s, struct expected *e, uint64_t when, struct wire_end client,
		      struct wire_end service)
{
	struct conn c = conn(s, when, client, service);

	offender(e, &c);
	conn_syn(&c);
	conn_syn_ack(&c);
	if (s->harmless)
		go_on(&c);
}

#define HALF_OPEN 200
#define EMBRYO_LIFE SECONDS(70)

/* 5 of 205 complete, and there are too many until 98 are gone: it does not flap, so it stands down to 80 % of the limit. */
static void too_many_half_open(struct expected *e, uint64_t first, uint64_t step, int inexact)
{
	between(e, "half_open", HALF_OPEN_MAX * 8 / 10 + 1, HALF_OPEN, HALF_OPEN_MAX);
	number(e, "age", 0, SECONDS(10)); /* of those whose SYN-ACK was repeated */
	number(e, "synacks_repeated", 0, 3);
	between(e, "completion", inexact ? 1 : 2, inexact ? 6 : 2, 30);
	between(e, "handshakes_60s", HALF_OPEN + 5 - inexact, HALF_OPEN + 5 + inexact, 0);
	number(e, "sources", 0, 0);
	number(e, "completed_60s", 5, 0);
	peak(e, HALF_OPEN, HALF_OPEN);
	holds(e, first + (HALF_OPEN_MAX - 1) * step);
	ends(e, first + (HALF_OPEN - HALF_OPEN_MAX * 8 / 10) * step + EMBRYO_LIFE);
}

/* One source leaves 200 half open, 5 it completes. The service completes enough with others: it is not flooded. */
void half_open_source(struct scene *s)
{
	struct expected *e = expect(s, "half-open", "warning", "source", "203.0.113.9");
	struct wire_end web = at("192.0.2.10:443");
	uint64_t step = MILLISECONDS(10), first = SECONDS(1);

	crowd(s, 300, MILLISECONDS(500), MILLISECONDS(9), web);
	for (int i = 0; i < 5; i++)
		ordinary(s, first + i * step, on_port(at("203.0.113.9"), 30000 + i), web);
	for (int i = 0; i < HALF_OPEN; i++)
		half_open(s, e, first + i * step, on_port(at("203.0.113.9"), 40000 + i), web);
	too_many_half_open(e, first, step, 0);
}

/* The same by 100 neighbours, two each: none stands out, their /24 does. */
void half_open_prefix(struct scene *s)
{
	struct expected *e = expect(s, "half-open", "warning", "prefix", "203.0.113.0/24");
	struct wire_end web = at("192.0.2.10:443");
	uint64_t step = MILLISECONDS(10), first = SECONDS(1);

	crowd(s, 300, MILLISECONDS(500), MILLISECONDS(9), web);
	for (int i = 0; i < 5; i++)
		ordinary(s, first + i * step, on_port(at("203.0.113.9"), 30000 + i), web);
	for (int i = 0; i < HALF_OPEN; i++)
		half_open(s, e, first + i * step, on_port(nth(at("203.0.113.1"), i % 100), 40000 + i), web);
	too_many_half_open(e, first, step, 120); /* one SYN in eight, by chance, is counted for prefixes, times eight */
}

#define SPOOFED 3000

/* 500 SYNs a second, each from another source; 20 of the service's own clients get through meanwhile. */
static void flood(struct scene *s, struct wire_end from, struct wire_end service, const char *subject)
{
	struct expected *e = expect(s, "syn-flood", "critical", "service", subject);
	uint64_t step = MILLISECONDS(2), first = SECONDS(1);

	for (int i = 0; i < SPOOFED; i++)
		half_open(s, e, first + i * step, on_port(anyone(from, i), 1024 + i), service);
	for (int i = 0; i < 20; i++)
		ordinary(s, first + i * SECONDS(0.25), anyone(from, SPOOFED + i), service);
	number(e, "half_open", SPOOFED, 128);
	number(e, "completion", 0, 30); /* 20 of 3020 */
	number(e, "answered", SPOOFED, 0);
	number(e, "unanswered", 0, 0);
	between(e, "syns_10s", SPOOFED + 10, SPOOFED + 20,
		0); /* without those before the first SYN-ACK made it a service */
	number(e, "evicted_10s", 0, 0);
	peak(e, SPOOFED, SPOOFED + 1);
	holds(e, first + 127 * step);
	ends(e, window_after(first + SPOOFED * step, 10));
}

void syn_flood(struct scene *s)
{
	flood(s, at("100.64.0.0:1024"), at("192.0.2.10:443"), "192.0.2.10:443");
}

void syn_flood_v6(struct scene *s)
{
	flood(s, at("[2001:db8:6::1]:1024"), at("[2001:db8::10]:443"), "[2001:db8::10]:443");
}

#define WAITING 12

/*
 * The application does not accept for 20 s: the kernel drops the third segment and sends its SYN-ACK again after 1, 3, 7 and
 * 15 s, while the client is ESTABLISHED, acknowledges it each time and repeats its request. Looks half-open, and is not.
 */
void accept_queue_full(struct scene *s)
{
	struct expected *e = expect(s, "accept-queue-full", "warning", "service", "192.0.2.10:8080");
	uint64_t step = MILLISECONDS(20), first = SECONDS(1);

	for (int i = 0; i < WAITING; i++) {
		struct conn c =
			conn(s, first + i * step, on_port(at("198.51.100.7"), 40000 + i), at("192.0.2.10:8080"));
		struct scene_segment syn_ack;

		offender(e, &c);
		conn_open(&c);
		syn_ack = c.last[SERVER];
		conn_data(&c, CLIENT, 300);
		for (int k = 0; !s->harmless && k < 4; k++) {
			conn_wait(&c, SECONDS(1 << k) - 3 * c.gap_ns);
			c.last[SERVER] = syn_ack;
			conn_again(&c, SERVER);
			conn_say(&c, CLIENT, TH_ACK, c.end[CLIENT].nxt, c.end[CLIENT].got, 0);
			conn_say(&c, CLIENT, TH_ACK | TH_PSH, c.end[CLIENT].nxt - 300, c.end[CLIENT].got, 300);
		}
		if (!s->harmless)
			conn_wait(&c, SECONDS(5));
		conn_ack(&c, SERVER);
		conn_send(&c, SERVER, 2000);
		conn_close(&c, SERVER);
	}
	between(e, "waiting", 1, WAITING, 0);
	number(e, "synacks_repeated", 4, 2);
	between(e, "age", SECONDS(18), SECONDS(20.1), 0);
	peak(e, WAITING, WAITING);
	holds(e, first + SECONDS(3));
	ends(e, first + WAITING * step + SECONDS(20));
}

/* 80 servers answer SYNs that somebody sent in the name of 192.0.2.50; SYN-ACKs come again after 1, 3 and 7 s. */
void backscatter(struct scene *s)
{
	struct expected *e = expect(s, "backscatter", "warning", "source", "192.0.2.50");
	uint64_t step = MILLISECONDS(100),
		 first = SECONDS(121); /* earlier, their SYNs may have been sent before the start */

	crowd(s, 30, SECONDS(1), SECONDS(4), at("192.0.2.10:443"));
	for (int i = 0; i < 80; i++) {
		struct conn c =
			conn(s, first + i * step, on_port(at("192.0.2.50"), 20000 + i), nth(at("198.51.100.1:443"), i));

		offender(e, &c);
		c.end[CLIENT].nxt = c.end[CLIENT].isn + 1;
		if (s->harmless)
			conn_syn(&c);
		conn_syn_ack(&c);
		if (s->harmless)
			go_on(&c);
		else
			conn_back_off(&c, SERVER, 3, SECONDS(1));
	}
	between(e, "peers", 40, 95, 50); /* an estimate from 256 bits, and no less than 80 % of the limit */
	between(e, "unasked_10s", 40, 320, 0);
	peak(e, 68, 95);
	holds(e, first + 50 * step);
	ends_between(e, window_after(first + 70 * step, 10), window_after(first + 80 * step + SECONDS(7), 10));
}

/* SYNs in the name of 203.0.113.5 make the service send it SYN-ACKs, each four times. */
void reflection(struct scene *s)
{
	struct expected *e = expect(s, "reflection", "warning", "source", "203.0.113.5");
	uint64_t first = SECONDS(5), step = MILLISECONDS(5);
	int n = 22;

	for (int i = 0; i < n; i++) {
		struct conn c = conn(s, first + i * step, on_port(at("203.0.113.5"), 1024 + i), at("192.0.2.10:80"));

		offender(e, &c);
		conn_syn(&c);
		conn_syn_ack(&c);
		if (s->harmless)
			go_on(&c);
		else
			conn_back_off(&c, SERVER, 4, SECONDS(1));
	}
	between(e, "repeated", 16, n, 20);
	between(e, "half_open", 16, n, 0);
	number(e, "syns_60s", n, 0);
	peak(e, n, n);
	holds(e, first + 19 * step + SECONDS(7));
	ends(e, first + SECONDS(15) + EMBRYO_LIFE);
}

/* Data in SYNs that the server does not take: it acknowledges the SYN alone, the data comes again. */
void syn_data(struct scene *s)
{
	struct expected *e = expect(s, "syn-data", "warning", "source", "203.0.113.8");
	uint64_t first = SECONDS(1), step = MILLISECONDS(50);

	for (int i = 0; i < 80; i++) {
		struct conn c = conn(s, first + i * step, on_port(at("203.0.113.8"), 40000 + i), at("192.0.2.10:443"));
		struct conn_end *client = &c.end[CLIENT];

		offender(e, &c);
		conn_say(&c, CLIENT, TH_SYN, client->isn, 0, 100);
		client->nxt = client->isn + 1;
		conn_syn_ack(&c);
		if (s->harmless) { /* TCP Fast Open: the data is acknowledged too (RFC 7413) */
			client->nxt += 100;
			c.s->segments[c.s->count - 1].ack += 100;
			conn_ack(&c, CLIENT);
		} else {
			conn_ack(&c, CLIENT);
			conn_send(&c, CLIENT, 100);
		}
		conn_send(&c, SERVER, 1000);
		conn_close(&c, CLIENT);
	}
	number(e, "syns_10s", 80, 50);
	number(e, "completed_60s", 80, 0);
	holds(e, first + 49 * step);
	ends(e, window_after(first + 80 * step, 10));
}

/* One try at a target: refused, or not answered at all; a harmless one is answered. */
static void try(struct scene *s, struct expected *e, uint64_t when, struct wire_end from, struct wire_end target,
		bool refuse)
{
	struct conn c = conn(s, when, from, target);

	offender(e, &c);
	conn_syn(&c);
	if (s->harmless) {
		conn_syn_ack(&c);
		go_on(&c);
	} else if (refuse) {
		conn_say(&c, SERVER, TH_RST | TH_ACK, 0, c.end[CLIENT].nxt, 0);
	}
}

#define TARGETS 40

/* 40 ports of one host, all closed. */
void port_scan_vertical(struct scene *s)
{
	struct expected *e = expect(s, "port-scan", "warning", "source", "203.0.113.66");
	uint64_t first = SECONDS(1), step = MILLISECONDS(100);

	for (int i = 0; i < TARGETS; i++)
		try(s, e, first + i * step, at("203.0.113.66:45000"), on_port(at("192.0.2.10"), 1 + i), true);
	between(e, "targets", TARGETS - 4, TARGETS + 4, 20); /* estimates from 256 bits */
	number(e, "success", 0, 20);
	number(e, "hosts", 1, 0);
	between(e, "ports", TARGETS - 4, TARGETS + 4, 0);
	number(e, "attempts_60s", TARGETS, 0);
	number(e, "completed_60s", 0, 0);
	number(e, "one_way_60s", 0, 0);
	holds(e, first + 19 * step);
	ends(e, window_after(first + TARGETS * step, 60));
}

/* Port 22 of 40 hosts: a third of them refuse, the others are silent. */
void port_scan_horizontal(struct scene *s)
{
	struct expected *e = expect(s, "port-scan", "warning", "source", "203.0.113.66");
	uint64_t first = SECONDS(1), step = MILLISECONDS(100);

	for (int i = 0; i < TARGETS; i++)
		try(s, e, first + i * step, at("203.0.113.66:45000"), nth(at("192.0.2.1:22"), i), i % 3 == 2);
	between(e, "targets", TARGETS - 4, TARGETS + 4, 20);
	number(e, "success", 0, 20);
	between(e, "hosts", TARGETS - 4, TARGETS + 4, 0);
	number(e, "ports", 1, 0);
	number(e, "attempts_60s", TARGETS, 0);
	number(e, "completed_60s", 0, 0);
	number(e, "one_way_60s", 0, 0);
	holds(e, first + 9 * step + SECONDS(10)); /* silent ones count after 10 s: the seventh beside 13 refused */
	allow(s, "stale-syn");
	ends(e, window_after(first + TARGETS * step, 60));
}

#define STRAY_SOURCES 400

/*
 * 400 sources, each with an ACK of no connection every three seconds, and room for 64 sources. Then comes one that tries a port
 * a second: it gets a record.
 */
void port_scan_beside_strays(struct scene *s)
{
	struct expected *e = expect(s, "port-scan", "warning", "source", "203.0.113.66");
	uint64_t first = SECONDS(70), step = SECONDS(1), turn = SECONDS(3);

	for (int i = 0; i < STRAY_SOURCES * 45; i++) {
		struct wire_end from = on_port(anyone(at("100.64.0.0"), i % STRAY_SOURCES), 2000 + i / STRAY_SOURCES);
		struct conn c = conn(s, SECONDS(1) + i * turn / STRAY_SOURCES, from, nth(at("192.0.2.1:443"), i % 100));

		conn_say(&c, CLIENT, TH_ACK, c.end[CLIENT].nxt, c.end[SERVER].nxt, 0);
	}
	for (int i = 0; i < TARGETS; i++)
		try(s, e, first + i * step, at("203.0.113.66:45000"), on_port(at("192.0.2.10"), 1 + i), true);
	between(e, "targets", TARGETS - 8, TARGETS + 4, 20);
	number(e, "success", 0, 20);
	number(e, "hosts", 1, 0);
	between(e, "ports", TARGETS - 8, TARGETS + 4, 0);
	between(e, "attempts_60s", TARGETS - 8, TARGETS, 0);
	number(e, "completed_60s", 0, 0);
	number(e, "one_way_60s", 0, 0);
	allow(s, "port-scan"); /* of its /24, which may have been worth a record a moment earlier */
	holds(e, first + 21 * step); /* the first two are those that show that it is worth a record */
	ends(e, window_after(first + TARGETS * step, 60));
}

/* NULL, XMAS, FIN alone, SYN and FIN: none of them may answer to anything. */
void bad_flags(struct scene *s)
{
	static const uint8_t bits[] = { 0, TH_FIN | TH_PSH | TH_URG, TH_FIN, TH_SYN | TH_FIN };
	struct expected *e = expect(s, "bad-flags", "warning", "source", "203.0.113.67");
	uint64_t first = SECONDS(1);

	for (int i = 0; i < 8; i++) {
		struct wire_end from = on_port(at("203.0.113.67"), 45000 + i);
		struct conn c = conn(s, first + i * SECONDS(3), from, at("192.0.2.10:80"));

		offender(e, &c);
		if (s->harmless)
			ordinary(s, first + i * SECONDS(3), from, at("192.0.2.10:80"));
		else
			conn_say(&c, CLIENT, bits[i % 4], c.end[CLIENT].isn, 0, 0);
	}
	number(e, "segments_60s", 8, 5);
	number(e, "completed_60s", 0, 0);
	holds(e, first + 4 * SECONDS(3));
	ends(e, window_after(first + 7 * SECONDS(3), 60));
}
