/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* stat: what the views of `tcpward stat` share: counters (stat.c), services, sources, states. */
#ifndef CMD_STAT_H
#define CMD_STAT_H

#include "cmd/cmd.h"
#include "cmd/loop.h"
#include "enforce.h"

/* One reading of all that is counted. */
struct reading {
	struct ward_counters counters;
	struct ward_gauges gauges;
	struct policy_drops drops;
	uint64_t ns;
};

struct stat_options {
	uint64_t interval; /* seconds; 0: once */
	bool all, prefixes;
};

struct stat {
	struct ward *w;
	struct report_style style;
	struct stat_options opt;
	int (*take)(struct stat *st); /* reads and prints once; an exit code */
	struct reading last;
	struct loop *loop;
	uint64_t elapsed;
};

/* Reads counters and gauges. On error reports it. 0, or the exit code. */
int stat_read(struct ward *w, struct reading *out);
int stat_services(struct stat *st);
int stat_sources(struct stat *st);
int stat_states(struct stat *st);

#endif
