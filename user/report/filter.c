// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * filter: the parser, by recursive descent.
 *
 *   any    = all { or all }                        or:  or | ||
 *   all    = unary { [ and ] unary }               and: and & &&, or nothing
 *   unary  = ( not | ! ) unary  |  "(" any ")"  |  clause
 *   clause = state [=|!=] X { X } { state X { X } }  |  exclude X { X }  |  src [=|!=] ADDR  |  sport [OP] PORT  |  ...
 *
 * Commas are blanks. Several states after one another are alternatives, as in ss: "state syn-sent state syn-recv" is
 * either of them.
 */
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "report/filter_tree.h"

#define NESTING_MAX 64
#define WORD_SIZE 64

enum token_kind { TOKEN_END, TOKEN_WORD, TOKEN_OPEN, TOKEN_CLOSE, TOKEN_NOT, TOKEN_AND, TOKEN_OR, TOKEN_COMPARE };

struct token {
	enum token_kind kind;
	enum compare compare;
	char text[WORD_SIZE];
	size_t at; /* offset in the text */
};

struct parser {
	const char *text;
	size_t next; /* offset behind the token */
	struct token token;
	struct filter *filter;
	struct filter_error *error;
	bool failed;
	int depth;
};

/* Only the first error counts: what follows it may be its consequence. Returns NULL for the callers' convenience. */
__attribute__((format(printf, 3, 4))) static struct node *fail(struct parser *p, size_t at, const char *fmt, ...)
{
	va_list args;

	if (p->failed)
		return NULL;
	p->failed = true;
	p->error->column = (int)at + 1;
	va_start(args, fmt);
	vsnprintf(p->error->text, sizeof(p->error->text), fmt, args);
	va_end(args);
	return NULL;
}

/* "unknown <what> 'word', did you mean 'meant'?" */
static struct node *fail_unknown(struct parser *p, const char *what, enum word_list list)
{
	const char *meant = word_meant(list, p->token.text);
	char all[120];

	if (meant)
		return fail(p, p->token.at, "unknown %s '%s', did you mean '%s'?", what, p->token.text, meant);
	words_all(list, all, sizeof(all));
	if (*all)
		return fail(p, p->token.at, "unknown %s '%s': %s", what, p->token.text, all);
	return fail(p, p->token.at, "unknown %s '%s'", what, p->token.text);
}

/* ---- tokens ---- */
static const struct symbol {
	const char *text;
	enum token_kind kind;
	enum compare compare;
} symbols[] = {
	/* the longer one of two that begin alike stands first */
	{ "&&", TOKEN_AND, 0 },      { "&", TOKEN_AND, 0 },       { "||", TOKEN_OR, 0 },       { "|", TOKEN_OR, 0 },
	{ "!=", TOKEN_COMPARE, CMP_NE }, { "!", TOKEN_NOT, 0 },   { "(", TOKEN_OPEN, 0 },      { ")", TOKEN_CLOSE, 0 },
	{ "==", TOKEN_COMPARE, CMP_EQ }, { "=", TOKEN_COMPARE, CMP_EQ },
	{ "<=", TOKEN_COMPARE, CMP_LE }, { "<", TOKEN_COMPARE, CMP_LT },
	{ ">=", TOKEN_COMPARE, CMP_GE }, { ">", TOKEN_COMPARE, CMP_GT },
}, symbol_words[] = {
	{ "and", TOKEN_AND, 0 },         { "or", TOKEN_OR, 0 },           { "not", TOKEN_NOT, 0 },
	{ "eq", TOKEN_COMPARE, CMP_EQ }, { "ne", TOKEN_COMPARE, CMP_NE }, { "neq", TOKEN_COMPARE, CMP_NE },
	{ "lt", TOKEN_COMPARE, CMP_LT }, { "le", TOKEN_COMPARE, CMP_LE }, { "leq", TOKEN_COMPARE, CMP_LE },
	{ "gt", TOKEN_COMPARE, CMP_GT }, { "ge", TOKEN_COMPARE, CMP_GE }, { "geq", TOKEN_COMPARE, CMP_GE },
};
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

static void token_set(struct parser *p, const struct symbol *symbol, size_t len)
{
	p->token.kind = symbol->kind;
	p->token.compare = symbol->compare;
	snprintf(p->token.text, sizeof(p->token.text), "%.*s", (int)len, p->text + p->token.at);
	p->next = p->token.at + len;
}

static void read_word(struct parser *p)
{
	static const struct symbol word = { "", TOKEN_WORD, 0 };
	size_t len = strcspn(p->text + p->token.at, " \t\r\n,()!&|=<>");

	token_set(p, &word, len);
	if (len >= WORD_SIZE)
		fail(p, p->token.at, "'%.20s...' is too long", p->token.text);
	for (size_t i = 0; i < ARRAY_SIZE(symbol_words); i++)
		if (!strcasecmp(p->token.text, symbol_words[i].text))
			token_set(p, &symbol_words[i], len);
}

static void advance(struct parser *p)
{
	static const struct symbol end = { "", TOKEN_END, 0 };

	p->token.at = p->next + strspn(p->text + p->next, " \t\r\n,");
	if (!p->text[p->token.at]) {
		token_set(p, &end, 0);
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(symbols); i++) {
		size_t len = strlen(symbols[i].text);

		if (!strncmp(p->text + p->token.at, symbols[i].text, len)) {
			token_set(p, &symbols[i], len);
			return;
		}
	}
	read_word(p);
}

/* ---- nodes ---- */
static struct node *node_new(struct parser *p, enum node_kind kind)
{
	struct node *n = calloc(1, sizeof(*n));

	if (!n)
		return fail(p, p->token.at, "out of memory");
	n->kind = kind;
	n->made_before = p->filter->nodes;
	p->filter->nodes = n;
	return n;
}

static struct node *negated(struct parser *p, struct node *child)
{
	struct node *n = child ? node_new(p, NODE_NOT) : NULL;

	if (n)
		n->child = child;
	return n;
}

/* ---- clauses ---- */
/* The operator before a value; none means "=". Names and addresses have no order: ordered is false for them. */
static enum compare take_compare(struct parser *p, const char *clause, bool ordered)
{
	enum compare compare = CMP_EQ;

	if (p->token.kind != TOKEN_COMPARE)
		return CMP_EQ;
	compare = p->token.compare;
	if (!ordered && compare != CMP_EQ && compare != CMP_NE)
		fail(p, p->token.at, "'%s' cannot be compared by '%s': use '=' or '!='", clause, p->token.text);
	advance(p);
	return compare;
}

/* True if a value stands here, else the error says what is missing. */
static bool have_value(struct parser *p, const char *clause, const char *example)
{
	if (p->token.kind == TOKEN_WORD)
		return !p->failed;
	if (p->token.kind == TOKEN_END)
		fail(p, p->token.at, "'%s' needs a value, as in '%s %s'", clause, clause, example);
	else
		fail(p, p->token.at, "'%s' needs a value, not '%s', as in '%s %s'", clause, p->token.text, clause,
		     example);
	return false;
}

static bool at_clause(const struct parser *p, enum clause clause)
{
	const char *hint;

	return p->token.kind == TOKEN_WORD && word_clause(p->token.text, &hint) == clause;
}

/* Takes names of states as long as there are any; at least one. */
static void take_states(struct parser *p, const char *clause, struct node *n, bool *names_closed)
{
	uint32_t states;
	bool closed;

	if (!have_value(p, clause, "syn-recv"))
		return;
	do {
		if (word_states(p->token.text, &states, &closed)) {
			fail_unknown(p, "state", LIST_STATES);
			return;
		}
		n->states |= states;
		*names_closed |= closed;
		advance(p);
	} while (p->token.kind == TOKEN_WORD && at_clause(p, CLAUSE_NONE));
}

static struct node *state_clause(struct parser *p, enum clause clause, const char *name)
{
	struct node *n = node_new(p, NODE_STATE);
	bool excluded = clause == CLAUSE_EXCLUDE;
	bool names_closed = false;

	if (!n)
		return NULL;
	n->end = clause == CLAUSE_ORIG_STATE ? END_ORIG : clause == CLAUSE_RESP_STATE ? END_RESP : END_EITHER;
	if (take_compare(p, name, false) == CMP_NE)
		excluded = !excluded;
	take_states(p, name, n, &names_closed);
	while (!p->failed && !excluded && at_clause(p, clause)) {
		advance(p);
		take_states(p, name, n, &names_closed);
	}
	if (names_closed && !excluded)
		p->filter->shows_closed = true;
	return excluded ? negated(p, n) : n;
}

static struct node *address_clause(struct parser *p, enum clause clause, const char *name)
{
	struct node *n = node_new(p, NODE_ADDR);
	const char *wrong;

	if (!n)
		return NULL;
	n->end = clause == CLAUSE_SRC ? END_ORIG : END_RESP;
	n->compare = take_compare(p, name, false);
	if (!have_value(p, name, "10.0.0.0/8"))
		return NULL;
	wrong = word_address(p->token.text, n);
	if (wrong)
		return fail(p, p->token.at, "bad address '%s': %s", p->token.text, wrong);
	advance(p);
	return n;
}

static struct node *port_clause(struct parser *p, enum clause clause, const char *name)
{
	struct node *n = node_new(p, NODE_PORT);

	if (!n)
		return NULL;
	n->end = clause == CLAUSE_SPORT ? END_ORIG : END_RESP;
	n->compare = take_compare(p, name, true);
	if (!have_value(p, name, "= :443"))
		return NULL;
	if (word_port(p->token.text, &n->number))
		return fail(p, p->token.at, "bad port '%s': a number from 0 to 65535 or a name of /etc/services is expected, as in ':443'",
			    p->token.text);
	advance(p);
	return n;
}

#define A_DURATION "duration", "a number and one of ns us ms s m h d"
#define A_NUMBER "number", "digits and one of k m g, or digits alone,"

/* What the clauses with a number measure, and how a value is read; of one that cannot be: what was expected. */
static const struct number_clause {
	enum clause clause;
	enum quantity quantity;
	int (*word)(const char *word, uint64_t *n);
	const char *example;
	const char *what, *expected;
} number_clauses[] = {
	{ CLAUSE_AGE, Q_AGE, word_duration, "> 30s", A_DURATION },
	{ CLAUSE_IDLE, Q_IDLE, word_duration, "> 5m", A_DURATION },
	{ CLAUSE_BYTES, Q_BYTES, word_number, "> 10k", A_NUMBER },
	{ CLAUSE_PKTS, Q_PKTS, word_number, "> 100", A_NUMBER },
	{ CLAUSE_RTX, Q_RTX, word_number, "> 0", A_NUMBER },
	{ CLAUSE_VLAN, Q_VLAN, word_vlan, "= 100", "VLAN", "a number from 0 to 4094" },
};

static const struct number_clause *find_number_clause(enum clause clause)
{
	for (size_t i = 0; i < ARRAY_SIZE(number_clauses); i++)
		if (number_clauses[i].clause == clause)
			return &number_clauses[i];
	return NULL;
}

static struct node *number_clause(struct parser *p, enum clause clause, const char *name)
{
	const struct number_clause *c = find_number_clause(clause);
	struct node *n = node_new(p, NODE_NUMBER);
	int err;

	if (!n || !c)
		return NULL;
	n->quantity = c->quantity;
	n->compare = take_compare(p, name, true);
	if (!have_value(p, name, c->example))
		return NULL;
	err = c->word(p->token.text, &n->number);
	if (err == -ERANGE)
		return fail(p, p->token.at, "the %s '%s' is too large: 64 bits do not hold it", c->what, p->token.text);
	if (err)
		return fail(p, p->token.at, "bad %s '%s': %s is expected", c->what, p->token.text, c->expected);
	advance(p);
	return n;
}

/* Conditions that are one word of a list. */
static const struct listed_clause {
	enum clause clause;
	enum node_kind kind;
	int (*word)(const char *word, uint64_t *n);
	const char *example;
	const char *what;
	enum word_list list;
} listed_clauses[] = {
	{ CLAUSE_FLAG, NODE_FLAG, word_flag, "SYN_RTX", "flag", LIST_FLAGS },
	{ CLAUSE_END, NODE_END, word_end_reason, "refused", "end reason", LIST_ENDS },
	{ CLAUSE_FINDING, NODE_FINDING, word_finding, "half-open", "finding", LIST_FINDINGS },
	{ CLAUSE_SEVERITY, NODE_SEVERITY, word_severity, ">= warning", "severity", LIST_SEVERITIES },
	{ CLAUSE_TYPE, NODE_TYPE, word_event_type, "drop", "type of event", LIST_TYPES },
	{ CLAUSE_REASON, NODE_REASON, word_reason, "block-list", "reason", LIST_REASONS },
};

static struct node *listed_clause(struct parser *p, enum clause clause, const char *name)
{
	const struct listed_clause *c = listed_clauses;
	struct node *n;

	while (c->clause != clause)
		c++;
	n = node_new(p, c->kind);
	if (!n)
		return NULL;
	n->compare = take_compare(p, name, clause == CLAUSE_SEVERITY);
	if (!have_value(p, name, c->example))
		return NULL;
	if (c->word(p->token.text, &n->number))
		return fail_unknown(p, c->what, c->list);
	if (clause == CLAUSE_END)
		p->filter->shows_closed = true;
	advance(p);
	return n;
}

/* Conditions that are a name which is not known beforehand. */
static struct node *name_clause(struct parser *p, enum clause clause, const char *name)
{
	struct node *n = node_new(p, clause == CLAUSE_DEV ? NODE_DEV : NODE_RULE);

	if (!n)
		return NULL;
	n->compare = take_compare(p, name, false);
	if (!have_value(p, name, clause == CLAUSE_DEV ? "eth0" : "web/half-open"))
		return NULL;
	if (clause == CLAUSE_DEV && strlen(p->token.text) >= WARD_NAME_LEN)
		return fail(p, p->token.at, "'%s' is too long for the name of an interface", p->token.text);
	snprintf(n->name, sizeof(n->name), "%s", p->token.text);
	advance(p);
	return n;
}

static struct node *(*const clause_parsers[])(struct parser *, enum clause, const char *) = {
	[CLAUSE_STATE] = state_clause,	    [CLAUSE_EXCLUDE] = state_clause, [CLAUSE_ORIG_STATE] = state_clause,
	[CLAUSE_RESP_STATE] = state_clause, [CLAUSE_SRC] = address_clause,   [CLAUSE_DST] = address_clause,
	[CLAUSE_SPORT] = port_clause,	    [CLAUSE_DPORT] = port_clause,    [CLAUSE_AGE] = number_clause,
	[CLAUSE_IDLE] = number_clause,	    [CLAUSE_BYTES] = number_clause,  [CLAUSE_PKTS] = number_clause,
	[CLAUSE_RTX] = number_clause,	    [CLAUSE_VLAN] = number_clause,   [CLAUSE_FLAG] = listed_clause,
	[CLAUSE_END] = listed_clause,	    [CLAUSE_DEV] = name_clause,	     [CLAUSE_FINDING] = listed_clause,
	[CLAUSE_SEVERITY] = listed_clause,  [CLAUSE_TYPE] = listed_clause,   [CLAUSE_REASON] = listed_clause,
	[CLAUSE_RULE] = name_clause,
};

static struct node *unknown_word(struct parser *p)
{
	uint32_t states;
	bool closed;

	if (!word_states(p->token.text, &states, &closed))
		return fail(p, p->token.at, "unknown word '%s', did you mean 'state %s'?", p->token.text,
			    p->token.text);
	if (!word_meant(LIST_CLAUSES, p->token.text) && word_meant(LIST_FINDINGS, p->token.text))
		return fail(p, p->token.at, "unknown word '%s', did you mean 'finding %s'?", p->token.text,
			    word_meant(LIST_FINDINGS, p->token.text));
	return fail_unknown(p, "word", LIST_CLAUSES);
}

static struct node *parse_clause(struct parser *p)
{
	const char *hint = NULL;
	enum clause clause = word_clause(p->token.text, &hint);
	char name[WORD_SIZE];

	if (clause == CLAUSE_NONE)
		return unknown_word(p);
	if (clause == CLAUSE_REFUSED)
		return fail(p, p->token.at, "'%s' is not supported: %s", p->token.text, hint);
	memcpy(name, p->token.text, sizeof(name));
	advance(p);
	return clause_parsers[clause](p, clause, name);
}

/* ---- expressions ---- */
static struct node *parse_any(struct parser *p);

static struct node *parse_group(struct parser *p)
{
	size_t open = p->token.at;
	struct node *n;

	advance(p);
	n = parse_any(p);
	if (p->failed)
		return NULL;
	if (p->token.kind != TOKEN_CLOSE)
		return fail(p, open, "this '(' has no ')'");
	advance(p);
	return n;
}

static struct node *parse_unary(struct parser *p)
{
	struct node *n;

	if (p->failed)
		return NULL;
	if (p->token.kind == TOKEN_WORD)
		return parse_clause(p);
	if (p->token.kind == TOKEN_END)
		return fail(p, p->token.at, "the filter ends where a condition is expected");
	if (p->token.kind != TOKEN_NOT && p->token.kind != TOKEN_OPEN)
		return fail(p, p->token.at, "a condition is expected, not '%s'", p->token.text);
	if (++p->depth > NESTING_MAX)
		return fail(p, p->token.at, "more than %d '(' and '!' inside each other", NESTING_MAX);
	if (p->token.kind == TOKEN_OPEN) {
		n = parse_group(p);
	} else {
		advance(p);
		n = negated(p, parse_unary(p));
	}
	p->depth--;
	return n;
}

/* True if another part of an "and" follows; takes the word that says so, if there is one. */
static bool and_follows(struct parser *p)
{
	if (p->failed)
		return false;
	if (p->token.kind == TOKEN_AND) {
		advance(p);
		return true;
	}
	return p->token.kind == TOKEN_WORD || p->token.kind == TOKEN_OPEN || p->token.kind == TOKEN_NOT;
}

static bool or_follows(struct parser *p)
{
	if (p->failed || p->token.kind != TOKEN_OR)
		return false;
	advance(p);
	return true;
}

/* A list of parts below one node: long filters become wide, not deep. */
static struct node *parse_list(struct parser *p, enum node_kind kind, struct node *(*part)(struct parser *),
			       bool (*follows)(struct parser *))
{
	struct node *n = node_new(p, kind);
	struct node **end = n ? &n->child : NULL;

	if (!n)
		return NULL;
	do {
		*end = part(p);
		if (!*end)
			return NULL;
		end = &(*end)->next;
	} while (follows(p));
	return p->failed ? NULL : n;
}

static struct node *parse_all(struct parser *p)
{
	return parse_list(p, NODE_ALL, parse_unary, and_follows);
}

static struct node *parse_any(struct parser *p)
{
	return parse_list(p, NODE_ANY, parse_all, or_follows);
}

/* A comparison that has lost its clause, a parenthesis too many: what stands where the filter should end. */
static void expect_end(struct parser *p)
{
	if (p->failed || p->token.kind == TOKEN_END)
		return;
	if (p->token.kind == TOKEN_CLOSE)
		fail(p, p->token.at, "this ')' has no '('");
	else
		fail(p, p->token.at, "'%s' is not expected here", p->token.text);
}

static void parse(struct parser *p)
{
	advance(p);
	if (p->token.kind == TOKEN_END) {
		p->filter->root = node_new(p, NODE_ALL);
		return;
	}
	p->filter->root = parse_any(p);
	expect_end(p);
}

static char *joined(int argc, char *const argv[])
{
	size_t size = 1;
	char *text, *at;

	for (int i = 0; i < argc; i++)
		size += strlen(argv[i]) + 1;
	text = at = malloc(size);
	if (!text)
		return NULL;
	*at = '\0';
	for (int i = 0; i < argc; i++)
		at += sprintf(at, "%s%s", i ? " " : "", argv[i]);
	return text;
}

/* Parses a filter; filter.h has the grammar. *out is to be freed by filter_free() and is set on success only. */
int filter_parse(int argc, char *const argv[], struct filter **out, struct filter_error *error)
{
	struct parser p = { .error = error, .filter = calloc(1, sizeof(struct filter)) };
	char *text = joined(argc, argv);

	p.text = text;
	if (text && p.filter)
		parse(&p);
	else
		fail(&p, 0, "out of memory");
	free(text);
	if (p.failed) {
		filter_free(p.filter);
		return -EINVAL;
	}
	*out = p.filter;
	return 0;
}

void filter_show_closed(struct filter *f)
{
	f->shows_closed = true;
}

void filter_free(struct filter *f)
{
	struct node *n, *before;

	if (!f)
		return;
	for (n = f->nodes; n; n = before) {
		before = n->made_before;
		free(n);
	}
	free(f);
}
