/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* policy: what the files of the reader share. value.c knows words, tree.c knows YAML, schema.c the keys. */
#ifndef POLICY_INTERNAL_H
#define POLICY_INTERNAL_H

#include "policy/policy.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define POLICY_SECOND 1000000000ULL
#define POLICY_MINUTE (60 * POLICY_SECOND)
#define POLICY_HOUR (60 * POLICY_MINUTE)
#define POLICY_DAY (24 * POLICY_HOUR)
#define POLICY_BYTES_MAX (10UL << 20) /* of a file: 200000 addresses find room in it */
#define RATE_MAX 10000000ULL	      /* in a second: 100 ns apart is what a bucket can still tell */

/* ---- value.c: a word and what it says. 0, or -EINVAL with *error one line "what is wrong, 'the word': a hint" ---- */
/* "25%", "12.5%": per mille */
int share_parse(const char *text, uint16_t *permille, const char **error);
/* "128", "20k", "2M", "200_000" */
int count_parse(const char *text, uint64_t *count, const char **error);
/* "443", "8000-8100"; what: "port" or "VLAN id", for the errors */
int range_parse(const char *text, const char *what, unsigned min, unsigned max, struct port_range *out,
		const char **error);
/* "10s", "1h30m": the same in the largest units; as duration_parse() reads it */
const char *duration_words(uint64_t ns, char buf[64]);
/* A word for an error line: short, and without control characters. */
#define QUOTED_LEN 84
const char *quoted(const char *text, char buf[QUOTED_LEN]);

/* ---- list.c ---- */
/* Appends; -ENOMEM. A list never gets longer than POLICY_ENTRIES_MAX + 1, which is one too many. */
int cidr_list_add(struct cidr_list *list, const struct cidr *c);
/* cidr_list_read(), which says with *why that the file as a whole cannot be read, instead of telling err. */
unsigned cidr_list_load(const char *path, struct cidr_list *out, FILE *err, const char **why);

#endif
