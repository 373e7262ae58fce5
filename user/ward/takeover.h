/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* takeover: a new process, and perhaps a new build, goes on with an instance that is there: see takeover.c. */
#ifndef WARD_TAKEOVER_H
#define WARD_TAKEOVER_H

#include "ward/inside.h"

struct bpf_object;

struct takeover {
	struct ward_instance head; /* WARD_HEAD bytes of it */
	bool all;		   /* the tables too; else policy, lists and the keys of cookies alone */
	int old[PROG_COUNT];	   /* the programs so far: the way back */
	int old_map[MAP_COUNT];	   /* and the maps, where their pins are to give way */
};

/* Is there an instance of exactly these interfaces to go on with? 1: it is w->take, w has its name, and the lock, unless a keeper has it; 0: no;
 * or a negative errno, told. keep: what w is to be. */
int takeover_find(struct ward *w, enum ward_keep keep);
/* Has obj use the pinned maps that both agree on; before it is loaded. */
int takeover_reuse(struct ward *w, struct bpf_object *obj);
/* Is the map with this pin taken over? */
bool takeover_has(const struct ward *w, const char *leaf);
/* After loading: what the tables hold of the instance before. */
int takeover_loaded(struct ward *w);
/* Ends the keeper that there is, of another build, and takes its lock. */
int takeover_lock(struct ward *w);
/* Puts the new programs in the place of the old ones, each at once. After an error the old ones are back. */
int takeover_replace(struct ward *w);
/* What came after that failed: the old programs are put back into all hooks, and their pins where they were; returns err, told anew where
 * that is not all, or nobody sweeps now. */
int takeover_undo(struct ward *w, int err);
/* It is ours: the instance's record says so. */
void takeover_done(struct ward *w, enum ward_keep keep);
void takeover_free(struct ward *w);

#endif
