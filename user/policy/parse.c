/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* parse: walks the tree of a policy file by the schema. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "detect/detect.h"
#include "policy/reader.h"
#include "report/nearest.h"

static void read_place(struct reader *r, const struct schema_key *above, const struct node *map, void *into);

/* ---- keys that are not known ---- */
static void unknown_key(struct reader *r, const struct node *key, const char *where, const char *const *names,
			unsigned count)
{
	char word[QUOTED_LEN], list[600] = "";
	struct nearest nearest;
	size_t used = 0;

	nearest_begin(&nearest, key->text);
	for (unsigned i = 0; i < count; i++) {
		nearest_try(&nearest, names[i]);
		if (used < sizeof(list))
			used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%s", i ? ", " : "", names[i]);
	}
	quoted(key->text, word);
	if (nearest.best)
		fault(&r->faults, key, "unknown key, '%s': did you mean '%s'?", word, nearest.best);
	else
		fault(&r->faults, key, "unknown key, '%s': %s has %s", word, where, list);
}

static void check_keys(struct reader *r, const struct schema_key *above, const struct node *map)
{
	const char *names[TREE_KEYS];
	unsigned count;
	const struct schema_key *keys = schema_keys(above->place, &count);

	for (unsigned i = 0; i < count; i++)
		names[i] = keys[i].name;
	for (const struct node *key = map->child; key; key = key->next) {
		bool known = false;

		for (unsigned i = 0; i < count && !known; i++)
			known = !strcmp(names[i], key->text);
		if (!known)
			unknown_key(r, key, above->name, names, count);
	}
}

/* ---- thresholds of findings: a mapping for each finding ---- */
static const struct schema_key *find_threshold(unsigned kind, const char *name)
{
	const struct param_row *params = detect_params();
	unsigned count;
	const struct schema_key *keys = schema_keys(PLACE_DETECT, &count);

	for (unsigned i = 0; i < count; i++)
		if (params[i].finding == kind && !strcmp(keys[i].name, name))
			return &keys[i];
	return NULL;
}

static void unknown_threshold(struct reader *r, const struct node *key, unsigned kind)
{
	const struct param_row *params = detect_params();
	const char *names[PARAM_COUNT];
	unsigned count = 0;

	for (unsigned i = 0; i < PARAM_COUNT; i++)
		if (params[i].finding == kind)
			names[count++] = params[i].name;
	unknown_key(r, key, finding_name(kind), names, count);
}

static void read_threshold(struct reader *r, const struct node *key, unsigned kind)
{
	const struct schema_key *known = find_threshold(kind, key->text);
	const struct param_row *params = detect_params();
	unsigned i, count;
	const char *error;
	char word[QUOTED_LEN], whole[160];

	if (!known) {
		unknown_threshold(r, key, kind);
		return;
	}
	i = (unsigned)(known - schema_keys(PLACE_DETECT, &count));
	if (!want_word(r, known, key->value))
		return;
	quoted(key->value->text, word);
	if (params[i].unit == UNIT_PERCENT && !strchr(key->value->text, '%')) {
		fault(&r->faults, key->value, "a share needs its unit, '%s': %s%%", word, word);
		return;
	}
	snprintf(whole, sizeof(whole), "%s.%s=%s", finding_name(kind), key->text, word);
	if (detect_opts_set(&r->p->detect, whole, &error))
		fault(&r->faults, key->value, "a threshold that cannot be, %s", error);
	else
		r->p->detect_given[i] = true;
}

static void read_detect(struct reader *r, const struct node *map)
{
	const char *names[FINDING_COUNT];

	for (unsigned i = 0; i < FINDING_COUNT; i++)
		names[i] = finding_name(i);
	for (const struct node *key = map->child; key; key = key->next) {
		int kind = finding_parse(key->text);

		if (kind < 0) {
			unknown_key(r, key, "detect", names, FINDING_COUNT);
		} else if (key->value->kind != NODE_MAP) {
			if (!key->value->refused)
				fault(&r->faults, key->value, "a mapping is wanted, '%s': not %s; as {after: 5s}",
				      key->text, node_words(key->value));
		} else {
			for (const struct node *in = key->value->child; in; in = in->next)
				read_threshold(r, in, (unsigned)kind);
		}
	}
}

/* ---- lists of mappings ---- */
/* Room for n elements more of what stands in the list of this place; the first of them. */
static void *list_room(struct policy *p, enum schema_place place, size_t n, size_t *size)
{
	size_t *count;
	void **item;

	switch (place) {
	case PLACE_SERVICE:
		item = (void **)&p->service;
		count = &p->service_count;
		*size = sizeof(*p->service);
		break;
	case PLACE_RULE:
		item = (void **)&p->rule;
		count = &p->rule_count;
		*size = sizeof(*p->rule);
		break;
	default:
		item = (void **)&p->reaction;
		count = &p->reaction_count;
		*size = sizeof(*p->reaction);
	}
	*item = calloc(n ? n : 1, *size);
	*count = *item ? n : 0;
	return *item;
}

static size_t list_max(enum schema_place place)
{
	return place == PLACE_SERVICE ? POLICY_SERVICES : place == PLACE_RULE ? POLICY_RULES : 2 * FINDING_COUNT;
}

static void read_list(struct reader *r, const struct schema_key *key, const struct node *list)
{
	size_t n = 0, size, max = list_max(key->place);
	char *at;

	if (list->refused)
		return;
	if (list->kind != NODE_LIST) {
		fault(&r->faults, list, "a list is wanted, '%s': not %s; each element begins with '- '", key->name,
		      node_words(list));
		return;
	}
	for (const struct node *item = list->child; item; item = item->next)
		if (++n == max + 1)
			fault(&r->faults, item, "too many, '%s': a policy has up to %zu", key->name, max);
	at = list_room(r->p, key->place, n, &size);
	if (no_memory(r, at, list))
		return;
	for (const struct node *item = list->child; item; item = item->next, at += size)
		read_place(r, key, item, at);
}

/* ---- mappings ---- */
/* Reads a default as if it stood in the file. */
static void take_default(struct reader *r, const struct schema_key *key, void *into)
{
	struct node *node;

	if (key->kind == KEY_MAP && key->always) {
		struct node none = { .kind = NODE_MAP };

		read_place(r, key, &none, (char *)into + key->offset);
		return;
	}
	if (!key->fallback || *key->fallback == '(')
		return;
	node = calloc(1, sizeof(*node) + strlen(key->fallback) + 1);
	if (no_memory(r, node, r->root))
		return;
	node->kind = NODE_WORD;
	strcpy(node->text, key->fallback);
	take_value(r, key, node, into);
	free(node);
}

static void missing_key(struct reader *r, const struct schema_key *above, const struct node *map,
			const struct schema_key *key)
{
	char type[160];

	fault(&r->faults, map, "a key is missing, '%s': %s needs %s: %s", key->name, above->name, key->name,
	      schema_type(key, type));
}

static void read_keys(struct reader *r, const struct schema_key *above, const struct node *map, void *into)
{
	unsigned count;
	const struct schema_key *keys = schema_keys(above->place, &count);

	for (const struct schema_key *key = keys; key < keys + count; key++) {
		const struct node *value = node_get(map, key->name);

		if (!value && key->required)
			missing_key(r, above, map, key);
		else if (!value)
			take_default(r, key, into);
		else if (key->kind == KEY_LIST)
			read_list(r, key, value);
		else if (key->kind == KEY_MAP)
			read_place(r, key, value, (char *)into + key->offset);
		else
			take_value(r, key, value, into);
	}
}

static bool any_refused(const struct node *map)
{
	for (const struct node *key = map->child; key; key = key->next)
		if (key->value->refused)
			return true;
	return false;
}

/* above: the key whose value map is, or whose list it stands in. */
static void read_place(struct reader *r, const struct schema_key *above, const struct node *map, void *into)
{
	unsigned errors = r->faults.total;

	if (map->refused)
		return;
	if (map->kind != NODE_MAP) {
		if (above->place == PLACE_TOP)
			fault(&r->faults, map, "a policy is a mapping, not %s: the least is version: 1 and mode: monitor",
			      node_words(map));
		else
			fault(&r->faults, map, "a mapping is wanted, '%s': not %s; as {key: value}", above->name,
			      node_words(map));
		return;
	}
	if (above->place == PLACE_DETECT) {
		read_detect(r, map);
		return;
	}
	check_keys(r, above, map);
	read_keys(r, above, map, into);
	if (r->faults.total == errors && !any_refused(map)) /* what could not be read cannot be compared */
		check_place(r, above->place, map, into);
}

/* ---- the whole ---- */
static void read_root(struct reader *r)
{
	static const struct schema_key whole = { .name = "a policy", .kind = KEY_MAP, .place = PLACE_TOP };
	if (r->root && r->root->kind == NODE_EMPTY)
		r->root = NULL;
	if (!r->root) {
		if (!r->faults.total)
			fault_at(&r->faults, 1, 1, "an empty policy: the least is version: 1 and mode: monitor");
		return;
	}
	read_place(r, &whole, r->root, r->p);
	check_policy(r);
}

static size_t skip_bom(const char *text, size_t len)
{
	return len >= 3 && !memcmp(text, "\xef\xbb\xbf", 3) ? 3 : 0;
}

struct policy *policy_parse(const char *text, size_t len, const char *name, const char *dir, FILE *err,
			    unsigned *errors)
{
	struct reader r = { .p = calloc(1, sizeof(*r.p)), .faults = { .name = name }, .dir = dir };
	size_t bom = skip_bom(text, len);
	struct tree tree = { 0 };

	if (r.p) {
		detect_opts_init(&r.p->detect);
		r.p->text = calloc(1, len + 1); /* ends with a NUL: what libfyaml reads */
	}
	if (r.p && r.p->text)
		memcpy(r.p->text, text, len);
	if (!r.p || !r.p->text)
		fault_at(&r.faults, 1, 1, "out of memory");
	else if (len > POLICY_BYTES_MAX)
		fault_at(&r.faults, 1, 1,
			 "too large, '%s': a policy has up to %lu MiB; long lists of addresses stand in files "
			 "of their own: \"@list.txt\"",
			 name, POLICY_BYTES_MAX >> 20);
	else if (tree_read(&tree, r.p->text + bom, len - bom, &r.faults))
		fault_at(&r.faults, 1, 1, "out of memory");
	else if (tree.root || !r.faults.total) {
		r.root = tree.root;
		read_root(&r);
	}
	tree_free(&tree);
	*errors = r.faults.total;
	faults_print(&r.faults, err);
	if (!*errors)
		return r.p;
	policy_free(r.p);
	return NULL;
}
