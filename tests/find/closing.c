// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Scenes of the end of connections: TIME-WAIT and the states before it. */
#include <stdlib.h>

#include "find/scenes.h"

#define MSL2 SECONDS(60)

/* Open, and closed by that side at once; the clock stands at the last ACK. */
static struct conn closed(struct scene *s, uint64_t when, struct wire_end client, struct wire_end server, enum side by)
{
	struct conn c = conn(s, when, client, server);

	conn_open(&c);
	conn_close_short(&c, by);
	return c;
}

#define PAIR_TIME_WAIT 9000
#define PORTS 28232 /* of Linux's default range */

/* A client that opens a connection for each request, 250 a second, and closes it first. */
void time_wait_buildup(struct scene *s)
{
	struct expected *e = expect(s, "time-wait-buildup", "info", "source", "198.51.100.20 > 192.0.2.10:80");
	uint64_t step = MILLISECONDS(4);
	int few = PORTS / 4 + 1; /* more than 25 % */

	for (int i = 0; i < PAIR_TIME_WAIT; i++) {
		uint64_t when = SECONDS(1) + i * (s->harmless ? 3 * step : step);
		struct conn c = closed(s, when, on_port(at("198.51.100.20"), 32768 + i), at("192.0.2.10:80"), CLIENT);

		offender(e, &c);
		if (i == few - 1)
			holds(e, c.now_ns - 2 * c.gap_ns);
	}
	between(e, "time_wait", few * 8 / 10, PAIR_TIME_WAIT, 8192);
	between(e, "share", 25 * 8 / 10, PAIR_TIME_WAIT * 100 / PORTS, 25);
	peak(e, PAIR_TIME_WAIT, PAIR_TIME_WAIT);
	e->no_samples = true; /* a pair is a number */
	ends(e, SECONDS(1) + (PAIR_TIME_WAIT - few * 8 / 10) * step + MSL2);
}

/* 23,000 connections of one client to one service, 81 % of its ports; the server closes 5,000 of them 30 s later. */
void port_exhaustion(struct scene *s)
{
	struct expected *e = expect(s, "port-exhaustion", "warning", "source", "198.51.100.20 > 192.0.2.10:5432");
	uint64_t step = MILLISECONDS(0.5), first = SECONDS(1);
	int n = s->harmless ? 15000 : 23000, enough = PORTS * 80 / 100 + 1, over = enough * 8 / 10;

	for (int i = 0; i < n; i++) {
		struct conn c =
			conn(s, first + i * step, on_port(at("198.51.100.20"), 32768 + i), at("192.0.2.10:5432"));

		offender(e, &c);
		conn_open(&c);
		if (i == enough - 1)
			holds(e, first + i * step);
		conn_wait(&c, SECONDS(30));
		if (i < 5000)
			conn_close(&c, SERVER);
	}
	between(e, "ports", over, n, enough);
	between(e, "share", 80 * 8 / 10, 81, 80);
	number(e, "range", PORTS, 0);
	peak(e, n, n + n / 20); /* who is just closing may be counted twice, as open ones are counted by halves */
	e->no_samples = true;
	ends(e, first + (n - over) * step + SECONDS(30) + MSL2);
}

/* 80 ports used again 3 s after the server closed: its TIME-WAIT takes the newer SYN (RFC 6191). */
void time_wait_reuse(struct scene *s)
{
	struct expected *e = expect(s, "time-wait-reuse", "info", "source", "198.51.100.20");
	uint64_t first = SECONDS(0.5), step = MILLISECONDS(70);

	for (int i = 0; i < 80; i++) {
		uint32_t port = 40000 + i + (s->harmless ? 1000 : 0);
		struct wire_end client = at("198.51.100.20"), server = at("192.0.2.10:80");
		struct conn c = closed(s, first + i * step, on_port(client, 40000 + i), server, SERVER);

		c = closed(s, c.now_ns + SECONDS(3), on_port(client, port), server, SERVER);
		offender(e, &c);
		if (i == 49)
			holds(e, c.now_ns - 6 * c.gap_ns);
	}
	number(e, "reuses_10s", 80, 50);
	ends(e, SECONDS(20));
}

/* The server, long CLOSED, ends the client's TIME-WAIT by a RST with exactly the next number (RFC 1337). */
void time_wait_assassination(struct scene *s)
{
	struct conn c = closed(s, SECONDS(1), at("198.51.100.20:40000"), at("192.0.2.10:80"), CLIENT);
	struct expected *e = expect_flow(s, "time-wait-assassination", "warning", &c);

	conn_wait(&c, SECONDS(5));
	if (!s->harmless)
		conn_say(&c, SERVER, TH_RST, c.end[SERVER].nxt, 0, 0);
	number(e, "flows", 1, 0);
	between(e, "resets", 0, 1, 3);
	holds(e, c.now_ns - c.gap_ns);
	ends_between(e, c.now_ns, c.now_ns + SECONDS(11));
}

/* Three tries that miss; TIME-WAIT stays. */
void time_wait_assassination_inexact(struct scene *s)
{
	struct conn c = closed(s, SECONDS(1), at("[2001:db8:7::1]:40000"), at("[2001:db8::10]:80"), CLIENT);
	struct expected *e = expect_flow(s, "time-wait-assassination", "warning", &c);

	for (int i = 0; i < 3 && !s->harmless; i++) {
		conn_wait(&c, SECONDS(2));
		conn_say(&c, SERVER, TH_RST, c.end[SERVER].nxt + 50 + 100000000 * i, 0, 0);
	}
	number(e, "flows", 1, 0);
	number(e, "resets", 3, 3);
	holds(e, c.now_ns - c.gap_ns);
	ends_between(e, SECONDS(1) + MSL2, SECONDS(12) + MSL2); /* with TIME-WAIT */
}

/* A FIN ten times in 5 s, each time without an answer. */
void fin_storm_flow(struct scene *s)
{
	struct conn c = conn(s, SECONDS(1), at("198.51.100.20:40000"), at("192.0.2.10:80"));
	struct expected *e = expect_flow(s, "fin-storm", "warning", &c);

	conn_open(&c);
	conn_half_close(&c, CLIENT);
	conn_fin(&c, SERVER);
	for (int i = 0; i < 10 && !s->harmless; i++) {
		conn_wait(&c, SECONDS(0.5) - c.gap_ns);
		conn_again(&c, SERVER);
		if (i == 7)
			holds(e, c.now_ns - c.gap_ns);
	}
	number(e, "fins_10s", 10, 1000);
	number(e, "fins_of_one_flow", 10, 8);
	number(e, "flows", 1, 0);
	conn_wait(&c, SECONDS(2));
	conn_ack(&c, CLIENT);
	ends(e, c.now_ns + SECONDS(10));
}

static int by_time(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* 300 connections of one client are over, and it repeats the FIN of each five times into the server's TIME-WAIT. */
void fin_storm_source(struct scene *s)
{
	struct expected *e = expect(s, "fin-storm", "warning", "source", "203.0.113.40");
	uint64_t first = SECONDS(0.5), step = MILLISECONDS(10), when[1500];
	int n = 0;

	for (int i = 0; i < 300; i++) {
		struct conn c = closed(s, first + i * step, on_port(at("203.0.113.40"), 40000 + i), at("192.0.2.10:80"),
				       SERVER);

		offender(e, &c);
		for (int k = 0; k < 5 && !s->harmless; k++) {
			conn_wait(&c, SECONDS(1) - 2 * c.gap_ns);
			when[n++] = c.now_ns;
			conn_again(&c, CLIENT);
			conn_again(&c, SERVER);
		}
	}
	qsort(when, n, sizeof(*when), by_time);
	number(e, "fins_10s", 1500, 1000);
	number(e, "fins_of_one_flow", 0, 8);
	number(e, "flows", 0, 0);
	holds(e, n ? when[999] : 0);
	ends(e, SECONDS(20));
}

/* The client, long CLOSED, acknowledges once more every 10 s: 2MSL of the server's TIME-WAIT begins anew each time. */
void time_wait_pinning(struct scene *s)
{
	struct conn c = closed(s, SECONDS(1), at("203.0.113.40:40000"), at("192.0.2.10:80"), SERVER);
	struct expected *e = expect_flow(s, "time-wait-pinning", "warning", &c);

	for (int i = 0; i < 8 && !s->harmless; i++) {
		conn_wait(&c, SECONDS(10) - c.gap_ns);
		conn_say(&c, CLIENT, TH_ACK, c.end[CLIENT].nxt, c.end[CLIENT].got, 0);
		if (i == 5)
			holds(e, c.now_ns - c.gap_ns);
	}
	number(e, "flows", 1, 0);
	number(e, "restarts", 7, 5); /* and more are not counted */
	between(e, "age", SECONDS(138), SECONDS(141), 0);
	ends(e, c.now_ns + MSL2);
}

/* The client closes; the server's application does not, until 80 s later. */
void close_wait_leak_flow(struct scene *s)
{
	struct conn c = conn(s, SECONDS(1), at("198.51.100.20:40000"), at("192.0.2.10:8080"));
	struct expected *e = expect_flow(s, "close-wait-leak", "info", &c);

	conn_open(&c);
	conn_exchange(&c, 200, 200);
	conn_half_close(&c, CLIENT);
	number(e, "flows", 1, 100);
	between(e, "idle", SECONDS(78), SECONDS(80.1), SECONDS(60));
	number(e, "grown_30s", 0, 0);
	holds(e, c.now_ns - c.gap_ns + SECONDS(60));
	if (!s->harmless)
		conn_wait(&c, SECONDS(80));
	ends(e, c.now_ns);
	conn_half_close(&c, SERVER);
	allow(s, "fin-wait-2-hang"); /* the other end of the same */
}

/* Two connections a second for 80 s; none is closed by the server until 146 s. */
void close_wait_leak_service(struct scene *s)
{
	struct expected *e = expect(s, "close-wait-leak", "warning", "service", "192.0.2.10:8080");
	uint64_t first = SECONDS(1), step = SECONDS(0.5);

	for (int i = 0; i < 160; i++) {
		struct conn c = conn(s, first + i * step, nth(at("198.51.100.1:40000"), i), at("192.0.2.10:8080"));

		offender(e, &c);
		conn_open(&c);
		conn_exchange(&c, 200, 200);
		conn_half_close(&c, CLIENT);
		if (!i) /* one would do; 100, and growing, make it a warning */
			holds(e, c.now_ns - c.gap_ns + SECONDS(60));
		if (!s->harmless)
			conn_wait(&c, SECONDS(145) - i * step);
		conn_half_close(&c, SERVER);
	}
	number(e, "flows", 160, 100);
	between(e, "idle", SECONDS(143), SECONDS(145.1), SECONDS(60));
	between(e, "grown_30s", 55, 61, 0);
	ends(e, first + SECONDS(145));
	allow(s, "fin-wait-2-hang");
}

/* The same seen from the other end: the server has closed, the client never does. */
void fin_wait_2_hang(struct scene *s)
{
	struct conn c = conn(s, SECONDS(1), at("198.51.100.20:40000"), at("192.0.2.10:8080"));
	struct expected *e = expect_flow(s, "fin-wait-2-hang", "info", &c);

	conn_open(&c);
	conn_exchange(&c, 200, 200);
	conn_half_close(&c, SERVER);
	number(e, "flows", 1, 0);
	between(e, "idle", SECONDS(78), SECONDS(80.1), SECONDS(60));
	holds(e, c.now_ns - c.gap_ns + SECONDS(60));
	if (!s->harmless)
		conn_wait(&c, SECONDS(80));
	ends(e, c.now_ns);
	conn_half_close(&c, CLIENT);
	allow(s, "close-wait-leak");
}

/*
 * n clients, one every step, close their connections and are gone before the server's FIN comes: it sends it again after
 * 0.2, 0.4, 0.8 ... 12.8 s. The service has others that stay open.
 */
static void last_acks(struct scene *s, struct expected *e, int n, uint64_t step, int others)
{
	for (int i = 0; i < others; i++) {
		struct conn c =
			conn(s, SECONDS(1) + i * MILLISECONDS(1), nth(at("198.18.0.1:40000"), i), at("192.0.2.10:443"));

		conn_open(&c);
	}
	for (int i = 0; i < n; i++) {
		struct conn c = conn(s, SECONDS(5) + i * step, nth(at("198.19.0.1:40000"), i), at("192.0.2.10:443"));

		if (e)
			offender(e, &c);
		conn_open(&c);
		conn_half_close(&c, CLIENT);
		conn_fin(&c, SERVER);
		if (e && s->harmless)
			conn_ack(&c, CLIENT);
		else
			conn_back_off(&c, SERVER, 7, SECONDS(0.2));
	}
}

#define OLD SECONDS(10)	    /* in LAST-ACK: then it counts ... */
#define GOES_ON SECONDS(10) /* ... and so long more must come, else it is what a power failure leaves behind */

/* It ends when fewer than 5 % of n are young. */
static uint64_t no_more_come(int n, uint64_t step)
{
	return SECONDS(5) + (n - n / 20) * step + OLD;
}

void last_ack_flood_max(struct scene *s)
{
	struct expected *e = expect(s, "last-ack-flood", "warning", "service", "192.0.2.10:443");
	uint64_t step = MILLISECONDS(25);
	int n = 1400;

	last_acks(s, e, n, step, 6000);
	between(e, "last_ack_old", n * 94 / 100, n * 96 / 100, 500);
	between(e, "share", 18, 19, 20);
	number(e, "last_ack", n, 0);
	number(e, "flows", 6000 + n, 0);
	number(e, "age", 0, OLD);
	e->no_samples = true;
	holds(e, SECONDS(5) + 500 * step + OLD + GOES_ON);
	ends(e, no_more_come(n, step));
}

void last_ack_flood_share(struct scene *s)
{
	struct expected *e = expect(s, "last-ack-flood", "warning", "service", "192.0.2.10:443");
	uint64_t step = MILLISECONDS(100);
	int n = 350;

	last_acks(s, e, n, step, 600);
	between(e, "last_ack_old", n * 92 / 100, n * 96 / 100, 500);
	between(e, "share", 36, 37, 20);
	number(e, "last_ack", n, 0);
	number(e, "flows", 600 + n, 0);
	number(e, "age", 0, OLD);
	e->no_samples = true;
	holds(e, SECONDS(5) + 100 * step + OLD + GOES_ON);
	ends(e, no_more_come(n, step));
}

/* 400 of 2,400 clients of a service lose power in the middle of their shutdown: as above, but not worth a finding. */
void power_off(struct scene *s)
{
	last_acks(s, NULL, 400, MILLISECONDS(7), 2000);
}
