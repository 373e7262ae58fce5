// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* layout: what tells one build from another: do they share maps, do they hold the same programs? */
#include <stddef.h>
#include <stdint.h>

#include "block_set.h"
#include "embryo.h"
#include "finding.h"
#include "ward/cookie.h"

static void hash_bytes(uint64_t *hash, const void *data, size_t len)
{
	const unsigned char *p = data;

	while (len--)
		*hash = (*hash ^ *p++) * 0x100000001b3ULL; /* FNV-1a */
}

/* What two builds must agree on to share pinned maps: sizes, places of fields, and the order of counted names. */
uint64_t layout_hash(void)
{
	static const uint32_t layout[] = {
		WARD_LAYOUT_VERSION,
		sizeof(struct flow_key),
		sizeof(struct flow),
		offsetof(struct flow, half),
		offsetof(struct flow, flags),
		offsetof(struct flow, isn),
		offsetof(struct flow, history),
		offsetof(struct flow, end_reason),
		offsetof(struct flow, seq_syn),
		sizeof(struct syn_set),
		sizeof(struct embryo_set),
		sizeof(struct service),
		sizeof(struct source),
		sizeof(struct pair),
		sizeof(struct flow_hits),
		sizeof(struct finding),
		sizeof(struct ward_counters),
		sizeof(struct ward_gauges),
		sizeof(struct ward_instance),
		sizeof(struct ward_iface),
		sizeof(struct ward_control),
		sizeof(struct cookie_keys),
		sizeof(struct cookie_conf),
		sizeof(struct block_set),
		BLOCK_SETS,
		offsetof(struct ward_control, fill_permille),
		sizeof(struct event),
		offsetof(struct event, type),
		sizeof(struct event_with_flow),
		sizeof(struct event_with_segment),
	};
	static const char names[] =
#define X(id, ...) #id ","
		WARD_FLAGS(X) WARD_REASONS(X) WARD_COUNTERS(X) WARD_STATES(X) WARD_END_REASONS(X) WARD_EVENT_TYPES(X)
			WARD_FINDINGS(X) WARD_SERVICE_COUNTERS(X) WARD_SERVICE_GAUGES(X) WARD_SOURCE_COUNTERS(X) WARD_SOURCE_GAUGES(X);
#undef X
	uint64_t hash = 0xcbf29ce484222325ULL;
	const void *bss;
	size_t size;

	hash_bytes(&hash, layout, sizeof(layout));
	hash_bytes(&hash, names, sizeof(names));
	bss = load_bss_layout(&size);
	hash_bytes(&hash, bss, size);
	return hash;
}

uint64_t build_hash(void)
{
	static uint64_t hash;
	const void *elf;
	size_t size;

	if (hash)
		return hash;
	elf = load_elf(&size);
	hash = 0xcbf29ce484222325ULL;
	hash_bytes(&hash, elf, size);
	hash_bytes(&hash, TCPWARD_VERSION, sizeof(TCPWARD_VERSION));
	return hash;
}
