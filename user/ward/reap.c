// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* reap: what the dead have left and nobody goes on with: a `run` whose lock is free, an instance whose interfaces are gone. */
#include <errno.h>
#include <net/if.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "ward/cookie.h"
#include "ward/netns.h"

#define BEAT_NS 10000000000LL /* whoever sweeps does it each second */

static uint32_t pinned_prog_id(const char *name, enum ward_prog prog)
{
	char path[PIN_PATH];
	uint32_t id;
	int fd;

	pins_path(path, name, ward_prog_names[prog]);
	fd = bpf_obj_get(path);
	if (fd < 0)
		return 0;
	id = prog_id(fd);
	close(fd);
	return id;
}

/* What was set for SYN cookies by whoever died. */
static void undo_settings(const char *name, const struct ward_instance *info)
{
	char path[PIN_PATH];
	int fd;

	pins_path(path, name, ward_map_names[MAP_COOKIE_CONF]);
	fd = bpf_obj_get(path);
	if (fd < 0)
		return;
	cookie_settings_undo(fd, info);
	close(fd);
}

static void remove_instance(const char *name, const struct ward_instance *info)
{
	struct prog_ids ids = { pinned_prog_id(name, PROG_TC_INGRESS), pinned_prog_id(name, PROG_TC_EGRESS), info ? info->netns_cookie : 0 };
	unsigned i;

	for (i = 0; info && i < info->iface_count; i++)
		detach_row(name, &info->iface[i], &ids);
	if (info)
		undo_settings(name, info);
	pins_remove(name);
}

/* Filters of clsact vanish unseen. Of another namespace nothing can be said, unless ours has its number: then that one is gone. */
static bool no_interface_left(const struct ward_instance *info)
{
	char name[IF_NAMESIZE];
	bool any = false;

	for (unsigned i = 0; i < info->iface_count; i++) {
		const struct ward_iface *row = &info->iface[i];

		any |= row->hooks && (!netns_here(row->netns, 0) ||
				      (netns_here(row->netns, info->netns_cookie) && if_indextoname(row->ifindex, name)));
	}
	return !any;
}

/* Interfaces of an attached instance that vanished take their links with them. */
static bool all_links_dead(const char *name, const struct ward_instance *info)
{
	char path[PIN_PATH], leaf[64];
	int links = 0, alive = 0, fd;
	unsigned i;

	for (i = 0; i < info->iface_count * 2; i++) {
		pins_link_leaf(leaf, sizeof(leaf), info->iface[i / 2].name, i % 2);
		pins_path(path, name, leaf);
		fd = bpf_obj_get(path);
		if (fd < 0)
			continue;
		links++;
		alive += link_alive(fd);
		close(fd);
	}
	return links ? !alive : no_interface_left(info);
}

/* What was put there by hand is not lost with the rest. */
static void save_lists(const char *name)
{
	struct ward *w = ward_new();

	if (!w)
		return;
	strcpy(w->name, name);
	if (!pins_open(w) && !load_map_memory(w)) {
		w->plan = *w->info;
		w->lists_taken_over = true;
		if (!clock_measure(w, false))
			lists_save(w);
	}
	ward_close(w);
}

/* A `run` in a container that has this bpffs, but a /run of its own: no lock is seen of it, but it sweeps. */
static bool sweeps_elsewhere(const char *name)
{
	struct ward_control control;
	struct timespec now;
	char path[PIN_PATH];
	uint32_t zero = 0;
	int64_t ago;
	int fd;

	if (lock_known(name))
		return false;
	pins_path(path, name, ward_map_names[MAP_CONTROL]);
	fd = bpf_obj_get(path);
	if (fd < 0)
		return false;
	if (bpf_map_lookup_elem(fd, &zero, &control))
		control.keeper_ns = 0;
	close(fd);
	clock_gettime(CLOCK_REALTIME, &now);
	ago = (int64_t)((uint64_t)now.tv_sec * 1000000000ULL + (uint64_t)now.tv_nsec - control.keeper_ns);
	return ago > -BEAT_NS && ago < BEAT_NS;
}

/* Of an instance whose lock nobody has. recorded: info is its record. */
static bool is_dead(const char *name, struct ward_instance *info, bool *recorded)
{
	int err = pins_read_info(name, info);

	*recorded = !err;
	if (err) /* another build's, another user's, or it cannot be read now: nothing says that it is dead */
		return err == -ENOENT;
	return info->keep ? all_links_dead(name, info) : !sweeps_elsewhere(name);
}

void reap(const char *name)
{
	struct ward_instance info;
	int pid = 0, lock;
	bool recorded, living = lock_held(name, &pid) && lock_names_living(pid);

	if (!is_dead(name, &info, &recorded))
		return;
	/* Its interfaces have gone, and within a second its keeper will see that. */
	if (living && !(recorded && info.keep == KEEP_ALWAYS && (uint32_t)pid == info.keeper_pid))
		return;
	lock = lock_take_to_clean(name, living ? pid : 0);
	if (lock < 0)
		return;
	if (is_dead(name, &info, &recorded)) { /* still: another may have begun under its name, and been killed */
		if (recorded)
			save_lists(name);
		remove_instance(name, recorded ? &info : NULL);
	}
	lock_drop(lock, name);
}

void reap_all(void)
{
	char names[WARD_INSTANCES][WARD_NAME_LEN];
	int i, count = pins_list(names, WARD_INSTANCES);

	for (i = 0; i < count; i++)
		reap(names[i]);
}
