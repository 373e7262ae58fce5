/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "replay/objects.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_SLOTS 4096 /* a power of two */

static uint32_t key_hash(const struct flow_key *key)
{
	uint64_t words[sizeof(*key) / 8], h = 0x9e3779b97f4a7c15ULL;

	_Static_assert(sizeof(*key) % 8 == 0, "whole words");
	memcpy(words, key, sizeof(*key));
	for (size_t i = 0; i < sizeof(words) / 8; i++) {
		h = (h ^ words[i]) * 0xff51afd7ed558ccdULL;
		h ^= h >> 32;
	}
	return (uint32_t)h;
}

/* The slot of key, or the free one where it belongs. */
static uint32_t *slot_of(const struct objects *o, const struct flow_key *key)
{
	uint32_t i = key_hash(key) & o->slot_mask;

	while (o->slots[i] && memcmp(&o->list[o->slots[i] - 1].key, key, sizeof(*key)))
		i = (i + 1) & o->slot_mask;
	return &o->slots[i];
}

static int grow_slots(struct objects *o)
{
	uint32_t *old = o->slots, size = old ? (o->slot_mask + 1) * 2 : FIRST_SLOTS,
		 old_size = old ? o->slot_mask + 1 : 0;
	uint32_t *slots = calloc(size, sizeof(*slots));

	if (!slots)
		return -ENOMEM;
	o->slots = slots;
	o->slot_mask = size - 1;
	for (uint32_t i = 0; i < old_size; i++)
		if (old[i])
			*slot_of(o, &o->list[old[i] - 1].key) = old[i];
	free(old);
	return 0;
}

static int grow_list(struct objects *o)
{
	uint32_t size = o->size ? o->size * 2 : 1024;
	struct replay_object *list = realloc(o->list, size * sizeof(*list));

	if (!list)
		return -ENOMEM;
	o->list = list;
	o->size = size;
	return 0;
}

int objects_add(struct objects *o, const struct flow_key *key, uint64_t start_ns)
{
	struct replay_object *obj;
	uint32_t *slot;
	int err = 0;

	if (o->count == o->size)
		err = grow_list(o);
	if (!err && (!o->slots || o->keys > o->slot_mask / 2))
		err = grow_slots(o);
	if (err)
		return err;
	slot = slot_of(o, key);
	o->keys += !*slot;
	obj = &o->list[o->count++];
	memset(obj, 0, sizeof(*obj));
	obj->key = *key;
	obj->start_ns = start_ns;
	obj->older = *slot;
	*slot = o->count;
	return 0;
}

/* The newest object of key that began then; else the newest of which nothing is known yet. */
static struct replay_object *find(struct objects *o, const struct flow_key *key, uint64_t start_ns)
{
	struct replay_object *empty = NULL;

	for (uint32_t n = o->slots ? *slot_of(o, key) : 0; n; n = o->list[n - 1].older) {
		struct replay_object *obj = &o->list[n - 1];

		if (obj->start_ns == start_ns)
			return obj;
		if (!obj->filled && !empty)
			empty = obj;
	}
	return empty;
}

int objects_fill(struct objects *o, const struct flow_key *key, const struct flow *flow, bool embryo)
{
	struct replay_object *obj = find(o, key, flow->start_ns);

	if (!obj) {
		int err = objects_add(o, key, flow->start_ns);

		if (err)
			return err;
		obj = &o->list[o->count - 1];
	}
	obj->flow = *flow;
	obj->embryo = embryo;
	obj->filled = true;
	return 0;
}

void objects_free(struct objects *o)
{
	free(o->list);
	free(o->slots);
	memset(o, 0, sizeof(*o));
}
