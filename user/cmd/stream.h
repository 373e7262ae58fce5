/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* stream: events as they happen, filtered and printed; what run and watch have in common. */
#ifndef CMD_STREAM_H
#define CMD_STREAM_H

#include "cmd/cmd.h"
#include "cmd/loop.h"
#include "report/filter.h"

/* Besides what the options of a line say. */
struct stream_options {
	bool sweeps; /* this process is the keeper */
	bool quiet;  /* findings, no events: no reader */
	void (*second)(void *ctx, bool swept); /* once a second, after the sweep; NULL: nobody wants to know */
	void *ctx;
};

struct stream {
	struct ward *w;
	const struct cmd_line *line;
	struct filter *filter; /* NULL: all */
	struct ward_reader *reader; /* NULL: quiet */
	struct loop *loop;
	struct report_style style;
	struct report *report;
	struct news *news; /* of findings, where another process sweeps */
	struct ward_counters first, last; /* when it began, a second ago */
	uint64_t lost;
	bool footer; /* a line of rates below the events: text on a terminal only */
	bool footer_drawn;
	struct stream_options opt;
};

/* Starts to listen to w. On error reports it. 0, or the exit code. */
int stream_open(struct stream *s, struct ward *w, const struct cmd_line *line, struct filter *filter,
		const struct stream_options *opt);
/* Prints until Ctrl-C, or after seconds (0: no limit), or until the instance is gone; returns the exit code. */
int stream_run(struct stream *s, uint64_t seconds);
/* What happened since it began, in a few lines to stderr. */
void stream_summary(struct stream *s);
void stream_close(struct stream *s);

#endif
