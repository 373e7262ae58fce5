// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * flows_text: an iterator over the flow table, pinned as a file. "cat" of it prints the live flows, one a line, without any
 * of our processes:
 *   ORIGINATOR > RESPONDER STATE STATE packets bytes age idle history   ("a/b": originator's/responder's)
 * It shows the flow table; embryos (flows whose handshake is not over) are in "tcpward flows".
 */
#include "maps.h"

#include <bpf/bpf_tracing.h>

#define STATE_TEXT 16

/* Names in arrays of one width: two for each state, confirmed and presumed. */
static const char state_text[16][2][STATE_TEXT] = {
#define X(id, name, text) [id] = {name, name "?"},
	WARD_STATES(X)
#undef X
};

static __always_inline int is_v4(const __u8 *addr)
{
	const __u32 *w = (const __u32 *)addr;

	return !w[0] && !w[1] && w[2] == 0xffff0000;
}

static __always_inline void print_end(struct seq_file *seq, const __u8 *addr, __u16 port)
{
	if (is_v4(addr))
		BPF_SEQ_PRINTF(seq, "%pI4:%u ", addr + 12, port);
	else
		BPF_SEQ_PRINTF(seq, "[%pI6]:%u ", addr, port);
}

static __always_inline const char *state_of(const struct flow *f, int side)
{
	__u32 state = f->state[side & 1];
	__u32 presumed = !(f->known[side & 1] & KNOWN_CONF);

	asm volatile("" : "+r"(state), "+r"(presumed));
	return state_text[state & 15][presumed & 1];
}

SEC("iter/bpf_map_elem")
int flows_text(struct bpf_iter__bpf_map_elem *ctx)
{
	struct seq_file *seq = ctx->meta->seq;
	struct flow_key *key = ctx->key;
	struct flow *f = ctx->value;
	__u64 now = now_ns();
	char history[HISTORY_LEN + 1];
	int o;

	if (!key || !f || (f->phase & PHASE_LIFE) != PHASE_LIVE)
		return 0;
	o = f->orig & 1;
	__builtin_memcpy(history, f->history, HISTORY_LEN);
	history[HISTORY_LEN] = 0;
	if (o) {
		print_end(seq, key->b_addr, key->b_port);
		BPF_SEQ_PRINTF(seq, "> ");
		print_end(seq, key->a_addr, key->a_port);
		BPF_SEQ_PRINTF(seq, "%s %s pkts %llu/%llu bytes %llu/%llu ", state_of(f, 1), state_of(f, 0), f->half[1].pkts,
			       f->half[0].pkts, f->half[1].bytes, f->half[0].bytes);
	} else {
		print_end(seq, key->a_addr, key->a_port);
		BPF_SEQ_PRINTF(seq, "> ");
		print_end(seq, key->b_addr, key->b_port);
		BPF_SEQ_PRINTF(seq, "%s %s pkts %llu/%llu bytes %llu/%llu ", state_of(f, 0), state_of(f, 1), f->half[0].pkts,
			       f->half[1].pkts, f->half[0].bytes, f->half[1].bytes);
	}
	BPF_SEQ_PRINTF(seq, "age %llus idle %llus %s\n", (now - f->start_ns) / NS_PER_S, (now - flow_last_ns(f)) / NS_PER_S,
		       history[0] ? history : "-");
	return 0;
}

char LICENSE[] SEC("license") __weak = "Dual BSD/GPL";
