/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "find/scene.h"

#include <arpa/inet.h>
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MSS 1448
#define FRAME_ROOM 160 /* headers with all options */

/* ---- the capture ---- */
void scene_init(struct scene *s, bool harmless)
{
	memset(s, 0, sizeof(*s));
	s->harmless = harmless;
}

void scene_free(struct scene *s)
{
	for (int i = 0; i < s->expected_count; i++)
		free(s->expected[i].offender);
	free(s->segments);
	free(s->ends);
	memset(s, 0, sizeof(*s));
}

/* Room for one more element. */
static void *grow(void *list, size_t count, size_t *room, size_t size)
{
	if (count < *room)
		return list;
	*room = *room ? *room * 2 : 64;
	list = reallocarray(list, *room, size);
	if (!list)
		err(1, "a scene of %zu elements", *room);
	return list;
}

static uint32_t add_end(struct scene *s, const struct wire_end *end)
{
	s->ends = grow(s->ends, s->end_count, &s->end_room, sizeof(*s->ends));
	s->ends[s->end_count] = *end;
	return (uint32_t)s->end_count++;
}

static void add_segment(struct scene *s, const struct scene_segment *seg)
{
	s->segments = grow(s->segments, s->count, &s->room, sizeof(*s->segments));
	s->segments[s->count] = *seg;
	s->segments[s->count].ip_id = (uint16_t)(s->count * 7 + 1);
	s->count++;
	if (seg->at_ns > s->last_ns)
		s->last_ns = seg->at_ns;
}

struct ordered {
	uint64_t at_ns;
	size_t index;
};

static int by_time(const void *a, const void *b)
{
	const struct ordered *x = a, *y = b;

	if (x->at_ns != y->at_ns)
		return x->at_ns < y->at_ns ? -1 : 1;
	return x->index < y->index ? -1 : 1;
}

/* The frame without its payload, which only the length in the IP header tells of. */
static size_t build(uint8_t *frame, const struct scene *s, const struct scene_segment *seg)
{
	struct wire_layout layout = { .v6 = seg->v6 };
	struct wire_segment tcp = { .bits = seg->bits,
				    .seq = seg->seq,
				    .ack = seg->ack,
				    .ts = seg->ts,
				    .win = seg->win,
				    .ws = seg->ws,
				    .has_ts = seg->has_ts,
				    .has_ws = true };
	size_t len = wire_build(frame, &layout, &s->ends[seg->end[0]], &s->ends[seg->end[1]], &tcp);
	uint8_t *length = frame + (seg->v6 ? 18 : 16);
	uint32_t bytes = length[0] << 8 | length[1];

	bytes += seg->len;
	length[0] = (uint8_t)(bytes >> 8), length[1] = (uint8_t)bytes;
	frame[seg->v6 ? 21 : 22] = seg->ttl;
	if (!seg->v6)
		frame[18] = (uint8_t)(seg->ip_id >> 8), frame[19] = (uint8_t)seg->ip_id;
	return len;
}

static void write_segment(FILE *out, const struct scene *s, const struct scene_segment *seg)
{
	uint64_t ns = SCENE_EPOCH_NS + seg->at_ns;
	uint8_t frame[WIRE_MAX];
	size_t len = build(frame, s, seg);
	uint32_t head[4] = { (uint32_t)(ns / 1000000000), (uint32_t)(ns % 1000000000), (uint32_t)len,
			     (uint32_t)(len + seg->len) };

	fwrite(head, sizeof(head), 1, out);
	fwrite(frame, len, 1, out);
}

int scene_write(struct scene *s, const char *path)
{
	static const uint32_t head[6] = { 0xa1b23c4d, 2 | 4 << 16, 0, 0, 65535, 1 }; /* nanoseconds; Ethernet */
	struct ordered *order = calloc(s->count + 1, sizeof(*order));
	FILE *out = fopen(path, "w");
	int failed;

	if (!order || !out) {
		free(order);
		return -1;
	}
	for (size_t i = 0; i < s->count; i++)
		order[i] = (struct ordered){ s->segments[i].at_ns, i };
	qsort(order, s->count, sizeof(*order), by_time);
	fwrite(head, sizeof(head), 1, out);
	for (size_t i = 0; i < s->count; i++)
		write_segment(out, s, &s->segments[order[i].index]);
	free(order);
	failed = ferror(out);
	return fclose(out) || failed ? -1 : 0;
}

void scene_double(struct scene *s, uint64_t after_ns)
{
	for (size_t i = 0, n = s->count; i < n; i++) {
		struct scene_segment again = s->segments[i];

		again.at_ns += after_ns;
		add_segment(s, &again);
		s->segments[s->count - 1].ip_id = again.ip_id;
	}
}

/* ---- who ---- */
struct wire_end at(const char *address)
{
	struct wire_end end = { .addr = { [10] = 0xff, [11] = 0xff } };
	char text[64];
	char *colon;

	snprintf(text, sizeof(text), "%s", *address == '[' ? address + 1 : address);
	colon = strchr(text, *address == '[' ? ']' : ':');
	if (colon && (*address == '[' || !strchr(colon + 1, ':'))) {
		end.port = (uint16_t)atoi(colon + (*address == '[' ? 2 : 1));
		*colon = '\0';
	}
	if (strchr(text, ':') ? inet_pton(AF_INET6, text, end.addr) != 1 : inet_pton(AF_INET, text, end.addr + 12) != 1)
		errx(1, "no address: '%s'", address);
	return end;
}

struct wire_end on_port(struct wire_end end, uint32_t port)
{
	end.port = (uint16_t)port;
	return end;
}

struct wire_end nth(struct wire_end end, uint32_t n)
{
	uint32_t low;

	memcpy(&low, end.addr + 12, 4);
	low = htonl(ntohl(low) + n);
	memcpy(end.addr + 12, &low, 4);
	return end;
}

static bool is_v6(const struct wire_end *end)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	return memcmp(end->addr, mapped, sizeof(mapped)) != 0;
}

struct wire_end anyone(struct wire_end end, uint32_t n)
{
	uint32_t far = n * 2654435761u >> 10;

	if (!is_v6(&end))
		return nth(end, far);
	end.addr[3] ^= (uint8_t)(far >> 16), end.addr[4] ^= (uint8_t)(far >> 8), end.addr[5] ^= (uint8_t)far;
	return end;
}

/* ---- connections ---- */
/* RFC 9293 section 3.4.1: a clock of 4 us, and what only this pair of ends has. */
static uint32_t isn_of(uint64_t now_ns, const struct wire_end *from, const struct wire_end *to)
{
	uint32_t hash = 2166136261u;

	for (size_t i = 0; i < 16; i++)
		hash = (hash ^ from->addr[i]) * 16777619u, hash = (hash ^ to->addr[i]) * 16777619u;
	return (hash ^ from->port << 16 ^ to->port) * 2654435761u + (uint32_t)(now_ns / 4000);
}

static struct wire_end moved(const struct scene *s, struct wire_end end)
{
	end.addr[is_v6(&end) ? 7 : 13] ^= s->place;
	return end;
}

struct conn conn(struct scene *s, uint64_t when_ns, struct wire_end client, struct wire_end server)
{
	struct conn c = { .s = s, .now_ns = when_ns, .gap_ns = MILLISECONDS(1), .timestamps = true };

	client = moved(s, client);
	server = moved(s, server);

	c.end[CLIENT] = (struct conn_end){ .at = client, .index = add_end(s, &client), .win = 502, .ttl = 57 };
	c.end[SERVER] = (struct conn_end){ .at = server, .index = add_end(s, &server), .win = 509, .ttl = 64 };

	c.end[CLIENT].isn = isn_of(c.now_ns, &client, &server);
	c.end[SERVER].isn = isn_of(c.now_ns, &server, &client);
	c.end[CLIENT].nxt = c.end[CLIENT].isn;
	c.end[SERVER].nxt = c.end[SERVER].isn;
	return c;
}

void conn_wait(struct conn *c, uint64_t ns)
{
	c->now_ns += ns;
}

/* The segment as it is, now, with the time stamp of now. */
static void emit(struct conn *c, enum side from, struct scene_segment *seg)
{
	seg->at_ns = c->now_ns;
	seg->ts = 1000 + (uint32_t)(c->now_ns / 1000000);
	add_segment(c->s, seg);
	c->last[from] = *seg;
	c->now_ns += c->gap_ns;
}

void conn_say(struct conn *c, enum side from, uint8_t bits, uint32_t seq, uint32_t ack, uint32_t len)
{
	const struct conn_end *a = &c->end[from], *b = &c->end[!from];
	struct scene_segment seg = {
		.end = { a->index, b->index },
		.seq = seq,
		.ack = ack,
		.len = len,
		.win = a->win,
		.bits = bits,
		.ws = 7,
		.ttl = a->ttl,
		.v6 = is_v6(&a->at),
		.has_ts = c->timestamps && !(bits & TH_RST),
	};

	if (bits & TH_SYN)
		seg.win = 64240; /* never scaled: RFC 7323 section 2.2 */
	emit(c, from, &seg);
}

void conn_again(struct conn *c, enum side from)
{
	struct scene_segment seg = c->last[from];

	emit(c, from, &seg);
}

void conn_back_off(struct conn *c, enum side from, int n, uint64_t first_ns)
{
	for (int i = 0; i < n; i++) {
		conn_wait(c, (first_ns << i) - c->gap_ns);
		conn_again(c, from);
	}
}

/* ---- opening ---- */
void conn_syn(struct conn *c)
{
	struct conn_end *e = &c->end[CLIENT];

	conn_say(c, CLIENT, TH_SYN, e->isn, 0, 0);
	e->nxt = e->isn + 1;
}

void conn_syn_ack(struct conn *c)
{
	struct conn_end *e = &c->end[SERVER];

	e->got = c->end[CLIENT].isn + 1;
	conn_say(c, SERVER, TH_SYN | TH_ACK, e->isn, e->got, 0);
	e->nxt = e->isn + 1;
}

void conn_ack(struct conn *c, enum side from)
{
	struct conn_end *e = &c->end[from];

	e->got = c->end[!from].nxt;
	conn_say(c, from, TH_ACK, e->nxt, e->got, 0);
}

void conn_open(struct conn *c)
{
	conn_syn(c);
	conn_syn_ack(c);
	conn_ack(c, CLIENT);
}

/* ---- ESTABLISHED ---- */
void conn_data(struct conn *c, enum side from, uint32_t len)
{
	struct conn_end *e = &c->end[from];

	conn_say(c, from, TH_ACK | TH_PSH, e->nxt, e->got, len);
	e->nxt += len;
}

void conn_send(struct conn *c, enum side from, uint32_t bytes)
{
	bool odd = false;

	for (; bytes > MSS; bytes -= MSS) {
		conn_data(c, from, MSS);
		if (odd)
			conn_ack(c, !from);
		odd = !odd;
	}
	conn_data(c, from, bytes);
	conn_ack(c, !from);
}

void conn_exchange(struct conn *c, uint32_t request, uint32_t response)
{
	conn_send(c, CLIENT, request);
	conn_send(c, SERVER, response);
}

void conn_probe(struct conn *c, enum side from)
{
	conn_say(c, from, TH_ACK, c->end[from].nxt - 1, c->end[from].got, 0);
}

void conn_window(struct conn *c, enum side from, uint16_t win)
{
	c->end[from].win = win;
	conn_ack(c, from);
}

/* ---- closing ---- */
void conn_fin(struct conn *c, enum side from)
{
	struct conn_end *e = &c->end[from];

	conn_say(c, from, TH_FIN | TH_ACK, e->nxt, e->got, 0);
	e->nxt++;
}

void conn_half_close(struct conn *c, enum side from)
{
	conn_fin(c, from);
	conn_ack(c, !from);
}

void conn_close(struct conn *c, enum side from)
{
	conn_half_close(c, from);
	conn_half_close(c, !from);
}

void conn_close_short(struct conn *c, enum side from)
{
	conn_fin(c, from);
	c->end[!from].got = c->end[from].nxt;
	conn_half_close(c, !from);
}

void conn_close_both(struct conn *c)
{
	conn_fin(c, CLIENT);
	conn_fin(c, SERVER);
	conn_ack(c, CLIENT);
	conn_ack(c, SERVER);
}

void conn_reset(struct conn *c, enum side from, enum reset_aim aim)
{
	static const uint32_t beside[] = { [EXACT] = 0, [IN_WINDOW] = 100, [OUT_OF_WINDOW] = 0x40000000 };

	conn_say(c, from, TH_RST | TH_ACK, c->end[from].nxt + beside[aim], c->end[from].got, 0);
}

void conn_no_tcb(struct conn *c, enum side from)
{
	conn_say(c, from, TH_RST, c->last[!from].ack, 0, 0);
}

void ordinary(struct scene *s, uint64_t when_ns, struct wire_end client, struct wire_end server)
{
	struct conn c = conn(s, when_ns, client, server);

	conn_open(&c);
	conn_exchange(&c, 200, 3000);
	conn_close(&c, CLIENT);
}
