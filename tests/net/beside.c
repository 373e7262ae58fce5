// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * beside: a tc program of somebody else's, which returns the same for every frame; until SIGTERM.
 *
 *   beside DEV ingress|egress first|last VERDICT     by tcx, before or behind all that are there
 *   beside DEV ingress|egress PRIORITY VERDICT       a filter of clsact (in direct-action mode)
 *
 * VERDICT: a number, as TC_ACT_OK 0, TC_ACT_SHOT 2, TC_ACT_PIPE 3, TC_ACT_UNSPEC -1.
 */
#include <linux/bpf.h>
#include <net/if.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

/* In the kernel's enum since 6.6; older headers lack them. */
#define TCX_INGRESS 46
#define TCX_EGRESS 47
#define BEFORE (1U << 3) /* and before nobody named: all; so behind all */
#define AFTER (1U << 4)

static int load(int verdict)
{
	const struct bpf_insn insns[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = verdict },
		{ .code = BPF_JMP | BPF_EXIT },
	};

	return bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "beside", "Dual BSD/GPL", insns, 2, NULL);
}

static void wait_for_end(void)
{
	sigset_t end;
	int sig;

	sigemptyset(&end);
	sigaddset(&end, SIGTERM);
	sigprocmask(SIG_BLOCK, &end, NULL);
	puts("ready");
	fflush(stdout);
	sigwait(&end, &sig);
}

static int by_tcx(int prog, unsigned ifindex, bool egress, bool first)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts, .flags = first ? BEFORE : AFTER);
	int link = bpf_link_create(prog, (int)ifindex, egress ? TCX_EGRESS : TCX_INGRESS, &opts);

	if (link >= 0)
		wait_for_end();
	return link < 0;
}

static int by_clsact(int prog, unsigned ifindex, bool egress, unsigned priority)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex, .attach_point = egress ? BPF_TC_EGRESS : BPF_TC_INGRESS);
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = 1, .priority = priority, .prog_fd = prog);
	LIBBPF_OPTS(bpf_tc_opts, gone, .handle = 1, .priority = priority);

	bpf_tc_hook_create(&hook); /* or it is there */
	if (bpf_tc_attach(&hook, &opts))
		return 1;
	wait_for_end();
	return !!bpf_tc_detach(&hook, &gone);
}

int main(int argc, char **argv)
{
	unsigned ifindex = argc == 5 ? if_nametoindex(argv[1]) : 0;
	bool egress = ifindex && !strcmp(argv[2], "egress");
	int prog = ifindex ? load(atoi(argv[4])) : -1, failed = 1;

	if (prog >= 0 && strcmp(argv[3], "first") && strcmp(argv[3], "last"))
		failed = by_clsact(prog, ifindex, egress, (unsigned)atoi(argv[3]));
	else if (prog >= 0)
		failed = by_tcx(prog, ifindex, egress, !strcmp(argv[3], "first"));
	if (failed)
		perror("failed: beside");
	return failed;
}
