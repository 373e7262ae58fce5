/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* policy_apply: how `policy apply`, `run` and `attach` put a policy in force. */
#ifndef CMD_POLICY_APPLY_H
#define CMD_POLICY_APPLY_H

#include "cmd/util.h"

struct policy;

struct policy_put {
	const char *path;   /* as it was given */
	uint32_t confirm_s; /* 0: it stays */
	bool dry_run;
	bool unattended; /* nobody waits for an answer: an unknown session is no reason to refuse */
};

/* Reads and checks it whole; its errors are told, and that nothing was changed: NULL. */
struct policy *policy_load(const char *path);
/* Compiles it for w and puts it in force; what keeps it from that is told. An exit code. */
int policy_put(struct ward *w, struct policy *p, const struct policy_put *how);

#endif
