/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* tcpward: the table of commands and the way to one of them. */
#include <signal.h>
#include <string.h>

#include "cmd/cmd.h"
#include "cmd/util.h"
#include "report/nearest.h"

#ifndef TCPWARD_VERSION
#define TCPWARD_VERSION "0.1.0"
#endif

const struct command commands[] = {
	{ "status", cmd_status, "what is attached, and how it fares (the default)" },
	{ "run", cmd_run, "attach to interfaces, print events, detach on exit" },
	{ "attach", cmd_attach, "attach to interfaces and stay" },
	{ "detach", cmd_detach, "detach from interfaces" },
	{ "flows", cmd_flows, "list connections with the state of both ends" },
	{ "flow", cmd_flow, "one connection: its record, then its segments as a ladder" },
	{ "watch", cmd_watch, "print events as they happen" },
	{ "findings", cmd_findings, "what is wrong, who does it, since when" },
	{ "explain", cmd_explain, "a finding: why, the evidence, what to do" },
	{ "stat", cmd_stat, "counters, reasons, states; services, sources" },
	{ "metrics", cmd_metrics, "all counters and gauges as Prometheus text" },
	{ "replay", cmd_replay, "run capture files through the same programs" },
	{ "verify", cmd_verify, "compare the tracked states with the kernel's own sockets" },
	{ "doctor", cmd_doctor, "test whether this kernel and NIC can do it" },
	{ "policy", cmd_policy, "what is dropped, limited, or answered in the stack's place" },
	{ "block", cmd_block, "the block list: add, del, list, flush, import" },
	{ "allow", cmd_allow, "the allow list, which goes before all else: likewise" },
	{ "lab", cmd_lab, "a demonstration in namespaces of its own" },
	{ "completion", cmd_completion, "completion script for bash, zsh or fish" },
	{ 0 },
};

static void usage(FILE *out)
{
	fputs("tcpward: the state of both ends of every TCP connection, seen from the NIC\n\n"
	      "Usage: tcpward [COMMAND] [OPTION...] [WORD...]\n\nCommands:\n",
	      out);
	for (const struct command *c = commands; c->name; c++)
		fprintf(out, "  %-12s%s\n", c->name, c->help);
	fputs("\n'tcpward COMMAND --help' explains a command; 'tcpward --version' prints the version.\n"
	      "Exit: 0 ok, 1 failed, 2 usage, 3 not attached, 4 the kernel or NIC lacks it.\n",
	      out);
}

static int unknown_command(const char *word)
{
	struct nearest nearest;

	nearest_begin(&nearest, word);
	for (const struct command *c = commands; c->name; c++)
		nearest_try(&nearest, c->name);
	for (const struct command *c = commands; c->name; c++)
		if (!strncmp(c->name, word, strlen(word)) || !strncmp(c->name, word, strlen(c->name)))
			nearest.best = c->name;
	if (nearest.best)
		return cmd_error(EXIT_USAGE, NULL, "unknown command '%s', did you mean '%s'?", word, nearest.best);
	return cmd_error(EXIT_USAGE, "tcpward --help lists the commands", "unknown command '%s'", word);
}

static int dispatch(int argc, char **argv)
{
	static char status[] = "status";

	if (argc < 2 || argv[1][0] == '-') {
		argv[0] = status;
		return cmd_status(argc, argv);
	}
	for (const struct command *c = commands; c->name; c++)
		if (!strcmp(argv[1], c->name))
			return c->run(argc - 1, argv + 1);
	return unknown_command(argv[1]);
}

int main(int argc, char **argv)
{
	const char *word = argc > 1 ? argv[1] : "";

	output_begin();
	signal(SIGPIPE, SIG_IGN); /* a reader that goes away ends a command in order: run detaches */
	if (!strcmp(word, "--help") || !strcmp(word, "-h") || !strcmp(word, "help")) {
		usage(stdout);
		return output_finish(EXIT_OK);
	}
	if (!strcmp(word, "--version") || !strcmp(word, "-V")) {
		puts("tcpward " TCPWARD_VERSION);
		return output_finish(EXIT_OK);
	}
	return output_finish(dispatch(argc, argv));
}
