/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * cmd: one file per command. main.c holds the table of commands and dispatches; cmd/options.c parses options (argp).
 */
#ifndef CMD_H
#define CMD_H

#include <argp.h>
#include <stdbool.h>

#include "cmd/journal.h"
#include "report/report.h"
#include "ward/ward.h"

enum cmd_exit { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_DETACHED = 3, EXIT_LACKS = 4 };

/* What the words of a command line became; the common options and the tracking options are parsed in one place. */
struct cmd_line {
	const char *command; /* its name */
	bool json, pretty, no_header, verbose, numeric;
	bool only_v4, only_v6;
	struct ward_options track;
	int argc; /* what is left: interfaces, filter words, tuple */
	char **argv;
	int before; /* how many of these stood before "--"; argc without one */
};

struct command {
	const char *name;
	int (*run)(int argc, char **argv); /* argv[0] is the command's name; returns an exit code */
	const char *help;                  /* one line */
};

extern const struct command commands[];

/* Which groups of options a command takes. */
#define OPT_OUTPUT 0x01 /* -j -p -H -n */
#define OPT_FAMILY 0x02 /* -4 -6 */
#define OPT_NAME 0x04   /* --name */
#define OPT_TRACK 0x08  /* the tracking options */
#define OPT_HOOKS 0x10  /* those of them that are about interfaces */

/* Parses argv by the groups and the command's own options (extra may be NULL: its parser gets line as input->hook).
 * Exits with 2 and one line on stderr for a usage error, with 0 for --help. */
void cmd_parse(struct cmd_line *line, unsigned groups, const struct argp_option *extra,
	       error_t (*extra_parser)(int, char *, struct argp_state *), void *extra_input, const char *args_doc,
	       const char *doc, int argc, char **argv);

/* Style of the command's output from its line. */
void cmd_style(const struct cmd_line *line, struct report_style *style);
/* "tcpward: <what>: <cause>" and the remedy on a line of its own, to stderr; returns the exit code for err. */
int cmd_fail(int err);
/* The same with a text of the command's own. */
int cmd_error(int exit_code, const char *remedy, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* "tcpward: <text>" to stderr, of this priority in the journal. */
void cmd_say(enum journal_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

int cmd_status(int argc, char **argv);
int cmd_run(int argc, char **argv);
int cmd_attach(int argc, char **argv);
int cmd_detach(int argc, char **argv);
int cmd_flows(int argc, char **argv);
int cmd_flow(int argc, char **argv);
int cmd_watch(int argc, char **argv);
int cmd_findings(int argc, char **argv);
int cmd_explain(int argc, char **argv);
int cmd_metrics(int argc, char **argv);
int cmd_stat(int argc, char **argv);
int cmd_replay(int argc, char **argv);
int cmd_verify(int argc, char **argv);
int cmd_doctor(int argc, char **argv);
int cmd_policy(int argc, char **argv);
int cmd_allow(int argc, char **argv);
int cmd_block(int argc, char **argv);
int cmd_lab(int argc, char **argv);
int cmd_completion(int argc, char **argv);

#endif
