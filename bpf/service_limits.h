/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The limits of a service, asked for a SYN that begins a connection. */
#ifndef BPF_SERVICE_LIMITS_H
#define BPF_SERVICE_LIMITS_H

#include "verdict.h"

/*
 * The account of the service that the segment in scratch is for, into policy.service. make: with the first SYN, so that its
 * half-open ones can be counted.
 */
__weak __noinline int guard_service(int make)
{
	struct scratch *sc = scratch_get(SCRATCH_PACKET);
	struct service *service;
	__u32 side, index;
	struct end e;

	if (!sc)
		return 0;
	side = (sc->seg.dir & 1) ^ 1;
	e = key_end(&sc->seg.key, side);
	index = sc->last_service; /* mostly the same again */
	service = bpf_map_lookup_elem(&services, &index);
	if (!service || !service_is(service, &e))
		index = service_search(&e, service_hash(&e));
	sc->policy.service = index;
	if (index != NO_INDEX) {
		sc->last_service = index;
		return 0;
	}
	if (!make)
		return 0;
	service_make(&sc->seg.key, side, sc->seg.now_ns);
	sc->policy.service = service_find(&e, service_hash(&e));
	return 0;
}

/* One element of map "guard_state", by index of the service's account: what all CPUs know of its half-open ones. */
struct guard_state {
	__u64 since_ns; /* on or off since */
	__u64 rate_tat; /* LIMIT_NEW */
	__u64 summed_ns;
	__u64 cookie_ns; /* a SYN was last to be answered by a cookie */
	__u32 open;     /* half-open ones, at the last sum */
	__u32 on;       /* the limit acts: entered, and not left */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, struct guard_state);
} guard_state WARD_MAP;

/* Open connections of the service, by the last sweep. */
static __always_inline __u64 service_open(__u32 index)
{
	struct service *s = bpf_map_lookup_elem(&services, &index);
	struct ward_control *ctl = control_get();

	return s && ctl ? s->now[ctl->account_half & 1][SERVICE_NOW_OPEN] : 0;
}

#define GUARD_SUM_EACH 16 /* SYNs of one CPU */

/* Does the limit of half-open connections act? Entered and left by thresholds of their own. */
__weak __noinline int guard_acts(struct policy_limit *l)
{
	struct scratch *sc = scratch_get(SCRATCH_PACKET);
	struct guard_state *state;
	struct guard *g;
	__u64 open, all, share;
	__u32 index;

	if (!sc || !l)
		return 0;
	index = sc->policy.service;
	state = bpf_map_lookup_elem(&guard_state, &index);
	g = bpf_map_lookup_elem(&guards, &index);
	if (!state || !g)
		return 0;
	guard_roll(g, sc->seg.now_ns);
	if (++g->unsummed >= GUARD_SUM_EACH || state->summed_ns != sc->seg.now_ns) {
		g->unsummed = 0;
		state->open = guard_total(index, sc->seg.now_ns);
		state->summed_ns = sc->seg.now_ns;
	}
	open = state->open;
	sc->policy.value = open;
	all = open + service_open(index);
	share = all ? open * 1000 / all : 0;
	if (!state->on) {
		if (open < l->min || !((l->max && open >= l->max) || (l->enter_permille && share >= l->enter_permille)))
			return 0;
		state->since_ns = sc->seg.now_ns;
		state->on = 1;
	} else if (open < l->min / 2 ||
		   ((!l->max || open < l->max / 2) && (!l->enter_permille || share < l->leave_permille))) {
		state->since_ns = sc->seg.now_ns;
		state->on = 0;
	}
	return state->on;
}

/*
 * Connections are seen to open without their answers, which leave another way: every client would stay half-open for good, so
 * nobody is held to such a limit. Where egress is not attached the client's ACK settles it: is_settled().
 */
static __always_inline int answers_unseen(void)
{
	struct ward_control *ctl = control_get();

	return !ingress_only && ctl && (ctl->blind & WARD_UNANSWERED);
}

/* A limit of a source is exceeded. 1: the SYN is dropped. */
static __always_inline int source_over(struct policy_limit *l, __u32 subject, __u32 drop)
{
	struct scratch *sc = scratch_get(SCRATCH_PACKET);
	__u64 addr[2];

	if (!sc || !l || !verdict_give(subject, drop, l->mode))
		return 0;
	if (l->then != THEN_BLOCK || !l->for_ns)
		return 1;
	addr[0] = segment_saddr(&sc->seg)[0];
	addr[1] = segment_saddr(&sc->seg)[1];
	source_cut(l, addr);
	sc->policy.prefix.len = address_is_v4(segment_saddr(&sc->seg)) ? 96 + l->prefix_v4 : l->prefix_v6;
	__builtin_memcpy(sc->policy.prefix.addr, addr, 16);
	block_source(subject, l->for_ns);
	return 1;
}

static __always_inline __u64 limit_source_id(const struct scratch *sc, const struct policy_limit *l, __u32 subject)
{
	__u64 addr[2];

	addr[0] = segment_saddr(&sc->seg)[0];
	addr[1] = segment_saddr(&sc->seg)[1];
	source_cut(l, addr);
	return meter_id(addr, subject);
}

/* The limits of the sources of service i. 1: dropped. */
__weak __noinline int limit_source(__u32 i)
{
	struct scratch *sc = scratch_get(SCRATCH_PACKET);
	struct policy_config *cfg;
	struct policy_limit *l;
	__u64 id;

	if (!sc)
		return 0;
	cfg = config_get(sc->policy.slot);
	if (!cfg)
		return 0;
	i = masked(i, POLICY_SERVICES - 1);
	l = &cfg->service[i].limit[LIMIT_NEW_SOURCE];
	if (l->on) {
		id = limit_source_id(sc, l, SUBJECT_LIMIT(i, LIMIT_NEW_SOURCE));
		sc->policy.value = 0;
		if (!source_rate_take(id, &l->rate, sc->seg.now_ns) &&
		    source_over(l, SUBJECT_LIMIT(i, LIMIT_NEW_SOURCE), DROP_NEW_SOURCE))
			return 1;
	}
	l = &cfg->service[i].limit[LIMIT_HALF_OPEN_SOURCE];
	if (!l->on || answers_unseen())
		return 0;
	id = limit_source_id(sc, l, SUBJECT_LIMIT(i, LIMIT_HALF_OPEN_SOURCE));
	sc->policy.value = source_open_now(id, sc->seg.now_ns);
	if (sc->policy.value >= l->max && source_over(l, SUBJECT_LIMIT(i, LIMIT_HALF_OPEN_SOURCE), DROP_HALF_OPEN_SOURCE))
		return 1;
	return 0;
}

/* A SYN for service i passed, or will be answered by a cookie: its source has one half-open connection more. */
__weak __noinline int connection_begins_source(__u32 i)
{
	struct scratch *sc = scratch_get(SCRATCH_PACKET);
	struct policy_config *cfg;

	if (!sc)
		return 0;
	cfg = config_get(sc->policy.slot);
	if (!cfg)
		return 0;
	i = masked(i, POLICY_SERVICES - 1);
	source_begins(limit_source_id(sc, &cfg->service[i].limit[LIMIT_HALF_OPEN_SOURCE],
				      SUBJECT_LIMIT(i, LIMIT_HALF_OPEN_SOURCE)),
		      sc->seg.now_ns);
	return 0;
}

/* ... and the service has. */
static __always_inline void connection_begins(const struct scratch *sc, const struct policy_config *cfg, __u32 i)
{
	__u32 index = sc->policy.service;
	struct guard *g = bpf_map_lookup_elem(&guards, &index);

	if (g) {
		guard_roll(g, sc->seg.now_ns);
		g->open[0]++;
	}
	if (cfg->has_source_half_open && cfg->service[masked(i, POLICY_SERVICES - 1)].limit[LIMIT_HALF_OPEN_SOURCE].on)
		connection_begins_source(i);
}

/* What a limit of the service does with a SYN that is too much: enum verdict. */
static __always_inline int limit_then(struct policy_limit *l, __u32 subject, __u32 drop, __u32 mode)
{
	if (!l)
		return VERDICT_PASS;
	if (l->then == THEN_SYNCOOKIE) /* counted when it is answered, since the stack may have to see it after all */
		return mode == MODE_ENFORCE && !is_exempt() ? VERDICT_COOKIE :
							      (verdict_give(subject, DROP_SYNCOOKIE, l->mode), VERDICT_PASS);
	if (l->then == THEN_FIRST_SYN) {
		if (mode == MODE_ENFORCE && first_syn_again())
			return VERDICT_PASS;
		drop = DROP_FIRST_SYN;
	}
	return verdict_give(subject, drop, l->mode) ? VERDICT_DROP : VERDICT_PASS;
}

/* The limits of service i itself: enum verdict. */
__weak __noinline int limit_service(__u32 i)
{
	struct scratch *sc = scratch_get(SCRATCH_PACKET);
	int verdict = VERDICT_PASS;
	struct guard_state *state;
	struct policy_config *cfg;
	struct policy_limit *l;
	__u32 index;

	if (!sc)
		return VERDICT_PASS;
	cfg = config_get(sc->policy.slot);
	if (!cfg)
		return VERDICT_PASS;
	i = masked(i, POLICY_SERVICES - 1);
	index = sc->policy.service;
	state = bpf_map_lookup_elem(&guard_state, &index);
	if (!state) /* no room for its account: nothing is known of it */
		return VERDICT_PASS;
	l = &cfg->service[i].limit[LIMIT_NEW];
	sc->policy.value = 0;
	if (l->on && !rate_take(&state->rate_tat, &l->rate, sc->seg.now_ns))
		verdict = limit_then(l, SUBJECT_LIMIT(i, LIMIT_NEW), DROP_NEW, mode_now(cfg, l->mode, sc->seg.now_ns));
	if (verdict == VERDICT_DROP)
		return verdict;
	sc->policy.subject = SUBJECT_LIMIT(i, LIMIT_NEW);
	l = &cfg->service[i].limit[LIMIT_HALF_OPEN];
	if (l->on && !answers_unseen() && guard_acts(l) && verdict == VERDICT_PASS) {
		sc->policy.subject = SUBJECT_LIMIT(i, LIMIT_HALF_OPEN);
		verdict = limit_then(l, SUBJECT_LIMIT(i, LIMIT_HALF_OPEN), DROP_HALF_OPEN,
				     mode_now(cfg, l->mode, sc->seg.now_ns));
	}
	if (verdict == VERDICT_COOKIE)
		state->cookie_ns = sc->seg.now_ns;
	return verdict;
}

#endif
