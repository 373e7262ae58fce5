/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* attach: pin an instance, attach it to interfaces, leave a keeper behind. */
#include <string.h>

#include "cmd/loop.h"
#include "cmd/policy_apply.h"
#include "cmd/util.h"

enum { KEY_POLICY = 0x200 };

static const struct argp_option options[] = {
	{ "policy", KEY_POLICY, "FILE", 0, "Put this policy in force before the first packet", 0 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct policy_start *start = state->input;

	if (key != KEY_POLICY)
		return ARGP_ERR_UNKNOWN;
	return start->path = arg, 0;
}

static const char *ingress_name(unsigned ingress)
{
	static const char *const names[] = {
		[INGRESS_AUTO] = "auto", [INGRESS_XDP] = "native XDP", [INGRESS_XDP_GENERIC] = "generic XDP",
		[INGRESS_TC] = "tc",	 [INGRESS_NONE] = "nothing",
	};

	return ingress <= INGRESS_NONE ? names[ingress] : "?";
}

static void print_attached(const struct ward *w)
{
	const struct ward_instance *info = ward_info(w);

	for (unsigned i = 0; i < info->iface_count && i < WARD_IFACES; i++)
		printf("%.*s: attached, instance '%s', ingress by %s\n", WARD_NAME_LEN, info->iface[i].name,
		       ward_name(w), ingress_name(info->iface[i].ingress));
}

static bool has_iface(const struct ward_instance *info, const char *name)
{
	for (unsigned i = 0; i < info->iface_count && i < WARD_IFACES; i++)
		if (info->iface[i].hooks && !strncmp(info->iface[i].name, name, WARD_NAME_LEN))
			return true;
	return false;
}

/* Is w what these words ask for, but for its keeper, who has died? */
static bool lacks_keeper(const struct ward *w, const struct cmd_line *line)
{
	if (!ward_info(w)->keep || ward_keeper_alive(w, NULL) || !ward_own_build(w))
		return false;
	for (int i = 0; i < line->argc; i++)
		if (!has_iface(ward_info(w), line->argv[i]))
			return false;
	return !line->track.name || !strcmp(line->track.name, ward_name(w));
}

/* A new keeper for an instance that lost its own: true, and the exit code in *code; false: there is none such. */
static bool revive(const struct cmd_line *line, struct policy_start *start, int *code)
{
	const struct policy_put how = { .path = start->path, .unattended = true };
	struct ward *w;
	int err;

	if (ward_open_iface(line->argv[0], &w))
		return false;
	if (!lacks_keeper(w, line)) {
		ward_close(w);
		return false;
	}
	err = ward_keeper_restart(w);
	if (err)
		*code = cmd_fail(err);
	else if (!start->policy || !(*code = policy_put(w, start->policy, &how)))
		printf("%s: attached already, instance '%s', with its options; its keeper was gone: started a new one\n",
		       line->argv[0], ward_name(w));
	if (!err && !*code && start->policy)
		policy_tell(start->path, start->policy);
	ward_close(w);
	return true;
}

static int attach(const struct cmd_line *line, struct policy_start *start)
{
	struct ward *w;
	int code = EXIT_OK, err;

	if (revive(line, start, &code))
		return code;
	err = ward_load(&line->track, &w);
	if (err)
		return cmd_fail(err);
	policy_start_hook(start, w);
	ward_stop_if(w, loop_signal_waits);
	err = ward_attach(w, (const char *const *)line->argv, line->argc, KEEP_ALWAYS);
	cmd_notes(w);
	if (err) {
		code = start->code ? start->code : cmd_fail(err);
	} else {
		print_attached(w);
		if (start->policy)
			policy_tell(start->path, start->policy);
	}
	ward_close(w);
	return code;
}

int cmd_attach(int argc, char **argv)
{
	struct policy_start start = { 0 };
	struct cmd_line line;
	int code;

	cmd_parse(&line, OPT_NAME | OPT_TRACK | OPT_HOOKS, options, parse, &start, "IFACE...",
		  "Attach to interfaces and stay: a small keeper process goes on, until `tcpward detach`.", argc, argv);
	if (!line.argc)
		return cmd_error(EXIT_USAGE, "tcpward attach IFACE...", "attach: no interface given");
	loop_hold_signals(); /* whole or not at all: ward_stop_if() */
	code = policy_start_read(&start, &line.track);
	if (!code)
		code = attach(&line, &start);
	if (!code && loop_signal_waits())
		cmd_say(LEVEL_NOTICE, "the interruption came too late: '%s' is attached (tcpward detach %s takes it off)",
			line.argv[0], line.argv[0]);
	policy_start_free(&start);
	return code;
}
