/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* netns: a short visit to another network namespace, known by its inode. */
#ifndef WARD_NETNS_H
#define WARD_NETNS_H

#include <stdbool.h>
#include <stdint.h>

struct netns_visit {
	int home; /* to go back to; -1: it is our own namespace */
};

/* What no other namespace has had since this host was booted: SO_NETNS_COOKIE of the calling thread's; 0: this kernel does not tell. */
uint64_t netns_cookie(void);

/* Is the calling thread in the namespace with this inode and this cookie? The inode's number alone tells where cookie is 0: not known. */
bool netns_here(uint32_t inode, uint64_t cookie);

/*
 * The calling thread goes to the namespace with this inode: by its name below /run/netns, or by a process that lives there. It
 * is not held longer than the visit, for whoever holds a descriptor of it keeps its devices from going. So its inode's number may
 * meanwhile be another's: cookie tells. 0, or -1 with errno: ENOENT: nobody is there; ESTALE: what is there is another one, or
 * which one cannot be known (cookie 0); EPERM: it takes CAP_SYS_ADMIN.
 */
int netns_enter(uint32_t inode, uint64_t cookie, struct netns_visit *visit);
void netns_leave(struct netns_visit *visit);

#endif
