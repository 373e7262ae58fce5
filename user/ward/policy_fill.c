// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* policy_fill: what stands in maps of its own for each policy (tables of addresses, classes of ports), and the counts that go
 * with its rules from one policy to the next. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "policy/policy.h"
#include "ward/inside.h"

#define TABLES 4

static const struct table {
	enum ward_map map;
	const char *name;
	bool prefixes;
	size_t offset; /* in struct policy_image */
} tables[TABLES] = {
	{ MAP_POLICY_SADDR, "saddr", false, offsetof(struct policy_image, saddr_exact) },
	{ MAP_POLICY_DADDR, "daddr", false, offsetof(struct policy_image, daddr_exact) },
	{ MAP_POLICY_SPREFIX, "sprefix", true, offsetof(struct policy_image, saddr_prefix) },
	{ MAP_POLICY_DPREFIX, "dprefix", true, offsetof(struct policy_image, daddr_prefix) },
};

static const struct policy_table *table_of(const struct policy_image *image, int i)
{
	return (const struct policy_table *)((const char *)image + tables[i].offset);
}

/* ---- tables ---- */

static int make(const struct table *kind, const struct policy_table *table)
{
	LIBBPF_OPTS(bpf_map_create_opts, lpm, .map_flags = BPF_F_NO_PREALLOC);
	__u32 key_size = kind->prefixes ? sizeof(struct address_prefix) : sizeof(table->item->prefix.addr);
	int fd = bpf_map_create(kind->prefixes ? BPF_MAP_TYPE_LPM_TRIE : BPF_MAP_TYPE_HASH, kind->name, key_size,
				sizeof(struct policy_class), table->count, kind->prefixes ? &lpm : NULL);

	return fd < 0 ? -errno : fd;
}

static int fill(int fd, const struct table *kind, const struct policy_table *table)
{
	size_t i;

	for (i = 0; i < table->count; i++) {
		const struct policy_address *a = &table->item[i];
		const void *key = kind->prefixes ? (const void *)&a->prefix : a->prefix.addr;

		if (bpf_map_update_elem(fd, key, &a->class, BPF_ANY))
			return -errno;
	}
	return 0;
}

int policy_tables_make(const struct policy_image *image, struct policy_tables *out)
{
	struct policy_tables made = { .map = { -1, -1, -1, -1 } };
	int i, err = 0;

	for (i = 0; i < TABLES && !err; i++) {
		const struct policy_table *table = table_of(image, i);

		if (!table->count)
			continue;
		made.map[i] = make(&tables[i], table);
		err = made.map[i] < 0 ? made.map[i] : fill(made.map[i], &tables[i], table);
		if (err)
			ward_fail(err, err == -EPERM ? REMEDY_ROOT : err == -EMFILE ? "raise the limit: ulimit -n 1024" : "",
				  "cannot make the policy's table '%s' of %zu %s: %s", tables[i].name, table->count,
				  tables[i].prefixes ? "prefixes" : "addresses", strerror(-err));
	}
	if (err)
		policy_tables_free(&made);
	else
		*out = made;
	return err;
}

void policy_tables_free(struct policy_tables *made)
{
	int i;

	for (i = 0; i < TABLES; i++) {
		if (made->map[i] >= 0)
			close(made->map[i]);
		made->map[i] = -1;
	}
}

int policy_tables_put(struct ward *w, unsigned slot, const struct policy_image *image, const struct policy_tables *made)
{
	__u32 index = slot;
	int i;

	for (i = 0; i < TABLES; i++) {
		int outer = w->map[tables[i].map];

		if (made->map[i] < 0) {
			bpf_map_delete_elem(outer, &index); /* of the policy before last; the packet path does not look there */
			continue;
		}
		if (bpf_map_update_elem(outer, &index, &made->map[i], BPF_ANY))
			return ward_fail(-errno, "", "cannot put the policy's table '%s' into '%s': %s", tables[i].name,
					 ward_map_names[tables[i].map], strerror(errno));
	}
	if (bpf_map_update_elem(w->map[MAP_POLICY_PORTS], &index, &image->ports, BPF_ANY))
		return ward_fail(-errno, "", "cannot write map '%s': %s", ward_map_names[MAP_POLICY_PORTS], strerror(errno));
	return 0;
}

/* ---- counts ---- */

static int counts_failed(int err)
{
	return ward_fail(err, err == -EPERM ? REMEDY_ROOT : "", "cannot read or write map '%s': %s",
			 ward_map_names[MAP_POLICY_COUNTS], strerror(-err));
}

static struct policy_count *counts_alloc(int *cpus)
{
	*cpus = libbpf_num_possible_cpus();
	return *cpus > 0 ? calloc((size_t)*cpus, sizeof(struct policy_count)) : NULL;
}

int policy_counts_read(struct ward *w, struct policy_count sum[POLICY_SUBJECTS])
{
	int cpus, cpu, err = 0;
	struct policy_count *part = counts_alloc(&cpus);
	__u32 i;

	if (!part)
		return counts_failed(-ENOMEM);
	memset(sum, 0, POLICY_SUBJECTS * sizeof(*sum));
	for (i = 0; i < POLICY_SUBJECTS && !err; i++) {
		if (bpf_map_lookup_elem(w->map[MAP_POLICY_COUNTS], &i, part)) {
			err = counts_failed(-errno);
			break;
		}
		for (cpu = 0; cpu < cpus; cpu++) {
			sum[i].hits += part[cpu].hits;
			sum[i].dropped += part[cpu].dropped;
			sum[i].would += part[cpu].would;
		}
	}
	free(part);
	return err;
}

int ward_drops_read(struct ward *w, struct policy_drops *sum)
{
	int cpus = libbpf_num_possible_cpus(), err = load_needed(w), cpu;
	struct policy_drops *part;
	__u32 zero = 0;
	unsigned i;

	if (err)
		return err;
	part = cpus > 0 ? calloc((size_t)cpus, sizeof(*part)) : NULL;
	if (!part)
		return ward_fail(-ENOMEM, "", "out of memory");
	memset(sum, 0, sizeof(*sum));
	if (bpf_map_lookup_elem(w->map[MAP_POLICY_DROPS], &zero, part))
		err = ward_fail(-errno, errno == EPERM ? REMEDY_ROOT : "", "cannot read map '%s': %s",
				ward_map_names[MAP_POLICY_DROPS], strerror(errno));
	for (cpu = 0; !err && cpu < cpus; cpu++)
		for (i = 0; i < DROP_COUNT; i++) {
			sum->dropped[i] += part[cpu].dropped[i];
			sum->would[i] += part[cpu].would[i];
		}
	free(part);
	return err;
}

/* The name of a rule's or limit's subject, NULL: nobody's. Limits bear their service's; their place within it is their kind. */
static const char *name_of_subject(const struct policy_config *config, unsigned subject)
{
	unsigned service = (subject - POLICY_RULES) / LIMIT_COUNT;

	if (!config)
		return NULL;
	if (subject < POLICY_RULES)
		return subject < config->rule_count ? config->rule[subject].name : NULL;
	return service < config->service_count ? config->service[service].name : NULL;
}

static const char *const limit_names[] = {
#define X(id, name, text) name,
	WARD_LIMITS(X)
#undef X
};

const char *ward_subject_name(struct ward *w, unsigned subject, char buf[80])
{
	const struct policy_config *config = policy_now(w, ward_now_ns(w));
	const char *name;

	if (subject == SUBJECT_BLOCK_LIST)
		return "block list";
	name = subject < SUBJECT_BLOCK_LIST ? name_of_subject(config, subject) : NULL;
	if (!name)
		return NULL;
	if (subject < POLICY_RULES)
		snprintf(buf, 80, "%.*s", POLICY_NAME_LEN, name);
	else
		snprintf(buf, 80, "%.*s/%s", POLICY_NAME_LEN, name, limit_names[(subject - POLICY_RULES) % LIMIT_COUNT]);
	return buf;
}

/* Where the subject of `to` stood in `from`; -1: nowhere. */
static int place_before(const struct policy_config *from, const struct policy_config *to, unsigned subject)
{
	const char *name = name_of_subject(to, subject);
	bool rule = subject < POLICY_RULES;
	unsigned first = rule ? 0 : POLICY_RULES + (subject - POLICY_RULES) % LIMIT_COUNT;
	unsigned end = rule ? POLICY_RULES : SUBJECT_BLOCK_LIST, i;

	for (i = first; name && i < end; i += rule ? 1 : LIMIT_COUNT) {
		const char *old = name_of_subject(from, i);

		if (old && !strncmp(old, name, POLICY_NAME_LEN))
			return (int)i;
	}
	return -1;
}

/*
 * Called when `to` is in force already. What does not move is not written, so that nothing that is counted meanwhile is lost
 * there; of what moves, the counts of these microseconds are.
 */
int policy_counts_move(struct ward *w, const struct policy_config *from, const struct policy_config *to)
{
	int cpus, fd = w->map[MAP_POLICY_COUNTS], err = 0;
	struct policy_count *part = counts_alloc(&cpus), *all = NULL, *none = NULL;
	__u32 i;

	if (part) {
		all = calloc((size_t)cpus * SUBJECT_BLOCK_LIST, sizeof(*all));
		none = calloc((size_t)cpus, sizeof(*none));
	}
	if (!all || !none)
		err = -ENOMEM;
	for (i = 0; !err && i < SUBJECT_BLOCK_LIST; i++)
		err = bpf_map_lookup_elem(fd, &i, all + (size_t)i * (size_t)cpus) ? -errno : 0;
	for (i = 0; !err && i < SUBJECT_BLOCK_LIST; i++) {
		int before = place_before(from, to, i);

		if (before == (int)i)
			continue;
		err = bpf_map_update_elem(fd, &i, before < 0 ? none : all + (size_t)before * (size_t)cpus, BPF_ANY) ? -errno : 0;
	}
	free(part);
	free(all);
	free(none);
	return err ? counts_failed(err) : 0;
}
