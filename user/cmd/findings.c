/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* findings: what stands, the most severe first; or what is raised, widened and cleared, as it happens. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/loop.h"
#include "cmd/news.h"
#include "cmd/util.h"
#include "report/findings.h"

enum { KEY_ALL = 0x200, KEY_DURATION };

static const struct argp_option options[] = {
	{ "follow", 'f', NULL, 0, "Then print what is raised, widened and cleared, as it happens", 0 },
	{ "all", KEY_ALL, NULL, 0, "Those that were cleared in the last minutes, too", 0 },
	{ "duration", KEY_DURATION, "DURATION", 0, "With --follow: end after so long", 0 },
	{ 0 },
};

struct listing {
	struct cmd_line line;
	bool follow, all;
	uint64_t seconds;
	struct ward *w;
	struct filter *filter;
	struct report_style style;
	struct report *report;
	struct news *news;
	struct loop *loop;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct listing *l = state->input;

	switch (key) {
	case 'f':
		l->follow = true;
		return 0;
	case KEY_ALL:
		l->all = true;
		return 0;
	case KEY_DURATION:
		if (parse_seconds(arg, 1, UINT32_MAX, &l->seconds))
			argp_error(state, "--duration '%s': write 90, 90s, 10m or 1h30m", arg);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static int print_table(struct listing *l)
{
	struct finding *found = calloc(FINDING_ROOM, sizeof(*found));
	int count = found ? findings_copy(l->w, &l->line, l->filter, l->all, found) : -ENOMEM;

	for (int i = 0; i < count; i++)
		report_finding(l->report, &found[i], ward_now_ns(l->w));
	free(found);
	if (!count && !l->follow && !l->style.json)
		fputs(l->line.argc ? "tcpward: nothing found that this filter matches\n" : "tcpward: nothing found\n", stderr);
	if (count == -ENOMEM)
		return cmd_error(EXIT_FAILED, NULL, "findings: out of memory");
	return count < 0 ? cmd_fail(count) : EXIT_OK;
}

/* ---- -f ---- */
static void on_news(const struct finding *f, enum detect_news news, void *ctx)
{
	struct listing *l = ctx;

	if (findings_wanted(&l->line, l->filter, f, ward_now_ns(l->w)))
		report_finding_news(l->report, f, news);
}

static void look(void *ctx)
{
	struct listing *l = ctx;

	news_poll(l->news, on_news, l);
}

static void on_second(void *ctx)
{
	struct listing *l = ctx;

	if (!cmd_still_pinned(l->w))
		loop_end(l->loop, cmd_error(EXIT_FAILED, NULL, "instance '%s' was detached", ward_name(l->w)));
}

static int follow(struct listing *l)
{
	int err = loop_open(NULL, &l->loop);

	if (!err)
		err = loop_every(l->loop, NEWS_USEC, look, l);
	if (!err && l->seconds)
		err = loop_end_after(l->loop, l->seconds);
	if (err < 0)
		return cmd_error(EXIT_FAILED, NULL, "cannot make an event loop: %s", strerror(-err));
	loop_each_second(l->loop, on_second, NULL, l);
	return loop_run(l->loop);
}

static int list(struct listing *l)
{
	int code;

	cmd_style(&l->line, &l->style);
	l->report = report_findings_begin(&l->style, l->follow);
	if (!l->report)
		return cmd_error(EXIT_FAILED, NULL, "findings: out of memory");
	if (l->follow) {
		l->news = news_open(l->w); /* before the table is printed: what comes in between is told twice, not lost */
		if (!l->news)
			return cmd_fail(-EIO);
	}
	code = print_table(l);
	return code || !l->follow ? code : follow(l);
}

/* Options and filter: an exit code. */
static int usable(struct listing *l)
{
	const char *word;
	int code;

	if (l->seconds && !l->follow)
		return cmd_error(EXIT_USAGE, "tcpward findings -f --duration DURATION",
				 "findings: --duration '%llus' without -f: a list ends by itself",
				 (unsigned long long)l->seconds);
	code = cmd_filter(&l->line, 0, &l->filter);
	word = code ? NULL : filter_of_flows(l->filter);
	if (!word)
		return code;
	return cmd_error(EXIT_USAGE, "of findings: finding NAME, severity >= warning, src, dst, sport, dport, age",
			 "findings: '%s' is a filter for flows ('tcpward flows'): no finding matches it", word);
}

int cmd_findings(int argc, char **argv)
{
	struct listing l = { 0 };
	int code;

	cmd_parse(&l.line, OPT_OUTPUT | OPT_FAMILY | OPT_NAME, options, parse, &l, "[FILTER]",
		  "List what is found and stands, the most severe first.\v"
		  "Filters: finding NAME, severity >= warning, src and dst of the subject, age. "
		  "'tcpward explain ID' says more of one.",
		  argc, argv);
	code = usable(&l);
	if (!code)
		code = cmd_open(&l.line, &l.w);
	if (!code)
		code = list(&l);
	report_end(l.report);
	loop_close(l.loop);
	news_close(l.news);
	filter_free(l.filter);
	if (l.w)
		ward_close(l.w);
	return code;
}
