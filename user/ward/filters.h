/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef WARD_FILTERS_H
#define WARD_FILTERS_H

#include <stdbool.h>
#include <stdint.h>

/* The filters at a clsact hook; of foreign ones how many have their turn before our priority (WARD_TC_PRIORITY), how many behind. */
struct filters {
	bool ours;
	int before, behind;
};

/* hook: TC_H_MIN_INGRESS or TC_H_MIN_EGRESS. None where it cannot be asked. */
void filters_read(unsigned ifindex, uint32_t hook, struct filters *out);
/* How many filters at a clsact hook are not ours. hook: TC_H_MIN_INGRESS or TC_H_MIN_EGRESS. 0 where it cannot be asked. */
int filters_foreign(unsigned ifindex, uint32_t hook);

#endif
