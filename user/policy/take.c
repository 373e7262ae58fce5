/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* take: the value of one key, by its kind. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "detect/detect.h"
#include "policy/reader.h"
#include "report/nearest.h"

_Static_assert(offsetof(struct policy, iface_count) - offsetof(struct policy, iface) ==
		       offsetof(struct iface_list, count),
	       "a policy's interfaces are a struct iface_list");
_Static_assert(offsetof(struct policy_match, iface_count) - offsetof(struct policy_match, iface) ==
		       offsetof(struct iface_list, count),
	       "a match's interfaces are a struct iface_list");

const char *node_words(const struct node *node)
{
	static const char *const names[] = {
		[NODE_EMPTY] = "nothing",
		[NODE_WORD] = "a word",
		[NODE_LIST] = "a list",
		[NODE_MAP] = "a mapping",
	};

	return names[node->kind];
}

bool no_memory(struct reader *r, const void *memory, const struct node *node)
{
	if (!memory)
		fault(&r->faults, node, "out of memory");
	return !memory;
}

bool want_word(struct reader *r, const struct schema_key *key, const struct node *node)
{
	char type[160];

	if (node->refused)
		return false;
	if (node->kind == NODE_WORD)
		return true;
	if (node->kind == NODE_EMPTY)
		fault(&r->faults, node, "a value is missing, '%s': %s", key->name, schema_type(key, type));
	else
		fault(&r->faults, node, "one value is wanted, '%s': not %s; %s", key->name, node_words(node),
		      schema_type(key, type));
	return false;
}

static void set_number(const struct schema_key *key, void *into, uint64_t value)
{
	uint8_t one = (uint8_t)value;
	uint16_t two = (uint16_t)value;
	uint32_t four = (uint32_t)value;
	char *at = (char *)into + key->offset;

	memcpy(at,
	       key->size == 1	? &one
	       : key->size == 2 ? (void *)&two
	       : key->size == 4 ? (void *)&four
				: (void *)&value,
	       key->size);
}

static void tell(struct reader *r, const struct node *node, const char *error)
{
	fault(&r->faults, node, "%s", error);
}

/* ---- one word ---- */
static void take_version(struct reader *r, const struct node *node)
{
	char word[QUOTED_LEN];

	if (strcmp(node->text, "1"))
		fault(&r->faults, node, "an unknown version, '%s': this tcpward reads version: 1",
		      quoted(node->text, word));
}

static void list_words(const struct schema_words *words, char *buf, size_t size)
{
	size_t used = 0;

	for (unsigned i = 0; i < words->count && used < size; i++)
		used += (size_t)snprintf(buf + used, size - used, "%s%s", i ? ", " : "", words->word[i].name);
}

/* The value of a word among words, -1 after telling that it is none of them. */
static int word_value(struct reader *r, const char *what, const struct schema_words *words, const struct node *node)
{
	char word[QUOTED_LEN], list[400];
	struct nearest nearest;

	nearest_begin(&nearest, node->text);
	for (unsigned i = 0; i < words->count; i++) {
		if (!strcmp(words->word[i].name, node->text))
			return (int)words->word[i].value;
		nearest_try(&nearest, words->word[i].name);
	}
	quoted(node->text, word);
	list_words(words, list, sizeof(list));
	if (nearest.best)
		fault(&r->faults, node, "unknown %s, '%s': did you mean '%s'?", what, word, nearest.best);
	else
		fault(&r->faults, node, "unknown %s, '%s': %s", what, word, list);
	return -1;
}

static void take_word(struct reader *r, const struct schema_key *key, const struct node *node, void *into)
{
	int value = word_value(r, key->name, &key->words, node);

	if (value >= 0 && key->size)
		set_number(key, into, (uint64_t)value);
}

static void take_name(struct reader *r, const struct schema_key *key, const struct node *node, void *into)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
	size_t len = strlen(node->text);
	char word[QUOTED_LEN];

	if (!len || len >= POLICY_NAME_LEN)
		fault(&r->faults, node, "not a name, '%s': it has 1 to %d characters", quoted(node->text, word),
		      POLICY_NAME_LEN - 1);
	else if (strspn(node->text, letters) != len)
		fault(&r->faults, node, "not a name, '%s': letters, digits, '.', '_' and '-' may stand in it",
		      quoted(node->text, word));
	else
		memcpy((char *)into + key->offset, node->text, len + 1);
}

static void take_duration(struct reader *r, const struct schema_key *key, const struct node *node, void *into)
{
	char least[64], most[64], word[QUOTED_LEN];
	const char *error;
	uint64_t ns;

	if (duration_parse(node->text, &ns, &error))
		tell(r, node, error);
	else if (ns < key->min || ns > key->max)
		fault(&r->faults, node, "out of range, '%s': %s is %s to %s", quoted(node->text, word), key->name,
		      duration_words(key->min, least), duration_words(key->max, most));
	else
		set_number(key, into, ns);
}

static void take_count(struct reader *r, const struct schema_key *key, const struct node *node, void *into)
{
	char word[QUOTED_LEN];
	const char *error;
	uint64_t n;

	if (count_parse(node->text, &n, &error))
		tell(r, node, error);
	else if (n < key->min || n > key->max)
		fault(&r->faults, node, "out of range, '%s': %s is %llu to %llu", quoted(node->text, word), key->name,
		      (unsigned long long)key->min, (unsigned long long)key->max);
	else
		set_number(key, into, n);
}

static void take_share(struct reader *r, const struct schema_key *key, const struct node *node, void *into)
{
	const char *error;
	uint16_t permille;

	if (share_parse(node->text, &permille, &error))
		tell(r, node, error);
	else
		set_number(key, into, permille);
}

/* What the rate gives in one second is let through at once, unless a burst is given. */
static void take_rate(struct reader *r, const struct schema_key *key, const struct node *node, void *into)
{
	struct policy_rate rate;
	const char *error;
	uint64_t burst;

	if (rate_parse(node->text, &rate, &error)) {
		tell(r, node, error);
		return;
	}
	burst = POLICY_SECOND / rate.interval_ns;
	rate.burst = (uint32_t)(burst < 5 ? 5 : burst);
	memcpy((char *)into + key->offset, &rate, sizeof(rate));
}

static void take_true(struct reader *r, const struct node *node)
{
	char word[QUOTED_LEN];

	if (strcmp(node->text, "true"))
		fault(&r->faults, node, "only true may stand here, '%s': any: true, or leave the key out",
		      quoted(node->text, word));
}

static void take_finding(struct reader *r, const struct schema_key *key, const struct node *node, void *into)
{
	int kind = finding_parse(node->text);
	char word[QUOTED_LEN];
	struct nearest nearest;

	if (kind >= 0) {
		set_number(key, into, (uint64_t)kind);
		return;
	}
	nearest_begin(&nearest, node->text);
	for (unsigned i = 0; i < FINDING_COUNT; i++)
		nearest_try(&nearest, finding_name(i));
	quoted(node->text, word);
	if (nearest.best)
		fault(&r->faults, node, "unknown finding, '%s': did you mean '%s'?", word, nearest.best);
	else
		fault(&r->faults, node, "unknown finding, '%s': tcpward-findings(7) lists them", word);
}

/* ---- one word, or a list of them ---- */
typedef void (*item_fn)(struct reader *r, const struct schema_key *key, const struct node *item, void *at);

static void each_item(struct reader *r, const struct schema_key *key, const struct node *node, void *at, item_fn fn)
{
	char type[160];

	if (node->refused)
		return;
	if (node->kind != NODE_LIST) {
		if (node->kind == NODE_MAP)
			fault(&r->faults, node, "a value or a list is wanted, '%s': not a mapping; %s", key->name,
			      schema_type(key, type));
		else if (want_word(r, key, node))
			fn(r, key, node, at);
		return;
	}
	for (const struct node *item = node->child; item; item = item->next)
		if (want_word(r, key, item))
			fn(r, key, item, at);
}

/* The path of "@name": beside the policy, unless it begins with '/'. */
static char *list_path(const struct reader *r, const char *name)
{
	char *path = NULL;

	if (*name == '/' || !r->dir)
		return strdup(name);
	return asprintf(&path, "%s/%s", r->dir, name) < 0 ? NULL : path;
}

/* Why no file can have that name, or NULL. It stands in front of each error in the file: none may be forged by its name. */
static const char *wrong_name(const char *name)
{
	if (!*name)
		return "its name is missing";
	while (*name && !iscntrl((unsigned char)*name))
		name++;
	return *name ? "its name has control characters" : NULL;
}

static void take_list_file(struct reader *r, const struct node *item, struct cidr_list *list)
{
	char word[QUOTED_LEN], *path = list_path(r, item->text + 1), *text = NULL;
	const char *why = wrong_name(item->text + 1);
	size_t size = 0;
	FILE *err;
	unsigned n;

	if (no_memory(r, path, item))
		return;
	err = open_memstream(&text, &size);
	if (!no_memory(r, err, item)) {
		n = why ? 1 : cidr_list_load(path, list, err, &why);
		fclose(err);
		if (why)
			fault(&r->faults, item, "cannot read the list, '%s': %s", quoted(item->text, word), why);
		if (n && !why)
			fault_lines(&r->faults, item->line, item->column, text, n);
		else
			free(text);
	}
	free(path);
}

static void take_address(struct reader *r, const struct schema_key *key, const struct node *item, void *at)
{
	struct cidr_list *list = at;
	const char *error;
	struct cidr c;

	(void)key;
	if (item->text[0] == '@')
		take_list_file(r, item, list);
	else if (cidr_parse(item->text, &c, &error))
		tell(r, item, error);
	else if (list->count == POLICY_ENTRIES_MAX)
		fault(&r->faults, item, "too many, '%s': a list has up to %d addresses", item->text,
		      POLICY_ENTRIES_MAX);
	else
		no_memory(r, cidr_list_add(list, &c) ? NULL : list, item);
}

static void take_range(struct reader *r, const struct schema_key *key, const struct node *item, void *at)
{
	struct range_list *list = at;
	struct port_range range, *grown;
	const char *error;

	if (range_parse(item->text, key->kind == KEY_VLANS ? "VLAN id" : "port", (unsigned)key->min, (unsigned)key->max,
			&range, &error)) {
		tell(r, item, error);
		return;
	}
	grown = realloc(list->item, (list->count + 1) * sizeof(*grown));
	if (no_memory(r, grown, item))
		return;
	list->item = grown;
	list->item[list->count++] = range;
}

static void take_iface(struct reader *r, const struct schema_key *key, const struct node *item, void *at)
{
	struct iface_list *list = at;
	size_t len = strlen(item->text);
	char word[QUOTED_LEN], (*grown)[WARD_NAME_LEN];

	(void)key;
	if (!len || len >= WARD_NAME_LEN || strpbrk(item->text, "/: \t\n") || !strcmp(item->text, ".") ||
	    !strcmp(item->text, "..")) {
		fault(&r->faults, item,
		      "not the name of an interface, '%s': 1 to %d characters, as 'ip link' shows them",
		      quoted(item->text, word), WARD_NAME_LEN - 1);
		return;
	}
	for (size_t i = 0; i < list->count; i++)
		if (!strcmp(list->item[i], item->text)) {
			fault(&r->faults, item, "an interface that stands twice, '%s': once is enough", item->text);
			return;
		}
	if (list->count == WARD_IFACES) {
		fault(&r->faults, item, "too many interfaces, '%s': an instance has up to %d", item->text, WARD_IFACES);
		return;
	}
	grown = realloc(list->item, (list->count + 1) * sizeof(*grown));
	if (no_memory(r, grown, item))
		return;
	list->item = grown;
	memset(list->item[list->count], 0, WARD_NAME_LEN);
	memcpy(list->item[list->count++], item->text, len);
}

static void take_invalid(struct reader *r, const struct schema_key *key, const struct node *item, void *at)
{
#define X(id, name, text) { name, INVALID_##id },
	static const struct schema_word kinds[] = { WARD_INVALID(X) };
#undef X
	static const struct schema_words words = { kinds, ARRAY_SIZE(kinds) };
	int value = word_value(r, key->name, &words, item);

	if (value >= 0)
		*(uint32_t *)at |= 1U << value;
}

/* ---- control bits ---- */
static const struct schema_word control_bits[] = {
	{ "syn", TH_SYN }, { "ack", TH_ACK }, { "fin", TH_FIN },
	{ "rst", TH_RST }, { "psh", TH_PSH }, { "urg", TH_URG },
};

static unsigned control_bit(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(control_bits); i++)
		if (!strcmp(control_bits[i].name, name))
			return control_bits[i].value;
	return 0;
}

/* "syn+!ack": the bits that are named, plain and with '!'. NULL, or what is wrong and how to write it. */
static const char *bits_parse(const char *text, unsigned *set, unsigned *clear)
{
	char copy[64], *rest = copy, *name;

	if (!strcmp(text, "none"))
		return NULL;
	if (strlen(text) >= sizeof(copy))
		return "each of syn, ack, fin, rst, psh, urg at most once";
	strcpy(copy, text);
	while ((name = strsep(&rest, "+"))) {
		bool off = *name == '!';
		unsigned bit = control_bit(name + off);

		if (!bit)
			return "syn, ack, fin, rst, psh, urg, joined by '+', with '!' for clear; or none";
		if ((*set | *clear) & bit)
			return "each of syn, ack, fin, rst, psh, urg at most once";
		*(off ? clear : set) |= bit;
	}
	return NULL;
}

/*
 * "syn+ack": these are set, those of SYN, ACK, FIN and RST that are not named are clear, PSH and URG are free unless named.
 * "syn+!ack": with a '!' somewhere, all that is not named is free. "none": SYN, ACK, FIN and RST are clear.
 */
static void take_flags(struct reader *r, const struct schema_key *key, const struct node *item, void *at)
{
	unsigned set = 0, clear = 0;
	const char *hint = bits_parse(item->text, &set, &clear);
	char word[QUOTED_LEN];

	(void)key;
	if (hint) {
		fault(&r->faults, item, "not control bits, '%s': %s", quoted(item->text, word), hint);
		return;
	}
	if (!clear)
		clear = (TH_SYN | TH_ACK | TH_FIN | TH_RST) & ~set;
	for (unsigned bits = 0; bits < 64; bits++)
		if ((bits & set) == set && !(bits & clear))
			*(uint64_t *)at |= 1ULL << bits;
}

/* An empty list of these would say the same as none at all: everything. */
static bool refuse_empty(struct reader *r, const struct schema_key *key, const struct node *node)
{
	bool counts = key->kind == KEY_IFACES || key->kind == KEY_INVALID || key->kind == KEY_FLAGS;

	if (!counts || node->kind != NODE_LIST || node->child || node->refused)
		return false;
	fault(&r->faults, node, "an empty list, '%s': name at least one, or leave the key out", key->name);
	return true;
}

void take_value(struct reader *r, const struct schema_key *key, const struct node *node, void *into)
{
	static const item_fn items[] = {
		[KEY_ADDRESSES] = take_address, [KEY_PORTS] = take_range,     [KEY_VLANS] = take_range,
		[KEY_IFACES] = take_iface,	[KEY_INVALID] = take_invalid, [KEY_FLAGS] = take_flags,
	};
	void *at = (char *)into + key->offset;

	if (key->kind < ARRAY_SIZE(items) && items[key->kind]) {
		if (key->kind == KEY_ADDRESSES)
			((struct cidr_list *)at)->given = true;
		if (key->kind == KEY_PORTS || key->kind == KEY_VLANS)
			((struct range_list *)at)->given = true;
		if (!refuse_empty(r, key, node))
			each_item(r, key, node, at, items[key->kind]);
		return;
	}
	if (!want_word(r, key, node))
		return;
	switch (key->kind) {
	case KEY_VERSION:
		take_version(r, node);
		break;
	case KEY_WORDS:
		take_word(r, key, node, into);
		break;
	case KEY_NAME:
		take_name(r, key, node, into);
		break;
	case KEY_DURATION:
		take_duration(r, key, node, into);
		break;
	case KEY_RATE:
		take_rate(r, key, node, into);
		break;
	case KEY_SHARE:
		take_share(r, key, node, into);
		break;
	case KEY_COUNT:
		take_count(r, key, node, into);
		break;
	case KEY_FINDING:
		take_finding(r, key, node, into);
		break;
	case KEY_TRUE:
		take_true(r, node);
		break;
	default: /* mappings and lists of them are read by parse.c */
		break;
	}
}
