/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The loaded programs on a test's clock, fed by BPF_PROG_TEST_RUN through any of their hooks. */
#ifndef TESTS_RIG_H
#define TESTS_RIG_H

#include "prog/wire.h"
#include "ward/inside.h"

enum rig_hook { HOOK_XDP, HOOK_TC_IN, HOOK_TC_OUT };

/* What a test may ask for beside the options; zero: nothing. */
struct rig_options {
	struct ward_options ward;
	uint32_t iface_flags; /* of the interface that test_run pretends (lo), IFACE_* */
	uint32_t iface_mtu;   /* 0: there is no interface table */
};

struct rig {
	struct ward *w;
	uint64_t now_ns;
	long packets;
	int wrong_verdicts; /* XDP other than PASS, tc other than UNSPEC */
};

/* Loads small tables; exits with a line on failure. */
void rig_options_init(struct rig_options *opt);
void rig_open(struct rig *rig, const struct rig_options *opt);
void rig_close(struct rig *rig);
/* One frame of wire_len bytes on the wire. gso_segs: tc only, 0 = one. Returns the verdict. Exits if it cannot be run. */
int rig_send(struct rig *rig, enum rig_hook hook, const uint8_t *frame, size_t len, uint32_t wire_len, bool l3,
	     uint32_t gso_segs);
/* Moves the clock and sweeps until nothing is left to do. */
void rig_wait(struct rig *rig, uint64_t ns);
/* Moves the clock until all records are gone. */
void rig_empty(struct rig *rig);
struct ward_counters rig_counters(struct rig *rig);

/* Prints "ok programs: ..." or "not ok programs: WHAT: ..."; counts failures for rig_result(). */
void rig_report(bool good, const char *what, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
int rig_result(void);

#endif
