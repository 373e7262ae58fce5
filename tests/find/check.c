/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "find/check.h"

#include <err.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#define DELAY_NS SECONDS(2)  /* from the condition to the finding, and from its end to the end of the finding ... */
#define CLEAR_NS SECONDS(10) /* ... which comes so much later */
#define TICK_NS SECONDS(1)
#define TOLD 8 /* unexpected findings that are printed */

/* ---- reading ---- */
int findings_read(struct findings *f, FILE *in, const char *name)
{
	size_t size = 0;
	char *line = NULL;
	int bad = 0;

	memset(f, 0, sizeof(*f));
	while (!bad && getline(&line, &size, in) > 0) {
		struct json_object *o = json_tokener_parse(line);

		if (f->count == f->room) {
			f->room = f->room ? f->room * 2 : 16;
			f->list = reallocarray(f->list, f->room, sizeof(*f->list));
			if (!f->list)
				err(1, "%d findings", f->room);
		}
		if (json_object_get_type(o) == json_type_object)
			f->list[f->count++] = o;
		else
			bad = printf("not ok %s: no object: %.200s\n", name, line);
	}
	free(line);
	return bad ? -1 : 0;
}

void findings_free(struct findings *f)
{
	for (int i = 0; i < f->count; i++)
		json_object_put(f->list[i]);
	free(f->list);
	memset(f, 0, sizeof(*f));
}

static const char *text_of(struct json_object *o, const char *name)
{
	struct json_object *member = NULL;

	return json_object_object_get_ex(o, name, &member) && member ? json_object_get_string(member) : "";
}

/* UINT64_MAX where there is none. */
static uint64_t number_of(struct json_object *o, const char *name)
{
	struct json_object *member = NULL;

	if (!json_object_object_get_ex(o, name, &member) || json_object_get_type(member) != json_type_int)
		return UINT64_MAX;
	return json_object_get_uint64(member);
}

/* "source 203.0.113.9", "source 198.51.100.20 > 192.0.2.10:80" */
static const char *subject_of(struct json_object *o, char buf[200])
{
	static const char *const kinds[] = { "flow", "source", "prefix", "service" };
	struct json_object *subject = NULL;

	snprintf(buf, 200, "no subject");
	json_object_object_get_ex(o, "subject", &subject);
	for (unsigned i = 0; i < 4; i++) {
		const char *value = text_of(subject, kinds[i]), *to = text_of(subject, "to");

		if (*value)
			snprintf(buf, 200, "%s %s%s%s", kinds[i], value, *to ? " > " : "", to);
	}
	return buf;
}

/* The same, or without the service that all samples of a source agree on. */
static bool is_subject(struct json_object *o, const struct expected *e)
{
	char subject[200], wanted[200];
	size_t len;

	len = (size_t)snprintf(wanted, sizeof(wanted), "%s %s", e->kind, e->subject);
	subject_of(o, subject);
	if (!strcmp(subject, wanted))
		return true;
	if (!strcmp(e->kind, "flow") || strstr(e->subject, " > "))
		return false;
	return !strncmp(subject, wanted, len) && !strncmp(subject + len, " > ", 3);
}

/* ---- one finding ---- */
struct check {
	const char *name; /* of the scene */
	const struct expected *e;
	struct json_object *o;
	int wrong;
};

static void __attribute__((format(printf, 2, 3))) wrong(struct check *c, const char *fmt, ...)
{
	char why[400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	printf("not ok %s %s: %s\n", c->name, c->e->finding, why);
	c->wrong++;
}

static double seconds(uint64_t ns)
{
	return (double)(int64_t)(ns - SCENE_EPOCH_NS) / 1e9;
}

static void check_number(struct check *c, struct json_object *evidence, const struct expected_number *n)
{
	uint64_t value = number_of(evidence, n->name), limit;
	char name[80];

	if (value == UINT64_MAX)
		wrong(c, "no evidence '%s' in %s", n->name, json_object_to_json_string(evidence));
	else if (value < n->low || value > n->high)
		wrong(c, "%s is %" PRIu64 ", not %" PRIu64 " to %" PRIu64, n->name, value, n->low, n->high);
	snprintf(name, sizeof(name), "%s_limit", n->name);
	limit = number_of(evidence, name);
	if (limit != (n->limit ? n->limit : UINT64_MAX))
		wrong(c, "%s is %" PRId64 ", not %" PRIu64, name, (int64_t)limit, n->limit);
}

static void check_evidence(struct check *c)
{
	struct json_object *evidence = NULL;
	int own = 0;

	json_object_object_get_ex(c->o, "evidence", &evidence);
	for (int i = 0; i < c->e->numbers; i++)
		check_number(c, evidence, &c->e->number[i]);
	if (!evidence)
		return;
	json_object_object_foreach(evidence, name, value)
	{
		size_t n = strlen(name);

		own += n < 6 || strcmp(name + n - 6, "_limit") != 0;
		(void)value;
	}
	if (own != c->e->numbers)
		wrong(c, "%d of %d numbers are looked at: %s", c->e->numbers, own,
		      json_object_to_json_string(evidence));
}

static void check_peak(struct check *c)
{
	uint64_t value = number_of(c->o, "peak");

	if (c->e->peak_high && (value < c->e->peak_low || value > c->e->peak_high))
		wrong(c, "peak is %" PRIu64 ", not %" PRIu64 " to %" PRIu64, value, c->e->peak_low, c->e->peak_high);
}

static bool is_offender(const struct expected *e, const char *flow)
{
	char text[140];

	for (size_t i = 0; i < e->offenders; i++)
		if (!strcmp(flow, ends_text(&e->offender[i][0], &e->offender[i][1], text)))
			return true;
	return false;
}

/* "to" is where all samples go. */
static void check_to(struct check *c, const char *to, const char *flow)
{
	size_t len = strlen(flow), end = strlen(to);

	if (*to && (len < end || strcmp(flow + len - end, to) != 0))
		wrong(c, "to %s, but the sample flow %s", to, flow);
}

static void check_samples(struct check *c)
{
	struct json_object *flows = NULL, *subject = NULL;
	size_t count = 0;

	if (json_object_object_get_ex(c->o, "flows", &flows) && json_object_is_type(flows, json_type_array))
		count = json_object_array_length(flows);
	json_object_object_get_ex(c->o, "subject", &subject);
	if (!count && !c->e->no_samples)
		wrong(c, "no sample flows");
	for (size_t i = 0; i < count; i++) {
		const char *flow = json_object_get_string(json_object_array_get_idx(flows, i));

		check_to(c, text_of(subject, "to"), flow);
		if (!is_offender(c->e, flow))
			wrong(c, "the sample flow %s has done nothing", flow);
	}
}

static void check_times(struct check *c)
{
	uint64_t from = SCENE_EPOCH_NS + c->e->holds_ns, raised = number_of(c->o, "raised_ns");
	uint64_t low = SCENE_EPOCH_NS + c->e->ends_low_ns + CLEAR_NS - TICK_NS;
	uint64_t high = SCENE_EPOCH_NS + c->e->ends_high_ns + CLEAR_NS + DELAY_NS;
	uint64_t updated = number_of(c->o, "updated_ns"), cleared = number_of(c->o, "cleared_ns");

	if (raised < from || raised > from + DELAY_NS)
		wrong(c, "raised at %.3f s; it holds from %.3f s on", seconds(raised), seconds(from));
	if (cleared == UINT64_MAX)
		wrong(c, "not cleared; it ceased to hold at %.3f s", seconds(SCENE_EPOCH_NS + c->e->ends_high_ns));
	else if (cleared < low || cleared > high)
		wrong(c, "cleared at %.3f s, not between %.3f and %.3f s", seconds(cleared), seconds(low),
		      seconds(high));
	if (updated < raised || updated > cleared)
		wrong(c, "updated at %.3f s, not between raised and cleared", seconds(updated));
}

static int check_one(const char *name, const struct expected *e, struct json_object *o)
{
	struct check c = { .name = name, .e = e, .o = o };

	if (strcmp(text_of(o, "severity"), e->severity) != 0)
		wrong(&c, "severity is %s, not %s", text_of(o, "severity"), e->severity);
	check_evidence(&c);
	check_peak(&c);
	check_samples(&c);
	check_times(&c);
	if (strlen(text_of(o, "text")) < 20)
		wrong(&c, "says nothing: '%s'", text_of(o, "text"));
	if (!c.wrong)
		printf("ok %s: %s\n", name, text_of(o, "text"));
	return c.wrong;
}

/* ---- all of them ---- */
static bool is(struct json_object *o, const struct expected *e)
{
	return !strcmp(text_of(o, "finding"), e->finding) && is_subject(o, e);
}

static bool is_allowed(const struct scene *s, const char *finding)
{
	for (int i = 0; i < s->allowed_count; i++)
		if (!strcmp(s->allowed[i], finding))
			return true;
	return false;
}

static void unexpected(const char *name, struct json_object *o)
{
	char subject[200];

	printf("not ok %s: %s of %s at %.3f s: %s\n", name, text_of(o, "finding"), subject_of(o, subject),
	       seconds(number_of(o, "raised_ns")), text_of(o, "text"));
}

/* What is neither used nor allowed. */
static int check_rest(const struct scene *s, const struct findings *f, const bool *used, const char *name)
{
	int failed = 0;

	for (int i = 0; i < f->count; i++) {
		if (used[i] || is_allowed(s, text_of(f->list[i], "finding")))
			continue;
		if (failed++ < TOLD)
			unexpected(name, f->list[i]);
	}
	if (failed > TOLD)
		printf("not ok %s: %d findings, not those alone that are expected\n", name, failed);
	return failed;
}

int check_findings(const struct scene *s, const struct findings *f, const char *name)
{
	bool used[f->count + 1];
	int failed = 0, i;

	memset(used, 0, sizeof(used));
	for (int k = 0; k < s->expected_count; k++) {
		for (i = 0; i < f->count && (used[i] || !is(f->list[i], &s->expected[k])); i++)
			;
		if (i == f->count) {
			failed += printf("not ok %s: no %s of %s %s\n", name, s->expected[k].finding,
					 s->expected[k].kind, s->expected[k].subject) > 0;
			continue;
		}
		used[i] = true;
		failed += check_one(name, &s->expected[k], f->list[i]);
	}
	return failed + check_rest(s, f, used, name);
}

int check_nothing(const struct scene *s, const struct findings *f, const char *name)
{
	bool used[f->count + 1];
	int failed;

	memset(used, 0, sizeof(used));
	failed = check_rest(s, f, used, name);
	if (!failed)
		printf("ok %s: nothing is found%s%s\n", name, f->count ? " but " : "",
		       f->count ? text_of(f->list[0], "finding") : "");
	return failed;
}

int check_kind(const struct findings *f, const char *finding, const char *name)
{
	for (int i = 0; i < f->count; i++)
		if (!strcmp(text_of(f->list[i], "finding"), finding))
			return printf("ok %s: %s\n", name, text_of(f->list[i], "text")) < 0;
	return printf("not ok %s: no %s\n", name, finding) > 0;
}
