/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* util: what several commands need between their options and the ward library. */
#ifndef CMD_UTIL_H
#define CMD_UTIL_H

#include <stdbool.h>
#include <stdint.h>

#include "cmd/cmd.h"
#include "report/filter.h"

#define WARD_NS_PER_S 1000000000ULL

/* Hidden word of every command: print its options for `completion` and exit. */
#define CMD_LIST_OPTIONS "--list-options"

/* A decimal number from min to max and nothing else. 0 or -EINVAL; *out changes only on success. */
int parse_number(const char *text, uint64_t min, uint64_t max, uint64_t *out);

/* A number of seconds, or a duration with units ("90s", "1m30s"), rounded up to whole ones, from min to max. 0 or -EINVAL; *out
 * changes only on success. */
int parse_seconds(const char *text, uint64_t min, uint64_t max, uint64_t *out);

/* Parses the filter words argv[from..]; on error reports it. 0, or the exit code (2). */
int cmd_filter(const struct cmd_line *line, int from, struct filter **out);
/* The same, of a list of flows: refuses what only events have. */
int cmd_filter_flows(const struct cmd_line *line, int from, struct filter **out);
/* The same, but without a state among the words it matches closed flows too. At least one word. */
int cmd_filter_all(const struct cmd_line *line, int from, struct filter **out);

/* "tcpward attach eth0": starts a new keeper for w. */
#define REMEDY_LEN 64
void cmd_keeper_remedy(const struct ward *w, char remedy[REMEDY_LEN]);

/* Is a flow or event of this key wanted by -4 and -6? */
bool cmd_family_ok(const struct cmd_line *line, const struct flow_key *key);

/* What is found on a flow, by the thresholds of its instance: FINDING_BIT(). */
uint64_t cmd_flow_findings(const struct ward *w, const struct flow *flow, uint64_t now_ns);
/* Says on stderr which findings are suppressed and why, if any are. */
void cmd_warn_blind(struct ward *w);
/* "one-way": why findings are suppressed (enum blindness), and the same in a sentence. */
const char *cmd_blind_name(unsigned bit);
const char *cmd_blind_text(unsigned bit);
#define BLIND_KINDS_LEN 320
/* "backscatter, out-of-state-flood": what is not raised meanwhile */
const char *cmd_blind_kinds(unsigned bit, char *buf, size_t size);
/* How long BLIND_GRACE still lasts. */
uint64_t cmd_grace_left(const struct ward *w, uint64_t now_ns);

/* Opens the instance of --name, or the only one; on error reports it. 0, or the exit code. Warns of a dead keeper. */
int cmd_open(const struct cmd_line *line, struct ward **out);

/* One line to stderr, and the remedy, if w was attached and its keeper has died. */
void cmd_warn_keeper(const struct ward *w);

/* The pinned instances, at most max: how many, or on error (reported) minus the exit code. */
int cmd_instances(char names[][WARD_NAME_LEN], int max);
/* Says that there is none, or why none can be seen from here; the exit code. */
int cmd_no_instance(void);

/* Is the instance of w still there, or has somebody detached it? */
bool cmd_still_pinned(const struct ward *w);

/* Refuses words that a command does not take. 0, or the exit code (2). */
int cmd_no_words(const struct cmd_line *line);

/* Prints the warnings of an attach to stderr, one "tcpward: " line each. */
void cmd_notes(const struct ward *w);

/* ---- output.c ---- */
/* Before anything is printed: from now on it is known why standard output failed. */
void output_begin(void);

/* Is the reader of standard output still there, and did all writes succeed? */
bool output_alive(void);

/*
 * Last words of the process: flushes standard output. A reader that went away (`| head`) is no error; a full disk is
 * reported and makes the exit code 1. main() calls it after every command.
 */
int output_finish(int code);

#endif
