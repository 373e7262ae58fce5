/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef WARD_FILTERS_H
#define WARD_FILTERS_H

#include <stdint.h>

/* How many filters at a clsact hook are not ours. hook: TC_H_MIN_INGRESS or TC_H_MIN_EGRESS. 0 where it cannot be asked. */
int filters_foreign(unsigned ifindex, uint32_t hook);

#endif
