// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * instance: how one begins, is found again, and ends.
 *
 * Who is alive is told by locks, not by pins: pins of a `run` whose lock is free belong to the dead and are taken over.
 * An instance becomes one that stays (keep) by the last step of its making, so one half made counts as dead, too.
 */
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "ward/cookie.h"
#include "ward/netns.h"
#include "ward/takeover.h"


/* ---- beginning ---- */

static int refuse_watched(const char *ifname, const char *name, const struct ward_instance *info)
{
	char mend[64];
	int pid = 0;

	if (info->keep == KEEP_ALWAYS) {
		snprintf(mend, sizeof(mend), "tcpward detach %s", ifname);
		return ward_fail(-EBUSY, mend, "'%s' is already attached, in instance '%s'", ifname, name);
	}
	lock_held(name, &pid);
	return ward_fail(-EBUSY, "end it first, or attach to have several look on",
			 "'%s' is already watched by tcpward run, pid %d", ifname, pid);
}

/* err: of pins_read_info(), which tells the others itself. */
static int unreadable(const char *name, int err)
{
	return ward_fail(err == -EINVAL ? -EIO : err, err == -EPERM ? REMEDY_ROOT : err == -EROFS ? REMEDY_READ_ONLY : "",
			 "cannot open instance '%s': %s", name, strerror(-err));
}

/* Instances that are none (their maker died), of another build, or another user's: who looks at all passes them over. */
static bool passed_over(int err)
{
	return err == -ENOENT || err == -EPROTO || err == -EPERM;
}

static int refuse_others(const struct ward *w)
{
	char names[WARD_INSTANCES][WARD_NAME_LEN];
	int i, err, count = pins_list(names, WARD_INSTANCES);
	struct ward_instance info;
	unsigned a, b;

	for (i = 0; i < count; i++) {
		err = pins_read_info(names[i], &info);
		if (err && !passed_over(err))
			return unreadable(names[i], err); /* its interfaces may be ours */
		if (err)
			continue;
		for (a = 0; a < info.iface_count; a++)
			for (b = 0; b < w->plan.iface_count; b++)
				if (info.iface[a].hooks && info.iface[a].ifindex == w->plan.iface[b].ifindex &&
				    netns_here(info.iface[a].netns, info.netns_cookie))
					return refuse_watched(w->plan.iface[b].name, names[i], &info);
	}
	return 0;
}

static int take_name(struct ward *w)
{
	struct ward_instance info;
	int pid = 0;

	w->lock_fd = lock_take(w->name, 0, &pid);
	if (w->lock_fd == -EWOULDBLOCK && pins_read_info(w->name, &info) == -ENOENT)
		return ward_fail(-EBUSY, "wait until that is done, and try again",
				 "the instance '%s' is being made by pid %d", w->name, pid);
	if (w->lock_fd == -EWOULDBLOCK)
		return ward_fail(-EBUSY, "choose another by --name", "the instance name '%s' is taken by pid %d",
				 w->name, pid);
	if (w->lock_fd < 0)
		return w->lock_fd;
	if (!pins_exist(w->name))
		return 0;
	if (pins_read_info(w->name, &info) == -EPROTO)
		return -EPROTO;
	return ward_fail(-EBUSY, "choose another by --name", "the instance name '%s' is taken", w->name);
}

static int plan_interfaces(struct ward *w, const char *const *ifnames, int count)
{
	int i, err = iface_plan(w->plan.iface, ifnames, count);

	for (i = 0; !err && i < count; i++)
		if (!name_valid(ifnames[i]))
			err = ward_fail(-EINVAL, "give it another: ip link set dev OLD name NEW",
					"cannot attach to interface %u: its name has control characters", w->plan.iface[i].ifindex);
	if (err)
		return err;
	w->plan.iface_count = count;
	w->plan.netns_cookie = netns_cookie();
	for (i = 0; i < count; i++) /* auto may come to that; it costs native XDP a comparison */
		if (w->opt.ingress == INGRESS_XDP_GENERIC || (w->opt.ingress == INGRESS_AUTO && w->opt.enforce))
			w->plan.iface[i].flags |= IFACE_GENERIC;
	if (!w->name[0])
		strcpy(w->name, w->plan.iface[0].name);
	return 0;
}

/* Whoever called has been told to stop: between two steps that take long, or cannot be seen by others yet. */
static int stopped(const struct ward *w)
{
	if (!w->stop_if || !w->stop_if())
		return 0;
	return ward_fail(-EINTR, "", "attaching to '%s'%s was interrupted: all is as it was", w->plan.iface[0].name,
			 w->plan.iface_count > 1 ? " and others" : "");
}

static int begin(struct ward *w, enum ward_keep keep)
{
	int err;

	w->plan.lists_unread = (1 << WARD_LISTS) - 1;
	err = load_programs(w);
	if (!err)
		err = stopped(w);
	if (!err)
		err = pins_make(w->name);
	if (err)
		return err;
	err = load_pin(w, keep);
	if (!err)
		err = seed_before(w);
	if (!err)
		err = stopped(w);
	if (!err)
		lists_take_over(w);
	if (!err && w->before_attach)
		err = w->before_attach(w, w->before_attach_ctx);
	return err ? err : stopped(w);
}

static int begin_run(struct ward *w)
{
	int err = guardian_start(w); /* first: from the first filter on there is something to clean up */

	if (!err)
		err = attach_all(w);
	if (!err)
		err = seed_after(w);
	return err ? err : stopped(w);
}

static int begin_keep(struct ward *w, enum ward_keep keep)
{
	int err = attach_all(w);

	if (!err)
		err = seed_after(w);
	if (!err)
		err = attach_pin(w);
	if (!err)
		err = stopped(w);
	if (err)
		return err;
	w->info->keep = keep;
	return keep == KEEP_ALWAYS ? keeper_start(w) : 0;
}

/* The same on top of what is there. Until the programs have been replaced nothing has changed but, perhaps, the policy. */
static int go_on(struct ward *w, enum ward_keep keep)
{
	int err = load_programs(w);

	if (!err && keep == KEEP_ALWAYS) /* run goes through with it: its end takes off what it took over */
		err = stopped(w);
	if (!err && !w->take->all)
		err = seed_before(w);
	if (!err && w->before_attach)
		err = w->before_attach(w, w->before_attach_ctx);
	if (!err)
		err = takeover_lock(w);
	if (!err) {
		/* what was forgotten is not taken over: the stack is asked from now on, also if we are killed before the end */
		w->info->seeded = 0;
		cookie_knowledge(w);
		err = takeover_replace(w);
	}
	if (err)
		return err;
	if (!w->take->all) {
		seed_after(w);
		w->info->seeded = 0;
		live_revise(w); /* marks what was seeded */
	}
	err = load_pin(w, keep);
	if (err)
		return takeover_undo(w, err);
	if (keep == KEEP_NOT) /* with a policy in force, as it is */
		keep = KEEP_KILLED;
	takeover_done(w, keep);
	return keep == KEEP_ALWAYS ? keeper_start(w) : 0;
}

static void drop_links(struct ward *w)
{
	int i;

	for (i = 0; i < WARD_IFACES * 2; i++) {
		int *fd = &w->link[i / 2][i % 2];

		if (*fd >= 0)
			close(*fd);
		*fd = -1;
	}
	cookie_drop_links(w, false);
}

void ward_before_attach(struct ward *w, int (*fn)(struct ward *w, void *ctx), void *ctx)
{
	w->before_attach = fn;
	w->before_attach_ctx = ctx;
}

void ward_stop_if(struct ward *w, bool (*fn)(void))
{
	w->stop_if = fn;
}

static bool any_hooks(const struct ward_instance *info)
{
	for (unsigned i = 0; i < info->iface_count && i < WARD_IFACES; i++)
		if (info->iface[i].hooks)
			return true;
	return false;
}

int ward_keeper_restart(struct ward *w)
{
	int err, pid = 0;

	w->lock_fd = lock_take(w->name, 0, &pid);
	if (w->lock_fd == -EWOULDBLOCK)
		return ward_fail(-EBUSY, "", "instance '%s' has a keeper, pid %d", w->name, pid);
	if (w->lock_fd < 0)
		return w->lock_fd;
	if (!pins_exist(w->name) || !any_hooks(w->info)) { /* since it was opened */
		lock_drop(w->lock_fd, w->name);
		w->lock_fd = -1;
		return ward_fail(-ENOENT, "tcpward attach IFACE...", "instance '%s' was detached meanwhile", w->name);
	}
	attach_open_links(w);
	w->info->keep = KEEP_ALWAYS; /* also what a killed run has left */
	err = keeper_start(w);
	drop_links(w); /* pinned, and held by the keeper */
	close(w->lock_fd);
	w->lock_fd = -1;
	return err;
}

/* Takes all back that attaching has done, in the reverse order. */
static void undo(struct ward *w)
{
	if (w->info != &w->plan) {
		ward_cookies_off(w);
		attach_undo(w);
	}
	lists_save(w);
	pins_remove(w->name);
	guardian_dismiss(w);
	lock_drop(w->lock_fd, w->name);
	w->lock_fd = -1;
	w->attached = false;
}

/* It goes on without this process. */
static void let_go(struct ward *w)
{
	drop_links(w);
	cookie_drop_links(w, false);
	if (w->lock_fd >= 0)
		close(w->lock_fd);
	w->lock_fd = -1;
	w->attached = false;
}

static int attach_over(struct ward *w, enum ward_keep keep)
{
	int err = go_on(w, keep);

	if (err || keep == KEEP_ALWAYS)
		let_go(w);
	else
		w->attached = true;
	return err;
}

int ward_attach(struct ward *w, const char *const *ifnames, int count, enum ward_keep keep)
{
	int err = plan_interfaces(w, ifnames, count);

	if (err)
		return err;
	err = pins_mount(keep);
	if (err)
		return err;
	reap_all();
	err = takeover_find(w, keep);
	if (err > 0)
		return attach_over(w, keep);
	if (!err)
		err = refuse_others(w);
	if (!err)
		err = take_name(w);
	if (!err)
		err = attach_plan_xdp(w);
	if (err) {
		lock_drop(w->lock_fd, w->name);
		w->lock_fd = -1;
		return err;
	}
	err = begin(w, keep);
	if (!err)
		err = keep ? begin_keep(w, keep) : begin_run(w);
	if (err) {
		undo(w);
		return err;
	}
	w->attached = true;
	cookie_knowledge(w); /* a policy may have come before the sockets were read */
	if (keep == KEEP_ALWAYS)
		let_go(w); /* pinned, and held by the keeper */
	return 0;
}

void ward_leave(struct ward *w)
{
	if (w->attached && w->info->keep)
		let_go(w);
}

/* ---- finding again ---- */

/* "eth0, eth1, ..." of all instances, as far as it fits; returns how many there are. */
static int instances_text(char *text, size_t size)
{
	char names[WARD_INSTANCES][WARD_NAME_LEN];
	int used = 0, count = pins_list(names, WARD_INSTANCES);

	*text = '\0';
	for (int i = 0; i < count && used < (int)size; i++)
		used += snprintf(text + used, size - used, "%s%s", i ? ", " : "", names[i]);
	return count;
}

/* what: "no instance 'eth7'", "'eth7' is not attached"; NULL: nothing is. The second line says where to go on. */
static int nothing_there(const char *what)
{
	char list[200], mend[240];

	if (pins_hidden())
		return ward_fail(-ENOENT, REMEDY_HIDDEN,
				 "%s: this mount namespace has no bpffs on '/sys/fs/bpf' ('ip netns exec' hides it)",
				 what ? what : "cannot look for instances");
	if (!what)
		return ward_fail(-ENOENT, "tcpward attach IFACE, or tcpward run IFACE",
				 "not attached to any interface");
	if (instances_text(list, sizeof(list)) <= 0)
		return ward_fail(-ENOENT, "tcpward attach IFACE, or tcpward run IFACE", "%s: nothing is attached", what);
	snprintf(mend, sizeof(mend), "instances there are: %s", list);
	return ward_fail(-ENOENT, mend, "%s", what);
}

static int no_instance(const char *name)
{
	char what[WARD_NAME_LEN + 64];

	snprintf(what, sizeof(what), "no instance '%.*s'", WARD_NAME_LEN + 32, name);
	return nothing_there(what);
}

static int only_instance(char *name)
{
	char names[WARD_INSTANCES][WARD_NAME_LEN], list[200];
	int count = pins_list(names, WARD_INSTANCES);

	if (count == -EACCES)
		return ward_fail(-EPERM, REMEDY_ROOT, "cannot look for instances: %s", strerror(EACCES));
	if (count <= 0)
		return nothing_there(NULL);
	if (count == 1) {
		memcpy(name, names[0], WARD_NAME_LEN);
		return 0;
	}
	instances_text(list, sizeof(list));
	return ward_fail(-EINVAL, "choose one by --name", "there are %d instances: %s", count, list);
}

static int open_pinned(struct ward *w)
{
	int err = pins_open(w);

	if (!err)
		err = load_map_memory(w);
	if (err)
		return err;
	w->plan = *w->info;
	w->opt.flows = w->plan.flows_max;
	w->opt.key_vlan = w->plan.key_vlan;
	w->lists_taken_over = true;
	w->ids.tc_ingress = prog_id(w->prog[PROG_TC_INGRESS]);
	w->ids.tc_egress = prog_id(w->prog[PROG_TC_EGRESS]);
	w->ids.netns_cookie = w->plan.netns_cookie;
	return clock_measure(w, false);
}

static int read_info_told(const char *name, struct ward_instance *info)
{
	int err = pins_read_info(name, info);

	if (err == -ENOENT)
		return no_instance(name);
	return err && err != -EPROTO ? unreadable(name, err) : err;
}

int ward_open(const char *name, struct ward **out)
{
	char only[WARD_NAME_LEN];
	struct ward_instance info;
	struct ward *w;
	int err;

	log_capture();
	if (name && !name_valid(name))
		return no_instance(name);
	err = name ? 0 : only_instance(only);
	if (err)
		return err;
	if (!name)
		name = only;
	reap(name);
	err = read_info_told(name, &info);
	if (err)
		return err;
	w = ward_new();
	if (!w)
		return -ENOMEM;
	strcpy(w->name, name);
	err = open_pinned(w);
	if (err) {
		ward_close(w);
		return err;
	}
	*out = w;
	return 0;
}

int ward_open_iface(const char *ifname, struct ward **out)
{
	char names[WARD_INSTANCES][WARD_NAME_LEN];
	int i, err, count = pins_list(names, WARD_INSTANCES);
	uint32_t ifindex = if_nametoindex(ifname);
	struct ward_instance info;
	char what[64];
	unsigned row;

	log_capture();
	if (count == -EACCES)
		return ward_fail(-EPERM, REMEDY_ROOT, "cannot look for instances: %s", strerror(EACCES));
	for (i = 0; i < count; i++) {
		reap(names[i]);
		err = pins_read_info(names[i], &info);
		if (err && !passed_over(err))
			return unreadable(names[i], err);
		if (err)
			continue;
		for (row = 0; row < info.iface_count; row++)
			if (info.iface[row].hooks && netns_here(info.iface[row].netns, info.netns_cookie) &&
			    (ifindex ? info.iface[row].ifindex == ifindex : !strcmp(info.iface[row].name, ifname)))
				return ward_open(names[i], out);
	}
	if (pins_exist(ifname) && pins_read_info(ifname, &info) == -EPROTO)
		return -EPROTO;
	snprintf(what, sizeof(what), "'%.32s' is not attached", ifname);
	return nothing_there(what);
}

/* ---- ending ---- */

void ward_close(struct ward *w)
{
	int i;

	if (!w)
		return;
	if (w->attached)
		undo(w);
	load_free(w);
	for (i = 0; i < w->note_count; i++)
		free(w->notes[i]);
	free(w);
}

/* ---- what is known of one ---- */

const char *ward_name(const struct ward *w)
{
	return w->name;
}

const struct ward_instance *ward_info(const struct ward *w)
{
	return w->info;
}

const char *ward_iface_name(const struct ward *w, unsigned iface)
{
	return iface < w->info->iface_count && iface < WARD_IFACES ? w->info->iface[iface].name : NULL;
}

bool ward_own_build(const struct ward *w)
{
	return w->info->build == build_hash();
}

bool ward_keeper_alive(const struct ward *w, int *pid)
{
	int holder = 0;

	if (!lock_held(w->name, &holder))
		return false;
	if (pid)
		*pid = holder;
	return true;
}
