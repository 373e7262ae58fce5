// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What is found about one service. */
#include <errno.h>
#include <stdlib.h>

#include "detect/internal.h"

#define LEAK_INTERVAL_NS (10 * DETECT_SECOND)

/* ---- growth over intervals ---- */
static void sample_leak(struct leak *l, const struct service *s, unsigned half)
{
	if (l->first_ns != s->first_ns)
		*l = (struct leak){ .first_ns = s->first_ns };
	memmove(l->old + 1, l->old, (GROWTH - 1) * sizeof(*l->old));
	l->old[0] = s->now[half][SERVICE_NOW_CLOSE_WAIT_OLD];
	l->samples++;
}

int grow_services(struct detector *d)
{
	const struct detect_view *v = d->view;

	if (v->service_room > d->leak_room) {
		free(d->leak);
		d->leak = calloc(v->service_room, sizeof(*d->leak));
		d->leak_room = d->leak ? v->service_room : 0;
		if (!d->leak)
			return -ENOMEM;
	}
	if (d->leak_ns && d->now_ns - d->leak_ns < LEAK_INTERVAL_NS)
		return 0;
	d->leak_ns = d->now_ns;
	for (unsigned i = 0; i < v->service_room; i++)
		if (v->services[i].live)
			sample_leak(&d->leak[i], &v->services[i], v->half);
	return 0;
}

static bool grows(const struct leak *l, const struct service *s)
{
	if (l->first_ns != s->first_ns || l->samples < GROWTH)
		return false;
	for (unsigned i = 0; i + 1 < GROWTH; i++)
		if (l->old[i] <= l->old[i + 1])
			return false;
	return true;
}

/* ---- one evaluation each ---- */
/*
 * Who does not answer at all may be dead, with clients that mean it: those repeat their SYNs. A flood does not. And who
 * waits for its application to accept drops SYNs: those say nothing.
 */
static uint32_t flood_size(const struct detector *d, const struct service *s)
{
	unsigned half = d->view->half;
	struct recent repeated = service_10s(s, SERVICE_SYN_RTX), begun = service_10s(s, SERVICE_NEW);
	uint32_t half_open = s->now[half][SERVICE_NOW_HALF_OPEN], unanswered = s->now[half][SERVICE_NOW_UNANSWERED];

	if (s->now[half][SERVICE_NOW_ACCEPT_QUEUE] || d->blind >> BLIND_ONE_WAY & 1) /* it may answer another way */
		return half_open;
	if (!half_open && !most(service_10s(s, SERVICE_ANSWERED)) &&
	    (uint64_t)(repeated.now + repeated.last) * 2 >= begun.now + begun.last)
		return 0;
	return half_open + unanswered;
}

static void syn_flood(struct detector *d, const struct service *s)
{
	struct recent answered = service_10s(s, SERVICE_ANSWERED), begun = service_10s(s, SERVICE_NEW);
	uint32_t size = flood_size(d, s), enough = (uint32_t)opt(d, PARAM_SYN_FLOOD_MIN) / 2;
	struct share completed;
	struct claim c;

	if (!near(size, opt(d, PARAM_SYN_FLOOD_MIN)))
		return;
	c = claim_of_service(FINDING_SYN_FLOOD, s);
	if (!holds(d, &c, size, opt(d, PARAM_SYN_FLOOD_MIN)))
		return;
	completed = share_of(service_10s(s, SERVICE_COMPLETED), most(answered) ? answered : begun, enough);
	if (!completed.of) /* nothing begun in 10 s: it ebbs away */
		return;
	if (!holds_below(d, &c, completed.percent, opt(d, PARAM_SYN_FLOOD_COMPLETION)))
		return;
	c.hold_ns = NEXT_LOOK_NS; /* a thousand clients at once are half open for one round trip */
	c.f.evidence[0] = size;
	c.f.evidence[1] = completed.percent;
	c.f.evidence[2] = s->now[d->view->half][SERVICE_NOW_HALF_OPEN];
	c.f.evidence[3] = s->now[d->view->half][SERVICE_NOW_UNANSWERED];
	c.f.evidence[4] = most(begun);
	c.f.evidence[5] = most(service_10s(s, SERVICE_EVICTED));
	claim(d, &c);
}

static void close_wait_leak(struct detector *d, const struct service *s, const struct leak *l)
{
	uint32_t idle = s->now[d->view->half][SERVICE_NOW_CLOSE_WAIT_OLD];
	struct claim c;

	if (!near(idle, opt(d, PARAM_CLOSE_WAIT_LEAK_MANY)))
		return;
	c = claim_of_service(FINDING_CLOSE_WAIT_LEAK, s);
	if (!holds(d, &c, idle, opt(d, PARAM_CLOSE_WAIT_LEAK_MANY)))
		return;
	c.f.samples = 0; /* the record's are half-open ones; the flows' own come with their claim */
	if (idle >= opt(d, PARAM_CLOSE_WAIT_LEAK_MANY) && grows(l, s)) {
		c.f.severity = SEVERITY_WARNING;
		c.f.evidence[2] = l->old[0] - l->old[GROWTH - 1];
	}
	c.f.evidence[0] = idle;
	c.f.evidence[1] = opt(d, PARAM_CLOSE_WAIT_LEAK_AFTER);
	claim(d, &c);
}

/*
 * Clients that lose power right after their FIN leave a heap of LAST-ACK behind, once. A flood goes on: some are always
 * young. So it must hold for a while that they keep coming.
 */
static void last_ack_flood(struct detector *d, const struct service *s)
{
	const uint32_t *now = s->now[d->view->half];
	uint32_t all = now[SERVICE_NOW_LAST_ACK], old = now[SERVICE_NOW_LAST_ACK_OLD];
	uint32_t flows = now[SERVICE_NOW_HALF_OPEN] + now[SERVICE_NOW_OPEN] + now[SERVICE_NOW_CLOSING] +
			 now[SERVICE_NOW_TIME_WAIT];
	uint64_t share = percent_of(all, flows);
	struct claim c;

	if (!near(old, LAST_ACK_LEAST) && !near(old, opt(d, PARAM_LAST_ACK_FLOOD_MAX)))
		return;
	if (all < old || (uint64_t)(all - old) * 20 < all)
		return;
	c = claim_of_service(FINDING_LAST_ACK_FLOOD, s);
	if (!holds(d, &c, old, opt(d, PARAM_LAST_ACK_FLOOD_MAX)) &&
	    !(holds(d, &c, old, LAST_ACK_LEAST) && holds(d, &c, share, opt(d, PARAM_LAST_ACK_FLOOD_SHARE) + 1)))
		return;
	c.hold_ns = 10 * DETECT_SECOND;
	c.f.samples = 0;
	c.f.evidence[0] = old;
	c.f.evidence[1] = share;
	c.f.evidence[2] = all;
	c.f.evidence[3] = flows > all ? flows : all;
	claim(d, &c);
}

/* Those of one source are that source's finding. */
static bool by_one_source(const struct detector *d, const struct service *s, uint32_t n)
{
	for (int i = 0; i < FINDING_ROOM; i++) {
		const struct finding *f = &d->table[i];
		struct home home;

		if (!f->id || f->cleared_ns || f->kind != FINDING_OUT_OF_STATE_FLOOD || f->subject != SUBJECT_SOURCE ||
		    !d->place[i].is_claimed || !f->samples || d->place[i].claimed.evidence[0] * 2 < n)
			continue;
		flow_service(&f->sample[0], f->sample_orig[0], &home);
		if (!memcmp(home.addr, s->addr, 16) && home.port == s->port)
			return true;
	}
	return false;
}

static void out_of_state(struct detector *d, const struct service *s)
{
	uint32_t n = most(service_10s(s, SERVICE_OUT_OF_STATE));
	struct claim c;

	if (!near(n, opt(d, PARAM_OUT_OF_STATE_FLOOD_MAX)))
		return;
	c = claim_of_service(FINDING_OUT_OF_STATE_FLOOD, s);
	if (!holds(d, &c, n, opt(d, PARAM_OUT_OF_STATE_FLOOD_MAX)) || by_one_source(d, s, n))
		return;
	c.f.samples = 0;
	c.f.evidence[0] = n;
	claim(d, &c);
}

static void abort_rate(struct detector *d, const struct service *s)
{
	struct recent reset = service_10s(s, SERVICE_RESET), closed = service_10s(s, SERVICE_CLOSED);
	uint64_t min = opt(d, PARAM_ABORT_RATE_MIN);
	struct share aborted = share_of(reset, plus(reset, closed), (uint32_t)min);
	struct claim c;

	if (!near(aborted.part, min))
		return;
	c = claim_of_service(FINDING_ABORT_RATE, s);
	if (!holds(d, &c, aborted.part, min) ||
	    !holds(d, &c, aborted.percent, opt(d, PARAM_ABORT_RATE_SHARE) + 1)) /* "more than" */
		return;
	c.f.samples = 0;
	c.f.evidence[0] = aborted.part;
	c.f.evidence[1] = aborted.percent;
	c.f.evidence[2] = aborted.of;
	claim(d, &c);
}

/* SYN-ACKs again: for a flood, or a full accept queue, that is no sign of loss. */
static void retransmission(struct detector *d, const struct service *s)
{
	struct share again =
		share_of(service_10s(s, SERVICE_SYNACK_RTX), service_10s(s, SERVICE_ANSWERED), HANDSHAKES_ENOUGH);
	uint64_t limit = opt(d, PARAM_RETRANSMISSION_HANDSHAKE);
	struct claim c;

	if (again.of < HANDSHAKES_ENOUGH || !near(again.percent, limit) ||
	    s->now[d->view->half][SERVICE_NOW_ACCEPT_QUEUE] || !most(service_10s(s, SERVICE_COMPLETED)) ||
	    standing_at(d, FINDING_SYN_FLOOD, SUBJECT_SERVICE, s->addr, s->port, s->vlan))
		return;
	c = claim_of_service(FINDING_RETRANSMISSION, s);
	if (!holds(d, &c, again.percent, limit))
		return;
	c.f.samples = 0;
	c.f.evidence[0] = again.part;
	c.f.evidence[3] = again.percent;
	c.f.evidence[4] = again.part;
	c.f.evidence[5] = again.of;
	claim(d, &c);
}

/* Remembers the services with most half-open flows. */
static void note_suffering(struct detector *d, const struct service *s)
{
	unsigned half = d->view->half, least = 0;

	if (!s->now[half][SERVICE_NOW_HALF_OPEN])
		return;
	for (unsigned i = 0; i < SUFFERING; i++) {
		if (!d->suffering[i]) {
			d->suffering[i] = s;
			return;
		}
		if (d->suffering[i]->now[half][SERVICE_NOW_HALF_OPEN] <
		    d->suffering[least]->now[half][SERVICE_NOW_HALF_OPEN])
			least = i;
	}
	if (d->suffering[least]->now[half][SERVICE_NOW_HALF_OPEN] < s->now[half][SERVICE_NOW_HALF_OPEN])
		d->suffering[least] = s;
}

/* Before the sources: what floods a service explains what is found about its clients. */
void find_in_services(struct detector *d)
{
	memset(d->suffering, 0, sizeof(d->suffering));
	for (unsigned i = 0; i < d->view->service_room; i++) {
		const struct service *s = &d->view->services[i];

		if (!s->live)
			continue;
		note_suffering(d, s);
		syn_flood(d, s);
		close_wait_leak(d, s, &d->leak[i]);
		last_ack_flood(d, s);
		abort_rate(d, s);
		retransmission(d, s);
	}
}

/* After the sources. */
void find_strays_in_services(struct detector *d)
{
	for (unsigned i = 0; i < d->view->service_room; i++)
		if (d->view->services[i].live)
			out_of_state(d, &d->view->services[i]);
}
