/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * sheet: one walk, two renderers for nested records (status, stat, the summary of replay). The same calls print indented
 * lines of label, value and note, or build one JSON value.
 */
#ifndef CMD_SHEET_H
#define CMD_SHEET_H

#include "report/report.h"

struct sheet;

/* array: the outermost value is a list of objects, else one object. NULL without memory. */
struct sheet *sheet_begin(const struct report_style *style, bool array);
/* Opens an object: a member called name, or with name NULL the next of the enclosing list. heading: text only, NULL: none. */
void sheet_object(struct sheet *s, const char *name, const char *heading);
/* Opens a list of objects. */
void sheet_list(struct sheet *s, const char *name);
void sheet_close(struct sheet *s);
/* Members; label NULL: name, "": JSON only. note: text only, may be NULL. Names must outlive the sheet. */
void sheet_number(struct sheet *s, const char *name, const char *label, uint64_t value, const char *note);
void sheet_text(struct sheet *s, const char *name, const char *label, const char *value, const char *note);
void sheet_bool(struct sheet *s, const char *name, const char *label, bool value, const char *note);
/* value NULL: null, "-" in text; in JSON the number of nanoseconds, in text a duration. */
void sheet_duration(struct sheet *s, const char *name, const char *label, const uint64_t *ns, const char *note);
/* Prints JSON (one line, or pretty), flushes, frees. */
void sheet_end(struct sheet *s);

#endif
