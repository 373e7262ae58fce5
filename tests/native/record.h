/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Records compared: with sides exchanged, with sequence numbers moved, field by field. */
#ifndef NATIVE_RECORD_H
#define NATIVE_RECORD_H

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "tcp_history.h"
#include "tcp_marks.h"

/* The first field that differs: "name: 0x1, 0x2" goes to text. false: none does. */
static inline bool record_differs(const struct flow *a, const struct flow *b, char text[120])
{
#define SAME(field)                                                                                                    \
	if (memcmp(&a->field, &b->field, sizeof(a->field))) {                                                          \
		__u64 one_ = 0, two_ = 0;                                                                              \
                                                                                                                       \
		memcpy(&one_, &a->field, sizeof(a->field) < 8 ? sizeof(a->field) : 8);                                 \
		memcpy(&two_, &b->field, sizeof(b->field) < 8 ? sizeof(b->field) : 8);                                 \
		snprintf(text, 120, "%s, i %d: %#llx, %#llx", #field, i, (unsigned long long)one_,                     \
			 (unsigned long long)two_);                                                                    \
		return true;                                                                                           \
	}
	if (!memcmp(a, b, sizeof(*a)))
		return false;
	for (int i = 0; i < 2; i++) {
		SAME(state[i])
		SAME(known[i])
		SAME(half[i].pkts)
		SAME(half[i].bytes)
		SAME(half[i].last_ns)
		SAME(half[i].nxt)
		SAME(half[i].ack)
		SAME(half[i].redge)
		SAME(half[i].tsval)
		SAME(win[i])
		SAME(maxwin[i])
		SAME(since_ns[i])
		SAME(isn[i])
		SAME(contig[i])
		SAME(fin[i])
		SAME(rtx[i])
		SAME(seq_fin[i])
		SAME(seq_rst[i])
		SAME(seq_syn[i])
		SAME(wscale)
		SAME(phase)
		SAME(gen)
		SAME(prev)
		SAME(flags)
		SAME(start_ns)
		SAME(history)
		SAME(rtt_syn_ns)
		SAME(rtt_ack_ns)
		SAME(pend_isn)
		SAME(pend_tsval)
		SAME(pend_ms)
		SAME(pend_win)
		SAME(pend_len)
		SAME(pend_ws)
		SAME(orig)
		SAME(syn_rtx)
		SAME(synack_rtx)
		SAME(fin_rtx)
		SAME(vlan)
		SAME(end_reason)
		SAME(iface)
		SAME(zeek)
		SAME(unseen)
	}
#undef SAME
	snprintf(text, 120, "a field that record_differs() does not know");
	return true;
}

#define SWAP(a, b)                                                                                                     \
	do {                                                                                                           \
		__typeof__(a) was_ = (a);                                                                              \
		(a) = (b);                                                                                             \
		(b) = was_;                                                                                            \
	} while (0)

static inline __u8 nibbles_exchanged(__u8 v)
{
	return (__u8)(v << 4 | v >> 4);
}

/* Two bits that belong to side A and B. */
static inline void bits_exchange(__u64 *flags, __u64 a, __u64 b)
{
	__u64 was = *flags;

	*flags = (was & ~(a | b)) | (was & a ? b : 0) | (was & b ? a : 0);
}

/* Side A becomes B. */
static inline void record_exchange(struct flow *f)
{
	SWAP(f->state[0], f->state[1]);
	SWAP(f->known[0], f->known[1]);
	SWAP(f->half[0], f->half[1]);
	SWAP(f->win[0], f->win[1]);
	SWAP(f->maxwin[0], f->maxwin[1]);
	SWAP(f->since_ns[0], f->since_ns[1]);
	SWAP(f->isn[0], f->isn[1]);
	SWAP(f->contig[0], f->contig[1]);
	SWAP(f->fin[0], f->fin[1]);
	SWAP(f->rtx[0], f->rtx[1]);
	SWAP(f->seq_fin[0], f->seq_fin[1]);
	SWAP(f->seq_rst[0], f->seq_rst[1]);
	SWAP(f->seq_syn[0], f->seq_syn[1]);
	f->wscale = nibbles_exchanged(f->wscale);
	f->unseen = nibbles_exchanged(f->unseen);
	f->zeek = nibbles_exchanged(f->zeek);
	f->orig ^= 1;
	f->prev ^= 1ULL << 33;
	if (f->flags & MARK_PEND)
		f->flags ^= MARK_PEND_B;
	bits_exchange(&f->flags, MARK_BADACK_A, MARK_BADACK_B);
	bits_exchange(&f->flags, MARK_SENT_A, MARK_SENT_B);
	bits_exchange(&f->flags, MARK_HIST_I_A, MARK_HIST_I_A << 1);
	bits_exchange(&f->flags, MARK_HIST_Q_A, MARK_HIST_Q_A << 1);
}

/*
 * Adds by[] to what is a sequence number of each side, and clears what is none, or no longer: what is not known, and the marks
 * and letters that rest on numbers folded into 16 bits, which may fall together by chance.
 */
static inline void record_shift(struct flow *f, const __u32 by[2])
{
	for (int i = 0; i < 2; i++) {
		__u8 known = f->known[i];
		int numbered = (known & KNOWN_ISN) || f->state[i] > LISTEN;

		f->half[i].nxt = numbered ? f->half[i].nxt + by[i] : 0;
		f->isn[i] = known & KNOWN_ISN ? f->isn[i] + by[i] : 0;
		f->half[i].ack = known & KNOWN_ACK ? f->half[i].ack + by[!i] : 0;
		f->half[i].redge = known & KNOWN_REDGE ? f->half[i].redge + by[!i] : 0;
		f->contig[i] = known & KNOWN_HOLE ? f->contig[i] + by[i] : 0;
		if (known & KNOWN_FIN)
			f->fin[i] += by[i];
		else if (f->flags & (i ? MARK_BADACK_B : MARK_BADACK_A))
			f->fin[i] += by[!i];
		else
			f->fin[i] = 0;
		f->seq_fin[i] = f->seq_rst[i] = f->seq_syn[i] = 0;
	}
	f->prev = f->prev >> 32 & 1 ? (__u64)((__u32)f->prev + by[!(f->prev >> 33 & 1)]) | f->prev >> 32 << 32 : f->prev >> 32 << 32;
	f->pend_isn = f->flags & MARK_PEND ? f->pend_isn + by[!!(f->flags & MARK_PEND_B)] : 0;
	memset(f->history, 0, sizeof(f->history));
	f->flags &= FLAGS_REPORTED | MARK_PEND | MARK_PEND_B | MARK_BADACK_A | MARK_BADACK_B | MARK_SEEDED | MARK_SENT_A |
		    MARK_SENT_B | MARK_RTT_SYN | MARK_RTT_ACK;
	f->pend_ms = f->flags & MARK_PEND ? f->pend_ms : 0;
	f->phase &= ~PHASE_WATCH;
}

/* What tcp_mark_forget() takes back at the first segment of the slow path: the fast one leaves it to the next. */
static inline void record_forget(struct flow *f, __u64 now_ns)
{
	tcp_mark_forget(f, now_ns);
}

/*
 * Clears what the fast path does not keep up with the slow one: the runs and the watch of tcp_marks.h, which it ends; who has
 * sent something, which nobody asks for once both ends are confirmed; and that an ISN is 2^30 bytes ago, which it finds out by
 * the bytes that it has counted, so that where an ack of unseen data has moved the numbers it is later, and before 2^31.
 */
static inline void record_of_fast(struct flow *f)
{
	for (int i = 0; i < 2; i++)
		if ((f->half[i].nxt - f->isn[i]) >> 30)
			f->known[i] &= ~KNOWN_ISN;
	f->prev &= ~0ULL >> (64 - PREV_RTX_SHIFT);
	f->phase &= ~PHASE_WATCH;
	f->flags &= ~(MARK_SENT_A | MARK_SENT_B);
}

#endif
