/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* policy: the table of its subcommands and the way to one of them. */
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cmd/policy.h"
#include "report/nearest.h"

const struct command policy_commands[] = {
	{ "check", cmd_policy_check, "read policy files and report every error" },
	{ "test", cmd_policy_test, "what a policy would have done to a capture" },
	{ "apply", cmd_policy_apply, "put a policy in force" },
	{ "confirm", cmd_policy_confirm, "let it stay" },
	{ "rollback", cmd_policy_rollback, "bring back the one before" },
	{ "show", cmd_policy_show, "what is in force, and what each rule has done" },
	{ "diff", cmd_policy_diff, "what would change if a file were applied" },
	{ "remove", cmd_policy_remove, "take it away" },
	{ 0 },
};

static void usage(FILE *out)
{
	fputs("Usage: tcpward policy COMMAND [OPTION...] [WORD...]\nWhat is dropped, limited or answered in the "
	      "stack's place; "
	      "tcpward-policy(5).\n\n",
	      out);
	for (const struct command *c = policy_commands; c->name; c++)
		fprintf(out, "  %-12s%s\n", c->name, c->help);
	fputs("\n'tcpward policy COMMAND --help' explains a command.\n", out);
}

static int unknown(const char *word)
{
	struct nearest nearest;

	nearest_begin(&nearest, word);
	for (const struct command *c = policy_commands; c->name; c++)
		nearest_try(&nearest, c->name);
	if (nearest.best)
		return cmd_error(EXIT_USAGE, NULL, "unknown command 'policy %s', did you mean '%s'?", word,
				 nearest.best);
	return cmd_error(EXIT_USAGE, "tcpward policy --help lists the commands", "unknown command 'policy %s'", word);
}

/* A child's options go to out: the parser of a command that is asked for them ends its process. */
static void ask_options(const struct command *c, FILE *out)
{
	char name[32], list[] = CMD_LIST_OPTIONS;
	char *argv[] = { name, list, NULL };
	pid_t pid;

	snprintf(name, sizeof(name), "policy %s", c->name);
	fflush(NULL);
	pid = fork();
	if (!pid) {
		dup2(fileno(out), STDOUT_FILENO);
		_exit(c->run(2, argv));
	}
	if (pid > 0)
		waitpid(pid, NULL, 0);
}

/* Is the line among those before it? */
static bool seen_before(FILE *in, const char *line, long end)
{
	char other[512];
	bool seen = false;

	rewind(in);
	while (!seen && fgets(other, sizeof(other), in) && ftell(in) < end)
		seen = !strcmp(other, line);
	fseek(in, end, SEEK_SET);
	return seen;
}

/* What `completion` asks: the options of all of them, each once. */
static int list_options(void)
{
	FILE *all = tmpfile();
	char line[512];

	if (!all)
		return EXIT_FAILED;
	for (const struct command *c = policy_commands; c->name; c++)
		ask_options(c, all);
	rewind(all);
	while (fgets(line, sizeof(line), all))
		if (!seen_before(all, line, ftell(all)))
			fputs(line, stdout);
	fclose(all);
	fflush(stdout);
	return EXIT_OK;
}

int cmd_policy(int argc, char **argv)
{
	const char *word = argc > 1 ? argv[1] : "";
	static char name[32];

	if (!strcmp(word, CMD_LIST_OPTIONS))
		return list_options();
	if (!strcmp(word, "--help") || !strcmp(word, "-?") || !strcmp(word, "help")) {
		usage(stdout);
		return EXIT_OK;
	}
	if (!*word || *word == '-') {
		usage(stderr);
		return EXIT_USAGE;
	}
	for (const struct command *c = policy_commands; c->name; c++) {
		if (strcmp(word, c->name))
			continue;
		snprintf(name, sizeof(name), "policy %s", c->name);
		argv[1] = name;
		return c->run(argc - 1, argv + 1);
	}
	return unknown(word);
}
