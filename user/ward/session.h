/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* session: the connections over which a command is typed, so that it does not cut the hand that types it. */
#ifndef WARD_SESSION_H
#define WARD_SESSION_H

#include "enforce.h"

enum session_how {
	SESSION_SSH,    /* this process, or one that it descends from, is of an SSH connection: flow[] */
	SESSION_SSHD,   /* nothing says so; flow[] is what sshd serves */
	SESSION_LOCAL,  /* no terminal (a service, a timer), or one of this machine */
	SESSION_UNKNOWN /* a terminal of something else */
};

struct ward_session {
	enum session_how how;
	unsigned count;
	struct flow_key flow[POLICY_EXEMPT]; /* canonical */
	__u8 local_side[POLICY_EXEMPT];      /* of each: 0 = A, 1 = B */
	char why[120];                       /* "SSH_CONNECTION of process 4711 (bash)" */
};

/* Looks from process pid upwards (0: this one). Never fails: what cannot be looked at is not found. */
void ward_session_find(int pid, struct ward_session *out);

#endif
