/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Every vector as packets through the loaded programs: by XDP, by XDP and tc egress, by tc alone; in every
 * encapsulation. After each segment the record's state pair is compared with the vector's, and with what the events so far say;
 * at the end flags, conn_state and history. And a control: vectors made wrong must be found wrong.
 *
 * test_programs short: in the first encapsulations alone, and vectors with options of their own by XDP alone, since loading is
 * slow where a kernel runs under QEMU (tests/vm).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/vectors.h"
#include "prog/rig.h"
#include "report/report.h"
#include "tcp_fsm.h"

#define RING_BYTES (1 << 20)

/* Which program sees the client's and the server's segments. */
struct path {
	const char *name;
	enum rig_hook hook[2];
};

static const struct path paths[] = {
	{"xdp", {HOOK_XDP, HOOK_XDP}},
	{"xdp and tc egress", {HOOK_XDP, HOOK_TC_OUT}},
	{"tc ingress and egress", {HOOK_TC_IN, HOOK_TC_OUT}},
};

static const struct wire_layout layouts[] = {
	{.name = "IPv4"},
	{.name = "two VLAN tags, IPv6", .tags = 2, .v6 = true},
	{.name = "IPv4, odd TCP options, Ethernet padding", .options = OPTIONS_ODD, .padding = 18},
	{.name = "IPv6", .v6 = true},
	{.name = "IPv6, odd TCP options", .v6 = true, .options = OPTIONS_ODD},
	{.name = "one VLAN tag, IPv4", .tags = 1},
	{.name = "IPv4 with 40 bytes of options", .ip_options = 40},
	{.name = "two VLAN tags, IPv4 with options", .tags = 2, .ip_options = 8},
	{.name = "IPv6 with three extension headers", .v6 = true, .extensions = true},
	{.name = "one VLAN tag, IPv6 with three extension headers", .tags = 1, .v6 = true, .extensions = true},
	{.name = "IPv4 without Ethernet", .l3 = true},
	{.name = "IPv6 without Ethernet", .l3 = true, .v6 = true},
};

#define LAYOUTS (sizeof(layouts) / sizeof(*layouts))
#define LAYOUTS_SHORT 2
#define PATHS (sizeof(paths) / sizeof(*paths))

static bool brief;

/* One trace under way: what the events said of it. */
struct run {
	struct rig *rig;
	const struct vector_trace *v;
	const struct wire_layout *layout;
	const struct path *path;
	struct wire_end end[2]; /* client, server */
	struct flow_key key;
	int client; /* its side in the key */
	bool quiet;
	int bad, pairs;
	/* from events */
	uint64_t flags;
	uint8_t state[2], conf;
	bool live, retired;
	struct flow last; /* the last record seen */
	uint16_t vlan;
};

struct group {
	struct rig rig;
	struct ward_reader *reader;
	struct run *now;
};

static void on_event(const struct event *ev, size_t size, void *ctx)
{
	struct group *g = ctx;
	struct run *r = g->now;

	if (!r || memcmp(&ev->key, &r->key, sizeof(ev->key)))
		return;
	r->flags |= ev->flags;
	if (ev->type == EVENT_STATE) {
		memcpy(r->state, ev->state, 2);
		r->conf = ev->conf;
		r->live = true;
	} else if (ev->type == EVENT_RETIRE && size >= sizeof(struct event_with_flow)) {
		r->last = ((const struct event_with_flow *)ev)->flow;
		r->flags |= r->last.flags & FLAGS_REPORTED;
		r->live = false;
		r->retired = true;
	}
}

static void differ(struct run *r, int line, const char *what, const char *want, const char *have)
{
	r->bad++;
	if (!r->quiet)
		printf("# %s line %d, %s, %s, client on side %c: want %s %s, have %s\n", r->v->id, line,
		       r->layout->name, r->path->name, "AB"[r->client], what, want, have);
}

static const char *pair_text(char *buf, size_t n, const uint8_t state[2], const bool conf[2])
{
	snprintf(buf, n, "%s%s %s%s", vector_state_name(state[0]), conf[0] ? "" : "?", vector_state_name(state[1]),
		 conf[1] ? "" : "?");
	return buf;
}

/* The record's pair against the vector's and the events'. */
static void compare_pair(struct run *r, const struct vector_step *st)
{
	uint8_t have[2] = {NO_STATE, NO_STATE}, told[2];
	bool conf[2] = {true, true}, embryo, same = true;
	char a[60], b[60];
	struct flow f;
	int err = ward_flow_get(r->rig->w, &r->key, &f, &embryo), i, side;

	if (err && err != -ESRCH)
		differ(r, st->line, "a record,", "readable", ward_reason());
	for (i = 0; i < 2; i++) {
		side = i ? !r->client : r->client;
		told[i] = r->live ? r->state[side] : NO_STATE;
		if (!err) {
			have[i] = f.state[side];
			conf[i] = (f.known[side] & KNOWN_CONF) || tcp_gone(have[i]);
		}
		if (st->state[i] == VECTOR_EXPIRED)
			same &= err != 0;
		else
			same &= have[i] == st->state[i] && conf[i] == st->conf[i];
	}
	if (!err) {
		r->last = f;
		r->vlan = f.vlan;
	}
	if (!same)
		differ(r, st->line, "pair", pair_text(a, sizeof(a), st->state, st->conf),
		       pair_text(b, sizeof(b), have, conf));
	if (memcmp(told, have, 2))
		differ(r, st->line, "by the events", pair_text(a, sizeof(a), told, conf),
		       pair_text(b, sizeof(b), have, conf));
	r->pairs++;
}

static void send_step(struct run *r, const struct vector_step *st)
{
	const struct wire_segment seg = {.bits = st->bits, .seq = st->seq, .ack = st->ack, .len = st->len,
					 .ts = st->ts, .win = st->win, .ws = st->ws, .has_ts = st->has_ts,
					 .has_ws = st->has_ws};
	int from = !st->from_client;
	uint8_t frame[WIRE_MAX];
	size_t len = wire_build(frame, r->layout, &r->end[from], &r->end[!from], &seg);

	rig_send(r->rig, r->path->hook[from], frame, len, (uint32_t)len, r->layout->l3, 0);
}

/* A trace that makes no flow shows in the counters of stray segments. */
static uint64_t stray_flags(const struct ward_counters *before, const struct ward_counters *after)
{
	uint64_t flags = 0;

	if (after->counter[CNT_STRAY_BADFLAGS] != before->counter[CNT_STRAY_BADFLAGS])
		flags |= FLAG_BADFLAGS;
	if (after->counter[CNT_STRAY_RST] != before->counter[CNT_STRAY_RST] ||
	    after->counter[CNT_STRAY_OTHER] != before->counter[CNT_STRAY_OTHER])
		flags |= FLAG_OOS;
	return flags;
}

static void compare_end(struct run *r)
{
	const struct vector_trace *v = r->v;
	bool any = r->live || r->retired;
	const char *conn_state = any ? conn_state_name(&r->last) : "OTH";
	char want[400], have[400], history[HISTORY_LEN + 1] = "";

	if (any)
		snprintf(history, sizeof(history), "%.*s", HISTORY_LEN, r->last.history);
	r->flags |= any ? r->last.flags & FLAGS_REPORTED : 0;
	if (r->flags != v->flags)
		differ(r, v->line, "flags", vector_flags_text(v->flags, want, sizeof(want)),
		       vector_flags_text(r->flags, have, sizeof(have)));
	if (strcmp(conn_state, v->conn_state))
		differ(r, v->line, "conn_state", v->conn_state, conn_state);
	if (v->history[0] && strcmp(history, v->history))
		differ(r, v->line, "history", v->history, history);
	if (any && r->last.vlan != (r->layout->tags ? WIRE_VLAN : VLAN_UNSEEN))
		differ(r, v->line, "vlan", "of the outer tag", "another");
}

/* Runs one trace; returns the number of differences. */
static int run_trace(struct group *g, const struct vector_trace *v, const struct wire_layout *layout,
		     const struct path *path, int client, bool quiet, int *pairs)
{
	struct run r = {.rig = &g->rig, .v = v, .layout = layout, .path = path, .quiet = quiet};
	struct ward_counters before, after;
	int i;

	rig_empty(&g->rig);
	ward_reader_poll(g->reader);
	wire_address(&r.end[0], layout->v6, client ? 9 : 3, 40000);
	wire_address(&r.end[1], layout->v6, 5, 443);
	r.client = wire_key(&r.key, &r.end[0], &r.end[1]);
	g->now = &r;
	before = rig_counters(&g->rig);
	for (i = 0; i < v->count; i++) {
		if (v->steps[i].wait)
			rig_wait(&g->rig, v->steps[i].wait_ns);
		else
			send_step(&r, &v->steps[i]);
		ward_reader_poll(g->reader);
		compare_pair(&r, &v->steps[i]);
	}
	after = rig_counters(&g->rig);
	r.flags |= stray_flags(&before, &after);
	compare_end(&r);
	for (i = 0; i < REASON_COUNT; i++)
		if (after.reason[i] != before.reason[i])
			differ(&r, v->line, "no segment not followed, but", "none", "a counted reason");
	g->now = NULL;
	*pairs += r.pairs;
	return r.bad;
}

/* The options of a trace; the programs are loaded once for each set of them. */
static bool same_options(const struct vector_trace *a, const struct vector_trace *b)
{
	return a->rfc1337 == b->rfc1337 && a->loose == b->loose && a->tap == b->tap && a->msl2 == b->msl2;
}

static void open_group(struct group *g, const struct vector_trace *v, uint32_t iface_flags, bool all_hooks)
{
	struct rig_options opt;

	memset(g, 0, sizeof(*g));
	rig_options_init(&opt);
	opt.ward.rfc1337 = v->rfc1337;
	opt.ward.no_pickup = !v->loose;
	opt.ward.tap = v->tap;
	opt.ward.all_hooks = all_hooks;
	opt.ward.msl_s = (unsigned)v->msl2 / 2;
	opt.iface_flags = iface_flags;
	opt.iface_mtu = iface_flags ? 1500 : 0;
	rig_open(&g->rig, &opt);
	if (ward_reader_open(g->rig.w, RING_BYTES, on_event, g, &g->reader)) {
		printf("not ok programs: reader: %s\n", ward_reason());
		exit(1);
	}
}

static void close_group(struct group *g)
{
	if (ward_reader_lost(g->reader))
		rig_report(false, "events", "some were lost");
	ward_reader_close(g->reader);
	rig_close(&g->rig);
}

struct tally {
	long packets;
	int pairs, bad, traces, verdicts;
};

/* Each kind of comparison must be able to fail: a good trace with one expectation made wrong. */
static void control(struct group *g, const struct vector_trace *good)
{
	struct vector_step *steps = malloc(good->count * sizeof(*steps));
	const char *const what[] = {"nothing", "state", "confirmation", "flags", "conn_state", "history", "expiry"};
	struct vector_trace v;
	int i, bad, missed = 0, pairs = 0;

	for (i = 0; i < 7; i++) {
		v = *good;
		v.steps = memcpy(steps, good->steps, good->count * sizeof(*steps));
		if (i == 1)
			steps[3].state[1] = CLOSE_WAIT;
		else if (i == 2)
			steps[1].conf[0] = true;
		else if (i == 3)
			v.flags ^= FLAG_RTX;
		else if (i == 4)
			strcpy(v.conn_state, "S1");
		else if (i == 5)
			strcpy(v.history, "ShADadF");
		else if (i == 6)
			steps[v.count - 1].wait_ns /= 2;
		bad = run_trace(g, &v, &layouts[0], &paths[0], 0, true, &pairs);
		if (!bad == !i)
			continue;
		missed++;
		printf("# control: wrong %s gave %d differences\n", what[i], bad);
	}
	rig_report(!missed, "control: a vector made wrong is found wrong", "%d of 7 as they should", 7 - missed);
	free(steps);
}

/* tc knows from its interface table whether a device has an Ethernet header: those runs need programs of their own. */
static bool belongs(const struct wire_layout *l, const struct path *p, uint32_t iface_flags, bool all_hooks)
{
	bool tc_alone = p->hook[0] != HOOK_XDP;
	bool tc = p->hook[1] != HOOK_XDP;

	if (tc && !all_hooks)
		return false;
	if (l->l3 && tc)
		return iface_flags && tc_alone;
	return !iface_flags;
}

/* One trace in all that belongs to these programs, with the client on either side. */
static void run_everywhere(struct group *g, const struct vector_trace *v, uint32_t iface_flags, bool all_hooks,
			   struct tally sum[LAYOUTS][PATHS])
{
	size_t l, p;

	for (l = 0; l < (brief ? LAYOUTS_SHORT : LAYOUTS); l++) {
		for (p = 0; p < PATHS; p++) {
			struct tally *t = &sum[l][p];
			long before = g->rig.packets;

			if (!belongs(&layouts[l], &paths[p], iface_flags, all_hooks))
				continue;
			t->bad += run_trace(g, v, &layouts[l], &paths[p], 0, false, &t->pairs);
			t->bad += run_trace(g, v, &layouts[l], &paths[p], 1, false, &t->pairs);
			t->packets += g->rig.packets - before;
			t->traces++;
			t->verdicts += g->rig.wrong_verdicts;
			g->rig.wrong_verdicts = 0;
		}
	}
}

static void run_all(const struct vector_trace *v, int count, uint32_t iface_flags, struct tally sum[LAYOUTS][PATHS])
{
	bool *done = calloc(count, sizeof(*done));
	struct group g;
	int i, j;

	for (i = 0; i < count; i++) {
		bool all_hooks = !brief || !i;

		if (done[i])
			continue;
		open_group(&g, &v[i], iface_flags, all_hooks);
		if (!i && !iface_flags)
			control(&g, &v[0]);
		for (j = i; j < count; j++) {
			if (done[j] || !same_options(&v[i], &v[j]))
				continue;
			done[j] = true;
			run_everywhere(&g, &v[j], iface_flags, all_hooks, sum);
		}
		close_group(&g);
	}
	free(done);
}

/* Those of all files, one after the other. */
static int read_all(struct vector_trace **out)
{
	static const char *const files[] = {"tests/vectors/tcp-conformance.txt", "tests/vectors/tcpward.txt"};
	struct vector_trace *all = NULL, *v;
	int i, n, count = 0;

	for (i = 0; i < 2; i++) {
		n = vectors_read(files[i], &v);
		all = realloc(all, (count + n) * sizeof(*all));
		if (!all)
			exit(1);
		memcpy(all + count, v, n * sizeof(*all));
		count += n;
	}
	*out = all;
	return count;
}

int main(int argc, char **argv)
{
	static struct tally sum[LAYOUTS][PATHS];
	struct vector_trace *v;
	char what[160];
	size_t l, p;
	int count = read_all(&v);

	brief = argc > 1 && !strcmp(argv[1], "short");
	run_all(v, count, 0, sum);
	if (!brief)
		run_all(v, count, IFACE_L3, sum);
	for (l = 0; l < LAYOUTS; l++) {
		for (p = 0; p < PATHS; p++) {
			const struct tally *t = &sum[l][p];

			if (!t->traces)
				continue;
			snprintf(what, sizeof(what), "vectors over %s by %s", layouts[l].name, paths[p].name);
			if (t->bad || t->verdicts)
				rig_report(false, what, "%d differences, %d wrong verdicts in %ld packets", t->bad,
					   t->verdicts, t->packets);
			else
				rig_report(true, what, "%d traces twice, %ld packets, %d pairs", t->traces, t->packets,
					   t->pairs);
		}
	}
	return rig_result();
}
