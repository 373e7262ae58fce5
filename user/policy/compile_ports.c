// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * compile_ports: numbers (ports, VLAN ids) that fulfil the same conditions are one class. The numbers are walked from 0
 * up; at each border of a range the conditions that hold change.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "policy/compile.h"

#define CONDITIONS_MAX (POLICY_RULES + POLICY_SERVICES)

struct border {
	uint32_t at;
	uint16_t condition;
	int16_t step; /* 1: a range of it begins, -1: one has ended */
};

struct stretch {
	uint32_t from; /* up to the next one's */
	uint32_t services;
	uint64_t rules;
};

static int border_order(const void *a, const void *b)
{
	const struct border *x = a, *y = b;

	return (x->at > y->at) - (x->at < y->at);
}

static int class_order(const void *a, const void *b)
{
	const struct stretch *x = a, *y = b;

	if (x->rules != y->rules)
		return x->rules > y->rules ? 1 : -1;
	return (x->services > y->services) - (x->services < y->services);
}

static size_t borders_collect(const struct port_condition *conditions, unsigned count, unsigned end, struct border *out)
{
	size_t n = 0;

	for (unsigned c = 0; c < count; c++) {
		const struct range_list *l = conditions[c].ranges;

		for (size_t i = 0; i < l->count; i++) {
			uint32_t after = l->item[i].to + 1U;

			if (after > end)
				after = end;
			if (l->item[i].from >= after)
				continue;
			out[n++] = (struct border){ l->item[i].from, (uint16_t)c, 1 };
			out[n++] = (struct border){ after, (uint16_t)c, -1 };
		}
	}
	qsort(out, n, sizeof(*out), border_order);
	return n;
}

/* Walks the borders. Returns how many stretches there are, at most one more than borders. */
static size_t stretches_walk(const struct port_condition *conditions, const struct border *border, size_t borders,
			     const struct port_classes *p, struct stretch *out)
{
	uint32_t depth[CONDITIONS_MAX] = { 0 }; /* ranges of one condition may overlap */
	struct stretch now = { .services = p->any_services, .rules = p->any_rules };
	size_t n = 0;

	for (size_t i = 0; i < borders; i++) {
		const struct port_condition *c = &conditions[border[i].condition];
		uint32_t *d = &depth[border[i].condition];

		if (border[i].at != now.from) {
			out[n++] = now;
			now.from = border[i].at;
		}
		*d += (uint32_t)border[i].step;
		now.rules = *d ? now.rules | c->rules : now.rules & ~c->rules;
		now.services = *d ? now.services | c->services : now.services & ~c->services;
	}
	if (now.from < p->size)
		out[n++] = now;
	return n;
}

/* Sorts the stretches by class, and keeps one of each. */
static size_t classes_distinct(struct stretch *s, size_t count)
{
	size_t kept = 0;

	qsort(s, count, sizeof(*s), class_order);
	for (size_t i = 1; i < count; i++)
		if (class_order(&s[kept], &s[i]))
			s[++kept] = s[i];
	return kept + 1;
}

static void classes_write(const struct stretch *stretch, size_t stretches, const struct stretch *class, size_t classes,
			  struct port_classes *out)
{
	for (size_t i = 0; i < classes; i++) {
		out->rules[i] = class[i].rules;
		if (out->services)
			out->services[i] = class[i].services;
	}
	for (size_t i = 0; i < stretches; i++) {
		const struct stretch *c = bsearch(&stretch[i], class, classes, sizeof(*class), class_order);
		uint32_t to = i + 1 < stretches ? stretch[i + 1].from : out->size;

		memset(out->class + stretch[i].from, (int)(c - class), to - stretch[i].from);
	}
}

int port_classes_make(const struct port_condition *conditions, unsigned count, struct port_classes *out)
{
	size_t room = 1, borders, stretches, classes;
	struct border *border;
	struct stretch *stretch, *class;
	int ret = -ENOMEM;

	for (unsigned c = 0; c < count; c++)
		room += 2 * conditions[c].ranges->count;
	border = calloc(room, sizeof(*border));
	stretch = calloc(room, sizeof(*stretch));
	class = calloc(room, sizeof(*class));
	if (!border || !stretch || !class)
		goto out;
	borders = borders_collect(conditions, count, out->end, border);
	stretches = stretches_walk(conditions, border, borders, out, stretch);
	memcpy(class, stretch, stretches * sizeof(*class));
	classes = classes_distinct(class, stretches);
	if (classes <= POLICY_PORT_CLASSES)
		classes_write(stretch, stretches, class, classes, out);
	ret = (int)classes;
out:
	free(border);
	free(stretch);
	free(class);
	return ret;
}
