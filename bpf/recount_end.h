/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The end of a recount (recount.h), when all flows have been met: adds the services' counters of all CPUs up and corrects what
 * drifted, makes windows of the counters, gives the places of what has been idle back, and gives the new half out to be read.
 */
#ifndef BPF_RECOUNT_END_H
#define BPF_RECOUNT_END_H

#include "recount.h"

#define SERVICE_IDLE_NS (600 * NS_PER_S)
#define SOURCE_IDLE_NS (120 * NS_PER_S)

static __always_inline void roll(struct account_window *w, __u32 total, const struct recount *r)
{
	if (r->roll10) {
		w->last10 = r->roll10 == 1 ? total - w->begin10 : 0;
		w->begin10 = total;
	}
	if (r->roll60) {
		w->last60 = r->roll60 == 1 ? total - w->begin60 : 0;
		w->begin60 = total;
	}
}

static long service_add(__u32 cpu, struct adding *a)
{
	struct service_counts *c = bpf_map_lookup_percpu_elem(&service_counts, &a->index, cpu);
	__u32 i;

	for (i = 0; c && i < SERVICE_COUNTERS; i++) {
		if (a->clear)
			c->count[i] = 0;
		else
			a->s->total[i] += c->count[i];
	}
	return 0;
}

/* Toward 0 by so much. */
static __always_inline __s32 nearer(__s32 value, __s32 by)
{
	return value > by ? value - by : value < -by ? value + by : 0;
}

/*
 * What the counters say that the half-open gauge should be, beside what was counted: the difference is drift. The packet path
 * does not wait for the walk: each flow that moved since it began may have been met before or after, so the difference is of
 * no account as far as those go. And a program may have written a state, but not yet its count, when we added up: so what is
 * found must be found again by the next recount.
 */
static __always_inline void service_correct(struct service *s, __u32 half)
{
	__u32 in = s->total[SERVICE_ANSWERED], out = s->total[SERVICE_COMPLETED] + s->total[SERVICE_HALF_OPEN_LEFT];
	__s32 counted = s->now[half][SERVICE_NOW_HALF_OPEN] + s->now[half][SERVICE_NOW_ACCEPT_QUEUE];
	__s32 suspect = nearer((__s32)(in - out) - counted - s->apart, (__s32)(in + out - s->moves)), drift = 0;
	struct ward_counters *c = counters_get();

	if (suspect > 0 && s->suspect > 0)
		drift = suspect < s->suspect ? suspect : s->suspect;
	else if (suspect < 0 && s->suspect < 0)
		drift = suspect > s->suspect ? suspect : s->suspect;
	s->suspect = suspect - drift;
	s->apart += drift;
	if (drift < 0)
		drift = -drift;
	s->corrected += drift;
	if (c)
		c->counter[CNT_CORRECTED] += drift;
}

__weak __noinline int service_end(__u32 index)
{
	struct service *s = bpf_map_lookup_elem(&services, &index);
	struct adding a = {.s = s, .index = index};
	struct recount *r;
	__u64 sum = 0;
	__u32 i, half;

	if (!s)
		return 1;
	asm volatile("" : "+r"(s)); /* as in source_end() */
	r = recount_get();
	if (!r)
		return 1;
	half = r->half & 1;
	for (i = 0; i < SERVICE_COUNTERS; i++) {
		sum -= s->total[i];
		s->total[i] = 0;
	}
	bpf_loop(cpus, service_add, &a, 0);
	for (i = 0; i < SERVICE_COUNTERS; i++) {
		sum += s->total[i];
		roll(&s->window[i], (__u32)s->total[i], r);
	}
	s->now[half][SERVICE_NOW_OPEN] += s->open_part[0] + s->open_part[1];
	for (i = 0; i < SERVICE_GAUGES; i++)
		sum |= s->now[half][i];
	service_correct(s, half);
	if (sum)
		s->active_ns = r->now;
	if (s->active_ns + SERVICE_IDLE_NS > r->now)
		return 1;
	s->live = 0;
	a.clear = 1;
	bpf_loop(cpus, service_add, &a, 0);
	return 0;
}

static long services_end(__u32 set_index, __u32 *freed)
{
	struct account_set *set = bpf_map_lookup_elem(&service_sets, &set_index);
	__u32 i;

	for (i = 0; set && i < ACCOUNT_WAYS; i++)
		if (*(volatile __u16 *)&set->ways.tag[i] && !service_end(set_index * ACCOUNT_WAYS + i)) {
			*(volatile __u16 *)&set->ways.tag[i] = 0;
			++*freed;
		}
	return 0;
}

static long service_port_clear(__u32 i, void *unused)
{
	__u32 zero = 0;
	struct service_ports *p = bpf_map_lookup_elem(&service_ports, &zero);

	(void)unused;
	if (p)
		*(volatile __u64 *)&p->bits[i & 1023] = 0;
	return 0;
}

static long service_port_again(__u32 index, void *unused)
{
	struct service *s = bpf_map_lookup_elem(&services, &index);

	(void)unused;
	if (s && s->live)
		service_port_set(s->port);
	return 0;
}

/* How much is going on at a source: 0 nothing .. 254; 255 where a finding names it. Weights as note_weight() has them. */
static __always_inline __u32 source_score(const struct source *s, __u32 half)
{
	__u64 score = window10(&s->window[SOURCE_NEW], s->count[SOURCE_NEW]);
	__u32 i;

	if (s->kept)
		return 255;
	for (i = SOURCE_REFUSED; i < SOURCE_COUNTERS; i++)
		score += (i == SOURCE_OUT_OF_STATE ? 1ULL : 8ULL) * window60(&s->window[i], s->count[i]);
	score += s->now[half & 1][SOURCE_NOW_UNANSWERED] + s->now[half & 1][SOURCE_NOW_HALF_OPEN];
	return score > 254 ? 254 : score;
}

/* The source's score, or -1 if its record is free again. */
__weak __noinline int source_end(__u32 index)
{
	struct source *s = bpf_map_lookup_elem(&sources, &index);
	struct recount *r;
	__u32 i, score;

	if (!s)
		return 0;
	asm volatile("" : "+r"(s)); /* or clang 19 takes addresses of its parts before the check */
	r = recount_get();
	if (!r)
		return 0;
	for (i = 0; i < SOURCE_COUNTERS; i++)
		roll(&s->window[i], s->count[i], r);
	if (r->roll10) {
		s->peers_last = s->peers;
		__builtin_memset(&s->peers, 0, sizeof(s->peers));
	}
	if (r->roll60) {
		if (!(s->targets.bits[0] | s->targets.bits[1] | s->targets.bits[2] | s->targets.bits[3])) {
			__builtin_memset(&s->hosts, 0, sizeof(s->hosts)); /* kept while one of both windows has targets */
			__builtin_memset(&s->ports, 0, sizeof(s->ports));
		}
		s->targets_last = s->targets;
		__builtin_memset(&s->targets, 0, sizeof(s->targets));
	}
	score = source_score(s, r->half);
	if (score || s->now[r->half & 1][SOURCE_NOW_TIME_WAIT])
		s->active_ns = r->now;
	if (s->active_ns + SOURCE_IDLE_NS > r->now)
		return score;
	s->live = 0;
	return -1;
}

/* The place of an idle source is free, unless another one has taken it in this very moment. */
static __always_inline void source_free(struct account_set *set, __u32 index)
{
	struct source *s = bpf_map_lookup_elem(&sources, &index);

	if (!s || !set_try(set))
		return;
	if (!s->live)
		*(volatile __u16 *)&set->ways.tag[index & (ACCOUNT_WAYS - 1)] = 0;
	word_unlock(&set->lock);
}

static long sources_end(__u32 set_index, void *unused)
{
	struct account_set *set = bpf_map_lookup_elem(&source_sets, &set_index);
	struct recount *r = recount_get();
	int i, score;

	(void)unused;
	/* a quarter each time: all lines of their records are read; all of them where a window ends */
	if (!r || (!r->roll10 && ((set_index ^ r->now / NS_PER_S) & 3)))
		return 0;
	for (i = 0; set && i < ACCOUNT_WAYS; i++) {
		if (!*(volatile __u16 *)&set->ways.tag[i])
			continue;
		score = source_end(set_index * ACCOUNT_WAYS + i);
		if (score >= 0)
			set->score[i] = score;
		else
			source_free(set, set_index * ACCOUNT_WAYS + i);
	}
	return 0;
}

static __always_inline void recount_end(struct recount *r, struct ward_control *ctl)
{
	__u32 i, half = r->half & 1, freed = 0;

	bpf_loop(service_mask + 1, services_end, &freed, 0);
	bpf_loop(source_mask + 1, sources_end, (void *)0, 0);
	if (freed) {
		bpf_loop(1024, service_port_clear, (void *)0, 0);
		bpf_loop((service_mask + 1) * ACCOUNT_WAYS, service_port_again, (void *)0, 0);
	}
	for (i = 0; i < PAIRS_KEPT; i++) {
		__u32 index = i;
		struct pair *p = bpf_map_lookup_elem(&pairs, &index);

		if (!p || !p->live)
			continue;
		p->flows[half] += p->open_part[0] + p->open_part[1];
		if (p->flows[half] >= PAIR_LARGE / 2)
			p->active_ns = r->now;
		if (p->active_ns + PAIR_IDLE_NS <= r->now)
			p->live = 0;
	}
	ctl->account_ns = r->now;
	__sync_lock_test_and_set(&ctl->account_half, half);
}

#endif
