// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* policy_read: the policy in force as its maps have it, and what it would do to the connections that are exempt from it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "policy/policy.h"
#include "ward/inside.h"
#include "ward/sockets.h"

#define PER_BATCH 8192

/* ---- the tables ---- */
struct reading {
	struct policy_table *table;
	size_t room;
	bool prefixes; /* the key is a prefix, not an address */
};

static int take(const void *key, const void *value, void *ctx)
{
	struct reading *r = ctx;
	struct policy_address *item;

	if (r->table->count == r->room) {
		size_t room = r->room ? 2 * r->room : 1024;
		struct policy_address *more = reallocarray(r->table->item, room, sizeof(*more));

		if (!more)
			return ward_fail(-ENOMEM, "", "cannot read the policy's tables: out of memory");
		r->table->item = more;
		r->room = room;
	}
	item = &r->table->item[r->table->count++];
	if (r->prefixes)
		memcpy(&item->prefix, key, sizeof(item->prefix));
	else
		item->prefix = prefix_of(key);
	memcpy(&item->class, value, sizeof(item->class));
	return 0;
}

/* A table in a map of maps is known by its id alone: to open that takes CAP_SYS_ADMIN. */
static int read_table(struct ward *w, enum ward_map map, __u32 slot, struct policy_table *out)
{
	bool prefixes = map == MAP_POLICY_SPREFIX || map == MAP_POLICY_DPREFIX;
	struct reading reading = { .table = out, .prefixes = prefixes };
	__u32 id;
	int fd, err;

	if (bpf_map_lookup_elem(w->map[map], &slot, &id))
		return errno == ENOENT ? 0 : -errno; /* it needs none */
	fd = bpf_map_get_fd_by_id(id);
	if (fd < 0)
		return ward_fail(-errno, errno == EPERM ? "run as root, or with CAP_SYS_ADMIN" : "",
				 "cannot open the policy's table in map '%s': %s", ward_map_names[map], strerror(errno));
	err = map_fd_each(fd, map, prefixes ? sizeof(struct address_prefix) : 16, sizeof(struct policy_class), PER_BATCH, take,
			  &reading);
	close(fd);
	return err;
}

static int read_image(struct ward *w, __u32 slot, struct policy_image *m)
{
	int err = bpf_map_lookup_elem(w->map[MAP_POLICY_PORTS], &slot, &m->ports) ? -errno : 0;

	if (err)
		return ward_fail(err, err == -EPERM ? REMEDY_ROOT : "", "cannot read map '%s': %s",
				 ward_map_names[MAP_POLICY_PORTS], strerror(-err));
	memcpy(m->block_len, m->config.block_len, sizeof(m->block_len));
	err = m->config.saddr_exact ? read_table(w, MAP_POLICY_SADDR, slot, &m->saddr_exact) : 0;
	if (!err && m->config.saddr_prefix)
		err = read_table(w, MAP_POLICY_SPREFIX, slot, &m->saddr_prefix);
	if (!err && m->config.daddr_exact)
		err = read_table(w, MAP_POLICY_DADDR, slot, &m->daddr_exact);
	if (!err && m->config.daddr_prefix)
		err = read_table(w, MAP_POLICY_DPREFIX, slot, &m->daddr_prefix);
	return err;
}

int ward_policy_image(struct ward *w, struct policy_image **out)
{
	const struct policy_config *config = policy_now(w, ward_now_ns(w));
	struct policy_image *m;
	int err;

	if (!config)
		return ward_fail(-ESRCH, "tcpward policy apply FILE", "no policy is in force in instance '%s'", ward_name(w));
	m = calloc(1, sizeof(*m));
	if (!m)
		return ward_fail(-ENOMEM, "", "cannot read the policy's tables: out of memory");
	m->config = *config;
	err = read_image(w, policy_slot_of(w, config), m);
	if (err)
		policy_image_free(m);
	else
		*out = m;
	return err;
}

/* ---- what it would drop ---- */
struct asking {
	struct ward *w;
	const struct policy_image *image;
	struct ward_cut cut;
	bool both; /* no end is known to be this host's: what either sends may come in */
};

static int find_local(const struct socket_info *sock, void *ctx)
{
	struct asking *a = ctx;

	if (sock->state == LISTEN || memcmp(&sock->key, &a->cut.flow, offsetof(struct flow_key, vlan)))
		return 0;
	a->cut.local_side = sock->local_side;
	a->both = false;
	return 1;
}

static int find_entry(const struct list_item *item, void *ctx)
{
	struct asking *a = ctx;
	const struct address_prefix sender = prefix_of(a->cut.local_side ? a->cut.flow.a_addr : a->cut.flow.b_addr);

	if (!prefix_covers(&item->prefix, &sender))
		return 0;
	a->cut.subject = SUBJECT_BLOCK_LIST;
	a->cut.entry = item->prefix;
	return 1;
}

/* What may be wrong with an ordinary segment of the flow: nobody has met it, and it is not taken up any more. */
static uint32_t invalid_of(const struct asking *a, bool tracked)
{
	const struct ward_instance *info = a->w->info;

	if (tracked || info->key_vlan || a->image->config.check == CHECK_OFF)
		return 0;
	return a->image->config.check == CHECK_STRICT || info->no_pickup ? 1U << INVALID_NO_FLOW : 0;
}

/* 1: a rule drops what comes from the other end, by this row of the interface table. */
static int ask_rules(struct asking *a, const struct flow *f, unsigned row)
{
	static const __u8 ordinary[] = { TH_ACK, TH_ACK | TH_PSH };
	struct segment seg = {
		.key = a->cut.flow,
		.dir = a->cut.local_side ? 0 : 1,
		.vlan = f ? f->vlan : VLAN_UNSEEN,
		.iface = (__u8)row,
	};
	unsigned i;

	for (i = 0; i < sizeof(ordinary); i++) {
		int rule;

		seg.bits = ordinary[i];
		rule = policy_image_dropper(a->image, &seg, invalid_of(a, f != NULL));
		if (rule < 0)
			continue;
		a->cut.subject = SUBJECT_RULE(rule);
		return 1;
	}
	return 0;
}

/* The same, where the flow may come from. */
static int ask_rows(struct asking *a)
{
	const struct ward_instance *info = a->w->info;
	struct flow flow;
	bool embryo;
	unsigned row;

	if (!ward_flow_get(a->w, &a->cut.flow, &flow, &embryo))
		return ask_rules(a, &flow, flow.iface);
	for (row = 0; row < info->iface_count && row < WARD_IFACES; row++)
		if (info->iface[row].hooks && ask_rules(a, NULL, row))
			return 1;
	return 0;
}

static int find_allowed(const struct list_item *item, void *ctx)
{
	const struct asking *a = ctx;
	const struct address_prefix sender = prefix_of(a->cut.local_side ? a->cut.flow.a_addr : a->cut.flow.b_addr);

	return prefix_covers(&item->prefix, &sender);
}

/* 1: dropped, 0: not, or a negative errno. In the order of the packet path: allow lists, block list, rules. */
static int ask_sender(struct asking *a)
{
	struct segment seg = { .key = a->cut.flow, .dir = a->cut.local_side ? 0 : 1 };
	int found;

	if (policy_image_allows(a->image, &seg))
		return 0;
	found = ward_list_each(a->w, WARD_ALLOW, find_allowed, a);
	if (found)
		return found < 0 ? found : 0;
	found = ward_list_each(a->w, WARD_BLOCK, find_entry, a);
	return found ? found : ask_rows(a);
}

static int ask_flow(struct asking *a, const struct flow_key *key)
{
	int found;

	a->cut = (struct ward_cut){ .flow = *key, .local_side = 0 };
	a->both = true;
	sockets_each(find_local, a);
	found = ask_sender(a);
	if (found || !a->both)
		return found;
	a->cut.local_side = 1;
	return ask_sender(a);
}

int ward_policy_cuts(struct ward *w, struct ward_cut *out)
{
	const struct policy_config *config = policy_now(w, ward_now_ns(w));
	struct policy_image *image;
	struct asking a = { .w = w };
	int found;
	unsigned i;

	if (!config || !config->exempt_count || config->mode != MODE_ENFORCE)
		return 0;
	found = ward_policy_image(w, &image);
	if (found)
		return found;
	a.image = image;
	for (i = 0; i < image->config.exempt_count && i < POLICY_EXEMPT && !found; i++)
		found = ask_flow(&a, &image->config.exempt[i]);
	policy_image_free(image);
	if (found > 0)
		*out = a.cut;
	return found;
}
