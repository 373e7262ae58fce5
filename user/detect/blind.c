// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What cannot be seen now, and what is found in the counters of the whole instance. */
#include "detect/internal.h"

#define BLIND_LEAST 20 /* a share of fewer flows says nothing */
#define UNANSWERED_LEAST 5

/* ---- counters of the last seconds ---- */
static struct snapshot snapshot_of(const struct detector *d)
{
	const struct ward_counters *c = d->view->counters;
	struct snapshot s = { .ns = d->now_ns };

	if (!c)
		return s;
	s.flows_new = c->counter[CNT_FLOWS_NEW];
	s.one_way = c->flag[FLAG_BIT_ASYM];
	s.ack_unseen = c->flag[FLAG_BIT_ACK_UNSEEN];
	s.strays = c->counter[CNT_STRAY_OTHER] + c->counter[CNT_MIDSTREAM_NEW];
	s.table_full = c->counter[CNT_TABLE_FULL];
	s.syns = c->edge[CLOSED][LISTEN];
	s.answers = c->edge[LISTEN][SYN_RECEIVED] + c->edge[LISTEN][ESTABLISHED] + c->counter[CNT_END_REFUSED];
	s.seen = c->edge[LISTEN][SYN_RECEIVED] + c->counter[CNT_END_REFUSED] + c->counter[CNT_COOKIE_SENT];
	return s;
}

/* Since the youngest snapshot that is at least so old, else since the oldest there is. */
struct snapshot counted_in(const struct detector *d, unsigned seconds)
{
	struct snapshot now = d->snapshot[(d->snapshots - 1) % SNAPSHOTS], then = now;
	unsigned kept = d->snapshots < SNAPSHOTS ? d->snapshots : SNAPSHOTS;

	for (unsigned i = 1; i < kept; i++) {
		then = d->snapshot[(d->snapshots - 1 - i) % SNAPSHOTS];
		if (now.ns - then.ns >= seconds * DETECT_SECOND)
			break;
	}
	return (struct snapshot){ .ns = now.ns - then.ns,
				  .flows_new = now.flows_new - then.flows_new,
				  .one_way = now.one_way - then.one_way,
				  .ack_unseen = now.ack_unseen - then.ack_unseen,
				  .strays = now.strays - then.strays,
				  .table_full = now.table_full - then.table_full,
				  .syns = now.syns - then.syns,
				  .answers = now.answers - then.answers,
				  .seen = now.seen - then.seen };
}

/* The new flows that say which directions pass here: a SYN without an answer says nothing, and floods are made of them. */
static uint64_t telling(const struct snapshot *counted)
{
	uint64_t silent = counted->syns > counted->answers ? counted->syns - counted->answers : 0;

	return counted->flows_new > silent ? counted->flows_new - silent : 0;
}

/* ---- blindness ---- */
static const uint64_t suppresses[BLIND_COUNT] = {
	/* What has seen SYN and SYN-ACK, or SYN and RST, has seen both directions: it is said whatever the others are. */
	[BLIND_ONE_WAY] = FINDING_BIT(STALE_SYN) | FINDING_BIT(DEAD_PEER) | FINDING_BIT(BACKSCATTER) |
			  FINDING_BIT(ZERO_WINDOW),
	[BLIND_MIRROR_LOSS] = FINDING_BIT(DEAD_PEER) | FINDING_BIT(RST_INJECTION) | FINDING_BIT(RETRANSMISSION) |
			      FINDING_BIT(OUT_OF_STATE_FLOOD) | FINDING_BIT(SYN_INJECTION),
	[BLIND_MERGED] = FINDING_BIT(RETRANSMISSION),
	[BLIND_GRACE] = FINDING_BIT(OUT_OF_STATE_FLOOD) | FINDING_BIT(BACKSCATTER),
	[BLIND_TABLE_FULL] = FINDING_BIT(OUT_OF_STATE_FLOOD) | FINDING_BIT(BACKSCATTER),
};

unsigned long long detector_suppresses(unsigned blind)
{
	unsigned long long kinds = 0;

	for (unsigned i = 0; i < BLIND_COUNT; i++)
		if (blind >> i & 1)
			kinds |= suppresses[i];
	return kinds;
}

void find_blindness(struct detector *d)
{
	const struct detect_view *v = d->view;
	struct snapshot minute;
	uint64_t flows;

	d->snapshot[d->snapshots++ % SNAPSHOTS] = snapshot_of(d);
	minute = counted_in(d, 60);
	flows = telling(&minute);
	d->blind = 0;
	if (flows >= BLIND_LEAST && minute.one_way * 2 > flows)
		d->blind |= 1U << BLIND_ONE_WAY;
	/*
	 * The same where limits are concerned. Of fewer flows: what a limit drops is none. And who floods can forge what looks like one
	 * way, but not keep the host from answering somebody: so hardly any answer may be seen.
	 */
	d->unanswered = flows >= UNANSWERED_LEAST && minute.one_way * 2 > flows && minute.seen < BLIND_LEAST && minute.seen * 20 < flows;
	if (v->tap || (flows >= BLIND_LEAST && minute.ack_unseen * 20 > flows))
		d->blind |= 1U << BLIND_MIRROR_LOSS;
	if (v->merged)
		d->blind |= 1U << BLIND_MERGED;
	if (d->now_ns < v->started_ns + opt(d, PARAM_OUT_OF_STATE_FLOOD_GRACE))
		d->blind |= 1U << BLIND_GRACE;
	if (counted_in(d, 10).table_full)
		d->blind |= 1U << BLIND_TABLE_FULL;
	d->suppressed = detector_suppresses(d->blind);
}

/* ---- segments of no flow: the instance counts them, whoever sends them ---- */
static const struct service *most_strays(const struct detector *d, uint32_t *count)
{
	const struct service *most_of = NULL;

	*count = 0;
	for (unsigned i = 0; i < d->view->service_room; i++) {
		const struct service *s = &d->view->services[i];
		uint32_t n = s->live ? most(service_10s(s, SERVICE_OUT_OF_STATE)) : 0;

		if (n > *count) {
			*count = n;
			most_of = s;
		}
	}
	return most_of;
}

void find_everywhere(struct detector *d)
{
	static const struct home everywhere;
	struct claim c = claim_of_home(FINDING_OUT_OF_STATE_FLOOD, SUBJECT_PREFIX, &everywhere);
	uint64_t strays = counted_in(d, 10).strays, limit = opt(d, PARAM_OUT_OF_STATE_FLOOD_ACKS);
	const struct service *s;
	uint32_t there;

	if (!holds(d, &c, strays, limit))
		return;
	s = most_strays(d, &there);
	c.f.evidence[0] = strays;
	c.f.limit[0] = limit;
	if (s && (uint64_t)there * 2 > strays) {
		c = claim_of_service(FINDING_OUT_OF_STATE_FLOOD, s);
		c.f.samples = 0;
		c.f.evidence[0] = there;
	}
	c.f.evidence[1] = strays;
	claim(d, &c);
}
