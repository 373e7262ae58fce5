/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* replay: capture files through the same programs; flows, events, or one flow's ladder. */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cmd/news.h"
#include "cmd/rungs.h"
#include "cmd/sheet.h"
#include "cmd/util.h"
#include "replay/engine.h"
#include "report/findings.h"

enum { KEY_EVENTS = 0x200, KEY_FINDINGS, KEY_FLOW, KEY_LINGER };

static const struct argp_option options[] = {
	{ "events", KEY_EVENTS, NULL, 0, "Events instead of flows; the last one is a summary", 0 },
	{ "findings", KEY_FINDINGS, NULL, 0, "What was found instead of flows; with --events among them, too", 0 },
	{ "flow", KEY_FLOW, "TUPLE", 0, "The ladder of one flow: SADDR:SPORT-DADDR:DPORT", 0 },
	{ "linger", KEY_LINGER, "DURATION", 0, "The clock runs on after the last packet: timers, expiry", 0 },
	{ 0 },
};

struct replaying {
	struct cmd_line line;
	struct report_style style;
	struct filter *filter; /* NULL: all */
	bool events, findings;
	const char *tuple;
	uint64_t linger_s;
	int files;
	struct flow_key key; /* of --flow */
	struct rungs rungs;  /* of the ladder */
	struct report *report;
	uint64_t printed; /* events */
	uint64_t steps;	  /* of the ladder */
	struct finding *found; /* each finding of the capture, as it was told last */
	uint32_t found_count, found_size;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct replaying *p = state->input;

	switch (key) {
	case KEY_EVENTS:
		p->events = true;
		return 0;
	case KEY_FINDINGS:
		p->findings = true;
		return 0;
	case KEY_FLOW:
		p->tuple = arg;
		return 0;
	case KEY_LINGER:
		if (parse_seconds(arg, 0, 10000000, &p->linger_s))
			argp_error(state, "--linger '%s': write 90, 90s, 10m or 1h30m, at most 115d", arg);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* ---- which words are files: those before "--"; without it, the first and those after it that are or look like files ---- */
static bool ends_with(const char *word, const char *end)
{
	size_t n = strlen(word), m = strlen(end);

	return n > m && !strcmp(word + n - m, end);
}

static bool is_file(const char *word)
{
	return !strcmp(word, "-") || !access(word, F_OK) || ends_with(word, ".pcap") || ends_with(word, ".pcapng") ||
	       ends_with(word, ".cap");
}

static int count_files(const struct cmd_line *line)
{
	int n = 1;

	if (line->before < line->argc)
		return line->before;
	while (n < line->argc && is_file(line->argv[n]))
		n++;
	return n;
}

static int take_words(struct replaying *p)
{
	const char *error = "";

	if (!p->line.before)
		return cmd_error(EXIT_USAGE, "tcpward replay FILE... [FILTER]", "replay: no capture given");
	if ((p->events || p->findings) && p->tuple)
		return cmd_error(EXIT_USAGE, NULL, "replay: %s and --flow exclude each other",
				 p->events ? "--events" : "--findings");
	p->files = count_files(&p->line);
	if (p->tuple && tuple_parse(p->tuple, &p->key, &error))
		return cmd_error(EXIT_USAGE, "tcpward replay --flow 192.0.2.1:40000-198.51.100.2:443 FILE",
				 "tuple '%s': %s", p->tuple, error);
	if (p->files < p->line.argc && p->tuple)
		return cmd_error(EXIT_USAGE, "--flow prints all of one connection", "replay: --flow and a filter ('%s' ...) exclude each other",
				 p->line.argv[p->files]);
	if (p->files < p->line.argc)
		return cmd_filter_all(&p->line, p->files, &p->filter);
	return EXIT_OK;
}

/* ---- events ---- */
static void print_event(const struct event *ev, size_t size, void *ctx)
{
	struct replaying *p = ctx;

	(void)size;
	if (ev->type == EVENT_SEGMENT || !cmd_family_ok(&p->line, &ev->key))
		return;
	if (p->filter && !filter_match_event(p->filter, ev, NULL, NULL))
		return;
	report_event(p->report, ev, NULL);
	p->printed++;
	if (ferror(stdout))
		exit(output_finish(EXIT_OK)); /* nobody reads on; nothing is attached or pinned */
}

/* ---- findings ---- */
static struct finding *found_by_id(struct replaying *p, uint32_t id)
{
	for (uint32_t i = p->found_count; i--;)
		if (p->found[i].id == id)
			return &p->found[i];
	return NULL;
}

static void keep_finding(struct replaying *p, const struct finding *f)
{
	struct finding *place = found_by_id(p, f->id);

	if (place) {
		*place = *f;
		return;
	}
	if (p->found_count == p->found_size) {
		uint32_t size = p->found_size ? 2 * p->found_size : 64;
		void *more = realloc(p->found, size * sizeof(*p->found));

		if (!more)
			exit(cmd_error(EXIT_FAILED, NULL, "replay: cannot keep findings: out of memory"));
		p->found = more;
		p->found_size = size;
	}
	p->found[p->found_count++] = *f;
}

static void on_finding(const struct finding *f, enum detect_news news, void *ctx)
{
	struct replaying *p = ctx;

	keep_finding(p, f);
	if (!p->events || !findings_wanted(&p->line, p->filter, f, f->updated_ns))
		return;
	report_finding_event(p->report, f, news);
	p->printed++;
}

/* All findings in the order in which they were raised, those that stand with what they are now. */
static void print_findings(struct replaying *p, const struct replay *r)
{
	struct report *report = report_findings_begin(&p->style, p->style.json);
	const struct finding *table = ward_findings(r->w);

	for (int i = 0; table && i < FINDING_ROOM; i++)
		if (table[i].id && found_by_id(p, table[i].id))
			keep_finding(p, &table[i]);
	for (uint32_t i = 0; i < p->found_count && output_alive(); i++)
		if (findings_wanted(&p->line, p->filter, &p->found[i], r->clock.now_ns))
			report_finding(report, &p->found[i], (uint64_t)time(NULL) * WARD_NS_PER_S);
	report_end(report);
}

static void print_ladder(const struct event *ev, size_t size, void *ctx)
{
	struct replaying *p = ctx;

	if (memcmp(&ev->key, &p->key, sizeof(p->key)))
		return;
	p->steps++;
	rungs_add(&p->rungs, ev, size);
}

/* ---- what comes after the last packet ---- */
static void print_flows(struct replaying *p, const struct replay *r)
{
	struct report *report = report_flows_begin(&p->style, p->style.json);

	for (uint32_t i = 0; report && i < r->objects.count && output_alive(); i++) {
		const struct replay_object *obj = &r->objects.list[i];
		struct flow_view view = {
			.key = &obj->key, .flow = &obj->flow, .now_ns = r->clock.now_ns, .embryo = obj->embryo
		};

		view.findings = cmd_flow_findings(r->w, &obj->flow, view.now_ns);

		if (obj->filled && cmd_family_ok(&p->line, &obj->key) &&
		    (!p->filter || filter_match_flow(p->filter, &view)))
			report_flow(report, &view);
	}
	if (report)
		report_end(report);
}

static const char *const reason_names[] = {
#define X(id, name, text) name,
	WARD_REASONS(X)
#undef X
};

static void summary(struct replaying *p, const struct replay *r)
{
	struct report_style style = p->style;
	struct ward_counters c;
	struct sheet *s;

	if (!style.json)
		style.out = stderr;
	style.pretty = false;
	fflush(stdout);
	s = ward_counters_read(r->w, &c) ? NULL : sheet_begin(&style, false);
	if (!s)
		return;
	c.reason[REASON_TRUNCATED] += r->cut;
	sheet_number(s, "v", "", 1, NULL);
	sheet_text(s, "type", "", "summary", NULL);
	sheet_number(s, "packets", NULL, r->packets, NULL);
	sheet_number(s, "segments", "TCP segments followed", c.counter[CNT_RX_SEGMENTS] + c.counter[CNT_TX_SEGMENTS],
		     NULL);
	sheet_number(s, "flows", NULL, r->objects.count, NULL);
	sheet_number(s, "events", "events printed", p->printed, NULL);
	sheet_number(s, "lost", "events lost", r->lost, NULL);
	sheet_number(s, "reordered", "older time stamps", r->clock.reordered, NULL);
	sheet_number(s, "rebased", "steps back of the clock", r->clock.rebased, NULL);
	sheet_number(s, "first_ns", "", r->first_ns, NULL);
	sheet_number(s, "last_ns", "", r->last_ns, NULL);
	sheet_duration(s, "duration_ns", "duration", &(uint64_t){ r->last_ns - r->first_ns }, NULL);
	sheet_object(s, "not_followed", "not followed");
	for (int i = 0; i < REASON_COUNT; i++)
		if (style.json || c.reason[i])
			sheet_number(s, reason_names[i], NULL, c.reason[i], NULL);
	sheet_close(s);
	sheet_end(s);
}

static void warn(const struct replay *r)
{
	fflush(stdout);
	if (r->clock.rebased)
		fprintf(stderr,
			"tcpward: steps back of the time stamps by more than 1 s: %llu; the clock went on from there\n",
			(unsigned long long)r->clock.rebased);
	if (r->clock.reordered)
		fprintf(stderr,
			"tcpward: packets older than those before them, by up to 1 s: %llu; they kept the clock\n",
			(unsigned long long)r->clock.reordered);
	if (r->lost)
		fprintf(stderr, "tcpward: %llu events were lost: the ring buffer was full\n",
			(unsigned long long)r->lost);
}

static int feed_error(int err, const struct capture_error *error)
{
	if (!*error->text)
		return cmd_fail(err);
	return cmd_error(EXIT_FAILED, error->remedy, "%s", error->text);
}

/* Feeds the files; what a damaged one gave before its damage is reported. Returns the exit code. */
static int feed_files(struct replaying *p, struct replay *r, bool *stop)
{
	struct capture_error error = { 0 };
	int code = EXIT_OK;

	for (int i = 0; i < p->files && !*stop; i++) {
		int err = replay_file(r, p->line.argv[i], &error);

		if (!err)
			continue;
		code = feed_error(err, &error);
		*stop = !error.truncated;
		error.truncated = false;
	}
	return code;
}

static int finish(struct replaying *p, struct replay *r)
{
	int err = replay_finish(r, p->linger_s * WARD_NS_PER_S);

	if (err)
		return cmd_fail(err);
	if (p->rungs.ladder && !p->steps)
		err = cmd_error(EXIT_FAILED, "the order of the ends does not matter, their numbers do",
				"no segment of flow '%s' in the capture", p->tuple);
	if (p->findings)
		print_findings(p, r);
	else if (!p->rungs.ladder && !p->events)
		print_flows(p, r);
	warn(r);
	if (p->findings)
		cmd_warn_blind(r->w);
	if (p->events)
		summary(p, r);
	return err;
}

static void begin_output(struct replaying *p, struct replay *r)
{
	cmd_style(&p->line, &p->style);
	if (p->tuple) {
		ward_ladder(r->w, &p->key, UINT64_MAX);
		p->rungs.ladder = ladder_begin(&p->style, &p->key);
	}
	if (p->events)
		p->report = report_events_begin(&p->style);
	if (p->findings)
		replay_want_findings(r, on_finding);
}

static int replay(struct replaying *p)
{
	ward_event_fn fn = p->tuple ? print_ladder : p->events ? print_event : NULL;
	bool stop = false;
	struct replay r;
	int code, end;

	code = replay_open(&p->line.track, fn, p, &r);
	if (code)
		return cmd_fail(code);
	begin_output(p, &r);
	code = feed_files(p, &r, &stop);
	if (!stop || r.packets) {
		end = finish(p, &r);
		code = code ? code : end;
	}
	if (p->rungs.ladder) {
		rungs_flush(&p->rungs);
		ladder_end(p->rungs.ladder);
	}
	if (p->report)
		report_end(p->report);
	replay_close(&r);
	return code;
}

int cmd_replay(int argc, char **argv)
{
	struct replaying p = { 0 };
	int code;

	cmd_parse(&p.line, OPT_OUTPUT | OPT_FAMILY | OPT_TRACK, options, parse, &p, "FILE... [--] [FILTER]",
		  "Run capture files (pcap, pcapng; '-': standard input) through the same programs, with the capture's "
		  "clock.\v"
		  "Without --events, --findings or --flow it prints every flow that it saw, in order of first packet; with -j "
		  "one object a line.",
		  argc, argv);
	code = take_words(&p);
	if (!code)
		code = replay(&p);
	if (p.filter)
		filter_free(p.filter);
	free(p.found);
	return code;
}
