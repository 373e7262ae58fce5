// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Who and where: the ends of a flow, what the flows of a finding have in common, and how it is written. */
#include <stdio.h>

#include "detect/internal.h"
#include "report/report.h"

/* Of IPv6 the /64 is the source: who has one, has 2^64 addresses. */
static void source_mask(uint8_t addr[16])
{
	if (!addr_v4(addr))
		memset(addr + 8, 0, 8);
}

void flow_source(const struct flow_key *key, unsigned orig, struct home *home)
{
	memset(home, 0, sizeof(*home));
	memcpy(home->addr, orig ? key->b_addr : key->a_addr, 16);
	source_mask(home->addr);
}

void flow_service(const struct flow_key *key, unsigned orig, struct home *home)
{
	memset(home, 0, sizeof(*home));
	memcpy(home->addr, orig ? key->a_addr : key->b_addr, 16);
	home->port = orig ? key->a_port : key->b_port;
	home->vlan = key->vlan;
}

bool grouped_by_source(enum finding_kind kind)
{
	return kind == FINDING_STALE_SYN || kind == FINDING_HALF_OPEN;
}

void finding_home(const struct finding *f, struct home *home)
{
	if (f->subject == SUBJECT_FLOW) {
		if (grouped_by_source(f->kind))
			flow_source(&f->key, f->orig, home);
		else
			flow_service(&f->key, f->orig, home);
		return;
	}
	memset(home, 0, sizeof(*home));
	memcpy(home->addr, f->key.a_addr, 16);
	home->port = f->key.a_port;
	home->vlan = f->key.vlan;
}

static uint64_t mix(uint64_t x)
{
	x ^= x >> 31;
	x *= 0x9e3779b97f4a7c15ULL;
	return x ^ x >> 29;
}

bool of_pair(enum finding_kind kind)
{
	return kind == FINDING_TIME_WAIT_BUILDUP || kind == FINDING_PORT_EXHAUSTION;
}

/* Many targets, many ends: that four samples agree says nothing. */
static bool has_one_target(const struct finding *f)
{
	return (f->subject == SUBJECT_SOURCE || (f->subject == SUBJECT_PREFIX && f->prefix_len)) && !of_pair(f->kind) &&
	       f->kind != FINDING_PORT_SCAN && f->kind != FINDING_BACKSCATTER;
}

bool common_service(const struct finding *f, struct home *home)
{
	struct home other;

	if (!f->samples)
		return false;
	flow_service(&f->sample[0], f->sample_orig[0] & 1, home);
	for (unsigned i = 1; i < f->samples && i < FINDING_SAMPLES; i++) {
		flow_service(&f->sample[i], f->sample_orig[i] & 1, &other);
		if (memcmp(home, &other, sizeof(other)))
			return false;
	}
	return true;
}

void name_service(struct finding *f)
{
	struct home home;

	if (!has_one_target(f))
		return;
	memset(f->key.b_addr, 0, sizeof(f->key.b_addr));
	f->key.b_port = 0;
	if (!common_service(f, &home))
		return;
	memcpy(f->key.b_addr, home.addr, sizeof(home.addr));
	f->key.b_port = home.port;
}

uint64_t home_hash(unsigned kind, const struct home *home)
{
	uint64_t word[2];

	memcpy(word, home->addr, sizeof(word));
	return mix(mix(mix(word[0] + kind) + word[1]) + ((uint64_t)home->vlan << 16 | home->port));
}

/* ---- claims about a record ---- */
static struct claim claim_about(enum finding_kind kind, enum finding_subject subject, const uint8_t addr[16])
{
	static const uint8_t severities[] = {
#define X(id, name, severity, detector, title) SEVERITY_##severity,
		WARD_FINDINGS(X)
#undef X
	};
	struct claim c = { .kind = kind };

	c.f.kind = kind;
	c.f.severity = severities[kind];
	c.f.subject = subject;
	memcpy(c.f.key.a_addr, addr, 16);
	return c;
}

static void add_samples(struct finding *f, const struct flow_key *key, const uint8_t *orig, uint32_t taken)
{
	f->samples = taken < FINDING_SAMPLES ? (uint8_t)taken : FINDING_SAMPLES;
	memcpy(f->sample, key, f->samples * sizeof(*key));
	memcpy(f->sample_orig, orig, f->samples);
}

struct claim claim_of_source(enum finding_kind kind, const struct source *s)
{
	bool aggregate = s->prefix_len == 24 || s->prefix_len == 48;
	struct claim c = claim_about(kind, aggregate ? SUBJECT_PREFIX : SUBJECT_SOURCE, s->addr);

	if (aggregate)
		c.f.prefix_len = s->prefix_len;
	else if (!addr_v4(s->addr))
		c.f.prefix_len = 64;
	add_samples(&c.f, s->sample, s->sample_orig, s->samples);
	return c;
}

struct claim claim_of_service(enum finding_kind kind, const struct service *s)
{
	struct claim c = claim_about(kind, SUBJECT_SERVICE, s->addr);

	c.f.key.a_port = s->port;
	c.f.key.vlan = s->vlan;
	add_samples(&c.f, s->sample, s->sample_orig, s->samples);
	return c;
}

struct claim claim_of_home(enum finding_kind kind, enum finding_subject subject, const struct home *home)
{
	struct claim c = claim_about(kind, subject, home->addr);

	c.f.key.a_port = home->port;
	c.f.key.vlan = home->vlan;
	if (subject == SUBJECT_SOURCE && !addr_v4(home->addr))
		c.f.prefix_len = 64;
	return c;
}

/* ---- as people write it ---- */
const char *finding_subject_text(const struct finding *f, char buf[140])
{
	static const uint8_t none[16];
	char a[60], b[60];
	unsigned orig = f->orig & 1;

	switch (f->subject) {
	case SUBJECT_FLOW:
		endpoint_text(orig ? f->key.b_addr : f->key.a_addr, orig ? f->key.b_port : f->key.a_port, a);
		endpoint_text(orig ? f->key.a_addr : f->key.b_addr, orig ? f->key.a_port : f->key.b_port, b);
		snprintf(buf, 140, "%s > %s", a, b);
		return buf;
	case SUBJECT_SERVICE:
		endpoint_text(f->key.a_addr, f->key.a_port, buf);
		return buf;
	case SUBJECT_PREFIX:
		if (!f->prefix_len)
			snprintf(buf, 140, "everywhere");
		else
			snprintf(buf, 140, "%s/%u", addr_text(f->key.a_addr, a), f->prefix_len);
		return buf;
	default:
		break;
	}
	addr_text(f->key.a_addr, a);
	if (of_pair(f->kind) && memcmp(f->key.b_addr, none, 16))
		snprintf(buf, 140, "%s > %s", a, endpoint_text(f->key.b_addr, f->key.b_port, b));
	else if (f->prefix_len)
		snprintf(buf, 140, "%s/%u", a, f->prefix_len);
	else
		snprintf(buf, 140, "%s", a);
	return buf;
}
