// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Scenes of open connections, and of segments that belong to none. */
#include "find/scenes.h"

#define TOMBSTONE SECONDS(11) /* what is over is seen for so long */

static struct conn opened(struct scene *s, uint64_t when, const char *client, const char *server)
{
	struct conn c = conn(s, when, at(client), at(server));

	conn_open(&c);
	conn_exchange(&c, 200, 3000);
	return c;
}

/* Data that nobody acknowledges, again after 0.2, 0.4, 0.8 ... 25.6 s; at 60 s the peer is back. */
void dead_peer_data(struct scene *s)
{
	struct conn c = opened(s, SECONDS(1), "198.51.100.7:40000", "192.0.2.10:5432");
	struct expected *e = expect_flow(s, "dead-peer", "warning", &c);
	uint64_t heard = c.now_ns - c.gap_ns, said;

	conn_wait(&c, SECONDS(1));
	said = c.now_ns;
	conn_data(&c, CLIENT, 500);
	if (!s->harmless) {
		conn_back_off(&c, CLIENT, 8, SECONDS(0.2));
		conn_wait(&c, said + SECONDS(60) - c.now_ns);
	}
	number(e, "flows", 1, 0);
	between(e, "silence", SECONDS(59), SECONDS(62), SECONDS(30));
	number(e, "unanswered", 8, 5);
	holds(e, heard + SECONDS(30));
	ends(e, c.now_ns);
	conn_ack(&c, SERVER);
	conn_wait(&c, SECONDS(2));
	conn_close(&c, CLIENT);
}

/* Keep-alive probes every 15 s: four without an answer, then one with. */
void dead_peer_probes(struct scene *s)
{
	struct conn c = opened(s, SECONDS(1), "[2001:db8:7::1]:40000", "[2001:db8::10]:22");
	struct expected *e = expect_flow(s, "dead-peer", "warning", &c);

	for (int i = 0; i < 5; i++) {
		conn_wait(&c, SECONDS(15) - c.gap_ns);
		conn_probe(&c, SERVER);
		if (i == 2)
			holds(e, c.now_ns - c.gap_ns);
		if (s->harmless || i == 4)
			conn_ack(&c, CLIENT);
	}
	number(e, "flows", 1, 0);
	between(e, "silence", SECONDS(73), SECONDS(76), SECONDS(30));
	number(e, "unanswered", 4, 3);
	ends(e, c.now_ns);
	conn_wait(&c, SECONDS(2));
	conn_exchange(&c, 200, 3000);
	conn_close(&c, CLIENT);
}

/* The server's host has forgotten the connection; it says so when it is asked (RFC 9293 section 3.5.1). */
void dead_peer_no_tcb(struct scene *s)
{
	struct conn c = opened(s, SECONDS(1), "198.51.100.7:40000", "192.0.2.10:5432");
	struct expected *e = expect_flow(s, "dead-peer", "warning", &c);

	conn_wait(&c, SECONDS(20));
	if (s->harmless) {
		conn_exchange(&c, 500, 500);
		conn_close(&c, CLIENT);
		return;
	}
	conn_data(&c, CLIENT, 500);
	conn_no_tcb(&c, SERVER);
	number(e, "flows", 1, 0);
	number(e, "silence", 0, SECONDS(30)); /* it does speak */
	number(e, "unanswered", 0, 3);
	holds(e, c.now_ns - c.gap_ns);
	ends_between(e, c.now_ns, c.now_ns + TOMBSTONE);
}

/* The client's host restarted and uses the port again: SYN, challenge ACK, RST, and the SYN once more (figure 9). */
void dead_peer_reboot(struct scene *s)
{
	struct conn c = opened(s, SECONDS(1), "198.51.100.7:40000", "192.0.2.10:5432");
	struct expected *e = expect_flow(s, "dead-peer", "warning", &c);
	struct conn again;

	conn_wait(&c, SECONDS(8));
	if (s->harmless)
		conn_close(&c, CLIENT);
	again = conn(s, c.now_ns, c.end[CLIENT].at, c.end[SERVER].at);
	again.end[CLIENT].isn += 77000000; /* the new incarnation knows nothing of the old one's numbers */
	conn_syn(&again);
	if (!s->harmless) {
		conn_wait(&c, c.gap_ns);
		conn_say(&c, SERVER, TH_ACK, c.end[SERVER].nxt, c.end[SERVER].got, 0);
		conn_no_tcb(&c, CLIENT);
		number(e, "flows", 1, 0);
		number(e, "silence", 0, SECONDS(30));
		number(e, "unanswered", 0, 3);
		holds(e, c.now_ns - c.gap_ns);
		ends_between(e, c.now_ns, c.now_ns + SECONDS(10) + TOMBSTONE);
		conn_wait(&again, SECONDS(1));
		conn_again(&again, CLIENT);
	}
	conn_syn_ack(&again);
	conn_ack(&again, CLIENT);
	conn_exchange(&again, 200, 3000);
	conn_close(&again, CLIENT);
}

/* The client takes nothing for 90 s; the server's probes, every 5 s, are answered. */
void zero_window_flow(struct scene *s)
{
	struct conn c = opened(s, SECONDS(1), "198.51.100.7:40000", "192.0.2.10:80");
	struct expected *e = expect_flow(s, "zero-window", "warning", &c);
	uint64_t shut = c.now_ns;

	conn_data(&c, SERVER, 1448);
	conn_window(&c, CLIENT, s->harmless ? 502 : 0);
	for (int i = 0; i < 18; i++) {
		conn_wait(&c, SECONDS(5) - 2 * c.gap_ns);
		conn_probe(&c, SERVER);
		conn_ack(&c, CLIENT);
	}
	number(e, "flows", 1, 20);
	between(e, "shut", SECONDS(88), SECONDS(91), SECONDS(60));
	holds(e, shut + SECONDS(60));
	ends(e, c.now_ns);
	conn_window(&c, CLIENT, 502);
	conn_send(&c, SERVER, 5000);
	conn_close(&c, SERVER);
}

#define SHUT 30

/* sockstress: 30 connections of one source, each with a window of 0 as soon as it is open. */
void zero_window_source(struct scene *s)
{
	struct expected *e = expect(s, "zero-window", "warning", "source", "203.0.113.30");
	uint64_t first = SECONDS(1), step = MILLISECONDS(50);

	for (int i = 0; i < SHUT; i++) {
		struct conn c = conn(s, first + i * step, on_port(at("203.0.113.30"), 40000 + i), at("192.0.2.10:80"));

		offender(e, &c);
		conn_syn(&c);
		conn_syn_ack(&c);
		conn_window(&c, CLIENT, s->harmless ? 502 : 0);
		conn_send(&c, CLIENT, 100);
		conn_wait(&c, SECONDS(20));
		conn_window(&c, CLIENT, 502);
		conn_send(&c, SERVER, 1000);
		conn_close(&c, SERVER);
	}
	number(e, "flows", SHUT, 20); /* in 60 s */
	number(e, "shut", 0, SECONDS(60));
	holds(e, first + 19 * step);
	ends(e, window_after(first + SHUT * step, 60));
}

/* Four RSTs with a guessed number, two inside the window, one outside; the connection goes on. */
void rst_injection(struct scene *s)
{
	struct conn c = opened(s, SECONDS(1), "198.51.100.7:40000", "192.0.2.10:179");
	struct expected *e = expect_flow(s, "rst-injection", "warning", &c);
	uint64_t last = 0;

	for (int i = 0; i < 4; i++) {
		conn_wait(&c, SECONDS(1));
		if (!s->harmless) {
			c.end[CLIENT].ttl = 44;
			conn_reset(&c, CLIENT, i == 3 ? OUT_OF_WINDOW : IN_WINDOW);
			last = c.now_ns;
			if (i == 2)
				holds(e, last - c.gap_ns);
			c.end[CLIENT].ttl = 57;
			conn_say(&c, SERVER, TH_ACK, c.end[SERVER].nxt, c.end[SERVER].got, 0);
		}
		conn_exchange(&c, 100, 100);
	}
	number(e, "flows", 1, 0);
	number(e, "resets", 3, 3);				 /* and more are not counted */
	ends_between(e, last + SECONDS(58), last + SECONDS(61)); /* held against it for a minute */
	conn_close(&c, CLIENT);
}

/* A RST that hits, but the client, who did not send it, goes on within 2 s. */
void rst_injection_exact(struct scene *s)
{
	struct conn c = opened(s, SECONDS(1), "198.51.100.7:40000", "192.0.2.10:179");
	struct expected *e = expect_flow(s, "rst-injection", "warning", &c);

	conn_wait(&c, SECONDS(5));
	if (s->harmless) {
		conn_exchange(&c, 100, 100);
		conn_reset(&c, CLIENT, EXACT);
		return;
	}
	c.end[CLIENT].ttl = 44;
	conn_reset(&c, CLIENT, EXACT);
	c.end[CLIENT].ttl = 57;
	conn_wait(&c, SECONDS(0.3));
	conn_data(&c, CLIENT, 100);
	holds(e, c.now_ns - c.gap_ns);
	conn_no_tcb(&c, SERVER);
	number(e, "flows", 1, 0);
	between(e, "resets", 0, 1, 3);
	ends_between(e, c.now_ns, c.now_ns + TOMBSTONE);
}

/* A SYN into an open connection; its peer, asked by the challenge ACK, knows nothing of it and goes on. */
void syn_injection(struct scene *s)
{
	struct conn c = opened(s, SECONDS(1), "198.51.100.7:40000", "192.0.2.10:22");
	struct expected *e = expect_flow(s, "syn-injection", "warning", &c);
	uint64_t said;

	conn_wait(&c, SECONDS(2));
	said = c.now_ns;
	if (!s->harmless) {
		conn_say(&c, CLIENT, TH_SYN, c.end[CLIENT].nxt + 5000, 0, 0);
		conn_say(&c, SERVER, TH_ACK, c.end[SERVER].nxt, c.end[SERVER].got, 0);
	}
	conn_wait(&c, SECONDS(0.5));
	holds(e, c.now_ns);
	conn_exchange(&c, 300, 300);
	number(e, "flows", 1, 0);
	number(e, "syns", 1, 0);
	ends_between(e, said + SECONDS(58), said + SECONDS(61));
	conn_wait(&c, SECONDS(1));
	conn_close(&c, CLIENT);
}

/* 600 segments of a download within 6 s, every tenth sent again; then it goes on without, until those are less than 5 %. */
void retransmission_flow(struct scene *s)
{
	struct conn c = opened(s, SECONDS(1), "198.51.100.7:40000", "192.0.2.10:80");
	struct expected *e = expect_flow(s, "retransmission", "info", &c);
	int again = 0, sent = 1 + 1 + 3; /* of the server: SYN-ACK, ACK, response */

	for (int i = 0; i < 600; i++) {
		conn_data(&c, SERVER, 1448);
		conn_wait(&c, MILLISECONDS(8));
		if (!s->harmless && i % 10 == 9) {
			conn_again(&c, SERVER);
			if (++again == 20)
				holds(e, c.now_ns);
		}
		if (i % 2)
			conn_ack(&c, CLIENT);
	}
	number(e, "repeated", 60, 20);
	number(e, "share", 5, 5);
	number(e, "flows", 1, 0);
	number(e, "handshake_share", 0, 30);
	number(e, "handshakes_repeated_10s", 0, 0);
	number(e, "handshakes_10s", 0, 0);
	for (sent += 660; sent < 1500; sent++) {
		if (sent == 60 * 100 / 5)
			ends(e, c.now_ns);
		conn_wait(&c, SECONDS(0.03));
		conn_send(&c, SERVER, 1448);
	}
	conn_close(&c, SERVER);
}

#define HANDSHAKES 120

/* The first SYN, or the first SYN-ACK, of each connection is lost behind us. */
static void lossy(struct scene *s, struct expected *e, bool syn)
{
	uint64_t first = SECONDS(0.5), step = MILLISECONDS(60);

	for (int i = 0; i < HANDSHAKES; i++) {
		struct wire_end client =
			syn ? on_port(at("198.51.100.30"), 40000 + i) : nth(at("198.51.100.1:40000"), i);
		struct conn c =
			conn(s, first + i * step, client, syn ? nth(at("192.0.2.1:80"), i % 60) : at("192.0.2.10:80"));

		offender(e, &c);
		conn_syn(&c);
		if (syn && !s->harmless)
			conn_back_off(&c, CLIENT, 1, SECONDS(1));
		conn_syn_ack(&c);
		if (!syn && !s->harmless)
			conn_back_off(&c, SERVER, 1, SECONDS(1));
		conn_ack(&c, CLIENT);
		conn_exchange(&c, 100, 100);
		conn_close(&c, CLIENT);
	}
	number(e, "repeated", HANDSHAKES, 20); /* all within the first 10 s */
	number(e, "share", 0, 5);	       /* of a flow */
	number(e, "flows", 0, 0);
	number(e, "handshake_share", 100, 30); /* each was sent again */
	number(e, "handshakes_repeated_10s", HANDSHAKES, 0);
	number(e, "handshakes_10s", HANDSHAKES, 0);
	e->no_samples = !syn; /* a service keeps those that are half open */
	holds(e, first + 49 * step);
	ends(e, SECONDS(20));
}

void retransmission_source(struct scene *s)
{
	lossy(s, expect(s, "retransmission", "info", "source", "198.51.100.30"), true);
}

void retransmission_service(struct scene *s)
{
	lossy(s, expect(s, "retransmission", "info", "service", "192.0.2.10:80"), false);
}

/* 80 of 100 connections of 50 clients end by a RST of the server, which leaves what it was sent unread. */
void abort_rate(struct scene *s)
{
	struct expected *e = expect(s, "abort-rate", "info", "service", "192.0.2.10:8080");
	uint64_t first = SECONDS(0.5), step = MILLISECONDS(80);

	for (int i = 0; i < 100; i++) {
		struct conn c = conn(s, first + i * step, nth(at("198.51.100.1:40000"), i), at("192.0.2.10:8080"));

		conn_open(&c);
		conn_data(&c, CLIENT, 500);
		if (i % 5 && !s->harmless) {
			conn_reset(&c, SERVER, EXACT);
			continue;
		}
		conn_send(&c, SERVER, 500);
		conn_close(&c, SERVER);
	}
	number(e, "resets_10s", 80, 50);
	number(e, "share", 80, 50);
	number(e, "ends_10s", 100, 0);
	e->no_samples = true;
	holds(e, first + 62 * step); /* the 50th */
	ends(e, SECONDS(20));
}

/* ---- segments of no connection; in the first 120 s they could be of connections that were there before ---- */
#define GRACE SECONDS(130)

static void before_grace(struct scene *s)
{
	for (int i = 0; i < 50; i++)
		ordinary(s, SECONDS(1) + i * SECONDS(2.4), nth(at("198.51.100.1:50000"), i), at("192.0.2.10:443"));
}

/* An ACK of no connection; the server's host answers each by a RST. */
static void stray(struct scene *s, struct expected *e, uint64_t when, struct wire_end from, struct wire_end service,
		  bool answer)
{
	struct conn c = conn(s, when, from, service);

	offender(e, &c);
	if (s->harmless) {
		conn_open(&c);
		conn_close(&c, CLIENT);
		return;
	}
	c.end[CLIENT].got = c.end[SERVER].nxt;
	conn_ack(&c, CLIENT);
	if (answer)
		conn_no_tcb(&c, SERVER);
}

#define STRAYS 1500

void out_of_state_source(struct scene *s)
{
	struct expected *e = expect(s, "out-of-state-flood", "warning", "source", "203.0.113.70");
	uint64_t step = MILLISECONDS(4);

	before_grace(s);
	for (int i = 0; i < STRAYS; i++)
		stray(s, e, GRACE + i * step, on_port(at("203.0.113.70"), 2000 + i), nth(at("192.0.2.10:443"), i % 3),
		      true);
	number(e, "segments_10s", STRAYS, 1000);
	number(e, "strays_10s", 0, 10000);
	number(e, "completed_60s", 0, 0);
	holds(e, GRACE + 999 * step);
	ends(e, GRACE + SECONDS(20));
}

void out_of_state_service(struct scene *s)
{
	struct expected *e = expect(s, "out-of-state-flood", "warning", "service", "192.0.2.10:443");
	uint64_t step = MILLISECONDS(4);

	before_grace(s);
	for (int i = 0; i < STRAYS; i++)
		stray(s, e, GRACE + i * step, on_port(anyone(at("100.64.0.0"), i), 2000 + i), at("192.0.2.10:443"),
		      true);
	number(e, "segments_10s", STRAYS, 1000);
	number(e, "strays_10s", 0, 10000);
	number(e, "completed_60s", 0, 0);
	e->no_samples = true; /* a service keeps those that are half open */
	holds(e, GRACE + 999 * step);
	ends(e, GRACE + SECONDS(20));
}

#define ACKS 12000

/* Everybody to everybody: no source and no service stands out. */
void out_of_state_acks(struct scene *s)
{
	struct expected *e = expect(s, "out-of-state-flood", "warning", "prefix", "everywhere");
	uint64_t step = MILLISECONDS(0.6);

	before_grace(s);
	for (int i = 0; i < ACKS; i++)
		stray(s, e, GRACE + i * step, on_port(anyone(at("100.64.0.0"), i), 2000 + i),
		      nth(at("192.0.2.1:443"), i % 200), false);
	between(e, "segments_10s", 8000, ACKS, 10000);
	between(e, "strays_10s", 8000, ACKS, 10000);
	number(e, "completed_60s", 0, 0);
	peak(e, ACKS, ACKS);
	e->no_samples = true;
	holds(e, GRACE + 9999 * step);
	ends_between(e, GRACE + SECONDS(10), GRACE + SECONDS(12) + (ACKS - 8000) * step);
}
