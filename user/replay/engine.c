/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "replay/engine.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#define NS_PER_S 1000000000ULL
#define RING_BYTES (64U << 20)
#define DRAIN_PACKETS 8192  /* a packet emits some 1 KB at the very most */
#define SWEEP_SLICES 100000 /* more would be a sweep that never ends */
#define LINGER_STEPS 256
#define SWEEP_PACKETS 4096	 /* a sweep costs as much as about a thousand packets: not more often than that, ... */
#define SWEEP_NS (60 * NS_PER_S) /* ... but at least once in that time of the capture */
#define ETH_LEN 14
#define LOOK_MAX_NS (3600 * NS_PER_S)
#define WINDOWS_NS (180 * NS_PER_S) /* two windows of 60 s, and as long a finding may take to clear */

/* ---- events: kept until the next sweep, then sorted ---- */
static int keep_event(struct replay *r, const struct event *ev, size_t size)
{
	struct event_with_segment *slot;

	if (r->batch_count == r->batch_size) {
		uint32_t more = r->batch_size ? r->batch_size * 2 : 4096;
		void *batch = realloc(r->batch, more * sizeof(*r->batch));
		void *order = batch ? realloc(r->order, more * sizeof(*r->order)) : NULL;

		r->batch = batch ? batch : r->batch;
		r->order = order ? order : r->order;
		if (!order)
			return ward_fail(-ENOMEM, "", "cannot keep events: out of memory");
		r->batch_size = more;
	}
	slot = &r->batch[r->batch_count++];
	memset(slot, 0, sizeof(*slot));
	memcpy(slot, ev, size < sizeof(*slot) ? size : sizeof(*slot));
	return 0;
}

static void on_event(const struct event *ev, size_t size, void *ctx)
{
	struct replay *r = ctx;
	int err = 0;

	if (ev->type == EVENT_RETIRE) {
		if (size >= sizeof(struct event_with_flow))
			err = objects_fill(&r->objects, &ev->key, &((const struct event_with_flow *)ev)->flow, false);
	} else {
		if (ev->type == EVENT_STATE && ev->first)
			err = objects_add(&r->objects, &ev->key, ev->start_ns);
		if (!err && r->fn)
			err = keep_event(r, ev, size);
	}
	if (err && !r->err)
		r->err = err == -ENOMEM ? ward_fail(err, "", "cannot keep all flows: out of memory") : err;
}

static int order_events(const void *a, const void *b, void *ctx)
{
	const struct replay *r = ctx;
	uint32_t i = *(const uint32_t *)a, j = *(const uint32_t *)b;
	const struct event *x = &r->batch[i].event, *y = &r->batch[j].event;

	if (x->ts_ns != y->ts_ns)
		return x->ts_ns < y->ts_ns ? -1 : 1;
	if (x->timer != y->timer)
		return x->timer ? -1 : 1; /* a deadline has passed before what happens at that time */
	if (x->timer) {			  /* the walk of a hash map has no order that means anything */
		int differ = memcmp(&x->key, &y->key, sizeof(x->key));

		if (differ)
			return differ;
	}
	return i < j ? -1 : 1;
}

static int keep_news(struct replay *r, const struct finding *f, enum detect_news news)
{
	if (r->news_count == r->news_size) {
		uint32_t more = r->news_size ? r->news_size * 2 : 64;
		void *list = realloc(r->news, more * sizeof(*r->news));

		if (!list)
			return ward_fail(-ENOMEM, "", "cannot keep findings: out of memory");
		r->news = list;
		r->news_size = more;
	}
	r->news[r->news_count++] = (struct replay_news){ *f, news };
	return 0;
}

static void on_finding(const struct finding *f, enum detect_news news, void *ctx)
{
	struct replay *r = ctx;
	int err = keep_news(r, f, news);

	if (err && !r->err)
		r->err = err;
}

static void hand_out(struct replay *r)
{
	for (uint32_t i = 0; i < r->batch_count; i++)
		r->order[i] = i;
	if (r->batch_count)
		qsort_r(r->order, r->batch_count, sizeof(*r->order), order_events, r);
	for (uint32_t i = 0; i < r->batch_count; i++) {
		const struct event_with_segment *es = &r->batch[r->order[i]];

		r->fn(&es->event, sizeof(*es), r->ctx);
	}
	for (uint32_t i = 0; i < r->news_count; i++)
		r->finding_fn(&r->news[i].finding, r->news[i].news, r->ctx);
	r->batch_count = 0;
	r->news_count = 0;
}

static int drain(struct replay *r)
{
	ward_reader_poll(r->reader);
	r->lost += ward_reader_lost(r->reader);
	r->undrained = 0;
	return r->err;
}

/* All timers up to now_ns, without handing out what they report. */
static int sweep(struct replay *r, uint64_t now_ns)
{
	int more = 1, err = drain(r);

	for (int i = 0; !err && more > 0 && i < SWEEP_SLICES; i++) {
		more = ward_sweep(r->w, now_ns);
		err = more < 0 ? more : drain(r);
	}
	r->swept_ns = now_ns;
	r->swept_packets = r->packets;
	return err;
}

/*
 * Live, the sweep comes once a second. A capture with long silences would do nothing else; since a packet first applies
 * what time owes to its own flow, and events are sorted before they are handed out, a later sweep gives the same.
 */
static bool sweep_due(const struct replay *r, uint64_t now_ns)
{
	if (now_ns / NS_PER_S == r->swept_ns / NS_PER_S)
		return false;
	return r->packets - r->swept_packets >= SWEEP_PACKETS || now_ns - r->swept_ns >= SWEEP_NS;
}

/*
 * The next time to look between the last sweep and `until`: the next whole second. Once the silence is so long that no
 * threshold and no window is left that could still be reached, in steps that double, up to an hour: only time-outs come.
 */
static uint64_t next_look(const struct replay *r, uint64_t until)
{
	uint64_t next = (r->swept_ns / NS_PER_S + 1) * NS_PER_S, silent = next - r->fed_ns, step = NS_PER_S;

	while (silent > r->quiet_ns + 2 * step && step < LOOK_MAX_NS)
		step *= 2;
	next += step - NS_PER_S;
	return next < until ? next : until;
}

/* Each whole second up to now_ns, as the keeper does it live. */
static int look_until(struct replay *r, uint64_t now_ns)
{
	int err = 0;

	while (!err && r->swept_ns / NS_PER_S < now_ns / NS_PER_S) {
		err = sweep(r, next_look(r, now_ns / NS_PER_S * NS_PER_S));
		hand_out(r);
	}
	return err;
}

static int feed(struct replay *r, const struct capture_packet *p)
{
	uint64_t now = capture_clock_tick(&r->clock, p->ts_ns);
	int err = 0;

	if (!r->packets++)
		r->first_ns = r->swept_ns = r->fed_ns = now;
	if (r->each_second && now / NS_PER_S > r->swept_ns / NS_PER_S) {
		err = look_until(r, now);
	} else if (sweep_due(r, now)) {
		err = sweep(r, now);
		hand_out(r);
	} else if (++r->undrained >= DRAIN_PACKETS) {
		err = drain(r);
	}
	if (err)
		return err;
	r->fed_ns = now;
	if (!p->len || (!p->l3 && p->len < ETH_LEN)) {
		r->cut++;
		return 0;
	}
	if (r->before)
		r->before(p, r->ctx);
	err = ward_feed(r->w, p->data, p->len, p->wire_len, p->l3, now, r->packets);
	return err < 0 ? err : 0;
}

/* ---- a whole replay ---- */
/*
 * The programs count some things on each CPU apart (which sources are worth a record): on one alone the same capture has the
 * same output. Where that is not allowed it may differ in such things.
 */
static void stay_on_this_cpu(void)
{
	int cpu = sched_getcpu();
	cpu_set_t set;

	if (cpu < 0 || cpu >= CPU_SETSIZE)
		return;
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

int replay_open(const struct ward_options *opt, ward_event_fn fn, void *ctx, struct replay *r)
{
	struct ward_options own = *opt;
	int err;

	memset(r, 0, sizeof(*r));
	own.replay = true;
	r->fn = fn;
	r->ctx = ctx;
	stay_on_this_cpu();
	err = ward_load(&own, &r->w);
	if (!err)
		err = ward_reader_open(r->w, RING_BYTES, on_event, r, &r->reader);
	if (err)
		replay_close(r);
	return err;
}

void replay_want_findings(struct replay *r, ward_finding_fn fn)
{
	const struct detect_opts *opts = ward_detect_opts(r->w);
	const struct param_row *params = detect_params();

	r->each_second = true;
	r->finding_fn = fn;
	for (int i = 0; i < PARAM_COUNT; i++)
		if (params[i].unit == UNIT_TIME && opts->value[i] > r->quiet_ns)
			r->quiet_ns = opts->value[i];
	r->quiet_ns += WINDOWS_NS;
	ward_on_finding(r->w, on_finding, r);
}

int replay_file(struct replay *r, const char *path, struct capture_error *error)
{
	struct capture_packet packet;
	struct capture *c;
	int err = capture_open(path, &c, error);

	if (err)
		return err;
	error->text[0] = '\0';
	while ((err = capture_next(c, &packet, error)) > 0) {
		err = feed(r, &packet);
		if (err)
			break;
	}
	capture_close(c);
	return err;
}

static int on_survivor(const struct flow_key *key, const struct flow *flow, bool embryo, void *ctx)
{
	struct replay *r = ctx;

	return objects_fill(&r->objects, key, flow, embryo);
}

int replay_finish(struct replay *r, uint64_t linger_ns)
{
	uint64_t end = r->clock.now_ns + linger_ns, step = linger_ns / LINGER_STEPS;
	int err = r->packets ? sweep(r, r->clock.now_ns) : 0;

	r->last_ns = r->clock.now_ns;
	if (step < NS_PER_S)
		step = NS_PER_S;
	if (!err && r->packets && r->each_second)
		err = look_until(r, end);
	while (!err && r->packets && r->swept_ns < end)
		err = sweep(r, end - r->swept_ns > step ? r->swept_ns + step : end);
	hand_out(r);
	r->clock.now_ns = end;
	if (err)
		return err;
	err = ward_flows_each(r->w, on_survivor, r);
	return err == -ENOMEM ? ward_fail(err, "", "cannot keep all flows: out of memory") : err;
}

void replay_close(struct replay *r)
{
	if (r->reader)
		ward_reader_close(r->reader);
	if (r->w)
		ward_close(r->w);
	objects_free(&r->objects);
	free(r->batch);
	free(r->news);
	free(r->order);
	memset(r, 0, sizeof(*r));
}
