// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* filter_words: the vocabulary of filters, and the nearest word to one that is not in it. */
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "enforce.h"
#include "finding.h"
#include "report/filter_tree.h"
#include "report/internal.h"
#include "report/nearest.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define WORD_MAX 64
#define VLAN_ID_MAX 4094
#define WORDS_TOLD 12

/* ---- states ---- */
#define S(state) (1U << (state))
#define GROUP_CONNECTED (STATES_ALL & ~(STATES_CLOSED | S(LISTEN)))
#define GROUP_BUCKET (S(TIME_WAIT) | S(SYN_RECEIVED))

/* Names of RFC 9293, of ss(8) where they differ, and ss's groups. ss calls "big" all that has a full socket. */
static const struct state_word {
	const char *word;
	uint32_t states;
} state_words[] = {
	{ "closed", STATES_CLOSED },
	{ "listen", S(LISTEN) },
	{ "listening", S(LISTEN) },
	{ "syn-sent", S(SYN_SENT) },
	{ "syn-received", S(SYN_RECEIVED) },
	{ "syn-recv", S(SYN_RECEIVED) },
	{ "established", S(ESTABLISHED) },
	{ "estab", S(ESTABLISHED) },
	{ "fin-wait-1", S(FIN_WAIT_1) },
	{ "fin-wait-2", S(FIN_WAIT_2) },
	{ "close-wait", S(CLOSE_WAIT) },
	{ "closing", S(CLOSING) },
	{ "last-ack", S(LAST_ACK) },
	{ "time-wait", S(TIME_WAIT) },
	{ "all", STATES_ALL },
	{ "connected", GROUP_CONNECTED },
	{ "synchronized", GROUP_CONNECTED & ~S(SYN_SENT) },
	{ "bucket", GROUP_BUCKET },
	{ "big", STATES_ALL & ~(GROUP_BUCKET | STATES_CLOSED) },
};

static const char *const finding_words[] = {
#define X(id, name, severity, detector, title) name,
	WARD_FINDINGS(X)
#undef X
};

static const char *const severity_words[] = {
#define X(id, name) name,
	WARD_SEVERITIES(X)
#undef X
};

/* Of events that are for readers. */
static const struct type_word {
	const char *word;
	unsigned type;
} type_words[] = {
	{ "state", EVENT_STATE }, { "flag", EVENT_FLAG },	{ "end", EVENT_END },
	{ "drop", EVENT_DROP },	  { "finding", TYPE_FINDING }, { "lost", TYPE_LOST },
};

static const struct clause_word {
	const char *word;
	enum clause clause;
	const char *hint; /* why it is refused */
} clause_words[] = {
	{ "state", CLAUSE_STATE, NULL },
	{ "exclude", CLAUSE_EXCLUDE, NULL },
	{ "orig-state", CLAUSE_ORIG_STATE, NULL },
	{ "resp-state", CLAUSE_RESP_STATE, NULL },
	{ "src", CLAUSE_SRC, NULL },
	{ "dst", CLAUSE_DST, NULL },
	{ "sport", CLAUSE_SPORT, NULL },
	{ "dport", CLAUSE_DPORT, NULL },
	{ "age", CLAUSE_AGE, NULL },
	{ "idle", CLAUSE_IDLE, NULL },
	{ "bytes", CLAUSE_BYTES, NULL },
	{ "pkts", CLAUSE_PKTS, NULL },
	{ "rtx", CLAUSE_RTX, NULL },
	{ "vlan", CLAUSE_VLAN, NULL },
	{ "flag", CLAUSE_FLAG, NULL },
	{ "end", CLAUSE_END, NULL },
	{ "dev", CLAUSE_DEV, NULL },
	{ "finding", CLAUSE_FINDING, NULL },
	{ "severity", CLAUSE_SEVERITY, NULL },
	{ "type", CLAUSE_TYPE, NULL },
	{ "reason", CLAUSE_REASON, NULL },
	{ "rule", CLAUSE_RULE, NULL },
	{ "autobound", CLAUSE_REFUSED,
	  "how a port was chosen cannot be seen in segments; compare sport, as in 'sport >= 32768'" },
	{ "fwmark", CLAUSE_REFUSED, "marks belong to sockets and are not in segments" },
	{ "cgroup", CLAUSE_REFUSED, "control groups belong to sockets and are not in segments" },
};

/* Case, and "-" for "_", do not matter. */
static bool same_word(const char *a, const char *b)
{
	for (; *a && *b; a++, b++) {
		char x = *a == '_' ? '-' : (char)tolower((unsigned char)*a);
		char y = *b == '_' ? '-' : (char)tolower((unsigned char)*b);

		if (x != y)
			return false;
	}
	return *a == *b;
}

int word_states(const char *word, uint32_t *states, bool *names_closed)
{
	for (size_t i = 0; i < ARRAY_SIZE(state_words); i++) {
		if (!same_word(word, state_words[i].word))
			continue;
		*states = state_words[i].states;
		*names_closed = *states & S(CLOSED);
		return 0;
	}
	return -EINVAL;
}

int word_flag(const char *word, uint64_t *mask)
{
	for (unsigned bit = 0; bit < FLAG_COUNT; bit++) {
		if (same_word(word, flag_name(bit))) {
			*mask = 1ULL << bit;
			return 0;
		}
	}
	return -EINVAL;
}

int word_end_reason(const char *word, uint64_t *reason)
{
	for (unsigned i = 0; i < END_COUNT; i++) {
		if (same_word(word, end_reason_name((enum ward_end_reason)i))) {
			*reason = i;
			return 0;
		}
	}
	return -EINVAL;
}

/* The place of word in the list. 0 or -EINVAL. */
static int word_place(const char *word, const char *const *words, size_t count, uint64_t *place)
{
	for (size_t i = 0; i < count; i++) {
		if (same_word(word, words[i])) {
			*place = i;
			return 0;
		}
	}
	return -EINVAL;
}

int word_finding(const char *word, uint64_t *kind)
{
	return word_place(word, finding_words, ARRAY_SIZE(finding_words), kind);
}

int word_severity(const char *word, uint64_t *severity)
{
	return word_place(word, severity_words, ARRAY_SIZE(severity_words), severity);
}

int word_event_type(const char *word, uint64_t *type)
{
	for (size_t i = 0; i < ARRAY_SIZE(type_words); i++) {
		if (same_word(word, type_words[i].word)) {
			*type = type_words[i].type;
			return 0;
		}
	}
	return -EINVAL;
}

int word_reason(const char *word, uint64_t *reason)
{
	for (unsigned i = DROP_NONE + 1; i < DROP_COUNT; i++) {
		if (same_word(word, drop_name(i))) {
			*reason = REASON_OF_DROP(i);
			return 0;
		}
	}
	if (word_end_reason(word, reason) || *reason == END_NONE)
		return -EINVAL;
	*reason = REASON_OF_END(*reason);
	return 0;
}

bool rule_named(const char *word, const char *rule)
{
	for (; *word && *rule; word++, rule++) {
		char x = *word == '_' ? '-' : (char)tolower((unsigned char)*word);
		char y = *rule == '_' || *rule == ' ' ? '-' : (char)tolower((unsigned char)*rule);

		if (x != y)
			return false;
	}
	return !*word && (!*rule || *rule == '/');
}

enum clause word_clause(const char *word, const char **hint)
{
	for (size_t i = 0; i < ARRAY_SIZE(clause_words); i++) {
		if (!strcasecmp(word, clause_words[i].word)) {
			*hint = clause_words[i].hint;
			return clause_words[i].clause;
		}
	}
	return CLAUSE_NONE;
}

bool filter_begins(const char *word)
{
	const char *hint;

	return !strcasecmp(word, "not") || *word == '!' || *word == '(' || word_clause(word, &hint) != CLAUSE_NONE;
}

/* ---- quantities ---- */
/* Reads digits; *end behind them. -EINVAL without digits, -ERANGE if they do not fit. */
static int digits(const char *text, uint64_t *n, const char **end)
{
	char *behind;

	if (!isdigit((unsigned char)*text))
		return -EINVAL;
	errno = 0;
	*n = strtoull(text, &behind, 10);
	*end = behind;
	return errno ? -ERANGE : 0;
}

static const struct unit {
	const char *name;
	uint64_t size;
} time_units[] = {
	{ "ns", 1ULL },		 { "us", 1000ULL },	    { "ms", 1000000ULL },	{ "s", 1000000000ULL },
	{ "m", 60000000000ULL }, { "h", 3600000000000ULL }, { "d", 86400000000000ULL },
};
static const struct unit count_units[] = { { "k", 1000 }, { "m", 1000000 }, { "g", 1000000000 } };

/* The unit whose name is all the letters at *text, which then points behind them. */
static const struct unit *unit_read(const char **text, const struct unit *units, size_t count)
{
	size_t len = 0;

	while (isalpha((unsigned char)(*text)[len]))
		len++;
	for (size_t i = 0; i < count; i++) {
		if (strlen(units[i].name) == len && !strncasecmp(units[i].name, *text, len)) {
			*text += len;
			return &units[i];
		}
	}
	return NULL;
}

int word_duration(const char *word, uint64_t *ns)
{
	uint64_t n, part, sum = 0;
	const struct unit *unit;
	const char *p = word;
	int err;

	if (!digits(p, &n, &p) && !*p) /* seconds */
		return __builtin_mul_overflow(n, 1000000000ULL, ns) ? -ERANGE : 0;
	for (p = word; *p;) {
		err = digits(p, &n, &p);
		if (err)
			return err;
		unit = unit_read(&p, time_units, ARRAY_SIZE(time_units));
		if (!unit)
			return -EINVAL;
		if (__builtin_mul_overflow(n, unit->size, &part) || __builtin_add_overflow(sum, part, &sum))
			return -ERANGE;
	}
	if (p == word)
		return -EINVAL;
	*ns = sum;
	return 0;
}

int word_number(const char *word, uint64_t *n)
{
	const struct unit *unit;
	uint64_t value;
	int err = digits(word, &value, &word);

	if (err)
		return err;
	if (*word) {
		unit = unit_read(&word, count_units, ARRAY_SIZE(count_units));
		if (!unit || *word)
			return -EINVAL;
		if (__builtin_mul_overflow(value, unit->size, &value))
			return -ERANGE;
	}
	*n = value;
	return 0;
}

int word_vlan(const char *word, uint64_t *id)
{
	return word_number(word, id) || *id > VLAN_ID_MAX ? -EINVAL : 0;
}

int word_port(const char *word, uint64_t *port)
{
	struct servent *service;
	__u16 number;

	if (!strncmp(word, "*:", 2))
		word += 2;
	else if (*word == ':')
		word++;
	if (port_parse(word, &number)) {
		service = isalpha((unsigned char)*word) ? getservbyname(word, "tcp") : NULL;
		if (!service)
			return -EINVAL;
		number = ntohs((uint16_t)service->s_port);
	}
	*port = number;
	return 0;
}

/* ---- addresses ---- */
static int prefix_read(const char *text, bool v4, int *prefix)
{
	const char *end;
	uint64_t n;

	if (digits(text, &n, &end) || *end || n > (v4 ? 32U : 128U))
		return -EINVAL;
	*prefix = (int)n + (v4 ? 96 : 0);
	return 0;
}

/* Cuts "ADDR", "/LEN" and ":PORT" apart in place; NULL for the parts that are not there. */
static const char *address_split(char *text, char **addr, char **prefix, char **port)
{
	char *rest = text, *colon;

	*addr = text;
	*prefix = *port = NULL;
	if (*text == '[') {
		rest = strchr(text, ']');
		if (!rest)
			return "']' is missing";
		*rest++ = '\0';
		(*addr)++;
		if (*rest && *rest != '/' && *rest != ':')
			return "after ']' only /LEN or :PORT may follow";
	} else {
		colon = strchr(text, ':');
		if (colon && strchr(colon + 1, ':'))
			rest = text + strcspn(text, "/"); /* IPv6 without brackets: no port */
	}
	colon = strchr(rest, ':');
	if (colon) {
		*colon = '\0';
		*port = colon + 1;
	}
	*prefix = strchr(rest, '/');
	if (*prefix)
		*(*prefix)++ = '\0';
	return NULL;
}

static const char *address_read(const char *addr, const char *prefix, struct node *node)
{
	if (!*addr || !strcmp(addr, "*")) {
		node->prefix = 0;
		return prefix ? "a prefix length needs an address" : NULL;
	}
	if (addr_parse(addr, node->addr))
		return "an IPv4 or IPv6 address is expected; names are not resolved";
	node->prefix = 128;
	if (prefix && prefix_read(prefix, addr_is_v4(node->addr) && !strchr(addr, ':'), &node->prefix))
		return strchr(addr, ':') ? "a prefix length is 0 to 128" : "a prefix length is 0 to 32";
	return NULL;
}

const char *word_address(const char *word, struct node *node)
{
	char copy[WORD_MAX], *addr, *prefix, *port;
	const char *wrong;

	if (strlen(word) >= sizeof(copy))
		return "an IPv4 or IPv6 address is expected";
	strcpy(copy, word);
	wrong = address_split(copy, &addr, &prefix, &port);
	if (!wrong)
		wrong = address_read(addr, prefix, node);
	if (wrong || !port)
		return wrong;
	node->has_port = true;
	return word_port(port, &node->number) ? "a port is 0 to 65535, or a name of /etc/services" : NULL;
}

/* ---- did you mean ---- */
static const char *list_word(enum word_list list, size_t i)
{
	switch (list) {
	case LIST_STATES:
		return i < ARRAY_SIZE(state_words) ? state_words[i].word : NULL;
	case LIST_FLAGS:
		return i < FLAG_COUNT ? flag_name((unsigned)i) : NULL;
	case LIST_ENDS:
		return i < END_COUNT ? end_reason_name((enum ward_end_reason)i) : NULL;
	case LIST_FINDINGS:
		return i < ARRAY_SIZE(finding_words) ? finding_words[i] : NULL;
	case LIST_SEVERITIES:
		return i < ARRAY_SIZE(severity_words) ? severity_words[i] : NULL;
	case LIST_TYPES:
		return i < ARRAY_SIZE(type_words) ? type_words[i].word : NULL;
	case LIST_REASONS:
		if (i + 1 < DROP_COUNT)
			return drop_name((unsigned)i + 1);
		i -= DROP_COUNT - 1;
		return i + 1 < END_COUNT ? end_reason_name((enum ward_end_reason)(i + 1)) : NULL;
	case LIST_CLAUSES:
		return i < ARRAY_SIZE(clause_words) && !clause_words[i].hint ? clause_words[i].word : NULL;
	}
	return NULL;
}

void words_all(enum word_list list, char *text, size_t size)
{
	const char *word;
	size_t i, len = 0;

	*text = '\0';
	for (i = 0; (word = list_word(list, i)) && len < size; i++)
		len += (size_t)snprintf(text + len, size - len, "%s%s", i ? ", " : "", word);
	if (i > WORDS_TOLD || len >= size)
		*text = '\0';
}

const char *word_meant(enum word_list list, const char *word)
{
	size_t len = strlen(word), best = 1 + len / 3;
	const char *candidate, *meant = NULL;

	if (len >= WORD_MAX)
		return NULL;
	for (size_t i = 0; (candidate = list_word(list, i)); i++) {
		size_t d = word_distance(word, candidate);

		/* a word that begins like a longer one ("syn-rec") is meant as that one */
		if (len >= 3 && !strncasecmp(word, candidate, len))
			d = d ? 1 : 0;
		if (d < best || (d == best && !meant)) {
			best = d;
			meant = candidate;
		}
	}
	return meant;
}

const char *filter_finding_meant(const char *word)
{
	return word_meant(LIST_FINDINGS, word);
}
