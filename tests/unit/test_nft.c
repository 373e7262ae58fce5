// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Which rule of an nftables rule set drops an ACK whose SYN conntrack never saw: by what `nft -j list ruleset` prints. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "policy/nft.h"

#define CHAIN(family, name, hook, prio, policy)                                                                        \
	"{\"chain\":{\"family\":\"" family "\",\"table\":\"filter\",\"name\":\"" name "\",\"handle\":1,\"type\":\"filter\",\"hook\":\"" hook \
	"\",\"prio\":" prio ",\"policy\":\"" policy "\"}}"
#define RULE(family, chain, handle, expr)                                                                              \
	"{\"rule\":{\"family\":\"" family "\",\"table\":\"filter\",\"chain\":\"" chain "\",\"handle\":" handle ",\"expr\":[" expr "]}}"
#define SIMPLE CHAIN("inet", "input", "input", "0", "accept") ","
#define STATE(op, what) "{\"match\":{\"op\":\"" op "\",\"left\":{\"ct\":{\"key\":\"state\"}},\"right\":" what "}}"
#define FLAGS(op, what) "{\"match\":{\"op\":\"" op "\",\"left\":{\"payload\":{\"protocol\":\"tcp\",\"field\":\"flags\"}},\"right\":" what "}}"
#define MASKED(mask, op, what)                                                                                         \
	"{\"match\":{\"op\":\"" op "\",\"left\":{\"&\":[{\"payload\":{\"protocol\":\"tcp\",\"field\":\"flags\"}}," mask "]},\"right\":" what "}}"
#define PORT "{\"match\":{\"op\":\"==\",\"left\":{\"payload\":{\"protocol\":\"tcp\",\"field\":\"dport\"}},\"right\":22}}"
#define DROP "{\"drop\":null}"
#define ACCEPT "{\"accept\":null}"
#define NO_SYN MASKED("[\"fin\",\"syn\",\"rst\",\"ack\"]", "!=", "\"syn\"")

static void test_rules(void **state)
{
	static const struct {
		const char *rules, *found; /* "family table chain handle"; NULL: none */
	} cases[] = {
		{ SIMPLE RULE("inet", "input", "7", STATE("in", "\"new\"") "," NO_SYN "," DROP), "inet filter input 7" },
		{ SIMPLE RULE("inet", "input", "7", NO_SYN "," STATE("==", "{\"set\":[\"new\",\"untracked\"]}") ",{\"counter\":null}," DROP),
		  "inet filter input 7" },
		{ SIMPLE RULE("inet", "input", "7", STATE("in", "[\"invalid\",\"new\"]") "," NO_SYN ",{\"reject\":null}"), "inet filter input 7" },
		{ SIMPLE RULE("inet", "input", "7", STATE("!=", "[\"established\",\"related\"]") "," DROP), "inet filter input 7" },
		{ SIMPLE RULE("inet", "input", "7", FLAGS("!", "\"syn\"") "," DROP), "inet filter input 7" },
		{ SIMPLE RULE("inet", "input", "7", DROP), "inet filter input 7" },
		{ SIMPLE RULE("inet", "input", "7", PORT "," STATE("in", "\"new\"") "," DROP), "inet filter input 7" },
		/* not such a one */
		{ SIMPLE RULE("inet", "input", "7", STATE("in", "\"invalid\"") "," DROP), NULL },
		{ SIMPLE RULE("inet", "input", "7", STATE("in", "[\"established\",\"related\"]") "," ACCEPT), NULL },
		{ SIMPLE RULE("inet", "input", "7", STATE("!=", "\"new\"") "," DROP), NULL },
		{ SIMPLE RULE("inet", "input", "7", MASKED("[\"fin\",\"syn\"]", "==", "[\"fin\",\"syn\"]") "," DROP), NULL },
		{ SIMPLE RULE("inet", "input", "7", FLAGS("in", "\"rst\"") "," DROP), NULL },
		{ SIMPLE RULE("inet", "input", "7", MASKED("{\"|\":[\"fin\",\"syn\"]}", "!=", "0") "," DROP), NULL },
		{ SIMPLE RULE("inet", "input", "7", PORT "," DROP), NULL },
		{ SIMPLE RULE("inet", "input", "7", "{\"xt\":null}," DROP), NULL },
		{ SIMPLE RULE("inet", "input", "7", ACCEPT) "," RULE("inet", "input", "8", DROP), NULL },
		{ SIMPLE RULE("ip6", "input", "7", DROP), NULL }, /* of another table */
		{ CHAIN("ip6", "input", "input", "0", "drop"), NULL },
		{ CHAIN("ip", "out", "output", "0", "drop"), NULL },
		/* the first of several; the chain's policy at last */
		{ SIMPLE RULE("inet", "input", "7", PORT "," DROP) "," RULE("inet", "input", "8", FLAGS("!", "\"syn\"") "," DROP) ","
		  RULE("inet", "input", "9", DROP), "inet filter input 8" },
		{ CHAIN("ip", "input", "input", "0", "drop") "," RULE("ip", "input", "7", STATE("in", "\"established\"") "," ACCEPT) ","
		  RULE("ip", "input", "8", FLAGS("in", "\"syn\"") "," ACCEPT), "ip filter input 0" },
		{ CHAIN("inet", "late", "input", "10", "accept") "," RULE("inet", "late", "7", DROP) ","
		  CHAIN("ip", "early", "input", "-10", "accept") "," RULE("ip", "early", "8", NO_SYN "," DROP), "ip filter early 8" },
		{ CHAIN("inet", "input", "input", "-300", "drop") "," CHAIN("ip", "raw", "prerouting", "0", "drop"), "ip filter raw 0" },
		/* chains that are jumped to, and maps */
		{ SIMPLE RULE("inet", "other", "9", NO_SYN "," DROP) ","
		  RULE("inet", "input", "7", STATE("in", "\"new\"") ",{\"jump\":{\"target\":\"other\"}}"), "inet filter other 9" },
		{ SIMPLE RULE("inet", "other", "9", NO_SYN "," DROP) ","
		  RULE("inet", "input", "7", STATE("in", "\"established\"") ",{\"goto\":{\"target\":\"other\"}}"), NULL },
		{ SIMPLE RULE("inet", "input", "7", "{\"vmap\":{\"key\":{\"ct\":{\"key\":\"state\"}},\"data\":{\"set\":[[\"invalid\",{\"accept\":null}],"
						    "[\"new\",{\"drop\":null}]]}}}"), "inet filter input 7" },
		{ SIMPLE RULE("inet", "input", "7", "{\"vmap\":{\"key\":{\"ct\":{\"key\":\"state\"}},\"data\":{\"set\":[[\"invalid\",{\"drop\":null}]"
						    "]}}}"), NULL },
		{ SIMPLE RULE("inet", "input", "7", "{\"jump\":{\"target\":\"input\"}}"), NULL }, /* no end */
		/* what returns before */
		{ SIMPLE RULE("inet", "input", "6", "{\"jump\":{\"target\":\"other\"}}") "," RULE("inet", "input", "7", DROP) ","
		  RULE("inet", "other", "8", STATE("in", "\"new\"") ",{\"return\":null}") "," RULE("inet", "other", "9", DROP),
		  "inet filter input 7" },
		{ SIMPLE RULE("inet", "input", "6", "{\"jump\":{\"target\":\"other\"}}") "," RULE("inet", "other", "8", PORT ",{\"return\":null}") ","
		  RULE("inet", "other", "9", DROP), "inet filter other 9" },
		{ SIMPLE RULE("inet", "input", "6", "{\"goto\":{\"target\":\"other\"}}") "," RULE("inet", "input", "7", DROP), NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[2048], found[200] = "";
		struct nft_place p;

		snprintf(text, sizeof(text), "{\"nftables\":[{\"metainfo\":{\"version\":\"1.0.6\"}},%s]}", cases[i].rules);
		if (nft_find_dropper(text, false, &p))
			snprintf(found, sizeof(found), "%s %s %s %lld", p.family, p.table, p.chain, (long long)p.handle);
		if (strcmp(found, cases[i].found ? cases[i].found : ""))
			fail_msg("case %zu: '%s', not '%s': %s", i, found, cases[i].found ? cases[i].found : "", text);
	}
}

static void test_no_ruleset(void **state)
{
	static const char *const texts[] = { "", "{", "[]", "null", "{\"nftables\":7}", "{\"nftables\":[7,{\"chain\":7},{\"rule\":[]}]}",
					     "{\"nftables\":[{\"chain\":{\"family\":7,\"hook\":[]}}]}" };
	struct nft_place p;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_false(nft_find_dropper(texts[i], false, &p));
	assert_true(nft_find_dropper("{\"nftables\":[" CHAIN("ip6", "in", "input", "0", "drop") "]}", true, &p));
}

/* Who jumps there does not matter: as many ways lead through these as no machine could follow. */
static void test_many_ways(void **state)
{
	const size_t room = 65536;
	char *text = malloc(room);
	size_t used = (size_t)snprintf(text, room, "{\"nftables\":[" CHAIN("ip", "c0", "input", "0", "accept"));
	struct nft_place p;

	(void)state;
	for (int depth = 0; depth < 15; depth++)
		for (int i = 0; i < 8; i++)
			used += (size_t)snprintf(text + used, room - used,
						 "," RULE("ip", "c%d", "%d", PORT ",{\"jump\":{\"target\":\"c%d\"}}"), depth, i + 1, depth + 1);
	snprintf(text + used, room - used, "," RULE("ip", "c0", "99", NO_SYN "," DROP) "]}");
	assert_true(nft_find_dropper(text, false, &p));
	assert_string_equal(p.chain, "c0");
	assert_int_equal(p.handle, 99);
	free(text);
}

/* A name that is cut would be another's, in a command that is to be typed. */
static void test_long_name(void **state)
{
	static const char name[] = "a123456789b123456789c123456789d123456789e123456789f123456789g1234";
	char text[512];
	struct nft_place p;

	(void)state;
	for (int cut = 2; cut >= 0; cut -= 2) {
		snprintf(text, sizeof(text), "{\"nftables\":[" CHAIN("ip", "%s", "input", "0", "drop") "]}", name + cut);
		assert_int_equal(nft_find_dropper(text, false, &p), strlen(name + cut) < sizeof(p.chain));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_no_ruleset),
		cmocka_unit_test(test_many_ways),
		cmocka_unit_test(test_long_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
