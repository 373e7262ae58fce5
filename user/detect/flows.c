// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What is found on single flows. One finding for a flow; where another flow of the same source or service has it too, one
 * for both: nobody reads a hundred lines that say the same.
 */
#include <errno.h>
#include <stdlib.h>

#include "detect/internal.h"

#define SPREAD 16 /* sources that have it at one service: it is the service's */

struct hit_ref {
	const struct flow_hit *hit;
	struct home home;
	uint64_t hash;
};

int room_for_hits(struct detector *d)
{
	d->ref = calloc(HITS_MAX, sizeof(*d->ref));
	return d->ref ? 0 : -ENOMEM;
}

/* Into which rows of evidence the numbers of a group go; -1: nowhere. */
struct group_rows {
	enum finding_kind kind;
	int8_t flows, age, most, sum, share;
};

static const struct group_rows flow_kinds[] = {
	{ FINDING_STALE_SYN, 0, 1, 2, -1, -1 },
	{ FINDING_HALF_OPEN, 0, 1, 2, -1, -1 },
	{ FINDING_ACCEPT_QUEUE_FULL, 0, 2, 1, -1, -1 },
	{ FINDING_DEAD_PEER, 0, 1, 2, -1, -1 },
	{ FINDING_TIME_WAIT_ASSASSINATION, 0, -1, 1, -1, -1 },
	{ FINDING_FIN_STORM, 2, -1, 1, 0, -1 },
	{ FINDING_TIME_WAIT_PINNING, 0, 2, 1, -1, -1 },
	{ FINDING_CLOSE_WAIT_LEAK, 0, 1, -1, -1, -1 },
	{ FINDING_FIN_WAIT_2_HANG, 0, 1, -1, -1, -1 },
	{ FINDING_ZERO_WINDOW, 0, 1, -1, -1, -1 },
	{ FINDING_RST_INJECTION, 0, -1, 1, -1, -1 },
	{ FINDING_SYN_INJECTION, 0, -1, 1, -1, -1 },
	{ FINDING_RETRANSMISSION, 2, -1, -1, 0, 1 },
};

#define SPREAD_ROW 5 /* of stale-syn and half-open: different sources */

static int by_home(const void *a, const void *b)
{
	const struct hit_ref *x = a, *y = b;

	if (x->hash != y->hash)
		return x->hash < y->hash ? -1 : 1;
	return memcmp(&x->home, &y->home, sizeof(x->home));
}

static void home_of(struct hit_ref *r, void (*which)(const struct flow_key *, unsigned, struct home *))
{
	which(&r->hit->key, r->hit->orig & 1, &r->home);
	r->hash = home_hash(0, &r->home);
}

static unsigned same_home(const struct hit_ref *r, unsigned left)
{
	unsigned n = 1;

	while (n < left && !by_home(r, r + n))
		n++;
	return n;
}

/* ---- a group becomes a claim ---- */
static void put(struct finding *f, int8_t row, uint64_t value)
{
	if (row >= 0 && value > f->evidence[row])
		f->evidence[row] = value;
}

static void numbers_of(struct detector *d, struct claim *c, const struct group_rows *rows, const struct hit_ref *r,
		       unsigned n)
{
	uint64_t sum = 0;

	put(&c->f, rows->flows, n);
	for (unsigned i = 0; i < n; i++) {
		const struct flow_hit *hit = r[i].hit;

		if (hit->since_ns && hit->since_ns < d->now_ns)
			put(&c->f, rows->age, d->now_ns - hit->since_ns);
		put(&c->f, rows->most, hit->count);
		put(&c->f, rows->share, hit->share);
		sum += hit->count;
		if (c->f.samples < FINDING_SAMPLES) {
			c->f.sample[c->f.samples] = hit->key;
			c->f.sample_orig[c->f.samples++] = hit->orig & 1;
		}
	}
	put(&c->f, rows->sum, sum);
	if (c->kind == FINDING_DEAD_PEER && c->f.evidence[rows->most] < opt(d, PARAM_DEAD_PEER_REPEATS))
		c->f.limit[rows->most] = opt(d, PARAM_DEAD_PEER_PROBES); /* so it is probes that were not answered */
	c->f.at_least = d->hits_capped;
}

static void claim_group(struct detector *d, const struct group_rows *rows, const struct hit_ref *r, unsigned n,
			enum finding_subject wide)
{
	struct claim c = claim_of_home(rows->kind, wide, &r->home);
	const struct source *s = wide == SUBJECT_SOURCE ? source_of(d, &r->home) : NULL;

	if (n == 1) {
		c.f.subject = SUBJECT_FLOW;
		c.f.prefix_len = 0;
		c.f.key = r->hit->key;
		c.f.orig = r->hit->orig & 1;
	}
	numbers_of(d, &c, rows, r, n);
	if (s)
		source_completion(d, s, &c.f);
	claim(d, &c);
}

/* ---- stale and half-open SYNs: by source, unless something larger explains them ---- */
static bool flooded(struct detector *d, const struct hit_ref *r)
{
	return standing_at(d, FINDING_SYN_FLOOD, SUBJECT_SERVICE, r->home.addr, r->home.port, r->home.vlan) != NULL;
}

static unsigned sources_of(struct hit_ref *r, unsigned n)
{
	unsigned count = 0;

	for (unsigned i = 0; i < n; i++)
		home_of(&r[i], flow_source);
	qsort(r, n, sizeof(*r), by_home);
	for (unsigned i = 0; i < n; i += same_home(r + i, n - i))
		count++;
	return count;
}

/* True: these hits, all of one service, are said about the service. Else they come back sorted by source. */
static bool claim_spread(struct detector *d, const struct group_rows *rows, struct hit_ref *r, unsigned n)
{
	struct claim c = claim_of_home(rows->kind, SUBJECT_SERVICE, &r->home);
	unsigned sources = sources_of(r, n);

	if (!holds(d, &c, sources, SPREAD))
		return false;
	numbers_of(d, &c, rows, r, n);
	c.f.evidence[SPREAD_ROW] = sources;
	claim(d, &c);
	return true;
}

/* Keeps in r what is to be grouped by source. */
static unsigned leave_to_sources(struct detector *d, const struct group_rows *rows, struct hit_ref *r, unsigned count)
{
	unsigned left = 0, n;

	for (unsigned i = 0; i < count; i++)
		home_of(&r[i], flow_service);
	qsort(r, count, sizeof(*r), by_home);
	for (unsigned i = 0; i < count; i += n) {
		n = same_home(r + i, count - i);
		if (flooded(d, r + i) || claim_spread(d, rows, r + i, n))
			continue;
		memmove(r + left, r + i, n * sizeof(*r));
		left += n;
	}
	return left;
}

/* The source is known for something that explains it, or cannot be judged. */
static bool explained(struct detector *d, enum finding_kind kind, const struct hit_ref *r)
{
	const struct source *s;

	if (!grouped_by_source(kind))
		return false;
	s = kind == FINDING_STALE_SYN ? source_of(d, &r->home) : NULL;
	if (s && source_one_way(s)) /* its SYNs may be answered another way */
		return true;
	return kind == FINDING_HALF_OPEN &&
	       standing_at(d, FINDING_REFLECTION, SUBJECT_SOURCE, r->home.addr, 0, 0) != NULL;
}

/* What explains that much is sent again: no loss. */
#define NO_LOSS (FINDING_BIT(DEAD_PEER) | FINDING_BIT(ACCEPT_QUEUE_FULL) | FINDING_BIT(ZERO_WINDOW))

/* Fills d->ref with the hits of a kind. */
static unsigned hits_of(struct detector *d, enum finding_kind kind)
{
	const struct flow_hits *hits = d->view->hits;
	uint64_t without = kind == FINDING_RETRANSMISSION ? NO_LOSS : 0;
	unsigned count = 0, listed = 0;

	for (unsigned i = 0; i < hits->count && i < HITS_MAX; i++) {
		if (!(hits->hit[i].mask >> kind & 1))
			continue;
		listed++;
		if (!(hits->hit[i].mask & without))
			d->ref[count++].hit = &hits->hit[i];
	}
	d->hits_capped = hits->total[kind] > listed;
	return count;
}

static void find_kind(struct detector *d, const struct group_rows *rows)
{
	bool by_source = grouped_by_source(rows->kind);
	struct hit_ref *r = d->ref;
	unsigned count = hits_of(d, rows->kind), n;

	if (by_source)
		count = leave_to_sources(d, rows, r, count);
	for (unsigned i = 0; i < count; i++)
		home_of(&r[i], by_source ? flow_source : flow_service);
	qsort(r, count, sizeof(*r), by_home);
	for (unsigned i = 0; i < count; i += n) {
		n = same_home(r + i, count - i);
		if (!explained(d, rows->kind, r + i))
			claim_group(d, rows, r + i, n, by_source ? SUBJECT_SOURCE : SUBJECT_SERVICE);
	}
}

void find_in_flows(struct detector *d)
{
	if (!d->view->hits || !d->view->hits->count)
		return;
	for (unsigned i = 0; i < ARRAY_SIZE(flow_kinds); i++)
		find_kind(d, &flow_kinds[i]);
}
