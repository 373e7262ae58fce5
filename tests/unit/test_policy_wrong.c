// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Wrong policy files, tests/policy/wrong/: each says in its first lines, or in NAME.expect beside it, what is told about it:
 *   # expect LINE:COLUMN the beginning of the message      or      # expect FILE:LINE:COLUMN ...
 * all of it and nothing else, in this order.
 */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "policy/policy.h"

#define FOLDER "tests/policy/wrong"
#define LEAST 100 /* files */

static unsigned failures;

static FILE *expectations(const char *path)
{
	char beside[512];
	FILE *in;

	snprintf(beside, sizeof(beside), "%.*s.expect", (int)(strlen(path) - strlen(".yaml")), path);
	in = fopen(beside, "r");
	return in ? in : fopen(path, "r");
}

/* "3:5 text" of path, "x.txt:3:5 text" of its folder: does the line say so? */
static int says(const char *line, const char *path, const char *expected)
{
	char head[600];
	const char *text = strchr(expected, ' ');
	int of_list = expected[0] < '0' || expected[0] > '9';

	if (!text)
		return 0;
	snprintf(head, sizeof(head), "%s%s%.*s: ", of_list ? FOLDER : path, of_list ? "/" : ":", (int)(text - expected),
		 expected);
	return !strncmp(line, head, strlen(head)) && strstr(line + strlen(head), text + 1);
}

static void complain(const char *path, const char *expected, const char *line)
{
	print_error("%s\n  expected %s\n  told     %s\n", path, expected, line);
	failures++;
}

static void check_told(const char *path, char *told, unsigned errors)
{
	FILE *in = expectations(path);
	char expected[512], *line = strtok(told, "\n");
	unsigned count = 0;

	assert_non_null(in);
	while (fgets(expected, sizeof(expected), in) && !strncmp(expected, "# expect ", 9)) {
		expected[strcspn(expected, "\n")] = 0;
		if (!line || !says(line, path, expected + 9))
			complain(path, expected + 9, line ? line : "nothing");
		line = line ? strtok(NULL, "\n") : NULL;
		count++;
	}
	fclose(in);
	if (line)
		complain(path, "nothing more", line);
	if (!count || errors != count) {
		print_error("%s: %u errors, expected %u\n", path, errors, count);
		failures++;
	}
}

static void check_file(const char *path)
{
	char *told = NULL;
	size_t size = 0;
	FILE *err = open_memstream(&told, &size);
	unsigned errors = 0;
	struct policy *p;

	assert_non_null(err);
	p = policy_read(path, err, &errors);
	fclose(err);
	if (p) {
		print_error("%s is taken\n", path);
		failures++;
		policy_free(p);
	}
	check_told(path, told, errors);
	free(told);
}

static void each_wrong_file_is_told(void **state)
{
	DIR *folder = opendir(FOLDER);
	struct dirent *entry;
	unsigned files = 0;

	(void)state;
	assert_non_null(folder);
	while ((entry = readdir(folder))) {
		char path[512], *end = strrchr(entry->d_name, '.');

		if (!end || strcmp(end, ".yaml"))
			continue;
		snprintf(path, sizeof(path), "%s/%s", FOLDER, entry->d_name);
		check_file(path);
		files++;
	}
	closedir(folder);
	printf("# %u wrong policy files\n", files);
	assert_true(files >= LEAST);
	assert_int_equal(failures, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_wrong_file_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
