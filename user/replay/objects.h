/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* objects: the flow objects of a replay, in order of their first packet. */
#ifndef REPLAY_OBJECTS_H
#define REPLAY_OBJECTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tcpward.h"

struct replay_object {
	struct flow_key key;
	struct flow flow; /* the last that is known of it */
	uint64_t start_ns;
	uint32_t older; /* number + 1 of the former object of this 4-tuple, 0: none */
	bool filled;	/* flow is valid */
	bool embryo;
};

struct objects {
	struct replay_object *list;
	uint32_t count, size;
	uint32_t *slots; /* number + 1 of the newest object of a key; open addressing */
	uint32_t slot_mask, keys;
};

/* Appends an object. 0 or -ENOMEM. */
int objects_add(struct objects *o, const struct flow_key *key, uint64_t start_ns);
/* Stores the record of the object that began at flow->start_ns; appends one if there is none. 0 or -ENOMEM. */
int objects_fill(struct objects *o, const struct flow_key *key, const struct flow *flow, bool embryo);
void objects_free(struct objects *o);

#endif
