// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What the policy says of a segment: lists, what is wrong with it, the limits of its service, rules. */
#include "service_limits.h"
#include "syncookie.h"
#include "tcp_track.h"

/* ---- the block list ---- */
/* The sender is on the block list. 1: he is allowed all the same. */
__weak __noinline int block_excused(void)
{
	struct policy_live *live = policy_live_get();
	struct scratch *sc = scratch_get(SCRATCH_PACKET);
	struct policy_config *cfg;

	if (!sc || !live)
		return 1;
	sc->policy.slot = policy_slot(live, sc->seg.now_ns) + 1;
	cfg = config_get(sc->policy.slot);
	sc->policy.allowed = 0;
	if (sc->policy.slot && cfg && cfg->has_allow)
		classify_source();
	return list_allows();
}

/* The entry that was found: does it count against the segment? */
static __always_inline int blocked_by(struct scratch *sc, const struct policy_live *live, struct list_entry *e)
{
	if (block_is_simple(live)) {
		__sync_fetch_and_add(&e->hits, 1);
		block_count(sc);
		return 1;
	}
	if (block_excused())
		return 0;
	__sync_fetch_and_add(&e->hits, 1);
	return block_list_verdict();
}

int block_told(void)
{
	struct policy_rate sample = POLICY_SAMPLE;
	struct scratch *sc = scratch_get(SCRATCH_PACKET);

	if (!sc)
		return 0;
	sc->policy.value = 0;
	report_drop(sc, SUBJECT_BLOCK_LIST, DROP_BLOCK_LIST, 1, &sample);
	return 0;
}

int block_carry(void)
{
	struct scratch *sc = scratch_get(SCRATCH_PACKET);
	struct address_prefix key = {.len = 128};
	struct list_entry *e;

	if (!sc)
		return 0;
	__builtin_memcpy(key.addr, segment_saddr(&sc->seg), 16);
	e = bpf_map_lookup_elem(&block_addrs, &key);
	if (e)
		__sync_fetch_and_add(&e->hits, BLOCK_CARRY);
	return 0;
}

/* By the prefix of the sender that limits block. */
__weak __noinline int prefix_blocked(void)
{
	struct policy_live *live = policy_live_get();
	struct scratch *sc = scratch_get(SCRATCH_PACKET);
	struct list_entry *e;
	__u64 addr[2];
	__u32 len;

	if (!sc || !live)
		return 0;
	addr[0] = segment_saddr(&sc->seg)[0];
	addr[1] = segment_saddr(&sc->seg)[1];
	len = live->block_len[!address_is_v4(addr)] & 127;
	address_cut(addr, len);
	if (!block_filter_has(live, addr[0], addr[1], len))
		return 0;
	e = block_entry(sc, len);
	return e ? blocked_by(sc, live, e) : 0;
}

int policy_blocked(void)
{
	struct policy_live *live = policy_live_get();
	struct scratch *sc = scratch_get(SCRATCH_PACKET);
	const __u64 *addr;
	struct list_entry *e;
	__u32 bit, *hits;

	if (!sc || !live)
		return 0;
	addr = segment_saddr(&sc->seg);
	bit = block_bit_of(addr[0], addr[1], 128);
	if (block_filter_bit(live, bit)) {
		hits = block_is_simple(live) ? (__u32 *)0 : block_set_hits(sc, addr, bit); /* policy_first() has looked */
		if (hits) {
			if (block_excused())
				return 0;
			block_hit(hits);
			return block_list_verdict();
		}
		e = block_entry(sc, 128);
		if (e)
			return blocked_by(sc, live, e);
	}
	return live->block_len[!address_is_v4(addr)] && prefix_blocked();
}

/* ---- rules ---- */
/* What is wrong with the segment in scratch, which was judged against f (NULL: no record): 1 << enum policy_invalid. */
static __always_inline __u32 segment_invalid(const struct scratch *sc, const struct flow *f, __u32 what, __u32 check)
{
	const struct tcp_judgement *j = &sc->j;
	__u32 invalid = 0, other, certain;

	if (tcp_bad_flags(sc->seg.bits))
		invalid |= 1 << INVALID_BAD_FLAGS;
	if ((sc->seg.bits & TH_SYN) && sc->seg.len)
		invalid |= 1 << INVALID_SYN_DATA;
	if (what & POLICY_STRAY)
		return invalid | 1 << INVALID_NO_FLOW;
	if (what & POLICY_OPENS) /* a plain SYN is not judged: what stands in sc->j is of another segment */
		return invalid;
	if (j->outcome == OUTCOME_STRAY ||
	    (j->outcome == OUTCOME_NEW && (j->flags & FLAG_MIDSTREAM) && check == CHECK_STRICT))
		invalid |= 1 << INVALID_NO_FLOW;
	if (!f || j->outcome != OUTCOME_UPDATE)
		return invalid;
	other = (sc->seg.dir & 1) ^ 1;
	/* not where the states are guesses, unless it is asked for */
	certain = !(f->flags & (FLAG_MIDSTREAM | FLAG_ASYM)) && (f->known[other] & KNOWN_CONF);
	if (check != CHECK_STRICT && !certain)
		return invalid;
	if (f->state[other] == TIME_WAIT) {
		if (sc->seg.bits & TH_RST)
			invalid |= 1 << INVALID_RST_TIME_WAIT;
		else if ((sc->seg.bits & TH_FIN) && j->fin_rtx && f->fin_rtx >= 3)
			invalid |= 1 << INVALID_FIN_TIME_WAIT;
		else if (j->d.in_tw && (f->flags & MARK_RESTARTS) >> MARK_RESTARTS_SHIFT > 5)
			invalid |= 1 << INVALID_ACK_TIME_WAIT;
	}
	if (j->flags & FLAG_DATA_AFTER_FIN) /* its own FIN, which the receiver has shown to have: nothing is guessed */
		invalid |= 1 << INVALID_OUT_OF_STATE;
	if (check != CHECK_STRICT && !(f->known[other ^ 1] & KNOWN_CONF))
		return invalid;
	if (j->flags & (FLAG_RST_INWIN | FLAG_RST_OOW))
		invalid |= 1 << INVALID_RST_INEXACT;
	if (j->flags & FLAG_SYN_IN_CONN)
		invalid |= 1 << INVALID_SYN_IN_CONN;
	if (j->flags & FLAG_OOS)
		invalid |= 1 << INVALID_OUT_OF_STATE;
	if (j->flags & FLAG_OOW)
		invalid |= 1 << INVALID_OUT_OF_WINDOW;
	return invalid;
}

#define STRICT_KINDS (1 << INVALID_NO_FLOW | 1 << INVALID_OUT_OF_STATE | 1 << INVALID_OUT_OF_WINDOW)
#define LOSS_NS 10000000000ULL /* embryos were lost so lately: flows may be unknown because of that */

/* A service that the segment is for has a limit of half-open connections: its embryos may be those that are being lost. */
static __always_inline int counts_half_open(const struct scratch *sc, const struct policy_config *cfg)
{
	__u32 i = masked(lowest_bit(sc->policy.services), POLICY_SERVICES - 1);

	return sc->policy.services &&
	       (cfg->service[i].limit[LIMIT_HALF_OPEN].on || cfg->service[i].limit[LIMIT_HALF_OPEN_SOURCE].on);
}

/* What the tables' state does not allow to be held against a segment: the flow may be missing for want of room. */
static __always_inline __u32 invalid_believed(const struct scratch *sc, const struct policy_config *cfg, __u32 invalid)
{
	struct ward_control *ctl = control_get();

	if (cfg->check == CHECK_OFF || !ctl || ctl->fill_permille >= 950 || ctl->relearn_until_ns > sc->seg.now_ns)
		return invalid & ~STRICT_KINDS;
	if ((invalid & 1 << INVALID_NO_FLOW) && evicted_ns + LOSS_NS > sc->seg.now_ns && counts_half_open(sc, cfg))
		return invalid & ~(1 << INVALID_NO_FLOW);
	return invalid;
}

__weak __noinline __u64 rules_invalid(__u32 invalid)
{
	struct scratch *sc = scratch_get(SCRATCH_PACKET);
	struct policy_config *cfg;
	__u64 rules;
	__u32 i;

	if (!sc)
		return 0;
	cfg = config_get(sc->policy.slot);
	if (!cfg)
		return 0;
	rules = cfg->invalid_any;
	for (i = 0; i < INVALID_COUNT; i++)
		if (invalid >> i & 1)
			rules |= cfg->invalid[i];
	return rules;
}

/* The reason that a rule's drop is counted by: what was wrong, if it asked for that. */
static __always_inline __u32 rule_reason(const struct policy_config *cfg, __u32 rule, __u32 invalid)
{
	__u32 i;

	for (i = 0; i < INVALID_COUNT; i++)
		if ((invalid >> i & 1) && (cfg->invalid[i] >> (rule & 63) & 1))
			return DROP_OF_INVALID(i);
	return DROP_MATCH;
}

enum { RULE_NEXT, RULE_PASS, RULE_DROP };

/* Rule i matches the segment. RULE_NEXT: it does not act, the next one may. */
static __always_inline int rule_acts(__u32 i)
{
	struct scratch *sc = scratch_get(SCRATCH_PACKET);
	struct policy_config *cfg;
	struct policy_state *state;
	struct policy_count *count;
	struct policy_rule *r;
	__u32 mode, subject;

	if (!sc)
		return RULE_PASS;
	cfg = config_get(sc->policy.slot);
	i = masked(i, POLICY_RULES - 1);
	subject = SUBJECT_RULE(i);
	state = state_get(subject);
	if (!cfg || !state)
		return RULE_PASS;
	r = &cfg->rule[i];
	mode = mode_now(cfg, r->mode, sc->seg.now_ns);
	if (mode == MODE_MONITOR)
		return RULE_NEXT;
	if (r->action == ACTION_PASS ||
	    (r->above.interval_ns && rate_take(&state->above_tat, &r->above, sc->seg.now_ns))) {
		count = bpf_map_lookup_elem(&policy_counts, &subject);
		if (count)
			count->hits++;
		return r->mode == MODE_ENFORCE ? RULE_PASS : RULE_NEXT;
	}
	sc->policy.value = 0;
	if (verdict_give(subject, rule_reason(cfg, i, sc->policy.invalid), r->mode))
		return RULE_DROP;
	return sc->policy.decided ? RULE_PASS : RULE_NEXT;
}

struct rules_walk {
	__u64 rules;
	__u64 acts;
};

static long rules_step(__u32 unused, struct rules_walk *w)
{
	__u32 i;

	(void)unused;
	if (!w->rules)
		return 1;
	i = lowest_bit(w->rules);
	w->rules &= w->rules - 1;
	w->acts = rule_acts(i);
	return w->acts != RULE_NEXT;
}

/* The first rule of these that acts decides. One that is itself in dry run is counted, and the next one asked. */
static __always_inline int rules_judge(const struct scratch *sc, __u64 rules)
{
	struct rules_walk w = {.rules = rules, .acts = RULE_NEXT};

	if (rules && !sc->policy.decided)
		bpf_loop(POLICY_RULES, rules_step, &w, 0);
	return w.acts;
}

/* ---- the whole ---- */
/*
 * The address of a service answers SYNs with cookies, or did so lately: an ACK of no flow may bring one back. What else it
 * could be, the cookie's check finds out.
 */
static __always_inline int awaits_cookie(struct scratch *sc, const struct policy_config *cfg, __u32 service)
{
	__u32 index = sc->policy.service;
	struct guard_state *state;

	if (cfg->service[masked(service, POLICY_SERVICES - 1)].limit[LIMIT_HALF_OPEN].then == THEN_SYNCOOKIE)
		sc->policy.subject = SUBJECT_LIMIT(service, LIMIT_HALF_OPEN);
	else if (cfg->service[masked(service, POLICY_SERVICES - 1)].limit[LIMIT_NEW].then == THEN_SYNCOOKIE)
		sc->policy.subject = SUBJECT_LIMIT(service, LIMIT_NEW);
	else
		return 0;
	state = bpf_map_lookup_elem(&guard_state, &index);
	return state && state->cookie_ns && state->cookie_ns + COOKIE_LIFETIME_NS > sc->seg.now_ns;
}

/* Limits of the service that a SYN is for, and cookies that come back to it. */
static __always_inline int service_judge(struct scratch *sc, const struct policy_config *cfg, __u32 what)
{
	__u32 i = lowest_bit(sc->policy.services) & (POLICY_SERVICES - 1);

	if (!(what & POLICY_OPENS))
		return awaits_cookie(sc, cfg, i) ? VERDICT_COOKIE_ACK : VERDICT_PASS;
	if ((cfg->service[i].limit[LIMIT_NEW_SOURCE].on | cfg->service[i].limit[LIMIT_HALF_OPEN_SOURCE].on) && limit_source(i))
		return VERDICT_DROP;
	return limit_service(i);
}

/* 0: go on; else 1 + enum verdict. */
static __always_inline __u32 lists_judge(struct scratch *sc, const struct policy_live *live)
{
	if (((live->lists & (LIST_ALLOW_ADDRS | LIST_ALLOW_PREFIXES)) || (sc->policy.slot && sc->policy.allowed)) && list_allows())
		return 1 + VERDICT_PASS;
	if (!(live->lists & LIST_BLOCK_PREFIXES))
		return 0;
	if (!prefix_listed(0, 1))
		return 0;
	return block_list_verdict() ? 1 + VERDICT_DROP : 0;
}

/* An ACK that may bring a cookie back. */
static __always_inline int may_bring_cookie(const struct scratch *sc, __u32 what)
{
	return (what & (POLICY_STRAY | POLICY_MIDSTREAM | POLICY_OVER)) &&
	       (sc->seg.bits & (TH_SYN | TH_ACK | TH_RST)) == TH_ACK && !(sc->seg.opts & SEG_COOKIE);
}

/* What the policy says of a segment whose sender no list has: enum verdict. */
static __always_inline int config_judge(struct scratch *sc, const struct policy_config *cfg, struct flow *f, __u32 what)
{
	__u64 bad;
	int verdict;

	sc->policy.invalid = invalid_believed(sc, cfg, segment_invalid(sc, f, what, cfg->check));
	bad = sc->policy.invalid & 1 << INVALID_BAD_FLAGS ? cfg->invalid[INVALID_BAD_FLAGS] : 0;
	verdict = rules_judge(sc, sc->policy.rules & bad);
	if (verdict != RULE_NEXT)
		return verdict == RULE_DROP ? VERDICT_DROP : VERDICT_PASS;
	sc->policy.rules &= ~bad; /* asked already */
	if (sc->policy.services && ((what & POLICY_OPENS) || may_bring_cookie(sc, what)) && !sc->policy.passed) {
		verdict = service_judge(sc, cfg, what);
		if (verdict != VERDICT_PASS)
			return verdict;
	}
	/* nearly always nothing is wrong: then without a call */
	sc->policy.rules &= sc->policy.invalid ? rules_invalid(sc->policy.invalid) : cfg->invalid_any;
	return rules_judge(sc, sc->policy.rules) == RULE_DROP ? VERDICT_DROP : VERDICT_PASS;
}

int policy_judge(struct flow *f, __u32 what)
{
	struct policy_live *live = policy_live_get();
	struct scratch *sc = scratch_get(SCRATCH_PACKET);
	struct policy_config *cfg;
	__u32 verdict;

	if (!sc || !live)
		return VERDICT_PASS;
	sc->policy.slot = policy_slot(live, sc->seg.now_ns) + 1;
	sc->policy.rules = sc->policy.services = sc->policy.allowed = 0;
	if (sc->policy.slot)
		classify();
	if (sc->policy.services && ((what & POLICY_OPENS) || may_bring_cookie(sc, what)))
		guard_service(what & POLICY_OPENS);
	cfg = config_get(sc->policy.slot);
	verdict = lists_judge(sc, live);
	if (verdict)
		verdict--;
	else if (sc->policy.slot && cfg)
		verdict = config_judge(sc, cfg, f, what);
	/* whoever began it: what ends it takes one away */
	if (sc->policy.services && (what & POLICY_OPENS) && verdict != VERDICT_DROP && !sc->policy.passed && cfg)
		connection_begins(sc, cfg, lowest_bit(sc->policy.services));
	return verdict;
}

int policy_unparsed(int reason, int ingress)
{
	struct policy_live *live = policy_live_get();
	struct scratch *sc = scratch_get(SCRATCH_PACKET);
	struct policy_config *cfg;

	if (reason >= 0 && reason < REASON_COUNT)
		bump_reason(reason);
	if (!sc || !live || !ingress || (reason != REASON_BAD_TCP && reason != REASON_TRUNCATED) || !sc->broken)
		return 0;
	sc->policy.slot = policy_slot(live, sc->seg.now_ns) + 1;
	cfg = config_get(sc->policy.slot);
	if (!sc->policy.slot || !cfg || !cfg->drop_unparsed)
		return 0;
	sc->policy.allowed = sc->policy.decided = 0;
	sc->policy.value = 0;
	if (cfg->has_allow)
		classify_source();
	return !list_allows() && verdict_give(SUBJECT_NOBODY, DROP_UNPARSED, MODE_ENFORCE);
}

/* ---- what follows from flows ---- */
/* The limits of a source of service i: one half-open connection less. */
__weak __noinline int source_settled(__u32 i, __u64 began)
{
	struct scratch *sc = scratch_get(SCRATCH_PACKET);
	struct policy_config *cfg;
	struct policy_limit *l;

	if (!sc)
		return 0;
	cfg = config_get(sc->policy.slot);
	if (!cfg)
		return 0;
	l = &cfg->service[masked(i, POLICY_SERVICES - 1)].limit[LIMIT_HALF_OPEN_SOURCE];
	if (l->on)
		source_settles(limit_source_id(sc, l, SUBJECT_LIMIT(i, LIMIT_HALF_OPEN_SOURCE)), began, sc->seg.now_ns);
	return 0;
}

int policy_settled(struct flow_key *key, __u32 orig, __u64 began)
{
	struct policy_live *live = policy_live_get();
	struct scratch *sc = scratch_get(SCRATCH_PACKET);
	struct policy_config *cfg;
	struct guard *g;
	struct end e;
	__u32 index;
	__u8 dir;

	if (!sc || !live || !key || !live->loaded)
		return 0;
	e = key_end(key, (orig & 1) ^ 1);
	index = service_search(&e, service_hash(&e));
	g = bpf_map_lookup_elem(&guards, &index);
	if (g)
		guard_settle(g, began, sc->seg.now_ns);
	sc->policy.slot = policy_slot(live, sc->seg.now_ns) + 1;
	cfg = config_get(sc->policy.slot);
	if (!sc->policy.slot || !cfg || !cfg->has_source_half_open)
		return 0;
	dir = sc->seg.dir; /* the limit is the originator's, whoever sent this segment */
	sc->seg.dir = orig & 1;
	sc->policy.rules = 0;
	classify_tuple();
	if (sc->policy.services)
		source_settled(lowest_bit(sc->policy.services), began);
	sc->seg.dir = dir;
	return 0;
}

/* ---- which flows are not for the fast path ---- */
/* One of these rules, which match by addresses and ports, could drop an ordinary segment. */
static __always_inline int rules_catch(const struct policy_config *cfg, __u64 rules)
{
	__u64 drops = 0;
	__u32 i;

	rules &= cfg->invalid_any & (cfg->flags[TH_ACK] | cfg->flags[TH_ACK | TH_PSH] | cfg->flags[TH_ACK | TH_URG] |
				     cfg->flags[TH_ACK | TH_PSH | TH_URG]);
	if (!rules)
		return 0;
#pragma clang loop unroll(disable)
	for (i = 0; i < POLICY_RULES; i++) /* without a branch: the verifier would follow each */
		drops |= (__u64)(cfg->rule[i].action & ACTION_DROP) << i;
	return !!(rules & drops);
}

/*
 * Could the policy in this slot (1 + slot), or a prefix, drop an ordinary segment of this direction of the flow? Conditions
 * on anything but addresses and ports are left out: the other direction may come by another interface.
 */
__weak __noinline int policy_catches(__u32 slot, __u32 dir)
{
	struct policy_live *live = policy_live_get();
	struct scratch *sc = scratch_get(SCRATCH_PACKET);
	struct policy_config *cfg;

	if (!sc || !live)
		return 0;
	sc->seg.dir = dir & 1;
	sc->policy.slot = slot;
	sc->policy.rules = 0;
	cfg = config_get(slot);
	if (slot && cfg && cfg->static_rules)
		classify_tuple();
	if ((live->lists & LIST_BLOCK_PREFIXES) && prefix_listed(0, 0))
		return 1;
	return slot && cfg && rules_catch(cfg, sc->policy.rules);
}

int policy_rules_flow(void)
{
	struct policy_live *live = policy_live_get();
	struct scratch *sc = scratch_get(SCRATCH_PACKET);
	__u32 slot;
	int ruled;
	__u8 dir;

	if (!sc || !live)
		return 0;
	dir = sc->seg.dir;
	slot = live->loaded ? (live->slot & 1) + 1 : 0;
	ruled = policy_catches(slot, 0) || policy_catches(slot, 1);
	/* a policy that waits for its confirmation may give way to the one before at any time */
	if (!ruled && live->rollback_ns && live->before)
		ruled = policy_catches(live->before, 0) || policy_catches(live->before, 1);
	sc->seg.dir = dir;
	return ruled;
}

char LICENSE[] SEC("license") __weak = "Dual BSD/GPL";
