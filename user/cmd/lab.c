// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* tcpward lab: the main job on real traffic, in a network of its own. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/loop.h"
#include "cmd/news.h"
#include "cmd/util.h"
#include "lab/lab.h"
#include "report/findings.h"

#define RING_BYTES (1 << 20)
#define DURATION_DEFAULT_S 20
#define DURATION_MAX_S 3600
#define SWEEP_SLICES 64

enum { KEY_DURATION = 0x200 };

struct show {
	struct cmd_line line;
	struct report_style style;
	unsigned duration_s;
	struct lab lab;
	struct ward *ward;
	struct ward_reader *reader;
	struct report *report;
	struct loop *loop;
	unsigned steps;   /* played so far */
	uint64_t events;
	uint64_t lost;
	unsigned time_wait; /* connections in that state at the end */
};

static const struct argp_option options[] = {
	{ "duration", KEY_DURATION, "DURATION", 0, "How long the show lasts (default: 20)", 0 },
	{ 0 },
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct show *show = state->input;
	uint64_t seconds;

	if (key != KEY_DURATION)
		return ARGP_ERR_UNKNOWN;
	if (parse_seconds(arg, 1, DURATION_MAX_S, &seconds))
		argp_error(state, "--duration '%s': write 90, 90s or 10m: from 1s to 1h", arg);
	show->duration_s = seconds;
	return 0;
}

/* ---- what happens while the loop runs ---- */
static void on_event(const struct event *ev, size_t size, void *ctx)
{
	struct show *show = ctx;

	(void)size;
	if (ev->type == EVENT_SEGMENT || ev->type == EVENT_RETIRE)
		return;
	show->events++;
	report_event(show->report, ev, ward_iface_name(show->ward, ev->iface));
}

static void on_finding(const struct finding *f, enum detect_news news, void *ctx)
{
	struct show *show = ctx;

	report_finding_event(show->report, f, news);
}

/* Prints what has come, so that it stands before what is printed next. */
static void deliver(struct show *show)
{
	uint64_t lost;

	ward_reader_poll(show->reader);
	lost = ward_reader_lost(show->reader);
	if (lost)
		report_lost(show->report, lost, "ring full or rate limit", ward_now_ns(show->ward));
	show->lost += lost;
}

static void announce(struct show *show, enum lab_step step)
{
	if (show->style.json)
		fprintf(show->style.out, "{\"v\":1,\"type\":\"step\",\"ts_ns\":%llu,\"step\":\"%s\",\"text\":\"%s\"}\n",
			(unsigned long long)ward_now_ns(show->ward), lab_step_name(step), lab_step_text(step));
	else
		fprintf(show->style.out, "\n# %s: %s\n", lab_step_name(step), lab_step_text(step));
	fflush(show->style.out);
}

/* After the first round the steps that end by themselves go on; one black hole and one leak are enough. */
static enum lab_step step_number(unsigned n)
{
	static const enum lab_step later[] = { STEP_OPEN_CLOSE, STEP_HALF_CLOSE, STEP_SERVER_FIRST, STEP_RESET };

	return n < STEP_COUNT ? (enum lab_step)n : later[(n - STEP_COUNT) % (sizeof(later) / sizeof(later[0]))];
}

static void sweep(struct show *show)
{
	for (int i = 0; i < SWEEP_SLICES && ward_sweep(show->ward, ward_now_ns(show->ward)) > 0; i++)
		;
}

/* One step a second: the nine of them take nine. */
static void on_second(void *ctx)
{
	struct show *show = ctx;
	enum lab_step step = step_number(show->steps++);

	sweep(show);
	deliver(show);
	announce(show, step);
	lab_play(&show->lab, step);
}

/* ---- the end: a table, oldest first, and a line of counts ---- */
struct kept {
	struct flow_key key;
	struct flow flow;
	bool embryo;
};

struct kept_list {
	struct kept *list;
	unsigned count, room;
};

static int keep_flow(const struct flow_key *key, const struct flow *flow, bool embryo, void *ctx)
{
	struct kept_list *all = ctx;

	if (all->count == all->room) {
		unsigned room = all->room ? all->room * 2 : 64;
		struct kept *list = realloc(all->list, room * sizeof(*list));

		if (!list)
			return -ENOMEM;
		all->list = list;
		all->room = room;
	}
	all->list[all->count++] = (struct kept){ .key = *key, .flow = *flow, .embryo = embryo };
	return 0;
}

static int by_start(const void *a, const void *b)
{
	uint64_t x = ((const struct kept *)a)->flow.start_ns, y = ((const struct kept *)b)->flow.start_ns;

	return x < y ? -1 : x > y;
}

static void print_flow(struct show *show, const struct kept *one)
{
	struct flow_view view = { .key = &one->key, .flow = &one->flow, .embryo = one->embryo };

	view.iface = ward_iface_name(show->ward, one->flow.iface);
	view.now_ns = ward_now_ns(show->ward);
	view.findings = cmd_flow_findings(show->ward, &one->flow, view.now_ns);
	show->time_wait += one->flow.state[0] == TIME_WAIT || one->flow.state[1] == TIME_WAIT;
	report_flow(show->report, &view);
}

static void print_table(struct show *show)
{
	struct kept_list all = { 0 };

	if (!show->style.json)
		fprintf(show->style.out, "\n# the connections that are in the table now, closed ones too\n");
	show->report = report_flows_begin(&show->style, show->style.json);
	if (!show->report)
		return;
	ward_flows_each(show->ward, keep_flow, &all);
	if (all.count)
		qsort(all.list, all.count, sizeof(*all.list), by_start);
	for (unsigned i = 0; i < all.count; i++)
		print_flow(show, &all.list[i]);
	report_end(show->report);
	free(all.list);
}

/* What stands, as `tcpward findings` shows it; JSON has told of each as it was raised. */
static void print_findings(struct show *show)
{
	struct finding *found = calloc(FINDING_ROOM, sizeof(*found));
	int count = found ? findings_copy(show->ward, &show->line, NULL, false, found) : 0;

	if (!show->style.json && count > 0) {
		fprintf(show->style.out, "\n# what is found, and stands\n");
		show->report = report_findings_begin(&show->style, false);
		for (int i = 0; i < count && show->report; i++)
			report_finding(show->report, &found[i], ward_now_ns(show->ward));
		report_end(show->report);
	}
	free(found);
}

static void print_counts(const struct show *show)
{
	struct ward_counters sum = { 0 };
	const uint64_t *n = (const uint64_t *)sum.counter;

	if (ward_counters_read(show->ward, &sum))
		return;
#define N(name) (unsigned long long)n[CNT_##name]
	fprintf(show->style.out,
		show->style.json ?
			"{\"v\":1,\"type\":\"summary\",\"rx_segments\":%llu,\"tx_segments\":%llu,\"flows\":%llu,"
			"\"time_wait\":%u,\"closed\":%llu,\"reset\":%llu,\"refused\":%llu,\"timeout\":%llu,"
			"\"events\":%llu,\"lost\":%llu}\n" :
			"\n%llu segments in, %llu out; %llu connections: %u in TIME-WAIT, %llu closed, %llu reset, "
			"%llu refused, %llu timed out; %llu events, %llu lost\n",
		N(RX_SEGMENTS), N(TX_SEGMENTS), N(FLOWS_NEW), show->time_wait, N(END_CLOSED), N(END_RESET),
		N(END_REFUSED), N(END_TIMEOUT), (unsigned long long)show->events, (unsigned long long)show->lost);
#undef N
}

/* ---- the order of things ---- */
static int start_watching(struct show *show)
{
	static const char *const device[] = { LAB_DEVICE };
	int err;

	if (!show->line.track.name)
		show->line.track.name = "lab";
	err = ward_load(&show->line.track, &show->ward);
	if (!err)
		err = ward_attach(show->ward, device, 1, KEEP_NOT);
	if (!err)
		err = ward_reader_open(show->ward, RING_BYTES, on_event, show, &show->reader);
	return err;
}

static void print_opening(const struct show *show)
{
	const char *const *notes;
	int count = ward_notes(show->ward, &notes);

	if (show->style.json)
		return;
	fprintf(show->style.out,
		"A network of two namespaces, this machine's interfaces stay untouched: clients at " LAB_CLIENT4 " and "
		LAB_CLIENT6 ",\nservers at " LAB_SERVER4 " and " LAB_SERVER6
		". tcpward watches the servers' end, '" LAB_DEVICE "', for %u s. Ctrl-C ends it.\n",
		show->duration_s);
	for (int i = 0; i < count; i++)
		fprintf(show->style.out, "%s\n", notes[i]);
}

/* From the event loop's start to its end. */
static int run_show(struct show *show)
{
	int err = loop_open(show->reader, &show->loop);
	int code;

	if (!err)
		err = loop_end_after(show->loop, show->duration_s);
	if (err < 0)
		return cmd_error(EXIT_FAILED, NULL, "cannot make an event loop: %s", strerror(-err));
	print_opening(show);
	show->report = report_events_begin(&show->style);
	if (!show->report)
		return cmd_error(EXIT_FAILED, NULL, "cannot print events: out of memory");
	ward_on_finding(show->ward, on_finding, show);
	loop_each_second(show->loop, on_second, NULL, show);
	code = loop_run(show->loop);
	deliver(show);
	sweep(show);
	report_end(show->report);
	ward_on_finding(show->ward, NULL, NULL); /* it goes to that report */
	print_table(show);
	print_findings(show);
	print_counts(show);
	return code;
}

static void stop(struct show *show)
{
	lab_actors_stop(&show->lab);
	loop_close(show->loop);
	if (show->reader)
		ward_reader_close(show->reader);
	if (show->ward)
		ward_close(show->ward);
	lab_net_close(&show->lab);
}

int cmd_lab(int argc, char **argv)
{
	struct show show = { .duration_s = DURATION_DEFAULT_S };
	const char *what;
	int err, code;

	cmd_parse(&show.line, OPT_OUTPUT | OPT_NAME | OPT_TRACK | OPT_HOOKS, options, parse_option, &show, "",
		  "Shows on real connections what tcpward sees: makes two network namespaces, runs servers and clients "
		  "in them, watches, and removes all of it. No interface of this machine is touched.",
		  argc, argv);
	code = cmd_no_words(&show.line);
	if (code)
		return code;
	cmd_style(&show.line, &show.style);
	loop_hold_signals(); /* nothing ends this process between making and removing */
	err = lab_net_open(&show.lab, &what);
	if (err)
		return cmd_error(EXIT_FAILED, err == -EPERM ? "run it as root: sudo tcpward lab" : NULL,
				 "cannot %s: %s", what, strerror(-err));
	err = lab_actors_start(&show.lab);
	if (err)
		code = cmd_error(EXIT_FAILED, NULL, "cannot start the lab's servers: %s", strerror(-err));
	else if ((err = start_watching(&show)) != 0)
		code = cmd_fail(err);
	else
		code = run_show(&show);
	stop(&show);
	return code;
}
