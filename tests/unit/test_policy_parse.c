// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Right policies: every key, defaults, forms of YAML, control bits, the examples; the schema. */
#include "policy_text.h"

#define SECOND 1000000000ULL
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* ---- what is compared ---- */
static void addresses_are(const struct cidr_list *list, const char *words)
{
	char text[512] = "", one[64];

	assert_true(list->given);
	for (size_t i = 0; i < list->count; i++) {
		strcat(text, i ? " " : "");
		strcat(text, cidr_text(&list->item[i], one));
	}
	assert_string_equal(text, words);
}

static void ranges_are(const struct range_list *list, const char *words)
{
	char text[128] = "";
	size_t used = 0;

	assert_true(list->given);
	for (size_t i = 0; i < list->count; i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%u-%u", i ? " " : "", list->item[i].from,
					 list->item[i].to);
	assert_string_equal(text, words);
}

static void rate_is(const struct policy_rate *rate, uint64_t interval_ns, uint32_t burst)
{
	assert_int_equal(rate->interval_ns, interval_ns);
	assert_int_equal(rate->burst, burst);
}

/* ---- every key ---- */
static void top_is_as_written(const struct policy *p)
{
	assert_int_equal(p->mode, MODE_DRY_RUN);
	assert_int_equal(p->check, CHECK_STRICT);
	assert_int_equal(p->iface_count, 2);
	assert_string_equal(p->iface[0], "eth0");
	assert_string_equal(p->iface[1], "wan.7");
	addresses_are(&p->allow, "10.0.0.0/8 2001:db8:1::/48");
	assert_int_equal(p->learn_ns, 90 * SECOND);
	assert_true(p->open_without_sweeper);
	assert_true(p->drop_unparsed);
	assert_int_equal(p->cookie_flavour, COOKIE_OWN);
	rate_is(&p->cookie_rate, SECOND / 200000, 1000);
	assert_true(p->set_sysctls);
	assert_int_equal(p->service_count, 2);
	assert_int_equal(p->rule_count, 2);
	assert_int_equal(p->reaction_count, 3);
}

static void service_is_as_written(const struct policy_file_service *s)
{
	const struct policy_limit *l = s->service.limit;

	assert_string_equal(s->service.name, "web.server_1-a");
	addresses_are(&s->match.daddr, "192.0.2.10");
	ranges_are(&s->match.dport, "80-80 8000-8100");
	ranges_are(&s->match.vlan, "7-7 100-200");
	assert_int_equal(s->match.iface_count, 1);
	assert_false(s->match.saddr.given || s->match.sport.given);

	assert_int_equal(l[LIMIT_HALF_OPEN].on, 1);
	assert_int_equal(l[LIMIT_HALF_OPEN].enter_permille, 125);
	assert_int_equal(l[LIMIT_HALF_OPEN].leave_permille, 50);
	assert_int_equal(l[LIMIT_HALF_OPEN].min, 256);
	assert_int_equal(l[LIMIT_HALF_OPEN].max, 20000);
	assert_int_equal(l[LIMIT_HALF_OPEN].then, THEN_FIRST_SYN);
	assert_int_equal(l[LIMIT_HALF_OPEN].mode, MODE_DRY_RUN); /* the service's is weaker */

	assert_int_equal(l[LIMIT_HALF_OPEN_SOURCE].max, 64);
	assert_int_equal(l[LIMIT_HALF_OPEN_SOURCE].prefix_v4, 24);
	assert_int_equal(l[LIMIT_HALF_OPEN_SOURCE].prefix_v6, 56);
	assert_int_equal(l[LIMIT_HALF_OPEN_SOURCE].then, THEN_BLOCK);
	assert_int_equal(l[LIMIT_HALF_OPEN_SOURCE].for_ns, HOUR);
	assert_int_equal(l[LIMIT_HALF_OPEN_SOURCE].mode, MODE_MONITOR); /* its own is weaker */

	rate_is(&l[LIMIT_NEW_SOURCE].rate, 6 * SECOND, 20);
	assert_int_equal(l[LIMIT_NEW_SOURCE].then, THEN_BLOCK); /* drop with "for" */
	assert_int_equal(l[LIMIT_NEW_SOURCE].for_ns, 90 * SECOND);

	rate_is(&l[LIMIT_NEW].rate, HOUR / 1000, 7);
	assert_int_equal(l[LIMIT_NEW].then, THEN_SYNCOOKIE);
}

static void rule_is_as_written(const struct policy_file_rule *r)
{
	uint64_t syn = 0, ack_no_rst = 0;

	assert_string_equal(r->rule.name, "one");
	addresses_are(&r->match.saddr, "198.51.100.0/24 203.0.113.7 2001:db8:bad::/48 203.0.113.7 0.0.0.0/1");
	addresses_are(&r->match.daddr, "2001:db8::/32 192.0.2.1");
	ranges_are(&r->match.sport, "1024-65535");
	ranges_are(&r->match.dport, "22-22 23-23");
	ranges_are(&r->match.vlan, "5-5");
	assert_int_equal(r->match.iface_count, 2);
	assert_int_equal(r->match.invalid, 1 << INVALID_NO_FLOW | 1 << INVALID_RST_TIME_WAIT);
	for (unsigned bits = 0; bits < 64; bits++) {
		if ((bits & (TH_SYN | TH_ACK | TH_FIN | TH_RST)) == TH_SYN)
			syn |= 1ULL << bits;
		if ((bits & TH_ACK) && !(bits & TH_RST))
			ack_no_rst |= 1ULL << bits;
	}
	assert_true(r->match.flags == (syn | ack_no_rst));
	assert_int_equal(r->rule.action, ACTION_DROP);
	assert_int_equal(r->rule.mode, MODE_MONITOR);
	assert_int_equal(r->rule.drop, DROP_MATCH);
	rate_is(&r->rule.above, MINUTE / 5, 3);
	rate_is(&r->rule.sample, SECOND / 2, 5);
}

static void reactions_are_as_written(const struct policy *p)
{
	static const struct policy_reaction wanted[] = {
		{ FINDING_PORT_SCAN, REACT_BLOCK, MODE_DRY_RUN, 24 * HOUR },
		{ FINDING_ZERO_WINDOW, REACT_CLOSE, MODE_ENFORCE, 0 },
		{ FINDING_BAD_FLAGS, REACT_BLOCK, MODE_ENFORCE, MINUTE },
	};

	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
		assert_int_equal(p->reaction[i].finding, wanted[i].finding);
		assert_int_equal(p->reaction[i].then, wanted[i].then);
		assert_int_equal(p->reaction[i].mode, wanted[i].mode);
		assert_int_equal(p->reaction[i].for_ns, wanted[i].for_ns);
	}
}

static void numbers_are_as_written(const struct policy *p)
{
	struct detect_opts usual;

	detect_opts_init(&usual);
	for (unsigned i = 0; i < TIMEOUT_COUNT; i++)
		assert_int_equal(p->timeout_ns[i], i == TIMEOUT_TIME_WAIT     ? 30 * SECOND
						   : i == TIMEOUT_ESTABLISHED ? 168 * HOUR
									      : 0);
	for (unsigned i = 0; i < PARAM_COUNT; i++) {
		bool given = i == PARAM_STALE_SYN_AFTER || i == PARAM_STALE_SYN_MANY || i == PARAM_HALF_OPEN_COMPLETION;

		assert_int_equal(p->detect_given[i], given);
		if (!given)
			assert_int_equal(p->detect.value[i], usual.value[i]);
	}
	assert_int_equal(p->detect.value[PARAM_STALE_SYN_AFTER], 5 * SECOND);
	assert_int_equal(p->detect.value[PARAM_STALE_SYN_MANY], 2000);
	assert_int_equal(p->detect.value[PARAM_HALF_OPEN_COMPLETION], 40);
}

static void every_key_is_read(void **state)
{
	struct policy *p = right_file(EVERY_KEY);

	(void)state;
	top_is_as_written(p);
	service_is_as_written(&p->service[0]);
	rate_is(&p->service[1].service.limit[LIMIT_NEW].rate, 500, 2000000);
	assert_int_equal(p->service[1].service.limit[LIMIT_NEW].then, THEN_DROP);
	assert_false(p->service[1].match.daddr.given || p->service[1].match.dport.given);
	rule_is_as_written(&p->rule[0]);
	assert_int_equal(p->rule[1].rule.action, ACTION_PASS);
	reactions_are_as_written(p);
	numbers_are_as_written(p);
	policy_free(p);
}

/* ---- defaults ---- */
static void what_is_left_out_has_its_default(void **state)
{
	struct policy *p = right("version: 1\nmode: monitor\n");

	(void)state;
	assert_int_equal(p->mode, MODE_MONITOR);
	assert_int_equal(p->check, CHECK_OFF);
	assert_int_equal(p->learn_ns, 0);
	assert_int_equal(p->iface_count + p->service_count + p->rule_count + p->reaction_count, 0);
	assert_false(p->allow.given || p->open_without_sweeper || p->drop_unparsed || p->set_sysctls);
	assert_int_equal(p->cookie_flavour, COOKIE_AUTO);
	rate_is(&p->cookie_rate, 2000, 50000);
	policy_free(p);
}

static void limits_have_their_defaults(void **state)
{
	struct policy *p = right("version: 1\nmode: enforce\nservices:\n"
				 "- {name: a, match: {dport: 1}, half-open: {enter: 25%, then: drop}}\n"
				 "- {name: b, match: {dport: 2}, half-open: {max: 50, then: syncookie}}\n"
				 "- {name: c, match: {dport: 3}, new-per-source: {rate: 50/s}}\n"
				 "- {name: d, match: {dport: 4}, half-open-per-source: {max: 9}, mode: monitor}\n");
	const struct policy_limit *l = p->service[0].service.limit;

	(void)state;
	assert_int_equal(l[LIMIT_HALF_OPEN].leave_permille, 125);
	assert_int_equal(l[LIMIT_HALF_OPEN].min, 128);
	assert_int_equal(l[LIMIT_HALF_OPEN].max, 0);
	assert_int_equal(l[LIMIT_HALF_OPEN].mode, MODE_ENFORCE);
	assert_int_equal(l[LIMIT_HALF_OPEN_SOURCE].on + l[LIMIT_NEW].on + l[LIMIT_NEW_SOURCE].on, 0);
	l = p->service[1].service.limit; /* by max alone, few are many */
	assert_int_equal(l[LIMIT_HALF_OPEN].enter_permille + l[LIMIT_HALF_OPEN].leave_permille + l[LIMIT_HALF_OPEN].min,
			 0);
	l = p->service[2].service.limit;
	rate_is(&l[LIMIT_NEW_SOURCE].rate, SECOND / 50, 50);
	assert_int_equal(l[LIMIT_NEW_SOURCE].then, THEN_DROP);
	assert_int_equal(l[LIMIT_NEW_SOURCE].for_ns, 0);
	assert_int_equal(l[LIMIT_NEW_SOURCE].prefix_v4, 32);
	assert_int_equal(l[LIMIT_NEW_SOURCE].prefix_v6, 64);
	assert_int_equal(p->service[3].service.limit[LIMIT_HALF_OPEN_SOURCE].mode, MODE_MONITOR);
	policy_free(p);
}

/* Lists that hold nothing match nothing; that is not the same as a key that is left out. */
static void an_empty_list_is_given(void **state)
{
	struct policy *p = right("version: 1\nmode: enforce\nallow: []\nrules:\n"
				 "- {name: a, match: {saddr: [], dport: []}, action: drop}\n");

	(void)state;
	assert_true(p->allow.given && p->rule[0].match.saddr.given && p->rule[0].match.dport.given);
	assert_int_equal(p->rule[0].match.saddr.count + p->rule[0].match.dport.count, 0);
	assert_false(p->rule[0].match.daddr.given);
	policy_free(p);
}

static void prefixes_of_whole_addresses_go_with_any(void **state)
{
	(void)state;
	policy_free(
		right("version: 1\nmode: enforce\nservices:\n"
		      "- {name: a, match: {dport: 1}, new-per-source: {rate: 5/s, prefix: {v4: 24, v6: 48}}}\n"
		      "- {name: b, match: {dport: 2}, new-per-source: {rate: 5/s, prefix: {v4: 32, v6: 128}}}\n"
		      "- {name: c, match: {dport: 3}, half-open-per-source: {max: 5, prefix: {v4: 24, v6: 48}}}\n"));
}

/* ---- forms of the same ---- */
static void yaml_may_be_written_in_many_ways(void **state)
{
	static const char *const forms[] = {
		"version: 1\nmode: enforce\nallow: [192.0.2.0/24]\n",
		"\xef\xbb\xbfversion: 1\r\nmode: enforce\r\nallow:\r\n  - 192.0.2.0/24\r\n",
		"%YAML 1.2\n---\nversion: 1\nmode: enforce\nallow: 192.0.2.0/24\n...\n",
		"{\"version\": 1, \"mode\": \"enforce\", \"allow\": [\"192.0.2.0/24\"]}",
		"# caf\xc3\xa9\nversion: '1'\nmode: >-\n  enforce\nallow:\n- \"192.0.2.\\\n  0/24\"",
		"? version\n: 1\n? mode\n: enforce\n? allow\n: [ 192.0.2.0/24, ] # the last comma counts for nothing\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		struct policy *p = right(forms[i]);

		assert_int_equal(p->mode, MODE_ENFORCE);
		addresses_are(&p->allow, "192.0.2.0/24");
		assert_string_equal(p->text, forms[i]);
		policy_free(p);
	}
}

static uint64_t flags_of(const char *words)
{
	char text[200];
	struct policy *p;
	uint64_t flags;

	snprintf(text, sizeof(text),
		 "version: 1\nmode: enforce\nrules: [{name: a, match: {flags: %s}, action: drop}]\n", words);
	p = right(text);
	flags = p->rule[0].match.flags;
	policy_free(p);
	return flags;
}

static void control_bits_match(void **state)
{
	static const struct {
		const char *words;
		unsigned bits;
		bool matches;
	} cases[] = {
		{ "syn", TH_SYN, true },
		{ "syn", TH_SYN | TH_PSH | TH_URG, true },
		{ "syn", TH_SYN | TH_ACK, false },
		{ "syn", TH_SYN | TH_FIN, false },
		{ "syn", 0, false },
		{ "syn+ack", TH_SYN | TH_ACK, true },
		{ "syn+ack", TH_ACK, false },
		{ "syn+ack", TH_SYN | TH_ACK | TH_RST, false },
		{ "ack+psh", TH_ACK | TH_PSH, true },
		{ "ack+psh", TH_ACK, false },
		{ "\"syn+!ack\"", TH_SYN, true },
		{ "\"syn+!ack\"", TH_SYN | TH_RST, true },
		{ "\"syn+!ack\"", TH_SYN | TH_ACK, false },
		{ "\"!ack\"", 0, true },
		{ "\"!ack\"", TH_FIN | TH_RST, true },
		{ "\"!ack\"", TH_ACK, false },
		{ "none", 0, true },
		{ "none", TH_PSH, true },
		{ "none", TH_FIN, false },
		{ "[fin, rst]", TH_FIN, true },
		{ "[fin, rst]", TH_RST, true },
		{ "[fin, rst]", TH_FIN | TH_RST, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		if ((flags_of(cases[i].words) >> cases[i].bits & 1) != cases[i].matches)
			fail_msg("%s: bits %#x", cases[i].words, cases[i].bits);
}

/* ---- the examples ---- */
static void the_examples_load(void **state)
{
	static const struct {
		const char *path;
		size_t services, rules, reactions;
	} examples[] = {
		{ "docs/examples/web-server.yaml", 1, 1, 0 },
		{ "docs/examples/router.yaml", 3, 3, 0 },
		{ "docs/examples/strict.yaml", 0, 8, 3 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(examples); i++) {
		struct policy *p = right_file(examples[i].path);

		assert_int_equal(p->service_count, examples[i].services);
		assert_int_equal(p->rule_count, examples[i].rules);
		assert_int_equal(p->reaction_count, examples[i].reactions);
		policy_free(p);
	}
}

/* ---- the schema ---- */
static void the_schema_is_whole(void **state)
{
	unsigned count;
	const struct policy_schema_row *rows = policy_schema(&count);
	size_t len;
	char *text = whole_file(EVERY_KEY, &len);

	(void)state;
	assert_true(count > 100);
	for (unsigned i = 0; i < count; i++) {
		const char *dot = strrchr(rows[i].path, '.'), *name = dot ? dot + 1 : rows[i].path;
		char key[64];

		assert_true(*rows[i].path && *rows[i].type && *rows[i].text);
		for (unsigned j = 0; j < i; j++)
			assert_string_not_equal(rows[i].path, rows[j].path);
		snprintf(key, sizeof(key), "%s:", name);
		if (strncmp(rows[i].path, "timeouts.", 9) && strncmp(rows[i].path, "detect.", 7) && !strstr(text, key))
			fail_msg("%s is not in every-key.yaml", rows[i].path);
	}
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_key_is_read),
		cmocka_unit_test(what_is_left_out_has_its_default),
		cmocka_unit_test(limits_have_their_defaults),
		cmocka_unit_test(an_empty_list_is_given),
		cmocka_unit_test(prefixes_of_whole_addresses_go_with_any),
		cmocka_unit_test(yaml_may_be_written_in_many_ways),
		cmocka_unit_test(control_bits_match),
		cmocka_unit_test(the_examples_load),
		cmocka_unit_test(the_schema_is_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
