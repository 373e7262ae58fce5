// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Prefixes on the lists: of those that hold a sender the longest whose time is not over counts, with its hits, and none of
 * IPv6 holds an IPv4 address.
 */
#include <string.h>

#include "prog/enforce_rig.h"

#define S "10.9.9.9"
#define S6 "2001:db8:9::9"

static int syn(struct rig *rig, const char *from)
{
	static uint16_t port = 1000;

	return syn_dropped(rig, from, ++port, strchr(from, ':') ? S6 : S, 80);
}

static void test_longest(struct rig *rig)
{
	case_begin("prefixes: the longest that counts drops, and is counted");
	list(rig, WARD_BLOCK, "10.0.0.0/8", 0);
	list(rig, WARD_BLOCK, "10.1.0.0/16", 10 * SECOND);
	list(rig, WARD_BLOCK, "10.1.2.0/24", 5 * SECOND);
	same(syn(rig, "10.1.2.3"), 1);
	same(syn(rig, "10.1.3.3"), 1);
	same(syn(rig, "10.1.3.4"), 1);
	same(syn(rig, "10.2.3.4"), 1);
	same(syn(rig, "11.2.3.4"), 0);
	same(syn(rig, "2001:db8::1"), 0);
	same(hits_of(rig, "10.1.2.0/24"), 1);
	same(hits_of(rig, "10.1.0.0/16"), 2);
	same(hits_of(rig, "10.0.0.0/8"), 1);
	/* the clock only, no sweep: what is over still stands before the wider ones */
	rig->now_ns += 6 * SECOND;
	same(syn(rig, "10.1.2.3"), 1);
	same(hits_of(rig, "10.1.0.0/16"), 3);
	rig->now_ns += 6 * SECOND;
	same(syn(rig, "10.1.2.3"), 1);
	same(hits_of(rig, "10.0.0.0/8"), 2);
	unlist(rig, WARD_BLOCK, "10.0.0.0/8");
	same(syn(rig, "10.1.2.3"), 0);
	same(count_of(rig, SUBJECT_BLOCK_LIST).dropped, 6);
	enforce_nothing(rig);
	case_end();
}

static void test_families(struct rig *rig)
{
	case_begin("prefixes: ::/0 holds no IPv4 address, 0.0.0.0/0 none of IPv6");
	list(rig, WARD_BLOCK, "::/0", 0);
	same(syn(rig, "10.1.2.3"), 0);
	same(syn(rig, "2001:db8::1"), 1);
	same(hits_of(rig, "::/0"), 1);
	list(rig, WARD_BLOCK, "2001:db8::/32", SECOND);
	same(syn(rig, "2001:db8::1"), 1);
	same(hits_of(rig, "2001:db8::/32"), 1);
	rig->now_ns += 2 * SECOND;
	same(syn(rig, "2001:db8::1"), 1);
	same(syn(rig, "10.1.2.3"), 0);
	same(hits_of(rig, "::/0"), 2);
	list(rig, WARD_BLOCK, "0.0.0.0/0", SECOND);
	same(syn(rig, "10.1.2.3"), 1);
	same(hits_of(rig, "0.0.0.0/0"), 1);
	rig->now_ns += 2 * SECOND;
	same(syn(rig, "10.1.2.3"), 0); /* over, and behind it only ::/0 */
	same(hits_of(rig, "::/0"), 2);
	unlist(rig, WARD_BLOCK, "::/0");
	list(rig, WARD_BLOCK, "0.0.0.0/0", 0);
	same(syn(rig, "10.1.2.3"), 1);
	same(syn(rig, "2001:db8::1"), 0);
	enforce_nothing(rig);
	case_end();
}

static void test_allowed(struct rig *rig)
{
	case_begin("prefixes: a prefix that is allowed goes before one that is blocked; nothing is counted then");
	list(rig, WARD_BLOCK, "10.0.0.0/8", 0);
	list(rig, WARD_ALLOW, "10.1.0.0/16", 5 * SECOND);
	same(syn(rig, "10.1.2.3"), 0);
	same(syn(rig, "10.2.2.3"), 1);
	same(hits_of(rig, "10.0.0.0/8"), 1);
	rig->now_ns += 6 * SECOND;
	same(syn(rig, "10.1.2.3"), 1);
	same(hits_of(rig, "10.0.0.0/8"), 2);
	enforce_nothing(rig);
	case_end();
}

/* Ordinary segments of an open connection are asked about once; to be asked is no hit. */
static void test_open(struct rig *rig)
{
	struct talk t = talk_of("10.1.2.3", 7, S, 80);

	case_begin("prefixes: an open connection is dropped from when its sender is listed, and not before");
	same(opens(rig, &t), 0);
	list(rig, WARD_BLOCK, "10.1.0.0/16", 0);
	rig_wait(rig, SECOND);
	same(hits_of(rig, "10.1.0.0/16"), 0);
	same(says(rig, &t, SERVER, TH_ACK, 10), 0); /* asks about both directions */
	same(hits_of(rig, "10.1.0.0/16"), 0);
	same(says(rig, &t, CLIENT, TH_ACK, 10), 1);
	same(hits_of(rig, "10.1.0.0/16"), 1);
	same(says(rig, &t, CLIENT, TH_ACK, 10), 1);
	same(hits_of(rig, "10.1.0.0/16"), 2);
	unlist(rig, WARD_BLOCK, "10.1.0.0/16");
	rig_wait(rig, SECOND);
	same(says(rig, &t, CLIENT, TH_ACK, 10), 0);
	enforce_nothing(rig);
	case_end();
}

int main(void)
{
	struct rig_options opt;
	struct rig rig;

	rig_options_init(&opt);
	opt.iface_mtu = 1500;
	rig_open(&rig, &opt);
	test_longest(&rig);
	test_families(&rig);
	test_allowed(&rig);
	test_open(&rig);
	rig_close(&rig);
	return rig_result();
}
