// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "policy/nft.h"

#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#define JUMPS_MAX 16
#define KEY_LEN 600 /* names have up to 255 bytes */

enum truth { NO, UNKNOWN, YES };
enum verdict { NEXT, RETURNS, PASSES, DROPS }; /* RETURNS: the rules behind it are not asked */

struct search {
	struct json_object *ruleset; /* array */
	struct json_object *chains;  /* "family table chain": its rules, an array; or, once it was walked, what that gave */
	struct nft_place *out;
	bool unnamed; /* what was found has a name that does not fit into *out */
};

/* ---- JSON ---- */
static struct json_object *member(struct json_object *o, const char *key)
{
	struct json_object *value = NULL;

	if (json_object_is_type(o, json_type_object))
		json_object_object_get_ex(o, key, &value);
	return value;
}

static bool has(struct json_object *o, const char *key)
{
	return json_object_is_type(o, json_type_object) && json_object_object_get_ex(o, key, NULL);
}

static const char *text(struct json_object *o, const char *key)
{
	struct json_object *value = member(o, key);

	return json_object_is_type(value, json_type_string) ? json_object_get_string(value) : "";
}

static size_t length(struct json_object *list)
{
	return json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;
}

static bool is_text(struct json_object *o, const char *word)
{
	return json_object_is_type(o, json_type_string) && !strcmp(json_object_get_string(o), word);
}

/* ---- conditions ---- */
/* Does the value name the word: itself, in a list, in a set? */
static bool names(struct json_object *o, const char *word)
{
	struct json_object *list = has(o, "set") ? member(o, "set") : o;

	for (size_t i = 0; i < length(list); i++)
		if (is_text(json_object_array_get_idx(list, i), word))
			return true;
	return is_text(o, word);
}

static int bit_of(const char *flag)
{
	static const char *const flags[] = { "fin", "syn", "rst", "psh", "ack", "urg", "ecn", "cwr" };

	for (int i = 0; i < 8; i++)
		if (!strcmp(flag, flags[i]))
			return 1 << i;
	return -1;
}

/* The control bits that are written so: a name, a number, a list, a | b. -1: in another way. */
static int bits_of(struct json_object *o)
{
	struct json_object *list = has(o, "|") ? member(o, "|") : o;
	int sum = 0;

	if (json_object_is_type(o, json_type_string))
		return bit_of(json_object_get_string(o));
	if (json_object_is_type(o, json_type_int))
		return json_object_get_int(o);
	if (!json_object_is_type(list, json_type_array))
		return -1;
	for (size_t i = 0; i < length(list); i++) {
		int bits = bits_of(json_object_array_get_idx(list, i));

		if (bits < 0)
			return -1;
		sum |= bits;
	}
	return sum;
}

static bool is_flags(struct json_object *o)
{
	return !strcmp(text(member(o, "payload"), "field"), "flags");
}

static enum truth truth_of(bool yes)
{
	return yes ? YES : NO;
}

/* A condition on control bits, of a bare ACK. */
static enum truth match_flags(struct json_object *left, const char *op, struct json_object *right)
{
	struct json_object *masked = member(left, "&");
	int mask = length(masked) == 2 ? bits_of(json_object_array_get_idx(masked, 1)) : 0xff;
	int bits = bit_of("ack") & mask, value = bits_of(right);

	if (mask < 0 || value < 0)
		return UNKNOWN;
	if (!strcmp(op, "in"))
		return truth_of(bits & value);
	if (!strcmp(op, "!"))
		return truth_of(!(bits & value));
	return truth_of((bits == value) == !strcmp(op, "=="));
}

/* *told: it is about what sets this ACK apart from others, its state or its control bits. */
static enum truth match(struct json_object *m, bool *told)
{
	struct json_object *left = member(m, "left"), *right = member(m, "right"), *masked = member(left, "&");
	const char *op = text(m, "op");

	if (!strcmp(text(member(left, "ct"), "key"), "state")) {
		*told = true;
		return truth_of(names(right, "new") == (strcmp(op, "!=") && strcmp(op, "!")));
	}
	if (is_flags(left) || (length(masked) == 2 && is_flags(json_object_array_get_idx(masked, 0)))) {
		*told = true;
		return match_flags(left, op, right);
	}
	return UNKNOWN;
}

/* ---- rules and chains ---- */
static enum verdict walk(struct search *s, struct json_object *like, const char *chain, int depth);

/* A statement that ends the rule; DROPS is left to the caller to place, unless it is in a chain jumped to. */
static enum verdict verdict_of(struct search *s, struct json_object *rule, struct json_object *statement, int depth, bool *here)
{
	struct json_object *to = has(statement, "jump") ? member(statement, "jump") : member(statement, "goto");
	enum verdict v;

	*here = true;
	if (has(statement, "drop") || has(statement, "reject"))
		return DROPS;
	if (has(statement, "accept"))
		return PASSES;
	if (has(statement, "return"))
		return RETURNS;
	if (!to)
		return NEXT;
	*here = false;
	v = walk(s, rule, text(to, "target"), depth + 1);
	return v == NEXT && has(statement, "goto") ? RETURNS : v;
}

/* What a map of verdicts has for the state "new". */
static enum verdict map_verdict(struct search *s, struct json_object *rule, struct json_object *map, int depth, bool *here)
{
	struct json_object *set = member(member(map, "data"), "set");

	*here = true;
	if (strcmp(text(member(member(map, "key"), "ct"), "key"), "state"))
		return NEXT;
	for (size_t i = 0; i < length(set); i++) {
		struct json_object *pair = json_object_array_get_idx(set, i);

		if (length(pair) == 2 && names(json_object_array_get_idx(pair, 0), "new"))
			return verdict_of(s, rule, json_object_array_get_idx(pair, 1), depth, here);
	}
	return NEXT;
}

static void place(struct search *s, struct json_object *o, const char *chain, int64_t handle)
{
	struct nft_place *p = s->out;

	s->unnamed = (size_t)snprintf(p->family, sizeof(p->family), "%s", text(o, "family")) >= sizeof(p->family) ||
		     (size_t)snprintf(p->table, sizeof(p->table), "%s", text(o, "table")) >= sizeof(p->table) ||
		     (size_t)snprintf(p->chain, sizeof(p->chain), "%s", chain) >= sizeof(p->chain);
	p->handle = handle;
}

/* A verdict counts if all conditions that are understood hold, and if it is about such an ACK, or about everything. */
static enum verdict judge(struct search *s, struct json_object *rule, int depth)
{
	struct json_object *list = member(rule, "expr");
	bool told = false, unknown = false, here;
	enum verdict v = NEXT;

	for (size_t i = 0; i < length(list) && v == NEXT; i++) {
		struct json_object *e = json_object_array_get_idx(list, i);

		if (has(e, "match")) {
			enum truth holds = match(member(e, "match"), &told);

			if (holds == NO)
				return NEXT;
			unknown |= holds == UNKNOWN;
			continue;
		}
		unknown |= has(e, "xt") || has(e, "limit"); /* iptables' own; up to a rate */
		told |= has(e, "vmap");
		v = has(e, "vmap") ? map_verdict(s, rule, member(e, "vmap"), depth, &here) : verdict_of(s, rule, e, depth, &here);
	}
	if (v == NEXT || (here && unknown && !told) || ((v == PASSES || v == RETURNS) && unknown))
		return NEXT;
	if (v == DROPS && here)
		place(s, rule, text(rule, "chain"), json_object_get_int64(member(rule, "handle")));
	return v;
}

static void chain_key(struct json_object *like, const char *chain, char key[KEY_LEN])
{
	snprintf(key, KEY_LEN, "%s %s %s", text(like, "family"), text(like, "table"), chain);
}

/* The rules of a chain of the family and table that `like` is of. Each chain is walked once, however many jump there. */
static enum verdict walk(struct search *s, struct json_object *like, const char *chain, int depth)
{
	enum verdict v = NEXT;
	struct json_object *rules;
	char key[KEY_LEN];

	chain_key(like, chain, key);
	rules = member(s->chains, key);
	if (!json_object_is_type(rules, json_type_array))
		return rules ? (enum verdict)json_object_get_int(rules) : NEXT;
	if (depth > JUMPS_MAX)
		return NEXT;
	json_object_get(rules);
	json_object_object_add(s->chains, key, json_object_new_int(NEXT)); /* of a chain that jumps to itself */
	for (size_t i = 0; i < length(rules) && v == NEXT; i++)
		v = judge(s, json_object_array_get_idx(rules, i), depth);
	json_object_put(rules);
	if (v == RETURNS)
		v = NEXT;
	json_object_object_add(s->chains, key, json_object_new_int(v));
	return v;
}

static struct json_object *rules_by_chain(struct json_object *ruleset)
{
	struct json_object *chains = json_object_new_object();

	for (size_t i = 0; i < length(ruleset); i++) {
		struct json_object *rule = member(json_object_array_get_idx(ruleset, i), "rule"), *rules;
		char key[KEY_LEN];

		if (!rule)
			continue;
		chain_key(rule, text(rule, "chain"), key);
		rules = member(chains, key);
		if (!rules)
			json_object_object_add(chains, key, rules = json_object_new_array());
		json_object_array_add(rules, json_object_get(rule));
	}
	return chains;
}

/* Base chains that an incoming packet passes, the sooner the smaller; -1: another chain. */
static int64_t order_of(struct json_object *chain, bool v6)
{
	const char *family = text(chain, "family"), *hook = text(chain, "hook");
	int64_t prio = json_object_get_int(member(chain, "prio"));

	if (strcmp(family, "inet") && strcmp(family, v6 ? "ip6" : "ip"))
		return -1;
	if (strcmp(hook, "prerouting") && strcmp(hook, "input"))
		return -1;
	return (!strcmp(hook, "input") ? 1LL << 40 : 0) + (1LL << 32) + prio;
}

/* The first chain behind `after` in that order; of equals the first in the text. NULL: none. */
static struct json_object *next_chain(struct json_object *ruleset, bool v6, int64_t after, size_t after_at, size_t *at)
{
	struct json_object *best = NULL;
	int64_t least = 0;

	for (size_t i = 0; i < length(ruleset); i++) {
		struct json_object *chain = member(json_object_array_get_idx(ruleset, i), "chain");
		int64_t order = chain ? order_of(chain, v6) : -1;

		if (order < 0 || order < after || (order == after && i <= after_at) || (best && order >= least))
			continue;
		best = chain;
		least = order;
		*at = i;
	}
	return best;
}

bool nft_find_dropper(const char *json, bool v6, struct nft_place *out)
{
	struct json_object *all = json_tokener_parse(json), *chain;
	struct search s = { .ruleset = member(all, "nftables"), .out = out };
	int64_t after = -1;
	bool found = false;
	size_t at = 0;

	s.chains = rules_by_chain(s.ruleset);
	while (!found && (chain = next_chain(s.ruleset, v6, after, at, &at))) {
		enum verdict v = walk(&s, chain, text(chain, "name"), 0);

		after = order_of(chain, v6);
		if (v == NEXT && !strcmp(text(chain, "policy"), "drop")) {
			place(&s, chain, text(chain, "name"), 0);
			v = DROPS;
		}
		found = v == DROPS;
	}
	json_object_put(s.chains);
	json_object_put(all);
	return found && !s.unnamed;
}
