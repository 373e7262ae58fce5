// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* A policy as YAML and as JSON, and what is said of the difference between two. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <json-c/json.h>

#include "policy_rig.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define SECOND 1000000000ULL

/* ---- a policy with something of everything, by hand ---- */
static void web_service(struct policy_file_service *s)
{
	strcpy(s->service.name, "web");
	rig_cidr_add(&s->match.daddr, rig_cidr("192.0.2.10"));
	rig_cidr_add(&s->match.daddr, rig_cidr("2001:db8::10"));
	rig_range_add(&s->match.dport, 80, 80);
	rig_range_add(&s->match.dport, 8000, 8100);
	s->service.limit[LIMIT_HALF_OPEN] = (struct policy_limit){
		.on = 1,
		.mode = MODE_ENFORCE,
		.then = THEN_SYNCOOKIE,
		.enter_permille = 250,
		.leave_permille = 125,
		.min = 128,
	};
	s->service.limit[LIMIT_NEW_SOURCE] = (struct policy_limit){
		.on = 1,
		.mode = MODE_DRY_RUN,
		.then = THEN_DROP,
		.prefix_v4 = 24,
		.prefix_v6 = 64,
		.rate = { .interval_ns = SECOND / 50, .burst = 200 },
		.for_ns = 90 * SECOND,
	};
}

static void rule_of(struct policy *p, size_t i, const char *name)
{
	snprintf(p->rule[i].rule.name, POLICY_NAME_LEN, "%s", name);
	p->rule[i].rule.action = ACTION_DROP;
	p->rule[i].rule.mode = MODE_ENFORCE;
}

static struct policy *sample(void)
{
	struct policy *p = calloc(1, sizeof(*p));

	p->mode = MODE_ENFORCE;
	p->check = CHECK_LOOSE;
	p->iface = calloc(1, WARD_NAME_LEN);
	p->iface_count = 1;
	strcpy(p->iface[0], "eth0");
	rig_cidr_add(&p->allow, rig_cidr("10.0.0.0/8"));
	p->learn_ns = 60 * SECOND;
	p->cookie_rate = (struct policy_rate){ .interval_ns = 2000, .burst = 50000 };
	p->service_count = 1;
	p->service = calloc(1, sizeof(*p->service));
	web_service(&p->service[0]);
	p->rule = calloc(4, sizeof(*p->rule));
	p->rule_count = 3;
	rule_of(p, 0, "bad-flags");
	p->rule[0].match.invalid = 1 << INVALID_BAD_FLAGS;
	rule_of(p, 1, "known-bad");
	rig_cidr_add(&p->rule[1].match.saddr, rig_cidr("203.0.113.0/24"));
	rig_cidr_add(&p->rule[1].match.saddr, rig_cidr("2001:db8:bad::/48"));
	p->rule[1].rule.sample = (struct policy_rate){ .interval_ns = SECOND / 5, .burst = 1 };
	rule_of(p, 2, "rest");
	p->rule[2].rule.above = (struct policy_rate){ .interval_ns = SECOND / 3, .burst = 5 };
	p->reaction = calloc(1, sizeof(*p->reaction));
	p->reaction_count = 1;
	p->reaction[0] = (struct policy_reaction){
		.finding = FINDING_PORT_SCAN, .then = REACT_BLOCK, .mode = MODE_ENFORCE, .for_ns = 60 * SECOND
	};
	p->timeout_ns[TIMEOUT_SYN_RECEIVED] = 70 * SECOND;
	p->detect_given[PARAM_PORT_SCAN_TARGETS] = p->detect_given[PARAM_PORT_SCAN_SUCCESS] = true;
	p->detect.value[PARAM_PORT_SCAN_TARGETS] = 30;
	p->detect.value[PARAM_PORT_SCAN_SUCCESS] = 10;
	return p;
}

static const char sample_text[] =
	"version: 1\n"
	"mode: enforce\n"
	"interfaces: [eth0]\n"
	"allow: [10.0.0.0/8]\n"
	"state-check: loose\n"
	"learn: 1m\n"
	"without-daemon: stay\n"
	"unparsed: pass\n"
	"syncookie: {flavour: auto, rate: 500k/s, burst: 50000, set-sysctls: false}\n"
	"services:\n"
	"  - name: web\n"
	"    match: {daddr: [192.0.2.10, \"2001:db8::10\"], dport: [80, 8000-8100]}\n"
	"    half-open: {enter: 25%, leave: 12.5%, min: 128, then: syncookie, mode: enforce}\n"
	"    new-per-source:\n"
	"      rate: 50/s\n"
	"      burst: 200\n"
	"      prefix: {v4: 24, v6: 64}\n"
	"      then: drop\n"
	"      for: 1m30s\n"
	"      mode: dry-run\n"
	"rules:\n"
	"  - {name: bad-flags, match: {invalid: [bad-flags]}, action: drop, mode: enforce}\n"
	"  - name: known-bad\n"
	"    match: {saddr: [203.0.113.0/24, \"2001:db8:bad::/48\"]}\n"
	"    action: drop\n"
	"    mode: enforce\n"
	"    sample: 5/s\n"
	"  - {name: rest, match: {any: true}, action: drop, mode: enforce, above: 3/s, burst: 5}\n"
	"findings:\n"
	"  - {finding: port-scan, then: block, for: 1m, mode: enforce}\n"
	"timeouts: {syn-received: 1m10s}\n"
	"detect: {port-scan: {targets: 30, success: 10%}}\n";

static char *printed(const struct policy *p)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	policy_print(p, out);
	fclose(out);
	return text;
}

static void test_print(void **state)
{
	struct policy *p = sample();
	char *text = printed(p);

	(void)state;
	assert_string_equal(text, sample_text);
	free(text);
	policy_free(p);
}

static void test_json(void **state)
{
	struct policy *p = sample();
	struct json_object *o = policy_json(p), *rules, *service, *value;

	(void)state;
	assert_true(json_object_object_get_ex(o, "rules", &rules));
	assert_int_equal(json_object_array_length(rules), 3);
	assert_true(json_object_object_get_ex(o, "services", &service));
	service = json_object_array_get_idx(service, 0);
	assert_true(json_object_object_get_ex(service, "match", &value));
	assert_string_equal(json_object_to_json_string_ext(value, JSON_C_TO_STRING_NOSLASHESCAPE),
			    "{\"daddr\":[\"192.0.2.10\",\"2001:db8::10\"],\"dport\":[80,\"8000-8100\"]}");
	json_object_put(o);
	policy_free(p);
}

/* Long lists have an item a line. */
static void test_print_long_list(void **state)
{
	struct policy *p = sample();
	char *text, *at;

	(void)state;
	for (unsigned i = 0; i < 5000; i++) {
		char cidr[32];

		snprintf(cidr, sizeof(cidr), "198.18.%u.%u", i / 256, i % 256);
		rig_cidr_add(&p->rule[1].match.saddr, rig_cidr(cidr));
	}
	text = printed(p);
	at = strstr(text, "    match:\n      saddr:\n        - 203.0.113.0/24\n        - \"2001:db8:bad::/48\"\n       "
			  " - 198.18.0.0\n");
	assert_non_null(at);
	assert_non_null(strstr(at, "        - 198.18.19.135\n    action: drop\n"));
	free(text);
	policy_free(p);
}

/* ---- what is printed is what was said ---- */
static struct policy *reparsed(const char *text)
{
	unsigned errors;
	struct policy *p = policy_parse(text, strlen(text), "printed", NULL, stderr, &errors);

	if (!p)
		fail_msg("%u errors in:\n%s", errors, text);
	return p;
}

/* As JSON it can be read too. */
static struct policy *reparsed_json(const struct policy *p)
{
	struct json_object *o = policy_json(p);
	struct policy *again = reparsed(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN));

	json_object_put(o);
	return again;
}

/* The image tells what a comparison of words could miss. */
static void assert_same_image(const struct policy *a, const struct policy *b)
{
	const char *error;
	struct policy_image *x = policy_compile(a, rig_ifaces, RIG_ROWS, &error);
	struct policy_image *y = policy_compile(b, rig_ifaces, RIG_ROWS, &error);

	assert_non_null(x);
	assert_non_null(y);
	assert_memory_equal(&x->config, &y->config, sizeof(x->config));
	assert_memory_equal(&x->ports, &y->ports, sizeof(x->ports));
	assert_int_equal(x->saddr_prefix.count, y->saddr_prefix.count);
	assert_int_equal(x->daddr_exact.count, y->daddr_exact.count);
	policy_image_free(x);
	policy_image_free(y);
}

static void test_round_trip(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 500; seed++) {
		struct dice d = { seed };
		struct policy *p = rig_whole_policy(&d), *again, *json;
		char *text = printed(p), *twice;

		again = reparsed(text);
		json = reparsed_json(p);
		twice = printed(again);
		assert_string_equal(text, twice);
		assert_int_equal(policy_diff(p, again, stderr), 0);
		assert_int_equal(policy_diff(p, json, stderr), 0);
		assert_same_image(p, again);
		assert_memory_equal(p->timeout_ns, again->timeout_ns, sizeof(p->timeout_ns));
		assert_memory_equal(&p->detect, &again->detect, sizeof(p->detect));
		assert_int_equal(p->learn_ns, again->learn_ns);
		free(text);
		free(twice);
		policy_free(again);
		policy_free(json);
		policy_free(p);
	}
}

/* Each set of control bits has words, and they mean just this set. */
static void test_control_bits(void **state)
{
	struct dice d = { 5 };

	(void)state;
	for (unsigned i = 0; i < 300; i++) {
		struct policy *p = sample(), *again;
		char *text;

		p->rule[0].match.flags = i < 64 ? 1ULL << i : i < 128 ? ~(1ULL << (i - 64)) : roll(&d) & roll(&d);
		text = printed(p);
		again = reparsed(text);
		assert_int_equal(again->rule[0].match.flags, p->rule[0].match.flags);
		free(text);
		policy_free(again);
		policy_free(p);
	}
}

static void test_control_bits_words(void **state)
{
	static const struct {
		const char *words;
	} cases[] = {
		{ "[\"syn\"]" },      { "[\"syn+ack\"]" },	   { "[\"none\"]" },
		{ "[\"rst+!ack\"]" }, { "[\"syn\",\"ack+fin\"]" }, { "[\"syn+fin+!urg\"]" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char text[200];
		struct policy *p;
		struct json_object *o, *rule, *match, *flags;

		snprintf(text, sizeof(text),
			 "version: 1\nmode: enforce\nrules: [{name: a, action: drop, match: {flags: %s}}]\n",
			 cases[i].words);
		p = reparsed(text);
		o = policy_json(p);
		rule = json_object_array_get_idx(json_object_object_get(o, "rules"), 0);
		match = json_object_object_get(rule, "match");
		flags = json_object_object_get(match, "flags");
		assert_string_equal(json_object_to_json_string_ext(flags, JSON_C_TO_STRING_PLAIN), cases[i].words);
		json_object_put(o);
		policy_free(p);
	}
}

/* ---- differences ---- */
static void change_mode(struct policy *p)
{
	p->mode = MODE_DRY_RUN;
}

static void change_enter(struct policy *p)
{
	p->service[0].service.limit[LIMIT_HALF_OPEN].enter_permille = 300;
}

static void change_limits(struct policy *p)
{
	p->service[0].service.limit[LIMIT_HALF_OPEN].on = 0;
	p->service[0].service.limit[LIMIT_NEW_SOURCE].prefix_v6 = 48;
	p->service[0].service.limit[LIMIT_NEW_SOURCE].rate.burst = 100;
	p->service[0].service.limit[LIMIT_NEW] = (struct policy_limit){
		.on = 1, .mode = MODE_ENFORCE, .then = THEN_FIRST_SYN, .rate = { .interval_ns = 10000, .burst = 9 }
	};
}

static void change_list(struct policy *p)
{
	struct cidr_list *l = &p->rule[1].match.saddr;

	l->item[0] = rig_cidr("198.51.100.7");
	for (unsigned i = 1; i <= 6; i++) {
		char text[32];

		snprintf(text, sizeof(text), "198.51.100.%u", 10 + i);
		rig_cidr_add(l, rig_cidr(text));
	}
}

static void change_order_of_list(struct policy *p)
{
	struct cidr_list *l = &p->rule[1].match.saddr;
	struct cidr first = l->item[0];

	l->item[0] = l->item[1];
	l->item[1] = first;
	rig_cidr_add(l, first); /* and twice */
}

static void change_rule_gone(struct policy *p)
{
	p->rule_count = 2;
}

static void change_rule_new(struct policy *p)
{
	p->rule_count = 4;
	rule_of(p, 3, "telnet");
	rig_range_add(&p->rule[3].match.dport, 23, 23);
}

static void change_name(struct policy *p)
{
	strcpy(p->rule[0].rule.name, "flags");
}

static void change_any(struct policy *p)
{
	rig_range_add(&p->rule[2].match.dport, 25, 25);
}

static void change_order(struct policy *p)
{
	struct policy_file_rule first = p->rule[0];

	p->rule[0] = p->rule[1];
	p->rule[1] = p->rule[2];
	p->rule[2] = first;
}

static void change_top(struct policy *p)
{
	struct policy_file_rule last = p->rule[2];

	p->rule[2] = p->rule[1];
	p->rule[1] = p->rule[0];
	p->rule[0] = last;
}

static void change_order_and_more(struct policy *p)
{
	change_order(p);
	p->rule[2].rule.mode = MODE_DRY_RUN;
}

static void change_rest(struct policy *p)
{
	p->iface_count = 0;
	p->allow.given = false;
	p->allow.count = 0;
	p->timeout_ns[TIMEOUT_SYN_RECEIVED] = 0;
	p->detect.value[PARAM_PORT_SCAN_SUCCESS] = 20;
	p->reaction[0].for_ns = 600 * SECOND;
	p->open_without_sweeper = true;
	p->set_sysctls = true;
}

static void change_nothing(struct policy *p)
{
	p->text = NULL;
}

static void test_diff(void **state)
{
	static const struct {
		void (*change)(struct policy *p);
		unsigned lines;
		const char *text;
	} cases[] = {
		{ change_nothing, 0, "" },
		{ change_order_of_list, 0, "" },
		{ change_mode, 1, "mode: enforce -> dry-run\n" },
		{ change_enter, 1, "service web: half-open.enter: 25% -> 30%\n" },
		{ change_limits, 4,
		  "service web: half-open: {enter: 25%, leave: 12.5%, min: 128, then: syncookie, mode: enforce} -> "
		  "none\n"
		  "service web: new-per-source.burst: 200 -> 100\n"
		  "service web: new-per-source.prefix.v6: 64 -> 48\n"
		  "service web: new: none -> {rate: 100k/s, burst: 9, then: drop-first-syn, mode: enforce}\n" },
		{ change_list, 2,
		  "rule known-bad: match.saddr: added 7: 198.51.100.11, 198.51.100.12, 198.51.100.13, 198.51.100.14, and "
		  "3 more\n"
		  "rule known-bad: match.saddr: removed 203.0.113.0/24\n" },
		{ change_rule_gone, 1, "rule rest: removed\n" },
		{ change_rule_new, 1,
		  "rule telnet: added {name: telnet, match: {dport: [23]}, action: drop, mode: enforce}, behind "
		  "rest\n" },
		{ change_name, 2,
		  "rule bad-flags: removed\n"
		  "rule flags: added {name: flags, match: {invalid: [bad-flags]}, action: drop, mode: enforce}, at the "
		  "top\n" },
		{ change_any, 2, "rule rest: match.any: true -> none\nrule rest: match.dport: none -> [25]\n" },
		{ change_order, 1, "rule bad-flags: moved behind rest\n" },
		{ change_top, 1, "rule rest: moved to the top\n" },
		{ change_order_and_more, 2,
		  "rule bad-flags: mode: enforce -> dry-run\n"
		  "rule bad-flags: moved behind rest\n" },
		{ change_rest, 7,
		  "finding port-scan block: for: 1m -> 10m\n"
		  "interfaces: [eth0] -> none\n"
		  "allow: [10.0.0.0/8] -> none\n"
		  "without-daemon: stay -> open\n"
		  "syncookie.set-sysctls: false -> true\n"
		  "timeouts: {syn-received: 1m10s} -> none\n"
		  "detect.port-scan.success: 10% -> 20%\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct policy *a = sample(), *b = sample();
		char *text = NULL;
		size_t size;
		FILE *out = open_memstream(&text, &size);
		unsigned lines;

		cases[i].change(b);
		lines = policy_diff(a, b, out);
		fclose(out);
		assert_string_equal(text, cases[i].text);
		assert_int_equal(lines, cases[i].lines);
		free(text);
		b->rule_count = b->rule_count < 3 ? 3 : b->rule_count;
		policy_free(a);
		policy_free(b);
	}
}

static void test_diff_json(void **state)
{
	struct policy *a = sample(), *b = sample();
	struct json_object *o;

	(void)state;
	change_enter(b);
	change_list(b);
	change_order(b);
	o = policy_diff_json(a, b);
	assert_string_equal(
		json_object_to_json_string_ext(o, JSON_C_TO_STRING_NOSLASHESCAPE),
		"[{\"v\":1,\"path\":\"service web: half-open.enter\",\"change\":\"changed\",\"from\":\"25%\",\"to\":\"30%\"},"
		"{\"v\":1,\"path\":\"rule known-bad: match.saddr\",\"change\":\"added\",\"items\":[\"198.51.100.11\","
		"\"198.51.100.12\",\"198.51.100.13\",\"198.51.100.14\",\"198.51.100.15\",\"198.51.100.16\",\"198.51."
		"100.7\"]},"
		"{\"v\":1,\"path\":\"rule known-bad: match.saddr\",\"change\":\"removed\",\"items\":[\"203.0.113.0/24\"]},"
		"{\"v\":1,\"path\":\"rule bad-flags\",\"change\":\"moved\",\"behind\":\"rest\"}]");
	json_object_put(o);
	policy_free(a);
	policy_free(b);
}

/* Against no policy at all, everything is new. */
static void test_diff_none(void **state)
{
	struct policy *p = sample();
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	(void)state;
	assert_int_equal(policy_diff(NULL, p, out), 16);
	fclose(out);
	assert_non_null(strstr(text, "mode: none -> enforce\n"));
	assert_non_null(strstr(text, "service web: added {name: web, "));
	assert_non_null(strstr(text, "rule bad-flags: added {name: bad-flags, "));
	assert_null(strstr(text, "moved"));
	free(text);
	policy_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_print),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_print_long_list),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_control_bits),
		cmocka_unit_test(test_control_bits_words),
		cmocka_unit_test(test_diff),
		cmocka_unit_test(test_diff_none),
		cmocka_unit_test(test_diff_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
