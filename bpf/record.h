/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The life of a record: lock, unlock, death. The first eight bytes of struct flow are one word; its phase byte holds the
 * lock, and everything that may change a state holds it. The established fast path does not.
 *
 * Two-phase deletion. A deleted hash entry is reused at once, under pointers that other CPUs still hold. So an entry is
 * first marked DEAD (by compare-and-swap); a later sweep, at least DEATH_GRACE_NS after, marks it DELETING, from where nobody
 * takes it any more; and only a sweep one grace after that deletes it. Whoever looked it up before has revived it or is done:
 * a pointer would have to be held for a second by a program that takes microseconds. Even then the slow path finds another
 * generation behind the lock, and looks again.
 *
 * The try-lock is bounded: 20,000 attempts, about 0.2 ms. It fails only if the holder was stopped for that long (by a
 * hypervisor); or, at once, if the sweep, in process context, was interrupted on this very CPU while it held a lock. Then
 * the segment is not applied to its record, and counted (lock-busy).
 */
#ifndef BPF_RECORD_H
#define BPF_RECORD_H

#include "maps.h"

#define WORD_PHASE(bits) ((__u64)(bits) << 40)
#define LOCK_TRIES 20000
#define DEATH_GRACE_NS 1000000000ULL

enum lock_result {
	LOCK_GONE,    /* free, or being deleted: look it up again */
	LOCK_TAKEN,
	LOCK_REVIVED, /* it was dead: what it holds is over and reported */
	LOCK_BUSY,
};

static __always_inline __u64 record_word(const struct flow *f)
{
	return *(const volatile __u64 *)f;
}

static __always_inline __u8 word_life(__u64 word)
{
	return word >> 40 & PHASE_LIFE;
}

/* One attempt: enum lock_result, LOCK_BUSY if another CPU holds it or was faster. */
static __always_inline int record_try(struct flow *f)
{
	__u64 word = record_word(f), next;
	__u8 life = word_life(word);

	if (life == PHASE_FREE || life == PHASE_DELETING)
		return LOCK_GONE;
	if (word & WORD_PHASE(PHASE_LOCKED))
		return LOCK_BUSY;
	next = (word & ~WORD_PHASE(PHASE_LIFE)) | WORD_PHASE(PHASE_LOCKED | PHASE_LIVE);
	if (__sync_val_compare_and_swap((__u64 *)f, word, next) != word)
		return LOCK_BUSY;
	return life == PHASE_DEAD ? LOCK_REVIVED : LOCK_TAKEN;
}

struct lock_wait {
	struct flow *f;
	int result;
	int pad;
};

static long record_spin(__u32 i, struct lock_wait *w)
{
	(void)i;
	w->result = record_try(w->f);
	return w->result != LOCK_BUSY;
}

/* The sweep was interrupted by us while it held a lock: it will not let go before we are done. */
static __always_inline int sweep_below(void)
{
	struct scratch *sc = scratch_get(SCRATCH_SWEEP);

	return sc && *(volatile __u32 *)&sc->holding;
}

/* Takes the record's lock; a dead one comes back to life. Returns enum lock_result. */
__weak __noinline int record_lock(struct flow *f)
{
	struct lock_wait w = {.f = f};

	if (!f)
		return LOCK_GONE;
	w.result = record_try(f);
	if (w.result == LOCK_BUSY && !sweep_below())
		bpf_loop(LOCK_TRIES, record_spin, &w, 0);
	return w.result;
}

/* Releases the record; the exchange orders all stores before it. Nobody else writes the word while it is locked. */
static __always_inline void record_unlock(struct flow *f)
{
	__sync_lock_test_and_set((__u64 *)f, record_word(f) & ~WORD_PHASE(PHASE_LOCKED));
}

/* Releases it as dead; the sweep deletes it later. since_ns[0] keeps the time of death. */
static __always_inline void record_bury(struct flow *f, __u64 now)
{
	f->since_ns[0] = now;
	/* LIVE (1) goes, DEAD (2) comes; then the lock goes with one exchange, and all stores before it are visible */
	f->phase = (f->phase & ~(PHASE_LIFE | PHASE_SLOW)) | PHASE_DEAD;
	record_unlock(f);
}

struct word_wait {
	__u32 *lock;
	__u64 taken;
};

static long word_spin(__u32 i, struct word_wait *w)
{
	(void)i;
	w->taken = !*(volatile __u32 *)w->lock && __sync_val_compare_and_swap(w->lock, 0, 1) == 0;
	return w->taken;
}

/* As word_lock(), where frames of calls are few. */
static __always_inline int word_lock_inline(__u32 *lock)
{
	struct word_wait w = {.lock = lock};

	if (__sync_val_compare_and_swap(lock, 0, 1) == 0)
		return 1;
	if (!sweep_below())
		bpf_loop(LOCK_TRIES, word_spin, &w, 0);
	return w.taken;
}

__weak __noinline int word_wait(__u32 *lock)
{
	return lock && word_lock_inline(lock);
}

/* A plain lock word (embryo sets). 1: taken. */
static __always_inline int word_lock(__u32 *lock)
{
	return __sync_val_compare_and_swap(lock, 0, 1) == 0 || word_wait(lock);
}

static __always_inline void word_unlock(__u32 *lock)
{
#ifdef WARD_X86 /* stores become visible in their order: a plain one does not wait for those before it */
	asm volatile("" : : : "memory");
	*(volatile __u32 *)lock = 0;
#else
	__sync_lock_test_and_set(lock, 0);
#endif
}

#endif
