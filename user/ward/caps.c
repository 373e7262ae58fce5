// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * caps: what a process gives up once everything is attached. Maps, programs and links in use go by descriptors, and pins by
 * who owns them, so the sweep needs no capability at all. What is left is for what may come later:
 *
 *   CAP_BPF        a policy that is read again (SIGHUP) makes maps
 *   CAP_NET_ADMIN  ... attaches the program of SYN cookies; "close" of a policy destroys sockets (SOCK_DESTROY); filters of
 *                  clsact are taken off by netlink
 *   CAP_NET_RAW    ... tests SYN cookies by segments of its own, before they are used
 *   CAP_SYS_ADMIN, CAP_SYS_PTRACE  the same in another network namespace: setns(2), and finding it below /proc
 *
 * Who is to leave libxdp's dispatcher keeps them all, but the keeper, which leaves that to detach.
 *
 * The bounding set stays: a policy that is read again may run nft(8), to name the rule that is in the way of SYN cookies.
 */
#include <cap-ng.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>

#include "ward/inside.h"
#include "ward/netns.h"

static bool has(unsigned cap)
{
	return capng_have_capability(CAPNG_EFFECTIVE, cap) ||
	       ((cap == CAP_BPF || cap == CAP_PERFMON) && capng_have_capability(CAPNG_EFFECTIVE, CAP_SYS_ADMIN));
}

const char *remedy_privilege(bool raw)
{
	static const struct {
		unsigned cap;
		const char *name;
	} wanted[] = { { CAP_BPF, "CAP_BPF" }, { CAP_NET_ADMIN, "CAP_NET_ADMIN" }, { CAP_PERFMON, "CAP_PERFMON" }, { CAP_NET_RAW, "CAP_NET_RAW" } };
	static char text[300];
	char lacks[80] = "";
	int saved = errno;
	size_t used = 0;

	if (capng_get_caps_process())
		capng_clear(CAPNG_SELECT_CAPS); /* what cannot be read counts as lacking */
	for (size_t i = 0; i < sizeof(wanted) / sizeof(*wanted) - !raw; i++)
		if (!has(wanted[i].cap))
			used += (size_t)snprintf(lacks + used, sizeof(lacks) - used, " %s", wanted[i].name);
	snprintf(text, sizeof(text), "run as root, or with CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON%s; this process %s%s",
		 raw ? ", and CAP_NET_RAW for the test of SYN cookies" : "", used ? "lacks" : "has them, but not the files: ",
		 used ? lacks : "'ls -ld /sys/fs/bpf /sys/fs/bpf/tcpward /run/tcpward' shows whose they are");
	errno = saved;
	return text;
}

static bool elsewhere(const struct ward *w)
{
	for (unsigned i = 0; i < w->info->iface_count; i++)
		if (w->info->iface[i].hooks && !netns_here(w->info->iface[i].netns, w->info->netns_cookie))
			return true;
	return false;
}

static bool has_clsact(const struct ward *w)
{
	for (unsigned i = 0; i < w->info->iface_count; i++) {
		const struct ward_iface *row = &w->info->iface[i];

		if (!row->tcx && (row->hooks & HOOK_EGRESS || row->ingress == INGRESS_TC))
			return true;
	}
	return false;
}

/* To leave libxdp's dispatcher a new one is loaded, and programs are opened by their ids. */
static bool dispatched(const struct ward *w)
{
	for (unsigned i = 0; i < w->info->iface_count; i++)
		if (w->info->iface[i].flags & IFACE_DISPATCHED)
			return true;
	return false;
}

static bool wanted(const struct ward *w, enum ward_caps what, unsigned cap)
{
	bool closes = what == CAPS_POLICY || what == CAPS_KEEPER;

	if (what != CAPS_KEEPER && dispatched(w))
		return true;
	switch (cap) {
	case CAP_BPF:
	case CAP_NET_RAW:
		return what == CAPS_POLICY;
	case CAP_NET_ADMIN:
		return closes || what == CAPS_GUARDIAN || has_clsact(w);
	default:
		return closes && elsewhere(w);
	}
}

int ward_caps_keep(const struct ward *w, enum ward_caps what)
{
	static const unsigned known[] = { CAP_BPF, CAP_NET_ADMIN, CAP_NET_RAW, CAP_SYS_ADMIN, CAP_SYS_PTRACE };
	bool keep[sizeof(known) / sizeof(*known)];
	size_t i;

	if (capng_get_caps_process())
		return -EPERM;
	for (i = 0; i < sizeof(known) / sizeof(*known); i++) /* nobody gains anything */
		keep[i] = wanted(w, what, known[i]) && capng_have_capability(CAPNG_PERMITTED, known[i]);
	capng_clear(CAPNG_SELECT_CAPS);
	for (i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (keep[i])
			capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, known[i]);
	return capng_apply(CAPNG_SELECT_CAPS) ? -EPERM : 0;
}
