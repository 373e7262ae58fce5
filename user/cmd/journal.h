/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* journal: what systemd's journal takes from a line that begins with "<N>": its priority. */
#ifndef CMD_JOURNAL_H
#define CMD_JOURNAL_H

#include <stdbool.h>
#include <stdio.h>

/* syslog(3)'s numbers */
enum journal_level { LEVEL_CRITICAL = 2, LEVEL_ERROR = 3, LEVEL_WARNING = 4, LEVEL_NOTICE = 5, LEVEL_INFO = 6 };

/* Does this stream end in the journal? JOURNAL_STREAM names the device and inode that systemd gave us. */
bool journal_takes(FILE *f);
/* "<4>" where the journal takes the stream, else "". */
const char *journal_prefix(FILE *f, enum journal_level level);

#endif
