/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Zeek's view of a connection: a coarse state per endpoint, from which conn_state is made, and the history letters. */
#ifndef TCP_HISTORY_H
#define TCP_HISTORY_H

#include "tcp_seq.h"

/*
 * Moves Zeek's coarse states by one segment. No sequence number is checked and a RST of any kind counts: that is
 * Zeek's meaning of conn_state. from_orig: the originator sent it.
 */
static __always_inline void zeek_step(__u8 bits, __u32 len, int from_orig, __u8 *zs, __u8 *zd)
{
	if (*zs == Z_RESET)
		return;
	if (*zs == Z_INACTIVE) {
		if (bits & TH_SYN) {
			if (from_orig) {
				*zs = bits & TH_ACK ? Z_SYN_ACK_SENT : Z_SYN_SENT;
			} else {
				*zs = Z_ESTABLISHED;
				if (*zd == Z_SYN_SENT)
					*zd = Z_ESTABLISHED;
			}
		} else if (!(bits & (TH_FIN | TH_RST))) {
			if (!from_orig && *zd == Z_SYN_SENT && (bits & TH_ACK) && !len)
				return;
			*zs = (bits & TH_ACK) && *zd == Z_ESTABLISHED ? Z_ESTABLISHED : Z_PARTIAL;
		}
	} else if ((bits & TH_SYN) && *zs == Z_PARTIAL && *zd == Z_INACTIVE) {
		*zs = Z_SYN_SENT;
	}
	if ((bits & TH_FIN) && *zs != Z_CLOSED)
		*zs = Z_CLOSED;
	if ((bits & TH_RST) && !(*zs == Z_CLOSED && *zd == Z_CLOSED))
		*zs = Z_RESET;
}

/* The history letter of a segment, lower case; 0: none (NULL, PSH alone). Data with FIN is F only. */
static __always_inline char history_letter(__u8 bits, __u32 len)
{
	if (bits & TH_RST)
		return bits & TH_SYN ? 'q' : bits & TH_FIN ? 'i' : 'r';
	if (bits & TH_SYN)
		return bits & TH_FIN ? 'q' : bits & TH_ACK ? 'h' : 's';
	if (bits & TH_FIN)
		return 'f';
	if (!(bits & TH_ACK))
		return 0;
	return len ? 'd' : 'a';
}

/* MARK bits for the letters I and Q, which appear once a side */
#define MARK_HIST_I_A (1ULL << 58)
#define MARK_HIST_Q_A (1ULL << 60)

/* true if the letter is new for the side, which is then remembered. S, H, F, R count again with another sequence number. */
static __always_inline int history_new(struct flow *f, int side, char letter, __u32 seq, __u32 len)
{
	__u16 *last;
	__u16 fold;
	__u64 mark;

	side &= 1;
	if (letter == 'a' || letter == 'd') {
		__u8 bit = letter == 'a' ? KNOWN_HIST_A : KNOWN_HIST_D;

		if (f->known[side] & bit)
			return 0;
		f->known[side] |= bit;
		return 1;
	}
	if (letter == 'i' || letter == 'q') {
		mark = (letter == 'i' ? MARK_HIST_I_A : MARK_HIST_Q_A) << side;
		if (f->flags & mark)
			return 0;
		f->flags |= mark;
		return 1;
	}
	last = letter == 'f' ? &f->seq_fin[side] : letter == 'r' ? &f->seq_rst[side] : &f->seq_syn[side];
	fold = seq_fold(letter == 'f' ? seq + len : seq, (__u8)letter);
	if (*last == fold)
		return 0;
	*last = fold;
	return 1;
}

/* Appends a letter, upper case for the originator; a full history stays as it is. */
static __always_inline void history_add(struct flow *f, int side, char letter)
{
	int i;

	if ((side & 1) == (f->orig & 1))
		letter -= 'a' - 'A';
	for (i = 0; i < HISTORY_LEN; i++) {
		if (!f->history[i]) {
			f->history[i] = letter;
			return;
		}
	}
}

#endif
