// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * filter_eval: does a flow or an event match? In three values, since an event does not say how old or busy its flow is:
 * "unknown" survives "not", and what is unknown at the end does not match.
 */
#include <string.h>

#include "finding.h"
#include "report/filter_tree.h"
#include "report/internal.h"

/* What a filter may ask about, made from a flow or from an event. */
struct subject {
	const struct flow_key *key;
	int orig;
	uint32_t states[2]; /* sets of states, originator and responder: an event has old and new ones */
	uint64_t flags;
	enum ward_end_reason reason;
	const char *iface;
	__u16 vlan;
	const struct flow_view *view; /* NULL: an event */
	const struct event *ev;	      /* NULL: a flow */
	const struct drop_names *names; /* of a drop; NULL: unknown */
};

bool filter_compares(uint64_t a, enum compare compare, uint64_t b)
{
	switch (compare) {
	case CMP_EQ:
		return a == b;
	case CMP_NE:
		return a != b;
	case CMP_LT:
		return a < b;
	case CMP_LE:
		return a <= b;
	case CMP_GT:
		return a > b;
	case CMP_GE:
		return a >= b;
	}
	return false;
}

bool filter_in_prefix(const __u8 addr[16], const __u8 net[16], int prefix)
{
	int bytes = prefix / 8, bits = prefix % 8;

	if (memcmp(addr, net, (size_t)bytes))
		return false;
	return !bits || !((addr[bytes] ^ net[bytes]) >> (8 - bits));
}

static uint64_t since(uint64_t then, uint64_t now)
{
	return now > then ? now - then : 0;
}

static uint64_t quantity_of(const struct flow_view *v, enum quantity quantity)
{
	const struct flow *f = v->flow;
	uint64_t last = f->half[0].last_ns > f->half[1].last_ns ? f->half[0].last_ns : f->half[1].last_ns;

	switch (quantity) {
	case Q_AGE:
		return since(f->start_ns, v->now_ns);
	case Q_IDLE:
		return since(last > f->start_ns ? last : f->start_ns, v->now_ns);
	case Q_BYTES:
		return f->half[0].bytes + f->half[1].bytes;
	case Q_PKTS:
		return f->half[0].pkts + f->half[1].pkts;
	case Q_RTX:
		return (uint64_t)f->rtx[0] + f->rtx[1] + f->syn_rtx + f->synack_rtx + f->fin_rtx;
	case Q_VLAN:
		break;
	}
	return 0;
}

static enum answer eval_number(const struct node *n, const struct subject *s)
{
	if (n->quantity == Q_VLAN) {
		if (s->vlan == VLAN_UNSEEN)
			return answer(n->compare == CMP_NE);
		return answer(filter_compares(s->vlan, n->compare, n->number));
	}
	if (!s->view)
		return UNKNOWN;
	return answer(filter_compares(quantity_of(s->view, n->quantity), n->compare, n->number));
}

static bool eval_state(const struct node *n, const struct subject *s)
{
	if (n->end == END_EITHER)
		return (s->states[0] | s->states[1]) & n->states;
	return s->states[n->end] & n->states;
}

static bool eval_addr(const struct node *n, const struct subject *s)
{
	int side = s->orig ^ (int)n->end;
	bool same = filter_in_prefix(key_addr(s->key, side), n->addr, n->prefix);

	if (same && n->has_port)
		same = key_port(s->key, side) == n->number;
	return n->compare == CMP_NE ? !same : same;
}

static bool eval_named(const struct node *n, const struct subject *s)
{
	bool same = false;

	if (n->kind == NODE_FLAG)
		same = s->flags & n->number;
	else if (n->kind == NODE_END)
		same = s->reason == n->number;
	else if (n->kind == NODE_DEV)
		same = s->iface && !strcmp(s->iface, n->name);
	return n->compare == CMP_NE ? !same : same;
}

/* An event does not say what is found on its flow. A severity is the usual one of any of the flow's findings. */
static enum answer eval_finding(const struct node *n, const struct subject *s)
{
	static const __u8 severity[] = {
#define X(id, name, severity, detector, title) SEVERITY_##severity,
		WARD_FINDINGS(X)
#undef X
	};
	bool any = false;

	if (!s->view)
		return UNKNOWN;
	if (n->kind == NODE_FINDING)
		return answer((s->view->findings >> n->number & 1) == (n->compare != CMP_NE));
	for (unsigned kind = 0; kind < FINDING_COUNT; kind++)
		if (s->view->findings >> kind & 1)
			any |= filter_compares(severity[kind], n->compare, n->number);
	return answer(any);
}

/* What a drop or an end gives as its reason. */
static uint64_t reason_of(const struct event *ev)
{
	if (ev->type == EVENT_DROP)
		return REASON_OF_DROP(ev->drop);
	return ev->type == EVENT_END ? REASON_OF_END((uint64_t)ev->reason) : REASON_OF_END(END_NONE);
}

/* A block list's drop is that of the limit, too, that put the entry there. */
static enum answer eval_rule(const struct node *n, const struct subject *s)
{
	bool same;

	if (s->ev->type == EVENT_DROP && !s->names)
		return UNKNOWN;
	same = s->ev->type == EVENT_DROP && (rule_named(n->name, s->names->rule) || rule_named(n->name, s->names->listed_by));
	return answer(same == (n->compare != CMP_NE));
}

static enum answer eval_event(const struct node *n, const struct subject *s)
{
	if (!s->ev)
		return UNKNOWN;
	if (n->kind == NODE_RULE)
		return eval_rule(n, s);
	return answer(filter_compares(n->kind == NODE_TYPE ? s->ev->type : reason_of(s->ev), n->compare, n->number));
}

static enum answer eval(const struct node *n, const void *subject)
{
	const struct subject *s = subject;

	switch (n->kind) {
	case NODE_STATE:
		return answer(eval_state(n, s));
	case NODE_ADDR:
		return answer(eval_addr(n, s));
	case NODE_PORT:
		return answer(filter_compares(key_port(s->key, s->orig ^ (int)n->end), n->compare, n->number));
	case NODE_NUMBER:
		return eval_number(n, s);
	case NODE_FINDING:
	case NODE_SEVERITY:
		return eval_finding(n, s);
	case NODE_TYPE:
	case NODE_REASON:
	case NODE_RULE:
		return eval_event(n, s);
	default:
		return answer(eval_named(n, s));
	}
}

/* ---- the tree ---- */
/* Recursion is as deep as the parser let the filter be nested. */
enum answer filter_walk(const struct node *n, enum answer (*leaf)(const struct node *n, const void *subject),
			const void *subject)
{
	enum answer sum = n->kind == NODE_ALL ? YES : NO;

	if (n->kind == NODE_NOT)
		return YES - filter_walk(n->child, leaf, subject);
	if (n->kind != NODE_ALL && n->kind != NODE_ANY)
		return leaf(n, subject);
	for (const struct node *child = n->child; child; child = child->next) {
		enum answer one = filter_walk(child, leaf, subject);

		if (n->kind == NODE_ALL ? one < sum : one > sum)
			sum = one;
	}
	return sum;
}

static uint32_t state_bit(enum tcp_state state)
{
	return state < STATE_COUNT ? 1U << state : 0;
}

/* True if the flow matches. Flows whose ends are both gone match only filters that name them (state closed, state all,
 * end REASON). */
bool filter_match_flow(const struct filter *f, const struct flow_view *view)
{
	const struct flow *flow = view->flow;
	int orig = flow_orig(flow);
	struct subject s = {
		.key = view->key,
		.orig = orig,
		.states = { state_bit(flow->state[orig]), state_bit(flow->state[!orig]) },
		.flags = flow->flags & FLAGS_REPORTED,
		.reason = flow->end_reason,
		.iface = view->iface,
		.vlan = flow->vlan,
		.view = view,
	};

	if (!f->shows_closed && !((s.states[0] | s.states[1]) & ~STATES_CLOSED))
		return false;
	return filter_walk(f->root, eval, &s) == YES;
}

/* True if the event matches by its type, its tuple, its states (new or old), flags, reason, VLAN and interface (NULL: unknown),
 * a drop also by whom it is owed to. Ends of flows are not hidden. */
bool filter_match_event(const struct filter *f, const struct event *ev, const char *iface, const struct drop_names *names)
{
	int orig = ev->orig & 1;
	struct subject s = {
		.key = &ev->key,
		.orig = orig,
		.states = { state_bit(ev->state[orig]), state_bit(ev->state[!orig]) },
		.flags = ev->type == EVENT_DROP ? 0 : ev->flags & FLAGS_REPORTED,
		.reason = ev->type == EVENT_END ? ev->reason : END_NONE,
		.iface = iface,
		.vlan = ev->vlan,
		.ev = ev,
		.names = names,
	};

	/* before the first event there was no flow: its old states are not asked for */
	if (ev->type == EVENT_STATE && !ev->first) {
		s.states[0] |= state_bit(ev->old_state[orig]);
		s.states[1] |= state_bit(ev->old_state[!orig]);
	}
	return filter_walk(f->root, eval, &s) == YES;
}
