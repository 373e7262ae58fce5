/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the files that put a policy into words share: object.c makes a tree of it, print.c and diff.c walk the tree. */
#ifndef USER_POLICY_SHOW_H
#define USER_POLICY_SHOW_H

#include <json-c/json.h>

#include "policy/policy.h"

/* A tree's node as YAML on one line ("{match: {dport: [80, 443]}, action: drop}"); of lists that are longer than most,
 * so many items stand, and how many there are more. 0: all. */
void yaml_line(struct json_object *o, size_t most, FILE *out);

/* A set of control bits, 1 << each value, as the words of key "flags": control_bits.c. */
struct json_object *control_bits(uint64_t values);

#endif
