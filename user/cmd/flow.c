/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* flow: one connection, as it stands, then its control segments as they come. */
#include <stdlib.h>
#include <string.h>

#include "cmd/loop.h"
#include "cmd/rungs.h"
#include "cmd/util.h"

#define RING_BYTES (1U << 20)
#define LADDER_NS (10 * WARD_NS_PER_S) /* renewed every second */

enum { KEY_ONCE = 0x200, KEY_VLAN };

static const struct argp_option options[] = {
	{ "once", KEY_ONCE, NULL, 0, "Print the record alone, do not wait for segments", 0 },
	{ "vlan", KEY_VLAN, "ID", 0, "The flow's VLAN, for instances with --key-vlan", 0 },
	{ 0 },
};

struct flow_options {
	bool once;
	uint64_t vlan;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct flow_options *opt = state->input;

	switch (key) {
	case KEY_ONCE:
		opt->once = true;
		return 0;
	case KEY_VLAN:
		if (parse_number(arg, 1, 4094, &opt->vlan))
			argp_error(state, "--vlan '%s': not a number from 1 to 4094", arg);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

struct watching {
	struct ward *w;
	struct flow_key key;
	struct report_style style;
	struct rungs rungs;
	bool ended;
	struct ward_reader *reader;
	struct loop *loop;
};

/* The words of the tuple joined by blanks; to be freed. */
static char *join(int argc, char **argv)
{
	size_t size = 1;
	char *text;

	for (int i = 0; i < argc; i++)
		size += strlen(argv[i]) + 1;
	text = calloc(1, size);
	for (int i = 0; text && i < argc; i++) {
		strcat(text, i ? " " : "");
		strcat(text, argv[i]);
	}
	return text;
}

static int take_tuple(const struct cmd_line *line, struct flow_key *key)
{
	const char *error = "out of memory";
	char *text = join(line->argc, line->argv);
	int code = EXIT_OK;

	if (!text || tuple_parse(text, key, &error))
		code = cmd_error(EXIT_USAGE,
				 "tcpward flow 192.0.2.1:40000-198.51.100.7:443; `tcpward flows` lists those that are known",
				 "tuple '%s': %s", text ? text : "", error);
	free(text);
	return code;
}

/* Prints the record. 0, or the exit code. */
static int show_record(const struct watching *f)
{
	struct flow flow;
	bool embryo = false;
	struct flow_view view = { .key = &f->key, .flow = &flow, .now_ns = ward_now_ns(f->w) };
	struct report *report;
	char a[60], b[60];

	if (ward_flow_get(f->w, &f->key, &flow, &embryo))
		return cmd_error(EXIT_FAILED, "tcpward flows lists those that are known",
				 "no flow '%s-%s' in instance '%s'", endpoint_text(f->key.a_addr, f->key.a_port, a),
				 endpoint_text(f->key.b_addr, f->key.b_port, b), ward_name(f->w));
	view.iface = ward_iface_name(f->w, flow.iface);
	view.embryo = embryo;
	view.findings = cmd_flow_findings(f->w, &flow, view.now_ns);
	report = report_flows_begin(&f->style, f->style.json);
	if (!report)
		return cmd_error(EXIT_FAILED, NULL, "flow: out of memory");
	report_flow(report, &view);
	report_end(report);
	return EXIT_OK;
}

static void on_event(const struct event *ev, size_t size, void *ctx)
{
	struct watching *f = ctx;

	if (memcmp(&ev->key, &f->key, sizeof(f->key)))
		return;
	rungs_add(&f->rungs, ev, size);
	if (ev->type == EVENT_END && ev->reason != END_REUSE)
		f->ended = true;
}

/* After a batch: the segment that ended the flow was in it. */
static void polled(void *ctx)
{
	struct watching *f = ctx;

	rungs_flush(&f->rungs);
	if (f->ended)
		loop_end(f->loop, EXIT_OK);
}

static void renew(void *ctx)
{
	struct watching *f = ctx;

	ward_ladder(f->w, &f->key, ward_now_ns(f->w) + LADDER_NS);
	if (ward_reader_lost(f->reader) + ward_reader_stood_ns(f->reader))
		fputs("tcpward: events were lost: the ladder has a gap\n", stderr);
	if (!cmd_still_pinned(f->w))
		loop_end(f->loop, cmd_error(EXIT_FAILED, NULL, "instance '%s' was detached", ward_name(f->w)));
}

static int follow(struct watching *f)
{
	int err = ward_reader_open(f->w, RING_BYTES, on_event, f, &f->reader), code;

	if (err)
		return cmd_fail(err);
	err = loop_open(f->reader, &f->loop);
	if (!err)
		err = loop_guard_links(f->loop, ward_info(f->w));
	if (err)
		return cmd_error(EXIT_FAILED, NULL, "cannot make an event loop: %s", strerror(-err));
	loop_each_second(f->loop, renew, polled, f);
	f->rungs.ladder = ladder_begin(&f->style, &f->key);
	ladder_tick(f->rungs.ladder, ward_info(f->w)->tick_ns);
	renew(f);
	code = loop_run(f->loop);
	ward_ladder(f->w, NULL, 0);
	ladder_end(f->rungs.ladder);
	return code;
}

int cmd_flow(int argc, char **argv)
{
	struct flow_options opt = { 0 };
	struct watching f = { 0 };
	struct cmd_line line;
	int code;

	cmd_parse(&line, OPT_OUTPUT | OPT_NAME, options, parse, &opt, "SADDR:SPORT-DADDR:DPORT",
		  "Show one connection, then its control segments from now on as a ladder, until it ends.\v"
		  "The order of the ends does not matter. [2001:db8::1]:443 for IPv6.",
		  argc, argv);
	if (!line.argc)
		return cmd_error(EXIT_USAGE, "tcpward flow SADDR:SPORT-DADDR:DPORT", "flow: no tuple given");
	code = take_tuple(&line, &f.key);
	if (!code)
		code = cmd_open(&line, &f.w);
	if (code)
		return code;
	f.key.vlan = (__u32)opt.vlan;
	cmd_style(&line, &f.style);
	code = show_record(&f);
	if (!code && !opt.once)
		code = follow(&f);
	loop_close(f.loop);
	if (f.reader)
		ward_reader_close(f.reader);
	ward_close(f.w);
	return code;
}
