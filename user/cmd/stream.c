/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "cmd/stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/news.h"
#include "cmd/util.h"
#include "policy/drop.h"
#include "report/findings.h"

#define RING_BYTES (4U << 20)
#define SWEEP_SLICES 64

/* ---- the footer: a line that is erased before anything else is printed ---- */
static void footer_erase(struct stream *s)
{
	if (s->footer_drawn)
		fputs("\r\033[K", stderr);
	s->footer_drawn = false;
}

static uint64_t segments(const struct ward_counters *c)
{
	return c->counter[CNT_RX_SEGMENTS] + c->counter[CNT_TX_SEGMENTS];
}

static void footer_draw(struct stream *s, const struct ward_counters *now)
{
	char rate[16], flows[16], opened[16];
	struct ward_gauges gauges;

	if (!s->footer || ward_gauges_read(s->w, &gauges))
		return;
	footer_erase(s);
	fflush(stdout);
	fprintf(stderr, "-- %s segments/s, %s new flows/s, %s flows --",
		quantity_text(segments(now) - segments(&s->last), rate),
		quantity_text(now->counter[CNT_FLOWS_NEW] - s->last.counter[CNT_FLOWS_NEW], opened),
		quantity_text(gauges.flows + gauges.embryos, flows));
	s->footer_drawn = true;
}

/* ---- events ---- */
static void drop_names(const struct event *ev, struct drop_names *out, void *ctx)
{
	ward_drop_names(ctx, ev, out);
}

static void on_event(const struct event *ev, size_t size, void *ctx)
{
	struct stream *s = ctx;
	struct drop_names names = { .rule = "" };
	const char *iface;

	(void)size;
	if (ev->type == EVENT_SEGMENT || ev->type == EVENT_RETIRE || !cmd_family_ok(s->line, &ev->key))
		return;
	iface = ward_iface_name(s->w, ev->iface);
	if (s->filter && ev->type == EVENT_DROP)
		ward_drop_names(s->w, ev, &names);
	if (s->filter && !filter_match_event(s->filter, ev, iface, &names))
		return;
	footer_erase(s);
	report_event(s->report, ev, iface);
}

static enum journal_level finding_level(const struct finding *f)
{
	return f->severity >= SEVERITY_CRITICAL ? LEVEL_CRITICAL : f->severity >= SEVERITY_WARNING ? LEVEL_WARNING : LEVEL_NOTICE;
}

static void on_finding(const struct finding *f, enum detect_news news, void *ctx)
{
	struct stream *s = ctx;

	if (!findings_wanted(s->line, s->filter, f, ward_now_ns(s->w)))
		return;
	footer_erase(s);
	if (!s->line->json)
		fputs(journal_prefix(stdout, news == DETECT_CLEARED ? LEVEL_INFO : finding_level(f)), stdout);
	report_finding_event(s->report, f, news);
}

static void look_for_news(void *ctx)
{
	struct stream *s = ctx;

	news_poll(s->news, on_finding, s);
}

static void tell_lost(struct stream *s)
{
	uint64_t lost, stood;

	if (!s->reader)
		return;
	lost = ward_reader_lost(s->reader);
	stood = ward_reader_stood_ns(s->reader);
	if (stood) {
		char why[96];

		snprintf(why, sizeof(why), "this reader stood still for %llu s: events of that time are missing",
			 (unsigned long long)(stood / WARD_NS_PER_S));
		s->lost++; /* at least */
		footer_erase(s);
		report_lost(s->report, 1, why, ward_now_ns(s->w));
	}
	if (!lost)
		return;
	s->lost += lost;
	footer_erase(s);
	report_lost(s->report, lost, "ring full or rate limit", ward_now_ns(s->w));
}

static void on_second(void *ctx)
{
	struct stream *s = ctx;
	struct ward_counters now;
	int more = s->opt.sweeps;

	for (int i = 0; i < SWEEP_SLICES && more > 0; i++)
		more = ward_sweep(s->w, ward_now_ns(s->w));
	if (s->opt.second)
		s->opt.second(s->opt.ctx, more >= 0);
	tell_lost(s);
	if (!s->opt.sweeps && !cmd_still_pinned(s->w)) {
		footer_erase(s);
		loop_end(s->loop, cmd_error(EXIT_FAILED, NULL, "instance '%s' was detached", ward_name(s->w)));
		return;
	}
	if (ward_counters_read(s->w, &now))
		return;
	footer_draw(s, &now);
	s->last = now;
}

/* From the sweep, if it is ours; else from the table that its keeper writes. */
static int listen_for_findings(struct stream *s)
{
	if (s->opt.sweeps) {
		ward_on_finding(s->w, on_finding, s);
		return 0;
	}
	s->news = news_open(s->w);
	return s->news ? loop_every(s->loop, NEWS_USEC, look_for_news, s) : -EIO;
}

int stream_open(struct stream *s, struct ward *w, const struct cmd_line *line, struct filter *filter,
		const struct stream_options *opt)
{
	int err;

	*s = (struct stream){ .w = w, .line = line, .filter = filter, .opt = *opt };
	cmd_style(line, &s->style);
	s->footer = !opt->quiet && !line->json && isatty(STDOUT_FILENO) && isatty(STDERR_FILENO);
	ward_counters_read(w, &s->first);
	s->last = s->first;
	err = opt->quiet ? 0 : ward_reader_open(w, RING_BYTES, on_event, s, &s->reader);
	if (err)
		return cmd_fail(err);
	err = loop_open(s->reader, &s->loop);
	if (err)
		return cmd_error(EXIT_FAILED, NULL, "cannot make an event loop: %s", strerror(-err));
	loop_each_second(s->loop, on_second, NULL, s);
	s->report = report_events_begin(&s->style);
	report_drops(s->report, drop_names, s->w);
	err = listen_for_findings(s);
	return err ? cmd_fail(err) : EXIT_OK;
}

int stream_run(struct stream *s, uint64_t seconds)
{
	int err = loop_guard_links(s->loop, ward_info(s->w)), code;

	if (!err && seconds)
		err = loop_end_after(s->loop, seconds);
	if (err < 0)
		return cmd_error(EXIT_FAILED, NULL, "cannot watch interfaces: %s", strerror(-err));
	code = loop_run(s->loop);
	if (s->reader)
		ward_reader_poll(s->reader);
	tell_lost(s);
	footer_erase(s);
	return code;
}

static const char *const reason_names[] = {
#define X(id, name, text) name,
	WARD_REASONS(X)
#undef X
};

/* What did not fit into the tables since it began. */
static const struct {
	enum ward_counter counter;
	const char *text;
} overflow[] = {
	{ CNT_TABLE_FULL, "times the flow table was full" },
	{ CNT_EVICT_SYN_SENT, "embryos evicted in SYN-SENT" },
	{ CNT_EVICT_SYN_RECEIVED, "embryos evicted in SYN-RECEIVED" },
	{ CNT_EVICT_OTHER, "embryos evicted in another state" },
	{ CNT_EARLY_EXPIRY, "closed flows removed early" },
};

/* "what: 3 this, 1 that" of the counts that are not 0; nothing where all are. */
static void list_count(const char *what, uint64_t n, const char *text, bool *begun)
{
	if (!n)
		return;
	fprintf(stderr, "%s%s%llu %s", *begun ? "" : what, *begun ? ", " : ": ", (unsigned long long)n, text);
	*begun = true;
}

static void list_end(bool begun)
{
	if (begun)
		fputc('\n', stderr);
}

static const char *plural(uint64_t n)
{
	return n == 1 ? "" : "s";
}

/* What stands at the end, one line each. */
static void list_findings(struct stream *s)
{
	struct finding *found = calloc(FINDING_ROOM, sizeof(*found));
	int count = found ? findings_copy(s->w, s->line, s->filter, false, found) : 0;
	char text[320];

	if (count > 0)
		fprintf(stderr, "%d finding%s stand%s:\n", count, plural((uint64_t)count), count == 1 ? "s" : "");
	for (int i = 0; i < count; i++)
		fprintf(stderr, "  %s %s: %s\n", severity_name(found[i].severity), finding_name(found[i].kind),
			finding_text(&found[i], text));
	free(found);
}

void stream_summary(struct stream *s)
{
	bool unfollowed = false, full = false;
	struct ward_counters now;
	char flows[16], segs[16];
	uint64_t opened, passed;

	if (ward_counters_read(s->w, &now))
		return;
	fflush(stdout);
	opened = now.counter[CNT_FLOWS_NEW] - s->first.counter[CNT_FLOWS_NEW];
	passed = segments(&now) - segments(&s->first);
	fprintf(stderr, "%s flow%s, %s segment%s, %llu event%s lost\n", quantity_text(opened, flows), plural(opened),
		quantity_text(passed, segs), plural(passed), (unsigned long long)s->lost, plural(s->lost));
	for (int i = 0; i < REASON_COUNT; i++)
		list_count("not followed", now.reason[i] - s->first.reason[i], reason_names[i], &unfollowed);
	list_end(unfollowed);
	for (size_t i = 0; i < sizeof(overflow) / sizeof(*overflow); i++) {
		enum ward_counter c = overflow[i].counter;

		list_count("tables too small (--flows, --embryos)", now.counter[c] - s->first.counter[c],
			   overflow[i].text, &full);
	}
	list_end(full);
	list_findings(s);
}

void stream_close(struct stream *s)
{
	ward_on_finding(s->w, NULL, NULL);
	news_close(s->news);
	if (s->report)
		report_end(s->report);
	loop_close(s->loop);
	if (s->reader)
		ward_reader_close(s->reader);
	filter_free(s->filter);
}
