/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What is invalid: each kind, hit and near miss; a dropped segment moves nothing; guesses are held against nobody. */
#include <stdio.h>
#include <string.h>

#include "prog/enforce_rig.h"

#define C "10.0.0.1"
#define S "10.0.0.2"

static const char *const kind_names[] = {
#define X(id, name, text) name,
	WARD_INVALID(X)
#undef X
};

static void enforce_kind(struct rig *rig, int kind, const char *state_check)
{
	char yaml[300];

	snprintf(yaml, sizeof(yaml), "state-check: %s\nrules:\n  - {name: r, match: {invalid: %s}, action: drop}\n", state_check,
		 kind_names[kind]);
	enforce(rig, yaml);
}

/* The segment is dropped for this, and the record stays as it was, to the bit. */
static void hit(struct rig *rig, const struct talk *t, int who, uint8_t bits, uint32_t seq, uint32_t ack, uint32_t len, int kind)
{
	uint64_t before = drops_of(rig).dropped[DROP_OF_INVALID(kind)];
	struct flow was, is;
	bool known;

	memset(&was, 0, sizeof(was));
	memset(&is, 0, sizeof(is));
	known = record_of(rig, t, &was);
	rig->now_ns += MS;
	same(says_odd(rig, t, who, bits, seq, ack, len), 1);
	same(drops_of(rig).dropped[DROP_OF_INVALID(kind)], before + 1);
	same(record_of(rig, t, &is), known);
	check(!memcmp(&was, &is, sizeof(is)));
}

static void miss(struct rig *rig, const struct talk *t, int who, uint8_t bits, uint32_t seq, uint32_t ack, uint32_t len)
{
	rig->now_ns += MS;
	same(says_odd(rig, t, who, bits, seq, ack, len), 0);
}

static struct talk opened(struct rig *rig, uint16_t sport)
{
	struct talk t = talk_of(C, sport, S, 80);

	check(!opens(rig, &t));
	return t;
}

/* Both have closed, the client first: it is in TIME-WAIT. */
static struct talk closed(struct rig *rig, uint16_t sport)
{
	struct talk t = opened(rig, sport);

	same(says(rig, &t, CLIENT, TH_FIN | TH_ACK, 0), 0);
	same(says(rig, &t, SERVER, TH_ACK, 0), 0);
	same(says(rig, &t, SERVER, TH_FIN | TH_ACK, 0), 0);
	same(says(rig, &t, CLIENT, TH_ACK, 0), 0);
	return t;
}

/* A connection that is met mid-way: its numbers are guesses. */
static struct talk met(struct rig *rig, uint16_t sport)
{
	struct talk t = talk_of(C, sport, S, 80);

	same(says(rig, &t, CLIENT, TH_ACK, 10), 0);
	same(says(rig, &t, SERVER, TH_ACK, 10), 0);
	return t;
}

#define SEQ(who) (t.seq[who])

static void test_bad_flags(struct rig *rig)
{
	struct talk t;

	case_begin("policy: bad-flags: of a connection and of none; odd ones that may be are passed");
	enforce_kind(rig, INVALID_BAD_FLAGS, "off");
	t = opened(rig, 1);
	hit(rig, &t, CLIENT, TH_SYN | TH_FIN, SEQ(0), 0, 0, INVALID_BAD_FLAGS);
	hit(rig, &t, CLIENT, TH_SYN | TH_RST, SEQ(0), 0, 0, INVALID_BAD_FLAGS);
	hit(rig, &t, SERVER, 0, SEQ(1), 0, 0, INVALID_BAD_FLAGS);
	hit(rig, &t, SERVER, TH_FIN | TH_PSH | TH_URG, SEQ(1), 0, 0, INVALID_BAD_FLAGS);
	hit(rig, &t, CLIENT, TH_FIN | TH_RST | TH_ACK, SEQ(0), SEQ(1), 0, INVALID_BAD_FLAGS);
	miss(rig, &t, CLIENT, TH_ACK | TH_PSH | TH_URG, SEQ(0), SEQ(1), 0);
	miss(rig, &t, CLIENT, TH_FIN | TH_ACK | TH_PSH | TH_URG, SEQ(0), SEQ(1), 0);
	t = talk_of(C, 2, S, 80);
	hit(rig, &t, CLIENT, TH_SYN | TH_FIN, 1, 0, 0, INVALID_BAD_FLAGS);
	hit(rig, &t, CLIENT, 0, 1, 0, 0, INVALID_BAD_FLAGS);
	miss(rig, &t, CLIENT, TH_SYN | TH_PSH, 1, 0, 0);
	same(count_of(rig, SUBJECT_RULE(0)).hits, 7);
	enforce_nothing(rig);
	case_end();
}

static void test_no_flow(struct rig *rig)
{
	struct talk t = talk_of(C, 1, S, 80), u;

	case_begin("policy: no-flow: strict drops what begins no connection, loose learns it");
	enforce_kind(rig, INVALID_NO_FLOW, "strict");
	hit(rig, &t, CLIENT, TH_ACK, 1, 1, 0, INVALID_NO_FLOW);
	hit(rig, &t, CLIENT, TH_ACK | TH_PSH, 1, 1, 100, INVALID_NO_FLOW);
	hit(rig, &t, SERVER, TH_SYN | TH_ACK, 1, 1, 0, INVALID_NO_FLOW);
	hit(rig, &t, CLIENT, TH_FIN | TH_ACK, 1, 1, 0, INVALID_NO_FLOW);
	hit(rig, &t, CLIENT, TH_RST, 1, 0, 0, INVALID_NO_FLOW);
	u = opened(rig, 2); /* its SYN comes right after a stray segment */
	miss(rig, &u, CLIENT, TH_ACK, u.seq[0], u.seq[1], 5);
	hit(rig, &t, CLIENT, TH_ACK, 1, 1, 0, INVALID_NO_FLOW);
	miss(rig, &t, CLIENT, TH_SYN, 1, 0, 5); /* a SYN with data begins one too */
	enforce_nothing(rig);
	enforce_kind(rig, INVALID_NO_FLOW, "loose");
	hit(rig, &t, CLIENT, TH_RST, 1, 0, 0, INVALID_NO_FLOW);
	miss(rig, &t, CLIENT, TH_ACK, 1, 1, 0);
	enforce_nothing(rig);
	case_end();
}

static void test_out_of_state(struct rig *rig)
{
	struct talk t;

	case_begin("policy: out-of-state: data after its sender's FIN; not its repetition, nor the other end's data");
	enforce_kind(rig, INVALID_OUT_OF_STATE, "loose");
	t = opened(rig, 1);
	same(says(rig, &t, CLIENT, TH_FIN | TH_ACK, 5), 0);
	same(says(rig, &t, SERVER, TH_ACK, 0), 0);
	hit(rig, &t, CLIENT, TH_ACK, SEQ(0), SEQ(1), 20, INVALID_OUT_OF_STATE);
	miss(rig, &t, CLIENT, TH_FIN | TH_ACK, SEQ(0) - 6, SEQ(1), 5);
	miss(rig, &t, CLIENT, TH_ACK, SEQ(0), SEQ(1), 0);
	same(says(rig, &t, SERVER, TH_ACK, 100), 0); /* half-closed */
	enforce_nothing(rig);
	case_end();
}

static void test_out_of_window(struct rig *rig)
{
	struct talk t;

	case_begin("policy: out-of-window: one beyond the edge; keep-alives and repetitions pass");
	enforce_kind(rig, INVALID_OUT_OF_WINDOW, "loose");
	t = opened(rig, 1);
	hit(rig, &t, CLIENT, TH_ACK, SEQ(0) + 64241, SEQ(1), 0, INVALID_OUT_OF_WINDOW);
	hit(rig, &t, CLIENT, TH_ACK, SEQ(0) + 0x40000000, SEQ(1), 10, INVALID_OUT_OF_WINDOW);
	hit(rig, &t, SERVER, TH_ACK, SEQ(1) - 0x1000000, SEQ(0), 10, INVALID_OUT_OF_WINDOW);
	hit(rig, &t, CLIENT, TH_FIN | TH_ACK, SEQ(0) + 70000, SEQ(1), 0, INVALID_OUT_OF_WINDOW);
	miss(rig, &t, CLIENT, TH_ACK, SEQ(0) - 1, SEQ(1), 0);	/* keep-alive */
	miss(rig, &t, SERVER, TH_ACK, SEQ(1) - 1, SEQ(0), 1);	/* ... with a byte of garbage */
	miss(rig, &t, CLIENT, TH_ACK, SEQ(0) - 10, SEQ(1), 10); /* again */
	miss(rig, &t, CLIENT, TH_ACK, SEQ(0) + 64240, SEQ(1), 0);
	t = met(rig, 2);
	miss(rig, &t, CLIENT, TH_ACK, SEQ(0) + 0x40000000, SEQ(1), 10);
	enforce_nothing(rig);
	enforce_kind(rig, INVALID_OUT_OF_WINDOW, "strict");
	t = met(rig, 2);
	hit(rig, &t, CLIENT, TH_ACK, SEQ(0) + 0x40000000, SEQ(1), 10, INVALID_OUT_OF_WINDOW);
	enforce_nothing(rig);
	case_end();
}

static void test_rst_inexact(struct rig *rig)
{
	struct talk t;

	case_begin("policy: rst-inexact: one off, in the window and out of it; the exact one passes");
	enforce_kind(rig, INVALID_RST_INEXACT, "loose");
	t = opened(rig, 1);
	hit(rig, &t, CLIENT, TH_RST, SEQ(0) + 1, 0, 0, INVALID_RST_INEXACT);
	hit(rig, &t, CLIENT, TH_RST | TH_ACK, SEQ(0) + 1000, SEQ(1), 0, INVALID_RST_INEXACT);
	hit(rig, &t, SERVER, TH_RST, SEQ(1) + 0x10000000, 0, 0, INVALID_RST_INEXACT);
	miss(rig, &t, SERVER, TH_RST, SEQ(1), 0, 0);
	t = met(rig, 2);
	miss(rig, &t, CLIENT, TH_RST, SEQ(0) + 1, 0, 0);
	enforce_nothing(rig);
	enforce_kind(rig, INVALID_RST_INEXACT, "strict");
	t = met(rig, 2);
	hit(rig, &t, CLIENT, TH_RST, SEQ(0) + 1, 0, 0, INVALID_RST_INEXACT);
	enforce_nothing(rig);
	case_end();
}

static void test_syn_kinds(struct rig *rig)
{
	struct talk t;

	case_begin("policy: syn-in-connection, syn-data: not on TIME-WAIT, not a SYN sent again");
	enforce_kind(rig, INVALID_SYN_IN_CONN, "loose");
	t = opened(rig, 1);
	hit(rig, &t, CLIENT, TH_SYN, SEQ(0), 0, 0, INVALID_SYN_IN_CONN);
	hit(rig, &t, CLIENT, TH_SYN, 77, 0, 0, INVALID_SYN_IN_CONN);
	hit(rig, &t, SERVER, TH_SYN, 77, 0, 0, INVALID_SYN_IN_CONN);
	t = talk_of(C, 2, S, 80);
	miss(rig, &t, CLIENT, TH_SYN, 1000, 0, 0);
	miss(rig, &t, CLIENT, TH_SYN, 1000, 0, 0);
	miss(rig, &t, SERVER, TH_SYN | TH_ACK, 5000, 1001, 0);
	miss(rig, &t, CLIENT, TH_SYN, 1000, 0, 0);
	t = closed(rig, 3);
	miss(rig, &t, CLIENT, TH_SYN, SEQ(0) + 100000, 0, 0);
	enforce_nothing(rig);
	enforce_kind(rig, INVALID_SYN_DATA, "off");
	t = talk_of(C, 4, S, 80);
	hit(rig, &t, CLIENT, TH_SYN, 1, 0, 1, INVALID_SYN_DATA);
	miss(rig, &t, CLIENT, TH_SYN, 1, 0, 0);
	enforce_nothing(rig);
	case_end();
}

static void test_time_wait(struct rig *rig)
{
	struct talk t;
	int i;

	case_begin("policy: TIME-WAIT: its RSTs, FINs again and again, ACKs that restart it; what closes it passes");
	enforce_kind(rig, INVALID_RST_TIME_WAIT, "loose");
	t = closed(rig, 1);
	hit(rig, &t, SERVER, TH_RST, SEQ(1), 0, 0, INVALID_RST_TIME_WAIT);
	hit(rig, &t, SERVER, TH_RST | TH_ACK, SEQ(1) + 9, SEQ(0), 0, INVALID_RST_TIME_WAIT);
	t = opened(rig, 2);
	miss(rig, &t, SERVER, TH_RST, SEQ(1), 0, 0);
	enforce_nothing(rig);
	enforce_kind(rig, INVALID_FIN_TIME_WAIT, "loose");
	t = closed(rig, 1);
	for (i = 0; i < 3; i++) {
		rig->now_ns += SECOND;
		miss(rig, &t, SERVER, TH_FIN | TH_ACK, SEQ(1) - 1, SEQ(0), 0);
		miss(rig, &t, CLIENT, TH_ACK, SEQ(0), SEQ(1), 0);
	}
	hit(rig, &t, SERVER, TH_FIN | TH_ACK, SEQ(1) - 1, SEQ(0), 0, INVALID_FIN_TIME_WAIT);
	hit(rig, &t, SERVER, TH_FIN | TH_ACK, SEQ(1) - 1, SEQ(0), 0, INVALID_FIN_TIME_WAIT);
	enforce_nothing(rig);
	enforce_kind(rig, INVALID_ACK_TIME_WAIT, "loose");
	t = closed(rig, 1);
	for (i = 0; i < 6; i++) {
		rig->now_ns += 5 * SECOND;
		miss(rig, &t, SERVER, TH_ACK, SEQ(1), SEQ(0), 0);
	}
	hit(rig, &t, SERVER, TH_ACK, SEQ(1), SEQ(0), 0, INVALID_ACK_TIME_WAIT);
	t = opened(rig, 2);
	for (i = 0; i < 8; i++) {
		rig->now_ns += 5 * SECOND;
		miss(rig, &t, SERVER, TH_ACK, SEQ(1), SEQ(0), 0);
	}
	enforce_nothing(rig);
	case_end();
}

/* ---- what is not held against a segment ---- */
static void test_unconfirmed(struct rig *rig)
{
	struct talk t = talk_of(C, 1, S, 80);

	case_begin("policy: loose holds no state against a segment that nobody has confirmed");
	enforce_kind(rig, INVALID_OUT_OF_WINDOW, "loose");
	same(says(rig, &t, CLIENT, TH_SYN, 0), 0);
	same(says(rig, &t, SERVER, TH_SYN | TH_ACK, 0), 0);
	same(says(rig, &t, CLIENT, TH_ACK, 0), 0); /* the server is presumed to be open */
	miss(rig, &t, CLIENT, TH_ACK, SEQ(0) + 0x40000000, SEQ(1), 10);
	same(says(rig, &t, SERVER, TH_ACK, 10), 0);
	hit(rig, &t, CLIENT, TH_ACK, SEQ(0) + 0x40000000, SEQ(1), 10, INVALID_OUT_OF_WINDOW);
	enforce_nothing(rig);
	case_end();
}

static void test_losses(struct rig *rig)
{
	struct talk web = talk_of(C, 1, S, 80), other = talk_of(C, 1, S, 81);
	int i;

	case_begin("policy: while embryos are lost, no-flow spares services with a half-open limit");
	enforce(rig, "state-check: strict\n"
		     "services:\n  - {name: web, match: {dport: 80}, half-open: {max: 100000, then: drop}}\n"
		     "  - {name: rate, match: {dport: 81}, new: {rate: 1000000/s}}\n"
		     "rules:\n  - {name: r, match: {invalid: no-flow}, action: drop}\n");
	hit(rig, &web, CLIENT, TH_ACK, 1, 1, 0, INVALID_NO_FLOW);
	for (i = 0; i < 500; i++) /* into 64 places */
		same(syn_dropped(rig, "10.1.0.1", (uint16_t)(1000 + i), S, 80), 0);
	check(counter_of(rig, CNT_EVICT_SYN_SENT) > 0);
	hit(rig, &other, CLIENT, TH_ACK, 1, 1, 0, INVALID_NO_FLOW);
	miss(rig, &web, CLIENT, TH_ACK, 1, 1, 0);
	web.client.port = 2;
	rig->now_ns += 10 * SECOND;
	hit(rig, &web, CLIENT, TH_ACK, 1, 1, 0, INVALID_NO_FLOW);
	enforce_nothing(rig);
	case_end();
}

static void test_full(struct rig *rig)
{
	struct talk t, none = talk_of(C, 9, S, 80);

	case_begin("policy: while the table is nearly full, strict kinds are not enforced; others are");
	enforce(rig, "state-check: strict\nrules:\n"
		     "  - {name: r, match: {invalid: [no-flow, out-of-window, out-of-state, rst-inexact]}, action: drop}\n");
	t = opened(rig, 1);
	rig->w->control->fill_permille = 950;
	miss(rig, &t, CLIENT, TH_ACK, SEQ(0) + 0x40000000, SEQ(1), 10);
	hit(rig, &t, CLIENT, TH_RST, SEQ(0) + 1, 0, 0, INVALID_RST_INEXACT);
	miss(rig, &none, CLIENT, TH_RST, 1, 0, 0);
	rig->w->control->fill_permille = 949;
	hit(rig, &t, CLIENT, TH_ACK, SEQ(0) + 0x40000000, SEQ(1), 10, INVALID_OUT_OF_WINDOW);
	hit(rig, &none, CLIENT, TH_RST, 1, 0, 0, INVALID_NO_FLOW);
	enforce_nothing(rig);
	case_end();
}

/* Segments that are dropped take no place that another handshake has. */
static void test_no_place(struct rig *rig)
{
	struct talk t = talk_of(C, 1, S, 80), stray;
	uint64_t evicted, begun;
	struct flow f;
	int i;

	case_begin("policy: what is dropped takes no place and begins no flow");
	enforce(rig, "rules:\n  - {name: r, match: {saddr: 10.1.0.0/16}, action: drop}\n");
	same(says(rig, &t, CLIENT, TH_SYN, 0), 0);
	same(says(rig, &t, SERVER, TH_SYN | TH_ACK, 0), 0);
	begun = counter_of(rig, CNT_FLOWS_NEW);
	evicted = counter_of(rig, CNT_END_EVICTED);
	for (i = 0; i < 600; i++) {
		stray = talk_of("10.1.0.1", (uint16_t)(1000 + i), S, 80);
		same(says(rig, &stray, CLIENT, i % 3 ? TH_ACK : i % 2 ? TH_SYN : TH_SYN | TH_ACK, 0), 1);
	}
	same(counter_of(rig, CNT_END_EVICTED), evicted);
	same(counter_of(rig, CNT_FLOWS_NEW), begun);
	check(record_of(rig, &t, &f) && (f.state[0] == SYN_RECEIVED || f.state[1] == SYN_RECEIVED));
	for (i = 0; i < 600; i++) { /* control: those that pass do */
		stray = talk_of("10.2.0.1", (uint16_t)(1000 + i), S, 80);
		says(rig, &stray, CLIENT, TH_ACK, 0);
	}
	check(counter_of(rig, CNT_END_EVICTED) > evicted);
	enforce_nothing(rig);
	case_end();
}

int main(void)
{
	struct rig_options opt;
	struct rig rig;

	rig_options_init(&opt);
	rig_open(&rig, &opt);
	test_bad_flags(&rig);
	test_no_flow(&rig);
	test_out_of_state(&rig);
	test_out_of_window(&rig);
	test_rst_inexact(&rig);
	test_syn_kinds(&rig);
	test_time_wait(&rig);
	test_unconfirmed(&rig);
	test_losses(&rig);
	test_full(&rig);
	test_no_place(&rig);
	rig_close(&rig);
	return rig_result();
}
