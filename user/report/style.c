// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* style: colour and width, decided in one place. */
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "report/internal.h"

static const char *const escapes[] = {
	[COLOUR_NONE] = "",	    [COLOUR_DIM] = "\033[2m",  [COLOUR_GOOD] = "\033[32m",
	[COLOUR_BUSY] = "\033[33m", [COLOUR_BAD] = "\033[31m", [COLOUR_STRONG] = "\033[1m",
};

static bool wants_colour(void)
{
	const char *no_color = getenv("NO_COLOR");
	const char *term = getenv("TERM");

	if (no_color && *no_color)
		return false;
	return term && *term && strcmp(term, "dumb") != 0;
}

/* Fills style for out: text, a header, colour and width of the terminal if out is one (NO_COLOR: no colour). */
void report_style_init(struct report_style *style, FILE *out)
{
	int fd = out == stdout ? STDOUT_FILENO : out ? fileno(out) : -1; /* stdout need not be a stream of libc's own */
	struct winsize size;

	memset(style, 0, sizeof(*style));
	style->out = out;
	if (!isatty(fd))
		return;
	style->colour = wants_colour();
	style->width = 80;
	if (!ioctl(fd, TIOCGWINSZ, &size) && size.ws_col)
		style->width = size.ws_col;
}

const char *colour_on(const struct report_style *style, enum colour colour)
{
	return style->colour ? escapes[colour] : "";
}

const char *colour_off(const struct report_style *style, enum colour colour)
{
	return style->colour && colour != COLOUR_NONE ? "\033[0m" : "";
}

static bool state_gone(enum tcp_state state)
{
	return state == NO_STATE || state == CLOSED;
}

enum colour state_colour(enum tcp_state orig, enum tcp_state resp)
{
	if (orig == ESTABLISHED && resp == ESTABLISHED)
		return COLOUR_GOOD;
	if (state_gone(orig) && state_gone(resp))
		return COLOUR_DIM;
	return COLOUR_BUSY;
}
