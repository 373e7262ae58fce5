/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What is found on an open flow: shut windows, RSTs and SYNs that do not belong, retransmission (D11 to D14); the bounds of
 * thresholds; what an ordinary connection shows, and what the sweep need not look at.
 */
#include "talk.h"

/* ---- D11 ---- */
static void zero_window(struct talk *t)
{
	int i;

	opened(t);
	t->win[S] = 0;
	says(t, S, TH_ACK, 0);
	for (i = 0; i < 11; i++) {
		pause_s(t, 5);
		if (i % 2)
			segment(t, C, DATA, t->nxt[C], t->ack[C], 1); /* as the RFC has it */
		else
			probe(t, C);
		says(t, S, TH_ACK, 0);
		nothing(t);
	}
	pause_ms(t, 4990);
	nothing(t);
	pause_ms(t, 12);
	expect(t, FOUND(ZERO_WINDOW));
	t->win[S] = 1000;
	says(t, S, TH_ACK, 0);
	nothing(t);
	t->win[S] = 0;
	says(t, S, TH_ACK, 0);
	pause_s(t, 50);
	nothing(t);
}

/* The fast path shuts and opens it; the sweep notices, a second late, and knows since when. */
static void zero_window_fast(struct talk *t)
{
	opened(t);
	says(t, S, TH_ACK, 0);
	assert_false(flow_shut_changed(&t->flow));
	t->win[C] = 0;
	says_fast(t, C, 0);
	pause_s(t, 1);
	assert_true(flow_shut_changed(&t->flow));
	nothing(t);
	assert_false(flow_shut_changed(&t->flow));
	assert_true(t->flow.phase & PHASE_WATCH);
	pause_ms(t, 59002);
	expect(t, FOUND(ZERO_WINDOW));
	t->win[C] = 8000;
	says_fast(t, C, 0);
	assert_true(flow_shut_changed(&t->flow));
	nothing(t);
	assert_false(flow_shut_changed(&t->flow));
	assert_false(t->flow.phase & PHASE_WATCH);
}

/* The end that keeps it shut sends data beyond a hole, and then its FIN: what is known has to move. */
static void zero_window_moves(struct talk *t)
{
	opened(t);
	says(t, S, TH_ACK, 0);
	t->win[C] = 0;
	says(t, C, TH_ACK, 0);
	pause_s(t, 30);
	segment(t, C, DATA, t->nxt[C] + 10, t->ack[C], 10);
	segment(t, C, DATA, t->nxt[C], t->ack[C], 10);
	t->nxt[C] += 20;
	t->ack[S] = t->nxt[C];
	says(t, S, TH_ACK, 0);
	says(t, C, FIN, 0);
	says(t, S, TH_ACK, 0);
	pause_ms(t, 29990);
	nothing(t);
	pause_ms(t, 12);
	expect(t, FOUND(ZERO_WINDOW));
	says(t, S, FIN, 0);
	nothing(t); /* both are closing */
}

static void zero_window_nobody_waits(struct talk *t)
{
	opened(t);
	t->win[S] = 0;
	says(t, S, TH_ACK, 0);
	pause_s(t, 299);
	expect(t, FOUND(ZERO_WINDOW));
	pause_s(t, 1);
	nothing(t);
}

/* ---- D12 ---- */
static void rst_injection(struct talk *t)
{
	opened(t);
	rst(t, C, 100);
	pause_ms(t, 10);
	rst(t, C, 1000000);
	nothing(t);
	pause_ms(t, 10);
	rst(t, C, 200);
	expect(t, FOUND(RST_INJECTION));
	assert_true(t->flow.phase & PHASE_WATCH);
	pause_s(t, 59);
	expect(t, FOUND(RST_INJECTION));
	pause_s(t, 1);
	nothing(t);
	rst(t, C, 300);
	nothing(t); /* counted anew */
}

static void rst_injection_far_apart(struct talk *t)
{
	int i;

	opened(t);
	for (i = 0; i < 9; i++) {
		rst(t, C, 100 + 10 * i);
		nothing(t);
		pause_s(t, 61);
	}
}

static void rst_injection_not_copies(struct talk *t)
{
	int i;

	opened(t);
	for (i = 0; i < 9; i++)
		rst(t, C, 100);
	nothing(t);
}

/* An abort, and a RST for each segment that was on its way. */
static void rst_injection_not_late(struct talk *t)
{
	int i;

	opened(t);
	segment(t, C, TH_RST | TH_ACK, t->nxt[C], t->ack[C], 0);
	for (i = 0; i < 9; i++) {
		segment(t, S, DATA, t->nxt[S] + 10 * i, t->ack[S], 10);
		rst(t, C, 0);
		rst(t, C, 1);
		pause_ms(t, 10);
		nothing(t);
	}
}

/* Neither a SYN that a strange firewall answers nor a connection whose numbers are not known yet. */
static void rst_injection_not_without_numbers(struct talk *t)
{
	int i;

	says(t, C, TH_SYN, 0);
	for (i = 0; i < 5; i++) {
		pause_s(t, 1);
		segment(t, S, TH_RST, 10 * i, 0, 0);
	}
	assert_true(t->flow.flags & FLAG_RST_OOW);
	nothing(t);

	talk_begin(t, t->client);
	t->flow.state[C] = t->flow.state[S] = ESTABLISHED; /* as user/ward/seed.c makes it */
	t->flow.known[C] = t->flow.known[S] = KNOWN_CONF;
	t->flow.flags = FLAG_MIDSTREAM | MARK_SEEDED;
	t->flow.half[0].last_ns = t->flow.half[1].last_ns = t->now_ns;
	t->live = true;
	for (i = 0; i < 5; i++) {
		pause_ms(t, 10);
		rst(t, C, 100 + i);
		assert_true(t->flow.flags & FLAG_RST_OOW);
		nothing(t);
	}
}

static void rst_injection_went_on(struct talk *t)
{
	opened(t);
	rst(t, C, 0);
	nothing(t);
	pause_s(t, 1);
	again(t, C, DATA, 100); /* late */
	segment(t, S, DATA, t->nxt[S], t->ack[S], 10); /* the other end does not know yet */
	nothing(t);
	says(t, C, DATA, 10);
	expect(t, FOUND(RST_INJECTION));
	pause_s(t, 9);
	expect(t, FOUND(RST_INJECTION));
	pause_s(t, 1);
	assert_false(t->live);
}

/* An inexact RST of one end, then the other aborts while the first still sends. */
static void rst_injection_not_the_others_abort(struct talk *t)
{
	opened(t);
	rst(t, C, 100);
	segment(t, S, TH_RST | TH_ACK, t->nxt[S], t->ack[S], 0);
	says(t, C, DATA, 10);
	nothing(t);
}

/* ---- D13 ---- */
static void syn_injection(struct talk *t)
{
	opened(t);
	segment(t, C, TH_SYN, 900000, 0, 0);
	says(t, S, TH_ACK, 0);
	nothing(t);
	says(t, C, DATA, 10);
	expect(t, FOUND(SYN_INJECTION));
	assert_true(t->flow.phase & PHASE_WATCH);
	pause_s(t, 59);
	expect(t, FOUND(SYN_INJECTION));
	pause_s(t, 1);
	nothing(t);
	rst(t, C, 100);
	nothing(t); /* that is another matter */
}

static void syn_injection_keepalive(struct talk *t)
{
	opened(t);
	says(t, S, TH_ACK, 0);
	segment(t, C, TH_SYN, 900000, 0, 0);
	pause_s(t, 5);
	probe(t, C);
	expect(t, FOUND(SYN_INJECTION));
}

static void syn_injection_not_duplicate(struct talk *t)
{
	opened(t);
	segment(t, C, TH_SYN, 1000, 0, 0);
	says(t, S, TH_ACK, 0);
	says(t, C, DATA, 10);
	assert_true(t->flow.flags & FLAG_SYN_IN_CONN);
	nothing(t);
}

/* T103: the client has gone, the server speaks. And N4: the server accepts the new connection. */
static void syn_injection_not_new_connection(struct talk *t)
{
	opened(t);
	segment(t, C, TH_SYN, 900000, 0, 0);
	pause_s(t, 11);
	says(t, S, DATA, 10);
	nothing(t);

	talk_begin(t, t->client);
	opened(t);
	segment(t, C, TH_SYN, 900000, 0, 0);
	t->nxt[C] = t->ack[S] = 900001;
	t->nxt[S] = 77000;
	says(t, S, TH_SYN | TH_ACK, 0);
	says(t, C, TH_ACK, 0);
	assert_true(t->flow.flags & FLAG_REUSE);
	nothing(t);
}

/* ---- D14 ---- */
static void retransmission(struct talk *t)
{
	int i;

	opened(t);
	for (i = 0; i < 19; i++) {
		says(t, C, DATA, 10);
		pause_ms(t, 250);
		again(t, C, DATA, 10);
		says(t, S, TH_ACK, 0);
	}
	nothing(t);
	says(t, C, DATA, 10);
	pause_ms(t, 250);
	again(t, C, DATA, 10);
	expect(t, FOUND(RETRANSMISSION)); /* 20 of 44 */
	assert_true(t->flow.phase & PHASE_WATCH);
	pause_ms(t, 9999);
	expect(t, FOUND(RETRANSMISSION));
	pause_ms(t, 1);
	nothing(t);
	for (i = 0; i < 399 - 44; i++)
		says_fast(t, C, 10);
	expect(t, FOUND(RETRANSMISSION));
	says_fast(t, C, 10);
	nothing(t); /* 20 of 400 are 5 %, not more */
}

/* The mirror, or the network, makes two of everything. */
static void every_segment_twice(struct talk *t)
{
	int i;

	says(t, C, TH_SYN, 0);
	segment(t, C, TH_SYN, 1000, 0, 0);
	says(t, S, TH_SYN | TH_ACK, 0);
	synack_again(t);
	says(t, C, TH_ACK, 0);
	again(t, C, TH_ACK, 0);
	nothing(t);
	for (i = 0; i < 100; i++) {
		pause_ms(t, 200);
		says(t, C, DATA, 10);
		again(t, C, DATA, 10);
		says(t, S, TH_ACK, 0);
		again(t, S, TH_ACK, 0);
		nothing(t);
	}
	assert_int_equal(t->flow.rtx[side_of(t, C)], 0);
	says(t, S, FIN, 0);
	again(t, S, FIN, 0);
	says(t, C, FIN, 0);
	again(t, C, FIN, 0);
	nothing(t);
	says(t, S, TH_ACK, 0);
	again(t, S, TH_ACK, 0);
	nothing(t);
}

/* SYN-ACKs that the network multiplies, before and after the ACK. */
static void synacks_multiplied(struct talk *t)
{
	int i;

	says(t, C, TH_SYN, 0);
	says(t, S, TH_SYN | TH_ACK, 0);
	for (i = 0; i < 4; i++)
		synack_again(t);
	says(t, C, TH_ACK, 0);
	nothing(t);
	for (i = 0; i < 4; i++) {
		pause_ms(t, 20);
		synack_again(t);
		nothing(t);
		says(t, C, TH_ACK, 0);
		nothing(t);
	}
}

/* ---- thresholds beyond what the marks can count ---- */
static void thresholds_are_capped(struct talk *t)
{
	int i;

	for (i = 0; i < PARAM_COUNT; i++)
		t->detect.value[i] = 1000000;
	t->detect.value[PARAM_DEAD_PEER_SILENCE] = 30 * NS_PER_S;
	opened(t);
	says(t, S, TH_ACK, 0);
	says(t, C, DATA, 50);
	repeats(t, 30, 40000);
	nothing(t);
	pause_ms(t, 400);
	again(t, C, DATA, 50);
	expect(t, FOUND(DEAD_PEER));
	says(t, S, TH_ACK, 0);
	for (i = 0; i < 3; i++) {
		pause_ms(t, 10);
		rst(t, C, 100 + i);
	}
	expect(t, FOUND(RST_INJECTION));
	pause_s(t, 61);
	says(t, S, FIN, 0);
	says(t, C, FIN, 0);
	says(t, S, TH_ACK, 0);
	nothing(t);
	for (i = 0; i < 7; i++) {
		pause_s(t, 2);
		nothing(t);
		says(t, C, TH_ACK, 0);
	}
	expect(t, FOUND(TIME_WAIT_PINNING));
}

/* 1 is honoured: the first is enough. */
static void thresholds_of_one(struct talk *t)
{
	t->detect.value[PARAM_RST_INJECTION_RESETS] = 1;
	t->detect.value[PARAM_TIME_WAIT_ASSASSINATION_RESETS] = 1;
	t->detect.value[PARAM_TIME_WAIT_PINNING_RESTARTS] = 0;
	t->detect.value[PARAM_FIN_STORM_FINS] = 1;
	t->detect.value[PARAM_DEAD_PEER_PROBES] = 1;
	t->detect.value[PARAM_ACCEPT_QUEUE_FULL_REPEATS] = 1;
	t->detect.value[PARAM_RETRANSMISSION_MIN] = 0; /* 0 is as good as 1: what has not happened is not found */
	t->detect.value[PARAM_RETRANSMISSION_SHARE] = 0;
	handshake(t);
	pause_s(t, 1);
	nothing(t);
	synack_again(t);
	expect(t, FOUND(ACCEPT_QUEUE_FULL));
	says(t, C, DATA, 50);
	says(t, S, TH_ACK, 0);
	nothing(t);
	pause_s(t, 40);
	probe(t, C);
	expect(t, FOUND(DEAD_PEER));
	says(t, S, TH_ACK, 0);
	nothing(t);
	rst(t, C, 100);
	expect(t, FOUND(RST_INJECTION));
	pause_s(t, 61);
	says(t, C, DATA, 50);
	nothing(t);
	pause_ms(t, 200);
	again(t, C, DATA, 50);
	expect(t, FOUND(RETRANSMISSION));
	pause_s(t, 10);
	says(t, S, FIN, 0);
	again(t, S, FIN, 0);
	expect(t, FOUND(FIN_STORM));
	pause_s(t, 10);
	says(t, C, FIN, 0);
	says(t, S, TH_ACK, 0);
	expect(t, FOUND(RETRANSMISSION)); /* the server speaks again, and it is the share that counts; one FIN in 10 s is no storm */
}

/* ---- a plain life, and the sweep's attention ---- */
static void plain_life(struct talk *t)
{
	int i;

	opened(t);
	for (i = 0; i < 1000; i++) {
		pause_s(t, 7);
		says(t, i % 2 ? C : S, DATA, 1000);
		says(t, i % 2 ? S : C, TH_ACK, 0);
		nothing(t);
		assert_false(t->flow.phase & PHASE_WATCH);
		assert_false(flow_shut_changed(&t->flow));
	}
	says(t, C, FIN, 0);
	nothing(t);
	says(t, S, FIN, 0);
	nothing(t);
	says(t, C, TH_ACK, 0);
	for (i = 0; i < 60; i++) {
		nothing(t);
		pause_s(t, 1);
	}
	assert_false(t->live);
}

/* Watched for a probe; its answer takes the fast path, and then there is nothing to watch. */
static void watch_ends(struct talk *t)
{
	opened(t);
	says(t, S, TH_ACK, 0);
	pause_s(t, 75);
	probe(t, C);
	assert_true(t->flow.phase & PHASE_WATCH);
	assert_false(flow_shut_changed(&t->flow));
	says_fast(t, S, 0);
	assert_true(flow_shut_changed(&t->flow));
	nothing(t);
	assert_false(t->flow.phase & PHASE_WATCH);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(zero_window),
		CASE(zero_window_fast),
		CASE(zero_window_moves),
		CASE(zero_window_nobody_waits),
		CASE(rst_injection),
		CASE(rst_injection_far_apart),
		CASE(rst_injection_not_copies),
		CASE(rst_injection_not_late),
		CASE(rst_injection_not_without_numbers),
		CASE(rst_injection_went_on),
		CASE(rst_injection_not_the_others_abort),
		CASE(syn_injection),
		CASE(syn_injection_keepalive),
		CASE(syn_injection_not_duplicate),
		CASE(syn_injection_not_new_connection),
		CASE(retransmission),
		CASE(every_segment_twice),
		CASE(synacks_multiplied),
		CASE(thresholds_are_capped),
		CASE(thresholds_of_one),
		CASE(plain_life),
		CASE(watch_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
