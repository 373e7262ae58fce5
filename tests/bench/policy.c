/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* ns per packet with lists, rules, limits and cookies: what policy costs those that it is against, and all the others. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "bench/bed.h"
#include "bench/turn.h"
#include "block_set.h"
#include "finding.h"
#include "embryo.h"
#include "enforce.h"
#include "policy/policy.h"
#include "sweep.h"
#include "syncookie.h"
#include "tcp_opts.h"
#include "tcpward.h"
/* after the headers above: its types are theirs */
#include "bench.skel.h"

enum list { NO_LIST, ADDRS_10K, ADDRS_200K, PREFIXES_10K };

/* What limits the policy's service has. */
enum service { NO_SERVICE, LIMITS, COOKIES };

struct policy_case {
	struct bench_case c;
	enum list list;
	unsigned rules; /* 0 without a service: no policy */
	enum service service;
	bool few;         /* not with a million flows */
	bool rewritten;   /* its wrapper writes the SYN again, which is no part of it */
};

#define SYN_CASE .syn = true, .flood = true, .repeat = REPEAT
#define ACK_CASE .repeat = REPEAT, .effect = FAST, .verdict = 2, .prog = "bench_ack"
#define DATA_CASE .repeat = REPEAT, .payload = 1000, .effect = FAST, .verdict = 2, .prog = "bench_data"
#define GAP_CASE .repeat = REPEAT, .payload = 1000, .verdict = 2, .prog = "bench_gap"
#define NEW_CASE .syn = true, .reader = true, .repeat = SYNS, .effect = NEW, .verdict = 2, .prog = "bench_syn"

static struct policy_case cases[] = {
	{ .c = { "empty program", .repeat = REPEAT, .verdict = -1, .prog = "bench_empty" } },
	{ .c = { "empty program, in short runs", .syn = true, .repeat = SYNS, .verdict = -1, .prog = "bench_empty" } },
	{ .c = { "wrapper alone", .repeat = REPEAT, .verdict = 1, .prog = "bench_rotate" } },
	{ .c = { "own parser + drop", .repeat = REPEAT, .verdict = 1, .prog = "bench_parse" } },
	{ .c = { "SYN, own parser + drop", SYN_CASE, .verdict = 1, .prog = "bench_parse_syn" } },
	{ .c = { "SYN written again, own parser + drop", SYN_CASE, .verdict = 1, .prog = "bench_rewrite" } },
	{ .c = { "established ACK, no policy", ACK_CASE } },
	{ .c = { "gap, no policy", GAP_CASE }, .few = true },
	{ .c = { "SYN with event, no policy", NEW_CASE } },
	{ .c = { "established ACK, 1 rule", ACK_CASE }, .rules = 1, .few = true },
	{ .c = { "established ACK, 10 rules", ACK_CASE }, .rules = 10, .few = true },
	{ .c = { "established ACK, 50 rules", ACK_CASE, .goal = { 5 } }, .rules = 50 },
	{ .c = { "established ACK, 64 rules", ACK_CASE }, .rules = 64, .few = true },
	{ .c = { "established data, 50 rules", DATA_CASE, .goal = { 5 } }, .rules = 50, .few = true },
	{ .c = { "gap, 1 rule", GAP_CASE }, .rules = 1, .few = true },
	{ .c = { "gap, 50 rules", GAP_CASE }, .rules = 50, .few = true },
	{ .c = { "SYN with event, 50 rules", NEW_CASE }, .rules = 50 },
	{ .c = { "SYN with event, 50 rules and limits", NEW_CASE }, .rules = 50, .service = LIMITS },
	{ .c = { "SYN, own parser + socket", SYN_CASE, .verdict = 1, .prog = "bench_socket" } },
	{ .c = { "cookie reply", SYN_CASE, .verdict = 3, .goal = { 8 }, .prog = "bench_cookie" }, .rewritten = true },
	{ .c = { "cookie reply, socket asked", SYN_CASE, .verdict = 3, .prog = "bench_cookie_asked" }, .rewritten = true },
	/* until the sum of half-open ones is made, some pass */
	{ .c = { "cookie reply, whole path", SYN_CASE, .verdict = 3, .prog = "bench_answer", .stray = 16 }, .service = COOKIES,
	  .rewritten = true },
	{ .c = { "cookie reply, whole path, 50 rules", SYN_CASE, .verdict = 3, .prog = "bench_answer", .stray = 16 },
	  .rules = 50, .service = COOKIES, .rewritten = true },
	{ .c = { "forged ACK, cookie checked", .repeat = REPEAT, .verdict = 1, .prog = "bench_stray", .stray = 5 },
	  .rules = 50, /* one in 2^22 is right */
	  .service = COOKIES },
	{ .c = { "established ACK, 10 k blocked", ACK_CASE }, .list = ADDRS_10K },
	{ .c = { "SYN with event, 10 k blocked", NEW_CASE }, .list = ADDRS_10K },
	{ .c = { "blocked source, of 10 k", SYN_CASE, .verdict = 1, .goal = { 2.4 }, .prog = "bench_listed" }, .list = ADDRS_10K },
	{ .c = { "blocked source, of 10 k, 50 rules", SYN_CASE, .verdict = 1, .prog = "bench_listed" }, .list = ADDRS_10K,
	  .rules = 50 },
	{ .c = { "blocked source, of 200 k", SYN_CASE, .verdict = 1, .prog = "bench_listed" }, .list = ADDRS_200K },
	{ .c = { "established ACK, 10 k prefixes", ACK_CASE }, .list = PREFIXES_10K },
	{ .c = { "SYN with event, 10 k prefixes", NEW_CASE }, .list = PREFIXES_10K },
	{ .c = { "blocked source, 10 k prefixes", SYN_CASE, .verdict = 1, .prog = "bench_listed" }, .list = PREFIXES_10K },
};
#define CASES (int)(sizeof(cases) / sizeof(*cases))
enum { CASE_EMPTY, CASE_EMPTY_SHORT, CASE_WRAPPER };

/* ---- lists ---- */

static unsigned list_size(enum list list)
{
	return list == NO_LIST ? 0 : list == ADDRS_200K ? 200000 : 10000;
}

static struct address_prefix listed(enum list list, unsigned number)
{
	uint32_t addr = htonl(LISTED_FIRST + (list == PREFIXES_10K ? number << 8 : number));
	struct address_prefix p = { .len = list == PREFIXES_10K ? 120 : 128 };

	p.addr[10] = p.addr[11] = 0xff;
	memcpy(p.addr + 12, &addr, 4);
	return p;
}

static int list_map(struct bed *b, enum list list)
{
	return bpf_map__fd(list == PREFIXES_10K ? b->skel->maps.block_prefixes : b->skel->maps.block_addrs);
}

static void write_filter(struct bed *b, enum list list)
{
	uint64_t *words = calloc(2 * BLOCK_FILTER_WORDS, sizeof(*words));
	uint32_t *index = calloc(2 * BLOCK_FILTER_WORDS, sizeof(*index)), count = 2 * BLOCK_FILTER_WORDS, i;
	struct address_prefix p;

	for (i = 0; i < count; i++)
		index[i] = i;
	for (i = 0; list != PREFIXES_10K && i < list_size(list); i++) {
		p = listed(list, i);
		words[block_bit(&p) / 64] |= 1ULL << block_bit(&p) % 64;
		words[BLOCK_FILTER_WORDS + block_bit(&p) / 64] |= 1ULL << block_bit(&p) % 64;
	}
	if (bpf_map_update_batch(bpf_map__fd(b->skel->maps.block_filter), index, words, &count, NULL))
		bench_die("cannot write the filter: %s", strerror(errno));
	free(words);
	free(index);
}

static void write_sets(struct bed *b, enum list list)
{
	struct block_set *sets = aligned_alloc(64, BLOCK_SETS * sizeof(*sets));
	uint32_t *index = calloc(BLOCK_SETS, sizeof(*index)), count = BLOCK_SETS, i;

	memset(sets, 0, BLOCK_SETS * sizeof(*sets));
	for (i = 0; i < count; i++)
		index[i] = i;
	for (i = 0; list != PREFIXES_10K && i < list_size(list); i++) {
		struct address_prefix p = listed(list, i);

		block_set_put(&sets[block_set_index(block_bit(&p))], block_word(block_low(&p), 0), 1, 1);
	}
	if (bpf_map_update_batch(bpf_map__fd(b->skel->maps.block_sets), index, sets, &count, NULL))
		bench_die("cannot write the sets: %s", strerror(errno));
	free(sets);
	free(index);
}

/* In an order that is not the one in which they are asked for. */
static void fill_list(struct bed *b, enum list list, bool remove)
{
	struct list_entry entry = { .by = LISTED_BY_HAND, .len = list == PREFIXES_10K ? 120 : 128, .reason = "bench" };
	struct address_prefix p;
	unsigned i;

	for (i = 0; i < list_size(list); i++) {
		p = listed(list, i);
		if (remove ? bpf_map_delete_elem(list_map(b, list), &p) :
			     bpf_map_update_elem(list_map(b, list), &p, &entry, BPF_ANY))
			bench_die("cannot change entry %u of a list: %s", i, strerror(errno));
	}
}

static void set_list(struct bed *b, enum list *now, enum list list)
{
	struct turn *t = &b->skel->bss->turn;

	if (*now == list)
		return;
	fill_list(b, *now, true);
	fill_list(b, list, false);
	write_filter(b, list);
	write_sets(b, list);
	*now = list;
	t->listed = list_size(list);
	t->listed_stride = (uint32_t)(t->listed * 0.381966) | 1;
	while (t->listed && t->listed_stride % 5 == 0)
		t->listed_stride += 2; /* without a common factor each comes once a round: see bed_open() */
	t->listed_at = 0;
	t->listed_shift = list == PREFIXES_10K ? 8 : 0;
}

/* ---- policies ---- */

/* Rules of all kinds, of which none concerns the flows of the table; those of static kind do ask for each flow once. */
static void write_rule(FILE *out, unsigned i)
{
	fprintf(out, "- {name: r%u, action: drop, match: {", i);
	switch (i % 5) {
	case 0: fprintf(out, "saddr: 198.51.%u.0/24", i); break;
	case 1: fprintf(out, "saddr: [203.0.113.%u, 203.0.%u.0/28], dport: %u", i, i, 2000 + i); break;
	case 2: fprintf(out, "invalid: [out-of-window, rst-inexact], dport: 443, saddr: 10.0.0.0/%u", 8 + i % 8); break;
	case 3: fprintf(out, "flags: [fin+psh+urg], dport: %u-%u", 100 + i, 9000 + i); break;
	case 4: fprintf(out, "sport: %u, daddr: 192.0.2.%u, invalid: no-flow", i, i); break;
	}
	fputs("}}\n", out);
}

static void write_service(FILE *out, enum service service)
{
	fputs("services:\n- name: web\n  match: {dport: 443}\n", out);
	if (service == COOKIES)
		fputs("  half-open: {max: 1, then: syncookie}\n", out);
	else
		fputs("  half-open: {max: 50M, then: syncookie}\n"
		      "  half-open-per-source: {max: 60k}\n"
		      "  new-per-source: {rate: 10M/s, burst: 1M}\n", out);
}

static struct policy_image *make_policy(unsigned rules, enum service service)
{
	char *text = NULL;
	const char *error = NULL;
	struct policy_image *image;
	unsigned errors = 0, i;
	struct policy *p;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		bench_die("out of memory");
	fputs("version: 1\nmode: enforce\nstate-check: loose\nallow: [192.0.2.0/24]\nsyncookie: {flavour: own, rate: 10M/s, burst: 1M}\n",
	      out);
	if (service != NO_SERVICE)
		write_service(out, service);
	if (rules)
		fputs("rules:\n", out);
	for (i = 0; i < rules; i++)
		write_rule(out, i);
	fclose(out);
	p = policy_parse(text, len, "bench", NULL, stderr, &errors);
	if (!p)
		bench_die("the policy of %u rules has %u errors", rules, errors);
	image = policy_compile(p, NULL, 0, &error);
	if (!image)
		bench_die("the policy of %u rules: %s", rules, error);
	policy_free(p);
	free(text);
	return image;
}

/* A table of addresses, into the outer map. */
static void put_table(int outer, const struct policy_table *table, bool prefixes)
{
	LIBBPF_OPTS(bpf_map_create_opts, lpm, .map_flags = BPF_F_NO_PREALLOC);
	uint32_t slot = 0, key_size = prefixes ? sizeof(struct address_prefix) : 16;
	size_t i;
	int fd;

	bpf_map_delete_elem(outer, &slot);
	if (!table->count)
		return;
	fd = bpf_map_create(prefixes ? BPF_MAP_TYPE_LPM_TRIE : BPF_MAP_TYPE_HASH, "bench_table", key_size,
			    sizeof(struct policy_class), (uint32_t)table->count, prefixes ? &lpm : NULL);
	for (i = 0; fd >= 0 && i < table->count; i++)
		if (bpf_map_update_elem(fd, prefixes ? (const void *)&table->item[i].prefix : table->item[i].prefix.addr,
					&table->item[i].class, BPF_ANY))
			bench_die("cannot fill a table of the policy: %s", strerror(errno));
	if (fd < 0 || bpf_map_update_elem(outer, &slot, &fd, BPF_ANY))
		bench_die("cannot make a table of the policy: %s", strerror(errno));
	close(fd);
}

static void put_policy(struct bed *b, const struct policy_image *image)
{
	uint32_t slot = 0;

	put_table(bpf_map__fd(b->skel->maps.policy_saddr), &image->saddr_exact, false);
	put_table(bpf_map__fd(b->skel->maps.policy_sprefix), &image->saddr_prefix, true);
	put_table(bpf_map__fd(b->skel->maps.policy_daddr), &image->daddr_exact, false);
	put_table(bpf_map__fd(b->skel->maps.policy_dprefix), &image->daddr_prefix, true);
	if (bpf_map_update_elem(bpf_map__fd(b->skel->maps.policy_config), &slot, &image->config, BPF_ANY) ||
	    bpf_map_update_elem(bpf_map__fd(b->skel->maps.policy_ports), &slot, &image->ports, BPF_ANY))
		bench_die("cannot write the policy: %s", strerror(errno));
}

/* As after an apply: each flow is marked, and its next segment finds out that no rule concerns it. Nothing of it is measured. */
static void ask_flows(struct bed *b)
{
	struct bench_case once = { "asking the flows", .prog = "bench_ack" };
	struct mark_args args = { 0 };
	uint8_t frame[FRAME_LEN];
	LIBBPF_OPTS(bpf_test_run_opts, mark, .ctx_in = &args, .ctx_size_in = sizeof(args));
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = frame, .repeat = (int)b->flows);
	uint64_t fast = bed_counter(b, CNT_FAST);

	bed_prepare(b, &once);
	run.data_size_in = (uint32_t)bed_frame(frame, &once);
	b->skel->bss->turn.seen = b->skel->bss->turn.round = b->skel->bss->turn.number = 0;
	if (bpf_prog_test_run_opts(bpf_program__fd(b->skel->progs.ward_mark), &mark) || args.missed ||
	    bpf_prog_test_run_opts(once.fd, &run))
		bench_die("cannot mark the flows");
	if (bed_counter(b, CNT_FAST) != fast)
		bench_die("flows that are to be asked took the fast path");
	b->skel->bss->turn.seen = b->skel->bss->turn.round = b->skel->bss->turn.number = 0;
}

/* The list and policy of the case come into force. */
static void come_into_force(struct bed *b, const struct policy_case *p, enum list *list_now)
{
	struct policy_live live = { .version = POLICY_LAYOUT_VERSION, .lists_mode = MODE_ENFORCE };
	struct policy_image *image = NULL;
	uint32_t zero = 0;

	set_list(b, list_now, p->list);
	live.loaded = p->rules || p->service;
	live.lists = p->list == NO_LIST ? 0 : p->list == PREFIXES_10K ? LIST_BLOCK_PREFIXES : LIST_BLOCK_ADDRS;
	if (live.loaded) {
		image = make_policy(p->rules, p->service);
		put_policy(b, image);
	}
	live.block_drops = (uint8_t)block_simple(&live, image ? &image->config : NULL, 1);
	policy_image_free(image);
	if (bpf_map_update_elem(bpf_map__fd(b->skel->maps.policy_live), &zero, &live, BPF_ANY))
		bench_die("cannot load the policy: %s", strerror(errno));
}

/* ---- measures ---- */

static struct policy_case *find_case(const char *name)
{
	int i;

	for (i = 0; i < CASES && strcmp(cases[i].c.name, name); i++)
		;
	if (i == CASES)
		bench_die("no case '%s'", name);
	return &cases[i];
}

/* how: bed_round(), or bed_calm_round(). */
static void measure(struct bed *b, struct policy_case *p, enum list *list_now, bool ask, void (*how)(struct bed *b, struct bench_case *c))
{
	uint64_t sent;

	come_into_force(b, p, list_now);
	if (p->c.payload)
		bed_new_round(b);
	if (ask && p->rules && p->c.effect == FAST)
		ask_flows(b);
	if (p->c.verdict == 3)
		bed_forget_evictions(b);
	sent = bed_counter(b, CNT_COOKIE_SENT);
	how(b, &p->c);
	if (p->c.verdict == 3 && how == bed_round && bed_counter(b, CNT_COOKIE_SENT) + p->c.stray < sent + (uint64_t)p->c.repeat)
		bench_die("%s: not all were answered", p->c.name);
	if (p->c.payload)
		bed_new_round(b);
}

/* ns of a case, net of the run's own and of what only its wrapper does. */
static double net(const char *name)
{
	struct policy_case *p = find_case(name);
	const struct policy_case *empty = &cases[bed_in_short_runs(&p->c) ? CASE_EMPTY_SHORT : CASE_EMPTY];
	double ns = bed_settled(&p->c) - bed_settled(&empty->c);

	if (p->rewritten)
		ns -= net("SYN written again, own parser + drop") - net("SYN, own parser + drop");
	return ns;
}

static void report(enum bench_size size)
{
	const char *label = bench_flows[size].label;
	double base = net("own parser + drop");
	int i, calm = 0, measured = 0;
	char name[64];

	for (i = 0; i < CASES; i++) {
		measured += cases[i].c.rounds != 0;
		calm += cases[i].c.calm_rounds == CALM_ROUNDS;
	}
	bench_title("policy, %s flows in a table of %u; %d of %d cases had the caches to themselves", label, bench_flows[size].capacity,
		    calm, measured);
	for (i = CASE_WRAPPER; i < CASES; i++) {
		const struct bench_case *c = &cases[i].c;

		if (!c->rounds)
			continue;
		snprintf(name, sizeof(name), "policy: %s, %s", c->name, label);
		result_add(name, net(c->name), "ns", 0, false);
		snprintf(name, sizeof(name), "policy: %s, %s, ratio", c->name, label);
		result_add(name, net(c->name) / base, "x parse+drop", c->goal[size], false);
	}
	if (size == BENCH_1M)
		return;
	result_add("policy: established, 64 rules beside 1", net("established ACK, 64 rules") / net("established ACK, 1 rule"), "x", 1.15,
		   false);
	result_add("policy: slow path, 50 rules beside 1", net("gap, 50 rules") / net("gap, 1 rule"), "x", 0, false);
}

static void run_bed(struct bed *b, enum bench_size size, bool last)
{
	const int rounds = bench_flows[size].rounds;
	enum list list_now = NO_LIST;
	int i, round;

	for (i = 0; i < CASES; i++)
		bed_prepare(b, &cases[i].c);
	for (round = 0; round < rounds; round++)
		for (i = 0; i < CASES; i++)
			if (!cases[i].few || size != BENCH_1M) /* of a million flows all are asked once: a second for each round */
				measure(b, &cases[i], &list_now, size != BENCH_1M || !round, bed_round);
	for (round = 0; last && size == BENCH_10K && round < CALM_ROUNDS; round++) /* more flows do not stay in a cache */
		for (i = 0; i < CASES; i++)
			measure(b, &cases[i], &list_now, true, bed_calm_round);
}

void bench_policy(enum bench_size size)
{
	const struct bench_flows *f = &bench_flows[size];
	struct bed bed[2]; /* as in bench_packets() */
	int i, turn;

	for (i = 0; i < CASES; i++)
		cases[i].c.rounds = cases[i].c.calm_rounds = 0;
	for (turn = 0; turn < f->beds; turn++) {
		bed_open(&bed[turn & 1], f->flows, f->capacity);
		if (turn)
			bed_close(&bed[(turn & 1) ^ 1]);
		run_bed(&bed[turn & 1], size, turn == f->beds - 1);
	}
	bed_close(&bed[(turn & 1) ^ 1]);
	report(size);
}
