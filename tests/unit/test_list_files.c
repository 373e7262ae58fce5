// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The lists kept by hand: which prefix holds which, the order of a list, files read and written, the bit of an entry. */
#include <stdlib.h>
#include <string.h>

#include "policy/list_file.h"
#include "policy/policy.h"
#include "unit/caught.h"

static struct address_prefix prefix(const char *text)
{
	const char *error = NULL;
	struct cidr cidr = { 0 };

	assert_int_equal(cidr_parse(text, &cidr, &error), 0);
	return cidr.prefix;
}

static void test_covers(void **state)
{
	static const struct {
		const char *wide, *narrow;
		bool covers, overlaps;
	} cases[] = {
		{ "192.0.2.0/24", "192.0.2.7", true, true },
		{ "192.0.2.7", "192.0.2.0/24", false, true },
		{ "192.0.2.0/24", "192.0.2.0/24", true, true },
		{ "192.0.2.0/25", "192.0.2.128", false, false },
		{ "192.0.2.128/25", "192.0.2.128", true, true },
		{ "192.0.2.4/31", "192.0.2.5", true, true },
		{ "192.0.2.4/31", "192.0.2.6", false, false },
		{ "0.0.0.0/0", "203.0.113.9", true, true },
		{ "0.0.0.0/0", "2001:db8::1", false, false },
		{ "::/0", "2001:db8::1", true, true },
		{ "::/0", "192.0.2.7", false, false }, /* though ::ffff:192.0.2.7 begins with zeros */
		{ "::/0", "0.0.0.0/0", false, false },
		{ "2001:db8::/32", "2001:db8:ffff::/48", true, true },
		{ "2001:db8::/33", "2001:db8:ffff::/48", false, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct address_prefix wide = prefix(cases[i].wide), narrow = prefix(cases[i].narrow);

		assert_int_equal(prefix_covers(&wide, &narrow), cases[i].covers);
		assert_int_equal(prefix_overlaps(&wide, &narrow), cases[i].overlaps);
	}
}

static void test_order(void **state)
{
	static const char *const ordered[] = { "::/0",	       "0.0.0.0/0",	"10.0.0.0/8",	 "10.0.0.0/16",
					       "10.0.0.0",     "192.0.2.0/24", "192.0.2.255", "2001:db8::/32",
					       "2001:db8::/48" };
	char text[64];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ordered); i++)
		for (size_t j = 0; j < ARRAY_SIZE(ordered); j++) {
			struct address_prefix a = prefix(ordered[i]), b = prefix(ordered[j]);
			int order = prefix_compare(&a, &b);

			assert_int_equal((order > 0) - (order < 0), (i > j) - (i < j));
			assert_string_equal(prefix_text(&a, text), ordered[i]);
		}
}

/* ---- files ---- */
#define NOW (1700000000ULL * SECOND)

/* What the file says, as "ADDRESS LEFT HITS BY REASON;"; or its errors. */
static char *read_file(const char *text, unsigned *errors)
{
	struct list_file_opts opts = { .now_ns = NOW, .until_ns = NOW + 600 * SECOND, .reason = "feed" };
	FILE *in = fmemopen((void *)text, strlen(text), "r"), *out;
	struct list_item *items = NULL;
	size_t count = 0, size;
	char *said = NULL, addr[64], left[32], why[32];

	out = open_memstream(&said, &size);
	*errors = list_file_read(in, "f", &opts, &items, &count, out);
	for (size_t i = 0; i < count; i++)
		fprintf(out, "%s %s %llu %s %s;", prefix_text(&items[i].prefix, addr),
			list_left_text(&items[i].entry, NOW, left), (unsigned long long)items[i].entry.hits,
			list_by_name(items[i].entry.by), list_reason(&items[i].entry, why));
	fclose(out);
	fclose(in);
	free(items);
	return said;
}

static void test_files(void **state)
{
	static const struct {
		const char *text, *said;
		unsigned errors;
	} cases[] = {
		{ "192.0.2.1\n", "192.0.2.1 10m 0 file feed;", 0 },
		{ "192.0.2.1", "192.0.2.1 10m 0 file feed;", 0 },
		{ "# nothing\n\n   \n\t# more\n", "", 0 },
		{ "  192.0.2.0/24 # half\r\n", "192.0.2.0/24 10m 0 file feed;", 0 },
		{ "ADDRESS LEFT HITS BY REASON\n192.0.2.1 1h1s 7 hand a b  c \n", "192.0.2.1 1h1s 7 hand a b  c;", 0 },
		{ "192.0.2.1 - 7 limit -\n", "192.0.2.1 - 7 limit ;", 0 },
		{ "192.0.2.1 - - finding a reason of more than twenty-four\n", "192.0.2.1 - 0 finding a reason of more than tw;", 0 },
		{ "192.0.2.9\n192.0.2.1\n192.0.2.9 - 3 hand x\n", "192.0.2.1 10m 0 file feed;192.0.2.9 - 3 hand x;", 0 },
		{ "192.0.2.1\n\n  nobody\n", "f:3:3: ", 1 },
		{ "192.0.2.1 soon\n", "f:1:11: ", 1 },
		{ "192.0.2.1 1h many\n", "f:1:14: ", 1 },
		{ "192.0.2.1 1h -1\n", "f:1:14: ", 1 },
		{ "192.0.2.1 1h 3 nobody\n", "f:1:16: ", 1 },
		{ "192.0.2.1/24\nx\n", "f:1:1: ", 2 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		unsigned errors;
		char *said = read_file(cases[i].text, &errors);

		assert_int_equal(errors, cases[i].errors);
		if (errors)
			assert_memory_equal(said, cases[i].said, strlen(cases[i].said));
		else
			assert_string_equal(said, cases[i].said);
		free(said);
	}
}

static void test_left(void **state)
{
	static const struct {
		uint64_t left_ns;
		const char *text;
	} cases[] = {
		{ 1, "1s" }, /* rounded up: what is not over is not "0s" */
		{ SECOND, "1s" },
		{ 60 * SECOND, "1m" },
		{ 3661 * SECOND, "1h1m1s" },
		{ 90061 * SECOND, "1d1h1m1s" },
		{ 86400 * SECOND * 40000, "40000d" },
	};
	struct list_entry entry = { 0 };
	const char *error;
	char text[32];
	uint64_t ns;

	(void)state;
	assert_string_equal(list_left_text(&entry, NOW, text), "-");
	entry.until_ns = NOW;
	assert_string_equal(list_left_text(&entry, NOW, text), "0s");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		entry.until_ns = NOW + cases[i].left_ns;
		assert_string_equal(list_left_text(&entry, NOW, text), cases[i].text);
		assert_int_equal(duration_parse(text, &ns, &error), 0); /* what is written can be read */
		assert_true(ns >= cases[i].left_ns && ns - cases[i].left_ns < SECOND);
	}
}

static void test_too_many(void **state)
{
	size_t size = 0;
	char *text = NULL, *said;
	FILE *out = open_memstream(&text, &size);
	unsigned errors;

	(void)state;
	for (unsigned i = 0; i <= LIST_FILE_MAX; i++)
		fprintf(out, "10.%u.%u.%u\n", i / 65536, i / 256 % 256, i % 256);
	fclose(out);
	said = read_file(text, &errors);
	assert_int_equal(errors, 1);
	assert_non_null(strstr(said, "f:200001:1: too many entries"));
	free(said);
	free(text);
}

/* ---- the filter: how many of a bit each, of addresses that follow one another and of others ---- */
static unsigned bits_of(bool v6, unsigned step, unsigned count)
{
	uint64_t *set = calloc(BLOCK_FILTER_WORDS, sizeof(*set));
	unsigned distinct = 0;

	for (unsigned i = 0; i < count; i++) {
		struct address_prefix p = { .len = v6 ? 64 : 128, .addr = { [10] = v6 ? 0 : 0xff, [11] = v6 ? 0 : 0xff } };
		uint32_t n = __builtin_bswap32(i * step), bit;

		memcpy(p.addr + (v6 ? 4 : 12), &n, 4);
		bit = block_bit(&p);
		assert_true(bit < BLOCK_FILTER_WORDS * 64);
		distinct += !(set[bit / 64] >> bit % 64 & 1);
		set[bit / 64] |= 1ULL << bit % 64;
	}
	free(set);
	return distinct;
}

static void test_bits(void **state)
{
	static const unsigned steps[] = { 1, 256, 65536, 2654435761U };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++)
		for (int v6 = 0; v6 < 2; v6++) /* chance alone gives 97,700 */
			assert_true(bits_of(v6, steps[i], steps[i] == 65536 ? 65536 : 100000) > (steps[i] == 65536 ? 60000 : 92000));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_covers), cmocka_unit_test(test_order),	cmocka_unit_test(test_files),
		cmocka_unit_test(test_left),   cmocka_unit_test(test_too_many), cmocka_unit_test(test_bits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
