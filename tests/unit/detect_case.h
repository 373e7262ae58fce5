/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The head of a test of the detector: each case begins with a rig of its own, and in it what the file is about. */
#ifndef DETECT_CASE_H
#define DETECT_CASE_H

#include "detect_rig.h"

static struct rig *r;

/* Each file's own: makes in r what its cases are about. */
static void begin(void);

static int setup(void **state)
{
	(void)state;
	r = rig_new();
	begin();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	rig_free(r);
	return 0;
}

/* Within a case: from the beginning. */
static inline void anew(void)
{
	teardown(NULL);
	setup(NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
