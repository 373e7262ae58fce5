/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * tree: a YAML file as nodes that know their place, and the errors found in it. What could surprise is refused here, once:
 * anchors and aliases, tags, several documents, deep nesting, keys that are no words, keys that stand twice.
 */
#ifndef POLICY_TREE_H
#define POLICY_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define TREE_DEPTH 12 /* a policy needs six */
#define TREE_KEYS 100 /* of one mapping: no place knows so many */

enum node_kind { NODE_EMPTY, NODE_WORD, NODE_LIST, NODE_MAP };

struct node {
	enum node_kind kind;
	bool refused;	       /* its error is told: no other shall follow from it */
	unsigned line, column; /* from 1; columns count characters */
	struct node *child;    /* NODE_LIST: its items; NODE_MAP: its keys */
	struct node *next;
	struct node *value; /* of a key */
	struct node *all;   /* of the tree, for tree_free() */
	char text[];	    /* NODE_WORD */
};

struct fault;
struct faults {
	const char *name; /* of the file, in front of each error */
	struct fault *item;
	size_t count;
	unsigned total; /* errors: one item may hold those of a whole list */
};

struct tree {
	struct node *root; /* NULL: nothing in it, or not readable */
	struct node *all;
};

/* Reads text (UTF-8). Errors go to f; without any the root is a node. 0 or -ENOMEM. */
int tree_read(struct tree *t, const char *text, size_t len, struct faults *f);
void tree_free(struct tree *t);
/* The value of a key of a NODE_MAP; NULL: it is not there. */
struct node *node_get(const struct node *map, const char *key);

/* One error: "what is wrong, 'the text': a hint" */
void fault_at(struct faults *f, unsigned line, unsigned column, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
/* Whole lines that carry a place of their own, as errors of a list; n errors. text becomes f's. */
void fault_lines(struct faults *f, unsigned line, unsigned column, char *text, unsigned n);
/* Prints them in order of place and empties f. */
void faults_print(struct faults *f, FILE *out);

#define fault(f, node, ...) fault_at(f, (node)->line, (node)->column, __VA_ARGS__)

#endif
