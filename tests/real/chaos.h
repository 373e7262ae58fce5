/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * chaos: two hosts and the wire between them in one process, so that it knows when nothing is on its way.
 *
 * Host 0 is "a", host 1 is "b": each a network namespace with an instance of tcpward on its device. The wire is a third namespace:
 * frames go from one of its devices to the other through this process, which drops, doubles, holds back and invents them.
 */
#ifndef TESTS_CHAOS_H
#define TESTS_CHAOS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define HOSTS 2
#define CONNS 8192
#define LOG_LINES 96
#define SAVED 4
#define SAVED_LEN 160

/* What one end has shown on the wire; host byte order. */
struct shown {
	bool any, has_ts;
	uint32_t isn, nxt, ack, tsval, tsecr, syn_tsval;
	uint16_t win;
};

struct line {
	uint32_t ms;
	char what; /* w: on the wire, i: invented, r: an old frame again, c: a call, q: a quiet point */
	uint8_t from, bits, ours, kernel;
	const char *fate; /* ... or the name of the call */
	uint32_t seq, ack, len;
};

struct saved {
	uint8_t from;
	uint16_t len;
	uint8_t frame[SAVED_LEN];
};

/* One 4-tuple, all its incarnations. */
struct conn {
	bool v6, used;
	uint16_t port[HOSTS];
	uint8_t client;
	int fd[HOSTS]; /* -1: none */
	bool wr_shut[HOSTS];
	bool deaf[HOSTS];  /* nothing comes through to this host */
	bool touched;      /* the wire was no honest one: what a host knows of the other may be wrong */
	bool forged;       /* somebody else spoke in its name */
	/* What the tracker is known to get wrong, or cannot know: chaos_compare.c */
	bool aborted[HOSTS], held[HOSTS], unsent[HOSTS], old_rst[HOSTS], syn_fin, unseen, overrun;
	bool echo[HOSTS], no_room[HOSTS]; /* at that host */
	/* The last data that came through from each host; and its receiver has answered that it has not taken it. */
	bool any_data[HOSTS], with_fin[HOSTS], refused[HOSTS];
	uint32_t data_seq[HOSTS];
	bool strange;        /* it differed without a reason */
	bool stirred[HOSTS]; /* since it was last compared */
	uint8_t told[HOSTS][2]; /* the difference that was told of: ours, the kernel's */
	struct shown shown[HOSTS];
	struct saved saved[SAVED];
	unsigned saved_count, lines;
	struct line line[LOG_LINES];
};

struct options {
	const char *netns[HOSTS], *dev[HOSTS], *wire_netns, *wire_dev[HOSTS];
	uint64_t seed;
	unsigned seconds, until; /* ends after so many comparisons, if that is sooner; 0: never */
	bool plant;              /* takes one socket away without a word on the wire, at the end: must be found */
	bool hostile;            /* segments are invented */
	bool examples;           /* what differs for a known reason is shown too */
};

/* ---- chaos.c ---- */
uint32_t chance(uint32_t below); /* 0 to below - 1 */
bool percent(unsigned p);
uint32_t ms_since_start(void);
_Noreturn void die(const char *what, const char *value);
int enter(const char *netns);

/* ---- chaos_conns.c ---- */
extern struct conn conns[CONNS];
extern unsigned conn_count;
/* The connection of these ports, made if it is new; NULL: no room. */
struct conn *conn_of(bool v6, uint16_t port_a, uint16_t port_b);
/* A connection made not long ago, NULL: there is none yet. */
struct conn *conn_some(void);
struct line *conn_note(struct conn *c, char what, unsigned from, const char *fate);
void conn_print(const struct conn *c);

/* ---- chaos_wire.c ---- */
struct wire_counts {
	unsigned long frames, dropped, doubled, held, invented, again;
};
extern struct wire_counts wire_counts;
void wire_open(const struct options *opt);
/* Carries frames until none has come for `quiet_ms`; returns how many came. */
unsigned wire_pump(int quiet_ms);
/* Lets go some of the frames that were held back. */
void wire_release(void);
/* A segment of c that nobody sent, or an old one once more. */
void wire_invent(struct conn *c);
void wire_repeat(struct conn *c);

/* ---- chaos_hosts.c ---- */
void hosts_open(const struct options *opt);
/* One thing that an application does. */
void hosts_act(void);
/* A socket that disappears without a word; NULL: there is none to take. */
struct conn *hosts_plant(void);

/* ---- chaos_compare.c ---- */
struct compare_counts {
	unsigned long points, compared, far, known, unexplained, strange; /* strange: connections that differed unexplained */
};
extern struct compare_counts compare_counts;
void compare_open(const struct options *opt);
/* A quiet point: compares all ends that were stirred. */
void compare_all(void);
void compare_print(void);
/* Was a difference told of this connection? */
bool compare_told(const struct conn *c);

#endif
