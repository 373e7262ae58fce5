/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The same segments through the loaded programs and through the tracker compiled natively: after each the records must be
 * the same, field by field. What differs between the two is what clang makes of the source for either, the fast path, the
 * SYN at rest in one cache line, the way from there into the flow table, and the sweep: none may show.
 *
 * Random connections, one after the other, in any encapsulation; segments whose numbers lie near those of the record
 * (native/script.h), steps of the clock, sweeps. Then the control: with one setting changed natively a difference is found.
 *
 *   DIFFER_SEED=N repeats a run; DIFFER_SEGMENTS=N: how many, 100000 by default, for each of the three settings together
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "native/native.h"
#include "native/record.h"
#include "native/script.h"
#include "native/tracker.h"
#include "prog/rig.h"

#define SEGMENTS 100000
#define STEPS_MAX 80 /* of one connection */
#define STEP_BYTES 6 /* of native/script.h */
#define EMPTY_EVERY 400 /* connections: then all records go */

/* What to send, and how it came out. */
struct twin {
	struct rig rig;
	struct tracker tracker;
	struct wire_layout layout;
	struct wire_end end[2]; /* side A, side B */
	struct flow_key key;
	unsigned long segments, fast, connections, compared;
	uint64_t dice;
	bool embryo; /* the programs have it there */
	bool quiet;  /* a difference is wanted: it is not told */
};

static uint32_t any(struct twin *p, uint32_t n)
{
	p->dice ^= p->dice << 13;
	p->dice ^= p->dice >> 7;
	p->dice ^= p->dice << 17;
	return (uint32_t)(p->dice >> 32) % n;
}

static const struct wire_layout layouts[] = {
	{ .name = "v4" },
	{ .name = "v4 tag", .tags = 1 },
	{ .name = "v6", .v6 = true },
	{ .name = "v6 tags extensions", .v6 = true, .tags = 2, .extensions = true },
	{ .name = "v4 options", .ip_options = 8, .options = OPTIONS_ODD },
	{ .name = "v4 straight", .l3 = true },
};
#define LAYOUTS (sizeof(layouts) / sizeof(*layouts))

static void next_connection(struct twin *p)
{
	uint32_t n = (uint32_t)p->connections++;
	struct wire_end one, other;
	int side;

	p->layout = layouts[any(p, LAYOUTS)];
	wire_address(&one, p->layout.v6, 1000 + n % 60000, (uint16_t)(1024 + n % 50000));
	wire_address(&other, p->layout.v6, any(p, 2) ? 1 : 0xffff00, 443);
	side = wire_key(&p->key, &one, &other);
	p->end[side] = one;
	p->end[!side] = other;
	tracker_init(&p->tracker, &p->tracker.opts);
	if (n % EMPTY_EVERY == EMPTY_EVERY - 1)
		rig_empty(&p->rig);
}

/* The segment as a frame, to the programs; what the native parser makes of that frame, to the tracker. 0, or it is told. */
static int send(struct twin *p, const struct segment *seg)
{
	struct wire_segment w = { .bits = seg->bits, .seq = seg->seq, .ack = seg->ack, .len = seg->len, .win = seg->win,
				  .ts = seg->tsval, .ws = seg->ws, .has_ts = seg->opts & SEG_TS, .has_ws = seg->opts & SEG_WS };
	uint8_t frame[WIRE_MAX];
	struct native_frame native = { .data = frame, .tag = VLAN_UNSEEN, .l3 = p->layout.l3, .replay = 1,
				       .now_ns = p->rig.now_ns };
	struct native_parsed parsed;
	struct flow fast, slow;
	char text[120];

	if (w.len > 1448)
		w.len = 1448;
	native.len = native.wire_len =
		(__u32)wire_build(frame, &p->layout, &p->end[seg->dir], &p->end[!seg->dir], &w);
	if (rig_send(&p->rig, HOOK_XDP, frame, native.len, native.len, p->layout.l3, 0) < 0 ||
	    native_parse(&native, &parsed) != NATIVE_PARSED || memcmp(&parsed.seg.key, &p->key, sizeof(p->key)) ||
	    parsed.seg.dir != seg->dir) {
		printf("# a frame is not parsed: %s\n", p->layout.name);
		return 1;
	}
	p->segments++;
	tracker_clock(&p->tracker, parsed.seg.now_ns);
	fast = p->tracker.flow;
	/* an embryo takes the slow path: also one that is open, while the former record of its ports waits for its deletion */
	if (!p->tracker.alive || p->embryo || !native_fast(&fast, &parsed.seg, &p->tracker.opts)) {
		tracker_segment(&p->tracker, &parsed.seg);
		return 0;
	}
	/* the programs took the fast path: it must come to the same, but for the runs that it ends (tcp_marks.h) */
	p->fast++;
	tracker_segment(&p->tracker, &parsed.seg);
	slow = p->tracker.flow;
	p->tracker.flow = fast;
	record_forget(&fast, parsed.seg.now_ns);
	record_of_fast(&fast);
	record_of_fast(&slow);
	if (!record_differs(&slow, &fast, text))
		return 0;
	if (!p->quiet)
		printf("# the slow path, the fast path: %s\n", text);
	return 1;
}

/* 0: both have the same record, or none. */
static int compare(struct twin *p)
{
	struct flow have, want = p->tracker.flow;
	bool lives = !ward_flow_get(p->rig.w, &p->key, &have, &p->embryo);
	char text[120];

	p->compared++;
	if (lives != p->tracker.alive) {
		if (!p->quiet)
			printf("# the programs have %s record, the tracker has %s\n", lives ? "a" : "no", p->tracker.alive ? "one" : "none");
		return 1;
	}
	if (!lives)
		return 0;
	/* the place's own, the accounts' */
	have.gen = want.gen = 0;
	have.phase &= PHASE_SLOW | PHASE_WATCH;
	want.phase &= PHASE_SLOW | PHASE_WATCH;
	if (!record_differs(&have, &want, text))
		return 0;
	if (!p->quiet)
		printf("# the programs%s, the tracker: %s\n", p->embryo ? " (an embryo)" : "", text);
	return 1;
}

static void print_step(const struct segment *seg, bool sent)
{
	if (sent)
		printf("#   %llu ns %c bits %#x seq %u ack %u len %u win %u opts %#x tsval %u ws %u\n",
		       (unsigned long long)(seg->now_ns % (100000 * NS_PER_S)), "AB"[seg->dir], seg->bits, seg->seq, seg->ack,
		       seg->len, seg->win, seg->opts, seg->tsval, seg->ws);
	else
		printf("#   a sweep\n");
}

/* Connections of one seed until so many segments were sent. false: a difference, which is told. */
static bool run(struct twin *p, unsigned long segments)
{
	uint8_t bytes[STEPS_MAX * STEP_BYTES];
	struct segment sent[STEPS_MAX];
	bool was_sent[STEPS_MAX];

	while (p->segments < segments) {
		uint32_t steps = 2 + any(p, STEPS_MAX - 2), calm = any(p, 4);
		struct bytes in = { bytes, steps * STEP_BYTES };
		struct script script;
		int bad = 0;

		next_connection(p);
		for (uint32_t i = 0; i < sizeof(bytes); i++)
			bytes[i] = (uint8_t)any(p, 256);
		/* most segments follow the one before soon, by its numbers: else no connection lives for long */
		for (uint32_t i = 0; i < steps && calm; i++) {
			bytes[i * STEP_BYTES] &= any(p, 8) ? 0x27 : 0xff;
			if (any(p, 5)) {
				bytes[i * STEP_BYTES + 2] &= 0xf0;
				bytes[i * STEP_BYTES + 3] = 8;
				bytes[i * STEP_BYTES + 4] &= 0xf0;
				bytes[i * STEP_BYTES + 5] = 8;
			}
			if (any(p, 3))
				bytes[i * STEP_BYTES + 1] = i == 0 ? 0 : i == 1 ? 1 : 2 + (uint8_t)any(p, 2);
			if (i < 3 && calm > 1)
				bytes[i * STEP_BYTES] = (bytes[i * STEP_BYTES] & 0x3e) | (i == 1);
		}
		script_begin(&script, &in, p->rig.now_ns);
		for (uint32_t i = 0; i < steps && !bad; i++) {
			was_sent[i] = script_next(&script, &p->tracker, &sent[i]);
			if (was_sent[i]) {
				p->rig.now_ns = script.now_ns;
				bad = send(p, &sent[i]);
			} else {
				rig_wait(&p->rig, script.now_ns - p->rig.now_ns);
				tracker_clock(&p->tracker, script.now_ns);
				if (p->tracker.alive && flow_shut_changed(&p->tracker.flow)) /* the sweep looks */
					flow_shut_update(&p->tracker.flow, script.now_ns);
			}
			bad |= compare(p);
			if (!bad)
				continue;
			if (!p->quiet)
				printf("# connection %lu, %s, step %u:\n", p->connections, p->layout.name, i);
			for (uint32_t k = 0; k <= i && !p->quiet; k++)
				print_step(&sent[k], was_sent[k]);
			return false;
		}
	}
	return true;
}

struct setting {
	const char *name;
	bool tap, rfc1337, no_pickup;
};

/* other: natively rfc1337 is the other way round. */
static bool run_setting(const struct setting *s, unsigned long segments, uint64_t seed, bool other, struct twin *p)
{
	struct rig_options opt;
	bool same;

	memset(p, 0, sizeof(*p));
	p->quiet = other;
	p->dice = seed * 0x9e3779b97f4a7c15ULL | 1;
	rig_options_init(&opt);
	opt.ward.tap = s->tap;
	opt.ward.rfc1337 = s->rfc1337;
	opt.ward.no_pickup = s->no_pickup;
	rig_open(&p->rig, &opt);
	track_opts_init(&p->tracker.opts);
	p->tracker.opts.tap = s->tap;
	p->tracker.opts.rfc1337 = s->rfc1337 ^ other;
	p->tracker.opts.loose = !s->no_pickup;
	same = run(p, segments);
	rig_close(&p->rig);
	return same;
}

int main(void)
{
	static const struct setting settings[] = {
		{ "the defaults", false, false, false },
		{ "a mirror port, rfc1337", true, true, false },
		{ "no pick-up", false, false, true },
	};
	const char *seed_text = getenv("DIFFER_SEED"), *segments_text = getenv("DIFFER_SEGMENTS");
	uint64_t seed = seed_text ? strtoull(seed_text, NULL, 0) : (uint64_t)time(NULL);
	unsigned long segments = segments_text ? strtoul(segments_text, NULL, 0) : SEGMENTS, all = 0;
	bool differs;
	struct twin p;

	printf("# DIFFER_SEED=%llu repeats this run\n", (unsigned long long)seed);
	fflush(stdout);
	for (size_t i = 0; i < sizeof(settings) / sizeof(*settings); i++) {
		bool same = run_setting(&settings[i], segments / 3 + 1, seed * 3 + i, false, &p);

		all += p.segments;
		rig_report(same && p.fast * 50 > p.segments, settings[i].name,
			   "%lu segments of %lu connections, %lu by the fast path, %lu records compared", p.segments,
			   p.connections, p.fast, p.compared);
	}
	rig_report(all >= segments, "segments", "%lu", all);
	differs = !run_setting(&settings[0], segments, seed, true, &p);
	rig_report(differs, "the control: another setting natively is found", "after %lu segments", p.segments);
	return rig_result();
}
