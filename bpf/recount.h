/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The sweep's part of the accounts (include/account.h): each sweep counts the gauges of services, sources and pairs anew,
 * into the half that is not being read, and lists the flows on which something is found. What follows its walk over the
 * flows: recount_end.h.
 */
#ifndef BPF_RECOUNT_H
#define BPF_RECOUNT_H

#include "account_flow.h"
#include "pairs.h"
#include "flow_evidence.h"

#define SAMPLED_FROM 16 /* half-open flows of a source: fewer are no sample of what counts against it */

#define SVC_NOW(name) (1U << SERVICE_NOW_##name)
#define SRC_NOW(name) (1U << SOURCE_NOW_##name)

/* What is added up over all CPUs. */
struct adding {
	struct service *s;
	__u32 index;
	__u32 clear;
	__u32 moves;
	__u32 pad;
};

static __always_inline struct recount *recount_get(void)
{
	struct scratch *sc = scratch_get(SCRATCH_SWEEP);

	return sc ? &sc->recount : (struct recount *)0;
}

/* ---- begin ---- */
/* How many flows of the service became half-open or ceased to be, on one CPU. */
static long moves_add(__u32 cpu, struct adding *a)
{
	struct service_counts *c = bpf_map_lookup_percpu_elem(&service_counts, &a->index, cpu);

	if (c)
		a->moves += c->count[SERVICE_ANSWERED] + c->count[SERVICE_COMPLETED] + c->count[SERVICE_HALF_OPEN_LEFT];
	return 0;
}

/* A function of its own, so that the verifier sees it once. */
__weak __noinline int service_begin(__u32 index)
{
	struct service *s = bpf_map_lookup_elem(&services, &index);
	struct adding a = {.index = index};
	struct recount *r;
	__u32 j;

	if (!s)
		return 0;
	asm volatile("" : "+r"(s)); /* as in source_end() */
	r = recount_get();
	if (!r)
		return 0;
	bpf_loop(cpus, moves_add, &a, 0);
	s->moves = a.moves;
	s->open_part[r->half & 1] = 0;
	for (j = 0; j < SERVICE_GAUGES; j++)
		s->now[r->half & 1][j] = 0;
	return 0;
}

static long service_zero(__u32 set_index, void *unused)
{
	struct account_set *set = bpf_map_lookup_elem(&service_sets, &set_index);
	struct recount *r = recount_get();
	__u32 i;

	(void)unused;
	for (i = 0; r && set && i < ACCOUNT_WAYS; i++) {
		if (!*(volatile __u16 *)&set->ways.tag[i])
			continue;
		r->services++;
		service_begin(set_index * ACCOUNT_WAYS + i);
	}
	return 0;
}

static long source_zero(__u32 set_index, void *unused)
{
	struct account_set *set = bpf_map_lookup_elem(&source_sets, &set_index);
	struct recount *r = recount_get();
	struct source *s;
	__u32 i, j, index;

	(void)unused;
	for (i = 0; r && set && i < ACCOUNT_WAYS; i++) {
		if (!*(volatile __u16 *)&set->ways.tag[i])
			continue;
		index = set_index * ACCOUNT_WAYS + i;
		s = bpf_map_lookup_elem(&sources, &index);
		for (j = 0; s && j < SOURCE_GAUGES; j++)
			s->now[r->half & 1][j] = 0;
	}
	return 0;
}

static __always_inline void recount_begin(struct recount *r, struct ward_control *ctl, __u64 now)
{
	__u64 before = ctl->account_ns ?: now; /* the first: what was counted so far belongs to the present windows */
	struct flow_hits *h;
	__u32 i, zero = 0, half;

	r->now = now;
	r->half = half = (ctl->account_half & 1) ^ 1;
	r->roll10 = now / (10 * NS_PER_S) - before / (10 * NS_PER_S);
	r->roll60 = now / (60 * NS_PER_S) - before / (60 * NS_PER_S);
	r->services = 0;
	bpf_loop(service_mask + 1, service_zero, (void *)0, 0);
	bpf_loop(source_mask + 1, source_zero, (void *)0, 0);
	bpf_for_each_map_elem(&pair_cells, cells_zero, &half, 0);
	for (i = 0; i < PAIRS_KEPT; i++) {
		__u32 index = i;
		struct pair *p = bpf_map_lookup_elem(&pairs, &index);

		if (p)
			p->flows[r->half & 1] = p->time_wait[r->half & 1] = p->open_part[r->half & 1] = 0;
	}
	h = bpf_map_lookup_elem(&hits, &zero);
	if (h) {
		h->count = 0;
		__builtin_memset(h->total, 0, sizeof(h->total));
	}
}

/* ---- one flow ---- */
/* Adds one to the gauges of the service at side of key: mask of 1 << enum service_gauge. */
__weak __noinline int service_now(struct flow_key *key, __u32 side, __u32 mask, __u32 half)
{
	struct service *s;
	struct end e;
	__u32 index, i;

	if (!key)
		return 0;
	e = key_end(key, side & 1);
	index = service_find(&e, service_hash(&e));
	if (index == NO_INDEX)
		return 0;
	s = bpf_map_lookup_elem(&services, &index);
	if (!s)
		return 0;
	if (mask == SVC_NOW(OPEN))
		s->open_part[half & 1]++;
	else if (mask == SVC_NOW(UNANSWERED)) /* these two are most of what is not open */
		s->now[half & 1][SERVICE_NOW_UNANSWERED]++;
	else if (mask == SVC_NOW(TIME_WAIT))
		s->now[half & 1][SERVICE_NOW_TIME_WAIT]++;
	else
		for (i = 0; i < SERVICE_GAUGES; i++)
			s->now[half & 1][i] += mask >> i & 1;
	if (mask & (SVC_NOW(HALF_OPEN) | SVC_NOW(UNANSWERED))) {
		i = s->samples++ & (ACCOUNT_SAMPLES - 1);
		__builtin_memcpy(&s->sample[i], key, sizeof(*key));
		s->sample_orig[i] = (side & 1) ^ 1;
	}
	return 0;
}

/* Adds one to the gauges of one source or aggregate, if it has a record. */
static __always_inline void source_add(const struct flow_key *key, __u32 side, __u32 mask, __u32 half, __u32 index)
{
	struct source *s = bpf_map_lookup_elem(&sources, &index);
	__u32 i;

	if (!s)
		return;
	if (mask == SRC_NOW(TIME_WAIT)) { /* these two are most of what there is */
		s->now[half & 1][SOURCE_NOW_TIME_WAIT]++;
		return;
	}
	if (mask == SRC_NOW(UNANSWERED)) {
		s->now[half & 1][SOURCE_NOW_UNANSWERED]++;
		return;
	}
	for (i = 0; i < SOURCE_GAUGES; i++)
		s->now[half & 1][i] += mask >> i & 1;
	if (!(mask & SRC_NOW(HALF_OPEN)) || s->now[half & 1][SOURCE_NOW_HALF_OPEN] < SAMPLED_FROM)
		return;
	i = s->samples++ & (ACCOUNT_SAMPLES - 1);
	__builtin_memcpy(&s->sample[i], key, sizeof(*key));
	s->sample_orig[i] = side & 1;
}

/* Adds one to the gauges of the source at side of key, and of its aggregate: mask of 1 << enum source_gauge. */
__weak __noinline int source_now(struct flow_key *key, __u32 side, __u32 mask, __u32 half)
{
	__u32 index, len;
	struct end e;

	if (!key)
		return 0;
	e = key_end(key, side & 1);
	len = prefix_cut(e.addr, PREFIX_SOURCE);
	index = source_find(&e, len, source_hash(e.addr, len));
	if (index != NO_INDEX)
		source_add(key, side, mask, half, index);
	if (mask == SRC_NOW(TIME_WAIT)) /* of no use for prefixes */
		return 0;
	len = prefix_cut(e.addr, PREFIX_AGGREGATE);
	index = source_find(&e, len, source_hash(e.addr, len));
	if (index != NO_INDEX)
		source_add(key, side, mask, half, index);
	return 0;
}

/* Which gauges of its service a flow counts in. found: FINDING_BIT()s. */
static __always_inline __u32 flow_gauges(const struct flow *f, __u64 found, __u64 now)
{
	__u32 mask = 0, i;

	if (tcp_gone(f->state[0]) && tcp_gone(f->state[1]))
		return 0;
	for (i = 0; i < 2; i++)
		if (f->state[i] == LAST_ACK || f->state[i] == CLOSING) {
			mask |= SVC_NOW(LAST_ACK);
			if (f->since_ns[i] + detect.value[PARAM_LAST_ACK_FLOOD_AFTER] <= now)
				mask |= SVC_NOW(LAST_ACK_OLD);
		}
	if (flow_in(f, TIME_WAIT, TIME_WAIT)) /* the other end of it may well be in LAST-ACK: whoever lost that last ACK */
		return mask | SVC_NOW(TIME_WAIT);
	if (flow_in(f, SYN_SENT, SYN_SENT) && !flow_in(f, SYN_RECEIVED, SYN_RECEIVED))
		return SVC_NOW(UNANSWERED);
	if (flow_in(f, SYN_RECEIVED, SYN_RECEIVED)) {
		if (f->flags & FLAG_MIDSTREAM) /* a SYN-ACK that nobody asked for, as far as is known: anybody's */
			return 0;
		if (found & FINDING_BIT(ACCEPT_QUEUE_FULL))
			return SVC_NOW(ACCEPT_QUEUE);
		return SVC_NOW(HALF_OPEN) | (f->flags & FLAG_HALFOPEN_EMB ? SVC_NOW(HALF_OPEN_OLD) : 0);
	}
	if (f->state[0] == ESTABLISHED && f->state[1] == ESTABLISHED)
		return SVC_NOW(OPEN);
	mask |= SVC_NOW(CLOSING);
	if (found & FINDING_BIT(CLOSE_WAIT_LEAK))
		mask |= SVC_NOW(CLOSE_WAIT_OLD);
	if (found & FINDING_BIT(FIN_WAIT_2_HANG))
		mask |= SVC_NOW(FIN_WAIT_2_OLD);
	return mask;
}

/*
 * Which end is the client: the originator. Who opened a flow that was met mid-stream is a guess; where only that end is a
 * known service, the other one is the client.
 */
static __always_inline __u32 flow_client(const struct flow_key *key, const struct flow *f)
{
	__u32 orig = f->orig & 1;
	struct end e;

	if (!(f->flags & FLAG_MIDSTREAM))
		return orig;
	e = key_end(key, orig ^ 1);
	if (service_find(&e, service_hash(&e)) != NO_INDEX)
		return orig;
	e = key_end(key, orig);
	return service_find(&e, service_hash(&e)) != NO_INDEX ? orig ^ 1 : orig;
}

/* Notes a flow on which something is found. */
__weak __noinline int hit_note(struct flow *f, struct flow_key *key, __u64 found, __u64 now)
{
	struct flow_hits *h;
	struct flow_hit *hit;
	__u32 zero = 0, i;
	int wanted = 0;

	if (!f || !key)
		return 0;
	h = bpf_map_lookup_elem(&hits, &zero);
	if (!h)
		return 0;
	for (i = 0; i < FINDING_COUNT; i++) {
		if (!(found >> i & 1))
			continue;
		h->total[i]++;
		wanted |= h->total[i] <= HITS_PER_KIND;
	}
	i = h->count;
	if (!wanted || i >= HITS_MAX)
		return 0;
	hit = &h->hit[i & (HITS_MAX - 1)];
	__builtin_memcpy(&hit->key, key, sizeof(*key));
	hit->mask = found;
	flow_evidence(hit, f, found, now);
	hit->orig = flow_client(key, f);
	hit->state[0] = f->state[0];
	hit->state[1] = f->state[1];
	h->count = i + 1;
	return 0;
}

/* A live record, after its timers. It is not locked: what moves meanwhile is counted by the next sweep. */
__weak __noinline int recount_flow(struct flow *f, struct flow_key *key, __u32 half, __u64 now)
{
	__u32 mask, src = 0, orig, tw, what;
	__u64 found;

	if (!f || !key)
		return 0;
	found = flow_quiet(f, thresholds(), track_options(), now) ? 0 : flow_findings(f, thresholds(), track_options(), now);
	if (found)
		hit_note(f, key, found, now);
	mask = flow_gauges(f, found, now);
	if (!mask)
		return 0;
	orig = flow_client(key, f);
	tw = !!(mask & SVC_NOW(TIME_WAIT));
	what = mask == SVC_NOW(OPEN) ? PAIR_OPEN : tw ? PAIR_TIME_WAIT : PAIR_FLOW;
	if (what != PAIR_OPEN || !((key->a_port ^ key->b_port ^ half) & 1)) { /* open ones by halves: recount_open() */
		service_now(key, orig ^ 1, mask, half);
		if (pair_flow(key, orig, what, half))
			pair_now(key, orig, what, half, now);
	}
	if (mask & SVC_NOW(UNANSWERED))
		src = SRC_NOW(UNANSWERED) | (f->flags & FLAG_STALE_SYN ? SRC_NOW(STALE) : 0);
	else if (mask & SVC_NOW(HALF_OPEN))
		src = SRC_NOW(HALF_OPEN) |
		      (f->synack_rtx >= detect.value[PARAM_HALF_OPEN_REPEATS] ? SRC_NOW(HALF_OPEN_RTX) : 0);
	else if (tw)
		src = SRC_NOW(TIME_WAIT);
	asm volatile("" : "+r"(orig)); /* clang 19 has it on the stack meanwhile, where Linux 6.1 forgets its bounds */
	if ((found & FINDING_BIT(ZERO_WINDOW)) && !f->win[orig & 1])
		src |= SRC_NOW(SHUT);
	if (src)
		source_now(key, orig, src, half);
	return 0;
}

static __always_inline int port_serves(const struct service_ports *p, __u16 port)
{
	return p->bits[port >> 6 & 1023] >> (port & 63) & 1;
}

/* The open flow with this key, if a service of ours is at side of it. A function of its own: less stack. */
__weak __noinline int recount_served(struct flow_key *key, __u32 side)
{
	struct recount *r = recount_get();
	__u32 index, half;
	struct service *s;
	struct end e;

	if (!r || !key)
		return 0;
	half = r->half & 1;
	e = key_end(key, side & 1);
	index = service_search(&e, service_hash(&e));
	if (index == NO_INDEX)
		return 0;
	s = bpf_map_lookup_elem(&services, &index);
	if (s)
		s->open_part[half]++;
	if (pair_flow(key, (side & 1) ^ 1, PAIR_OPEN, half))
		pair_now(key, (side & 1) ^ 1, PAIR_OPEN, half, r->now);
	return 1;
}

/* An open flow's service is the end that has a record. */
static long open_count(__u32 i, struct scratch **sc)
{
	struct flow_key *key = &(*sc)->open.key[i & (OPEN_BATCH - 1)];
	__u32 zero = 0;
	struct service_ports *p = bpf_map_lookup_elem(&service_ports, &zero);

	if (p && (!port_serves(p, key->a_port) || !recount_served(key, 0)) && port_serves(p, key->b_port))
		recount_served(key, 1);
	return 0;
}

/* Counts the flows of the batch, which is empty then. */
__weak __noinline int open_flush(void)
{
	struct scratch *sc = scratch_get(SCRATCH_SWEEP);

	if (!sc)
		return 0;
	bpf_loop(sc->open.count, open_count, &sc, 0);
	sc->open.count = 0;
	return 0;
}

/*
 * An open flow of which only the hot part is read. One sweep counts one half of them, the next the other. Each flow of the
 * walk is a miss of the cache, and the processor waits for some of them at once while what is done for each is little, and
 * has no branch that it cannot foresee: so they are counted later, 64 at once. A key that is not to be counted is
 * overwritten by the next.
 */
static __always_inline void recount_open(struct scratch *sc, const struct flow_key *key)
{
	struct open_batch *batch = &sc->open;

	if (!sc->recount.services)
		return;
	batch->key[batch->count & (OPEN_BATCH - 1)] = *key;
	batch->count += ~(key->a_port ^ key->b_port ^ sc->recount.half) & 1;
	if (batch->count == OPEN_BATCH)
		open_flush();
}

#endif
