/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The capture reader over files that this test writes byte by byte, and the clock of a replay. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "capture/capture.h"
#include "lib/temp.h"

#define PCAP_US 0xa1b2c3d4u
#define PCAP_NS 0xa1b23c4du
#define NS 1000000000ULL

enum {
	ETHERNET = 1,
	NULL_LINK = 0,
	RAW = 101,
	LOOP = 108,
	SLL = 113,
	IPV4 = 228,
	IPV6 = 229,
	SLL2 = 276,
	IEEE802_11 = 105
};

/* ---- a file in the making ---- */
struct bytes {
	uint8_t data[8192];
	size_t len;
};

static void add(struct bytes *b, const void *data, size_t len)
{
	assert_true(b->len + len <= sizeof(b->data));
	memcpy(b->data + b->len, data, len);
	b->len += len;
}

static void add32(struct bytes *b, uint32_t v)
{
	add(b, &v, sizeof(v));
}

static void add16(struct bytes *b, uint16_t v)
{
	add(b, &v, sizeof(v));
}

static void pcap_header(struct bytes *b, uint32_t magic, uint32_t link)
{
	b->len = 0;
	add32(b, magic);
	add16(b, 2);
	add16(b, 4);
	add32(b, 0);
	add32(b, 0);
	add32(b, 65535);
	add32(b, link);
}

static void pcap_packet(struct bytes *b, uint32_t s, uint32_t fraction, const uint8_t *data, uint32_t len,
			uint32_t wire)
{
	add32(b, s);
	add32(b, fraction);
	add32(b, len);
	add32(b, wire);
	add(b, data, len);
}

static char path[TEMP_PATH_LEN];

static int make_dir(void **state)
{
	int fd = mkstemp(temp_template("capture", path));

	(void)state;
	return fd < 0 ? -1 : close(fd);
}

static int remove_dir(void **state)
{
	(void)state;
	return unlink(path);
}

static struct capture_error error;

static int open_bytes(const struct bytes *b, struct capture **c)
{
	FILE *f = fopen(path, "wb");

	assert_non_null(f);
	assert_int_equal(fwrite(b->data, 1, b->len, f), b->len);
	fclose(f);
	return capture_open(path, c, &error);
}

static struct capture *must_open(const struct bytes *b)
{
	struct capture *c;

	assert_int_equal(open_bytes(b, &c), 0);
	return c;
}

/* An IPv4 header and 20 bytes of TCP, recognisable. */
static const uint8_t ip4[40] = { 0x45, 0, 0, 40, 1, 2, 0, 0, 64, 6 };
static const uint8_t ip6[60] = { 0x60, 0, 0, 0, 0, 20, 6, 64 };

static void expect_end(struct capture *c)
{
	struct capture_packet p;

	assert_int_equal(capture_next(c, &p, &error), 0);
	capture_close(c);
}

static void takes_microseconds_and_nanoseconds(void **state)
{
	static const struct {
		uint32_t magic, fraction;
		uint64_t ns;
	} cases[] = { { PCAP_US, 123456, 7 * NS + 123456000 }, { PCAP_NS, 123456789, 7 * NS + 123456789 } };
	uint8_t frame[54] = { [12] = 8 };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct capture_packet p;
		struct capture *c;
		struct bytes b;

		pcap_header(&b, cases[i].magic, ETHERNET);
		pcap_packet(&b, 7, cases[i].fraction, frame, sizeof(frame), sizeof(frame));
		c = must_open(&b);
		assert_int_equal(capture_next(c, &p, &error), 1);
		assert_int_equal(p.ts_ns, cases[i].ns);
		assert_int_equal(p.len, sizeof(frame));
		assert_int_equal(p.wire_len, sizeof(frame));
		assert_false(p.l3);
		assert_memory_equal(p.data, frame, sizeof(frame));
		expect_end(c);
	}
}

static void takes_the_other_byte_order(void **state)
{
	struct capture_packet p;
	struct capture *c;
	struct bytes b;

	(void)state;
	b.len = 0;
	add32(&b, __builtin_bswap32(PCAP_US));
	add16(&b, __builtin_bswap16(2));
	add16(&b, __builtin_bswap16(4));
	add32(&b, 0);
	add32(&b, 0);
	add32(&b, __builtin_bswap32(65535));
	add32(&b, __builtin_bswap32(RAW));
	add32(&b, __builtin_bswap32(9));
	add32(&b, __builtin_bswap32(1));
	add32(&b, __builtin_bswap32(sizeof(ip4)));
	add32(&b, __builtin_bswap32(sizeof(ip4)));
	add(&b, ip4, sizeof(ip4));
	c = must_open(&b);
	assert_int_equal(capture_next(c, &p, &error), 1);
	assert_int_equal(p.ts_ns, 9 * NS + 1000);
	assert_true(p.l3);
	expect_end(c);
}

/* A link header, what follows it, and how the packet must come out. */
struct link_case {
	const char *name;
	uint32_t link;
	uint8_t header[24];
	uint8_t header_len;
	const uint8_t *payload;
	uint8_t payload_len;
	int ethertype; /* -1: bare IP */
};

static const struct link_case link_cases[] = {
	{ "SLL, IPv4", SLL, { [5] = 6, [14] = 0x08, [15] = 0x00 }, 16, ip4, 40, 0x0800 },
	{ "SLL, IPv6", SLL, { [14] = 0x86, [15] = 0xdd }, 16, ip6, 60, 0x86dd },
	{ "SLL, ARP", SLL, { [14] = 0x08, [15] = 0x06 }, 16, ip4, 28, 0x0806 },
	{ "SLL, VLAN", SLL, { [14] = 0x81, [15] = 0x00 }, 16, ip4, 40, 0x8100 },
	{ "SLL2, IPv4", SLL2, { 0x08, 0x00, [7] = 2 }, 20, ip4, 40, 0x0800 },
	{ "SLL2, IPv6", SLL2, { 0x86, 0xdd }, 20, ip6, 60, 0x86dd },
	{ "NULL, IPv4", NULL_LINK, { 2, 0, 0, 0 }, 4, ip4, 40, 0x0800 },
	{ "NULL, IPv6 of macOS", NULL_LINK, { 30, 0, 0, 0 }, 4, ip6, 60, 0x86dd },
	{ "NULL, IPv6 of FreeBSD", NULL_LINK, { 28, 0, 0, 0 }, 4, ip6, 60, 0x86dd },
	{ "NULL, foreign family", NULL_LINK, { 23, 0, 0, 0 }, 4, ip4, 40, 0 },
	{ "LOOP, IPv4", LOOP, { 0, 0, 0, 2 }, 4, ip4, 40, 0x0800 },
	{ "LOOP, IPv6 of OpenBSD", LOOP, { 0, 0, 0, 24 }, 4, ip6, 60, 0x86dd },
	{ "RAW", RAW, { 0 }, 0, ip4, 40, -1 },
	{ "IPV4", IPV4, { 0 }, 0, ip4, 40, -1 },
	{ "IPV6", IPV6, { 0 }, 0, ip6, 60, -1 },
};

static void check_link(const struct link_case *l, const struct capture_packet *p)
{
	size_t skip = l->ethertype < 0 ? 0 : 14;

	assert_int_equal(p->l3, l->ethertype < 0);
	assert_int_equal(p->len, skip + l->payload_len);
	assert_int_equal(p->wire_len, skip + l->payload_len + 1000);
	if (skip)
		assert_int_equal(p->data[12] << 8 | p->data[13], l->ethertype);
	assert_memory_equal(p->data + skip, l->payload, l->payload_len);
}

static void takes_every_link_type(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(link_cases) / sizeof(*link_cases); i++) {
		const struct link_case *l = &link_cases[i];
		uint32_t len = (uint32_t)l->header_len + l->payload_len;
		struct capture_packet p;
		struct capture *c;
		uint8_t frame[128];
		struct bytes b;

		print_message("  %s\n", l->name);
		memcpy(frame, l->header, l->header_len);
		memcpy(frame + l->header_len, l->payload, l->payload_len);
		pcap_header(&b, PCAP_US, l->link);
		pcap_packet(&b, 1, 0, frame, len, len + 1000); /* cut by the snaplen */
		c = must_open(&b);
		assert_int_equal(capture_next(c, &p, &error), 1);
		check_link(l, &p);
		expect_end(c);
	}
}

static void hands_out_the_first_bytes_only(void **state)
{
	static const struct {
		uint32_t link, wire;
	} cases[] = { { ETHERNET, 1514 }, { RAW, 1514 }, { SLL, 1514 - 16 + 14 }, { SLL2, 1514 - 20 + 14 } };
	uint8_t frame[1514] = { 0x45 };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct capture_packet p;
		struct capture *c;
		struct bytes b;

		pcap_header(&b, PCAP_US, cases[i].link);
		pcap_packet(&b, 1, 0, frame, sizeof(frame), sizeof(frame));
		c = must_open(&b);
		assert_int_equal(capture_next(c, &p, &error), 1);
		assert_int_equal(p.len, CAPTURE_BYTES);
		assert_int_equal(p.wire_len, cases[i].wire);
		expect_end(c);
	}
}

static void short_link_headers_are_empty_packets(void **state)
{
	static const uint32_t cases[][2] = { { SLL, 15 }, { SLL2, 19 }, { NULL_LINK, 3 }, { LOOP, 0 }, { SLL, 0 } };
	uint8_t frame[32] = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct capture_packet p;
		struct capture *c;
		struct bytes b;

		pcap_header(&b, PCAP_US, cases[i][0]);
		pcap_packet(&b, 1, 0, frame, cases[i][1], cases[i][1]);
		c = must_open(&b);
		assert_int_equal(capture_next(c, &p, &error), 1);
		assert_int_equal(p.len, 0);
		expect_end(c);
	}
}

/* ---- pcapng: a section, an interface with a resolution of 10^-9 or 2^-20, a packet ---- */
static void ng_section(struct bytes *b)
{
	b->len = 0;
	add32(b, 0x0a0d0d0a);
	add32(b, 28);
	add32(b, 0x1a2b3c4d);
	add16(b, 1);
	add16(b, 0);
	add32(b, 0xffffffff);
	add32(b, 0xffffffff);
	add32(b, 28);
}

static void ng_interface(struct bytes *b, uint16_t link, uint8_t resolution)
{
	const uint8_t value[4] = { resolution };

	add32(b, 1);
	add32(b, 32);
	add16(b, link);
	add16(b, 0);
	add32(b, 0);
	add16(b, 9); /* if_tsresol */
	add16(b, 1);
	add(b, value, 4);
	add32(b, 0); /* end of options */
	add32(b, 32);
}

static void ng_packet(struct bytes *b, uint64_t ts, const uint8_t *data, uint32_t len, uint32_t wire)
{
	uint32_t padded = (len + 3) & ~3u;
	static const uint8_t zero[4];

	add32(b, 6);
	add32(b, 32 + padded);
	add32(b, 0);
	add32(b, (uint32_t)(ts >> 32));
	add32(b, (uint32_t)ts);
	add32(b, len);
	add32(b, wire);
	add(b, data, len);
	add(b, zero, padded - len);
	add32(b, 32 + padded);
}

/* A header that says so is wrong; the parser would count from the frame's end, which lay before its beginning. */
static void lengths_on_the_wire_are_sound(void **state)
{
	static const struct {
		uint32_t link, len, wire, expected;
	} cases[] = {
		{ RAW, sizeof(ip4), 3, sizeof(ip4) },
		{ RAW, sizeof(ip4), 1500, 1500 },
		{ LOOP, sizeof(ip4), 3, sizeof(ip4) + 10 },
		{ LOOP, sizeof(ip4), UINT32_MAX, UINT32_MAX - 4 }, /* the family goes, an Ethernet header comes */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct capture_packet p;
		struct capture *c;
		struct bytes b;

		pcap_header(&b, PCAP_US, cases[i].link);
		pcap_packet(&b, 7, 0, ip4, cases[i].len, cases[i].wire);
		c = must_open(&b);
		assert_int_equal(capture_next(c, &p, &error), 1);
		assert_true(p.len <= p.wire_len);
		assert_int_equal(p.wire_len, cases[i].expected);
		expect_end(c);
	}
}

static void takes_pcapng(void **state)
{
	static const struct {
		uint8_t resolution;
		uint64_t ts, ns;
	} cases[] = { { 6, 1700000000123456ULL, 1700000000123456000ULL },
		      { 9, 1700000000123456789ULL, 1700000000123456789ULL },
		      { 0x80 | 20, 1700000000ULL << 20 | 1 << 19, 1700000000500000000ULL } };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct capture_packet p;
		struct capture *c;
		struct bytes b;

		ng_section(&b);
		ng_interface(&b, RAW, cases[i].resolution);
		ng_packet(&b, cases[i].ts, ip4, sizeof(ip4), 1500);
		c = must_open(&b);
		assert_int_equal(capture_next(c, &p, &error), 1);
		assert_int_equal(p.ts_ns, cases[i].ns);
		assert_int_equal(p.wire_len, 1500);
		assert_true(p.l3);
		expect_end(c);
	}
}

/* ---- bad input ---- */
static void a_cut_file_gives_what_stands_before(void **state)
{
	(void)state;
	for (int ng = 0; ng < 2; ng++) {
		struct capture_packet p;
		struct capture *c;
		struct bytes b;

		if (ng) {
			ng_section(&b);
			ng_interface(&b, RAW, 6);
		} else {
			pcap_header(&b, PCAP_US, RAW);
		}
		for (int i = 0; i < 2; i++) {
			if (ng)
				ng_packet(&b, 1000000, ip4, sizeof(ip4), sizeof(ip4));
			else
				pcap_packet(&b, 1, 0, ip4, sizeof(ip4), sizeof(ip4));
		}
		b.len -= 10;
		c = must_open(&b);
		assert_int_equal(capture_next(c, &p, &error), 1);
		assert_true(capture_next(c, &p, &error) < 0);
		assert_true(error.truncated);
		assert_non_null(strstr(error.text, "after packet 1"));
		assert_non_null(strstr(error.text, path));
		capture_close(c);
	}
}

static void refuses(const void *data, size_t len, const char *says)
{
	struct capture *c;
	struct bytes b = { .len = 0 };

	add(&b, data, len);
	assert_true(open_bytes(&b, &c) < 0);
	assert_false(error.truncated);
	if (!strstr(error.text, says))
		fail_msg("'%s' does not say '%s'", error.text, says);
	assert_non_null(strstr(error.text, path));
	assert_null(strchr(error.text, '\n'));
	assert_true(*error.remedy);
}

static void refuses_what_is_not_a_capture(void **state)
{
	static const uint8_t gzip[64] = { 0x1f, 0x8b, 8 };
	struct bytes wifi;
	struct capture *c;

	(void)state;
	refuses("", 0, "shorter than a file header");
	refuses("\xd4\xc3\xb2\xa1", 4, "shorter than a file header");
	refuses("this is a text, and certainly no capture of packets", 51, "not a capture");
	refuses(gzip, sizeof(gzip), "compressed");
	pcap_header(&wifi, PCAP_US, IEEE802_11);
	refuses(wifi.data, wifi.len, "link type 'IEEE802_11' (105)");
	assert_int_equal(capture_open("/no/such/file.pcap", &c, &error), -ENOENT);
	assert_non_null(strstr(error.text, "'/no/such/file.pcap': No such file"));
	assert_true(capture_open("/tmp", &c, &error) < 0);
}

static void random_bytes_do_no_harm(void **state)
{
	(void)state;
	srand(1);
	for (int round = 0; round < 300; round++) {
		struct capture_packet p;
		struct capture *c;
		struct bytes b;

		if (round & 1)
			ng_section(&b), ng_interface(&b, SLL2, 6), ng_packet(&b, 1, ip4, sizeof(ip4), 3);
		else
			pcap_header(&b, PCAP_US, SLL), pcap_packet(&b, 1, 0, ip4, sizeof(ip4), 3);
		for (int i = 0; i < 4; i++)
			b.data[24 + (size_t)rand() % (b.len - 24)] = (uint8_t)rand();
		if (open_bytes(&b, &c))
			continue;
		while (capture_next(c, &p, &error) > 0)
			assert_true(p.len <= CAPTURE_BYTES);
		capture_close(c);
	}
}

/* ---- the clock ---- */
static void the_clock_goes_on(void **state)
{
	static const struct {
		uint64_t ts, now, reordered, rebased;
	} steps[] = {
		{ 100 * NS, 100 * NS, 0, 0 }, { 101 * NS, 101 * NS, 0, 0 },
		{ 100 * NS, 101 * NS, 1, 0 },				   /* a second back: reordering */
		{ 102 * NS, 102 * NS, 1, 0 }, { 50 * NS, 102 * NS, 1, 1 }, /* 52 s back: goes on from there */
		{ 55 * NS, 107 * NS, 1, 1 },  { 54 * NS + NS / 2, 107 * NS, 2, 1 },
		{ 108 * NS, 108 * NS, 2, 1 }, /* the former stamps again */
		{ 109 * NS, 109 * NS, 2, 1 },
	};
	struct capture_clock clock = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
		assert_int_equal(capture_clock_tick(&clock, steps[i].ts), steps[i].now);
		assert_int_equal(clock.reordered, steps[i].reordered);
		assert_int_equal(clock.rebased, steps[i].rebased);
	}
}

static void one_stray_stamp_does_not_move_the_rest(void **state)
{
	struct capture_clock clock = { 0 };

	(void)state;
	assert_int_equal(capture_clock_tick(&clock, 1000 * NS), 1000 * NS);
	assert_int_equal(capture_clock_tick(&clock, 0), 1000 * NS);
	assert_int_equal(capture_clock_tick(&clock, 1001 * NS), 1001 * NS);
	assert_int_equal(capture_clock_tick(&clock, 1002 * NS), 1002 * NS);
	assert_int_equal(clock.rebased, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_microseconds_and_nanoseconds),
		cmocka_unit_test(takes_the_other_byte_order),
		cmocka_unit_test(takes_every_link_type),
		cmocka_unit_test(hands_out_the_first_bytes_only),
		cmocka_unit_test(short_link_headers_are_empty_packets),
		cmocka_unit_test(lengths_on_the_wire_are_sound),
		cmocka_unit_test(takes_pcapng),
		cmocka_unit_test(a_cut_file_gives_what_stands_before),
		cmocka_unit_test(refuses_what_is_not_a_capture),
		cmocka_unit_test(random_bytes_do_no_harm),
		cmocka_unit_test(the_clock_goes_on),
		cmocka_unit_test(one_stray_stamp_does_not_move_the_rest),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
