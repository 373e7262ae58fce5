/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Limits: how much of a service or of a source is too much. All of it is decided here, on the packet path, and needs no
 * process: what is counted forgets by its own time.
 *
 * Rates are kept as one number, the time at which all of the past would have been allowed (the virtual scheduling of GCRA):
 * one compare-and-swap, no drift. Half-open connections are counted over two windows of 34 s, the present one and the one
 * before: a SYN adds one, the end of its handshake takes one away, and whatever nobody ended is forgotten in time (Linux
 * itself gives up after 63 s). Those of a service are counted per CPU and summed now and then; those of a source, and its
 * rate, in a set of four of which the idlest gives way, so that memory is constant.
 */
#ifndef BPF_LIMITS_H
#define BPF_LIMITS_H

#include "accounts.h"
#include "policy.h"

#define LIMIT_WINDOW_SHIFT 35 /* 2^35 ns: 34 s */
#define CLOCK_NS 4000000ULL   /* the packet path's clock goes by so much: a rate may run ahead by that */

/* ---- rates ---- */
/* Takes one of the bucket *tat. 0: there is none left. rate->interval_ns 0: there is always one. */
static __always_inline int rate_take(__u64 *tat, const struct policy_rate *rate, __u64 now)
{
	__u64 was = *(volatile __u64 *)tat, at = was > now ? was : now;
	__u64 depth = rate->interval_ns * (rate->burst - !!rate->burst) + CLOCK_NS;

	if (!rate->interval_ns)
		return 1;
	/* no bucket of this rate goes so far: it is of a slower one, of the policy before, and nobody owes that any more */
	if (at - now > depth + rate->interval_ns)
		at = now;
	if (at - now > depth)
		return 0;
	/* another CPU may be faster: then this one is not counted, which errs on the side of letting it pass */
	__sync_val_compare_and_swap(tat, was, at + rate->interval_ns);
	return 1;
}

/* ---- half-open connections of a service ---- */
/* One element of per-CPU map "guards", by index of the service's account. */
struct guard {
	__s32 open[2]; /* begun and not settled, of this window and the one before */
	__u32 window;
	__u32 unsummed; /* begun since this CPU last made the sum */
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, struct guard);
} guards WARD_MAP;

static __always_inline __u32 window_now(__u64 now)
{
	return now >> LIMIT_WINDOW_SHIFT;
}

static __always_inline void guard_roll(struct guard *g, __u64 now)
{
	__u32 window = window_now(now);

	if (g->window == window)
		return;
	g->open[1] = g->window + 1 == window ? g->open[0] : 0;
	g->open[0] = 0;
	g->window = window;
}

/* One of those that began at that time is half-open no more. What is forgotten already is not taken away once more. */
static __always_inline void guard_settle(struct guard *g, __u64 began, __u64 now)
{
	guard_roll(g, now);
	if (window_now(began) == g->window)
		g->open[0]--;
	else if (window_now(began) + 1 == g->window)
		g->open[1]--;
}

struct guard_sum {
	__u32 index, window;
	__s64 open;
};

static long guard_cpu(__u32 cpu, struct guard_sum *sum)
{
	struct guard *g = bpf_map_lookup_percpu_elem(&guards, &sum->index, cpu);

	if (!g)
		return 1;
	if (g->window == sum->window)
		sum->open += g->open[0] + g->open[1];
	else if (g->window + 1 == sum->window)
		sum->open += g->open[0];
	return 0;
}

/* Half-open connections of the service, all CPUs. Inline: frames of calls are few. */
static __always_inline __u32 guard_total(__u32 index, __u64 now)
{
	struct guard_sum sum = {.index = index, .window = window_now(now)};

	bpf_loop(cpus, guard_cpu, &sum, 0);
	return sum.open < 0 ? 0 : sum.open;
}

/* ---- sources ---- */
#define METER_WAYS 4

struct meter {
	__u64 id;    /* hash of limit and source; 0: free */
	__u64 state; /* a rate's time, or: window, and half-open ones of this window and the one before (16 bits each) */
};

/* One element of maps "source_rates" and "source_open": one cache line. */
struct meter_set {
	struct meter way[METER_WAYS];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 16384);
	__type(key, __u32);
	__type(value, struct meter_set);
} source_rates WARD_MAP, source_open WARD_MAP;

#define METER_MASK 16383

static __always_inline __u64 meter_id(const __u64 addr[2], __u32 limit)
{
	return mix_address(boot_secret[1] ^ (__u64)limit << 32, addr) | 1;
}

#define OPEN_WINDOW(state) ((state) >> 32)
#define OPEN_NOW(state) ((state) & 0xffff)
#define OPEN_BEFORE(state) ((state) >> 16 & 0xffff)
#define OPEN_TOTAL(state) (OPEN_NOW(state) + OPEN_BEFORE(state))

/* The state as it is in this window. */
static __always_inline __u64 open_state(__u64 state, __u64 now)
{
	__u64 window = window_now(now);

	if (OPEN_WINDOW(state) == window)
		return state;
	return window << 32 | (OPEN_WINDOW(state) + 1 == window ? OPEN_NOW(state) << 16 : 0);
}

enum meter_kind { METER_FIND, METER_RATE, METER_OPEN };

/*
 * How much would be forgotten with it. Half-open ones are compared as they are now: by its state as it stands a source that
 * was busy in the window before would be worth less than one SYN of this one.
 */
static __always_inline __u64 meter_worth(const struct meter *m, enum meter_kind kind, __u64 now)
{
	return kind == METER_OPEN ? OPEN_TOTAL(open_state(m->state, now)) : m->state;
}

/*
 * The meter of this id. METER_RATE, METER_OPEN: makes one where there is none, in place of the one that is worth least. NULL:
 * there is none, or it lost a race: let it pass.
 */
static __always_inline struct meter *meter_find(struct meter_set *set, __u64 id, enum meter_kind kind, __u64 now)
{
	struct meter *least = &set->way[0];
	__u64 was, worth, other;

	if (set->way[0].id == id)
		return &set->way[0];
	if (set->way[1].id == id)
		return &set->way[1];
	if (set->way[2].id == id)
		return &set->way[2];
	if (set->way[3].id == id)
		return &set->way[3];
	if (kind == METER_FIND)
		return (struct meter *)0;
	worth = meter_worth(least, kind, now);
	other = meter_worth(&set->way[1], kind, now);
	if (other < worth)
		least = &set->way[1], worth = other;
	other = meter_worth(&set->way[2], kind, now);
	if (other < worth)
		least = &set->way[2], worth = other;
	other = meter_worth(&set->way[3], kind, now);
	if (other < worth)
		least = &set->way[3];
	was = least->id;
	if (__sync_val_compare_and_swap(&least->id, was, id) != was)
		return (struct meter *)0;
	*(volatile __u64 *)&least->state = 0;
	return least;
}

/* The source as a limit sees it: the sender's address cut to the limit's prefix. */
static __always_inline void source_cut(const struct policy_limit *l, __u64 addr[2])
{
	address_cut(addr, address_is_v4(addr) ? 96 + l->prefix_v4 : l->prefix_v6);
}

/* 0: another CPU was faster. */
static __always_inline int source_begins_once(struct meter *m, __u64 now)
{
	__u64 was = *(volatile __u64 *)&m->state, state = open_state(was, now);

	return OPEN_NOW(state) == 0xffff || __sync_val_compare_and_swap(&m->state, was, state + 1) == was;
}

static __always_inline int source_settles_once(struct meter *m, __u64 began, __u64 now)
{
	__u64 was = *(volatile __u64 *)&m->state, state = open_state(was, now), window = window_now(now);

	if (window_now(began) == window && OPEN_NOW(state))
		state -= 1;
	else if (window_now(began) + 1 == window && OPEN_BEFORE(state))
		state -= 1 << 16;
	return __sync_val_compare_and_swap(&m->state, was, state) == was;
}

/*
 * The source has one half-open connection more at this limit. Tried again where another CPU was faster: of a busy source
 * what is lost would add up until it is dropped for nothing. Loops of so few turns Linux 6.1 may refuse.
 */
__weak __noinline int source_begins(__u64 id, __u64 now)
{
	__u32 index = id >> 20 & METER_MASK;
	struct meter_set *set = bpf_map_lookup_elem(&source_open, &index);
	struct meter *m = set ? meter_find(set, id, METER_OPEN, now) : (struct meter *)0;

	return m && (source_begins_once(m, now) || source_begins_once(m, now) || source_begins_once(m, now));
}

/* One less, of those that began at that time; what is forgotten already is not taken away once more. */
__weak __noinline int source_settles(__u64 id, __u64 began, __u64 now)
{
	__u32 index = id >> 20 & METER_MASK;
	struct meter_set *set = bpf_map_lookup_elem(&source_open, &index);
	struct meter *m = set ? meter_find(set, id, METER_FIND, now) : (struct meter *)0;

	/* more often than one is added: what errs lets pass */
	return m && (source_settles_once(m, began, now) || source_settles_once(m, began, now) ||
		     source_settles_once(m, began, now) || source_settles_once(m, began, now));
}

/* Half-open connections of a source at this limit. */
static __always_inline __u32 source_open_now(__u64 id, __u64 now)
{
	__u32 index = id >> 20 & METER_MASK;
	struct meter_set *set = bpf_map_lookup_elem(&source_open, &index);
	struct meter *m;
	__u64 state;

	if (!set)
		return 0;
	m = meter_find(set, id, METER_FIND, now);
	if (!m)
		return 0;
	state = open_state(m->state, now);
	return OPEN_TOTAL(state);
}

/* One new connection by the source. 0: it is too many. */
static __always_inline int source_rate_take(__u64 id, const struct policy_rate *rate, __u64 now)
{
	__u32 index = id >> 20 & METER_MASK;
	struct meter_set *set = bpf_map_lookup_elem(&source_rates, &index);
	struct meter *m = set ? meter_find(set, id, METER_RATE, now) : (struct meter *)0;

	return !m || rate_take(&m->state, rate, now);
}

/* ---- first SYNs ---- */
#define FIRST_WAYS 16
#define FIRST_SETS 32768
#define FIRST_TICK_SHIFT 26 /* 2^26 ns: 67 ms */
#define FIRST_LEAST 3	    /* ticks: nobody repeats a SYN sooner than 0.2 s */
#define FIRST_MOST 300	    /* 20 s: the repetitions of Linux, BSD and Windows are 1 to 16 s apart */

/* One element of map "first_syns": SYNs that were dropped; the upper 20 bits of a hash, and when, in ticks of 12 bits. */
struct first_set {
	__u32 seen[FIRST_WAYS];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, FIRST_SETS);
	__type(key, __u32);
	__type(value, struct first_set);
} first_syns WARD_MAP;

struct first_look {
	struct first_set *set;
	__u32 tag, now;
	__u32 oldest, place; /* of those that are not it */
	__u32 age;	     /* of the one that is it; 0: none is */
	__u32 pad;
};

static long first_way(__u32 i, struct first_look *l)
{
	__u32 seen = l->set->seen[i & (FIRST_WAYS - 1)], age = seen ? (l->now - seen) & 0xfff : 0x1000;

	if (seen && !((seen ^ l->tag) & 0xfffff000) && age <= FIRST_MOST) {
		l->age = age + 1;
		return 1;
	}
	if (age > l->oldest) {
		l->oldest = age;
		l->place = i;
	}
	return 0;
}

/* The SYN in scratch: has it been dropped before, as long ago as a sender waits? 0: no, but now it is remembered. */
__weak __noinline int first_syn_again(void)
{
	struct scratch *sc = scratch_get(SCRATCH_PACKET);
	struct first_look l = {};
	__u32 index;
	__u64 h;

	if (!sc)
		return 1;
	h = mix(sc->hash, sc->seg.seq);
	index = h >> 20 & (FIRST_SETS - 1);
	l.tag = h >> 44 << 12;
	l.now = sc->seg.now_ns >> FIRST_TICK_SHIFT & 0xfff;
	l.set = bpf_map_lookup_elem(&first_syns, &index);
	if (!l.set)
		return 1;
	bpf_loop(FIRST_WAYS, first_way, &l, 0);
	if (l.age)
		return l.age > FIRST_LEAST;
	l.set->seen[l.place & (FIRST_WAYS - 1)] = l.tag | l.now;
	return 0;
}

#endif
