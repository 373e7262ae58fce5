/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* drop: what the event of a dropped segment means, which it tells by numbers that only the policy in force explains. */
#ifndef POLICY_DROP_H
#define POLICY_DROP_H

struct drop_names {
	char rule[80];      /* whom it is owed to: "known-bad", "web/half-open", "block list"; "": nobody */
	char limit[64];     /* what that allows: "64", "25%", "50/s"; "": it is no limit */
	char entry[64];     /* block list: which, "203.0.113.0/24" ... */
	char listed_by[80]; /* ... and who put it there: a limit, "web/new-per-source"; "finding", "hand", "file" */
};

#endif
