/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A fresh embryo (embryo_open, embryo_complete) is byte by byte what judge and commit make of the same SYN. */
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

	memset(&seg, 0, sizeof(seg));
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
	struct tcp_judgement j;
	struct track_opts opts;
	uint64_t word;

	track_opts_init(&opts);
	memset(&fresh, 0xa5, sizeof(fresh)); /* what lived there before */
	memset(&whole, 0x5a, sizeof(whole));
	memset(&j, 0xa5, sizeof(j));
	whole.gen = (uint16_t)i;
	whole.phase = phase;
	embryo_open(&fresh, &seg); /* as bpf/track.bpf.c opens it */
	word = embryo_word(&seg, phase | PHASE_FRESH | PHASE_SLOW, (uint16_t)i);
	memcpy(&fresh, &word, sizeof(word));
	embryo_complete(&fresh);
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

/* A second completion changes nothing, and neither does one of a record that was never fresh. */
static void complete_is_idempotent(void **state)
{
	struct segment seg = random_syn(3);
	struct flow f, before;
	uint64_t word;

	(void)state;
	memset(&f, 0xa5, sizeof(f));
	embryo_open(&f, &seg);
	word = embryo_word(&seg, PHASE_LIVE | PHASE_FRESH, 7);
	memcpy(&f, &word, sizeof(word));
	embryo_complete(&f);
	before = f;
	embryo_complete(&f);
	assert_memory_equal(&f, &before, sizeof(f));
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
		cmocka_unit_test(complete_is_idempotent),
		cmocka_unit_test(control),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
