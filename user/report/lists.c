// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "report/lists.h"

#include <stdlib.h>

#include "policy/list_file.h"
#include "report/internal.h"

static const struct table_column columns[] = {
	{ "ADDRESS", 18, false }, { "LEFT", 6, true }, { "HITS", 8, true }, { "BY", 7, false }, { "REASON", 0, false },
};
#define COLUMNS ((int)(sizeof(columns) / sizeof(columns[0])))

struct report *report_list_begin(const struct report_style *style)
{
	struct report *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->style = *style;
	if (style->json)
		report_list_open(r);
	else
		r->table = table_new(style, columns, COLUMNS, false);
	return r;
}

static struct json_object *item_json(const char *list, const struct list_item *item, const char *why, uint64_t now_ns)
{
	struct json_object *o = json_object_new_object();
	const struct list_entry *e = &item->entry;
	char addr[64];

	json_add(o, "v", json_number(VERSION_OF_OBJECTS));
	json_add(o, "list", json_text(list));
	json_add(o, "address", json_text(prefix_text(&item->prefix, addr)));
	json_add(o, "left_ns", !e->until_ns ? NULL : json_number(e->until_ns > now_ns ? e->until_ns - now_ns : 0));
	json_add(o, "until_ns", e->until_ns ? json_number(e->until_ns) : NULL);
	json_add(o, "added_ns", json_number(e->added_ns));
	json_add(o, "hits", json_number(e->hits));
	json_add(o, "by", json_text(list_by_name(e->by)));
	json_add(o, "reason", json_text(*why ? why : NULL));
	return o;
}

void report_list_item(struct report *r, const char *list, const struct list_item *item, const char *why, uint64_t now_ns)
{
	char addr[64], left[32], hits[24];

	if (!r)
		return;
	r->count += !r->style.json;
	if (r->style.json) {
		report_object(r, item_json(list, item, why, now_ns));
		return;
	}
	if (!r->table)
		return;
	snprintf(hits, sizeof(hits), "%llu", (unsigned long long)item->entry.hits);
	table_cell(r->table, prefix_text(&item->prefix, addr), COLOUR_NONE);
	table_cell(r->table, list_left_text(&item->entry, now_ns, left), COLOUR_NONE);
	table_cell(r->table, hits, COLOUR_NONE);
	table_cell(r->table, list_by_name(item->entry.by), COLOUR_NONE);
	table_cell(r->table, *why ? why : "-", COLOUR_NONE);
}
