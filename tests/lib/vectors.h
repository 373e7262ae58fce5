/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Reads the files of tests/vectors/ (grammar at the head of tcp-conformance.txt): traces of segments with the states expected after each. */
#ifndef TESTS_VECTORS_H
#define TESTS_VECTORS_H

#include <stdbool.h>
#include <stdint.h>

#include "tcpward.h"

#define VECTOR_EXPIRED 0xff /* expected state: the record has timed out */

struct vector_step {
	int line;
	bool wait;
	uint64_t wait_ns;
	bool from_client;
	uint8_t bits; /* TH_* */
	uint32_t seq, ack, len, ts;
	uint16_t win;
	uint8_t ws;
	bool has_ts, has_ws;
	uint8_t state[2]; /* client, server */
	bool conf[2];
};

struct vector_trace {
	char id[16], text[120];
	int line;
	int msl2, rfc1337, loose, tap;
	struct vector_step *steps;
	int count;
	char conn_state[8], history[HISTORY_LEN + 1]; /* history "": not tested */
	uint64_t flags;
};

/* Reads all traces of a file; returns how many, or exits with a line on stderr. */
int vectors_read(const char *path, struct vector_trace **out);
const char *vector_state_name(uint8_t state);
/* FLAG_* by its name; 0: unknown */
uint64_t vector_flag(const char *name);
/* "A,B,C" of flags into buf of n bytes */
const char *vector_flags_text(uint64_t flags, char *buf, int n);

#endif
