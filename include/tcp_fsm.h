/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * RFC 9293 section 3.3.2, Figure 5, as a table: rows are states, columns are what happens at that endpoint.
 *
 * An observer sees segments, not calls: "SND_SYN" is Figure 5's active OPEN, "SND_FIN" its CLOSE. The last four columns
 * are not in Figure 5. They take back what was only presumed (a segment sent again proves that the answer was lost)
 * or enter a connection whose beginning was not seen. 0 (NO_STATE): no such edge, the state stays.
 */
#ifndef TCP_FSM_H
#define TCP_FSM_H

#include "tcpward.h"

/* X(event, what happened at the endpoint) */
#define TCP_EVENTS(X)                                                                                                  \
	X(SND_SYN, "sent a SYN (active OPEN)")                                                                         \
	X(RCV_SYN, "received a SYN while its own is on the way (simultaneous open)")                                   \
	X(SND_SYNACK, "answered a SYN")                                                                                \
	X(RCV_SYNACK, "received an acceptable SYN-ACK")                                                                \
	X(RCV_ACK_OF_SYN, "its SYN was acknowledged")                                                                  \
	X(SND_FIN, "sent a FIN (CLOSE)")                                                                               \
	X(RCV_FIN, "received a FIN, all data before it too")                                                           \
	X(RCV_ACK_OF_FIN, "its FIN was acknowledged")                                                                  \
	X(RST, "sent, or received, an acceptable RST")                                                                 \
	X(TIMEOUT_2MSL, "2MSL passed")                                                                                 \
	X(AGAIN_SYN, "sent its SYN again: the SYN-ACK was lost")                                                       \
	X(AGAIN_SYNACK, "sent its SYN-ACK again: the ACK was lost, or the accept queue is full")                       \
	X(AGAIN_FIN, "sent its FIN again: the ACK of it was lost")                                                     \
	X(MET_OPEN, "seen exchanging data: its handshake was missed")

enum tcp_event {
#define X(id, text) TCP_##id,
	TCP_EVENTS(X)
#undef X
	TCP_EVENT_COUNT
};

#define TCP_FSM_ROWS 16 /* powers of two, so that an index can be masked */
#define TCP_FSM_COLUMNS 16

static const __u8 tcp_fsm[TCP_FSM_ROWS][TCP_FSM_COLUMNS] __attribute__((unused)) = {
	[NO_STATE] = {[TCP_SND_SYN] = SYN_SENT, [TCP_SND_SYNACK] = SYN_RECEIVED, [TCP_MET_OPEN] = ESTABLISHED},
	[CLOSED] = {[TCP_SND_SYN] = SYN_SENT, [TCP_SND_SYNACK] = SYN_RECEIVED, [TCP_RCV_SYN] = SYN_RECEIVED,
		    [TCP_AGAIN_FIN] = LAST_ACK, /* its peer did not get the last FIN: RFC 9293 section 3.10.8 */
		    [TCP_MET_OPEN] = ESTABLISHED},
	[LISTEN] = {[TCP_SND_SYN] = SYN_SENT, [TCP_SND_SYNACK] = SYN_RECEIVED, [TCP_RCV_SYN] = SYN_RECEIVED,
		    [TCP_MET_OPEN] = ESTABLISHED, [TCP_RST] = LISTEN},
	[SYN_SENT] = {[TCP_RCV_SYN] = SYN_RECEIVED, [TCP_RCV_SYNACK] = ESTABLISHED, [TCP_RST] = CLOSED,
		      [TCP_AGAIN_SYN] = SYN_SENT, [TCP_MET_OPEN] = ESTABLISHED},
	[SYN_RECEIVED] = {[TCP_RCV_ACK_OF_SYN] = ESTABLISHED, [TCP_SND_FIN] = FIN_WAIT_1, [TCP_RST] = CLOSED,
			  [TCP_AGAIN_SYNACK] = SYN_RECEIVED, [TCP_MET_OPEN] = ESTABLISHED},
	[ESTABLISHED] = {[TCP_SND_FIN] = FIN_WAIT_1, [TCP_RCV_FIN] = CLOSE_WAIT, [TCP_RST] = CLOSED,
			 [TCP_AGAIN_SYN] = SYN_SENT, [TCP_AGAIN_SYNACK] = SYN_RECEIVED},
	[FIN_WAIT_1] = {[TCP_RCV_ACK_OF_FIN] = FIN_WAIT_2, [TCP_RCV_FIN] = CLOSING, [TCP_RST] = CLOSED,
			[TCP_AGAIN_FIN] = FIN_WAIT_1},
	[FIN_WAIT_2] = {[TCP_RCV_FIN] = TIME_WAIT, [TCP_RST] = CLOSED, [TCP_AGAIN_FIN] = FIN_WAIT_1},
	[CLOSE_WAIT] = {[TCP_SND_FIN] = LAST_ACK, [TCP_RST] = CLOSED},
	[CLOSING] = {[TCP_RCV_ACK_OF_FIN] = TIME_WAIT, [TCP_RST] = CLOSED, [TCP_AGAIN_FIN] = CLOSING},
	[LAST_ACK] = {[TCP_RCV_ACK_OF_FIN] = CLOSED, [TCP_RST] = CLOSED, [TCP_AGAIN_FIN] = LAST_ACK},
	[TIME_WAIT] = {[TCP_TIMEOUT_2MSL] = CLOSED, [TCP_RST] = CLOSED,
		       [TCP_AGAIN_FIN] = FIN_WAIT_1}, /* after a simultaneous close CLOSING: see tcp_judge_fin() */
};

_Static_assert(TCP_EVENT_COUNT <= TCP_FSM_COLUMNS, "every event has its column");
_Static_assert(STATE_COUNT <= TCP_FSM_ROWS, "every state has its row");

/* The state after an event; the same state where Figure 5 has no such edge. */
static __always_inline __u8 tcp_next(__u8 state, enum tcp_event event)
{
	__u32 row = state;
	__u8 next;

	asm volatile("" : "+r"(row)); /* or the compiler drops the mask that the verifier wants to see */
	next = tcp_fsm[row & (TCP_FSM_ROWS - 1)][event & (TCP_FSM_COLUMNS - 1)];
	return next ? next : state;
}

/* GONE: nothing is there (any more), as far as can be seen. */
static __always_inline int tcp_gone(__u8 state)
{
	return state <= LISTEN;
}

/* ---- the edges of RFC 9293 Figure 5, and those that only an observer sees ---- */
#define WARD_EDGE_KINDS(X)                                                                                             \
	X(FIGURE, "figure-5", "in Figure 5")                                                                           \
	X(CUT, "cut", "by a RST, or a time-out")                                                                       \
	X(MET, "met", "met mid-way: the segments before were not seen")                                                \
	X(BACK, "back", "taken back: a segment sent again proves that its answer was lost")

enum ward_edge_kind {
#define X(id, name, text) EDGE_KIND_##id,
	WARD_EDGE_KINDS(X)
#undef X
	EDGE_KIND_COUNT
};

/* X(FROM, TO, KIND, what the endpoint did). Rows of one FROM stand together. NO_STATE counts as CLOSED. */
#define WARD_EDGES(X)                                                                                                  \
	X(CLOSED, LISTEN, FIGURE, "a SYN was sent to it")                                                              \
	X(CLOSED, SYN_SENT, FIGURE, "sent a SYN")                                                                      \
	X(CLOSED, SYN_RECEIVED, MET, "sent a SYN-ACK; the SYN was not seen")                                           \
	X(CLOSED, ESTABLISHED, MET, "exchanges data; the handshake was not seen")                                      \
	X(CLOSED, LAST_ACK, BACK, "sent its FIN again")                                                                \
	X(LISTEN, SYN_SENT, FIGURE, "sent a SYN of its own")                                                           \
	X(LISTEN, SYN_RECEIVED, FIGURE, "answered a SYN")                                                              \
	X(LISTEN, ESTABLISHED, MET, "exchanges data; its SYN-ACK was not seen")                                        \
	X(LISTEN, CLOSED, FIGURE, "refused the SYN, or nothing was there")                                             \
	X(SYN_SENT, SYN_RECEIVED, FIGURE, "received a SYN: simultaneous open")                                         \
	X(SYN_SENT, ESTABLISHED, FIGURE, "received the SYN-ACK")                                                       \
	X(SYN_SENT, CLOSED, FIGURE, "was refused, or gave up")                                                         \
	X(SYN_RECEIVED, ESTABLISHED, FIGURE, "its SYN was acknowledged")                                               \
	X(SYN_RECEIVED, FIN_WAIT_1, FIGURE, "sent a FIN")                                                              \
	X(SYN_RECEIVED, LISTEN, FIGURE, "received a RST, as a listener")                                               \
	X(SYN_RECEIVED, CLOSED, CUT, "the handshake was not completed")                                                \
	X(ESTABLISHED, FIN_WAIT_1, FIGURE, "sent a FIN")                                                               \
	X(ESTABLISHED, CLOSE_WAIT, FIGURE, "received a FIN")                                                           \
	X(ESTABLISHED, SYN_SENT, BACK, "sent its SYN again")                                                           \
	X(ESTABLISHED, SYN_RECEIVED, BACK, "sent its SYN-ACK again")                                                   \
	X(ESTABLISHED, CLOSED, CUT, "was reset")                                                                       \
	X(FIN_WAIT_1, FIN_WAIT_2, FIGURE, "its FIN was acknowledged")                                                  \
	X(FIN_WAIT_1, CLOSING, FIGURE, "received a FIN: simultaneous close")                                           \
	X(FIN_WAIT_1, TIME_WAIT, FIGURE, "received a FIN that acknowledged its own")                                   \
	X(FIN_WAIT_1, CLOSED, CUT, "was reset, or gave up")                                                            \
	X(FIN_WAIT_2, TIME_WAIT, FIGURE, "received a FIN")                                                             \
	X(FIN_WAIT_2, FIN_WAIT_1, BACK, "sent its FIN again")                                                          \
	X(FIN_WAIT_2, CLOSED, CUT, "was reset, or gave up")                                                            \
	X(CLOSE_WAIT, LAST_ACK, FIGURE, "sent a FIN")                                                                  \
	X(CLOSE_WAIT, CLOSED, CUT, "was reset")                                                                        \
	X(CLOSING, TIME_WAIT, FIGURE, "its FIN was acknowledged")                                                      \
	X(CLOSING, CLOSED, CUT, "was reset, or gave up")                                                               \
	X(LAST_ACK, CLOSED, FIGURE, "its FIN was acknowledged")                                                        \
	X(TIME_WAIT, CLOSED, FIGURE, "2MSL passed, or a RST ended it")                                                 \
	X(TIME_WAIT, FIN_WAIT_1, BACK, "sent its FIN again")                                                           \
	X(TIME_WAIT, CLOSING, BACK, "sent its FIN again, after a simultaneous close")

enum ward_edge {
#define X(from, to, kind, text) EDGE_##from##_##to,
	WARD_EDGES(X)
#undef X
	EDGE_OTHER, /* several steps by one segment, as ESTABLISHED to LAST-ACK */
	EDGE_COUNT
};

/* Edges by the state left and the state entered, plus one; 0: none. */
static const __u8 tcp_edges[TCP_FSM_ROWS][TCP_FSM_ROWS] __attribute__((unused)) = {
#define X(from, to, kind, text) [from][to] = EDGE_##from##_##to + 1,
	WARD_EDGES(X)
#undef X
};

/* Which edge leads from one state to another: enum ward_edge; EDGE_COUNT where the state stays. */
static __always_inline __u32 tcp_edge(__u8 from, __u8 to)
{
	__u32 row = from == NO_STATE ? CLOSED : from, column = to == NO_STATE ? CLOSED : to;
	__u8 edge;

	if (row == column)
		return EDGE_COUNT;
	edge = tcp_edges[row & (TCP_FSM_ROWS - 1)][column & (TCP_FSM_ROWS - 1)];
	return edge ? edge - 1U : EDGE_OTHER;
}

#endif
