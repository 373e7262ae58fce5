// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* A finding in one line of plain words, each number with its threshold. */
#include <stdarg.h>
#include <stdio.h>

#include "detect/internal.h"
#include "report/report.h"

#define LINE 320

struct line {
	const struct finding *f;
	char *buf;
	size_t used;
	bool flow; /* about one flow */
	char subject[140];
};

__attribute__((format(printf, 2, 3))) static void add(struct line *l, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(l->buf + l->used, LINE - l->used, format, args);
	va_end(args);
	if (n > 0)
		l->used = l->used + (size_t)n < LINE ? l->used + (size_t)n : LINE - 1;
}

static uint64_t value(const struct line *l, unsigned i)
{
	return l->f->evidence[i];
}

static uint64_t limit(const struct line *l, unsigned i)
{
	return l->f->limit[i];
}

/* "1 flow", "12 flows"; things: the plural. "at least" where not all were listed. */
static void add_count(struct line *l, uint64_t n, const char *thing, const char *things)
{
	add(l, "%llu %s", (unsigned long long)n, n == 1 ? thing : things);
}

static void add_first(struct line *l, const char *thing, const char *things)
{
	if (l->f->at_least)
		add(l, "at least ");
	add_count(l, value(l, 0), thing, things);
}

static void add_about(struct line *l, const char *thing, const char *things)
{
	add(l, "about ");
	add_first(l, thing, things);
}

static void add_limit(struct line *l, unsigned i)
{
	add(l, ", limit %llu", (unsigned long long)limit(l, i));
}

/* "12 s", "5 min", "2 h 10 min": whole seconds; a part of one only below a second */
static void add_time(struct line *l, uint64_t ns)
{
	unsigned long long s = ns / DETECT_SECOND;

	if (!s)
		add(l, "%llu ms", (unsigned long long)(ns / 1000000));
	else if (s < 120)
		add(l, "%llu s", s);
	else if (s < 7200)
		add(l, "%llu min", s / 60);
	else
		add(l, "%llu h", s / 3600);
}

static void add_age(struct line *l, unsigned i)
{
	char text[32];

	add_time(l, value(l, i));
	if (limit(l, i))
		add(l, ", limit %s", param_text(UNIT_TIME, limit(l, i), text));
}

/* of: what it is a share of, with a space before it */
static void add_percent(struct line *l, unsigned i, const char *of)
{
	add(l, "%llu %%%s, limit %llu %%", (unsigned long long)value(l, i), of, (unsigned long long)limit(l, i));
}

static void add_times(struct line *l, uint64_t n)
{
	if (n == 1)
		add(l, "once");
	else if (n == 2)
		add(l, "twice");
	else
		add(l, "%llu times", (unsigned long long)n);
}

/* " to 192.0.2.10:443", where all samples agree. before: the word between. */
static void add_service(struct line *l, const char *before)
{
	struct home home;
	char text[60];

	if (l->f->subject != SUBJECT_SERVICE && common_service(l->f, &home))
		add(l, " %s %s", before, endpoint_text(home.addr, home.port, text));
}

/* ---- one for each kind ---- */
static void stale_syn(struct line *l)
{
	if (l->flow) {
		add(l, "%s: nothing has answered the SYN for ", l->subject);
		add_age(l, 1);
		if (value(l, 2)) {
			add(l, "; sent again ");
			add_times(l, value(l, 2));
		}
		return;
	}
	if (l->f->subject == SUBJECT_SERVICE) {
		add(l, "%s leaves ", l->subject);
		add_first(l, "SYN", "SYNs");
		add(l, " of %llu sources unanswered, the oldest for ", (unsigned long long)value(l, 5));
		add_age(l, 1);
		return;
	}
	add(l, "%s has ", l->subject);
	add_first(l, "SYN", "SYNs");
	add_service(l, "to");
	add(l, " that nothing answers");
	if (value(l, STALE_ROW)) {
		add(l, ", %llu within 10 s", (unsigned long long)value(l, STALE_ROW));
		add_limit(l, STALE_ROW);
	}
	add(l, "; the oldest for ");
	add_age(l, 1);
}

static void half_open(struct line *l)
{
	if (l->flow) {
		add(l, "%s: the handshake has been half done for ", l->subject);
		add_age(l, 1);
		add(l, "; the SYN-ACK was sent again ");
		add_times(l, value(l, 2));
		add_limit(l, 2);
		return;
	}
	add(l, "%s %s ", l->subject, l->f->subject == SUBJECT_SERVICE ? "has" : "holds");
	add_first(l, "half-open connection", "half-open connections");
	if (l->f->subject == SUBJECT_SERVICE) {
		add(l, " of %llu sources; the oldest for ", (unsigned long long)value(l, 5));
		add_age(l, 1);
		return;
	}
	add_service(l, "to");
	if (value(l, 4) && (value(l, 0) >= limit(l, 0) || !value(l, 1))) {
		add_limit(l, 0);
		add(l, "; %llu %% of its handshakes complete", (unsigned long long)value(l, 3));
		return;
	}
	add(l, "; the oldest for ");
	add_age(l, 1);
	add(l, ", the SYN-ACK sent again up to ");
	add_times(l, value(l, 2));
	add_limit(l, 2);
}

static void syn_flood(struct line *l)
{
	add(l, "%s has ", l->subject);
	add_first(l, "half-open connection", "half-open connections");
	add_limit(l, 0);
	add(l, "; ");
	add_percent(l, 1, " of its handshakes complete");
	add(l, "; ");
	add_count(l, value(l, 4), "SYN", "SYNs");
	add(l, " in 10 s");
}

static void accept_queue_full(struct line *l)
{
	if (l->flow)
		add(l, "%s: the client completed the handshake, the application does not accept it", l->subject);
	else {
		add(l, "%s does not accept ", l->subject);
		add_first(l, "connection whose client completed the handshake",
			  "connections whose clients completed the handshake");
	}
	add(l, "; the SYN-ACK was sent again %s", l->flow ? "" : "up to ");
	add_times(l, value(l, 1));
	add_limit(l, 1);
}

static void dead_peer(struct line *l)
{
	if (l->flow) {
		add(l, "%s: one end %s", l->subject, value(l, 1) ? "has been silent for " : "");
	} else {
		add(l, "%s: one end of ", l->subject);
		add_first(l, "connection", "connections");
		add(l, "%s", value(l, 1) ? " is silent, the longest for " : " ");
	}
	if (!value(l, 1)) {
		add(l, "turned out to know nothing of it");
		return;
	}
	add_age(l, 1);
	if (value(l, 2)) {
		add(l, "; ");
		add_count(l, value(l, 2), "segment or probe", "segments or probes");
		add(l, " without an answer");
		add_limit(l, 2);
	}
}

static void time_wait_buildup(struct line *l)
{
	add(l, "%s: ", l->subject);
	add_first(l, "connection", "connections");
	add(l, " in TIME-WAIT, limit %llu; ", (unsigned long long)limit(l, 0));
	add_percent(l, 1, " of the client's ports");
	add(l, "; load, not an attack: usual for a busy proxy");
}

static void time_wait_reuse(struct line *l)
{
	add(l, "%s used ", l->subject);
	add_first(l, "port", "ports");
	add_service(l, "to");
	add(l, " again within 2MSL in 10 s");
	add_limit(l, 0);
}

static void time_wait_assassination(struct line *l)
{
	add(l, "%s: ", l->subject);
	if (value(l, 1) < limit(l, 1)) { /* one was enough: it was exact */
		add(l, l->flow ? "a RST ended TIME-WAIT early" : "RSTs ended TIME-WAIT of ");
		if (!l->flow) {
			add_first(l, "connection", "connections");
			add(l, " early");
		}
		return;
	}
	if (!l->flow) {
		add_first(l, "connection", "connections");
		add(l, ", up to ");
	}
	add_count(l, value(l, 1), "RST", "RSTs");
	add(l, " against TIME-WAIT, limit of inexact ones %llu", (unsigned long long)limit(l, 1));
}

static void fin_storm(struct line *l)
{
	if (l->f->subject == SUBJECT_SOURCE) {
		add(l, "%s sent ", l->subject);
		add_first(l, "FIN", "FINs");
		add_service(l, "to");
		add(l, " again into TIME-WAIT in 10 s");
		add_limit(l, 0);
		return;
	}
	add(l, "%s: ", l->subject);
	add_count(l, value(l, 1), "FIN", "FINs");
	add(l, " sent again in 10 s on one flow");
	add_limit(l, 1);
	if (!l->flow) {
		add(l, "; ");
		add_count(l, value(l, 2), "such flow", "such flows");
	}
}

static void time_wait_pinning(struct line *l)
{
	add(l, "%s: ", l->subject);
	if (!l->flow) {
		add_first(l, "connection", "connections");
		add(l, " ");
	}
	add(l, "kept in TIME-WAIT");
	if (value(l, 2)) {
		add(l, l->flow ? " for " : ", the longest for ");
		add_time(l, value(l, 2));
	}
	add(l, ", 2MSL started again %s", l->flow ? "" : "up to ");
	add_times(l, value(l, 1));
	add_limit(l, 1);
}

static void port_exhaustion(struct line *l)
{
	add(l, "%s: ", l->subject);
	add_first(l, "local port", "local ports");
	add(l, " in use, ");
	add(l, "%llu %% of %llu, limit %llu %%", (unsigned long long)value(l, 1), (unsigned long long)value(l, 2),
	    (unsigned long long)limit(l, 1));
}

static void close_wait_leak(struct line *l)
{
	if (l->flow) {
		add(l, "%s: idle in CLOSE-WAIT for ", l->subject);
		add_age(l, 1);
		add(l, "; the application does not close");
		return;
	}
	add(l, "%s: ", l->subject);
	add_first(l, "connection", "connections");
	add(l, " idle in CLOSE-WAIT");
	if (value(l, 0) >= limit(l, 0))
		add_limit(l, 0);
	add(l, ", the longest for ");
	add_age(l, 1);
	if (value(l, 2))
		add(l, "; %llu more in 30 s", (unsigned long long)value(l, 2));
}

static void fin_wait_2_hang(struct line *l)
{
	add(l, "%s: ", l->subject);
	if (l->flow) {
		add(l, "idle in FIN-WAIT-2 for ");
	} else {
		add_first(l, "connection", "connections");
		add(l, " idle in FIN-WAIT-2, the longest for ");
	}
	add_age(l, 1);
	add(l, "; the peer does not send its FIN");
}

static void last_ack_flood(struct line *l)
{
	char text[32];

	add(l, "%s: ", l->subject);
	add_first(l, "connection has", "connections have");
	add(l, " waited in LAST-ACK for more than %s", param_text(UNIT_TIME, limit(l, 4), text));
	add_limit(l, 0);
	add(l, "; %llu %% of its %llu flows are in LAST-ACK or CLOSING, limit %llu %%", (unsigned long long)value(l, 1),
	    (unsigned long long)value(l, 3), (unsigned long long)limit(l, 1));
}

static void backscatter(struct line *l)
{
	add(l, "%s gets SYN-ACKs that it never asked for, from ", l->subject);
	add_about(l, "end", "different ends");
	add(l, " in 10 s");
	add_limit(l, 0);
	add(l, ": somebody sends SYNs in its name");
}

static void reflection(struct line *l)
{
	add(l, "%s never completes ", l->subject);
	add_first(l, "handshake", "handshakes");
	add_service(l, "with");
	add(l, " whose SYN-ACKs are sent again and again");
	add_limit(l, 0);
	add(l, ": somebody aims them at it");
}

static void out_of_state_flood(struct line *l)
{
	if (l->f->subject == SUBJECT_PREFIX && !l->f->prefix_len) {
		add_first(l, "segment", "segments");
		add(l, " of no connection in 10 s, from everywhere");
		add_limit(l, 0);
		return;
	}
	add(l, "%s %s ", l->subject, l->f->subject == SUBJECT_SERVICE ? "gets" : "sends");
	add_first(l, "segment", "segments");
	add_service(l, "to");
	add(l, " that %s no connection in 10 s", value(l, 0) == 1 ? "fits" : "fit");
	add_limit(l, 0);
	if (value(l, 1))
		add(l, "; of no connection, from everywhere: %llu, limit %llu", (unsigned long long)value(l, 1),
		    (unsigned long long)limit(l, 1));
}

static void bad_flags(struct line *l)
{
	add(l, "%s sent ", l->subject);
	add_first(l, "segment", "segments");
	add_service(l, "to");
	add(l, " with impossible control bits in 60 s");
	add_limit(l, 0);
}

static void port_scan(struct line *l)
{
	unsigned long long hosts = value(l, 2), ports = value(l, 3);

	add(l, "%s tried ", l->subject);
	add_about(l, "target", "targets");
	if (hosts == 1)
		add(l, " (ports of one host)");
	else if (ports == 1)
		add(l, " (one port of many hosts)");
	else if (hosts && ports)
		add(l, " (%llu ports, %llu hosts)", ports, hosts);
	add(l, " in vain");
	add_limit(l, 0);
	add(l, "; ");
	add_percent(l, 1, " of its attempts succeed");
	if (value(l, SCAN_ONE_WAY))
		add(l, "; one direction of its connections is not seen: they may be answered another way");
}

static void zero_window(struct line *l)
{
	if (l->f->subject == SUBJECT_SOURCE || l->f->subject == SUBJECT_PREFIX) {
		add(l, "%s opened ", l->subject);
		add_first(l, "connection", "connections");
		add_service(l, "to");
		add(l, " with its window shut in 60 s");
		add_limit(l, 0);
		return;
	}
	add(l, "%s: ", l->subject);
	if (l->flow) {
		add(l, "the receiver has kept its window shut for ");
	} else {
		add_first(l, "receiver keeps its window", "receivers keep their windows");
		add(l, " shut, the longest for ");
	}
	add_age(l, 1);
}

static void rst_injection(struct line *l)
{
	add(l, "%s: ", l->subject);
	if (!l->flow) {
		add_first(l, "connection", "connections");
		add(l, ", ");
	}
	if (value(l, 1) < limit(l, 1)) { /* one was enough: it was exact */
		add(l, "ended by a RST that the peer did not send: it went on after it");
		return;
	}
	add(l, "%s", l->flow ? "" : "up to ");
	add_count(l, value(l, 1), "RST that the peer did not send", "RSTs that the peer did not send");
	add_limit(l, 1);
}

static void syn_injection(struct line *l)
{
	add(l, "%s: ", l->subject);
	if (!l->flow) {
		add_first(l, "open connection", "open connections");
		add(l, " got a SYN that the peer did not send, limit 1");
		return;
	}
	add(l, "a SYN into the open connection that the peer did not send, limit 1");
}

static void retransmission(struct line *l)
{
	const char *what = l->f->subject == SUBJECT_SOURCE ? "SYNs" : "SYN-ACKs";

	add(l, "%s: ", l->subject);
	if (value(l, 2)) {
		add_first(l, "segment", "segments");
		add(l, " sent again");
		if (!l->flow) {
			add(l, " on ");
			add_count(l, value(l, 2), "connection", "connections");
		}
		add_limit(l, 0);
		add(l, l->flow ? ", " : ", up to ");
		add_percent(l, 1, " of an end's segments");
	}
	if (!value(l, 3))
		return;
	add(l, "%s", value(l, 2) ? "; " : "");
	if (value(l, 4) <= value(l, 5))
		add(l, "%llu of %llu %s sent again in 10 s, ", (unsigned long long)value(l, 4),
		    (unsigned long long)value(l, 5), what);
	else
		add(l, "%llu %s sent again %llu times in 10 s, ", (unsigned long long)value(l, 5), what,
		    (unsigned long long)value(l, 4));
	add_percent(l, 3, "");
}

static void abort_rate(struct line *l)
{
	add(l, "%s: ", l->subject);
	add_first(l, "connection", "connections");
	add(l, " reset in 10 s");
	add_limit(l, 0);
	add(l, "; ");
	add_percent(l, 1, " of those that ended");
}

static void syn_data(struct line *l)
{
	add(l, "%s sent ", l->subject);
	add_first(l, "SYN", "SYNs");
	add_service(l, "to");
	add(l, " with data that was not accepted in 10 s");
	add_limit(l, 0);
}

static void (*const texts[FINDING_COUNT])(struct line *) = {
	[FINDING_STALE_SYN] = stale_syn,
	[FINDING_HALF_OPEN] = half_open,
	[FINDING_SYN_FLOOD] = syn_flood,
	[FINDING_ACCEPT_QUEUE_FULL] = accept_queue_full,
	[FINDING_DEAD_PEER] = dead_peer,
	[FINDING_TIME_WAIT_BUILDUP] = time_wait_buildup,
	[FINDING_TIME_WAIT_REUSE] = time_wait_reuse,
	[FINDING_TIME_WAIT_ASSASSINATION] = time_wait_assassination,
	[FINDING_FIN_STORM] = fin_storm,
	[FINDING_TIME_WAIT_PINNING] = time_wait_pinning,
	[FINDING_PORT_EXHAUSTION] = port_exhaustion,
	[FINDING_CLOSE_WAIT_LEAK] = close_wait_leak,
	[FINDING_FIN_WAIT_2_HANG] = fin_wait_2_hang,
	[FINDING_LAST_ACK_FLOOD] = last_ack_flood,
	[FINDING_BACKSCATTER] = backscatter,
	[FINDING_REFLECTION] = reflection,
	[FINDING_OUT_OF_STATE_FLOOD] = out_of_state_flood,
	[FINDING_BAD_FLAGS] = bad_flags,
	[FINDING_PORT_SCAN] = port_scan,
	[FINDING_ZERO_WINDOW] = zero_window,
	[FINDING_RST_INJECTION] = rst_injection,
	[FINDING_SYN_INJECTION] = syn_injection,
	[FINDING_RETRANSMISSION] = retransmission,
	[FINDING_ABORT_RATE] = abort_rate,
	[FINDING_SYN_DATA] = syn_data,
};

/*
 * It rests on segments that anybody can send in the name of another, and their source did not show in 60 s that it is there.
 * Of few stale SYNs that is nothing special, and without a record nobody knows.
 */
static bool may_be_forged(const struct finding *f)
{
	int row = completed_row(f->kind);

	if (row < 0 || f->evidence[row] || (f->subject != SUBJECT_SOURCE && (f->subject != SUBJECT_PREFIX || !f->prefix_len)))
		return false;
	if (f->kind == FINDING_STALE_SYN)
		return f->evidence[STALE_ROW];
	return f->kind != FINDING_HALF_OPEN || f->evidence[COMPLETION_ROW + 1];
}

const char *finding_text(const struct finding *f, char buf[320])
{
	struct line l = { .f = f, .buf = buf, .flow = f->subject == SUBJECT_FLOW };

	buf[0] = 0;
	finding_subject_text(f, l.subject);
	if (f->kind >= FINDING_COUNT)
		return buf;
	texts[f->kind](&l);
	if (f->peak > f->evidence[0] && (f->cleared_ns || (f->evidence[0] < f->limit[0] && f->peak >= f->limit[0])))
		add(&l, "; %llu at its worst", (unsigned long long)f->peak);
	if (may_be_forged(f))
		add(&l, "; no handshake of it completed: the address%s may be forged",
		    f->subject == SUBJECT_PREFIX ? "es" : "");
	return buf;
}
