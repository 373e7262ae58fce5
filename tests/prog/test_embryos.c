/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The embryo table under more SYNs than it has places: the oldest of the set gives way, and each is counted and told. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "embryo.h"
#include "prog/rig.h"
#include "syncookie.h"

#define SETS 8
#define SYNS 2000

struct told {
	int evicted, ends;
	struct flow_key last;
};

static void on_event(const struct event *ev, size_t size, void *ctx)
{
	struct told *t = ctx;

	(void)size;
	if (ev->type != EVENT_END)
		return;
	t->ends++;
	t->evicted += ev->reason == END_EVICTED;
	t->last = ev->key;
}

static struct flow_key send_syn(struct rig *rig, int i, uint8_t bits)
{
	struct wire_segment seg = {.bits = bits, .seq = 1000, .ack = bits & TH_ACK ? 5001 : 0, .win = 64240};
	struct wire_layout v4 = {.name = "v4"};
	struct wire_end from, to;
	struct flow_key key;
	uint8_t frame[WIRE_MAX];
	size_t len;

	wire_address(&from, false, 100 + i, 40000);
	wire_address(&to, false, 5, 80);
	wire_key(&key, &from, &to);
	len = wire_build(frame, &v4, &from, &to, &seg);
	rig_send(rig, HOOK_XDP, frame, len, (uint32_t)len, false, 0);
	return key;
}

static void read_sets(struct rig *rig, struct syn_set sets[SETS])
{
	uint32_t i;

	for (i = 0; i < SETS; i++)
		if (bpf_map_lookup_elem(rig->w->map[MAP_SYNS], &i, &sets[i])) {
			printf("not ok programs: cannot read set %u\n", i);
			exit(1);
		}
}

static int find(const struct syn_set *set, const struct flow_key *key)
{
	int i;

	for (i = 0; i < EMBRYO_WAYS; i++)
		if (set->syns.tag[i] && syn_has_key(&set->way[i], key))
			return i;
	return -1;
}

/* Which of the set's SYNs came first. */
static int oldest(const struct syn_set *set)
{
	int i, best = 0;

	for (i = 1; i < EMBRYO_WAYS; i++)
		if (set->way[i].at_ns < set->way[best].at_ns)
			best = i;
	return best;
}

/* One SYN more; returns 1 if it did not go where it should. */
static int one_more(struct rig *rig, struct ward_reader *reader, struct told *told, int i, struct syn_set *before,
		    struct syn_set *after)
{
	struct flow_key key;
	int set, way, free = 0, j, ends = told->ends;

	rig->now_ns += 1000;
	read_sets(rig, before);
	key = send_syn(rig, i, TH_SYN);
	read_sets(rig, after);
	ward_reader_poll(reader);
	for (set = 0; set < SETS && find(&after[set], &key) < 0; set++)
		;
	if (set == SETS)
		return printf("# SYN %d is nowhere\n", i);
	way = find(&after[set], &key);
	for (j = 0; j < EMBRYO_WAYS; j++)
		free += !before[set].syns.tag[j];
	if (free)
		return before[set].syns.tag[way] ? printf("# SYN %d took a place while one was free\n", i) : 0;
	if (way != oldest(&before[set]))
		return printf("# SYN %d evicted another than the oldest\n", i);
	if (told->ends != ends + 1 || !syn_has_key(&before[set].way[way], &told->last))
		return printf("# SYN %d: the end of the evicted flow was not told\n", i);
	return 0;
}

static void test_eviction(struct rig *rig, struct ward_reader *reader, struct told *told)
{
	struct syn_set *before = calloc(SETS, sizeof(*before)), *after = calloc(SETS, sizeof(*after));
	struct ward_counters c0 = rig_counters(rig), c;
	int i, bad = 0, held = 0, j, gone;

	for (i = 0; i < SYNS; i++)
		bad += !!one_more(rig, reader, told, i, before, after);
	for (i = 0; i < SETS; i++)
		for (j = 0; j < EMBRYO_WAYS; j++)
			held += !!after[i].syns.tag[j];
	c = rig_counters(rig);
	gone = SYNS - held;
	bad += (int)(c.counter[CNT_EVICT_SYN_SENT] - c0.counter[CNT_EVICT_SYN_SENT]) != gone;
	bad += (int)(c.counter[CNT_END_EVICTED] - c0.counter[CNT_END_EVICTED]) != gone;
	bad += (int)(c.counter[CNT_FLOWS_NEW] - c0.counter[CNT_FLOWS_NEW]) != SYNS;
	bad += told->evicted != gone;
	rig_report(!bad, "embryos: the oldest of the set gives way, counted and told",
		   "%d SYNs into %d places, %d evicted, %d wrong", SYNS, SETS * EMBRYO_WAYS, gone, bad);
	free(before);
	free(after);
}

/* A flood of SYNs cannot push out what is established. */
static void test_flood(struct rig *rig)
{
	struct wire_layout v4 = {.name = "v4"};
	struct wire_end c, s;
	struct flow_key key;
	uint8_t frame[WIRE_MAX];
	struct wire_segment steps[] = {
		{.bits = TH_SYN, .seq = 1000, .win = 64240},
		{.bits = TH_SYN | TH_ACK, .seq = 5000, .ack = 1001, .win = 64240},
		{.bits = TH_ACK, .seq = 1001, .ack = 5001, .win = 64240},
	};
	struct flow f;
	bool embryo = true;
	size_t len;
	int i, err;

	rig_empty(rig);
	wire_address(&c, false, 3, 40000);
	wire_address(&s, false, 5, 443);
	wire_key(&key, &c, &s);
	for (i = 0; i < 3; i++) {
		len = wire_build(frame, &v4, i == 1 ? &s : &c, i == 1 ? &c : &s, &steps[i]);
		rig_send(rig, HOOK_XDP, frame, len, (uint32_t)len, false, 0);
	}
	for (i = 0; i < SYNS; i++)
		send_syn(rig, 10000 + i, TH_SYN);
	err = ward_flow_get(rig->w, &key, &f, &embryo);
	rig_report(!err && !embryo && f.state[0] == ESTABLISHED && f.state[1] == ESTABLISHED,
		   "embryos: a flood of SYNs leaves what is open", "%d SYNs%s", SYNS, err ? ", the flow is gone" : "");
}

/* ---- what is remembered of evicted handshakes, for SYN cookies: bpf/forgotten.h ---- */
#define WORDS 16384
#define GENERATION_NS (1ULL << 37)

struct words {
	uint64_t timed_out, evicted[2], pad;
};

static int bits_noted(struct rig *rig, int half)
{
	int fd = bpf_object__find_map_fd_by_name(load_object(rig->w), "forgotten"), bits = 0;
	struct words words;
	uint32_t i;

	for (i = 0; i < WORDS; i++) {
		if (bpf_map_lookup_elem(fd, &i, &words)) {
			printf("not ok programs: cannot read map forgotten\n");
			exit(1);
		}
		bits += __builtin_popcountll(words.evicted[half]);
	}
	return bits;
}

static void set_knows(struct rig *rig, uint64_t from)
{
	struct cookie_conf conf = {.flavour = COOKIE_OWN, .knows_from_ns = from};
	uint32_t zero = 0;

	if (bpf_map_update_elem(rig->w->map[MAP_COOKIE_CONF], &zero, &conf, BPF_ANY)) {
		printf("not ok programs: cannot write map cookie_conf\n");
		exit(1);
	}
}

static int evict(struct rig *rig, int first)
{
	struct ward_counters before = rig_counters(rig), after;
	int i;

	for (i = 0; i < SYNS / 2; i++)
		send_syn(rig, first + i, TH_SYN);
	after = rig_counters(rig);
	return (int)(after.counter[CNT_EVICT_SYN_SENT] - before.counter[CNT_EVICT_SYN_SENT]);
}

static void test_notes(struct rig *rig)
{
	int half, other, gone, noted, silent, kept, left;

	rig_empty(rig);
	rig->now_ns = (rig->now_ns / GENERATION_NS + 1) * GENERATION_NS; /* a generation begins */
	half = rig->now_ns / GENERATION_NS & 1;
	set_knows(rig, 0);
	evict(rig, 20000);
	silent = bits_noted(rig, 0) + bits_noted(rig, 1);
	set_knows(rig, 1);
	gone = evict(rig, 30000);
	noted = bits_noted(rig, half);
	other = bits_noted(rig, half ^ 1);
	rig_wait(rig, GENERATION_NS); /* the next one has begun: nothing is emptied in its first half */
	kept = bits_noted(rig, half);
	rig_wait(rig, GENERATION_NS / 2);
	left = bits_noted(rig, half);
	set_knows(rig, 0);
	rig_report(gone > SYNS / 4 && noted <= gone && noted >= gone - gone / 50 && !silent && !other && kept == noted && !left,
		   "embryos: evicted handshakes are noted while cookies are answered, and the notes go in the second generation",
		   "%d evicted, %d bits; without cookies %d, elsewhere %d; one generation later %d, in its second half %d", gone, noted,
		   silent, other, kept, left);
}

int main(void)
{
	struct rig_options opt;
	struct ward_reader *reader;
	struct told told = {0};
	struct rig rig;

	rig_options_init(&opt);
	opt.ward.embryos = SETS * EMBRYO_WAYS;
	rig_open(&rig, &opt);
	if (ward_reader_open(rig.w, 1 << 20, on_event, &told, &reader)) {
		printf("not ok programs: reader: %s\n", ward_reason());
		return 1;
	}
	test_eviction(&rig, reader, &told);
	ward_reader_close(reader);
	test_flood(&rig);
	test_notes(&rig);
	rig_close(&rig);
	return rig_result();
}
