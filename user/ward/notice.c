// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Notices: what happens in the background of an instance, told a line each to the command that has asked for them. */
#include <stdarg.h>
#include <stdio.h>

#include "ward/inside.h"

#define LINE_LEN 512 /* no reason is longer: error.c */

void ward_on_notice(struct ward *w, void (*fn)(const char *line, void *ctx), void *ctx)
{
	w->on_notice = fn;
	w->on_notice_ctx = ctx;
}

void ward_notice(struct ward *w, const char *fmt, ...)
{
	char line[LINE_LEN];
	va_list args;

	if (!w->on_notice)
		return;
	va_start(args, fmt);
	vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	w->on_notice(line, w->on_notice_ctx);
}
