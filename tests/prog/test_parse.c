/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The parser's corners through the loaded programs: what is not followed is counted once, by the right reason; lengths
 * where the frame and the IP header disagree; super-segments; TCP options in every layout, good and bad.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>

#include "embryo.h"
#include "prog/rig.h"

static const struct wire_segment syn = {.bits = TH_SYN, .seq = 1000, .win = 64240};
static const char *const reason_names[] = {
#define X(id, name, text) name,
	WARD_REASONS(X)
#undef X
};

/* ---- what is not followed ---- */

/* A frame made from a good one: bytes from offset on are overwritten, then it is cut or grown. */
struct patch {
	int at;
	const char *bytes;
	int n;
};

struct reason_case {
	const char *name;
	int reason; /* -1: it is followed */
	struct wire_layout layout;
	struct patch patch[3];
	int len;      /* of the frame as it comes; 0: whole */
	int wire_len; /* 0: the same */
	bool xdp_only; /* a snaplen-cut frame, or one that test_run does not take as skb */
};

#define V4 {.name = "v4"}
#define V6 {.name = "v6", .v6 = true}
#define AT(offset, text) {offset, text, sizeof(text) - 1}

static const struct reason_case reasons[] = {
	{"a SYN", -1, V4, {{0}}, 0, 0, false},
	{"ARP", REASON_NOT_IP, V4, {AT(12, "\x08\x06")}, 0, 0, false},
	{"EtherType 0", REASON_NOT_IP, V4, {AT(12, "\0\0")}, 0, 0, false},
	{"UDP in IPv4", REASON_NOT_TCP, V4, {AT(23, "\x11")}, 0, 0, false},
	{"UDP in IPv6", REASON_NOT_TCP, V6, {AT(20, "\x11")}, 0, 0, false},
	{"no next header", REASON_NOT_TCP, V6, {AT(20, "\x3b")}, 0, 0, false},
	{"ICMPv6 behind extension headers", REASON_NOT_TCP, {.v6 = true, .extensions = true}, {AT(78, "\x3a")}, 0, 0, false},
	{"first fragment, IPv4", REASON_FRAG_FIRST, V4, {AT(20, "\x20\0")}, 0, 0, false},
	{"later fragment, IPv4", REASON_FRAG_LATER, V4, {AT(20, "\x20\x05")}, 0, 0, false},
	{"last fragment, IPv4", REASON_FRAG_LATER, V4, {AT(20, "\0\x05")}, 0, 0, false},
	{"first fragment, IPv6", REASON_FRAG_FIRST, {.v6 = true, .extensions = true}, {AT(81, "\x01")}, 0, 0, false},
	{"later fragment, IPv6", REASON_FRAG_LATER, {.v6 = true, .extensions = true}, {AT(80, "\x05\x01")}, 0, 0, false},
	{"an atomic fragment", -1, {.v6 = true, .extensions = true}, {{0}}, 0, 0, false},
	{"an Ethernet header only", REASON_TRUNCATED, V4, {{0}}, 14, 0, true},
	{"ends inside IPv4", REASON_TRUNCATED, V4, {{0}}, 30, 0, true},
	{"ends inside IPv6", REASON_TRUNCATED, V6, {{0}}, 50, 0, true},
	{"ends inside a tag", REASON_TRUNCATED, {.tags = 1}, {{0}}, 16, 0, true},
	{"ends inside an extension header", REASON_TRUNCATED, {.v6 = true, .extensions = true}, {{0}}, 55, 114, true},
	{"ends inside TCP", REASON_TRUNCATED, V4, {{0}}, 50, 0, false},
	{"a capture cut inside TCP", REASON_TRUNCATED, V4, {{0}}, 50, 62, true},
	{"a capture cut behind TCP's fixed header", -1, V4, {{0}}, 54, 62, true},
	{"shorter than its IPv4 header says", REASON_TRUNCATED, V4, {AT(16, "\0\x50")}, 0, 0, false},
	{"shorter than its IPv6 header says", REASON_TRUNCATED, V6, {AT(18, "\0\x50")}, 0, 0, false},
	{"IPv4 header length 4", REASON_BAD_IP, V4, {AT(14, "\x44")}, 0, 0, false},
	{"version 6 in IPv4", REASON_BAD_IP, V4, {AT(14, "\x65")}, 0, 0, false},
	{"version 4 in IPv6", REASON_BAD_IP, V6, {AT(14, "\x40")}, 0, 0, false},
	{"version 5 without Ethernet", REASON_BAD_IP, {.l3 = true}, {AT(0, "\x55")}, 0, 0, true},
	{"IPv4 total length below its header", REASON_BAD_IP, V4, {AT(16, "\0\x13")}, 0, 0, false},
	{"an extension header beyond the packet", REASON_BAD_IP, {.v6 = true, .extensions = true}, {AT(55, "\x40")}, 0, 0, false},
	{"TCP data offset 4", REASON_BAD_TCP, V4, {AT(46, "\x40")}, 0, 0, false},
	{"TCP data offset beyond the packet", REASON_BAD_TCP, V4, {AT(46, "\xf0")}, 0, 0, false},
	{"IPv4 without room for TCP", REASON_BAD_TCP, V4, {AT(16, "\0\x20")}, 0, 0, false},
	{"ESP", REASON_EXT_CHAIN, V6, {AT(20, "\x32")}, 0, 0, false},
	{"ESP behind extension headers", REASON_EXT_CHAIN, {.v6 = true, .extensions = true}, {AT(78, "\x32")}, 0, 0, false},
	{"two tags", -1, {.tags = 2}, {{0}}, 0, 0, false},
	{"three tags", REASON_VLAN_DEEP, {.tags = 3}, {{0}}, 0, 0, false},
};

static const char *reason_name(int reason)
{
	return reason < 0 ? "followed" : reason_names[reason];
}

/* Exactly one of the reasons, or the segment counters, must have moved, and by one. */
static bool counted_once(const struct ward_counters *a, const struct ward_counters *b, int reason, char *why, size_t n)
{
	uint64_t followed = b->counter[CNT_RX_SEGMENTS] + b->counter[CNT_TX_SEGMENTS] - a->counter[CNT_RX_SEGMENTS] -
			    a->counter[CNT_TX_SEGMENTS];
	int i, at = 0;

	why[0] = '\0';
	for (i = 0; i < REASON_COUNT; i++)
		if (b->reason[i] != a->reason[i] + (i == reason))
			at += snprintf(why + at, n - at, " %s %+d", reason_names[i], (int)(b->reason[i] - a->reason[i]));
	if (followed != (reason < 0))
		at += snprintf(why + at, n - at, " followed %d", (int)followed);
	return !at;
}

static int run_reason(struct rig *rig, enum rig_hook hook, const struct reason_case *c, const char *hook_name)
{
	struct ward_counters before, after;
	struct wire_end from, to;
	uint8_t frame[WIRE_MAX];
	char why[300];
	size_t len;
	int i;

	wire_address(&from, c->layout.v6, 1, (uint16_t)(1000 + rig->packets));
	wire_address(&to, c->layout.v6, 2, 80);
	len = wire_build(frame, &c->layout, &from, &to, &syn);
	for (i = 0; i < 3; i++)
		if (c->patch[i].bytes)
			memcpy(frame + c->patch[i].at, c->patch[i].bytes, c->patch[i].n);
	len = c->len ? (size_t)c->len : len;
	before = rig_counters(rig);
	rig_send(rig, hook, frame, len, c->wire_len ? (uint32_t)c->wire_len : (uint32_t)len, c->layout.l3, 0);
	after = rig_counters(rig);
	if (counted_once(&before, &after, c->reason, why, sizeof(why)))
		return 0;
	printf("# %s by %s: want %s, counted%s\n", c->name, hook_name, reason_name(c->reason), why);
	return 1;
}

/* n destination options headers of 8 bytes, then TCP. */
static int run_chain(struct rig *rig, enum rig_hook hook, int n, int reason)
{
	struct ward_counters before, after;
	struct wire_layout v6 = V6;
	uint8_t frame[WIRE_MAX], chained[WIRE_MAX];
	struct wire_end from, to;
	char why[300];
	size_t len;
	int i;

	wire_address(&from, true, 1, (uint16_t)(1000 + rig->packets));
	wire_address(&to, true, 2, 80);
	len = wire_build(frame, &v6, &from, &to, &syn);
	memcpy(chained, frame, 54);
	chained[20] = n ? 60 : 6;
	chained[19] = (uint8_t)(len - 54 + 8 * n);
	for (i = 0; i < n; i++)
		memcpy(chained + 54 + 8 * i, i + 1 < n ? "\x3c\0\1\4\0\0\0\0" : "\x06\0\1\4\0\0\0\0", 8);
	memcpy(chained + 54 + 8 * n, frame + 54, len - 54);
	before = rig_counters(rig);
	rig_send(rig, hook, chained, len + 8 * n, (uint32_t)len + 8 * n, false, 0);
	after = rig_counters(rig);
	if (counted_once(&before, &after, reason, why, sizeof(why)))
		return 0;
	printf("# %d extension headers: want %s, counted%s\n", n, reason_name(reason), why);
	return 1;
}

static void test_reasons(struct rig *rig)
{
	static const char *const names[] = {"xdp", "tc ingress", "tc egress"};
	const int count = sizeof(reasons) / sizeof(*reasons);
	enum rig_hook hook;
	int i, bad = 0;

	for (hook = HOOK_XDP; hook <= HOOK_TC_OUT; hook++) {
		for (i = 0; i < count; i++)
			if (hook == HOOK_XDP || !reasons[i].xdp_only)
				bad += run_reason(rig, hook, &reasons[i], names[hook]);
		bad += run_chain(rig, hook, 0, -1);
		bad += run_chain(rig, hook, 6, -1);
		bad += run_chain(rig, hook, 7, REASON_EXT_CHAIN);
	}
	rig_report(!bad, "each frame that is not followed is counted once, by its reason",
		   "%d wrong of %d kinds of frames by three hooks", bad, count + 3);
}

/* Reasons that need a record or a table in a certain condition. */
static void test_busy(struct rig *rig)
{
	struct wire_layout v4 = V4;
	struct wire_end from, to;
	struct ward_counters before, after;
	struct syn_set set;
	struct embryo_set *records = calloc(1, sizeof(*records));
	int fd = rig->w->map[MAP_SYNS], records_fd = rig->w->map[MAP_EMBRYOS], i;
	uint8_t frame[WIRE_MAX];
	char why[300], why2[300];
	bool good, good2;
	uint32_t index;
	size_t len;

	wire_address(&from, false, 1, 999);
	wire_address(&to, false, 2, 80);
	len = wire_build(frame, &v4, &from, &to, &syn);
	rig_empty(rig);
	for (index = 0; index < 8; index++) { /* somebody else claims a place, and is stopped */
		bpf_map_lookup_elem(fd, &index, &set);
		set.lock = 1;
		bpf_map_update_elem(fd, &index, &set, BPF_ANY);
	}
	before = rig_counters(rig);
	rig_send(rig, HOOK_XDP, frame, len, (uint32_t)len, false, 0);
	after = rig_counters(rig);
	after.counter[CNT_RX_SEGMENTS]--; /* it was parsed */
	good = counted_once(&before, &after, REASON_NO_ROOM, why, sizeof(why)) ||
	       !strcmp(why, " followed 0");
	for (index = 0; index < 8; index++) {
		bpf_map_lookup_elem(fd, &index, &set);
		set.lock = 0;
		bpf_map_update_elem(fd, &index, &set, BPF_ANY);
	}
	for (i = 0; i < 2; i++) /* twice: then it is a whole record */
		rig_send(rig, HOOK_XDP, frame, len, (uint32_t)len, false, 0);
	for (index = 0; index < 8; index++) { /* the record's holder is stopped */
		bpf_map_lookup_elem(fd, &index, &set);
		bpf_map_lookup_elem(records_fd, &index, records);
		for (i = 0; i < EMBRYO_WAYS; i++)
			if (set.records.tag[i])
				records->way[i].flow.phase |= PHASE_LOCKED;
		bpf_map_update_elem(records_fd, &index, records, BPF_ANY);
	}
	before = rig_counters(rig);
	rig_send(rig, HOOK_XDP, frame, len, (uint32_t)len, false, 0);
	after = rig_counters(rig);
	after.counter[CNT_RX_SEGMENTS]--;
	good2 = counted_once(&before, &after, REASON_LOCK_BUSY, why2, sizeof(why2)) || !strcmp(why2, " followed 0");
	for (index = 0; index < 8; index++) {
		bpf_map_lookup_elem(records_fd, &index, records);
		for (i = 0; i < EMBRYO_WAYS; i++)
			records->way[i].flow.phase &= ~PHASE_LOCKED;
		bpf_map_update_elem(records_fd, &index, records, BPF_ANY);
	}
	if (good && good2)
		rig_report(true, "a locked set and a locked record cost the segment, counted", "no-room, lock-busy");
	else
		rig_report(false, "a locked set and a locked record cost the segment, counted", "set:%s record:%s", why, why2);
	free(records);
}

/* ---- lengths ---- */

struct length_case {
	const char *name;
	enum rig_hook hook;
	struct wire_layout layout;
	uint32_t payload;  /* as built */
	bool no_ip_length; /* tot_len or payload_len 0 */
	uint32_t cut;	   /* XDP: bytes of the frame that are there */
	uint32_t wire_len; /* XDP: 0 = the frame's */
	uint32_t gso_segs;
	uint64_t bytes, pkts;
};

static const struct length_case lengths[] = {
	{"payload by the IP header", HOOK_XDP, V4, 100, false, 0, 0, 0, 100, 1},
	{"Ethernet padding is no payload, IPv4", HOOK_XDP, {.padding = 6}, 0, false, 0, 0, 0, 0, 1},
	{"Ethernet padding is no payload, IPv6", HOOK_TC_IN, {.v6 = true, .padding = 30}, 3, false, 0, 0, 0, 3, 1},
	{"a capture cut to 54 bytes", HOOK_XDP, V4, 1400, false, 54, 0, 0, 1400, 1},
	{"IPv4 total length 0: the frame's", HOOK_XDP, V4, 0, true, 0, 70000, 0, 70000 - 54, 1},
	{"IPv6 payload length 0: the frame's", HOOK_XDP, V6, 0, true, 0, 80000, 0, 80000 - 74, 1},
	{"IPv6 payload length 0 with a hop-by-hop header", HOOK_XDP, {.v6 = true, .extensions = true}, 0, true, 0, 80000, 0,
	 80000 - 74 - 32, 1},
	{"IPv4 total length 0 at tc egress", HOOK_TC_OUT, V4, 2000, true, 0, 0, 2, 2000, 2},
	{"IPv6 payload length 0 at tc egress", HOOK_TC_OUT, V6, 2000, true, 0, 0, 2, 2000, 2},
	{"a GSO super-segment at tc egress", HOOK_TC_OUT, V4, 3000, false, 0, 0, 3, 3000, 3},
	{"a GRO super-segment at tc ingress", HOOK_TC_IN, V6, 3000, false, 0, 0, 3, 3000, 3},
	{"GSO with one segment", HOOK_TC_OUT, V4, 900, false, 0, 0, 1, 900, 1},
};

/* Opens a flow both ways, then sends the segment; what it added to its sender must be as told. */
static int run_length(struct rig *rig, const struct length_case *c, uint16_t port)
{
	struct wire_segment seg = {.bits = TH_SYN, .seq = 1000, .win = 64240};
	struct wire_layout plain = {.v6 = c->layout.v6};
	struct ward_counters before, after;
	uint8_t frame[WIRE_MAX];
	struct flow first, f;
	struct wire_end from, to;
	struct flow_key key;
	uint64_t bytes, pkts, counted;
	bool embryo;
	size_t len;
	int side, ip = 14;

	wire_address(&from, c->layout.v6, 1, port);
	wire_address(&to, c->layout.v6, 2, 80);
	side = wire_key(&key, &from, &to);
	len = wire_build(frame, &plain, &from, &to, &seg);
	rig_send(rig, HOOK_XDP, frame, len, (uint32_t)len, false, 0);
	if (ward_flow_get(rig->w, &key, &first, &embryo))
		return printf("# %s: the SYN made no flow\n", c->name);
	seg.bits = TH_ACK;
	seg.seq = 1001;
	seg.ack = 5001;
	seg.len = c->payload;
	len = wire_build(frame, &c->layout, &from, &to, &seg);
	if (c->no_ip_length)
		memset(frame + ip + (c->layout.v6 ? 4 : 2), 0, 2);
	before = rig_counters(rig);
	rig_send(rig, c->hook, frame, c->cut ? c->cut : len, c->wire_len ? c->wire_len : (uint32_t)len, false, c->gso_segs);
	after = rig_counters(rig);
	if (ward_flow_get(rig->w, &key, &f, &embryo))
		return printf("# %s: no flow\n", c->name);
	bytes = f.half[side].bytes;
	pkts = f.half[side].pkts - 1;
	if (c->hook == HOOK_TC_OUT)
		counted = after.counter[CNT_TX_BYTES] - before.counter[CNT_TX_BYTES];
	else
		counted = after.counter[CNT_RX_BYTES] - before.counter[CNT_RX_BYTES];
	if (bytes == c->bytes && pkts == c->pkts && counted == c->bytes)
		return 0;
	printf("# %s: want %lu bytes in %lu segments, have %lu in %lu, counted %lu\n", c->name, (long)c->bytes,
	       (long)c->pkts, (long)bytes, (long)pkts, (long)counted);
	return 1;
}

static void test_lengths(struct rig *rig)
{
	const int count = sizeof(lengths) / sizeof(*lengths);
	int i, bad = 0;

	for (i = 0; i < count; i++)
		bad += !!run_length(rig, &lengths[i], (uint16_t)(5000 + i));
	rig_report(!bad, "lengths: padding, cut captures, super-segments, BIG TCP", "%d wrong of %d", bad,
		   count);
}

/* Generic XDP: a frame above the MTU is so many segments, and said to be an estimate. */
static void test_estimate(void)
{
	static const struct length_case cases[] = {
		{"", HOOK_XDP, V4, 1400, false, 0, 0, 0, 1400, 1},
		{"", HOOK_XDP, V4, 1900, false, 0, 0, 0, 1900, 2},
	};
	struct rig_options opt;
	struct ward_counters c;
	struct rig rig;
	int bad = 0;

	rig_options_init(&opt);
	opt.iface_flags = IFACE_GENERIC;
	opt.iface_mtu = 1500;
	rig_open(&rig, &opt);
	bad += !!run_length(&rig, &cases[0], 6000);
	bad += !!run_length(&rig, &cases[1], 6001);
	c = rig_counters(&rig);
	rig_report(!bad && c.counter[CNT_ESTIMATED] == 1, "generic XDP estimates the segments of a super-segment",
		   "%d wrong, %d marked as estimated", bad, (int)c.counter[CNT_ESTIMATED]);
	rig_close(&rig);
}

/* tc egress: what came in by one of our interfaces is not counted again. */
static void test_forwarded(void)
{
	struct __sk_buff ctx = {.ingress_ifindex = 1, .ifindex = 1};
	LIBBPF_OPTS(bpf_test_run_opts, run, .ctx_in = &ctx, .ctx_size_in = sizeof(ctx));
	struct wire_layout v4 = V4;
	struct ward_counters before, after;
	uint8_t frame[WIRE_MAX];
	struct rig_options opt;
	struct wire_end from, to;
	struct rig rig;
	char why[300] = "cannot be run";
	int err;

	rig_options_init(&opt);
	opt.iface_mtu = 1500;
	rig_open(&rig, &opt);
	wire_address(&from, false, 1, 1);
	wire_address(&to, false, 2, 80);
	run.data_in = frame;
	run.data_size_in = (uint32_t)wire_build(frame, &v4, &from, &to, &syn);
	before = rig_counters(&rig);
	err = bpf_prog_test_run_opts(rig.w->prog[PROG_TC_EGRESS], &run);
	after = rig_counters(&rig);
	if (!err && counted_once(&before, &after, REASON_FORWARDED, why, sizeof(why)) && (int)run.retval == -1)
		rig_report(true, "a forwarded segment is not counted again", "tc egress");
	else
		rig_report(false, "a forwarded segment is not counted again", "%s", why);
	rig_close(&rig);
}

/* ---- TCP options ---- */

struct options_seen {
	int ws; /* WS_NONE: none */
	uint32_t ts;
};

/* As a plain reader of RFC 9293 section 3.1 would do it. */
static struct options_seen options_reference(const uint8_t *opt, size_t n)
{
	struct options_seen seen = {.ws = 15};
	size_t at = 0;
	int steps;

	for (steps = 0; steps < 40 && at < n && opt[at]; steps++) { /* 40: as many as the parser promises to look at */
		size_t len;

		if (opt[at] == 1) {
			at++;
			continue;
		}
		if (at + 1 >= n)
			break;
		len = opt[at + 1];
		if (len < 2 || at + len > n)
			break;
		if (opt[at] == 3 && len == 3)
			seen.ws = opt[at + 2] > 14 ? 14 : opt[at + 2];
		if (opt[at] == 8 && len == 10)
			seen.ts = (uint32_t)opt[at + 2] << 24 | opt[at + 3] << 16 | opt[at + 4] << 8 | opt[at + 5];
		at += len;
	}
	return seen;
}

/* Sends a SYN with these options and looks at the record. */
static int run_options(struct rig *rig, const uint8_t *bytes, size_t n, const char *name, const struct options_seen *want)
{
	struct wire_segment seg = syn;
	struct wire_layout v4 = V4;
	struct options_seen ref = options_reference(bytes, n);
	struct wire_end from, to;
	struct flow_key key;
	uint8_t frame[WIRE_MAX];
	struct flow f;
	bool embryo;
	size_t len, i;
	int side, ws;

	wire_address(&from, false, 1, 1 + rig->packets % 60000);
	wire_address(&to, false, 2, (uint16_t)(80 + rig->packets / 60000));
	side = wire_key(&key, &from, &to);
	seg.raw_options = bytes;
	seg.raw_options_len = n;
	len = wire_build(frame, &v4, &from, &to, &seg);
	rig_send(rig, HOOK_XDP, frame, len, (uint32_t)len, false, 0);
	if (ward_flow_get(rig->w, &key, &f, &embryo))
		return printf("# options %s: no flow\n", name);
	ws = f.wscale >> (4 * side) & 15;
	if (want && (want->ws != ref.ws || want->ts != ref.ts))
		printf("# options %s: the reference says %d %u\n", name, ref.ws, ref.ts);
	if (!want)
		want = &ref;
	if (ws == want->ws && f.half[side].tsval == want->ts)
		return 0;
	printf("# options %s: want ws %d ts %u, have %d %u:", name, want->ws, want->ts, ws, f.half[side].tsval);
	for (i = 0; i < n; i++)
		printf(" %02x", bytes[i]);
	return printf("\n");
}

#define BYTES(text) (const uint8_t *)(text), sizeof(text) - 1
static const struct {
	const char *name;
	const uint8_t *bytes;
	size_t n;
	struct options_seen want;
} option_cases[] = {
	{"none", BYTES(""), {15, 0}},
	{"of Linux", BYTES("\2\4\5\xb4\4\2\x8\xa\0\0\0\x7\0\0\0\0\1\3\3\7"), {7, 7}},
	{"of Windows", BYTES("\2\4\5\xb4\1\3\3\x8\1\1\4\2"), {8, 0}},
	{"of macOS", BYTES("\2\4\5\xb4\1\3\3\6\1\1\x8\xa\1\2\3\4\0\0\0\0\4\2\0\0"), {6, 0x01020304}},
	{"NOP NOP TS, then WS", BYTES("\1\1\x8\xa\0\0\0\x9\0\0\0\0\3\3\5\0"), {5, 9}},
	{"WS first", BYTES("\3\3\2\1\2\4\5\xb4"), {2, 0}},
	{"TS unaligned", BYTES("\3\3\2\x8\xa\xde\xad\xbe\xef\0\0\0\0\1\1\1"), {2, 0xdeadbeef}},
	{"WS of 14", BYTES("\3\3\xe\1"), {14, 0}},
	{"WS of 15 counts as 14", BYTES("\3\3\xf\1"), {14, 0}},
	{"WS of 255 counts as 14", BYTES("\3\3\xff\1"), {14, 0}},
	{"EOL ends the list", BYTES("\0\3\3\7"), {15, 0}},
	{"unknown kinds between", BYTES("\xfd\4\1\2\x1e\4\0\0\3\3\4\xfe\4\1\2\1"), {4, 0}},
	{"an unknown kind of length 0", BYTES("\xfd\0\3\3\7\1\1\1"), {15, 0}},
	{"an unknown kind of length 1", BYTES("\xfd\1\3\3\7\1\1\1"), {15, 0}},
	{"an unknown kind beyond the end", BYTES("\3\3\7\xfd\x9\1\1\1"), {7, 0}},
	{"WS of the wrong length", BYTES("\3\4\7\7\1\1\1\1"), {15, 0}},
	{"TS of the wrong length", BYTES("\x8\x6\0\0\0\1\1\1"), {15, 0}},
	{"TS cut by the end", BYTES("\1\1\1\1\1\1\x8\xa\0\0\0\1"), {15, 0}},
	{"a kind without a length", BYTES("\1\1\1\3"), {15, 0}},
	{"40 bytes", BYTES("\2\4\5\xb4\1\1\5\x12\1\2\3\4\5\6\7\x8\x9\xa\xb\xc\xd\xe\xf\0\x8\xa\0\0\0\x21\0\0\0\0\3\3\x9\1\1\1"), {9, 33}},
	{"WS twice: the last", BYTES("\3\3\1\3\3\2\1\1"), {2, 0}},
};

static uint32_t xorshift(uint32_t *s)
{
	*s ^= *s << 13;
	*s ^= *s >> 17;
	return *s ^= *s << 5;
}

static void test_options(struct rig *rig)
{
	static const uint8_t kinds[] = {0, 1, 1, 2, 3, 3, 4, 5, 8, 8, 30, 253};
	const int count = sizeof(option_cases) / sizeof(*option_cases), random = 3000;
	uint32_t seed = 20240607;
	uint8_t bytes[40];
	int i, bad = 0;
	size_t n, j, k;

	rig_empty(rig);
	for (i = 0; i < count; i++)
		bad += !!run_options(rig, option_cases[i].bytes, option_cases[i].n, option_cases[i].name, &option_cases[i].want);
	for (i = 0; i < random; i++) {
		n = xorshift(&seed) % 11 * 4;
		for (j = 0; j < n; j++)
			bytes[j] = (uint8_t)xorshift(&seed);
		for (j = 0; j < n; j += 2 + k % 9) { /* mostly lists that begin well */
			bytes[j] = kinds[xorshift(&seed) % sizeof(kinds)];
			k = bytes[j] == 3 ? 1 : bytes[j] == 8 ? 8 : bytes[j] == 4 ? 0 : xorshift(&seed) % 12;
			if (j + 1 < n && bytes[j] > 1)
				bytes[j + 1] = (uint8_t)(2 + k);
		}
		bad += !!run_options(rig, bytes, n, "at random", NULL);
		if (i % 256 == 0)
			rig_empty(rig);
	}
	rig_report(!bad, "TCP options", "%d wrong of %d layouts and %d random ones", bad, count, random);
}

int main(void)
{
	struct rig_options opt;
	struct rig rig;

	rig_options_init(&opt);
	opt.ward.embryos = 4096;
	rig_open(&rig, &opt);
	test_reasons(&rig);
	test_lengths(&rig);
	test_options(&rig);
	if (rig.wrong_verdicts)
		rig_report(false, "XDP_PASS and TC_ACT_UNSPEC", "%d other verdicts", rig.wrong_verdicts);
	else
		rig_report(true, "XDP_PASS and TC_ACT_UNSPEC", "%ld packets", rig.packets);
	rig_close(&rig);

	opt.ward.embryos = 64;
	rig_open(&rig, &opt);
	test_busy(&rig);
	rig_close(&rig);
	test_estimate();
	test_forwarded();
	return rig_result();
}
