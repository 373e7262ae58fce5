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
/* Text: labels are as wide as that, 24 unless told. */
void sheet_labels(struct sheet *s, int width);
/* Text: a line before the next one, if that is not another heading. */
void sheet_heading(struct sheet *s, const char *heading);
/* Opens an object: a member called name, or with name NULL the next of the enclosing list. heading: text only, NULL: none. */
void sheet_object(struct sheet *s, const char *name, const char *heading);
/* Opens a list of objects. */
void sheet_list(struct sheet *s, const char *name);
void sheet_close(struct sheet *s);
/* Members; label NULL: name, "": JSON only. note: text only, may be NULL. All is copied. */
void sheet_number(struct sheet *s, const char *name, const char *label, uint64_t value, const char *note);
void sheet_text(struct sheet *s, const char *name, const char *label, const char *value, const char *note);
void sheet_bool(struct sheet *s, const char *name, const char *label, bool value, const char *note);
/* A number that people read as text, "10 s". */
void sheet_quantity(struct sheet *s, const char *name, uint64_t value, const char *text, const char *note);
/* A point in time, 0: never. text: as people read it. */
void sheet_time(struct sheet *s, const char *name, const char *label, uint64_t ns, const char *text, const char *note);
/* A text that is long: in text its heading, then the text broken at the terminal's width. value NULL: null, nothing. */
void sheet_paragraph(struct sheet *s, const char *name, const char *heading, const char *value);
/* value NULL: null, "-" in text; in JSON the number of nanoseconds, in text a duration. */
void sheet_duration(struct sheet *s, const char *name, const char *label, const uint64_t *ns, const char *note);
/* The same, also below 0. In text without its sign: label or note tells which way. */
void sheet_distance(struct sheet *s, const char *name, const char *label, int64_t ns, const char *note);
/* Prints JSON (one line, or pretty), flushes, frees. */
void sheet_end(struct sheet *s);

#endif
