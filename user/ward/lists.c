// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * lists: who is allowed, and who is blocked, by hand and by limits (include/enforce.h).
 *
 * Processes change them one at a time (live.c); the packet path adds to block_addrs meanwhile, and counts hits. What it counts
 * between our reading an entry and writing it again is lost: some hits, once a change. What of an entry stands beside the map,
 * in the filter and in its set, follows here: list_put(), list_take().
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>

#include "ward/inside.h"

#define PER_BATCH 8192

const struct list_place list_places[WARD_LISTS] = {
	[WARD_ALLOW] = { "allow", { MAP_ALLOW_ADDRS, MAP_ALLOW_PREFIXES }, { LIST_ALLOW_ADDRS, LIST_ALLOW_PREFIXES } },
	[WARD_BLOCK] = { "block", { MAP_BLOCK_ADDRS, MAP_BLOCK_PREFIXES }, { LIST_BLOCK_ADDRS, LIST_BLOCK_PREFIXES } },
};

struct items {
	struct list_item *item;
	size_t count, room;
};

/* ---- one entry ---- */

static int which_map(const struct address_prefix *prefix)
{
	return prefix->len < PREFIX_WHOLE;
}

static int map_of(const struct ward *w, enum ward_list list, const struct address_prefix *prefix)
{
	return w->map[list_places[list].map[which_map(prefix)]];
}

static void filter_set(struct ward *w, const struct address_prefix *prefix)
{
	__u32 bit = block_bit(prefix);
	int half;

	for (half = 0; half < 2; half++)
		__atomic_fetch_or(&w->block_filter[half * BLOCK_FILTER_WORDS + bit / 64], 1ULL << bit % 64, __ATOMIC_SEQ_CST);
}

int list_put(struct ward *w, enum ward_list list, const struct address_prefix *prefix, struct list_entry entry)
{
	int which = which_map(prefix);

	entry.len = which ? prefix->len : 0;
	/* before as well: killed between the two, what stood there for longer would drop beyond its new end */
	if (list == WARD_BLOCK && !which && !block_sets_has(w, prefix, &entry))
		block_sets_take(w, prefix);
	if (bpf_map_update_elem(map_of(w, list, prefix), prefix, &entry, BPF_ANY))
		return -errno;
	if (list == WARD_BLOCK && !which)
		filter_set(w, prefix);
	if (list == WARD_BLOCK && !which)
		block_sets_put(w, prefix, &entry, true);
	__atomic_fetch_or(&w->live->lists, list_places[list].flag[which], __ATOMIC_SEQ_CST);
	return 0;
}

int list_take(struct ward *w, enum ward_list list, const struct address_prefix *prefix)
{
	int err;

	if (list == WARD_BLOCK)
		block_sets_take(w, prefix);
	err = bpf_map_delete_elem(map_of(w, list, prefix), prefix) ? -errno : 0;
	if (list == WARD_BLOCK)
		block_sets_take(w, prefix);
	return err;
}

/* The very entry of prefix, with all its hits; a lookup in a map of prefixes may find a wider one. */
static bool get_entry(const struct ward *w, enum ward_list list, const struct address_prefix *prefix,
		      struct list_entry *entry)
{
	if (bpf_map_lookup_elem(map_of(w, list, prefix), prefix, entry) ||
	    (which_map(prefix) && entry->len != prefix->len))
		return false;
	if (list == WARD_BLOCK)
		entry->hits += block_sets_hits(w, prefix);
	return true;
}

static bool is_over(const struct list_entry *entry, uint64_t now_ns)
{
	return entry->until_ns && entry->until_ns <= now_ns;
}

/* A finding blocks for a time: who is blocked for longer, by hand perhaps, stays so. */
static bool outlasts(const struct list_entry *old, const struct list_entry *entry)
{
	return !old->until_ns || (entry->until_ns && old->until_ns >= entry->until_ns);
}

/* What stays of an entry that is given anew. */
static void carry_over(struct list_entry *entry, const struct list_entry *old, uint64_t now_ns)
{
	if (is_over(old, now_ns))
		return;
	entry->hits = old->hits;
	entry->added_ns = old->added_ns;
}

static int put_failed(enum ward_list list, const struct list_item *item, int err)
{
	const char *name = list_places[list].name;
	char addr[64], mend[80];

	prefix_text(&item->prefix, addr);
	if (err == -E2BIG || err == -ENOSPC) {
		snprintf(mend, sizeof(mend), "tcpward %s del, or import a shorter list", name);
		return ward_fail(-ENOSPC, mend, "cannot add '%s' to the %s list: it is full, with %u %s", addr, name,
				 WARD_LIST_MAX, which_map(&item->prefix) ? "prefixes" : "addresses");
	}
	return ward_fail(err, err == -EPERM ? REMEDY_ROOT : "", "cannot add '%s' to the %s list: %s", addr, name,
			 strerror(-err));
}

void list_close_empty(struct ward *w, enum ward_list list, int which)
{
	const struct list_place *place = &list_places[list];
	int fd = w->map[place->map[which]];
	struct address_prefix first;

	if (!bpf_map_get_next_key(fd, NULL, &first) || errno != ENOENT)
		return;
	__atomic_fetch_and(&w->live->lists, ~place->flag[which], __ATOMIC_SEQ_CST);
	if (!bpf_map_get_next_key(fd, NULL, &first)) /* a limit has added one meanwhile */
		__atomic_fetch_or(&w->live->lists, place->flag[which], __ATOMIC_SEQ_CST);
}

/* A change is done. Addresses of the block list are looked up for each segment; all the rest is in the flows' marks. */
static void changed(struct ward *w, enum ward_list list, bool prefixes)
{
	list_close_empty(w, list, 0);
	list_close_empty(w, list, 1);
	if (list == WARD_ALLOW || prefixes)
		live_revise(w);
}

static int begin(struct ward *w, bool shared)
{
	int err = load_needed(w);

	return err ? err : live_lock(w, shared, LIVE_WAIT_MS);
}

int ward_list_add(struct ward *w, enum ward_list list, const struct list_item *item)
{
	int lock = begin(w, false), err;
	struct list_entry entry = item->entry, old;
	uint64_t now_ns;

	if (lock < 0)
		return lock;
	now_ns = ward_now_ns(w);
	if (!entry.added_ns)
		entry.added_ns = now_ns;
	if (get_entry(w, list, &item->prefix, &old)) {
		if (entry.by == LISTED_BY_FINDING && outlasts(&old, &entry)) {
			live_unlock(lock);
			return 0;
		}
		carry_over(&entry, &old, now_ns);
	}
	err = list_put(w, list, &item->prefix, entry);
	if (!err)
		changed(w, list, which_map(&item->prefix));
	live_unlock(lock);
	return err ? put_failed(list, item, err) : 0;
}

int ward_list_delete(struct ward *w, enum ward_list list, const struct address_prefix *prefix)
{
	int lock = begin(w, false), err;
	char addr[64], mend[48];

	if (lock < 0)
		return lock;
	err = list_take(w, list, prefix);
	if (list == WARD_BLOCK && which_map(prefix) && !bpf_map_delete_elem(w->map[MAP_BLOCK_ADDRS], prefix))
		err = 0; /* a limit's */
	if (!err)
		changed(w, list, which_map(prefix));
	live_unlock(lock);
	snprintf(mend, sizeof(mend), "tcpward %s list shows what is", list_places[list].name);
	prefix_text(prefix, addr);
	if (err == -ENOENT)
		return ward_fail(-ESRCH, mend, "'%s' is not in the %s list", addr, list_places[list].name);
	if (err)
		return ward_fail(err, err == -EPERM ? REMEDY_ROOT : "", "cannot take '%s' out of the %s list: %s", addr,
				 list_places[list].name, strerror(-err));
	return 0;
}

/* ---- all of a list ---- */

static int collect(const void *key, const void *value, void *ctx)
{
	struct items *all = ctx;

	if (all->count == all->room) {
		size_t room = all->room ? 2 * all->room : 1024;
		struct list_item *more = realloc(all->item, room * sizeof(*more));

		if (!more)
			return ward_fail(-ENOMEM, "", "cannot read a list: out of memory");
		all->item = more;
		all->room = room;
	}
	memcpy(&all->item[all->count].prefix, key, sizeof(struct address_prefix));
	memcpy(&all->item[all->count++].entry, value, sizeof(struct list_entry));
	return 0;
}

/* Everything in it, sorted, with all its hits, what is over too; for free(all->item), after an error too. */
static int read_list(struct ward *w, enum ward_list list, struct items *all)
{
	int which, err = 0;
	size_t i;

	for (which = 0; which < 2 && !err; which++)
		if (w->live->lists & list_places[list].flag[which])
			err = map_each(w, list_places[list].map[which], sizeof(struct address_prefix),
				       sizeof(struct list_entry), PER_BATCH, collect, all);
	for (i = 0; list == WARD_BLOCK && i < all->count; i++)
		all->item[i].entry.hits += block_sets_hits(w, &all->item[i].prefix);
	if (!err && all->count)
		qsort(all->item, all->count, sizeof(*all->item), prefix_compare);
	return err;
}

/* Where an entry stands: a prefix of a limit may stand among the addresses. */
static void take_out(struct ward *w, enum ward_list list, const struct address_prefix *prefix)
{
	list_take(w, list, prefix);
	if (list == WARD_BLOCK && which_map(prefix))
		bpf_map_delete_elem(w->map[MAP_BLOCK_ADDRS], prefix);
}

int ward_list_flush(struct ward *w, enum ward_list list)
{
	struct items all = { 0 };
	int lock = begin(w, false), err;
	size_t i;

	if (lock < 0)
		return lock;
	err = read_list(w, list, &all);
	for (i = 0; i < all.count && !err; i++)
		take_out(w, list, &all.item[i].prefix);
	if (!err && all.count)
		changed(w, list, true);
	live_unlock(lock);
	free(all.item);
	return err ? err : (int)all.count;
}

/* ---- one list in another's place ---- */

/* Two sorted lists side by side: the next item of either, or of both. */
struct merge {
	const struct items *old, *new;
	size_t at_old, at_new;
	struct list_item *in_old, *in_new; /* of the pair at hand; NULL: not in that list */
};

static bool merge_next(struct merge *m)
{
	struct list_item *a = m->at_old < m->old->count ? &m->old->item[m->at_old] : NULL;
	struct list_item *b = m->at_new < m->new->count ? &m->new->item[m->at_new] : NULL;
	int order = !a ? 1 : !b ? -1 : prefix_compare(a, b);

	m->in_old = a && order <= 0 ? a : NULL;
	m->in_new = b && order >= 0 ? b : NULL;
	m->at_old += !!m->in_old;
	m->at_new += !!m->in_new;
	return a || b;
}

static bool is_for_file(const struct list_entry *entry)
{
	return entry->by == LISTED_BY_HAND || entry->by == LISTED_BY_FILE;
}

/* Takes back the first `count` of new. */
static void put_back(struct ward *w, enum ward_list list, const struct items *old, const struct items *new, size_t count)
{
	const struct items done = { .item = new->item, .count = count };
	struct merge m = { .old = old, .new = &done };

	while (merge_next(&m)) {
		if (m.in_new && !m.in_old)
			take_out(w, list, &m.in_new->prefix);
		else if (m.in_new)
			list_put(w, list, &m.in_old->prefix, m.in_old->entry);
	}
}

/* Takes out `want` entries of a map that is full which the new list does not hold, from *from on; returns how many. */
static size_t make_room(struct ward *w, enum ward_list list, struct merge *from, int which, size_t want)
{
	size_t out = 0;

	while (out < want && merge_next(from)) {
		if (!from->in_old || from->in_new || which_map(&from->in_old->prefix) != which || !is_for_file(&from->in_old->entry))
			continue;
		take_out(w, list, &from->in_old->prefix);
		out++;
	}
	return out;
}

#define ROOM_STEP 4096

/*
 * Both lists together may be more than the map holds. Then what goes makes room step by step, and a reader between two steps
 * sees parts of both. Otherwise, until all is in, the old list stays whole.
 */
static int put_all(struct ward *w, enum ward_list list, const struct items *old, const struct items *new, bool *in_steps,
		   struct list_change *change)
{
	struct merge m = { .old = old, .new = new }, room[2] = { m, m };
	uint64_t now_ns = ward_now_ns(w);

	while (merge_next(&m)) {
		int err, which;

		if (!m.in_new) {
			change->others += !is_for_file(&m.in_old->entry);
			continue;
		}
		if (!m.in_new->entry.added_ns)
			m.in_new->entry.added_ns = now_ns;
		if (m.in_old)
			carry_over(&m.in_new->entry, &m.in_old->entry, now_ns);
		which = which_map(&m.in_new->prefix);
		err = list_put(w, list, &m.in_new->prefix, m.in_new->entry);
		if ((err == -E2BIG || err == -ENOSPC) && make_room(w, list, &room[which], which, ROOM_STEP)) {
			*in_steps = true;
			err = list_put(w, list, &m.in_new->prefix, m.in_new->entry);
		}
		if (err) {
			put_back(w, list, old, new, m.at_new - 1);
			for (size_t i = 0; *in_steps && i < old->count; i++)
				list_put(w, list, &old->item[i].prefix, old->item[i].entry);
			return put_failed(list, m.in_new, err);
		}
		if (m.in_old)
			change->stayed++;
		else
			change->added++;
	}
	return 0;
}

static void drop_rest(struct ward *w, enum ward_list list, const struct items *old, const struct items *new,
		      struct list_change *change)
{
	struct merge m = { .old = old, .new = new };

	while (merge_next(&m)) {
		if (m.in_new || !is_for_file(&m.in_old->entry))
			continue;
		take_out(w, list, &m.in_old->prefix);
		change->removed++;
	}
}

int ward_list_replace(struct ward *w, enum ward_list list, struct list_item *items, size_t count,
		      struct list_change *change)
{
	struct items old = { 0 }, new = { .item = items, .count = count };
	struct list_change done = { 0 };
	int lock = begin(w, false), err;
	bool in_steps = false;

	if (lock < 0)
		return lock;
	if (count)
		qsort(items, count, sizeof(*items), prefix_compare);
	err = read_list(w, list, &old);
	if (!err)
		err = put_all(w, list, &old, &new, &in_steps, &done);
	if (!err)
		drop_rest(w, list, &old, &new, &done);
	changed(w, list, true);
	live_unlock(lock);
	free(old.item);
	if (!err)
		*change = done;
	return err;
}

/* ---- reading ---- */

int ward_list_each(struct ward *w, enum ward_list list, int (*fn)(const struct list_item *item, void *ctx), void *ctx)
{
	struct items all = { 0 };
	int lock = begin(w, true), ret;
	uint64_t now_ns;
	size_t i;

	if (lock < 0)
		return lock;
	ret = read_list(w, list, &all);
	live_unlock(lock);
	now_ns = ward_now_ns(w);
	for (i = 0; i < all.count && !ret; i++)
		if (!is_over(&all.item[i].entry, now_ns))
			ret = fn(&all.item[i], ctx);
	free(all.item);
	return ret;
}

static int count_one(const struct list_item *item, void *ctx)
{
	(void)item;
	++*(int *)ctx;
	return 0;
}

int ward_list_count(struct ward *w, enum ward_list list)
{
	int count = 0, err = ward_list_each(w, list, count_one, &count);

	return err ? err : count;
}
