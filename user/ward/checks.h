/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* checks: the list that doctor fills, shared by its files. */
#ifndef WARD_CHECKS_H
#define WARD_CHECKS_H

#include "ward/ward.h"

struct check_list {
	struct ward_check *row;
	int count, max;
	bool privileged; /* may it ask the kernel about programs? */
};

/* Adds one row; remedy NULL: none is needed. A full list takes no more. Formats like printf. */
void check_add(struct check_list *list, const char *name, enum ward_health health, const char *remedy, const char *fmt,
	       ...) __attribute__((format(printf, 5, 6)));

/* What rtnetlink(7) says of one interface, and who depends on it. */
struct link_facts {
	unsigned ifindex, flags, mtu, type;
	unsigned master, lower;
	bool lower_elsewhere; /* in another namespace: lower is a number of that one */
	int lower_nsid;       /* ... which this is */
	char kind[16];       /* "veth", "bridge", "" for hardware */
	unsigned ports;      /* interfaces whose master this is */
	unsigned vlans;      /* VLAN devices above it */
};

/* ---- links.c ---- */
/* All interfaces of this network namespace, without their ports and vlans: an array to be freed. How many, or a negative errno. */
int links_read(struct link_facts **out);
/* One of them, with its ports and vlans. 0, or -ENODEV if there is no such interface, or another negative errno. */
int link_read(const char *ifname, struct link_facts *out);

/* ---- doctor_link.c: what the NIC and its driver say ---- */
void doctor_link(const char *ifname, const struct link_facts *link, struct check_list *list);
/* What native XDP costs on this interface, one line without its name; "" if nothing is known. */
void native_xdp_cost(const char *ifname, char *text, size_t size);
void doctor_relations(const char *ifname, const struct link_facts *link, struct check_list *list);

/* ---- doctor_cookie.c: SYN cookies, of this kernel and network namespace; what is in their way on an interface ---- */
void doctor_cookies(struct check_list *list);
void doctor_cookies_link(const char *ifname, const struct link_facts *link, struct check_list *list);

/* ---- doctor_hooks.c: who hangs on the interface already ---- */
void doctor_hooks(const char *ifname, unsigned ifindex, struct check_list *list);
/* 1: the kernel has tcx, 0: it has not, negative errno: could not be asked. */
int doctor_has_tcx(void);

#endif
