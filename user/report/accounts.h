/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* accounts: services and sources as tables and as JSON. */
#ifndef REPORT_ACCOUNTS_H
#define REPORT_ACCOUNTS_H

#include "account.h"
#include "report/report.h"

/* A table, or JSON: one array, or with stream one object a line. Ended by report_end(). */
struct report *report_services_begin(const struct report_style *style, bool stream);
struct report *report_sources_begin(const struct report_style *style, bool stream);
/* half: index of the whole gauges. */
void report_service(struct report *r, const struct service *s, unsigned half);
void report_source(struct report *r, const struct source *s, unsigned half);

/* An aggregate: a /24, or of IPv6 a /48. */
bool source_is_prefix(const struct source *s);
/* How much is going on: to sort by. */
uint64_t service_activity(const struct service *s, unsigned half);
uint64_t source_activity(const struct source *s, unsigned half);

#endif
