/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* run: attach, print events, detach on exit. On interfaces that `attach` holds it only joins. */
#include <errno.h>
#include <net/if.h>
#include <string.h>

#include "cmd/policy_apply.h"
#include "cmd/systemd.h"
#include "cmd/stream.h"
#include "cmd/util.h"

enum { KEY_DURATION = 0x200, KEY_POLICY };

struct run {
	uint64_t seconds;
	bool quiet;
	struct policy_start start;
	struct systemd systemd;
	struct ward *w;
};

static const struct argp_option options[] = {
	{ "duration", KEY_DURATION, "DURATION", 0, "End after so long", 0 },
	{ "policy", KEY_POLICY, "FILE", 0, "Put this policy in force before the first packet; SIGHUP reads it again", 0 },
	{ "quiet", 'q', NULL, 0, "No events: what is found, changes of the policy, notices", 0 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct run *run = state->input;

	switch (key) {
	case KEY_DURATION:
		if (parse_seconds(arg, 1, UINT32_MAX, &run->seconds))
			argp_error(state, "--duration '%s': write 90, 90s, 10m or 1h30m", arg);
		return 0;
	case KEY_POLICY:
		return run->start.path = arg, 0;
	case 'q':
		return run->quiet = true, 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static bool has_iface(const struct ward_instance *info, const char *name)
{
	for (unsigned i = 0; i < info->iface_count && i < WARD_IFACES; i++)
		if (!strncmp(info->iface[i].name, name, WARD_NAME_LEN))
			return true;
	return false;
}

/* Opens the instance that `attach` made of these interfaces: 1; 0: there is none to join; or -exit code. */
static int join(const struct cmd_line *line, struct ward **out)
{
	struct ward *w;

	if (ward_open_iface(line->argv[0], &w))
		return 0;
	if (ward_info(w)->keep != KEEP_ALWAYS) {
		ward_close(w);
		return 0; /* another run's: ward_attach() refuses it, or takes over what a dead one left */
	}
	for (int i = 1; i < line->before; i++)
		if (!has_iface(ward_info(w), line->argv[i])) {
			int code = cmd_error(EXIT_FAILED, "run on the attached interfaces alone, or detach them first",
					     "'%s' is attached already, and '%s' does not belong to its instance '%s'",
					     line->argv[0], line->argv[i], ward_name(w));
			ward_close(w);
			return -code;
		}
	fprintf(stderr, "tcpward: '%s' is attached already (instance '%s'): joining, and leaving it attached\n",
		line->argv[0], ward_name(w));
	cmd_warn_keeper(w);
	*out = w;
	return 1;
}

/* "run eth0 dport = :443": the words behind the interface are a filter. */
static int refuse_filter(const struct cmd_line *line)
{
	int from = 1;

	while (from < line->before && (if_nametoindex(line->argv[from]) || !filter_begins(line->argv[from])))
		from++;
	if (from >= line->before)
		return EXIT_OK;
	fputs("tcpward: a filter follows '--': tcpward run", stderr);
	for (int i = 0; i < line->argc; i++)
		fprintf(stderr, "%s %s", i == from ? " --" : "", line->argv[i]);
	fputc('\n', stderr);
	return EXIT_USAGE;
}

/* An instance of `attach`, joined, takes the policy over and keeps it. */
static int put_joined(struct run *run)
{
	const struct policy_put how = { .path = run->start.path, .unattended = true };
	int code = run->start.policy ? policy_put(run->w, run->start.policy, &how) : EXIT_OK;

	if (code)
		ward_close(run->w);
	return code;
}

/* EXIT_OK without run->w: it was interrupted before there was anything to watch. */
static int open_or_attach(const struct cmd_line *line, struct run *run, bool *sweeps)
{
	int joined = join(line, &run->w), err;

	*sweeps = !joined;
	if (joined)
		return joined < 0 ? -joined : put_joined(run);
	err = ward_load(&line->track, &run->w);
	if (err)
		return cmd_fail(err);
	policy_start_hook(&run->start, run->w);
	ward_stop_if(run->w, loop_end_waits);
	err = ward_attach(run->w, (const char *const *)line->argv, line->before, run->start.path ? KEEP_KILLED : KEEP_NOT);
	cmd_notes(run->w);
	if (!err)
		return EXIT_OK;
	if (err == -EINTR && loop_end_waits()) { /* as it ends later on */
		cmd_say(LEVEL_NOTICE, "%s", ward_reason());
		err = EXIT_OK;
	} else {
		err = run->start.code ? run->start.code : cmd_fail(err);
	}
	ward_close(run->w);
	run->w = NULL;
	return err;
}

static void on_hangup(void *ctx)
{
	struct run *run = ctx;

	systemd_reloading(&run->systemd);
	policy_reload(run->w, run->start.path);
	systemd_reloaded(&run->systemd);
}

static void on_second(void *ctx, bool swept)
{
	struct run *run = ctx;

	systemd_second(&run->systemd, swept);
}

static void on_notice(const char *line, void *ctx)
{
	(void)ctx;
	cmd_say(LEVEL_NOTICE, "%s", line);
}

static int watch(struct run *run, const struct cmd_line *line, struct filter *filter, bool sweeps)
{
	const struct stream_options opt = { .sweeps = sweeps, .quiet = run->quiet, .second = on_second, .ctx = run };
	struct stream stream;
	int code = stream_open(&stream, run->w, line, filter, &opt);

	ward_on_notice(run->w, on_notice, NULL);
	if (!code && systemd_begin(&run->systemd, run->w, stream.loop, sweeps))
		code = cmd_error(EXIT_FAILED, NULL, "cannot make the timer of the watchdog");
	if (!code && ward_caps_keep(run->w, run->start.path ? CAPS_POLICY : CAPS_SWEEP))
		cmd_say(LEVEL_WARNING, "cannot give up capabilities: going on with them");
	if (!code) {
		if (run->start.path)
			loop_on_hangup(stream.loop, on_hangup, run);
		code = stream_run(&stream, run->seconds);
		systemd_end(&run->systemd);
		stream_summary(&stream);
	}
	stream_close(&stream);
	if (!code && sweeps && ward_info(run->w)->keep && systemd_restarts()) {
		cmd_say(LEVEL_NOTICE, "restart: all stays in force for the next one");
		ward_leave(run->w);
	}
	return code;
}

int cmd_run(int argc, char **argv)
{
	struct filter *filter = NULL;
	struct run run = { 0 };
	struct cmd_line line;
	bool sweeps = false;
	int code;

	cmd_parse(&line, OPT_OUTPUT | OPT_FAMILY | OPT_NAME | OPT_TRACK | OPT_HOOKS, options, parse, &run,
		  "IFACE... [-- FILTER]", "Attach to interfaces, print events as they happen, detach on exit (Ctrl-C).",
		  argc, argv);
	if (!line.before)
		return cmd_error(EXIT_USAGE, "tcpward run IFACE...", "run: no interface given");
	code = refuse_filter(&line);
	if (code)
		return code;
	if (line.argc > line.before && (code = cmd_filter(&line, line.before, &filter)))
		return code;
	loop_hold_signals(); /* what is attached will be detached */
	code = policy_start_read(&run.start, &line.track);
	if (!code)
		code = open_or_attach(&line, &run, &sweeps);
	if (code || !run.w) {
		filter_free(filter);
	} else {
		code = watch(&run, &line, filter, sweeps);
		ward_close(run.w);
	}
	policy_start_free(&run.start);
	return code;
}
