// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* One set of blocked addresses: words, times, ways that are found, given, taken out; addresses spread over the sets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "block_set.h"

#define NOW_NS (1000ULL << 30)
#define NOW 1000
#define LATER_NS (1010ULL << 30)

/* The second half of ::ffff:a.b.c.d: any number will do. */
static uint64_t low_of(uint32_t n)
{
	return (uint64_t)n << 32 | 0xffff0000;
}

static uint32_t find(const struct block_set *set, uint32_t n)
{
	return block_set_find(set, low_of(n), NOW);
}

static int put(struct block_set *set, uint32_t n, uint64_t until_ns, int reset)
{
	return block_set_put(set, block_word(low_of(n), until_ns), NOW, reset);
}

static void test_times(void **state)
{
	static const struct {
		uint64_t until_ns;
		uint32_t time;
	} cases[] = {
		{ 0, BLOCK_FOREVER },
		{ 1, 0 },
		{ (1ULL << 30) - 1, 0 },
		{ 1ULL << 30, 1 },
		{ (2ULL << 30) - 1, 1 },
		{ (uint64_t)(BLOCK_FOREVER - 1) << 30, BLOCK_FOREVER - 1 },
		{ (uint64_t)BLOCK_FOREVER << 30, BLOCK_FOREVER - 1 },
		{ ~0ULL, BLOCK_FOREVER - 1 }, /* it ends, and block_addrs knows when */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		assert_true(block_word(low_of(7), cases[i].until_ns) == ((uint64_t)7 << 32 | cases[i].time));
}

static void test_fits(void **state)
{
	(void)state;
	assert_true(block_set_fits(0, low_of(1)));
	assert_true(block_set_fits(0, low_of(0xffffffff)));
	assert_false(block_set_fits(0, low_of(0)));	/* a free way */
	assert_false(block_set_fits(1, low_of(1)));	/* IPv6 ... */
	assert_false(block_set_fits(0, 1ULL << 32));	/* ... of zeroes */
	assert_false(block_set_fits(0, 1ULL << 32 | 0xffff0001));
}

/* The way that is found is the first that has the address and time left: of each combination. */
static void test_find(void **state)
{
	enum { OTHER, OVER, NOW_OVER, MINE, FREE, KINDS };
	const uint64_t word[KINDS] = { block_word(low_of(8), 0), block_word(low_of(7), NOW_NS - 1), block_word(low_of(7), NOW_NS),
				       block_word(low_of(7), LATER_NS), 0 };

	(void)state;
	for (unsigned n = 0; n < 3125; n++) {
		struct block_set set = { .pad = 0 };
		uint32_t wanted = BLOCK_WAYS;

		for (unsigned i = 0, left = n; i < BLOCK_WAYS; i++, left /= KINDS) {
			set.way[i] = word[left % KINDS];
			if (left % KINDS == MINE && wanted == BLOCK_WAYS)
				wanted = i;
		}
		assert_int_equal(find(&set, 7), wanted);
	}
}

static void test_put(void **state)
{
	struct block_set set = { .pad = 0 };

	(void)state;
	for (uint32_t n = 1; n <= BLOCK_WAYS; n++) {
		assert_true(put(&set, n, n == 3 ? LATER_NS : 0, 1));
		set.hits[n - 1] = 100 * n;
	}
	assert_false(put(&set, 9, 0, 1)); /* no room, and nobody gives way */
	assert_int_equal(find(&set, 9), BLOCK_WAYS);
	for (uint32_t n = 1; n <= BLOCK_WAYS; n++)
		assert_int_equal(find(&set, n), n - 1);
	assert_true(put(&set, 3, 0, 0)); /* another time, the same hits */
	assert_int_equal(set.hits[2], 300);
	assert_true(set.way[2] == block_word(low_of(3), 0));
	assert_true(put(&set, 3, LATER_NS, 1));
	assert_int_equal(set.hits[2], 0);
	set.hits[2] = 300;
	assert_false(block_set_put(&set, block_word(low_of(9), 0), 1009, 1));
	assert_true(block_set_put(&set, block_word(low_of(9), 0), 1010, 1)); /* its time is over: its way is given away */
	assert_int_equal(find(&set, 3), BLOCK_WAYS);
	assert_int_equal(find(&set, 9), 2);
	assert_int_equal(set.hits[2], 0);
}

static void test_take(void **state)
{
	struct block_set set = { .pad = 0 };

	(void)state;
	put(&set, 1, 0, 1);
	put(&set, 2, LATER_NS, 1);
	block_set_undo(&set, block_word(low_of(2), 0)); /* another one's word */
	assert_int_equal(find(&set, 2), 1);
	block_set_undo(&set, block_word(low_of(2), LATER_NS));
	assert_int_equal(find(&set, 2), BLOCK_WAYS);
	assert_int_equal(find(&set, 1), 0);
	block_set_take(&set, low_of(2));
	assert_int_equal(find(&set, 1), 0);
	block_set_take(&set, low_of(1));
	assert_int_equal(find(&set, 1), BLOCK_WAYS);
	assert_true(put(&set, 5, 0, 1));
	assert_int_equal(find(&set, 5), 0);
}

/* Two writers have put one address into two ways: whoever comes next leaves one, or none. */
static void test_twice(void **state)
{
	struct block_set set = { .way = { block_word(low_of(1), 0), block_word(low_of(7), LATER_NS), 0, block_word(low_of(7), 0) } };

	(void)state;
	set.hits[1] = 11;
	assert_true(put(&set, 7, LATER_NS + (5ULL << 30), 0));
	assert_true(set.way[1] == block_word(low_of(7), LATER_NS + (5ULL << 30)));
	assert_true(set.way[3] == 0);
	assert_int_equal(set.hits[1], 11);
	set.way[4] = block_word(low_of(7), 0);
	block_set_take(&set, low_of(7));
	assert_int_equal(find(&set, 7), BLOCK_WAYS);
	assert_int_equal(find(&set, 1), 0);
}

/* How many of so many find no room, whether they follow one another or not. */
static unsigned homeless(uint32_t step, uint32_t count)
{
	uint8_t *taken = calloc(BLOCK_SETS, 1);
	unsigned out = 0;

	for (uint32_t i = 0; i < count; i++) {
		uint32_t set = block_set_index(block_bit_of(0, low_of(__builtin_bswap32(0x0a000000 + i * step)), 128));

		assert_true(set < BLOCK_SETS);
		if (taken[set] == BLOCK_WAYS)
			out++;
		else
			taken[set]++;
	}
	free(taken);
	return out;
}

static void test_spread(void **state)
{
	static const uint32_t steps[] = { 1, 3, 256, 2654435761U };

	(void)state;
	for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) { /* chance alone: 0.3 %, 1.3 % */
		assert_in_range(homeless(steps[i], 200000), 0, 2000);
		assert_in_range(homeless(steps[i], 262144), 0, 6000);
		assert_in_range(homeless(steps[i], 10000), 0, 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_times), cmocka_unit_test(test_fits),  cmocka_unit_test(test_find),   cmocka_unit_test(test_put),
		cmocka_unit_test(test_take),  cmocka_unit_test(test_twice), cmocka_unit_test(test_spread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
