/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What a user may set of the tracker, and its time-outs. */
#ifndef TCP_OPTS_H
#define TCP_OPTS_H

#include "tcpward.h"

#define NS_PER_S 1000000000ULL
#define TAP_REORDER_NS 3000000ULL

/* X(NAME, name, seconds, meaning): idle time-outs of a record; of its two states the first row that fits decides */
#define WARD_TIMEOUTS(X)                                                                                               \
	X(GONE, "closed", 10, "both ends gone: tombstone, so that late segments do not revive the flow")               \
	X(TIME_WAIT, "time-wait", 60, "at least 2MSL")                                                                 \
	X(SYN_SENT, "syn-sent", 135, "Linux gives up after 131 to 133 s")                                              \
	X(SYN_RECEIVED, "syn-received", 70, "Linux gives up after 63 s")                                               \
	X(LAST_ACK, "last-ack", 120, "LAST-ACK or CLOSING: an orphan gives up after 110 s")                            \
	X(FIN_WAIT_1, "fin-wait-1", 120, "an orphan gives up after 105 s")                                             \
	X(FIN_WAIT_2, "fin-wait-2", 3600, "FIN-WAIT-2 or CLOSE-WAIT: Linux sets no limit while an application owns it") \
	X(ESTABLISHED, "established", 86400, "")                                                                       \
	X(STALE_SYN, "stale-syn", 10, "a SYN unanswered for so long is flagged STALE_SYN")                             \
	X(EMBRYO, "half-open", 10, "a handshake half done for so long is flagged HALFOPEN_EMB")                        \
	X(FW2_HANG, "fin-wait-2-hang", 60, "idle in FIN-WAIT-2 for so long is flagged FW2_HANG")                       \
	X(CW_LEAK, "close-wait-leak", 60, "idle in CLOSE-WAIT for so long is flagged CW_LEAK")                         \
	X(PEND, "pending-syn", 10, "a SYN on an open connection is remembered for so long")

enum ward_timeout {
#define X(id, name, seconds, text) TIMEOUT_##id,
	WARD_TIMEOUTS(X)
#undef X
	TIMEOUT_COUNT
};

struct track_opts {
	__u64 timeout_ns[TIMEOUT_COUNT];
	__u64 msl2_ns;  /* twice the MSL */
	__u64 reorder_ns; /* with tap: the mirror swaps the two directions within so much; not less than the clock's tick */
	__u8 rfc1337;   /* a RST does not end TIME-WAIT */
	__u8 loose;     /* pick up connections mid-stream */
	__u8 tap;       /* a lossy mirror: believe acks of unseen data, allow for swapped directions */
	__u8 pad[5];
};

/* Linux's behaviour: MSL 30 s, mid-stream pick-up, no tap. */
static inline void track_opts_init(struct track_opts *o)
{
	static const __u32 seconds[] = {
#define X(id, name, s, text) [TIMEOUT_##id] = s,
		WARD_TIMEOUTS(X)
#undef X
	};
	int i;

	for (i = 0; i < TIMEOUT_COUNT; i++)
		o->timeout_ns[i] = seconds[i] * NS_PER_S;
	o->msl2_ns = 60 * NS_PER_S;
	o->reorder_ns = TAP_REORDER_NS;
	o->rfc1337 = 0;
	o->loose = 1;
	o->tap = 0;
}

#endif
