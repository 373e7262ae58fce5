/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* filter_tree: what a filter becomes. Built by filter.c with the words of filter_words.c, walked by filter_eval.c. */
#ifndef FILTER_TREE_H
#define FILTER_TREE_H

#include <stddef.h>

#include "report/filter.h"

enum compare { CMP_EQ, CMP_NE, CMP_LT, CMP_LE, CMP_GT, CMP_GE };

enum node_kind {
	NODE_ALL, /* and: all children hold; without children: everything */
	NODE_ANY, /* or */
	NODE_NOT, /* its one child does not hold */
	NODE_STATE,
	NODE_ADDR,
	NODE_PORT,
	NODE_NUMBER,
	NODE_FLAG,
	NODE_END,
	NODE_DEV,
	NODE_FINDING,
	NODE_SEVERITY,
	NODE_TYPE,
	NODE_REASON,
	NODE_RULE,
};

enum which_end { END_ORIG, END_RESP, END_EITHER };
enum quantity { Q_AGE, Q_IDLE, Q_BYTES, Q_PKTS, Q_RTX, Q_VLAN };

struct node {
	enum node_kind kind;
	enum compare compare;
	enum which_end end;	   /* STATE, ADDR, PORT */
	enum quantity quantity;	   /* NUMBER */
	uint32_t states;	   /* STATE: bit number = state */
	uint64_t number;	   /* NUMBER, PORT; FLAG: the bit as a mask; END: the reason; FINDING: the kind;
				    * TYPE: the type; REASON: REASON_OF_* */
	__u8 addr[16];		   /* ADDR */
	int prefix;		   /* ADDR: bits of addr that count, 0 to 128 */
	bool has_port;		   /* ADDR: number is a port too */
	char name[64];		   /* DEV, RULE */
	struct node *child, *next; /* first child; next child of the same parent */
	struct node *made_before;  /* all nodes of the filter, to free them */
};

struct filter {
	struct node *root;
	struct node *nodes;
	bool shows_closed; /* a clause names closed flows: those with both ends gone are not hidden */
};

/* ---- filter_words.c: words and their values; -EINVAL for what is none ---- */
#define STATES_ALL ((1U << STATE_COUNT) - 1)
#define STATES_CLOSED (1U << NO_STATE | 1U << CLOSED)

/* A state or a group of states, by the RFC's or ss's name; *names_closed: it is "closed" or "all". */
int word_states(const char *word, uint32_t *states, bool *names_closed);
int word_flag(const char *word, uint64_t *mask);
int word_end_reason(const char *word, uint64_t *reason);
int word_finding(const char *word, uint64_t *kind);
int word_severity(const char *word, uint64_t *severity);
int word_event_type(const char *word, uint64_t *type); /* an enum ward_event_type, or these: */
#define TYPE_FINDING EVENT_COUNT
#define TYPE_LOST (EVENT_COUNT + 1)
int word_reason(const char *word, uint64_t *reason); /* of a drop or an end: */
#define REASON_OF_DROP(drop) (drop)
#define REASON_OF_END(end) (0x100 + (end))
/* Is it the name of this rule or limit, or of its service? "-" is as good as a blank. */
bool rule_named(const char *word, const char *rule);
int word_duration(const char *word, uint64_t *ns); /* "30s", "1m30s", "250ms"; without unit: seconds */
int word_number(const char *word, uint64_t *n);	   /* "1500", "10k", "2M": units of 1000 */
int word_vlan(const char *word, uint64_t *id);
/* "443", ":443", "*:443", and names of /etc/services */
int word_port(const char *word, uint64_t *port);
/* "ADDR[/LEN][:PORT]"; NULL, or what is wrong with it. Fills addr, prefix, has_port, number of node. */
const char *word_address(const char *word, struct node *node);

/* Which list a word was looked for in, to find the one that was meant. */
enum word_list { LIST_STATES, LIST_FLAGS, LIST_ENDS, LIST_FINDINGS, LIST_SEVERITIES, LIST_TYPES, LIST_REASONS, LIST_CLAUSES };
/* "a, b, c": all of the list; "" if they are too many for a message. */
void words_all(enum word_list list, char *text, size_t size);
/* The nearest word of the list, NULL if none is near. */
const char *word_meant(enum word_list list, const char *word);
/* Words that begin a clause; *hint is set for those of ss that tcpward refuses. */
enum clause {
	CLAUSE_NONE,
	CLAUSE_STATE,
	CLAUSE_EXCLUDE,
	CLAUSE_ORIG_STATE,
	CLAUSE_RESP_STATE,
	CLAUSE_SRC,
	CLAUSE_DST,
	CLAUSE_SPORT,
	CLAUSE_DPORT,
	CLAUSE_AGE,
	CLAUSE_IDLE,
	CLAUSE_BYTES,
	CLAUSE_PKTS,
	CLAUSE_RTX,
	CLAUSE_VLAN,
	CLAUSE_FLAG,
	CLAUSE_END,
	CLAUSE_DEV,
	CLAUSE_FINDING,
	CLAUSE_SEVERITY,
	CLAUSE_TYPE,
	CLAUSE_REASON,
	CLAUSE_RULE,
	CLAUSE_REFUSED,
};
enum clause word_clause(const char *word, const char **hint);

/* ---- filter_eval.c ---- */
/* The order matters: "and" is the least of its parts, "or" the greatest, "not" turns the scale around. */
enum answer { NO, UNKNOWN, YES };

static inline enum answer answer(bool yes)
{
	return yes ? YES : NO;
}

/* Walks the tree; leaf() answers its conditions. */
enum answer filter_walk(const struct node *n, enum answer (*leaf)(const struct node *n, const void *subject),
			const void *subject);
bool filter_compares(uint64_t a, enum compare compare, uint64_t b);
bool filter_in_prefix(const __u8 addr[16], const __u8 net[16], int prefix);

#endif
