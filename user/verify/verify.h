/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * verify: the tracked states beside the kernel's own sockets of this network namespace.
 *
 * What differs at the first look is looked at again after 200 ms of silence on that connection. What still differs
 * gets an explanation from a closed list, or none.
 */
#ifndef VERIFY_H
#define VERIFY_H

#include <stdbool.h>
#include <stdint.h>

#include "ward/sockets.h"
#include "ward/ward.h"

/* X(NAME, json member, what it means) */
#define VERIFY_CLASSES(X)                                                                                              \
	X(IN_FLIGHT, "in-flight", "agreed once the connection had been silent for 200 ms")                             \
	X(ACCEPT_QUEUE, "accept-queue", "the accept queue is full, or its listener waits for data: the kernel dropped the ACK that ends the handshake") \
	X(COOKIE, "cookie", "answered by a SYN cookie: the kernel keeps no socket until the ACK")                      \
	X(ORPHAN, "orphan", "the kernel gave up a socket that no process owned any more")                              \
	X(PENDING, "pending", "a SYN waits for an answer: until then the connection before it is shown")               \
	X(UNSENT, "unsent", "the application has closed, but its FIN waits in the socket: for the handshake, or behind data") \
	X(TW_OVERFLOW, "time-wait-overflow", "the kernel had more TIME-WAIT sockets than tcp_max_tw_buckets")         \
	X(NETFILTER, "netfilter", "a firewall rule may have dropped a segment after it was seen")                      \
	X(UNEXPLAINED, "unexplained", "none of these")

enum verify_class {
#define X(id, name, text) CLASS_##id,
	VERIFY_CLASSES(X)
#undef X
	CLASS_COUNT
};

const char *verify_class_name(enum verify_class class);
const char *verify_class_text(enum verify_class class);

/* One end of one connection in this namespace: what we say of it and what the kernel says. */
struct endpoint {
	struct flow_key key; /* vlan 0: the kernel's sockets know none */
	uint8_t side;        /* the local one */
	bool tracked;
	bool has_socket;
	bool confirmed;     /* our state of it */
	bool embryo;
	bool pending;       /* it sent a SYN that may end this connection for another one */
	bool originator;    /* it opened the connection */
	bool settled;       /* (differences) has its class */
	enum tcp_state ours;
	enum tcp_state kernel;
	uint64_t flags;     /* FLAG_* of the flow */
	uint64_t last_ns;   /* last segment of either end */
	uint64_t sent_ns;   /* ... of this end */
	uint64_t since_ns;  /* when this end entered its state */
	uint32_t ifindex;   /* the socket is bound to, 0: any */
	uint32_t expires_ms; /* the socket's timer */
	uint32_t wqueue;     /* bytes that the socket has not sent, or that were not acknowledged; its FIN counts */
	enum verify_class class;
};

/* Endpoints sorted by key and side. */
struct endpoints {
	struct endpoint *list;
	unsigned count, room;
	uint64_t now_ns; /* on the instance's clock, when it was collected */
	unsigned sockets; /* of the kernel, without LISTEN */
	unsigned flows;   /* tracked, with an end here */
};

/* What the explanations rest on, read once. */
struct verify_evidence {
	uint64_t listen_drops;      /* TcpExt ListenOverflows + ListenDrops */
	uint64_t cookies_sent;      /* TcpExt SyncookiesSent */
	uint64_t time_wait_overflow; /* TcpExt TCPTimeWaitOverflow */
	uint64_t fin_timeout_ns;    /* tcp_fin_timeout */
	bool firewall;              /* there is a netfilter table in this namespace */
};

struct verify_result {
	unsigned sockets, flows;
	unsigned compared; /* endpoints that both know, or ought to */
	unsigned agree;
	unsigned not_watched; /* sockets whose segments do not pass a watched interface */
	unsigned foreign;     /* tracked flows without an end in this namespace: forwarded, or a mirror's */
	unsigned class[CLASS_COUNT];
	struct endpoint *difference; /* each one, explained ones too */
	unsigned differences;
};

/* ---- collect.c ---- */
struct locals; /* the addresses of this namespace and which of its interfaces are watched */
int locals_open(struct ward *w, struct locals **out);
void locals_close(struct locals *l);
bool locals_has(const struct locals *l, const __u8 addr[16]);
/* Do the segments of a socket with these addresses pass a watched interface? Asks the kernel's routing. */
bool locals_watched(const struct locals *l, const __u8 laddr[16], const __u8 raddr[16], uint32_t ifindex);
/* One look: all sockets and all flows with an end here. Free with endpoints_free(). */
int endpoints_collect(struct ward *w, const struct locals *l, struct endpoints *out, unsigned *foreign);
void endpoints_free(struct endpoints *e);
const struct endpoint *endpoints_find(const struct endpoints *e, const struct flow_key *key, uint8_t side);

/* ---- explain.c ---- */
void verify_evidence_read(struct verify_evidence *ev);
/* A difference that outlived 200 ms of silence. */
enum verify_class verify_explain(const struct endpoint *e, const struct verify_evidence *ev, uint64_t now_ns);

/* ---- compare.c ---- */
/* Do both say the same, or is there nothing that could be compared? */
bool verify_agrees(const struct endpoint *e);
/* The whole comparison. Free with verify_result_free(). 0 or a negative errno (ward_reason() tells). */
int verify_run(struct ward *w, struct verify_result *out);
void verify_result_free(struct verify_result *r);
/* The rule for the exit code: any unexplained difference, or more than 1 % explained ones (one is always allowed). */
bool verify_failed(const struct verify_result *r);

#endif
