// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * table: text columns. The first rows of a list are held back until it is known how wide their cells are; later rows,
 * and all rows of a stream, use the widths found so far. A cell that is too wide is printed whole and the ones behind
 * it give up their padding, so that a row never loses text and comes back to its columns as soon as it can.
 */
#include <stdlib.h>
#include <string.h>

#include "report/internal.h"

#define ROWS_HELD 256
#define COLUMNS_MAX 16
#define WRAP_MIN 30 /* a last column narrower than this begins below its row */
#define WRAP_INDENT 8

struct table {
	struct report_style style;
	const struct table_column *columns;
	int count;
	int width[COLUMNS_MAX];
	int filled;	/* cells of the row at hand */
	size_t used;	/* bytes of it */
	char row[2048]; /* its cells, each: colour, text, NUL */
	char *held[ROWS_HELD];
	int rows_held;
	bool hold; /* widths are not settled yet */
	bool wrap;
};

struct table *table_new(const struct report_style *style, const struct table_column *columns, int count, bool stream)
{
	struct table *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->style = *style;
	t->columns = columns;
	t->count = count < COLUMNS_MAX ? count : COLUMNS_MAX;
	t->hold = !stream;
	for (int i = 0; i < t->count; i++) {
		int header = style->no_header ? 0 : (int)strlen(columns[i].header);

		t->width[i] = stream && columns[i].width > header ? columns[i].width : header;
	}
	return t;
}

void table_wrap(struct table *t)
{
	t->wrap = t->style.width > 0;
}

static void spaces(FILE *out, int n)
{
	if (n > 0)
		fprintf(out, "%*s", n, "");
}

/* How many bytes of text go into a line of `room`: up to the last blank that fits, if there is one. */
static int line_length(const char *text, int room)
{
	int len = (int)strlen(text), cut = room;

	if (len <= room)
		return len;
	while (cut > 0 && text[cut] != ' ')
		cut--;
	return cut ? cut : room;
}

/* The last cell, from column `at` to the terminal's edge, in as many lines as it takes. */
static void print_wrapped(struct table *t, const char *text, enum colour colour, int at)
{
	int room = t->style.width - at;

	if (room < WRAP_MIN) { /* below the row, as wide as it goes */
		at = WRAP_INDENT;
		room = t->style.width > 2 * WRAP_INDENT ? t->style.width - at : WRAP_MIN;
		fprintf(t->style.out, "\n%*s", at, "");
	}
	for (;;) {
		int len = line_length(text, room);

		fprintf(t->style.out, "%s%.*s%s", colour_on(&t->style, colour), len, text, colour_off(&t->style, colour));
		text += len;
		text += *text == ' ';
		if (!*text)
			return;
		fprintf(t->style.out, "\n%*s", at, "");
	}
}

/* Prints cell i, which should end at column `stop`, from column `at`; returns where it ended. */
static int print_cell(struct table *t, int i, const char *text, enum colour colour, int at, int stop)
{
	int len = (int)strlen(text);
	int pad = stop - at - len;
	bool last = i == t->count - 1;

	if (last && t->wrap && text != t->columns[i].header) {
		print_wrapped(t, text, colour, at);
		return at;
	}
	if (pad < 0)
		pad = 0;
	if (t->columns[i].right)
		spaces(t->style.out, pad);
	fprintf(t->style.out, "%s%s%s", colour_on(&t->style, colour), text, colour_off(&t->style, colour));
	if (!t->columns[i].right && !last)
		spaces(t->style.out, pad);
	if (!last)
		fputc(' ', t->style.out);
	return at + len + pad + 1;
}

static void print_row(struct table *t, const char *row)
{
	int at = 0, stop = 0;

	for (int i = 0; i < t->count; i++) {
		const char *text = row + 1;

		stop += t->width[i];
		at = print_cell(t, i, text, (enum colour)row[0], at, stop);
		row = text + strlen(text) + 1;
		stop++;
	}
	fputc('\n', t->style.out);
}

static void print_header(struct table *t)
{
	int at = 0, stop = 0;

	if (t->style.no_header)
		return;
	t->style.no_header = true;
	for (int i = 0; i < t->count; i++) {
		stop += t->width[i];
		at = print_cell(t, i, t->columns[i].header, COLOUR_STRONG, at, stop);
		stop++;
	}
	fputc('\n', t->style.out);
}

static void release(struct table *t)
{
	print_header(t);
	for (int i = 0; i < t->rows_held; i++) {
		print_row(t, t->held[i]);
		free(t->held[i]);
	}
	t->rows_held = 0;
	t->hold = false;
}

static void row_done(struct table *t)
{
	char *copy = t->hold ? malloc(t->used) : NULL;

	if (copy) {
		memcpy(copy, t->row, t->used);
		t->held[t->rows_held++] = copy;
		if (t->rows_held == ROWS_HELD)
			release(t);
	} else {
		release(t);
		print_row(t, t->row);
	}
	t->filled = 0;
	t->used = 0;
}

void table_cell(struct table *t, const char *text, enum colour colour)
{
	size_t room = sizeof(t->row) - t->used - 2 * (size_t)(t->count - t->filled);
	size_t len = strnlen(text, room - 1);

	t->row[t->used++] = (char)colour;
	memcpy(t->row + t->used, text, len);
	t->row[t->used + len] = '\0';
	t->used += len + 1;
	if (t->hold && (int)len > t->width[t->filled])
		t->width[t->filled] = (int)len;
	if (++t->filled == t->count)
		row_done(t);
}

void table_free(struct table *t)
{
	if (!t)
		return;
	release(t);
	free(t);
}
