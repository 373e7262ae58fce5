// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The life of findings: raised, refreshed, widened, cleared, forgotten; who gives way where there is no room. */
#include <stdlib.h>

#include "detect/internal.h"

struct detector *detector_new(const struct detect_opts *opts, struct finding *table, uint32_t *next_id)
{
	struct detector *d = calloc(1, sizeof(*d));

	if (!d || room_for_hits(d)) {
		free(d);
		return NULL;
	}
	d->opts = *opts;
	d->table = table;
	d->next_id = next_id;
	d->tick = 1; /* so that a pending claim of tick 0 is an old one */
	if (!*next_id)
		*next_id = 1;
	return d;
}

void detector_free(struct detector *d)
{
	if (!d)
		return;
	free(d->leak);
	free(d->source);
	free(d->source_chain);
	free(d->source_next);
	free(d->ref);
	free(d);
}

unsigned detector_blind(const struct detector *d)
{
	return d->blind;
}

bool detector_unanswered(const struct detector *d)
{
	return d->unanswered;
}

unsigned detector_dropped(const struct detector *d)
{
	return d->dropped;
}

/* ---- finding the standing one ---- */
static bool stands(const struct finding *f)
{
	return f->id && !f->cleared_ns;
}

static void chain_add(struct detector *d, int i)
{
	struct home home;
	int16_t *head;

	finding_home(&d->table[i], &home);
	d->place[i].hash = home_hash(d->table[i].kind, &home);
	head = &d->chain[d->place[i].hash % CHAINS];
	d->place[i].next = *head;
	*head = (int16_t)i;
}

static void chain_remove(struct detector *d, int i)
{
	int16_t *at = &d->chain[d->place[i].hash % CHAINS];

	while (*at >= 0 && *at != i)
		at = &d->place[*at].next;
	if (*at >= 0)
		*at = d->place[i].next;
}

/* Of two of one kind. Where the samples of a source go does not matter: that changes while it stands. */
static bool same_subject(const struct finding *a, const struct finding *b)
{
	if (a->subject != b->subject || a->prefix_len != b->prefix_len)
		return false;
	if ((a->subject == SUBJECT_SOURCE || a->subject == SUBJECT_PREFIX) && !of_pair(a->kind))
		return !memcmp(a->key.a_addr, b->key.a_addr, 16) && a->key.a_port == b->key.a_port &&
		       a->key.vlan == b->key.vlan;
	return !memcmp(&a->key, &b->key, sizeof(a->key));
}

/* The subject that a group of flows is widened to. */
static enum finding_subject wide_subject(enum finding_kind kind)
{
	return grouped_by_source(kind) ? SUBJECT_SOURCE : SUBJECT_SERVICE;
}

/* A finding about one flow and one about the group that it belongs to are the same one. */
static bool same_group(const struct finding *a, const struct finding *b)
{
	enum finding_subject wide = wide_subject(a->kind);
	struct home one, other;

	if ((a->subject != SUBJECT_FLOW && a->subject != wide) || (b->subject != SUBJECT_FLOW && b->subject != wide))
		return false;
	if (a->subject != SUBJECT_FLOW && b->subject != SUBJECT_FLOW)
		return false;
	finding_home(a, &one);
	finding_home(b, &other);
	return !memcmp(&one, &other, sizeof(one));
}

/* Place of the standing finding that f is about; an exact subject before a group. -1: none. */
static int place_of(struct detector *d, const struct finding *f)
{
	struct home home;
	uint64_t hash;
	int group = -1;

	finding_home(f, &home);
	hash = home_hash(f->kind, &home);
	for (int i = d->chain[hash % CHAINS]; i >= 0; i = d->place[i].next) {
		if (d->place[i].hash != hash || d->table[i].kind != f->kind)
			continue;
		if (same_subject(&d->table[i], f))
			return i;
		if (same_group(&d->table[i], f))
			group = i;
	}
	return group;
}

const struct finding *standing(struct detector *d, const struct claim *c)
{
	int i = place_of(d, &c->f);

	return i < 0 ? NULL : &d->table[i];
}

const struct finding *standing_at(struct detector *d, enum finding_kind kind, enum finding_subject subject,
				  const uint8_t addr[16], uint16_t port, uint32_t vlan)
{
	struct home home;
	uint64_t hash;

	memset(&home, 0, sizeof(home));
	memcpy(home.addr, addr, 16);
	home.port = port;
	home.vlan = vlan;
	hash = home_hash(kind, &home);
	for (int i = d->chain[hash % CHAINS]; i >= 0; i = d->place[i].next) {
		const struct finding *f = &d->table[i];

		if (d->place[i].hash == hash && f->kind == kind && f->subject == subject &&
		    !memcmp(f->key.a_addr, addr, 16) && f->key.a_port == port && f->key.vlan == vlan)
			return f;
	}
	return NULL;
}

bool holds(struct detector *d, const struct claim *c, uint64_t value, uint64_t limit)
{
	if (value >= limit)
		return true;
	return near(value, limit) && standing(d, c);
}

bool holds_below(struct detector *d, const struct claim *c, uint64_t value, uint64_t limit)
{
	if (value < limit)
		return true;
	return value * 8 < limit * 10 && standing(d, c);
}

/* ---- room ---- */
static void tell(struct detector *d, const struct finding *f, enum detect_news news)
{
	if (d->fn)
		d->fn(f, news, d->ctx);
}

static void clear(struct detector *d, int i)
{
	d->table[i].cleared_ns = d->now_ns;
	tell(d, &d->table[i], DETECT_CLEARED);
}

/* Of two that stand: does a give way before b? The milder one, then the older one. */
static bool gives_way(const struct finding *a, const struct finding *b)
{
	if (a->severity != b->severity)
		return a->severity < b->severity;
	return a->raised_ns < b->raised_ns;
}

/*
 * Of a kind that has more than a quarter of the table, and more than this kind has: its mildest, if it is no more severe.
 * So a thousand forged addresses of one kind do not hide what is found of another. -1: there is none.
 */
static int of_a_crowd(const struct detector *d, unsigned kind, unsigned severity, const unsigned count[FINDING_COUNT])
{
	int crowd = -1;

	for (int i = 0; i < FINDING_ROOM; i++) {
		const struct finding *f = &d->table[i];
		unsigned most = crowd < 0 ? 0 : count[d->table[crowd].kind];

		if (f->severity > severity || count[f->kind] <= FINDING_ROOM / 4 || count[f->kind] <= count[kind] + 1)
			continue;
		if (count[f->kind] > most || (f->kind == d->table[crowd].kind && gives_way(f, &d->table[crowd])))
			crowd = i;
	}
	return crowd;
}

/* A free place, else that of the finding cleared first, else that of a milder one, or of a crowd. -1: none. */
static int room_for(struct detector *d, unsigned kind, unsigned severity)
{
	unsigned count[FINDING_COUNT] = { 0 };
	int cleared = -1, mildest = -1;

	for (int i = 0; i < FINDING_ROOM; i++) {
		const struct finding *f = &d->table[i];

		if (!f->id)
			return i;
		if (f->cleared_ns) {
			if (cleared < 0 || f->cleared_ns < d->table[cleared].cleared_ns)
				cleared = i;
			continue;
		}
		count[f->kind]++;
		if (mildest < 0 || gives_way(f, &d->table[mildest]))
			mildest = i;
	}
	if (cleared >= 0)
		return cleared;
	if (d->table[mildest].severity >= severity)
		mildest = of_a_crowd(d, kind, severity, count);
	if (mildest < 0)
		return -1;
	chain_remove(d, mildest);
	if (!d->place[mildest].is_new)
		clear(d, mildest);
	d->dropped++;
	return mildest;
}

/*
 * Other processes read the table while it is written: a place with an id holds a whole finding. So the id goes first and
 * comes last.
 */
static void place_empty(struct finding *at)
{
	__atomic_store_n(&at->id, 0, __ATOMIC_RELEASE);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	memset(at, 0, sizeof(*at));
}

static void place_fill(struct finding *at, const struct finding *f)
{
	struct finding body = *f;

	place_empty(at);
	body.id = 0;
	*at = body;
	__atomic_store_n(&at->id, f->id, __ATOMIC_RELEASE);
}

/* ---- claims ---- */
/* The claim has held for as long as it must. */
static bool held(struct detector *d, const struct claim *c)
{
	struct pending *free = NULL;
	struct home home;
	uint64_t hash;

	if (!c->hold_ns)
		return true;
	finding_home(&c->f, &home);
	hash = home_hash(c->kind, &home) + c->f.subject + c->f.prefix_len;
	for (unsigned i = 0; i < 8; i++) {
		struct pending *p = &d->pending[(hash + i) % PENDINGS];

		if (p->hash == hash && p->tick + 1 >= d->tick) {
			p->tick = d->tick;
			return d->now_ns - p->since_ns >= c->hold_ns;
		}
		if (!free && p->tick + 1 < d->tick)
			free = p;
	}
	if (!free)
		return true; /* too many at once to wait for each: rather early than never */
	*free = (struct pending){ hash, d->now_ns, d->tick };
	return false;
}

/* The second claim of a tick for one finding: the worse of each number. */
static void merge(struct finding *to, const struct finding *from)
{
	if (from->evidence[0] > to->evidence[0])
		to->at_least = from->at_least;
	if (from->severity > to->severity)
		to->severity = from->severity;
	for (int i = 0; i < FINDING_EVIDENCE; i++) {
		if (from->evidence[i] > to->evidence[i])
			to->evidence[i] = from->evidence[i];
		if (!to->limit[i])
			to->limit[i] = from->limit[i];
	}
	if (to->samples)
		return;
	memcpy(to->sample, from->sample, sizeof(to->sample));
	memcpy(to->sample_orig, from->sample_orig, sizeof(to->sample_orig));
	to->samples = from->samples;
}

static void take(struct place *p, const struct finding *f)
{
	if (p->is_claimed) {
		merge(&p->claimed, f);
		return;
	}
	p->claimed = *f;
	p->is_claimed = true;
}

/* Another flow of the same group, or the group itself: the finding is about the group from now on. */
static void widen(struct detector *d, int i, const struct finding *with)
{
	struct finding *f = &d->table[i];
	struct home home;

	if (f->subject != SUBJECT_FLOW || same_subject(f, with))
		return;
	finding_home(f, &home);
	memset(&f->key, 0, sizeof(f->key));
	memcpy(f->key.a_addr, home.addr, 16);
	f->key.a_port = home.port;
	f->key.vlan = home.vlan;
	f->subject = wide_subject(f->kind);
	f->prefix_len = f->subject == SUBJECT_SOURCE && !addr_v4(home.addr) ? 64 : 0;
	f->orig = 0;
	d->place[i].is_wider = true;
}

static void fill_limits(const struct detector *d, struct finding *f)
{
	const struct evidence_row *rows;
	unsigned count = finding_evidence(f->kind, &rows);

	for (unsigned i = 0; i < count; i++)
		if (rows[i].param != PARAM_NONE && !f->limit[i])
			f->limit[i] = opt(d, rows[i].param);
}

void claim(struct detector *d, const struct claim *c)
{
	struct finding f = c->f;
	int i = place_of(d, &f);

	fill_limits(d, &f);
	if (i >= 0) {
		widen(d, i, &f);
		take(&d->place[i], &f);
		return;
	}
	if ((d->suppressed >> c->kind & 1) || !held(d, c))
		return;
	i = f.severity <= d->full_for[f.kind] ? -1 : room_for(d, f.kind, f.severity);
	if (i < 0) {
		d->full_for[f.kind] = f.severity;
		d->dropped++;
		return;
	}
	f.id = (*d->next_id)++;
	if (!*d->next_id)
		*d->next_id = 1;
	f.raised_ns = f.updated_ns = d->now_ns;
	place_fill(&d->table[i], &f);
	d->place[i] = (struct place){ .is_new = true, .severe_ns = d->now_ns };
	take(&d->place[i], &f);
	chain_add(d, i);
}

/* ---- the tick ---- */
static void begin(struct detector *d)
{
	memset(d->chain, -1, sizeof(d->chain));
	for (int i = 0; i < FINDING_ROOM; i++) {
		struct finding *f = &d->table[i];
		struct place *p = &d->place[i];

		p->is_claimed = p->is_new = p->is_wider = false;
		if (f->id && f->cleared_ns && d->now_ns > f->cleared_ns && d->now_ns - f->cleared_ns >= KEEP_CLEARED_NS)
			place_empty(f);
		if (f->id && f->kind >= FINDING_COUNT) /* of a build that knew more kinds */
			place_empty(f);
		if (stands(f))
			chain_add(d, i);
	}
}

/* The severity rises at once, and falls when the worse one was not claimed for a while. True: it changed. */
static bool settle_severity(struct detector *d, struct finding *f, struct place *p)
{
	unsigned severity = p->claimed.severity;

	if (severity >= f->severity)
		p->severe_ns = d->now_ns;
	if (severity == f->severity || (severity < f->severity && d->now_ns - p->severe_ns < CLEAR_AFTER_NS))
		return false;
	f->severity = severity;
	p->severe_ns = d->now_ns;
	return true;
}

static void refresh(struct detector *d, int i)
{
	struct finding *f = &d->table[i];
	struct place *p = &d->place[i];
	const struct finding *now = &p->claimed;
	bool changed;

	if (memcmp(f->evidence, now->evidence, sizeof(f->evidence)) || p->is_wider)
		f->updated_ns = d->now_ns;
	changed = settle_severity(d, f, p);
	memcpy(f->evidence, now->evidence, sizeof(f->evidence));
	memcpy(f->limit, now->limit, sizeof(f->limit));
	f->at_least = now->at_least;
	f->last_true_ns = d->now_ns;
	if (f->evidence[0] > f->peak)
		f->peak = f->evidence[0];
	if (now->samples) {
		memcpy(f->sample, now->sample, sizeof(f->sample));
		memcpy(f->sample_orig, now->sample_orig, sizeof(f->sample_orig));
		f->samples = now->samples;
	}
	name_service(f);
	if (changed)
		f->updated_ns = d->now_ns;
	if (p->is_new)
		return;
	if (changed || p->is_wider)
		tell(d, f, DETECT_UPDATED);
}

static int by_id(const void *a, const void *b)
{
	const struct finding *const *x = a, *const *y = b;

	return (*x)->id < (*y)->id ? -1 : (*x)->id > (*y)->id;
}

static unsigned count_standing(const struct detector *d)
{
	unsigned count = 0;

	for (int i = 0; i < FINDING_ROOM; i++)
		count += stands(&d->table[i]);
	return count;
}

/* Claims become evidence; what is not claimed for a while is cleared; then the new ones are told, in order. */
static unsigned settle(struct detector *d)
{
	const struct finding *fresh[FINDING_ROOM];
	unsigned raised = 0;

	for (int i = 0; i < FINDING_ROOM; i++) {
		struct finding *f = &d->table[i];

		if (!stands(f))
			continue;
		if (d->place[i].is_claimed)
			refresh(d, i);
		else if (d->now_ns > f->last_true_ns && d->now_ns - f->last_true_ns >= CLEAR_AFTER_NS)
			clear(d, i);
		if (d->place[i].is_new)
			fresh[raised++] = f;
	}
	qsort(fresh, raised, sizeof(*fresh), by_id);
	for (unsigned i = 0; i < raised; i++)
		tell(d, fresh[i], DETECT_RAISED);
	return count_standing(d);
}

unsigned detector_tick(struct detector *d, const struct detect_view *view, detect_fn fn, void *ctx)
{
	d->view = view;
	d->now_ns = view->now_ns;
	d->tick++;
	d->dropped = 0;
	memset(d->full_for, -1, sizeof(d->full_for));
	d->fn = fn;
	d->ctx = ctx;
	begin(d);
	find_blindness(d);
	if (index_sources(d) || grow_services(d)) /* no memory: what cannot be looked at is not over */
		return count_standing(d);
	/* Where two evaluations explain the same flows, the one that says more comes first: the other looks for it. */
	find_in_services(d);
	find_in_sources(d);
	find_strays_in_services(d);
	find_in_pairs(d);
	find_in_flows(d);
	find_everywhere(d);
	return settle(d);
}
