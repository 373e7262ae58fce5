/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Accounts: what is counted about services (responder address and port) and sources (originator addresses). Services are
 * exact: a record from the first SYN-ACK on. Sources are kept in constant memory: a sketch counts all of them, and those that
 * are worth it get a record, which counts exactly from then on. Counters only grow; the sweep makes windows of them, and
 * recounts the gauges by walking the tables.
 */
#ifndef ACCOUNT_H
#define ACCOUNT_H

#include "embryo.h"
#include "finding.h"

#define ACCOUNT_WAYS EMBRYO_WAYS /* places of a set: a key's hash selects the set, tags tell the place */

/* X(NAME, name, meaning): of a service, since its record was made; one array per CPU, added up by the sweep */
#define WARD_SERVICE_COUNTERS(X)                                                                                       \
	X(NEW, "new", "connections begun: first SYNs")                                                                 \
	X(ANSWERED, "answered", "... that it answered with a SYN-ACK")                                                 \
	X(COMPLETED, "completed", "... whose handshake completed")                                                     \
	X(REFUSED, "refused", "SYNs refused")                                                                          \
	X(CLOSED, "closed", "connections closed by both ends")                                                         \
	X(RESET, "reset", "connections ended by a RST")                                                                \
	X(TIMED_OUT, "timed-out", "connections that timed out")                                                        \
	X(HALF_OPEN_LEFT, "half-open-left", "half-open ones that ended without completing")                            \
	X(SYN_RTX, "syn-rtx", "SYNs sent again to it")                                                                 \
	X(SYNACK_RTX, "synack-rtx", "SYN-ACKs that it sent again")                                                     \
	X(RTX, "rtx", "data segments sent again, both ends")                                                           \
	X(OUT_OF_STATE, "out-of-state", "segments that fit no state of their flow, or no flow")                        \
	X(EVICTED, "evicted", "unfinished handshakes whose place was needed")

enum service_counter {
#define X(id, name, text) SERVICE_##id,
	WARD_SERVICE_COUNTERS(X)
#undef X
	SERVICE_COUNTERS
};

/* X(NAME, name, meaning): of a service now, recounted by each sweep */
#define WARD_SERVICE_GAUGES(X)                                                                                         \
	X(UNANSWERED, "unanswered", "SYNs without an answer")                                                          \
	X(HALF_OPEN, "half-open", "answered, not completed")                                                           \
	X(HALF_OPEN_OLD, "half-open-old", "... for half-open.after and longer")                                        \
	X(OPEN, "open", "both ends ESTABLISHED")                                                                       \
	X(CLOSING, "closing", "one end or both closing, neither in TIME-WAIT")                                         \
	X(CLOSE_WAIT_OLD, "close-wait-old", "an end idle in CLOSE-WAIT for close-wait-leak.after and longer")          \
	X(FIN_WAIT_2_OLD, "fin-wait-2-old", "an end idle in FIN-WAIT-2 for fin-wait-2-hang.after and longer")          \
	X(LAST_ACK, "last-ack", "an end in LAST-ACK or CLOSING")                                                       \
	X(LAST_ACK_OLD, "last-ack-old", "... for last-ack-flood.after and longer")                                     \
	X(TIME_WAIT, "time-wait", "an end in TIME-WAIT")                                                               \
	X(ACCEPT_QUEUE, "accept-queue", "wait for the application to accept, which does not (T61)")

enum service_gauge {
#define X(id, name, text) SERVICE_NOW_##id,
	WARD_SERVICE_GAUGES(X)
#undef X
	SERVICE_GAUGES
};

/* X(NAME, name, meaning): of a source, since its record was made */
#define WARD_SOURCE_COUNTERS(X)                                                                                        \
	X(NEW, "new", "connections begun: first SYNs")                                                                 \
	X(COMPLETED, "completed", "handshakes completed")                                                              \
	X(REFUSED, "refused", "SYNs refused")                                                                          \
	X(RESET, "reset", "connections ended by a RST")                                                                \
	X(STALE, "stale", "SYNs that stayed unanswered")                                                               \
	X(SYN_RTX, "syn-rtx", "SYNs sent again")                                                                       \
	X(TIME_WAIT_REUSE, "time-wait-reuse", "4-tuples used again out of TIME-WAIT, or tried to")                     \
	X(FIN_RTX, "fin-rtx", "FINs sent again into TIME-WAIT")                                                        \
	X(OUT_OF_STATE, "out-of-state", "segments that fit no state of their flow, or no flow")                        \
	X(BAD_FLAGS, "bad-flags", "impossible combinations of control bits")                                           \
	X(SYN_DATA, "syn-data", "SYNs with data that was not accepted")                                                \
	X(SHUT, "shut", "handshakes completed with a window of 0")                                                     \
	X(FAILED, "failed", "attempts that failed: refused, stale, historical SYN, bad flags")                         \
	X(UNASKED, "unasked", "SYN-ACKs that came to it without its SYN")                                              \
	X(ONE_WAY, "one-way", "connections of which one direction was not seen")

enum source_counter {
#define X(id, name, text) SOURCE_##id,
	WARD_SOURCE_COUNTERS(X)
#undef X
	SOURCE_COUNTERS
};

/* X(NAME, name, meaning): of a source now, recounted by each sweep */
#define WARD_SOURCE_GAUGES(X)                                                                                          \
	X(UNANSWERED, "unanswered", "SYNs without an answer")                                                          \
	X(STALE, "stale", "... for stale-syn.after and longer")                                                        \
	X(HALF_OPEN, "half-open", "answered, not completed by it")                                                     \
	X(HALF_OPEN_RTX, "half-open-rtx", "... whose SYN-ACK was sent again half-open.repeats times")                  \
	X(TIME_WAIT, "time-wait", "an end in TIME-WAIT")                                                               \
	X(SHUT, "shut", "flows whose window it keeps shut")

enum source_gauge {
#define X(id, name, text) SOURCE_NOW_##id,
	WARD_SOURCE_GAUGES(X)
#undef X
	SOURCE_GAUGES
};

/* How much a counter grew: the last whole window of 10 s and 60 s, and where the present ones began. Made by the sweep. */
struct account_window {
	__u32 last10, begin10;
	__u32 last60, begin60;
};

/* The larger of the last whole window and the present one. total: the counter now. */
static __always_inline __u32 window10(const struct account_window *w, __u32 total)
{
	__u32 now = total - w->begin10;

	return now > w->last10 ? now : w->last10;
}

static __always_inline __u32 window60(const struct account_window *w, __u32 total)
{
	__u32 now = total - w->begin60;

	return now > w->last60 ? now : w->last60;
}

#define ACCOUNT_SAMPLES 4

/* One element of map "services". addr as in struct flow_key; ports in host order. */
struct service {
	__u8 addr[16];
	__u16 port;
	__u16 live; /* 0: the place is free */
	__u32 vlan;
	__u64 first_ns;
	__u64 active_ns; /* the sweep saw it grow, or hold flows, then */
	__u64 total[SERVICE_COUNTERS]; /* by the sweep */
	struct account_window window[SERVICE_COUNTERS];
	__u32 now[2][SERVICE_GAUGES]; /* that of control.account_half is whole */
	/* half-open, the gauge beside the counters (bpf/recount_end.h) */
	__u32 corrected; /* by how much they had drifted apart, added up */
	__u32 moves;     /* what had gone in and out when the present recount began */
	__s32 apart;     /* how far they are apart for good: corrected, with its sign */
	__s32 suspect;   /* how much farther the last recount found them */
	__u32 open_part[2]; /* open flows that were only glanced at: every sweep counts the other half of them */
	struct flow_key sample[ACCOUNT_SAMPLES]; /* half-open flows of the last recount */
	__u8 sample_orig[ACCOUNT_SAMPLES];
	__u32 samples;
};

/* One element of per-CPU map "service_counts", same index. */
struct service_counts {
	__u64 count[SERVICE_COUNTERS];
};

#define DISTINCT_BITS 256

/* A set of hash values whose size can be estimated (linear counting). */
struct distinct {
	__u64 bits[DISTINCT_BITS / 64];
};

/*
 * One element of map "sources". prefix_len: of the address as it is written (32 or 24, 128... are /64 and /48 for IPv6): a
 * /32 or /64 is a source, a /24 or /48 an aggregate.
 */
struct source {
	__u8 addr[16]; /* host bits beyond the prefix are 0 */
	__u8 prefix_len;
	__u8 live; /* 0: the place is free */
	__u8 kept; /* a finding names it: it does not give way */
	__u8 pad[5];
	__u64 first_ns;
	__u64 active_ns;
	__u32 count[SOURCE_COUNTERS];
	struct account_window window[SOURCE_COUNTERS];
	__u32 now[2][SOURCE_GAUGES];
	struct distinct targets, targets_last; /* (address, port) that failed: of this window of 60 s, and the last */
	struct distinct peers, peers_last;     /* that answered it unasked: of this window of 10 s, and the last */
	struct distinct hosts, ports;          /* of the targets, of this window and the last together */
	struct flow_key sample[ACCOUNT_SAMPLES]; /* flows that counted against it lately */
	__u8 sample_orig[ACCOUNT_SAMPLES];
	__u32 samples; /* taken so far */
};

/* The places of a set of services or sources: one element of maps "service_sets" and "source_sets". */
struct account_set {
	__u32 lock;
	__u32 pad;
	struct embryo_ways ways;
	__u8 score[ACCOUNT_WAYS]; /* sources: how much was going on lately; the lowest gives way. By the sweep. */
	__u8 pad2[24];
};

_Static_assert(sizeof(struct account_set) == 64, "a set is searched in one cache line");

/* Map "service_ports", one element: the ports of services; a bit is set with the first, and made anew now and then. */
struct service_ports {
	__u64 bits[1024];
};

/* ---- client and service: all flows between one address and one service ---- */
#define PAIR_CELLS 65536
#define PAIRS_KEPT 16

/* Counted by the sweep, one cell for all pairs of a hash value; a pair whose cell is large is counted by itself. */
struct pair_cell {
	__u32 flows;
	__u32 open_part[2];
	__u32 large; /* in the sweep before: its pairs are counted by themselves */
};

#define PAIR_BLOCK 64

/* One element of map "pair_cells": many cells, since emptying them costs a call for each element. */
struct pair_block {
	struct pair_cell cell[PAIR_BLOCK];
};

struct pair {
	__u8 client[16];
	__u8 addr[16];
	__u16 port;
	__u16 live;
	__u32 vlan;
	__u64 hash;
	__u32 flows[2];     /* that of control.account_half is whole */
	__u32 time_wait[2];
	__u32 open_part[2];
	__u64 active_ns;
};

/* ---- flows on which something is found, by each sweep anew ---- */
#define HITS_MAX 4096
#define HITS_PER_KIND 512

struct flow_hit {
	struct flow_key key;
	__u64 mask;     /* FINDING_BIT() */
	__u64 since_ns; /* when what it waits for began */
	__u32 count;    /* repetitions: of SYNs, SYN-ACKs, FINs, RSTs, data: see flow_evidence.h */
	__u8 orig;
	__u8 state[2];
	__u8 share; /* of an end's segments that were sent again, percent */
};

/* Map "hits", one element. */
struct flow_hits {
	__u32 count; /* of hit[] */
	__u32 pad;
	__u64 total[FINDING_COUNT]; /* flows of each kind, also where hit[] is full */
	struct flow_hit hit[HITS_MAX];
};

#endif
