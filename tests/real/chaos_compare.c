// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * chaos: what the instances say beside what the kernel says, at a moment when nothing is on its way.
 *
 * Each host's instance against the sockets of that host; and, where the wire was honest, against those of the other host.
 */
#include <stdlib.h>
#include <string.h>

#include "real/chaos.h"
#include "report/report.h"
#include "verify/verify.h"

#define TRIES 5

static const struct options *opt;
static struct ward *ward[HOSTS];
static struct locals *locals[HOSTS];
static unsigned long class_count[CLASS_COUNT];
/*
 * Beside verify's list, what only this program can know. All but the first seven are what the tracker is known to get wrong
 * (docs/tracker.md, "Beside the kernel's sockets"), and happen only where a third party has spoken that knows the numbers.
 */
enum known { SILENT_ABORT, UNSENT_FIN, OLD_RST, NO_SYNACK, BAD_ECHO, NO_ROOM, HELD_RST, SYN_FIN, UNSEEN, HELD_FIN, OVERRUN, CROSSED, KNOWN_COUNT };
static const char *const known_text[KNOWN_COUNT] = {
	[UNSENT_FIN] = "by a close that waited in the socket while the other end's FIN came: no wire shows that they crossed",
	[OLD_RST] = "by a RST that names a number long acknowledged, as one that answers a delayed segment: it ended its sender only",
	[SYN_FIN] = "by a SYN+FIN, which Linux takes for a SYN where it opens a connection",
	[UNSEEN] = "by acknowledgments of what a third party has sent",
	[NO_SYNACK] = "by data or a FIN in place of the SYN-ACK",
	[BAD_ECHO] = "by a SYN-ACK or RST that echoes another time than the SYN's or SYN-ACK's: Linux believes it not",
	[NO_ROOM] = "by data in order for which the receiver had no room, and a FIN or RST with or behind it: Linux dropped it",
	[HELD_RST] = "by a RST to a handshake that the listener holds, which Linux did not take",
	[HELD_FIN] = "by a FIN that came while the listener held the handshake: Linux dropped it, and it comes again",
	[OVERRUN] = "by a FIN, or a RST with data, beyond the window: Linux drops it while data waits to be read",
	[CROSSED] = "by SYNs that cross, and a forged segment between them and the SYN-ACKs",
	[SILENT_ABORT] = "by an abort of which Linux says nothing (after its FIN)",
};
static unsigned long known_count[KNOWN_COUNT];
static const struct conn *told[64];
static unsigned told_count;
struct compare_counts compare_counts;

void compare_open(const struct options *options)
{
	opt = options;
	for (unsigned host = 0; host < HOSTS; host++) {
		enter(opt->netns[host]);
		if (ward_open(opt->dev[host], &ward[host]) || locals_open(ward[host], &locals[host]))
			die(ward_reason(), opt->dev[host]);
	}
}

static struct conn *conn_at(const struct endpoint *e, unsigned host)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	uint16_t local = e->side ? e->key.b_port : e->key.a_port, remote = e->side ? e->key.a_port : e->key.b_port;

	return conn_of(!!memcmp(e->key.a_addr, mapped, 12), host ? remote : local, host ? local : remote);
}

static void tell(struct conn *c, const char *whose, unsigned host, const struct endpoint *e)
{
	if (told_count < sizeof(told) / sizeof(*told))
		told[told_count++] = c;
	printf("not ok %s of host %c's end is %s%s, the socket is %s (as last heard: %s)\n", whose, 'a' + host,
	       e->tracked ? state_name(e->ours) : "not tracked", e->tracked && !e->confirmed ? "?" : "",
	       e->has_socket ? state_name(e->kernel) : "gone", e->embryo ? "embryo" : "flow");
	conn_print(c);
}

bool compare_told(const struct conn *c)
{
	for (unsigned i = 0; i < told_count; i++)
		if (told[i] == c)
			return true;
	return false;
}

static enum known known(const struct conn *c, unsigned host, const struct endpoint *e)
{
	if (!e->has_socket && c->aborted[host] && (e->ours == LAST_ACK || e->ours == CLOSING))
		return SILENT_ABORT;
	if (c->unsent[host] && e->has_socket && ((e->ours == CLOSED && e->kernel == TIME_WAIT) || (e->ours == LAST_ACK && e->kernel == CLOSING)))
		return UNSENT_FIN;
	if (c->old_rst[host] && !e->has_socket && (c->fd[host] < 0 || c->forged)) /* nobody has it open, or a forged segment ended it */
		return OLD_RST;
	/* also where two SYNs crossed, and the wire lost one and its SYN-ACK, or brought that later */
	if (c->touched && (e->flags & FLAG_ASYM) && !e->confirmed && (e->ours == ESTABLISHED || e->ours == CLOSE_WAIT) &&
	    (e->kernel == SYN_SENT || e->kernel == ESTABLISHED || !e->has_socket))
		return NO_SYNACK;
	if (c->echo[host] && e->has_socket && ((e->kernel == SYN_SENT && e->ours == CLOSED) || (e->kernel == SYN_RECEIVED && tcp_gone(e->ours))))
		return BAD_ECHO;
	if (c->no_room[host] && e->has_socket &&
	    (e->ours == CLOSED || (!e->confirmed && (e->ours == CLOSE_WAIT || e->ours == CLOSING || e->ours == TIME_WAIT))))
		return NO_ROOM;
	if (c->held[host] && e->has_socket && e->kernel == SYN_RECEIVED)
		return HELD_RST;
	if (!c->forged)
		return KNOWN_COUNT;
	if (c->held[host] && !e->has_socket)
		return HELD_RST;
	if (c->held[host] && !e->confirmed && (e->ours == CLOSE_WAIT || e->ours == CLOSING || e->ours == TIME_WAIT))
		return HELD_FIN;
	if (c->syn_fin && (e->ours == SYN_SENT || e->ours == LISTEN || (!e->has_socket && !e->originator)))
		return SYN_FIN;
	if ((e->flags & FLAG_SIMUL_OPEN) && e->ours == SYN_RECEIVED)
		return CROSSED;
	if (c->unseen)
		return UNSEEN;
	if (c->overrun)
		return OVERRUN;
	if (c->no_room[host]) /* the FIN that Linux took was an old one for the tracker */
		return NO_ROOM;
	if (e->flags & FLAG_ASYM) /* its numbers are not the SYN-ACK's */
		return NO_SYNACK;
	return KNOWN_COUNT;
}

/* A difference is told of once, until the connection moves. */
static void take_difference(struct conn *c, const char *whose, unsigned host, const struct endpoint *e,
			    const struct verify_evidence *ev, uint64_t now_ns)
{
	enum verify_class class = verify_explain(e, ev, now_ns);

	if (c->told[host][0] == e->ours && c->told[host][1] == e->kernel && !c->stirred[host])
		return;
	c->told[host][0] = e->ours;
	c->told[host][1] = e->kernel;
	class_count[class]++;
	c->held[host] |= class == CLASS_ACCEPT_QUEUE;
	c->unsent[host] |= class == CLASS_UNSENT;
	if (class != CLASS_UNEXPLAINED)
		return;
	if (known(c, host, e) != KNOWN_COUNT) {
		class_count[class]--;
		known_count[known(c, host, e)]++;
		compare_counts.known++;
		if (opt->examples) {
			printf("# %s: host %c: %s%s, socket %s\n", known_text[known(c, host, e)], 'a' + host,
			       e->tracked ? state_name(e->ours) : "not tracked", e->confirmed ? "" : "?",
			       e->has_socket ? state_name(e->kernel) : "gone");
			conn_print(c);
		}
		return;
	}
	compare_counts.unexplained++;
	compare_counts.strange += !c->strange;
	c->strange = true;
	tell(c, whose, host, e);
}

static void compare(const struct endpoints *all, unsigned host, bool far)
{
	struct verify_evidence ev;

	verify_evidence_read(&ev);
	for (unsigned i = 0; i < all->count; i++) {
		const struct endpoint *e = &all->list[i];
		struct conn *c = conn_at(e, host);
		struct line *l;

		if (!c || (far && (c->touched || !c->stirred[host] || !e->tracked)))
			continue;
		if (c->stirred[host] && (e->tracked || e->has_socket))
			(*(far ? &compare_counts.far : &compare_counts.compared))++;
		if (verify_agrees(e))
			continue;
		if (c->stirred[host]) {
			l = conn_note(c, 'q', host, far ? "view from afar" : "view");
			l->ours = e->ours;
			l->kernel = e->kernel;
		}
		take_difference(c, far ? "the other's view" : "the view", host, e, &ev, all->now_ns);
	}
}

/* One look, far or near, at both hosts; false: something moved meanwhile. */
static bool look(struct endpoints near[HOSTS], struct endpoints far[HOSTS])
{
	unsigned foreign;

	for (unsigned host = 0; host < HOSTS; host++) {
		enter(opt->netns[host]);
		if (endpoints_collect(ward[host], locals[host], &near[host], &foreign) ||
		    endpoints_collect(ward[!host], locals[host], &far[host], &foreign))
			die("cannot collect", ward_reason());
	}
	return !wire_pump(0);
}

void compare_all(void)
{
	struct endpoints near[HOSTS] = { 0 }, far[HOSTS] = { 0 };
	bool quiet = false;

	for (int i = 0; i < TRIES && !quiet; i++) {
		for (unsigned host = 0; host < HOSTS; host++) {
			endpoints_free(&near[host]);
			endpoints_free(&far[host]);
		}
		wire_pump(2);
		quiet = look(near, far);
	}
	if (quiet) {
		compare_counts.points++;
		for (unsigned host = 0; host < HOSTS; host++) {
			enter(opt->netns[host]);
			compare(&near[host], host, false);
			compare(&far[host], host, true);
		}
		for (unsigned i = 0; i < conn_count; i++)
			conns[i].stirred[0] = conns[i].stirred[1] = false;
	}
	for (unsigned host = 0; host < HOSTS; host++) {
		endpoints_free(&near[host]);
		endpoints_free(&far[host]);
	}
}

void compare_print(void)
{
	printf("# %lu quiet points: %lu states compared with the socket at that host, %lu with the one at the other host\n",
	       compare_counts.points, compare_counts.compared, compare_counts.far);
	printf("# differences:");
	for (int i = 0; i < CLASS_COUNT; i++)
		if (class_count[i] || i == CLASS_UNEXPLAINED)
			printf(" %lu %s", class_count[i], verify_class_name(i));
	printf("\n");
	for (int i = 0; i < KNOWN_COUNT; i++)
		if (known_count[i])
			printf("# %lu more %s\n", known_count[i], known_text[i]);
}
