// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * block_sets: keeps the block list's quick part in step with block_addrs: include/block_set.h says what its writers owe each
 * other. Whoever calls this holds the lock on the lists (live.c), so that it is alone but for the packet path; the readers of
 * hits need not.
 */
#include <string.h>
#include <sys/mman.h>

#include <bpf/bpf.h>

#include "block_set.h"
#include "ward/inside.h"

#define SETS_SIZE (BLOCK_SETS * sizeof(struct block_set))
#define CHECKED_AT_ONCE 2048

int block_sets_map(struct ward *w)
{
	w->block_sets = map_memory(w->map[MAP_BLOCK_SETS], SETS_SIZE);
	return w->block_sets ? 0 : -1;
}

void block_sets_free(struct ward *w)
{
	if (w->block_sets)
		munmap(w->block_sets, SETS_SIZE);
	w->block_sets = NULL;
}

static struct block_set *set_of(const struct ward *w, const struct address_prefix *p)
{
	if (p->len != PREFIX_WHOLE || !block_set_fits(block_high(p), block_low(p)))
		return NULL;
	return &w->block_sets[block_set_index(block_bit(p))];
}

void block_sets_put(struct ward *w, const struct address_prefix *prefix, const struct list_entry *entry, bool reset)
{
	struct block_set *set = set_of(w, prefix);
	uint64_t low = block_low(prefix), word = block_word(low, entry->until_ns);
	struct list_entry now;

	if (!set || !block_set_put(set, word, block_time(ward_now_ns(w)), reset))
		return;
	if (bpf_map_lookup_elem(w->map[MAP_BLOCK_ADDRS], prefix, &now) || block_word(low, now.until_ns) != word)
		block_set_undo(set, word);
}

void block_sets_take(struct ward *w, const struct address_prefix *prefix)
{
	struct block_set *set = set_of(w, prefix);

	if (set)
		block_set_take(set, block_low(prefix));
}

bool block_sets_has(const struct ward *w, const struct address_prefix *prefix, const struct list_entry *entry)
{
	const struct block_set *set = set_of(w, prefix);
	uint64_t word = block_word(block_low(prefix), entry->until_ns);

	for (int i = 0; set && i < BLOCK_WAYS; i++)
		if (__atomic_load_n(&set->way[i], __ATOMIC_RELAXED) == word)
			return true;
	return !set;
}

uint32_t block_sets_hits(const struct ward *w, const struct address_prefix *prefix)
{
	const struct block_set *set = set_of(w, prefix);

	for (int i = 0; set && i < BLOCK_WAYS; i++)
		if (!((__atomic_load_n(&set->way[i], __ATOMIC_RELAXED) ^ block_low(prefix)) >> 32))
			return __atomic_load_n(&set->hits[i], __ATOMIC_RELAXED) % BLOCK_CARRY;
	return 0;
}

/* The address in a way, as its entry in block_addrs is called. */
static struct address_prefix entry_of(uint64_t word)
{
	struct address_prefix p = { .len = PREFIX_WHOLE, .addr = { [10] = 0xff, [11] = 0xff } };
	uint32_t addr = (uint32_t)(word >> 32);

	memcpy(p.addr + 12, &addr, sizeof(addr));
	return p;
}

static void clear_way(struct ward *w, struct block_set *set, int i)
{
	uint64_t word = __atomic_exchange_n(&set->way[i], 0, __ATOMIC_SEQ_CST);
	uint32_t hits = __atomic_exchange_n(&set->hits[i], 0, __ATOMIC_SEQ_CST) % BLOCK_CARRY;
	struct address_prefix p = entry_of(word);
	struct list_entry entry;

	if (!hits || bpf_map_lookup_elem(w->map[MAP_BLOCK_ADDRS], &p, &entry))
		return;
	entry.hits += hits;
	bpf_map_update_elem(w->map[MAP_BLOCK_ADDRS], &p, &entry, BPF_EXIST);
}

void block_sets_clear(struct ward *w)
{
	for (unsigned i = 0; i < BLOCK_SETS; i++)
		for (int way = 0; way < BLOCK_WAYS; way++)
			if (w->block_sets[i].way[way])
				clear_way(w, &w->block_sets[i], way);
}

void block_sets_check(struct ward *w)
{
	struct list_entry entry;

	for (unsigned n = 0; n < CHECKED_AT_ONCE; n++, w->block_set_at++) {
		struct block_set *set = &w->block_sets[w->block_set_at % BLOCK_SETS];

		for (int i = 0; i < BLOCK_WAYS; i++) {
			uint64_t word = __atomic_load_n(&set->way[i], __ATOMIC_RELAXED);
			struct address_prefix p = entry_of(word);

			if (!(uint32_t)word)
				continue;
			if (bpf_map_lookup_elem(w->map[MAP_BLOCK_ADDRS], &p, &entry) || block_word(word, entry.until_ns) != word)
				block_set_undo(set, word);
		}
	}
}
