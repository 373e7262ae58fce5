/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* tcpward policy: its subcommands. One file each, user/cmd/policy_*.c; policy.c holds the table. */
#ifndef CMD_POLICY_H
#define CMD_POLICY_H

#include "cmd/util.h"

extern const struct command policy_commands[];

/* argv[0] is "policy check" and the like; returns an exit code. */
int cmd_policy_check(int argc, char **argv);
int cmd_policy_apply(int argc, char **argv);
int cmd_policy_confirm(int argc, char **argv);
int cmd_policy_rollback(int argc, char **argv);
int cmd_policy_diff(int argc, char **argv);
int cmd_policy_show(int argc, char **argv);
int cmd_policy_test(int argc, char **argv);
int cmd_policy_remove(int argc, char **argv);

#endif
