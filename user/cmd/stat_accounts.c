/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* stat services, stat sources: the busiest first. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/stat.h"
#include "cmd/util.h"
#include "report/accounts.h"

#define SHOWN 20

/* Copies of records, to be sorted. */
struct pile {
	char *items;
	size_t item_size, count, size;
	unsigned half;
	bool only_prefixes;
	uint64_t corrected;
};

static int pile_add(struct pile *p, const void *item)
{
	if (p->count == p->size) {
		size_t size = p->size ? 2 * p->size : 256;
		void *items = realloc(p->items, size * p->item_size);

		if (!items)
			return -ENOMEM;
		p->items = items;
		p->size = size;
	}
	memcpy(p->items + p->count++ * p->item_size, item, p->item_size);
	return 0;
}

static int add_service(const struct service *s, unsigned half, void *ctx)
{
	struct pile *p = ctx;

	p->half = half;
	p->corrected += s->corrected;
	return pile_add(p, s);
}

static int add_source(const struct source *s, unsigned half, void *ctx)
{
	struct pile *p = ctx;

	p->half = half;
	return p->only_prefixes && !source_is_prefix(s) ? 0 : pile_add(p, s);
}

static int busier_service(const void *a, const void *b, void *ctx)
{
	const struct service *x = a, *y = b;
	unsigned half = ((const struct pile *)ctx)->half;
	uint64_t of_x = service_activity(x, half), of_y = service_activity(y, half);

	if (of_x != of_y)
		return of_x > of_y ? -1 : 1;
	return memcmp(x, y, offsetof(struct service, live));
}

static int busier_source(const void *a, const void *b, void *ctx)
{
	const struct source *x = a, *y = b;
	unsigned half = ((const struct pile *)ctx)->half;
	uint64_t of_x = source_activity(x, half), of_y = source_activity(y, half);

	if (of_x != of_y)
		return of_x > of_y ? -1 : 1;
	return memcmp(x, y, offsetof(struct source, live));
}

/* How many of them to print; of those left out a line is told. */
static size_t shown(const struct stat *st, const struct pile *p, const char *what)
{
	if (st->opt.all || p->count <= SHOWN)
		return p->count;
	fprintf(stderr, "tcpward: the busiest %d of %zu %s; -a shows all\n", SHOWN, p->count, what);
	return SHOWN;
}

/* Sorts and prints what was piled up, unless that failed; an exit code. */
static int show(struct stat *st, struct pile *p, int err, const char *what, int (*order)(const void *, const void *, void *),
		struct report *r)
{
	size_t count = 0;

	if (!err && p->count) {
		qsort_r(p->items, p->count, p->item_size, order, p);
		count = shown(st, p, what);
	}
	for (size_t i = 0; i < count; i++) {
		const void *item = p->items + i * p->item_size;

		if (p->item_size == sizeof(struct service))
			report_service(r, item, p->half);
		else
			report_source(r, item, p->half);
	}
	report_end(r);
	free(p->items);
	if (err == -ENOMEM)
		return cmd_error(EXIT_FAILED, NULL, "stat: out of memory");
	return err ? cmd_fail(err) : EXIT_OK;
}

int stat_services(struct stat *st)
{
	struct pile p = { .item_size = sizeof(struct service) };
	int err = ward_services_each(st->w, add_service, &p);
	int code = show(st, &p, err, "services", busier_service, report_services_begin(&st->style, st->opt.interval > 0));

	if (p.corrected && !st->style.json)
		printf("half-open counts had drifted, and were corrected by %llu in all\n",
		       (unsigned long long)p.corrected);
	return code;
}

int stat_sources(struct stat *st)
{
	struct pile p = { .item_size = sizeof(struct source), .only_prefixes = st->opt.prefixes };
	int err = ward_sources_each(st->w, add_source, &p);

	return show(st, &p, err, "sources and prefixes", busier_source,
		    report_sources_begin(&st->style, st->opt.interval > 0));
}
