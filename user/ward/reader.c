// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * reader: one listener to an instance's events, with a ring buffer of its own.
 *
 * A slot belongs to whoever put its pid into control.reader_pid by compare-and-swap (the word is shared memory). The
 * programs send to a slot while reader_until_ns lies ahead; a reader that was stopped for long may find its slot taken
 * and then takes another: what happened meanwhile is lost to it.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "ward/inside.h"

#define LISTEN_NS 10000000000ULL
#define RING_HEADER 8 /* bytes before each record */
#define STALE_NS (2 * LISTEN_NS)

struct ward_reader {
	struct ward *w;
	struct ring_buffer *ring;
	int ring_fd;
	__u32 slot;
	__u32 pid;
	ward_event_fn fn;
	void *ctx;
	uint64_t lost; /* the counters' sum at the last call */
	uint64_t polled_ns, stood_ns;
};

static void store_until(struct ward *w, __u32 slot, uint64_t until)
{
	uint64_t latest = __atomic_load_n(&w->control->listen_until_ns, __ATOMIC_ACQUIRE);

	__atomic_store_n(&w->control->reader_until_ns[slot], until, __ATOMIC_RELEASE);
	while (until > latest && !__atomic_compare_exchange_n(&w->control->listen_until_ns, &latest, until, false,
							      __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		;
}

static bool swap_pid(struct ward *w, __u32 slot, __u32 old, __u32 new)
{
	return __atomic_compare_exchange_n(&w->control->reader_pid[slot], &old, new, false, __ATOMIC_ACQ_REL,
					   __ATOMIC_ACQUIRE);
}

static __u32 load_pid(const struct ward *w, __u32 slot)
{
	return __atomic_load_n(&w->control->reader_pid[slot], __ATOMIC_ACQUIRE);
}

/* A reader in another pid namespace looks dead: so its time must be over, too. */
static bool is_stale(const struct ward *w, __u32 slot, uint64_t now)
{
	__u32 pid = load_pid(w, slot);
	uint64_t until = __atomic_load_n(&w->control->reader_until_ns[slot], __ATOMIC_ACQUIRE);

	if (!pid || until >= now)
		return false;
	return now - until > STALE_NS || (kill((pid_t)pid, 0) && errno == ESRCH);
}

void readers_clear_stale(struct ward *w)
{
	uint64_t now = ward_now_ns(w);
	__u32 slot;

	for (slot = 0; slot < WARD_READERS; slot++) {
		__u32 pid = load_pid(w, slot);

		if (!is_stale(w, slot, now) || !swap_pid(w, slot, pid, getpid()))
			continue;
		bpf_map_delete_elem(w->map[MAP_EVENTS], &slot);
		store_until(w, slot, 0);
		swap_pid(w, slot, getpid(), 0);
	}
}

static void renew(struct ward_reader *r, uint64_t now)
{
	store_until(r->w, r->slot, r->w->opt.replay ? UINT64_MAX : now + LISTEN_NS);
	r->polled_ns = now;
}

/* Past its time the programs send to it no more, and do not count what they would have sent. */
static void note_lapse(struct ward_reader *r, uint64_t now)
{
	if (!r->w->opt.replay && now > r->polled_ns + LISTEN_NS)
		r->stood_ns += now - r->polled_ns;
}

static int take_slot(struct ward_reader *r)
{
	__u32 slot;

	for (slot = 0; slot < WARD_READERS; slot++) {
		if (!swap_pid(r->w, slot, 0, r->pid))
			continue;
		if (bpf_map_update_elem(r->w->map[MAP_EVENTS], &slot, &r->ring_fd, BPF_ANY)) {
			int err = -errno;

			swap_pid(r->w, slot, r->pid, 0);
			return ward_fail(err, err == -EPERM ? REMEDY_ROOT : "", "cannot listen to events: %s",
					 strerror(-err));
		}
		r->slot = slot;
		renew(r, ward_now_ns(r->w));
		return 0;
	}
	return ward_fail(-EBUSY, "end another watch or run", "cannot listen to events: all %d readers are taken",
			 WARD_READERS);
}

static int deliver(void *ctx, void *data, size_t size)
{
	struct ward_reader *r = ctx;

	if (size >= sizeof(struct event))
		r->fn(data, size, r->ctx);
	return 0;
}

static uint64_t count_lost(struct ward *w)
{
	struct ward_counters sum;

	if (ward_counters_read(w, &sum))
		return 0;
	return sum.counter[CNT_LOST_RING] + sum.counter[CNT_LOST_RATE];
}

static int make_ring(struct ward_reader *r, size_t ring_bytes)
{
	r->ring_fd = bpf_map_create(BPF_MAP_TYPE_RINGBUF, "ward_reader", 0, 0, ring_bytes, NULL);
	if (r->ring_fd < 0)
		return ward_fail(-errno, errno == EPERM ? REMEDY_ROOT : "",
				 "cannot make a ring buffer of %zu bytes: %s", ring_bytes, strerror(errno));
	r->ring = ring_buffer__new(r->ring_fd, deliver, r, NULL);
	if (!r->ring)
		return ward_fail(-errno, "", "cannot map a ring buffer of %zu bytes: %s", ring_bytes, strerror(errno));
	return 0;
}

int ward_reader_open(struct ward *w, size_t ring_bytes, ward_event_fn fn, void *ctx, struct ward_reader **out)
{
	struct ward_reader *r;
	int err = load_needed(w);

	if (err)
		return err;
	r = calloc(1, sizeof(*r));
	if (!r)
		return ward_fail(-ENOMEM, "", "out of memory");
	r->w = w;
	r->fn = fn;
	r->ctx = ctx;
	r->pid = getpid();
	r->slot = WARD_READERS;
	err = make_ring(r, ring_bytes);
	if (!err) {
		if (!w->opt.replay)
			readers_clear_stale(w);
		else /* a capture's events are all wanted: a sweep stops before the ring is full */
			w->sweep_budget = ring_bytes / 2 / (sizeof(struct event_with_flow) + RING_HEADER);
		r->lost = count_lost(w);
		err = take_slot(r);
	}
	if (err) {
		ward_reader_close(r);
		return err;
	}
	*out = r;
	return 0;
}

int ward_reader_fd(const struct ward_reader *r)
{
	return ring_buffer__epoll_fd(r->ring);
}

int ward_reader_poll(struct ward_reader *r)
{
	uint64_t now = ward_now_ns(r->w);

	note_lapse(r, now);
	if (load_pid(r->w, r->slot) == r->pid) {
		renew(r, now);
	} else {
		int err = take_slot(r);

		if (err)
			return err;
	}
	return ring_buffer__consume(r->ring);
}

uint64_t ward_reader_lost(struct ward_reader *r)
{
	uint64_t now = count_lost(r->w), lost = now > r->lost ? now - r->lost : 0;

	r->lost += lost;
	return lost;
}

uint64_t ward_reader_stood_ns(struct ward_reader *r)
{
	uint64_t stood = r->stood_ns;

	r->stood_ns = 0;
	return stood;
}

void ward_reader_close(struct ward_reader *r)
{
	if (!r)
		return;
	if (r->slot < WARD_READERS && load_pid(r->w, r->slot) == r->pid) {
		store_until(r->w, r->slot, 0);
		bpf_map_delete_elem(r->w->map[MAP_EVENTS], &r->slot);
		swap_pid(r->w, r->slot, r->pid, 0);
	}
	ring_buffer__free(r->ring);
	if (r->ring_fd >= 0)
		close(r->ring_fd);
	free(r);
}

int ward_ladder(struct ward *w, const struct flow_key *key, uint64_t until_ns)
{
	int err = load_needed(w);

	if (err)
		return err;
	__atomic_store_n(&w->control->ladder_until_ns, 0, __ATOMIC_SEQ_CST);
	if (!key)
		return 0;
	w->control->ladder = *key;
	__atomic_store_n(&w->control->ladder_until_ns, until_ns, __ATOMIC_RELEASE);
	return 0;
}
