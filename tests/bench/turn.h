/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef TESTS_TURN_H
#define TESTS_TURN_H

/* Where the rotation of bench.bpf.c stands. Flow numbers go round by a stride, so that each comes once a round. */
struct turn {
	__u32 flows, stride;
	__u32 number, seen, round;
	__u32 syn; /* the next SYN's number: never used before */
	__u64 stamp;
	__u32 listed, listed_stride, listed_at, listed_shift; /* addresses of the block list: LISTED_FIRST + (n << shift) */
};

#define LISTED_FIRST 0x0c000000
#define SYN_BYTES 74
#define SYN_WORDS 9

/* A timer's callbacks in softirq: how many, and by how much the latest came too late. */
struct tick {
	__u64 count, latest_ns, due_ns;
};

#endif
