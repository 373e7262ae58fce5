/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "cmd/sheet.h"

#include <inttypes.h>
#include <stdlib.h>

#include <json-c/json.h>

#define DEPTH_MAX 8
#define LABEL_WIDTH 24

struct sheet {
	struct report_style style;
	struct json_object *at[DEPTH_MAX]; /* JSON: the open values, the innermost last */
	int depth;
	int indent; /* text: objects with a heading that are open */
	bool headed[DEPTH_MAX];
	char heading[DEPTH_MAX][96]; /* text: not printed before something stands below it */
};

struct sheet *sheet_begin(const struct report_style *style, bool array)
{
	struct sheet *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->style = *style;
	if (style->json)
		s->at[0] = array ? json_object_new_array() : json_object_new_object();
	return s;
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
	fprintf(s->style.out, "%*s%-*s %s%s%s\n", s->indent * 2, "", LABEL_WIDTH, label ? label : name, value,
		note ? "   " : "", note ? note : "");
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
