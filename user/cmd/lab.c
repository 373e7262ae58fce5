// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* tcpward lab: the main job on real traffic, in a network of its own. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "cmd/util.h"
#include "lab/lab.h"

#define RING_BYTES (1 << 20)
#define DURATION_DEFAULT_S 20
#define DURATION_MAX_S 3600
#define STEP_US 1300000 /* one step after the other: the nine of them take 12 s */
#define POLL_US 100000
#define SWEEP_US 1000000
#define NS_PER_US 1000ULL

enum { KEY_DURATION = 0x200 };

struct show {
	struct cmd_line line;
	struct report_style style;
	unsigned duration_s;
	struct lab lab;
	struct ward *ward;
	struct ward_reader *reader;
	struct report *report;
	sd_event *loop;
	unsigned steps;   /* played so far */
	uint64_t events;
	uint64_t lost;
};

static const struct argp_option options[] = {
	{ "duration", KEY_DURATION, "SECONDS", 0, "How long the show lasts (default: 20)", 0 },
	{ 0 },
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct show *show = state->input;
	uint64_t seconds;

	if (key != KEY_DURATION)
		return ARGP_ERR_UNKNOWN;
	if (parse_number(arg, 1, DURATION_MAX_S, &seconds))
		argp_error(state, "--duration '%s': not a number of seconds from 1 to %d", arg, DURATION_MAX_S);
	show->duration_s = seconds;
	return 0;
}

/* ---- what happens while the loop runs ---- */
static void on_event(const struct event *ev, size_t size, void *ctx)
{
	struct show *show = ctx;

	(void)size;
	show->events++;
	report_event(show->report, ev, ward_iface_name(show->ward, ev->iface));
}

static void deliver(struct show *show)
{
	uint64_t lost;

	ward_reader_poll(show->reader);
	lost = ward_reader_lost(show->reader);
	if (lost)
		report_lost(show->report, lost, "the ring buffer was full", ward_now_ns(show->ward));
	show->lost += lost;
	fflush(show->style.out);
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

/* Runs again after interval_us; the loop ends where that cannot be arranged. */
static int again(sd_event_source *source, uint64_t interval_us)
{
	int err = sd_event_source_set_time_relative(source, interval_us);

	return err < 0 ? err : sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

static int on_poll(sd_event_source *source, uint64_t now_us, void *ctx)
{
	struct show *show = ctx;

	(void)now_us;
	deliver(show);
	if (!output_alive()) /* nobody reads any more: lab | head */
		return sd_event_exit(show->loop, 0);
	return again(source, POLL_US);
}

static int on_sweep(sd_event_source *source, uint64_t now_us, void *ctx)
{
	struct show *show = ctx;

	(void)now_us;
	ward_sweep(show->ward, ward_now_ns(show->ward));
	return again(source, SWEEP_US);
}

/* After the first round the steps that end by themselves go on; one black hole and one leak are enough. */
static enum lab_step step_number(unsigned n)
{
	static const enum lab_step later[] = { STEP_OPEN_CLOSE, STEP_HALF_CLOSE, STEP_SERVER_FIRST, STEP_RESET };

	return n < STEP_COUNT ? (enum lab_step)n : later[(n - STEP_COUNT) % (sizeof(later) / sizeof(later[0]))];
}

static int on_step(sd_event_source *source, uint64_t now_us, void *ctx)
{
	struct show *show = ctx;
	enum lab_step step = step_number(show->steps++);

	(void)now_us;
	deliver(show); /* so that the events of the step before stand above its heading */
	announce(show, step);
	lab_play(&show->lab, step);
	return again(source, STEP_US);
}

static int on_end(sd_event_source *source, uint64_t now_us, void *ctx)
{
	(void)now_us;
	(void)ctx;
	return sd_event_exit(sd_event_source_get_event(source), 0);
}

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *ctx)
{
	(void)info;
	(void)ctx;
	return sd_event_exit(sd_event_source_get_event(source), 0);
}

static int add_timer(struct show *show, uint64_t after_us, sd_event_time_handler_t fn)
{
	return sd_event_add_time_relative(show->loop, NULL, CLOCK_MONOTONIC, after_us, 1000, fn, show);
}

static int arm(struct show *show)
{
	int err = add_timer(show, POLL_US, on_poll);

	if (err >= 0)
		err = add_timer(show, SWEEP_US, on_sweep);
	if (err >= 0)
		err = add_timer(show, 200000, on_step);
	if (err >= 0)
		err = add_timer(show, show->duration_s * 1000000ULL, on_end);
	if (err >= 0)
		err = sd_event_add_signal(show->loop, NULL, SIGINT, on_signal, show);
	if (err >= 0)
		err = sd_event_add_signal(show->loop, NULL, SIGTERM, on_signal, show);
	if (err >= 0)
		err = sd_event_add_signal(show->loop, NULL, SIGHUP, on_signal, show);
	return err;
}

/* ---- the end: a table and a line of counts ---- */
static int print_flow(const struct flow_key *key, const struct flow *flow, bool embryo, void *ctx)
{
	struct show *show = ctx;
	struct flow_view view = { .key = key, .flow = flow, .embryo = embryo };

	view.iface = ward_iface_name(show->ward, flow->iface);
	view.now_ns = ward_now_ns(show->ward);
	report_flow(show->report, &view);
	return 0;
}

static void print_table(struct show *show)
{
	if (!show->style.json)
		fprintf(show->style.out, "\n# the connections that are in the table now, closed ones too\n");
	show->report = report_flows_begin(&show->style, show->style.json);
	if (!show->report)
		return;
	ward_flows_each(show->ward, print_flow, show);
	report_end(show->report);
	show->report = NULL;
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
			"\"closed\":%llu,\"reset\":%llu,\"refused\":%llu,\"timeout\":%llu,\"events\":%llu,\"lost\":%llu}\n" :
			"\n%llu segments in, %llu out; %llu connections: %llu closed, %llu reset, %llu refused, "
			"%llu timed out; %llu events, %llu lost\n",
		N(RX_SEGMENTS), N(TX_SEGMENTS), N(FLOWS_NEW), N(END_CLOSED), N(END_RESET), N(END_REFUSED), N(END_TIMEOUT),
		(unsigned long long)show->events, (unsigned long long)show->lost);
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
		err = ward_attach(show->ward, device, 1, false);
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
	int err = sd_event_new(&show->loop);

	if (err >= 0)
		err = arm(show);
	if (err < 0)
		return cmd_error(EXIT_FAILED, NULL, "cannot make the event loop: %s", strerror(-err));
	print_opening(show);
	show->report = report_events_begin(&show->style);
	err = show->report ? sd_event_loop(show->loop) : -ENOMEM;
	if (show->report) {
		deliver(show);
		report_end(show->report);
		show->report = NULL;
	}
	if (err < 0)
		return cmd_error(EXIT_FAILED, NULL, "the event loop failed: %s", strerror(-err));
	ward_sweep(show->ward, ward_now_ns(show->ward));
	print_table(show);
	print_counts(show);
	return EXIT_OK;
}

static void stop(struct show *show)
{
	lab_actors_stop(&show->lab);
	if (show->reader)
		ward_reader_close(show->reader);
	if (show->ward)
		ward_close(show->ward);
	lab_net_close(&show->lab);
	sd_event_unref(show->loop);
}

/* Signals wait for the loop, so that nothing can end this process between two steps of making or removing. */
static void hold_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
}

int cmd_lab(int argc, char **argv)
{
	struct show show = { .duration_s = DURATION_DEFAULT_S };
	const char *what;
	int err, code;

	cmd_parse(&show.line, OPT_OUTPUT | OPT_NAME | OPT_TRACK, options, parse_option, &show, "",
		  "Shows on real connections what tcpward sees: makes two network namespaces, runs servers and clients "
		  "in them, watches, and removes all of it. No interface of this machine is touched.",
		  argc, argv);
	code = cmd_no_words(&show.line);
	if (code)
		return code;
	cmd_style(&show.line, &show.style);
	hold_signals();
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
	return output_finish(code);
}
