/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The fast path under a policy: left at once where a rule or a list concerns the connection, taken again where none does. */
#include <stdio.h>
#include <string.h>

#include "prog/enforce_rig.h"

#define C "10.0.0.1"
#define S "10.0.0.2"
#define C6 "2001:db8::1"
#define S6 "2001:db8::2"

/* Sends a segment each way n times; returns how many took the fast path, and *drops how many were dropped. */
static int talk_on(struct rig *rig, struct talk *t, int n, int *drops)
{
	uint64_t before = counter_of(rig, CNT_FAST);
	int i;

	*drops = 0;
	for (i = 0; i < n; i++) {
		rig->now_ns += MS;
		*drops += says(rig, t, CLIENT, TH_ACK | TH_PSH, 10);
		*drops += says_by(rig, HOOK_TC_OUT, t, SERVER, TH_ACK | TH_PSH, 10);
	}
	return (int)(counter_of(rig, CNT_FAST) - before);
}

#define fast_is(t, n, fast, drop)                                                                                      \
	do {                                                                                                           \
		int drops_, fast_ = talk_on(rig, t, n, &drops_);                                                       \
		same(fast_, fast);                                                                                     \
		same(drops_, drop);                                                                                    \
	} while (0)

static struct talk opened(struct rig *rig, const char *c, uint16_t sport, const char *s)
{
	struct talk t = talk_of(c, sport, s, 80);

	check(!opens(rig, &t));
	return t;
}

static void drop_source(struct rig *rig, const char *prefix, uint16_t sport)
{
	char yaml[200];

	snprintf(yaml, sizeof(yaml), "rules:\n  - {name: r, match: {saddr: \"%s\", sport: %u}, action: drop}\n", prefix, sport);
	enforce(rig, yaml);
}

static void test_rule(struct rig *rig, const char *c, const char *s, const char *prefix)
{
	struct talk hit = opened(rig, c, 1000, s), miss = opened(rig, c, 1001, s);
	struct flow was, is;

	fast_is(&hit, 5, 10, 0);
	fast_is(&miss, 5, 10, 0);
	memset(&was, 0, sizeof(was));
	memset(&is, 0, sizeof(is));
	drop_source(rig, prefix, 1000);
	check(record_of(rig, &hit, &was));
	same(says(rig, &hit, CLIENT, TH_ACK | TH_PSH, 10), 1);
	check(record_of(rig, &hit, &is));
	check(!memcmp(&was, &is, sizeof(was)));
	fast_is(&miss, 1, 1, 0); /* asked once: by the first segment */
	fast_is(&miss, 5, 10, 0);
	fast_is(&hit, 5, 0, 5);	 /* its server's pass, but none is for the fast path */
	same(count_of(rig, SUBJECT_RULE(0)).dropped, 6);
	enforce(rig, "rules:\n  - {name: none, match: {flags: syn, dport: 7}, action: drop}\n"); /* no rule for open ones */
	fast_is(&hit, 5, 10, 0);
	fast_is(&miss, 5, 10, 0);
	drop_source(rig, prefix, 1000);
	fast_is(&hit, 5, 0, 5);
	rig->w->control->replay_now_ns = rig->now_ns;
	same(ward_policy_remove(rig->w), 0);
	fast_is(&hit, 5, 10, 0);
	enforce_nothing(rig);
}

static void test_rules(struct rig *rig)
{
	case_begin("policy: a rule cuts an open connection at once, asks others once, and lets go");
	test_rule(rig, C, S, "10.0.0.0/24");
	test_rule(rig, C, S, C);
	test_rule(rig, C6, S6, "2001:db8::/48");
	test_rule(rig, S, C, S);  /* side B begins */
	case_end();
}

/* The block list: of one address, of a prefix. */
static void test_list(struct rig *rig, const char *c, const char *s, const char *prefix, int single)
{
	struct talk t = opened(rig, c, 1000, s), other = opened(rig, single ? "10.0.0.9" : "10.7.0.9", 1000, "10.8.0.1");

	fast_is(&t, 5, 10, 0);
	list(rig, WARD_BLOCK, prefix, 0);
	fast_is(&t, 5, single ? 5 : 0, 5);   /* single addresses are asked before the fast path */
	fast_is(&other, 5, single ? 10 : 9, 0);
	fast_is(&other, 5, 10, 0);
	unlist(rig, WARD_BLOCK, prefix);
	fast_is(&t, 1, single ? 2 : 2, 0);
	fast_is(&t, 5, 10, 0);
	list(rig, WARD_BLOCK, prefix, 3 * SECOND); /* one that ends by itself */
	same(says(rig, &t, CLIENT, TH_ACK, 10), 1);
	rig->now_ns += 3 * SECOND;
	same(says(rig, &t, CLIENT, TH_ACK, 10), 0);
	rig_wait(rig, SECOND);
	rig_wait(rig, SECOND);
	talk_on(rig, &t, 1, &single);
	fast_is(&t, 5, 10, 0);
	enforce_nothing(rig);
}

static void test_lists(struct rig *rig)
{
	case_begin("lists: a block cuts an open connection at once, and gives it back");
	test_list(rig, C, S, C, 1);
	test_list(rig, C6, S6, C6, 1);
	test_list(rig, C, S, "10.0.0.0/24", 0);
	test_list(rig, C6, S6, "2001:db8::/64", 0);
	case_end();
}

/* Connections that begin while such a rule is there. */
static void test_promotion(struct rig *rig)
{
	struct talk t;

	case_begin("policy: a connection that opens under such rules is asked once, or cut as it opens");
	enforce(rig, "rules:\n  - {name: r, match: {sport: 1000, flags: ack}, action: drop}\n");
	t = opened(rig, C, 1001, S);
	fast_is(&t, 5, 10, 0);
	t = talk_of(C, 1000, S, 80);
	same(says(rig, &t, CLIENT, TH_SYN, 0), 0);
	same(says_by(rig, HOOK_TC_OUT, &t, SERVER, TH_SYN | TH_ACK, 0), 0);
	same(says(rig, &t, CLIENT, TH_ACK, 0), 1);
	same(says(rig, &t, CLIENT, TH_ACK, 10), 1);
	same(count_of(rig, SUBJECT_RULE(0)).dropped, 2);
	enforce_nothing(rig);
	enforce(rig, "rules:\n  - {name: r, match: {dport: 1000}, action: drop}\n"); /* the answers alone */
	t = opened(rig, C, 1001, S);
	fast_is(&t, 5, 10, 0);
	t = talk_of(C, 1000, S, 80);
	same(says(rig, &t, CLIENT, TH_SYN, 0), 0);
	same(says(rig, &t, SERVER, TH_SYN | TH_ACK, 0), 1);
	same(says_by(rig, HOOK_TC_OUT, &t, SERVER, TH_SYN | TH_ACK, 0), 0); /* which leave this host freely */
	same(says(rig, &t, CLIENT, TH_ACK, 0), 0);
	same(says(rig, &t, SERVER, TH_ACK, 10), 1);
	enforce_nothing(rig);
	case_end();
}

/* Marks hold for the policy in force and for the one that it may give way to. */
static void test_rollback(struct rig *rig)
{
	struct ward_apply how = {.file = "test", .text = "", .confirm_s = 5};
	struct talk one = opened(rig, C, 1000, S), two = opened(rig, C, 1001, S), three = opened(rig, C, 1002, S);

	case_begin("policy: what rolls back by itself finds the connections of both policies marked");
	drop_source(rig, C, 1000);
	fast_is(&one, 2, 0, 2);
	fast_is(&two, 1, 1, 0);
	enforce_with(rig, "rules:\n  - {name: r, match: {sport: 1001}, action: drop}\n", &how);
	fast_is(&one, 2, 0, 0); /* passes, but must be there to be cut again */
	fast_is(&two, 2, 0, 2);
	fast_is(&three, 1, 1, 0);
	fast_is(&three, 2, 4, 0);
	rig->now_ns += 5 * SECOND; /* no process does anything */
	fast_is(&one, 2, 0, 2);
	fast_is(&two, 2, 0, 0);
	fast_is(&three, 2, 4, 0);
	rig_wait(rig, SECOND); /* the sweeper ends it */
	fast_is(&one, 2, 0, 2);
	fast_is(&two, 1, 1, 0);
	fast_is(&two, 2, 4, 0);
	enforce_nothing(rig);
	case_end();
}

/* Each of the modes that drop nothing leaves all as it is. */
static void test_quiet(struct rig *rig)
{
	struct talk t = opened(rig, C, 1000, S);

	case_begin("policy: a rule in dry run counts segments of open connections too");
	enforce(rig, "rules:\n  - {name: r, match: {sport: 1000}, action: drop, mode: dry-run}\n");
	fast_is(&t, 5, 0, 0);
	same(count_of(rig, SUBJECT_RULE(0)).would, 5);
	enforce(rig, "rules:\n  - {name: r, match: {sport: 1000, flags: rst}, action: drop}\n");
	fast_is(&t, 5, 10, 0);
	enforce_nothing(rig);
	case_end();
}

int main(void)
{
	struct rig_options opt;
	struct rig rig;

	rig_options_init(&opt);
	rig_open(&rig, &opt);
	test_rules(&rig);
	test_lists(&rig);
	test_promotion(&rig);
	test_rollback(&rig);
	test_quiet(&rig);
	rig_close(&rig);
	return rig_result();
}
