// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Marks: after a change of rules or prefixes no flow may take the fast path until it is known whether they concern it. The
 * walk cannot look that up itself: on Linux 6.1 a program in process context reads no LPM tries. It marks all, and the next
 * segment of each flow asks (policy_mark).
 */
#include "policy.h"
#include "record.h"

struct marking {
	struct mark_args *args;
	__u64 set, clear; /* bits of the word */
};

static long mark_flow(void *map, struct flow_key *key, struct flow *f, struct marking *m)
{
	__u64 word = record_word(f), next = (word & ~m->clear) | m->set;

	(void)map, (void)key;
	if (word_life(word) == PHASE_FREE || word_life(word) == PHASE_DELETING || next == word)
		return 0;
	/* whoever holds the lock writes the phase byte by itself: not now */
	if ((word & WORD_PHASE(PHASE_LOCKED)) || __sync_val_compare_and_swap((__u64 *)f, word, next) != word)
		m->args->missed++;
	return 0;
}

SEC("syscall")
int ward_mark(struct mark_args *args)
{
	struct policy_live *live = policy_live_get();
	struct marking m = {.args = args, .clear = WORD_PHASE(PHASE_RULED | PHASE_RULED_KNOWN)};

	if (!live)
		return 1;
	if (policy_has_static(live))
		m.set = WORD_PHASE(PHASE_RULED);
	args->missed = 0;
	bpf_for_each_map_elem(&flows, mark_flow, &m, 0);
	return 0;
}

char LICENSE[] SEC("license") __weak = "Dual BSD/GPL";
