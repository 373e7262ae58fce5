// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "policy/list_file.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "policy/policy.h"

#define NS_PER_S 1000000000ULL
#define ERRORS_SHOWN 20
#define BLANKS " \t\r\n"

static const char *const by_names[] = {
	[LISTED_BY_HAND] = "hand",
	[LISTED_BY_LIMIT] = "limit",
	[LISTED_BY_FINDING] = "finding",
	[LISTED_BY_FILE] = "file",
};
#define BYS (sizeof(by_names) / sizeof(by_names[0]))

const char *list_by_name(enum list_by by)
{
	return by < BYS ? by_names[by] : "?";
}

const char *list_reason(const struct list_entry *entry, char buf[32])
{
	snprintf(buf, 32, "%.*s", (int)sizeof(entry->reason), entry->reason);
	for (char *at = buf; *at; at++) /* lists come from anywhere, and terminals obey what is printed */
		if ((unsigned char)*at < ' ' || *at == 0x7f)
			*at = '?';
	return buf;
}

void list_reason_set(struct list_entry *entry, const char *reason)
{
	size_t len = strlen(reason);

	memset(entry->reason, 0, sizeof(entry->reason));
	memcpy(entry->reason, reason, len < sizeof(entry->reason) ? len : sizeof(entry->reason));
}

const char *list_left_text(const struct list_entry *entry, uint64_t now_ns, char buf[32])
{
	static const struct {
		uint64_t s;
		char letter;
	} units[] = { { 86400, 'd' }, { 3600, 'h' }, { 60, 'm' }, { 1, 's' } };
	uint64_t left;
	size_t used = 0;

	if (!entry->until_ns)
		return strcpy(buf, "-");
	left = entry->until_ns > now_ns ? (entry->until_ns - now_ns + NS_PER_S - 1) / NS_PER_S : 0;
	if (!left)
		return strcpy(buf, "0s");
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]) && used < 32; i++) {
		if (left >= units[i].s)
			used += (size_t)snprintf(buf + used, 32 - used, "%llu%c", (unsigned long long)(left / units[i].s),
						 units[i].letter);
		left %= units[i].s;
	}
	return buf;
}

/* ---- reading ---- */
struct reading {
	const char *name;
	const struct list_file_opts *opts;
	FILE *err;
	unsigned line, errors;
	struct list_item *item;
	size_t count, room;
};

static void fault(struct reading *r, size_t column, const char *text)
{
	if (r->errors++ < ERRORS_SHOWN)
		fprintf(r->err, "%s:%u:%zu: %s\n", r->name, r->line, column, text);
}

/* The next word of *rest, which is terminated; NULL: none is left. */
static char *next_word(char **rest)
{
	char *word = *rest + strspn(*rest, BLANKS), *end;

	if (!*word)
		return NULL;
	end = word + strcspn(word, BLANKS);
	*rest = end;
	if (*end) {
		*end = '\0';
		*rest = end + 1;
	}
	return word;
}

static bool is_given(const char *word)
{
	return word && strcmp(word, "-");
}

static int by_parse(const char *word, enum list_by *by)
{
	for (size_t i = 0; i < BYS; i++)
		if (!strcmp(word, by_names[i])) {
			*by = (enum list_by)i;
			return 0;
		}
	return -EINVAL;
}

static int count_read(const char *word, __u64 *count)
{
	char *end;

	errno = 0;
	*count = strtoull(word, &end, 10);
	return !isdigit((unsigned char)*word) || *end || errno ? -EINVAL : 0;
}

/* The columns behind the address; false: told. */
static bool read_columns(struct reading *r, const char *line, char *rest, struct list_entry *entry)
{
	char *left = next_word(&rest), *hits = left ? next_word(&rest) : NULL, *by = hits ? next_word(&rest) : NULL;
	const char *error = NULL;
	uint64_t ns;
	char text[160];

	entry->until_ns = left ? 0 : r->opts->until_ns;
	if (is_given(left)) {
		if (duration_parse(left, &ns, &error)) {
			fault(r, (size_t)(left - line) + 1, error);
			return false;
		}
		entry->until_ns = r->opts->now_ns + ns;
	}
	if (is_given(hits) && count_read(hits, &entry->hits)) {
		snprintf(text, sizeof(text), "not a number of hits, '%.40s': a line is ADDRESS [LEFT [HITS [BY [REASON]]]]", hits);
		fault(r, (size_t)(hits - line) + 1, text);
		return false;
	}
	if (is_given(by) && by_parse(by, &entry->by)) {
		snprintf(text, sizeof(text), "not hand, limit, finding or file, '%.40s'", by);
		fault(r, (size_t)(by - line) + 1, text);
		return false;
	}
	if (!by)
		return true;
	rest += strspn(rest, BLANKS);
	for (size_t len = strlen(rest); len && strchr(BLANKS, rest[len - 1]); len--)
		rest[len - 1] = '\0';
	list_reason_set(entry, is_given(rest) ? rest : "");
	return true;
}

static void keep(struct reading *r, const struct list_item *item, size_t column)
{
	if (r->count == LIST_FILE_MAX) {
		char text[64];

		snprintf(text, sizeof(text), "too many entries: at most %d", LIST_FILE_MAX);
		fault(r, column, text);
	}
	if (r->count >= LIST_FILE_MAX)
		return;
	if (r->count == r->room) {
		size_t room = r->room ? 2 * r->room : 1024;
		struct list_item *more = realloc(r->item, room * sizeof(*more));

		if (!more) {
			fault(r, column, "out of memory");
			return;
		}
		r->item = more;
		r->room = room;
	}
	r->item[r->count++] = *item;
}

static void read_line(struct reading *r, char *line)
{
	struct list_item item = { .entry = { .by = LISTED_BY_FILE } };
	char *comment = strchr(line, '#'), *rest = line, *word;
	const char *error = NULL;
	struct cidr cidr;

	if (comment)
		*comment = '\0';
	word = next_word(&rest);
	if (!word || (!r->count && !strcmp(word, "ADDRESS")))
		return;
	if (cidr_parse(word, &cidr, &error)) {
		fault(r, (size_t)(word - line) + 1, error);
		return;
	}
	item.prefix = cidr.prefix;
	if (r->opts->reason)
		list_reason_set(&item.entry, r->opts->reason);
	if (read_columns(r, line, rest, &item.entry))
		keep(r, &item, (size_t)(word - line) + 1);
}

/* Stable, so that the last line of an address is the last of its kind. */
static void sort(struct list_item *item, size_t count, struct list_item *spare)
{
	size_t half = count / 2, a = 0, b = half, n = 0;

	if (count < 2)
		return;
	sort(item, half, spare);
	sort(item + half, count - half, spare);
	memcpy(spare, item, count * sizeof(*item));
	while (a < half || b < count)
		item[n++] = b == count || (a < half && prefix_compare(&spare[a], &spare[b]) <= 0) ? spare[a++] : spare[b++];
}

static void drop_doubles(struct reading *r)
{
	struct list_item *spare = malloc((r->count + 1) * sizeof(*spare));
	size_t n = 0;

	if (!spare) {
		fault(r, 1, "out of memory");
		return;
	}
	sort(r->item, r->count, spare);
	free(spare);
	for (size_t i = 0; i < r->count; i++)
		if (i + 1 == r->count || prefix_compare(&r->item[i], &r->item[i + 1]))
			r->item[n++] = r->item[i];
	r->count = n;
}

unsigned list_file_read(FILE *in, const char *name, const struct list_file_opts *opts, struct list_item **items,
			size_t *count, FILE *err)
{
	struct reading r = { .name = name, .opts = opts, .err = err };
	char *line = NULL;
	size_t size = 0;
	ssize_t len;

	while (errno = 0, (len = getline(&line, &size, in)) >= 0) {
		r.line++;
		if (memchr(line, '\0', (size_t)len))
			fault(&r, strlen(line) + 1, "a NUL byte: this is not a text file");
		else
			read_line(&r, line);
	}
	if (ferror(in))
		fault(&r, 1, strerror(errno));
	free(line);
	if (!r.errors)
		drop_doubles(&r);
	if (r.errors) {
		free(r.item);
		if (r.errors > ERRORS_SHOWN)
			fprintf(err, "%s: and %u errors more\n", name, r.errors - ERRORS_SHOWN);
		return r.errors;
	}
	*items = r.item;
	*count = r.count;
	return 0;
}
