// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * takeover: goes on with an instance that a killed process has left, or that another build has made, without a gap.
 *
 * The new programs are loaded over the pinned maps; then each link gets its new program in one step, so that at every moment
 * the old or the new one sees a segment, over the same tables. Of another layout only policy, lists and the keys of cookies
 * are taken (POLICY_LAYOUT_VERSION): connections begin anew, learned from the kernel's sockets and from what passes, and for
 * a while no segment is held to belong to no connection. Killed on the way, it leaves what the next one can take over.
 *
 * What stays as it was: interfaces, hooks, sizes of the tables. The other options are those of the new process.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "ward/cookie.h"
#include "ward/dispatch.h"
#include "ward/netns.h"
#include "ward/takeover.h"

#define RELEARN_NS 60000000000ULL /* most connections move within a minute */

/* What a change of the flows' layout leaves as it is: these prefixes of pins. */
static const char *const lasting[] = { "policy_", "allow_", "block_", "cookie_keys", "cookie_conf", "cookie_unprotected" };

static bool lasts(const char *leaf)
{
	for (size_t i = 0; i < sizeof(lasting) / sizeof(*lasting); i++)
		if (!strncmp(leaf, lasting[i], strlen(lasting[i])))
			return true;
	return false;
}

/* ---- which ---- */

static int row_named(const struct ward_instance *info, const char *name)
{
	for (unsigned i = 0; i < info->iface_count && i < WARD_IFACES; i++)
		if (info->iface[i].hooks && !strncmp(info->iface[i].name, name, WARD_NAME_LEN))
			return (int)i;
	return -1;
}

/* How many of w's interfaces it holds; *others: what else it holds. */
static int shared_with(const struct ward *w, const struct ward_instance *head, int *others)
{
	int shared = 0;

	*others = 0;
	for (unsigned i = 0; i < head->iface_count && i < WARD_IFACES; i++)
		*others += !!head->iface[i].hooks;
	for (unsigned i = 0; i < w->plan.iface_count; i++) {
		const struct ward_iface *mine = &w->plan.iface[i];
		int row = row_named(head, mine->name);

		if (row >= 0 && head->iface[row].ifindex == mine->ifindex && netns_here(head->iface[row].netns, head->netns_cookie))
			shared++;
	}
	*others -= shared;
	return shared;
}

static int refuse_mixture(const struct ward *w, const char *name)
{
	char mend[120];

	snprintf(mend, sizeof(mend), "name those of the instance, or: tcpward detach --name %.*s", WARD_NAME_LEN, name);
	return ward_fail(-EBUSY, mend, "cannot go on with instance '%s', which a killed run left: it has other interfaces than '%s'%s",
			 name, w->plan.iface[0].name, w->plan.iface_count > 1 ? " and those named with it" : "");
}

static int take_lock(struct ward *w, const char *name, int wait_ms)
{
	int pid = 0;

	w->lock_fd = lock_take(name, wait_ms, &pid);
	if (w->lock_fd == -EWOULDBLOCK)
		return ward_fail(-EBUSY, "end it first, or attach to have several look on",
				 "'%s' is already watched by tcpward run, pid %d", w->plan.iface[0].name, pid);
	return w->lock_fd < 0 ? w->lock_fd : 0;
}

int takeover_lock(struct ward *w)
{
	int err = w->lock_fd >= 0 ? 0 : keeper_end(w->name, &w->take->head);

	if (err > 0)
		return ward_fail(-EBUSY, "try again", "another command, pid %d, goes on with instance '%s'", err, w->name);
	return err || w->lock_fd >= 0 ? err : take_lock(w, w->name, LOCK_WAIT_MS);
}

/* The rows in the instance's order, attached as they are. */
static void order_rows(struct ward *w, const struct ward_instance *head)
{
	struct ward_iface rows[WARD_IFACES];

	memcpy(rows, head->iface, sizeof(rows));
	for (unsigned i = 0; i < w->plan.iface_count; i++) {
		struct ward_iface *row = &rows[row_named(head, w->plan.iface[i].name)];

		row->mtu = w->plan.iface[i].mtu;
		row->flags |= w->plan.iface[i].flags;
	}
	memcpy(w->plan.iface, rows, sizeof(rows));
	w->plan.iface_count = head->iface_count;
}

/* The tables are as large as they are. */
static void keep_sizes(struct ward *w, const struct ward_instance *info)
{
	if (w->opt.flows != info->flows_max)
		note(w, "the tables stay as large as they are: %u flows, not %u (after tcpward detach they are made anew)", info->flows_max,
		     w->opt.flows);
	w->opt.flows = info->flows_max;
	w->opt.embryos = info->embryos_max / 2;
	w->opt.services = info->services_max;
	w->opt.sources = info->sources_max;
}

static int begin(struct ward *w, const char *name, const struct ward_instance *head)
{
	struct ward_instance whole;
	int i, err = head->keep == KEEP_ALWAYS ? 0 : take_lock(w, name, 0);

	if (err)
		return err;
	w->take = calloc(1, sizeof(*w->take));
	if (!w->take)
		return ward_fail(-ENOMEM, "", "out of memory");
	for (i = 0; i < PROG_COUNT; i++)
		w->take->old[i] = -1;
	for (i = 0; i < MAP_COUNT; i++)
		w->take->old_map[i] = -1;
	w->take->head = *head;
	strcpy(w->name, name);
	if (head->layout_hash == layout_hash() && !pins_read_info(name, &whole) && whole.key_vlan == w->opt.key_vlan) {
		w->take->all = true;
		keep_sizes(w, &whole);
	}
	order_rows(w, head);
	return 1;
}

/* The head, and of our own layout what else tells whose it is. */
static int read_head(const char *name, struct ward_instance *head)
{
	struct ward_instance whole;
	int err = pins_read_head(name, head);

	if (!err && head->layout_hash == layout_hash() && !pins_read_info(name, &whole))
		head->netns_cookie = whole.netns_cookie;
	return err;
}

int takeover_find(struct ward *w, enum ward_keep keep)
{
	char names[WARD_INSTANCES][WARD_NAME_LEN];
	int i, count = pins_list(names, WARD_INSTANCES), others;
	struct ward_instance head;

	for (i = 0; i < count; i++) {
		if (read_head(names[i], &head) || head.keep == KEEP_NOT || !shared_with(w, &head, &others))
			continue;
		if (head.keep == KEEP_ALWAYS && (keep != KEEP_ALWAYS || head.build == build_hash()))
			continue; /* joined, or refused */
		if (head.keep == KEEP_KILLED && lock_held(names[i], NULL))
			return take_lock(w, names[i], 0); /* which refuses */
		if (others || shared_with(w, &head, &others) != (int)w->plan.iface_count)
			return refuse_mixture(w, names[i]);
		return begin(w, names[i], &head);
	}
	return 0;
}

/* ---- maps ---- */

static int open_pin(const struct ward *w, const char *leaf)
{
	char path[PIN_PATH];

	pins_path(path, w->name, leaf);
	return bpf_obj_get(path);
}

/* 1: the pin is the map that this build would make; 0: there is none; -EPROTO: it is another. */
static int same_map(const struct ward *w, const struct bpf_map *map, const char *leaf)
{
	struct bpf_map_info info = { 0 };
	__u32 len = sizeof(info);
	int fd = open_pin(w, leaf), err;

	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	err = bpf_obj_get_info_by_fd(fd, &info, &len) ? -errno : 0;
	close(fd);
	if (err)
		return err;
	return info.type == (__u32)bpf_map__type(map) && info.key_size == bpf_map__key_size(map) &&
			       info.value_size == bpf_map__value_size(map) && info.max_entries == bpf_map__max_entries(map) ?
		       1 :
		       -EPROTO;
}

static bool policy_known(const struct ward *w)
{
	struct policy_live live;
	__u32 zero = 0;
	int fd = open_pin(w, "policy_live");
	bool known = fd >= 0 && !bpf_map_lookup_elem(fd, &zero, &live) && live.version == POLICY_LAYOUT_VERSION;

	if (fd >= 0)
		close(fd);
	return known;
}

static int refuse_layout(const struct ward *w, const char *leaf)
{
	return ward_fail(-EPROTO, "detach and attach again; its lists are kept, its policy is applied by --policy",
			 "cannot go on with instance '%s': another build made it, and its policy and lists are laid out otherwise ('%s')",
			 w->name, leaf);
}

/* Whether each map that is wanted is the same; of the tables it is no harm if not. */
static int check_maps(struct ward *w, struct bpf_object *obj)
{
	struct bpf_map *map;

	bpf_object__for_each_map(map, obj)
	{
		const char *leaf = pin_leaf(bpf_map__name(map));
		int same = leaf ? same_map(w, map, leaf) : 0;

		if (!leaf || same >= 0)
			continue;
		if (lasts(leaf))
			return refuse_layout(w, leaf);
		w->take->all = false;
	}
	return policy_known(w) ? 0 : refuse_layout(w, "policy_live");
}

int takeover_reuse(struct ward *w, struct bpf_object *obj)
{
	struct bpf_map *map;
	int err = check_maps(w, obj), fd;

	if (err)
		return err;
	bpf_object__for_each_map(map, obj)
	{
		const char *leaf = pin_leaf(bpf_map__name(map));

		if (!leaf || (!w->take->all && !lasts(leaf)))
			continue;
		fd = open_pin(w, leaf);
		if (fd < 0)
			continue; /* this build has one more */
		err = bpf_map__reuse_fd(map, fd); /* has a descriptor of its own */
		close(fd);
		if (err)
			return ward_fail(err, "", "cannot take over map '%s' of instance '%s': %s", leaf, w->name, strerror(-err));
	}
	return 0;
}

bool takeover_has(const struct ward *w, const char *leaf)
{
	char path[PIN_PATH];

	if (!w->take || (!w->take->all && !lasts(leaf)))
		return false;
	pins_path(path, w->name, leaf);
	return !access(path, F_OK);
}

int takeover_loaded(struct ward *w)
{
	uint64_t now_ns = ward_now_ns(w);

	w->lists_taken_over = true;
	if (w->take->head.build != build_hash()) { /* which may have changed the list without a thought of the sets */
		int lock = live_lock(w, false, LIVE_WAIT_MS);

		if (lock < 0)
			return lock;
		block_sets_clear(w);
		live_unlock(lock);
	}
	if (w->take->all)
		return 0;
	*w->info = w->plan;
	w->info->keep = w->take->head.keep;
	w->control->flows_ns = now_ns;
	w->control->relearn_until_ns = now_ns + RELEARN_NS;
	note(w,
	     "instance '%s' is of another build (%.*s): policy, lists and what is enforced stay; connections are learned anew, and for %llu s "
	     "none counts as unknown",
	     w->name, WARD_NAME_LEN, w->take->head.version, RELEARN_NS / NS_PER_S);
	return 0;
}

/* ---- programs ---- */

/* Between the two the interface is without, for the milliseconds that a load takes. Going back is not possible: what was there
 * is not a program that libxdp could be given again. */
static int replace_dispatched(struct ward *w, int row, const int *prog)
{
	int err = prog == w->prog ? dispatch_detach(&w->info->iface[row]) : 0;

	return err || prog != w->prog ? err : dispatch_attach(w, row);
}

static int replace_hook(struct ward *w, int row, bool egress, const int *prog)
{
	const struct ward_iface *iface = &w->info->iface[row];
	int fd = prog[attach_prog(iface, egress)];

	if (!egress && iface->flags & IFACE_DISPATCHED)
		return replace_dispatched(w, row, prog);
	if (!(iface->hooks & (egress ? HOOK_EGRESS : HOOK_INGRESS)) || fd < 0)
		return 0;
	if (w->link[row][egress] >= 0) /* ENOLINK: its interface has gone meanwhile */
		return bpf_link_update(w->link[row][egress], fd, NULL) && errno != ENOLINK ? -errno : 0;
	return attach_filter_replace(iface, egress, fd);
}

static int replace_all(struct ward *w, const int *prog)
{
	int err = cookie_replace(w, prog[PROG_TC_COOKIE]);

	for (int i = 0; !err && i < (int)w->info->iface_count * 2; i++)
		err = replace_hook(w, i / 2, i % 2, prog);
	return err;
}

int takeover_replace(struct ward *w)
{
	int i, err;

	for (i = 0; i < PROG_COUNT; i++)
		w->take->old[i] = open_pin(w, ward_prog_names[i]);
	for (i = 0; i < MAP_COUNT; i++)
		w->take->old_map[i] = open_pin(w, ward_map_names[i]);
	attach_open_links(w);
	err = replace_all(w, w->prog);
	if (!err)
		return 0;
	ward_fail(err, err == -EPERM ? REMEDY_ROOT : "", "cannot put new programs in the place of those of instance '%s': %s", w->name,
		  strerror(-err));
	return takeover_undo(w, err);
}

/* As many hooks as can be; returns how many cannot. */
static int put_back(struct ward *w)
{
	int left = 0;

	if (w->take->old[PROG_TC_COOKIE] >= 0)
		left += !!cookie_replace(w, w->take->old[PROG_TC_COOKIE]);
	for (int i = 0; i < (int)w->info->iface_count * 2; i++)
		left += !!replace_hook(w, i / 2, i % 2, w->take->old);
	return left;
}

static void pin_back(struct ward *w, const char *leaf, int fd)
{
	char path[PIN_PATH];

	pins_path(path, w->name, leaf);
	if (fd >= 0)
		pin_over(fd, path);
}

int takeover_undo(struct ward *w, int err)
{
	bool keeper = w->take->head.keep == KEEP_ALWAYS;
	char why[300], mend[200];
	int left = put_back(w), i;

	snprintf(why, sizeof(why), "%s", ward_reason());
	for (i = 0; i < PROG_COUNT; i++)
		pin_back(w, ward_prog_names[i], w->take->old[i]);
	for (i = 0; i < MAP_COUNT; i++)
		if (i != MAP_INSTANCE && !takeover_has(w, ward_map_names[i]))
			pin_back(w, ward_map_names[i], w->take->old_map[i]);
	pin_back(w, ward_map_names[MAP_INSTANCE], w->take->old_map[MAP_INSTANCE]);
	snprintf(mend, sizeof(mend), "when that is mended attach again, or: tcpward detach --name %s", w->name);
	if (left)
		return ward_fail(err, mend, "%s; and %d hook%s could not be given the old program back: they have the new one", why, left,
				 left == 1 ? "" : "s");
	/* the keeper was ended to make room: where the tables are the same ours can sweep them */
	if (keeper && !(w->take->all && !keeper_start(w)))
		return ward_fail(err, mend, "%s; the old programs are in force again, but nobody sweeps", why);
	return ward_fail(err, mend, "%s; the old programs are in force again", why);
}

void takeover_done(struct ward *w, enum ward_keep keep)
{
	if (w->take->all) {
		struct ward_iface *row = w->info->iface;

		for (unsigned i = 0; i < w->plan.iface_count; i++)
			row[i].mtu = w->plan.iface[i].mtu, row[i].flags = w->plan.iface[i].flags;
		memcpy(w->plan.iface, row, sizeof(w->plan.iface));
		w->plan.keep = w->info->keep;
		w->plan.lists_unread = w->info->lists_unread;
		*w->info = w->plan;
	}
	w->info->keep = keep;
	w->info->keeper_pid = getpid();
}

void takeover_free(struct ward *w)
{
	if (!w->take)
		return;
	for (int i = 0; i < PROG_COUNT; i++)
		if (w->take->old[i] >= 0)
			close(w->take->old[i]);
	for (int i = 0; i < MAP_COUNT; i++)
		if (w->take->old_map[i] >= 0)
			close(w->take->old_map[i]);
	free(w->take);
	w->take = NULL;
}
