// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* lists: `allow` and `block`: what is never dropped, and what always is. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/util.h"
#include "policy/list_file.h"
#include "policy/policy.h"
#include "report/lists.h"
#include "report/nearest.h"
#include "report/policy.h"

enum { KEY_FOR = 0x200, KEY_REASON, KEY_FORCE };

struct listing {
	enum ward_list list;
	const char *name; /* "block" */
	struct cmd_line line;
	uint64_t for_ns;
	const char *reason;
	bool force;
	struct ward *w;
};

static const struct argp_option add_options[] = {
	{ "for", KEY_FOR, "DURATION", 0, "For so long, as 10m or 1h30m (default: for ever)", 0 },
	{ "reason", KEY_REASON, "TEXT", 0, "Why, up to 24 characters", 0 },
	{ "force", KEY_FORCE, NULL, 0, "Even where this session comes from, and even everybody", 0 },
	{ 0 },
};

static error_t parse_add(int key, char *arg, struct argp_state *state)
{
	struct listing *l = state->input;
	const char *error = NULL;

	switch (key) {
	case KEY_FOR:
		if (duration_parse(arg, &l->for_ns, &error))
			argp_error(state, "--for: %s", error);
		if (!l->for_ns)
			argp_error(state, "--for '%s': no time at all; without --for it is for ever", arg);
		return 0;
	case KEY_REASON:
		if (strlen(arg) > sizeof(((struct list_entry *)0)->reason) || strpbrk(arg, "\n#"))
			argp_error(state, "--reason '%s': up to %zu characters, without '#'", arg,
				   sizeof(((struct list_entry *)0)->reason));
		l->reason = arg;
		return 0;
	case KEY_FORCE:
		return l->force = true, 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* ---- what a word says ---- */
static int address_of(const struct listing *l, const char *word, struct address_prefix *out)
{
	const char *error = NULL;
	struct cidr cidr;

	if (cidr_parse(word, &cidr, &error))
		return cmd_error(EXIT_USAGE, NULL, "%s: %s", l->line.command, error);
	*out = cidr.prefix;
	return EXIT_OK;
}

/* All of the words, before the first is acted on; to be freed. */
static int addresses(const struct listing *l, struct address_prefix **out)
{
	int code = EXIT_OK;

	if (!l->line.argc)
		return cmd_error(EXIT_USAGE, NULL, "%s: no address given: tcpward %s 203.0.113.0/24", l->line.command,
				 l->line.command);
	*out = calloc((size_t)l->line.argc, sizeof(**out));
	if (!*out)
		return cmd_error(EXIT_FAILED, NULL, "%s: out of memory", l->line.command);
	for (int i = 0; i < l->line.argc && !code; i++)
		code = address_of(l, l->line.argv[i], &(*out)[i]);
	if (code)
		free(*out);
	return code;
}

static uint64_t until(const struct listing *l)
{
	return l->for_ns ? ward_now_ns(l->w) + l->for_ns : 0;
}

/* ---- not the hand that types ---- */
static const __u8 *remote_of(const struct ward_session *s, unsigned i)
{
	return s->local_side[i] ? s->flow[i].a_addr : s->flow[i].b_addr;
}

static int find_allowed(const struct list_item *allowed, void *ctx)
{
	return prefix_covers(&allowed->prefix, ctx);
}

/* The entry that would cut this session, unless the allow list keeps it open; from: where it comes from. NULL: none. */
static const struct list_item *find_cut(const struct listing *l, const struct ward_session *s, const struct list_item *items,
					size_t count, struct address_prefix *from)
{
	for (unsigned k = 0; k < s->count; k++) {
		*from = prefix_of(remote_of(s, k));
		if (ward_list_each(l->w, WARD_ALLOW, find_allowed, from) == 1)
			continue;
		for (size_t i = 0; i < count; i++)
			if (prefix_covers(&items[i].prefix, from))
				return &items[i];
	}
	return NULL;
}

#define WIDE_V4 8 /* a shorter prefix is no network of anybody's, and holds most likely whoever types it */
#define WIDE_V6 16

/* The first entry of fewer bits than these; NULL: none. */
static const struct list_item *find_wide(const struct list_item *items, size_t count, unsigned v4, unsigned v6)
{
	for (size_t i = 0; i < count; i++)
		if (items[i].prefix.len < (prefix_is_v4(&items[i].prefix) ? 96 + v4 : v6))
			return &items[i];
	return NULL;
}

/* Refuses to block everybody, where this session comes from, and, if that is not known, what is likely to hold it. */
static int check_reach(const struct listing *l, const struct list_item *items, size_t count)
{
	const struct list_item *item;
	struct ward_session session;
	struct address_prefix remote;
	char addr[64], from[64];

	if (l->list != WARD_BLOCK || l->force)
		return EXIT_OK;
	item = find_wide(items, count, 1, 1);
	if (item)
		return cmd_error(EXIT_FAILED, "--force does it all the same", "%s: '%s' would drop what anybody sends by %s", l->line.command,
				 prefix_text(&item->prefix, addr), prefix_is_v4(&item->prefix) ? "IPv4" : "IPv6");
	ward_session_find(0, &session);
	item = find_cut(l, &session, items, count, &remote);
	if (item)
		return cmd_error(EXIT_FAILED, "--force does it all the same; tcpward allow add keeps it open for good",
				 "%s: '%s' would cut the session from '%s' (%s)", l->line.command,
				 prefix_text(&item->prefix, addr), prefix_text(&remote, from), session.why);
	item = session.count ? NULL : find_wide(items, count, WIDE_V4, WIDE_V6);
	if (item)
		return cmd_error(EXIT_FAILED, "--force does it all the same",
				 "%s: '%s' is so wide (shorter than /%d) that it may hold the session that this is typed over, which is not "
				 "found: %s", l->line.command, prefix_text(&item->prefix, addr),
				 prefix_is_v4(&item->prefix) ? WIDE_V4 : WIDE_V6, session.why);
	return EXIT_OK;
}

static int find_overlap(const struct list_item *allowed, void *ctx)
{
	const struct address_prefix *blocked = ctx;
	char addr[64], other[64];

	if (!prefix_overlaps(&allowed->prefix, blocked))
		return 0;
	fprintf(stderr, "tcpward: '%s' is in the allow list, which goes before: what it holds of '%s' is not blocked\n",
		prefix_text(&allowed->prefix, addr), prefix_text(blocked, other));
	return 1;
}

/* The block list has the mode of the policy. */
static void warn_mode(const struct listing *l)
{
	struct ward_policy policy;

	if (l->list != WARD_BLOCK || ward_policy_get(l->w, &policy) || !policy.config || policy.config->mode == MODE_ENFORCE)
		return;
	fprintf(stderr, "tcpward: nothing is dropped, for policy '%s' is in mode %s\n", policy.config->file,
		policy_mode_name(policy.config->mode));
}

/* "203.0.113.0/24: added to the block list for 10m, until 13:14:05 (scan)" */
static void tell_added(const struct listing *l, const struct list_item *item)
{
	char addr[64], text[32], date[16], at[40];
	uint64_t now_ns = ward_now_ns(l->w), until_ns = item->entry.until_ns;

	printf("%s: added to the %s list", prefix_text(&item->prefix, addr), l->name);
	if (until_ns)
		printf(" for %s, until %s%.8s", list_left_text(&item->entry, now_ns, text), date_text(until_ns, now_ns, date),
		       time_text(until_ns, at));
	else
		fputs(" for ever", stdout);
	if (*item->entry.reason)
		printf(" (%s)", list_reason(&item->entry, text));
	putchar('\n');
}

/* ---- the subcommands ---- */
static int add(struct listing *l)
{
	struct address_prefix *prefixes;
	struct list_item *items;
	int code = addresses(l, &prefixes), err = 0;

	if (code)
		return code;
	items = calloc((size_t)l->line.argc, sizeof(*items));
	for (int i = 0; items && i < l->line.argc; i++) {
		items[i].prefix = prefixes[i];
		items[i].entry.until_ns = until(l);
		list_reason_set(&items[i].entry, l->reason ? l->reason : "");
	}
	code = items ? check_reach(l, items, (size_t)l->line.argc) : cmd_error(EXIT_FAILED, NULL, "out of memory");
	for (int i = 0; !code && !err && i < l->line.argc; i++) {
		err = ward_list_add(l->w, l->list, &items[i]);
		if (err)
			break;
		tell_added(l, &items[i]);
		if (l->list == WARD_BLOCK)
			ward_list_each(l->w, WARD_ALLOW, find_overlap, &items[i].prefix);
	}
	if (!code && !err)
		warn_mode(l);
	free(prefixes);
	free(items);
	return err ? cmd_fail(err) : code;
}

static int del(struct listing *l)
{
	struct address_prefix *prefixes;
	int code = addresses(l, &prefixes);
	char addr[64];

	if (code)
		return code;
	for (int i = 0; i < l->line.argc; i++) {
		int err = ward_list_delete(l->w, l->list, &prefixes[i]);

		if (err)
			code = cmd_fail(err);
		else
			printf("%s: taken out of the %s list\n", prefix_text(&prefixes[i], addr), l->name);
	}
	free(prefixes);
	return code;
}

static int flush(struct listing *l)
{
	int count = cmd_no_words(&l->line);

	if (count)
		return count;
	count = ward_list_flush(l->w, l->list);
	if (count < 0)
		return cmd_fail(count);
	printf("the %s list is empty: %d %s taken out\n", l->name, count, count == 1 ? "entry" : "entries");
	return EXIT_OK;
}

/* "12 added, 3 taken out, 100 stay" */
static void tell_change(const struct listing *l, const struct list_change *change)
{
	printf("%s list: %zu added, %zu taken out, %zu stay", l->name, change->added, change->removed, change->stayed);
	if (change->others)
		printf("; and %zu that limits and findings put there", change->others);
	putchar('\n');
}

static int import(struct listing *l)
{
	struct list_file_opts opts = { .now_ns = ward_now_ns(l->w), .until_ns = until(l), .reason = l->reason };
	struct list_change change;
	struct list_item *items;
	const char *path;
	unsigned errors;
	size_t count;
	int code;
	FILE *in;

	if (l->line.argc != 1)
		return cmd_error(EXIT_USAGE, NULL, "%s: one file, or - for standard input: tcpward %s FILE", l->line.command,
				 l->line.command);
	path = l->line.argv[0];
	in = strcmp(path, "-") ? fopen(path, "re") : stdin;
	if (!in)
		return cmd_error(EXIT_FAILED, NULL, "%s: cannot read '%s': %s", l->line.command, path, strerror(errno));
	errors = list_file_read(in, path, &opts, &items, &count, stderr);
	if (in != stdin)
		fclose(in);
	if (errors)
		return cmd_error(EXIT_USAGE, NULL, "%s: '%s' has %u error%s; the %s list is as it was", l->line.command, path,
				 errors, errors == 1 ? "" : "s", l->name);
	code = check_reach(l, items, count);
	if (!code) {
		int err = ward_list_replace(l->w, l->list, items, count, &change);

		code = err ? cmd_fail(err) : EXIT_OK;
		if (!err) {
			tell_change(l, &change);
			warn_mode(l);
		}
	}
	free(items);
	return code;
}

/* ---- list ---- */
struct printing {
	const struct listing *l;
	struct report *report;
	uint64_t now_ns;
};

/* Its own words; else, of what a limit put there, the limit. */
static const char *reason_of(const struct printing *p, const struct list_entry *entry, char buf[80])
{
	if (entry->by == LISTED_BY_LIMIT && !*entry->reason)
		return ward_subject_name(p->l->w, POLICY_RULES + entry->subject, buf);
	return list_reason(entry, buf);
}

static int print_item(const struct list_item *item, void *ctx)
{
	const struct printing *p = ctx;
	bool v4 = prefix_is_v4(&item->prefix);
	const char *why;
	char buf[80];

	if ((p->l->line.only_v4 && !v4) || (p->l->line.only_v6 && v4))
		return 0;
	why = reason_of(p, &item->entry, buf);
	report_list_item(p->report, p->l->name, item, why ? why : "", p->now_ns);
	return 0;
}

static int list(struct listing *l)
{
	struct printing p = { .l = l, .now_ns = ward_now_ns(l->w) };
	struct report_style style;
	int err = cmd_no_words(&l->line);

	if (err)
		return err;
	cmd_style(&l->line, &style);
	p.report = report_list_begin(&style);
	if (!p.report)
		return cmd_error(EXIT_FAILED, NULL, "%s: out of memory", l->line.command);
	err = ward_list_each(l->w, l->list, print_item, &p);
	report_end(p.report);
	return err ? cmd_fail(err) : EXIT_OK;
}

/* ---- which ---- */
static const struct subcommand {
	const char *name;
	int (*run)(struct listing *l);
	unsigned groups;
	bool options; /* those of add */
	const char *words, *brief, *help;
} subcommands[] = {
	{ "add", add, 0, true, "ADDRESS...", "add addresses or prefixes, for a time or for ever",
	  "Add addresses or prefixes, as 203.0.113.0/24 or 2001:db8::1." },
	{ "del", del, 0, false, "ADDRESS...", "take entries out",
	  "Take entries out; each by the address or prefix that it was added with." },
	{ "list", list, OPT_OUTPUT | OPT_FAMILY, false, "", "print the entries: time left, hits, by whom and why",
	  "Print the entries: time left, hits, who added them and why." },
	{ "flush", flush, 0, false, "", "take everything out", "Take everything out." },
	{ "import", import, 0, true, "FILE", "make the list what a file says",
	  "Make the list what a file says (one address or prefix a line, or what `list` prints), all at once. Entries that limits "
	  "and findings put there stay." },
};
#define SUBCOMMANDS (sizeof(subcommands) / sizeof(subcommands[0]))

static int usage(enum ward_list list, const char *name, FILE *out)
{
	fprintf(out, "Usage: tcpward %s COMMAND [OPTION...] [WORD...]\n%s\n\n", name,
		list == WARD_BLOCK ? "Sources whose segments are dropped, without any policy too." :
				     "Sources that are never dropped and never challenged, whatever a policy says.");
	for (size_t i = 0; i < SUBCOMMANDS; i++)
		fprintf(out, "  %-8s%-12s%s\n", subcommands[i].name, subcommands[i].words, subcommands[i].brief);
	fprintf(out, "\n'tcpward %s COMMAND --help' explains a command.\n", name);
	return out == stdout ? EXIT_OK : EXIT_USAGE;
}

static int unknown(const char *name, const char *word)
{
	struct nearest nearest;

	nearest_begin(&nearest, word);
	for (size_t i = 0; i < SUBCOMMANDS; i++)
		nearest_try(&nearest, subcommands[i].name);
	if (nearest.best)
		return cmd_error(EXIT_USAGE, NULL, "unknown command '%s %s', did you mean '%s'?", name, word, nearest.best);
	return cmd_error(EXIT_USAGE, "add, del, list, flush, import", "unknown command '%s %s'", name, word);
}

static int run(struct listing *l, const struct subcommand *sub, int argc, char **argv)
{
	static char name[32];
	int code;

	snprintf(name, sizeof(name), "%s %s", l->name, sub->name);
	argv[0] = name;
	cmd_parse(&l->line, OPT_NAME | sub->groups, sub->options ? add_options : NULL, sub->options ? parse_add : NULL, l,
		  sub->words, sub->help, argc, argv);
	code = cmd_open(&l->line, &l->w);
	if (code)
		return code;
	code = sub->run(l);
	ward_close(l->w);
	return code;
}

static int cmd_list(enum ward_list list, int argc, char **argv)
{
	struct listing l = { .list = list, .name = argv[0] };
	const char *word = argc > 1 ? argv[1] : "";

	if (!strcmp(word, CMD_LIST_OPTIONS)) /* of all subcommands */
		cmd_parse(&l.line, OPT_NAME | OPT_OUTPUT | OPT_FAMILY, add_options, parse_add, &l, "", "", argc, argv);
	if (!strcmp(word, "--help") || !strcmp(word, "-?") || !strcmp(word, "help"))
		return usage(list, l.name, stdout);
	if (!*word || *word == '-')
		return usage(list, l.name, stderr);
	for (size_t i = 0; i < SUBCOMMANDS; i++)
		if (!strcmp(word, subcommands[i].name))
			return run(&l, &subcommands[i], argc - 1, argv + 1);
	return unknown(l.name, word);
}

int cmd_allow(int argc, char **argv)
{
	return cmd_list(WARD_ALLOW, argc, argv);
}

int cmd_block(int argc, char **argv)
{
	return cmd_list(WARD_BLOCK, argc, argv);
}
