/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* systemd: what `run` tells systemd: sd_notify(3). All of it does nothing where NOTIFY_SOCKET is not set. */
#ifndef CMD_SYSTEMD_H
#define CMD_SYSTEMD_H

#include "cmd/loop.h"

struct systemd {
	struct ward *w;
	bool notified;	       /* somebody listens at NOTIFY_SOCKET */
	bool sweeps;	       /* our own sweep is what the watchdog is about */
	uint64_t watchdog_usec; /* 0: no watchdog */
	uint64_t swept_usec;   /* the last sweep that succeeded, CLOCK_MONOTONIC */
	unsigned seconds;
	uint64_t applied_ns;   /* of the policy that was last told; 0: none was in force */
};

/* Everything is attached and in force: READY=1, and WATCHDOG=1 from now on, as long as it sweeps. 0 or a negative errno. */
int systemd_begin(struct systemd *s, struct ward *w, struct loop *loop, bool sweeps);
/* Once a second, after the sweep; swept: it succeeded. A policy that came to count or ceased to is told on stderr. */
void systemd_second(struct systemd *s, bool swept);
/* Around what SIGHUP asks for. */
void systemd_reloading(struct systemd *s);
void systemd_reloaded(struct systemd *s);
void systemd_end(struct systemd *s);

/* Does systemd end us only to start us again (systemctl restart)? Then everything is to stay in force for the next one. */
bool systemd_restarts(void);

#endif
