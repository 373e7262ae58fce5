/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* How a record may change by one segment, or by time. */
#ifndef FUZZ_EDGES_H
#define FUZZ_EDGES_H

#include "fuzz/fuzz.h"
#include "native/tracker.h"
#include "tcp_fsm.h"
#include "tcp_seq.h"

/* Several steps by one segment, each an edge of tcp_fsm.h: rows of docs/tracker.md. */
static const struct jump {
	enum tcp_state from, to;
	const char *rows;
} jumps[] = {
	{ SYN_SENT, FIN_WAIT_1, "O16, or after O4, with a FIN" },
	{ LISTEN, FIN_WAIT_1, "O17 with a FIN" },
	{ LISTEN, CLOSE_WAIT, "O16, then C1" },
	{ CLOSED, CLOSE_WAIT, "O17, then C1" },
	{ CLOSED, CLOSE_WAIT, "O17, then C1" },
	{ SYN_SENT, CLOSE_WAIT, "O20, then C1" },
	{ SYN_RECEIVED, CLOSE_WAIT, "O13, then C1" },
	{ CLOSE_WAIT, CLOSING, "C6: the two FINs crossed" },
};

static inline bool is_jump(__u8 from, __u8 to)
{
	for (unsigned i = 0; i < sizeof(jumps) / sizeof(*jumps); i++)
		if (jumps[i].from == from && jumps[i].to == to)
			return true;
	return false;
}

static inline const char *state_word(__u8 state)
{
	static const char *const names[] = {
#define X(id, name, text) [id] = #id,
		WARD_STATES(X)
#undef X
	};

	return state < STATE_COUNT ? names[state] : "?";
}

/* FUZZ_TRACE=1: what the script says, and what it comes to. */
static inline void trace(const struct tracker *t, const struct segment *seg)
{
	static int wanted = -1;
	const struct flow *f = &t->flow;

	if (wanted < 0)
		wanted = getenv("FUZZ_TRACE") != NULL;
	if (!wanted)
		return;
	fprintf(stderr, "%.6f %c bits %#x seq %u ack %u len %u win %u opts %#x: ", (double)(seg->now_ns % (100000 * NS_PER_S)) / 1e9,
		"AB"[seg->dir], seg->bits, seg->seq, seg->ack, seg->len, seg->win, seg->opts);
	for (int i = 0; t->alive && i < 2; i++)
		fprintf(stderr, "%s%s isn %u nxt %u ack %u redge %u fin %u known %#x; ", state_word(f->state[i]),
			f->known[i] & KNOWN_CONF ? "" : "?", f->isn[i], f->half[i].nxt, f->half[i].ack, f->half[i].redge, f->fin[i],
			f->known[i]);
	fprintf(stderr, "%sflags %#llx\n", t->alive ? "" : "no record, ", (unsigned long long)(f->flags & FLAGS_REPORTED));
}

static inline void check_record(const struct flow *f)
{
	int gone = tcp_gone(f->state[0]) && tcp_gone(f->state[1]);

	for (int i = 0; i < 2; i++) {
		__u8 known = f->known[i];

		MUST(f->state[i] < STATE_COUNT, "state %u", f->state[i]);
		MUST(!tcp_gone(f->state[i]) || (known & KNOWN_CONF), "%s? of %s", state_word(f->state[i]), i ? "B" : "A");
		MUST(!(known & KNOWN_HOLE) || f->contig[i] != f->half[i].nxt, "a hole of nothing");
		MUST(f->state[i] != TIME_WAIT || (known & KNOWN_FIN), "TIME-WAIT without a FIN");
	}
	MUST(f->end_reason == END_NONE || gone, "ended by reason %u in %s %s", f->end_reason, state_word(f->state[0]),
	     state_word(f->state[1]));
	MUST(f->orig <= 1, "orig %u", f->orig);
	for (int i = 0; i < HISTORY_LEN && f->history[i]; i++)
		MUST(strchr("SsHhAaDdFfRrIiQq", f->history[i]), "history letter %d", f->history[i]);
}

static inline void check_edge(const struct flow *was, const struct flow *f, int i, const struct segment *seg)
{
	__u8 from = was->state[i], to = f->state[i];

	/* O6: the answer to a SYN that stands, from anywhere: what was known of its sender was of nothing */
	if (to == SYN_RECEIVED && was->state[!i] == SYN_SENT && seg->dir == i && (seg->bits & (TH_SYN | TH_ACK)) == (TH_SYN | TH_ACK))
		return;
	MUST(tcp_edge(from, to) != EDGE_OTHER || is_jump(from, to), "no edge from %s to %s by bits %#x", state_word(from),
	     state_word(to), seg->bits);
}

/* The pair of a new object, sender and receiver. */
static inline void check_first(const struct flow *f, const struct tracker *t, const struct segment *seg)
{
	static const struct {
		enum tcp_state s, d;
	} firsts[] = {
		{ SYN_SENT, LISTEN },	       /* O1, N1, R12 */
		{ SYN_RECEIVED, SYN_SENT },    /* O15 */
		{ ESTABLISHED, ESTABLISHED },  /* O22 */
		{ FIN_WAIT_1, CLOSE_WAIT },    /* O22 with FIN */
		{ SYN_RECEIVED, ESTABLISHED }, /* N4 */
	};
	__u8 s = f->state[seg->dir], d = f->state[!seg->dir];
	bool found = false;

	for (unsigned i = 0; i < sizeof(firsts) / sizeof(*firsts); i++)
		found |= firsts[i].s == s && firsts[i].d == d;
	MUST(found, "a flow begins in %s %s by bits %#x", state_word(s), state_word(d), seg->bits);
	MUST(f->start_ns <= seg->now_ns && seg->now_ns - f->start_ns <= t->opts.timeout_ns[TIMEOUT_PEND] + (2 << 20), "start_ns");
}

static inline void check_counts(const struct flow *was, const struct flow *f, const struct segment *seg)
{
	int s = seg->dir, d = !s;

	MUST(f->half[s].pkts == was->half[s].pkts + seg->segs && f->half[s].bytes == was->half[s].bytes + seg->len,
	     "the sender's packets and bytes");
	MUST(f->half[d].pkts == was->half[d].pkts && f->half[d].bytes == was->half[d].bytes, "the receiver's packets and bytes");
	MUST(f->half[s].last_ns == seg->now_ns && f->half[d].last_ns == was->half[d].last_ns, "last_ns");
	MUST(f->start_ns == was->start_ns && f->orig == was->orig, "start_ns, orig");
	for (int i = 0; i < 2; i++) {
		MUST(f->rtx[i] >= was->rtx[i] && f->rtx[i] <= f->half[i].pkts, "rtx %u of %llu", f->rtx[i],
		     (unsigned long long)f->half[i].pkts);
	}
	MUST(f->syn_rtx >= was->syn_rtx && f->synack_rtx >= was->synack_rtx && f->fin_rtx >= was->fin_rtx, "repetitions");
	MUST(!(was->flags & ~f->flags & FLAGS_REPORTED), "a flag went: %#llx",
	     (unsigned long long)(was->flags & ~f->flags & FLAGS_REPORTED));
	MUST(!strncmp(f->history, was->history, strnlen(was->history, HISTORY_LEN)), "history was rewritten");
}

/* 2^31 apart is neither before nor behind. */
static inline bool went_back(__u32 was, __u32 is)
{
	return seq_lt(is, was) && is - was != 1U << 31;
}

/* Numbers of one end go forward. anew: a SYN or SYN-ACK, or a first meeting, has set them. */
static inline void check_numbers(const struct flow *was, const struct tracker *t, int i, const struct segment *seg)
{
	const struct flow *f = &t->flow;
	__u8 known = was->known[i] & f->known[i];

	bool opens = seg->dir == i && (seg->bits & TH_SYN) && was->state[!i] == SYN_SENT; /* O6: from anywhere */

	if (f->isn[i] != was->isn[i] || was->state[i] <= LISTEN || opens)
		return; /* begun anew */
	/* O6: what stood in the SYN, or came before its answer (then that began anew), was not taken */
	if (seg->dir == i || !(seg->bits & TH_SYN) || (was->state[i] != SYN_SENT && was->isn[!i] == f->isn[!i]))
		MUST(!went_back(was->half[i].nxt, f->half[i].nxt), "nxt went back from %u to %u", was->half[i].nxt, f->half[i].nxt);
	if (f->isn[!i] != was->isn[!i])
		return; /* the other end's were begun anew */
	/* O7: of nothing; and what comes after that */
	if ((known & KNOWN_ACK) && !(t->j.flags & FLAG_BAD_SYNACK) && !(was->flags & tcp_mark_badack(i)))
		MUST(!went_back(was->half[i].ack, f->half[i].ack), "ack went back from %u to %u", was->half[i].ack, f->half[i].ack);
	if (known & KNOWN_REDGE)
		MUST(!went_back(was->half[i].redge, f->half[i].redge), "redge went back from %u to %u", was->half[i].redge,
		     f->half[i].redge);
}

/* No end has acknowledged what the other one has not sent: whatever comes in order would be old. */
static inline void check_acks(const struct flow *f, int i)
{
	if ((f->known[i] & KNOWN_ACK) && f->state[!i] >= ESTABLISHED && !tcp_gone(f->state[!i]))
		MUST(!seq_lt(f->half[!i].nxt, f->half[i].ack), "%u acknowledged, %u sent", f->half[i].ack, f->half[!i].nxt);
}

/* was: NULL if there was no record */
static inline void check_moves(const struct flow *was, const struct tracker *t, const struct segment *seg)
{
	const struct flow *f = &t->flow;

	if (!t->alive) {
		MUST(!was, "a segment ended a record");
		return;
	}
	check_record(f);
	if (t->j.outcome == OUTCOME_NEW) {
		check_first(f, t, seg);
		return;
	}
	MUST(was && t->j.outcome == OUTCOME_UPDATE, "an update of nothing");
	check_edge(was, f, 0, seg);
	check_edge(was, f, 1, seg);
	check_counts(was, f, seg);
	check_numbers(was, t, 0, seg);
	check_numbers(was, t, 1, seg);
	check_acks(f, 0);
	check_acks(f, 1);
}

/* By time alone: 2MSL, and flags. */
static inline void check_timers(const struct flow *was, const struct flow *f)
{
	check_record(f);
	for (int i = 0; i < 2; i++) {
		MUST(f->state[i] == was->state[i] || (was->state[i] == TIME_WAIT && f->state[i] == CLOSED), "%s to %s by time",
		     state_word(was->state[i]), state_word(f->state[i]));
		MUST(!memcmp(&f->half[i], &was->half[i], sizeof(f->half[i])), "time moved a half");
	}
	MUST(!(was->flags & ~f->flags), "time took a flag");
}

#endif
