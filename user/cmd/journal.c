/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "cmd/journal.h"

#include <stdlib.h>
#include <sys/stat.h>

bool journal_takes(FILE *f)
{
	const char *named = getenv("JOURNAL_STREAM");
	unsigned long long dev, inode;
	struct stat st;

	if (!named || sscanf(named, "%llu:%llu", &dev, &inode) != 2 || fstat(fileno(f), &st))
		return false;
	return st.st_dev == dev && st.st_ino == inode;
}

const char *journal_prefix(FILE *f, enum journal_level level)
{
	static const char *const prefix[] = { [LEVEL_CRITICAL] = "<2>", [LEVEL_ERROR] = "<3>", [LEVEL_WARNING] = "<4>",
					      [LEVEL_NOTICE] = "<5>",	[LEVEL_INFO] = "<6>" };

	return journal_takes(f) ? prefix[level] : "";
}
