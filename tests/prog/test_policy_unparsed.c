/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What is not TCP always passes; TCP that is broken is dropped where the policy says so, and nothing else. */
#include <stdio.h>
#include <string.h>

#include <linux/bpf.h>

#include "prog/enforce_rig.h"

#define C "10.0.0.1"
#define S "10.0.0.2"
#define IP 14  /* where the IP header begins */
#define TCP 34 /* ... and TCP behind IPv4 */

struct patch {
	int at;
	uint8_t value;
};

/* A SYN whose bytes are changed, and cut to so many (0: not). */
struct shape {
	const char *name;
	bool v6, extensions;
	struct patch patch[6];
	int cut;
	bool broken;
	enum ward_reason reason;
};

#define V6_TCP 54

static const struct shape shapes[] = {
	{"ARP", false, false, {{12, 0x08}, {13, 0x06}}, 0, false, REASON_NOT_IP},
	{"UDP", false, false, {{IP + 9, 17}}, 0, false, REASON_NOT_TCP},
	{"ICMP", false, false, {{IP + 9, 1}}, 0, false, REASON_NOT_TCP},
	{"ICMPv6, and so ND", true, false, {{IP + 6, 58}}, 0, false, REASON_NOT_TCP},
	{"UDP over IPv6", true, false, {{IP + 6, 17}}, 0, false, REASON_NOT_TCP},
	{"ICMP cut short", false, false, {{IP + 9, 1}}, 40, false, REASON_NOT_TCP},
	{"UDP over IPv6 cut short", true, false, {{IP + 6, 17}}, 60, false, REASON_TRUNCATED},
	{"a later fragment", false, false, {{IP + 6, 0}, {IP + 7, 1}}, 0, false, REASON_FRAG_LATER},
	{"a first fragment with its header", false, false, {{IP + 6, 0x20}}, 0, false, REASON_FRAG_FIRST},
	{"a later fragment, IPv6", true, true, {{IP + 40 + 24 + 3, 0x09}}, 0, false, REASON_FRAG_LATER},
	{"a first fragment, IPv6", true, true, {{IP + 40 + 24 + 3, 0x01}}, 0, false, REASON_FRAG_FIRST},
	{"IP of an unknown version", false, false, {{IP, 0x55}}, 0, false, REASON_BAD_IP},
	{"an IP header cut short", false, false, {{0, 2}}, IP + 12, false, REASON_TRUNCATED},
	{"a data offset of 4", false, false, {{TCP + 12, 0x40}}, 0, true, REASON_BAD_TCP},
	{"a data offset beyond the packet", false, false, {{TCP + 12, 0xf0}}, 0, true, REASON_BAD_TCP},
	{"a packet of 10 bytes of TCP", false, false, {{IP + 2, 0}, {IP + 3, 30}}, 0, true, REASON_BAD_TCP},
	{"a packet longer than its frame", false, false, {{IP + 2, 1}, {IP + 3, 0}}, 0, true, REASON_TRUNCATED},
	{"a first fragment of 8 bytes of TCP", false, false, {{IP + 2, 0}, {IP + 3, 28}, {IP + 6, 0x20}}, 0, true, REASON_BAD_TCP},
	{"a first fragment of 8 bytes of UDP", false, false, {{IP + 2, 0}, {IP + 3, 28}, {IP + 6, 0x20}, {IP + 9, 17}}, 0, false,
	 REASON_NOT_TCP},
	{"a data offset of 4, IPv6", true, false, {{V6_TCP + 12, 0x40}}, 0, true, REASON_BAD_TCP},
	{"a packet longer than its frame, IPv6", true, false, {{IP + 4, 1}}, 0, true, REASON_TRUNCATED},
	{"a first fragment of 8 bytes of TCP, IPv6", true, true, {{IP + 4, 0}, {IP + 5, 40}, {IP + 40 + 24 + 3, 0x01}}, 0, true,
	 REASON_BAD_TCP},
};

static int send_shape(struct rig *rig, enum rig_hook hook, const struct shape *s)
{
	struct wire_layout l = {.name = s->name, .v6 = s->v6, .extensions = s->extensions};
	struct wire_segment seg = {.bits = TH_SYN, .seq = 1000, .win = 64240};
	struct wire_end from = end_of(s->v6 ? "2001:db8::1" : C, 1000), to = end_of(s->v6 ? "2001:db8::2" : S, 80);
	uint8_t frame[WIRE_MAX];
	size_t len = wire_build(frame, &l, &from, &to, &seg);
	int i, verdict;

	for (i = 0; i < 6 && s->patch[i].at + s->patch[i].value; i++)
		frame[s->patch[i].at] = s->patch[i].value;
	if (s->cut)
		len = (size_t)s->cut;
	verdict = rig_send(rig, hook, frame, len, (uint32_t)len, false, 0);
	return hook == HOOK_XDP ? verdict == XDP_DROP : verdict == 2;
}

static uint64_t reasons_of(struct rig *rig, enum ward_reason which)
{
	return rig_counters(rig).reason[which];
}

static const char deny[] = "rules:\n  - {name: deny, match: {any: true}, action: drop}\n";

/* Every shape by this hook under a policy that denies all and says this of unparsed TCP. */
static void all_shapes(struct rig *rig, enum rig_hook hook, const char *first, bool drops)
{
	uint64_t expected = 0;
	char yaml[300];
	unsigned i;

	snprintf(yaml, sizeof(yaml), "%s%s", first, deny);
	enforce(rig, yaml);
	for (i = 0; i < sizeof(shapes) / sizeof(*shapes); i++) {
		const struct shape *s = &shapes[i];
		uint64_t before = reasons_of(rig, s->reason);

		if (s->cut && s->cut < IP + 20 && hook != HOOK_XDP)
			continue; /* test_run refuses them */
		if (send_shape(rig, hook, s) != (s->broken && drops)) {
			printf("# %s: %s\n", s->name, s->broken ? "passed" : "dropped");
			check(false);
		}
		same(reasons_of(rig, s->reason), before + 1);
		expected += s->broken && drops;
	}
	same(drops_of(rig).dropped[DROP_UNPARSED], expected);
	same(count_of(rig, SUBJECT_NOBODY).dropped, expected);
	same(count_of(rig, SUBJECT_RULE(0)).hits, 0);
	enforce_nothing(rig);
}

static void test_shapes(struct rig *rig)
{
	case_begin("policy: what is not TCP passes whatever the policy; broken TCP too, unless it says otherwise");
	all_shapes(rig, HOOK_XDP, "", false);
	all_shapes(rig, HOOK_XDP, "unparsed: drop\n", true);
	all_shapes(rig, HOOK_TC_OUT, "unparsed: drop\n", false);
	case_end();
}

static void test_who(struct rig *rig)
{
	const struct shape *s = &shapes[13]; /* a data offset of 4 */
	char yaml[300];

	case_begin("policy: unparsed: modes, allow, tc");
	check(s->broken && !s->v6);
	enforce(rig, "version: 1\nmode: dry-run\nunparsed: drop\n");
	same(send_shape(rig, HOOK_XDP, s), 0);
	same(drops_of(rig).would[DROP_UNPARSED], 1);
	enforce_nothing(rig);
	enforce(rig, "unparsed: drop\n");
	same(send_shape(rig, HOOK_XDP, s), 1);
	same(send_shape(rig, HOOK_TC_IN, s), 1);
	list(rig, WARD_ALLOW, C, 0);
	same(send_shape(rig, HOOK_XDP, s), 0);
	unlist(rig, WARD_ALLOW, C);
	same(send_shape(rig, HOOK_XDP, s), 1);
	snprintf(yaml, sizeof(yaml), "unparsed: drop\nallow: [%s/32]\n", C);
	enforce(rig, yaml);
	same(send_shape(rig, HOOK_XDP, s), 0);
	enforce(rig, "unparsed: drop\nallow: [10.0.0.2]\n");
	same(send_shape(rig, HOOK_XDP, s), 1);
	enforce_nothing(rig);
	case_end();
}

int main(void)
{
	struct rig_options opt;
	struct rig rig;

	rig_options_init(&opt);
	rig_open(&rig, &opt);
	test_shapes(&rig);
	test_who(&rig);
	rig_close(&rig);
	return rig_result();
}
