// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* 20,000 ordinary connections, as a busy but healthy place has them. Nothing may be found. */
#include "find/scenes.h"

#define CONNECTIONS 20000
#define CLIENTS 900
#define LASTS SECONDS(240)

/* The same numbers each time. */
static uint32_t next(uint32_t *seed)
{
	*seed ^= *seed << 13, *seed ^= *seed >> 17, *seed ^= *seed << 5;
	return *seed;
}

/* One to four requests; the client or the server closes, some with three segments, a few both at once. */
static void web(struct conn *c, uint32_t luck)
{
	conn_open(c);
	for (uint32_t i = 0; i <= luck % 4; i++) {
		conn_wait(c, MILLISECONDS(luck % 700));
		conn_exchange(c, 200 + luck % 900, 300 + luck % 9000);
	}
	conn_wait(c, MILLISECONDS(luck % 3000));
	if (luck % 50 == 0)
		conn_close_both(c);
	else if (luck % 3 == 0)
		conn_close_short(c, luck & 1);
	else
		conn_close(c, luck % 5 ? SERVER : CLIENT);
}

/* Open to the end, with a word now and then, and keep-alives. */
static void lasting(struct conn *c, uint32_t luck)
{
	conn_open(c);
	while (c->now_ns + SECONDS(30) < LASTS) {
		conn_wait(c, SECONDS(15 + luck % 15));
		if (luck & 1) {
			conn_exchange(c, 60, 120);
		} else {
			conn_probe(c, SERVER);
			conn_ack(c, CLIENT);
		}
	}
}

/* An upload that ends with a FIN; the answer comes seconds later. */
static void upload(struct conn *c, uint32_t luck)
{
	conn_open(c);
	conn_send(c, CLIENT, 2000 + luck % 20000);
	conn_half_close(c, CLIENT);
	conn_wait(c, SECONDS(luck % 9));
	conn_send(c, SERVER, 700);
	conn_half_close(c, SERVER);
}

/* A download that the reader has seen enough of; what was on its way is answered by bare RSTs. */
static void aborted(struct conn *c, uint32_t luck)
{
	conn_open(c);
	conn_exchange(c, 300, 4000 + luck % 30000);
	conn_data(c, SERVER, 1448);
	conn_reset(c, CLIENT, EXACT);
	conn_say(c, CLIENT, TH_RST, c->last[SERVER].ack, 0, 0);
}

/* A segment is lost behind us, and comes again. */
static void lossy(struct conn *c, uint32_t luck)
{
	conn_syn(c);
	if (luck % 3 == 0)
		conn_back_off(c, CLIENT, 1, SECONDS(1));
	conn_syn_ack(c);
	conn_ack(c, CLIENT);
	conn_send(c, CLIENT, 300);
	conn_data(c, SERVER, 1448);
	conn_back_off(c, SERVER, 1, MILLISECONDS(200));
	conn_ack(c, CLIENT);
	conn_send(c, SERVER, 5000 + luck % 9000);
	conn_fin(c, SERVER);
	if (luck % 5 == 0)
		conn_back_off(c, SERVER, 1, MILLISECONDS(200));
	conn_ack(c, CLIENT);
	conn_half_close(c, CLIENT);
}

/* A reader that stops for some seconds. */
static void slow(struct conn *c, uint32_t luck)
{
	conn_open(c);
	conn_exchange(c, 300, 20000);
	conn_window(c, CLIENT, 0);
	conn_wait(c, MILLISECONDS(300));
	conn_probe(c, SERVER);
	conn_ack(c, CLIENT);
	conn_wait(c, SECONDS(luck % 12));
	conn_window(c, CLIENT, 502);
	conn_send(c, SERVER, 8000);
	conn_close(c, SERVER);
}

static void refused(struct conn *c, uint32_t luck)
{
	(void)luck;
	conn_syn(c);
	conn_say(c, SERVER, TH_RST | TH_ACK, 0, c->end[CLIENT].nxt, 0);
}

void clean(struct scene *s)
{
	static const struct {
		void (*life)(struct conn *c, uint32_t luck);
		uint32_t per_mille;
	} lives[] = { { lasting, 30 }, { upload, 60 }, { aborted, 50 }, { lossy, 20 },
		      { slow, 10 },    { refused, 4 }, { web, 1000 } };
	uint32_t seed = 9293;

	for (int i = 0; i < CONNECTIONS; i++) {
		uint32_t luck = next(&seed), which = next(&seed) % 1000, who = next(&seed) % CLIENTS;
		bool v6 = who % 4 == 0;
		struct wire_end client = v6 ? nth(at("[2001:db8:7::]"), who << 16) : nth(at("198.18.0.0"), who * 37);
		struct wire_end server = nth(v6 ? at("[2001:db8::10]") : at("192.0.2.10"), luck % 12);
		struct conn c = conn(s, SECONDS(1) + (uint64_t)i * (LASTS / CONNECTIONS), on_port(client, 32768 + i),
				     on_port(server, luck >> 8 & 1 ? 443 : 80));
		int k = 0;

		c.gap_ns = MILLISECONDS(0.2) + luck % MILLISECONDS(8);
		for (; which >= lives[k].per_mille; k++)
			which -= lives[k].per_mille;
		lives[k].life(&c, luck >> 4);
	}
}
