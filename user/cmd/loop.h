/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * loop: the event loop of the commands that stay (run, watch, flow), over sd-event: signals, a tick a second, the ring
 * buffer, interfaces that go away, a reader of standard output that goes away.
 */
#ifndef CMD_LOOP_H
#define CMD_LOOP_H

#include "cmd/cmd.h"

struct loop;

/* Holds SIGINT, SIGTERM and SIGHUP back until the loop takes them: call before anything that must be undone. */
void loop_hold_signals(void);
/* Has one of them come since, and waits? */
bool loop_signal_waits(void);
/* ... SIGINT or SIGTERM, which nobody takes for anything but an end? */
bool loop_end_waits(void);

/* An event loop that polls reader as its records come, and at least every 100 ms. 0 or a negative errno, not told. */
int loop_open(struct ward_reader *reader, struct loop **out);
/* Calls fn once a second, and after each poll of the reader that brought records if fn_polled is not NULL. */
int loop_each_second(struct loop *l, void (*fn)(void *ctx), void (*fn_polled)(void *ctx), void *ctx);
/* Calls fn every usec microseconds, too: at most four such functions a loop. 0 or a negative errno. */
int loop_every(struct loop *l, uint64_t usec, void (*fn)(void *ctx), void *ctx);
/* SIGHUP calls fn and ends nothing. */
void loop_on_hangup(struct loop *l, void (*fn)(void *ctx), void *ctx);
/* Ends the loop with exit code 1 and a message when an interface of info (of this network namespace) goes away. */
int loop_guard_links(struct loop *l, const struct ward_instance *info);
/* Ends the loop with EXIT_OK after seconds. */
int loop_end_after(struct loop *l, uint64_t seconds);
/* Ends the loop from within a callback. */
void loop_end(struct loop *l, int exit_code);
/* Runs until something ends it; returns the exit code. */
int loop_run(struct loop *l);
void loop_close(struct loop *l);

#endif
