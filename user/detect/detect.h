/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * detect: decides what is found. It looks once a second at what the programs and the sweep counted (include/account.h) and
 * keeps the findings (include/finding.h), which stand in the pinned map: so another process goes on where one ended. No
 * libbpf, no clock of its own: replay runs the same over a capture's clock.
 */
#ifndef DETECT_H
#define DETECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "account.h"

/* Why some detectors would lie now: they raise nothing new meanwhile, and status says so. */
#define WARD_BLINDNESS(X)                                                                                              \
	X(ONE_WAY, "one-way", "one direction of most connections does not pass here")                                  \
	X(MIRROR_LOSS, "mirror-loss", "segments are missing here that the ends received")                              \
	X(MERGED, "merged", "segments are merged before they are seen (LRO)")                                          \
	X(GRACE, "grace", "just started: living connections are still met mid-way")                                    \
	X(TABLE_FULL, "table-full", "the tables are too small: flows are missing")

enum blindness {
#define X(id, name, text) BLIND_##id,
	WARD_BLINDNESS(X)
#undef X
	BLIND_COUNT
};

/* What one tick looks at: the maps as the sweep left them. */
struct detect_view {
	uint64_t now_ns;
	uint64_t started_ns; /* when the instance was made; in replay the first packet */
	bool replay;
	bool tap;
	bool merged; /* an interface merges segments (LRO) */
	const struct service *services; /* [service_room], those with live != 0 */
	unsigned service_room;
	const struct source *sources;
	unsigned source_room;
	const struct pair *pairs;
	unsigned pair_room;
	unsigned half; /* index of the whole gauges: service.now[half], source.now[half], pair.flows[half] */
	const struct flow_hits *hits;
	const struct ward_counters *counters; /* the sum of all CPUs, as they are now */
	const struct ward_gauges *gauges;
};

struct detector;

enum detect_news { DETECT_RAISED, DETECT_UPDATED, DETECT_CLEARED };
/* f is valid during the call. DETECT_UPDATED: its severity or its subject changed (not each number). */
typedef void (*detect_fn)(const struct finding *f, enum detect_news news, void *ctx);

/*
 * table: FINDING_ROOM elements of map "findings", which may hold those of an earlier process; next_id: the number of the
 * next finding, in shared memory, at least 1. NULL without memory.
 */
struct detector *detector_new(const struct detect_opts *opts, struct finding *table, uint32_t *next_id);
/* Looks once. fn may be NULL. Returns how many findings stand. */
unsigned detector_tick(struct detector *d, const struct detect_view *view, detect_fn fn, void *ctx);
/* Bits 1 << enum blindness, as of the last tick. */
unsigned detector_blind(const struct detector *d);
/* Connections open, and no answer to a SYN is seen, nor sent here: it leaves another way. */
bool detector_unanswered(const struct detector *d);
/* FINDING_BIT(): what is not raised meanwhile. blind: as above. */
unsigned long long detector_suppresses(unsigned blind);
/* How many findings hold as of the last tick, but have no place among FINDING_ROOM. */
unsigned detector_dropped(const struct detector *d);
void detector_free(struct detector *d);

/* ---- what is said about a finding ---- */
struct evidence_row {
	const char *name; /* of the JSON member */
	enum param_unit unit;
	enum detect_param param; /* the threshold beside it, or PARAM_NONE */
};
const char *finding_name(unsigned kind);     /* "stale-syn"; "" beyond the list */
const char *severity_name(unsigned severity);
const char *subject_name(unsigned subject);
int finding_parse(const char *name); /* enum finding_kind, or -1 */
/* The rows of evidence[] and limit[] of this kind; their number. */
unsigned finding_evidence(unsigned kind, const struct evidence_row **rows);
/* The subject as people write it: "203.0.113.9", "203.0.113.0/24", "192.0.2.10:443", "192.0.2.1:4000 > 192.0.2.10:443" */
const char *finding_subject_text(const struct finding *f, char buf[140]);
/* One line in plain words, with the number and its threshold. */
const char *finding_text(const struct finding *f, char buf[320]);
/* For `explain` and the man page: what is counted and why it matters; what to do; which section of which RFC; what looks
 * alike and is harmless. One paragraph each, no line breaks. */
const char *finding_meaning(unsigned kind);
const char *finding_advice(unsigned kind);
const char *finding_reference(unsigned kind);
const char *finding_lookalikes(unsigned kind);

/* ---- thresholds ---- */
struct param_row {
	enum finding_kind finding;
	const char *name; /* "after": set as "stale-syn.after" */
	enum param_unit unit;
	uint64_t value; /* default, in the unit of struct detect_opts */
	const char *text;
};
const struct param_row *detect_params(void); /* [PARAM_COUNT] */
/* "stale-syn.after=5s". 0, or -EINVAL with *error one line: what is wrong, the word in quotes, a hint. Static memory. */
int detect_opts_set(struct detect_opts *opts, const char *text, const char **error);
/* "10 s", "128", "30 %" */
const char *param_text(enum param_unit unit, uint64_t value, char buf[32]);

#endif
