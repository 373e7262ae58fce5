// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "detect_rig.h"

#include <arpa/inet.h>

#include "report/report.h"

struct rig *rig_new(void)
{
	struct rig *r = calloc(1, sizeof(*r));

	assert_non_null(r);
	detect_opts_init(&r->opts);
	r->next_id = 1;
	r->view = (struct detect_view){
		.now_ns = START,
		.started_ns = START - 600 * SECOND,
		.services = r->service,
		.service_room = RIG_SERVICES,
		.sources = r->source,
		.source_room = RIG_SOURCES,
		.pairs = r->pair,
		.pair_room = RIG_PAIRS,
		.hits = &r->hits,
		.counters = &r->counters,
		.gauges = &r->gauges,
	};
	rig_restart(r);
	return r;
}

void rig_free(struct rig *r)
{
	detector_free(r->detector);
	free(r);
}

void rig_restart(struct rig *r)
{
	detector_free(r->detector);
	r->detector = detector_new(&r->opts, r->table, &r->next_id);
	assert_non_null(r->detector);
}

static void hear(const struct finding *f, enum detect_news what, void *ctx)
{
	struct rig *r = ctx;

	assert_true(r->newses < RIG_NEWS);
	r->news[r->newses++] = (struct news){ what, *f };
}

void pass(struct rig *r, unsigned seconds)
{
	r->newses = 0;
	while (seconds--) {
		r->view.now_ns += SECOND;
		r->stands = detector_tick(r->detector, &r->view, hear, r);
	}
}

void addr_of(const char *text, uint8_t addr[16])
{
	memset(addr, 0, 16);
	if (inet_pton(AF_INET, text, addr + 12) == 1)
		addr[10] = addr[11] = 0xff;
	else if (inet_pton(AF_INET6, text, addr) != 1)
		fail_msg("'%s' is no address", text);
}

struct service *service_at(struct rig *r, const char *text, uint16_t port)
{
	uint8_t addr[16];
	struct service *s;

	addr_of(text, addr);
	for (unsigned i = 0; i < r->services; i++)
		if (!memcmp(r->service[i].addr, addr, 16) && r->service[i].port == port)
			return &r->service[i];
	assert_true(r->services < RIG_SERVICES);
	s = &r->service[r->services++];
	memcpy(s->addr, addr, 16);
	s->port = port;
	s->live = 1;
	s->first_ns = START;
	return s;
}

struct source *source_at(struct rig *r, const char *text, uint8_t prefix_len)
{
	uint8_t addr[16];
	struct source *s;

	addr_of(text, addr);
	for (unsigned i = 0; i < r->sources; i++)
		if (!memcmp(r->source[i].addr, addr, 16) && r->source[i].prefix_len == prefix_len)
			return &r->source[i];
	assert_true(r->sources < RIG_SOURCES);
	s = &r->source[r->sources++];
	memcpy(s->addr, addr, 16);
	s->prefix_len = prefix_len;
	s->live = 1;
	return s;
}

struct pair *pair_of(struct rig *r, const char *client, const char *addr, uint16_t port)
{
	struct pair *p;

	assert_true(r->pairs < RIG_PAIRS);
	p = &r->pair[r->pairs++];
	addr_of(client, p->client);
	addr_of(addr, p->addr);
	p->port = port;
	p->live = 1;
	return p;
}

static struct flow_key flow_of(const char *tuple, uint8_t *orig)
{
	const char *error, *cut = strchr(tuple, '-');
	struct flow_key key, first;
	char twice[160];

	assert_int_equal(tuple_parse(tuple, &key, &error), 0);
	snprintf(twice, sizeof(twice), "%.*s-%.*s", (int)(cut - tuple), tuple, (int)(cut - tuple), tuple);
	assert_int_equal(tuple_parse(twice, &first, &error), 0);
	*orig = memcmp(first.a_addr, key.a_addr, 16) || first.a_port != key.a_port;
	return key;
}

void sample(struct source *s, const char *tuple)
{
	unsigned i = s->samples++ % ACCOUNT_SAMPLES;

	s->sample[i] = flow_of(tuple, &s->sample_orig[i]);
}

struct flow_hit *hit(struct rig *r, uint64_t mask, const char *tuple, uint64_t age_s, uint32_t count)
{
	struct flow_hit *h = &r->hits.hit[r->hits.count++];

	assert_true(r->hits.count <= HITS_MAX);
	*h = (struct flow_hit){ .mask = mask, .since_ns = r->view.now_ns + SECOND - age_s * SECOND, .count = count };
	h->key = flow_of(tuple, &h->orig);
	for (unsigned kind = 0; kind < FINDING_COUNT; kind++)
		r->hits.total[kind] += mask >> kind & 1;
	return h;
}

void unhit(struct rig *r, uint64_t mask)
{
	unsigned left = 0;

	for (unsigned i = 0; i < r->hits.count; i++)
		if (r->hits.hit[i].mask != mask)
			r->hits.hit[left++] = r->hits.hit[i];
	r->hits.count = left;
	for (unsigned kind = 0; kind < FINDING_COUNT; kind++)
		if (mask >> kind & 1)
			r->hits.total[kind] = 0;
}

void fill(struct distinct *set, unsigned bits)
{
	memset(set, 0, sizeof(*set));
	for (unsigned i = 0; i < bits; i++)
		set->bits[i % 4] |= 1ULL << (i / 4);
}

static const struct finding *stands_at(const struct rig *r, unsigned i, int kind)
{
	const struct finding *f = &r->table[i];

	return f->id && !f->cleared_ns && f->kind == kind ? f : NULL;
}

unsigned standing_of(const struct rig *r, int kind)
{
	unsigned count = 0;

	for (unsigned i = 0; i < FINDING_ROOM; i++)
		count += stands_at(r, i, kind) != NULL;
	return count;
}

const struct finding *found(const struct rig *r, int kind)
{
	if (standing_of(r, kind) != 1)
		fail_msg("%u findings '%s' stand, not one", standing_of(r, kind), finding_name((unsigned)kind));
	for (unsigned i = 0; i < FINDING_ROOM; i++)
		if (stands_at(r, i, kind))
			return &r->table[i];
	return NULL;
}

void none(const struct rig *r, int kind)
{
	char text[320];

	for (unsigned i = 0; i < FINDING_ROOM; i++)
		if (stands_at(r, i, kind))
			fail_msg("stands: %s", finding_text(&r->table[i], text));
}

unsigned told(const struct rig *r, enum detect_news what, int kind)
{
	unsigned count = 0;

	for (unsigned i = 0; i < r->newses; i++)
		count += r->news[i].what == what && r->news[i].f.kind == kind;
	return count;
}

void rig_clears(struct rig *r, int kind)
{
	pass(r, 9);
	found(r, kind);
	pass(r, 1);
	none(r, kind);
	assert_int_equal(told(r, DETECT_CLEARED, kind), 1);
}

void assert_text(const struct finding *f, const char *text)
{
	char buf[320];

	assert_string_equal(finding_text(f, buf), text);
}

void assert_subject(const struct finding *f, enum finding_subject subject, const char *text)
{
	char buf[140];

	assert_string_equal(finding_subject_text(f, buf), text);
	assert_int_equal(f->subject, subject);
}

void assert_evidence(const struct finding *f, const char *name, uint64_t value, uint64_t limit)
{
	const struct evidence_row *rows;
	unsigned count = finding_evidence(f->kind, &rows);

	for (unsigned i = 0; i < count; i++) {
		if (strcmp(rows[i].name, name))
			continue;
		if (f->evidence[i] != value || f->limit[i] != limit)
			fail_msg("%s: %llu against %llu, not %llu against %llu", name, (unsigned long long)f->evidence[i],
				 (unsigned long long)f->limit[i], (unsigned long long)value, (unsigned long long)limit);
		return;
	}
	fail_msg("%s has no evidence '%s'", finding_name(f->kind), name);
}
