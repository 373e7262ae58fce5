// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* tcpward doctor: what this kernel and these interfaces have, what they lack, and the command that mends it. */
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "cmd/cmd.h"
#include "cmd/util.h"

#define MAX_CHECKS 64

static const char *const health_names[] = { [HEALTH_OK] = "ok", [HEALTH_WARN] = "warn", [HEALTH_LACKS] = "lacks" };
static const char *const health_labels[] = { [HEALTH_OK] = "OK", [HEALTH_WARN] = "WARN", [HEALTH_LACKS] = "LACKS" };
static const char *const health_colours[] = { [HEALTH_OK] = "\033[32m", [HEALTH_WARN] = "\033[33m",
					      [HEALTH_LACKS] = "\033[31m" };

struct rounds {
	const struct report_style *style;
	struct json_object *list; /* NULL: text */
	int lacking, warnings;
	bool unprivileged; /* that counts among what is lacking */
};

static struct json_object *check_json(const char *ifname, const struct ward_check *c)
{
	struct json_object *o = json_object_new_object();

	json_object_object_add(o, "v", json_object_new_int(1));
	json_object_object_add(o, "iface", ifname ? json_object_new_string(ifname) : NULL);
	json_object_object_add(o, "check", json_object_new_string(c->name));
	json_object_object_add(o, "health", json_object_new_string(health_names[c->health]));
	json_object_object_add(o, "text", json_object_new_string(c->text));
	json_object_object_add(o, "remedy", c->remedy[0] ? json_object_new_string(c->remedy) : NULL);
	return o;
}

static void check_text(const struct report_style *style, const struct ward_check *c)
{
	fprintf(style->out, "%s%-6s%s %-16s %s\n", style->colour ? health_colours[c->health] : "",
		health_labels[c->health], style->colour ? "\033[0m" : "", c->name, c->text);
	if (c->remedy[0])
		fprintf(style->out, "%24s%s\n", "", c->remedy);
}

/* The kernel (ifname NULL) or one interface. */
static void examine(struct rounds *rounds, const char *ifname)
{
	struct ward_check checks[MAX_CHECKS];
	int count = ward_doctor(ifname, checks, MAX_CHECKS);

	for (int i = 0; i < count; i++) {
		rounds->lacking += checks[i].health == HEALTH_LACKS;
		rounds->unprivileged |= checks[i].health == HEALTH_LACKS && !strcmp(checks[i].name, "capabilities");
		rounds->warnings += checks[i].health == HEALTH_WARN;
		if (rounds->list)
			json_object_array_add(rounds->list, check_json(ifname, &checks[i]));
		else
			check_text(rounds->style, &checks[i]);
	}
}

static void print_json(const struct report_style *style, struct json_object *list)
{
	int form = style->pretty ? JSON_C_TO_STRING_PRETTY : JSON_C_TO_STRING_PLAIN;

	fprintf(style->out, "%s\n", json_object_to_json_string_ext(list, form | JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(list);
}

static void print_verdict(const struct rounds *rounds)
{
	const char *s = rounds->warnings == 1 ? "" : "s";

	if (rounds->lacking)
		fprintf(rounds->style->out, "\n%d lacking, %d warning%s\n", rounds->lacking, rounds->warnings, s);
	else
		fprintf(rounds->style->out, "\nnothing is lacking, %d warning%s\n", rounds->warnings, s);
}

/* Want of privilege says nothing about the kernel: it fails as everywhere, unless something else is lacking. */
static int exit_code(const struct rounds *rounds)
{
	if (rounds->lacking > rounds->unprivileged)
		return EXIT_LACKS;
	return rounds->unprivileged ? EXIT_FAILED : EXIT_OK;
}

int cmd_doctor(int argc, char **argv)
{
	struct report_style style;
	struct rounds rounds = { .style = &style };
	struct cmd_line line;

	cmd_parse(&line, OPT_OUTPUT, NULL, NULL, NULL, "[IFACE...]",
		  "Tests what this kernel has and, for each interface named, its driver, offloads and the programs that "
		  "are there already, and names the command that mends what is wrong. Attaches nothing. "
		  "Exit code 4: something is lacking; 1: privilege alone.",
		  argc, argv);
	cmd_style(&line, &style);
	if (style.json)
		rounds.list = json_object_new_array();
	examine(&rounds, NULL);
	for (int i = 0; i < line.argc; i++)
		examine(&rounds, line.argv[i]);
	if (rounds.list)
		print_json(&style, rounds.list);
	else
		print_verdict(&rounds);
	return exit_code(&rounds);
}
