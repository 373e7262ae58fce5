/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Verdict: what becomes of a segment that a list, a limit or a rule is against: counted, told, and dropped if the mode says
 * so; and the lists themselves.
 */
#ifndef BPF_VERDICT_H
#define BPF_VERDICT_H

#include "classify.h"
#include "emit.h"
#include "limits.h"

/* ---- lists ---- */
static __always_inline int entry_counts(const struct list_entry *e, __u64 now)
{
	return e && (!e->until_ns || e->until_ns > now);
}

struct prefix_walk {
	struct address_prefix key;
	__u32 found; /* 1 + the length of the prefix that counts; 0: none does */
	__u8 allow, v4, hit;
	__u8 pad;
	__u64 now;
};

static long prefix_step(__u32 i, struct prefix_walk *w)
{
	struct list_entry *e = w->allow ? bpf_map_lookup_elem(&allow_prefixes, &w->key) :
					  bpf_map_lookup_elem(&block_prefixes, &w->key);

	(void)i;
	if (!e)
		return 1;
	if (w->v4 && e->len < 96)
		return 1;
	if (entry_counts(e, w->now)) {
		w->found = 1 + e->len;
		if (w->hit)
			__sync_fetch_and_add(&e->hits, 1);
		return 1;
	}
	if (!e->len)
		return 1;
	w->key.len = e->len - 1;
	return 0;
}

/*
 * 1 + the length of the longest prefix that counts of those that hold the sender's address; 0: none does. One whose time is
 * over may stand before a wider one, and ::/0 holds no IPv4 address: see struct list_entry. hit: the segment is one of that
 * prefix's; by the same search, which costs more than all else here. A function of its own: less stack.
 */
__weak __noinline __u32 prefix_listed(__u32 allow, __u32 hit)
{
	struct scratch *sc = scratch_get(SCRATCH_PACKET);
	struct prefix_walk w = {.key.len = 128};

	if (!sc)
		return 0;
	w.allow = !!allow;
	w.hit = !!hit;
	w.v4 = address_is_v4(segment_saddr(&sc->seg));
	w.now = sc->seg.now_ns;
	__builtin_memcpy(w.key.addr, segment_saddr(&sc->seg), 16);
	if (!prefix_step(0, &w)) /* rare: its time is over */
		bpf_loop(128, prefix_step, &w, 0);
	return w.found;
}

/* 1: the sender is on an allow list. */
__weak __noinline int list_allows(void)
{
	struct policy_live *live = policy_live_get();
	struct scratch *sc = scratch_get(SCRATCH_PACKET);
	struct address_prefix key = {.len = 128};

	if (!sc || !live)
		return 1;
	if (sc->policy.slot && sc->policy.allowed)
		return 1;
	if (!(live->lists & (LIST_ALLOW_ADDRS | LIST_ALLOW_PREFIXES)))
		return 0;
	__builtin_memcpy(key.addr, segment_saddr(&sc->seg), 16);
	return entry_counts(bpf_map_lookup_elem(&allow_addrs, &key), sc->seg.now_ns) ||
	       ((live->lists & LIST_ALLOW_PREFIXES) && prefix_listed(1, 0));
}

/* ---- verdicts ---- */
/* One element of map "policy_state": what belongs to one subject. */
struct policy_state {
	__u64 above_tat;
	__u64 sample_tat;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, POLICY_SUBJECTS);
	__type(key, __u32);
	__type(value, struct policy_state);
} policy_state WARD_MAP;

static __always_inline struct policy_state *state_get(__u32 subject)
{
	return bpf_map_lookup_elem(&policy_state, &subject);
}

/* The weaker of what the item and the whole policy ask for, and of what the time allows. */
static __always_inline __u32 mode_now(const struct policy_config *cfg, __u32 mode, __u64 now)
{
	struct ward_control *ctl;

	if (cfg->mode < mode)
		mode = cfg->mode;
	if (mode < MODE_ENFORCE)
		return mode;
	if (now < cfg->learn_until_ns)
		return MODE_DRY_RUN;
	if (!cfg->open_without_sweeper)
		return mode;
	ctl = control_get();
	return !ctl || ctl->keeper_ns + POLICY_FAIL_OPEN_NS < now ? MODE_DRY_RUN : mode;
}

/* Whoever applies a policy does not see in which VLAN his session comes, so that part of the key is left out. */
static __always_inline int same_ends(const struct flow_key *a, const struct flow_key *b)
{
	const __u64 *x = (const __u64 *)a, *y = (const __u64 *)b;

	return !((x[0] ^ y[0]) | (x[1] ^ y[1]) | (x[2] ^ y[2]) | (x[3] ^ y[3]) | (__u32)(x[4] ^ y[4]));
}

/* The flow of the session that the policy was applied from. */
__weak __noinline int is_exempt(void)
{
	struct scratch *sc = scratch_get(SCRATCH_PACKET);
	struct policy_config *cfg;
	__u32 i;

	if (!sc)
		return 1;
	cfg = config_get(sc->policy.slot);
	if (!sc->policy.slot || !cfg)
		return 0;
	for (i = 0; i < POLICY_EXEMPT; i++)
		if (i < cfg->exempt_count && same_ends(&cfg->exempt[i], &sc->seg.key))
			return 1;
	return 0;
}

static __always_inline void count_verdict(__u32 subject, __u32 drop, int enforced)
{
	struct policy_count *count = bpf_map_lookup_elem(&policy_counts, &subject);
	__u32 zero = 0;
	struct policy_drops *d = bpf_map_lookup_elem(&policy_drops, &zero);

	if (count) {
		count->hits++;
		count->dropped += !!enforced;
		count->would += !enforced;
	}
	if (!d || drop >= DROP_COUNT)
		return;
	asm volatile("" : "+r"(drop));
	if (drop >= DROP_COUNT)
		return;
	if (enforced)
		d->dropped[drop]++;
	else
		d->would[drop]++;
}

/* The rate of the sample, where its rule gives none. */
#define POLICY_SAMPLE {.interval_ns = NS_PER_S / 10, .burst = 10}

/* A sample of what was dropped, for those who watch. */
static __always_inline void report_drop(struct scratch *sc, __u32 subject, __u32 drop, int enforced,
					const struct policy_rate *sample)
{
	struct policy_state *state = state_get(subject);
	struct event *ev = &sc->ev.event;

	if (!replay && (!state || !rate_take(&state->sample_tat, sample, sc->seg.now_ns)))
		return;
	if (!event_wanted(sc, EVENT_DROP))
		return;
	__builtin_memset(ev, 0, sizeof(*ev));
	__builtin_memcpy(&ev->key, &sc->seg.key, sizeof(ev->key));
	ev->ts_ns = ev->start_ns = sc->seg.now_ns;
	ev->pkt = packet_number();
	ev->type = EVENT_DROP;
	ev->orig = sc->seg.dir & 1; /* its sender: the flow's originator may not be known */
	ev->iface = sc->seg.iface;
	ev->vlan = sc->seg.vlan;
	ev->flags = sc->policy.value;
	ev->first = !enforced;
	ev->drop = drop;
	ev->subject = subject;
	emit(SCRATCH_PACKET, EMIT_PLAIN);
}

/*
 * Something is too much, or forbidden: counts it, tells of it, and returns 1 if it is to be enforced. own: the mode of the
 * item itself. In monitor mode nothing is counted. Where an item in force is not enforced, since the whole policy is in dry
 * run, learns, or exempts the session, the segment is decided: it is counted once, by whom would have dropped it.
 */
__weak __noinline int verdict_give(__u32 subject, __u32 drop, __u32 own)
{
	struct scratch *sc = scratch_get(SCRATCH_PACKET);
	struct policy_rate sample = POLICY_SAMPLE;
	struct policy_config *cfg;
	int enforced, mode = own;

	if (!sc || sc->policy.decided)
		return 0;
	cfg = config_get(sc->policy.slot);
	if (cfg && sc->policy.slot)
		mode = mode_now(cfg, own, sc->seg.now_ns);
	if (mode < MODE_DRY_RUN)
		return 0;
	enforced = mode == MODE_ENFORCE && !is_exempt();
	sc->policy.decided = own == MODE_ENFORCE && !enforced;
	count_verdict(subject, drop, enforced);
	if (cfg && sc->policy.slot && subject < POLICY_RULES) {
		struct policy_rate *rate = &cfg->rule[masked(subject, POLICY_RULES - 1)].sample;

		if (rate->interval_ns)
			sample = *rate;
	}
	report_drop(sc, subject, drop, enforced, &sample);
	return enforced;
}

/* By a list, which has the policy's mode, or its own without a policy. */
__weak __noinline int block_list_verdict(void)
{
	struct policy_live *live = policy_live_get();
	struct scratch *sc = scratch_get(SCRATCH_PACKET);

	if (!sc || !live)
		return 0;
	sc->policy.value = 0;
	if (!verdict_give(SUBJECT_BLOCK_LIST, DROP_BLOCK_LIST, sc->policy.slot ? MODE_ENFORCE : live->lists_mode))
		return 0;
	sc->policy.verdict = VERDICT_DROP;
	return 1;
}

/* The entry of the sender's address cut to len bits, if it counts. */
static __always_inline struct list_entry *block_entry(const struct scratch *sc, __u32 len)
{
	struct address_prefix key;
	struct list_entry *e;
	__u64 addr[2];

	addr[0] = segment_saddr(&sc->seg)[0];
	addr[1] = segment_saddr(&sc->seg)[1];
	address_cut(addr, len);
	key.len = len;
	__builtin_memcpy(key.addr, addr, 16);
	e = bpf_map_lookup_elem(&block_addrs, &key);
	return entry_counts(e, sc->seg.now_ns) ? e : (struct list_entry *)0;
}

static __always_inline void block_bit_set(__u32 index, __u32 bit)
{
	__u64 *word = bpf_map_lookup_elem(&block_filter, &index);

	if (word)
		__sync_fetch_and_or(word, 1ULL << (bit & 63));
}

/* The address in policy.prefix, which has just been put into block_addrs, goes into its set: include/block_set.h. */
__weak __noinline int block_source_set(__u32 bit)
{
	struct scratch *sc = scratch_get(SCRATCH_PACKET);
	__u32 index = block_set_index(bit & (BLOCK_FILTER_WORDS * 64 - 1));
	struct block_set *set = bpf_map_lookup_elem(&block_sets, &index);
	struct list_entry *e;
	__u64 low, word;

	if (!sc || !set)
		return 0;
	low = block_low(&sc->policy.prefix);
	if (sc->policy.prefix.len != 128 || !block_set_fits(block_high(&sc->policy.prefix), low))
		return 0;
	word = block_word(low, sc->policy.entry.until_ns);
	if (!block_set_put(set, word, block_time(sc->seg.now_ns), 1))
		return 0;
	e = bpf_map_lookup_elem(&block_addrs, &sc->policy.prefix);
	if (!e || block_word(low, *(volatile __u64 *)&e->until_ns) != word)
		block_set_undo(set, word);
	return 0;
}

/* The source of a limit, which stands in policy.prefix, goes on the block list for so long. */
__weak __noinline int block_source(__u32 subject, __u64 for_ns)
{
	struct policy_live *live = policy_live_get();
	struct scratch *sc = scratch_get(SCRATCH_PACKET);
	struct list_entry *e;
	__u32 bit;

	if (!sc || !live)
		return 0;
	e = &sc->policy.entry;
	__builtin_memset(e, 0, sizeof(*e));
	e->by = LISTED_BY_LIMIT;
	e->added_ns = sc->seg.now_ns;
	e->until_ns = sc->seg.now_ns + for_ns;
	e->subject = subject - POLICY_RULES;
	/* what stands there by hand stays as it is; what is over is only waiting for the sweeper, which need not live */
	if (entry_counts(bpf_map_lookup_elem(&block_addrs, &sc->policy.prefix), sc->seg.now_ns))
		return 0;
	if (bpf_map_update_elem(&block_addrs, &sc->policy.prefix, e, BPF_ANY)) { /* its limit drops it all the same */
		bump(CNT_LIST_FULL);
		return 0;
	}
	bit = block_bit(&sc->policy.prefix);
	block_bit_set(bit >> 6, bit);
	block_bit_set((bit >> 6) + BLOCK_FILTER_WORDS, bit);
	block_source_set(bit);
	if (!(live->lists & LIST_BLOCK_ADDRS))
		__sync_fetch_and_or(&live->lists, LIST_BLOCK_ADDRS);
	return 0;
}

#endif
