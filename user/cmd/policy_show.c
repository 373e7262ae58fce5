// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* policy show, confirm, rollback, remove: what is in force, and what becomes of it. */
#include <string.h>

#include "cmd/policy.h"
#include "report/policy.h"

enum { KEY_TEXT = 0x200 };

static const struct argp_option options[] = {
	{ "text", KEY_TEXT, NULL, 0, "Nothing but the policy's own text", 0 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	bool *text = state->input;

	(void)arg;
	if (key != KEY_TEXT)
		return ARGP_ERR_UNKNOWN;
	return *text = true, 0;
}

static int print_text(const struct ward *w, const struct ward_policy *policy)
{
	if (!policy->config)
		return cmd_error(EXIT_FAILED, "tcpward policy apply FILE", "there is no policy in instance '%s'", ward_name(w));
	fputs(policy->text, stdout);
	return EXIT_OK;
}

static int show(struct ward *w, const struct cmd_line *line, bool text)
{
	struct policy_view view = { .instance = ward_name(w), .now_ns = ward_now_ns(w) };
	struct ward_policy policy;
	struct report_style style;
	int err = ward_policy_get(w, &policy);

	if (err)
		return cmd_fail(err);
	if (text)
		return print_text(w, &policy);
	view.allowed = ward_list_count(w, WARD_ALLOW);
	view.blocked = view.allowed < 0 ? view.allowed : ward_list_count(w, WARD_BLOCK);
	if (view.blocked < 0)
		return cmd_fail(view.blocked);
	view.config = policy.config;
	view.text = policy.text;
	view.count = policy.count;
	view.rollback_ns = policy.rollback_ns;
	view.has_before = policy.has_before;
	cmd_style(line, &style);
	report_policy(&style, &view);
	return EXIT_OK;
}

int cmd_policy_show(int argc, char **argv)
{
	struct cmd_line line;
	bool text = false;
	struct ward *w;
	int code;

	cmd_parse(&line, OPT_NAME | OPT_OUTPUT, options, parse, &text, "",
		  "Show the policy in force: its mode, and what each rule and limit has met, dropped, and would have dropped.", argc,
		  argv);
	code = cmd_no_words(&line);
	if (!code)
		code = cmd_open(&line, &w);
	if (code)
		return code;
	code = show(w, &line, text);
	ward_close(w);
	return code;
}

/* ---- one word, one act ---- */
static int act(int argc, char **argv, const char *doc, int (*fn)(struct ward *w))
{
	struct cmd_line line;
	struct ward *w;
	int code;

	cmd_parse(&line, OPT_NAME, NULL, NULL, NULL, "", doc, argc, argv);
	code = cmd_no_words(&line);
	if (!code)
		code = cmd_open(&line, &w);
	if (code)
		return code;
	code = fn(w);
	ward_close(w);
	return code;
}

/* "policy 'web.yaml' is in force again: enforce" */
static int tell(struct ward *w, const char *what)
{
	struct ward_policy policy;
	int err = ward_policy_get(w, &policy);

	if (err)
		return cmd_fail(err);
	if (policy.config)
		printf("policy '%s' %s: %s\n", policy.config->file, what, policy_mode_name(policy.config->mode));
	else
		printf("no policy is in force\n");
	return EXIT_OK;
}

/* Perhaps it comes too late: what is in force says so. */
static int nothing_to_confirm(struct ward *w)
{
	struct ward_policy policy;
	int err = ward_policy_get(w, &policy);

	if (err)
		return cmd_fail(err);
	if (!policy.config)
		return cmd_error(EXIT_FAILED, "tcpward policy apply FILE",
				 "there is nothing to confirm in instance '%s': no policy is in force", ward_name(w));
	return cmd_error(EXIT_FAILED, NULL, "there is nothing to confirm in instance '%s': policy '%s' is in force, and stays",
			 ward_name(w), policy.config->file);
}

static int confirm(struct ward *w)
{
	int done = ward_policy_confirm(w);

	if (done < 0)
		return cmd_fail(done);
	return done ? tell(w, "is confirmed") : nothing_to_confirm(w);
}

static int rollback(struct ward *w)
{
	int err = ward_policy_rollback(w);

	return err ? cmd_fail(err) : tell(w, "is in force again");
}

/* Without a policy the block list is in force, which it may not have been under one. */
static int take_away(struct ward *w)
{
	struct ward_policy policy;
	bool dropped = ward_policy_get(w, &policy) || !policy.config || policy.config->mode == MODE_ENFORCE;
	int err = ward_policy_remove(w), blocked = ward_list_count(w, WARD_BLOCK);

	if (err)
		return cmd_fail(err);
	if (!dropped && blocked > 0)
		cmd_error(EXIT_OK, "tcpward block list, tcpward block flush",
			  "the block list drops from now on: %d %s, which the policy's mode kept from it", blocked,
			  blocked == 1 ? "entry" : "entries");
	return tell(w, "");
}

int cmd_policy_confirm(int argc, char **argv)
{
	return act(argc, argv,
		   "Let the policy stay that 'policy apply --confirm' put in force, and end the exemption of the session that "
		   "applied it.",
		   confirm);
}

int cmd_policy_rollback(int argc, char **argv)
{
	return act(argc, argv,
		   "Bring back the policy before. From one that waits for its confirmation that is none, if there was none before.",
		   rollback);
}

int cmd_policy_remove(int argc, char **argv)
{
	return act(argc, argv, "Take the policy away: the lists kept by hand stay. 'policy rollback' brings it back.", take_away);
}
