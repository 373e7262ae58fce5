/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* policy: what is in force, and what each rule and limit has done. */
#ifndef REPORT_POLICY_H
#define REPORT_POLICY_H

#include "enforce.h"
#include "policy/drop.h"
#include "report/report.h"

struct policy_view {
	const char *instance;
	const struct policy_config *config; /* NULL: there is none */
	const char *text;
	const struct policy_count *count; /* POLICY_SUBJECTS */
	uint64_t now_ns;
	uint64_t rollback_ns; /* 0: it stays */
	bool has_before;
	int allowed, blocked; /* entries of the lists */
	bool unanswered;      /* answers to SYNs leave another way */
};

/* Why half-open limits are not enforced then, and what mends it. */
#define POLICY_UNANSWERED "answers to SYNs leave another way, unseen: every client would stay half-open for good"
#define POLICY_UNANSWERED_MEND "attach the interface that they leave by too, in one instance; or attach with --hooks ingress"
/* Has it a limit of half-open connections that acts? */
bool policy_has_half_open(const struct policy_config *c);

/* "enforce" */
const char *policy_mode_name(unsigned mode);
/* "198.51.100.7:50022 > 192.0.2.1:22": side `local` of the key is this host's, and comes last */
const char *policy_flow_text(const struct flow_key *key, int local, char buf[128]);
void report_policy(const struct report_style *style, const struct policy_view *v);

/* What a policy would have done to captures. */
struct policy_sample {
	struct event event;
	struct drop_names names;
};
struct policy_trial {
	uint64_t packets, judged;
	const struct policy_sample *sample;
	unsigned sample_count;
};
void report_policy_trial(const struct report_style *style, const struct policy_view *v, const struct policy_trial *trial);

#endif
