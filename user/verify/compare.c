// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The comparison itself: one look at all, then more looks at what differed. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "verify/verify.h"

#define SILENCE_NS 200000000ULL
#define LOOKS 15 /* of 200 ms: who is never silent is judged after 3 s all the same */

static bool gone(enum tcp_state state)
{
	return state == NO_STATE || state == CLOSED || state == LISTEN;
}

/* The kernel's timers come late (by up to 2 s at 60 s): a TIME-WAIT socket whose time is up is only not freed yet. */
static bool socket_ended(const struct endpoint *e)
{
	return !e->has_socket || e->kernel == CLOSED || (e->kernel == TIME_WAIT && e->expires_ms == 0);
}

bool verify_agrees(const struct endpoint *e)
{
	bool ours_ended = !e->tracked || gone(e->ours);

	if (ours_ended && socket_ended(e))
		return true;
	return e->tracked && e->has_socket && e->ours == e->kernel;
}

static void sides(const struct endpoint *e, const __u8 **local, const __u8 **remote)
{
	*local = e->side ? e->key.b_addr : e->key.a_addr;
	*remote = e->side ? e->key.a_addr : e->key.b_addr;
}

/* A socket that we do not know, and whose segments we could not have seen. */
static bool out_of_sight(const struct endpoint *e, const struct locals *l)
{
	const __u8 *local, *remote;

	if (e->tracked)
		return false;
	sides(e, &local, &remote);
	return !locals_watched(l, local, remote, e->ifindex);
}

static int add_difference(struct verify_result *r, const struct endpoint *e)
{
	struct endpoint *list = realloc(r->difference, (r->differences + 1) * sizeof(*list));

	if (!list)
		return -ENOMEM;
	r->difference = list;
	list[r->differences++] = *e;
	return 0;
}

/*
 * The two tables are read one after the other, so an endpoint can move between the readings. What agrees when both are
 * read a second time, at once, was no difference.
 */
static bool only_moved(const struct endpoint *e, const struct endpoints *second)
{
	const struct endpoint *again = endpoints_find(second, &e->key, e->side);

	return !again || verify_agrees(again);
}

static int first_look(const struct endpoints *all, const struct endpoints *second, const struct locals *l,
		      struct verify_result *r)
{
	int err = 0;

	r->sockets = all->sockets;
	r->flows = all->flows;
	for (unsigned i = 0; i < all->count && !err; i++) {
		const struct endpoint *e = &all->list[i];
		bool nothing = (!e->tracked || gone(e->ours)) && !e->has_socket;

		if (nothing)
			continue;
		if (out_of_sight(e, l)) {
			r->not_watched++;
			continue;
		}
		r->compared++;
		if (verify_agrees(e) || only_moved(e, second))
			r->agree++;
		else
			err = add_difference(r, e);
	}
	return err;
}

static bool same_story(const struct endpoint *a, const struct endpoint *b)
{
	return a->tracked == b->tracked && a->has_socket == b->has_socket && a->ours == b->ours &&
	       a->kernel == b->kernel && a->last_ns == b->last_ns;
}

/* What is printed, and compared with the next look, is the last thing seen. */
static void take_news(struct endpoint *d, const struct endpoint *now)
{
	enum verify_class class = d->class;
	bool settled = d->settled;

	*d = *now;
	d->class = class;
	d->settled = settled;
}

/* Gives difference d its class, or leaves it open while its connection moves. */
static void settle(struct endpoint *d, const struct endpoint *now, const struct verify_evidence *ev, uint64_t now_ns,
		   bool last_look)
{
	bool silent;

	if (!now || verify_agrees(now)) {
		d->class = CLASS_IN_FLIGHT;
		d->settled = true;
		return;
	}
	silent = same_story(d, now) && (!now->tracked || now_ns - now->last_ns >= SILENCE_NS);
	if (silent || last_look) {
		d->class = verify_explain(now, ev, now_ns);
		d->settled = true;
	}
	take_news(d, now);
}

/* One more look at what is open; returns how many still are, or a negative errno. */
static int look_again(struct ward *w, const struct locals *l, const struct verify_evidence *ev,
		      struct verify_result *r, bool last_look)
{
	struct endpoints all;
	unsigned foreign;
	int open = 0;
	int err = endpoints_collect(w, l, &all, &foreign);

	if (err)
		return err;
	for (unsigned i = 0; i < r->differences; i++) {
		struct endpoint *d = &r->difference[i];

		if (d->settled)
			continue;
		settle(d, endpoints_find(&all, &d->key, d->side), ev, all.now_ns, last_look);
		open += !d->settled;
	}
	endpoints_free(&all);
	return open;
}

static int settle_all(struct ward *w, const struct locals *l, struct verify_result *r)
{
	const struct timespec pause = { .tv_nsec = SILENCE_NS + 10000000 };
	struct verify_evidence ev;
	int open = r->differences;

	if (open)
		verify_evidence_read(&ev);
	for (int look = 1; open > 0 && look <= LOOKS; look++) {
		nanosleep(&pause, NULL);
		open = look_again(w, l, &ev, r, look == LOOKS);
	}
	for (unsigned i = 0; i < r->differences; i++)
		r->class[r->difference[i].class]++;
	return open < 0 ? open : 0;
}

int verify_run(struct ward *w, struct verify_result *out)
{
	struct verify_result r = { 0 };
	struct endpoints all = { 0 }, second = { 0 };
	struct locals *l = NULL;
	unsigned foreign;
	int err = locals_open(w, &l);

	if (!err)
		err = endpoints_collect(w, l, &all, &r.foreign);
	if (!err)
		err = endpoints_collect(w, l, &second, &foreign);
	if (!err && first_look(&all, &second, l, &r))
		err = ward_fail(-ENOMEM, "", "cannot compare %u endpoints: out of memory", all.count);
	if (!err)
		err = settle_all(w, l, &r);
	endpoints_free(&all);
	endpoints_free(&second);
	locals_close(l);
	if (err)
		verify_result_free(&r);
	else
		*out = r;
	return err;
}

void verify_result_free(struct verify_result *r)
{
	free(r->difference);
	memset(r, 0, sizeof(*r));
}

bool verify_failed(const struct verify_result *r)
{
	unsigned unexplained = r->class[CLASS_UNEXPLAINED];
	unsigned explained = r->differences - unexplained;

	return unexplained || (explained > 1 && explained * 100 > r->compared);
}
