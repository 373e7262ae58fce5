/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What is found on one flow: handshakes that stay half done, and ends that have gone (D1, D2). Each kind at its threshold and
 * not one below, nothing else beside it, and how it ends; and what only looks like it.
 */
#include "embryo.h"
#include "talk.h"

/* ---- D1, D2a, T61 ---- */
static void stale_syn(struct talk *t)
{
	says(t, C, TH_SYN, 0);
	pause_ms(t, 9999);
	nothing(t);
	pause_ms(t, 1);
	expect(t, FOUND(STALE_SYN));
	segment(t, C, TH_SYN, 1000, 0, 0);
	expect(t, FOUND(STALE_SYN));
	says(t, S, TH_SYN | TH_ACK, 0);
	nothing(t);
}

static void stale_syn_refused(struct talk *t)
{
	t->detect.value[PARAM_STALE_SYN_AFTER] = 3 * NS_PER_S;
	says(t, C, TH_SYN, 0);
	pause_s(t, 3);
	expect(t, FOUND(STALE_SYN));
	segment(t, S, TH_RST | TH_ACK, 0, 1001, 0);
	nothing(t);
}

/* A SYN at rest in its cache line, made whole. */
static void stale_syn_at_rest(struct talk *t)
{
	struct segment seg = {.seq = 1000, .win = 64240, .bits = TH_SYN, .now_ns = t->now_ns, .segs = 1, .vlan = VLAN_UNSEEN};
	struct syn syn;

	seg.dir = (uint8_t)side_of(t, C);
	syn_open(&syn, &seg);
	t->flow.phase = PHASE_LIVE;
	syn_expand(&syn, &t->flow);
	t->live = true;
	pause_ms(t, 9999);
	nothing(t);
	pause_ms(t, 1);
	expect(t, FOUND(STALE_SYN));
	t->nxt[C] = t->ack[S] = 1001;
	says(t, S, TH_SYN | TH_ACK, 0);
	assert_int_equal(t->flow.state[side_of(t, S)], SYN_RECEIVED);
	nothing(t);
}

static void half_open(struct talk *t)
{
	says(t, C, TH_SYN, 0);
	says(t, S, TH_SYN | TH_ACK, 0);
	pause_s(t, 1);
	synack_again(t);
	pause_s(t, 2);
	synack_again(t);
	pause_s(t, 4);
	nothing(t);
	synack_again(t);
	pause_ms(t, 2999);
	nothing(t);
	pause_ms(t, 1);
	expect(t, FOUND(HALF_OPEN));
	says(t, C, TH_ACK, 0);
	nothing(t);
}

static void half_open_repeats(struct talk *t)
{
	says(t, C, TH_SYN, 0);
	says(t, S, TH_SYN | TH_ACK, 0);
	pause_s(t, 1);
	synack_again(t);
	pause_s(t, 2);
	synack_again(t);
	pause_s(t, 27);
	nothing(t); /* 30 s, but repeated twice: something else is wrong, or SYN cookies */
	t->detect.value[PARAM_HALF_OPEN_REPEATS] = 2;
	expect(t, FOUND(HALF_OPEN));
	rst(t, C, 0);
	nothing(t);
}

/* T61 */
static void accept_queue_full(struct talk *t)
{
	handshake(t);
	says(t, C, DATA, 3);
	pause_s(t, 1);
	synack_again(t);
	nothing(t); /* once: the ACK was lost on its way to the responder */
	says(t, C, TH_ACK, 0);
	nothing(t);
	pause_s(t, 2);
	synack_again(t);
	expect(t, FOUND(ACCEPT_QUEUE_FULL));
	says(t, C, TH_ACK, 0); /* and the responder shows as ESTABLISHED? */
	expect(t, FOUND(ACCEPT_QUEUE_FULL));
	pause_s(t, 4);
	synack_again(t);
	pause_s(t, 8);
	synack_again(t);
	expect(t, FOUND(ACCEPT_QUEUE_FULL)); /* 15 s and four repetitions: not half-open */
	says(t, C, TH_ACK, 0);
	again(t, C, DATA, 3);
	says(t, S, TH_ACK, 0);
	nothing(t); /* accepted */
}

/* It has accepted, but neither end has anything to say: then the next SYN-ACK does not come. */
static void accept_queue_quiet(struct talk *t)
{
	handshake(t);
	pause_s(t, 1);
	synack_again(t);
	says(t, C, TH_ACK, 0);
	pause_s(t, 2);
	synack_again(t);
	says(t, C, TH_ACK, 0);
	pause_ms(t, 5999);
	expect(t, FOUND(ACCEPT_QUEUE_FULL));
	pause_ms(t, 1);
	nothing(t);
}

/* The SYN-ACKs were lost, three times, and then one was acknowledged. */
static void accept_queue_not_lost_synacks(struct talk *t)
{
	says(t, C, TH_SYN, 0);
	says(t, S, TH_SYN | TH_ACK, 0);
	pause_s(t, 1);
	synack_again(t);
	pause_s(t, 2);
	synack_again(t);
	pause_s(t, 4);
	synack_again(t);
	says(t, C, TH_ACK, 0);
	nothing(t);
	pause_s(t, 1);
	nothing(t);
}

/* ---- D2b ---- */
static void dead_peer_data(struct talk *t)
{
	opened(t);
	says(t, S, TH_ACK, 0);
	says(t, C, DATA, 50);
	repeats(t, 4, 40000);
	nothing(t); /* four */
	pause_ms(t, 400);
	again(t, C, DATA, 50);
	expect(t, FOUND(DEAD_PEER));
	pause_s(t, 299);
	expect(t, FOUND(DEAD_PEER));
	says(t, S, TH_ACK, 0);
	nothing(t);
}

static void dead_peer_silence(struct talk *t)
{
	opened(t);
	says(t, S, TH_ACK, 0);
	says(t, C, DATA, 50);
	repeats(t, 5, 29999);
	nothing(t);
	pause_ms(t, 1);
	expect(t, FOUND(DEAD_PEER)); /* though the next try may be half a minute away: RFC 6298 doubles the time */
	pause_ms(t, 400);
	again(t, C, DATA, 50);
	expect(t, FOUND(DEAD_PEER));
	pause_s(t, 300);
	nothing(t); /* the other end has given up too */
}

/* It was bad once, has been idle since, and now there is new data: in flight, not unanswered. */
static void dead_peer_not_idle(struct talk *t)
{
	opened(t);
	says(t, C, DATA, 50);
	repeats(t, 9, 25000);
	says(t, S, TH_ACK, 0);
	pause_s(t, 100);
	says(t, C, DATA, 50);
	nothing(t);
	says_fast(t, S, 10);
	pause_s(t, 100);
	says_fast(t, C, 50);
	nothing(t);
}

/* Acknowledged by a segment of the fast path, which knows nothing of all this. */
static void dead_peer_answers_fast(struct talk *t)
{
	opened(t);
	says(t, S, TH_ACK, 0);
	says(t, C, DATA, 50);
	repeats(t, 6, 31000);
	expect(t, FOUND(DEAD_PEER));
	assert_true(t->flow.phase & PHASE_WATCH);
	says_fast(t, S, 10);
	nothing(t);
}

/* A burst of repetitions is one attempt. */
static void dead_peer_not_burst(struct talk *t)
{
	int i;

	opened(t);
	says(t, S, TH_ACK, 0);
	pause_s(t, 31);
	says(t, C, DATA, 50);
	pause_ms(t, 300);
	for (i = 0; i < 9; i++) {
		again(t, C, DATA, 50);
		pause_ms(t, 2);
	}
	nothing(t);
}

static void dead_peer_probes(struct talk *t)
{
	opened(t);
	says(t, S, TH_ACK, 0);
	pause_s(t, 75);
	probe(t, C);
	pause_s(t, 75);
	probe(t, C);
	nothing(t);
	pause_s(t, 75);
	probe(t, C);
	expect(t, FOUND(DEAD_PEER));
	segment(t, C, TH_RST | TH_ACK, t->nxt[C], t->ack[C], 0);
	nothing(t); /* given up */
}

static void dead_peer_probes_answered(struct talk *t)
{
	int i;

	opened(t);
	for (i = 0; i < 20; i++) {
		pause_s(t, 75);
		probe(t, C);
		nothing(t);
		if (i % 2)
			says(t, S, TH_ACK, 0);
		else
			says_fast(t, S, 0);
		nothing(t);
	}
}

/* Three in a second are three, but not silence. */
static void dead_peer_probes_fast(struct talk *t)
{
	int i;

	opened(t);
	says(t, S, TH_ACK, 0);
	for (i = 0; i < 3; i++) {
		pause_ms(t, 300);
		probe(t, C);
	}
	nothing(t);
}

/* Only the direction of the probes passes here. */
static void dead_peer_not_one_way(struct talk *t)
{
	int i;

	t->ack[C] = 5001;
	says(t, C, DATA, 100);
	for (i = 0; i < 9; i++) {
		pause_s(t, 75);
		probe(t, C);
		again(t, C, DATA, 100);
		expect(t, sweep(t) & FOUND(RETRANSMISSION));
	}
}

/* A window that was shut, and then the end that shut it died. */
static void dead_peer_window_probes(struct talk *t)
{
	opened(t);
	t->win[S] = 0;
	says(t, S, TH_ACK, 0);
	pause_s(t, 10);
	probe(t, C);
	pause_s(t, 10);
	probe(t, C);
	pause_s(t, 10);
	nothing(t);
	probe(t, C);
	expect(t, FOUND(DEAD_PEER));
}

/* T27: a host that has lost the connection */
static void dead_peer_no_tcb(struct talk *t)
{
	opened(t);
	pause_ms(t, 1001);
	says(t, S, DATA, 10);
	segment(t, C, TH_RST, t->nxt[C], 0, 0);
	expect(t, FOUND(DEAD_PEER));
	pause_s(t, 9);
	expect(t, FOUND(DEAD_PEER));
	pause_s(t, 1);
	assert_false(t->live);
}

static void dead_peer_no_tcb_not(struct talk *t)
{
	opened(t);
	pause_s(t, 1);
	says(t, S, DATA, 10);
	segment(t, C, TH_RST, t->nxt[C], 0, 0); /* it spoke a second ago: an application that went away */
	nothing(t);

	talk_begin(t, t->client);
	opened(t);
	pause_s(t, 5);
	says(t, S, DATA, 10);
	segment(t, C, TH_RST | TH_ACK, t->nxt[C], t->ack[C], 0); /* an abort */
	nothing(t);

	talk_begin(t, t->client);
	opened(t);
	says(t, C, FIN, 0);
	says(t, S, TH_ACK, 0);
	pause_s(t, 5);
	says(t, S, DATA, 10);
	segment(t, C, TH_RST, t->nxt[C], 0, 0); /* it had closed: no process waits for the data */
	nothing(t);
}

/* Figure 9: the client has restarted, and its SYN finds the old connection */
static void dead_peer_discovered(struct talk *t)
{
	opened(t);
	pause_s(t, 100);
	segment(t, C, TH_SYN, 900000, 0, 0);
	nothing(t);
	says(t, S, TH_ACK, 0);
	rst(t, C, 0);
	expect(t, FOUND(DEAD_PEER));
	segment(t, C, TH_SYN, 900000, 0, 0);
	t->nxt[C] = t->ack[S] = 900001;
	t->nxt[S] = 77000;
	says(t, S, TH_SYN | TH_ACK, 0);
	says(t, C, TH_ACK, 0);
	says(t, S, DATA, 10);
	expect(t, FOUND(DEAD_PEER));
	pause_s(t, 20);
	nothing(t); /* the new connection is well */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(stale_syn),
		CASE(stale_syn_refused),
		CASE(stale_syn_at_rest),
		CASE(half_open),
		CASE(half_open_repeats),
		CASE(accept_queue_full),
		CASE(accept_queue_quiet),
		CASE(accept_queue_not_lost_synacks),
		CASE(dead_peer_data),
		CASE(dead_peer_silence),
		CASE(dead_peer_not_idle),
		CASE(dead_peer_answers_fast),
		CASE(dead_peer_not_burst),
		CASE(dead_peer_probes),
		CASE(dead_peer_probes_answered),
		CASE(dead_peer_probes_fast),
		CASE(dead_peer_not_one_way),
		CASE(dead_peer_window_probes),
		CASE(dead_peer_no_tcb),
		CASE(dead_peer_no_tcb_not),
		CASE(dead_peer_discovered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
