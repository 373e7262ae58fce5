/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What user space hands to the programs that it runs itself (SEC("syscall")), and the interface table of an instance. */
#ifndef SWEEP_H
#define SWEEP_H

#include "tcpward.h"

/* Program ward_sweep: one walk over both tables. */
struct sweep_args {
	__u64 now_ns; /* the clock to judge time-outs by */
	__u32 budget; /* stop after so many events; 0: no limit */
	__u32 more;   /* out: 1 if it stopped early */
};

/* Program ward_mark: marks the flows that lists and rules may concern, after a change of them. */
struct mark_args {
	__u32 missed; /* out: flows that another CPU was at: call again */
	__u32 pad;
};

/* Program ward_clock: the programs' clock beside the user's. */
struct clock_args {
	__u64 jiffies;
	__u64 ktime_ns;
};

/* One interface, in rodata. */
struct iface_row {
	__u32 ifindex;
	__u32 flags; /* IFACE_* */
	__u32 mtu;
	__u32 pad;
};

#endif
