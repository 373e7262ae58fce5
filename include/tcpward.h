/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The contract between the BPF programs and user space: what a flow is, what is counted, what is reported.
 *
 * Compiled natively and for BPF. Fixed-width types only; no clock, no maps, no libc. All lists of names are
 * X-macros: the enum, the names that users see and the generated documentation come from the same row.
 * Addresses are in network order (IPv4 as ::ffff:a.b.c.d), every other number is in host order.
 */
#ifndef TCPWARD_H
#define TCPWARD_H

#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif

#define WARD_PACKED __attribute__((packed))

/* Changes whenever a pinned map could be misread by another build: see ward_layout_hash() in user/ward/. */
#ifndef WARD_LAYOUT_VERSION
#define WARD_LAYOUT_VERSION 3
#endif

/* ---- the eleven states of RFC 9293 section 3.3.2, and "no record" ---- */
/* X(enumerator, RFC name, what it says about the endpoint) */
#define WARD_STATES(X)                                                                                                 \
	X(NO_STATE, "CLOSED", "no record of this connection")                                                          \
	X(CLOSED, "CLOSED", "no connection: closed, refused or reset")                                                 \
	X(LISTEN, "LISTEN", "has not answered a SYN: a listener, a filter, or nothing at all")                         \
	X(SYN_SENT, "SYN-SENT", "has sent a SYN, no acceptable answer yet")                                            \
	X(SYN_RECEIVED, "SYN-RECEIVED", "has answered a SYN with its own, not acknowledged yet")                       \
	X(ESTABLISHED, "ESTABLISHED", "open")                                                                          \
	X(FIN_WAIT_1, "FIN-WAIT-1", "has sent a FIN, not acknowledged yet")                                            \
	X(FIN_WAIT_2, "FIN-WAIT-2", "its FIN is acknowledged; waits for the peer's")                                   \
	X(CLOSE_WAIT, "CLOSE-WAIT", "has received a FIN; its application has not closed yet")                          \
	X(CLOSING, "CLOSING", "both have sent a FIN, its own is not acknowledged yet")                                 \
	X(LAST_ACK, "LAST-ACK", "has received and sent a FIN; waits for the last ACK")                                 \
	X(TIME_WAIT, "TIME-WAIT", "closed; waits 2MSL for old duplicates to die")

enum tcp_state {
#define X(id, name, text) id,
	WARD_STATES(X)
#undef X
	STATE_COUNT
} WARD_PACKED;

/* ---- flags: what was noticed on a flow, cumulative ---- */
/* X(NAME, meaning): bit number = position; a position is never reused */
#define WARD_FLAGS(X)                                                                                                  \
	X(SYN_RTX, "a SYN was sent again")                                                                             \
	X(SYNACK_RTX, "a SYN-ACK was sent again")                                                                      \
	X(FIN_RTX, "a FIN was sent again")                                                                             \
	X(RTX, "data was sent again")                                                                                  \
	X(NEW_ISN, "an unanswered SYN was replaced by one with another initial sequence number")                       \
	X(SYN_DATA, "the SYN carried data")                                                                            \
	X(TFO, "the SYN's data was accepted (TCP Fast Open, RFC 7413)")                                                \
	X(SIMUL_OPEN, "both ends sent a SYN (RFC 9293 Figure 7)")                                                      \
	X(SIMUL_CLOSE, "both ends sent a FIN before seeing the other's (Figure 13)")                                   \
	X(HALF_CLOSE, "data was sent after the other end's FIN (section 3.6.1)")                                       \
	X(MIDSTREAM, "first seen after its handshake")                                                                 \
	X(ASYM, "one direction was not seen during the handshake")                                                     \
	X(REFUSED, "the SYN was answered by a RST")                                                                    \
	X(RESET, "ended by an acceptable RST")                                                                         \
	X(NO_TCB, "that RST came from a host that did not know the connection")                                        \
	X(HIST_SYN, "the SYN-ACK was answered by a RST: old duplicate SYN, or a scan (Figure 8)")                      \
	X(BAD_SYNACK, "a SYN-ACK did not acknowledge the SYN")                                                         \
	X(BAD_ACK, "an ACK in SYN-RECEIVED did not acknowledge the SYN-ACK")                                           \
	X(ACK_UNSEEN, "an ACK of data that was never seen")                                                            \
	X(OLD_ACK, "an ACK far below what was acknowledged already (RFC 5961 section 5)")                              \
	X(OLD_SEQ, "a segment wholly below what was received already")                                                 \
	X(OOW, "a segment outside the receiver's window")                                                              \
	X(OOS, "a segment that the sender's state does not allow")                                                     \
	X(BADFLAGS, "an impossible combination of control bits")                                                       \
	X(DATA_AFTER_FIN, "data beyond the sender's own FIN")                                                          \
	X(RST_INWIN, "a RST in the window, but not exact: ignored (RFC 5961 section 3)")                               \
	X(RST_OOW, "a RST outside the window: ignored")                                                                \
	X(SYN_IN_CONN, "a SYN on an open connection (RFC 5961 section 4)")                                             \
	X(HALFOPEN_DISC, "a SYN found the other end still holding an old connection (Figure 9)")                       \
	X(HALFOPEN_EMB, "the handshake stayed half done for 10 s or longer")                                           \
	X(REUSE, "the 4-tuple of an earlier connection was used again")                                                \
	X(TW_REUSE, "the 4-tuple was used again out of TIME-WAIT")                                                     \
	X(TW_SYN_OK, "a SYN into TIME-WAIT that may reopen it (RFC 6191)")                                             \
	X(TW_SYN_OLD, "a SYN into TIME-WAIT that may not")                                                             \
	X(TW_ASSASSIN, "a RST ended TIME-WAIT early (RFC 1337)")                                                       \
	X(TW_RST, "a RST into TIME-WAIT was ignored (rfc1337)")                                                        \
	X(KEEPALIVE, "a keep-alive probe (section 3.8.4)")                                                             \
	X(ZWP, "a zero-window probe (section 3.8.6.1)")                                                                \
	X(STALE_SYN, "a SYN stayed unanswered for 10 s or longer")                                                     \
	X(FW2_HANG, "idle in FIN-WAIT-2 for 60 s or longer")                                                           \
	X(CW_LEAK, "idle in CLOSE-WAIT for 60 s or longer: the application does not close")                            \
	X(COOKIE, "opened by a SYN cookie: the SYN was answered in the stack's place")

enum ward_flag_bit {
#define X(id, text) FLAG_BIT_##id,
	WARD_FLAGS(X)
#undef X
	FLAG_COUNT
};
#define X(id, text) static const __u64 FLAG_##id __attribute__((unused)) = 1ULL << FLAG_BIT_##id;
WARD_FLAGS(X)
#undef X
#define FLAGS_REPORTED ((1ULL << FLAG_COUNT) - 1)

/* The upper bits of flow.flags are the tracker's own memory and are not reported; tcp_marks.h writes those below MARK_PEND. */
#define MARK_RSTS_SHIFT 42          /* two bits: inexact RSTs (R8, R9) that came closely enough; stays at 3 */
#define MARK_RSTS (3ULL << MARK_RSTS_SHIFT)
#define MARK_RSTS_TW (1ULL << 55)   /* ... and they were aimed at a TIME-WAIT */
#define MARK_RESTARTS_SHIFT 44      /* three bits: restarts of 2MSL; stays at 7 */
#define MARK_RESTARTS (7ULL << MARK_RESTARTS_SHIFT)
#define MARK_ASSASSIN (1ULL << 47)  /* an exact RST into TIME-WAIT from an end that wanted no new connection */
#define MARK_PEND (1ULL << 48)      /* flow.pend_* hold a SYN that may start a new incarnation */
#define MARK_PEND_B (1ULL << 49)    /* ... and side B sent it */
#define MARK_RTT_SYN (1ULL << 50)   /* rtt_syn is a time stamp of the last SYN, not yet a difference */
#define MARK_RTT_ACK (1ULL << 51)   /* rtt_ack is a time stamp of the last SYN-ACK */
#define MARK_BADACK_A (1ULL << 52)  /* fin[A] holds the unacceptable ack of A's SYN-ACK (O7) */
#define MARK_BADACK_B (1ULL << 53)
#define MARK_SEEDED (1ULL << 54)    /* came from the kernel's socket table: numbers are not known yet */
#define MARK_SENT_A (1ULL << 56)    /* A has sent an accepted segment with ACK after the handshake (row O16) */
#define MARK_SENT_B (1ULL << 57)
/* 58 to 61: tcp_history.h */
#define MARK_WENT_ON (1ULL << 62)   /* the sender of the RST that ended it went on with data: not its RST */
#define MARK_SILENT (1ULL << 63)    /* the RST that ended it came from an end that had been silent: it had lost the connection */

/* ---- why a record ended ---- */
#define WARD_END_REASONS(X)                                                                                            \
	X(NONE, "none", "still there")                                                                                 \
	X(CLOSED, "closed", "closed by both ends")                                                                     \
	X(RESET, "reset", "a RST ended it")                                                                            \
	X(REFUSED, "refused", "the SYN was refused")                                                                   \
	X(TIMEOUT, "timeout", "silent for longer than its states allow")                                               \
	X(REUSE, "reuse", "a new connection took over its 4-tuple")                                                    \
	X(EVICTED, "evicted", "its place in a full table was needed")

enum ward_end_reason {
#define X(id, name, text) END_##id,
	WARD_END_REASONS(X)
#undef X
	END_COUNT
} WARD_PACKED;

/* ---- Zeek's coarse endpoint states (conn_state is made from two of them) ---- */
enum zeek_state { Z_INACTIVE, Z_SYN_SENT, Z_SYN_ACK_SENT, Z_PARTIAL, Z_ESTABLISHED, Z_CLOSED, Z_RESET };

/* ---- the flow key: one connection, both directions, both families ---- */
struct flow_key {
	__u8 a_addr[16]; /* side A is the lower address:port, compared as bytes in network order */
	__u8 b_addr[16];
	__u16 a_port;
	__u16 b_port;
	__u32 vlan; /* 0, or the outer VLAN id where --key-vlan asks for it */
} __attribute__((aligned(8))); /* it is copied, hashed and compared by words */

/* flow.known: what is known of one side */
#define KNOWN_CONF 0x01   /* its state is proven by a segment of its own */
#define KNOWN_ISN 0x02    /* isn may be compared: fewer than 2^30 bytes ago */
#define KNOWN_ACK 0x04    /* it has sent an ack */
#define KNOWN_REDGE 0x08  /* it has allowed a window */
#define KNOWN_FIN 0x10    /* fin is the sequence number of its FIN */
#define KNOWN_HOLE 0x20   /* nxt is ahead of contig */
#define KNOWN_HIST_A 0x40 /* history has its first pure ACK */
#define KNOWN_HIST_D 0x80 /* history has its first data */

/* flow.phase: two bits of life, the lock, and "not for the fast path" */
#define PHASE_LIFE 0x03
#define PHASE_FREE 0x00
#define PHASE_LIVE 0x01
#define PHASE_DEAD 0x02     /* over; may be revived by a segment, is deleted one sweep later */
#define PHASE_DELETING 0x03 /* being deleted: not to be touched */
#define PHASE_LOCKED 0x04
#define PHASE_SLOW 0x08  /* something rare is known of it: no fast path */
#define PHASE_CLOSED 0x20 /* counted as closed by both ends, though TIME-WAIT goes on: account_flow.h */
#define PHASE_RULED 0x40 /* a policy may drop its segments by addresses and ports alone: no fast path */
#define PHASE_RULED_KNOWN 0x80 /* ... and has been asked: it may indeed */
#define PHASE_WATCH 0x10 /* the sweep shall look at this open flow, though nothing is due: see tcp_watch() */

#define WS_UNKNOWN 14 /* the largest scale there is (RFC 7323): assumed where the SYNs were not seen */
#define HISTORY_LEN 16
#define VLAN_UNSEEN 0xffff

/* What the fast path writes of one side, in 40 bytes. */
struct flow_half {
	__u64 pkts;    /* segments sent (of a GSO super-segment: as many as it becomes) */
	__u64 bytes;   /* payload sent, repetitions included */
	__u64 last_ns; /* when it sent last */
	__u32 nxt;     /* highest sequence number sent, plus one */
	__u32 ack;     /* highest acknowledgment sent */
	__u32 redge;   /* right edge of the widest window it allowed: ack + window */
	__u32 tsval;   /* last time stamp option sent; 0: none */
};

/*
 * One connection. The first eight bytes are one word: whoever changes states changes all of it by one
 * compare-and-swap (lock, move, unlock), see bpf/record.h. The established path touches the first 104 bytes.
 */
struct flow {
	enum tcp_state state[2]; /* of side A and B */
	__u8 known[2];           /* KNOWN_* */
	__u8 wscale;             /* window scale: A in the low nibble, B in the high one */
	__u8 phase;              /* PHASE_* */
	__u16 gen;               /* another incarnation of the record, another number */
	__u64 prev;              /* the segment before: see tcp_prev_pack(), and what tcp_marks.h keeps above it */
	struct flow_half half[2];
	__u16 win[2];    /* last window field, as sent */
	__u16 maxwin[2]; /* largest one after the handshake, as sent */
	/* ---- 104 bytes ---- */
	__u64 flags; /* FLAG_* and MARK_* */
	__u64 start_ns;
	__u64 since_ns[2]; /* when the side entered its state; for TIME-WAIT when 2MSL was restarted */
	__u32 isn[2];
	__u32 contig[2]; /* in-order edge of what was sent; only while KNOWN_HOLE, else nxt, and it may hold tcp_since() */
	__u32 fin[2];    /* sequence number of the FIN (KNOWN_FIN), or bad ack of a SYN-ACK (MARK_BADACK), or tcp_since() */
	__u32 rtx[2];
	char history[HISTORY_LEN]; /* Zeek's letters, not terminated when full */
	__u32 rtt_syn_ns;          /* SYN to SYN-ACK; 0: not measured */
	__u32 rtt_ack_ns;          /* SYN-ACK to ACK; 0: not measured */
	__u32 pend_isn;            /* the pending SYN: a new incarnation if the other side accepts it */
	__u32 pend_tsval;
	__u32 pend_ms; /* when, in units of 2^20 ns */
	__u16 pend_win;
	__u16 pend_len;
	__u8 pend_ws; /* 15: none offered */
	__u8 orig;    /* which side opened: 0 = A, 1 = B */
	__u8 syn_rtx; /* these three stay at their largest value when they reach it */
	__u8 synack_rtx;
	__u16 fin_rtx;
	__u16 vlan; /* outer VLAN id, VLAN_UNSEEN if none was seen */
	enum ward_end_reason end_reason; /* not END_NONE: its end was reported */
	__u8 iface; /* row of the instance's interface table */
	__u8 zeek;  /* enum zeek_state: A in the low nibble, B in the high one */
	__u8 unseen; /* A in the low nibble, B in the high one: acks of unseen data in a row, to 7; 8: data lies behind the hole */
	__u16 seq_fin[2]; /* folded sequence numbers of the last letters F, R, S or H: see tcp_fold() */
	__u16 seq_rst[2];
	__u16 seq_syn[2];
};

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "words of the key and of the record are written whole: little-endian machines only"
#endif
_Static_assert(sizeof(struct flow_key) == 40, "the key is 40 bytes");
_Static_assert(sizeof(struct flow_half) == 40, "the hot half is 40 bytes");
_Static_assert(sizeof(struct flow) == 232, "48 (kernel) + 40 + 232 = 320 = five cache lines");
_Static_assert(__builtin_offsetof(struct flow, flags) == 104, "hot bytes come first");

/* ---- one segment, as parsed ---- */
#define TH_FIN 0x01
#define TH_SYN 0x02
#define TH_RST 0x04
#define TH_PSH 0x08
#define TH_ACK 0x10
#define TH_URG 0x20

#define SEG_TS 0x01        /* tsval is valid */
#define SEG_WS 0x02        /* ws is valid */
#define SEG_SACK_OK 0x04   /* SACK permitted */
#define SEG_MSS 0x08       /* mss is valid */
#define SEG_ESTIMATED 0x10 /* segs is estimated from length and MSS */
#define SEG_COOKIE 0x20    /* completes a handshake by a SYN cookie: mss, ws (15: none) and peer_* are those of its SYNs */

struct segment {
	struct flow_key key;
	__u32 seq;
	__u32 ack; /* 0 without ACK */
	__u32 len; /* payload, bytes, from the IP header */
	__u32 tsval;
	__u64 now_ns;  /* since the epoch */
	__u32 stamp_ns; /* low bits of a finer clock, for handshake RTT; 0: not taken */
	__u32 segs;     /* wire segments in this frame, at least 1 */
	__u16 win;
	__u16 mss;
	__u16 vlan; /* VLAN_UNSEEN if none */
	__u8 bits;  /* TH_* */
	__u8 opts;  /* SEG_* */
	__u8 ws;
	__u8 dir;   /* 0: side A sent it, 1: side B */
	__u8 iface; /* row of the interface table */
	__u8 peer_ws;   /* SEG_COOKIE: the other end's window scale, 15: none ... */
	__u16 peer_win; /* ... and the window of its SYN-ACK */
};

/* ---- counters ---- */
/* X(NAME, name, meaning): per CPU, never reset. First the reasons why a frame is not followed. */
#define WARD_REASONS(X)                                                                                                \
	X(NOT_IP, "not-ip", "not IPv4 or IPv6")                                                                        \
	X(NOT_TCP, "not-tcp", "IP, but not TCP")                                                                       \
	X(FRAG_FIRST, "fragment-first", "first fragment: its TCP header is whole, but the segment is not")            \
	X(FRAG_LATER, "fragment-later", "later fragment: no TCP header")                                               \
	X(TRUNCATED, "truncated", "ends inside a header")                                                              \
	X(BAD_IP, "bad-ip", "IP header length or version impossible")                                                  \
	X(BAD_TCP, "bad-tcp", "TCP data offset impossible or beyond the packet")                                       \
	X(EXT_CHAIN, "ext-chain", "more IPv6 extension headers than are followed, or an encrypted one")               \
	X(VLAN_DEEP, "vlan-deep", "more than two VLAN tags")                                                           \
	X(NOT_LINEAR, "not-linear", "headers outside the frame's first buffer")                                        \
	X(FORWARDED, "forwarded", "leaves after it was counted coming in: not counted again")                          \
	X(LOCK_BUSY, "lock-busy", "its record stayed locked by another CPU: the segment was not applied")              \
	X(NO_ROOM, "no-room", "no record could be made for it")

enum ward_reason {
#define X(id, name, text) REASON_##id,
	WARD_REASONS(X)
#undef X
	REASON_COUNT
};

#define WARD_COUNTERS(X)                                                                                               \
	X(RX_SEGMENTS, "rx-segments", "TCP segments followed, ingress")                                                \
	X(TX_SEGMENTS, "tx-segments", "TCP segments followed, egress")                                                 \
	X(RX_BYTES, "rx-bytes", "TCP payload followed, ingress")                                                       \
	X(TX_BYTES, "tx-bytes", "TCP payload followed, egress")                                                        \
	X(FAST, "fast-path", "segments that took the established fast path")                                           \
	X(ESTIMATED, "estimated", "super-segments whose number of segments was estimated")                             \
	X(FLOWS_NEW, "flows-new", "flow objects created")                                                              \
	X(MIDSTREAM_NEW, "midstream-new", "... of them picked up mid-stream")                                          \
	X(PROMOTED, "promoted", "embryos that moved to the flow table")                                                \
	X(END_CLOSED, "ended-closed", "flows closed by both ends")                                                     \
	X(END_RESET, "ended-reset", "flows ended by a RST")                                                            \
	X(END_REFUSED, "ended-refused", "flows whose SYN was refused")                                                 \
	X(END_TIMEOUT, "ended-timeout", "flows that timed out")                                                        \
	X(END_REUSE, "ended-reuse", "flows whose 4-tuple was taken over")                                              \
	X(END_EVICTED, "ended-evicted", "flows whose place was needed: evicted embryos, closing flows of a nearly full table")                                               \
	X(EVICT_SYN_SENT, "evicted-syn-sent", "... of them in SYN-SENT")                                               \
	X(EVICT_SYN_RECEIVED, "evicted-syn-received", "... of them in SYN-RECEIVED")                                   \
	X(EVICT_OTHER, "evicted-other", "... of them in another state")                                                \
	X(TABLE_FULL, "table-full", "segments whose flow stayed an embryo because the flow table was full")                       \
	X(EARLY_EXPIRY, "early-expiry", "closed flows removed early because the table was nearly full")               \
	X(STRAY_RST, "stray-rst", "RSTs that belong to no flow")                                                       \
	X(STRAY_BADFLAGS, "stray-bad-flags", "impossible segments that belong to no flow")                             \
	X(STRAY_OTHER, "stray-other", "other segments that belong to no flow (--no-pickup)")                           \
	X(EVENTS, "events", "events delivered to readers")                                                             \
	X(LOST_RING, "events-lost-ring", "events lost: a reader's ring buffer was full")                               \
	X(LOST_RATE, "events-lost-rate", "events lost: more of one type than its rate limit")                          \
	X(SWEEP_RACE, "sweep-race", "records that moved while the sweep looked: left for the next one")                \
	X(SERVICES_FULL, "services-full", "services without a record, for want of room")                               \
	X(SOURCES_REPLACED, "sources-replaced", "records of quiet sources that gave way to busier ones")               \
	X(CORRECTED, "gauges-corrected", "by how much the half-open gauges had drifted from their recount")             \
	X(COOKIE_SENT, "cookies-sent", "SYNs answered by a SYN cookie")                                                \
	X(COOKIE_RATE, "cookies-beyond-rate", "SYNs dropped, for more cookies were asked for than may be sent")        \
	X(COOKIE_OK, "cookies-good", "ACKs that brought a good cookie back")                                           \
	X(COOKIE_BAD, "cookies-bad", "ACKs dropped, for they answer no cookie")                                        \
	X(COOKIE_REFUSED, "cookies-refused", "good cookies that the stack would not take")                             \
	X(COOKIE_KNOWN, "cookies-known", "SYNs left to the stack, which has a connection of these ports, or TIME-WAIT") \
	X(COOKIE_MPTCP, "cookies-mptcp", "SYNs left to the stack, whose listener speaks Multipath TCP")                \
	X(COOKIE_UNPROTECTED, "cookies-no-listener", "SYNs left to the stack, for nobody listens on the port here")    \
	X(LIST_FULL, "block-list-full", "sources that a limit could not put on the block list, for want of room")

enum ward_counter {
#define X(id, name, text) CNT_##id,
	WARD_COUNTERS(X)
#undef X
	COUNTER_COUNT
};

/* One per CPU; map "counters". */
struct ward_counters {
	__u64 reason[REASON_COUNT];
	__u64 counter[COUNTER_COUNT];
	__u64 flag[FLAG_COUNT]; /* how often each flag was newly set on a flow */
	__u64 edge[STATE_COUNT][STATE_COUNT]; /* how often an endpoint went from one state to another */
};

/* Map "gauges": what the last sweep counted. */
struct ward_gauges {
	__u64 swept_ns;  /* when */
	__u64 sweep_ns; /* how long it took */
	__u64 flows;     /* live records in flows */
	__u64 embryos;   /* unanswered SYNs in syns, and live records in embryos */
	__u64 tombstones;
	__u64 state[STATE_COUNT]; /* endpoints in each state, both tables */
	__u64 confirmed[STATE_COUNT];
};

/* ---- events ---- */
#define WARD_EVENT_TYPES(X)                                                                                            \
	X(STATE, "state", "a state, or what is known of it, changed")                                                  \
	X(FLAG, "flag", "something was noticed for the first time on the flow")                                        \
	X(END, "end", "both ends are gone")                                                                            \
	X(SEGMENT, "segment", "one segment of a flow that a ladder is drawn for")                                      \
	X(RETIRE, "retire", "the record is about to be overwritten (replay only)")                                     \
	X(DROP, "drop", "a segment was dropped by the policy, or would have been")

enum ward_event_type {
#define X(id, name, text) EVENT_##id,
	WARD_EVENT_TYPES(X)
#undef X
	EVENT_COUNT
} WARD_PACKED;

/* A record in a ring buffer. EVENT_RETIRE is followed by a struct flow, EVENT_SEGMENT by a struct event_segment. */
struct event {
	struct flow_key key;
	__u64 ts_ns; /* of the segment, or the deadline of a timer */
	__u64 pkt;   /* number of the capture's packet; 0: a timer, or live */
	__u64 start_ns; /* of the flow object */
	__u64 flags;    /* FLAG: the new ones; others: all so far */
	enum ward_event_type type;
	enum ward_end_reason reason;
	__u8 orig;
	__u8 iface;
	__u16 vlan;
	__u8 timer; /* 1: a timer's */
	__u8 first; /* STATE: the first of its flow object */
	enum tcp_state state[2]; /* of side A and B */
	enum tcp_state old_state[2];
	__u8 conf; /* bit 0: A, bit 1: B */
	__u8 old_conf;
	__u8 drop; /* DROP: enum ward_drop; first: 1 = dry run; flags: the value that was too much; pkt: see below */
	__u8 subject; /* DROP: whom it is owed to, SUBJECT_* of enforce.h */
};

struct event_segment {
	__u32 seq, ack, len, segs;
	__u16 win;
	__u8 bits;
	__u8 dir;
	__u32 isn[2];
};

struct event_with_flow {
	struct event event;
	struct flow flow;
};

struct event_with_segment {
	struct event event;
	struct event_segment segment;
};

/* ---- one instance: map "instance", one entry ---- */
#define WARD_IFACES 16
#define WARD_READERS 8
#define WARD_NAME_LEN 16
#define WARD_THRESHOLDS 64

#define IFACE_L3 0x01      /* frames start at the IP header */
#define IFACE_XDP_L3 0x02  /* ... in XDP too (generic XDP on a device without Ethernet header) */
#define IFACE_GENERIC 0x04 /* XDP sees super-segments */
#define IFACE_MERGED 0x10  /* the NIC merges segments (LRO) */
#define IFACE_DISPATCHED 0x20 /* XDP by libxdp's dispatcher, beside other programs */
#define IFACE_PORTS 0x40 /* a bond, or what works as one: native XDP runs on its ports, and sees their numbers */
#define IFACE_CLSACT 0x08  /* its clsact qdisc is ours: it goes with our filters, if nobody else has one on it */

/* Numbers of the devices that stand on an instance's interfaces; 0: free. A number has its place in one set. */
#define UPPER_SETS 1024
#define UPPER_WAYS 4

struct ward_iface {
	char name[WARD_NAME_LEN];
	__u32 ifindex;
	__u32 mtu;
	__u8 flags;   /* IFACE_* */
	__u8 ingress; /* enum ward_ingress, as attached */
	__u8 hooks;   /* 1: ingress, 2: egress */
	__u8 tcx;     /* tc programs hang on tcx links, else on clsact */
	__u32 netns;  /* inode of its network namespace */
};

#define WARD_TIMEOUT_ROOM 16

/* Whether an instance outlives its process. */
enum ward_keep {
	KEEP_NOT,    /* run: goes with it */
	KEEP_ALWAYS, /* attach: until detach */
	KEEP_KILLED, /* run --policy: ends with it, but stays in force if that is killed */
};

struct ward_instance {
	__u64 layout_hash;
	__u64 epoch_offset_ns; /* added to jiffies * tick_ns: nanoseconds since the epoch */
	__u64 tick_ns;
	__u64 created_ns;
	__u32 keeper_pid;
	__u32 iface_count;
	char version[WARD_NAME_LEN];
	struct ward_iface iface[WARD_IFACES];
	__u64 build;          /* hash of the programs */
	__u64 boot_secret[2]; /* what hashes are keyed by: whoever takes the tables over needs it */
	__u8 keep;            /* enum ward_keep */
	__u8 head_pad[7];
	/* ---- all above is the same in every layout (WARD_HEAD): another build takes over by it ---- */
	__u32 flows_max;
	__u32 embryos_max;
	__u32 msl2_s;
	__u8 tap, no_pickup, key_vlan, rfc1337;
	__u8 hooks_ingress_only;
	__u8 seeded;          /* with the kernel's sockets, and its tables its own since */
	__u8 lists_unread;    /* bits 1 << enum ward_list: what the last of this name saved has not been taken over */
	__u8 pad[5];
	__u64 netns_cookie; /* of the namespace of its interfaces: an inode's number is given again, this is not. 0: not known */
	__u32 services_max, sources_max;
	__u64 thresholds[WARD_THRESHOLDS]; /* struct detect_opts: finding.h */
	__u64 timeout_ns[WARD_TIMEOUT_ROOM]; /* of struct track_opts: tcp_opts.h */
};

#define WARD_HEAD __builtin_offsetof(struct ward_instance, flows_max)

/* In ward_control.blind: connections open, and no answer to a SYN passes here. They leave another way: nothing is half-open for that. */
#define WARD_UNANSWERED (1ULL << 63)

/* Map "control", one entry, written by user space while the programs run. */
struct ward_control {
	__u64 keeper_ns;               /* heartbeat: the last sweep */
	__u64 listen_until_ns;         /* some reader listens until then: the latest of those below */
	__u64 ladder_until_ns;
	__u32 present_epoch;           /* odd while user space puts flows into the table: see bpf/present.h */
	__u32 present_built;           /* the epoch that the bits were made for */
	__u32 present_half;            /* the half that counts */
	__u32 pad;
	__u64 reader_until_ns[WARD_READERS]; /* the reader in this slot listens until then */
	__u32 reader_pid[WARD_READERS];
	struct flow_key ladder;        /* the flow whose segments are reported one by one, until ladder_until_ns */
	__u64 replay_now_ns;           /* replay: the capture's clock */
	__u64 replay_pkt;
	__u32 replay_wire_len;         /* replay: length of the frame before it was cut */
	__u32 replay_flags;            /* IFACE_L3 */
	__u32 fill_permille;           /* flows in use, of its capacity: written by the sweep */
	__u32 sweeping;                /* 1 while a sweep walks */
	__u32 account_half;            /* index of the whole gauges: include/account.h */
	__u32 finding_next;            /* number of the next finding; 0: none yet */
	__u64 account_ns;              /* the last sweep that made windows */
	__u64 blind;                   /* 1 << enum blindness, by the last look; and WARD_UNANSWERED */
	__u64 flows_ns;                /* the flows were begun anew, though the instance goes on: a takeover by another layout */
	__u64 relearn_until_ns;        /* ... until then no flow is known not to be one */
	__u64 findings_dropped;        /* findings that held at the last look, but for which there was no room */
};

#endif
