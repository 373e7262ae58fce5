// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * lists_sweep: takes out entries whose time is over, a slice of the lists a second, and makes the block filter anew on the
 * way: include/enforce.h says why no bit gets lost. What has no place in its set gets one when there is room again.
 *
 * A limit may renew an entry between our last look at it and its removal: then its source is free until it does it again.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>

#include "ward/inside.h"

#define PER_BATCH 1024
#define BATCHES 8 /* of one slice */
#define REST_NS 1000000000ULL /* what is over may stand before a wider entry that is not */
#define MAPS (WARD_LISTS * 2)

struct list_sweep {
	int at;            /* of MAPS */
	bool inside;       /* cursor is set */
	uint64_t rest_until_ns;
	unsigned char cursor[sizeof(struct address_prefix)]; /* a bucket's number, or a prefix */
	struct address_prefix key[PER_BATCH];
	struct list_entry value[PER_BATCH];
};

static __u64 *other_half(struct ward *w)
{
	return w->block_filter + (w->live->block_half & 1 ? 0 : BLOCK_FILTER_WORDS);
}

static void clear_half(__u64 *half)
{
	unsigned i;

	for (i = 0; i < BLOCK_FILTER_WORDS; i++)
		__atomic_store_n(&half[i], 0, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

static void mark(__u64 *half, const struct address_prefix *prefix)
{
	__u32 bit = block_bit(prefix);

	__atomic_fetch_or(&half[bit / 64], 1ULL << bit % 64, __ATOMIC_RELAXED);
}

/* The length of prefixes that the packet path looks up among the addresses. */
static __u32 block_len(const struct ward *w, const struct address_prefix *prefix)
{
	return w->live->block_len[!prefix_is_v4(prefix)];
}

/* A limit of a policy that was put it there, and now nobody looks for that length: it becomes an entry like those by hand. */
static bool settle(struct ward *w, const struct address_prefix *prefix, const struct list_entry *entry)
{
	if (prefix->len == PREFIX_WHOLE || prefix->len == block_len(w, prefix))
		return false;
	if (list_put(w, WARD_BLOCK, prefix, *entry))
		return false;
	bpf_map_delete_elem(w->map[MAP_BLOCK_ADDRS], prefix);
	return true;
}

/* which: of the list's two maps; a prefix of a limit stands among the addresses. */
static bool remove_over(struct ward *w, enum ward_list list, int which, const struct address_prefix *prefix, uint64_t now_ns)
{
	int fd = w->map[list_places[list].map[which]];
	struct list_entry entry;

	if (bpf_map_lookup_elem(fd, prefix, &entry) || !entry.until_ns || entry.until_ns > now_ns)
		return false;
	if (prefix->len == PREFIX_WHOLE)
		return !list_take(w, list, prefix);
	return !bpf_map_delete_elem(fd, prefix);
}

/* keep_last: the cursor is the last key itself, without which the next batch would begin at the first again. */
static bool sweep_batch(struct ward *w, enum ward_list list, int which, __u32 count, bool keep_last, uint64_t now_ns)
{
	struct list_sweep *sw = w->list_sweep;
	bool filter = list == WARD_BLOCK && !which, revise = false;
	__u32 i;

	for (i = 0; i < count; i++) {
		const struct list_entry *entry = &sw->value[i];

		if (entry->until_ns && entry->until_ns <= now_ns && !(keep_last && i == count - 1)) {
			revise |= remove_over(w, list, which, &sw->key[i], now_ns) && !filter;
			continue;
		}
		if (!filter)
			continue;
		if (settle(w, &sw->key[i], entry)) {
			revise = true;
			continue;
		}
		mark(other_half(w), &sw->key[i]);
		if (!block_sets_has(w, &sw->key[i], entry))
			block_sets_put(w, &sw->key[i], entry, false);
	}
	return revise;
}

static void end_map(struct ward *w, enum ward_list list, int which)
{
	struct list_sweep *sw = w->list_sweep;

	if (list == WARD_BLOCK && !which)
		__atomic_store_n(&w->live->block_half, w->live->block_half & 1 ? 0 : 1, __ATOMIC_RELEASE);
	list_close_empty(w, list, which);
	sw->at++;
	sw->inside = false;
}

/* One batch of the map at hand, or the next map; true: something that flows are marked by is gone. */
static bool step(struct ward *w, uint64_t now_ns)
{
	struct list_sweep *sw = w->list_sweep;
	enum ward_list list = sw->at / 2;
	int which = sw->at % 2, err;
	unsigned char next[sizeof(sw->cursor)];
	__u32 count = PER_BATCH;
	bool revise;

	if (!sw->inside && !(w->live->lists & list_places[list].flag[which])) {
		sw->at++;
		return false;
	}
	if (!sw->inside && list == WARD_BLOCK && !which)
		clear_half(other_half(w));
	err = bpf_map_lookup_batch(w->map[list_places[list].map[which]], sw->inside ? sw->cursor : NULL, next, sw->key,
				   sw->value, &count, NULL) ? errno : 0;
	if (err && err != ENOENT) {
		sw->at++; /* the filter keeps its half: more bits than needed */
		sw->inside = false;
		return false;
	}
	revise = sweep_batch(w, list, which, count, which && !err, now_ns);
	memcpy(sw->cursor, next, sizeof(next));
	sw->inside = true;
	if (err)
		end_map(w, list, which);
	return revise;
}

void lists_sweep(struct ward *w, uint64_t now_ns)
{
	struct list_sweep *sw = w->list_sweep;
	bool revise = false;
	int lock, i;

	if (!w->live->lists || (sw && now_ns < sw->rest_until_ns))
		return;
	if (!sw)
		sw = w->list_sweep = calloc(1, sizeof(*sw));
	lock = sw ? live_lock(w, false, 0) : -ENOMEM;
	if (lock < 0)
		return; /* in a second, then */
	for (i = 0; i < BATCHES && sw->at < MAPS; i++)
		revise |= step(w, now_ns);
	if (sw->at == MAPS) {
		sw->at = 0;
		sw->rest_until_ns = now_ns + REST_NS;
	}
	if (w->live->lists & LIST_BLOCK_ADDRS)
		block_sets_check(w);
	if (revise)
		live_revise(w);
	live_unlock(lock);
}

void lists_sweep_free(struct ward *w)
{
	free(w->list_sweep);
	w->list_sweep = NULL;
}
