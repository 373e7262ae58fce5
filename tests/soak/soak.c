/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * soak: two hours of traffic on the clock of replay, made in memory and fed as replay feeds a capture: 1,000 new connections a
 * second of eight kinds, a sweep each second as the keeper makes it. Each ten minutes and at the end every gauge is compared
 * with a recount made here; at the end all must be empty again: records, memory, descriptors; and each connection must have
 * become a flow that ended once, each event must have been read or counted as lost.
 *
 *   soak [SECONDS [RATE]]      7200 1000
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "prog/rig.h"
#include "tcp_fsm.h"

#define NS_PER_S 1000000000ULL
#define SLOT_MS 10
#define SLOTS 65536 /* 655 s: no step of a kind is longer */
#define RING_BYTES (16U << 20)
#define CHECK_S 600
#define DRAIN_S 90000 /* the longest time-out is a day */
#define FRAMES_A_DRAIN 4096
#define WARM 10 /* memory is looked at after a tenth of the time */

struct step {
	uint8_t from_server, bits;
	uint32_t after_ms, len;
};

#define OPENING { 0, TH_SYN, 0, 0 }, { 1, TH_SYN | TH_ACK, 10, 0 }, { 0, TH_ACK, 10, 0 }
#define REQUEST { 0, TH_PSH | TH_ACK, 10, 400 }, { 1, TH_ACK, 10, 0 }, { 1, TH_PSH | TH_ACK, 30, 1200 }, { 0, TH_ACK, 10, 0 }

static const struct kind {
	unsigned weight; /* of 100 */
	struct step step[14];
} kinds[] = {
	{ 40, { OPENING, REQUEST, { 0, TH_FIN | TH_ACK, 500, 0 }, { 1, TH_FIN | TH_ACK, 10, 0 }, { 0, TH_ACK, 10, 0 } } },
	{ 20, { OPENING, REQUEST, { 1, TH_FIN | TH_ACK, 2000, 0 }, { 0, TH_ACK, 10, 0 }, { 0, TH_FIN | TH_ACK, 20, 0 },
		{ 1, TH_ACK, 10, 0 } } },
	{ 10, { OPENING, REQUEST, { 0, TH_RST | TH_ACK, 100, 0 } } },
	{ 8, { { 0, TH_SYN, 0, 0 }, { 1, TH_RST | TH_ACK, 10, 0 } } },	       /* refused */
	{ 6, { { 0, TH_SYN, 0, 0 } } },					       /* unanswered */
	{ 4, { { 0, TH_SYN, 0, 0 }, { 1, TH_SYN | TH_ACK, 10, 0 } } },	       /* never completed */
	{ 8, { OPENING, REQUEST, REQUEST, { 0, TH_FIN | TH_ACK, 20000, 0 }, { 1, TH_FIN | TH_ACK, 10, 0 }, { 0, TH_ACK, 10, 0 } } },
	{ 4, { OPENING, REQUEST, { 0, TH_FIN | TH_ACK, 100000, 0 }, { 1, TH_ACK, 10, 0 }, { 1, TH_FIN | TH_ACK, 300000, 0 },
	       { 0, TH_ACK, 10, 0 } } },
};

struct talk {
	uint32_t number, next; /* index + 1 of the next one in the slot, or of the next free one */
	uint32_t seq[2];
	uint8_t kind, at;
};

static struct talk *talks;
static uint32_t talk_room, talk_free, slots[SLOTS];
static unsigned long opened, frames, events_read;
static struct ward_gauges seen;
static struct ward_reader *reader;

static void die(const char *what)
{
	printf("not ok soak: %s: %s\n", what, ward_reason());
	exit(1);
}

/* ---- connections ---- */
static uint32_t mixed(uint32_t x)
{
	x = (x ^ x >> 16) * 0x7feb352dU;
	x = (x ^ x >> 15) * 0x846ca68bU;
	return x ^ x >> 16;
}

static uint32_t new_talk(void)
{
	uint32_t got = talk_free;

	if (!got) {
		uint32_t more = talk_room ? talk_room * 2 : 65536;

		talks = realloc(talks, (more + 1) * sizeof(*talks));
		if (!talks)
			die("out of memory");
		for (uint32_t i = more; i > talk_room; i--) {
			talks[i].next = talk_free;
			talk_free = i;
		}
		talk_room = more;
		got = talk_free;
	}
	talk_free = talks[got].next;
	return got;
}

static void put_in_slot(uint32_t t, uint64_t slot)
{
	talks[t].next = slots[slot % SLOTS];
	slots[slot % SLOTS] = t;
}

static void open_talk(uint64_t slot)
{
	uint32_t t = new_talk(), luck, kind = 0;
	struct talk *c = &talks[t];

	c->number = (uint32_t)opened++;
	luck = mixed(c->number) % 100;
	while (luck >= kinds[kind].weight)
		luck -= kinds[kind++].weight;
	c->kind = (uint8_t)kind;
	c->at = 0;
	c->seq[0] = mixed(c->number + 1);
	c->seq[1] = mixed(c->number + 2);
	put_in_slot(t, slot);
}

/* A 4-tuple of its own for each 15 million connections. */
static void ends_of(const struct talk *c, struct wire_end *client, struct wire_end *server)
{
	wire_address(client, false, c->number / 60000 % 250 + 2, (uint16_t)(1024 + c->number % 60000));
	wire_address(server, false, 1, (uint16_t)(mixed(c->number) % 4 ? 443 : 80));
}

/* One segment of it, acknowledged as far as the other one is. */
static void send_step(struct rig *rig, struct talk *c, const struct step *step)
{
	struct wire_layout layout = { .name = "soak" };
	struct wire_segment seg = { .bits = step->bits, .len = step->len, .win = 64240 };
	struct wire_end client, server;
	unsigned side = step->from_server;
	uint8_t frame[WIRE_MAX];
	size_t len;

	seg.seq = c->seq[side];
	seg.ack = step->bits & TH_ACK ? c->seq[!side] : 0;
	c->seq[side] += step->len + !!(step->bits & (TH_SYN | TH_FIN));
	ends_of(c, &client, &server);
	len = wire_build(frame, &layout, side ? &server : &client, side ? &client : &server, &seg);
	rig_send(rig, HOOK_XDP, frame, len, (uint32_t)len, false, 0);
	if (++frames % FRAMES_A_DRAIN == 0)
		ward_reader_poll(reader);
}

static void play_slot(struct rig *rig, uint64_t slot)
{
	uint32_t t = slots[slot % SLOTS], next;

	slots[slot % SLOTS] = 0;
	for (; t; t = next) {
		struct talk *c = &talks[t];
		const struct step *step = kinds[c->kind].step;

		next = c->next;
		send_step(rig, c, &step[c->at]);
		if (++c->at < 14 && step[c->at].bits) {
			put_in_slot(t, slot + step[c->at].after_ms / SLOT_MS);
		} else {
			c->next = talk_free;
			talk_free = t;
		}
	}
}

/* ---- checks ---- */
static void on_event(const struct event *ev, size_t size, void *ctx)
{
	(void)ev, (void)size, (void)ctx;
	events_read++;
}

static int recount(const struct flow_key *key, const struct flow *f, bool embryo, void *ctx)
{
	(void)key, (void)ctx;
	seen.flows += !embryo;
	seen.embryos += embryo;
	seen.tombstones += tcp_gone(f->state[0]) && tcp_gone(f->state[1]);
	for (int side = 0; side < 2; side++) {
		seen.state[f->state[side]]++;
		seen.confirmed[f->state[side]] += f->known[side] & KNOWN_CONF;
	}
	return 0;
}

static bool gauges_right(struct rig *rig)
{
	struct ward_gauges g;

	rig_wait(rig, 0);
	memset(&seen, 0, sizeof(seen));
	if (ward_gauges_read(rig->w, &g) || ward_flows_each(rig->w, recount, NULL))
		die("cannot read the gauges");
	return g.flows == seen.flows && g.embryos == seen.embryos && g.tombstones == seen.tombstones &&
	       !memcmp(g.state, seen.state, sizeof(g.state)) && !memcmp(g.confirmed, seen.confirmed, sizeof(g.confirmed));
}

static int descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = 0;

	while (dir && readdir(dir))
		n++;
	closedir(dir);
	return n;
}

/* Without the connections of ours. */
static long resident_kb(void)
{
	FILE *f = fopen("/proc/self/statm", "r");
	long size, resident = 0;

	if (f && fscanf(f, "%ld %ld", &size, &resident) != 2)
		resident = 0;
	if (f)
		fclose(f);
	return resident * (sysconf(_SC_PAGESIZE) / 1024);
}

static double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static unsigned wrong_checks;

static void play(struct rig *rig, unsigned seconds, unsigned rate, long *warm_kb)
{
	double began = now_s();
	uint64_t slot = 0, slots_a_second = 1000 / SLOT_MS;
	unsigned most = 0;

	for (unsigned s = 0; s < seconds; s++) {
		for (unsigned i = 0; i < slots_a_second; i++, slot++) {
			for (unsigned n = rate * i / slots_a_second; n < rate * (i + 1) / slots_a_second; n++)
				open_talk(slot);
			play_slot(rig, slot);
			rig->now_ns += SLOT_MS * 1000000;
		}
		rig_wait(rig, 0);
		ward_reader_poll(reader);
		if (s == seconds / WARM)
			*warm_kb = resident_kb();
		if (s % CHECK_S == CHECK_S - 1 || s == seconds - 1) {
			wrong_checks += !gauges_right(rig);
			most = seen.flows > most ? (unsigned)seen.flows : most;
			printf("# %u s: %lu connections, %llu flows, %llu embryos, %ld kB, %.0f s of real time\n", s + 1, opened,
			       (unsigned long long)seen.flows, (unsigned long long)seen.embryos, resident_kb(), now_s() - began);
			fflush(stdout);
		}
	}
	for (unsigned i = 0; i < SLOTS; i++, slot++) { /* what is open comes to its end */
		play_slot(rig, slot);
		rig->now_ns += SLOT_MS * 1000000;
		if (i % slots_a_second == 0)
			rig_wait(rig, 0);
	}
	ward_reader_poll(reader);
	rig_report(most > 0 && !wrong_checks, "the gauges are those of a recount", "%u of the looks were wrong", wrong_checks);
}

static void check_end(struct rig *rig, int fds, long warm_kb)
{
	struct ward_counters c;
	unsigned long ended = 0, lost;
	bool right;

	rig_wait(rig, DRAIN_S * NS_PER_S);
	rig_wait(rig, 2 * NS_PER_S);
	right = gauges_right(rig);
	rig_report(right && !seen.flows && !seen.embryos, "in the end the tables are empty", "%llu flows, %llu embryos",
		   (unsigned long long)seen.flows, (unsigned long long)seen.embryos);
	ward_reader_poll(reader);
	lost = ward_reader_lost(reader);
	c = rig_counters(rig);
	for (int i = CNT_END_CLOSED; i <= CNT_END_EVICTED; i++)
		ended += c.counter[i];
	rig_report(c.counter[CNT_RX_SEGMENTS] == frames, "every segment was followed", "%llu of %lu",
		   (unsigned long long)c.counter[CNT_RX_SEGMENTS], frames);
	rig_report(c.counter[CNT_FLOWS_NEW] == opened, "every connection was one flow", "%llu flows of %lu connections",
		   (unsigned long long)c.counter[CNT_FLOWS_NEW], opened);
	rig_report(ended == opened, "every flow ended, once", "%lu: %llu closed, %llu reset, %llu refused, %llu timed out, %llu evicted",
		   ended, (unsigned long long)c.counter[CNT_END_CLOSED], (unsigned long long)c.counter[CNT_END_RESET],
		   (unsigned long long)c.counter[CNT_END_REFUSED], (unsigned long long)c.counter[CNT_END_TIMEOUT],
		   (unsigned long long)c.counter[CNT_END_EVICTED]);
	rig_report(!c.counter[CNT_TABLE_FULL] && !c.counter[CNT_END_EVICTED], "nothing gave way for want of room", "%llu times full",
		   (unsigned long long)c.counter[CNT_TABLE_FULL]);
	rig_report(!c.counter[CNT_CORRECTED], "the half-open gauges never drifted", "by %llu",
		   (unsigned long long)c.counter[CNT_CORRECTED]);
	rig_report(events_read >= opened && events_read == c.counter[CNT_EVENTS] && lost == c.counter[CNT_LOST_RING],
		   "every event was read, or counted as lost", "%lu read, %llu sent, %lu lost", events_read,
		   (unsigned long long)c.counter[CNT_EVENTS], lost);
	rig_report(descriptors() == fds, "no descriptor leaks", "%d, %d at the begin", descriptors(), fds);
	rig_report(resident_kb() < warm_kb + warm_kb / 10 + 4096, "no memory leaks", "%ld kB, %ld kB after a tenth of the time",
		   resident_kb(), warm_kb);
}

int main(int argc, char **argv)
{
	unsigned seconds = argc > 1 ? (unsigned)atoi(argv[1]) : 7200, rate = argc > 2 ? (unsigned)atoi(argv[2]) : 1000;
	struct rig_options opt;
	struct rig rig;
	long warm_kb = 0;
	int fds;

	rig_options_init(&opt);
	opt.ward.flows = 262144;
	opt.ward.embryos = 131072; /* sets of eight: with a place for three on average, one in 4,000 would give way */
	opt.ward.services = opt.ward.sources = 1024;
	rig_open(&rig, &opt);
	if (ward_reader_open(rig.w, RING_BYTES, on_event, NULL, &reader))
		die("cannot read events");
	fds = descriptors();
	play(&rig, seconds, rate, &warm_kb);
	check_end(&rig, fds, warm_kb);
	ward_reader_close(reader);
	rig_close(&rig);
	free(talks);
	return rig_result();
}
