/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* stat: every counter, reason, flag and gauge of an instance; or its services, its sources, its states. */
#include "cmd/stat.h"

#include <string.h>

#include "cmd/sheet.h"
#include "cmd/util.h"

enum { KEY_PREFIXES = 0x200 };

static const struct argp_option options[] = {
	{ "interval", 'i', "DURATION", 0, "Repeat; with -j one object a line", 0 },
	{ "all", 'a', NULL, 0, "All services and sources, not the busiest 20; all states and edges", 0 },
	{ "prefixes", KEY_PREFIXES, NULL, 0, "Of sources only the /24 and (IPv6) /48", 0 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct stat_options *opt = state->input;

	switch (key) {
	case 'i':
		if (parse_seconds(arg, 1, 86400, &opt->interval))
			argp_error(state, "--interval '%s': write 5, 5s or 1m30s: from 1s to 24h", arg);
		return 0;
	case 'a':
		return opt->all = true, 0;
	case KEY_PREFIXES:
		return opt->prefixes = true, 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

struct row {
	const char *name, *text;
};

#define X(id, name, text) { name, text },
static const struct row reasons[] = { WARD_REASONS(X) };
static const struct row counters[] = { WARD_COUNTERS(X) };
static const struct row states[] = { WARD_STATES(X) };
static const struct row drops[] = { WARD_DROPS(X) };
#undef X
#define X(id, text) { #id, text },
static const struct row flags[] = { WARD_FLAGS(X) };
#undef X

_Static_assert(sizeof(reasons) / sizeof(*reasons) == REASON_COUNT, "one row a reason");
_Static_assert(sizeof(counters) / sizeof(*counters) == COUNTER_COUNT, "one row a counter");
_Static_assert(sizeof(states) / sizeof(*states) == STATE_COUNT, "one row a state");
_Static_assert(sizeof(drops) / sizeof(*drops) == DROP_COUNT, "one row a reason to drop");
_Static_assert(sizeof(flags) / sizeof(*flags) == FLAG_COUNT, "one row a flag");

static void rows(struct sheet *s, const char *name, const char *heading, const struct row *row, const __u64 *values,
		 int count, bool all)
{
	sheet_object(s, name, heading);
	for (int i = 0; i < count; i++)
		if (all || values[i])
			sheet_number(s, row[i].name, NULL, values[i], row[i].text);
	sheet_close(s);
}

static void show_rates(struct sheet *s, const struct reading *now, const struct reading *last)
{
	static const struct {
		enum ward_counter counter;
		const char *name;
	} rates[] = {
		{ CNT_RX_SEGMENTS, "rx-segments" }, { CNT_TX_SEGMENTS, "tx-segments" }, { CNT_RX_BYTES, "rx-bytes" },
		{ CNT_TX_BYTES, "tx-bytes" },	    { CNT_FLOWS_NEW, "flows-new" },	{ CNT_EVENTS, "events" },
	};
	double seconds = (double)(now->ns - last->ns) / 1e9;

	if (seconds <= 0)
		return;
	sheet_object(s, "per_second", "per second");
	for (size_t i = 0; i < sizeof(rates) / sizeof(*rates); i++) {
		uint64_t n = now->counters.counter[rates[i].counter] - last->counters.counter[rates[i].counter];

		sheet_number(s, rates[i].name, NULL, (uint64_t)((double)n / seconds + 0.5), "");
	}
	sheet_close(s);
}

static void show_gauges(struct sheet *s, const struct ward_gauges *g, const struct ward_instance *info, bool all)
{
	sheet_object(s, "tables", "tables, at the last sweep");
	sheet_number(s, "flows", NULL, g->flows, "live records of finished handshakes");
	sheet_number(s, "flows_max", NULL, info->flows_max, "the table's capacity");
	sheet_number(s, "fill_permille", NULL, info->flows_max ? g->flows * 1000 / info->flows_max : 0,
		     "flows of flows_max");
	sheet_number(s, "embryos", NULL, g->embryos, "unfinished handshakes, one-way flows");
	sheet_number(s, "embryos_max", NULL, info->embryos_max, "their capacity");
	sheet_number(s, "tombstones", NULL, g->tombstones, "ended, not yet removed");
	sheet_number(s, "sweep_ns", NULL, g->sweep_ns, "how long the last sweep took");
	sheet_close(s);
	/* Row 0, "no record", is not an endpoint's state. */
	rows(s, "states", "endpoints in each state", states + 1, g->state + 1, STATE_COUNT - 1, all);
	rows(s, "confirmed", "... proven by a segment of their own", states + 1, g->confirmed + 1, STATE_COUNT - 1,
	     all);
}

static void show(const struct stat *st, const struct reading *now)
{
	bool all = st->style.json;
	struct sheet *s = sheet_begin(&st->style, false);

	if (!s)
		return;
	sheet_number(s, "v", "", 1, NULL);
	sheet_text(s, "name", "instance", ward_name(st->w), NULL);
	sheet_number(s, "ts_ns", "time, ns", now->ns, NULL);
	if (st->last.ns)
		show_rates(s, now, &st->last);
	rows(s, "counters", "counters", counters, now->counters.counter, COUNTER_COUNT, true);
	rows(s, "not_followed", "not followed", reasons, now->counters.reason, REASON_COUNT, all);
	/* Row 0, "none", is no drop. */
	rows(s, "dropped", "dropped by the policy", drops + 1, now->drops.dropped + 1, DROP_COUNT - 1, all);
	rows(s, "would_drop", "would have been dropped (dry run)", drops + 1, now->drops.would + 1, DROP_COUNT - 1, all);
	rows(s, "flags", "flags set", flags, now->counters.flag, FLAG_COUNT, all);
	show_gauges(s, &now->gauges, ward_info(st->w), all);
	sheet_end(s);
}

int stat_read(struct ward *w, struct reading *out)
{
	int err = ward_counters_read(w, &out->counters);

	if (!err)
		err = ward_gauges_read(w, &out->gauges);
	if (!err)
		err = ward_drops_read(w, &out->drops);
	if (err)
		return cmd_fail(err);
	out->ns = ward_now_ns(w);
	return EXIT_OK;
}

static int take_counters(struct stat *st)
{
	struct reading now;
	int code = stat_read(st->w, &now);

	if (code)
		return code;
	show(st, &now);
	st->last = now;
	return EXIT_OK;
}

static void on_second(void *ctx)
{
	struct stat *st = ctx;
	int code;

	if (!cmd_still_pinned(st->w)) {
		loop_end(st->loop, cmd_error(EXIT_FAILED, NULL, "instance '%s' was detached", ward_name(st->w)));
		return;
	}
	if (++st->elapsed % st->opt.interval)
		return;
	if (!st->style.json)
		putchar('\n');
	code = st->take(st);
	if (code)
		loop_end(st->loop, code);
}

static int repeat(struct stat *st)
{
	int err = loop_open(NULL, &st->loop), code;

	if (err)
		return cmd_error(EXIT_FAILED, NULL, "cannot make an event loop: %s", strerror(-err));
	st->style.pretty = false; /* one object a line */
	loop_each_second(st->loop, on_second, NULL, st);
	code = st->take(st);
	if (!code)
		code = loop_run(st->loop);
	loop_close(st->loop);
	return code;
}

static const struct view {
	const char *name;
	int (*take)(struct stat *st);
} views[] = {
	{ "services", stat_services },
	{ "sources", stat_sources },
	{ "states", stat_states },
};

static int take_words(const struct cmd_line *line, struct stat *st)
{
	st->take = take_counters;
	if (line->argc > 1)
		return cmd_error(EXIT_USAGE, "tcpward stat [services|sources|states]", "stat: unexpected word '%s'",
				 line->argv[1]);
	for (size_t i = 0; line->argc && i < sizeof(views) / sizeof(*views); i++)
		if (!strcmp(line->argv[0], views[i].name)) {
			st->take = views[i].take;
			return EXIT_OK;
		}
	if (line->argc)
		return cmd_error(EXIT_USAGE, "tcpward stat [services|sources|states]",
				 "stat '%s': not services, sources or states", line->argv[0]);
	return EXIT_OK;
}

int cmd_stat(int argc, char **argv)
{
	struct stat st = { 0 };
	struct cmd_line line;
	int code;

	cmd_parse(&line, OPT_OUTPUT | OPT_NAME, options, parse, &st.opt, "[services|sources|states]",
		  "Show all counters of an instance; or its services, or its sources, the busiest first; or Figure 5 of RFC "
		  "9293 with the endpoints in each state and how often each edge was taken.",
		  argc, argv);
	code = take_words(&line, &st);
	if (!code)
		code = cmd_open(&line, &st.w);
	if (code)
		return code;
	cmd_style(&line, &st.style);
	code = st.opt.interval ? repeat(&st) : st.take(&st);
	ward_close(st.w);
	return code;
}
