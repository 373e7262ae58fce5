// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* object: rows of a name and a value, as text lines or as the members of one JSON object. */
#include <string.h>

#include "report/internal.h"

static const char *row_text(const struct report_row *row, char buf[24])
{
	switch (row->kind) {
	case ROW_U64:
		snprintf(buf, 24, "%llu", (unsigned long long)row->number);
		return buf;
	case ROW_TEXT:
		return row->text ? row->text : "-";
	case ROW_BOOL:
		return row->number ? "yes" : "no";
	case ROW_NULL:
		break;
	}
	return "-";
}

static struct json_object *row_json(const struct report_row *row)
{
	switch (row->kind) {
	case ROW_U64:
		return json_number(row->number);
	case ROW_TEXT:
		return json_text(row->text);
	case ROW_BOOL:
		return json_object_new_boolean(row->number != 0);
	case ROW_NULL:
		break;
	}
	return NULL;
}

static const char *row_label(const struct report_row *row)
{
	return row->label ? row->label : row->name;
}

static void rows_json(const struct report_style *style, const char *title, const struct report_row *rows, int count)
{
	struct json_object *o = json_object_new_object();

	json_add(o, "v", json_number(VERSION_OF_OBJECTS));
	if (title)
		json_add(o, "object", json_text(title));
	for (int i = 0; i < count; i++)
		json_object_object_add(o, rows[i].name, row_json(&rows[i]));
	json_print_line(style, o);
}

static int widest(const struct report_row *rows, int count, bool value, bool numbers)
{
	char buf[24];
	int most = 0;

	for (int i = 0; i < count; i++) {
		const char *text = value ? row_text(&rows[i], buf) : row_label(&rows[i]);

		if ((!numbers || rows[i].kind == ROW_U64) && (int)strlen(text) > most)
			most = (int)strlen(text);
	}
	return most;
}

static void rows_text(const struct report_style *style, const char *title, const struct report_row *rows, int count)
{
	int labels = widest(rows, count, false, false);
	int numbers = widest(rows, count, true, true);
	char buf[24];

	if (title)
		fprintf(style->out, "%s%s%s\n", colour_on(style, COLOUR_STRONG), title,
			colour_off(style, COLOUR_STRONG));
	for (int i = 0; i < count; i++) {
		int width = rows[i].kind == ROW_U64 ? numbers : rows[i].note ? -numbers : 0;

		fprintf(style->out, "%s%-*s  %*s", title ? "  " : "", labels, row_label(&rows[i]), width,
			row_text(&rows[i], buf));
		if (rows[i].note)
			fprintf(style->out, "  %s%s%s", colour_on(style, COLOUR_DIM), rows[i].note,
				colour_off(style, COLOUR_DIM));
		fputc('\n', style->out);
	}
	fflush(style->out);
}

/*
 * Prints rows: text as lines "label  value  note" below the title; JSON as one object on a line of its own, with "v"
 * and, where there is a title, "object": title, before the rows. title may be NULL.
 */
void report_object(const struct report_style *style, const char *title, const struct report_row *rows, int count)
{
	if (style->json)
		rows_json(style, title, rows, count);
	else
		rows_text(style, title, rows, count);
}
