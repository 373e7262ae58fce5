// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Policies and lists by the byte: as long as they may be, longer, without end, damaged; and bytes that are none. */
#include <time.h>
#include <unistd.h>

#include "lib/temp.h"
#include "policy_text.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* libfyaml 0.7.12 forgets the buffer of a quoted word without an end. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:libfyaml";
}

/* ---- lists from files ---- */
static void list_path(char path[TEMP_PATH_LEN])
{
	int fd = mkstemp(temp_template("list", path));

	assert_true(fd >= 0);
	close(fd);
}

/* Half of them IPv4, half IPv6, all different. */
static void write_list(const char *path, unsigned count)
{
	FILE *out = fopen(path, "w");

	assert_non_null(out);
	for (unsigned i = 0; i < count; i++) {
		unsigned n = i / 2;

		if (i % 2)
			fprintf(out, "2001:db8:%x:%x::/64\n", n >> 16, n & 0xffff);
		else
			fprintf(out, "%u.%u.%u.0/24\n", 10 + (n >> 16), n >> 8 & 255, n & 255);
	}
	fclose(out);
}

static void a_long_list_is_read_and_one_more_is_refused(void **state)
{
	struct cidr_list list = { 0 }, longer = { 0 };
	char path[TEMP_PATH_LEN], told[200] = "", last[64];
	FILE *err = fmemopen(told, sizeof(told), "w");

	(void)state;
	list_path(path);
	write_list(path, POLICY_ENTRIES_MAX);
	assert_int_equal(cidr_list_read(path, &list, stderr), 0);
	assert_int_equal(list.count, POLICY_ENTRIES_MAX);
	assert_string_equal(cidr_text(&list.item[POLICY_ENTRIES_MAX - 1], last), "2001:db8:1:869f::/64");
	write_list(path, POLICY_ENTRIES_MAX + 1);
	assert_int_equal(cidr_list_read(path, &longer, err), 1);
	fclose(err);
	assert_non_null(strstr(told, ":200001:1: too long, '11.134.160.0/24': a list has up to 200000 addresses\n"));
	free(list.item);
	free(longer.item);
	unlink(path);
}

static void wrong_lines_beyond_fifty_are_counted(void **state)
{
	struct cidr_list list = { 0 };
	char path[TEMP_PATH_LEN], *told = NULL;
	size_t size = 0, lines = 0;
	FILE *out, *err = open_memstream(&told, &size);

	(void)state;
	list_path(path);
	out = fopen(path, "w");
	for (unsigned i = 0; i < 1000; i++)
		fprintf(out, "host%u\n", i);
	fclose(out);
	assert_int_equal(cidr_list_read(path, &list, err), 1000);
	fclose(err);
	for (const char *at = told; *at; at++)
		lines += *at == '\n';
	assert_int_equal(lines, 51);
	assert_non_null(strstr(told, ":1000:1: and 950 more wrong lines\n"));
	free(told);
	unlink(path);
	assert_int_equal(cidr_list_read(path, &list, stdout), 1); /* it is gone, and that is told */
}

/* ---- what is no policy at all ---- */
static uint64_t cpu_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

#define LARGE (256 * 1024)

/* A large policy of one piece over and over. */
static void repeated(const char *piece, size_t len)
{
	char *text = malloc(len + strlen(piece)), *told = NULL;
	uint64_t start = cpu_ms();
	unsigned errors = 0;
	size_t used = 0;

	for (assert_non_null(text); used < len; used += strlen(piece))
		memcpy(text + used, piece, strlen(piece));
	assert_null(parse(text, len, &told, &errors));
	assert_true(errors > 0);
	if (cpu_ms() - start > 3000) /* sanitised; without that less than a tenth */
		fail_msg("'%s' over and over took %llu ms", piece, (unsigned long long)(cpu_ms() - start));
	free(told);
	free(text);
}

static void large_and_deep_files_are_refused_soon(void **state)
{
	static const char *const pieces[] = {
		"[",	"{",	"- ",	"? ",	 ": ",	   "a: ",      "\"",	   "'",	 "&a ",	     "*a ",
		"!a ",	"a",	"[]",	"{}",	 "a: 1\n", "- a\n",    "#\n",	   "\n", "|\n",	     " ",
		"- - ", "{a: ", "[a, ", "---\n", "%",	   "- &a x\n", "- !a x\n", "\\", "\xc3\xa9", "a: &a [*a, *a]\n",
		",",	"]",	"}",	"\r",	 "a:\n",
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(pieces); i++)
		repeated(pieces[i], LARGE);
}

static void a_file_that_is_too_large_says_so(void **state)
{
	size_t len = 10 * 1024 * 1024 + 1;
	char *text = malloc(len);

	(void)state;
	assert_non_null(text);
	memset(text, '#', len);
	wrong(text, len, "test:1:1: too large, 'test': a policy has up to 10 MiB; long lists");
	free(text);
}

/* As many as a list file may have, in the policy itself. */
static void a_long_list_may_stand_in_the_policy(void **state)
{
	char *text = malloc(8 << 20), *told = NULL;
	size_t used = (size_t)sprintf(text, "version: 1\nmode: enforce\nallow: [");
	unsigned errors = 0;
	struct policy *p;

	(void)state;
	for (unsigned i = 0; i < POLICY_ENTRIES_MAX; i++)
		used += (size_t)sprintf(text + used, "2001:db8:%x:%x::/64, ", i >> 16, i & 0xffff);
	p = parse(text, used + (size_t)sprintf(text + used, "]\n"), &told, &errors);
	assert_non_null(p);
	assert_int_equal(p->allow.count, POLICY_ENTRIES_MAX);
	policy_free(p);
	free(told);
	wrong(text, used + (size_t)sprintf(text + used, "192.0.2.1]\n"), "test:3:");
	free(text);
}

/* A stream of numbers that is the same in each run. */
static uint64_t state_of_dice = 88172645463325252ULL;

static unsigned dice(unsigned sides)
{
	state_of_dice ^= state_of_dice << 13;
	state_of_dice ^= state_of_dice >> 7;
	state_of_dice ^= state_of_dice << 17;
	return (unsigned)(state_of_dice % sides);
}

/* Bytes changed, removed, doubled and moved: it is refused with an error, or taken without one. */
static void damage(char *text, size_t *len)
{
	static const char bytes[] = "[]{},:&*!|>'\"%@`#?-\n\t 0aZ/\x80\xff\0";

	for (unsigned i = 1 + dice(4); i; i--) {
		size_t at = dice((unsigned)*len), n = dice(20);

		if (at + n >= *len || *len + n > 60000)
			continue;
		if (dice(2)) {
			text[at] = bytes[dice(sizeof(bytes))];
		} else if (dice(2)) {
			memmove(text + at, text + at + n, *len - at - n);
			*len -= n;
		} else {
			memmove(text + at + n, text + at, *len - at);
			*len += n;
		}
	}
}

/* Each error is one line that begins with its place: of the policy, or of a list. */
static bool each_line_has_a_place(char *told)
{
	for (char *line = strtok(told, "\n"); line; line = strtok(NULL, "\n")) {
		unsigned at[2];
		int used = 0;

		if (strncmp(line, "test:", 5) && strncmp(line, "tests/policy/right/", 19))
			return false;
		if (sscanf(strchr(line, ':'), ":%u:%u: %n", &at[0], &at[1], &used) != 2 || !used || !at[0] || !at[1])
			return false;
	}
	return true;
}

static void damaged_files_are_refused_or_taken(void **state)
{
	unsigned taken = 0, refused = 0;
	size_t whole;
	char *source = whole_file(EVERY_KEY, &whole), *text = malloc(65536);

	(void)state;
	for (unsigned i = 0; i < 4000; i++) {
		char *told = NULL;
		unsigned errors = 0;
		size_t len = whole;
		struct policy *p;

		memcpy(text, source, whole);
		damage(text, &len);
		p = parse(text, len, &told, &errors);
		assert_true(p ? !errors && !*told : errors && strchr(told, '\n'));
		if (!each_line_has_a_place(told))
			fail_msg("not an error line with a place: %s", told);
		taken += p != NULL;
		refused += p == NULL;
		policy_free(p);
		free(told);
	}
	printf("# %u damaged files: %u taken, %u refused\n", taken + refused, taken, refused);
	assert_true(taken > 20 && refused > 1000);
	free(source);
	free(text);
}

static void garbage_is_refused(void **state)
{
	char text[512], *told;

	(void)state;
	for (unsigned i = 0; i < 3000; i++) {
		unsigned errors = 0, len = 1 + dice(sizeof(text));

		for (unsigned at = 0; at < len; at++)
			text[at] = (char)(i % 2 ? dice(256) : 32 + dice(95));
		told = NULL;
		assert_null(parse(text, len, &told, &errors));
		assert_true(errors > 0);
		free(told);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_long_list_is_read_and_one_more_is_refused),
		cmocka_unit_test(wrong_lines_beyond_fifty_are_counted),
		cmocka_unit_test(large_and_deep_files_are_refused_soon),
		cmocka_unit_test(a_file_that_is_too_large_says_so),
		cmocka_unit_test(a_long_list_may_stand_in_the_policy),
		cmocka_unit_test(damaged_files_are_refused_or_taken),
		cmocka_unit_test(garbage_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
