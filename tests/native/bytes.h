/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Numbers out of bytes: of a fuzzer, or at random. */
#ifndef NATIVE_BYTES_H
#define NATIVE_BYTES_H

#include <stddef.h>
#include <stdint.h>

/* The input is taken from its beginning; behind its end there are zeroes. */
struct bytes {
	const uint8_t *at;
	size_t left;
};

static inline uint8_t take8(struct bytes *b)
{
	if (!b->left)
		return 0;
	b->left--;
	return *b->at++;
}

static inline uint16_t take16(struct bytes *b)
{
	uint16_t high = take8(b);

	return (uint16_t)(high << 8 | take8(b));
}

static inline uint32_t take32(struct bytes *b)
{
	uint32_t high = take16(b);

	return high << 16 | take16(b);
}

#endif
