/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the BPF programs that open connections (opened.bpf.c) and send in them (flood.bpf.c) share. */
#ifndef TESTS_ACKS_BPF_H
#define TESTS_ACKS_BPF_H

/* What the first segment after the handshake of a 4-tuple acknowledges, host order; 0: it is not open. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, __u64);
} acks SEC(".maps");

/* The Internet checksum of a sum (RFC 1071). */
static __always_inline __u16 fold(__u32 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (__u16)~sum;
}

#endif
