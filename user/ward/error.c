// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* error: the line that says what failed, and libbpf's log, which is kept rather than shown. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/libbpf.h>

#include "ward/inside.h"

static char reason[512];
static char remedy_text[512];
static char last_line[200];
static char map_name[32];
static bool fault_kept;
static bool verbose;

const char *ward_reason(void)
{
	return reason;
}

const char *ward_remedy(void)
{
	return remedy_text;
}

int ward_exit_code(int err)
{
	switch (err) {
	case 0:
		return 0;
	case -EINVAL:
		return 2;
	case -ENOENT:
		return 3;
	case -EOPNOTSUPP:
	case -ENOSYS:
		return 4;
	default:
		return err > 0 ? 0 : 1;
	}
}

int ward_fail(int err, const char *remedy, const char *fmt, ...)
{
	char text[sizeof(reason)]; /* the arguments may point into reason or remedy_text */
	char mend[sizeof(remedy_text)];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	snprintf(mend, sizeof(mend), "%s", remedy ? remedy : "");
	memcpy(reason, text, sizeof(reason));
	memcpy(remedy_text, mend, sizeof(remedy_text));
	return err;
}

/*
 * Keeps the last warning, except that the verifier's fault, once seen, is not pushed out by what libbpf says of it. Its log
 * comes in one piece; the line before the statistics ("processed N insns") names the fault.
 */
static void keep_line(const char *text)
{
	const char *end = strstr(text, "\nprocessed "), *start;
	size_t len;

	if (fault_kept)
		return;
	if (end && end > text)
		fault_kept = true;
	else
		end = text + strlen(text);
	while (end > text && end[-1] == '\n')
		end--;
	for (start = end; start > text && start[-1] != '\n'; start--)
		;
	if (!strncmp(start, "libbpf: ", 8) || !strncmp(start, "libxdp: ", 8))
		start += 8;
	len = end - start;
	if (len >= sizeof(last_line))
		len = sizeof(last_line) - 1;
	memcpy(last_line, start, len);
	last_line[len] = '\0';
}

/* libbpf closes all maps when one cannot be made: only its log says which. */
static void keep_map(const char *text)
{
	static const char begin[] = "libbpf: map '";

	if (!strncmp(text, begin, sizeof(begin) - 1) && strstr(text, "': failed to create"))
		sscanf(text + sizeof(begin) - 1, "%31[^']", map_name);
}

int log_take(int level, const char *fmt, va_list args)
{
	va_list again;
	char *text;

	va_copy(again, args);
	if (verbose)
		vfprintf(stderr, fmt, again);
	va_end(again);
	if (level == (int)LIBBPF_WARN && vasprintf(&text, fmt, args) >= 0) {
		keep_line(text);
		keep_map(text);
		free(text);
	}
	return 0;
}

static int print_log(enum libbpf_print_level level, const char *fmt, va_list args)
{
	return log_take((int)level, fmt, args);
}

void log_capture(void)
{
	libbpf_set_print(print_log);
}

const char *log_last(void)
{
	return last_line;
}

const char *log_map(void)
{
	return map_name;
}

void log_forget(void)
{
	last_line[0] = map_name[0] = '\0';
	fault_kept = false;
}

void ward_verbose(bool on)
{
	verbose = on;
	log_capture();
}
