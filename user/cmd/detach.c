/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* detach: interfaces, an instance, or all of them. */
#include <string.h>

#include "cmd/util.h"
#include "report/policy.h"

enum { KEY_ALL = 0x200 };

static const struct argp_option options[] = {
	{ "all", KEY_ALL, NULL, 0, "Every instance there is", 0 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	(void)arg;
	if (key != KEY_ALL)
		return ARGP_ERR_UNKNOWN;
	*(bool *)state->input = true;
	return 0;
}

/* What goes with an instance. */
struct losses {
	struct ward_policy_brief policy; /* file is "" where there is none */
	int blocked, allowed;
};

static void look_at_losses(struct ward *w, struct losses *l)
{
	memset(l, 0, sizeof(*l));
	ward_policy_brief(w, &l->policy);
	l->blocked = ward_list_count(w, WARD_BLOCK);
	l->allowed = ward_list_count(w, WARD_ALLOW);
}

/* The lists could not be saved. */
static void on_notice(const char *line, void *ctx)
{
	*(bool *)ctx = true;
	cmd_say(LEVEL_WARNING, "%s", line);
}

/* "; no longer in force: policy '/etc/web.yaml' (enforce); 3 blocked, 1 allowed: kept for the next 'eth0'" */
static void tell_losses(const struct losses *l, const char *name, bool lost)
{
	const char *between = "; no longer in force: ";

	if (*l->policy.file) {
		printf("%spolicy '%s' (%s)", between, l->policy.file, policy_mode_name(l->policy.mode));
		between = "; ";
	}
	if (l->blocked > 0 || l->allowed > 0)
		printf("%s%d blocked, %d allowed: %s the next '%s'", between, l->blocked > 0 ? l->blocked : 0,
		       l->allowed > 0 ? l->allowed : 0, lost ? "lost for" : "kept for", name);
}

/* Detaches ifname (NULL: all) of the instance that opened gives; returns an exit code. */
static int detach(int opened, struct ward *w, const char *ifname)
{
	struct losses losses;
	int err = opened, code;
	bool lost = false;

	if (!err) {
		ward_on_notice(w, on_notice, &lost);
		look_at_losses(w, &losses);
		err = ward_detach(w, ifname);
	}
	code = err ? cmd_fail(err) : EXIT_OK;
	if (!err) {
		printf("%s: detached", ifname ? ifname : ward_name(w));
		if (!cmd_still_pinned(w))
			tell_losses(&losses, ward_name(w), lost);
		putchar('\n');
	}
	if (!opened)
		ward_close(w);
	return code;
}

static int detach_instance(const char *name)
{
	struct ward *w = NULL;
	int opened = ward_open(name, &w);

	return detach(opened, w, NULL);
}

static int detach_all(void)
{
	char names[WARD_INSTANCES][WARD_NAME_LEN];
	int count = cmd_instances(names, WARD_INSTANCES), worst = EXIT_OK;

	if (!count)
		return cmd_no_instance();
	while (count > 0 && !worst) { /* there may be more than fit */
		for (int i = 0; i < count; i++) {
			int code = detach_instance(names[i]);

			worst = code ? code : worst;
		}
		count = count == WARD_INSTANCES ? cmd_instances(names, WARD_INSTANCES) : 0;
	}
	return count < 0 ? -count : worst;
}

static int detach_ifaces(const struct cmd_line *line)
{
	int worst = EXIT_OK;

	for (int i = 0; i < line->argc; i++) {
		const char *name = line->track.name;
		struct ward *w = NULL;
		int opened = name ? ward_open(name, &w) : ward_open_iface(line->argv[i], &w);
		int code = detach(opened, w, line->argv[i]);

		worst = code ? code : worst;
	}
	return worst;
}

int cmd_detach(int argc, char **argv)
{
	struct cmd_line line;
	bool all = false;

	cmd_parse(&line, OPT_NAME, options, parse, &all, "IFACE...\n--all\n--name NAME",
		  "Detach from interfaces; with its last one an instance goes.", argc, argv);
	if (all && (line.argc || line.track.name))
		return cmd_error(EXIT_USAGE, NULL, "detach: --all takes no interface and no --name");
	if (all)
		return detach_all();
	if (line.argc)
		return detach_ifaces(&line);
	if (line.track.name)
		return detach_instance(line.track.name);
	return cmd_error(EXIT_USAGE, "tcpward detach IFACE...|--all|--name NAME", "detach: no interface given");
}
