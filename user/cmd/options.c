/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * options: the words of a command line, by argp. The groups of options that several commands share are tables here;
 * a command adds its own. Every usage error is one line and exit code 2.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "cmd/util.h"

/* Keys of options without a letter. */
enum {
	KEY_NAME = 0x100,
	KEY_INGRESS,
	KEY_HOOKS,
	KEY_TAP,
	KEY_NO_PICKUP,
	KEY_KEY_VLAN,
	KEY_MSL,
	KEY_RFC1337,
	KEY_FLOWS,
	KEY_EMBRYOS,
	KEY_SERVICES,
	KEY_SOURCES,
	KEY_DETECT,
	KEY_CLSACT,
	KEY_NO_SEED,
};

static const struct argp_option output_options[] = {
	{ "json", 'j', NULL, 0, "JSON: lists as one array, streams as one object a line", 0 },
	{ "pretty", 'p', NULL, 0, "JSON over several lines", 0 },
	{ "no-header", 'H', NULL, 0, "No header line", 0 },
	{ "numeric", 'n', NULL, 0, "Port numbers, not names (the default)", 0 },
	{ "resolve", 'r', NULL, 0, "Port names from /etc/services", 0 },
	{ 0 },
};

static const struct argp_option family_options[] = {
	{ "ipv4", '4', NULL, 0, "IPv4 only", 0 },
	{ "ipv6", '6', NULL, 0, "IPv6 only", 0 },
	{ 0 },
};

static const struct argp_option name_options[] = {
	{ "name", KEY_NAME, "NAME", 0, "The instance (default: the first interface, or the only instance)", 0 },
	{ 0 },
};

static const struct argp_option track_options[] = {
	{ NULL, 0, NULL, 0, "Tracking:", 1 },
	{ "tap", KEY_TAP, NULL, 0, "A mirror that may lose segments", 0 },
	{ "no-pickup", KEY_NO_PICKUP, NULL, 0, "No flows that were first seen after their handshake", 0 },
	{ "key-vlan", KEY_KEY_VLAN, NULL, 0, "The outer VLAN id belongs to a flow's identity", 0 },
	{ "msl", KEY_MSL, "DURATION", 0, "Maximum segment lifetime (default: 30, so TIME-WAIT is 60 s)", 0 },
	{ "rfc1337", KEY_RFC1337, NULL, 0, "A RST does not end TIME-WAIT", 0 },
	{ "flows", KEY_FLOWS, "N", 0, "Capacity of the flow table, about 336 bytes each (default: 262144)", 0 },
	{ "embryos", KEY_EMBRYOS, "N", 0, "Capacity for unfinished handshakes, and as many unanswered SYNs, about 400 bytes each (default: 32768)", 0 },
	{ NULL, 0, NULL, 0, "Finding:", 2 },
	{ "detect", KEY_DETECT, "NAME.PARAM=VALUE", 0,
	  "A threshold, as stale-syn.after=5s; may be repeated. 'tcpward explain NAME' lists them", 0 },
	{ "services", KEY_SERVICES, "N", 0, "Services that are counted one by one (default: 4096)", 0 },
	{ "sources", KEY_SOURCES, "N", 0, "Sources and prefixes that are counted one by one (default: 8192)", 0 },
	{ 0 },
};

static const struct argp_option hooks_options[] = {
	{ NULL, 0, NULL, 0, "Hooks and sockets:", 3 },
	{ "ingress", KEY_INGRESS, "HOW", 0, "auto, xdp, xdp-generic or tc (default: auto)", 0 },
	{ "hooks", KEY_HOOKS, "WHICH", 0, "both, or ingress alone for mirror ports (default: both)", 0 },
	{ "clsact", KEY_CLSACT, NULL, 0, "Use clsact, even where the kernel has tcx", 0 },
	{ "no-seed", KEY_NO_SEED, NULL, 0, "Do not take the kernel's sockets into the table", 0 },
	{ 0 },
};

static const struct argp_option common_options[] = {
	{ "verbose", 'v', NULL, 0, "Show libbpf's and the verifier's log", -1 },
	{ 0 },
};

/* What the parsers of one command line share. */
struct parse {
	struct cmd_line *line;
	error_t (*extra_parser)(int, char *, struct argp_state *);
	void *extra_input;
	struct argp_child children[8];
	void *inputs[8];
	int count;
};

static void take_number(struct argp_state *state, const char *option, const char *arg, unsigned min, unsigned max,
			unsigned *out)
{
	uint64_t value;

	if (parse_number(arg, min, max, &value))
		argp_error(state, "%s '%s': not a number from %u to %u", option, arg, min, max);
	*out = (unsigned)value;
}

static void take_seconds(struct argp_state *state, const char *option, const char *arg, unsigned min, unsigned max, unsigned *out)
{
	uint64_t value;

	if (parse_seconds(arg, min, max, &value))
		argp_error(state, "%s '%s': write 30, 30s or 2m: from %us to %us", option, arg, min, max);
	*out = (unsigned)value;
}

static void take_ingress(struct argp_state *state, const char *arg, struct ward_options *track)
{
	static const char *const names[] = {
		[INGRESS_AUTO] = "auto",
		[INGRESS_XDP] = "xdp",
		[INGRESS_XDP_GENERIC] = "xdp-generic",
		[INGRESS_TC] = "tc",
	};

	for (unsigned i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (!strcmp(arg, names[i])) {
			track->ingress = (enum ward_ingress)i;
			return;
		}
	argp_error(state, "--ingress '%s': not auto, xdp, xdp-generic or tc", arg);
}

static void take_hooks(struct argp_state *state, const char *arg, struct ward_options *track)
{
	if (strcmp(arg, "both") && strcmp(arg, "ingress"))
		argp_error(state, "--hooks '%s': not both or ingress", arg);
	track->hooks_ingress_only = !strcmp(arg, "ingress");
}

static void take_name(struct argp_state *state, const char *arg, struct ward_options *track)
{
	size_t len = strlen(arg);

	if (!len || len >= WARD_NAME_LEN || strchr(arg, '/'))
		argp_error(state, "--name '%s': not a name of 1 to %d characters without '/', ':' or blanks", arg, WARD_NAME_LEN - 1);
	track->name = arg;
}

static void take_detect(struct argp_state *state, const char *arg, struct ward_options *track)
{
	const char *error = "";

	if (detect_opts_set(&track->detect, arg, &error))
		argp_error(state, "--detect: %s", error);
}

static error_t parse_track(int key, char *arg, struct argp_state *state)
{
	struct ward_options *track = &((struct parse *)state->input)->line->track;

	switch (key) {
	case KEY_INGRESS:
		take_ingress(state, arg, track);
		return 0;
	case KEY_HOOKS:
		take_hooks(state, arg, track);
		return 0;
	case KEY_MSL:
		take_seconds(state, "--msl", arg, 1, WARD_MSL_MAX, &track->msl_s);
		return 0;
	case KEY_FLOWS:
		take_number(state, "--flows", arg, WARD_FLOWS_MIN, WARD_FLOWS_MAX, &track->flows);
		return 0;
	case KEY_EMBRYOS:
		take_number(state, "--embryos", arg, WARD_EMBRYOS_MIN, WARD_EMBRYOS_MAX, &track->embryos);
		return 0;
	case KEY_SERVICES:
		take_number(state, "--services", arg, WARD_SERVICES_MIN, WARD_SERVICES_MAX, &track->services);
		return 0;
	case KEY_SOURCES:
		take_number(state, "--sources", arg, WARD_SOURCES_MIN, WARD_SOURCES_MAX, &track->sources);
		return 0;
	case KEY_DETECT:
		take_detect(state, arg, track);
		return 0;
	case KEY_TAP:
		return track->tap = true, 0;
	case KEY_NO_PICKUP:
		return track->no_pickup = true, 0;
	case KEY_KEY_VLAN:
		return track->key_vlan = true, 0;
	case KEY_RFC1337:
		return track->rfc1337 = true, 0;
	case KEY_CLSACT:
		return track->clsact = true, 0;
	case KEY_NO_SEED:
		return track->no_seed = true, 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static error_t parse_shared(int key, char *arg, struct argp_state *state)
{
	struct cmd_line *line = ((struct parse *)state->input)->line;

	switch (key) {
	case 'j':
		return line->json = true, 0;
	case 'p':
		return line->json = line->pretty = true, 0;
	case 'H':
		return line->no_header = true, 0;
	case 'n':
		return line->numeric = true, 0;
	case 'r':
		return line->numeric = false, 0;
	case '4':
		return line->only_v4 = true, 0;
	case '6':
		return line->only_v6 = true, 0;
	case 'v':
		return line->verbose = true, 0;
	case KEY_NAME:
		take_name(state, arg, &line->track);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static error_t parse_extra(int key, char *arg, struct argp_state *state)
{
	struct parse *p = state->input;
	error_t err;

	state->input = p->extra_input;
	state->hook = p->line;
	err = p->extra_parser(key, arg, state);
	state->input = p;
	return err;
}

/* The root: hands the state to the groups and collects the words that are not options. */
static error_t parse_root(int key, char *arg, struct argp_state *state)
{
	struct parse *p = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		for (int i = 0; i < p->count; i++)
			state->child_inputs[i] = p;
		return 0;
	case ARGP_KEY_ARG:
		p->line->argv[p->line->argc++] = arg;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp output_argp = { .options = output_options, .parser = parse_shared };
static const struct argp family_argp = { .options = family_options, .parser = parse_shared };
static const struct argp name_argp = { .options = name_options, .parser = parse_shared };
static const struct argp track_argp = { .options = track_options, .parser = parse_track };
static const struct argp hooks_argp = { .options = hooks_options, .parser = parse_track };
static const struct argp common_argp = { .options = common_options, .parser = parse_shared };

static void add_child(struct parse *p, const struct argp *argp)
{
	p->children[p->count++] = (struct argp_child){ .argp = argp };
}

/* One line an option for `completion`: long name, letter or '-', '=' or '-' for an argument, help; by tabs. */
static void list_options(const struct parse *p)
{
	for (int i = 0; i < p->count; i++)
		for (const struct argp_option *o = p->children[i].argp->options; o && (o->name || o->key || o->doc);
		     o++)
			if (o->name && !(o->flags & OPTION_HIDDEN))
				printf("%s\t%c\t%c\t%s\n", o->name, o->key > ' ' && o->key < 0x7f ? o->key : '-',
				       o->arg ? '=' : '-', o->doc ? o->doc : "");
	fflush(stdout);
	_exit(0);
}

/* Words after "--" are never options; argp would forget where they began. */
static int split_at_dashes(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (!strcmp(argv[i], "--"))
			return i;
	return argc;
}

static void line_init(struct cmd_line *line, int argc)
{
	static char **words; /* live as long as the process: a command parses once */

	free(words);
	words = calloc((size_t)argc + 1, sizeof(*words));
	if (!words)
		exit(cmd_error(EXIT_FAILED, NULL, "cannot read the command line: out of memory"));
	memset(line, 0, sizeof(*line));
	ward_options_init(&line->track);
	line->numeric = true;
	line->argv = words;
}

void cmd_parse(struct cmd_line *line, unsigned groups, const struct argp_option *extra,
	       error_t (*extra_parser)(int, char *, struct argp_state *), void *extra_input, const char *args_doc,
	       const char *doc, int argc, char **argv)
{
	const struct argp extra_argp = { .options = extra, .parser = parse_extra };
	struct parse p = { .line = line, .extra_parser = extra_parser, .extra_input = extra_input };
	const struct argp root = { .parser = parse_root, .args_doc = args_doc, .doc = doc, .children = p.children };
	int end = split_at_dashes(argc, argv);
	char *command = argv[0];
	char name[64];

	line_init(line, argc);
	line->command = command;
	if (extra && extra_parser)
		add_child(&p, &extra_argp);
	if (groups & OPT_OUTPUT)
		add_child(&p, &output_argp);
	if (groups & OPT_FAMILY)
		add_child(&p, &family_argp);
	if (groups & OPT_NAME)
		add_child(&p, &name_argp);
	if (groups & OPT_TRACK)
		add_child(&p, &track_argp);
	if (groups & OPT_HOOKS)
		add_child(&p, &hooks_argp);
	add_child(&p, &common_argp);
	if (argc == 2 && !strcmp(argv[1], CMD_LIST_OPTIONS))
		list_options(&p);

	snprintf(name, sizeof(name), "tcpward %s", command);
	argv[0] = name;
	argp_err_exit_status = EXIT_USAGE;
	setenv("ARGP_HELP_FMT", "no-dup-args-note", 0); /* its note below the help is longer than what it explains */
	if (argp_parse(&root, end, argv, 0, NULL, &p))
		exit(EXIT_USAGE);
	argv[0] = command;
	line->before = line->argc;
	for (int i = end + 1; i < argc; i++)
		line->argv[line->argc++] = argv[i];
	if (line->only_v4 && line->only_v6)
		line->only_v4 = line->only_v6 = false;
	ward_verbose(line->verbose);
}

void cmd_style(const struct cmd_line *line, struct report_style *style)
{
	report_style_init(style, stdout);
	style->json = line->json;
	style->pretty = line->pretty;
	style->no_header = line->no_header;
	style->resolve_ports = !line->numeric;
}

int cmd_fail(int err)
{
	int code = ward_exit_code(err);

	return cmd_error(code, ward_remedy(), "%s", *ward_reason() ? ward_reason() : strerror(-err));
}

/* Names of files, interfaces and foreign programs may hold what a terminal obeys, or begin a line that is not ours. */
static const char *text_tame(char *text)
{
	for (char *at = text; *at; at++)
		if ((unsigned char)*at < ' ' || *at == 0x7f)
			*at = '?';
	return text;
}

static void say(enum journal_level level, const char *fmt, va_list args)
{
	char text[1400];

	vsnprintf(text, sizeof(text), fmt, args);
	fflush(stdout);
	fprintf(stderr, "%stcpward: %s\n", journal_prefix(stderr, level), text_tame(text));
}

void cmd_say(enum journal_level level, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	say(level, fmt, args);
	va_end(args);
}

int cmd_error(int exit_code, const char *remedy, const char *fmt, ...)
{
	enum journal_level level = exit_code ? LEVEL_ERROR : LEVEL_WARNING;
	va_list args;

	va_start(args, fmt);
	say(level, fmt, args);
	va_end(args);
	if (remedy && *remedy) {
		char text[600];

		snprintf(text, sizeof(text), "%s", remedy);
		fprintf(stderr, "%s  %s\n", journal_prefix(stderr, level), text_tame(text));
	}
	return exit_code;
}
