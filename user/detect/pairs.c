// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What is found about one client and one service together: its local ports run out. */
#include "detect/internal.h"

static struct claim claim_of_pair(enum finding_kind kind, const struct pair *p)
{
	struct home home = { .port = 0, .vlan = p->vlan };
	struct claim c;

	memcpy(home.addr, p->client, 16);
	c = claim_of_home(kind, SUBJECT_SOURCE, &home);
	c.f.prefix_len = 0; /* a client is one address, also of IPv6 */
	memcpy(c.f.key.b_addr, p->addr, 16);
	c.f.key.b_port = p->port;
	return c;
}

static void buildup(struct detector *d, const struct pair *p, unsigned half)
{
	struct claim c = claim_of_pair(FINDING_TIME_WAIT_BUILDUP, p);
	uint64_t waiting = p->time_wait[half], share = percent_of(waiting, LOCAL_PORTS);

	if (!holds(d, &c, waiting, opt(d, PARAM_TIME_WAIT_BUILDUP_MAX)) &&
	    !holds(d, &c, waiting, opt(d, PARAM_TIME_WAIT_BUILDUP_SHARE) * LOCAL_PORTS / 100 + 1)) /* "more than" */
		return;
	c.f.evidence[0] = waiting;
	c.f.evidence[1] = share;
	claim(d, &c);
}

/* Who has more connections than Linux's default range has ports, has a wider range: a NAT gateway has all of them. */
static void exhaustion(struct detector *d, const struct pair *p, unsigned half)
{
	struct claim c = claim_of_pair(FINDING_PORT_EXHAUSTION, p);
	uint64_t range = p->flows[half] > LOCAL_PORTS ? ALL_PORTS : LOCAL_PORTS;
	uint64_t limit = (opt(d, PARAM_PORT_EXHAUSTION_SHARE) * range + 99) / 100;

	if (!holds(d, &c, p->flows[half], limit))
		return;
	c.f.evidence[0] = p->flows[half];
	c.f.limit[0] = limit;
	c.f.evidence[1] = percent_of(p->flows[half], range);
	c.f.evidence[2] = range;
	claim(d, &c);
}

void find_in_pairs(struct detector *d)
{
	for (unsigned i = 0; i < d->view->pair_room; i++) {
		const struct pair *p = &d->view->pairs[i];

		if (!p->live)
			continue;
		buildup(d, p, d->view->half);
		exhaustion(d, p, d->view->half);
	}
}
