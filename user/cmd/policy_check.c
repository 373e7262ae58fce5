/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* policy check: reads policy files and reports every error; attaches nothing, needs no privilege. */
#include <errno.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/policy.h"
#include "policy/policy.h"

static size_t addresses(const struct policy *p)
{
	size_t sum = p->allow.count;

	for (size_t i = 0; i < p->service_count; i++)
		sum += p->service[i].match.daddr.count;
	for (size_t i = 0; i < p->rule_count; i++)
		sum += p->rule[i].match.saddr.count + p->rule[i].match.daddr.count;
	return sum;
}

static const char *mode_name(enum policy_mode mode)
{
	static const char *const names[] = {
		[MODE_MONITOR] = "monitor",
		[MODE_DRY_RUN] = "dry-run",
		[MODE_ENFORCE] = "enforce",
	};

	return names[mode];
}

static void summary_text(const char *file, const struct policy *p)
{
	printf("%s: ok: %zu service%s, %zu rule%s, %zu address%s; %s\n", file, p->service_count,
	       p->service_count == 1 ? "" : "s", p->rule_count, p->rule_count == 1 ? "" : "s", addresses(p),
	       addresses(p) == 1 ? "" : "es", mode_name(p->mode));
}

/* "file:line:column: text" in its parts; false: another line. */
static bool split(char *row, char **file, unsigned *line, unsigned *column, char **text)
{
	for (char *at = strchr(row, ':'); at; at = strchr(at + 1, ':')) {
		int used = 0;

		if (sscanf(at, ":%u:%u: %n", line, column, &used) != 2 || !used)
			continue;
		*at = 0;
		*file = row;
		*text = at + used;
		return true;
	}
	return false;
}

static struct json_object *error_object(char *row)
{
	struct json_object *o = json_object_new_object();
	unsigned line, column;
	char *file, *text;

	if (!split(row, &file, &line, &column, &text)) {
		json_object_object_add(o, "file", NULL);
		json_object_object_add(o, "line", NULL);
		json_object_object_add(o, "column", NULL);
		json_object_object_add(o, "text", json_object_new_string(row));
		return o;
	}
	json_object_object_add(o, "file", json_object_new_string(file));
	json_object_object_add(o, "line", json_object_new_int((int)line));
	json_object_object_add(o, "column", json_object_new_int((int)column));
	json_object_object_add(o, "text", json_object_new_string(text));
	return o;
}

static struct json_object *file_object(const char *file, const struct policy *p, char *errors)
{
	struct json_object *o = json_object_new_object(), *list = json_object_new_array();

	json_object_object_add(o, "v", json_object_new_int(1));
	json_object_object_add(o, "file", json_object_new_string(file));
	json_object_object_add(o, "ok", json_object_new_boolean(p != NULL));
	if (p) {
		json_object_object_add(o, "mode", json_object_new_string(mode_name(p->mode)));
		json_object_object_add(o, "services", json_object_new_int((int)p->service_count));
		json_object_object_add(o, "rules", json_object_new_int((int)p->rule_count));
		json_object_object_add(o, "addresses", json_object_new_int64((int64_t)addresses(p)));
	}
	for (char *row = strtok(errors, "\n"); row; row = strtok(NULL, "\n"))
		json_object_array_add(list, error_object(row));
	json_object_object_add(o, "errors", list);
	return o;
}

/* What only `apply` would find: more classes than there is room for, limits that cannot stand together, too long a text. It has
 * no place in the file, so the whole of it is named. */
static bool compiles(const char *file, const struct policy *p, FILE *err)
{
	const char *error = "";
	struct policy_image *image = policy_compile(p, NULL, 0, &error);

	policy_image_free(image);
	if (!image) {
		fprintf(err, "%s:1:1: %s\n", file, error);
		return false;
	}
	if (strlen(p->text) < POLICY_TEXT_LEN)
		return true;
	fprintf(err, "%s:1:1: too long, %zu bytes, %d fit: put long lists into files of their own: saddr: \"@FILE\"\n", file,
		strlen(p->text), POLICY_TEXT_LEN - 1);
	return false;
}

/* NULL: it has errors, each a line of err. */
static struct policy *read_whole(const char *file, FILE *err)
{
	unsigned errors;
	struct policy *p = policy_read(file, err, &errors);

	if (!p || compiles(file, p, err))
		return p;
	policy_free(p);
	return NULL;
}

static bool check_text(const char *file)
{
	struct policy *p = read_whole(file, stderr);

	if (p)
		summary_text(file, p);
	policy_free(p);
	return p != NULL;
}

/* Adds the file's object to list. */
static bool check_json(const char *file, struct json_object *list)
{
	size_t size = 0;
	char *text = NULL;
	FILE *err = open_memstream(&text, &size);
	struct policy *p;

	if (!err)
		exit(cmd_error(EXIT_FAILED, NULL, "cannot read policy '%s': %s", file, strerror(errno)));
	p = read_whole(file, err);
	fclose(err);
	json_object_array_add(list, file_object(file, p, text));
	free(text);
	policy_free(p);
	return p != NULL;
}

int cmd_policy_check(int argc, char **argv)
{
	struct cmd_line line;
	struct json_object *list;
	bool ok = true;

	cmd_parse(&line, OPT_OUTPUT, NULL, NULL, NULL, "FILE...",
		  "Read policy files (-: standard input) and report every error as FILE:LINE:COLUMN. Attaches nothing "
		  "and needs no "
		  "privilege.\vExit: 0 all are right, 2 there is an error.",
		  argc, argv);
	if (!line.argc)
		return cmd_error(EXIT_USAGE, "tcpward policy check FILE...", "policy check: name a file");
	list = line.json ? json_object_new_array() : NULL;
	for (int i = 0; i < line.argc; i++)
		ok &= list ? check_json(line.argv[i], list) : check_text(line.argv[i]);
	if (list)
		puts(json_object_to_json_string_ext(list, line.pretty ? JSON_C_TO_STRING_PRETTY |
										JSON_C_TO_STRING_NOSLASHESCAPE
								      : JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(list);
	return ok ? EXIT_OK : EXIT_USAGE;
}
