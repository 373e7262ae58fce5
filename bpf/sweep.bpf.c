// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The sweep: one walk over both tables, called by the keeper once a second. It applies what time owes to the records,
 * deletes those that died before the last sweep, and recounts the gauges. It runs in process context, where interrupts and
 * softirqs go on, and takes a record's lock only for a timer that is due.
 */
#include "embryos.h"
#include "recount_end.h"

#define FILL_SHRINK 700 /* permille of the table from which on time-outs of closing flows shrink ... */
#define FILL_ZERO 950   /* ... and where they are 0 */

/* Context of the callbacks. */
struct sweep {
	struct scratch *sc; /* the sweep's */
	struct ward_gauges *g;
};

static __always_inline void tally(struct ward_gauges *g, const struct flow *f)
{
	int i;

	for (i = 0; i < 2; i++) {
		__u32 state = f->state[i];

		if (state >= STATE_COUNT)
			continue;
		g->state[state]++;
		if (f->known[i] & KNOWN_CONF)
			g->confirmed[state]++;
	}
	if (tcp_gone(f->state[0]) && tcp_gone(f->state[1]))
		g->tombstones++;
}

/*
 * In a table that is nearly full, flows that are over go early: gone, TIME-WAIT, LAST-ACK and CLOSING, never a confirmed
 * open one (pf's adaptive time-outs). fill: permille.
 */
static __always_inline int early(const struct flow *f, __u32 fill, __u64 now)
{
	enum ward_timeout which;
	__u64 timeout;

	if (fill < FILL_SHRINK)
		return 0;
	which = flow_timeout(f);
	if (which != TIMEOUT_GONE && which != TIMEOUT_TIME_WAIT && which != TIMEOUT_LAST_ACK)
		return 0;
	if (fill >= FILL_ZERO)
		return 1;
	timeout = opts.timeout_ns[which & 15] / (FILL_ZERO - FILL_SHRINK) * (FILL_ZERO - fill);
	return flow_last_ns(f) + timeout <= now;
}

/* Most of a busy table: both ends open, nothing to watch, and nothing can be due but the time-out that they are far from. */
#define OPEN_WORD ((__u64)ESTABLISHED | (__u64)ESTABLISHED << 8 | WORD_PHASE(PHASE_LIVE))
#define OPEN_MASK (0xffffULL | WORD_PHASE(PHASE_LIFE | PHASE_WATCH))

static __always_inline int is_busy(const struct walk *w, const struct flow *f, __u64 word)
{
	return (word & OPEN_MASK) == OPEN_WORD && f->win[0] && f->win[1] &&
	       (f->half[0].last_ns > w->busy_since || f->half[1].last_ns > w->busy_since);
}

enum sweep_fate { FATE_LIVES, FATE_OVER, FATE_MOVED };

/*
 * What is due on a live record. Its key is in the sweep's scratch, or at *key, from where it is read behind the lock (the
 * place of an embryo may be taken by another flow meanwhile). FATE_OVER: it is locked, and free to go. A function of its
 * own, so that the verifier sees it once.
 */
__weak __noinline int sweep_record(struct flow *f, struct flow_key *key)
{
	struct scratch *sc = scratch_get(SCRATCH_SWEEP);
	__u64 now;
	int lock;

	if (!f || !sc)
		return FATE_LIVES;
	now = sc->seg.now_ns;
	tcp_timer_next(f, track_options(), &sc->timer);
	if (sc->timer.at_ns > now && !early(f, sc->fill, now) && !flow_shut_changed(f))
		return FATE_LIVES;
	*(volatile __u32 *)&sc->holding = 1; /* record_lock() of a program that interrupts us shall not wait */
	lock = record_lock(f);
	if (lock != LOCK_TAKEN) {
		if (lock == LOCK_REVIVED)
			record_bury(f, now);
		sc->holding = 0;
		bump(CNT_SWEEP_RACE);
		return FATE_MOVED;
	}
	if (key)
		__builtin_memcpy(&sc->seg.key, key, sizeof(*key));
	if (!flow_timers(f, SCRATCH_SWEEP))
		return FATE_OVER;
	if (early(f, sc->fill, now)) {
		if (!f->end_reason)
			emit_end(sc, SCRATCH_SWEEP, &sc->seg.key, f, END_EVICTED, now, 1);
		emit_retire(sc, SCRATCH_SWEEP, &sc->seg.key, f, now);
		early_ns = now;
		bump(CNT_EARLY_EXPIRY);
		return FATE_OVER;
	}
	if (flow_shut_changed(f))
		flow_shut_update(f, now);
	record_unlock(f);
	sc->holding = 0;
	return FATE_LIVES;
}

/* A dead entry goes when it has been dead for the grace: only from DEAD to DELETING. */
static __always_inline void sweep_dead(struct scratch *sc, struct flow_key *key, struct flow *f, __u64 word)
{
	if (f->since_ns[0] + DEATH_GRACE_NS > sc->seg.now_ns)
		return;
	if (word_life(word) == PHASE_DELETING) {
		/* a walk that makes the bits must meet every flow: on kernels before 2025 it may lose its way by a deletion */
		if (sc->walk.present)
			return;
		bpf_map_delete_elem(&flows, key);
		present_gone++;
	} else if (__sync_val_compare_and_swap((__u64 *)f, word, word | WORD_PHASE(PHASE_DELETING)) == word)
		f->since_ns[0] = sc->seg.now_ns;
}

static long sweep_flow(void *map, struct flow_key *key, struct flow *f, struct sweep *w)
{
	struct scratch *sc = w->sc;
	struct walk *walk = &sc->walk;
	__u64 word = record_word(f);
	__u8 life = word_life(word);

	(void)map;
	if (walk->present && life != PHASE_DELETING)
		present_set(key_hash(key), walk->present - 1);
	if (is_busy(walk, f, word)) {
		walk->open++;
		walk->open_conf += (word >> 16 & KNOWN_CONF) + (word >> 24 & KNOWN_CONF);
		recount_open(sc, key);
		return 0;
	}
	if (walk->budget && sc->emitted >= walk->budget) {
		walk->more = 1;
		return 1;
	}
	walk->entries++;
	if (life == PHASE_DEAD || life == PHASE_DELETING) {
		sweep_dead(sc, key, f, word);
		return 0;
	}
	if (life != PHASE_LIVE)
		return 0;
	__builtin_memcpy(&sc->seg.key, key, sizeof(*key));
	if (sweep_record(f, (struct flow_key *)0) == FATE_OVER) {
		record_bury(f, sc->seg.now_ns);
		sc->holding = 0;
		return 0;
	}
	w->g->flows++;
	tally(w->g, f);
	recount_flow(f, &sc->seg.key, sc->recount.half, sc->recount.now);
	return 0;
}

static long sweep_embryos(void *map, __u32 *index, struct embryo_set *records, struct sweep *w)
{
	struct syn_set *set;
	struct flow *f;
	__u32 i, at = *index;

	(void)map;
	if (w->sc->walk.budget && w->sc->emitted >= w->sc->walk.budget) {
		w->sc->walk.more = 1;
		return 1;
	}
	set = bpf_map_lookup_elem(&syns, &at);
	if (!set)
		return 0;
	for (i = 0; i < EMBRYO_WAYS; i++) {
		if (!*(volatile __u16 *)&set->records.tag[i])
			continue;
		f = &records->way[i].flow;
		if (word_life(record_word(f)) != PHASE_LIVE)
			continue;
		if (sweep_record(f, &records->way[i].key) == FATE_OVER) {
			record_free(set, records, i);
			w->sc->holding = 0;
			continue;
		}
		w->g->embryos++;
		tally(w->g, f);
		recount_flow(f, &records->way[i].key, w->sc->recount.half, w->sc->recount.now);
	}
	return 0;
}

/*
 * What is due on the SYN at rest in way i: it is made whole in scratch, and only whether it was told to be stale goes back.
 * 0: it went. A function of its own, so that the verifier sees it once.
 */
__weak __noinline int sweep_syn(struct syn_set *set, __u32 i)
{
	struct scratch *sc = scratch_get(SCRATCH_SWEEP);
	struct syn *s;
	int lives = 1;

	if (!set || !sc)
		return 1;
	i &= EMBRYO_WAYS - 1;
	s = &set->way[i];
	*(volatile __u32 *)&sc->holding = 1; /* word_lock() of a program that interrupts us shall not wait */
	if (__sync_val_compare_and_swap(&set->lock, 0, 1)) {
		sc->holding = 0;
		bump(CNT_SWEEP_RACE);
		return 1;
	}
	if (set->syns.tag[i]) {
		syn_key(s, &sc->seg.key);
		syn_expand(s, &sc->fresh);
		lives = flow_timers(&sc->fresh, SCRATCH_SWEEP);
		if (!lives)
			set->syns.tag[i] = 0;
		else if (sc->fresh.flags & FLAG_STALE_SYN)
			s->how |= SYN_STALE;
	}
	word_unlock(&set->lock);
	sc->holding = 0;
	return lives;
}

/* A SYN at rest: as recount_flow(), without making it whole unless it is stale. */
static __always_inline void recount_syn(struct syn *s, struct sweep *w)
{
	__u32 side = s->how & SYN_FROM_B, src = SRC_NOW(UNANSWERED);

	syn_key(s, &w->sc->gone);
	service_now(&w->sc->gone, side ^ 1, SVC_NOW(UNANSWERED), w->sc->recount.half);
	if (s->how & SYN_STALE) {
		src |= SRC_NOW(STALE);
		syn_expand(s, &w->sc->fresh);
		hit_note(&w->sc->fresh, &w->sc->gone, FINDING_BIT(STALE_SYN), w->sc->seg.now_ns);
	}
	source_now(&w->sc->gone, side, src, w->sc->recount.half);
}

static long sweep_syns(void *map, __u32 *index, struct syn_set *set, struct sweep *w)
{
	__u64 now = w->sc->seg.now_ns, age;
	__u32 i;

	(void)map;
	(void)index;
	if (w->sc->walk.budget && w->sc->emitted >= w->sc->walk.budget) {
		w->sc->walk.more = 1;
		return 1;
	}
	if (!(((__u64 *)set->syns.tag)[0] | ((__u64 *)set->syns.tag)[1]))
		return 0;
	for (i = 0; i < EMBRYO_WAYS; i++) {
		if (!*(volatile __u16 *)&set->syns.tag[i])
			continue;
		age = now - set->way[i].at_ns;
		if ((__s64)age >= (__s64)opts.timeout_ns[set->way[i].how & SYN_STALE ? TIMEOUT_SYN_SENT : TIMEOUT_STALE_SYN] &&
		    !sweep_syn(set, i))
			continue;
		w->g->embryos++;
		w->g->state[SYN_SENT]++;
		w->g->state[LISTEN]++;
		w->g->confirmed[SYN_SENT]++;
		w->g->confirmed[LISTEN]++;
		recount_syn(&set->way[i], w);
	}
	return 0;
}

SEC("syscall")
int ward_sweep(struct sweep_args *args)
{
	__u32 ready = 0, making = 1, epoch;
	struct ward_control *ctl = control_get();
	struct ward_gauges *g = bpf_map_lookup_elem(&gauges, &making);
	struct scratch *sc = scratch_get(SCRATCH_SWEEP);
	struct sweep w = {.sc = sc, .g = g};
	__u64 began = bpf_ktime_get_ns(), gone;
	struct walk *walk;

	if (!sc || !g || !ctl)
		return 1;
	if (__sync_val_compare_and_swap(&ctl->sweeping, 0, 1)) /* one at a time; a program runs to its end, so this is freed */
		return 0;
	walk = &sc->walk;
	__builtin_memset(walk, 0, sizeof(*walk));
	walk->budget = args->budget;
	walk->busy_since = args->now_ns - opts.timeout_ns[TIMEOUT_ESTABLISHED];
	sc->seg.now_ns = args->now_ns;
	sc->fill = ctl->fill_permille;
	sc->emitted = 0;
	epoch = *(volatile __u32 *)&ctl->present_epoch;
	gone = present_gone;
	walk->present = present_begin(ctl, g->flows);
	__builtin_memset(g, 0, sizeof(*g));
	recount_begin(&sc->recount, ctl, args->now_ns);
	sc->embryonic = 0;
	sc->open.count = 0;
	bpf_for_each_map_elem(&flows, sweep_flow, &w, 0);
	open_flush();
	if (walk->present && !walk->more)
		present_end(ctl, walk->present - 1, epoch, gone);
	g->flows += walk->open;
	g->state[ESTABLISHED] += 2 * walk->open;
	g->confirmed[ESTABLISHED] += walk->open_conf;
	sc->embryonic = 1;
	if (!walk->more)
		bpf_for_each_map_elem(&syns, sweep_syns, &w, 0);
	if (!walk->more)
		bpf_for_each_map_elem(&embryos, sweep_embryos, &w, 0);
	args->more = walk->more;
	forgotten_sweep(args->now_ns);
	if (!walk->more) {
		recount_end(&sc->recount, ctl);
		if (flows_max)
			ctl->fill_permille = (walk->entries + walk->open) * 1000 / flows_max;
		g->swept_ns = args->now_ns;
		g->sweep_ns = bpf_ktime_get_ns() - began;
		bpf_map_update_elem(&gauges, &ready, g, BPF_ANY);
	}
	__sync_lock_test_and_set(&ctl->sweeping, 0);
	return 0;
}

/* The clock of the packet programs beside the user's: read once, when the maps are made. */
SEC("syscall")
int ward_clock(struct clock_args *args)
{
	args->jiffies = bpf_jiffies64();
	args->ktime_ns = bpf_ktime_get_ns();
	return 0;
}

char LICENSE[] SEC("license") __weak = "Dual BSD/GPL";
