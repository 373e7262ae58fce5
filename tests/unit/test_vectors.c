/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The tracker against the conformance vectors, natively: the state pair after every segment, then flags, conn_state and
 * history. The same sources run in the kernel: tests/prog/ sends the same vectors through the loaded programs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/vectors.h"
#include "report/report.h"
#include "tcp_commit.h"
#include "tcp_timer.h"
#include "tcp_track.h"

struct tracked {
	struct flow flow;
	bool live;
	uint64_t now_ns, flags; /* union over incarnations */
	struct track_opts opts;
	int client; /* side of the key */
	char last_conn_state[8], last_history[HISTORY_LEN + 1];
};

static void keep(struct tracked *t)
{
	if (!t->live)
		return;
	t->flags |= t->flow.flags & FLAGS_REPORTED;
	snprintf(t->last_conn_state, sizeof(t->last_conn_state), "%s", conn_state_name(&t->flow));
	snprintf(t->last_history, sizeof(t->last_history), "%.*s", HISTORY_LEN, t->flow.history);
}

static void run_timers(struct tracked *t)
{
	struct tcp_timer due;

	while (t->live) {
		tcp_timer_next(&t->flow, &t->opts, &due);
		if (due.at_ns > t->now_ns)
			break;
		if (due.kind == TIMER_FLAG) {
			t->flow.flags |= due.flag;
		} else if (due.kind == TIMER_STATE) {
			t->flow.state[due.side] = tcp_next(t->flow.state[due.side], TCP_TIMEOUT_2MSL);
			t->flow.known[due.side] |= KNOWN_CONF;
		} else {
			keep(t);
			t->live = false;
		}
	}
}

static void run_segment(struct tracked *t, const struct vector_step *st)
{
	struct segment seg = {.seq = st->seq, .ack = st->ack, .len = st->len, .win = st->win, .bits = st->bits,
			      .tsval = st->ts, .ws = st->ws, .now_ns = t->now_ns, .stamp_ns = (uint32_t)t->now_ns | 1, .segs = 1,
			      .vlan = VLAN_UNSEEN};
	struct tcp_judgement j;

	seg.opts = (st->has_ts ? SEG_TS : 0) | (st->has_ws ? SEG_WS : 0);
	seg.dir = st->from_client ? t->client : !t->client;
	memset(&j, 0xa5, sizeof(j));
	tcp_judge(t->live ? &t->flow : NULL, &seg, &t->opts, &j);
	if (j.outcome == OUTCOME_STRAY) {
		t->flags |= j.flags;
		return;
	}
	if (j.outcome == OUTCOME_NEW)
		keep(t);
	tcp_commit(&t->flow, &seg, &j);
	t->live = true;
}

/* Compares one end; 0 if it is as expected. */
static int differs(const struct tracked *t, const struct vector_step *st, int who)
{
	int side = who == 0 ? t->client : !t->client;
	uint8_t state = t->live ? t->flow.state[side] : NO_STATE;
	bool conf = t->live ? t->flow.known[side] & KNOWN_CONF : true;

	if (st->state[who] == VECTOR_EXPIRED)
		return t->live;
	if (tcp_gone(state))
		conf = true;
	return state != st->state[who] || conf != st->conf[who];
}

static const char *have(const struct tracked *t, int who, char buf[24])
{
	int side = who == 0 ? t->client : !t->client;

	if (!t->live)
		return "NONE";
	snprintf(buf, 24, "%s%s", vector_state_name(t->flow.state[side]),
		 t->flow.known[side] & KNOWN_CONF ? "" : "?");
	return buf;
}

/* Runs one trace with the client on side A or B; returns the number of differences, each printed. */
static int run_trace(const struct vector_trace *v, int client, int *pairs)
{
	struct tracked t = {.client = client, .now_ns = 1700000000ULL * NS_PER_S};
	char a[24], b[24], want[400], got[400];
	int i, bad = 0;

	track_opts_init(&t.opts);
	t.opts.rfc1337 = (uint8_t)v->rfc1337;
	t.opts.loose = (uint8_t)v->loose;
	t.opts.tap = (uint8_t)v->tap;
	t.opts.msl2_ns = v->msl2 * NS_PER_S;
	for (i = 0; i < v->count; i++) {
		const struct vector_step *st = &v->steps[i];

		if (st->wait)
			t.now_ns += st->wait_ns;
		run_timers(&t);
		if (!st->wait)
			run_segment(&t, st);
		*pairs += 1;
		if (differs(&t, st, 0) || differs(&t, st, 1)) {
			print_error("%s line %d: want %s%s %s%s, have %s %s\n", v->id, st->line,
				    vector_state_name(st->state[0]), st->conf[0] ? "" : "?",
				    vector_state_name(st->state[1]), st->conf[1] ? "" : "?", have(&t, 0, a), have(&t, 1, b));
			bad++;
		}
	}
	keep(&t);
	if (!t.last_conn_state[0])
		strcpy(t.last_conn_state, "OTH");
	if (t.flags != v->flags) {
		print_error("%s: want flags %s, have %s\n", v->id, vector_flags_text(v->flags, want, sizeof(want)),
			    vector_flags_text(t.flags, got, sizeof(got)));
		bad++;
	}
	if (strcmp(t.last_conn_state, v->conn_state)) {
		print_error("%s: want conn_state %s, have %s\n", v->id, v->conn_state, t.last_conn_state);
		bad++;
	}
	if (v->history[0] && strcmp(t.last_history, v->history)) {
		print_error("%s: want history %s, have %s\n", v->id, v->history, t.last_history);
		bad++;
	}
	return bad;
}

static void run_file(const char *path)
{
	struct vector_trace *v;
	int i, count = vectors_read(path, &v), bad = 0, pairs = 0;

	assert_true(count > 0);
	for (i = 0; i < count; i++) {
		bad += run_trace(&v[i], 0, &pairs);
		bad += run_trace(&v[i], 1, &pairs);
	}
	print_message("%s: %d traces, %d state pairs (client on either side of the key), %d differences\n", path, count,
		      pairs, bad);
	for (i = 0; i < count; i++)
		free(v[i].steps);
	free(v);
	assert_int_equal(bad, 0);
}

static void conformance_vectors(void **state)
{
	(void)state;
	run_file("tests/vectors/tcp-conformance.txt");
}

static void own_vectors(void **state)
{
	(void)state;
	run_file("tests/vectors/tcpward.txt");
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(conformance_vectors), cmocka_unit_test(own_vectors)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
