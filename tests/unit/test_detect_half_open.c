// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What is found about sources that do not complete handshakes: half-open, reflection. */
#include "detect_case.h"

#include <stdio.h>

static struct source *s;

static void begin(void)
{
	s = source_at(r, "203.0.113.9", 32);
}

static void flood_from_one(uint32_t half_open, uint32_t begun, uint32_t completed)
{
	struct service *at = service_at(r, "192.0.2.10", 443);
	struct flow_hit *h = hit(r, 0, "203.0.113.9:4000-192.0.2.10:443", 0, 0);

	at->now[0][SERVICE_NOW_HALF_OPEN] = half_open;
	at->sample[0] = h->key;
	at->sample_orig[0] = h->orig;
	at->samples = 1;
	s->now[0][SOURCE_NOW_HALF_OPEN] = half_open;
	s->count[SOURCE_NEW] = begun;
	s->count[SOURCE_COMPLETED] = completed;
}

static void test_half_open_max(void **state)
{
	const struct finding *f;

	(void)state;
	flood_from_one(127, 424, 12);
	pass(r, 3);
	none(r, FINDING_HALF_OPEN);
	flood_from_one(412, 424, 12);
	pass(r, 1);
	none(r, FINDING_HALF_OPEN); /* a burst of one round trip looks the same */
	pass(r, 1);
	f = found(r, FINDING_HALF_OPEN);
	assert_subject(f, SUBJECT_SOURCE, "203.0.113.9");
	assert_int_equal(f->severity, SEVERITY_WARNING);
	assert_evidence(f, "half_open", 412, 128);
	assert_evidence(f, "completion", 2, 30);
	assert_evidence(f, "handshakes_60s", 424, 0);
	flood_from_one(412, 400, 12);
	pass(r, 1);
	assert_text(f, "203.0.113.9 holds 412 half-open connections to 192.0.2.10:443, limit 128; 3 % of its handshakes "
		       "complete");
	/* hysteresis, of both numbers */
	flood_from_one(103, 400, 148);
	pass(r, 12);
	found(r, FINDING_HALF_OPEN);
	flood_from_one(103, 400, 152);
	rig_clears(r, FINDING_HALF_OPEN);
}

/* Which flows the source holds is known from the services that suffer most. */
static void test_half_open_where(void **state)
{
	char addr[40];

	(void)state;
	for (unsigned i = 0; i < 50; i++) {
		snprintf(addr, sizeof(addr), "192.0.2.%u", 100 + i);
		service_at(r, addr, 443)->now[0][SERVICE_NOW_HALF_OPEN] = 50 + i;
	}
	flood_from_one(412, 400, 12);
	pass(r, 2);
	assert_int_equal(found(r, FINDING_HALF_OPEN)->samples, 1);
	assert_memory_equal(&found(r, FINDING_HALF_OPEN)->sample[0], &r->hits.hit[0].key, sizeof(struct flow_key));
	anew();
	sample(s, "203.0.113.9:4000-192.0.2.200:25"); /* what failed: another matter */
	s->now[0][SOURCE_NOW_HALF_OPEN] = 412;
	s->count[SOURCE_NEW] = 400;
	pass(r, 2);
	assert_int_equal(found(r, FINDING_HALF_OPEN)->samples, 0);
	assert_text(found(r, FINDING_HALF_OPEN),
		    "203.0.113.9 holds 412 half-open connections, limit 128; 0 % of its handshakes complete; no handshake of it completed: the address may be forged");
}

static void test_half_open_but_completing(void **state)
{
	(void)state;
	flood_from_one(500, 1000, 300);
	pass(r, 3);
	none(r, FINDING_HALF_OPEN);
	flood_from_one(500, 1000, 299);
	pass(r, 2);
	found(r, FINDING_HALF_OPEN);
}

/* A proxy opens 300 connections at once: half open for one round trip, and again half a minute later. */
static void test_busy_proxy(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 5; i++) {
		flood_from_one(300, 300, 0);
		pass(r, 1);
		none(r, FINDING_HALF_OPEN);
		flood_from_one(0, 300, 300);
		pass(r, 1);
		none(r, FINDING_HALF_OPEN);
	}
}

static void test_half_open_prefix(void **state)
{
	struct source *prefix = source_at(r, "203.0.113.0", 24);

	(void)state;
	prefix->now[0][SOURCE_NOW_HALF_OPEN] = 200;
	prefix->count[SOURCE_NEW] = 200;
	pass(r, 2);
	assert_subject(found(r, FINDING_HALF_OPEN), SUBJECT_PREFIX, "203.0.113.0/24");
	assert_text(found(r, FINDING_HALF_OPEN),
		    "203.0.113.0/24 holds 200 half-open connections, limit 128; 0 % of its handshakes complete; no handshake of it "
		    "completed: the addresses may be forged");
	flood_from_one(150, 150, 0);
	pass(r, 12);
	assert_subject(found(r, FINDING_HALF_OPEN), SUBJECT_SOURCE, "203.0.113.9");
}

/* Who has seen SYN and SYN-ACK has seen both directions, however many blind ACKs make the source look one-way. */
static void test_one_way_by_intent(void **state)
{
	(void)state;
	flood_from_one(500, 1000, 0);
	s->count[SOURCE_ONE_WAY] = 1000;
	hit(r, FINDING_BIT(HALF_OPEN), "203.0.113.9:4000-192.0.2.10:443", 12, 3);
	pass(r, 2);
	found(r, FINDING_HALF_OPEN);
	s->now[0][SOURCE_NOW_HALF_OPEN_RTX] = 500;
	pass(r, 1);
	found(r, FINDING_REFLECTION);
}

/* ---- reflection: nothing at all completes, SYN-ACKs come again ---- */
static void test_reflection(void **state)
{
	const struct finding *f;

	(void)state;
	flood_from_one(200, 250, 0);
	s->now[0][SOURCE_NOW_HALF_OPEN_RTX] = 19;
	hit(r, FINDING_BIT(HALF_OPEN), "203.0.113.9:4000-192.0.2.10:443", 12, 3);
	pass(r, 2);
	none(r, FINDING_REFLECTION);
	found(r, FINDING_HALF_OPEN);
	s->now[0][SOURCE_NOW_HALF_OPEN_RTX] = 20;
	pass(r, 1);
	f = found(r, FINDING_REFLECTION);
	assert_subject(f, SUBJECT_SOURCE, "203.0.113.9");
	assert_evidence(f, "repeated", 20, 20);
	assert_evidence(f, "half_open", 200, 0);
	assert_evidence(f, "syns_60s", 250, 0);
	assert_text(f, "203.0.113.9 never completes 20 handshakes with 192.0.2.10:443 whose SYN-ACKs are sent again and again, "
		       "limit 20: somebody aims them at it");
	pass(r, 9); /* it is the victim: not the holder of half-open connections */
	none(r, FINDING_HALF_OPEN);
	/* it completes one: it is there, and does ask */
	s->count[SOURCE_COMPLETED] = 1;
	rig_clears(r, FINDING_REFLECTION);
	found(r, FINDING_HALF_OPEN);
}

/* One that completed in the last window of 60 s, or in this one, is enough. */
static void test_reflection_none_completed(void **state)
{
	(void)state;
	s->now[0][SOURCE_NOW_HALF_OPEN_RTX] = 50;
	s->window[SOURCE_COMPLETED].last60 = 1;
	pass(r, 2);
	none(r, FINDING_REFLECTION);
	s->window[SOURCE_COMPLETED].last60 = 0;
	s->count[SOURCE_COMPLETED] = 1;
	pass(r, 2);
	none(r, FINDING_REFLECTION);
	s->window[SOURCE_COMPLETED].begin60 = 1;
	pass(r, 1);
	found(r, FINDING_REFLECTION);
}

static void test_reflection_first(void **state)
{
	(void)state;
	flood_from_one(200, 250, 0);
	s->now[0][SOURCE_NOW_HALF_OPEN_RTX] = 20;
	hit(r, FINDING_BIT(HALF_OPEN), "203.0.113.9:4000-192.0.2.10:443", 12, 3);
	pass(r, 5);
	found(r, FINDING_REFLECTION);
	assert_int_equal(r->stands, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_half_open_max),
		TEST(test_half_open_where),
		TEST(test_half_open_but_completing),
		TEST(test_busy_proxy),
		TEST(test_half_open_prefix),
		TEST(test_one_way_by_intent),
		TEST(test_reflection),
		TEST(test_reflection_none_completed),
		TEST(test_reflection_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
