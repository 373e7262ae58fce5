/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* schema: every key of a policy file, with its type, its default and what it means. */
#include <stddef.h>
#include <string.h>

#include "detect/detect.h"
#include "policy/schema.h"

/* ---- words ---- */
#define WORDS(list)                                                                                                    \
	{                                                                                                              \
		list, ARRAY_SIZE(list)                                                                                 \
	}

static const struct schema_word modes[] = { { "monitor", MODE_MONITOR },
					    { "dry-run", MODE_DRY_RUN },
					    { "enforce", MODE_ENFORCE } };
static const struct schema_word checks[] = { { "off", CHECK_OFF },
					     { "loose", CHECK_LOOSE },
					     { "strict", CHECK_STRICT } };
static const struct schema_word stay_open[] = { { "stay", false }, { "open", true } };
static const struct schema_word pass_drop[] = { { "pass", false }, { "drop", true } };
static const struct schema_word actions[] = { { "drop", ACTION_DROP }, { "pass", ACTION_PASS } };
static const struct schema_word booleans[] = { { "false", false }, { "true", true } };
static const struct schema_word flavours[] = { { "auto", COOKIE_AUTO },
					       { "own", COOKIE_OWN },
					       { "kernel", COOKIE_KERNEL } };
#define X(id, name, text) { name, THEN_##id },
static const struct schema_word thens[] = { WARD_THENS(X) };
#undef X
static const struct schema_word service_thens[] = { { "syncookie", THEN_SYNCOOKIE },
						    { "drop", THEN_DROP },
						    { "drop-first-syn", THEN_FIRST_SYN } };
static const struct schema_word source_thens[] = { { "drop", THEN_DROP }, { "block", THEN_BLOCK } };
static const struct schema_word reactions[] = { { "block", REACT_BLOCK }, { "close", REACT_CLOSE } };

/* Each "then" belongs to a limit of a service or of a source. */
_Static_assert(ARRAY_SIZE(thens) + 1 == ARRAY_SIZE(service_thens) + ARRAY_SIZE(source_thens), "drop is in both");

/* ---- keys ---- */
#define AT(type, member) .offset = offsetof(type, member), .size = sizeof(((type *)0)->member)
#define NOWHERE .offset = 0, .size = 0
#define TIMES(least, most) .min = least, .max = most
#define COUNTS(least, most) .min = least, .max = most
#define LIMIT_MODE                                                                                                     \
	{                                                                                                              \
		"mode", KEY_WORDS, AT(struct policy_limit, mode),                                                      \
			.words = WORDS(modes), .fallback = "enforce",                                                  \
			.text = "Of this limit; the weakest of this, its service's and the policy's acts."             \
	}

static const struct schema_key top[] = {
	{ "version", KEY_VERSION, NOWHERE, .required = true, .text = "Of this format." },
	{ "mode", KEY_WORDS, AT(struct policy, mode), .required = true, .words = WORDS(modes),
	  .text = "monitor looks on, dry-run counts what would be dropped and drops nothing, enforce drops." },
	{ "interfaces", KEY_IFACES, AT(struct policy, iface), .fallback = "(any)",
	  .text = "Those of the instance that the policy is for; on another it is refused." },
	{ "allow", KEY_ADDRESSES, AT(struct policy, allow), .fallback = "(none)",
	  .text = "Sources that are never dropped and never challenged, whatever a rule says." },
	{ "state-check", KEY_WORDS, AT(struct policy, check), .words = WORDS(checks), .fallback = "off",
	  .text = "Whether rules may ask if a segment fits its connection; loose learns connections that are met "
		  "mid-way." },
	{ "learn", KEY_DURATION, AT(struct policy, learn_ns), TIMES(0, POLICY_DAY), .fallback = "0",
	  .text = "So long after the start of the instance it is a dry run, so that living connections become known. After an "
		  "apply to one that has been up for longer there is nothing to learn." },
	{ "without-daemon", KEY_WORDS, AT(struct policy, open_without_sweeper), .words = WORDS(stay_open),
	  .fallback = "stay", .text = "When the daemon dies: stay goes on dropping, open drops nothing after 10s." },
	{ "unparsed", KEY_WORDS, AT(struct policy, drop_unparsed), .words = WORDS(pass_drop), .fallback = "pass",
	  .text = "TCP that cannot be parsed (first fragments too short, odd headers). What is not TCP always "
		  "passes." },
	{ "syncookie", KEY_MAP, NOWHERE, .always = true, .place = PLACE_COOKIE,
	  .text = "SYN cookies, where a limit answers with them." },
	{ "services", KEY_LIST, NOWHERE, .place = PLACE_SERVICE,
	  .text = "What is protected by limits, up to 32; a connection is of the first that matches." },
	{ "rules", KEY_LIST, NOWHERE, .place = PLACE_RULE,
	  .text = "Up to 64, top down: the first that matches a segment decides. What no rule matches passes." },
	{ "findings", KEY_LIST, NOWHERE, .place = PLACE_FINDING,
	  .text = "What is done when something is found; tcpward-findings(7)." },
	{ "timeouts", KEY_MAP, NOWHERE, .place = PLACE_TIMEOUTS,
	  .text = "Idle time-outs of connections, by the state of their ends." },
	{ "detect", KEY_MAP, NOWHERE, .place = PLACE_DETECT,
	  .text = "Thresholds of findings, as --detect sets them: a mapping for each finding." },
};

static const struct schema_key cookie[] = {
	{ "flavour", KEY_WORDS, AT(struct policy, cookie_flavour), .words = WORDS(flavours), .fallback = "auto",
	  .text = "own needs bpf_sk_assign_tcp_reqsk (Linux 6.9), kernel makes the kernel's own; auto takes own where "
		  "it is there." },
	{ "rate", KEY_RATE, AT(struct policy, cookie_rate), .fallback = "500k/s",
	  .text = "At most so many are sent; a SYN beyond it is dropped." },
	{ "burst", KEY_COUNT, AT(struct policy, cookie_rate.burst), COUNTS(1, RATE_MAX),
	  .fallback = "(what the rate gives in 100ms, at least 100)", .text = "So many at once." },
	{ "set-sysctls", KEY_WORDS, AT(struct policy, set_sysctls), .words = WORDS(booleans), .fallback = "false",
	  .text = "Set what the kernel's settings lack for them, instead of only naming it." },
};

static const struct schema_key service[] = {
	{ "name", KEY_NAME, AT(struct policy_file_service, service.name), .required = true,
	  .text = "1 to 31 of a-z A-Z 0-9 . _ -, once among services." },
	{ "match", KEY_MAP, AT(struct policy_file_service, match), .required = true, .place = PLACE_SERVICE_MATCH,
	  .text = "Connections to it: all keys must hold." },
	{ "mode", KEY_WORDS, NOWHERE, .words = WORDS(modes), .fallback = "enforce",
	  .text = "Of all its limits; the weaker of this and the policy's acts." },
	{ "half-open", KEY_MAP, AT(struct policy_file_service, service.limit[LIMIT_HALF_OPEN]),
	  .place = PLACE_HALF_OPEN, .text = "Handshakes begun and not completed, of one address and port." },
	{ "half-open-per-source", KEY_MAP, AT(struct policy_file_service, service.limit[LIMIT_HALF_OPEN_SOURCE]),
	  .place = PLACE_HALF_OPEN_SOURCE, .text = "Handshakes begun and not completed, of one source." },
	{ "new-per-source", KEY_MAP, AT(struct policy_file_service, service.limit[LIMIT_NEW_SOURCE]),
	  .place = PLACE_NEW_SOURCE, .text = "Connections begun by one source." },
	{ "new", KEY_MAP, AT(struct policy_file_service, service.limit[LIMIT_NEW]), .place = PLACE_NEW,
	  .text = "Connections begun, of one address and port." },
};

#define ANY_KEY(what)                                                                                                  \
	{                                                                                                              \
		"any", KEY_TRUE, NOWHERE, .text = "Every segment" what "; stands alone."                               \
	}
#define IFACE_KEY                                                                                                      \
	{                                                                                                              \
		"iface", KEY_IFACES, AT(struct policy_match, iface),                                                   \
			.text = "The interface that the segment came in by."                                           \
	}
#define VLAN_KEY                                                                                                       \
	{                                                                                                              \
		"vlan", KEY_VLANS, AT(struct policy_match, vlan), COUNTS(1, 4094),                                     \
			.text = "The outer VLAN id, where it is seen."                                                 \
	}

static const struct schema_key service_match[] = {
	{ "daddr", KEY_ADDRESSES, AT(struct policy_match, daddr), .text = "The responder's address." },
	{ "dport", KEY_PORTS, AT(struct policy_match, dport), COUNTS(1, 65535), .text = "The responder's port." },
	VLAN_KEY,
	IFACE_KEY,
	ANY_KEY(" of every connection"),
};

static const struct schema_key half_open[] = {
	{ "enter", KEY_SHARE, AT(struct policy_limit, enter_permille),
	  .text = "The limit is on from this share of half-open ones among the service's connections. This or max must "
		  "be given." },
	{ "leave", KEY_SHARE, AT(struct policy_limit, leave_permille), .fallback = "(half of enter)",
	  .text = "... and off below this one." },
	{ "min", KEY_COUNT, AT(struct policy_limit, min), COUNTS(1, 1000000000), .fallback = "(128)",
	  .text = "By enter never with fewer half-open ones." },
	{ "max", KEY_COUNT, AT(struct policy_limit, max), COUNTS(1, 1000000000),
	  .text = "The limit is on with so many, whatever their share." },
	{ "then", KEY_WORDS, AT(struct policy_limit, then), .required = true, .words = WORDS(service_thens),
	  .text = "What is done with a SYN while it is on." },
	LIMIT_MODE,
};

#define PREFIX_KEY                                                                                                     \
	{                                                                                                              \
		"prefix", KEY_MAP, NOWHERE, .always = true, .place = PLACE_PREFIX,                                     \
					    .text = "How much of an address is one source."                            \
	}
#define SOURCE_THEN_KEY                                                                                                \
	{                                                                                                              \
		"then", KEY_WORDS, AT(struct policy_limit, then),                                                      \
			.words = WORDS(source_thens), .fallback = "drop",                                              \
			.text = "drop drops its SYNs beyond the limit; with 'for', and as block, all of the source "   \
				"is blocked for that time."                                                            \
	}
#define FOR_KEY                                                                                                        \
	{                                                                                                              \
		"for", KEY_DURATION, AT(struct policy_limit, for_ns), TIMES(POLICY_SECOND, 30 * POLICY_DAY),           \
			.fallback = "(not blocked)",                                                                   \
			.text = "The source goes on the block list for so long. Who forges SYNs chooses which: put "   \
				"whoever must always get through on allow."                                            \
	}

static const struct schema_key half_open_source[] = {
	{ "max", KEY_COUNT, AT(struct policy_limit, max), COUNTS(1, 1000000000), .required = true,
	  .text = "So many at once." },
	PREFIX_KEY,
	SOURCE_THEN_KEY,
	FOR_KEY,
	LIMIT_MODE,
};

#define BURST_DEFAULT "(what the rate gives in one second, at least 5)"
#define RATE_KEYS                                                                                                      \
	{ "rate", KEY_RATE, AT(struct policy_limit, rate), .required = true, .text = "So many in the long run." },     \
	{                                                                                                              \
		"burst", KEY_COUNT, AT(struct policy_limit, rate.burst), COUNTS(1, 1000000000),                        \
			.fallback = BURST_DEFAULT, .text = "So many at once."                                          \
	}

static const struct schema_key new_source[] = {
	RATE_KEYS, PREFIX_KEY, SOURCE_THEN_KEY, FOR_KEY, LIMIT_MODE,
};

static const struct schema_key new_all[] = {
	RATE_KEYS,
	{ "then", KEY_WORDS, AT(struct policy_limit, then), .words = WORDS(service_thens), .fallback = "drop",
	  .text = "What is done with a SYN beyond it." },
	LIMIT_MODE,
};

static const struct schema_key prefix[] = {
	{ "v4", KEY_COUNT, AT(struct policy_limit, prefix_v4), COUNTS(8, 32), .fallback = "32",
	  .text = "Bits of an IPv4 address; all limits of a policy have the same, besides those with 32." },
	{ "v6", KEY_COUNT, AT(struct policy_limit, prefix_v6), COUNTS(16, 128), .fallback = "64",
	  .text = "Bits of an IPv6 address; all limits of a policy have the same, besides those with 128." },
};

static const struct schema_key rule[] = {
	{ "name", KEY_NAME, AT(struct policy_file_rule, rule.name), .required = true,
	  .text = "1 to 31 of a-z A-Z 0-9 . _ -, once among rules." },
	{ "match", KEY_MAP, AT(struct policy_file_rule, match), .required = true, .place = PLACE_RULE_MATCH,
	  .text = "Segments that it is about: all keys must hold." },
	{ "action", KEY_WORDS, AT(struct policy_file_rule, rule.action), .required = true, .words = WORDS(actions),
	  .text = "Of the segments that match." },
	{ "mode", KEY_WORDS, AT(struct policy_file_rule, rule.mode), .words = WORDS(modes), .fallback = "enforce",
	  .text = "The weaker of this and the policy's acts." },
	{ "above", KEY_RATE, AT(struct policy_file_rule, rule.above), .text = "Drops only what is more than this." },
	{ "burst", KEY_COUNT, AT(struct policy_file_rule, rule.above.burst), COUNTS(1, 1000000000),
	  .fallback = BURST_DEFAULT, .text = "Of above: so many at once." },
	{ "sample", KEY_RATE, AT(struct policy_file_rule, rule.sample),
	  .text = "Tells up to so many of its segments as drop events." },
};

static const struct schema_key rule_match[] = {
	{ "saddr", KEY_ADDRESSES, AT(struct policy_match, saddr), .text = "The segment's source." },
	{ "daddr", KEY_ADDRESSES, AT(struct policy_match, daddr), .text = "The segment's destination." },
	{ "sport", KEY_PORTS, AT(struct policy_match, sport), COUNTS(0, 65535), .text = "The source port." },
	{ "dport", KEY_PORTS, AT(struct policy_match, dport), COUNTS(0, 65535), .text = "The destination port." },
	VLAN_KEY,
	IFACE_KEY,
	{ "invalid", KEY_INVALID, AT(struct policy_match, invalid), .text = "What is wrong with the segment." },
	{ "flags", KEY_FLAGS, AT(struct policy_match, flags), .text = "The segment's control bits." },
	ANY_KEY(""),
};

static const struct schema_key finding[] = {
	{ "finding", KEY_FINDING, AT(struct policy_reaction, finding), .required = true, .text = "Which." },
	{ "then", KEY_WORDS, AT(struct policy_reaction, then), .required = true, .words = WORDS(reactions),
	  .text = "block puts its source on the block list, which who forges segments can choose: put whoever must "
		  "always get through on allow; close ends the local sockets that it names." },
	{ "for", KEY_DURATION, AT(struct policy_reaction, for_ns), TIMES(POLICY_SECOND, 30 * POLICY_DAY),
	  .fallback = "(60s)", .text = "How long the source stays blocked." },
	{ "mode", KEY_WORDS, AT(struct policy_reaction, mode), .words = WORDS(modes), .fallback = "enforce",
	  .text = "The weaker of this and the policy's acts." },
};

#define X(id, name, seconds, meaning)                                                                                  \
	{ name,                                                                                                        \
	  KEY_DURATION,                                                                                                \
	  AT(struct policy, timeout_ns[TIMEOUT_##id]),                                                                 \
	  TIMES(POLICY_SECOND, 30 * POLICY_DAY),                                                                       \
	  .fallback = "(" #seconds "s)",                                                                               \
	  .text = sizeof(meaning) > 1 ? meaning : "both ends open" },
static const struct schema_key timeouts[] = { WARD_TIMEOUTS(X) };
#undef X

/* Names are "finding.threshold": the file has a mapping for each finding. */
#define KIND_COUNT KEY_COUNT
#define KIND_TIME KEY_DURATION
#define KIND_PERCENT KEY_PERCENT
#define SUFFIX_COUNT ")"
#define SUFFIX_TIME "s)"
#define SUFFIX_PERCENT "%)"
#define X(finding, id, name, unit, usual, meaning)                                                                     \
	{ name, KIND_##unit, AT(struct policy, detect.value[PARAM_##finding##_##id]),                                  \
	  .fallback = "(" #usual SUFFIX_##unit, .text = meaning },
static const struct schema_key detect[] = { WARD_PARAMS(X) };
#undef X

static const struct {
	const struct schema_key *keys;
	unsigned count;
} places[PLACE_COUNT] = {
#define PLACE(id, keys) [PLACE_##id] = { keys, ARRAY_SIZE(keys) }
	PLACE(TOP, top),
	PLACE(COOKIE, cookie),
	PLACE(SERVICE, service),
	PLACE(SERVICE_MATCH, service_match),
	PLACE(HALF_OPEN, half_open),
	PLACE(HALF_OPEN_SOURCE, half_open_source),
	PLACE(NEW_SOURCE, new_source),
	PLACE(NEW, new_all),
	PLACE(PREFIX, prefix),
	PLACE(RULE, rule),
	PLACE(RULE_MATCH, rule_match),
	PLACE(FINDING, finding),
	PLACE(TIMEOUTS, timeouts),
	PLACE(DETECT, detect),
#undef PLACE
};

const struct schema_key *schema_keys(enum schema_place place, unsigned *count)
{
	*count = places[place].count;
	return places[place].keys;
}

/* ---- the same as rows of text ---- */
static void words_type(const struct schema_words *words, char buf[160])
{
	size_t used = (size_t)snprintf(buf, 160, "one of: ");

	for (unsigned i = 0; i < words->count && used < 160; i++)
		used += (size_t)snprintf(buf + used, 160 - used, "%s%s", i ? ", " : "", words->word[i].name);
}

const char *schema_type(const struct schema_key *key, char buf[160])
{
	static const char *const types[] = {
		[KEY_VERSION] = "1",
		[KEY_NAME] = "name",
		[KEY_RATE] = "rate",
		[KEY_SHARE] = "share",
		[KEY_PERCENT] = "share",
		[KEY_COUNT] = "count",
		[KEY_DURATION] = "duration",
		[KEY_ADDRESSES] = "addresses",
		[KEY_PORTS] = "ports",
		[KEY_VLANS] = "VLAN ids",
		[KEY_IFACES] = "interfaces",
		[KEY_INVALID] = "reasons",
		[KEY_FLAGS] = "control bits",
		[KEY_FINDING] = "finding",
		[KEY_TRUE] = "true",
		[KEY_MAP] = "mapping",
		[KEY_LIST] = "list of mappings",
	};
	char least[64], most[64];

	if (key->kind == KEY_WORDS)
		words_type(&key->words, buf);
	else if (key->kind == KEY_DURATION && key->max)
		snprintf(buf, 160, "duration, %s to %s", duration_words(key->min, least),
			 duration_words(key->max, most));
	else if (key->kind == KEY_COUNT && key->max && key->max < 1000000)
		snprintf(buf, 160, "count, %llu to %llu", (unsigned long long)key->min, (unsigned long long)key->max);
	else
		snprintf(buf, 160, "%s", types[key->kind]);
	return buf;
}

#define SCHEMA_ROWS 256
#define SCHEMA_TEXT (48 * 1024)

static struct {
	struct policy_schema_row row[SCHEMA_ROWS];
	unsigned count;
	char text[SCHEMA_TEXT]; /* of paths and types, one behind the other */
	size_t used;
} rows;

static const char *keep(const char *text)
{
	char *at = rows.text + rows.used;
	size_t len = strlen(text) + 1;

	if (rows.used + len > SCHEMA_TEXT)
		return "";
	memcpy(at, text, len);
	rows.used += len;
	return at;
}

static void add_row(const struct schema_key *key, const char *path)
{
	char type[160], fallback[96];
	size_t len = key->fallback ? strlen(key->fallback) : 0;

	snprintf(fallback, sizeof(fallback), "%s", key->fallback ? key->fallback : key->required ? "" : "-");
	if (len > 2 && *fallback == '(') /* the parentheses are for the parser */
		snprintf(fallback, sizeof(fallback), "%.*s", (int)len - 2, key->fallback + 1);
	if (rows.count < SCHEMA_ROWS)
		rows.row[rows.count++] = (struct policy_schema_row){ keep(path), keep(schema_type(key, type)),
								     keep(fallback), key->text };
}

static void add_place(enum schema_place place, const char *above)
{
	for (unsigned i = 0; i < places[place].count; i++) {
		const struct schema_key *key = &places[place].keys[i];
		char path[128], inside[132];

		if (place == PLACE_DETECT)
			snprintf(path, sizeof(path), "%s%s.%s", above, finding_name(detect_params()[i].finding),
				 key->name);
		else
			snprintf(path, sizeof(path), "%s%s", above, key->name);
		add_row(key, path);
		snprintf(inside, sizeof(inside), "%s%s.", path, key->kind == KEY_LIST ? "[]" : "");
		if (key->kind == KEY_MAP || key->kind == KEY_LIST)
			add_place(key->place, inside);
	}
}

const struct policy_schema_row *policy_schema(unsigned *count)
{
	if (!rows.count)
		add_place(PLACE_TOP, "");
	*count = rows.count;
	return rows.row;
}
