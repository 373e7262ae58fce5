/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* list: addresses of a file, one a line; and how a list grows. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "policy/internal.h"

#define LIST_BYTES_MAX (64UL * 1024 * 1024)
#define LIST_ERRORS 50 /* lines that are told; the others are counted */

int cidr_list_add(struct cidr_list *list, const struct cidr *c)
{
	/* room is doubled whenever the count is a power of two: 16, 32, ... */
	if (!list->count || (list->count >= 16 && !(list->count & (list->count - 1)))) {
		size_t room = list->count ? 2 * list->count : 16;
		struct cidr *grown = realloc(list->item, room * sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		list->item = grown;
	}
	list->item[list->count++] = *c;
	return 0;
}

struct list_reader {
	const char *path;
	struct cidr_list *out;
	FILE *err;
	unsigned line, errors;
};

/* The column counts characters, as an editor does, not bytes. */
static unsigned column_of(const char *line, const char *at)
{
	unsigned column = 1;

	for (; line < at; line++)
		column += ((unsigned char)*line & 0xc0) != 0x80;
	return column;
}

static void list_fault(struct list_reader *r, unsigned column, const char *text)
{
	if (r->errors++ < LIST_ERRORS)
		fprintf(r->err, "%s:%u:%u: %s\n", r->path, r->line, column, text);
}

static void list_line(struct list_reader *r, char *line)
{
	static const char blanks[] = " \t\r";
	char *comment = strchr(line, '#'), *word = line + strspn(line, blanks), *rest;
	const char *error;
	struct cidr c;

	if (comment)
		*comment = 0;
	if (!*word)
		return;
	rest = word + strcspn(word, blanks);
	if (*rest) {
		*rest++ = 0;
		rest += strspn(rest, blanks);
	}
	if (cidr_parse(word, &c, &error)) {
		list_fault(r, column_of(line, word), error);
		return;
	}
	if (*rest) {
		char words[QUOTED_LEN], text[QUOTED_LEN + 80];

		snprintf(text, sizeof(text), "more than one word, '%s': one address a line; comments begin with #",
			 quoted(rest, words));
		list_fault(r, column_of(line, word) + (unsigned)(rest - word), text);
		return;
	}
	if (r->out->count == POLICY_ENTRIES_MAX) {
		char text[80];

		snprintf(text, sizeof(text), "too long, '%s': a list has up to %d addresses", word, POLICY_ENTRIES_MAX);
		list_fault(r, column_of(line, word), text);
	} else if (cidr_list_add(r->out, &c)) {
		list_fault(r, column_of(line, word), "out of memory");
	}
}

static void list_text(struct list_reader *r, char *text, size_t len)
{
	char *end = text + len;

	if (len >= 3 && !memcmp(text, "\xef\xbb\xbf", 3))
		text += 3;
	while (text < end) {
		char *stop = memchr(text, '\n', (size_t)(end - text));
		char *nul;

		if (!stop)
			stop = end;
		*stop = 0; /* text[len] is ours too */
		r->line++;
		nul = memchr(text, 0, (size_t)(stop - text));
		if (nul)
			list_fault(r, column_of(text, nul), "a NUL byte: this is not a text file");
		else
			list_line(r, text);
		text = stop + 1;
	}
}

/* All of the file, with one byte of room behind; NULL with *why. */
static char *load(const char *path, size_t *len, const char **why)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	char *text = NULL;
	struct stat st;
	ssize_t n;

	*why = NULL;
	if (fd < 0 || fstat(fd, &st))
		*why = strerror(errno);
	else if (!S_ISREG(st.st_mode))
		*why = "it is not a file";
	else if ((uint64_t)st.st_size > LIST_BYTES_MAX)
		*why = "it is larger than 64 MiB";
	else if (!(text = malloc((size_t)st.st_size + 1)))
		*why = strerror(ENOMEM);
	for (*len = 0; !*why && *len < (size_t)st.st_size; *len += (size_t)n) {
		n = read(fd, text + *len, (size_t)st.st_size - *len);
		if (n < 0)
			*why = strerror(errno);
		if (n <= 0)
			break;
	}
	if (fd >= 0)
		close(fd);
	if (!*why)
		return text;
	free(text);
	return NULL;
}

unsigned cidr_list_load(const char *path, struct cidr_list *out, FILE *err, const char **why)
{
	struct list_reader r = { .path = path, .out = out, .err = err };
	size_t len;
	char *text = load(path, &len, why);

	if (!text)
		return 1;
	out->given = true;
	list_text(&r, text, len);
	free(text);
	if (r.errors > LIST_ERRORS)
		fprintf(err, "%s:%u:1: and %u more wrong lines\n", path, r.line, r.errors - LIST_ERRORS);
	return r.errors;
}

unsigned cidr_list_read(const char *path, struct cidr_list *out, FILE *err)
{
	const char *why;
	unsigned errors = cidr_list_load(path, out, err, &why);

	if (why)
		fprintf(err, "%s:1:1: cannot read the list, '%s': %s\n", path, path, why);
	return errors;
}
