// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What an image tells of the policy that it was made from: the lists that were in files then, and which rule drops. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "policy/prefix.h"
#include "policy_rig.h"

#define POLICIES 1500
#define SEGMENTS 100

/* ---- lists that have changed since ---- */
/* Another list of the same kind: some are gone, some are wider, some have come. */
static void change(struct dice *d, struct cidr_list *l, const struct cidr_list *others)
{
	size_t kept = 0;

	if (!l->given)
		return;
	for (size_t i = 0; i < l->count; i++) {
		struct cidr c = l->item[i];

		if (one_in(d, 4))
			continue;
		if (one_in(d, 5) && c.prefix.len > 100) { /* wider, within its family */
			c.prefix.len -= 1 + roll_below(d, 3);
			for (unsigned bit = c.prefix.len; bit < 128; bit++)
				c.prefix.addr[bit / 8] &= (uint8_t) ~(0x80 >> bit % 8);
		}
		l->item[kept++] = c;
	}
	l->count = kept;
	for (size_t i = 0; i < others->count; i++)
		if (one_in(d, 3)) {
			struct cidr_list grown = { .given = true };

			for (size_t k = 0; k < l->count; k++)
				rig_cidr_add(&grown, l->item[k]);
			rig_cidr_add(&grown, others->item[i]);
			free(l->item);
			*l = grown;
		}
}

static void change_all(struct dice *d, struct policy *p, const struct policy *other)
{
	change(d, &p->allow, &other->allow);
	for (size_t i = 0; i < p->rule_count; i++) {
		const struct policy_match *m = &other->rule[i % (other->rule_count ? other->rule_count : 1)].match;

		if (!other->rule_count)
			break;
		change(d, &p->rule[i].match.saddr, &m->saddr);
		change(d, &p->rule[i].match.daddr, &m->daddr);
	}
	for (size_t i = 0; i < p->service_count && other->service_count; i++)
		change(d, &p->service[i].match.daddr, &other->service[i % other->service_count].match.daddr);
}

/* In how many of the segments the two images differ. */
static unsigned differ(struct dice *d, const struct policy *near, const struct policy_image *a, const struct policy_image *b)
{
	unsigned found = 0;

	for (unsigned i = 0; i < SEGMENTS; i++) {
		uint32_t invalid;
		struct segment seg = rig_segment(d, near, &invalid);

		found += policy_image_rules(a, &seg, invalid) != policy_image_rules(b, &seg, invalid) ||
			 policy_image_services(a, &seg) != policy_image_services(b, &seg) ||
			 policy_image_allows(a, &seg) != policy_image_allows(b, &seg);
	}
	return found;
}

static void test_restored(void **state)
{
	unsigned changed = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= POLICIES; seed++) {
		struct dice d = { seed }, other_dice = { seed ^ 0x5555 };
		struct policy *p = rig_policy(&d), *other = rig_policy(&other_dice);
		struct policy_image *then = rig_compile(p), *now, *again;

		change_all(&d, p, other);
		now = rig_compile(p);
		changed += differ(&d, p, now, then) > 0;
		assert_int_equal(policy_lists_restore(p, now, then), 0);
		again = rig_compile(p);
		if (differ(&d, p, again, then))
			fail_msg("seed %llu: the lists are not what they were", (unsigned long long)seed);
		policy_image_free(then);
		policy_image_free(now);
		policy_image_free(again);
		policy_free(p);
		policy_free(other);
	}
	print_message("of %d policies %u were changed so that a segment shows it\n", POLICIES, changed);
	assert_true(changed > POLICIES / 4);
}

static bool has(const struct cidr_list *l, const char *text)
{
	struct cidr c = rig_cidr(text);

	for (size_t i = 0; i < l->count; i++)
		if (!prefix_compare(&l->item[i], &c))
			return true;
	return false;
}

/* Word by word: what stays stays as it was written, twice perhaps. */
static void test_words(void **state)
{
	static const char *const then_words[] = { "192.0.2.0/24", "192.0.2.7", "203.0.113.7", "2001:db8::/32", NULL };
	static const char *const now_words[] = { "192.0.2.0/24", "192.0.2.7", "198.51.100.0/24", "::/0", NULL };
	struct policy_file_rule rule = { .match.saddr.given = true };
	struct policy p = { .rule = &rule, .rule_count = 1 };
	struct policy_image *then, *now;

	(void)state;
	for (int i = 0; then_words[i]; i++)
		rig_cidr_add(&rule.match.saddr, rig_cidr(then_words[i]));
	then = rig_compile(&p);
	rule.match.saddr.count = 0;
	for (int i = 0; now_words[i]; i++)
		rig_cidr_add(&rule.match.saddr, rig_cidr(now_words[i]));
	now = rig_compile(&p);
	assert_int_equal(policy_lists_restore(&p, now, then), 0);
	assert_int_equal(rule.match.saddr.count, 4);
	for (int i = 0; then_words[i]; i++)
		assert_true(has(&rule.match.saddr, then_words[i]));
	p.rule_count = 0; /* of another text */
	policy_image_free(now);
	now = rig_compile(&p);
	assert_int_equal(policy_lists_restore(&p, now, then), -22);
	policy_image_free(now);
	policy_image_free(then);
	free(rule.match.saddr.item);
}

/* ---- which rule drops ---- */
static void test_dropper(void **state)
{
	struct policy_file_rule rule[3] = { 0 };
	struct policy p = { .mode = MODE_ENFORCE, .rule = rule, .rule_count = 3 };
	struct segment seg = rig_segment_of("192.0.2.1", 40000, "198.51.100.1", 22);
	struct policy_image *m;

	(void)state;
	seg.bits = TH_ACK;
	for (int i = 0; i < 3; i++)
		rule[i].rule = (struct policy_rule){ .action = ACTION_DROP, .mode = MODE_ENFORCE };
	rig_cidr_add(&rule[0].match.saddr, rig_cidr("203.0.113.0/24"));
	m = rig_compile(&p);
	assert_int_equal(policy_image_dropper(m, &seg, 0), 1); /* the first that matches */
	m->config.rule[1].mode = MODE_DRY_RUN;
	assert_int_equal(policy_image_dropper(m, &seg, 0), 2); /* the first that acts */
	m->config.rule[1].mode = MODE_ENFORCE;
	m->config.rule[1].action = ACTION_PASS;
	assert_int_equal(policy_image_dropper(m, &seg, 0), -1);
	m->config.rule[1].action = ACTION_DROP;
	m->config.rule[1].above = (struct policy_rate){ .interval_ns = 1000, .burst = 1 };
	assert_int_equal(policy_image_dropper(m, &seg, 0), -1);
	m->config.rule[1].above.interval_ns = 0;
	m->config.mode = MODE_DRY_RUN;
	assert_int_equal(policy_image_dropper(m, &seg, 0), -1);
	policy_image_free(m);
	rig_cidr_add(&p.allow, rig_cidr("192.0.2.1"));
	m = rig_compile(&p);
	assert_int_equal(policy_image_dropper(m, &seg, 0), -1);
	policy_image_free(m);
	free(rule[0].match.saddr.item);
	free(p.allow.item);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_restored),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_dropper),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
