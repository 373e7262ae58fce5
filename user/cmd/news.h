/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* news: what changes in the table of findings, which another process keeps; and a copy of the table that can be sorted. */
#ifndef CMD_NEWS_H
#define CMD_NEWS_H

#include "cmd/cmd.h"
#include "report/filter.h"

/* How often those who follow look. */
#define NEWS_USEC 250000ULL

struct news;

/* What stands already is no news. NULL on error (told by ward_reason()). */
struct news *news_open(struct ward *w);
/* Calls fn for each finding that was raised, widened or cleared since the last call. */
void news_poll(struct news *n, detect_fn fn, void *ctx);
void news_close(struct news *n);

/* Copies the findings that the filter (NULL: all) and -4, -6 let through, sorted, to out[FINDING_ROOM]; cleared: those that do
 * not stand any more, too. Returns how many, or a negative errno. */
int findings_copy(struct ward *w, const struct cmd_line *line, const struct filter *filter, bool cleared,
		  struct finding *out);
/* Is a finding of this subject wanted? */
bool findings_wanted(const struct cmd_line *line, const struct filter *filter, const struct finding *f, uint64_t now_ns);

#endif
