/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "prog/wire.h"

struct writer {
	uint8_t *at;
};

static void put8(struct writer *w, uint8_t v)
{
	*w->at++ = v;
}

static void put16(struct writer *w, uint16_t v)
{
	put8(w, v >> 8);
	put8(w, (uint8_t)v);
}

static void put32(struct writer *w, uint32_t v)
{
	put16(w, v >> 16);
	put16(w, (uint16_t)v);
}

static void put_bytes(struct writer *w, const void *data, size_t n)
{
	memcpy(w->at, data, n);
	w->at += n;
}

static void put_fill(struct writer *w, uint8_t v, size_t n)
{
	memset(w->at, v, n);
	w->at += n;
}

void wire_address(struct wire_end *end, bool v6, uint32_t n, uint16_t port)
{
	memset(end, 0, sizeof(*end));
	end->port = port;
	if (v6) {
		memcpy(end->addr, "\x20\x01\x0d\xb8", 4);
	} else {
		end->addr[10] = end->addr[11] = 0xff;
		end->addr[12] = 10; /* 10.0.0.0/8 has room for all */
	}
	end->addr[13] = (uint8_t)(n >> 16);
	end->addr[14] = (uint8_t)(n >> 8);
	end->addr[15] = (uint8_t)n;
}

int wire_key(struct flow_key *key, const struct wire_end *from, const struct wire_end *to)
{
	int order = memcmp(from->addr, to->addr, 16);
	bool below = order ? order < 0 : from->port < to->port;
	const struct wire_end *a = below ? from : to, *b = below ? to : from;

	memset(key, 0, sizeof(*key));
	memcpy(key->a_addr, a->addr, 16);
	memcpy(key->b_addr, b->addr, 16);
	key->a_port = a->port;
	key->b_port = b->port;
	return !below;
}

static size_t build_options(uint8_t *out, const struct wire_segment *s, enum wire_options layout)
{
	struct writer w = {out};

	if (s->raw_options) {
		put_bytes(&w, s->raw_options, s->raw_options_len);
		return s->raw_options_len;
	}
	if (layout == OPTIONS_ODD) {
		put_bytes(&w, "\xfd\x06unkn", 6);
		if (s->has_ws)
			put8(&w, 3), put8(&w, 3), put8(&w, s->ws);
		put8(&w, 1);
		if (s->has_ts)
			put8(&w, 8), put8(&w, 10), put32(&w, s->ts), put32(&w, 77);
		put8(&w, 0);
		put_fill(&w, 3, -(w.at - out) & 3); /* what stands after EOL does not count */
		return w.at - out;
	}
	if (s->bits & TH_SYN) {
		put_bytes(&w, "\x02\x04\x05\xb4\x04\x02", 6);
		if (s->has_ts)
			put8(&w, 8), put8(&w, 10), put32(&w, s->ts), put32(&w, 0);
		if (s->has_ws)
			put8(&w, 1), put8(&w, 3), put8(&w, 3), put8(&w, s->ws);
	} else if (s->has_ts) {
		put_bytes(&w, "\x01\x01\x08\x0a", 4);
		put32(&w, s->ts), put32(&w, 77);
	}
	put_fill(&w, 1, -(w.at - out) & 3);
	return w.at - out;
}

static size_t build_tcp(uint8_t *out, const struct wire_end *from, const struct wire_end *to,
			const struct wire_segment *s, enum wire_options layout)
{
	struct writer w = {out};
	uint8_t options[60];
	size_t n = build_options(options, s, layout);

	put16(&w, from->port);
	put16(&w, to->port);
	put32(&w, s->seq);
	put32(&w, s->ack);
	put8(&w, (uint8_t)((5 + n / 4) << 4));
	put8(&w, s->bits);
	put16(&w, s->win);
	put32(&w, 0); /* sum, urgent pointer */
	put_bytes(&w, options, n);
	put_fill(&w, 'x', s->len);
	return w.at - out;
}

static void put_ipv4(struct writer *w, const struct wire_layout *l, const struct wire_end *from,
		     const struct wire_end *to, size_t tcp_len)
{
	put8(w, (uint8_t)(0x45 + l->ip_options / 4));
	put8(w, 0);
	put16(w, (uint16_t)(20 + l->ip_options + tcp_len));
	put32(w, 0x12344000); /* don't fragment */
	put8(w, 64), put8(w, 6), put16(w, 0);
	put_bytes(w, from->addr + 12, 4);
	put_bytes(w, to->addr + 12, 4);
	put_fill(w, 1, l->ip_options);
}

static void put_ipv6(struct writer *w, const struct wire_layout *l, const struct wire_end *from,
		     const struct wire_end *to, size_t tcp_len)
{
	static const uint8_t extensions[] = {
		60, 0, 1, 4, 0,	0, 0, 0,			       /* hop-by-hop: PadN */
		44, 1, 1, 4, 0, 0, 0, 0, 1, 6, 0, 0, 0, 0, 0, 0, /* destination options, 16 bytes */
		6,  0, 0, 0, 1, 2, 3, 4,			       /* a fragment header of a whole packet */
	};
	size_t n = l->extensions ? sizeof(extensions) : 0;

	put32(w, 0x60012345);
	put16(w, (uint16_t)(n + tcp_len));
	put8(w, l->extensions ? 0 : 6), put8(w, 64);
	put_bytes(w, from->addr, 16);
	put_bytes(w, to->addr, 16);
	put_bytes(w, extensions, n);
}

size_t wire_build(uint8_t *frame, const struct wire_layout *l, const struct wire_end *from, const struct wire_end *to,
		  const struct wire_segment *seg)
{
	struct writer w = {frame};
	uint8_t tcp[WIRE_MAX];
	size_t tcp_len = build_tcp(tcp, from, to, seg, l->options);
	int i;

	if (!l->l3) {
		put_bytes(&w, "\x02\0\0\0\0\x01\x02\0\0\0\0\x02", 12);
		for (i = 0; i < l->tags; i++) {
			put16(&w, i + 1 < l->tags ? 0x88a8 : 0x8100);
			put16(&w, (uint16_t)(0xe000 | (WIRE_VLAN + i))); /* priority 7 */
		}
		put16(&w, l->v6 ? 0x86dd : 0x0800);
	}
	if (l->v6)
		put_ipv6(&w, l, from, to, tcp_len);
	else
		put_ipv4(&w, l, from, to, tcp_len);
	put_bytes(&w, tcp, tcp_len);
	put_fill(&w, 0xee, l->padding);
	return w.at - frame;
}
