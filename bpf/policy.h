/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Policy: between judge and commit. tcpward only watches yet, so everything passes; a drop here moves no state. */
#ifndef BPF_POLICY_H
#define BPF_POLICY_H

#include "policy_maps.h"

enum verdict { VERDICT_PASS, VERDICT_DROP };

static __always_inline enum verdict policy_verdict(const struct scratch *sc)
{
	(void)sc;
	return VERDICT_PASS;
}

#endif
