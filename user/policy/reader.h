/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* reader: a policy while it is read: parse.c walks the tree by the schema, take.c reads values, check.c compares them. */
#ifndef POLICY_READER_H
#define POLICY_READER_H

#include "policy/schema.h"
#include "policy/tree.h"

struct reader {
	struct policy *p;
	struct faults faults;
	const char *dir; /* where "@file" is looked for; NULL: the working directory */
	struct node *root;
};

/* The interfaces of a policy, or of a match: both have these two members, one behind the other. */
struct iface_list {
	char (*item)[WARD_NAME_LEN];
	size_t count;
};

/* Reads the value of a key into the struct of its place. Errors go to r->faults, and leave the struct as it was. */
void take_value(struct reader *r, const struct schema_key *key, const struct node *node, void *into);
/* "a list", "a mapping", ...: what stands there instead of what should. */
const char *node_words(const struct node *node);
/* False, and told, unless node is one word. */
bool want_word(struct reader *r, const struct schema_key *key, const struct node *node);
bool no_memory(struct reader *r, const void *memory, const struct node *node);

/* A mapping whose values are read: does it hold together? into: the struct of its place. */
void check_place(struct reader *r, enum schema_place place, const struct node *map, void *into);
/* The policy as a whole, when all its parts are right. */
void check_policy(struct reader *r);

#endif
