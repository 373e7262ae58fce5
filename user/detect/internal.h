/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * detect, inside: what the evaluations (services, sources, pairs, flows, everywhere) share with the life of the findings.
 * An evaluation makes a claim for each condition that holds; detector.c turns claims into findings at the end of a tick.
 */
#ifndef DETECT_INTERNAL_H
#define DETECT_INTERNAL_H

#include <string.h>

#include "detect/detect.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define DETECT_SECOND 1000000000ULL

#define NEXT_LOOK_NS (DETECT_SECOND * 9 / 10) /* it must hold at the next look too: that comes in a second, or a tick earlier */
#define CLEAR_AFTER_NS (10 * DETECT_SECOND) /* so long not true */
#define KEEP_CLEARED_NS (600 * DETECT_SECOND)
#define HANDSHAKES_ENOUGH 50 /* a share of fewer SYNs or SYN-ACKs says nothing */
#define LAST_ACK_LEAST 100
#define LOCAL_PORTS 28232 /* 32768 to 60999, Linux's default */
#define ALL_PORTS 64512   /* 1024 to 65535: the widest range of a client or a NAT gateway */

/* A condition that holds now, and how a finding says it. Made by claim_of_*(); limits are filled in by claim(). */
struct claim {
	enum finding_kind kind;
	struct finding f; /* severity, subject, key, prefix_len, orig, evidence, samples, at_least */
	uint64_t hold_ns; /* it must hold for so long before a finding is raised; 0: at once */
};

/* A place of the table, and what this tick claims for it. */
struct place {
	struct finding claimed;
	uint64_t severe_ns; /* its severity was claimed then */
	uint64_t hash;	    /* of kind and home: the chain it is in */
	int16_t next;	    /* of the chain; -1: the last */
	bool is_claimed;
	bool is_new;   /* raised in this tick */
	bool is_wider; /* widened in this tick */
};

#define CHAINS 1024
#define PENDINGS 2048

/* A claim that must hold for a while: since when it does. */
struct pending {
	uint64_t hash;
	uint64_t since_ns;
	uint64_t tick; /* it held then */
};

/* Counters of the whole instance, once a tick. */
struct snapshot {
	uint64_t ns;
	uint64_t flows_new, one_way, ack_unseen, strays, table_full;
	uint64_t syns, answers; /* flows that began by a SYN; those answered or refused, as was seen or follows */
	uint64_t seen;          /* ... of which the answer was seen, or sent here as a SYN cookie */
};

#define SNAPSHOTS 64

#define SUFFERING 32

#define GROWTH 4 /* samples: three intervals */
struct leak {
	uint64_t first_ns; /* of the service: another one, another number */
	uint32_t old[GROWTH];
	uint32_t samples;
};

struct detector {
	struct detect_opts opts;
	struct finding *table;
	uint32_t *next_id;
	const struct detect_view *view; /* during a tick */
	uint64_t now_ns;
	uint64_t tick;
	uint64_t suppressed; /* FINDING_BIT() of what raises nothing new */
	unsigned blind;
	bool unanswered;
	unsigned dropped; /* claims without a place, in the last tick */
	int8_t full_for[FINDING_COUNT]; /* of a kind: no place in this tick for that severity and milder; -1: not known */
	detect_fn fn;
	void *ctx;
	int16_t chain[CHAINS];
	struct place place[FINDING_ROOM];
	struct pending pending[PENDINGS];
	struct snapshot snapshot[SNAPSHOTS];
	unsigned snapshots; /* taken so far */
	struct leak *leak;  /* [leak_room], one for each service */
	unsigned leak_room;
	uint64_t leak_ns; /* the last sample */
	uint32_t *source; /* indices of live sources, singles first; [source_room] */
	unsigned source_room, singles, aggregates;
	uint32_t *source_chain; /* [source_room]: hash of an address -> index + 1, then source_next */
	uint32_t *source_next;
	struct hit_ref *ref; /* [HITS_MAX] */
	const struct service *suffering[SUFFERING]; /* services with most half-open flows; NULL: no more */
	bool hits_capped;    /* of the kind that is looked at: not all are listed */
};

/* ---- claims (detector.c) ---- */
/* The standing finding that this claim would refresh, or NULL. */
const struct finding *standing(struct detector *d, const struct claim *c);
/* A standing finding of this kind about an address: a source or prefix, or, with a port, a service. */
const struct finding *standing_at(struct detector *d, enum finding_kind kind, enum finding_subject subject,
				  const uint8_t addr[16], uint16_t port, uint32_t vlan);
/* Below this nothing holds, whether it stands or not: to be asked before a claim is made, of thousands of records. */
static inline bool near(uint64_t value, uint64_t limit)
{
	return value * 10 >= limit * 8;
}

/* value >= limit; where the finding stands already, value >= 80 % of it, so that it does not flap. */
bool holds(struct detector *d, const struct claim *c, uint64_t value, uint64_t limit);
/* value < limit; where the finding stands already, value < 125 % of it. */
bool holds_below(struct detector *d, const struct claim *c, uint64_t value, uint64_t limit);
/* Takes the claim into this tick's findings: raises, refreshes or widens one. */
void claim(struct detector *d, const struct claim *c);

static inline uint64_t opt(const struct detector *d, enum detect_param param)
{
	return d->opts.value[param];
}

/* ---- who and where ---- */
struct home {
	uint8_t addr[16];
	uint16_t port;
	uint32_t vlan;
};

static inline bool addr_v4(const uint8_t addr[16])
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	return !memcmp(addr, mapped, sizeof(mapped));
}

/* The ends of a flow; orig: its side. */
void flow_source(const struct flow_key *key, unsigned orig, struct home *home);	 /* IPv6: its /64 */
void flow_service(const struct flow_key *key, unsigned orig, struct home *home); /* address, port, VLAN */
/* Flows of this kind are grouped by their source, not by their service. */
bool grouped_by_source(enum finding_kind kind);
/* What the flows of a finding have in common: source or service. */
void finding_home(const struct finding *f, struct home *home);
/* Its subject is a source and a service together. Of other sources key.b_addr, b_port only tell where their samples go. */
bool of_pair(enum finding_kind kind);
/* The service that all samples agree on. False: there is none. */
bool common_service(const struct finding *f, struct home *home);
/* Sets key.b_addr, b_port of a source or prefix to that service, or to nothing. */
void name_service(struct finding *f);
uint64_t home_hash(unsigned kind, const struct home *home);

struct claim claim_of_source(enum finding_kind kind, const struct source *s);
struct claim claim_of_service(enum finding_kind kind, const struct service *s);
struct claim claim_of_home(enum finding_kind kind, enum finding_subject subject, const struct home *home);

/* ---- numbers ---- */
/* How much a counter grew in the present window and in the last whole one. */
struct recent {
	uint32_t now, last;
};

static inline struct recent service_10s(const struct service *s, enum service_counter i)
{
	return (struct recent){ (uint32_t)s->total[i] - s->window[i].begin10, s->window[i].last10 };
}

static inline struct recent source_10s(const struct source *s, enum source_counter i)
{
	return (struct recent){ s->count[i] - s->window[i].begin10, s->window[i].last10 };
}

static inline struct recent source_60s(const struct source *s, enum source_counter i)
{
	return (struct recent){ s->count[i] - s->window[i].begin60, s->window[i].last60 };
}

static inline uint32_t most(struct recent r)
{
	return r.now > r.last ? r.now : r.last;
}

static inline struct recent plus(struct recent a, struct recent b)
{
	return (struct recent){ a.now + b.now, a.last + b.last };
}

struct share {
	uint32_t percent; /* 100 where there is nothing to divide by */
	uint32_t part, of;
};

/*
 * part / of, both from the same window: the present one once it has `enough`, else the last whole one. A quotient of the
 * larger part and the larger whole, of two windows, would be of nothing.
 */
struct share share_of(struct recent part, struct recent of, uint32_t enough);
uint64_t percent_of(uint64_t part, uint64_t of);
/* How many different values are in the union of two sets (linear counting). */
unsigned distinct_count(const struct distinct *a, const struct distinct *b);

/* ---- one evaluation each ---- */
void find_blindness(struct detector *d);
/* What the whole instance counted of it in the last so many seconds. */
struct snapshot counted_in(const struct detector *d, unsigned seconds);
int index_sources(struct detector *d);
/* The record of a single source, or NULL. */
const struct source *source_of(const struct detector *d, const struct home *home);
/* One direction of more than 10 % of its connections was not seen. */
bool source_one_way(const struct source *s);
/* Rows of stale-syn and half-open: the share of the source's handshakes that complete, and of how many that is. */
#define COMPLETION_ROW 3
/* The row with the handshakes that a source completed in 60 s: of what anybody can send in its name. -1: none. */
int completed_row(enum finding_kind kind);
#define STALE_ROW 7 /* of stale-syn: SYNs that became stale in 10 s */
/* Rows of port-scan. */
enum { SCAN_HOSTS = 2, SCAN_PORTS = 3, SCAN_ONE_WAY = 6 };
void source_completion(const struct detector *d, const struct source *s, struct finding *f);
void find_in_sources(struct detector *d);
int grow_services(struct detector *d);
void find_in_services(struct detector *d);
void find_strays_in_services(struct detector *d);
void find_in_pairs(struct detector *d);
int room_for_hits(struct detector *d);
void find_in_flows(struct detector *d);
void find_everywhere(struct detector *d);

#endif
