// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The life of a finding: raised once, refreshed, widened, cleared, kept for a while; who gives way. */
#include "detect_case.h"

#include <stdio.h>
#include <time.h>

static void begin(void)
{
}

static void test_raised_refreshed_cleared(void **state)
{
	const struct finding *f;
	struct source *s = source_at(r, "203.0.113.9", 32);
	uint64_t raised_ns;

	(void)state;
	s->count[SOURCE_SYN_DATA] = 60;
	pass(r, 1);
	f = found(r, FINDING_SYN_DATA);
	raised_ns = r->view.now_ns;
	assert_int_equal(f->id, 1);
	assert_int_equal(f->raised_ns, raised_ns);
	assert_int_equal(f->last_true_ns, raised_ns);
	assert_int_equal(told(r, DETECT_RAISED, FINDING_SYN_DATA), 1);
	assert_int_equal(r->stands, 1);

	/* other numbers are not news */
	s->count[SOURCE_SYN_DATA] = 90;
	pass(r, 1);
	assert_int_equal(r->newses, 0);
	assert_int_equal(f->evidence[0], 90);
	assert_int_equal(f->peak, 90);
	assert_int_equal(f->updated_ns, raised_ns + SECOND);
	s->count[SOURCE_SYN_DATA] = 70;
	pass(r, 2);
	assert_int_equal(f->evidence[0], 70);
	assert_int_equal(f->peak, 90);
	assert_int_equal(f->updated_ns, raised_ns + 2 * SECOND); /* the second look saw the same */
	assert_int_equal(f->last_true_ns, raised_ns + 3 * SECOND);

	/* below the limit, but not by a fifth: it stands; then it clears after ten seconds */
	s->count[SOURCE_SYN_DATA] = 40;
	pass(r, 20);
	assert_int_equal(r->newses, 0);
	assert_text(f, "203.0.113.9 sent 40 SYNs with data that was not accepted in 10 s, limit 50; 90 at its worst; no handshake "
		       "of it completed: the address may be forged");
	s->count[SOURCE_SYN_DATA] = 39;
	pass(r, 9);
	assert_int_equal(r->newses, 0);
	assert_int_equal(f->cleared_ns, 0);
	pass(r, 1);
	assert_int_equal(told(r, DETECT_CLEARED, FINDING_SYN_DATA), 1);
	assert_int_equal(f->cleared_ns, r->view.now_ns);
	assert_int_equal(f->evidence[0], 40);
	assert_int_equal(r->stands, 0);

	/* the same condition later is another finding; the cleared one can be seen for ten minutes */
	s->count[SOURCE_SYN_DATA] = 50;
	pass(r, 1);
	assert_int_equal(found(r, FINDING_SYN_DATA)->id, 2);
	s->count[SOURCE_SYN_DATA] = 0;
	pass(r, 598);
	assert_int_equal(f->id, 1);
	pass(r, 1);
	assert_int_equal(f->id, 0);
}

/* Another process goes on: same number, same time; and clears it in its turn. */
static void test_persists(void **state)
{
	const struct finding *f;
	struct source *s = source_at(r, "203.0.113.9", 32);
	uint64_t raised_ns;

	(void)state;
	s->count[SOURCE_SYN_DATA] = 60;
	pass(r, 1);
	raised_ns = r->view.now_ns;
	rig_restart(r);
	pass(r, 30);
	f = found(r, FINDING_SYN_DATA);
	assert_int_equal(f->id, 1);
	assert_int_equal(f->raised_ns, raised_ns);
	assert_int_equal(r->newses, 0);
	hit(r, FINDING_BIT(CLOSE_WAIT_LEAK), "198.51.100.7:4000-192.0.2.10:443", 61, 0);
	pass(r, 1);
	assert_int_equal(found(r, FINDING_CLOSE_WAIT_LEAK)->id, 2);
	rig_restart(r);
	hit(r, FINDING_BIT(CLOSE_WAIT_LEAK), "198.51.100.7:4001-192.0.2.10:443", 61, 0);
	pass(r, 1);
	assert_int_equal(found(r, FINDING_CLOSE_WAIT_LEAK)->id, 2); /* widened */
	unhit(r, FINDING_BIT(CLOSE_WAIT_LEAK));
	s->count[SOURCE_SYN_DATA] = 0;
	rig_restart(r);
	pass(r, 10);
	assert_int_equal(r->stands, 0);
	assert_int_equal(told(r, DETECT_CLEARED, FINDING_SYN_DATA), 1);
	assert_int_equal(told(r, DETECT_CLEARED, FINDING_CLOSE_WAIT_LEAK), 1);
}

/* Down for an hour: what does not hold any more is cleared at the first look. */
static void test_long_absence(void **state)
{
	struct source *s = source_at(r, "203.0.113.9", 32);

	(void)state;
	s->count[SOURCE_SYN_DATA] = 60;
	pass(r, 1);
	rig_restart(r);
	r->view.now_ns += 3600 * SECOND;
	s->count[SOURCE_SYN_DATA] = 0;
	pass(r, 1);
	none(r, FINDING_SYN_DATA);
	assert_int_equal(r->table[0].cleared_ns, r->view.now_ns);
}

/* A clock that is set back clears nothing, and nothing is forgotten early. */
static void test_clock_back(void **state)
{
	struct source *s = source_at(r, "203.0.113.9", 32);

	(void)state;
	s->count[SOURCE_SYN_DATA] = 60;
	pass(r, 1);
	r->view.now_ns -= 3600 * SECOND;
	s->count[SOURCE_SYN_DATA] = 0;
	pass(r, 5);
	found(r, FINDING_SYN_DATA);
}

/* A number that wraps around is never 0. */
static void test_number_wraps(void **state)
{
	(void)state;
	r->next_id = 0xffffffff;
	source_at(r, "203.0.113.9", 32)->count[SOURCE_SYN_DATA] = 60;
	source_at(r, "203.0.114.9", 32)->count[SOURCE_SYN_DATA] = 60;
	pass(r, 1);
	assert_int_equal(r->stands, 2);
	assert_int_equal(r->table[0].id, 0xffffffff);
	assert_int_equal(r->table[1].id, 1);
}

/* News of one tick come in the order of their numbers, what is cleared before. */
static void test_order_of_news(void **state)
{
	struct source *a = source_at(r, "203.0.113.1", 32), *b = source_at(r, "203.0.113.2", 32);

	(void)state;
	a->count[SOURCE_SYN_DATA] = 60;
	pass(r, 1);
	a->count[SOURCE_SYN_DATA] = 0;
	pass(r, 9);
	b->count[SOURCE_SYN_DATA] = 60;
	b->count[SOURCE_BAD_FLAGS] = 60;
	pass(r, 1);
	assert_int_equal(r->newses, 3);
	assert_int_equal(r->news[0].what, DETECT_CLEARED);
	assert_int_equal(r->news[1].what, DETECT_RAISED);
	assert_int_equal(r->news[1].f.id, 2);
	assert_int_equal(r->news[2].f.id, 3);
	assert_int_equal(r->news[2].f.evidence[0], 60);
}

/* ---- no room ---- */
static void sources(unsigned from, unsigned count, enum source_counter counter, uint32_t value)
{
	char addr[40];

	for (unsigned i = from; i < from + count; i++) {
		snprintf(addr, sizeof(addr), "10.0.%u.%u", i / 256, i % 256);
		source_at(r, addr, 32)->count[counter] = value;
	}
}

static unsigned severe(unsigned severity)
{
	unsigned count = 0;

	for (unsigned i = 0; i < FINDING_ROOM; i++)
		count += r->table[i].id && !r->table[i].cleared_ns && r->table[i].severity == severity;
	return count;
}

static void test_full(void **state)
{
	(void)state;
	/* information only: the first 512 of 600 */
	sources(0, 600, SOURCE_TIME_WAIT_REUSE, 60);
	pass(r, 1);
	assert_int_equal(r->stands, FINDING_ROOM);
	assert_int_equal(detector_dropped(r->detector), 88);
	assert_int_equal(told(r, DETECT_RAISED, FINDING_TIME_WAIT_REUSE), FINDING_ROOM);
	pass(r, 2);
	assert_int_equal(r->newses, 0);
	assert_int_equal(detector_dropped(r->detector), 88); /* that many, not that many a second */

	/* a warning takes the place of the oldest of them, which is told */
	pass(r, 1);
	sources(700, 10, SOURCE_SYN_DATA, 60);
	pass(r, 1);
	assert_int_equal(r->stands, FINDING_ROOM);
	assert_int_equal(severe(SEVERITY_WARNING), 10);
	assert_int_equal(told(r, DETECT_CLEARED, FINDING_TIME_WAIT_REUSE), 10);
	assert_int_equal(told(r, DETECT_RAISED, FINDING_SYN_DATA), 10);
	assert_int_equal(told(r, DETECT_RAISED, FINDING_TIME_WAIT_REUSE), 0); /* they do not come back */
	assert_int_equal(detector_dropped(r->detector), 98);
	pass(r, 3);
	assert_int_equal(r->newses, 0);
}

static void test_room_of_the_cleared(void **state)
{
	(void)state;
	sources(0, 512, SOURCE_SYN_DATA, 60);
	pass(r, 1);
	sources(100, 1, SOURCE_SYN_DATA, 0);
	pass(r, 5);
	sources(200, 1, SOURCE_SYN_DATA, 0);
	pass(r, 10);
	assert_int_equal(r->stands, 510);
	/* the one that was cleared first gives way, though both could still be shown */
	sources(600, 1, SOURCE_TIME_WAIT_REUSE, 60);
	pass(r, 1);
	assert_int_equal(r->stands, 511);
	assert_int_equal(r->table[100].kind, FINDING_TIME_WAIT_REUSE);
	assert_int_equal(r->table[200].kind, FINDING_SYN_DATA);
	assert_int_equal(r->table[200].id, 201);
	assert_int_equal(detector_dropped(r->detector), 0);
}

/* Of what stands, a warning does not give way to a warning, nor the older to the newer. */
static void test_equals_stay(void **state)
{
	(void)state;
	sources(0, 512, SOURCE_SYN_DATA, 60);
	pass(r, 1);
	sources(600, 5, SOURCE_SYN_DATA, 60);
	pass(r, 1);
	assert_int_equal(r->newses, 0);
	assert_int_equal(detector_dropped(r->detector), 5);
}

/* The last number of what is over is seldom the one that mattered. */
static void test_cleared_at_its_worst(void **state)
{
	struct source *s = source_at(r, "203.0.113.9", 32);
	const struct finding *f;

	(void)state;
	s->count[SOURCE_TIME_WAIT_REUSE] = 90;
	pass(r, 1);
	s->count[SOURCE_TIME_WAIT_REUSE] = 60;
	pass(r, 1);
	f = found(r, FINDING_TIME_WAIT_REUSE);
	assert_text(f, "203.0.113.9 used 60 ports again within 2MSL in 10 s, limit 50");
	s->count[SOURCE_TIME_WAIT_REUSE] = 0;
	pass(r, 10);
	assert_true(f->cleared_ns != 0);
	assert_text(f, "203.0.113.9 used 60 ports again within 2MSL in 10 s, limit 50; 90 at its worst");
}

/* A kind that crowds the table gives way to a rarer one, until that is as common; not to a milder one. */
static void test_crowd_gives_way(void **state)
{
	(void)state;
	sources(0, 512, SOURCE_SYN_DATA, 60);
	pass(r, 1);
	sources(600, 5, SOURCE_BAD_FLAGS, 60);
	sources(700, 5, SOURCE_TIME_WAIT_REUSE, 60);
	pass(r, 1);
	assert_int_equal(r->stands, FINDING_ROOM);
	assert_int_equal(standing_of(r, FINDING_BAD_FLAGS), 5);
	none(r, FINDING_TIME_WAIT_REUSE);
	assert_int_equal(told(r, DETECT_RAISED, FINDING_BAD_FLAGS), 5);
	assert_int_equal(told(r, DETECT_CLEARED, FINDING_SYN_DATA), 5);
	assert_int_equal(r->table[0].kind, FINDING_BAD_FLAGS); /* the oldest went first */
	pass(r, 3);
	assert_int_equal(r->newses, 0); /* and does not come back */
	assert_int_equal(detector_dropped(r->detector), 10);
	sources(800, 400, SOURCE_BAD_FLAGS, 60);
	pass(r, 1);
	assert_int_equal(standing_of(r, FINDING_BAD_FLAGS), 256);
	assert_int_equal(standing_of(r, FINDING_SYN_DATA), 256);
}

/* Without an audience, and over tables that are not there. */
static void test_nothing_to_look_at(void **state)
{
	struct detect_view empty = { .now_ns = START, .started_ns = START };

	(void)state;
	assert_int_equal(detector_tick(r->detector, &empty, NULL, NULL), 0);
	source_at(r, "203.0.113.9", 32)->count[SOURCE_SYN_DATA] = 60;
	r->view.now_ns += SECOND;
	assert_int_equal(detector_tick(r->detector, &r->view, NULL, NULL), 1);
}

/* Full tables in which nothing is wrong: a look takes less than a few milliseconds, sanitised. */
static void test_quiet_tables(void **state)
{
	struct timespec a, b;
	double ms;

	(void)state;
	for (unsigned i = 0; i < RIG_SERVICES; i++) {
		r->service[i].live = 1;
		r->service[i].port = (uint16_t)i;
	}
	for (unsigned i = 0; i < RIG_SOURCES; i++) {
		r->source[i].live = 1;
		r->source[i].prefix_len = 32;
		memcpy(r->source[i].addr, &i, sizeof(i));
	}
	pass(r, 1);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
	pass(r, 20);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
	ms = ((double)(b.tv_sec - a.tv_sec) * 1e3 + (double)(b.tv_nsec - a.tv_nsec) / 1e6) / 20;
	print_message("# a look at %u services and %u sources takes %.2f ms (sanitised)\n", RIG_SERVICES, RIG_SOURCES, ms);
	assert_true(ms < 20);
	assert_int_equal(r->stands, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_raised_refreshed_cleared),
		TEST(test_persists),
		TEST(test_long_absence),
		TEST(test_clock_back),
		TEST(test_number_wraps),
		TEST(test_order_of_news),
		TEST(test_full),
		TEST(test_room_of_the_cleared),
		TEST(test_equals_stay),
		TEST(test_cleared_at_its_worst),
		TEST(test_crowd_gives_way),
		TEST(test_nothing_to_look_at),
		TEST(test_quiet_tables),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
