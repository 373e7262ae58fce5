// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Compiles headers of bpf/ natively, against vmlinux.h and this folder's bpf/: no header of libc may come in here. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunknown-pragmas"
#ifdef __clang__
#pragma clang diagnostic ignored "-Wunknown-attributes"
#endif
#include "vmlinux.h"
#pragma GCC diagnostic pop
/* after vmlinux.h */
#include "account.h"
#include "embryo.h"
#include "enforce.h"
#include "sweep.h"
#include "tcp_opts.h"
#include "tcp_timer.h"
#include "tcp_track.h"

#include <bpf/bpf_helpers.h>

#pragma GCC diagnostic ignored "-Wsign-compare" /* bpf/ is compiled without it */

/* Settings are constants to the programs, since the loader writes them; here they are written from call to call. */
#define const
#include "maps.h"
#undef const
/* after maps.h */
#include "parse.h"
#include "track.h"

#include "native/native.h"

static struct scratch native_scratch[2];
static struct ward_control native_control;
static struct ward_counters native_counters;

void *native_map_lookup(const void *map, const void *key)
{
	if (map == &scratch)
		return &native_scratch[*(const __u32 *)key & 1];
	if (map == &control)
		return &native_control;
	return map == &counters ? &native_counters : 0;
}

__u64 native_now(void)
{
	return native_control.replay_now_ns;
}

/* What the hooks do first. Time stands in the segment; all else of the scratch is what the frame before has left. */
static struct scratch *begin(const struct native_frame *frame)
{
	struct scratch *sc = &native_scratch[SCRATCH_PACKET];

	replay = frame->replay;
	key_vlan = frame->key_vlan;
	native_control.replay_now_ns = frame->now_ns;
	__builtin_memset(sc, 0xa5, sizeof(*sc)); /* nothing of it may matter */
	sc->stamp_second = sc->stamps = 0;
	sc->seg.now_ns = frame->now_ns;
	sc->seg.segs = 1;
	sc->seg.iface = 0;
	sc->seg.vlan = frame->tag;
	/* what only SYN cookies set, and nobody reads without SEG_COOKIE */
	sc->seg.peer_ws = 0;
	sc->seg.peer_win = 0;
	return sc;
}

static int done(const struct scratch *sc, int reason, struct native_parsed *out)
{
	out->seg = sc->seg;
	out->l4_at = sc->l4_at;
	out->l4_len = sc->l4_len;
	out->broken = reason != PARSED && sc->broken == 1;
	return reason;
}

int native_parse_plain(const struct native_frame *frame, struct native_parsed *out)
{
	struct scratch *sc = begin(frame);
	void *data = (void *)frame->data;

	if (frame->l3)
		return NOT_PLAIN;
	return done(sc, parse_plain(sc, data, data + frame->len, frame->tag), out);
}

int native_parse_steps(const struct native_frame *frame, struct native_parsed *out)
{
	struct scratch *sc = begin(frame);
	void *data = (void *)frame->data;
	int reason = parse_network(sc, data, data + frame->len, frame->wire_len, frame->l3, frame->tag);

	if (reason == PARSED)
		reason = parse_tcp(sc, data, data + frame->len);
	return done(sc, reason, out);
}

int native_parse(const struct native_frame *frame, struct native_parsed *out)
{
	int reason = native_parse_plain(frame, out);

	return reason == NOT_PLAIN ? native_parse_steps(frame, out) : reason;
}

int native_fast(struct flow *f, const struct segment *seg, const struct track_opts *o)
{
	__builtin_memcpy((void *)&opts, o, sizeof(*o));
	return track_fast(f, record_word(f), seg);
}

/* Elsewhere in bpf/, and of no use here: track.h and policy.h name them. */
int track_slow(struct flow *f)
{
	(void)f;
	return 1;
}
int track_syn(void)
{
	return 1;
}
int track_embryo(void)
{
	return 1;
}
int policy_judge(struct flow *f, __u32 what)
{
	(void)f, (void)what;
	return 0;
}
int policy_blocked(void)
{
	return 0;
}
int policy_rules_flow(void)
{
	return 0;
}
