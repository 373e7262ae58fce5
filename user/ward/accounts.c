// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * accounts: services, sources and findings of an instance, in memory that its processes share. Whoever sweeps also decides
 * what is found: user/detect/.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <bpf/bpf.h>

#include "ward/inside.h"

#define OF_OPTS(w) ((const struct detect_opts *)(w)->info->thresholds)

static size_t services_size(const struct ward *w)
{
	return w->service_room * sizeof(struct service);
}

static size_t sources_size(const struct ward *w)
{
	return w->source_room * sizeof(struct source);
}

static unsigned capacity(int map)
{
	struct bpf_map_info info;
	__u32 size = sizeof(info);

	memset(&info, 0, sizeof(info));
	return bpf_obj_get_info_by_fd(map, &info, &size) ? 0 : info.max_entries;
}

int accounts_map(struct ward *w)
{
	w->service_room = capacity(w->map[MAP_SERVICES]);
	w->source_room = capacity(w->map[MAP_SOURCES]);
	w->services = map_memory(w->map[MAP_SERVICES], services_size(w));
	w->sources = map_memory(w->map[MAP_SOURCES], sources_size(w));
	w->pairs = map_memory(w->map[MAP_PAIRS], PAIRS_KEPT * sizeof(*w->pairs));
	w->hits = map_memory(w->map[MAP_HITS], sizeof(*w->hits));
	w->findings = map_memory(w->map[MAP_FINDINGS], FINDING_ROOM * sizeof(*w->findings));
	if (w->services && w->sources && w->pairs && w->hits && w->findings)
		return 0;
	return ward_fail(-errno, errno == EPERM ? REMEDY_ROOT : "", "cannot map the memory of services and sources: %s",
			 strerror(errno));
}

static void unmap(void *memory, size_t size)
{
	if (memory)
		munmap(memory, size);
}

void accounts_free(struct ward *w)
{
	detector_free(w->detector);
	w->detector = NULL;
	unmap(w->services, services_size(w));
	unmap(w->sources, sources_size(w));
	unmap(w->pairs, PAIRS_KEPT * sizeof(*w->pairs));
	unmap(w->hits, sizeof(*w->hits));
	unmap(w->findings, FINDING_ROOM * sizeof(*w->findings));
	w->services = NULL;
	w->sources = NULL;
	w->pairs = NULL;
	w->hits = NULL;
	w->findings = NULL;
}

static int by_address(const void *a, const void *b)
{
	return memcmp(a, b, 16);
}

/* The addresses of sources and prefixes that standing findings name, sorted. Returns how many. */
static unsigned named_addresses(const struct ward *w, uint8_t named[FINDING_ROOM][16])
{
	unsigned i, count = 0;

	for (i = 0; i < FINDING_ROOM; i++) {
		const struct finding *f = &w->findings[i];

		if (f->id && !f->cleared_ns && (f->subject == SUBJECT_SOURCE || f->subject == SUBJECT_PREFIX))
			memcpy(named[count++], f->key.a_addr, 16);
	}
	qsort(named, count, 16, by_address);
	return count;
}

/* The records of sources that a finding names do not give way to others. */
static void keep_named(struct ward *w, unsigned standing)
{
	uint8_t named[FINDING_ROOM][16];
	unsigned i, count = standing ? named_addresses(w, named) : 0;

	for (i = 0; i < w->source_room; i++) {
		struct source *s = &w->sources[i];

		if (s->live && (s->kept || count))
			s->kept = count && bsearch(s->addr, named, count, 16, by_address);
	}
}

static bool is_merged(const struct ward *w)
{
	unsigned i;

	for (i = 0; i < w->info->iface_count; i++)
		if (w->info->iface[i].flags & IFACE_MERGED)
			return true;
	return false;
}

void accounts_look(struct ward *w, uint64_t now_ns)
{
	struct detect_view view = {
		.now_ns = now_ns,
		.replay = w->opt.replay,
		.tap = w->info->tap,
		.merged = is_merged(w),
		.services = w->services,
		.service_room = w->service_room,
		.sources = w->sources,
		.source_room = w->source_room,
		.pairs = w->pairs,
		.pair_room = PAIRS_KEPT,
		.half = w->control->account_half & 1,
		.hits = w->hits,
	};
	struct ward_counters counters;
	struct ward_gauges gauges;

	if (!w->first_look_ns)
		w->first_look_ns = now_ns;
	view.started_ns = w->opt.replay ? w->first_look_ns : w->control->flows_ns ? w->control->flows_ns : w->info->created_ns;
	if (!w->control->finding_next)
		w->control->finding_next = 1;
	if (!w->detector)
		w->detector = detector_new(OF_OPTS(w), w->findings, &w->control->finding_next);
	if (!w->detector || ward_counters_read(w, &counters) || ward_gauges_read(w, &gauges))
		return;
	view.counters = &counters;
	view.gauges = &gauges;
	keep_named(w, detector_tick(w->detector, &view, w->on_finding, w->on_finding_ctx));
	w->control->blind = detector_blind(w->detector) | (detector_unanswered(w->detector) ? WARD_UNANSWERED : 0);
	w->control->findings_dropped = detector_dropped(w->detector);
}

const struct finding *ward_findings(struct ward *w)
{
	return load_needed(w) ? NULL : w->findings;
}

void ward_on_finding(struct ward *w, ward_finding_fn fn, void *ctx)
{
	w->on_finding = fn;
	w->on_finding_ctx = ctx;
}

int ward_services_each(struct ward *w, int (*fn)(const struct service *s, unsigned half, void *ctx), void *ctx)
{
	int ret = load_needed(w);
	unsigned i, half;

	if (ret)
		return ret;
	half = w->control->account_half & 1;
	for (i = 0; i < w->service_room && !ret; i++)
		if (w->services[i].live)
			ret = fn(&w->services[i], half, ctx);
	return ret;
}

int ward_sources_each(struct ward *w, int (*fn)(const struct source *s, unsigned half, void *ctx), void *ctx)
{
	int ret = load_needed(w);
	unsigned i, half;

	if (ret)
		return ret;
	half = w->control->account_half & 1;
	for (i = 0; i < w->source_room && !ret; i++)
		if (w->sources[i].live)
			ret = fn(&w->sources[i], half, ctx);
	return ret;
}

unsigned ward_blind(struct ward *w)
{
	return load_needed(w) ? 0 : (unsigned)w->control->blind;
}

bool ward_unanswered(struct ward *w)
{
	return !load_needed(w) && w->control->blind & WARD_UNANSWERED && !w->info->hooks_ingress_only;
}

unsigned ward_findings_dropped(struct ward *w)
{
	return load_needed(w) ? 0 : (unsigned)w->control->findings_dropped;
}

const struct detect_opts *ward_detect_opts(const struct ward *w)
{
	return w->info ? OF_OPTS(w) : &w->opt.detect;
}
