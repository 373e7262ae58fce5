// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* feed: one frame through the programs by BPF_PROG_TEST_RUN, and the sweep, which runs the same way. */
#include <errno.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "sweep.h"
#include "ward/cookie.h"

#define FRAME_MAX 2048
#define FRAME_MIN 14 /* the kernel runs nothing over less than an Ethernet header */

int ward_feed(struct ward *w, const void *data, size_t len, uint32_t wire_len, bool l3, uint64_t now_ns, uint64_t pkt)
{
	struct ward_control *control = w->control;
	unsigned char padded[FRAME_MIN] = { 0 };
	LIBBPF_OPTS(bpf_test_run_opts, run);

	if (len < FRAME_MIN) {
		memcpy(padded, data, len);
		data = padded;
		len = FRAME_MIN;
	}
	control->replay_now_ns = now_ns;
	control->replay_pkt = pkt;
	control->replay_wire_len = wire_len;
	control->replay_flags = l3 ? IFACE_L3 | IFACE_XDP_L3 : 0;
	run.data_in = data;
	run.data_size_in = len > FRAME_MAX ? FRAME_MAX : len;
	if (bpf_prog_test_run_opts(w->prog[PROG_XDP], &run))
		return ward_fail(-errno, "", "cannot run '%s' over packet %llu of %zu bytes: %s",
				 ward_prog_names[PROG_XDP], (unsigned long long)pkt, len, strerror(errno));
	return (int)run.retval;
}

int ward_feed_tc(struct ward *w, bool egress, const void *data, size_t len, int *verdict)
{
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = data, .data_size_in = len);
	enum ward_prog prog = egress ? PROG_TC_EGRESS : PROG_TC_INGRESS;
	int err = load_needed(w);

	if (err)
		return err;
	if (bpf_prog_test_run_opts(w->prog[prog], &run))
		return ward_fail(-errno, "", "cannot run '%s' over %zu bytes: %s", ward_prog_names[prog], len,
				 strerror(errno));
	*verdict = (int)run.retval;
	return 0;
}

int ward_sweep(struct ward *w, uint64_t now_ns)
{
	struct sweep_args args = { .now_ns = now_ns, .budget = w->sweep_budget };
	LIBBPF_OPTS(bpf_test_run_opts, run, .ctx_in = &args, .ctx_size_in = sizeof(args)); /* and it comes back there */
	int err = load_needed(w);

	if (err)
		return err;
	if (w->opt.replay)
		w->control->replay_now_ns = now_ns;
	if (bpf_prog_test_run_opts(w->prog[PROG_SWEEP], &run))
		return ward_fail(-errno, errno == EPERM ? REMEDY_ROOT : "", "cannot run '%s': %s",
				 ward_prog_names[PROG_SWEEP], strerror(errno));
	w->control->keeper_ns = now_ns;
	if (!w->opt.replay)
		readers_clear_stale(w);
	cookie_keys_rotate(w, now_ns);
	cookie_look(w, now_ns);
	if (!run.retval && !args.more) {
		accounts_look(w, now_ns);
		lists_sweep(w, now_ns);
		policy_sweep(w, now_ns);
		reactions_look(w, now_ns);
	}
	return (int)run.retval < 0 ? (int)run.retval : (int)args.more;
}
