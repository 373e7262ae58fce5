/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Serial arithmetic over 32-bit sequence numbers (RFC 9293 section 3.4, RFC 1982): never compare them with "<". */
#ifndef TCP_SEQ_H
#define TCP_SEQ_H

#include "tcpward.h"

#ifndef __always_inline
#define __always_inline inline __attribute__((always_inline))
#endif

/* a comes before b, at a distance below 2^31 */
static __always_inline int seq_lt(__u32 a, __u32 b)
{
	return (__s32)(a - b) < 0;
}

static __always_inline int seq_le(__u32 a, __u32 b)
{
	return (__s32)(b - a) >= 0;
}

static __always_inline __u32 seq_max(__u32 a, __u32 b)
{
	return seq_lt(a, b) ? b : a;
}

/* A sequence number in 16 bits, never 0, salted by a letter: enough to tell "the same one again" for the history. */
static __always_inline __u16 seq_fold(__u32 seq, __u8 salt)
{
	__u16 fold = (__u16)(seq ^ (seq >> 16)) ^ (__u16)(salt << 7);

	return fold ? fold : 1;
}

#endif
