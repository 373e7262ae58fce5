/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Cache lines that a segment touches because of its flow, address or place, counted from the layout of the records. What
 * every segment touches (scratch, counters, settings, its frame) stays in the first cache, and is not counted.
 */
#include <stddef.h>
#include <stdio.h>

#include "gendoc.h"

#include "account.h"
#include "block_set.h"
#include "embryo.h"
#include "tcpward.h"

#define LINE 64
#define ELEMENT_MAX 2048
#define ENTRY_HEAD 48 /* what the kernel's hash table keeps in front of a key (struct htab_elem); tests/docs/tables.sh asks the kernel */
#define ROUND8(x) (((x) + 7) / 8 * 8)

/* Bytes of one element of an array. A key of size 0 ends a list. */
struct touched {
	unsigned at, size;
};

#define MEMBER(type, name) { offsetof(type, name), sizeof(((type *)0)->name) }

/* Of a flow's record, as track_fast() in bpf/track.h reads and writes it. */
static const struct touched fast_path[] = {
	{ 0, 8 }, MEMBER(struct flow, prev), MEMBER(struct flow, half), MEMBER(struct flow, win), MEMBER(struct flow, maxwin), { 0, 0 },
};
static const struct touched whole_flow[] = { { 0, sizeof(struct flow) }, { 0, 0 } };
static const struct touched set_head[] = { { 0, offsetof(struct syn_set, way) }, { 0, 0 } };
static const struct touched source_new[] = {
	MEMBER(struct source, addr), MEMBER(struct source, prefix_len), MEMBER(struct source, live), MEMBER(struct source, count[SOURCE_NEW]),
	{ 0, 0 },
};
static const struct touched line[] = { { 0, LINE }, { 0, 0 } };
static const struct touched word[] = { { 0, 8 }, { 0, 0 } };

/* A mean over the elements of an array of so many bytes each, which lie differently; before: what stands in front of t in each. */
static double lines_of(const struct touched *t, unsigned element, unsigned before)
{
	unsigned sum = 0;

	for (unsigned i = 0; i < LINE; i++) {
		unsigned begin = i * element % LINE;
		bool seen[ELEMENT_MAX / LINE + 1] = { false };

		for (unsigned at = 0; at < before; at++)
			seen[(begin + at) / LINE] = true;
		for (const struct touched *p = t; p->size; p++)
			for (unsigned at = 0; at < p->size; at++)
				seen[(begin + before + p->at + at) / LINE] = true;
		for (unsigned at = 0; at < sizeof(seen); at++)
			sum += seen[at];
	}
	return (double)sum / LINE;
}

static void row(const char *what, double lines, const char *which)
{
	printf("| %s | %.1f | %s |\n", what, lines, which);
}

void put_cache_lines(void)
{
	const unsigned before = ENTRY_HEAD + ROUND8(sizeof(struct flow_key)), entry = before + ROUND8(sizeof(struct flow));
	double fast = lines_of(fast_path, entry, before), whole = lines_of(whole_flow, entry, before);
	double head = lines_of(set_head, sizeof(struct syn_set), 0), place = lines_of(line, sizeof(struct syn), 0);
	double bit = lines_of(word, 8, 0), set = lines_of(line, sizeof(struct account_set), 0);
	double source = lines_of(source_new, sizeof(struct source), 0);
	double event = (double)(sizeof(struct event) + 8) / LINE;
	char text[160];

	puts("| segment | cache lines | which |\n|---|---|---|");
	snprintf(text, sizeof(text), "bucket 1, entry with its key and record %.1f of %u bytes", fast, entry);
	row("established, in order", 1 + fast, text);
	snprintf(text, sizeof(text), "bucket 1, the whole entry %.1f", whole);
	row("established, any other", 1 + whole, text);
	snprintf(text, sizeof(text), "presence bits %.0f, its set %.0f, its place %.0f; source: set %.0f, record %.1f", bit, head, place, set, source);
	row("new SYN", bit + head + place + set + source, text);
	snprintf(text, sizeof(text), "the same, and %zu bytes of the ring", sizeof(struct event) + 8);
	row("new SYN with its event", bit + head + place + set + source + event, text);
	row("SYN of an IPv4 source on the block list", bit + lines_of(line, sizeof(struct block_set), 0), "filter 1, the set that holds the address 1");
	row("any other, beside a block list", bit, "filter 1, besides the lines above");
}
