// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * attach: programs onto interfaces, and off again.
 *
 * XDP by bpf_link. tc by tcx link (Linux 6.6), else by a clsact filter, which no descriptor holds: whoever detaches
 * finds it by priority and handle and makes sure by the program's id that it is ours. A clsact qdisc that we made
 * goes with them, unless somebody else has put a filter on it.
 */
#include <errno.h>
#include <linux/pkt_sched.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "ward/checks.h"
#include "ward/cookie.h"
#include "ward/dispatch.h"
#include "ward/filters.h"
#include "ward/inside.h"
#include "ward/netns.h"

/* Of Linux 6.6, in enum bpf_attach_type; older headers lack them. */
#define ATTACH_TCX_INGRESS ((enum bpf_attach_type)46)
#define ATTACH_TCX_EGRESS ((enum bpf_attach_type)47)
#define ATTACH_BEFORE (1U << 3) /* BPF_F_BEFORE; and before nobody named: all */

void note(struct ward *w, const char *fmt, ...)
{
	va_list args;

	if (w->note_count == MAX_NOTES)
		return;
	va_start(args, fmt);
	if (vasprintf(&w->notes[w->note_count], fmt, args) >= 0)
		w->note_count++;
	va_end(args);
}

int ward_notes(const struct ward *w, const char *const **lines)
{
	*lines = (const char *const *)w->notes;
	return w->note_count;
}

uint32_t prog_id(int fd)
{
	struct bpf_prog_info info;
	__u32 len = sizeof(info);

	memset(&info, 0, sizeof(info));
	return bpf_obj_get_info_by_fd(fd, &info, &len) ? 0 : info.id;
}

/* ---- XDP ---- */

static int xdp_link(struct ward *w, int row, uint32_t mode)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts, .flags = mode);
	int fd = bpf_link_create(w->prog[PROG_XDP], (int)w->info->iface[row].ifindex, BPF_XDP, &opts);

	if (fd < 0)
		return -errno;
	w->link[row][0] = fd;
	return 0;
}

static void prog_name(uint32_t id, char name[BPF_OBJ_NAME_LEN])
{
	struct bpf_prog_info info;
	__u32 len = sizeof(info);
	int fd = bpf_prog_get_fd_by_id(id);

	snprintf(name, BPF_OBJ_NAME_LEN, "?");
	if (fd < 0)
		return;
	memset(&info, 0, sizeof(info));
	if (!bpf_obj_get_info_by_fd(fd, &info, &len))
		snprintf(name, BPF_OBJ_NAME_LEN, "%s", info.name);
	close(fd);
}

/* Id of the XDP program on an interface, 0: none, or it cannot be asked. */
static uint32_t xdp_there(const struct ward_iface *iface)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, query);

	if (bpf_xdp_query((int)iface->ifindex, 0, &query))
		return 0;
	return query.prog_id ? query.prog_id : query.drv_prog_id ? query.drv_prog_id : query.skb_prog_id;
}

static int xdp_busy(const struct ward_iface *iface)
{
	uint32_t id = xdp_there(iface);
	char other[BPF_OBJ_NAME_LEN] = "?", mend[200];

	if (id)
		prog_name(id, other);
	if (!strcmp(other, DISPATCHER_NAME)) { /* to remove it would end all that it calls */
		const char *build, *why = dispatch_missing(&build);

		snprintf(mend, sizeof(mend), "use --ingress tc, or %s", build);
		return ward_fail(-EBUSY, mend, "cannot attach to '%s': libxdp's dispatcher is there, and %s", iface->name, why);
	}
	snprintf(mend, sizeof(mend),
		 "use --ingress tc, or remove it: ip link set dev %s xdp off ('bpftool link' shows whether a link "
		 "holds it)",
		 iface->name);
	return ward_fail(-EBUSY, mend, "cannot attach to '%s': another XDP program is there ('%s', id %u)", iface->name, other, id);
}

/* Why a driver may refuse native XDP; the bpf() call hands no text out. */
static const char *xdp_cause(int err, const struct ward_iface *iface, char *mend, size_t size)
{
	snprintf(mend, size, "use --ingress tc");
	switch (err) {
	case -EOPNOTSUPP:
		return "its driver has no native XDP";
	case -ERANGE:
	case -E2BIG:
		snprintf(mend, size, "ip link set dev %s mtu 1500 (and its peer), or use --ingress tc", iface->name);
		return "its MTU is too large for native XDP";
	case -EINVAL:
		if (iface->mtu > 3498) {
			snprintf(mend, size, "ip link set dev %s mtu 1500, or use --ingress tc", iface->name);
			return "its driver refuses native XDP, probably for its MTU";
		}
		snprintf(mend, size, "ethtool -K %s lro off, or use --ingress tc", iface->name);
		return "its driver refuses native XDP, probably for LRO";
	case -ENOSPC:
	case -ENOMEM:
	case -EBADF:
		return "its driver has too few queues or memory for native XDP";
	default:
		return strerror(-err);
	}
}

static int failed(int err, const struct ward_iface *iface, const char *what)
{
	if (err == -ENODEV)
		return ward_fail(err, "", "cannot attach to '%s': no such device", iface->name);
	return ward_fail(err == -EINVAL ? -EOPNOTSUPP : err, err == -EPERM ? REMEDY_ROOT : "",
			 "cannot attach to '%s' by %s: %s", iface->name, what, strerror(-err));
}

static bool is_refusal(int err)
{
	return err != -EBUSY && err != -EEXIST && err != -EPERM && err != -ENODEV;
}

/* Native XDP is the one hook that changes how an interface works. */
static void note_cost(struct ward *w, const struct ward_iface *iface)
{
	char cost[120];

	native_xdp_cost(iface->name, cost, sizeof(cost));
	if (cost[0])
		note(w, "%s: %s (--ingress tc avoids it)", iface->name, cost);
}

/* A driver without XDP: the kernel's generic XDP drops cheaper than tc does; to watch, tc costs less. */
static const char *other_way(const struct ward *w)
{
	return w->opt.enforce ? "generic XDP" : "tc";
}

/* Of two bonds in one instance native XDP could not tell whose port a frame came in by. */
static bool second_with_ports(const struct ward_instance *info, unsigned row)
{
	return info->iface[row].flags & IFACE_PORTS && row != iface_ports_row(info->iface, info->iface_count);
}

static int attach_native(struct ward *w, int row, bool may_fall_back)
{
	const struct ward_iface *iface = &w->info->iface[row];
	const char *cause;
	char mend[160], gone[IF_NAMESIZE];
	int err;

	if (second_with_ports(w->info, (unsigned)row)) {
		note(w, "%s: ingress by %s, since native XDP cannot tell its frames from those of '%s', which has ports, too "
			"(attach to each by a command of its own)",
		     iface->name, other_way(w), w->info->iface[iface_ports_row(w->info->iface, w->info->iface_count)].name);
		return -EOPNOTSUPP;
	}
	err = xdp_link(w, row, XDP_FLAGS_DRV_MODE);
	if (!err) {
		note_cost(w, iface);
		return 0;
	}
	if (err == -EBUSY || err == -EEXIST)
		return xdp_busy(iface);
	if (!if_indextoname(iface->ifindex, gone)) /* an interface that went meanwhile is -EINVAL */
		err = -ENODEV;
	if (!is_refusal(err))
		return failed(err, iface, "XDP");
	cause = xdp_cause(err, iface, mend, sizeof(mend));
	if (!may_fall_back)
		return ward_fail(-EOPNOTSUPP, mend, "cannot attach to '%s': %s (%s)", iface->name, cause,
				 strerror(-err));
	note(w, "%s: ingress by %s, since %s", iface->name, other_way(w), cause);
	return err;
}

static int attach_generic(struct ward *w, int row)
{
	const struct ward_iface *iface = &w->info->iface[row];
	int err = xdp_link(w, row, XDP_FLAGS_SKB_MODE);

	if (err == -EBUSY || err == -EEXIST)
		return xdp_busy(iface);
	return err ? failed(err, iface, "generic XDP") : 0;
}

/* Beside others. */
static int attach_dispatched(struct ward *w, int row)
{
	struct ward_iface *iface = &w->info->iface[row];
	char others[120];
	int err = dispatch_attach(w, row);

	if (err)
		return err;
	dispatch_names(iface->ifindex, others, sizeof(others));
	iface->ingress = iface->flags & IFACE_GENERIC ? INGRESS_XDP_GENERIC : INGRESS_XDP;
	note(w, "%s: XDP by libxdp's dispatcher, beside %s", iface->name, others);
	return 0;
}

int attach_plan_xdp(struct ward *w)
{
	bool generic;

	for (unsigned i = 0; i < w->plan.iface_count && w->opt.ingress != INGRESS_TC; i++) {
		struct ward_iface *iface = &w->plan.iface[i];

		if (dispatch_there(iface->ifindex, &generic))
			iface->flags |= IFACE_DISPATCHED | (generic ? IFACE_GENERIC : 0);
		else if (xdp_there(iface))
			return xdp_busy(iface);
		if (w->opt.ingress == INGRESS_XDP && second_with_ports(&w->plan, i))
			return ward_fail(-EOPNOTSUPP, "attach to each by a command of its own, or use --ingress tc",
					 "cannot attach to '%s': native XDP cannot tell its frames from those of '%s', which has ports, too",
					 iface->name, w->plan.iface[iface_ports_row(w->plan.iface, w->plan.iface_count)].name);
	}
	return 0;
}

/* ---- tc ---- */

int tcx_link_create(int prog_fd, uint32_t ifindex, bool egress)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts, .flags = ATTACH_BEFORE);
	int fd = bpf_link_create(prog_fd, (int)ifindex, egress ? ATTACH_TCX_EGRESS : ATTACH_TCX_INGRESS, &opts);

	return fd < 0 ? -errno : fd;
}

static int tcx_link(struct ward *w, int row, bool egress)
{
	int fd = tcx_link_create(w->prog[egress ? PROG_TC_EGRESS : PROG_TC_INGRESS], w->info->iface[row].ifindex, egress);

	if (fd < 0)
		return fd;
	w->link[row][egress] = fd;
	return 0;
}

static int clsact_filter(struct ward *w, int row, bool egress)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)w->info->iface[row].ifindex,
		    .attach_point = egress ? BPF_TC_EGRESS : BPF_TC_INGRESS);
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = WARD_TC_HANDLE, .priority = WARD_TC_PRIORITY,
		    .prog_fd = w->prog[egress ? PROG_TC_EGRESS : PROG_TC_INGRESS]);
	int err = bpf_tc_hook_create(&hook);

	if (!err)
		w->info->iface[row].flags |= IFACE_CLSACT;
	else if (err != -EEXIST)
		return err;
	return bpf_tc_attach(&hook, &opts);
}

static int attach_tc(struct ward *w, int row, bool egress)
{
	struct ward_iface *iface = &w->info->iface[row];
	int err = w->opt.clsact ? -EOPNOTSUPP : tcx_link(w, row, egress);

	if (!err) {
		iface->tcx = 1;
		return 0;
	}
	if (err == -EPERM || err == -ENODEV)
		return failed(err, iface, "tcx");
	err = clsact_filter(w, row, egress);
	if (err == -EEXIST)
		return ward_fail(-EBUSY, "tc filter show dev IFACE ingress (or egress) shows it",
				 "cannot attach to '%s': a foreign tc filter has our priority and handle", iface->name);
	return err ? failed(err, iface, "tc") : 0;
}

enum ward_prog attach_prog(const struct ward_iface *iface, bool egress)
{
	return egress ? PROG_TC_EGRESS : iface->ingress == INGRESS_TC ? PROG_TC_INGRESS : PROG_XDP;
}

int attach_filter_replace(const struct ward_iface *iface, bool egress, int prog_fd)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)iface->ifindex,
		    .attach_point = egress ? BPF_TC_EGRESS : BPF_TC_INGRESS);
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = WARD_TC_HANDLE, .priority = WARD_TC_PRIORITY, .prog_fd = prog_fd,
		    .flags = BPF_TC_F_REPLACE);

	return bpf_tc_attach(&hook, &opts);
}

static int detach_filter(const struct ward_iface *row, bool egress, uint32_t id)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)row->ifindex,
		    .attach_point = egress ? BPF_TC_EGRESS : BPF_TC_INGRESS);
	LIBBPF_OPTS(bpf_tc_opts, found, .handle = WARD_TC_HANDLE, .priority = WARD_TC_PRIORITY);
	LIBBPF_OPTS(bpf_tc_opts, gone, .handle = WARD_TC_HANDLE, .priority = WARD_TC_PRIORITY);

	if (bpf_tc_query(&hook, &found) || (id && found.prog_id != id))
		return 0;
	return bpf_tc_detach(&hook, &gone);
}

/*
 * The qdisc that we made goes too, unless somebody has put a filter on it meanwhile. A filter that is added between the two
 * calls would go with it: a window of microseconds, once a detach.
 */
static void remove_clsact(const struct ward_iface *row)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)row->ifindex, .attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS);

	if (row->flags & IFACE_CLSACT && !filters_foreign(row->ifindex, TC_H_MIN_INGRESS) &&
	    !filters_foreign(row->ifindex, TC_H_MIN_EGRESS))
		bpf_tc_hook_destroy(&hook);
}

static int detach_clsact(const struct ward_iface *row, const struct prog_ids *ids)
{
	int err;

	if (!row->ifindex || !netns_here(row->netns, ids->netns_cookie))
		return 0;
	err = detach_filter(row, false, ids->tc_ingress);
	if (!err)
		err = detach_filter(row, true, ids->tc_egress);
	if (!err)
		remove_clsact(row);
	return err;
}

int detach_others(const struct ward_iface *row, const struct prog_ids *ids)
{
	int err = 0;

	if (row->flags & IFACE_DISPATCHED && row->ifindex && netns_here(row->netns, ids->netns_cookie))
		err = dispatch_detach(row);
	return err ? err : detach_clsact(row, ids);
}

/* ---- one interface ---- */

/* SYNs are to be answered here, and native XDP's answers would be lost. */
static bool avoids_native(struct ward *w, const struct ward_iface *iface)
{
	char why[160];

	if (w->opt.ingress != INGRESS_AUTO || ward_cookies(w) == COOKIE_AUTO || !cookie_wants_generic(iface->name, why, sizeof(why)))
		return false;
	note(w, "%s: ingress by %s, for SYN cookies: %s", iface->name, other_way(w), why);
	return true;
}

static int attach_ingress(struct ward *w, int row)
{
	struct ward_iface *iface = &w->info->iface[row];
	enum ward_ingress want = w->opt.ingress;
	int err = -EOPNOTSUPP;

	if (iface->flags & IFACE_DISPATCHED) {
		err = attach_dispatched(w, row);
		if (err && want != INGRESS_AUTO)
			return err;
		if (err)
			note(w, "%s: ingress by tc; %s", iface->name, ward_reason());
	} else if ((want == INGRESS_AUTO && !avoids_native(w, iface)) || want == INGRESS_XDP) {
		err = attach_native(w, row, want == INGRESS_AUTO);
		if (!err)
			iface->ingress = INGRESS_XDP;
		else if (want == INGRESS_XDP || !is_refusal(err))
			return err;
	}
	if (!(iface->flags & IFACE_DISPATCHED) &&
	    (want == INGRESS_XDP_GENERIC || (err && want == INGRESS_AUTO && w->opt.enforce))) {
		err = attach_generic(w, row);
		if (err)
			return err;
		iface->ingress = INGRESS_XDP_GENERIC;
	}
	if (err) {
		err = attach_tc(w, row, false);
		if (err)
			return err;
		iface->flags &= ~IFACE_DISPATCHED;
		iface->ingress = INGRESS_TC;
	}
	iface->hooks |= HOOK_INGRESS;
	return 0;
}

/* On lo every segment comes in as it went out: one hook sees all. */
static bool wants_egress(const struct ward *w, const struct ward_iface *iface)
{
	return !w->opt.hooks_ingress_only && strcmp(iface->name, "lo");
}

/* On failure attach_undo() takes off what is on already. */
int attach_all(struct ward *w)
{
	unsigned i;
	int err;

	for (i = 0; i < w->info->iface_count; i++) {
		struct ward_iface *iface = &w->info->iface[i];

		err = attach_ingress(w, (int)i);
		if (!err && wants_egress(w, iface)) {
			err = attach_tc(w, (int)i, true);
			if (!err)
				iface->hooks |= HOOK_EGRESS;
		}
		w->plan.iface[i] = *iface;
		if (err)
			return err;
	}
	cookie_note(w);
	return 0;
}

int attach_pin(struct ward *w)
{
	char path[PIN_PATH], leaf[64];
	int row, dir;

	for (row = 0; row < WARD_IFACES; row++)
		for (dir = 0; dir < 2; dir++) {
			if (w->link[row][dir] < 0)
				continue;
			pins_link_leaf(leaf, sizeof(leaf), w->info->iface[row].name, dir);
			pins_path(path, w->name, leaf);
			if (bpf_obj_pin(w->link[row][dir], path))
				return ward_fail(-errno, "", "cannot pin '%s': %s", path, strerror(errno));
		}
	return cookie_pin(w);
}

void attach_open_links(struct ward *w)
{
	char path[PIN_PATH], leaf[64];
	int i;

	for (i = 0; i < (int)w->info->iface_count * 2; i++) {
		pins_link_leaf(leaf, sizeof(leaf), w->info->iface[i / 2].name, i % 2);
		pins_path(path, w->name, leaf);
		w->link[i / 2][i % 2] = bpf_obj_get(path); /* negative: detached, or a filter of clsact */
	}
}

static void end_link(int *fd)
{
	if (*fd < 0)
		return;
	bpf_link_detach(*fd); /* at once; a pin or a copy of the descriptor could put the last close() off */
	close(*fd);
	*fd = -1;
}

void attach_undo(struct ward *w)
{
	int row;

	cookie_drop_links(w, true);
	for (row = 0; row < WARD_IFACES; row++) {
		end_link(&w->link[row][0]);
		end_link(&w->link[row][1]);
	}
	for (row = 0; row < (int)w->info->iface_count; row++) {
		detach_others(&w->info->iface[row], &w->ids);
		w->info->iface[row].hooks = 0;
	}
}

int detach_row(const char *name, const struct ward_iface *row, const struct prog_ids *ids)
{
	char path[PIN_PATH], leaf[64];
	int dir, fd, links = 0;

	cookie_detach(name, row);
	for (dir = 0; dir < 2; dir++) {
		pins_link_leaf(leaf, sizeof(leaf), row->name, dir);
		pins_path(path, name, leaf);
		fd = bpf_obj_get(path);
		if (fd < 0)
			continue;
		links++;
		end_link(&fd);
		unlink(path);
	}
	if (links == !!(row->hooks & HOOK_INGRESS) + !!(row->hooks & HOOK_EGRESS))
		return 0;
	if (!netns_here(row->netns, ids->netns_cookie))
		return ward_fail(
			-EXDEV, "detach from within that namespace: nsenter --net=/run/netns/NAME tcpward detach",
			"cannot detach from '%s': it lives in another network namespace", row->name);
	return detach_others(row, ids);
}
