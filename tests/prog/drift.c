// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The recount of test_drift: drift.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>

#include "flow_finding.h"
#include "prog/drift.h"
#include "sweep.h"
#include "tcp_fsm.h"

struct seen {
	struct flow_key key;
	struct flow flow;
	bool embryo;
	int client;      /* which side */
	bool service[2]; /* is that side one? */
};

static struct seen seen[DRIFT_FLOWS];
static int seen_count;

static int note_flow(const struct flow_key *key, const struct flow *f, bool embryo, void *skip)
{
	if (skip && !seen_count && !(*(int *)skip)--) /* the control's: as if it were not there */
		return 0;
	if (seen_count == DRIFT_FLOWS) {
		printf("not ok programs: drift: more records than connections\n");
		exit(1);
	}
	seen[seen_count++] = (struct seen){.key = *key, .flow = *f, .embryo = embryo};
	return 0;
}

static bool in_state(const struct flow *f, uint8_t which)
{
	return f->state[0] == which || f->state[1] == which;
}

static bool is_over(const struct flow *f)
{
	return tcp_gone(f->state[0]) && tcp_gone(f->state[1]);
}

/* Which gauge of a service a flow that is not over counts in (include/account.h); SERVICE_GAUGES: none. */
static enum service_gauge gauge_of(const struct flow *f)
{
	struct detect_opts detect;

	detect_opts_init(&detect);
	if (in_state(f, TIME_WAIT))
		return SERVICE_NOW_TIME_WAIT;
	if (in_state(f, SYN_RECEIVED) && (f->flags & FLAG_MIDSTREAM)) /* a SYN-ACK without a SYN is anybody's */
		return SERVICE_GAUGES;
	if (in_state(f, SYN_RECEIVED)) /* where the clock has no say in it */
		return finds_accept_queue(f, &detect, 0) ? SERVICE_NOW_ACCEPT_QUEUE : SERVICE_NOW_HALF_OPEN;
	if (in_state(f, SYN_SENT))
		return SERVICE_NOW_UNANSWERED;
	if (f->state[0] == ESTABLISHED && f->state[1] == ESTABLISHED)
		return SERVICE_NOW_OPEN;
	return SERVICE_NOW_CLOSING;
}

static const uint8_t *address(const struct flow_key *key, int side)
{
	return side ? key->b_addr : key->a_addr;
}

struct ward_gauges drift_gauges(void)
{
	struct ward_gauges g = {0};
	int i, side;

	for (i = 0; i < seen_count; i++) {
		const struct flow *f = &seen[i].flow;

		g.flows += !seen[i].embryo;
		g.embryos += seen[i].embryo;
		g.tombstones += is_over(f);
		for (side = 0; side < 2; side++) {
			g.state[f->state[side]]++;
			g.confirmed[f->state[side]] += f->known[side] & KNOWN_CONF;
		}
	}
	return g;
}

struct service drift_services[DRIFT_SERVICES];

static bool is_service(const struct flow_key *key, int side)
{
	uint16_t port = side ? key->b_port : key->a_port;
	int i;

	for (i = 0; i < DRIFT_SERVICES; i++)
		if (drift_services[i].port == port && drift_services[i].live && !memcmp(drift_services[i].addr, address(key, side), 16))
			return true;
	return false;
}

/* Its originator; who opened a flow that was met mid-stream is a guess, which gives way to what is known of the services. */
static int client_of(const struct seen *at)
{
	int orig = at->flow.orig;

	if (!(at->flow.flags & FLAG_MIDSTREAM) || at->service[!orig])
		return orig;
	return at->service[orig] ? !orig : orig;
}

void drift_read_map(struct rig *rig, enum ward_map map, uint32_t index, void *value)
{
	if (bpf_map_lookup_elem(rig->w->map[map], &index, value)) {
		printf("not ok programs: drift: cannot read element %u of '%s'\n", index, ward_map_names[map]);
		exit(1);
	}
}

void drift_read(struct rig *rig, int skip)
{
	int i;

	seen_count = 0;
	if (ward_flows_each(rig->w, note_flow, skip >= 0 ? &skip : NULL)) {
		printf("not ok programs: drift: %s\n", ward_reason());
		exit(1);
	}
	for (i = 0; i < DRIFT_SERVICES; i++)
		drift_read_map(rig, MAP_SERVICES, (uint32_t)i, &drift_services[i]);
	for (i = 0; i < seen_count; i++) {
		seen[i].service[0] = is_service(&seen[i].key, 0);
		seen[i].service[1] = is_service(&seen[i].key, 1);
		seen[i].client = client_of(&seen[i]);
	}
}

void drift_service(const struct service *s, uint64_t now[SERVICE_GAUGES])
{
	int i;

	memset(now, 0, sizeof(*now) * SERVICE_GAUGES);
	for (i = 0; i < seen_count; i++) {
		const struct flow *f = &seen[i].flow;
		int server = !seen[i].client;
		enum service_gauge gauge;

		if ((server ? seen[i].key.b_port : seen[i].key.a_port) != s->port ||
		    memcmp(address(&seen[i].key, server), s->addr, 16) || is_over(f))
			continue;
		gauge = gauge_of(f);
		if (gauge == SERVICE_GAUGES)
			continue;
		now[gauge]++;
		now[SERVICE_NOW_HALF_OPEN_OLD] += gauge == SERVICE_NOW_HALF_OPEN && f->flags & FLAG_HALFOPEN_EMB;
		now[SERVICE_NOW_LAST_ACK] += f->state[0] == LAST_ACK || f->state[0] == CLOSING ||
					     f->state[1] == LAST_ACK || f->state[1] == CLOSING;
	}
}

uint64_t drift_either(const struct service *s)
{
	uint64_t n = 0;
	int i, side;

	for (i = 0; i < seen_count; i++)
		for (side = 0; side < 2; side++)
			n += (side ? seen[i].key.b_port : seen[i].key.a_port) == s->port && seen[i].service[!side] &&
			     !memcmp(address(&seen[i].key, side), s->addr, 16) && gauge_of(&seen[i].flow) == SERVICE_NOW_OPEN;
	return n;
}

static bool in_prefix(const struct source *s, const uint8_t addr[16])
{
	bool v4 = !memcmp(addr, "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12);
	int bytes = s->prefix_len / 8;

	if (v4 != (s->prefix_len == 32 || s->prefix_len == 24))
		return false;
	return !memcmp(addr, s->addr, v4 ? 12 + bytes : bytes);
}

void drift_source(const struct source *s, uint64_t now[SOURCE_GAUGES])
{
	int i;

	memset(now, 0, sizeof(*now) * SOURCE_GAUGES);
	for (i = 0; i < seen_count; i++) {
		const struct flow *f = &seen[i].flow;

		if (is_over(f) || !in_prefix(s, address(&seen[i].key, seen[i].client)))
			continue;
		switch (gauge_of(f)) {
		case SERVICE_NOW_UNANSWERED:
			now[SOURCE_NOW_UNANSWERED]++;
			now[SOURCE_NOW_STALE] += !!(f->flags & FLAG_STALE_SYN);
			break;
		case SERVICE_NOW_HALF_OPEN:
			now[SOURCE_NOW_HALF_OPEN] += !(f->flags & FLAG_MIDSTREAM); /* without a SYN it is backscatter */
			break;
		case SERVICE_NOW_TIME_WAIT:
			now[SOURCE_NOW_TIME_WAIT]++;
			break;
		default:
			break;
		}
	}
}
