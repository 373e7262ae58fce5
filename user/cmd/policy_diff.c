// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* policy diff: what would change if a file were applied; what changes from one file to another. */
#include <json-c/json.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/policy.h"
#include "policy/policy.h"

static struct policy *load(const char *path)
{
	unsigned errors = 0;
	struct policy *p = policy_read(path, stderr, &errors);

	if (!p)
		cmd_error(EXIT_USAGE, NULL, "policy '%s' has %u error%s: nothing to compare", path, errors,
			  errors == 1 ? "" : "s");
	return p;
}

/* The text in force once more, and its "@lists" from where they were. Its mode may be another: apply --dry-run. */
static struct policy *parse_active(const struct ward_policy *active)
{
	char copy[sizeof(active->config->file)];
	const char *file = active->config->file;
	unsigned errors = 0;
	struct policy *p;

	snprintf(copy, sizeof(copy), "%s", file);
	p = policy_parse(active->text, strlen(active->text), file, *file == '/' ? dirname(copy) : NULL, stderr,
			 &errors);
	if (p)
		p->mode = active->config->mode;
	else
		cmd_error(EXIT_FAILED, "tcpward policy show --text",
			  "cannot read the policy in force ('%s') once more: are its lists still there?", file);
	return p;
}

/* The lists as they are in force: the files that the text names may say something else by now. */
static void restore_lists(struct ward *w, struct policy *p)
{
	struct policy_image *then = NULL, *now = NULL;
	const char *error = ward_policy_image(w, &then) ? ward_reason() : NULL;
	int err;

	if (!error)
		now = policy_compile(p, NULL, 0, &error);
	if (now) {
		err = policy_lists_restore(p, now, then);
		error = err ? strerror(-err) : NULL;
	}
	if (error)
		cmd_error(EXIT_OK, then ? NULL : ward_remedy(),
			  "lists in files are compared as they are now, not as they are in force: %s", error);
	policy_image_free(now);
	policy_image_free(then);
}

/* *out: NULL where none is in force; file: the one that it was read from, or "". 0, or the exit code. */
static int load_active(const struct cmd_line *line, struct policy **out, char file[128])
{
	struct ward_policy active;
	struct ward *w;
	int code = cmd_open(line, &w), err;

	*out = NULL;
	*file = '\0';
	if (code)
		return code;
	err = ward_policy_get(w, &active);
	if (err) {
		code = cmd_fail(err);
	} else if (active.config) {
		snprintf(file, 128, "%s", active.config->file);
		*out = parse_active(&active);
		code = *out ? EXIT_OK : EXIT_FAILED;
		if (*out)
			restore_lists(w, *out);
	}
	ward_close(w);
	return code;
}

/* The two to compare. 0, or the exit code. */
static int load_both(const struct cmd_line *line, struct policy **a, struct policy **b)
{
	char file[128] = "";
	const char *path = line->argc ? line->argv[line->argc - 1] : file;

	if (line->argc < 2) {
		int code = load_active(line, a, file);

		if (code)
			return code;
		if (!*path)
			return cmd_error(EXIT_USAGE, "tcpward policy diff FILE",
					 "policy diff: no policy is in force; name a file");
		if (*path != '/' && !line->argc)
			return cmd_error(EXIT_USAGE, "tcpward policy diff FILE",
					 "policy diff: the policy in force was read from %s; name a file", path);
	} else {
		*a = load(line->argv[0]);
		if (!*a)
			return EXIT_USAGE;
	}
	*b = load(path);
	return *b ? EXIT_OK : EXIT_USAGE;
}

static void print(const struct cmd_line *line, const struct policy *a, const struct policy *b)
{
	int how =
		JSON_C_TO_STRING_NOSLASHESCAPE | (line->pretty ? JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED : 0);
	struct json_object *list;

	if (!line->json) {
		if (!policy_diff(a, b, stdout))
			fputs("tcpward: no difference\n", stderr);
		return;
	}
	list = policy_diff_json(a, b);
	puts(json_object_to_json_string_ext(list, how));
	json_object_put(list);
}

int cmd_policy_diff(int argc, char **argv)
{
	struct policy *a = NULL, *b = NULL;
	struct cmd_line line;
	int code;

	cmd_parse(&line, OPT_NAME | OPT_OUTPUT, NULL, NULL, NULL, "[[FILE_A] FILE_B]",
		  "Print what changes from one policy to another, a line for each change. With one file: from the "
		  "policy in force; "
		  "without: from that to the file it was read from, as it is now. So are lists in files of their own "
		  "(\"@FILE\")."
		  "\vExit: 0 compared, 2 a file has an error.",
		  argc, argv);
	if (line.argc > 2)
		return cmd_error(EXIT_USAGE, NULL, "policy diff: unexpected word '%s'", line.argv[2]);
	code = load_both(&line, &a, &b);
	if (!code)
		print(&line, a, b);
	policy_free(a);
	policy_free(b);
	return code;
}
