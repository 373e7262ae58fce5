/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The bits that say which flows the table may hold (bpf/present.h): a SYN finds every open flow, after the bits were made
 * anew and after user space put flows into the table; and the bits of flows that have gone go.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>

#include "prog/rig.h"
#include "tcp_opts.h"

#define FLOWS 8000
#define CLOSED_FLOWS 6500 /* of them; more than PRESENT_STALE_MIN */
#define SEEDED 500

static void send(struct rig *rig, int i, int from_server, struct wire_segment seg)
{
	struct wire_layout v4 = {.name = "v4"};
	struct wire_end c, s;
	uint8_t frame[WIRE_MAX];
	size_t len;

	wire_address(&c, false, 100 + i, 40000);
	wire_address(&s, false, 5, 80);
	len = wire_build(frame, &v4, from_server ? &s : &c, from_server ? &c : &s, &seg);
	rig_send(rig, HOOK_XDP, frame, len, (uint32_t)len, false, 0);
}

static void open_flow(struct rig *rig, int i)
{
	send(rig, i, 0, (struct wire_segment){.bits = TH_SYN, .seq = 1000, .win = 64240});
	send(rig, i, 1, (struct wire_segment){.bits = TH_SYN | TH_ACK, .seq = 5000, .ack = 1001, .win = 64240});
	send(rig, i, 0, (struct wire_segment){.bits = TH_ACK, .seq = 1001, .ack = 5001, .win = 64240});
}

/* Each of these flows gets a SYN: how many of them began a flow object instead of meeting the old one. */
static long missed(struct rig *rig, int from, int to)
{
	struct ward_counters before = rig_counters(rig), after;
	int i;

	for (i = from; i < to; i++)
		send(rig, i, 0, (struct wire_segment){.bits = TH_SYN, .seq = 900000, .win = 64240});
	after = rig_counters(rig);
	return (long)(after.counter[CNT_FLOWS_NEW] - before.counter[CNT_FLOWS_NEW]);
}

/* How many bits are set in the half that counts; clear: and clears them. */
static long bits_set(struct rig *rig, bool clear)
{
	struct bpf_map_info info;
	uint32_t size = sizeof(info), i, half;
	uint64_t word, zero = 0;
	long bits = 0;

	memset(&info, 0, sizeof(info));
	bpf_obj_get_info_by_fd(rig->w->map[MAP_PRESENT], &info, &size);
	half = info.max_entries / 2;
	for (i = 0; i < half; i++) {
		uint32_t at = i + (rig->w->control->present_half & 1 ? half : 0);

		if (bpf_map_lookup_elem(rig->w->map[MAP_PRESENT], &at, &word))
			return -1;
		bits += __builtin_popcountll(word);
		if (clear)
			bpf_map_update_elem(rig->w->map[MAP_PRESENT], &at, &zero, BPF_ANY);
	}
	return bits;
}

/* As seed.c does it: the programs do not see the insertion. */
static void seed_flows(struct rig *rig)
{
	struct wire_end c, s;
	struct flow_key like, key;
	struct flow f;
	bool embryo;
	int i;

	wire_address(&s, false, 5, 80);
	wire_address(&c, false, 100, 40000);
	wire_key(&like, &c, &s);
	if (ward_flow_get(rig->w, &like, &f, &embryo) || embryo) {
		rig_report(false, "present: a flow to copy", "there is none");
		return;
	}
	__atomic_fetch_or(&rig->w->control->present_epoch, 1, __ATOMIC_SEQ_CST);
	for (i = FLOWS; i < FLOWS + SEEDED; i++) {
		wire_address(&c, false, 100 + i, 40000);
		wire_key(&key, &c, &s);
		bpf_map_update_elem(rig->w->map[MAP_FLOWS], &key, &f, BPF_NOEXIST);
	}
	__atomic_fetch_add(&rig->w->control->present_epoch, 1, __ATOMIC_SEQ_CST);
}

int main(void)
{
	long full, rest, bad[4];
	struct rig_options opt;
	struct rig rig;
	uint32_t built;
	int i;

	rig_options_init(&opt);
	opt.ward.flows = 16384;
	rig_open(&rig, &opt);
	for (i = 0; i < FLOWS; i++)
		open_flow(&rig, i);
	full = bits_set(&rig, false);
	bad[0] = missed(&rig, 0, FLOWS);
	for (i = FLOWS - CLOSED_FLOWS; i < FLOWS; i++)
		send(&rig, i, 1, (struct wire_segment){.bits = TH_RST, .seq = 5001});
	for (i = 0; i < 8; i++)
		rig_wait(&rig, 10 * NS_PER_S);
	rest = bits_set(&rig, false);
	bad[1] = missed(&rig, 0, FLOWS - CLOSED_FLOWS);
	rig_report(!bad[0] && !bad[1] && full > FLOWS * 3 / 2 && full <= 2 * FLOWS && rest <= 2 * (FLOWS - CLOSED_FLOWS) &&
			   rest > (FLOWS - CLOSED_FLOWS) * 3 / 2,
		   "present: a SYN finds every open flow, before and after the bits are made anew",
		   "%d flows, %d closed: %ld bits, then %ld; %ld and %ld SYNs missed their flow", FLOWS, CLOSED_FLOWS, full, rest,
		   bad[0], bad[1]);
	seed_flows(&rig);
	bad[2] = missed(&rig, FLOWS, FLOWS + SEEDED / 2);
	built = rig.w->control->present_built;
	rig_wait(&rig, NS_PER_S);
	bad[3] = missed(&rig, FLOWS + SEEDED / 2, FLOWS + SEEDED);
	rig_report(!bad[2] && !bad[3] && built != rig.w->control->present_built &&
			   rig.w->control->present_built == rig.w->control->present_epoch && bits_set(&rig, false) > rest,
		   "present: flows that user space put into the table are found, by search and then by their bits",
		   "%d flows, %ld and %ld SYNs missed them", SEEDED, bad[2], bad[3]);
	bits_set(&rig, true);
	bad[0] = missed(&rig, FLOWS, FLOWS + SEEDED);
	rig_report(bad[0] == SEEDED, "present: without their bits flows are missed (control)", "%ld of %d", bad[0], SEEDED);
	rig_close(&rig);
	return rig_result();
}
