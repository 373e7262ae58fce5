/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* check: what "tcpward replay --findings -j" printed, against what a scene expects. */
#ifndef FIND_CHECK_H
#define FIND_CHECK_H

#include <stdio.h>

#include "find/scene.h"

/* The objects that were printed, one a line. */
struct findings {
	struct json_object **list;
	int count, room;
};

/* Reads to the end of in. 0, or -1 where a line is no object (told on stdout as "not ok NAME: ..."). */
int findings_read(struct findings *f, FILE *in, const char *name);
void findings_free(struct findings *f);
/* Prints "ok NAME ..." or "not ok NAME: WHY" for each thing that is looked at. Returns the number of the latter. */
int check_findings(const struct scene *s, const struct findings *f, const char *name);
/* Nothing but what is allowed. Returns the number of others. */
int check_nothing(const struct scene *s, const struct findings *f, const char *name);
/* A finding of this name is there. 1: it is not. */
int check_kind(const struct findings *f, const char *finding, const char *name);

#endif
