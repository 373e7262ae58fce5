/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* run: attach, print events, detach on exit. On interfaces that `attach` holds it only joins. */
#include <net/if.h>
#include <string.h>

#include "cmd/stream.h"
#include "cmd/util.h"

enum { KEY_DURATION = 0x200 };

static const struct argp_option options[] = {
	{ "duration", KEY_DURATION, "SECONDS", 0, "End after so long", 0 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	uint64_t *seconds = state->input;

	if (key != KEY_DURATION)
		return ARGP_ERR_UNKNOWN;
	if (parse_number(arg, 1, UINT32_MAX, seconds))
		argp_error(state, "--duration '%s': not a number of seconds", arg);
	return 0;
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
	if (!ward_info(w)->keep) {
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

static int open_or_attach(const struct cmd_line *line, struct ward **out, bool *sweeps)
{
	int joined = join(line, out), err;

	*sweeps = !joined;
	if (joined)
		return joined < 0 ? -joined : EXIT_OK;
	err = ward_load(&line->track, out);
	if (err)
		return cmd_fail(err);
	err = ward_attach(*out, (const char *const *)line->argv, line->before, false);
	cmd_notes(*out);
	if (!err)
		return EXIT_OK;
	err = cmd_fail(err);
	ward_close(*out);
	return err;
}

int cmd_run(int argc, char **argv)
{
	struct filter *filter = NULL;
	struct cmd_line line;
	struct stream stream;
	uint64_t seconds = 0;
	bool sweeps = false;
	struct ward *w;
	int code;

	cmd_parse(&line, OPT_OUTPUT | OPT_FAMILY | OPT_NAME | OPT_TRACK | OPT_HOOKS, options, parse, &seconds,
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
	code = open_or_attach(&line, &w, &sweeps);
	if (code) {
		filter_free(filter);
		return code;
	}
	code = stream_open(&stream, w, &line, filter, sweeps);
	if (!code) {
		code = stream_run(&stream, seconds);
		stream_summary(&stream);
	}
	stream_close(&stream);
	ward_close(w);
	return code;
}
