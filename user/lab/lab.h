/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * lab: a network of two namespaces in one process, and real servers and clients in it.
 *
 * The namespaces have no names: this process is in the one (the server's) and holds a descriptor of the other, so
 * both vanish with it, on SIGKILL too. No packet can leave: the only links are a veth pair and the two loopbacks.
 */
#ifndef LAB_H
#define LAB_H

#include <stdbool.h>

#define LAB_DEVICE "lab0" /* the server's end of the veth pair, where tcpward watches */

/* From the documentation ranges of RFC 5737 and RFC 3849. */
#define LAB_SERVER4 "198.51.100.1"
#define LAB_CLIENT4 "198.51.100.2"
#define LAB_NOBODY4 "198.51.100.99" /* has a neighbour entry and no owner: what goes there is dropped without a word */
#define LAB_SERVER6 "2001:db8::1"
#define LAB_CLIENT6 "2001:db8::2"

/* What listens in the server's namespace, one process each. */
enum lab_port {
	PORT_ECHO = 8080,   /* answers each request, closes when the client has */
	PORT_ONCE = 8081,   /* answers one request and closes first */
	PORT_STREAM = 8082, /* reads to the end, then sends for a second: a half-closed connection */
	PORT_LEAK = 8083,   /* accepts and never closes */
	PORT_SHUT = 8099,   /* nobody listens: refused */
};

/* X(name, what happens, in the present tense) */
#define LAB_STEPS(X)                                                                                                   \
	X(BLACK_HOLE, "black-hole", "a SYN to an address that never answers")                                          \
	X(OPEN_CLOSE, "open-close", "a client opens, asks twice, closes; it keeps TIME-WAIT")                          \
	X(SERVER_FIRST, "server-first", "the server answers and closes first; TIME-WAIT is on its side")               \
	X(REFUSED, "refused", "a SYN to a port where nobody listens")                                                  \
	X(HALF_CLOSE, "half-close", "a client says FIN after its request; the server goes on sending")                 \
	X(RESET, "reset", "a client aborts (SO_LINGER 0): RST instead of FIN")                                         \
	X(LEAK, "leak", "the client closes, the server's application never does: CLOSE-WAIT stays")                    \
	X(OPEN_V6, "open-v6", "the same as open-close, over IPv6")                                                     \
	X(BURST, "burst", "three clients at once")

enum lab_step {
#define X(id, name, text) STEP_##id,
	LAB_STEPS(X)
#undef X
	STEP_COUNT
};

const char *lab_step_name(enum lab_step step);
const char *lab_step_text(enum lab_step step);

struct lab {
	int client_ns; /* descriptor of the client's namespace; -1: none */
	int home_ns;   /* ... of the one this process came from */
	int orders;    /* steps are written here, one byte each, for the clients' process */
	int actors;    /* how many child processes there are */
	int pid[8];
};

/* Makes both namespaces, joins the server's, sets up links and addresses. 0 or a negative errno with *what naming the
 * step that failed. */
int lab_net_open(struct lab *lab, const char **what);
/* Returns to the namespace this process came from; the others go with their last descriptor. */
void lab_net_close(struct lab *lab);

/* Starts the servers and the process that plays the clients. 0 or a negative errno. */
int lab_actors_start(struct lab *lab);
/* Lets the clients play one step; returns at once. */
void lab_play(const struct lab *lab, enum lab_step step);
/* Ends and reaps all child processes. */
void lab_actors_stop(struct lab *lab);

#endif
