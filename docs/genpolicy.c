/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The keys of tcpward-policy(5), out of the table that the parser reads by: a section for each mapping. */
#include <stdio.h>
#include <string.h>

#include "gendoc.h"
#include "policy/policy.h"

static void put_text(bool scdoc, const char *text)
{
	if (scdoc)
		put_scdoc(text);
	else
		put_markdown(text);
}

/* How much of the path names the mapping that the key stands in, with the dot. */
static size_t mapping_length(const char *path)
{
	const char *dot = strrchr(path, '.');

	return dot ? (size_t)(dot - path) + 1 : 0;
}

/* A mapping that comes back to an outer one after an inner one has its title again: keys follow each other by mapping. */
static bool same_mapping(const struct policy_schema_row *a, const struct policy_schema_row *b)
{
	size_t len = mapping_length(a->path);

	return len == mapping_length(b->path) && !strncmp(a->path, b->path, len);
}

static bool has_own_title(const struct policy_schema_row *rows, unsigned i)
{
	for (unsigned j = 0; j < i; j++)
		if (same_mapping(&rows[j], &rows[i]))
			return false;
	return true;
}

static void put_title(bool scdoc, const char *path)
{
	size_t len = mapping_length(path);
	char title[128];

	snprintf(title, sizeof(title), "%.*s", len ? (int)len - 1 : 0, path);
	printf(scdoc ? "## " : "### ");
	put_text(scdoc, len ? title : "the policy");
	printf("\n\n");
}

static void put_key(bool scdoc, const struct policy_schema_row *row)
{
	const char *name = row->path + mapping_length(row->path);

	printf(scdoc ? "*" : "- **");
	put_text(scdoc, name);
	printf(scdoc ? "*: " : "**: ");
	put_text(scdoc, row->type);
	if (!*row->fallback)
		printf(", required");
	else if (strcmp(row->fallback, "-")) {
		printf(", default ");
		put_text(scdoc, row->fallback);
	}
	printf(scdoc ? "\n\t" : ". ");
	put_text(scdoc,
		 row->text +
			 (strncmp(row->text, "... ", 4) ? 0 : 4)); /* a line of a manual must not begin with a dot */
	printf(scdoc ? "\n\n" : "\n");
}

void put_policy_schema(bool scdoc)
{
	unsigned count;
	const struct policy_schema_row *rows = policy_schema(&count);

	for (unsigned i = 0; i < count; i++) {
		if (!has_own_title(rows, i))
			continue;
		put_title(scdoc, rows[i].path);
		for (unsigned j = i; j < count; j++)
			if (same_mapping(&rows[i], &rows[j]))
				put_key(scdoc, &rows[j]);
		if (!scdoc)
			putchar('\n');
	}
}
