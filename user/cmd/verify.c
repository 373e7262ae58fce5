// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* tcpward verify: the tracked states against the kernel's own sockets. */
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "cmd/cmd.h"
#include "cmd/util.h"
#include "verify/verify.h"

/* ---- differences: one table of columns for the text and the JSON ---- */
struct cell {
	enum { CELL_TEXT, CELL_NUMBER, CELL_BOOL, CELL_NULL } kind;
	uint64_t number;
	const char *text;
	char buf[64];
};

struct column {
	const char *name;   /* JSON member; NULL: text only */
	const char *header; /* of the text; NULL: JSON only */
	int width;
	void (*get)(const struct endpoint *e, struct cell *cell);
};

static const __u8 *addr_of(const struct endpoint *e, bool local)
{
	return (e->side == 0) == local ? e->key.a_addr : e->key.b_addr;
}

static __u16 port_of(const struct endpoint *e, bool local)
{
	return (e->side == 0) == local ? e->key.a_port : e->key.b_port;
}

static void set_text(struct cell *cell, const char *text)
{
	cell->kind = text ? CELL_TEXT : CELL_NULL;
	cell->text = text;
}

static void set_number(struct cell *cell, uint64_t number)
{
	cell->kind = CELL_NUMBER;
	cell->number = number;
}

static void get_local(const struct endpoint *e, struct cell *cell)
{
	set_text(cell, endpoint_text(addr_of(e, true), port_of(e, true), cell->buf));
}

static void get_peer(const struct endpoint *e, struct cell *cell)
{
	set_text(cell, endpoint_text(addr_of(e, false), port_of(e, false), cell->buf));
}

static void get_laddr(const struct endpoint *e, struct cell *cell)
{
	set_text(cell, addr_text(addr_of(e, true), cell->buf));
}

static void get_lport(const struct endpoint *e, struct cell *cell)
{
	set_number(cell, port_of(e, true));
}

static void get_raddr(const struct endpoint *e, struct cell *cell)
{
	set_text(cell, addr_text(addr_of(e, false), cell->buf));
}

static void get_rport(const struct endpoint *e, struct cell *cell)
{
	set_number(cell, port_of(e, false));
}

static void get_ours_marked(const struct endpoint *e, struct cell *cell)
{
	bool sure = e->confirmed || e->ours == CLOSED || e->ours == LISTEN || e->ours == NO_STATE;

	set_text(cell, e->tracked ? state_text(e->ours, sure, cell->buf) : NULL);
}

static void get_ours(const struct endpoint *e, struct cell *cell)
{
	set_text(cell, e->tracked ? state_name(e->ours) : NULL);
}

static void get_confirmed(const struct endpoint *e, struct cell *cell)
{
	cell->kind = e->tracked ? CELL_BOOL : CELL_NULL;
	cell->number = e->confirmed || e->ours == CLOSED || e->ours == LISTEN;
}

static void get_kernel(const struct endpoint *e, struct cell *cell)
{
	set_text(cell, e->has_socket ? state_name(e->kernel) : NULL);
}

static void get_why(const struct endpoint *e, struct cell *cell)
{
	set_text(cell, verify_class_name(e->class));
}

static void get_why_text(const struct endpoint *e, struct cell *cell)
{
	set_text(cell, verify_class_text(e->class));
}

static const struct column columns[] = {
	{ NULL, "LOCAL", 24, get_local },
	{ NULL, "PEER", 24, get_peer },
	{ "laddr", NULL, 0, get_laddr },
	{ "lport", NULL, 0, get_lport },
	{ "raddr", NULL, 0, get_raddr },
	{ "rport", NULL, 0, get_rport },
	{ NULL, "TRACKED", 14, get_ours_marked },
	{ "tracked_state", NULL, 0, get_ours },
	{ "tracked_confirmed", NULL, 0, get_confirmed },
	{ "kernel_state", "KERNEL", 14, get_kernel },
	{ "why", "WHY", 18, get_why },
	{ "text", "", 0, get_why_text },
};
#define COLUMNS (sizeof(columns) / sizeof(columns[0]))

static struct json_object *cell_json(const struct cell *cell)
{
	switch (cell->kind) {
	case CELL_TEXT:
		return json_object_new_string(cell->text);
	case CELL_NUMBER:
		return json_object_new_int64((int64_t)cell->number);
	case CELL_BOOL:
		return json_object_new_boolean(cell->number != 0);
	default:
		return NULL;
	}
}

static struct json_object *difference_json(const struct endpoint *e)
{
	struct json_object *o = json_object_new_object();

	for (unsigned i = 0; i < COLUMNS; i++) {
		struct cell cell = { 0 };

		if (!columns[i].name)
			continue;
		columns[i].get(e, &cell);
		json_object_object_add(o, columns[i].name, cell_json(&cell));
	}
	return o;
}

static void difference_text(const struct endpoint *e, FILE *out)
{
	for (unsigned i = 0; i < COLUMNS; i++) {
		struct cell cell = { 0 };

		if (!columns[i].header)
			continue;
		columns[i].get(e, &cell);
		fprintf(out, "%-*s%s", columns[i].width, cell.kind == CELL_TEXT ? cell.text : "-",
			i + 1 < COLUMNS ? " " : "\n");
	}
}

static void header_text(FILE *out)
{
	for (unsigned i = 0; i < COLUMNS; i++)
		if (columns[i].header)
			fprintf(out, "%-*s%s", columns[i].width, columns[i].header, i + 1 < COLUMNS ? " " : "\n");
}

/* ---- the counts ---- */
#define FIXED_COUNTS 6

struct count {
	const char *name, *text;
	unsigned value;
};

static void fill_counts(const struct verify_result *r, struct count counts[FIXED_COUNTS])
{
	const struct count filled[FIXED_COUNTS] = {
		{ "sockets", "TCP sockets of the kernel, listening ones apart", r->sockets },
		{ "flows", "tracked connections with an end in this namespace", r->flows },
		{ "compared", "ends that both know or ought to know", r->compared },
		{ "agree", "... of them in the same state", r->agree },
		{ "not_watched", "sockets that are not on the watched interfaces", r->not_watched },
		{ "foreign", "tracked connections without an end here (forwarded, mirrored)", r->foreign },
	};

	memcpy(counts, filled, sizeof(filled));
}

static void print_json(const struct report_style *style, const struct verify_result *r)
{
	struct json_object *o = json_object_new_object(), *classes = json_object_new_object();
	struct json_object *list = json_object_new_array();
	struct count counts[FIXED_COUNTS];

	fill_counts(r, counts);
	json_object_object_add(o, "v", json_object_new_int(1));
	for (int i = 0; i < FIXED_COUNTS; i++)
		json_object_object_add(o, counts[i].name, json_object_new_int64(counts[i].value));
	for (int i = 0; i < CLASS_COUNT; i++)
		if (i != CLASS_UNEXPLAINED)
			json_object_object_add(classes, verify_class_name(i), json_object_new_int64(r->class[i]));
	json_object_object_add(o, "explained", classes);
	json_object_object_add(o, "unexplained", json_object_new_int64(r->class[CLASS_UNEXPLAINED]));
	json_object_object_add(o, "ok", json_object_new_boolean(!verify_failed(r)));
	for (unsigned i = 0; i < r->differences; i++)
		json_object_array_add(list, difference_json(&r->difference[i]));
	json_object_object_add(o, "differences", list);
	fprintf(style->out, "%s\n",
		json_object_to_json_string_ext(o, style->pretty ? JSON_C_TO_STRING_PRETTY : JSON_C_TO_STRING_PLAIN));
	json_object_put(o);
}

static void print_text(const struct report_style *style, const struct verify_result *r)
{
	struct count counts[FIXED_COUNTS];

	if (r->differences && !style->no_header)
		header_text(style->out);
	for (unsigned i = 0; i < r->differences; i++)
		difference_text(&r->difference[i], style->out);
	if (r->differences)
		fputc('\n', style->out);
	fill_counts(r, counts);
	for (int i = 0; i < FIXED_COUNTS; i++)
		fprintf(style->out, "%-19s %6u  %s\n", counts[i].name, counts[i].value, counts[i].text);
	for (int i = 0; i < CLASS_COUNT; i++)
		if (r->class[i] || i == CLASS_UNEXPLAINED)
			fprintf(style->out, "%-19s %6u  %s\n", verify_class_name(i), r->class[i],
				i == CLASS_UNEXPLAINED ? "differences without an explanation" : verify_class_text(i));
}

int cmd_verify(int argc, char **argv)
{
	struct report_style style;
	struct verify_result result;
	struct cmd_line line;
	struct ward *w;
	int err, code;

	cmd_parse(&line, OPT_OUTPUT | OPT_NAME, NULL, NULL, NULL, "",
		  "Compares the tracked states with the kernel's own sockets of this network namespace, prints each "
		  "difference and why it may be, and fails where one is unexplained or more than 1 % differ.",
		  argc, argv);
	code = cmd_no_words(&line);
	if (!code)
		code = cmd_open(&line, &w);
	if (code)
		return code;
	cmd_style(&line, &style);
	err = verify_run(w, &result);
	if (err) {
		code = cmd_fail(err);
	} else {
		(style.json ? print_json : print_text)(&style, &result);
		code = verify_failed(&result) ? EXIT_FAILED : EXIT_OK;
		verify_result_free(&result);
	}
	ward_close(w);
	return code;
}
