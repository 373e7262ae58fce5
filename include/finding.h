/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Findings: what may be found, by which numbers, and how a finding stands in the pinned map "findings". Lists only; who
 * counts is include/account.h and bpf/, who decides is user/detect/.
 */
#ifndef FINDING_H
#define FINDING_H

#include "tcpward.h"

/*
 * X(ID, name, severity, detector, title): the position is the bit in flow_hit.mask and the number in struct finding.
 * Severity is the usual one; an evaluation may raise it.
 */
#define WARD_FINDINGS(X)                                                                                               \
	X(STALE_SYN, "stale-syn", INFO, "D1", "SYNs that nothing answers")                                             \
	X(HALF_OPEN, "half-open", WARNING, "D2a", "handshakes that stay half done")                                    \
	X(SYN_FLOOD, "syn-flood", CRITICAL, "D2a", "a service flooded with SYNs")                                      \
	X(ACCEPT_QUEUE_FULL, "accept-queue-full", WARNING, "T61", "the application does not accept: looks half-open, is not") \
	X(DEAD_PEER, "dead-peer", WARNING, "D2b", "one end has gone and the other does not know")                      \
	X(TIME_WAIT_BUILDUP, "time-wait-buildup", INFO, "D3a", "many connections of one client in TIME-WAIT")          \
	X(TIME_WAIT_REUSE, "time-wait-reuse", INFO, "D3b", "ports used again within 2MSL")                             \
	X(TIME_WAIT_ASSASSINATION, "time-wait-assassination", WARNING, "D3c", "RSTs that end TIME-WAIT early")         \
	X(FIN_STORM, "fin-storm", WARNING, "D3d", "FINs sent again and again")                                         \
	X(TIME_WAIT_PINNING, "time-wait-pinning", WARNING, "D3e", "TIME-WAIT restarted again and again")               \
	X(PORT_EXHAUSTION, "port-exhaustion", WARNING, "D3f", "a client runs out of local ports to one service")       \
	X(CLOSE_WAIT_LEAK, "close-wait-leak", INFO, "D4", "an application that does not close")                        \
	X(FIN_WAIT_2_HANG, "fin-wait-2-hang", INFO, "D5", "a peer that never sends its FIN")                           \
	X(LAST_ACK_FLOOD, "last-ack-flood", WARNING, "D6", "many closes whose last ACK does not come")                 \
	X(BACKSCATTER, "backscatter", WARNING, "D7", "SYN-ACKs for SYNs that were never sent: somebody spoofs this address") \
	X(REFLECTION, "reflection", WARNING, "D7", "SYN-ACKs to an address that never asked for them")                 \
	X(OUT_OF_STATE_FLOOD, "out-of-state-flood", WARNING, "D8", "many segments that fit no connection")             \
	X(BAD_FLAGS, "bad-flags", WARNING, "D9", "impossible combinations of control bits")                            \
	X(PORT_SCAN, "port-scan", WARNING, "D10", "many targets tried, few that answer")                               \
	X(ZERO_WINDOW, "zero-window", WARNING, "D11", "a receiver that keeps its window shut")                         \
	X(RST_INJECTION, "rst-injection", WARNING, "D12", "RSTs that did not come from the peer")                      \
	X(SYN_INJECTION, "syn-injection", WARNING, "D13", "a SYN into an open connection that its peer did not send")  \
	X(RETRANSMISSION, "retransmission", INFO, "D14", "much is sent again")                                         \
	X(ABORT_RATE, "abort-rate", INFO, "D15", "more connections reset than closed")                                 \
	X(SYN_DATA, "syn-data", WARNING, "D16", "data in SYNs that is not accepted")

enum finding_kind {
#define X(id, name, severity, detector, title) FINDING_##id,
	WARD_FINDINGS(X)
#undef X
	FINDING_COUNT
};

/* enum finding_kind as a bit */
#define FINDING_BIT(id) (1ULL << FINDING_##id)

#define WARD_SEVERITIES(X) X(INFO, "info") X(WARNING, "warning") X(CRITICAL, "critical")

enum finding_severity {
#define X(id, name) SEVERITY_##id,
	WARD_SEVERITIES(X)
#undef X
	SEVERITY_COUNT
};

/* X(ID, name): what a finding is about; its address stands in key.a_addr */
#define WARD_SUBJECTS(X)                                                                                               \
	X(FLOW, "flow")       /* key: the flow's; orig: its originator */                                              \
	X(SOURCE, "source")   /* key.a_addr; with key.b_addr, b_port: towards that service */                          \
	X(PREFIX, "prefix")   /* key.a_addr, prefix_len */                                                             \
	X(SERVICE, "service") /* key.a_addr, a_port */

enum finding_subject {
#define X(id, name) SUBJECT_##id,
	WARD_SUBJECTS(X)
#undef X
	SUBJECT_COUNT
};

enum param_unit { UNIT_COUNT, UNIT_TIME /* ns; given in seconds below */, UNIT_PERCENT };

/* X(FINDING, NAME, name, unit, default, meaning): set by --detect FINDING.NAME=VALUE */
#define WARD_PARAMS(X)                                                                                                 \
	X(STALE_SYN, AFTER, "after", TIME, 10, "so long without an answer")                                            \
	X(STALE_SYN, MANY, "many", COUNT, 100, "of one source in 10 s: a warning")                                      \
	X(HALF_OPEN, AFTER, "after", TIME, 10, "so long half done")                                                    \
	X(HALF_OPEN, REPEATS, "repeats", COUNT, 3, "SYN-ACKs sent again on that flow (at most 255)")                   \
	X(HALF_OPEN, MAX, "max", COUNT, 128, "of one source at once, whatever their age")                              \
	X(HALF_OPEN, COMPLETION, "completion", PERCENT, 30, "fewer of the source's handshakes complete")               \
	X(SYN_FLOOD, MIN, "min", COUNT, 128, "half-open at the service")                                               \
	X(SYN_FLOOD, COMPLETION, "completion", PERCENT, 30, "fewer of its handshakes complete in 10 s")                \
	X(ACCEPT_QUEUE_FULL, REPEATS, "repeats", COUNT, 2, "SYN-ACKs sent again after the handshake's ACK (at most 7)") \
	X(DEAD_PEER, SILENCE, "silence", TIME, 30, "nothing from the peer")                                            \
	X(DEAD_PEER, REPEATS, "repeats", COUNT, 5, "segments sent again without an answer (at most 31)")               \
	X(DEAD_PEER, PROBES, "probes", COUNT, 3, "keep-alive probes without an answer (at most 31)")                   \
	X(TIME_WAIT_BUILDUP, MAX, "max", COUNT, 8192, "in TIME-WAIT between one client and one service")               \
	X(TIME_WAIT_BUILDUP, SHARE, "share", PERCENT, 25, "of the 28232 ports of Linux's default range")               \
	X(TIME_WAIT_REUSE, MAX, "max", COUNT, 50, "in 10 s by one source")                                             \
	X(TIME_WAIT_ASSASSINATION, RESETS, "resets", COUNT, 3, "inexact RSTs against one TIME-WAIT (at most 3)")       \
	X(FIN_STORM, FINS, "fins", COUNT, 8, "repeated in 10 s on one flow (at most 65535)")                           \
	X(FIN_STORM, MAX, "max", COUNT, 1000, "in 10 s by one source, into TIME-WAIT")                                 \
	X(TIME_WAIT_PINNING, RESTARTS, "restarts", COUNT, 5, "more restarts of 2MSL than this (at most 6)")            \
	X(PORT_EXHAUSTION, SHARE, "share", PERCENT, 80, "of the 28232 ports of Linux's default range")                 \
	X(CLOSE_WAIT_LEAK, AFTER, "after", TIME, 60, "idle in CLOSE-WAIT")                                             \
	X(CLOSE_WAIT_LEAK, MANY, "many", COUNT, 100, "at one service, and growing: a warning")                         \
	X(FIN_WAIT_2_HANG, AFTER, "after", TIME, 60, "idle in FIN-WAIT-2")                                             \
	X(LAST_ACK_FLOOD, AFTER, "after", TIME, 10, "in LAST-ACK for longer")                                          \
	X(LAST_ACK_FLOOD, MAX, "max", COUNT, 500, "of these at one service")                                           \
	X(LAST_ACK_FLOOD, SHARE, "share", PERCENT, 20, "of a service's flows in LAST-ACK or CLOSING, at least 100")    \
	X(BACKSCATTER, PEERS, "peers", COUNT, 50, "different ends in 10 s that answer one address")                    \
	X(REFLECTION, MAX, "max", COUNT, 20, "half-open of one source with repeated SYN-ACKs, none completed")         \
	X(OUT_OF_STATE_FLOOD, MAX, "max", COUNT, 1000, "in 10 s by one source or to one service")                      \
	X(OUT_OF_STATE_FLOOD, ACKS, "acks", COUNT, 10000, "ACKs of no flow in 10 s by all")                            \
	X(BAD_FLAGS, MAX, "max", COUNT, 5, "in 60 s by one source")                                                    \
	X(PORT_SCAN, TARGETS, "targets", COUNT, 20, "different targets in 60 s that failed")                           \
	X(PORT_SCAN, SUCCESS, "success", PERCENT, 20, "fewer of the source's attempts succeed")                        \
	X(ZERO_WINDOW, AFTER, "after", TIME, 60, "shut for so long")                                                   \
	X(ZERO_WINDOW, FLOWS, "flows", COUNT, 20, "of one source, shut right after the handshake")                     \
	X(RST_INJECTION, RESETS, "resets", COUNT, 3, "inexact RSTs on one flow (at most 3)")                           \
	X(RETRANSMISSION, SHARE, "share", PERCENT, 5, "of a flow's segments, ...")                                     \
	X(RETRANSMISSION, MIN, "min", COUNT, 20, "... and so many")                                                    \
	X(RETRANSMISSION, HANDSHAKE, "handshake", PERCENT, 30, "of a source's SYNs, or a service's SYN-ACKs, at least 50 in 10 s") \
	X(ABORT_RATE, SHARE, "share", PERCENT, 50, "of a service's ends in 10 s are resets, ...")                      \
	X(ABORT_RATE, MIN, "min", COUNT, 50, "... and so many")                                                        \
	X(SYN_DATA, MAX, "max", COUNT, 50, "in 10 s by one source")                                                    \
	X(OUT_OF_STATE_FLOOD, GRACE, "grace", TIME, 120, "after start: living flows are met mid-way")

enum detect_param {
#define X(finding, id, name, unit, value, text) PARAM_##finding##_##id,
	WARD_PARAMS(X)
#undef X
	PARAM_COUNT,
	PARAM_NONE = PARAM_COUNT
};

struct detect_opts {
	__u64 value[PARAM_COUNT]; /* counts, percent, nanoseconds */
};

_Static_assert(sizeof(struct detect_opts) <= sizeof(((struct ward_instance *)0)->thresholds), "room in the instance");

static inline void detect_opts_init(struct detect_opts *o)
{
	static const __u64 values[] = {
#define X(finding, id, name, unit, value, text) (UNIT_##unit == UNIT_TIME ? value * 1000000000ULL : value),
		WARD_PARAMS(X)
#undef X
	};
	int i;

	for (i = 0; i < PARAM_COUNT; i++)
		o->value[i] = values[i];
}

#define FINDING_EVIDENCE 8
#define FINDING_SAMPLES 4
#define FINDING_ROOM 512 /* elements of map "findings" */

/* One element of map "findings". Times: nanoseconds since the epoch. */
struct finding {
	__u32 id;      /* counts up from 1; 0: the place is free */
	__u8 kind;     /* enum finding_kind */
	__u8 severity; /* enum finding_severity */
	__u8 subject;  /* enum finding_subject */
	__u8 prefix_len; /* SUBJECT_PREFIX: of the address as written (24, 48) */
	struct flow_key key;
	__u64 raised_ns;
	__u64 updated_ns; /* when its evidence changed last */
	__u64 cleared_ns; /* 0: it stands */
	__u64 evidence[FINDING_EVIDENCE]; /* the numbers of user/detect's evidence table, in its order */
	__u64 limit[FINDING_EVIDENCE];    /* the threshold beside each; 0: none */
	__u64 peak; /* evidence[0] at its worst */
	__u64 last_true_ns; /* the condition held then */
	struct flow_key sample[FINDING_SAMPLES];
	__u8 sample_orig[FINDING_SAMPLES]; /* which side is the originator */
	__u8 samples;
	__u8 orig;    /* SUBJECT_FLOW: which side is the originator */
	__u8 at_least; /* evidence[0] is a lower bound: not all of the flows were listed */
	__u8 pad;
};

#endif
