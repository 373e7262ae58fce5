/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* output: standard output, and why it failed, which stdio forgets when it writes at a full buffer rather than when it is asked. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/util.h"

static int failure; /* errno of the first write that failed; 0: none did */
static bool finished;

/* fopencookie() wants all of it written, and 0 for an error. */
static ssize_t write_all(void *cookie, const char *data, size_t size)
{
	size_t done = 0;
	ssize_t n;

	(void)cookie;
	while (done < size) {
		n = write(STDOUT_FILENO, data + done, size - done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			if (!failure)
				failure = errno;
			return 0;
		}
		done += (size_t)n;
	}
	return (ssize_t)size;
}

/* argp ends the program by itself after --help. */
static void at_exit(void)
{
	if (!finished && output_finish(EXIT_OK) != EXIT_OK)
		_exit(EXIT_FAILED);
}

void output_begin(void)
{
	FILE *out = fopencookie(NULL, "w", (cookie_io_functions_t){ .write = write_all });

	if (!out)
		return; /* without memory it fails elsewhere */
	if (isatty(STDOUT_FILENO))
		setvbuf(out, NULL, _IOLBF, 0);
	stdout = out;
	atexit(at_exit);
}

static bool reader_gone(void)
{
	struct pollfd fd = { .fd = STDOUT_FILENO };

	return poll(&fd, 1, 0) > 0 && (fd.revents & (POLLERR | POLLHUP));
}

bool output_alive(void)
{
	return !ferror(stdout) && !reader_gone();
}

/* Where it goes: " ('/var/log/flows')"; "" for a pipe or a socket. */
static const char *where(char *text, size_t size)
{
	char path[256];
	ssize_t len = readlink("/proc/self/fd/1", path, sizeof(path) - 1);

	*text = '\0';
	if (len > 0 && *path == '/')
		snprintf(text, size, " ('%.*s')", (int)len, path);
	return text;
}

int output_finish(int code)
{
	char text[sizeof("/proc") + 256];

	finished = true;
	if (!fflush(stdout) && !ferror(stdout))
		return code;
	if (failure == EPIPE || reader_gone())
		return EXIT_OK;
	fprintf(stderr, "tcpward: cannot write to standard output%s: %s\n", where(text, sizeof(text)),
		failure ? strerror(failure) : "write error");
	return EXIT_FAILED;
}
