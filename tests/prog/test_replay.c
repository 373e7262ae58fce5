// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The conformance vectors as capture files, through "tcpward replay" as a user runs it: the state pair after every packet
 * from its events, then flags, conn_state and history of the flow object. Also that two runs print the same bytes.
 * Traces with the same options share a capture, one after the other, told apart by the client's port.
 */
#include <arpa/inet.h>
#include <pcap/pcap.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <json-c/json.h>

#include "lib/temp.h"
#include "lib/vectors.h"

#define CLIENT_PORT 40000 /* + number of the trace */
#define SERVER_PORT 80
#define START_NS 1700000000000000000ULL
#define SPACING_NS 500000000000ULL /* between two traces */

static int failed;
static char dir[TEMP_PATH_LEN];

/* One frame: Ethernet, IPv4, TCP with the options of the vector, payload cut away by the snap length. */
static int frame(uint8_t *at, const struct vector_step *st, uint16_t client)
{
	uint8_t *ip = at + 14, *tcp = ip + 20, *opt = tcp + 20;
	uint16_t sport = st->from_client ? client : SERVER_PORT, dport = st->from_client ? SERVER_PORT : client;
	uint32_t v;
	int hlen;

	memset(at, 0, 14 + 20 + 60);
	at[12] = 0x08;
	ip[0] = 0x45;
	ip[8] = 64;
	ip[9] = 6;
	memcpy(ip + 12, st->from_client ? "\xc0\x00\x02\x0a" : "\xc0\x00\x02\x01", 4);
	memcpy(ip + 16, st->from_client ? "\xc0\x00\x02\x01" : "\xc0\x00\x02\x0a", 4);
	tcp[0] = sport >> 8, tcp[1] = (uint8_t)sport;
	tcp[2] = dport >> 8, tcp[3] = (uint8_t)dport;
	v = htonl(st->seq), memcpy(tcp + 4, &v, 4);
	v = htonl(st->ack), memcpy(tcp + 8, &v, 4);
	tcp[13] = st->bits;
	tcp[14] = st->win >> 8, tcp[15] = (uint8_t)st->win;
	if (st->has_ts) {
		*opt++ = 1, *opt++ = 1, *opt++ = 8, *opt++ = 10;
		v = htonl(st->ts), memcpy(opt, &v, 4);
		opt += 8;
	}
	if (st->has_ws)
		*opt++ = 1, *opt++ = 3, *opt++ = 3, *opt++ = st->ws;
	hlen = (int)(opt - tcp);
	tcp[12] = (uint8_t)(hlen / 4 << 4);
	v = 20 + hlen + st->len;
	ip[2] = v >> 8, ip[3] = (uint8_t)v;
	return 14 + 20 + hlen;
}

/* A trace in its capture. */
struct placed {
	const struct vector_trace *t;
	uint64_t start_ns;
	int first_pkt; /* number of its first packet */
	uint16_t client;
};

/* Appends the trace; returns the number of packets written. */
static int write_trace(pcap_dumper_t *out, const struct placed *p)
{
	uint64_t now = p->start_ns;
	uint8_t data[128];
	int i, count = 0;

	for (i = 0; i < p->t->count; i++) {
		const struct vector_step *st = &p->t->steps[i];
		struct pcap_pkthdr h = {0};

		now += st->wait_ns;
		if (st->wait)
			continue;
		h.ts.tv_sec = (time_t)(now / 1000000000ULL);
		h.ts.tv_usec = (suseconds_t)(now % 1000000000ULL);
		h.caplen = (bpf_u_int32)frame(data, st, p->client);
		h.len = h.caplen + st->len;
		pcap_dump((u_char *)out, &h, data);
		count++;
	}
	return count;
}

static void write_capture(struct placed *placed, int count, const char *path)
{
	pcap_t *p = pcap_open_dead_with_tstamp_precision(DLT_EN10MB, 128, PCAP_TSTAMP_PRECISION_NANO);
	pcap_dumper_t *out = pcap_dump_open(p, path);
	int i, pkt = 1;

	for (i = 0; i < count; i++) {
		placed[i].first_pkt = pkt;
		pkt += write_trace(out, &placed[i]);
	}
	pcap_dump_close(out);
	pcap_close(p);
}

static void bad(const struct vector_trace *t, const char *fmt, const char *a, const char *b)
{
	failed++;
	printf("# %s: ", t->id);
	printf(fmt, a, b);
	putchar('\n');
}

/* Runs replay; returns its output lines as JSON objects in an array. */
static struct json_object *replay(const struct vector_trace *t, const char *path, const char *how)
{
	struct json_object *all = json_object_new_array(), *one;
	char command[400], *line = NULL;
	size_t room = 0;
	FILE *in;

	snprintf(command, sizeof(command), "build/tcpward replay -j --flows 1024 --embryos 1024 %s%s --msl %d %s%s --linger 400 %s state all", how,
		 t->tap ? " --tap" : "", t->msl2 / 2, t->rfc1337 ? "--rfc1337" : "", t->loose ? "" : " --no-pickup", path);
	in = popen(command, "r");
	while (getline(&line, &room, in) > 0) {
		one = json_tokener_parse(line);
		if (one)
			json_object_array_add(all, one);
		else
			bad(t, "'%s' printed no JSON: %s", command, line);
	}
	free(line);
	if (pclose(in))
		bad(t, "'%s' failed%s", command, "");
	return all;
}

static const char *text(struct json_object *o, const char *member)
{
	struct json_object *v = json_object_object_get(o, member);

	return v ? json_object_get_string(v) : "";
}

static bool truth(struct json_object *o, const char *member)
{
	return json_object_get_boolean(json_object_object_get(o, member));
}

/* The vectors' names are the RFC's but for punctuation. */
static void want_name(const struct vector_step *st, int who, bool started, char *buf, int n)
{
	const char *name = vector_state_name(st->state[who]);
	char *c;

	if (!strcmp(name, "SYN_RCVD"))
		name = "SYN_RECEIVED";
	if (!strcmp(name, "EXPIRED") || !started)
		name = "CLOSED";
	snprintf(buf, n, "%s%s", name, st->conf[who] ? "" : "?");
	for (c = buf; *c; c++)
		if (*c == '_')
			*c = '-';
}

/* The pair of the client and the server, as the events tell it. */
struct told {
	char state[2][24];
	bool started, ended;
	uint64_t flags;
};

static bool concerns(struct json_object *o, uint16_t client)
{
	return json_object_get_int(json_object_object_get(o, "sport")) == client ||
	       json_object_get_int(json_object_object_get(o, "dport")) == client;
}

static void follow(struct told *told, struct json_object *ev, uint16_t port)
{
	const char *type = text(ev, "type");
	struct json_object *flags = json_object_object_get(ev, "flags");
	bool client = json_object_get_int(json_object_object_get(ev, "sport")) == port;
	size_t i;

	if (!strcmp(type, "state")) {
		told->started = true;
		told->ended = false;
		snprintf(told->state[!client], 24, "%s%s", text(ev, "orig_state"), truth(ev, "orig_confirmed") ? "" : "?");
		snprintf(told->state[client], 24, "%s%s", text(ev, "resp_state"), truth(ev, "resp_confirmed") ? "" : "?");
	} else if (!strcmp(type, "end")) {
		told->ended = true;
	} else if (!strcmp(type, "flag")) {
		for (i = 0; i < json_object_array_length(flags); i++)
			told->flags |= vector_flag(json_object_get_string(json_object_array_get_idx(flags, i)));
	}
}

/* true: the event is not due yet at packet pkt and time now */
static bool later(struct json_object *ev, int pkt, uint64_t now)
{
	struct json_object *number = json_object_object_get(ev, "pkt");

	return number ? json_object_get_int(number) > pkt
		      : (uint64_t)json_object_get_int64(json_object_object_get(ev, "ts_ns")) > now;
}

static int check_steps(const struct placed *p, struct json_object *events)
{
	const struct vector_trace *t = p->t;
	struct told told = {.state = {"CLOSED", "CLOSED"}};
	size_t next = 0, count = json_object_array_length(events);
	uint64_t now = p->start_ns;
	int i, pkt = p->first_pkt - 1, who, pairs = 0;
	char want[24], flags[400], have[400];

	for (i = 0; i < t->count; i++) {
		const struct vector_step *st = &t->steps[i];

		now += st->wait_ns;
		pkt += !st->wait;
		for (; next < count; next++) {
			struct json_object *ev = json_object_array_get_idx(events, next);

			if (!concerns(ev, p->client))
				continue;
			if (later(ev, pkt, now))
				break;
			follow(&told, ev, p->client);
		}
		for (who = 0; who < 2; who++, pairs++) {
			if (st->state[who] == VECTOR_EXPIRED) {
				if (!told.ended)
					bad(t, "expired, but no end was told%s%s", "", "");
				continue;
			}
			want_name(st, who, told.started, want, sizeof(want));
			if (strcmp(want, told.state[who])) {
				char where[40];

				snprintf(where, sizeof(where), "line %d, %s: ", st->line, who ? "server" : "client");
				printf("# %s", where);
				bad(t, "want %s, told %s", want, told.state[who]);
			}
		}
	}
	if (told.started && told.flags != t->flags)
		bad(t, "want flags %s, told %s", vector_flags_text(t->flags, flags, sizeof(flags)),
		    vector_flags_text(told.flags, have, sizeof(have)));
	return pairs;
}

static void check_flow(const struct placed *p, struct json_object *flows)
{
	struct json_object *last = NULL, *one;
	const struct vector_trace *t = p->t;
	size_t i;

	for (i = 0; i < json_object_array_length(flows); i++) {
		one = json_object_array_get_idx(flows, i);
		if (concerns(one, p->client))
			last = one;
	}
	if (!last) {
		if (strcmp(t->conn_state, "OTH"))
			bad(t, "want conn_state %s, no flow%s", t->conn_state, "");
		return;
	}
	if (strcmp(text(last, "conn_state"), t->conn_state))
		bad(t, "want conn_state %s, have %s", t->conn_state, text(last, "conn_state"));
	if (t->history[0] && strcmp(text(last, "history"), t->history))
		bad(t, "want history %s, have %s", t->history, text(last, "history"));
}

static int run_group(struct placed *group, int count)
{
	const struct vector_trace *t = group[0].t;
	struct json_object *events, *again, *flows, *end;
	int i, pairs = 0;
	char path[TEMP_PATH_LEN + 40];

	snprintf(path, sizeof(path), "%s/%s.pcap", dir, t->id);
	write_capture(group, count, path);
	events = replay(t, path, "--events");
	again = replay(t, path, "--events");
	flows = replay(t, path, "");
	end = json_object_array_get_idx(events, json_object_array_length(events) - 1);
	if (!end || strcmp(text(end, "type"), "summary"))
		bad(t, "the last line is no summary%s%s", "", "");
	if (strcmp(json_object_to_json_string(events), json_object_to_json_string(again)))
		bad(t, "two replays differ%s%s", "", "");
	for (i = 0; i < count; i++) {
		pairs += check_steps(&group[i], events);
		check_flow(&group[i], flows);
	}
	json_object_put(events);
	json_object_put(again);
	json_object_put(flows);
	unlink(path);
	return pairs;
}

static bool same_options(const struct vector_trace *a, const struct vector_trace *b)
{
	return a->msl2 == b->msl2 && a->rfc1337 == b->rfc1337 && a->loose == b->loose && a->tap == b->tap;
}

static void run_file(const char *path)
{
	struct vector_trace *t;
	int i, k, n, count = vectors_read(path, &t), before = failed, pairs = 0, captures = 0;
	struct placed *group = calloc((size_t)count, sizeof(*group));
	bool *done = calloc((size_t)count, sizeof(*done));

	for (i = 0; i < count; i++) {
		for (n = 0, k = i; k < count; k++) {
			if (done[k] || !same_options(&t[i], &t[k]))
				continue;
			group[n] = (struct placed){&t[k], START_NS + n * SPACING_NS, 0, (uint16_t)(CLIENT_PORT + k)};
			done[k] = true;
			n++;
		}
		if (n) {
			pairs += run_group(group, n);
			captures++;
		}
	}
	printf("# %s: %d traces in %d captures, %d states compared\n", path, count, captures, pairs);
	if (failed == before && count && pairs)
		printf("ok replay: %s\n", path);
	else
		printf("not ok replay: %s: %d differences\n", path, failed - before);
	fflush(stdout);
	free(group);
	free(done);
}

int main(void)
{
	if (geteuid()) {
		printf("skip replay: needs root (BPF)\n");
		return 0;
	}
	if (!mkdtemp(temp_template("replay", dir))) {
		perror(dir);
		return 1;
	}
	run_file("tests/vectors/tcp-conformance.txt");
	run_file("tests/vectors/tcpward.txt");
	rmdir(dir);
	return failed != 0;
}
