// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * print: a policy as YAML, out of the tree of object.c. What fits on a line stands on one line ("flow style"), all else on
 * a line for each key or item.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "policy/show.h"

#define WIDTH 100

/* ---- words ---- */
/* A name that YAML would take for something other than text. */
static bool is_special(const char *word)
{
	static const char *const words[] = { "true", "false", "null", "yes", "no", "on", "off", "y", "n" };
	char *end;

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (!strcasecmp(word, words[i]))
			return true;
	strtod(word, &end);
	return !*end || !strncmp(word, "0o", 2);
}

/* Letters and digits, and in between what has no meaning in YAML. */
static bool is_plain(const char *word)
{
	size_t len = strlen(word);

	return len && isalnum((unsigned char)*word) && !is_special(word) &&
	       strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789./%+_-") == len;
}

/* A word as JSON writes it is one that YAML reads. */
static const char *scalar(struct json_object *o)
{
	const char *word = o ? json_object_get_string(o) : "null";

	if (!json_object_is_type(o, json_type_string) || is_plain(word))
		return word;
	return json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
}

static bool is_tree(struct json_object *o)
{
	return json_object_is_type(o, json_type_object) || json_object_is_type(o, json_type_array);
}

/* ---- one line ---- */
static void line_of_list(struct json_object *o, size_t most, FILE *out)
{
	size_t count = json_object_array_length(o), shown = most && count > most ? most : count;

	fputc('[', out);
	for (size_t i = 0; i < shown; i++) {
		fputs(i ? ", " : "", out);
		yaml_line(json_object_array_get_idx(o, i), most, out);
	}
	if (shown < count)
		fprintf(out, ", ... %zu more", count - shown);
	fputc(']', out);
}

void yaml_line(struct json_object *o, size_t most, FILE *out)
{
	const char *between = "";

	if (json_object_is_type(o, json_type_array)) {
		line_of_list(o, most, out);
		return;
	}
	if (!json_object_is_type(o, json_type_object)) {
		fputs(scalar(o), out);
		return;
	}
	fputc('{', out);
	json_object_object_foreach(o, key, value)
	{
		fprintf(out, "%s%s: ", between, key);
		yaml_line(value, most, out);
		between = ", ";
	}
	fputc('}', out);
}

/* How long yaml_line() is, or more than room as soon as it is. */
static size_t line_length(struct json_object *o, size_t room)
{
	size_t used = 2;

	if (json_object_is_type(o, json_type_array)) {
		for (size_t i = 0; i < json_object_array_length(o) && used <= room; i++)
			used += line_length(json_object_array_get_idx(o, i), room) + (i ? 2 : 0);
	} else if (json_object_is_type(o, json_type_object)) {
		json_object_object_foreach(o, key, value)
		{
			if (used > room)
				break;
			used += strlen(key) + 4 + line_length(value, room);
		}
	} else {
		used = strlen(scalar(o));
	}
	return used;
}

static bool fits(struct json_object *o, size_t indent)
{
	return !is_tree(o) || line_length(o, WIDTH) + indent <= WIDTH;
}

/* ---- many lines ---- */
static void block(struct json_object *o, int indent, FILE *out);

/* What stands behind "key:" or "-": on the same line, or on lines of its own. */
static void value_of_key(struct json_object *o, int indent, size_t used, FILE *out)
{
	if (fits(o, used)) {
		fputc(' ', out);
		yaml_line(o, 0, out);
		fputc('\n', out);
	} else {
		fputc('\n', out);
		block(o, indent + 2, out);
	}
}

/* The keys of a map, or the items of a list. The first line's indent stands already if it is an item: "- key: ...". */
static void block_from(struct json_object *o, int indent, bool begun, FILE *out)
{
	if (json_object_is_type(o, json_type_array)) {
		for (size_t i = 0; i < json_object_array_length(o); i++) {
			struct json_object *item = json_object_array_get_idx(o, i);

			fprintf(out, "%*s- ", indent, "");
			if (fits(item, (size_t)indent + 2)) {
				yaml_line(item, 0, out);
				fputc('\n', out);
			} else {
				block_from(item, indent + 2, true, out);
			}
		}
		return;
	}
	json_object_object_foreach(o, key, value)
	{
		fprintf(out, "%*s%s:", begun ? 0 : indent, "", key);
		value_of_key(value, indent, (size_t)indent + strlen(key) + 2, out);
		begun = false;
	}
}

static void block(struct json_object *o, int indent, FILE *out)
{
	block_from(o, indent, false, out);
}

/* Of lists of maps each item has its own line, however few they are. */
static bool has_maps(struct json_object *o)
{
	return json_object_is_type(o, json_type_array) && json_object_array_length(o) &&
	       json_object_is_type(json_object_array_get_idx(o, 0), json_type_object);
}

void policy_print(const struct policy *p, FILE *out)
{
	struct json_object *tree = policy_json(p);

	json_object_object_foreach(tree, key, value)
	{
		fprintf(out, "%s:", key);
		if (has_maps(value)) {
			fputc('\n', out);
			block(value, 2, out);
		} else {
			value_of_key(value, 0, strlen(key) + 2, out);
		}
	}
	json_object_put(tree);
}
