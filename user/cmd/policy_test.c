// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* policy test: a capture through the programs with the policy in dry-run: what it would have dropped, by which rule. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/policy.h"
#include "cmd/policy_apply.h"
#include "policy/policy.h"
#include "replay/engine.h"
#include "report/policy.h"

#define LOCALS 64
#define CAPTURES 16
#define SAMPLES_EACH 3
#define SAMPLES (POLICY_SUBJECTS * SAMPLES_EACH)

enum { KEY_REPLAY = 0x200, KEY_LOCAL };

static const struct argp_option options[] = {
	{ "replay", KEY_REPLAY, "CAPTURE", 0, "The capture, pcap or pcapng; may be repeated", 0 },
	{ "local", KEY_LOCAL, "PREFIX", 0, "These addresses are this host's: what they send is not judged; may be repeated", 0 },
	{ 0 },
};

struct testing {
	struct replay replay;
	const char *capture[CAPTURES];
	unsigned captures;
	struct address_prefix local[LOCALS];
	unsigned locals;
	uint64_t judged;
	struct policy_sample sample[SAMPLES];
	unsigned samples, seen[POLICY_SUBJECTS];
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct testing *t = state->input;
	const char *error = NULL;
	struct cidr cidr;

	switch (key) {
	case KEY_REPLAY:
		if (t->captures == CAPTURES)
			argp_error(state, "--replay '%s': at most %d captures", arg, CAPTURES);
		t->capture[t->captures++] = arg;
		return 0;
	case KEY_LOCAL:
		if (cidr_parse(arg, &cidr, &error))
			argp_error(state, "--local: %s", error);
		if (t->locals == LOCALS)
			argp_error(state, "--local '%s': at most %d prefixes", arg, LOCALS);
		t->local[t->locals++] = cidr.prefix;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* ---- which way a packet goes ---- */
static unsigned ethertype(const uint8_t *at)
{
	return (unsigned)at[0] << 8 | at[1];
}

/* Where the IP header begins behind up to two VLAN tags; len if it is not IP. */
static size_t network_at(const struct capture_packet *p)
{
	size_t at = 12;

	if (p->l3)
		return 0;
	for (int tags = 0; tags < 2 && at + 4 <= p->len && (ethertype(p->data + at) == 0x8100 || ethertype(p->data + at) == 0x88a8); tags++)
		at += 4;
	if (at + 2 > p->len || (ethertype(p->data + at) != 0x0800 && ethertype(p->data + at) != 0x86dd))
		return p->len;
	return at + 2;
}

static bool source_of(const struct capture_packet *p, struct address_prefix *out)
{
	size_t at = network_at(p);
	unsigned version = at < p->len ? p->data[at] >> 4 : 0;

	*out = (struct address_prefix){ .len = PREFIX_WHOLE, .addr = { [10] = 0xff, [11] = 0xff } };
	if (version == 4 && at + 16 <= p->len)
		memcpy(out->addr + 12, p->data + at + 12, 4);
	else if (version == 6 && at + 24 <= p->len)
		memcpy(out->addr, p->data + at + 8, 16);
	else
		return false;
	return true;
}

static void before(const struct capture_packet *p, void *ctx)
{
	struct testing *t = ctx;
	struct address_prefix source;
	bool local = false;

	if (t->locals && source_of(p, &source))
		for (unsigned i = 0; i < t->locals; i++)
			local |= prefix_covers(&t->local[i], &source);
	t->judged += !local;
	ward_policy_judge(t->replay.w, !local);
}

/* ---- what was found ---- */
static void on_event(const struct event *ev, size_t size, void *ctx)
{
	struct testing *t = ctx;

	(void)size;
	if (ev->type != EVENT_DROP || ev->subject >= POLICY_SUBJECTS || t->seen[ev->subject]++ >= SAMPLES_EACH)
		return;
	t->sample[t->samples].event = *ev;
	ward_policy_judge(t->replay.w, true);
	ward_drop_names(t->replay.w, ev, &t->sample[t->samples].names);
	t->samples++;
}

static int put(struct testing *t, struct policy *p, const char *path)
{
	const char *error = NULL;
	struct policy_image *image;
	int err;

	p->mode = MODE_DRY_RUN;
	p->open_without_sweeper = false;
	image = policy_compile(p, NULL, 0, &error);
	if (!image)
		return cmd_error(EXIT_USAGE, NULL, "cannot test policy '%s': %s", path, error);
	err = ward_policy_apply(t->replay.w, image, &(struct ward_apply){ .file = path, .text = p->text });
	policy_image_free(image);
	return err ? cmd_fail(err) : EXIT_OK;
}

static int feed(struct testing *t)
{
	struct capture_error error = { .text = "" };
	int err = 0;

	for (unsigned i = 0; i < t->captures && !err; i++) {
		err = replay_file(&t->replay, t->capture[i], &error);
		if (err && *error.text && error.truncated)
			err = cmd_error(0, error.remedy, "%s", error.text);
	}
	if (!err)
		err = replay_finish(&t->replay, 0);
	if (!err)
		return EXIT_OK;
	return *error.text ? cmd_error(EXIT_FAILED, error.remedy, "%s", error.text) : cmd_fail(err);
}

static int show(struct testing *t, const struct cmd_line *line)
{
	struct policy_trial trial = { .packets = t->replay.packets, .judged = t->judged, .sample = t->sample, .sample_count = t->samples };
	struct policy_view view = { .instance = "" };
	struct ward_policy policy;
	struct report_style style;
	int err;

	ward_policy_judge(t->replay.w, true);
	err = ward_policy_get(t->replay.w, &policy);
	if (err)
		return cmd_fail(err);
	view.config = policy.config;
	view.count = policy.count;
	cmd_style(line, &style);
	report_policy_trial(&style, &view, &trial);
	if (!t->locals)
		fputs("tcpward: segments of both directions were judged; --local 192.0.2.1 says which addresses are this host's\n", stderr);
	return EXIT_OK;
}

static int test(struct testing *t, struct cmd_line *line, struct policy *p)
{
	int err, code;

	policy_track(p, &line->track);
	err = replay_open(&line->track, on_event, t, &t->replay);
	if (err)
		return cmd_fail(err);
	t->replay.before = before;
	code = put(t, p, line->argv[0]);
	if (!code)
		code = feed(t);
	if (!code)
		code = show(t, line);
	replay_close(&t->replay);
	return code;
}

int cmd_policy_test(int argc, char **argv)
{
	struct testing *t = calloc(1, sizeof(*t));
	struct cmd_line line;
	struct policy *p;
	int code;

	if (!t)
		return cmd_error(EXIT_FAILED, NULL, "policy test: out of memory");
	cmd_parse(&line, OPT_OUTPUT | OPT_TRACK, options, parse, t, "FILE --replay CAPTURE",
		  "Say what a policy would have done to a capture, by which rule, with the first segments of each.", argc, argv);
	if (line.argc != 1 || !t->captures) {
		free(t);
		return cmd_error(EXIT_USAGE, "tcpward policy test FILE --replay CAPTURE", "policy test: name one policy and a capture");
	}
	p = policy_load(line.argv[0], "no segment was judged");
	code = p ? test(t, &line, p) : EXIT_USAGE;
	policy_free(p);
	free(t);
	return code;
}
