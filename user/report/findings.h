/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* findings: how they are shown, as a list, as they come, and among events. What is said of one comes from user/detect/. */
#ifndef REPORT_FINDINGS_H
#define REPORT_FINDINGS_H

#include "detect/detect.h"
#include "report/report.h"

/* A list (one JSON array, or a table) or a stream: an object or a row each. Ended by report_end(). */
struct report *report_findings_begin(const struct report_style *style, bool stream);
void report_finding(struct report *r, const struct finding *f, uint64_t now_ns);
/* In a stream of findings: one that has just been raised, widened or cleared; its JSON has a member "news". */
void report_finding_news(struct report *r, const struct finding *f, enum detect_news news);
/* Among events (report_events_begin()): type "finding". */
void report_finding_event(struct report *r, const struct finding *f, enum detect_news news);

/* "raised", "widened", "cleared" */
const char *finding_news_name(enum detect_news news);
/* For qsort(): those that stand first, the most severe first, then the newest. */
int finding_order(const void *a, const void *b);
/* The flow of sample i, originator first: "192.0.2.1:40000 > 192.0.2.10:443" */
const char *finding_sample_text(const struct finding *f, unsigned i, char buf[128]);

#endif
