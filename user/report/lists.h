/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* lists: the entries of an allow or block list, as a table and as JSON. */
#ifndef REPORT_LISTS_H
#define REPORT_LISTS_H

#include "policy/prefix.h"
#include "report/report.h"

struct report *report_list_begin(const struct report_style *style);
/* list: "block"; why: its reason. Ended by report_end(). */
void report_list_item(struct report *r, const char *list, const struct list_item *item, const char *why, uint64_t now_ns);

#endif
