/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A rig with a policy: YAML text in force, segments by text addresses, and what was dropped and counted. */
#ifndef TESTS_ENFORCE_RIG_H
#define TESTS_ENFORCE_RIG_H

#include "enforce.h"
#include "policy/policy.h"
#include "prog/rig.h"

#define MS 1000000ULL
#define SECOND 1000000000ULL

/* A client and its server, with the numbers that each will send next. */
struct talk {
	struct wire_end client, server;
	uint32_t seq[2], ack[2]; /* of client, server */
	int tag;		 /* VLAN: one tag, WIRE_VLAN */
};

enum { CLIENT, SERVER };

/* Puts the policy in force; "mode: enforce" and "version: 1" are added in front unless it begins with "version". Exits with
 * its errors if it is none. Interfaces: "first", by which all comes in, and "other". */
void enforce(struct rig *rig, const char *yaml);
void enforce_with(struct rig *rig, const char *yaml, const struct ward_apply *how);
/* No policy, no lists, no flows. */
void enforce_nothing(struct rig *rig);
/* "192.0.2.0/24" on a list, for so long (0: for ever). */
void list(struct rig *rig, enum ward_list list, const char *prefix, uint64_t for_ns);
void unlist(struct rig *rig, enum ward_list list, const char *prefix);
/* Its hits, as `block list` shows them; 0: it is not listed. */
uint64_t hits_of(struct rig *rig, const char *prefix);

/* An address as text. */
struct wire_end end_of(const char *addr, uint16_t port);
struct talk talk_of(const char *client, uint16_t sport, const char *server, uint16_t dport);
/* One segment by the XDP program: 1 if it was dropped. */
int dropped(struct rig *rig, const struct wire_end *from, const struct wire_end *to, const struct wire_segment *seg);
/* A SYN from so-and-so. */
int syn_dropped(struct rig *rig, const char *from, uint16_t sport, const char *to, uint16_t dport);
/* Next segment of a connection, in order, with so much payload; 1 if it was dropped (then the numbers stay). Through XDP;
 * says_out(): by egress of tc, which drops nothing. */
int says(struct rig *rig, struct talk *t, int who, uint8_t bits, uint32_t len);
int says_by(struct rig *rig, enum rig_hook hook, struct talk *t, int who, uint8_t bits, uint32_t len);
/* One that is not in order: moves no numbers. */
int says_odd(struct rig *rig, const struct talk *t, int who, uint8_t bits, uint32_t seq, uint32_t ack, uint32_t len);
/* The handshake and one segment each way; 1 if something was dropped. */
int opens(struct rig *rig, struct talk *t);

struct policy_count count_of(struct rig *rig, unsigned subject);
struct policy_drops drops_of(struct rig *rig);
uint64_t counter_of(struct rig *rig, enum ward_counter which);
/* The connection's record; false: there is none. */
bool record_of(struct rig *rig, const struct talk *t, struct flow *f);

/* ---- checks ---- */
/* Begins the case named; each check that fails is told with file and line; case_end() reports it. */
void case_begin(const char *name);
void case_end(void);
#define check(good) check_that(good, __FILE__, __LINE__, #good)
#define same(a, b) same_that((long long)(a), (long long)(b), __FILE__, __LINE__, #a, #b)
void check_that(bool good, const char *file, int line, const char *what);
void same_that(long long a, long long b, const char *file, int line, const char *what, const char *wanted);

#endif
