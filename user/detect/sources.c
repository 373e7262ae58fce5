// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What is found about one source, or one prefix: too many of something, or too few that succeed. */
#include <errno.h>
#include <stdlib.h>

#include "detect/internal.h"

/* ---- the live ones, and where to find them ---- */
static bool is_aggregate(const struct source *s)
{
	return s->prefix_len == 24 || s->prefix_len == 48;
}

static uint32_t *source_head(const struct detector *d, const uint8_t addr[16])
{
	struct home home = { .port = 0 };

	memcpy(home.addr, addr, 16);
	return &d->source_chain[home_hash(0, &home) % d->source_room];
}

static int room_for_sources(struct detector *d, unsigned room)
{
	if (room <= d->source_room)
		return 0;
	free(d->source);
	free(d->source_chain);
	free(d->source_next);
	d->source = calloc(room, sizeof(*d->source));
	d->source_chain = calloc(room, sizeof(*d->source_chain));
	d->source_next = calloc(room, sizeof(*d->source_next));
	d->source_room = d->source && d->source_chain && d->source_next ? room : 0;
	return d->source_room ? 0 : -ENOMEM;
}

/* Singles from the front of d->source, aggregates from its end. */
int index_sources(struct detector *d)
{
	const struct detect_view *v = d->view;

	d->singles = d->aggregates = 0;
	if (room_for_sources(d, v->source_room))
		return -ENOMEM;
	if (!v->source_room)
		return 0;
	memset(d->source_chain, 0, d->source_room * sizeof(*d->source_chain));
	for (unsigned i = 0; i < v->source_room; i++) {
		const struct source *s = &v->sources[i];
		uint32_t *head;

		if (!s->live)
			continue;
		if (is_aggregate(s)) {
			d->source[d->source_room - ++d->aggregates] = i;
			continue;
		}
		d->source[d->singles++] = i;
		head = source_head(d, s->addr);
		d->source_next[i] = *head;
		*head = i + 1;
	}
	return 0;
}

const struct source *source_of(const struct detector *d, const struct home *home)
{
	if (!d->singles)
		return NULL;
	for (uint32_t i = *source_head(d, home->addr); i; i = d->source_next[i - 1])
		if (!memcmp(d->view->sources[i - 1].addr, home->addr, 16))
			return &d->view->sources[i - 1];
	return NULL;
}

bool source_one_way(const struct source *s)
{
	struct recent one_way = source_60s(s, SOURCE_ONE_WAY), begun = source_60s(s, SOURCE_NEW);

	return (uint64_t)(one_way.now + one_way.last) * 10 > begun.now + begun.last;
}

/* ---- an aggregate speaks only where no single source does ---- */
static bool within(const struct finding *f, const struct source *s)
{
	unsigned bytes = addr_v4(s->addr) ? 12 + s->prefix_len / 8 : s->prefix_len / 8;

	return f->subject == SUBJECT_SOURCE && !memcmp(f->key.a_addr, s->addr, bytes);
}

static bool spoken_for(const struct detector *d, const struct source *s, enum finding_kind kind)
{
	if (!is_aggregate(s))
		return false;
	for (int i = 0; i < FINDING_ROOM; i++) {
		const struct finding *f = &d->table[i];

		if (f->id && !f->cleared_ns && f->kind == kind && within(f, s))
			return true;
	}
	return false;
}

/* ---- one evaluation each ---- */
static void note_completed(const struct source *s, struct finding *f)
{
	int row = completed_row(f->kind);

	if (row >= 0)
		f->evidence[row] = most(source_60s(s, SOURCE_COMPLETED));
}

void source_completion(const struct detector *d, const struct source *s, struct finding *f)
{
	struct share completed = share_of(source_60s(s, SOURCE_COMPLETED), source_60s(s, SOURCE_NEW),
					  (uint32_t)opt(d, PARAM_HALF_OPEN_MAX) / 2);

	f->evidence[COMPLETION_ROW] = completed.percent;
	f->evidence[COMPLETION_ROW + 1] = completed.of;
	note_completed(s, f);
}

/* So many in 10 s: a few a second that nobody answers would be as many at once, since each is kept for a while. */
static void stale_syns(struct detector *d, const struct source *s)
{
	uint32_t waiting = s->now[d->view->half][SOURCE_NOW_STALE], stale = most(source_10s(s, SOURCE_STALE));
	struct claim c;

	if (!waiting || !near(stale, opt(d, PARAM_STALE_SYN_MANY)))
		return;
	c = claim_of_source(FINDING_STALE_SYN, s);
	if (!holds(d, &c, stale, opt(d, PARAM_STALE_SYN_MANY)) || spoken_for(d, s, c.kind))
		return;
	c.f.severity = SEVERITY_WARNING;
	c.f.evidence[0] = waiting;
	c.f.evidence[1] = opt(d, PARAM_STALE_SYN_AFTER); /* the oldest is at least that old */
	c.f.evidence[STALE_ROW] = stale;
	source_completion(d, s, &c.f);
	claim(d, &c);
}

static bool within_addr(const struct source *s, const struct home *home)
{
	unsigned bytes = s->prefix_len / 8 + (addr_v4(s->addr) ? 12 : 0);

	return !memcmp(s->addr, home->addr, bytes);
}

/*
 * A source's own samples are of what failed. Flows that it holds half open are among those of the services that suffer:
 * four each, so who makes most of them is there.
 */
static void samples_at_services(const struct detector *d, const struct source *s, struct finding *f)
{
	struct home home;

	f->samples = 0;
	for (unsigned i = 0; i < SUFFERING && d->suffering[i] && f->samples < FINDING_SAMPLES; i++) {
		const struct service *at = d->suffering[i];
		unsigned count = at->samples < ACCOUNT_SAMPLES ? at->samples : ACCOUNT_SAMPLES;

		for (unsigned j = 0; j < count && f->samples < FINDING_SAMPLES; j++) {
			flow_source(&at->sample[j], at->sample_orig[j] & 1, &home);
			if (!within_addr(s, &home))
				continue;
			f->sample[f->samples] = at->sample[j];
			f->sample_orig[f->samples++] = at->sample_orig[j] & 1;
		}
	}
}

/* True: it is one, so it is no half-open attack by that source. */
static bool reflection(struct detector *d, const struct source *s)
{
	struct recent completed = source_60s(s, SOURCE_COMPLETED);
	uint32_t repeated = s->now[d->view->half][SOURCE_NOW_HALF_OPEN_RTX];
	struct claim c;

	if (completed.now || completed.last || !near(repeated, opt(d, PARAM_REFLECTION_MAX)))
		return false;
	c = claim_of_source(FINDING_REFLECTION, s);
	if (!holds(d, &c, repeated, opt(d, PARAM_REFLECTION_MAX)))
		return false;
	c.f.evidence[0] = repeated;
	c.f.evidence[1] = s->now[d->view->half][SOURCE_NOW_HALF_OPEN];
	c.f.evidence[2] = most(source_60s(s, SOURCE_NEW));
	samples_at_services(d, s, &c.f);
	claim(d, &c);
	return true;
}

static void half_open(struct detector *d, const struct source *s)
{
	uint32_t open = s->now[d->view->half][SOURCE_NOW_HALF_OPEN];
	uint64_t max = opt(d, PARAM_HALF_OPEN_MAX);
	struct claim c;

	if (!near(open, max))
		return;
	c = claim_of_source(FINDING_HALF_OPEN, s);
	source_completion(d, s, &c.f);
	if (!holds(d, &c, open, max) ||
	    !holds_below(d, &c, c.f.evidence[COMPLETION_ROW], opt(d, PARAM_HALF_OPEN_COMPLETION)) || spoken_for(d, s, c.kind))
		return;
	c.hold_ns = NEXT_LOOK_NS; /* a proxy that opens hundreds at once has them half open for one round trip */
	c.f.evidence[0] = open;
	samples_at_services(d, s, &c.f);
	claim(d, &c);
}

static void backscatter(struct detector *d, const struct source *s)
{
	struct recent unasked = source_10s(s, SOURCE_UNASKED), completed = source_10s(s, SOURCE_COMPLETED);
	struct claim c;
	unsigned peers;

	if (!most(unasked))
		return;
	c = claim_of_source(FINDING_BACKSCATTER, s);
	peers = distinct_count(&s->peers, &s->peers_last);
	if (peers > unasked.now + unasked.last) /* an estimate */
		peers = unasked.now + unasked.last;
	if (!holds(d, &c, peers, opt(d, PARAM_BACKSCATTER_PEERS)))
		return;
	/* its ACKs follow the SYN-ACKs: it did send the SYNs, along another way */
	if ((uint64_t)(completed.now + completed.last) * 10 > unasked.now + unasked.last)
		return;
	c.f.evidence[0] = peers;
	c.f.evidence[1] = most(unasked);
	claim(d, &c);
}

/*
 * Attempts that were in vain for sure. SOURCE_FAILED counts those too that a SYN-ACK answered and the source reset: Happy
 * Eyeballs and health checks do that all day.
 */
static uint32_t in_vain(const struct source *s)
{
	struct recent refused = source_60s(s, SOURCE_REFUSED), stale = source_60s(s, SOURCE_STALE);

	return most(plus(plus(refused, stale), source_60s(s, SOURCE_BAD_FLAGS)));
}

/* One port of many hosts, nothing but silence, and it repeats its SYNs: a client whose IPv6 leads nowhere. */
static bool waits_for_answers(const struct source *s, const struct finding *f)
{
	struct recent stale = source_60s(s, SOURCE_STALE), repeated = source_60s(s, SOURCE_SYN_RTX);

	return f->evidence[SCAN_PORTS] <= 1 && !most(source_60s(s, SOURCE_REFUSED)) &&
	       !most(source_60s(s, SOURCE_BAD_FLAGS)) && repeated.now + repeated.last >= stale.now + stale.last;
}

/* Hosts and ports: a new window begins with none of them, so what was known stays. No more than there were targets. */
static void scan_shape(struct detector *d, const struct source *s, struct claim *c)
{
	const struct finding *before = standing(d, c);

	c->f.evidence[SCAN_HOSTS] = distinct_count(&s->hosts, NULL);
	c->f.evidence[SCAN_PORTS] = distinct_count(&s->ports, NULL);
	for (unsigned i = SCAN_HOSTS; i <= SCAN_PORTS; i++) {
		if (before && before->evidence[i] > c->f.evidence[i])
			c->f.evidence[i] = before->evidence[i];
		if (c->f.evidence[i] > c->f.evidence[0])
			c->f.evidence[i] = c->f.evidence[0];
	}
}

static void port_scan(struct detector *d, const struct source *s, bool one_way)
{
	struct recent completed = source_60s(s, SOURCE_COMPLETED), failed = source_60s(s, SOURCE_FAILED);
	uint64_t limit = opt(d, PARAM_PORT_SCAN_TARGETS);
	struct share success;
	struct claim c;
	uint32_t targets, attempts = failed.now + failed.last;

	if (!attempts || !near(in_vain(s), limit))
		return;
	targets = distinct_count(&s->targets, &s->targets_last);
	if (targets > attempts) /* an estimate */
		targets = attempts;
	if (!near(targets, limit))
		return;
	c = claim_of_source(FINDING_PORT_SCAN, s);
	success = share_of(completed, plus(completed, failed), (uint32_t)limit / 2);
	if (!holds(d, &c, targets, limit) || !holds(d, &c, in_vain(s), limit) ||
	    !holds_below(d, &c, success.percent, opt(d, PARAM_PORT_SCAN_SUCCESS)) || spoken_for(d, s, c.kind))
		return;
	c.f.evidence[0] = targets;
	c.f.evidence[1] = success.percent;
	scan_shape(d, s, &c);
	c.f.evidence[4] = success.of;
	note_completed(s, &c.f);
	if (most(source_60s(s, SOURCE_REFUSED)) < limit) { /* silence is in vain where an answer would be seen */
		if (d->blind >> BLIND_ONE_WAY & 1 && !standing(d, &c))
			return;
		c.f.evidence[SCAN_ONE_WAY] = one_way ? most(source_60s(s, SOURCE_ONE_WAY)) : 0;
		if (one_way || waits_for_answers(s, &c.f))
			c.f.severity = SEVERITY_INFO;
	}
	claim(d, &c);
}

static void retransmission(struct detector *d, const struct source *s)
{
	struct share again = share_of(source_10s(s, SOURCE_SYN_RTX), source_10s(s, SOURCE_NEW), HANDSHAKES_ENOUGH);
	uint64_t limit = opt(d, PARAM_RETRANSMISSION_HANDSHAKE);
	struct claim c;

	/* where no handshake completes, nobody is there: stale SYNs, a scan, but no loss */
	if (again.of < HANDSHAKES_ENOUGH || !most(source_10s(s, SOURCE_COMPLETED)) || !near(again.percent, limit))
		return;
	c = claim_of_source(FINDING_RETRANSMISSION, s);
	if (!holds(d, &c, again.percent, limit))
		return;
	c.f.evidence[0] = again.part;
	c.f.evidence[3] = again.percent;
	c.f.evidence[4] = again.part;
	c.f.evidence[5] = again.of;
	claim(d, &c);
}

#define FINS_OF_ONE 9 /* that Linux sends before it gives up */

/* Its clients went off, or keep their last ACK to themselves: the service repeats its FINs, as it must. */
static bool closes_in_vain(const struct detector *d, const struct source *s, uint32_t fins)
{
	uint64_t waiting = 0;

	for (unsigned i = 0; i < d->view->service_room; i++) {
		const struct service *at = &d->view->services[i];

		if (at->live && !memcmp(at->addr, s->addr, 16))
			waiting += at->now[d->view->half][SERVICE_NOW_LAST_ACK];
	}
	return fins <= waiting * FINS_OF_ONE;
}

/* Those that are nothing but a number in a window. */
static const struct {
	enum finding_kind kind;
	enum source_counter counter;
	enum detect_param limit;
	bool minute;	/* of 60 s, else of 10 s */
	bool aggregate; /* of a prefix too */
} plain[] = {
	{ FINDING_TIME_WAIT_REUSE, SOURCE_TIME_WAIT_REUSE, PARAM_TIME_WAIT_REUSE_MAX, false, false },
	{ FINDING_FIN_STORM, SOURCE_FIN_RTX, PARAM_FIN_STORM_MAX, false, false },
	{ FINDING_OUT_OF_STATE_FLOOD, SOURCE_OUT_OF_STATE, PARAM_OUT_OF_STATE_FLOOD_MAX, false, true },
	{ FINDING_BAD_FLAGS, SOURCE_BAD_FLAGS, PARAM_BAD_FLAGS_MAX, true, false },
	{ FINDING_ZERO_WINDOW, SOURCE_SHUT, PARAM_ZERO_WINDOW_FLOWS, true, false },
	{ FINDING_SYN_DATA, SOURCE_SYN_DATA, PARAM_SYN_DATA_MAX, false, true },
};

static void plain_numbers(struct detector *d, const struct source *s, bool one_way)
{
	for (unsigned i = 0; i < ARRAY_SIZE(plain); i++) {
		uint32_t n = most(plain[i].minute ? source_60s(s, plain[i].counter) : source_10s(s, plain[i].counter));
		struct claim c;

		if (!near(n, opt(d, plain[i].limit)))
			continue;
		if ((is_aggregate(s) && !plain[i].aggregate) || (one_way && plain[i].kind == FINDING_ZERO_WINDOW))
			continue;
		c = claim_of_source(plain[i].kind, s);
		if (!holds(d, &c, n, opt(d, plain[i].limit)) || spoken_for(d, s, c.kind))
			continue;
		if (c.kind == FINDING_FIN_STORM && closes_in_vain(d, s, n))
			continue;
		c.f.evidence[0] = n;
		note_completed(s, &c.f);
		claim(d, &c);
	}
}

static void find_in_source(struct detector *d, const struct source *s)
{
	bool one_way = source_one_way(s);

	plain_numbers(d, s, one_way);
	if (!one_way)
		stale_syns(d, s);
	if (is_aggregate(s) || !reflection(d, s)) /* SYN and SYN-ACK were seen: that is both directions */
		half_open(d, s);
	port_scan(d, s, one_way);
	if (is_aggregate(s))
		return;
	if (!one_way)
		backscatter(d, s);
	retransmission(d, s);
}

void find_in_sources(struct detector *d)
{
	for (unsigned i = 0; i < d->singles; i++)
		find_in_source(d, &d->view->sources[d->source[i]]);
	for (unsigned i = 0; i < d->aggregates; i++)
		find_in_source(d, &d->view->sources[d->source[d->source_room - 1 - i]]);
}
