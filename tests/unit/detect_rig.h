/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A detector over tables made by hand: tests write what the sweep would have counted, let seconds pass, and look. */
#ifndef DETECT_RIG_H
#define DETECT_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "detect/detect.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define SECOND 1000000000ULL
#define START 1700000000000000000ULL
#define RIG_SERVICES 4096
#define RIG_SOURCES 8192
#define RIG_PAIRS 16
#define RIG_NEWS 2048

struct news {
	enum detect_news what;
	struct finding f; /* as it was then */
};

struct rig {
	struct detect_opts opts;
	struct finding table[FINDING_ROOM];
	uint32_t next_id;
	struct detector *detector;
	struct detect_view view;
	struct service service[RIG_SERVICES];
	struct source source[RIG_SOURCES];
	struct pair pair[RIG_PAIRS];
	struct flow_hits hits;
	struct ward_counters counters;
	struct ward_gauges gauges;
	unsigned services, sources, pairs;
	struct news news[RIG_NEWS];
	unsigned newses;
	unsigned stands; /* as the last tick returned it */
};

/* One, ten minutes after its start (no grace), with empty tables. Freed by rig_free(). */
struct rig *rig_new(void);
void rig_free(struct rig *r);
/* Another process goes on with the same table. */
void rig_restart(struct rig *r);
/* So many looks, one a second. What was told before is forgotten first. */
void pass(struct rig *r, unsigned seconds);

/* "203.0.113.9", "2001:db8::" into the form of a key. */
void addr_of(const char *text, uint8_t addr[16]);
/* Records of the tables; the same one for the same name. */
struct service *service_at(struct rig *r, const char *addr, uint16_t port);
struct source *source_at(struct rig *r, const char *addr, uint8_t prefix_len);
struct pair *pair_of(struct rig *r, const char *client, const char *addr, uint16_t port);
/* A flow "SADDR:SPORT-DADDR:DPORT", whose originator comes first, of that source: one more sample. */
void sample(struct source *s, const char *tuple);
/* A flow on which something is found. Returns it, so that a test can take it away or change it. */
struct flow_hit *hit(struct rig *r, uint64_t mask, const char *tuple, uint64_t age_s, uint32_t count);
void unhit(struct rig *r, uint64_t mask); /* all of that mask */
/* So many of a set's bits. */
void fill(struct distinct *set, unsigned bits);

/* The only standing finding of this kind; fails unless there is exactly one. */
const struct finding *found(const struct rig *r, int kind);
unsigned standing_of(const struct rig *r, int kind);
/* Nothing of this kind stands. */
void none(const struct rig *r, int kind);
unsigned told(const struct rig *r, enum detect_news what, int kind);
/* The condition goes: what stands is cleared after ten seconds, not before. */
void rig_clears(struct rig *r, int kind);
/* The end of a text about a source that has completed no handshake. */
#define FORGED "; no handshake of it completed: the address may be forged"
void assert_text(const struct finding *f, const char *text);
void assert_subject(const struct finding *f, enum finding_subject subject, const char *text);
/* One row of evidence, by its name: number and threshold. */
void assert_evidence(const struct finding *f, const char *name, uint64_t value, uint64_t limit);

#endif
