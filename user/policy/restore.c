// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * restore: the lists of addresses as they were when a policy's tables were made. Its text names lists in files of their own,
 * which may have changed since; the tables have not.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "policy/compile.h"
#include "policy/internal.h"
#include "policy/prefix.h"

/* Of one list: what stands in it now and did not then, and the other way round. */
struct change {
	struct cidr_list came, gone;
};

enum { SADDR = 0, DADDR = POLICY_RULES, SERVICE = 2 * POLICY_RULES, ALLOW = SERVICE + POLICY_SERVICES, LISTS };

/* ---- which list that was ---- */
static struct policy_class without(struct policy_class a, const struct policy_class *b)
{
	a.rules &= ~b->rules;
	a.services &= ~b->services;
	a.flags &= ~b->flags;
	return a;
}

static int note_bits(struct change *list, uint64_t came, uint64_t gone, const struct address_prefix *prefix)
{
	const struct cidr c = { *prefix };
	int err = 0;

	for (unsigned i = 0; (came | gone) >> i && !err; i++) {
		if (came >> i & 1)
			err = cidr_list_add(&list[i].came, &c);
		else if (gone >> i & 1)
			err = cidr_list_add(&list[i].gone, &c);
		if (i == 63)
			break;
	}
	return err;
}

static int note(struct change *list, unsigned rules_at, const struct policy_class *now, const struct policy_class *then,
		const struct address_prefix *prefix)
{
	const struct policy_class came = without(*now, then), gone = without(*then, now);
	int err = note_bits(list + rules_at, came.rules, gone.rules, prefix);

	if (!err)
		err = note_bits(list + SERVICE, came.services, gone.services, prefix);
	if (!err)
		err = note_bits(list + ALLOW, came.flags & CLASS_ALLOW, gone.flags & CLASS_ALLOW, prefix);
	return err;
}

_Static_assert(CLASS_ALLOW == 1, "the only flag is the first bit");

static int compare(struct change *list, unsigned rules_at, const struct policy_table *now, const struct policy_table *then)
{
	static const struct policy_class nothing;
	int err = 0;

	for (size_t i = 0, k = 0; (i < now->count || k < then->count) && !err;) {
		int order = i == now->count ? 1 : k == then->count ? -1 : prefix_compare(&now->item[i], &then->item[k]);
		const struct policy_address *a = order <= 0 ? &now->item[i++] : NULL, *b = order >= 0 ? &then->item[k++] : NULL;

		err = note(list, rules_at, a ? &a->class : &nothing, b ? &b->class : &nothing, a ? &a->prefix : &b->prefix);
	}
	return err;
}

static int compare_images(struct change *list, const struct policy_image *now, const struct policy_image *then)
{
	struct policy_table a = { 0 }, b = { 0 };
	int err = addresses_own(&now->saddr_exact, &now->saddr_prefix, &now->config.saddr_any, &a);

	if (!err)
		err = addresses_own(&then->saddr_exact, &then->saddr_prefix, &then->config.saddr_any, &b);
	if (!err)
		err = compare(list, SADDR, &a, &b);
	free(a.item);
	free(b.item);
	a = b = (struct policy_table){ 0 };
	if (!err)
		err = addresses_own(&now->daddr_exact, &now->daddr_prefix, &now->config.daddr_any, &a);
	if (!err)
		err = addresses_own(&then->daddr_exact, &then->daddr_prefix, &then->config.daddr_any, &b);
	if (!err)
		err = compare(list, DADDR, &a, &b);
	free(a.item);
	free(b.item);
	return err;
}

/* ---- the lists ---- */
/* The families one after the other: no two of what came lie in one another, so what covers an address stands right before it. */
static int by_family(const void *a, const void *b)
{
	int order = prefix_is_v4(a) - prefix_is_v4(b);

	return order ? order : prefix_compare(a, b);
}

static bool lies_in(const struct cidr_list *sorted, const struct cidr *c)
{
	size_t from = 0, to = sorted->count;

	while (from < to) {
		size_t middle = from + (to - from) / 2;

		if (by_family(&sorted->item[middle], c) <= 0)
			from = middle + 1;
		else
			to = middle;
	}
	return from && prefix_covers(&sorted->item[from - 1].prefix, &c->prefix);
}

static int restore(struct cidr_list *list, const struct change *change)
{
	struct cidr_list old = { .given = true };
	int err = 0;

	if (!list || !list->given || (!change->came.count && !change->gone.count))
		return 0;
	if (change->came.count)
		qsort(change->came.item, change->came.count, sizeof(*change->came.item), by_family);
	for (size_t i = 0; i < list->count && !err; i++)
		if (!lies_in(&change->came, &list->item[i]))
			err = cidr_list_add(&old, &list->item[i]);
	for (size_t i = 0; i < change->gone.count && !err; i++)
		err = cidr_list_add(&old, &change->gone.item[i]);
	free(err ? old.item : list->item);
	if (!err)
		*list = old;
	return err;
}

static struct cidr_list *list_of(struct policy *p, unsigned i)
{
	if (i == ALLOW)
		return &p->allow;
	if (i >= SERVICE)
		return i - SERVICE < p->service_count ? &p->service[i - SERVICE].match.daddr : NULL;
	if (i % POLICY_RULES >= p->rule_count)
		return NULL;
	return i >= DADDR ? &p->rule[i - DADDR].match.daddr : &p->rule[i].match.saddr;
}

int policy_lists_restore(struct policy *p, const struct policy_image *now, const struct policy_image *then)
{
	struct change *list;
	int err;

	if (now->config.rule_count != then->config.rule_count || now->config.service_count != then->config.service_count)
		return -EINVAL;
	list = calloc(LISTS, sizeof(*list));
	err = list ? compare_images(list, now, then) : -ENOMEM;
	for (unsigned i = 0; i < LISTS && !err; i++)
		err = restore(list_of(p, i), &list[i]);
	for (unsigned i = 0; i < LISTS && list; i++) {
		free(list[i].came.item);
		free(list[i].gone.item);
	}
	free(list);
	return err;
}
