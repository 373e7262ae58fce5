// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The life of a finding: raised once, refreshed, widened, cleared, kept for a while; who gives way. */
#include "detect_rig.h"

static struct rig *r;

static int setup(void **state)
{
	(void)state;
	r = rig_new();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	rig_free(r);
	return 0;
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_raised_refreshed_cleared, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
