// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The parser (bpf/parse.h), natively. Two kinds of input, by the first byte:
 *
 * - a frame as it is: what came in one go (parse_plain) must be what the steps say; the key is in order; nothing behind the
 *   TCP header is read (the frame is cut there and parsed again); no length exceeds the frame's
 * - one TCP segment: built into each encapsulation that is followed (IPv4, IPv6, none, one and two VLAN tags, IP options,
 *   extension headers, straight IP, padding), it must come out the same from each but for key and VLAN, and as it went in
 *
 * Each frame lies in memory of just its size, so that AddressSanitizer sees a byte read beyond it.
 *
 * Each of this can fail: tests/fuzz/selftest plants mistakes that it must find.
 */
#include <string.h>

#include "fuzz/fuzz.h"
#include "native/native.h"
#include "prog/wire.h"

#define NOW_NS (1700000000ULL * NS_PER_S)

/* ---- a frame as it is ---- */
static void check_segment(const struct native_frame *frame, const struct native_parsed *p)
{
	const struct segment *seg = &p->seg;
	int order = memcmp(seg->key.a_addr, seg->key.b_addr, 16);

	MUST(order < 0 || (order == 0 && seg->key.a_port <= seg->key.b_port), "side A is the lower end");
	MUST(seg->dir <= 1, "dir %u", seg->dir);
	MUST(seg->bits <= 0x3f, "bits %#x", seg->bits);
	MUST(seg->vlan <= 0xfff || seg->vlan == VLAN_UNSEEN, "vlan %u", seg->vlan);
	MUST(frame->key_vlan || !seg->key.vlan, "key.vlan %u", seg->key.vlan);
	MUST((seg->bits & TH_ACK) || !seg->ack, "ack %u without ACK", seg->ack);
	MUST((seg->opts & SEG_TS) || !seg->tsval, "tsval %u without the option", seg->tsval);
	MUST(!(seg->opts & (SEG_COOKIE | SEG_ESTIMATED)), "opts %#x", seg->opts);
	MUST(seg->now_ns == NOW_NS && seg->segs == 1, "time and number of segments are the hook's");
	MUST(p->l4_at + 20 <= frame->len, "TCP at %u of %u", p->l4_at, frame->len);
	MUST(p->l4_at + 20 + seg->len <= frame->wire_len, "payload %u behind %u of %u", seg->len, p->l4_at, frame->wire_len);
	MUST(!p->broken, "parsed, and broken");
}

/* A frame of its own, of just that size. */
static int parse_copy(struct native_frame frame, int (*how)(const struct native_frame *, struct native_parsed *),
		      struct native_parsed *out)
{
	uint8_t *copy = malloc(frame.len ? frame.len : 1);
	int reason;

	if (frame.len)
		memcpy(copy, frame.data, frame.len);
	frame.data = copy;
	memset(out, 0, sizeof(*out));
	reason = how(&frame, out);
	free(copy);
	return reason;
}

static void frame_as_it_is(struct bytes *in, uint8_t how)
{
	struct native_frame frame = { .l3 = how & 1, .replay = how >> 1 & 1, .key_vlan = how >> 2 & 1, .tag = VLAN_UNSEEN,
				      .now_ns = NOW_NS };
	struct native_parsed plain, steps, whole, cut;
	int reason, by_plain;

	if (how & 8)
		frame.tag = take16(in) & 0xfff;
	/* generic XDP and captures: of a frame the first bytes */
	frame.wire_len = how & 16 ? take16(in) : 0;
	frame.len = in->left > 2048 ? 2048 : (__u32)in->left;
	frame.data = in->at;
	frame.wire_len += frame.len;
	reason = parse_copy(frame, native_parse_steps, &steps);
	MUST(reason >= NATIVE_PARSED && reason < REASON_COUNT, "reason %d", reason);
	MUST(!steps.broken || reason == REASON_BAD_TCP || reason == REASON_TRUNCATED, "broken by reason %d", reason);
	if (reason == NATIVE_PARSED)
		check_segment(&frame, &steps);
	/* in one go a frame is judged by the bytes that are there */
	if (frame.wire_len == frame.len) {
		by_plain = parse_copy(frame, native_parse_plain, &plain);
		MUST(by_plain == NATIVE_NOT_PLAIN || by_plain == reason, "in one go %d, by steps %d", by_plain, reason);
		if (by_plain == NATIVE_PARSED) {
			MUST(!memcmp(&plain.seg, &steps.seg, sizeof(plain.seg)), "in one go and by steps");
			MUST(plain.l4_at == steps.l4_at, "TCP at %u, at %u", plain.l4_at, steps.l4_at);
		}
		MUST(parse_copy(frame, native_parse, &whole) == reason, "both together");
	}
	if (reason != NATIVE_PARSED)
		return;
	if (frame.len > steps.l4_at + steps.l4_len - steps.seg.len) /* the header, with its options, unless they were cut before */
		frame.len = steps.l4_at + steps.l4_len - steps.seg.len;
	MUST(parse_copy(frame, native_parse_steps, &cut) == NATIVE_PARSED, "cut behind the TCP header at %u", frame.len);
	MUST(!memcmp(&cut.seg, &steps.seg, sizeof(cut.seg)), "cut behind the TCP header");
}

/* ---- one segment in every encapsulation ---- */
static const struct wire_layout layouts[] = {
	{ .name = "IPv4" },
	{ .name = "IPv4, options", .ip_options = 40 },
	{ .name = "IPv4, padding", .padding = 6 },
	{ .name = "IPv4, a tag", .tags = 1 },
	{ .name = "IPv4, two tags, options", .tags = 2, .ip_options = 4 },
	{ .name = "IPv4, straight", .l3 = true },
	{ .name = "IPv6", .v6 = true },
	{ .name = "IPv6, two tags", .v6 = true, .tags = 2 },
	{ .name = "IPv6, extensions", .v6 = true, .extensions = true },
	{ .name = "IPv6, extensions, a tag, padding", .v6 = true, .extensions = true, .tags = 1, .padding = 9 },
	{ .name = "IPv6, straight", .v6 = true, .l3 = true },
};
#define LAYOUTS (sizeof(layouts) / sizeof(*layouts))

/* The options, by a walk of our own over RFC 9293 section 3.2. */
static void walk(const uint8_t *opt, size_t n, struct segment *seg)
{
	size_t at = 0;

	while (at < n && opt[at]) {
		uint8_t len = at + 1 < n ? opt[at + 1] : 0;
		const uint8_t *value = opt + at + 2;

		if (opt[at] == 1) {
			at++;
			continue;
		}
		if (len < 2 || at + len > n)
			return;
		if (opt[at] == 2 && len == 4)
			seg->opts |= SEG_MSS, seg->mss = (__u16)(value[0] << 8 | value[1]);
		if (opt[at] == 3 && len == 3)
			seg->opts |= SEG_WS, seg->ws = value[0];
		if (opt[at] == 4)
			seg->opts |= SEG_SACK_OK;
		if (opt[at] == 8 && len == 10)
			seg->opts |= SEG_TS,
				seg->tsval = (__u32)value[0] << 24 | (__u32)value[1] << 16 | (__u32)value[2] << 8 | value[3];
		at += len;
	}
}

/* What must come out, but for key and VLAN. Outside a SYN no option but a leading time stamp is looked for (parse_options). */
static struct segment expected(const struct wire_segment *w)
{
	static const uint8_t leading[] = { 1, 1, 8, 10 };
	struct segment seg = { .seq = w->seq, .ack = w->bits & TH_ACK ? w->ack : 0, .len = w->len, .win = w->win,
			       .bits = w->bits & 0x3f, .now_ns = NOW_NS, .stamp_ns = (__u32)NOW_NS | 1, .segs = 1 };
	size_t n = w->raw_options_len;

	if (!(w->bits & TH_SYN) && n >= 12 && !memcmp(w->raw_options, leading, 4))
		n = 12;
	walk(w->raw_options, n, &seg);
	return seg;
}

static void same(const struct segment *have, const struct segment *want, const char *layout)
{
	MUST(have->seq == want->seq && have->ack == want->ack, "%s: numbers", layout);
	MUST(have->len == want->len, "%s: len %u, not %u", layout, have->len, want->len);
	MUST(have->win == want->win && have->bits == want->bits, "%s: window, bits", layout);
	MUST(have->opts == want->opts, "%s: opts %#x, not %#x", layout, have->opts, want->opts);
	MUST(have->tsval == want->tsval && have->ws == want->ws && have->mss == want->mss, "%s: values of options", layout);
	MUST(have->now_ns == want->now_ns && have->stamp_ns == want->stamp_ns && have->segs == want->segs, "%s: time", layout);
}

static void every_encapsulation(struct bytes *in, uint8_t how)
{
	struct wire_segment w = { .bits = take8(in), .seq = take32(in), .ack = take32(in), .win = take16(in) };
	struct native_parsed p;
	struct wire_end ends[2];
	struct segment want;
	uint8_t frame[WIRE_MAX];
	struct flow_key key;
	uint32_t hosts[2];
	uint16_t ports[2];
	int reason, side;

	w.len = take16(in) % 2000;
	for (int i = 0; i < 2; i++) {
		hosts[i] = take16(in);
		ports[i] = take16(in);
	}
	w.raw_options_len = in->left > 40 ? 40 : in->left & ~(size_t)3;
	w.raw_options = in->at;
	want = expected(&w);
	for (size_t i = 0; i < LAYOUTS; i++) {
		const struct wire_layout *l = &layouts[i];
		struct native_frame f = { .data = frame, .l3 = l->l3, .replay = 1, .key_vlan = how >> 2 & 1,
					  .tag = VLAN_UNSEEN, .now_ns = NOW_NS };

		wire_address(&ends[0], l->v6, hosts[0], ports[0]);
		wire_address(&ends[1], l->v6, hosts[1], ports[1]);
		f.len = f.wire_len = (__u32)wire_build(frame, l, &ends[0], &ends[1], &w);
		reason = parse_copy(f, native_parse, &p);
		MUST(reason == NATIVE_PARSED, "%s: reason %d", l->name, reason);
		check_segment(&f, &p);
		same(&p.seg, &want, l->name);
		side = wire_key(&key, &ends[0], &ends[1]);
		MUST(p.seg.vlan == (l->tags ? WIRE_VLAN : VLAN_UNSEEN), "%s: vlan %u", l->name, p.seg.vlan);
		MUST(p.seg.key.vlan == (l->tags && f.key_vlan ? WIRE_VLAN : 0), "%s: key.vlan %u", l->name, p.seg.key.vlan);
		p.seg.key.vlan = 0;
		MUST(!memcmp(&p.seg.key, &key, sizeof(key)), "%s: key", l->name);
		MUST(p.seg.dir == side, "%s: dir %u", l->name, p.seg.dir);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes in = { data, size };
	uint8_t how = take8(&in);

	if (how & 0x80)
		every_encapsulation(&in, how);
	else
		frame_as_it_is(&in, how);
	return 0;
}
