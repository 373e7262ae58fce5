/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * engine: captures through the programs. It feeds packets with the capture's clock, sweeps as that
 * clock goes on, and hands events out in time order; a timer's event comes before the packet that passes its deadline.
 */
#ifndef REPLAY_ENGINE_H
#define REPLAY_ENGINE_H

#include "capture/capture.h"
#include "replay/objects.h"
#include "ward/ward.h"

/* What was found, and when it was told, in the order of telling. */
struct replay_news {
	struct finding finding;
	enum detect_news news;
};

struct replay {
	struct ward *w;
	struct ward_reader *reader;
	ward_event_fn fn; /* NULL: only objects are wanted */
	void *ctx;
	struct event_with_segment *batch; /* events since the last sweep */
	uint32_t *order;
	uint32_t batch_count, batch_size;
	struct objects objects;
	struct capture_clock clock;
	uint64_t first_ns, last_ns; /* of the packets */
	uint64_t swept_ns;
	uint64_t packets, undrained, swept_packets;
	uint64_t cut;  /* packets that end inside their link header */
	uint64_t lost; /* events that did not fit the ring buffer */
	int err;       /* what went wrong inside a callback */
	bool each_second; /* sweep so often, as it is done live: findings are wanted */
	ward_finding_fn finding_fn;
	struct replay_news *news; /* since the last sweep */
	uint32_t news_count, news_size;
	void (*before)(const struct capture_packet *packet, void *ctx); /* each packet is fed; NULL */
	uint64_t fed_ns;   /* the last packet's time */
	uint64_t quiet_ns; /* so long after it nothing new can be found */
};

/* Loads the programs for replay. fn gets each event of a state, flag, end or segment. 0 or a negative errno (told by
 * ward_reason()). */
int replay_open(const struct ward_options *opt, ward_event_fn fn, void *ctx, struct replay *r);
/* Before the first file: fn gets what is found, after the events of the time before it. The clock then stops at every second. */
void replay_want_findings(struct replay *r, ward_finding_fn fn);
/* Feeds one file. 0, or a negative errno: *error tells it if error->text is not empty, else ward_reason(). */
int replay_file(struct replay *r, const char *path, struct capture_error *error);
/* Lets the clock run on for linger_ns, then collects what still lives. 0 or a negative errno (ward_reason()). */
int replay_finish(struct replay *r, uint64_t linger_ns);
void replay_close(struct replay *r);

#endif
