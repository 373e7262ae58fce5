// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* policy_names: what the numbers in a drop's event stand for, by the policy and the block list of now. */
#include <stdio.h>
#include <string.h>

#include <bpf/bpf.h>

#include "policy/drop.h"
#include "policy/list_file.h"
#include "policy/policy.h"
#include "ward/inside.h"

/* ---- what a limit allows ---- */
static void half_open_text(const struct policy_limit *l, char buf[64])
{
	int used = 0;

	if (l->enter_permille && l->enter_permille % 10)
		used = snprintf(buf, 64, "%u.%u%%", l->enter_permille / 10, l->enter_permille % 10);
	else if (l->enter_permille)
		used = snprintf(buf, 64, "%u%%", l->enter_permille / 10);
	if (l->max)
		snprintf(buf + used, 64 - (size_t)used, "%s%u", used ? " or " : "", l->max);
}

static void limit_text(const struct policy_config *config, unsigned subject, char buf[64])
{
	unsigned at = subject - POLICY_RULES;
	const struct policy_limit *l = &config->service[at / LIMIT_COUNT].limit[at % LIMIT_COUNT];

	if (l->rate.interval_ns)
		rate_text(&l->rate, buf);
	else
		half_open_text(l, buf);
}

/* ---- which entry of the block list ---- */
static bool counts(const struct list_entry *entry, uint64_t now_ns)
{
	return !entry->until_ns || entry->until_ns > now_ns;
}

/* The entry of addr cut to so many bits, among those that limits put there and single addresses. */
static bool find_exact(const struct ward *w, const __u8 addr[16], unsigned len, struct list_item *out)
{
	out->prefix = prefix_of(addr);
	out->prefix.len = len;
	prefix_cut(&out->prefix);
	return !bpf_map_lookup_elem(w->map[MAP_BLOCK_ADDRS], &out->prefix, &out->entry) && counts(&out->entry, ward_now_ns(w));
}

/* The longest prefix that counts: one whose time is over may stand before it. */
static bool find_prefix(const struct ward *w, const __u8 addr[16], struct list_item *out)
{
	struct address_prefix key = prefix_of(addr);
	bool v4 = prefix_is_v4(&key);

	while (!bpf_map_lookup_elem(w->map[MAP_BLOCK_PREFIXES], &key, &out->entry)) {
		out->prefix = prefix_of(addr);
		out->prefix.len = out->entry.len;
		if (v4 && out->entry.len < 96)
			return false;
		if (counts(&out->entry, ward_now_ns(w))) {
			prefix_cut(&out->prefix);
			return true;
		}
		if (!out->entry.len)
			return false;
		key.len = out->entry.len - 1U;
	}
	return false;
}

static bool find_blocked(const struct ward *w, const __u8 addr[16], struct list_item *out)
{
	const struct address_prefix whole = prefix_of(addr);
	unsigned len = w->live->block_len[!prefix_is_v4(&whole)];

	return find_exact(w, addr, PREFIX_WHOLE, out) || (len && find_exact(w, addr, len, out)) || find_prefix(w, addr, out);
}

static void name_entry(struct ward *w, const struct event *ev, struct drop_names *out)
{
	char name[80];
	const char *limit = NULL;
	struct list_item item;

	if (load_needed(w) || !find_blocked(w, ev->orig & 1 ? ev->key.b_addr : ev->key.a_addr, &item))
		return; /* it has gone meanwhile */
	prefix_text(&item.prefix, out->entry);
	if (item.entry.by == LISTED_BY_LIMIT)
		limit = ward_subject_name(w, POLICY_RULES + item.entry.subject, name);
	snprintf(out->listed_by, sizeof(out->listed_by), "%s", limit ? limit : list_by_name(item.entry.by));
}

void ward_drop_names(struct ward *w, const struct event *ev, struct drop_names *out)
{
	const struct policy_config *config = policy_now(w, ward_now_ns(w));
	char name[80];
	const char *rule = ward_subject_name(w, ev->subject, name);

	memset(out, 0, sizeof(*out));
	snprintf(out->rule, sizeof(out->rule), "%s", rule ? rule : "");
	if (ev->subject == SUBJECT_BLOCK_LIST)
		name_entry(w, ev, out);
	else if (rule && config && ev->subject >= POLICY_RULES)
		limit_text(config, ev->subject, out->limit);
	else if (rule && config && config->rule[ev->subject].above.interval_ns)
		rate_text(&config->rule[ev->subject].above, out->limit);
}
