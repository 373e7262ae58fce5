// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* policy_text: policies out of the text of a test. */
#include "policy_text.h"

struct policy *parse(const char *text, size_t len, char **told, unsigned *errors)
{
	size_t size = 0;
	FILE *err = open_memstream(told, &size);
	struct policy *p;

	assert_non_null(err);
	p = policy_parse(text, len, "test", "tests/policy/right", err, errors);
	fclose(err);
	return p;
}

struct policy *right(const char *text)
{
	char *told = NULL;
	unsigned errors = 1;
	struct policy *p = parse(text, strlen(text), &told, &errors);

	if (!p)
		fail_msg("refused:\n%s", told);
	assert_int_equal(errors, 0);
	assert_string_equal(told, "");
	free(told);
	return p;
}

struct policy *right_file(const char *path)
{
	unsigned errors = 1;
	struct policy *p = policy_read(path, stderr, &errors);

	assert_non_null(p);
	assert_int_equal(errors, 0);
	return p;
}

void wrong(const char *text, size_t len, const char *first)
{
	char *told = NULL;
	unsigned errors = 0;

	assert_null(parse(text, len, &told, &errors));
	assert_true(errors > 0);
	if (strncmp(told, first, strlen(first)))
		fail_msg("told: %s\nexpected: %s", told, first);
	free(told);
}

char *whole_file(const char *path, size_t *len)
{
	char *text = calloc(1, 65536);
	FILE *in = fopen(path, "r");

	assert_true(text && in);
	*len = fread(text, 1, 65535, in);
	fclose(in);
	return text;
}
