/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* schema: the keys of a policy file. The parser, the man page and completion know no others. */
#ifndef POLICY_SCHEMA_H
#define POLICY_SCHEMA_H

#include "policy/internal.h"

enum key_kind {
	KEY_VERSION,
	KEY_WORDS, /* one of struct schema_words */
	KEY_NAME,  /* of a rule or service */
	KEY_DURATION,
	KEY_RATE,
	KEY_SHARE,
	KEY_COUNT,
	KEY_PERCENT,   /* detect: whole ones */
	KEY_ADDRESSES, /* struct cidr_list */
	KEY_PORTS,     /* struct range_list */
	KEY_VLANS,
	KEY_IFACES, /* of struct policy or policy_match: see parse.c */
	KEY_INVALID,
	KEY_FLAGS,
	KEY_FINDING,
	KEY_TRUE, /* only "true" may stand there */
	KEY_MAP,
	KEY_LIST, /* of KEY_MAPs */
};

/* Where keys stand: the mappings of a policy. */
enum schema_place {
	PLACE_TOP,
	PLACE_COOKIE,
	PLACE_SERVICE,
	PLACE_SERVICE_MATCH,
	PLACE_HALF_OPEN,
	PLACE_HALF_OPEN_SOURCE,
	PLACE_NEW_SOURCE,
	PLACE_NEW,
	PLACE_PREFIX,
	PLACE_RULE,
	PLACE_RULE_MATCH,
	PLACE_FINDING,
	PLACE_TIMEOUTS,
	PLACE_DETECT,
	PLACE_COUNT
};

struct schema_word {
	const char *name;
	unsigned value;
};

struct schema_words {
	const struct schema_word *word;
	unsigned count;
};

struct schema_key {
	const char *name;
	enum key_kind kind;
	unsigned offset, size; /* of its value in the struct of its place; size 0: it has none there */
	bool required;
	bool always;		 /* KEY_MAP: its defaults count even if it is left out */
	enum schema_place place; /* KEY_MAP, KEY_LIST */
	struct schema_words words;
	uint64_t min, max;    /* ns, counts */
	const char *fallback; /* read like a value; in parentheses: words about it; NULL: none */
	const char *text;
};

/* The keys of a place. */
const struct schema_key *schema_keys(enum schema_place place, unsigned *count);
/* "one of: drop, pass", "duration, 1s to 7d" */
const char *schema_type(const struct schema_key *key, char buf[160]);

#endif
