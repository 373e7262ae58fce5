/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Time: what a record owes to the clock. Pure; applied by whoever looks first, a segment of the flow or the sweep, with the
 * same result, since each timer bears its own deadline.
 */
#ifndef TCP_TIMER_H
#define TCP_TIMER_H

#include "tcp_judgement.h"

#define TOMBSTONE_KEPT_NS (50 * NS_PER_S) /* late segments count for so long: 50 + 10 s, as long as TIME-WAIT */

enum tcp_timer_kind {
	TIMER_NONE,
	TIMER_FLAG,  /* flag is due */
	TIMER_STATE, /* 2MSL is over for side: TIME-WAIT -> CLOSED (C16) */
	TIMER_EXPIRE, /* the record has been silent for too long */
};

struct tcp_timer {
	__u64 at_ns; /* deadline */
	__u64 flag;
	__u8 kind;
	__u8 side;
	__u8 pad[6];
};

/* The later of both sides' last segments. */
static __always_inline __u64 flow_last_ns(const struct flow *f)
{
	return f->half[0].last_ns > f->half[1].last_ns ? f->half[0].last_ns : f->half[1].last_ns;
}

/* either side is in one of two states */
static __always_inline int flow_in(const struct flow *f, __u8 state, __u8 other)
{
	return f->state[0] == state || f->state[1] == state || f->state[0] == other || f->state[1] == other;
}

/* The idle time-out of the record by its two states, the first row that fits: tcp_opts.h. */
static __always_inline enum ward_timeout flow_timeout(const struct flow *f)
{
	if (tcp_gone(f->state[0]) && tcp_gone(f->state[1]))
		return TIMEOUT_GONE;
	if (flow_in(f, TIME_WAIT, TIME_WAIT))
		return TIMEOUT_TIME_WAIT;
	if (flow_in(f, SYN_SENT, SYN_SENT))
		return TIMEOUT_SYN_SENT;
	if (flow_in(f, SYN_RECEIVED, SYN_RECEIVED))
		return TIMEOUT_SYN_RECEIVED;
	if (flow_in(f, LAST_ACK, CLOSING))
		return TIMEOUT_LAST_ACK;
	if (flow_in(f, FIN_WAIT_1, FIN_WAIT_1))
		return TIMEOUT_FIN_WAIT_1;
	if (flow_in(f, FIN_WAIT_2, CLOSE_WAIT))
		return TIMEOUT_FIN_WAIT_2;
	return TIMEOUT_ESTABLISHED;
}

static __always_inline void tcp_timer_earlier(struct tcp_timer *t, __u8 kind, __u64 at_ns, __u64 flag, __u8 side)
{
	if (t->kind != TIMER_NONE && t->at_ns <= at_ns)
		return;
	t->kind = kind;
	t->at_ns = at_ns;
	t->flag = flag;
	t->side = side;
}

/* A flag that is due when the record has been in a state for so long. */
static __always_inline void tcp_timer_flag(const struct flow *f, struct tcp_timer *t, __u64 flag, __u64 from_ns, __u64 after_ns)
{
	if (!(f->flags & flag))
		tcp_timer_earlier(t, TIMER_FLAG, from_ns + after_ns, flag, 0);
}

/*
 * The next thing that time does to record f, whether due or not: compare t->at_ns with the clock.
 * Tombstones only expire.
 */
static __always_inline void tcp_timer_next(const struct flow *f, const struct track_opts *o, struct tcp_timer *t)
{
	__u64 idle_from = flow_last_ns(f), timeout;
	enum ward_timeout which = flow_timeout(f);
	int i;

	t->kind = TIMER_NONE;
	t->at_ns = 0;
	t->flag = 0;
	t->side = 0;
	for (i = 0; i < 2; i++) {
		if (f->state[i] == SYN_SENT && f->state[!i] == LISTEN)
			tcp_timer_flag(f, t, FLAG_STALE_SYN, f->since_ns[i], o->timeout_ns[TIMEOUT_STALE_SYN]);
		if (f->state[i] == SYN_RECEIVED)
			tcp_timer_flag(f, t, FLAG_HALFOPEN_EMB, f->since_ns[i], o->timeout_ns[TIMEOUT_EMBRYO]);
		if (f->state[i] == FIN_WAIT_2)
			tcp_timer_flag(f, t, FLAG_FW2_HANG, idle_from, o->timeout_ns[TIMEOUT_FW2_HANG]);
		if (f->state[i] == CLOSE_WAIT && (f->known[i] & KNOWN_CONF))
			tcp_timer_flag(f, t, FLAG_CW_LEAK, idle_from, o->timeout_ns[TIMEOUT_CW_LEAK]);
		if (f->state[i] == TIME_WAIT)
			tcp_timer_earlier(t, TIMER_STATE, f->since_ns[i] + o->msl2_ns, 0, i);
	}
	timeout = o->timeout_ns[which & 15];
	if (which == TIMEOUT_GONE) { /* late segments keep a tombstone, but not for ever: after a mistaken end it is met again */
		__u64 gone = f->since_ns[0] > f->since_ns[1] ? f->since_ns[0] : f->since_ns[1];

		if (idle_from > gone + TOMBSTONE_KEPT_NS)
			idle_from = gone + TOMBSTONE_KEPT_NS;
	}
	if (which == TIMEOUT_TIME_WAIT && timeout < o->msl2_ns)
		timeout = o->msl2_ns;
	tcp_timer_earlier(t, TIMER_EXPIRE, idle_from + timeout, 0, 0);
}

#endif
