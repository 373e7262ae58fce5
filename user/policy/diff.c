// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * diff: what changes from one policy to another, out of their trees (object.c). Services and rules are known by their
 * names; lists of words are sets; all else is compared key by key.
 */
#include <stdlib.h>
#include <string.h>

#include "policy/show.h"

#define SHOWN 4 /* items of a list that a line names */
#define NAME_LEN 80
#define PATH_LEN 160
#define NAMED_MAX (POLICY_RULES > POLICY_SERVICES ? POLICY_RULES : POLICY_SERVICES)

struct diff {
	FILE *out;		  /* lines of text, */
	struct json_object *list; /* or else objects */
	unsigned count;
};

/* What is said of one place: the same members in text and in JSON. */
enum change { CHANGED, ADDED, REMOVED, MOVED };
struct said {
	const char *path; /* "service web: half-open.enter" */
	enum change change;
	bool of_list;		       /* ADDED, REMOVED: words of a list, else an item that has a name */
	struct json_object *from, *to; /* CHANGED; ADDED: to is the item */
	const char **word;
	size_t words;
	bool ordered;	    /* ADDED, MOVED: where it stands now */
	const char *behind; /* NULL: at the top */
};

static void print_value(struct json_object *o, FILE *out)
{
	if (o)
		yaml_line(o, SHOWN, out);
	else
		fputs("none", out);
}

static void print_words(const struct said *s, FILE *out)
{
	for (size_t i = 0; i < s->words && i < SHOWN; i++)
		fprintf(out, "%s%s", i ? ", " : " ", s->word[i]);
	if (s->words > SHOWN)
		fprintf(out, ", and %zu more", s->words - SHOWN);
}

static void say_text(const struct said *s, FILE *out)
{
	static const char *const verbs[] = { [ADDED] = "added", [REMOVED] = "removed", [MOVED] = "moved" };

	fprintf(out, "%s: ", s->path);
	if (s->change == CHANGED) {
		print_value(s->from, out);
		fputs(" -> ", out);
		print_value(s->to, out);
	} else {
		fputs(verbs[s->change], out);
		if (s->words > SHOWN)
			fprintf(out, " %zu:", s->words);
		print_words(s, out);
		if (s->to) {
			fputc(' ', out);
			yaml_line(s->to, SHOWN, out);
		}
		if (s->ordered)
			fprintf(out, "%s%s%s", s->to ? ", " : " ",
				s->behind ? "behind "
				: s->to	  ? "at the top"
					  : "to the top",
				s->behind ? s->behind : "");
	}
	fputc('\n', out);
}

static void say_json(const struct said *s, struct json_object *list)
{
	static const char *const names[] = { "changed", "added", "removed", "moved" };
	struct json_object *o = json_object_new_object(), *words;

	json_object_object_add(o, "v", json_object_new_int(1));
	json_object_object_add(o, "path", json_object_new_string(s->path));
	json_object_object_add(o, "change", json_object_new_string(names[s->change]));
	if (s->change == CHANGED)
		json_object_object_add(o, "from", json_object_get(s->from));
	if (s->change == CHANGED || s->to)
		json_object_object_add(o, "to", json_object_get(s->to));
	if (s->of_list) {
		words = json_object_new_array();
		for (size_t i = 0; i < s->words; i++)
			json_object_array_add(words, json_object_new_string(s->word[i]));
		json_object_object_add(o, "items", words);
	}
	if (s->ordered)
		json_object_object_add(o, "behind", s->behind ? json_object_new_string(s->behind) : NULL);
	json_object_array_add(list, o);
}

static void say(struct diff *d, const struct said *s)
{
	d->count++;
	if (d->list)
		say_json(s, d->list);
	else
		say_text(s, d->out);
}

static void changed(struct diff *d, const char *path, struct json_object *a, struct json_object *b)
{
	say(d, &(struct said){ .path = path, .change = CHANGED, .from = a, .to = b });
}

static struct json_object *member(struct json_object *o, const char *key)
{
	struct json_object *value = NULL;

	if (o)
		json_object_object_get_ex(o, key, &value);
	return value;
}

/* ---- lists of words: what came, what went ---- */
static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The items as sorted texts, each once. NULL: out of memory. */
static const char **sorted(struct json_object *list, size_t *count)
{
	size_t n = json_object_array_length(list), kept = 0;
	const char **text = calloc(n + 1, sizeof(*text));

	if (!text)
		return NULL;
	for (size_t i = 0; i < n; i++)
		text[i] = json_object_get_string(json_object_array_get_idx(list, i));
	qsort(text, n, sizeof(*text), by_text);
	for (size_t i = 0; i < n; i++)
		if (!kept || strcmp(text[kept - 1], text[i]))
			text[kept++] = text[i];
	*count = kept;
	return text;
}

/* Says which of the sorted words do not stand among the others, and leaves them at the front of word. */
static void only_in(struct diff *d, const char *path, enum change change, const char **word, size_t count,
		    const char *const *other, size_t others)
{
	struct said s = { .path = path, .change = change, .of_list = true, .word = word };

	for (size_t i = 0, k = 0; i < count; i++) {
		while (k < others && strcmp(other[k], word[i]) < 0)
			k++;
		if (k == others || strcmp(other[k], word[i]))
			word[s.words++] = word[i];
	}
	if (s.words)
		say(d, &s);
}

static void diff_lists(struct diff *d, const char *path, struct json_object *a, struct json_object *b)
{
	size_t from_count = 0, to_count = 0, count = 0;
	const char **from = sorted(a, &from_count), **to = sorted(b, &to_count), **added = sorted(b, &count);

	if (from && to && added) {
		only_in(d, path, ADDED, added, count, from, from_count);
		only_in(d, path, REMOVED, from, from_count, to, to_count);
	} else {
		changed(d, path, a, b);
	}
	free(from);
	free(to);
	free(added);
}

/* ---- all else ---- */
static void diff_values(struct diff *d, const char *path, struct json_object *a, struct json_object *b);

/* Keys of a first, then those that only b has. above: "service web: ", and then keys are joined by dots. */
static void diff_maps(struct diff *d, const char *above, struct json_object *a, struct json_object *b)
{
	char path[PATH_LEN];

	json_object_object_foreach(a, key, value)
	{
		snprintf(path, sizeof(path), "%s%s", above, key);
		diff_values(d, path, value, member(b, key));
	}
	json_object_object_foreach(b, new_key, new_value)
	{
		if (json_object_object_get_ex(a, new_key, NULL))
			continue;
		snprintf(path, sizeof(path), "%s%s", above, new_key);
		changed(d, path, NULL, new_value);
	}
}

static void diff_values(struct diff *d, const char *path, struct json_object *a, struct json_object *b)
{
	char above[PATH_LEN + 1];

	if (json_object_equal(a, b))
		return;
	if (json_object_is_type(a, json_type_array) && json_object_is_type(b, json_type_array)) {
		diff_lists(d, path, a, b);
	} else if (json_object_is_type(a, json_type_object) && json_object_is_type(b, json_type_object)) {
		snprintf(above, sizeof(above), "%s.", path);
		diff_maps(d, above, a, b);
	} else {
		changed(d, path, a, b);
	}
}

/* ---- services, rules, reactions: each item has a name ---- */
struct named {
	const char *key;  /* in the tree */
	const char *what; /* in a line */
	const char *name; /* the key that holds its name */
	const char *more; /* the key that holds more of it, or NULL */
	bool ordered;	  /* the order decides */
};

static const struct named named[] = {
	{ "services", "service", "name", NULL, true },
	{ "rules", "rule", "name", NULL, true },
	{ "findings", "finding", "finding", "then", false },
};

/* Two lists of the same kind; either may be NULL. */
struct pair {
	const struct named *n;
	struct json_object *a, *b;
};

static size_t length(struct json_object *list)
{
	return list ? json_object_array_length(list) : 0;
}

static const char *name_of(struct json_object *item, const struct named *n, char buf[NAME_LEN])
{
	snprintf(buf, NAME_LEN, "%s%s%s", json_object_get_string(member(item, n->name)), n->more ? " " : "",
		 n->more ? json_object_get_string(member(item, n->more)) : "");
	return buf;
}

static struct json_object *find(struct json_object *list, const struct named *n, const char *name, size_t *place)
{
	char buf[NAME_LEN];

	for (*place = 0; *place < length(list); (*place)++) {
		struct json_object *item = json_object_array_get_idx(list, *place);

		if (!strcmp(name_of(item, n, buf), name))
			return item;
	}
	return NULL;
}

/* The name of the one before this place in b; NULL: it is the first. */
static const char *before_place(const struct pair *p, size_t place, char buf[NAME_LEN])
{
	return place ? name_of(json_object_array_get_idx(p->b, place - 1), p->n, buf) : NULL;
}

/* The items that a and b have in common, in a's order. */
struct common {
	size_t count;
	size_t from[NAMED_MAX], to[NAMED_MAX]; /* their places in a and in b */
	bool stays[NAMED_MAX];
};

/* As few as possible have moved: the longest run that is still in order stays. */
static void find_moved(struct common *c)
{
	size_t run[NAMED_MAX], before[NAMED_MAX], last = 0;

	for (size_t i = 0; i < c->count; i++) {
		run[i] = 1;
		before[i] = i;
		for (size_t k = 0; k < i; k++)
			if (c->to[k] < c->to[i] && run[k] >= run[i]) {
				run[i] = run[k] + 1;
				before[i] = k;
			}
		if (run[i] > run[last])
			last = i;
	}
	while (c->count && !c->stays[last]) {
		c->stays[last] = true;
		last = before[last];
	}
}

static void diff_order(struct diff *d, const struct pair *p)
{
	struct common c = { 0 };
	char name[NAME_LEN], path[PATH_LEN];

	for (size_t i = 0; i < length(p->a) && c.count < NAMED_MAX; i++) {
		c.from[c.count] = i;
		if (find(p->b, p->n, name_of(json_object_array_get_idx(p->a, i), p->n, name), &c.to[c.count]))
			c.count++;
	}
	find_moved(&c);
	for (size_t i = 0; i < c.count; i++) {
		if (c.stays[i])
			continue;
		snprintf(path, sizeof(path), "%s %s", p->n->what,
			 name_of(json_object_array_get_idx(p->a, c.from[i]), p->n, name));
		say(d,
		    &(struct said){
			    .path = path, .change = MOVED, .ordered = true, .behind = before_place(p, c.to[i], name) });
	}
}

static void diff_item(struct diff *d, const struct pair *p, struct json_object *item)
{
	char name[NAME_LEN], path[PATH_LEN];
	struct json_object *other;
	size_t place;

	other = find(p->b, p->n, name_of(item, p->n, name), &place);
	if (other) {
		snprintf(path, sizeof(path), "%s %s: ", p->n->what, name);
		diff_maps(d, path, item, other);
		return;
	}
	snprintf(path, sizeof(path), "%s %s", p->n->what, name);
	say(d, &(struct said){ .path = path, .change = REMOVED });
}

static void added_item(struct diff *d, const struct pair *p, size_t place)
{
	struct json_object *item = json_object_array_get_idx(p->b, place);
	char name[NAME_LEN], path[PATH_LEN];
	struct said said;
	size_t in_a;

	if (find(p->a, p->n, name_of(item, p->n, name), &in_a))
		return;
	snprintf(path, sizeof(path), "%s %s", p->n->what, name);
	said = (struct said){ .path = path, .change = ADDED, .to = item, .ordered = p->n->ordered && p->a };
	said.behind = before_place(p, place, name);
	say(d, &said);
}

static void diff_named(struct diff *d, const struct named *n, struct json_object *a, struct json_object *b)
{
	const struct pair p = { n, member(a, n->key), member(b, n->key) };

	for (size_t i = 0; i < length(p.a); i++)
		diff_item(d, &p, json_object_array_get_idx(p.a, i));
	for (size_t i = 0; i < length(p.b); i++)
		added_item(d, &p, i);
	if (n->ordered)
		diff_order(d, &p);
	json_object_object_del(a, n->key);
	json_object_object_del(b, n->key);
}

static void diff_policies(struct diff *d, const struct policy *a, const struct policy *b)
{
	struct json_object *from = a ? policy_json(a) : json_object_new_object(), *to = policy_json(b);

	for (size_t i = 0; i < sizeof(named) / sizeof(*named); i++)
		diff_named(d, &named[i], from, to);
	diff_maps(d, "", from, to);
	json_object_put(from);
	json_object_put(to);
}

unsigned policy_diff(const struct policy *a, const struct policy *b, FILE *out)
{
	struct diff d = { .out = out };

	diff_policies(&d, a, b);
	return d.count;
}

struct json_object *policy_diff_json(const struct policy *a, const struct policy *b)
{
	struct diff d = { .list = json_object_new_array() };

	diff_policies(&d, a, b);
	return d.list;
}
