/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Pairs: all flows between one client address and one service, for the two findings that are about many of them. The sweep
 * counts every flow in the cell of its pair's hash; the pairs of a cell that was large get counts of their own.
 */
#ifndef BPF_PAIRS_H
#define BPF_PAIRS_H

#include "accounts.h"

#define PAIR_IDLE_NS (30 * NS_PER_S)
#define PAIR_LARGE 2048 /* flows of a cell from which on a pair of it is counted by itself */

static long cells_zero(void *map, __u32 *index, struct pair_block *block, __u32 *half)
{
	__u32 i, p = *half & 1;

	(void)map, (void)index;
	for (i = 0; i < PAIR_BLOCK; i++) {
		struct pair_cell *cell = &block->cell[i];

		cell->large = cell->flows + cell->open_part[0] + cell->open_part[1] >= PAIR_LARGE;
		cell->flows = 0;
		cell->open_part[p] = 0;
	}
	return 0;
}

enum { PAIR_FLOW, PAIR_TIME_WAIT, PAIR_OPEN };

/* A pair whose cell was large in the sweep before: counted by itself, if there is room. */
__weak __noinline int pair_now(struct flow_key *key, __u32 client, __u32 what, __u32 half, __u64 now)
{
	struct end c, s;
	struct pair *p, *free = (struct pair *)0;
	__u64 hash;
	__u32 i;

	if (!key)
		return 0;
	c = key_end(key, client & 1);
	s = key_end(key, (client & 1) ^ 1);
	hash = mix(service_hash(&s), source_hash(c.addr, 0));
	for (i = 0; i < PAIRS_KEPT; i++) {
		__u32 index = i;

		p = bpf_map_lookup_elem(&pairs, &index);
		if (!p)
			return 0;
		if (p->live && p->hash == hash) {
			__u32 *count = what == PAIR_OPEN ? &p->open_part[half & 1] : &p->flows[half & 1];

			++*count;
			p->time_wait[half & 1] += what == PAIR_TIME_WAIT;
			return 0;
		}
		if (!p->live && !free)
			free = p;
	}
	if (!free)
		return 0;
	((__u64 *)free->client)[0] = c.addr[0];
	((__u64 *)free->client)[1] = c.addr[1];
	((__u64 *)free->addr)[0] = s.addr[0];
	((__u64 *)free->addr)[1] = s.addr[1];
	free->port = s.port;
	free->vlan = s.vlan;
	free->hash = hash;
	free->flows[0] = free->flows[1] = free->time_wait[0] = free->time_wait[1] = 0;
	free->open_part[0] = free->open_part[1] = 0;
	free->active_ns = now - PAIR_IDLE_NS + 3 * NS_PER_S; /* to be counted whole by the next sweeps */
	free->live = 1;
	return 0;
}

/* Counts the flow in the cell of its pair; not 0: that cell is large, so call pair_now(). */
static __always_inline __u32 pair_flow(const struct flow_key *key, __u32 client, __u32 what, __u32 half)
{
	const __u64 *w = (const __u64 *)key;
	struct pair_block *block;
	struct pair_cell *cell;
	__u32 index, at;
	__u64 h;

	/* the client's address, the service's address and port: not the client's port */
	h = mix(mix(mix(mix(boot_secret[0], w[0]), w[1]), w[2]), w[3]);
	h = mix(h, client ? key->a_port : (__u64)key->b_port << 16);
	at = (h ^ h >> 32) & (PAIR_CELLS - 1);
	index = at / PAIR_BLOCK;
	block = bpf_map_lookup_elem(&pair_cells, &index);
	if (!block)
		return 0;
	cell = &block->cell[at % PAIR_BLOCK];
	if (what == PAIR_OPEN)
		cell->open_part[half & 1]++;
	else
		cell->flows++;
	return cell->large;
}

#endif
