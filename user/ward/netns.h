/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* netns: a short visit to another network namespace, known by its inode. */
#ifndef WARD_NETNS_H
#define WARD_NETNS_H

#include <stdint.h>

struct netns_visit {
	int home; /* to go back to; -1: it is our own namespace */
};

/* The calling thread goes to the namespace with this inode: by its name below /run/netns, or by a process that lives there. It
 * is not held longer than the visit. 0, or -1 with errno: ENOENT: nobody is there; EPERM: it takes CAP_SYS_ADMIN. */
int netns_enter(uint32_t inode, struct netns_visit *visit);
void netns_leave(struct netns_visit *visit);

#endif
