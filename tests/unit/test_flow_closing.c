/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What is found on one flow as it closes: TIME-WAIT and its abuse, FIN storms, ends that do not close (D3, D4, D5). */
#include "talk.h"

/* ---- D3c ---- */
static void assassination(struct talk *t)
{
	closed(t);
	nothing(t);
	pause_s(t, 2);
	rst(t, C, 0);
	expect(t, FOUND(TIME_WAIT_ASSASSINATION));
	pause_s(t, 9);
	expect(t, FOUND(TIME_WAIT_ASSASSINATION));
}

/* A client's SYN below the old numbers: ACK, RST, and the SYN again. Linux does that. */
static void assassination_not_by_syn(struct talk *t)
{
	closed(t);
	segment(t, C, TH_SYN, 500, 0, 0);
	says(t, S, TH_ACK, 0);
	rst(t, C, 0);
	assert_true(t->flow.flags & FLAG_TW_ASSASSIN);
	nothing(t);
	pause_s(t, 1);
	segment(t, C, TH_SYN, 500, 0, 0);
	nothing(t);
	segment(t, S, TH_RST | TH_ACK, 0, 501, 0);
	assert_true(flow_gone(&t->flow));
	nothing(t);
}

/* An ACK of TIME-WAIT, brought forth by an old segment, finds the other end gone: seen among ordinary connections. */
static void assassination_not_by_answer(struct talk *t)
{
	closed(t);
	pause_s(t, 5);
	says(t, S, TH_ACK, 0);
	pause_ms(t, 50);
	rst(t, C, 0);
	assert_true(t->flow.flags & FLAG_TW_ASSASSIN);
	nothing(t);
}

static void assassination_rfc1337(struct talk *t)
{
	t->track.rfc1337 = 1;
	closed(t);
	pause_s(t, 2);
	rst(t, C, 0);
	expect(t, FOUND(TIME_WAIT_ASSASSINATION));
	pause_s(t, 60);
	assert_false(t->live);

	talk_begin(t, t->client);
	t->track.rfc1337 = 1;
	closed(t);
	segment(t, C, TH_SYN, 500, 0, 0);
	says(t, S, TH_ACK, 0);
	rst(t, C, 0);
	assert_true(t->flow.flags & FLAG_TW_RST);
	nothing(t);
}

static void assassination_inexact(struct talk *t)
{
	closed(t);
	rst(t, C, 10);
	pause_ms(t, 10);
	rst(t, C, 20);
	nothing(t);
	pause_ms(t, 10);
	rst(t, C, 30);
	expect(t, FOUND(TIME_WAIT_ASSASSINATION));
	pause_s(t, 60);
	nothing(t);
}

/* What was aimed at the open connection is not counted against its TIME-WAIT. */
static void inexact_before_and_after(struct talk *t)
{
	opened(t);
	rst(t, C, 10);
	pause_ms(t, 10);
	rst(t, C, 20);
	says(t, S, FIN, 0);
	says(t, C, FIN, 0);
	says(t, S, TH_ACK, 0);
	pause_ms(t, 10);
	rst(t, C, 30);
	pause_ms(t, 10);
	rst(t, C, 40);
	nothing(t);
	pause_ms(t, 10);
	rst(t, C, 50);
	expect(t, FOUND(TIME_WAIT_ASSASSINATION));
}

/* ---- D3d ---- */
static void fin_storm(struct talk *t)
{
	int i;

	opened(t);
	says(t, C, FIN, 0);
	for (i = 0; i < 8; i++) {
		nothing(t);
		pause_ms(t, 1400);
		again(t, C, FIN, 0);
	}
	expect(t, FOUND(FIN_STORM)); /* the eighth 9.8 s after the first */
	pause_ms(t, 9999);
	expect(t, FOUND(FIN_STORM));
	pause_ms(t, 1);
	nothing(t);
}

static void fin_storm_slow(struct talk *t)
{
	int i;

	opened(t);
	says(t, C, FIN, 0);
	for (i = 0; i < 8; i++) {
		pause_ms(t, 1500);
		again(t, C, FIN, 0);
		nothing(t);
	}
	t->detect.value[PARAM_FIN_STORM_FINS] = 7;
	expect(t, FOUND(FIN_STORM));
}

/* Linux's orphan on a dead path: 0.2 s, doubling. */
static void fin_storm_not_dead_path(struct talk *t)
{
	int i;

	opened(t);
	says(t, C, FIN, 0);
	for (i = 0; i < 9; i++) {
		pause_ms(t, 200 << i);
		again(t, C, FIN, 0);
		nothing(t);
	}
}

/* The same, but each is answered from TIME-WAIT, and the answers are lost: LAST-ACK and CLOSED in turn. */
static void fin_storm_not_lost_acks(struct talk *t)
{
	int i;

	closed(t);
	for (i = 0; i < 9; i++) {
		pause_ms(t, 200 << i);
		again(t, C, FIN, 0);
		nothing(t);
		says(t, S, TH_ACK, 0);
		nothing(t);
	}
}

static void fin_storm_into_time_wait(struct talk *t)
{
	int i;

	closed(t);
	pause_s(t, 30);
	for (i = 0; i < 8; i++) {
		nothing(t);
		pause_ms(t, 5);
		again(t, C, FIN, 0);
		says(t, S, TH_ACK, 0);
	}
	expect(t, FOUND(FIN_STORM));
}

/* ---- D3e ---- */
static void pinning_restarts(struct talk *t)
{
	int i;

	closed(t);
	for (i = 0; i < 6; i++) {
		pause_s(t, 2);
		nothing(t);
		says(t, C, TH_ACK, 0);
	}
	expect(t, FOUND(TIME_WAIT_PINNING));
	pause_ms(t, 59999);
	expect(t, FOUND(TIME_WAIT_PINNING));
	pause_ms(t, 1);
	nothing(t);
}

static void pinning_lasts(struct talk *t)
{
	int i;

	t->now_ns &= ~((1ULL << SINCE_SHIFT) - 1); /* it is measured in such units */
	closed(t);
	for (i = 0; i < 4; i++) {
		pause_ms(t, 59999);
		says(t, C, TH_ACK, 0);
	}
	nothing(t);
	pause_ms(t, 3);
	nothing(t);
	pause_ms(t, 3);
	expect(t, FOUND(TIME_WAIT_PINNING)); /* 240.002 s, restarted four times */
}

/* A burst of old segments is one restart; and so is each second of it. */
static void pinning_not_burst(struct talk *t)
{
	int i;

	closed(t);
	pause_s(t, 10);
	for (i = 0; i < 100; i++) {
		says(t, C, TH_ACK, 0);
		pause_ms(t, 10);
		nothing(t);
	}
}

static void pinning_steady(struct talk *t)
{
	int i;

	closed(t);
	for (i = 0; i < 80; i++) { /* 8 s */
		pause_ms(t, 100);
		says(t, C, TH_ACK, 0);
	}
	expect(t, FOUND(TIME_WAIT_PINNING));
}

/* ---- D4, D5 ---- */
static void half_closed(struct talk *t)
{
	opened(t);
	says(t, C, FIN, 0);
	says(t, S, TH_ACK, 0);
	pause_ms(t, 59999);
	nothing(t);
	pause_ms(t, 1);
	expect(t, FOUND(CLOSE_WAIT_LEAK) | FOUND(FIN_WAIT_2_HANG));
	t->detect.value[PARAM_CLOSE_WAIT_LEAK_AFTER] = 61 * NS_PER_S;
	expect(t, FOUND(FIN_WAIT_2_HANG));
	pause_s(t, 1);
	t->detect.value[PARAM_FIN_WAIT_2_HANG_AFTER] = 62 * NS_PER_S;
	expect(t, FOUND(CLOSE_WAIT_LEAK));
	says(t, S, FIN, 0);
	nothing(t);
}

static void half_closed_with_data(struct talk *t)
{
	int i;

	opened(t);
	says(t, C, FIN, 0);
	says(t, S, TH_ACK, 0);
	for (i = 0; i < 10; i++) {
		pause_s(t, 50);
		says(t, S, DATA, 10);
		says(t, C, TH_ACK, 0);
		nothing(t);
	}
}

/* The FIN was never acknowledged: nobody knows whether it arrived. */
static void half_closed_unknown(struct talk *t)
{
	opened(t);
	says(t, C, FIN, 0);
	pause_s(t, 100);
	nothing(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(assassination),
		CASE(assassination_not_by_syn),
		CASE(assassination_not_by_answer),
		CASE(assassination_rfc1337),
		CASE(assassination_inexact),
		CASE(inexact_before_and_after),
		CASE(fin_storm),
		CASE(fin_storm_slow),
		CASE(fin_storm_not_dead_path),
		CASE(fin_storm_not_lost_acks),
		CASE(fin_storm_into_time_wait),
		CASE(pinning_restarts),
		CASE(pinning_lasts),
		CASE(pinning_not_burst),
		CASE(pinning_steady),
		CASE(half_closed),
		CASE(half_closed_with_data),
		CASE(half_closed_unknown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
