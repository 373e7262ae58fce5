/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* flows: the connections of an instance, filtered, as a table or one array. */
#include "cmd/util.h"

struct listing {
	struct ward *w;
	const struct cmd_line *line;
	const struct filter *filter;
	struct report *report;
	uint64_t now_ns;
};

static int on_flow(const struct flow_key *key, const struct flow *flow, bool embryo, void *ctx)
{
	struct listing *l = ctx;
	struct flow_view view = { .key = key, .flow = flow, .now_ns = l->now_ns, .embryo = embryo };

	view.iface = ward_iface_name(l->w, flow->iface);
	view.findings = cmd_flow_findings(l->w, flow, l->now_ns);
	if (cmd_family_ok(l->line, key) && filter_match_flow(l->filter, &view))
		report_flow(l->report, &view);
	return !output_alive();
}

static int list(struct ward *w, const struct cmd_line *line, const struct filter *filter)
{
	struct listing l = { .w = w, .line = line, .filter = filter, .now_ns = ward_now_ns(w) };
	struct report_style style;
	int err;

	cmd_style(line, &style);
	l.report = report_flows_begin(&style, false);
	if (!l.report)
		return cmd_error(EXIT_FAILED, NULL, "flows: out of memory");
	err = ward_flows_each(w, on_flow, &l);
	report_end(l.report);
	return err < 0 ? cmd_fail(err) : EXIT_OK;
}

int cmd_flows(int argc, char **argv)
{
	struct filter *filter = NULL;
	struct cmd_line line;
	struct ward *w;
	int code;

	cmd_parse(&line, OPT_OUTPUT | OPT_FAMILY | OPT_NAME, NULL, NULL, NULL, "[FILTER]",
		  "List connections with the state of both ends; without a filter all that are not closed.", argc,
		  argv);
	code = cmd_filter_flows(&line, 0, &filter);
	if (!code)
		code = cmd_open(&line, &w);
	if (!code) {
		code = list(w, &line, filter);
		ward_close(w);
	}
	filter_free(filter);
	return code;
}
