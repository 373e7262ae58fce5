/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Who decides: allow, block list, bad flags, limits, rules; modes of the whole and of each; time; what is told of it. */
#include <stdio.h>
#include <string.h>

#include "prog/enforce_rig.h"

#define C "10.0.0.1"
#define S "10.0.0.2"
#define C6 "2001:db8::1"
#define S6 "2001:db8::2"

static int syn(struct rig *rig, uint16_t sport)
{
	return syn_dropped(rig, C, sport, S, 80);
}

static uint64_t all_drops(struct rig *rig, bool would)
{
	struct policy_drops d = drops_of(rig);
	uint64_t sum = 0;
	int i;

	for (i = 0; i < DROP_COUNT; i++)
		sum += would ? d.would[i] : d.dropped[i];
	return sum;
}

/* ---- order ---- */
static const char all_against[] = "services:\n"
				  "  - {name: web, match: {dport: 80}, new-per-source: {rate: 1/m, burst: 1}}\n"
				  "rules:\n"
				  "  - {name: bad, match: {invalid: bad-flags}, action: drop}\n"
				  "  - {name: all, match: {any: true}, action: drop}\n";

static void test_allow(struct rig *rig)
{
	char yaml[600];
	int i;

	case_begin("policy: allow beats the block list, limits and rules");
	snprintf(yaml, sizeof(yaml), "allow: [\"%s\"]\n%s", C, all_against);
	for (i = 0; i < 2; i++) { /* by the policy, by the list */
		enforce(rig, i ? all_against : yaml);
		if (i)
			list(rig, WARD_ALLOW, C, 0);
		list(rig, WARD_BLOCK, C, 0);
		list(rig, WARD_BLOCK, "10.0.0.0/24", 0);
		same(syn(rig, 1000) + syn(rig, 1001) + syn(rig, 1002), 0);
		same(syn_dropped(rig, "10.0.0.3", 1000, S, 80), 1); /* control: not allowed */
		same(count_of(rig, SUBJECT_BLOCK_LIST).dropped, 1);
		same(all_drops(rig, false), 1);
		enforce_nothing(rig);
	}
	case_end();
}

static void test_order(struct rig *rig)
{
	struct wire_segment xmas = {.bits = TH_SYN | TH_FIN, .seq = 1};
	struct wire_end c = end_of(C, 1000), s = end_of(S, 80);

	case_begin("policy: block list, bad flags, limits, rules, in this order");
	enforce(rig, all_against);
	same(dropped(rig, &c, &s, &xmas), 1);
	same(drops_of(rig).dropped[DROP_BAD_FLAGS], 1);
	same(syn(rig, 1000), 1); /* the first: within the limit, and so for the rule */
	same(drops_of(rig).dropped[DROP_MATCH], 1);
	same(syn(rig, 1001), 1);
	same(drops_of(rig).dropped[DROP_NEW_SOURCE], 1);
	same(count_of(rig, SUBJECT_LIMIT(0, LIMIT_NEW_SOURCE)).dropped, 1);
	list(rig, WARD_BLOCK, C, 0);
	same(syn(rig, 1002), 1);
	same(dropped(rig, &c, &s, &xmas), 1);
	same(drops_of(rig).dropped[DROP_BLOCK_LIST], 2);
	same(drops_of(rig).dropped[DROP_BAD_FLAGS], 1);
	unlist(rig, WARD_BLOCK, C);
	same(dropped(rig, &c, &s, &xmas), 1);
	same(drops_of(rig).dropped[DROP_BAD_FLAGS], 2);
	same(all_drops(rig, false), 6);
	enforce_nothing(rig);
	case_end();
}

static void test_first_match(struct rig *rig)
{
	case_begin("policy: the first rule that matches decides, and a rule may pass");
	enforce(rig, "rules:\n"
		     "  - {name: one, match: {dport: 80, sport: 1000-1999}, action: pass}\n"
		     "  - {name: two, match: {sport: 1500-2500}, action: drop}\n"
		     "  - {name: three, match: {dport: 80}, action: drop}\n");
	same(syn(rig, 1500), 0);
	same(syn(rig, 2000), 1);
	same(syn(rig, 3000), 1);
	same(syn_dropped(rig, C, 1500, S, 81), 1);
	same(syn_dropped(rig, C, 3000, S, 81), 0);
	same(count_of(rig, SUBJECT_RULE(0)).hits, 1);
	same(count_of(rig, SUBJECT_RULE(0)).dropped, 0);
	same(count_of(rig, SUBJECT_RULE(1)).hits, 2);
	same(count_of(rig, SUBJECT_RULE(1)).dropped, 2);
	same(count_of(rig, SUBJECT_RULE(2)).hits, 1);
	same(count_of(rig, SUBJECT_RULE(2)).dropped, 1);
	enforce_nothing(rig);
	case_end();
}

/* ---- modes ---- */
static void test_rule_modes(struct rig *rig)
{
	case_begin("policy: a rule in dry run counts and hides nothing; one in monitor does not even count");
	enforce(rig, "rules:\n"
		     "  - {name: seen, match: {dport: 80}, action: drop, mode: monitor}\n"
		     "  - {name: would, match: {dport: 80}, action: drop, mode: dry-run}\n"
		     "  - {name: let, match: {dport: 80}, action: pass, mode: dry-run}\n"
		     "  - {name: some, match: {dport: 80}, action: drop, mode: dry-run, above: 10/s, burst: 100}\n"
		     "  - {name: does, match: {dport: 80}, action: drop}\n"
		     "  - {name: late, match: {dport: 80}, action: drop}\n");
	same(syn(rig, 1000), 1);
	same(count_of(rig, SUBJECT_RULE(0)).hits, 0);
	same(count_of(rig, SUBJECT_RULE(1)).would, 1);
	same(count_of(rig, SUBJECT_RULE(1)).dropped, 0);
	same(count_of(rig, SUBJECT_RULE(2)).hits, 1);
	same(count_of(rig, SUBJECT_RULE(3)).hits, 1);
	same(count_of(rig, SUBJECT_RULE(4)).dropped, 1);
	same(count_of(rig, SUBJECT_RULE(5)).hits, 0);
	same(drops_of(rig).would[DROP_MATCH], 1);
	same(drops_of(rig).dropped[DROP_MATCH], 1);
	enforce_nothing(rig);
	case_end();
}

static void test_whole_modes(struct rig *rig)
{
	struct wire_segment xmas = {.bits = TH_SYN | TH_FIN, .seq = 1};
	struct wire_end c = end_of(C, 9), s = end_of(S, 81);
	char yaml[700];

	case_begin("policy: in dry run each segment counts once, for whom would have dropped it; monitor counts nothing");
	snprintf(yaml, sizeof(yaml), "version: 1\nmode: dry-run\n%s", all_against);
	enforce(rig, yaml);
	same(syn(rig, 1000), 0);
	same(count_of(rig, SUBJECT_RULE(1)).would, 1);
	same(syn(rig, 1001), 0);
	same(count_of(rig, SUBJECT_LIMIT(0, LIMIT_NEW_SOURCE)).would, 1);
	same(count_of(rig, SUBJECT_RULE(1)).would, 1);
	same(dropped(rig, &c, &s, &xmas), 0);
	same(count_of(rig, SUBJECT_RULE(0)).would, 1);
	list(rig, WARD_BLOCK, C, 0);
	list(rig, WARD_BLOCK, "10.0.0.0/24", 0);
	same(syn(rig, 1002), 0);
	same(count_of(rig, SUBJECT_BLOCK_LIST).would, 1);
	same(all_drops(rig, true), 4);
	same(all_drops(rig, false), 0);
	enforce_nothing(rig);
	snprintf(yaml, sizeof(yaml), "version: 1\nmode: monitor\n%s", all_against);
	enforce(rig, yaml);
	list(rig, WARD_BLOCK, C, 0);
	same(syn(rig, 1000) + syn(rig, 1001) + dropped(rig, &c, &s, &xmas), 0);
	same(all_drops(rig, true) + all_drops(rig, false), 0);
	enforce_nothing(rig);
	list(rig, WARD_BLOCK, C, 0); /* without a policy the lists are in force */
	same(syn(rig, 1000), 1);
	same(drops_of(rig).dropped[DROP_BLOCK_LIST], 1);
	enforce_nothing(rig);
	case_end();
}

static void test_above(struct rig *rig)
{
	int i, drops = 0;

	case_begin("policy: above drops only what is more");
	enforce(rig, "rules:\n  - {name: r, match: {dport: 80}, action: drop, above: 10/s, burst: 20}\n");
	for (i = 0; i < 50; i++)
		drops += syn(rig, (uint16_t)(1000 + i));
	same(drops, 30);
	same(count_of(rig, SUBJECT_RULE(0)).hits, 50);
	same(count_of(rig, SUBJECT_RULE(0)).dropped, 30);
	rig->now_ns += SECOND;
	for (drops = i = 0; i < 50; i++)
		drops += syn(rig, (uint16_t)(2000 + i));
	same(drops, 40);
	enforce_nothing(rig);
	case_end();
}

/* ---- lists ---- */
static void test_ttl(struct rig *rig)
{
	case_begin("lists: an entry counts until its time is over, to the nanosecond, without a sweeper");
	list(rig, WARD_BLOCK, C, 10 * SECOND);
	list(rig, WARD_BLOCK, C6, 0);
	list(rig, WARD_BLOCK, "10.0.0.128/25", 10 * SECOND);
	list(rig, WARD_BLOCK, "10.0.0.0/24", 20 * SECOND);
	list(rig, WARD_BLOCK, "10.0.0.192/26", 5 * SECOND);
	unlist(rig, WARD_BLOCK, "10.0.0.0/24");
	rig->now_ns += 10 * SECOND - 1;
	same(syn(rig, 1000), 1);
	same(syn_dropped(rig, "10.0.0.200", 1, S, 80), 1); /* .192/26 is over, .128/25 is not */
	rig->now_ns += 1;
	same(syn(rig, 1001), 0);
	same(syn_dropped(rig, "10.0.0.200", 2, S, 80), 0);
	same(syn_dropped(rig, C6, 1, S6, 80), 1);
	list(rig, WARD_BLOCK, "10.0.0.0/24", 20 * SECOND);
	same(syn_dropped(rig, "10.0.0.200", 3, S, 80), 1); /* both narrower ones are over */
	list(rig, WARD_ALLOW, "10.0.0.200", 5 * SECOND);
	list(rig, WARD_ALLOW, "10.0.0.192/28", 10 * SECOND);
	same(syn_dropped(rig, "10.0.0.200", 4, S, 80), 0);
	rig->now_ns += 5 * SECOND;
	same(syn_dropped(rig, "10.0.0.200", 5, S, 80), 0);
	rig->now_ns += 5 * SECOND;
	same(syn_dropped(rig, "10.0.0.200", 6, S, 80), 1);
	enforce_nothing(rig);
	case_end();
}

static int no_hits_of(const struct list_item *item, void *ctx)
{
	*(uint64_t *)ctx += item->entry.hits;
	return 0;
}

static void test_list_hits(struct rig *rig)
{
	uint64_t hits = 0;
	int i;

	case_begin("lists: entries count what they stopped");
	list(rig, WARD_BLOCK, C, 0);
	list(rig, WARD_BLOCK, "10.0.1.0/24", 0);
	for (i = 0; i < 5; i++) {
		same(syn(rig, (uint16_t)i), 1);
		same(syn_dropped(rig, "10.0.1.7", (uint16_t)i, S, 80), 1);
	}
	ward_list_each(rig->w, WARD_BLOCK, no_hits_of, &hits);
	same(hits, 10);
	same(count_of(rig, SUBJECT_BLOCK_LIST).dropped, 10);
	enforce_nothing(rig);
	case_end();
}

/* ---- time: confirm, learn, without a daemon; the session ---- */
static const char deny[] = "rules:\n  - {name: deny, match: {any: true}, action: drop}\n";

static void test_confirm(struct rig *rig)
{
	struct ward_apply how = {.file = "test", .text = "", .confirm_s = 5};

	case_begin("policy: without a confirmation the one before counts again, with no process");
	enforce_with(rig, deny, &how);
	rig->now_ns += 5 * SECOND - 1;
	same(syn(rig, 1000), 1);
	rig->now_ns += 1;
	same(syn(rig, 1000), 0);
	rig_wait(rig, SECOND); /* and the sweeper makes it last */
	same(syn(rig, 1001), 0);
	enforce(rig, "rules:\n  - {name: before, match: {dport: 81}, action: drop}\n");
	enforce_with(rig, deny, &how);
	same(syn(rig, 1002), 1);
	rig->now_ns += 5 * SECOND;
	same(syn(rig, 1002), 0);
	same(syn_dropped(rig, C, 1002, S, 81), 1);
	rig_wait(rig, SECOND);
	enforce_with(rig, deny, &how);
	rig->w->control->replay_now_ns = rig->now_ns;
	same(ward_policy_confirm(rig->w), 1);
	rig->now_ns += 6 * SECOND;
	same(syn(rig, 1003), 1);
	enforce_nothing(rig);
	case_end();
}

static void test_learn(struct rig *rig)
{
	struct ward_apply how = {.file = "test", .text = "", .learn_ns = 60 * SECOND};
	uint64_t was = rig->now_ns;

	case_begin("policy: while it learns, it is a dry run");
	rig->now_ns = rig->w->info->created_ns;
	enforce_with(rig, deny, &how);
	rig->now_ns += 60 * SECOND - 1;
	same(syn(rig, 1000), 0);
	same(count_of(rig, SUBJECT_RULE(0)).would, 1);
	rig->now_ns += 1;
	same(syn(rig, 1001), 1);
	same(count_of(rig, SUBJECT_RULE(0)).dropped, 1);
	enforce_nothing(rig);
	check(rig->now_ns > was);
	case_end();
}

static void test_open_without(struct rig *rig)
{
	char yaml[300];
	int i;

	case_begin("policy: without its daemon it stays, or opens after 10 s, as it says");
	for (i = 0; i < 2; i++) {
		snprintf(yaml, sizeof(yaml), "without-daemon: %s\n%s", i ? "open" : "stay", deny);
		enforce(rig, yaml);
		rig_wait(rig, SECOND);
		same(syn(rig, 1000), 1);
		rig->now_ns += POLICY_FAIL_OPEN_NS;
		same(syn(rig, 1001), 1);
		rig->now_ns += 1;
		same(syn(rig, 1002), !i);
		rig_wait(rig, SECOND);
		same(syn(rig, 1003), 1);
		enforce_nothing(rig);
	}
	case_end();
}

static void test_exempt(struct rig *rig)
{
	struct talk t = talk_of(C, 50000, S, 22), other = talk_of(C, 50001, S, 22);
	struct ward_session session = {.count = 1};
	struct ward_apply how = {.file = "test", .text = "", .session = &session};

	case_begin("policy: the session that it was applied from is exempt until it is confirmed");
	check(!opens(rig, &t));
	check(!opens(rig, &other));
	wire_key(&session.flow[0], &t.client, &t.server);
	enforce_with(rig, deny, &how);
	list(rig, WARD_BLOCK, C, 0);
	same(says(rig, &t, CLIENT, TH_ACK, 10), 0);
	same(count_of(rig, SUBJECT_BLOCK_LIST).would, 1);
	unlist(rig, WARD_BLOCK, C);
	same(says(rig, &t, CLIENT, TH_ACK, 10), 0);
	same(says(rig, &t, SERVER, TH_ACK, 10), 0);
	same(says(rig, &other, CLIENT, TH_ACK, 10), 1);
	same(count_of(rig, SUBJECT_RULE(0)).would, 2);
	same(count_of(rig, SUBJECT_RULE(0)).dropped, 1);
	rig->w->control->replay_now_ns = rig->now_ns;
	same(ward_policy_confirm(rig->w), 1);
	same(says(rig, &t, CLIENT, TH_ACK, 10), 1);
	enforce_nothing(rig);
	case_end();
}

/* ---- what is told ---- */
struct told {
	int drops;
	struct event last;
};

static void on_event(const struct event *ev, size_t size, void *ctx)
{
	struct told *t = ctx;

	(void)size;
	if (ev->type != EVENT_DROP)
		return;
	t->drops++;
	t->last = *ev;
}

static void test_events(struct rig *rig)
{
	struct ward_reader *reader;
	struct told told = {0};
	struct flow_key key;
	struct wire_end c = end_of(C6, 1001), s = end_of(S6, 80);

	case_begin("policy: a drop is told with its reason, subject, sender and value");
	if (ward_reader_open(rig->w, 1 << 16, on_event, &told, &reader)) {
		check(false);
		return;
	}
	enforce(rig, "services:\n  - {name: web, match: {dport: 80}, half-open-per-source: {max: 3}}\n"
		     "rules:\n  - {name: no, match: {dport: 79}, action: drop}\n"
		     "  - {name: r, match: {dport: 81}, action: drop, mode: dry-run}\n");
	same(syn_dropped(rig, C6, 1000, S6, 81), 0);
	ward_reader_poll(reader);
	same(told.drops, 1);
	same(told.last.drop, DROP_MATCH);
	same(told.last.subject, SUBJECT_RULE(1));
	same(told.last.first, 1); /* dry run */
	same(syn_dropped(rig, C6, 999, S6, 80) + syn_dropped(rig, C6, 998, S6, 80) + syn_dropped(rig, C6, 997, S6, 80), 0);
	same(syn_dropped(rig, C6, 1001, S6, 80), 1);
	ward_reader_poll(reader);
	same(told.drops, 2);
	same(told.last.drop, DROP_HALF_OPEN_SOURCE);
	same(told.last.subject, SUBJECT_LIMIT(0, LIMIT_HALF_OPEN_SOURCE));
	same(told.last.first, 0);
	same(told.last.flags, 3);
	same(told.last.ts_ns, rig->now_ns);
	same(told.last.pkt, rig->packets);
	same(told.last.orig, wire_key(&key, &c, &s));
	check(!memcmp(&told.last.key, &key, sizeof(key)));
	list(rig, WARD_BLOCK, C6, 0);
	same(syn_dropped(rig, C6, 1002, S6, 80), 1);
	ward_reader_poll(reader);
	same(told.last.drop, DROP_BLOCK_LIST);
	same(told.last.subject, SUBJECT_BLOCK_LIST);
	same(told.drops, 3);
	ward_reader_close(reader);
	enforce_nothing(rig);
	case_end();
}

/* On the machine's clock: drops are sampled. */
static void test_sample(void)
{
	struct ward_reader *reader;
	struct rig_options opt;
	struct told told = {0};
	struct rig rig;
	int i;

	case_begin("policy: drops are told at the rule's rate, or the list's, and counted all");
	rig_options_init(&opt);
	opt.ward.replay = false;
	opt.iface_mtu = 1500;
	rig_open(&rig, &opt);
	rig.w->live->lists_mode = MODE_ENFORCE;
	if (!rig.w->map[MAP_BLOCK_ADDRS] || ward_reader_open(rig.w, 1 << 18, on_event, &told, &reader)) {
		check(false);
		case_end();
		return;
	}
	rig.w->opt.replay = true; /* lists and policy of an instance that has no pins */
	rig.now_ns = ward_now_ns(rig.w);
	enforce(&rig, "rules:\n  - {name: r, match: {dport: 80}, action: drop, sample: 7/s}\n"
		      "  - {name: q, match: {dport: 81}, action: drop}\n");
	for (i = 0; i < 300; i++)
		same(syn_dropped(&rig, C, (uint16_t)(1000 + i), S, 80), 1);
	rig.w->opt.replay = false;
	ward_reader_poll(reader);
	check(told.drops >= 5 && told.drops <= 12);
	same(count_of(&rig, SUBJECT_RULE(0)).dropped, 300);
	rig.w->opt.replay = true;
	list(&rig, WARD_BLOCK, C, 0);
	same(rig.w->live->block_drops, 1);
	told.drops = 0;
	for (i = 0; i < 300; i++)
		same(syn_dropped(&rig, C, (uint16_t)(1000 + i), S, 80), 1);
	rig.w->opt.replay = false;
	ward_reader_poll(reader);
	check(told.drops >= 8 && told.drops <= 16);
	same(told.last.subject, SUBJECT_BLOCK_LIST);
	same(count_of(&rig, SUBJECT_BLOCK_LIST).dropped, 300);
	ward_reader_close(reader);
	rig_close(&rig);
	case_end();
}

int main(void)
{
	struct rig_options opt;
	struct rig rig;

	rig_options_init(&opt);
	rig_open(&rig, &opt);
	test_allow(&rig);
	test_order(&rig);
	test_first_match(&rig);
	test_rule_modes(&rig);
	test_whole_modes(&rig);
	test_above(&rig);
	test_ttl(&rig);
	test_list_hits(&rig);
	test_confirm(&rig);
	test_learn(&rig);
	test_open_without(&rig);
	test_exempt(&rig);
	test_events(&rig);
	rig_close(&rig);
	test_sample();
	return rig_result();
}
