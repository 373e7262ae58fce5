// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* policy show, confirm, rollback, remove: what is in force, and what becomes of it. */
#include <string.h>

#include "cmd/policy.h"
#include "report/policy.h"

enum { KEY_TEXT = 0x200, KEY_FORCE };

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
	view.unanswered = ward_unanswered(w);
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

/* "rule 'everyone'", "entry '192.0.2.0/24' of the block list" */
static const char *who_cuts(struct ward *w, const struct ward_cut *cut, char buf[128])
{
	char name[80], addr[64];
	const char *rule = ward_subject_name(w, cut->subject, name);

	if (cut->subject == SUBJECT_BLOCK_LIST)
		snprintf(buf, 128, "entry '%s' of the block list", prefix_text(&cut->entry, addr));
	else
		snprintf(buf, 128, "rule '%s'", rule ? rule : "?");
	return buf;
}

static int refuse_cut(struct ward *w, const struct ward_cut *cut)
{
	const __u8 *remote = cut->local_side ? cut->flow.a_addr : cut->flow.b_addr;
	char who[128], flow[128], addr[46], remedy[160];
	struct ward_policy_brief policy = { .file = "" };

	ward_policy_brief(w, &policy);
	snprintf(remedy, sizeof(remedy), "tcpward allow add %s keeps it open; --force confirms all the same", addr_text(remote, addr));
	return cmd_error(EXIT_FAILED, remedy, "cannot confirm policy '%s': %s would drop the exempt session %s", policy.file,
			 who_cuts(w, cut, who), policy_flow_text(&cut->flow, (int)cut->local_side, flow));
}

/* Would it cut the very session that it is exempt for? */
static int check_session(struct ward *w)
{
	struct ward_cut cut;
	int found = ward_policy_cuts(w, &cut);

	if (found < 0)
		return cmd_error(EXIT_FAILED, "policy confirm --force confirms unasked",
				 "cannot ask the policy whether it would cut the exempt session: %s", ward_reason());
	return found ? refuse_cut(w, &cut) : EXIT_OK;
}

static int confirm(struct ward *w, bool force)
{
	int err = ward_policy_begin(w), code, done = 0;

	if (err)
		return cmd_fail(err);
	code = force ? EXIT_OK : check_session(w);
	if (!code)
		done = ward_policy_confirm(w);
	ward_policy_end(w);
	if (code)
		return code;
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

static const struct argp_option confirm_options[] = {
	{ "force", KEY_FORCE, NULL, 0, "Even if it then drops the session that applied it", 0 },
	{ 0 },
};

static error_t parse_confirm(int key, char *arg, struct argp_state *state)
{
	bool *force = state->input;

	(void)arg;
	if (key != KEY_FORCE)
		return ARGP_ERR_UNKNOWN;
	return *force = true, 0;
}

int cmd_policy_confirm(int argc, char **argv)
{
	struct cmd_line line;
	bool force = false;
	struct ward *w;
	int code;

	cmd_parse(&line, OPT_NAME, confirm_options, parse_confirm, &force, "",
		  "Let the policy stay that 'policy apply --confirm' put in force, and end the exemption of the session that "
		  "applied it; but not if that would be dropped then.",
		  argc, argv);
	code = cmd_no_words(&line);
	if (!code)
		code = cmd_open(&line, &w);
	if (code)
		return code;
	code = confirm(w, force);
	ward_close(w);
	return code;
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
