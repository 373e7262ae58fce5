/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Maps and settings, shared by all programs. Every object file includes this; the definitions are weak, so that the
 * linker makes one set of them.
 */
#ifndef BPF_MAPS_H
#define BPF_MAPS_H

#include "vmlinux.h"
/* after vmlinux.h */
#include <bpf/bpf_helpers.h>

#include "account.h"
#include "embryo.h"
#include "enforce.h"
#include "sweep.h"
#include "tcp_opts.h"
#include "tcp_timer.h"

/*
 * What one CPU works on. The packet programs run with bottom halves disabled, so they do not nest on one CPU; the sweep
 * runs in process context and is interrupted by them, so it has a scratch of its own.
 */
enum scratch_owner { SCRATCH_PACKET, SCRATCH_SWEEP };

/* One recount of the gauges: recount.h */
struct recount {
	__u64 now;
	__u32 half;   /* that is being made; and the half of the open flows that is counted this time */
	__u32 roll10; /* a window of so long has passed: 1, or 2 and more if it is that of longer ago */
	__u32 roll60;
	__u32 services; /* that there were when it began */
};

/* What the callbacks of one sweep share. In scratch: older kernels allow 512 bytes of stack for all frames together. */
struct walk {
	__u64 busy_since;      /* an open flow that spoke after this cannot have timed out */
	__u64 open, open_conf; /* such flows, and how many of their ends are confirmed */
	__u64 entries;         /* of the flow table that are taken, by the dead too */
	__u32 budget;          /* of events; 0: no limit */
	__u32 more;
	__u32 present;         /* 1 + the half of "present" that is being made, or 0 */
	__u32 pad;
};

#define OPEN_BATCH 64

/* Keys of open flows that the sweep will count: see recount_open(). */
struct open_batch {
	__u32 count;
	__u32 pad;
	struct flow_key key[OPEN_BATCH];
};

/* What policy says of the segment: policy.h. */
struct policy_look {
	__u64 rules;    /* that its addresses, ports, flags, interface and VLAN select */
	__u64 value;    /* the number that was too much */
	__u32 services; /* that its responder belongs to */
	__u32 slot;     /* 1 + that of the policy; 0: none */
	__u32 on;       /* an ingress segment, and there is a policy, or a list */
	__u32 allowed;
	__u32 invalid;  /* 1 << enum policy_invalid */
	__u32 service;  /* index of the account of the service, or NO_INDEX */
	struct address_prefix prefix; /* of who goes on the block list, and its entry */
	struct list_entry entry;
	__u8 verdict;   /* enum verdict */
	__u8 drop;      /* enum ward_drop */
	__u8 subject;   /* SUBJECT_* */
	__u8 fresh;     /* a SYN of which there is no record at all */
	__u8 passed;    /* the service's limits have been asked: not again */
	__u8 decided;   /* it would be dropped, if not for a dry run of the whole policy, or an exemption: nothing else counts it */
};

struct scratch {
	struct segment seg;
	struct tcp_judgement j;
	struct event_with_flow ev;
	struct flow fresh;     /* a record on its way into the flow table; a SYN made whole */
	struct flow_key gone;  /* of an evicted SYN */
	struct recount recount;
	struct walk walk;
	struct open_batch open;
	struct policy_look policy;
	__u64 hash;            /* of the key, unless it was found in the flow table */
	__u64 word;            /* of the record, when it was found in the flow table */
	__u64 promotions;      /* value of "promotions" before the flow table was searched */
	__u64 stamp_second;    /* parser: the second that stamps belongs to */
	__u64 limit_second;    /* rate limit of events: the second that limit_count belongs to */
	__u32 limit_count[2][EVENT_COUNT]; /* of flows in the table; of embryos */
	__u8 saddr[16];        /* parser: of the packet, network order */
	__u8 daddr[16];
	__u32 l4_at;           /* parser: where TCP begins */
	__u32 l4_len;          /* parser: length of header and payload, from the IP header */
	__u8 next_header;      /* parser: IPv6 */
	__u8 broken;           /* parser: what it could not parse is TCP, and not just cut short by a capture; seg.key: its addresses */
	struct tcp_timer timer;
	__u32 opt_at;          /* parser: position in opt, kept in memory so that the verifier forgets it */
	__u32 echo_at;         /* parser: where in opt the echoed time stamp stands, if the options were walked */
	__u32 emitted;         /* events sent, or tried: the sweep's budget */
	__u32 stamps;          /* parser: SYNs in stamp_second */
	__u32 holding;         /* sweep: it holds a record's lock on this CPU */
	__u32 fill;            /* sweep: of the flow table, permille */
	__u32 svc, src, did;   /* account_step(): what is to be counted */
	__u32 ring_turn, ring_half; /* emit.h: when rings are asked next; those that are half full */
	__u32 last_service; /* accounts.h: index of the service of the last first SYN */
	__u32 syn_turn;        /* accounts.h: which first SYNs count for their prefix */
	__u32 embryonic;       /* 1: what is at hand is not in the flow table, and does not go there now: see emit.h */
	__u8 opt[64];          /* parser: TCP options */
};

#define WARD_MAP __weak SEC(".maps")

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 262144);
	__type(key, struct flow_key);
	__type(value, struct flow);
} flows WARD_MAP;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, struct embryo_set);
} embryos WARD_MAP;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, struct syn_set);
} syns WARD_MAP;

/* Two halves of bits: present.h */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 16384);
	__type(key, __u32);
	__type(value, __u64);
} present WARD_MAP;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 4096);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct service);
} services WARD_MAP;

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, struct service_counts);
} service_counts WARD_MAP;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 512);
	__type(key, __u32);
	__type(value, struct account_set);
} service_sets WARD_MAP;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct service_ports);
} service_ports WARD_MAP;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 8192);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct source);
} sources WARD_MAP;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, struct account_set);
} source_sets WARD_MAP;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, PAIR_CELLS / PAIR_BLOCK);
	__type(key, __u32);
	__type(value, struct pair_block);
} pair_cells WARD_MAP;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, PAIRS_KEPT);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct pair);
} pairs WARD_MAP;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct flow_hits);
} hits WARD_MAP;

/* Written by the process that sweeps: user/detect/. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, FINDING_ROOM);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct finding);
} findings WARD_MAP;

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct ward_counters);
} counters WARD_MAP;

/* 0: the last whole sweep; 1: the one that is being made */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, struct ward_gauges);
} gauges WARD_MAP;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct ward_instance);
} instance WARD_MAP;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct ward_control);
} control WARD_MAP;

struct event_ring {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
};

/* A ring buffer for each reader, put there by the reader. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, WARD_READERS);
	__type(key, __u32);
	__array(values, struct event_ring);
} events WARD_MAP;

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, struct scratch);
} scratch WARD_MAP;

/* ---- settings: written by user space before the programs are loaded ---- */
__weak const volatile struct track_opts opts;
__weak const volatile __u8 key_vlan;
__weak const volatile __u8 ingress_only; /* what the hosts behind the interfaces answer is not seen */
__weak const volatile __u8 replay; /* BPF_PROG_TEST_RUN over a capture: its clock, its packet numbers */
__weak const volatile __u32 iface_count;
__weak const volatile struct iface_row ifaces[WARD_IFACES];
__weak const volatile __u32 uppers[UPPER_SETS * UPPER_WAYS]; /* user/ward/uppers.c */
__weak const volatile __u8 ports_row; /* whose the frames are that XDP sees by an interface not in the table; 0xff: nobody's */
__weak const volatile __u32 flows_max;   /* capacity of "flows" */
__weak const volatile __u32 embryo_mask; /* sets - 1 */
__weak const volatile struct detect_opts detect;
__weak const volatile __u32 service_mask; /* sets - 1 */
__weak const volatile __u32 source_mask;  /* sets - 1 */
__weak const volatile __u32 cpus;         /* possible ones */
__weak const volatile __u32 present_mask; /* bits in a half of "present" - 1 */
__weak const volatile __u64 boot_secret[2];
__weak const volatile __u64 tick_ns; /* of one jiffy */
__weak const volatile __u32 event_limit[EVENT_COUNT]; /* events a second and CPU, of embryos and of other flows each; 0: no limit */

/* ---- written while they run ---- */
__weak __u64 epoch_offset_ns; /* jiffies * tick_ns + this = nanoseconds since the epoch */
__weak __u64 promotions;      /* embryos that moved to the flow table so far */
__weak __u64 evicted_ns;      /* an embryo last gave way to another */
__weak __u64 unnoted_ns;      /* one of a handshake did, and no note was taken of it: forgotten.h */
__weak __u64 forgotten_generation; /* forgotten.h: the last one that the sweep emptied the one before in */
__weak __u64 early_ns;        /* a closing flow of a nearly full table was last dropped before its time */
__weak __u64 present_gone;    /* flows deleted since the half of "present" that counts was begun; the sweep's */

static __always_inline const struct track_opts *track_options(void)
{
	const struct track_opts *o = (const struct track_opts *)&opts;

	asm volatile("" : "+r"(o)); /* or the compiler folds the zeroes it sees here */
	return o;
}

static __always_inline const struct detect_opts *thresholds(void)
{
	const struct detect_opts *o = (const struct detect_opts *)&detect;

	asm volatile("" : "+r"(o)); /* likewise */
	return o;
}

static __always_inline struct scratch *scratch_get(__u32 owner)
{
	return bpf_map_lookup_elem(&scratch, &owner);
}

static __always_inline struct ward_control *control_get(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&control, &zero);
}

static __always_inline struct ward_counters *counters_get(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&counters, &zero);
}

static __always_inline void bump(enum ward_counter which)
{
	struct ward_counters *c = counters_get();

	if (c)
		c->counter[which]++;
}

/*
 * What the sweep counts too: a packet program may interrupt it on this CPU between its load and its store, and then one of both
 * counts would be lost. One instruction cannot be interrupted.
 *
 * No test fails without it. Only a softirq that brings a segment gets between the two (BPF_PROG_TEST_RUN runs in process context,
 * and a kernel without full preemption does not stop a sweep for that), and within the nanosecond or two that they are apart, of
 * the some hundred that a sweep spends on a record; and the segment must count in the same counter. That is one lost count in
 * hours of floods: seen, it would be told as drift (gauges-corrected), or not at all.
 */
static __always_inline void count_one(__u64 *counter)
{
	__sync_fetch_and_add(counter, 1);
}

static __always_inline void bump_shared(enum ward_counter which)
{
	struct ward_counters *c = counters_get();

	if (c)
		count_one(&c->counter[which]);
}

static __always_inline void bump_reason(enum ward_reason which)
{
	struct ward_counters *c = counters_get();

	if (c)
		c->reason[which]++;
}

/* Nanoseconds since the epoch, with the resolution of a jiffy; in replay the capture's clock. */
static __always_inline __u64 now_ns(void)
{
	struct ward_control *ctl;

	if (!replay)
		return bpf_jiffies64() * tick_ns + epoch_offset_ns;
	ctl = control_get();
	return ctl ? ctl->replay_now_ns : 0;
}

#endif
