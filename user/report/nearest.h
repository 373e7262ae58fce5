/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* nearest: "did you mean 'x'?" */
#ifndef NEAREST_H
#define NEAREST_H

#include <stddef.h>

/* Edit distance (Levenshtein), whatever the case; '-', '_', '.' and ' ' are the same. Words of more than 48 bytes are so far from
 * all others. */
size_t word_distance(const char *a, const char *b);

struct nearest {
	const char *word;
	const char *best; /* the candidate that is likely meant; NULL: none is near */
	size_t distance;
};

void nearest_begin(struct nearest *n, const char *word);
/* Candidates that stay: best points to one of them. */
void nearest_try(struct nearest *n, const char *candidate);

#endif
