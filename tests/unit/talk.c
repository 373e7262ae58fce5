/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <string.h>

#include "tcp_commit.h"
#include "tcp_track.h"

#include "talk.h"

int side_of(const struct talk *t, enum who who)
{
	return who == C ? t->client : !t->client;
}

void talk_begin(struct talk *t, int client)
{
	memset(t, 0, sizeof(*t));
	t->client = client;
	t->now_ns = 1700000000ULL * NS_PER_S;
	track_opts_init(&t->track);
	detect_opts_init(&t->detect);
	t->nxt[C] = 1000;
	t->nxt[S] = 5000;
	t->win[C] = t->win[S] = 64240;
}

static void run_timers(struct talk *t)
{
	struct tcp_timer due;

	while (t->live) {
		tcp_timer_next(&t->flow, &t->track, &due);
		if (due.at_ns > t->now_ns)
			break;
		if (due.kind == TIMER_FLAG) {
			t->flow.flags |= due.flag;
		} else if (due.kind == TIMER_STATE) {
			t->flow.state[due.side] = tcp_next(t->flow.state[due.side], TCP_TIMEOUT_2MSL);
			t->flow.known[due.side] |= KNOWN_CONF;
			t->flow.since_ns[due.side] = due.at_ns;
		} else {
			t->live = false;
		}
	}
}

void pause_ms(struct talk *t, uint64_t ms)
{
	t->now_ns += ms * 1000000;
	run_timers(t);
}

void pause_s(struct talk *t, uint64_t s)
{
	pause_ms(t, s * 1000);
}

void segment(struct talk *t, enum who who, uint8_t bits, uint32_t seq, uint32_t ack, uint32_t len)
{
	struct segment seg = {.seq = seq, .ack = bits & TH_ACK ? ack : 0, .len = len, .win = t->win[who], .bits = bits,
			      .now_ns = t->now_ns, .segs = 1, .vlan = VLAN_UNSEEN};
	struct tcp_judgement j;

	seg.dir = (uint8_t)side_of(t, who);
	run_timers(t);
	memset(&j, 0xa5, sizeof(j));
	tcp_judge(t->live ? &t->flow : NULL, &seg, &t->track, &j);
	if (j.outcome == OUTCOME_STRAY)
		return;
	tcp_commit(&t->flow, &seg, &j);
	t->live = true;
}

void says(struct talk *t, enum who who, uint8_t bits, uint32_t len)
{
	segment(t, who, bits, t->nxt[who], t->ack[who], len);
	t->nxt[who] += len + !!(bits & TH_SYN) + !!(bits & TH_FIN);
	t->ack[!who] = t->nxt[who];
}

void again(struct talk *t, enum who who, uint8_t bits, uint32_t len)
{
	segment(t, who, bits, t->nxt[who] - len - !!(bits & TH_FIN), t->ack[who], len);
}

void synack_again(struct talk *t)
{
	segment(t, S, TH_SYN | TH_ACK, t->nxt[S] - 1, t->ack[S], 0);
}

void probe(struct talk *t, enum who who)
{
	segment(t, who, TH_ACK, t->nxt[who] - 1, t->ack[who], 0);
}

void rst(struct talk *t, enum who who, uint32_t beyond)
{
	segment(t, who, TH_RST, t->nxt[who] + beyond, 0, 0);
}

void says_fast(struct talk *t, enum who who, uint32_t len)
{
	int i = side_of(t, who);
	struct flow_half *h = &t->flow.half[i];

	t->nxt[who] += len;
	t->ack[!who] = t->nxt[who];
	h->nxt = t->nxt[who];
	h->ack = t->ack[who];
	h->last_ns = t->now_ns;
	h->pkts++;
	h->bytes += len;
	t->flow.win[i] = t->win[who];
	t->flow.prev = tcp_prev_pack(t->ack[who], 1, i);
}

void repeats(struct talk *t, int n, uint64_t after_ms)
{
	while (n--) {
		pause_ms(t, n ? 400 : after_ms);
		after_ms -= 400;
		again(t, C, DATA, 50);
	}
}

void handshake(struct talk *t)
{
	says(t, C, TH_SYN, 0);
	says(t, S, TH_SYN | TH_ACK, 0);
	says(t, C, TH_ACK, 0);
}

void opened(struct talk *t)
{
	handshake(t);
	says(t, C, DATA, 100);
	says(t, S, DATA, 200);
	says(t, C, TH_ACK, 0);
}

void closed(struct talk *t)
{
	opened(t);
	says(t, S, FIN, 0);
	says(t, C, FIN, 0);
	says(t, S, TH_ACK, 0);
}

uint64_t sweep(struct talk *t)
{
	run_timers(t);
	if (!t->live)
		return 0;
	if (flow_shut_changed(&t->flow))
		flow_shut_update(&t->flow, t->now_ns);
	return flow_findings(&t->flow, &t->detect, &t->track, t->now_ns);
}

void expect_at(struct talk *t, uint64_t want, const char *file, int line)
{
	static const char *const names[] = {
#define X(id, name, severity, detector, title) name,
		WARD_FINDINGS(X)
#undef X
	};
	uint64_t have = sweep(t);
	int i;

	for (i = 0; i < FINDING_COUNT; i++)
		if ((have ^ want) >> i & 1)
			print_error("%s:%d: %s %s\n", file, line, names[i], have >> i & 1 ? "found" : "not found");
	if (have != want)
		fail();
}

void talk_run(void **state)
{
	talk_case run = *(talk_case *)state;
	struct talk t;
	int client;

	for (client = 0; client < 2; client++) {
		talk_begin(&t, client);
		run(&t);
	}
}
