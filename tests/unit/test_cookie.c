/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The SYN cookie: its hash against the published vectors, what it carries, how long it lives, what a forger gets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "syncookie.h"

#define SLOT_NS (1ULL << COOKIE_SLOT_SHIFT)
#define NOW (52000000ULL * SLOT_NS)

static uint64_t random_state = 42;

static uint64_t next_random(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state * 0x2545f4914f6cdd1dULL;
}

static const uint8_t v4[2][16] = { { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 1 },
				   { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 198, 51, 100, 7 } };
static const uint8_t v6[2][16] = { { 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1 },
				   { 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2 } };

static struct cookie_tuple tuple(int six, uint32_t isn)
{
	return (struct cookie_tuple){ six ? v6[0] : v4[0], six ? v6[1] : v4[1], 0x3930, 0x5000, isn, six };
}

static struct cookie_keys fresh_keys(void)
{
	return (struct cookie_keys){
		.key = { { { next_random(), next_random() } }, { { next_random(), next_random() } } },
		.since = cookie_slot(NOW) - 5,
		.ts_offset = (uint32_t)next_random(),
	};
}

/* SipHash-2-4 64-bit, key 00..0f, message 00..len-1: the reference implementation's vectors. */
static void test_siphash(void **state)
{
	static const struct {
		uint32_t len;
		uint64_t hash;
	} vectors[] = {
		{ 0, 0x726fdb47dd0e0e31ULL },  { 1, 0x74f839c593dc67fdULL },  { 4, 0xcf2794e0277187b7ULL },
		{ 7, 0xab0200f58b01d137ULL },  { 8, 0x93f5f5799a932462ULL },  { 15, 0xa129ca6149be45e5ULL },
		{ 16, 0x3f2acc7f57c29bdbULL },
	};
	const struct cookie_key key = { { 0x0706050403020100ULL, 0x0f0e0d0c0b0a0908ULL } };
	uint8_t message[24];
	uint64_t word, tail;
	struct siphash s;
	uint32_t at;

	(void)state;
	for (at = 0; at < sizeof(message); at++)
		message[at] = (uint8_t)at;
	for (size_t i = 0; i < sizeof(vectors) / sizeof(*vectors); i++) {
		siphash_begin(&s, &key);
		for (at = 0; at + 8 <= vectors[i].len; at += 8) {
			memcpy(&word, message + at, 8);
			siphash_word(&s, word);
		}
		tail = 0;
		memcpy(&tail, message + at, vectors[i].len - at);
		assert_int_equal(siphash_end(&s, tail, vectors[i].len), vectors[i].hash);
	}
}

/* What is hashed is the string that the comment says: addresses, ports, ISN, slot. */
static void test_message(void **state)
{
	struct cookie_keys keys = fresh_keys();
	struct cookie_tuple t = tuple(0, 0x11223344), u = tuple(1, 0x11223344);
	uint64_t words[6];
	struct siphash s;

	(void)state;
	siphash_begin(&s, cookie_key_of(&keys, 77));
	memcpy(words, v4[0] + 12, 4);
	memcpy((char *)words + 4, v4[1] + 12, 4);
	words[1] = 0x3930 | 0x5000ULL << 16 | 0x11223344ULL << 32;
	siphash_word(&s, words[0]);
	siphash_word(&s, words[1]);
	assert_int_equal(cookie_hash(&keys, &t, 77), siphash_end(&s, 77, 20));
	siphash_begin(&s, cookie_key_of(&keys, 77));
	memcpy(words, v6[0], 16);
	memcpy(words + 2, v6[1], 16);
	for (int i = 0; i < 4; i++)
		siphash_word(&s, words[i]);
	siphash_word(&s, 0x3930 | 0x5000ULL << 16 | 0x11223344ULL << 32);
	assert_int_equal(cookie_hash(&keys, &u, 77), siphash_end(&s, 77, 44));
}

static void round_trip(int six, uint16_t mss, uint8_t ws, uint8_t has)
{
	struct cookie_options in = { mss, ws, has }, out = { 0 };
	struct cookie_keys keys = fresh_keys();
	uint32_t isn = (uint32_t)next_random();
	struct cookie_tuple t = tuple(six, isn);
	uint32_t cookie = cookie_make(&keys, &t, &in, NOW);

	assert_true(cookie_check(&keys, &t, cookie, NOW, &out));
	assert_int_equal(out.ws, has & COOKIE_HAS_WS ? ws : COOKIE_WS_NONE);
	assert_int_equal(out.has, has);
	assert_true(out.mss <= mss || out.mss == (six ? 1220 : 536));
	assert_int_equal(out.mss, cookie_mss(cookie_mss_index(mss, six), six));
}

/* Every combination of options, both families; MSS at and around each of the eight. */
static void test_options(void **state)
{
	static const uint16_t sizes[] = { 0, 88, 535, 536, 1199, 1200, 1219, 1220, 1300, 1340, 1360, 1379, 1380, 1400, 1420, 1439,
					  1440, 1459, 1460, 1461, 8939, 8940, 8960, 65535 };

	(void)state;
	for (int six = 0; six < 2; six++)
		for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++)
			for (int bits = 0; bits < 4; bits++)
				for (int ws = 0; ws <= 15; ws++)
					round_trip(six, sizes[i], (uint8_t)ws,
						   (ws == COOKIE_WS_NONE ? 0 : COOKIE_HAS_WS) |
							   (bits & 1 ? COOKIE_HAS_SACK : 0) | (bits & 2 ? COOKIE_HAS_ECN : 0));
	assert_int_equal(cookie_mss(cookie_mss_index(1460, 0), 0), 1460);
	assert_int_equal(cookie_mss(cookie_mss_index(1440, 1), 1), 1440);
	assert_int_equal(cookie_mss(cookie_mss_index(8960, 0), 0), 8960);
}

static void test_lifetime(void **state)
{
	const struct cookie_options in = { 1460, 7, COOKIE_HAS_WS | COOKIE_HAS_SACK };
	struct cookie_keys keys = fresh_keys();
	struct cookie_tuple t = tuple(0, 1000);
	struct cookie_options out;
	uint32_t cookie = cookie_make(&keys, &t, &in, NOW);

	(void)state;
	assert_true(cookie_check(&keys, &t, cookie, NOW + SLOT_NS - 1, &out));
	assert_true(cookie_check(&keys, &t, cookie, NOW + SLOT_NS, &out));
	assert_true(cookie_check(&keys, &t, cookie, NOW + 2 * SLOT_NS - 1, &out));
	assert_int_equal(COOKIE_LIFETIME_NS, 2 * SLOT_NS);
	for (int slots = 2; slots < 40; slots++)
		assert_false(cookie_check(&keys, &t, cookie, NOW + slots * SLOT_NS, &out));
	assert_false(cookie_check(&keys, &t, cookie, NOW - 1, &out)); /* nor before it was made */
}

/* It is of this connection alone. */
static void test_bound(void **state)
{
	const struct cookie_options in = { 1460, 7, COOKIE_HAS_WS };
	struct cookie_keys keys = fresh_keys();
	struct cookie_tuple t = tuple(0, 1000), other;
	struct cookie_options out = { 1, 2, 3 };
	uint32_t cookie = cookie_make(&keys, &t, &in, NOW);

	(void)state;
	other = t;
	other.isn++;
	assert_false(cookie_check(&keys, &other, cookie, NOW, &out));
	other = t;
	other.sport ^= 0x0100;
	assert_false(cookie_check(&keys, &other, cookie, NOW, &out));
	other = t;
	other.dport ^= 0x0100;
	assert_false(cookie_check(&keys, &other, cookie, NOW, &out));
	other = t;
	other.saddr = t.daddr, other.daddr = t.saddr;
	assert_false(cookie_check(&keys, &other, cookie, NOW, &out));
	keys.key[0].word[1] ^= 1; /* since is past: turn 0 */
	assert_false(cookie_check(&keys, &t, cookie, NOW, &out));
	assert_int_equal(out.mss, 1); /* a bad one says nothing */
	assert_int_equal(out.ws, 2);
	assert_int_equal(out.has, 3);
}

/* A key begins with its slot: cookies made before it stay good, and only by the key before. */
static void test_rotation(void **state)
{
	const struct cookie_options in = { 1460, 7, COOKIE_HAS_WS };
	struct cookie_keys keys = fresh_keys(), before;
	struct cookie_tuple t = tuple(1, 1000);
	struct cookie_options out;
	uint32_t old, new;

	(void)state;
	before = keys;
	old = cookie_make(&keys, &t, &in, NOW);
	keys.turn = 1;
	keys.since = cookie_slot(NOW) + 1;
	assert_int_equal(cookie_make(&keys, &t, &in, NOW), old); /* not yet */
	new = cookie_make(&keys, &t, &in, NOW + SLOT_NS);
	assert_true(cookie_check(&keys, &t, old, NOW + SLOT_NS, &out));
	assert_true(cookie_check(&keys, &t, new, NOW + SLOT_NS, &out));
	assert_false(cookie_check(&before, &t, new, NOW + SLOT_NS, &out));
	assert_false(cookie_check(&keys, &t, old, NOW + 2 * SLOT_NS, &out));
	keys.key[0] = (struct cookie_key){ { 1, 2 } }; /* the old key goes: the new one's cookies do not notice */
	assert_true(cookie_check(&keys, &t, new, NOW + 2 * SLOT_NS, &out));
	keys.since = cookie_slot(NOW) - 0x7fffffff; /* slots wrap as any serial number does */
	assert_ptr_equal(cookie_key_of(&keys, cookie_slot(NOW)), &keys.key[1]);
}

/* 100,000 forged ACKs: none gets in. And of 2^24, about four: the chance is what the header says. */
static void test_forged(void **state)
{
	struct cookie_keys keys = fresh_keys();
	struct cookie_options out;
	unsigned in = 0, i;

	(void)state;
	for (i = 0; i < 1 << 24; i++) {
		struct cookie_tuple t = tuple(0, (uint32_t)next_random());

		t.sport = (uint16_t)next_random();
		in += cookie_check(&keys, &t, (uint32_t)next_random(), NOW, &out);
		if (i == 100000)
			assert_int_equal(in, 0);
	}
	printf("# %u of %u forged ACKs were taken\n", in, i);
	assert_in_range(in, 0, 14);
}

/* The stack goes on with our clock; an echo that is none of ours is believed as it is. */
static void test_clock(void **state)
{
	struct cookie_keys keys = fresh_keys();
	uint32_t then = cookie_clock(&keys, NOW), now = cookie_clock(&keys, NOW + 100000000);

	(void)state;
	assert_int_equal(now - then, 95); /* 100 ms in units of 1.05 ms */
	assert_int_equal(cookie_clock_now(&keys, NOW + 100000000, then), now);
	assert_int_equal(cookie_clock_now(&keys, NOW, then + 1), then + 1); /* from the future */
	assert_int_equal(cookie_clock_now(&keys, NOW, then - 100000), then - 100000);
}

static void test_kernel_stamp(void **state)
{
	struct cookie_options in = { 0, 7, COOKIE_HAS_WS | COOKIE_HAS_SACK | COOKIE_HAS_ECN }, out;
	uint32_t stamp, clock;

	(void)state;
	for (clock = 1000; clock < 1200; clock++) {
		stamp = cookie_kernel_stamp(clock, &in);
		assert_true(stamp <= clock && clock - stamp < 128);
		cookie_kernel_options(stamp, &out);
		assert_int_equal(out.ws, 7);
		assert_int_equal(out.has, in.has);
	}
	in.has = 0;
	cookie_kernel_options(cookie_kernel_stamp(5000, &in), &out);
	assert_int_equal(out.ws, COOKIE_WS_NONE);
	assert_int_equal(out.has, 0);
}

static void test_reply(void **state)
{
	struct cookie_reply r = { 0 };

	(void)state;
	cookie_reply_options(&r, COOKIE_HAS_TS | COOKIE_HAS_WS | COOKIE_HAS_SACK, 1460, 7, 0xaabbccdd, 0x11223344);
	assert_int_equal(r.words, 5);
	assert_int_equal(r.word[0], 0x020405b4);
	assert_int_equal(r.word[1], 0x0402080a);
	assert_int_equal(r.word[2], 0xaabbccdd);
	assert_int_equal(r.word[3], 0x11223344);
	assert_int_equal(r.word[4], 0x01030307);
	cookie_reply_options(&r, COOKIE_HAS_WS, 1460, 7, 0, 0);
	assert_int_equal(r.words, 2);
	assert_int_equal(r.word[1], 0x01030307);
	cookie_reply_options(&r, COOKIE_HAS_WS | COOKIE_HAS_SACK, 1460, 0, 0, 0);
	assert_int_equal(r.words, 3);
	assert_int_equal(r.word[1], 0x01010402);
	assert_int_equal(r.word[2], 0x01030300);
	cookie_reply_options(&r, COOKIE_HAS_TS, 536, 0, 1, 2);
	assert_int_equal(r.words, 4);
	assert_int_equal(r.word[1], 0x0101080a);
	cookie_reply_options(&r, COOKIE_HAS_ECN, 536, 0, 1, 2);
	assert_int_equal(r.words, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_siphash), cmocka_unit_test(test_message),	 cmocka_unit_test(test_options),
		cmocka_unit_test(test_lifetime), cmocka_unit_test(test_bound),	 cmocka_unit_test(test_rotation),
		cmocka_unit_test(test_forged),	 cmocka_unit_test(test_clock),	 cmocka_unit_test(test_kernel_stamp),
		cmocka_unit_test(test_reply),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
