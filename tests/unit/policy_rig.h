/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Random policies, and segments that lie near the borders of what they say. For the tests of user/policy/. */
#ifndef UNIT_POLICY_RIG_H
#define UNIT_POLICY_RIG_H

#include "policy/policy.h"

#define RIG_ROWS 3

extern const char rig_ifaces[RIG_ROWS][WARD_NAME_LEN]; /* the instance's */

/* The same numbers for the same seed. */
struct dice {
	uint64_t state;
};
uint64_t roll(struct dice *d);
unsigned roll_below(struct dice *d, unsigned end); /* 0 to end - 1 */
bool one_in(struct dice *d, unsigned n);

/* A policy with conditions of all kinds on some rules and services. Free with policy_free(). */
struct policy *rig_policy(struct dice *d);
/* The same with all that a policy file may say, within what its reader accepts. */
struct policy *rig_whole_policy(struct dice *d);
/* Its image, for rig_ifaces; the test fails if it has none. Free with policy_image_free(). */
struct policy_image *rig_compile(const struct policy *p);
/* A segment for it; what is invalid in it goes to *invalid. */
struct segment rig_segment(struct dice *d, const struct policy *p, uint32_t *invalid);
/* From ends by hand, as text; ports in host order. */
struct segment rig_segment_of(const char *saddr, uint16_t sport, const char *daddr, uint16_t dport);
/* A prefix by hand: "10.0.0.0/8"; without "/", of full length. */
struct cidr rig_cidr(const char *text);
void rig_cidr_add(struct cidr_list *l, struct cidr c);
void rig_range_add(struct range_list *l, uint16_t from, uint16_t to);

/* ---- what should match, read straight from the policy: no image ---- */
uint64_t rig_rules(const struct policy *p, const struct segment *seg, uint32_t invalid);
uint32_t rig_services(const struct policy *p, const struct segment *seg);
bool rig_allows(const struct policy *p, const struct segment *seg);

#endif
