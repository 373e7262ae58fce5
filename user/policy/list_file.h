/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* list_file: the lists kept by hand as text. What `block list` prints can be read again. */
#ifndef POLICY_LIST_FILE_H
#define POLICY_LIST_FILE_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "policy/prefix.h"

#define LIST_FILE_MAX 200000 /* entries */

/* What the entries of a file have in common. */
struct list_file_opts {
	uint64_t now_ns;
	uint64_t until_ns;  /* of lines that do not say; 0: for ever */
	const char *reason; /* likewise; NULL: none */
};

/*
 * Reads lines "ADDRESS [LEFT [HITS [BY [REASON...]]]]"; "-" for what is not there, "#" begins a comment, a first line that
 * begins with ADDRESS is a header. Of an address that comes twice the last line counts. Each error is one line of err:
 * "name:line:column: ...". Returns how many errors there were; without any, *items (to be freed) and *count.
 */
unsigned list_file_read(FILE *in, const char *name, const struct list_file_opts *opts, struct list_item **items,
			size_t *count, FILE *err);

/* "1h2m3s", rounded up to seconds; "-": for ever. */
const char *list_left_text(const struct list_entry *entry, uint64_t now_ns, char buf[32]);
/* "hand", "limit", "finding", "file" */
const char *list_by_name(enum list_by by);
/* Its reason, terminated; at most 24 characters. */
const char *list_reason(const struct list_entry *entry, char buf[32]);
void list_reason_set(struct list_entry *entry, const char *reason);

#endif
