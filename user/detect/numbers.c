// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Shares of counters, sizes of sets. */
#include "detect/internal.h"

uint64_t percent_of(uint64_t part, uint64_t of)
{
	if (!of || part >= of)
		return 100;
	return part * 100 / of;
}

struct share share_of(struct recent part, struct recent of, uint32_t enough)
{
	struct share s = { .part = part.now, .of = of.now };

	if (of.now < enough && of.last)
		s = (struct share){ .part = part.last, .of = of.last };
	s.percent = (uint32_t)percent_of(s.part, s.of);
	return s;
}

/*
 * Linear counting: k of m bits are set. So many values fill them on average: m/m + m/(m-1) + ... + m/(m-k+1), which is
 * m ln(m/(m-k)) without a logarithm. When all are set the number is that of the last but one: a lower bound.
 */
unsigned distinct_count(const struct distinct *a, const struct distinct *b)
{
	unsigned set = 0;
	double n = 0.5; /* rounded */

	for (unsigned i = 0; i < ARRAY_SIZE(a->bits); i++)
		set += (unsigned)__builtin_popcountll(a->bits[i] | (b ? b->bits[i] : 0));
	for (unsigned k = 0; k < set; k++)
		n += (double)DISTINCT_BITS / (DISTINCT_BITS - k);
	return (unsigned)n;
}
