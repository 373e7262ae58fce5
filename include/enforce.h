/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Policy, as the packet path reads it: what user space makes of a policy file (user/policy/) and of the lists kept by hand.
 * It acts on ingress segments, in this order: allow, block list, bad flags, services' limits, rules (the first that
 * matches decides), pass. A dropped segment moves no state.
 *
 * There are two slots of each of the maps below. An apply fills the one that is not in use and then changes one word of
 * struct policy_live: so it takes effect at once and as a whole, and the policy before stays whole beside it. While
 * rollback_ns is set, whoever looks after that time uses the slot before: a change that cut its author off takes itself
 * back, with no process alive.
 */
#ifndef ENFORCE_H
#define ENFORCE_H

#include "tcpward.h"

#ifndef __always_inline
#define __always_inline inline __attribute__((always_inline))
#endif

#define POLICY_SLOTS 2
#define POLICY_RULES 64    /* one bit each */
#define POLICY_SERVICES 32 /* one bit each */
#define POLICY_NAME_LEN 32
#define POLICY_EXEMPT 8
#define POLICY_PORT_CLASSES 256
#define POLICY_TEXT_LEN (256 * 1024)
#define POLICY_FAIL_OPEN_NS 10000000000ULL /* so long without a sweep, and nobody is at home */

enum policy_mode { MODE_MONITOR, MODE_DRY_RUN, MODE_ENFORCE };
enum policy_check { CHECK_OFF, CHECK_LOOSE, CHECK_STRICT };
enum policy_action { ACTION_PASS, ACTION_DROP };

/* What a limit does with what is too much. X(NAME, name, meaning) */
#define WARD_THENS(X)                                                                                                  \
	X(DROP, "drop", "drops the SYN")                                                                               \
	X(BLOCK, "block", "drops the SYN, and puts its source on the block list")                                      \
	X(SYNCOOKIE, "syncookie", "answers the SYN with a SYN cookie, in XDP")                                         \
	X(FIRST_SYN, "drop-first-syn", "drops the first SYN of a connection, and lets one that comes again pass")

enum policy_then {
#define X(id, name, text) THEN_##id,
	WARD_THENS(X)
#undef X
	THEN_COUNT
};

/* What may be wrong with a segment: the values of "invalid" in a rule. X(NAME, name, meaning) */
#define WARD_INVALID(X)                                                                                                \
	X(BAD_FLAGS, "bad-flags", "an impossible combination of control bits")                                         \
	X(NO_FLOW, "no-flow", "belongs to no flow, and does not begin one")                                            \
	X(OUT_OF_STATE, "out-of-state", "the state of its sender does not allow it")                                   \
	X(OUT_OF_WINDOW, "out-of-window", "outside the receiver's window")                                             \
	X(RST_INEXACT, "rst-inexact", "a RST that is not exactly the next sequence number (RFC 5961 section 3)")       \
	X(RST_TIME_WAIT, "rst-time-wait", "a RST into TIME-WAIT (RFC 1337)")                                           \
	X(FIN_TIME_WAIT, "fin-time-wait", "a FIN into TIME-WAIT, sent again more than three times")                    \
	X(ACK_TIME_WAIT, "ack-time-wait", "a segment that restarts TIME-WAIT, which has been restarted more than five times") \
	X(SYN_IN_CONN, "syn-in-connection", "a SYN on an open connection (RFC 5961 section 4)")                        \
	X(SYN_DATA, "syn-data", "a SYN with data (unless Fast Open is used on purpose)")

enum policy_invalid {
#define X(id, name, text) INVALID_##id,
	WARD_INVALID(X)
#undef X
	INVALID_COUNT
};

/* The limits of a service. X(NAME, name, meaning) */
#define WARD_LIMITS(X)                                                                                                 \
	X(HALF_OPEN, "half-open", "handshakes begun and not completed, of one address and port")                       \
	X(HALF_OPEN_SOURCE, "half-open-per-source", "... of one source")                                               \
	X(NEW, "new", "connections begun, of one address and port")                                                    \
	X(NEW_SOURCE, "new-per-source", "... by one source")

enum policy_limit_kind {
#define X(id, name, text) LIMIT_##id,
	WARD_LIMITS(X)
#undef X
	LIMIT_COUNT
};

/* Why a segment was dropped, or not given to the stack. Numbers are fixed: they are what events and pinned maps hold. */
/* X(NAME, name, meaning) */
#define WARD_DROPS(X)                                                                                                  \
	X(NONE, "none", "passed")                                                                                      \
	X(BLOCK_LIST, "block-list", "its source is on the block list")                                                 \
	X(HALF_OPEN, "half-open", "too many half-open connections of the service")                                     \
	X(HALF_OPEN_SOURCE, "half-open-per-source", "too many half-open connections of the source")                    \
	X(NEW, "new", "too many new connections of the service")                                                       \
	X(NEW_SOURCE, "new-per-source", "too many new connections of the source")                                      \
	X(FIRST_SYN, "first-syn", "the first SYN of a connection, while the service is flooded")                       \
	X(SYNCOOKIE, "syncookie", "a SYN answered with a SYN cookie in the stack's place")                             \
	X(COOKIE_RATE, "cookie-rate", "a SYN beyond the rate of SYN cookies that may be sent")                         \
	X(COOKIE_BAD, "cookie-bad", "an ACK that answers no SYN cookie")                                               \
	X(UNPARSED, "unparsed", "TCP that cannot be parsed")                                                           \
	X(MATCH, "rule", "a rule matches it")                                                                          \
	X(BAD_FLAGS, "bad-flags", "a rule: an impossible combination of control bits")                                 \
	X(NO_FLOW, "no-flow", "a rule: belongs to no flow")                                                            \
	X(OUT_OF_STATE, "out-of-state", "a rule: the state of its sender does not allow it")                           \
	X(OUT_OF_WINDOW, "out-of-window", "a rule: outside the receiver's window")                                     \
	X(RST_INEXACT, "rst-inexact", "a rule: a RST that is not exact")                                               \
	X(RST_TIME_WAIT, "rst-time-wait", "a rule: a RST into TIME-WAIT")                                              \
	X(FIN_TIME_WAIT, "fin-time-wait", "a rule: a FIN into TIME-WAIT, again")                                       \
	X(ACK_TIME_WAIT, "ack-time-wait", "a rule: TIME-WAIT restarted once more")                                     \
	X(SYN_IN_CONN, "syn-in-connection", "a rule: a SYN on an open connection")                                     \
	X(SYN_DATA, "syn-data", "a rule: a SYN with data")

enum ward_drop {
#define X(id, name, text) DROP_##id,
	WARD_DROPS(X)
#undef X
	DROP_COUNT
} WARD_PACKED;

/* The drop reason of a rule that matches by this enum policy_invalid: the two lists run side by side. */
#define DROP_OF_INVALID(i) (DROP_BAD_FLAGS + (i))
_Static_assert(DROP_COUNT == DROP_OF_INVALID(INVALID_COUNT), "each kind of invalid segment has its reason");

/* Whom a verdict is owed to: index into map "policy_counts". */
#define SUBJECT_RULE(i) (i)
#define SUBJECT_LIMIT(service, limit) (POLICY_RULES + (service) * LIMIT_COUNT + (limit))
#define SUBJECT_BLOCK_LIST (POLICY_RULES + POLICY_SERVICES * LIMIT_COUNT)
#define SUBJECT_NOBODY (SUBJECT_BLOCK_LIST + 1)
#define POLICY_SUBJECTS (SUBJECT_NOBODY + 1)

/* One element of per-CPU map "policy_counts". It stays with its rule's name over an apply. */
struct policy_count {
	__u64 hits;    /* segments that it decided, passed ones too */
	__u64 dropped; /* or answered with a cookie */
	__u64 would;   /* dry run: would have been dropped */
};

/* Map "policy_drops", per CPU: by enum ward_drop. */
struct policy_drops {
	__u64 dropped[DROP_COUNT]; /* or answered with a cookie */
	__u64 would[DROP_COUNT];   /* dry run, or exempt */
};

/* A token bucket: one token every interval_ns, at most burst. interval_ns 0: no limit. */
struct policy_rate {
	__u64 interval_ns;
	__u32 burst;
	__u32 pad;
};

struct policy_rule {
	char name[POLICY_NAME_LEN];
	__u8 action; /* enum policy_action */
	__u8 mode;   /* enum policy_mode: the weaker of this and the whole policy's acts */
	__u8 drop;   /* enum ward_drop, where it has no "invalid": DROP_MATCH */
	__u8 pad[5];
	struct policy_rate above;  /* drops only what is more than this */
	struct policy_rate sample; /* events */
};

struct policy_limit {
	__u8 on;
	__u8 mode; /* enum policy_mode */
	__u8 then; /* enum policy_then */
	__u8 prefix_v4, prefix_v6; /* a source is so many bits of its address */
	__u8 pad[3];
	__u16 enter_permille, leave_permille; /* HALF_OPEN: of the service's connections; 0: max alone */
	__u32 min; /* HALF_OPEN: never with fewer half-open ones */
	__u32 max; /* half-open ones; 0: no limit */
	__u32 pad2;
	struct policy_rate rate; /* NEW, NEW_SOURCE */
	__u64 for_ns;            /* how long the source stays on the block list; 0: not at all */
};

struct policy_service {
	char name[POLICY_NAME_LEN];
	struct policy_limit limit[LIMIT_COUNT];
};

#define POLICY_REACTIONS 32 /* one place for each kind of finding: enum finding_kind */

/* What the sweeper does while something is found. */
struct policy_react {
	__u8 on;
	__u8 mode; /* enum policy_mode */
	__u8 pad[6];
	__u64 for_ns; /* block: how long */
	__u64 done;   /* sources blocked, sockets closed */
	__u64 would;  /* ... had it not been a dry run */
};

/* What one dimension of a segment selects: the rules and services whose condition on it holds. */
struct policy_class {
	__u64 rules;
	__u32 services;
	__u32 flags;
};

#define CLASS_ALLOW 0x01 /* the policy's own allow list */

/* Element `slot` of map "policy_config". */
struct policy_config {
	__u8 mode;  /* enum policy_mode */
	__u8 check; /* enum policy_check */
	__u8 open_without_sweeper; /* nothing is dropped while nobody sweeps */
	__u8 drop_unparsed;
	__u8 cookie_flavour; /* enum cookie_flavour: syncookie.h */
	__u8 rule_count, service_count;
	__u8 has_cookies; /* a limit answers with SYN cookies */
	__u8 has_source_half_open; /* a limit counts half-open ones of a source */
	__u8 saddr_exact, saddr_prefix, daddr_exact, daddr_prefix; /* whether these maps hold anything */
	__u8 static_rules; /* a rule could drop segments of an open connection by addresses and ports alone */
	__u8 block_len[2]; /* see policy_live, where it is put when this slot comes to count */
	__u8 has_allow;    /* CLASS_ALLOW stands somewhere in saddr's classes */
	__u8 pad[7];
	__u64 learn_until_ns; /* until then: dry run */
	struct policy_rate cookie_rate;
	/* ---- classification: the AND of all dimensions ---- */
	struct policy_class saddr_any; /* of addresses that are in no map */
	struct policy_class daddr_any;
	__u64 flags[64];               /* rules, by FIN SYN RST PSH ACK URG */
	__u64 iface[WARD_IFACES];      /* rules, by row of the interface table */
	__u64 invalid_any;             /* rules without "invalid" */
	__u64 invalid[INVALID_COUNT];  /* rules with it, by kind */
	__u64 sport_rules[POLICY_PORT_CLASSES]; /* by class: struct policy_ports */
	__u64 dport_rules[POLICY_PORT_CLASSES];
	__u32 dport_services[POLICY_PORT_CLASSES];
	__u64 vlan_rules[POLICY_PORT_CLASSES];
	__u32 vlan_services[POLICY_PORT_CLASSES];
	__u32 iface_services[WARD_IFACES];
	/* ---- what they say ---- */
	struct policy_rule rule[POLICY_RULES];
	struct policy_service service[POLICY_SERVICES];
	struct policy_react block[POLICY_REACTIONS]; /* the source that is found goes on the block list */
	struct policy_react close[POLICY_REACTIONS]; /* local sockets of the flows that are found are closed */
	__u8 has_block, has_close;
	__u8 pad3[6];
	/* ---- the session that it was applied from, until it is confirmed ---- */
	__u32 exempt_count;
	__u32 pad2;
	struct flow_key exempt[POLICY_EXEMPT];
	/* ---- for `policy show` ---- */
	__u64 applied_ns;
	char file[128]; /* that it was read from, as it was given; terminated */
};

/*
 * Which addresses the tables of one direction may hold, by the first 16 bits: a bit that is clear spares the search. It is
 * clear for nearly all of a flood's forged sources.
 */
#define POLICY_NEAR_WORDS 2048 /* half for IPv4, half for IPv6 */

struct policy_near {
	__u64 word[POLICY_NEAR_WORDS];
};

/* The number of an address's bit. Its words are read as they lie in memory. */
static __always_inline __u32 policy_near_bit(__u64 high, __u64 low)
{
	int v4 = !high && (__u32)low == __builtin_bswap32(0xffff);

	return v4 ? __builtin_bswap16((__u16)(low >> 32)) : 65536 | __builtin_bswap16((__u16)high);
}

/* Element `slot` of map "policy_ports": the class of each port and VLAN id (4095: none was seen). */
struct policy_ports {
	__u8 sport[65536];
	__u8 dport[65536];
	__u8 vlan[4096];
	struct policy_near saddr, daddr;
};

/*
 * Maps "policy_saddr", "policy_daddr" (arrays of maps, by slot, of HASH: address -> struct policy_class), "policy_sprefix",
 * "policy_dprefix" (of LPM_TRIE: struct address_prefix -> struct policy_class). Each entry holds what holds for it in all:
 * shorter prefixes that cover it are in its bits too. IPv4 is ::ffff:a.b.c.d with 96 bits more.
 */
struct address_prefix {
	__u32 len; /* bits, 0 to 128 */
	__u8 addr[16];
};

/* Of control bits the six that struct policy_config.flags is about: TH_FIN to TH_URG. */
#define POLICY_BITS(bits) ((bits) & 0x3f)

static __always_inline __u64 policy_bit(unsigned int i)
{
	return 1ULL << (i & 63);
}

/* ---- lists kept by hand, and by limits ---- */
enum list_by { LISTED_BY_HAND, LISTED_BY_LIMIT, LISTED_BY_FINDING, LISTED_BY_FILE } WARD_PACKED;

/*
 * Maps "allow_addrs", "block_addrs" (HASH) and "allow_prefixes", "block_prefixes" (LPM_TRIE), by struct address_prefix. In
 * the HASHes stand single addresses, and the prefixes that limits put there, which are all of one length a family:
 * policy_live.block_len. An entry whose time is over counts for nothing; the sweeper takes it out. In a map of prefixes it may
 * stand before a wider one that still counts, so whoever meets one looks again with a key of one bit less than its len. And
 * prefixes of IPv6 hold no IPv4 address, though ::/0 covers how these are written: an IPv4 address with a len below 96 is in
 * no list.
 */
struct list_entry {
	__u64 until_ns; /* since the epoch; 0: for ever */
	__u64 added_ns;
	__u64 hits; /* block lists: segments of it that were dropped, or would have been; and see block_set.h */
	enum list_by by;
	__u8 subject; /* LISTED_BY_LIMIT: the limit's place among the subjects, less POLICY_RULES */
	__u8 len; /* in a map of prefixes: the key's, by which a lookup is known to be exact */
	__u8 pad[5];
	char reason[24]; /* not terminated when full */
};

#define LIST_ALLOW_ADDRS 0x01 /* policy_live.lists: these are not empty */
#define LIST_ALLOW_PREFIXES 0x02
#define LIST_BLOCK_ADDRS 0x04
#define LIST_BLOCK_PREFIXES 0x08

/*
 * Beside block_addrs stand two maps that answer most questions in its place: a filter says "surely not", sets (block_set.h) say
 * "surely".
 *
 * Map "block_filter": which entries block_addrs may hold. A bit may be set without an entry, but no entry is without its bit.
 * There are two halves, of which policy_live.block_half is read. Whoever adds an entry puts it into block_addrs and then sets
 * its bit in both halves. Bits are not cleared one by one: the sweeper empties the other half, sets the bits of all entries
 * there, and then the halves change places. What was put in before the half was empty, its walk meets; what came later has
 * set its bit there itself.
 */
#define BLOCK_FILTER_WORDS 32768 /* of one half */

/* Where an entry's bit stands: word block_bit() / 64 (of the second half: BLOCK_FILTER_WORDS more), bit block_bit() % 64. */
static __always_inline __u32 block_bit_of(__u64 high, __u64 low, __u32 len)
{
	__u64 hash = (high ^ len) * 0x9e3779b97f4a7c15ULL;

	hash = (hash ^ hash >> 32 ^ low) * 0xd6e8feb86659fd93ULL;
	hash = (hash ^ hash >> 32) * 0xd6e8feb86659fd93ULL;
	return hash >> 43;
}

/* The same of a prefix; the words of the address are read as they lie in memory. */
static __always_inline __u32 block_bit(const struct address_prefix *p)
{
	const __u32 *word = (const __u32 *)p->addr;

	return block_bit_of(word[0] | (__u64)word[1] << 32, word[2] | (__u64)word[3] << 32, p->len);
}

_Static_assert(BLOCK_FILTER_WORDS * 64 == 1 << (64 - 43), "block_bit() is within the filter");

#define POLICY_LAYOUT_VERSION 2 /* of all the maps of this file: they outlive a change of the flows' layout */

/* Map "policy_live", one element: what the packet path asks first. */
struct policy_live {
	__u32 loaded;      /* a policy is: slot is valid */
	__u32 slot;
	__u64 rollback_ns; /* after this the slot before counts again (or none, if before is 0); 0: confirmed */
	__u32 before;      /* 1 + the slot before, 0: that held no policy */
	__u32 lists;       /* LIST_* */
	__u8 lists_mode;   /* enum policy_mode of the lists while no policy is loaded */
	__u8 block_len[2]; /* besides 128: the other length of prefixes in block_addrs, IPv4 (with 96 more) and IPv6; 0: none */
	__u8 block_drops;  /* the block list is in force, with no exception but allow lists: block_simple() */
	__u8 pad[4];
	__u32 revision;    /* grows with each apply, rollback and change of a list of prefixes */
	__u32 marked;      /* the revision that the flows' marks are made for */
	__u32 version;     /* POLICY_LAYOUT_VERSION */
	__u32 block_half;  /* of block_filter, that is read: 0 or 1 */
};

/*
 * The slot that counts at now, -1: no policy does. Whoever writes policy_live keeps every state between two stores right: an
 * apply stores before, rollback_ns, slot, loaded; the end of a rollback stores slot or loaded, then rollback_ns. So the
 * reader begins with rollback_ns.
 */
static __always_inline int policy_slot(const volatile struct policy_live *live, __u64 now)
{
	__u64 rollback_ns = live->rollback_ns;

	if (!live->loaded)
		return -1;
	if (rollback_ns && now >= rollback_ns)
		return (int)live->before - 1;
	return live->slot & 1;
}

/*
 * What policy_live.block_drops should be; cfg: of the slot that is loaded, NULL: none is. 0 means that everything has to be
 * asked, which is never wrong: so it is 0 while another policy is put in force, and whatever depends on the time keeps it 0
 * until that is past and the sweeper has seen it.
 */
static __always_inline int block_simple(const struct policy_live *live, const struct policy_config *cfg, __u64 now)
{
	if (live->rollback_ns)
		return 0;
	if (!live->loaded)
		return live->lists_mode == MODE_ENFORCE;
	return cfg && cfg->mode == MODE_ENFORCE && !cfg->has_allow && !cfg->exempt_count && !cfg->open_without_sweeper &&
	       now >= cfg->learn_until_ns;
}

#endif
