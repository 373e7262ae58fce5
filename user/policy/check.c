/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* check: what each key says may be right, and yet not hold together. */
#include <string.h>

#include "detect/detect.h"
#include "policy/reader.h"

#define MIN_DEFAULT 128

static enum policy_mode weaker(unsigned a, unsigned b)
{
	return (enum policy_mode)(a < b ? a : b);
}

/* ---- limits ---- */
static void check_half_open(struct reader *r, const struct node *map, struct policy_limit *l)
{
	const struct node *leave = node_get(map, "leave"), *min = node_get(map, "min"), *max = node_get(map, "max");

	if (!node_get(map, "enter")) {
		const struct node *odd = leave ? leave : min;

		if (!max)
			fault(&r->faults, map,
			      "a limit without a threshold, 'half-open': give enter: 25%% or max: 20000");
		else if (odd)
			fault(&r->faults, odd, "%s without enter, '%s': it belongs to enter: 25%%",
			      leave ? "leave" : "min", odd->text);
		return;
	}
	if (!leave)
		l->leave_permille = l->enter_permille / 2;
	else if (l->leave_permille >= l->enter_permille)
		fault(&r->faults, leave,
		      "leave is not below enter, '%s': the limit would go on and off with each SYN; less "
		      "than %s",
		      leave->text, node_get(map, "enter")->text);
	if (!min)
		l->min = MIN_DEFAULT;
	if (max && l->max < l->min)
		fault(&r->faults, max, "max is below min, '%s': at least %u, which is min", max->text, l->min);
}

static void check_source(struct reader *r, const struct node *map, struct policy_limit *l)
{
	const struct node *then = node_get(map, "then");

	if (l->for_ns)
		l->then = THEN_BLOCK;
	else if (l->then == THEN_BLOCK)
		fault(&r->faults, then, "for is missing, '%s': how long the source is blocked, as for: 10m",
		      then->text);
}

/* ---- matches ---- */
static void check_match(struct reader *r, const struct node *map)
{
	const struct node *any = node_get(map, "any");

	if (!map->child)
		fault(&r->faults, map,
		      "a match without conditions, '{}': if everything is meant, write match: {any: true}");
	if (any && map->child->next)
		fault(&r->faults, any, "any stands alone, '%s': the other keys say what matches", any->text);
}

static void check_service(struct reader *r, const struct node *map, struct policy_file_service *s)
{
	static const char *const names[] = { "half-open", "half-open-per-source", "new-per-source", "new" };
	static const enum policy_limit_kind limits[] = { LIMIT_HALF_OPEN, LIMIT_HALF_OPEN_SOURCE, LIMIT_NEW_SOURCE,
							 LIMIT_NEW };
	const struct node *mode = node_get(map, "mode");
	unsigned given = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
		struct policy_limit *l = &s->service.limit[limits[i]];

		if (!node_get(map, names[i]))
			continue;
		given++;
		l->on = 1;
		if (mode && !strcmp(mode->text, "monitor"))
			l->mode = (uint8_t)weaker(l->mode, MODE_MONITOR);
		else if (mode && !strcmp(mode->text, "dry-run"))
			l->mode = (uint8_t)weaker(l->mode, MODE_DRY_RUN);
	}
	if (!given)
		fault(&r->faults, map,
		      "a service without a limit, '%s': give half-open, half-open-per-source, new-per-source or new",
		      s->service.name);
}

static void check_rule(struct reader *r, const struct node *map, struct policy_file_rule *rule)
{
	const struct node *above = node_get(map, "above"), *burst = node_get(map, "burst");

	rule->rule.drop = DROP_MATCH;
	if (burst && !above)
		fault(&r->faults, burst, "burst without above, '%s': it belongs to above: 10/s", burst->text);
	if (above && rule->rule.action == ACTION_PASS)
		fault(&r->faults, above,
		      "above in a rule that passes, '%s': it says from when a rule drops; action: drop", above->text);
}

static void check_reaction(struct reader *r, const struct node *map, struct policy_reaction *reaction)
{
	const struct node *time = node_get(map, "for");

	if (reaction->then == REACT_CLOSE && time)
		fault(&r->faults, time, "for with close, '%s': a socket is closed once; for belongs to then: block",
		      time->text);
	else if (reaction->then == REACT_BLOCK && !time)
		reaction->for_ns = POLICY_MINUTE;
}

static void check_cookie(const struct node *map, struct policy *p)
{
	uint64_t burst = POLICY_SECOND / 10 / p->cookie_rate.interval_ns;

	if (!node_get(map, "burst"))
		p->cookie_rate.burst = (uint32_t)(burst < 100 ? 100 : burst);
}

void check_place(struct reader *r, enum schema_place place, const struct node *map, void *into)
{
	switch (place) {
	case PLACE_COOKIE:
		check_cookie(map, into);
		break;
	case PLACE_SERVICE:
		check_service(r, map, into);
		break;
	case PLACE_SERVICE_MATCH:
	case PLACE_RULE_MATCH:
		check_match(r, map);
		break;
	case PLACE_HALF_OPEN:
		check_half_open(r, map, into);
		break;
	case PLACE_HALF_OPEN_SOURCE:
	case PLACE_NEW_SOURCE:
		check_source(r, map, into);
		break;
	case PLACE_RULE:
		check_rule(r, map, into);
		break;
	case PLACE_FINDING:
		check_reaction(r, map, into);
		break;
	default:
		break;
	}
}

/* ---- across the policy ---- */
/* These look at the tree, so that one wrong key does not hide what is wrong elsewhere. */
static const char *word_of(const struct node *node)
{
	return node && node->kind == NODE_WORD && !node->refused ? node->text : NULL;
}

static const struct node *items_of(const struct node *node)
{
	return node && node->kind == NODE_LIST ? node->child : NULL;
}

static const struct node *items_or_one(const struct node *node)
{
	return node && node->kind == NODE_LIST ? node->child : node;
}

static bool same_word(const struct node *a, const struct node *b)
{
	return word_of(a) && word_of(b) && !strcmp(a->text, b->text);
}

static void check_names(struct reader *r, const char *list)
{
	const struct node *items = items_of(node_get(r->root, list));

	for (const struct node *item = items; item; item = item->next) {
		const struct node *name = node_get(item, "name"), *other = items;

		while (other != item && !same_word(node_get(other, "name"), name))
			other = other->next;
		if (other != item)
			fault(&r->faults, name,
			      "a name that stands twice, '%s': first in line %u; counters go by the name", name->text,
			      node_get(other, "name")->line);
	}
}

/* Is one of these reasons judged by the state check alone? */
static bool needs_state(const char *reason)
{
	static const char *const names[] = { "no-flow", "out-of-state", "out-of-window", "rst-inexact",
					     "rst-time-wait" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (!strcmp(names[i], reason))
			return true;
	return false;
}

static void check_states(struct reader *r)
{
	for (const struct node *rule = items_of(node_get(r->root, "rules")); rule; rule = rule->next) {
		const struct node *one = items_or_one(node_get(node_get(rule, "match"), "invalid"));

		for (; one; one = one->next)
			if (word_of(one) && needs_state(one->text))
				fault(&r->faults, one,
				      "a rule that needs the state check, '%s': write state-check: loose (or strict) "
				      "at the top",
				      one->text);
	}
}

/* The first prefix length of a family that is not the whole address. */
struct first_prefix {
	const char *family, *whole, *usual;
	const char *length;
	unsigned line;
};

/* Blocked sources of one family are looked up by their address, and by one prefix length: policy_live.block_len. */
static void check_prefix(struct reader *r, const struct node *limit, struct first_prefix *first)
{
	const struct node *bits = node_get(node_get(limit, "prefix"), first->family);
	const char *length = bits ? word_of(bits) : first->usual;
	const struct node *at = bits ? bits : limit;

	if (!length || !strcmp(length, first->whole))
		return;
	if (!first->length) {
		first->length = length;
		first->line = at->line;
	} else if (strcmp(first->length, length)) {
		fault(&r->faults, at,
		      "another prefix length, '%s': sources are looked up by their address and by one length, which in "
		      "line %u "
		      "is %s; write prefix: {%s: %s}",
		      length, first->line, first->length, first->family, first->length);
	}
}

static void check_prefixes(struct reader *r)
{
	static const char *const limits[] = { "half-open-per-source", "new-per-source" };
	struct first_prefix v4 = { .family = "v4", .whole = "32", .usual = "32" };
	struct first_prefix v6 = { .family = "v6", .whole = "128", .usual = "64" };

	for (const struct node *s = items_of(node_get(r->root, "services")); s; s = s->next)
		for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
			const struct node *limit = node_get(s, limits[i]);

			if (!limit || limit->kind != NODE_MAP)
				continue;
			check_prefix(r, limit, &v4);
			check_prefix(r, limit, &v6);
		}
}

static bool of_instance(const struct policy *p, const char *iface)
{
	for (size_t i = 0; i < p->iface_count; i++)
		if (!strcmp(p->iface[i], iface))
			return true;
	return !p->iface_count;
}

static void check_ifaces(struct reader *r, const char *list)
{
	for (const struct node *item = items_of(node_get(r->root, list)); item; item = item->next) {
		const struct node *iface = items_or_one(node_get(node_get(item, "match"), "iface"));

		for (; iface; iface = iface->next)
			if (word_of(iface) && !of_instance(r->p, iface->text))
				fault(&r->faults, iface, "not an interface of this policy, '%s': add it to interfaces",
				      iface->text);
	}
}

static bool same_reaction(const struct node *a, const struct node *b)
{
	return same_word(node_get(a, "finding"), node_get(b, "finding")) &&
	       same_word(node_get(a, "then"), node_get(b, "then"));
}

static void check_reactions(struct reader *r)
{
	const struct node *items = items_of(node_get(r->root, "findings"));

	for (const struct node *item = items; item; item = item->next) {
		const struct node *other = items;

		while (other != item && !same_reaction(other, item))
			other = other->next;
		if (other != item)
			fault(&r->faults, item, "a reaction that stands twice, '%s': first in line %u",
			      node_get(item, "finding")->text, other->line);
	}
}

void check_policy(struct reader *r)
{
	const struct node *check = node_get(r->root, "state-check");

	check_names(r, "services");
	check_names(r, "rules");
	if (!check || (word_of(check) && !strcmp(check->text, "off")))
		check_states(r);
	check_prefixes(r);
	if (!r->faults.total) {
		check_ifaces(r, "services");
		check_ifaces(r, "rules");
	}
	check_reactions(r);
}
