/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The parser of bpf/parse.h and the fast path of bpf/track.h, compiled natively: for sanitizers, fuzzers and comparison. */
#ifndef NATIVE_PARSE_H
#define NATIVE_PARSE_H

#include "tcp_opts.h"
#include "tcpward.h"

/* A frame as a hook hands it over. */
struct native_frame {
	const void *data;
	__u32 len;	/* bytes at data: nothing beyond is read */
	__u32 wire_len; /* of the whole frame */
	__u16 tag;	/* outer VLAN id that was taken off already, or VLAN_UNSEEN */
	__u8 l3;	/* it starts at the IP header */
	__u8 replay;	/* 1: as in tcpward replay; 0: live */
	__u8 key_vlan;
	__u64 now_ns;
};

struct native_parsed {
	struct segment seg; /* valid if the result is NATIVE_PARSED */
	__u32 l4_at;	    /* where TCP begins, from the frame's start */
	__u32 l4_len;	    /* of header and payload; not set by native_parse_plain() */
	__u8 broken;	    /* it is TCP, and was sent so: seg.key has its addresses, ports 0 */
};

#define NATIVE_PARSED (-1)
#define NATIVE_NOT_PLAIN (-2)

/* As the programs do it. Returns NATIVE_PARSED or enum ward_reason. */
int native_parse(const struct native_frame *frame, struct native_parsed *out);
/* The usual frame in one go; NATIVE_NOT_PLAIN: it leaves it to the other. */
int native_parse_plain(const struct native_frame *frame, struct native_parsed *out);
/* Step by step: any frame. */
int native_parse_steps(const struct native_frame *frame, struct native_parsed *out);

/* The established fast path: 1 if it took the segment, which is in f then. f->phase must say that it lives. */
int native_fast(struct flow *f, const struct segment *seg, const struct track_opts *opts);

#endif
