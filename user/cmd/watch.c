/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* watch: the events of an instance as they happen. */
#include "cmd/stream.h"
#include "cmd/util.h"

enum { KEY_DURATION = 0x200 };

static const struct argp_option options[] = {
	{ "duration", KEY_DURATION, "DURATION", 0, "End after so long", 0 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	uint64_t *seconds = state->input;

	if (key != KEY_DURATION)
		return ARGP_ERR_UNKNOWN;
	if (parse_seconds(arg, 1, UINT32_MAX, seconds))
		argp_error(state, "--duration '%s': write 90, 90s, 10m or 1h30m", arg);
	return 0;
}

int cmd_watch(int argc, char **argv)
{
	struct filter *filter = NULL;
	struct cmd_line line;
	struct stream stream;
	uint64_t seconds = 0;
	struct ward *w;
	int code;

	cmd_parse(&line, OPT_OUTPUT | OPT_FAMILY | OPT_NAME, options, parse, &seconds, "[FILTER]",
		  "Print the events of an instance as they happen.", argc, argv);
	if (line.argc && (code = cmd_filter(&line, 0, &filter)))
		return code;
	code = cmd_open(&line, &w);
	if (code) {
		filter_free(filter);
		return code;
	}
	code = stream_open(&stream, w, &line, filter, &(struct stream_options){ 0 });
	if (!code)
		code = stream_run(&stream, seconds);
	stream_close(&stream);
	ward_close(w);
	return code;
}
