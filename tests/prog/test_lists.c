// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The lists in their maps: every entry has its bit in the half of the block filter that is read, whatever was added, taken
 * out and swept meanwhile, by hand or by the packet path; what is over goes; a list that does not fit changes nothing.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>

#include "prog/rig.h"

#define MANY 60000

static struct list_item item(unsigned n, uint64_t until_ns)
{
	struct list_item made = { .prefix = { .len = 128, .addr = { [10] = 0xff, [11] = 0xff, [12] = 10 } } };

	made.prefix.addr[13] = (__u8)(n >> 16);
	made.prefix.addr[14] = (__u8)(n >> 8);
	made.prefix.addr[15] = (__u8)n;
	made.entry.until_ns = until_ns;
	return made;
}

static struct list_item *items(unsigned from, unsigned count)
{
	struct list_item *made = calloc(count, sizeof(*made));

	for (unsigned i = 0; i < count; i++)
		made[i] = item(from + i, 0);
	return made;
}

static unsigned bits_set(struct rig *rig)
{
	const __u64 *half = rig->w->block_filter + (rig->w->live->block_half & 1) * BLOCK_FILTER_WORDS;
	unsigned bits = 0;

	for (unsigned i = 0; i < BLOCK_FILTER_WORDS; i++)
		bits += (unsigned)__builtin_popcountll(half[i]);
	return bits;
}

struct look {
	struct rig *rig;
	unsigned count, without_bit;
};

static int look_at(const struct list_item *it, void *ctx)
{
	struct look *look = ctx;
	const __u64 *half = look->rig->w->block_filter + (look->rig->w->live->block_half & 1) * BLOCK_FILTER_WORDS;
	__u32 bit = block_bit(&it->prefix);

	look->count++;
	look->without_bit += it->prefix.len == 128 && !(half[bit / 64] >> bit % 64 & 1);
	return 0;
}

/* As the packet path adds one (bpf/verdict.h): into the map, then both bits, then the flag. */
static void add_like_a_packet(struct rig *rig, unsigned n)
{
	struct list_item it = item(n, 0);
	__u32 bit = block_bit(&it.prefix);

	it.entry.by = LISTED_BY_LIMIT;
	bpf_map_update_elem(rig->w->map[MAP_BLOCK_ADDRS], &it.prefix, &it.entry, BPF_NOEXIST);
	for (int half = 0; half < 2; half++)
		__atomic_fetch_or(&rig->w->block_filter[half * BLOCK_FILTER_WORDS + bit / 64], 1ULL << bit % 64, __ATOMIC_RELAXED);
	__atomic_fetch_or(&rig->w->live->lists, LIST_BLOCK_ADDRS, __ATOMIC_RELAXED);
}

static bool in_list(struct rig *rig, enum ward_map map, const struct list_item *it)
{
	struct list_entry entry;

	return !bpf_map_lookup_elem(rig->w->map[map], &it->prefix, &entry);
}

static void test_filter(struct rig *rig)
{
	struct look look = { .rig = rig };
	unsigned next = 200000, halves = 0, before = rig->w->live->block_half, full;
	struct list_item *first = items(0, MANY), *second = items(MANY / 2, MANY);
	struct list_change change = { 0 };

	ward_list_replace(rig->w, WARD_BLOCK, first, MANY, &change);
	ward_list_replace(rig->w, WARD_BLOCK, second, MANY, &change);
	full = bits_set(rig);
	rig_report(change.added == MANY / 2 && change.removed == MANY / 2 && change.stayed == MANY / 2, "lists: one in another's place",
		   "added %zu, removed %zu, stayed %zu", change.added, change.removed, change.stayed);
	for (int i = 0; i < 60; i++) { /* the sweep goes through in slices, and each second something comes in between */
		add_like_a_packet(rig, next++);
		rig_wait(rig, NS_PER_S);
		add_like_a_packet(rig, next++);
		halves += rig->w->live->block_half != before;
		before = rig->w->live->block_half;
		look.count = 0;
		ward_list_each(rig->w, WARD_BLOCK, look_at, &look);
		if (look.without_bit)
			break;
	}
	rig_report(!look.without_bit && look.count == MANY + 120 && halves >= 3, "lists: no entry without its bit",
		   "%u without, %u entries, filter made anew %u times", look.without_bit, look.count, halves);
	rig_report(bits_set(rig) < full && bits_set(rig) <= MANY + 120, "lists: bits of entries that went go", "%u, %u before", bits_set(rig), full);
	free(first);
	free(second);
	ward_list_flush(rig->w, WARD_BLOCK);
	rig_report(!(rig->w->live->lists & LIST_BLOCK_ADDRS), "lists: an empty one is not looked at", "lists %x", rig->w->live->lists);
}

static void test_expiry(struct rig *rig)
{
	uint64_t now = ward_now_ns(rig->w);
	struct list_item gone = item(1, now + 2 * NS_PER_S), stays = item(2, now + 3600 * NS_PER_S), wide = item(0, now + 2 * NS_PER_S);
	unsigned revision;

	wide.prefix.len = 120;
	ward_list_add(rig->w, WARD_BLOCK, &gone);
	ward_list_add(rig->w, WARD_BLOCK, &stays);
	ward_list_add(rig->w, WARD_BLOCK, &wide);
	revision = rig->w->live->revision;
	for (int i = 0; i < 20; i++)
		rig_wait(rig, NS_PER_S);
	rig_report(!in_list(rig, MAP_BLOCK_ADDRS, &gone) && in_list(rig, MAP_BLOCK_ADDRS, &stays) && !in_list(rig, MAP_BLOCK_PREFIXES, &wide),
		   "lists: what is over goes, and nothing else", "%d %d %d", in_list(rig, MAP_BLOCK_ADDRS, &gone),
		   in_list(rig, MAP_BLOCK_ADDRS, &stays), in_list(rig, MAP_BLOCK_PREFIXES, &wide));
	rig_report(rig->w->live->revision != revision && rig->w->live->marked == rig->w->live->revision,
		   "lists: flows are marked anew when a prefix goes", "revision %u, marked %u, before %u", rig->w->live->revision,
		   rig->w->live->marked, revision);
	ward_list_flush(rig->w, WARD_BLOCK);
}

/* A prefix that a limit put among the addresses, when no limit looks for that length any more. */
static void test_settle(struct rig *rig)
{
	struct list_item it = item(0x0500, 0);
	bool before;

	it.prefix.len = 120;
	rig->w->live->block_len[0] = 120;
	bpf_map_update_elem(rig->w->map[MAP_BLOCK_ADDRS], &it.prefix, &it.entry, BPF_NOEXIST);
	__atomic_fetch_or(&rig->w->live->lists, LIST_BLOCK_ADDRS, __ATOMIC_RELAXED);
	for (int i = 0; i < 12; i++)
		rig_wait(rig, NS_PER_S);
	before = in_list(rig, MAP_BLOCK_ADDRS, &it) && !in_list(rig, MAP_BLOCK_PREFIXES, &it);
	rig->w->live->block_len[0] = 0;
	for (int i = 0; i < 12; i++)
		rig_wait(rig, NS_PER_S);
	rig_report(before && !in_list(rig, MAP_BLOCK_ADDRS, &it) && in_list(rig, MAP_BLOCK_PREFIXES, &it),
		   "lists: a limit's prefix outlives its policy", "before %d, then %d %d", before, in_list(rig, MAP_BLOCK_ADDRS, &it),
		   in_list(rig, MAP_BLOCK_PREFIXES, &it));
	ward_list_flush(rig->w, WARD_BLOCK);
}

static void test_full(struct rig *rig)
{
	struct list_item *all = items(0, WARD_LIST_MAX), *others = items(WARD_LIST_MAX, WARD_LIST_MAX), *more = items(0, WARD_LIST_MAX + 1);
	struct list_item one = item(2 * WARD_LIST_MAX, 0);
	struct list_change change = { 0 };
	int err, count;

	err = ward_list_replace(rig->w, WARD_BLOCK, all, WARD_LIST_MAX, &change);
	rig_report(!err && change.added == WARD_LIST_MAX, "lists: as many as there are places", "%d, %zu added", err, change.added);
	err = ward_list_add(rig->w, WARD_BLOCK, &one);
	rig_report(err == -ENOSPC && strstr(ward_reason(), "it is full, with 262144 addresses"), "lists: one more is refused", "%d: %s", err,
		   ward_reason());
	err = ward_list_replace(rig->w, WARD_BLOCK, more, WARD_LIST_MAX + 1, &change);
	count = ward_list_count(rig->w, WARD_BLOCK);
	rig_report(err == -ENOSPC && count == WARD_LIST_MAX && !in_list(rig, MAP_BLOCK_ADDRS, &more[WARD_LIST_MAX]),
		   "lists: one that does not fit changes nothing", "%d, %d entries", err, count);
	err = ward_list_replace(rig->w, WARD_BLOCK, others, WARD_LIST_MAX, &change);
	count = ward_list_count(rig->w, WARD_BLOCK);
	rig_report(!err && count == WARD_LIST_MAX && in_list(rig, MAP_BLOCK_ADDRS, &others[7]), "lists: a full one in a full one's place",
		   "%d, %d entries", err, count);
	free(all);
	free(others);
	free(more);
	count = ward_list_flush(rig->w, WARD_BLOCK);
	rig_report(count == WARD_LIST_MAX, "lists: flush", "%d", count);
}

int main(void)
{
	struct rig_options opt;
	struct rig rig;

	rig_options_init(&opt);
	rig_open(&rig, &opt);
	rig_wait(&rig, NS_PER_S);
	test_filter(&rig);
	test_expiry(&rig);
	test_settle(&rig);
	test_full(&rig);
	rig_close(&rig);
	return rig_result();
}
