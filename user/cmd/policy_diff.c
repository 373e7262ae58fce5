// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* policy diff: what would change if a file were applied. */
#include <errno.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/policy.h"
#include "cmd/policy_apply.h"
#include "policy/policy.h"

/* The policy in force, read again from its text; what its "@lists" name is read as it is now. NULL: there is none, or it cannot
 * be read any more (*code). */
static struct policy *in_force(struct ward *w, char file[128], int *code)
{
	struct ward_policy active;
	unsigned errors = 0;
	struct policy *p;
	char *folder;
	int err = ward_policy_get(w, &active);

	*code = err ? cmd_fail(err) : EXIT_OK;
	*file = '\0';
	if (err || !active.config)
		return NULL;
	snprintf(file, 128, "%s", active.config->file);
	folder = strrchr(file, '/') ? strndup(file, (size_t)(strrchr(file, '/') - file) + 1) : NULL;
	p = policy_parse(active.text, strlen(active.text), file, folder, stderr, &errors);
	free(folder);
	if (!p)
		*code = cmd_error(EXIT_FAILED, "tcpward policy show --text prints it",
				  "cannot read the policy in force again: a list that it names has changed");
	return p;
}

static void print_json(char *lines, bool pretty)
{
	int how = JSON_C_TO_STRING_NOSLASHESCAPE | (pretty ? JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED : 0);
	struct json_object *list = json_object_new_array();

	for (char *line = strtok(lines, "\n"); line; line = strtok(NULL, "\n"))
		json_object_array_add(list, json_object_new_string(line));
	puts(json_object_to_json_string_ext(list, how));
	json_object_put(list);
}

static int compare(const struct cmd_line *line, const struct policy *a, const struct policy *b)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return cmd_error(EXIT_FAILED, NULL, "policy diff: %s", strerror(errno));
	if (!policy_diff(a, b, out) && !line->json)
		fputs("tcpward: no difference\n", stderr);
	fclose(out);
	if (line->json)
		print_json(text, line->pretty);
	else
		fputs(text, stdout);
	free(text);
	return EXIT_OK;
}

static int diff(struct ward *w, const struct cmd_line *line)
{
	char file[128];
	const char *path;
	struct policy *a, *b;
	int code;

	a = in_force(w, file, &code);
	if (code)
		return code;
	path = line->argc ? line->argv[0] : file;
	if (!*path)
		return cmd_error(EXIT_USAGE, "tcpward policy diff FILE", "policy diff: no policy is in force; name a file");
	b = policy_load(path);
	code = b ? compare(line, a, b) : EXIT_USAGE;
	policy_free(a);
	policy_free(b);
	return code;
}

int cmd_policy_diff(int argc, char **argv)
{
	struct cmd_line line;
	struct ward *w;
	int code;

	cmd_parse(&line, OPT_NAME | OPT_OUTPUT, NULL, NULL, NULL, "[FILE]",
		  "Print what would change if FILE were applied, one line each. Without FILE: the one that the policy in force was read "
		  "from, as it is now.",
		  argc, argv);
	if (line.argc > 1)
		return cmd_error(EXIT_USAGE, NULL, "policy diff: unexpected word '%s'", line.argv[1]);
	code = cmd_open(&line, &w);
	if (code)
		return code;
	code = diff(w, &line);
	ward_close(w);
	return code;
}
