// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * compile_addr: the addresses of all conditions become two tables, of whole addresses and of prefixes. The packet path
 * finds one entry alone, the most specific, so each entry has to hold what the shorter prefixes around it say as well.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "policy/compile.h"
#include "policy/prefix.h"

#define V4_LEN 96 /* where IPv4 begins: ::ffff:0:0/96 */

_Static_assert(!offsetof(struct policy_address, prefix), "entries are sorted by prefix_compare()");

static const struct address_prefix all_of_v4 = {
	.len = V4_LEN,
	.addr = { [10] = 0xff, [11] = 0xff },
};

/* By their bits alone: ::/0 covers IPv4 too. */
static bool covers(const struct address_prefix *p, const uint8_t addr[16])
{
	unsigned bytes = p->len / 8, bits = p->len % 8;

	return !memcmp(p->addr, addr, bytes) && (!bits || !((p->addr[bytes] ^ addr[bytes]) >> (8 - bits)));
}

static void class_add(struct policy_class *to, const struct policy_class *more)
{
	to->rules |= more->rules;
	to->services |= more->services;
	to->flags |= more->flags;
}

static int room_for(struct address_list *l, size_t more)
{
	size_t room = l->room ? l->room : 64;
	struct policy_address *item;

	while (room < l->count + more)
		room *= 2;
	if (room == l->room)
		return 0;
	item = reallocarray(l->item, room, sizeof(*item));
	if (!item)
		return -ENOMEM;
	l->item = item;
	l->room = room;
	return 0;
}

int addresses_add(struct address_list *to, const struct cidr_list *from, struct policy_class class)
{
	if (room_for(to, from->count))
		return -ENOMEM;
	for (size_t i = 0; i < from->count; i++)
		to->item[to->count++] = (struct policy_address){ from->item[i].prefix, class };
	return 0;
}

/* An IPv6 prefix as short as ::/0 covers the place of IPv4 too, but says nothing about it: an entry of its own is put
 * there, for the packet path to find instead. */
static int keep_families_apart(struct address_list *l)
{
	for (size_t i = 0; i < l->count; i++) {
		const struct address_prefix *p = &l->item[i].prefix;

		if (p->len >= V4_LEN || !covers(p, all_of_v4.addr))
			continue;
		if (room_for(l, 1))
			return -ENOMEM;
		l->item[l->count++] = (struct policy_address){ .prefix = all_of_v4 };
		return 0;
	}
	return 0;
}

/* Sorts, so that each prefix comes right before what lies in it, and makes one entry of those that are the same. */
static void sort_and_merge(struct address_list *l)
{
	size_t kept = 0;

	if (!l->count)
		return;
	qsort(l->item, l->count, sizeof(*l->item), prefix_compare);
	for (size_t i = 1; i < l->count; i++) {
		if (prefix_compare(&l->item[kept].prefix, &l->item[i].prefix))
			l->item[++kept] = l->item[i];
		else
			class_add(&l->item[kept].class, &l->item[i].class);
	}
	l->count = kept + 1;
}

/* What an entry lies in: the nearest last. */
struct around {
	const struct policy_address *entry[PREFIX_WHOLE + 1];
	unsigned depth;
};

/* What holds around a, the next one in order; any: where nothing is around it. */
static const struct policy_class *go_into(struct around *around, const struct policy_address *a, const struct policy_class *any)
{
	bool outermost = a->prefix.len == V4_LEN && prefix_is_v4(&a->prefix); /* of IPv4 */
	const struct policy_class *class;

	while (around->depth && !covers(&around->entry[around->depth - 1]->prefix, a->prefix.addr))
		around->depth--;
	class = around->depth && !outermost ? &around->entry[around->depth - 1]->class : any;
	around->entry[around->depth++] = a;
	return class;
}

/* Passes on what holds. */
static void inherit(struct address_list *l, const struct policy_class *any)
{
	struct around around = { .depth = 0 };

	for (size_t i = 0; i < l->count; i++)
		class_add(&l->item[i].class, go_into(&around, &l->item[i], any));
}

/* Moves the entries of full length to a table of their own; the others keep their memory. */
static int split(struct address_list *l, struct policy_table *exact, struct policy_table *prefix)
{
	size_t whole = 0, kept = 0;

	for (size_t i = 0; i < l->count; i++)
		whole += l->item[i].prefix.len == PREFIX_WHOLE;
	exact->item = whole ? calloc(whole, sizeof(*exact->item)) : NULL;
	if (whole && !exact->item)
		return -ENOMEM;
	for (size_t i = 0; i < l->count; i++) {
		if (l->item[i].prefix.len == PREFIX_WHOLE)
			exact->item[exact->count++] = l->item[i];
		else
			l->item[kept++] = l->item[i];
	}
	*prefix = (struct policy_table){ l->item, kept };
	*l = (struct address_list){ 0 };
	return 0;
}

int addresses_resolve(struct address_list *from, struct policy_class any, struct policy_table *exact,
		      struct policy_table *prefix)
{
	if (keep_families_apart(from))
		return -ENOMEM;
	sort_and_merge(from);
	inherit(from, &any);
	return split(from, exact, prefix);
}

int addresses_own(const struct policy_table *exact, const struct policy_table *prefix, const struct policy_class *any,
		  struct policy_table *out)
{
	size_t count = exact->count + prefix->count;
	struct policy_address *all = calloc(count + 1, sizeof(*all)), *own = calloc(count + 1, sizeof(*own));
	struct around around = { .depth = 0 };

	if (!all || !own) {
		free(all);
		free(own);
		return -ENOMEM;
	}
	if (exact->count)
		memcpy(all, exact->item, exact->count * sizeof(*all));
	if (prefix->count)
		memcpy(all + exact->count, prefix->item, prefix->count * sizeof(*all));
	qsort(all, count, sizeof(*all), prefix_compare);
	for (size_t i = 0; i < count; i++) {
		const struct policy_class *outer = go_into(&around, &all[i], any);

		own[i] = all[i];
		own[i].class.rules &= ~outer->rules;
		own[i].class.services &= ~outer->services;
		own[i].class.flags &= ~outer->flags;
	}
	free(all);
	*out = (struct policy_table){ own, count };
	return 0;
}

/* Such an entry stands there to keep the families apart: what lies around it, if anything does, says no more either. */
static bool says_nothing(const struct policy_class *class, const struct policy_class *any)
{
	return class->rules == any->rules && class->services == any->services && class->flags == any->flags;
}

void addresses_near(const struct policy_table *table, const struct policy_class *any, struct policy_near *near)
{
	for (size_t i = 0; i < table->count; i++) {
		const struct address_prefix *p = &table->item[i].prefix;
		bool v4 = prefix_is_v4(p);
		unsigned len = v4 ? p->len - V4_LEN : p->len, from;
		uint64_t word[2];

		if (says_nothing(&table->item[i].class, any))
			continue;
		memcpy(word, p->addr, sizeof(word));
		from = policy_near_bit(word[0], word[1]);
		for (unsigned bit = from; bit < from + (1U << (len < 16 ? 16 - len : 0)); bit++)
			near->word[bit >> 6] |= 1ULL << (bit & 63);
	}
}
