/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* fault: the errors of a file, kept until all of it is read, and then told in order of place. */
#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "policy/tree.h"

#define FAULTS_TOLD 200
#define LINE_MAX_BYTES 1000

struct fault {
	unsigned line, column, order;
	bool whole; /* text has its own "file:line:column: " */
	char *text; /* NULL: there was no memory for it */
};

static void add(struct faults *f, struct fault made)
{
	struct fault *grown;

	if (f->count == FAULTS_TOLD) {
		free(made.text);
		return;
	}
	grown = realloc(f->item, (f->count + 1) * sizeof(*grown));
	if (!grown) {
		free(made.text);
		return;
	}
	f->item = grown;
	made.order = (unsigned)f->count;
	f->item[f->count++] = made;
}

/* An error is one line of a length that can be read, whatever stands in the file. */
static void make_line(char *text)
{
	size_t cut = LINE_MAX_BYTES;

	if (!text)
		return;
	if (strlen(text) > cut + 3) {
		while (((unsigned char)text[cut] & 0xc0) == 0x80) /* not within a character */
			cut--;
		strcpy(text + cut, "...");
	}
	for (; *text; text++)
		if (iscntrl((unsigned char)*text))
			*text = ' ';
}

void fault_at(struct faults *f, unsigned line, unsigned column, const char *format, ...)
{
	struct fault made = { .line = line, .column = column };
	va_list args;

	f->total++;
	va_start(args, format);
	if (vasprintf(&made.text, format, args) < 0)
		made.text = NULL;
	va_end(args);
	make_line(made.text);
	add(f, made);
}

void fault_lines(struct faults *f, unsigned line, unsigned column, char *text, unsigned n)
{
	f->total += n;
	add(f, (struct fault){ .line = line, .column = column, .whole = true, .text = text });
}

static int in_order(const void *a, const void *b)
{
	const struct fault *x = a, *y = b;

	if (x->line != y->line)
		return x->line < y->line ? -1 : 1;
	if (x->column != y->column)
		return x->column < y->column ? -1 : 1;
	return x->order < y->order ? -1 : 1;
}

void faults_print(struct faults *f, FILE *out)
{
	if (f->count)
		qsort(f->item, f->count, sizeof(*f->item), in_order);
	for (size_t i = 0; i < f->count; i++) {
		const struct fault *one = &f->item[i];

		if (one->whole)
			fputs(one->text ? one->text : "", out);
		else
			fprintf(out, "%s:%u:%u: %s\n", f->name, one->line, one->column,
				one->text ? one->text : "out of memory");
	}
	if (f->count == FAULTS_TOLD && f->total > FAULTS_TOLD)
		fprintf(out, "%s:%u:1: more errors: the first %d are told, there are %u\n", f->name,
			f->item[f->count - 1].line, FAULTS_TOLD, f->total);
	for (size_t i = 0; i < f->count; i++)
		free(f->item[i].text);
	free(f->item);
	f->item = NULL;
	f->count = 0;
}
