// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Scenes that look like trouble and are none. (power_off is in closing.c, beside what it looks like.) */
#include "find/scenes.h"

static struct conn opened(struct scene *s, uint64_t when, struct wire_end client, struct wire_end server)
{
	struct conn c = conn(s, when, client, server);

	conn_open(&c);
	conn_exchange(&c, 200, 2000);
	return c;
}

/* A proxy with a connection for each request: load, and so one finding that says no more than that. */
void busy_proxy(struct scene *s)
{
	allow(s, "time-wait-buildup");
	for (int i = 0; i < 7600; i++)
		ordinary(s, SECONDS(1) + i * MILLISECONDS(4), on_port(at("198.51.100.20"), 32768 + i),
			 at("192.0.2.10:8080"));
}

/*
 * 3,000 clients behind one address, 60 connections a second to 40 services: one in fifty is refused or reset, one in forty has
 * its SYN sent again, one in thirty takes a port again that was used a moment ago.
 */
void nat(struct scene *s)
{
	struct wire_end box = at("203.0.113.200");

	for (int i = 0; i < 3000; i++) {
		uint64_t when = SECONDS(1) + i * MILLISECONDS(17);
		struct wire_end service = nth(at("192.0.2.1:443"), i % 40);
		struct conn c = conn(s, when, on_port(box, 1024 + i), service);

		conn_syn(&c);
		if (i % 50 == 0) {
			conn_say(&c, SERVER, TH_RST | TH_ACK, 0, c.end[CLIENT].nxt, 0);
			continue;
		}
		if (i % 40 == 1)
			conn_back_off(&c, CLIENT, 1, SECONDS(1));
		conn_syn_ack(&c);
		conn_ack(&c, CLIENT);
		conn_exchange(&c, 300, 4000);
		if (i % 50 == 1)
			conn_reset(&c, CLIENT, EXACT);
		else
			conn_close(&c, i % 2 ? CLIENT : SERVER);
		if (i % 30 == 0)
			ordinary(s, c.now_ns + SECONDS(2), on_port(box, 1024 + i), service);
	}
}

/*
 * A client uses its port again while the server is in TIME-WAIT, with a lower number and no time stamps: SYN, ACK, RST, which
 * ends TIME-WAIT, and the SYN once more. Assassination, but by the client itself and of no harm.
 */
void low_syn(struct scene *s)
{
	for (int i = 0; i < 30; i++) {
		struct wire_end client = on_port(at("198.51.100.20"), 40000 + i), server = at("192.0.2.10:80");
		struct conn old = conn(s, SECONDS(1) + i * SECONDS(0.5), client, server), c;

		old.timestamps = false;
		conn_open(&old);
		conn_exchange(&old, 200, 2000);
		conn_close(&old, SERVER);
		c = conn(s, old.now_ns + SECONDS(5), client, server);
		c.timestamps = false;
		c.end[CLIENT].isn = old.end[CLIENT].isn - 1000000;
		conn_syn(&c);
		conn_wait(&old, SECONDS(5) + old.gap_ns);
		conn_ack(&old, SERVER);
		conn_no_tcb(&old, CLIENT);
		conn_wait(&c, SECONDS(1));
		conn_again(&c, CLIENT);
		conn_syn_ack(&c);
		conn_ack(&c, CLIENT);
		conn_exchange(&c, 200, 2000);
		conn_close(&c, CLIENT);
	}
}

/* Every segment twice within 1 ms, with the same IP identification: not the sender's doing. */
void network_duplicates(struct scene *s)
{
	for (int i = 0; i < 300; i++) {
		struct conn c = opened(s, SECONDS(1) + i * MILLISECONDS(50),
				       on_port(nth(at("198.51.100.1"), i % 3), 41000 + i), at("192.0.2.10:443"));
		conn_send(&c, SERVER, 100000);
		conn_close(&c, CLIENT);
	}
	scene_double(s, MILLISECONDS(0.3));
}

/* bind() and connect() with a fixed port, again and again: 4 a second, below what is worth telling. */
void port_reuse(struct scene *s)
{
	for (int i = 0; i < 80; i++)
		ordinary(s, SECONDS(1) + i * SECONDS(0.25), on_port(at("198.51.100.20"), 1000 + i % 8),
			 at("192.0.2.10:514"));
	for (int i = 0; i < 80; i++) {
		struct conn c = opened(s, SECONDS(30) + i * SECONDS(0.25), on_port(at("198.51.100.21"), 1000 + i % 8),
				       at("192.0.2.10:514"));

		conn_close(&c, SERVER);
	}
}

/* The client closes while data is on its way: its kernel answers that with RSTs, one for each segment. */
void late_rst(struct scene *s)
{
	for (int i = 0; i < 60; i++) {
		struct conn c =
			opened(s, SECONDS(1) + i * SECONDS(0.4), nth(at("198.51.100.1:40000"), i), at("192.0.2.10:80"));

		conn_fin(&c, CLIENT);
		for (int k = 0; k < 4; k++)
			conn_data(&c, SERVER, 1448);
		for (int k = 0; k < 4; k++)
			conn_say(&c, CLIENT, TH_RST, c.last[SERVER].ack, 0, 0);
	}
}

/* Uploads that end with a FIN; the answer comes after 40 s of work, or bit by bit for 100 s. */
void half_close_uploads(struct scene *s)
{
	for (int i = 0; i < 40; i++) {
		struct conn c =
			conn(s, SECONDS(1) + i * SECONDS(0.5), nth(at("198.51.100.1:40000"), i), at("192.0.2.10:80"));

		conn_open(&c);
		conn_send(&c, CLIENT, 50000);
		conn_half_close(&c, CLIENT);
		for (int k = 0; k < 10 && i % 2; k++) {
			conn_wait(&c, SECONDS(10));
			conn_send(&c, SERVER, 500);
		}
		conn_wait(&c, SECONDS(40));
		conn_send(&c, SERVER, 500);
		conn_half_close(&c, SERVER);
	}
}

/* Silent for minutes, but there when asked. */
void keep_alives(struct scene *s)
{
	for (int i = 0; i < 20; i++) {
		struct conn c =
			opened(s, SECONDS(1) + i * SECONDS(0.1), nth(at("198.51.100.1:40000"), i), at("192.0.2.10:22"));

		for (int k = 0; k < 8; k++) {
			conn_wait(&c, SECONDS(15));
			conn_probe(&c, k % 2 ? CLIENT : SERVER);
			conn_ack(&c, k % 2 ? SERVER : CLIENT);
		}
		conn_close(&c, CLIENT);
	}
}

/* A player that shuts its window for 20 s at a time while it plays what it has. */
void slow_consumer(struct scene *s)
{
	for (int i = 0; i < 25; i++) {
		struct conn c = opened(s, SECONDS(1) + i * SECONDS(0.2), on_port(at("198.51.100.7"), 40000 + i),
				       at("192.0.2.10:80"));

		for (int k = 0; k < 4; k++) {
			conn_send(&c, SERVER, 20000);
			conn_window(&c, CLIENT, 0);
			for (int p = 0; p < 4; p++) {
				conn_wait(&c, SECONDS(5));
				conn_probe(&c, SERVER);
				conn_ack(&c, CLIENT);
			}
			conn_window(&c, CLIENT, 502);
		}
		conn_close(&c, SERVER);
	}
}

/* Only what one side sends passes here. */
static void one_way(struct scene *s, enum side side)
{
	size_t kept = 0;
	uint64_t last = 0;

	for (size_t i = 0; i < s->count; i++) {
		bool from_server = s->ends[s->segments[i].end[0]].port < 1024;

		if (from_server != (side == SERVER))
			continue;
		s->segments[kept] = s->segments[i];
		last = s->segments[kept++].at_ns;
	}
	s->count = kept;
	s->last_ns = last;
}

/* 600 connections, also of one address to many services, half of which wait 40 s for their answer. */
static void asymmetric(struct scene *s)
{
	for (int i = 0; i < 600; i++) {
		struct conn c =
			opened(s, SECONDS(1) + i * SECONDS(0.05), on_port(nth(at("198.51.100.1"), i % 4), 40000 + i),
			       nth(at("192.0.2.1:443"), i % 100));

		if (i % 2)
			conn_wait(&c, SECONDS(40));
		conn_exchange(&c, 200, 3000);
		conn_close(&c, i % 3 ? CLIENT : SERVER);
	}
}

/* Some SYNs come again and again; whether anything answered them cannot be known here. */
void one_way_client(struct scene *s)
{
	asymmetric(s);
	for (int i = 0; i < 12; i++) {
		struct conn c = conn(s, SECONDS(2) + i * SECONDS(0.1),
				     on_port(nth(at("198.51.100.1"), i % 4), 50000 + i), nth(at("192.0.2.1:443"), i));

		conn_syn(&c);
		conn_back_off(&c, CLIENT, 4, SECONDS(1));
	}
	one_way(s, CLIENT);
}

/* 500 SYNs a second from spoofed sources, which the service answers, while ordinary clients go on. */
static void asymmetric_flood(struct scene *s)
{
	asymmetric(s);
	for (int i = 0; i < 3000; i++) {
		struct wire_end from = on_port(anyone(at("100.64.0.0"), i), 1024 + i);
		struct conn c = conn(s, SECONDS(10) + i * MILLISECONDS(2), from, at("192.0.2.10:443"));

		conn_syn(&c);
		conn_syn_ack(&c);
	}
}

void one_way_flood_client(struct scene *s)
{
	asymmetric_flood(s);
	one_way(s, CLIENT);
}

void one_way_flood_server(struct scene *s)
{
	asymmetric_flood(s);
	one_way(s, SERVER);
}

/* SYN-ACKs without SYNs, of many services to one address: but data follows, so it did ask (T51). */
void one_way_server(struct scene *s)
{
	asymmetric(s);
	one_way(s, SERVER);
}

/* The capture begins in the middle of 3,000 connections, busy and idle ones, some of them just closing. */
void restart(struct scene *s)
{
	for (int i = 0; i < 3000; i++) {
		struct conn c =
			conn(s, SECONDS(1) + i * MILLISECONDS(3), nth(at("198.18.0.1:40000"), i), at("192.0.2.10:443"));

		c.end[CLIENT].got = c.end[SERVER].nxt;
		c.end[SERVER].got = c.end[CLIENT].nxt;
		if (i % 3 == 0)
			conn_probe(&c, SERVER), conn_ack(&c, CLIENT);
		else if (i % 3 == 1)
			conn_exchange(&c, 300, 3000);
		if (i % 5 == 0)
			conn_close(&c, i % 2 ? CLIENT : SERVER);
	}
}

/* 90 downloads a second from a service that has just come up; its readers abort one in eight. */
void aborted_downloads(struct scene *s)
{
	for (int i = 0; i < 2000; i++) {
		struct conn c = opened(s, SECONDS(1) + i * MILLISECONDS(11), nth(at("198.18.0.1:40000"), i),
				       at("192.0.2.10:80"));

		if (i % 8)
			conn_close(&c, i % 2 ? CLIENT : SERVER);
		else
			conn_reset(&c, CLIENT, EXACT);
	}
}

/* Three balancers look at 4 services every 2 s: half of the looks end by a RST after the handshake, half within it. */
void health_checks(struct scene *s)
{
	for (int i = 0; i < 360; i++) {
		struct wire_end from = on_port(nth(at("198.51.100.2"), i % 3), 40000 + i);
		struct conn c = conn(s, SECONDS(1) + i * SECONDS(0.5) / 3, from, nth(at("192.0.2.1:443"), i % 4));

		conn_syn(&c);
		conn_syn_ack(&c);
		if (i % 2) {
			conn_ack(&c, CLIENT);
			conn_reset(&c, CLIENT, EXACT);
		} else {
			conn_no_tcb(&c, CLIENT);
		}
	}
}

/* A service is down; 100 clients try it once a second and are refused, and a supervisor tries 10 more ports beside it. */
void dead_service(struct scene *s)
{
	for (int i = 0; i < 2000; i++) {
		struct conn c =
			conn(s, SECONDS(1) + i * MILLISECONDS(10), on_port(nth(at("198.51.100.1"), i % 100), 40000 + i),
			     i % 100 ? at("192.0.2.10:8080") : on_port(at("192.0.2.10"), 8080 + i / 100 % 10));

		conn_syn(&c);
		conn_say(&c, SERVER, TH_RST | TH_ACK, 0, c.end[CLIENT].nxt, 0);
	}
}
