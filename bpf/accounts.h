/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Accounts (include/account.h) on the packet path: which service and which source a segment counts for. A service gets a
 * record by its first SYN-ACK. A source gets one at once while its set has room, else when the sketch of this CPU says that
 * it is among the busiest, in place of the quietest of its set. So a flood of spoofed sources costs each SYN the look into
 * one set and two cells of the sketch, and memory is constant.
 *
 * Counts of services are per CPU; those of sources are atomic. A record that gives way while another CPU counts into it may
 * take that one count along.
 */
#ifndef BPF_ACCOUNTS_H
#define BPF_ACCOUNTS_H

#include "record.h"
#include "sets.h"

#define NO_INDEX 0xffffffffU
#define SKETCH_CELLS 4096
#define SKETCH_WINDOW_SHIFT 33 /* 2^33 ns: 8.6 s */
#define SOURCE_LIMIT 16 /* of the sketch, before a source takes another one's place */

/* Counts since the window's begin, for all that hash alike: upper 4 bits the window, lower 12 the count. */
struct sketch {
	__u64 window;
	__u32 total;
	__u32 pad;
	__u16 cell[2][SKETCH_CELLS];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sketch);
} sketch WARD_MAP;

static __always_inline __u64 mix(__u64 h, __u64 w)
{
	h = (h ^ w) * 0x9e3779b97f4a7c15ULL;
	return h ^ h >> 29;
}

/* Neighbours' addresses differ in their last bytes, which are the word's highest bits: those must come down. */
static __always_inline __u64 mix_address(__u64 h, const __u64 addr[2])
{
	h = mix(mix(h, addr[0]), addr[1]);
	h = (h ^ h >> 32) * 0x9e3779b97f4a7c15ULL;
	return h ^ h >> 32;
}

/* One end of a key as three words: address, and port with VLAN. */
struct end {
	__u64 addr[2];
	__u16 port;
	__u16 vlan;
};

static __always_inline struct end key_end(const struct flow_key *key, int side)
{
	const __u64 *w = (const __u64 *)key;
	struct end e = {.vlan = (__u16)key->vlan};

	e.addr[0] = side ? w[2] : w[0];
	e.addr[1] = side ? w[3] : w[1];
	e.port = side ? key->b_port : key->a_port;
	return e;
}

/* The way whose tag this is, if the lowest such way has the right key; the rare others are found by asking each. */
static __always_inline __u32 ways_first(const struct embryo_ways *w, __u16 tag)
{
	const volatile __u64 *t = (const volatile __u64 *)w->tag;
	__u64 zero = zero_lanes16(t[0] ^ LANES16(tag));

	if (zero)
		return lane16(zero) & 3;
	zero = zero_lanes16(t[1] ^ LANES16(tag));
	return zero ? 4 + (lane16(zero) & 3) : ACCOUNT_WAYS;
}

/* ---- services ---- */
static __always_inline __u64 service_hash(const struct end *e)
{
	return mix_address(mix(boot_secret[1], (__u64)e->port | (__u64)e->vlan << 16), e->addr);
}

static __always_inline int service_is(const struct service *s, const struct end *e)
{
	const __u64 *w = (const __u64 *)s;

	return s->live && w[0] == e->addr[0] && w[1] == e->addr[1] && s->port == e->port && s->vlan == e->vlan;
}

/*
 * The two sets that a service may be in: with one alone, sets would be full long before the map. It goes into the first
 * while that is less than half full, where it is found sooner, then into the emptier one. Two CPUs that make one service at
 * the same moment may choose differently: the record in the second set is never found, counts nothing, and goes when idle.
 */
static __always_inline __u32 service_set(__u64 hash, int second)
{
	return (second ? hash >> 24 : hash) & service_mask;
}

static __always_inline __u32 service_search_in(__u32 set_index, const struct end *e, __u64 hash)
{
	__u32 i, index;
	struct account_set *set = bpf_map_lookup_elem(&service_sets, &set_index);
	__u16 tag = hash_tag(hash);
	struct service *s;

	if (!set)
		return NO_INDEX;
	i = ways_first(&set->ways, tag);
	if (i >= ACCOUNT_WAYS)
		return NO_INDEX;
	index = set_index * ACCOUNT_WAYS + i;
	s = bpf_map_lookup_elem(&services, &index);
	if (s && service_is(s, e))
		return index;
	for (i = 0; i < ACCOUNT_WAYS; i++) {
		if (*(volatile __u16 *)&set->ways.tag[i] != tag)
			continue;
		index = set_index * ACCOUNT_WAYS + i;
		s = bpf_map_lookup_elem(&services, &index);
		if (s && service_is(s, e))
			return index;
	}
	return NO_INDEX;
}

static __always_inline __u32 service_search(const struct end *e, __u64 hash)
{
	__u32 index = service_search_in(service_set(hash, 0), e, hash);

	return index != NO_INDEX ? index : service_search_in(service_set(hash, 1), e, hash);
}

/* Index of the service, or NO_INDEX. */
__weak __noinline __u32 service_find(struct end *e, __u64 hash)
{
	return e ? service_search(e, hash) : NO_INDEX;
}

/* The lock of a set, if nobody else has it: then whoever wanted a place gets it next time. */
static __always_inline int set_try(struct account_set *set)
{
	return __sync_val_compare_and_swap(&set->lock, 0, 1) == 0;
}

static __always_inline void service_port_set(__u16 port)
{
	struct service_ports *p;
	__u32 zero = 0;

	p = bpf_map_lookup_elem(&service_ports, &zero);
	if (p)
		__sync_fetch_and_or(&p->bits[port >> 6 & 1023], 1ULL << (port & 63));
}

/* How many places are taken: tags are odd, see hash_tag(). */
static __always_inline __u32 set_taken(const struct account_set *set)
{
	const volatile __u64 *t = (const volatile __u64 *)set->ways.tag;

	return ((t[0] & LANES16(1ULL)) + (t[1] & LANES16(1ULL))) * LANES16(1ULL) >> 48;
}

/* The set where a new service goes; NULL: there is none. */
static __always_inline struct account_set *service_home(__u64 hash, __u32 *set_index)
{
	__u32 first = service_set(hash, 0), second = service_set(hash, 1);
	struct account_set *a = bpf_map_lookup_elem(&service_sets, &first);
	struct account_set *b = bpf_map_lookup_elem(&service_sets, &second);
	__u32 taken = a ? set_taken(a) : 0;

	*set_index = first;
	if (!b || taken < ACCOUNT_WAYS / 2 || taken <= set_taken(b))
		return a;
	*set_index = second;
	return b;
}

static __always_inline int set_has_room(const struct account_set *set)
{
	const volatile __u64 *t = (const volatile __u64 *)set->ways.tag;

	return (zero_lanes16(t[0]) | zero_lanes16(t[1])) != 0;
}

/* The end of key at side answered a SYN: it is a service, and has a record from now on. */
__weak __noinline int service_make(struct flow_key *key, __u32 side, __u64 now)
{
	__u32 set_index, i, index;
	struct account_set *set;
	struct service *s;
	struct end e;
	__u64 hash;

	if (!key)
		return 0;
	e = key_end(key, side & 1);
	hash = service_hash(&e);
	if (service_find(&e, hash) != NO_INDEX)
		return 0;
	set = service_home(hash, &set_index);
	/* waits: what this SYN-ACK counts for would be missing for good, while its flow is counted as half-open */
	if (!set || !word_lock_inline(&set->lock))
		return 0;
	if (service_find(&e, hash) != NO_INDEX) { /* another CPU was faster */
		word_unlock(&set->lock);
		return 0;
	}
	i = ways_place(&set->ways) & (ACCOUNT_WAYS - 1);
	index = set_index * ACCOUNT_WAYS + i;
	s = bpf_map_lookup_elem(&services, &index);
	if (s && !set->ways.tag[i]) {
		__builtin_memset(s, 0, sizeof(*s));
		((__u64 *)s)[0] = e.addr[0];
		((__u64 *)s)[1] = e.addr[1];
		s->port = e.port;
		s->vlan = e.vlan;
		s->first_ns = s->active_ns = now;
		s->live = 1;
		service_port_set(e.port);
		*(volatile __u16 *)&set->ways.tag[i] = hash_tag(hash);
	} else {
		bump(CNT_SERVICES_FULL);
	}
	word_unlock(&set->lock);
	return 0;
}

/* Counts for the service at side of key, if it is one: mask of 1 << enum service_counter. */
__weak __noinline int service_note(struct flow_key *key, __u32 side, __u32 mask)
{
	struct service_counts *c;
	struct end e;
	__u32 index, i;

	if (!key)
		return 0;
	e = key_end(key, side & 1);
	index = service_search(&e, service_hash(&e)); /* inline: frames of calls are few */
	if (index == NO_INDEX)
		return 0;
	c = bpf_map_lookup_elem(&service_counts, &index);
	if (!c)
		return 0;
	for (i = 0; i < SERVICE_COUNTERS; i++)
		if (mask >> i & 1)
			count_one(&c->count[i]);
	return 0;
}

/* ---- sources ---- */
enum { PREFIX_SOURCE, PREFIX_AGGREGATE };

/* /32 and /64, or /24 and /48: cuts the address, returns the length. */
static __always_inline __u8 prefix_cut(__u64 addr[2], int aggregate)
{
	int v4 = !addr[0] && (__u32)addr[1] == 0xffff0000;

	if (v4) {
		if (aggregate)
			addr[1] &= 0x00ffffffffffffffULL; /* the last byte in network order */
		return aggregate ? 24 : 32;
	}
	addr[1] = 0;
	if (aggregate)
		addr[0] &= 0x0000ffffffffffffULL;
	return aggregate ? 48 : 64;
}

static __always_inline __u64 source_hash(const __u64 addr[2], __u8 len)
{
	return mix_address(boot_secret[0] ^ len, addr);
}

static __always_inline int source_is(const struct source *s, const __u64 addr[2], __u8 len)
{
	const __u64 *w = (const __u64 *)s;

	return w[0] == addr[0] && w[1] == addr[1] && s->prefix_len == len && s->live;
}

static __always_inline __u32 source_search(const struct end *e, __u32 len, __u64 hash)
{
	__u32 set_index = hash & source_mask, i, index;
	struct account_set *set = bpf_map_lookup_elem(&source_sets, &set_index);
	__u16 tag = hash_tag(hash);
	struct source *s;

	if (!set)
		return NO_INDEX;
	i = ways_first(&set->ways, tag);
	if (i >= ACCOUNT_WAYS)
		return NO_INDEX;
	index = set_index * ACCOUNT_WAYS + i;
	s = bpf_map_lookup_elem(&sources, &index);
	if (s && source_is(s, e->addr, len))
		return index;
	for (i = 0; i < ACCOUNT_WAYS; i++) {
		if (*(volatile __u16 *)&set->ways.tag[i] != tag)
			continue;
		index = set_index * ACCOUNT_WAYS + i;
		s = bpf_map_lookup_elem(&sources, &index);
		if (s && source_is(s, e->addr, len))
			return index;
	}
	return NO_INDEX;
}

/* Index of the source with this prefix, or NO_INDEX. e->addr is cut to it. */
__weak __noinline __u32 source_find(struct end *e, __u32 len, __u64 hash)
{
	return e ? source_search(e, len, hash) : NO_INDEX;
}

/* What this CPU's sketch has of the hash after adding weight; 0: too little to take a place from another source. */
static __always_inline __u32 sketch_add(__u64 hash, __u32 weight, __u64 now)
{
	__u32 zero = 0, best = 0xfff, n, i;
	struct sketch *sk = bpf_map_lookup_elem(&sketch, &zero);
	__u64 window = now >> SKETCH_WINDOW_SHIFT;
	__u16 *cell, mine = (window & 15) << 12;

	if (!sk)
		return 0;
	if (sk->window != window) {
		sk->window = window;
		sk->total = 0;
	}
	sk->total += weight;
	for (i = 0; i < 2; i++) {
		cell = &sk->cell[i][hash >> (12 * i) & (SKETCH_CELLS - 1)];
		n = (*cell & 0xf000) == mine ? *cell & 0xfff : 0;
		n += weight;
		if (n > 0xfff)
			n = 0xfff;
		*cell = mine | n;
		if (n < best)
			best = n;
	}
	/* four times what a cell holds on average: so a flood of others does not admit anybody */
	return best >= SOURCE_LIMIT + (sk->total >> 10) ? best : 0;
}

/* A place for the source: a free one, or the quietest of its set if that is quieter than best. The set is locked. */
static __always_inline __u32 source_place(struct account_set *set, __u32 best)
{
	__u32 i = ways_place(&set->ways) & (ACCOUNT_WAYS - 1), least = 255;

	if (!set->ways.tag[i])
		return i;
	for (__u32 j = 0; j < ACCOUNT_WAYS; j++)
		if (set->score[j] < least) {
			least = set->score[j];
			i = j;
		}
	return least < 255 && best > least ? i : ACCOUNT_WAYS;
}

/*
 * Makes a record of the source, if it is worth one; weight: how much it is worth more. Index, or NO_INDEX. It has none.
 */
__weak __noinline __u32 source_make(struct end *e, __u32 len, __u32 weight, __u64 now)
{
	__u32 set_index, index, i, best;
	struct account_set *set;
	struct source *s;
	__u64 hash;

	if (!e)
		return NO_INDEX;
	hash = source_hash(e->addr, len);
	set_index = hash & source_mask;
	set = bpf_map_lookup_elem(&source_sets, &set_index);
	if (!set)
		return NO_INDEX;
	best = sketch_add(hash >> 16, weight, now);
	if ((!best && !set_has_room(set)) || !set_try(set))
		return NO_INDEX;
	index = source_search(e, len, hash); /* another CPU may have been faster */
	i = source_place(set, best);
	if (index != NO_INDEX || i >= ACCOUNT_WAYS) {
		word_unlock(&set->lock);
		return index;
	}
	i &= ACCOUNT_WAYS - 1;
	index = set_index * ACCOUNT_WAYS + i;
	s = bpf_map_lookup_elem(&sources, &index);
	if (s) {
		if (set->ways.tag[i])
			bump(CNT_SOURCES_REPLACED);
		*(volatile __u16 *)&set->ways.tag[i] = 0;
		__builtin_memset(s, 0, sizeof(*s));
		((__u64 *)s)[0] = e->addr[0];
		((__u64 *)s)[1] = e->addr[1];
		s->prefix_len = len;
		s->first_ns = s->active_ns = now;
		s->live = 1;
		set->score[i] = best > 200 ? 200 : best;
		*(volatile __u16 *)&set->ways.tag[i] = hash_tag(hash);
	}
	word_unlock(&set->lock);
	return s ? index : NO_INDEX;
}

static __always_inline void distinct_add(struct distinct *d, __u64 hash)
{
	__u64 *word = &d->bits[hash >> 6 & (DISTINCT_BITS / 64 - 1)], bit = 1ULL << (hash & 63);

	if (!(*(volatile __u64 *)word & bit))
		__sync_fetch_and_or(word, bit);
}

/* Counts mask for the source of this index, by times. */
__weak __noinline int source_count(__u32 index, struct flow_key *key, __u32 side, __u32 mask, __u32 by)
{
	struct source *s = bpf_map_lookup_elem(&sources, &index);
	struct end other;
	__u64 h;
	__u32 i;

	if (!s || !key)
		return 0;
	if (mask == 1U << SOURCE_NEW) {
		__sync_fetch_and_add(&s->count[SOURCE_NEW], by);
		return 0;
	}
	for (i = 0; i < SOURCE_COUNTERS; i++)
		if (mask >> i & 1)
			__sync_fetch_and_add(&s->count[i], by);
	if (!(mask & ~(1U << SOURCE_NEW | 1U << SOURCE_COMPLETED)))
		return 0;
	i = __sync_fetch_and_add(&s->samples, 1) & (ACCOUNT_SAMPLES - 1);
	__builtin_memcpy(&s->sample[i], key, sizeof(*key));
	s->sample_orig[i] = side & 1;
	if (!(mask & (1U << SOURCE_FAILED | 1U << SOURCE_UNASKED)))
		return 0;
	other = key_end(key, (side & 1) ^ 1);
	h = service_hash(&other);
	if (mask & 1U << SOURCE_UNASKED) {
		distinct_add(&s->peers, h);
		return 0;
	}
	distinct_add(&s->targets, h);
	distinct_add(&s->hosts, mix_address(1, other.addr));
	distinct_add(&s->ports, mix(1, other.port) >> 20);
	return 0;
}

static __always_inline __u32 source_index(struct end *e, __u32 len, __u32 weight, __u64 now)
{
	__u32 index = source_find(e, len, source_hash(e->addr, len));

	return index != NO_INDEX ? index : source_make(e, len, weight, now);
}

#define SAMPLED 8 /* first SYNs: one in so many counts for its aggregate, so many times */

/*
 * How much that counts, when a source without a record is to get one: a SYN or a stray segment little, since they come in
 * floods; what a scan or an abuse leaves is worth 8 of them, and impossible control bits a record of their own.
 */
static __always_inline __u32 note_weight(__u32 mask)
{
	if (mask & 1U << SOURCE_BAD_FLAGS)
		return SOURCE_LIMIT;
	return mask & ~(1U << SOURCE_NEW | 1U << SOURCE_OUT_OF_STATE) ? 8 : 1;
}

/*
 * Counts for the source at side of key and for its aggregate: mask of 1 << enum source_counter. sampled: a first SYN, for the
 * aggregate alone, that stands for SAMPLED.
 */
__weak __noinline int source_note(struct flow_key *key, __u32 side, __u32 mask, __u64 now, __u32 sampled)
{
	__u32 weight = note_weight(mask), index;
	struct end e;
	__u8 len;

	if (!key)
		return 0;
	e = key_end(key, side & 1);
	len = prefix_cut(e.addr, PREFIX_SOURCE);
	if (!sampled) {
		index = source_index(&e, len, weight, now);
		if (index != NO_INDEX)
			source_count(index, key, side, mask, 1);
	}
	len = prefix_cut(e.addr, PREFIX_AGGREGATE);
	index = source_index(&e, len, sampled ? SAMPLED : weight, now);
	if (index != NO_INDEX)
		source_count(index, key, side, mask, sampled ? SAMPLED : 1);
	return 0;
}

/* A flow begins with the SYN in scratch: service_note() and source_note() of NEW in one, and inline, since floods are made of it. */
static __always_inline int account_syn(struct scratch *sc)
{
	struct service *service;
	struct service_counts *c;
	__u32 side, index, sampled, len, turn;
	struct source *s;
	struct end e;
	__u64 hash;

	/* of each SAMPLED one, by chance: every eighth would be of one prefix where sources take turns */
	turn = sc->syn_turn++;
	sampled = (boot_secret[1] ^ turn / SAMPLED) * 0x9e3779b97f4a7c15ULL >> 61 == turn % SAMPLED;
	side = sc->seg.dir & 1;
	e = key_end(&sc->seg.key, side ^ 1);
	index = sc->last_service; /* mostly the same again */
	service = bpf_map_lookup_elem(&services, &index);
	if (!service || !service_is(service, &e))
		index = service_search(&e, service_hash(&e));
	if (index != NO_INDEX) {
		sc->last_service = index;
		c = bpf_map_lookup_elem(&service_counts, &index);
		if (c)
			c->count[SERVICE_NEW]++;
	}
	e = key_end(&sc->seg.key, side);
	len = prefix_cut(e.addr, PREFIX_SOURCE);
	hash = source_hash(e.addr, len);
	index = source_search(&e, len, hash);
	if (index == NO_INDEX)
		index = source_make(&e, len, 1, sc->seg.now_ns);
	s = bpf_map_lookup_elem(&sources, &index);
	if (s)
		__sync_fetch_and_add(&s->count[SOURCE_NEW], 1);
	if (sampled)
		source_note(&sc->seg.key, side, 1U << SOURCE_NEW, sc->seg.now_ns, 1);
	return 0;
}

#endif
