// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* filter_findings: does a finding match? In the three values of filter_eval.c: a finding has neither states nor flags. */
#include "finding.h"
#include "report/filter_tree.h"
#include "report/internal.h"

struct subject {
	const struct finding *finding;
	uint64_t now_ns;
};

/* One end of what a finding is about, as far as it says. */
struct place {
	const __u8 *addr; /* NULL: any */
	int prefix;       /* bits of addr that count */
	const __u16 *port; /* NULL: any */
};

/* A source of IPv6 is a /64: its host bits are 0. */
static int source_bits(const __u8 addr[16])
{
	for (int i = 8; i < 16; i++)
		if (addr[i])
			return 128;
	return addr_is_v4(addr) ? 128 : 64;
}

static struct place place_of(const struct finding *f, enum which_end end)
{
	const struct flow_key *key = &f->key;
	struct place service = { key->a_addr, 128, &key->a_port }, nowhere = { NULL, 0, NULL };

	switch (f->subject) {
	case SUBJECT_FLOW: {
		int side = (f->orig & 1) ^ (int)end;

		return (struct place){ key_addr(key, side), 128, side ? &key->b_port : &key->a_port };
	}
	case SUBJECT_SERVICE:
		return end == END_RESP ? service : nowhere;
	case SUBJECT_PREFIX:
		if (end == END_ORIG)
			return (struct place){ key->a_addr, f->prefix_len + (addr_is_v4(key->a_addr) ? 96 : 0), NULL };
		break;
	case SUBJECT_SOURCE:
		if (end == END_ORIG)
			return (struct place){ key->a_addr, source_bits(key->a_addr), NULL };
		break;
	}
	return key->b_port && end == END_RESP ? (struct place){ key->b_addr, 128, &key->b_port } : nowhere;
}

static enum answer eval_port(const struct node *n, const struct place *p, enum compare compare)
{
	return p->port ? answer(filter_compares(*p->port, compare, n->number)) : UNKNOWN;
}

/* A prefix that was found matches all addresses in it, and every prefix around it. */
static enum answer eval_addr(const struct node *n, const struct finding *f)
{
	struct place p = place_of(f, n->end);
	enum answer same;

	if (!p.addr)
		return UNKNOWN;
	same = answer(filter_in_prefix(p.addr, n->addr, n->prefix < p.prefix ? n->prefix : p.prefix));
	if (same == YES && n->has_port)
		same = eval_port(n, &p, CMP_EQ);
	return n->compare == CMP_NE ? YES - same : same;
}

static enum answer eval_number(const struct node *n, const struct subject *s)
{
	uint64_t raised = s->finding->raised_ns;

	if (n->quantity == Q_AGE)
		return answer(filter_compares(s->now_ns > raised ? s->now_ns - raised : 0, n->compare, n->number));
	return UNKNOWN;
}

static enum answer eval(const struct node *n, const void *subject)
{
	const struct subject *s = subject;
	struct place p;

	switch (n->kind) {
	case NODE_FINDING:
		return answer(filter_compares(s->finding->kind, n->compare, n->number));
	case NODE_SEVERITY:
		return answer(filter_compares(s->finding->severity, n->compare, n->number));
	case NODE_ADDR:
		return eval_addr(n, s->finding);
	case NODE_PORT:
		p = place_of(s->finding, n->end);
		return eval_port(n, &p, n->compare);
	case NODE_NUMBER:
		return eval_number(n, s);
	case NODE_TYPE:
		return answer(filter_compares(TYPE_FINDING, n->compare, n->number));
	default:
		return UNKNOWN;
	}
}

bool filter_match_finding(const struct filter *f, const struct finding *finding, uint64_t now_ns)
{
	struct subject s = { finding, now_ns };

	return filter_walk(f->root, eval, &s) == YES;
}

/* The word of a condition on what flows have and findings have not; NULL: it is another one. */
static const char *word_of_flow(const struct node *n)
{
	static const char *const quantities[] = {
		[Q_IDLE] = "idle", [Q_BYTES] = "bytes", [Q_PKTS] = "pkts", [Q_RTX] = "rtx", [Q_VLAN] = "vlan",
	};

	if (n->kind == NODE_NUMBER)
		return quantities[n->quantity];
	return n->kind == NODE_STATE ? "state" : n->kind == NODE_FLAG ? "flag" : n->kind == NODE_END ? "end" :
	       n->kind == NODE_DEV   ? "dev" :
				       NULL;
}

/* ... on what events alone have. */
static const char *word_of_event(const struct node *n)
{
	return n->kind == NODE_TYPE ? "type" : n->kind == NODE_REASON ? "reason" : n->kind == NODE_RULE ? "rule" : NULL;
}

/* The first of them in the tree. */
static const char *first_word(const struct node *n, const char *(*word_of)(const struct node *n))
{
	const char *word = word_of(n);

	for (n = n->child; n && !word; n = n->next)
		word = first_word(n, word_of);
	return word;
}

const char *filter_of_events(const struct filter *f)
{
	return f->root ? first_word(f->root, word_of_event) : NULL;
}

const char *filter_of_flows(const struct filter *f)
{
	const char *word = f->root ? first_word(f->root, word_of_flow) : NULL;

	return word ? word : filter_of_events(f);
}
