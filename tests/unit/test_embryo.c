/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A SYN at rest (syn_open, syn_expand) is byte by byte what judge and commit make of it; the order of a set's places. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "embryo.h"
#include "tcp_commit.h"
#include "tcp_track.h"

static uint32_t seed = 1;

static uint32_t any(void)
{
	seed = seed * 1664525 + 1013904223;
	return seed >> 8 | seed << 24;
}

static struct segment random_syn(int i)
{
	static const uint32_t corners[] = {0, 1, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff};
	struct segment seg;
	int j;

	memset(&seg, 0, sizeof(seg));
	for (j = 0; j < 16; j++) {
		seg.key.a_addr[j] = (uint8_t)any();
		seg.key.b_addr[j] = (uint8_t)any();
	}
	seg.key.a_port = (uint16_t)any();
	seg.key.b_port = (uint16_t)any();
	seg.key.vlan = i % 4 ? 0 : any() & 0xfff;
	seg.seq = i % 3 ? any() : corners[any() % 6];
	seg.tsval = any();
	seg.now_ns = 1700000000ULL * NS_PER_S + ((uint64_t)any() << 20);
	seg.stamp_ns = i % 5 ? any() | 1 : 0;
	seg.segs = 1;
	seg.win = (uint16_t)any();
	seg.mss = 1460;
	seg.vlan = i % 2 ? VLAN_UNSEEN : any() & 0xfff;
	seg.bits = TH_SYN | (i % 7 ? 0 : TH_PSH);
	seg.opts = any() & (SEG_TS | SEG_WS | SEG_SACK_OK | SEG_MSS);
	seg.ws = seg.opts & SEG_WS ? (uint8_t)(i % 11 ? any() % 16 : any()) : 0;
	if (!(seg.opts & SEG_TS))
		seg.tsval = 0;
	seg.dir = any() & 1;
	seg.iface = (uint8_t)any();
	return seg;
}

/* The field that a byte of struct flow belongs to, for the failure's text. */
static const char *field_at(size_t at)
{
	static const struct {
		size_t from;
		const char *name;
	} fields[] = {
#define F(name) {offsetof(struct flow, name), #name}
		F(state), F(known), F(wscale), F(phase), F(gen), F(prev), F(half), F(win), F(maxwin), F(flags),
		F(start_ns), F(since_ns), F(isn), F(contig), F(fin), F(rtx), F(history), F(rtt_syn_ns), F(rtt_ack_ns),
		F(pend_isn), F(pend_tsval), F(pend_ms), F(pend_win), F(pend_len), F(pend_ws), F(orig), F(syn_rtx),
		F(synack_rtx), F(fin_rtx), F(vlan), F(end_reason), F(iface), F(zeek), F(unseen), F(seq_fin), F(seq_rst),
		F(seq_syn),
#undef F
	};
	size_t i = sizeof(fields) / sizeof(*fields);

	while (i-- > 1)
		if (fields[i].from <= at)
			break;
	return fields[i].name;
}

static int differences(const struct flow *fresh, const struct flow *whole, int n)
{
	const uint8_t *a = (const uint8_t *)fresh, *b = (const uint8_t *)whole;
	const char *last = "";
	int bad = 0;
	size_t i;

	for (i = 0; i < sizeof(*fresh); i++) {
		if (a[i] == b[i] || !strcmp(last, field_at(i)))
			continue;
		last = field_at(i);
		print_error("SYN %d: %s (byte %zu): embryo %#x, commit %#x\n", n, last, i, a[i], b[i]);
		bad++;
	}
	return bad;
}

static int run_syn(int i, bool spoil)
{
	const uint8_t phase = PHASE_LIVE | PHASE_LOCKED;
	struct segment seg = random_syn(i);
	struct flow fresh, whole;
	struct flow_key key;
	struct tcp_judgement j;
	struct track_opts opts;
	struct syn syn;

	track_opts_init(&opts);
	memset(&syn, 0xa5, sizeof(syn)); /* what lived there before */
	memset(&fresh, 0xa5, sizeof(fresh));
	memset(&whole, 0x5a, sizeof(whole));
	memset(&j, 0xa5, sizeof(j));
	whole.gen = fresh.gen = (uint16_t)i;
	whole.phase = fresh.phase = phase;
	syn_open(&syn, &seg);
	assert_true(syn_has_key(&syn, &seg.key));
	syn_key(&syn, &key);
	assert_memory_equal(&key, &seg.key, sizeof(key));
	key.b_addr[i & 15] ^= 1;
	assert_false(syn_has_key(&syn, &key));
	syn_expand(&syn, &fresh);
	tcp_judge(NULL, &seg, &opts, &j);
	assert_int_equal(j.outcome, OUTCOME_NEW);
	tcp_commit(&whole, &seg, &j);
	if (spoil)
		return memcmp(&fresh, &whole, sizeof(fresh)) == 0 && (fresh.history[3] ^= 1, memcmp(&fresh, &whole, sizeof(fresh)));
	return differences(&fresh, &whole, i);
}

static void equal_to_commit(void **state)
{
	int i, bad = 0;

	(void)state;
	for (i = 0; i < 20000; i++) {
		bad += run_syn(i, false);
		if (bad > 10)
			break;
	}
	print_message("%d SYNs, %d differences\n", i, bad);
	assert_int_equal(bad, 0);
}

/* A SYN that was told to be stale comes back with that flag, and nothing else. */
static void stale_is_kept(void **state)
{
	struct segment seg = random_syn(3);
	struct flow plain, stale;
	struct syn syn;

	(void)state;
	memset(&plain, 0, sizeof(plain));
	memset(&stale, 0, sizeof(stale));
	syn_open(&syn, &seg);
	syn_expand(&syn, &plain);
	syn.how |= SYN_STALE;
	syn_expand(&syn, &stale);
	assert_true(stale.flags == (plain.flags | FLAG_STALE_SYN));
	stale.flags = plain.flags;
	assert_memory_equal(&plain, &stale, sizeof(plain));
}

/* Against a plain list: a free place first (the lowest), else the one claimed first; and a tag that is there is never missed. */
static void places_in_order(void **state)
{
	uint64_t claimed[EMBRYO_WAYS] = {0}, now = 0;
	struct embryo_ways ways;
	int i, j, best, evictions = 0;

	(void)state;
	memset(&ways, 0, sizeof(ways));
	for (i = 0; i < 200000; i++) {
		uint32_t place = ways_place(&ways);
		uint16_t tag = (uint16_t)(any() % 8 ? any() | 1 : 1 + any() % 3);

		for (best = -1, j = 0; j < EMBRYO_WAYS && best < 0; j++)
			if (!ways.tag[j])
				best = j;
		for (j = 0; best < 0 || (ways.tag[best] && j < EMBRYO_WAYS); j++)
			if (best < 0 || claimed[j] < claimed[best])
				best = j;
		evictions += ways.tag[best] != 0;
		assert_int_equal(place, best);
		ways.tag[place] = tag;
		ways_claimed(&ways, place);
		claimed[place] = ++now;
		for (j = 0; j < EMBRYO_WAYS; j++)
			assert_true(!ways.tag[j] || ways_may_hold(&ways, ways.tag[j]));
		if (any() % 3 == 0)
			ways.tag[any() % EMBRYO_WAYS] = 0;
	}
	assert_true(evictions > 10000);
	memset(&ways, 0, sizeof(ways));
	for (j = 0; j < EMBRYO_WAYS; j++)
		ways.tag[j] = (uint16_t)(0x101 + 2 * j);
	assert_false(ways_may_hold(&ways, 0x8101));
	assert_false(ways_may_hold(&ways, 1));
}

/* The comparison can fail. */
static void control(void **state)
{
	(void)state;
	assert_true(run_syn(4, true));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equal_to_commit),
		cmocka_unit_test(stale_is_kept),
		cmocka_unit_test(places_in_order),
		cmocka_unit_test(control),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
