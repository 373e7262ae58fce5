/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Temporary files of the tests: tests/run.sh removes what is left below $TMPDIR, however a test ends. */
#ifndef LIB_TEMP_H
#define LIB_TEMP_H

#include <stdio.h>
#include <stdlib.h>

#define TEMP_PATH_LEN 256

/* For mkstemp(3) and mkdtemp(3): "/tmp/tcpward-NAME-XXXXXX", below $TMPDIR where it is set. */
static inline char *temp_template(const char *name, char path[TEMP_PATH_LEN])
{
	const char *dir = getenv("TMPDIR");

	snprintf(path, TEMP_PATH_LEN, "%s/tcpward-%s-XXXXXX", dir ? dir : "/tmp", name);
	return path;
}

#endif
