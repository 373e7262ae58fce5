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
	bool again;      /* the file of the policy in force is read again */
	bool unattended; /* nobody waits for an answer: an unknown session is no reason to refuse */
};

/* Reads and checks it whole; its errors are told, and what that means ("nothing was changed"): NULL. */
struct policy *policy_load(const char *path, const char *means);
/* Puts what the policy says of tracking and finding into the options of an instance that is to be made. */
void policy_track(const struct policy *p, struct ward_options *opt);
/* Says what of the policy an instance that is there already cannot take over. */
void policy_warn_track(const struct ward *w, const struct policy *p);
/* Compiles it for w and puts it in force; what keeps it from that is told. An exit code. */
int policy_put(struct ward *w, struct policy *p, const struct policy_put *how);
/* One line on standard output: what is in force now; path as it was given. */
void policy_tell(const char *path, const struct policy *p);

/* ---- run and attach --policy ---- */
struct policy_start {
	const char *path; /* NULL: none */
	struct policy *policy;
	int code; /* why ward_attach() was kept from it; told */
};
/* Reads it and sets opt by it. An exit code. */
int policy_start_read(struct policy_start *s, struct ward_options *opt);
/* Has ward_attach() put it in force before the first packet. */
void policy_start_hook(struct policy_start *s, struct ward *w);
void policy_start_free(struct policy_start *s);
/* SIGHUP: reads the file again; after an error all stays as it is. */
void policy_reload(struct ward *w, const char *path);

#endif
