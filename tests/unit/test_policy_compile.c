// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The image of a policy: it matches what the policy says, and nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "policy_rig.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define POLICIES 4000
#define SEGMENTS 150

/* ---- random policies, against a plain reading of them ---- */
/* Whether image and policy differ in one of so many segments. */
static bool differs(struct dice *d, const struct policy *p, const struct policy_image *m, unsigned segments,
		    uint64_t *hits)
{
	for (unsigned i = 0; i < segments; i++) {
		uint32_t invalid;
		struct segment seg = rig_segment(d, p, &invalid);
		uint64_t rules = rig_rules(p, &seg, invalid);
		uint32_t services = rig_services(p, &seg);

		*hits += (rules != 0) + (services != 0);
		if (policy_image_rules(m, &seg, invalid) != rules || policy_image_services(m, &seg) != services ||
		    policy_image_allows(m, &seg) != rig_allows(p, &seg))
			return true;
	}
	return false;
}

static void test_random(void **state)
{
	uint64_t hits = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= POLICIES; seed++) {
		struct dice d = { seed };
		struct policy *p = rig_policy(&d);
		struct policy_image *m = rig_compile(p);

		if (differs(&d, p, m, SEGMENTS, &hits))
			fail_msg("seed %llu: the image does not match what the policy says", (unsigned long long)seed);
		policy_image_free(m);
		policy_free(p);
	}
	print_message("%u policies, %u segments each: %llu hits\n", POLICIES, SEGMENTS, (unsigned long long)hits);
	assert_true(hits > POLICIES * SEGMENTS / 10); /* else the segments are too far from the policies */
}

/* ---- the test above can fail: wrong images are found out ---- */
static bool spoil_any(struct policy_image *m)
{
	m->config.saddr_any.rules ^= 1;
	return m->config.rule_count > 0;
}

static bool spoil_prefix(struct policy_image *m)
{
	for (size_t i = 0; i < m->saddr_prefix.count; i++)
		m->saddr_prefix.item[i].class.rules ^= 1;
	return m->saddr_prefix.count && m->config.rule_count;
}

static bool spoil_exact(struct policy_image *m)
{
	for (size_t i = 0; i < m->daddr_exact.count; i++)
		m->daddr_exact.item[i].class.services ^= 1;
	return m->daddr_exact.count && m->config.service_count;
}

/* As if nobody kept ::/0 away from IPv4. */
static bool spoil_families(struct policy_image *m)
{
	static const struct address_prefix v4 = { .len = 96, .addr = { [10] = 0xff, [11] = 0xff } };
	struct policy_address *v6 = NULL;

	for (size_t i = 0; i < m->saddr_prefix.count; i++) {
		struct policy_address *a = &m->saddr_prefix.item[i];

		if (!a->prefix.len)
			v6 = a;
		if (v6 && a->class.rules != v6->class.rules && !memcmp(&a->prefix, &v4, sizeof(v4))) {
			a->class = v6->class;
			return true;
		}
	}
	return false;
}

static bool spoil_ports(struct policy_image *m)
{
	m->config.dport_rules[m->ports.dport[443]] ^= 1;
	return m->config.rule_count > 0;
}

static bool spoil_edge(struct policy_image *m)
{
	for (unsigned port = 1; port < 65536; port++) /* a range that begins one too late */
		if (m->ports.sport[port] != m->ports.sport[port - 1]) {
			m->ports.sport[port] = m->ports.sport[port - 1];
			return true;
		}
	return false;
}

/* As if no tag were VLAN 4094. */
static bool spoil_vlan(struct policy_image *m)
{
	uint8_t none = m->ports.vlan[4095];

	m->ports.vlan[4095] = m->ports.vlan[4094];
	return m->config.vlan_rules[none] != m->config.vlan_rules[m->ports.vlan[4094]];
}

static bool spoil_iface(struct policy_image *m)
{
	m->config.iface_services[1] ^= 1;
	return m->config.service_count > 0;
}

static bool spoil_flags(struct policy_image *m)
{
	m->config.flags[TH_SYN] ^= 1;
	return m->config.rule_count > 0;
}

static bool spoil_invalid(struct policy_image *m)
{
	m->config.invalid[INVALID_OUT_OF_WINDOW] ^= 1;
	return m->config.rule_count > 0;
}

static bool spoil_allow(struct policy_image *m)
{
	for (size_t i = 0; i < m->saddr_prefix.count; i++)
		m->saddr_prefix.item[i].class.flags = 0;
	return m->saddr_prefix.count > 0;
}

/* As if nothing stood near any address. */
static bool spoil_near(struct policy_image *m)
{
	memset(&m->ports.saddr, 0, sizeof(m->ports.saddr));
	return m->saddr_prefix.count > 0;
}

static void test_random_can_fail(void **state)
{
	static const struct {
		const char *name;
		bool (*spoil)(struct policy_image *m);
	} ways[] = {
		{ "any", spoil_any },		{ "prefix", spoil_prefix }, { "exact", spoil_exact },
		{ "families", spoil_families }, { "ports", spoil_ports },   { "edge", spoil_edge },
		{ "vlan", spoil_vlan },		{ "iface", spoil_iface },   { "flags", spoil_flags },
		{ "invalid", spoil_invalid },	{ "allow", spoil_allow },   { "near", spoil_near },
	};

	(void)state;
	for (size_t w = 0; w < ARRAY_SIZE(ways); w++) {
		unsigned spoiled = 0, found = 0;
		uint64_t hits = 0;

		for (uint64_t seed = 1; seed <= 400; seed++) {
			struct dice d = { seed };
			struct policy *p = rig_policy(&d);
			struct policy_image *m = rig_compile(p);

			if (ways[w].spoil(m)) {
				spoiled++;
				found += differs(&d, p, m, SEGMENTS, &hits);
			}
			policy_image_free(m);
			policy_free(p);
		}
		print_message("spoiled %s: found in %u of %u\n", ways[w].name, found, spoiled);
		assert_true(found > 0);
	}
}

/* ---- single cases ---- */
static struct policy *policy_with_rules(size_t count)
{
	struct policy *p = calloc(1, sizeof(*p));

	p->mode = MODE_ENFORCE;
	p->rule_count = count;
	p->rule = calloc(count + 1, sizeof(*p->rule));
	for (size_t i = 0; i < count; i++) {
		snprintf(p->rule[i].rule.name, POLICY_NAME_LEN, "rule-%zu", i);
		p->rule[i].rule.action = ACTION_DROP;
		p->rule[i].rule.mode = MODE_ENFORCE;
	}
	return p;
}

static void assert_matches(const struct policy_image *m, const char *saddr, uint64_t rules)
{
	struct segment seg = rig_segment_of(saddr, 40000, strchr(saddr, ':') ? "2001:db8:ffff::1" : "198.51.100.1", 80);

	if (policy_image_rules(m, &seg, 0) != rules)
		fail_msg("%s: rules %llx, expected %llx", saddr, (unsigned long long)policy_image_rules(m, &seg, 0),
			 (unsigned long long)rules);
}

/* Each length that people write, and what lies just outside. */
static void test_prefix_lengths(void **state)
{
	static const struct {
		const char *cidr, *in, *out;
	} cases[] = {
		{ "0.0.0.0/0", "255.1.2.3", "2001:db8::1" },
		{ "10.0.0.0/8", "10.255.255.255", "11.0.0.0" },
		{ "192.0.2.0/24", "192.0.2.255", "192.0.3.0" },
		{ "192.0.2.1/32", "192.0.2.1", "192.0.2.0" },
		{ "::/0", "2001:db8::1", "0.0.0.0" },
		{ "::/0", "ffff::", "255.255.255.255" },
		{ "2000::/8", "20ff::", "2100::" },
		{ "2001:db8::/32", "2001:db8:ffff::", "2001:db9::" },
		{ "2001:db8:1::/48", "2001:db8:1:ffff::", "2001:db8:2::" },
		{ "2001:db8:1:2::/64", "2001:db8:1:2:ffff::", "2001:db8:1:3::" },
		{ "2001:db8::7/128", "2001:db8::7", "2001:db8::6" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct policy *p = policy_with_rules(1);
		struct policy_image *m;
		struct cidr c = rig_cidr(cases[i].cidr);

		rig_cidr_add(&p->rule[0].match.saddr, c);
		m = rig_compile(p);
		assert_matches(m, cases[i].in, 1);
		assert_matches(m, cases[i].out, 0);
		assert_int_equal(m->config.saddr_exact, c.prefix.len == 128);
		assert_int_equal(m->config.saddr_prefix, c.prefix.len != 128);
		policy_image_free(m);
		policy_free(p);
	}
}

/* Entries hold what shorter prefixes say, in both tables, and after IPv4 has been passed too. */
static void test_inheritance(void **state)
{
	static const char *const lists[][3] = {
		{ "::/0" },
		{ "10.0.0.0/8", "2001:db8::/32" },
		{ "10.1.0.0/16", "2001:db8::1" },
		{ "10.1.2.3", "0.0.0.0/0" },
	};
	struct policy *p = policy_with_rules(ARRAY_SIZE(lists) + 1);
	struct policy_image *m;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
		for (size_t k = 0; k < 3 && lists[i][k]; k++)
			rig_cidr_add(&p->rule[i].match.saddr, rig_cidr(lists[i][k]));
	rig_cidr_add(&p->allow, rig_cidr("10.1.0.0/16"));
	m = rig_compile(p);
	assert_matches(m, "10.1.2.3", 0x1e);
	assert_matches(m, "10.1.2.4", 0x1e);
	assert_matches(m, "10.2.0.0", 0x1a);
	assert_matches(m, "11.0.0.0", 0x18);
	assert_matches(m, "2001:db8::1", 0x17);
	assert_matches(m, "2001:db8::2", 0x13);
	assert_matches(m, "2001:db9::", 0x11);
	assert_int_equal(m->saddr_exact.count, 2);
	assert_int_equal(m->saddr_exact.item[0].class.flags,
			 CLASS_ALLOW); /* 10.1.2.3 lies in the allow list's prefix */
	assert_int_equal(m->saddr_exact.item[1].class.flags, 0);
	policy_image_free(m);
	policy_free(p);
}

/* A list that is given and empty matches nothing; one that is not given, everything. */
static void test_empty_lists(void **state)
{
	struct policy *p = policy_with_rules(4);
	struct policy_image *m;

	(void)state;
	p->rule[0].match.saddr.given = true;
	p->rule[1].match.dport.given = true;
	p->rule[2].match.vlan.given = true;
	m = rig_compile(p);
	assert_matches(m, "10.0.0.1", 8);
	policy_image_free(m);
	policy_free(p);
}

static void test_static_rules(void **state)
{
	static const struct {
		uint8_t action;
		uint32_t invalid;
		uint64_t flags;
		int is;
	} cases[] = {
		{ ACTION_DROP, 0, 0, 1 },
		{ ACTION_PASS, 0, 0, 0 },
		{ ACTION_DROP, 1 << INVALID_OUT_OF_WINDOW, 0, 0 },
		{ ACTION_DROP, 0, 1ULL << TH_SYN | 1ULL << (TH_SYN | TH_ACK) | 1ULL << (TH_RST | TH_ACK), 0 },
		{ ACTION_DROP, 0, 1ULL << TH_ACK, 1 },
		{ ACTION_DROP, 0, 1ULL << (TH_ACK | TH_PSH), 1 },
		{ ACTION_DROP, 1 << INVALID_BAD_FLAGS, 1ULL << TH_ACK, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct policy *p = policy_with_rules(2);
		struct policy_image *m;

		p->rule[0].rule.action = ACTION_PASS;
		p->rule[1].rule.action = cases[i].action;
		p->rule[1].match.invalid = cases[i].invalid;
		p->rule[1].match.flags = cases[i].flags;
		m = rig_compile(p);
		assert_int_equal(m->config.static_rules, cases[i].is);
		assert_int_equal(m->config.rule[1].drop, cases[i].action == ACTION_DROP ? DROP_MATCH : DROP_NONE);
		policy_image_free(m);
		policy_free(p);
	}
}

/* What the packet path and the lists need to know of all limits together. */
static void test_limits(void **state)
{
	struct policy *p = policy_with_rules(0);
	struct policy_limit *a, *b;
	const char *error = NULL;
	struct policy_image *m;

	(void)state;
	p->check = CHECK_STRICT;
	p->drop_unparsed = true;
	p->cookie_rate = (struct policy_rate){ .interval_ns = 1000, .burst = 50 };
	p->service_count = 2;
	p->service = calloc(2, sizeof(*p->service));
	strcpy(p->service[0].service.name, "web");
	strcpy(p->service[1].service.name, "mail");
	a = &p->service[0].service.limit[LIMIT_NEW_SOURCE];
	b = &p->service[1].service.limit[LIMIT_HALF_OPEN_SOURCE];
	*a = (struct policy_limit){ .on = 1, .then = THEN_DROP, .prefix_v4 = 24, .prefix_v6 = 64 };
	*b = (struct policy_limit){ .on = 0, .then = THEN_SYNCOOKIE, .prefix_v4 = 32, .prefix_v6 = 128, .for_ns = 1 };
	m = rig_compile(p);
	assert_int_equal(m->config.check, CHECK_STRICT);
	assert_int_equal(m->config.mode, MODE_ENFORCE);
	assert_int_equal(m->config.drop_unparsed, 1);
	assert_int_equal(m->config.cookie_rate.burst, 50);
	assert_int_equal(m->config.has_cookies, 0); /* off */
	assert_int_equal(m->config.has_source_half_open, 0);
	assert_int_equal(m->block_len[0], 0); /* does not block */
	policy_image_free(m);

	b->on = 1;
	a->for_ns = 1;
	m = rig_compile(p);
	assert_int_equal(m->config.has_cookies, 1);
	assert_int_equal(m->config.has_source_half_open, 1);
	assert_int_equal(m->block_len[0], 96 + 24); /* beside whole addresses */
	assert_int_equal(m->block_len[1], 64);
	assert_string_equal(m->config.service[1].name, "mail");
	policy_image_free(m);

	b->prefix_v6 = 48;
	assert_null(policy_compile(p, rig_ifaces, RIG_ROWS, &error));
	assert_non_null(strstr(error, "service 'mail': half-open-per-source blocks /48 of IPv6, another limit /64"));
	b->prefix_v6 = 0;
	assert_null(policy_compile(p, rig_ifaces, RIG_ROWS, &error));
	assert_non_null(strstr(error, "give a length from 1 to 128"));
	policy_free(p);
}

static void test_interfaces(void **state)
{
	struct policy *p = policy_with_rules(2);
	const char *error = NULL;
	struct policy_image *m;

	(void)state;
	p->rule[0].match.iface = calloc(1, WARD_NAME_LEN);
	p->rule[0].match.iface_count = 1;
	strcpy(p->rule[0].match.iface[0], "wan");
	m = rig_compile(p);
	assert_int_equal(m->config.iface[0], 2);
	assert_int_equal(m->config.iface[2], 3);
	policy_image_free(m);

	strcpy(p->rule[0].match.iface[0], "wan2");
	assert_null(policy_compile(p, rig_ifaces, RIG_ROWS, &error));
	assert_non_null(strstr(error, "rule 'rule-0' names interface 'wan2'"));
	m = policy_compile(p, NULL, 0, &error); /* no instance to ask */
	assert_non_null(m);
	assert_int_equal(m->config.iface[0], 3);
	policy_image_free(m);

	free(p->rule[0].match.iface);
	p->rule[0].match.iface = NULL;
	p->rule[0].match.iface_count = 0;
	p->iface = calloc(1, WARD_NAME_LEN);
	p->iface_count = 1;
	strcpy(p->iface[0], "eth1");
	m = rig_compile(p);
	assert_int_equal(m->config.iface[0], 0);
	assert_int_equal(m->config.iface[1], 3);
	policy_image_free(m);
	policy_free(p);
}

/* Each rule has ports of its own and one that it shares with each other rule: as many classes as pairs. */
static void test_too_many_classes(void **state)
{
	struct policy *p = policy_with_rules(POLICY_RULES);
	const char *error = NULL;
	struct policy_image *m;
	uint16_t port = 1000;

	(void)state;
	for (unsigned i = 0; i < 22; i++)
		for (unsigned k = i + 1; k < 22; k++, port++) { /* 231 pairs, and the class of no rule; */
			rig_range_add(&p->rule[i].match.dport, port, port);
			rig_range_add(&p->rule[k].match.dport, port, port);
		}
	for (unsigned i = 0; i < 24; i++) /* ... and 24 alone: 256 */
		rig_range_add(&p->rule[40 + i].match.dport, (uint16_t)(5000 + i), (uint16_t)(5000 + i));
	for (unsigned i = 22; i < 40; i++)
		rig_range_add(&p->rule[i].match.dport, 5000, 5000);
	m = rig_compile(p);
	for (uint16_t at = 999; at < 1300; at++) {
		struct segment seg = rig_segment_of("10.0.0.1", 40000, "10.0.0.2", at);

		assert_int_equal(policy_image_rules(m, &seg, 0), rig_rules(p, &seg, 0));
	}
	policy_image_free(m);

	rig_range_add(&p->rule[0].match.dport, 5001, 5001);
	rig_range_add(&p->rule[0].match.dport, 7000, 7000); /* one more */
	assert_null(policy_compile(p, rig_ifaces, RIG_ROWS, &error));
	assert_non_null(strstr(error, "'dport'"));
	assert_non_null(strstr(error, "257 classes"));
	assert_non_null(strstr(error, "room for 256"));
	policy_free(p);
}

/* ---- large lists ---- */
static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void test_large_list(void **state)
{
	struct policy *p = policy_with_rules(3);
	struct dice d = { 7 };
	struct policy_image *m;
	double begun;

	(void)state;
	for (unsigned i = 0; i < POLICY_ENTRIES_MAX; i++) {
		struct cidr c = rig_cidr(i % 2 ? "10.0.0.0" : "2001:db8::");
		uint64_t low = roll(&d);

		c.prefix.len = i % 4 < 2 ? 128 : (i % 2 ? 104 : 32) + (unsigned)(low >> 40) % 24;
		memcpy(c.prefix.addr + (i % 2 ? 13 : 4), &low, i % 2 ? 3 : 8);
		for (unsigned bit = c.prefix.len; bit < 128; bit++)
			c.prefix.addr[bit / 8] &= (uint8_t) ~(0x80 >> bit % 8);
		rig_cidr_add(&p->rule[0].match.saddr, c);
	}
	rig_cidr_add(&p->rule[1].match.saddr, rig_cidr("10.0.0.0/8"));
	begun = seconds();
	m = rig_compile(p);
	begun = seconds() - begun;
	print_message("%u entries: %zu addresses, %zu prefixes, compiled in %.0f ms CPU (sanitised)\n",
		      POLICY_ENTRIES_MAX, m->saddr_exact.count, m->saddr_prefix.count, begun * 1e3);
	assert_true(begun < 5); /* 0.5 without sanitisers; machines differ */
	for (unsigned i = 0; i < 50; i++) {
		uint32_t invalid;
		struct segment seg = rig_segment(&d, p, &invalid);

		assert_int_equal(policy_image_rules(m, &seg, invalid), rig_rules(p, &seg, invalid));
	}
	policy_image_free(m);
	policy_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random),		 cmocka_unit_test(test_random_can_fail),
		cmocka_unit_test(test_prefix_lengths),	 cmocka_unit_test(test_inheritance),
		cmocka_unit_test(test_empty_lists),	 cmocka_unit_test(test_static_rules),
		cmocka_unit_test(test_limits),		 cmocka_unit_test(test_interfaces),
		cmocka_unit_test(test_too_many_classes), cmocka_unit_test(test_large_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
