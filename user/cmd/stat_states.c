/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* stat states: Figure 5 of RFC 9293 with numbers: endpoints in each state, and how often each edge was taken. */
#include "cmd/sheet.h"
#include "cmd/stat.h"
#include "tcp_seq.h"
/* after tcp_seq.h */
#include "tcp_fsm.h"

#define EDGE_LABEL 30

static const struct edge_row {
	enum tcp_state from, to;
	enum ward_edge_kind kind;
	const char *text;
} edges[] = {
#define X(from, to, kind, text) { from, to, EDGE_KIND_##kind, text },
	WARD_EDGES(X)
#undef X
};

static const char *const kind_names[] = {
#define X(id, name, text) name,
	WARD_EDGE_KINDS(X)
#undef X
};

static void show_nodes(struct sheet *s, const struct ward_gauges *g, bool all)
{
	sheet_heading(s, "endpoints now");
	sheet_list(s, "nodes");
	for (int state = CLOSED; state < STATE_COUNT; state++) {
		uint64_t presumed = g->state[state] > g->confirmed[state] ? g->state[state] - g->confirmed[state] : 0;
		char note[64] = "";

		if (!all && !g->state[state])
			continue;
		if (presumed)
			snprintf(note, sizeof(note), "%llu of them presumed", (unsigned long long)presumed);
		sheet_object(s, NULL, NULL);
		sheet_text(s, "state", "", state_name((enum tcp_state)state), NULL);
		sheet_number(s, "endpoints", state_name((enum tcp_state)state), g->state[state], note);
		sheet_number(s, "confirmed", "", g->confirmed[state], NULL);
		sheet_number(s, "presumed", "", presumed, NULL);
		sheet_close(s);
	}
	sheet_close(s);
}

static void sum_edges(const struct ward_counters *c, uint64_t sums[EDGE_COUNT])
{
	for (unsigned from = 0; from < STATE_COUNT; from++)
		for (unsigned to = 0; to < STATE_COUNT; to++) {
			uint32_t edge = tcp_edge((__u8)from, (__u8)to);

			if (edge < EDGE_COUNT)
				sums[edge] += c->edge[from][to];
		}
}

static void show_edges(struct sheet *s, const struct ward_counters *c, bool all)
{
	uint64_t sums[EDGE_COUNT] = { 0 };

	sum_edges(c, sums);
	sheet_heading(s, "edges taken since it was made");
	sheet_list(s, "edges");
	for (unsigned i = 0; i < EDGE_OTHER; i++) {
		const struct edge_row *e = &edges[i];
		char label[48];

		if (!all && !sums[i])
			continue;
		snprintf(label, sizeof(label), "%s -> %s", state_name(e->from), state_name(e->to));
		sheet_object(s, NULL, NULL);
		sheet_text(s, "from", "", state_name(e->from), NULL);
		sheet_text(s, "to", "", state_name(e->to), NULL);
		sheet_text(s, "kind", "", kind_names[e->kind], NULL);
		sheet_number(s, "count", label, sums[i], e->text);
		sheet_text(s, "text", "", e->text, NULL);
		sheet_close(s);
	}
	sheet_close(s);
	if (all || sums[EDGE_OTHER])
		sheet_number(s, "other", "others", sums[EDGE_OTHER], "several steps by one segment");
}

int stat_states(struct stat *st)
{
	bool all = st->opt.all || st->style.json;
	struct reading now;
	int code = stat_read(st->w, &now);
	struct sheet *s = code ? NULL : sheet_begin(&st->style, false);

	if (code || !s)
		return code ? code : cmd_error(EXIT_FAILED, NULL, "stat: out of memory");
	sheet_labels(s, EDGE_LABEL);
	sheet_number(s, "v", "", 1, NULL);
	sheet_text(s, "name", "instance", ward_name(st->w), NULL);
	sheet_number(s, "ts_ns", "", now.ns, NULL);
	show_nodes(s, &now.gauges, all);
	show_edges(s, &now.counters, all);
	sheet_end(s);
	return EXIT_OK;
}
