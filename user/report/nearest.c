/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* nearest: which of several words somebody meant who wrote another. */
#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#include "report/nearest.h"

#define WORD_MAX 48 /* longer words are far from each other */

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

static bool same(char a, char b)
{
	return tolower((unsigned char)a) == tolower((unsigned char)b) || (strchr("-_. ", a) && strchr("-_. ", b));
}

size_t word_distance(const char *a, const char *b)
{
	size_t row[WORD_MAX + 1], width = strlen(b);

	if (strlen(a) > WORD_MAX || width > WORD_MAX)
		return WORD_MAX;
	for (size_t j = 0; j <= width; j++)
		row[j] = j;
	for (size_t i = 0; a[i]; i++) {
		size_t diagonal = row[0];

		row[0] = i + 1;
		for (size_t j = 0; j < width; j++) {
			size_t above = row[j + 1];

			row[j + 1] = least(least(above, row[j]) + 1, diagonal + !same(a[i], b[j]));
			diagonal = above;
		}
	}
	return row[width];
}

void nearest_begin(struct nearest *n, const char *word)
{
	*n = (struct nearest){ .word = word, .distance = 2 + strlen(word) / 4 };
}

void nearest_try(struct nearest *n, const char *candidate)
{
	size_t d = word_distance(n->word, candidate);

	/* a word that differs in all its letters was not mistyped */
	if (d >= n->distance || d >= strlen(n->word) || d >= strlen(candidate))
		return;
	n->distance = d;
	n->best = candidate;
}
