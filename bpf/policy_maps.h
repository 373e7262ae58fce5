/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The maps of policy and lists (include/enforce.h), which user space fills. All are pinned. */
#ifndef BPF_POLICY_MAPS_H
#define BPF_POLICY_MAPS_H

#include "maps.h"
/* after maps.h: its types */
#include "block_set.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct policy_live);
} policy_live WARD_MAP;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, POLICY_SLOTS);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct policy_config);
} policy_config WARD_MAP;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, POLICY_SLOTS);
	__type(key, __u32);
	__type(value, struct policy_ports);
} policy_ports WARD_MAP;

struct policy_addrs {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__uint(key_size, 16);
	__uint(value_size, sizeof(struct policy_class));
};

struct policy_prefixes {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(key_size, sizeof(struct address_prefix));
	__uint(value_size, sizeof(struct policy_class));
};

#define POLICY_TABLE(name, kind)                                                                                       \
	struct {                                                                                                       \
		__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);                                                              \
		__uint(max_entries, POLICY_SLOTS);                                                                     \
		__type(key, __u32);                                                                                    \
		__array(values, struct kind);                                                                          \
	} name WARD_MAP

POLICY_TABLE(policy_saddr, policy_addrs);
POLICY_TABLE(policy_daddr, policy_addrs);
POLICY_TABLE(policy_sprefix, policy_prefixes);
POLICY_TABLE(policy_dprefix, policy_prefixes);

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, POLICY_SUBJECTS);
	__type(key, __u32);
	__type(value, struct policy_count);
} policy_counts WARD_MAP;

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct policy_drops);
} policy_drops WARD_MAP;

/* The text of the policy in each slot, for `policy show`: terminated by a zero. */
struct policy_text {
	char text[POLICY_TEXT_LEN];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, POLICY_SLOTS);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct policy_text);
} policy_text WARD_MAP;

#define LIST_ADDRS(name)                                                                                               \
	struct {                                                                                                       \
		__uint(type, BPF_MAP_TYPE_HASH);                                                                       \
		__uint(max_entries, 262144);                                                                           \
		__uint(map_flags, BPF_F_NO_PREALLOC);                                                                  \
		__type(key, struct address_prefix);                                                                    \
		__type(value, struct list_entry);                                                                      \
	} name WARD_MAP

#define LIST_PREFIXES(name)                                                                                            \
	struct {                                                                                                       \
		__uint(type, BPF_MAP_TYPE_LPM_TRIE);                                                                   \
		__uint(max_entries, 262144);                                                                           \
		__uint(map_flags, BPF_F_NO_PREALLOC);                                                                  \
		__type(key, struct address_prefix);                                                                    \
		__type(value, struct list_entry);                                                                      \
	} name WARD_MAP

LIST_ADDRS(allow_addrs);
LIST_ADDRS(block_addrs);
LIST_PREFIXES(allow_prefixes);
LIST_PREFIXES(block_prefixes);

/* Which entries block_addrs may hold, by a hash of the prefix: block_bit(). Two halves. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2 * BLOCK_FILTER_WORDS);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, __u64);
} block_filter WARD_MAP;

/* What is dropped by one look: include/block_set.h. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, BLOCK_SETS);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct block_set);
} block_sets WARD_MAP;

#endif
