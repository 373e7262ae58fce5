// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* read: the tables of an instance, as they are while the programs go on writing. A record may be a segment apart from
 * itself: each field is whole, two of them need not be of the same moment. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "embryo.h"
#include "ward/inside.h"

#define FLOWS_PER_BATCH 4096 /* 1.1 MB */
#define SETS_PER_BATCH 128   /* 0.3 MB */

#define CURSOR_MAX 64 /* bytes: a bucket's number, or a key */

static int read_failed(int err, enum ward_map map)
{
	return ward_fail(err, err == -EPERM ? REMEDY_ROOT : "", "cannot read map '%s': %s", ward_map_names[map],
			 strerror(-err));
}

static int batch_each(const char *keys, size_t key_size, const char *values, size_t value_size, unsigned count,
		      batch_fn fn, void *ctx)
{
	unsigned i;
	int ret;

	for (i = 0; i < count; i++) {
		ret = fn(keys + i * key_size, values + i * value_size, ctx);
		if (ret)
			return ret;
	}
	return 0;
}

/* The kernel hands out whole buckets of a HASH: one that does not fit (ENOSPC) needs more room. */
int map_fd_each(int fd, enum ward_map map, size_t key_size, size_t value_size, unsigned batch, batch_fn fn, void *ctx)
{
	char *keys = malloc(batch * key_size), *values = malloc(batch * value_size);
	unsigned char cursor[CURSOR_MAX], next[CURSOR_MAX];
	bool first = true, last = false;
	__u32 count;
	int err = 0;

	if (!keys || !values)
		err = read_failed(-ENOMEM, map);
	while (!err && !last) {
		count = batch;
		if (bpf_map_lookup_batch(fd, first ? NULL : cursor, next, keys, values, &count, NULL)) {
			last = errno == ENOENT;
			if (!last) {
				err = read_failed(-errno, map);
				break;
			}
		}
		err = batch_each(keys, key_size, values, value_size, count, fn, ctx);
		memcpy(cursor, next, sizeof(cursor));
		first = false;
	}
	free(keys);
	free(values);
	return err;
}

int map_each(struct ward *w, enum ward_map map, size_t key_size, size_t value_size, unsigned batch, batch_fn fn, void *ctx)
{
	return map_fd_each(w->map[map], map, key_size, value_size, batch, fn, ctx);
}

struct walk {
	ward_flow_fn fn;
	void *ctx;
};

static bool is_live(const struct flow *flow)
{
	return (flow->phase & PHASE_LIFE) == PHASE_LIVE;
}

static int visit_flow(const void *key, const void *value, void *ctx)
{
	const struct walk *walk = ctx;
	const struct flow *flow = value;

	return is_live(flow) ? walk->fn(key, flow, false, walk->ctx) : 0;
}

static int visit_records(const void *key, const void *value, void *ctx)
{
	const struct embryo_set *set = value;
	const struct walk *walk = ctx;
	int i, ret = 0;

	(void)key;
	for (i = 0; i < EMBRYO_WAYS && !ret; i++)
		if (is_live(&set->way[i].flow))
			ret = walk->fn(&set->way[i].key, &set->way[i].flow, true, walk->ctx);
	return ret;
}

static int visit_syns(const void *key, const void *value, void *ctx)
{
	const struct syn_set *set = value;
	const struct walk *walk = ctx;
	struct flow_key syn;
	struct flow flow;
	int i, ret = 0;

	(void)key;
	for (i = 0; i < EMBRYO_WAYS && !ret; i++) {
		if (!set->syns.tag[i])
			continue;
		syn_key(&set->way[i], &syn);
		memset(&flow, 0, sizeof(flow));
		flow.phase = PHASE_LIVE;
		syn_expand(&set->way[i], &flow);
		ret = walk->fn(&syn, &flow, true, walk->ctx);
	}
	return ret;
}

/* In the order in which flows move, so that none is missed: a SYN that becomes a record meanwhile may come twice. */
static int each_embryo(struct ward *w, struct walk *walk)
{
	int ret = map_each(w, MAP_SYNS, sizeof(__u32), sizeof(struct syn_set), SETS_PER_BATCH, visit_syns, walk);

	return ret ? ret : map_each(w, MAP_EMBRYOS, sizeof(__u32), sizeof(struct embryo_set), SETS_PER_BATCH, visit_records, walk);
}

int ward_flows_each(struct ward *w, ward_flow_fn fn, void *ctx)
{
	struct walk walk = { .fn = fn, .ctx = ctx };
	int err = load_needed(w);

	if (err)
		return err;
	err = map_each(w, MAP_FLOWS, sizeof(struct flow_key), sizeof(struct flow), FLOWS_PER_BATCH, visit_flow, &walk);
	if (err)
		return err;
	return each_embryo(w, &walk);
}

struct wanted {
	const struct flow_key *key;
	struct flow *out;
};

static int match_embryo(const struct flow_key *key, const struct flow *flow, bool embryo, void *ctx)
{
	struct wanted *wanted = ctx;

	(void)embryo;
	if (memcmp(key, wanted->key, sizeof(*key)))
		return 0;
	*wanted->out = *flow;
	return 1;
}

int ward_flow_get(struct ward *w, const struct flow_key *key, struct flow *out, bool *embryo)
{
	struct wanted wanted = { .key = key, .out = out };
	struct walk walk = { .fn = match_embryo, .ctx = &wanted };
	struct flow flow;
	int found = load_needed(w);

	if (found)
		return found;
	if (!bpf_map_lookup_elem(w->map[MAP_FLOWS], key, &flow) && is_live(&flow)) {
		*out = flow;
		*embryo = false;
		return 0;
	}
	found = each_embryo(w, &walk);
	if (found < 0)
		return found;
	if (!found)
		return ward_fail(-ESRCH, "", "no such flow");
	*embryo = true;
	return 0;
}

static void add_up(__u64 *sum, const __u64 *part, size_t n)
{
	while (n--)
		*sum++ += *part++;
}

int ward_counters_read(struct ward *w, struct ward_counters *sum)
{
	const size_t words = sizeof(*sum) / sizeof(__u64);
	int cpus = libbpf_num_possible_cpus(), i, err = load_needed(w);
	struct ward_counters *parts;
	__u32 zero = 0;

	_Static_assert(sizeof(*sum) % sizeof(__u64) == 0, "per-CPU values are padded to 8 bytes");
	if (err)
		return err;
	parts = cpus > 0 ? calloc(cpus, sizeof(*parts)) : NULL;
	if (!parts)
		return read_failed(-ENOMEM, MAP_COUNTERS);
	if (bpf_map_lookup_elem(w->map[MAP_COUNTERS], &zero, parts)) {
		err = read_failed(-errno, MAP_COUNTERS);
	} else {
		memset(sum, 0, sizeof(*sum));
		for (i = 0; i < cpus; i++)
			add_up((__u64 *)sum, (const __u64 *)&parts[i], words);
	}
	free(parts);
	return err;
}

int ward_gauges_read(struct ward *w, struct ward_gauges *out)
{
	struct ward_gauges gauges;
	__u32 zero = 0;
	int err = load_needed(w);

	if (err)
		return err;
	if (bpf_map_lookup_elem(w->map[MAP_GAUGES], &zero, &gauges))
		return read_failed(-errno, MAP_GAUGES);
	*out = gauges;
	return 0;
}
