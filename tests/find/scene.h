/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * scene: a small language for captures. A scene has hosts by address and connections with right sequence numbers. Each
 * connection has a clock of its own, which its verbs move on; so a scene with thousands of connections is a loop, and their
 * segments are put into the order of time when the capture is written.
 */
#ifndef FIND_SCENE_H
#define FIND_SCENE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "prog/wire.h"

#define SECONDS(x) ((uint64_t)((x) * 1e9))
#define MILLISECONDS(x) ((uint64_t)((x) * 1e6))

/* Time 0 of a scene: a whole minute, so that windows of 10 s and 60 s begin there whatever they are aligned to. */
#define SCENE_EPOCH_NS 1700000040000000000ULL

#define SCENE_EXPECTED 24
#define SCENE_ALLOWED 8

struct scene_segment {
	uint64_t at_ns; /* since the scene began */
	uint32_t end[2]; /* sender and receiver: index of scene.ends */
	uint32_t seq, ack, len, ts;
	uint16_t win, ip_id;
	uint8_t bits, ws, ttl;
	bool v6, has_ts;
};

/* Its number, or one that lies between; 0 and 0: not looked at. limit: the threshold beside it; 0: not looked at. */
struct expected_number {
	const char *name;
	uint64_t low, high, limit;
};

/* A finding that must be there. Times since the scene began. */
struct expected {
	const char *finding, *severity, *kind;
	char subject[140];
	struct expected_number number[8];
	int numbers;
	uint64_t peak_low, peak_high; /* of the first number; 0: not looked at */
	uint64_t holds_ns; /* from then on its condition holds: it is raised within 2 s */
	uint64_t ends_low_ns, ends_high_ns; /* between these it ceases to hold: it is cleared 10 s later */
	struct wire_end (*offender)[2]; /* its samples are among them: originator, responder */
	size_t offenders, offender_room;
	bool no_samples;
};

struct scene {
	bool harmless; /* the same without the cause */
	uint8_t place; /* into all addresses, so that several scenes fit into one capture */
	struct scene_segment *segments;
	size_t count, room;
	struct wire_end *ends;
	size_t end_count, end_room;
	uint64_t last_ns;
	struct expected expected[SCENE_EXPECTED];
	int expected_count;
	const char *allowed[SCENE_ALLOWED]; /* findings that may come along */
	int allowed_count;
};

void scene_init(struct scene *s, bool harmless);
void scene_free(struct scene *s);
/* Writes the capture (nanoseconds, Ethernet, headers only). 0, or -1 with errno. */
int scene_write(struct scene *s, const char *path);

/* Each segment twice, the second so much later: what a network does that loops, or a mirror of two ports. */
void scene_double(struct scene *s, uint64_t after_ns);

/* ---- who ---- */
/* "198.51.100.7", "192.0.2.10:443", "[2001:db8::10]:443"; exits on anything else */
struct wire_end at(const char *address);
/* The same with another port; with an address n higher. */
struct wire_end on_port(struct wire_end end, uint32_t port);
struct wire_end nth(struct wire_end end, uint32_t n);
/* One of 2^22 addresses beyond it, as spoofed ones are: hardly two of one /24, and none of one /48. */
struct wire_end anyone(struct wire_end end, uint32_t n);

/* ---- connections ---- */
enum side { CLIENT, SERVER };

struct conn_end {
	struct wire_end at;
	uint32_t index; /* of scene.ends */
	uint32_t isn, nxt; /* what it sends next */
	uint32_t got;	   /* what it acknowledges */
	uint16_t win;	   /* as it stands in the header */
	uint8_t ttl;
};

struct conn {
	struct scene *s;
	uint64_t now_ns;
	uint64_t gap_ns; /* from one segment to the next */
	bool timestamps; /* the default */
	struct conn_end end[2];
	struct scene_segment last[2]; /* sent by each side */
};

/* A connection about to be, at that time of the scene. Sequence numbers begin at a clock, as RFC 9293 section 3.4.1 says. */
struct conn conn(struct scene *s, uint64_t when_ns, struct wire_end client, struct wire_end server);
void conn_wait(struct conn *c, uint64_t ns);
/* Any segment; len bytes of payload. Nothing of the connection changes but its clock. */
void conn_say(struct conn *c, enum side from, uint8_t bits, uint32_t seq, uint32_t ack, uint32_t len);
/* The side's last segment once more; n times with waiting times that double: first_ns, 2 first_ns, 4 first_ns. */
void conn_again(struct conn *c, enum side from);
void conn_back_off(struct conn *c, enum side from, int n, uint64_t first_ns);

/* opening */
void conn_syn(struct conn *c);
void conn_syn_ack(struct conn *c);
void conn_ack(struct conn *c, enum side from);
void conn_open(struct conn *c); /* all three */

/* ESTABLISHED */
void conn_data(struct conn *c, enum side from, uint32_t len);	/* one segment */
void conn_send(struct conn *c, enum side from, uint32_t bytes); /* segments, acknowledged */
void conn_exchange(struct conn *c, uint32_t request, uint32_t response);
void conn_probe(struct conn *c, enum side from); /* keep-alive, or of a window of 0: one octet back, no data */
void conn_window(struct conn *c, enum side from, uint16_t win); /* an ACK with that window */

/* closing */
void conn_fin(struct conn *c, enum side from);
void conn_half_close(struct conn *c, enum side from); /* FIN, ACK */
void conn_close(struct conn *c, enum side from);      /* FIN, ACK, FIN, ACK */
void conn_close_short(struct conn *c, enum side from); /* FIN, FIN and ACK in one, ACK */
void conn_close_both(struct conn *c);		      /* simultaneous */

enum reset_aim { EXACT, IN_WINDOW, OUT_OF_WINDOW };
void conn_reset(struct conn *c, enum side from, enum reset_aim aim); /* RST and ACK: an abort */
void conn_no_tcb(struct conn *c, enum side from); /* a bare RST: nobody is here any more */

/* An ordinary connection, from SYN to the last ACK. */
void ordinary(struct scene *s, uint64_t when_ns, struct wire_end client, struct wire_end server);

/* ---- what must be found ---- */
/* kind: "flow", "source", "prefix", "service"; the subject as the JSON object has it, a pair with " > " between */
struct expected *expect(struct scene *s, const char *finding, const char *severity, const char *kind, const char *subject);
struct expected *expect_flow(struct scene *s, const char *finding, const char *severity, const struct conn *c);
/* From that time of the scene its condition holds; at that time, or between these two, it ceases to. */
void holds(struct expected *e, uint64_t ns);
void ends(struct expected *e, uint64_t ns);
void ends_between(struct expected *e, uint64_t low_ns, uint64_t high_ns);
/* The end of the window of so many seconds that follows the one with that time: numbers of windows stand for that long. */
uint64_t window_after(uint64_t ns, unsigned seconds);
/* A number of the evidence as it was last, and the threshold beside it (0: there is none). */
void number(struct expected *e, const char *name, uint64_t value, uint64_t limit);
void between(struct expected *e, const char *name, uint64_t low, uint64_t high, uint64_t limit);
/* The first number at its worst. */
void peak(struct expected *e, uint64_t low, uint64_t high);
/* Its sample flows are among these. */
void offender(struct expected *e, const struct conn *c);
/* This may be found as well, and why. */
void allow(struct scene *s, const char *finding);

/* "192.0.2.10:443", "[2001:db8::10]:443"; "A > B" */
const char *end_text(const struct wire_end *end, char buf[64]);
const char *ends_text(const struct wire_end *from, const struct wire_end *to, char buf[140]);

#endif
