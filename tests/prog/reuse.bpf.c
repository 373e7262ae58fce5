// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The window of the established fast path, made wide: look a record up, wait, write. What the real sweep, lock and burial do
 * on the other CPU meanwhile must never lead the write into another flow's record.
 *
 * Each record bears its owner's number in half[0].tsval; whoever writes puts the number of the flow it looked up into
 * half[1].tsval. A record where the two differ was written by mistake.
 */
#define LICENSE license_of_policy
#include "policy.bpf.c"
#undef LICENSE
#include "sweep.bpf.c"

#define SPIN_NS 60000

__u64 writes, kills, wrong;

static __always_inline void number_key(struct flow_key *key, __u32 number)
{
	__builtin_memset(key, 0, sizeof(*key));
	*(__u32 *)key->a_addr = number;
}

static long spin(__u32 i, __u64 *until)
{
	(void)i;
	return bpf_ktime_get_ns() >= *until;
}

/* The packet path: frame data holds the flow's number. */
SEC("xdp")
int reuse_write(struct xdp_md *ctx)
{
	__u32 *number = (void *)(long)ctx->data;
	struct flow_key key;
	struct flow *f;
	__u64 until;

	if ((void *)(number + 1) > (void *)(long)ctx->data_end)
		return XDP_ABORTED;
	number_key(&key, *number);
	f = bpf_map_lookup_elem(&flows, &key);
	if (!f || word_life(record_word(f)) != PHASE_LIVE)
		return XDP_DROP;
	until = bpf_ktime_get_ns() + SPIN_NS;
	bpf_loop(100000, spin, &until, 0);
	f->half[1].tsval = *(volatile __u32 *)&key; /* without a lock, as the fast path */
	__sync_fetch_and_add(&writes, 1);
	return XDP_PASS;
}

struct kill_args {
	__u32 number;
	__u32 at_once; /* the control: delete without burial */
	__u64 now_ns;
};

/* The end of a flow, on the other CPU. */
SEC("syscall")
int reuse_kill(struct kill_args *args)
{
	struct flow_key key;
	struct flow *f;
	__u32 writer;

	number_key(&key, args->number);
	f = bpf_map_lookup_elem(&flows, &key);
	if (!f)
		return 1;
	writer = *(volatile __u32 *)&f->half[1].tsval;
	if (writer && writer != f->half[0].tsval)
		__sync_fetch_and_add(&wrong, 1);
	if (args->at_once) {
		bpf_map_delete_elem(&flows, &key);
	} else {
		if (record_lock(f) != LOCK_TAKEN)
			return 1;
		record_bury(f, args->now_ns);
	}
	__sync_fetch_and_add(&kills, 1);
	return 0;
}
