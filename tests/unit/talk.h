/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Two ends that talk past the tracker, natively and with a clock of their own, and what is then found on their flow: cases for
 * cmocka, each run with the client on either side of the key.
 */
#ifndef TESTS_UNIT_TALK_H
#define TESTS_UNIT_TALK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "flow_finding.h"

enum who { C, S }; /* client: the originator; server */

struct talk {
	struct flow flow;
	bool live;
	int client; /* side of the key */
	uint64_t now_ns;
	struct track_opts track;
	struct detect_opts detect;
	uint32_t nxt[2]; /* what each end sends next ... */
	uint32_t ack[2]; /* ... and acknowledges */
	uint16_t win[2];
};

#define DATA (TH_ACK | TH_PSH)
#define FIN (TH_ACK | TH_FIN)

int side_of(const struct talk *t, enum who who);
void talk_begin(struct talk *t, int client);
void pause_ms(struct talk *t, uint64_t ms);
void pause_s(struct talk *t, uint64_t s);
/* One segment with any numbers. */
void segment(struct talk *t, enum who who, uint8_t bits, uint32_t seq, uint32_t ack, uint32_t len);
/* The next segment of that end, which arrives. */
void says(struct talk *t, enum who who, uint8_t bits, uint32_t len);
/* The last len bytes (or its FIN) once more. */
void again(struct talk *t, enum who who, uint8_t bits, uint32_t len);
/* C repeats its last 50 bytes n times, the last time after_ms from now. */
void repeats(struct talk *t, int n, uint64_t after_ms);
void synack_again(struct talk *t);
/* A probe: keep-alive, or Linux's of a window that is shut */
void probe(struct talk *t, enum who who);
/* A RST so far beyond what that end sends next. */
void rst(struct talk *t, enum who who, uint32_t beyond);
/* What track_fast() of bpf/track.h writes for the next segment of that end: no judge, no commit. */
void says_fast(struct talk *t, enum who who, uint32_t len);
void handshake(struct talk *t);
/* An open connection, both ends confirmed, all of it acknowledged. */
void opened(struct talk *t);
/* The server closes, then the client: the server is in TIME-WAIT. */
void closed(struct talk *t);
/* What the sweep does to a record that it looks at, and finds. */
uint64_t sweep(struct talk *t);
/* Fails unless exactly these are found. */
void expect_at(struct talk *t, uint64_t want, const char *file, int line);

#define expect(t, want) expect_at(t, want, __FILE__, __LINE__)
#define nothing(t) expect_at(t, 0, __FILE__, __LINE__)
#define FOUND(id) FINDING_BIT(id)

typedef void (*talk_case)(struct talk *t);
void talk_run(void **state);

#define CASE(name)                                                                                                     \
	{                                                                                                              \
		#name, talk_run, NULL, NULL, (void *)name                                                              \
	}

#endif
