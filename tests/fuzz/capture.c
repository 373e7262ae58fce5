// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * From a capture file to flow objects: the reader and the clock of replay (user/capture/), the parser and the tracker, all
 * natively, and the report. The input is the file. It is replayed twice, and must come out the same, byte by byte; besides:
 *
 * - a packet is no longer than what is handed out, nor than it was on the wire
 * - the clock never goes back, and within a second of the file's stamps unless they went back
 * - a segment is no longer than its packet; states go along the edges, counters never fall (edges.h)
 * - what is refused is refused with a line; a file that is cut short gives what stands before the cut
 *
 * Each of this can fail: tests/fuzz/selftest plants mistakes that it must find.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "capture/capture.h"
#include "fuzz/edges.h"
#include "fuzz/fuzz.h"
#include "native/native.h"
#include "native/tracker.h"
#include "report/report.h"

#define FLOWS 32	 /* of one file; segments of others do not count */
#define PACKETS_MAX 2000 /* of one file */

struct replayed {
	struct report_style style;
	struct report *report;
	char *text;
	size_t size;
	struct flow_key key[FLOWS];
	struct tracker tracker[FLOWS];
	unsigned flows, packets;
	struct capture_clock clock;
};

/* ---- the file ---- */
static char path[40];

static void file_of(const uint8_t *data, size_t size)
{
	static int fd = -1;

	if (fd < 0) {
		fd = memfd_create("capture", 0);
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	}
	MUST(fd >= 0 && !ftruncate(fd, 0) && pwrite(fd, data, size, 0) == (ssize_t)size, "no file");
}

/* ---- segments ---- */
static void print_flow(struct replayed *r, const struct tracker *t)
{
	struct flow_view view = { .key = &r->key[t - r->tracker], .flow = &t->flow, .now_ns = r->clock.now_ns };

	report_flow(r->report, &view);
}

static void over(const struct tracker *t, void *ctx)
{
	print_flow(ctx, t);
}

static struct tracker *tracker_of(struct replayed *r, const struct flow_key *key)
{
	struct track_opts opts;
	struct tracker *t;

	for (unsigned i = 0; i < r->flows; i++)
		if (!memcmp(&r->key[i], key, sizeof(*key)))
			return &r->tracker[i];
	if (r->flows == FLOWS)
		return NULL;
	t = &r->tracker[r->flows];
	r->key[r->flows++] = *key;
	track_opts_init(&opts);
	tracker_init(t, &opts);
	t->over = over;
	t->ctx = r;
	return t;
}

static void segment(struct replayed *r, const struct segment *seg)
{
	struct tracker *t = tracker_of(r, &seg->key);
	struct flow was;
	bool lived;

	if (!t)
		return;
	tracker_clock(t, seg->now_ns);
	was = t->flow;
	lived = t->alive;
	tracker_segment(t, seg);
	check_moves(lived ? &was : NULL, t, seg);
}

static void packet(struct replayed *r, const struct capture_packet *p)
{
	uint64_t before = r->clock.now_ns;
	struct native_parsed parsed;
	struct native_frame frame = { .len = (__u32)p->len, .wire_len = p->wire_len, .tag = VLAN_UNSEEN, .l3 = p->l3,
				      .replay = 1 };
	uint8_t *copy;
	int reason;

	frame.now_ns = capture_clock_tick(&r->clock, p->ts_ns);
	MUST(r->clock.now_ns >= before, "the clock went back");
	MUST(p->len <= CAPTURE_BYTES, "%zu bytes", p->len);
	MUST(p->len <= p->wire_len, "%zu bytes of %u", p->len, p->wire_len);
	if (!p->len)
		return;
	copy = malloc(p->len);
	memcpy(copy, p->data, p->len);
	frame.data = copy;
	reason = native_parse(&frame, &parsed);
	free(copy);
	fprintf(r->style.out, "%d ", reason);
	if (reason != NATIVE_PARSED)
		return;
	MUST(parsed.seg.len <= p->wire_len, "payload of %u in %u", parsed.seg.len, p->wire_len);
	segment(r, &parsed.seg);
}

static void replay_once(struct replayed *r)
{
	struct capture_error error;
	struct capture_packet p;
	struct capture *c = NULL;
	int err;

	memset(r, 0, sizeof(*r));
	memset(&error, 0xa5, sizeof(error));
	r->style.json = true;
	r->style.out = open_memstream(&r->text, &r->size);
	r->report = report_flows_begin(&r->style, true);
	err = capture_open(path, &c, &error);
	MUST(err <= 0 && (!err || (!c && memchr(error.text, '\0', sizeof(error.text)) && *error.text)), "open: %d", err);
	while (!err && r->packets++ < PACKETS_MAX) {
		err = capture_next(c, &p, &error);
		if (err <= 0)
			break;
		err = 0;
		packet(r, &p);
	}
	MUST(err <= 0 && (!err || (memchr(error.text, '\0', sizeof(error.text)) && *error.text)), "next: %d", err);
	capture_close(c);
	if (err)
		fprintf(r->style.out, "%d: %s %s\n", err, error.text, error.remedy);
	for (unsigned i = 0; i < r->flows; i++)
		if (r->tracker[i].alive)
			print_flow(r, &r->tracker[i]);
	fprintf(r->style.out, "%u %llu %llu\n", r->packets, (unsigned long long)r->clock.now_ns,
		(unsigned long long)r->clock.reordered);
	report_end(r->report);
	fclose(r->style.out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct replayed once, again;

	file_of(data, size);
	replay_once(&once);
	replay_once(&again);
	MUST(once.size == again.size && !memcmp(once.text, again.text, once.size), "once:\n%.2000s\nagain:\n%.2000s", once.text,
	     again.text);
	free(once.text);
	free(again.text);
	return 0;
}
