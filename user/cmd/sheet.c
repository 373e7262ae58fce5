/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "cmd/sheet.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#define DEPTH_MAX 8
#define LABEL_WIDTH 24
#define PARAGRAPH_MIN 40
#define PARAGRAPH_MAX 100

struct sheet {
	struct report_style style;
	struct json_object *at[DEPTH_MAX]; /* JSON: the open values, the innermost last */
	int depth;
	int label_width;
	int indent; /* text: objects with a heading that are open */
	bool headed[DEPTH_MAX];
	char pending[96]; /* text: the same of sheet_heading() */
	char heading[DEPTH_MAX][96]; /* text: not printed before something stands below it */
};

struct sheet *sheet_begin(const struct report_style *style, bool array)
{
	struct sheet *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->style = *style;
	s->label_width = LABEL_WIDTH;
	if (style->json)
		s->at[0] = array ? json_object_new_array() : json_object_new_object();
	return s;
}

void sheet_labels(struct sheet *s, int width)
{
	s->label_width = width;
}

void sheet_heading(struct sheet *s, const char *heading)
{
	snprintf(s->pending, sizeof(s->pending), "%s", heading);
}

static void put(struct sheet *s, const char *name, struct json_object *value)
{
	struct json_object *parent = s->at[s->depth];

	if (json_object_is_type(parent, json_type_array))
		json_object_array_add(parent, value);
	else
		json_object_object_add(parent, name, value);
}

static void descend(struct sheet *s, const char *name, struct json_object *value, const char *heading)
{
	if (s->depth + 1 >= DEPTH_MAX)
		abort(); /* a mistake in the caller, not in its data */
	if (value)
		put(s, name, value);
	s->depth++;
	s->at[s->depth] = value;
	s->headed[s->depth] = heading != NULL;
	if (!heading)
		return;
	snprintf(s->heading[s->depth], sizeof(s->heading[0]), "%*s%s", s->indent * 2, "", heading);
	s->indent++;
}

void sheet_object(struct sheet *s, const char *name, const char *heading)
{
	descend(s, name, s->style.json ? json_object_new_object() : NULL, heading);
}

void sheet_list(struct sheet *s, const char *name)
{
	descend(s, name, s->style.json ? json_object_new_array() : NULL, NULL);
}

void sheet_close(struct sheet *s)
{
	s->indent -= s->headed[s->depth];
	s->heading[s->depth][0] = '\0';
	s->depth--;
}

static void line(struct sheet *s, const char *name, const char *label, const char *value, const char *note)
{
	if (label && !*label)
		return;
	for (int i = 0; i <= s->depth; i++) {
		if (s->heading[i][0])
			fprintf(s->style.out, "%s\n", s->heading[i]);
		s->heading[i][0] = '\0';
	}
	if (s->pending[0])
		fprintf(s->style.out, "%s\n", s->pending);
	s->pending[0] = '\0';
	fprintf(s->style.out, "%*s%-*s %s%s%s\n", s->indent * 2, "", s->label_width, label ? label : name, value,
		note && *note ? "   " : "", note ? note : "");
}

void sheet_number(struct sheet *s, const char *name, const char *label, uint64_t value, const char *note)
{
	char text[24];

	if (s->style.json) {
		put(s, name, json_object_new_uint64(value));
		return;
	}
	snprintf(text, sizeof(text), note ? "%12" PRIu64 : "%" PRIu64, value);
	line(s, name, label, text, note);
}

void sheet_text(struct sheet *s, const char *name, const char *label, const char *value, const char *note)
{
	if (s->style.json)
		put(s, name, value ? json_object_new_string(value) : NULL);
	else
		line(s, name, label, value ? value : "-", note);
}

void sheet_bool(struct sheet *s, const char *name, const char *label, bool value, const char *note)
{
	if (s->style.json)
		put(s, name, json_object_new_boolean(value));
	else
		line(s, name, label, value ? "yes" : "no", note);
}

void sheet_duration(struct sheet *s, const char *name, const char *label, const uint64_t *ns, const char *note)
{
	char text[24];

	if (s->style.json)
		put(s, name, ns ? json_object_new_uint64(*ns) : NULL);
	else
		line(s, name, label, ns ? duration_text(*ns, text) : "-", note);
}

void sheet_distance(struct sheet *s, const char *name, const char *label, int64_t ns, const char *note)
{
	char text[24];

	if (s->style.json)
		put(s, name, json_object_new_int64(ns));
	else
		line(s, name, label, duration_text(ns < 0 ? -(uint64_t)ns : (uint64_t)ns, text), note);
}

void sheet_quantity(struct sheet *s, const char *name, uint64_t value, const char *text, const char *note)
{
	char padded[40];

	if (s->style.json) {
		put(s, name, json_object_new_uint64(value));
		return;
	}
	snprintf(padded, sizeof(padded), "%12s", text);
	line(s, name, NULL, padded, note);
}

void sheet_time(struct sheet *s, const char *name, const char *label, uint64_t ns, const char *text, const char *note)
{
	if (s->style.json)
		put(s, name, ns ? json_object_new_uint64(ns) : NULL);
	else
		line(s, name, label, ns ? text : "-", note);
}

/* Lines of at most width bytes, broken at blanks, all indented. */
static void print_broken(FILE *out, const char *text, int indent, int width)
{
	while (*text) {
		int len = (int)strlen(text), cut = width - indent;

		if (len > cut) {
			while (cut > 0 && text[cut] != ' ')
				cut--;
			len = cut ? cut : width - indent;
		}
		fprintf(out, "%*s%.*s\n", indent, "", len, text);
		text += len;
		text += *text == ' ';
	}
}

void sheet_paragraph(struct sheet *s, const char *name, const char *heading, const char *value)
{
	int width = s->style.width >= PARAGRAPH_MIN && s->style.width < PARAGRAPH_MAX ? s->style.width : PARAGRAPH_MAX;

	if (s->style.json) {
		put(s, name, value ? json_object_new_string(value) : NULL);
		return;
	}
	if (!value)
		return;
	fprintf(s->style.out, "%*s%s\n", s->indent * 2, "", heading);
	print_broken(s->style.out, value, s->indent * 2 + 2, width);
}

void sheet_end(struct sheet *s)
{
	int flags = JSON_C_TO_STRING_NOSLASHESCAPE;

	if (s->style.json) {
		flags |= s->style.pretty ? JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED : JSON_C_TO_STRING_PLAIN;
		fprintf(s->style.out, "%s\n", json_object_to_json_string_ext(s->at[0], flags));
		json_object_put(s->at[0]);
	}
	fflush(s->style.out);
	free(s);
}
